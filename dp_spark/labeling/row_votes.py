"""The votes of a function of one data point on a batch."""

from collections.abc import Callable

from dp_spark.labeling.answers import IllegalAnswerError, votes_of_answers
from dp_spark.labeling.batch_views import BatchViews
from dp_spark.labeling.task_state import ANYTHING, TaskState, Trail
from dp_spark.labeling.votes import Votes

RowFunction = Callable[[object], object]


def votes_of_rows(state: TaskState, position: int, function: RowFunction, views: BatchViews) -> Votes:
    """The votes of a function on all rows of a batch: (rows,) int8; 0 where it failed within its budget.

    Raises:
        LabelingFunctionError: if it failed more often than its budget allows.
        IllegalVoteError: if it returned something else than a vote.
    """
    points = views.points()
    answers: list[object] = []
    state.running(position, answers.__len__)
    if state.trail is not None:
        function = _leaving_a_trail(state.trail, position, len(state.ballot.names), function, answers)
    rest = iter(points)
    while len(answers) < len(points):
        try:
            answers.extend(map(function, rest))  # what was answered before an exception stays
            if len(answers) < len(points):
                # A StopIteration ends `map` as if there were no more rows: see where it comes from.
                answers.append(function(points[len(answers)]))
        except ANYTHING as problem:
            state.failed(position, views, len(answers), problem)
            answers.append(None)
    state.refuse_overspent(position, views)
    try:
        return votes_of_answers(answers, state.ballot.classes)
    except IllegalAnswerError as problem:
        return state.without_illegal(position, views, answers, 0, problem.position)


def _leaving_a_trail(
    trail: Trail, position: int, num_lfs: int, function: RowFunction, answers: list[object]
) -> RowFunction:
    def noted(x: object) -> object:
        trail(position + num_lfs * (1 + len(answers)))
        return function(x)

    return noted
