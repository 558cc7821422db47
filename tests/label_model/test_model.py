import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from reference import labels

from dp_spark import LabelModel
from dp_spark.label_model.assumptions import checked_balance
from dp_spark.label_model.model import log_odds_weights, sigmoid


def binary_model(accuracies=(0.9, 0.6), balance=(0.5, 0.5)):
    p = np.array(accuracies)
    names = tuple(f"lf_{i}" for i in range(len(p)))
    return LabelModel(
        "one_coin", names, (), 2, p, log_odds_weights(p, 2), np.array(balance), {"warnings": ["w"]}
    )


def test_probabilities_are_the_odds_of_the_votes():
    probs = binary_model().predict_proba(np.array([[1, 0], [1, 1], [1, -1], [-1, 0]], dtype=np.int8))
    odds = np.array([9, 9 * 1.5, 9 / 1.5, 1 / 9])
    assert probs[:, 1] == pytest.approx(odds / (1 + odds), abs=1e-15)
    assert probs.sum(axis=1) == pytest.approx(1.0)


def test_a_row_without_votes_keeps_the_class_balance():
    model = binary_model(balance=(0.7, 0.3))
    assert model.predict_proba(np.zeros((1, 2), dtype=np.int8))[0].tolist() == pytest.approx([0.7, 0.3])


def test_probabilities_agree_with_the_tutorials_formula():
    votes = np.random.default_rng(0).integers(-1, 2, (200, 2)).astype(np.int8)
    model = binary_model(balance=(0.8, 0.2))
    expected = labels(votes, np.array([0.9, 0.6]), positive_share=0.2)
    assert np.abs(model.predict_proba(votes)[:, 1] - expected).max() < 1e-12


def test_flipping_all_votes_flips_the_labels():
    votes = np.random.default_rng(1).integers(-1, 2, (50, 2)).astype(np.int8)
    model = binary_model()
    assert np.allclose(model.predict_proba(-votes), model.predict_proba(votes)[:, ::-1], atol=1e-15)


def test_k_class_probabilities_are_the_odds_of_the_votes():
    p = np.array([0.8, 0.5])
    model = LabelModel("one_coin", ("a", "b"), (), 3, p, log_odds_weights(p, 3), np.full(3, 1 / 3))
    row = model.predict_proba(np.array([[2, 0], [2, 3], [0, 0]], dtype=np.int8))
    assert row[0].tolist() == pytest.approx([1 / 10, 8 / 10, 1 / 10])
    assert row[1].tolist() == pytest.approx([1 / 11, 8 / 11, 2 / 11])
    assert row[2].tolist() == pytest.approx([1 / 3] * 3)
    assert model.classes == (1, 2, 3)


def test_many_votes_do_not_overflow():
    model = binary_model(accuracies=[0.999] * 500)
    probs = model.predict_proba(np.vstack([np.ones((1, 500)), -np.ones((1, 500))]).astype(np.int8))
    assert np.isfinite(probs).all()
    assert probs[:, 1].tolist() == [1.0, 0.0]
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0.0, 0.5, 1.0]


def test_a_saved_model_reads_back_bit_identical(tmp_path):
    p = np.random.default_rng(0).random(9)
    model = LabelModel(
        "one_coin", tuple("abcdefghi"), ("h",) * 9, 2, p, log_odds_weights(p, 2), np.array([1 - 1 / 3, 1 / 3])
    )
    path = tmp_path / "label_model.json"
    model.save(path)
    again = LabelModel.load(path)
    assert again.weights.tobytes() == model.weights.tobytes()
    assert again.accuracies.tobytes() == model.accuracies.tobytes()
    assert again.class_balance.tobytes() == model.class_balance.tobytes()
    assert again.to_json() == model.to_json()
    assert again.model_id == model.model_id


def test_a_changed_digit_is_noticed():
    text = binary_model().to_json().replace("0.6", "0.7")
    with pytest.raises(ValueError, match="does not match its digest: it was changed after it was saved"):
        LabelModel.from_json(text)


def test_a_newer_format_is_refused():
    content = json.loads(binary_model().to_json()) | {"version": 99}
    with pytest.raises(ValueError, match="format version 99: this dp_spark reads up to 3"):
        LabelModel.from_json(json.dumps(content))


def test_something_else_than_a_model_is_refused():
    with pytest.raises(ValueError, match="this is not a label model"):
        LabelModel.from_json("[]")


def test_a_model_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        binary_model().weights[0] = 1


def test_votes_of_other_lfs_are_refused():
    with pytest.raises(ValueError, match="votes has 3 columns: expected 2"):
        binary_model().predict_proba(np.zeros((1, 3), dtype=np.int8))
    with pytest.raises(ValueError, match=r"votes\[0, 1\] is 5"):
        binary_model().predict_proba(np.array([[0, 5]], dtype=np.int8))


def test_the_class_balance_is_uniform_unless_given():
    assert checked_balance(None, 4).tolist() == [1 / 4] * 4
    assert checked_balance(0.25, 2).tolist() == [0.75, 0.25]
    assert checked_balance([0.2, 0.3, 0.5], 3).tolist() == [0.2, 0.3, 0.5]


@pytest.mark.parametrize(
    ("balance", "k"),
    [(0.0, 2), (1.0, 2), (1.5, 2), ([0.5, 0.6], 2), ([0.5, 0.5], 3), ([1.0, 0.0], 2), (0.5, 3)],
)
def test_a_class_balance_that_is_none_is_refused(balance, k):
    with pytest.raises(ValueError, match=f"class_balance is .*: expected {k} probabilities"):
        checked_balance(balance, k)


def test_a_model_of_format_version_1_is_read():
    model = binary_model()
    content = json.loads(model.to_json()) | {"version": 1}
    for name in ("digest", "intervals", "log_likelihoods"):
        del content[name]
    content["digest"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    again = LabelModel.from_json(json.dumps(content))
    assert again.weights.tolist() == model.weights.tolist()
    assert again.intervals.tolist() == [[0.0, 1.0]] * 2
    assert again.model_id == model.model_id


def test_the_id_depends_on_what_decides_labels_alone():
    model = binary_model()
    assert replace(model, diagnostics={}).model_id == model.model_id
    assert replace(model, weights=model.weights * 1.1).model_id != model.model_id


@pytest.mark.parametrize("change", [{"version": None}, {"version": "2"}])
def test_json_that_is_cut_off_or_lacks_a_field_is_refused(change):
    text = binary_model().to_json()
    with pytest.raises(ValueError, match="this is not a label model: .* not JSON, or cut off"):
        LabelModel.from_json(text[:-40])
    with pytest.raises(ValueError, match="this is not a label model"):
        LabelModel.from_json(json.dumps(json.loads(text) | change))
    content = json.loads(text)
    del content["accuracies"]
    with pytest.raises(ValueError, match="this is not a label model"):
        LabelModel.from_json(json.dumps(content))


def test_accuracies_and_balances_that_are_none_are_refused():
    with pytest.raises(ValueError, match="accuracies is .*: expected numbers from 0 to 1"):
        replace(binary_model(), accuracies=np.array([2.0, 0.5]))
    with pytest.raises(ValueError, match="class_balance is .*: expected k numbers above 0 that add up to 1"):
        replace(binary_model(), class_balance=np.array([-0.5, 1.5]))
