"""What one training process is told, and what it leaves behind; no Spark, no TensorFlow."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum

from dp_spark.end_model.checkpoint import CheckpointFile
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.labels.manifest import ShardManifest

HISTORY_FILE = "history.json"
FAILURE_FILE = "failure.json"


class FailureKind(IntEnum):
    """Why a training process ended; the lowest of a group is the cause, the others follow from it."""

    USER = 1  # the user's code: the same would happen again
    DATA = 2  # the training set is not as its manifest says
    DIVERGED = 3
    ENVIRONMENT = 4  # TensorFlow is missing, versions differ
    UNFORESEEN = 5  # an error in dp_spark or in the run's files; trying again would not help
    CRASHED = 6  # killed, out of memory, storage out of reach
    PEER = 7  # another process fell silent or hung up
    NO_SLOTS = 8  # the cluster has no room for all tasks at the same time

    @property
    def can_be_retried(self) -> bool:
        """Whether another attempt may end differently."""
        return self in (FailureKind.CRASHED, FailureKind.PEER)


@dataclass(frozen=True)
class Failure:
    """How a training process failed."""

    kind: FailureKind
    message: str

    def to_json(self) -> str:
        """The failure as JSON."""
        return json.dumps({"kind": int(self.kind), "message": self.message})

    @staticmethod
    def from_json(text: str) -> "Failure":
        """What `to_json` wrote."""
        content = json.loads(text)
        return Failure(FailureKind(content["kind"]), content["message"])


def cause_of(failures: Sequence[Failure]) -> Failure:
    """The failure that the others follow from: the first of the lowest kind, of the lowest rank that is."""
    return min(failures, key=lambda failure: failure.kind)


def failure_name(rank: int) -> str:
    """The file in an attempt's directory in which the task of a worker says how its process failed."""
    return f"{rank}-{FAILURE_FILE}"


@dataclass(frozen=True)
class TrainingJob:
    """A training run: the same for all its processes.

    Attributes:
        manifest: the training set; its path must be readable by all workers.
        settings: how to train.
        inputs: what the model takes.
        attempt_directory: for this attempt's checkpoints and progress; on storage that all workers share.
        resume_from: the checkpoint to go on from, written by an earlier attempt; None to start anew.
        class_weights: one per class, what the settings ask for in numbers; empty for none.
    """

    manifest: ShardManifest
    settings: TrainingSettings
    inputs: InputSpec
    attempt_directory: str
    resume_from: CheckpointFile | None = None
    class_weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class WorkerJob:
    """One process of a training run. It travels through the process's standard input.

    Attributes:
        training: the run.
        rank: 0 to `num_workers` - 1. Rank 0 is the hub, writes the checkpoints and leaves the model.
        hub: host and port of rank 0.
        key_hex: the run's secret, 32 bytes in hexadecimal; empty for a single worker.
        listener_fd: rank 0's listening socket, inherited; -1 for the others.
        parent_pid: the process that must outlive this one.
        num_threads: TensorFlow's intra-op threads.
        output_directory: where the process leaves its files; on its own machine.
        peers: for the collective "tensorflow", host and port of TensorFlow's server on every rank.
    """

    training: TrainingJob
    rank: int
    hub: tuple[str, int]
    key_hex: str = field(repr=False)
    listener_fd: int
    parent_pid: int
    num_threads: int
    output_directory: str
    peers: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> str:
        """The job as JSON, the secret included: for a pipe, not for a file."""
        content = asdict(self)
        content["training"]["manifest"] = {
            "path": self.training.manifest.path,
            "json": self.training.manifest.to_json(),
        }
        return json.dumps(content)

    @staticmethod
    def from_json(text: str) -> "WorkerJob":
        """What `to_json` wrote."""
        content = json.loads(text)
        training = content.pop("training")
        manifest, resume_from = training["manifest"], training["resume_from"]
        job = TrainingJob(
            manifest=ShardManifest.from_json(manifest["json"], manifest["path"]),
            settings=TrainingSettings(**training["settings"]),
            inputs=InputSpec(**training["inputs"]),
            attempt_directory=training["attempt_directory"],
            resume_from=CheckpointFile(**resume_from) if resume_from else None,
            class_weights=tuple(training["class_weights"]),
        )
        host, port = content.pop("hub")
        peers = tuple((host, port) for host, port in content.pop("peers"))
        return WorkerJob(training=job, hub=(host, port), peers=peers, **content)
