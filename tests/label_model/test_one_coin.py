import numpy as np
import pytest
from reference import accuracy, fitted_q, labels, tutorial_votes

from dp_spark import VoteCounts, fit_label_model
from dp_spark.label_model.priors import DEFAULT_ACCURACY


def fitted(votes, **options):
    options.setdefault("model", "one_coin")
    return fit_label_model(VoteCounts.from_votes(votes, num_classes=options.pop("num_classes", 2)), **options)


def votes_of(accuracies, coverages, n=20_000, k=2, seed=0):
    random = np.random.default_rng(seed)
    classes = np.array([-1, 1] if k == 2 else range(1, k + 1))
    gold = random.choice(classes, n)
    columns = []
    for p, coverage in zip(accuracies, coverages, strict=True):
        wrong = classes[(np.searchsorted(classes, gold) + random.integers(1, k, n)) % k]
        vote = np.where(random.random(n) < p, gold, wrong)
        columns.append(np.where(random.random(n) < coverage, vote, 0))
    return np.array(columns).T.astype(np.int8), gold


@pytest.mark.parametrize("seed", range(5))
def test_accuracies_and_labels_agree_with_the_numpy_reference(seed):
    votes, _, _ = tutorial_votes(seed)
    model = fitted(votes, model="one_coin")
    p = (fitted_q(votes) + 1) / 2
    assert model.diagnostics["status"] == "converged"
    assert np.abs(model.accuracies - p).max() < 1e-6
    assert np.abs(model.predict_proba(votes)[:, 1] - labels(votes, p)).max() < 1e-6


def test_tutorial_settings_reach_the_tutorials_quality_over_five_seeds():
    gains, gaps, errors = [], [], []
    for seed in range(5):
        votes, gold, p = tutorial_votes(seed)
        model = fitted(votes)
        label_accuracy = accuracy(model.predict_proba(votes)[:, 1] - 0.5, gold)
        gains.append(label_accuracy - accuracy(votes.sum(axis=1), gold))
        gaps.append(accuracy(labels(votes, p) - 0.5, gold) - label_accuracy)
        errors.append(np.abs(model.accuracies - p).mean())
    assert np.mean(gains) >= 0.025
    assert np.mean(gaps) <= 0.01
    assert np.mean(errors) <= 0.02


def test_three_lfs_are_solved_in_closed_form():
    votes, _ = votes_of([0.9, 0.8, 0.7], [1, 1, 1])
    model = fitted(votes)
    Z = VoteCounts.from_votes(votes).gram / len(votes)
    q0 = np.sqrt(Z[0, 1] * Z[0, 2] / Z[1, 2])
    assert model.accuracies[0] == pytest.approx((q0 + 1) / 2, abs=1e-8)


def test_accuracies_of_k_classes_are_recovered():
    votes, _ = votes_of([0.9, 0.7, 0.5, 0.6], [0.9, 0.6, 0.8, 0.5], k=5)
    assert np.abs(fitted(votes, num_classes=5).accuracies - [0.9, 0.7, 0.5, 0.6]).max() < 0.02


def test_relabelling_lfs_permutes_their_accuracies():
    votes, _, _ = tutorial_votes(0)
    order = np.random.default_rng(0).permutation(20)
    assert np.abs(fitted(votes[:, order]).accuracies - fitted(votes).accuracies[order]).max() < 1e-7


def test_flipping_all_votes_keeps_the_accuracies():
    votes, _, _ = tutorial_votes(0)
    assert np.array_equal(fitted(-votes).accuracies, fitted(votes).accuracies)


def test_an_lf_below_chance_keeps_its_sign_and_is_named():
    votes, _ = votes_of([0.8, 0.75, 0.7, 0.3], [0.8] * 4)
    model = fitted(votes)
    assert model.accuracies[3] == pytest.approx(0.3, abs=0.02)
    assert model.weights[3] < 0
    assert model.diagnostics["below_chance_lfs"] == ["lf_3"]


def test_a_perfect_lf_does_not_get_an_infinite_weight():
    gold = np.random.default_rng(0).choice([-1, 1], 500)
    votes = np.stack([gold, gold, gold, -gold], axis=1).astype(np.int8)
    votes[::3, 0] = votes[1::3, 1] = votes[2::3, 2] = votes[::2, 3] = 0
    model = fitted(votes)
    assert np.isfinite(model.weights).all()
    assert model.accuracies.max() < 1
    assert model.diagnostics["clipped_lfs"] == ["lf_0", "lf_1", "lf_2", "lf_3"]


def test_pairs_that_never_overlap_do_not_spoil_the_others():
    votes, _ = votes_of([0.8, 0.7, 0.6, 0.9], [0.7] * 4)
    votes[::2, 0] = votes[1::2, 1] = 0
    model = fitted(votes)
    assert np.abs(model.accuracies - [0.8, 0.7, 0.6, 0.9]).max() < 0.03
    assert model.warnings == ()


def test_the_class_balance_moves_labels_but_not_accuracies():
    votes, _, _ = tutorial_votes(0)
    even, skewed = fitted(votes), fitted(votes, class_balance=0.9)
    assert np.array_equal(even.accuracies, skewed.accuracies)
    assert (skewed.predict_proba(votes)[:, 1] > even.predict_proba(votes)[:, 1]).all()


