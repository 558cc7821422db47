"""The variables of a training run, made the same in all its processes."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from dp_spark.end_model.collective import Alone, Collective, Vector

Variables = Sequence[keras.Variable]


def values_of(variables: Variables) -> tuple[npt.NDArray[np.generic], ...]:
    """The variables as arrays."""
    return tuple(np.asarray(keras.ops.convert_to_numpy(variable)) for variable in variables)


def assign(variables: Variables, values: Sequence[npt.NDArray[np.generic]]) -> None:
    """Set the variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def take_from_worker_0(variables: Variables, collective: Collective, rank: int) -> None:
    """Give all processes worker 0's numbers; whole numbers, such as step counts, are the same anyway."""
    if not isinstance(collective, Alone):
        _reduce(_floats(variables), collective, 1.0 if rank == 0 else 0.0)


def number_of_worker_0(number: float, collective: Collective, rank: int) -> float:
    """Worker 0's number, a whole one of at most 2^24, in all processes."""
    own = np.array([number if rank == 0 else 0], np.float32)
    return float(collective.all_reduce(own)[0])


def average(variables: Variables, collective: Collective, num_workers: int) -> None:
    """Give all processes the mean of state that each has gathered over its own rows."""
    if not isinstance(collective, Alone):
        _reduce(_floats(variables), collective, 1 / num_workers)


def _floats(variables: Variables) -> list[keras.Variable]:
    return [variable for variable in variables if "float" in keras.backend.standardize_dtype(variable.dtype)]


def _reduce(variables: Variables, collective: Collective, share: float) -> None:
    """Replace the variables by the sum over the processes of `share` times their own."""
    if not variables:
        return
    own = [np.ravel(value).astype(np.float32) for value in values_of(variables)]
    flat: Vector = np.concatenate(own) if share else np.zeros(sum(map(len, own)), np.float32)
    total = collective.all_reduce(flat * np.float32(share))
    ends = np.cumsum([int(np.prod(variable.shape)) for variable in variables])
    for variable, values in zip(variables, np.split(total, ends[:-1]), strict=True):
        variable.assign(values.reshape(variable.shape))
