"""When training has failed by its own numbers."""

import keras
import numpy as np

from dp_spark.end_model.checkpoint import Checkpoint
from dp_spark.end_model.objective import mean_loss
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.state import values_of
from dp_spark.errors import DivergedError

EXPLODED = 10.0  # a loss that is so many times the lowest epoch's, and so many nats above it, has exploded


def refuse_not_finite(state: Checkpoint, settings: TrainingSettings) -> None:
    """Refuse sums that are NaN or infinite.

    Raises:
        DivergedError: with what to change.
    """
    if not np.isfinite(state.sums).all():
        raise _diverged(state, settings)


def refuse_divergence(state: Checkpoint, model: keras.Model, settings: TrainingSettings) -> None:
    """Refuse weights that are not finite, and a loss far above what it has been; raises as `refuse_not_finite`."""
    lowest = min((metrics["loss"] for metrics in state.history), default=float("inf"))
    has_exploded = mean_loss(state.sums) > max(EXPLODED * lowest, lowest + EXPLODED)
    if has_exploded or not all(np.isfinite(value).all() for value in values_of(model.trainable_variables)):
        raise _diverged(state, settings)


def _diverged(state: Checkpoint, settings: TrainingSettings) -> DivergedError:
    done = len(state.history)
    kept = f"the checkpoint after epoch {done} is kept" if done else "no epoch was completed"
    return DivergedError(
        f"training diverged in epoch {done + 1}: the loss is {mean_loss(state.sums):g}, with learning_rate="
        f"{settings.learning_rate:g} and optimizer={settings.optimizer!r}; {kept}. Lower the learning rate (by a "
        "factor of 10 at first), or bring the features to a similar scale (standardize = true does)."
    )
