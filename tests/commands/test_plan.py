"""What a run would do: from files' names, sizes and footers, without a job over the rows."""

import json
import os

import pytest
from pyspark.sql import functions as F

from dp_spark.commands.plan import plan, shown_bytes
from dp_spark.report.evaluated import metrics_digest
from dp_spark.stage_names import RESULTS


@pytest.fixture(scope="module")
def parquet(spark, project):
    path = str(project.folder / "in parquet")
    spark.range(0, 90, 1, 3).withColumn("text", F.lit("x")).write.parquet(path)
    return f'"{path}"'


def of_parquet(project, parquet, **settings):
    # Parquet has its own schema
    text = "\n".join(line for line in project.text.splitlines() if not line.startswith(("schema", "gold = ")))
    kept, project.text = project.text, text
    try:
        return project.run(table__path=parquet, **settings)
    finally:
        project.text = kept


def stage(outcome, name):
    (found,) = [s for s in outcome.content["stages"] if s["name"] == name]
    return found


def test_a_plan_names_stages_sizes_and_labeling_functions(project):
    outcome = plan(project.run("planned"))
    table = outcome.content["table"]
    assert outcome.is_good
    assert table["num_bytes"] == os.path.getsize(project.folder / "reviews.csv")
    assert (table["num_files"], table["num_partitions"], table["is_exact"]) == (1, 1, False)
    assert abs(table["num_rows"] - 400) <= 4
    assert [s["name"] for s in outcome.content["stages"]] == list(RESULTS)
    assert {lf["name"]: lf["runs"] for lf in outcome.content["labeling_functions"]} == {
        "stars": "in Python workers",
        "opinion": "in Python workers",
        "wants_money_back": "in Python workers",
        "would_buy_again": "in Python workers",
        "late": "inside Spark",
    }
    assert "training  linear, 1 worker, 30 epochs, on 80% of the rows" in outcome.text
    assert "an estimate without compression" in outcome.text
    assert not (project.folder / "planned").exists()
    json.dumps(outcome.content)


def test_rows_of_parquet_are_counted_from_footers(project, parquet):
    outcome = plan(of_parquet(project, parquet))
    table = outcome.content["table"]
    assert (table["num_rows"], table["is_exact"], table["num_files"]) == (90, True, 3)
    assert table["columns"] == ("id", "text")
    assert stage(outcome, "label_matrix" and "apply-lfs")["num_bytes"] == 90 * (16 + 5)
    assert stage(outcome, "train-gold-model")["would"].startswith("be skipped")


def test_no_job_reads_the_rows_of_a_table_whose_types_are_given(project, spark):
    run = project.run("planned")
    tracker, group = spark.sparkContext.statusTracker(), "plan"
    spark.sparkContext.setJobGroup(group, "plan")
    try:
        plan(run)
        assert list(tracker.getJobIdsForGroup(group)) == []
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)


def test_a_table_that_is_not_there_is_said(project):
    outcome = plan(project.run(table__path='"nowhere.csv"'))
    assert "nowhere.csv is not there: a run would stop here" in outcome.text
    assert "disk      not known" in outcome.text


def test_results_that_are_there_are_skipped_replaced_or_refused(project):
    there = project.folder / "there"
    for name in ("label_matrix", "labels"):
        (there / name).mkdir(parents=True)
        (there / name / "part").write_text("")
    resumed = plan(project.run("there"), resume=True)
    assert stage(resumed, "label")["would"] == "be skipped: complete"
    assert stage(resumed, "count-votes")["would"] == "run"
    assert "label             would be skipped: complete" in resumed.text
    overwriting = plan(project.run("there", overwrite=True))
    assert overwriting.content["replaces"] == ["label_matrix", "labels"]
    assert stage(overwriting, "label")["would"] == "run"
    assert overwriting.is_good
    refused = plan(project.run("there"))
    assert not refused.is_good
    assert "results are not overwritten unasked" in refused.content["refused"][0]


def test_columns_that_a_stage_reads_besides_are_named(project):
    run = project.run(label_model__gold='"gold"', table__cluster='["item"]')
    outcome = plan(run)
    assert stage(outcome, "fit-label-model")["reads"] == ("vote_counts.npz", "table")
    assert stage(outcome, "count-votes")["reads"] == ("label_matrix", "table")
    assert stage(outcome, "evaluate")["reads"][-2:] == ("labels", "predictions")


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 KB"), (5.5e12, "5.5 TB"), (2e15, "2000.0 TB")],
)
def test_bytes_are_shown_for_people(number, shown):
    assert shown_bytes(number) == shown


def test_a_report_of_earlier_metrics_would_be_made_again(project):
    run = project.run("reported")
    metrics = {"label_model_id": "x"}
    run.storage.write_text(run.path("metrics.json"), json.dumps(metrics))
    run.storage.write_text(run.path("report.json"), json.dumps({"metrics_digest": metrics_digest(metrics)}))
    run.storage.write_text(run.path("report.html"), "")
    assert stage(plan(run, resume=True), "report")["would"] == "be skipped: complete"
    run.storage.write_text(run.path("metrics.json"), json.dumps({"label_model_id": "y"}))
    assert stage(plan(run, resume=True), "report")["would"] == "run"
