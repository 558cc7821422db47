import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from dp_spark.errors import MissingResultError, OutputExistsError, SchemaError
from dp_spark.labels.features import unpack_features
from dp_spark.labels.manifest import ShardManifest, plan_row_ranges
from dp_spark.labels.shards import read_manifest, write_shards
from dp_spark.storage import Storage

NUM_ROWS = 60


def vectors(spark: SparkSession, rows: Sequence[tuple[int, object]]) -> DataFrame:
    return spark.createDataFrame(rows, "id long, x array<double>")


def labels(spark: SparkSession, rows: Sequence[tuple[int, object]]) -> DataFrame:
    return spark.createDataFrame(rows, "id long, prob_label double")


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> DataFrame:
    return vectors(spark, [(i, [float(i), i / 2]) for i in range(NUM_ROWS)])


@pytest.fixture(scope="module")
def label_table(spark: SparkSession) -> DataFrame:
    rows = [(i, i / NUM_ROWS, 0 if i % 6 == 0 else 2) for i in range(NUM_ROWS)]
    return spark.createDataFrame(rows, "id long, prob_label double, num_votes int")


def ids_in_order(manifest: ShardManifest) -> list[int]:
    return [i for file in manifest.files for i in pq.read_table(manifest.file_path(file))["id"].to_pylist()]


def test_shards_hold_every_covered_row_once_and_count_the_others(
    table: DataFrame, label_table: DataFrame, storage: Storage, tmp_path: Path
) -> None:
    path = str(tmp_path / "set")
    manifest = write_shards(
        table, label_table, path, key=["id"], features=["x"], storage=storage, num_shards=3
    )
    assert sorted(ids_in_order(manifest)) == [i for i in range(NUM_ROWS) if i % 6]
    assert (manifest.num_data_points, manifest.num_uncovered, manifest.num_features) == (50, 10, 2)
    assert len(manifest.files) == 3
    assert manifest.schema == (("id", "bigint"), ("features", "binary"), ("prob_label", "float"))
    for file in manifest.files:
        content = Path(manifest.file_path(file)).read_bytes()
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert file.input_bytes == file.num_data_points * 2 * 4
    assert read_manifest(storage, path) == manifest


def test_shards_are_packed_float32_that_needs_no_spark(
    table: DataFrame, label_table: DataFrame, storage: Storage, tmp_path: Path
) -> None:
    path = str(tmp_path / "set")
    manifest = write_shards(table, label_table, path, key=["id"], features=["x"], storage=storage)
    for file in manifest.files:
        rows = pq.read_table(manifest.file_path(file)).combine_chunks()
        assert rows.num_rows == file.num_data_points
        ids = rows["id"].to_numpy()
        matrix = unpack_features(rows["features"].chunk(0).slice(1), 2)  # a slice: the offset counts
        np.testing.assert_array_equal(matrix, np.stack([ids[1:], ids[1:] / 2], axis=1))
        np.testing.assert_allclose(rows["prob_label"].to_numpy(), ids / NUM_ROWS, rtol=1e-6)


def test_row_order_depends_on_the_seed_and_not_on_the_partitioning(
    table: DataFrame, label_table: DataFrame, storage: Storage, tmp_path: Path
) -> None:
    def order(num_partitions: int, seed: int) -> list[int]:
        path = str(tmp_path / f"{num_partitions} partitions, seed {seed}")
        shuffled = table.repartition(num_partitions)
        manifest = write_shards(
            shuffled, label_table, path, key=["id"], features=["x"], storage=storage, num_shards=3, seed=seed
        )
        return ids_in_order(manifest)

    one = order(1, 0)
    assert one == order(7, 0)
    assert one != sorted(one)
    assert one != order(1, 1)


