import numpy as np
import pytest
from label_matrices import one_sided, two_sided

from dp_spark import VoteCounts, fit_label_model


def counts_of(votes):
    return VoteCounts.from_votes(votes)


def test_a_prior_accuracy_stands_where_the_votes_say_nothing():
    counts = counts_of(one_sided(0, m=4)[0])
    model = fit_label_model(counts, prior_accuracies={"lf_1": 0.93})
    assert model.accuracies[1] == 0.93
    assert model.accuracies[0] == fit_label_model(counts).accuracies[0]


def test_estimates_are_drawn_to_a_prior_accuracy_the_more_the_fewer_votes_there_are():
    few, many = (counts_of(two_sided(0, n)[0]) for n in (150, 20_000))
    moves = [
        fit_label_model(c, "empirical_bayes", prior_accuracies={"lf_4": 0.9}).accuracies[4]
        - fit_label_model(c, "empirical_bayes").accuracies[4]
        for c in (few, many)
    ]
    assert moves[0] > 0.02
    assert abs(moves[1]) < 0.01


@pytest.mark.parametrize("model", ["auto", "empirical_bayes", "one_coin"])
def test_declared_copies_share_the_weight_of_their_votes(model):
    votes, _ = two_sided(0, 10_000)
    doubled = counts_of(np.concatenate([votes, votes[:, :1]], axis=1))
    alone = fit_label_model(counts_of(votes), model)
    both = fit_label_model(doubled, model, dependencies=[["lf_0", "lf_5"]])
    assert both.weights[0] == both.weights[5] == pytest.approx(alone.weights[0] / 2, rel=0.1)
    assert not any("cast the same votes" in warning for warning in both.warnings)


@pytest.mark.parametrize("group", [["lf_0"], ["lf_0", "lf_9"], "lf_0"])
def test_a_declared_group_has_to_hold_lfs_that_are_there(group):
    with pytest.raises(ValueError, match="expected two or more different names out of"):
        fit_label_model(counts_of(two_sided(0)[0]), dependencies=[group])


@pytest.mark.parametrize("given", [{"lf_9": 0.8}, {"lf_0": 1.0}, {"lf_0": "high"}])
def test_a_prior_accuracy_that_is_none_is_refused(given):
    with pytest.raises(ValueError, match=r"prior_accuracies has .*: expected accuracies inside \(0, 1\)"):
        fit_label_model(counts_of(two_sided(0)[0]), prior_accuracies=given)


def test_declared_copies_count_once_where_nothing_is_fitted_too():
    counts = counts_of(one_sided(0, m=5)[0])
    alone = fit_label_model(counts)
    declared = fit_label_model(counts, dependencies=[["lf_0", "lf_2"]])
    assert declared.model == alone.model == "specific_vote"
    assert declared.weights[0] < alone.weights[0]
    assert declared.weights[1] == alone.weights[1]


def test_copies_that_are_warned_of_count_once_where_nothing_is_fitted():
    votes, _ = two_sided(0, 5000, [0.9, 0.7])
    model = fit_label_model(counts_of(votes[:, [0, 1, 1]]))
    assert "count as one labeling function together" in model.warnings[-1]
    assert model.weights[1] == model.weights[2] == pytest.approx(model.weights[0] / 2)


def test_an_argument_that_a_model_does_not_use_is_refused():
    counts = counts_of(two_sided(0)[0])
    with pytest.raises(ValueError, match="model='one_coin' does not use prior_accuracies"):
        fit_label_model(counts, "one_coin", prior_accuracies={"lf_0": 0.8})
    with pytest.raises(ValueError, match="model='dawid_skene' does not use dependencies"):
        fit_label_model(counts, "dawid_skene", dependencies=[["lf_0", "lf_1"]])
