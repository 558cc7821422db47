"""Rows with gold whose label is wrong."""

import dataclasses
import json
import math

import pytest
from small_run import ROWS, SCHEMA, small_run

from dp_spark.commands.errors import errors
from dp_spark.errors import ConfigError, MissingResultError, SchemaError
from dp_spark.iteration.error_buckets import label_buckets
from dp_spark.iteration.label_classes import LabeledVotes
from dp_spark.run import read_label_model, read_matrix, read_points


@pytest.fixture(scope="module")
def found(run):
    return errors(run, columns=["text"])


def test_rows_with_gold_are_counted_by_what_they_are_labeled_as(found):
    content = found.content
    assert json.loads(json.dumps(content)) == content
    names = ("num_gold", "num_right", "num_wrong", "num_tied", "num_uncovered")
    assert [content[name] for name in names] == [7, 3, 2, 0, 2]
    assert {(cell["gold"], cell["label"]): cell["num_rows"] for cell in content["confusion"]} == {
        ("+1", "+1"): 2,  # r0, r2
        ("+1", "-1"): 2,  # r1, r7
        ("-1", "-1"): 1,  # r3
        ("+1", "uncovered"): 1,  # r5
        ("-1", "uncovered"): 1,  # r4
    }


def test_the_labeling_functions_that_pushed_towards_the_wrong_class_are_blamed(found):
    blame = {push["name"]: push for push in found.content["blame"]}
    assert set(blame) == {"b"}  # a pushed r7 to -1 and r1 to +1: log 3 - log 3 = 0
    assert blame["b"]["log_odds"] == pytest.approx(2 * math.log(9))
    assert (blame["b"]["num_rows"], blame["b"]["num_led"]) == (2, 2)


def test_buckets_hold_rows_with_the_same_votes(found):
    second, first = found.content["buckets"]
    assert (first["gold"], first["label"], first["num_rows"]) == ("+1", "-1", 1)
    assert first["votes"] == {"a": "-1", "b": "-1", "c": "+1"}
    assert first["log_odds"] == pytest.approx({"a": math.log(3), "b": math.log(9), "c": -math.log(2)})
    assert first["rows"] == [
        {"id": "r7", "day": 2, "prob_label": pytest.approx(2 / 29), "text": "nice coins"}
    ]
    assert second["votes"] == {"a": "+1", "b": "-1"}
    assert [row["id"] for row in second["rows"]] == ["r1"]


def test_the_text_says_it_in_lines(found):
    for line in (
        "labels against gold, all rows: 2 of 7 are wrong, 3 right, 0 tied, 2 uncovered",
        "         2  gold +1, labeled -1",
        "     +4.39  b (towards it on 2 rows, most of all LFs on 2)",
        "by who voted what (2 of 2 wrong rows)",
        "         1  gold +1, labeled -1: a +1 (-1.10), b -1 (+2.20)",
        "            id=r1, day=1",
        "                text: free song",
    ):
        assert line in found.text.splitlines()


def test_no_more_is_shown_than_asked_for(run):
    content = errors(run, max_buckets=1, max_keys=0).content
    assert len(content["buckets"]) == 1
    assert content["buckets"][0]["rows"] == []
    with pytest.raises(ValueError, match="max_buckets is 0: expected 1 to 200"):
        errors(run, max_buckets=0)
    with pytest.raises(ValueError, match="max_keys is 51: expected 0 to 50"):
        errors(run, max_keys=51)


def test_the_end_model_is_judged_by_its_predictions(run):
    rows = [(row[0], row[1], 0.25) for row in ROWS]
    predictions = run.spark.createDataFrame(rows, "id string, day int, prob_label double")
    matrix, model = read_matrix(run), read_label_model(run)
    gold = read_points(run).select("id", "day", "gold")
    judged = label_buckets(LabeledVotes(matrix, model), gold, predictions=predictions).collect()
    assert {row["id"]: (row["gold"], row["label"]) for row in judged} == {
        "r0": ("+1", "-1"), "r1": ("+1", "-1"), "r2": ("+1", "-1"), "r3": ("-1", "-1"),
        "r4": ("-1", "-1"), "r5": ("+1", "-1"), "r7": ("+1", "-1"),
    }  # fmt: skip
    with pytest.raises(MissingResultError):
        errors(run, of="end_model")


def test_gold_is_needed(run):
    config = run.config.model_copy(update={"table": run.config.table.model_copy(update={"gold": None})})
    with pytest.raises(
        ConfigError, match="names no gold column.*look for rows without labels with `suggest`"
    ):
        errors(dataclasses.replace(run, config=config))
    table = run.config.table.model_copy(update={"gold": "length"})
    with pytest.raises(SchemaError, match="'length' holds 10, 20, 30, 40, 50: expected one of"):
        errors(dataclasses.replace(run, config=run.config.model_copy(update={"table": table})))


def test_a_run_without_a_wrong_label_says_so(storage, tmp_path):
    rows = [row for row in ROWS if row[0] in {"r0", "r2", "r3"}]
    found = errors(small_run(storage, tmp_path, rows, SCHEMA))
    assert found.text == "labels against gold, all rows: 0 of 3 are wrong, 3 right, 0 tied, 0 uncovered"
    assert found.content["buckets"] == []
