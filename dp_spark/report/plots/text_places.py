"""Names beside dots, where they hide neither dots nor each other."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from dp_spark.report.plots.figure import INK
from dp_spark.report.words import shortened

MAX_CHARACTERS = 22
_SIZE = 7.5  # points
_CHARACTER = 0.6 * _SIZE  # the width of one, on average
_GAP = 5.0  # between a dot and its name
_DOT = 4.0  # half the width of a dot

Box = tuple[float, float, float, float]  # left, bottom, right, top


def name_dots(
    axes: Axes,
    dots: Sequence[tuple[float, float]],
    names: Sequence[str],
    bars: Sequence[tuple[float, float, float]] = (),
) -> None:
    """Write names beside dots, the first ones first; a name without a free place is left out.

    Args:
        axes: with its final limits and scales.
        dots: where they are, in the axes' units.
        names: of the first of the dots.
        bars: upright ones that names should not cross: their place, low and high end.
    """
    at = [tuple(map(float, axes.transData.transform(dot))) for dot in dots]
    # What is taken: one box for each dot, and those of the names.
    taken = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in at]
    for place, low, high in bars:
        (x, bottom), (_, top) = axes.transData.transform([(place, low), (place, high)])
        taken.append((x - 1, bottom, x + 1, top))
    frame = axes.get_window_extent()
    for (x, y), name in zip(at, names, strict=False):
        text = shortened(name, MAX_CHARACTERS)
        width = len(text) * _CHARACTER
        for dx, dy, anchor in _places(width):
            box = (x + dx, y + dy - _SIZE / 2, x + dx + width, y + dy + _SIZE / 2)
            inside = (
                frame.x0 <= box[0] and box[2] <= frame.x1 + 8 and frame.y0 <= box[1] and box[3] <= frame.y1
            )
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                start = x + dx + (width if anchor == "right" else width / 2 if anchor == "center" else 0.0)
                left, middle = axes.transData.inverted().transform((start, y + dy))
                axes.text(
                    left,
                    middle,
                    text,
                    fontsize=_SIZE,
                    color=INK,
                    ha=anchor,
                    va="center_baseline",
                    parse_math=False,
                )
                break


def _places(width: float) -> list[tuple[float, float, str]]:
    """Where a name may begin, from its dot: right, left, above, below, and the corners."""
    up = _GAP + _SIZE / 2
    return [
        (_GAP, 0.0, "left"),
        (-_GAP - width, 0.0, "right"),
        (-width / 2, up, "center"),
        (-width / 2, -up, "center"),
        (_GAP, up, "left"),
        (_GAP, -up, "left"),
        (-_GAP - width, up, "right"),
        (-_GAP - width, -up, "right"),
    ]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
