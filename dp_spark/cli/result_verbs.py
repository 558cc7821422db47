"""The verbs that look at results."""

import click

from dp_spark.cli.doing import do_on_run, do_on_storage
from dp_spark.cli.options import Source, Speech, overwrite_option, with_source, with_speech

_columns = click.option(
    "--column", "columns", multiple=True, metavar="NAME", help="To show; may be repeated."
)


@click.command("summary")
@click.option(
    "--sort",
    type=click.Choice(
        ["name", "coverage", "overlaps", "conflicts", "accuracy", "gold", "weight", "errors", "time"]
    ),
    help="Order of the lines; by default that of the label matrix.",
)
@with_source
@with_speech
def summary(speech: Speech, source: Source, sort: str | None) -> None:
    """A table of the labeling functions: coverage, conflicts, accuracy, weight."""
    do_on_run("dp_spark.commands.summary:summary", speech, source, sort=sort or "")


@click.command("report")
@click.option(
    "--rows", "show_rows", default=0, show_default=True, help="Show so many rows of the data, 0 to 100."
)
@click.option("--overwrite", is_flag=True, help="As for the other stages; a report is always replaced.")
@with_source
@with_speech
def report(speech: Speech, source: Source, show_rows: int, overwrite: bool) -> None:
    """Write report.html and report.json anew, from the results that are there."""
    do_on_run("dp_spark.commands.report:write_report", speech, source, show_rows=show_rows)


@click.command("explain")
@click.argument("key", nargs=-1, required=True)
@_columns
@click.option("--all-columns", is_flag=True, help="Show all columns of the row.")
@with_source
@with_speech
def explain(
    speech: Speech, source: Source, key: tuple[str, ...], columns: tuple[str, ...], all_columns: bool
) -> None:
    """Why the row with this KEY has its label: votes, weights, and log-odds that add up to it.

    KEY is one value for each key column, in their order. A value that begins with a dash comes after --.
    """
    do_on_run(
        "dp_spark.commands.explain:explain", speech, source, key=key, columns=columns, all_columns=all_columns
    )


@click.command("errors")
@click.option(
    "--of",
    type=click.Choice(["labels", "end_model"]),
    default="labels",
    show_default=True,
    help="What is judged.",
)
@click.option(
    "--part",
    type=click.Choice(["all", "train", "test"]),
    default="all",
    show_default=True,
    help="Of which rows.",
)
@click.option("--buckets", "max_buckets", default=10, show_default=True, help="Shown at most.")
@click.option("--keys", "max_keys", default=5, show_default=True, help="Shown of each bucket at most.")
@_columns
@with_source
@with_speech
def errors(speech: Speech, source: Source, **options: object) -> None:
    """Where labels differ from gold: by classes and votes, and which labeling functions are to blame."""
    do_on_run("dp_spark.commands.errors:errors", speech, source, ships=False, **options)


@click.command("suggest")
@click.option(
    "--focus",
    type=click.Choice(["uncovered", "conflicts", "uncertain"]),
    default="uncovered",
    show_default=True,
    help="Which rows to look at.",
)
@click.option(
    "--column", "columns", multiple=True, metavar="NAME", help="Look at this one only; may be repeated."
)
@click.option("--max-confidence", default=0.7, show_default=True, help="With uncertain: below it a label is.")
@click.option("--min-rows", default=5, show_default=True, help="In focus, that a value must have.")
@click.option("--most", "max_per_column", default=10, show_default=True, help="Values of a column.")
@click.option(
    "--max-rows", default=1_000_000, show_default=True, help="Of a larger table a sample is looked at."
)
@with_source
@with_speech
def suggest(speech: Speech, source: Source, **options: object) -> None:
    """Where to write the next labeling function: what rows share that none votes on, or that they disagree on."""
    do_on_run("dp_spark.commands.suggest:suggest", speech, source, ships=False, **options)


@click.command("diff")
@click.argument("run_a")
@click.argument("run_b")
@click.option(
    "--keys",
    "max_keys",
    default=10,
    show_default=True,
    help="Flipped rows to show.",
)
@click.option("--output", metavar="DIR", help="Gets all flipped rows as Parquet.")
@overwrite_option
@with_speech
def diff(speech: Speech, run_a: str, run_b: str, **options: object) -> None:
    """What changed from RUN_A to RUN_B, two output directories.

    Labeling functions, coverage, accuracies, scores, and the rows whose label flipped. Needs no configuration.
    """
    do_on_storage("dp_spark.commands.diff:diff", speech, directory_a=run_a, directory_b=run_b, **options)


@click.command("export-votes")
@click.argument("directory")
@overwrite_option
@with_source
@with_speech
def export_votes(speech: Speech, source: Source, directory: str, overwrite: bool) -> None:
    """The label matrix as a Parquet table with one column for each labeling function, in DIRECTORY."""
    do_on_run(
        "dp_spark.commands.export_votes:export_votes", speech, source, to=directory, overwrite=overwrite
    )


@click.command("log-mlflow")
@click.option("--uri", metavar="URI", help="Of the tracking server or store.")
@click.option("--experiment", metavar="NAME", help="Of MLflow.")
@click.option("--run-name", metavar="NAME", help="Of the MLflow run.")
@with_source
@with_speech
def log_mlflow(speech: Speech, source: Source, **options: object) -> None:
    """Log a complete run to MLflow: settings, scores, models and the report."""
    do_on_run("dp_spark.commands.log_mlflow:log_mlflow", speech, source, ships=False, **options)


RESULT_VERBS = [summary, report, explain, errors, suggest, diff, export_votes, log_mlflow]
