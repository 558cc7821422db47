"""Labeling functions that ask a pre-trained model: its score, and two thresholds.

The model is loaded once per Python worker and asked for whole batches: anything with `predict_proba` or
`predict` (scikit-learn, Keras), or with a function of yours that says how to ask it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dp_spark.labeling.answers import IllegalVectorError
from dp_spark.labeling.column_lfs import refuse_bad_thresholds
from dp_spark.labeling.labeling_function import LabelingFunction, content_hash
from dp_spark.labeling.resources import LoadedOnce
from dp_spark.labeling.rules import BatchRule
from dp_spark.labeling.vote import vote

Predict = Callable[[object, object], object]


def model_lf(
    name: str,
    model: LoadedOnce,
    columns: Sequence[str],
    *,
    positive_from: float | None = None,
    negative_to: float | None = None,
    class_from: float | None = None,
    predict: Predict | None = None,
    max_errors: int | float | None = None,
    timeout_seconds: float | None = None,
) -> LabelingFunction:
    """A labeling function that votes where a model is sure.

    Args:
        name: of the labeling function.
        model: `loaded_once(load)` or `loaded_once(load, file="model.joblib")`.
        columns: what the model sees. One column: its values, as a NumPy array (of objects if they are no
            numbers, two-dimensional if they are arrays of numbers). Several: a float64 array (rows, columns).
        positive_from: for two classes: the lowest score of POSITIVE.
        negative_to: for two classes: the highest score of NEGATIVE; between the two it abstains.
        class_from: for k classes: the class with the highest score, if that is at least `class_from`.
        predict: takes the model and that array; returns scores (rows,), or (rows, k) with one column per class.
            Default: `model.predict_proba` if there is one (of two columns the second), else `model.predict`.
        max_errors: on how many data points (an integer), or what share of them (a float below 1), it may fail.
        timeout_seconds: how long it may take for one batch, and to load the model.

    Raises:
        ValueError: if the model is not `loaded_once`, or thresholds are missing or overlap.
    """
    if not isinstance(model, LoadedOnce) or not columns or isinstance(columns, str):
        raise ValueError(
            f"labeling function {name!r} has the model {model!r} and the columns {columns!r}: expected "
            'loaded_once(load) and a list of columns, such as ["text"].'
        )
    if class_from is None:
        refuse_bad_thresholds(name, positive_from, negative_to)
    elif positive_from is not None or negative_to is not None:
        raise ValueError(
            f"labeling function {name!r} has class_from and positive_from or negative_to: expected thresholds "
            "for two classes, or one for k classes."
        )
    settings = {
        "columns": tuple(columns),
        "predict": predict,
        "thresholds": (positive_from, negative_to, class_from),
    }
    return LabelingFunction(
        name=name,
        kind="model",
        rule=BatchRule(_ask, "arrow"),
        resources={"model": model, **settings},
        columns=tuple(columns),
        content_hash=content_hash("model", {"model": model, **settings}),
        max_errors=max_errors,
        timeout_seconds=timeout_seconds,
    )


def _ask(
    batch: pa.RecordBatch,
    model: object,
    columns: tuple[str, ...],
    predict: Predict | None,
    thresholds: tuple[float | None, float | None, float | None],
) -> object:
    positive_from, negative_to, class_from = thresholds
    scores = np.asarray((predict or _predict)(model, _inputs(batch, columns)))
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if class_from is None and scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1]
    expected = 1 if class_from is None else 2
    if scores.ndim != expected or len(scores) != batch.num_rows:
        shape = "(rows,)" if class_from is None else "(rows, classes)"
        raise IllegalVectorError(
            f"got scores of shape {scores.shape} from its model for {batch.num_rows} data points: expected {shape}"
        )
    if np.isnan(scores).any():
        raise ValueError("the model gave a score that is NaN")
    if class_from is not None:
        return np.where(scores.max(axis=1) >= class_from, scores.argmax(axis=1) + 1, 0)
    never = np.zeros(len(scores), dtype=bool)
    return vote(
        positive=never if positive_from is None else scores >= positive_from,
        negative=never if negative_to is None else scores <= negative_to,
    )


def _predict(model: object, inputs: object) -> object:
    if hasattr(model, "predict_proba"):
        return model.predict_proba(inputs)
    if not hasattr(model, "predict"):
        raise TypeError(
            f"a model of type {type(model).__name__} has neither predict_proba nor predict: pass predict=..."
        )
    if type(model).__module__.partition(".")[0] in ("keras", "tensorflow", "tf_keras"):
        return model.predict(inputs, verbose=0)
    return model.predict(inputs)


def _inputs(batch: pa.RecordBatch, columns: tuple[str, ...]) -> npt.NDArray[np.generic]:
    arrays = [batch.column(batch.schema.get_field_index(name)) for name in columns]
    if len(arrays) > 1:
        return np.column_stack([a.to_numpy(zero_copy_only=False).astype(np.float64) for a in arrays])
    (array,) = arrays
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return np.array(array.to_pylist(), dtype=np.float64)
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    values = np.empty(len(array), dtype=object)
    values[:] = array.to_pylist()
    return values
