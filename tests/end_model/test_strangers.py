"""Strangers at the ports of a training run, and code in the files that it reads."""

import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import Row, SparkSession

from dp_spark.end_model.artifact import EndModel
from dp_spark.end_model.checkpoint import CheckpointFile, read_checkpoint
from dp_spark.end_model.collective import join_hub, open_hub
from dp_spark.end_model.frames import Channel
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.job import TrainingJob, WorkerJob
from dp_spark.end_model.lobby import MAX_DROPS_LOGGED
from dp_spark.end_model.predict import predict
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.train import train_end_model
from dp_spark.errors import SchemaError, TrainingError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import ShardManifest
from dp_spark.storage import Storage
from dp_spark.worker_errors import translated_errors

MakeManifest = Callable[..., ShardManifest]

KEY = bytes(range(32))
SECONDS = 10.0
NUM_SILENT = 100  # fewer than the listener's queue holds: the kernel forgets those beyond it without a word
NUM_FLOOD = 600

# A process of its own: it waits for the training processes below the one named, and attacks where they listen.
STRANGER = """
import json, os, pathlib, re, socket, sys, threading, time

from dp_spark.end_model.frames import Rejected, introduce

ancestor, num_silent, report_path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

def descends(pid):
    while pid > 1:
        pid = parent(pid)
        if pid == ancestor:
            return True
    return False

def trainers():
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if b"dp_spark.end_model.worker" in (process / "cmdline").read_bytes() and descends(int(process.name)):
                yield process
        except OSError:
            continue

def listening(processes):
    inodes = {}
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, state = fields[1], fields[3]
            if state == "0A":
                host, port = address.split(":")
                inodes[f"socket:[{fields[9]}]"] = (bytes.fromhex(host)[::-1], int(port, 16))
    return {inodes[link] for process in processes for link in links(process) if link in inodes}

def links(process):
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            yield os.readlink(descriptor)
        except OSError:
            continue  # closed in the meantime

def words(process):
    return {word for name in ("cmdline", "environ") for word in (process / name).read_bytes().split(b"\\0")}

def ending(connection):
    connection.settimeout(max(0.1, deadline - time.monotonic()))
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return "open"
    except OSError:
        pass
    return "dropped"

def attempt(host, port):
    try:
        with socket.create_connection((host, port), timeout=5):
            return "accepted"
    except ConnectionRefusedError:
        return "refused"

seen, is_over = {}, threading.Event()

def look():
    while not is_over.wait(0.05):
        for process in trainers():
            try:
                if process not in seen:
                    seen[process] = words(process)
            except OSError:
                continue

# All the while: the last of them starts long after the first one listens, and then soon none does any more.
looking = threading.Thread(target=look, daemon=True)
looking.start()
addresses = set()
while not addresses and os.getppid() == ancestor:
    addresses = listening(trainers())
((packed, port),) = addresses
host = socket.inet_ntoa(packed)

garbage, *keyless = [socket.create_connection((host, port)) for _ in range(4)]
silent = [socket.socket() for _ in range(num_silent)]
for connection in silent:
    connection.setblocking(False)
    connection.connect_ex((host, port))
elsewhere = attempt("127.0.0.99", port)
garbage.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n" + bytes(200))
num_rejected = 0
for connection, key in zip(keyless, (b"", bytes(32), os.urandom(32)), strict=True):
    try:
        introduce(connection, key, 1, 30)
    except Rejected:
        num_rejected += 1
while listening(trainers()):
    time.sleep(0.05)
late = attempt(host, port)
is_over.set()
looking.join()
deadline = time.monotonic() + 30
report = {
    "num_trainers": len(seen),
    "host": host,
    "elsewhere": elsewhere,
    "num_rejected": num_rejected,
    "garbage": ending(garbage),
    "silent": sorted({ending(connection) for connection in silent}),
    "late": late,
    "secrets_shown": sorted({w[:20].decode() for w in set().union(*seen.values()) if re.search(rb"[0-9a-f]{64}", w)}),
}
pathlib.Path(report_path).write_text(json.dumps(report))
"""


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def attacked(action: Callable[[], EndModel], report: Path) -> tuple[EndModel, dict[str, object]]:
    """The result of an action below this process while a stranger attacks it, and the stranger's report."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    script = report.with_name("stranger.py")
    script.write_text(STRANGER)
    command = [sys.executable, str(script), str(os.getpid()), str(NUM_SILENT), str(report)]
    stranger = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        result = action()
        _, errors = stranger.communicate(timeout=120)
    finally:
        stranger.kill()
    assert stranger.returncode == 0, errors
    return result, json.loads(report.read_text())


def test_strangers_at_a_training_run_are_dropped_and_change_nothing(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    manifest = make_manifest()
    settings = TrainingSettings(num_workers=2, num_epochs=3, max_attempts=1)
    disturbed, report = attacked(
        lambda: train_end_model(spark, manifest, settings, storage=storage), tmp_path / "report.json"
    )
    calm = train_end_model(spark, manifest, settings, storage=storage)
    assert report == {
        "num_trainers": 2,
        "host": socket.gethostbyname(spark.conf.get("spark.driver.host")),
        "elsewhere": "refused",  # the port is not open on other addresses of the machine
        "num_rejected": 3,
        "garbage": "dropped",
        "silent": ["dropped"],
        "late": "refused",  # once all have joined nobody listens
        "secrets_shown": [],  # neither the run's nor Spark's
    }
    assert disturbed.history == calm.history


def test_many_silent_strangers_do_not_keep_a_worker_out(caplog: pytest.LogCaptureFixture) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    address = listener.getsockname()
    silent = [socket.socket() for _ in range(NUM_FLOOD)]
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(1) as executor:
        hub = executor.submit(open_hub, listener, KEY, 2, SECONDS, SECONDS)
        for connection in silent:
            connection.connect(address)
        started = time.monotonic()
        worker = join_hub(address, KEY, 1, SECONDS)
        assert time.monotonic() - started < 4.5  # and not the 5 seconds that each of them may take
        star = hub.result(SECONDS)
    assert (
        len([r for r in caplog.records if r.message.startswith("dropped a connection")]) == MAX_DROPS_LOGGED
    )
    for connection in silent:
        connection.settimeout(2)
        while connection.recv(100):  # the challenge, then the end
            pass
        connection.close()
    star.close()
    worker.close()


def test_secrets_are_not_in_what_is_printed(make_manifest: MakeManifest, tmp_path: Path) -> None:
    job = WorkerJob(
        training=TrainingJob(make_manifest(), TrainingSettings(), InputSpec(("features",), 6), str(tmp_path)),
        rank=0,
        hub=("host", 1),
        key_hex=KEY.hex(),
        listener_fd=-1,
        parent_pid=0,
        num_threads=1,
        output_directory=str(tmp_path),
    )
    with socket.socket() as connection:
        shown = repr(job) + repr(Channel(1, 1.0, connection, KEY, KEY))
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert WorkerJob.from_json(job.to_json()) == job


def test_a_pickle_in_a_checkpoint_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    payload = np.array([Payload(tmp_path / "ran")], dtype=object)
    np.savez(path, np.zeros(1), np.zeros(4), payload)
    file = CheckpointFile(1, 0, str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(TrainingError, match=r"is damaged: .*allow_pickle"):
        read_checkpoint(file, [(1,)])
    assert not (tmp_path / "ran").exists()


def test_code_in_a_model_file_is_not_run(spark: SparkSession, tmp_path: Path) -> None:
    """A Lambda layer, in a process of its own since this one may hold Keras with other settings."""
    make = (
        "import keras, sys\n"
        "from pathlib import Path\n"
        f"ran = {str(tmp_path / 'ran')!r}\n"
        "entry = keras.Input((2,))\n"
        "code = keras.layers.Lambda(lambda x: (__import__('pathlib').Path(ran).touch(), x)[1])\n"
        "keras.Model(entry, keras.layers.Dense(1)(code(entry))).save(sys.argv[1])\n"
        "Path(ran).unlink(missing_ok=True)\n"
    )
    file = tmp_path / "model.keras"
    subprocess.run([sys.executable, "-c", make, str(file)], check=True, capture_output=True)
    model = EndModel(
        file.read_bytes(),
        InputSpec(("features",), 2),
        InputColumns(("x",), feature_widths=(2,)),
        ({"loss": 0.5},),
        TrainingSettings(),
        "digest",
        {},
    )
    table = spark.createDataFrame([Row(id=1, x=[0.5, 0.5])])
    message = r"cannot be loaded safely: .*Lambda(.|\n)*is never run\. Train the model again"
    with pytest.raises(SchemaError, match=message), translated_errors():
        predict(table, model, key=["id"]).collect()
    assert not (tmp_path / "ran").exists()
