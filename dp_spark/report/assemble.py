"""From the results of a run to all numbers of its report; nothing is computed on the data here."""

from collections.abc import Sequence

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.lf_runs import LFRun
from dp_spark.report.advice import advice_of
from dp_spark.report.agreements import agreement_of
from dp_spark.report.evaluated import Evaluated, calibration_of_fit
from dp_spark.report.lf_facts import coverage_of, lf_facts
from dp_spark.report.quality import quality_of
from dp_spark.report.run_facts import RunFacts, Subject
from dp_spark.report.vote_facts import Drift, LabelHistogram


def facts_of(
    subject: Subject,
    counts: VoteCounts,
    runs: Sequence[LFRun],
    model: LabelModel | None,
    labels: LabelHistogram | None,
    evaluated: Evaluated,
    drift: Drift | None,
    *,
    configured_model: str,
    is_gold_of_fit: bool,
) -> RunFacts:
    """All numbers but those of the training, of rows of the data, and of what is missing.

    Args:
        subject: what was labeled.
        counts: of the label matrix.
        runs: what labeling functions did; may be empty.
        model: the label model, or None before it is fitted.
        labels: the histogram of the label table, or None before it is written.
        evaluated: what metrics.json says.
        drift: between parts of the table, or None if there are not two.
        configured_model: label_model.model of the configuration.
        is_gold_of_fit: whether the gold labels of the evaluation were given to the fit.
    """
    lfs = lf_facts(counts, subject.classes, runs, model, evaluated.gold_votes)
    coverage, agreement = coverage_of(counts), agreement_of(counts, model)
    calibration = evaluated.calibration or (calibration_of_fit(model.diagnostics) if model else None)
    quality = quality_of(model, labels, evaluated.scores, calibration, agreement, lfs, is_gold_of_fit)
    return RunFacts(
        subject=subject,
        coverage=coverage,
        quality=quality,
        advice=advice_of(
            subject,
            coverage,
            quality,
            lfs,
            agreement,
            calibration,
            drift,
            configured_model,
            labels,
            evaluated.differences,
        ),
        lfs=lfs,
        agreement=agreement,
        class_balance=tuple(model.class_balance.tolist()) if model else (),
        labels=labels,
        calibration=calibration,
        is_calibrated_on_fit=calibration is not None and (is_gold_of_fit or evaluated.calibration is None),
        scores=evaluated.scores,
        differences=evaluated.differences,
        verdict=evaluated.verdict,
        training=(),
        drift=drift,
        rows=(),
        warnings=model.warnings if model else (),
        notes=(),
        seconds=evaluated.seconds,
        metrics_digest=evaluated.digest,
    )
