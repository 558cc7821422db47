from dataclasses import replace

import numpy as np
import pytest
from reference import random_votes

from dp_spark import VoteCounts
from dp_spark.counting.halves import halves


@pytest.mark.parametrize("k", [2, 4])
def test_the_halves_add_up_to_the_whole(k):
    counts = VoteCounts.from_votes(random_votes(1001, 4, k), num_classes=k)
    first, second = halves(counts)
    assert (first + second).to_bytes() == counts.to_bytes()
    assert abs(first.num_data_points - second.num_data_points) <= 1


def test_a_half_is_counted_as_its_rows_would_be():
    votes = np.array([[1, -1, 0], [1, 1, 0], [0, 1, 1]], dtype=np.int8)
    counts = VoteCounts.from_votes(np.repeat(votes, 2, axis=0))
    assert all(half.to_bytes() == VoteCounts.from_votes(votes).to_bytes() for half in halves(counts))


def test_halves_of_sampled_patterns_are_complete_in_themselves(monkeypatch):
    monkeypatch.setattr("dp_spark.counting.patterns.MAX_PATTERNS", 50)
    counts = VoteCounts.from_votes(random_votes(2000, 6))
    assert counts.patterns.log2_rate > 0
    for half in halves(counts):
        repeated = np.repeat(half.patterns.votes, half.patterns.counts, axis=0)
        assert half.to_bytes() == VoteCounts.from_votes(repeated).to_bytes()


def test_no_cluster_is_in_both_halves():
    votes = np.repeat(random_votes(300, 4), 5, axis=0)
    counts = VoteCounts.from_votes(votes, clusters=np.repeat(np.arange(300), 5))
    first, second = halves(counts)
    assert (first + second).to_bytes() == counts.to_bytes()
    assert not (first.patterns.block_counts.any(axis=0) & second.patterns.block_counts.any(axis=0)).any()
    assert (first.patterns.counts % 5 == 0).all()


def test_counts_beyond_single_precision_are_exact():
    votes = np.array([[1, -1, 0], [1, 1, 0]], dtype=np.int8)
    counts, times = VoteCounts.from_votes(votes), np.array([2**25 + 2, 2**40 + 6])
    assert counts.patterns.votes.tolist() == [[1, 1, 0], [1, -1, 0]]
    many = replace(
        counts, joint=counts.joint * 0, patterns=replace(counts.patterns, counts=times, log2_rate=1)
    )
    for half in halves(many):
        assert half.num_votes.tolist() == [2**24 + 2**39 + 4, 2**24 + 2**39 + 4, 0]
        assert half.agreements[0, 1] == 2**24 + 1
        assert half.num_overlaps.tolist() == half.num_votes.tolist()
