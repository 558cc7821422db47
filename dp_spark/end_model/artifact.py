"""The end model as it ships: the Keras file and what is needed to apply it; no Spark, no TensorFlow.

On storage it is a directory: model.keras, and end_model.json, which is written last and holds the
Keras file's SHA-256.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import MissingResultError, SchemaError
from dp_spark.labeling.votes import NEGATIVE, POSITIVE
from dp_spark.labels.manifest import InputKind

MODEL_FILE = "model.keras"
DESCRIPTION_FILE = "end_model.json"
FORMAT_VERSION = 1
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class EndModel:
    """A trained end model.

    Attributes:
        model_bytes: the content of a .keras file; the model returns one logit.
        kind: what the model takes.
        columns: the columns of the training table that it was trained on; applied to the same ones.
        num_features: d; 0 for text.
        history: the metrics of every epoch: loss, accuracy, and what else was measured.
        settings: how it was trained.
        manifest_digest: which training set.
        versions: of the packages that trained it.
        classes: the votes that the two outcomes stand for.
        threshold: the second class is predicted from this probability on.
    """

    model_bytes: bytes
    kind: InputKind
    columns: tuple[str, ...]
    num_features: int
    history: tuple[Mapping[str, float], ...]
    settings: TrainingSettings
    manifest_digest: str
    versions: Mapping[str, str]
    classes: tuple[int, int] = (NEGATIVE, POSITIVE)
    threshold: float = DEFAULT_THRESHOLD

    @property
    def digest(self) -> str:
        """The SHA-256 of the Keras file."""
        return hashlib.sha256(self.model_bytes).hexdigest()

    def save(self, directory: str | Path) -> None:
        """Write the model to a local directory; elsewhere use `save_end_model`."""
        save_end_model(_LocalFiles(), str(directory), self)

    @staticmethod
    def load(directory: str | Path) -> "EndModel":
        """Read the model from a local directory; raises as `load_end_model`."""
        return load_end_model(_LocalFiles(), str(directory))


class FileStore(Protocol):
    """Where files lie: `dp_spark.storage.Storage`, or this machine."""

    def exists(self, path: str) -> bool:
        """Whether a file is there."""

    def read_bytes(self, path: str) -> bytes:
        """The content of a file."""

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write a file, replacing one that is there."""


def save_end_model(storage: FileStore, directory: str, end_model: EndModel) -> None:
    """Write an end model; its description is written last.

    Args:
        storage: the files.
        directory: where to; model files in it are replaced.
        end_model: the model.
    """
    content = asdict(end_model) | {"version": FORMAT_VERSION, "digest": end_model.digest}
    del content["model_bytes"]
    storage.write_bytes(f"{directory}/{MODEL_FILE}", end_model.model_bytes)
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    storage.write_bytes(f"{directory}/{DESCRIPTION_FILE}", text.encode())


def load_end_model(storage: FileStore, directory: str) -> EndModel:
    """The end model that `save_end_model` wrote. Nothing of it is run.

    Raises:
        MissingResultError: if there is none, or its write did not finish.
        SchemaError: if it is of another version, or the Keras file is not the one described.
    """
    description = f"{directory}/{DESCRIPTION_FILE}"
    if not storage.exists(description):
        raise MissingResultError(
            f"{directory} holds no complete end model: {DESCRIPTION_FILE}, which is written last, is not "
            "there. Run the stage that trains it."
        )
    end_model, digest = _parsed(storage.read_bytes(description), directory, storage)
    if end_model.digest != digest:
        raise SchemaError(
            f"{directory}/{MODEL_FILE} has the SHA-256 {end_model.digest}: expected {digest}, as "
            f"{DESCRIPTION_FILE} says. The file was altered or damaged; train again or restore it."
        )
    return end_model


def _parsed(description: bytes, directory: str, storage: FileStore) -> tuple[EndModel, str]:
    try:
        content = json.loads(description)
        version, digest = content.pop("version"), content.pop("digest")
        if version != FORMAT_VERSION:
            raise SchemaError(
                f"the end model in {directory} has format version {version}: expected {FORMAT_VERSION}. "
                "Train it again with this version of dp_spark."
            )
        content["settings"] = TrainingSettings(**content["settings"])
        for name in ("columns", "history", "classes"):
            content[name] = tuple(content[name])
        model_bytes = storage.read_bytes(f"{directory}/{MODEL_FILE}")
        return EndModel(model_bytes=model_bytes, **content), digest
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise SchemaError(
            f"{directory}/{DESCRIPTION_FILE} does not describe an end model: {problem!r}. Train it again."
        ) from problem


@dataclass(frozen=True)
class _LocalFiles:
    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def read_bytes(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def write_bytes(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
