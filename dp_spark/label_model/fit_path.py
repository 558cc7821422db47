"""What the fit of a label model noted on its way, from its diagnostics."""

from collections.abc import Iterator, Mapping

from dp_spark.label_model.model import LabelModel

Step = tuple[int, float]


def fit_path(model: LabelModel) -> dict[str, tuple[Step, ...]]:
    """What the fit noted by step, (step, value) pairs by name: "loss", or "largest_change" of a probability.

    Of a model that chose a vote count, the path of the fit that it rejected; nothing of models without steps.
    """
    for diagnostics in (model.diagnostics, model.diagnostics.get("rejected_fit")):
        path = diagnostics.get("path") if isinstance(diagnostics, Mapping) else None
        if isinstance(path, Mapping):
            return {str(name): tuple(_steps(steps)) for name, steps in path.items()}
    return {}


def _steps(pairs: object) -> Iterator[Step]:
    for step, value in pairs if isinstance(pairs, list) else ():
        yield int(step), float(value)
