"""How scores, comparisons and trials show themselves in notebooks and on terminals."""

import html
from typing import TYPE_CHECKING

import numpy as np

from dp_spark.html import beside, card, number, table, texts, with_interval
from dp_spark.plots import calibration_curve, matrix

if TYPE_CHECKING:
    from dp_spark.report.comparison import Comparison
    from dp_spark.report.scores import Report, Scores
    from dp_spark.report.trial import Trial

_PARTS = ("all", "covered", "uncovered")
_SCORES = ["rows", "accuracy", "F1", "log loss", "calibration error"]
_MAX_TRIAL_ROWS = 50


def report_text(report: "Report") -> str:
    """The report in a line."""
    scores = report.all
    accuracy = with_interval(scores.accuracy, scores.intervals.get("accuracy"))
    return f"Report({scores.num_data_points:,} rows with gold, accuracy {accuracy}, F1 {number(_f1(scores))})"


def report_html(report: "Report") -> str:
    """Scores of all, covered and uncovered rows, each class by itself, and the confusion of classes."""
    parts = {part: getattr(report, part) for part in _PARTS}
    rows = [(part, *_cells(scores)) for part, scores in parts.items() if scores is not None]
    facts = {
        "rows with gold": f"{report.all.num_data_points:,}",
        "without": f"{report.num_without_gold:,}",
    }
    classes = [
        (str(c.vote), f"{c.num_data_points:,}", number(c.precision), number(c.recall), number(c.f1))
        for c in report.all.classes
    ]
    listed = table(["rows", *_SCORES], rows) + table(["class", "rows", "precision", "recall", "F1"], classes)
    return card("Report", facts, beside(listed, _calibration(report.all), _confusion(report.all)))


def comparison_text(comparison: "Comparison") -> str:
    """The comparison in a line."""
    return f"Comparison({comparison.subject}: {comparison.verdict})"


def comparison_html(comparison: "Comparison") -> str:
    """The scores of every table of labels, the subject's differences to the others, and the verdict."""
    scores = table(
        ["all rows", *_SCORES],
        [(_named(name), *_cells(report.all)) for name, report in comparison.reports.items()],
    )
    differences = table(
        [f"{_named(comparison.subject)} minus", "rows", "", "accuracy", "log loss"],
        [
            (
                _named(d.minus),
                d.part,
                f"{d.num_data_points:,}",
                with_interval(d.accuracy, d.accuracy_interval),
                with_interval(d.log_loss, d.log_loss_interval),
            )
            for d in comparison.differences
        ],
    )
    facts = {"subject": _named(comparison.subject)}
    return card("Comparison", facts, beside(scores, differences), texts([comparison.verdict]))


def trial_html(trial: "Trial") -> str:
    """Votes beside the rows, the summary, and what there is to mend."""
    rows = trial.rows.to_html(max_rows=_MAX_TRIAL_ROWS)
    problems = "\n".join(text for found in trial.problems.values() for text in found)
    mend = f'<pre style="white-space: pre-wrap">{html.escape(problems)}</pre>' if problems else ""
    return f"{rows}{trial.summary._repr_html_()}{mend}"


def _cells(scores: "Scores") -> list[str]:
    return [
        f"{scores.num_data_points:,}",
        with_interval(scores.accuracy, scores.intervals.get("accuracy")),
        number(_f1(scores)),
        with_interval(scores.log_loss, scores.intervals.get("log_loss")),
        number(scores.expected_calibration_error),
    ]


def _f1(scores: "Scores") -> float | None:
    return scores.macro_f1 if scores.num_positive is None else scores.f1


def _calibration(scores: "Scores") -> str:
    """How often rows are right by how sure their labels are."""
    if not scores.calibration:
        return ""
    confidence, correct, _ = zip(*scores.calibration, strict=True)
    return calibration_curve("calibration", confidence, correct, 1 / len(scores.classes))


def _confusion(scores: "Scores") -> str:
    """Of each gold class, the shares that are predicted as each class."""
    counts = np.array(scores.confusion, dtype=np.float64)
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.full_like(counts, np.nan), where=rows > 0)
    names = [str(c.vote) for c in scores.classes]
    return matrix("share of each gold class", names, shares, ("gold", "predicted"))


def _named(name: str) -> str:
    return name.replace("_", " ")
