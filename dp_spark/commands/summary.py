"""The verb `summary`: a table of the labeling functions of a run, as far as the run has come."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from dp_spark.commands.outcome import Outcome
from dp_spark.report.metrics import ASSUMED
from dp_spark.report.vote_facts import LFFacts
from dp_spark.report.words import cut_in_middle, share_text
from dp_spark.reporting import lf_facts_of
from dp_spark.run import Run
from dp_spark.texts import seconds_text

NAME_WIDTH = 22  # characters; all columns together have at most 100
MAX_POLARITY = 10  # characters of the classes that an LF votes for
_MANY = 100_000  # from here on numbers are rounded

# How labeling functions can be sorted: what is least comes first; of what is not known, last.
SORTS: dict[str, Callable[[LFFacts], float | str]] = {
    "name": lambda lf: lf.name,
    "coverage": lambda lf: -lf.coverage,
    "overlaps": lambda lf: -lf.overlaps,
    "conflicts": lambda lf: -lf.conflicts,
    "accuracy": lambda lf: _or_last(lf.accuracy),
    "gold": lambda lf: _or_last(lf.empirical_accuracy),
    "weight": lambda lf: _or_last(lf.weight),
    "errors": lambda lf: -(lf.num_errors or 0),
    "time": lambda lf: -(lf.seconds or 0.0),
}


def summary(run: Run, sort: str = "") -> Outcome:
    """The table of labeling functions: counts, and what the label model and gold labels say, where they are there.

    Args:
        run: at least its label matrix and vote counts are there.
        sort: "name", "coverage", "overlaps", "conflicts", "errors" or "time" (the largest first), "accuracy", "gold" or
            "weight" (the smallest first); by default the order of the label matrix.

    Raises:
        MissingResultError: if there is no label matrix, or no vote counts of it.
        ValueError: if there is no such order.
    """
    if sort and sort not in SORTS:
        raise ValueError(f"sort is {sort!r}: expected one of {', '.join(SORTS)}, or nothing. Correct it.")
    lfs, num_data_points, notes = lf_facts_of(run)
    shown = sorted(lfs, key=SORTS[sort]) if sort else list(lfs)
    text = "\n".join(
        [
            f"{num_data_points:,} data points, {len(lfs)} labeling functions",
            "",
            *lf_table(shown),
            *([ASSUMED] if any(map(_is_assumed, lfs)) else []),
            *notes,
        ]
    )
    content = {"num_data_points": num_data_points, "lfs": [asdict(lf) for lf in shown], "notes": list(notes)}
    return Outcome(text, content)


def lf_table(lfs: Sequence[LFFacts]) -> list[str]:
    """The lines of a table of labeling functions, at most 100 characters wide."""
    titles = ("votes", "cover", "overl", "confl", "accuracy, 95%", "gold", "weight", "errors", "time")
    rows = [("labeling function", *titles), *(_row(lf) for lf in lfs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    ]


def _row(lf: LFFacts) -> tuple[str, ...]:
    classes = ",".join(lf.votes)
    interval = f" {lf.interval[0]:.2f}-{lf.interval[1]:.2f}" if lf.interval else ""
    assumed = "?" if _is_assumed(lf) else ""
    return (
        cut_in_middle(lf.name, NAME_WIDTH),
        "never" if not lf.votes else classes if len(classes) <= MAX_POLARITY else f"{len(lf.votes)} classes",
        *map(share_text, (lf.coverage, lf.overlaps, lf.conflicts)),
        "-" if lf.accuracy is None else f"{lf.accuracy:.2f}{assumed}{interval}",
        "-" if lf.empirical_accuracy is None else f"{lf.empirical_accuracy:.2f}",
        "-" if lf.weight is None else f"{lf.weight:.2f}",
        "-" if lf.num_errors is None else _number_text(lf.num_errors),
        "-" if lf.kind is None else "Spark" if lf.seconds is None else seconds_text(lf.seconds),
    )


def _is_assumed(lf: LFFacts) -> bool:
    return lf.accuracy is not None and not lf.interval


def _number_text(number: int) -> str:
    return f"{number:,}" if number < _MANY else f"{number / 1e6:.1f}M"


def _or_last(value: float | None) -> float:
    return float("inf") if value is None else value
