"""The report as one HTML page: a template that escapes all it is given, and plots as SVG.

The page holds no script and loads nothing, and says so to the browser (Content-Security-Policy), so that names
of labeling functions or values of rows can do nothing but be read.
"""

import logging
from dataclasses import dataclass
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dp_spark.report.plots.agreement_plots import agreement_dots, overlap_matrix, unexplained_pairs
from dp_spark.report.plots.drift_plots import drift_panels
from dp_spark.report.plots.figure import Plot
from dp_spark.report.plots.gold_plots import calibration_dots, confusion_matrix, score_name, score_rows
from dp_spark.report.plots.label_plots import class_bars, label_histogram
from dp_spark.report.plots.lf_plots import accuracy_dots, accuracy_rows
from dp_spark.report.plots.training_plots import training_curves
from dp_spark.report.run_facts import RunFacts
from dp_spark.report.words import printable, share_text

logger = logging.getLogger(__name__)

TEMPLATE = "report.html.jinja"
MAX_TABLE_ROWS = 1_000  # labeling functions in the table at the end; report.json has all
MAX_NAME_CHARACTERS = 200  # of a labeling function in that table
CONFUSIONS = ("test.end_model", "all.labels")  # the first that is there is shown


@dataclass(frozen=True)
class Section:
    """Plots on one subject.

    Attributes:
        title: of the subject.
        plots: of it; those that could be drawn.
        notes: what could not be drawn, and why.
    """

    title: str
    plots: tuple[Plot, ...]
    notes: tuple[str, ...]


def render(facts: RunFacts) -> str:
    """The page.

    Args:
        facts: all numbers.
    """
    environment = Environment(
        loader=PackageLoader("dp_spark.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        share=share_text,
        clean=_clean,
        clean_long=printable,
        percent=_percent,
        number=_number,
        svg=Markup,
        score_name=score_name,
    )
    sections = (_lf_section(facts), _label_section(facts), _end_section(facts))
    return environment.get_template(TEMPLATE).render(
        facts=facts,
        title=printable(facts.subject.table.rstrip("/").rpartition("/")[2] or facts.subject.table),
        sections=[section for section in sections if section.plots],
        notes=[*facts.notes, *(note for section in sections for note in section.notes)],
        lfs=facts.lfs[:MAX_TABLE_ROWS],
        has_gold=any(lf.num_judged for lf in facts.lfs),
    )


def _lf_section(facts: RunFacts) -> Section:
    return _section(
        "Labeling functions",
        partial(accuracy_rows, facts.lfs),
        partial(accuracy_dots, facts.lfs),
        partial(overlap_matrix, facts.agreement, facts.subject.num_data_points, len(facts.lfs)),
        partial(agreement_dots, facts.agreement),
        partial(unexplained_pairs, facts.agreement),
    )


def _label_section(facts: RunFacts) -> Section:
    classes, labels, calibration = facts.subject.classes, facts.labels, facts.calibration
    shown = next((name for name in CONFUSIONS if name in facts.scores), None)
    return _section(
        "Labels",
        partial(label_histogram, labels, classes) if labels else None,
        partial(class_bars, labels) if labels else None,
        partial(score_rows, facts.scores),
        partial(calibration_dots, calibration, len(classes), facts.is_calibrated_on_fit)
        if calibration
        else None,
        partial(confusion_matrix, facts.scores[shown].all, classes, shown) if shown else None,
    )


def _end_section(facts: RunFacts) -> Section:
    drift = _section("parts of the table", partial(drift_panels, facts.drift) if facts.drift else None)
    training = _section("training", partial(training_curves, facts.training))
    titles = [section.title for section in (drift, training) if section.plots]
    plots, notes = drift.plots + training.plots, drift.notes + training.notes
    return Section(" and ".join(titles).capitalize(), plots, notes)


def _section(title: str, *drawings: partial[Plot] | partial[Plot | None] | None) -> Section:
    plots: list[Plot] = []
    notes: list[str] = []
    for drawing in (drawing for drawing in drawings if drawing):
        try:
            plots += filter(None, [drawing()])
        except (
            Exception
        ) as problem:  # whatever it is: the results are complete, and the numbers are in the page
            name = drawing.func.__name__.replace("_", " ")
            logger.warning("left a plot out of the report: %s", name, exc_info=True)
            notes.append(f"The plot of {name} could not be drawn: {type(problem).__name__}: {problem}")
    return Section(title, tuple(plots), tuple(notes))


def _clean(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= MAX_NAME_CHARACTERS else f"{shown[:MAX_NAME_CHARACTERS]}…"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
