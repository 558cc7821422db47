import math

import numpy as np
import pytest
from label_matrices import two_sided

from dp_spark import VoteCounts, fit_label_model


@pytest.mark.parametrize(
    ("k", "model"), [(2, "one_coin"), (2, "auto"), (4, "auto"), (2, "dawid_skene"), (4, "dawid_skene")]
)
def test_the_terms_add_up_to_the_label(k, model):
    votes, _ = two_sided(0, 500, k=k)
    fitted = fit_label_model(VoteCounts.from_votes(votes, num_classes=k), model)
    probs = fitted.predict_proba(votes[:50])
    for row, expected in zip(votes[:50], probs, strict=True):
        explained = fitted.explain(row)
        assert np.abs(explained.probabilities - expected).max() < 1e-12
        odds = explained.log_odds(fitted.classes[1], fitted.classes[0])
        assert odds.total == math.fsum([odds.class_balance, *odds.by_lf.values()])
        assert odds.total == pytest.approx(math.log(expected[1] / expected[0]), abs=1e-9)
        assert set(odds.by_lf) == {f"lf_{i}" for i in np.flatnonzero(row)}


def test_it_reads_as_a_sum():
    votes, _ = two_sided(0, 500)
    model = fit_label_model(VoteCounts.from_votes(votes), "one_coin", class_balance=0.25)
    text = str(model.explain(np.array([1, 0, -1, 0, 0], dtype=np.int8)))
    first, *terms = text.splitlines()
    assert first.startswith("+1 with probability 0.")
    assert [line.split()[-1] for line in terms] == ["balance", "lf_0", "lf_2", "total"]
    assert terms[0].split()[0] == "-1.0986"  # log(1/3)


def test_a_class_that_is_not_there_is_refused():
    model = fit_label_model(VoteCounts.from_votes(two_sided(0, 100)[0]), "majority_vote")
    with pytest.raises(ValueError, match=r"\[2\] are no classes here: expected two of \[-1, 1\]"):
        model.explain(np.zeros(5, dtype=np.int8)).log_odds(1, 2)
    with pytest.raises(ValueError, match="votes has 3 columns: expected 5"):
        model.explain(np.zeros(3, dtype=np.int8))
