"""A few rows of the data for a report that asks for them: those with the least certain labels."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from dp_spark.label_model.confidence import TIE_TOLERANCE, TIED
from dp_spark.labels.label import NUM_VOTES
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.report.label_histogram import probabilities
from dp_spark.report.run_facts import ShownRow
from dp_spark.tables import quoted

MAX_SHOWN_ROWS = 100
MAX_CHARACTERS = 300  # of a value
_PROBS, _NUM_VOTES = "_dp_spark_probs", "_dp_spark_num_votes"  # beside the columns of a user's table


def least_certain_rows(
    labels: DataFrame, points: DataFrame, key: Sequence[str], class_names: Sequence[str], num_rows: int
) -> tuple[ShownRow, ...]:
    """The covered rows with the least certain labels.

    Args:
        labels: `prob_label` and `num_votes` by key.
        points: the table.
        key: the columns to join by.
        class_names: what the k classes are called.
        num_rows: 0 to MAX_SHOWN_ROWS.

    Raises:
        ValueError: if `num_rows` is another number.
    """
    refuse_many_rows(num_rows)
    if num_rows == 0:
        return ()
    probs = labels.select(
        *map(quoted, key),
        F.col(NUM_VOTES).alias(_NUM_VOTES),
        probabilities(len(class_names)).alias(_PROBS),
    )
    order = [F.array_max(_PROBS), *map(quoted, key)]
    chosen = probs.where(F.col(_NUM_VOTES) > 0).orderBy(*order).limit(num_rows)
    texts = [F.substring(quoted(name).cast("string"), 1, MAX_CHARACTERS + 1) for name in points.columns]
    shown = (
        chosen.join(points, on=list(key), how="inner")
        .orderBy(*order)
        .select(F.array(*texts), F.col(_PROBS), F.col(_NUM_VOTES))
    )
    with named_jobs(points.sparkSession, "fetching the least certain rows"):
        found = shown.collect()  # at most MAX_SHOWN_ROWS rows, by limit
    return tuple(_shown(row, points.columns, class_names) for row in found)


def refuse_many_rows(num_rows: int) -> None:
    """Refuse to show so many rows.

    Args:
        num_rows: 0 to MAX_SHOWN_ROWS.

    Raises:
        ValueError: if it is another number.
    """
    if not 0 <= num_rows <= MAX_SHOWN_ROWS:
        raise ValueError(
            f"show_rows is {num_rows}: expected 0 to {MAX_SHOWN_ROWS}. A report is no place for more rows of the data; "
            "read the label table for them."
        )


def _shown(row: Row, columns: Sequence[str], class_names: Sequence[str]) -> ShownRow:
    values, probs, num_votes = row
    best = [name for name, prob in zip(class_names, probs, strict=True) if prob >= max(probs) - TIE_TOLERANCE]
    shown = {name: _cut(value) for name, value in zip(columns, values, strict=True)}
    return ShownRow(shown, float(max(probs)), best[0] if len(best) == 1 else TIED, int(num_votes))


def _cut(text: str | None) -> str:
    if text is None:
        return ""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"
