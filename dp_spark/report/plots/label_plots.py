"""How sure the labels are, and which classes they name."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
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
    svg_of,
)
from dp_spark.report.plots.marks import legend_above, percent_ticks
from dp_spark.report.vote_facts import LabelBucket, LabelClass, LabelHistogram
from dp_spark.report.words import cut_in_middle, share_text

MAX_CLASSES = 20
_ROW_HEIGHT = 16.0  # points
_COVERED, _UNCOVERED = "rows with a vote", "rows without a vote"


def label_histogram(labels: LabelHistogram, class_names: Sequence[str]) -> Plot:
    """The histogram of label probabilities, covered and uncovered rows.

    Args:
        labels: the label table.
        class_names: what the k classes are called.
    """
    name, is_binary = "label-histogram", len(class_names) == 2
    low = 0.0 if is_binary else 1 / len(class_names)
    buckets = [bucket for bucket in labels.buckets if bucket.high > low]
    what = (
        f"P({cut_in_middle(class_names[1], 20)})" if is_binary else "probability of the most probable class"
    )
    with in_style(name):
        figure, (axes,) = new_figure(210, left=42, top=24, bottom=36)
        titles = _draw_buckets(axes, buckets, max(labels.num_labels, 1))
        axes.set_xlim(buckets[0].low, 1.0)
        axes.yaxis.set_major_formatter(percent_ticks())
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_ylabel("share of rows")
        axes.set_xlabel(what, parse_math=False)
        axes.grid(axis="y")
        legend_above(axes)
        svg = svg_of(figure, name, "histogram of label probabilities", titles)
    sure = (
        "Labels near 0 and 1 are sure, those in the middle"
        if is_binary
        else "Labels near 1 are sure, the others"
    )
    caption = f"{sure} undecided. Rows without a vote have the class balance."
    return Plot(name, "How sure the labels are", caption, svg)


def _draw_buckets(axes: Axes, buckets: Sequence[LabelBucket], total: int) -> dict[str, str]:
    lefts, width = [bucket.low for bucket in buckets], 0.92 * (buckets[0].high - buckets[0].low)
    covered = [bucket.num_covered / total for bucket in buckets]
    uncovered = [bucket.num_uncovered / total for bucket in buckets]
    bars = axes.bar(lefts, covered, width, align="edge", color=FIRST, label=_COVERED)
    if any(uncovered):
        _hatch(axes.bar(lefts, uncovered, width, bottom=covered, align="edge", label=_UNCOVERED))
    titles = {}
    for at, (bar, bucket) in enumerate(zip(bars, buckets, strict=True)):
        bar.set_gid(f"bucket-{at}")
        titles[f"bucket-{at}"] = (
            f"{bucket.low:.2f} to {bucket.high:.2f}: {bucket.num_covered:,} rows with a vote, "
            f"{bucket.num_uncovered:,} without"
        )
    return titles


def class_bars(labels: LabelHistogram) -> Plot:
    """How many labels name which class, the most frequent first."""
    shown = sorted(labels.classes, key=lambda c: -(c.num_covered + c.num_uncovered))[:MAX_CLASSES][::-1]
    name, total = "class-bars", max(labels.num_labels, 1)
    with in_style(name):
        figure, (axes,) = new_figure(_ROW_HEIGHT * len(shown) + 32, left=96, right=44, top=24, bottom=8)
        _draw_classes(axes, shown, total)
        axes.set_yticks(
            range(len(shown)), [cut_in_middle(c.name, 17) for c in shown], color=INK, parse_math=False
        )
        axes.set_xticks([])
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.spines["bottom"].set_visible(False)
        axes.spines["left"].set_color(LIGHT)
        legend_above(axes)
        svg = svg_of(figure, name, "labels by class", {})
    is_all = len(shown) == len(labels.classes)
    of = "" if is_all else f" The {len(shown)} most frequent of {len(labels.classes)}."
    return Plot(name, "Which classes the labels name", f"By the most probable class of each row.{of}", svg)


def _draw_classes(axes: Axes, shown: Sequence[LabelClass], total: int) -> None:
    at = range(len(shown))
    covered, uncovered = [c.num_covered / total for c in shown], [c.num_uncovered / total for c in shown]
    axes.barh(at, covered, 0.62, color=FIRST, label=_COVERED)
    if any(uncovered):
        _hatch(axes.barh(at, uncovered, 0.62, left=covered, label=_UNCOVERED))
    shares = [one + other for one, other in zip(covered, uncovered, strict=True)]
    most = max(shares) or 1.0
    for row, share in enumerate(shares):
        axes.text(share + 0.01 * most, row, share_text(share), va="center_baseline", fontsize=8, color=INK)
    axes.set_xlim(0, most * 1.02)


def _hatch(bars: BarContainer) -> None:
    for bar in bars:
        bar.set(facecolor=PAPER, edgecolor=MUTED, hatch="/////", linewidth=0.8)
