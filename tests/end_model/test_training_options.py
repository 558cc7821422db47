"""Early stopping, learning rates, class weights, callbacks, precision and what people watch."""

import csv
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from dp_spark.end_model.artifact import EndModel
from dp_spark.end_model.class_weights import resolved_class_weights
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.train import train_end_model
from dp_spark.errors import ConfigError, SchemaError
from dp_spark.labels.manifest import ShardManifest
from dp_spark.storage import Storage

MakeManifest = Callable[..., ShardManifest]
ShipModule = Callable[[str, str], str]
Toy = tuple[np.ndarray, np.ndarray]

SGD = TrainingSettings(optimizer="sgd", learning_rate=0.5, num_epochs=6, batch_size=64)

CALLBACKS = """
import keras

def several():
    return [
        keras.callbacks.CSVLogger({log!r}, append=True),
        keras.callbacks.ReduceLROnPlateau(monitor="loss", min_delta=10.0, patience=1, factor=0.5),
        keras.callbacks.EarlyStopping(monitor="loss", min_delta=10.0, patience=4),
    ]

class Halve(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if batch == 3:
            self.model.optimizer.learning_rate = 0.25

def at_a_step():
    return [Halve()]

def not_callbacks():
    return ["early stopping"]

class Fails(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyError("no such metric")

def failing():
    return [Fails()]
"""


def test_early_stopping_keeps_the_weights_of_the_best_epoch_with_any_number_of_workers(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, toy: Toy, tmp_path: Path
) -> None:
    settings = TrainingSettings(
        model="mlp",
        optimizer="sgd",
        learning_rate=2.0,
        schedule="constant",
        num_epochs=80,
        batch_size=64,
        validation_share=0.2,
        early_stopping_patience=3,
    )
    manifest = make_manifest()
    one = train_end_model(spark, manifest, settings, storage=storage)
    losses = [metrics["validation_loss"] for metrics in one.history]
    best = int(np.argmin(losses))
    assert len(one.history) == best + 1 + 3 < 80

    matrix, labels = (part[-161:].astype(np.float64) for part in toy)  # 20% of 803 rows, the last ones
    assert loss_of(one, matrix, labels, tmp_path) == pytest.approx(losses[best], abs=1e-5)
    assert loss_of(one, matrix, labels, tmp_path) != pytest.approx(losses[-1], abs=1e-6)

    two = train_end_model(spark, manifest, replace(settings, num_workers=2, num_epochs=2), storage=storage)
    for left, right in zip(two.history, one.history, strict=False):
        assert left == pytest.approx(right, abs=2e-4)


def loss_of(end_model: EndModel, matrix: np.ndarray, labels: np.ndarray, place: Path) -> float:
    """The mean cross-entropy of a saved model, computed by NumPy from its logits."""
    import keras

    path = place / "saved.keras"
    path.write_bytes(end_model.model_bytes)
    logits = np.asarray(keras.models.load_model(path, compile=False)(matrix.astype(np.float32)))[:, 0]
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))


def test_the_learning_rate_warms_up_and_falls_along_a_line(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest
) -> None:
    settings = replace(SGD, schedule="linear", warmup_share=0.5, num_epochs=4)
    trained = train_end_model(spark, make_manifest(), settings, storage=storage)
    rates = [metrics["learning_rate"] for metrics in trained.history]
    num_steps = 4 * math.ceil(51 / 4)  # 803 rows in 16 ranges of at most 51 rows, 4 of each per step
    assert rates[0] == pytest.approx(0.5 * (13 + 1) / (num_steps / 2))  # of the step that comes next
    assert rates[1] == pytest.approx(0.5)
    assert rates[2:] == pytest.approx([0.25, 0.0])


def test_callbacks_run_once_and_what_they_change_reaches_all_workers(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    ship_module: ShipModule,
    tmp_path: Path,
) -> None:
    log = tmp_path / "log.csv"
    name, manifest = ship_module("users_callbacks", CALLBACKS.format(log=str(log))), make_manifest()
    settings = replace(SGD, schedule="constant", num_epochs=20, callbacks=f"{name}:several")
    two = train_end_model(spark, manifest, replace(settings, num_workers=2), storage=storage)
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3", "4"]  # not 20, and not twice
    assert [metrics["learning_rate"] for metrics in two.history] == [0.5] * 2 + [0.25, 0.125, 0.0625]
    one = train_end_model(spark, manifest, settings, storage=storage)
    for left, right in zip(two.history, one.history, strict=True):
        assert left == pytest.approx(right, abs=1e-5)

    at_a_step = replace(settings, num_epochs=1, callbacks=f"{name}:at_a_step")
    one = train_end_model(spark, manifest, at_a_step, storage=storage)
    two = train_end_model(spark, manifest, replace(at_a_step, num_workers=2), storage=storage)
    assert one.history[0]["learning_rate"] == 0.25
    assert one.history[0] == pytest.approx(two.history[0], abs=1e-5)


def test_callbacks_that_are_none_or_fail_are_errors_of_the_users_code(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, ship_module: ShipModule
) -> None:
    name, manifest = ship_module("wrong_callbacks", CALLBACKS.format(log="unused")), make_manifest()
    with pytest.raises(
        ConfigError, match=r"not_callbacks returned \['early stopping'\]: expected a list of keras"
    ):
        train_end_model(spark, manifest, replace(SGD, callbacks=f"{name}:not_callbacks"), storage=storage)
    with pytest.raises(
        ConfigError, match=r"failing raised KeyError: 'no such metric' \(wrong_callbacks.py, line 24\)"
    ):
        train_end_model(spark, manifest, replace(SGD, callbacks=f"{name}:failing"), storage=storage)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_to_about_the_same_loss_and_keeps_float32_weights(
    spark: SparkSession, storage: Storage, make_manifest: MakeManifest, tmp_path: Path, precision: str
) -> None:
    manifest, settings = make_manifest(), replace(SGD, model="mlp", num_workers=2)
    full = train_end_model(spark, manifest, settings, storage=storage)
    half = train_end_model(spark, manifest, replace(settings, precision=precision), storage=storage)
    assert half.history[-1]["loss"] == pytest.approx(full.history[-1]["loss"], rel=0.02)
    assert half.history[-1]["loss"] != full.history[-1]["loss"]
    import keras

    path = tmp_path / "half.keras"
    path.write_bytes(half.model_bytes)
    assert {w.dtype for w in keras.models.load_model(path, compile=False).get_weights()} == {
        np.dtype("float32")
    }


