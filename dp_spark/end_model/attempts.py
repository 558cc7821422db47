"""The attempts of a training run on storage: a directory each, beside the shards.

A run is named by what it trains on and how, so that a driver that starts again finds what an earlier one left.
Every attempt starts from the newest checkpoint of all attempts before it and writes to its own directory only: one
that was given up but still lives can neither overwrite nor confuse a newer one.
"""

import hashlib
import importlib.util
import json
import logging
import uuid
from dataclasses import asdict
from importlib.abc import InspectLoader

from dp_spark import __version__
from dp_spark.end_model.checkpoint import CheckpointFile, checkpoint_file, is_description
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.labels.manifest import ShardManifest
from dp_spark.storage import Storage, join_path

logger = logging.getLogger(__name__)

_DIGITS = 16
RUN_PREFIX = "_training-"
_PREFIX = "attempt-"
# Settings that say how to run, not what to learn: a run goes on when they change.
_OPERATIONAL = (
    "num_workers",
    "max_attempts",
    "timeout_seconds",
    "cache_bytes",
    "scratch_bytes",
    "checkpoint_steps",
    "tensorboard",
    "collective",
    "network_is_isolated",
)


def run_directory(manifest: ShardManifest, inputs: InputSpec, settings: TrainingSettings) -> str:
    """Where a run keeps its attempts: named by the training set, the inputs, the settings, and the user's code.

    Args:
        manifest: the training set.
        inputs: what the model takes.
        settings: how to train.
    """
    kept = {name: value for name, value in asdict(settings).items() if name not in _OPERATIONAL}
    sources = {reference: _source(reference) for reference in settings.references}
    content = [__version__, manifest.digest, asdict(inputs), kept, sources]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return join_path(manifest.path, f"{RUN_PREFIX}{digest[:_DIGITS]}")


def delete_checkpoints(storage: Storage, manifest: ShardManifest) -> None:
    """Delete what training on this training set has left: also runs with other settings that were given up."""
    for name in storage.list_names(manifest.path):
        if name.startswith(RUN_PREFIX):
            storage.delete(join_path(manifest.path, name))


def new_attempt(directory: str) -> str:
    """A directory that no other attempt has; not made yet."""
    return join_path(directory, f"{_PREFIX}{uuid.uuid4().hex[:_DIGITS]}")


def newest_checkpoint(storage: Storage, directory: str) -> CheckpointFile | None:
    """The newest checkpoint that the attempts of a run have completed, or None."""
    found = []
    for name in storage.list_names(directory):
        attempt = join_path(directory, name)
        described = [file for file in storage.list_names(attempt) if is_description(file)]
        if name.startswith(_PREFIX) and described:
            newest = join_path(attempt, max(described))
            found.append(checkpoint_file(attempt, storage.read_bytes(newest)))
    return max(found, default=None)


def _source(reference: str) -> str:
    """The text of the module that a reference names, which is not imported; empty where the driver does not have it."""
    module = reference.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
        loader = found.loader if found else None
        return (loader.get_source(module) or "") if isinstance(loader, InspectLoader) else ""
    except (ImportError, ValueError):
        logger.debug("no source of %s on the driver", module, exc_info=True)
        return ""
