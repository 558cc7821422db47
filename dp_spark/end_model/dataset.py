"""A feed's batches as a `tf.data.Dataset`, prepared while the model trains.

The generator yields whole batches: row by row it would be two hundred times slower.
(docs/training.md)
"""

from collections.abc import Iterator

import tensorflow as tf

from dp_spark.end_model.feed import Feed
from dp_spark.end_model.input_spec import InputSpec

NUM_PREFETCHED = 4  # batches that wait for the model


def training_dataset(
    feed: Feed, inputs: InputSpec, first_epoch: int, last_epoch: int, first_step: int = 0
) -> tf.data.Dataset:
    """All batches of the epochs `first_epoch` to `last_epoch` (excluded), one after the other.

    Args:
        feed: makes the batches.
        inputs: what they hold.
        first_epoch: the first epoch.
        last_epoch: the epoch after the last.
        first_step: of the first epoch; earlier steps are left out.

    Returns:
        A dataset of (inputs, labels, weights), as `Batch` describes them.
    """
    parts = {
        part: tf.TensorSpec((feed.batch_rows, width), tf.float32 if part == "features" else tf.string)
        for part, width in inputs.widths.items()
    }
    classes = () if inputs.num_classes == 2 else (inputs.num_classes,)
    signature = (
        parts if len(parts) > 1 else parts[inputs.parts[0]],
        tf.TensorSpec((feed.batch_rows, *classes), tf.float32),
        tf.TensorSpec((feed.batch_rows,), tf.float32),
    )

    def batches() -> Iterator[tuple[object, ...]]:
        return map(tuple, feed.batches(first_epoch, last_epoch, first_step))

    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.prefetch(NUM_PREFETCHED)
