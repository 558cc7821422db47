import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dp_spark.end_model.collective import Alone, AuthenticatedStar, join_hub, open_hub
from dp_spark.end_model.frames import FRAME_BYTES
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.job import TrainingJob, WorkerJob
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import ConfigError, TrainingError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import ShardManifest

KEY = bytes(range(32))
SECONDS = 5.0
NAMES = ("star", "plain", "graph")
PATHS = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TF_CPP_MIN_LOG_LEVEL": "3"}

# One process of a run: the sum of its vector and the others' by the star, by TensorFlow, and inside a graph.
SUMS = """
import socket, sys
import numpy as np
import tensorflow as tf
from dp_spark.end_model.collective import join_hub, open_hub
from dp_spark.end_model.job import WorkerJob
from dp_spark.end_model.tensorflow_collective import join

job = WorkerJob.from_json(sys.stdin.read())
key, num_workers = bytes.fromhex(job.key_hex), job.training.settings.num_workers
if job.rank == 0:
    star = open_hub(socket.socket(fileno=job.listener_fd), key, num_workers, 60, 60)
else:
    star = join_hub(job.hub, key, job.rank, 60)
vector = np.random.default_rng(job.rank).normal(size=100_003).astype(np.float32)
by_star = star.all_reduce(vector)
collective = join(job, star)
plain = collective.all_reduce(vector)
graph = tf.function(collective.all_reduce_in_graph)(tf.constant(vector)).numpy()
for name, total in (("star", by_star), ("plain", plain), ("graph", graph)):
    np.save(f"{job.output_directory}/{name}{job.rank}.npy", total)
"""


