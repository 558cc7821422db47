"""The batches of one training process, read from shards with NumPy and Arrow alone.

The rows are cut in R row ranges. Every global batch takes b rows of each range, each range in an order
of its own, f(seed, epoch, range): its pieces permuted, then the rows of each piece. A piece is a fixed
number of consecutive rows. Process r of N owns the ranges r, r + N, ...: the global batches are the same
for every N and however the rows lie in files, and no process trains on another's rows.  (docs/training.md)

Every process takes the same number of steps with batches of one fixed shape. Where a range has no more
rows, rows of the batch stand in again, with weight 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from dp_spark.end_model.pieces import PieceReader, cut, num_rows, opened_files, rows_per_piece
from dp_spark.end_model.rows import Batch, Chosen, assembled, copied
from dp_spark.end_model.scratch import Piece, open_scratch
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import SchemaError
from dp_spark.labels.manifest import RowSlice, ShardManifest, plan_row_ranges
from dp_spark.labels.shard_files import refuse_altered

FeedPart = Literal["train", "validation"]


class MakeBatches(Protocol):
    """Makes batches."""

    def __call__(self, first: int, last: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of epochs `first` to `last` (excluded), from step `first_step` of the first one on."""


@dataclass(frozen=True)
class Feed:
    """The batches of one process.

    Attributes:
        num_steps: steps per epoch, the same for every process.
        batch_rows: B: rows of each of this process's batches.
        num_rows: rows of an epoch, of all processes together.
        batches: makes the batches of some epochs, one after the other.
    """

    num_steps: int
    batch_rows: int
    num_rows: int
    batches: MakeBatches


def open_feed(
    manifest: ShardManifest, settings: TrainingSettings, rank: int, part: FeedPart = "train"
) -> Feed:
    """The feed of process `rank`.

    Opening the "train" part reads this process's share of the files once, and refuses them if they are
    not those of the manifest; together the processes check every file.

    Args:
        manifest: the training set.
        settings: fix the batches and say how many processes there are.
        rank: 0 to `num_workers` - 1.
        part: "validation" are the rows that `validation_share` holds out, in their own order in every epoch.

    Raises:
        SchemaError: if a file was altered, or no row is left for the part.
    """
    if part == "train":
        refuse_altered(manifest, manifest.files[rank :: settings.num_workers])
    first, last = _rows_of_part(manifest.num_data_points, settings.validation_share, part)
    ranges = plan_row_ranges(
        [file.num_data_points for file in manifest.files], settings.num_row_ranges, first, last
    )
    per_step = settings.rows_per_range
    num_steps = max(1, -(-max(map(num_rows, ranges)) // per_step))
    owned = range(rank, settings.num_row_ranges, settings.num_workers)
    size = rows_per_piece(manifest)
    pieces = {
        index: cut(ranges[index], size, _first_size(index, ranges[index], size, settings)) for index in owned
    }
    share = (last - first) / manifest.num_data_points
    reader = _reader(manifest, [piece for index in owned for piece in pieces[index]], settings, share)

    def batches(first: int, last: int, first_step: int = 0) -> Iterator[Batch]:
        for epoch in range(first, last):
            skipped = first_step if epoch == first else 0
            orders = [(index, (settings.seed, epoch, index) if part == "train" else None) for index in owned]
            streams = [_blocks(reader, pieces[i], seed, per_step, skipped) for i, seed in orders]
            for _ in range(skipped, num_steps):
                yield assembled([next(stream, []) for stream in streams], per_step, manifest)

    return Feed(num_steps, len(owned) * per_step, last - first, batches)


def _rows_of_part(num_data_points: int, validation_share: float, part: FeedPart) -> tuple[int, int]:
    """The first row of a part, and the row after its last."""
    held_out = round(validation_share * num_data_points) if validation_share else 0
    held_out = max(held_out, 1) if validation_share else 0
    first, last = (
        (0, num_data_points - held_out) if part == "train" else (num_data_points - held_out, num_data_points)
    )
    if first == last:
        raise SchemaError(
            f"the training set has {num_data_points} rows and validation_share is {validation_share:g}: expected "
            f"at least one row for the part {part!r}. Label more data points, or change validation_share."
        )
    return first, last


def _first_size(index: int, slices: Sequence[RowSlice], size: int, settings: TrainingSettings) -> int:
    """The rows of a range's first piece: another number for each range, so that they do not all end at once."""
    if num_rows(slices) <= size:
        return size
    return max(1, size * (index + 1) // settings.num_row_ranges)


def _reader(
    manifest: ShardManifest, pieces: Sequence[Piece], settings: TrainingSettings, share: float
) -> PieceReader:
    """Keeps the pieces in memory if they take less than this share of `cache_bytes`, else in a scratch file."""
    reader = PieceReader(manifest, {}, opened_files())
    if sum(map(num_rows, pieces)) * manifest.held_row_bytes >= settings.cache_bytes * share:
        return replace(reader, scratch=open_scratch(int(settings.scratch_bytes * share)))
    return replace(reader, held={piece: copied([reader.read(piece)]) for piece in pieces})


def _blocks(
    reader: PieceReader, pieces: Sequence[Piece], seed: tuple[int, int, int] | None, size: int, skipped: int
) -> Iterator[list[Chosen]]:
    """The rows of a range in blocks of `size`, without the first `skipped` blocks; the last may be smaller.

    Pieces that are skipped are not read. Without a seed the rows come in their own order.
    """
    random = np.random.default_rng(seed) if seed else None
    block: list[Chosen] = []
    wanted, to_skip = size, skipped * size
    for index in random.permutation(len(pieces)) if random else range(len(pieces)):
        length = num_rows(pieces[index])
        order = random.permutation(length) if random else np.arange(length)
        if to_skip >= length:
            to_skip -= length
            continue
        order, to_skip = order[to_skip:], 0
        rows = reader.read(pieces[index])
        while len(order) >= wanted:
            yield [*block, Chosen(rows, order[:wanted])]
            order, block, wanted = order[wanted:], [], size
        if len(order):
            block, wanted = [*block, Chosen(rows, order)], wanted - len(order)
    if block:
        yield block
