import datetime
import decimal

import pytest

from dp_spark.errors import MissingResultError, OutputExistsError, SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import vote_column
from dp_spark.labeling.matrix import LabelMatrix, read_label_matrix, write_label_matrix


def crowd(spark, rows):
    """A table of an id and the votes a and b, and its label matrix of two classes."""
    table = spark.createDataFrame(rows, "id long, a int, b int")
    return apply_lfs(table, [vote_column("a"), vote_column("b")], key=["id"])


def test_a_written_matrix_is_read_back(spark, storage, tmp_path):
    matrix = crowd(spark, [(1, 1, None), (2, -1, 1), (3, None, None)])
    written = write_label_matrix(matrix, str(tmp_path / "L"), storage)
    again = read_label_matrix(storage, str(tmp_path / "L"))
    assert (again.key, again.lf_names, again.num_classes) == (("id",), ("a", "b"), 2)
    assert (
        again.lf_hashes == matrix.lf_hashes == (vote_column("a").content_hash, vote_column("b").content_hash)
    )
    expected = {(1, bytes([1, 0])), (2, bytes([255, 1])), (3, bytes([0, 0]))}
    for each in (written, again):
        assert {(row.id, bytes(row.votes)) for row in each.df.collect()} == expected


def test_the_view_for_sql_has_a_tinyint_column_for_each_labeling_function(spark, storage, tmp_path):
    view = crowd(spark, [(1, 1, None), (2, -1, 1), (3, None, None)]).columns()
    assert view.dtypes == [("id", "bigint"), ("a", "tinyint"), ("b", "tinyint")]
    assert sorted(map(tuple, view.collect())) == [(1, 1, 0), (2, -1, 1), (3, 0, 0)]


def test_the_view_shows_127_classes_and_names_with_dots(spark):
    table = spark.createDataFrame([(1, 127, 0), (2, 1, 64)], "`the.id` long, `lf.1` int, `lf 2` int")
    lfs = [vote_column("lf.1"), vote_column("lf 2")]
    view = apply_lfs(table, lfs, key=["the.id"], num_classes=127).columns()
    assert view.columns == ["the.id", "lf.1", "lf 2"]
    assert sorted(map(tuple, view.collect())) == [(1, 127, 0), (2, 1, 64)]


@pytest.mark.parametrize("num_classes", [2, 8, 9, 127])
def test_votes_packed_inside_spark_are_those_that_are_cast(spark, num_classes):
    classes = [-1, 1] if num_classes == 2 else range(1, num_classes + 1)
    rows = [(i, vote, None) for i, vote in enumerate([None, 0, *classes])]
    table = spark.createDataFrame(rows, "id long, a int, b int")
    matrix = apply_lfs(table, [vote_column("a"), vote_column("b")], key=["id"], num_classes=num_classes)
    assert {(r.id, bytes(r.votes)) for r in matrix.df.collect()} == {
        (i, bytes([(vote or 0) % 256, 0])) for i, vote, _ in rows
    }


def test_class_names_are_kept_and_part_of_the_hashes(spark, storage, tmp_path):
    table = spark.createDataFrame([(1, "b"), (2, None), (3, "a")], "id long, v string")

    def matrix(*names):
        return apply_lfs(table, [vote_column("v")], key=["id"], class_names=names)

    written = write_label_matrix(matrix("a", "b"), str(tmp_path / "L"), storage)
    assert (written.num_classes, written.class_names) == (2, ("a", "b"))
    assert [(run.name, run.kind, dict(run.votes)) for run in written.lf_runs] == [
        ("v", "existing column", {"a": 1, "b": 1})
    ]
    hashes = [m.lf_hashes for m in (written, matrix("a", "b"), matrix("b", "a"), matrix("a", "b", "c"))]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_key_columns_of_several_types_are_kept(spark, storage, tmp_path):
    schema = "day date, name string, number decimal(10,2), at timestamp, raw binary, small tinyint, v int"
    at = datetime.datetime(2024, 2, 29, 12, 30)
    row = (datetime.date(2024, 2, 29), "ä b", decimal.Decimal("1.50"), at, b"\x00\xff", 3, -1)
    table = spark.createDataFrame([row], schema)
    key = ["number", "day", "name", "at", "raw", "small"]
    matrix = apply_lfs(table, [vote_column("v")], key=key)
    written = write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert written.key == tuple(key)
    assert [written.df.schema[name].dataType for name in key] == [table.schema[name].dataType for name in key]
    kept = written.df.select(*key).first()
    assert kept.asDict() == table.select(*key).first().asDict()
    assert (kept.day, kept.number, kept["name"]) == (row[0], row[2], "ä b")


def test_a_table_with_other_columns_is_no_label_matrix(spark):
    with pytest.raises(SchemaError, match=r"has the columns \['key', 'votes'\], this table has \['id'\]"):
        LabelMatrix(spark.range(1), ("key",), ("lf",), ("hash",), 2)


def test_a_matrix_that_is_not_there_or_not_complete_is_refused(spark, storage, tmp_path):
    with pytest.raises(MissingResultError, match=r"nothing holds no complete label matrix.*Run the stage"):
        read_label_matrix(storage, str(tmp_path / "nothing"))
    half = str(tmp_path / "half")
    crowd(spark, [(1, 1, 1)]).df.write.parquet(half)
    with pytest.raises(MissingResultError, match="_dp_spark.json, which is written last, is not there"):
        read_label_matrix(storage, half)


def test_an_existing_matrix_is_replaced_only_when_asked(spark, storage, tmp_path):
    path = str(tmp_path / "L")
    write_label_matrix(crowd(spark, [(1, 1, 1)]), path, storage)
    with pytest.raises(
        OutputExistsError, match=r"L is there already .*it holds .*_dp_spark.json.*--overwrite"
    ):
        write_label_matrix(crowd(spark, [(2, 1, 1)]), path, storage)
    assert [row.id for row in read_label_matrix(storage, path).df.collect()] == [1]
    write_label_matrix(crowd(spark, [(2, 1, 1)]), path, storage, overwrite=True)
    assert [row.id for row in read_label_matrix(storage, path).df.collect()] == [2]
