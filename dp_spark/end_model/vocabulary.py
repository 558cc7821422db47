"""The vocabulary of a text model, counted by Spark over the training shards.

Texts are cut exactly as `keras.layers.TextVectorization` cuts them in the model: ASCII letters lowered,
ASCII punctuation removed, split at ASCII white space. (Its `tf.strings.lower` leaves other letters as
they are, so Spark's `lower` would count tokens that the model never finds.)
"""

import string

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.labels.manifest import SHARDS_FOLDER, TEXT_COLUMN, ShardManifest
from dp_spark.storage import join_path

_PUNCTUATION = r"""[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']"""
_WHITE_SPACE = r"[ \t\n\x0B\f\r]+"


def count_vocabulary(
    spark: SparkSession, manifest: ShardManifest, max_tokens: int, ngrams: int = 1
) -> tuple[str, ...]:
    """The most frequent tokens of the training texts; tokens of one frequency in alphabetical order.

    Args:
        spark: the session.
        manifest: a training set of texts.
        max_tokens: how many at most.
        ngrams: 1, or 2 to count pairs of neighbouring tokens too, joined by a space.

    Raises:
        SchemaError: if no text holds a token.
    """
    texts = spark.read.parquet(join_path(manifest.path, SHARDS_FOLDER)).select(TEXT_COLUMN)
    counted = (
        texts.select(F.explode(tokens(F.col(TEXT_COLUMN), ngrams)).alias("token")).groupBy("token").count()
    )
    rows = counted.orderBy(F.desc("count"), "token").limit(max_tokens).collect()  # at most max_tokens rows
    if not rows:
        raise SchemaError(
            f"the {manifest.num_data_points} training texts of column {manifest.columns[0]!r} hold no token: "
            "they are empty or only punctuation. Name another text column."
        )
    return tuple(row["token"] for row in rows)


def tokens(text: Column, ngrams: int = 1) -> Column:
    """The tokens of a text as an array, as the model's TextVectorization finds them."""
    lowered = F.translate(text, string.ascii_uppercase, string.ascii_lowercase)
    words = F.split(F.regexp_replace(lowered, _PUNCTUATION, ""), _WHITE_SPACE)
    single = F.filter(words, lambda word: word != "")
    if ngrams == 1:
        return single
    following = F.slice(single, F.lit(2), F.greatest(F.size(single), F.lit(1)))
    pairs = F.zip_with(single, following, lambda left, right: F.concat(left, F.lit(" "), right))
    return F.concat(single, F.filter(pairs, lambda pair: pair.isNotNull()))
