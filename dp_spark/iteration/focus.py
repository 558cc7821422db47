"""Which rows to write the next LF for: uncovered ones, those that LFs disagree on, those with uncertain labels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, IntegerType, StructType

from dp_spark.iteration.label_classes import LabeledVotes, labeled
from dp_spark.label_model.model import Vector
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes
from dp_spark.labeling.votes import ABSTAIN, Votes
from dp_spark.tables import map_batches, quoted

Focus = Literal["uncovered", "conflicts", "uncertain"]

LABEL, IN_FOCUS = (
    "_label",
    "_is_in_focus",
)  # columns beside the key; a label is a position of `label_positions`
_HASH_BUCKETS = 1 << 20  # resolution of the sample rate


@dataclass(frozen=True)
class Search:
    """How to look for suggestions.

    Attributes:
        focus: "uncovered": rows without votes; "conflicts": rows with votes for different classes; "uncertain":
            covered rows whose label is less probable than `max_confidence`.
        max_confidence: see `focus`.
        min_rows: in focus, that a value must have.
        max_per_column: how many values of a column are suggested.
        max_rows: of a larger table a sample of about so many rows is looked at, drawn by a hash of the key.
        min_z: what is over-represented by fewer standard errors is left out; 2 is what chance does to one in 40.
    """

    focus: Focus = "uncovered"
    max_confidence: float = 0.7
    min_rows: int = 5
    max_per_column: int = 10
    max_rows: int = 1_000_000
    min_z: float = 2.0


def sampled(df: DataFrame, key: Sequence[str], rate: float) -> DataFrame:
    """A sample of the rows by a hash of the key: the same data points of every table.

    Args:
        df: a table with the key columns.
        key: their names.
        rate: the share of rows; 1 or more keeps all.
    """
    if rate >= 1:
        return df
    bucket = F.pmod(F.xxhash64(*map(quoted, key)), F.lit(_HASH_BUCKETS))
    return df.where(bucket < int(rate * _HASH_BUCKETS))


def judged_by_focus(df: DataFrame, labeled_votes: LabeledVotes, search: Search) -> DataFrame:
    """The key columns, LABEL and IN_FOCUS: what each row is labeled as, and whether it is in focus.

    Args:
        df: of the label matrix, or a sample of it.
        labeled_votes: label matrix and label model.
        search: which rows are in focus.
    """
    key, model = labeled_votes.matrix.key, labeled_votes.model
    num_keys, num_lfs = len(key), len(model.lf_names)

    def judge(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            votes = unpack_votes(batch.column(num_keys), num_lfs)
            probs, positions = labeled(model, votes)
            in_focus = is_in_focus(votes, probs, search)
            columns = [*batch.columns[:num_keys], pa.array(positions.astype(np.int32)), pa.array(in_focus)]
            yield pa.RecordBatch.from_arrays(columns, names=[*key, LABEL, IN_FOCUS])

    schema = (
        StructType([df.schema[name] for name in key]).add(LABEL, IntegerType()).add(IN_FOCUS, BooleanType())
    )
    return map_batches(df.select(*map(quoted, key), VOTES_COLUMN), judge, schema)


def is_in_focus(votes: Votes, probs: Vector, search: Search) -> npt.NDArray[np.bool_]:
    """Whether rows are in focus: (n,).

    Args:
        votes: (n, m).
        probs: (n, k).
        search: which are.
    """
    cast = votes != ABSTAIN
    if search.focus == "uncovered":
        return np.asarray(~cast.any(axis=1))
    if search.focus == "uncertain":
        return np.asarray(cast.any(axis=1) & (probs.max(axis=1) < search.max_confidence))
    largest = np.where(cast, votes, np.int8(-128)).max(axis=1)
    smallest = np.where(cast, votes, np.int8(127)).min(axis=1)
    return np.asarray(cast.any(axis=1) & (largest != smallest))
