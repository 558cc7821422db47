"""How good the labels of a run probably are, and why one may believe it: sentences from numbers.

Gold labels have the first word. Without them the label model's own confidence is all there is: an expectation under
its assumptions, and it is called that.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from dp_spark.label_model.calibration import Calibration
from dp_spark.label_model.model import NO_INTERVAL, LabelModel
from dp_spark.report.run_facts import Quality
from dp_spark.report.scores import Report
from dp_spark.report.vote_facts import Agreement, LabelHistogram, LFFacts

VOTE_COUNTS = ("majority_vote", "specific_vote")  # label models that fit no accuracies
GOLD_SCORES = "all.labels"
_NO_GOLD = "There are no gold labels: nothing outside of the votes says whether labels are right."
_OPTIMISTIC = "These gold labels were given to the fit: on others, fewer labels may be right."
LEAST_GOLD = 10  # rows, to say how good labels are
_BALANCE = {
    "given": "The class balance was given in the configuration.",
    "gold": "The class balance is that of the gold labels of the fit.",
    "estimated": "The class balance is estimated from the votes, which identify it.",
}


def quality_of(
    model: LabelModel | None,
    labels: LabelHistogram | None,
    scores: Mapping[str, Report],
    calibration: Calibration | None,
    agreement: Agreement,
    lfs: Sequence[LFFacts],
    is_gold_of_fit: bool,
) -> Quality:
    """The verdict on the labels.

    Args:
        model: the label model, or None before it is fitted.
        labels: the histogram of the label table, or None before it is written.
        scores: against gold; may be empty.
        calibration: of the labels against gold, or None.
        agreement: between labeling functions.
        lfs: all of them.
        is_gold_of_fit: whether the gold labels of the scores were given to the fit.
    """
    if model is None:
        return Quality(
            "No label model is fitted yet: there are no labels to judge.", None, None, "nothing", (), ()
        )
    reasons = (*_gold_reasons(calibration, () if is_gold_of_fit else lfs), *_fit_reasons(model, agreement))
    doubts = tuple(_doubts(model, agreement))
    report = scores.get(GOLD_SCORES)
    if report and report.all.accuracy is not None and report.all.num_data_points >= LEAST_GOLD:
        return _by_gold(report, reasons, (_OPTIMISTIC, *doubts) if is_gold_of_fit else doubts)
    if calibration and calibration.num_gold >= LEAST_GOLD and calibration.accuracy is not None:
        return _by_fitted_gold(calibration, reasons, doubts)
    return _by_model(model, labels, reasons, (_NO_GOLD, *doubts))


def _by_model(
    model: LabelModel, labels: LabelHistogram | None, reasons: tuple[str, ...], doubts: tuple[str, ...]
) -> Quality:
    """What the label model expects of its own labels, where anything but an assumption says it."""
    confidence = labels.mean_confidence if labels else None
    if confidence is not None and not _is_unknown(model):
        headline = f"The label model expects {confidence:.1%} of the labels of covered rows to be right."
        return Quality(headline, confidence, None, "label model", reasons, doubts)
    headline = (
        "How good the labels are is not known: the votes do not say how accurate labeling functions are."
    )
    if labels and confidence is None:
        headline = (
            "No labeling function voted: the labels are the class balance and say nothing of single rows."
        )
    return Quality(headline, None, None, "nothing", reasons, doubts)


def _by_gold(report: Report, reasons: tuple[str, ...], doubts: tuple[str, ...]) -> Quality:
    scores = report.all
    interval = scores.intervals.get("accuracy")
    reach = f" (95% interval {interval[0]:.1%} to {interval[1]:.1%})" if interval else ""
    headline = (
        f"{scores.accuracy:.1%} of the labels are right on {scores.num_data_points:,} rows with gold{reach}."
    )
    covered = report.covered
    if covered and covered.accuracy is not None and covered.num_data_points < scores.num_data_points:
        headline += f" Of those with a vote, {covered.accuracy:.1%} are."
    return Quality(headline, scores.accuracy, interval, "gold", reasons, doubts)


def _by_fitted_gold(calibration: Calibration, reasons: tuple[str, ...], doubts: tuple[str, ...]) -> Quality:
    headline = (
        f"{calibration.accuracy:.1%} of the labels are right on {calibration.num_gold:,} rows with votes and gold that "
        "the fit was given."
    )
    return Quality(headline, calibration.accuracy, None, "gold", reasons, (_OPTIMISTIC, *doubts))


def _gold_reasons(calibration: Calibration | None, lfs: Sequence[LFFacts]) -> list[str]:
    found = []
    if calibration and calibration.num_gold >= LEAST_GOLD and not calibration.is_miscalibrated:
        found.append(
            f"Confidence meets truth: on {calibration.num_gold:,} rows with votes and gold, labels are "
            f"{calibration.mean_confidence:.1%} sure on average and {calibration.accuracy:.1%} of them are right."
        )
    judged = [
        lf for lf in lfs if lf.num_judged >= LEAST_GOLD and lf.interval and lf.empirical_accuracy is not None
    ]
    inside = [lf for lf in judged if lf.interval and _is_near(lf)]
    if judged and len(inside) >= len(judged) / 2:
        found.append(
            f"Estimates meet truth: for {len(inside)} of {len(judged)} labeling functions the accuracy on gold meets "
            "the interval that was estimated from votes."
        )
    return found


def _is_near(lf: LFFacts) -> bool:
    """Whether the accuracy on gold, give or take two standard errors, meets the estimated interval."""
    if lf.interval is None or lf.empirical_accuracy is None:
        return False
    p = lf.empirical_accuracy
    reach = 2 * float(np.sqrt(p * (1 - p) / lf.num_judged))
    return lf.interval[0] - reach <= p <= lf.interval[1] + reach


def _fit_reasons(model: LabelModel, agreement: Agreement) -> list[str]:
    found, choice = [], model.diagnostics.get("choice")
    if isinstance(choice, Mapping) and model.model not in VOTE_COUNTS:
        gain = choice.get("held_out_gain_standard_errors")
        by = f", by {gain:.1f} standard errors" if isinstance(gain, float) else ""
        found.append(f"The fit was checked against a majority vote: {choice['why']}{by}.")
    if agreement.num_checked and not agreement.num_beyond_chance:
        found.append(
            f"The label model explains how often labeling functions agree: none of {agreement.num_checked:,} pairs "
            "stands out."
        )
    source = str(model.diagnostics.get("class_balance"))
    return [*found, *([_BALANCE[source]] if source in _BALANCE else [])]


def _doubts(model: LabelModel, agreement: Agreement) -> list[str]:
    found, choice = [], model.diagnostics.get("choice")
    if model.model in VOTE_COUNTS:
        why = f": {choice['why']}" if isinstance(choice, Mapping) else ""
        found.append(f"No accuracies were fitted, votes are counted ({model.model.replace('_', ' ')}){why}.")
    if model.diagnostics.get("status") in ("reached max_steps", "diverged"):
        found.append("The fit did not converge.")
    if agreement.num_beyond_chance:
        found.append(
            f"The label model does not explain how often {agreement.num_beyond_chance:,} of "
            f"{agreement.num_checked:,} pairs of labeling functions agree."
        )
    discount = model.diagnostics.get("discount")
    if isinstance(discount, float) and discount < 1:
        found.append(
            f"Labeling functions err together: their votes count {discount:.0%} of what independent ones would."
        )
    if model.diagnostics.get("class_balance") == "uniform":
        found.append("The class balance is not known: all classes count as equally frequent.")
    return found


def _is_unknown(model: LabelModel) -> bool:
    """Whether nothing but an assumption says how accurate labeling functions are."""
    return bool((np.asarray(model.intervals) == NO_INTERVAL).all())
