"""The results of a run as others read them: pandas, DuckDB, plain Spark, TensorBoard and MLflow; each for real."""

import json
import logging
import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from dp_spark import LabelModel, read_label_matrix
from dp_spark.commands.export_votes import export_votes
from dp_spark.commands.log_mlflow import log_mlflow
from dp_spark.config import parse_config
from dp_spark.errors import ConfigError, EnvironmentProblem, OutputExistsError, SchemaError
from dp_spark.label_model.fit_path import fit_path
from dp_spark.labeling.packing import pack_votes
from dp_spark.pipeline import run_pipeline
from dp_spark.run import Run
from dp_spark.stages import run_stage
from dp_spark.tracking import log_run, parameters

ROOT = Path(__file__).parents[1]
NUM_ROWS = 120
NUM_EPOCHS = 2

LFS = """
from dp_spark import column_lf, keyword_lf, pattern_lf

LFS = [
    column_lf("short", "CASE WHEN length(text) < 8 THEN -1 ELSE 1 END"),
    keyword_lf("praise", "text", {-1: ["love", "song"], 1: ["free"]}),
    pattern_lf("has_link", "text", {1: "https?://", -1: "nice"}),
]
"""
TEXTS = ["love it", "free coins at http://a", "nice song", "free", "see http://b", "hello"]

CONFIG = """
output = "{place}/run"
[table]
path = "{place}/table"
key = ["id"]
gold = "gold"
[labeling]
module = "output_lfs"
[label_model]
model = "one_coin"
tensorboard = "{place}/scalars"
[training_set]
text = "text"
[end_model]
num_epochs = {epochs}
[evaluation]
gold_end_model = false
num_replicates = 20
[tracking]
mlflow = true
uri = "file://{place}/mlruns"
experiment = "comments"
run_name = "nightly"
"""


@pytest.fixture(scope="module")
def mlflow_settings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a store without a database
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        yield


