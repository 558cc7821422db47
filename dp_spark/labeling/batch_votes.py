"""The votes of a function of batches: what fails on a batch is tried on its halves, down to the row at fault."""

from collections.abc import Callable

import numpy as np

from dp_spark.errors import LabelingFunctionError
from dp_spark.labeling.answers import (
    IllegalAnswerError,
    IllegalVectorError,
    answers_of_vector,
    votes_of_vector,
)
from dp_spark.labeling.batch_views import BatchViews
from dp_spark.labeling.data_point import UnreadableValueError
from dp_spark.labeling.tally import ERRORS
from dp_spark.labeling.task_state import ANYTHING, TaskState
from dp_spark.labeling.votes import Votes
from dp_spark.labeling.watch import TimedOutError

BatchFunction = Callable[[object], object]
Show = Callable[[int, int], object]


def votes_of_batch(
    state: TaskState, position: int, function: BatchFunction, show: Show, views: BatchViews
) -> Votes:
    """The votes of a function on a batch: (rows,) int8; 0 where it failed within its budget.

    Args:
        state: of the task.
        position: of the labeling function.
        function: takes what `show` returns.
        show: the rows from a start to a stop, in the shape that the function wants.
        views: the batch.

    Raises:
        LabelingFunctionError: if it failed more often than its budget allows, or returned no vector of votes.
        IllegalVoteError: if the vector holds something else than votes.
    """
    votes = np.zeros(views.num_rows, dtype=np.int8)
    waiting = [(0, views.num_rows)]
    while waiting:
        start, stop = waiting.pop()
        state.running(position, lambda part=(start, stop): part)  # type: ignore[misc] # bound now, not later
        try:
            vector = function(show(start, stop))
        except UnreadableValueError:
            raise
        except IllegalVectorError as problem:  # of a model; on one row its shape might be right by chance
            raise _no_vector(state, position, problem) from None
        except TimedOutError as problem:
            state.tally.numbers[position, ERRORS] += stop - start - 1  # all of them, with one sample
            state.failed(position, views, start, problem)
        except ANYTHING as problem:
            if stop - start > 1:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]
                continue
            state.failed(position, views, start, problem)
            if state.has_enough_samples(position):
                state.refuse_overspent(position, views)
        else:
            votes[start:stop] = _checked(state, position, vector, start, stop, views)
    state.refuse_overspent(position, views)
    return votes


def _checked(
    state: TaskState, position: int, vector: object, start: int, stop: int, views: BatchViews
) -> Votes:
    try:
        return votes_of_vector(vector, stop - start, state.ballot.classes)
    except IllegalVectorError as problem:
        raise _no_vector(state, position, problem) from None
    except IllegalAnswerError as problem:
        answers = answers_of_vector(vector, stop - start)
        return state.without_illegal(position, views, answers, start, problem.position)


def _no_vector(state: TaskState, position: int, problem: IllegalVectorError) -> LabelingFunctionError:
    name = state.ballot.names[position]
    return LabelingFunctionError(f"labeling function {name!r} {problem}. Correct what it returns.")
