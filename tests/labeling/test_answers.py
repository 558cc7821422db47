from enum import IntEnum

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dp_spark.labeling.answers import (
    IllegalAnswerError,
    IllegalVectorError,
    answers_of_vector,
    votes_of_answers,
    votes_of_vector,
)
from dp_spark.labeling.votes import Classes

BINARY = Classes()
TOPICS = Classes(4, ("sports", "politics", "music", "food"))
NAMED = ["food", None, "sports", "music"]  # 4, 0, 1, 3


def test_answers_of_any_legal_type_become_int8():
    votes = votes_of_answers([None, 1, 0, -1, np.int64(1)], BINARY)
    assert votes.tolist() == [0, 1, 0, -1, 1]
    assert votes.dtype == np.int8
    assert votes_of_answers([None, 1, -1], BINARY).tolist() == [0, 1, -1]
    assert votes_of_answers(["food", 2, None, "sports"], TOPICS).tolist() == [4, 2, 0, 1]
    assert votes_of_answers([], BINARY).tolist() == []


class Rating(IntEnum):
    BAD, GOOD = -1, 1


def test_answers_that_are_other_objects_than_the_constants_are_votes_too():
    read = "".join(["fo", "od"])  # as if read from a file: not the object that code calls "food"
    assert read is not "food"  # noqa: F632 # it is about the object
    assert votes_of_answers([read, "food", np.int8(2), None], TOPICS).tolist() == [4, 4, 2, 0]
    assert votes_of_answers([Rating.BAD, 1, Rating.GOOD, np.int64(0)], BINARY).tolist() == [-1, 1, 1, 0]
    many = Classes(127)
    assert votes_of_answers([*range(128), None], many).tolist() == [*range(128), 0]
    assert votes_of_answers(["b c", "a"], Classes(2, tuple(np.array(["a", "b c"])))).tolist() == [1, -1]


@pytest.mark.parametrize("illegal", [True, 1.0, float("nan"), "food", "1", 2, np.int64(7), [1], {}, b"1"])
def test_the_first_illegal_answer_is_found(illegal):
    with pytest.raises(IllegalAnswerError) as caught:
        votes_of_answers([1, None, illegal, illegal], BINARY)
    assert caught.value.position == 2
    assert caught.value.answer is illegal


@pytest.mark.parametrize(
    "vector",
    [
        [1, None, -1],
        np.array([1, 0, -1]),
        np.array([1, 0, -1], dtype=np.int8),
        np.array([9, 1, 9, 0, 9, -1, 9])[1::2],
        np.array([1, None, -1], dtype=object),
        pa.array([1, None, -1]),
        pa.array([9, 1, None, -1], pa.int8()).slice(1),
        pa.chunked_array([[1, None], [-1]]),
        pd.Series([1, 0, -1]),
        pd.Series([1, None, -1], dtype="Int64"),
        pd.Series([1, None, -1], dtype=object),
        pd.Series([-1, 1, 0], index=[2, 0, 1]),  # as sorting leaves it
    ],
    ids=lambda vector: type(vector).__name__,
)
def test_every_kind_of_vector_is_read_in_the_order_of_the_batch(vector):
    votes = votes_of_vector(vector, 3, BINARY)
    assert (votes.tolist(), votes.dtype) == ([1, 0, -1], np.int8)
    assert [answer or 0 for answer in answers_of_vector(vector, 3)] == [1, 0, -1]


@pytest.mark.parametrize(
    "vector",
    [
        NAMED,
        np.array(NAMED, dtype=object),
        pa.array(NAMED),
        pa.array(NAMED).dictionary_encode(),
        pd.Series(NAMED),
        pd.Series(NAMED, dtype="string"),
        pd.Series(NAMED, dtype="category"),
    ],
    ids=lambda vector: f"{type(vector).__name__}",
)
def test_class_names_may_stand_in_every_kind_of_vector(vector):
    assert votes_of_vector(vector, 4, TOPICS).tolist() == [4, 0, 1, 3]


@pytest.mark.parametrize(
    "vector",
    [
        np.array([1.0, 0.0]),
        np.array([True, False]),
        pd.Series([1, None]),  # floats, as pandas makes them of nulls
        pa.array([1.0, None]),
        pd.Series([True, False]),
        np.array(["food", ""]),
        np.array([2**64 - 1, 0], dtype=np.uint64),  # -1 if it were cast
        np.array([255, 0], dtype=np.uint8),
        pa.array([2, 1]),
    ],
    ids=lambda vector: f"{type(vector).__name__} {vector.tolist()}",  # an Arrow array's repr has its address
)
def test_values_that_are_no_votes_are_refused_at_their_position(vector):
    with pytest.raises(IllegalAnswerError) as caught:
        votes_of_vector(vector, 2, BINARY)
    assert caught.value.position == 0


def test_a_text_that_is_no_class_is_refused_where_it_first_stands():
    texts = pa.array(["food", None, "food", "games", "music", "games"])
    with pytest.raises(IllegalAnswerError) as caught:
        votes_of_vector(texts.slice(1), 5, TOPICS)
    assert (caught.value.position, caught.value.answer) == (2, "games")
    assert votes_of_vector(texts.slice(0, 3).cast(pa.large_string()), 3, TOPICS).tolist() == [4, 0, 4]


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.zeros(2), r"shape \(2,\) for a batch of 3 data points: expected one vote per data point"),
        ([1], r"shape \(1,\) for a batch of 3"),
        (np.zeros((3, 1), dtype=int), r"shape \(3, 1\)"),
        (1, "value of type 'int': expected a vector"),
        (None, "value of type 'NoneType'"),
        ("abc", "value of type 'str'"),
        (pd.DataFrame({"a": [1, 1, 1]}), "value of type 'DataFrame'"),
        (
            pd.Series([1, 1, 1], index=[5, 6, 7]),
            r"the index \[5, 6, 7\]...: expected that of the batch, 0 to 2",
        ),
    ],
)
def test_what_is_no_vector_with_a_vote_for_each_data_point_is_refused(vector, message):
    with pytest.raises(IllegalVectorError, match=message):
        votes_of_vector(vector, 3, BINARY)
