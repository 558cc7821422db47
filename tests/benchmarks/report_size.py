"""The report of a large run: its size, and how long each stage up to it takes.

    python tests/benchmarks/report_size.py [--n 10000000] [--m 20] [--master "local[2]"]

Synthetic votes with known truth (dp_spark.synthetic), written as a table; then the stages up to `label`, and the
report of what there is. Run by hand; takes about five minutes at ten million rows on two cores.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from dp_spark.commands.report import write_report  # noqa: E402
from dp_spark.config import parse_config  # noqa: E402
from dp_spark.run import Run  # noqa: E402
from dp_spark.session import spark_session  # noqa: E402
from dp_spark.stages import run_stage  # noqa: E402
from dp_spark.storage import Storage  # noqa: E402
from dp_spark.synthetic import SyntheticTask, synthetic_lfs, vote_table  # noqa: E402

CONFIG = """
output = "{place}/run"
[table]
path = "{place}/table"
key = ["id"]
[labeling]
module = "none_is_imported"
[training_set]
features = ["id"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=10_000_000)
    parser.add_argument("--m", type=int, default=20)
    parser.add_argument("--master", default="local[2]")
    options = parser.parse_args()
    spark = spark_session("report size", {"spark.master": options.master})
    task = SyntheticTask(num_data_points=options.n, num_lfs=options.m)
    with tempfile.TemporaryDirectory() as place:
        vote_table(spark, task).write.parquet(f"{place}/table")
        config = parse_config(CONFIG.format(place=place), "report_size.py")
        run = Run(Storage(spark), config, config.output, lfs=synthetic_lfs(task))
        for name in ("apply-lfs", "count-votes", "fit-label-model", "label"):
            run_stage(run, name)
        started = time.monotonic()
        write_report(run)
        seconds = {**run.seconds, "report": round(time.monotonic() - started, 3)}
        sizes = {name: Path(config.output, name).stat().st_size for name in ("report.html", "report.json")}
    print(
        json.dumps(
            {"n": options.n, "m": options.m, "spark": spark.version, **sizes, "seconds": seconds}, indent=2
        )
    )


if __name__ == "__main__":
    main()
