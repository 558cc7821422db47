"""What one training process does: build, go on where an earlier attempt was, train, save.  (docs/training.md)"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from dp_spark.end_model.callbacks import Hooks, make_hooks
from dp_spark.end_model.checkpoint import Checkpoint, read_checkpoint
from dp_spark.end_model.collective import Collective
from dp_spark.end_model.dataset import training_dataset
from dp_spark.end_model.epochs import Trainee, train_epochs
from dp_spark.end_model.feed import Feed, open_feed
from dp_spark.end_model.job import HISTORY_FILE, WorkerJob
from dp_spark.end_model.model import build_model
from dp_spark.end_model.objective import NUM_SUMS, SumsArray
from dp_spark.end_model.optimizer import make_optimizer
from dp_spark.end_model.progress import Progress, Reporter
from dp_spark.end_model.saving import save_model
from dp_spark.end_model.scalars import Scalars
from dp_spark.end_model.state import assign, number_of_worker_0, take_from_worker_0
from dp_spark.end_model.step import Steps, make_evaluation, make_steps
from dp_spark.end_model.tensorflow_collective import set_devices


def train(job: WorkerJob, collective: Collective) -> None:
    """Train, and leave the model and its history in the output directory if this is rank 0.

    Args:
        job: what to do.
        collective: the other processes.

    Raises:
        ConfigError: if the user's model cannot be built, or not be saved and loaded.
        DivergedError: if the loss or a weight is NaN or infinite, or the loss explodes.
        TrainingError: if another process is lost, or the checkpoint is unusable.
        OSError: if a checkpoint cannot be written.
    """
    training, is_first = job.training, job.rank == 0
    _set_up(job)
    reporter = Reporter(training.attempt_directory if is_first else None)
    reporter.tell(Progress("joined"), at_once=True)
    model = build_model(training.inputs, training.settings)
    feed = open_feed(training.manifest, training.settings, job.rank)
    optimizer = make_optimizer(training.settings, training.settings.num_epochs * feed.num_steps)
    optimizer.build(model.trainable_variables)
    state = _start(job, collective, [*model.variables, *optimizer.variables])
    callbacks = training.settings.callbacks if is_first else ""
    hooks = make_hooks(callbacks, model, optimizer, training.settings.num_epochs)
    trainee = Trainee(
        job=job,
        collective=collective,
        model=model,
        optimizer=optimizer,
        num_steps=feed.num_steps,
        rows_per_step=feed.num_rows / feed.num_steps,
        run_steps=_steps(job, make_steps(model, optimizer, collective, training.class_weights), feed, state),
        evaluate=_evaluation(job, collective, model) if training.settings.validation_share else None,
        hooks=hooks,
        is_stepwise=_sees_steps(job, collective, hooks),
        reporter=reporter,
        scalars=Scalars(training.settings.tensorboard if is_first else "", job.output_directory),
    )
    state = train_epochs(trainee, state)
    if is_first:
        num_epochs = len(state.history)
        last = Progress("trained", num_epochs, num_epochs=num_epochs, metrics=state.history[-1])
        reporter.tell(last, at_once=True)
        save_model(model, training.inputs, job.output_directory)
        (Path(job.output_directory) / HISTORY_FILE).write_text(json.dumps(list(map(dict, state.history))))


def _set_up(job: WorkerJob) -> None:
    set_devices(job.num_threads)
    keras.config.set_dtype_policy(job.training.settings.precision)
    keras.utils.set_random_seed(job.training.settings.seed)  # this process does nothing else


def _start(job: WorkerJob, collective: Collective, variables: list[keras.Variable]) -> Checkpoint:
    """Give all processes the same variables: the checkpoint's, or worker 0's."""
    file = job.training.resume_from
    if file is None:
        take_from_worker_0(variables, collective, job.rank)
        return Checkpoint(0, np.zeros(NUM_SUMS), (), ())
    state = read_checkpoint(file, [tuple(variable.shape) for variable in variables])
    assign(variables, state.variables)
    return replace(state, variables=())


def _steps(
    job: WorkerJob, run: Steps, feed: Feed, state: Checkpoint
) -> Callable[[int, SumsArray], SumsArray]:
    """`run` on the batches that come after `state`."""
    training, done = job.training, len(state.history)
    dataset = training_dataset(
        feed, training.inputs, done, training.settings.num_epochs, first_step=state.step
    )
    batches = iter(dataset)

    def run_steps(count: int, sums: SumsArray) -> SumsArray:
        return np.asarray(run(batches, tf.constant(count, tf.int64), tf.constant(sums, tf.float64)))

    return run_steps


def _evaluation(job: WorkerJob, collective: Collective, model: keras.Model) -> Callable[[], SumsArray]:
    """A function that returns the sums over the validation rows of all processes."""
    training = job.training
    feed = open_feed(training.manifest, training.settings, job.rank, part="validation")
    evaluate = make_evaluation(model, training.class_weights)

    def evaluated() -> SumsArray:
        sums = np.zeros(NUM_SUMS)
        for batch in training_dataset(feed, training.inputs, 0, 1):
            sums += np.asarray(evaluate(*batch), np.float64)
        return collective.all_reduce(sums.astype(np.float32)).astype(np.float64)

    return evaluated


def _sees_steps(job: WorkerJob, collective: Collective, hooks: Hooks) -> bool:
    """Whether the callbacks of worker 0 are called at every step; the same answer in all processes."""
    if not job.training.settings.callbacks:
        return False
    return bool(number_of_worker_0(hooks.is_per_batch, collective, job.rank))
