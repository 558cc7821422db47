import io
import json
from itertools import permutations

import numpy as np
import pytest
from reference import random_votes

from dp_spark import VoteCounts
from dp_spark.counting import patterns
from dp_spark.counting.indicators import BLOCK_ROWS
from dp_spark.counting.vote_counts import empty_counts

#                 LF a  b   c
VOTES = np.array([[1, 1, 0], [1, -1, 0], [-1, -1, 0], [0, 1, 1], [0, 0, 0]], dtype=np.int8)


def test_joint_counts_say_how_often_one_lf_votes_a_while_another_votes_b():
    counts = VoteCounts.from_votes(VOTES, lf_names=["a", "b", "c"])
    negative, positive = 0, 1
    assert counts.joint[0, positive, 1, negative] == 1
    assert counts.joint[0, positive, 1, positive] == 1
    assert counts.joint[1, positive, 2, positive] == 1
    assert counts.num_data_points == 5


def test_overlaps_and_gram_are_the_tutorials_matrices():
    counts = VoteCounts.from_votes(VOTES)
    L = VOTES.astype(int)
    assert counts.overlaps.tolist() == (abs(L).T @ abs(L)).tolist() == [[3, 3, 0], [3, 4, 1], [0, 1, 1]]
    assert counts.gram.tolist() == (L.T @ L).tolist() == [[3, 1, 0], [1, 4, 1], [0, 1, 1]]
    assert counts.overlaps.dtype == counts.gram.dtype == np.int64


def test_views_are_of_their_own_counts_and_cannot_be_changed():
    counts = VoteCounts.from_votes(VOTES)
    before = [counts.overlaps, counts.agreements, counts.votes_per_class, counts.num_votes]
    assert (counts + counts).overlaps.tolist() == (2 * counts.overlaps).tolist()
    assert (counts + counts).num_votes.tolist() == (2 * counts.num_votes).tolist()
    for view in before:
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0


def test_coverage_and_votes_per_class_are_those_of_the_columns():
    counts = VoteCounts.from_votes(VOTES)
    assert counts.coverage.tolist() == [3 / 5, 4 / 5, 1 / 5]
    assert counts.votes_per_class.tolist() == [[1, 2], [2, 2], [0, 1]]


def test_counts_of_k_classes_have_one_row_per_class():
    counts = VoteCounts.from_votes(np.array([[3, 3], [1, 3], [2, 0]], dtype=np.int8), num_classes=3)
    assert counts.votes_per_class.tolist() == [[1, 1, 1], [0, 0, 2]]
    assert counts.agreements[0, 1] == 1
    assert counts.joint[0, 0, 1, 2] == 1


def test_an_lf_overlaps_where_another_one_votes_too():
    counts = VoteCounts.from_votes(VOTES)
    assert counts.num_overlaps.tolist() == [3, 4, 1]
    assert counts.num_overlaps.dtype == np.int64


def test_an_lf_that_votes_alone_overlaps_with_none():
    assert VoteCounts.from_votes(np.array([[1, 0], [0, -1]], dtype=np.int8)).num_overlaps.tolist() == [0, 0]


def test_a_conflict_is_one_of_every_lf_that_votes_on_the_data_point():
    votes = np.array([[1, 1, -1, 0], [1, 1, 0, 0], [0, 0, -1, -1]], dtype=np.int8)
    counts = VoteCounts.from_votes(votes)
    assert counts.num_conflicts.tolist() == [1, 1, 1, 0]
    assert counts.num_conflicts.dtype == np.int64


@pytest.mark.parametrize(
    ("row", "has_conflict"),
    [
        ((1, 3, 0), True),
        ((2, 2, 2), False),
        ((1, 2, 3), True),
        ((127, 127, 1), True),
        ((127, 127, 127), False),
    ],
)
def test_votes_of_k_classes_conflict_unless_all_are_equal(row, has_conflict):
    counts = VoteCounts.from_votes(np.array([row], dtype=np.int8), num_classes=127)
    assert counts.num_conflicts.tolist() == [int(has_conflict and vote != 0) for vote in row]


