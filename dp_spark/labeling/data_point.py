"""Data points: the rows of an Arrow batch as objects whose attributes are the columns."""

from collections import namedtuple
from collections.abc import Sequence
from typing import SupportsIndex

import pyarrow as pa


class DataPoint(tuple[object, ...]):
    """One row. `x.column` and `x["column"]` give its values; a null is None."""

    __slots__ = ()
    _column_names: tuple[str, ...] = ()

    def __getitem__(self, name: str | SupportsIndex | slice) -> object:  # type: ignore[override] # also by name
        """The value in the column called `name`."""
        if isinstance(name, str):
            return getattr(self, name)
        return super().__getitem__(name)

    def __getattr__(self, name: str) -> object:
        """Reached only if there is no such column."""
        raise AttributeError(f"a data point has no column {name!r}; it has {list(self._column_names)}")

    def __repr__(self) -> str:
        """The columns and their values."""
        values = zip(self._column_names, self, strict=True)
        return f"DataPoint({', '.join(f'{name}={value!r}' for name, value in values)})"


def data_points(batch: pa.RecordBatch) -> Sequence[DataPoint]:
    """The rows of a batch as data points, in its order."""
    row_type = _row_type(tuple(batch.schema.names))
    return [row_type(values) for values in zip(*(c.to_pylist() for c in batch.columns), strict=True)]


def _row_type(columns: tuple[str, ...]) -> type[DataPoint]:
    # A named tuple's descriptors read a position in C, on any tuple; a property would call Python.
    positions = vars(namedtuple("positions", [f"p{i}" for i in range(len(columns))]))  # noqa: PYI024
    getters = {name: positions[f"p{i}"] for i, name in enumerate(columns)}
    return type("DataPoint", (DataPoint,), {"__slots__": (), "_column_names": columns, **getters})
