"""The default label model on nine published label matrices, none of which is part of the project."""

import numpy as np
import pytest

from dp_spark import VoteCounts, fit_label_model
from dp_spark.labeling.votes import classes_of


@pytest.mark.slow
def test_no_set_is_worse_than_a_majority_vote_and_the_mean_is_far_better(shared_data):
    paths = sorted((shared_data / "label_matrices").glob("*.npz"))
    if not paths:
        pytest.skip(f"no real label matrices here: {shared_data / 'label_matrices'} is absent")
    scores = np.array([scored(path) for path in paths])
    ours, majority, loss = scores.T
    print(dict(zip([path.stem for path in paths], scores.round(4).tolist(), strict=True)))
    assert (ours - majority).min() >= -0.005
    assert ours.mean() >= 0.840
    assert loss.mean() <= 0.50


def scored(path):
    """Accuracy of the labels and of the majority vote, and the labels' log loss."""
    with np.load(path) as arrays:
        votes, gold, k = arrays["votes"], arrays["gold"], int(arrays["num_classes"])
    model = fit_label_model(VoteCounts.from_votes(votes, num_classes=k))
    known = (gold != 0) & (votes != 0).any(axis=1)
    votes, truth = votes[known], np.searchsorted(classes_of(k), gold[known])
    plain = np.stack([(votes == c).sum(axis=1) for c in classes_of(k)], axis=1)
    probs = model.predict_proba(votes)
    rows = np.arange(len(truth))
    found = []
    for values in (probs, plain):
        top = values >= values.max(axis=1, keepdims=True) - 1e-9
        found.append((top[rows, truth] / top.sum(axis=1)).mean())
    return [*found, -np.log(np.clip(probs[rows, truth], 1e-15, 1)).mean()]
