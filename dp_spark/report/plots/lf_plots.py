"""How accurate labeling functions are, and how much they cover."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dp_spark.report.plots.figure import (
    FIRST,
    GRID,
    INK,
    LIGHT,
    MUTED,
    PAPER,
    SECOND,
    Plot,
    in_style,
    new_figure,
    svg_of,
)
from dp_spark.report.plots.marks import (
    DOT_SIZE,
    draw_guesses,
    draw_interval,
    key_dot,
    legend_above,
    name_rows,
    percent_ticks,
)
from dp_spark.report.plots.text_places import name_dots
from dp_spark.report.vote_facts import LFFacts
from dp_spark.report.words import cut_in_middle, lf_title, share_text

MAX_ROWS = 30  # labeling functions that are shown one by one
MAX_NAMED = 12  # of the dots
MANY_DOTS = 60  # more are drawn smaller
_ROW_HEIGHT = 15.0  # points
_LOG_RATIO = 30.0  # between the largest and the least coverage, from which on the axis is logarithmic


def accuracy_rows(lfs: Sequence[LFFacts]) -> Plot | None:
    """Accuracies with intervals, one labeling function a line, beside coverages; None before a fit.

    Args:
        lfs: all of them.
    """
    known = [lf for lf in lfs if lf.accuracy is not None and lf.num_votes]
    shown = sorted(known, key=lambda lf: -lf.num_votes)[:MAX_ROWS]
    shown.sort(key=lambda lf: lf.accuracy or 0.0)
    if not shown:
        return None
    name, height = "accuracy-rows", _ROW_HEIGHT * len(shown) + 58
    with in_style(name):
        figure, (accuracy, coverage) = new_figure(
            height, 2, left=118, right=8, top=22, bottom=36, wspace=0.06, width_ratios=(3, 1.15)
        )
        titles = _draw_accuracies(accuracy, shown)
        _draw_coverages(coverage, shown)
        figure.legend(
            handles=_legend(shown), loc="upper left", bbox_to_anchor=(0, 1), ncols=3, handletextpad=0.3,
            columnspacing=1.0, borderaxespad=0.2,
        )  # fmt: skip
        svg = svg_of(figure, name, "accuracy and coverage of labeling functions", titles)
    of = "" if len(shown) == len(known) else f" The {len(shown)} of {len(known)} with the most votes."
    return Plot(
        name,
        "How accurate labeling functions are",
        f"P(vote is right, given a vote) with 95% intervals, and the share of rows voted on. The grey dash is a "
        f"guess: the same votes on rows at random.{of}",
        svg,
    )


def _draw_accuracies(axes: Axes, shown: Sequence[LFFacts]) -> dict[str, str]:
    titles, least = {}, min(lf.chance for lf in shown)
    draw_guesses(axes, range(len(shown)), [lf.chance for lf in shown])
    for at, lf in enumerate(shown):
        if lf.interval:
            draw_interval(axes, at, lf.interval)
        face, gold = FIRST if lf.interval else PAPER, lf.empirical_accuracy
        axes.plot(
            lf.accuracy or 0.0,
            at,
            "o",
            color=FIRST,
            markerfacecolor=face,
            markersize=DOT_SIZE,
            gid=f"lf-{at}",
        )
        titles[f"lf-{at}"] = lf_title(lf)
        if gold is not None:
            axes.plot(gold, at, "d", color=SECOND, markersize=4.5, gid=f"gold-{at}")
            titles[f"gold-{at}"] = f"{lf.name}: {gold:.1%} of {lf.num_judged:,} votes on rows with gold"
        least = min(least, _lowest(lf), 1.0 if gold is None else gold)
    name_rows(axes, [cut_in_middle(lf.name, 21) for lf in shown], "accuracy")
    axes.set_xlim(max(np.floor(least * 10) / 10 - 0.02, -0.02), 1.02)
    return titles


def _draw_coverages(axes: Axes, shown: Sequence[LFFacts]) -> None:
    most = max(lf.coverage for lf in shown)
    axes.barh(range(len(shown)), [lf.coverage for lf in shown], height=0.5, color=LIGHT)
    for at, lf in enumerate(shown):
        axes.text(
            lf.coverage + most * 0.04,
            at,
            share_text(lf.coverage),
            fontsize=7.5,
            va="center_baseline",
            color=INK,
        )
    axes.set_xlim(0, most * 1.6)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("coverage", labelpad=16)
    axes.spines["left"].set_color(GRID)
    axes.spines["bottom"].set_visible(False)


def _legend(shown: Sequence[LFFacts]) -> list[Line2D]:
    keys = [
        (any(lf.interval for lf in shown), key_dot("o", FIRST, "estimated")),
        (any(lf.interval is None for lf in shown), key_dot("o", FIRST, "assumed", is_hollow=True)),
        (any(lf.empirical_accuracy is not None for lf in shown), key_dot("d", SECOND, "on gold")),
    ]
    return [key for is_there, key in keys if is_there]


def accuracy_dots(lfs: Sequence[LFFacts]) -> Plot | None:
    """Accuracy against coverage, all labeling functions; None before a fit.

    Args:
        lfs: all of them.
    """
    known = [lf for lf in lfs if lf.accuracy is not None and lf.num_votes]
    if not known:
        return None
    # Those far from the others are worth a name: the worst, and those with the most votes.
    typical = float(np.median([lf.accuracy or 0.0 for lf in known]))
    known.sort(key=lambda lf: -abs((lf.accuracy or 0.0) - typical) * np.sqrt(lf.coverage))
    name = "accuracy-dots"
    with in_style(name):
        figure, (axes,) = new_figure(250, left=42, top=24, bottom=36)
        draw_guesses(axes, [lf.coverage for lf in known], [lf.chance for lf in known], is_upright=True)
        titles = _draw_dots(axes, known)
        _scale_coverage(axes, [lf.coverage for lf in known])
        low = min(min(lf.chance, _lowest(lf)) for lf in known)
        axes.set_ylim(max(low - 0.05, -0.03), 1.03)
        axes.yaxis.set_major_formatter(percent_ticks())
        axes.set_ylabel("accuracy")
        axes.grid()
        legend_above(axes, _kinds(known))
        name_dots(
            axes,
            [(lf.coverage, lf.accuracy or 0.0) for lf in known],
            [lf.name for lf in known[:MAX_NAMED]],
            [(lf.coverage, *lf.interval) for lf in known if lf.interval],
        )
        svg = svg_of(figure, name, "accuracy of labeling functions against coverage", titles)
    return Plot(
        name,
        "Accuracy against coverage",
        "Each dot is a labeling function: point at it for its name; the grey dash is a guess. Top right is best; "
        "wide ones low down do harm.",
        svg,
    )


def _draw_dots(axes: Axes, lfs: Sequence[LFFacts]) -> dict[str, str]:
    titles, is_crowded = {}, len(lfs) > MANY_DOTS
    for at, lf in enumerate(lfs):
        if lf.interval:
            width = 1.2 if is_crowded else 2.2
            draw_interval(axes, lf.coverage, lf.interval, is_upright=True, width=width)
        marker, color = ("^", SECOND) if len(lf.votes) == 1 else ("o", FIRST)
        axes.plot(
            lf.coverage, lf.accuracy or 0.0, marker, color=color, markersize=4 if is_crowded else 5.5, zorder=2,
            markerfacecolor=PAPER if lf.interval is None else color, gid=f"lf-{at}",
        )  # fmt: skip
        titles[f"lf-{at}"] = lf_title(lf)
    return titles


def _lowest(lf: LFFacts) -> float:
    return min(lf.accuracy or 0.0, *(lf.interval or (1.0,)))


def _scale_coverage(axes: Axes, coverages: Sequence[float]) -> None:
    low, high = min(coverages), max(coverages)
    if high / low > _LOG_RATIO:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.4, min(high * 1.6, 1.3))
        axes.minorticks_off()
    else:
        axes.set_xlim(0, high * 1.12)
    axes.xaxis.set_major_formatter(percent_ticks())
    axes.set_xlabel("coverage: share of rows voted on")


def _kinds(lfs: Sequence[LFFacts]) -> list[Line2D]:
    keys = [
        (any(len(lf.votes) > 1 for lf in lfs), key_dot("o", FIRST, "several classes")),
        (any(len(lf.votes) == 1 for lf in lfs), key_dot("^", SECOND, "one class")),
        (any(lf.interval is None for lf in lfs), key_dot("o", MUTED, "assumed", is_hollow=True)),
    ]
    return [key for is_there, key in keys if is_there]
