"""The tutorial at growing n on a standalone cluster: rows per second per stage, and the driver's memory.

    python tests/benchmarks/tutorial_scale.py --n 100000 10000000 [--json]

The driver is a process of its own (Python and its JVM); the two workers with one core each are others.
Memory: the peak of the Python process, and of the JVM the heap in use after a full collection at the end.
Run by hand; takes about ten minutes at ten million rows on two cores.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from standalone import environment, standalone_cluster  # noqa: E402

STAGES = ("apply_lfs", "count_votes", "fit_label_model", "label", "evaluate_labels")


def measure(master_url: str, num_rows: int, output: str) -> dict[str, object]:
    """Run the tutorial in this process as a driver, and measure it."""
    from dp_spark.session import spark_session
    from dp_spark.storage import Storage
    from dp_spark.synthetic import SyntheticTask
    from dp_spark.tutorial import Tutorial, run_tutorial

    settings = {"spark.master": master_url, "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}
    spark = spark_session(
        "scale", {**settings, "spark.executor.memory": "2g", "spark.sql.shuffle.partitions": "16"}
    )
    metrics = run_tutorial(Storage(spark), Tutorial(SyntheticTask(num_data_points=num_rows)), output)
    runtime = spark._jvm.java.lang.management.ManagementFactory.getMemoryMXBean()
    runtime.gc()
    return {
        "n": num_rows,
        "m": metrics["num_lfs"],
        "spark": spark.version,
        "seconds": metrics["seconds"],
        "label_accuracy": metrics["label_accuracy"],
        "end_model_accuracy": metrics["end_model_accuracy"],
        "driver_python_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "driver_heap_live_mib": runtime.getHeapMemoryUsage().getUsed() / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, nargs="+", default=[100_000, 10_000_000])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("MASTER", "OUTPUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child[0], options.n[0], options.child[1])))
        return
    with tempfile.TemporaryDirectory() as place, standalone_cluster(Path(place), memory="2g") as url:
        for num_rows in options.n:
            command = [
                sys.executable,
                __file__,
                "--n",
                str(num_rows),
                "--child",
                url,
                f"{place}/out_{num_rows}",
            ]
            child = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
            show(json.loads(child.stdout.splitlines()[-1]), options.json)


def show(row: dict[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(row), flush=True)
        return
    print(f"n={row['n']:,} m={row['m']} Spark {row['spark']}")
    print(
        f"  driver: Python {row['driver_python_peak_mib']:.0f} MiB, heap "
        f"{row['driver_heap_live_mib']:.0f} MiB"
    )
    print(f"  accuracy: labels {row['label_accuracy']:.4f}, end model {row['end_model_accuracy']:.4f}")
    for name in STAGES:
        seconds = row["seconds"][name]
        print(f"  {name:18s} {seconds:8.1f} s {row['n'] / max(seconds, 1e-9):12,.0f} rows/s", flush=True)


if __name__ == "__main__":
    main()
