"""The training set as Parquet shards that TensorFlow workers read without Spark.

Rows lie in the total order of a hash of their key and the seed: shuffled once, the same way whatever
the partitioning, and never by `rand()`, whose values change when a lost task runs again.
(docs/training.md)
"""

import logging
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, FloatType, StructField, StructType

from dp_spark.errors import MissingResultError, OutputExistsError, SchemaError
from dp_spark.labels.inputs import input_column, kind_and_columns, num_features_of
from dp_spark.labels.label import NUM_VOTES
from dp_spark.labels.manifest import (
    LABEL_COLUMN,
    MANIFEST_FILE,
    SHARDS_FOLDER,
    ShardFile,
    ShardManifest,
)
from dp_spark.labels.shard_rows import INPUT, LABEL, RowCheck
from dp_spark.storage import Storage, join_path
from dp_spark.tables import map_batches, quoted, refuse_missing_columns, refuse_reserved_keys
from dp_spark.worker_errors import translated_errors

logger = logging.getLogger(__name__)

ROW_GROUP_BYTES = 16 << 20  # smaller than Spark's 128 MB: finer shuffling, less memory per reader


def write_shards(
    data_points: DataFrame,
    labels: DataFrame,
    path: str,
    *,
    key: Sequence[str],
    storage: Storage,
    features: Sequence[str] | None = None,
    text: str | None = None,
    num_shards: int = 8,
    seed: int = 0,
    label_column: str = LABEL_COLUMN,
    drop_uncovered: bool = True,
    label_table_id: str | None = None,
) -> ShardManifest:
    """Join data points to their labels and write the training set; its manifest is written last.

    Args:
        data_points: the source table.
        labels: a label table: key, P(y=+1), and optionally `num_votes`.
        path: a directory; "shards" in it must not be there yet.
        key: the columns that identify a data point in both tables.
        storage: the file systems.
        features: one array<numeric> column or several numeric columns. Either this or `text`.
        text: one string column.
        num_shards: how many files to write at most, at least 1.
        seed: of the row order.
        label_column: the labels' column, values in [0, 1].
        drop_uncovered: leave out data points with `num_votes` 0, if the labels have that column.
        label_table_id: recorded in the manifest.

    Raises:
        SchemaError: naming column, row and value, if a feature is null, not finite, or of another width
            than the first; a label is null or outside [0, 1]; a key occurs twice; or no row is left.
        OutputExistsError: if shards are there already.
    """
    kind, columns = kind_and_columns(features, text)
    if num_shards < 1:
        raise ValueError(f"num_shards is {num_shards}: expected at least 1.")
    num_features = num_features_of(data_points, columns) if kind == "features" else 0
    check = RowCheck(kind, num_features, columns, label_column, tuple(key))
    joined = _joined(data_points, labels, check)
    num_uncovered = 0
    if drop_uncovered and NUM_VOTES in labels.columns:
        num_uncovered = joined.where(F.col(NUM_VOTES) == 0).count()
        joined = joined.where(F.col(NUM_VOTES) != 0)
    files = _write_files(storage, path, _checked(_ordered(joined, key, num_shards, seed), check))
    if not files:
        storage.delete(join_path(path, SHARDS_FOLDER))
        raise SchemaError(_no_rows(num_uncovered))
    manifest = ShardManifest(
        path=path,
        kind=kind,
        columns=columns,
        num_features=num_features,
        num_data_points=sum(file.num_data_points for file in files),
        num_uncovered=num_uncovered,
        seed=seed,
        key=tuple(key),
        files=files,
        label_table_id=label_table_id,
    )
    storage.write_text(join_path(path, MANIFEST_FILE), manifest.to_json())
    counts = (manifest.num_data_points, num_uncovered, len(files))
    logger.info("wrote shards: n=%d uncovered=%d files=%d to %s", *counts, path)
    return manifest


def read_manifest(storage: Storage, path: str) -> ShardManifest:
    """The manifest of the training set at `path`.

    Raises:
        MissingResultError: if there is none, or its write did not finish.
        SchemaError: if the file is not a manifest of this version.
    """
    file = join_path(path, MANIFEST_FILE)
    if not storage.exists(file):
        raise MissingResultError(
            f"{path} holds no complete training set: {MANIFEST_FILE}, which is written last, is not there. "
            "Run the stage that writes the shards."
        )
    return ShardManifest.from_json(storage.read_text(file), path)


def _joined(data_points: DataFrame, labels: DataFrame, check: RowCheck) -> DataFrame:
    key, label_column = check.key, check.label_column
    refuse_missing_columns(data_points, {"the join": key}, "the table of data points")
    refuse_missing_columns(labels, {"the join": key, "training": [label_column]}, "the label table")
    if isinstance(labels.schema[label_column].dataType, ArrayType):
        raise SchemaError(
            f"the label column {label_column!r} holds one probability per class: end models of more than two "
            "classes are not supported yet. Train on a column with P(y=+1) of one class against the rest."
        )
    keys = [quoted(name) for name in key]
    votes = [quoted(NUM_VOTES)] if NUM_VOTES in labels.columns else []
    inputs = data_points.select(*keys, input_column(data_points, check.kind, check.columns).alias(INPUT))
    wanted = labels.select(*keys, quoted(label_column).cast("double").alias(LABEL), *votes)
    return inputs.join(wanted, on=list(key), how="inner")


def _ordered(joined: DataFrame, key: Sequence[str], num_shards: int, seed: int) -> DataFrame:
    keys = [quoted(name) for name in key]
    order = [F.xxhash64(*keys, F.lit(seed)), *keys]
    rows = joined.repartitionByRange(num_shards, *order).sortWithinPartitions(*order)
    return rows.select(*keys, INPUT, LABEL)


def _checked(rows: DataFrame, check: RowCheck) -> DataFrame:
    """The shards' rows; the pass that checks them runs after the shuffle and keeps their order."""
    refuse_reserved_keys(check.key, (check.input_name, LABEL_COLUMN))
    fields = [rows.schema[name] for name in check.key]
    input_type = BinaryType() if check.kind == "features" else rows.schema[INPUT].dataType
    fields += [StructField(check.input_name, input_type), StructField(LABEL_COLUMN, FloatType())]
    return map_batches(rows, check.batch_pass(), StructType(fields))


def _write_files(storage: Storage, path: str, rows: DataFrame) -> tuple[ShardFile, ...]:
    shards = join_path(path, SHARDS_FOLDER)
    if storage.exists(shards):
        raise OutputExistsError(f"{shards} is there already. Choose another directory, or delete it.")
    try:
        with translated_errors():
            rows.write.option("parquet.block.size", ROW_GROUP_BYTES).parquet(shards)
        return _file_sizes(storage, shards)
    except BaseException:
        storage.delete(shards)
        raise


def _file_sizes(storage: Storage, shards: str) -> tuple[ShardFile, ...]:
    written = storage.spark.read.parquet(shards)
    counts = written.groupBy(F.col("_metadata.file_name").alias("name")).count()
    rows = counts.collect()  # at most num_shards rows
    files = [ShardFile(row["name"], row["count"]) for row in rows]
    return tuple(sorted(files, key=lambda file: file.name))


def _no_rows(num_uncovered: int) -> str:
    reason = (
        f"all {num_uncovered} data points that have a label are without a vote"
        if num_uncovered
        else "no data point has a row in the label table"
    )
    return (
        f"the training set is empty: {reason}. Write labeling functions that vote on more data points, or "
        "check that both tables have the same keys."
    )
