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
TIMEOUT_SECONDS = 600


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
        arguments = [sys.executable, "-c", SEVERAL, json.dumps([each[1:] for each in words])]
    done = subprocess.run(
        arguments, capture_output=True, text=True, cwd=place, timeout=TIMEOUT_SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    parts = done.stdout.split("$ dp-spark ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def test_what_the_page_names_is_there(project):
    place, printed = project
    for run_name in ("first", "second"):
        output = place / "output" / run_name
        assert {"labels", "predictions", "metrics.json"} <= set(os.listdir(output))
    metrics = json.loads((place / "output" / "first" / "metrics.json").read_text())
    assert metrics["num_data_points"] == 600
    assert metrics["num_lfs"] == 3
    assert metrics["label_accuracy"] > 0.75
    assert list(printed)[0] == "init my_project"


def test_the_second_try_covers_more(project):
    place, _ = project
    first, second = (
        json.loads((place / "output" / name / "metrics.json").read_text()) for name in ("first", "second")
    )
    assert second["num_lfs"] == 4
    assert second["share_covered"] > first["share_covered"]
    assert second["label_accuracy"] > first["label_accuracy"]
