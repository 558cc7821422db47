import numpy as np
import pytest
from pyspark.sql import functions as F
from voting import executed_plan, votes_of

from dp_spark.errors import IllegalVoteError, LabelingFunctionError, SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import column_lf, score_column, vote_column
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labeling.vote import vote
from dp_spark.labeling.votes import classes_of

NAMES = ("sports", "politics", "music", "food")
# id, a text, votes as numbers, votes as names, a score
ROWS = [
    (1, "see http", 1, "food", 0.95),
    (2, "a song", 4, None, 0.1),
    (3, "song on http", 0, "sports", 0.5),
    (4, None, None, "music", None),
    (5, "", 2, "politics", 0.9),
]


@pytest.fixture
def table(spark):
    return spark.createDataFrame(ROWS, "id long, text string, `worker 1` int, topic string, score double")


def raised_by(df, lfs, error, storage, tmp_path, **classes):
    matrix = apply_lfs(df, lfs, key=["id"], **classes)
    with pytest.raises(error) as caught:
        write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert list(tmp_path.iterdir()) == []
    return str(caught.value)


def test_expressions_and_existing_columns_vote_row_by_row_without_a_python_worker(table):
    link, song = F.col("text").contains("http"), F.col("text").contains("song")
    lfs = [
        column_lf("sql", "CASE WHEN text LIKE '%http%' THEN 'food' WHEN text = '' THEN NULL END"),
        column_lf("sql number", "CASE WHEN length(text) > 6 THEN 2L END"),
        column_lf("column", vote({"music": link, "food": song})),
        column_lf("of this table", F.when(table["text"] == "", 3)),
        column_lf("json", """CASE WHEN text = '{"a": {1}}' THEN 1 ELSE 0 END"""),
        column_lf("never", "NULL"),
        column_lf("cast", "CAST(score * 4 AS INT)"),
        vote_column("worker 1"),
        vote_column("topic", name="human"),
        score_column("score", positive_from=0.9),
    ]
    matrix = apply_lfs(table.repartition(2), lfs, key=["id"], class_names=NAMES)
    assert votes_of(matrix) == {
        1: [4, 2, 3, 0, 0, 0, 3, 1, 4, 1],
        2: [0, 0, 4, 0, 0, 0, 0, 4, 0, 0],
        3: [4, 2, 0, 0, 0, 0, 2, 0, 1, 0],
        4: [0, 0, 0, 0, 0, 0, 0, 0, 3, 0],
        5: [0, 0, 0, 3, 0, 0, 3, 2, 2, 1],
    }
    plan = executed_plan(matrix.df)
    assert "Python" not in plan
    assert "InArrow" not in plan


@pytest.mark.parametrize(("num_classes", "num_lfs"), [(2, 9), (3, 7), (10, 3), (11, 3), (127, 2)])
def test_votes_of_every_class_are_packed_whatever_the_number_of_functions(spark, num_classes, num_lfs):
    legal = (0, *classes_of(num_classes))
    types = ("TINYINT", "SMALLINT", "INT", "BIGINT")
    votes = [[legal[(row + 5 * j) % len(legal)] for j in range(num_lfs)] for row in range(len(legal))]
    rows = [(i, *(vote or None if i % 2 else vote for vote in row)) for i, row in enumerate(votes)]
    columns = [f"v{j} {types[j % 4]}" for j in range(num_lfs)]
    df = spark.createDataFrame(rows, f"id INT, {', '.join(columns)}")
    lfs = [vote_column(f"v{j}") for j in range(num_lfs)]
    matrix = apply_lfs(df, lfs, key=["id"], num_classes=num_classes)
    assert votes_of(matrix) == dict(enumerate(votes))


def test_scores_vote_at_their_thresholds_and_abstain_between(spark):
    rows = [(0, 0.9), (1, 0.8999), (2, 0.1), (3, 0.1001), (4, None), (5, float("inf")), (6, -1e300)]
    lfs = [
        score_column("s", positive_from=0.9, negative_to=0.1, name="both"),
        score_column("s", positive_from=np.float64(0.9), name="positive"),
        score_column("s", negative_to=0, name="negative"),
    ]
    expected = {i: [0, 0, 0] for i in range(7)}
    expected |= {0: [1, 1, 0], 2: [-1, 0, 0], 5: [1, 1, 0], 6: [-1, 0, -1]}
    df = spark.createDataFrame(rows, "id long, s double")
    assert votes_of(apply_lfs(df, lfs, key=["id"])) == expected
    numbers = spark.createDataFrame([(1, 3, 5), (2, 2, None)], "id long, n int, s int").selectExpr(
        "id", "n", "CAST(s / 10 AS decimal(4, 2)) AS d"
    )
    lfs = [score_column("n", positive_from=3), score_column("d", negative_to=0.5)]
    assert votes_of(apply_lfs(numbers, lfs, key=["id"])) == {1: [1, -1], 2: [0, 0]}


def test_a_score_that_is_not_a_number_names_the_labeling_function(table, storage, tmp_path):
    df = table.withColumn("score", F.when(table.id == 3, float("nan")).otherwise(table.score))
    lfs = [vote_column("worker 1"), score_column("score", positive_from=0.5, name="model")]
    said = raised_by(df, lfs, LabelingFunctionError, storage, tmp_path, num_classes=4)
    assert "'model' failed inside Spark" in said
    assert "the score is NaN: expected a number, or null to abstain" in said


