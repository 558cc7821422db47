"""What cannot travel to the executors, or is not there: items 15 to 17 of the failure matrix."""

import importlib
import logging
import os
import sys
import threading

import pytest

from dp_spark.errors import EnvironmentProblem, LabelingFunctionError
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.functions import batch_labeling_function, labeling_function
from dp_spark.labeling.preprocessors import preprocessor
from dp_spark.labeling.resources import loaded_once
from dp_spark.labeling.votes import POSITIVE


def test_what_cannot_be_pickled_is_named_before_anything_runs_for_all_functions_at_once(spark, tmp_path):
    lock, file = threading.Lock(), (tmp_path / "log").open("w")  # noqa: SIM115  (closed below)
    session, table = spark, spark.range(3)

    def helper(x):
        return session.range(x.id).count()

    @labeling_function
    def locks(x):
        with lock:
            return POSITIVE

    @labeling_function
    def logs(x):
        file.write(str(x.id))

    @labeling_function
    def queries(x):
        return session.range(3).count()

    @labeling_function
    def joins(x):
        return table.where("id = 1").count()

    @batch_labeling_function
    def helped(batch):
        return [helper(x) for x in batch]

    @labeling_function(resources={"guard": lock})
    def given(x, guard):
        return POSITIVE

    @preprocessor
    def prepared(x):
        return file.write(str(x.id))

    @labeling_function(preprocessors=[prepared])
    def behind(x):
        return x.prepared

    solid = labeling_function(name="solid")(lambda x: POSITIVE)
    with file, pytest.raises(LabelingFunctionError) as caught:
        apply_lfs(table, [locks, logs, queries, joins, helped, given, behind, solid], key=["id"])
    text = str(caught.value)
    for name, culprit in {
        "locks": "its code uses 'lock': TypeError: cannot pickle '_thread.lock' object",
        "logs": "its code uses 'file': PicklingError: Cannot pickle files that are not opened for reading: w",
        "queries": "its code uses 'session': ",
        "joins": "its code uses 'table': ",
        "helped": "its code uses 'helper', which uses 'session': ",
        "given": "its resource 'guard': TypeError: cannot pickle '_thread.lock' object",
        "behind": "its preprocessor 'prepared'",
    }.items():
        assert f"labeling function {name!r} cannot be sent to the executors: {culprit}" in text
    assert "'solid'" not in text
    assert "resources={'name': loaded_once(function)}, and never use the SparkSession there" in text


def test_what_is_loaded_on_the_executors_need_not_travel(spark, labeled):
    lf = labeling_function(name="lf", resources={"lock": loaded_once(lambda: threading.Lock())})(
        lambda x, lock: POSITIVE if lock.acquire(timeout=1) and lock.release() is None else None
    )
    assert labeled(spark.range(2), [lf])[1] == {(0,): [1], (1,): [1]}


def test_a_large_closure_is_warned_of_by_name_and_a_large_resource_is_not(spark, caplog):
    blob = bytes(range(256)) * (5 << 12)

    def function(x):
        return POSITIVE if blob[0] else None

    lfs = [
        labeling_function(name="closure")(function),
        labeling_function(name="resource", resources={"blob": blob})(lambda x, blob: POSITIVE),
    ]
    with caplog.at_level(logging.WARNING, "dp_spark"):
        apply_lfs(spark.range(3), lfs, key=["id"])
    (warning,) = caplog.messages
    assert "labeling function 'closure' is 5.0 MiB large, and goes with every task" in warning
    assert "declare its constants as resources" in warning


@pytest.fixture
def on_the_driver(tmp_path_factory, monkeypatch):
    """Import a module that Python workers have in another version, or not at all -> the driver's module."""

    def run(name, source, on_workers=None, spark=None):
        folder = tmp_path_factory.mktemp("driver")
        (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        module = importlib.import_module(name)
        monkeypatch.setitem(sys.modules, name, module)
        if on_workers is not None:
            other = tmp_path_factory.mktemp("workers")
            (other / f"{name}.py").write_text(on_workers)
            monkeypatch.setitem(spark.sparkContext.environment, "PYTHONPATH", str(other))
        return module

    return run


LFS = """
from dp_spark.labeling.functions import labeling_function

def helper(x):
    return 1

@labeling_function
def lf(x):
    return helper(x)
"""


def test_a_module_that_workers_lack_is_named_with_how_to_ship_it(spark, refused, on_the_driver):
    module = on_the_driver("dp_module_not_there", LFS)
    text = refused(EnvironmentProblem, spark.range(3), [module.lf])
    assert "the Python workers have no module 'dp_module_not_there'" in text
    assert "spark-submit --py-files" in text


def test_a_module_that_workers_have_in_an_older_version_is_named(spark, refused, on_the_driver):
    module = on_the_driver("dp_module_older", LFS, "def helper(x):\n    return 2\n", spark)
    text = refused(EnvironmentProblem, spark.range(3), [module.lf])
    assert "dp_module_older" in text
    assert "version" in text
    assert "spark-submit --py-files" in text


def test_a_resource_that_cannot_be_loaded_names_the_function_whatever_its_budget(spark, refused):
    lf = labeling_function(
        name="weak", max_errors=9, resources={"m": loaded_once(lambda: os.stat("/no/such"))}
    )(lambda x, m: None)
    text = refused(LabelingFunctionError, spark.range(3), [lf])
    assert "labeling function 'weak' could not load its resources: FileNotFoundError" in text
    assert "Is what they are loaded from there on every machine?" in text
