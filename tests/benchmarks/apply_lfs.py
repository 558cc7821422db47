"""Ten labeling functions on n comments: dp_spark, snorkel's SparkLFApplier, and a bare Python loop.

    python tests/benchmarks/apply_lfs.py --n 200000 2000000 [--snorkel-python PATH] [--json]

Every measurement is a process of its own, with Spark on local[2] where it uses Spark, so that memory is its
own. The LFs first run over all rows, untimed, once and again until 20 seconds have passed, so that workers and
JIT are warm; then `--repeat` times, of which the least counts, as other processes only slow things down
(`--json` has all, and the load before).
CPU seconds are of Python, its workers and the JVM together: they hardly depend on who else uses the machine.
Every way gets the whole table. Memory of the driver: of Python the peak after the first timed run, and
before it in parentheses; of the JVM (which is also the executor here) the heap in use after a full
collection. The votes of the last run are compared across all ways by a checksum over ids and votes.
Then 200 regular expressions, as row LFs and as pattern LFs (`--many`).
Run by hand; takes about 25 minutes on two cores.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from array import array
from collections import namedtuple
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from comment_lfs import LFS, recoded
from comment_table import COLUMNS, NUM_CORES, NUM_SAMPLED, digests, id_of, open_table, write_comments
from timing import Measurement, heap, peak_mib, timed, warm_up

if TYPE_CHECKING:  # the parent stays small: on Linux a child's peak memory is at least its parent's
    from pyspark.sql import DataFrame, SparkSession

    from dp_spark import LabelMatrix

ROOT = Path(__file__).parents[2]
NO_SNORKEL = """snorkel was not found, so it is left out. To measure it, make an environment for it:
    python3 -m venv /opt/snorkelvenv
    /opt/snorkelvenv/bin/pip install snorkel==0.10.0 pyspark=={version} pyarrow 'pandas<3'
    {command} --snorkel-python /opt/snorkelvenv/bin/python"""
HEADER = (
    f"{'way':14s} {'seconds':>8s} {'rows/s':>11s} {'CPU s':>7s} {'x snorkel':>9s} {'x by CPU':>8s} "
    f"{'written in':>10s} {'Python MiB':>14s} {'heap MiB':>9s}  votes"
)


# ---- The ways of dp_spark. To add one: write the function, and name it in DP_SPARK_WAYS. ----


def by_row(spark: "SparkSession", df: "DataFrame") -> "LabelMatrix":
    from dp_spark import apply_lfs, labeling_function

    return apply_lfs(df, [labeling_function(lf) for lf in LFS], key=["id"])


def by_kind(kind: str) -> Callable[["SparkSession", "DataFrame"], "LabelMatrix"]:
    def apply(spark: "SparkSession", df: "DataFrame") -> "LabelMatrix":
        import comment_kinds

        from dp_spark import apply_lfs

        return apply_lfs(df, getattr(comment_kinds, kind)(), key=["id"])

    return apply


DP_SPARK_WAYS: Mapping[str, Callable[["SparkSession", "DataFrame"], "LabelMatrix"]] = {
    "dp_spark row": by_row,
    "dp_spark batch": by_kind("batches"),
    "dp_spark pattern": by_kind("patterns"),
    "dp_spark column": by_kind("columns"),
}
MANY_WAYS = {"200 as rows": by_kind("many_rows"), "200 as patterns": by_kind("many_patterns")}
ALL_WAYS = {**DP_SPARK_WAYS, **MANY_WAYS}

# ---- Measurements: each runs in a child process. ----


def measure_dp_spark(way: str, table: str, repeats: int) -> Measurement:
    """Time a way of dp_spark: only computing the votes (`noop`), and writing the label matrix."""
    from dp_spark import Storage, write_label_matrix
    from dp_spark.labeling.packing import unpack_votes

    spark, df = open_table(table)
    apply, path = ALL_WAYS[way], f"{table}_{way.replace(' ', '_')}"

    def compute(df: "DataFrame") -> None:
        apply(spark, df).df.write.format("noop").mode("overwrite").save()

    warm_up(lambda: compute(df))
    computing, _ = timed(lambda: compute(df), repeats)
    writing, written = timed(
        lambda: write_label_matrix(apply(spark, df), path, Storage(spark), overwrite=True), repeats
    )
    memory = {**computing, "driver_python_peak_mib": peak_mib(), **heap(spark)}
    votes = written.df.toArrow().combine_chunks()
    packed = votes["votes"].combine_chunks()
    return {
        **memory,
        "write_seconds": writing["seconds"],
        "write_cpu_seconds": writing["cpu_seconds"],
        "all_write_seconds": writing["all_seconds"],
        "cores": NUM_CORES,
        "digests": digests(votes["id"].to_pylist(), unpack_votes(packed, len(written.lf_names))),
    }


def measure_snorkel(way: str, table: str, repeats: int) -> Measurement:
    """Time `SparkLFApplier.apply`, which leaves the label matrix in the driver."""
    import numpy as np
    from snorkel.labeling import LabelingFunction
    from snorkel.labeling.apply.spark import SparkLFApplier

    spark, df = open_table(table)
    coding = {"abstain": -1, "negative": 0, "positive": 1}
    applier = SparkLFApplier([LabelingFunction(lf.__name__, recoded(lf, **coding)) for lf in LFS])
    warm_up(lambda: applier.apply(df.rdd))
    timing, label_matrix = timed(lambda: applier.apply(df.rdd), repeats)
    timing = {**timing, **heap(spark)}
    votes = np.array([-1, 1, 0], dtype=np.int8)[label_matrix]  # 0, 1 and, from the end, -1
    ids = df.rdd.map(lambda x: x.id).collect()
    return {**timing, "cores": NUM_CORES, "digests": digests(ids, votes)}


def measure_bare_loop(way: str, table: str, repeats: int) -> Measurement:
    """Time two nested loops over a sample of decoded rows in one process, with nothing around them."""
    import numpy as np
    import pyarrow.dataset as ds

    sampled = ds.dataset(table).to_table(list(COLUMNS), filter=ds.field("id") < id_of(NUM_SAMPLED))
    data_point = namedtuple("data_point", COLUMNS)
    rows = list(map(data_point._make, zip(*(column.to_pylist() for column in sampled.columns), strict=True)))
    votes = array("b", bytes(len(rows) * len(LFS)))

    def loop() -> None:
        position = 0
        for x in rows:
            for lf in LFS:
                votes[position] = lf(x)
                position += 1

    timing, _ = timed(loop, repeats)
    label_matrix = np.frombuffer(votes, dtype=np.int8).reshape(len(rows), len(LFS))
    return {**timing, "cores": 1, "digests": digests([x.id for x in rows], label_matrix)}


MEASUREMENTS: Mapping[str, Callable[[str, str, int], Measurement]] = {
    "snorkel": measure_snorkel,
    **dict.fromkeys(ALL_WAYS, measure_dp_spark),
    "bare loop": measure_bare_loop,
}


# ---- The parent: starts the children, compares the votes and prints. ----


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, nargs="+", default=[200_000, 2_000_000])
    few = [way for way in MEASUREMENTS if way not in MANY_WAYS]
    parser.add_argument("--ways", nargs="+", choices=few, default=few)
    parser.add_argument("--many", type=int, default=500_000, help="rows for 200 patterns; 0 leaves them out")
    parser.add_argument(
        "--snorkel-python", help="an interpreter with snorkel; default: this one if it has it"
    )
    parser.add_argument("--repeat", type=int, default=3, help="timed runs of each way")
    parser.add_argument("--json", action="store_true", help="one line of JSON per measurement")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "TABLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_child(*options.child, options.n[0], options.repeat)
        return
    pythons = dict.fromkeys(options.ways, sys.executable)
    if "snorkel" in pythons:
        pythons["snorkel"] = options.snorkel_python or sys.executable
        if not options.snorkel_python and importlib.util.find_spec("snorkel") is None:
            version = importlib.metadata.version("pyspark")
            print(NO_SNORKEL.format(version=version, command=f"python {sys.argv[0]}"), file=sys.stderr)
            del pythons["snorkel"]
    with tempfile.TemporaryDirectory() as place:
        are_equal = [compare_ways(pythons, options, num_rows, place) for num_rows in options.n]
        if options.many:
            many = dict.fromkeys(MANY_WAYS, sys.executable)
            are_equal.append(compare_ways(many, options, options.many, place))
    sys.exit(0 if all(are_equal) else "The ways don't agree on the votes.")


def run_child(name: str, table: str, num_rows: int, repeats: int) -> None:
    if name in MEASUREMENTS:
        print(json.dumps(MEASUREMENTS[name](name, table, repeats)))
    else:
        write_comments(table, num_rows)


def compare_ways(pythons: Mapping[str, str], options: argparse.Namespace, num_rows: int, place: str) -> bool:
    """Measure every way on one table, print the measurements, and say whether all cast the same votes."""
    table = f"{place}/comments_{num_rows}"
    arguments = ["--n", str(num_rows), "--repeat", str(options.repeat), "--child"]
    if not Path(table).exists():
        start_child(sys.executable, [*arguments, "write_comments", table])
    if not options.json:
        num_lfs = 200 if "200 as rows" in pythons else len(LFS)
        print(f"n={num_rows:,} m={num_lfs} local[{NUM_CORES}]", HEADER, sep="\n")
    votes: dict[str, object] = {}
    base, are_equal = None, True
    for way, python in pythons.items():
        load = os.getloadavg()[0]
        measured = json.loads(start_child(python, [*arguments, way, table]).splitlines()[-1])
        count = min(num_rows, NUM_SAMPLED) if way == "bare loop" else num_rows
        is_same = all(
            votes.setdefault(rows, digest) == digest for rows, digest in measured["digests"].items()
        )
        row = {
            "way": way,
            "n": num_rows,
            "rows": count,
            "load_before": load,
            **measured,
            "votes_agree": is_same,
        }
        row["rows_per_second"] = count / measured["seconds"]
        base = row if way in ("snorkel", "200 as rows") else base
        are_equal = are_equal and is_same
        print(json.dumps(row) if options.json else line(row, base), flush=True)
    return are_equal


def start_child(python: str, arguments: list[str]) -> str:
    """What a measurement prints; its process has no Spark but that of its own interpreter."""
    outer = ("SPARK_", "PYSPARK_", "PYTHONPATH")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
    own = {"PYSPARK_PYTHON": python, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}
    command = [python, __file__, *arguments]
    child = subprocess.run(
        command, env={**inherited, **own}, capture_output=True, text=True, start_new_session=True
    )
    if child.returncode:
        sys.exit(f"{arguments} failed in {python}:\n{child.stderr}")
    return child.stdout


def line(row: Measurement, base: Measurement | None) -> str:
    """A line of the table; `base` is the measurement of snorkel."""
    cpu_per_row = row["cpu_seconds"] / row["rows"]
    faster = base and row["rows_per_second"] / base["rows_per_second"]
    cheaper = base and base["cpu_seconds"] / base["rows"] / cpu_per_row
    return (
        f"{row['way']:14s} {row['seconds']:8.2f} {row['rows_per_second']:11,.0f} {row['cpu_seconds']:7.2f} "
        f"{_or_dash(faster, 'x', 2):>9s} {_or_dash(cheaper, 'x', 2):>8s} "
        f"{_or_dash(row.get('write_seconds'), ' s', 2):>10s} "
        f"{row['driver_python_peak_mib']:7,.0f} ({row['driver_python_before_mib']:4,.0f}) "
        f"{_or_dash(row.get('driver_heap_live_mib')):>9s}  {'same' if row['votes_agree'] else 'DIFFERENT'}"
    )


def _or_dash(value: float | None, unit: str = "", digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}{unit}"


if __name__ == "__main__":
    main()
