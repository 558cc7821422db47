"""The four kinds of labeling functions of the tutorial (step 1.i), each complete and as small as it gets.

The data points are comments with the columns `text`, `author` and `worker_1` (what a crowd worker
answered: -1, +1, or null for a comment that was not shown to the worker). POSITIVE is spam.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dp_spark.labeling.functions import labeling_function, loaded_once, vote_column
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
WORD = re.compile(r"[a-z]+")
TRUSTED_AUTHORS = frozenset({"ayla moon official", "the lanterns", "moderator"})
CONFIDENT = math.log(3)  # log-odds; the classifier votes when one side is three times as likely


class Comment(Protocol):
    """What a data point of this task looks like."""

    text: str
    author: str


@labeling_function
def pattern(x: Comment) -> int | None:
    """Positive if the text matches a pattern."""
    return POSITIVE if LINK.search(x.text) else None


@labeling_function(resources={"trusted": TRUSTED_AUTHORS})
def distant_supervision(x: Comment, trusted: frozenset[str]) -> int | None:
    """Negative if the author is in a set that was made for another purpose."""
    return NEGATIVE if x.author.lower() in trusted else None


@dataclass(frozen=True)
class WordOdds:
    """A naive Bayes classifier: the sum of the log-odds of the distinct words in a text.

    Attributes:
        log_odds: log(P(word | spam) / P(word | ham)) by word; other words say nothing.
    """

    log_odds: Mapping[str, float]

    def score(self, text: str) -> float:
        """The log-odds that a text is spam, if both kinds are equally frequent."""
        return sum(self.log_odds.get(word, 0.0) for word in sorted(set(WORD.findall(text.lower()))))


def load_word_odds() -> WordOdds:
    """The classifier; a real one would be read from a file or a model registry here."""
    times_as_likely_in_spam = {
        "subscribe": 20,
        "channel": 9,
        "free": 6,
        "my": 2,
        "song": 1 / 4,
        "love": 1 / 5,
    }
    return WordOdds({word: math.log(odds) for word, odds in times_as_likely_in_spam.items()})


@labeling_function(resources={"classifier": loaded_once(load_word_odds)})
def weak_classifier(x: Comment, classifier: WordOdds) -> int | None:
    """What a weak classifier says, where it is confident; every worker loads it once."""
    score = classifier.score(x.text)
    if abs(score) < CONFIDENT:
        return None
    return POSITIVE if score > 0 else NEGATIVE


crowd_worker = vote_column("worker_1")

LFS = [pattern, distant_supervision, weak_classifier, crowd_worker]
