"""Results that appear when they are complete, and what is left of those that never were.

What is published is written beside the target, then renamed, because an overwrite in place that fails has already
deleted what was there (reproduced on Spark 4.1 and 4.3). A rename is atomic on local disks and HDFS; on object
stores it copies, and a reader could see half of it: that is why every result ends with a file that is written last.
"""

import re
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from dp_spark.errors import OutputExistsError
from dp_spark.storage import Storage, join_path

LATE_TASK_SECONDS = 3.0  # Spark kills the other tasks of a failed job without waiting for them
_REPLACED = "replaced"
_STAGING = ".staging-"
_PROBE = ".dp_spark-probe-"
_LEFTOVER = re.compile(rf"({re.escape(_STAGING)}|{re.escape(_PROBE)})[0-9a-f]{{12}}")


def probe_path(directory: str) -> str:
    """A place in a directory for a try that is deleted again, and after a kill by whoever overwrites or resumes."""
    return join_path(directory, f"{_PROBE}{uuid.uuid4().hex[:12]}")


def refuse_foreign(storage: Storage, target: str, own_names: Collection[str]) -> None:
    """Stop before any work if a directory that is to be replaced holds what dp_spark did not write.

    Raises:
        OutputExistsError: naming what it holds.
    """
    foreign = [
        name for name in storage.list_names(target) if name not in own_names and not _LEFTOVER.fullmatch(name)
    ]
    if foreign:
        raise OutputExistsError(
            f"{target} holds {', '.join(foreign[:5])}{', ...' if len(foreign) > 5 else ''}, which dp_spark "
            "did not write: overwriting would delete it. Choose another output."
        )


def refuse_existing(storage: Storage, target: str, overwrite: bool) -> None:
    """Stop before any work if the target is there and may not be replaced.

    Raises:
        OutputExistsError: naming the target, what it holds and what to do.
    """
    if storage.exists(target) and not overwrite and not storage.is_empty_directory(target):
        names = storage.list_names(target)
        holds = f" (it holds {', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else ""
        raise OutputExistsError(
            f"{target} is there already{holds}, and results are not overwritten unasked. "
            "Choose another output, or pass --overwrite (in Python: overwrite=True)."
        )


@contextmanager
def publish(
    storage: Storage, target: str, *, overwrite: bool = False, workspace: str | None = None
) -> Iterator[str]:
    """A fresh path to write to, which becomes `target` when the block ends without an error.

    If it ends with one, what was written is deleted and an older target is as it was.

    Args:
        storage: the file systems.
        target: a file or directory.
        overwrite: whether an existing target may be replaced.
        workspace: a directory beside the target to write in meanwhile, from `unfinished_workspace`; it stays if
            the block fails. By default a new one that is deleted.

    Raises:
        OutputExistsError: if the target is there and `overwrite` is false.
    """
    refuse_existing(storage, target, overwrite)
    parent, name = _split(target)
    is_kept, workspace = (
        workspace is not None,
        workspace or join_path(parent, f"{_STAGING}{uuid.uuid4().hex[:12]}"),
    )
    staged, replaced = join_path(workspace, name), join_path(workspace, _REPLACED, name)
    is_published = False
    try:
        yield staged
        if storage.exists(target):
            storage.rename(target, replaced)
        try:
            storage.rename(staged, target)
        finally:
            _restore(storage, replaced, target)
        is_published = True
    except BaseException:
        _wait_for_late_tasks(storage)
        raise
    finally:
        holds_older = storage.exists(replaced) and not storage.exists(target)  # the only one there is
        if not holds_older and (is_published or not is_kept):
            storage.delete(workspace)


def unfinished_workspace(storage: Storage, target: str) -> str:
    """The workspace of a target whose unfinished contents outlive a failure.

    An older target that a process was killed over while it replaced it is put back.
    """
    workspace = workspace_of(target)
    _restore(storage, join_path(workspace, _REPLACED, _split(target)[1]), target)
    return workspace


def delete_leftovers(storage: Storage, directory: str) -> None:
    """Delete what processes that were killed have left half written in a directory; nobody may be writing there."""
    for name in storage.list_names(directory):
        if _LEFTOVER.fullmatch(name):
            storage.delete(join_path(directory, name))


def workspace_of(target: str) -> str:
    """Where the unfinished contents of a target lie, beside it."""
    parent, name = _split(target)
    return join_path(parent, f".{name}-unfinished")


def unfinished_path(target: str) -> str:
    """Where in its workspace the unfinished contents of a target themselves lie."""
    return join_path(workspace_of(target), _split(target)[1])


def _restore(storage: Storage, replaced: str, target: str) -> None:
    if storage.exists(replaced) and not storage.exists(target):
        storage.rename(replaced, target)


def _split(target: str) -> tuple[str, str]:
    """The directory that holds a target, and its name there."""
    parent, _, name = target.rstrip("/").rpartition("/")
    return parent or ("/" if target.startswith("/") else "."), name


def _wait_for_late_tasks(storage: Storage) -> None:
    """After a failure on a cluster, let tasks end that are still writing: they would bring the workspace back."""
    if not str(storage.spark.sparkContext.master).startswith("local"):
        time.sleep(LATE_TASK_SECONDS)
