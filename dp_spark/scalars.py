"""Scalars in TensorBoard's event files, written by TensorFlow alone: the package tensorboard need not be there."""

from collections.abc import Mapping

import tensorflow as tf

# What tf.summary.scalar adds, for which the package tensorboard would be needed.
_METADATA = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=1,  # DATA_CLASS_SCALAR
)


def write_scalars(writer: tf.summary.SummaryWriter, step: int, values: Mapping[str, float]) -> None:
    """Add values of a step, and flush.

    Args:
        writer: of `tf.summary.create_file_writer`.
        step: 0 or more.
        values: by tag.
    """
    with writer.as_default():
        for name, value in values.items():
            tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=_METADATA)
    writer.flush()
