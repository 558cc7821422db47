import random
import re
from itertools import pairwise

import pyarrow as pa
import pytest
from matching_by_re import by_re, equivalent, found

from dp_spark.labeling.matching import Keyword
from dp_spark.labeling.matching_literals import (
    FOLDED_TO_ASCII,
    _folds_only_in_ascii,
    clues_of_pattern,
)

ALPHABET = [
    *"aabbcckKsSiIoxyz_09 ..-$\n\0", "foo", "Foo", "FOO", "bar", "baz", "kiss", "KISS", "www.", "http://",
    "1234", *"éÉßẞµΩσςѕ😂❤漢", "\u0130", "\u0131", "\u017f", "\u212a", "e\u0301", "\x1c", "\x85", "\u2028",
    "straße",
]  # fmt: skip

PATTERNS = [
    ("foo", ""), ("foo", "i"), (r"\bfoo\b", ""), (r"\bfoo\b", "i"), (r"\bfoo\b", "ia"), ("FOO", ""),
    ("FOO", "i"), ("Foo", ""), ("[Ff]oo", ""), ("[fF]oo", "i"), (r"\b[Ff]oo", ""), ("foo|bar", ""),
    ("foo|bar|baz", "i"), (r"\b(?:foo|bar)\b", "i"), (r"\bfoo\b|\bbar\b", ""), (r"(foo|ba[rz])", "i"),
    (r"foo|x", ""), ("fo{2}", ""), (r"fo+", ""), (r"fo*", ""), (r"(?:foo)+?bar", ""), (r"(?:foo)?bar", ""),
    (r"\b(?:foo)?bar\b", "i"), (r"(?:foo){2,3}", ""), (r"(?:ab){6}", ""), (r"(?:a|b){5}", ""),
    (r"(?:a|b|ab){1,2}c", ""), (r"foo.bar", ""), (r"foo.bar", "s"), (r"foo\s+bar", "i"),
    ("foo bar # a comment", "x"), (r"foo\ ?bar", "x"), (r"^foo", ""), (r"^foo", "m"), (r"foo$", ""),
    (r"foo$", "m"), (r"\Afoo", ""), (r"foo\Z", ""), (r"\Bfoo\B", ""), (r"foo\B", "i"), (r"\b-foo", ""),
    (r"foo\b-\bbar", ""), (r"foo\bbar", ""), (r"foo-\b", ""), (r"\b\bfoo\b\b", ""), (r"\bé", ""),
    (r"é\b", "i"), (r"\bfooé", "i"), (r"foo😂", "i"), (r"\bfoo😂\b", "i"), (r"straße", "i"), ("STRASSE", "i"),
    ("kiss", "i"), ("KISS", "ia"), (r"\bkiss\b", "i"), (r"(?i:kiss)", ""), (r"(?i:k)iss", ""),
    (r"ki(?-i:ss)", "i"), (r"(?i)kiss|foo", ""), (r"(?ia:kiss)", ""), ("\u017fo", "i"),
    ("\u0130\u0131", "i"), ("[ks]x", "i"), ("σa", "i"), (r"µ", "i"), ("[éµ]x", "i"), ("[a-c]{3}", ""),
    (r"[^a]foo", ""), (r"\d{4}", ""), (r"\w\d", "a"), (r"\W", "a"), (r"foo(?=bar)", ""), (r"foo(?!bar)", ""),
    (r"(?<=foo)bar", ""), (r"(?<!foo)bar", ""), (r"(?=.*foo)(?=.*bar)", ""), (r"(?<!\w)foo(?!\w)", "i"),
    (r"(?!)", ""), (r"(?!)foo", ""), (r"(.)\1", ""), (r"(foo|bar).*\1", "i"), (r"(?P<q>a)(?P=q)", ""),
    (r"(a)?(?(1)foo|bar)", ""), (r"(a)?x(?(1)foo)", ""), (r"(a)?b(?(1)c|kiss)", "i"), (r"(?>foo|fo)o", ""),
    (r"(?>a|ab)c", ""), (r"(?>foo)bar", "i"), (r"(?:foo)++bar", ""), (r"(?:fo)?+fo", ""), (r"a*+a", ""),
    (r"a?+ab", ""), ("", ""), (r"|foo", ""), (r"(?:|foo)bar", ""), (r"https?://", ""), (r"www\.\w*", "i"),
    (r"\$\d+", ""), ("\0a", ""), (r"a\nb", ""), (r"foo\n", "m"), ("\ud800", ""), ("a\ud800|foo", ""),
    ("((((foo))(bar)?)+)", ""), (r"(?s:a.b)", ""), (r"(?m:^)foo", ""), (r"\b\w+foo\w+\b", ""),
    (r"...foo...", "s"), ("(?:foo|bar|baz|kiss|www)(?:foo|bar|baz|kiss|www)(?:a|b)", "i"),
    (r"[fb][oa][or]", ""), ("[abcde]foo", ""), (r"(?:foo|bar)(?:foo|bar|)", ""), (r"[\d]foo", ""),
    (r"[.]{2}", ""), (r"\.\.|--", ""), (r"(?#note)foo", ""),
]  # fmt: skip

FLAGS = {"i": re.I, "m": re.M, "s": re.S, "x": re.X, "a": re.A}


def compiled(source: str, flags: str) -> re.Pattern[str]:
    return re.compile(source, sum(FLAGS[letter] for letter in flags))


def random_texts(seed: int, num_texts: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(ALPHABET, k=rng.randrange(10))) for _ in range(num_texts)]


