"""Scores and differences of a run as tables for a terminal."""

from collections.abc import Mapping, Sequence

_PARTS = ("covered", "uncovered")


def score_lines(scores: Mapping[str, Mapping[str, Mapping[str, object]]]) -> list[str]:
    """One line per table of labels, and of the test rows one more for covered and uncovered ones.

    Args:
        scores: of metrics.json.
    """
    lines = [
        f"{'scored against gold':40s} {'rows':>9s} {'accuracy, 95% interval':>25s} {'F1':>8s} {'log loss':>9s}"
    ]
    for name, report in scores.items():
        rows, _, what = name.partition(".")
        title = what.replace("_", " ")
        lines.append(_score_line(f"{title} ({rows} rows)", report["all"]))
        parts = [part for part in _PARTS if report.get(part) and rows == "test"]
        lines += [_score_line(f"  {part}", report[part]) for part in parts]
    return [
        *lines,
        "Ties, and rows without a vote, count as 1/k of a right label; k is the number of classes.",
    ]


def comparison_lines(comparison: Mapping[str, object]) -> list[str]:
    """One line per difference, and the verdict.

    Args:
        comparison: of metrics.json.
    """
    subject = str(comparison["subject"]).replace("_", " ")
    lines = [
        f"{subject + ' (test rows) minus':40s} {'rows':>9s} {'accuracy, 95% interval':>27s} "
        f"{'log loss, 95% interval':>27s}"
    ]
    differences = comparison["differences"]
    for difference in differences if isinstance(differences, Sequence) else ():
        title = f"{str(difference['minus']).replace('_', ' ')}, {difference['part']} rows"
        accuracy, log_loss = (
            _number(difference[name], difference[f"{name}_interval"], "+.4f")
            for name in ("accuracy", "log_loss")
        )
        lines.append(f"{title:40s} {difference['num_data_points']:9,d} {accuracy:>27s} {log_loss:>27s}")
    verdict = str(comparison["verdict"])
    return [*lines, verdict[0].upper() + verdict[1:]]


def _score_line(title: str, scores: Mapping[str, object]) -> str:
    intervals = scores["intervals"]
    interval = intervals.get("accuracy") if isinstance(intervals, Mapping) else None
    accuracy = _number(scores["accuracy"], interval, ".4f")
    f1 = scores["macro_f1"] if scores["num_positive"] is None else scores["f1"]
    shown = f"{_number(f1, None, '.4f'):>8s} {_number(scores['log_loss'], None, '.4f'):>9s}"
    return f"{title:40s} {scores['num_data_points']:9,d} {accuracy:>25s} {shown}"


def _number(value: object, interval: object, style: str) -> str:
    """0.9440 (0.9160 to 0.9680); the interval only if there is one."""
    if not isinstance(value, float):
        return "-"
    if not isinstance(interval, Sequence):
        return f"{value:{style}}"
    low, high = interval
    return f"{value:{style}} ({low:{style}} to {high:{style}})"
