"""Small plots as inline SVG, for notebooks: text in the page's own colour, the same bytes for the same numbers.

Matplotlib is loaded when a plot is drawn, never on import. It draws by figures alone: nothing of pyplot, and no
setting of the user's changes, or is changed.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dp_spark.html import escaped
from dp_spark.texts import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = npt.NDArray[np.float64]

MAX_ROWS = 30  # of a plot with a row per name
NAME_CHARACTERS = 28
BLUE, ORANGE, GREY = "#3b82c4", "#e08a1e", "#8a8a8a"  # readable on white and on black, and apart in grey
_LINES = (("-", BLUE), ("--", ORANGE), (":", GREY))
_INK = "#0a0b0c"  # stands for the page's own text colour
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dp_spark",
    "text.parse_math": False,  # names may hold a "$"
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "font.size": 9.0,
    "legend.frameon": False,
}
_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL)  # would apply to the whole page


def svg(title: str, size: tuple[float, float], draw: "Callable[[Axes], None]") -> str:
    """A plot as an SVG element.

    Args:
        title: what it shows, for those who do not see it.
        size: width and height in inches.
        draw: draws on the axes.
    """
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with own_settings(_SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    drawn = _STYLE.sub("", buffer.getvalue()).replace(_INK, "currentColor")
    opening = f'<svg role="img" aria-label="{escaped(title)}" style="max-width: 100%; height: auto"'
    return drawn[drawn.index("<svg") :].replace("<svg", opening, 1)


@contextmanager
def own_settings(settings: Mapping[str, object]) -> Iterator[None]:
    """Matplotlib's defaults but for these settings, in the block, whatever the user has set.

    Nothing is said there of glyphs that Matplotlib's own font lacks: the page's font has them.

    Args:
        settings: of Matplotlib, by name.
    """
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(matplotlib.RcParams(settings))
        warnings.simplefilter("ignore", UserWarning)
        yield


def dots(
    title: str,
    names: Sequence[str],
    values: Numbers,
    intervals: Numbers,
    chance: float,
    shares: Numbers | None,
) -> str:
    """A row per name: a dot with its interval; a dashed line where chance is. At most MAX_ROWS rows.

    Args:
        title: of the plot.
        names: m names.
        values: (m,) in [0, 1].
        intervals: (m, 2) in [0, 1].
        chance: in [0, 1].
        shares: (m,) in [0, 1]: the dot's area grows with it; None: all the same.
    """
    rows = np.arange(min(len(names), MAX_ROWS))
    sizes = np.full(len(rows), 30.0) if shares is None else 8 + 120 * shares[rows]

    def draw(axes: "Axes") -> None:
        axes.axvline(chance, color=GREY, linestyle="--", linewidth=1)
        axes.hlines(rows, intervals[rows, 0], intervals[rows, 1], color=BLUE, linewidth=1.5)
        axes.scatter(values[rows], rows, s=sizes, color=BLUE, zorder=3)
        _name_rows(axes, names, title)

    return svg(title, (5.2, 0.8 + 0.22 * len(rows)), draw)


def bars(title: str, names: Sequence[str], series: Mapping[str, Numbers]) -> str:
    """A row per name, with a bar for each of up to three series, each drawn inside the one before.

    Args:
        title: of the plot.
        names: m names; at most MAX_ROWS are drawn.
        series: (m,) in [0, 1] by name, from the largest to the smallest.
    """
    rows = np.arange(min(len(names), MAX_ROWS))

    def draw(axes: "Axes") -> None:
        for height, colour, (name, values) in zip(
            (0.8, 0.5, 0.22), (GREY, BLUE, ORANGE), series.items(), strict=False
        ):
            axes.barh(rows, values[rows], height=height, color=colour, label=name)
        _name_rows(axes, names, title)
        axes.set_xlim(left=0, right=None)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))

    return svg(title, (6.2, 0.8 + 0.22 * len(rows)), draw)


def curves(title: str, x_label: str, series: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Up to three curves.

    Args:
        title: of the plot, and of its vertical axis.
        x_label: of the horizontal axis.
        series: x and y by name.
    """

    def draw(axes: "Axes") -> None:
        for (style, colour), (name, (x, y)) in zip(_LINES, series.items(), strict=False):
            axes.plot(x, y, style, color=colour, label=name, marker="." if len(x) <= MAX_ROWS else "")
        axes.set_xlabel(x_label)
        axes.set_ylabel(title)
        axes.legend()

    return svg(title, (4.2, 2.4), draw)


def calibration_curve(title: str, confidence: Sequence[float], correct: Sequence[float], low: float) -> str:
    """How often rows are right by how sure their labels are; the diagonal is where they are as sure as right.

    Args:
        title: of the plot.
        confidence: mean of each bin that has rows, in [1/k, 1].
        correct: the share of its rows that are right, in [0, 1].
        low: 1/k.
    """

    def draw(axes: "Axes") -> None:
        axes.plot([low, 1], [low, 1], "--", color=GREY, linewidth=1)
        axes.plot(confidence, correct, "o-", color=BLUE)
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("share correct")

    return svg(title, (3.0, 2.6), draw)


def matrix(title: str, names: Sequence[str], cells: Numbers, axes_names: tuple[str, str]) -> str:
    """A square matrix of shares in shades, with its numbers.

    Args:
        title: of the plot.
        names: k names; at most MAX_ROWS are drawn.
        cells: (k, k) in [0, 1], or NaN where there is nothing.
        axes_names: of the rows and of the columns.
    """
    k = min(len(names), MAX_ROWS)
    shown = [shortened(name, NAME_CHARACTERS // 2) for name in names[:k]]

    def draw(axes: "Axes") -> None:
        axes.imshow(cells[:k, :k], cmap="Blues", vmin=0, vmax=1)
        for (i, j), share in np.ndenumerate(cells[:k, :k]):
            if np.isfinite(share) and k <= MAX_ROWS // 3:
                colour = "#ffffff" if share > 0.5 else "#1a1a1a"
                axes.text(j, i, f"{share:.2f}", ha="center", va="center", color=colour)
        axes.set_xticks(range(k), shown, rotation=0 if k < 4 else 90)
        axes.set_yticks(range(k), shown)
        axes.set_ylabel(axes_names[0])
        left_out = len(names) - k
        axes.set_xlabel(f"{axes_names[1]}; and {left_out:,} more" if left_out else axes_names[1])

    side = 1.6 + 0.32 * k
    return svg(title, (side + 0.4, side), draw)


def _name_rows(axes: "Axes", names: Sequence[str], title: str) -> None:
    """Label the rows of a plot, the first one at the top, and say how many are left out."""
    shown = [shortened(name, NAME_CHARACTERS) for name in names[:MAX_ROWS]]
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    left_out = len(names) - len(shown)
    axes.set_xlabel(f"{title}; and {left_out:,} more" if left_out else title)
