"""Applies an end model to a handful of rows in plain Python: no Spark, no files."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dp_spark.end_model.artifact import EndModel
from dp_spark.end_model.probabilities import Probabilities, probability_function
from dp_spark.end_model.rows import Part
from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import InputColumns

Row = Mapping[str, object]


def predict_rows(rows: Sequence[Row], end_model: EndModel) -> Probabilities:
    """(n, k) probabilities of the classes, in their order; for two classes the columns are -1 and +1.

    Loads TensorFlow, and the model once per process. For a table use `predict`.

    Args:
        rows: each with a value for every column that the model was trained on; others are ignored.
        end_model: the model.

    Raises:
        SchemaError: naming column, row and value, if one is missing or not of the kind that training saw.
    """
    columns = end_model.columns
    made: dict[str, Part] = {
        "features": np.zeros((len(rows), columns.num_features), np.float32),
        "text": np.full((len(rows), 1), "", np.object_),
        "categories": np.full((len(rows), len(columns.categories)), "", np.object_),
    }
    for position, row in enumerate(rows):
        made["features"][position] = _vector(row, position, columns)
        if columns.text:
            made["text"][position] = _text(row, position, columns.text)
        made["categories"][position] = [_category(row, position, name) for name in columns.categories]
    return probability_function(end_model)({part: made[part] for part in columns.parts})


def _vector(row: Row, position: int, columns: InputColumns) -> list[float]:
    vector: list[float] = []
    for name, width in zip(columns.features, columns.feature_widths, strict=True):
        value = _value(row, position, name)
        values = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
        numbers = [_number(number) for number in values]
        if len(numbers) != width or not all(map(math.isfinite, numbers)):
            expected = "a finite number" if width == 1 else f"{width} finite numbers"
            raise _wrong(name, value, position, expected)
        vector += numbers
    return vector


def _number(value: object) -> float:
    """NaN for what is no number."""
    return float(value) if isinstance(value, (bool, int, float, np.number, np.bool_)) else math.nan


def _text(row: Row, position: int, name: str) -> str:
    value = _value(row, position, name)
    if not isinstance(value, str):
        raise _wrong(name, value, position, "a string")
    return value


def _category(row: Row, position: int, name: str) -> str:
    """A category as Spark writes it when it makes a string of it."""
    value = _value(row, position, name)
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if not isinstance(value, (str, int, np.integer)):
        raise _wrong(name, value, position, "a string, a boolean or an integer")
    return str(value)


def _value(row: Row, position: int, name: str) -> object:
    if name not in row:
        raise SchemaError(
            f"row {position} has no column {name!r}: expected one, as the model was trained on it. It has "
            f"{sorted(row)}."
        )
    return row[name]


def _wrong(name: str, value: object, position: int, expected: str) -> SchemaError:
    return SchemaError(
        f"the column {name!r} is {value!r} in row {position}: expected {expected}, as in training. Correct the "
        "row, or leave it out."
    )
