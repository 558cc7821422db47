"""The default label model on nine published label matrices, none of which is part of the project."""

import numpy as np
import pyarrow.parquet as pq
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
    assert (ours - majority).min() >= 0.0
    assert ours.mean() >= 0.840
    assert loss.mean() <= 0.50


@pytest.mark.slow
@pytest.mark.parametrize("name", ["imdb", "youtube"])
def test_the_votes_of_a_text_set_are_labeled_no_worse_than_by_a_majority_vote(shared_data, name):
    path = shared_data / "text" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no real votes here: {path} is absent")
    table = pq.read_table(path)
    columns = [column for column in table.column_names if column.startswith("vote_")]
    votes = np.stack([table[column].to_numpy() for column in columns], axis=1).astype(np.int8)
    ours, majority, _ = scores_of(votes, table["gold"].to_numpy().astype(np.int8), 2)
    assert ours >= majority + 0.01


def scored(path):
    """Accuracy of the labels and of the majority vote, and the labels' log loss."""
    with np.load(path) as arrays:
        return scores_of(arrays["votes"], arrays["gold"], int(arrays["num_classes"]))


def scores_of(votes, gold, k):
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
