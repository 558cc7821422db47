"""Where progress is shown: nowhere unless asked, a bar on a terminal or in a notebook, else a line in the log."""

import importlib.util
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol, TextIO

from tqdm.std import tqdm

from dp_spark.progress.snapshot import Snapshot
from dp_spark.texts import shortened

logger = logging.getLogger("dp_spark.progress")

Kind = Literal["auto", "bar", "lines", "none"]
KINDS: tuple[Kind, ...] = ("auto", "bar", "lines", "none")
SECONDS_BETWEEN_LINES = 10.0

_SHORT_SECONDS = 1.0  # what is done sooner is not shown
_COLUMNS = 80
_MIN_TITLE, _MIN_BAR = 12, 14  # characters, with the bar's edges


class Display(Protocol):
    """What shows snapshots."""

    is_bar: bool

    def show(self, snapshot: Snapshot) -> None:
        """Show how far something is."""

    def close(self) -> None:
        """Take away what is shown."""


class _Chosen:
    """What `show_progress` has chosen, for the process."""

    kind: Kind = "none"


def show_progress(kind: Kind = "auto") -> None:
    """Show from now on how far long work on Spark is; nothing is shown unless this is called.

    Args:
        kind: "bar": on a terminal or in a notebook; "lines": a line in the log every ten seconds, of the logger
            `dp_spark.progress`; "auto": a bar where there is a terminal or a notebook, else lines; "none".

    Raises:
        ValueError: if it is none of these.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: expected one of {', '.join(KINDS)}. Correct it.")
    has_screen = in_notebook() or sys.stderr.isatty()
    _Chosen.kind = ("bar" if has_screen else "lines") if kind == "auto" else kind


def shown_kind() -> Kind:
    """How progress is shown now."""
    return _Chosen.kind


def new_display() -> Display | None:
    """A display of the chosen kind, or None if progress is not shown."""
    if _Chosen.kind == "none":
        return None
    return Bar() if _Chosen.kind == "bar" else Lines()


class Lines:
    """A line in the log every ten seconds."""

    is_bar = False

    def __init__(self) -> None:
        self._last = time.monotonic()

    def show(self, snapshot: Snapshot) -> None:
        """Log how far something is, if the last line is old enough."""
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES and snapshot.seconds >= _SHORT_SECONDS:
            self._last = now
            logger.info("%s", snapshot.line, extra={"fields": snapshot.fields})

    def close(self) -> None:
        """Nothing is left to take away."""


class Bar:
    """A bar that comes after a second, and goes when the work is done."""

    is_bar = True

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Draw how far something is."""
        if self._bar is None:
            if snapshot.seconds < _SHORT_SECONDS:
                return
            self._bar = _new_bar()
        if snapshot.num_parts and snapshot.num_parts != self._bar.total:
            self._bar.reset(snapshot.num_parts)  # widgets hear of another total only so
        self._bar.total, self._bar.n = snapshot.num_parts or None, snapshot.num_done
        numbers = snapshot.text.replace("{", "{{").replace("}", "}}")
        self._bar.bar_format = "{desc} |{bar}| " + numbers if snapshot.num_parts else "{desc}, " + numbers
        num_columns = _num_columns()
        if type(self._bar) is tqdm:
            self._bar.ncols = num_columns
        room = max(_MIN_TITLE, num_columns - len(snapshot.text) - _MIN_BAR)
        self._bar.set_description_str(shortened(snapshot.title, room), refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config


@contextmanager
def beside_bars(stream: TextIO) -> Iterator[None]:
    """Write to a terminal in the block: bars on it step aside."""
    with tqdm.external_write_mode(file=stream):
        yield


def _new_bar() -> "tqdm[None]":
    tqdm.monitor_interval = 0  # its thread would look after bars that are seldom refreshed; ours are not
    has_widgets = in_notebook() and importlib.util.find_spec("ipywidgets") is not None
    kind = importlib.import_module("tqdm.notebook").tqdm if has_widgets else tqdm
    bar: tqdm[None] = kind(total=1, leave=False, mininterval=0, file=sys.stderr)
    return bar


def _num_columns() -> int:
    """The width of the terminal; tqdm shows nothing on one that does not say."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
    except (OSError, ValueError):  # a notebook's stderr has no file
        return _COLUMNS
