"""What to fix first: at most five sentences, the most harmful first. Each names whom it is about and what to do."""

from collections.abc import Iterator, Sequence

import numpy as np

from dp_spark.label_model.calibration import Calibration
from dp_spark.label_model.model import NO_INTERVAL
from dp_spark.label_model.names import USE_DEPENDENCIES, USE_PRIORS
from dp_spark.labeling.lf_runs import SLOW_SHARE
from dp_spark.report.comparison import Difference
from dp_spark.report.counted_votes import counted_votes
from dp_spark.report.doubtful_labels import doubtful_labels
from dp_spark.report.run_facts import Coverage, Quality, Subject
from dp_spark.report.vote_facts import Agreement, Drift, LabelHistogram, LFFacts
from dp_spark.report.words import cut_in_middle, share_text

MAX_ADVICE = 5
LEAST_COVERED = 0.8  # of the data points; fewer are worth a sentence
MANY_FAILURES = 0.001  # of the data points; fewer failures are less urgent than what makes labels wrong
LEAST_SLOW_SECONDS = 60.0  # of Python time of all tasks together
LEAST_GAIN = 0.05  # of accuracy over a guess; less is hardly worth a vote
LEAST_JUDGED = 20  # gold labels, to say that a labeling function is wrong
_MAX_NAMES = 3
_MAX_CHARACTERS = 60  # of a name


def advice_of(
    subject: Subject,
    coverage: Coverage,
    quality: Quality,
    lfs: Sequence[LFFacts],
    agreement: Agreement,
    calibration: Calibration | None,
    drift: Drift | None,
    configured_model: str,
    labels: LabelHistogram | None = None,
    differences: Sequence[Difference] = (),
) -> tuple[str, ...]:
    """What to fix first, at most MAX_ADVICE sentences.

    Args:
        subject: what was labeled.
        coverage: how much of it.
        quality: of the labels.
        lfs: all labeling functions.
        agreement: between them.
        calibration: of the labels against gold, or None.
        drift: between parts of the table, or None.
        configured_model: label_model.model of the configuration.
        labels: the histogram of the label table, or None before it is written.
        differences: of the end model to the other tables, on test rows.
    """
    num_classes = len(subject.classes)
    found = [
        *_failures(lfs, subject.num_data_points, many=True),
        *_below_chance(lfs, num_classes),
        *counted_votes(lfs, subject, quality),
        *_overconfident(calibration, configured_model),
        *doubtful_labels(lfs, labels, differences),
        *_uncovered(coverage),
        *_dependent(agreement),
        *_resembling(agreement, configured_model),
        *_drifting(drift),
        *_near_chance(lfs, num_classes),
        *_underconfident(calibration),
        *_failures(lfs, subject.num_data_points, many=False),
        *_silent(lfs),
        *_without_gold(quality),
        *_slow(lfs),
    ]
    return tuple(found[:MAX_ADVICE])


def _failures(lfs: Sequence[LFFacts], num_data_points: int, *, many: bool) -> Iterator[str]:
    """Failures of labeling functions, if they are many, or if they are not."""
    failed = sorted((lf for lf in lfs if lf.num_errors), key=lambda lf: -(lf.num_errors or 0))
    if not failed:
        return
    num, share = (
        sum(lf.num_errors or 0 for lf in failed),
        (failed[0].num_errors or 0) / max(num_data_points, 1),
    )
    if (share >= MANY_FAILURES) == many:
        yield (
            f"{_names(failed)} failed {num:,} times and abstained there (the worst on {share_text(share)} of the "
            "rows). Correct them; the log has the type and line of the errors."
        )


def _below_chance(lfs: Sequence[LFFacts], num_classes: int) -> Iterator[str]:
    bad = [lf for lf in lfs if _is_below(lf, num_classes)]
    bad.sort(key=lambda lf: -lf.num_votes)
    if bad:
        shown = [_accuracy_text(lf) for lf in bad[:_MAX_NAMES]]
        yield (
            f"{_names(bad)} {_is_are(bad)} right less often than a guess ({'; '.join(shown)}). Correct the condition, "
            "turn the vote round, or leave out."
        )


def _is_below(lf: LFFacts, num_classes: int) -> bool:
    """Whether its votes speak against their class: worse than a guess, and of no positive log-odds."""
    if lf.num_judged >= LEAST_JUDGED and lf.empirical_accuracy is not None:
        return lf.empirical_accuracy < min(lf.chance, 1 / num_classes)
    return lf.interval is not None and lf.interval[1] < lf.chance and (lf.weight or 0.0) <= 0


def _near_chance(lfs: Sequence[LFFacts], num_classes: int) -> Iterator[str]:
    near = [lf for lf in lfs if _is_near(lf) and not _is_below(lf, num_classes)]
    near.sort(key=lambda lf: -lf.num_votes)
    if near:
        shown = [_accuracy_text(lf) for lf in near[:_MAX_NAMES]]
        yield (
            f"{_names(near)} may be no better than a guess ({'; '.join(shown)}). Look at conflicts with the others, "
            "and narrow the condition."
        )


def _is_near(lf: LFFacts) -> bool:
    """Whether a guess would do as well, as far as anything is known of its accuracy."""
    if lf.num_judged >= LEAST_JUDGED and lf.empirical_accuracy is not None:
        error = float(np.sqrt(lf.chance * (1 - lf.chance) / lf.num_judged))
        return lf.empirical_accuracy <= lf.chance + max(2 * error, LEAST_GAIN)
    return lf.interval is not None and lf.interval[0] <= lf.chance


