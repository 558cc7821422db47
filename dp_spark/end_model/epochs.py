"""The epochs of a training run in one process: steps, checkpoints, validation, and when to stop.

State that is not trained but is a number, such as the averages of BatchNormalization, is averaged over
the processes at every checkpoint. Such layers, and dropout, see each process's rows alone, so that
with them a run depends on the number of workers; without them it does not, beyond the rounding of sums.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np

from dp_spark.end_model.callbacks import Hooks
from dp_spark.end_model.checkpoint import Checkpoint, Metrics, write_checkpoint
from dp_spark.end_model.collective import Collective
from dp_spark.end_model.divergence import refuse_divergence, refuse_not_finite
from dp_spark.end_model.early_stopping import has_stopped, is_best
from dp_spark.end_model.job import WorkerJob
from dp_spark.end_model.objective import NUM_SUMS, SumsArray, accuracy, mean_loss
from dp_spark.end_model.optimizer import learning_rate, learning_rate_variables
from dp_spark.end_model.progress import Progress, Reporter
from dp_spark.end_model.scalars import Scalars
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.state import assign, average, number_of_worker_0, take_from_worker_0, values_of

SECONDS_PER_CALL = 1.0  # how long TensorFlow runs before worker 0 reports progress
_FIRST_STEPS = 4  # of the first call, whose duration nothing tells yet
_MAX_STEPS = 1 << 20  # per call


@dataclass(frozen=True)
class Trainee:
    """What one process trains with.

    Attributes:
        job, collective: what to do, and the other processes.
        model, optimizer: plain Keras.
        num_steps: per epoch.
        rows_per_step: of all workers, in the mean.
        run_steps: takes a number of steps and the sums so far, and returns the sums after them.
        evaluate: returns the sums over the validation rows of all processes; None without such rows.
        hooks: the user's callbacks; none in workers other than 0.
        is_stepwise: whether worker 0 has callbacks that are called at every step.
        reporter, scalars: for people who watch.
    """

    job: WorkerJob
    collective: Collective
    model: keras.Model
    optimizer: keras.Optimizer
    num_steps: int
    rows_per_step: float
    run_steps: Callable[[int, SumsArray], SumsArray]
    evaluate: Callable[[], SumsArray] | None
    hooks: Hooks
    is_stepwise: bool
    reporter: Reporter
    scalars: Scalars

    @property
    def settings(self) -> TrainingSettings:
        """How to train."""
        return self.job.training.settings

    @property
    def variables(self) -> list[keras.Variable]:
        """All that training changes."""
        return [*self.model.variables, *self.optimizer.variables]


def train_epochs(trainee: Trainee, state: Checkpoint) -> Checkpoint:
    """Train to the end of the run; the model then holds the weights to keep.

    Args:
        trainee: what to train.
        state: where to go on; its variables are assigned already.

    Returns:
        The last state, without variables.

    Raises:
        DivergedError: if the loss or a weight is NaN or infinite, or the loss explodes.
    """
    trainee.hooks.train_begins()
    _follow_worker_0(trainee, trainee.variables)
    while len(state.history) < trainee.settings.num_epochs and not state.is_finished:
        state = _train_epoch(trainee, state)
    if state.best:
        assign(trainee.model.variables, state.best)
    trainee.hooks.train_ended()
    return state


def _train_epoch(trainee: Trainee, state: Checkpoint) -> Checkpoint:
    started, epoch, first_step = time.monotonic(), len(state.history), state.step
    trainee.hooks.epoch_begins(epoch)
    _follow_worker_0(trainee, trainee.variables)
    while state.step < trainee.num_steps:
        state = _train_to(trainee, state, _next_stop(trainee, state.step))
        average(trainee.model.non_trainable_variables, trainee.collective, trainee.settings.num_workers)
        refuse_divergence(state, trainee.model, trainee.settings)
        if state.step < trainee.num_steps:
            _keep(trainee, state)
    metrics = _metrics(trainee, state.sums)
    trainee.hooks.epoch_ended(epoch, metrics)
    is_ended = _follow_worker_0(trainee, trainee.variables)
    state = _after_epoch(trainee, state, metrics, is_ended)
    _keep(trainee, state)
    if trainee.job.rank == 0:
        seconds = time.monotonic() - started
        trainee.scalars.write(epoch + 1, metrics)
        rows = (trainee.num_steps - first_step) * trainee.rows_per_step
        _tell(trainee, state, rows / seconds, at_once=True)
        shown = " ".join(f"{name}={value:.6g}" for name, value in metrics.items())
        sys.stdout.write(f"epoch {epoch + 1}/{trainee.settings.num_epochs} {shown} {seconds:.2f}s\n")
        sys.stdout.flush()
    return state


def _after_epoch(trainee: Trainee, state: Checkpoint, metrics: Metrics, is_ended: bool) -> Checkpoint:
    history, patience = (*state.history, metrics), trainee.settings.early_stopping_patience
    has_improved = patience > 0 and is_best(history)
    return Checkpoint(
        step=0,
        sums=np.zeros(NUM_SUMS),
        history=history,
        variables=(),
        best=values_of(trainee.model.variables) if has_improved else state.best,
        is_finished=is_ended or has_stopped(history, patience),
    )


def _next_stop(trainee: Trainee, step: int) -> int:
    """The step at which the next checkpoint is due; the same in all processes."""
    interval = trainee.settings.checkpoint_steps or trainee.num_steps
    return min((step // interval + 1) * interval, trainee.num_steps)


def _train_to(trainee: Trainee, state: Checkpoint, stop: int) -> Checkpoint:
    """Take the steps up to `stop`, in calls of about a second, between which worker 0 reports."""
    if trainee.is_stepwise:
        return _train_stepwise(trainee, state, stop)
    count = _FIRST_STEPS
    while state.step < stop:
        # TensorFlow's collective pairs the sums of a call by their position in it
        count = int(number_of_worker_0(count, trainee.collective, trainee.job.rank))
        count = min(count, stop - state.step)
        started = time.monotonic()
        state = replace(state, step=state.step + count, sums=trainee.run_steps(count, state.sums))
        seconds = max(time.monotonic() - started, 1e-6)
        refuse_not_finite(state, trainee.settings)
        _tell(trainee, state, count * trainee.rows_per_step / seconds)
        count = min(max(1, round(count * SECONDS_PER_CALL / seconds)), _MAX_STEPS)
    return state


def _train_stepwise(trainee: Trainee, state: Checkpoint, stop: int) -> Checkpoint:
    """Take the steps up to `stop` one by one, for callbacks that are called at each.

    Of what they change, the learning rate reaches the other workers at once.
    """
    rates = learning_rate_variables(trainee.optimizer)
    while state.step < stop:
        trainee.hooks.batch_begins(state.step)
        _follow_worker_0(trainee, rates)
        state = replace(state, step=state.step + 1, sums=trainee.run_steps(1, state.sums))
        refuse_not_finite(state, trainee.settings)
        trainee.hooks.batch_ended(state.step - 1, mean_loss(state.sums))
        _tell(trainee, state)
    return state


def _follow_worker_0(trainee: Trainee, variables: list[keras.Variable]) -> bool:
    """Give all processes what callbacks did in worker 0; returns whether they end the training."""
    if not trainee.settings.callbacks:
        return False
    take_from_worker_0(variables, trainee.collective, trainee.job.rank)
    return bool(number_of_worker_0(trainee.hooks.wants_to_stop, trainee.collective, trainee.job.rank))


def _metrics(trainee: Trainee, sums: SumsArray) -> Metrics:
    """The metrics of an epoch, the same in all processes."""
    found = {"loss": mean_loss(sums), "accuracy": accuracy(sums)}
    if trainee.evaluate is not None:
        validation = trainee.evaluate()
        found |= {"validation_loss": mean_loss(validation), "validation_accuracy": accuracy(validation)}
    return found | {"learning_rate": learning_rate(trainee.optimizer)}


def _keep(trainee: Trainee, state: Checkpoint) -> None:
    if trainee.job.rank == 0:
        write_checkpoint(
            trainee.job.training.attempt_directory, replace(state, variables=values_of(trainee.variables))
        )


def _tell(
    trainee: Trainee, state: Checkpoint, rows_per_second: float = 0.0, *, at_once: bool = False
) -> None:
    progress = Progress(
        phase="training",
        epoch=len(state.history),
        step=state.step,
        num_epochs=trainee.settings.num_epochs,
        num_steps=trainee.num_steps,
        rows_per_second=rows_per_second,
        loss=mean_loss(state.sums),
        metrics=state.history[-1] if state.history else None,
    )
    trainee.reporter.tell(progress, at_once=at_once)
