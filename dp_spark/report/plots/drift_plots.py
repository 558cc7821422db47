"""Votes by part of the table, of the labeling functions that differ most."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dp_spark.report.plots.figure import (
    FIRST,
    INK,
    LIGHT,
    SECOND,
    Plot,
    in_style,
    new_figure,
    svg_of,
)
from dp_spark.report.plots.marks import percent_ticks
from dp_spark.report.vote_facts import Drift, LFDrift
from dp_spark.report.words import cut_in_middle, printable

CHANCE_ERRORS = 2.0  # standard errors around the mean, which chance alone seldom leaves
_PANEL_HEIGHT = 74.0  # points
_NUM_COLUMNS = 2


def drift_panels(drift: Drift) -> Plot | None:
    """Coverage by part, a panel for each of the labeling functions that drift most; None without votes."""
    shown = [lf for lf in drift.lfs if lf.coverages and lf.degrees]
    if not shown:
        return None
    num_rows = -(-len(shown) // _NUM_COLUMNS)
    height, name = _PANEL_HEIGHT * num_rows + 40, "drift"
    with in_style(name):
        figure, all_axes = new_figure(
            height, _NUM_COLUMNS, num_rows, left=32, right=4, top=22, bottom=20, wspace=0.26, hspace=0.62
        )
        titles: dict[str, str] = {}
        for at, axes in enumerate(all_axes):
            if at < len(shown):
                titles |= _draw(axes, drift, shown[at], at)
            else:
                axes.axis("off")
        svg = svg_of(figure, name, "votes of labeling functions by part of the table", titles)
    return Plot(name, "Do labeling functions vote alike everywhere?", _caption(drift), svg)


def _draw(axes: Axes, drift: Drift, lf: LFDrift, panel: int) -> dict[str, str]:
    sizes = np.array([part.num_data_points for part in drift.parts], dtype=np.float64)
    coverages, shares = np.array(lf.coverages), np.array(lf.class_shares)
    at = np.arange(len(sizes))
    mean = float(sizes @ coverages / sizes.sum())
    reach = CHANCE_ERRORS * np.sqrt(mean * (1 - mean) / sizes)
    axes.fill_between(
        at, np.maximum(mean - reach, 0), np.minimum(mean + reach, 1), color=LIGHT, alpha=0.45, linewidth=0
    )
    is_narrower = not np.allclose(coverages, shares)
    if is_narrower:
        axes.plot(at, shares, color=SECOND, linewidth=1.1, linestyle=(0, (3, 1.5)))
    axes.plot(at, coverages, color=FIRST, linewidth=1.2)
    titles = {}
    for part, size, coverage, share in zip(range(len(at)), sizes, coverages, shares, strict=True):
        gid = f"part-{panel}-{part}"
        axes.plot(part, coverage, "o", color=FIRST, markersize=2.6, gid=gid)
        titles[gid] = (
            f"{drift.parts[part].name} ({size:,.0f} rows): {lf.name} votes on {coverage:.1%}, "
            f"{lf.class_name} on {share:.1%}"
        )
    star = " \N{BLACK DIAMOND}" if lf.is_drifting else ""
    name = f"{cut_in_middle(lf.name, 15 if is_narrower else 24)}{star}"
    axes.set_title(name, loc="left", fontsize=8, color=INK, pad=4, parse_math=False)
    if is_narrower:
        dashed = f"dashed: {cut_in_middle(lf.class_name, 7)}"
        axes.set_title(dashed, loc="right", fontsize=7.5, color=SECOND, pad=4, parse_math=False)
    axes.set_ylim(0, max(float(coverages.max()) * 1.15, mean * 1.3, 1e-9))
    axes.set_xlim(-0.5, len(at) - 0.5)
    axes.set_xticks([])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.yaxis.set_major_formatter(percent_ticks())
    axes.tick_params(labelsize=7)
    axes.grid(axis="y")
    return titles


def _caption(drift: Drift) -> str:
    num = sum(lf.is_drifting for lf in drift.lfs)
    said = {0: "None of them differs", 1: "One of them differs"}.get(num, f"{num} of them differ")
    first, last = printable(drift.parts[0].name), printable(drift.parts[-1].name)
    return (
        f"Coverage by part of the table ({drift.by}, {first} to {last}, left to right), dashed what of it is for one "
        f"class; shaded what chance seldom leaves. {said} beyond chance, and by enough to matter (\N{BLACK DIAMOND})."
    )
