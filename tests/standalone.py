"""A real Spark standalone cluster on this machine, from the pip package: a master and workers of one core."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark

ROOT = Path(__file__).parents[1]
SPARK_HOME = Path(pyspark.__file__).parent
START_SECONDS = 90
_DEPLOY = "org.apache.spark.deploy"


@contextmanager
def standalone_cluster(place: Path, num_workers: int = 2, memory: str = "1g") -> Iterator[str]:
    """The URL of a running cluster; its processes are stopped by their ids.

    Args:
        place: gets the logs, and a folder for each worker.
        num_workers: each with one core.
        memory: of each worker, for executors' heaps.
    """
    port, processes = _free_port(), []
    url = f"spark://127.0.0.1:{port}"
    names = [f"worker{i + 1}" for i in range(num_workers)]
    try:
        options = ["--host", "127.0.0.1", "--webui-port", "0"]
        processes.append(_start("master.Master", [*options, "--port", str(port)], place / "master.log"))
        _wait_for(place / "master.log", "Starting Spark master")
        for name in names:
            size = ["--cores", "1", "--memory", memory, "--work-dir", str(place / name)]
            processes.append(_start("worker.Worker", [*options, *size, url], place / f"{name}.log"))
        for name in names:
            _wait_for(place / f"{name}.log", "Successfully registered with master")
        yield url
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=30)


def submit(master_url: str, *arguments: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """Run a job on a cluster; its stderr arrives in stdout, as spark-submit does with a Python driver's."""
    conf = ["spark.executor.memory=700m", "spark.driver.host=127.0.0.1", "spark.ui.enabled=false"]
    options = [option for setting in conf for option in ("--conf", setting)]
    return subprocess.run(
        [SPARK_HOME / "bin" / "spark-submit", "--master", master_url, *options, *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def environment() -> Mapping[str, str]:
    """This process's environment for Spark's daemons and jobs, without what an outer Spark left in it."""
    outer = ("SPARK_", "PYSPARK_GATEWAY")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
    own = {"SPARK_HOME": str(SPARK_HOME), "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    return {**inherited, **own}


def _start(main_class: str, options: list[str], log: Path) -> subprocess.Popen[bytes]:
    command = [SPARK_HOME / "bin" / "spark-class", f"{_DEPLOY}.{main_class}", *options]
    with log.open("wb") as stream:
        return subprocess.Popen(command, env=environment(), stdout=stream, stderr=subprocess.STDOUT)


def _wait_for(log: Path, text: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if log.exists() and text in log.read_text():
            return
        time.sleep(0.2)
    raise AssertionError(f"{log.name} never said {text!r}: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
