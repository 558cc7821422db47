"""How sure the labels are, and which classes they name."""

from collections.abc import Sequence

from matplotlib.ticker import MaxNLocator

from dp_spark.report.plots.figure import (
    FIRST,
    INK,
    LIGHT,
    MUTED,
    PAPER,
    Plot,
    in_style,
    new_figure,
    percent_ticks,
    svg_of,
)
from dp_spark.report.vote_facts import LabelClass, LabelHistogram
from dp_spark.report.words import share_text, shortened

MAX_CLASSES = 20
_ROW_HEIGHT = 16.0  # points


def label_histogram(labels: LabelHistogram, class_names: Sequence[str]) -> Plot:
    """The histogram of label probabilities, covered and uncovered rows.

    Args:
        labels: the label table.
        class_names: what the k classes are called.
    """
    name, total = "label-histogram", max(labels.num_labels, 1)
    is_binary = len(class_names) == 2
    low = 0.0 if is_binary else 1 / len(class_names)
    buckets = [bucket for bucket in labels.buckets if bucket.high > low]
    with in_style(name):
        figure, (axes,) = new_figure(210, left=42, top=24, bottom=36)
        lefts, width = [bucket.low for bucket in buckets], buckets[0].high - buckets[0].low
        covered = [bucket.num_covered / total for bucket in buckets]
        uncovered = [bucket.num_uncovered / total for bucket in buckets]
        bars = [*axes.bar(lefts, covered, width * 0.92, align="edge", color=FIRST, label="rows with a vote")]
        if any(uncovered):
            axes.bar(
                lefts, uncovered, width * 0.92, bottom=covered, align="edge", facecolor=PAPER, edgecolor=MUTED,
                hatch="/////", linewidth=0.8, label="rows without a vote",
            )  # fmt: skip
        titles = {}
        for at, (bar, bucket) in enumerate(zip(bars, buckets, strict=True)):
            bar.set_gid(f"bucket-{at}")
            titles[f"bucket-{at}"] = (
                f"{bucket.low:.2f} to {bucket.high:.2f}: {bucket.num_covered:,} rows with a vote, "
                f"{bucket.num_uncovered:,} without"
            )
        axes.set_xlim(buckets[0].low, 1.0)
        axes.yaxis.set_major_formatter(percent_ticks())
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_ylabel("share of rows")
        what = (
            f"P({shortened(class_names[1], 20)})" if is_binary else "probability of the most probable class"
        )
        axes.set_xlabel(what, parse_math=False)
        axes.grid(axis="y")
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, handlelength=1.2, handletextpad=0.5
        )
        svg = svg_of(figure, name, "histogram of label probabilities", titles)
    sure = (
        "Labels near 0 and 1 are sure, those in the middle"
        if is_binary
        else "Labels near 1 are sure, those far from it"
    )
    return Plot(
        name, "How sure the labels are", f"{sure} undecided. Rows without a vote have the class balance.", svg
    )


def class_bars(labels: LabelHistogram) -> Plot:
    """How many labels name which class, the most frequent first."""
    shown = sorted(labels.classes, key=lambda c: -(c.num_covered + c.num_uncovered))[:MAX_CLASSES][::-1]
    name, total = "class-bars", max(labels.num_labels, 1)
    with in_style(name):
        figure, (axes,) = new_figure(_ROW_HEIGHT * len(shown) + 32, left=96, right=44, top=24, bottom=8)
        at = range(len(shown))
        covered = [c.num_covered / total for c in shown]
        axes.barh(at, covered, 0.62, color=FIRST, label="rows with a vote")
        if any(c.num_uncovered for c in shown):
            axes.barh(
                at, [c.num_uncovered / total for c in shown], 0.62, left=covered, facecolor=PAPER, edgecolor=MUTED,
                hatch="/////", linewidth=0.8, label="rows without a vote",
            )  # fmt: skip
        for row, found in enumerate(shown):
            share = (found.num_covered + found.num_uncovered) / total
            axes.text(
                share + 0.01 * _most(shown, total),
                row,
                share_text(share),
                va="center_baseline",
                fontsize=8,
                color=INK,
            )
        axes.set_yticks(at, [shortened(c.name, 17) for c in shown], color=INK, parse_math=False)
        axes.set_xticks([])
        axes.set_xlim(0, _most(shown, total) * 1.02)
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.spines["bottom"].set_visible(False)
        axes.spines["left"].set_color(LIGHT)
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=2,
            handlelength=1.2,
            handletextpad=0.5,
            borderaxespad=0.2,
        )
        svg = svg_of(figure, name, "labels by class", {})
    of = (
        f" The {len(shown)} most frequent of {len(labels.classes)}."
        if len(shown) < len(labels.classes)
        else ""
    )
    return Plot(name, "Which classes the labels name", f"By the most probable class of each row.{of}", svg)


def _most(shown: Sequence[LabelClass], total: int) -> float:
    return max((c.num_covered + c.num_uncovered) / total for c in shown) or 1.0
