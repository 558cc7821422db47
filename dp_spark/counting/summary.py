"""A summary of labeling functions, with the columns and meaning of Snorkel's `LFAnalysis.lf_summary`.

Two things differ. Classes are ours: -1 and +1, or 1 to k, where Snorkel has 0 to k - 1. And an LF that never
votes where the truth is known has no empirical accuracy (None, NaN in pandas), where Snorkel says 0.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dp_spark.counting.gold_counts import GoldCounts
from dp_spark.counting.notebook import summary_html
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.labeling.votes import Classes, classes_of

if TYPE_CHECKING:
    import pandas as pd

MAX_CLASSES_SHOWN = 6  # of an LF's polarity, in the text table

# Our name of a column, and Snorkel's.
_COLUMNS = {
    "position": "j",
    "polarity": "Polarity",
    "coverage": "Coverage",
    "overlaps": "Overlaps",
    "conflicts": "Conflicts",
}
_GOLD_COLUMNS = {"correct": "Correct", "incorrect": "Incorrect", "empirical_accuracy": "Emp. Acc."}


@dataclass(frozen=True)
class LFSummaryRow:
    """What the counts say about one LF; shares are of all data points.

    Attributes:
        name: of the LF.
        position: of its votes in the label matrix, from 0.
        polarity: the classes that it ever votes, in order.
        coverage: the share on which it votes.
        overlaps: the share on which it votes, and another LF too.
        conflicts: the share on which it votes, and another LF another class.
        correct, incorrect: votes for the gold class, and for others; None without gold labels.
        empirical_accuracy: correct / (correct + incorrect); None without votes where gold is known.
    """

    name: str
    position: int
    polarity: tuple[int, ...]
    coverage: float
    overlaps: float
    conflicts: float
    correct: int | None = None
    incorrect: int | None = None
    empirical_accuracy: float | None = None


@dataclass(frozen=True, repr=False)
class LFSummary:
    """A summary of m LFs; `print` shows it as a table.

    Attributes:
        rows: one per LF, in the order of the label matrix.
        num_data_points: n.
        num_gold: data points with a gold label, or None if no gold labels were given.
        class_names: what the table that is shown calls the classes; none leaves the votes.
    """

    rows: tuple[LFSummaryRow, ...]
    num_data_points: int
    num_gold: int | None
    class_names: tuple[str, ...] = ()

    def to_dicts(self) -> list[dict[str, object]]:
        """One dictionary per LF, with the names of `LFSummaryRow`."""
        return [asdict(row) for row in self.rows]

    def to_pandas(self) -> "pd.DataFrame":
        """The table that Snorkel's users know: its column names, one row per LF, indexed by name."""
        import pandas as pd

        columns = {
            title: [getattr(row, name) for row in self.rows] for name, title in self._columns().items()
        }
        table = pd.DataFrame(columns, index=[row.name for row in self.rows])
        as_snorkel: dict[str, object] = {"Polarity": table["Polarity"].map(list)}
        if self.num_gold is not None:
            as_snorkel["Emp. Acc."] = table["Emp. Acc."].astype("float64")  # None becomes NaN
        return table.assign(**as_snorkel)

    def __repr__(self) -> str:
        gold = "" if self.num_gold is None else f", {self.num_gold:,} with gold"
        return f"LFSummary(n={self.num_data_points:,}, m={len(self.rows)}{gold})"

    def __str__(self) -> str:
        lines = [self._titles(), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines
        )

    def _repr_html_(self) -> str:
        return summary_html(self, self._titles(), self._cells())

    def _titles(self) -> list[str]:
        return ["LF", *self._columns().values()]

    def _cells(self) -> list[list[str]]:
        return [[row.name, *(_text(self._shown(row, name)) for name in self._columns())] for row in self.rows]

    def _shown(self, row: LFSummaryRow, name: str) -> object:
        if name != "polarity" or not self.class_names:
            return getattr(row, name)
        classes = classes_of(len(self.class_names))
        return tuple(self.class_names[classes.index(vote)] for vote in row.polarity)

    def _columns(self) -> dict[str, str]:
        return _COLUMNS if self.num_gold is None else _COLUMNS | _GOLD_COLUMNS


def lf_summary(
    counts: VoteCounts, gold: GoldCounts | None = None, class_names: Sequence[str] = ()
) -> LFSummary:
    """Polarity, coverage, overlaps and conflicts of each LF, and with gold labels how often it is right.

    Args:
        counts: of m LFs.
        gold: of the same LFs, from `count_gold`.
        class_names: for the text of the table, one per class.

    Raises:
        ValueError: if `gold` is of other LFs or classes, or there is another number of names.

    >>> votes = np.array([[1, 1], [1, -1], [-1, 0], [0, 0]], dtype=np.int8)
    >>> print(lf_summary(VoteCounts.from_votes(votes, lf_names=["links", "short"])))
    LF     j  Polarity  Coverage  Overlaps  Conflicts
    links  0   [-1, 1]    0.7500    0.5000     0.2500
    short  1   [-1, 1]    0.5000    0.5000     0.2500
    """
    if gold is not None and (gold.lf_names, gold.num_classes) != (counts.lf_names, counts.num_classes):
        raise ValueError(
            f"the gold counts are of {list(gold.lf_names)} with {gold.num_classes} classes, and the vote "
            f"counts of {list(counts.lf_names)} with {counts.num_classes}: expected the same. Count both "
            "from one label matrix."
        )
    names = Classes(counts.num_classes, tuple(class_names)).names
    n = max(counts.num_data_points, 1)
    classes = np.array(classes_of(counts.num_classes))
    votes_per_class = counts.votes_per_class
    rows = tuple(
        LFSummaryRow(
            name=name,
            position=i,
            polarity=tuple(classes[votes_per_class[i] > 0].tolist()),
            coverage=int(votes_per_class[i].sum()) / n,
            overlaps=int(counts.num_overlaps[i]) / n,
            conflicts=int(counts.num_conflicts[i]) / n,
        )
        for i, name in enumerate(counts.lf_names)
    )
    if gold is None:
        return LFSummary(rows, counts.num_data_points, None, names)
    pairs = zip(gold.correct.tolist(), gold.incorrect.tolist(), strict=True)
    judged = (_judged(row, *pair) for row, pair in zip(rows, pairs, strict=True))
    return LFSummary(tuple(judged), counts.num_data_points, gold.num_gold, names)


def _judged(row: LFSummaryRow, correct: int, incorrect: int) -> LFSummaryRow:
    num_votes = correct + incorrect
    accuracy = correct / num_votes if num_votes else None
    return replace(row, correct=correct, incorrect=incorrect, empirical_accuracy=accuracy)


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.4f}"
        case tuple():
            shown = [*map(str, value[:MAX_CLASSES_SHOWN]), *(["…"] if len(value) > MAX_CLASSES_SHOWN else [])]
            return f"[{', '.join(shown)}]"
        case _:
            return str(value)
