"""What training minimises and counts: sums over rows that add up over steps and workers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dp_spark.end_model.model import noise_aware_loss

NUM_SUMS = 4
SumsArray = npt.NDArray[np.float64]  # (4,) in the order of `Sums`


class Sums(NamedTuple):
    """Sums over rows; each (), in nats, weights and rows.

    Attributes:
        loss: of row weight times class weight times cross-entropy.
        weight: of row weight times class weight.
        correct: of the weight of rows whose most probable class is the label's; ties share it.
        rows: of row weights.
    """

    loss: tf.Tensor
    weight: tf.Tensor
    correct: tf.Tensor
    rows: tf.Tensor


def mean_loss(sums: SumsArray) -> float:
    """The loss per weight, in nats; 0 without rows."""
    named = Sums(*sums)
    return float(named.loss / named.weight) if named.weight else 0.0


def accuracy(sums: SumsArray) -> float:
    """The share of row weight that agrees with the labels; 0 without rows."""
    named = Sums(*sums)
    return float(named.correct / named.rows) if named.rows else 0.0


def batch_sums(
    labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor, class_weights: Sequence[float]
) -> Sums:
    """The sums of one batch.

    Args:
        labels: (B,) P(y=+1), or (B, k) one probability per class.
        logits: (B, 1) or (B, k) float32.
        weights: (B,), 0 or more.
        class_weights: one per class, or empty.
    """
    weighted_labels, loss_weights = _by_class(labels, weights, class_weights)
    return Sums(
        loss=noise_aware_loss(weighted_labels, logits, loss_weights),
        weight=tf.reduce_sum(loss_weights),
        correct=tf.reduce_sum(weights * _credit(labels, logits)),
        rows=tf.reduce_sum(weights),
    )


def _by_class(
    labels: tf.Tensor, weights: tf.Tensor, class_weights: Sequence[float]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels and weights whose plain loss is the class-weighted one.

    The sum over classes of c_k p_k times the cross-entropy of class k is w' times the cross-entropy of the
    label c_k p_k / w', with w' the sum of c_k p_k.
    """
    if not class_weights:
        return labels, weights
    of_classes = tf.constant(class_weights, tf.float32)
    if labels.shape.rank == 1:
        positive = of_classes[1] * labels
        total = positive + of_classes[0] * (1 - labels)
        return positive / total, weights * total
    each = of_classes * labels
    total = tf.reduce_sum(each, axis=1)
    return each / total[:, None], weights * total


def _credit(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """(B,) the share of a row's most probable classes, by the label, that the model finds most probable."""
    if labels.shape.rank == 1:
        labels = tf.stack([1 - labels, labels], axis=1)
        logits = tf.concat([tf.zeros_like(logits), logits], axis=1)
    true = _most_probable(labels)
    predicted = _most_probable(logits)
    return tf.reduce_sum(true * predicted, axis=1)


def _most_probable(scores: tf.Tensor) -> tf.Tensor:
    """(B, k) 1 / the number of the largest scores at each of them, 0 elsewhere."""
    is_largest = tf.cast(scores >= tf.reduce_max(scores, axis=1, keepdims=True), tf.float32)
    return is_largest / tf.reduce_sum(is_largest, axis=1, keepdims=True)
