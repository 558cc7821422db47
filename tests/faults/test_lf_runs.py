"""What a run tells of its labeling functions: items 11, 14, 18 and 20, and exact counts under task retries."""

import json
import logging
import os
from pathlib import Path

import pytest
from standalone import standalone_cluster, submit

from dp_spark.labeling import lf_runs
from dp_spark.labeling.column_lfs import column_lf, vote_column
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.pattern_lfs import keyword_lf
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

ODD_NAMES = [
    "a.b",
    "back`tick",
    "with space",
    "größe_大きさ",
    "*",
    "select",
    "{x}",
    "count",
    "'; DROP TABLE t; --",
]
JOB_SECONDS = 300


@pytest.fixture
def small_batches(spark):
    name = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(name)
    spark.conf.set(name, "10")
    yield
    spark.conf.set(name, before)


def test_growth_is_attributed_to_the_function_that_keeps_what_it_sees(
    spark, labeled, small_batches, caplog, monkeypatch
):
    monkeypatch.setattr(lf_runs, "LEAK_MIB", 150)
    kept = []

    def keep(x):
        kept.append(b"x" * (1 << 20) * 4)
        return POSITIVE

    lfs = [
        labeling_function(name="innocent")(lambda x: POSITIVE),
        labeling_function(name="leaks")(keep),
        labeling_function(name="also innocent")(lambda x: POSITIVE),
    ]
    with caplog.at_level(logging.WARNING, "dp_spark"):
        matrix, _ = labeled(spark.range(0, 100, numPartitions=1), lfs)
    growth = {run.name: run.growth_mib for run in matrix.lf_runs}
    assert 200 < growth["leaks"] < 420
    assert growth["innocent"] + growth["also innocent"] < 50
    (warning,) = caplog.messages
    assert "MiB while 'leaks' ran: does it keep what it sees?" in warning


def test_a_thousand_labeling_functions_work(spark, labeled):
    def lf(i):
        return labeling_function(name=f"lf {i}", columns=["id"])(
            lambda x: POSITIVE if x.id == i % 3 else None
        )

    lfs = [lf(i) for i in range(900)] + [
        keyword_lf(f"keyword {i}", "text", {NEGATIVE: [f"word{i}"]}) for i in range(100)
    ]
    table = spark.range(0, 3, numPartitions=1).selectExpr("id", "concat('word', id) AS text")
    matrix, votes = labeled(table, lfs)
    for i in range(3):
        assert votes[(i,)] == [int(j % 3 == i) for j in range(900)] + [-int(j == i) for j in range(100)]
    assert [run.num_abstains for run in matrix.lf_runs] == [2] * 900 + [2] * 3 + [3] * 97


def test_names_that_sql_would_split_are_kept_by_every_kind(spark, labeled):
    table = spark.range(0, 2, numPartitions=1).toDF("k")
    table = table.selectExpr("k", *(f"1 AS `{name.replace('`', '``')}`" for name in ODD_NAMES))

    def lf(name):
        return labeling_function(name=f"row {name}")(lambda x: POSITIVE if x[name] == 1 else NEGATIVE)

    def by_batch(name):
        return batch_labeling_function(name=f"batch {name}")(lambda batch: batch[name])

    lfs = [
        make(name)
        for make in (lf, by_batch, lambda name: vote_column(name, name=f"column {name}"))
        for name in ODD_NAMES
    ]
    key = [*ODD_NAMES, "k"]
    matrix, votes = labeled(table, lfs, key=key)
    assert votes == {(*[1] * len(ODD_NAMES), k): [1] * len(lfs) for k in (0, 1)}
    assert matrix.columns().columns == [*key, *(lf.name for lf in lfs)]
    assert [run.name for run in matrix.lf_runs] == [lf.name for lf in lfs]


def test_every_kind_is_counted_in_the_same_pass_and_the_counts_are_stored(spark, labeled, tmp_path):
    table = spark.range(0, 30, numPartitions=3).selectExpr("id", "if(id % 3 = 0, 'free', 'x') AS text")
    lfs = [
        labeling_function(name="row")(lambda x: POSITIVE if x.id < 10 else None),
        batch_labeling_function(name="batch")(lambda batch: (batch["id"] >= 25) * -1),
        keyword_lf("keyword", "text", {POSITIVE: ["free"]}),
        column_lf("column", "CASE WHEN id = 0 THEN -1 WHEN id = 1 THEN 1 END"),
        labeling_function(name="never")(lambda x: None),
    ]
    matrix, _ = labeled(table, lfs)
    counts = {run.name: (run.votes["-1"], run.votes["1"], run.num_abstains) for run in matrix.lf_runs}
    expected = {"row": (0, 10, 20), "batch": (5, 0, 25), "keyword": (0, 10, 20), "column": (1, 1, 28)}
    assert counts == {**expected, "never": (0, 0, 30)}
    assert {run.num_data_points for run in matrix.lf_runs} == {30}
    assert [run.seconds is None for run in matrix.lf_runs] == [False, False, False, True, False]
    assert sum(run.share_of_time or 0 for run in matrix.lf_runs) == pytest.approx(1)
    description = json.loads((tmp_path / "L" / "_dp_spark.json").read_text())
    assert [lf["votes"] for lf in description["lfs"]] == [dict(run.votes) for run in matrix.lf_runs]


