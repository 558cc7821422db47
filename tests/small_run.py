"""A run on a table small enough to check by eye: votes that the table holds, and a label model made by hand.

LF a is right 3 times in 4, b 9 times in 10, c twice in 3: weights log 3, log 9, log 2; classes are equally likely.
"""

import numpy as np
from pyspark.sql.types import BinaryType, StructField, StructType

from dp_spark.config import parse_config
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.matrix import LabelMatrix, write_label_matrix
from dp_spark.run import Run
from dp_spark.stages import run_stage

#       id    day     a      b     c     gold  text                    country  length  P(+1 | votes)
ROWS = [
    ("r0", 1, 1, None, None, 1, "free coins", "de", 10),  # 3/4
    ("r1", 1, 1, -1, None, 1, "free song", "de", 20),  # 3/(3 + 9) = 1/4
    ("r2", 1, 1, 1, 1, 1, "FREE coins now", "fr", 30),  # 54/55
    ("r3", 1, None, -1, None, -1, "nice song", "fr", 40),  # 1/10
    ("r4", 1, None, None, None, -1, "win a bike", "jp", 50),  # uncovered
    ("r5", 1, None, None, None, 1, "win a car", "jp", 60),  # uncovered
    ("r6", 1, -1, None, 1, None, "my song", "de", 70),  # 2/5
    ("r7", 2, -1, -1, 1, 1, "nice coins", "de", 80),  # 2/29
]
SCHEMA = "id string, day int, a int, b int, c int, gold int, text string, country string, length int"
PROBABILITIES = [3 / 4, 1 / 4, 54 / 55, 1 / 10, 1 / 2, 1 / 2, 2 / 5, 2 / 29]
ACCURACIES = {"a": 3 / 4, "b": 9 / 10, "c": 2 / 3}

CONFIG = """
output = "unused"
[table]
path = "{table}"
key = ["id", "day"]
gold = "gold"
[labeling]
module = "none_is_imported"
[training_set]
text = "text"
"""


def model_by_hand(matrix, accuracies, balance=1 / 2):
    """A label model with these accuracies."""
    values = np.array([accuracies[name] for name in matrix.lf_names])
    weights = np.log(values / (1 - values))
    return LabelModel(
        "by_hand", matrix.lf_names, matrix.lf_hashes, 2, values, weights, [1 - balance, balance]
    )


def small_run(storage, place, rows=ROWS, schema=SCHEMA, accuracies=ACCURACIES, balance=1 / 2, config=CONFIG):
    """The run in a new directory below `place`, with all results up to `labels`."""
    table = storage.spark.createDataFrame(rows, schema).coalesce(1)
    table.write.parquet(f"{place}/table")
    run = Run(storage, parse_config(config.format(table=f"{place}/table"), "test.toml"), f"{place}/run")
    names = list(accuracies)
    positions = [table.columns.index(name) for name in names]
    votes = np.array([[row[i] or 0 for i in positions] for row in rows], dtype=np.int8)
    hashes = tuple(f"hash of {name}" for name in names)
    packed = [(*row[:2], vote.tobytes()) for row, vote in zip(rows, votes, strict=True)]
    df = storage.spark.createDataFrame(
        packed, StructType([*table.schema[:2], StructField("votes", BinaryType())])
    )
    matrix = LabelMatrix(df, ("id", "day"), tuple(names), hashes, 2)
    write_label_matrix(matrix, run.path("label_matrix"), storage)
    counts = VoteCounts.from_votes(votes, lf_names=names, lf_hashes=hashes)
    storage.write_bytes(run.path("vote_counts.npz"), counts.to_bytes())
    storage.write_text(run.path("label_model.json"), model_by_hand(matrix, accuracies, balance).to_json())
    run_stage(run, "label")
    return run
