"""Applies an end model to a table of any size, where the rows are.

docs/training.md has the measurements.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import DoubleType, StructField, StructType

from dp_spark.end_model.artifact import EndModel
from dp_spark.errors import ConfigError, DpSparkError, EnvironmentProblem
from dp_spark.label_model.model import sigmoid
from dp_spark.labels.features import feature_matrix, text_array
from dp_spark.labels.inputs import input_column
from dp_spark.labels.manifest import LABEL_COLUMN, InputKind
from dp_spark.labels.shard_rows import INPUT, row_key
from dp_spark.references import resolve_reference
from dp_spark.tables import BatchPass, map_batches, quoted, refuse_missing_columns, refuse_reserved_keys
from dp_spark.worker_errors import marked

PREDICTIONS_KIND = "table of predictions"  # what its description calls a written one
SCORER = "dp_spark.end_model.scoring:scorer"

Scorer = Callable[[npt.NDArray[np.generic]], npt.NDArray[np.float32]]
MakeScorer = Callable[[bytes, InputKind, int, str], Scorer]


def predict(df: DataFrame, end_model: EndModel, *, key: Sequence[str]) -> DataFrame:
    """P(y=+1) of every row: the key columns and `prob_label`, a double. Lazy.

    Args:
        df: a table with the columns that the model was trained on.
        end_model: the model; it travels to the executors with the tasks and is loaded once in each
            Python worker.
        key: the columns to keep.

    Raises:
        SchemaError: if columns are missing or of another type. When the result is used: if a feature
            or text is null or not finite, or a vector has another length than in training (inside
            Spark's exception; `translated_errors` brings it out).
    """
    refuse_missing_columns(df, {"the key": key}, "the table")
    refuse_reserved_keys(key, (LABEL_COLUMN,))
    inputs = input_column(df, end_model.kind, end_model.columns)
    rows = df.select(*map(quoted, key), inputs.alias(INPUT))
    schema = StructType([*[rows.schema[name] for name in key], StructField(LABEL_COLUMN, DoubleType())])
    return map_batches(rows, _score_batches(end_model, tuple(key)), schema)


def _score_batches(end_model: EndModel, key: tuple[str, ...]) -> BatchPass:
    def score_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        names = [*key, LABEL_COLUMN]
        try:
            score = _scorer(end_model)
            for batch in batches:
                logits = score(_inputs(batch, end_model, key)).astype(np.float64)
                arrays = [*map(batch.column, key), pa.array(sigmoid(logits))]
                yield pa.RecordBatch.from_arrays(arrays, names=names)
        except DpSparkError as problem:
            raise marked(problem) from None

    return score_batches


def _scorer(end_model: EndModel) -> Scorer:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's remarks about GPUs, per worker
    try:
        make_scorer = cast(MakeScorer, resolve_reference(SCORER))
    except ConfigError as problem:
        raise EnvironmentProblem(
            f"{problem} The workers' Python is {sys.executable}; set PYSPARK_PYTHON to one with TensorFlow."
        ) from problem
    settings = end_model.settings
    return make_scorer(end_model.model_bytes, end_model.kind, end_model.num_features, settings.model)


def _inputs(batch: pa.RecordBatch, end_model: EndModel, key: Sequence[str]) -> npt.NDArray[np.generic]:
    column, name = batch.column(INPUT), ", ".join(end_model.columns)
    if end_model.kind == "text":
        texts = text_array(column, name, lambda i: row_key(batch, key, i))
        return np.array(texts.to_pylist(), dtype=np.object_).reshape(-1, 1)
    return feature_matrix(column, end_model.num_features, name, lambda i: row_key(batch, key, i))
