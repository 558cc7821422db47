"""What every labeling function did in a run: rows, votes per class, abstentions, errors, time, memory.

It is computed in the pass that casts the votes, and lies beside them on storage.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import LabelingFunctionError
from dp_spark.labeling.ballot import preprocessors_of
from dp_spark.labeling.jvm_votes import runs_in_spark
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.tally import (
    ERRORS,
    ERRORS_COLUMN,
    GROWTH_KIB,
    NANOSECONDS,
    NUM_FIXED,
    NUM_SAMPLES,
    ROWS,
    TALLY_COLUMN,
    ErrorSample,
    failures_text,
)
from dp_spark.labeling.task_state import overspent
from dp_spark.labeling.votes import Classes
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.texts import counted

logger = logging.getLogger(__name__)

LEAK_MIB = (
    512  # growth of a task's memory during one labeling function, beyond its first batch, worth a warning
)
SLOW_SHARE = 0.5  # of all Python time, above which a labeling function is named as slow
_MIN_NAMED_SECONDS = 1.0


@dataclass(frozen=True)
class LFRun:
    """One labeling function, or preprocessor, in one run.

    Attributes:
        name, kind, content_hash: of the labeling function; the kind of a preprocessor is "preprocessor".
        num_data_points: that it was shown; of a preprocessor, for which it was computed.
        votes: how often it voted for each class, by class name or vote.
        num_abstains: how often it abstained, without errors.
        num_errors: on how many data points it failed and therefore abstains.
        seconds: of Python in all tasks together, without preprocessors; None if it ran inside Spark. Pattern
            labeling functions share the time of their common search evenly.
        share_of_time: of the time of all labeling functions and preprocessors; None inside Spark.
        growth_mib: by how much tasks grew in memory while it ran, after its first batch, together.
        samples: some of its errors.
    """

    name: str
    kind: str
    content_hash: str
    num_data_points: int
    votes: Mapping[str, int]
    num_abstains: int
    num_errors: int
    seconds: float | None
    share_of_time: float | None
    growth_mib: float = 0.0
    samples: tuple[ErrorSample, ...] = field(default=())

    def to_dict(self) -> dict[str, object]:
        """The run in JSON's types; errors without messages."""
        samples = [{"row": s.row, "error": s.error, "line": s.line} for s in self.samples]
        return {**asdict(self), "votes": dict(self.votes), "samples": samples}

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> "LFRun":
        """The run that `to_dict` gave."""
        samples = content["samples"]
        found = tuple(ErrorSample(**s) for s in samples) if isinstance(samples, list) else ()
        return cls(**{**content, "samples": found})  # type: ignore[arg-type]


def runs_from_counts(
    lfs: Sequence[LabelingFunction], classes: Classes, num_rows: int, counts: Mapping[str, object]
) -> tuple[LFRun, ...]:
    """The runs of labeling functions that all ran inside Spark.

    Args:
        lfs: m labeling functions.
        classes: of the task.
        num_rows: data points.
        counts: votes by "position_vote", as observed.
    """
    numbers = np.zeros((len(lfs), NUM_FIXED + classes.num_classes), dtype=np.int64)
    numbers[:, ROWS] = num_rows
    for i in range(len(lfs)):
        numbers[i, NUM_FIXED:] = [int(str(counts[f"{i}_{vote}"] or 0)) for vote in classes.votes]
    return _runs(lfs, classes, numbers, {})


