"""The tutorial's toy data at any size, made inside Spark tasks, with the truth known.

(Tutorial, steps 0 and 1.ii.)

Every random number is a hash of (seed, stream, row, column), so that a row is the same whatever the number
of partitions, and any column can be made without the others.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from dp_spark.hashing import GOLDEN_GAMMA, mixed
from dp_spark.labeling.column_lfs import vote_column
from dp_spark.labeling.labeling_function import LabelingFunction

Floats = npt.NDArray[np.float64]

_GOLD, _FIRES, _IS_RIGHT, _FEATURE, _LF_ACCURACY, _FEATURE_ACCURACY = range(6)  # streams of random numbers


@dataclass(frozen=True)
class SyntheticTask:
    """What is random about the data, and how much of it there is; the defaults are the tutorial's.

    Attributes:
        num_data_points: n.
        num_lfs: m.
        num_features: d binary features.
        coverage: P(an LF votes), independent of everything.
        accuracy_range: LF accuracies are uniform in it.
        feature_accuracy_range: a feature is [y = +1] with probability 1 - accuracy, else [y = -1].
        positive_share: P(y = +1).
        seed: the same seed gives the same rows.
    """

    num_data_points: int = 10_000
    num_lfs: int = 20
    num_features: int = 100
    coverage: float = 0.25
    accuracy_range: tuple[float, float] = (0.45, 0.75)
    feature_accuracy_range: tuple[float, float] = (0.4, 0.6)
    positive_share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_data_points", "num_lfs", "num_features"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: expected at least 1.")
        for name in ("coverage", "positive_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: expected a probability above 0.")
        if self.positive_share == 1:
            raise ValueError("positive_share is 1: expected both classes, a probability below 1.")
        for name in ("accuracy_range", "feature_accuracy_range"):
            low, high = getattr(self, name)
            if not 0 < low <= high < 1:
                raise ValueError(f"{name} is {(low, high)}: expected 0 < low <= high < 1.")

    @property
    def lf_names(self) -> tuple[str, ...]:
        """The columns that hold the votes, and the names of the LFs that cast them."""
        return tuple(f"lf_{i}" for i in range(self.num_lfs))

    @property
    def lf_accuracies(self) -> Floats:
        """The true accuracies: (m,) float64."""
        return self._accuracies(_LF_ACCURACY, self.num_lfs, self.accuracy_range)

    @property
    def feature_accuracies(self) -> Floats:
        """The true accuracies of the features: (d,) float64."""
        return self._accuracies(_FEATURE_ACCURACY, self.num_features, self.feature_accuracy_range)

    def gold(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """The true labels of rows: (len(ids),) int8, -1 or +1."""
        uniform = uniforms(self.seed, _GOLD, ids, 1)[:, 0]
        return np.where(uniform < self.positive_share, 1, -1).astype(np.int8)

    def votes(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """The votes on rows: (len(ids), m) int8."""
        gold = self.gold(ids)[:, None]
        is_right = uniforms(self.seed, _IS_RIGHT, ids, self.num_lfs) < self.lf_accuracies
        fires = uniforms(self.seed, _FIRES, ids, self.num_lfs) < self.coverage
        return np.where(fires, np.where(is_right, gold, -gold), 0).astype(np.int8)

    def features(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The features of rows: (len(ids), d) float32, 0 or 1."""
        positive = (self.gold(ids) == 1)[:, None]
        is_flipped = uniforms(self.seed, _FEATURE, ids, self.num_features) < self.feature_accuracies
        return np.asarray(positive ^ is_flipped, dtype=np.float32)

    def _accuracies(self, stream: int, size: int, bounds: tuple[float, float]) -> Floats:
        low, high = bounds
        return np.asarray(low + (high - low) * uniforms(self.seed, stream, np.zeros(1, np.int64), size)[0])


def vote_table(spark: SparkSession, task: SyntheticTask, num_partitions: int | None = None) -> DataFrame:
    """`id` and one tinyint column of votes per LF: the data points as the LFs see them."""

    def columns(ids: npt.NDArray[np.int64]) -> list[pa.Array]:
        return [pa.array(votes) for votes in task.votes(ids).T.copy()]

    schema = ", ".join(f"{name} tinyint" for name in task.lf_names)
    return _table(spark, task, schema, columns, num_partitions)


def feature_table(spark: SparkSession, task: SyntheticTask, num_partitions: int | None = None) -> DataFrame:
    """`id` and `features`, array<float> of length d."""

    def columns(ids: npt.NDArray[np.int64]) -> list[pa.Array]:
        offsets = pa.array(np.arange(len(ids) + 1, dtype=np.int32) * task.num_features)
        return [pa.ListArray.from_arrays(offsets, pa.array(task.features(ids).ravel()))]

    return _table(spark, task, "features array<float>", columns, num_partitions)


def gold_table(spark: SparkSession, task: SyntheticTask, num_partitions: int | None = None) -> DataFrame:
    """`id` and `gold`, tinyint: the truth, kept apart."""
    return _table(spark, task, "gold tinyint", lambda ids: [pa.array(task.gold(ids))], num_partitions)


def synthetic_lfs(task: SyntheticTask) -> list[LabelingFunction]:
    """The LFs that cast the votes of `vote_table`."""
    return [vote_column(name) for name in task.lf_names]


def uniforms(seed: int, stream: int, rows: npt.NDArray[np.int64], num_columns: int) -> Floats:
    """Uniform random numbers in [0, 1): (len(rows), num_columns) float64.

    Each is a function of its seed, stream, row and column alone.
    """
    start = mixed(np.array([seed], dtype=np.int64).astype(np.uint64) * GOLDEN_GAMMA + np.uint64(stream))
    row_states = mixed(start ^ mixed(rows.astype(np.uint64)))
    columns = np.arange(1, num_columns + 1, dtype=np.uint64) * GOLDEN_GAMMA
    bits = mixed(row_states[:, None] + columns) >> np.uint64(11)
    return np.asarray(bits * 2.0**-53)


def _table(
    spark: SparkSession,
    task: SyntheticTask,
    schema: str,
    columns: Callable[[npt.NDArray[np.int64]], list[pa.Array]],
    num_partitions: int | None,
) -> DataFrame:
    names = ["id", *(field.split()[0] for field in schema.split(", "))]

    def make(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids = batch.column(0).to_numpy()
            yield pa.RecordBatch.from_arrays([batch.column(0), *columns(ids)], names=names)

    ids = spark.range(0, task.num_data_points, 1, num_partitions)
    return ids.mapInArrow(make, f"id long, {schema}")
