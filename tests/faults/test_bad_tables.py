"""Tables that labeling functions cannot vote on, or that hold what few expect: items 21 to 24."""

import datetime
import decimal
import math
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_spark.errors import LabelingFunctionError, SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import column_lf, vote_column
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.pattern_lfs import keyword_lf, pattern_lf
from dp_spark.labeling.rules import ColumnRule, JoinedTable
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

MEGABYTE = 1 << 20


def always(name="always"):
    return labeling_function(name=name, columns=["id"])(lambda x: POSITIVE if x.id is not None else None)


@pytest.fixture
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("source")


def of_each_kind():
    @labeling_function
    def row(x):
        return POSITIVE if x.text else None

    @batch_labeling_function
    def pandas(batch):
        return batch["text"].notna().astype(int)

    return [
        row,
        pandas,
        batch_labeling_function(name="arrow", batch_format="arrow")(
            lambda b: b.column("text").is_valid().cast("int8")
        ),
        keyword_lf("keyword", "text", {POSITIVE: ["free"]}),
        pattern_lf("pattern", "text", {POSITIVE: r"fr[e-f]+\b"}),
        column_lf("column", "if(text IS NULL, 0, 1)"),
    ]


def test_an_empty_table_is_refused_whatever_the_kinds(spark, refused):
    empty = spark.createDataFrame([], "id long, text string")
    for lfs in (of_each_kind(), of_each_kind()[-1:]):
        assert "the label matrix is empty" in refused(SchemaError, empty, lfs)


def test_one_row_among_empty_partitions_is_labeled_by_every_kind(spark, labeled):
    table = spark.range(0, 8, numPartitions=8).selectExpr("id", "'free' AS text").where("id = 5")
    matrix, votes = labeled(table, of_each_kind())
    assert votes == {(5,): [1] * 6}
    assert [run.num_data_points for run in matrix.lf_runs] == [1] * 6


def test_a_null_text_abstains_or_shows_as_none_and_nothing_fails(spark, labeled):
    table = spark.createDataFrame([(1, None), (2, "free")], "id long, text string").coalesce(1)
    matrix, votes = labeled(table, of_each_kind())
    assert votes == {(1,): [0] * 6, (2,): [1] * 6}
    assert [run.num_errors for run in matrix.lf_runs] == [0] * 6


def test_a_file_that_vanishes_between_planning_and_running_is_named(spark, folder, refused):
    source = str(folder / "t")
    spark.range(0, 4, numPartitions=2).write.parquet(source)
    table = spark.read.parquet(source)
    apply_lfs(table, [always()], key=["id"])
    victim = next(name for name in sorted(os.listdir(source)) if name.endswith(".parquet"))
    os.remove(os.path.join(source, victim))
    text = refused(SchemaError, table, [always()])
    assert "a file of a table vanished while it was read" in text
    assert victim in text
    assert "run again, when nothing rewrites it" in text
    shutil.rmtree(source)
    assert "vanished while it was read" in refused(SchemaError, table, [vote_column("id", name="v")])


def test_files_of_one_table_with_different_types_are_named(spark, folder, refused):
    source = str(folder / "t")
    pq.write_table(pa.table({"id": [1, 2], "v": ["a", "b"]}), folder / "1.parquet")
    os.makedirs(source)
    shutil.move(folder / "1.parquet", f"{source}/1.parquet")
    pq.write_table(pa.table({"id": [3, 4], "v": [1, 2]}), f"{source}/2.parquet")
    lf = labeling_function(name="lf")(lambda x: POSITIVE if x.v else None)
    text = refused(SchemaError, spark.read.schema("id long, v string").parquet(source), [lf])
    assert "files of one table hold different types in one column" in text
    assert "2.parquet" in text
    assert "rewrite the files that differ" in text


