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

    def __repr__(self) -> str:
        """The columns and their values."""
        values = zip(self._column_names, self, strict=True)
        return f"DataPoint({', '.join(f'{name}={value!r}' for name, value in values)})"


class PreparedDataPoint(DataPoint):
    """One row with the values of preprocessors as further attributes, which it keeps in a dictionary of its own."""

    def __getattr__(self, name: str) -> object:
        """Reached only if there is no such attribute, or its preprocessor raised an AttributeError."""
        failures = self.__dict__.get(FAILURES, {})
        if name in failures:
            raise failures[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)


def row_type(columns: Sequence[str], derived: Mapping[str, Derived] | None = None) -> type[DataPoint]:
    """The type of data points with these columns and these values of preprocessors.

    Without preprocessors it has no `__getattr__`, whose presence alone makes every column slower to read (1.5% of
    the time of ten short functions).
    """
    # A named tuple's descriptors read a position in C, on any tuple; a property would call Python.
    positions = vars(namedtuple("positions", [f"p{i}" for i in range(len(columns))]))  # noqa: PYI024
    getters = {name: positions[f"p{i}"] for i, name in enumerate(columns)}
    names = {"_column_names": tuple(columns), "_derived_names": frozenset(derived or ())}
    if derived:
        return type("DataPoint", (PreparedDataPoint,), {**names, **getters, **derived})
    return type("DataPoint", (DataPoint,), {"__slots__": (), **names, **getters})


def explained(problem: BaseException) -> BaseException:
    """What was raised; for a column that a data point lacks, with those that it has and what to do."""
    if not isinstance(problem, AttributeError) or not isinstance(problem.obj, DataPoint):
        return problem
    columns, derived = list(problem.obj._column_names), sorted(problem.obj._derived_names)
    prepared = f" and the preprocessors {derived}" if derived else ""
    return AttributeError(
        f"a data point has no column {problem.name!r}; it has {columns}{prepared}. If the table has it, define the "
        "function again, as what it calls may have changed, or name its columns: columns=[...]"
    ).with_traceback(problem.__traceback__)


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
