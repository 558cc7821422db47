import logging
import os
import re
import signal
import threading
import time

import pytest

import dp_spark
from dp_spark.interruption import Interrupted, received_signal
from dp_spark.progress import display, ticker
from dp_spark.progress.job_counts import await_no_tasks, count_jobs
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.progress.ticker import _ticker, tell_progress
from dp_spark.session import stage

KEY = ["id"]


def jobs(spark):
    """Descriptions of all jobs so far, by id."""
    found = spark.sparkContext._jsc.sc().statusStore().jobsList(None)
    described = [found.apply(i) for i in range(found.size())]
    return {
        job.jobId(): job.description().get() if job.description().isDefined() else None for job in described
    }


@pytest.fixture
def ours(spark):
    """The descriptions of the jobs of a test, the newest last; the user had set one before."""
    before = set(jobs(spark))
    spark.sparkContext.setJobDescription("the user's own")
    yield lambda: [text for job, text in sorted(jobs(spark).items()) if job not in before]
    assert spark.sparkContext.getLocalProperty("spark.job.description") == "the user's own"
    spark.sparkContext.setJobDescription(None)


@dp_spark.labeling_function
def is_even(x):
    return 1 if x.id % 2 == 0 else -1


@dp_spark.labeling_function(max_errors=0.9)
def fails_often(x):
    return 1 // (x.id % 2)


def slowly(seconds):
    def pass_on(batches):
        for batch in batches:
            time.sleep(seconds)
            yield batch

    return pass_on


def test_every_job_of_the_python_functions_says_what_it_does(spark, storage, tmp_path, ours):
    points = spark.range(0, 40, 1, 2).selectExpr("id", "array(double(id)) AS x", "'text' AS text")
    gold = points.selectExpr("id", "CASE WHEN id % 4 = 0 THEN -1 ELSE 1 END AS gold", "id AS document")
    crowd = points.selectExpr("id", "'ann' AS worker", "1 AS vote")
    names = points.selectExpr("concat('name', id) AS name")
    points.write.format("noop").mode("overwrite").save()
    lookup = dp_spark.read_lookup_lf("known", "text", names, "name", vote=1)
    lfs = [is_even, fails_often, lookup, *dp_spark.read_crowd_lfs(crowd, key=KEY, min_votes=2)]
    dp_spark.try_lfs(points.limit(20), [is_even, fails_often])
    matrix = dp_spark.apply_lfs(points, lfs, key=KEY)
    matrix = dp_spark.write_label_matrix(matrix, f"{tmp_path}/L", storage)
    model = dp_spark.fit_label_model(dp_spark.count_votes(matrix, ["document"], gold), "majority_vote")
    dp_spark.count_gold(matrix, gold)
    labels = dp_spark.label(matrix, model)
    dp_spark.write_shards(points, labels, f"{tmp_path}/set", key=KEY, storage=storage, features=["x"])
    dp_spark.evaluate(labels, gold, key=KEY, num_replicates=0)
    dp_spark.compare({"a": labels, "b": labels}, gold, key=KEY, subject="a", num_replicates=0)
    first, *others = ours()
    assert first == "the user's own"  # the write above
    assert len(others) > 30
    assert {text for text in others if not text.startswith("dp_spark · ")} == set()
    assert "dp_spark · counting the votes of 4 LFs" in others


def test_a_job_of_a_stage_is_named_after_both(spark, ours):
    seconds = {}
    with stage(spark, "label", seconds):
        spark.range(3).count()
        with named_jobs(spark, "writing the label table"):
            spark.range(3).count()
        spark.range(3).count()
    assert set(seconds) == {"label"}
    written = "dp_spark · label · writing the label table"
    assert [text for text, _ in zip_runs(ours())] == ["dp_spark · label", written, "dp_spark · label"]


def zip_runs(texts):
    """Each text and how often it comes in a row."""
    runs = []
    for text in texts:
        if runs and runs[-1][0] == text:
            runs[-1] = (text, runs[-1][1] + 1)
        else:
            runs.append((text, 1))
    return runs


