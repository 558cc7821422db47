"""Why a data point has its label."""

import dataclasses
import json
import math
import shutil
import time
from datetime import datetime

import numpy as np
import pytest
from small_run import PROBABILITIES, ROWS, SCHEMA, model_by_hand, small_run
from voting import executed_plan

from dp_spark.commands.errors import errors
from dp_spark.commands.explain import explain
from dp_spark.errors import MissingResultError, SchemaError
from dp_spark.iteration.keys import _is_at, explain_label, key_of_texts, point_at, row_at, times_as_text
from dp_spark.iteration.label_classes import LabeledVotes
from dp_spark.iteration.plain_values import plain
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.run import read_label_model, read_labels, read_matrix


def test_log_odds_add_up_to_the_stored_label(run):
    found = explain(run, ["r1", "1"])
    content = found.content
    assert json.loads(json.dumps(content)) == content
    assert content["key"] == {"id": "r1", "day": 1}
    assert (content["label"], content["gold"], content["num_votes"]) == ("-1", "+1", 2)
    odds = content["log_odds"]
    assert (odds["of"], odds["against"], odds["class_balance"]) == ("-1", "+1", 0.0)
    by_lf = {lf["name"]: lf["log_odds"] for lf in content["lfs"]}
    assert by_lf == pytest.approx({"a": -math.log(3), "b": math.log(9), "c": 0.0})
    total = math.fsum([odds["class_balance"], *by_lf.values()])
    negative, positive = content["stored"]
    assert abs(odds["total"] - total) < 1e-9
    assert abs(total - math.log(negative / positive)) < 1e-9
    assert content["probabilities"] == pytest.approx([3 / 4, 1 / 4])
    assert content["stored_is_same"] is True
    assert found.is_good


def test_the_text_can_be_added_up_by_hand(run):
    lines = explain(run, ["r1", "1"]).text.splitlines()
    assert lines[0] == "id=r1, day=1: -1; P(-1) = 0.7500 by the label model by_hand"
    assert lines[2:8] == [
        "log-odds of -1 against +1",
        "   +0.0000  class balance",
        "   -1.0986  a votes +1 (accuracy 0.750, assumed)",
        "   +2.1972  b votes -1 (accuracy 0.900, assumed)",
        "   +1.0986  total",
        "",
    ]
    assert "abstain: c" in lines
    assert "stored       P(-1) = 0.7500, the same" in lines
    assert "gold         +1, not as labeled" in lines


def test_every_label_is_explained(run):
    stored = {row["id"]: row["prob_label"] for row in read_labels(run)[0].collect()}
    assert [stored[row[0]] for row in ROWS] == pytest.approx(PROBABILITIES)
    content = explain(run, ["r4", "1"]).content
    assert (content["label"], content["log_odds"]["total"], content["end_model"]) == ("uncovered", 0.0, None)


def test_columns_are_shown_only_if_asked_for(run):
    assert explain(run, ["r2", "1"]).content["row"] == {}
    shown = explain(run, ["r2", "1"], ["text", "length"])
    assert shown.content["row"] == {"text": "FREE coins now", "length": 30}
    assert "text         FREE coins now" in shown.text
    assert set(explain(run, ["r2", "1"], all_columns=True).content["row"]) == {
        "id", "day", "a", "b", "c", "gold", "text", "country", "length",
    }  # fmt: skip
    with pytest.raises(SchemaError, match="--column reads 'tekst'"):
        explain(run, ["r2", "1"], ["tekst"])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            ["r1"],
            r"the key is \['r1'\], 1 value.*expected 2, one for each of the key columns \['id', 'day'\]",
        ),
        (["r1", "1", "2"], r"3 value\(s\): expected 2"),
        (["r1", "one"], "day='one' is no int: expected values of the types.*never null"),
        (["r1", ""], "day='' is no int"),
        (["r1", "99999999999"], "day='99999999999' is no int"),
        (["r1", "2"], "no data point with id=r1, day=2: it has, for instance, id=r., day=.; id=r"),
    ],
)
def test_a_key_that_is_none_is_refused(run, key, message):
    with pytest.raises(ValueError, match=message):
        explain(run, key)


def test_a_key_is_looked_up_by_the_files_not_by_reading_them(run):
    matrix = read_matrix(run)
    plan = executed_plan(matrix.df.where(_is_at(matrix.df, matrix.key, {"id": "r1", "day": "1"})))
    assert "EqualTo(id,r1)" in plan
    assert "EqualTo(day,1)" in plan


def test_a_label_that_was_stored_otherwise_is_not_good(run, tmp_path):
    shutil.copytree(run.directory, tmp_path / "run")
    changed = dataclasses.replace(run, directory=str(tmp_path / "run"))
    labels = changed.path("labels")
    description = (tmp_path / "run" / "labels" / "_dp_spark.json").read_text()
    wrong = read_labels(run)[0].selectExpr("id", "day", "0.5D AS prob_label", "num_votes").toPandas()
    run.spark.createDataFrame(wrong).write.mode("overwrite").parquet(labels)
    (tmp_path / "run" / "labels" / "_dp_spark.json").write_text(description)
    found = explain(changed, ["r0", "1"])
    assert (found.is_good, found.content["stored_is_same"]) == (False, False)
    assert "NOT the same" in found.text
    other = model_by_hand(read_matrix(run), {"a": 0.8, "b": 0.8, "c": 0.8})
    run.storage.write_text(changed.path("label_model.json"), other.to_json())
    with pytest.raises(MissingResultError, match="labels was made from an earlier label_model.json"):
        explain(changed, ["r0", "1"])
    run.storage.delete(labels)
    assert "no label yet" in explain(changed, ["r0", "1"]).text


