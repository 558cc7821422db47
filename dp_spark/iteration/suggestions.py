"""Where to write the next LF: what rows share that no LF votes on, or that LFs disagree on.

Every (column, value) pair is counted over all rows and over those in focus. What is over-represented is ranked by the
z-score of its log-odds ratio, with 1/2 added to every count (Monroe, Colaresi and Quinn 2008, "Fightin' Words";
Haldane 1956): the ratio alone would put what few rows hold first. Nothing but columns, votes and the label model's
labels is used.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from dp_spark.iteration.column_values import ValueColumn, usable_columns, value_columns
from dp_spark.iteration.focus import IN_FOCUS, LABEL, Focus, Search, judged_by_focus, sampled
from dp_spark.iteration.label_classes import LabeledVotes, class_titles
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import quoted, refuse_missing_columns, refuse_reserved_keys

DEFAULT_SEARCH = Search()
SMOOTHING = 0.5  # added to each of the four counts of a log-odds ratio
_PAIR, _ROW = "_pair", "_row"


@dataclass(frozen=True)
class Suggestion:
    """A value that rows in focus have more often than others.

    Attributes:
        column: its name.
        kind: "tokens", "values" or "ranges".
        value: as texts name it; of tokens on the very same rows the longest.
        num_alike: how many other tokens are on the very same rows.
        num_focus: rows in focus that have it.
        num_rows: all rows that have it.
        log_odds: of having it, of rows in focus against others, smoothed.
        z: `log_odds` in standard errors.
        lean: the class that labels of covered rows with it favour, against all covered rows; None if none.
        num_lean: covered rows with it that are labeled as that class.
        num_labeled: covered rows with it that are labeled as one class.
    """

    column: str
    kind: str
    value: str
    num_alike: int
    num_focus: int
    num_rows: int
    log_odds: float
    z: float
    lean: str | None
    num_lean: int
    num_labeled: int


@dataclass(frozen=True)
class Suggestions:
    """What rows in focus share.

    Attributes:
        focus: which rows.
        num_focus, num_rows: rows in focus, and all rows looked at.
        sample_rate: the share of the table that was looked at.
        num_labeled: by class: covered rows that are labeled as it.
        columns: that were looked at.
        left_out: columns of other types.
        found: by column, the most over-represented first.
    """

    focus: Focus
    num_focus: int
    num_rows: int
    sample_rate: float
    num_labeled: dict[str, int]
    columns: tuple[ValueColumn, ...]
    left_out: tuple[str, ...]
    found: tuple[Suggestion, ...]

    def to_dict(self) -> dict[str, object]:
        """The same as JSON has it."""
        columns = [{**asdict(column), "edges": list(column.edges)} for column in self.columns]
        return {
            **asdict(self),
            "columns": columns,
            "left_out": list(self.left_out),
            "found": [asdict(suggestion) for suggestion in self.found],
        }


def suggest_values(
    labeled_votes: LabeledVotes, points: DataFrame, columns: Sequence[str], search: Search = DEFAULT_SEARCH
) -> Suggestions:
    """What rows in focus share: values of columns that they have more often than other rows.

    Args:
        labeled_votes: a written label matrix and its label model.
        points: the key columns, unique, and `columns`.
        columns: to look at; not the gold labels, or suggestions are made from the truth.
        search: how.

    Raises:
        SchemaError: if columns are missing.
    """
    key, model = labeled_votes.matrix.key, labeled_votes.model
    refuse_missing_columns(points, {"suggest_values": [*key, *columns]}, "the table")
    refuse_reserved_keys(key, (LABEL, IN_FOCUS, _PAIR, _ROW))
    with named_jobs(points.sparkSession, "counting data points"):
        num_all = labeled_votes.matrix.df.count()
    rate = min(1.0, search.max_rows / max(num_all, 1))
    rows = judged_by_focus(sampled(labeled_votes.matrix.df, key, rate), labeled_votes, search)
    chosen = usable_columns(points, columns)
    planned = value_columns(sampled(points, key, rate), chosen)
    totals = _Totals.of(rows, model.num_classes)
    counted = _counted(rows, sampled(points, key, rate), key, planned, model.num_classes)
    titles = class_titles(labeled_votes.classes)
    return Suggestions(
        focus=search.focus,
        num_focus=totals.num_focus,
        num_rows=totals.num_rows,
        sample_rate=rate,
        num_labeled=dict(zip(titles, totals.by_class, strict=True)),
        columns=planned,
        left_out=tuple(name for name in columns if name not in chosen),
        found=_best(counted, planned, totals, titles, search) if planned and totals.num_focus else (),
    )


@dataclass(frozen=True)
class _Totals:
    """Rows in focus, all rows, and covered rows by class."""

    num_focus: int
    num_rows: int
    by_class: tuple[int, ...]

    @classmethod
    def of(cls, rows: DataFrame, num_classes: int) -> "_Totals":
        with named_jobs(rows.sparkSession, "counting rows"):
            sums = rows.agg(*_sums(num_classes)).collect()[0]  # one row
        return cls(
            sums["num_focus"] or 0, sums["num_rows"], tuple(sums[f"n{c}"] or 0 for c in range(num_classes))
        )


def _sums(num_classes: int) -> list[Column]:
    """All rows, those in focus, and those of each class."""
    by_class = [F.sum((F.col(LABEL) == c).cast("long")).alias(f"n{c}") for c in range(num_classes)]
    return [
        F.count(F.lit(1)).alias("num_rows"),
        F.sum(F.col(IN_FOCUS).cast("long")).alias("num_focus"),
        *by_class,
    ]


def _counted(
    rows: DataFrame, points: DataFrame, key: Sequence[str], columns: Sequence[ValueColumn], num_classes: int
) -> DataFrame:
    """Each (column, value) pair with its sums, and `rows`, which tells whether two are on the same rows."""
    pairs = F.concat(*(column.pairs(i) for i, column in enumerate(columns))) if columns else F.array()
    held = points.select(*map(quoted, key), pairs.alias(_PAIR))
    joined = rows.join(held, on=list(key), how="inner")
    row_hash = F.xxhash64(*map(quoted, key)).alias(_ROW)
    exploded = joined.select(LABEL, IN_FOCUS, row_hash, F.explode(_PAIR).alias(_PAIR))
    by = (F.col(f"{_PAIR}.column").alias("column"), F.col(f"{_PAIR}.value").alias("value"))
    return exploded.groupBy(*by).agg(*_sums(num_classes), F.bit_xor(_ROW).alias("rows"))


def _best(
    counted: DataFrame, columns: Sequence[ValueColumn], totals: _Totals, titles: Sequence[str], search: Search
) -> tuple[Suggestion, ...]:
    """The most over-represented values of each column."""
    log_odds, error = _ratio(totals)
    scored = counted.where(F.col("num_focus") >= search.min_rows).withColumn("log_odds", log_odds)
    scored = scored.withColumn("z", F.col("log_odds") / error).where(F.col("z") >= search.min_z)
    longest = F.min(F.struct((-F.length("value")).alias("length"), "value")).alias("longest")
    same = [name for name in scored.columns if name != "value"]
    distinct = scored.groupBy(*same).agg(longest, (F.count(F.lit(1)) - 1).alias("num_alike"))
    order = Window.partitionBy("column").orderBy(F.desc("z"), "longest")
    ranked = distinct.withColumn("rank", F.row_number().over(order))
    chosen = ranked.where(F.col("rank") <= search.max_per_column).orderBy("column", "rank")
    with named_jobs(chosen.sparkSession, "comparing values"):
        rows = chosen.collect()  # max_per_column rows of each column
    return tuple(_suggestion(row, columns[row["column"]], totals, titles) for row in rows)


def _suggestion(row: Row, column: ValueColumn, totals: _Totals, titles: Sequence[str]) -> Suggestion:
    by_class = [row[f"n{c}"] for c in range(len(titles))]
    lean = _lean(by_class, totals.by_class)
    return Suggestion(
        column=column.name,
        kind=column.kind,
        value=column.title(row["longest"]["value"]),
        num_alike=row["num_alike"],
        num_focus=row["num_focus"],
        num_rows=row["num_rows"],
        log_odds=row["log_odds"],
        z=row["z"],
        lean=None if lean is None else titles[lean],
        num_lean=0 if lean is None else by_class[lean],
        num_labeled=sum(by_class),
    )


def _ratio(totals: _Totals) -> tuple[Column, Column]:
    """The log-odds ratio of having a value, of rows in focus against others, and its standard error."""
    with_it, others = F.col("num_focus"), F.col("num_rows") - F.col("num_focus")
    cells = [
        cell + SMOOTHING
        for cell in (
            with_it,
            totals.num_focus - with_it,
            others,
            totals.num_rows - totals.num_focus - others,
        )
    ]
    log_odds = F.log(cells[0] / cells[1]) - F.log(cells[2] / cells[3])
    return log_odds, F.sqrt(sum((1 / cell for cell in cells[1:]), 1 / cells[0]))


def _lean(by_class: Sequence[int], of_all: Sequence[int]) -> int | None:
    """The class whose share among labeled rows with a value exceeds its share of all labeled rows most, or None.

    The shares of all labeled rows count as one more row, so that a single row does not say much.
    """
    num, num_all = sum(by_class), sum(of_all)
    if not num:
        return None
    shares = np.array(of_all) / num_all
    lifts = (np.array(by_class) + shares) / (num + 1) / np.where(shares > 0, shares, 1)
    best = int(lifts.argmax())
    return best if lifts[best] > 1 else None
