"""What verbs do that run stages."""

from dataclasses import replace

from dp_spark.cli.opening import open_run
from dp_spark.cli.options import Source
from dp_spark.commands.outcome import Outcome
from dp_spark.pipeline import run_pipeline
from dp_spark.report.metrics import pipeline_text
from dp_spark.report.run_report import RunReport
from dp_spark.report.tutorial_text import tutorial_text
from dp_spark.session import spark_session
from dp_spark.stage_names import REPORT_NUMBERS
from dp_spark.stages import STAGES, run_stage
from dp_spark.storage import Storage
from dp_spark.synthetic import SyntheticTask
from dp_spark.tutorial import TRAINING, Tutorial, run_tutorial


def run_all(source: Source, *, overwrite: bool, resume: bool) -> Outcome:
    """All stages."""
    run = open_run(source, "run", overwrite=overwrite)
    metrics = run_pipeline(run, resume=resume)
    report = RunReport.from_json(run.storage.read_text(run.path(REPORT_NUMBERS)))
    headline = report.facts.quality.headline
    content = {"output": run.directory, "headline": headline, "metrics": metrics}
    return Outcome(f"{headline}\n\n{pipeline_text(metrics, run.directory)}", content)


def run_one(source: Source, *, overwrite: bool, name: str) -> Outcome:
    """One stage."""
    run = open_run(source, name, overwrite=overwrite)
    run_stage(run, name)
    result = run.path(STAGES[name][1])
    is_written = run.storage.exists(result)
    text = f"{name}: wrote {result}" if is_written else f"{name}: there is nothing to write"
    return Outcome(text, {"stage": name, "result": result if is_written else None})


def tutorial(
    *,
    output: str,
    overwrite: bool,
    n: int,
    m: int,
    d: int,
    coverage: float,
    accuracies: tuple[float, float],
    feature_accuracies: tuple[float, float],
    positive_share: float,
    seed: int,
    workers: int,
    max_training_rows: int,
) -> Outcome:
    """The method on synthetic data with known truth."""
    task = SyntheticTask(
        num_data_points=n,
        num_lfs=m,
        num_features=d,
        coverage=coverage,
        accuracy_range=accuracies,
        feature_accuracy_range=feature_accuracies,
        positive_share=positive_share,
        seed=seed,
    )
    training = replace(TRAINING, num_workers=workers)
    wanted = Tutorial(task=task, training=training, max_training_rows=max_training_rows)
    storage = Storage(spark_session("dp_spark tutorial"))
    metrics = run_tutorial(storage, wanted, output, overwrite=overwrite)
    return Outcome(tutorial_text(metrics, output), {"output": output, "metrics": metrics})
