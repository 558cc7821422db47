"""An end model's probabilities where it is applied: its scorer, and logits made probabilities.

No Spark, no TensorFlow: the scorer, which loads TensorFlow, is found by name when it is first used.
"""

import os
import sys
from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt

from dp_spark.end_model.artifact import EndModel
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.rows import Part
from dp_spark.errors import ConfigError, EnvironmentProblem
from dp_spark.label_model.model import sigmoid
from dp_spark.references import resolve_reference

SCORER = "dp_spark.end_model.scoring:scorer"

Probabilities = npt.NDArray[np.float64]
Score = Callable[[dict[str, Part]], Probabilities]
_MakeScorer = Callable[[bytes, InputSpec, str], Callable[[dict[str, Part]], npt.NDArray[np.float32]]]


def probability_function(end_model: EndModel) -> Score:
    """A function from n rows of each part to (n, k) probabilities, in the order of the classes.

    The model is loaded in Keras' safe mode, once per process.

    Raises:
        EnvironmentProblem: if TensorFlow is not there.
        ConfigError: if the user's module that made the model cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's remarks about GPUs
    try:
        make_scorer = cast(_MakeScorer, resolve_reference(SCORER))
    except ConfigError as problem:
        raise EnvironmentProblem(
            f"{problem} This process's Python is {sys.executable}; in Spark, set PYSPARK_PYTHON to one with "
            "TensorFlow."
        ) from problem
    score = make_scorer(end_model.model_bytes, end_model.inputs, end_model.module)
    return lambda parts: _probabilities(score(parts).astype(np.float64))


def _probabilities(logits: npt.NDArray[np.float64]) -> Probabilities:
    if logits.shape[1] == 1:
        return np.concatenate([sigmoid(-logits), sigmoid(logits)], axis=1)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Probabilities = raised / raised.sum(axis=1, keepdims=True)
    return shares
