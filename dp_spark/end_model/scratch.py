"""Pieces of shards on this machine's own disk, as they lie in memory.

Rows that do not fit into memory are decoded once; in later epochs they come from here, at the speed of the
system's file cache or of the disk. The file has no name: it is gone when the process ends, however it ends.
"""

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from dp_spark.end_model.rows import Rows
from dp_spark.labels.manifest import RowSlice

logger = logging.getLogger(__name__)

SHARE_OF_FREE = 0.25  # of a disk's free space, at most: other workers and Spark itself need some

Piece = tuple[RowSlice, ...]


@dataclass
class ScratchFile:
    """Pieces that were kept, one after the other in a file; only rows that are all numbers.

    Attributes:
        file: open for reading and writing, unbuffered.
        limit_bytes: how large it may become.
    """

    file: IO[bytes]
    limit_bytes: int
    _places: dict[Piece, tuple[int, tuple[tuple[int, ...], ...]]] = field(default_factory=dict)
    _end: int = 0

    def read(self, piece: Piece) -> Rows | None:
        """The rows of a piece, or None if it was not kept."""
        if piece not in self._places:
            return None
        start, shapes = self._places[piece]
        sizes = [int(np.prod(shape)) for shape in shapes]
        content = np.empty(sum(sizes), np.float32)
        view = content.data.cast("B")
        while view:
            read = os.preadv(self.file.fileno(), [view], start)
            if not read:
                raise OSError(
                    f"the scratch file of this process ends at byte {start}: expected {len(view)} more."
                )
            view, start = view[read:], start + read
        parts = np.split(content, np.cumsum(sizes)[:-1])
        features, labels, weights = (part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
        return Rows({"features": features}, labels, weights)

    def keep(self, piece: Piece, rows: Rows) -> None:
        """Keep the rows of a piece, if they are all numbers and there is room; after a disk error never again."""
        if set(rows.parts) != {"features"}:
            return
        parts = (rows.parts["features"], rows.labels, rows.weights)
        arrays = [np.ascontiguousarray(part, np.float32) for part in parts]
        num_bytes = sum(array.nbytes for array in arrays)
        if self._end + num_bytes > self.limit_bytes:
            return
        try:
            end = self._end
            for array in arrays:
                end = self._write(array.data.cast("B"), end)
        except OSError as problem:
            self.limit_bytes = 0  # what was kept before can still be read
            logger.warning("the disk takes no more rows (%s): the others are read from shards again", problem)
            return
        self._places[piece] = (self._end, tuple(array.shape for array in arrays))
        self._end = end

    def _write(self, view: memoryview, start: int) -> int:
        while view:
            written = os.pwrite(self.file.fileno(), view, start)
            view, start = view[written:], start + written
        return start


def open_scratch(limit_bytes: int) -> ScratchFile | None:
    """A new file in the directory for temporary files, or None if `limit_bytes` is 0 or the disk takes none."""
    try:
        free = int(shutil.disk_usage(tempfile.gettempdir()).free * SHARE_OF_FREE)
        file = tempfile.TemporaryFile(buffering=0) if limit_bytes else None  # noqa: SIM115 - as long as the process
    except OSError as problem:
        logger.warning("no scratch file can be made (%s): rows are read from shards in every epoch", problem)
        return None
    return ScratchFile(file, min(limit_bytes, free)) if file else None
