"""Trying labeling functions on some rows: votes beside the columns, errors, and whether they are deterministic.

For a notebook: nothing is written, no failure stops the others. Every labeling function runs twice in Spark's
own workers: the second time on the rows in reverse order, in batches of a few rows, after the labeling functions
that it followed before, and with another seed for the hashes of texts (which order sets). A vote
that changes depends on something that it must not depend on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.errors import PySparkAttributeError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from dp_spark.counting.summary import LFSummary, lf_summary
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.errors import DpSparkError
from dp_spark.labeling.application import Application
from dp_spark.labeling.apply import check_application, checked_lfs
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.lf_runs import LFRun
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes
from dp_spark.labeling.votes import Classes, Votes
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.report.notebook import trial_html
from dp_spark.texts import counted
from dp_spark.worker_errors import translated_errors

if TYPE_CHECKING:
    import pandas as pd

MAX_TRIAL_ROWS = 10_000
TRIAL_TIMEOUT_SECONDS = 10.0
ROW = "trial_row"  # the key of a trial: the position among the rows that were given
_OTHER_BATCH_ROWS = 7
_OTHER_HASH_SEED = "20160509"
_MAX_SHOWN = 5


@dataclass(frozen=True)
class Trial:
    """What labeling functions did on some rows.

    Attributes:
        rows: the rows, then one column per labeling function with its votes, by class name if there are names;
            an abstention is empty.
        votes: (n, m) int8; 0 abstains.
        runs: what each labeling function did, then the preprocessors; errors have messages here.
        summary: polarity, coverage, overlaps and conflicts on these rows.
        failed: why labeling functions could not vote at all, or hang, by name; they abstain in `rows`.
        changing: the rows on which a labeling function voted otherwise the second time, by name.
    """

    rows: "pd.DataFrame"
    votes: Votes
    runs: tuple[LFRun, ...]
    summary: LFSummary
    failed: Mapping[str, str]
    changing: Mapping[str, tuple[int, ...]]

    @property
    def problems(self) -> dict[str, list[str]]:
        """What there is to mend, by labeling function: failures, illegal votes, changing votes."""
        found = {name: [f"{name} cannot vote: {why}"] for name, why in self.failed.items()}
        for run in self.runs:
            if run.num_errors:
                lines = "".join(f"\n  {sample}" for sample in run.samples)
                said = f"{run.name} failed on {run.num_errors} of {run.num_data_points} rows:{lines}"
                found.setdefault(run.name, []).append(said)
        for name, rows in self.changing.items():
            shown = ", ".join(map(str, rows[:_MAX_SHOWN]))
            found.setdefault(name, []).append(
                f"{name} is not deterministic: it voted otherwise on {len(rows)} rows, such as {shown}, when order, "
                "batches and hash seed changed. Does it keep or change something between rows, or use random "
                "numbers, the time, or the order of a set?"
            )
        return found

    def __str__(self) -> str:
        """The summary, and what there is to mend."""
        return "\n".join([str(self.summary), *(text for texts in self.problems.values() for text in texts)])

    def _repr_html_(self) -> str:
        return trial_html(self)


@dataclass(frozen=True)
class _Outcome:
    votes: Votes
    runs: tuple[LFRun, ...]
    failed: Mapping[str, str]


def try_lfs(
    df: DataFrame,
    lfs: Sequence[LabelingFunction],
    *,
    num_classes: int | None = None,
    class_names: Sequence[str] = (),
    lf_timeout_seconds: float = TRIAL_TIMEOUT_SECONDS,
    check_determinism: bool = True,
) -> Trial:
    """What labeling functions do on some rows; writes nothing.

    Args:
        df: at most MAX_TRIAL_ROWS rows, such as `table.limit(200)`; they come to the driver.
        lfs: labeling functions of any kinds, with different names.
        num_classes: as of `apply_lfs`.
        class_names: as of `apply_lfs`.
        lf_timeout_seconds: as of `apply_lfs`.
        check_determinism: run them a second time, and compare.

    Raises:
        ValueError: if there are more rows, or none, or as of `apply_lfs`.
        SchemaError: if `df` lacks a column that a labeling function reads.
    """
    classes = Classes.of(num_classes, class_names)
    names = [lf.name for lf in checked_lfs(lfs)]
    with named_jobs(df.sparkSession, "reading the rows to try LFs on"):
        table = df.limit(MAX_TRIAL_ROWS + 1).toArrow()
    if not 0 < table.num_rows <= MAX_TRIAL_ROWS:
        raise ValueError(
            f"try_lfs got {table.num_rows or 'no'} rows{' or more' if table.num_rows else ''}: expected 1 to "
            f"{MAX_TRIAL_ROWS:,}. Pass some of them, such as df.limit(200)."
        )
    schema = StructType([StructField(ROW, LongType(), nullable=False), *df.schema.fields])

    def application(rows: Sequence[int], order: Sequence[LabelingFunction], batch_rows: int) -> Application:
        numbered = table.take(pa.array(rows)).add_column(0, ROW, pa.array(rows, pa.int64()))
        points = df.sparkSession.createDataFrame(numbered, schema).coalesce(1)
        timeouts = tuple(lf.timeout_seconds or lf_timeout_seconds for lf in order)
        budgets = (0,) * len(order)
        return Application(points, tuple(order), (ROW,), classes, budgets, timeouts, True, batch_rows)

    forward = range(table.num_rows)
    first = application(forward, lfs, 0)
    check_application(first)
    outcome = _outcome(first)
    changing: dict[str, tuple[int, ...]] = {}
    able = [(i, lf) for i, lf in enumerate(lfs) if lf.name not in outcome.failed][::-1]
    if check_determinism and able:
        with _other_hash_seed(df.sparkSession):
            again = _outcome(application(forward[::-1], [lf for _, lf in able], _OTHER_BATCH_ROWS))
        for column, (i, lf) in enumerate(able):
            differs = np.flatnonzero(outcome.votes[:, i] != again.votes[:, column])
            if differs.size:
                changing[lf.name] = tuple(differs.tolist())
    counts = VoteCounts.from_votes(outcome.votes, classes.num_classes, names)
    rows = _beside(table, outcome.votes, names, classes)
    return Trial(
        rows, outcome.votes, outcome.runs, lf_summary(counts, None, classes.names), outcome.failed, changing
    )


def _outcome(application: Application) -> _Outcome:
    """The votes of all labeling functions at once; one by one if some cannot vote."""
    try:
        votes, runs = _votes(application)
    except DpSparkError as problem:
        if len(application.lfs) == 1:
            (lf,) = application.lfs
            with named_jobs(application.df.sparkSession, "counting the rows to try LFs on"):
                nothing = np.zeros((application.df.count(), 1), dtype=np.int8)
            return _Outcome(nothing, (), {lf.name: str(problem)})
        parts = [
            _outcome(replace(application, lfs=(lf,), budgets=(0,), timeouts=(timeout,)))
            for lf, timeout in zip(application.lfs, application.timeouts, strict=True)
        ]
        failed = {name: why for part in parts for name, why in part.failed.items()}
        return _Outcome(np.hstack([p.votes for p in parts]), tuple(r for p in parts for r in p.runs), failed)
    return _Outcome(votes, runs, {})


def _votes(application: Application) -> tuple[Votes, tuple[LFRun, ...]]:
    plan = application.plan()
    computed = plan.df.persist()
    try:
        what = f"trying {counted(len(application.lfs), 'LF')}"
        with translated_errors(application.investigate), named_jobs(computed.sparkSession, what):
            found = computed.select(ROW, VOTES_COLUMN).toArrow()
        runs = plan.runs(computed, found.num_rows)
    finally:
        computed.unpersist()
    votes = unpack_votes(found.column(VOTES_COLUMN).combine_chunks(), len(application.lfs))
    ordered = np.empty_like(votes)
    ordered[found.column(ROW).to_numpy()] = votes
    return ordered, runs


def _beside(table: pa.Table, votes: Votes, names: Sequence[str], classes: Classes) -> "pd.DataFrame":
    import pandas as pd

    shown = dict(zip(classes.votes, classes.names or classes.votes, strict=True))
    rows = table.to_pandas()
    columns = {name: [shown.get(int(vote), "") for vote in votes[:, i]] for i, name in enumerate(names)}
    taken = {name: f"{name} (vote)" for name in names if name in rows.columns}
    return pd.concat([rows, pd.DataFrame(columns, dtype=object).rename(columns=taken)], axis=1)


@contextmanager
def _other_hash_seed(spark: SparkSession) -> Iterator[None]:
    """Give Python workers that start for plans of the block another seed; Spark gives all of them one."""
    try:
        environment = spark.sparkContext.environment
    except PySparkAttributeError:  # Spark Connect: the check goes without this part
        yield
        return
    before = environment.get("PYTHONHASHSEED")
    environment["PYTHONHASHSEED"] = _OTHER_HASH_SEED
    try:
        yield
    finally:
        if before is None:
            del environment["PYTHONHASHSEED"]
        else:
            environment["PYTHONHASHSEED"] = before
