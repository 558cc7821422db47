"""Labeling functions that raise: items 1, 2, 10, 12 and 13 of the failure matrix."""

import asyncio
import json
import os
import resource
import socket
import sys
import urllib.request
from pathlib import Path

import pytest
from pyspark.errors import PythonException

from dp_spark.errors import EnvironmentProblem, LabelingFunctionError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.matrix import read_label_matrix, write_label_matrix
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

CANARY = "ssn=123-45-6789"
BAD = frozenset(range(0, 100, 15))  # 7 of 100 rows


def failing(name="broken", bad=BAD, **options):
    def function(x):
        if x.id in bad:
            raise ValueError(f"{CANARY} in row {x.id}")
        return POSITIVE

    return labeling_function(name=name, **options)(function)


def solid():
    return labeling_function(name="solid")(lambda x: NEGATIVE if x.id % 2 else None)


@pytest.fixture
def hundred(spark):
    return spark.range(0, 100, numPartitions=4)


@pytest.mark.parametrize("budget", [7, 0.07])
@pytest.mark.parametrize("of_run", [False, True])
def test_failures_within_a_budget_abstain_and_are_counted_exactly(hundred, labeled, tmp_path, budget, of_run):
    own, for_all = ({}, {"max_lf_errors": budget}) if of_run else ({"max_errors": budget}, {})
    matrix, votes = labeled(hundred, [solid(), failing(**own)], **for_all)
    assert votes == {(i,): [-(i % 2), 0 if i in BAD else 1] for i in range(100)}
    good, run = matrix.lf_runs
    assert (good.num_errors, good.num_abstains, good.votes, good.samples) == (0, 50, {"-1": 50, "1": 0}, ())
    assert (run.num_data_points, run.num_errors, run.num_abstains) == (100, 7, 0)
    assert run.votes == {"-1": 0, "1": 93}
    assert [(s.row, s.error, s.message) for s in run.samples] == [
        ("{'id': 0}", "ValueError", ""),
        ("{'id': 15}", "ValueError", ""),
        ("{'id': 30}", "ValueError", ""),
    ]
    assert all(
        s.line.startswith("test_lf_errors.py:")
        and s.line.endswith('raise ValueError(f"{CANARY} in row {x.id}")')
        for s in run.samples
    )
    description = Path(tmp_path / "L" / "_dp_spark.json").read_text()
    assert CANARY not in description
    assert json.loads(description)["lfs"][1]["num_errors"] == 7


@pytest.mark.parametrize(("budget", "said"), [(6, "max_errors: 6"), (0.0699, "max_errors: 0.0699 of them")])
def test_one_failure_too_many_over_all_partitions_is_refused_with_samples(hundred, refused, budget, said):
    text = refused(LabelingFunctionError, hundred, [solid(), failing()], max_lf_errors=budget)
    assert (
        f"labeling function 'broken' failed on 7 of 100 data points, more than its budget allows ({said})"
        in text
    )
    first, *samples = text.splitlines()
    assert "Correct it, or let it return None for data points like these, or allow more errors." in first
    assert len(samples) == 3
    assert samples[0].startswith("  row {'id': 0}: ValueError at test_lf_errors.py:")
    assert CANARY not in text


def test_without_a_budget_the_first_failure_stops_the_run(spark, refused):
    text = refused(LabelingFunctionError, spark.range(0, 10, numPartitions=1), [failing(bad={3})])
    assert "labeling function 'broken' failed on 1 of 10 data points" in text
    assert "  row {'id': 3}: ValueError at test_lf_errors.py:" in text
    assert LabelingFunctionError.exit_code == 4


def test_all_that_failed_too_often_are_named_at_once_by_their_own_budgets(hundred, refused):
    lfs = [failing("a", max_errors=0.01), failing("b", max_errors=7), failing("c", max_errors=6)]
    text = refused(LabelingFunctionError, hundred, lfs, max_lf_errors=50)
    assert [name for name in "abc" if f"labeling function '{name}' failed" in text] == ["a", "c"]


@pytest.mark.parametrize("budget", [1000, 0.99])
def test_a_function_that_fails_on_every_row_is_refused_whatever_its_budget(hundred, refused, budget):
    text = refused(LabelingFunctionError, hundred, [solid(), failing(bad=range(100))], max_lf_errors=budget)
    assert "labeling function 'broken' failed on" in text
    assert "of 100 data points" in text
    assert "row {'id': 0}: ValueError at" in text


def test_sparks_own_exception_says_nothing_of_what_the_labeling_function_said(hundred):
    with pytest.raises(PythonException) as caught:
        apply_lfs(hundred, [failing()], key=["id"]).df.collect()
    assert "labeling function 'broken' failed on" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert CANARY.encode().hex() not in str(caught.value)


@pytest.mark.parametrize("batch_format", ["pandas", "arrow"])
def test_only_the_rows_at_fault_of_a_failing_batch_abstain(hundred, labeled, batch_format):
    def function(batch):
        ids = batch["id"].to_pylist() if batch_format == "arrow" else list(batch["id"])
        if BAD.intersection(ids):
            raise ValueError(CANARY)
        return [POSITIVE] * len(ids)

    lf = batch_labeling_function(name="batch", batch_format=batch_format, max_errors=7)(function)
    matrix, votes = labeled(hundred, [lf])
    assert votes == {(i,): [0 if i in BAD else 1] for i in range(100)}
    (run,) = matrix.lf_runs
    assert (run.num_errors, run.votes) == (7, {"-1": 0, "1": 93})
    assert {s.row for s in run.samples} == {"{'id': 0}", "{'id': 15}", "{'id': 30}"}
    assert all("raise ValueError(CANARY)" in s.line for s in run.samples)


