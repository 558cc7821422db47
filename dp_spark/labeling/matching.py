"""Many regular expressions and keywords over an Arrow array of texts at once, as `re` would find them.

A text that a regular expression matches holds one of a few literals (Cox, "Regular Expression
Matching with a Trigram Index", 2012, and RE2's FilteredRE2). One scan finds the literals of all
patterns, and `re` then decides only about the rows with a literal of the pattern. A keyword's literal
is its own text, and the bytes around it decide without `re` in nearly all rows.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from dp_spark.labeling.matching_literals import Clue, clues_of_pattern, clues_of_text
from dp_spark.labeling.matching_scan import Occurrences, find_occurrences

_MAX_COMPILED = 1 << 16  # keywords whose regular expressions are kept
_STRINGS = (pa.string(), pa.large_string(), pa.string_view())
_NUM_ASCII = 128
_UNKNOWN = 1 << 40  # more characters than a text has
_IS_WORD_BYTE = np.array([bytes([byte]).isalnum() or byte == ord("_") for byte in range(256)])


@dataclass(frozen=True)
class Keyword:
    r"""A text to look for, as by `(?<!\w)text(?!\w)` with `re.IGNORECASE`.

    Attributes:
        text: not empty; no character has a special meaning.
        ignore_case: False to leave the flag out.
        whole_word: False to leave out both conditions on the characters around it.
    """

    text: str
    ignore_case: bool = True
    whole_word: bool = True

    def __post_init__(self) -> None:
        if not self.text:
            raise ValueError("the text of a keyword is '': expected at least one character. Leave it out.")


Unit = re.Pattern[str] | Keyword

Verifier = Callable[[int, Iterator[object], np.ndarray], np.ndarray]
"""From a unit's position, what its `search` finds in each candidate once that is asked for, and the candidates'
rows: which match, (len(rows),) bool."""


@dataclass(frozen=True)
class Matches:
    """Which rows each unit matches, and what that took.

    Attributes:
        rows: for each unit (k,) int64, ascending and distinct; null rows match nothing.
        seconds: (num_units,) float64, spent on a unit's own candidates.
        shared_seconds: spent on all units together.
    """

    rows: tuple[np.ndarray, ...]
    seconds: np.ndarray
    shared_seconds: float


def verify_each(unit: int, found: Iterator[object], rows: np.ndarray) -> np.ndarray:
    """Where `search` found something, as (len(rows),) bool."""
    return np.array([match is not None for match in found], dtype=bool)


class PatternMatcher:
    """Units with what to scan for to find their candidates; may be pickled.

    >>> matcher = PatternMatcher([Keyword("check out"), re.compile(r"https?://")])
    >>> matcher.match(pa.array(["Check out http://x.org", None, "checkout"])).rows
    (array([0]), array([0]))
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        """Derive the literals of all units.

        Raises:
            ValueError: if a unit is neither a `Keyword` nor a compiled pattern for `str`.
        """
        for number, unit in enumerate(units):
            if not (isinstance(unit, Keyword) or _is_text_pattern(unit)):
                raise ValueError(
                    f"units[{number}] is {unit!r}: expected a Keyword or a compiled pattern for str. "
                    "Compile it with re.compile."
                )
        self._units = tuple(units)
        self._clues = _collected(list(map(_clues_of, units)))

    def match(self, texts: pa.Array, verify: Verifier = verify_each) -> Matches:
        """The rows of `texts` that each unit matches.

        Args:
            texts: of type string, large_string or string_view; may be sliced and hold nulls.
            verify: decides about candidates where a literal does not; called for one unit at a time.

        Raises:
            ValueError: if `texts` has another type.
            UnicodeDecodeError: if a text that `verify` needs is not UTF-8.
            EnvironmentProblem: if `ahocorasick_rs` is not installed.
        """
        started = time.perf_counter()
        if texts.type not in _STRINGS:
            raise ValueError(
                f"texts has type {texts.type}: expected string, large_string or string_view. Cast the column."
            )
        texts = texts.cast(pa.large_string())
        num_units, num_rows = len(self._units), len(texts)
        occurrences = find_occurrences(texts, self._clues.literals)
        sure, open_, start = _decided(occurrences, self._clues, num_rows)
        matched = _by_unit(sure, num_units, num_rows)
        candidates = _by_unit(open_, num_units, num_rows)
        starts = np.split(start, np.cumsum(list(map(len, candidates)), dtype=np.int64))
        valid = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        for n in self._clues.without:
            candidates[n], starts[n] = valid, np.zeros_like(valid)
        decoded = _decoded(texts, candidates)
        seconds = np.zeros(num_units)
        for n, rows in enumerate(candidates):
            if len(rows):
                unit_started = time.perf_counter()
                found = map(_search(self._units[n]), decoded[rows].tolist(), starts[n].tolist())
                is_match = verify(n, found, rows)
                matched[n] = np.sort(np.concatenate([matched[n], rows[is_match]]))
                seconds[n] = time.perf_counter() - unit_started
        return Matches(tuple(matched), seconds, time.perf_counter() - started - float(seconds.sum()))


