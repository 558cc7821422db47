"""Several `prob_label` tables against gold labels, on the same rows: one pass in Spark."""

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.labels.label import NUM_VOTES, PROB_LABEL
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.report.comparison import Comparison, comparison_of
from dp_spark.report.resampling import NUM_REPLICATES
from dp_spark.report.score_sums import ScoreSums
from dp_spark.report.scored_rows import (
    COVERED_COLUMN,
    GOLD,
    Scoring,
    covered,
    gold_rows,
    label_rows,
    num_classes_of,
    refuse_bad_rows,
    refuse_mixed_labels,
    refuse_zero_for_negative,
)
from dp_spark.tables import refuse_duplicate_keys, refuse_missing_columns


def compare(
    tables: Mapping[str, DataFrame],
    gold: DataFrame,
    *,
    key: Sequence[str],
    subject: str = "end_model",
    gold_column: str = "gold",
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
    cluster: Sequence[str] = (),
) -> Comparison:
    """Several tables of labels on the rows with a gold label, in one pass, and the differences of one to the others.

    Args:
        tables: as `labels` of `evaluate`, by name. Rows without gold are left out; a row is covered if the
            first table with `num_votes` says so.
        gold: as of `evaluate`.
        key: the columns to join by; unique in every table.
        subject: the table that the others are compared with.
        gold_column: as of `evaluate`.
        num_replicates: as of `evaluate`.
        seed: as of `evaluate`.
        cluster: as of `evaluate`.

    Raises:
        SchemaError: as of `evaluate`; if a table lacks rows that have a gold label, or holds a key twice.
        ValueError: if `subject` is none of the tables.
    """
    _refuse_unusable(tables, gold, key, subject, [gold_column, *cluster])
    truth = gold_rows(gold, key, gold_column, cluster)
    joined = truth.where(f"{GOLD} != 0")
    for i, table in enumerate(tables.values()):
        joined = joined.join(label_rows(table, i, key), on=list(key), how="left")
    num_classes = num_classes_of(next(iter(tables.values())))
    num_known = _count_known(truth, num_classes, gold_column)
    scoring = Scoring(tuple(tables), num_classes, num_replicates, seed)
    sums = scoring.sums(joined.withColumn(COVERED_COLUMN, covered(joined)))
    refuse_bad_rows(sums, scoring, gold_column)
    _refuse_repeated_rows(sums, num_known, tables, key)
    has_votes = any(NUM_VOTES in table.columns for table in tables.values())
    return comparison_of(sums, scoring.names, subject, has_votes)


def _refuse_unusable(
    tables: Mapping[str, DataFrame],
    gold: DataFrame,
    key: Sequence[str],
    subject: str,
    gold_columns: Sequence[str],
) -> None:
    if subject not in tables:
        raise ValueError(f"subject is {subject!r}: expected one of {list(tables)}. Name a table.")
    for name, table in tables.items():
        refuse_missing_columns(table, {"compare": [*key, PROB_LABEL]}, f"the table {name!r}")
    refuse_missing_columns(gold, {"compare": [*key, *gold_columns]}, "the table of gold labels")
    refuse_duplicate_keys(gold, key)
    refuse_mixed_labels(tables)


def _count_known(truth: DataFrame, num_classes: int, gold_column: str) -> int:
    """How many rows have a gold label."""
    values = {"known": F.col(GOLD) != 0, "zeros": F.col(GOLD) == 0, "ones": F.col(GOLD) == 1}
    with named_jobs(truth.sparkSession, "counting gold labels"):
        row = truth.agg(*(F.count_if(is_one).alias(name) for name, is_one in values.items())).first()
    known, zeros, ones = (int(row[name]) if row else 0 for name in values)
    if num_classes == 2:
        refuse_zero_for_negative(zeros, ones, known, gold_column)
    return known


def _refuse_repeated_rows(
    sums: ScoreSums, num_known: int, tables: Mapping[str, DataFrame], key: Sequence[str]
) -> None:
    """A table that holds a key twice makes more rows than there are gold labels."""
    if sums.counts[0] == num_known:
        return
    for name, table in tables.items():
        refuse_duplicate_keys(table, key, f"the key of {name!r}")
    raise SchemaError(
        f"{sums.counts[0]:.0f} rows were scored of {num_known} with a gold label: expected each once. The tables "
        "changed while they were read; run again."
    )
