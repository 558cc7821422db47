"""TensorBoard's scalars of a training run, in a directory that the user names.

TensorFlow writes the event file on worker 0's machine; it is copied to the directory, on any storage, at the
end of every epoch, so that TensorBoard can watch.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from dp_spark.end_model.files import replace_file
from dp_spark.errors import ConfigError
from dp_spark.scalars import write_scalars


class Scalars:
    """Where metrics of epochs go; nowhere without a directory.

    Raises:
        ConfigError: if the directory cannot be written.
    """

    def __init__(self, target: str, local_directory: str) -> None:
        self._target = target.rstrip("/")
        self._local = Path(local_directory) / "tensorboard"
        self._writer = tf.summary.create_file_writer(str(self._local)) if target else None
        if self._writer is not None:
            self._writer.flush()
            try:
                self._copy()
            except OSError as problem:
                raise ConfigError(
                    f"tensorboard: {problem}. Name a directory that the workers may write, or leave it out."
                ) from problem

    def write(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of an epoch, counted from 1; a copy that fails is made good after the next epoch."""
        if self._writer is None:
            return
        write_scalars(self._writer, epoch, metrics)
        try:
            self._copy()
        except OSError as problem:
            sys.stderr.write(f"no TensorBoard scalars for now: {problem}\n")

    def _copy(self) -> None:
        for file in self._local.iterdir():
            replace_file(f"{self._target}/{file.name}", file.read_bytes())
