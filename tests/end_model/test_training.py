import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from processes import is_running
from pyspark.sql import Row, SparkSession

from dp_spark.end_model.artifact import EndModel, load_end_model, save_end_model
from dp_spark.end_model.greeting import Greeting, environment_failure
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.job import TrainingJob, WorkerJob
from dp_spark.end_model.predict import predict
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.train import train_end_model
from dp_spark.end_model.vocabulary import count_vocabulary
from dp_spark.errors import (
    ConfigError,
    DivergedError,
    EnvironmentProblem,
    MissingResultError,
    SchemaError,
    TrainingError,
)
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import ShardManifest
from dp_spark.storage import Storage
from dp_spark.worker_errors import translated_errors

MakeManifest = Callable[..., ShardManifest]
Toy = tuple[np.ndarray, np.ndarray]
ShipModule = Callable[[str, str], str]

SGD = TrainingSettings(optimizer="sgd", learning_rate=0.5, num_epochs=4, batch_size=64)

USERS_MODELS = """
import pathlib
import keras

@keras.saving.register_keras_serializable("users")
class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs

def count_call():
    with pathlib.Path({calls!r}).open("a") as calls:
        calls.write("x")

def raises(inputs):
    count_call()
    raise RuntimeError("no such thing as " + inputs.kind)

def two_logits(inputs):
    return keras.Sequential([keras.Input((inputs.num_features,)), keras.layers.Dense(2)])

def probability(inputs):
    last = keras.layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input((inputs.num_features,)), last])

def not_a_model(inputs):
    return 3

def with_own_layer_and_batch_norm(inputs):
    return keras.Sequential([
        keras.Input((inputs.num_features,)),
        keras.layers.BatchNormalization(),
        Doubled(),
        keras.layers.Dense(1),
    ])
"""


def weights_of(end_model: EndModel, tmp_path: Path) -> list[np.ndarray]:
    """The weights in a Keras file, read by Keras itself."""
    import keras

    path = tmp_path / f"{end_model.digest}.keras"
    path.write_bytes(end_model.model_bytes)
    return keras.models.load_model(path, compile=False).get_weights()


def losses(end_model: EndModel) -> list[float]:
    """The loss of every epoch."""
    return [metrics["loss"] for metrics in end_model.history]


