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
from typing import NamedTuple

from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import InputColumns

MANIFEST_FILE = "manifest.json"
SHARDS_FOLDER = "shards"
FORMAT_VERSION = 2

LABEL_COLUMN = "prob_label"
WEIGHT_COLUMN = "weight"


class RowSlice(NamedTuple):
    """Rows `start` to `stop` (excluded) of one file."""

    file_index: int
    start: int
    stop: int


@dataclass(frozen=True)
class ShardFile:
    """One Parquet file.

    Attributes:
        name: in the shards' folder.
        num_data_points: its rows.
        input_bytes: what the rows' inputs take in memory: 4 bytes per feature, and the UTF-8 of strings.
        sha256: of the file's content, in hexadecimal.
    """

    name: str
    num_data_points: int
    input_bytes: int
    sha256: str


@dataclass(frozen=True)
class Filters:
    """Which labelled data points were left out, and how many.

    Attributes:
        drop_uncovered: whether those without a vote were.
        min_confidence: those whose largest class probability is below this were.
        num_uncovered: left out because no labeling function voted on them.
        num_below_confidence: left out of those that are left then.
        num_weightless: left out of those that are left then, because their weight is 0.
    """

    drop_uncovered: bool = True
    min_confidence: float = 0.0
    num_uncovered: int = 0
    num_below_confidence: int = 0
    num_weightless: int = 0


@dataclass(frozen=True)
class FeatureMoments:
    """Mean and variance of every feature over the training set, d values each."""

    means: tuple[float, ...]
    variances: tuple[float, ...]


@dataclass(frozen=True)
class ShardManifest:
    """All shards of a training set, and what they hold.

    Attributes:
        path: the directory; not part of the JSON, so that a training set can be moved.
        inputs: the source table's columns that became the model's inputs.
        num_classes: 2: a label is P(y=+1); k: a label is k probabilities.
        num_data_points: rows in all shards.
        seed: of the row order.
        key: the columns that identify a data point; each shard has them.
        schema: the columns of the shards, and their types as Spark writes them.
        files: the shards, by name.
        filters: what was left out.
        weight: the column that weighs the rows, if there is one; in the shards "weight".
        class_names: of the classes in their order, where they have names.
        moments: of the features, if the training set was written to be standardized.
        label_table_id: names the label table, where its writer gave it a name: the label model's id.
        content_id: of rows and settings, if the training set was written to be reused.
    """

    path: str
    inputs: InputColumns
    num_classes: int
    num_data_points: int
    seed: int
    key: tuple[str, ...]
    schema: tuple[tuple[str, str], ...]
    files: tuple[ShardFile, ...]
    filters: Filters = Filters()
    weight: str | None = None
    class_names: tuple[str, ...] = ()
    moments: FeatureMoments | None = None
    label_table_id: str | None = None
    content_id: str | None = None
    version: int = FORMAT_VERSION

    @property
    def num_features(self) -> int:
        """d; 0 without features."""
        return self.inputs.num_features

    @property
    def num_uncovered(self) -> int:
        """Data points left out because no labeling function voted on them."""
        return self.filters.num_uncovered

    @property
    def row_bytes(self) -> float:
        """What the inputs of a row take in memory, in the mean."""
        return sum(file.input_bytes for file in self.files) / self.num_data_points

    @property
    def held_row_bytes(self) -> float:
        """What a whole row takes in memory, in the mean: inputs, label, weight, and the offsets of strings."""
        return self.row_bytes + 16 + 4 * self.num_classes + 5 * len(self.inputs.parts)

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
            moments = content.pop("moments")
            content["inputs"] = InputColumns(**content["inputs"])
            content["files"] = tuple(ShardFile(**file) for file in content["files"])
            content["filters"] = Filters(**content["filters"])
            content["schema"] = tuple((name, data_type) for name, data_type in content["schema"])
            for name in ("key", "class_names"):
                content[name] = tuple(content[name])
            if moments:
                moments = FeatureMoments(tuple(moments["means"]), tuple(moments["variances"]))
            return ShardManifest(path=path, moments=moments, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise SchemaError(
                f"{path}/{MANIFEST_FILE} is not a shard manifest: {problem!r}. Write the training set again."
            ) from problem

    def moved_to(self, path: str) -> "ShardManifest":
        """The same training set after its directory was renamed."""
        return replace(self, path=path)


def plan_row_ranges(
    file_sizes: Sequence[int], num_ranges: int, first: int = 0, last: int | None = None
) -> list[list[RowSlice]]:
    """Cut the concatenation of files in ranges of consecutive rows of nearly equal size.

    Args:
        file_sizes: rows per file, in the order of the concatenation.
        num_ranges: at least 1. Sizes of the ranges differ by at most 1; with fewer rows than ranges
            some are empty.
        first: the first row of the concatenation that the ranges hold.
        last: the row after the last one; by default all rows are taken.

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
    num_rows = (starts[-1] if last is None else last) - first
    cuts = [first + i * num_rows // num_ranges for i in range(num_ranges + 1)]
    return [_slices(starts, low, high) for low, high in zip(cuts, cuts[1:], strict=False)]


def _slices(starts: Sequence[int], first: int, last: int) -> list[RowSlice]:
    """The rows `first` to `last` of the concatenation, file by file."""
    slices = []
    for index, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
        low, high = max(first, start), min(last, stop)
        if low < high:
            slices.append(RowSlice(index, low - start, high - start))
    return slices
