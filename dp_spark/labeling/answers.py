"""What labeling functions return, turned into votes: answers one by one, or a vector for a batch."""

import functools
import sys
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dp_spark.labeling.votes import ABSTAIN, Classes, Votes

_NUMPY_OWN = "iu"  # kinds of NumPy types that can hold votes as they are


class IllegalAnswerError(Exception):
    """An answer that is not a vote, and its position."""

    def __init__(self, position: int, answer: object) -> None:
        super().__init__(position, answer)
        self.position = position
        self.answer = answer


class IllegalVectorError(Exception):
    """What a function of a batch returned is no vector with a vote for every data point."""


def votes_of_answers(answers: Sequence[object], classes: Classes) -> Votes:
    """The votes that answers stand for: (len(answers),) int8.

    Nearly all answers are objects that there is only one of, such as None, small integers, and constants in
    code that could be names of variables: they are found by their address, without a look into them.

    Raises:
        IllegalAnswerError: with the first answer that is not a vote.
    """
    if not answers:
        return np.zeros(0, dtype=np.int8)
    objects = np.fromiter(answers, dtype=object, count=len(answers))
    addresses = np.frombuffer(objects, dtype=np.intp)
    known = _known_answers(classes)
    nearest = np.searchsorted(known.addresses[1:], addresses, side="right")
    votes = known.votes[nearest]
    for position in np.flatnonzero(known.addresses[nearest] != addresses).tolist():
        vote = classes.vote_of(answers[position])
        if vote is None:
            raise IllegalAnswerError(position, answers[position])
        votes[position] = vote
    return votes


def votes_of_vector(vector: object, num_rows: int, classes: Classes) -> Votes:
    """The votes of a vector that a function of a batch returned: (num_rows,) int8.

    Args:
        vector: a NumPy array, Arrow array, pandas Series or list with one vote per data point. Null (not NaN)
            abstains. A Series whose index is a permutation of 0 to num_rows - 1, as sorting leaves it, is
            put back in order.
        num_rows: of the batch.
        classes: of the task.

    Raises:
        IllegalVectorError: if it is something else, or of another length or index.
        IllegalAnswerError: with the first value that is not a vote.
    """
    values = _aligned(vector, num_rows) if _is_pandas(vector) else vector
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, np.ndarray):
        _refuse_shape(values.shape, num_rows)
        return _of_numpy(values, classes)
    if not isinstance(values, (pa.Array, list, tuple)):
        raise IllegalVectorError(
            f"returned a value of type {type(vector).__name__!r}: expected a vector with one vote per data "
            "point (NumPy or Arrow array, pandas Series or list)"
        )
    _refuse_shape((len(values),), num_rows)
    return _of_arrow(values, classes) if isinstance(values, pa.Array) else votes_of_answers(values, classes)


def answers_of_vector(vector: object, num_rows: int) -> list[object]:
    """The values of a vector with one vote per data point, as Python has them, in the order of the batch."""
    values = _aligned(vector, num_rows) if _is_pandas(vector) else vector
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return list(values.to_pylist())
    return list(values.tolist() if isinstance(values, np.ndarray) else cast("Sequence[object]", values))


class _KnownAnswers:
    """Objects by their addresses, in order, and the votes that they stand for; kept, or others might move in."""

    def __init__(self, classes: Classes) -> None:
        votes: dict[object, int] = {None: ABSTAIN, **{vote: vote for vote in classes.legal_votes}}
        votes.update({sys.intern(str(name)): vote for name, vote in classes.vote_of_name.items()})
        self.objects = sorted(votes, key=id)
        self.addresses = np.array(list(map(id, self.objects)), dtype=np.intp)
        self.votes = np.array([votes[one] for one in self.objects], dtype=np.int8)


_known_answers = functools.cache(_KnownAnswers)


def _of_numpy(values: npt.NDArray[np.generic], classes: Classes) -> Votes:
    if values.dtype.kind not in _NUMPY_OWN:
        return votes_of_answers(values.tolist(), classes)
    legal = classes.legal_votes
    numbers = cast("npt.NDArray[np.int64]", values)  # or of another width: a cast turns 2**64 - 1 into -1
    illegal = (numbers < legal[0]) | (numbers > legal[-1])
    if illegal.any():
        position = int(illegal.argmax())
        raise IllegalAnswerError(position, values[position].item())
    return values.astype(np.int8)


def _of_arrow(values: pa.Array, classes: Classes) -> Votes:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _of_names(values, classes)
    if not pa.types.is_integer(values.type):
        return votes_of_answers(values.to_pylist(), classes)
    filled = values.fill_null(ABSTAIN) if values.null_count else values
    return _of_numpy(filled.to_numpy(zero_copy_only=False), classes)


def _of_names(values: pa.Array, classes: Classes) -> Votes:
    """The votes of texts; every different one is looked at once."""
    encoded = values.dictionary_encode()
    number = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    try:
        of_text = votes_of_answers([*encoded.dictionary.to_pylist(), None], classes)
    except IllegalAnswerError as problem:
        raise IllegalAnswerError(int((number == problem.position).argmax()), problem.answer) from None
    votes: Votes = of_text[number]
    return votes


def _is_pandas(vector: object) -> bool:
    return type(vector).__module__.startswith("pandas.")


def _aligned(series: object, num_rows: int) -> object:
    """The values of a pandas Series in the order of the batch, nulls of its extension types as nulls."""
    index = getattr(series, "index", None)
    if index is None or not hasattr(series, "dtype"):
        return series  # a DataFrame, an Index: refused as no vector
    labels = np.asarray(index)
    if len(labels) == num_rows and not np.array_equal(labels, np.arange(num_rows)):
        if labels.dtype.kind not in _NUMPY_OWN or not np.array_equal(np.sort(labels), np.arange(num_rows)):
            raise IllegalVectorError(
                f"returned a Series with the index {labels[:5].tolist()}...: expected that of the batch, 0 to "
                f"{num_rows - 1}"
            )
        series = series.sort_index()  # type: ignore[attr-defined]
    if isinstance(series.dtype, np.dtype):
        return np.asarray(series)
    try:
        return pa.array(series.array, from_pandas=True)  # type: ignore[attr-defined]
    except (pa.ArrowException, TypeError):  # a type of pandas that Arrow lacks: each value is judged
        return list(series)  # type: ignore[call-overload]


def _refuse_shape(shape: tuple[int, ...], num_rows: int) -> None:
    if shape != (num_rows,):
        raise IllegalVectorError(
            f"returned a vector of shape {shape} for a batch of {num_rows} data points: expected one vote per "
            "data point, in their order"
        )
