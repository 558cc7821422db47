"""Labeling functions on a sample: bounded, spread over the table, with gold labels and errors."""

import json
import re

import pytest
from pyspark.sql import functions as F

from dp_spark.commands.sample import MAX_FILES, draw_sample, drawn, sample_of, spread
from dp_spark.commands.try_lfs import try_, try_sample
from dp_spark.errors import ConfigError, MissingResultError
from dp_spark.labeling.column_lfs import vote_column

LFS = """
import itertools
from dp_spark import NEGATIVE, POSITIVE, labeling_function

CALLS = itertools.count()

@labeling_function
def fails_on_some(x):
    return POSITIVE if len(x.text) // (x.id % 3) else None

@labeling_function
def counts_calls(x):
    return POSITIVE if next(CALLS) % 2 else None

@labeling_function
def sees_gold(x):
    return x.gold

@labeling_function
def stars_again(x):
    return None if x.stars is None else POSITIVE if x.stars > 3 else NEGATIVE

LFS = [fails_on_some, counts_calls, sees_gold, stars_again]
"""


@pytest.fixture(scope="module")
def tried(project):
    project.add_module("lfs_to_try", LFS)
    return try_(project.run(labeling__module='"lfs_to_try"'), 60)


@pytest.fixture(scope="module")
def files(spark, tmp_path_factory):
    """A table of 1,000 rows in 20 files, at a path with a space."""
    path = str(tmp_path_factory.mktemp("many files") / "t")
    spark.range(0, 1000, 1, 20).withColumn("text", F.col("id").cast("string")).write.parquet(path)
    return path


def of(outcome, name):
    (found,) = [lf for lf in outcome.content["labeling_functions"] if lf["name"] == name]
    return found


def test_good_labeling_functions_are_summed_up_with_gold_labels(project):
    outcome = try_(project.run(), 400, check_determinism=False)
    assert outcome.is_good
    assert outcome.content["num_rows"] == 400
    assert outcome.content["num_gold"] == 210
    drawn = "drawn by a hash of their keys (seed 0) from the first 10,000 rows"
    assert (
        f"400 rows of {project.folder}/reviews.csv, 210 of them with gold labels, {drawn}\n" in outcome.text
    )
    stars = of(outcome, "stars")
    assert stars["coverage"] == pytest.approx(141 / 400)
    assert stars["empirical_accuracy"] == pytest.approx(
        stars["correct"] / (stars["correct"] + stars["incorrect"])
    )
    assert stars["empirical_accuracy"] > 0.8
    assert "No labeling function failed" in outcome.text
    json.dumps(outcome.content)


def test_only_the_named_labeling_functions_are_tried(project):
    outcome = try_(project.run(), 20, ["late"], check_determinism=False)
    assert [lf["name"] for lf in outcome.content["labeling_functions"]] == ["late"]


def test_an_unknown_name_is_refused_with_the_known_ones(project):
    with pytest.raises(ConfigError, match=r"no labeling functions \['early'\]: expected some of .*'late'"):
        try_(project.run(), 20, ["early"])


def test_failures_name_the_row_by_its_key(tried):
    assert not tried.is_good
    failing = of(tried, "fails_on_some")
    assert 0 < failing["num_errors"] < 60
    assert "ZeroDivisionError" in failing["problems"][0]
    named = [
        int(number)
        for number in re.findall(r"row \{'id': (\d+)\}: ZeroDivisionError", failing["problems"][0])
    ]
    assert named
    assert all(number % 3 == 0 for number in named)
    assert "trial_row" not in tried.text
    assert failing["problems"][0] in tried.text


def test_a_vote_that_changes_is_found(tried):
    assert "counts_calls is not deterministic" in of(tried, "counts_calls")["problems"][0]


def test_labeling_functions_do_not_see_gold_labels(tried):
    assert "labeling function 'sees_gold' reads 'gold'" in tried.content["problems"]["sees_gold"][0]
    assert "labeling function 'sees_gold' reads 'gold'" in tried.text
    assert of(tried, "stars_again")["problems"] == []


def test_the_number_of_rows_is_bounded(project):
    with pytest.raises(ValueError, match="number of rows is 10001: expected 1 to 10,000"):
        try_(project.run(), 10_001)


def test_a_table_that_is_not_there_is_named(project):
    with pytest.raises(MissingResultError, match="nowhere.csv is not there"):
        try_(project.run(table__path='"nowhere.csv"'), 10)


def test_a_sample_is_drawn_from_files_that_are_spread_over_the_table(spark, files):
    sample = sample_of(spark.read.parquet(files), ["id"], 40)
    ids = sample.rows.column("id").to_pylist()
    assert (sample.num_files, sample.num_files_of_table) == (MAX_FILES, 20)
    assert len(set(ids)) == 40
    assert {i // 50 for i in ids} <= {
        int(f.rpartition("part-")[2][:5])
        for f in spread(sorted(spark.read.parquet(files).inputFiles()), MAX_FILES)
    }
    assert len({i // 50 for i in ids}) > 4
    assert min(i % 50 for i in ids) < 10 < 40 < max(i % 50 for i in ids)


def test_a_sample_is_the_same_every_time_and_another_with_another_seed(spark, files):
    table = spark.read.parquet(files)
    chosen = spread(sorted(table.inputFiles()), 2)
    first, again, other = (
        [row.id for row in drawn(table, chosen, ["id"], 10, seed).collect()] for seed in (0, 0, 1)
    )
    assert first == again != other


def test_only_the_chosen_files_are_read(spark, files):
    table = spark.read.parquet(files)
    one = drawn(table, sorted(table.inputFiles())[:1], ["id"], 1000, 0)
    assert {row.id for row in one.collect()} == set(range(50))


def test_a_table_may_have_columns_called_as_spark_quotes_or_describes_files(project, spark, tmp_path):
    table = spark.range(0, 30, 1, 2).selectExpr("id", "1 AS `a``b`", "'mine' AS _metadata")
    table.write.parquet(f"{tmp_path}/t")
    sample = sample_of(spark.read.parquet(f"{tmp_path}/t"), ["id"], 10)
    assert (sample.num_files, set(sample.rows.column("_metadata").to_pylist())) == (2, {"mine"})
    trial = try_sample(project.run(), sample, [vote_column("a`b")], check_determinism=False)
    assert trial.votes.tolist() == [[1]] * 10


def test_a_generator_may_read_files_and_group_their_rows(project, files):
    code = f"def make(spark):\n    return spark.read.parquet({files!r}).groupBy('id').count()\n"
    project.add_module("grouping", code)
    lines = [line for line in project.text.splitlines() if not line.startswith(("schema", "gold = "))]
    text, project.text = project.text, "\n".join(lines)
    try:
        run = project.run(table__path='"/no/table"', table__generator='"grouping:make"')
    finally:
        project.text = text
    sample = draw_sample(run, 5)
    assert (sample.rows.num_rows, sample.num_files) == (5, 0)
