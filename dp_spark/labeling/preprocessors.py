"""Preprocessors: values derived from a data point that several labeling functions share.

    @preprocessor
    def tokens(x):
        return x.text.lower().split()

    @labeling_function(preprocessors=[tokens])
    def short(x):
        return NEGATIVE if len(x.tokens) < 4 else None

`x.tokens` is computed when a labeling function first asks for it, at most once per data point, whatever the
number of labeling functions.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import overload

from dp_spark.labeling.columns_read import columns_read
from dp_spark.labeling.content_hash import digest
from dp_spark.labeling.resources import hashed_parts, loaded
from dp_spark.labeling.signature import refuse_other_parameters

Derive = Callable[..., object]
FAILURES = "_dp_spark_failures"  # in a data point's dictionary: what preprocessors raised, by name


@dataclass(frozen=True)
class Preprocessor:
    """A named function that derives a value from a data point.

    Attributes:
        name: the attribute of the data point that holds the value.
        function: takes a data point and the resources by name.
        resources: as of a labeling function.
        columns: the columns that it reads, or None if that is not known.
        preprocessors: others whose values it reads.
        content_hash: as of a labeling function.
    """

    name: str
    function: Derive
    resources: Mapping[str, object] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    preprocessors: tuple["Preprocessor", ...] = ()
    content_hash: str = ""

    def __call__(self, x: object) -> object:
        """The value for a data point that has what `function` reads."""
        return self.function(prepared(x, self.preprocessors), **loaded(self.resources))


@overload
def preprocessor(function: Derive, /) -> Preprocessor: ...
@overload
def preprocessor(
    *,
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
    preprocessors: Sequence[Preprocessor] = (),
) -> Callable[[Derive], Preprocessor]: ...
def preprocessor(
    function: Derive | None = None,
    /,
    *,
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
    preprocessors: Sequence[Preprocessor] = (),
) -> Preprocessor | Callable[[Derive], Preprocessor]:
    """Turn a function of one data point into a preprocessor; with or without parentheses.

    Args:
        function: takes a data point and the resources, returns any value.
        name: what labeling functions call the value; default: the function's own name.
        resources: passed to every call by keyword.
        columns: the columns that it reads. Default: found in its source, and in that of functions that it
            hands the data point to, where that is possible.
        preprocessors: others whose values it reads.

    Raises:
        ValueError: if the function takes no data point, or does not take a resource by its name.
    """

    def decorate(function: Derive) -> Preprocessor:
        shipped, own_name = dict(resources or {}), name or function.__name__
        refuse_other_parameters(f"preprocessor {own_name!r}", function, shipped)
        used = tuple(preprocessors)
        return Preprocessor(
            name=own_name,
            function=function,
            resources=shipped,
            columns=columns_needed(columns_read(function) if columns is None else tuple(columns), used),
            preprocessors=used,
            content_hash=digest(own_name, function, hashed_parts(shipped), [p.content_hash for p in used])[
                :16
            ],
        )

    return decorate if function is None else decorate(function)


def columns_needed(
    read: tuple[str, ...] | None, preprocessors: Sequence[Preprocessor]
) -> tuple[str, ...] | None:
    """The columns of the table behind what a function reads: its own, and those of its preprocessors.

    Args:
        read: the names that it reads of a data point, or None if that is not known.
        preprocessors: those that it uses.
    """
    behind = [p.columns for p in preprocessors]
    if read is None or None in behind:
        return None
    derived = {p.name for p in preprocessors}
    if not derived:
        return read
    own = [name for name in read if name not in derived]
    return tuple(sorted({*own, *(name for columns in behind for name in columns or ())}))


def with_dependencies(preprocessors: Sequence[Preprocessor]) -> tuple[Preprocessor, ...]:
    """The preprocessors and all that they use, each once, by name.

    Raises:
        ValueError: if two different ones have one name.
    """
    found: dict[str, Preprocessor] = {}
    for item in preprocessors:
        for one in (*with_dependencies(item.preprocessors), item):
            if found.setdefault(one.name, one).content_hash != one.content_hash:
                raise ValueError(
                    f"two different preprocessors are called {one.name!r}: expected one of that name. "
                    "Rename one."
                )
    return tuple(found.values())


class Derived:
    """The attribute of a data point that a preprocessor fills in when it is first read.

    What the preprocessor raised is raised again at every further read.

    Attributes:
        name: of the preprocessor.
        seconds: that it took so far, with those that it uses.
        num_computed: how often it was computed.
    """

    def __init__(self, item: Preprocessor) -> None:
        self.name = item.name
        self.seconds = 0.0
        self.num_computed = 0
        self._function = item.function
        self._resources = item.resources
        self._arguments: dict[str, object] | None = None

    def __get__(self, x: object, owner: type | None = None) -> object:
        """The value; it stands in the data point's own dictionary from now on, where Python finds it first."""
        failures = x.__dict__.get(FAILURES, {})
        if self.name in failures:
            raise failures[self.name]
        started = time.perf_counter()
        try:
            if self._arguments is None:
                self._arguments = loaded(self._resources)
            value = x.__dict__[self.name] = self._function(x, **self._arguments)
        except Exception as problem:
            x.__dict__.setdefault(FAILURES, {})[self.name] = problem
            raise
        finally:
            self.seconds += time.perf_counter() - started
            self.num_computed += 1
        return value


def prepared(x: object, preprocessors: Sequence[Preprocessor]) -> object:
    """A data point with the values of preprocessors as further attributes, for a call without Spark."""
    if not preprocessors:
        return x
    derived = {p.name: Derived(p) for p in with_dependencies(preprocessors)}
    return type("PreparedPoint", (_Prepared,), dict(derived))(x)


def prepared_batch(batch: object, preprocessors: Sequence[Preprocessor]) -> object:
    """A pandas DataFrame with the values of preprocessors as further columns, for a call without Spark."""
    if not preprocessors:
        return batch
    import pandas as pd

    frame = pd.DataFrame(batch)
    rows = [SimpleNamespace(**row) for row in frame.to_dict("records")]
    points = [prepared(row, preprocessors) for row in rows]
    values = {p.name: [getattr(x, p.name) for x in points] for p in preprocessors}
    return frame.assign(**{n: pd.Series(v, frame.index, dtype=object) for n, v in values.items()})


class _Prepared:
    """Any object, and derived attributes beside its own."""

    def __init__(self, x: object) -> None:
        self._x = x

    def __getattr__(self, name: str) -> object:
        failures = self.__dict__.get(FAILURES, {})  # a preprocessor that raised an AttributeError leads here
        if name in failures:
            raise failures[name]
        return getattr(self._x, name)

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)
