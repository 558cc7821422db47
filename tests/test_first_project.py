"""The page "A first project", done as it says: its files written, its commands run, in order."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_pages import DOCS, ROOT, Block, blocks, commands_of

PAGE = DOCS / "first_project.md"
INSTALLING = ("python3 ", ". ", "pip ", "dp-spark --version")  # was done for the tests
SEVERAL = """
import json, sys
from dp_spark.cli import main
for arguments in json.loads(sys.argv[1]):
    print("$ dp-spark", *arguments, flush=True)
    main(arguments)
"""
QUICK = [
    "--set",
    "end_model.num_epochs=1",
    "--set",
    "evaluation.gold_end_model=false",
]  # what follows from labels
TIMEOUT_SECONDS = 900  # for several commands, on a machine that does much else

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder in which the page ended, and what each of its commands printed.

    Commands between two changes of files share a process: starting one takes several seconds.
    """
    place = tmp_path_factory.mktemp("first")
    printed: dict[str, str] = {}
    for step in steps():
        if isinstance(step, Block):
            write(place, step)
        elif step[0].startswith("cd "):
            place = place / step[0].removeprefix("cd ")
        else:
            printed.update(run(step, place))
    return place, printed


def steps() -> Iterator[Block | list[str]]:
    """What the page asks for, in order: files to write, and commands to run between."""
    waiting: list[str] = []
    for block in blocks(PAGE):
        commands = commands_of(block) if block.language == "sh" else []
        for command in commands:
            is_dp_spark = command.startswith("dp-spark ")
            if waiting and not is_dp_spark:
                yield waiting
                waiting = []
            if is_dp_spark and not command.startswith(INSTALLING):
                waiting.append(command)
            elif not command.startswith(INSTALLING):
                yield [command]
        if block.file is not None:
            yield from [waiting] if waiting else []
            yield block
            waiting = []
    yield from [waiting] if waiting else []


def write(place: Path, block: Block) -> None:
    file = place / str(block.file)
    earlier = file.read_text() + "\n\n" if block.is_added else ""
    file.write_text(earlier + block.code)


def run(commands: list[str], place: Path) -> dict[str, str]:
    words = [shlex.split(command) for command in commands]
    if words[0][0] == "python":
        arguments = [sys.executable, *words[0][1:]]
    else:
        arguments = [sys.executable, "-c", SEVERAL, json.dumps([quickly(each[1:]) for each in words])]
    done = subprocess.run(
        arguments, capture_output=True, text=True, cwd=place, timeout=TIMEOUT_SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    parts = done.stdout.split("$ dp-spark ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def quickly(arguments: list[str]) -> list[str]:
    return arguments + QUICK if arguments[0] == "run" else arguments


def metrics(place: Path, name: str) -> dict[str, object]:
    return json.loads((place / "output" / name / "metrics.json").read_text())


def test_the_page_says_what_the_first_run_finds(project):
    place, printed = project
    assert list(printed)[0] == "init my_project"
    assert {"labels", "predictions"} <= set(os.listdir(place / "output" / "first"))
    found = metrics(place, "first")
    assert found["num_data_points"] == 600
    assert round(found["share_covered"], 2) == 0.85
    assert round(found["label_accuracy"], 2) == 0.86
    assert "are not determined" in found["warnings"][0]


def test_the_page_says_what_the_second_run_finds(project):
    found = metrics(project[0], "second")
    assert round(found["share_covered"], 2) == 0.95
    assert round(found["label_accuracy"], 2) == 0.94
    assert found["warnings"] == []
