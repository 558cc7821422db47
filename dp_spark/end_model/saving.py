"""The trained model as a file that loads anywhere, and is the same bytes when training is repeated."""

import io
import json
import zipfile
from pathlib import Path

import keras
import numpy as np

from dp_spark.end_model.artifact import MODEL_FILE
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.model import example_inputs
from dp_spark.errors import ConfigError

MAX_DIFFERENCE = 1e-5  # between the logits of a model and of its saved copy

_METADATA = "metadata.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_model(model: keras.Model, inputs: InputSpec, directory: str) -> None:
    """Save, then load again: a model that only this process can load is of no use.

    Args:
        model: the trained one.
        inputs: what it takes.
        directory: where to.

    Raises:
        ConfigError: if it cannot be loaded, or answers differently then.
    """
    path = Path(directory) / MODEL_FILE
    model.save(path)
    path.write_bytes(without_times(path.read_bytes()))
    example = example_inputs(inputs)
    try:
        loaded = keras.models.load_model(path, compile=False, safe_mode=True)
        difference = np.abs(np.asarray(loaded(example)) - np.asarray(model(example))).max()
    except (ValueError, TypeError) as problem:
        raise ConfigError(
            f"the trained model cannot be loaded again: {problem}. Register your own layers with "
            "keras.saving.register_keras_serializable, give them get_config, and use no lambdas."
        ) from problem
    if difference > MAX_DIFFERENCE:
        raise ConfigError(
            f"the trained model changes its predictions by {difference:g} when saved and loaded: expected 0. "
            "Let your layers save all their weights and settings."
        )


def without_times(content: bytes) -> bytes:
    """A .keras file without the time at which it was written.

    Args:
        content: of the file, a ZIP archive.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(written, "w") as copy:
        for name in archive.namelist():
            part = archive.read(name)
            if name == _METADATA:
                about = {key: value for key, value in json.loads(part).items() if key != "date_saved"}
                part = json.dumps(about, sort_keys=True).encode()
            copy.writestr(zipfile.ZipInfo(name, _EPOCH), part)
    return written.getvalue()
