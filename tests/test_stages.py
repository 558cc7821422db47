import json
import os
import re
import shutil
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from dp_spark.config import parse_config
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.end_model.artifact import load_end_model
from dp_spark.end_model.predict import PREDICTIONS_KIND
from dp_spark.errors import (
    ConfigError,
    DivergedError,
    LabelingFunctionError,
    MissingResultError,
    OutputExistsError,
    SchemaError,
)
from dp_spark.evaluation import write_training_set
from dp_spark.examples.comments import generate_comments
from dp_spark.examples.spam import LFS
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.matrix import read_label_matrix
from dp_spark.labels.label import LABELS_KIND
from dp_spark.labels.shards import read_manifest
from dp_spark.pipeline import run_pipeline
from dp_spark.report.metrics import pipeline_text
from dp_spark.run import Run, load_lfs, read_points
from dp_spark.stage_names import RUN_FILE
from dp_spark.stages import STAGES, run_stage
from dp_spark.tables import read_table

SPAM = (Path(__file__).parents[1] / "conf" / "spam.toml").read_text()
NUM_COMMENTS = 300
RESULTS = [output for _, output in STAGES.values()]

OTHER_LFS = '''
from dp_spark.examples.spam import LFS
from dp_spark.labeling.functions import labeling_function

FEWER = LFS[:5]
TWICE = [LFS[0], LFS[0]]
PLAIN = [len]
NUMBER = 7

def make():
    """Inside a function: so they travel by value, and the workers need not have this file."""
    @labeling_function
    def broken(x):
        raise KeyError("author")

    @labeling_function
    def looks_at_gold(x):
        return x.gold

    @labeling_function
    def looks_at_few(x):
        return x.few

    return broken, looks_at_gold, looks_at_few

BROKEN, PEEKING, PEEKING_AT_FEW = [*LFS, make()[0]], [make()[1]], [make()[2]]
'''


def edited(**changes):
    """conf/spam.toml with some values replaced, and few epochs."""
    text = re.sub(r"num_epochs = \d+", "num_epochs = 3", SPAM)
    for name, value in {"table__path": "nowhere", **changes}.items():
        section, _, key = name.partition("__")
        start = text.index(f"\n[{section}]") + 1
        head, tail = text[:start], text[start:]
        line = f"{key} = {json.dumps(value)}"
        tail, found = re.subn(rf"(?m)^{key} = .*$", line, tail, count=1)
        text = head + (tail if found else tail.replace(f"[{section}]", f"[{section}]\n{line}", 1))
    return parse_config(text, "spam.toml")


@pytest.fixture(scope="module")
def table(spark, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("table") / "comments")
    generate_comments(spark, NUM_COMMENTS, num_partitions=2).write.parquet(path)
    return path


@pytest.fixture(scope="module")
def table_with_few(spark, table, tmp_path_factory):
    """The table with one more column: the gold label of every fifth row."""
    path = str(tmp_path_factory.mktemp("table") / "with few")
    position = F.substring("id", 2, 100).cast("int")
    few = F.when(position % 5 == 0, F.col("gold"))
    spark.read.parquet(table).withColumn("few", few).write.parquet(path)
    return path


@pytest.fixture(scope="module")
def finished(storage, table, tmp_path_factory):
    """One whole run: its directory and what run_pipeline returned. Tests change copies of it."""
    directory = str(tmp_path_factory.mktemp("run") / "out put")
    return directory, run_pipeline(Run(storage, edited(table__path=table), directory))


@pytest.fixture
def copied(finished, tmp_path):
    directory = str(tmp_path / "copy")
    shutil.copytree(finished[0], directory)
    return directory


@pytest.fixture
def other_lfs(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "other_lfs.py").write_text(OTHER_LFS)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return "other_lfs"


def stamps(directory):
    """When each result was written last."""
    return {name: os.stat(os.path.join(directory, name)).st_mtime_ns for name in RESULTS}


