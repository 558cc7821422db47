"""All numbers of the report of a run, as report.json has them; nothing in it grows with the number of rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from dp_spark.label_model.calibration import Calibration
from dp_spark.report.comparison import Difference
from dp_spark.report.scores import Interval, Report
from dp_spark.report.vote_facts import Agreement, Drift, LabelHistogram, LFFacts


@dataclass(frozen=True)
class Subject:
    """What was labeled, and by what.

    Attributes:
        table: the path of the data points.
        num_data_points: n.
        classes: what the classes are called, in the order of probabilities.
        label_model, label_model_id: which one; None before it is fitted.
        made_at: when the report was made, in UTC.
        version: of dp_spark.
    """

    table: str
    num_data_points: int
    classes: tuple[str, ...]
    label_model: str | None
    label_model_id: str | None
    made_at: str
    version: str


@dataclass(frozen=True)
class Coverage:
    """How much the labeling functions say.

    Attributes:
        share_covered: of the data points with at least one vote.
        share_overlapping: of those with two votes or more.
        share_conflicting: of those with votes for different classes.
        mean_num_votes: votes per data point.
        sample_rate: of the vote vectors that the first three are from; 1.0 if of all.
    """

    share_covered: float
    share_overlapping: float
    share_conflicting: float
    mean_num_votes: float
    sample_rate: float


@dataclass(frozen=True)
class Quality:
    """How good the labels probably are.

    Attributes:
        headline: one sentence.
        accuracy, interval: of the labels; None where nothing says it.
        source: what says it: "gold", "label model" or "nothing".
        reasons: why one may believe it, a sentence each.
        doubts: why one may not, a sentence each.
    """

    headline: str
    accuracy: float | None
    interval: Interval | None
    source: str
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class ShownRow:
    """A row of the data, where it was asked for.

    Attributes:
        values: texts by column, cut off where they are long.
        prob_label: of its most probable class.
        label: what that class is called; "tied" for several most probable classes.
        num_votes: on it.
    """

    values: Mapping[str, str]
    prob_label: float
    label: str
    num_votes: int


@dataclass(frozen=True)
class RunFacts:
    """The numbers of a report; a part that is not there yet is None or empty, and `notes` says why.

    Attributes:
        subject, coverage, quality: what is said first.
        advice: what to fix first, at most MAX_ADVICE sentences.
        lfs: in the order of the label matrix.
        agreement: between labeling functions.
        class_balance: P(y = c) of the label model; empty before it is fitted.
        labels: the histogram of the label table.
        calibration: of the labels against gold.
        is_calibrated_on_fit: whether these gold labels were given to the fit, so that it is optimistic.
        scores: against gold, by rows and table, such as "test.labels".
        differences: of the end model to the other tables, on test rows.
        verdict: whether the end model generalises, one sentence; empty without gold.
        training: the metrics of every epoch of the end model; None for what is not finite.
        drift: between parts of the table.
        rows: some of the data points, where it was asked for: the least certain labels first.
        warnings: of the label model.
        notes: what is not in the report, and why.
        seconds: wall-clock seconds of the stages, by name.
        metrics_digest: the SHA-256 of the metrics.json that it was made from, but for its times; empty without.
    """

    subject: Subject
    coverage: Coverage
    quality: Quality
    advice: tuple[str, ...]
    lfs: tuple[LFFacts, ...]
    agreement: Agreement
    class_balance: tuple[float, ...]
    labels: LabelHistogram | None
    calibration: Calibration | None
    is_calibrated_on_fit: bool
    scores: Mapping[str, Report]
    differences: tuple[Difference, ...]
    verdict: str
    training: tuple[Mapping[str, float | None], ...]
    drift: Drift | None
    rows: tuple[ShownRow, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    metrics_digest: str
