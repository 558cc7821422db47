"""The ten labeling functions of comment_lfs.py as the other kinds of dp_spark; votes are the same."""

import re
from functools import reduce
from operator import or_

import comment_lfs as c
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from dp_spark import (
    LabelingFunction,
    batch_labeling_function,
    column_lf,
    keyword_lf,
    labeling_function,
    pattern_lf,
    vote,
)

WORDS = (
    "subscribe", "follow", "free", "cheap", "song", "voice", "chorus",
    "visit", "earn", "dollars", "week", "home", "rapper", "producer", "mixtape", "playlist", "uploads",
    "headphones", "ringtones", "coins", "listeners", "feedback", "appreciate", "viewers", "melody",
    "ending", "drum", "bass", "dress", "intro", "choreography", "wedding", "summer", "winter", "sister",
    "brother", "radio", "concert", "lyrics", "autotune", "piano", "guitar", "remix", "cover", "live",
    "billion", "million", "views", "comment", "thumbs", "nobody", "friends", "beautiful", "perfect",
    "creepy", "nostalgic", "awesome",
)  # fmt: skip


def batches() -> list[LabelingFunction]:
    """Functions of Arrow batches, with Arrow's own kernels."""

    def lf(function):
        return batch_labeling_function(batch_format="arrow")(function)

    def contains(batch: pa.RecordBatch, word: str) -> pa.Array:
        return pc.match_substring(batch["text"], word, ignore_case=True)

    def matches(batch: pa.RecordBatch, pattern: str, ignore_case: bool = False) -> pa.Array:
        return pc.match_substring_regex(batch["text"], pattern, ignore_case=ignore_case)

    @lf
    def asks_to_subscribe(batch):
        return vote(positive=contains(batch, "subscribe"))

    @lf
    def gives_away(batch):
        return vote(positive=contains(batch, "free"))

    @lf
    def loves(batch):
        return vote(negative=contains(batch, "love"))

    @lf
    def has_link(batch):
        return vote(positive=matches(batch, c.LINK.pattern))

    @lf
    def has_timestamp(batch):
        return vote(negative=matches(batch, c.TIMESTAMP.pattern))

    @lf
    def names_own_work(batch):
        return vote(positive=matches(batch, c.OWN_WORK.pattern, ignore_case=True))

    @lf
    def is_short(batch):
        few_words = rf"^\S+(?: \S+){{0,{c.FEW_WORDS - 1}}}$"  # the comments have single spaces
        return vote(negative=matches(batch, few_words))

    @lf
    def is_long(batch):
        many_words = rf"^(?:\S+ ){{{c.MANY_WORDS - 1}}}"
        return vote(positive=matches(batch, many_words))

    @lf
    def from_known_spammer(batch):
        return vote(positive=pc.is_in(batch["author"], value_set=pa.array(sorted(c.SPAMMERS))))

    @lf
    def is_popular(batch):
        return vote(negative=pc.greater_equal(batch["num_likes"], c.MANY_LIKES))

    return [
        asks_to_subscribe, gives_away, loves, has_link, has_timestamp, names_own_work, is_short, is_long,
        from_known_spammer, is_popular,
    ]  # fmt: skip


def patterns() -> list[LabelingFunction]:
    """Keywords and patterns that are searched together; counts and comparisons by Spark."""
    return [
        keyword_lf("asks_to_subscribe", "text", {c.POSITIVE: ["subscribe"]}, whole_words=False),
        keyword_lf("gives_away", "text", {c.POSITIVE: ["free"]}, whole_words=False),
        keyword_lf("loves", "text", {c.NEGATIVE: ["love"]}, whole_words=False),
        pattern_lf("has_link", "text", {c.POSITIVE: c.LINK}),
        pattern_lf("has_timestamp", "text", {c.NEGATIVE: c.TIMESTAMP}),
        pattern_lf("names_own_work", "text", {c.POSITIVE: c.OWN_WORK}),
        *columns()[6:],
    ]


def columns() -> list[LabelingFunction]:
    """Spark expressions; a cheap `contains` guards the regular expressions, as one writes it in SQL."""
    text, lower = F.col("text"), F.lower("text")
    without_spaces = F.replace(text, F.lit(" "), F.lit(""))
    num_spaces = F.octet_length(text) - F.octet_length(without_spaces)  # single ones, one less than words
    owner = lower.contains("my ") | lower.contains("our ")
    work = reduce(or_, map(lower.contains, ("channel", "video", "page", "playlist")))
    own_work = owner & work & lower.rlike(c.OWN_WORK.pattern)
    spammers = ", ".join(f"'{author}'" for author in sorted(c.SPAMMERS))
    return [
        column_lf("asks_to_subscribe", vote(positive=lower.contains("subscribe"))),
        column_lf("gives_away", vote(positive=lower.contains("free"))),
        column_lf("loves", vote(negative=lower.contains("love"))),
        column_lf(
            "has_link", vote(positive=text.contains("://") & text.rlike("https?://") | text.contains("www."))
        ),
        column_lf("has_timestamp", vote(negative=text.contains(":") & text.rlike(c.TIMESTAMP.pattern))),
        column_lf("names_own_work", vote(positive=own_work)),
        column_lf("is_short", vote(negative=num_spaces < c.FEW_WORDS)),
        column_lf("is_long", vote(positive=num_spaces >= c.MANY_WORDS - 1)),
        column_lf("from_known_spammer", vote(positive=F.expr(f"author IN ({spammers})"))),
        column_lf("is_popular", vote(negative=F.col("num_likes") >= c.MANY_LIKES)),
    ]


def many_patterns() -> list[LabelingFunction]:
    """Two hundred pattern labeling functions."""
    return [pattern_lf(f"p{i}", "text", {c.POSITIVE: pattern}) for i, pattern in enumerate(regexes())]


def many_rows() -> list[LabelingFunction]:
    """The same as functions of one data point."""

    def lf(i: int, pattern: re.Pattern[str]) -> LabelingFunction:
        search = pattern.search
        return labeling_function(name=f"p{i}", columns=["text"])(
            lambda x: c.POSITIVE if search(x.text) else c.ABSTAIN
        )

    return [lf(i, pattern) for i, pattern in enumerate(regexes())]


def regexes(number: int = 200) -> list[re.Pattern[str]]:
    """Regular expressions as one writes them: words, alternatives, phrases with optional parts, digits."""
    words = sorted(WORDS)
    shapes = (
        r"\b{0}\b", r"\b(?:{0}|{1})s?\b", r"\b{0}\s+\w+\s+{1}\b", r"{0}(?: me| us)? (?:now|please)", r"(?i)\bmy {0}",
        r"\b{0}\d{{1,3}}\b", r"{0}.*{1}", r"(?i)(?:no|not) {0}",
    )  # fmt: skip
    pairs = list(zip(words, words[1:] + words[:1], strict=True))
    found = [shape.format(one, other) for shape in shapes for one, other in pairs]
    return [re.compile(pattern) for pattern in found[:: len(found) // number][:number]]
