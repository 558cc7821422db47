"""Standard errors of Dawid-Skene fits.  Intervals over 60 replicates; more were run by hand (docs/method.md)."""

from dataclasses import replace

import numpy as np
import pytest
from label_matrices import crowd, one_sided, two_sided

from dp_spark import VoteCounts, fit_label_model
from dp_spark.counting import patterns
from dp_spark.label_model import class_errors as module
from dp_spark.label_model.class_errors import ClassFit, class_errors
from dp_spark.labeling.votes import classes_of

NUM_REPLICATES = 60


def confused(seed, n, m, k, coverage, balance):
    """Votes of LFs whose accuracies, of 0.5 to 0.9, differ between classes; and their accuracies on average."""
    random = np.random.default_rng(seed)
    right = random.uniform(0.5, 0.9, (m, k))
    wrong = random.dirichlet(np.full(k - 1, 2.0), (m, k)) * (1 - right)[:, :, None]
    confusion = np.array(
        [[np.insert(wrong[i, c], c, right[i, c]) for c in range(k)] for i in range(m)]
    ).cumsum(axis=2)
    gold = random.choice(k, n, p=balance)
    positions = (random.random((m, n, 1)) > confusion[:, gold, :-1]).sum(axis=2).T
    votes = np.where(random.random((n, m)) < coverage, np.array(classes_of(k))[positions], 0)
    return votes.astype(np.int8), right @ balance


def shares_held(sample, balance, k, num_replicates=NUM_REPLICATES):
    """How often intervals of accuracies, and of the class balance, hold the truth."""
    of_lfs, of_balance = [], []
    for seed in range(num_replicates):
        votes, accuracies = sample(seed)
        model = fit_label_model(VoteCounts.from_votes(votes, num_classes=k), "dawid_skene")
        low, high = model.intervals.T
        of_lfs.append((low <= accuracies) & (accuracies <= high) & (high - low < 1))
        low, high = np.array(model.diagnostics["class_balance_intervals"]).T
        of_balance.append((low <= balance) & (balance <= high))
    return np.mean(of_lfs), np.mean(of_balance)


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 4])
def test_intervals_hold_the_truth_as_often_as_they_say(k):
    accuracies, balance = np.array([0.9, 0.8, 0.7, 0.65, 0.6]), np.full(k, 1 / k)
    held, balance_held = shares_held(
        lambda seed: (two_sided(seed, 1000, accuracies, 0.5, k)[0], accuracies), balance, k
    )
    assert 0.91 <= held <= 0.98
    assert 0.85 <= balance_held <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("m", "balance", "coverage"), [(20, [0.7, 0.3], 0.3), (8, [0.4, 0.3, 0.2, 0.1], 0.6)]
)
def test_they_do_where_accuracies_differ_between_classes(m, balance, coverage):
    k = len(balance)
    held, balance_held = shares_held(lambda seed: confused(seed, 1000, m, k, coverage, balance), balance, k)
    assert 0.91 <= held <= 0.98
    assert 0.85 <= balance_held <= 1.0


@pytest.mark.slow
def test_they_do_where_patterns_are_sampled(monkeypatch):
    monkeypatch.setattr(patterns, "MAX_PATTERNS", 1000)
    balance = [0.7, 0.3]
    votes, _ = confused(0, 4000, 20, 2, 0.3, balance)
    assert VoteCounts.from_votes(votes).patterns.sample_rate == 1 / 4
    held, _ = shares_held(lambda seed: confused(seed, 4000, 20, 2, 0.3, balance), balance, 2)
    assert 0.91 <= held <= 0.98


def some_fit(k=3, m=4, n=3000):
    """Any posterior and confusion, of votes: what is compared holds for all of them."""
    counts = VoteCounts.from_votes(confused(0, n, m, k, 0.7, np.full(k, 1 / k))[0], num_classes=k)
    random = np.random.default_rng(1)
    confusion = random.dirichlet(np.full(k, 5.0), (m, k))
    balance = random.dirichlet(np.full(k, 5.0))
    return ClassFit(
        counts.patterns, posterior_of(counts.patterns.votes, confusion, balance), confusion, balance, 4.0, 1.0
    )


def posterior_of(votes, confusion, balance):
    joint = joint_of(votes, confusion, balance)
    return joint / joint.sum(axis=1, keepdims=True)


def joint_of(votes, confusion, balance):
    """P(pattern, class), given which LFs vote: (P, k)."""
    joint = np.tile(balance, (len(votes), 1))
    for i in range(votes.shape[1]):
        for position, a in enumerate(classes_of(len(balance))):
            joint[votes[:, i] == a] *= confusion[i, :, position]
    return joint


