import datetime
import decimal
from types import SimpleNamespace

import pytest
from voting import executed_plan, votes_of

from dp_spark.errors import SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.lookup_lfs import lookup_lf, read_lookup_lf
from dp_spark.labeling.matrix import write_label_matrix

NAMES = ("sports", "politics", "music", "food")
DAY, OTHER_DAY = datetime.date(2024, 2, 29), datetime.date(1900, 1, 1)
AT = datetime.datetime(2024, 2, 29, 12, 30)
ROWS = [
    (1, 7, "bob", DAY, decimal.Decimal("1.50"), 0.5, True),
    (2, -1, "ann", OTHER_DAY, decimal.Decimal("2.00"), 1.5, False),
    (3, None, None, None, None, None, None),
    (4, 7, "Bob ", DAY, decimal.Decimal("0.00"), 0.5, True),
    (5, 2**40, "ö", None, None, None, None),
]
SCHEMA = "id long, n long, name string, `the.day` date, amount decimal(10, 2), x double, flag boolean"


@pytest.fixture
def table(spark):
    return spark.createDataFrame(ROWS, SCHEMA).repartition(2)


@pytest.fixture
def shuffled_joins(spark):
    """Tables are joined by a shuffle, as those are that are too large to broadcast."""
    before = spark.conf.get("spark.sql.autoBroadcastJoinThreshold")
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", -1)
    yield
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", before)


SETS = [
    lookup_lf("n", "n", {1: {7, 2**40}, -1: [-1, 0]}),
    lookup_lf("name", "name", {-1: "bob", 1: {"ö", "Ann"}}),
    lookup_lf("day", "the.day", {1: {DAY}, -1: {OTHER_DAY}}),
    lookup_lf("amount", "amount", {1: {decimal.Decimal("1.5"), decimal.Decimal(2)}}),
    lookup_lf("x", "x", {1: [0.5, 7]}),
    lookup_lf("flag", "flag", {1: [True], -1: [False]}),
]
OF_SETS = {
    1: [1, -1, 1, 1, 1, 1],
    2: [-1, 0, -1, 1, 0, -1],
    3: [0, 0, 0, 0, 0, 0],
    4: [1, 0, 1, 0, 1, 1],
    5: [1, 1, 0, 0, 0, 0],
}


def test_values_of_every_type_are_found_in_sets_and_null_abstains(table):
    assert votes_of(apply_lfs(table, SETS, key=["id"])) == OF_SETS
    names = [name.split()[0].strip("`") for name in SCHEMA.split(", ") if " " in name]
    points = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in ROWS]
    assert {x.id: [lf(x) or 0 for lf in SETS] for x in points} == OF_SETS


def test_a_timestamp_is_one_of_the_sessions_time_zone(spark):
    df = spark.createDataFrame([(1, AT), (2, AT + datetime.timedelta(seconds=1))], "id long, at timestamp")
    later = AT + datetime.timedelta(seconds=1)
    lfs = [
        lookup_lf("naive", "at", {1: [AT]}),
        lookup_lf("utc", "at", {1: [later.replace(tzinfo=datetime.UTC)]}),
    ]
    assert votes_of(apply_lfs(df, lfs, key=["id"])) == {1: [1, 0], 2: [0, 1]}


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("n", "7", "'7' in the column 'n' of type bigint"),
        ("n", 7.5, "7.5 in the column 'n' of type bigint: 7.5 would become 7"),
        ("n", True, "True in the column 'n'"),
        ("n", 2**70, "in the column 'n' of type bigint"),
        ("name", 7, "7 in the column 'name' of type string"),
        ("the.day", "2024-02-29", "'2024-02-29' in the column 'the.day' of type date"),
        ("the.day", AT, "would become datetime.date"),
        ("flag", 1, "1 in the column 'flag' of type boolean"),
        ("amount", decimal.Decimal("1.505"), "in the column 'amount' of type decimal"),
    ],
)
def test_values_of_another_type_than_the_column_are_refused(table, column, value, shown):
    with pytest.raises(ValueError, match="labeling function 'lf' looks up values such as") as caught:
        apply_lfs(table, [lookup_lf("lf", column, {1: [value]})], key=["id"])
    assert shown in str(caught.value)
    assert "Expected values of the column's type" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "'lf' has no values to look up: expected at least one"),
        ({1: []}, "'lf' has no values to look up"),
        ({1: ["a", None]}, "'lf' has the value None for 1"),
        (
            {1: ["a", "b"], -1: ["b"]},
            "'lf' has the value 'b' for -1 and for 1: expected .* belong to one class",
        ),
    ],
)
def test_no_values_null_or_one_value_for_two_classes_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        lookup_lf("lf", "name", values)


