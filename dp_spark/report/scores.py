"""Scores of a table of labels, and their bootstrap intervals, from sums over rows with gold.

A tie of several most probable classes is a share of each: it earns that share of the credit, and is that
share of a prediction. That is how the tutorial scores ties of a majority vote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from dp_spark.labeling.votes import classes_of
from dp_spark.report.notebook import report_html, report_text
from dp_spark.report.resampling import percentile_interval
from dp_spark.report.score_sums import COVERED, UNCOVERED, ScoreSums, Vector

Interval = tuple[float, float]


@dataclass(frozen=True)
class ClassScores:
    """How well one class is found; a share of nothing is None.

    Attributes:
        vote: the class as votes name it.
        num_data_points: rows with this gold label.
        precision, recall, f1: in [0, 1].
    """

    vote: int
    num_data_points: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Scores:
    """Scores of some rows; a share of nothing is None.

    Attributes:
        num_data_points: rows with a label and a gold label.
        num_positive: of them with gold +1; None for more than two classes.
        accuracy, precision, recall, f1: in [0, 1]; the last three of class +1, None for more than two classes.
        log_loss: in nats, mean over the rows.
        expected_calibration_error: how far confidence and share correct are apart, as of `calibration`.
        macro_f1: the mean F1 of the classes that are gold or predicted somewhere.
        classes: each class by itself.
        confusion: (k, k), rows of each gold class by the class that is predicted; ties are shared.
        calibration: of each bin of confidence, as of `calibration`, that holds rows: its mean confidence, the share
            that is right, and how many rows.
        intervals: the 95% bootstrap intervals of "accuracy", "log_loss", "macro_f1" and, for two classes,
            "f1"; those that fewer than 10 rows, or no replicates, give are left out.
    """

    num_data_points: int
    num_positive: int | None
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    log_loss: float | None
    expected_calibration_error: float | None
    macro_f1: float | None
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[float, ...], ...]
    calibration: tuple[tuple[float, float, int], ...]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, repr=False)
class Report:
    """Scores of a table of labels against gold.

    Attributes:
        all: every row with gold.
        covered, uncovered: rows with and without a vote, or None if no table has `num_votes`.
        num_without_gold: labels whose key has no gold label; they are in none of the scores.
    """

    all: Scores
    covered: Scores | None
    uncovered: Scores | None
    num_without_gold: int

    def to_dict(self) -> dict[str, object]:
        """The report as JSON has it."""
        return asdict(self)

    def __repr__(self) -> str:
        return report_text(self)

    def _repr_html_(self) -> str:
        return report_html(self)


def report_of(sums: ScoreSums, table: int, has_votes: bool) -> Report:
    """The report of one of the tables.

    Args:
        sums: over all rows.
        table: its position.
        has_votes: whether it is known which rows are covered.
    """
    return Report(
        all=scores_of(sums, table, (COVERED, UNCOVERED)),
        covered=scores_of(sums, table, (COVERED,)) if has_votes else None,
        uncovered=scores_of(sums, table, (UNCOVERED,)) if has_votes else None,
        num_without_gold=int(sums.counts[0] - sums.counts[1]),
    )


def scores_of(sums: ScoreSums, table: int, parts: Sequence[int]) -> Scores:
    """The scores of one of the tables on the rows of some parts; arguments as of `replicated_scores`."""
    chosen = list(parts)
    values = replicated_scores(sums, table, parts)
    gold, hits, predicted = (
        array[..., 0].sum(axis=0)
        for array in (sums.gold[chosen], sums.hits[chosen, table], sums.predicted[chosen, table])
    )
    num, is_binary = gold.sum(), sums.num_classes == 2
    votes = classes_of(sums.num_classes)
    classes = tuple(_class_scores(*row) for row in zip(votes, gold, hits, predicted, strict=True))
    bins = sums.bins[chosen, table].sum(axis=0)
    credit, confidence, _ = bins.T
    found = {name: percentile_interval(value[1:], int(num)) for name, value in values.items()}
    return Scores(
        num_data_points=int(num),
        num_positive=int(gold[1]) if is_binary else None,
        accuracy=_share(hits.sum(), num),
        precision=classes[1].precision if is_binary else None,
        recall=classes[1].recall if is_binary else None,
        f1=classes[1].f1 if is_binary else None,
        log_loss=_share(sums.loss[chosen, table, 0].sum(), num),
        expected_calibration_error=_share(np.abs(credit - confidence).sum(), num),
        macro_f1=None if np.isnan(values["macro_f1"][0]) else float(values["macro_f1"][0]),
        classes=classes,
        confusion=tuple(map(tuple, sums.confusion[chosen, table].sum(axis=0).tolist())),
        calibration=tuple((b[1] / b[2], b[0] / b[2], int(b[2])) for b in bins.tolist() if b[2]),
        intervals={name: interval for name, interval in found.items() if interval},
    )


def replicated_scores(sums: ScoreSums, table: int, parts: Sequence[int]) -> dict[str, Vector]:
    """Accuracy, log loss and F1 of the rows, and of every replicate of them.

    Args:
        sums: over all rows.
        table: its position.
        parts: which of COVERED and UNCOVERED.

    Returns:
        (1 + R,) by name, the rows themselves first; NaN where there is nothing to compute a score of.
    """
    chosen = list(parts)
    gold, hits, predicted = (
        array.sum(axis=0)
        for array in (sums.gold[chosen], sums.hits[chosen, table], sums.predicted[chosen, table])
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * hits / (gold + predicted)
        counted = np.isfinite(f1)
        values = {
            "accuracy": hits.sum(axis=0) / gold.sum(axis=0),
            "log_loss": sums.loss[chosen, table].sum(axis=0) / gold.sum(axis=0),
            "macro_f1": np.where(counted, f1, 0).sum(axis=0) / counted.sum(axis=0),
        }
    return values | ({"f1": f1[1]} if sums.num_classes == 2 else {})


def _class_scores(vote: int, gold: float, hits: float, predicted: float) -> ClassScores:
    precision, recall = _share(hits, predicted), _share(hits, gold)
    f1 = None if precision is None or recall is None else 2 * float(hits) / float(gold + predicted)
    return ClassScores(vote, int(gold), precision, recall, f1)


def _share(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None
