"""What a report advises where accuracies could not be fitted: which labeling functions would show them."""

from collections.abc import Iterator, Sequence

from dp_spark.report.quality import VOTE_COUNTS
from dp_spark.report.run_facts import Quality, Subject
from dp_spark.report.vote_facts import LFFacts

LEAST_LFS = 4  # three have as many pairs as accuracies: whatever they do, some accuracies fit


def counted_votes(lfs: Sequence[LFFacts], subject: Subject, quality: Quality) -> Iterator[str]:
    """The advice, if the label model counts votes because they do not show how accurate labeling functions are."""
    if subject.label_model in VOTE_COUNTS and quality.source != "nothing":
        yield (
            "The label model counts votes, because they do not show how accurate labeling functions are. "
            f"{_wanted(lfs)}, or give a few gold labels as label_model.gold."
        )
    elif quality.source == "nothing" and subject.label_model:
        yield (
            f"Nothing says how accurate labeling functions are. {_wanted(lfs)}, or give a few gold labels as "
            "label_model.gold."
        )


def _wanted(lfs: Sequence[LFFacts]) -> str:
    """Which labeling functions would show how accurate the others are."""
    voting = [lf for lf in lfs if lf.votes]
    if len(voting) < LEAST_LFS:
        return (
            f"{len(voting)} that vote leave nothing to check a fit with: add {LEAST_LFS - len(voting)} or more that "
            "overlap with them"
        )
    if all(len(lf.votes) > 1 for lf in voting):
        return "Add some that overlap with others and look at something else"
    return "Add some that can vote for more than one class and overlap with others"
