"""What a report says of votes and labels: labeling functions, pairs of them, label probabilities, drift."""

from collections.abc import Mapping
from dataclasses import dataclass

from dp_spark.report.scores import Interval


@dataclass(frozen=True)
class LFFacts:
    """One labeling function; what is not known is None.

    Attributes:
        name, kind: of the labeling function.
        votes: how often it votes each class that it ever votes, by what the class is called.
        num_votes: all of them.
        coverage, overlaps, conflicts: shares of the data points, as of `LFSummaryRow`.
        accuracy, interval, weight: what the label model makes of it; the interval is None where the votes say nothing.
        empirical_accuracy: on rows with gold.
        num_judged: how many of its votes are on rows with gold.
        chance: P(vote is right) if its votes were cast on rows at random: the sum over the classes of their share of
            its votes times P(y = c), all classes equally frequent before a fit.
        num_errors: on how many data points it failed.
        seconds, share_of_time: of Python; None inside Spark.
    """

    name: str
    kind: str | None
    votes: Mapping[str, int]
    num_votes: int
    coverage: float
    overlaps: float
    conflicts: float
    accuracy: float | None
    interval: Interval | None
    weight: float | None
    empirical_accuracy: float | None
    num_judged: int
    chance: float
    num_errors: int | None
    seconds: float | None
    share_of_time: float | None


@dataclass(frozen=True)
class Pair:
    """Two labeling functions that vote on the same data points.

    Attributes:
        first, second: their names.
        num_overlaps: data points on which both vote.
        agreement: the share of these on which they vote the same.
        expected: what the label model expects of it; None if it says nothing of this pair.
        score: agreement less expectation, in standard errors; None likewise.
        is_dependent: whether the fit took them as dependent.
        is_unexplained: whether it stands out from chance, and from how other pairs scatter.
    """

    first: str
    second: str
    num_overlaps: int
    agreement: float
    expected: float | None = None
    score: float | None = None
    is_dependent: bool = False
    is_unexplained: bool = False


@dataclass(frozen=True)
class Agreement:
    """Who votes with whom, and what of it the label model does not explain.

    Attributes:
        lfs: those with the most votes, whose pairs are in `overlaps`.
        overlaps: all their pairs with a data point in common.
        num_groups: how many groups of labeling functions share no data point with each other.
        num_alone: labeling functions that vote, and share no data point with another.
        unexplained: the pairs that the label model explains worst, the worst first.
        num_checked: how many pairs the label model says something about.
        num_beyond_chance: how many of them it does not explain, even as much as the others scatter.
        misfit: mean squared score of the checked pairs: about 1 where the label model holds; None without pairs.
        dependent_lfs: groups of labeling functions that the fit found, or was told, to be dependent.
    """

    lfs: tuple[str, ...]
    overlaps: tuple[Pair, ...]
    num_groups: int
    num_alone: int
    unexplained: tuple[Pair, ...]
    num_checked: int
    num_beyond_chance: int
    misfit: float | None
    dependent_lfs: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class LabelBucket:
    """Labels with a probability in [low, high); the last bucket holds 1, too.

    Attributes:
        low, high: probabilities.
        num_covered, num_uncovered: how many labels with, and without a vote.
    """

    low: float
    high: float
    num_covered: int
    num_uncovered: int


@dataclass(frozen=True)
class LabelClass:
    """The labels whose most probable class is this one.

    Attributes:
        name: what the class is called; "tied" for labels with several most probable classes.
        num_covered, num_uncovered: how many labels with, and without a vote.
    """

    name: str
    num_covered: int
    num_uncovered: int


@dataclass(frozen=True)
class LabelHistogram:
    """How sure the labels are.

    Attributes:
        num_labels, num_covered: all, and those with a vote.
        num_near_ties: of those with a vote, whose two most probable classes are less than NEAR_TIE apart.
        mean_confidence: the mean probability of the most probable class, of those with a vote; None without any.
        buckets: by P(y = +1) for two classes, else by the probability of the most probable class.
        classes: by the most probable class.
    """

    num_labels: int
    num_covered: int
    num_near_ties: int
    mean_confidence: float | None
    buckets: tuple[LabelBucket, ...]
    classes: tuple[LabelClass, ...]


@dataclass(frozen=True)
class Part:
    """A part of the table: what a partition column says, or consecutive rows.

    Attributes:
        name: what it is called.
        num_data_points: how many rows.
    """

    name: str
    num_data_points: int


@dataclass(frozen=True)
class LFDrift:
    """Whether a labeling function votes alike in all parts.

    Attributes:
        name: of the labeling function.
        chi_squared, degrees: of the test that its votes and abstentions do not depend on the part.
        is_drifting: whether they do, beyond chance, and by enough to matter.
        class_name: the class it votes for on a share of rows that varies most between parts.
        share: of all rows, those that it votes this class on.
        spread: the standard deviation of that share between parts, without what chance adds.
        coverages: by part; empty but for the labeling functions that drift most.
        class_shares: by part, the share of rows that it votes `class_name` on; empty likewise.
    """

    name: str
    chi_squared: float
    degrees: int
    is_drifting: bool
    class_name: str
    share: float
    spread: float
    coverages: tuple[float, ...] = ()
    class_shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class Drift:
    """How votes differ between parts of the table.

    Attributes:
        by: what the parts are.
        parts: in order.
        lfs: the one that drifts most first.
    """

    by: str
    parts: tuple[Part, ...]
    lfs: tuple[LFDrift, ...]
