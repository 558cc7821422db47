"""What scores of labels are made of: sums over rows with gold, which add up over parts of a table.

k classes; t tables of labels that are scored on the same rows; R bootstrap replicates. Column 0 of what is
resampled is the rows themselves, columns 1 to R are the replicates.
"""

import io
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from dp_spark.label_model.confidence import MIN_PROBABILITY, NUM_BINS, bin_positions, predicted_shares
from dp_spark.report.resampling import Units, poisson_weights

Vector = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

COVERED, UNCOVERED = 0, 1  # the parts that rows are in
NUM_PARTS = 2
_BLOCK_ROWS = 4096  # rows whose weights are in memory at once: 16 MB at 500 replicates


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows with gold and valid labels.

    Attributes:
        units: (n,), what the bootstrap draws: hashes of keys, or of clusters.
        covered: (n,), whether a labeling function voted.
        gold: (n,) int64, positions of classes, 0 to k - 1.
        probs: (t, n, k), the probabilities of each table.
    """

    units: Units
    covered: Flags
    gold: npt.NDArray[np.int64]
    probs: Vector

    def block(self, first: int) -> "Rows":
        """At most _BLOCK_ROWS rows from one on."""
        rows = slice(first, first + _BLOCK_ROWS)
        return Rows(self.units[rows], self.covered[rows], self.gold[rows], self.probs[:, rows])


@dataclass(frozen=True, eq=False)
class ScoreSums:
    """Sums by part (covered, uncovered), all float64.

    Attributes:
        seed: () of the replicates' weights; the same in what is added.
        counts: (5,) rows, rows with gold, of other values than gold labels, of zeros, of ones.
        bad_labels, missing: (t,) labels that are no probabilities, and rows with gold without any label.
        gold: (2, k, 1 + R) rows of each class.
        hits, predicted: (2, t, k, 1 + R) credit, and rows that are predicted as a class; ties are shared.
        loss: (2, t, 1 + R) -log P(gold class), in nats.
        confusion: (2, t, k, k) rows of a gold class that are predicted as another.
        bins: (2, t, NUM_BINS, 3) credit, confidence and number of the rows in each bin of confidence.
    """

    seed: npt.NDArray[np.int64]
    counts: Vector
    bad_labels: Vector
    missing: Vector
    gold: Vector
    hits: Vector
    predicted: Vector
    loss: Vector
    confusion: Vector
    bins: Vector

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.gold.shape[1])

    @property
    def num_tables(self) -> int:
        """T."""
        return int(self.loss.shape[1])

    @property
    def num_replicates(self) -> int:
        """R."""
        return int(self.gold.shape[2]) - 1

    def __add__(self, other: Self) -> Self:
        """The sums of both together."""
        names = [field.name for field in fields(self) if field.name != "seed"]
        return type(self)(self.seed, **{name: getattr(self, name) + getattr(other, name) for name in names})

    def with_counts(self, counts: Vector, bad_labels: Vector, missing: Vector) -> "ScoreSums":
        """These sums and what else was seen of the rows."""
        zero = empty_sums(self.num_classes, self.num_tables, self.num_replicates, int(self.seed))
        return self + ScoreSums(
            self.seed, counts, bad_labels, missing,
            zero.gold, zero.hits, zero.predicted, zero.loss, zero.confusion, zero.bins,
        )  # fmt: skip

    def with_rows(self, rows: Rows) -> "ScoreSums":
        """These sums and those of more rows."""
        sums = self
        for first in range(0, len(rows.gold), _BLOCK_ROWS):
            sums = sums + self._of_block(rows.block(first))
        return sums

    def _of_block(self, rows: Rows) -> "ScoreSums":
        weights = np.ones((len(rows.gold), 1 + self.num_replicates))
        weights[:, 1:] = poisson_weights(rows.units, self.num_replicates, int(self.seed))
        k, t = self.num_classes, self.num_tables
        is_gold = np.eye(k)[rows.gold]
        shares = np.stack([predicted_shares(probs) for probs in rows.probs])
        hits, of_gold = shares * is_gold, (rows.probs * is_gold).sum(axis=2)
        loss = -np.log(np.maximum(of_gold, MIN_PROBABILITY))
        terms = np.concatenate([is_gold[None], hits, shares]).transpose(1, 0, 2).reshape(len(weights), -1)
        in_part = np.stack([rows.covered, ~rows.covered])
        summed = np.stack(
            [np.concatenate([terms, loss.T], axis=1)[part].T @ weights[part] for part in in_part]
        )
        gold, hit, predicted, losses = np.split(summed, np.cumsum([k, t * k, t * k]), axis=1)
        return ScoreSums(
            seed=self.seed,
            counts=np.zeros_like(self.counts),
            bad_labels=np.zeros(t),
            missing=np.zeros(t),
            gold=gold,
            hits=hit.reshape(self.hits.shape),
            predicted=predicted.reshape(self.predicted.shape),
            loss=losses,
            confusion=np.einsum("pn,ni,tnj->ptij", in_part.astype(float), is_gold, shares, optimize=True),
            bins=_bins(rows.probs, hits.sum(axis=2), in_part),
        )

    def to_bytes(self) -> bytes:
        """The sums, the same bytes for the same sums."""
        buffer = io.BytesIO()
        np.savez(buffer, **{field.name: getattr(self, field.name) for field in fields(self)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The sums that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def empty_sums(num_classes: int, num_tables: int, num_replicates: int, seed: int) -> ScoreSums:
    """The sums of no rows.

    Args:
        num_classes: k, at least 2.
        num_tables: t, at least 1.
        num_replicates: R, at least 0.
        seed: of the replicates' weights.
    """
    k, t, columns = num_classes, num_tables, 1 + num_replicates
    return ScoreSums(
        seed=np.array(seed, dtype=np.int64),
        counts=np.zeros(5),
        bad_labels=np.zeros(t),
        missing=np.zeros(t),
        gold=np.zeros((NUM_PARTS, k, columns)),
        hits=np.zeros((NUM_PARTS, t, k, columns)),
        predicted=np.zeros((NUM_PARTS, t, k, columns)),
        loss=np.zeros((NUM_PARTS, t, columns)),
        confusion=np.zeros((NUM_PARTS, t, k, k)),
        bins=np.zeros((NUM_PARTS, t, NUM_BINS, 3)),
    )


def _bins(probs: Vector, credit: Vector, in_part: Flags) -> Vector:
    """Credit, confidence and number of rows by part, table and bin of confidence."""
    num_tables, _, num_classes = probs.shape
    sums = np.zeros((NUM_PARTS, num_tables, NUM_BINS, 3))
    for table in range(num_tables):
        confidence = probs[table].max(axis=1)
        positions = bin_positions(confidence, num_classes)
        for part, rows in enumerate(in_part):
            for i, values in enumerate((credit[table], confidence, np.ones(len(confidence)))):
                sums[part, table, :, i] = np.bincount(positions[rows], values[rows], NUM_BINS)
    return sums