@pytest.mark.slow
def test_a_pipeline_leaves_every_result(storage, finished):
    directory, metrics = finished
    assert set(storage.list_names(directory)) >= {*RESULTS, RUN_FILE}
    names = tuple(lf.name for lf in LFS)

    def at(name):
        return f"{directory}/{name}"

    matrix = read_label_matrix(storage, at("label_matrix"))
    counts = VoteCounts.from_bytes(storage.read_bytes(at("vote_counts.npz")))
    model = LabelModel.load(at("label_model.json"))
    assert matrix.lf_names == counts.lf_names == model.lf_names == names
    assert matrix.lf_hashes == counts.lf_hashes == model.lf_hashes == tuple(lf.content_hash for lf in LFS)
    assert matrix.df.count() == counts.num_data_points == NUM_COMMENTS
    for name, kind in {"labels": LABELS_KIND, "predictions": PREDICTIONS_KIND}.items():
        assert read_table(storage, at(name), kind)[0].count() == NUM_COMMENTS
    assert 0 < read_manifest(storage, at("training_set")).num_data_points < NUM_COMMENTS
    assert load_end_model(storage, at("end_model")) is not None
    assert json.loads(storage.read_text(at("metrics.json"))) == metrics


@pytest.mark.slow
def test_the_metrics_name_the_stages_the_labeling_functions_and_the_accuracies(finished):
    _, metrics = finished
    assert (metrics["num_data_points"], metrics["num_lfs"]) == (NUM_COMMENTS, len(LFS))
    assert set(metrics["seconds"]) == set(STAGES) - {"evaluate", "report"}
    for name in ("majority_vote_accuracy", "label_accuracy", "end_model_accuracy"):
        assert 0.5 < metrics[name] <= 1
    assert metrics["scores"]["all.labels"]["all"]["num_data_points"] == NUM_COMMENTS
    tests = metrics["scores"]["test.end_model"]["all"]["num_data_points"]
    assert 0 < tests < NUM_COMMENTS / 3
    assert [row["name"] for row in metrics["lfs"]] == [lf.name for lf in LFS]
    assert all(
        low <= row["accuracy"] <= high for row in metrics["lfs"] for low, high in [row["accuracy_interval"]]
    )
    assert metrics["label_model_choice"]["model"] == metrics["label_model"]


@pytest.mark.slow
def test_the_end_model_stands_beside_its_baselines_on_the_same_test_rows(storage, finished):
    directory, metrics = finished
    comparison, scores = metrics["comparison"], metrics["scores"]
    tables = ["majority_vote", "labels", "end_model", "gold_end_model"]
    assert list(scores) == [f"all.{name}" for name in tables[:3]] + [f"test.{name}" for name in tables]
    rows = {scores[f"test.{name}"]["all"]["num_data_points"] for name in tables}
    assert len(rows) == 1
    for name in tables:
        assert scores[f"test.{name}"]["covered"]["num_data_points"] < min(rows)
        low, high = scores[f"test.{name}"]["all"]["intervals"]["accuracy"]
        assert low <= scores[f"test.{name}"]["all"]["accuracy"] <= high
    (found,) = [d for d in comparison["differences"] if (d["minus"], d["part"]) == ("labels", "all")]
    gap = scores["test.end_model"]["all"]["accuracy"] - scores["test.labels"]["all"]["accuracy"]
    assert found["accuracy"] == pytest.approx(gap)
    shown = pipeline_text(metrics, directory)
    for text in (
        "gold end model (test rows)",
        "labels, covered rows",
        "most frequent class, uncovered rows",
        comparison["verdict"][1:],
    ):
        assert text in shown


@pytest.mark.slow
def test_the_gold_model_is_the_end_model_but_for_its_labels(spark, storage, table, finished):
    directory, _ = finished
    model, gold_model = (load_end_model(storage, f"{directory}/{n}") for n in ("end_model", "gold_end_model"))
    assert (gold_model.settings, gold_model.columns) == (model.settings, model.columns)
    assert gold_model.digest != model.digest
    assert storage.list_names(f"{directory}/gold_end_model") == storage.list_names(f"{directory}/end_model")


