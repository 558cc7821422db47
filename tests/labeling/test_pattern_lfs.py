import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from voting import votes_of

from dp_spark.errors import SchemaError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.pattern_lfs import keyword_lf, pattern_lf

TEXTS = [
    "Free COINS at https://a.example",
    "the chorus of this song",
    "free song",
    "freedom for songbirds",
    "straße STRASSE İstanbul",
    "",
    None,
    "check  out\nthe c++ gift card!",
]


def of_patterns(by_class, flags=0):
    """An independent reading: the one class of which a pattern of `re` occurs."""

    def vote(text):
        found = [c for c, group in by_class.items() if text and any(re.search(p, text, flags) for p in group)]
        return found[0] if len(found) == 1 else 0

    return vote


def words(*keywords):
    return [rf"(?<!\w){re.escape(word)}(?!\w)" for word in keywords]


CASES = {
    "one pattern": (
        pattern_lf("one", "text", {1: r"https?://"}),
        of_patterns({1: [r"https?://"]}),
    ),
    "two classes": (
        pattern_lf(
            "two", "text", {1: ["free", r"\bcoins?\b"], -1: [r"\bsongs?\b", "chorus"]}, ignore_case=True
        ),
        of_patterns({1: ["free", r"\bcoins?\b"], -1: [r"\bsongs?\b", "chorus"]}, re.I),
    ),
    "compiled": (
        pattern_lf("compiled", "text", {-1: [re.compile(r"^the", re.M), re.compile("straße", re.I)]}),
        of_patterns({-1: [r"(?m)^the", "(?i)straße"]}),
    ),
    "pattern and guard": (
        pattern_lf("guard", "text", {1: "(?i)free", 0: "song"}),
        of_patterns({1: ["(?i)free"], 0: ["song"]}),
    ),
    "keywords": (
        keyword_lf("keywords", "text", {1: ["FREE", "c++", "gift card"], -1: ["song"]}),
        of_patterns({1: words("FREE", "c++", "gift card"), -1: words("song")}, re.I),
    ),
    "parts of words in case": (
        keyword_lf("parts", "text", {1: ["Free", "bird"]}, ignore_case=False, whole_words=False),
        of_patterns({1: ["Free", "bird"]}),
    ),
}


def test_votes_are_those_of_re_in_spark_and_in_plain_calls(spark):
    lfs = [lf for lf, _ in CASES.values()]
    expected = {i: [vote(text) for _, vote in CASES.values()] for i, text in enumerate(TEXTS)}
    assert expected[0] == [1, 1, 0, 1, 1, 1]
    assert expected[2] == [0, 0, 0, 0, 0, 0]
    df = spark.createDataFrame(list(enumerate(TEXTS)), "id long, text string")
    assert votes_of(apply_lfs(df.repartition(2), lfs, key=["id"])) == expected
    plain = {i: [lf(SimpleNamespace(text=text)) or 0 for lf in lfs] for i, text in enumerate(TEXTS)}
    assert plain == expected


def test_classes_may_be_called_by_name_and_unknown_ones_are_refused_all_at_once(spark):
    df = spark.createDataFrame([(1, "a"), (2, "b"), (3, "ab")], "id long, text string")
    lf = pattern_lf("letters", "text", {"sports": "a", "food": "b"})
    names = ["sports", "politics", "music", "food"]
    assert votes_of(apply_lfs(df, [lf], key=["id"], class_names=names)) == {1: [1], 2: [4], 3: [0]}
    wrong = [pattern_lf("one", "text", {"sprots": "a"}), keyword_lf("two", "text", {5: ["a"], 4: ["b"]})]
    message = (
        r"'one' votes 'sprots'; labeling function 'two' votes 5: expected one of \(1, 2, 3, 4\) or \('sports'"
    )
    with pytest.raises(ValueError, match=message):
        apply_lfs(df, [lf, *wrong], key=["id"], class_names=names)


def test_columns_that_are_no_text_are_refused_all_at_once(spark):
    lfs = [pattern_lf("one", "id", {1: "1"}), keyword_lf("two", "n", {1: ["1"]})]
    message = (
        "'one' searches 'id' of type bigint; labeling function 'two' searches 'n' of type double: expected"
    )
    with pytest.raises(SchemaError, match=message):
        apply_lfs(spark.range(2).selectExpr("id", "1d AS n"), lfs, key=["id"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: pattern_lf("lf", "text", {1: "a("}),
            r"'lf' has the pattern 'a\(': missing \), .*keyword_lf",
        ),
        (lambda: pattern_lf("lf", "text", {1: [7]}), "the pattern 7: it is of type int, not str"),
        (lambda: pattern_lf("lf", "text", {1: re.compile(b"a")}), "the pattern re.compile.*not str"),
        (lambda: pattern_lf("lf", "text", {}), "'lf' has no pattern for any class: expected at least one"),
        (lambda: pattern_lf("lf", "text", {1: "a", -1: []}), r"'lf' has no pattern for \[-1\]"),
        (lambda: keyword_lf("lf", "text", {1: ["a", " "]}), "'lf' has the keyword ' ': expected a text"),
        (lambda: keyword_lf("lf", "text", {1: [None]}), "'lf' has the keyword None"),
    ],
)
def test_what_is_no_pattern_or_keyword_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_hashes_differ_by_column_pattern_class_and_flags_but_not_by_the_order():
    different = [
        pattern_lf("lf", "text", {1: "a"}),
        pattern_lf("lf", "title", {1: "a"}),
        pattern_lf("lf", "text", {1: "b"}),
        pattern_lf("lf", "text", {-1: "a"}),
        pattern_lf("lf", "text", {1: "a"}, ignore_case=True),
        pattern_lf("lf", "text", {1: ["a", "b"]}),
        keyword_lf("lf", "text", {1: ["a"]}),
        keyword_lf("lf", "text", {1: ["a"]}, ignore_case=False),
        keyword_lf("lf", "text", {1: ["a"]}, whole_words=False),
    ]
    assert len({lf.content_hash for lf in different}) == len(different)
    again = pattern_lf("another name", "text", {1: ["b", re.compile("a")]}, timeout_seconds=1)
    assert again.content_hash == different[5].content_hash


def test_keywords_in_a_set_have_one_hash_in_all_processes():
    code = (
        "from dp_spark import keyword_lf; "
        "print(keyword_lf('lf', 'text', {1: {'a', 'b', 'c', 'd', 'e'}, -1: {'f', 'g', 'h'}}).content_hash)"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
