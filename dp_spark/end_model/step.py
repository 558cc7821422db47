"""One step of gradient descent over all processes, and many of them as one TensorFlow function.

Every step sums one flat vector over the processes, [gradients..., the sums of `objective.Sums`], and divides the
gradients by the weight sum: exact whatever the padding, and one round trip.  (docs/training.md)
"""

from collections.abc import Callable, Sequence
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from dp_spark.end_model.collective import Alone, Collective
from dp_spark.end_model.objective import NUM_SUMS, Sums, batch_sums
from dp_spark.end_model.tensorflow_collective import TensorFlowCollective

Flow = Callable[[tf.Tensor], tf.Tensor]
Step = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
Steps = Callable[[tf.data.Iterator, tf.Tensor, tf.Tensor], tf.Tensor]


def make_steps(
    model: keras.Model, optimizer: keras.Optimizer, collective: Collective, class_weights: Sequence[float]
) -> Steps:
    """A function that takes a number of steps.

    Args:
        model: trained in place.
        optimizer: its variables are built.
        collective: the other processes.
        class_weights: one per class, or empty.

    Returns:
        A function of batches, the number of steps, and the sums before them, (4,) float64: the sums after them,
        over all processes. Sums are added in the order of the steps, however these are divided into calls.
    """
    step = _step_function(model, optimizer, _in_graph(collective), class_weights)

    def run(batches: tf.data.Iterator, count: tf.Tensor, sums: tf.Tensor) -> tf.Tensor:
        for _ in tf.range(count):
            sums += tf.cast(step(*next(batches)), tf.float64)
        return sums

    return cast(Steps, tf.function(run))


def make_evaluation(model: keras.Model, class_weights: Sequence[float]) -> Step:
    """A function of inputs, labels and weights that returns the (4,) sums of one batch without training."""

    def evaluate(inputs: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(model(inputs, training=False), tf.float32)
        return tf.stack(batch_sums(labels, logits, weights, class_weights))

    return cast(Step, tf.function(evaluate))


def _in_graph(collective: Collective) -> Flow:
    """The collective as a TensorFlow operation; the identity for a single process."""
    if isinstance(collective, Alone):
        return lambda flat: flat
    if isinstance(collective, TensorFlowCollective):
        return collective.all_reduce_in_graph

    def reduce(flat: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(collective.all_reduce, [flat], tf.float32), flat.shape)

    return reduce


def _step_function(
    model: keras.Model, optimizer: keras.Optimizer, reduce: Flow, class_weights: Sequence[float]
) -> Step:
    """A function that takes one step and returns its (4,) sums over all processes."""
    variables = model.trainable_variables
    sizes = [int(np.prod(variable.shape)) for variable in variables]

    def step(inputs: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(inputs, training=True), tf.float32)
            sums = batch_sums(labels, logits, weights, class_weights)
            penalty = sums.weight * tf.add_n(model.losses) if model.losses else 0.0
            objective = optimizer.scale_loss(sums.loss + penalty)
        targets = [variable.value for variable in variables]
        gradients = tape.gradient(objective, targets, unconnected_gradients="zero")
        parts = [tf.reshape(tf.cast(gradient, tf.float32), [-1]) for gradient in gradients]
        *flat, totals = tf.split(reduce(tf.concat([*parts, tf.stack(sums)], 0)), [*sizes, NUM_SUMS])
        weight = Sums(*tf.unstack(totals)).weight
        means = [
            tf.cast(tf.reshape(tf.math.divide_no_nan(part, weight), variable.shape), variable.dtype)
            for part, variable in zip(flat, variables, strict=True)
        ]
        optimizer.apply(means, variables)
        return totals

    return step
