import math

import numpy as np
import pytest

from dp_spark.labeling.votes import Classes, check_votes, classes_of

TOPICS = Classes(3, ("sports", "music", "food"))


def test_two_classes_vote_minus_one_and_one_and_more_vote_from_one():
    assert classes_of(2) == Classes().votes == (-1, 1)
    assert classes_of(3) == TOPICS.votes == (1, 2, 3)
    assert classes_of(127)[-1] == 127


@pytest.mark.parametrize("num_classes", [-1, 0, 1, 128])
def test_other_numbers_of_classes_are_refused(num_classes):
    with pytest.raises(ValueError, match=f"num_classes is {num_classes}: expected 2 to 127"):
        classes_of(num_classes)
    with pytest.raises(ValueError, match=f"num_classes is {num_classes}: expected 2 to 127"):
        Classes(num_classes)


@pytest.mark.parametrize(
    "answer", [7, -2, 2, 10**30, math.nan, "spam", "1", True, False, 1.0, np.float32(1), np.True_, [1]]
)
def test_what_is_not_a_vote_stands_for_none(answer):
    assert Classes().vote_of(answer) is None


@pytest.mark.parametrize(
    ("answer", "vote"), [(1, 1), (-1, -1), (0, 0), (None, 0), (np.int64(1), 1), (np.int8(-1), -1)]
)
def test_integers_and_none_are_votes(answer, vote):
    assert Classes().vote_of(answer) == vote


def test_names_stand_for_the_classes_in_their_order_the_negative_one_first():
    assert [TOPICS.vote_of(name) for name in ("sports", "music", "food")] == [1, 2, 3]
    assert [Classes(2, ("ham", "spam")).vote_of(name) for name in ("ham", "spam")] == [-1, 1]
    assert TOPICS.vote_of(3) == 3
    assert [TOPICS.vote_of(other) for other in ("Food", "", -1, 4)] == [None] * 4


def test_reports_and_errors_call_classes_by_name_if_they_have_one():
    assert (TOPICS.labels, Classes(3).labels, Classes().labels) == (
        TOPICS.names,
        ("1", "2", "3"),
        ("-1", "1"),
    )
    assert Classes().expected() == "expected one of (-1, 1), or 0 or None to abstain"
    assert "one of (1, 2, 3) or ('sports', 'music', 'food'), or 0" in TOPICS.expected()


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c"), ("a", "a")])
def test_names_that_are_not_one_for_each_class_are_refused(names):
    with pytest.raises(ValueError, match=r"class_names is \['a'.*: expected 2 different names.*\(-1, 1\)"):
        Classes(2, names)


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        (np.array([1, 0]), r"shape \(2,\) and dtype int64: expected an \(n, m\) integer array"),
        (np.array([[0.5]]), r"dtype float64: expected an \(n, m\) integer array"),
        (np.array([[1, 0], [0, 7]]), r"votes\[1, 1\] is 7: expected one of \(0, -1, 1\) for num_classes=2"),
    ],
)
def test_arrays_that_are_no_label_matrix_are_refused(votes, message):
    with pytest.raises(ValueError, match=message):
        check_votes(votes, num_classes=2)
