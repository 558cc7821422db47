"""A user's Keras callbacks at work in a training run.

They run in worker 0 alone, so that files are written once and random numbers agree; what they change reaches
the other workers.  (docs/training.md)
"""

from collections.abc import Callable, Mapping
from typing import cast

import keras

from dp_spark.errors import ConfigError
from dp_spark.references import resolve_reference

_OF_BATCHES = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class Hooks:
    """Callbacks and when they are called; without callbacks nothing happens."""

    def __init__(
        self, callbacks: list[keras.callbacks.Callback], model: keras.Model, num_epochs: int
    ) -> None:
        self._model = model
        self._list = keras.callbacks.CallbackList(callbacks, model=model, epochs=num_epochs, verbose=0)
        self.is_per_batch = any(map(_has_batch_hooks, callbacks))
        model.stop_training = False

    @property
    def wants_to_stop(self) -> bool:
        """Whether a callback has ended the training."""
        return bool(self._model.stop_training)

    def train_begins(self) -> None:
        """Before the first step of this attempt."""
        self._list.on_train_begin()

    def epoch_begins(self, epoch: int) -> None:
        """Before an epoch, counted from 0."""
        self._list.on_epoch_begin(epoch)

    def batch_begins(self, step: int) -> None:
        """Before a step of an epoch, counted from 0."""
        self._list.on_train_batch_begin(step)

    def batch_ended(self, step: int, loss: float) -> None:
        """After a step, with the mean loss of the epoch so far."""
        self._list.on_train_batch_end(step, {"loss": loss})

    def epoch_ended(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """After an epoch; callbacks know validation metrics as Keras calls them, val_loss and val_accuracy."""
        logs = {name.replace("validation_", "val_"): value for name, value in metrics.items()}
        self._list.on_epoch_end(epoch, logs)

    def train_ended(self) -> None:
        """After the last step; the model lets go of the optimizer, which else would be saved with it."""
        self._list.on_train_end()
        self._model.optimizer = None


def make_hooks(reference: str, model: keras.Model, optimizer: keras.Optimizer, num_epochs: int) -> Hooks:
    """The callbacks that a user's function returns, bound to model and optimizer.

    Args:
        reference: "package.module:function", or empty for none.
        model: gets the attributes `optimizer` and `stop_training`, as in Keras' own `fit`.
        optimizer: callbacks may change its learning rate if the schedule is constant.
        num_epochs: of the run.

    Raises:
        ConfigError: if the function is not there, or returns something else.
    """
    if not reference:
        return Hooks([], model, num_epochs)
    make = cast(Callable[[], object], resolve_reference(reference))
    callbacks = make()
    are_callbacks = isinstance(callbacks, (list, tuple)) and all(
        isinstance(callback, keras.callbacks.Callback) for callback in callbacks
    )
    if not are_callbacks:
        raise ConfigError(
            f"callbacks: {reference} returned {callbacks!r}: expected a list of keras.callbacks.Callback."
        )
    model.optimizer = optimizer
    return Hooks(list(cast(list[keras.callbacks.Callback], callbacks)), model, num_epochs)


def _has_batch_hooks(callback: keras.callbacks.Callback) -> bool:
    """Whether its class defines one, or the callback itself holds one, as Keras' LambdaCallback does."""
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(keras.callbacks.Callback, name)
        for name in _OF_BATCHES
    )
