"""How end models show themselves in notebooks and on terminals; the Keras file is not loaded for it."""

from typing import TYPE_CHECKING

from dp_spark.html import beside, card, number, table
from dp_spark.plots import curves

if TYPE_CHECKING:
    from dp_spark.end_model.artifact import EndModel, History

_DIGEST_CHARACTERS = 16
_MAX_COLUMNS = 8  # whose names are shown


def end_model_text(model: "EndModel") -> str:
    """The end model in a line."""
    loss = model.history[-1].get("loss") if model.history else None
    return (
        f"EndModel({model.settings.model}, {model.inputs.kind}, k={len(model.classes)}, "
        f"{len(model.history)} epochs, loss={number(loss, 4)}, digest={model.digest[:_DIGEST_CHARACTERS]})"
    )


def end_model_html(model: "EndModel") -> str:
    """What it was trained on, how, and its losses by epoch."""
    settings = model.settings
    facts = {
        "model": settings.model,
        "inputs": _columns(model),
        "classes": ", ".join(model.class_names or map(str, model.classes)),
        "size": f"{len(model.model_bytes) / 1e6:.1f} MB",
        "digest": model.digest[:_DIGEST_CHARACTERS],
        "label model": model.label_model_id or "–",
    }
    trained = {
        "epochs": f"{len(model.history)} of {settings.num_epochs}",
        "batch size": settings.batch_size,
        "learning rate": f"{settings.learning_rate:g}, {settings.schedule}",
        "l2": f"{settings.l2:g}",
        "workers": settings.num_workers,
        "seed": settings.seed,
        **{name: number(value, 4) for name, value in _last(model.history).items()},
    }
    return card(
        "EndModel", facts, beside(table(["training", ""], list(trained.items())), _curves(model.history))
    )


def _columns(model: "EndModel") -> str:
    columns = model.columns
    names = [*columns.features, *([columns.text] if columns.text else []), *columns.categories]
    more = f" and {len(names) - _MAX_COLUMNS} more" if len(names) > _MAX_COLUMNS else ""
    return ", ".join(names[:_MAX_COLUMNS]) + more


def _last(history: "History") -> dict[str, float]:
    """The metrics of the last epoch; its learning rate is that of the schedule's end."""
    last = history[-1] if history else {}
    return {name.replace("_", " "): value for name, value in last.items() if name != "learning_rate"}


def _curves(history: "History") -> str:
    """The training loss and, if rows were held out, the validation loss."""
    series = {}
    for name in ("loss", "validation_loss"):
        points = [(float(epoch), m[name]) for epoch, m in enumerate(history, start=1) if name in m]
        if points:
            series[name.replace("_", " ")] = ([x for x, _ in points], [y for _, y in points])
    return curves("loss", "epoch", series) if series else ""
