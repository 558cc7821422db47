"""What changed from one run to another."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
from small_run import ROWS, SCHEMA, small_run

from dp_spark.commands.diff import diff
from dp_spark.counting.gold import count_gold
from dp_spark.counting.summary import lf_summary
from dp_spark.errors import MissingResultError, OutputExistsError
from dp_spark.iteration.results import Results
from dp_spark.iteration.run_difference import run_difference
from dp_spark.label_model.model import LabelModel
from dp_spark.labels.label import label
from dp_spark.report.compare import compare
from dp_spark.report.metrics import lf_rows, pipeline_metrics
from dp_spark.run import read_counts, read_label_model, read_matrix, read_points

# Against ROWS: r7 is gone and r8 is new; on r3 LF a votes +1, on r4 LF d; LF c is gone, d is new, b is less accurate.
CHANGED = [
    ("r0", 1, 1, None, None),
    ("r1", 1, 1, -1, None),
    ("r2", 1, 1, 1, None),
    ("r3", 1, 1, -1, None),
    ("r4", 1, None, None, 1),
    ("r5", 1, None, None, None),
    ("r6", 1, None, None, None),
    ("r8", 2, -1, -1, None),
]
ACCURACIES = {"a": 3 / 4, "b": 2 / 3, "d": 3 / 4}  # P(+1): 3/4, 3/5, 6/7, 3/5, 3/4, 1/2, 1/2, 1/7
CONFIG = """
output = "unused"
[table]
path = "{table}"
key = ["id", "day"]
[labeling]
module = "none_is_imported"
[training_set]
text = "id"
"""


@pytest.fixture(scope="module")
def changed(storage, tmp_path_factory):
    schema = "id string, day int, a int, b int, d int"
    place = tmp_path_factory.mktemp("changed")
    return small_run(storage, place, CHANGED, schema, ACCURACIES, config=CONFIG)


@pytest.fixture(scope="module")
def found(storage, run, changed, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("flips") / "flips")
    return diff(storage, run.directory, changed.directory, max_keys=3, output=output)


def test_labeling_functions_are_compared_by_name_and_content(found):
    assert json.loads(json.dumps(found.content)) == found.content
    lfs = {lf["name"]: lf for lf in found.content["lfs"]}
    assert {name: lf["change"] for name, lf in lfs.items()} == {
        "a": "unchanged", "b": "unchanged", "d": "added", "c": "removed",
    }  # fmt: skip
    assert (lfs["a"]["before"]["coverage"], lfs["a"]["after"]["coverage"]) == (5 / 8, 5 / 8)
    assert (lfs["b"]["before"]["accuracy"], lfs["b"]["after"]["accuracy"]) == (9 / 10, 2 / 3)
    assert (lfs["d"]["before"], lfs["c"]["after"]) == (None, None)
    assert lfs["a"]["before"]["gold_accuracy"] is None
    assert (found.content["before"]["share_covered"], found.content["after"]["share_covered"]) == (
        6 / 8,
        6 / 8,
    )


def test_flips_are_counted_by_what_became_of_what(found):
    labels = found.content["labels"]
    assert (labels["num_both"], labels["num_only_a"], labels["num_only_b"]) == (7, 1, 1)
    assert labels["num_flipped"] == 4
    assert {(c["before"], c["after"]): c["num_rows"] for c in labels["changes"]} == {
        ("-1", "+1"): 2,  # r1, r3
        ("uncovered", "+1"): 1,  # r4
        ("-1", "uncovered"): 1,  # r6
    }
    assert (labels["num_became_covered"], labels["num_became_uncovered"], labels["num_of_votes"]) == (1, 1, 2)
    assert labels["num_covering"] == {"d": 1}
    assert labels["num_uncovering"] == {"a": 1, "c": 1}


def test_the_pushes_add_up_to_how_far_the_log_odds_moved(found):
    pushes = {push["name"]: push for push in found.content["labels"]["pushes"]}
    # r1: from 1/4 to 3/5, by b alone; r3: from 1/10 to 3/5, by a and b.
    assert pushes["b"]["log_odds"] == pytest.approx(2 * math.log(9 / 2))
    assert pushes["a"]["log_odds"] == pytest.approx(math.log(3))
    assert (pushes["b"]["num_rows"], pushes["b"]["num_led"]) == (2, 2)
    assert (pushes["a"]["num_rows"], pushes["a"]["num_led"]) == (1, 0)
    moved = math.log((3 / 2) / (1 / 3)) + math.log((3 / 2) / (1 / 9))
    total = math.fsum(push["log_odds"] for push in pushes.values())
    assert total + found.content["labels"]["class_balance_push"] == pytest.approx(moved, abs=1e-9)


def test_the_rows_that_moved_furthest_come_first_and_all_of_them_are_written(found, spark):
    sample = found.content["labels"]["sample"]
    assert [row["id"] for row in sample] == ["r3", "r1", "r4"]
    assert sample[0] == {
        "id": "r3", "day": 1, "label_before": "-1", "label_after": "+1",
        "prob_label_before": pytest.approx(1 / 10), "prob_label_after": pytest.approx(3 / 5),
        "num_votes_before": 1, "num_votes_after": 2, "moved": pytest.approx(1 / 2), "num_alike": 1,
    }  # fmt: skip
    written = spark.read.parquet(found.content["labels"]["output"])
    assert sorted(row["id"] for row in written.collect()) == ["r1", "r3", "r4", "r6"]


def test_the_text_says_it_in_lines(found):
    for line in (
        "labeling functions: 1 added, 1 removed, 0 changed, 2 unchanged",
        "rows: 7 in both, 1 only in A, 1 only in B",
        "labels that changed: 4 of 7 (57.14%): 1 became covered, 1 became uncovered, 2 with votes in both",
        "         2  -1 → +1",
        "     +3.01  b (towards it on 2 rows, most of all LFs on 2)",
        "rows that became covered, by who votes now: d 1",
        "         1  -1 (0.100) → +1 (0.600), as id=r3, day=1",
        "no scores against gold in either run",
    ):
        assert line in found.text.splitlines()
    (of_b,) = (line for line in found.text.splitlines() if line.startswith("  b "))
    assert "0.900 assumed → 0.667 assumed" in of_b


def test_the_same_run_has_no_difference(storage, run, tmp_path):
    found = diff(storage, run.directory, run.directory, output=f"{tmp_path}/flips")
    assert found.content["is_different"] is False
    assert found.text.splitlines()[3] == "no difference"
    assert f"{tmp_path}/flips was not written: there are no flipped rows" in found.text
    assert not storage.exists(f"{tmp_path}/flips")


def test_rows_that_moved_alike_are_one_line_with_their_number(storage, tmp_path):
    alike = [("r8", 3, *ROWS[1][2:]), ("r9", 3, *ROWS[1][2:])]
    run = small_run(storage, tmp_path, rows=[*ROWS, *alike])
    other = copied(run, tmp_path)
    skewed = dataclasses.replace(read_label_model(run), class_balance=np.array([1 / 5, 4 / 5]))
    storage.write_text(other.path("label_model.json"), skewed.to_json())
    labels = diff(storage, run.directory, other.directory).content["labels"]
    assert [(row["id"], row["num_alike"]) for row in labels["sample"]] == [("r6", 1), ("r1", 3)]


def test_one_class_balance_moves_labels_and_is_named(storage, run, tmp_path):
    other = copied(run, tmp_path)
    skewed = dataclasses.replace(read_label_model(run), class_balance=np.array([1 / 5, 4 / 5]))
    storage.write_text(other.path("label_model.json"), skewed.to_json())
    found = diff(storage, run.directory, other.directory)
    labels = found.content["labels"]
    # r1 (1/4) to 4/7 and r6 (2/5) to 8/11; r3 (1/10) to 4/13 stays, and so does r7.
    assert [(c["before"], c["after"], c["num_rows"]) for c in labels["changes"]] == [("-1", "+1", 2)]
    assert labels["class_balance_push"] == pytest.approx(2 * math.log(4))
    assert labels["pushes"] == []
    assert found.content["after"]["class_balance"] == [1 / 5, 4 / 5]
    (note,) = (note for note in found.content["notes"] if "earlier" in note)
    assert note.endswith("compared is what the label model gives now")


def test_scores_against_gold_are_compared(storage, run, tmp_path):
    first, second = copied(run, tmp_path / "a"), copied(run, tmp_path / "b")
    skewed = dataclasses.replace(read_label_model(run), class_balance=np.array([1 / 5, 4 / 5]))
    storage.write_text(second.path("label_model.json"), skewed.to_json())
    for each in (first, second):
        write_metrics(each)
    found = diff(storage, first.directory, second.directory)
    scores = found.content["scores"]["all.labels"]
    # Right are r0, r2, r3, and half of r4 and r5, which tie; then r0 to r3 and r5.
    assert (scores["before"]["accuracy"], scores["after"]["accuracy"]) == (4 / 7, 5 / 7)
    assert "  labels (all rows)  0.571 → 0.714" in found.text
    assert found.content["lfs"][0]["after"]["gold_accuracy"] == 3 / 4  # a: r0, r1, r2, not r7
    storage.write_text(first.path("label_model.json"), skewed.to_json())
    found = diff(storage, first.directory, second.directory)
    assert "metrics.json was made from an earlier label_model.json, and is left out" in found.text
    assert found.content["scores"]["all.labels"]["before"] is None


def write_metrics(run):
    """What `evaluate` would write of the labels alone."""
    matrix, counts, model, points = (
        read_matrix(run),
        read_counts(run),
        read_label_model(run),
        read_points(run),
    )
    gold = points.select("id", "day", "gold")
    comparison = compare(
        {"labels": label(matrix, model)}, points, key=["id", "day"], subject="labels", num_replicates=0
    )
    lfs = lf_rows(lf_summary(counts, count_gold(matrix, gold)), (), counts, model)
    metrics = pipeline_metrics(counts, model, lfs, {"all": comparison}, {})
    run.storage.write_text(run.path("metrics.json"), json.dumps(metrics))


def test_a_run_that_stopped_early_is_compared_by_what_it_has(storage, run, tmp_path):
    other = copied(run, tmp_path)
    for name in ("label_model.json", "labels"):
        storage.delete(other.path(name))
    found = diff(storage, run.directory, other.directory)
    assert found.content["labels"] is None
    assert [lf["change"] for lf in found.content["lfs"]] == ["unchanged"] * 3
    assert (
        found.content["lfs"][0]["before"]["coverage"] == found.content["lfs"][0]["after"]["coverage"] == 5 / 8
    )
    assert "note: neither run has metrics.json" in found.text
    assert f"note: {other.directory} has no label_model.json, labels" in found.text
    assert "labels are not compared: that takes label_matrix and label_model.json of both runs" in found.text
    storage.delete(other.path("label_matrix"))
    storage.delete(other.path("vote_counts.npz"))
    with pytest.raises(MissingResultError, match="holds no results of a run: expected one of"):
        diff(storage, run.directory, other.directory)


def test_a_renamed_labeling_function_is_recognised_by_its_code():
    def results(**hashes):
        return Results("x", {"lfs": hashes}, None, None, None, None, (), ())

    found = run_difference(results(a="1", b="2", c="2", d=""), results(a2="1", b2="2", d2=""))
    assert {lf.name: (lf.change, lf.renamed_from) for lf in found.lfs} == {
        "a2": ("added", "a"), "b2": ("added", None), "d2": ("added", None),
        "a": ("removed", None), "b": ("removed", None), "c": ("removed", None), "d": ("removed", None),
    }  # fmt: skip


def test_a_result_of_an_earlier_version_is_left_out(storage, run, tmp_path):
    other = copied(run, tmp_path)
    model = read_label_model(run)
    stale = LabelModel(
        "old", model.lf_names, ("x", "y", "z"), 2, model.accuracies, model.weights, [1 / 2, 1 / 2]
    )
    storage.write_text(other.path("label_model.json"), stale.to_json())
    found = diff(storage, run.directory, other.directory)
    assert "label_model.json was made from an earlier label_matrix, and is left out" in found.text
    assert found.content["labels"] is None


def test_runs_with_other_keys_are_not_joined(storage, run, tmp_path):
    rows = [(int(row[0][1:]), *row[1:]) for row in ROWS]
    other = small_run(storage, tmp_path, rows, SCHEMA.replace("id string", "id int"))
    found = diff(storage, run.directory, other.directory)
    why = "labels are not compared: their key columns are id string, day int and id int, day int"
    assert why in found.content["notes"]


def test_what_may_not_be_replaced_or_shown_is_refused_before_any_work(storage, run, tmp_path):
    storage.write_text(f"{tmp_path}/mine/file", "")
    with pytest.raises(OutputExistsError, match="mine is there already"):
        diff(storage, run.directory, run.directory, output=f"{tmp_path}/mine")
    with pytest.raises(ValueError, match="max_keys is 1001: expected 0 to 1000"):
        diff(storage, run.directory, run.directory, max_keys=1001)


def copied(run, place):
    shutil.copytree(run.directory, place / "copy")
    return dataclasses.replace(run, directory=str(place / "copy"))


def test_metrics_that_name_no_label_model_are_left_out(storage, run, tmp_path):
    other = copied(run, tmp_path)
    storage.write_text(other.path("metrics.json"), json.dumps({"scores": {"end_model": {"accuracy": 0.9}}}))
    found = diff(storage, run.directory, other.directory)
    assert "metrics.json does not say which label model it is of, and is left out" in found.text
    assert found.content["scores"] == {}
