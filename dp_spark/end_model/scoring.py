"""An end model as a function from a model's inputs to logits, inside a Spark Python worker or any process.

The model is called through one `tf.function` with a free batch dimension, traced once: `model.predict`
would be five times slower.  (docs/training.md)
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dp_spark.end_model.artifact import MODEL_FILE
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.rows import Part
from dp_spark.end_model.tokens import separate_tokens
from dp_spark.errors import SchemaError
from dp_spark.references import import_module

Scorer = Callable[[dict[str, Part]], npt.NDArray[np.float32]]

BATCH_ROWS = 2048  # rows per call: bounds the memory of a text model's token matrix

_LOADED: dict[str, Scorer] = {}  # the scorer that this process used last, by digest of the Keras file


def scorer(model_bytes: bytes, inputs: InputSpec, module: str) -> Scorer:
    """A function from n rows of each part to (n, 1) or (n, k) logits.

    The model is loaded in safe mode once per process.

    Args:
        model_bytes: the content of a .keras file.
        inputs: what the model takes.
        module: the user's, imported first for the layers in it; empty for none.

    Raises:
        ConfigError: if the user's module cannot be imported.
        SchemaError: if loading the file would run code that it brings, or it is no Keras file.
    """
    digest = hashlib.sha256(model_bytes).hexdigest()
    if digest not in _LOADED:
        _LOADED.clear()
        if module:
            import_module(module)
        _LOADED[digest] = _loaded(model_bytes, inputs)
    return _LOADED[digest]


def _read_safely(path: Path) -> keras.Model:
    """The model in a .keras file: its layers come from Keras, this package or the user's module."""
    own = {"dp_spark>separate_tokens": separate_tokens}
    try:
        return keras.models.load_model(path, custom_objects=own, compile=False, safe_mode=True)
    except (ValueError, TypeError) as problem:
        raise SchemaError(
            f"the end model's {MODEL_FILE} cannot be loaded safely: {problem}. Expected a Keras file whose "
            "layers are Keras's own, or of the module that the caller names (load the model with "
            "model='package.module:function'): code inside the file, such as a Lambda layer or a pickle, is never "
            "run. Train the model again with dp_spark."
        ) from problem


def _loaded(model_bytes: bytes, inputs: InputSpec) -> Scorer:
    with contextlib.suppress(RuntimeError):  # TensorFlow has started already: its threads stay as they are
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory(prefix="dp_spark_") as directory:
        path = Path(directory) / MODEL_FILE
        path.write_bytes(model_bytes)
        model = _read_safely(path)
    specs = {
        part: tf.TensorSpec((None, width), tf.float32 if part == "features" else tf.string)
        for part, width in inputs.widths.items()
    }

    @tf.function(input_signature=[specs])  # type: ignore[untyped-decorator]
    def logits(parts: dict[str, tf.Tensor]) -> tf.Tensor:
        taken = parts if len(parts) > 1 else parts[inputs.parts[0]]
        return tf.cast(model(taken, training=False), tf.float32)

    def score(parts: dict[str, Part]) -> npt.NDArray[np.float32]:
        num_rows = len(parts[inputs.parts[0]])
        scores = [np.zeros((0, inputs.num_logits), np.float32)]
        for start in range(0, num_rows, BATCH_ROWS):
            taken = {part: tf.constant(rows[start : start + BATCH_ROWS]) for part, rows in parts.items()}
            scores.append(logits(taken).numpy())
        return np.concatenate(scores)

    return score
