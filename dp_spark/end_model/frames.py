"""Authenticated messages between training processes, over a TCP connection.

Both ends prove that they know the run's secret (HMAC-SHA256 over fresh nonces). A message then travels in
frames, each with a code, HMAC-SHA256 over its number, the length of its message and the SHA-256 digest of
its content, with a key of this one connection and direction. A stranger can neither join, alter, repeat,
reflect nor drop a frame unnoticed. Messages are NOT encrypted: who sees the network sees gradients. Nothing
is unpickled.  (docs/training.md)
"""

import hashlib
import hmac
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from dp_spark.errors import ConfigError, TrainingError

KEY_BYTES = 32
HANDSHAKE_SECONDS = 5.0
FRAME_BYTES = 1 << 17  # while one end checks a frame, the other hashes the next; it fits a core's cache

_MAGIC = b"dpspark2"
_NONCE_BYTES = 32
_CODE_BYTES = 32
_RANK = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_NUMBER = struct.Struct("<Q")
_HEADER_BYTES = _LENGTH.size + _CODE_BYTES


class Rejected(Exception):  # noqa: N818 - an outcome, not a fault
    """The other end of a connection did not prove that it belongs to this run."""


@dataclass(frozen=True)
class Frame:
    """A part of a message on its way; hashed once, however many receive it.

    Attributes:
        content: at most `FRAME_BYTES` bytes.
        message_bytes: the length of the whole message.
        digest: SHA-256 of the content.
    """

    content: memoryview
    message_bytes: int
    digest: bytes


def frames_of(message: memoryview) -> Iterator[Frame]:
    """The frames of a message of bytes; each is hashed when it is asked for."""
    for start in range(0, len(message), FRAME_BYTES):
        content = message[start : start + FRAME_BYTES]
        yield Frame(content, len(message), hashlib.sha256(content).digest())


@dataclass
class Channel:
    """One authenticated connection.

    Attributes:
        peer: the rank at the other end.
        timeout_seconds: how long one frame may take.
    """

    peer: int
    timeout_seconds: float
    _connection: socket.socket = field(repr=False)
    _send_key: bytes = field(repr=False)
    _receive_key: bytes = field(repr=False)
    _num_sent: int = field(default=0, init=False)
    _num_received: int = field(default=0, init=False)

    def send(self, frame: Frame) -> None:
        """Send one frame.

        Raises:
            TrainingError: if the peer hung up or takes nothing for `timeout_seconds`.
        """
        length = _LENGTH.pack(frame.message_bytes)
        header = length + _code(self._send_key, self._num_sent, length, frame.digest)
        self._num_sent += 1
        try:
            self._connection.settimeout(self.timeout_seconds)
            num_sent = self._connection.sendmsg([header, frame.content])
            for rest in (header[num_sent:], frame.content[max(0, num_sent - _HEADER_BYTES) :]):
                if rest:
                    self._connection.sendall(rest)
        except OSError as problem:
            raise self._lost(problem) from problem

    def receive_into(self, content: memoryview, message_bytes: int) -> None:
        """Fill a buffer with the content of the next frame; if this raises, the buffer holds rubbish.

        Args:
            content: exactly as long as the frame must be; no more is read.
            message_bytes: the length that the whole message must have.

        Raises:
            TrainingError: if the peer hung up, is silent for `timeout_seconds`, sends a message of
                another length, or the frame is not authentic.
        """
        deadline = time.monotonic() + self.timeout_seconds
        header = memoryview(bytearray(_HEADER_BYTES))
        try:
            self._connection.settimeout(self.timeout_seconds)
            num_read = self._connection.recvmsg_into([header, content])[0]
            if num_read == 0:
                raise EOFError("connection closed")
            read_into(self._connection, header[num_read:], deadline)
            (length,) = _LENGTH.unpack(header[: _LENGTH.size])
            if length != message_bytes:
                raise self._refused(length, message_bytes)
            read_into(self._connection, content[max(0, num_read - _HEADER_BYTES) :], deadline)
        except (OSError, EOFError) as problem:
            raise self._lost(problem) from problem
        digest = hashlib.sha256(content).digest()
        code = _code(self._receive_key, self._num_received, header[: _LENGTH.size], digest)
        if not hmac.compare_digest(header[_LENGTH.size :], code):
            raise TrainingError(
                f"a message in the name of worker {self.peer} is not authentic: something between the "
                "workers alters their traffic. Check the network."
            )
        self._num_received += 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _refused(self, length: int, expected: int) -> ConfigError:
        return ConfigError(
            f"worker {self.peer} sent {length} bytes: expected {expected}. The workers built "
            "different models; make your model function deterministic."
        )

    def _lost(self, problem: Exception) -> TrainingError:
        if isinstance(problem, TimeoutError):
            return TrainingError(
                f"worker {self.peer} has been silent for {self.timeout_seconds:g} seconds: it hangs, or its "
                "machine is overloaded or gone. Look at its log, or raise timeout_seconds."
            )
        return TrainingError(
            f"the connection to worker {self.peer} is lost ({problem!r}): it ended or was killed."
        )


