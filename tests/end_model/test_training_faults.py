"""Processes that are killed or hang, disks that are full, checkpoints that are not what they should be."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from processes import is_running
from pyspark.sql import SparkSession

from dp_spark.end_model.artifact import EndModel
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.train import train_end_model
from dp_spark.errors import DivergedError, TrainingError
from dp_spark.labels.manifest import ShardManifest
from dp_spark.storage import Storage

MakeManifest = Callable[..., ShardManifest]
ShipModule = Callable[[str, str], str]

SETTINGS = TrainingSettings(optimizer="sgd", learning_rate=0.5, num_epochs=20, batch_size=64)

UNDISTURBED: dict[int, EndModel] = {}  # by number of workers: trained once, compared with every fault

# A model function that sends a signal, once, when the first epoch is done, and callbacks that write down the
# epochs in which worker 0 trains.
FAULTY = """
import os, pathlib, signal, threading, time
import keras

RUNS = pathlib.Path({runs!r})
MARKER = pathlib.Path({marker!r})
EPOCHS = pathlib.Path({epochs!r})

def strike():
    while not any(RUNS.glob("_training-*/attempt-*/checkpoint-*.json")):
        time.sleep(0.001)
    os.kill({victim}, signal.{signal})

def build(inputs):
    with EPOCHS.with_suffix(".pids").open("a") as pids:
        pids.write(f"{{os.getpid()}}\\n")
    try:
        MARKER.touch(exist_ok=False)
    except FileExistsError:
        pass
    else:
        threading.Thread(target=strike, daemon=True).start()
    entry = keras.Input((inputs.num_features,))
    return keras.Model(entry, keras.layers.Dense(1, kernel_initializer="zeros")(entry))

