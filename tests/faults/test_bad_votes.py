"""What labeling functions return that is no vote: items 3 and 4 of the failure matrix."""

import decimal
import enum
import math
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from dp_spark.errors import IllegalVoteError, LabelingFunctionError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import column_lf, score_column, vote_column
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.lookup_lfs import lookup_lf
from dp_spark.labeling.matrix import write_label_matrix


class Choice(enum.IntEnum):
    SPAM = 1


LEGAL = {  # what a function of one data point may return, and the vote that it stands for
    "None": (None, 0),
    "0": (0, 0),
    "1": (1, 1),
    "-1": (-1, -1),
    "np.int64(1)": (np.int64(1), 1),
    "np.int8(-1)": (np.int8(-1), -1),
    "an IntEnum": (Choice.SPAM, 1),
    "a class name": ("spam", 1),
}
ILLEGAL = [
    7,
    -2,
    True,
    np.True_,
    1.0,
    math.nan,
    np.float32("nan"),
    "SPAM",
    pd.NA,
    [1],
    decimal.Decimal(1),
    10**30,
]
VECTORS = {  # what a function of the three data points 0, 1, 2 may return, and their votes
    "list": ([1, None, -1], [1, 0, -1]),
    "tuple of NumPy's": ((np.int64(1), 0, np.int8(-1)), [1, 0, -1]),
    "int64": (np.array([1, 0, -1]), [1, 0, -1]),
    "unsigned": (np.array([1, 0, 1], dtype=np.uint64), [1, 0, 1]),
    "other byte order": (np.array([1, 0, -1], dtype=">i8"), [1, 0, -1]),
    "every other": (np.array([1, 9, 0, 9, -1, 9])[::2], [1, 0, -1]),
    "objects": (np.array([1, None, "spam"], dtype=object), [1, 0, 1]),
    "Series": (pd.Series([1, 0, -1]), [1, 0, -1]),
    "Int8 with NA": (pd.Series([1, None, -1], dtype="Int8"), [1, 0, -1]),
    "pandas strings": (pd.Series(["spam", None, "ham"], dtype="string"), [1, 0, -1]),
    "categories": (pd.Series(["spam", None, "ham"], dtype="category"), [1, 0, -1]),
    "sparse Series": (pd.Series([1, 0, -1], dtype=pd.SparseDtype("int64", 0)), [1, 0, -1]),
    "sorted Series": (pd.Series([1, 0, -1])[[2, 0, 1]], [1, 0, -1]),
    "Arrow int8 with null": (pa.array([1, None, -1], pa.int8()), [1, 0, -1]),
    "Arrow chunks": (pa.chunked_array([[1], [None, -1]]), [1, 0, -1]),
    "Arrow names": (pa.array(["spam", None, "ham"]), [1, 0, -1]),
}
ILLEGAL_VECTORS = {  # ... and what not: the value, and the row at fault
    "7": ([1, 7, 1], "7", 1),
    "-2": (np.array([1, 1, -2]), "-2", 2),
    "256": (np.array([1, 256, 1]), "256", 1),  # 0 as an int8
    "2**64 - 1": (np.array([1, 2**64 - 1, 1], dtype=np.uint64), str(2**64 - 1), 1),  # -1 as an int64
    "floats": (np.array([0.0, 1.0, -1.0]), "0.0", 0),
    "float Series with NaN": (pd.Series([1, None, -1]), "1.0", 0),
    "NaN among objects": (pd.Series([None, float("nan"), 1], dtype=object), "nan", 1),
    "all NaN": (pd.Series([float("nan")] * 3), "nan", 0),
    "truths": (pd.Series([False, True, True]), "False", 0),
    "nullable truths": (pd.Series([None, True, True], dtype="boolean"), "True", 1),
    "unknown name": (["spam", "ham", "SPAM"], "'SPAM'", 2),
    "sorted with 7": (pd.Series([1, 7, 1])[[2, 1, 0]], "7", 1),
    "Arrow floats": (pa.array([None, 1.0, 1.0]), "1.0", 1),
}
NO_VECTORS = {
    "short": ([1, 1], r"returned a vector of shape \(2,\) for a batch of 3 data points"),
    "long": (np.ones(4, dtype=int), r"returned a vector of shape \(4,\) for a batch of 3 data points"),
    "table": (np.ones((3, 1), dtype=int), r"returned a vector of shape \(3, 1\) for a batch of 3"),
    "filtered Series": (
        pd.Series([1, 1, 1, 1])[1:],
        r"returned a Series with the index \[1, 2, 3\]\.\.\.: expected that",
    ),
    "index that repeats": (
        pd.Series([1, 1, 1], index=[0, 0, 1]),
        r"returned a Series with the index \[0, 0, 1\]",
    ),
    "mixed index": (pd.Series([1, 1, 1], index=[0, "a", None]), "returned a Series with the index"),
    "index of texts": (pd.Series([1, 1, 1], index=["a", "b", "c"]), r"returned a Series with the index"),
    "DataFrame": (pd.DataFrame({"v": [1, 1, 1]}), "returned a value of type 'DataFrame': expected a vector"),
    "one vote": (1, "returned a value of type 'int': expected a vector with one vote per data point"),
    "None": (None, "returned a value of type 'NoneType': expected a vector"),
    "text": ("spm", "returned a value of type 'str': expected a vector"),
}
CLASSES = ("ham", "spam")


