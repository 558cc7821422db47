"""Two label matrices with their label models side by side: votes of the same data point in one row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dp_spark.iteration.label_classes import Positions, labeled
from dp_spark.iteration.pushes import Terms
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes
from dp_spark.labeling.votes import Votes
from dp_spark.tables import quoted

BEFORE, AFTER = "votes_before", "votes_after"


@dataclass(frozen=True)
class Side:
    """A label model, and where its LFs are among those of both sides.

    Attributes:
        model: the label model.
        columns: (m,) positions.
        terms: of its LFs at these positions; 0 of the others.
    """

    model: LabelModel
    columns: Positions
    terms: Terms

    @classmethod
    def of(cls, model: LabelModel, lf_names: tuple[str, ...]) -> "Side":
        """The side with this label model; `lf_names` are the LFs of both."""
        own, k = Terms.of(model), model.num_classes
        columns = np.array([lf_names.index(name) for name in model.lf_names], dtype=np.int64)
        values = np.zeros((len(lf_names), k + 1, k))
        values[columns] = own.values
        return cls(model, columns, Terms(k, values))

    def read(self, packed: pa.Array) -> "SideRows":
        """The rows of a batch on this side; null where the data point is not there."""
        m = len(self.model.lf_names)
        votes = unpack_votes(pc.fill_null(packed, bytes(m)), m)
        probs, positions = labeled(self.model, votes)
        aligned = np.zeros((len(votes), len(self.terms.values)), dtype=np.int8)
        aligned[:, self.columns] = votes
        return SideRows(packed.is_valid().to_numpy(zero_copy_only=False), aligned, probs, positions)


@dataclass(frozen=True, eq=False)
class SideRows:
    """Rows of one side.

    Attributes:
        is_there: (n,) whether the side has the data point.
        votes: (n, m) of the LFs of both sides.
        probs: (n, k).
        positions: (n,) as of `label_positions`.
    """

    is_there: npt.NDArray[np.bool_]
    votes: Votes
    probs: Vector
    positions: Positions


def joined_names(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """The LFs of the second side, then those that only the first one has."""
    return (*after, *(name for name in before if name not in after))


def joined_votes(before: LabelMatrix, after: LabelMatrix) -> DataFrame:
    """The key columns as k0, k1, ..., and the packed votes of both; null where a data point is not there."""
    keys = [f"k{i}" for i in range(len(after.key))]
    sides = [
        matrix.df.select(*(quoted(name).alias(k) for name, k in zip(after.key, keys, strict=True)), votes)
        for matrix, votes in (
            (before, F.col(VOTES_COLUMN).alias(BEFORE)),
            (after, F.col(VOTES_COLUMN).alias(AFTER)),
        )
    ]
    return sides[0].join(sides[1], on=keys, how="full")


def incomparable(before: LabelMatrix, after: LabelMatrix) -> str:
    """Why data points, or their labels, cannot be compared; empty if they can."""
    key_types = [[matrix.df.schema[name].dataType for name in matrix.key] for matrix in (before, after)]
    if before.key != after.key or key_types[0] != key_types[1]:
        shown = [
            ", ".join(f"{name} {kind.simpleString()}" for name, kind in zip(matrix.key, kinds, strict=True))
            for matrix, kinds in zip((before, after), key_types, strict=True)
        ]
        return f"their key columns are {shown[0]} and {shown[1]}"
    classes = [(matrix.num_classes, matrix.class_names) for matrix in (before, after)]
    if classes[0][0] != classes[1][0] or (all(names for _, names in classes) and classes[0] != classes[1]):
        return f"their classes are {_shown(*classes[0])} and {_shown(*classes[1])}"
    return ""


def _shown(num_classes: int, names: tuple[str, ...]) -> str:
    return str(list(names)) if names else f"{num_classes} without names"


def refuse_incomparable(before: LabelMatrix, after: LabelMatrix) -> None:
    """Refuse label matrices whose data points or labels cannot be compared.

    Raises:
        ValueError: saying what differs.
    """
    why = incomparable(before, after)
    if why:
        raise ValueError(f"the label matrices cannot be compared: {why}. Expected the same of both.")
