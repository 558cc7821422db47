"""Authenticated messages between training processes, over a TCP connection.

Both ends prove that they know the run's secret (HMAC-SHA256 over fresh nonces); every message then
carries a keyed BLAKE2b code over its direction, its number and its content, with a key of this one
connection. A stranger can neither join, alter, repeat nor drop a message unnoticed. Messages are NOT
encrypted: who sees the network sees gradients. Nothing is unpickled.  (docs/training.md)
"""

import hashlib
import hmac
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Literal

from dp_spark.errors import TrainingError

KEY_BYTES = 32
HANDSHAKE_SECONDS = 5.0

_MAGIC = b"dpspark1"
_NONCE_BYTES = 32
_MAC_BYTES = 32
_RANK = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_COUNTER = struct.Struct("<Q")
_CHUNK_BYTES = 1 << 20


class Rejected(Exception):  # noqa: N818 - an outcome, not a fault
    """The other end of a connection did not prove that it belongs to this run."""


@dataclass
class Channel:
    """One authenticated connection.

    Attributes:
        peer: the rank at the other end.
        timeout_seconds: how long one message may take.
    """

    peer: int
    timeout_seconds: float
    _connection: socket.socket
    _key: bytes
    _sends_as: bytes
    _num_sent: int = field(default=0, init=False)
    _num_received: int = field(default=0, init=False)

    def send(self, content: bytes) -> None:
        """Send one message.

        Raises:
            TrainingError: if the peer hung up or takes nothing for `timeout_seconds`.
        """
        code = self._code(self._sends_as, self._num_sent, content)
        self._num_sent += 1
        try:
            self._connection.settimeout(self.timeout_seconds)
            self._connection.sendall(_LENGTH.pack(len(content)) + code)
            self._connection.sendall(content)
        except OSError as problem:
            raise self._lost(problem) from problem

    def receive(self, num_bytes: int) -> bytes:
        """The next message.

        Args:
            num_bytes: the length that it must have; also the bound of what is read.

        Raises:
            TrainingError: if the peer hung up, is silent for `timeout_seconds`, sends another
                length, or the message is not authentic.
        """
        deadline = time.monotonic() + self.timeout_seconds
        try:
            header = read_exactly(self._connection, _LENGTH.size + _MAC_BYTES, deadline)
            (length,) = _LENGTH.unpack(header[: _LENGTH.size])
            if length != num_bytes:
                raise TrainingError(
                    f"worker {self.peer} sent {length} bytes: expected {num_bytes}. The workers built "
                    "different models; make your model function deterministic."
                )
            content = read_exactly(self._connection, num_bytes, deadline)
        except (OSError, EOFError) as problem:
            raise self._lost(problem) from problem
        receives_from = b"hub" if self._sends_as == b"leaf" else b"leaf"
        code = self._code(receives_from, self._num_received, content)
        if not hmac.compare_digest(header[_LENGTH.size :], code):
            raise TrainingError(
                f"a message in the name of worker {self.peer} is not authentic: something between the "
                "workers alters their traffic. Check the network."
            )
        self._num_received += 1
        return content

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _code(self, sender: bytes, number: int, content: bytes) -> bytes:
        code = hashlib.blake2b(sender + _COUNTER.pack(number), digest_size=_MAC_BYTES, key=self._key)
        code.update(content)
        return code.digest()

    def _lost(self, problem: Exception) -> TrainingError:
        if isinstance(problem, TimeoutError):
            return TrainingError(
                f"worker {self.peer} has been silent for {self.timeout_seconds:g} seconds: it hangs, or its "
                "machine is overloaded or gone. Look at its log, or raise timeout_seconds."
            )
        return TrainingError(
            f"the connection to worker {self.peer} is lost ({problem!r}): it ended or was killed."
        )


