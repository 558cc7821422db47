"""Synthetic comments under music videos, so that the spam example runs without any data set.

A comment is put together from phrases of its own kind, with now and then one that the other kind uses
too, so that labeling functions are right more often than not and a model of the words can do better.
Every comment depends on the seed and its number alone, whatever the partitioning.
"""

import random
import zlib
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from dp_spark.labeling.votes import NEGATIVE, POSITIVE

SPAM_SHARE = 0.5
SECOND_PHRASE_SHARE = 0.6  # of the comments that have a second phrase of their own kind
BORROWED_SHARE = 0.35  # of the comments with a phrase that the other kind uses as well

SCHEMA = "id string, split string, text string, gold tinyint"

SPAM = (
    "check out my {adjective} {work} about {topic}",
    "please subscribe to {name}, we do {topic} every {day}",
    "visit {site} for {goods}",
    "{goods} at {site}, hurry up",
    "earn {amount} dollars a week from home with {topic}",
    "i am a {age} year old {trade} from {town} and it would mean a lot if you listened",
    "my {work} about {topic} is up since last {day}",
    "hey guys, {name} uploads {topic} every {day}",
    "drop by {name} and tell me what you make of my {adjective} {work}",
    "search for {name} if you are into {topic}",
    "tap the picture next to this comment for {goods}",
    "our {trade} needs listeners, thanks for your time",
    "{goods}, limited to the first {amount}",
    "follow {name} for {topic}",
    "we are a small {trade} from {town} and put {adjective} {topic} online",
    "would you give a {trade} from {town} a chance?",
    "new {work} by {name}, {topic} like never before",
)
HAM = (
    "i love this song",
    "{artist} is the best",
    "who else is listening in {year}?",
    "the {part} at {minute}:{second} is pure goosebumps",
    "she looks so {feeling} in this one",
    "his voice makes you {feeling}",
    "{amount} million views and still {feeling}",
    "lol the {part} is {feeling}",
    "this {part} reminds us all of {season} {year}",
    "they play {artist} on the radio every {day}",
    "omg {artist}",
    "{artist} never gets old",
    "that {part} though",
    "danced to {artist} at the wedding of my sister",
    "why does the {part} sound like {artist}?",
    "{feeling} {part}",
    "nobody writes a {part} like {artist} anymore",
    "back here after {season}, {feeling} as ever",
)
BORROWED_BY_SPAM = (
    "good {part}",
    "i love {artist}",
    "{amount} million already",
    "so {feeling}",
    "amazing {part}",
    "lol",
    "best video of {year}",
)
BORROWED_BY_HAM = (
    "hi from {town}",
    "thumbs up if you agree",
    "i'm only {age}",
    "thanks for this",
    "my friends hum it every {day}",
    "want to see it live",
    "my whole {day} is saved",
)
ENDINGS = ("", ".", "!!!", " :)", " <3", "...")
WORDS = {
    "adjective": ("new", "funny", "weekly", "fresh", "acoustic", "crazy", "first", "honest"),
    "age": ("14", "16", "17", "19", "21", "24"),
    "amount": ("20", "50", "100", "300", "500", "900"),
    "artist": ("Ayla Moon", "the Lanterns", "DJ Kestrel", "Rosa Vane", "Nightbus", "Milo Park"),
    "day": ("monday", "friday", "sunday", "weekend", "night", "morning"),
    "feeling": ("happy", "beautiful", "sad", "perfect", "creepy", "nostalgic", "awesome", "weird", "lovely"),
    "goods": ("free ringtones", "cheap headphones", "gift cards", "phone cases", "game coins"),
    "minute": ("0", "1", "2", "3"),
    "name": ("BeatFactory", "PixelPranks", "TheVlogBarn", "LoopLab", "GamerNest", "CoverCorner"),
    "part": ("chorus", "melody", "ending", "drum solo", "bass line", "dress", "intro", "choreography"),
    "season": ("summer", "winter", "spring", "school"),
    "second": ("07", "15", "33", "48"),
    "site": ("www.tunes.example.com", "http://coins.example.org/x7", "loud.example.net", "a.example.com/q2"),
    "topic": ("gaming", "remixes", "pranks", "guitar covers", "make-up", "fitness", "cooking", "rap battles"),
    "town": ("Leeds", "Tampa", "Porto", "Cork", "Graz", "Lyon"),
    "trade": ("rapper", "producer", "street crew", "garage band", "beat maker", "singer"),
    "work": ("channel", "video", "mixtape", "playlist", "page", "cover"),
    "year": ("2009", "2012", "2014", "2015", "2018"),
}  # fmt: skip


def generate_comments(
    spark: SparkSession, num_comments: int = 4000, seed: int = 0, num_partitions: int | None = None
) -> DataFrame:
    """A table of synthetic comments: id, split (train, valid or test), text, gold (-1 or +1).

    Args:
        spark: where the comments are made, in tasks.
        num_comments: at least 1.
        seed: the same seed gives the same rows, and the first rows of a longer table.
        num_partitions: default: as many as Spark chooses; the rows don't depend on it.

    Raises:
        ValueError: if `num_comments` is less than 1.
    """
    if num_comments < 1:
        raise ValueError(f"num_comments is {num_comments}: expected at least 1. Ask for more comments.")

    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _batch(seed, batch.column(0).to_pylist())

    return spark.range(0, num_comments, numPartitions=num_partitions).mapInArrow(rows, SCHEMA)


def comment(seed: int, number: int) -> tuple[str, int]:
    """The text and the gold label of one comment.

    >>> comment(0, 0) == comment(0, 0)
    True
    """
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  (nothing here is secret)
    is_spam = draw.random() < SPAM_SHARE
    own, borrowed = (SPAM, BORROWED_BY_SPAM) if is_spam else (HAM, BORROWED_BY_HAM)
    phrases = draw.sample(own, 2 if draw.random() < SECOND_PHRASE_SHARE else 1)
    if draw.random() < BORROWED_SHARE:
        phrases.insert(draw.randrange(len(phrases) + 1), draw.choice(borrowed))
    text = draw.choice((". ", " ", "! ", ", ")).join(phrases)
    filled = text.format_map({slot: draw.choice(words) for slot, words in WORDS.items()})
    return filled + draw.choice(ENDINGS), POSITIVE if is_spam else NEGATIVE


def split_of(comment_id: str) -> str:
    """The split that a comment belongs to: 80% train, 10% valid, 10% test, by a hash of its id."""
    tenth = zlib.crc32(comment_id.encode()) % 10
    return {8: "valid", 9: "test"}.get(tenth, "train")


def _batch(seed: int, numbers: list[int]) -> pa.RecordBatch:
    ids = [f"c{number:07d}" for number in numbers]
    comments = [comment(seed, number) for number in numbers]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, pa.string()),
            pa.array([split_of(comment_id) for comment_id in ids], pa.string()),
            pa.array([text for text, _ in comments], pa.string()),
            pa.array([gold for _, gold in comments], pa.int8()),
        ],
        names=["id", "split", "text", "gold"],
    )