class Note(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        time.sleep({pause})
        with EPOCHS.open("a") as epochs:
            epochs.write(f"{{epoch}}\\n")

def callbacks():
    return [Note()]
"""


def trained_with_fault(
    spark: SparkSession,
    storage: Storage,
    manifest: ShardManifest,
    ship_module: ShipModule,
    settings: TrainingSettings,
    place: Path,
    name: str,
    **given: object,
) -> tuple[EndModel, list[int]]:
    """The end model, and the epochs that worker 0 has begun."""
    epochs, marker = place / f"{name} epochs", place / f"{name} marker"
    values = {"victim": "os.getpid()", "signal": "SIGKILL", "pause": 0.05, **given}
    text = FAULTY.format(runs=manifest.path, marker=str(marker), epochs=str(epochs), **values)
    ship_module(name, text)
    faulty = replace(settings, model=f"{name}:build", callbacks=f"{name}:callbacks")
    trained = train_end_model(spark, manifest, faulty, storage=storage)
    pids = epochs.with_suffix(".pids").read_text().split()
    assert len(pids) >= settings.num_workers
    assert [pid for pid in pids if is_running(int(pid))] == []  # no orphan
    return trained, [int(line) for line in epochs.read_text().split()]


@pytest.mark.parametrize(
    ("num_workers", "victim", "kind", "message"),
    [
        (1, "os.getpid()", "SIGKILL", "ended with SIGKILL"),
        (2, "os.getpid()", "SIGKILL", "ended with SIGKILL"),
        (2, "os.getppid()", "SIGKILL", "a training attempt failed, 2 left"),
        (1, "os.getpid()", "SIGSTOP", "worker 0 has given no news"),
        (2, "os.getpid()", "SIGSTOP", "has been silent for 5 seconds"),
        (2, "os.getppid()", "SIGSTOP", "a training attempt failed, 2 left"),
    ],
    ids=["process", "one of two", "Python worker", "hung process", "one of two hangs", "hung Python worker"],
)
def test_after_a_fault_training_goes_on_from_the_checkpoint_as_if_nothing_had_happened(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    ship_module: ShipModule,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    num_workers: int,
    victim: str,
    kind: str,
    message: str,
) -> None:
    manifest = make_manifest()
    settings = replace(SETTINGS, num_workers=num_workers, timeout_seconds=5)
    name = f"faulty_{num_workers}_{kind}_{'parent' if 'ppid' in victim else 'self'}".lower()
    given = (spark, storage, manifest, ship_module, settings, tmp_path)
    struck, epochs = trained_with_fault(*given, name, victim=victim, signal=kind)
    assert message in caplog.text
    assert epochs.count(0) == 1  # the first epoch's checkpoint was used
    assert sorted(set(epochs)) == list(range(20))
    assert len(epochs) <= 21  # at most one checkpoint interval was lost
    assert os.listdir(manifest.path) == ["shards"]

    if num_workers not in UNDISTURBED:
        calm, calm_epochs = trained_with_fault(*given, f"calm_{num_workers}", signal="SIGCONT", pause=0)
        assert calm_epochs == list(range(20))
        UNDISTURBED[num_workers] = calm
    assert struck.history == UNDISTURBED[num_workers].history
    assert struck.digest == UNDISTURBED[num_workers].digest  # bit for bit


def test_checkpoints_inside_an_epoch_lose_no_more_than_their_interval(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    ship_module: ShipModule,
    tmp_path: Path,
) -> None:
    """The process kills itself in step 9 of the first epoch; checkpoints are 3 steps apart."""
    text = (
        "import os, pathlib, signal\nimport keras\n"
        f"MARKER, STEPS = pathlib.Path({str(tmp_path / 'marker')!r}), pathlib.Path({str(tmp_path / 'steps')!r})\n"
        "class Strike(keras.callbacks.Callback):\n"
        "    def on_train_batch_begin(self, batch, logs=None):\n"
        "        with STEPS.open('a') as steps:\n"
        "            steps.write(f'{batch}\\n')\n"
        "        if batch == 8 and not MARKER.exists():\n"
        "            MARKER.touch()\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "def callbacks():\n"
        "    return [Strike()]\n"
    )
    name, manifest = ship_module("strikes_in_a_step", text), make_manifest()
    settings = replace(
        SETTINGS, num_epochs=1, checkpoint_steps=3, optimizer="adam", callbacks=f"{name}:callbacks"
    )
    struck = train_end_model(spark, manifest, settings, storage=storage)
    steps = [int(line) for line in (tmp_path / "steps").read_text().split()]
    assert steps == [0, 1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 9, 10, 11, 12]
    calm = train_end_model(spark, manifest, replace(settings, callbacks=""), storage=storage)
    assert struck.history == calm.history
    assert struck.digest == calm.digest


def test_a_driver_that_dies_leaves_no_process_and_the_next_one_goes_on(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    manifest = make_manifest()
    (tmp_path / "manifest.json").write_text(manifest.to_json())
    epochs, pids = tmp_path / "epochs", tmp_path / "epochs.pids"
    text = FAULTY.format(
        runs=manifest.path,
        marker=str(tmp_path / "m"),
        epochs=str(epochs),
        victim="0",
        signal="SIGCONT",
        pause=0.3,
    )
    (tmp_path / "slow_model.py").write_text(text)
    (tmp_path / "driver.py").write_text(
        "import pathlib, sys\n"
        "from dp_spark.end_model.settings import TrainingSettings\n"
        "from dp_spark.end_model.train import train_end_model\n"
        "from dp_spark.labels.manifest import ShardManifest\n"
        "from dp_spark.session import configure_logging, spark_session\n"
        "from dp_spark.storage import Storage\n"
        "if __name__ == '__main__':\n"
        "    configure_logging()\n"
        "    spark = spark_session('test', {'spark.master': 'local[2]'})\n"
        f"    spark.sparkContext.addPyFile({str(tmp_path / 'slow_model.py')!r})\n"
        f"    text = pathlib.Path({str(tmp_path / 'manifest.json')!r}).read_text()\n"
        f"    manifest = ShardManifest.from_json(text, {manifest.path!r})\n"
        "    settings = TrainingSettings(num_epochs=12, batch_size=64, num_workers=2,\n"
        "        model='slow_model:build', callbacks='slow_model:callbacks')\n"
        "    train_end_model(spark, manifest, settings, storage=Storage(spark)).save(sys.argv[1])\n"
    )
    command = [sys.executable, str(tmp_path / "driver.py"), str(tmp_path / "end_model")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    driver = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not any(Path(manifest.path).glob("_training-*/attempt-*/checkpoint-000002*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    time.sleep(5)
    assert [pid for pid in pids.read_text().split() if is_running(int(pid))] == []

    second = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert second.returncode == 0, second.stderr[-3000:]
    assert "going on after epoch" in second.stderr
    assert "training: epoch" in second.stderr
    begun = [int(line) for line in epochs.read_text().split()]
    assert begun.count(0) == begun.count(1) == 1
    assert sorted(set(begun)) == list(range(12))
    assert len(EndModel.load(tmp_path / "end_model").history) == 12
    assert os.listdir(manifest.path) == ["shards"]


def test_a_checkpoint_that_was_altered_or_is_of_another_model_is_refused(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    ship_module: ShipModule,
    tmp_path: Path,
) -> None:
    text = (
        "import pathlib\nimport keras\n"
        f"FAIL, WIDE = pathlib.Path({str(tmp_path / 'fail')!r}), pathlib.Path({str(tmp_path / 'wide')!r})\n"
        "class Fail(keras.callbacks.Callback):\n"
        "    def on_epoch_begin(self, epoch, logs=None):\n"
        "        if FAIL.exists() and epoch == 1:\n"
        "            raise RuntimeError('as the test wants it')\n"
        "def callbacks():\n"
        "    return [Fail()]\n"
        "def build(inputs):\n"
        "    entry = keras.Input((inputs.num_features,))\n"
        "    hidden = keras.layers.Dense(3 if WIDE.exists() else 2)(entry)\n"
        "    return keras.Model(entry, keras.layers.Dense(1)(hidden))\n"
    )
    name, manifest = ship_module("fails_in_epoch_2", text), make_manifest()
    settings = replace(SETTINGS, num_epochs=2, model=f"{name}:build", callbacks=f"{name}:callbacks")

    def train() -> EndModel:
        return train_end_model(spark, manifest, settings, storage=storage)

    (tmp_path / "fail").touch()
    with pytest.raises(Exception, match="as the test wants it"):
        train()
    (tmp_path / "fail").unlink()
    (tmp_path / "wide").touch()
    with pytest.raises(
        TrainingError, match=r"is of another model: it holds variables of the shapes \[\(6, 2\)"
    ):
        train()
    (tmp_path / "wide").unlink()
    (file,) = Path(manifest.path).glob("_training-*/attempt-*/checkpoint-*.npz")
    content = bytearray(file.read_bytes())
    content[-40] ^= 1
    file.write_bytes(content)
    with pytest.raises(TrainingError, match=r"has the SHA-256 .*: expected .* altered or damaged"):
        train()
    content[-40] ^= 1
    file.write_bytes(content)
    assert len(train().history) == 2


def test_a_loss_that_explodes_stops_with_the_last_good_checkpoint_kept(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, ship_module: ShipModule
) -> None:
    text = (
        "import keras\n"
        "class Accelerate(keras.callbacks.Callback):\n"
        "    def on_epoch_begin(self, epoch, logs=None):\n"
        "        if epoch == 2:\n"
        "            self.model.optimizer.learning_rate = 1e6\n"
        "def callbacks():\n"
        "    return [Accelerate()]\n"
    )
    name, manifest = ship_module("accelerates", text), make_manifest()
    settings = replace(
        SETTINGS, schedule="constant", num_epochs=4, callbacks=f"{name}:callbacks", num_workers=2
    )
    with pytest.raises(
        DivergedError, match=r"epoch 3: the loss is \d.*checkpoint after epoch 2 is kept.*_training-"
    ):
        train_end_model(spark, manifest, settings, storage=storage)
    file = max(Path(manifest.path).glob("_training-*/attempt-*/checkpoint-*.npz"))
    assert file.name.startswith("checkpoint-000002")
    with np.load(file, allow_pickle=False) as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


def test_a_full_disk_is_named_and_what_was_there_stays(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    place = tmp_path / "small disk"
    place.mkdir()
    size = 2 << 20
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=False)
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        manifest = make_manifest()
        subprocess.run(["cp", "-r", f"{manifest.path}/shards", place], check=True)
        (place / "older").write_bytes(b"x" * (size // 2))
        wide = replace(SETTINGS, model="mlp", hidden_units=(40_000,), max_attempts=2, num_epochs=2)
        with pytest.raises(
            TrainingError, match=r"cannot write .*checkpoint-.*No space left.*Free space there"
        ):
            train_end_model(spark, manifest.moved_to(str(place)), wide, storage=storage)
        assert (place / "older").stat().st_size == size // 2
        assert not list(place.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", place], check=True)
