"""The training loop of one process: a plain Keras model and one collective per step.

Every step sums one flat vector over the processes, [gradients..., loss sum, weight sum], and divides by
the weight sum: exact whatever the padding, and one round trip. A whole epoch runs inside one
`tf.function`.  (docs/training.md)

State that is not trained but is a number, such as the averages of BatchNormalization, is averaged over
the processes at the end of every epoch. Such layers, and dropout, see each process's rows alone, so that
with them a run depends on the number of workers; without them it does not, beyond the rounding of sums.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from dp_spark.end_model.artifact import MODEL_FILE
from dp_spark.end_model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from dp_spark.end_model.collective import Alone, Collective, Vector
from dp_spark.end_model.dataset import training_dataset
from dp_spark.end_model.feed import open_feed
from dp_spark.end_model.job import HISTORY_FILE, WorkerJob
from dp_spark.end_model.model import build_model, example_inputs, noise_aware_loss
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.tensorflow_collective import TensorFlowCollective, set_threads
from dp_spark.errors import ConfigError, DivergedError, TrainingError

RunEpoch = Callable[[], float]
Flow = Callable[[tf.Tensor], tf.Tensor]


def train(job: WorkerJob, collective: Collective) -> None:
    """Train, and leave the model and its history in the output directory if this is rank 0.

    Args:
        job: what to do.
        collective: the other processes.

    Raises:
        ConfigError: if the user's model cannot be built, or not be saved and loaded.
        DivergedError: if the loss or a weight is NaN or infinite.
        TrainingError: if another process is lost, or the checkpoint is unusable.
    """
    set_threads(job.num_threads)
    settings = job.training.settings
    keras.utils.set_random_seed(settings.seed)  # this process does nothing else
    model = build_model(job.training.inputs, settings)
    feed = open_feed(job.training.manifest, settings, job.rank)
    optimizer = _optimizer(settings, num_steps=settings.num_epochs * feed.num_steps)
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    history = _start(job, collective, variables)
    dataset = training_dataset(feed, job.training.inputs, len(history), settings.num_epochs)
    run_epoch = _epoch_function(model, optimizer, iter(dataset), feed.num_steps, collective)
    for epoch in range(len(history), settings.num_epochs):
        started = time.monotonic()
        loss = run_epoch()
        _average_state(model, collective)
        _refuse_divergence(model, loss, epoch, settings)
        history.append(loss)
        if job.rank == 0:
            state = tuple(np.asarray(variable.numpy()) for variable in variables)
            write_checkpoint(job.training.run_directory, Checkpoint(tuple(history), state))
            seconds = time.monotonic() - started
            sys.stdout.write(f"epoch {epoch + 1}/{settings.num_epochs} loss={loss:.6f} {seconds:.2f}s\n")
            sys.stdout.flush()
    if job.rank == 0:
        _save(model, history, job)


def _optimizer(settings: TrainingSettings, num_steps: int) -> keras.Optimizer:
    kinds = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    rate: float | keras.optimizers.schedules.LearningRateSchedule = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=num_steps)
    return kinds[settings.optimizer](learning_rate=rate)


def _start(job: WorkerJob, collective: Collective, variables: Sequence[keras.Variable]) -> list[float]:
    """Give all processes the same variables: the checkpoint's, or rank 0's. Returns the epochs done."""
    shapes = [tuple(variable.shape) for variable in variables]
    checkpoint = read_checkpoint(job.training.run_directory, shapes)
    num_workers = job.training.settings.num_workers
    done = len(checkpoint.history) if checkpoint else 0
    total = float(collective.all_reduce(np.array([done], np.float32))[0])
    if total != done * num_workers:
        raise TrainingError(
            f"worker {job.rank} sees a checkpoint after epoch {done}, another one does not: "
            f"{job.training.run_directory} is not on storage that all workers share. Write the training set "
            "to a shared file system or an object store."
        )
    if checkpoint:
        for variable, value in zip(variables, checkpoint.variables, strict=True):
            variable.assign(value)
        return list(checkpoint.history)
    share_of_rank_0 = 1.0 if job.rank == 0 else 0.0
    _reduce_variables(_float_variables(variables), collective, share_of_rank_0)
    return []


def _epoch_function(
    model: keras.Model,
    optimizer: keras.Optimizer,
    batches: tf.data.Iterator,
    num_steps: int,
    collective: Collective,
) -> RunEpoch:
    """A function that trains for one epoch and returns its mean loss over all processes."""
    step = _step_function(model, optimizer, _in_graph(collective))

    @tf.function  # type: ignore[untyped-decorator]
    def run(iterator: tf.data.Iterator) -> tf.Tensor:
        total = tf.zeros(2)
        for _ in tf.range(num_steps):
            total += step(*next(iterator))
        return total[0] / total[1]

    return lambda: float(run(batches))


def _in_graph(collective: Collective) -> Flow:
    """The collective as a TensorFlow operation; the identity for a single process."""
    if isinstance(collective, Alone):
        return lambda flat: flat
    if isinstance(collective, TensorFlowCollective):
        return collective.all_reduce_in_graph

    def reduce(flat: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(collective.all_reduce, [flat], tf.float32), flat.shape)

    return reduce


def _step_function(
    model: keras.Model, optimizer: keras.Optimizer, reduce: Flow
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function that takes one step and returns [loss sum, weight sum] over all processes."""
    variables = model.trainable_variables
    sizes = [int(np.prod(variable.shape)) for variable in variables]

    def step(inputs: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(inputs, training=True)[:, 0], tf.float32)
            loss, weight = noise_aware_loss(labels, logits, weights), tf.reduce_sum(weights)
            objective = loss + weight * tf.add_n(model.losses) if model.losses else loss
        targets = [variable.value for variable in variables]
        gradients = tape.gradient(objective, targets, unconnected_gradients="zero")
        parts = [tf.reshape(tf.cast(gradient, tf.float32), [-1]) for gradient in gradients]
        *sums, totals = tf.split(reduce(tf.concat([*parts, [loss, weight]], 0)), [*sizes, 2])
        means = [
            tf.cast(tf.reshape(part / totals[1], variable.shape), variable.dtype)
            for part, variable in zip(sums, variables, strict=True)
        ]
        optimizer.apply(means, variables)
        return totals

    return step


