"""Signals, for real: processes with Spark at work, and without, are signalled, and what they leave is looked at."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dp_spark.stage_names import GOLD_END_MODEL, GOLD_TRAINING_SET, OWN_NAMES, RUN_FILE
from dp_spark.stages import STAGES

REPOSITORY = Path(__file__).parents[1]
SLOW_LFS = """
import os
import time

from dp_spark import keyword_lf, labeling_function

@labeling_function
def short(x):
    if not os.path.exists("is_fast"):
        open("has_begun", "w").close()
        time.sleep(0.5)
    return 1 if len(x.text) < 20 else -1

LFS = [
    short,
    keyword_lf("about_me", "text", {1: ["my channel"], -1: ["this song"]}),
    keyword_lf("asks", "text", {1: ["check"], -1: ["love"]}),
]
"""
CONFIG = """
output = "results"
[table]
path = "table"
key = ["id"]
[labeling]
module = "my_lfs"
lfs = "LFS"
[training_set]
text = "text"
[end_model]
model = "linear"
num_epochs = {epochs}
batch_size = 32
[evaluation]
num_replicates = 0
"""
STUCK = """
import sys, time
from dp_spark import interruption
from dp_spark.session import run_job

interruption._END_SECONDS = {seconds}

def main():
    try:
        print("begun", flush=True)
        time.sleep(100)
    finally:
        time.sleep(100)

run_job(main)
"""
TRACES = ("Traceback", "KeyboardInterrupt", "at org.apache.spark", "at java.base", "Py4J")


@pytest.fixture
def start():
    """Starts a process; it is gone after the test, whatever happens in it."""
    processes = []

    def started(folder, *arguments):
        processes.append(process_in(folder, *arguments))
        return processes[-1]

    yield started
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def process_in(folder, *arguments):
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}",
        "PYSPARK_PYTHON": sys.executable,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYSPARK_SUBMIT_ARGS": "--conf spark.sql.shuffle.partitions=1 pyspark-shell",
    }
    with (folder / "stderr").open("w") as stderr:
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)], cwd=folder, env=environment, stdout=subprocess.PIPE,
            stderr=stderr, start_new_session=True,
        )  # fmt: skip


def wait_until(is_so, process, seconds=400):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, "ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.1)


def processes_of(session):
    """The processes of a session that are there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def stop(process, number, folder):
    """Signal a process; returns its last line after it has ended, in time, with all that it started."""
    process.send_signal(number)
    assert process.wait(timeout=30) == 128 + number
    deadline = time.monotonic() + 15
    while processes_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(process.pid) == []
    said = (folder / "stderr").read_text()
    assert [trace for trace in TRACES if trace in said] == []
    return said.splitlines()[-1]


def hidden(folder):
    return [name for name in os.listdir(folder) if name.startswith(".staging") or "unfinished" in name]


@pytest.mark.slow
def test_a_run_that_is_stopped_twice_goes_on_to_its_end(spark, start, tmp_path):
    rows = [(i, f"check out my channel {i}" if i % 3 else f"i love this song {i}") for i in range(120)]
    spark.createDataFrame(rows, "id long, text string").write.parquet(f"{tmp_path}/table")
    (tmp_path / "my_lfs.py").write_text(SLOW_LFS)
    (tmp_path / "my.toml").write_text(CONFIG.format(epochs=100_000))
    results, command = tmp_path / "results", [REPOSITORY / "jobs" / "pipeline.py", "--config", "my.toml"]

    run = start(tmp_path, *command)
    wait_until((tmp_path / "has_begun").exists, run)
    said = stop(run, signal.SIGINT, tmp_path)
    assert said == (
        f"interrupted in stage apply-lfs after 0 of {len(STAGES)} stages; the results of complete stages are kept: "
        "go on with `pipeline.py --config my.toml --resume`"
    )
    assert set(os.listdir(results)) - {f".{RUN_FILE}.crc"} == {RUN_FILE}

    (tmp_path / "is_fast").touch()
    run = start(tmp_path, *command, "--resume")
    wait_until(lambda: list(results.glob("training_set/_training-*/*/progress.json")), run)
    said = stop(run, signal.SIGTERM, tmp_path)
    assert said.startswith(f"interrupted in stage train-end-model after 5 of {len(STAGES)} stages;")
    assert hidden(results) == []
    assert not (results / "end_model").exists()

    (tmp_path / "my.toml").write_text(CONFIG.format(epochs=2))
    run = start(tmp_path, *command, "--resume")
    assert run.wait(timeout=400) == 0, (tmp_path / "stderr").read_text()
    written = {name for name in os.listdir(results) if not name.startswith(".")}
    assert written == OWN_NAMES - {GOLD_END_MODEL, GOLD_TRAINING_SET}  # no gold


def test_a_second_ctrl_c_ends_at_once(start, tmp_path):
    (tmp_path / "stuck.py").write_text(STUCK.format(seconds=25))
    process = start(tmp_path, "stuck.py")
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 130  # and not the 25 seconds that it has after the first


def test_a_process_that_cannot_stop_is_ended(start, tmp_path):
    (tmp_path / "stuck.py").write_text(STUCK.format(seconds=1))
    process = start(tmp_path, "stuck.py")
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143
    assert "ended without waiting any longer for Spark" in (tmp_path / "stderr").read_text()
