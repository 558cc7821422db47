"""Training sets of several parts and classes: from a table through shards and training to predictions."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from dp_spark.end_model.artifact import EndModel
from dp_spark.end_model.few_rows import predict_rows
from dp_spark.end_model.predict import predict
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.train import train_end_model
from dp_spark.end_model.vocabulary import count_inputs
from dp_spark.errors import ConfigError, OutputExistsError, SchemaError
from dp_spark.labels.manifest import ShardManifest
from dp_spark.labels.shards import write_shards
from dp_spark.storage import Storage
from dp_spark.worker_errors import translated_errors

NUM_ROWS = 300
COLORS, WORDS = ("red", "green", "blue"), ("apple", "leaf", "sky")
SETTINGS = TrainingSettings(num_epochs=30, batch_size=64, learning_rate=0.05, min_token_texts=1)


@pytest.fixture(scope="module")
def mixed(spark: SparkSession) -> DataFrame:
    """Three classes, 0 to 2 as i % 3: told by text for rows below 100, by colour below 200, by features else."""
    rows = []
    for i in range(NUM_ROWS):
        truth = i % 3
        color = COLORS[truth] if 100 <= i < 200 else "none"
        text = f"an {WORDS[truth]}" if i < 100 else "nothing"
        vector = [1e6 * (truth == c) if i >= 200 else 0.0 for c in range(2)]
        rows.append((i, vector, float(i >= 200 and truth == 2), i % 2 == 0, color, text))
    return spark.createDataFrame(
        rows, "id long, x array<double>, z double, flag boolean, color string, words string"
    ).repartition(3)


@pytest.fixture(scope="module")
def three_classes(spark: SparkSession, mixed: DataFrame, storage: Storage, tmp_path_factory) -> ShardManifest:
    labels = spark.createDataFrame(
        [(i, [0.8 if i % 3 == c else 0.1 for c in range(3)]) for i in range(NUM_ROWS)],
        "id long, prob_label array<double>",
    )
    return write_shards(
        mixed,
        labels,
        str(tmp_path_factory.mktemp("three") / "set"),
        key=["id"],
        storage=storage,
        features=["x", "z"],
        text="words",
        categories=["color", "flag"],
        standardize=True,
        class_names=["fruit", "plant", "air"],
        label_table_id="a label model",
    )


def test_what_a_model_takes_is_counted_over_the_training_set(
    spark: SparkSession, three_classes: ShardManifest
) -> None:
    inputs = count_inputs(spark, three_classes, replace(SETTINGS, max_categories=3))
    assert inputs.parts == ("features", "text", "categories")
    assert (inputs.num_features, inputs.num_classes, inputs.num_logits) == (3, 3, 3)
    assert inputs.category_vocabularies == (
        ("none", "green", "blue"),
        ("false", "true"),
    )  # green 34, blue 33, red 33
    assert inputs.vocabulary[0] == "nothing"
    share = 33 / 300  # of rows with a number in a column: 34, 33 and 33 of them
    np.testing.assert_allclose(inputs.feature_means, [33 / 300 * 1e6, 33 / 300 * 1e6, 34 / 300], rtol=1e-6)
    np.testing.assert_allclose(inputs.feature_variances[:2], [share * (1 - share) * 1e12] * 2, rtol=1e-6)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_features_text_and_categories_together_tell_three_classes(
    spark: SparkSession,
    storage: Storage,
    mixed: DataFrame,
    three_classes: ShardManifest,
    tmp_path: Path,
    model: str,
) -> None:
    settings = replace(SETTINGS, model=model, num_workers=2 if model == "mlp" else 1)
    trained = train_end_model(spark, three_classes, settings, storage=storage)
    assert (trained.classes, trained.class_names) == ((1, 2, 3), ("fruit", "plant", "air"))
    assert trained.label_model_id == "a label model"
    trained.save(tmp_path / "model")
    loaded = EndModel.load(tmp_path / "model")
    rows = predict(mixed, loaded, key=["id"]).orderBy("id").collect()
    probs = np.array([row["prob_label"] for row in rows])
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-12)
    assert probs.argmax(axis=1).tolist() == [i % 3 for i in range(NUM_ROWS)]
    best = -(0.8 * math.log(0.8) + 2 * 0.1 * math.log(0.1))  # the labels' own entropy
    np.testing.assert_allclose(loss_of(trained), best, atol=0.05)

    few = [row.asDict() for row in mixed.orderBy("id").limit(3).collect()]
    np.testing.assert_allclose(predict_rows(few, loaded), probs[:3], atol=1e-6)
    unknown = predict_rows([{**few[0], "color": "never seen", "words": "unheard of"}], loaded)
    assert np.isfinite(unknown).all()
    with pytest.raises(SchemaError, match=r"column 'x' is \[1.0\] in row 1: expected 2 finite numbers"):
        predict_rows([few[0], {**few[1], "x": [1.0]}], loaded)
    with pytest.raises(SchemaError, match="row 0 has no column 'color'"):
        predict_rows([{"x": [1.0, 2.0], "z": 1, "words": ""}], loaded)
    with pytest.raises(SchemaError, match="column 'color' is None in row 0: expected a string"):
        predict_rows([{**few[0], "color": None}], loaded)
    bad = mixed.limit(1).selectExpr("id", "x", "z", "flag", "words", "cast(null as string) color")
    with pytest.raises(SchemaError, match="category column 'color' is null"), translated_errors():
        predict(bad, loaded, key=["id"]).collect()


def loss_of(end_model: EndModel) -> float:
    last = end_model.history[-1]
    return last if isinstance(last, float) else last["loss"]


def test_a_users_model_of_another_width_is_refused(
    spark: SparkSession, storage: Storage, three_classes: ShardManifest, tmp_path: Path
) -> None:
    (tmp_path / "one_logit.py").write_text(
        "import keras\n"
        "def build(inputs):\n"
        "    entries = {'features': keras.Input((inputs.num_features,)),\n"
        "               'text': keras.Input((1,), dtype='string'),\n"
        "               'categories': keras.Input((2,), dtype='string')}\n"
        "    return keras.Model(entries, keras.layers.Dense(1)(entries['features']))\n"
    )
    spark.sparkContext.addPyFile(str(tmp_path / "one_logit.py"))
    with pytest.raises(
        ConfigError, match=r"returns the shape \(None, 1\) .* \(None, 3\), one logit for each of 3"
    ):
        train_end_model(spark, three_classes, replace(SETTINGS, model="one_logit:build"), storage=storage)


def test_weights_count_like_repeated_rows(spark: SparkSession, storage: Storage, tmp_path: Path) -> None:
    """Row 1 three times against row 2 once: the best constant is the weighted mean of the labels."""
    points = spark.createDataFrame(
        [(1, 1.0, 3.0), (2, 1.0, 1.0), (3, 1.0, 0.0)], "id long, x double, w double"
    )
    labels = spark.createDataFrame([(1, 1.0), (2, 0.0), (3, 0.0)], "id long, prob_label double")
    place = str(tmp_path / "set")
    manifest = write_shards(points, labels, place, key=["id"], features=["x"], weight="w", storage=storage)
    assert (manifest.num_data_points, manifest.filters.num_weightless) == (2, 1)
    settings = TrainingSettings(num_epochs=300, batch_size=16, learning_rate=0.1, num_workers=2)
    trained = train_end_model(spark, manifest, settings, storage=storage)
    np.testing.assert_allclose(predict_rows([{"x": 1.0}], trained), [[1 / 4, 3 / 4]], atol=0.01)


def test_an_altered_shard_is_refused_and_not_trained_on(
    spark: SparkSession, storage: Storage, make_manifest: Callable[..., ShardManifest]
) -> None:
    manifest = make_manifest()
    path = Path(manifest.file_path(manifest.files[-1]))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=r"part-00002.parquet has the SHA-256 .* altered or damaged"):
        train_end_model(spark, manifest, TrainingSettings(num_workers=2), storage=storage)


def test_saving_over_a_directory_of_others_is_refused(tmp_path: Path) -> None:
    model = EndModel(b"", *[None] * 6)  # type: ignore[arg-type] # never looked at
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"holds notes.txt: expected nothing"):
        model.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
