"""The stages of a pipeline on a user's table: each reads results from the run's directory and adds one.

A result appears only when it is complete, so a run that failed can go on after its last complete stage.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from dp_spark.config import PipelineConfig
from dp_spark.counting.count import count_votes
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.end_model.artifact import load_end_model, save_end_model
from dp_spark.end_model.predict import predict
from dp_spark.end_model.train import train_end_model
from dp_spark.errors import ConfigError, DpSparkError, MissingResultError
from dp_spark.label_model.fit import fit_label_model
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import LabelingFunction
from dp_spark.labeling.matrix import LabelMatrix, read_label_matrix, write_label_matrix
from dp_spark.labels.label import label
from dp_spark.labels.shards import read_manifest, write_shards
from dp_spark.references import import_module, resolve_reference
from dp_spark.report.evaluate import evaluate
from dp_spark.report.metrics import pipeline_metrics
from dp_spark.session import stage
from dp_spark.storage import Storage, join_path, publish, refuse_existing
from dp_spark.tables import quoted, read_table, refuse_missing_columns, write_table

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"  # what the results of a directory were made from
LABELS_KIND = "label table"
PREDICTIONS_KIND = "table of predictions"
_MAY_RESUME = "the stages before it are complete: correct the cause and pass --resume"
_OLDER_KEPT = "the older results are as they were: correct the cause and run again"
_HASH_BUCKETS = 1_000_000  # resolution of `test_share`


@dataclass(frozen=True)
class Run:
    """One configuration at work in one directory.

    Attributes:
        storage: the file systems, and the session.
        config: the configuration.
        directory: where results go; usually `config.output`.
        overwrite: whether a stage may replace its own earlier result.
    """

    storage: Storage
    config: PipelineConfig
    directory: str
    overwrite: bool = False

    @property
    def spark(self) -> SparkSession:
        """The session."""
        return self.storage.spark

    def path(self, name: str) -> str:
        """Where a result lies."""
        return join_path(self.directory, name)


def run_apply_lfs(run: Run) -> None:
    """From table to label_matrix."""
    config = run.config
    points = read_points(run)
    hidden = [name for name in (config.table.gold, config.table.split) if name]
    matrix = apply_lfs(
        points.drop(*hidden), load_lfs(config), key=config.table.key, num_classes=config.labeling.num_classes
    )
    write_label_matrix(matrix, run.path("label_matrix"), run.storage, overwrite=run.overwrite)


def run_count_votes(run: Run) -> None:
    """From label_matrix to vote_counts.npz."""
    counts = count_votes(_matrix(run))
    with publish(run.storage, run.path("vote_counts.npz"), overwrite=run.overwrite) as staged:
        run.storage.write_bytes(staged, counts.to_bytes())


def run_fit_label_model(run: Run) -> None:
    """From vote_counts.npz to label_model.json."""
    settings = run.config.label_model
    model = fit_label_model(_counts(run), settings.model, settings.class_balance)
    with publish(run.storage, run.path("label_model.json"), overwrite=run.overwrite) as staged:
        run.storage.write_text(staged, model.to_json())


def run_label(run: Run) -> None:
    """From label_matrix, label_model.json to labels."""
    model = _label_model(run)
    write_table(
        label(_matrix(run), model),
        run.path("labels"),
        run.storage,
        kind=LABELS_KIND,
        description={"label_model": model.model_id},
        key=run.config.table.key,
        overwrite=run.overwrite,
    )


def run_write_shards(run: Run) -> None:
    """From table, labels to training_set: the rows of the training part that have a vote."""
    settings, key = run.config.training_set, run.config.table.key
    labels, description = _labels(run)
    with publish(run.storage, run.path("training_set"), overwrite=run.overwrite) as staged:
        write_shards(
            _part(run, "train"),
            labels,
            staged,
            key=key,
            storage=run.storage,
            features=settings.features,
            text=settings.text,
            num_shards=settings.num_shards,
            seed=settings.seed,
            label_table_id=str(description["label_model"]),
        )


def run_train_end_model(run: Run) -> None:
    """From training_set to end_model."""
    manifest = read_manifest(run.storage, run.path("training_set"))
    model = train_end_model(run.spark, manifest, run.config.end_model.settings(), storage=run.storage)
    with publish(run.storage, run.path("end_model"), overwrite=run.overwrite) as staged:
        save_end_model(run.storage, staged, model)


def run_predict(run: Run) -> None:
    """From table, end_model to predictions: of every data point."""
    model = load_end_model(run.storage, run.path("end_model"))
    write_table(
        predict(read_points(run), model, key=run.config.table.key),
        run.path("predictions"),
        run.storage,
        kind=PREDICTIONS_KIND,
        description={},
        key=run.config.table.key,
        overwrite=run.overwrite,
    )


def run_evaluate(run: Run, seconds: dict[str, float] | None = None) -> None:
    """From all results to metrics.json; scores only where the table has a gold column.

    Args:
        run: the run.
        seconds: per stage, for the metrics.
    """
    table = run.config.table
    reports = {}
    if table.gold:
        majority = label(_matrix(run), fit_label_model(_counts(run), "majority_vote"))
        predictions, _ = read_table(run.storage, run.path("predictions"), PREDICTIONS_KIND)
        tables = {"majority_vote": majority, "labels": _labels(run)[0], "end_model": predictions}
        parts = {"all": read_points(run), "test": _part(run, "test")}
        for part, points in parts.items():
            gold = points.select(*map(quoted, table.key), quoted(table.gold))
            for name, labels in tables.items():
                rows = labels.join(gold.select(*map(quoted, table.key)), on=list(table.key), how="left_semi")
                reports[f"{part}.{name}"] = evaluate(rows, gold, key=table.key, gold_column=table.gold)
    metrics = pipeline_metrics(_counts(run), _label_model(run), reports, seconds or {})
    with publish(run.storage, run.path("metrics.json"), overwrite=run.overwrite) as staged:
        run.storage.write_text(staged, json.dumps(metrics, indent=2, allow_nan=False) + "\n")


STAGES: dict[str, tuple[Callable[[Run], None], str]] = {
    "apply-lfs": (run_apply_lfs, "label_matrix"),
    "count-votes": (run_count_votes, "vote_counts.npz"),
    "fit-label-model": (run_fit_label_model, "label_model.json"),
    "label": (run_label, "labels"),
    "write-shards": (run_write_shards, "training_set"),
    "train-end-model": (run_train_end_model, "end_model"),
    "predict": (run_predict, "predictions"),
    "evaluate": (run_evaluate, "metrics.json"),
}


def run_stage(run: Run, name: str) -> None:
    """Run one stage; its inputs must be there.

    Raises:
        OutputExistsError: if its result is there and may not be replaced.
        MissingResultError: if an input is not there.
    """
    function, output = STAGES[name]
    refuse_existing(run.storage, run.path(output), run.overwrite)
    with stage(run.spark, name, {}):
        function(run)


def run_pipeline(run: Run, *, resume: bool = False) -> dict[str, object]:
    """Run all stages and return the metrics.

    A new run writes its results to the directory one by one, as they are complete. With `run.overwrite`,
    the old results stay until the new ones are all there.

    Args:
        run: the run; its directory must not be there yet, unless it overwrites or resumes.
        resume: go on after the complete stages of an earlier run with the same configuration and LFs.

    Raises:
        OutputExistsError: if the directory is there.
        ConfigError: if configuration or LFs changed since the run that is to be resumed.
        DpSparkError: whatever a stage raises.
    """
    if resume:
        _check_same_run(run)
        return _run_stages(run)
    refuse_existing(run.storage, run.directory, run.overwrite)
    if not run.storage.exists(run.directory):
        return _run_stages(run)
    with publish(run.storage, run.directory, overwrite=True) as staged:
        return _run_stages(Run(run.storage, run.config, staged), if_failed=_OLDER_KEPT)


def _run_stages(run: Run, if_failed: str = _MAY_RESUME) -> dict[str, object]:
    run.storage.write_text(run.path(RUN_FILE), json.dumps(_made_from(run.config), indent=2) + "\n")
    seconds: dict[str, float] = {}
    for name, (function, output) in STAGES.items():
        if run.storage.exists(run.path(output)):
            logger.info("skipped %s: %s is there", name, output)
            continue
        try:
            with stage(run.spark, name, seconds):
                function(run) if function is not run_evaluate else run_evaluate(run, seconds)
        except DpSparkError:
            logger.error("stage %s failed; %s", name, if_failed)
            raise
    metrics: dict[str, object] = json.loads(run.storage.read_text(run.path("metrics.json")))
    return metrics


def load_lfs(config: PipelineConfig) -> list[LabelingFunction]:
    """The labeling functions that [labeling] names.

    Raises:
        ConfigError: if the module or the list is not there, or it is no list of labeling functions.
    """
    import_module(config.labeling.module)
    reference = f"{config.labeling.module}:{config.labeling.lfs}"
    lfs = resolve_reference(reference)
    if not isinstance(lfs, (list, tuple)) or not all(isinstance(lf, LabelingFunction) for lf in lfs):
        raise ConfigError(
            f"labeling.lfs: {reference} is a {type(lfs).__name__}: expected a list of functions with "
            "@labeling_function above their definitions."
        )
    return list(lfs)


def read_points(run: Run) -> DataFrame:
    """The data points; made by the generator if the table is not there and the configuration names one.

    Raises:
        MissingResultError: if the table is not there.
        SchemaError: if it lacks a column that the configuration names.
    """
    table = run.config.table
    if not run.storage.exists(table.path):
        if table.generator is None:
            raise MissingResultError(
                f"table.path: {table.path} is not there. Correct the path, or write the table first."
            )
        make = resolve_reference(table.generator)
        if not callable(make):
            raise ConfigError(
                f"table.generator: {table.generator} is not a function: expected one that takes a session."
            )
        write_table(make(run.spark), table.path, run.storage, kind="table", description={}, key=table.key)
    points = run.spark.read.parquet(table.path)
    extra = [name for name in (table.gold, table.split) if name]
    refuse_missing_columns(points, {"table.key": table.key, "table.gold or table.split": extra}, table.path)
    return points


def _part(run: Run, part: str) -> DataFrame:
    """The data points of the "train" or "test" part."""
    points, table = read_points(run), run.config.table
    if table.split:
        return points.where(quoted(table.split) == part)
    bucket = F.pmod(F.xxhash64(*map(quoted, table.key)), F.lit(_HASH_BUCKETS))
    is_test = bucket < int(table.test_share * _HASH_BUCKETS)
    return points.where(is_test if part == "test" else ~is_test)


def _matrix(run: Run) -> LabelMatrix:
    return read_label_matrix(run.storage, run.path("label_matrix"))


def _counts(run: Run) -> VoteCounts:
    counts = VoteCounts.from_bytes(run.storage.read_bytes(run.path("vote_counts.npz")))
    _refuse_stale(
        counts.lf_hashes == _matrix(run).lf_hashes, "vote_counts.npz", "label_matrix", "count-votes"
    )
    return counts


def _label_model(run: Run) -> LabelModel:
    return LabelModel.from_json(run.storage.read_text(run.path("label_model.json")))


def _labels(run: Run) -> tuple[DataFrame, dict[str, object]]:
    labels, description = read_table(run.storage, run.path("labels"), LABELS_KIND)
    _refuse_stale(
        description["label_model"] == _label_model(run).model_id, "labels", "label_model.json", "label"
    )
    return labels, description


def _refuse_stale(is_current: bool, result: str, made_from: str, verb: str) -> None:
    if not is_current:
        raise MissingResultError(
            f"{result} was made from an earlier {made_from}: run `{verb} --overwrite` and the "
            "stages after it again."
        )


def _made_from(config: PipelineConfig) -> dict[str, object]:
    """What decides the results, apart from the rows of the table."""
    content = config.model_dump(mode="json", exclude={"output"})
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {"config": digest, "lfs": {lf.name: lf.content_hash for lf in load_lfs(config)}}


def _check_same_run(run: Run) -> None:
    if not run.storage.exists(run.path(RUN_FILE)):
        raise MissingResultError(
            f"{run.directory} holds no run to resume: {RUN_FILE} is not there. Run without --resume."
        )
    earlier = json.loads(run.storage.read_text(run.path(RUN_FILE)))
    now = _made_from(run.config)
    changed = [name for name in now if earlier.get(name) != now[name]]
    if changed:
        raise ConfigError(
            f"the {' and '.join(changed)} changed since the run in {run.directory}: its results cannot be "
            "continued. Start again with --overwrite, or choose another output."
        )
