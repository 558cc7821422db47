"""Labeling functions on their way to the rows of a table: the plan that Spark runs, and what it then reports.

One pass: joins and expressions add the votes that Spark casts itself, the rows leave for Python in Arrow
batches, where the other labeling functions vote, and come back as key, packed votes and tally.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StructType

from dp_spark.errors import DpSparkError
from dp_spark.labeling.ballot import Ballot, columns_of, pattern_groups, preprocessors_of
from dp_spark.labeling.investigate import is_crash, name_the_crash
from dp_spark.labeling.jvm_joins import has_join, joins_large_tables
from dp_spark.labeling.jvm_votes import (
    SparkVotes,
    illegal_vote,
    name_the_failure,
    runs_in_spark,
    with_votes,
)
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.lf_runs import LFRun, runs_from_counts, runs_from_tallies
from dp_spark.labeling.module_check import module_digests
from dp_spark.labeling.packing import VOTES_COLUMN
from dp_spark.labeling.shipping import shipped
from dp_spark.labeling.tally import ERRORS_COLUMN, ERRORS_TYPE, TALLY_COLUMN, TALLY_TYPE
from dp_spark.labeling.voter import cast_votes
from dp_spark.labeling.votes import Classes
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import map_batches, quoted

_SPARK_VOTES = "_dp_spark_votes"
_NUM_ROWS = "num_rows"


@dataclass(frozen=True)
class Application:
    """Labeling functions and the table that they are to vote on.

    Attributes:
        df: one row per data point.
        lfs: m labeling functions.
        key: columns that identify a row.
        classes: of the task.
        budgets: per labeling function, on how many data points or what share of them it may fail.
        timeouts: per labeling function, in seconds.
        is_trial: failures are recorded and stop nothing.
        max_batch_rows: batches are cut to that many rows; 0 leaves them as Spark makes them.
    """

    df: DataFrame
    lfs: tuple[LabelingFunction, ...]
    key: tuple[str, ...]
    classes: Classes
    budgets: tuple[int | float, ...]
    timeouts: tuple[float, ...]
    is_trial: bool = False
    max_batch_rows: int = 0

    def plan(self) -> "Plan":
        """What Spark has to run, and to count beside it; made anew for every use, as an observation serves one run."""
        source, rows_in = self._source(), Observation()
        num_rows = F.count(F.lit(1)).alias(_NUM_ROWS)
        if len(self._in_spark) < len(self.lfs):
            tallied = self._cast_in_python(source.observe(rows_in, num_rows), is_tallied=True)
            return Plan(self, tallied, rows_in, None)
        counted = Observation()
        if any(has_join(lf) for lf in self.lfs):
            source = source.observe(rows_in, num_rows)
        else:  # nothing can add or lose rows, and another observation would cost more than the votes
            rows_in = counted
        voted = self._voted(source)
        observed = voted.df.observe(counted, num_rows, *map(F.expr, voted.counts))
        votes = voted.packed.alias(VOTES_COLUMN)
        return Plan(self, observed.select(*map(quoted, self.key), votes), rows_in, counted)

    def votes(self) -> DataFrame:
        """The key columns and packed votes alone: where nobody asks what was counted, counting is left out."""
        if len(self._in_spark) < len(self.lfs):
            return self._cast_in_python(self._source(), is_tallied=False)
        voted = self._voted(self._source())
        return voted.df.select(*map(quoted, self.key), voted.packed.alias(VOTES_COLUMN))

    def investigate(self, failure: str) -> DpSparkError | None:
        """What a failure of the plan was due to, if that can be found out; runs parts of it again."""
        illegal = illegal_vote(failure, self._in_spark, self.classes)
        if illegal is not None:
            return illegal
        if is_crash(failure):
            return name_the_crash(self._points(self._source()), self._ballot, failure)
        return name_the_failure(self.df, self._in_spark, self.key, self.classes)

    def columns_needed(self) -> list[str]:
        """The key and the columns that labeling functions read; all columns if that is not known of some."""
        return columns_of(self.lfs, self.df.columns, self.key)

    @property
    def _in_spark(self) -> list[LabelingFunction]:
        return [lf for lf in self.lfs if runs_in_spark(lf)]

    def _source(self) -> DataFrame:
        return self.df.select(*map(quoted, self.columns_needed()))

    def _voted(self, source: DataFrame) -> SparkVotes:
        """What labeling functions yield inside Spark, beside the columns that go to Python."""
        return with_votes(source, self._ballot.columns, self._in_spark, self.key, self.classes)

    def _points(self, source: DataFrame) -> DataFrame:
        """What Python workers are sent: the columns of data points, then the votes that Spark cast, if any."""
        columns = [quoted(name) for name in self._ballot.columns]
        if not self._in_spark:
            return source.select(*columns)
        voted = self._voted(source)
        return voted.df.select(*columns, voted.packed.alias(_SPARK_VOTES))

    @functools.cached_property
    def _ballot(self) -> Ballot:
        """Made once, as it broadcasts resources."""
        sent = shipped(self.df.sparkSession, self.lfs)
        python = [(i, lf) for i, lf in enumerate(sent) if not runs_in_spark(lf)]
        return Ballot(
            names=tuple(lf.name for lf in self.lfs),
            python=tuple((i, lf) for i, lf in python if lf.kind != "patterns"),
            groups=pattern_groups(python),
            spark=tuple(i for i, lf in enumerate(sent) if runs_in_spark(lf)),
            preprocessors=preprocessors_of([lf for _, lf in python]),
            key=self.key,
            columns=tuple(columns_of([lf for _, lf in python], self.df.columns, self.key)),
            classes=self.classes,
            budgets=self.budgets,
            timeouts=self.timeouts,
            modules=module_digests([lf for _, lf in python]),
            is_trial=self.is_trial,
            max_batch_rows=self.max_batch_rows,
        )

    def _cast_in_python(self, source: DataFrame, *, is_tallied: bool) -> DataFrame:
        """Key columns and votes, all of them; and the tally, if asked for."""
        ballot = self._ballot  # alone: the table does not travel
        schema = StructType([self.df.schema[name] for name in self.key])
        schema = schema.add(VOTES_COLUMN, BinaryType(), nullable=False)
        if is_tallied:
            tally = StructType.fromDDL(f"{TALLY_COLUMN} {TALLY_TYPE}, {ERRORS_COLUMN} {ERRORS_TYPE}")
            schema = StructType([*schema.fields, *cast("StructType", tally).fields])

        def vote(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return cast_votes(batches, ballot, is_tallied=is_tallied)

        return map_batches(self._points(source), vote, schema)


@dataclass(frozen=True)
class Plan:
    """A label matrix to be computed, with what is known of it once that is done.

    Attributes:
        application: whose plan it is.
        df: key columns and votes; and tallies, if Python workers take part.
        rows_in: observes the number of data points.
        counted: observes the votes per class, if no Python worker takes part.
    """

    application: Application
    df: DataFrame
    rows_in: Observation
    counted: Observation | None

    def num_rows_in(self) -> int:
        """How many data points were read, after `df` was written; counted again if a join shuffled them.

        A stage before a shuffle may run twice when an executor is lost, and then observes its rows twice.
        """
        if joins_large_tables(self.application.lfs):
            with named_jobs(self.df.sparkSession, "counting the data points"):
                return self.application.df.count()
        return int(self.rows_in.get[_NUM_ROWS])

    def runs(self, written: DataFrame, num_rows: int) -> tuple[LFRun, ...]:
        """What every labeling function did, from the tallies beside the votes on storage.

        Raises:
            LabelingFunctionError: if one failed more often than its budget allows.
        """
        own = self.application
        if self.counted is not None:
            return runs_from_counts(own.lfs, own.classes, num_rows, self.counted.get)
        return runs_from_tallies(own.lfs, own.classes, own.budgets, written, is_trial=own.is_trial)