def test_several_columns_become_one_vector(spark: SparkSession, storage: Storage, tmp_path: Path) -> None:
    table = spark.createDataFrame([(1, 2, 3.5, True)], "id long, a int, b double, c boolean")
    manifest = write_shards(
        table, labels(spark, [(1, 1.0)]), str(tmp_path), key=["id"], features=["a", "b", "c"], storage=storage
    )
    packed = pq.read_table(manifest.file_path(manifest.files[0]))["features"].chunk(0)
    assert unpack_features(packed, manifest.num_features).tolist() == [[2.0, 3.5, 1.0]]


def test_text_stays_text(spark: SparkSession, storage: Storage, tmp_path: Path) -> None:
    table = spark.createDataFrame([("a", "free money"), ("b", "")], "id string, comment string")
    label_table = spark.createDataFrame([("a", 0.5), ("b", 1.0)], "id string, prob_label double")
    manifest = write_shards(table, label_table, str(tmp_path), key=["id"], text="comment", storage=storage)
    rows = [r for f in manifest.files for r in pq.read_table(manifest.file_path(f)).to_pylist()]
    assert sorted((r["id"], r["text"], r["prob_label"]) for r in rows) == [
        ("a", "free money", 0.5),
        ("b", "", 1.0),
    ]
    assert (manifest.inputs.parts, manifest.num_features, manifest.row_bytes) == (("text",), 0, 10 / 2)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, r"'x' is null for the data point \{'id': 2\}: expected 2 values"),
        ([1.0], r"'x' has 1 values for the data point \{'id': 2\}: expected 2 values"),
        ([1.0, None], r"'x' holds null at position 1 for the data point \{'id': 2\}"),
        ([float("nan"), 1.0], r"'x' holds nan at position 0 for the data point \{'id': 2\}"),
        ([float("inf"), 1.0], r"'x' holds inf at position 0"),
    ],
)
def test_bad_features_are_refused_by_column_row_and_value(
    spark: SparkSession, storage: Storage, tmp_path: Path, bad: object, message: str
) -> None:
    table = vectors(spark, [(1, [1.0, 2.0]), (2, bad), (3, [1.0, 2.0])])
    label_table = labels(spark, [(i, 0.5) for i in (1, 2, 3)])
    with pytest.raises(SchemaError, match=message):
        write_shards(table, label_table, str(tmp_path / "s"), key=["id"], features=["x"], storage=storage)
    assert not (tmp_path / "s" / "shards").exists()
    with pytest.raises(MissingResultError, match="holds no complete training set"):
        read_manifest(storage, str(tmp_path / "s"))


@pytest.mark.parametrize("bad", [None, float("nan"), 1.5, -0.1])
def test_bad_labels_are_refused(spark: SparkSession, storage: Storage, tmp_path: Path, bad: object) -> None:
    table = vectors(spark, [(1, [1.0]), (2, [2.0])])
    with pytest.raises(
        SchemaError, match=r"'prob_label' is .* \{'id': 2\}: expected a probability in \[0, 1\]"
    ):
        write_shards(
            table,
            labels(spark, [(1, 0.5), (2, bad)]),
            str(tmp_path),
            key=["id"],
            features=["x"],
            storage=storage,
        )


def test_repeated_keys_null_texts_and_other_classes_are_refused(
    spark: SparkSession, storage: Storage, tmp_path: Path
) -> None:
    path, two = str(tmp_path), labels(spark, [(1, 0.5), (2, 0.5)])
    repeated = vectors(spark, [(1, [1.0]), (2, [2.0]), (2, [3.0])])
    with pytest.raises(SchemaError, match=r"\{'id': 2\} occurs more than once"):
        write_shards(repeated, two, path, key=["id"], features=["x"], storage=storage)
    texts = spark.createDataFrame([(1, "a"), (2, None)], "id long, t string")
    with pytest.raises(SchemaError, match=r"text column 't' is null for the data point \{'id': 2\}"):
        write_shards(texts, two, path, key=["id"], text="t", storage=storage)
    classes = spark.createDataFrame([(1, [0.5, 0.5])], "id long, prob_label array<double>")
    with pytest.raises(SchemaError, match=r"holds arrays of 2 probabilities: expected more than two"):
        write_shards(texts, classes, path, key=["id"], text="t", storage=storage)