def tables(spark):
    """A list of names with duplicates and nulls, and a table with the votes of numbers."""
    names = spark.createDataFrame([("bob",), ("bob",), (None,), ("ö",), ("nobody",)], "who string")
    numbers = spark.createDataFrame(
        [(7, "food"), (7, "food"), (-1, "music"), (None, "food"), (3, None), (99, "sports")],
        "number int, class string",
    )
    return [
        read_lookup_lf("names", "name", names, "who", vote="politics"),
        read_lookup_lf("numbers", "n", numbers, "number", vote_column="class"),
    ]


OF_TABLES = {1: [2, 4], 2: [0, 3], 3: [0, 0], 4: [0, 4], 5: [2, 0]}


def test_tables_with_duplicates_and_nulls_are_looked_up_and_no_row_is_doubled(spark, table):
    lfs = [*tables(spark), lookup_lf("flag", "flag", {"sports": [True]})]
    matrix = apply_lfs(table, lfs, key=["id"], class_names=NAMES)
    assert votes_of(matrix) == {i: [*row, int(i in (1, 4))] for i, row in OF_TABLES.items()}
    plan = executed_plan(matrix.df)
    assert "BroadcastHashJoin" in plan
    assert "Python" not in plan
    assert "InArrow" not in plan


def test_tables_too_large_to_broadcast_give_the_same_votes(spark, table, shuffled_joins, storage, tmp_path):
    matrix = apply_lfs(table, tables(spark), key=["id"], class_names=NAMES)
    assert "SortMergeJoin" in executed_plan(matrix.df)
    written = write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert votes_of(written) == OF_TABLES
    assert [(r.kind, r.num_data_points, r.num_abstains) for r in written.lf_runs] == [
        ("lookup", 5, 3),
        ("lookup", 5, 2),
    ]
    assert written.lf_runs[1].votes == {"sports": 0, "politics": 0, "music": 1, "food": 2}


def test_a_lookup_table_of_another_type_column_or_class_is_refused_before_anything_runs(spark, table):
    names = spark.createDataFrame([("bob",)], "name string")
    with pytest.raises(
        SchemaError, match="'lf' joins the column 'n' of type bigint with values of type string"
    ):
        apply_lfs(table, [read_lookup_lf("lf", "n", names, "name", vote=1)], key=["id"])
    with pytest.raises(SchemaError, match="lookup table lacks columns: labeling function 'lf' reads 'nmae'"):
        read_lookup_lf("lf", "name", names, "nmae", vote=1)
    wrong = [lookup_lf("one", "name", {"fod": ["a"]}), read_lookup_lf("two", "name", names, vote="sprots")]
    with pytest.raises(
        ValueError, match="'one' votes 'fod'; labeling function 'two' votes 'sprots': expected"
    ):
        apply_lfs(table, wrong, key=["id"], class_names=NAMES)


def test_lookup_tables_that_are_empty_or_contradict_themselves_are_refused(spark):
    rows = [("bob", 1), ("bob", -1), ("ann", 1), (None, 1), (None, -1)]
    names = spark.createDataFrame(rows, "name string, v int")
    with pytest.raises(
        SchemaError, match=r"'lf' has several votes for one value of 'name', such as \['bob'\]"
    ):
        read_lookup_lf("lf", "name", names, vote_column="v")
    with pytest.raises(SchemaError, match="lookup table of labeling function 'lf' holds no value of 'name'"):
        read_lookup_lf("lf", "name", names.where("name IS NULL"), vote=1)
    for given in ({}, {"vote": 1, "vote_column": "v"}):
        with pytest.raises(ValueError, match="'lf' has vote=.* and vote_column=.*: expected one of the two"):
            read_lookup_lf("lf", "name", names, **given)


def test_hashes_differ_by_column_values_class_and_content_of_the_table_but_not_by_order(spark):
    def of_rows(*rows, **settings):
        table = spark.createDataFrame([(row,) for row in rows], "name string").repartition(len(rows))
        return read_lookup_lf("lf", "name", table, **{"vote": 1, **settings}).content_hash

    different = [
        lookup_lf("lf", "name", {1: ["a", "b"]}).content_hash,
        lookup_lf("lf", "text", {1: ["a", "b"]}).content_hash,
        lookup_lf("lf", "name", {-1: ["a", "b"]}).content_hash,
        lookup_lf("lf", "name", {1: ["a"]}).content_hash,
        lookup_lf("lf", "name", {1: [1, 2]}).content_hash,
        of_rows("a", "b"),
        of_rows("a", "c"),
        of_rows("a"),
        of_rows("a", "b", vote=-1),
        of_rows("a", "b", vote="1"),
    ]
    assert len(set(different)) == len(different)
    assert lookup_lf("lf", "name", {1: {"b", "a"}}).content_hash == different[0]
    assert of_rows("b", "a", "b") == different[5]
