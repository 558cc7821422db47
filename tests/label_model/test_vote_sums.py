import numpy as np
import pytest

from dp_spark.label_model import vote_sums
from dp_spark.label_model.vote_sums import BlockedVotes, ListedVotes, summable
from dp_spark.labeling.votes import classes_of

VOTES = np.array([[1, 0, 3], [0, 0, 0], [2, 2, 0]], dtype=np.int8)  # three patterns, three LFs, three classes
EXPECTED_TYPES = [(0.05, ListedVotes), (0.5, BlockedVotes)]


def listed(votes, k, monkeypatch):
    monkeypatch.setattr(vote_sums, "MAX_LISTED_SHARE", 1.0)
    return summable(votes, k)


def test_sums_over_lfs_and_patterns_by_hand(monkeypatch):
    terms = np.arange(27.0).reshape(3, 3, 3)  # [lf, vote, class]: 9 lf + 3 vote + class
    weights = np.array([[1.0, 0.0, 0.0], [5.0, 5.0, 5.0], [0.0, 2.0, 0.5]])
    for votes in (listed(VOTES, 3, monkeypatch), BlockedVotes(VOTES, (1, 2, 3))):
        # λ = (1, 0, 3): 0 + 24, ...; λ = (2, 2, 0): 3 + 12, ...
        assert votes.over_lfs(terms).tolist() == [[24, 26, 28], [0, 0, 0], [15, 17, 19]]
        sums = votes.over_patterns(weights)
        assert sums[0].tolist() == [[1, 0, 0], [0, 2, 0.5], [0, 0, 0]]
        assert sums[1].tolist() == [[0, 0, 0], [0, 2, 0.5], [0, 0, 0]]
        assert sums[2].tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize(("share", "expected"), EXPECTED_TYPES)
def test_few_votes_are_listed_and_many_are_not(share, expected):
    votes = (np.random.default_rng(0).random((200, 10)) < share).astype(np.int8)
    assert isinstance(summable(votes, 2), expected)


@pytest.mark.parametrize("k", [2, 5])
def test_lists_and_blocks_have_the_same_sums(k, monkeypatch):
    random = np.random.default_rng(0)
    votes = random.choice(np.array([0, *classes_of(k)], dtype=np.int8), (500, 7))
    monkeypatch.setattr(vote_sums, "BLOCK_CELLS", 7 * 64)  # eight blocks, the last one smaller
    blocks, all_listed = BlockedVotes(votes, classes_of(k)), listed(votes, k, monkeypatch)
    terms, weights = random.normal(size=(7, k, k)), random.random((500, k))
    assert blocks.over_lfs(terms) == pytest.approx(all_listed.over_lfs(terms))
    assert blocks.over_patterns(weights) == pytest.approx(all_listed.over_patterns(weights))


def test_sums_over_no_votes_are_zero_and_no_integers():
    none = summable(np.zeros((3, 2), dtype=np.int8), 2)
    for sums in (none.over_lfs(np.ones((2, 2, 2))), none.over_patterns(np.ones((3, 2)))):
        assert sums.dtype == np.float64
        assert not sums.any()
