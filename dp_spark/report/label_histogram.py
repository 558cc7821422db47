"""How sure the labels of a table are: one pass in Spark, of which the driver gets a few sums."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from dp_spark.label_model.confidence import NEAR_TIE, TIE_TOLERANCE, TIED
from dp_spark.labels.label import NUM_VOTES, PROB_LABEL
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.report.vote_facts import LabelBucket, LabelClass, LabelHistogram

NUM_BUCKETS = 20  # of probability, from 0 to 1


def count_labels(labels: DataFrame, class_names: Sequence[str]) -> LabelHistogram:
    """The histogram of a label table.

    Args:
        labels: `prob_label` and `num_votes` of every data point.
        class_names: what the k classes are called.
    """
    probs = probabilities(len(class_names))
    confidence = F.array_max(probs)
    shown = probs[1] if len(class_names) == 2 else confidence
    num_best = F.size(F.filter(probs, lambda p: p >= confidence - TIE_TOLERANCE))
    best = F.array_position(probs, confidence).cast("int")
    is_near = F.size(F.filter(probs, lambda p: p > confidence - NEAR_TIE)) > 1
    groups = labels.groupBy(
        F.least(F.floor(shown * NUM_BUCKETS), F.lit(NUM_BUCKETS - 1)).cast("int").alias("bucket"),
        F.when(num_best > 1, F.lit(0)).otherwise(best).alias("best"),
        (F.col(NUM_VOTES) > 0).alias("is_covered"),
    )
    sums = groups.agg(
        F.count(F.lit(1)).alias("num"),
        F.sum(confidence).alias("confidence"),
        F.count_if(is_near).alias("num_near"),
    )
    with named_jobs(labels.sparkSession, "counting labels"):
        rows = sums.collect()  # at most NUM_BUCKETS * (k + 1) * 2 rows
    return _histogram(rows, class_names)


def probabilities(num_classes: int) -> Column:
    """The k probabilities of `prob_label`, in the order of the classes."""
    prob = F.col(PROB_LABEL)
    return F.array(1 - prob, prob) if num_classes == 2 else prob


def _histogram(rows: Sequence[Row], class_names: Sequence[str]) -> LabelHistogram:
    buckets: Counter[tuple[int, bool]] = Counter()
    classes: Counter[tuple[int, bool]] = Counter()
    for row in rows:
        buckets[row["bucket"], row["is_covered"]] += row["num"]
        classes[row["best"], row["is_covered"]] += row["num"]
    num_covered = sum(num for (_, is_covered), num in buckets.items() if is_covered)
    num_near = sum(row["num_near"] for row in rows if row["is_covered"])
    confidence = sum(row["confidence"] for row in rows if row["is_covered"])
    edges = np.linspace(0, 1, NUM_BUCKETS + 1).round(9).tolist()
    named = [*enumerate(class_names, start=1), (0, TIED)]
    return LabelHistogram(
        num_labels=sum(buckets.values()),
        num_covered=num_covered,
        num_near_ties=num_near,
        mean_confidence=confidence / num_covered if num_covered else None,
        buckets=tuple(
            LabelBucket(low, high, buckets[i, True], buckets[i, False])
            for i, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True))
        ),
        classes=tuple(
            LabelClass(name, classes[i, True], classes[i, False])
            for i, name in named
            if i or classes[i, True] or classes[i, False]
        ),
    )
