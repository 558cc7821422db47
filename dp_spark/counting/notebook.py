"""How vote counts show themselves in notebooks and on terminals."""

from typing import TYPE_CHECKING

import numpy as np

from dp_spark.html import MAX_ROWS, beside, card, number, table
from dp_spark.labeling.votes import classes_of
from dp_spark.plots import bars

if TYPE_CHECKING:
    from dp_spark.counting.summary import LFSummary
    from dp_spark.counting.vote_counts import VoteCounts

_MAX_CLASSES = 6  # of an LF's polarity


def vote_counts_text(counts: "VoteCounts") -> str:
    """The vote counts in a line."""
    return (
        f"VoteCounts(n={counts.num_data_points:,}, m={counts.num_lfs}, k={counts.num_classes}, "
        f"covered={_covered(counts)})"
    )


def vote_counts_html(counts: "VoteCounts") -> str:
    """Polarity, coverage, overlaps and conflicts of each LF, as bars and as a table."""
    n, patterns = max(counts.num_data_points, 1), counts.patterns
    sampled = "" if patterns.sample_rate == 1 else f" (a sample, 1 of {1 / patterns.sample_rate:.0f})"
    facts = {
        "data points": f"{counts.num_data_points:,}",
        "labeling functions": counts.num_lfs,
        "classes": counts.num_classes,
        "covered": _covered(counts),
        "vote patterns": f"{len(patterns.counts):,}{sampled}",
    }
    shares = {
        "coverage": counts.coverage,
        "overlaps": counts.num_overlaps / n,
        "conflicts": counts.num_conflicts / n,
    }
    classes = np.array(classes_of(counts.num_classes))
    rows = [
        (
            name,
            _polarity(classes[counts.votes_per_class[i] > 0].tolist()),
            *(number(float(values[i])) for values in shares.values()),
        )
        for i, name in enumerate(counts.lf_names[:MAX_ROWS])
    ]
    listed = table(["LF", "polarity", *shares], rows, counts.num_lfs)
    drawn = bars("share of data points", counts.lf_names, shares)
    return card("VoteCounts", facts, beside(listed, drawn))


def summary_html(summary: "LFSummary", titles: list[str], rows: list[list[str]]) -> str:
    """The table of a summary of LFs.

    Args:
        summary: of the LFs.
        titles: of the columns.
        rows: cells of all LFs.
    """
    facts = {"data points": f"{summary.num_data_points:,}", "labeling functions": len(summary.rows)}
    gold = {} if summary.num_gold is None else {"with gold": f"{summary.num_gold:,}"}
    return card("LFSummary", facts | gold, table(titles, rows))


def _covered(counts: "VoteCounts") -> str:
    return f"{counts.patterns.share_covered:.1%}" if counts.num_data_points else "nothing"


def _polarity(classes: list[int]) -> str:
    more = ["…"] if len(classes) > _MAX_CLASSES else []
    return ", ".join([*(f"{c:+d}" if min(classes) < 0 else str(c) for c in classes[:_MAX_CLASSES]), *more])
