"""Literals that tell where a regular expression may match, and sometimes that it does.

They are what a scan for many patterns at once looks for: Cox, "Regular Expression Matching with a Trigram
Index" (2012, https://swtch.com/~rsc/regexp/regexp4.html), and RE2's FilteredRE2. Literals are UTF-8
with ASCII letters in lower case, to be looked for in texts that were changed in the same way.
"""

import importlib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import cast

# All characters beyond ASCII that `re.IGNORECASE` takes for an ASCII letter, and that letter.
FOLDED_TO_ASCII = {"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"}

# Single bytes that occur in most texts: looking for them alone costs more than it saves.
_COMMON_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ .,\n")
_MAX_STRINGS = 16  # alternatives that are combined with others before and after them
_MAX_CHARACTERS = 4  # of a class [abc], for it to count as alternatives
_MAX_COPIES = 4  # of what {n,m} repeats
_MAX_COUNTED = 1000  # of them, for the width of a match to count as known
_MAX_PRUNED = 64  # comparing all with all is quadratic
_SCOPED_IGNORECASE = re.compile(r"\(\?[a-zA-Z]*i")

_WORD_BORDER = b"\xff"  # stands for \b in a string; no byte of UTF-8
_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

_Strings = frozenset[bytes]
_NOTHING: _Strings = frozenset()
_EMPTY: _Strings = frozenset({b""})

_Node = tuple[object, object]  # as `re._parser` has them: a named operation and its arguments


@dataclass(frozen=True)
class Clue:
    """What an occurrence of a literal says about a pattern or keyword.

    Attributes:
        literal: ASCII letters in lower case.
        starts_word: it says nothing if an ASCII letter, digit or underscore is in front of it.
        ends_word: likewise behind it.
        is_lower_case: it says nothing if an ASCII letter of it is a capital in the text.
        is_proof: otherwise the text matches, unless a character beyond ASCII at a start or end of
            a word leaves that open. If False, the text only may match.
        lead: a match that the literal is part of starts at most so many characters before it; None if
            that is not known.
    """

    literal: bytes
    starts_word: bool = False
    ends_word: bool = False
    is_lower_case: bool = False
    is_proof: bool = False
    lead: int | None = None


def clues_of_pattern(pattern: re.Pattern[str]) -> list[Clue]:
    r"""Clues of which one is in any text that `pattern` matches; none if nothing is known.

    >>> [(clue.literal, clue.is_proof) for clue in clues_of_pattern(re.compile(r"\bcolou?r\b"))]
    [(b'color', True), (b'colour', True)]
    >>> clues_of_pattern(re.compile(r"colou?r\s*=\s*\w+"))[0].is_proof
    False
    """
    parser = importlib.import_module("re._parser")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # compiling the pattern has already given the same warnings
        tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    ignore_case = bool(pattern.flags & re.IGNORECASE)
    language = _of_sequence(tree, ignore_case)
    required = frozenset(string.replace(_WORD_BORDER, b"") for string in language.required)
    if not required or not all(len(s) > 1 or (s and s[0] not in _COMMON_BYTES) for s in required):
        return []
    if language.is_precise and language.exact is not None:
        clues = [_proof(string, ignore_case) for string in sorted(language.exact)]
        if all(clue.is_proof for clue in clues):
            return clues + _folded(clues, ignore_case)
    pruned, lead = _pruned(required), language.lead
    if pruned != required:  # a literal may stand for one that held it, and began before it
        lead = _sum(lead, max(map(len, required)) - min(map(len, pruned)))
    clues = [Clue(literal, lead=lead) for literal in sorted(pruned)]
    return clues + _folded(clues, ignore_case or bool(_SCOPED_IGNORECASE.search(pattern.pattern)))


def clues_of_text(text: str, ignore_case: bool, is_whole_word: bool) -> list[Clue]:
    """Clues of which one is in any text that holds `text`; none if its characters have other cases."""
    if ignore_case and not _folds_only_in_ascii(text):
        return []
    literal = text.encode().lower()
    is_lower_case = not ignore_case and literal == text.encode()
    is_proof = ignore_case or is_lower_case
    clue = Clue(literal, is_whole_word, is_whole_word, is_lower_case, is_proof, lead=0)
    return [clue, *_folded([clue], ignore_case)]


