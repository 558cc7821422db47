"""Any `prob_label` table against gold labels, for two classes: one aggregation in Spark.

A label of exactly 1/2 is half of each class: it earns half of the credit, and half of a positive
prediction. That is how the tutorial scores ties of a majority vote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.label_model.calibration import EDGE_DIGITS, MIN_PROBABILITY, NUM_BINS
from dp_spark.labels.label import NUM_VOTES, PROB_LABEL
from dp_spark.tables import quoted, refuse_duplicate_keys, refuse_missing_columns

TIE_TOLERANCE = 1e-9  # a label this close to 1/2 is a tie
_COVERED, _UNCOVERED = "covered", "uncovered"
_SUMS = (
    "rows", "known", "bad_gold", "zero", "bad_label",
    "positive", "correct", "predicted", "hit", "loss", "confidence",
)  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """Scores of some rows; a share of nothing is None.

    Attributes:
        num_data_points: rows with a label and a gold label.
        num_positive: of them with gold +1.
        accuracy, precision, recall, f1: in [0, 1]; the last three of class +1.
        log_loss: in nats, mean over the rows.
        expected_calibration_error: how far confidence and share correct are apart, as of `calibration`.
    """

    num_data_points: int
    num_positive: int
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    log_loss: float | None
    expected_calibration_error: float | None


@dataclass(frozen=True)
class Report:
    """Scores of a table of labels against gold.

    Attributes:
        all: every row with gold.
        covered, uncovered: rows with and without a vote, or None if the table has no `num_votes`.
        num_without_gold: labels whose key has no gold label; they are in none of the scores.
    """

    all: Scores
    covered: Scores | None
    uncovered: Scores | None
    num_without_gold: int

    def to_dict(self) -> dict[str, object]:
        """The report as JSON has it."""
        return asdict(self)


def evaluate(labels: DataFrame, gold: DataFrame, *, key: Sequence[str], gold_column: str = "gold") -> Report:
    """Accuracy, precision, recall, F1, log loss and calibration of labels; covered and uncovered rows apart.

    Args:
        labels: the key columns, `prob_label` = P(y = +1), and `num_votes` if there is one: labels of a label
            model, or predictions of an end model.
        gold: the key columns and the gold label: -1 or +1; null or 0 where it is not known.
        key: the columns to join by; unique in `gold`.
        gold_column: its name in `gold`.

    Raises:
        SchemaError: if columns are missing, a key of `gold` occurs twice, a gold label is another value or a
            label is not in [0, 1], or no label has a gold label.
    """
    refuse_missing_columns(labels, {"evaluate": [*key, PROB_LABEL]}, "the table of labels")
    refuse_missing_columns(gold, {"evaluate": [*key, gold_column]}, "the table of gold labels")
    refuse_duplicate_keys(gold, key)
    truth = gold.select(*map(quoted, key), quoted(gold_column).alias("_gold"))
    joined = labels.join(truth, on=list(key), how="left")
    has_votes = NUM_VOTES in labels.columns
    covered = F.col(NUM_VOTES) > 0 if has_votes else F.lit(True)
    known = F.coalesce(F.col("_gold") != 0, F.lit(False))
    rows = joined.select(
        F.when(covered, _COVERED).otherwise(_UNCOVERED).alias("part"),
        known.alias("known"),
        (known & ~F.col("_gold").isin(-1, 1)).alias("bad_gold"),
        (F.col("_gold") == 0).alias("zero"),
        (F.coalesce(~F.col(PROB_LABEL).between(0, 1) | F.isnan(PROB_LABEL), F.lit(True))).alias("bad_label"),
        _bin().alias("bin"),
        F.lit(1).alias("rows"),
        *_terms(known),
    )
    sums = [F.sum(F.col(name).cast("double")).alias(name) for name in _SUMS]
    grouped = rows.groupBy("part", "bin").agg(*sums).collect()  # two for each bin, and those of bad labels
    cells = sorted(
        (str(row["part"]), int(row["bin"]), [float(row[name] or 0) for name in _SUMS]) for row in grouped
    )
    total = _summed(cells, (_COVERED, _UNCOVERED))
    _refuse_bad_values(total, gold_column)
    return Report(
        all=_scores(total),
        covered=_scores(_summed(cells, (_COVERED,))) if has_votes else None,
        uncovered=_scores(_summed(cells, (_UNCOVERED,))) if has_votes else None,
        num_without_gold=int(total["rows"] - total["known"]),
    )


def _bin() -> Column:
    """The position of a label's confidence among the bins from 1/2 to 1; -1 if it is no probability."""
    prob = F.col(PROB_LABEL)
    widths = F.round((F.greatest(prob, 1 - prob) - 0.5) * 2 * NUM_BINS, EDGE_DIGITS)
    position = F.greatest(F.ceil(widths) - 1, F.lit(0)).cast("int")
    return F.when(prob.between(0, 1), position).otherwise(-1)


