"""Labeling functions: plain Python functions that vote on one data point.  (Tutorial, step 1.)

    @labeling_function
    def mentions_money(x):
        return POSITIVE if "$" in x.text else None

    @labeling_function(name="known_spammer", resources={"spammers": frozenset({"bob", "eve"})})
    def from_known_spammer(x, spammers):
        return POSITIVE if x.author in spammers else None

`x` is a data point: the row's columns are its attributes (`x.text`, or `x["odd name"]`). The decorated
object can be called like the function it wraps, with anything that has those attributes, so that a
unit test needs no Spark.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from dp_spark.labeling.content_hash import columns_read, digest

VoteFunction = Callable[..., int | None]

_LOADED: dict[str, object] = {}  # what `loaded_once` loaded in this process, by digest of the loader


@dataclass(frozen=True)
class LoadedOnce:
    """A resource that every Python worker loads for itself, the first time an LF needs it."""

    load: Callable[[], object]
    key: str

    def get(self) -> object:
        """The loaded object, the same one for the life of this process."""
        if self.key not in _LOADED:
            _LOADED[self.key] = self.load()
        return _LOADED[self.key]


def loaded_once(load: Callable[[], object]) -> LoadedOnce:
    """Declare a resource that is too big or too stateful to ship: a model, a connection, an index.

    Args:
        load: called without arguments, once per Python worker.
    """
    return LoadedOnce(load=load, key=digest(load))


@dataclass(frozen=True)
class LabelingFunction:
    """A named function that votes on one data point.

    Attributes:
        name: unique within a label matrix; what reports and errors call it.
        function: takes a data point and the resources by name; returns a vote, or None to abstain.
        resources: keyword arguments of every call. A `LoadedOnce` is replaced by what it loads.
        columns: the columns that the function reads, or None if that is not known: then it is
            shown all of them.
        content_hash: 16 hex digits over the code, its constants and its resources, but not over
            comments or formatting. Two runs with the same hash cast the same votes.
    """

    name: str
    function: VoteFunction
    resources: Mapping[str, object] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    content_hash: str = ""

    def __call__(self, x: object) -> int | None:
        """What the wrapped function returns for data point `x`."""
        return self.function(x, **self.loaded_resources())

    def loaded_resources(self) -> dict[str, object]:
        """The keyword arguments of a call, with every `LoadedOnce` loaded."""
        return {
            name: value.get() if isinstance(value, LoadedOnce) else value
            for name, value in self.resources.items()
        }


@overload
def labeling_function(function: VoteFunction, /) -> LabelingFunction: ...
@overload
def labeling_function(
    *,
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
) -> Callable[[VoteFunction], LabelingFunction]: ...
def labeling_function(
    function: VoteFunction | None = None,
    /,
    *,
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
) -> LabelingFunction | Callable[[VoteFunction], LabelingFunction]:
    """Turn a function of one data point into a labeling function; with or without parentheses.

    Args:
        function: takes a data point and the resources, returns a vote or None.
        name: default: the function's own name.
        resources: passed to every call by keyword: sets, dictionaries, thresholds, `loaded_once(...)`.
        columns: the columns that it reads. Default: found in its source, where that is possible.

    Raises:
        ValueError: if the function takes no data point, or does not take a resource by its name.

    >>> @labeling_function
    ... def is_long(x):
    ...     return 1 if len(x.text) > 5 else None
    >>> from types import SimpleNamespace
    >>> is_long(SimpleNamespace(text="a long text"))
    1
    """

    def decorate(function: VoteFunction) -> LabelingFunction:
        shipped = dict(resources or {})
        lf_name = name or function.__name__
        _check_signature(lf_name, function, shipped)
        return LabelingFunction(
            name=lf_name,
            function=function,
            resources=shipped,
            columns=columns_read(function) if columns is None else tuple(columns),
            content_hash=digest(function, shipped)[:16],
        )

    return decorate if function is None else decorate(function)


def vote_column(column: str, name: str | None = None) -> LabelingFunction:
    """A labeling function that casts the votes that already stand in a column of the table.

    For crowd workers and earlier systems: null abstains, anything else must be a legal vote.

    Args:
        column: holds the votes, as integers.
        name: default: the column's name.
    """
    return labeling_function(name=name or column, resources={"column": column}, columns=[column])(
        _existing_vote
    )


def _existing_vote(x: object, column: str) -> int | None:
    vote: int | None = getattr(x, column)
    return vote


def _check_signature(lf_name: str, function: VoteFunction, resources: Mapping[str, object]) -> None:
    signature = inspect.signature(function)
    try:
        signature.bind(object(), **resources)
    except TypeError as problem:
        raise ValueError(
            f"labeling function {lf_name!r} has the parameters {signature} and the resources "
            f"{sorted(resources)}: {problem}. Expected one parameter for the data point and one "
            "keyword parameter for each resource."
        ) from problem