def _average_state(model: keras.Model, collective: Collective) -> None:
    state = _float_variables(model.non_trainable_variables)
    if state and not isinstance(collective, Alone):
        num_workers = float(collective.all_reduce(np.ones(1, np.float32))[0])
        _reduce_variables(state, collective, 1 / num_workers)


def _float_variables(variables: Sequence[keras.Variable]) -> list[keras.Variable]:
    return [variable for variable in variables if "float" in keras.backend.standardize_dtype(variable.dtype)]


def _reduce_variables(variables: Sequence[keras.Variable], collective: Collective, share: float) -> None:
    """Replace the variables by the sum over the processes of `share` times their own."""
    flat: Vector = np.concatenate([np.ravel(variable.numpy()) for variable in variables]).astype(np.float32)
    total = collective.all_reduce(flat * np.float32(share))
    ends = np.cumsum([int(np.prod(variable.shape)) for variable in variables])
    for variable, values in zip(variables, np.split(total, ends[:-1]), strict=True):
        variable.assign(values.reshape(variable.shape))


def _refuse_divergence(model: keras.Model, loss: float, epoch: int, settings: TrainingSettings) -> None:
    if np.isfinite(loss) and all(
        np.isfinite(variable.numpy()).all() for variable in model.trainable_variables
    ):
        return
    raise DivergedError(
        f"training diverged in epoch {epoch + 1}: the loss is {loss}, with learning_rate="
        f"{settings.learning_rate:g} and optimizer={settings.optimizer!r}. Lower the learning rate (by a "
        "factor of 10 at first), or bring the features to a similar scale, such as mean 0 and variance 1."
    )


def _save(model: keras.Model, history: list[float], job: WorkerJob) -> None:
    """Save, then load again: a model that only this process can load is of no use."""
    path = Path(job.output_directory) / MODEL_FILE
    model.save(path)
    example = example_inputs(job.training.inputs)
    try:
        loaded = keras.models.load_model(path, compile=False, safe_mode=True)
        difference = np.abs(np.asarray(loaded(example)) - np.asarray(model(example))).max()
    except (ValueError, TypeError) as problem:
        raise ConfigError(
            f"the trained model cannot be loaded again: {problem}. Register your own layers with "
            "keras.saving.register_keras_serializable, give them get_config, and use no lambdas."
        ) from problem
    if difference > 1e-5:
        raise ConfigError(
            f"the trained model changes its predictions by {difference:g} when saved and loaded: expected 0. "
            "Let your layers save all their weights and settings."
        )
    (Path(job.output_directory) / HISTORY_FILE).write_text(json.dumps(history))