def _summed(cells: Sequence[tuple[str, int, list[float]]], parts: Sequence[str]) -> dict[str, float]:
    """The sums of some parts, and Σ |correct - confidence| of their bins, as "gap"."""
    sums, gaps = dict.fromkeys(_SUMS, 0.0), [0.0] * (NUM_BINS + 1)
    for part, position, values in cells:
        if part in parts:
            cell = dict(zip(_SUMS, values, strict=True))
            sums = {name: sums[name] + cell[name] for name in _SUMS}
            gaps[position] += cell["correct"] - cell["confidence"]
    return {**sums, "gap": sum(map(abs, gaps))}


def _terms(known: Column) -> list[Column]:
    """Per row: gold is positive, credit, positive prediction, hit, log loss and confidence; 0 without gold."""
    prob, gold = F.col(PROB_LABEL), F.col("_gold")
    is_tie = F.abs(prob - 0.5) <= TIE_TOLERANCE
    predicted = F.when(is_tie, 0.5).when(prob > 0.5, 1.0).otherwise(0.0)
    positive = (gold > 0).cast("double")
    of_gold = F.when(gold > 0, prob).otherwise(1 - prob)
    terms = {
        "positive": positive,
        "correct": F.when(gold > 0, predicted).otherwise(1 - predicted),
        "predicted": predicted,
        "hit": predicted * positive,
        "loss": -F.log(F.greatest(of_gold, F.lit(MIN_PROBABILITY))),
        "confidence": F.greatest(prob, 1 - prob),
    }
    return [F.when(known, term).otherwise(0.0).alias(name) for name, term in terms.items()]


def _refuse_bad_values(total: Mapping[str, float], gold_column: str) -> None:
    if total["bad_gold"]:
        raise SchemaError(
            f"{total['bad_gold']:.0f} values of {gold_column!r} are not gold labels: expected -1 or +1, "
            "and 0 or null where the truth is not known. Recode the column."
        )
    if total["zero"] and total["positive"] and total["positive"] == total["known"]:
        raise SchemaError(
            f"{gold_column!r} holds {total['zero']:.0f} times 0 and {total['positive']:.0f} times 1, but "
            "never -1: expected -1 for the negative class. Recode 0 as -1, or as null if it says that the "
            "truth is not known."
        )
    if total["bad_label"]:
        raise SchemaError(
            f"{total['bad_label']:.0f} values of {PROB_LABEL!r} are null, NaN or outside [0, 1]: "
            "expected P(y = +1)."
        )
    if not total["known"]:
        raise SchemaError(
            f"none of {total['rows']:.0f} labels has a gold label: expected keys that occur in both tables. "
            "Check that both have the same key columns and values."
        )


def _scores(sums: Mapping[str, float]) -> Scores:
    num, positive = sums["known"], sums["positive"]
    precision = _share(sums["hit"], sums["predicted"])
    recall = _share(sums["hit"], positive)
    f1 = None if precision is None or recall is None else _share(2 * precision * recall, precision + recall)
    return Scores(
        num_data_points=int(num),
        num_positive=int(positive),
        accuracy=_share(sums["correct"], num),
        precision=precision,
        recall=recall,
        f1=0.0 if f1 is None and precision is not None and recall is not None else f1,
        log_loss=_share(sums["loss"], num),
        expected_calibration_error=_share(sums["gap"], num),
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
