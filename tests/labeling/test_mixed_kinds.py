"""All kinds in one list, against plain Python: four classes called by name."""

import random
import re

import numpy as np
import pyarrow.compute as pc
import pytest
from pyspark.sql import functions as F
from voting import executed_plan, votes_of

from dp_spark import (
    apply_lfs,
    batch_labeling_function,
    column_lf,
    count_votes,
    keyword_lf,
    labeling_function,
    loaded_once,
    lookup_lf,
    model_lf,
    pattern_lf,
    preprocessor,
    read_crowd_lfs,
    read_lookup_lf,
    score_column,
    vote,
    vote_column,
    write_label_matrix,
)

NAMES = ("sports", "politics", "music", "food")
WORDS = ["goal", "vote", "song", "soup", "match", "law", "Choir", "bread", "and", "the", "2:1"]
AUTHORS = ["ann", "bob", "cy", "dee", None]
N = 60


def make_rows():
    random_ = random.Random(0)
    return [
        (
            i,
            " ".join(random_.choices(WORDS, k=random_.randrange(1, 7))),
            random_.choice(AUTHORS),
            random_.choice([*NAMES, None]),
            random_.choice([0.1, 0.5, 0.9, None]),
        )
        for i in range(N)
    ]


ROWS = make_rows()
CROWD = [
    (i, worker, name)
    for i, _, author, name, _ in ROWS
    for worker in ("w1", "w2")
    if name and author != worker and (i % 3 or worker == "w1")
] + [(5, "rare", "food"), (6, "rarer", "music"), (5, "rarer", "music")]
AUTHOR_TABLE = [("cy", "music"), ("cy", "music"), ("dee", "food"), (None, "sports"), ("zoe", "food")]


def one_of(**holds):
    held = [name for name, condition in holds.items() if condition]
    return held[0] if len(held) == 1 else None


def expected_votes():
    """The votes by name of labeling function, in plain Python."""
    votes = {}
    crowd = {(i, worker): name for i, worker, name in CROWD}
    for i, text, author, human, score in ROWS:
        words = text.lower().split()
        rare = {crowd.get((i, "rare")), crowd.get((i, "rarer"))} - {None}
        for lf, name in {
            "row": one_of(sports="goal" in words, food="soup" in words),
            "short": one_of(politics=len(words) < 3),
            "batch": one_of(music="song" in text, food="bread" in text),
            "arrow": one_of(sports=len(text) > 20),
            "sql": "politics" if "law" in text else None,
            "column": one_of(sports="goal" in text, music="Choir" in text, food="soup" in text),
            "pattern": one_of(sports=re.search(r"\d:\d", text), politics=re.search("vote|law", text)),
            "keyword": one_of(music={"choir", "song"} & set(words), food={"soup", "bread"} & set(words)),
            "lookup": {"ann": "sports", "bob": "politics"}.get(author),
            "table": {"cy": "music", "dee": "food"}.get(author),
            "model": NAMES[len(words) % 4] if len(words) > 2 else None,
            "human": human,
            "score": "sports" if score is not None and score >= 0.9 else None,
            "worker w1": crowd.get((i, "w1")),
            "worker w2": crowd.get((i, "w2")),
            "rare workers": rare.pop() if len(rare) == 1 else None,
        }.items():
            votes.setdefault(i, {})[lf] = NAMES.index(name) + 1 if name else 0
    return votes


def make_lfs(spark):
    """The same, one or more of every kind; defined here, so that they travel to the workers by value."""

    @preprocessor
    def words(x):
        return x.text.lower().split()

    @labeling_function(preprocessors=[words])
    def row(x):
        return vote({"sports": "goal" in x.words, "food": "soup" in x.words})

    @batch_labeling_function(preprocessors=[words])
    def short(batch):
        return vote({"politics": batch["words"].str.len() < 3})

    @batch_labeling_function
    def batch(batch):
        return vote(
            {"music": batch["text"].str.contains("song"), "food": batch["text"].str.contains("bread")}
        )

    @batch_labeling_function(batch_format="arrow")
    def arrow(batch):
        return vote({1: pc.greater(pc.utf8_length(batch["text"]), 20)})

    class Model:
        def predict(self, texts):
            scores = np.zeros((len(texts), 4))
            for i, text in enumerate(texts):
                scores[i, len(text.split()) % 4] = len(text.split())
            return scores

    text = F.col("text")
    authors = spark.createDataFrame(AUTHOR_TABLE, "name string, class string")
    crowd = spark.createDataFrame(CROWD, "id long, worker string, vote string")
    return [
        row,
        short,
        batch,
        arrow,
        column_lf("sql", "CASE WHEN text LIKE '%law%' THEN 'politics' END"),
        column_lf(
            "column",
            vote({1: text.contains("goal"), 3: text.contains("Choir"), 4: text.contains("soup")}),
        ),
        pattern_lf("pattern", "text", {"sports": r"\d:\d", "politics": ["vote", "law"]}),
        keyword_lf("keyword", "text", {"music": ["choir", "song"], "food": {"soup", "bread"}}),
        lookup_lf("lookup", "author", {"sports": {"ann"}, 2: {"bob"}}),
        read_lookup_lf("table", "author", authors, "name", vote_column="class"),
        model_lf("model", loaded_once(Model), ["text"], class_from=3),
        vote_column("human"),
        score_column("score", positive_from=0.9),
        *read_crowd_lfs(crowd, key=["id"], min_votes=5),
    ]


