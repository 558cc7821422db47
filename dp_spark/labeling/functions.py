"""Labeling functions from Python functions, of one data point or of a batch.  (Tutorial, step 1.)

    @labeling_function
    def mentions_money(x):
        return POSITIVE if "$" in x.text else None

    @labeling_function(name="known_spammer", resources={"spammers": frozenset({"bob", "eve"})})
    def from_known_spammer(x, spammers):
        return POSITIVE if x.author in spammers else None

    @batch_labeling_function
    def long_text(batch):
        return vote(positive=batch["text"].str.len() > 150)

`x` is a data point: the row's columns are its attributes (`x.text`, or `x["odd name"]`); `batch` is a pandas
DataFrame of data points. The decorated object can be called like the function it wraps, so that a unit test
needs no Spark. Other kinds: column_lfs.py, pattern_lfs.py, lookup_lfs.py, model_lfs.py, crowd_lfs.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import overload

from dp_spark.labeling.columns_read import columns_read
from dp_spark.labeling.labeling_function import LabelingFunction, content_hash
from dp_spark.labeling.preprocessors import Preprocessor, columns_needed, with_dependencies
from dp_spark.labeling.rules import BatchFormat, BatchRule, RowRule
from dp_spark.labeling.signature import refuse_other_parameters
from dp_spark.labeling.vote import Vote

VoteFunction = Callable[..., Vote | None]
BatchFunction = Callable[..., object]


@overload
def labeling_function(function: VoteFunction, /) -> LabelingFunction: ...
@overload
def labeling_function(
    *,
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
    preprocessors: Sequence[Preprocessor] = (),
    max_errors: int | float | None = None,
    timeout_seconds: float | None = None,
) -> Callable[[VoteFunction], LabelingFunction]: ...
def labeling_function(
    function: VoteFunction | None = None,
    /,
    *,
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
    preprocessors: Sequence[Preprocessor] = (),
    max_errors: int | float | None = None,
    timeout_seconds: float | None = None,
) -> LabelingFunction | Callable[[VoteFunction], LabelingFunction]:
    """Turn a function of one data point into a labeling function; with or without parentheses.

    Args:
        function: takes a data point and the resources, returns a vote or None.
        name: default: the function's own name.
        resources: passed to every call by keyword: sets, dictionaries, thresholds, `loaded_once(...)`.
        columns: the columns that it reads. Default: found in its source, and in that of functions that it
            hands the data point to, where that is possible; else it is shown all columns.
        preprocessors: whose values it reads, as attributes of the data point.
        max_errors: on how many data points (an integer), or what share of them (a float below 1), it may fail.
        timeout_seconds: how long it may take for one data point.

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
        shipped, used, lf_name = dict(resources or {}), tuple(preprocessors), name or function.__name__
        refuse_other_parameters(f"labeling function {lf_name!r}", function, shipped)
        with_dependencies(used)
        return LabelingFunction(
            name=lf_name,
            kind="row",
            rule=RowRule(function),
            resources=shipped,
            columns=columns_needed(columns_read(function) if columns is None else tuple(columns), used),
            preprocessors=used,
            content_hash=content_hash(function, shipped, used),
            max_errors=max_errors,
            timeout_seconds=timeout_seconds,
        )

    return decorate if function is None else decorate(function)


@overload
def batch_labeling_function(function: BatchFunction, /) -> LabelingFunction: ...
@overload
def batch_labeling_function(
    *,
    batch_format: BatchFormat = "pandas",
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
    preprocessors: Sequence[Preprocessor] = (),
    max_errors: int | float | None = None,
    timeout_seconds: float | None = None,
) -> Callable[[BatchFunction], LabelingFunction]: ...
def batch_labeling_function(
    function: BatchFunction | None = None,
    /,
    *,
    batch_format: BatchFormat = "pandas",
    name: str | None = None,
    resources: Mapping[str, object] | None = None,
    columns: Sequence[str] | None = None,
    preprocessors: Sequence[Preprocessor] = (),
    max_errors: int | float | None = None,
    timeout_seconds: float | None = None,
) -> LabelingFunction | Callable[[BatchFunction], LabelingFunction]:
    """Turn a function of a batch of data points into a labeling function; with or without parentheses.

    The function returns one vote per data point, in their order: integers or class names in a NumPy or Arrow
    array, a pandas Series or a list; null abstains. Votes must not depend on the other data points of a
    batch: what fails on a batch is tried again on parts of it, to find the data points that it fails on.

    Args:
        function: takes a batch and the resources.
        batch_format: "pandas" for a DataFrame, "arrow" for a `pyarrow.RecordBatch`, which is faster.
        name: default: the function's own name.
        resources: passed to every call by keyword.
        columns: the columns that it reads. Default: found in its source, and in that of functions that it
            hands the batch to, if they use it only as `batch["column"]`; else it is shown all columns.
        preprocessors: whose values it reads: further columns of the batch (lists of Python objects, so pandas).
        max_errors: on how many data points (an integer), or what share of them (a float below 1), it may fail.
        timeout_seconds: how long it may take for one batch of at most 10,000 data points (a Spark setting).

    Raises:
        ValueError: if the function takes no batch, or does not take a resource by its name, or
            preprocessors are given for Arrow.
    """

    def decorate(function: BatchFunction) -> LabelingFunction:
        shipped, used, lf_name = dict(resources or {}), tuple(preprocessors), name or function.__name__
        refuse_other_parameters(f"labeling function {lf_name!r}", function, shipped, shown="batch")
        if batch_format not in ("pandas", "arrow") or (used and batch_format == "arrow"):
            raise ValueError(
                f"labeling function {lf_name!r} has batch_format={batch_format!r} and {len(used)} preprocessors: "
                'expected "pandas", or "arrow" without preprocessors, whose values are Python objects.'
            )
        read = columns_read(function, attributes=False) if columns is None else tuple(columns)
        return LabelingFunction(
            name=lf_name,
            kind="batch",
            rule=BatchRule(function, batch_format),
            resources=shipped,
            columns=columns_needed(read, with_dependencies(used)),
            preprocessors=used,
            content_hash=content_hash([batch_format, function], shipped, used),
            max_errors=max_errors,
            timeout_seconds=timeout_seconds,
        )

    return decorate if function is None else decorate(function)
