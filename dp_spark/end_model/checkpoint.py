"""The state of a training run after an epoch: one .npz file that needs no pickle.

Rank 0 writes it to storage that all workers share, under a temporary name that is then renamed; after a
failure every worker reads it and goes on with the next epoch, bit for bit as if nothing had happened.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from dp_spark.end_model.files import read_file, replace_file
from dp_spark.errors import TrainingError

CHECKPOINT_FILE = "checkpoint.npz"


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on.

    Attributes:
        history: the loss of every epoch that is done.
        variables: the model's and the optimizer's variables, in their order.
    """

    history: tuple[float, ...]
    variables: tuple[npt.NDArray[np.generic], ...]


def write_checkpoint(run_directory: str, checkpoint: Checkpoint) -> None:
    """Replace the run's checkpoint."""
    buffer = io.BytesIO()
    np.savez(buffer, np.array(checkpoint.history, dtype=np.float64), *checkpoint.variables)
    replace_file(f"{run_directory}/{CHECKPOINT_FILE}", buffer.getvalue())


def read_checkpoint(run_directory: str, shapes: Sequence[tuple[int, ...]]) -> Checkpoint | None:
    """The run's checkpoint, or None if no epoch is done.

    Args:
        run_directory: of this run.
        shapes: of the variables, as the model and the optimizer have them.

    Raises:
        TrainingError: if the file is damaged or belongs to another model.
    """
    content = read_file(f"{run_directory}/{CHECKPOINT_FILE}")
    if content is None:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            losses, *variables = (arrays[f"arr_{index}"] for index in range(len(arrays.files)))
    except (ValueError, KeyError, OSError, BadZipFile) as problem:
        raise TrainingError(
            f"the checkpoint in {run_directory} is damaged: {problem!r}. Train anew."
        ) from problem
    if [value.shape for value in variables] != list(shapes):
        raise TrainingError(
            f"the checkpoint in {run_directory} holds other variables than this model: expected the shapes "
            f"{list(shapes)}. Make the model function deterministic, or train anew."
        )
    return Checkpoint(tuple(losses.tolist()), tuple(variables))
