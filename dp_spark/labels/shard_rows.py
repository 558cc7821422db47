"""The rows of a shard, checked batch by batch where they are: in Spark's Python workers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dp_spark.errors import DpSparkError, SchemaError
from dp_spark.labels.features import Matrix, category_array, feature_matrix, pack_features, text_array
from dp_spark.labels.input_columns import InputColumns, InputPart
from dp_spark.labels.manifest import LABEL_COLUMN, WEIGHT_COLUMN
from dp_spark.tables import BatchPass
from dp_spark.worker_errors import marked

Flags = npt.NDArray[np.bool_]

UNCHECKED = "__"  # begins the names of columns whose values are not checked yet, beside the key columns
SUM_TOLERANCE = 1e-6  # how far the probabilities of the classes may be from adding up to 1


def unchecked(name: str) -> str:
    """What a column of a shard is called before its values are checked."""
    return UNCHECKED + name


@dataclass(frozen=True)
class RowCheck:
    """What every row of a training set must be.

    Attributes:
        inputs: the source table's columns, with the widths of the features.
        num_classes: 2: labels are numbers; k: arrays of k numbers.
        label_column: the label table's column, for errors.
        weight: the column of weights, for errors; None if rows are not weighed.
        key: the columns that identify a data point.
    """

    inputs: InputColumns
    num_classes: int
    label_column: str
    weight: str | None
    key: tuple[str, ...]

    @property
    def added(self) -> tuple[str, ...]:
        """A shard's columns beside the key."""
        return (*self.inputs.parts, LABEL_COLUMN, *([WEIGHT_COLUMN] if self.weight else []))

    def batch_pass(self) -> BatchPass:
        """The function for `mapInArrow`: key and unchecked columns, sorted by key, to a shard's columns."""

        def check_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            previous: list[pa.Array] | None = None
            for batch in batches:
                if batch.num_rows == 0:
                    continue
                try:
                    self._refuse_repeated(batch, previous)
                    added = self._checked(batch)
                except DpSparkError as problem:
                    raise marked(problem) from None
                keys = [batch.column(name) for name in self.key]
                previous = [column.slice(batch.num_rows - 1) for column in keys]
                yield pa.RecordBatch.from_arrays([*keys, *added], names=[*self.key, *self.added])

        return check_batches

    def _checked(self, batch: pa.RecordBatch) -> list[pa.Array]:
        parts = [checked_part(batch, part, self.inputs, self.key) for part in self.inputs.parts]
        packed = [pack_features(part) if isinstance(part, np.ndarray) else part for part in parts]
        labels = self._binary_labels(batch) if self.num_classes == 2 else self._class_labels(batch)
        return [*packed, labels, *([self._weights(batch)] if self.weight else [])]

    def _binary_labels(self, batch: pa.RecordBatch) -> pa.Array:
        """The labels of a batch as float32, checked."""
        column = batch.column(unchecked(LABEL_COLUMN))
        labels = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
        self._refuse_labels(batch, ~((labels >= 0) & (labels <= 1)), "a probability in [0, 1]")
        return column.cast(pa.float32())

    def _class_labels(self, batch: pa.RecordBatch) -> pa.Array:
        """The labels of a batch as list<float>, checked."""
        column, k = batch.column(unchecked(LABEL_COLUMN)), self.num_classes
        lengths = pc.list_value_length(column).fill_null(-1).to_numpy(zero_copy_only=False)
        self._refuse_labels(batch, lengths != k, f"{k} probabilities, one for each class")
        probs = column.flatten().fill_null(np.nan).to_numpy(zero_copy_only=False).reshape(-1, k)
        outside = ~((probs >= 0) & (probs <= 1)).all(axis=1)
        self._refuse_labels(batch, outside, "probabilities in [0, 1]")
        wrong_sum = abs(probs.sum(axis=1) - 1) > SUM_TOLERANCE
        self._refuse_labels(batch, wrong_sum, f"probabilities that add up to 1 within {SUM_TOLERANCE:g}")
        offsets = pa.array(np.arange(len(probs) + 1, dtype=np.int32) * k)
        return pa.ListArray.from_arrays(offsets, pa.array(probs.ravel().astype(np.float32)))

    def _refuse_labels(self, batch: pa.RecordBatch, is_wrong: Flags, expected: str) -> None:
        self._refuse(
            batch,
            is_wrong,
            LABEL_COLUMN,
            f"label column {self.label_column!r}",
            expected,
            "Label the table again.",
        )

    def _weights(self, batch: pa.RecordBatch) -> pa.Array:
        """The weights of a batch as float32, checked."""
        column = batch.column(unchecked(WEIGHT_COLUMN))
        weights = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
        is_wrong = ~((weights >= 0) & (weights <= np.finfo(np.float32).max))
        what, repair = f"weight column {self.weight!r}", "Fill it in, or remove the row."
        self._refuse(batch, is_wrong, WEIGHT_COLUMN, what, "a finite number, 0 or more", repair)
        return column.cast(pa.float32())

    def _refuse(
        self, batch: pa.RecordBatch, is_wrong: Flags, column: str, what: str, expected: str, repair: str
    ) -> None:
        if is_wrong.any():
            row = int(np.flatnonzero(is_wrong)[0])
            raise SchemaError(
                f"the {what} is {batch.column(unchecked(column))[row].as_py()} for "
                f"{row_key(batch, self.key, row)}: expected {expected}. {repair}"
            )

    def _refuse_repeated(self, batch: pa.RecordBatch, previous: list[pa.Array] | None) -> None:
        """Rows are sorted by key, so that equal keys are neighbours, also across batches of a partition."""
        equal = np.ones(batch.num_rows, dtype=bool)
        for position, name in enumerate(self.key):
            column = batch.column(name)
            before = column.slice(0, batch.num_rows - 1)
            first = (
                pa.array([False]) if previous is None else pc.equal(previous[position], column.slice(0, 1))
            )
            same = [first.to_numpy(zero_copy_only=False), pc.equal(before, column.slice(1)).to_numpy(False)]
            equal &= np.concatenate(same).astype(bool)
        if equal.any():
            row = int(np.flatnonzero(equal)[0])
            raise SchemaError(
                f"{row_key(batch, self.key, row)} occurs more than once after joining data points and "
                f"labels by {list(self.key)}. Choose columns that identify a row, or remove the duplicates."
            )


def checked_part(
    batch: pa.RecordBatch, part: InputPart, inputs: InputColumns, key: Sequence[str]
) -> Matrix | pa.Array:
    """One part of a model's inputs, of a batch that holds it unchecked.

    Returns:
        (n, d) float32 features; or Arrow strings; or Arrow lists of strings, c in each.

    Raises:
        SchemaError: if a value is null, not finite, or a vector has another length than d.
    """
    column = batch.column(unchecked(part))

    def describe_row(row: int) -> str:
        return row_key(batch, key, row)

    if part == "features":
        return feature_matrix(column, inputs.num_features, ", ".join(inputs.features), describe_row)
    if part == "text":
        return text_array(column, inputs.text or "", describe_row)
    return category_array(column, inputs.categories, describe_row)


def row_key(batch: pa.RecordBatch, key: Sequence[str], row: int) -> str:
    """Which data point a row of a batch is, for errors."""
    return f"the data point { ({name: batch.column(name)[row].as_py() for name in key}) }"
