"""What is known of every labeling function of a run: counts, the label model's opinion, gold, errors and time."""

from collections.abc import Mapping, Sequence

import numpy as np

from dp_spark.counting.indicators import shared_votes
from dp_spark.counting.summary import LFSummaryRow, lf_summary
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import NO_INTERVAL, LabelModel
from dp_spark.labeling.lf_runs import LFRun
from dp_spark.report.run_facts import Coverage
from dp_spark.report.scores import Interval
from dp_spark.report.vote_facts import LFFacts

GoldVotes = Mapping[str, tuple[int, int]]  # right and wrong votes where gold is known, by LF


def lf_facts(
    counts: VoteCounts,
    class_names: Sequence[str],
    runs: Sequence[LFRun],
    model: LabelModel | None,
    gold_votes: GoldVotes,
) -> tuple[LFFacts, ...]:
    """One per labeling function, in the order of the counts.

    Args:
        counts: of the label matrix.
        class_names: what the k classes are called.
        runs: of the label matrix; may be empty.
        model: fitted on the counts, or None before.
        gold_votes: may be empty.
    """
    by_name = {run.name: run for run in runs if run.kind != "preprocessor"}
    return tuple(
        _of_lf(row, counts, class_names, by_name.get(row.name), model, gold_votes.get(row.name, (0, 0)))
        for row in lf_summary(counts).rows
    )


def _of_lf(
    row: LFSummaryRow,
    counts: VoteCounts,
    class_names: Sequence[str],
    run: LFRun | None,
    model: LabelModel | None,
    gold_votes: tuple[int, int],
) -> LFFacts:
    i, num_judged = row.position, sum(gold_votes)
    votes = zip(class_names, counts.votes_per_class[i].tolist(), strict=True)
    return LFFacts(
        name=row.name,
        kind=run.kind if run else None,
        votes={name: num for name, num in votes if num},
        num_votes=int(counts.num_votes[i]),
        coverage=row.coverage,
        overlaps=row.overlaps,
        conflicts=row.conflicts,
        accuracy=float(model.accuracies[i]) if model else None,
        interval=_known_interval(model, i) if model else None,
        weight=float(model.weights[i]) if model else None,
        empirical_accuracy=gold_votes[0] / num_judged if num_judged else None,
        num_judged=num_judged,
        chance=_chance(counts.votes_per_class[i], model),
        num_errors=run.num_errors if run else None,
        seconds=run.seconds if run else None,
        share_of_time=run.share_of_time if run else None,
    )


def _chance(votes: np.ndarray, model: LabelModel | None) -> float:
    """P(vote is right) of as many votes for each class, (k,), on rows at random."""
    balance = model.class_balance if model else np.full(len(votes), 1 / len(votes))
    return float(votes @ balance / votes.sum()) if votes.sum() else 1 / len(votes)


def _known_interval(model: LabelModel, position: int) -> Interval | None:
    """The interval of an accuracy, or None if it is 0 to 1: the votes say nothing."""
    low, high = np.asarray(model.intervals)[position].tolist()
    return None if (low, high) == NO_INTERVAL else (low, high)


def coverage_of(counts: VoteCounts) -> Coverage:
    """How many data points have votes, several votes, and conflicting ones: from the pattern counts.

    Args:
        counts: of the label matrix.
    """
    patterns = counts.patterns
    votes, times = patterns.votes, patterns.counts
    total = max(int(times.sum()), 1)
    overlapping, conflicting = (part.any(axis=1) for part in shared_votes(votes))
    covered = (votes != 0).any(axis=1)
    shares = [float(times[part].sum()) / total for part in (covered, overlapping, conflicting)]
    mean = float(counts.num_votes.sum()) / max(counts.num_data_points, 1)
    return Coverage(shares[0], shares[1], shares[2], mean, patterns.sample_rate)
