"""How label models show themselves in notebooks and on terminals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dp_spark.html import MAX_ROWS, beside, card, number, table, texts, with_interval
from dp_spark.plots import calibration_curve, dots

if TYPE_CHECKING:
    from dp_spark.label_model.model import LabelModel, Vector

_MAX_CLASSES = 6  # whose balance is shown


def label_model_text(model: "LabelModel") -> str:
    """The label model in a line."""
    warned = f", {len(model.warnings)} warnings" if model.warnings else ""
    low, high = float(model.accuracies.min()), float(model.accuracies.max())
    return (
        f"LabelModel({model.model}, m={len(model.lf_names)}, k={model.num_classes}, accuracies {low:.2f} to "
        f"{high:.2f}, id={model.model_id}{warned})"
    )


def label_model_html(model: "LabelModel") -> str:
    """Accuracies with intervals, the dots as large as the coverage; what the fit warns of; calibration on gold."""
    coverage, intervals = coverage_of(model), np.asarray(model.intervals)
    rows = [
        (
            name,
            with_interval(float(model.accuracies[i]), intervals[i].tolist()),
            number(float(model.weights[i])),
            number(None if coverage is None else float(coverage[i])),
        )
        for i, name in enumerate(model.lf_names[:MAX_ROWS])
    ]
    listed = table(["LF", "accuracy, 95% interval", "weight", "coverage"], rows, len(model.lf_names))
    title = "estimated accuracy, 95% interval" + ("" if coverage is None else "; dots: coverage")
    drawn = dots(title, model.lf_names, model.accuracies, intervals, 1 / model.num_classes, coverage)
    return card(
        "LabelModel", _facts(model), beside(listed, drawn, _calibration(model)), texts(model.warnings)
    )


def coverage_of(model: "LabelModel") -> "Vector | None":
    """The share of data points that each LF votes on, (m,), if the fit noted it."""
    found = model.diagnostics.get("coverage")
    return np.array(found, dtype=np.float64) if isinstance(found, Sequence) else None


def _facts(model: "LabelModel") -> dict[str, object]:
    balance = [
        f"P({c:+d}) = {p:.3f}" if model.num_classes == 2 else f"P({c}) = {p:.3f}"
        for c, p in zip(model.classes, model.class_balance.tolist(), strict=True)
    ]
    more = ["…"] if len(balance) > _MAX_CLASSES else []
    shown = balance[1:] if model.num_classes == 2 else [*balance[:_MAX_CLASSES], *more]
    return {
        "model": model.model,
        "fit": model.diagnostics.get("status", "–"),
        "labeling functions": len(model.lf_names),
        "class balance": ", ".join(shown),
        "id": model.model_id,
    }


def _calibration(model: "LabelModel") -> str:
    """The calibration on the gold labels that the fit was given; nothing without."""
    found = model.diagnostics.get("calibration")
    bins = found.get("bins") if isinstance(found, Mapping) else None
    filled = [b for b in bins or () if b["num_gold"]]
    if not filled:
        return ""
    confidence = [b["mean_confidence"] for b in filled]
    correct = [b["share_correct"] for b in filled]
    return calibration_curve("calibration on gold labels", confidence, correct, 1 / model.num_classes)