@pytest.mark.parametrize(
    ("votes", "named", "why"),
    [
        ([[1, 1], [1, -1], [-1, -1]], "'lf_0', 'lf_1'", "overlap only in pairs or chains"),
        ([[1], [-1], [1]], "'lf_0'", "share no data point with another"),
        (
            [[1, -1, 0], [0, -1, 1], [0, 1, 1], [-1, 1, 0]],
            "'lf_0', 'lf_1', 'lf_2'",
            "overlap only in pairs or chains",
        ),
        ([[0, 0], [0, 0]], "'lf_0', 'lf_1'", "never vote"),
        ([[1, 1, 1], [1, 0, 1], [0, 1, 1]], "'lf_0', 'lf_1', 'lf_2'", "share no data point"),
        ([[1, -1, 1]], "'lf_0', 'lf_1', 'lf_2'", "share no data point"),
    ],
    ids=["two LFs", "one LF", "a chain", "all abstain", "all one-sided", "one row"],
)
def test_lfs_that_are_not_identified_are_named_and_count_as_in_a_majority_vote(votes, named, why):
    votes = np.array(votes, dtype=np.int8)
    model = fitted(votes)
    assert model.diagnostics["status"] == "not identified"
    assert len(model.warnings) == 1
    assert f"the accuracies of {named} are not determined: they {why}" in model.warnings[0]
    assert model.accuracies.tolist() == [DEFAULT_ACCURACY] * votes.shape[1]
    majority = fitted(votes, model="majority_vote").predict_proba(votes)
    assert np.array_equal(np.sign(model.predict_proba(votes) - 0.5), np.sign(majority - 0.5))


def test_one_component_that_is_not_identified_leaves_the_others_alone():
    three, _ = votes_of([0.9, 0.8, 0.7], [1, 1, 1], n=3000)
    two, _ = votes_of([0.9, 0.8], [1, 1], n=3000)
    votes = np.zeros((6000, 5), dtype=np.int8)
    votes[:3000, :3], votes[3000:, 3:] = three, two
    model = fitted(votes)
    assert model.diagnostics["fallback_lfs"] == ["lf_3", "lf_4"]
    assert np.abs(model.accuracies[:3] - [0.9, 0.8, 0.7]).max() < 0.03
    assert model.accuracies[3:].tolist() == [DEFAULT_ACCURACY] * 2


def test_lfs_whose_votes_hardly_overlap_fall_back():
    votes, _ = votes_of([0.9, 0.8, 0.7, 0.6], [1, 1, 1, 1])
    votes[8:, 3] = 0
    model = fitted(votes)
    assert model.diagnostics["fallback_lfs"] == ["lf_3"]
    assert (
        "'lf_3' are not determined: they overlap too little with others for an estimate" in model.warnings[0]
    )
    assert np.abs(model.accuracies[:3] - [0.9, 0.8, 0.7]).max() < 0.03


def test_a_component_whose_sign_is_not_clear_falls_back():
    votes, _ = votes_of([0.8, 0.8, 0.2, 0.2], [0.9] * 4)
    model = fitted(votes)
    assert "fits accuracies above and below 1/2 equally well" in model.warnings[0]
    assert model.accuracies.tolist() == [DEFAULT_ACCURACY] * 4


def test_two_identical_lfs_are_named_and_count_as_one():
    votes, _ = votes_of([0.8, 0.75, 0.7, 0.65], [0.6] * 4)
    twice = np.concatenate([votes, votes[:, :1]], axis=1)
    one, two = fitted(votes), fitted(twice)
    assert two.warnings == (
        "'lf_0', 'lf_4' cast the same votes on the same data points: they count as one labeling function "
        "together. Remove all but one.",
    )
    assert np.abs(two.accuracies[:4] - one.accuracies).max() < 0.01
    assert np.abs(two.predict_proba(twice) - one.predict_proba(votes)).max() < 0.02


def test_two_lfs_that_agree_by_chance_are_not_called_identical():
    votes, _ = votes_of([0.9, 0.85, 0.8, 0.9], [0.6] * 4)
    votes[:, 3] = 0
    same = np.flatnonzero((votes[:, 0] != 0) & (votes[:, 1] != 0))[:4]
    votes[:, 0] = np.where(np.isin(np.arange(len(votes)), same), votes[:, 0], 0)
    votes[same, 3] = votes[same, 0]
    assert not any("cast the same votes" in warning for warning in fitted(votes).warnings)


def test_no_random_label_matrix_gives_a_number_that_is_not_finite():
    random = np.random.default_rng(0)
    for _ in range(300):
        n, m, k = random.integers(1, 12), random.integers(1, 8), random.integers(2, 5)
        classes = [-1, 1] if k == 2 else range(1, k + 1)
        votes = random.choice([0, *classes], (n, m)).astype(np.int8)
        probs = fitted(votes, num_classes=int(k)).predict_proba(votes)
        assert np.isfinite(probs).all()
        assert np.allclose(probs.sum(axis=1), 1)


def test_gradient_descent_is_the_tutorials_fit():
    votes, _, p = tutorial_votes(2)
    model = fitted(votes, model="gradient_descent")
    assert np.abs(model.accuracies - p).mean() < 0.025
    assert "took all of its 5000 steps" in model.warnings[0]


def test_gradient_descent_leaves_no_lf_at_its_random_start():
    model = fitted(np.array([[1, 1, 0], [1, -1, 0]], dtype=np.int8), model="gradient_descent")
    assert model.accuracies.tolist() == [DEFAULT_ACCURACY] * 3
    assert model.diagnostics["fallback_lfs"] == ["lf_0", "lf_1", "lf_2"]


def test_what_cannot_be_fitted_is_refused():
    counts = VoteCounts.from_votes(np.zeros((0, 3), dtype=np.int8))
    with pytest.raises(ValueError, match="the vote counts hold no data points"):
        fit_label_model(counts)
    with pytest.raises(ValueError, match="there is no label model 'best': expected one of"):
        fit_label_model(VoteCounts.from_votes(np.zeros((1, 3), dtype=np.int8)), model="best")
