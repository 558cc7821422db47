import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from voting import votes_of

from dp_spark.errors import LabelingFunctionError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.matrix import write_label_matrix
from dp_spark.labeling.model_lfs import model_lf
from dp_spark.labeling.resources import loaded_once

TEXTS = ["free coins", "nice song", "free song", "", "coins coins coins", "a nice free song"]
POINTS = [(i, text, float(len(text)), i % 3) for i, text in enumerate(TEXTS)]


@pytest.fixture
def table(spark):
    return spark.createDataFrame(POINTS, "id long, text string, length double, rest int").repartition(3)


def test_it_votes_at_two_thresholds_and_is_loaded_once_and_asked_for_batches(table, tmp_path):
    loads, asked = tmp_path / "loads", tmp_path / "asked"

    class ShareOfFree:
        def predict(self, texts):
            assert isinstance(texts, np.ndarray)
            with asked.open("a") as file:
                file.write(f"{len(texts)}\n")
            return [text.split().count("free") / max(len(text.split()), 1) for text in texts]

    def load():
        with loads.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return ShareOfFree()

    model = loaded_once(load)
    lfs = [
        model_lf("both", model, ["text"], positive_from=0.5, negative_to=0.0),
        model_lf("positive", model, ["text"], positive_from=0.25),
        model_lf("negative", model, ["text"], negative_to=0.3),
    ]
    expected = {
        i: [1 if s >= 0.5 else -1 if s <= 0 else 0, int(s >= 0.25), -int(s <= 0.3)]
        for i, s in enumerate([1 / 2, 0 / 2, 1 / 2, 0, 0 / 3, 1 / 4])
    }
    assert expected[5] == [0, 1, -1]
    assert votes_of(apply_lfs(table, lfs, key=["id"])) == expected
    processes = loads.read_text().split()
    assert len(processes) == len(set(processes))
    sizes = [int(line) for line in asked.read_text().splitlines()]
    assert sum(sizes) == 3 * len(TEXTS)
    assert len(sizes) <= 3 * 3  # once for each batch: three labeling functions, three partitions
    batch = pa.RecordBatch.from_pydict({"text": TEXTS})
    assert lfs[0](batch).tolist() == [row[0] for row in expected.values()]


def test_a_function_may_say_how_to_ask_and_a_model_of_k_classes_votes_where_it_is_sure(table):
    def ask(model, inputs):
        assert inputs.dtype == np.float64
        assert inputs.shape[1] == 2
        return np.column_stack([inputs[:, 1] == rest for rest in range(3)]) * model["share"] + 0.1

    models = [loaded_once(lambda share=share: {"share": share}) for share in (0.8, 0.3)]
    lfs = [
        model_lf(name, model, ["length", "rest"], class_from=0.5, predict=ask)
        for name, model in zip(["sure", "unsure"], models, strict=True)
    ]
    assert votes_of(apply_lfs(table, lfs, key=["id"], num_classes=4)) == {
        i: [1 + i % 3, 0] for i in range(len(TEXTS))
    }


def test_columns_of_arrays_and_numbers_are_shown_as_numbers(spark):
    df = spark.createDataFrame([(1, [1.0, 2.0], 3), (2, [5.0, 6.0], 4)], "id long, v array<double>, n int")
    lfs = [
        model_lf(
            "sum", loaded_once(lambda: np.sum), ["v"], positive_from=4, predict=lambda m, v: m(v, axis=1)
        ),
        model_lf("n", loaded_once(lambda: 4), ["n"], negative_to=0, predict=lambda m, n: m - n),
    ]
    assert votes_of(apply_lfs(df, lfs, key=["id"])) == {1: [0, 0], 2: [1, -1]}


def test_a_model_of_scikit_learn_is_loaded_from_its_file(table, tmp_path):
    pytest.importorskip("sklearn")
    import joblib
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(
        ["free coins", "coins free free", "nice song", "song"], [1, 1, 0, 0]
    )
    joblib.dump(model, tmp_path / "model.joblib")
    spam = model.predict_proba(TEXTS)[:, 1]
    lf = model_lf(
        "nb",
        loaded_once(joblib.load, file=tmp_path / "model.joblib"),
        ["text"],
        positive_from=0.6,
        negative_to=0.4,
    )
    assert votes_of(apply_lfs(table, [lf], key=["id"])) == {
        i: [1 if p >= 0.6 else -1 if p <= 0.4 else 0] for i, p in enumerate(spam)
    }
    assert {votes for (votes,) in votes_of(apply_lfs(table, [lf], key=["id"])).values()} == {1, 0, -1}


