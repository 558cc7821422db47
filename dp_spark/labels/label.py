"""Probabilistic labels: P(y | votes) computed where the votes are.  (Tutorial, step 2.iii.)"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, DataType, DoubleType, IntegerType, StructType

from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import unpack_votes
from dp_spark.labels.manifest import LABEL_COLUMN
from dp_spark.tables import BatchPass, map_batches, refuse_reserved_keys

PROB_LABEL = LABEL_COLUMN
NUM_VOTES = "num_votes"
LABELS_KIND = "label table"  # what its description calls a written one


def label(label_matrix: LabelMatrix, label_model: LabelModel) -> DataFrame:
    """The key columns, `prob_label` and `num_votes` of every data point.

    The model travels to the workers with the task: m weights. A row without votes has `num_votes` = 0 and
    gets the class balance, and what silence says where the label model takes it as a sign.

    Args:
        label_matrix: preferably a written one; else its labeling functions run.
        label_model: fitted on the votes of the same LFs.

    Returns:
        One row per data point: the key columns; `prob_label`, for two classes double, P(y = +1), for k
        classes array<double> in the order of `label_model.classes`; `num_votes`, int.

    Raises:
        SchemaError: if a key column has the name of a column for labels.
        ValueError: if matrix and model are not of the same LFs, versions of them, and classes.
    """
    check_same_lfs(label_matrix, label_model)
    refuse_reserved_keys(label_matrix.key, (PROB_LABEL, NUM_VOTES))
    df, prob_type = label_matrix.df, label_type(label_model.num_classes)
    schema = StructType([df.schema[name] for name in label_matrix.key])
    schema = schema.add(PROB_LABEL, prob_type, nullable=False).add(NUM_VOTES, IntegerType(), nullable=False)
    return map_batches(df, _labeler(label_model, len(label_matrix.key)), schema)


def label_type(num_classes: int) -> DataType:
    """The type of `prob_label`: double for two classes, array<double> else."""
    return DoubleType() if num_classes == 2 else ArrayType(DoubleType(), containsNull=False)


def _labeler(label_model: LabelModel, num_keys: int) -> BatchPass:
    def label_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            votes = unpack_votes(batch.column(num_keys), len(label_model.lf_names))
            probs = label_model.predict_proba(votes)
            names = [*batch.schema.names[:num_keys], PROB_LABEL, NUM_VOTES]
            num_votes = pa.array((votes != 0).sum(axis=1).astype(np.int32))
            yield pa.RecordBatch.from_arrays(
                [*batch.columns[:num_keys], labels_as_arrow(probs), num_votes], names=names
            )

    return label_batches


def labels_as_arrow(probs: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> pa.Array:
    """The column `prob_label`, of (n, k) probabilities in the order of the classes."""
    num_rows, num_classes = probs.shape
    if num_classes == 2:
        return pa.array(probs[:, 1])
    offsets = pa.array(np.arange(num_rows + 1, dtype=np.int32) * num_classes)
    return pa.ListArray.from_arrays(offsets, pa.array(probs.ravel()))


def check_same_lfs(label_matrix: LabelMatrix, label_model: LabelModel) -> None:
    """Refuse a label model that was not fitted on votes of the label matrix's LFs; raises as `label`."""
    matrix = (label_matrix.lf_names, label_matrix.num_classes)
    model = (label_model.lf_names, label_model.num_classes)
    if matrix != model:
        raise ValueError(
            f"the label matrix holds votes of {list(matrix[0])} for {matrix[1]} classes and the label "
            f"model was fitted on {list(model[0])} for {model[1]}: expected the same. Fit a model on this "
            "matrix."
        )
    changed = [
        name
        for name, old, new in zip(matrix[0], label_model.lf_hashes, label_matrix.lf_hashes, strict=False)
        if old != new
    ]
    if changed:
        raise ValueError(
            f"the labeling functions {changed} have changed since the label model was fitted: expected the "
            "same content hashes. Count the new votes and fit again."
        )
