"""Labels against gold: scores, calibration, confusion."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from dp_spark.label_model.calibration import Calibration
from dp_spark.report.plots.figure import (
    FIRST,
    INK,
    LIGHT,
    MUTED,
    PAPER,
    SECOND,
    WIDTH,
    Plot,
    in_style,
    new_figure,
    percent_ticks,
    svg_of,
)
from dp_spark.report.scores import Report, Scores
from dp_spark.report.words import shortened

MAX_CLASSES = 12  # of a confusion matrix
OTHERS = "others"
_ROW_HEIGHT = 20.0  # points
_DARK = 0.55  # share of a row from which on a cell has white text
_SHADES = LinearSegmentedColormap.from_list("shares", ["#ffffff", LIGHT, FIRST])
_MAX_LONG_COUNT = 99_999


def score_rows(scores: Mapping[str, Report]) -> Plot | None:
    """The accuracy of every table of labels with its interval; None without gold."""
    rows = [(key, report.all) for key, report in scores.items() if report.all.accuracy is not None][::-1]
    if not rows:
        return None
    name = "scores"
    with in_style(name):
        figure, (axes,) = new_figure(_ROW_HEIGHT * len(rows) + 46, left=126, right=14, top=6, bottom=36)
        titles, values = {}, []
        for at, (key, found) in enumerate(rows):
            interval = found.intervals.get("accuracy")
            accuracy = found.accuracy or 0.0
            if interval:
                axes.plot(interval, [at, at], color=LIGHT, linewidth=4, solid_capstyle="butt")
            test = key.startswith("test.")
            axes.plot(
                accuracy,
                at,
                "s" if test else "o",
                color=SECOND if test else FIRST,
                markersize=5.5,
                gid=f"score-{at}",
            )
            reach = f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else ""
            titles[f"score-{at}"] = (
                f"{score_name(key)}: {accuracy:.1%}{reach} of {found.num_data_points:,} rows"
            )
            values += [accuracy, *(interval or ())]
        axes.set_yticks(range(len(rows)), [score_name(key) for key, _ in rows], color=INK)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        margin = 0.06 * (max(values) - min(values)) + 0.005
        axes.set_xlim(min(values) - margin, min(max(values) + margin, 1.01))
        axes.xaxis.set_major_formatter(percent_ticks())
        axes.set_xlabel("accuracy")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        svg = svg_of(figure, name, "accuracy against gold", titles)
    return Plot(
        name,
        "Scores against gold",
        "Accuracy with 95% intervals: circles of all rows, squares of test rows.",
        svg,
    )


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
        titles, low = {}, 1 / num_classes
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (3, 3)), linewidth=0.9)
        for at, b in enumerate(bins):
            confidence, correct = b.mean_confidence or 0.0, b.share_correct or 0.0
            axes.plot(
                [confidence] * 2, b.interval or (0, 1), color=LIGHT, linewidth=2.6, solid_capstyle="butt"
            )
            size = 4 + 7 * np.sqrt(b.num_gold / most)
            axes.plot(confidence, correct, "o", color=FIRST, markersize=size, gid=f"bin-{at}")
            titles[f"bin-{at}"] = (
                f"{b.num_gold:,} rows: {confidence:.1%} sure on average, {correct:.1%} right"
            )
            low = min(low, correct)
        axes.set_xlim(1 / num_classes - 0.03, 1.03)
        axes.set_ylim(low - 0.05, 1.04)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(percent_ticks())
        axes.set_xlabel("how sure labels are")
        axes.set_ylabel("how many are right")
        axes.grid()
        svg = svg_of(figure, name, "calibration of the labels", titles)
    of_fit = " These gold labels were given to the fit: it looks better than it is." if is_of_fit else ""
    error = calibration.expected_calibration_error or 0.0
    return Plot(
        name,
        "Are the labels as sure as they are right?",
        f"On {calibration.num_gold:,} rows with votes and gold; on the line they are, below it over-confident. "
        f"Calibration error {error:.3f}.{of_fit}",
        svg,
    )


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
    counts, names = _largest(counts, list(class_names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    num, name = len(names), "confusion"
    side = min(52.0, 236 / num)
    height, left = side * num + 56, 100.0
    with in_style(name):
        figure, (axes,) = new_figure(height, left=left, right=WIDTH - left - side * num, top=40, bottom=16)
        titles = {}
        for row in range(num):
            for column in range(num):
                gid = f"cell-{row}-{column}"
                axes.fill(
                    *_square(row, column),
                    facecolor=_SHADES(shares[row, column]),
                    edgecolor=LIGHT,
                    linewidth=0.6,
                    gid=gid,
                )
                titles[gid] = (
                    f"{counts[row, column]:,.0f} rows of {names[row]} called {names[column]} "
                    f"({shares[row, column]:.1%})"
                )
                color = PAPER if shares[row, column] > _DARK else INK
                text, size = _cell_text(counts[row, column], shares[row, column], num)
                axes.text(column, row, text, ha="center", va="center_baseline", fontsize=size, color=color)
        axes.set_xlim(-0.5, num - 0.5)
        axes.set_ylim(num - 0.5, -0.5)
        short = [shortened(text, 16 if num <= 3 else 14) for text in names]
        axes.set_yticks(range(num), short, color=INK, parse_math=False)
        across = short if num <= 3 else [shortened(text, 6) for text in names]
        axes.set_xticks(range(num), across, color=INK, parse_math=False, rotation=0 if num <= 5 else 60)
        axes.xaxis.tick_top()
        for spine in axes.spines.values():
            spine.set_visible(False)
        svg = svg_of(figure, name, f"confusion of {score_name(of)} with gold", titles)
    return Plot(
        name,
        "What is taken for what",
        f"Lines are gold classes, columns those of {score_name(of)} rows; shade is the share of the line.",
        svg,
    )


def _largest(counts: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
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
    if num <= 4 and count <= _MAX_LONG_COUNT:
        return f"{count:,.0f}", 9.0
    if num <= 4:
        return f"{share:.1%}", 9.0
    return (f"{100 * share:.0f}" if share >= 0.005 else ""), 8.0 if num <= 8 else 7.0
