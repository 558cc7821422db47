"""Label matrices of the kinds that occur, with known truth: (votes (n, m) int8, gold (n,) int8)."""

import numpy as np

from dp_spark.labeling.votes import classes_of


def two_sided(seed, n=5000, accuracies=(0.9, 0.8, 0.7, 0.65, 0.6), coverages=0.4, k=2, balance=None):
    """LFs that vote for every class, independent given the class; wrong votes are spread evenly."""
    random = np.random.default_rng(seed)
    gold = random.choice(k, n, p=balance)
    accuracies = np.asarray(accuracies)
    votes = _noisy(random, gold[:, None], accuracies, k)
    votes[random.random(votes.shape) >= coverages] = -1
    return _coded(votes, gold, k)


def one_sided(seed, n=5000, m=10, k=2, balance=None, precision=(0.55, 0.95), coverage=(0.01, 0.3)):
    """LFs that vote for one class only: an LF of coverage c and precision p fires on p c n points of its class.

    As in real sets, precision falls with coverage, with noise.
    """
    random = np.random.default_rng(seed)
    gold = random.choice(k, n, p=balance)
    share = np.bincount(gold, minlength=k) / n
    votes = np.full((n, m), -1)
    for i in range(m):
        own = i % k
        rank = random.random()
        c = coverage[0] * (coverage[1] / coverage[0]) ** rank
        p = precision[1] - (precision[1] - precision[0]) * np.clip(rank + random.normal(0, 0.2), 0, 1)
        fires_right = min(1.0, p * c / share[own])
        fires_wrong = min(1.0, (1 - p) * c / (1 - share[own]))
        fires = random.random(n) < np.where(gold == own, fires_right, fires_wrong)
        votes[fires, i] = own
    return _coded(votes, gold, k)


def crowd(seed, n=1000, num_workers=80, votes_per_row=6, k=2, balance=None, difficulty=0.0):
    """Many workers with few votes each; on hard data points (`difficulty`) they all do worse."""
    random = np.random.default_rng(seed)
    gold = random.choice(k, n, p=balance)
    accuracies = 1 / k + (1 - 1 / k) * random.beta(3, 2, num_workers)
    workload = random.pareto(1.2, num_workers) + 0.2
    hard = random.random(n) < difficulty
    votes = np.full((n, num_workers), -1)
    for row in range(n):
        who = random.choice(num_workers, votes_per_row, replace=False, p=workload / workload.sum())
        skill = np.where(hard[row], 1 / k + 0.3 * (accuracies[who] - 1 / k), accuracies[who])
        votes[row, who] = _noisy(random, np.full((1, len(who)), gold[row]), skill, k)[0]
    return _coded(votes, gold, k)


def dependent(
    seed, n=5000, num_copies=3, accuracies=(0.8, 0.75, 0.7, 0.65, 0.6), coverage=0.5, faithful=0.95
):
    """Two-sided LFs, and noisy copies of the last one, which has the lowest accuracy."""
    votes, gold = two_sided(seed, n, accuracies, coverage)
    random = np.random.default_rng([seed, 1])
    last = votes[:, -1:]
    copies = np.where(random.random((n, num_copies)) < faithful, last, -last)
    return np.concatenate([votes, copies.astype(np.int8)], axis=1), gold


def documents(seed, n=5000, accuracies=(0.9, 0.8, 0.7, 0.65, 0.6), coverage=0.5, size=20, alike=6):
    """Data points in documents of one size, in each of which an LF has an accuracy of its own around its mean.

    Returns:
        votes (n, m), gold (n,), and the document of each data point (n,).
    """
    random = np.random.default_rng(seed)
    accuracies, clusters = np.asarray(accuracies), np.arange(n) // size
    gold = random.integers(0, 2, n)
    of_document = random.beta(
        accuracies * alike, (1 - accuracies) * alike, (clusters[-1] + 1, len(accuracies))
    )
    votes = _noisy(random, gold[:, None], of_document[clusters], 2)
    votes[random.random(votes.shape) >= coverage] = -1
    return *_coded(votes, gold, 2), clusters


def _noisy(random, gold, accuracies, k):
    shape = np.broadcast_shapes(gold.shape, accuracies.shape)
    wrong = (gold + random.integers(1, k, shape)) % k
    return np.where(random.random(shape) < accuracies, np.broadcast_to(gold, shape), wrong)


def _coded(votes, gold, k):
    """Positions of classes, -1 for abstain, as votes."""
    classes = np.array(classes_of(k))
    return np.where(votes < 0, 0, classes[votes]).astype(np.int8), classes[gold].astype(np.int8)