def test_a_preprocessor_that_fails_on_some_rows_fails_those_who_read_it_there(hundred, labeled):
    @preprocessor
    def half(x):
        if x.id in BAD:
            raise KeyError(CANARY)
        return x.id // 2

    by_row = labeling_function(name="row", preprocessors=[half])(lambda x: POSITIVE if x.half >= 0 else None)
    by_batch = batch_labeling_function(name="batch", preprocessors=[half])(
        lambda b: [NEGATIVE] * len(b["half"])
    )
    matrix, votes = labeled(hundred, [by_row, by_batch, solid()], max_lf_errors=7)
    assert votes == {(i,): [0, 0, -(i % 2)] if i in BAD else [1, -1, -(i % 2)] for i in range(100)}
    assert [run.num_errors for run in matrix.lf_runs] == [7, 7, 0, 0]
    assert [run.kind for run in matrix.lf_runs] == ["row", "batch", "row", "preprocessor"]
    assert {s.error for run in matrix.lf_runs for s in run.samples} == {"KeyError"}


class PanicException(BaseException):
    """What a library in Rust raises when it panics is no Exception."""


def recurse(n=0):
    return recurse(n + 1)


def open_too_many():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        return [open("/dev/null") for _ in range(100)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def take_too_much():
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, hard))
    try:
        return bytearray(64 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def fetch_from_a_closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()


def raise_(problem):
    raise problem


def test_whatever_a_function_raises_is_a_counted_failure_of_its_own(spark, labeled):
    expected = {
        "exits": (lambda: sys.exit(3), "SystemExit", "sys.exit(3)"),
        "interrupts": (lambda: raise_(KeyboardInterrupt()), "KeyboardInterrupt", "raise problem"),
        "stops": (lambda: next(iter([])), "StopIteration", "next(iter([]))"),
        "cancels": (lambda: raise_(asyncio.CancelledError()), "CancelledError", "raise problem"),
        "panics": (lambda: raise_(PanicException()), "PanicException", "raise problem"),
        "recurses": (recurse, "RecursionError", "return recurse(n + 1)"),
        "remembers": (take_too_much, "MemoryError", "return bytearray(64 << 30)"),
        "opens": (open_too_many, "OSError (errno 24: Too many open files)", ""),
        "fetches": (fetch_from_a_closed_port, "URLError (errno 111: Connection refused)", "urlopen"),
        "looks": (
            lambda: os.stat("/no/such/file"),
            "FileNotFoundError (errno 2: No such file",
            "/no/such/file",
        ),
    }

    def only_in_row_two(fault):
        return lambda x: fault() and None if x.id == 2 else POSITIVE

    lfs = [labeling_function(name=name)(only_in_row_two(fault)) for name, (fault, _, _) in expected.items()]
    matrix, votes = labeled(spark.range(0, 5, numPartitions=1), lfs, max_lf_errors=1)
    assert votes == {(i,): [0 if i == 2 else 1] * len(lfs) for i in range(5)}
    for run, (_, error, line) in zip(matrix.lf_runs, expected.values(), strict=True):
        (sample,) = run.samples
        assert (run.num_errors, sample.row) == (1, "{'id': 2}")
        assert sample.error.startswith(error)
        assert sample.line.startswith("test_lf_errors.py:")
        assert line in sample.line


def test_a_module_that_only_the_driver_has_is_named_with_what_to_do_whatever_the_budget(spark, refused):
    def function(x):
        import a_module_of_the_driver

        return a_module_of_the_driver.vote(x)

    lf = labeling_function(name="importing", max_errors=100)(function)
    text = refused(EnvironmentProblem, spark.range(10), [lf])
    assert "no module 'a_module_of_the_driver', which labeling function 'importing' imports" in text
    assert "spark-submit --py-files" in text
    assert EnvironmentProblem.exit_code == 2


def test_memory_that_runs_out_between_functions_is_a_problem_of_the_machine(spark, refused):
    def starve(x):
        if x.id == 0:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + (8 << 20), resource.RLIM_INFINITY))
        return POSITIVE

    growing = "repeat('x', cast(1 + id div 10000 * 6000 AS int)) AS text"  # 60 MB in the second batch
    table = spark.range(0, 20_000, numPartitions=1).selectExpr("id", growing)
    starving = labeling_function(name="starving", columns=["id"])(starve)
    reading = labeling_function(name="reading", columns=["text"])(lambda x: POSITIVE if x.text else None)
    text = refused(EnvironmentProblem, table, [starving, reading])
    assert "a Python worker ran out of memory outside of labeling functions" in text
    assert "spark.sql.execution.arrow.maxRecordsPerBatch" in text


def test_after_a_failed_overwrite_the_older_result_is_there_with_its_runs(hundred, storage, tmp_path):
    path = str(tmp_path / "L")
    before = write_label_matrix(apply_lfs(hundred, [solid()], key=["id"]), path, storage)
    matrix = apply_lfs(hundred, [solid(), failing()], key=["id"], max_lf_errors=6)
    with pytest.raises(LabelingFunctionError, match="failed on 7 of 100"):
        write_label_matrix(matrix, path, storage, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["L"]
    after = read_label_matrix(storage, path)
    assert (after.lf_names, after.lf_runs) == (("solid",), before.lf_runs)
    assert sorted(after.df.collect()) == sorted(before.df.collect())