@pytest.mark.parametrize(
    "thresholds",
    [
        {},
        {"positive_from": 0.5, "negative_to": 0.5},
        {"positive_from": 0.1, "negative_to": 0.9},
        {"positive_from": float("nan")},
        {"negative_to": float("inf")},
    ],
)
def test_thresholds_that_are_missing_overlap_or_are_not_finite_are_refused(thresholds):
    with pytest.raises(
        ValueError, match="labeling function 's' has positive_from=.*expected at least one of"
    ):
        score_column("s", **thresholds)


def test_expressions_that_cannot_be_resolved_are_all_named_before_anything_runs(table):
    lfs = [
        column_lf("typo", "CASE WHEN txet = '' THEN 1 END"),
        column_lf("fine", "CASE WHEN text = '' THEN 1 END"),
        column_lf("syntax", "length(text"),
        column_lf("other table", vote(positive=F.col("likes") > 3)),
    ]
    with pytest.raises(SchemaError) as caught:
        apply_lfs(table, lfs, key=["id"])
    said = str(caught.value)
    assert "'typo': [UNRESOLVED_COLUMN" in said
    assert "'other table': [UNRESOLVED_COLUMN" in said
    assert "'syntax': [PARSE_SYNTAX_ERROR" in said
    assert "'fine'" not in said
    assert "The table has ['id', 'text'" in said


def test_what_yields_no_votes_by_its_type_is_refused_all_at_once(table):
    lfs = [
        column_lf("condition", "text LIKE '%http%'"),
        column_lf("fraction", "score"),
        column_lf("name", "CASE WHEN true THEN 'food' END"),
        column_lf("fine", "1"),
    ]
    with pytest.raises(ValueError, match="yield no votes") as caught:
        apply_lfs(table, lfs, key=["id"])
    said = str(caught.value)
    assert (
        "'condition' yields boolean; 'fraction' yields double; 'name' yields string. Expected an integer"
        in said
    )
    assert "(class names need class_names)" in said
    assert "'fine'" not in said
    with pytest.raises(ValueError, match="'fraction' yields double. Expected an integer: "):
        apply_lfs(table, lfs[1:], key=["id"], class_names=NAMES)


@pytest.mark.parametrize(
    ("expression", "classes", "said"),
    [
        ("IF(id = 1, -2, 1)", {}, "'odd' returned -2 for the row {'id': 1}: expected one of (-1, 1), or 0"),
        ("CASE WHEN id = 4 THEN 300 END", {}, "'odd' returned 300 for the row {'id': 4}"),
        ("CASE WHEN id = 4 THEN -1 END", {"num_classes": 4}, "'odd' returned -1 for the row {'id': 4}"),
        (
            "CASE WHEN id = 4 THEN 'fod' END",
            {"class_names": NAMES},
            "'odd' returned fod for the row {'id': 4}",
        ),
    ],
)
def test_an_illegal_vote_names_function_value_and_row(table, storage, tmp_path, expression, classes, said):
    lfs = [column_lf("fine", "1"), column_lf("odd", expression)]
    message = raised_by(table, lfs, IllegalVoteError, storage, tmp_path, **classes)
    plain = message.replace("'fod'", "fod").replace('"id"', "'id'")
    assert said in plain
    assert "Correct the expression or the column" in message


def test_an_expression_that_fails_names_the_labeling_function(table, storage, tmp_path):
    lfs = [column_lf("fine", "1"), column_lf("divides", "CAST(1 / (id - 3) AS INT)")]
    said = raised_by(table, lfs, LabelingFunctionError, storage, tmp_path)
    assert "'divides' failed inside Spark: [DIVIDE_BY_ZERO]" in said
    assert "'fine'" not in said


def test_an_empty_expression_is_refused():
    with pytest.raises(ValueError, match="labeling function 'lf' has an empty expression: expected SQL text"):
        column_lf("lf", " ")


def test_hashes_differ_by_expression_column_and_threshold(spark):
    def any_word(word):
        return vote(positive=F.exists("words", lambda w: w == word))

    def two_words(word):
        return vote(positive=F.aggregate("words", F.lit(0), lambda n, w: n + (w == word).cast("int")) > 1)

    different = [
        column_lf("lf", "CASE WHEN a = 1 THEN 1 END"),
        column_lf("lf", "CASE WHEN a = 2 THEN 1 END"),
        column_lf("lf", F.when(F.col("a") == 1, 1)),
        column_lf("lf", F.when(F.col("a") == "1", 1)),
        column_lf("lf", any_word("free")),
        column_lf("lf", any_word("song")),
        column_lf("lf", two_words("free")),
        vote_column("a", name="lf"),
        vote_column("b", name="lf"),
        score_column("a", positive_from=0.5, name="lf"),
        score_column("a", positive_from=0.6, name="lf"),
        score_column("a", negative_to=0.5, name="lf"),
        score_column("b", positive_from=0.5, name="lf"),
    ]
    assert len({lf.content_hash for lf in different}) == len(different)
    for again, first in ((column_lf("lf", any_word("free")), 4), (column_lf("lf", two_words("free")), 6)):
        assert again.content_hash == different[first].content_hash  # Spark numbers variables anew each time
