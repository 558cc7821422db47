from types import SimpleNamespace

import pytest

from dp_spark.examples import kinds
from dp_spark.labeling.votes import NEGATIVE, POSITIVE


def vote(lf, text="la la", author="bob", worker_1=None):
    return lf(SimpleNamespace(text=text, author=author, worker_1=worker_1))


def test_pattern_votes_where_it_matches():
    assert vote(kinds.pattern, text="HTTP://a.example") == POSITIVE
    assert vote(kinds.pattern, text="no link") is None


def test_distant_supervision_votes_on_members_of_the_set():
    assert vote(kinds.distant_supervision, author="The Lanterns") == NEGATIVE
    assert vote(kinds.distant_supervision, author="bob") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Subscribe!", POSITIVE),
        ("my channel", POSITIVE),
        ("love this song", NEGATIVE),
        ("my my my", None),  # a word counts once: odds 2, below 3
        ("subscribe for love of a song", None),  # odds 20 / 5 / 4
        ("", None),
    ],
)
def test_weak_classifier_votes_where_it_is_confident(text, expected):
    assert vote(kinds.weak_classifier, text=text) == expected


def test_weak_classifier_is_loaded_once():
    first = kinds.weak_classifier.loaded_resources()["classifier"]
    assert kinds.weak_classifier.loaded_resources()["classifier"] is first


@pytest.mark.parametrize("answer", [NEGATIVE, POSITIVE, None])
def test_crowd_worker_casts_the_vote_in_the_table(answer):
    assert vote(kinds.crowd_worker, worker_1=answer) == answer


def test_each_labeling_function_reads_the_columns_of_its_kind():
    assert [lf.columns for lf in kinds.LFS] == [("text",), ("author",), ("text",), ("worker_1",)]
