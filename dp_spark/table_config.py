"""[table] of a configuration: where the data points are, in which format, and which columns play a part."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PARQUET, CSV, JSON = "parquet", "csv", "json"
_FORMAT_OF_ENDING = {".csv": CSV, ".json": JSON, ".jsonl": JSON, ".ndjson": JSON}
_COMPRESSIONS = (".gz", ".bz2", ".zst")

Share = Annotated[float, Field(gt=0, lt=1)]


class Strict(BaseModel):
    """A part of a configuration: it cannot be changed, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def format_of(path: str) -> str:
    """The format that the ending of a path tells: Parquet unless it is one of CSV or JSON lines.

    >>> format_of("s3a://bucket/comments.csv.gz"), format_of("output/comments")
    ('csv', 'parquet')
    """
    name = path.rstrip("/").lower()
    for compression in _COMPRESSIONS:
        name = name.removesuffix(compression)
    return next((found for ending, found in _FORMAT_OF_ENDING.items() if name.endswith(ending)), PARQUET)


class TableConfig(Strict):
    """[table]: the data points.

    Attributes:
        path: a Parquet table, CSV or JSON lines, anywhere Spark reads: a file, or a directory of files.
        format: of the files; if it is not given, the ending of `path` tells: .csv, .json, .jsonl, .ndjson, also
            compressed; all else is Parquet.
        ddl: `schema` in the file: columns and types of CSV or JSON lines, such as "id BIGINT, text STRING"; if it is
            not given, one pass over the table finds them.
        key: columns that identify a row. It has to be in the table: the number of a row in a file would be
            another one when the file changes.
        gold: a column with the truth (-1, +1, or 1 to k; 0 or null where it is not known), for evaluation only:
            labeling functions and the training of the end model never see it.
        split: a column that says "train" or "test" (other values are in neither part); if it is not
            given, `test_share` of the rows are set apart by a hash of the key.
        test_share: see `split`.
        generator: "package.module:function" that makes the table from a Spark session if `path` is not there.
        cluster: columns whose values rows share that belong together, as of `count_votes`.
    """

    path: str
    format: Literal["parquet", "csv", "json"] | None = None
    ddl: str | None = Field(default=None, alias="schema")
    key: list[str] = Field(min_length=1)
    gold: str | None = None
    split: str | None = None
    test_share: Share = 0.2
    generator: str | None = None
    cluster: list[str] = []

    @model_validator(mode="after")
    def _is_valid(self) -> "TableConfig":
        is_parquet = self.source_format == PARQUET
        if self.ddl is not None and is_parquet:
            raise ValueError(
                "schema is given and the table is Parquet, which has its own: leave it out, or set format "
                "to 'csv' or 'json'"
            )
        if self.generator is not None and not is_parquet:
            raise ValueError(
                f"generator writes Parquet and path is {self.path!r}: expected a path without such an "
                "ending, or no generator"
            )
        return self

    @property
    def source_format(self) -> str:
        """The format of the files: as given, or what the ending of the path tells."""
        return self.format or format_of(self.path)
