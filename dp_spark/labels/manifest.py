"""The index of a training set's shards, and how their rows are divided; without Spark or TensorFlow.

A shard is one Parquet file; the shards in the order of their names hold the rows in one total order.
Training cuts that order in *row ranges* of equal size whatever the files' sizes, so that no worker runs
out of rows before another.  (docs/training.md)
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Literal, NamedTuple

from dp_spark.errors import SchemaError

MANIFEST_FILE = "manifest.json"
SHARDS_FOLDER = "shards"
FORMAT_VERSION = 1

FEATURES_COLUMN = "features"
TEXT_COLUMN = "text"
LABEL_COLUMN = "prob_label"

InputKind = Literal["features", "text"]


class RowSlice(NamedTuple):
    """Rows `start` to `stop` (excluded) of one file."""

    file_index: int
    start: int
    stop: int


@dataclass(frozen=True)
class ShardFile:
    """One Parquet file and how many data points it holds."""

    name: str
    num_data_points: int


@dataclass(frozen=True)
class ShardManifest:
    """All shards of a training set, and what they hold.

    Attributes:
        path: the directory; not part of the JSON, so that a training set can be moved.
        kind: "features" (packed float32) or "text".
        columns: the source table's columns that became the features, or the one text column.
        num_features: d; 0 for text.
        num_data_points: rows in all shards.
        num_uncovered: data points left out because no labeling function voted on them.
        seed: of the row order.
        key: the columns that identify a data point; each shard has them.
        files: the shards, by name.
        label_table_id: names the label table, where its writer gave it a name.
    """

    path: str
    kind: InputKind
    columns: tuple[str, ...]
    num_features: int
    num_data_points: int
    num_uncovered: int
    seed: int
    key: tuple[str, ...]
    files: tuple[ShardFile, ...]
    label_table_id: str | None = None
    version: int = FORMAT_VERSION

    @property
    def digest(self) -> str:
        """The SHA-256 of the manifest's JSON: which training set this was."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def file_path(self, file: ShardFile) -> str:
        """Where one shard lies."""
        return "/".join([self.path.rstrip("/"), SHARDS_FOLDER, file.name])

    def to_json(self) -> str:
        """The manifest as JSON, without its own path."""
        content = asdict(self)
        del content["path"]
        return json.dumps(content, indent=2, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str, path: str) -> "ShardManifest":
        """The manifest that `to_json` wrote.

        Args:
            text: the JSON.
            path: the directory in which it was found.

        Raises:
            SchemaError: if it is not a manifest of this version.
        """
        try:
            content = json.loads(text)
            if content["version"] != FORMAT_VERSION:
                raise SchemaError(
                    f"the training set at {path} has format version {content['version']}: expected "
                    f"{FORMAT_VERSION}. Write it again with this version of dp_spark."
                )
            files = tuple(ShardFile(**file) for file in content.pop("files"))
            columns, key = tuple(content.pop("columns")), tuple(content.pop("key"))
            return ShardManifest(path=path, files=files, columns=columns, key=key, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise SchemaError(
                f"{path}/{MANIFEST_FILE} is not a shard manifest: {problem!r}. Write the training set again."
            ) from problem

    def moved_to(self, path: str) -> "ShardManifest":
        """The same training set after its directory was renamed."""
        return replace(self, path=path)


def plan_row_ranges(file_sizes: Sequence[int], num_ranges: int) -> list[list[RowSlice]]:
    """Cut the concatenation of files in ranges of consecutive rows of nearly equal size.

    Args:
        file_sizes: rows per file, in the order of the concatenation.
        num_ranges: at least 1. Sizes of the ranges differ by at most 1; with fewer rows than ranges
            some are empty.

    Raises:
        ValueError: if `num_ranges` is below 1 or a size is negative.

    >>> plan_row_ranges([3, 2], 2)[0]
    [RowSlice(file_index=0, start=0, stop=2)]
    >>> plan_row_ranges([3, 2], 2)[1]
    [RowSlice(file_index=0, start=2, stop=3), RowSlice(file_index=1, start=0, stop=2)]
    """
    if num_ranges < 1 or any(size < 0 for size in file_sizes):
        raise ValueError(
            f"num_ranges is {num_ranges} and file_sizes is {list(file_sizes)}: expected at least one range "
            "and no negative size."
        )
    starts = [0, *accumulate(file_sizes)]
    cuts = [i * starts[-1] // num_ranges for i in range(num_ranges + 1)]
    return [_slices(starts, first, last) for first, last in zip(cuts, cuts[1:], strict=False)]


def _slices(starts: Sequence[int], first: int, last: int) -> list[RowSlice]:
    """The rows `first` to `last` of the concatenation, file by file."""
    slices = []
    for index, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
        low, high = max(first, start), min(last, stop)
        if low < high:
            slices.append(RowSlice(index, low - start, high - start))
    return slices
