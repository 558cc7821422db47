"""Whether a user's model function gives a model that can be trained: it is called in a process of its own.

So the driver, which may have GPUs that the training needs, does not load TensorFlow for it.
"""

import json
import subprocess
import sys
from dataclasses import asdict

from pyspark.sql import DataFrame

from dp_spark.checks.columns import inputs_of
from dp_spark.config import PipelineConfig
from dp_spark.end_model.barrier_task import process_environment
from dp_spark.end_model.input_spec import InputSpec
from dp_spark.errors import ConfigError
from dp_spark.labels.inputs import with_feature_widths

_MODULE = "dp_spark.end_model.model_check"
_SECONDS = 300.0
_TAIL_LINES = 5
_TOKENS = ("a", "b", "c")  # stand for the vocabularies, which only the training set tells


def refuse_unusable_model(points: DataFrame, config: PipelineConfig) -> None:
    """Refuse a model function that raises, or whose model does not take the inputs or give the logits that it should.

    Args:
        points: the table.
        config: names the function.

    Raises:
        ConfigError: with what the function raised.
    """
    job = {"inputs": asdict(_input_spec(points, config)), "settings": asdict(config.end_model.settings())}
    try:
        done = subprocess.run(  # noqa: S603 - this Python, this package
            [sys.executable, "-m", _MODULE],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env={**process_environment(1, []), "CUDA_VISIBLE_DEVICES": "-1"},
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise ConfigError(
            f"{config.end_model.model} had not returned a model after {_SECONDS:.0f} seconds. Simplify it."
        ) from problem
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()][-_TAIL_LINES:]
        raise ConfigError("\n".join([f"{config.end_model.model} ended its process:", *lines]))
    problem_text = done.stdout.splitlines()[-1]
    if problem_text != "ok":
        raise ConfigError(json.loads(problem_text))


def _input_spec(points: DataFrame, config: PipelineConfig) -> InputSpec:
    """What the model would be told, with short vocabularies."""
    inputs, settings = with_feature_widths(points, inputs_of(config)), config.training_set
    d, is_standardized = inputs.num_features, settings.standardize and bool(inputs.features)
    return InputSpec(
        parts=inputs.parts,
        num_features=d,
        vocabulary=_TOKENS if inputs.text else (),
        ngrams=config.end_model.ngrams,
        category_vocabularies=tuple(_TOKENS for _ in inputs.categories),
        num_classes=config.labeling.classes.num_classes,
        feature_means=(0.0,) * d if is_standardized else (),
        feature_variances=(1.0,) * d if is_standardized else (),
    )
