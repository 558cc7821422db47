"""Keras callbacks that write down when epochs end: seconds of training without those of starting."""

import os
import time
from pathlib import Path

import keras

PLACE = "DP_SPARK_BENCHMARK_TIMES"  # the environment variable that names the file


class EpochTimes(keras.callbacks.Callback):
    """Appends the wall-clock time at the start and after every epoch."""

    def on_train_begin(self, logs: object = None) -> None:
        """Before the first step."""
        self._write()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """After an epoch."""
        self._write()

    def _write(self) -> None:
        with Path(os.environ[PLACE]).open("a") as times:
            times.write(f"{time.time()}\n")


def callbacks() -> list[keras.callbacks.Callback]:
    """What `TrainingSettings.callbacks` names."""
    return [EpochTimes()]
