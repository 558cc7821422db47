"""Where rank 0 receives the other training processes, and drops everyone else.

Every connection is answered in a thread of its own with a deadline of 5 seconds: a stranger, a wrong key,
garbage or silence is dropped and delays nobody, in whatever numbers they come.  (docs/training.md)
"""

import contextlib
import logging
import socket
import threading

from dp_spark.end_model.frames import Channel, Rejected, welcome

logger = logging.getLogger(__name__)

MAX_HANDSHAKES = 256  # at the same time; one more ends the oldest, which a worker would have finished
MAX_DROPS_LOGGED = 10  # a flood of strangers must not fill the disk


class Lobby:
    """The connections of rank 0 while it waits; threads of different connections share it."""

    def __init__(self, key: bytes, num_workers: int, timeout_seconds: float) -> None:
        self._key = key
        self._num_workers = num_workers
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, None] = {}  # in the order in which they came
        self._joined: dict[int, Channel] = {}
        self._num_dropped = 0

    def missing(self) -> list[int]:
        """The ranks that have not joined."""
        with self._lock:
            return [rank for rank in range(1, self._num_workers) if rank not in self._joined]

    def joined(self) -> tuple[Channel, ...]:
        """The channels to those that have joined, in the order of their ranks."""
        with self._lock:
            return tuple(self._joined[rank] for rank in sorted(self._joined))

    def admit(self, connection: socket.socket, address: str) -> None:
        """Answer a connection in a thread of its own; if too many wait, the oldest is dropped."""
        with self._lock:
            if len(self._waiting) >= MAX_HANDSHAKES:
                self._drop(next(iter(self._waiting)))
            self._waiting[connection] = None
        threading.Thread(target=self._answer, args=(connection, address), daemon=True).start()

    def close(self) -> None:
        """Drop all that wait still."""
        with self._lock:
            for connection in tuple(self._waiting):
                self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        """End a connection; the thread that reads it closes it."""
        del self._waiting[connection]
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, connection: socket.socket, address: str) -> None:
        try:
            channel = welcome(connection, self._key, self._num_workers, self._timeout_seconds)
            self._register(channel, connection)
        except Rejected as reason:
            connection.close()
            self._log(address, reason)
        finally:
            with self._lock:
                self._waiting.pop(connection, None)

    def _register(self, channel: Channel, connection: socket.socket) -> None:
        with self._lock:
            if connection not in self._waiting:
                raise Rejected("too many connections, or too late")
            if channel.peer in self._joined:
                raise Rejected(f"rank {channel.peer} has joined already")
            del self._waiting[connection]
            self._joined[channel.peer] = channel

    def _log(self, address: str, reason: Rejected) -> None:
        with self._lock:
            self._num_dropped += 1
            num_dropped = self._num_dropped
        if num_dropped <= MAX_DROPS_LOGGED:
            logger.warning("dropped a connection from %s: %s", address, reason)
        if num_dropped == MAX_DROPS_LOGGED:
            logger.warning("dropped %d connections; further ones are not logged", num_dropped)
