import numpy as np
import pytest
from chispa import assert_df_equality

from dp_spark.synthetic import SyntheticTask, feature_table, gold_table, uniforms, vote_table

IDS = np.arange(20_000)


@pytest.mark.parametrize("make", [vote_table, feature_table, gold_table])
def test_the_same_seed_gives_the_same_rows_whatever_the_number_of_partitions(spark, make):
    task = SyntheticTask(num_data_points=500, num_lfs=3, num_features=4, seed=1)
    one, seven = make(spark, task, 1), make(spark, task, 7)
    assert seven.count() == 500
    assert_df_equality(one, seven, ignore_row_order=True)


def test_another_seed_gives_other_rows():
    assert (SyntheticTask(seed=0).votes(IDS) != SyntheticTask(seed=1).votes(IDS)).mean() > 0.2


def test_votes_have_the_coverage_and_accuracies_that_were_asked_for():
    task = SyntheticTask(coverage=0.25, positive_share=0.3)
    votes, gold = task.votes(IDS), task.gold(IDS)
    fires = votes != 0
    assert np.abs(fires.mean(axis=0) - 0.25).max() < 0.02
    right = ((votes == gold[:, None]) & fires).sum(axis=0) / fires.sum(axis=0)
    assert np.abs(right - task.lf_accuracies).max() < 0.03
    assert abs((gold == 1).mean() - 0.3) < 0.02


def test_accuracies_lie_in_their_ranges():
    task = SyntheticTask(num_lfs=1000, accuracy_range=(0.45, 0.75))
    assert 0.45 <= task.lf_accuracies.min() < 0.46
    assert 0.74 < task.lf_accuracies.max() <= 0.75


def test_a_feature_is_the_truth_with_one_minus_its_accuracy():
    task = SyntheticTask(num_features=10, feature_accuracy_range=(0.1, 0.9))
    is_truth = task.features(IDS) == (task.gold(IDS) == 1)[:, None]
    assert np.abs(is_truth.mean(axis=0) - (1 - task.feature_accuracies)).max() < 0.02


def test_random_numbers_are_uniform_and_unrelated():
    numbers = uniforms(0, 1, IDS, 50)
    assert abs(numbers.mean() - 1 / 2) < 0.002
    assert abs(numbers.var() - 1 / 12) < 0.001
    correlations = np.corrcoef(numbers.T) - np.eye(50)
    assert np.abs(correlations).max() < 5 / np.sqrt(len(IDS))
    neighbours = np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1]
    assert abs(neighbours) < 5 / np.sqrt(numbers.size)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_data_points": 0}, "num_data_points is 0: expected at least 1"),
        ({"coverage": 0.0}, "coverage is 0.0: expected a probability above 0"),
        ({"positive_share": 1.2}, "positive_share is 1.2"),
        ({"accuracy_range": (0.8, 0.7)}, r"accuracy_range is \(0.8, 0.7\): expected 0 < low <= high < 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SyntheticTask(**settings)
