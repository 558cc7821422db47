import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from voting import votes_of

from dp_spark import apply_lfs
from dp_spark.examples import kinds
from dp_spark.labeling.votes import NEGATIVE, POSITIVE


def vote(lf, text="la la", author="bob", moderator=None):
    return lf(SimpleNamespace(text=text, author=author, moderator=moderator))


@pytest.mark.parametrize(
    ("lf", "text", "expected"),
    [
        (kinds.repeats_itself, "My my MY my", POSITIVE),
        (kinds.repeats_itself, "my song", None),
        (kinds.repeats_itself, "", None),
        (kinds.has_link, "HTTP://a.example", POSITIVE),
        (kinds.has_link, "awww.", None),
        (kinds.topic, "Subscribe to my channel!", POSITIVE),
        (kinds.topic, "this song", NEGATIVE),
        (kinds.topic, "subscribe to this song", None),
        (kinds.topic, "songs", None),
    ],
)
def test_a_text_is_voted_on_without_spark(lf, text, expected):
    assert vote(lf, text=text) == expected


def test_the_author_and_the_moderator_are_looked_at():
    assert vote(kinds.trusted, author="the lanterns") == NEGATIVE
    assert vote(kinds.trusted, author="bob") is None
    assert [vote(kinds.moderator, moderator=v) for v in (NEGATIVE, POSITIVE, None)] == [-1, 1, None]


def test_a_batch_is_voted_on_at_once():
    assert kinds.shouts(pd.DataFrame({"text": ["WIN 1 000 $", "Win", "1"]})).tolist() == [1, 0, 0]


def test_the_classifier_multiplies_the_odds_of_the_distinct_words():
    spam = kinds.load_word_odds().predict(
        np.array(["Subscribe!", "my my", "love this song", "", "free song"])
    )
    odds = np.array([20, 2, 1 / 20, 1, 6 / 4])
    np.testing.assert_allclose(spam, odds / (1 + odds))


def test_importing_them_needs_no_session():
    code = "import dp_spark.examples.kinds as k, pyspark; print(len(k.LFS), pyspark.SparkContext._active_spark_context)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["9", "None"]


def test_all_kinds_vote_in_one_list(spark):
    rows = [
        (1, "SUBSCRIBE TO MY CHANNEL", "bob", 3, 0.95, None),
        (2, "love this song", "the lanterns", 500, 0.05, -1),
        (3, "free free www.a.example", "eve", 0, None, 1),
        (4, "", None, None, 0.5, None),
    ]
    comments = spark.createDataFrame(
        rows, "id long, text string, author string, num_likes int, spam_score double, moderator int"
    )
    spammers = spark.createDataFrame([("eve",)], "author string")
    crowd = spark.createDataFrame([(1, "ann", 1), (2, "ann", -1)], "id long, worker string, vote int")
    lfs = [*kinds.LFS, *kinds.lfs_of_tables(spammers, crowd)]
    assert {lf.kind for lf in lfs} == {
        "row", "batch", "column", "patterns", "lookup", "model", "existing column", "crowd",
    }  # fmt: skip
    assert votes_of(apply_lfs(comments, lfs, key=["id"])) == {
        # repeats, shouts, popular, link, topic, trusted, classifier, earlier, moderator, spammer, crowd
        1: [0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1],
        2: [0, 0, -1, 0, -1, -1, -1, -1, -1, 0, -1],
        3: [0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0],
        4: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    }
