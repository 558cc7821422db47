"""Ten labeling functions over comments with the columns text, author and num_likes.

Plain Python functions, so that every way to apply them runs the same code: three look for keywords, three
for a regular expression, two count words, one knows some authors, one compares a number. Nothing here
imports dp_spark: snorkel's environment need not have what dp_spark needs.
"""

import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Protocol

NEGATIVE, ABSTAIN, POSITIVE = -1, 0, 1  # as dp_spark codes votes

FEW_WORDS = 6
MANY_WORDS = 18
MANY_LIKES = 180

NUM_AUTHORS = 1000
SPAMMERS = frozenset(f"user{number:03d}" for number in range(0, NUM_AUTHORS, 25))

LINK = re.compile(r"https?://|www\.")
TIMESTAMP = re.compile(r"\b\d:[0-5]\d\b")
OWN_WORK = re.compile(r"\b(?:my|our) (?:\w+ )?(?:channel|video|page|playlist)\b", re.IGNORECASE)


class Comment(Protocol):
    """What the labeling functions read of a data point."""

    text: str
    author: str
    num_likes: int


def asks_to_subscribe(x: Comment) -> int:
    return POSITIVE if "subscribe" in x.text.lower() else ABSTAIN


def gives_away(x: Comment) -> int:
    return POSITIVE if "free" in x.text.lower() else ABSTAIN


def loves(x: Comment) -> int:
    return NEGATIVE if "love" in x.text.lower() else ABSTAIN


def has_link(x: Comment) -> int:
    return POSITIVE if LINK.search(x.text) else ABSTAIN


def has_timestamp(x: Comment) -> int:
    return NEGATIVE if TIMESTAMP.search(x.text) else ABSTAIN


def names_own_work(x: Comment) -> int:
    return POSITIVE if OWN_WORK.search(x.text) else ABSTAIN


def is_short(x: Comment) -> int:
    return NEGATIVE if len(x.text.split()) <= FEW_WORDS else ABSTAIN


def is_long(x: Comment) -> int:
    return POSITIVE if len(x.text.split()) >= MANY_WORDS else ABSTAIN


def from_known_spammer(x: Comment) -> int:
    return POSITIVE if x.author in SPAMMERS else ABSTAIN


def is_popular(x: Comment) -> int:
    return NEGATIVE if x.num_likes >= MANY_LIKES else ABSTAIN


LFS: Sequence[Callable[[Comment], int]] = (
    asks_to_subscribe,
    gives_away,
    loves,
    has_link,
    has_timestamp,
    names_own_work,
    is_short,
    is_long,
    from_known_spammer,
    is_popular,
)


def recoded(lf: FunctionType, negative: int, abstain: int, positive: int) -> FunctionType:
    """The same function with other votes: a copy of its code, as a wrapper would cost a call per vote."""
    coding = {"NEGATIVE": negative, "ABSTAIN": abstain, "POSITIVE": positive}
    return FunctionType(lf.__code__, {**lf.__globals__, **coding}, lf.__name__)
