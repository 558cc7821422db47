"""TensorBoard's scalars of a training run, in a directory that the user names.

TensorFlow writes the event file on worker 0's machine; it is copied to the directory, on any storage, at the
end of every epoch, so that TensorBoard can watch.
"""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from dp_spark.end_model.files import replace_file

# What tf.summary.scalar adds, for which the workers would need the package tensorboard.
_METADATA = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=1,  # DATA_CLASS_SCALAR
)


class Scalars:
    """Where metrics of epochs go; nowhere without a directory."""

    def __init__(self, target: str, local_directory: str) -> None:
        self._target = target
        self._local = Path(local_directory) / "tensorboard"
        self._writer = tf.summary.create_file_writer(str(self._local)) if target else None

    def write(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of an epoch, counted from 1."""
        if self._writer is None:
            return
        with self._writer.as_default():
            for name, value in metrics.items():
                tf.summary.write(name, tf.constant(value, tf.float32), step=epoch, metadata=_METADATA)
        self._writer.flush()
        for file in self._local.iterdir():
            replace_file(f"{self._target.rstrip('/')}/{file.name}", file.read_bytes())
