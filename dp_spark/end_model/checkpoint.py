"""The state of a training run between two steps: one .npz file that needs no pickle.

Worker 0 writes it to storage that all workers share. Every attempt of a run has a directory of its own, so
that an attempt that was given up but still lives cannot touch what a newer one reads. The file is written under a
temporary name and renamed; a small JSON file that names it and holds its SHA-256 follows.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from dp_spark.end_model.files import delete_file, list_names, read_file, replace_file
from dp_spark.errors import TrainingError

NUM_KEPT = 2  # an attempt that was told to start from the last one finds it, also if this attempt still lives
_PREFIX, _DESCRIPTION = "checkpoint-", ".json"

Metrics = Mapping[str, float]
Arrays = tuple[npt.NDArray[np.generic], ...]


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on as if nothing had happened.

    Attributes:
        step: steps done of the epoch that is not done yet.
        sums: of these steps, as `objective.Sums` has them: (4,) float64.
        history: the metrics of every epoch that is done.
        variables: the model's and the optimizer's variables, in their order.
        best: the model's variables after the epoch with the lowest validation loss; empty without early
            stopping.
        is_finished: whether training has ended before the last epoch.
    """

    step: int
    sums: npt.NDArray[np.float64]
    history: tuple[Metrics, ...]
    variables: Arrays
    best: Arrays = ()
    is_finished: bool = False


@dataclass(frozen=True, order=True)
class CheckpointFile:
    """Where a checkpoint lies, and which one it is; a later one is greater.

    Attributes:
        num_epochs: epochs done.
        step: steps done of the next one.
        path: of the .npz file.
        digest: its SHA-256.
    """

    num_epochs: int
    step: int
    path: str
    digest: str


def write_checkpoint(directory: str, checkpoint: Checkpoint) -> None:
    """Write an attempt's checkpoint; the attempt keeps its last two.

    Args:
        directory: of this attempt; no other process writes there.
        checkpoint: the state.

    Raises:
        OSError: if the storage refuses, with the path.
    """
    about = {
        "step": checkpoint.step,
        "history": list(map(dict, checkpoint.history)),
        "num_best": len(checkpoint.best),
        "is_finished": checkpoint.is_finished,
    }
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    np.savez(buffer, text, checkpoint.sums, *checkpoint.variables, *checkpoint.best)
    name = f"{_PREFIX}{len(checkpoint.history):06d}-{checkpoint.step:09d}"
    replace_file(f"{directory}/{name}.npz", buffer.getvalue())
    description = {
        "file": f"{name}.npz",
        "digest": hashlib.sha256(buffer.getbuffer()).hexdigest(),
        "num_epochs": len(checkpoint.history),
        "step": checkpoint.step,
    }
    replace_file(f"{directory}/{name}{_DESCRIPTION}", json.dumps(description).encode())
    for older in sorted(filter(is_description, list_names(directory)))[:-NUM_KEPT]:
        for ending in (_DESCRIPTION, ".npz"):
            delete_file(f"{directory}/{older.removesuffix(_DESCRIPTION)}{ending}")


def is_description(name: str) -> bool:
    """Whether a file describes a complete checkpoint; of two the later one has the greater name."""
    return name.startswith(_PREFIX) and name.endswith(_DESCRIPTION)


def checkpoint_file(directory: str, description: bytes) -> CheckpointFile:
    """Which checkpoint a JSON file describes.

    Args:
        directory: of the attempt.
        description: the content of the file.
    """
    content = json.loads(description)
    path = f"{directory}/{content['file']}"
    return CheckpointFile(content["num_epochs"], content["step"], path, content["digest"])


def read_checkpoint(file: CheckpointFile, shapes: Sequence[tuple[int, ...]]) -> Checkpoint:
    """The checkpoint in a file.

    Args:
        file: which one.
        shapes: of the variables, as the model and the optimizer have them.

    Raises:
        FileNotFoundError: if the file is not there; another attempt may find a newer one.
        TrainingError: if it is damaged, or belongs to another model.
    """
    content = read_file(file.path)
    if content is None:
        raise FileNotFoundError(
            f"the checkpoint {file.path} is not there for this worker: expected it on storage that all workers "
            "share. Write the training set to a shared file system or an object store."
        )
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.digest:
        raise TrainingError(
            f"the checkpoint {file.path} has the SHA-256 {digest}: expected {file.digest}. The file was altered or "
            "damaged; delete its directory to train anew."
        )
    checkpoint = _parsed(content, file.path)
    found = [value.shape for value in checkpoint.variables]
    if found != list(shapes):
        raise TrainingError(
            f"the checkpoint {file.path} is of another model: it holds variables of the shapes {found}, expected "
            f"{list(shapes)}. Make the model function deterministic, or delete its directory to train anew."
        )
    return checkpoint


def _parsed(content: bytes, path: str) -> Checkpoint:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            text, sums, *variables = (arrays[f"arr_{index}"] for index in range(len(arrays.files)))
        about = json.loads(text.tobytes())
        first_best = len(variables) - about["num_best"]
        return Checkpoint(
            step=about["step"],
            sums=sums,
            history=tuple(about["history"]),
            variables=tuple(variables[:first_best]),
            best=tuple(variables[first_best:]),
            is_finished=about["is_finished"],
        )
    except (ValueError, KeyError, OSError, BadZipFile) as problem:
        raise TrainingError(
            f"the checkpoint {path} is damaged: {problem!r}. Delete its directory to train anew."
        ) from problem
