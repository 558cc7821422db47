"""Where to write the next LF."""

import dataclasses
import json
import math

import pytest
from pyspark.sql import functions as F
from small_run import small_run

from dp_spark.commands.suggest import suggest
from dp_spark.errors import ConfigError
from dp_spark.iteration.column_values import ValueColumn, value_columns
from dp_spark.iteration.conflicting_pairs import ConflictingPair
from dp_spark.iteration.focus import Search
from dp_spark.iteration.label_classes import LabeledVotes
from dp_spark.iteration.suggestions import suggest_values
from dp_spark.run import read_label_model, read_matrix, read_points

EVERYTHING = Search(min_rows=1, min_z=-100.0)


def found_in(run, columns, search=EVERYTHING):
    votes = LabeledVotes(read_matrix(run), read_label_model(run))
    return suggest_values(votes, read_points(run), columns, search)


def by_value(found, column):
    return {s.value: s for s in found.found if s.column == column}


@pytest.fixture(scope="module")
def uncovered(run):
    return found_in(run, ["text", "country", "length"])


def test_values_are_counted_among_uncovered_rows_and_all(uncovered):
    assert (uncovered.num_focus, uncovered.num_rows, uncovered.sample_rate) == (2, 8, 1.0)
    tokens = {
        value: (s.num_focus, s.num_rows, s.num_alike) for value, s in by_value(uncovered, "text").items()
    }
    assert tokens == {"win a": (2, 2, 2), "a bike": (1, 1, 1), "a car": (1, 1, 1)}  # win, a; bike; car
    countries = {value: (s.num_focus, s.num_rows) for value, s in by_value(uncovered, "country").items()}
    assert countries == {"jp": (2, 2)}
    lengths = {value: s.num_focus for value, s in by_value(uncovered, "length").items()}
    assert lengths == {"50": 1, "60": 1}  # few integers are values, not ranges


def test_the_score_is_a_smoothed_log_odds_ratio_in_standard_errors(uncovered):
    jp = by_value(uncovered, "country")["jp"]
    # Among uncovered rows 2 have it and 0 have not; among others 0 have it and 6 have not; 1/2 is added to each.
    assert jp.log_odds == pytest.approx(math.log((5 / 2) / (1 / 2)) - math.log((1 / 2) / (13 / 2)))
    error = math.sqrt(1 / (5 / 2) + 1 / (1 / 2) + 1 / (1 / 2) + 1 / (13 / 2))
    assert jp.z == pytest.approx(jp.log_odds / error)
    assert [s.value for s in uncovered.found if s.column == "text"] == ["win a", "a bike", "a car"]


def test_a_value_leans_to_the_class_that_its_covered_rows_are_labeled_as(run):
    conflicts = found_in(run, ["text", "country"], dataclasses.replace(EVERYTHING, focus="conflicts"))
    assert conflicts.num_focus == 3  # r1, r6, r7
    assert conflicts.num_labeled == {"-1": 4, "+1": 2}  # r1, r3, r6, r7; r0, r2
    tokens = by_value(conflicts, "text")
    assert (tokens["song"].num_focus, tokens["song"].num_rows) == (2, 3)
    assert (tokens["song"].lean, tokens["song"].num_lean, tokens["song"].num_labeled) == ("-1", 3, 3)
    assert (tokens["free"].lean, tokens["free"].num_lean, tokens["free"].num_labeled) == ("+1", 2, 3)


def test_uncertain_rows_are_covered_ones_whose_label_is_hardly_more_probable(run):
    uncertain = dataclasses.replace(EVERYTHING, focus="uncertain", max_confidence=0.7)
    assert found_in(run, ["country"], uncertain).num_focus == 1  # r6: 2/5