def read_exactly(connection: socket.socket, num_bytes: int, deadline: float) -> bytes:
    """The next bytes of a connection.

    Args:
        connection: the socket.
        num_bytes: how many.
        deadline: of `time.monotonic()`, for all of them together: a peer that sends single bytes
            gains nothing.

    Raises:
        EOFError: if the connection ends before.
        TimeoutError: if the deadline passes.
    """
    content = bytearray(num_bytes)
    view, num_read = memoryview(content), 0
    while num_read < num_bytes:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        connection.settimeout(remaining)
        received = connection.recv_into(view[num_read : num_read + _CHUNK_BYTES])
        if received == 0:
            raise EOFError("connection closed")
        num_read += received
    return bytes(content)


def welcome(connection: socket.socket, key: bytes, num_workers: int, timeout_seconds: float) -> Channel:
    """The hub's side of the handshake: challenge, check the answer, prove itself.

    Raises:
        Rejected: if the other end is no worker of this run or takes longer than 5 seconds.
    """
    deadline = time.monotonic() + HANDSHAKE_SECONDS
    own_nonce = secrets.token_bytes(_NONCE_BYTES)
    try:
        connection.settimeout(HANDSHAKE_SECONDS)
        connection.sendall(_MAGIC + own_nonce)
        answer = read_exactly(connection, _RANK.size + _NONCE_BYTES + _MAC_BYTES, deadline)
        packed_rank, nonce, proof = answer[:4], answer[4 : 4 + _NONCE_BYTES], answer[4 + _NONCE_BYTES :]
        if not hmac.compare_digest(proof, _proof(key, b"leaf", own_nonce, nonce, packed_rank)):
            raise Rejected("wrong key")
        (rank,) = _RANK.unpack(packed_rank)
        if not 1 <= rank < num_workers:
            raise Rejected(f"rank {rank}")
        connection.sendall(_proof(key, b"hub", own_nonce, nonce, packed_rank))
    except (OSError, EOFError) as problem:
        raise Rejected(repr(problem)) from problem
    return _channel(connection, "hub", rank, key, (own_nonce, nonce), timeout_seconds)


def introduce(connection: socket.socket, key: bytes, rank: int, timeout_seconds: float) -> Channel:
    """The other workers' side of the handshake.

    Raises:
        Rejected: if the other end is not the hub of this run, or does not answer in time.
    """
    deadline = time.monotonic() + timeout_seconds
    own_nonce, packed_rank = secrets.token_bytes(_NONCE_BYTES), _RANK.pack(rank)
    try:
        challenge = read_exactly(connection, len(_MAGIC) + _NONCE_BYTES, deadline)
        magic, nonce = challenge[: len(_MAGIC)], challenge[len(_MAGIC) :]
        if magic != _MAGIC:
            raise Rejected(f"it greets with {magic!r}")
        connection.sendall(packed_rank + own_nonce + _proof(key, b"leaf", nonce, own_nonce, packed_rank))
        proof = read_exactly(connection, _MAC_BYTES, deadline)
    except (OSError, EOFError) as problem:
        raise Rejected(repr(problem)) from problem
    if not hmac.compare_digest(proof, _proof(key, b"hub", nonce, own_nonce, packed_rank)):
        raise Rejected("wrong key")
    return _channel(connection, "leaf", 0, key, (nonce, own_nonce), timeout_seconds)


def _proof(key: bytes, side: bytes, hub_nonce: bytes, leaf_nonce: bytes, packed_rank: bytes) -> bytes:
    return hmac.digest(key, side + hub_nonce + leaf_nonce + packed_rank, "sha256")


def _channel(
    connection: socket.socket,
    side: Literal["hub", "leaf"],
    peer: int,
    key: bytes,
    nonces: tuple[bytes, bytes],
    timeout_seconds: float,
) -> Channel:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection_key = hmac.digest(key, b"messages" + b"".join(nonces), "sha256")
    return Channel(peer, timeout_seconds, connection, connection_key, side.encode())
