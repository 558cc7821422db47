"""What the README and docs/ show works: code runs, configurations are valid, commands and links exist."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from doc_pages import DOCS, PAGES, ROOT, anchors, blocks, commands, links, prose, script

from dp_spark.cli.verbs import dp_spark as dp_spark_command
from dp_spark.config import parse_config
from dp_spark.stages import STAGES

FIRST_PROJECT = DOCS / "first_project.md"  # runs as a whole, in test_first_project.py
WITH_PYTHON = [page for page in PAGES if blocks(page, "python") and page != FIRST_PROJECT]
WITH_TOML = [page for page in PAGES if blocks(page, "toml")]
WITH_COMMANDS = [page for page in PAGES if blocks(page, "sh")]
SMALLEST = {
    "output": "output",
    "table": {"path": "table", "key": ["id"]},
    "labeling": {"module": "my_lfs"},
    "training_set": {"text": "text"},
}
OTHERS = {
    ".",
    "cd",
    "git",
    "kubectl",
    "make",
    "pip",
    "python",
    "python3",
    "unzip",
}  # commands of other programs


def named(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=named(WITH_PYTHON))
def test_the_code_of_a_page_runs(spark, page, tmp_path, monkeypatch):
    file = tmp_path / f"{page.stem}_page.py"
    file.write_text(script(page))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(file), run_name="__main__")  # whose functions travel by value, as those of a job do


def test_pages_have_code():
    assert len(WITH_PYTHON) >= 10
    assert len(WITH_TOML) >= 8
    assert len(WITH_COMMANDS) >= 5


@pytest.mark.parametrize("page", WITH_TOML, ids=named(WITH_TOML))
def test_the_settings_of_a_page_are_valid(page):
    for block in blocks(page, "toml"):
        content = tomllib.loads(block.code)
        given = {**SMALLEST, **{name: value for name, value in content.items() if name in SMALLEST}}
        for name, part in SMALLEST.items():
            if isinstance(part, dict):
                given[name] = {**part, **content.get(name, {})}
        complete = {**content, **given}
        parse_config(as_toml(complete), f"{page.name}:{block.line}")


def as_toml(content: dict[str, object]) -> str:
    """Every part as one inline table: JSON's texts, lists and numbers are TOML's."""
    return "\n".join(f"{name} = {inline(value)}" for name, value in content.items())


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {inline(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=named(WITH_COMMANDS))
def test_the_commands_of_a_page_exist(page):
    for command in commands(page):
        words = shlex.split(command.partition(" > ")[0])
        if words[0] == "dp-spark":
            refuse_unknown(words[1:])
        elif words[0] == "spark-submit":
            refuse_unknown(as_verb(words))
        else:
            assert words[0] in OTHERS, command


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_the_verbs_and_options_that_a_text_names_exist(page):
    for command in re.findall(r"`dp-spark ([a-z][^`]*)`", prose(page)):
        verb, *rest = command.split()
        assert verb in dp_spark_command.commands, command
        options = {name for option in dp_spark_command.commands[verb].params for name in option.opts}
        assert {word for word in rest if word.startswith("--")} - options == set(), command


def as_verb(words: list[str]) -> list[str]:
    """The verb and options of a job that spark-submit is to run."""
    position = next(i for i, word in enumerate(words) if re.search(r"jobs/\w+\.py$", word))
    job = Path(words[position]).stem
    return ["run" if job == "pipeline" else job.replace("_", "-"), *words[position + 1 :]]


def refuse_unknown(arguments: list[str]) -> None:
    """Parse the arguments as the command line does, without doing anything."""
    if arguments in (["--help"], ["--version"]):
        return
    name, command, rest = dp_spark_command.resolve_command(click.Context(dp_spark_command), arguments)
    assert command is not None
    if "--help" not in rest:
        command.make_context(name, rest)


def test_an_unknown_verb_or_option_would_be_found():
    with pytest.raises(click.UsageError, match="rum"):
        refuse_unknown(["rum"])
    with pytest.raises(click.NoSuchOption):
        refuse_unknown(["run", "--overwrit-e"])
    assert as_verb(["spark-submit", "jobs/apply_lfs.py", "--overwrite"]) == ["apply-lfs", "--overwrite"]


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_links_jobs_and_configurations_are_there(page):
    for path, heading in links(page):
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {path}"
        if heading and target.suffix == ".md":
            assert heading in anchors(target), f"{page.name} links to {path}#{heading}"
    text = page.read_text()
    assert not [job for job in re.findall(r"\bjobs/\w+\.py", text) if not (ROOT / job).exists()]
    assert not [file for file in re.findall(r"\bconf/[\w.-]+\w", text) if not (ROOT / file).exists()]
    modules = re.findall(r"`((?:labeling|counting|label_model|labels|end_model|report)/\w+\.py)`", text)
    assert not [module for module in modules if not (ROOT / "dp_spark" / module).exists()]


def test_every_stage_is_named_in_prose():
    text = "".join(prose(page) for page in PAGES)
    assert not [name for name in STAGES if f"`{name}`" not in text]


def test_make_targets_of_pages_exist():
    targets = {
        target for page in PAGES for target in re.findall(r"^make (\w+)", page.read_text(), re.MULTILINE)
    }
    assert {"run", "test"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    assert not [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)]
