import numpy as np
import pytest
from label_matrices import crowd, two_sided

from dp_spark import LabelModel, VoteCounts
from dp_spark.label_model.leave_one_out import best_discount, hidden_votes, log_likelihoods
from dp_spark.label_model.model import log_odds_weights


def model_of(accuracies, k=2):
    p = np.array(accuracies)
    names = tuple(f"lf_{i}" for i in range(len(p)))
    return LabelModel("one_coin", names, (), k, p, log_odds_weights(p, k), np.full(k, 1 / k))


def hidden_of(votes, k=2):
    return hidden_votes(VoteCounts.from_votes(np.array(votes, dtype=np.int8), num_classes=k))


def dependent_of(m, *pairs):
    mask = np.zeros((m, m), dtype=bool)
    for i, j in pairs:
        mask[i, j] = mask[j, i] = True
    return mask


VOTES = [[1, -1, 1], [1, 1, 0], [-1, 0, -1]]


def test_a_hidden_vote_is_predicted_from_the_others():
    hidden, model = hidden_of(VOTES), model_of([0.9, 0.8, 0.6])
    found = log_likelihoods(hidden, model, dependent_of(3))
    for position in range(len(found)):
        row, lf = hidden.votes[hidden.pattern[position]].copy(), hidden.lf[position]
        own = int(row[lf] == 1)
        row[lf] = 0
        right = model.predict_proba(row[None])[0, own]
        p = model.accuracies[lf]
        assert found[position] == pytest.approx(np.log(right * p + (1 - right) * (1 - p)), abs=1e-12)
    assert len(found) == 7


def test_k_classes_share_the_wrong_votes_evenly():
    hidden, model = hidden_of([[1, 3], [2, 1], [3, 3]], k=3), model_of([0.8, 0.7], k=3)
    found = log_likelihoods(hidden, model, dependent_of(2))
    of_first = found[(hidden.lf == 0) & (hidden.own == 0)][0]  # votes 1 where the other votes 3
    assert of_first == pytest.approx(np.log(0.15 * 0.8 + 0.85 * 0.1))


def test_a_dependent_vote_is_hidden_too():
    hidden, model = hidden_of(VOTES), model_of([0.9, 0.8, 0.6])
    found = log_likelihoods(hidden, model, dependent_of(3, (0, 2)))
    alone = (hidden.lf == 0) & (hidden.votes[hidden.pattern][:, 1] == 0)  # only the dependent LF is beside it
    assert found[alone].tolist() == pytest.approx([np.log(0.5)])


def test_votes_that_say_nothing_are_not_predicted():
    assert len(hidden_of([[1, 1], [1, -1], [0, 1]]).lf) == 2  # the first LF is one-sided, the last vote alone


def test_independent_lfs_are_not_discounted_and_those_that_err_together_are():
    votes, _ = two_sided(0, accuracies=[0.9, 0.8, 0.7, 0.65, 0.6], coverages=0.8)
    model = model_of([0.9, 0.8, 0.7, 0.65, 0.6])
    assert best_discount(hidden_of(votes), model, dependent_of(5)) >= 0.9
    hard, _ = crowd(0, num_workers=20, votes_per_row=15, difficulty=0.5)
    assert best_discount(hidden_of(hard), model_of([0.75] * 20), dependent_of(20)) < 0.7


def test_without_hidden_votes_nothing_is_discounted():
    assert best_discount(hidden_of([[1, 0], [0, -1]]), model_of([0.7, 0.7]), dependent_of(2)) == 1.0


def test_blocks_of_votes_are_predicted_as_all_at_once(monkeypatch):
    votes, _ = two_sided(0, n=300, coverages=0.8)
    hidden, model, nothing = hidden_of(votes), model_of([0.9, 0.8, 0.7, 0.65, 0.6]), dependent_of(5)
    found, discount = log_likelihoods(hidden, model, nothing), best_discount(hidden, model, nothing)
    monkeypatch.setattr("dp_spark.label_model.leave_one_out.VOTES_PER_BLOCK", 7)
    assert log_likelihoods(hidden, model, nothing).tolist() == found.tolist()
    assert best_discount(hidden, model, nothing) == discount