def test_two_workers_equal_one_and_both_collectives_give_the_same_bytes(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    manifest = make_manifest()
    settings = replace(SGD, model="mlp", hidden_units=(8,), l2=0.001)
    one = train_end_model(spark, manifest, settings, storage=storage)
    two = train_end_model(spark, manifest, replace(settings, num_workers=2), storage=storage)
    through_tensorflow = replace(settings, num_workers=2, collective="tensorflow", network_is_isolated=True)
    other = train_end_model(spark, manifest, through_tensorflow, storage=storage)
    np.testing.assert_allclose(losses(two), losses(one), atol=1e-5)
    for left, right in zip(weights_of(one, tmp_path), weights_of(two, tmp_path), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)
    assert other.history == two.history
    for left, right in zip(weights_of(other, tmp_path), weights_of(two, tmp_path), strict=True):
        np.testing.assert_array_equal(left, right)
    assert losses(one)[-1] < losses(one)[0]
    assert os.listdir(manifest.path) == ["shards"]  # no checkpoint is left


def test_a_step_is_plain_gradient_descent_on_the_noise_aware_loss(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, toy: Toy, tmp_path: Path
) -> None:
    settings = replace(SGD, num_epochs=1, batch_size=51 * 16, num_workers=2)  # 803 rows: one step, padded
    trained = train_end_model(spark, make_manifest(), settings, storage=storage)
    kernel, bias = weights_of(trained, tmp_path)
    matrix, labels = (part.astype(np.float64) for part in toy)
    np.testing.assert_allclose(losses(trained), [np.log(2)], rtol=1e-6)  # at w = 0 every probability is 1 / 2
    np.testing.assert_allclose(kernel[:, 0], 0.5 * matrix.T @ (labels - 1 / 2) / 803, atol=1e-6)
    np.testing.assert_allclose(bias[0], 0.5 * np.mean(labels - 1 / 2), atol=1e-6)


def test_the_linear_model_is_found_and_applied_as_in_plain_numpy(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, toy: Toy, tmp_path: Path
) -> None:
    settings = TrainingSettings(num_epochs=60, batch_size=64, learning_rate=0.05)
    trained = train_end_model(spark, make_manifest(), settings, storage=storage)
    kernel, bias = weights_of(trained, tmp_path)
    np.testing.assert_allclose(kernel[:, 0], np.linspace(-2, 2, 6), atol=0.05)  # the truth, which is linear

    save_end_model(storage, str(tmp_path / "saved"), trained)
    loaded = load_end_model(storage, str(tmp_path / "saved"))
    assert loaded == trained == EndModel.load(tmp_path / "saved")
    matrix = toy[0][:300]
    table = spark.createDataFrame([Row(id=i, x=[float(v) for v in row]) for i, row in enumerate(matrix)])
    rows = predict(table.repartition(3), loaded, key=["id"]).orderBy("id").collect()
    expected = 1 / (1 + np.exp(-(matrix @ kernel[:, 0] + bias[0])))
    np.testing.assert_allclose([row["prob_label"] for row in rows], expected, atol=1e-5)
    assert [row["id"] for row in rows] == list(range(300))

    bad = spark.createDataFrame([Row(id=7, x=[1.0] * 5)])
    with (
        pytest.raises(SchemaError, match=r"'x' has 5 values for the data point \{'id': 7\}: expected 6"),
        translated_errors(),
    ):
        predict(bad, loaded, key=["id"]).collect()
    with pytest.raises(SchemaError, match="'x'"):
        predict(table.drop("x"), loaded, key=["id"])


def test_a_text_model_takes_raw_text_after_saving_and_loading(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    texts = [("Free MONEY!", "nice song")[i % 2] + f" {i % 7}" for i in range(140)]
    manifest = make_manifest((100, 40), texts)
    table = spark.createDataFrame([(0, "free, money"), (1, "NICE song")], "id long, comment string")
    settings = TrainingSettings(num_epochs=3, batch_size=32, num_workers=2, max_tokens=8, ngrams=2)
    train_end_model(spark, manifest, settings, storage=storage).save(tmp_path / "saved")
    loaded = EndModel.load(tmp_path / "saved")
    scores = {row["id"]: row["prob_label"] for row in predict(table, loaded, key=["id"]).collect()}
    assert set(scores) == {0, 1}
    assert scores[0] != scores[1]


def test_the_vocabulary_is_cut_as_the_model_cuts_texts(
    spark: SparkSession, make_manifest: MakeManifest
) -> None:
    import keras

    from dp_spark.end_model.tokens import separate_tokens

    texts = [
        "Don't STOP!! me,now", "ÉTÉ été  two\tspaces\u00a0nbsp\x0bvt", "", "...", "a-b c_d [x] {y} \\z ^~`|",
        "two two", 'quote " and <br/> &amp; $5 100%', "\u2028line", "emoji 😀 İI", "new\nline\rreturn",
    ]  # fmt: skip
    manifest = make_manifest((len(texts),), texts)
    for ngrams in (1, 2):
        layer = keras.layers.TextVectorization(
            standardize=separate_tokens, output_mode="multi_hot", ngrams=ngrams
        )
        layer.adapt(np.array(texts))
        ours = count_vocabulary(spark, manifest, 1000, ngrams)
        assert sorted(ours) == sorted(layer.get_vocabulary()[1:])
    assert count_vocabulary(spark, manifest, 2) == ("line", "two")
    assert "two" in count_vocabulary(spark, manifest, 1000, min_texts=2)
    assert "stop" not in count_vocabulary(spark, manifest, 1000, min_texts=2)


def test_texts_without_a_token_are_refused(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest
) -> None:
    with pytest.raises(SchemaError, match="column 'comment' hold no token"):
        train_end_model(spark, make_manifest((2,), ["...", ""]), TrainingSettings(), storage=storage)


def test_a_silent_worker_is_an_error_of_tensorflows_collective_and_not_a_hang(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    ship_module: ShipModule,
    tmp_path: Path,
) -> None:
    """One of the two processes sleeps in the user's function, long after the other has given up."""
    text = (
        "import pathlib, time\n"
        "import keras\n"
        "def build(inputs):\n"
        "    try:\n"
        f"        pathlib.Path({str(tmp_path / 'slept')!r}).touch(exist_ok=False)\n"
        "        time.sleep(20)\n"
        "    except FileExistsError:\n"
        "        pass\n"
        "    return keras.Sequential([keras.Input((inputs.num_features,)), keras.layers.Dense(1)])\n"
    )
    settings = TrainingSettings(
        model=f"{ship_module('sleeps_once', text)}:build",
        num_workers=2,
        collective="tensorflow",
        network_is_isolated=True,
        timeout_seconds=6,
        max_attempts=1,
    )
    with pytest.raises(
        TrainingError, match=r"failed 1 times(.|\n)*(has been silent for 6 seconds|lost another)"
    ):
        train_end_model(spark, make_manifest(), settings, storage=storage)


def test_the_last_lines_of_a_worker_that_always_dies_reach_the_user(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, ship_module: ShipModule
) -> None:
    text = "import os, sys\ndef build(inputs):\n    sys.stderr.write('out of luck\\n')\n    os.abort()\n"
    settings = TrainingSettings(model=f"{ship_module('always_dies', text)}:build", max_attempts=2)
    with pytest.raises(TrainingError, match=r"failed 2 times(.|\n)*SIGABRT(.|\n)*out of luck"):
        train_end_model(spark, make_manifest(), settings, storage=storage)


def test_wrong_models_of_the_user_are_refused_and_not_retried(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    ship_module: ShipModule,
    tmp_path: Path,
) -> None:
    calls = tmp_path / "calls"
    name = ship_module("users_models", USERS_MODELS.format(calls=str(calls)))
    manifest = make_manifest()
    wrong = {
        "raises": r"raised RuntimeError: no such thing as features \(users_models.py, line \d+\)",
        "two_logits": r"returns the shape \(None, 2\) for a batch: expected \(None, 1\)",
        "probability": "has a sigmoid: expected a logit",
        "not_a_model": "returned a int: expected a keras.Model",
        "missing": "has no 'missing'",
    }
    for function, message in wrong.items():
        with pytest.raises(ConfigError, match=message):
            train_end_model(spark, manifest, TrainingSettings(model=f"{name}:{function}"), storage=storage)
    assert calls.read_text() == "x"


def test_a_users_model_with_own_layers_and_state_trains_on_two_workers_and_is_applied(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    ship_module: ShipModule,
    tmp_path: Path,
) -> None:
    name = ship_module("users_layers", USERS_MODELS.format(calls=str(tmp_path / "calls")))
    settings = TrainingSettings(model=f"{name}:with_own_layer_and_batch_norm", num_workers=2, num_epochs=3)
    trained = train_end_model(spark, make_manifest(), settings, storage=storage)
    table = spark.createDataFrame([Row(id=1, x=[0.5] * 6)])
    assert 0 < predict(table, trained, key=["id"]).first()["prob_label"] < 1
    assert losses(trained)[-1] < losses(trained)[0]

    trained.save(tmp_path / "saved")
    check = (
        "import sys\n"
        "from dp_spark import predict_rows\n"
        "from dp_spark.end_model.artifact import EndModel\n"
        "from dp_spark.errors import SchemaError\n"
        f"place, model, row = {str(tmp_path / 'saved')!r}, {settings.model!r}, {{'x': [0.5] * 6}}\n"
        "try:\n"
        "    predict_rows([row], EndModel.load(place))\n"
        "except SchemaError as problem:\n"
        "    assert 'of the module that the caller names' in str(problem), problem\n"
        "assert model.partition(':')[0] not in sys.modules\n"
        "print(predict_rows([row], EndModel.load(place, model=model))[0, 1])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    alone = subprocess.run(
        [sys.executable, "-c", check], env=environment, capture_output=True, text=True, check=False
    )
    assert alone.returncode == 0, alone.stderr
    assert float(alone.stdout) == pytest.approx(
        predict(table, trained, key=["id"]).first()["prob_label"], abs=1e-6
    )


def test_divergence_ends_with_advice_and_is_not_retried(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest
) -> None:
    settings = TrainingSettings(optimizer="sgd", learning_rate=1e38, num_workers=2)
    with pytest.raises(
        DivergedError, match=r"epoch 1: the loss is .*learning_rate=1e\+38.*Lower the learning"
    ):
        train_end_model(spark, make_manifest(), settings, storage=storage)


def test_a_cluster_that_cannot_run_the_workers_is_refused_at_once(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest
) -> None:
    manifest, started = make_manifest(), time.monotonic()
    with pytest.raises(EnvironmentProblem, match="num_workers is 3, but the cluster runs only 2 tasks"):
        train_end_model(spark, manifest, TrainingSettings(num_workers=3), storage=storage)
    assert time.monotonic() - started < 15  # Spark itself would wait for slots for 20 minutes


def test_workers_without_tensorflow_or_with_different_versions_are_named() -> None:
    def greeting(tensorflow: str) -> Greeting:
        return Greeting("host", 1, "/usr/bin/python3", {"tensorflow": tensorflow, "python": "3.11.7"})

    assert environment_failure([greeting("2.21.0"), greeting("2.21.0")]) is None
    missing = environment_failure([greeting("2.21.0"), greeting("")])
    assert "not installed for the workers' Python: /usr/bin/python3 on host" in missing.message
    assert "PYSPARK_PYTHON" in missing.message
    assert not missing.kind.can_be_retried
    assert "different versions" in environment_failure([greeting("2.21.0"), greeting("2.20.0")]).message


def test_a_damaged_or_unfinished_end_model_is_refused(tmp_path: Path) -> None:
    model = EndModel(
        b"bytes",
        InputSpec(("features",), 3),
        InputColumns(("x",), feature_widths=(3,)),
        ({"loss": 0.5, "accuracy": 0.7}, {"loss": 0.4, "accuracy": 0.8}),
        TrainingSettings(),
        "digest",
        {"tensorflow": "2"},
    )
    model.save(tmp_path)
    assert EndModel.load(tmp_path) == model
    assert pq.read_table(tmp_path / "history.parquet").to_pylist() == [
        {"epoch": 1, "loss": 0.5, "accuracy": 0.7},
        {"epoch": 2, "loss": 0.4, "accuracy": 0.8},
    ]
    (tmp_path / "model.keras").write_bytes(b"other")
    with pytest.raises(SchemaError, match=r"has the SHA-256 .*: expected .* altered or damaged"):
        EndModel.load(tmp_path)
    (tmp_path / "end_model.json").write_text('{"version": 99, "digest": ""}')
    with pytest.raises(SchemaError, match="format version 99"):
        EndModel.load(tmp_path)
    (tmp_path / "end_model.json").unlink()
    with pytest.raises(MissingResultError, match="holds no complete end model"):
        EndModel.load(tmp_path)


def test_the_driver_loads_no_tensorflow() -> None:
    modules = ["train", "predict", "launch", "artifact", "settings", "feed", "worker"]
    imports = "; ".join(f"import dp_spark.end_model.{name}" for name in modules)
    check = f"{imports}; import sys; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_training_process_dies_with_its_parent(make_manifest: MakeManifest, tmp_path: Path) -> None:
    """A child that sleeps in the user's code; its parent is killed."""
    (tmp_path / "sleeper.py").write_text(
        "import os, pathlib, time\n"
        "def build(inputs):\n"
        f"    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(600)\n"
    )
    job = WorkerJob(
        training=TrainingJob(
            make_manifest(),
            TrainingSettings(model="sleeper:build"),
            InputSpec(("features",), 6),
            str(tmp_path),
        ),
        rank=0,
        hub=("", 0),
        key_hex="",
        listener_fd=-1,
        parent_pid=0,
        num_threads=1,
        output_directory=str(tmp_path),
    )
    (tmp_path / "job.json").write_text(job.to_json())
    parent = (
        "import json, os, subprocess, sys, time\n"
        f"job = json.load(open({str(tmp_path / 'job.json')!r}))\n"
        "job['parent_pid'] = os.getpid()\n"
        "command = [sys.executable, '-m', 'dp_spark.end_model.worker']\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE)\n"
        "child.communicate(json.dumps(job).encode())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", parent], env=environment)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.2)
    child = int((tmp_path / "pid").read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(child)
