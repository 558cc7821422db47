import os
import subprocess
import sys
from pathlib import Path

import pytest

from dp_spark.environment import java_problem, python_problem
from dp_spark.errors import EnvironmentProblem
from dp_spark.session import spark_session

REPOSITORY = Path(__file__).parents[1]
FIX = "install it (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME to where it is."
VERSIONS = {
    8: 'java version "1.8.0_402"',
    11: 'openjdk version "11.0.22" 2024-01-16',
    17: 'openjdk version "17.0.10" 2024-01-16',
    21: 'openjdk version "21-ea" 2023-09-19',
}


@pytest.fixture
def java(tmp_path):
    """A script called java that tells what it is told to tell, in a directory of its own."""

    def make(told, name="here", exit_code=0):
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        script = home / "bin" / "java"
        script.write_text(f"#!/bin/sh\necho '{told}' >&2\nexit {exit_code}\n")
        script.chmod(0o755)
        return home

    return make


def on_path(home):
    return {"PATH": str(home / "bin")}


@pytest.mark.parametrize("version", [17, 21])
def test_java_17_and_newer_are_no_problem(java, version):
    assert java_problem(on_path(java(VERSIONS[version]))) is None


@pytest.mark.parametrize("version", [8, 11])
def test_an_older_java_is_named_with_its_version_and_the_fix(java, version):
    home = java(VERSIONS[version])
    expected = f"{home}/bin/java is Java {version}: Spark needs Java 17 or newer; {FIX}"
    assert java_problem(on_path(home)) == expected


def test_what_java_tells_before_its_version_does_not_matter(java):
    home = java(f"Picked up JAVA_TOOL_OPTIONS: -Xmx4g\n{VERSIONS[17]}")
    assert java_problem(on_path(home)) is None


@pytest.mark.parametrize("environ", [{}, {"PATH": ""}, {"PATH": "/nowhere"}])
def test_a_missing_java_is_said_with_the_fix(environ, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java_problem(environ) == f"Java was not found: Spark needs Java 17 or newer; {FIX}"


def test_a_java_that_does_not_tell_its_version_is_named(java):
    home = java("Error: could not find libjava.so", exit_code=2)
    assert java_problem(on_path(home)) == (
        f"{home}/bin/java did not tell its version: Spark needs Java 17 or newer; {FIX}"
    )


def test_java_home_wins_over_the_path(java):
    new, old = java(VERSIONS[17], "new"), java(VERSIONS[8], "old")
    assert java_problem({**on_path(old), "JAVA_HOME": str(new)}) is None
    assert f"{old}/bin/java is Java 8" in java_problem({**on_path(new), "JAVA_HOME": str(old)})


def test_a_java_home_without_java_is_missing_whatever_is_on_the_path(java, tmp_path):
    told = java_problem({**on_path(java(VERSIONS[17])), "JAVA_HOME": str(tmp_path)})
    assert told.startswith("Java was not found")


def test_an_old_python_is_named_with_the_fix():
    assert python_problem((3, 11)) is None
    assert python_problem((4, 0)) is None
    told = python_problem((3, 9))
    assert told.startswith("Python 3.9 is too old: dp_spark needs Python 3.11 or newer")
    assert "PYTHON=python3.11" in told


def without_java(tmp_path):
    environment = {n: v for n, v in os.environ.items() if n not in {"JAVA_HOME", "PYSPARK_GATEWAY_PORT"}}
    return {**environment, "PATH": str(tmp_path)}


def run(arguments, environment):
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_check_ends_with_2_and_one_sentence_without_java(tmp_path):
    done = run(["-m", "dp_spark.environment"], without_java(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"dp_spark: Java was not found: Spark needs Java 17 or newer; {FIX}\n"


def test_the_check_says_nothing_where_all_is_well(java, tmp_path):
    home = java(VERSIONS[17])
    done = run(["-m", "dp_spark.environment"], {**without_java(tmp_path), "JAVA_HOME": str(home)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_job_without_java_ends_with_2_and_one_sentence_before_anything_else(tmp_path):
    done = run(["jobs/tutorial.py", "--output", str(tmp_path / "out")], without_java(tmp_path))
    assert done.returncode == 2
    sentence = f"EnvironmentProblem: Java was not found: Spark needs Java 17 or newer; {FIX}"
    assert done.stderr.splitlines()[-1] == sentence
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_session_is_refused_where_java_is_too_old(java, monkeypatch):
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("JAVA_HOME", str(java(VERSIONS[11])))
    with pytest.raises(EnvironmentProblem, match="is Java 11: Spark needs Java 17"):
        spark_session("refused")