def in_thread(action: Callable[[], object]) -> Callable[[], object]:
    """Start an action; the returned function waits for its result or raises its error."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(action())
        except Exception as problem:
            outcome.append(problem)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> object:
        thread.join(30)
        assert outcome, "still running"
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    return result


def listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


def kept_port() -> socket.socket:
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind(("", 0))
    return kept


def relayed_star() -> tuple[socket.socket, socket.socket, AuthenticatedStar, AuthenticatedStar]:
    """A star of two whose connection somebody relays: his sockets to the worker and to the hub, and both."""
    listener, relay = listening(), listening()
    hub = in_thread(lambda: open_hub(listener, KEY, 2, SECONDS, SECONDS))
    other = in_thread(lambda: join_hub(relay.getsockname(), KEY, 1, SECONDS))
    near, _ = relay.accept()
    far = socket.create_connection(listener.getsockname())
    for source, target, num_bytes in ((far, near, 40), (near, far, 68), (far, near, 32)):  # the handshake
        target.sendall(source.recv(num_bytes, socket.MSG_WAITALL))
    return near, far, other(), hub()


def star_of(num_workers: int, seconds: float = SECONDS) -> list[AuthenticatedStar]:
    listener = listening()
    address = listener.getsockname()
    hub = in_thread(lambda: open_hub(listener, KEY, num_workers, seconds, seconds))
    others = [
        in_thread(lambda rank=rank: join_hub(address, KEY, rank, seconds)) for rank in range(1, num_workers)
    ]
    return [hub(), *(other() for other in others)]


@pytest.mark.parametrize("num_workers", [2, 5])
def test_all_workers_get_the_same_bytes_of_the_sum(num_workers: int) -> None:
    workers = star_of(num_workers)
    vectors = np.random.default_rng(0).normal(size=(num_workers, 300_000)).astype(np.float32)
    expected = vectors[0].copy()
    for vector in vectors[1:]:
        expected += vector
    for _ in range(3):
        waiting = [in_thread(lambda w=w, v=v: w.all_reduce(v)) for w, v in zip(workers, vectors, strict=True)]
        for result in waiting:
            np.testing.assert_array_equal(result(), expected)
    for worker in workers:
        worker.close()


def test_one_worker_needs_nobody() -> None:
    vector = np.ones(3, np.float32)
    assert Alone().all_reduce(vector) is vector


def test_strangers_neither_join_nor_delay_the_workers() -> None:
    listener = listening()
    address = listener.getsockname()
    hub = in_thread(lambda: open_hub(listener, KEY, 2, SECONDS, SECONDS))
    silent = [socket.create_connection(address) for _ in range(3)]
    garbage = socket.create_connection(address)
    garbage.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(200))
    gone = socket.create_connection(address)
    gone.close()
    with pytest.raises(TrainingError, match="worker 1 cannot join"):
        join_hub(address, bytes(32), 1, SECONDS)
    with pytest.raises(TrainingError, match="worker 7 cannot join"):
        join_hub(address, KEY, 7, SECONDS)
    started = time.monotonic()
    other = join_hub(address, KEY, 1, SECONDS)
    star = hub()
    assert time.monotonic() - started < 4.5  # and not the 5 seconds that a silent connection may take
    total = in_thread(lambda: other.all_reduce(np.full(4, 2, np.float32)))
    assert star.all_reduce(np.ones(4, np.float32)).tolist() == [3.0] * 4
    assert total().tolist() == [3.0] * 4
    with pytest.raises(OSError, match="refused"):  # later strangers find no listener
        socket.create_connection(address)
    for connection in (*silent, garbage):
        connection.close()


def test_a_hub_without_the_key_is_refused() -> None:
    listener = listening()
    in_thread(lambda: open_hub(listener, bytes(32), 2, SECONDS, SECONDS))
    with pytest.raises(TrainingError, match="cannot join worker 0 .* reach each other"):
        join_hub(listener.getsockname(), KEY, 1, SECONDS)


def test_a_worker_that_does_not_join_is_named() -> None:
    with pytest.raises(TrainingError, match=r"workers \[1, 2\] did not join"):
        open_hub(listening(), KEY, 3, 0.3, 0.3)


def test_a_silent_worker_is_named_after_the_timeout() -> None:
    hub, silent = star_of(2, seconds=0.5)
    with pytest.raises(TrainingError, match=r"worker 1 has been silent for 0\.5 seconds"):
        hub.all_reduce(np.ones(4, np.float32))
    silent.close()


def test_a_lost_worker_is_named_at_once() -> None:
    hub, lost, alive = star_of(3, seconds=30)
    lost.close()
    waiting = in_thread(lambda: alive.all_reduce(np.ones(4, np.float32)))
    started = time.monotonic()
    with pytest.raises(TrainingError, match="the connection to worker 1 is lost"):
        hub.all_reduce(np.ones(4, np.float32))
    hub.close()
    with pytest.raises(TrainingError, match="the connection to worker 0 is lost"):
        waiting()
    assert time.monotonic() - started < 15


def test_vectors_of_different_lengths_are_refused() -> None:
    hub, other = star_of(2)
    in_thread(lambda: other.all_reduce(np.ones(5, np.float32)))
    with pytest.raises(
        ConfigError, match=r"worker 1 sent 20 bytes: expected 16\. The workers built different"
    ):
        hub.all_reduce(np.ones(4, np.float32))


@pytest.mark.parametrize("position", [10, 60])
def test_an_altered_message_is_refused(position: int) -> None:
    """Position 10 is in the code, 60 in the content."""
    near, far, worker, star = relayed_star()
    in_thread(lambda: worker.all_reduce(np.ones(16, np.float32)))
    message = bytearray(near.recv(40 + 64, socket.MSG_WAITALL))
    message[position] ^= 1
    far.sendall(message)
    with pytest.raises(TrainingError, match="in the name of worker 1 is not authentic"):
        star.all_reduce(np.ones(16, np.float32))


@pytest.mark.parametrize("act", ["repeated", "left out", "swapped", "reflected"])
def test_a_frame_out_of_its_place_is_refused(act: str) -> None:
    """Every frame here is genuine; somebody in between has all of them and sends others than he got."""
    near, far, worker, hub = relayed_star()
    in_thread(lambda: worker.all_reduce(np.arange(2 * FRAME_BYTES // 4, dtype=np.float32)))
    waiting = in_thread(lambda: hub.all_reduce(np.ones(2 * FRAME_BYTES // 4, np.float32)))
    first, second = (near.recv(40 + FRAME_BYTES, socket.MSG_WAITALL) for _ in range(2))
    if act == "reflected":
        far.sendall(first + second)
        answer = far.recv(2 * (40 + FRAME_BYTES), socket.MSG_WAITALL)
        waiting()
        waiting = in_thread(lambda: hub.all_reduce(np.ones(2 * FRAME_BYTES // 4, np.float32)))
        far.sendall(answer)
    else:
        orders = {"repeated": first + first, "left out": second + second, "swapped": second + first}
        far.sendall(orders[act])
    with pytest.raises(TrainingError, match="in the name of worker 1 is not authentic"):
        waiting()


def test_two_frames_of_a_longer_vector_are_not_taken_for_two_vectors() -> None:
    hub, other = star_of(2)
    in_thread(lambda: other.all_reduce(np.ones(2 * FRAME_BYTES // 4, np.float32)))
    with pytest.raises(ConfigError, match=f"worker 1 sent {2 * FRAME_BYTES} bytes: expected {FRAME_BYTES}"):
        hub.all_reduce(np.ones(FRAME_BYTES // 4, np.float32))


def test_a_worker_is_not_admitted_twice() -> None:
    listener = listening()
    hub = in_thread(lambda: open_hub(listener, KEY, 3, SECONDS, SECONDS))
    first = join_hub(listener.getsockname(), KEY, 1, SECONDS)
    impostor = in_thread(lambda: join_hub(listener.getsockname(), KEY, 1, SECONDS).all_reduce(np.ones(1)))
    with pytest.raises(TrainingError, match="worker 0 is lost|cannot join"):
        impostor()
    second = join_hub(listener.getsockname(), KEY, 2, SECONDS)
    sums = [in_thread(lambda w=w: w.all_reduce(np.ones(1, np.float32))) for w in (first, second)]
    assert hub().all_reduce(np.ones(1, np.float32)).tolist() == [3.0]
    assert [total().tolist() for total in sums] == [[3.0], [3.0]]


@pytest.mark.parametrize("num_workers", [2, 3])
def test_tensorflows_sum_is_that_of_the_star(num_workers: int, tmp_path: Path) -> None:
    """Two processes get the same bytes; more get them up to rounding, since TensorFlow adds in a ring."""
    ports = [kept_port() for _ in range(num_workers)]
    listener = listening()
    processes = []
    for rank in range(num_workers):
        job = WorkerJob(
            training=TrainingJob(
                ShardManifest("", InputColumns(("x",), feature_widths=(1,)), 2, 1, 0, (), (), ()),
                TrainingSettings(num_workers=num_workers, collective="tensorflow", network_is_isolated=True),
                InputSpec(("features",), 1),
                "",
            ),
            rank=rank,
            hub=listener.getsockname(),
            key_hex=KEY.hex(),
            listener_fd=listener.fileno() if rank == 0 else -1,
            parent_pid=os.getpid(),
            num_threads=1,
            output_directory=str(tmp_path),
            peers=tuple(("127.0.0.1", port.getsockname()[1]) for port in ports),
        )
        process = subprocess.Popen(
            [sys.executable, "-c", SUMS], stdin=subprocess.PIPE, pass_fds=[listener.fileno()], env=PATHS
        )
        process.stdin.write(job.to_json().encode())
        process.stdin.close()
        processes.append(process)
    assert [process.wait(120) for process in processes] == [0] * num_workers
    for port in (*ports, listener):
        port.close()
    stars, plain, graph = ([np.load(tmp_path / f"{n}{r}.npy") for r in range(num_workers)] for n in NAMES)
    for sums in (stars, plain, graph):
        assert all(np.array_equal(vector, sums[0]) for vector in sums)
    np.testing.assert_array_equal(plain[0], graph[0])
    if num_workers == 2:
        np.testing.assert_array_equal(plain[0], stars[0])
    np.testing.assert_allclose(plain[0], stars[0], rtol=1e-5, atol=1e-6)
