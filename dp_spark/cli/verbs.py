"""The verbs of `dp-spark`: names, options and help. What they do is loaded when one is called."""

import importlib
import sys
from collections.abc import Callable, Sequence

import click

from dp_spark.cli.group import VerbGroup
from dp_spark.cli.options import Source, Speech, overwrite_option, with_source, with_speech
from dp_spark.held_back import held_back_stderr

STAGE_HELP = {
    "apply-lfs": "From table to label_matrix: apply the labeling functions.",
    "count-votes": "From label_matrix to vote_counts.npz.",
    "fit-label-model": "From vote_counts.npz to label_model.json.",
    "label": "From label_matrix and label_model.json to labels.",
    "write-shards": "From table and labels to training_set.",
    "train-end-model": "From training_set to end_model.",
    "predict": "From table and end_model to predictions, of every data point.",
    "train-gold-model": "The same end model trained on gold labels, as a yardstick.",
    "evaluate": "Scores of labels and predictions: metrics.json.",
}
_EPILOG = """Exit codes: 0 done; 1 Spark or training failed; 2 configuration, environment or arguments; 3 the
table; 4 a labeling function; 130 interrupted; 143 terminated."""


@click.group(
    cls=VerbGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="dp-spark", prog_name="dp-spark")
def dp_spark() -> None:
    r"""Label a table with labeling functions, on Apache Spark.

    A first project, from nothing to labels:

    \b
      dp-spark init my_project && cd my_project
      dp-spark validate        # all problems at once, before any long work
      dp-spark try             # the labeling functions on a sample
      dp-spark run             # votes, label model, labels, end model, report

    On a cluster: spark-submit jobs/pipeline.py, which takes the options of `dp-spark run`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the verb that the arguments name; ends the process with an exit code if that fails."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        dp_spark.main(given, prog_name="dp-spark", standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)


@dp_spark.command("tutorial")
@click.option(
    "--output", default="output/tutorial", show_default=True, metavar="DIR", help="For the results."
)
@overwrite_option
@click.option("--n", default=10_000, show_default=True, help="Data points.")
@click.option("--m", default=20, show_default=True, help="Labeling functions.")
@click.option("--d", default=100, show_default=True, help="Binary features.")
@click.option("--coverage", default=0.25, show_default=True, help="Share of rows an LF votes on.")
@click.option(
    "--accuracies", nargs=2, default=(0.45, 0.75), show_default=True, help="Of LFs: lowest, highest."
)
@click.option(
    "--feature-accuracies",
    nargs=2,
    default=(0.4, 0.6),
    show_default=True,
    help="Of features: lowest, highest.",
)
@click.option("--positive-share", default=0.5, show_default=True, help="P(y = +1).")
@click.option("--seed", default=0, show_default=True, help="Of the data.")
@click.option("--workers", default=2, show_default=True, help="Training workers.")
@click.option("--max-training-rows", default=400_000, show_default=True, help="For the end models.")
@with_speech
def tutorial(speech: Speech, **options: object) -> None:
    """The method on synthetic data with known truth."""
    _do("dp_spark.cli.actions:tutorial", speech, **options)


@dp_spark.command("run")
@click.option("--resume", is_flag=True, help="Go on after the complete stages of a run that failed.")
@overwrite_option
@with_source
@with_speech
def run(speech: Speech, source: Source, overwrite: bool, resume: bool) -> None:
    """All stages, from the table to predictions, metrics and a report.

    A run that failed or was interrupted goes on with --resume. Results that are there are never replaced
    without --overwrite, and with it only once the new ones are complete.
    """
    if overwrite and resume:
        raise click.UsageError("--overwrite and --resume exclude each other.")
    _do("dp_spark.cli.actions:run_all", speech, source=source, overwrite=overwrite, resume=resume)


def _add_stage(name: str, text: str) -> None:
    def stage(speech: Speech, source: Source, overwrite: bool) -> None:
        _do("dp_spark.cli.actions:run_one", speech, source=source, overwrite=overwrite, name=name)

    stage.__doc__ = text + "\n\nThe results that it reads must be in the output directory."
    dp_spark.command(name)(overwrite_option(with_source(with_speech(stage))))


for _name, _text in STAGE_HELP.items():
    _add_stage(_name, _text)

VerbGroup.sections = {
    "Run": ["run", *STAGE_HELP],
    "Learn": ["tutorial"],
}


def _do(reference: str, speech: Speech, **arguments: object) -> None:
    """Load `module:function`, call it with the arguments, and say its outcome."""
    with held_back_stderr(is_on=speech.level != "DEBUG"):
        speak, function = _loaded("dp_spark.cli.speak:speak"), _loaded(reference)
    speak(lambda: function(**arguments), speech)


def _do_on_run(reference: str, speech: Speech, source: Source, **arguments: object) -> None:
    """As `_do`, of a function that takes the run first."""
    verb = click.get_current_context().info_name
    _do(
        "dp_spark.cli.opening:on_run",
        speech,
        source=source,
        verb=verb,
        function=_loaded(reference),
        **arguments,
    )


def _loaded(reference: str) -> Callable[..., object]:
    module, _, name = reference.partition(":")
    try:
        found: Callable[..., object] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as problem:
        if str(problem.name).partition(".")[0] not in {"pyspark", "py4j"}:
            raise
        raise click.ClickException(
            f"{problem.name} is not installed in {sys.executable}: install Spark (pip install 'dp-spark[spark]'), "
            "or run under spark-submit."
        ) from problem
    return found
