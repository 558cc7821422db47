"""Any `prob_label` table against gold labels: one pass in Spark, of which the driver gets sums."""

from collections.abc import Sequence

from pyspark.sql import DataFrame

from dp_spark.labels.label import NUM_VOTES, PROB_LABEL
from dp_spark.report.resampling import NUM_REPLICATES
from dp_spark.report.scored_rows import (
    COVERED_COLUMN,
    Scoring,
    covered,
    gold_rows,
    label_rows,
    num_classes_of,
    refuse_bad_rows,
)
from dp_spark.report.scores import Report, report_of
from dp_spark.tables import refuse_duplicate_keys, refuse_missing_columns


def evaluate(
    labels: DataFrame,
    gold: DataFrame,
    *,
    key: Sequence[str],
    gold_column: str = "gold",
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
    cluster: Sequence[str] = (),
) -> Report:
    """Accuracy, F1, log loss, calibration and confusion of labels, with intervals; covered and uncovered rows apart.

    Args:
        labels: the key columns; `prob_label`, P(y = +1), or k probabilities in the order of the classes 1 to k;
            and `num_votes` if there is one: labels of a label model, or predictions of an end model.
        gold: the key columns and the gold label: -1 or +1, or 1 to k; null or 0 where it is not known.
        key: the columns to join by; unique in `gold`.
        gold_column: its name in `gold`.
        num_replicates: of the bootstrap, at least 0; 0 gives no intervals.
        seed: of the replicates.
        cluster: columns of `gold` whose values rows share that belong together; the bootstrap draws them
            together.

    Raises:
        SchemaError: if columns are missing, a key of `gold` occurs twice, a gold label is another value or a
            label is not in [0, 1], or no label has a gold label.
    """
    refuse_missing_columns(labels, {"evaluate": [*key, PROB_LABEL]}, "the table of labels")
    refuse_missing_columns(gold, {"evaluate": [*key, gold_column, *cluster]}, "the table of gold labels")
    refuse_duplicate_keys(gold, key)
    scoring = Scoring(("",), num_classes_of(labels), num_replicates, seed)
    truth = gold_rows(gold, key, gold_column, cluster)
    joined = label_rows(labels, 0, key).join(truth, on=list(key), how="left")
    sums = scoring.sums(joined.withColumn(COVERED_COLUMN, covered(joined)))
    refuse_bad_rows(sums, scoring, gold_column)
    return report_of(sums, 0, NUM_VOTES in labels.columns)
