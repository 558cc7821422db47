"""The whole pipeline on a task of four classes: votes, labels, end model, and what they are compared with."""

import random

import pytest

from dp_spark.config import parse_config
from dp_spark.end_model.artifact import load_end_model
from dp_spark.end_model.predict import PREDICTIONS_KIND
from dp_spark.labels.label import LABELS_KIND
from dp_spark.pipeline import run_pipeline
from dp_spark.report.metrics import pipeline_text
from dp_spark.run import Run
from dp_spark.tables import read_table

NUM_ARTICLES = 600
CLASSES = ["sport", "politics", "science", "music"]
# The first three words of a class are known to a labeling function, the others to none.
WORDS = {
    "sport": ["goal", "match", "coach", "league", "stadium", "season", "striker"],
    "politics": ["minister", "vote", "senate", "party", "budget", "reform", "treaty"],
    "science": ["atom", "cell", "planet", "orbit", "genome", "fossil", "quantum"],
    "music": ["chorus", "guitar", "album", "singer", "melody", "drummer", "tour"],
}
COMMON = ["today", "people", "report", "new", "after", "week", "city", "says"]

LFS = f"""
from dp_spark import keyword_lf

WORDS = {WORDS}
LFS = [
    keyword_lf(f"word {{i}}", "text", {{name: [words[i]] for name, words in WORDS.items()}}) for i in range(3)
]
"""

CONFIG = """
output = "{place}/out"
[table]
path = "{place}/articles"
key = ["id"]
gold = "gold"
split = "split"
[labeling]
module = "news_lfs"
class_names = ["sport", "politics", "science", "music"]
[training_set]
text = "text"
num_shards = 2
[end_model]
num_epochs = 30
batch_size = 64
learning_rate = 0.05
l2 = 0.001
"""


def articles(seed=0):
    """(id, text, gold 1 to 4, split): six words of the class, one of another class, and common ones."""
    chance = random.Random(seed)
    for i in range(NUM_ARTICLES):
        gold = chance.randrange(4)
        other = chance.choice([c for c in CLASSES if c != CLASSES[gold]])
        words = chance.sample(WORDS[CLASSES[gold]], 3) + chance.choices(WORDS[other], k=chance.randrange(2))
        words += chance.choices(COMMON, k=3)
        chance.shuffle(words)
        yield i, " ".join(words), gold + 1, "test" if i % 3 == 0 else "train"


@pytest.mark.slow
def test_four_classes_go_through_the_whole_pipeline(spark, storage, tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "news_lfs.py").write_text(LFS)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    table = spark.createDataFrame(list(articles()), "id long, text string, gold int, split string")
    table.write.parquet(f"{tmp_path}/articles")
    config = parse_config(CONFIG.format(place=tmp_path), "news.toml")
    metrics = run_pipeline(Run(storage, config, config.output))
    print(pipeline_text(metrics, config.output))
    for name, kind in {"labels": LABELS_KIND, "predictions": PREDICTIONS_KIND}.items():
        probs = read_table(storage, f"{config.output}/{name}", kind)[0].select("prob_label").toPandas()
        assert {len(row) for row in probs["prob_label"]} == {4}
        assert all(abs(sum(row) - 1) < 1e-3 for row in probs["prob_label"])
    for name in ("end_model", "gold_end_model"):
        assert load_end_model(storage, f"{config.output}/{name}").classes == (1, 2, 3, 4)
    scores, comparison = metrics["scores"], metrics["comparison"]
    assert [c["vote"] for c in scores["test.end_model"]["all"]["classes"]] == [1, 2, 3, 4]
    assert scores["test.end_model"]["all"]["accuracy"] > scores["test.labels"]["all"]["accuracy"]
    assert scores["test.end_model"]["all"]["macro_f1"] > 0.9
    assert scores["test.gold_end_model"]["all"]["accuracy"] > 0.9
    assert comparison["generalizes"] is True
    assert "the end model generalises beyond the labeling functions" in comparison["verdict"]