@pytest.fixture
def three(spark):
    return spark.range(0, 3, numPartitions=1)


def by_row(name, answer, row=1):
    return labeling_function(name=name)(lambda x: answer if x.id == row else 1)


def by_batch(name, vector):
    return batch_labeling_function(name=name, columns=["id"])(lambda batch: vector)


def test_what_stands_for_a_vote_is_cast_as_that_vote(three, labeled):
    rows = [by_row(name, answer) for name, (answer, _) in LEGAL.items()]
    batches = [by_batch(name, vector) for name, (vector, _) in VECTORS.items()]
    matrix, votes = labeled(three, rows + batches, class_names=CLASSES)
    cast = dict(zip(matrix.lf_names, zip(*(votes[(i,)] for i in range(3)), strict=True), strict=True))
    assert {name: cast[name] for name in LEGAL} == {name: (1, vote, 1) for name, (_, vote) in LEGAL.items()}
    assert {name: list(cast[name]) for name in VECTORS} == {
        name: votes for name, (_, votes) in VECTORS.items()
    }


@pytest.mark.parametrize("answer", ILLEGAL, ids=repr)
def test_what_is_no_vote_is_refused_with_the_value_and_no_budget_covers_it(three, refused, answer):
    text = refused(IllegalVoteError, three, [by_row("odd", answer)], class_names=CLASSES, max_lf_errors=3)
    assert text == (
        f"labeling function 'odd' returned {answer!r} for the row {{'id': 1}}: expected one of (-1, 1) or "
        "('ham', 'spam'), or 0 or None to abstain. Return an integer vote or a class name."
    )


@pytest.mark.parametrize("case", ILLEGAL_VECTORS)
def test_what_is_no_vote_in_a_vector_is_refused_with_the_value(three, refused, case):
    vector, shown, row = ILLEGAL_VECTORS[case]
    text = refused(IllegalVoteError, three, [by_batch("odd", vector)], class_names=CLASSES, max_lf_errors=3)
    assert f"labeling function 'odd' returned {shown} for the row {{'id': {row}}}: expected one of" in text


@pytest.mark.parametrize("case", NO_VECTORS)
def test_what_is_no_vector_of_votes_is_refused(three, refused, case):
    vector, said = NO_VECTORS[case]
    text = refused(LabelingFunctionError, three, [by_batch("odd", vector)], max_lf_errors=3)
    assert re.search(f"^labeling function 'odd' {said}.*Correct what it returns.$", text)


