"""The end model h: what turns features or text into one logit, log-odds of y = +1.

Built-in: the tutorial's linear model and a multi-layer perceptron; for text the same on the tokens that a
text holds, with the vocabulary inside the model, so that what is saved takes raw text. Or any Keras model
of a user's function. (Tutorial, step 3; the noise-aware loss is in section 3.1 of the paper.)
"""

from collections.abc import Callable, Sequence
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from dp_spark.end_model.settings import LINEAR, InputSpec, TrainingSettings
from dp_spark.end_model.tokens import separate_tokens
from dp_spark.errors import ConfigError
from dp_spark.references import resolve_reference

_CHECKED_ROWS = 2


def build_model(inputs: InputSpec, settings: TrainingSettings) -> keras.Model:
    """The model that the settings ask for, checked to return one logit per data point.

    Raises:
        ConfigError: if the user's function is not there, or returns something else.
    """
    if settings.is_users_model:
        build = cast(Callable[[InputSpec], object], resolve_reference(settings.model))
        return _checked(build(inputs), inputs, settings.model)
    if settings.model == LINEAR:
        return build_linear(inputs, l2=settings.l2)
    return build_mlp(inputs, settings.hidden_units, l2=settings.l2, seed=settings.seed)


def build_linear(inputs: InputSpec, *, l2: float = 0.0) -> keras.Model:
    """h(x) = wᵀx + b, starting at 0.

    Args:
        inputs: what the model takes.
        l2: the objective gains l2 * |w|^2.
    """
    entry, hidden = _entry(inputs)
    logit = keras.layers.Dense(
        1, kernel_initializer="zeros", kernel_regularizer=_regularizer(l2), name="logit"
    )(hidden)
    return keras.Model(entry, logit, name="linear")


def build_mlp(
    inputs: InputSpec, hidden_units: Sequence[int], *, l2: float = 0.0, seed: int = 0
) -> keras.Model:
    """Dense layers with ReLU, then one logit.

    Args:
        inputs: what the model takes.
        hidden_units: units per hidden layer.
        l2: the objective gains l2 * |w|^2 of every kernel.
        seed: of the initial weights (Glorot, uniform).
    """
    entry, hidden = _entry(inputs)
    for position, units in enumerate(hidden_units):
        hidden = keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + position),
            kernel_regularizer=_regularizer(l2),
            name=f"hidden_{position + 1}",
        )(hidden)
    last = keras.initializers.GlorotUniform(seed=seed + len(hidden_units))
    logit = keras.layers.Dense(1, kernel_initializer=last, kernel_regularizer=_regularizer(l2), name="logit")(
        hidden
    )
    return keras.Model(entry, logit, name="mlp")


def noise_aware_loss(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The sum over i of w_i * cross-entropy(p_i, sigmoid(h_i)), computed from logits.

    The expectation of the logistic loss under the label's probability: a label of 0.7 pulls 0.7 times
    to +1 and 0.3 times to -1.  (Paper, section 3.1.)

    Args:
        labels: (B,) p, P(y=+1) in [0, 1].
        logits: (B, 1) h.
        weights: (B,) w, 0 or more.
    """
    return tf.reduce_sum(
        weights * tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits[:, 0])
    )


def example_inputs(inputs: InputSpec) -> tf.Tensor:
    """Two rows of the kind that a model takes: zeros, or empty texts."""
    if inputs.kind == "text":
        return tf.constant([[""]] * _CHECKED_ROWS)
    return tf.zeros((_CHECKED_ROWS, inputs.num_features))


def _entry(inputs: InputSpec) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The model's input, and the vector that its layers see."""
    if inputs.kind == "features":
        entry = keras.Input(shape=(inputs.num_features,), dtype="float32", name="features")
        return entry, entry
    entry = keras.Input(shape=(1,), dtype="string", name="text")
    tokens = keras.layers.TextVectorization(
        standardize=separate_tokens,
        output_mode="multi_hot",
        vocabulary=list(inputs.vocabulary),
        ngrams=inputs.ngrams,
        name="tokens",
    )
    return entry, tokens(entry)


def _regularizer(l2: float) -> keras.Regularizer | None:
    return keras.regularizers.L2(l2) if l2 else None


def _checked(model: object, inputs: InputSpec, reference: str) -> keras.Model:
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"{reference} returned a {type(model).__name__}: expected a keras.Model. Return the model."
        )
    shape = tuple(np.shape(model(example_inputs(inputs), training=False)))
    if shape != (_CHECKED_ROWS, 1):
        raise ConfigError(
            f"the model of {reference} returns the shape {(None, *shape[1:])} for a batch: expected "
            "(None, 1), one logit per data point. End it with keras.layers.Dense(1)."
        )
    if getattr(model.layers[-1], "activation", None) is keras.activations.sigmoid:
        raise ConfigError(
            f"the last layer of the model of {reference} has a sigmoid: expected a logit, since the loss is "
            "computed from logits. End it with keras.layers.Dense(1), without an activation."
        )
    if not model.trainable_variables:
        raise ConfigError(f"the model of {reference} has no trainable weights. There is nothing to train.")
    return model
