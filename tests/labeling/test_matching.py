import pickle
import re
import sys

import numpy as np
import pyarrow as pa
import pytest
from matching_by_re import by_re, equivalent, found

from dp_spark.errors import EnvironmentProblem
from dp_spark.labeling import matching_scan
from dp_spark.labeling.matching import Keyword, PatternMatcher, verify_each

UNITS = [
    Keyword("foo"),
    re.compile("ba[rz]"),
    re.compile(r"\d"),
    Keyword("É"),
    Keyword("a", whole_word=False),
]
TEXTS = ["foo", None, "", "BAR bar", "é 1", None, "foo é", "x", "Foo", "", "afoo", "foobar\nbaz", "a"]


def asked(units: list[re.Pattern[str] | Keyword], texts: list[str]) -> dict[int, list[str]]:
    """The texts about which a unit's regular expression is asked."""
    calls = {}

    def verify(unit, results, rows):
        calls[unit] = [texts[row] for row in rows]
        return verify_each(unit, results, rows)

    PatternMatcher(units).match(pa.array(texts), verify)
    return calls


@pytest.mark.parametrize("text_type", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("start", [0, 1, 3])
@pytest.mark.parametrize("length", [0, 1, 4, 8])
def test_all_types_slices_and_nulls_are_read(text_type, start, length):
    texts = pa.array(TEXTS, text_type).slice(start, length)
    patterns = [equivalent(unit) if isinstance(unit, Keyword) else unit for unit in UNITS]
    assert found(UNITS, texts) == by_re(patterns, TEXTS[start : start + length])


@pytest.mark.parametrize("texts", [[], [None, None], ["", ""], [None, ""]])
def test_without_any_bytes_only_what_matches_the_empty_text_matches(texts):
    rows = [row for row, text in enumerate(texts) if text == ""]
    assert found([*UNITS, re.compile("")], pa.array(texts, pa.string())) == [[]] * len(UNITS) + [rows]


def test_no_units_and_no_literals_are_allowed():
    assert found([], pa.array(["a"])) == []
    assert found([re.compile(".")], pa.array(["a", "", None])) == [[0]]


def test_what_crosses_the_border_of_two_rows_is_no_match():
    units = [Keyword("foobar"), re.compile("foobar"), Keyword("r", whole_word=False), Keyword("bar")]
    assert found(units, pa.array(["foo", "bar", "", "foobar"])) == [[3], [3], [1, 3], [1]]


def test_the_bytes_of_null_rows_match_nothing():
    offsets = pa.array([0, 3, 6], pa.int32()).buffers()[1]
    texts = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\x02"), offsets, pa.py_buffer(b"foofoo")])
    assert texts.to_pylist() == [None, "foo"]
    assert found([Keyword("foo"), re.compile("foo")], texts) == [[1], [1]]


def test_rows_are_numbered_through_when_the_bytes_are_scanned_in_blocks(monkeypatch):
    texts = pa.array(TEXTS * 3)
    whole = found(UNITS, texts)
    assert len(TEXTS) * 2 < whole[0][-1]
    for num_bytes in (1, 7, 100):
        monkeypatch.setattr(matching_scan, "_BLOCK_BYTES", num_bytes)
        assert found(UNITS, texts) == whole


@pytest.mark.parametrize(
    ("unit", "candidates"),
    [
        (re.compile("foo.*bar"), ["foo", "xfoo bar", "FOO", "éfoo"]),
        (re.compile("foo|x?bar"), []),
        (re.compile(r"\bFoo"), ["foo", "xfoo bar", "FOO", "éfoo"]),
        (re.compile(r"\bfoo\b", re.I), ["éfoo"]),
        (re.compile(r"\d"), ["foo", "xfoo bar", "FOO", "éfoo", "mas\u212a"]),
        (re.compile("mask", re.I), ["mas\u212a"]),
        (re.compile("mask"), []),
        (Keyword("foo"), ["éfoo"]),
        (Keyword("foo", ignore_case=False), ["éfoo"]),
        (Keyword("FOO", ignore_case=False), ["foo", "FOO", "éfoo"]),
        (Keyword("foo", whole_word=False), []),
        (Keyword("mask"), ["mas\u212a"]),
        (Keyword("éfoo"), ["foo", "xfoo bar", "FOO", "éfoo"]),
    ],
)
def test_re_is_asked_only_about_rows_that_literals_leave_open(unit, candidates):
    texts = ["foo", "xfoo bar", "FOO", "éfoo", "mas\u212a"]
    patterns = [equivalent(unit) if isinstance(unit, Keyword) else unit]
    calls = asked([unit], texts)
    assert calls == ({0: candidates} if candidates else {})
    assert found([unit], pa.array(texts)) == by_re(patterns, texts)


def test_the_verifiers_answer_counts():
    texts = pa.array(["foo 1", "foo", None, "bar", "foo 2"])
    units = [re.compile("foo.")]

    def verify(unit, results, rows):
        assert unit == 0
        assert [match and match[0] for match in results] == ["foo ", None, "foo "]
        assert rows.tolist() == [0, 1, 4]
        return np.array([False, True, False])

    matches = PatternMatcher(units).match(texts, verify)
    assert [rows.tolist() for rows in matches.rows] == [[1]]


def test_a_search_starts_where_the_first_literal_allows():
    texts = ["at 1:07", "été à 1:07 ou 2:15", "a:b, then 1:07", "::", "no", "é" * 99 + "1:0x", "😂:)😂1:07"]
    pattern = re.compile(r"\b\d:[0-5]\d\b")
    starts = {}

    class Noting:
        def search(self, text, start):
            starts[text] = start
            return pattern.search(text, start)

    matcher = PatternMatcher([pattern])
    matcher._units = (Noting(),)
    (rows,) = matcher.match(pa.array(["no", *texts]).slice(1)).rows
    assert [texts[row] for row in rows] == [text for text in texts if pattern.search(text)]
    assert starts == {text: max(text.index(":") - 1, 0) for text in texts if ":" in text}


def test_times_are_given_per_unit_and_for_all_together():
    matches = PatternMatcher(UNITS).match(pa.array(TEXTS))
    assert matches.seconds.shape == (len(UNITS),)
    assert matches.seconds.dtype == np.float64
    assert matches.seconds[2] > 0
    assert matches.seconds[1] == 0, "decided without re"
    assert matches.shared_seconds > 0
    assert all(rows.dtype == np.int64 for rows in matches.rows)


def test_a_matcher_survives_pickling():
    matcher = PatternMatcher(UNITS)
    texts = pa.array(TEXTS)
    expected = [rows.tolist() for rows in matcher.match(texts).rows]
    copy = pickle.loads(pickle.dumps(matcher))
    assert [rows.tolist() for rows in copy.match(texts).rows] == expected


def test_a_literal_that_many_units_share_is_looked_for_once():
    units = [Keyword("foo"), Keyword("FOO"), re.compile("foo"), re.compile("foo+")]
    assert PatternMatcher(units)._clues.literals == (b"foo",)
    assert found(units, pa.array(["foo", "FOO"])) == [[0, 1], [0, 1], [0], [0]]


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    matcher = PatternMatcher([Keyword("nowhere else in these tests")])
    with pytest.raises(EnvironmentProblem, match="ahocorasick_rs.*pip install ahocorasick_rs"):
        matcher.match(pa.array(["a"]))


def test_an_empty_keyword_is_refused():
    with pytest.raises(ValueError, match="the text of a keyword is '': expected at least one character"):
        Keyword("")


@pytest.mark.parametrize("unit", ["foo", re.compile(b"foo"), None])
def test_what_is_no_unit_is_refused_by_its_position(unit):
    with pytest.raises(ValueError, match=r"units\[1\] is .*: expected a Keyword or a compiled pattern"):
        PatternMatcher([Keyword("a"), unit])


def test_other_types_of_arrays_are_refused():
    with pytest.raises(ValueError, match="texts has type int64: expected string"):
        PatternMatcher([Keyword("a")]).match(pa.array([1]))


def test_a_text_that_is_no_utf8_stops_its_decoding():
    offsets = pa.array([0, 4], pa.int32()).buffers()[1]
    texts = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"foo\xff")])
    with pytest.raises(UnicodeDecodeError):
        PatternMatcher([re.compile("foo.")]).match(texts)
