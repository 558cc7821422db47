"""The sum of one vector over all training processes: a star over authenticated connections.

Rank 0 is the hub: it receives the others' vectors, adds them in the order of their ranks (the result is
the same in every run) and sends the sum back, the same bytes to all. The hub moves 2 (N - 1) vectors per
step: meant for models up to about 10 MB and about 8 workers. With one worker there is no socket.
(docs/training.md)
"""

import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dp_spark.end_model.frames import FRAME_BYTES, Channel, Rejected, frames_of, introduce
from dp_spark.end_model.lobby import Lobby
from dp_spark.errors import ConfigError, TrainingError

Vector = npt.NDArray[np.float32]

_POLL_SECONDS = 0.2
_NUM_TRIES = 5  # to join: a flood of strangers may end a worker's handshake
_PAUSE_SECONDS = 0.2  # between them
_FRAME_VALUES = FRAME_BYTES // np.dtype(np.float32).itemsize
_CONNECT_SECONDS = 10.0


class Collective(Protocol):
    """What the training loop needs of the other processes."""

    def all_reduce(self, vector: Vector) -> Vector:
        """The sum of the vectors that all processes pass, of one length; the same bytes everywhere."""

    def close(self) -> None:
        """Leave."""


@dataclass(frozen=True)
class Alone:
    """The collective of a single process."""

    def all_reduce(self, vector: Vector) -> Vector:
        """The vector itself."""
        return vector

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class AuthenticatedStar:
    """One process's place in the star; made by `open_hub` or `join_hub`.

    Attributes:
        channels: for rank 0 to all others in the order of their ranks, for the others to rank 0.
        is_hub: whether this is rank 0.
    """

    channels: tuple[Channel, ...]
    is_hub: bool

    def all_reduce(self, vector: Vector) -> Vector:
        """The sum over all processes, in the order of their ranks.

        Args:
            vector: (k,) float32, k the same in all processes.

        Raises:
            TrainingError: if another process is silent or hung up.
            ConfigError: if another process passes another length: it has built another model.
        """
        total = np.array(vector, dtype=np.float32, order="C")
        content = total.data.cast("B")
        if not self.is_hub:
            (hub,) = self.channels
            for frame in frames_of(content):
                hub.send(frame)
            for start in range(0, total.nbytes, FRAME_BYTES):
                hub.receive_into(content[start : start + FRAME_BYTES], total.nbytes)
            return total
        self._add_others(total)
        for frame in frames_of(content):
            for channel in self.channels:
                channel.send(frame)
        return total

    def close(self) -> None:
        """Close all connections."""
        for channel in self.channels:
            channel.close()

    def _add_others(self, total: Vector) -> None:
        """Add the others' vectors in place, frame by frame: rank 1's, rank 2's, ..."""
        for start in range(0, total.size, _FRAME_VALUES):
            part = total[start : start + _FRAME_VALUES]
            received = np.empty_like(part)
            for channel in self.channels:
                channel.receive_into(received.data.cast("B"), total.nbytes)
                part += received


@dataclass
class Watched:
    """A collective that remembers its failure; inside a graph TensorFlow reports it as its own error.

    Attributes:
        collective: the one that does the work.
        failure: what it raised, or None.
    """

    collective: Collective
    failure: TrainingError | ConfigError | None = None

    def all_reduce(self, vector: Vector) -> Vector:
        """The same as the watched collective's."""
        try:
            return self.collective.all_reduce(vector)
        except (TrainingError, ConfigError) as problem:
            self.failure = problem
            raise

    def close(self) -> None:
        """Leave."""
        self.collective.close()


def open_hub(
    listener: socket.socket, key: bytes, num_workers: int, join_seconds: float, timeout_seconds: float
) -> AuthenticatedStar:
    """Rank 0's place in the star, once all others have joined; closes the listener.

    Strangers are dropped and delay nobody: `lobby`.

    Args:
        listener: bound and listening.
        key: the run's secret, 32 random bytes.
        num_workers: N, at least 2.
        join_seconds: how long to wait for all to join.
        timeout_seconds: how long to wait for each message.

    Raises:
        TrainingError: naming the ranks that did not join in time.
    """
    lobby = Lobby(key, num_workers, timeout_seconds)
    deadline = time.monotonic() + join_seconds
    listener.settimeout(_POLL_SECONDS)
    with listener:
        while lobby.missing() and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError, ConnectionAbortedError):
                connection, address = listener.accept()
                lobby.admit(connection, str(address))
    lobby.close()
    missing = lobby.missing()
    if missing:
        raise TrainingError(
            f"workers {missing} did not join worker 0 in time: they could not "
            "start, or cannot reach worker 0. Look at their logs; check firewalls."
        )
    return AuthenticatedStar(lobby.joined(), is_hub=True)


def join_hub(address: tuple[str, int], key: bytes, rank: int, timeout_seconds: float) -> AuthenticatedStar:
    """The place of rank 1, 2, ... in the star.

    Args:
        address: host and port of rank 0, which listens already.
        key: the run's secret.
        rank: this process's, at least 1.
        timeout_seconds: how long to wait for the hub, and later for each message.

    Raises:
        TrainingError: if the hub cannot be reached, or is not of this run.
    """
    deadline = time.monotonic() + timeout_seconds
    for tries_left in reversed(range(_NUM_TRIES)):
        try:
            return AuthenticatedStar((_introduced(address, key, rank, timeout_seconds),), is_hub=False)
        except Rejected as reason:
            problem: Exception = reason
        except OSError as reason:
            problem = reason
            break
        if not tries_left or time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_SECONDS)
    raise TrainingError(
        f"worker {rank} cannot join worker 0 at {address[0]}:{address[1]}: {problem}. The executors must "
        "reach each other on ephemeral TCP ports; check firewalls and network policies."
    ) from problem


def _introduced(address: tuple[str, int], key: bytes, rank: int, timeout_seconds: float) -> Channel:
    connection = socket.create_connection(address, timeout=_CONNECT_SECONDS)
    try:
        return introduce(connection, key, rank, timeout_seconds)
    except Rejected:
        connection.close()
        raise
