"""A Sphinx extension: formulas as SVG inside the page, drawn by matplotlib. No script, no network, no LaTeX."""

import html
import io
import re

from docutils import nodes
from matplotlib import rc_context
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

SIMPLER = {r"\tfrac": r"\frac", r"\Big": "", r"\big": ""}  # what matplotlib does not know
POINTS = 12  # as the text around
COLOR = "#123456"  # stands for the text's own, which is another on dark pages


def svg(formula: str) -> str:
    """The formula, with its baseline on that of the text around.

    Raises:
        ValueError: if matplotlib cannot draw it.
    """
    drawn = formula.strip()
    for name, simpler in SIMPLER.items():
        drawn = re.sub(re.escape(name) + r"(?![A-Za-z])", lambda _, text=simpler: text, drawn)
    content = io.StringIO()
    with rc_context({"svg.hashsalt": "formula", "mathtext.fontset": "dejavusans"}):
        depth = math_to_image(
            f"${drawn}$", content, prop=FontProperties(size=POINTS), dpi=72, format="svg", color=COLOR
        )
    image = content.getvalue()
    image = re.sub(r"<metadata>.*?</metadata>", "", image[image.index("<svg") :], flags=re.DOTALL)
    image = image.replace(COLOR, "currentColor")
    label = html.escape(formula.strip(), quote=True)
    return image.replace(
        "<svg", f'<svg role="img" aria-label="{label}" style="vertical-align: {-depth:.1f}pt"', 1
    )


def _inline(page: HTML5Translator, node: nodes.math) -> None:
    page.body.append(svg(node.astext()))
    raise nodes.SkipNode


def _block(page: HTML5Translator, node: nodes.math_block) -> None:
    page.body.append(f'<div class="formula">{svg(node.astext())}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("svg", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
