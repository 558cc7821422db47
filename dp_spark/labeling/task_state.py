"""What a task keeps while it casts votes: tally, watch, and the failures of labeling functions with their budgets."""

import contextlib
import resource
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from dp_spark.errors import IllegalVoteError, LabelingFunctionError
from dp_spark.labeling.ballot import Ballot
from dp_spark.labeling.batch_views import BatchViews, key_of
from dp_spark.labeling.data_point import UnreadableValueError, explained
from dp_spark.labeling.preprocessors import Derived
from dp_spark.labeling.rules import BatchRule, RowRule
from dp_spark.labeling.tally import (
    ERRORS,
    GROWTH_KIB,
    NANOSECONDS,
    NUM_SAMPLES,
    ROWS,
    Tally,
    error_sample,
    failures_text,
)
from dp_spark.labeling.votes import Votes
from dp_spark.labeling.watch import TimedOutError, Watch
from dp_spark.worker_errors import missing_module

# What the code of users may raise: a SystemExit, and the panic of a library in Rust, are no Exception. What is
# not caught ends the task without naming its labeling function, and with a message that may hold values of a row.
ANYTHING = BaseException
_MAX_SHOWN = 100  # characters of an illegal vote that an error shows

Trail = Callable[[int], None]


class TaskState:
    """The ballot of a task and everything that changes while it is worked off.

    Attributes:
        ballot: the labeling functions and the rules.
        tally: what they did so far.
        derived: the preprocessors at work, by name.
        watch: over hanging labeling functions.
        trail: told what runs, in a search for a crash; else None.
    """

    def __init__(self, ballot: Ballot, trail: Trail | None = None) -> None:
        self.ballot = ballot
        self.tally = Tally.empty(len(ballot.names), len(ballot.preprocessors), ballot.classes)
        self.derived = {p.name: Derived(p) for p in ballot.preprocessors}
        self.watch = Watch(trail)
        self.trail = trail

    def running(self, position: int, where: Callable[[], object]) -> None:
        """Tell the watch which labeling function runs, and how to ask where it is."""
        self.watch.running(position, self.ballot.timeouts[position], where)

    @contextlib.contextmanager
    def measured(self, position: int) -> Iterator[None]:
        """Add the block's time and growth of memory to a labeling function, but not that of preprocessors."""
        numbers, num_lfs = self.tally.numbers, len(self.ballot.names)
        before = [one.seconds for one in self.derived.values()]
        peak, started = peak_kib(), time.perf_counter()
        try:
            yield
        finally:
            self.watch.rest()
            spent = time.perf_counter() - started
            for i, (one, earlier) in enumerate(zip(self.derived.values(), before, strict=True)):
                numbers[num_lfs + i, NANOSECONDS] += int((one.seconds - earlier) * 1e9)
                spent -= one.seconds - earlier
            numbers[position, NANOSECONDS] += int(spent * 1e9)
            self.add_growth(position, peak)

    def add_growth(self, position: int, peak_before_kib: int) -> None:
        """Add what the process grew by; not in the first batch, which loads resources."""
        if self.tally.numbers[position, ROWS]:
            self.tally.numbers[position, GROWTH_KIB] += peak_kib() - peak_before_kib

    def failed(self, position: int, views: BatchViews, row: int, problem: BaseException) -> None:
        """Count a failure on a row.

        Raises:
            UnreadableValueError: if it is one: the table's fault.
            EnvironmentProblem: if a module is missing, which no budget is meant for.
            LabelingFunctionError: if it is a timeout beyond the budget, as waiting for more helps nobody.
        """
        if isinstance(problem, UnreadableValueError):
            raise problem
        if isinstance(problem, ModuleNotFoundError) and not self.ballot.is_trial:
            raise missing_module(problem.name, self.ballot.names[position])
        self.tally.numbers[position, ERRORS] += 1
        if not self.has_enough_samples(position):
            name, with_message = self.name_row(views, row), self.ballot.is_trial
            sample = error_sample(
                name, explained(problem), self._own_file(position), with_message=with_message
            )
            self.tally.samples[position].append(sample)
        if isinstance(problem, TimedOutError):
            self.refuse_overspent(position, views)
            if self.ballot.is_trial:  # nobody waits in a notebook for one hanging row after the other
                raise LabelingFunctionError(
                    f"labeling function {self.ballot.names[position]!r} {problem} on the row "
                    f"{self.name_row(views, row)}. Simplify it, or allow more time with timeout_seconds."
                )

    def has_enough_samples(self, position: int) -> bool:
        """Whether no more failures of a labeling function will be kept."""
        return len(self.tally.samples[position]) == NUM_SAMPLES

    def refuse_overspent(self, position: int, views: BatchViews) -> None:
        """Refuse a labeling function that failed more often than its budget allows; shares wait for the end.

        Raises:
            LabelingFunctionError: with counts and samples.
        """
        budget, errors = self.ballot.budgets[position], int(self.tally.numbers[position, ERRORS])
        if self.ballot.is_trial or isinstance(budget, float) or errors <= budget:
            return
        seen = int(self.tally.numbers[position, ROWS]) + views.num_rows
        said = overspent(self.ballot.names[position], errors, seen, budget)
        so_far = " Counted in the first task that noticed: the whole table may hold more."
        raise LabelingFunctionError(said + so_far + failures_text(self.tally.samples[position]))

    def without_illegal(
        self, position: int, views: BatchViews, answers: Sequence[object], first_row: int, at: int
    ) -> Votes:
        """Refuse answers of which one is no vote; in a trial, record all that are none and abstain there.

        Args:
            position: of the labeling function.
            views: the batch.
            answers: what it returned.
            first_row: the row of the first answer.
            at: the position of an answer that is no vote.

        Raises:
            IllegalVoteError: with the value and the row.
        """
        classes = self.ballot.classes
        if not self.ballot.is_trial:
            kinds = "an integer vote or a class name" if classes.names else "an integer vote"
            is_name = isinstance(answers[at], str) and not classes.names
            hint = " Names of classes have to be declared: class_names=[...]." if is_name else ""
            raise IllegalVoteError(
                f"labeling function {self.ballot.names[position]!r} returned {_shown(answers[at])} for the row "
                f"{self.name_row(views, first_row + at)}: {classes.expected()}. Return {kinds}.{hint}"
            )
        votes = np.zeros(len(answers), dtype=np.int8)
        for i, answer in enumerate(answers):
            vote = classes.vote_of(answer)
            votes[i] = vote or 0
            if vote is None:
                illegal = IllegalVoteError(f"returned {_shown(answer)}: {classes.expected()}")
                self.failed(position, views, first_row + i, illegal)
        return votes

    def name_row(self, views: BatchViews, row: int) -> str:
        """The key of a row, as text."""
        return key_of({name: views.column(name) for name in self.ballot.key}, row)

    def _own_file(self, position: int) -> str:
        functions: list[object] = []
        for lf in (lf for at, lf in self.ballot.python if at == position):
            functions.append(lf.resources.get("predict") if lf.kind == "model" else None)
            functions.append(lf.rule.function if isinstance(lf.rule, (RowRule, BatchRule)) else None)
        codes = [getattr(function, "__code__", None) for function in functions if function is not None]
        return str(codes[0].co_filename) if codes and codes[0] is not None else ""


def overspent(name: str, num_errors: int, num_seen: int, budget: int | float) -> str:
    """What an error says of a labeling function that failed too often; samples follow."""
    allowed = f"{budget:.4g} of them" if isinstance(budget, float) else f"{budget:,}"
    advice = "Correct it, or let it return None for data points like these, or allow more errors."
    if num_errors == num_seen > 1:
        advice = "It failed on every one, which no budget covers: correct it."
    return (
        f"labeling function {name!r} failed on {num_errors:,} of {num_seen:,} data points, more than its "
        f"budget allows (max_errors: {allowed}). {advice} What the exceptions say may hold values of the rows: "
        "dp-spark try (in Python dp_spark.try_lfs) shows it."
    )


def peak_kib() -> int:
    """The largest size that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _shown(answer: object) -> str:
    return repr(answer)[:_MAX_SHOWN]
