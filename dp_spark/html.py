"""Small pieces of HTML for notebooks: escaped, bounded, readable on light and dark pages.

No scripts and no colours of its own for text, as classic notebooks, JupyterLab, VS Code and Databricks each have
their own style sheets and clean what they show.
"""

import html
from collections.abc import Mapping, Sequence

from dp_spark.texts import shortened

MAX_ROWS = 30  # of a table; a notebook holds many of them
MAX_TEXTS = 10  # of a list of sentences
MAX_CHARACTERS = 300  # of a cell
_LINE = "1px solid rgba(128, 128, 128, 0.35)"
_CELL = "padding: 2px 8px; white-space: nowrap; vertical-align: top; text-align:"


def escaped(value: object) -> str:
    """The value's text without anything that HTML would take for its own; cut if it is very long."""
    return html.escape(shortened(str(value), MAX_CHARACTERS))


def table(titles: Sequence[str], rows: Sequence[Sequence[object]], num_rows: int | None = None) -> str:
    """A table: the first column is a name, the others are numbers or short texts.

    Args:
        titles: of the columns.
        rows: cells; at most MAX_ROWS rows are shown.
        num_rows: how many rows there are in all; default: those given.
    """
    head = "".join(_cell("th", title, i) for i, title in enumerate(titles))
    shown = rows[:MAX_ROWS]
    lines = "".join(
        f"<tr>{''.join(_cell('td', cell, i) for i, cell in enumerate(row))}</tr>" for row in shown
    )
    left_out = (len(rows) if num_rows is None else num_rows) - len(shown)
    more = f'<div style="opacity: 0.7">and {left_out:,} more</div>' if left_out > 0 else ""
    style = "border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 4px 0"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{more}'


def texts(sentences: Sequence[str]) -> str:
    """A list of sentences, the first MAX_TEXTS of many; nothing without any."""
    if not sentences:
        return ""
    left_out = len(sentences) - MAX_TEXTS
    items = [escaped(sentence) for sentence in sentences[:MAX_TEXTS]]
    items += [f"and {left_out:,} more"] if left_out > 0 else []
    return f'<ul style="margin: 4px 0">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def card(title: str, facts: Mapping[str, object], *parts: str) -> str:
    """What a notebook shows of an object: its kind, some facts in one line, then tables and plots.

    Args:
        title: of the kind.
        facts: short values by name.
        parts: HTML.
    """
    line = " · ".join(f"{escaped(name)} <b>{escaped(value)}</b>" for name, value in facts.items())
    head = f'<div style="margin: 4px 0"><b>{escaped(title)}</b> · {line}</div>'
    return f'<div style="max-width: 100%; overflow-x: auto">{head}{"".join(parts)}</div>'


def beside(*parts: str) -> str:
    """Parts beside each other where there is room, else below each other."""
    cells = "".join(f"<div>{part}</div>" for part in parts if part)
    style = "display: flex; flex-wrap: wrap; gap: 4px 24px; align-items: flex-start"
    return f'<div style="{style}">{cells}</div>'


def number(value: float | None, digits: int = 3) -> str:
    """A number for a cell; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """A number and its interval for a cell."""
    if value is None or interval is None:
        return number(value)
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _cell(tag: str, value: object, position: int) -> str:
    side = "right" if position else "left"
    return f'<{tag} style="{_CELL} {side}; border-bottom: {_LINE}">{escaped(value)}</{tag}>'
