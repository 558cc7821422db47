"""Applies an end model to a table of any size, where the rows are.

docs/training.md has the measurements.
"""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructField, StructType

from dp_spark.end_model.artifact import EndModel
from dp_spark.end_model.probabilities import probability_function
from dp_spark.end_model.rows import Part, part_array
from dp_spark.errors import DpSparkError
from dp_spark.labels.inputs import input_columns
from dp_spark.labels.label import label_type, labels_as_arrow
from dp_spark.labels.manifest import LABEL_COLUMN
from dp_spark.labels.shard_rows import checked_part
from dp_spark.tables import BatchPass, map_batches, quoted, refuse_missing_columns, refuse_reserved_keys
from dp_spark.worker_errors import marked

PREDICTIONS_KIND = "table of predictions"  # what its description calls a written one


def predict(df: DataFrame, end_model: EndModel, *, key: Sequence[str]) -> DataFrame:
    """The key columns and `prob_label` of every row, as a label table has them. Lazy.

    `prob_label` is a double, P(y=+1), for two classes, and array<double>, a probability for each class, else.

    Args:
        df: a table with the columns that the model was trained on.
        end_model: the model; it travels to the executors with the tasks and is loaded once in each
            Python worker.
        key: the columns to keep.

    Raises:
        SchemaError: if columns are missing or of another type. When the result is used: if an input
            is null or not finite, or a vector has another length than in training (inside
            Spark's exception; `translated_errors` brings it out).
    """
    refuse_missing_columns(df, {"the key": key}, "the table")
    refuse_reserved_keys(key, (LABEL_COLUMN,))
    rows = df.select(*map(quoted, key), *input_columns(df, end_model.columns))
    label = StructField(LABEL_COLUMN, label_type(end_model.inputs.num_classes))
    schema = StructType([*[rows.schema[name] for name in key], label])
    return map_batches(rows, _score_batches(end_model, tuple(key)), schema)


def _score_batches(end_model: EndModel, key: tuple[str, ...]) -> BatchPass:
    def score_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        names = [*key, LABEL_COLUMN]
        try:
            probabilities = probability_function(end_model)
            for batch in batches:
                probs = probabilities(_inputs(batch, end_model, key))
                arrays = [*map(batch.column, key), labels_as_arrow(probs)]
                yield pa.RecordBatch.from_arrays(arrays, names=names)
        except DpSparkError as problem:
            raise marked(problem) from None

    return score_batches


def _inputs(batch: pa.RecordBatch, end_model: EndModel, key: Sequence[str]) -> dict[str, Part]:
    columns = end_model.columns
    checked = {part: checked_part(batch, part, columns, key) for part in columns.parts}
    return {part: part_array(column) for part, column in checked.items()}
