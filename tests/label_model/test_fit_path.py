"""What fits note on their way, which TensorBoard, MLflow and people look at."""

import numpy as np
import pytest
from reference import agreement, tutorial_votes

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.completion import NOTED_STEPS, complete_rank_one, gradient_descent
from dp_spark.label_model.fit import fit_label_model
from dp_spark.label_model.fit_path import fit_path
from dp_spark.label_model.model import LabelModel
from dp_spark.label_model.scalars import event_file

VOTES = tutorial_votes(3)[0]
COUNTS = VoteCounts.from_votes(VOTES)


def test_the_completion_notes_its_loss_at_every_step_and_it_never_rises():
    Z, overlaps = agreement(VOTES)
    end = complete_rank_one(np.nan_to_num(Z), overlaps.astype(float))
    steps, losses = zip(*end.losses, strict=True)
    assert steps == tuple(range(end.num_steps + 1))
    assert losses[-1] == end.loss
    assert all(later <= earlier for earlier, later in zip(losses, losses[1:], strict=False))


def test_gradient_descent_notes_every_few_steps_and_ends_where_it_would_at_once():
    Z = np.nan_to_num(agreement(VOTES)[0])
    observed = ~np.eye(len(Z), dtype=bool)
    end = gradient_descent(Z, observed, seed=0, num_steps=120)
    assert [step for step, _ in end.losses] == [0, NOTED_STEPS, 2 * NOTED_STEPS, 120]
    q = np.random.default_rng(0).normal(0.5, 0.15, len(Z))
    for _ in range(120):
        q = q + 0.0005 * 4 * (observed * (Z - np.outer(q, q))) @ q
    assert np.abs(end.q - q).max() < 1e-12
    assert end.losses[-1][1] == pytest.approx(((Z - np.outer(q, q))[observed] ** 2).sum() / 2)


@pytest.mark.parametrize(
    ("name", "value"), [("one_coin", "loss"), ("auto", "loss"), ("dawid_skene", "largest_change")]
)
def test_the_path_of_a_fit_comes_back_with_the_saved_model(name, value):
    model = fit_label_model(COUNTS, name)
    path = fit_path(LabelModel.from_json(model.to_json()))
    assert set(path) == {value}
    assert path[value][-1][0] == model.diagnostics["num_steps"]
    assert path == fit_path(model)


def test_a_model_that_is_not_fitted_by_steps_has_no_path_and_scalars_all_the_same():
    model = fit_label_model(COUNTS, "majority_vote")
    assert fit_path(model) == {}
    name, content = event_file(model)
    assert "tfevents" in name
    assert b"label_model/accuracy/lf_19" in content
    assert b"label_model/loss" not in content


def test_a_vote_count_that_was_chosen_has_the_path_of_the_fit_that_was_rejected():
    coins = np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.int8), (400, 6))
    model = fit_label_model(VoteCounts.from_votes(coins), "auto")
    assert model.diagnostics["choice"]["model"] == "majority_vote"
    assert fit_path(model) == {"loss": fit_path(model)["loss"]}
    assert len(fit_path(model)["loss"]) > 1
