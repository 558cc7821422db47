"""Labels against gold: how many are wrong, which classes are mixed up, and which LFs pushed towards wrong classes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from dp_spark.counting.merging import count_batches
from dp_spark.iteration.array_sums import Array, ArraySums
from dp_spark.iteration.error_buckets import GOLD, LABEL
from dp_spark.iteration.label_classes import LabeledVotes, Positions, position_titles
from dp_spark.iteration.pushes import Push, Terms, push_sums, pushes_of
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes
from dp_spark.labeling.votes import Votes


@dataclass(frozen=True, eq=False)
class ErrorCounts:
    """Labels against gold.

    Attributes:
        titles: k + 2 texts: the classes, "tied", "uncovered".
        confusion: (k, k + 2) int64: rows by gold class and label.
        pushes: of each LF towards the wrong class against the gold class, on rows that are labeled wrong.
    """

    titles: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    pushes: tuple[Push, ...]

    @property
    def num_gold(self) -> int:
        """Rows with a gold label."""
        return int(self.confusion.sum())

    @property
    def num_right(self) -> int:
        """Rows whose label is the gold class."""
        return int(np.trace(self.confusion))

    @property
    def num_tied(self) -> int:
        """Rows on which several classes are equally probable."""
        return int(self.confusion[:, -2].sum())

    @property
    def num_uncovered(self) -> int:
        """Rows without a vote, which are labeled neither right nor wrong."""
        return int(self.confusion[:, -1].sum())

    @property
    def num_wrong(self) -> int:
        """Rows whose label is another class."""
        return self.num_gold - self.num_right - self.num_tied - self.num_uncovered


def count_errors(labeled_votes: LabeledVotes, rows: DataFrame) -> ErrorCounts:
    """Right and wrong labels, and which LFs pushed towards wrong classes, in one pass.

    Args:
        labeled_votes: whose labels, or votes, they are.
        rows: from `judged_rows`.
    """
    model, terms = labeled_votes.model, Terms.of(labeled_votes.model)
    num_lfs = len(model.lf_names)

    def with_batch(sums: ArraySums, batch: pa.RecordBatch) -> ArraySums:
        gold, label = (column.to_numpy().astype(np.int64) for column in batch.columns[:2])
        return sums + ArraySums(_sums(terms, gold, label, unpack_votes(batch.column(2), num_lfs)))

    none = np.zeros(0, dtype=np.int64)
    start = ArraySums(_sums(terms, none, none, np.zeros((0, num_lfs), dtype=np.int8)))
    arrays = count_batches(rows.select(GOLD, LABEL, VOTES_COLUMN), start, with_batch).arrays
    return ErrorCounts(
        titles=position_titles(labeled_votes.classes),
        confusion=arrays["confusion"].astype(np.int64),
        pushes=pushes_of(model.lf_names, arrays["log_odds"], arrays["num_pushed"], arrays["num_led"]),
    )


def _sums(terms: Terms, gold: Positions, label: Positions, votes: Votes) -> dict[str, Array]:
    k = terms.num_classes
    confusion = np.zeros((k, k + 2), dtype=np.int64)
    np.add.at(confusion, (gold, label), 1)
    is_wrong = (label < k) & (label != gold)
    return {
        "confusion": confusion,
        **push_sums(terms.pushes(votes[is_wrong], label[is_wrong], gold[is_wrong])),
    }
