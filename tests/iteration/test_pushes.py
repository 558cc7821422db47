"""Contributions of LFs, of many rows at once, and what rows are labeled as."""

import numpy as np
import pytest

from dp_spark.iteration.array_sums import ArraySums
from dp_spark.iteration.label_classes import class_titles, label_positions, labeled, position_titles
from dp_spark.iteration.pushes import Terms, push_sums, pushes_of
from dp_spark.iteration.sides import Side
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.votes import Classes


def random_model(k, m=5, *, has_silence=True):
    """A label model that knows P(vote | class), and what silence says."""
    random = np.random.default_rng(0)
    logs, silence = random.normal(size=(m, k, k)), random.normal(size=(m, k)) if has_silence else None
    names = tuple(f"lf_{i}" for i in range(m))
    balance = random.dirichlet(np.ones(k))
    return LabelModel(
        "x", names, (), k, np.full(m, 0.5), np.zeros(m), balance,
        log_likelihoods=logs, abstain_log_likelihoods=silence,
    )  # fmt: skip


@pytest.mark.parametrize("k", [2, 4])
def test_the_pushes_of_many_rows_are_the_explanations_of_each(k):
    model, random = random_model(k), np.random.default_rng(1)
    votes = random.choice((0, *model.classes), size=(40, 5)).astype(np.int8)
    towards, against = random.integers(k, size=40), random.integers(k, size=40)
    pushes = Terms.of(model).pushes(votes, towards, against)
    for row, of, other, found in zip(votes, towards, against, pushes, strict=True):
        odds = model.explain(row).log_odds(model.classes[of], model.classes[other])
        assert found == pytest.approx([odds.by_lf.get(name, 0.0) for name in model.lf_names], abs=1e-12)


def test_who_pushes_and_who_pushes_most_is_counted():
    pushes = np.array([[1.0, 2.0, 0.0], [3.0, -1.0, 0.0], [-1.0, -2.0, 0.0]])
    sums = push_sums(pushes)
    found = pushes_of(("a", "b", "c"), sums["log_odds"], sums["num_pushed"], sums["num_led"])
    assert [(p.name, p.log_odds, p.num_rows, p.num_led) for p in found] == [("a", 3, 2, 1), ("b", -1, 1, 1)]


def test_the_pushes_of_no_rows_are_zeros_that_can_be_added():
    none = ArraySums(push_sums(np.zeros((0, 2))))
    some = ArraySums(push_sums(np.array([[1.0, -1.0]])))
    total = none + ArraySums.from_bytes(some.to_bytes())
    assert {name: array.tolist() for name, array in total.arrays.items()} == {
        "log_odds": [1, -1], "num_pushed": [1, 0], "num_led": [1, 0],
    }  # fmt: skip


def test_rows_are_labeled_as_a_class_tied_or_uncovered():
    probs = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.2, 0.5, 0.3]])
    assert label_positions(probs, np.array([True, True, False, False])).tolist() == [1, 3, 4, 4]
    model = random_model(2, has_silence=False)
    assert labeled(model, np.zeros((1, 5), np.int8))[1].tolist() == [3]
    assert position_titles(Classes(2)) == ("-1", "+1", "tied", "uncovered")
    assert class_titles(Classes(3)) == ("1", "2", "3")
    assert class_titles(Classes(2, ("ham", "spam"))) == ("ham", "spam")


def test_a_side_puts_its_labeling_functions_among_those_of_both():
    model = random_model(3, m=2)
    side = Side.of(model, ("new", "lf_1", "lf_0"))
    assert side.columns.tolist() == [2, 1]
    assert np.array_equal(side.terms.values[[2, 1]], Terms.of(model).values)
    assert not side.terms.values[0].any()
