"""The rows of a shard, checked batch by batch where they are: in Spark's Python workers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dp_spark.errors import DpSparkError, SchemaError
from dp_spark.labels.features import feature_matrix, pack_features, text_array
from dp_spark.labels.manifest import FEATURES_COLUMN, LABEL_COLUMN, TEXT_COLUMN, InputKind
from dp_spark.tables import BatchPass
from dp_spark.worker_errors import marked

INPUT = "__input"  # the model's input and the label before they are checked, beside the key columns
LABEL = "__label"


@dataclass(frozen=True)
class RowCheck:
    """What every row of a training set must be.

    Attributes:
        kind: features or text.
        num_features: d; 0 for text.
        columns: the source table's columns, for errors.
        label_column: the label table's column, for errors.
        key: the columns that identify a data point.
    """

    kind: InputKind
    num_features: int
    columns: tuple[str, ...]
    label_column: str
    key: tuple[str, ...]

    @property
    def input_name(self) -> str:
        """The input's column in a shard."""
        return FEATURES_COLUMN if self.kind == "features" else TEXT_COLUMN

    @property
    def names(self) -> list[str]:
        """A shard's columns."""
        return [*self.key, self.input_name, LABEL_COLUMN]

    def batch_pass(self) -> BatchPass:
        """The function for `mapInArrow`: key, INPUT and LABEL, sorted by key, to a shard's columns."""

        def check_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            previous: list[pa.Array] | None = None
            for batch in batches:
                if batch.num_rows == 0:
                    continue
                try:
                    self._refuse_repeated(batch, previous)
                    inputs, labels = self._inputs(batch), self._labels(batch)
                except DpSparkError as problem:
                    raise marked(problem) from None
                keys = [batch.column(name) for name in self.key]
                previous = [column.slice(batch.num_rows - 1) for column in keys]
                yield pa.RecordBatch.from_arrays([*keys, inputs, labels], names=self.names)

        return check_batches

    def _inputs(self, batch: pa.RecordBatch) -> pa.Array:
        """The packed features or the texts of a batch, checked."""
        name = ", ".join(self.columns)
        if self.kind == "text":
            return text_array(batch.column(INPUT), name, lambda i: row_key(batch, self.key, i))
        matrix = feature_matrix(
            batch.column(INPUT), self.num_features, name, lambda i: row_key(batch, self.key, i)
        )
        return pack_features(matrix)

    def _labels(self, batch: pa.RecordBatch) -> pa.Array:
        """The labels of a batch as float32, checked."""
        column = batch.column(LABEL)
        labels = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(~((labels >= 0) & (labels <= 1)))
        if wrong.size:
            row = int(wrong[0])
            raise SchemaError(
                f"the label column {self.label_column!r} is {column[row].as_py()} for "
                f"{row_key(batch, self.key, row)}: expected a probability in [0, 1]. Label the table again."
            )
        return column.cast(pa.float32())

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


def row_key(batch: pa.RecordBatch, key: Sequence[str], row: int) -> str:
    """Which data point a row of a batch is, for errors."""
    return f"the data point { ({name: batch.column(name)[row].as_py() for name in key}) }"
