"""Shards to end model: the driver's part, which loads no TensorFlow.

The end model is the tutorial's step 3; docs/training.md says how it is trained.
"""

import logging

from pyspark.sql import SparkSession

from dp_spark.end_model.artifact import EndModel, end_model_of
from dp_spark.end_model.attempts import delete_checkpoints, newest_checkpoint, run_directory
from dp_spark.end_model.class_weights import resolved_class_weights
from dp_spark.end_model.job import TrainingJob
from dp_spark.end_model.launch import launch
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.end_model.vocabulary import count_inputs
from dp_spark.errors import ConfigError, EnvironmentProblem
from dp_spark.labels.manifest import ShardManifest
from dp_spark.storage import Storage

logger = logging.getLogger(__name__)

RISE_TOLERANCE = 0.01  # a loss this little above the first epoch's is noise of the order of batches


def train_end_model(
    spark: SparkSession,
    manifest: ShardManifest,
    settings: TrainingSettings,
    *,
    storage: Storage,
    keep_checkpoints: bool = False,
) -> EndModel:
    """Minimise the noise-aware loss over a training set, in `num_workers` processes on the executors.

    1 worker and N workers take the same steps over the same global batches; only the order of sums
    differs. Checkpoints lie beside the shards until training is complete: called again after a failure, or by
    another driver after the first has died, it goes on from the newest.

    Args:
        spark: the session.
        manifest: from `write_shards` or `read_manifest`; workers must be able to read its path.
        settings: how to train.
        storage: the file systems.
        keep_checkpoints: leave the last one until `delete_checkpoints`, so that a model that cannot be saved is
            not lost: called again, this function then returns it without training.

    Raises:
        EnvironmentProblem: if the cluster has too few slots, dynamic allocation is on, or the workers
            have no TensorFlow.
        ConfigError: if the user's model function fails or its model is not usable.
        SchemaError: if no training text holds a token.
        DivergedError: if the loss became NaN or infinite, or exploded; checkpoints are kept.
        TrainingError: if training processes failed `max_attempts` times in a row; checkpoints are kept.
    """
    located = manifest.moved_to(storage.qualified(manifest.path))
    inputs = count_inputs(spark, located, settings)
    directory = run_directory(located, inputs, settings)
    class_weights = resolved_class_weights(spark, located, settings)
    job = TrainingJob(located, settings, inputs, directory, class_weights=class_weights)
    try:
        trained = launch(spark, storage, job, directory)
    except (ConfigError, EnvironmentProblem):
        if newest_checkpoint(storage, directory) is None:
            storage.delete(directory)
        raise
    if not keep_checkpoints:
        delete_checkpoints(storage, located)
    first, last = trained.history[0]["loss"], trained.history[-1]["loss"]
    if last > first * (1 + RISE_TOLERANCE):
        logger.warning("the loss rose from %.4f to %.4f while training: lower learning_rate", first, last)
    logger.info(
        "trained end model: n=%d epochs=%d workers=%d loss=%.4f",
        manifest.num_data_points,
        len(trained.history),
        settings.num_workers,
        last,
    )
    return end_model_of(
        trained.model_bytes, trained.history, manifest, inputs, settings, versions=trained.versions
    )
