"""What tests of patterns compare: what `re` finds one by one, and what the matcher finds."""

import re

import pyarrow as pa

from dp_spark.labeling.matching import Keyword, PatternMatcher


def by_re(patterns: list[re.Pattern[str]], texts: list[str | None]) -> list[list[int]]:
    return [
        [row for row, text in enumerate(texts) if text is not None and pattern.search(text)]
        for pattern in patterns
    ]


def found(units: list[re.Pattern[str] | Keyword], texts: pa.Array) -> list[list[int]]:
    return [rows.tolist() for rows in PatternMatcher(units).match(texts).rows]


def equivalent(keyword: Keyword) -> re.Pattern[str]:
    source = re.escape(keyword.text)
    source = r"(?<!\w)" + source + r"(?!\w)" if keyword.whole_word else source
    return re.compile(source, re.IGNORECASE if keyword.ignore_case else 0)
