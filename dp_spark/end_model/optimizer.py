"""The optimizer that the settings ask for, and how its learning rate moves."""

import keras
import tensorflow as tf

from dp_spark.end_model.settings import TrainingSettings

_HALF_PRECISION = "mixed_float16"


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc] # Keras has no types
    """Up from 0 over the warm-up, then down to 0 along a cosine or a line, or level."""

    def __init__(self, settings: TrainingSettings, num_steps: int) -> None:
        super().__init__()
        self._settings = settings
        self._num_steps = num_steps
        self._num_warmup = round(settings.warmup_share * num_steps)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        done = tf.cast(step, tf.float32)
        warm = tf.minimum(1.0, (done + 1) / max(1, self._num_warmup))
        after = max(1, self._num_steps - self._num_warmup)
        share = tf.clip_by_value((done - self._num_warmup) / after, 0.0, 1.0)
        kinds = {
            "cosine": 0.5 * (1 + tf.cos(3.141592653589793 * share)),
            "linear": 1 - share,
            "constant": tf.ones_like(share),
        }
        return self._settings.learning_rate * warm * kinds[self._settings.schedule]

    def get_config(self) -> dict[str, object]:
        """Nothing: the optimizer is never saved."""
        return {}


def make_optimizer(settings: TrainingSettings, num_steps: int) -> keras.Optimizer:
    """The optimizer.

    A constant learning rate is a variable, which callbacks may change.

    Args:
        settings: which one.
        num_steps: of the whole run, over which the learning rate falls.
    """
    is_constant = settings.schedule == "constant" and not settings.warmup_share
    rate = settings.learning_rate if is_constant else _Schedule(settings, num_steps)
    kinds = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    optimizer = kinds[settings.optimizer](learning_rate=rate)
    if settings.precision == _HALF_PRECISION:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def learning_rate(optimizer: keras.Optimizer) -> float:
    """The learning rate of the next step."""
    return float(keras.ops.convert_to_numpy(_inner(optimizer).learning_rate))


def learning_rate_variables(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """The learning rate as a variable, which callbacks may change; none if a schedule moves it."""
    rate = _inner(optimizer).learning_rate
    return [rate] if isinstance(rate, keras.Variable) else []


def _inner(optimizer: keras.Optimizer) -> keras.Optimizer:
    return getattr(optimizer, "inner_optimizer", optimizer)
