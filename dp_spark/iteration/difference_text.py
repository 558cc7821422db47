"""What differs between two runs for a terminal: LFs, what they did to labels, and the rows that flipped."""

from collections import Counter
from collections.abc import Mapping, Sequence

from dp_spark.iteration.flips import Flips
from dp_spark.iteration.plain_values import key_text
from dp_spark.iteration.pushes import Push
from dp_spark.iteration.run_difference import LFDifference, LFState, RunDifference
from dp_spark.label_model.model import NO_INTERVAL

MAX_LINES = 15  # of LFs and of changes; the content has all
MAX_BALANCE_SHOWN = 6


def difference_lines(found: RunDifference, titles: Sequence[str]) -> list[str]:
    """LFs that differ, coverage, label model, class balance, and scores against gold.

    Args:
        found: the difference.
        titles: what the classes are called.
    """
    lines = []
    if found.parts:
        lines += [f"configuration: {', '.join(f'[{part}]' for part in found.parts)} changed", ""]
    changes = Counter(lf.change for lf in found.lfs)
    shown = [lf for lf in found.lfs if lf.is_different]
    numbers = ", ".join(
        f"{changes[change]} {change}" for change in ("added", "removed", "changed", "unchanged")
    )
    lines.append(
        f"labeling functions: {numbers}{', unknown ' + str(changes['unknown']) if changes['unknown'] else ''}"
    )
    if shown:
        lines += _table([_TITLES, *map(_lf_cells, shown[:MAX_LINES])])
    if len(shown) > MAX_LINES:
        lines.append(f"  ... and {len(shown) - MAX_LINES} more that differ")
    lines += ["", *_number_lines(found, titles)]
    return [*lines, *_score_lines(found)]


def flip_lines(flips: Flips, sample: Sequence[Mapping[str, object]], key: Sequence[str]) -> list[str]:
    """How many rows flipped, from what to what, those that moved furthest, and the LFs behind it.

    Args:
        flips: the counts.
        sample: of rows that moved alike one row of `flipped_rows`, and `num_alike`; those that moved furthest first.
        key: the key columns.
    """
    both = flips.num_both
    lines = [
        f"rows: {both:,} in both, {flips.num_only_before:,} only in A, {flips.num_only_after:,} only in B"
    ]
    share = f" ({100 * flips.num_flipped / both:.2f}%)" if both else ""
    lines.append(
        f"labels that changed: {flips.num_flipped:,} of {both:,}{share}: {flips.num_became_covered:,} became covered, "
        f"{flips.num_became_uncovered:,} became uncovered, {flips.num_of_votes:,} with votes in both"
    )
    changes = flips.changes
    lines += [f"{count:>10,}  {old} → {new}" for old, new, count in changes[:MAX_LINES]]
    if len(changes) > MAX_LINES:
        lines.append(f"            ... and {len(changes) - MAX_LINES} more kinds of change")
    if flips.pushes:
        lines += [
            "",
            "behind flips from class to class (log-odds towards the new class, summed over these rows)",
        ]
        lines += [_push_line(push) for push in flips.pushes[:MAX_LINES]]
        lines.append(f"{flips.class_balance_push:+10.2f}  class balance")
    for title, counts in (
        ("rows that became covered, by who votes now", flips.num_covering),
        ("rows that became uncovered, by who voted", flips.num_uncovering),
    ):
        if counts:
            lines += ["", f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())]
    if sample:
        lines += ["", "moved furthest: how many rows did so, from what to what, and one of them"]
        lines += [
            f"{row['num_alike']:>10,}  {_move(row)}, as {key_text({name: row[name] for name in key})}"
            for row in sample
        ]
    return lines


def _push_line(push: Push) -> str:
    where = f"towards it on {push.num_rows:,} rows, most of all LFs on {push.num_led:,}"
    return f"{push.log_odds:+10.2f}  {push.name} ({where})"


def _move(row: Mapping[str, object]) -> str:
    old, new = (_prob(row[f"prob_label_{side}"]) for side in ("before", "after"))
    return f"{row['label_before']} ({old}) → {row['label_after']} ({new})"


def _prob(prob: object) -> str:
    return ", ".join(f"{p:.3f}" for p in prob) if isinstance(prob, list) else f"{prob:.3f}"


_TITLES = ["", "change", "coverage", "conflicts", "accuracy, 95% interval", "weight", "on gold"]


def _lf_cells(lf: LFDifference) -> list[str]:
    def pair(name: str) -> str:
        old, new = (getattr(state, name) if state else None for state in (lf.before, lf.after))
        return _pair(_number(old), _number(new))

    accuracies = _pair(*(_accuracy(state) for state in (lf.before, lf.after)))
    change = f"{lf.change} (was {lf.renamed_from})" if lf.renamed_from else lf.change
    cells = [f"  {lf.name}", change, pair("coverage"), pair("conflicts"), accuracies]
    return [*cells, pair("weight"), pair("gold_accuracy")]


def _accuracy(state: LFState | None) -> str:
    if state is None or state.accuracy is None or state.accuracy_interval is None:
        return "-"
    low, high = state.accuracy_interval
    known = "assumed" if (low, high) == NO_INTERVAL else f"[{low:.2f}, {high:.2f}]"
    return f"{state.accuracy:.3f} {known}"


def _number_lines(found: RunDifference, titles: Sequence[str]) -> list[str]:
    old, new = found.before, found.after
    lines = [
        f"{'data points':16s} {_pair(_number(old['num_data_points']), _number(new['num_data_points']))}",
        f"{'share covered':16s} {_pair(_number(old['share_covered']), _number(new['share_covered']))}",
        f"{'label model':16s} {_pair(str(old['label_model'] or '-'), str(new['label_model'] or '-'))}",
    ]
    before, after = (_balance(side["class_balance"]) for side in (old, new))
    for i in range(max(len(before), len(after)))[:MAX_BALANCE_SHOWN]:
        title = f"P({titles[i]})" if i < len(titles) else f"P(class {i + 1})"
        lines.append(f"{title:16s} {_pair(*(_number(p[i]) if i < len(p) else '-' for p in (before, after)))}")
    return lines


def _balance(value: object) -> list[float]:
    return value if isinstance(value, list) else []


def _score_lines(found: RunDifference) -> list[str]:
    if not found.scores:
        return ["", "no scores against gold in either run"]
    rows = [["scored against gold", "accuracy, 95% interval", "log loss"]]
    for name, pair in found.scores.items():
        part, _, table = name.partition(".")
        losses = (_number(scores["log_loss"]) if scores else "-" for scores in pair)
        rows.append(
            [f"  {table.replace('_', ' ')} ({part} rows)", _pair(*map(_scored, pair)), _pair(*losses)]
        )
    return ["", *_table(rows)]


def _scored(scores: Mapping[str, object] | None) -> str:
    if not scores or scores["accuracy"] is None:
        return "-"
    intervals = scores["intervals"]
    interval = intervals.get("accuracy") if isinstance(intervals, Mapping) else None
    shown = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    return f"{_number(scores['accuracy'])}{shown}"


def _number(value: object) -> str:
    match value:
        case None:
            return "-"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.3f}"
        case _:
            return str(value)


def _pair(old: str, new: str) -> str:
    return old if old == new else f"{old} → {new}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
