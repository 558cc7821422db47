"""The votes of all pattern labeling functions on one column, which are searched together."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from dp_spark.labeling.answers import votes_of_vector
from dp_spark.labeling.ballot import PatternGroup
from dp_spark.labeling.batch_views import BatchViews
from dp_spark.labeling.data_point import unreadable
from dp_spark.labeling.tally import NANOSECONDS
from dp_spark.labeling.task_state import ANYTHING, TaskState, peak_kib
from dp_spark.labeling.vote import Vote, vote
from dp_spark.labeling.votes import Votes

Truth = npt.NDArray[np.bool_]


def vote_by_patterns(state: TaskState, group: PatternGroup, views: BatchViews, by_lf: Votes) -> None:
    """Fill in the rows of `by_lf`, (m, rows), of all labeling functions of a group.

    Raises:
        LabelingFunctionError: if a pattern failed, by taking too long, more often than its budget allows.
    """
    owners, numbers, peak = group.owners, state.tally.numbers, peak_kib()

    def verify(unit: int, results: Iterator[object], rows: npt.NDArray[np.generic]) -> Truth:
        return _searched(state, owners[unit][0], results, rows, views)

    texts = views.column(group.column)
    try:
        matches = group.matcher.match(texts, verify)
    except UnicodeDecodeError as problem:
        raise unreadable(group.column, texts, problem) from None
    found: dict[int, dict[Vote, Truth]] = {}
    for (position, choice), rows, seconds in zip(owners, matches.rows, matches.seconds, strict=True):
        by_class = found.setdefault(position, {})
        if choice not in by_class:
            by_class[choice] = np.zeros(views.num_rows, dtype=bool)
        by_class[choice][rows] = True
        numbers[position, NANOSECONDS] += int(seconds * 1e9)
    for position, by_class in found.items():
        by_lf[position] = _decided(state, by_class, views)
        numbers[position, NANOSECONDS] += int(matches.shared_seconds / len(found) * 1e9)
        state.refuse_overspent(position, views)
    state.add_growth(owners[0][0], peak)


def _decided(state: TaskState, by_class: Mapping[Vote, Truth], views: BatchViews) -> Votes:
    classes = state.ballot.classes
    if len(by_class) == 1:  # the usual case, in one operation
        ((choice, truth),) = by_class.items()
        return truth * np.int8(classes.vote_of(choice) or 0)
    return votes_of_vector(vote(by_class), views.num_rows, classes)


def _searched(
    state: TaskState,
    position: int,
    results: Iterator[object],
    rows: npt.NDArray[np.generic],
    views: BatchViews,
) -> Truth:
    """In which texts a pattern was found; not in those on which it failed within its budget."""
    found: list[object] = []
    state.running(position, found.__len__)
    while len(found) < len(rows):
        try:
            found.extend(results)
        except ANYTHING as problem:
            state.failed(position, views, int(rows[len(found)]), problem)
            found.append(None)
    state.watch.rest()
    return np.fromiter(map(bool, found), dtype=np.bool_, count=len(found))
