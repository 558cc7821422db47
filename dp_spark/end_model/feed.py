"""The batches of one training process, read from shards with NumPy and Arrow alone.

The rows are cut in R row ranges. Every global batch takes b rows of each range, each range in an order
of its own, f(seed, epoch, range): its pieces permuted, then the rows of each piece. A piece is a fixed
number of consecutive rows, about a row group's worth. Process r of N owns the ranges r, r + N, ...: the
global batches are the same for every N and however the rows lie in files, and no process trains on
another's rows.  (docs/training.md)

Every process takes the same number of steps with batches of one fixed shape. Where a range has no more
rows, rows of weight 0 stand in; their features are 0, their text is empty.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dp_spark.end_model.files import locate
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.labels.features import unpack_features
from dp_spark.labels.manifest import (
    FEATURES_COLUMN,
    LABEL_COLUMN,
    TEXT_COLUMN,
    RowSlice,
    ShardManifest,
    plan_row_ranges,
)

Vector = npt.NDArray[np.float32]
Inputs = npt.NDArray[np.float32] | npt.NDArray[np.object_]

PIECE_BYTES = 16 << 20  # of features: how finely rows are shuffled, and what is read at a time per range
TEXT_PIECE_ROWS = 1 << 16
_PYTHON_TEXT_BYTES = 64  # of a Python string and its reference beside its characters


class Batch(NamedTuple):
    """One process's part of a global batch.

    Attributes:
        inputs: (B, d) float32, or (B, 1) texts.
        labels: (B,) float32 in [0, 1].
        weights: (B,) float32; 0 marks a row that only fills the batch.
    """

    inputs: Inputs
    labels: Vector
    weights: Vector


class _Rows(NamedTuple):
    inputs: Inputs
    labels: Vector


_Piece = tuple[RowSlice, ...]


@dataclass(frozen=True)
class Feed:
    """The batches of one process.

    Attributes:
        num_steps: steps per epoch, the same for every process.
        batch_rows: B: rows of each of this process's batches.
        batches: the batches of epochs `first` to `last` (excluded), one after the other.
    """

    num_steps: int
    batch_rows: int
    batches: Callable[[int, int, int], Iterator[Batch]]


def open_feed(manifest: ShardManifest, settings: TrainingSettings, rank: int, part: str = "train") -> Feed:
    """The feed of process `rank`; reads the footers of the files that it needs.

    Args:
        manifest: the training set.
        settings: fix the batches and say how many processes there are.
        rank: 0 to `num_workers` - 1.
    """
    sizes = [file.num_data_points for file in manifest.files]
    ranges = plan_row_ranges(sizes, settings.num_row_ranges)
    per_step = settings.rows_per_range
    longest = max(_num_rows(slices) for slices in ranges)
    num_steps = max(1, -(-longest // per_step))
    owned = range(rank, settings.num_row_ranges, settings.num_workers)
    pieces = {index: _cut(ranges[index], _rows_per_piece(manifest)) for index in owned}
    reader = _PieceReader(manifest, {})
    held = [piece for index in owned for piece in pieces[index]]
    if sum(map(reader.memory_bytes, held)) < settings.cache_bytes:
        reader = _PieceReader(manifest, {piece: reader.read(piece) for piece in held})

    def batches(first: int, last: int, first_step: int = 0) -> Iterator[Batch]:
        for epoch in range(first, last):
            streams = [
                _in_blocks(_permuted(reader, pieces[index], (settings.seed, epoch, index)), per_step)
                for index in owned
            ]
            for step in range(num_steps):
                blocks = [next(stream, None) for stream in streams]
                if epoch > first or step >= first_step:
                    yield _assemble(blocks, per_step, manifest)

    return Feed(num_steps, len(owned) * per_step, batches)


@dataclass(frozen=True)
class _PieceReader:
    """Reads pieces from storage, or from the memory that holds them."""

    manifest: ShardManifest
    cached: dict[_Piece, _Rows]

    def read(self, piece: _Piece) -> _Rows:
        """The rows of a piece, in the order of the files."""
        if piece in self.cached:
            return self.cached[piece]
        return _joined([self._rows(rows) for rows in piece])

    def memory_bytes(self, piece: _Piece) -> float:
        """How much memory its rows take: exact for features, estimated from the footers for text."""
        if self.manifest.kind == "features":
            return _num_rows(piece) * (self.manifest.num_features + 1) * 4.0
        return sum(self._text_bytes(rows) for rows in piece)

    def _rows(self, rows: RowSlice) -> _Rows:
        column = FEATURES_COLUMN if self.manifest.kind == "features" else TEXT_COLUMN
        with self._open(rows.file_index) as file:
            ends = np.cumsum([file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)])
            first, last = np.searchsorted(ends, [rows.start, rows.stop - 1], side="right")
            table = file.read_row_groups(range(first, last + 1), columns=[column, LABEL_COLUMN])
        before = int(ends[first - 1]) if first else 0
        table = table.slice(rows.start - before, rows.stop - rows.start)
        labels = table[LABEL_COLUMN].to_numpy().astype(np.float32)
        if self.manifest.kind == "text":
            return _Rows(np.array(table[column].to_pylist(), dtype=np.object_).reshape(-1, 1), labels)
        packed = pa.concat_arrays(table[column].chunks)
        return _Rows(unpack_features(packed, self.manifest.num_features).copy(), labels)

    def _text_bytes(self, rows: RowSlice) -> float:
        with self._open(rows.file_index) as file:
            groups = [file.metadata.row_group(g) for g in range(file.num_row_groups)]
        in_file = sum(group.total_byte_size for group in groups) / sum(group.num_rows for group in groups)
        per_row: float = in_file + _PYTHON_TEXT_BYTES
        return (rows.stop - rows.start) * per_row

    def _open(self, file_index: int) -> pq.ParquetFile:
        file_system, path = locate(self.manifest.file_path(self.manifest.files[file_index]))
        return pq.ParquetFile(path, filesystem=file_system)


def _rows_per_piece(manifest: ShardManifest) -> int:
    if manifest.kind == "text":
        return TEXT_PIECE_ROWS
    return max(1, PIECE_BYTES // (4 * manifest.num_features))


def _cut(slices: Sequence[RowSlice], size: int) -> list[_Piece]:
    """A range in pieces of `size` consecutive rows; the last may be smaller."""
    pieces: list[_Piece] = []
    piece: _Piece = ()
    for file_index, start, stop in slices:
        while start < stop:
            taken = min(stop - start, size - _num_rows(piece))
            piece = (*piece, RowSlice(file_index, start, start + taken))
            start += taken
            if _num_rows(piece) == size:
                pieces, piece = [*pieces, piece], ()
    return [*pieces, piece] if piece else pieces


def _num_rows(slices: Sequence[RowSlice]) -> int:
    return sum(rows.stop - rows.start for rows in slices)


def _permuted(reader: _PieceReader, pieces: list[_Piece], seed: tuple[int, int, int]) -> Iterator[_Rows]:
    """The rows of a range, piece by piece, in their order of this epoch."""
    random = np.random.default_rng(seed)
    for index in random.permutation(len(pieces)):
        inputs, labels = reader.read(pieces[index])
        order = random.permutation(len(labels))
        yield _Rows(inputs[order], labels[order])


def _in_blocks(stream: Iterator[_Rows], size: int) -> Iterator[_Rows]:
    """The same rows in blocks of `size`; the last may be smaller."""
    rest: list[_Rows] = []
    for rows in stream:
        held = sum(len(part.labels) for part in rest)
        start = 0
        while held + len(rows.labels) - start >= size:
            stop = start + size - held
            yield _joined([*rest, _Rows(rows.inputs[start:stop], rows.labels[start:stop])])
            rest, held, start = [], 0, stop
        if start < len(rows.labels):
            rest = [*rest, _Rows(rows.inputs[start:], rows.labels[start:])]
    if rest:
        yield _joined(rest)


def _joined(parts: list[_Rows]) -> _Rows:
    if len(parts) == 1:
        return parts[0]
    inputs, labels = zip(*parts, strict=True)
    return _Rows(np.concatenate(inputs), np.concatenate(labels))


def _assemble(blocks: list[_Rows | None], per_step: int, manifest: ShardManifest) -> Batch:
    """One block of each range, below each other, each filled up to `per_step` rows of weight 0."""
    num_rows = len(blocks) * per_step
    inputs: Inputs
    if manifest.kind == "text":
        inputs = np.full((num_rows, 1), "", dtype=np.object_)
    else:
        inputs = np.zeros((num_rows, manifest.num_features), dtype=np.float32)
    labels, weights = np.zeros(num_rows, np.float32), np.zeros(num_rows, np.float32)
    for position, block in enumerate(blocks):
        if block is not None:
            start, stop = position * per_step, position * per_step + len(block.labels)
            inputs[start:stop], labels[start:stop], weights[start:stop] = (*block, 1.0)
    return Batch(inputs, labels, weights)