def _overconfident(calibration: Calibration | None, configured_model: str) -> Iterator[str]:
    priors = " and prior_accuracies" if configured_model in USE_PRIORS else ""
    if calibration and calibration.is_miscalibrated and (calibration.z or 0.0) > 0:
        yield (
            f"Labels are surer than they are right: {calibration.mean_confidence:.1%} sure on average, "
            f"{calibration.accuracy:.1%} right. If labeling functions err together, "
            f"{_if_auto(configured_model)}name them in label_model.dependencies, or check class_balance{priors}."
        )


def _underconfident(calibration: Calibration | None) -> Iterator[str]:
    if calibration and calibration.is_miscalibrated and (calibration.z or 0.0) < 0:
        yield (
            f"Labels are right more often than they are sure: {calibration.accuracy:.1%} right, "
            f"{calibration.mean_confidence:.1%} sure on average. Read probabilities as cautious, or give a few "
            "gold labels as label_model.gold."
        )


def _uncovered(coverage: Coverage) -> Iterator[str]:
    if coverage.share_covered < LEAST_COVERED:
        yield (
            f"{1 - coverage.share_covered:.1%} of the rows have no vote, and only the class balance as label. Write "
            "labeling functions for them."
        )


def _dependent(agreement: Agreement) -> Iterator[str]:
    groups = sorted(agreement.dependent_lfs, key=len, reverse=True)
    if groups:
        shown = "; ".join(_quoted(group) for group in groups[:_MAX_NAMES])
        more = f"; and {len(groups) - _MAX_NAMES} more groups" if len(groups) > _MAX_NAMES else ""
        yield (
            f"Some labeling functions look at the same thing and share the weight of their votes: {shown}{more}. Merge "
            "them, or make each look at something of its own."
        )


def _resembling(agreement: Agreement, configured_model: str) -> Iterator[str]:
    pairs = [
        p for p in agreement.unexplained if p.is_unexplained and not p.is_dependent and (p.score or 0.0) > 0
    ]
    if pairs:
        worst = pairs[0]
        more = f" (the worst of {len(pairs)} such pairs)" if len(pairs) > 1 else ""
        yield (
            f"{_quoted([worst.first, worst.second])} agree on {worst.agreement:.0%} of the rows they share, expected "
            f"{worst.expected:.0%}{more}. If they look at the same thing, "
            f"{_if_auto(configured_model)}name them in label_model.dependencies."
        )


def _drifting(drift: Drift | None) -> Iterator[str]:
    drifting = [lf for lf in drift.lfs if lf.is_drifting] if drift else []
    if drift and drifting:
        lf = drifting[0]
        what = f"{_quoted([lf.name])} votes {cut_in_middle(lf.class_name, _MAX_CHARACTERS)}"
        low, high = min(lf.class_shares), max(lf.class_shares)
        yield (
            f"{_quoted([lf.name for lf in drifting])} {_is_are(drifting)} not the same in all parts of the table: "
            f"{what} on {low:.1%} to {high:.1%} of the rows. Look at what changed "
            f"between parts ({drift.by})."
        )


def _silent(lfs: Sequence[LFFacts]) -> Iterator[str]:
    silent = [lf for lf in lfs if not lf.num_votes]
    if silent:
        yield f"{_names(silent)} never {'vote' if len(silent) > 1 else 'votes'}. Correct the condition, or leave out."


def _without_gold(quality: Quality) -> Iterator[str]:
    if quality.source == "label model":
        yield (
            "No label was checked. Label a hundred random rows by hand and name the column as table.gold: the report "
            "then says how many labels are right."
        )


def _slow(lfs: Sequence[LFFacts]) -> Iterator[str]:
    slow = [
        lf
        for lf in lfs
        if (lf.share_of_time or 0.0) > SLOW_SHARE and (lf.seconds or 0.0) > LEAST_SLOW_SECONDS
    ]
    if slow and len(lfs) > 1:
        yield (
            f"{_names(slow[:1])} took {slow[0].share_of_time:.0%} of the time of all labeling functions. Write it for "
            "batches, or as patterns or a Spark expression."
        )


def _if_auto(configured_model: str) -> str:
    """What comes before naming dependencies: another label model, if the configured one would refuse them."""
    return "" if configured_model in USE_DEPENDENCIES else "take label_model.model = 'auto' and "


def _accuracy_text(lf: LFFacts) -> str:
    if lf.num_judged >= LEAST_JUDGED and lf.empirical_accuracy is not None:
        return f"{lf.empirical_accuracy:.0%} on gold"
    low, high = lf.interval or NO_INTERVAL
    return f"{lf.accuracy:.0%}, 95% interval {low:.0%} to {high:.0%}"


def _names(lfs: Sequence[LFFacts]) -> str:
    return _quoted([lf.name for lf in lfs])


def _quoted(names: Sequence[str]) -> str:
    shown = [repr(cut_in_middle(name, _MAX_CHARACTERS)) for name in names[:_MAX_NAMES]]
    if len(names) > _MAX_NAMES:
        return f"{', '.join(shown)} and {len(names) - _MAX_NAMES} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _is_are(items: Sequence[object]) -> str:
    return "are" if len(items) > 1 else "is"
