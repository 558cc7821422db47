"""A feed's batches as a `tf.data.Dataset`, prepared while the model trains.

The generator yields whole batches: row by row it would be two hundred times slower.
(docs/training.md)
"""

import tensorflow as tf

from dp_spark.end_model.feed import Feed
from dp_spark.end_model.settings import InputSpec

NUM_PREFETCHED = 2  # batches that wait for the model


def training_dataset(
    feed: Feed, inputs: InputSpec, first_epoch: int, last_epoch: int, first_step: int = 0
) -> tf.data.Dataset:
    """All batches of the epochs `first_epoch` to `last_epoch` (excluded), one after the other.

    Of the first epoch, only the batches from `first_step` on.

    Returns:
        A dataset of (inputs, labels, weights): (B, d) float32 or (B, 1) string, (B,), (B,).
    """
    width, dtype = (inputs.num_features, tf.float32) if inputs.kind == "features" else (1, tf.string)
    signature = (
        tf.TensorSpec((feed.batch_rows, width), dtype),
        tf.TensorSpec((feed.batch_rows,), tf.float32),
        tf.TensorSpec((feed.batch_rows,), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(
        lambda: map(tuple, feed.batches(first_epoch, last_epoch, first_step)), output_signature=signature
    )
    return dataset.prefetch(NUM_PREFETCHED)