@pytest.mark.parametrize("k", [2, 4])
def test_overlaps_and_conflicts_are_those_of_a_row_by_row_count(k):
    votes = random_votes(300, 6, k)
    overlaps, conflicts = [0] * 6, [0] * 6
    for row in votes.tolist():
        cast = {i: vote for i, vote in enumerate(row) if vote}
        for i in cast:
            overlaps[i] += any(j != i for j in cast)
            conflicts[i] += len(set(cast.values())) > 1
    counts = VoteCounts.from_votes(votes, k)
    assert counts.num_overlaps.tolist() == overlaps
    assert counts.num_conflicts.tolist() == conflicts
    assert 0 < sum(conflicts) < sum(overlaps)


def test_patterns_are_the_distinct_vote_vectors_with_their_frequency():
    counts = VoteCounts.from_votes(np.concatenate([VOTES, VOTES[:2]]))
    found = {
        tuple(v.tolist()): int(c) for v, c in zip(counts.patterns.votes, counts.patterns.counts, strict=True)
    }
    assert found == {(1, 1, 0): 2, (1, -1, 0): 2, (-1, -1, 0): 1, (0, 1, 1): 1, (0, 0, 0): 1}
    assert counts.patterns.sample_rate == 1.0


def test_counts_of_parts_add_up_in_any_order():
    votes = random_votes(60, 4)
    whole = VoteCounts.from_votes(votes).to_bytes()
    parts = [VoteCounts.from_votes(part) for part in (votes[:10], votes[10:11], votes[11:])]
    for order in permutations(parts):
        assert (order[0] + (order[1] + order[2])).to_bytes() == whole
        assert ((order[0] + order[1]) + order[2]).to_bytes() == whole


def test_empty_counts_are_neutral():
    counts = VoteCounts.from_votes(VOTES)
    nothing = empty_counts(counts.lf_names, (), 2)
    assert (counts + nothing).to_bytes() == (nothing + counts).to_bytes() == counts.to_bytes()


def test_counts_are_exact_over_more_rows_than_a_block():
    votes = np.ones((2 * BLOCK_ROWS + 3, 2), dtype=np.int8)
    assert VoteCounts.from_votes(votes).gram.tolist() == [[2 * BLOCK_ROWS + 3] * 2] * 2


def test_too_many_patterns_are_sampled_the_same_way_whatever_the_order(monkeypatch):
    monkeypatch.setattr(patterns, "MAX_PATTERNS", 100)
    votes = random_votes(3000, 12)
    whole = VoteCounts.from_votes(votes)
    assert 0 < len(whole.patterns.counts) <= 100
    assert whole.patterns.sample_rate < 1
    parts = [VoteCounts.from_votes(part) for part in np.array_split(votes, 7)]
    for order in (parts, parts[::-1], parts[3:] + parts[:3]):
        total = order[0]
        for part in order[1:]:
            total = total + part
        assert total.to_bytes() == whole.to_bytes()
    exact = {tuple(v.tolist()): 0 for v in whole.patterns.votes}
    for row in map(tuple, votes.tolist()):
        if row in exact:
            exact[row] += 1
    assert list(exact.values()) == whole.patterns.counts.tolist()


def test_patterns_whose_hashes_collide_are_told_apart(monkeypatch):
    monkeypatch.setattr(patterns, "pattern_hashes", lambda votes: np.zeros(len(votes), dtype=np.uint64))
    assert len(VoteCounts.from_votes(VOTES).patterns.counts) == 5


def test_counts_come_back_from_bytes_bit_identical():
    counts = VoteCounts.from_votes(random_votes(50, 3, k=4), num_classes=4, lf_hashes=["x", "y", "z"])
    assert VoteCounts.from_bytes(counts.to_bytes()).to_bytes() == counts.to_bytes()


def rewritten(counts, version, leave_out=()):
    """The bytes of vote counts as another version of the format has them."""
    with np.load(io.BytesIO(counts.to_bytes())) as arrays:
        header = json.loads(arrays["header"].tobytes()) | {"version": version}
        kept = {name: arrays[name] for name in arrays if name not in {"header", *leave_out}}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **kept)
    return buffer.getvalue()


def as_version_1(counts):
    return rewritten(counts, 1, leave_out=["num_overlaps", "num_conflicts"])


def test_counts_of_version_1_get_overlaps_and_conflicts_from_their_patterns():
    counts = VoteCounts.from_votes(random_votes(500, 4, k=3), num_classes=3)
    again = VoteCounts.from_bytes(as_version_1(counts))
    assert again.to_bytes() == counts.to_bytes()
    assert again.num_overlaps.dtype == again.num_conflicts.dtype == np.int64


