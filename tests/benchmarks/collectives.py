"""Microseconds of one sum over training processes: the authenticated star and `tf.distribute`.

    python tests/benchmarks/collectives.py [--workers 2 4 8] [--kb 1 400 4000 10000] [--json]

All processes are on this machine, so that they share its cores and there is no network; the load before
is printed. "star": NumPy vectors alone. "star in a graph" and "tensorflow": one sum after the other inside
one `tf.function`, as training does it, with one intra-op thread. The least and the median of 7 rounds.
Run by hand, on a machine that does nothing else: more processes than cores wait for each other.
"""

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dp_spark.end_model.collective import AuthenticatedStar, join_hub, open_hub
from dp_spark.end_model.frames import KEY_BYTES
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.job import TrainingJob, WorkerJob
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import ShardManifest

if TYPE_CHECKING:
    import tensorflow as tf

NUM_ROUNDS = 7
ROUND_BYTES = 1e8  # what a round moves, about
MAX_SUMS = 500
SECONDS = 120.0
KEY = bytes(KEY_BYTES)
WAYS = ("star", "star in a graph", "tensorflow")


def measure(way: str, rank: int, job: WorkerJob, sizes: list[int], results: multiprocessing.Queue) -> None:
    star = place(job, rank)
    rounds = numpy_rounds(star, sizes) if way == "star" else graph_rounds(way, star, job, sizes)
    star.close()
    if rank == 0:
        results.put(rounds)


def place(job: WorkerJob, rank: int) -> AuthenticatedStar:
    num_workers = job.training.settings.num_workers
    if rank == 0:
        return open_hub(socket.socket(fileno=job.listener_fd), KEY, num_workers, SECONDS, SECONDS)
    return join_hub(job.hub, KEY, rank, SECONDS)


def numpy_rounds(star: AuthenticatedStar, sizes: list[int]) -> list[list[float]]:
    def rounds_of(size: int) -> list[float]:
        vector, num_sums = np.ones(size // 4, np.float32), how_many(size)
        return timed(lambda: [star.all_reduce(vector) for _ in range(num_sums)], num_sums)

    return [rounds_of(size) for size in sizes]


def graph_rounds(way: str, star: AuthenticatedStar, job: WorkerJob, sizes: list[int]) -> list[list[float]]:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from dp_spark.end_model.loop import _in_graph
    from dp_spark.end_model.tensorflow_collective import join, set_threads

    set_threads(1)
    reduce = _in_graph(join(job, star) if way == "tensorflow" else star)

    def round_of(num_sums: int) -> Callable[["tf.Tensor"], "tf.Tensor"]:
        @tf.function
        def run(vector: tf.Tensor) -> tf.Tensor:
            for _ in tf.range(num_sums):
                vector = reduce(vector) * 0.5
            return vector

        return run

    rounds = []
    for size in sizes:
        vector, run = tf.ones(size // 4), round_of(how_many(size))
        rounds.append(timed(lambda run=run, vector=vector: run(vector), how_many(size)))
    return rounds


def how_many(size: int) -> int:
    return int(np.clip(ROUND_BYTES / size, 10, MAX_SUMS))


def timed(action: Callable[[], object], num_sums: int) -> list[float]:
    """Microseconds per sum of every round after an untimed one."""
    action()
    rounds = []
    for _ in range(NUM_ROUNDS):
        started = time.perf_counter()
        action()
        rounds.append((time.perf_counter() - started) / num_sums * 1e6)
    return rounds


def run_way(way: str, num_workers: int, sizes: list[int]) -> list[list[float]]:
    context = multiprocessing.get_context("fork")  # the listener's descriptor is inherited
    settings = TrainingSettings(
        num_workers=num_workers, collective="tensorflow", network_is_isolated=True, timeout_seconds=SECONDS
    )
    manifest = ShardManifest("", InputColumns(("x",), feature_widths=(1,)), 2, 1, 0, (), (), ())
    results = context.Queue()
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=num_workers))
        ports = [held.enter_context(socket.socket()) for _ in range(num_workers)]
        for port in ports:
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            port.bind(("", 0))
        job = WorkerJob(
            training=TrainingJob(manifest, settings, InputSpec(("features",), 1), ""),
            rank=0,
            hub=listener.getsockname(),
            key_hex=KEY.hex(),
            listener_fd=listener.fileno(),
            parent_pid=os.getpid(),
            num_threads=1,
            output_directory="",
            peers=tuple(("127.0.0.1", port.getsockname()[1]) for port in ports),
        )
        processes = [
            context.Process(target=measure, args=(way, rank, replace(job, rank=rank), sizes, results))
            for rank in range(num_workers)
        ]
        for process in processes:
            process.start()
        rounds = results.get(timeout=600)
        for process in processes:
            process.join()
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--kb", type=int, nargs="+", default=[1, 40, 400, 4000, 10_000])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [1000 * kb for kb in options.kb]
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "numpy")}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}"
    if not options.json:
        print(f"{machine}, load {os.getloadavg()[0]:.1f}")
        print(f"{'way':16s} {'workers':>7s}" + "".join(f"{kb:>12,d} KB" for kb in options.kb))
    rows = []
    for num_workers in options.workers:
        for way in options.ways:
            rounds = run_way(way, num_workers, sizes)
            rows.append({"way": way, "workers": num_workers, "microseconds": rounds})
            if not options.json:
                cells = [f"{min(r):,.0f}/{statistics.median(r):,.0f}" for r in rounds]
                print(f"{way:16s} {num_workers:7d}" + "".join(f"{cell:>15s}" for cell in cells), flush=True)
    if options.json:
        print(json.dumps({"machine": machine, "bytes": sizes, "rows": rows}))


if __name__ == "__main__":
    main()