def _folded(clues: Sequence[Clue], ignore_case: bool) -> list[Clue]:
    """A character of `FOLDED_TO_ASCII` may stand for a letter of a literal that ignores case."""
    letters = b"".join(clue.literal for clue in clues) if ignore_case else b""
    return [Clue(c.encode()) for c, letter in FOLDED_TO_ASCII.items() if letter.encode() in letters]


def _folds_only_in_ascii(text: str) -> bool:
    """True if all characters beyond ASCII are the same in lower and upper case, like emoji."""
    return text.isascii() or all(c.isascii() or c == c.lower() == c.upper() for c in text)


def _proof(string: bytes, ignore_case: bool) -> Clue:
    """The clue of a string with word borders; no proof if they ask for more than a clue can say."""
    literal = string.strip(_WORD_BORDER)
    starts_word, ends_word = string.startswith(_WORD_BORDER), string.endswith(_WORD_BORDER)
    is_proof = (
        _WORD_BORDER not in literal
        and (not starts_word or literal[0] in _WORD_BYTES)
        and (not ends_word or literal[-1] in _WORD_BYTES)
    )
    return Clue(literal, starts_word, ends_word, not ignore_case, is_proof, lead=0)


@dataclass(frozen=True)
class _Language:
    """What is known of the strings that a part of a pattern matches.

    Attributes:
        exact: the part matches only strings in it; None if they are many or unknown.
        required: one of them occurs in the text where the part matches; none if nothing is known.
        is_precise: the part matches every string in `exact`, wherever it occurs.
        lead: the part starts at most so many characters before the required string; None if unknown.
        width: it matches at most so many characters; None if unknown.
    """

    exact: _Strings | None
    required: _Strings
    is_precise: bool = False
    lead: int | None = None
    width: int | None = None


_ANYTHING = _Language(None, _NOTHING)
_ANY_CHARACTER = _Language(None, _NOTHING, width=1)
_NO_WIDTH = _Language(_EMPTY, _NOTHING, width=0)
_BORDER = _Language(frozenset({_WORD_BORDER}), _NOTHING, is_precise=True, width=0)


def _length(strings: _Strings) -> int:
    return min((len(string) - string.count(_WORD_BORDER) for string in strings), default=0)


def _better(first: _Language, second: _Language) -> _Language:
    """The one whose shortest required string is longer; of equals the one with fewer."""
    return max(first, second, key=lambda part: (_length(part.required), -len(part.required)))


def _pruned(literals: _Strings) -> _Strings:
    """Without those that contain another: the text that holds them holds the other."""
    if len(literals) > _MAX_PRUNED:
        return literals
    return frozenset(s for s in literals if not any(other in s for other in literals if other != s))


def _of_sequence(nodes: Iterable[_Node], ignore_case: bool) -> _Language:
    """What is known of nodes that follow each other: their alternatives are joined to longer ones."""
    best, is_exact, is_precise = _NO_WIDTH, True, True
    run, run_start, width = _EMPTY, _NO_WIDTH.width, _NO_WIDTH.width
    for part in (part for node in nodes for part in _of_node(node, ignore_case)):
        best = _better(best, replace(part, lead=_sum(width, part.lead)))
        is_precise &= part.is_precise
        if part.exact is not None and _may_join(run, part.exact):
            run = frozenset(before + after for before in run for after in part.exact)
        else:
            best, is_exact = _better(best, _Language(None, run, lead=run_start)), False
            run, run_start = _EMPTY, _sum(width, part.width)
            if part.exact is not None:
                run, run_start = part.exact, width
        width = _sum(width, part.width)
    best = _better(best, _Language(None, run, lead=run_start))
    return _Language(run if is_exact else None, best.required, is_precise, best.lead, width)


def _sum(*widths: int | None) -> int | None:
    return None if None in widths else sum(width for width in widths if width is not None)


def _most(widths: Sequence[int | None]) -> int | None:
    return None if None in widths else max((width for width in widths if width is not None), default=0)


def _may_join(first: _Strings, second: _Strings) -> bool:
    return len(first) * len(second) <= max(_MAX_STRINGS, len(first), len(second))


def _nodes(value: object) -> Iterable[_Node]:
    """Arguments that are a parse tree; typeshed does not know which are."""
    return cast("Iterable[_Node]", value)