def test_a_keras_model_is_loaded_from_its_file(table, tmp_path):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model.layers[0].set_weights([np.array([[1.0], [-8.0]]), np.array([-1.0])])
    model.save(tmp_path / "model.keras")

    def load(path):
        import keras

        return keras.models.load_model(path)

    resource = loaded_once(load, file=tmp_path / "model.keras")
    lf = model_lf("keras", resource, ["length", "rest"], positive_from=0.9, negative_to=0.1)
    log_odds = [length - 8 * rest - 1 for _, _, length, rest in POINTS]
    assert log_odds == [9.0, 0.0, -8.0, -1.0, 8.0, -1.0]
    assert votes_of(apply_lfs(table.coalesce(1), [lf], key=["id"])) == {
        0: [1], 1: [0], 2: [-1], 3: [0], 4: [1], 5: [0],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("predict", "settings", "message"),
    [
        (
            lambda m, x: np.where(x == 2, np.nan, 0),
            {"positive_from": 1},
            r"on 1 of 4 .*\{'id': 2\}: ValueError",
        ),
        (
            lambda m, x: np.zeros((len(x), 3)),
            {"positive_from": 1},
            r"scores of shape \(4, 3\) .*: expected \(rows,",
        ),
        (
            lambda m, x: np.zeros(len(x)),
            {"class_from": 0.5},
            r"of shape \(4,\) .*: expected \(rows, classes\)",
        ),
        (
            lambda m, x: np.zeros(1),
            {"positive_from": 1},
            r"got scores of shape \(1,\) from its model for 4 data",
        ),
        (lambda m, x: m.fit(x), {"positive_from": 1}, "AttributeError"),
    ],
    ids=["NaN", "three columns", "one column", "one score", "raises"],
)
def test_what_is_no_score_for_each_data_point_is_a_failure_of_the_labeling_function(
    spark, storage, tmp_path, predict, settings, message
):
    df = spark.range(4, numPartitions=1)
    lf = model_lf("bad", loaded_once(lambda: 0), ["id"], predict=predict, **settings)
    with pytest.raises(LabelingFunctionError, match=rf"(?s)labeling function 'bad' .*{message}"):
        write_label_matrix(apply_lfs(df, [lf], key=["id"]), str(tmp_path / "L"), storage)


@pytest.mark.parametrize(
    ("model", "columns", "settings", "message"),
    [
        ("model.keras", ["text"], {"positive_from": 0.5}, "the model 'model.keras' and .* loaded_once"),
        (loaded_once(dict), "text", {"positive_from": 0.5}, "the columns 'text': expected"),
        (loaded_once(dict), [], {"positive_from": 0.5}, r"the columns \[\]: expected"),
        (loaded_once(dict), ["text"], {}, "positive_from=None and negative_to=None: expected at least one"),
        (
            loaded_once(dict),
            ["text"],
            {"class_from": 0.5, "positive_from": 0.5},
            "'lf' has class_from and pos",
        ),
    ],
)
def test_other_models_columns_and_thresholds_are_refused(model, columns, settings, message):
    with pytest.raises(ValueError, match=message):
        model_lf("lf", model, columns, **settings)


def test_hashes_differ_by_model_file_columns_thresholds_and_predict(tmp_path):
    def load(path):
        return Path(path).read_text()

    def hash_of(content="weights", columns=("text",), load=load, **settings):
        (tmp_path / "model").write_text(content)
        settings = settings or {"positive_from": 0.5}
        return model_lf("lf", loaded_once(load, file=tmp_path / "model"), columns, **settings).content_hash

    different = [
        hash_of(),
        hash_of("other weights"),
        hash_of(columns=["title"]),
        hash_of(load=lambda path: path),
        hash_of(positive_from=0.6),
        hash_of(negative_to=0.5),
        hash_of(class_from=0.5),
        hash_of(positive_from=0.5, predict=lambda model, inputs: 1),
        hash_of(positive_from=0.5, predict=lambda model, inputs: 2),
    ]
    assert len(set(different)) == len(different)
    assert hash_of() == different[0]
