import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from voting import votes_of

from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.column_lfs import column_lf
from dp_spark.labeling.vote import vote

# Three conditions on six data points; null is false. Expected: the one class that holds, or an abstention.
POSITIVE = [True, True, False, False, None, None]
NEGATIVE = [False, True, True, False, True, None]
EXPECTED = [1, 0, -1, 0, -1, 0]

VECTORS = {
    "pandas": lambda values: pd.Series(values, dtype=object),
    "pandas nullable": lambda values: pd.Series(values, dtype="boolean"),
    "arrow": lambda values: pa.array(values),
    "chunked": lambda values: pa.chunked_array([values[:2], values[2:]]),
    "numpy": lambda values: np.array([bool(value) for value in values]),
}


def test_of_values_one_class_holds_or_it_abstains():
    votes = [vote(positive=p, negative=n) for p, n in zip(POSITIVE, NEGATIVE, strict=True)]
    assert [answer or 0 for answer in votes] == EXPECTED
    assert [answer for answer in votes if not answer] == [None] * 3
    assert (vote(positive=1 > 0), vote(negative=1 > 0), vote(positive=1 < 0)) == (1, -1, None)


def test_one_null_condition_is_false_and_not_missing():
    assert vote(positive=None) is vote(negative=None) is vote({1: None}) is None


@pytest.mark.parametrize("kind", VECTORS)
def test_of_vectors_the_same_holds_row_by_row(kind):
    make = VECTORS[kind]
    votes = vote(positive=make(POSITIVE), negative=make(NEGATIVE))
    assert (votes.tolist(), votes.dtype) == (EXPECTED, np.int8)
    assert vote(positive=make(POSITIVE)).tolist() == [1, 1, 0, 0, 0, 0]


def test_of_a_vector_and_a_value_the_value_holds_for_all():
    vector = np.array([True, False])
    assert vote(positive=vector, negative=True).tolist() == [0, -1]
    assert vote(negative=None, positive=vector).tolist() == [1, 0]


@pytest.mark.parametrize("classes", [(1, 2, 3), ("a", "b", "c")])
def test_of_more_classes_values_vectors_and_columns_agree(spark, classes):
    rows = [(i, bool(i & 1), bool(i & 2), None if i > 7 else bool(i & 4)) for i in range(12)]
    plain = [vote(dict(zip(classes, row[1:], strict=True))) for row in rows]
    assert plain[1] == plain[9] == classes[0]
    assert plain[3] is plain[0] is None
    vectors = pd.DataFrame(rows, columns=["i", "p", "q", "r"], dtype=object)
    of_vectors = vote({choice: vectors[name] for choice, name in zip(classes, "pqr", strict=True)})
    assert [answer or None for answer in of_vectors.tolist()] == plain

    df = spark.createDataFrame(rows, "i int, p boolean, q boolean, r boolean")
    lf = column_lf("lf", vote({choice: df[name] for choice, name in zip(classes, "pqr", strict=True)}))
    names = classes if isinstance(classes[0], str) else ()
    numbers = {None: 0, **{choice: i for i, choice in enumerate(classes, start=1)}}
    expected = {row[0]: [numbers[answer]] for row, answer in zip(rows, plain, strict=True)}
    assert votes_of(apply_lfs(df, [lf], key=["i"], num_classes=3, class_names=names)) == expected


def test_of_columns_plain_truth_values_may_stand_beside(spark):
    df = spark.createDataFrame([(1, True), (2, False), (3, None)], "i int, p boolean")
    lfs = [
        column_lf("both", vote(positive=df.p, negative=True)),
        column_lf("never", vote(positive=df.p, negative=None)),
    ]
    assert votes_of(apply_lfs(df, lfs, key=["i"])) == {1: [0, 1], 2: [-1, 0], 3: [-1, 0]}


def test_no_condition_or_two_ways_to_give_them_are_refused():
    for no_condition in (lambda: vote(), lambda: vote({})):
        with pytest.raises(ValueError, match="vote got no condition: expected positive=..., negative=..."):
            no_condition()
    with pytest.raises(ValueError, match="conditions by class and positive or negative: expected one of"):
        vote({1: True}, positive=False)
