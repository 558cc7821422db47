"""Fit a label model to vote counts: VoteCounts -> LabelModel, on the driver."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from dp_spark.counting.gold_counts import GoldCounts
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions, stated
from dp_spark.label_model.auto import auto
from dp_spark.label_model.calibration import with_calibration
from dp_spark.label_model.class_conditional import class_conditional
from dp_spark.label_model.dawid_skene import dawid_skene
from dp_spark.label_model.empirical_bayes import empirical_bayes
from dp_spark.label_model.majority_vote import NOT_FITTED, majority_vote, specific_vote
from dp_spark.label_model.model import LabelModel
from dp_spark.label_model.names import refuse_unused
from dp_spark.label_model.one_coin import one_coin, one_coin_gradient_descent

logger = logging.getLogger(__name__)

MODELS: dict[str, Callable[[VoteCounts, Assumptions], LabelModel]] = {
    "auto": auto,
    "class_conditional": class_conditional,
    "dawid_skene": dawid_skene,
    "empirical_bayes": empirical_bayes,
    "one_coin": one_coin,
    "gradient_descent": one_coin_gradient_descent,
    "majority_vote": majority_vote,
    "specific_vote": specific_vote,
}


def fit_label_model(
    counts: VoteCounts,
    model: str = "auto",
    class_balance: float | Sequence[float] | None = None,
    prior_accuracies: Mapping[str, float] | None = None,
    dependencies: Sequence[Sequence[str]] = (),
    gold: GoldCounts | None = None,
) -> LabelModel:
    """The label model that explains the agreements and disagreements of the labeling functions.

    Args:
        counts: of the label matrix; at least one data point.
        model: "auto": fitted accuracies where the votes show that they are better than a vote count, else a
            vote count; "class_conditional" where LFs are one-sided and independence is borne out;
            "empirical_bayes": one accuracy per LF, trusted as far as the votes bear it out;
            "one_coin": the tutorial's, LFs that the votes do not determine fall back to majority vote;
            "gradient_descent": the tutorial's fit of it; "majority_vote": all LFs the same;
            "dawid_skene": P(vote | class) for every LF and class, for crowds and LFs that vote for every class;
            "class_conditional": the same for two classes whatever LFs vote for, from covariances;
            "specific_vote": a one-sided LF counts less the more it covers.
        class_balance: P(y = +1) for two classes, or k probabilities; None: estimated by "dawid_skene", and by "auto",
            "empirical_bayes" and "class_conditional" where the votes identify it; else the same for every class.
        prior_accuracies: what you expect of some LFs, by name, inside (0, 1). It stands where the votes say
            nothing, and estimates are drawn to it. For "auto", "empirical_bayes", "specific_vote" and
            "dawid_skene".
        dependencies: groups of LFs, by name, that look at the same thing: their agreements say nothing about
            accuracies, and they share the weight of their votes. For "auto" and "empirical_bayes", which find
            others by themselves, and "one_coin".
        gold: of `count_gold`, a few gold labels. They give the class balance, if it is not given. "auto",
            unless it takes "class_conditional", "empirical_bayes" and "specific_vote" take each as one more
            observation of an LF's accuracy; these, "one_coin" and "class_conditional" let them decide which of two
            mirror images is right. Of every
            model `diagnostics["calibration"]` then compares the labels with them.

    Raises:
        ValueError: if there is no such model, an assumption is none, or nothing was counted.
        DivergedError: from "gradient_descent" on many LFs.
    """
    if model not in MODELS:
        raise ValueError(f"there is no label model {model!r}: expected one of {sorted(MODELS)}.")
    if not isinstance(counts, VoteCounts):
        raise ValueError(
            f"counts is a {type(counts).__name__}: expected VoteCounts, of count_votes(label_matrix) or "
            "VoteCounts.from_votes(votes)."
        )
    if counts.num_data_points == 0:
        raise ValueError("the vote counts hold no data points: count a label matrix with at least one row.")
    refuse_unused(model, prior_accuracies, dependencies)
    fitted = MODELS[model](counts, stated(counts, class_balance, prior_accuracies, dependencies, gold))
    noted = {**fitted.diagnostics, "coverage": counts.coverage.tolist()}
    fitted = replace(fitted, diagnostics=noted)
    if gold is not None:
        fitted = with_calibration(fitted, gold)
    _log(fitted)
    for warning in fitted.warnings:
        logger.warning("%s", warning)
    return fitted


def _log(model: LabelModel) -> None:
    m, status = len(model.lf_names), model.diagnostics["status"]
    if status == NOT_FITTED["status"]:
        logger.info("label model %s: m=%d; votes are counted, no accuracies fitted", model.model, m)
    else:
        steps = model.diagnostics.get("num_steps", 0)
        logger.info("fitted label model %s: m=%d status=%s steps=%s", model.model, m, status, steps)
