"""Crowd workers as labeling functions, from a long table of their votes: data point, worker, vote.

A worker with few votes tells a label model little, and a thousand such workers cost a thousand columns: rare
workers are pooled into one labeling function, which casts the majority vote of those who saw the data point.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.labeling.labeling_function import LabelingFunction, content_hash
from dp_spark.labeling.rules import ColumnRule, JoinedTable
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import quoted, refuse_duplicate_keys, refuse_missing_columns, table_digest

MAX_WORKERS = 2000  # each becomes a labeling function; more make plans and m x m counts slow
_LF, _VOTE, _NUM, _VOTES = "crowd_lf", "crowd_vote", "crowd_num", "crowd_votes"


def read_crowd_lfs(
    votes: DataFrame,
    *,
    key: Sequence[str],
    worker: str = "worker",
    vote: str = "vote",
    min_votes: int = 20,
    pool: str = "rare workers",
) -> list[LabelingFunction]:
    """One labeling function per crowd worker, and one for all workers with few votes; reads the table.

    Args:
        votes: one row per data point and worker. It must not change until the label matrix is written.
        key: its columns that identify a data point, called as in the table of data points.
        worker: its column with the worker.
        vote: its column with the vote: an integer or class name; null abstains.
        min_votes: workers with fewer votes are pooled.
        pool: the name of the pooled labeling function, which abstains on ties.

    Returns:
        Labeling functions called "worker " and the worker, in the order of the workers, then the pool.

    Raises:
        SchemaError: if columns are missing, a key or worker is null, a worker voted twice on a data point,
            or more than MAX_WORKERS workers have `min_votes` votes.
    """
    refuse_missing_columns(votes, {"read_crowd_lfs": [*key, worker, vote]}, "the table of crowd votes")
    refuse_duplicate_keys(votes, [*key, worker], what="the pair of data point and worker")
    cast = votes.where(quoted(vote).isNotNull())
    frequent = cast.groupBy(quoted(worker).cast("string").alias(_LF)).agg(F.count(F.lit(1)).alias(_NUM))
    is_frequent = F.col(_NUM) >= min_votes
    with named_jobs(votes.sparkSession, "counting the votes of crowd workers"):
        workers = sorted(
            str(row[_LF]) for row in frequent.where(is_frequent).limit(MAX_WORKERS + 1).collect()
        )
        has_pool = not frequent.where(~is_frequent).isEmpty()
    if len(workers) > MAX_WORKERS:
        raise SchemaError(
            f"more than {MAX_WORKERS} workers have at least min_votes={min_votes} votes: expected fewer. Raise "
            "min_votes, so that more of them are pooled."
        )
    num_rows, content = table_digest(cast.select(*map(quoted, [*key, worker, vote])))
    if num_rows == 0:
        raise SchemaError("the table of crowd votes holds no vote: expected at least one. Check its path.")
    lf_of_worker = F.create_map(*(F.lit(item) for i, name in enumerate(workers) for item in (name, i)))
    pooled = len(workers)
    known = (
        F.coalesce(lf_of_worker[quoted(worker).cast("string")], F.lit(pooled)) if workers else F.lit(pooled)
    )
    table = JoinedTable(_one_row_per_point(cast, key, known, vote), {f"{_LF}_{c}": c for c in key}, _VOTES)
    names = [f"worker {name}" for name in workers] + ([pool] if has_pool else [])
    return [
        LabelingFunction(
            name=name,
            kind="crowd",
            rule=ColumnRule(f"{{joined}}[{i}]", table),
            columns=tuple(key),
            content_hash=content_hash(["crowd", list(key), min_votes, name, content]),
        )
        for i, name in enumerate(names)
    ]


def _one_row_per_point(cast: DataFrame, key: Sequence[str], known: Column, vote: str) -> DataFrame:
    """The key columns, renamed, and a map from the position of a labeling function to its vote."""
    keys = [quoted(name).alias(f"{_LF}_{name}") for name in key]
    renamed = [quoted(f"{_LF}_{name}") for name in key]
    counted = (
        cast.select(*keys, known.alias(_LF), quoted(vote).alias(_VOTE))
        .groupBy(*renamed, _LF, _VOTE)
        .agg(F.count(F.lit(1)).alias(_NUM))
    )
    most = F.max(F.col(_NUM))
    majority = counted.groupBy(*renamed, _LF).agg(
        F.max_by(_VOTE, _NUM).alias(_VOTE), most.alias(_NUM), F.collect_list(_NUM).alias("all")
    )
    is_tie = F.size(F.filter("all", lambda n: n == F.col(_NUM))) > 1
    decided = majority.where(~is_tie)
    return decided.groupBy(*renamed).agg(
        F.map_from_entries(F.collect_list(F.struct(_LF, _VOTE))).alias(_VOTES)
    )