@pytest.mark.parametrize(
    ("gold", "settings", "why"),
    [
        ("gold", {"evaluation__gold_end_model": False}, "[evaluation] gold_end_model is false"),
        (None, {}, "[table] names no gold column"),
        ("few", {}, "the training part has 10 gold labels or more of 1 classes; it is trained where all 2"),
    ],
)
def test_a_gold_model_that_cannot_be_or_is_not_wanted_is_no_result_and_no_failure(
    spark, storage, table, tmp_path, caplog, gold, settings, why
):
    few = F.when((F.col("gold") > 0) | (F.substring("id", 2, 100).cast("int") < 10), F.col("gold"))
    spark.read.parquet(table).withColumn("few", few).write.parquet(f"{tmp_path}/table")
    config = edited(table__path=f"{tmp_path}/table", **settings)
    config = config.model_copy(update={"table": config.table.model_copy(update={"gold": gold})})
    for name in ("gold_end_model", "gold_training_set"):
        storage.write_text(f"{tmp_path}/out/{name}/old", "of an earlier run")
    with caplog.at_level("INFO", logger="dp_spark"):
        run_stage(Run(storage, config, f"{tmp_path}/out", overwrite=True), "train-gold-model")
    assert f"no gold_end_model: {why}" in caplog.text
    assert storage.list_names(f"{tmp_path}/out") == []  # an older one is no yardstick any more


@pytest.mark.slow
def test_a_gold_model_whose_training_failed_is_trained_on_the_same_training_set(storage, table, copied):
    storage.delete(f"{copied}/gold_end_model")
    storage.delete(f"{copied}/metrics.json")
    run = Run(storage, edited(table__path=table), copied)
    gold = read_points(run).where("split = 'train' AND gold > 0")  # other labels than a new one would have
    labels = gold.select("id", F.lit(1.0).alias("prob_label"))
    manifest = write_training_set(run, labels, "gold_training_set", "gold", overwrite=False)
    run_pipeline(run, resume=True)
    model = load_end_model(storage, f"{copied}/gold_end_model")
    assert model.manifest_digest == manifest.digest
    assert not storage.exists(f"{copied}/gold_training_set")


@pytest.mark.slow
def test_a_gold_model_of_an_earlier_end_model_is_refused(storage, table, copied):
    storage.delete(f"{copied}/metrics.json")
    run = Run(storage, edited(table__path=table, end_model__num_epochs=1), copied, overwrite=True)
    run_stage(run, "train-end-model")
    run_stage(run, "predict")
    message = "gold_end_model was made from an earlier end_model: run `train-gold-model --overwrite`"
    with pytest.raises(MissingResultError, match=message):
        run_stage(run, "evaluate")
    unwanted = edited(table__path=table, end_model__num_epochs=1, evaluation__gold_end_model=False)
    run_stage(Run(storage, unwanted, copied), "evaluate")
    assert "test.gold_end_model" not in json.loads(storage.read_text(f"{copied}/metrics.json"))["scores"]


@pytest.mark.slow
def test_a_gold_model_that_nothing_would_read_is_not_trained(storage, table, copied):
    """As in a run of a version that had no such stage."""
    storage.delete(f"{copied}/gold_end_model")
    made_from = json.loads(storage.read_text(f"{copied}/{RUN_FILE}"))
    del made_from["evaluation"]
    storage.write_text(f"{copied}/{RUN_FILE}", json.dumps(made_from))
    metrics = run_pipeline(Run(storage, edited(table__path=table), copied), resume=True)
    assert not storage.exists(f"{copied}/gold_end_model")
    assert "test.gold_end_model" in metrics["scores"]


@pytest.mark.slow
def test_another_evaluation_is_not_resumed_into_metrics_that_are_there(storage, table, copied):
    config = edited(table__path=table, evaluation__gold_end_model=False)
    with pytest.raises(ConfigError, match=r"\[evaluation\] changed since the run in "):
        run_pipeline(Run(storage, config, copied), resume=True)


