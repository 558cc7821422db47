"""What a report says first: how good the labels are, why one may believe it, and what to fix."""

from dataclasses import replace

import numpy as np
import pytest
from report.run_facts import made_facts, votes_and_gold

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.fit import MODELS, fit_label_model
from dp_spark.label_model.names import USE_DEPENDENCIES, USE_PRIORS
from dp_spark.report.advice import MAX_ADVICE, advice_of
from dp_spark.report.comparison import Difference
from dp_spark.report.lf_facts import lf_facts
from dp_spark.report.quality import quality_of
from dp_spark.report.run_facts import Coverage, Quality
from dp_spark.report.scores import Report, Scores
from dp_spark.report.vote_facts import Agreement, Drift, LabelHistogram, LFDrift, LFFacts, Pair, Part

NO_PAIRS = Agreement((), (), 1, 0, (), 0, 0, None, ())
GOOD = Quality("", 0.9, (0.8, 1.0), "gold", (), ())
ALL = Coverage(1.0, 1.0, 0.1, 3.0, 1.0)


@pytest.fixture(scope="module")
def subject():
    votes, _ = votes_and_gold([0.9, 0.8, 0.7], [0.5] * 3, 100)
    return replace(made_facts(votes).subject, num_data_points=1000, label_model="empirical_bayes")


def lf(name, **changes):
    """A labeling function that nothing is wrong with, but for the changes."""
    good = LFFacts(
        name,
        "row",
        {"ham": 50, "spam": 50},
        100,
        0.1,
        0.1,
        0.0,
        0.9,
        (0.8, 1.0),
        2.0,
        None,
        0,
        0.5,
        0,
        1.0,
        0.1,
    )
    return replace(good, **changes)


def advice(subject, *lfs, coverage=ALL, quality=GOOD, agreement=NO_PAIRS, drift=None, model="auto"):
    return advice_of(subject, coverage, quality, lfs or (lf("a"),), agreement, None, drift, model)


def test_where_nothing_is_wrong_nothing_is_to_fix(subject):
    assert advice(subject) == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_errors": 31}, "'x' failed 31 times and abstained there (the worst on 3.1% of the rows)"),
        ({"accuracy": 0.3, "interval": (0.2, 0.4), "weight": -0.8}, "'x' is right less often than a guess (30%, 95%"),
        ({"empirical_accuracy": 0.4, "num_judged": 50}, "'x' is right less often than a guess (40% on gold)"),
        ({"accuracy": 0.6, "interval": (0.4, 0.7)}, "'x' may be no better than a guess (60%, 95% interval 40%"),
        ({"empirical_accuracy": 0.53, "num_judged": 900}, "'x' may be no better than a guess (53% on gold)"),
        ({"num_votes": 0, "votes": {}}, "'x' never votes"),
        ({"seconds": 900.0, "share_of_time": 0.8}, "'x' took 80% of the time of all labeling functions"),
    ],
)  # fmt: skip
def test_a_labeling_function_with_a_fault_is_named_with_it(subject, changes, sentence):
    (said,) = advice(subject, lf("a"), lf("x", **changes))
    assert said.startswith(sentence)


def test_gold_labels_overrule_an_estimate(subject):
    assert advice(subject, lf("x", interval=(0.3, 0.6), empirical_accuracy=0.95, num_judged=100)) == ()


def test_a_vote_for_a_rare_class_may_be_wrong_more_often_than_right(subject):
    rare = {"votes": {"spam": 100}, "chance": 0.05}
    estimated = lf("x", accuracy=0.4, interval=(0.35, 0.45), weight=2.5, **rare)
    judged = lf("y", empirical_accuracy=0.4, num_judged=100, **rare)
    assert advice(subject, estimated, judged) == ()
    (said,) = advice(subject, lf("z", accuracy=0.04, interval=(0.03, 0.2), weight=0.1, **rare))
    assert said.startswith("'z' may be no better than a guess")


def test_a_guess_is_as_good_as_the_classes_that_are_voted_for_are_frequent():
    votes = np.array([[1, -1, 1, 0]] * 10 + [[0, -1, -1, 0]] * 30, dtype=np.int8)
    model = fit_label_model(VoteCounts.from_votes(votes), "majority_vote", class_balance=[0.9, 0.1])
    facts = lf_facts(VoteCounts.from_votes(votes), ("ham", "spam"), [], model, {})
    mixed = 10 / 40 * 0.1 + 30 / 40 * 0.9
    assert [lf.chance for lf in facts] == pytest.approx([0.1, 0.9, mixed, 0.5])


