"""An Arrow batch in the shapes that labeling functions want, each made once, when the first one asks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dp_spark.labeling.data_point import DataPoint, data_points, unreadable

if TYPE_CHECKING:
    import pandas as pd


class BatchViews:
    """One batch of data points as objects, as pandas columns and as Arrow."""

    def __init__(self, batch: pa.RecordBatch, of_points: Sequence[str], of_type: type[DataPoint]) -> None:
        """Show a batch.

        Args:
            batch: all columns.
            of_points: those that data points have.
            of_type: the type of data points.
        """
        self.num_rows = batch.num_rows
        self._batch = batch
        self._of_points = list(of_points)
        self._type = of_type
        self._points: list[DataPoint] | None = None
        self._series: dict[str, pd.Series] = {}

    def points(self) -> list[DataPoint]:
        """The rows as data points; preprocessors keep their values in them."""
        if self._points is None:
            self._points = data_points(self._batch.select(self._of_points), self._type)
        return self._points

    def column(self, name: str) -> pa.Array:
        """A column as it arrived."""
        return self._batch.column(self._batch.schema.get_field_index(name))

    def shown(
        self, batch_format: str, columns: Sequence[str] | None, derived: Sequence[str], start: int, stop: int
    ) -> object:
        """Some rows as the batch that a function of batches takes.

        Args:
            batch_format: "pandas" or "arrow".
            columns: those that it reads, or None for all.
            derived: the preprocessors that it uses, as further columns of a pandas DataFrame.
            start: the first row.
            stop: after the last row.

        Raises:
            UnreadableValueError: if pandas cannot hold a value.
        """
        names = [name for name in self._batch.schema.names if columns is None or name in columns]
        if batch_format == "arrow":
            return self._batch.select(names).slice(start, stop - start)
        import pandas as pd

        content = {name: self._of_column(name) for name in names}
        frame = pd.DataFrame(content, index=pd.RangeIndex(self.num_rows))
        if (start, stop) != (0, self.num_rows):
            frame = frame.iloc[start:stop].reset_index(drop=True)
        for name in derived:  # of these rows only: a preprocessor may fail on others
            frame[name] = pd.Series([getattr(x, name) for x in self.points()[start:stop]], dtype=object)
        return frame

    def _of_column(self, name: str) -> "pd.Series":
        if name not in self._series:
            column = self.column(name)
            try:
                self._series[name] = column.to_pandas(use_threads=False)
            except (pa.ArrowException, ValueError, OverflowError) as problem:
                raise unreadable(name, column, problem) from None
        return self._series[name]


def key_of(columns: Mapping[str, pa.Array], row: int) -> str:
    """The key of a row as text, whatever it holds.

    Args:
        columns: of the key, by name.
        row: its position.
    """
    return str({name: _readable(column[row]) for name, column in columns.items()})


def _readable(value: pa.Scalar) -> object:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return value.cast(pa.binary()).as_py()
    except (OverflowError, ValueError):  # a date beyond the years of Python
        return value.cast(pa.string()).as_py()
