"""Names beside dots, where they hide neither dots nor each other."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from dp_spark.report.plots.figure import INK
from dp_spark.report.words import cut_in_middle

MAX_CHARACTERS = 22
_SIZE = 7.5  # points
_CHARACTER = 0.6 * _SIZE  # the width of one, on average
_GAP = 5.0  # between a dot and its name
_APART = 5.0  # between two names on a line, which else read as one
_DOT = 4.0  # half the width of a dot
_MARGIN = 8.0  # beyond the axes that a name may reach at the right

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
    # What is taken: one box for each dot and bar, and those of the names.
    taken = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in at]
    for place, low, high in bars:
        (x, bottom), (_, top) = axes.transData.transform([(place, low), (place, high)])
        taken.append((x - 1, bottom, x + 1, top))
    frame = axes.get_window_extent()
    for (x, y), name in zip(at, names, strict=False):
        text = cut_in_middle(name, MAX_CHARACTERS)
        width = len(text) * _CHARACTER
        places = [(x + dx, y + dy, x + dx + width, y + dy + _SIZE) for dx, dy in _places(width)]
        free = [
            box for box in places if _is_inside(box, frame) and not any(_meet(box, other) for other in taken)
        ]
        if free:
            left, bottom, right, top = free[0]
            taken.append((left - _APART, bottom - 1, right + _APART, top + 1))
            _write(axes, text, free[0], x)


def _write(axes: Axes, text: str, box: Box, dot: float) -> None:
    """Write a text into a box, against the side that is nearer to its dot."""
    left, bottom, right, top = box
    anchor, start = (
        ("left", left) if left > dot else ("right", right) if right < dot else ("center", (left + right) / 2)
    )
    x, y = axes.transData.inverted().transform((start, (bottom + top) / 2))
    axes.text(x, y, text, fontsize=_SIZE, color=INK, ha=anchor, va="center_baseline", parse_math=False)


def _is_inside(box: Box, frame: Bbox) -> bool:
    left, bottom, right, top = box
    return bool(frame.x0 <= left and right <= frame.x1 + _MARGIN and frame.y0 <= bottom and top <= frame.y1)


def _places(width: float) -> list[tuple[float, float]]:
    """Where the box of a name may begin, from its dot: right, left, above, below, and the corners."""
    middle, up, down = -_SIZE / 2, _GAP, -_GAP - _SIZE
    across = [(_GAP, middle), (-_GAP - width, middle), (-width / 2, up), (-width / 2, down)]
    return across + [(x, y) for x in (_GAP, -_GAP - width) for y in (up, down)]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
