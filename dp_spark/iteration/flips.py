"""Data points that two label models on two label matrices label otherwise, and which LFs are behind it.

Labels are computed from votes and label model where the votes are: both label matrices are joined by key, once.
The LFs of both are matched by name. From one label to another the log-odds of the new class against the old one
change by Σ_i (what LF i adds after) - (what it added before), and by what the class balance changed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType

from dp_spark.counting.merging import count_batches
from dp_spark.iteration.array_sums import Array, ArraySums
from dp_spark.iteration.label_classes import LabeledVotes, position_titles
from dp_spark.iteration.pushes import Push, push_sums, pushes_of
from dp_spark.iteration.sides import (
    AFTER,
    BEFORE,
    Side,
    SideRows,
    joined_names,
    joined_votes,
    refuse_incomparable,
)
from dp_spark.labels.label import label_type, labels_as_arrow
from dp_spark.tables import map_batches, refuse_reserved_keys

FLIP_COLUMNS = (
    "label_before",
    "label_after",
    "prob_label_before",
    "prob_label_after",
    "num_votes_before",
    "num_votes_after",
    "moved",
)


@dataclass(frozen=True, eq=False)
class Flips:
    """How labels changed between two label matrices with their label models.

    Attributes:
        titles: k + 2 texts: the classes, "tied", "uncovered".
        transitions: (k + 2, k + 2) int64: data points of both by label before and after.
        num_only_before: data points that only the first one has.
        num_only_after: data points that only the second one has.
        pushes: of each LF towards the new class, where one class became another one.
        class_balance_push: the same of the class balance.
        num_covering: by LF: of the data points that became covered, those on which it votes now.
        num_uncovering: by LF: of the data points that became uncovered, those on which it voted.
    """

    titles: tuple[str, ...]
    transitions: npt.NDArray[np.int64]
    num_only_before: int
    num_only_after: int
    pushes: tuple[Push, ...]
    class_balance_push: float
    num_covering: dict[str, int]
    num_uncovering: dict[str, int]

    @property
    def num_both(self) -> int:
        """Data points that both have."""
        return int(self.transitions.sum())

    @property
    def num_flipped(self) -> int:
        """Data points of both whose label is another one now: another class, a tie, covered or no longer."""
        return self.num_both - int(np.trace(self.transitions))

    @property
    def num_became_covered(self) -> int:
        """Data points that had no vote, and have one."""
        return int(self.transitions[-1, :-1].sum())

    @property
    def num_became_uncovered(self) -> int:
        """Data points that had a vote, and have none."""
        return int(self.transitions[:-1, -1].sum())

    @property
    def num_of_votes(self) -> int:
        """Data points with votes in both, whose label is another class or tie now."""
        return self.num_flipped - self.num_became_covered - self.num_became_uncovered

    @property
    def is_different(self) -> bool:
        """Whether a label flipped, or the data points are not the same."""
        return bool(self.num_flipped or self.num_only_before or self.num_only_after)

    @cached_property
    def changes(self) -> list[tuple[str, str, int]]:
        """Label before, label after, and how many data points; the most frequent change first."""
        found = [
            (self.titles[i], self.titles[j], int(self.transitions[i, j]))
            for i, j in zip(*np.nonzero(self.transitions), strict=True)
            if i != j
        ]
        return sorted(found, key=lambda change: -change[2])


def count_flips(before: LabeledVotes, after: LabeledVotes) -> Flips:
    """How labels changed, counted in one pass over both label matrices, joined by key.

    Args:
        before: a written label matrix and its label model.
        after: another one with the same key columns and classes; its LFs may be others.

    Raises:
        ValueError: if key columns or classes are not the same.
    """
    refuse_incomparable(before.matrix, after.matrix)
    names = joined_names(before.model.lf_names, after.model.lf_names)
    sides, k = tuple(Side.of(side.model, names) for side in (before, after)), before.model.num_classes

    def with_batch(sums: ArraySums, batch: pa.RecordBatch) -> ArraySums:
        old, new = (side.read(column) for side, column in zip(sides, batch.columns, strict=True))
        return sums + ArraySums(_sums(old, new, sides, k))

    none = [side.read(pa.array([], pa.binary())) for side in sides]
    start = ArraySums(_sums(none[0], none[1], sides, k))
    arrays = count_batches(
        joined_votes(before.matrix, after.matrix).select(BEFORE, AFTER), start, with_batch
    ).arrays
    log_balances = np.log(after.model.class_balance) - np.log(before.model.class_balance)
    between = arrays["transitions"][:k, :k]
    return Flips(
        titles=position_titles(after.classes),
        transitions=arrays["transitions"].astype(np.int64),
        num_only_before=int(arrays["num_only"][0]),
        num_only_after=int(arrays["num_only"][1]),
        pushes=pushes_of(names, arrays["log_odds"], arrays["num_pushed"], arrays["num_led"]),
        class_balance_push=float((between * (log_balances[None] - log_balances[:, None])).sum()),
        num_covering=_counted(names, arrays["num_covering"]),
        num_uncovering=_counted(names, arrays["num_uncovering"]),
    )


def flipped_rows(before: LabeledVotes, after: LabeledVotes) -> DataFrame:
    """The data points of both whose label is another one now.

    Args:
        before: as of `count_flips`.
        after: as of `count_flips`.

    Returns:
        The key columns; `label_before` and `label_after`: the class's name or number, "tied" if classes are equally
        probable, "uncovered" without votes; `prob_label_before` and `prob_label_after` as in a label table;
        `num_votes_before` and `num_votes_after`; `moved`, the largest change of a class's probability.

    Raises:
        ValueError: as `count_flips`.
        SchemaError: if a key column has the name of another column.
    """
    refuse_incomparable(before.matrix, after.matrix)
    refuse_reserved_keys(after.matrix.key, FLIP_COLUMNS)
    names = joined_names(before.model.lf_names, after.model.lf_names)
    sides = tuple(Side.of(side.model, names) for side in (before, after))
    joined, titles = joined_votes(before.matrix, after.matrix), position_titles(after.classes)
    kind, num_keys = label_type(after.model.num_classes), len(after.matrix.key)

    def flips(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            old, new = (side.read(batch.column(num_keys + i)) for i, side in enumerate(sides))
            kept = old.is_there & new.is_there & (old.positions != new.positions)
            keys = [column.filter(pa.array(kept)) for column in batch.columns[:num_keys]]
            columns = [*keys, *_flip_columns(old, new, kept, titles)]
            yield pa.RecordBatch.from_arrays(columns, names=[*batch.schema.names[:num_keys], *FLIP_COLUMNS])

    types = (StringType(), StringType(), kind, kind, IntegerType(), IntegerType(), DoubleType())
    schema = StructType([joined.schema[f"k{i}"] for i in range(num_keys)])
    for name, column_type in zip(FLIP_COLUMNS, types, strict=True):
        schema = schema.add(StructField(name, column_type, nullable=False))
    return map_batches(joined, flips, schema).toDF(*after.matrix.key, *FLIP_COLUMNS)


def _flip_columns(
    old: SideRows, new: SideRows, kept: npt.NDArray[np.bool_], titles: tuple[str, ...]
) -> list[pa.Array]:
    """FLIP_COLUMNS of the rows that are kept."""
    names, both = np.array(titles, dtype=object), (old, new)
    moved = np.abs(new.probs[kept] - old.probs[kept]).max(axis=1, initial=0.0)
    return [
        *(pa.array(names[side.positions[kept]], pa.string()) for side in both),
        *(labels_as_arrow(side.probs[kept]) for side in both),
        *(pa.array((side.votes[kept] != 0).sum(axis=1).astype(np.int32)) for side in both),
        pa.array(moved),
    ]


def _sums(old: SideRows, new: SideRows, sides: tuple[Side, ...], k: int) -> dict[str, Array]:
    """What `Flips` is made of, of some rows."""
    both = old.is_there & new.is_there
    transitions = np.zeros((k + 2, k + 2), dtype=np.int64)
    np.add.at(transitions, (old.positions[both], new.positions[both]), 1)
    is_class = both & (old.positions < k) & (new.positions < k) & (old.positions != new.positions)
    towards, against = new.positions[is_class], old.positions[is_class]
    was, now = (
        side.terms.pushes(rows.votes[is_class], towards, against)
        for side, rows in zip(sides, (old, new), strict=True)
    )
    opened = both & (old.positions == k + 1) & (new.positions != k + 1)
    closed = both & (old.positions != k + 1) & (new.positions == k + 1)
    return {
        "transitions": transitions,
        "num_only": np.array([(old.is_there & ~both).sum(), (new.is_there & ~both).sum()], dtype=np.int64),
        **push_sums(now - was),
        "num_covering": np.count_nonzero(new.votes[opened], axis=0).astype(np.int64),
        "num_uncovering": np.count_nonzero(old.votes[closed], axis=0).astype(np.int64),
    }


def _counted(names: tuple[str, ...], counts: Array) -> dict[str, int]:
    return {name: int(count) for name, count in zip(names, counts, strict=True) if count}
