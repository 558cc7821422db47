"""Class weights in numbers: as given, or so that all classes count the same."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dp_spark.end_model.settings import BALANCED, TrainingSettings
from dp_spark.errors import ConfigError, SchemaError
from dp_spark.labels.manifest import LABEL_COLUMN, WEIGHT_COLUMN, ShardManifest
from dp_spark.labels.shards import read_shards
from dp_spark.progress.named_jobs import named_jobs


def resolved_class_weights(
    spark: SparkSession, manifest: ShardManifest, settings: TrainingSettings
) -> tuple[float, ...]:
    """One weight per class, or nothing for none.

    Balanced weights are 1 / (K s_c), with s_c the mean probability of class c over the training set: all classes
    have the same weight in sum, and the mean weight of a row is 1.

    Args:
        spark: the session.
        manifest: the training set.
        settings: ask for weights.

    Raises:
        ConfigError: if the number of weights is not that of the classes.
        SchemaError: if weights should balance a class that no label names.
    """
    if settings.class_weights != BALANCED:
        refuse_other_class_weights(settings, manifest.num_classes)
        return tuple(float(weight) for weight in settings.class_weights)
    shares = _class_shares(spark, manifest)
    if min(shares) <= 0:
        raise SchemaError(
            f"class_weights is 'balanced', but the labels' mean probabilities of the classes are {shares}: expected "
            "all above 0. Give numbers, or labels of every class."
        )
    return tuple(1 / (len(shares) * share) for share in shares)


def refuse_other_class_weights(settings: TrainingSettings, num_classes: int) -> None:
    """Refuse weights that are not one for each class; raises ConfigError."""
    weights = settings.class_weights
    if weights and weights != BALANCED and len(weights) != num_classes:
        raise ConfigError(
            f"class_weights holds {len(weights)} numbers: expected one for each of {num_classes} classes, "
            "or 'balanced'. Correct the setting."
        )


def _class_shares(spark: SparkSession, manifest: ShardManifest) -> tuple[float, ...]:
    """The mean probability of every class, rows by their weight."""
    shards = read_shards(spark, manifest)
    label, weight = F.col(LABEL_COLUMN), F.col(WEIGHT_COLUMN) if manifest.weight else F.lit(1.0)
    classes = (
        [1 - label, label] if manifest.num_classes == 2 else [label[i] for i in range(manifest.num_classes)]
    )
    means = [(F.sum(weight * each) / F.sum(weight)).alias(f"class_{i}") for i, each in enumerate(classes)]
    with named_jobs(spark, "weighing the classes"):
        return tuple(map(float, shards.agg(*means).collect()[0]))  # one row