def runs_from_tallies(
    lfs: Sequence[LabelingFunction],
    classes: Classes,
    budgets: Sequence[int | float],
    written: DataFrame,
    *,
    is_trial: bool,
) -> tuple[LFRun, ...]:
    """The runs of labeling functions, from the tallies of all tasks.

    Args:
        lfs: m labeling functions.
        classes: of the task.
        budgets: per labeling function, on how many data points or what share of them it may fail.
        written: the label matrix with its tallies.
        is_trial: whether budgets do not count.

    Raises:
        LabelingFunctionError: naming all that failed more often than their budgets allow, or always.
    """
    width = NUM_FIXED + classes.num_classes
    tallies = written.select(F.posexplode(TALLY_COLUMN).alias("at", "number"))
    with named_jobs(written.sparkSession, f"adding up what {counted(len(lfs), 'LF')} did"):
        sums = (
            tallies.groupBy("at").agg(F.sum("number").alias("sum")).collect()
        )  # (m + preprocessors) * width rows
    flat = np.zeros((len(lfs) + len(preprocessors_of(lfs))) * width, dtype=np.int64)
    for row in sums:
        flat[row["at"]] = row["sum"]
    numbers, samples = flat.reshape(-1, width), {}
    if numbers[:, ERRORS].any():
        failures = written.select(F.explode(ERRORS_COLUMN).alias("e")).groupBy("e.lf")
        some = F.slice(F.array_sort(F.collect_set("e")), 1, NUM_SAMPLES).alias("some")
        with named_jobs(written.sparkSession, "looking at failures of LFs"):
            rows = failures.agg(some).collect()  # at most NUM_SAMPLES per labeling function
        for row in rows:
            samples[int(row["lf"])] = tuple(
                ErrorSample(e["row"], e["error"], e["line"], e["message"]) for e in row["some"]
            )
    runs = _runs(lfs, classes, numbers, samples)
    if not is_trial:
        _refuse_overspent(runs, budgets)
    return runs


def report_runs(runs: Sequence[LFRun]) -> None:
    """Log what is worth knowing of a run: who failed, who is slow, who never voted, who keeps memory."""
    for run in runs:
        if run.num_errors:
            logger.warning(
                "labeling function %r failed on %d data points and abstains there:%s",
                run.name,
                run.num_errors,
                failures_text(run.samples),
            )
        if run.num_data_points and not any(run.votes.values()) and run.kind != "preprocessor":
            logger.warning("labeling function %r never voted: correct it, or leave it out", run.name)
        if run.growth_mib > LEAK_MIB:
            logger.warning(
                "Python workers grew by %.0f MiB while %r ran: does it keep what it sees? Set "
                "spark.python.worker.reuse=false to start a new worker for every task",
                run.growth_mib,
                run.name,
            )
    slow = max(runs, key=lambda run: run.share_of_time or 0.0)
    if (
        (slow.share_of_time or 0.0) > SLOW_SHARE
        and (slow.seconds or 0.0) > _MIN_NAMED_SECONDS
        and len(runs) > 1
    ):
        logger.info("%r took %.0f%% of the time of all", slow.name, 100 * (slow.share_of_time or 0.0))


def _runs(
    lfs: Sequence[LabelingFunction],
    classes: Classes,
    numbers: np.ndarray,
    samples: Mapping[int, tuple[ErrorSample, ...]],
) -> tuple[LFRun, ...]:
    preprocessors = preprocessors_of(lfs)
    named = [(lf.name, lf.kind, lf.content_hash) for lf in lfs]
    named += [(p.name, "preprocessor", p.content_hash) for p in preprocessors]
    in_spark = [runs_in_spark(lf) for lf in lfs] + [False] * len(preprocessors)
    total = max(int(numbers[:, NANOSECONDS].sum()), 1)
    return tuple(
        LFRun(
            name=name,
            kind=kind,
            content_hash=content_hash,
            num_data_points=int(row[ROWS]),
            votes=dict(zip(classes.labels, map(int, row[NUM_FIXED:]), strict=True)) if i < len(lfs) else {},
            num_abstains=int(row[ROWS] - row[NUM_FIXED:].sum() - row[ERRORS]) if i < len(lfs) else 0,
            num_errors=int(row[ERRORS]),
            seconds=None if in_spark[i] else int(row[NANOSECONDS]) / 1e9,
            share_of_time=None if in_spark[i] else int(row[NANOSECONDS]) / total,
            growth_mib=int(row[GROWTH_KIB]) / 1024,
            samples=samples.get(i, ()),
        )
        for i, ((name, kind, content_hash), row) in enumerate(zip(named, numbers, strict=True))
    )


def _refuse_overspent(runs: Sequence[LFRun], budgets: Sequence[int | float]) -> None:
    problems = []
    for run, budget in zip(runs, budgets, strict=False):
        allowed = budget * run.num_data_points if isinstance(budget, float) else budget
        always = run.num_errors == run.num_data_points > 0
        if run.num_errors > allowed or always:
            said = overspent(run.name, run.num_errors, run.num_data_points, budget)
            if run.num_errors <= allowed:
                said = f"labeling function {run.name!r} failed on all of {run.num_errors:,} data points. Correct it."
            problems.append(said + failures_text(run.samples))
    if problems:
        raise LabelingFunctionError("\n".join(problems))