def test_the_command_never_looks_at_gold(run):
    found = suggest(run, min_rows=1)
    assert json.loads(json.dumps(found.content)) == found.content
    looked_at = {column["name"] for column in found.content["columns"]}
    assert looked_at == {"a", "b", "c", "text", "country", "length"}
    assert "no gold labels are used (['gold'] are not looked at)" in found.text
    with pytest.raises(ConfigError, match=r"columns names \['gold'\], which holds gold labels or the split"):
        suggest(run, columns=["gold"])
    few = dataclasses.replace(run, config=with_fit_gold(run.config))
    assert "c" not in {column["name"] for column in suggest(few).content["columns"]}


def with_fit_gold(config):
    return config.model_copy(update={"label_model": config.label_model.model_copy(update={"gold": "c"})})


def test_pairs_that_conflict_most_are_named(run):
    found = suggest(run, columns=["country"], max_per_column=1)
    assert [ConflictingPair(**pair) for pair in found.content["conflicting_pairs"]] == [
        ConflictingPair("a", "c", 2, 3),  # r6, r7; both vote on r2 too
        ConflictingPair("a", "b", 1, 3),
        ConflictingPair("b", "c", 1, 2),
    ]
    assert "         2  a and c: 67% of the 3 rows on which both vote" in found.text
    assert "no value is over-represented among them" in found.text  # 2 rows: fewer than 5


def test_the_text_is_a_table_with_the_evidence(storage, tmp_path):
    rows = [
        (f"r{i}", 1, None if i % 4 == 0 else 1, "win a bike" if i % 4 == 0 else "nice song")
        for i in range(60)
    ]
    run = small_run(
        storage, tmp_path, rows, "id string, day int, a int, text string", {"a": 3 / 4}, config=CONFIG
    )
    lines = suggest(run, columns=["text"], max_per_column=2).text.splitlines()
    assert lines[0] == "15 of 60 rows (25.0%) have no vote"
    assert lines[2] == "text (tokens and pairs of tokens)  uncovered   all rows  log-odds      z  leans"
    assert lines[3].split()[:6] == ["a", "bike", "(+4)", "15", "15", "+7.94"]  # log(31) + log(91); z = 3.8
    assert len([line for line in lines if "no covered row has it" in line]) == 1
    sampled = suggest(run, columns=["text"], max_rows=20)
    assert 0 < sampled.content["num_rows"] < 60
    assert sampled.content["sample_rate"] == 1 / 3
    assert "based on a sample of 33% of the rows" in sampled.text


CONFIG = """
output = "unused"
[table]
path = "{table}"
key = ["id", "day"]
[labeling]
module = "none_is_imported"
[training_set]
text = "text"
"""


def test_columns_are_counted_by_what_they_hold(spark):
    table = spark.range(1000).select(
        (F.col("id") / 10).alias("number"),
        F.col("id").alias("many"),
        (F.col("id") % 3).alias("few"),
        (F.col("id") % 2 == 0).alias("flag"),
        F.lit("one two three").alias("text"),
        F.lit("one").alias("category"),
        F.lit(None).cast("double").alias("nothing"),
    )
    columns = value_columns(table, table.columns)
    assert [column.kind for column in columns] == [
        "ranges", "ranges", "values", "values", "tokens", "values", "values",
    ]  # fmt: skip
    assert columns[1].edges == pytest.approx([99, 199, 299, 399, 499, 599, 699, 799, 899], abs=3)


def test_ranges_are_half_open_and_null_is_a_value(spark):
    column = ValueColumn("x", "ranges", (1.0, 2.5))
    table = spark.createDataFrame([(0.5,), (1.0,), (2.5,), (None,)], "x double")
    pairs = [row[0][0]["value"] for row in table.select(column.pairs(7)).collect()]
    assert pairs == ["0", "1", "2", None]
    assert [column.title(value) for value in pairs] == ["below 1", "1 to below 2.5", "2.5 or more", "null"]


def test_numbers_out_of_range_are_refused(run):
    with pytest.raises(ValueError, match="max_per_column is 0: expected 1 to 100"):
        suggest(run, max_per_column=0)
    with pytest.raises(ValueError, match="max_confidence 1.5: expected .* a probability above 0"):
        suggest(run, max_confidence=1.5)