def test_rows_of_one_cluster_are_counted_as_one_block(storage, table, tmp_path):
    run = Run(storage, edited(table__path=table, table__cluster=["text"]), str(tmp_path))
    run_stage(run, "apply-lfs")
    run_stage(run, "count-votes")
    run_stage(run, "fit-label-model")
    counts = VoteCounts.from_bytes(storage.read_bytes(run.path("vote_counts.npz")))
    assert counts.patterns.block_counts.sum() == counts.num_data_points == NUM_COMMENTS
    assert LabelModel.load(run.path("label_model.json")).diagnostics["clusters_known"]


def test_a_cluster_column_that_is_not_there_is_refused_before_any_work(storage, table, tmp_path):
    run = Run(storage, edited(table__path=table, table__cluster=["page"]), str(tmp_path / "out"))
    with pytest.raises(SchemaError, match="table.cluster reads 'page'"):
        run_pipeline(run)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_only_training_rows_with_a_vote_are_trained_on(spark, storage, table, finished):
    directory, _ = finished
    labels, _ = read_table(storage, f"{directory}/labels", LABELS_KIND)
    covered = labels.where("num_votes > 0").join(
        spark.read.parquet(table).where("split = 'train'"), on="id", how="left_semi"
    )
    manifest = read_manifest(storage, f"{directory}/training_set")
    assert manifest.num_data_points == covered.count()


@pytest.mark.slow
def test_a_resumed_run_makes_only_what_is_missing(storage, table, finished, copied):
    before = stamps(copied)
    os.remove(f"{copied}/metrics.json")
    metrics = run_pipeline(Run(storage, edited(table__path=table), copied), resume=True)
    after = stamps(copied)
    assert {n for n in RESULTS if after[n] != before[n]} == {"metrics.json"}
    assert {**metrics, "seconds": {}} == {**finished[1], "seconds": {}}


@pytest.mark.slow
def test_a_run_with_another_configuration_is_not_resumed(storage, table, copied, other_lfs):
    epochs = edited(table__path=table, end_model__num_epochs=4)
    message = f"[end_model] changed since the run in {copied}: its results cannot be continued. Start again"
    with pytest.raises(ConfigError, match=re.escape(message)):
        run_pipeline(Run(storage, epochs, copied), resume=True)
    lfs = edited(table__path=table, labeling__module=other_lfs, labeling__lfs="FEWER")
    with pytest.raises(ConfigError, match=r"\[labeling\] and \[lfs\] changed .*\(labeling functions"):
        run_pipeline(Run(storage, lfs, copied), resume=True)


@pytest.mark.slow
def test_a_run_whose_labeling_functions_changed_their_code_is_not_resumed(storage, table, copied):
    made_from = json.loads(storage.read_text(f"{copied}/{RUN_FILE}"))
    made_from["lfs"][LFS[0].name] = "0" * 16
    storage.write_text(f"{copied}/{RUN_FILE}", json.dumps(made_from))
    with pytest.raises(
        ConfigError, match=rf"\[lfs\] changed since the run in .*\(labeling functions \['{LFS[0].name}'\]\)"
    ):
        run_pipeline(Run(storage, edited(table__path=table), copied), resume=True)


def test_a_run_that_never_began_is_not_resumed(storage, table, tmp_path):
    with pytest.raises(MissingResultError, match="nothing holds no run to resume: run.json is not there"):
        run_pipeline(Run(storage, edited(table__path=table), f"{tmp_path}/nothing"), resume=True)


@pytest.mark.slow
def test_a_directory_with_results_is_refused_and_stays_as_it_is(storage, table, copied):
    before = stamps(copied)
    with pytest.raises(OutputExistsError, match=r"copy is there already \(it holds .*pass --overwrite"):
        run_pipeline(Run(storage, edited(table__path=table), copied))
    assert stamps(copied) == before


