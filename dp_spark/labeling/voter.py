"""Casting the votes of one task, in a Python worker.  (Tutorial, step 1.)

Every labeling function votes on a whole batch before the next one does, so that it is timed with two looks at
the clock per batch. Its failures are counted against its budget.
"""

import contextlib
import functools
import gc
import importlib
import sys
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from dp_spark.errors import DpSparkError, LabelingFunctionError, SchemaError
from dp_spark.labeling.ballot import Ballot, columns_of
from dp_spark.labeling.batch_views import BatchViews
from dp_spark.labeling.batch_votes import votes_of_batch
from dp_spark.labeling.data_point import UnreadableValueError, row_type
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.module_check import refuse_other_modules
from dp_spark.labeling.packing import pack_votes, unpack_votes
from dp_spark.labeling.pattern_votes import vote_by_patterns
from dp_spark.labeling.resources import loaded
from dp_spark.labeling.row_votes import votes_of_rows
from dp_spark.labeling.rules import BatchRule, RowRule
from dp_spark.labeling.tally import ROWS, no_tally
from dp_spark.labeling.task_state import ANYTHING, TaskState, Trail
from dp_spark.labeling.votes import Votes
from dp_spark.labeling.watch import MAX_PRINTED, LimitedOutput
from dp_spark.worker_errors import marked

_MANY_OBJECTS = 50_000  # new ones before Python looks for garbage among them; a few MB


def cast_votes(
    batches: Iterable[pa.RecordBatch], ballot: Ballot, *, is_tallied: bool
) -> Iterator[pa.RecordBatch]:
    """The key columns and packed votes of every batch of a task.

    Args:
        batches: of data points.
        ballot: who votes.
        is_tallied: two more columns hold what was counted, in the first row of the last batch.

    Raises:
        LabelingFunctionError, IllegalVoteError, SchemaError: marked for the driver, without their cause.
    """
    try:
        refuse_other_modules(ballot.modules)
    except DpSparkError as problem:
        raise marked(problem) from None
    voter = Voter(ballot)
    waiting: list[pa.Array] = []
    output, messages = LimitedOutput(sys.stdout), LimitedOutput(sys.stderr)
    names = [*ballot.key, "votes", *(["tally", "errors"] if is_tallied else [])]
    for batch in _cut(batches, ballot.max_batch_rows):
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(messages):
                votes = voter.votes_of(batch)
        except DpSparkError as problem:
            raise marked(problem) from None
        if waiting:
            rest = no_tally(len(waiting[0])) if is_tallied else []
            yield pa.RecordBatch.from_arrays([*waiting, *rest], names=names)
        keys = [batch.column(batch.schema.get_field_index(name)) for name in ballot.key]
        waiting = [*keys, pack_votes(votes)]
    if waiting:
        rest = voter.state.tally.arrow(len(waiting[0])) if is_tallied else []
        yield pa.RecordBatch.from_arrays([*waiting, *rest], names=names)
    for name, stream in (("stdout", output), ("stderr", messages)):
        if stream.num_written > MAX_PRINTED:
            sys.stderr.write(
                f"dp_spark: labeling functions wrote {stream.num_written:,} characters to {name} in this task; "
                f"those after the first {MAX_PRINTED:,} were dropped.\n"
            )