def read_into(connection: socket.socket, content: memoryview, deadline: float) -> None:
    """Fill a buffer with the next bytes of a connection.

    Args:
        connection: the socket.
        content: the buffer.
        deadline: of `time.monotonic()`, for all of them together: a peer that sends single bytes
            gains nothing.

    Raises:
        EOFError: if the connection ends before.
        TimeoutError: if the deadline passes.
    """
    num_read = 0
    while num_read < len(content):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        connection.settimeout(remaining)
        received = connection.recv_into(content[num_read:])
        if received == 0:
            raise EOFError("connection closed")
        num_read += received


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
        answer = _read(connection, _RANK.size + _NONCE_BYTES + _CODE_BYTES, deadline)
        packed_rank, nonce, proof = answer[:4], answer[4 : 4 + _NONCE_BYTES], answer[4 + _NONCE_BYTES :]
        if not hmac.compare_digest(proof, _proof(key, b"leaf", own_nonce, nonce, packed_rank)):
            raise Rejected("wrong key")
        (rank,) = _RANK.unpack(packed_rank)
        if not 1 <= rank < num_workers:
            raise Rejected(f"rank {rank}")
        connection.sendall(_proof(key, b"hub", own_nonce, nonce, packed_rank))
    except (OSError, EOFError) as problem:
        raise Rejected(repr(problem)) from problem
    return _channel(connection, rank, timeout_seconds, _keys(key, own_nonce + nonce))


def introduce(connection: socket.socket, key: bytes, rank: int, timeout_seconds: float) -> Channel:
    """The other workers' side of the handshake.

    Raises:
        Rejected: if the other end is not the hub of this run, or does not answer in time.
    """
    deadline = time.monotonic() + timeout_seconds
    own_nonce, packed_rank = secrets.token_bytes(_NONCE_BYTES), _RANK.pack(rank)
    try:
        challenge = _read(connection, len(_MAGIC) + _NONCE_BYTES, deadline)
        magic, nonce = challenge[: len(_MAGIC)], challenge[len(_MAGIC) :]
        if magic != _MAGIC:
            raise Rejected(f"it greets with {magic!r}")
        connection.sendall(packed_rank + own_nonce + _proof(key, b"leaf", nonce, own_nonce, packed_rank))
        proof = _read(connection, _CODE_BYTES, deadline)
    except (OSError, EOFError) as problem:
        raise Rejected(repr(problem)) from problem
    if not hmac.compare_digest(proof, _proof(key, b"hub", nonce, own_nonce, packed_rank)):
        raise Rejected("wrong key")
    hub_key, leaf_key = _keys(key, nonce + own_nonce)
    return _channel(connection, 0, timeout_seconds, (leaf_key, hub_key))


def _read(connection: socket.socket, num_bytes: int, deadline: float) -> bytes:
    content = bytearray(num_bytes)
    read_into(connection, memoryview(content), deadline)
    return bytes(content)


def _code(key: bytes, number: int, length: bytes | memoryview, digest: bytes) -> bytes:
    return hmac.digest(key, _NUMBER.pack(number) + length + digest, "sha256")


def _proof(key: bytes, side: bytes, hub_nonce: bytes, leaf_nonce: bytes, packed_rank: bytes) -> bytes:
    return hmac.digest(key, _MAGIC + side + hub_nonce + leaf_nonce + packed_rank, "sha256")


def _keys(key: bytes, nonces: bytes) -> tuple[bytes, bytes]:
    """Of one connection: for what the hub sends, and for what the other end sends."""
    return (
        hmac.digest(key, _MAGIC + b"from hub" + nonces, "sha256"),
        hmac.digest(key, _MAGIC + b"to hub" + nonces, "sha256"),
    )


def _channel(
    connection: socket.socket, peer: int, timeout_seconds: float, keys: tuple[bytes, bytes]
) -> Channel:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Channel(peer, timeout_seconds, connection, *keys)