@pytest.mark.slow
def test_an_overwriting_run_that_fails_leaves_the_older_results(
    storage, table, copied, other_lfs, tmp_path, caplog
):
    before = stamps(copied)
    config = edited(table__path=table, labeling__module=other_lfs, labeling__lfs="BROKEN")
    with pytest.raises(
        LabelingFunctionError,
        match=r"(?s)'broken' failed on .* row \{'id': 'c0\d+'\}: KeyError at other_lfs.py",
    ):
        run_pipeline(Run(storage, config, copied, overwrite=True))
    assert stamps(copied) == before
    assert sorted(os.listdir(tmp_path)) == [".copy-unfinished", "copy", "modules"]
    assert "the older results are as they were: correct the cause and pass --resume" in caplog.text


@pytest.mark.slow
def test_an_overwriting_run_that_fails_late_goes_on_where_it_was(storage, table, copied, tmp_path, caplog):
    before = stamps(copied)
    diverging = edited(table__path=table, end_model__learning_rate=1e38, end_model__optimizer="sgd")
    with pytest.raises(DivergedError):
        run_pipeline(Run(storage, diverging, copied, overwrite=True))
    assert stamps(copied) == before
    staged = f"{tmp_path}/.copy-unfinished/copy"
    labeled = os.stat(f"{staged}/label_matrix").st_mtime_ns

    with caplog.at_level("INFO", logger="dp_spark"):
        run_pipeline(Run(storage, edited(table__path=table, end_model__num_epochs=1), copied), resume=True)
    assert "going on with the run that was to replace" in caplog.text
    assert "skipped apply-lfs: label_matrix is there" in caplog.text
    assert os.stat(f"{copied}/label_matrix").st_mtime_ns == labeled
    assert len(load_end_model(storage, f"{copied}/end_model").history) == 1
    assert sorted(os.listdir(tmp_path)) == ["copy"]


def test_a_new_run_that_fails_can_be_resumed_but_leaves_no_result(
    storage, table, other_lfs, tmp_path, caplog
):
    config = edited(table__path=table, labeling__module=other_lfs, labeling__lfs="BROKEN")
    directory = f"{tmp_path}/new"
    with pytest.raises(LabelingFunctionError, match="(?s)'broken' failed on .*KeyError"):
        run_pipeline(Run(storage, config, directory))
    assert storage.list_names(directory)[-1] == RUN_FILE
    assert not set(storage.list_names(directory)) & set(RESULTS)
    told = "stage apply-lfs failed; no stage is complete yet: correct the cause and run again"
    assert told in caplog.text


@pytest.mark.slow
def test_results_of_other_labeling_functions_are_refused_by_every_later_stage(
    storage, table, copied, other_lfs
):
    config = edited(table__path=table, labeling__module=other_lfs, labeling__lfs="FEWER")
    run = Run(storage, config, copied, overwrite=True)
    run_stage(run, "apply-lfs")
    counts = r"vote_counts.npz was made from an earlier label_matrix: run `count-votes --overwrite`"
    for name in ("fit-label-model", "evaluate"):
        with pytest.raises(MissingResultError, match=counts):
            run_stage(run, name)
    with pytest.raises(
        ValueError, match="the label matrix holds votes of .* and the label model was fitted on"
    ):
        run_stage(run, "label")
    run_stage(run, "count-votes")
    run_stage(run, "fit-label-model")
    labels = "labels was made from an earlier label_model.json: run `label --overwrite`"
    with pytest.raises(MissingResultError, match=labels):
        run_stage(run, "write-shards")
    run_stage(run, "label")
    run_stage(run, "write-shards")
    assert read_label_matrix(storage, f"{copied}/label_matrix").lf_names == tuple(lf.name for lf in LFS[:5])