def is_in_spark(lf):
    return lf.kind in ("column", "lookup", "crowd", "existing column")


@pytest.fixture(scope="module")
def lfs(spark):
    return make_lfs(spark)


@pytest.fixture
def table(spark):
    return spark.createDataFrame(ROWS, "id long, text string, author string, human string, score double")


@pytest.mark.parametrize(("num_partitions", "batch_size", "seed"), [(1, 10_000, None), (4, 7, 1), (3, 1, 2)])
def test_all_kinds_vote_as_plain_python_whatever_order_partitions_and_batches(
    spark, table, lfs, num_partitions, batch_size, seed
):
    shuffled = random.Random(seed).sample(lfs, len(lfs)) if seed else lfs
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", batch_size)
    try:
        matrix = apply_lfs(table.repartition(num_partitions), shuffled, key=["id"], class_names=NAMES)
        votes = votes_of(matrix)
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    expected = expected_votes()
    assert all(sum(row[lf.name] > 0 for row in expected.values()) > 1 for lf in lfs if "rare" not in lf.name)
    assert matrix.lf_names == tuple(lf.name for lf in shuffled)
    assert votes == {i: [row[name] for name in matrix.lf_names] for i, row in expected.items()}


def test_only_lists_with_a_labeling_function_of_python_start_a_python_worker(table, lfs):
    in_spark = [lf for lf in lfs if is_in_spark(lf)]
    assert len(in_spark) == 9
    plan = executed_plan(apply_lfs(table, in_spark, key=["id"], class_names=NAMES).df)
    assert "Python" not in plan
    assert "InArrow" not in plan
    for lf in lfs:
        if not is_in_spark(lf):
            plan = executed_plan(apply_lfs(table, [*in_spark[:1], lf], key=["id"], class_names=NAMES).df)
            assert "MapInArrow" in plan, lf.name


def test_a_written_matrix_tells_what_every_kind_did(table, lfs, storage, tmp_path):
    matrix = apply_lfs(table.repartition(2), lfs[::-1], key=["id"], class_names=NAMES)
    written = write_label_matrix(matrix, str(tmp_path / "L"), storage)
    expected = expected_votes()
    for run in written.lf_runs[:-1]:
        votes = [row[run.name] for row in expected.values()]
        assert run.votes == {name: votes.count(code) for code, name in enumerate(NAMES, start=1)}, run.name
        assert (run.num_data_points, run.num_abstains, run.num_errors) == (N, votes.count(0), 0)
        assert (run.seconds is None) == (run.kind in ("column", "lookup", "crowd", "existing column"))
    assert [(r.kind, r.num_data_points) for r in written.lf_runs[-1:]] == [("preprocessor", N)]
    assert written.class_names == NAMES
    counts = count_votes(written)
    assert counts.num_classes == 4


def test_runs_of_a_list_inside_spark_are_those_beside_python(table, lfs, storage, tmp_path):
    in_spark = [lf for lf in lfs if is_in_spark(lf)]
    alone = apply_lfs(table, in_spark, key=["id"], class_names=NAMES)
    beside = apply_lfs(table, [*in_spark, lfs[0]], key=["id"], class_names=NAMES)
    runs = [
        write_label_matrix(matrix, str(tmp_path / name), storage).lf_runs[: len(in_spark)]
        for name, matrix in (("alone", alone), ("beside", beside))
    ]
    assert runs[0] == runs[1]


def test_class_names_that_are_not_there_are_refused_before_anything_runs(table, lfs):
    with pytest.raises(
        ValueError, match=r"'pattern' votes 'sports'; .*'keyword' votes 'music'; .*'lookup' votes"
    ):
        apply_lfs(table, lfs, key=["id"], num_classes=4)
