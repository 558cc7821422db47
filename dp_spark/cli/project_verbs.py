"""The verbs before a run: a new project, and what can be known without running."""

import click

from dp_spark.cli.doing import do, do_on_run
from dp_spark.cli.options import Source, Speech, with_source, with_speech

_resume = click.option(
    "--resume", is_flag=True, help="The run would go on after the stages that are complete."
)
_overwrite = click.option("--overwrite", is_flag=True, help="The run would replace results that are there.")


@click.command("init")
@click.argument("directory", default=".")
@click.option("--force", is_flag=True, help="Replace files of the project that are there.")
@with_speech
def init(speech: Speech, directory: str, force: bool) -> None:
    """A new project in DIRECTORY: labeling functions, a configuration, a small table, a test.

    Everything in it runs at once; then put your own table and labeling functions in.
    """
    do("dp_spark.commands.init:init", speech, directory=directory, force=force)


@click.command("validate")
@click.option("--deep", is_flag=True, help="Also read the whole table: null and duplicate keys, null inputs.")
@click.option(
    "--sample-rows",
    "num_sample_rows",
    default=100,
    show_default=True,
    help="To try the labeling functions on.",
)
@_resume
@_overwrite
@with_source
@with_speech
def validate(speech: Speech, source: Source, **options: object) -> None:
    """All problems of a run at once, before any long work.

    Looks at the configuration, the labeling functions, the table's columns, the output, Java, Spark and the
    package versions of driver and executors, and tries the labeling functions on a few rows. Ends with 2 if there
    is a problem.
    """
    do("dp_spark.cli.checking:validate", speech, source=source, **options)


@click.command("plan")
@_resume
@_overwrite
@with_source
@with_speech
def plan(speech: Speech, source: Source, overwrite: bool, resume: bool) -> None:
    """What a run would do, on which files, partitions, rows and sizes; runs nothing."""
    do_on_run("dp_spark.commands.plan:plan", speech, source, overwrite=overwrite, ships=False, resume=resume)


@click.command("try")
@click.option("-n", "--rows", "num_rows", default=200, show_default=True, help="Of the sample, at most.")
@click.option("--lf", "lf_names", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
@click.option("--once", is_flag=True, help="Run them once only, without the check that votes do not change.")
@click.option(
    "--timeout",
    "lf_timeout_seconds",
    default=10.0,
    show_default=True,
    help="Seconds for one row, or one batch.",
)
@with_source
@with_speech
def try_(speech: Speech, source: Source, once: bool, **options: object) -> None:
    """The labeling functions on a sample: votes, errors, conflicts, accuracy where gold is known.

    Writes nothing. Each runs twice, in another order and in other batches: one whose votes change is named.
    """
    do_on_run(
        "dp_spark.commands.try_lfs:try_", speech, source, ships=True, check_determinism=not once, **options
    )


PROJECT_VERBS = [init, validate, plan, try_]
