"""What labeling functions need besides the data point: sets, dictionaries, files, models.

A resource is declared where the labeling function is, so that it is part of its content hash, and reaches
every executor once: small ones travel with the function, large ones as a Spark broadcast, files through
Spark's file server (`shipping.py`). What is loaded from a file, or by a function, is loaded once per worker process.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dp_spark.labeling.content_hash import digest

_LOADED: dict[str, object] = {}  # what was loaded in this process, by digest
_BLOCK_BYTES = 1 << 20


class HasValue(Protocol):
    """What a Spark broadcast looks like."""

    @property
    def value(self) -> object:
        """What was sent: read from the executor's copy once per worker process."""


@dataclass(frozen=True)
class Shipped:
    """A large resource on its way to the executors as a broadcast."""

    broadcast: HasValue

    def get(self) -> object:
        """The resource, the same object for the life of this process."""
        return self.broadcast.value


@dataclass(frozen=True)
class LoadedOnce:
    """A resource that every Python worker loads for itself, the first time a labeling function needs it.

    Attributes:
        load: takes nothing, or the path of the file.
        key: what its content hash covers: the digest of the loader and of the file's content.
        file: the path on the driver, or None.
        find: says where the file is on this machine; None on the driver, where it is at `file`.
    """

    load: Callable[..., object]
    key: str
    file: str | None = None
    find: Callable[[], str] | None = None

    def get(self) -> object:
        """The loaded object, the same one for the life of this process."""
        if self.key not in _LOADED:
            path = self.find() if self.find else self.file
            _LOADED[self.key] = self.load() if path is None else self.load(path)
        return _LOADED[self.key]


def loaded_once(load: Callable[..., object], file: str | Path | None = None) -> LoadedOnce:
    """Declare a resource that is too big or too stateful to ship: a model, a connection, an index.

    Args:
        load: called once per Python worker: without arguments, or with the path of `file` there.
        file: a file or directory on the driver that Spark sends to every executor once. Its content is part
            of the content hash.

    Raises:
        ValueError: if the file is not there.
    """
    if file is None:
        return LoadedOnce(load=load, key=digest(load))
    path = Path(file)
    if not path.exists():
        raise ValueError(
            f"the resource file {str(path)!r} is not there: expected a file or directory on this machine. "
            "Correct the path."
        )
    return LoadedOnce(load=load, key=content_key(load, path), file=str(path.resolve()))


def content_key(load: Callable[..., object], path: Path) -> str:
    """What the content hash covers of a resource in a file: the code of the loader, and what the file holds."""
    return digest(load, file_digest(path))


def file_digest(path: Path) -> str:
    """The sha256, in hex, of a file, or of the names and contents of all files in a directory."""
    content = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        content.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                content.update(block)
    return content.hexdigest()


def hashed_parts(resources: Mapping[str, object]) -> dict[str, object]:
    """What the content hash covers of resources: not where a file lies, but what it holds."""
    return {name: value.key if isinstance(value, LoadedOnce) else value for name, value in resources.items()}


def loaded(resources: Mapping[str, object]) -> dict[str, object]:
    """The keyword arguments of a call: every resource that stands for another object replaced by it."""
    return {
        name: value.get() if isinstance(value, (LoadedOnce, Shipped)) else value
        for name, value in resources.items()
    }
