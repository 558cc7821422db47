"""Seconds to fit the label model to vote counts, after TensorFlow is imported.

    python tests/benchmarks/fit_label_model.py

Run by hand; n = 20,000 rows, coverage 0.25 at m = 20 and 0.05 above. The first fit of a process also starts
TensorFlow's runtime; it is shown apart.
"""

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np  # noqa: E402
from reference import tutorial_votes  # noqa: E402

from dp_spark import VoteCounts, fit_label_model  # noqa: E402


def main() -> None:
    for num_lfs, coverage in ((20, 0.25), (20, 0.25), (100, 0.05), (300, 0.05), (1000, 0.05)):
        votes, _, truth = tutorial_votes(1, n=20_000, m=num_lfs, coverage=coverage)
        counts = VoteCounts.from_votes(votes)
        started = time.perf_counter()
        model = fit_label_model(counts, "one_coin")
        seconds = time.perf_counter() - started
        error = np.abs(model.accuracies - truth).mean()
        steps, status = model.diagnostics["num_steps"], model.diagnostics["status"]
        print(f"m={num_lfs:5d} {seconds:7.3f} s  {steps} steps, {status}, mean accuracy error {error:.4f}")


if __name__ == "__main__":
    main()