def test_a_repeated_run_gives_the_same_bytes_and_the_driver_and_tensorboard_can_watch(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import tensorflow as tf

    manifest, scalars = make_manifest(), tmp_path / "scalars"
    settings = replace(SGD, optimizer="adam", num_workers=2, tensorboard=str(scalars))
    with caplog.at_level(logging.INFO, logger="dp_spark"):
        first = train_end_model(spark, manifest, settings, storage=storage)
    second = train_end_model(spark, manifest, replace(settings, tensorboard=""), storage=storage)
    assert first.history == second.history
    assert first.digest == second.digest

    lines = [record.getMessage() for record in caplog.records if "training: epoch" in record.getMessage()]
    assert lines[-1].startswith("training: epoch 6/6 loss=")
    (file,) = scalars.iterdir()
    found = {
        (value.tag, event.step): float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    expected = [metrics["loss"] for metrics in first.history]
    assert [found["loss", epoch + 1] for epoch in range(6)] == pytest.approx(expected, rel=1e-6)


def test_balanced_class_weights_give_all_classes_the_same_weight_in_sum(
    spark: SparkSession, make_manifest: MakeManifest, toy: Toy
) -> None:
    manifest, (_, labels) = make_manifest(), toy
    weights = resolved_class_weights(spark, manifest, TrainingSettings(class_weights="balanced"))
    share = float(np.mean(labels, dtype=np.float64))
    assert weights == pytest.approx([0.5 / (1 - share), 0.5 / share], rel=1e-6)
    assert resolved_class_weights(spark, manifest, TrainingSettings(class_weights=(1, 3))) == (1.0, 3.0)
    with pytest.raises(
        ConfigError, match="class_weights holds 3 numbers: expected one for each of 2 classes"
    ):
        resolved_class_weights(spark, manifest, TrainingSettings(class_weights=(1, 2, 3)))


def test_weighted_sums_are_those_of_the_formula() -> None:
    import tensorflow as tf

    from dp_spark.end_model.objective import batch_sums

    random = np.random.default_rng(3)
    weights = np.array([1.0, 0.0, 2.0, 0.5], np.float32)
    labels = np.array([0.2, 0.9, 0.5, 1.0], np.float32)
    logits = random.normal(size=(4, 1)).astype(np.float32)
    sums = batch_sums(tf.constant(labels), tf.constant(logits), tf.constant(weights), (2.0, 3.0))
    log_p, log_not_p = -np.logaddexp(0, -logits[:, 0]), -np.logaddexp(0, logits[:, 0])
    loss = -np.sum(weights * (3 * labels * log_p + 2 * (1 - labels) * log_not_p))
    assert float(sums.loss) == pytest.approx(float(loss), rel=1e-5)
    assert float(sums.weight) == pytest.approx(
        float(np.sum(weights * (3 * labels + 2 * (1 - labels)))), rel=1e-6
    )
    assert float(sums.rows) == 3.5
    is_positive = logits[:, 0] > 0
    credit = np.where(labels == 0.5, 0.5, is_positive == (labels > 0.5))
    assert float(sums.correct) == pytest.approx(float(np.sum(weights * credit)))

    labels = random.dirichlet(np.ones(3), size=4).astype(np.float32)
    logits = random.normal(size=(4, 3)).astype(np.float32)
    sums = batch_sums(tf.constant(labels), tf.constant(logits), tf.constant(weights), (1.0, 2.0, 4.0))
    log_q = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
    loss = -np.sum(weights[:, None] * np.array([1, 2, 4]) * labels * log_q)
    assert float(sums.loss) == pytest.approx(float(loss), rel=1e-5)
    credit = logits.argmax(axis=1) == labels.argmax(axis=1)
    assert float(sums.correct) == pytest.approx(float(np.sum(weights * credit)))


def test_a_class_that_no_label_names_cannot_be_balanced(
    spark: SparkSession, storage: Storage, tmp_path: Path
) -> None:
    from dp_spark.labels.shards import write_shards

    points = spark.createDataFrame([(i, float(i)) for i in range(4)], "id long, x double")
    labels = spark.createDataFrame([(i, 0.0) for i in range(4)], "id long, prob_label double")
    manifest = write_shards(
        points, labels, str(tmp_path / "set"), key=["id"], storage=storage, features=["x"]
    )
    with pytest.raises(
        SchemaError, match=r"'balanced', but the labels' mean probabilities of the classes are \(1.0, 0"
    ):
        resolved_class_weights(spark, manifest, TrainingSettings(class_weights="balanced"))


def test_a_module_that_the_executors_do_not_have_is_named_with_what_to_do(
    spark: SparkSession,
    storage: Storage,
    make_manifest: MakeManifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "only_on_the_driver.py").write_text("def build(inputs):\n    return None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = replace(SGD, model="only_on_the_driver:build")
    with pytest.raises(ConfigError, match=r"'only_on_the_driver' cannot be imported.*--py-files"):
        train_end_model(spark, make_manifest(), settings, storage=storage)
