import os
import re

import pytest

from dp_spark.errors import MissingResultError, OutputExistsError, SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import labeling_function
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.tables import (
    map_batches,
    quoted,
    read_table,
    refuse_duplicate_keys,
    refuse_missing_columns,
    write_table,
)

KIND = "test table"


def written(df, path, storage, key=("id",), **options):
    return write_table(df, str(path), storage, kind=KIND, description={"what": [1, "x"]}, key=key, **options)


def test_a_table_comes_back_with_its_description(spark, storage, tmp_path):
    table = spark.createDataFrame([(1, "a"), (2, "b"), (3, None)], "id long, text string")
    assert written(table, tmp_path / "t", storage) == 3
    again, description = read_table(storage, str(tmp_path / "t"), KIND)
    assert sorted(map(tuple, again.collect())) == [(1, "a"), (2, "b"), (3, None)]
    assert description == {"kind": KIND, "num_data_points": 3, "key": ["id"], "what": [1, "x"]}


def test_an_empty_table_is_refused_and_leaves_nothing(spark, storage, tmp_path):
    for empty in (spark.createDataFrame([], "id long"), spark.range(9).where("id > 9")):
        with pytest.raises(
            SchemaError, match=r"the test table is empty.*no data points. Check its path and fi"
        ):
            written(empty, tmp_path / "t", storage)
    assert os.listdir(tmp_path) == []


def test_a_label_matrix_of_an_empty_table_is_refused(spark, storage, tmp_path):
    lf = labeling_function(name="lf")(lambda x: 1)
    matrix = apply_lfs(spark.createDataFrame([], "id long"), [lf], key=["id"])
    with pytest.raises(SchemaError, match="the label matrix is empty"):
        write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert os.listdir(tmp_path) == []


def test_a_null_key_is_refused_with_examples_and_leaves_nothing(spark, storage, tmp_path):
    table = spark.createDataFrame([(1, "a"), (2, None), (None, "c")], "id long, part string")
    with pytest.raises(SchemaError) as caught:
        written(table, tmp_path / "t", storage, key=["id", "part"])
    assert "the key ['id', 'part'] is null in 2 rows, such as" in str(caught.value)
    assert "{'id': 2, 'part': None}" in str(caught.value)
    assert "{'id': None, 'part': 'c'}" in str(caught.value)
    assert "A data point needs a key" in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_key_that_occurs_twice_is_refused_with_examples_and_leaves_nothing(spark, storage, tmp_path):
    table = spark.createDataFrame([(1, "a"), (1, "b"), (2, "a"), (1, "b")], "id long, part string")
    said = "occurs more than once, such as [{'id': 1, 'part': 'b'}]; 1 of them do."
    with pytest.raises(SchemaError, match=re.escape(said)):
        written(table, tmp_path / "t", storage, key=["id", "part"])
    assert os.listdir(tmp_path) == []
    assert written(table.distinct(), tmp_path / "t", storage, key=["id", "part"]) == 3


def test_at_most_five_examples_are_shown(spark):
    table = spark.range(20).selectExpr("id % 10 AS id")
    with pytest.raises(SchemaError) as caught:
        refuse_duplicate_keys(table, ["id"])
    assert len(re.findall(r"\{'id': \d\}", str(caught.value))) == 5


@pytest.mark.parametrize("name", ["hash", "count", "a.b", "back`tick", "with space"])
def test_key_columns_may_have_any_name(spark, name):
    table = spark.createDataFrame([("x",), ("y",), ("x",)], "k string").withColumnsRenamed({"k": name})
    refuse_duplicate_keys(table.distinct(), [name])
    with pytest.raises(SchemaError, match=re.escape(f"[{{{name!r}: 'x'}}]")):
        refuse_duplicate_keys(table, [name])


def test_an_existing_table_is_replaced_only_when_asked(spark, storage, tmp_path):
    path = tmp_path / "t"
    written(spark.range(3), path, storage)
    with pytest.raises(OutputExistsError, match="t is there already"):
        written(spark.range(5), path, storage)
    with pytest.raises(SchemaError, match="is empty"):
        written(spark.range(0), path, storage, overwrite=True)
    assert read_table(storage, str(path), KIND)[0].count() == 3
    written(spark.range(5), path, storage, overwrite=True)
    assert read_table(storage, str(path), KIND)[0].count() == 5


def test_a_table_of_another_kind_is_refused(spark, storage, tmp_path):
    written(spark.range(1), tmp_path / "t", storage)
    with pytest.raises(MissingResultError, match="holds a test table: expected a label table"):
        read_table(storage, str(tmp_path / "t"), "label table")


def test_missing_columns_are_named_with_who_reads_them(spark):
    wanted = {"the key": ["id", "day"], "the end model": ["text"]}
    message = "the table lacks columns: the key reads 'day'; the end model reads 'text'. It has ['id']."
    with pytest.raises(SchemaError, match=re.escape(message)):
        refuse_missing_columns(spark.range(1), wanted, "the table")
    refuse_missing_columns(spark.range(1), {"the key": ["id"]}, "the table")


def test_batches_keep_column_names_that_spark_would_split(spark):
    names = ["a.b", "back`tick", "with space"]
    table = spark.range(1).selectExpr("id AS a", "id + 1 AS b", "id + 2 AS c").toDF(*names)

    def reverse(batches):
        for batch in batches:
            yield batch.select(list(reversed(names)))

    reversed_table = map_batches(table, reverse, table.select(*map(quoted, reversed(names))).schema)
    assert reversed_table.columns == ["with space", "back`tick", "a.b"]
    assert list(map(tuple, reversed_table.collect())) == [(2, 1, 0)]
