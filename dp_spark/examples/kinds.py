"""Every kind of labeling function, each complete and as small as it gets.

The data points are comments with the columns `id`, `text`, `author`, `num_likes`, `spam_score` (what an
earlier system said, 0 to 1) and `moderator` (-1, +1, or null where none looked). POSITIVE is spam.
All kinds go into one list, in any order.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from dp_spark.labeling.column_lfs import column_lf, score_column, vote_column
from dp_spark.labeling.crowd_lfs import read_crowd_lfs
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.lookup_lfs import lookup_lf, read_lookup_lf
from dp_spark.labeling.model_lfs import model_lf
from dp_spark.labeling.pattern_lfs import keyword_lf, pattern_lf
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.labeling.resources import loaded_once
from dp_spark.labeling.vote import vote
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

WORD = re.compile(r"[a-z]+")
TRUSTED_AUTHORS = frozenset({"ayla moon official", "the lanterns", "moderator"})


class Comment(Protocol):
    """What a data point of this task looks like to a function."""

    text: str
    words: list[str]


@preprocessor
def words(x: Comment) -> list[str]:
    """Computed at most once per comment, for all labeling functions that read `x.words`."""
    return WORD.findall(x.text.lower())


@labeling_function(preprocessors=[words])
def repeats_itself(x: Comment) -> int | None:
    """Row: a Python function of one data point."""
    return vote(positive=len(x.words) >= 2 * len(set(x.words)) > 0)


@batch_labeling_function
def shouts(batch: "pd.DataFrame") -> object:
    """Batch: a Python function of a pandas DataFrame that returns a vector of votes."""
    return vote(positive=batch["text"].str.isupper())


# Column: SQL text, or a Column of Spark; no Python worker is needed for it.
popular = column_lf("popular", f"CASE WHEN num_likes >= 100 THEN {NEGATIVE} END")

# Patterns and keywords: hundreds of them are searched together.
has_link = pattern_lf("has_link", "text", {POSITIVE: [r"https?://", r"\bwww\."]}, ignore_case=True)
topic = keyword_lf("topic", "text", {POSITIVE: ["subscribe", "my channel"], NEGATIVE: ["song", "chorus"]})

# Lookup in a set: distant supervision.
trusted = lookup_lf("trusted", "author", {NEGATIVE: TRUSTED_AUTHORS})


@dataclass(frozen=True)
class WordOdds:
    """A naive Bayes classifier, for want of a model from elsewhere.

    Attributes:
        log_odds: log(P(word | spam) / P(word | ham)) by word; other words say nothing.
    """

    log_odds: Mapping[str, float]

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """P(spam) of each text, if both kinds are equally frequent."""
        found = (sorted(set(WORD.findall(text.lower()))) for text in texts)
        log_odds = [sum(self.log_odds.get(word, 0.0) for word in distinct) for distinct in found]
        return 1 / (1 + np.exp(-np.array(log_odds, dtype=np.float64)))


def load_word_odds() -> WordOdds:
    """The classifier; a real one would be read from a file, with `loaded_once(load, file=...)`."""
    times_as_likely_in_spam = {
        "subscribe": 20,
        "channel": 9,
        "free": 6,
        "my": 2,
        "song": 1 / 4,
        "love": 1 / 5,
    }
    return WordOdds({word: math.log(odds) for word, odds in times_as_likely_in_spam.items()})


# Model: loaded once per worker, asked for whole batches; it votes where one class is three times as likely.
weak_classifier = model_lf(
    "weak_classifier", loaded_once(load_word_odds), ["text"], positive_from=0.75, negative_to=0.25
)

# Existing columns: scores, and votes.
earlier_system = score_column("spam_score", positive_from=0.9, negative_to=0.1, name="earlier_system")
moderator = vote_column("moderator")

LFS = [
    repeats_itself,
    shouts,
    popular,
    has_link,
    topic,
    trusted,
    weak_classifier,
    earlier_system,
    moderator,
]


def lfs_of_tables(spammers: "DataFrame", crowd: "DataFrame") -> list[LabelingFunction]:
    """Lookup in a table of any size, and one labeling function per crowd worker.

    Args:
        spammers: one column, `author`.
        crowd: `id` of the comment, `worker` and `vote`.
    """
    return [
        read_lookup_lf("known_spammer", "author", spammers, vote=POSITIVE),
        *read_crowd_lfs(crowd, key=["id"], min_votes=20),
    ]