@pytest.mark.slow
def test_a_stage_refuses_to_replace_its_result_unasked(storage, table, copied):
    run = Run(storage, edited(table__path=table), copied)
    before = stamps(copied)
    for name in STAGES:
        with pytest.raises(OutputExistsError, match=rf"copy/{STAGES[name][1]} is there already"):
            run_stage(run, name)
    assert stamps(copied) == before


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("count-votes", "label_matrix holds no complete label matrix"),
        ("fit-label-model", "vote_counts.npz is not there. Run the stage that writes it first"),
        ("label", "label_model.json is not there"),
        ("write-shards", "labels holds no complete label table"),
        ("train-end-model", "training_set"),
        ("predict", "end_model"),
        ("train-gold-model", "end_model"),
        ("evaluate", "label_matrix|vote_counts.npz"),
        ("report", "vote_counts.npz is not there"),
    ],
)
def test_a_stage_without_its_input_names_it(storage, table, tmp_path, name, missing):
    with pytest.raises(MissingResultError, match=missing):
        run_stage(Run(storage, edited(table__path=table), str(tmp_path / "new")), name)


def test_labeling_functions_do_not_see_the_gold_column(storage, table, other_lfs, tmp_path):
    config = edited(table__path=table, labeling__module=other_lfs, labeling__lfs="PEEKING")
    message = r"labeling function 'looks_at_gold' reads 'gold'. It has \['id', 'text'\]"
    with pytest.raises(SchemaError, match=message):
        run_stage(Run(storage, config, str(tmp_path / "new")), "apply-lfs")


@pytest.mark.slow
def test_a_few_gold_labels_go_into_the_fit_and_its_calibration_into_the_metrics(
    storage, table_with_few, finished, tmp_path
):
    config = edited(table__path=table_with_few, label_model__gold="few", evaluation__gold_end_model=False)
    directory = str(tmp_path / "out")
    metrics = run_pipeline(Run(storage, config, directory))
    model = LabelModel.load(f"{directory}/label_model.json")
    assert model.diagnostics["class_balance"] == "gold"
    calibration = metrics["label_model_calibration"]
    assert calibration == model.diagnostics["calibration"]
    assert calibration["gold_given_to_fit"] is True
    assert calibration["num_gold"] + calibration["num_uncovered"] == NUM_COMMENTS / 5
    assert calibration["num_gold"] > NUM_COMMENTS / 10
    shown = (
        f"labels on {calibration['num_gold']} rows with votes and gold that the fit was given: accuracy 0."
    )
    assert shown in pipeline_text(metrics, directory)
    assert metrics["scores"]["all.labels"]["all"]["num_data_points"] == NUM_COMMENTS
    assert 0 < metrics["scores"]["all.labels"]["covered"]["expected_calibration_error"] < 0.5
    assert finished[1]["label_model_calibration"] is None
    assert "that the fit was given" not in pipeline_text(finished[1], directory)


@pytest.mark.slow
def test_gold_labels_that_are_fitted_and_scored_by_are_a_warning(storage, table, copied, caplog):
    for column in (None, "gold"):
        assert "the scores in metrics.json are of gold labels that the fit has seen" not in caplog.text
        changes = {"label_model__gold": column} if column else {}
        run_stage(
            Run(storage, edited(table__path=table, **changes), copied, overwrite=True), "fit-label-model"
        )
    assert "the scores in metrics.json are of gold labels that the fit has seen" in caplog.text
    found = LabelModel.load(f"{copied}/label_model.json").diagnostics["calibration"]
    assert found["num_gold"] + found["num_uncovered"] == NUM_COMMENTS


@pytest.mark.slow
def test_a_gold_column_that_labeling_functions_may_have_seen_is_not_resumed_with(storage, table, copied):
    storage.delete(f"{copied}/label_model.json")
    config = edited(table__path=table, label_model__gold="gold")
    with pytest.raises(ConfigError, match=r"^\[label_model.gold\] changed since the run in "):
        run_pipeline(Run(storage, config, copied), resume=True)


