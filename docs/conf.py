"""How Sphinx builds the documentation: `make docs`. It needs no network, and a warning fails it."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

project = "dp_spark"
copyright = "the dp_spark authors"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "math_as_svg"]
exclude_patterns = ["_build"]
nitpicky = True
# Types of other projects, and parts of a labeling function that users do not make themselves, have no page.
nitpick_ignore_regex = [
    ("py:.*", r"(?!dp_spark\.).*"),
    ("py:class", r"dp_spark\.labeling\.(rules\.\w+|application\.Application|votes\.Classes)"),
    ("py:class", r"dp_spark\.config\.\w+"),
    ("py:class", r"dp_spark\.labeling\.(preprocessors\.Preprocessor|resources\.LoadedOnce)"),
]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3  # links to headings work as on GitHub
nb_execution_mode = "off"  # the notebook holds its outputs; a test runs it

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_math_renderer = "svg"
myst_update_mathjax = False

html_theme = "furo"
html_title = "dp_spark"
html_static_path = ["_static"]
html_css_files = ["words.css"]
html_copy_source = False
html_show_sphinx = False


def with_deploy_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Show deploy/README.md, which lies outside docs/, as the page `deploy`."""
    if name == "deploy":
        text = (ROOT / "deploy" / "README.md").read_text()
        source[0] = re.sub(r"\]\((?![a-z]+://|#)", "](../deploy/", text).replace("../deploy/../docs/", "")
    else:
        source[0] = source[0].replace("](../deploy/README.md", "](deploy.md")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", with_deploy_page)