def test_in_python_a_key_has_values_of_its_types(run):
    found = explain_label(LabeledVotes(read_matrix(run), read_label_model(run)), {"day": 1, "id": "r2"})
    assert found.log_odds(1, -1).by_lf == pytest.approx(
        {"a": math.log(3), "b": math.log(9), "c": math.log(2)}
    )
    with pytest.raises(ValueError, match=r"the key names \['id'\]: expected a value for each of"):
        explain_label(LabeledVotes(read_matrix(run), read_label_model(run)), {"id": "r2"})


def test_three_classes_are_explained_by_name(run, storage, tmp_path):
    spark = run.spark
    from dp_spark import LabelModel, apply_lfs, vote_column, write_label_matrix

    table = spark.createDataFrame([(1, 1, 3), (2, None, 3)], "id int, x int, y int")
    lfs = [vote_column("x"), vote_column("y")]
    matrix = apply_lfs(table, lfs, key=["id"], class_names=["politics", "science", "sport"])
    matrix = write_label_matrix(matrix, f"{tmp_path}/run/label_matrix", storage)
    model = LabelModel(
        "by_hand", matrix.lf_names, matrix.lf_hashes, 3, [3 / 4, 1 / 2], np.log([6, 2]), [1 / 3] * 3
    )
    storage.write_text(f"{tmp_path}/run/label_model.json", model.to_json())
    config = run.config.model_copy(update={"table": run.config.table.model_copy(update={"gold": None})})
    found = explain(dataclasses.replace(run, config=config, directory=f"{tmp_path}/run"), ["1"])
    assert found.content["label"] == "politics"
    assert found.content["probabilities"] == pytest.approx([6 / 9, 1 / 9, 2 / 9])
    assert (found.content["log_odds"]["of"], found.content["log_odds"]["against"]) == ("politics", "sport")
    assert found.content["log_odds"]["total"] == pytest.approx(math.log(3))
    assert [lf["title"] for lf in found.content["lfs"]] == ["politics", "sport"]
    assert "P(politics) = 0.6667, P(sport) = 0.2222, P(science) = 0.1111" in found.text


@pytest.fixture
def far_east(monkeypatch):
    """The driver's time zone is not the session's, which is UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("TIMESTAMP '2024-01-01 12:00:00' + make_interval(0, 0, 0, id)", "2024-01-02 12:00:00"),
        ("TIMESTAMP_NTZ '2024-01-01 12:00:00.5' + make_interval(0, 0, 0, id)", "2024-01-02 12:00:00.5"),
        ("unhex(concat('ff0', id))", "ff01"),
        ("make_dt_interval(id)", "INTERVAL '1 00:00:00' DAY TO SECOND"),
        ("date_add(DATE '2024-01-01', int(id))", "2024-01-02"),
    ],
)
def test_a_key_can_be_typed_as_it_is_shown(spark, far_east, expression, shown):
    table = spark.range(3).selectExpr(f"{expression} AS `the.key`", "X'00' AS votes", "id")
    matrix = LabelMatrix(table.where("id < 2").drop("id"), ("the.key",), ("a",), ("",), 2)
    of_id = {row["id"]: str(plain(row["the.key"])) for row in times_as_text(table).collect()}
    assert of_id[1] == shown
    assert row_at(table, matrix.key, key_of_texts(matrix.key, [shown]))["id"] == 1
    with pytest.raises(ValueError, match="no data point with .* it has, for instance, ") as caught:
        point_at(matrix, {"the.key": of_id[2]})
    assert f"the.key={shown}" in str(caught.value)


def test_in_python_a_time_without_zone_is_that_of_the_column(spark, far_east):
    table = spark.sql("SELECT TIMESTAMP_NTZ '2024-01-01 12:00:00' AS t, 7 AS x")
    assert row_at(table, ["t"], {"t": datetime(2024, 1, 1, 12)})["x"] == 7  # noqa: DTZ001


def test_a_row_with_a_time_as_its_key_is_found_in_every_table(storage, tmp_path, far_east):
    rows = [(datetime(2024, 1, i + 1, 12), *row[1:]) for i, row in enumerate(ROWS)]  # noqa: DTZ001
    timed = small_run(storage, tmp_path, rows, SCHEMA.replace("id string", "id timestamp_ntz"))
    shown = [row for bucket in errors(timed).content["buckets"] for row in bucket["rows"]]
    wrong = "2024-01-02 12:00:00"  # r1
    assert wrong in [row["id"] for row in shown]
    content = explain(timed, [wrong, "1"]).content
    assert content["key"] == {"id": wrong, "day": 1}
    assert (content["stored_is_same"], content["gold"]) == (True, "+1")