def test_few_failures_come_after_what_makes_labels_wrong(subject):
    few, many, wrong = (
        lf("few", num_errors=1),
        lf("many", num_errors=5),
        lf("wrong", interval=(0.1, 0.3), weight=-1.4),
    )
    big = replace(subject, num_data_points=4000)
    assert [s.split("'")[1] for s in advice(big, few, wrong)] == ["wrong", "few"]
    assert [s.split("'")[1] for s in advice(big, many, wrong)] == ["many", "wrong"]


def test_uncovered_rows_dependent_groups_and_unexplained_pairs_are_named(subject):
    pairs = (
        Pair("c", "d", 90, 0.95, 0.7, 9.0, is_dependent=True, is_unexplained=True),
        Pair("e", "f", 80, 0.9, 0.7, 6.0, is_unexplained=True),
        Pair("g", "h", 80, 0.75, 0.7, 1.0),
    )
    agreement = replace(NO_PAIRS, unexplained=pairs, dependent_lfs=(("c", "d"),))
    said = advice(subject, coverage=replace(ALL, share_covered=0.6), agreement=agreement)
    assert said[0].startswith("40.0% of the rows have no vote")
    assert "share the weight of their votes: 'c' and 'd'" in said[1]
    assert said[2].startswith("'e' and 'f' agree on 90% of the rows they share, expected 70%.")
    assert len(said) == 3


@pytest.mark.parametrize("model", MODELS)
def test_dependencies_and_priors_are_named_only_to_label_models_that_take_them(subject, model):
    pair = Pair("e", "f", 80, 0.9, 0.7, 6.0, is_unexplained=True)
    (said,) = advice(subject, agreement=replace(NO_PAIRS, unexplained=(pair,)), model=model)
    assert ("label_model.model = 'auto'" not in said) is (model in USE_DEPENDENCIES)
    votes, gold = votes_and_gold([0.9] * 5, [1.0] * 5, 2000)
    wrong = np.random.default_rng(1).random(2000) < 0.3
    sure = made_facts(np.where(wrong[:, None], -votes, votes), gold=gold)  # all err together
    said = advice_of(subject, ALL, GOOD, (lf("a"),), NO_PAIRS, sure.calibration, None, model)[0]
    assert ("label_model.model = 'auto'" not in said) is (model in USE_DEPENDENCIES)
    assert ("prior_accuracies" in said) is (model in USE_PRIORS)


def test_accuracies_that_came_out_alike_are_named(subject):
    alike = [lf(name, accuracy=0.905 + at / 1000, interval=(0.8, 1.0)) for at, name in enumerate("abc")]
    (said,) = advice(subject, *alike)
    assert said.startswith(
        "All labeling functions came out equally accurate (90.6%): the votes do not tell them apart"
    )
    assert advice(subject, *alike[:2]) == ()
    assert advice(subject, *alike[:2], lf("c", accuracy=0.95)) == ()


def test_labels_that_hang_on_a_hair_are_counted(subject):
    labels = LabelHistogram(1000, 900, 79, 0.9, (), ())
    (said,) = advice_of(subject, ALL, GOOD, (lf("a"),), NO_PAIRS, None, None, "auto", labels)
    assert said.startswith(
        "79 of 900 rows with votes are all but tied: their two most probable classes are less than 1%"
    )
    few = replace(labels, num_near_ties=18)
    assert advice_of(subject, ALL, GOOD, (lf("a"),), NO_PAIRS, None, None, "auto", few) == ()


@pytest.mark.parametrize(
    ("minus", "part", "interval", "is_said"),
    [
        ("gold_end_model", "all", (-0.132, -0.015), True),
        ("gold_end_model", "all", (-0.132, 0.001), False),
        ("gold_end_model", "covered", (-0.132, -0.015), False),
        ("labels", "all", (-0.132, -0.015), False),
    ],
)
def test_a_better_end_model_trained_on_gold_is_named(subject, minus, part, interval, is_said):
    found = Difference(minus, part, 250, -0.066, interval, None, None)
    said = advice_of(subject, ALL, GOOD, (lf("a"),), NO_PAIRS, None, None, "auto", None, [found])
    expected = "trained on gold labels is right on 6.6% more of the test rows (95% interval 1.5% to 13.2%)"
    assert [expected in sentence for sentence in said] == [True] * is_said


def test_drift_is_named_with_where_it_goes(subject):
    parts = (Part("Monday", 10), Part("Tuesday", 10))
    drifting = LFDrift("x", 99.0, 1, True, "spam", 0.3, 0.2, (0.1, 0.5), (0.1, 0.5))
    (said,) = advice(subject, drift=Drift("day", parts, (drifting,)))
    assert said.startswith("'x' is not the same in all parts of the table: 'x' votes spam on 10.0% to 50.0%")
    assert "(day)" in said


