"""An end model beside its baselines, on the same rows and the same bootstrap replicates.

Does the end model generalise beyond the labeling functions? Where none voted, the labels know nothing but
the class balance: there the end model has to be right more often than whoever always names the most
frequent class. Where some voted, the labels themselves are what to compare with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from dp_spark.report.notebook import comparison_html, comparison_text
from dp_spark.report.resampling import percentile_interval
from dp_spark.report.score_sums import COVERED, UNCOVERED, ScoreSums, Vector
from dp_spark.report.scores import Interval, Report, replicated_scores, report_of

MOST_FREQUENT_CLASS = "most_frequent_class"
_PARTS = {"all": (COVERED, UNCOVERED), "covered": (COVERED,), "uncovered": (UNCOVERED,)}


@dataclass(frozen=True)
class Difference:
    """The scores of one table of labels minus those of another, on the same rows.

    Attributes:
        minus: the other one; "most_frequent_class" is a guess at one class, the most frequent gold label of
            the rows.
        part: "all", "covered" or "uncovered".
        num_data_points: how many rows.
        accuracy, log_loss: the differences; a better table has more accuracy and less log loss. None without
            rows; the guess at one class has no log loss.
        accuracy_interval, log_loss_interval: of 95%, paired: from the same replicates of the rows. None
            without replicates, or of fewer than 10 rows.
    """

    minus: str
    part: str
    num_data_points: int
    accuracy: float | None
    accuracy_interval: Interval | None
    log_loss: float | None
    log_loss_interval: Interval | None


@dataclass(frozen=True, repr=False)
class Comparison:
    """One table of labels beside others.

    Attributes:
        subject: the table that the others are compared with.
        reports: of every table, by name.
        differences: the subject minus each other table, all rows first, then covered and uncovered ones.
    """

    subject: str
    reports: Mapping[str, Report]
    differences: tuple[Difference, ...]

    def difference(self, minus: str, part: str) -> Difference | None:
        """One of the differences, or None if it is not among them."""
        found = [d for d in self.differences if (d.minus, d.part) == (minus, part)]
        return found[0] if found else None

    @property
    def generalizes(self) -> bool | None:
        """Whether the subject is right beyond chance where no labeling function voted.

        True and False where the interval of the difference to the most frequent class is above, or below 0;
        None if it holds 0 or there is none.
        """
        return _sign(self.difference(MOST_FREQUENT_CLASS, "uncovered"))

    @property
    def verdict(self) -> str:
        """One sentence: does the subject generalise beyond the labeling functions?"""
        return f"{self._of_uncovered()}; {self._of_covered()}."

    def _of_uncovered(self) -> str:
        name, d = self.subject.replace("_", " "), self.difference(MOST_FREQUENT_CLASS, "uncovered")
        if d is None or d.accuracy is None or d.accuracy_interval is None:
            num_rows = d.num_data_points if d else 0
            return f"{num_rows} rows without a vote are too few to say whether the {name} generalises"
        says = {
            True: f"the {name} generalises beyond the labeling functions",
            False: f"the {name} does not generalise beyond the labeling functions",
            None: f"it is not shown that the {name} generalises beyond the labeling functions",
        }[self.generalizes]
        return (
            f"{says}: on {d.num_data_points:,} rows without a vote its accuracy minus that of the most frequent "
            f"class is {_with_interval(d.accuracy, d.accuracy_interval)}"
        )

    def _of_covered(self) -> str:
        d = self.difference("labels", "covered")
        if d is None or d.accuracy is None or d.accuracy_interval is None:
            return "nothing is known of rows with votes"
        says = {True: "better than", False: "worse than", None: "not told apart from"}[_sign(d)]
        return (
            f"on {d.num_data_points:,} rows with votes it is {says} the labels: "
            f"{_with_interval(d.accuracy, d.accuracy_interval)}"
        )

    def __repr__(self) -> str:
        return comparison_text(self)

    def _repr_html_(self) -> str:
        return comparison_html(self)

    def to_dict(self) -> dict[str, object]:
        """The differences and the verdict as JSON has them."""
        return {
            "subject": self.subject,
            "differences": [asdict(difference) for difference in self.differences],
            "generalizes": self.generalizes,
            "verdict": self.verdict,
        }


def comparison_of(sums: ScoreSums, names: Sequence[str], subject: str, has_votes: bool) -> Comparison:
    """The comparison that sums hold.

    Args:
        sums: over all rows.
        names: of the tables, in their order.
        subject: one of them.
        has_votes: whether it is known which rows are covered.
    """
    parts = _PARTS if has_votes else {"all": _PARTS["all"]}
    others = [name for name in names if name != subject]
    pairs = [(other, part) for part in parts for other in others]
    pairs += [(MOST_FREQUENT_CLASS, "uncovered")] if has_votes else []
    return Comparison(
        subject=subject,
        reports={name: report_of(sums, i, has_votes) for i, name in enumerate(names)},
        differences=tuple(_difference(sums, list(names), subject, other, part) for other, part in pairs),
    )


def _difference(sums: ScoreSums, names: list[str], subject: str, minus: str, part: str) -> Difference:
    parts = _PARTS[part]
    num_rows = int(sums.gold[list(parts), :, 0].sum())
    own = replicated_scores(sums, names.index(subject), parts)
    others = (
        {"accuracy": _share_of_most_frequent(sums, parts)}
        if minus == MOST_FREQUENT_CLASS
        else replicated_scores(sums, names.index(minus), parts)
    )
    gaps = {name: own[name] - others[name] for name in ("accuracy", "log_loss") if name in others}
    values = {name: float(gap[0]) for name, gap in gaps.items() if np.isfinite(gap[0])}
    intervals = {name: percentile_interval(gap[1:], num_rows) for name, gap in gaps.items()}
    return Difference(
        minus=minus,
        part=part,
        num_data_points=num_rows,
        accuracy=values.get("accuracy"),
        accuracy_interval=intervals.get("accuracy"),
        log_loss=values.get("log_loss"),
        log_loss_interval=intervals.get("log_loss"),
    )


def _share_of_most_frequent(sums: ScoreSums, parts: Sequence[int]) -> Vector:
    """(1 + R,): the share of the class that most of the rows have, in the rows and in every replicate."""
    gold = sums.gold[list(parts)].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(gold[int(gold[:, 0].argmax())] / gold.sum(axis=0))


def _sign(difference: Difference | None) -> bool | None:
    """Whether accuracy is higher (True) or lower (False) beyond chance."""
    if difference is None or difference.accuracy_interval is None:
        return None
    low, high = difference.accuracy_interval
    return True if low > 0 else False if high < 0 else None


def _with_interval(value: float, interval: Interval) -> str:
    return f"{value:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})"
