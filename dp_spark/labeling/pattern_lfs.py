"""Pattern and keyword labeling functions: all of a list are searched together, in one scan of each text.

Two hundred of them cost little more than twenty (docs/performance.md): a text is verified, with Python's
`re` and exactly its meaning, only against patterns of which a necessary piece occurs in it (matching.py).
"""

import re
from collections.abc import Iterable, Mapping

from dp_spark.labeling.labeling_function import LabelingFunction, content_hash
from dp_spark.labeling.matching import Keyword, Unit
from dp_spark.labeling.rules import PatternRule
from dp_spark.labeling.vote import Vote

Regex = str | re.Pattern[str]


def pattern_lf(
    name: str,
    column: str,
    patterns: Mapping[Vote, Regex | Iterable[Regex]],
    *,
    ignore_case: bool = False,
    timeout_seconds: float | None = None,
) -> LabelingFunction:
    r"""A labeling function that votes for the class of which a pattern occurs in a text column.

    It abstains if no pattern occurs, or patterns of different classes do, and where the text is null.

    Args:
        name: of the labeling function.
        column: holds the text.
        patterns: one or more regular expressions of Python by class, such as `{POSITIVE: r"https?://"}`.
        ignore_case: add `re.IGNORECASE` to those that are given as text.
        timeout_seconds: how long one pattern may take for one text.

    Raises:
        ValueError: if there is no pattern, or one is no regular expression.

    >>> from types import SimpleNamespace
    >>> lf = pattern_lf("links_or_songs", "text", {1: r"https?://", -1: [r"\bsongs?\b", "chorus"]})
    >>> [lf(SimpleNamespace(text=text)) for text in ("http://a.example", "that song", "http://song")]
    [1, -1, None]
    """
    flags = re.IGNORECASE if ignore_case else re.NOFLAG
    compiled = {
        choice: [_compiled(name, one, flags) for one in _several(group)] for choice, group in patterns.items()
    }
    return _of_units(name, column, compiled, timeout_seconds)


def keyword_lf(
    name: str,
    column: str,
    keywords: Mapping[Vote, Iterable[str]],
    *,
    ignore_case: bool = True,
    whole_words: bool = True,
    timeout_seconds: float | None = None,
) -> LabelingFunction:
    """A labeling function that votes for the class of which a keyword occurs in a text column.

    It abstains if no keyword occurs, or keywords of different classes do, and where the text is null. Lists
    may hold tens of thousands of keywords, and a keyword several words.

    Args:
        name: of the labeling function.
        column: holds the text.
        keywords: by class, such as `{POSITIVE: ["subscribe", "check out"], NEGATIVE: ["love"]}`.
        ignore_case: whether case does not matter.
        whole_words: whether a keyword must not be part of a longer word.
        timeout_seconds: how long one keyword may take for one text.

    Raises:
        ValueError: if there is no keyword, or one is empty or no text.
    """
    units = {
        choice: [_keyword(name, text, ignore_case, whole_words) for text in dict.fromkeys(_several(group))]
        for choice, group in keywords.items()
    }
    return _of_units(name, column, units, timeout_seconds)


def _of_units(
    name: str, column: str, units: Mapping[Vote, Iterable[Unit]], timeout_seconds: float | None
) -> LabelingFunction:
    patterns = tuple((choice, tuple(group)) for choice, group in units.items())
    if not patterns or not all(group for _, group in patterns):
        raise ValueError(
            f"labeling function {name!r} has no pattern for {[c for c, group in patterns if not group] or 'any class'}"
            ": expected at least one, such as {POSITIVE: ['subscribe']}."
        )
    return LabelingFunction(
        name=name,
        kind="patterns",
        rule=PatternRule(column, patterns),
        columns=(column,),
        content_hash=content_hash(["patterns", column, {choice: set(group) for choice, group in patterns}]),
        timeout_seconds=timeout_seconds,
    )


def _several(group: object) -> list[object]:
    if isinstance(group, (str, re.Pattern)):
        return [group]
    return list(group) if isinstance(group, Iterable) else [group]


def _compiled(name: str, pattern: object, flags: re.RegexFlag) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return pattern
    try:
        return re.compile(str(pattern) if isinstance(pattern, str) else _refused(pattern), flags)
    except (re.error, TypeError) as problem:
        raise ValueError(
            f"labeling function {name!r} has the pattern {pattern!r}: {problem}. Expected a regular expression "
            "of Python's re; use keyword_lf for plain words."
        ) from problem


def _refused(pattern: object) -> str:
    raise TypeError(f"it is of type {type(pattern).__name__}, not str")


def _keyword(name: str, text: object, ignore_case: bool, whole_words: bool) -> Keyword:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            f"labeling function {name!r} has the keyword {text!r}: expected a text with content."
        )
    return Keyword(text, ignore_case=ignore_case, whole_word=whole_words)
