"""The stages that judge: the end model that is trained on gold, and scores of all tables on the same rows."""

import json
import logging

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dp_spark.counting.gold import count_gold
from dp_spark.counting.summary import lf_summary
from dp_spark.end_model.artifact import EndModel, save_end_model
from dp_spark.end_model.predict import predict
from dp_spark.end_model.train import train_end_model
from dp_spark.errors import ConfigError, DivergedError, SchemaError
from dp_spark.label_model.calibration import calibration
from dp_spark.label_model.fit import fit_label_model
from dp_spark.labels.label import PROB_LABEL, label
from dp_spark.labels.manifest import ShardManifest
from dp_spark.labels.shards import read_manifest, write_shards
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.publishing import publish
from dp_spark.report.compare import compare
from dp_spark.report.comparison import Comparison
from dp_spark.report.metrics import lf_rows, pipeline_metrics
from dp_spark.run import (
    Run,
    publish_file,
    read_counts,
    read_end_model,
    read_gold_end_model,
    read_label_model,
    read_labels,
    read_matrix,
    read_part,
    read_points,
    read_predictions,
)
from dp_spark.stage_names import GOLD_END_MODEL, GOLD_TRAINING_SET
from dp_spark.tables import quoted

logger = logging.getLogger(__name__)

GOLD_LABELS_ID = "gold"  # what the manifest calls the labels of this training set
MIN_GOLD_ROWS = 10  # of each class; a model of fewer is no yardstick


def write_training_set(
    run: Run, labels: DataFrame, name: str, label_table_id: str, *, overwrite: bool
) -> ShardManifest:
    """Write the rows of the training part that `labels` has to the run's result `name`; raises as `write_shards`."""
    return write_shards(
        read_part(run, "train"),
        labels,
        run.path(name),
        key=run.config.table.key,
        storage=run.storage,
        num_workers=run.config.end_model.num_workers,
        class_names=run.config.labeling.class_names,
        label_table_id=label_table_id,
        overwrite=overwrite,
        **run.config.training_set.model_dump(),
    )


def run_train_gold_model(run: Run) -> None:
    """From table, end_model to gold_end_model: trained as the end model is, but on the gold labels of the same part.

    Where there is nothing to train on, [evaluation] does not want it, or the gold labels do not make a training set or
    a model, the log says so and there is no result: a yardstick must not stop a run.
    The training set is kept only while training is not complete: another attempt goes on with it.
    """
    why_not = _why_no_gold_model(run)
    if why_not:
        logger.info("no %s: %s", GOLD_END_MODEL, why_not)
        for name in (GOLD_END_MODEL, GOLD_TRAINING_SET):  # of an earlier run that may be replaced, or failed
            run.storage.delete(run.path(name))
        return
    settings = read_end_model(run).settings
    try:
        manifest = _gold_training_set(run)
        model = train_end_model(run.spark, manifest, settings, storage=run.storage, keep_checkpoints=True)
    except (ConfigError, SchemaError, DivergedError) as problem:
        logger.warning("no %s, and no comparison with it: %s", GOLD_END_MODEL, problem)
        run.storage.delete(run.path(GOLD_TRAINING_SET))
        return
    with publish(run.storage, run.path(GOLD_END_MODEL), overwrite=run.overwrite) as staged:
        save_end_model(run.storage, staged, model)
    run.storage.delete(run.path(GOLD_TRAINING_SET))


def _gold_training_set(run: Run) -> ShardManifest:
    """The training set with gold labels: that of an attempt that failed, or a new one."""
    path = run.path(GOLD_TRAINING_SET)
    if run.storage.exists(path) and not run.overwrite:
        return read_manifest(run.storage, path)
    return write_training_set(run, _gold_labels(run), GOLD_TRAINING_SET, GOLD_LABELS_ID, overwrite=True)


def _why_no_gold_model(run: Run) -> str:
    """Why there is no end model to train on gold; empty if there is one."""
    table, num_classes = run.config.table, run.config.labeling.classes.num_classes
    if not run.config.evaluation.gold_end_model:
        return "[evaluation] gold_end_model is false"
    if table.gold is None:
        return "[table] names no gold column"
    known = read_part(run, "train").where(quoted(table.gold).isin(*run.config.labeling.classes.votes))
    by_class = known.groupBy(quoted(table.gold)).count()
    with named_jobs(run.spark, "counting the gold labels to train on"):
        num_enough = by_class.where(F.col("count") >= MIN_GOLD_ROWS).count()
    if num_enough < num_classes:
        return (
            f"the training part has {MIN_GOLD_ROWS} gold labels or more of {num_enough} classes; it is trained "
            f"where all {num_classes} have"
        )
    return ""


def _gold_labels(run: Run) -> DataFrame:
    """The key columns and `prob_label` of the rows with gold, as certain labels: 0 or 1, or one of k is 1."""
    table, classes = run.config.table, run.config.labeling.classes
    gold = quoted(str(table.gold))
    is_class = [(gold == vote).cast("double") for vote in classes.votes]
    prob = is_class[1] if classes.num_classes == 2 else F.array(*is_class)
    return (
        read_points(run)
        .where(gold.isin(*classes.votes))
        .select(*map(quoted, table.key), prob.alias(PROB_LABEL))
    )


def run_evaluate(run: Run) -> None:
    """From all results to metrics.json; scores only where the table has a gold column."""
    counts, matrix, table = read_counts(run), read_matrix(run), run.config.table
    comparisons, gold_counts = {}, None
    if table.gold:
        tables = {
            "majority_vote": label(matrix, fit_label_model(counts, "majority_vote")),
            "labels": read_labels(run)[0],
            "end_model": read_predictions(run),
        }
        parts = {"all": read_points(run), "test": read_part(run, "test")}
        for part, points in parts.items():
            if not _has_gold(run, points):
                logger.warning("no row of the part %r has a gold label: it is not scored", part)
                continue
            gold_model = wanted_gold_end_model(run) if part == "test" else None
            if gold_model:
                tables[GOLD_END_MODEL] = predict(points, gold_model, key=table.key)
            comparisons[part] = _comparison(run, tables, points)
            if part == "all":
                gold = points.select(*map(quoted, table.key), quoted(table.gold))
                gold_counts = count_gold(matrix, gold, table.gold)
    label_model = read_label_model(run)
    lfs = lf_rows(lf_summary(counts, gold_counts), matrix.lf_runs, counts, label_model)
    judged = calibration(label_model, gold_counts) if gold_counts else None
    metrics = pipeline_metrics(counts, label_model, lfs, comparisons, run.seconds, judged)
    publish_file(run, "metrics.json", (json.dumps(metrics, indent=2, allow_nan=False) + "\n").encode())


def _has_gold(run: Run, points: DataFrame) -> bool:
    with named_jobs(run.spark, "looking for gold labels"):
        return not points.where(quoted(str(run.config.table.gold)) != 0).isEmpty()


def wanted_gold_end_model(run: Run) -> EndModel | None:
    """The end model that was trained on gold, if [evaluation] wants it and it is there.

    Raises:
        MissingResultError: as `read_gold_end_model`, if it is not of the end model that is there.
    """
    is_there = run.storage.exists(run.path(GOLD_END_MODEL))
    return read_gold_end_model(run) if is_there and run.config.evaluation.gold_end_model else None


def _comparison(run: Run, tables: dict[str, DataFrame], points: DataFrame) -> Comparison:
    table, settings = run.config.table, run.config.evaluation
    return compare(
        tables,
        points,
        key=table.key,
        gold_column=str(table.gold),
        num_replicates=settings.num_replicates,
        seed=settings.seed,
        cluster=table.cluster,
    )
