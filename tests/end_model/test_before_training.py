"""What is found before a training process starts, and how the driver watches one."""

import json
import logging
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from dp_spark.end_model.attempts import new_attempt, newest_checkpoint, run_directory
from dp_spark.end_model.barrier_task import process_environment
from dp_spark.end_model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from dp_spark.end_model.early_stopping import has_stopped
from dp_spark.end_model.greeting import Greeting, can_connect, environment_failure, network_failure
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.job import Failure, FailureKind, failure_name
from dp_spark.end_model.memory import TENSORFLOW_BYTES, FreeMemory, bytes_needed, free_memory
from dp_spark.end_model.progress import Progress, Reporter
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.watch import GRACE_SECONDS, Watch
from dp_spark.storage import Storage

VERSIONS = {"tensorflow": "2.21.0", "python": "3.11.7", "dp_spark": "0.1.0"}
MB = 1 << 20


UNKNOWN = FreeMemory()


def greeting(
    host: str = "a", executor: int = 1, *, memory: FreeMemory = UNKNOWN, reaches_hub: bool = True
) -> Greeting:
    return Greeting(
        host, 7, "/usr/bin/python3", VERSIONS, executor=executor, memory=memory, reaches_hub=reaches_hub
    )


def test_too_little_memory_is_named_before_anything_starts(make_manifest) -> None:
    def failure_of(*workers: Greeting, needed_mb: int) -> str:
        failure = environment_failure(workers, needed_mb * MB)
        assert failure is None or failure.kind is FailureKind.ENVIRONMENT
        return failure.message if failure else ""

    machine = FreeMemory(machine=500 * MB)
    assert failure_of(greeting(memory=machine), greeting(memory=machine), needed_mb=250) == ""
    assert failure_of(greeting(memory=machine), greeting("b", memory=machine), needed_mb=500) == ""
    message = failure_of(greeting(memory=machine), greeting(memory=machine), needed_mb=251)
    assert "a has 500 MB of memory for 2 training worker(s) that need about 251 MB each" in message
    assert "spark.executor.memoryOverhead" in message

    own = FreeMemory(machine=9000 * MB, container=300 * MB)  # two executors on one machine
    assert failure_of(greeting(memory=own), greeting(executor=2, memory=own), needed_mb=300) == ""
    message = failure_of(greeting(memory=own), greeting(memory=own), needed_mb=300)
    assert "executor 1 on a has 300 MB of memory for 2 training worker(s)" in message

    limited = FreeMemory(machine=9000 * MB, process=400 * MB)  # each may take so much
    assert failure_of(greeting(memory=limited), greeting(memory=limited), needed_mb=400) == ""
    assert "worker 0 on a has 400 MB" in failure_of(greeting(memory=limited), needed_mb=401)
    needed = bytes_needed(make_manifest(), TrainingSettings())
    assert TENSORFLOW_BYTES < needed < TENSORFLOW_BYTES + MB
    assert Greeting.from_json(json.dumps(asdict(greeting(memory=limited)))) == greeting(memory=limited)


def test_the_limit_of_pyspark_memory_is_seen_by_the_process() -> None:
    check = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (800 << 20, 800 << 20)); "
        "from dp_spark.end_model.memory import free_memory; print(free_memory().process)"
    )
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert int(found.stdout) == 800 << 20
    assert free_memory().process is None
    assert free_memory().machine > 100 * MB


def test_workers_that_cannot_reach_the_first_one_are_named() -> None:
    assert network_failure([greeting(), greeting("b")]) is None
    failure = network_failure([greeting(), greeting("b", reaches_hub=False)])
    assert "the executors on b cannot connect to a:7" in failure.message
    assert not failure.kind.can_be_retried
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert can_connect("127.0.0.1", port)
    assert not can_connect("127.0.0.1", port)


