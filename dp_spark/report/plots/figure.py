"""One style for all plots, and figures as SVG that stands inline in a page.

Matplotlib writes CSS (`style` attributes and a style sheet for the whole page); here they become attributes of SVG,
which a content security policy does not forbid, which a page can override for dark screens, and which keep figures
on one page apart. Texts stay texts, in the page's font. The width is that of a
phone's column, so that texts are large enough there.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from xml.etree import ElementTree

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from dp_spark.plots import own_settings
from dp_spark.report.words import printable

INK, MUTED, GRID = "#1f2a37", "#667281", "#e3e7ec"
FIRST, SECOND, LIGHT, WARM = "#2f6690", "#d17a22", "#a9c2d6", "#b3402a"
PAPER = "#ffffff"

WIDTH = 340.0  # points
_POINTS_PER_INCH = 72
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_DROPPED_PROPERTIES = {"font-family", "font", "stroke-linejoin", "stroke-linecap", "stroke-miterlimit"}
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": ["DejaVu Sans"],
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "hatch.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 4,
    "ytick.major.pad": 4,
}


@dataclass(frozen=True)
class Plot:
    """A figure of the report.

    Attributes:
        name: of the figure; different ones on a page.
        title: what it shows, in a few words.
        caption: how to read it, and what to look for.
        svg: an SVG element.
    """

    name: str
    title: str
    caption: str
    svg: str


def in_style(name: str) -> AbstractContextManager[object]:
    """The settings of Matplotlib for a figure and its SVG, in the block; the same figure gives the same text.

    Args:
        name: of the figure; different ones on a page.
    """
    return own_settings({**_STYLE, "svg.hashsalt": name})


def new_figure(
    height: float,
    num_columns: int = 1,
    num_rows: int = 1,
    width_ratios: Sequence[float] | None = None,
    **spacing: float,
) -> tuple[Figure, list[Axes]]:
    """A figure of the common width, and its axes row by row.

    Args:
        height: in points.
        num_columns: of axes.
        num_rows: of axes.
        width_ratios: of the columns; the same for all by default.
        spacing: left, right, top and bottom in points; wspace and hspace as shares of an axes.
    """
    figure = Figure(figsize=(WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH), dpi=_POINTS_PER_INCH)
    FigureCanvasSVG(figure)
    grid = figure.subplots(num_rows, num_columns, squeeze=False, width_ratios=width_ratios)
    figure.subplots_adjust(
        left=spacing.get("left", 40) / WIDTH,
        right=1 - spacing.get("right", 10) / WIDTH,
        top=1 - spacing.get("top", 10) / height,
        bottom=spacing.get("bottom", 36) / height,
        wspace=spacing.get("wspace", 0.2),
        hspace=spacing.get("hspace", 0.2),
    )
    return figure, [axes for row in grid for axes in row]


def svg_of(figure: Figure, name: str, label: str, titles: Mapping[str, str]) -> str:
    """The figure as an SVG element to stand in HTML.

    Args:
        figure: made in the block of `in_style`, which still holds.
        name: of the figure; it keeps the ids of several on a page apart.
        label: what the figure shows, for people who do not see it.
        titles: tooltips by the gid of an artist.
    """
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        transparent=True,
        metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
    )
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 -- of our own making
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    _add_titles(root, titles)
    _use_attributes(root)
    _keep_used_ids(root, name)
    width, height = (root.attrib.pop(side) for side in ("width", "height"))
    root.attrib.pop("version", None)
    root.set("width", width.removesuffix("pt"))
    root.set("height", height.removesuffix("pt"))
    root.set("role", "img")
    root.set("aria-label", label)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _add_titles(root: ElementTree.Element, titles: Mapping[str, str]) -> None:
    for element in root.iter():
        text = titles.get(element.get("id", ""))
        if text is not None:
            title = ElementTree.Element(f"{{{_SVG}}}title")
            title.text = printable(text)
            element.insert(0, title)


def _use_attributes(root: ElementTree.Element) -> None:
    for element in root.iter():
        style = element.attrib.pop("style", "")
        for declaration in style.split(";"):
            name, _, value = (part.strip() for part in declaration.partition(":"))
            if name and name not in _DROPPED_PROPERTIES:
                element.set(name, value)


def _keep_used_ids(root: ElementTree.Element, name: str) -> None:
    """Only ids that something refers to stay, with the figure's name before them."""
    used = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == f"{{{_XLINK}}}href":
                used.add(value.removeprefix("#"))
                element.set(key, f"#{name}-{value.removeprefix('#')}")
            elif value.startswith("url(#"):
                used.add(value[5:-1])
                element.set(key, f"url(#{name}-{value[5:]}")
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own in used:
            element.set("id", f"{name}-{own}")
