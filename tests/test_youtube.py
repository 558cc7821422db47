"""The whole pipeline on real Youtube comments with the labeling functions of dp_spark/examples/spam.py."""

from pathlib import Path

import pytest

from dp_spark.config import parse_config
from dp_spark.pipeline import run_pipeline
from dp_spark.report.metrics import pipeline_text
from dp_spark.run import Run

CONFIG = Path(__file__).parents[1] / "conf" / "spam.toml"


@pytest.mark.slow
def test_labels_beat_majority_vote_and_the_end_model_beats_the_labels(storage, shared_data, tmp_path):
    comments = shared_data / "text" / "youtube.parquet"
    if not comments.exists():
        pytest.skip(f"no real comments here: {comments} is absent")
    config = parse_config(CONFIG.read_text(), str(CONFIG))
    table = config.table.model_copy(update={"path": str(comments)})
    config = config.model_copy(update={"table": table, "output": str(tmp_path / "spam")})
    metrics = run_pipeline(Run(storage, config, config.output))
    print(pipeline_text(metrics, config.output))
    scores = {name: report["all"]["accuracy"] for name, report in metrics["scores"].items()}
    assert scores["all.labels"] >= scores["all.majority_vote"]
    assert scores["test.labels"] >= scores["test.majority_vote"]
    assert scores["test.end_model"] > scores["test.labels"]
    assert scores["all.labels"] > 0.88
    assert scores["test.end_model"] > scores["test.gold_end_model"] - 0.03