def test_the_time_zone_is_recorded_and_decides_what_functions_see(spark, labeled, tmp_path):
    lf = labeling_function(name="lf")(lambda x: POSITIVE if x.t.hour == 1 else NEGATIVE)
    before = spark.conf.get("spark.sql.session.timeZone")
    seen = {}
    try:
        for zone in ("UTC", "Europe/Berlin"):
            spark.conf.set("spark.sql.session.timeZone", zone)
            _, votes = labeled(spark.range(1).selectExpr("id", "timestamp_seconds(0) AS t"), [lf])
            seen[json.loads((tmp_path / "L" / "_dp_spark.json").read_text())["time_zone"]] = votes[(0,)]
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)
    assert before == "UTC"
    assert seen == {"UTC": [-1], "Europe/Berlin": [1]}


JOB = '''
import json, os, signal, sys
from pathlib import Path

import dp_spark
from dp_spark.session import run_job, spark_session

CANARY = "ssn=123-45-" + str(6789)
PLACE = Path(sys.argv[1])


def once(name, fault):
    """Does it at the 48th of a partition's 50 rows, after four batches of ten, the first time only."""
    def vote(x):
        if x.id % 50 == 48 and not (PLACE / name).exists():
            (PLACE / name).touch()
            fault()
        return 1 if x.id % 2 else None
    return dp_spark.labeling_function(name=name)(vote)


def leave():
    os._exit(3)


def fail():
    raise ValueError(CANARY)


def lose_the_executor():
    stat = Path(f"/proc/{os.getppid()}/stat").read_text()  # of the daemon, whose parent is the executor
    os.kill(int(stat.split()[3]), signal.SIGKILL)


@dp_spark.labeling_function
def loud(x):
    print("x" * 50_000)
    print("y" * 50_000, file=sys.stderr)
    os.write(1, b"z" * 1000)
    return -1


@dp_spark.labeling_function(max_errors=0.5)
def failing(x):
    if x.id % 10 == 0:
        fail()


def main():
    spark = spark_session("faults", {"spark.sql.execution.arrow.maxRecordsPerBatch": "10"})
    table = spark.range(0, 100, numPartitions=2)
    storage = dp_spark.Storage(spark)
    for name, fault in {"crash": leave, "raise": fail, "loss": lose_the_executor}.items():
        matrix = dp_spark.apply_lfs(table, [once(name, fault), loud, failing], key=["id"])
        matrix = dp_spark.write_label_matrix(matrix, str(PLACE / f"L_{name}"), storage)
        assert matrix.df.select("id").distinct().count() == matrix.df.count() == 100
    always = dp_spark.labeling_function(name="always")(lambda x: fail() if x.id > 97 else 1)
    dp_spark.write_label_matrix(dp_spark.apply_lfs(table, [always], key=["id"]), str(PLACE / "L_always"), storage)


run_job(main)
'''


@pytest.mark.slow
def test_on_a_cluster_the_counts_are_exact_under_retries_and_no_log_holds_a_rows_values(tmp_path):
    script, logs, place = tmp_path / "job.py", tmp_path / "cluster", tmp_path / "results"
    logs.mkdir()
    place.mkdir()
    script.write_text(JOB)
    with standalone_cluster(logs) as url:
        job = submit(url, str(script), str(place), seconds=JOB_SECONDS)
    output = job.stdout + job.stderr
    assert job.returncode == 4, output[-3000:]
    assert "labeling function 'always' failed on 2 of 50 data points" in output
    assert "row {'id': 98}: ValueError at job.py:" in output
    assert sorted(os.listdir(place)) == ["L_crash", "L_loss", "L_raise", "crash", "loss", "raise"]
    for name in ("crash", "raise", "loss"):
        description = json.loads((place / f"L_{name}" / "_dp_spark.json").read_text())
        runs = {run["name"]: run for run in description["lfs"]}
        assert runs[name]["votes"] == {"-1": 0, "1": 50}, name
        assert (runs[name]["num_abstains"], runs[name]["num_errors"]) == (50, 0)
        assert runs["loud"]["votes"] == {"-1": 100, "1": 0}
        assert (runs["failing"]["num_abstains"], runs["failing"]["num_errors"]) == (90, 10)
        assert {run["num_data_points"] for run in runs.values()} == {100}
    files = [path for folder in (logs, place) for path in Path(folder).rglob("*") if path.is_file()]
    assert len([path for path in files if path.name == "stderr"]) >= 3  # of executors, of which one was lost
    assert [path for path in files if b"ssn=123-45-6789" in path.read_bytes()] == []
    assert "ssn=123-45-6789" not in output
    printed = sum(path.stat().st_size for path in files if path.name in ("stdout", "stderr"))
    assert printed < 3 << 20  # of 30 MB
    assert any(
        b"labeling functions wrote 2,500,050 characters to stdout" in path.read_bytes() for path in files
    )
