"""Labeling functions that hang or end their Python worker: items 7 to 9 of the failure matrix."""

import ctypes
import os
import re
import signal
import time

import pytest

from dp_spark.errors import LabelingFunctionError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.pattern_lfs import pattern_lf
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.labeling.resources import loaded_once
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

BACKTRACKING = r"(a+)+$"
HOURS = "a" * 40 + "!"  # takes BACKTRACKING that long


def solid(name="solid"):
    return labeling_function(name=name)(lambda x: POSITIVE if x.id % 2 else None)


def only_in_row(row, fault, name="faulty", **options):
    def function(x):
        if x.id == row:
            fault()
        return NEGATIVE

    return labeling_function(name=name, **options)(function)


@pytest.fixture
def ten(spark):
    return spark.range(0, 10, numPartitions=2)


@pytest.fixture
def short_grace(spark):
    """New Python workers wait half a second, not ten, for what cannot be interrupted."""
    environment = spark.sparkContext.environment
    environment["DP_SPARK_HANG_GRACE_SECONDS"] = "0.5"
    yield
    del environment["DP_SPARK_HANG_GRACE_SECONDS"]


def kill(signal_number):
    os.kill(os.getpid(), signal_number)


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (lambda: ctypes.string_at(0), "the process died of SIGSEGV"),
        (lambda: os._exit(3), "the process exited with status 3"),
        (lambda: os._exit(0), "the process exited with status 0"),
        (
            lambda: kill(signal.SIGKILL),
            "the process died of SIGKILL (the system ends processes so when memory",
        ),
    ],
)
def test_a_function_that_ends_its_worker_is_named_with_the_row(ten, refused, fault, ending):
    lfs = [solid(), only_in_row(7, fault), solid("also solid")]
    text = refused(LabelingFunctionError, ten, lfs, max_lf_errors=5)
    assert f"labeling function 'faulty' ended its Python worker on the row {{'id': 7}}: {ending}" in text
    assert "Correct it or the library that it calls, or leave it out." in text
    assert "solid" not in text


def test_a_function_of_batches_that_ends_its_worker_is_named(spark, refused):
    @batch_labeling_function
    def batches(batch):
        if 7 in set(batch["odd `key`.id"]):
            os._exit(4)
        return [POSITIVE] * len(batch)

    table = spark.range(10).withColumnRenamed("id", "odd `key`.id")
    text = refused(LabelingFunctionError, table, [batches], key=["odd `key`.id"])
    assert (
        "'batches' ended its Python worker on a batch of data points: the process exited with status 4"
        in text
    )


def test_a_crash_that_does_not_come_back_names_the_candidates_and_the_settings(
    ten, refused, tmp_path_factory
):
    marker = str(tmp_path_factory.mktemp("marker") / "seen")

    def once():
        if not os.path.exists(marker):
            open(marker, "w").close()
            os._exit(137)

    text = refused(LabelingFunctionError, ten, [solid(), only_in_row(7, once)])
    assert (
        "a Python worker ended while the labeling functions ['solid', 'faulty'] ran, and did not when" in text
    )
    assert "spark.executor.memoryOverhead" in text


def test_what_hangs_is_interrupted_and_named_within_its_timeout(ten, refused):
    started = time.monotonic()
    text = refused(
        LabelingFunctionError, ten, [solid(), only_in_row(7, lambda: time.sleep(600))], lf_timeout_seconds=0.5
    )
    assert time.monotonic() - started < 20
    assert "labeling function 'faulty' failed on 1 of 5 data points" in text
    assert "  row {'id': 7}: TimedOutError at test_lf_hangs_and_crashes.py:" in text
    assert "time.sleep(600)" in text


def test_hangs_of_every_kind_within_the_budget_abstain_and_are_counted(spark, labeled):
    table = spark.range(0, 6, numPartitions=1).selectExpr("id", f"if(id = 2, '{HOURS}', 'aaa') AS text")

    def swallow():
        while True:  # by mistake it catches all exceptions, once
            try:
                time.sleep(600)
            except Exception:
                continue

    by_rows = labeling_function(name="regex in a row")(
        lambda x: POSITIVE if re.match(BACKTRACKING, x.text) else None
    )
    by_batches = batch_labeling_function(name="regex in a batch", max_errors=5)(
        lambda batch: batch["text"].map(lambda text: POSITIVE if re.match(BACKTRACKING, text) else 0)
    )

    @preprocessor
    def slow(x):
        return time.sleep(600) if x.id == 2 else "quick"

    lfs = [
        only_in_row(2, lambda: time.sleep(600), name="sleeps"),
        only_in_row(2, swallow, name="swallows"),
        by_rows,
        pattern_lf("pattern", "text", {POSITIVE: BACKTRACKING}),
        by_batches,
        labeling_function(name="behind", preprocessors=[slow])(lambda x: POSITIVE if x.slow else None),
    ]
    matrix, votes = labeled(table, lfs[:4] + lfs[5:], max_lf_errors=1, lf_timeout_seconds=0.5)
    assert votes == {(i,): [0] * 5 if i == 2 else [-1, -1, 1, 1, 1] for i in range(6)}
    runs = {run.name: run for run in matrix.lf_runs if run.kind != "preprocessor"}
    assert {run.num_errors for run in runs.values()} == {1}
    assert {(s.row, s.error) for run in runs.values() for s in run.samples} == {
        ("{'id': 2}", "TimedOutError")
    }
    assert matrix.lf_runs[0].seconds >= 0.5

    _, votes = labeled(table.where("id <> 2"), [by_batches], lf_timeout_seconds=5)
    assert votes == {(i,): [1] for i in (0, 1, 3, 4, 5)}


def test_a_resource_that_loads_for_ever_is_named(ten, refused):
    lf = labeling_function(name="weak", resources={"m": loaded_once(lambda: time.sleep(600))})(
        lambda x, m: None
    )
    text = refused(LabelingFunctionError, ten, [solid(), lf], max_lf_errors=9, lf_timeout_seconds=0.5)
    assert (
        "labeling function 'weak' could not load its resources: TimedOutError: took longer than 0.5 s" in text
    )


def test_a_batch_that_hangs_counts_all_its_data_points(ten, refused):
    lf = batch_labeling_function(name="batch")(lambda batch: time.sleep(600))
    text = refused(LabelingFunctionError, ten, [lf], max_lf_errors=3, lf_timeout_seconds=2)
    assert "labeling function 'batch' failed on 5 of 5 data points" in text
    assert "TimedOutError" in text


def ignore_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    ctypes.CDLL(None).pause()


def swallow_all():
    while True:
        try:
            time.sleep(600)
        except BaseException:  # noqa: S112  (it must not end)
            continue


@pytest.mark.parametrize("fault", [ignore_signals, swallow_all])
def test_what_cannot_be_interrupted_is_ended_with_its_worker_and_named(ten, refused, short_grace, fault):
    started = time.monotonic()
    lfs = [solid(), only_in_row(7, fault)]
    text = refused(LabelingFunctionError, ten, lfs, max_lf_errors=5, lf_timeout_seconds=0.5)
    assert time.monotonic() - started < 30
    assert "labeling function 'faulty' ended its Python worker on the row {'id': 7}: " in text
    assert "the process exited with status 1 (a timeout that no exception could interrupt" in text


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_that_is_no_time_is_refused(ten, seconds):
    with pytest.raises(ValueError, match=f"lf_timeout_seconds is {seconds}: expected more than 0"):
        apply_lfs(ten, [solid()], key=["id"], lf_timeout_seconds=seconds)
