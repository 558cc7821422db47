import itertools
import random
import time

import pytest
from pyspark.sql import functions as F

from dp_spark.labeling.column_lfs import column_lf, vote_column
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.pattern_lfs import keyword_lf
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.report.trial import MAX_TRIAL_ROWS, try_lfs

TEXTS = ["free coins", "nice song", None, "FREE!"]


@pytest.fixture(scope="module")
def comments(spark):
    rows = [(i, TEXTS[i % 4], ["bob", "ann", "eve"][i % 3], [1, -1, None][i % 3], ["z"]) for i in range(40)]
    return spark.createDataFrame(rows, "id long, text string, author string, w int, tags array<string>")


def good_lfs():
    @preprocessor
    def lower(x):
        return (x.text or "").lower()

    @labeling_function(preprocessors=[lower])
    def free(x):
        return "spam" if "free" in x.lower else None

    @batch_labeling_function
    def song(batch):
        return batch["text"].str.contains("song", na=False).map({True: -1, False: 0})

    return [free, song, keyword_lf("words", "text", {"spam": ["free"], "ham": ["nice"]}), vote_column("w")]


def test_votes_stand_beside_the_columns_by_name_and_nothing_is_written(comments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trial = try_lfs(comments.limit(20), good_lfs(), class_names=["ham", "spam"])
    assert list(trial.rows.columns) == [
        "id",
        "text",
        "author",
        "w",
        "tags",
        "free",
        "song",
        "words",
        "w (vote)",
    ]
    by_id = trial.rows.set_index("id")
    assert by_id.loc[0, ["free", "song", "words", "w (vote)"]].tolist() == ["spam", "", "spam", "spam"]
    assert by_id.loc[1, ["free", "song", "words", "w (vote)"]].tolist() == ["", "ham", "ham", "ham"]
    assert [trial.failed, trial.changing, trial.problems] == [{}, {}, {}]
    assert [run.name for run in trial.runs] == ["free", "song", "words", "w", "lower"]
    assert [row.coverage for row in trial.summary.rows] == [10 / 20, 5 / 20, 15 / 20, 14 / 20]
    assert list(tmp_path.iterdir()) == []
    assert "<table" in trial._repr_html_()


def test_errors_and_illegal_votes_are_shown_with_their_messages_and_stop_nothing(comments):
    @labeling_function
    def breaks(x):
        return 1 if "free" in x.text else -1

    @labeling_function
    def seven(x):
        return 7 if x.id == 3 else 1

    lfs = [
        breaks,
        seven,
        column_lf("divides", "CASE WHEN 1 / (id - id) > 0 THEN 1 END"),
        column_lf("eight", "8"),
    ]
    trial = try_lfs(comments, lfs, check_determinism=False)
    runs = {run.name: run for run in trial.runs}
    assert [runs["breaks"].num_errors, runs["breaks"].votes] == [10, {"-1": 20, "1": 10}]
    assert "argument of type 'NoneType' is not iterable" in runs["breaks"].samples[0].message
    assert [runs["seven"].num_errors, runs["seven"].votes["1"]] == [1, 39]
    assert "row {'trial_row': 3}: IllegalVoteError: returned 7: expected one of (-1, 1), or 0 or None" in str(
        trial
    )
    assert set(trial.problems) == {"breaks", "seven", "divides", "eight"}
    assert "DIVIDE_BY_ZERO" in trial.failed["divides"]
    assert "returned 8 for the row" in trial.failed["eight"]
    assert trial.rows["breaks"].tolist().count(1) == 10


@pytest.mark.parametrize("derived", [[], ["lower"]])
def test_a_column_that_data_points_lack_is_named_with_those_that_they_have(comments, derived):
    @preprocessor(columns=["text"])
    def lower(x):
        return (x.text or "").lower()

    prepared = {"preprocessors": [lower]} if derived else {}

    @labeling_function(columns=["id"], **prepared)
    def reads_more(x):
        return 1 if x.author == "bob" else None

    trial = try_lfs(comments.limit(2), [reads_more], check_determinism=False)
    (run,) = trial.runs[:1]
    has = "['id', 'text'] and the preprocessors ['lower']" if derived else "['id']"
    assert run.samples[0].message.startswith(f"a data point has no column 'author'; it has {has}. If the")
    assert run.samples[0].line.endswith('return 1 if x.author == "bob" else None')


def test_what_depends_on_chance_order_state_hash_seed_or_other_functions_is_found(comments):
    counter, seen = itertools.count(), set()

    @labeling_function
    def by_chance(x):
        return random.choice([1, -1])  # noqa: S311

    @labeling_function
    def by_order(x):
        return 1 if next(counter) % 7 else None

    @labeling_function
    def by_state(x):
        seen.add(x.author)
        return 1 if len(seen) == 3 else None

    @labeling_function
    def by_hash(x):
        return 1 if hash(x.author) % 2 else -1

    @batch_labeling_function
    def by_batch(batch):
        return [1 if len(batch) > 20 else -1] * len(batch)

    @labeling_function
    def changes_the_row(x):
        x.tags.append("a")

    @labeling_function
    def reads_the_row(x):
        return 1 if len(x.tags) > 1 else -1

    random_column = column_lf("random_column", F.when(F.rand() > 0.5, 1).otherwise(-1))
    bad = [by_chance, by_order, by_state, by_hash, by_batch, changes_the_row, reads_the_row, random_column]
    trial = try_lfs(comments, [*good_lfs(), *bad], class_names=["ham", "spam"])
    assert set(trial.changing) == {lf.name for lf in bad} - {"changes_the_row"}
    assert "by_hash is not deterministic: it voted otherwise on" in str(trial)


def test_a_function_that_hangs_is_given_up_after_one_row_and_the_others_vote(comments):
    @labeling_function(timeout_seconds=1)
    def hangs(x):
        time.sleep(60)

    started = time.monotonic()
    trial = try_lfs(comments.limit(5), [vote_column("w"), hangs])
    assert "'hangs' took longer than 1 seconds on the row {'trial_row': 0}" in trial.failed["hangs"]
    assert trial.summary.rows[0].coverage == 4 / 5
    assert trial.changing == {}
    assert time.monotonic() - started < 30


def test_the_hash_seed_of_later_runs_is_not_changed(comments, spark):
    before = dict(spark.sparkContext.environment)
    try_lfs(comments.limit(3), good_lfs()[1:2])
    assert spark.sparkContext.environment == before


def test_no_rows_and_too_many_rows_are_refused_with_what_to_do(spark):
    with pytest.raises(ValueError, match=r"try_lfs got no rows: expected 1 to 10,000. Pass some"):
        try_lfs(spark.range(0), [vote_column("id")])
    with pytest.raises(ValueError, match=r"try_lfs got 10001 rows or more.*df.limit\(200\)"):
        try_lfs(spark.range(MAX_TRIAL_ROWS + 5), [vote_column("id")])