def test_labeling_functions_do_not_see_the_gold_labels_of_the_fit(
    storage, table_with_few, other_lfs, tmp_path
):
    peeking = {"labeling__module": other_lfs, "labeling__lfs": "PEEKING_AT_FEW"}
    config = edited(table__path=table_with_few, label_model__gold="few", **peeking)
    message = r"labeling function 'looks_at_few' reads 'few'. It has \['id', 'text'\]"
    with pytest.raises(SchemaError, match=message):
        run_stage(Run(storage, config, str(tmp_path / "new")), "apply-lfs")


@pytest.mark.slow
def test_gold_labels_of_the_fit_are_checked_as_they_are_counted(spark, storage, table, copied, tmp_path):
    recoded = spark.read.parquet(table).withColumn("few", F.when(F.col("gold") > 0, 7))
    recoded.write.parquet(f"{tmp_path}/recoded")
    config = edited(table__path=f"{tmp_path}/recoded", label_model__gold="few")
    with pytest.raises(SchemaError, match=r"'few' holds 7: expected one of \(-1, 1\)"):
        run_stage(Run(storage, config, copied, overwrite=True), "fit-label-model")


def test_a_table_that_is_not_there_is_named_or_generated(storage, tmp_path):
    path = f"{tmp_path}/no table"
    text = SPAM.replace('path = "output/comments"', f'path = "{path}"')
    without = parse_config(re.sub(r"(?m)^generator.*$", "", text), "spam.toml")
    with pytest.raises(
        MissingResultError, match="table.path: .*/no table is not there. Correct the path, or"
    ):
        read_points(Run(storage, without, "out"))
    config = edited(table__path=path, table__generator="tests_have_no_such_module:make")
    with pytest.raises(ConfigError, match="'tests_have_no_such_module' cannot be imported"):
        read_points(Run(storage, config, "out"))
    config = edited(table__path=path, table__generator="math:pi")
    with pytest.raises(
        ConfigError, match="table.generator: math:pi is not a function: expected one that takes"
    ):
        read_points(Run(storage, config, "out"))
    assert not os.path.exists(path)


def test_a_generated_table_is_written_once(storage, tmp_path, monkeypatch):
    calls = "CALLS = []\ndef make(spark):\n    CALLS.append(1)\n    return spark.range(3)\n"
    (tmp_path / "few_points.py").write_text(calls)
    monkeypatch.syspath_prepend(tmp_path)
    text = SPAM.replace('gold = "gold"', "").replace('split = "split"', "")
    text = text.replace("output/comments", f"{tmp_path}/t").replace(
        "dp_spark.examples.comments:generate_comments", "few_points:make"
    )
    run = Run(storage, parse_config(text, "spam.toml"), "out")
    assert read_points(run).count() == read_points(run).count() == 3
    import few_points

    assert few_points.CALLS == [1]


def test_columns_that_the_configuration_names_must_be_there(storage, table):
    names = {"table__gold": "truth", "label_model__gold": "few"}
    config = edited(table__path=table, table__key=["id", "day"], **names)
    with pytest.raises(SchemaError) as caught:
        read_points(Run(storage, config, "out"))
    expected = (
        "table.key reads 'day'; table.gold or table.split reads 'truth'; label_model.gold reads 'few'. It"
    )
    assert expected in str(caught.value)
    assert "It has ['id', 'split', 'text', 'gold']" in str(caught.value)


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (
            "no_such_lfs",
            "LFS",
            "module 'no_such_lfs' cannot be imported.*ship it with `spark-submit --py-files`",
        ),
        ("other_lfs", "LSF", "module 'other_lfs' has no 'LSF'; it has: .*FEWER"),
        ("other_lfs", "NUMBER", "labeling.lfs: other_lfs:NUMBER is 7: expected a list of labeling functions"),
        (
            "other_lfs",
            "PLAIN",
            "other_lfs:PLAIN holds <built-in function len>, which is no labeling",
        ),
    ],
)
def test_a_list_of_labeling_functions_that_is_none_is_refused(storage, other_lfs, module, name, message):
    with pytest.raises(ConfigError, match=message):
        load_lfs(Run(storage, edited(labeling__module=module, labeling__lfs=name), "out"))