def test_without_a_spark_context_nothing_happens():
    class Connect:
        @property
        def _jsc(self):
            raise AttributeError("JVM_ATTRIBUTE_NOT_SUPPORTED")

    with named_jobs(Connect(), "anything"):
        assert _ticker.get() is None


def test_only_jobs_with_the_tag_are_counted(spark):
    context = spark.sparkContext
    spark.range(0, 5, 1, 5).count()
    context.addJobTag("tag-of-a-test")
    try:
        spark.range(0, 300, 1, 3).write.format("noop").mode("overwrite").save()
    finally:
        context.removeJobTag("tag-of-a-test")

    def counted():
        counts = count_jobs(context, "tag-of-a-test")
        return (counts.num_done, counts.num_tasks, counts.num_active, counts.num_rows)

    deadline = time.monotonic() + 20
    while counted() != (3, 3, 0, 300) and time.monotonic() < deadline:
        time.sleep(0.1)  # the store hears of the last task a moment later
    assert counted() == (3, 3, 0, 300)


def test_a_log_says_while_it_runs_how_far_a_job_is(spark, monkeypatch, caplog):
    monkeypatch.setattr(display, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(display, "_SHORT_SECONDS", 0.0)
    monkeypatch.setattr(ticker, "POLL_SECONDS", 0.2)
    caplog.set_level(logging.INFO, logger="dp_spark.progress")
    dp_spark.show_progress("lines")
    try:
        with stage(spark, "label", {}), named_jobs(spark, "sleeping"):
            spark.range(0, 40, 1, 4).mapInArrow(slowly(0.8), "id long").write.format("noop").mode(
                "overwrite"
            ).save()
    finally:
        dp_spark.show_progress("none")
    under_way = r"label: sleeping: partitions=[123]/4 rows/s=\d+ seconds=\d+ seconds_left=\d+"
    assert [line for line in caplog.messages if re.fullmatch(under_way, line)]
    num_lines = len(caplog.messages)
    time.sleep(0.5)
    assert len(caplog.messages) == num_lines
    assert not [thread for thread in threading.enumerate() if thread.name == "dp_spark progress"]


def test_a_display_that_fails_stops_no_work(spark, monkeypatch):
    class Broken:
        is_bar = True

        def show(self, snapshot):
            raise ZeroDivisionError

        def close(self):
            raise ZeroDivisionError

    monkeypatch.setattr(ticker, "new_display", Broken)
    monkeypatch.setattr(ticker, "POLL_SECONDS", 0.05)
    with named_jobs(spark, "counting"):
        assert spark.range(3).count() == 3
        time.sleep(0.2)


def test_what_is_told_is_shown_instead_of_tasks(spark, monkeypatch):
    shown = []

    class Kept:
        is_bar = True

        def show(self, snapshot):
            shown.append(snapshot)

        def close(self):
            pass

    monkeypatch.setattr(ticker, "new_display", Kept)
    monkeypatch.setattr(ticker, "POLL_SECONDS", 0.05)
    with named_jobs(spark, "training"):
        assert tell_progress(display.Snapshot("", "", 3, 20, "epochs"))
        time.sleep(0.3)
    assert (shown[-1].title, shown[-1].num_done, shown[-1].unit) == ("training", 3, "epochs")
    assert not tell_progress(display.Snapshot("", "", 3, 20, "epochs"))


def test_ctrl_c_cancels_the_job_and_the_session_lives_on(spark, ours):
    context, handler = spark.sparkContext, signal.getsignal(signal.SIGINT)
    started = time.monotonic()
    threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(Interrupted) as stopped, named_jobs(spark, "sleeping"):
        spark.range(0, 40, 1, 4).mapInArrow(slowly(60), "id long").write.format("noop").mode("append").save()
    assert time.monotonic() - started < 20
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert context.statusTracker().getActiveJobsIds() == []
    assert spark.range(3).count() == 3
    assert signal.getsignal(signal.SIGINT) is handler
    assert received_signal() == 0


def test_waiting_for_no_tasks_ends_at_once_where_there_are_none(spark):
    started = time.monotonic()
    await_no_tasks(spark.sparkContext, "a tag of no job", 60.0)
    assert time.monotonic() - started < 20