@pytest.fixture(scope="module")
def run(spark, storage, tmp_path_factory, mlflow_settings):
    """A complete run on a table of comments, logged to MLflow and TensorBoard."""
    place = tmp_path_factory.mktemp("outputs")
    rows = [(i, TEXTS[i % len(TEXTS)], 1 if i % 6 in (1, 3, 4) else -1) for i in range(NUM_ROWS)]
    spark.createDataFrame(rows, "id long, text string, gold int").write.parquet(f"{place}/table")
    (place / "output_lfs.py").write_text(LFS)
    config = parse_config(CONFIG.format(place=place, epochs=NUM_EPOCHS), "outputs.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        run = Run(storage, config, config.output)
        run_pipeline(run)
        yield run


@pytest.fixture(scope="module")
def place(run):
    return Path(run.directory).parent


@pytest.mark.slow
def test_pandas_reads_labels_predictions_history_and_metrics(run):
    labels = pd.read_parquet(f"{run.directory}/labels")
    predictions = pd.read_parquet(f"{run.directory}/predictions")
    history = pd.read_parquet(f"{run.directory}/end_model/history.parquet")
    assert list(labels.columns) == ["id", "prob_label", "num_votes"]
    assert list(predictions.columns) == ["id", "prob_label"]
    assert sorted(labels["id"]) == sorted(predictions["id"]) == list(range(NUM_ROWS))
    assert labels["prob_label"].between(0, 1).all()
    assert list(history["epoch"]) == [1, 2]
    metrics = json.loads(Path(run.directory, "metrics.json").read_text())
    lfs = pd.DataFrame(metrics["lfs"]).set_index("name")
    assert lfs.loc["short", "coverage"] == 1.0
    scores = pd.json_normalize({name: report["all"] for name, report in metrics["scores"].items()})
    assert scores["all.labels.accuracy"][0] == metrics["label_accuracy"]


@pytest.mark.slow
def test_duckdb_joins_labels_to_the_table_and_reads_json(run, place):
    rows = duckdb.sql(f"""
        SELECT text, avg(prob_label) AS prob, count(*) AS times
        FROM '{place}/table/*.parquet' JOIN '{run.directory}/labels/*.parquet' USING (id)
        GROUP BY text ORDER BY prob DESC
    """).fetchall()
    assert len(rows) == len(TEXTS)
    assert {times for _, _, times in rows} == {NUM_ROWS // len(TEXTS)}
    labels = pd.read_parquet(f"{run.directory}/labels").set_index("id")["prob_label"]
    assert [prob for _, prob, _ in rows] == sorted((prob for _, prob, _ in rows), reverse=True)
    assert {text: prob for text, prob, _ in rows} == pytest.approx(
        {text: labels[i] for i, text in enumerate(TEXTS)}
    )
    assert duckdb.sql(f"SELECT num_lfs FROM read_json('{run.directory}/metrics.json')").fetchall() == [(3,)]
    history = f"'{run.directory}/end_model/history.parquet'"
    assert duckdb.sql(f"SELECT count(*) FROM {history} WHERE loss > 0").fetchall() == [(NUM_EPOCHS,)]


@pytest.mark.slow
def test_spark_reads_every_table_without_this_package(spark, run):
    for name in ("label_matrix", "labels", "predictions"):
        table = spark.read.parquet(f"{run.directory}/{name}")
        assert table.select("id").distinct().count() == table.count() == NUM_ROWS
    covered = spark.read.parquet(f"{run.directory}/labels").agg(F.avg((F.col("num_votes") > 0).cast("int")))
    metrics = json.loads(Path(run.directory, "metrics.json").read_text())
    assert covered.first()[0] == pytest.approx(metrics["share_covered"])


@pytest.mark.slow
def test_packed_votes_are_read_with_numpy_and_with_sql(run, storage):
    matrix = read_label_matrix(storage, f"{run.directory}/label_matrix")
    expected = matrix.columns().orderBy("id").toPandas()
    packed = pd.read_parquet(f"{run.directory}/label_matrix").sort_values("id")
    votes = np.stack([np.frombuffer(row, np.int8) for row in packed["votes"]])
    assert np.array_equal(votes, expected[["short", "praise", "has_link"]].to_numpy())
    byte = "('0x' || substr(hex(votes), {}, 2))::UTINYINT"  # of -1: 255
    columns = ", ".join(byte.format(2 * i + 1) for i in range(3))
    table = f"'{run.directory}/label_matrix/*.parquet'"
    by_hex = duckdb.sql(f"SELECT {columns} FROM {table} ORDER BY id").fetchall()
    assert np.array_equal(np.array(by_hex, dtype=np.uint8).view(np.int8), votes)


@pytest.mark.slow
def test_exported_votes_have_a_column_per_labeling_function(run, place):
    outcome = export_votes(run, f"{place}/votes")
    assert outcome.is_good
    assert outcome.content["columns"] == ["short", "praise", "has_link"]
    columns, count = ("id", "short", "praise", "has_link"), NUM_ROWS // len(TEXTS)
    rows = duckdb.sql(f"SELECT * FROM '{place}/votes/*.parquet' ORDER BY id").fetchall()
    assert rows[:6] == [
        (0, -1, -1, 0),
        (1, 1, 1, 1),
        (2, 1, -1, -1),
        (3, -1, 1, 0),
        (4, 1, 0, 1),
        (5, -1, 0, 0),
    ]
    table = pd.read_parquet(f"{place}/votes")
    assert tuple(table.columns) == columns
    assert (table["has_link"] == -1).sum() == count
    with pytest.raises(OutputExistsError, match="votes is there already"):
        export_votes(run, f"{place}/votes")
    export_votes(run, f"{place}/votes", overwrite=True)


def test_votes_of_functions_that_differ_in_case_only_are_not_exported(spark, storage, run, place, tmp_path):
    from dp_spark import write_label_matrix
    from dp_spark.labeling.matrix import LabelMatrix

    packed = pack_votes(np.array([[1, -1]], dtype=np.int8))[0].as_py()
    df = spark.createDataFrame([(1, bytearray(packed))], "id long, votes binary")
    other = Run(storage, run.config, f"{tmp_path}/run")
    matrix = LabelMatrix(df, ("id",), ("Link", "link"), ("a", "b"), 2)
    write_label_matrix(matrix, other.path("label_matrix"), storage)
    with pytest.raises(SchemaError, match=r"\['Link', 'link'\] differ in case only"):
        export_votes(other, f"{tmp_path}/votes")


def scalars_in(directory):
    import tensorflow as tf

    (file,) = Path(directory).glob("events*")
    return {
        (value.tag, event.step): float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }


@pytest.mark.slow
def test_tensorboard_has_the_loss_of_the_label_model_by_step_and_its_accuracies(run, place):
    model = LabelModel.load(f"{run.directory}/label_model.json")
    found = scalars_in(place / "scalars")
    losses = [found["label_model/loss", step] for step in range(model.diagnostics["num_steps"] + 1)]
    assert losses == pytest.approx([loss for _, loss in fit_path(model)["loss"]], rel=1e-6)
    assert losses[-1] == pytest.approx(model.diagnostics["loss"], rel=1e-6, abs=1e-9)
    assert all(later <= earlier for earlier, later in zip(losses, losses[1:], strict=False))
    last = model.diagnostics["num_steps"]
    assert found["label_model/accuracy/praise", last] == pytest.approx(model.accuracies[1], rel=1e-6)
    assert found["label_model/class_balance/1", last] == pytest.approx(0.5)


@pytest.mark.slow
def test_scalars_that_cannot_be_written_stop_the_stage_with_the_setting_and_the_place(run, storage, tmp_path):
    (tmp_path / "file").write_text("no directory")
    label_model = run.config.label_model.model_copy(update={"tensorboard": f"{tmp_path}/file"})
    config = run.config.model_copy(update={"label_model": label_model})
    other = Run(storage, config, run.directory, overwrite=True)
    with pytest.raises(ConfigError, match=r"label_model\.tensorboard: cannot write to .*/file: "):
        run_stage(other, "fit-label-model")
    assert LabelModel.load(f"{run.directory}/label_model.json").model == "one_coin"


def mlflow_runs(place):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"file://{place}/mlruns")
    experiment = client.get_experiment_by_name("comments")
    return client, client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])


