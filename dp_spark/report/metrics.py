"""The numbers of a run as metrics.json has them, and as a person reads them on a terminal."""

from collections.abc import Mapping, Sequence

import numpy as np

from dp_spark.counting.count import share_covered
from dp_spark.counting.summary import LFSummary
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.calibration import Calibration
from dp_spark.label_model.model import NO_INTERVAL, LabelModel
from dp_spark.labeling.lf_runs import LFRun
from dp_spark.report.comparison import Comparison
from dp_spark.report.scores_text import comparison_lines, score_lines
from dp_spark.texts import seconds_text

ASSUMED = "? an accuracy that is assumed: the votes do not tell it"

_ACCURACY_NAMES = {
    "majority_vote_accuracy": "all.majority_vote",
    "label_accuracy": "all.labels",
    "end_model_accuracy": "test.end_model",
}


def pipeline_metrics(
    counts: VoteCounts,
    label_model: LabelModel,
    lfs: Sequence[Mapping[str, object]],
    comparisons: Mapping[str, Comparison],
    seconds: Mapping[str, float],
    calibration: Calibration | None = None,
) -> dict[str, object]:
    """The content of metrics.json.

    Args:
        counts: of the label matrix.
        label_model: the fitted one.
        lfs: from `lf_rows`.
        comparisons: of all tables of labels, by the rows "all" and "test"; empty without gold labels.
        seconds: wall-clock seconds per stage.
        calibration: of the labels against the gold labels of evaluation; None without.
    """
    reports = {
        f"{part}.{name}": report
        for part, comparison in comparisons.items()
        for name, report in comparison.reports.items()
    }
    return {
        "num_data_points": counts.num_data_points,
        "num_lfs": counts.num_lfs,
        "share_covered": share_covered(counts),
        "label_model": label_model.model,
        "label_model_id": label_model.model_id,
        "label_model_choice": label_model.diagnostics.get("choice"),
        "label_model_calibration": label_model.diagnostics.get("calibration"),
        "label_calibration": calibration.to_dict() if calibration else None,
        **{name: reports[key].all.accuracy for name, key in _ACCURACY_NAMES.items() if key in reports},
        "lfs": list(lfs),
        "scores": {name: report.to_dict() for name, report in reports.items()},
        "comparison": comparisons["test"].to_dict() if "test" in comparisons else None,
        "warnings": list(label_model.warnings),
        "seconds": dict(seconds),
    }


def lf_rows(
    summary: LFSummary, runs: Sequence[LFRun], counts: VoteCounts, label_model: LabelModel
) -> list[dict[str, object]]:
    """Per LF: what it is, what it did, how it compares with gold and others, and what the label model makes of it.

    Args:
        summary: of the vote counts, with gold if there is some.
        runs: of the label matrix; may be empty if it was written without.
        counts: of the label matrix.
        label_model: the fitted one.
    """
    by_name = {run.name: run for run in runs if run.kind != "preprocessor"}
    rows: list[dict[str, object]] = []
    for i, row in enumerate(summary.rows):
        run = by_name.get(row.name)
        votes = map(int, counts.votes_per_class[i])
        rows.append(
            {
                "name": row.name,
                "kind": run.kind if run else None,
                "coverage": row.coverage,
                "overlaps": row.overlaps,
                "conflicts": row.conflicts,
                "votes": {str(c): v for c, v in zip(label_model.classes, votes, strict=True)},
                "num_errors": run.num_errors if run else None,
                "seconds": run.seconds if run else None,
                "share_of_time": run.share_of_time if run else None,
                "accuracy": float(label_model.accuracies[i]),
                "accuracy_interval": np.asarray(label_model.intervals)[i].tolist(),
                "weight": float(label_model.weights[i]),
                "empirical_accuracy": row.empirical_accuracy,
                "num_correct": row.correct,
                "num_incorrect": row.incorrect,
            }
        )
    return rows


def pipeline_text(metrics: Mapping[str, object], directory: str) -> str:
    """The metrics of a pipeline as a short text for a terminal."""
    lines = [f"{metrics['num_data_points']:,} data points, {metrics['num_lfs']} labeling functions", ""]
    titles = ("coverage", "conflicts", "accuracy", "on gold", "weight", "errors", "time")
    lines.append(f"{'labeling function':32s}" + "".join(f" {title:>9s}" for title in titles))
    lfs = _mappings(metrics["lfs"])
    lines += [_lf_line(row) for row in lfs]
    lines += [ASSUMED] if any(map(_is_assumed, lfs)) else []
    scores = metrics["scores"]
    if isinstance(scores, Mapping) and scores:
        lines += ["", *score_lines(scores)]
    comparison = metrics["comparison"]
    if isinstance(comparison, Mapping):
        lines += ["", *comparison_lines(comparison)]
    calibration = metrics["label_model_calibration"]
    if isinstance(calibration, Mapping) and calibration["num_gold"]:
        lines += ["", _calibration_line(calibration)]
    warnings = metrics["warnings"]
    if isinstance(warnings, list) and warnings:
        lines += ["", *(f"warning: {warning}" for warning in warnings)]
    return "\n".join([*lines, "", f"results are in {directory}; open its report.html"])


def _lf_line(row: Mapping[str, object]) -> str:
    seconds, gold = row["seconds"], row["empirical_accuracy"]
    shown = [
        f"{row['coverage']:.3f}",
        f"{row['conflicts']:.3f}",
        f"{row['accuracy']:.3f}{'?' if _is_assumed(row) else ''}",
        "-" if gold is None else f"{gold:.3f}",
        f"{row['weight']:.3f}",
        "-" if row["num_errors"] is None else f"{row['num_errors']:,}",
        "in Spark" if seconds is None else seconds_text(float(str(seconds))),
    ]
    return f"{row['name']:32s}" + "".join(f" {text:>9s}" for text in shown)


def _is_assumed(row: Mapping[str, object]) -> bool:
    return row["accuracy_interval"] == list(NO_INTERVAL)


def _calibration_line(calibration: Mapping[str, float]) -> str:
    rate = calibration["sample_rate"]
    return (
        f"labels on {calibration['num_gold']:,} rows with votes and gold that the fit was given: accuracy "
        f"{calibration['accuracy']:.4f}, mean confidence {calibration['mean_confidence']:.4f}, calibration error "
        f"{calibration['expected_calibration_error']:.4f}"
        + (f" (a sample, 1 of {1 / rate:.0f} vote patterns)" if rate < 1 else "")
    )


def _mappings(rows: object) -> list[Mapping[str, object]]:
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
