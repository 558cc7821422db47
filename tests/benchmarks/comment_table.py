"""The comments that labeling functions are timed on, and what identifies the votes that they get."""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from comment_lfs import NUM_AUTHORS

if TYPE_CHECKING:  # whoever imports this stays small until a function needs them
    import numpy as np
    from pyspark.sql import DataFrame, SparkSession

COLUMNS = ("id", "text", "author", "num_likes")
NUM_CORES = 2
NUM_FILES = 8
NUM_SAMPLED = 200_000  # rows of the bare loop; the ids are numbers in order
SETTINGS = {
    "spark.master": f"local[{NUM_CORES}]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    # Rows are narrow, so that batches need no limit in bytes, which Spark checks after every row (docs/cluster.md).
    "spark.sql.execution.arrow.maxBytesPerBatch": "2147483647",
    "spark.sql.files.minPartitionNum": str(NUM_FILES),  # else three tasks of unequal size on two cores
}


def write_comments(table: str, num_rows: int) -> None:
    """Write the comments with two more columns, which depend on the id alone."""
    from pyspark.sql import functions as F

    from dp_spark.examples.comments import generate_comments

    comments = generate_comments(session(), num_comments=num_rows, num_partitions=NUM_FILES)
    number = F.substring("id", 2, 20).cast("long")
    author = F.format_string("user%03d", F.pmod(F.xxhash64(number), F.lit(NUM_AUTHORS)))
    num_likes = F.pmod(F.xxhash64(number, F.lit("likes")), F.lit(200)).cast("int")
    comments.withColumns({"author": author, "num_likes": num_likes}).write.parquet(table)


def session() -> "SparkSession":
    from pyspark.sql import SparkSession

    return SparkSession.builder.config(map=SETTINGS).getOrCreate()


def open_table(table: str) -> tuple["SparkSession", "DataFrame"]:
    spark = session()
    return spark, spark.read.parquet(table)


def id_of(number: int) -> str:
    return f"c{number:07d}"


def digests(ids: Sequence[str], votes: "np.ndarray") -> dict[str, object]:
    """What identifies (n, m) int8 votes whatever the order of rows: of all rows, and of the sample."""
    is_sampled = [row_id < id_of(NUM_SAMPLED) for row_id in ids]
    sample = [row_id for row_id, is_in in zip(ids, is_sampled, strict=True) if is_in]
    return {
        f"{len(ids)} rows": _digest(ids, votes),
        f"{len(sample)} rows": _digest(sample, votes[is_sampled]),
    }


def _digest(ids: Sequence[str], votes: "np.ndarray") -> dict[str, object]:
    rows, width = votes.tobytes(), votes.shape[1]
    return {
        "num_negative": (votes == -1).sum(axis=0).tolist(),
        "num_positive": (votes == 1).sum(axis=0).tolist(),
        "checksum": sum(
            zlib.crc32(rows[i * width : (i + 1) * width], zlib.crc32(row_id.encode()))
            for i, row_id in enumerate(ids)
        ),
    }
