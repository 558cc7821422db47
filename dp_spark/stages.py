"""The stages of a pipeline on a user's table: each reads results from the run's directory and adds one.

A result appears only when it is complete.
"""

import logging
from collections.abc import Callable

from py4j.protocol import Py4JJavaError

from dp_spark.counting.count import count_votes
from dp_spark.counting.gold import count_gold
from dp_spark.counting.gold_counts import GoldCounts
from dp_spark.end_model.artifact import save_end_model
from dp_spark.end_model.attempts import delete_checkpoints
from dp_spark.end_model.predict import PREDICTIONS_KIND, predict
from dp_spark.end_model.train import train_end_model
from dp_spark.errors import ConfigError
from dp_spark.evaluation import run_evaluate, run_train_gold_model, write_training_set
from dp_spark.label_model.fit import fit_label_model
from dp_spark.label_model.model import LabelModel
from dp_spark.label_model.scalars import event_file
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labels.label import LABELS_KIND, label
from dp_spark.publishing import publish, refuse_existing
from dp_spark.reporting import run_report
from dp_spark.run import (
    Run,
    load_lfs,
    publish_file,
    publish_table,
    read_counts,
    read_end_model,
    read_label_model,
    read_labels,
    read_matrix,
    read_points,
    read_training_set,
)
from dp_spark.session import stage
from dp_spark.stage_names import RESULTS
from dp_spark.storage import join_path
from dp_spark.tables import quoted

logger = logging.getLogger(__name__)


def run_apply_lfs(run: Run) -> None:
    """From table to label_matrix."""
    table, labeling = run.config.table, run.config.labeling
    matrix = apply_lfs(
        read_points(run).drop(*run.hidden_columns),
        load_lfs(run),
        key=table.key,
        num_classes=labeling.classes.num_classes,
        class_names=labeling.class_names,
        max_lf_errors=labeling.max_lf_errors,
        lf_timeout_seconds=labeling.lf_timeout_seconds,
    )
    write_label_matrix(matrix, run.path("label_matrix"), run.storage, overwrite=run.overwrite)


def run_count_votes(run: Run) -> None:
    """From label_matrix to vote_counts.npz; with clusters from table, too."""
    cluster = run.config.table.cluster
    counts = count_votes(read_matrix(run), cluster, read_points(run) if cluster else None)
    publish_file(run, "vote_counts.npz", counts.to_bytes())


def run_fit_label_model(run: Run) -> None:
    """From vote_counts.npz to label_model.json; with gold labels, also from table and label_matrix."""
    settings = run.config.label_model
    model = fit_label_model(
        read_counts(run),
        settings.model,
        settings.class_balance,
        settings.prior_accuracies,
        settings.dependencies,
        _gold_to_fit(run),
    )
    if settings.tensorboard:
        _write_scalars(run, model)
    publish_file(run, "label_model.json", model.to_json().encode())


def _write_scalars(run: Run, model: LabelModel) -> None:
    directory, (name, content) = run.config.label_model.tensorboard, event_file(model)
    try:
        run.storage.write_bytes(join_path(directory, name), content)
    except Py4JJavaError as problem:
        why = problem.java_exception.getMessage()
        raise ConfigError(
            f"label_model.tensorboard: cannot write to {directory}: {why}. Name a directory that may be written, or "
            "leave it out."
        ) from problem


def _gold_to_fit(run: Run) -> GoldCounts | None:
    """The gold labels that the fit may use, or None if the configuration names none."""
    table, column = run.config.table, run.config.label_model.gold
    if column is None:
        return None
    if column == table.gold:
        logger.warning(
            "label_model.gold and table.gold are both %r: the scores in metrics.json are of gold labels that the "
            "fit has seen. Put the few labels to fit with into a column of their own.",
            column,
        )
    gold = read_points(run).select(*map(quoted, table.key), quoted(column))
    return count_gold(read_matrix(run), gold, column)


def run_label(run: Run) -> None:
    """From label_matrix, label_model.json to labels."""
    model = read_label_model(run)
    labels = label(read_matrix(run), model)
    publish_table(run, "labels", labels, LABELS_KIND, {"label_model": model.model_id})


def run_write_shards(run: Run) -> None:
    """From table, labels to training_set: the rows of the training part that have a vote."""
    labels, description = read_labels(run)
    label_table_id = str(description["label_model"])
    write_training_set(run, labels, "training_set", label_table_id, overwrite=run.overwrite)


def run_train_end_model(run: Run) -> None:
    """From training_set to end_model."""
    manifest = read_training_set(run)
    settings = run.config.end_model.settings()
    model = train_end_model(run.spark, manifest, settings, storage=run.storage, keep_checkpoints=True)
    with publish(run.storage, run.path("end_model"), overwrite=run.overwrite) as staged:
        save_end_model(run.storage, staged, model)
    delete_checkpoints(run.storage, manifest)


def run_predict(run: Run) -> None:
    """From table, end_model to predictions: of every data point."""
    model = read_end_model(run)
    predictions = predict(read_points(run), model, key=run.config.table.key)
    publish_table(run, "predictions", predictions, PREDICTIONS_KIND, {"end_model": model.digest})


_FUNCTIONS: dict[str, Callable[[Run], None]] = {
    "apply-lfs": run_apply_lfs,
    "count-votes": run_count_votes,
    "fit-label-model": run_fit_label_model,
    "label": run_label,
    "write-shards": run_write_shards,
    "train-end-model": run_train_end_model,
    "predict": run_predict,
    "train-gold-model": run_train_gold_model,
    "evaluate": run_evaluate,
    "report": run_report,
}
STAGES = {name: (_FUNCTIONS[name], result) for name, result in RESULTS.items()}


def run_stage(run: Run, name: str) -> None:
    """Run one stage; its inputs must be there.

    Raises:
        OutputExistsError: if its result is there and may not be replaced.
        MissingResultError: if an input is not there.
    """
    function, output = STAGES[name]
    refuse_existing(run.storage, run.path(output), run.overwrite)
    with stage(run.spark, name, run.seconds):
        function(run)
