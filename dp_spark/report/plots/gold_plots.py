"""Labels against gold: scores, calibration, confusion."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from dp_spark.label_model.calibration import Calibration, CalibrationBin
from dp_spark.report.plots.figure import (
    FIRST,
    INK,
    LIGHT,
    SECOND,
    WIDTH,
    Plot,
    in_style,
    new_figure,
    svg_of,
)
from dp_spark.report.plots.marks import DOT_SIZE, both_in_percent, draw_diagonal, draw_interval, name_rows
from dp_spark.report.scores import Report, Scores
from dp_spark.report.words import cut_in_middle, printable

Counts = npt.NDArray[np.float64]

MAX_CLASSES = 12  # of a confusion matrix
MAX_COUNTED = 4  # classes, up to which cells hold numbers of rows
OTHERS = "others"
_ROW_HEIGHT = 20.0  # points
_DARK = 0.55  # share of a row from which on a cell has white text
# Not the colours that a page changes on dark screens: cells stay as they are there, with texts that fit them.
_SHADES = LinearSegmentedColormap.from_list("shares", ["#fdfdfe", LIGHT, "#2f6691"])
_ON_LIGHT, _ON_DARK = "#1f2a38", "#fefefe"
_MAX_LONG_COUNT = 99_999


def score_rows(scores: Mapping[str, Report]) -> Plot | None:
    """The accuracy of every table of labels with its interval; None without gold."""
    rows = [(key, report.all) for key, report in scores.items() if report.all.accuracy is not None][::-1]
    if not rows:
        return None
    name = "scores"
    with in_style(name):
        figure, (axes,) = new_figure(_ROW_HEIGHT * len(rows) + 46, left=126, right=14, top=6, bottom=36)
        titles = {f"score-{at}": _draw_score(axes, at, *row) for at, row in enumerate(rows)}
        name_rows(axes, [score_name(key) for key, _ in rows], "accuracy")
        values = [
            v for _, found in rows for v in (found.accuracy or 0.0, *found.intervals.get("accuracy", ()))
        ]
        margin = 0.06 * (max(values) - min(values)) + 0.005
        axes.set_xlim(min(values) - margin, min(max(values) + margin, 1.01))
        svg = svg_of(figure, name, "accuracy against gold", titles)
    caption = "Accuracy with 95% intervals: circles of all rows, squares of test rows."
    return Plot(name, "Scores against gold", caption, svg)


def _draw_score(axes: Axes, at: int, key: str, found: Scores) -> str:
    """Draw one accuracy; returns its tooltip."""
    interval, accuracy = found.intervals.get("accuracy"), found.accuracy or 0.0
    marker, color = ("s", SECOND) if key.startswith("test.") else ("o", FIRST)
    if interval:
        draw_interval(axes, at, interval)
    axes.plot(accuracy, at, marker, color=color, markersize=DOT_SIZE, gid=f"score-{at}")
    reach = f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else ""
    return f"{score_name(key)}: {accuracy:.1%}{reach} of {found.num_data_points:,} rows"


def score_name(key: str) -> str:
    """What a reader calls a table of metrics.json: "end model, test" for "test.end_model"."""
    rows, _, table = key.partition(".")
    return f"{table.replace('_', ' ')}, {rows}"


def calibration_dots(calibration: Calibration, num_classes: int, is_of_fit: bool) -> Plot | None:
    """Share correct against confidence, with intervals; None without rows.

    Args:
        calibration: of the labels.
        num_classes: k.
        is_of_fit: whether the gold labels were given to the fit.
    """
    bins = [b for b in calibration.bins if b.num_gold and b.interval]
    if not bins:
        return None
    name, most = "calibration", max(b.num_gold for b in bins)
    with in_style(name):
        figure, (axes,) = new_figure(240, left=42, top=10, bottom=36)
        draw_diagonal(axes)
        titles = {f"bin-{at}": _draw_bin(axes, at, b, most) for at, b in enumerate(bins)}
        axes.set_xlim(1 / num_classes - 0.03, 1.03)
        axes.set_ylim(min(1 / num_classes, *(b.share_correct or 0.0 for b in bins)) - 0.05, 1.04)
        both_in_percent(axes, "how sure labels are", "how many are right")
        svg = svg_of(figure, name, "calibration of the labels", titles)
    of_fit = " These gold labels were given to the fit: it looks better than it is." if is_of_fit else ""
    caption = (
        f"On {calibration.num_gold:,} rows with votes and gold; on the line they are, below it over-confident. "
        f"Calibration error {calibration.expected_calibration_error or 0.0:.3f}.{of_fit}"
    )
    return Plot(name, "Are the labels as sure as they are right?", caption, svg)


def _draw_bin(axes: Axes, at: int, found: CalibrationBin, most: int) -> str:
    """Draw one bin, its area by its rows; returns its tooltip."""
    confidence, correct = found.mean_confidence or 0.0, found.share_correct or 0.0
    draw_interval(axes, confidence, found.interval or (0.0, 1.0), is_upright=True, width=2.6)
    size = 4 + 7 * np.sqrt(found.num_gold / most)
    axes.plot(confidence, correct, "o", color=FIRST, markersize=size, gid=f"bin-{at}")
    return f"{found.num_gold:,} rows: {confidence:.1%} sure on average, {correct:.1%} right"


def confusion_matrix(scores: Scores, class_names: Sequence[str], of: str) -> Plot | None:
    """Rows of each gold class by the class that is predicted; None without gold.

    Args:
        scores: of a table of labels.
        class_names: what the k classes are called.
        of: the table, as metrics.json calls it.
    """
    counts = np.array(scores.confusion)
    if not counts.sum():
        return None
    counts, names = _largest(counts, [printable(name) for name in class_names])
    num, name = len(names), "confusion"
    side, left = min(52.0, 236 / num), 100.0
    with in_style(name):
        figure, (axes,) = new_figure(
            side * num + 56, left=left, right=WIDTH - left - side * num, top=40, bottom=16
        )
        titles = _draw_cells(axes, counts, names)
        axes.set_xlim(-0.5, num - 0.5)
        axes.set_ylim(num - 0.5, -0.5)
        axes.set_yticks(range(num), [cut_in_middle(text, 16) for text in names], color=INK, parse_math=False)
        across = [cut_in_middle(text, 10 if num <= 3 else 6) for text in names]
        axes.set_xticks(range(num), across, color=INK, parse_math=False, rotation=0 if num <= 5 else 60)
        axes.xaxis.tick_top()
        for spine in axes.spines.values():
            spine.set_visible(False)
        svg = svg_of(figure, name, f"confusion of {score_name(of)} with gold", titles)
    numbers = "shade is the share of the line" if num <= MAX_COUNTED else "numbers are percent of the line"
    caption = f"Lines are gold classes, columns those of {score_name(of)} rows; {numbers}."
    return Plot(name, "What is taken for what", caption, svg)


def _draw_cells(axes: Axes, counts: Counts, names: Sequence[str]) -> dict[str, str]:
    shares, titles = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), {}
    for row, column in np.ndindex(counts.shape):
        gid, count, share = f"cell-{row}-{column}", float(counts[row, column]), float(shares[row, column])
        axes.fill(*_square(row, column), facecolor=_SHADES(share), edgecolor=LIGHT, linewidth=0.6, gid=gid)
        titles[gid] = f"{count:,.0f} rows of {names[row]} called {names[column]} ({share:.1%})"
        text, size = _cell_text(count, share, len(names))
        color = _ON_DARK if share > _DARK else _ON_LIGHT
        axes.text(column, row, text, ha="center", va="center_baseline", fontsize=size, color=color)
    return titles


def _largest(counts: Counts, names: list[str]) -> tuple[Counts, list[str]]:
    """The confusion of the most frequent classes; all others together."""
    if len(names) <= MAX_CLASSES:
        return counts, names
    largest = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[: MAX_CLASSES - 1])
    group = np.full(len(names), MAX_CLASSES - 1)
    group[largest] = np.arange(MAX_CLASSES - 1)
    summed = np.zeros((MAX_CLASSES, MAX_CLASSES))
    np.add.at(summed, (group[:, None], group[None, :]), counts)
    return summed, [*(names[i] for i in largest), OTHERS]


def _square(row: int, column: int) -> tuple[list[float], list[float]]:
    return (
        [column - 0.5, column + 0.5, column + 0.5, column - 0.5],
        [row - 0.5, row - 0.5, row + 0.5, row + 0.5],
    )


def _cell_text(count: float, share: float, num: int) -> tuple[str, float]:
    """A count where it fits, else a rounded share; nothing for nothing in large matrices."""
    if num <= MAX_COUNTED and count <= _MAX_LONG_COUNT:
        return f"{count:,.0f}", 9.0
    if num <= MAX_COUNTED:
        return f"{share:.1%}", 9.0
    return (f"{100 * share:.0f}" if share >= 0.005 else ""), 8.0 if num <= 8 else 7.0