@pytest.mark.slow
def test_mlflow_has_parameters_metrics_tags_and_artifacts_of_the_run(run, place):
    client, (logged, *_) = mlflow_runs(place)
    assert (logged.info.status, logged.info.run_name) == ("FINISHED", "nightly")
    params = logged.data.params
    assert (params["label_model.model"], params["table.key"]) == ("one_coin", "['id']")
    assert params == parameters(run.config)
    metrics = json.loads(Path(run.directory, "metrics.json").read_text())
    found = logged.data.metrics
    assert found["share_covered"] == metrics["share_covered"]
    assert found["scores/all.labels/all/accuracy"] == metrics["label_accuracy"]
    assert found["lf/001 praise/coverage"] == metrics["lfs"][1]["coverage"]
    assert found["seconds/label"] == metrics["seconds"]["label"]
    model = LabelModel.load(f"{run.directory}/label_model.json")
    losses = client.get_metric_history(logged.info.run_id, "label_model/loss")
    assert [(m.step, m.value) for m in losses] == list(fit_path(model)["loss"])
    assert [m.step for m in client.get_metric_history(logged.info.run_id, "end_model/loss")] == [1, 2]
    assert logged.data.tags["dp_spark.label_model_id"] == model.model_id
    assert logged.data.tags["dp_spark.directory"] == f"file:{run.directory}"


@pytest.mark.slow
def test_mlflow_has_the_files_of_the_run_byte_by_byte(run, place):
    client, (logged, *_) = mlflow_runs(place)
    names = ["label_model.json", "metrics.json", "run.json"]
    names += [f"end_model/{name}" for name in ("model.keras", "end_model.json", "history.parquet")]
    for name in names:
        artifact = Path(client.download_artifacts(logged.info.run_id, name))
        assert artifact.read_bytes() == Path(run.directory, name).read_bytes()


@pytest.mark.slow
def test_credentials_in_paths_do_not_reach_mlflow(run):
    table = run.config.table.model_copy(update={"path": "s3a://KEY:SE/CRET@bucket/comments"})
    secret = run.config.model_copy(update={"table": table, "output": "https://user:hunter2@host/labels"})
    logged = parameters(secret)
    assert logged["table.path"] == "s3a://KEY:SE/CRET@bucket/comments".replace("KEY:SE/CRET@", "")
    assert logged["output"] == "https://host/labels"


def test_a_run_is_logged_again_where_the_command_says(run, place):
    outcome = log_mlflow(run, run_name="again")
    _, logged = mlflow_runs(place)
    assert [one.info.run_name for one in logged] == ["nightly", "again"]
    assert outcome.content["mlflow_run_id"] == logged[1].info.run_id


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_a_warning_that_names_it(run, caplog):
    tracking = run.config.tracking.model_copy(update={"uri": "http://127.0.0.1:9"})
    with caplog.at_level(logging.WARNING, logger="dp_spark"):
        log_run(run.storage, run.directory, run.config.model_copy(update={"tracking": tracking}))
    (record,) = [record for record in caplog.records if record.name == "dp_spark.tracking"]
    said = record.getMessage()
    assert re.search(r"was not logged to MLflow \(http://127\.0\.0\.1:9\): MlflowException: ", said)
    assert f"Its results in {run.directory} are complete" in said


@pytest.mark.slow
def test_a_run_whose_files_cannot_be_stored_is_marked_as_failed_and_named(run, place, caplog):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"file://{place}/mlruns")
    (place / "no directory").write_text("")
    broken = client.create_experiment("broken", artifact_location=f"file://{place}/no directory/artifacts")
    tracking = run.config.tracking.model_copy(update={"experiment": "broken"})
    with caplog.at_level(logging.WARNING, logger="dp_spark"):
        log_run(run.storage, run.directory, run.config.model_copy(update={"tracking": tracking}))
    (logged,) = client.search_runs([broken])
    assert logged.info.status == "FAILED"
    assert "NotADirectoryError" in caplog.text


@pytest.mark.slow
def test_without_the_package_a_run_that_asks_for_mlflow_stops_before_any_work(
    run, storage, tmp_path, monkeypatch
):
    from importlib import util

    find_spec = util.find_spec
    monkeypatch.setattr(
        util, "find_spec", lambda name, *rest: None if name == "mlflow" else find_spec(name, *rest)
    )
    with pytest.raises(EnvironmentProblem, match=r"pip install 'dp-spark\[mlflow\]'"):
        run_pipeline(Run(storage, run.config, f"{tmp_path}/run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_can_be_resumed_with_other_tracking_and_tensorboard(run, place):
    config = run.config.model_copy(
        update={
            "tracking": run.config.tracking.model_copy(update={"mlflow": False}),
            "label_model": run.config.label_model.model_copy(update={"tensorboard": ""}),
        }
    )
    before = Path(run.directory, "label_model.json").stat().st_mtime_ns
    run_pipeline(Run(run.storage, config, run.directory), resume=True)
    assert Path(run.directory, "label_model.json").stat().st_mtime_ns == before
