"""The tutorial on local Spark over several seeds: the table of docs/performance.md.

    python tests/benchmarks/tutorial_quality.py [--seeds 0 1 2 3 4]

Run by hand; about 40 seconds a seed on two cores.
"""

import argparse
import tempfile

import numpy as np

from dp_spark.session import spark_session
from dp_spark.storage import Storage
from dp_spark.synthetic import SyntheticTask
from dp_spark.tutorial import Tutorial, run_tutorial

NAMES = (
    "majority_vote_accuracy",
    "label_accuracy",
    "oracle_label_accuracy",
    "mean_accuracy_error",
    "end_model_accuracy",
    "supervised_accuracy",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    storage = Storage(spark_session("quality", {"spark.master": "local[2]"}))
    print("| seed | " + " | ".join(name.replace("_", " ") for name in NAMES) + " |")
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for seed in options.seeds:
            metrics = run_tutorial(storage, Tutorial(SyntheticTask(seed=seed)), f"{place}/seed_{seed}")
            rows.append([metrics[name] for name in NAMES])
            print(f"| {seed} | " + " | ".join(f"{value:.4f}" for value in rows[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{value:.4f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
