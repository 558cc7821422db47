"""What the label model expects of agreements, and which it does not explain."""

import numpy as np
import pytest
from report.run_facts import votes_and_gold

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.fit import fit_label_model
from dp_spark.label_model.model import LabelModel
from dp_spark.report.agreements import agreement_of, expected_agreement


def test_two_accuracies_agree_where_both_are_right_or_both_wrong():
    counts = VoteCounts.from_votes(np.array([[1, 1], [-1, -1]], dtype=np.int8))
    model = LabelModel(
        "one_coin", counts.lf_names, (), 2, np.array([0.9, 0.8]), np.zeros(2), np.array([0.5, 0.5])
    )
    assert expected_agreement(counts, model)[0, 1] == pytest.approx(0.9 * 0.8 + 0.1 * 0.2)


def test_of_more_classes_wrong_votes_meet_less_often():
    counts = VoteCounts.from_votes(np.array([[1, 1], [2, 3]], dtype=np.int8), 3)
    model = LabelModel(
        "one_coin", counts.lf_names, (), 3, np.array([0.9, 0.8]), np.zeros(2), np.full(3, 1 / 3)
    )
    assert expected_agreement(counts, model)[0, 1] == pytest.approx(0.9 * 0.8 + 0.1 * 0.2 / 2)


def test_confusion_matrices_expect_what_they_say():
    votes, _ = votes_and_gold([0.9, 0.7, 0.8], [1.0, 1.0, 1.0], 4000)
    counts = VoteCounts.from_votes(votes)
    model = fit_label_model(counts, "dawid_skene")
    assert model.log_likelihoods is not None
    found = counts.agreements / counts.overlaps
    assert np.abs(expected_agreement(counts, model) - found)[np.triu_indices(3, 1)].max() < 0.02


def test_independent_labeling_functions_are_explained():
    votes, _ = votes_and_gold([0.9, 0.85, 0.8, 0.75, 0.7, 0.65], [0.5] * 6, 5000)
    counts = VoteCounts.from_votes(votes)
    found = agreement_of(counts, fit_label_model(counts, "empirical_bayes"))
    assert found.num_checked == 15
    assert found.num_beyond_chance == 0
    assert found.misfit < 2
    assert (found.num_groups, found.num_alone) == (1, 0)


def test_a_copy_is_named_as_the_pair_that_is_explained_worst():
    votes, _ = votes_and_gold([0.9, 0.85, 0.8, 0.75, 0.7, 0.65], [0.5] * 6, 5000)
    noise = np.random.default_rng(1).random(len(votes)) < 0.1
    votes[:, 5] = np.where(noise, votes[:, 5], votes[:, 4])
    counts = VoteCounts.from_votes(votes, lf_names=list("abcdef"))
    model = fit_label_model(counts, "empirical_bayes", dependencies=[["e", "f"]])
    found = agreement_of(counts, model)
    worst = found.unexplained[0]
    assert {worst.first, worst.second} == {"e", "f"}
    assert worst.is_dependent
    assert worst.is_unexplained
    assert worst.score > 10
    assert found.num_beyond_chance >= 1
    assert found.dependent_lfs == (("e", "f"),)


def test_one_sided_pairs_always_agree_and_are_not_checked():
    votes = np.array([[1, 1], [1, 0], [0, 1], [1, 1]], dtype=np.int8)
    counts = VoteCounts.from_votes(votes)
    found = agreement_of(counts, fit_label_model(counts))
    assert found.num_checked == 0
    assert found.misfit is None
    assert found.overlaps[0].num_overlaps == 2


def test_before_a_fit_there_are_overlaps_alone():
    votes = np.array([[1, 1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 0]], dtype=np.int8)
    found = agreement_of(VoteCounts.from_votes(votes, lf_names=list("abcd")), None)
    assert [(p.first, p.second, p.num_overlaps, p.agreement) for p in found.overlaps] == [
        ("a", "b", 2, 1 / 2)
    ]
    assert (found.num_groups, found.num_alone) == (1, 1)  # c meets nobody, d never votes
    assert found.unexplained == ()
