"""Seconds to count the votes of a written label matrix in Spark.

    python tests/benchmarks/count_votes.py [--n 10000000] [--m 10 100]

local[2]; independent votes, coverage 0.25 at m = 10 and 0.05 above, written as Parquet first, untimed. The least
of `--repeat` runs. Run by hand; takes about five minutes on two cores.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from timing import peak_mib  # noqa: E402

from dp_spark import LabelMatrix, count_votes  # noqa: E402
from dp_spark.labeling.packing import pack_votes  # noqa: E402
from dp_spark.session import spark_session  # noqa: E402
from dp_spark.tables import map_batches  # noqa: E402

SETTINGS = {"spark.master": "local[2]", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}
NUM_FILES = 16


def voter(num_lfs: int):
    coverage = 0.25 if num_lfs <= 10 else 0.05

    def vote(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            random = np.random.default_rng(batch.column(0)[0].as_py())
            shape = (batch.num_rows, num_lfs)
            votes = random.choice(np.array([-1, 1], np.int8), shape) * (random.random(shape) < coverage)
            packed = pack_votes(votes.astype(np.int8))
            yield pa.RecordBatch.from_arrays([batch.column(0), packed], names=["id", "votes"])

    return vote


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=10_000_000)
    parser.add_argument("--m", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    spark = spark_session("count_votes", SETTINGS)
    with tempfile.TemporaryDirectory() as place:
        for num_lfs in options.m:
            path = f"{place}/votes_{num_lfs}"
            ids = spark.range(0, options.n, 1, NUM_FILES)
            map_batches(ids, voter(num_lfs), "id long, votes binary").write.parquet(path)
            names = tuple(f"lf_{i}" for i in range(num_lfs))
            matrix = LabelMatrix(spark.read.parquet(path), ("id",), names, ("",) * num_lfs, 2)
            runs = []
            for _ in range(options.repeat):
                started = time.perf_counter()
                counts = count_votes(matrix)
                runs.append(time.perf_counter() - started)
            assert counts.num_data_points == options.n
            print(
                f"n={options.n:,} m={num_lfs}: {min(runs):.1f} s, {options.n / min(runs):,.0f} rows/s, "
                f"{len(counts.patterns.counts):,} patterns, driver's Python {peak_mib():,.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
