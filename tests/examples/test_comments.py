import numpy as np
import pytest

from dp_spark.examples.comments import comment, generate_comments, split_of
from dp_spark.examples.spam import LFS


@pytest.fixture(scope="module")
def texts_and_gold():
    texts, gold = zip(*(comment(0, number) for number in range(4000)), strict=True)
    return texts, np.array(gold)


@pytest.fixture(scope="module")
def votes(texts_and_gold, cast_votes):
    return cast_votes(LFS, texts_and_gold[0])


def test_the_same_seed_gives_the_same_comment_and_another_seed_another():
    assert comment(3, 14) == comment(3, 14)
    assert [comment(3, n) for n in range(5)] != [comment(4, n) for n in range(5)]


def test_no_slot_of_a_phrase_is_left_open(texts_and_gold):
    assert not [text for text in texts_and_gold[0] if "{" in text or "}" in text]


def test_both_kinds_are_equally_frequent_and_mostly_distinct(texts_and_gold):
    texts, gold = texts_and_gold
    assert abs(gold.mean()) < 0.05
    assert len(set(texts)) > 0.9 * len(texts)


def test_majority_vote_is_right_more_often_than_not_but_not_always(votes, texts_and_gold, judge):
    majority_vote, _ = judge(votes, texts_and_gold[1])
    assert 0.80 <= majority_vote <= 0.92


def test_no_labeling_function_with_real_coverage_gives_gold_away(votes, texts_and_gold):
    gold = texts_and_gold[1]
    for column in votes.T:
        voted = column != 0
        assert voted.mean() < 0.2 or np.mean(column[voted] == gold[voted]) < 0.97


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_beat_majority_vote(seed, cast_votes, judge):
    texts, gold = zip(*(comment(seed, number) for number in range(4000)), strict=True)
    majority_vote, labels = judge(cast_votes(LFS, texts), np.array(gold))
    assert labels >= majority_vote


def test_splits_have_their_shares():
    splits = [split_of(f"c{number:07d}") for number in range(4000)]
    shares = {name: splits.count(name) / 4000 for name in set(splits)}
    assert shares == pytest.approx({"train": 0.8, "valid": 0.1, "test": 0.1}, abs=0.02)


@pytest.mark.parametrize("num_partitions", [1, 7, 64])
def test_rows_do_not_depend_on_partitioning(spark, num_partitions):
    table = generate_comments(spark, num_comments=50, seed=1, num_partitions=num_partitions)
    expected = [(f"c{n:07d}", split_of(f"c{n:07d}"), *comment(1, n)) for n in range(50)]
    assert table.rdd.getNumPartitions() == num_partitions
    assert sorted(map(tuple, table.collect())) == expected


def test_a_longer_table_begins_with_the_rows_of_a_shorter_one(spark):
    shorter = set(map(tuple, generate_comments(spark, num_comments=5).collect()))
    assert shorter < set(map(tuple, generate_comments(spark, num_comments=8).collect()))


def test_the_table_states_its_schema(spark):
    assert generate_comments(spark).dtypes == [
        ("id", "string"),
        ("split", "string"),
        ("text", "string"),
        ("gold", "tinyint"),
    ]


def test_no_comments_are_refused(spark):
    with pytest.raises(ValueError, match="num_comments is 0: expected at least 1"):
        generate_comments(spark, num_comments=0)