def random_source(rng: random.Random, depth: int = 3) -> str:
    """A pattern without capturing groups: CPython 3.11 has bugs with those in possessive repeats."""

    def inner() -> str:
        return random_source(rng, depth - 1)

    if depth == 0:
        atoms = [
            *"abcksi",
            "fo",
            "foo",
            "bar",
            "Ki",
            "é",
            "😂",
            " ",
            r"\b",
            r"\w",
            r"\B",
            ".",
            "[ab]",
            "[^a]",
        ]
        return rng.choice([*atoms, "\u017f"])
    repeat = rng.choice(["?", "+", "*", "{2}", "{1,2}", "{0,3}", "{2,6}", "??", "?+", "++"])
    forms = [
        lambda: inner() + inner(), lambda: inner() + inner(), lambda: f"(?:{inner()}|{inner()})", inner,
        lambda: f"(?:{inner()}){repeat}", lambda: rf"\b{inner()}\b", lambda: f"(?i:{inner()})",
        lambda: f"(?>{inner()})", lambda: f"(?={inner()})", lambda: f"(?!{inner()})",
        lambda: rf"(?<={rng.choice(['foo', 'a', ' ', 'é|b', r'[^k].'])}){inner()}",
    ]  # fmt: skip
    return rng.choice(forms)()


def test_patterns_of_all_kinds_match_where_re_finds_them():
    patterns = [compiled(*pattern) for pattern in PATTERNS]
    texts = [*random_texts(seed=1, num_texts=3000), "foo-bar", "xfoo-bar", "foo  BAR", "afooa"]
    expected = by_re(patterns, texts)
    for pattern, rows, wanted in zip(patterns, found(patterns, pa.array(texts)), expected, strict=True):
        assert rows == wanted, pattern
    assert sum(0 < len(rows) < len(texts) for rows in expected) > 100, "the texts tell the patterns apart"


@pytest.mark.parametrize(
    ("source", "lead"),
    [
        (r"\b\d:[0-5]\d\b", 1), (r"foo\d", 0), (r"\w+:", None), (r"\w{2,3}:", 3),
        (r"(?:a|bcd):x\d", 0), (r"(?:bcd:x|:x)\d", 3),
        (r"(?:a|.b)?[x-z]+foo", None), (r"(?:(?:.|\d\d)-foo|--foo.)+", 3), (r"(?<=[a-z]):\d", 0), (r"x(?=.?foo)\w+", 2),
        (r"(.)\1-foo", None), (r"(?:.x){2}foo", 4), (r"(?:foo\d|xfoo)", 1),
    ],
)  # fmt: skip
def test_a_clue_tells_how_far_in_front_of_it_a_match_starts(source, lead):
    assert {clue.lead for clue in clues_of_pattern(re.compile(source))} == {lead}


@pytest.mark.filterwarnings("ignore")
def test_random_patterns_match_where_re_finds_them():
    rng = random.Random(2)
    patterns = []
    while len(patterns) < 1500:
        source = random_source(rng)
        patterns.append(re.compile(source, rng.choice([0, re.I, re.A, re.I | re.A])))
    texts = random_texts(seed=3, num_texts=300)
    for pattern, rows, wanted in zip(
        patterns, found(patterns, pa.array(texts)), by_re(patterns, texts), strict=True
    ):
        assert rows == wanted, pattern
    assert sum(bool(clues_of_pattern(pattern)) for pattern in patterns) > 300


@pytest.mark.parametrize("ignore_case", [True, False])
@pytest.mark.parametrize("whole_word", [True, False])
def test_keywords_match_where_the_equivalent_pattern_does(ignore_case, whole_word):
    texts = random_texts(seed=4, num_texts=2000)
    pieces = random_texts(seed=5, num_texts=150)
    words = {
        *ALPHABET,
        *pieces,
        "foo bar",
        "KISS",
        "kiss",
        "$9",
        "a.b",
        "http://",
        "éa",
        "aé",
        "foo😂",
        "İ",
    } - {""}
    keywords = [Keyword(word, ignore_case, whole_word) for word in sorted(words)]
    expected = by_re([equivalent(keyword) for keyword in keywords], texts)
    for keyword, rows, wanted in zip(keywords, found(keywords, pa.array(texts)), expected, strict=True):
        assert rows == wanted, keyword
    assert sum(len(rows) > 0 for rows in expected) > 50


def test_exactly_four_characters_beyond_ascii_are_taken_for_ascii_letters():
    beyond = "".join(map(chr, [*range(128, 0xD800), *range(0xE000, 0x110000)]))
    taken = {c: letter for letter in "abcdefghijklmnopqrstuvwxyz" for c in re.findall(letter, beyond, re.I)}
    assert taken == FOLDED_TO_ASCII
    assert re.findall(r"[\x00-@\[-`{-\x7f]", beyond, re.I) == [], "nor for another ASCII character"


def test_characters_without_cases_stand_only_for_themselves():
    every = "".join(map(chr, [*range(128, 0xD800), *range(0xE000, 0x110000)]))
    cased = "".join(c for c in every if not _folds_only_in_ascii(c))
    caseless = "".join(c for c in every if _folds_only_in_ascii(c))
    assert {"É", "ß", "\u017f", "Ω"} <= set(cased)
    assert re.search(f"[{cased}]", caseless, re.I) is None
    between = [f"{chr(ord(a) + 1)}-{chr(ord(b) - 1)}" for a, b in pairwise(cased) if ord(b) - ord(a) > 1]
    assert re.search(f"[{''.join(between)}]", cased, re.I) is None
