"""The wheel and the zip for --py-files, as they are built and where they are installed: files, types, commands."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pyspark
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dp_spark"
SPARK_HOME = Path(pyspark.__file__).parent
WITHOUT_INDEX = (
    "No matching distribution found for hatchling",
    "Could not find a version",
    "ConnectionError",
)

USER_SCRIPT = """
import numpy as np
import dp_spark

counts = dp_spark.VoteCounts.from_votes(np.array([[1, 1], [1, -1]], dtype=np.int8))
model = dp_spark.fit_label_model(counts, "majority_vote")
probability: float = float(model.predict_proba(np.array([[1, 0]], dtype=np.int8))[0, 1])
names: tuple[str, ...] = model.lf_names
"""
WRONG_SCRIPT = """
import dp_spark

dp_spark.fit_label_model(3)
settings = dp_spark.TrainingSettings(num_epochs="many")
"""
JOB = """
import importlib.resources, json
import dp_spark
from dp_spark.session import spark_session

def data(package="dp_spark"):
    waiting, found = [importlib.resources.files(package)], {}
    while waiting:
        for place in waiting.pop().iterdir():
            if place.is_dir():
                waiting.append(place)
            elif not place.name.endswith((".py", ".pyc")):
                found[place.name] = len(place.read_bytes())
    return found

def on_executor(_):
    import dp_spark.labeling.apply
    yield dp_spark.labeling.apply.__file__, data()

@dp_spark.labeling_function
def odd(x):
    return 1 if x.id % 2 else None

spark = spark_session("zip")
matrix = dp_spark.apply_lfs(spark.range(4), [odd], key=["id"])
votes = [row.odd for row in matrix.columns().orderBy("id").collect()]
((file, read),) = spark.sparkContext.parallelize([0], 1).mapPartitions(on_executor).collect()
print(json.dumps({"driver": dp_spark.__file__, "executor": file, "data": [data(), read], "votes": votes}))
"""


def files_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """What `make dist` builds."""
    place = tmp_path_factory.mktemp("dist") / "dist"
    command = ["make", "dist", f"DIST={place}", f"BUILD={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if any(text in done.stdout + done.stderr for text in WITHOUT_INDEX):
        pytest.skip("hatchling, which builds wheels, can be fetched from no package index here")
    assert done.returncode == 0, done.stderr
    return place


def fresh_python(place):
    """The Python of a new environment that has the packages of this one, but not dp_spark."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=120)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(
        sysconfig.get_paths()["purelib"] + "\n"
    )  # whose own .pth files don't count
    return place / "bin" / "python"


def bare_environment(python):
    ours = ("SPARK_", "PYSPARK_", "PYTHONPATH")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**inherited, "SPARK_HOME": str(SPARK_HOME), "PYSPARK_PYTHON": str(python)}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    place = tmp_path_factory.mktemp("bare")
    python = fresh_python(place / "venv")
    known = subprocess.run(
        [python, "-c", "import dp_spark"],
        cwd=place,
        env=bare_environment(python),
        capture_output=True,
        check=False,
    )
    if known.returncode == 0:
        pytest.skip("dp_spark is installed here for good: there is no environment without it")
    return python


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    python = fresh_python(tmp_path_factory.mktemp("installed") / "venv")
    (wheel,) = dist.glob("*.whl")
    options = ["--quiet", "--no-deps", "--no-index", "--ignore-installed"]
    command = [sys.executable, "-m", "pip", "--python", python, "install", *options, wheel]
    subprocess.run(command, check=True, timeout=120)
    return python


@pytest.mark.slow
def test_wheel_and_zip_hold_every_file_of_the_package_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    expected = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "dp_spark/py.typed" in expected
    for archive in (wheel, dist / "dp_spark.zip"):
        found = files_of(archive)
        assert {name: content for name, content in found.items() if ".dist-info/" not in name} == expected


@pytest.mark.slow
def test_a_wheel_in_a_fresh_environment_gives_the_command(installed, tmp_path):
    done = subprocess.run(
        [installed.with_name("dp-spark"), "--help"],
        cwd=tmp_path, env=bare_environment(installed), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "dp-spark" in done.stdout
    assert "fit-label-model" in done.stdout


@pytest.mark.slow
def test_a_strict_type_checker_sees_the_types_of_the_installed_package(installed, tmp_path):
    (tmp_path / "right.py").write_text(USER_SCRIPT)
    (tmp_path / "wrong.py").write_text(WRONG_SCRIPT)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        installed,
        "right.py",
        "wrong.py",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path, env=bare_environment(installed), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, done.stdout
    assert errors[0].startswith("wrong.py:4: ")
    assert 'incompatible type "int"; expected "VoteCounts"' in errors[0]
    assert errors[1].startswith("wrong.py:5: ")


@pytest.mark.slow
def test_the_zip_runs_under_spark_submit_where_the_package_is_not_installed(dist, bare, tmp_path):
    (tmp_path / "job.py").write_text(JOB)
    command = [SPARK_HOME / "bin" / "spark-submit", "--master", "local-cluster[1,1,700]"]
    command += ["--conf", "spark.executor.memory=700m", "--conf", "spark.ui.enabled=false"]
    done = subprocess.run(
        [*command, "--py-files", dist / "dp_spark.zip", "job.py"],
        cwd=tmp_path, env=bare_environment(bare), capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert "/dp_spark.zip/dp_spark/__init__.py" in told["driver"]
    assert "/dp_spark.zip/dp_spark/labeling/apply.py" in told["executor"]
    expected = {
        path.name: path.stat().st_size
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert told["data"] == [expected, expected]
    assert told["votes"] == [0, 1, 0, 1]