def test_a_process_sees_the_gpus_that_spark_gave_its_task() -> None:
    assert process_environment(2, ["1", "3"])["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert process_environment(2, [])["OMP_NUM_THREADS"] == "2"


def test_dynamic_allocation_is_refused() -> None:
    check = (
        "from dp_spark.session import spark_session\n"
        "from dp_spark.end_model.preflight import check_cluster\n"
        "check_cluster(spark_session('test', {'spark.dynamicAllocation.enabled': 'true'}), 1)\n"
    )
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert "EnvironmentProblem: spark.dynamicAllocation.enabled is true" in found.stderr


def test_progress_is_written_once_a_second_and_tells_the_time_left(tmp_path: Path) -> None:
    now = [0.0]
    reporter = Reporter(str(tmp_path), clock=lambda: now[0])
    written = []
    for second in (0.0, 0.5, 1.0, 1.2):
        now[0] = second
        reporter.tell(Progress("training", step=int(second * 10)))
        written.append(json.loads((tmp_path / "progress.json").read_text())["step"])
    assert written == [0, 0, 10, 10]
    reporter.tell(Progress("joined"))  # another phase: the driver waits longer for some than for others
    assert Progress.from_json((tmp_path / "progress.json").read_text()).phase == "joined"
    reporter.tell(Progress("trained"), at_once=True)
    assert Progress.from_json((tmp_path / "progress.json").read_text()).phase == "trained"
    halfway = Progress("training", epoch=1, step=5, num_epochs=4, num_steps=10, rows_per_second=100.0)
    assert halfway.seconds_left(1000) == pytest.approx(25.0)  # 2.5 epochs of 1,000 rows
    assert Progress("joined").seconds_left(1000) is None


def test_the_driver_logs_progress_and_gives_up_on_silence_and_on_failures(
    storage: Storage, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("dp_spark.end_model.watch.time.monotonic", lambda: now[0])
    watch = Watch(storage, str(tmp_path), num_workers=2, timeout_seconds=5, rows_per_epoch=1000)
    reporter = Reporter(str(tmp_path))
    assert watch() is None
    metrics = {"loss": 0.5, "accuracy": 0.75}
    told = Progress("training", epoch=1, num_epochs=3, num_steps=10, rows_per_second=500.0, metrics=metrics)
    reporter.tell(told, at_once=True)
    with caplog.at_level(logging.INFO, logger="dp_spark"):
        assert watch() is None
    assert "training: epoch 1/3 loss=0.5000 accuracy=0.7500 rows/s=500 seconds_left=4" in caplog.text
    now[0] += 5 + GRACE_SECONDS
    assert watch() is None
    now[0] += 1
    silent = watch()
    assert (
        f"no news for {6 + GRACE_SECONDS:.0f} seconds (it was last seen in epoch 2, step 0 of 10)"
        in silent.message
    )
    assert silent.kind.can_be_retried

    for rank, kind in ((0, FailureKind.PEER), (1, FailureKind.USER)):
        (tmp_path / failure_name(rank)).write_text(Failure(kind, f"of {rank}").to_json())
    assert watch() is None
    now[0] += GRACE_SECONDS + 1
    assert watch() == Failure(FailureKind.USER, "of 1")


def test_a_stale_attempt_does_not_change_what_a_newer_one_starts_from(
    storage: Storage, make_manifest, tmp_path: Path
) -> None:
    import numpy as np

    def state(num_epochs: int, value: float) -> Checkpoint:
        history = tuple({"loss": 1.0} for _ in range(num_epochs))
        return Checkpoint(0, np.zeros(4), history, (np.full(3, value, np.float32),))

    inputs = InputSpec(("features",), 6)
    directory = run_directory(make_manifest(), inputs, TrainingSettings())
    assert directory != run_directory(make_manifest((5,)), inputs, TrainingSettings())
    assert directory != run_directory(make_manifest((4, 1)), inputs, TrainingSettings(learning_rate=0.5))
    assert newest_checkpoint(storage, directory) is None
    stale, newer = new_attempt(directory), new_attempt(directory)
    write_checkpoint(stale, state(1, 1.0))
    write_checkpoint(stale, state(2, 2.0))
    start = newest_checkpoint(storage, directory)
    assert start.num_epochs == 2
    write_checkpoint(newer, state(3, 3.0))
    write_checkpoint(stale, state(2, 9.0))  # it still lives, and writes the epoch again
    assert newest_checkpoint(storage, directory).path.startswith(newer)
    assert read_checkpoint(newest_checkpoint(storage, directory), [(3,)]).variables[0].tolist() == [3.0] * 3
    assert len(list(Path(stale).iterdir())) == 2 * 2  # the last two, and what describes them


def test_a_run_has_another_name_when_the_users_code_changes_and_the_code_is_not_run(
    make_manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    manifest, inputs = make_manifest(), InputSpec(("features",), 6)
    settings = TrainingSettings(model="never_imported:build")
    names = set()
    for text in ("raise SystemExit(1)", "raise SystemExit(2)"):
        (tmp_path / "never_imported.py").write_text(text)
        names.add(run_directory(manifest, inputs, settings))
    assert len(names) == 2
    (tmp_path / "never_imported.py").unlink()
    assert run_directory(manifest, inputs, settings) not in names
    assert "never_imported" not in sys.modules


def test_patience_counts_epochs_without_a_lower_loss() -> None:
    def losses(*values: float) -> list[dict[str, float]]:
        return [{"validation_loss": value} for value in values]

    assert not has_stopped(losses(0.5, 0.6), 2)
    assert has_stopped(losses(0.5, 0.6, 0.5), 2)
    assert not has_stopped(losses(0.5, 0.6, 0.4), 2)
    assert not has_stopped(losses(0.5, 0.6, 0.7), 0)
