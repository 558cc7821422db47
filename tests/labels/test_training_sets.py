"""Training sets of k classes, typed inputs, filters and weights; reuse, and what a failure leaves."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from dp_spark.errors import OutputExistsError, SchemaError
from dp_spark.labels.features import unpack_features
from dp_spark.labels.labelled_rows import SHARD_BYTES
from dp_spark.labels.manifest import Filters, ShardManifest
from dp_spark.labels.shards import read_manifest, write_shards
from dp_spark.storage import Storage


@pytest.fixture
def points(spark: SparkSession) -> DataFrame:
    rows = [(i, [float(i), 0.0], 2 * i, i % 2 == 0, f"text {i}", 1.0) for i in range(1, 7)]
    return spark.createDataFrame(
        rows, "id long, x array<double>, n int, flag boolean, words string, w double"
    )


def labels(spark: SparkSession, probs: list[object], kind: str = "double") -> DataFrame:
    rows = [(i, p, 0 if i == 1 else 2) for i, p in enumerate(probs, start=1)]
    return spark.createDataFrame(rows, f"id long, prob_label {kind}, num_votes int")


@pytest.fixture
def half(spark: SparkSession) -> DataFrame:
    return labels(spark, [0.5] * 6)


def rows_of(manifest: ShardManifest) -> dict[int, dict[str, object]]:
    tables = [pq.read_table(manifest.file_path(file)).to_pylist() for file in manifest.files]
    return {row["id"]: row for rows in tables for row in rows}


def test_arrays_numbers_text_and_categories_go_into_one_set(
    spark: SparkSession, storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path
) -> None:
    manifest = write_shards(
        points, half, str(tmp_path / "s"), key=["id"], storage=storage,
        features=["n", "x", "flag"], text="words", categories=["flag", "n", "words"],
    )  # fmt: skip
    assert manifest.inputs.feature_widths == (1, 2, 1)
    row = rows_of(manifest)[2]
    assert (row["text"], row["categories"]) == ("text 2", ["true", "4", "text 2"])
    packed = pq.read_table(manifest.file_path(manifest.files[0]))["features"].chunk(0)
    assert [4.0, 2.0, 0.0, 1.0] in unpack_features(packed, 4).tolist()
    string_bytes = sum(6 + len(f"{'true' if i % 2 == 0 else 'false'}{2 * i}text {i}") for i in range(2, 7))
    assert manifest.row_bytes == (5 * 4 * 4 + string_bytes) / 5
    assert ShardManifest.from_json(manifest.to_json(), manifest.path) == manifest


def test_labels_of_k_classes_are_stored_as_lists(
    spark: SparkSession, storage: Storage, points: DataFrame, tmp_path: Path
) -> None:
    label_table = labels(spark, [[0.25, 0.25, 0.5]] * 6, "array<double>")
    place = str(tmp_path / "s")
    manifest = write_shards(points, label_table, place, key=["id"], features=["x"], storage=storage)
    assert manifest.num_classes == 3
    assert dict(manifest.schema)["prob_label"] == "array<float>"
    assert rows_of(manifest)[2]["prob_label"] == [0.25, 0.25, 0.5]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([0.5, 0.5, 0.1], r"is \[0.5, 0.5, 0.1\] for .*\{'id': 3\}: expected probabilities that add up to 1"),
        ([1.5, -0.5, 0.0], r"expected probabilities in \[0, 1\]"),
        ([1.0, None, 0.0], r"expected probabilities in \[0, 1\]"),
        ([0.5, 0.5], "expected 3 probabilities, one for each class"),
        (None, "is None for .* expected 3 probabilities"),
    ],
)
def test_bad_labels_of_k_classes_are_refused(
    spark: SparkSession, storage: Storage, points: DataFrame, tmp_path: Path, bad: object, message: str
) -> None:
    good = [0.2, 0.3, 0.5 + 5e-7]  # within the tolerance
    label_table = labels(spark, [good, good, bad, good], "array<double>")
    with pytest.raises(SchemaError, match=message):
        write_shards(
            points, label_table, str(tmp_path / "s"), key=["id"], features=["x"], storage=storage,
            min_confidence=0.1,
        )  # fmt: skip


def test_filters_leave_rows_out_and_count_them(
    spark: SparkSession, storage: Storage, points: DataFrame, tmp_path: Path
) -> None:
    weighed = points.selectExpr("*", "if(id = 5, 0.0, 0.5 * id) importance")
    label_table = labels(spark, [0.9, 0.9, 0.1, 0.6, 1.0, 0.7])
    manifest = write_shards(
        weighed, label_table, str(tmp_path / "s"), key=["id"], features=["x"], storage=storage,
        min_confidence=0.7, weight="importance",
    )  # fmt: skip
    assert {i: row["weight"] for i, row in rows_of(manifest).items()} == {2: 1.0, 3: 1.5, 6: 3.0}
    assert manifest.filters == Filters(True, 0.7, num_uncovered=1, num_below_confidence=1, num_weightless=1)
    with pytest.raises(SchemaError, match="label, 1 without a vote and 4 below min_confidence=0.95 and 1 of"):
        write_shards(
            weighed, labels(spark, [0.9, 0.9, 0.1, 0.6, 1.0, 0.7]), str(tmp_path / "t"), key=["id"],
            features=["x"], storage=storage, min_confidence=0.95, weight="importance",
        )  # fmt: skip
    with pytest.raises(ValueError, match="min_confidence is 1.5: expected 0 to 1"):
        write_shards(
            points, label_table, str(tmp_path / "t"), key=["id"], features=["x"], storage=storage,
            min_confidence=1.5,
        )  # fmt: skip


@pytest.mark.parametrize("bad", ["-1.0", "double('NaN')", "double('Infinity')", "null", "1e300"])
def test_bad_weights_are_refused(
    storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path, bad: str
) -> None:
    weighed = half.selectExpr("*", f"if(id = 4, {bad}, 1.0) doubt")
    with pytest.raises(
        SchemaError, match=r"weight column 'doubt' is .* \{'id': 4\}: expected a finite number"
    ):
        write_shards(
            points, weighed, str(tmp_path / "s"), key=["id"], features=["x"], storage=storage, weight="doubt"
        )


@pytest.mark.parametrize(
    ("weight", "message"),
    [("x", "type array<double>: expected a number"), ("num_votes", "both tables"), ("nowhere", "neither")],
)
def test_a_weight_column_that_is_none_is_refused(
    storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path, weight: str, message: str
) -> None:
    voted = points.selectExpr("*", "1 num_votes")
    with pytest.raises(SchemaError, match=message):
        write_shards(
            voted, half, str(tmp_path / "s"), key=["id"], features=["n"], storage=storage, weight=weight
        )


def test_bad_categories_and_arrays_in_a_mixture_are_refused(
    spark: SparkSession, storage: Storage, half: DataFrame, tmp_path: Path
) -> None:
    rows = [(1, "a", [1.0], [1.0, 2.0]), (2, None, [1.0], [1.0, 2.0]), (3, "c", [1.0, 2.0], [1.0])]
    points = spark.createDataFrame(rows, "id long, c string, x array<double>, y array<double>")
    place = str(tmp_path / "s")
    with pytest.raises(SchemaError, match=r"category column 'c' is null for the data point \{'id': 2\}"):
        write_shards(points, half, place, key=["id"], categories=["c"], storage=storage)
    with pytest.raises(SchemaError, match=r"'x, y' has 0 values for the data point \{'id': 3\}: expected 3"):
        write_shards(points, half, place, key=["id"], features=["x", "y"], storage=storage)
    with pytest.raises(SchemaError, match="'x' has the type array<double>: expected a string, a boolean or"):
        write_shards(points, half, place, key=["id"], categories=["x"], storage=storage)
    with pytest.raises(ValueError, match="expected every column once"):
        write_shards(points, half, place, key=["id"], categories=["c", "c"], storage=storage)


def test_the_number_of_shards_follows_from_workers_and_bytes(
    storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def num_files(**given: int) -> int:
        place = str(tmp_path / f"{given}{SHARD_BYTES}")
        return len(
            write_shards(
                points, half, place, key=["id"], features=["x"], storage=storage, overwrite=True, **given
            ).files
        )

    assert num_files() == 1
    assert num_files(num_workers=2) == 2
    monkeypatch.setattr(
        "dp_spark.labels.labelled_rows.SHARD_BYTES", 2 * 2 * 4
    )  # two rows: 5 rows need 3 files
    assert num_files(num_workers=2) == 3
    assert num_files(num_workers=2, num_shards=1) == 1


def test_a_set_of_the_same_rows_and_settings_is_reused(
    spark: SparkSession, storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path
) -> None:
    def write(table: DataFrame, **given: object) -> ShardManifest:
        settings = {"key": ["id"], "features": ["x"], "storage": storage, "reuse": True, **given}
        return write_shards(table.repartition(3), half, str(tmp_path / "s"), **settings)

    def written() -> int:
        return (tmp_path / "s" / "manifest.json").stat().st_mtime_ns

    first = write(points)
    stamp = written()
    assert write(points) == first
    assert written() == stamp
    assert write(points, seed=1) != first
    assert written() != stamp
    changed = write(points.selectExpr("id", "if(id = 3, array(7.0D, 7.0D), x) x"))
    assert changed.content_id != first.content_id
    assert read_manifest(storage, first.path) == changed
    Path(changed.file_path(changed.files[0])).unlink()
    again = write(points.selectExpr("id", "if(id = 3, array(7.0D, 7.0D), x) x"))
    assert replace(again, files=()) == replace(changed, files=())
    assert len(rows_of(again)) == 5


def test_a_failure_leaves_the_earlier_set_as_it_was(
    spark: SparkSession, storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path
) -> None:
    place = str(tmp_path / "s")
    earlier = write_shards(points, half, place, key=["id"], features=["x"], storage=storage)
    with pytest.raises(OutputExistsError, match="is there already"):
        write_shards(points, half, place, key=["id"], features=["x"], storage=storage)
    for bad in (labels(spark, [2.0] * 6), half.where("id > 9"), half.where("id = 1")):
        with pytest.raises(SchemaError):
            write_shards(points, bad, place, key=["id"], features=["x"], storage=storage, overwrite=True)
    assert read_manifest(storage, place) == earlier
    assert len(rows_of(earlier)) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


def test_moments_are_of_the_whole_training_set(
    storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path
) -> None:
    manifest = write_shards(
        points, half, str(tmp_path / "s"), key=["id"], features=["x"], storage=storage,
        standardize=True, num_shards=3,
    )  # fmt: skip
    assert manifest.moments is not None
    assert manifest.moments.means == pytest.approx((4.0, 0.0))  # of 2 to 6
    assert manifest.moments.variances == pytest.approx((2.0, 0.0))
    assert json.loads(manifest.to_json())["moments"]["means"] == pytest.approx([4.0, 0.0])


def test_class_names_of_another_number_are_refused(
    storage: Storage, points: DataFrame, half: DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match="the labels are of 2 classes: expected as many names"):
        write_shards(
            points, half, str(tmp_path / "s"), key=["id"], features=["x"], storage=storage, class_names=["a"]
        )
