"""Files on this machine's own disks, in directories that appear or change at once."""

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dp_spark.errors import OutputExistsError


@dataclass(frozen=True)
class LocalFiles:
    """Files by path, with the methods of `dp_spark.storage.Storage` of the same names."""

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        return Path(path).exists()

    def read_bytes(self, path: str) -> bytes:
        """The content of a file."""
        return Path(path).read_bytes()

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write a file, replacing one that is there."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)


@contextmanager
def replaced_directory(target: Path, own_names: Collection[str]) -> Iterator[Path]:
    """A fresh directory to write to, which becomes `target` when the block ends without an error.

    If it ends with one, an older target is as it was.

    Args:
        target: a directory, or a place where there is nothing yet.
        own_names: the files that an older target may hold.

    Raises:
        OutputExistsError: if the target is a file, or holds others.
    """
    _refuse_foreign(target, own_names)
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(tempfile.mkdtemp(prefix=".staging-", dir=target.parent))
    try:
        staged = workspace / target.name
        staged.mkdir()
        yield staged
        if target.exists():
            target.rename(workspace / "replaced")
        try:
            staged.rename(target)
        finally:
            if (workspace / "replaced").exists() and not target.exists():
                (workspace / "replaced").rename(target)
    finally:
        if target.exists() or not (workspace / "replaced").exists():  # else it holds the only older result
            shutil.rmtree(workspace)


def _refuse_foreign(target: Path, own_names: Collection[str]) -> None:
    if not target.exists():
        return
    names = sorted(path.name for path in target.iterdir()) if target.is_dir() else ["not a directory"]
    foreign = [name for name in names if name not in own_names]
    if foreign:
        raise OutputExistsError(
            f"{target} holds {', '.join(foreign[:5])}: expected nothing, or an earlier result. Replacing the "
            "directory would delete that; choose another one."
        )
