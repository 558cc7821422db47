"""Drift: differences between parts of a table that are beyond chance and large; and the parts themselves."""

import numpy as np
import pyarrow as pa
import pytest

from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import column_lf
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labeling.packing import pack_votes
from dp_spark.report.drift import drift_of
from dp_spark.report.part_votes import PartVotes, count_part_votes
from dp_spark.report.parts import CONSECUTIVE, partition_columns, read_parts

CLASSES = ("ham", "spam")


def drift(sizes, votes):
    """Of one labeling function: `votes` has a (ham, spam) pair for each part."""
    counts = np.array(votes, dtype=np.int64)[:, None, :]
    names = [f"day {i}" for i in range(len(sizes))]
    return drift_of(PartVotes(np.array(sizes), counts), "day", names, ["lf"], CLASSES)


def test_the_same_shares_everywhere_are_no_drift():
    (lf,) = drift([100, 200], [(10, 20), (20, 40)]).lfs
    assert (lf.chi_squared, lf.spread, lf.is_drifting) == (0.0, 0.0, False)
    assert lf.degrees == 2  # (2 parts - 1) * (ham, spam and abstain - 1)
    assert lf.coverages == (30 / 100, 60 / 200)


def test_a_labeling_function_that_turns_its_votes_round_drifts_though_its_coverage_stays():
    (lf,) = drift([1000, 1000], [(400, 100), (100, 400)]).lfs
    assert lf.is_drifting
    assert lf.coverages == (0.5, 0.5)
    assert lf.spread == pytest.approx(0.15, abs=0.001)  # 0.4 and 0.1 around 0.25


def test_a_difference_by_chance_is_no_drift():
    rng = np.random.default_rng(0)
    votes = rng.binomial(500, 0.1, size=(200, 12))
    counts = PartVotes(np.full(12, 500), np.stack([votes.T, np.zeros_like(votes.T)], axis=2).astype(np.int64))
    found = drift_of(counts, "day", [str(i) for i in range(12)], [str(i) for i in range(200)], CLASSES)
    assert not any(lf.is_drifting for lf in found.lfs)
    assert np.mean([lf.chi_squared / lf.degrees for lf in found.lfs]) == pytest.approx(1, abs=0.1)


def test_a_difference_that_is_certain_but_small_is_no_drift():
    (lf,) = drift([10**7, 10**7], [(0, 1_000_000), (0, 1_020_000)]).lfs
    assert lf.chi_squared > 200
    assert not lf.is_drifting


def test_a_rare_labeling_function_drifts_if_it_triples():
    (lf,) = drift([100_000, 100_000], [(0, 100), (0, 300)]).lfs
    assert lf.is_drifting
    assert lf.class_name == "spam"


def test_the_one_that_drifts_most_comes_first_and_empty_parts_are_left_out():
    votes = np.array([[[0, 50], [0, 90]], [[0, 0], [0, 0]], [[0, 50], [0, 10]]])
    found = drift_of(PartVotes(np.array([100, 0, 100]), votes), "day", "abc", ["calm", "wild"], CLASSES)
    assert [lf.name for lf in found.lfs] == ["wild", "calm"]
    assert [part.name for part in found.parts] == ["a", "c"]


def test_votes_by_part_add_up():
    votes = np.array([[1, 0], [-1, 1], [1, 1]], dtype=np.int8)
    empty = PartVotes(np.zeros(2, np.int64), np.zeros((2, 2, 2), np.int64))
    batch = pa.RecordBatch.from_arrays(
        [pack_votes(votes), pa.array([0, 1, 1], pa.int32())], names=["votes", "part"]
    )
    counted = empty.with_batch(batch)
    assert counted.num_data_points.tolist() == [1, 2]
    assert counted.votes.tolist() == [[[0, 1], [0, 0]], [[1, 1], [0, 2]]]
    twice = PartVotes.from_bytes((counted + counted).to_bytes())
    assert twice.votes.tolist() == (2 * counted.votes).tolist()


@pytest.fixture(scope="module")
def by_day(spark, storage, tmp_path_factory):
    """A label matrix of a table in directories by day and hour: the LF votes for spam on the second day alone."""
    place = str(tmp_path_factory.mktemp("parts"))
    rows = [(i, f"2026-01-0{1 + i // 60}", i % 2) for i in range(120)]
    table = spark.createDataFrame(rows, "id long, day string, hour int")
    table.repartition(2).write.partitionBy("day", "hour").parquet(f"{place}/table")
    points = spark.read.parquet(f"{place}/table")
    lf = column_lf("late", "CASE WHEN id >= 60 THEN 1 END")
    matrix = write_label_matrix(apply_lfs(points, [lf], key=["id"]), f"{place}/label_matrix", storage)
    return f"{place}/table", points, matrix


def test_parts_are_the_values_of_partition_columns(storage, by_day):
    path, points, matrix = by_day
    columns = partition_columns(storage, path)
    assert columns == ("day", "hour")
    parts = read_parts(matrix, points, columns)
    assert parts.by == "day and hour"
    assert parts.names == ("2026-01-01, 0", "2026-01-01, 1", "2026-01-02, 0", "2026-01-02, 1")
    votes = count_part_votes(parts.rows, 4, 1, 2)
    assert votes.num_data_points.tolist() == [30, 30, 30, 30]
    assert votes.votes[:, 0, 1].tolist() == [0, 0, 30, 30]


def test_a_partition_column_may_have_any_name(spark, storage, tmp_path):
    rows = [(i, i % 2) for i in range(20)]
    points = spark.createDataFrame(rows, "c0 long, c1 int")
    matrix = write_label_matrix(
        apply_lfs(points, [column_lf("one", "1")], key=["c0"]), str(tmp_path / "matrix"), storage
    )
    parts = read_parts(matrix, points, ["c1"])
    assert count_part_votes(parts.rows, 2, 1, 2).num_data_points.tolist() == [10, 10]
    of_key = read_parts(matrix, points, ["c0"])
    assert count_part_votes(of_key.rows, 20, 1, 2).num_data_points.tolist() == [1] * 20


def test_without_partition_columns_parts_are_consecutive_rows(spark, storage, by_day, tmp_path):
    _, points, _ = by_day
    lf = column_lf("late", "CASE WHEN id >= 60 THEN 1 END")
    in_order = points.orderBy("id").coalesce(1)
    matrix = write_label_matrix(apply_lfs(in_order, [lf], key=["id"]), str(tmp_path / "matrix"), storage)
    parts = read_parts(matrix, None, ())
    assert parts.by == CONSECUTIVE
    assert parts.names == ("1 to 60", "61 to 120")
    votes = count_part_votes(parts.rows, 2, 1, 2)
    assert votes.num_data_points.tolist() == [60, 60]
    assert votes.votes[:, 0, 1].tolist() == [0, 60]


def test_a_table_of_few_rows_has_no_parts(spark, storage, tmp_path):
    few = spark.range(60).toDF("id")
    matrix = write_label_matrix(
        apply_lfs(few, [column_lf("one", "1")], key=["id"]), str(tmp_path / "matrix"), storage
    )
    assert read_parts(matrix, None, ()) is None