def test_the_information_is_minus_the_second_derivative_of_the_log_likelihood():
    fit = replace(some_fit(), prior_votes=0.0, balance_prior=0.0)
    m, k = fit.confusion.shape[:2]
    logs = np.log(fit.confusion[:, :, :-1] / fit.confusion[:, :, -1:]).transpose(1, 0, 2)
    log_odds = np.concatenate([logs.ravel(), np.log(fit.balance[:-1] / fit.balance[-1])])

    def log_likelihood(values):
        of_lfs = np.concatenate([values[: 1 - k].reshape(k, m, k - 1), np.zeros((k, m, 1))], axis=2)
        confusion = np.exp(of_lfs) / np.exp(of_lfs).sum(axis=2, keepdims=True)
        odds = np.exp(np.append(values[1 - k :], 0.0))
        joint = joint_of(fit.patterns.votes, confusion.transpose(1, 0, 2), odds / odds.sum())
        return fit.times @ np.log(joint.sum(axis=1))

    information, _ = module._joint(fit)
    for seed in range(5):
        step = np.random.default_rng(seed).normal(size=len(log_odds)) * 1e-3
        above, here, below = (log_likelihood(log_odds + s * step) for s in (1, 0, -1))
        assert step @ information @ step == pytest.approx(2 * here - above - below, rel=1e-4)


def test_of_one_lf_it_is_a_block_of_the_whole():
    fit = some_fit()
    m, k = fit.confusion.shape[:2]
    whole = module._joint(fit)[0]
    of_lfs = whole[: 1 - k, : 1 - k].reshape(k, m, k - 1, k, m, k - 1)
    for i in range(m):
        own = of_lfs[:, i, :, :, i].reshape(k * (k - 1), -1)
        assert module._of_lf(fit, i)[0] == pytest.approx(own)
    assert module._of_balance(fit)[0] == pytest.approx(whole[1 - k :, 1 - k :])


@pytest.mark.parametrize("sampled", [False, True])
def test_blocks_of_patterns_add_up(monkeypatch, sampled):
    fit = some_fit()
    fit = replace(fit, patterns=replace(fit.patterns, log2_rate=int(sampled)))
    whole = module._joint(fit)
    monkeypatch.setattr(module, "BLOCK_CELLS", 1000)
    for parts, at_once in zip(module._joint(fit), whole, strict=True):
        assert parts == pytest.approx(at_once)
    assert whole[1].any() == sampled


def test_too_many_parameters_are_taken_lf_by_lf_and_then_not_at_all(monkeypatch):
    counts = VoteCounts.from_votes(confused(0, 3000, 5, 3, 0.7, [0.5, 0.3, 0.2])[0], num_classes=3)
    models = {}
    for limit in (32, 31, 5):  # 5 * 3 * 2 + 2; less; less than 3 * 2
        monkeypatch.setattr(module, "MAX_JOINT", limit)
        models[limit] = fit_label_model(counts, "dawid_skene")
    assert [model.diagnostics["errors"] for model in models.values()] == ["joint", "per LF", "none"]
    joint, alone, none = (np.diff(model.intervals)[:, 0] for model in models.values())
    assert (alone < joint).all()
    assert (alone > joint / 2).all()
    assert (none == 1).all()


def test_a_balance_that_is_given_has_no_error_and_leaves_the_accuracies_less():
    counts = VoteCounts.from_votes(confused(0, 3000, 5, 2, 0.7, [0.7, 0.3])[0])
    estimated, given = (fit_label_model(counts, "dawid_skene", class_balance=p) for p in (None, 0.3))
    assert given.diagnostics["class_balance_intervals"] == [[0.7, 0.7], [0.3, 0.3]]
    assert (np.diff(given.intervals) < np.diff(estimated.intervals)).all()


def test_away_from_a_maximum_nothing_is_claimed():
    fit = some_fit()
    wrong = replace(fit, posterior=np.full_like(fit.posterior, 1 / 3), prior_votes=0.0, balance_prior=0.0)
    assert np.isinf(class_errors(wrong).accuracies).all()


@pytest.mark.parametrize("votes", [one_sided(0, m=4)[0], two_sided(0, 500, [0.8, 0.7])[0]])
def test_where_the_votes_say_nothing_anything_is_possible(votes):
    model = fit_label_model(VoteCounts.from_votes(votes), "dawid_skene")
    assert model.intervals.tolist() == [[0.0, 1.0]] * votes.shape[1]
    assert model.diagnostics["class_balance_intervals"] == [[0.0, 1.0]] * 2


def test_only_lfs_that_vote_for_several_classes_have_intervals():
    votes = crowd(0, num_workers=40)[0]
    votes[:, 0] = np.where(votes[:, 0] == 1, 1, 0)
    widths = np.diff(fit_label_model(VoteCounts.from_votes(votes), "dawid_skene").intervals)[:, 0]
    assert widths[0] == 1
    assert (widths[1:] < 1).mean() > 0.8
