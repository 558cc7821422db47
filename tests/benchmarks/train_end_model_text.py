"""Real texts with published votes: labels, end model, and the same model trained on gold, on the test rows.

    python tests/benchmarks/train_end_model_text.py [--data ../shared/data/text] [--json PATH]

Youtube comments (spam or not) and IMDB reviews (positive or not), each a Parquet file with `id`, `split`,
`text`, `gold` and one column `vote_<name>` for each labeling function. They are not part of the project. All
splits are labeled by the label model "auto"; the end model sees the training rows with a vote. SETTINGS are
the same for both sets: of CANDIDATES those with the best accuracy on the validation rows of Youtube.
`--choose` scores all candidates on the validation rows of both sets; test rows are not looked at for it. local[2]; run
by hand; about ten minutes on two cores.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import pyarrow.parquet as pq  # noqa: E402

from dp_spark import Storage, evaluate, predict, train_end_model, vote_column  # noqa: E402
from dp_spark.config import EndModelConfig, parse_config  # noqa: E402
from dp_spark.pipeline import run_pipeline  # noqa: E402
from dp_spark.report.metrics import pipeline_text  # noqa: E402
from dp_spark.run import Run, read_points, read_training_set  # noqa: E402
from dp_spark.session import spark_session  # noqa: E402
from dp_spark.stages import run_stage  # noqa: E402

NAMES = ("youtube", "imdb")
TABLES = ("majority_vote", "labels", "end_model", "gold_end_model")
COMMON = {"num_epochs": 20, "batch_size": 128}
CANDIDATES: tuple[dict[str, object], ...] = (
    {**COMMON, "model": "linear", "learning_rate": 0.05, "l2": 0.001},
    {**COMMON, "model": "linear", "learning_rate": 0.01, "l2": 0.001},
    {**COMMON, "model": "linear", "learning_rate": 0.05, "l2": 0.003},
    {**COMMON, "model": "linear", "learning_rate": 0.05, "l2": 0.001, "ngrams": 2},
    {**COMMON, "model": "mlp", "learning_rate": 0.01, "l2": 0.001},
)
SETTINGS = CANDIDATES[1]
MAX_BELOW_GOLD = 0.03  # of accuracy, on youtube
CONFIG = """
output = "{output}"
[table]
path = "{table}"
key = ["id"]
gold = "gold"
split = "split"
[labeling]
module = "published_votes"
[training_set]
text = "text"
"""
Scores = Mapping[str, Mapping[str, object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "text")
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--choose", action="store_true", help="score the candidates on validation rows instead"
    )
    options = parser.parse_args()
    paths = {name: options.data / f"{name}.parquet" for name in NAMES}
    absent = [str(path) for path in paths.values() if not path.exists()]
    if absent:
        print(f"skipped: {' and '.join(absent)} is not there; --data names the folder")
        return
    storage = Storage(spark_session("texts", {"spark.master": "local[2]"}))
    with tempfile.TemporaryDirectory() as place:
        runs = {name: run_on(storage, path, f"{place}/{name}") for name, path in paths.items()}
        result = choose(runs) if options.choose else measured(runs)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def run_on(storage: Storage, path: Path, output: str) -> Run:
    config = parse_config(CONFIG.format(output=output, table=path), path.name)
    config = config.model_copy(update={"end_model": EndModelConfig(**SETTINGS)})
    columns = [name for name in pq.read_schema(path).names if name.startswith("vote_")]
    return Run(storage, config, output, lfs=[vote_column(name) for name in columns])


def measured(runs: Mapping[str, Run]) -> dict[str, object]:
    metrics = {}
    for name, run in runs.items():
        metrics[name] = run_pipeline(run)
        print(f"{name}\n{pipeline_text(metrics[name], run.directory)}\n", flush=True)
    print("| test rows | " + " | ".join(name.replace("_", " ") for name in TABLES) + " |")
    print("|---" * (1 + len(TABLES)) + "|")
    for name, found in metrics.items():
        scores = [found["scores"][f"test.{table}"]["all"] for table in TABLES]
        print(f"| {name} ({scores[0]['num_data_points']:,}) | " + " | ".join(map(shown, scores)) + " |")
    goals = goals_of({name: found["scores"] for name, found in metrics.items()})
    for goal, is_met in goals.items():
        print(f"{'met' if is_met else 'MISSED'}: {goal}")
    return {"settings": SETTINGS, "goals": goals, "metrics": metrics}


def shown(scores: Mapping[str, object]) -> str:
    low, high = scores["intervals"]["accuracy"]
    return f"{scores['accuracy']:.4f} ({low:.4f} to {high:.4f})"


def goals_of(scores: Mapping[str, Scores]) -> dict[str, bool]:
    accuracies = {
        name: {table: found[f"test.{table}"]["all"]["accuracy"] for table in TABLES}
        for name, found in scores.items()
    }
    goals = {
        f"end model above the labels on {n}": a["end_model"] > a["labels"] for n, a in accuracies.items()
    }
    youtube = accuracies["youtube"]
    gap = youtube["gold_end_model"] - youtube["end_model"]
    return goals | {"end model within 3 points of the one trained on gold on youtube": gap <= MAX_BELOW_GOLD}


def choose(runs: Mapping[str, Run]) -> dict[str, object]:
    rows = [{**candidate, "valid_accuracy": {}} for candidate in CANDIDATES]
    for name, run in runs.items():
        for stage in ("apply-lfs", "count-votes", "fit-label-model", "label", "write-shards"):
            run_stage(run, stage)
        valid = read_points(run).where("split = 'valid'")
        for candidate, row in zip(CANDIDATES, rows, strict=True):
            settings = EndModelConfig(**candidate).settings()
            model = train_end_model(run.spark, read_training_set(run), settings, storage=run.storage)
            found = evaluate(predict(valid, model, key=["id"]), valid, key=["id"]).all
            row["valid_accuracy"][name] = found.accuracy
            print(
                name, candidate, shown({"accuracy": found.accuracy, "intervals": found.intervals}), flush=True
            )
    for row in rows:
        print(row)
    return {"candidates": rows}


if __name__ == "__main__":
    main()
