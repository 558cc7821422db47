"""Vote counts: the integer statistics of a label matrix that every label model is fitted from.

How often LF i votes a while LF j votes b, how often an LF votes beside or against any other, and how
often each vote vector ("pattern") occurs. All are sums over data points, so that counts of parts of a table
add up to those of the whole, exactly and in any order. LᵀL and |L|ᵀ|L| (tutorial, step 2.ii) are views.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dp_spark.counting.count_files import counts_file, read_counts_file
from dp_spark.counting.indicators import BLOCK_ROWS, shared_votes, vote_indicators
from dp_spark.counting.notebook import vote_counts_html, vote_counts_text
from dp_spark.counting.patterns import (
    NUM_BLOCKS,
    PatternCounts,
    count_patterns,
    empty_patterns,
    merge_patterns,
)
from dp_spark.hashing import mixed
from dp_spark.labeling.votes import Votes, check_votes, classes_of

Counts = npt.NDArray[np.int64]

MAX_INDICATORS = 1 << 14  # num_lfs * num_classes; the joint counts then take 2 GiB


@dataclass(frozen=True, repr=False)
class VoteCounts:
    """Integer statistics of a label matrix with m LFs and k classes.

    Attributes:
        lf_names: m names.
        lf_hashes: m content hashes of the LFs, or empty if they are not known.
        num_classes: k.
        num_data_points: n, with those on which every LF abstains.
        joint: (m, k, m, k) int64: joint[i, a, j, b] data points on which LF i votes class a and LF j
            class b. Classes are in the order of `classes_of(num_classes)`; joint[i, a, i, a] is how
            often LF i votes a.
        num_overlaps: (m,) int64: data points on which the LF votes, and at least one other LF too.
        num_conflicts: (m,) int64: data points on which the LF votes, and another LF another class.
        patterns: the distinct vote vectors and how often each occurs.
    """

    lf_names: tuple[str, ...]
    lf_hashes: tuple[str, ...]
    num_classes: int
    num_data_points: int
    joint: Counts
    num_overlaps: Counts
    num_conflicts: Counts
    patterns: PatternCounts

    @classmethod
    def from_votes(
        cls,
        votes: Votes,
        num_classes: int = 2,
        lf_names: Sequence[str] | None = None,
        lf_hashes: Sequence[str] = (),
        clusters: npt.ArrayLike | None = None,
    ) -> "VoteCounts":
        """The counts of a label matrix in memory.

        Args:
            votes: (n, m) int8: 0 abstains, -1 and +1 for two classes, else 1 to k. n may be 0.
            num_classes: k, 2 to 127.
            lf_names: m unique names; default: "lf_0", "lf_1", ...
            lf_hashes: m content hashes, or nothing.
            clusters: (n,) integers, the same for data points that belong together (repeated rows, sentences of
                one document): intervals then count clusters, not data points.

        Raises:
            ValueError: if a vote is not legal, or names, clusters and columns do not match.
        """
        votes = np.asarray(votes)
        check_votes(votes, num_classes)
        counts = empty_counts(
            tuple(lf_names) if lf_names is not None else tuple(f"lf_{i}" for i in range(votes.shape[1])),
            tuple(lf_hashes),
            num_classes,
            has_blocks=clusters is not None,
        )
        blocks = None if clusters is None else _blocks_of(clusters, len(votes))
        if votes.shape[1] != counts.num_lfs:
            raise ValueError(
                f"votes has {votes.shape[1]} columns and {counts.num_lfs} LF names: expected as many."
            )
        for start in range(0, len(votes), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            counts = counts.with_votes(
                votes[rows].astype(np.int8, copy=False), None if blocks is None else blocks[rows]
            )
        return counts

    @property
    def num_lfs(self) -> int:
        """How many LFs there are: m."""
        return len(self.lf_names)

    # Fits ask for these views again and again: they are summed once, and read-only.
    @cached_property
    def votes_per_class(self) -> Counts:
        """How often each LF votes each class: (m, k) int64."""
        lfs = np.arange(self.num_lfs)
        return _read_only(np.ascontiguousarray(np.einsum("iaa->ia", self.joint[lfs, :, lfs, :])))

    @cached_property
    def num_votes(self) -> Counts:
        """How often each LF votes: (m,) int64."""
        return _read_only(self.votes_per_class.sum(axis=1))

    @cached_property
    def overlaps(self) -> Counts:
        """On how many data points both LFs vote, N: (m, m) int64."""
        return _read_only(self.joint.sum(axis=(1, 3)))

    @cached_property
    def agreements(self) -> Counts:
        """On how many data points both LFs vote the same class: (m, m) int64."""
        return _read_only(np.einsum("iaja->ij", self.joint))

    @property
    def gram(self) -> Counts:
        """LᵀL for votes of -1 and +1: agreements less disagreements: (m, m) int64."""
        return 2 * self.agreements - self.overlaps

    @property
    def coverage(self) -> npt.NDArray[np.float64]:
        """The share of data points that each LF votes on: (m,) float64 in [0, 1]; 0 without data."""
        return np.asarray(self.num_votes / max(self.num_data_points, 1), dtype=np.float64)

    @property
    def has_blocks(self) -> bool:
        """Whether clusters of data points are known."""
        return self.patterns.block_counts is not None

    def with_votes(self, votes: Votes, blocks: Counts | None = None) -> "VoteCounts":
        """These counts and those of at most BLOCK_ROWS more data points.

        Args:
            votes: (rows, m) int8, legal votes.
            blocks: (rows,) int64 in [0, NUM_BLOCKS): the block of each, if these counts have blocks.
        """
        indicators = vote_indicators(votes, self.num_classes)
        overlapping, conflicting = shared_votes(votes)
        return replace(
            self,
            num_data_points=self.num_data_points + len(votes),
            joint=self.joint + (indicators.T @ indicators).astype(np.int64).reshape(self.joint.shape),
            num_overlaps=self.num_overlaps + np.count_nonzero(overlapping, axis=0),
            num_conflicts=self.num_conflicts + np.count_nonzero(conflicting, axis=0),
            patterns=merge_patterns(self.patterns, count_patterns(votes, self.patterns.log2_rate, blocks)),
        )

    def __add__(self, other: "VoteCounts") -> "VoteCounts":
        """The counts of both parts together: exact, and the same in any order.

        Raises:
            ValueError: if the parts are not of the same LFs and classes.
        """
        mine = (self.lf_names, self.lf_hashes, self.num_classes)
        theirs = (other.lf_names, other.lf_hashes, other.num_classes)
        if mine != theirs:
            raise ValueError(
                f"vote counts of different labeling functions cannot be added: {mine} and {theirs}. "
                "Count both tables with the same LFs, in the same order and version."
            )
        return replace(
            self,
            num_data_points=self.num_data_points + other.num_data_points,
            joint=self.joint + other.joint,
            num_overlaps=self.num_overlaps + other.num_overlaps,
            num_conflicts=self.num_conflicts + other.num_conflicts,
            patterns=merge_patterns(self.patterns, other.patterns),
        )

    def __repr__(self) -> str:
        return vote_counts_text(self)

    def _repr_html_(self) -> str:
        return vote_counts_html(self)

    def to_bytes(self) -> bytes:
        """The counts as an .npz file without pickles: the same bytes for the same counts."""
        return counts_file(
            {
                "lf_names": self.lf_names,
                "lf_hashes": self.lf_hashes,
                "num_classes": self.num_classes,
                "num_data_points": self.num_data_points,
            },
            self.joint,
            self.num_overlaps,
            self.num_conflicts,
            self.patterns,
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "VoteCounts":
        """The counts that `to_bytes` wrote.

        Raises:
            ValueError: if the content is no such file, of a newer format, or of version 1 with sampled
                patterns: it does not say how often an LF overlaps with any other.
        """
        header, joint, num_overlaps, num_conflicts, patterns = read_counts_file(content)
        return cls(
            lf_names=tuple(header["lf_names"]),
            lf_hashes=tuple(header["lf_hashes"]),
            num_classes=header["num_classes"],
            num_data_points=header["num_data_points"],
            joint=joint,
            num_overlaps=num_overlaps,
            num_conflicts=num_conflicts,
            patterns=patterns,
        )


def empty_counts(
    lf_names: tuple[str, ...], lf_hashes: tuple[str, ...], num_classes: int, *, has_blocks: bool = False
) -> VoteCounts:
    """The counts of no data points: the neutral element of `+`.

    Args:
        lf_names: m names.
        lf_hashes: m content hashes, or empty.
        num_classes: k.
        has_blocks: whether blocks of data points are counted apart.

    Raises:
        ValueError: if names are missing or not unique, hashes do not match them, or m * k is too large.
    """
    num_lfs, k = len(lf_names), len(classes_of(num_classes))
    if not lf_names or len(set(lf_names)) != num_lfs:
        raise ValueError(f"LF names are {list(lf_names)}: expected one or more different names.")
    if lf_hashes and len(lf_hashes) != num_lfs:
        raise ValueError(
            f"there are {len(lf_hashes)} LF hashes for {num_lfs} LFs: expected as many, or none."
        )
    if num_lfs * k > MAX_INDICATORS:
        raise ValueError(
            f"{num_lfs} LFs times {k} classes are {num_lfs * k}: joint counts are kept for up to "
            f"{MAX_INDICATORS} (2 GiB). Leave out LFs that rarely vote, or merge classes."
        )
    return VoteCounts(
        lf_names=lf_names,
        lf_hashes=lf_hashes,
        num_classes=num_classes,
        num_data_points=0,
        joint=np.zeros((num_lfs, k, num_lfs, k), dtype=np.int64),
        num_overlaps=np.zeros(num_lfs, dtype=np.int64),
        num_conflicts=np.zeros(num_lfs, dtype=np.int64),
        patterns=empty_patterns(num_lfs, has_blocks=has_blocks),
    )


def _blocks_of(clusters: npt.ArrayLike, num_rows: int) -> Counts:
    """The block of every data point: a hash of its cluster, modulo NUM_BLOCKS: (n,) int64."""
    given = np.asarray(clusters)
    if given.shape != (num_rows,) or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(
            f"clusters has shape {given.shape} and type {given.dtype}: expected one integer for each of {num_rows} "
            "data points. Number the clusters, as np.unique(names, return_inverse=True)[1] does."
        )
    return np.asarray(mixed(given.astype(np.uint64)) % np.uint64(NUM_BLOCKS), dtype=np.int64)


def _read_only(view: Counts) -> Counts:
    view.setflags(write=False)
    return view
