"""How the training of the end model went."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dp_spark.report.plots.figure import FIRST, SECOND, Plot, in_style, new_figure, svg_of

MAX_POINTS = 200  # of a curve
PANELS = ("loss", "accuracy")  # metrics that are shown; those of validation rows beside them
VALIDATION = "validation_"  # before the names of metrics of validation rows


def training_curves(history: Sequence[Mapping[str, float | None]]) -> Plot | None:
    """Loss and accuracy by epoch, with gaps where they are not finite; None before training."""
    shown = [panel for panel in PANELS if any(panel in epoch for epoch in history)]
    if not history or not shown:
        return None
    name = "training"
    with in_style(name):
        figure, all_axes = new_figure(180, len(shown), left=34, right=6, top=24, bottom=34, wspace=0.24)
        for axes, metric in zip(all_axes, shown, strict=True):
            _draw(axes, history, metric)
        svg = svg_of(figure, name, "training of the end model", {})
    last = history[-1]
    values = ", ".join(
        f"{metric} {value:.3f}" for metric in shown if math.isfinite(value := _number(last, metric))
    )
    return Plot(
        name,
        "Training of the end model",
        f"{len(history):,} epochs; at the end {values}, against probabilistic labels. "
        "If the loss still falls there, train longer.",
        svg,
    )


def _draw(axes: Axes, history: Sequence[Mapping[str, float | None]], metric: str) -> None:
    step = -(-len(history) // MAX_POINTS)
    epochs = list(range(0, len(history), step))
    epochs += [len(history) - 1] if epochs[-1] != len(history) - 1 else []
    names = {"training rows": metric, "validation rows": f"{VALIDATION}{metric}"}
    names = {label: key for label, key in names.items() if any(key in epoch for epoch in history)}
    for at, (label, key) in enumerate(names.items()):
        values = [_number(history[epoch], key) for epoch in epochs]
        marker = "o" if len(epochs) == 1 else None
        axes.plot(
            [epoch + 1 for epoch in epochs],
            values,
            color=(FIRST, SECOND)[at],
            linestyle=("-", (0, (4, 1.5)))[at],
            linewidth=1.4,
            label=label,
            marker=marker,
        )
    axes.set_title(metric, loc="left", pad=8)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid()
    if len(names) > 1:
        axes.legend(loc="best", handlelength=1.6)


def _number(epoch: Mapping[str, float | None], metric: str) -> float:
    """The metric of an epoch; NaN, of which nothing is drawn, where there is none."""
    value = epoch.get(metric)
    return math.nan if value is None else value
