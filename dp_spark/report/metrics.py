"""The numbers of a run as metrics.json has them, and as a person reads them on a terminal."""

from collections.abc import Mapping

from dp_spark.counting.count import share_covered
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import LabelModel
from dp_spark.report.evaluate import Report

_ACCURACY_NAMES = {
    "majority_vote_accuracy": "all.majority_vote",
    "label_accuracy": "all.labels",
    "end_model_accuracy": "test.end_model",
}


def pipeline_metrics(
    counts: VoteCounts, label_model: LabelModel, reports: Mapping[str, Report], seconds: Mapping[str, float]
) -> dict[str, object]:
    """The content of metrics.json.

    Args:
        counts: of the label matrix.
        label_model: the fitted one.
        reports: scores by "part.what", part being "all" or "test"; empty without gold labels.
        seconds: wall-clock seconds per stage.
    """
    return {
        "num_data_points": counts.num_data_points,
        "num_lfs": counts.num_lfs,
        "share_covered": share_covered(counts),
        "label_model": label_model.model,
        "label_model_id": label_model.model_id,
        **{name: reports[key].all.accuracy for name, key in _ACCURACY_NAMES.items() if key in reports},
        "lfs": lf_rows(counts, label_model),
        "scores": {name: report.to_dict() for name, report in reports.items()},
        "warnings": list(label_model.warnings),
        "seconds": dict(seconds),
    }


def lf_rows(counts: VoteCounts, label_model: LabelModel) -> list[dict[str, object]]:
    """Per LF: name, coverage, votes per class, estimated accuracy and weight."""
    return [
        {
            "name": name,
            "coverage": float(counts.coverage[i]),
            "votes": {
                str(c): int(v) for c, v in zip(label_model.classes, counts.votes_per_class[i], strict=True)
            },
            "accuracy": float(label_model.accuracies[i]),
            "weight": float(label_model.weights[i]),
        }
        for i, name in enumerate(counts.lf_names)
    ]


def pipeline_text(metrics: Mapping[str, object], directory: str) -> str:
    """The metrics of a pipeline as a short text for a terminal."""
    lines = [f"{metrics['num_data_points']:,} data points, {metrics['num_lfs']} labeling functions", ""]
    lines.append(f"{'labeling function':32s} {'coverage':>9s} {'accuracy':>9s} {'weight':>8s}")
    for row in _mappings(metrics["lfs"]):
        lines.append(f"{row['name']:32s} {row['coverage']:9.3f} {row['accuracy']:9.3f} {row['weight']:8.3f}")
    scores = metrics["scores"]
    if isinstance(scores, Mapping) and scores:
        lines += [
            "",
            f"{'scored against gold':32s} {'rows':>9s} {'accuracy':>9s} {'F1':>8s} {'log loss':>9s}",
        ]
        lines += [_score_line(name, report["all"]) for name, report in scores.items()]
    warnings = metrics["warnings"]
    if isinstance(warnings, list) and warnings:
        lines += ["", *(f"warning: {warning}" for warning in warnings)]
    return "\n".join([*lines, "", f"results are in {directory}"])


def _score_line(name: str, scores: Mapping[str, float | None]) -> str:
    part, _, what = name.partition(".")
    shown = [
        f"{scores[key]:.4f}" if scores[key] is not None else "-" for key in ("accuracy", "f1", "log_loss")
    ]
    title = f"{what.replace('_', ' ')} ({part} rows)"
    return f"{title:32s} {scores['num_data_points']:9,d} {shown[0]:>9s} {shown[1]:>8s} {shown[2]:>9s}"


def _mappings(rows: object) -> list[Mapping[str, object]]:
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
