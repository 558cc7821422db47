"""Who votes with whom, where they conflict, and which agreements the label model does not explain."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.lines import Line2D

from dp_spark.report.plots.figure import (
    FIRST,
    GRID,
    INK,
    PAPER,
    SECOND,
    WARM,
    WIDTH,
    Plot,
    in_style,
    new_figure,
    svg_of,
)
from dp_spark.report.plots.marks import (
    DOT_SIZE,
    both_in_percent,
    draw_diagonal,
    draw_interval,
    key_dot,
    legend_above,
    name_rows,
)
from dp_spark.report.vote_facts import Agreement, Pair
from dp_spark.report.words import cut_in_middle

MAX_PAIR_ROWS = 12
_MATRIX_HEIGHT = 264.0  # points, at most
_NAME_CHARACTERS = 18
_ROW_HEIGHT = 27.0  # points, for two lines of names
_LEAST_WORST = 0.1  # a share of conflict that is shown in full shade, at least
_SHADES = LinearSegmentedColormap.from_list("conflicts", ["#d5e1ea", "#9dbbd0", SECOND, WARM])


def overlap_matrix(agreement: Agreement, num_data_points: int, num_lfs: int) -> Plot | None:
    """The overlap graph as a matrix: area is overlap, shade is conflict; None if nothing overlaps.

    Args:
        agreement: between labeling functions.
        num_data_points: n.
        num_lfs: m.
    """
    if not agreement.overlaps:
        return None
    num, name = len(agreement.lfs), "overlaps"
    side = min(18.0, _MATRIX_HEIGHT / num)
    height, worst = side * num + 30, max(_LEAST_WORST, *(1 - pair.agreement for pair in agreement.overlaps))
    with in_style(name):
        figure, (axes,) = new_figure(height, left=6, right=0, top=2, bottom=28)
        axes.set_xlim(-0.6, (WIDTH - 6) / side - 0.6)
        axes.set_ylim(num - 0.4, -0.6)
        axes.axis("off")
        for row, lf in enumerate(agreement.lfs):
            axes.plot([-0.5, row], [row, row], color=GRID, linewidth=0.5, zorder=0)
            axes.plot([row, row], [row, num - 0.5], color=GRID, linewidth=0.5, zorder=0)
            shown, size = cut_in_middle(lf, _NAME_CHARACTERS), min(8.0, side * 0.62 + 0.8)
            axes.text(row + 0.1, row, shown, fontsize=size, color=INK, va="center_baseline", parse_math=False)
        titles = _draw_overlaps(axes, agreement, num_data_points, side, worst)
        figure.legend(
            handles=[_shade(part * worst, worst) for part in (0.0, 1 / 3, 2 / 3, 1.0)], loc="lower left",
            bbox_to_anchor=(0.0, 0.0), ncols=4, title="votes that differ, of those on the same rows",
            title_fontsize=8, alignment="left", handletextpad=0.0, columnspacing=0.8, borderaxespad=0.1,
        )  # fmt: skip
        svg = svg_of(figure, name, "overlaps and conflicts of labeling functions", titles)
    return Plot(name, "Who votes together, and who disagrees", _overlap_caption(agreement, num_lfs), svg)


def _draw_overlaps(
    axes: Axes, agreement: Agreement, num_data_points: int, side: float, worst: float
) -> dict[str, str]:
    at, titles = {lf: i for i, lf in enumerate(agreement.lfs)}, {}
    most = max(pair.num_overlaps for pair in agreement.overlaps)
    for n, pair in enumerate(agreement.overlaps):
        first, second = sorted((at[pair.first], at[pair.second]))
        # The area of a dot is in proportion to the overlap; none is too small to see.
        size = max(2.0, side * 0.9 * np.sqrt(pair.num_overlaps / most))
        shade = to_hex(_SHADES((1 - pair.agreement) / worst))
        axes.plot(first, second, "o", markersize=size, color=shade, markeredgewidth=0, gid=f"pair-{n}")
        titles[f"pair-{n}"] = (
            f"{pair.first} and {pair.second}: both vote on {pair.num_overlaps:,} rows "
            f"({pair.num_overlaps / max(num_data_points, 1):.1%}), and differ on {1 - pair.agreement:.1%} of them"
        )
    return titles


def _shade(conflict: float, worst: float) -> Line2D:
    shade = to_hex(_SHADES(conflict / worst))
    return Line2D([], [], marker="o", linestyle="", color=shade, markersize=7, label=f"{conflict:.0%}")


def _overlap_caption(agreement: Agreement, num_lfs: int) -> str:
    said = ["A dot stands below one name and left of another: the larger, the more rows both vote on."]
    if agreement.num_groups > 1 or agreement.num_alone:
        alone = f", and {agreement.num_alone} that never meet another" if agreement.num_alone else ""
        groups = f"{agreement.num_groups} group{'s' if agreement.num_groups != 1 else ''}"
        said.append(f"The labeling functions fall into {groups} without a row in common{alone}.")
    if len(agreement.lfs) < num_lfs:
        said.append(f"Shown are the {len(agreement.lfs)} with the most votes of {num_lfs}.")
    return " ".join(said)


def agreement_dots(agreement: Agreement) -> Plot | None:
    """Agreement against what the label model expects of it; None if it says nothing of any pair."""
    pairs = [pair for pair in agreement.unexplained if pair.expected is not None]
    if not pairs:
        return None
    name = "agreement-dots"
    with in_style(name):
        figure, (axes,) = new_figure(250, left=42, top=24, bottom=36)
        draw_diagonal(axes)
        for n, pair in enumerate(reversed(pairs)):
            marker, color, size = _pair_mark(pair)
            axes.plot(
                pair.expected or 0.0, pair.agreement, marker, color=color, markersize=size, markeredgecolor=PAPER,
                markeredgewidth=0.4, gid=f"pair-{n}",
            )  # fmt: skip
        titles = {f"pair-{n}": _pair_title(pair) for n, pair in enumerate(reversed(pairs))}
        low = max(min(_shares(pairs)) - 0.06, -0.03)
        axes.set_xlim(low, 1.03)
        axes.set_ylim(low, 1.03)
        both_in_percent(axes, "agreement that the label model expects", "agreement")
        legend_above(axes, [key_dot("o", FIRST, "pair"), *_dependent_key(pairs)])
        svg = svg_of(figure, name, "agreement of pairs against expectation", titles)
    is_all = agreement.num_checked <= len(pairs)
    caption = (
        "Each dot is a pair of labeling functions. On the line it does; far above it they may look at the same thing."
        + ("" if is_all else f" The {len(pairs)} that fit worst of {agreement.num_checked:,}.")
    )
    return Plot(name, "Does the label model explain who agrees?", caption, svg)


def _pair_mark(pair: Pair) -> tuple[str, str, float]:
    return ("s", SECOND, DOT_SIZE) if pair.is_dependent else ("o", FIRST, 4.5)


def _dependent_key(pairs: Sequence[Pair]) -> list[Line2D]:
    return [key_dot("s", SECOND, "known as dependent")] if any(pair.is_dependent for pair in pairs) else []


def _shares(pairs: Sequence[Pair]) -> list[float]:
    return [value for pair in pairs for value in (pair.expected or 0.0, pair.agreement)]


def unexplained_pairs(agreement: Agreement) -> Plot | None:
    """The pairs that the label model explains worst, by name: expected and found; None without any."""
    pairs = [pair for pair in agreement.unexplained[:MAX_PAIR_ROWS] if pair.expected is not None][::-1]
    if not pairs:
        return None
    name = "unexplained-pairs"
    with in_style(name):
        figure, (axes,) = new_figure(_ROW_HEIGHT * len(pairs) + 58, left=134, right=14, top=22, bottom=36)
        for at, pair in enumerate(pairs):
            expected, (marker, color, _) = pair.expected or 0.0, _pair_mark(pair)
            draw_interval(axes, at, [expected, pair.agreement], width=3)
            axes.plot(expected, at, "o", color=FIRST, markerfacecolor=PAPER, markersize=DOT_SIZE)
            axes.plot(pair.agreement, at, marker, color=color, markersize=DOT_SIZE, gid=f"pair-{at}")
        titles = {f"pair-{at}": _pair_title(pair) for at, pair in enumerate(pairs)}
        names = [f"{cut_in_middle(pair.first, 22)}\n{cut_in_middle(pair.second, 22)}" for pair in pairs]
        name_rows(axes, names, "share of joint votes that agree")
        low, high = min(_shares(pairs)), max(_shares(pairs))
        margin = 0.05 * (high - low) + 0.01
        axes.set_xlim(max(low - margin, -0.02), min(high + margin, 1.02))
        keys = [
            key_dot("o", FIRST, "expected", is_hollow=True),
            key_dot("o", FIRST, "found"),
            *_dependent_key(pairs),
        ]
        figure.legend(handles=keys, loc="upper left", ncols=3, handletextpad=0.3, borderaxespad=0.2)
        svg = svg_of(figure, name, "pairs that the label model explains worst", titles)
    return Plot(name, "The pairs it explains worst", _unexplained_caption(agreement), svg)


def _unexplained_caption(agreement: Agreement) -> str:
    num, of = agreement.num_beyond_chance, agreement.num_checked
    if not num:
        return f"None of {of:,} pairs stands out from how the others scatter."
    return (
        f"{num:,} of {of:,} pairs stand out from how the others scatter."
        if num > 1
        else (f"One of {of:,} pairs stands out from how the others scatter.")
    )


def _pair_title(pair: Pair) -> str:
    dependent = "; taken as dependent" if pair.is_dependent else ""
    return (
        f"{pair.first} and {pair.second}: agree on {pair.agreement:.1%} of {pair.num_overlaps:,} rows, expected "
        f"{pair.expected or 0:.1%} ({pair.score or 0:+.1f} standard errors){dependent}"
    )
