"""Occurrences of many literals in an Arrow array of texts, found in one pass over its bytes.

The automaton is Aho and Corasick's ("Efficient String Matching: An Aid to Bibliographic Search",
1975), from the package `ahocorasick_rs`, which is imported only where literals are looked for.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dp_spark.errors import EnvironmentProblem

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

_BLOCK_BYTES = 1 << 22  # scanned at a time: bounds the memory that occurrences take as Python objects
_MAX_CACHED_AUTOMATA = 8
_BORDER = np.uint8(ord("\n"))  # stands in for the byte beyond a row's end: like it, no part of a word


@dataclass(frozen=True)
class Occurrences:
    """Where literals occur, each within one row: arrays of one length, ordered by the place's end.

    Attributes:
        literal: (k,) int64, positions in the list of literals.
        row: (k,) int64, rows of the array; rows that are null have none.
        place: (k,) int64, how many characters of the row's text are in front of it.
        before: (k,) uint8, the byte in front, ASCII letters in lower case; a newline at the row's start.
        after: (k,) uint8, the byte behind, likewise.
        has_capital: (k,) bool, True if some ASCII letter of the text is in upper case there.
    """

    literal: np.ndarray
    row: np.ndarray
    place: np.ndarray
    before: np.ndarray
    after: np.ndarray
    has_capital: np.ndarray


def find_occurrences(texts: pa.LargeStringArray, literals: tuple[bytes, ...]) -> Occurrences:
    """All occurrences of the literals, also those that overlap, whatever the case of ASCII letters.

    Args:
        texts: may be sliced and hold nulls.
        literals: not empty, ASCII letters in lower case.

    Raises:
        EnvironmentProblem: if `ahocorasick_rs` is not installed.
    """
    _, offset_buffer, bytes_buffer = texts.buffers()
    if not literals or len(texts) == 0 or bytes_buffer is None:
        return _joined([])
    offsets = np.frombuffer(offset_buffer, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    text_bytes = np.frombuffer(bytes_buffer, np.uint8)
    automaton = _automaton(literals)
    blocks = [
        _in_block(automaton, text_bytes, offsets[start : end + 1], start) for start, end in _blocks(offsets)
    ]
    found = _joined(blocks)
    return _chosen(found, texts.is_valid().to_numpy(zero_copy_only=False)[found.row])


@lru_cache(maxsize=_MAX_CACHED_AUTOMATA)
def _automaton(literals: tuple[bytes, ...]) -> "BytesAhoCorasick":
    """The automaton, built once per process: a worker that runs many tasks unpickles many matchers."""
    try:
        import ahocorasick_rs
    except ImportError as error:
        raise EnvironmentProblem(
            f"the package ahocorasick_rs cannot be imported by {sys.executable}: {error}. It searches "
            "for the patterns and keywords of all labeling functions at once. Install it on the driver and "
            "all workers: pip install ahocorasick_rs"
        ) from error
    return ahocorasick_rs.BytesAhoCorasick(literals, matchkind=ahocorasick_rs.MatchKind.Standard)


def _blocks(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of rows with at most `_BLOCK_BYTES` bytes, or with one row that is longer."""
    num_rows, start = len(offsets) - 1, 0
    while start < num_rows:
        fitting = int(np.searchsorted(offsets, offsets[start] + _BLOCK_BYTES, side="right")) - 1
        end = min(max(fitting, start + 1), num_rows)
        yield start, end
        start = end


def _in_block(
    automaton: "BytesAhoCorasick", text_bytes: np.ndarray, offsets: np.ndarray, first_row: int
) -> Occurrences:
    """The occurrences in rows whose bytes lie between `offsets`, the first of them being `first_row`."""
    block = text_bytes[offsets[0] : offsets[-1]].tobytes()
    lowered = block.lower()
    places = automaton.find_matches_as_indexes(lowered, overlapping=True)
    flat = np.fromiter(chain.from_iterable(places), dtype=np.int64, count=3 * len(places))
    literal, start, end = flat.reshape(-1, 3).T
    borders = offsets - offsets[0]
    row = np.searchsorted(borders, start, side="right") - 1
    is_within = end <= borders[row + 1]
    literal, start, end, row = literal[is_within], start[is_within], end[is_within], row[is_within]
    text = np.frombuffer(lowered, np.uint8)
    place = start - borders[row]
    if not block.isascii():
        continuing = np.flatnonzero((text & 0xC0) == 0x80)  # bytes of a character after its first
        place -= np.searchsorted(continuing, start) - np.searchsorted(continuing, borders[row])
    capitals = np.flatnonzero(np.frombuffer(block, np.uint8) != text)
    next_byte = np.minimum(end, len(text) - 1)  # where there is none a row ends, too
    return Occurrences(
        literal=literal,
        row=row + first_row,
        place=place,
        before=np.where(start == borders[row], _BORDER, text[start - 1]),
        after=np.where(end == borders[row + 1], _BORDER, text[next_byte]),
        has_capital=np.searchsorted(capitals, end) > np.searchsorted(capitals, start),
    )


def _joined(blocks: Sequence[Occurrences]) -> Occurrences:
    types: dict[str, type] = dict.fromkeys(("literal", "row", "place"), np.int64)
    types |= {"before": np.uint8, "after": np.uint8, "has_capital": bool}
    return Occurrences(
        **{
            name: np.concatenate([np.zeros(0, dtype), *(getattr(block, name) for block in blocks)])
            for name, dtype in types.items()
        }
    )


def _chosen(found: Occurrences, mask: np.ndarray) -> Occurrences:
    return Occurrences(**{name: values[mask] for name, values in vars(found).items()})
