"""Where labels are wrong, for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dp_spark.iteration.error_counts import ErrorCounts
from dp_spark.iteration.plain_values import key_text, on_one_line
from dp_spark.labels.label import PROB_LABEL

MAX_LINES = 15  # of LFs and of the confusion; the content has all


@dataclass(frozen=True)
class ShownBucket:
    """Rows with the same gold class, the same label and the same votes, in words.

    Attributes:
        gold: the gold class.
        label: the class that they are labeled as.
        num_rows: how many there are.
        votes: the class that each LF votes for; those that abstain are left out.
        log_odds: what each LF adds to the log-odds of `label` against `gold`.
        rows: some of them: key columns, `prob_label`, and columns that were asked for.
    """

    gold: str
    label: str
    num_rows: int
    votes: dict[str, str]
    log_odds: dict[str, float]
    rows: list[dict[str, object]]


def errors_text(
    of: str, part: str, counts: ErrorCounts, buckets: Sequence[ShownBucket], key: Sequence[str]
) -> str:
    """How many are wrong, which classes are mixed up, which LFs are to blame, and the largest buckets.

    Args:
        of: what is judged.
        part: the rows.
        counts: over all rows.
        buckets: the largest ones.
        key: the key columns.
    """
    what = of.replace("_", " ")
    lines = [
        f"{what} against gold, {part} rows: {counts.num_wrong:,} of {counts.num_gold:,} are wrong, "
        f"{counts.num_right:,} right, {counts.num_tied:,} tied, {counts.num_uncovered:,} uncovered"
    ]
    if not counts.num_wrong:
        return "\n".join(lines)
    lines += ["", *_confusion_lines(counts)]
    blamed = [push for push in counts.pushes if push.num_rows]
    if blamed:
        lines += [
            "",
            "labeling functions to blame (log-odds towards the wrong class, summed over wrong rows)",
        ]
        lines += [
            f"{push.log_odds:+10.2f}  {push.name} (towards it on {push.num_rows:,} rows, most of all LFs on "
            f"{push.num_led:,})"
            for push in blamed[:MAX_LINES]
        ]
    num_shown = sum(bucket.num_rows for bucket in buckets)
    lines += ["", f"by who voted what ({num_shown:,} of {counts.num_wrong:,} wrong rows)"]
    return "\n".join([*lines, *(line for bucket in buckets for line in _bucket_lines(bucket, key))])


def _confusion_lines(counts: ErrorCounts) -> list[str]:
    k = len(counts.confusion)
    wrong = np.where(np.eye(k, k + 2, dtype=np.bool_), 0, counts.confusion)[:, :k]
    order = np.argsort(-wrong, axis=None, kind="stable")
    cells = [np.unravel_index(i, wrong.shape) for i in order]
    lines = [
        f"{wrong[i, j]:>10,}  gold {counts.titles[i]}, labeled {counts.titles[j]}"
        for i, j in cells
        if wrong[i, j]
    ]
    return lines[:MAX_LINES] + (
        [f"            ... and {len(lines) - MAX_LINES} more pairs"] if len(lines) > MAX_LINES else []
    )


def _bucket_lines(bucket: ShownBucket, key: Sequence[str]) -> list[str]:
    votes = ", ".join(
        f"{name} {title} ({bucket.log_odds[name]:+.2f})" for name, title in bucket.votes.items()
    )
    lines = [f"{bucket.num_rows:>10,}  gold {bucket.gold}, labeled {bucket.label}: {votes or 'no votes'}"]
    for row in bucket.rows:
        beside = {name: value for name, value in row.items() if name not in (*key, PROB_LABEL)}
        shown = "".join(f"\n                {name}: {on_one_line(value)}" for name, value in beside.items())
        lines.append(f"            {key_text({name: row[name] for name in key})}{shown}")
    return lines
