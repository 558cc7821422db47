"""The vocabularies of a model of text or categories, counted by Spark over the training shards.

Texts are cut exactly as the model cuts them (`tokens.py`).
"""

from pyspark.sql import Column, SparkSession, Window
from pyspark.sql import functions as F

from dp_spark.end_model.input_spec import OTHER_CHARACTER, WHITE_SPACE, InputSpec
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import SchemaError
from dp_spark.labels.manifest import ShardManifest
from dp_spark.labels.shards import read_shards
from dp_spark.progress.named_jobs import named_jobs


def count_inputs(spark: SparkSession, manifest: ShardManifest, settings: TrainingSettings) -> InputSpec:
    """What the model of a training set takes and returns.

    Args:
        spark: the session.
        manifest: the training set.
        settings: how large vocabularies may be.

    Raises:
        SchemaError: if there are texts, and no token is left of them.
    """
    parts, moments = manifest.inputs.parts, manifest.moments
    vocabulary: tuple[str, ...] = ()
    if "text" in parts:
        vocabulary = count_vocabulary(
            spark, manifest, settings.max_tokens, settings.ngrams, settings.min_token_texts
        )
    categories: tuple[tuple[str, ...], ...] = ()
    if "categories" in parts:
        categories = count_categories(spark, manifest, settings.max_categories)
    return InputSpec(
        parts,
        num_features=manifest.num_features,
        vocabulary=vocabulary,
        ngrams=settings.ngrams,
        category_vocabularies=categories,
        num_classes=manifest.num_classes,
        feature_means=moments.means if moments else (),
        feature_variances=moments.variances if moments else (),
    )


def count_categories(
    spark: SparkSession, manifest: ShardManifest, max_categories: int
) -> tuple[tuple[str, ...], ...]:
    """For each column of categories the values that most rows have; ties in alphabetical order.

    Args:
        spark: the session.
        manifest: a training set with categories.
        max_categories: how many values of a column at most.
    """
    values = read_shards(spark, manifest).select(F.posexplode("categories").alias("position", "value"))
    counted = values.groupBy("position", "value").count()
    by_count = Window.partitionBy("position").orderBy(F.desc("count"), "value")
    ranked = counted.withColumn("rank", F.row_number().over(by_count)).where(F.col("rank") <= max_categories)
    with named_jobs(spark, "counting categories"):
        rows = ranked.orderBy("position", "rank").collect()  # at most max_categories rows for each column
    columns = range(len(manifest.inputs.categories))
    return tuple(tuple(row["value"] for row in rows if row["position"] == column) for column in columns)


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
    held = F.explode(F.array_distinct(tokens(F.col("text"), ngrams)))
    counted = (
        read_shards(spark, manifest)
        .select(held.alias("token"))
        .groupBy("token")
        .count()
        .where(F.col("count") >= min_texts)
    )
    with named_jobs(spark, "counting tokens"):
        rows = (
            counted.orderBy(F.desc("count"), "token").limit(max_tokens).collect()
        )  # at most max_tokens rows
    if not rows:
        raise SchemaError(
            f"the {manifest.num_data_points} training texts of column {manifest.inputs.text!r} hold no token "
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