class Voter:
    """The labeling functions of a ballot at work in one task; its state holds the tally."""

    def __init__(self, ballot: Ballot, trail: Trail | None = None) -> None:
        self.state = TaskState(ballot, trail)
        # What a function of rows, or a preprocessor, reads; the rest stays in Arrow.
        readers = [lf for _, lf in ballot.python if isinstance(lf.rule, RowRule) or lf.preprocessors]
        self._columns = columns_of(readers, ballot.columns)
        self._row_type = row_type(self._columns, self.state.derived)
        watched = [position for position, _ in ballot.python]
        watched += [position for group in ballot.groups for position, _ in group.owners]
        if any(
            isinstance(lf.rule, BatchRule) and lf.rule.batch_format == "pandas" for _, lf in ballot.python
        ):
            importlib.import_module("pandas")  # now, or it would count as time of the first that uses it
        self._timeouts = [ballot.timeouts[position] for position in watched]

    def votes_of(self, batch: pa.RecordBatch) -> Votes:
        """The votes on a batch, (rows, m), which the tally then holds.

        Args:
            batch: the columns of a data point, then the packed votes that were cast in Spark, if any were.

        Raises:
            LabelingFunctionError: if a labeling function failed more often than its budget allows.
            IllegalVoteError: if one returned something else than votes.
            SchemaError: if Python cannot hold a value that one needs.
        """
        state, ballot = self.state, self.state.ballot
        by_lf = np.zeros((len(ballot.names), batch.num_rows), dtype=np.int8)
        if ballot.spark:
            by_lf[list(ballot.spark)] = unpack_votes(batch.columns[-1], len(ballot.spark)).T
            batch = batch.select(list(ballot.columns))
        views = BatchViews(batch, self._columns, self._row_type)
        try:
            with state.watch.on(self._timeouts):
                for position, lf in ballot.python:
                    with state.measured(position):
                        by_lf[position] = self._votes_of_lf(position, lf, views)
                for group in ballot.groups:
                    vote_by_patterns(state, group, views, by_lf)
        except UnreadableValueError as problem:
            raise SchemaError(_unreadable(problem, state.name_row(views, problem.row))) from None
        votes = np.ascontiguousarray(by_lf.T)
        state.tally.add_votes(votes, ballot.classes)
        for i, one in enumerate(state.derived.values(), start=len(ballot.names)):
            state.tally.numbers[i, ROWS] = one.num_computed
        _spare_the_garbage_collector()
        return votes

    def _votes_of_lf(self, position: int, lf: LabelingFunction, views: BatchViews) -> Votes:
        state, rule = self.state, lf.rule
        state.running(position, int)
        arguments = _loaded(lf)
        state.watch.rest()
        match rule:
            case RowRule(function=function):
                bound = functools.partial(function, **arguments) if arguments else function
                return votes_of_rows(state, position, bound, views)
            case BatchRule(function=function, batch_format=batch_format):
                derived = [p.name for p in lf.preprocessors]
                show = functools.partial(views.shown, batch_format, lf.columns, derived)
                return votes_of_batch(state, position, functools.partial(function, **arguments), show, views)
        raise TypeError(f"{type(rule).__name__} is no rule for Python workers")


@functools.cache
def _spare_the_garbage_collector() -> None:
    """Once per process: garbage is looked for seldom, and not in what is loaded by now, resources too.

    A batch is ten thousand new data points, and each few hundred of them would start a search (7% of all time).
    """
    gc.freeze()
    gc.set_threshold(max(gc.get_threshold()[0], _MANY_OBJECTS), *gc.get_threshold()[1:])


def _loaded(lf: LabelingFunction) -> dict[str, object]:
    try:
        return loaded(lf.resources)
    except ANYTHING as problem:
        raise LabelingFunctionError(
            f"labeling function {lf.name!r} could not load its resources: {type(problem).__name__}: {problem}. "
            "Is what they are loaded from there on every machine?"
        ) from None


def _unreadable(problem: UnreadableValueError, row: str) -> str:
    if problem.is_text:
        return (
            f"the column {problem.column!r} holds a text that is not valid UTF-8 in the row {row}: expected "
            "text. Clean it with Spark's make_valid_utf8, or cast the column to binary."
        )
    return (
        f"the column {problem.column!r} holds a value that Python cannot hold in the row {row}: expected dates "
        "and times of the years 1 to 9999. Correct it, or cast the column to string."
    )


def _cut(batches: Iterable[pa.RecordBatch], max_rows: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        size = max_rows or batch.num_rows
        for start in range(0, batch.num_rows, max(size, 1)):
            yield batch if size == batch.num_rows else batch.slice(start, size)