def test_a_name_is_no_vote_if_the_classes_have_none(three, refused):
    assert "returned 'spam'" in refused(IllegalVoteError, three, [by_row("odd", "spam")])


def test_a_long_value_is_shown_in_part(three, refused):
    text = refused(IllegalVoteError, three, [by_row("odd", "x" * 10_000)])
    assert len(text) < 400


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: vote_column("v"), "returned 7 for the row {'id': 1}: expected one of (-1, 1), or 0 or None"),
        (lambda: column_lf("v", "v + 1"), "returned 8 for the row {'id': 1}: expected one of (-1, 1)"),
        (lambda: column_lf("v", F.col("v") - 300), "returned -293 for the row {'id': 1}"),
        (lambda: vote_column("big", name="v"), f"returned {2**32 + 1} for the row {{'id': 1}}"),
    ],
)
def test_an_illegal_vote_inside_spark_names_function_value_and_row(three, refused, make, said):
    table = three.selectExpr("id", "if(id = 1, 7, null) AS v", f"if(id = 1, {2**32 + 1}L, 1L) AS big")
    text = refused(IllegalVoteError, table, [by_row("solid", 1), make()], max_lf_errors=3)
    assert f"labeling function 'v' {said}" in text
    assert "Correct the expression or the column." in text


def test_an_unknown_class_name_in_a_column_is_named(three, refused):
    table = three.selectExpr("id", "if(id = 1, 'SPAM', 'spam') AS v")
    text = refused(IllegalVoteError, table, [vote_column("v")], class_names=CLASSES)
    assert (
        "labeling function 'v' returned 'SPAM' for the row {'id': 1}: expected one of (-1, 1) or ('ham',"
        in text
    )


@pytest.mark.parametrize("kind", ["double", "decimal(3,1)", "boolean", "string"])
def test_a_vote_column_of_a_type_without_votes_is_refused_before_anything_runs(three, refused, kind):
    table = three.selectExpr("id", f"cast(1 AS {kind}) AS v")
    text = refused(ValueError, table, [vote_column("v")])
    assert f"labeling functions yield no votes: 'v' yields {kind}" in text


def test_a_lookup_of_something_else_than_votes_is_refused_before_anything_runs(three, refused):
    text = refused(ValueError, three, [lookup_lf("table", "id", {7: [1], 1: [2]})])
    assert "labeling function 'table' votes 7: expected one of (-1, 1)" in text


CANARY = "ssn=123-45-6789"


@pytest.mark.parametrize(
    ("lf", "condition"),
    [
        (column_lf("divides", "cast(1 / (id - 1) AS int)"), "[DIVIDE_BY_ZERO]"),
        (column_lf("casts", "cast(text AS int)"), "[CAST_INVALID_INPUT]"),
        (score_column("score", positive_from=0.5), "the score is NaN: expected a number, or null to abstain"),
    ],
)
@pytest.mark.parametrize("beside_python", [False, True])
def test_an_expression_that_fails_on_a_row_is_named_without_the_rows_values(
    three, refused, lf, condition, beside_python
):
    columns = f"if(id = 1, '{CANARY}', '1') AS text", "if(id = 1, double('nan'), 0d) AS score", "1 AS v"
    lfs = [vote_column("v"), lf, *([by_row("solid", 1)] if beside_python else [])]
    text = refused(LabelingFunctionError, three.selectExpr("id", *columns), lfs, max_lf_errors=3)
    assert f"labeling function {lf.name!r} failed inside Spark: " in text
    assert condition in text
    assert CANARY not in text


def test_no_labeling_function_is_blamed_for_a_table_that_fails_by_itself(three, storage, tmp_path):
    table = three.selectExpr("id", "cast(1 / (id - 1) AS int) AS v")
    matrix = apply_lfs(table, [vote_column("v", name="innocent")], key=["id"])
    with pytest.raises(PySparkException, match="DIVIDE_BY_ZERO") as caught:
        write_label_matrix(matrix, str(tmp_path / "L"), storage)
    assert "innocent" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
