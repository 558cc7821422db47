from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from dp_spark.labels.features import pack_features
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.manifest import SHARDS_FOLDER, ShardManifest
from dp_spark.labels.shard_files import describe_file

NUM_FEATURES = 6
NUM_ROWS = 803
ROW_GROUP_ROWS = 90

MakeManifest = Callable[..., ShardManifest]
ShipModule = Callable[[str, str], str]
Toy = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@pytest.fixture
def toy() -> Toy:
    """The features and labels that `make_manifest` writes by default."""
    return _toy(NUM_ROWS)


def _toy(num_rows: int) -> Toy:
    """Features (the first is the row's number, scaled) and soft labels from a linear model."""
    random = np.random.default_rng(7)
    matrix = random.normal(size=(num_rows, NUM_FEATURES)).astype(np.float32)
    matrix[:, 0] = np.arange(num_rows) / num_rows
    logits = matrix @ np.linspace(-2, 2, NUM_FEATURES)
    return matrix, (1 / (1 + np.exp(-logits))).astype(np.float32)


@pytest.fixture
def make_manifest(tmp_path: Path) -> MakeManifest:
    """Shards written by Arrow alone, in files of uneven sizes with several row groups."""

    def make(sizes: tuple[int, ...] = (400, 3, 400), texts: list[str] | None = None) -> ShardManifest:
        folder = tmp_path / f"training set in {sizes}" / SHARDS_FOLDER
        folder.mkdir(parents=True)
        matrix, labels = _toy(sum(sizes))
        files, start = [], 0
        for index, size in enumerate(sizes):
            stop = start + size
            inputs = pa.array(texts[start:stop]) if texts else pack_features(matrix[start:stop])
            table = pa.table({"text" if texts else "features": inputs, "prob_label": labels[start:stop]})
            name = f"part-{index:05d}.parquet"
            pq.write_table(table, folder / name, row_group_size=ROW_GROUP_ROWS)
            strings = ["text"] if texts else []
            files.append(describe_file(str(folder / name), strings, 0 if texts else NUM_FEATURES))
            start = stop
        return ShardManifest(
            path=str(folder.parent),
            inputs=InputColumns(text="comment")
            if texts
            else InputColumns(("x",), feature_widths=(NUM_FEATURES,)),
            num_classes=2,
            num_data_points=sum(sizes),
            seed=0,
            key=(),
            schema=(),
            files=tuple(files),
        )

    return make


@pytest.fixture
def ship_module(spark: SparkSession, tmp_path: Path) -> ShipModule:
    """Writes a module that the workers can import, as `--py-files` would; returns its name."""

    def ship(name: str, text: str) -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        spark.sparkContext.addPyFile(str(path))
        return name

    return ship
