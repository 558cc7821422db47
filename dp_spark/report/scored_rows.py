"""Joined rows of labels and gold to their sums, where the rows are; problems are counted and refused.

A joined table has these columns: UNIT, what the bootstrap draws; COVERED; GOLD; and for table i `_prob_i`
and `_found_i`, whether it has the row at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from dp_spark.counting.merging import count_batches
from dp_spark.errors import SchemaError
from dp_spark.labeling.votes import classes_of
from dp_spark.labels.label import NUM_VOTES, PROB_LABEL
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.report.score_sums import Flags, Rows, ScoreSums, Vector, empty_sums
from dp_spark.tables import quoted

UNIT, COVERED_COLUMN, GOLD = "_unit", "_covered", "_gold"
_NO_CLASS = 1 << 20  # instead of a gold label that is no whole number
_SUM_TOLERANCE = 1e-3  # k probabilities may add up to 1 but for rounding in float32


@dataclass(frozen=True)
class Scoring:
    """How rows are scored.

    Attributes:
        names: of the tables, in their order.
        num_classes: k.
        num_replicates: R, of the bootstrap.
        seed: of the replicates.
    """

    names: tuple[str, ...]
    num_classes: int
    num_replicates: int
    seed: int

    def sums(self, joined: DataFrame) -> ScoreSums:
        """The sums of all rows of a joined table, in one pass."""
        start = empty_sums(self.num_classes, len(self.names), self.num_replicates, self.seed)
        columns = [UNIT, COVERED_COLUMN, GOLD]
        columns += [name for i in range(len(self.names)) for name in (f"_prob_{i}", f"_found_{i}")]
        what = "scoring labels against gold"
        return count_batches(joined.select(*columns), start, _counter(self.num_classes), what=what)


def num_classes_of(table: DataFrame) -> int:
    """The number of classes of a table of labels: 2, or the length of the first array in `prob_label`."""
    if not isinstance(table.schema[PROB_LABEL].dataType, ArrayType):
        return 2
    found = table.where(F.col(PROB_LABEL).isNotNull()).select(F.size(PROB_LABEL).alias("k")).limit(1)
    with named_jobs(table.sparkSession, "looking at the first label"):
        rows = found.collect()  # one row
    k = int(rows[0]["k"]) if rows else 0
    classes_of(k)
    return k


def gold_rows(gold: DataFrame, key: Sequence[str], gold_column: str, cluster: Sequence[str]) -> DataFrame:
    """The key columns, GOLD and UNIT: the hash of the cluster, or of the key where no cluster is known."""
    keys, clusters = [list(map(quoted, names)) for names in (key, cluster)]
    unit = F.xxhash64(*keys)
    if clusters:
        is_known = F.lit(True)
        for column in clusters:
            is_known = is_known & column.isNotNull()
        unit = F.when(is_known, F.xxhash64(*clusters)).otherwise(unit)
    value = quoted(gold_column)
    whole = F.when(value == value.cast("long"), value.cast("long")).when(value.isNotNull(), _NO_CLASS)
    return gold.select(*keys, whole.alias(GOLD), unit.alias(UNIT))


def label_rows(table: DataFrame, position: int, key: Sequence[str]) -> DataFrame:
    """The key columns, the labels of table number `position`, and `_votes_i` if it has `num_votes`."""
    kind = "array<double>" if isinstance(table.schema[PROB_LABEL].dataType, ArrayType) else "double"
    votes = [F.col(NUM_VOTES).alias(f"_votes_{position}")] if NUM_VOTES in table.columns else []
    prob = F.col(PROB_LABEL).cast(kind).alias(f"_prob_{position}")
    return table.select(*map(quoted, key), prob, F.lit(True).alias(f"_found_{position}"), *votes)


def covered(joined: DataFrame) -> Column:
    """Whether a row has a vote, by the first table that says so; all are if none does."""
    votes = [F.col(name) for name in joined.columns if name.startswith("_votes_")]
    return (F.coalesce(*votes, F.lit(0)) > 0 if votes else F.lit(True)).alias(COVERED_COLUMN)


def refuse_bad_rows(sums: ScoreSums, scoring: Scoring, gold_column: str) -> None:
    """Refuse gold labels that are none, labels that are no probabilities, and missing ones.

    Raises:
        SchemaError: naming the table and how many there are.
    """
    num_rows, known, bad_gold, zeros, ones = sums.counts
    expected = "-1 or +1" if scoring.num_classes == 2 else f"1 to {scoring.num_classes}"
    if bad_gold:
        raise SchemaError(
            f"{bad_gold:.0f} values of {gold_column!r} are not gold labels: expected {expected}, "
            "and 0 or null where the truth is not known. Recode the column."
        )
    if scoring.num_classes == 2:
        refuse_zero_for_negative(int(zeros), int(ones), int(known), gold_column)
    for name, bad, missing in zip(scoring.names, sums.bad_labels, sums.missing, strict=True):
        if missing:
            raise SchemaError(
                f"{name!r} lacks {missing:.0f} of {known:.0f} rows with a gold label: expected every table to "
                "have the same rows. Make it from the same data points, or leave it out."
            )
        if bad:
            raise SchemaError(
                f"{bad:.0f} values of {PROB_LABEL!r} {f'of {name!r} ' if name else ''}are null, NaN or outside "
                f"[0, 1]{_expected_label(scoring.num_classes)}"
            )
    if not known:
        raise SchemaError(
            f"none of {num_rows:.0f} labels has a gold label: expected keys that occur in both tables. "
            "Check that both have the same key columns and values."
        )


def refuse_zero_for_negative(num_zeros: int, num_ones: int, num_known: int, gold_column: str) -> None:
    """Refuse gold labels of two classes that are written 0 and 1.

    Raises:
        SchemaError: with how many there are of each.
    """
    if num_zeros and num_ones and num_ones == num_known:
        raise SchemaError(
            f"{gold_column!r} holds {num_zeros} times 0 and {num_ones} times 1, but "
            "never -1: expected -1 for the negative class. Recode 0 as -1, or as null if it says that the "
            "truth is not known."
        )


def refuse_mixed_labels(tables: Mapping[str, DataFrame]) -> None:
    """Refuse tables of which some hold one probability and others one per class.

    Raises:
        SchemaError: naming the type of each.
    """
    kinds = {name: table.schema[PROB_LABEL].dataType for name, table in tables.items()}
    if len({isinstance(kind, ArrayType) for kind in kinds.values()}) > 1:
        found = {name: kind.simpleString() for name, kind in kinds.items()}
        raise SchemaError(
            f"{PROB_LABEL!r} is of the types {found}: expected a number in all tables, or an array of k "
            "numbers in all. Compare tables of one task."
        )


def _expected_label(num_classes: int) -> str:
    if num_classes == 2:
        return ": expected P(y = +1)."
    return f", or not {num_classes} that add up to 1: expected P(y = c) of the classes 1 to {num_classes}."


def _counter(num_classes: int) -> Callable[[ScoreSums, pa.RecordBatch], ScoreSums]:
    classes = classes_of(num_classes)

    def with_batch(sums: ScoreSums, batch: pa.RecordBatch) -> ScoreSums:
        tables = range(sums.num_tables)
        gold = batch.column(2).fill_null(0).to_numpy()
        num_zeros = (gold == 0).sum() - batch.column(2).null_count
        is_gold = np.isin(gold, classes)
        probs = np.stack([_probs(batch.column(3 + 2 * i), num_classes) for i in tables])
        found = np.stack([_flags(batch.column(4 + 2 * i)) for i in tables])
        is_valid = _are_probabilities(probs)
        scored = is_gold & is_valid.all(axis=0)
        rows = Rows(
            units=batch.column(0).fill_null(0).to_numpy()[scored],
            covered=_flags(batch.column(1))[scored],
            gold=np.searchsorted(classes, gold[scored]),
            probs=probs[:, scored],
        )
        counts = [len(gold), is_gold.sum(), ((gold != 0) & ~is_gold).sum(), num_zeros, (gold == 1).sum()]
        bad, missing = (found & ~is_valid).sum(axis=1), (~found & is_gold).sum(axis=1)
        return sums.with_counts(np.array(counts, float), bad.astype(float), missing.astype(float)).with_rows(
            rows
        )

    return with_batch


def _are_probabilities(probs: Vector) -> Flags:
    """(t, n): whether k numbers are in [0, 1] and add up to 1; NaN is not."""
    is_share = ((probs >= 0) & (probs <= 1)).all(axis=2)
    return np.asarray(is_share & (np.abs(probs.sum(axis=2) - 1) <= _SUM_TOLERANCE))


def _probs(column: pa.Array, num_classes: int) -> Vector:
    """(n, k); NaN where a label is not k numbers."""
    if not pa.types.is_list(column.type):
        positive = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
        return np.stack([1 - positive, positive], axis=1)
    has_all = _flags(pc.equal(pc.list_value_length(column), num_classes))
    probs = np.full((len(column), num_classes), np.nan)
    values = column.filter(pa.array(has_all)).flatten().fill_null(np.nan)
    probs[has_all] = values.to_numpy(zero_copy_only=False).reshape(-1, num_classes)
    return probs


def _flags(column: pa.Array) -> Flags:
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)