def test_labeling_functions_with_one_name_are_refused_before_anything_is_written(
    storage, table, other_lfs, tmp_path
):
    config = edited(table__path=table, labeling__module=other_lfs, labeling__lfs="TWICE")
    with pytest.raises(ValueError, match=rf"share the names \['{LFS[0].name}'\]"):
        run_stage(Run(storage, config, f"{tmp_path}/new"), "apply-lfs")
    assert not os.path.exists(f"{tmp_path}/new")


@pytest.mark.slow
def test_a_changed_setting_that_no_complete_stage_has_read_is_accepted_by_resume(storage, table, copied):
    for name in ("end_model", "predictions", "gold_end_model", "metrics.json"):
        storage.delete(f"{copied}/{name}")
    changes = {"end_model__num_epochs": 2, "evaluation__gold_end_model": False}
    metrics = run_pipeline(Run(storage, edited(table__path=table, **changes), copied), resume=True)
    assert set(metrics["seconds"]) == {"train-end-model", "predict", "train-gold-model"}
    assert not storage.exists(f"{copied}/gold_end_model")
    assert "test.gold_end_model" not in metrics["scores"]
    assert len(load_end_model(storage, f"{copied}/end_model").history) == 2


@pytest.mark.slow
def test_resume_refuses_results_of_an_earlier_label_model(storage, table, copied):
    even, skewed = edited(table__path=table), edited(table__path=table, label_model__class_balance=0.3)
    for name in ("fit-label-model", "label"):
        run_stage(Run(storage, skewed, copied, overwrite=True), name)
    with pytest.raises(MissingResultError, match="training_set was made from an earlier labels"):
        run_pipeline(Run(storage, even, copied), resume=True)


@pytest.mark.slow
def test_files_of_others_are_never_overwritten(storage, table, copied):
    storage.write_text(f"{copied}/notes.txt", "mine")
    with pytest.raises(OutputExistsError, match="copy holds notes.txt, which dp_spark did not write"):
        run_pipeline(Run(storage, edited(table__path=table), copied, overwrite=True))
    assert storage.read_text(f"{copied}/notes.txt") == "mine"


@pytest.mark.parametrize("place", ["{table}", "{table}/inside", "{table}/.."])
def test_an_output_that_is_or_holds_or_lies_in_the_table_is_refused(storage, table, place):
    output = os.path.normpath(place.format(table=table))
    with pytest.raises(OutputExistsError, match="lie in each other: expected two places apart"):
        run_pipeline(Run(storage, edited(table__path=table), output, overwrite=True))
    assert storage.exists(table)


def test_a_directory_with_nothing_but_the_note_of_a_run_holds_no_results(storage, table, tmp_path):
    storage.write_text(f"{tmp_path}/out/{RUN_FILE}", "{}")
    with pytest.raises(SchemaError, match="lacks columns: table.key reads 'no_such_key'"):
        run_pipeline(Run(storage, edited(table__path=table, table__key=["no_such_key"]), f"{tmp_path}/out"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training_set__text": "no_such_text"}, "no_such_text"),
        ({"table__gold": "text"}, "table.gold: the column 'text' is of type string: expected integers"),
        (
            {"label_model__gold": "text"},
            "label_model.gold: the column 'text' is of type string: expected inte",
        ),
        ({"table__split": "text"}, "table.split: the column 'text' holds .*expected 'train'"),
        ({"end_model__model": "no_such_module:build", "end_model__l2": 0.0}, "module 'no_such_module'"),
    ],
)
def test_what_would_stop_a_later_stage_is_found_before_any_work(storage, table, tmp_path, changes, message):
    config = edited(table__path=table, **changes)
    with pytest.raises((SchemaError, ConfigError), match=message):
        run_pipeline(Run(storage, config, f"{tmp_path}/out"))
    assert not os.path.exists(f"{tmp_path}/out/label_matrix")
