"""Suggestions where to write the next LF, for a terminal."""

from collections.abc import Sequence
from itertools import groupby

from dp_spark.iteration.conflicting_pairs import ConflictingPair
from dp_spark.iteration.plain_values import on_one_line
from dp_spark.iteration.suggestions import Suggestion, Suggestions
from dp_spark.texts import shortened

_FOCUS = {
    "uncovered": "have no vote",
    "conflicts": "have votes for different classes",
    "uncertain": "have votes, but an uncertain label",
}
_KINDS = {"tokens": "tokens and pairs of tokens", "values": "values", "ranges": "ranges"}
_WIDTH = 32  # of a value
MAX_PAIRS = 5  # of labeling functions; the content has more


def suggestions_text(found: Suggestions, pairs: Sequence[ConflictingPair], basis: Sequence[str]) -> str:
    """What rows in focus share, by column; pairs in conflict; and what all that is based on.

    Args:
        found: the suggestions.
        pairs: of LFs, those with most conflicts first.
        basis: sentences.
    """
    share = f" ({100 * found.num_focus / found.num_rows:.1f}%)" if found.num_rows else ""
    lines = [f"{found.num_focus:,} of {found.num_rows:,} rows{share} {_FOCUS[found.focus]}"]
    for name, group in groupby(found.found, key=lambda suggestion: suggestion.column):
        lines += ["", *_column_lines(name, list(group), found)]
    if found.num_focus and not found.found:
        lines += ["", "no value is over-represented among them"]
    if pairs:
        lines += ["", "labeling functions that disagree most"]
        lines += [
            f"{pair.num_conflicts:>10,}  {pair.first} and {pair.second}: "
            f"{100 * pair.num_conflicts / pair.num_overlaps:.0f}% of the {pair.num_overlaps:,} rows on which both vote"
            for pair in pairs[:MAX_PAIRS]
        ]
    return "\n".join([*lines, "", *basis])


def _column_lines(name: str, suggestions: Sequence[Suggestion], found: Suggestions) -> list[str]:
    title = f"{name} ({_KINDS[suggestions[0].kind]})"
    heading = f"{title:{_WIDTH}s} {found.focus:>10s} {'all rows':>10s} {'log-odds':>9s} {'z':>6s}  leans"
    return [heading, *(_line(suggestion, found) for suggestion in suggestions)]


def _line(suggestion: Suggestion, found: Suggestions) -> str:
    value, alike = (
        on_one_line(suggestion.value),
        f" (+{suggestion.num_alike})" if suggestion.num_alike else "",
    )
    room = _WIDTH - 2 - len(alike)
    cut = shortened(value, room) + alike
    return (
        f"  {cut:{_WIDTH - 2}s} {suggestion.num_focus:>10,} {suggestion.num_rows:>10,} {suggestion.log_odds:>+9.2f} "
        f"{suggestion.z:>6.1f}  {_lean(suggestion, found)}"
    )


def _lean(suggestion: Suggestion, found: Suggestions) -> str:
    """Which class the covered rows with this value favour, beside that class's share of all covered rows."""
    if not suggestion.num_labeled:
        return "no covered row has it"
    if suggestion.lean is None:
        return f"to no class ({suggestion.num_labeled:,} covered rows)"
    share = found.num_labeled[suggestion.lean] / sum(found.num_labeled.values())
    return (
        f"{suggestion.lean}: {suggestion.num_lean:,} of {suggestion.num_labeled:,} covered rows with it, "
        f"{100 * share:.0f}% of all"
    )
