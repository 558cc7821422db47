"""An end model as a function from inputs to logits, inside a Spark Python worker or any process.

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
from dp_spark.end_model.tokens import separate_tokens
from dp_spark.errors import SchemaError
from dp_spark.labels.manifest import InputKind
from dp_spark.references import import_module

Inputs = npt.NDArray[np.float32] | npt.NDArray[np.object_]
Scorer = Callable[[Inputs], npt.NDArray[np.float32]]

BATCH_ROWS = 2048  # rows per call: bounds the memory of a text model's token matrix

_LOADED: dict[str, Scorer] = {}  # the scorer that this process used last, by digest of the Keras file


def scorer(model_bytes: bytes, kind: InputKind, num_features: int, model: str) -> Scorer:
    """A function from (n, d) float32 features, or (n, 1) texts, to (n,) logits.

    The model is loaded in safe mode once per process.

    Args:
        model_bytes: the content of a .keras file.
        kind: what the model takes.
        num_features: d; 0 for text.
        model: the setting that named it. A user's module is imported first, for the layers in it.

    Raises:
        ConfigError: if the user's module cannot be imported.
        SchemaError: if loading the file would run code that it brings, or it is no Keras file.
    """
    digest = hashlib.sha256(model_bytes).hexdigest()
    if digest not in _LOADED:
        _LOADED.clear()
        if ":" in model:
            import_module(model.partition(":")[0])
        _LOADED[digest] = _loaded(model_bytes, kind, num_features)
    return _LOADED[digest]


def _read_safely(path: Path) -> keras.Model:
    """The model in a .keras file: its layers come from Keras, this package or the user's module."""
    own = {"dp_spark>separate_tokens": separate_tokens}
    try:
        return keras.models.load_model(path, custom_objects=own, compile=False, safe_mode=True)
    except (ValueError, TypeError) as problem:
        raise SchemaError(
            f"the end model's {MODEL_FILE} cannot be loaded safely: {problem}. Expected a Keras file whose "
            "layers are Keras's own or of the module that its settings name: code inside the file, such as "
            "a Lambda layer or a pickle, is never run. Train the model again with dp_spark."
        ) from problem


def _loaded(model_bytes: bytes, kind: InputKind, num_features: int) -> Scorer:
    with contextlib.suppress(RuntimeError):  # TensorFlow has started already: its threads stay as they are
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory(prefix="dp_spark_") as directory:
        path = Path(directory) / MODEL_FILE
        path.write_bytes(model_bytes)
        model = _read_safely(path)
    signature = (
        tf.TensorSpec((None, 1), tf.string)
        if kind == "text"
        else tf.TensorSpec((None, num_features), tf.float32)
    )

    @tf.function(input_signature=[signature])  # type: ignore[untyped-decorator]
    def logits(inputs: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(inputs, training=False)[:, 0], tf.float32)

    def score(inputs: Inputs) -> npt.NDArray[np.float32]:
        parts = [inputs[start : start + BATCH_ROWS] for start in range(0, len(inputs), BATCH_ROWS)]
        scores = [logits(tf.constant(part)).numpy() for part in parts]
        return np.concatenate([np.zeros(0, np.float32), *scores])

    return score
