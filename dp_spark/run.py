"""A run: one configuration at work in one directory, and the results that its stages read from there.

A result that was made from an earlier version of another one is refused.
"""

from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from dp_spark.checks.columns import gold_columns, refuse_other_columns
from dp_spark.config import PipelineConfig
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.end_model.artifact import EndModel, load_end_model
from dp_spark.end_model.predict import PREDICTIONS_KIND
from dp_spark.errors import ConfigError, MissingResultError
from dp_spark.gold_names import with_gold_votes
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.matrix import LabelMatrix, read_label_matrix
from dp_spark.labels.label import LABELS_KIND
from dp_spark.labels.manifest import ShardManifest
from dp_spark.labels.shards import read_manifest
from dp_spark.lf_list import lfs_of
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.publishing import publish
from dp_spark.references import called, resolve_reference
from dp_spark.source_table import read_source
from dp_spark.stage_names import GOLD_END_MODEL
from dp_spark.storage import Storage, join_path
from dp_spark.table_config import PARQUET, TableConfig
from dp_spark.tables import quoted, read_table, write_table

_HASH_BUCKETS = 1_000_000  # resolution of `test_share`


@dataclass(frozen=True)
class Run:
    """One configuration at work in one directory.

    Attributes:
        storage: the file systems, and the session.
        config: the configuration.
        directory: where results go; usually `config.output`.
        overwrite: whether a stage may replace its own earlier result.
        seconds: wall-clock seconds of the stages that ran, by name; grows as they do.
        lfs: the labeling functions, once `load_lfs` has loaded them.
        schemas: of a table whose files do not tell it, by path, once it is found.
    """

    storage: Storage
    config: PipelineConfig
    directory: str
    overwrite: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    lfs: list[LabelingFunction] = field(default_factory=list)
    schemas: dict[str, StructType] = field(default_factory=dict)

    @property
    def spark(self) -> SparkSession:
        """The session."""
        return self.storage.spark

    @property
    def hidden_columns(self) -> list[str]:
        """The columns that labeling functions never see: the truth, and which rows are judged by it."""
        table = self.config.table
        return [name for name in (table.gold, table.split, self.config.label_model.gold) if name]

    def path(self, name: str) -> str:
        """Where a result lies."""
        return join_path(self.directory, name)


def load_lfs(run: Run) -> list[LabelingFunction]:
    """The labeling functions that [labeling] names; made once per run if it names a function that makes them.

    Raises:
        ConfigError: if the module or the list is not there, or it is no list of labeling functions.
    """
    if not run.lfs:
        run.lfs.extend(lfs_of(run.config.labeling, run.spark))
    return list(run.lfs)


def read_points(run: Run) -> DataFrame:
    """The data points; made by the generator if the table is not there and the configuration names one.

    Raises:
        MissingResultError: if the table is not there.
        SchemaError: if it lacks a column that the configuration names, or is of another format.
    """
    points = made_table(run)
    refuse_other_columns(points, run.config)
    return points


def made_table(run: Run) -> DataFrame:
    """The rows of the table, whichever columns it has; written by the generator if it is not there.

    Raises:
        MissingResultError: if the table is not there, and the configuration names no generator.
        SchemaError: if it is of another format.
    """
    table = run.config.table
    if not run.storage.exists(table.path):
        points = generated_points(run)
        write_table(points, table.path, run.storage, kind="table", description={}, key=table.key)
    return open_table(run)


def open_table(run: Run) -> DataFrame:
    """The rows of the table that is there; the types of CSV and JSON lines are found once per run.

    Raises:
        MissingResultError: if the table is not there.
        SchemaError: if it is of another format.
    """
    table = run.config.table
    if not run.storage.exists(table.path):
        raise MissingResultError(_no_table(table.path))
    known = run.schemas.get(table.path)
    with named_jobs(run.spark, "opening the table"):
        points = read_source(run.spark, table.path, table.source_format, table.ddl, known)
    if table.source_format != PARQUET:
        run.schemas[table.path] = points.schema
    return _with_gold_votes(points, run.config)


def generated_points(run: Run) -> DataFrame:
    """What the generator makes, not written.

    Raises:
        MissingResultError: if the configuration names no generator.
        ConfigError: if it is no function, raises, or returns something else.
    """
    table = run.config.table
    if table.generator is None:
        raise MissingResultError(_no_table(table.path))
    make = resolve_reference(table.generator)
    if not callable(make):
        raise ConfigError(
            f"table.generator: {table.generator} is not a function: expected one that takes a session."
        )
    points = called(make, run.spark, f"table.generator: {table.generator}")
    if not isinstance(points, DataFrame):
        raise ConfigError(
            f"table.generator: {table.generator} returned a {type(points).__name__}: expected a DataFrame."
        )
    return points


