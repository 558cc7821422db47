"""What to fix where labels are hardly more than a majority vote, hang on a hair, or cost the end model accuracy."""

from collections.abc import Iterator, Sequence

from dp_spark.label_model.confidence import NEAR_TIE
from dp_spark.report.comparison import Difference
from dp_spark.report.vote_facts import LabelHistogram, LFFacts
from dp_spark.stage_names import GOLD_END_MODEL

LEAST_APART = 0.005  # of accuracies; if all are closer, the votes do not tell labeling functions apart
MANY_NEAR_TIES = 0.02  # of the rows with votes


def doubtful_labels(
    lfs: Sequence[LFFacts], labels: LabelHistogram | None, differences: Sequence[Difference]
) -> Iterator[str]:
    """At most a sentence of each kind.

    Args:
        lfs: all labeling functions.
        labels: the histogram of the label table, or None before it is written.
        differences: of the end model to the other tables, on test rows.
    """
    yield from _alike(lfs)
    yield from _near_ties(labels)
    yield from _gold_is_better(differences)


def _alike(lfs: Sequence[LFFacts]) -> Iterator[str]:
    """All came out equally accurate: the label model is a majority vote whose ties the last digits break."""
    found = [lf.accuracy for lf in lfs if lf.interval and lf.accuracy is not None]
    if len(found) == len(lfs) > 2 and max(found) - min(found) < LEAST_APART:
        yield (
            f"All labeling functions came out equally accurate ({sum(found) / len(found):.1%}): the votes do not tell "
            "them apart, and labels follow the majority. Give some gold labels as label_model.gold, or write labeling "
            "functions that overlap with these."
        )


def _near_ties(labels: LabelHistogram | None) -> Iterator[str]:
    if labels and labels.num_near_ties > MANY_NEAR_TIES * labels.num_covered:
        yield (
            f"{labels.num_near_ties:,} of {labels.num_covered:,} rows with votes are all but tied: their two most "
            f"probable classes are less than {NEAR_TIE:.0%} apart, so that their labels hang on a hair. Write labeling "
            "functions for the rows where votes balance (dp-spark suggest), or leave such rows out of the training "
            "with training_set.min_confidence."
        )


def _gold_is_better(differences: Sequence[Difference]) -> Iterator[str]:
    for found in differences:
        interval = found.accuracy_interval
        if found.minus == GOLD_END_MODEL and found.part == "all" and interval and interval[1] < 0:
            yield (
                f"The same end model trained on gold labels is right on {-(found.accuracy or 0.0):.1%} more of the "
                f"test rows (95% interval {-interval[1]:.1%} to {-interval[0]:.1%}): what the labeling functions miss "
                "costs that much. Look at dp-spark errors, or give some gold labels to the fit as label_model.gold."
            )
