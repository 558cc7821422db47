"""Labeling functions made ready to travel: what cannot is named before anything runs, what is large goes once.

Spark sends the code of a pass with every task. Resources above a size therefore become Spark broadcasts, which
reach an executor once, and are unpacked once per Python worker; files go through Spark's file server.
"""

import atexit
import dataclasses
import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pyspark import SparkContext, SparkFiles, cloudpickle
from pyspark.errors import PySparkAttributeError
from pyspark.sql import SparkSession

from dp_spark.errors import LabelingFunctionError
from dp_spark.labeling.content_hash import cell_content
from dp_spark.labeling.jvm_votes import runs_in_spark
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.preprocessors import Preprocessor
from dp_spark.labeling.resources import LoadedOnce, Shipped, content_key
from dp_spark.labeling.rules import BatchRule, RowRule

logger = logging.getLogger(__name__)

BROADCAST_BYTES = 1 << 16  # a resource that is larger when pickled travels as a broadcast
WARN_BYTES = 4 << 20  # code that is larger, without resources, has a constant that should be a resource

_Named = TypeVar("_Named", LabelingFunction, Preprocessor)


def shipped(spark: SparkSession, lfs: Sequence[LabelingFunction]) -> list[LabelingFunction]:
    """The labeling functions with their large resources broadcast and their files sent; those of Spark as they are.

    Raises:
        LabelingFunctionError: naming the labeling functions that cannot be sent, and why.
    """
    try:
        context: SparkContext | None = spark.sparkContext
    except PySparkAttributeError:  # Spark Connect: everything travels with the code
        context = None
    sent: dict[int, object] = {}
    ready, problems = [], []
    for lf in lfs:
        if runs_in_spark(lf):
            ready.append(lf)
            continue
        problem = _why_not(lf)
        if problem is not None:
            problems.append(problem)
            continue
        ready.append(_with_sent_resources(lf, context, sent))
    if problems:
        raise LabelingFunctionError(
            f"{'; '.join(problems)}. Expected what can be pickled: create connections, locks and models on the "
            "executors, with resources={'name': loaded_once(function)}, and never use the SparkSession there."
        )
    return ready


def _with_sent_resources(item: _Named, context: SparkContext | None, sent: dict[int, object]) -> _Named:
    resources = {name: _sent(value, context, sent) for name, value in item.resources.items()}
    inner = tuple(_with_sent_resources(p, context, sent) for p in item.preprocessors)
    return dataclasses.replace(item, resources=resources, preprocessors=inner)


def _sent(value: object, context: SparkContext | None, sent: dict[int, object]) -> object:
    if context is None:
        return value
    if id(value) not in sent:
        if isinstance(value, LoadedOnce):
            sent[id(value)] = value if value.file is None else _with_file(value, context)
        else:
            content = _pickled(value)
            is_large = len(content) > BROADCAST_BYTES
            sent[id(value)] = Shipped(context.broadcast(_ByValue(content))) if is_large else value
    return sent[id(value)]


class _ByValue:
    """Pickled by cloudpickle, which sends classes and functions of a script along; Spark's broadcasts do not."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return cloudpickle.loads, (self._content,)


def _with_file(resource: LoadedOnce, context: SparkContext) -> LoadedOnce:
    """The resource whose file Spark's file server offers, under a name that no other content has."""
    source = Path(str(resource.file))
    name = f"dp_spark-{resource.key[:16]}-{source.name}"
    if not any(str(known).endswith(f"/{name}") for known in context.listFiles):
        copy = _staging_directory() / name
        if not copy.exists():
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        if content_key(resource.load, copy) != resource.key:
            raise LabelingFunctionError(
                f"the resource file {str(source)!r} holds something else than when loaded_once declared it: expected "
                "the content that the content hash covers. Declare it again."
            )
        context.addFile(str(copy), recursive=source.is_dir())
    return dataclasses.replace(resource, find=functools.partial(SparkFiles.get, name))


@functools.cache
def _staging_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="dp_spark-files-"))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)
    return directory


def _why_not(lf: LabelingFunction) -> str | None:
    """Why a labeling function cannot be pickled, or None; warns of one that is large."""
    parts: dict[str, object] = {f"its resource {name!r}": value for name, value in lf.resources.items()}
    for p in lf.preprocessors:
        parts[f"its preprocessor {p.name!r}"] = p
    if isinstance(lf.rule, (RowRule, BatchRule)):
        parts["its code"] = lf.rule.function
    for part, value in parts.items():
        size, problem = _pickled_size(value)
        if problem is not None:
            inner = _culprit(value) if part == "its code" else ""
            return f"labeling function {lf.name!r} cannot be sent to the executors: {part}{inner}: {problem}"
        if part == "its code" and size > WARN_BYTES:
            logger.warning(
                "labeling function %r is %.1f MiB large, and goes with every task: declare its constants as "
                "resources, which reach an executor once",
                lf.name,
                size / 2**20,
            )
    return None


def _culprit(function: Callable[..., object] | object, seen: frozenset[int] = frozenset()) -> str:
    """Which variable outside of a function, or of a function that it calls, cannot be pickled."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    cells = zip(code.co_freevars, getattr(function, "__closure__", None) or (), strict=False)
    outside: dict[str, object] = {name: cell_content(cell) for name, cell in cells}
    namespace: Mapping[str, object] = getattr(function, "__globals__", {})
    outside.update({name: namespace[name] for name in code.co_names if name in namespace})
    seen |= {id(function)}
    for name, value in outside.items():
        if id(value) not in seen and _pickled_size(value)[1] is not None:
            return f" uses {name!r}{_culprit(value, seen).replace(' uses', ', which uses', 1)}"
    return ""


def _pickled(value: object) -> bytes:
    return bytes(cloudpickle.dumps(value))  # type: ignore[no-untyped-call]


def _pickled_size(value: object) -> tuple[int, str | None]:
    try:
        return len(_pickled(value)), None
    except Exception as problem:  # the user's objects raise what they like when they are pickled
        return 0, f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