def _with_gold_votes(points: DataFrame, config: PipelineConfig) -> DataFrame:
    return with_gold_votes(points, gold_columns(config).values(), config.labeling.classes)


def _no_table(path: str) -> str:
    return f"table.path: {path} is not there. Correct the path, or write the table first."


def points_there(run: Run) -> DataFrame:
    """The data points as they are, for who looks at results: no generator makes them anew; raises as `read_points`."""
    points = open_table(run)
    refuse_other_columns(points, run.config)
    return points


def read_part(run: Run, part: str) -> DataFrame:
    """The data points of the "train" or "test" part; raises as `read_points`."""
    return part_of(read_points(run), run.config.table, part)


def part_of(points: DataFrame, table: TableConfig, part: str) -> DataFrame:
    """Those of the data points that are in the "train" or "test" part."""
    if table.split:
        return points.where(quoted(table.split) == part)
    bucket = F.pmod(F.xxhash64(*map(quoted, table.key)), F.lit(_HASH_BUCKETS))
    is_test = bucket < int(table.test_share * _HASH_BUCKETS)
    return points.where(is_test if part == "test" else ~is_test)


def read_matrix(run: Run) -> LabelMatrix:
    """The label matrix; raises MissingResultError if it is not there."""
    return read_label_matrix(run.storage, run.path("label_matrix"))


def read_counts(run: Run) -> VoteCounts:
    """The vote counts; raises MissingResultError if they are not there or not of the label matrix."""
    counts = VoteCounts.from_bytes(run.storage.read_bytes(run.path("vote_counts.npz")))
    _refuse_stale(
        counts.lf_hashes == read_matrix(run).lf_hashes, "vote_counts.npz", "label_matrix", "count-votes"
    )
    return counts


def read_label_model(run: Run) -> LabelModel:
    """The label model; raises MissingResultError if it is not there."""
    return LabelModel.from_json(run.storage.read_text(run.path("label_model.json")))


def read_labels(run: Run) -> tuple[DataFrame, dict[str, object]]:
    """The label table and its description.

    Raises:
        MissingResultError: if it is not there, or was not made by the label model that is.
    """
    labels, description = read_table(run.storage, run.path("labels"), LABELS_KIND)
    _refuse_stale(
        description["label_model"] == read_label_model(run).model_id, "labels", "label_model.json", "label"
    )
    return labels, description


def read_training_set(run: Run) -> ShardManifest:
    """The manifest; raises MissingResultError if it is not there, or not of the labels that are."""
    manifest = read_manifest(run.storage, run.path("training_set"))
    made_from = read_labels(run)[1]["label_model"]
    _refuse_stale(manifest.label_table_id == made_from, "training_set", "labels", "write-shards")
    return manifest


def read_end_model(run: Run) -> EndModel:
    """The end model; raises MissingResultError if it is not there, or not of the training set that is."""
    model = _load(run, "end_model")
    is_current = model.manifest_digest == read_training_set(run).digest
    _refuse_stale(is_current, "end_model", "training_set", "train-end-model")
    return model


def read_predictions(run: Run) -> DataFrame:
    """The predictions; raises MissingResultError if they are not there, or not of the end model that is."""
    predictions, description = read_table(run.storage, run.path("predictions"), PREDICTIONS_KIND)
    _refuse_stale(
        description["end_model"] == read_end_model(run).digest, "predictions", "end_model", "predict"
    )
    return predictions


def read_gold_end_model(run: Run) -> EndModel:
    """The end model that was trained on gold; raises as `read_end_model`, and if that is trained otherwise now."""
    model, end_model = _load(run, GOLD_END_MODEL), read_end_model(run)
    is_current = (model.settings, model.columns) == (end_model.settings, end_model.columns)
    _refuse_stale(is_current, GOLD_END_MODEL, "end_model", "train-gold-model")
    return model


def publish_file(run: Run, name: str, content: bytes) -> None:
    """Write one of the run's results that is a file."""
    with publish(run.storage, run.path(name), overwrite=run.overwrite) as staged:
        run.storage.write_bytes(staged, content)


def publish_table(run: Run, name: str, df: DataFrame, kind: str, description: dict[str, object]) -> None:
    """Write one of the run's results that is a table; `kind` and `description` as of `write_table`."""
    key, path = run.config.table.key, run.path(name)
    write_table(df, path, run.storage, kind=kind, description=description, key=key, overwrite=run.overwrite)


def _load(run: Run, name: str) -> EndModel:
    """An end model of the run, whose own layers may come from the module that the configuration names."""
    return load_end_model(run.storage, run.path(name), model=run.config.end_model.model)


def _refuse_stale(is_current: bool, result: str, made_from: str, verb: str) -> None:
    if not is_current:
        raise MissingResultError(
            f"{result} was made from an earlier {made_from}: run `{verb} --overwrite` and the "
            "stages after it again."
        )
