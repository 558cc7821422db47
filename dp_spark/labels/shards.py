"""The training set as Parquet shards that TensorFlow workers read without Spark.

Rows lie in the total order of a hash of their key and the seed: shuffled once, the same way whatever
the partitioning, and never by `rand()`, whose values change when a lost task runs again.
(docs/training.md)
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ArrayType, BinaryType, DataType, FloatType, StringType, StructField, StructType

from dp_spark.errors import MissingResultError, SchemaError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.inputs import with_feature_widths
from dp_spark.labels.labelled_rows import Plan, Selection, content_id, labelled_rows, ordered, plan_rows
from dp_spark.labels.manifest import LABEL_COLUMN, MANIFEST_FILE, SHARDS_FOLDER, ShardManifest
from dp_spark.labels.shard_description import describe_shards
from dp_spark.labels.shard_rows import RowCheck
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.publishing import publish, refuse_existing
from dp_spark.storage import Storage, join_path
from dp_spark.tables import map_batches, refuse_reserved_keys
from dp_spark.worker_errors import translated_errors

logger = logging.getLogger(__name__)

_PARQUET = {
    "parquet.block.size": str(
        1 << 20
    ),  # a reader takes a row group at a time: Spark's 128 MB would be too many
    "parquet.enable.dictionary#features": "false",  # no two vectors are equal: reading took a quarter longer with it
}


def write_shards(
    data_points: DataFrame,
    labels: DataFrame,
    path: str,
    *,
    key: Sequence[str],
    storage: Storage,
    features: Sequence[str] | None = None,
    text: str | None = None,
    categories: Sequence[str] | None = None,
    num_shards: int | None = None,
    num_workers: int = 1,
    seed: int = 0,
    label_column: str = LABEL_COLUMN,
    drop_uncovered: bool = True,
    min_confidence: float = 0.0,
    weight: str | None = None,
    standardize: bool = False,
    class_names: Sequence[str] = (),
    label_table_id: str | None = None,
    overwrite: bool = False,
    reuse: bool = False,
) -> ShardManifest:
    """Join data points to their labels and publish the training set at `path`; its manifest is written last.

    A failure leaves what was at `path` as it was.

    Args:
        data_points: the source table.
        labels: a label table: key, probabilities, and optionally `num_votes`.
        path: a directory.
        key: the columns that identify a data point in both tables.
        storage: the file systems.
        features: array<numeric> columns and numeric columns, in any mixture, which form one vector.
        text: one string column.
        categories: string, boolean and integer columns whose values are categories. At least one of the
            three must be given.
        num_shards: how many files to write at most; by default as many as `num_workers`, or more if a
            file would hold more than `SHARD_BYTES`.
        num_workers: how many training processes will read it.
        seed: of the row order.
        label_column: the labels' column: P(y=+1), or an array with a probability for each of k classes.
        drop_uncovered: leave out data points with `num_votes` 0, if the labels have that column.
        min_confidence: leave out data points whose largest class probability is below this.
        weight: a numeric column of either table that weighs the rows; rows of weight 0 are left out.
        standardize: compute the features' moments, with which the built-in models standardize them.
        class_names: of the classes in their order, where they have names.
        label_table_id: recorded in the manifest.
        overwrite: replace what is at `path`.
        reuse: return the training set at `path` if it was written with `reuse` from the same rows and
            settings, else replace it. Comparing the rows costs one pass over them.

    Raises:
        ValueError: naming an argument that is out of range.
        SchemaError: naming column, row and value, if an input is null, not finite, or of another width
            than the first; a label is not a probability, or a weight not a number of 0 or more; a key
            occurs twice; or no row is left.
        OutputExistsError: if something is at `path` and may not be replaced.
    """
    inputs = with_feature_widths(data_points, InputColumns.of(features, text, categories))
    selection = Selection(tuple(key), label_column, drop_uncovered, min_confidence, weight)
    refuse_existing(storage, path, overwrite or reuse)
    rows, num_classes = labelled_rows(data_points, labels, inputs, selection)
    _refuse_class_names(class_names, num_classes)
    check = RowCheck(inputs, num_classes, label_column, weight, tuple(key))
    empty = _empty_manifest(path, rows, check, seed, class_names, label_table_id)
    if reuse:
        settings = (selection, num_shards, num_workers, standardize)
        empty = replace(empty, content_id=content_id(rows, f"{empty.to_json()} {settings}"))
        found = _complete(storage, empty)
        if found:
            logger.info("reused shards: n=%d in %s", found.num_data_points, path)
            return found
    plan = plan_rows(rows, inputs, selection, num_shards, num_workers)
    with publish(storage, path, overwrite=overwrite or reuse) as staged:
        manifest = _write(storage, staged, plan, check, empty, with_moments=standardize and bool(features))
    counts = (manifest.num_data_points, manifest.num_uncovered, len(manifest.files))
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


def read_shards(spark: SparkSession, manifest: ShardManifest) -> DataFrame:
    """All rows of a training set, as its shards have them."""
    with named_jobs(spark, "opening the training set"):
        return spark.read.parquet(join_path(manifest.path, SHARDS_FOLDER))


def _empty_manifest(
    path: str,
    rows: DataFrame,
    check: RowCheck,
    seed: int,
    class_names: Sequence[str],
    label_table_id: str | None,
) -> ShardManifest:
    """What is known of a training set before its rows are counted and written."""
    refuse_reserved_keys(check.key, check.added)
    return ShardManifest(
        path=path,
        inputs=check.inputs,
        num_classes=check.num_classes,
        num_data_points=0,
        seed=seed,
        key=check.key,
        schema=tuple((field.name, field.dataType.simpleString()) for field in _schema(rows, check)),
        files=(),
        weight=check.weight,
        class_names=tuple(class_names),
        label_table_id=label_table_id,
    )


def _write(
    storage: Storage,
    staged: str,
    plan: Plan,
    check: RowCheck,
    empty: ShardManifest,
    *,
    with_moments: bool,
) -> ShardManifest:
    """Write shards and, last, their manifest."""
    shards = join_path(staged, SHARDS_FOLDER)
    checked = map_batches(ordered(plan, check.key, empty.seed), check.batch_pass(), _schema(plan.rows, check))
    with translated_errors(), named_jobs(storage.spark, "writing the shards"):
        checked.write.options(**_PARQUET).parquet(shards)
    files, moments = describe_shards(storage, shards, check.inputs, with_moments=with_moments)
    _refuse_lost_rows(sum(file.num_data_points for file in files), plan)
    manifest = replace(
        empty, num_data_points=plan.num_rows, files=files, filters=plan.filters, moments=moments
    )
    storage.write_text(join_path(staged, MANIFEST_FILE), manifest.to_json())
    return manifest


def _complete(storage: Storage, wanted: ShardManifest) -> ShardManifest | None:
    """The training set at the wanted one's path, if it is complete and of the same content."""
    try:
        found = read_manifest(storage, wanted.path)
    except (MissingResultError, SchemaError):
        return None
    names = storage.list_names(join_path(wanted.path, SHARDS_FOLDER))
    is_whole = {file.name for file in found.files} <= set(names)
    return found if found.content_id == wanted.content_id and is_whole else None


def _schema(rows: DataFrame, check: RowCheck) -> StructType:
    label_type = FloatType() if check.num_classes == 2 else ArrayType(FloatType(), containsNull=False)
    types: dict[str, DataType] = {
        "features": BinaryType(),
        "text": StringType(),
        "categories": ArrayType(StringType(), containsNull=False),
        LABEL_COLUMN: label_type,
    }
    fields = [StructField(name, types.get(name, FloatType())) for name in check.added]
    return StructType([*(rows.schema[name] for name in check.key), *fields])


def _refuse_class_names(class_names: Sequence[str], num_classes: int) -> None:
    if class_names and len(class_names) != num_classes:
        raise SchemaError(
            f"class_names are {list(class_names)} and the labels are of {num_classes} classes: expected as many "
            "names. Name every class, or none."
        )


def _refuse_lost_rows(num_written: int, plan: Plan) -> None:
    if num_written != plan.num_rows:
        raise SchemaError(
            f"the shards hold {num_written} rows of {plan.num_rows} counted before: expected all. The tables "
            "changed while the training set was written, or do not give the same rows twice. Write them to "
            "storage first, then run again."
        )
