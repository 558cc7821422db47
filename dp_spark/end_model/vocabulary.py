"""The vocabulary of a text model, counted by Spark over the training shards.

Texts are cut exactly as the model cuts them (`tokens.py`).
"""

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from dp_spark.end_model.settings import OTHER_CHARACTER, WHITE_SPACE
from dp_spark.errors import SchemaError
from dp_spark.labels.manifest import SHARDS_FOLDER, TEXT_COLUMN, ShardManifest
from dp_spark.storage import join_path


def count_vocabulary(
    spark: SparkSession, manifest: ShardManifest, max_tokens: int, ngrams: int = 1, min_texts: int = 1
) -> tuple[str, ...]:
    """The tokens that most training texts hold; tokens of equally many texts in alphabetical order.

    Args:
        spark: the session.
        manifest: a training set of texts.
        max_tokens: how many at most.
        ngrams: 1, or 2 to count pairs of neighbouring tokens too, joined by a space.
        min_texts: leave out tokens that fewer texts hold.

    Raises:
        SchemaError: if no token is left.
    """
    texts = spark.read.parquet(join_path(manifest.path, SHARDS_FOLDER)).select(TEXT_COLUMN)
    held = F.explode(F.array_distinct(tokens(F.col(TEXT_COLUMN), ngrams)))
    counted = texts.select(held.alias("token")).groupBy("token").count().where(F.col("count") >= min_texts)
    rows = counted.orderBy(F.desc("count"), "token").limit(max_tokens).collect()  # at most max_tokens rows
    if not rows:
        raise SchemaError(
            f"the {manifest.num_data_points} training texts of column {manifest.columns[0]!r} hold no token "
            f"that is in at least {min_texts} of them. Name another text column, or lower min_token_texts."
        )
    return tuple(row["token"] for row in rows)


def tokens(text: Column, ngrams: int = 1) -> Column:
    """The tokens of a text as an array, as the model finds them."""
    spaced = F.regexp_replace(F.lower(text), WHITE_SPACE, " ")
    words = F.split(F.regexp_replace(spaced, OTHER_CHARACTER, " $1 "), " +")
    single = F.filter(words, lambda word: word != "")
    if ngrams == 1:
        return single
    following = F.slice(single, F.lit(2), F.greatest(F.size(single), F.lit(1)))
    pairs = F.zip_with(single, following, lambda left, right: F.concat(left, F.lit(" "), right))
    return F.concat(single, F.filter(pairs, lambda pair: pair.isNotNull()))
