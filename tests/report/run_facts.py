"""Facts of made-up runs, without Spark: votes in memory, label models fitted on them."""

import numpy as np

from dp_spark.counting.gold_counts import GoldCounts
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.calibration import calibration
from dp_spark.label_model.fit import fit_label_model
from dp_spark.labeling.lf_runs import LFRun
from dp_spark.labeling.votes import classes_of
from dp_spark.report.assemble import facts_of
from dp_spark.report.drift import drift_of
from dp_spark.report.evaluated import Evaluated
from dp_spark.report.part_votes import PartVotes
from dp_spark.report.run_facts import Subject
from dp_spark.report.vote_facts import LabelBucket, LabelClass, LabelHistogram

TABLE = "s3a://lake/comments"


def votes_and_gold(accuracies, coverages, num_rows=600, num_classes=2, seed=0):
    """(n, m) votes that are right and cast with these probabilities, independent given the class; (n,) gold."""
    rng = np.random.default_rng(seed)
    classes, m = np.array(classes_of(num_classes)), len(accuracies)
    truth = rng.integers(num_classes, size=num_rows)
    wrong = (truth[:, None] + rng.integers(1, num_classes, (num_rows, m))) % num_classes
    named = classes[np.where(rng.random((num_rows, m)) < accuracies, truth[:, None], wrong)]
    cast = rng.random((num_rows, m)) < coverages
    return np.where(cast, named, 0).astype(np.int8), classes[truth].astype(np.int8)


def histogram_of(model, votes, names):
    """What `count_labels` finds in the labels of these votes; for two classes."""
    positive, covered = model.predict_proba(votes)[:, 1], (votes != 0).any(axis=1)
    bucket, best = np.minimum((positive * 20).astype(int), 19), (positive > 0.5).astype(int)
    of = lambda where: (int((where & covered).sum()), int((where & ~covered).sum()))  # noqa: E731
    return LabelHistogram(
        num_labels=len(votes),
        num_covered=int(covered.sum()),
        num_near_ties=int((covered & (np.abs(2 * positive - 1) < 0.01)).sum()),
        mean_confidence=float(np.maximum(positive, 1 - positive)[covered].mean()) if covered.any() else None,
        buckets=tuple(LabelBucket(i / 20, (i + 1) / 20, *of(bucket == i)) for i in range(20)),
        classes=tuple(LabelClass(name, *of(best == i)) for i, name in enumerate(names)),
    )


def made_facts(
    votes,
    *,
    lf_names=None,
    class_names=("ham", "spam"),
    model="auto",
    gold=None,
    errors=(),
    scale=1,
    table=TABLE,
    is_gold_of_fit=False,
):
    """The facts of a run with these votes; `gold` as if evaluated on them, `scale` as if every row came so often."""
    counts = VoteCounts.from_votes(votes, len(class_names), lf_names)
    counts = scaled(counts, scale)
    fitted = fit_label_model(counts, model)
    runs = [
        LFRun(name, "row", "hash", counts.num_data_points, {}, 0, dict(errors).get(name, 0), 1.0, 0.1)
        for name in counts.lf_names
    ]
    evaluated = Evaluated.nothing()
    if gold is not None:
        gold_counts = GoldCounts.from_votes(votes, gold, len(class_names), counts.lf_names)
        pairs = zip(gold_counts.correct.tolist(), gold_counts.incorrect.tolist(), strict=True)
        evaluated = Evaluated(
            {},
            (),
            "",
            calibration(fitted, gold_counts),
            dict(zip(counts.lf_names, pairs, strict=True)),
            {},
            "digest",
        )
    thirds = np.array_split(votes, 3)
    by_part = [[(part == c).sum(axis=0) for c in classes_of(len(class_names))] for part in thirds]
    parts = PartVotes(np.array([len(part) for part in thirds]), np.array(by_part).transpose(0, 2, 1))
    drift = drift_of(parts, "day", ("Monday", "Tuesday", "Wednesday"), counts.lf_names, class_names)
    labels = histogram_of(fitted, votes, class_names) if len(class_names) == 2 else None
    subject = Subject(
        table,
        counts.num_data_points,
        tuple(class_names),
        fitted.model,
        fitted.model_id,
        "2026-01-05 06:00 UTC",
        "0.1.0",
    )
    return facts_of(
        subject,
        counts,
        runs,
        fitted,
        labels,
        evaluated,
        drift,
        configured_model=model,
        is_gold_of_fit=is_gold_of_fit,
    )


def scaled(counts, times):
    """The counts of a table in which every row stands so many times."""
    for _ in range(times.bit_length() - 1):
        counts = counts + counts
    return counts
