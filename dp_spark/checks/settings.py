"""Whether the parts of a configuration fit each other; needs neither Spark nor the table."""

import functools
from collections.abc import Callable

from dp_spark.config import PipelineConfig
from dp_spark.end_model.class_weights import refuse_other_class_weights
from dp_spark.errors import ConfigError
from dp_spark.label_model.assumptions import checked_balance, declared_pairs, prior_vector
from dp_spark.label_model.names import refuse_few_lfs, refuse_other_classes, refuse_unused
from dp_spark.labels.input_columns import InputColumns
from dp_spark.references import resolve_reference

Refusal = Callable[[], object]  # raises if something is wrong


def settings_refusals(config: PipelineConfig) -> dict[str, Refusal]:
    """What each part is refused for, if it does not fit the others; by the setting's name."""
    table, model, inputs = config.table, config.label_model, config.training_set
    k, training = config.labeling.classes.num_classes, config.end_model.settings()
    return {
        "table.key": lambda: _refuse_other_key(table.key),
        "label_model.class_balance": lambda: checked_balance(model.class_balance, k),
        "label_model.model": lambda: refuse_other_classes(model.model, k),
        "label_model": lambda: refuse_unused(model.model, model.prior_accuracies, model.dependencies),
        "training_set": lambda: InputColumns.of(inputs.features, inputs.text, inputs.categories),
        "end_model.class_weights": lambda: refuse_other_class_weights(training, k),
    }


def named_lfs_refusals(config: PipelineConfig, lf_names: list[str]) -> dict[str, Refusal]:
    """What settings that name labeling functions are refused for, if there are others; by the setting's name."""
    model = config.label_model
    return {
        "label_model.prior_accuracies": lambda: prior_vector(lf_names, model.prior_accuracies),
        "label_model.model": lambda: refuse_few_lfs(model.model, len(lf_names)),
        "label_model.dependencies": lambda: declared_pairs(lf_names, model.dependencies),
    }


def reference_refusals(config: PipelineConfig) -> dict[str, Refusal]:
    """What the end model's functions are refused for, if they are none; by the setting's name."""
    settings = config.end_model
    named = {"end_model.model": settings.model, "end_model.callbacks": settings.callbacks}
    return {
        setting: functools.partial(_refuse_no_function, reference, setting)
        for setting, reference in named.items()
        if reference in settings.settings().references
    }


def _refuse_no_function(reference: str, setting: str) -> None:
    found = resolve_reference(reference)
    if not callable(found):
        raise ConfigError(f"{setting}: {reference} is {found!r}: expected a function. Name one.")


def _refuse_other_key(key: list[str]) -> None:
    if len(set(key)) < len(key):
        raise ConfigError(f"table.key is {key}: expected the names of different columns. Leave one out.")
