"""The tutorial job in this process, and its numbers against the plain NumPy reference on the same votes."""

import json

import numpy as np
import pytest
from reference import accuracy, agreement, fitted_q, labels

from dp_spark.counting.agreement import agreement_matrix
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.end_model.artifact import load_end_model
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import OutputExistsError
from dp_spark.label_model.model import LabelModel
from dp_spark.report.tutorial_text import tutorial_text
from dp_spark.synthetic import SyntheticTask
from dp_spark.tutorial import Tutorial, run_tutorial

TASK = SyntheticTask(seed=2)
IDS = np.arange(TASK.num_data_points)
TUTORIAL = Tutorial(TASK, TrainingSettings(num_epochs=20, batch_size=512, learning_rate=0.01, num_workers=2))


@pytest.fixture(scope="module")
def finished(storage, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("tutorial") / "results")
    return run_tutorial(storage, TUTORIAL, output), output


@pytest.mark.slow
def test_every_stage_agrees_with_the_numpy_reference_on_the_same_votes(storage, finished):
    _, output = finished
    votes = TASK.votes(IDS)
    counts = VoteCounts.from_bytes(storage.read_bytes(f"{output}/vote_counts.npz"))
    Z, _ = agreement_matrix(counts)
    expected, overlaps = agreement(votes)
    off_diagonal = ~np.eye(20, dtype=bool)
    assert np.array_equal(Z[off_diagonal], expected[off_diagonal])
    assert np.array_equal(counts.overlaps, overlaps)
    model = LabelModel.load(f"{output}/label_model.json")
    q = fitted_q(votes)
    assert np.abs(2 * model.accuracies - 1 - q).max() < 1e-6
    rows = storage.spark.read.parquet(f"{output}/labels").orderBy("id").collect()
    probs = np.array([row["prob_label"] for row in rows])
    assert np.abs(probs - labels(votes, (q + 1) / 2)).max() < 1e-6


@pytest.mark.slow
def test_the_metrics_are_those_of_the_reference(finished):
    metrics, _ = finished
    votes, gold, p = TASK.votes(IDS), TASK.gold(IDS), TASK.lf_accuracies
    estimated = (fitted_q(votes) + 1) / 2
    assert metrics["majority_vote_accuracy"] == pytest.approx(accuracy(votes.sum(axis=1), gold), abs=1e-9)
    assert metrics["label_accuracy"] == pytest.approx(
        accuracy(labels(votes, estimated) - 0.5, gold), abs=2e-4
    )
    assert metrics["oracle_label_accuracy"] == pytest.approx(accuracy(labels(votes, p) - 0.5, gold), abs=1e-9)
    assert metrics["mean_accuracy_error"] == pytest.approx(np.abs(estimated - p).mean(), abs=1e-6)


@pytest.mark.slow
def test_the_end_model_is_close_to_the_supervised_one(finished):
    metrics, _ = finished
    assert metrics["end_model_accuracy"] > metrics["label_accuracy"] + 0.05
    assert metrics["supervised_accuracy"] - metrics["end_model_accuracy"] <= 0.03
    assert metrics["num_test_rows"] == 2000


@pytest.mark.slow
def test_the_output_directory_holds_every_result(storage, finished):
    metrics, output = finished
    names = {"label_matrix", "vote_counts.npz", "label_model.json", "labels", "training_set", "end_model"}
    assert names | {"predictions", "supervised", "metrics.json"} <= set(storage.list_names(output))
    assert json.loads(storage.read_text(f"{output}/metrics.json")) == json.loads(json.dumps(metrics))
    asked_for = "majority_vote_accuracy, label_accuracy, oracle_label_accuracy, mean_accuracy_error, "
    asked_for += "end_model_accuracy, supervised_accuracy, num_data_points, num_lfs, seconds"
    assert set(asked_for.split(", ")) <= set(metrics)
    assert load_end_model(storage, f"{output}/end_model").num_features == 100


@pytest.mark.slow
def test_the_text_shows_what_the_tutorial_shows(finished):
    metrics, output = finished
    text = tutorial_text(metrics, output)
    assert "10,000 data points, 20 labeling functions" in text
    assert f"{metrics['label_accuracy']:.4f}" in text
    assert text.count("lf_") == 20
    assert output in text


@pytest.mark.slow
def test_a_second_run_is_refused_before_it_starts(storage, finished):
    _, output = finished
    with pytest.raises(
        OutputExistsError, match="is there already .*holds .*results are not overwritten unasked"
    ):
        run_tutorial(storage, TUTORIAL, output)