def test_counts_of_version_1_with_a_sample_of_patterns_are_refused(monkeypatch):
    monkeypatch.setattr(patterns, "MAX_PATTERNS", 100)
    counts = VoteCounts.from_votes(random_votes(3000, 12))
    with pytest.raises(ValueError, match=r"version 1 and a sample of the patterns.*Count the votes again"):
        VoteCounts.from_bytes(as_version_1(counts))


def test_counts_of_a_newer_version_are_refused():
    with pytest.raises(ValueError, match="format version 9: this dp_spark reads up to 3"):
        VoteCounts.from_bytes(rewritten(VoteCounts.from_votes(VOTES), 9))


@pytest.mark.parametrize(
    ("votes", "num_classes", "message"),
    [
        (np.array([[1, 2]], dtype=np.int8), 2, r"votes\[0, 1\] is 2: expected one of \(0, -1, 1\)"),
        (np.array([[0, -1]], dtype=np.int8), 3, r"votes\[0, 1\] is -1: expected one of \(0, 1, 2, 3\)"),
        (np.array([1, 1], dtype=np.int8), 2, r"shape \(2,\).*expected an \(n, m\) integer array"),
        (np.array([[1.0, np.nan]]), 2, "dtype float64: expected an"),
        (np.array([[1]], dtype=np.int8), 1, "num_classes is 1: expected 2 to 127"),
    ],
)
def test_illegal_votes_are_refused(votes, num_classes, message):
    with pytest.raises(ValueError, match=message):
        VoteCounts.from_votes(votes, num_classes=num_classes)


def test_counts_of_different_lfs_cannot_be_added():
    one = VoteCounts.from_votes(VOTES, lf_names=["a", "b", "c"])
    with pytest.raises(ValueError, match="vote counts of different labeling functions cannot be added"):
        one + VoteCounts.from_votes(VOTES, lf_names=["a", "b", "x"])


def test_names_that_do_not_match_the_votes_are_refused():
    with pytest.raises(ValueError, match="3 columns and 2 LF names"):
        VoteCounts.from_votes(VOTES, lf_names=["a", "b"])
    with pytest.raises(ValueError, match="different names"):
        VoteCounts.from_votes(VOTES, lf_names=["a", "b", "b"])


def test_joint_counts_that_would_not_fit_are_refused():
    with pytest.raises(ValueError, match="9000 LFs times 2 classes are 18000"):
        VoteCounts.from_votes(np.zeros((1, 9000), dtype=np.int8))


def test_patterns_of_clusters_are_counted_by_block():
    votes = random_votes(500, 4)
    counts = VoteCounts.from_votes(votes, clusters=np.arange(500) // 5)
    plain = VoteCounts.from_votes(votes)
    assert np.array_equal(counts.patterns.votes, plain.patterns.votes)
    assert np.array_equal(counts.patterns.block_counts.sum(axis=1), plain.patterns.counts)
    assert (counts.patterns.block_counts.sum(axis=0) % 5 == 0).all()  # no cluster is in two blocks
    assert VoteCounts.from_bytes(counts.to_bytes()).to_bytes() == counts.to_bytes()


def test_counts_with_clusters_add_up_in_any_order_and_not_with_others():
    votes, clusters = random_votes(500, 4), np.arange(500) // 5
    whole = VoteCounts.from_votes(votes, clusters=clusters)
    parts = [VoteCounts.from_votes(votes[i::3], clusters=clusters[i::3]) for i in range(3)]
    assert (parts[2] + parts[0] + parts[1]).to_bytes() == whole.to_bytes()
    with pytest.raises(ValueError, match="with clusters and without cannot be added"):
        parts[0] + VoteCounts.from_votes(votes)


@pytest.mark.parametrize("clusters", [np.arange(4), np.full(5, 0.5), ["a"] * 5])
def test_clusters_that_are_not_one_integer_per_row_are_refused(clusters):
    with pytest.raises(
        ValueError, match="clusters has shape .*: expected one integer for each of 5 data points"
    ):
        VoteCounts.from_votes(random_votes(5, 3), clusters=clusters)
