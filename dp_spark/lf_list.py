"""The labeling functions that a configuration names: a list in a module of the user, or what a function there makes."""

from pyspark.sql import SparkSession

from dp_spark.config import LabelingConfig
from dp_spark.errors import ConfigError
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.references import called, resolve_reference


def lfs_of(labeling: LabelingConfig, spark: SparkSession) -> list[LabelingFunction]:
    """The labeling functions that [labeling] names.

    Raises:
        ConfigError: if the module or the list is not there, or it is no list of labeling functions.
    """
    reference = f"{labeling.module}:{labeling.lfs}"
    lfs = resolve_reference(reference)
    if callable(lfs) and not isinstance(lfs, LabelingFunction):
        lfs = called(lfs, spark, f"labeling.lfs: {reference}")
    if not isinstance(lfs, (list, tuple)) or not lfs:
        raise ConfigError(
            f"labeling.lfs: {reference} is {lfs!r}: expected a list of labeling functions, or a function that "
            "makes one from a Spark session. Put @labeling_function above definitions."
        )
    plain = [lf for lf in lfs if not isinstance(lf, LabelingFunction)]
    if plain:
        raise ConfigError(
            f"labeling.lfs: {reference} holds {plain[0]!r}, which is no labeling function: put "
            "@labeling_function above its definition."
        )
    return list(lfs)
