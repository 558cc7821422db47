"""Pieces of row ranges, read from shards with Arrow; a piece is what a process reads at a time per range."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow.parquet as pq

from dp_spark.end_model.rows import Rows, columns_of, joined, rows_of
from dp_spark.end_model.scratch import Piece, ScratchFile
from dp_spark.labels.manifest import RowSlice, ShardManifest
from dp_spark.labels.shard_files import open_shard, rows_per_read

PIECE_BYTES = 4 << 20  # of inputs: how finely rows are shuffled, and what is read at a time per range
NUM_OPEN_FILES = 64


def rows_per_piece(manifest: ShardManifest) -> int:
    """How many rows a piece has: the same wherever rows lie in files, so that their order depends on no file."""
    return max(1, int(PIECE_BYTES // max(1.0, manifest.row_bytes)))


def cut(slices: Sequence[RowSlice], size: int, first: int) -> list[Piece]:
    """A range in pieces of `size` consecutive rows; the first has `first` rows, the last may be smaller."""
    pieces: list[Piece] = []
    piece: Piece = ()
    wanted = first
    for file_index, start, stop in slices:
        while start < stop:
            taken = min(stop - start, wanted - num_rows(piece))
            piece = (*piece, RowSlice(file_index, start, start + taken))
            start += taken
            if num_rows(piece) == wanted:
                pieces, piece, wanted = [*pieces, piece], (), size
    return [*pieces, piece] if piece else pieces


def num_rows(slices: Sequence[RowSlice]) -> int:
    """The rows of a piece or a range."""
    return sum(rows.stop - rows.start for rows in slices)


@dataclass(frozen=True)
class PieceReader:
    """Reads pieces from storage, or from the memory or the scratch file that holds them.

    Attributes:
        manifest: the training set.
        held: pieces in memory.
        opened: gives an open file by its path.
        scratch: takes pieces that are read, if there is one.
    """

    manifest: ShardManifest
    held: dict[Piece, Rows]
    opened: Callable[[str], pq.ParquetFile]
    scratch: ScratchFile | None = None

    def read(self, piece: Piece) -> Rows:
        """The rows of a piece, in the order of the files; a view of Arrow's buffers where it is one file's."""
        found = self.held.get(piece)
        if found is None and self.scratch:
            found = self.scratch.read(piece)
        if found is not None:
            return found
        rows = joined([rows for part in piece for rows in self._rows(part)])
        if self.scratch:
            self.scratch.keep(piece, rows)
        return rows

    def _rows(self, rows: RowSlice) -> list[Rows]:
        """The rows of one file, decoded at once unless they lie deep in a large row group."""
        file = self.opened(self.manifest.file_path(self.manifest.files[rows.file_index]))
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        ends = np.cumsum(counts)
        first, last = np.searchsorted(ends, [rows.start, rows.stop - 1], side="right")
        position = int(ends[first]) - counts[first]
        size, row_bytes = rows.stop - position, self.manifest.row_bytes
        if size * row_bytes > 2 * PIECE_BYTES:
            size = rows_per_read(row_bytes)
        found = []
        for batch in file.iter_batches(
            size, row_groups=range(first, last + 1), columns=columns_of(self.manifest), use_threads=False
        ):
            low, high = max(rows.start - position, 0), min(rows.stop - position, batch.num_rows)
            position += batch.num_rows
            if low < high:
                found.append(rows_of(batch.slice(low, high - low), self.manifest))
            if position >= rows.stop:
                break
        return found


def opened_files() -> Callable[[str], pq.ParquetFile]:
    """A function that gives an open file by its path; it keeps the last ones open, their footers read once."""
    return lru_cache(NUM_OPEN_FILES)(open_shard)