def _items(value: object) -> Iterable[object]:
    return cast("Iterable[object]", value)


def _flags(value: object) -> int:
    return cast("int", value)


def _of_node(node: _Node, ignore_case: bool) -> Sequence[_Language]:
    """What is known of one node, as the parts that it consists of."""
    match str(node[0]), node[1]:
        case "LITERAL", int(code):
            return [_of_characters([code], ignore_case)]
        case "IN", list(members) if all(str(kind) == "LITERAL" for kind, _ in members):
            return [_of_characters([code for _, code in members], ignore_case)]
        case "BRANCH", (_, branches):
            return [_of_branches([_nodes(b) for b in _items(branches)], ignore_case)]
        case "SUBPATTERN", (_, added, removed, nodes):
            ignores = (ignore_case or bool(_flags(added) & re.IGNORECASE)) and not _flags(
                removed
            ) & re.IGNORECASE
            inner = _of_sequence(_nodes(nodes), ignores)
            return [inner if ignores == ignore_case else _imprecise(inner)]
        case "ATOMIC_GROUP", nodes:
            return [_imprecise(_of_sequence(_nodes(nodes), ignore_case))]
        case "MAX_REPEAT" | "MIN_REPEAT", (int(least), int(most), nodes):
            return _of_repetition(least, most, _of_sequence(_nodes(nodes), ignore_case))
        case "POSSESSIVE_REPEAT", (int(least), int(most), nodes):
            return _of_repetition(least, most, _imprecise(_of_sequence(_nodes(nodes), ignore_case)))
        case "GROUPREF_EXISTS", (_, yes, no):
            return [_imprecise(_of_branches([_nodes(yes), _nodes(no or [])], ignore_case))]
        case "ASSERT", (_, nodes):
            asserted = _of_sequence(_nodes(nodes), ignore_case)
            return [_Language(_EMPTY, asserted.required, lead=asserted.lead, width=0)]
        case "AT", place if str(place) == "AT_BOUNDARY":
            return [_BORDER]
        case "ASSERT_NOT" | "AT", _:
            return [_NO_WIDTH]
        case "IN" | "NOT_LITERAL" | "ANY", _:
            return [_ANY_CHARACTER]
        case _:
            return [_ANYTHING]


def _imprecise(language: _Language) -> _Language:
    return replace(language, is_precise=False)


def _of_characters(codes: Sequence[int], ignore_case: bool) -> _Language:
    """One of some characters; a character with several forms beyond ASCII can be anything."""
    characters = frozenset(map(chr, codes))
    is_encodable = all(not "\ud800" <= c <= "\udfff" for c in characters)
    if not is_encodable or (ignore_case and not _folds_only_in_ascii("".join(characters))):
        return _ANY_CHARACTER
    strings = frozenset(c.encode().lower() for c in characters)
    if len(strings) > _MAX_CHARACTERS:
        return _ANY_CHARACTER
    is_precise = ignore_case or all(c.encode() in strings for c in characters)
    return _Language(strings, strings, is_precise, lead=0, width=1)


def _of_branches(branches: Sequence[Iterable[_Node]], ignore_case: bool) -> _Language:
    """One of several: strings are known only if they are known of each."""
    parts = [_of_sequence(branch, ignore_case) for branch in branches]
    exact = [part.exact for part in parts if part.exact is not None]
    required = [part.required for part in parts]
    return _Language(
        _union(exact) if len(exact) == len(parts) else None,
        _union(required) if all(map(_length, required)) else _NOTHING,
        all(part.is_precise for part in parts),
        _most([part.lead for part in parts]),
        _most([part.width for part in parts]),
    )


def _union(sets: Iterable[_Strings]) -> _Strings:
    return frozenset(chain.from_iterable(sets))


def _of_repetition(least: int, most: int, part: _Language) -> Sequence[_Language]:
    """`part` so many times: the first few are sure to follow each other."""
    if (least, most) == (0, 1) and part.exact is not None:
        return [_Language(part.exact | _EMPTY, _NOTHING, part.is_precise, width=part.width)]
    copies = [part] * min(least, _MAX_COPIES)
    num_more = most - len(copies)
    if num_more == 0:
        return copies
    width = part.width if num_more <= _MAX_COUNTED else None
    return [*copies, replace(_ANYTHING, width=width and num_more * width)]
