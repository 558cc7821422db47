import math

import numpy as np
import pytest

from dp_spark.labeling.votes import as_votes, check_votes, classes_of, first_illegal


def test_two_classes_vote_minus_one_and_one_and_more_vote_from_one():
    assert classes_of(2) == (-1, 1)
    assert classes_of(3) == (1, 2, 3)
    assert classes_of(127)[-1] == 127


@pytest.mark.parametrize("num_classes", [-1, 0, 1, 128])
def test_other_numbers_of_classes_are_refused(num_classes):
    with pytest.raises(ValueError, match=f"num_classes is {num_classes}: expected 2 to 127"):
        classes_of(num_classes)


@pytest.mark.parametrize(
    "answer", [7, -2, 2, math.nan, "spam", "1", True, False, 1.0, np.float32(1), np.True_, [1]]
)
def test_what_is_not_a_vote_is_found_by_its_position(answer):
    assert first_illegal([1, None, answer, 7], num_classes=2) == 2


@pytest.mark.parametrize("answer", [1, -1, 0, None, np.int64(1), np.int8(-1)])
def test_integers_and_none_are_votes(answer):
    assert first_illegal([answer, answer], num_classes=2) is None


def test_the_number_of_classes_decides_what_is_legal():
    assert first_illegal([0, 3, None], num_classes=3) is None
    assert first_illegal([0, 3, -1], num_classes=3) == 2
    assert first_illegal([4], num_classes=3) == 0


def test_none_becomes_an_abstention():
    votes = as_votes([None, 1, 0, -1, np.int64(1)])
    assert votes.tolist() == [0, 1, 0, -1, 1]
    assert votes.dtype == np.int8


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
