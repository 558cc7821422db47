"""Rows of a training set in memory: NumPy features, Arrow strings, labels and weights.

Strings stay in Arrow until a batch is made: 5 bytes beside their characters, where Python takes 60.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dp_spark.labels.features import unpack_features
from dp_spark.labels.manifest import LABEL_COLUMN, WEIGHT_COLUMN, ShardManifest

Vector = npt.NDArray[np.float32]
Part = npt.NDArray[np.float32] | npt.NDArray[np.object_]
Inputs = Part | dict[str, Part]
Indices = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """One process's part of a global batch.

    Attributes:
        inputs: (B, d) float32, (B, 1) texts or (B, c) categories; a dictionary of them by part for a model
            of several.
        labels: (B,) float32, P(y=+1); or (B, k), a probability for each class.
        weights: (B,) float32; 0 marks a row that only fills the batch.
    """

    inputs: Inputs
    labels: Vector
    weights: Vector


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a shard, or of several.

    Attributes:
        parts: by name: (n, d) float32 features; a string array of n texts; an array of n lists of categories.
        labels: (n,) or (n, k) float32.
        weights: (n,) float32.
    """

    parts: dict[str, Vector | pa.Array]
    labels: Vector
    weights: Vector


def columns_of(manifest: ShardManifest) -> list[str]:
    """The columns of a shard that training reads."""
    return [*manifest.inputs.parts, LABEL_COLUMN, *([WEIGHT_COLUMN] if manifest.weight else [])]


def rows_of(batch: pa.RecordBatch, manifest: ShardManifest) -> Rows:
    """The rows of a shard's record batch; views of it where Arrow allows it.

    Raises:
        SchemaError: if packed features are null or of another length than the manifest says.
    """
    parts: dict[str, Vector | pa.Array] = {part: batch.column(part) for part in manifest.inputs.parts}
    if "features" in parts:
        parts["features"] = unpack_features(parts["features"], manifest.num_features)
    labels = batch.column(LABEL_COLUMN)
    if manifest.num_classes > 2:
        flat = labels.flatten().to_numpy(zero_copy_only=False)
        values = flat.astype(np.float32, copy=False).reshape(-1, manifest.num_classes)
    else:
        values = labels.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    if manifest.weight:
        weights = batch.column(WEIGHT_COLUMN).to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    else:
        weights = np.ones(batch.num_rows, np.float32)
    return Rows(parts, values, weights)


def joined(pieces: Sequence[Rows]) -> Rows:
    """The rows of all pieces; copied if there are several."""
    return pieces[0] if len(pieces) == 1 else copied(pieces)


def copied(pieces: Sequence[Rows]) -> Rows:
    """The rows of all pieces, copied, so that what they were cut from can be freed."""
    names = pieces[0].parts
    return Rows(
        {name: _copied([piece.parts[name] for piece in pieces]) for name in names},
        np.concatenate([piece.labels for piece in pieces]),
        np.concatenate([piece.weights for piece in pieces]),
    )


def _copied(columns: Sequence[Vector | pa.Array]) -> Vector | pa.Array:
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    return (
        pa.concat_arrays(columns) if len(columns) > 1 else columns[0].take(pa.array(range(len(columns[0]))))
    )


def part_array(column: Vector | pa.Array) -> Part:
    """One part of a model's inputs as NumPy: features as they are, strings as (n, 1) or (n, c) objects."""
    if isinstance(column, np.ndarray):
        return column
    is_list = pa.types.is_list(column.type)
    values = (column.flatten() if is_list else column).to_numpy(zero_copy_only=False)
    strings: Part = values.astype(np.object_, copy=False).reshape(len(column), -1 if len(column) else 1)
    return strings


class Chosen(NamedTuple):
    """Some rows, in an order."""

    rows: Rows
    order: Indices


def assembled(blocks: Sequence[Sequence[Chosen]], per_block: int, manifest: ShardManifest) -> Batch:
    """A batch of blocks below each other, each filled up to `per_block` rows with repeated rows of weight 0."""
    num_rows = len(blocks) * per_block
    batch = _empty(num_rows, manifest)
    inputs = batch.inputs if isinstance(batch.inputs, dict) else {manifest.inputs.parts[0]: batch.inputs}
    for position, block in enumerate(blocks):
        start = position * per_block
        for rows, order in block:
            stop = start + len(order)
            for name, target in inputs.items():
                _copy(rows.parts[name], order, target[start:stop])
            _copy(rows.labels, order, batch.labels[start:stop])
            _copy(rows.weights, order, batch.weights[start:stop])
            start = stop
    _fill(batch, inputs.values())
    return batch


def _fill(batch: Batch, parts: Iterable[Part]) -> None:
    """Repeat rows where there are none, with weight 0: layers that look at whole batches see real rows only."""
    given = np.flatnonzero(batch.weights)
    missing = np.flatnonzero(batch.weights == 0)
    if len(given) and len(missing):
        repeated = np.resize(given, len(missing))
        for rows in (*parts, batch.labels):
            rows[missing] = rows[repeated]


def _empty(num_rows: int, manifest: ShardManifest) -> Batch:
    """Features 0, texts and categories empty, labels 0 (for k classes 1 / k), weights 0."""
    k = manifest.num_classes
    made: dict[str, Part] = {}
    for part in manifest.inputs.parts:
        if part == "features":
            made[part] = np.zeros((num_rows, manifest.num_features), np.float32)
        else:
            width = 1 if part == "text" else len(manifest.inputs.categories)
            made[part] = np.full((num_rows, width), "", dtype=np.object_)
    labels = np.zeros(num_rows, np.float32) if k == 2 else np.full((num_rows, k), 1 / k, np.float32)
    inputs = made if len(made) > 1 else made[manifest.inputs.parts[0]]
    return Batch(inputs, labels, np.zeros(num_rows, np.float32))


def _copy(column: Vector | pa.Array, order: Indices, target: Part) -> None:
    """Copy the rows once, to where they belong."""
    if isinstance(column, np.ndarray):
        np.take(column, order, axis=0, out=target, mode="clip")  # mode="raise" would copy twice
        return
    target[:] = part_array(column.take(pa.array(order)))
