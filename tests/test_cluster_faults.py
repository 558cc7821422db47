"""An executor of a real cluster is killed while an end model trains on it."""

from pathlib import Path

import pytest
from standalone import standalone_cluster, submit

JOB_SECONDS = 300

# The process that first sees a checkpoint kills the executor that it belongs to: its parent is Spark's Python worker,
# whose parent is the daemon that forked it, whose parent is the executor.
MODEL = """
import os, pathlib, signal, threading, time
import keras

PLACE = pathlib.Path({place!r})

def parent_of(pid):
    status = pathlib.Path(f"/proc/{{pid}}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])

def strike():
    while not any(PLACE.glob("set/_training-*/attempt-*/checkpoint-*.json")):
        time.sleep(0.01)
    executor = parent_of(parent_of(os.getppid()))
    command = pathlib.Path(f"/proc/{{executor}}/cmdline").read_bytes()
    (PLACE / "killed").write_bytes(command)
    os.kill(executor, signal.SIGKILL)

def build(inputs):
    try:
        (PLACE / "marker").touch(exist_ok=False)
    except FileExistsError:
        pass
    else:
        threading.Thread(target=strike, daemon=True).start()
    entry = keras.Input((inputs.num_features,))
    return keras.Model(entry, keras.layers.Dense(1)(entry))

class Note(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        time.sleep(0.1)
        with (PLACE / "epochs").open("a") as epochs:
            epochs.write(f"{{epoch}}\\n")

def callbacks():
    return [Note()]
"""

JOB = """
from dp_spark import Storage, TrainingSettings, train_end_model, write_shards
from dp_spark.session import configure_logging, spark_session

if __name__ == "__main__":
    configure_logging()
    spark = spark_session("test")
    spark.sparkContext.addPyFile({model!r})
    storage = Storage(spark)
    rows = [(i, [float(i % 7), float(i % 3)], float(i % 2)) for i in range(600)]
    table = spark.createDataFrame(rows, "id long, x array<double>, prob_label double")
    points, labels, place = table.drop("prob_label"), table.drop("x"), {place!r} + "/set"
    manifest = write_shards(points, labels, place, key=["id"], storage=storage, features=["x"])
    module = "kills_its_executor"
    settings = TrainingSettings(
        model=module + ":build", callbacks=module + ":callbacks", num_workers=2, num_epochs=30, batch_size=64
    )
    print("epochs:", len(train_end_model(spark, manifest, settings, storage=storage).history))
"""


@pytest.mark.slow
def test_a_killed_executor_is_replaced_and_training_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "kills_its_executor.py").write_text(MODEL.format(place=str(tmp_path)))
    job = tmp_path / "job.py"
    job.write_text(JOB.format(place=str(tmp_path), model=str(tmp_path / "kills_its_executor.py")))
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    with standalone_cluster(cluster) as master_url:
        done = submit(master_url, str(job), seconds=JOB_SECONDS)
    assert done.returncode == 0, done.stdout[-3000:]
    assert b"CoarseGrainedExecutorBackend" in (tmp_path / "killed").read_bytes()
    assert "a training attempt failed, 2 left" in done.stdout
    assert "epochs: 30" in done.stdout
    begun = [int(line) for line in (tmp_path / "epochs").read_text().split()]
    assert begun.count(0) == 1
    assert sorted(set(begun)) == list(range(30))
    assert len(begun) <= 31