def test_there_are_at_most_five_sentences_and_names_are_cut(subject):
    faults = [
        lf("y" * 300, num_errors=900),
        lf("b", interval=(0.1, 0.3), weight=-1.4),
        lf("c", interval=(0.4, 0.6)),
        lf("d", votes={}, num_votes=0),
        lf("e", seconds=900.0, share_of_time=0.9),
    ]
    said = advice(
        subject,
        *faults,
        coverage=replace(ALL, share_covered=0.5),
        quality=replace(GOOD, source="label model"),
    )
    assert len(said) == MAX_ADVICE
    assert max(map(len, said)) < 300


def test_gold_labels_have_the_first_word():
    votes, gold = votes_and_gold([0.9, 0.85, 0.8, 0.75, 0.7], [0.5] * 5)
    facts = made_facts(votes, gold=gold)
    assert facts.quality.source == "gold"
    covered = (votes != 0).any(axis=1)
    assert f"on {covered.sum():,} rows with votes and gold" in facts.quality.headline
    is_said = any(reason.startswith("Confidence meets truth") for reason in facts.quality.reasons)
    assert is_said is not facts.calibration.is_miscalibrated


def test_gold_labels_that_the_fit_was_given_are_no_check_from_outside():
    votes, gold = votes_and_gold([0.9, 0.85, 0.8, 0.75, 0.7], [0.5] * 5)
    apart, same = (made_facts(votes, gold=gold, is_gold_of_fit=is_same) for is_same in (False, True))
    assert not apart.is_calibrated_on_fit
    assert same.is_calibrated_on_fit
    all_rows = Scores(600, 300, 0.9, None, None, None, None, None, None, (), (), (), {})
    scores = {"all.labels": Report(all_rows, None, None, 0)}
    model = fit_label_model(VoteCounts.from_votes(votes))
    for facts, is_same in ((apart, False), (same, True)):
        quality = quality_of(model, None, scores, facts.calibration, facts.agreement, facts.lfs, is_same)
        assert quality.source == "gold"
        assert any("were given to the fit" in doubt for doubt in quality.doubts) is is_same
        assert any(reason.startswith("Estimates meet truth") for reason in quality.reasons) is not is_same


def test_without_gold_the_label_model_is_quoted_and_that_it_is_unchecked_is_said():
    votes, _ = votes_and_gold([0.9, 0.85, 0.8, 0.75, 0.7], [0.5] * 5, 3000)
    facts = made_facts(votes)
    assert facts.quality.source == "label model"
    assert facts.quality.accuracy == facts.labels.mean_confidence
    assert facts.quality.doubts[0].startswith("There are no gold labels")
    assert any("Label a hundred random rows by hand" in sentence for sentence in facts.advice)


def test_where_votes_say_nothing_no_number_is_made_up():
    votes = np.array([[1, 0], [1, 1], [0, 1], [0, 0]] * 20, dtype=np.int8)
    facts = made_facts(votes)
    assert facts.quality.accuracy is None
    assert facts.quality.headline.startswith("How good the labels are is not known")
    assert any(sentence.startswith("Nothing says how accurate") for sentence in facts.advice)


def test_labels_that_are_surer_than_right_are_no_reason_to_believe():
    votes, gold = votes_and_gold([0.9] * 5, [1.0] * 5, 2000)
    wrong = np.random.default_rng(1).random(2000) < 0.3
    votes[wrong] = -votes[wrong]  # all err together
    facts = made_facts(votes, gold=gold)
    assert facts.calibration.z > facts.calibration.max_z
    assert not any(reason.startswith("Confidence meets truth") for reason in facts.quality.reasons)
    assert any(sentence.startswith("Labels are surer than they are right") for sentence in facts.advice)


def test_what_would_show_accuracies_depends_on_what_there_is(subject):
    counted = replace(subject, label_model="majority_vote")
    one_sided = [lf(name, votes={"spam": 50}) for name in "abcd"]
    for lfs, wanted in (
        (
            [lf(name) for name in "abc"],
            "3 that vote leave nothing to check a fit with: add 1 or more that overlap",
        ),
        ([lf(name) for name in "abcd"], "Add some that overlap with others and look at something else"),
        (one_sided, "Add some that can vote for more than one class and overlap"),
    ):
        assert any(wanted in sentence for sentence in advice(counted, *lfs))
