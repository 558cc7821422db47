"""What a manifest says of shards: their rows, bytes, digests and the features' moments, found by Spark's tasks.

One task reads one file, so that neither the driver nor the disk of one machine holds back a large training set.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dp_spark.labels.features import unpack_features
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import FeatureMoments, ShardFile
from dp_spark.labels.shard_files import describe_file, open_shard, rows_per_read
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.storage import Storage, join_path
from dp_spark.tables import map_batches
from dp_spark.worker_errors import translated_errors

_SCHEMA = "name string, num_data_points long, input_bytes long, sha256 string, sums binary"

Sums = npt.NDArray[np.float64]


def describe_shards(
    storage: Storage, folder: str, inputs: InputColumns, *, with_moments: bool
) -> tuple[tuple[ShardFile, ...], FeatureMoments | None]:
    """The files of a folder that hold rows, by name, and the moments of their features if asked for.

    Args:
        storage: the file systems.
        folder: holds shards.
        inputs: what the shards hold.
        with_moments: whether to compute mean and variance of the features.
    """
    names = [name for name in storage.list_names(folder) if name.endswith(".parquet")]
    place, num_features = storage.qualified(folder), inputs.num_features
    strings = [part for part in inputs.parts if part != "features"]

    def describe(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for index in batch.column(0).to_pylist():
                path = join_path(place, names[index])
                file = describe_file(path, strings, num_features)
                sums = _sums(path, num_features).tobytes() if with_moments else None
                values = [[value] for value in (*vars(file).values(), sums)]
                types = [pa.string(), pa.int64(), pa.int64(), pa.string(), pa.binary()]
                arrays = [pa.array(value, data_type) for value, data_type in zip(values, types, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=[*vars(file), "sums"])

    indices = storage.spark.range(0, len(names), 1, max(1, len(names)))
    with translated_errors(), named_jobs(storage.spark, f"describing {len(names)} shards"):
        rows = map_batches(indices, describe, _SCHEMA).collect()  # one row for each shard
    held = sorted((row for row in rows if row["num_data_points"]), key=lambda row: row["name"])
    files = tuple(
        ShardFile(row["name"], row["num_data_points"], row["input_bytes"], row["sha256"]) for row in held
    )
    if not with_moments or not files:
        return files, None
    return files, _moments([np.frombuffer(row["sums"]).reshape(3, -1) for row in held])


def _sums(path: str, num_features: int) -> Sums:
    """(3, d): the number of rows, the mean, and the sum of squared differences from it, of each feature."""
    total = np.zeros((3, num_features))
    with open_shard(path) as file:
        for batch in file.iter_batches(rows_per_read(4 * num_features), columns=["features"]):
            matrix = unpack_features(batch.column(0), num_features).astype(np.float64)
            mean = matrix.mean(axis=0)
            part = np.stack([np.full(num_features, len(matrix)), mean, ((matrix - mean) ** 2).sum(axis=0)])
            total = _pooled(total, part)
    return total


def _pooled(left: Sums, right: Sums) -> Sums:
    """The sums over both parts, without cancellation.  (Chan, Golub and LeVeque 1979.)"""
    num_rows = left[0] + right[0]
    difference = right[1] - left[1]
    mean = left[1] + difference * right[0] / num_rows
    squares = left[2] + right[2] + difference**2 * left[0] * right[0] / num_rows
    return np.stack([num_rows, mean, squares])


def _moments(parts: Sequence[Sums]) -> FeatureMoments:
    total = parts[0]
    for part in parts[1:]:
        total = _pooled(total, part)
    return FeatureMoments(tuple(total[1].tolist()), tuple((total[2] / total[0]).tolist()))