def test_an_empty_training_set_is_refused(spark: SparkSession, storage: Storage, tmp_path: Path) -> None:
    table = vectors(spark, [(1, [1.0])])
    uncovered = spark.createDataFrame([(1, 0.5, 0)], "id long, prob_label double, num_votes int")
    with pytest.raises(SchemaError, match="all 1 data points that have a label are without a vote"):
        write_shards(table, uncovered, str(tmp_path), key=["id"], features=["x"], storage=storage)
    with pytest.raises(SchemaError, match="no data point has a row in the label table"):
        write_shards(
            table, labels(spark, [(9, 0.5)]), str(tmp_path), key=["id"], features=["x"], storage=storage
        )


def test_wrong_calls_are_refused(
    table: DataFrame, label_table: DataFrame, spark: SparkSession, storage: Storage, tmp_path: Path
) -> None:
    path = str(tmp_path)
    with pytest.raises(ValueError, match="expected at least one column"):
        write_shards(table, label_table, path, key=["id"], storage=storage)
    with pytest.raises(ValueError, match="expected a list of column names"):
        write_shards(table, label_table, path, key=["id"], features="x", storage=storage)
    with pytest.raises(SchemaError, match="'y'"):
        write_shards(table, label_table, path, key=["id"], features=["y"], storage=storage)
    empty = vectors(spark, [(1, [])])
    with pytest.raises(SchemaError, match="'x' holds an empty array"):
        write_shards(empty, label_table, path, key=["id"], features=["x"], storage=storage)
    with pytest.raises(SchemaError, match="'x' has the type array<double>: expected a string"):
        write_shards(table, label_table, path, key=["id"], text="x", storage=storage)
    write_shards(table, label_table, path, key=["id"], features=["x"], storage=storage)
    with pytest.raises(OutputExistsError, match="is there already"):
        write_shards(table, label_table, path, key=["id"], features=["x"], storage=storage)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', '{"version": 2, "files": 3}'])
def test_a_file_that_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match=r"not a shard manifest|format version 99"):
        ShardManifest.from_json(text, "somewhere")


def test_a_moved_training_set_keeps_its_digest(
    table: DataFrame, label_table: DataFrame, storage: Storage, tmp_path: Path
) -> None:
    path = str(tmp_path / "a")
    manifest = write_shards(table, label_table, path, key=["id"], features=["x"], storage=storage)
    moved = manifest.moved_to("elsewhere")
    assert moved.digest == manifest.digest
    assert "path" not in json.loads(manifest.to_json())


@pytest.mark.parametrize("sizes", [[], [0], [1], [10], [3, 0, 5], [7, 1, 1, 20], [1] * 30])
@pytest.mark.parametrize("num_ranges", [1, 2, 3, 16])
def test_row_ranges_cut_the_concatenation_evenly(sizes: list[int], num_ranges: int) -> None:
    ranges = plan_row_ranges(sizes, num_ranges)
    rows = [(s.file_index, row) for slices in ranges for s in slices for row in range(s.start, s.stop)]
    assert rows == [(index, row) for index, size in enumerate(sizes) for row in range(size)]
    lengths = [sum(s.stop - s.start for s in slices) for slices in ranges]
    assert len(ranges) == num_ranges
    assert max(lengths) - min(lengths) <= 1


def test_no_range_is_refused() -> None:
    with pytest.raises(ValueError, match="num_ranges is 0"):
        plan_row_ranges([3], 0)


def test_a_key_called_like_a_shards_own_column_is_refused(
    spark: SparkSession, storage: Storage, tmp_path: Path
) -> None:
    points = spark.createDataFrame([("a", "some text")], "text string, comment string")
    labels = spark.createDataFrame([("a", 0.5)], "text string, prob_label double")
    with pytest.raises(SchemaError, match=r"key columns \['text'\] have the names of columns that are added"):
        write_shards(points, labels, str(tmp_path / "set"), key=["text"], text="comment", storage=storage)
