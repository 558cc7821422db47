"""Whether the probabilities of a label model are those with which it is right, on rows with a gold label.

Sources: the expected calibration error (ECE) of Guo, Pleiss, Sun and Weinberger 2017 (arXiv:1706.04599), the score of
Brier 1950, and the z statistic of Spiegelhalter 1986, here for k classes.

All numbers are of covered rows: without a vote the label is the class balance. They come from the patterns of
`GoldCounts`. Above 50,000 distinct patterns these are a sample: so are the rows then, `sample_rate` says how
large, and there is no z, because whole patterns are drawn.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from dp_spark.counting.gold_counts import GoldCounts
from dp_spark.label_model.confidence import MIN_PROBABILITY, NUM_BINS, bin_positions, predicted_shares
from dp_spark.label_model.intervals import INTERVAL_ERRORS
from dp_spark.label_model.model import LabelModel, Vector

MAX_Z = 3.0  # of calibrated labels and many rows, 1 set in 370 is beyond it
MIN_VARIANCE = 1e-6  # z stays finite where all labels are certain, and is 0 where none says anything


@dataclass(frozen=True)
class CalibrationBin:
    """Rows whose most probable class has a probability in (low, high]; the first bin begins at 1 / k itself.

    Attributes:
        low, high: probabilities.
        num_gold: how many rows.
        mean_confidence, share_correct: None without rows.
        interval: 95% of the share correct (Wilson 1927), rows taken as independent; None without rows.
    """

    low: float
    high: float
    num_gold: int
    mean_confidence: float | None
    share_correct: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Calibration:
    """How sure labels are, and how often they are right; None where nothing says so.

    Attributes:
        num_gold: rows with a gold label and at least one vote; all other numbers are of these.
        num_uncovered: rows with a gold label and no vote, left out.
        accuracy: share of rows whose most probable class is gold; tied classes share the credit.
        mean_confidence: of the most probable class.
        log_loss: in nats, mean over the rows.
        brier_score: Σ_c (P(y = c | λ) - [gold = c])², mean over the rows, 0 to 2: for two classes twice the
            squared error of P(y = +1).
        expected_calibration_error: Σ abs(share correct - mean confidence) of the bins, weighted by their rows;
            above 0 by chance with few rows, also if labels are calibrated.
        z: standard errors by which the Brier score is above what the labels expect of themselves: positive
            if they are over-confident, negative if they are less certain than they may be.
        max_z: how far from 0 that may be by chance.
        sample_rate: the share of patterns that is known; 1.0 if these are all rows.
        bins: NUM_BINS, of equal width.
    """

    num_gold: int
    num_uncovered: int
    accuracy: float | None
    mean_confidence: float | None
    log_loss: float | None
    brier_score: float | None
    expected_calibration_error: float | None
    z: float | None
    max_z: float | None
    sample_rate: float
    bins: tuple[CalibrationBin, ...]

    @property
    def is_miscalibrated(self) -> bool:
        """Whether the labels are more, or less, certain than right, beyond chance."""
        return self.z is not None and self.max_z is not None and abs(self.z) > self.max_z

    def to_dict(self) -> dict[str, object]:
        """The calibration as JSON has it."""
        bins = [{**asdict(b), "interval": b.interval and list(b.interval)} for b in self.bins]
        return {**asdict(self), "bins": bins}


@dataclass(frozen=True, eq=False)
class _Judged:
    """Distinct rows: how often each occurs, (n,) int64, its probabilities and its gold class, (n, k)."""

    times: npt.NDArray[np.int64]
    probs: Vector
    is_gold: npt.NDArray[np.bool_]

    @property
    def of_gold(self) -> Vector:
        """The probability of the gold class: (n,)."""
        return np.asarray(np.where(self.is_gold, self.probs, 0.0).sum(axis=1))

    def mean(self, values: Vector) -> float | None:
        num = int(self.times.sum())
        return float(self.times @ values) / num if num else None


def calibration(model: LabelModel, gold_counts: GoldCounts) -> Calibration:
    """How well the probabilities of labels fit gold labels; better of gold labels that the model was not given.

    Args:
        model: any label model.
        gold_counts: of the same LFs, from `count_gold`.

    Raises:
        ValueError: if `gold_counts` is none, or of other LFs or classes.
    """
    _refuse_others(model, gold_counts)
    patterns = gold_counts.patterns
    votes, gold = patterns.votes[:, :-1], patterns.votes[:, -1]
    covered = (votes != 0).any(axis=1)
    rows = _Judged(
        times=patterns.counts[covered],
        probs=model.predict_proba(votes[covered]),
        is_gold=gold[covered, None] == np.array(model.classes),
    )
    confidence, credit = rows.probs.max(axis=1), _credit(rows)
    bins = _bins(rows.times, confidence, credit, model.num_classes)
    z, max_z = _spiegelhalter(rows) if patterns.log2_rate == 0 else (None, None)
    return Calibration(
        num_gold=int(rows.times.sum()),
        num_uncovered=int(patterns.counts[~covered].sum()),
        accuracy=rows.mean(credit),
        mean_confidence=rows.mean(confidence),
        log_loss=rows.mean(-np.log(np.maximum(rows.of_gold, MIN_PROBABILITY))),
        brier_score=rows.mean(((rows.probs - rows.is_gold) ** 2).sum(axis=1)),
        expected_calibration_error=_expected_error(bins),
        z=z,
        max_z=max_z,
        sample_rate=patterns.sample_rate,
        bins=bins,
    )


def with_calibration(model: LabelModel, gold_counts: GoldCounts) -> LabelModel:
    """The model with its calibration on the gold labels that were given to its fit; its labels are the same.

    `diagnostics["calibration"]["gold_given_to_fit"]` says so: for a model that uses them it is optimistic.
    """
    found = calibration(model, gold_counts)
    diagnostics = {
        **model.diagnostics,
        "calibration": {**found.to_dict(), "gold_given_to_fit": True},
        "warnings": [*model.warnings, *_warnings(found)],
    }
    return replace(model, diagnostics=diagnostics)


def _expected_error(bins: Sequence[CalibrationBin]) -> float | None:
    """ECE = Σ_b n_b / n |share correct - mean confidence|; None without rows.  (Guo et al. 2017, (3).)"""
    num = sum(b.num_gold for b in bins)
    gaps = (
        b.num_gold * abs(b.share_correct - b.mean_confidence)
        for b in bins
        if b.share_correct is not None and b.mean_confidence is not None
    )
    return sum(gaps) / num if num else None


def _credit(rows: _Judged) -> Vector:
    """1 where the most probable class is gold, 0 where it is not, a share where several are tied: (n,)."""
    return np.asarray((predicted_shares(rows.probs) * rows.is_gold).sum(axis=1))


def _bins(
    times: npt.NDArray[np.int64], confidence: Vector, credit: Vector, num_classes: int
) -> tuple[CalibrationBin, ...]:
    edges = np.linspace(1 / num_classes, 1, NUM_BINS + 1)
    position = bin_positions(confidence, num_classes)
    nums, confidences, credits = (
        np.bincount(position, times * value, NUM_BINS).tolist() for value in (1.0, confidence, credit)
    )
    return tuple(
        CalibrationBin(
            low=low,
            high=high,
            num_gold=int(num),
            mean_confidence=sure / num if num else None,
            share_correct=right / num if num else None,
            interval=_wilson(right, num) if num else None,
        )
        for low, high, num, sure, right in zip(
            edges[:-1].tolist(), edges[1:].tolist(), nums, confidences, credits, strict=True
        )
    )


def _wilson(num_correct: float, num: float) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    squared = INTERVAL_ERRORS**2
    middle = num_correct + squared / 2
    reach = INTERVAL_ERRORS * np.sqrt(num_correct * (num - num_correct) / num + squared / 4)
    return float((middle - reach) / (num + squared)), float((middle + reach) / (num + squared))


def _spiegelhalter(rows: _Judged) -> tuple[float | None, float | None]:
    """Spiegelhalter's z of the Brier score, and how far from 0 it is by chance if labels are calibrated.

    With p_c = P(y = c | λ) and gold y, Brier's score is above its expectation by 2 (Σ_c p_c² - p_y), whose variance is
    4 (Σ_c p_c³ - (Σ_c p_c²)²). For two classes z is Spiegelhalter's Σ (y - p)(1 - 2p) / sqrt(Σ (1 - 2p)² p (1 - p)).

    By Bernstein's inequality the sum is beyond MAX_Z sqrt(V) + MAX_Z² / 6 at most once in 90 times per side, however
    few rows there are. The second term keeps one error, where nearly none was expected, from being called a
    finding; with many rows it vanishes.
    """
    times, probs = rows.times, rows.probs
    squares = (probs**2).sum(axis=1)
    if len(times) == 0:
        return None, None
    variance = float(times @ ((probs**3).sum(axis=1) - squares**2))
    error = np.sqrt(max(variance, MIN_VARIANCE))
    return float(times @ (squares - rows.of_gold) / error), float(MAX_Z + MAX_Z**2 / 6 / error)


def _warnings(found: Calibration) -> list[str]:
    if not found.is_miscalibrated or found.z is None:
        return []
    verdict = "over-confident" if found.z > 0 else "less certain than they may be"
    return [
        f"the labels are {verdict}: of {found.num_gold} with votes and a gold label a share of {found.accuracy:.3f} "
        f"is right at a mean confidence of {found.mean_confidence:.3f} (z = {found.z:.1f}; by chance up to "
        f"{found.max_z:.1f} from 0). Do not read labels as probabilities; name labeling functions that err "
        "together in dependencies, check class_balance and prior_accuracies if you gave them, or take another model."
    ]


def _refuse_others(model: LabelModel, gold_counts: GoldCounts) -> None:
    if not isinstance(gold_counts, GoldCounts):
        raise ValueError(
            f"gold_counts is a {type(gold_counts).__name__}: expected GoldCounts, of count_gold(label_matrix, gold) "
            "or GoldCounts.from_votes(votes, gold)."
        )
    if (gold_counts.lf_names, gold_counts.num_classes) != (model.lf_names, model.num_classes):
        raise ValueError(
            f"the gold counts are of {list(gold_counts.lf_names)[:10]} for {gold_counts.num_classes} classes and the "
            f"label model of {list(model.lf_names)[:10]} for {model.num_classes}: expected the same. Count gold on "
            "the label matrix that the model was fitted on."
        )
