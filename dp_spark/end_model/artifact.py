"""The end model as it ships: the Keras file and what is needed to apply it; no Spark, no TensorFlow.

On storage it is a directory: model.keras; history.parquet, a row for each epoch; and end_model.json, which
is written last, is all that loading needs beside the Keras file, and holds that file's SHA-256.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.local_files import LocalFiles, replaced_directory
from dp_spark.end_model.notebook import end_model_html, end_model_text
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import MissingResultError, SchemaError
from dp_spark.labeling.votes import NEGATIVE, POSITIVE
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import ShardManifest

MODEL_FILE = "model.keras"
HISTORY_TABLE = "history.parquet"
DESCRIPTION_FILE = "end_model.json"
FORMAT_VERSION = 2
DEFAULT_THRESHOLD = 0.5

History = tuple[Mapping[str, float], ...]


@dataclass(frozen=True, repr=False)
class EndModel:
    """A trained end model.

    Attributes:
        model_bytes: the content of a .keras file; the model returns logits.
        inputs: what the model takes and returns.
        columns: the columns of the training table that it was trained on; applied to the same ones.
        history: the metrics of every epoch by name: loss, accuracy, and what else was measured.
        settings: how it was trained.
        manifest_digest: which training set.
        versions: of the packages that trained it.
        classes: the votes that the classes stand for, in the order of the probabilities.
        class_names: of the classes, where they have names.
        threshold: of two classes the second is predicted from this probability on.
        label_model_id: which label model made the training set's labels, if its writer said so.
        module: the user's module with the model's own layers, imported where the model is applied. It is not
            stored: whoever loads the model names the function that built it, and thereby the code that may run.
    """

    model_bytes: bytes
    inputs: InputSpec
    columns: InputColumns
    history: History
    settings: TrainingSettings
    manifest_digest: str
    versions: Mapping[str, str]
    classes: tuple[int, ...] = (NEGATIVE, POSITIVE)
    class_names: tuple[str, ...] = ()
    threshold: float = DEFAULT_THRESHOLD
    label_model_id: str | None = None
    module: str = ""

    @property
    def digest(self) -> str:
        """The SHA-256 of the Keras file."""
        return hashlib.sha256(self.model_bytes).hexdigest()

    @property
    def num_features(self) -> int:
        """d; 0 without features."""
        return self.inputs.num_features

    def __repr__(self) -> str:
        return end_model_text(self)

    def _repr_html_(self) -> str:
        return end_model_html(self)

    def save(self, directory: str | Path) -> None:
        """Write the model to a local directory, which appears or changes at once; elsewhere use `save_end_model`.

        Raises:
            OutputExistsError: if the directory holds files that are not an end model's.
        """
        own_names = (MODEL_FILE, HISTORY_TABLE, DESCRIPTION_FILE)
        with replaced_directory(Path(directory), own_names) as staged:
            save_end_model(LocalFiles(), str(staged), self)

    @staticmethod
    def load(directory: str | Path, *, model: str = "") -> "EndModel":
        """Read the model from a local directory; `model` and errors as of `load_end_model`."""
        return load_end_model(LocalFiles(), str(directory), model=model)


def end_model_of(
    model_bytes: bytes,
    history: History,
    manifest: ShardManifest,
    inputs: InputSpec,
    settings: TrainingSettings,
    *,
    versions: Mapping[str, str],
) -> EndModel:
    """The end model that training on a training set gave."""
    k = manifest.num_classes
    return EndModel(
        model_bytes=model_bytes,
        inputs=inputs,
        columns=manifest.inputs,
        history=history,
        settings=settings,
        manifest_digest=manifest.digest,
        versions=versions,
        classes=(NEGATIVE, POSITIVE) if k == 2 else tuple(range(1, k + 1)),
        class_names=manifest.class_names,
        label_model_id=manifest.label_table_id,
        module=_module_of(settings.model),
    )


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
    del content["model_bytes"], content["module"]
    storage.write_bytes(f"{directory}/{MODEL_FILE}", end_model.model_bytes)
    storage.write_bytes(f"{directory}/{HISTORY_TABLE}", _history_table(end_model.history))
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    storage.write_bytes(f"{directory}/{DESCRIPTION_FILE}", text.encode())


def load_end_model(storage: FileStore, directory: str, *, model: str = "") -> EndModel:
    """The end model that `save_end_model` wrote. Nothing of it is run.

    Args:
        storage: the files.
        directory: where it lies.
        model: the setting that it was trained with, if that named a function of yours whose module has layers of
            your own: only then is that module imported where the model is applied.

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
    return replace(end_model, module=_module_of(model)) if model == end_model.settings.model else end_model


def _module_of(model: str) -> str:
    """The module of a user's function; empty for a built-in model."""
    return model.partition(":")[0] if ":" in model else ""


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
        content["inputs"] = InputSpec(**content["inputs"])
        content["columns"] = InputColumns(**content["columns"])
        for name in ("history", "classes", "class_names"):
            content[name] = tuple(content[name])
        model_bytes = storage.read_bytes(f"{directory}/{MODEL_FILE}")
        return EndModel(model_bytes=model_bytes, **content), digest
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise SchemaError(
            f"{directory}/{DESCRIPTION_FILE} does not describe an end model: {problem!r}. Train it again."
        ) from problem


def _history_table(history: History) -> bytes:
    """A row for each epoch, counted from 1, as Parquet."""
    rows = [{"epoch": epoch, **metrics} for epoch, metrics in enumerate(history, start=1)]
    names = dict.fromkeys(name for row in rows for name in row)
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), buffer)
    return buffer.getvalue()
