"""Data points: the rows of an Arrow batch as objects whose attributes are the columns."""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import SupportsIndex

import pyarrow as pa

from dp_spark.labeling.preprocessors import FAILURES, Derived


class UnreadableValueError(Exception):
    """Python cannot hold a value of a column, such as text that is not valid UTF-8; `row` is its position."""

    def __init__(self, column: str, row: int, *, is_text: bool) -> None:
        super().__init__(column, row, is_text)
        self.column = column
        self.row = row
        self.is_text = is_text


class DataPoint(tuple[object, ...]):
    """One row. `x.column` and `x["column"]` give its values; a null is None."""

    __slots__ = ()
    _column_names: tuple[str, ...] = ()
    _derived_names: frozenset[str] = frozenset()

    def __getitem__(self, name: str | SupportsIndex | slice) -> object:  # type: ignore[override] # also by name
        """The value in the column called `name`."""
        if isinstance(name, str):
            return getattr(self, name)
        return super().__getitem__(name)

    def __getattr__(self, name: str) -> object:
        """Reached only if there is no such column, or its preprocessor raised an AttributeError."""
        if name in self._derived_names:
            raise self.__dict__[FAILURES][name]
        derived = f" and the preprocessors {sorted(self._derived_names)}" if self._derived_names else ""
        raise AttributeError(
            f"a data point has no column {name!r}; it has {list(self._column_names)}{derived}. If the table has it, "
            "define the function again, as what it calls may have changed, or name its columns: columns=[...]"
        )

    def __repr__(self) -> str:
        """The columns and their values."""
        values = zip(self._column_names, self, strict=True)
        return f"DataPoint({', '.join(f'{name}={value!r}' for name, value in values)})"


def row_type(columns: Sequence[str], derived: Mapping[str, Derived] | None = None) -> type[DataPoint]:
    """The type of data points with these columns and these values of preprocessors."""
    # A named tuple's descriptors read a position in C, on any tuple; a property would call Python.
    positions = vars(namedtuple("positions", [f"p{i}" for i in range(len(columns))]))  # noqa: PYI024
    getters = {name: positions[f"p{i}"] for i, name in enumerate(columns)}
    names = {"_column_names": tuple(columns), "_derived_names": frozenset(derived or ())}
    # Only data points with derived values get a dictionary of their own, to keep them in.
    storage: dict[str, object] = {} if derived else {"__slots__": ()}
    return type("DataPoint", (DataPoint,), {**storage, **names, **getters, **(derived or {})})


def data_points(batch: pa.RecordBatch, of_type: type[DataPoint]) -> list[DataPoint]:
    """The rows of a batch as data points, in its order.

    Raises:
        UnreadableValueError: if Python cannot hold a value.
    """
    columns = [
        python_values(column, name) for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    if not columns:
        return [of_type(()) for _ in range(batch.num_rows)]
    return list(map(of_type, zip(*columns, strict=True)))


def python_values(column: pa.Array, name: str) -> list[object]:
    """The values of a column as Python objects; a map is a dictionary.

    Raises:
        UnreadableValueError: if Python cannot hold a value.
    """
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError) as problem:
        raise unreadable(name, column, problem) from None
    if pa.types.is_map(column.type):
        return [None if pairs is None else dict(pairs) for pairs in values]  # type: ignore[call-overload]
    return values


def unreadable(name: str, column: pa.Array, problem: Exception) -> Exception:
    """The error for a column that failed with `problem` to become Python objects, if a value is at fault."""
    for row in range(len(column)):
        try:
            column[row].as_py()
        except (ValueError, OverflowError) as of_value:
            return UnreadableValueError(name, row, is_text=isinstance(of_value, UnicodeDecodeError))
    return problem
