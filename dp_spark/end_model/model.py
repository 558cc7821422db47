"""The end model h: what turns a data point into logits: log-odds of y = +1, or one logit for each of k classes.

Built-in: the tutorial's linear model and a multi-layer perceptron, on features, on the tokens that a text
holds, on categories, or on all of these; vocabularies are inside the model, so that what is saved takes raw
values. Or any Keras model of a user's function. (Tutorial, step 3; the loss is in section 3.1 of the paper.)
"""

from collections.abc import Callable, Sequence
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.settings import LINEAR, TrainingSettings
from dp_spark.end_model.tokens import separate_tokens
from dp_spark.errors import ConfigError
from dp_spark.references import resolve_reference

_CHECKED_ROWS = 2
MAX_MODEL_BYTES = (
    240 << 20
)  # worker 0 returns it through Spark; spark.driver.maxResultSize is 1 GiB by default


def build_model(inputs: InputSpec, settings: TrainingSettings) -> keras.Model:
    """The model that the settings ask for, checked to return the logits that it should.

    Raises:
        ConfigError: if the user's function is not there, or returns something else.
    """
    model = _built(inputs, settings)
    num_bytes = sum(int(np.prod(variable.shape)) * 4 for variable in model.variables)
    if num_bytes > MAX_MODEL_BYTES:
        raise ConfigError(
            f"the model has {num_bytes >> 20} MB of weights: expected at most {MAX_MODEL_BYTES >> 20} MB, which is "
            "what travels through Spark to the driver. Train a smaller model."
        )
    return model


def _built(inputs: InputSpec, settings: TrainingSettings) -> keras.Model:
    if settings.is_users_model:
        build = cast(Callable[[InputSpec], object], resolve_reference(settings.model))
        return _checked(build(inputs), inputs, settings.model)
    if settings.model == LINEAR:
        return build_linear(inputs, l2=settings.l2)
    return build_mlp(inputs, settings.hidden_units, l2=settings.l2, seed=settings.seed)


def build_linear(inputs: InputSpec, *, l2: float = 0.0) -> keras.Model:
    """h(x) = Wᵀx + b, starting at 0.

    Args:
        inputs: what the model takes.
        l2: the objective gains l2 * |w|^2.
    """
    entry, hidden = _entry(inputs)
    logit = keras.layers.Dense(
        inputs.num_logits, kernel_initializer="zeros", kernel_regularizer=_regularizer(l2), name="logit"
    )(hidden)
    return keras.Model(entry, logit, name="linear")


def build_mlp(
    inputs: InputSpec, hidden_units: Sequence[int], *, l2: float = 0.0, seed: int = 0
) -> keras.Model:
    """Dense layers with ReLU, then the logits.

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
    logit = keras.layers.Dense(
        inputs.num_logits, kernel_initializer=last, kernel_regularizer=_regularizer(l2), name="logit"
    )(hidden)
    return keras.Model(entry, logit, name="mlp")


def noise_aware_loss(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The sum over i of w_i * cross-entropy(p_i, h_i), computed from logits.

    The expectation of the logistic loss under the label's probabilities: a label of 0.7 pulls 0.7 times
    to +1 and 0.3 times to -1. For k classes with softmax in place of the sigmoid.  (Paper, section 3.1.)

    Args:
        labels: (B,) p, P(y=+1) in [0, 1]; or (B, k), rows that add up to 1.
        logits: (B, 1) h, or (B, k).
        weights: (B,) w, 0 or more.
    """
    if labels.shape.rank == 1:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits[:, 0])
    else:
        losses = tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(weights * losses)


def example_inputs(inputs: InputSpec) -> tf.Tensor | dict[str, tf.Tensor]:
    """Two rows of the kind that a model takes: zeros, empty texts and categories."""
    made = {
        part: tf.zeros((_CHECKED_ROWS, width))
        if part == "features"
        else tf.constant([[""] * width] * _CHECKED_ROWS)
        for part, width in inputs.widths.items()
    }
    return made if len(made) > 1 else made[inputs.parts[0]]


def _entry(
    inputs: InputSpec,
) -> tuple[keras.KerasTensor | dict[str, keras.KerasTensor], keras.KerasTensor]:
    """The model's input, or inputs by part, and the vector that its layers see."""
    entries = {
        part: keras.Input((width,), dtype="float32" if part == "features" else "string", name=part)
        for part, width in inputs.widths.items()
    }
    make = {"features": _standardized, "text": _tokens, "categories": _one_hot}
    vectors = [make[part](entry, inputs) for part, entry in entries.items()]
    if len(vectors) == 1:
        return entries[inputs.parts[0]], vectors[0]
    return entries, keras.layers.Concatenate(name="inputs")(vectors)


def _standardized(entry: keras.KerasTensor, inputs: InputSpec) -> keras.KerasTensor:
    if not inputs.feature_means:
        return entry
    variances = [variance or 1.0 for variance in inputs.feature_variances]  # a constant feature stays 0
    return keras.layers.Normalization(
        mean=list(inputs.feature_means), variance=variances, name="standardized"
    )(entry)


def _tokens(entry: keras.KerasTensor, inputs: InputSpec) -> keras.KerasTensor:
    """1 for each token of the vocabulary that the text holds; the first place is for all other tokens."""
    held = keras.layers.TextVectorization(
        standardize=separate_tokens,
        output_mode="multi_hot",
        vocabulary=list(inputs.vocabulary),
        ngrams=inputs.ngrams,
        name="tokens",
    )(entry)
    if inputs.parts == ("text",):
        return held
    return keras.layers.Reshape((len(inputs.vocabulary) + 1,), name="tokens_held")(held)  # Keras says (1, V)


def _one_hot(entry: keras.KerasTensor, inputs: InputSpec) -> keras.KerasTensor:
    """For each column 1 for the value that it has; the first place is for all values that are not known."""
    columns = [
        keras.layers.StringLookup(
            vocabulary=list(values), num_oov_indices=1, output_mode="one_hot", name=f"category_{position + 1}"
        )(entry[:, position : position + 1])
        for position, values in enumerate(inputs.category_vocabularies)
    ]
    return columns[0] if len(columns) == 1 else keras.layers.Concatenate(name="categories_known")(columns)


def _regularizer(l2: float) -> keras.Regularizer | None:
    return keras.regularizers.L2(l2) if l2 else None


def _checked(model: object, inputs: InputSpec, reference: str) -> keras.Model:
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"{reference} returned a {type(model).__name__}: expected a keras.Model. Return the model."
        )
    shape = tuple(np.shape(model(example_inputs(inputs), training=False)))
    width = inputs.num_logits
    if shape != (_CHECKED_ROWS, width):
        wanted = "one logit per data point" if width == 1 else f"one logit for each of {width} classes"
        raise ConfigError(
            f"the model of {reference} returns the shape {(None, *shape[1:])} for a batch: expected "
            f"(None, {width}), {wanted}. End it with keras.layers.Dense({width})."
        )
    activation = getattr(model.layers[-1], "activation", None)
    if activation in (keras.activations.sigmoid, keras.activations.softmax):
        raise ConfigError(
            f"the last layer of the model of {reference} has a {activation.__name__}: expected a logit, or one "
            "for each class, since the loss is computed from logits. End it with "
            f"keras.layers.Dense({width}), without an activation."
        )
    if not model.trainable_variables:
        raise ConfigError(f"the model of {reference} has no trainable weights. There is nothing to train.")
    return model