def test_a_missing_column_is_named_before_anything_runs_with_who_reads_it(spark, refused):
    lfs = [always(), *of_each_kind(), vote_column("worker")]
    text = refused(SchemaError, spark.range(3), lfs, key=["id", "part"])
    for said in (
        "the key reads 'part'",
        "labeling function 'row' reads 'text'",
        "labeling function 'pandas' reads 'text'",
        "labeling function 'keyword' reads 'text'",
        "labeling function 'worker' reads 'worker'",
        "It has ['id']",
    ):
        assert said in text
    text = refused(SchemaError, spark.range(3), of_each_kind()[-1:])
    assert "expressions of labeling functions cannot be resolved: 'column': [UNRESOLVED_COLUMN" in text


def test_a_column_that_a_function_reads_unseen_is_a_failure_that_names_the_columns(spark, refused):
    lf = labeling_function(name="lf")(lambda x: getattr(x, "te" + "xt"))
    text = refused(LabelingFunctionError, spark.range(3), [lf])
    assert "AttributeError at test_bad_tables.py" in text


@pytest.mark.parametrize("columns", [["id", "v", "V"], ["id", "v", "v"], ["id", "ID", "v"]])
def test_columns_that_differ_only_in_case_or_not_at_all_are_refused_if_they_are_needed(
    spark, refused, columns
):
    table = spark.range(2).selectExpr("id AS a", "1 AS b", "2 AS c").toDF(*columns)
    lf = labeling_function(name="lf", columns=["id", "v"])(lambda x: POSITIVE)
    text = refused(SchemaError, table, [lf])
    assert "the table has columns of one name (to Spark, case does not count): [" in text
    if columns.count("id") + columns.count("ID") == 1:
        apply_lfs(table, [always()], key=["id"])


def test_a_joined_table_that_multiplies_rows_is_refused_by_the_number_of_rows(spark, refused):
    looked_up = spark.createDataFrame([(1, 1), (1, -1), (2, 1)], "k long, v int")
    rule = ColumnRule("{joined}", JoinedTable(looked_up, {"k": "id"}, "v"))
    lf = LabelingFunction(name="joined", kind="lookup", rule=rule, columns=("id",))
    text = refused(SchemaError, spark.range(5), [lf, always()])
    assert "the label matrix has 6 rows for 5 data points: expected as many. Nothing was published." in text


def test_null_and_repeated_keys_are_refused_with_counts_and_examples(spark, refused):
    nulls = spark.range(10).selectExpr("if(id > 6, null, id) AS id", "'a' AS part")
    text = refused(SchemaError, nulls, [always()], key=["id", "part"])
    assert "the key ['id', 'part'] is null in 3 rows, such as [{'id': None, 'part': 'a'}" in text
    repeated = spark.range(10).selectExpr("id div 2 + if(id > 7, id, 0) AS id")
    text = refused(SchemaError, repeated, [always()])
    assert "occurs more than once" in text
    assert "; 4 of them do." in text


@pytest.mark.parametrize("at", [0, 1, 4])
def test_text_that_is_not_utf8_is_refused_with_column_and_row_where_it_is_decoded(spark, refused, at):
    text = "if(id = 1, cast(X'66726565ff' AS string), 'free') AS text"
    table = spark.range(0, 3, numPartitions=1).selectExpr("id", text)
    text = refused(SchemaError, table, [of_each_kind()[at]], max_lf_errors=3)
    assert "the column 'text' holds a text that is not valid UTF-8 in the row {'id': 1}" in text
    assert "make_valid_utf8" in text


def test_text_that_is_not_utf8_travels_where_nobody_decodes_it(spark, labeled, refused):
    text = "if(id = 1, cast(X'ff' AS string), 'free') AS text"
    table = spark.range(0, 3, numPartitions=1).selectExpr("id", text)
    _, votes = labeled(table, [always(), keyword_lf("keyword", "text", {POSITIVE: ["free"]})])
    assert votes == {(0,): [1, 1], (1,): [1, 0], (2,): [1, 1]}


