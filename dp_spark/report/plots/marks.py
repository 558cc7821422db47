"""What several plots draw alike: dots and their legends, intervals, lines of names, lines to compare with."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from dp_spark.report.plots.figure import INK, LIGHT, MUTED, PAPER

DOT_SIZE = 5.5  # points
_DASHES = (0, (3, 3))


def percent_ticks() -> FuncFormatter:
    """Ticks of shares as percent, without digits that say nothing; the margin beyond 100% has none."""
    return FuncFormatter(lambda share, _: f"{100 * share:.3g}%" if share <= 1 + 1e-9 else "")


def key_dot(marker: str, color: str, label: str, *, is_hollow: bool = False) -> Line2D:
    """A dot for a legend."""
    face = PAPER if is_hollow else color
    return Line2D(
        [],
        [],
        marker=marker,
        linestyle="",
        color=color,
        markerfacecolor=face,
        markersize=DOT_SIZE,
        label=label,
    )


def legend_above(axes: Axes, handles: Sequence[Line2D] | None = None) -> None:
    """A legend over the axes, of these handles or of what has a label."""
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, handlelength=1.2, handletextpad=0.4,
        columnspacing=1.2, borderaxespad=0.3,
    )  # fmt: skip


def draw_interval(
    axes: Axes, at: float, ends: Sequence[float], *, is_upright: bool = False, width: float = 4.0
) -> None:
    """An interval as a bar behind its dot."""
    across = [at, at]
    x, y = (across, ends) if is_upright else (ends, across)
    axes.plot(x, y, color=LIGHT, linewidth=width, solid_capstyle="butt", zorder=1)


def draw_diagonal(axes: Axes) -> None:
    """Where what is found is what was expected."""
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=_DASHES, linewidth=0.9)


def draw_guesses(
    axes: Axes, at: Sequence[float], shares: Sequence[float], *, is_upright: bool = False
) -> None:
    """Where guesses are, a dash across for each dot."""
    x, y = (at, shares) if is_upright else (shares, at)
    marker = "_" if is_upright else "|"
    axes.plot(x, y, marker, color=MUTED, markersize=9, markeredgewidth=0.9, zorder=1.5)


def name_rows(axes: Axes, names: Sequence[str], label: str) -> None:
    """One name a line at the left, percent below, and nothing that draws the eye from the dots."""
    axes.set_yticks(range(len(names)), names, color=INK, parse_math=False, linespacing=1.25)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.xaxis.set_major_formatter(percent_ticks())
    axes.set_xlabel(label)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def both_in_percent(axes: Axes, x: str, y: str) -> None:
    """Shares on both axes, with these labels."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(percent_ticks())
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid()
