"""Seconds to fit a label model: dp_spark from vote counts, snorkel's LabelModel, crowd-kit's DawidSkene.

    python tests/benchmarks/fit_label_model.py [--peer-python PATH] [--json]

One process per measurement, the same votes: the tutorial's generator, coverage 0.25 for m = 10 and 0.05 for
m = 100. dp_spark's fit is timed after one small fit, which loads TensorFlow (the others load their libraries
untimed too); counting is shown apart: in a job Spark does it. snorkel fits its default 100 epochs, crowd-kit 20 rounds.
Run by hand; takes about five minutes on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SIZES = ((100_000, 10), (1_000_000, 10), (100_000, 100), (1_000_000, 100))
OURS, PEERS = ("auto", "one_coin", "dawid_skene"), ("snorkel", "crowd-kit")
NO_PEERS = """snorkel and crowd-kit are left out. To measure them, make an environment for them:
    python3 -m venv /opt/peers && /opt/peers/bin/pip install snorkel==0.10.0 crowd-kit==1.4.2 'pandas<3' numpy
    python tests/benchmarks/fit_label_model.py --peer-python /opt/peers/bin/python"""


def votes_of(num_rows: int, num_lfs: int) -> tuple[np.ndarray, np.ndarray]:
    """Votes (n, m) and truth (n,): accuracies between 0.45 and 0.75, as in the tutorial."""
    random = np.random.default_rng(1)
    gold = random.choice(np.array([-1, 1], dtype=np.int8), num_rows)
    accuracies = 0.45 + 0.3 * random.random(num_lfs)
    coverage = 0.25 if num_lfs <= 10 else 0.05
    votes = np.zeros((num_rows, num_lfs), dtype=np.int8)
    for i, p in enumerate(accuracies):
        cast = np.where(random.random(num_rows) < p, gold, -gold)
        votes[:, i] = np.where(random.random(num_rows) < coverage, cast, 0)
    return votes, gold


def measure(way: str, num_rows: int, num_lfs: int) -> dict[str, object]:
    """Seconds of the fit (and of counting before it), and the labels' accuracy."""
    votes, gold = votes_of(num_rows, num_lfs)
    fit = {"snorkel": _snorkel, "crowd-kit": _crowd_kit}.get(way)
    found = fit(votes) if fit else _dp_spark(way, votes)
    positive = found.pop("positive")
    covered = (votes != 0).any(axis=1)
    right = 0.5 * (1 + np.sign(positive - 0.5) * gold)[covered]
    return {"way": way, "n": num_rows, "m": num_lfs, **found, "accuracy": float(right.mean())}


def _dp_spark(model: str, votes: np.ndarray) -> dict[str, object]:
    from dp_spark import VoteCounts, fit_label_model

    fit_label_model(VoteCounts.from_votes(votes[:500]), model)
    started = time.perf_counter()
    counts = VoteCounts.from_votes(votes)
    counted = time.perf_counter()
    fitted = fit_label_model(counts, model)
    seconds = time.perf_counter() - counted
    positive = fitted.predict_proba(votes)[:, 1]
    return {"seconds": seconds, "counting_seconds": counted - started, "positive": positive}


def _snorkel(votes: np.ndarray) -> dict[str, object]:
    from snorkel.labeling.model import LabelModel

    label_matrix = np.array([-1, 1, 0])[votes]  # snorkel: -1 abstains, classes 0 and 1
    started = time.perf_counter()
    model = LabelModel(cardinality=2, verbose=False)
    model.fit(label_matrix, seed=1, progress_bar=False)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "positive": model.predict_proba(label_matrix)[:, 1]}


def _crowd_kit(votes: np.ndarray) -> dict[str, object]:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    rows, workers = np.nonzero(votes)
    table = pd.DataFrame({"task": rows, "worker": workers, "label": votes[rows, workers]})
    started = time.perf_counter()
    probabilities = DawidSkene(n_iter=20).fit_predict_proba(table)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "positive": probabilities[1].reindex(range(len(votes))).fillna(0.5).to_numpy(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer-python", help="an interpreter with snorkel and crowd-kit")
    parser.add_argument("--json", action="store_true", help="one line of JSON per measurement")
    parser.add_argument("--child", nargs=3, metavar=("WAY", "N", "M"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        way, num_rows, num_lfs = options.child
        print(json.dumps(measure(way, int(num_rows), int(num_lfs))))
        return
    if not options.peer_python:
        print(NO_PEERS, file=sys.stderr)
    ways = [*OURS, *(PEERS if options.peer_python else ())]
    for num_rows, num_lfs in SIZES:
        for way in ways:
            row = _child(options.peer_python if way in PEERS else sys.executable, way, num_rows, num_lfs)
            print(json.dumps(row) if options.json else _line(row), flush=True)


def _child(python: str, way: str, num_rows: int, num_lfs: int) -> dict[str, object]:
    command = [python, __file__, "--child", way, str(num_rows), str(num_lfs)]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    if ended.returncode:
        sys.exit(f"{way} failed:\n{ended.stderr}")
    return json.loads(ended.stdout.splitlines()[-1])


def _line(row: dict[str, object]) -> str:
    counting = f" (and counting {row['counting_seconds']:.1f} s)" if "counting_seconds" in row else ""
    return (
        f"n={row['n']:9,d} m={row['m']:4d} {row['way']:12s} {row['seconds']:8.2f} s"
        f"  accuracy {row['accuracy']:.4f}{counting}"
    )


if __name__ == "__main__":
    main()