def test_an_error_names_a_row_whose_key_is_not_utf8(spark, refused):
    table = spark.range(0, 1).selectExpr("cast(X'ff' AS string) AS k", "id")
    lf = labeling_function(name="lf", columns=["id"])(lambda x: 1 // x.id)
    text = refused(LabelingFunctionError, table, [lf], key=["k"])
    assert "row {'k': b'\\xff'}: ZeroDivisionError" in text


def test_a_date_that_python_cannot_hold_is_refused_with_column_and_row(spark, refused, labeled):
    late = "if(id = 1, timestamp_micros(253402300800000000), timestamp_seconds(0)) AS t"
    table = spark.range(0, 3, numPartitions=1).selectExpr("id", late)
    text = refused(SchemaError, table, [labeling_function(name="lf")(lambda x: POSITIVE if x.t else None)])
    assert "the column 't' holds a value that Python cannot hold in the row {'id': 1}: expected dates" in text


def test_huge_and_odd_texts_reach_every_kind_whole(spark, labeled):
    sizes = {0: 20 * MEGABYTE, 1: 4, 2: 7}
    huge, odd = f"concat(repeat('x', {sizes[0] - 4}), 'free')", "concat('a', chr(0), ' free')"
    cases = f"CASE id WHEN 0 THEN {huge} WHEN 1 THEN 'free' ELSE {odd} END"
    table = spark.range(0, 3, numPartitions=1).selectExpr("id", f"{cases} AS text")

    @labeling_function
    def whole(x):
        return POSITIVE if len(x.text) == sizes[x.id] and x.text.endswith("free") else NEGATIVE

    @labeling_function
    def nul(x):
        return POSITIVE if "\0" in x.text else None

    lfs = [
        whole,
        nul,
        keyword_lf("part", "text", {POSITIVE: ["free"]}, whole_words=False),
        *of_each_kind()[:3],
    ]
    _, votes = labeled(table, lfs)
    assert votes == {(0,): [1, 0, 1, 1, 1, 1], (1,): [1, 0, 1, 1, 1, 1], (2,): [1, 1, 1, 1, 1, 1]}


def test_data_points_hold_what_python_has_for_every_type(spark, labeled):
    columns = {
        "a_null": ("cast(null AS string)", None),
        "a_void": ("null", None),
        "a_nan": ("double('nan')", math.nan),
        "a_decimal": ("cast(1.10 AS decimal(38, 18))", decimal.Decimal("1.10")),
        "a_date": ("date '0001-01-01'", datetime.date(1, 1, 1)),
        "a_time": (
            "timestamp '2024-02-29 12:00:00'",
            datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
        ),
        "a_local_time": ("timestamp_ntz '2024-02-29 12:00:00'", datetime.datetime(2024, 2, 29, 12)),
        "an_interval": ("interval '1 02' day to hour", datetime.timedelta(days=1, hours=2)),
        "some_bytes": ("X'00ff'", b"\x00\xff"),
        "an_array": ("array(1, null, 3)", [1, None, 3]),
        "nested": (
            "array(named_struct('a', null, 'b', array('x', null)), null)",
            [{"a": None, "b": ["x", None]}, None],
        ),
        "a_map": ("map('k', 1, 'l', null)", {"k": 1, "l": None}),
        "a_big_number": ("9223372036854775807L", 2**63 - 1),
    }

    def of(name, wanted):
        def function(x):
            is_equal = x[name] == wanted or (x[name] != x[name] and wanted != wanted)
            return POSITIVE if is_equal and type(x[name]) is type(wanted) else NEGATIVE

        return labeling_function(name=f"lf of {name}", columns=[name])(function)

    table = spark.range(1).selectExpr("id", *(f"{sql} AS {name}" for name, (sql, _) in columns.items()))
    lfs = [of(name, wanted) for name, (_, wanted) in columns.items()]
    by_batch = batch_labeling_function(name="pandas")(lambda batch: [1] * len(batch))
    _, votes = labeled(table, [*lfs, by_batch])
    assert dict(zip(columns, votes[(0,)], strict=False)) == dict.fromkeys(columns, 1)


def test_a_map_of_a_null_row_is_none(spark, labeled):
    table = spark.range(0, 2, numPartitions=1).selectExpr("id", "if(id = 1, map('k', 1), null) AS m")
    lf = labeling_function(name="lf")(lambda x: None if x.m is None else x.m["k"])
    assert labeled(table, [lf])[1] == {(0,): [0], (1,): [1]}