@dataclass(frozen=True)
class _Clues:
    """The clues of all units: clues `first[i]` to `first[i + 1]` are those of `literals[i]`.

    Attributes:
        literals: distinct.
        first: (len(literals) + 1,) int64.
        unit: (num_clues,) int64.
        starts_word, ends_word, is_lower_case, is_proof: (num_clues,) bool, as `Clue` has them.
        lead: (num_clues,) int64, as `Clue` has it; `_UNKNOWN` for None.
        without: units without clues: they may match any row.
    """

    literals: tuple[bytes, ...]
    first: np.ndarray
    unit: np.ndarray
    starts_word: np.ndarray
    ends_word: np.ndarray
    is_lower_case: np.ndarray
    is_proof: np.ndarray
    lead: np.ndarray
    without: frozenset[int]


def _is_text_pattern(unit: object) -> bool:
    return isinstance(unit, re.Pattern) and isinstance(unit.pattern, str)


def _clues_of(unit: Unit) -> list[Clue]:
    if isinstance(unit, re.Pattern):
        return clues_of_pattern(unit)
    clues = clues_of_text(unit.text, unit.ignore_case, unit.whole_word)
    return clues or clues_of_pattern(_compiled(unit))


def _collected(clues_of_units: Sequence[Sequence[Clue]]) -> _Clues:
    pairs = [(clue, unit) for unit, clues in enumerate(clues_of_units) for clue in clues]
    pairs.sort(key=lambda pair: pair[0].literal)
    num_clues = Counter(clue.literal for clue, _ in pairs)
    return _Clues(
        literals=tuple(num_clues),
        first=np.cumsum([0, *num_clues.values()], dtype=np.int64),
        unit=np.array([unit for _, unit in pairs], dtype=np.int64),
        starts_word=np.array([clue.starts_word for clue, _ in pairs], dtype=bool),
        ends_word=np.array([clue.ends_word for clue, _ in pairs], dtype=bool),
        is_lower_case=np.array([clue.is_lower_case for clue, _ in pairs], dtype=bool),
        is_proof=np.array([clue.is_proof for clue, _ in pairs], dtype=bool),
        lead=np.array([_UNKNOWN if c.lead is None else c.lead for c, _ in pairs], dtype=np.int64),
        without=frozenset(unit for unit, clues in enumerate(clues_of_units) if not clues),
    )


def _decided(found: Occurrences, clues: _Clues, num_rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What matches for sure and what is left open, each as ascending `unit * num_rows + row`.

    And for what is left open, before which character of the row no match starts.
    """
    first = clues.first[found.literal]
    num_clues = clues.first[found.literal + 1] - first
    hit = np.repeat(np.arange(len(first)), num_clues)
    clue = first[hit] + np.arange(len(hit)) - (np.cumsum(num_clues) - num_clues)[hit]
    starts_word, ends_word = clues.starts_word[clue], clues.ends_word[clue]
    before, after = found.before[hit], found.after[hit]
    is_refuted = (
        (starts_word & _IS_WORD_BYTE[before])
        | (ends_word & _IS_WORD_BYTE[after])
        | (clues.is_lower_case[clue] & found.has_capital[hit])
    )
    is_unclear = (starts_word & (before >= _NUM_ASCII)) | (ends_word & (after >= _NUM_ASCII))
    is_proven = clues.is_proof[clue] & ~is_refuted & ~is_unclear
    pair = clues.unit[clue] * num_rows + found.row[hit]
    proven, is_open = _distinct(pair[is_proven]), ~is_refuted & ~is_proven
    start = np.maximum(found.place[hit[is_open]] - clues.lead[clue[is_open]], 0)
    open_, start = _least_by(pair[is_open], start)
    is_left = ~np.isin(open_, proven, assume_unique=True, kind="sort")
    return proven, open_[is_left], start[is_left]


def _least_by(groups: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct groups, ascending, and the least value of each."""
    order = np.lexsort((values, groups))
    ascending = groups[order]
    is_first = np.diff(ascending, prepend=-1) != 0
    return ascending[is_first], values[order][is_first]


def _distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values, ascending: far faster here than NumPy's `unique`, which hashes."""
    ascending = np.sort(values)
    distinct: np.ndarray = ascending[np.diff(ascending, prepend=-1) != 0]
    return distinct


def _by_unit(pairs: np.ndarray, num_units: int, num_rows: int) -> list[np.ndarray]:
    """For each unit its rows, from ascending `unit * num_rows + row`."""
    borders = np.searchsorted(pairs, np.arange(num_units + 1) * num_rows).tolist()
    rows = pairs % max(num_rows, 1)
    return [rows[start:end] for start, end in zip(borders, borders[1:], strict=False)]


def _decoded(texts: pa.LargeStringArray, rows_of_units: Sequence[np.ndarray]) -> np.ndarray:
    """The texts as (num_rows,) objects: str in the given rows, None in all others."""
    decoded = np.full(len(texts), None, dtype=object)
    is_needed = np.zeros(len(texts), dtype=bool)
    for rows in rows_of_units:
        is_needed[rows] = True
    needed = np.flatnonzero(is_needed)
    chosen = texts.take(pa.array(needed))
    try:
        decoded[needed] = chosen.to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        decoded[needed] = chosen.to_pylist()  # far slower, but raises UnicodeDecodeError for what is no UTF-8
    return decoded


def _search(unit: Unit) -> Callable[[str, int], object]:
    return _compiled(unit).search if isinstance(unit, Keyword) else unit.search


@lru_cache(maxsize=_MAX_COMPILED)
def _compiled(keyword: Keyword) -> re.Pattern[str]:
    flags = re.IGNORECASE if keyword.ignore_case else re.NOFLAG
    text = re.escape(keyword.text)
    return re.compile(rf"(?<!\w){text}(?!\w)" if keyword.whole_word else text, flags)
