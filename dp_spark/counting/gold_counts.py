"""Gold counts: how often each LF votes each class where the truth is known, and which votes meet which class."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dp_spark.counting.indicators import BLOCK_ROWS, vote_indicators
from dp_spark.counting.patterns import PatternCounts, count_patterns, empty_patterns, merge_patterns
from dp_spark.labeling.votes import Votes, check_votes, classes_of

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GoldCounts:
    """The votes of m LFs against gold labels of k classes.

    Attributes:
        lf_names: m names.
        num_classes: k.
        class_counts: (k,) int64: data points per gold class, also those on which every LF abstains.
        joint: (m, k, k) int64: joint[i, a, c] data points with gold class c on which LF i votes class a.
            Classes are in the order of `classes_of(num_classes)`.
        patterns: the distinct pairs of vote vector and gold class, and how often each occurs: m + 1 columns,
            the m votes and the gold class. A sample of them above MAX_PATTERNS.
    """

    lf_names: tuple[str, ...]
    num_classes: int
    class_counts: Counts
    joint: Counts
    patterns: PatternCounts

    @classmethod
    def from_votes(
        cls, votes: Votes, gold: Votes, num_classes: int = 2, lf_names: Sequence[str] | None = None
    ) -> "GoldCounts":
        """The gold counts of a label matrix in memory.

        Args:
            votes: (n, m) int8: 0 abstains, -1 and +1 for two classes, else 1 to k.
            gold: (n,) int8: the same classes; 0 where the truth is not known.
            num_classes: k, 2 to 127.
            lf_names: m unique names; default: "lf_0", "lf_1", ...

        Raises:
            ValueError: if a vote or gold label is not legal, or shapes do not match.
        """
        votes, gold = np.asarray(votes), np.asarray(gold)
        check_votes(votes, num_classes)
        num_rows, num_lfs = votes.shape
        names = tuple(lf_names) if lf_names is not None else tuple(f"lf_{i}" for i in range(num_lfs))
        if gold.shape != (num_rows,) or len(names) != num_lfs:
            raise ValueError(
                f"votes has shape {votes.shape}, gold has shape {gold.shape} and there are {len(names)} LF "
                "names: expected (n, m), (n,) and m."
            )
        illegal = np.flatnonzero(~np.isin(gold, (0, *classes_of(num_classes))))
        if len(illegal):
            raise ValueError(
                f"gold[{illegal[0]}] is {gold[illegal[0]]}: expected one of {classes_of(num_classes)}, or 0 "
                "where the truth is not known. Recode it."
            )
        counts = empty_gold_counts(names, num_classes)
        for start in range(0, num_rows, BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            counts = counts.with_votes(votes[rows].astype(np.int8), gold[rows].astype(np.int8))
        return counts

    @property
    def num_gold(self) -> int:
        """How many data points have a gold label."""
        return int(self.class_counts.sum())

    @property
    def correct(self) -> Counts:
        """How often each LF votes the gold class: (m,) int64."""
        return np.asarray(np.einsum("iaa->i", self.joint))

    @property
    def incorrect(self) -> Counts:
        """How often each LF votes another class than gold: (m,) int64."""
        return np.asarray(self.joint.sum(axis=(1, 2)) - self.correct)

    def with_votes(self, votes: Votes, gold: Votes) -> "GoldCounts":
        """These counts and those of at most BLOCK_ROWS more data points.

        Args:
            votes: (rows, m) int8, legal votes.
            gold: (rows,) int8, legal gold labels; rows with 0 are left out.
        """
        known = gold != 0
        lf_votes = vote_indicators(votes[known], self.num_classes)
        truth = vote_indicators(gold[known, None], self.num_classes)
        joint = (lf_votes.T @ truth).astype(np.int64).reshape(self.joint.shape)
        with_truth = np.column_stack([votes[known], gold[known]])
        return replace(
            self,
            class_counts=self.class_counts + truth.sum(axis=0).astype(np.int64),
            joint=self.joint + joint,
            patterns=merge_patterns(self.patterns, count_patterns(with_truth, self.patterns.log2_rate)),
        )

    def __add__(self, other: "GoldCounts") -> "GoldCounts":
        """The counts of both parts together: exact, and the same in any order.

        Raises:
            ValueError: if the parts are not of the same LFs and classes.
        """
        mine, theirs = (self.lf_names, self.num_classes), (other.lf_names, other.num_classes)
        if mine != theirs:
            raise ValueError(
                f"gold counts of different labeling functions cannot be added: {mine} and {theirs}. "
                "Count both tables with the same LFs, in the same order."
            )
        return replace(
            self,
            class_counts=self.class_counts + other.class_counts,
            joint=self.joint + other.joint,
            patterns=merge_patterns(self.patterns, other.patterns),
        )

    def to_bytes(self) -> bytes:
        """The counts as an .npz file without pickles: the same bytes for the same counts."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            lf_names=np.array(self.lf_names),
            class_counts=self.class_counts,
            joint=self.joint,
            patterns=self.patterns.votes,
            pattern_counts=self.patterns.counts,
            log2_rate=np.int64(self.patterns.log2_rate),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "GoldCounts":
        """The counts that `to_bytes` wrote.

        Raises:
            ValueError: if an earlier dp_spark wrote them, without patterns.
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            if "patterns" not in arrays:
                raise ValueError(
                    f"these gold counts hold {sorted(arrays)}: expected the patterns of votes and gold classes "
                    "too, which an earlier dp_spark did not keep. Count the gold labels again."
                )
            names, joint = tuple(arrays["lf_names"].tolist()), arrays["joint"]
            patterns = PatternCounts(arrays["patterns"], arrays["pattern_counts"], int(arrays["log2_rate"]))
            return cls(names, joint.shape[1], arrays["class_counts"], joint, patterns)


def empty_gold_counts(lf_names: tuple[str, ...], num_classes: int) -> GoldCounts:
    """The gold counts of no data points: the neutral element of `+`.

    Raises:
        ValueError: if `num_classes` is not 2 to 127.
    """
    m, k = len(lf_names), len(classes_of(num_classes))
    joint = np.zeros((m, k, k), np.int64)
    return GoldCounts(lf_names, num_classes, np.zeros(k, np.int64), joint, empty_patterns(m + 1))
