"""The verbs that run stages."""

import click

from dp_spark.cli.doing import do
from dp_spark.cli.options import Source, Speech, overwrite_option, with_source, with_speech

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


@click.command("run")
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
    do("dp_spark.cli.actions:run_all", speech, source=source, overwrite=overwrite, resume=resume)


@click.command("tutorial")
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
    do("dp_spark.cli.actions:tutorial", speech, **options)


def _stage_verb(name: str, text: str) -> click.Command:
    def stage(speech: Speech, source: Source, overwrite: bool) -> None:
        do("dp_spark.cli.actions:run_one", speech, source=source, overwrite=overwrite, name=name)

    stage.__doc__ = text + "\n\nThe results that it reads must be in the output directory."
    return click.command(name)(overwrite_option(with_source(with_speech(stage))))


STAGE_VERBS = [_stage_verb(name, text) for name, text in STAGE_HELP.items()]
