import numpy as np
import pytest
from label_matrices import crowd, one_sided, two_sided

from dp_spark import LabelModel, VoteCounts, fit_label_model
from dp_spark.labeling.votes import classes_of


def fitted(votes, k=2, **options):
    return fit_label_model(VoteCounts.from_votes(votes, num_classes=k), "dawid_skene", **options)


def confused(seed, n, confusion, balance):
    """Votes of LFs with these confusion matrices, (m, k, k) [lf, class, vote], on every data point."""
    random = np.random.default_rng(seed)
    confusion = np.asarray(confusion)
    gold = random.choice(len(balance), n, p=balance)
    steps = confusion.cumsum(axis=2)[:, gold]
    votes = (random.random((len(confusion), n))[:, :, None] > steps).sum(axis=2).T
    return np.array(classes_of(len(balance)))[votes].astype(np.int8), gold


CONFUSION = [
    [[0.9, 0.1], [0.4, 0.6]],
    [[0.7, 0.3], [0.2, 0.8]],
    [[0.85, 0.15], [0.3, 0.7]],
    [[0.6, 0.4], [0.1, 0.9]],
]


def test_confusion_matrices_and_the_class_balance_are_recovered():
    votes, _ = confused(0, 50_000, CONFUSION, [0.8, 0.2])
    model = fitted(votes)
    assert model.diagnostics["status"] == "converged"
    assert model.class_balance == pytest.approx([0.8, 0.2], abs=0.02)
    assert model.diagnostics["class_balance"] == "estimated"
    low, high = model.diagnostics["class_balance_intervals"][1]
    assert low < model.class_balance[1] < high < low + 0.03
    found = np.exp(model.log_likelihoods).transpose(0, 2, 1)
    assert np.abs(found - CONFUSION).max() < 0.04
    assert model.accuracies == pytest.approx([0.84, 0.72, 0.82, 0.66], abs=0.02)  # 0.8 * 0.9 + 0.2 * 0.6, ...


def test_a_class_balance_that_is_given_stays():
    votes, _ = confused(0, 2000, CONFUSION, [0.8, 0.2])
    model = fitted(votes, class_balance=[0.75, 0.25])
    assert model.class_balance.tolist() == [0.75, 0.25]
    assert model.diagnostics["class_balance"] == "given"


def test_workers_who_miss_the_rare_class_are_seen_through():
    random = np.random.default_rng(0)
    rates = np.stack([random.uniform(0.85, 0.99, 30), random.uniform(0.3, 0.9, 30)], axis=1)
    confusion = [[[a, 1 - a], [1 - b, b]] for a, b in rates]
    votes, gold = confused(1, 3000, confusion, [0.88, 0.12])
    votes[random.random(votes.shape) > 0.1] = 0
    covered = (votes != 0).any(axis=1)
    right = [
        (model.predict_proba(votes).argmax(axis=1) == gold)[covered].mean()
        for model in (fitted(votes), fit_label_model(VoteCounts.from_votes(votes), "one_coin"))
    ]
    assert right[0] > right[1] + 0.005


def test_five_classes_of_a_crowd():
    votes, gold = crowd(0, k=5)
    classes = np.array(classes_of(5))
    labels = classes[fitted(votes, 5).predict_proba(votes).argmax(axis=1)]
    plain = classes[np.stack([(votes == c).sum(axis=1) for c in classes], axis=1).argmax(axis=1)]
    assert (labels == gold).mean() > (plain == gold).mean() + 0.005


def test_one_sided_lfs_are_named():
    told = fitted(one_sided(0, m=4)[0]).warnings[-1]
    assert "'lf_0', 'lf_1', 'lf_2', 'lf_3' only ever vote for one class" in told
    assert "Use model='auto'" in told


def test_it_reads_back_bit_identical():
    model = fitted(two_sided(0, 300, k=3)[0], 3)
    again = LabelModel.from_json(model.to_json())
    assert again.log_likelihoods.tobytes() == model.log_likelihoods.tobytes()
    assert again.to_json() == model.to_json()


def test_it_does_not_depend_on_how_the_rows_lie():
    votes, _ = crowd(0)
    again = votes[np.random.default_rng(0).permutation(len(votes))]
    assert fitted(votes).to_json() == fitted(again).to_json()


@pytest.mark.parametrize("votes", [np.zeros((3, 2)), [[1, -1]], [[1, 1], [1, 1]], [[1], [-1]]])
def test_labels_of_next_to_nothing_are_finite(votes):
    votes = np.array(votes, dtype=np.int8)
    assert np.isfinite(fitted(votes).predict_proba(votes)).all()
