"""`dp-spark errors`: which rows with gold are labeled wrong, and which LFs are to blame."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import numpy as np
from pyspark.sql import DataFrame

from dp_spark.commands.bounds import refuse_bad_maximum
from dp_spark.commands.outcome import Outcome
from dp_spark.errors import ConfigError, SchemaError
from dp_spark.iteration.error_buckets import (
    Bucket,
    bucket_samples,
    judged_rows,
    largest_buckets,
    wrong_rows,
)
from dp_spark.iteration.error_counts import ErrorCounts, count_errors
from dp_spark.iteration.errors_text import ShownBucket, errors_text
from dp_spark.iteration.keys import times_as_text
from dp_spark.iteration.label_classes import LabeledVotes, position_titles
from dp_spark.iteration.plain_values import plain
from dp_spark.labeling.packing import votes_of_value
from dp_spark.labels.label import PROB_LABEL
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.run import (
    Run,
    part_of,
    points_there,
    read_label_model,
    read_matrix,
    read_predictions,
)
from dp_spark.tables import quoted, refuse_missing_columns

MAX_BUCKETS, MAX_KEYS = 200, 50  # that an outcome may show: 10,000 rows

_BUCKET = ("gold", "label", "prob", "votes")

Judged = Literal["labels", "end_model"]
Part = Literal["all", "train", "test"]


def errors(
    run: Run,
    *,
    of: Judged = "labels",
    part: Part = "all",
    max_buckets: int = 10,
    max_keys: int = 5,
    columns: Sequence[str] = (),
) -> Outcome:
    """Rows with gold whose label is wrong, by gold class and label and by who voted what; the LFs to blame.

    Args:
        run: a run whose label model is fitted, with a gold column.
        of: what is judged: the label model's labels, or the end model's predictions.
        part: the rows: all, or the train or test part.
        max_buckets: how many buckets of rows with the same votes to show, the largest first; 1 to MAX_BUCKETS.
        max_keys: how many rows of each to show; 0 to MAX_KEYS.
        columns: of the table, to show of these rows.

    Raises:
        ConfigError: if [table] names no gold column.
        MissingResultError: if label matrix, label model or, for the end model, predictions are not there.
        SchemaError: if a column is not there, gold labels are other values, or no row has one.
        ValueError: if a maximum is out of range.
    """
    refuse_bad_maximum("max_buckets", max_buckets, MAX_BUCKETS, least=1)
    refuse_bad_maximum("max_keys", max_keys, MAX_KEYS)
    found, gold = LabeledVotes(read_matrix(run), read_label_model(run)), _gold_column(run)
    points, key = points_there(run), found.matrix.key
    points = points if part == "all" else part_of(points, run.config.table, part)
    refuse_missing_columns(points, {"--column": columns}, run.config.table.path)
    predictions = read_predictions(run) if of == "end_model" else None
    rows = judged_rows(found, points.select(*map(quoted, key), quoted(gold)), gold, predictions).persist()
    try:
        counts, wrong = count_errors(found, rows), wrong_rows(rows, found.model.num_classes)
        _refuse_no_gold(counts, part, gold)
        buckets = largest_buckets(wrong, max_buckets) if counts.num_wrong else ()
        sample = bucket_samples(wrong, buckets, key, max_keys)
        sampled = _sampled(sample, points, key, columns) if buckets and max_keys else {}
    finally:
        rows.unpersist()
    shown = [_shown(found, b, sampled.get((b.gold, b.label, b.votes), [])) for b in buckets]
    content = {"of": of, "part": part, **_counts_content(counts), "buckets": [asdict(b) for b in shown]}
    return Outcome(errors_text(of, part, counts, shown, key), content)


def _gold_column(run: Run) -> str:
    gold = run.config.table.gold
    if gold is None:
        raise ConfigError(
            '[table] names no gold column: expected `gold = "column"`, since errors are where labels differ from the '
            "truth. Name a column with known classes, or look for rows without labels with `suggest`."
        )
    return gold


def _refuse_no_gold(counts: ErrorCounts, part: str, gold: str) -> None:
    if not counts.num_gold:
        raise SchemaError(
            f"no row of the part {part!r} has a gold label in {gold!r}: expected one of {counts.titles[:-2]} "
            "somewhere. Choose another part, or fill the column in."
        )


def _sampled(
    sample: DataFrame, points: DataFrame, key: Sequence[str], columns: Sequence[str]
) -> dict[tuple[int, int, bytes], list[dict[str, object]]]:
    """The sampled rows of each bucket in the order of their keys: key, probability, and the columns to show."""
    names = list(dict.fromkeys(name for name in columns if name not in key))
    keys = [f"k{i}" for i in range(len(key))]
    rows = sample.toDF(*keys, *_BUCKET)
    if names:
        titles = [*keys, *(f"c{i}" for i in range(len(names)))]
        rows = rows.join(points.select(*map(quoted, [*key, *names])).toDF(*titles), on=keys, how="left")
    found: dict[tuple[int, int, bytes], list[dict[str, object]]] = {}
    with named_jobs(rows.sparkSession, "sampling wrong rows"):
        collected = times_as_text(rows.orderBy(*keys)).collect()  # at most MAX_BUCKETS * MAX_KEYS rows
    for row in collected:
        shown = dict(zip(key, row[: len(keys)], strict=True)) | {PROB_LABEL: row["prob"]}
        shown |= dict(zip(names, row[len(keys) + len(_BUCKET) :], strict=True))
        values = {name: plain(value) for name, value in shown.items()}
        found.setdefault((row["gold"], row["label"], bytes(row["votes"])), []).append(values)
    return found


def _shown(found: LabeledVotes, bucket: Bucket, rows: list[dict[str, object]]) -> ShownBucket:
    """A bucket in words: what its LFs vote, and what they add to the wrong class against the gold class."""
    votes, titles = votes_of_value(bucket.votes), position_titles(found.classes)
    classes = found.model.classes
    title_of = dict(zip(classes, titles, strict=False))
    odds = found.model.explain(votes).log_odds(classes[bucket.label], classes[bucket.gold])
    voted = {
        name: title_of[vote] for name, vote in zip(found.model.lf_names, votes.tolist(), strict=True) if vote
    }
    return ShownBucket(titles[bucket.gold], titles[bucket.label], bucket.num_rows, voted, odds.by_lf, rows)


def _counts_content(counts: ErrorCounts) -> dict[str, object]:
    confusion = [
        {"gold": counts.titles[i], "label": counts.titles[j], "num_rows": int(counts.confusion[i, j])}
        for i, j in zip(*np.nonzero(counts.confusion), strict=True)
    ]
    return {
        "num_gold": counts.num_gold,
        "num_right": counts.num_right,
        "num_wrong": counts.num_wrong,
        "num_tied": counts.num_tied,
        "num_uncovered": counts.num_uncovered,
        "confusion": confusion,
        "blame": [asdict(push) for push in counts.pushes if push.num_rows],
    }
