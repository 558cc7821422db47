import ast
import re
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import click
import pytest

from dp_spark.cli.group import VerbGroup
from dp_spark.cli.run_verbs import STAGE_HELP
from dp_spark.cli.verbs import dp_spark, main
from dp_spark.references import resolve_reference
from dp_spark.stages import STAGES
from dp_spark.synthetic import SyntheticTask
from dp_spark.tutorial import TRAINING, Tutorial

REPOSITORY = Path(__file__).parents[2]


def help_of(capsys, *verb):
    main([*verb, "--help"])
    return capsys.readouterr().out


def test_every_verb_is_in_one_section_of_the_help(capsys):
    listed = [name for names in VerbGroup.sections.values() for name in names]
    assert sorted(listed) == sorted(dp_spark.commands)
    shown = help_of(capsys)
    assert all(f"\n  {name} " in shown for name in listed)


def test_every_stage_is_a_verb():
    assert [*STAGE_HELP, "report"] == list(STAGES)


@pytest.mark.parametrize("verb", sorted(dp_spark.commands))
def test_every_verb_and_every_option_of_it_has_help(verb, capsys):
    command = dp_spark.commands[verb]
    assert command.get_short_help_str(100)
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []
    shown = help_of(capsys, verb)
    assert all(option.opts[-1] in shown for option in options)


def test_what_a_verb_loads_is_there_and_takes_what_the_verb_gives():
    """References to functions are texts, so that help loads nothing: each names something."""
    texts = {
        node.value
        for path in (REPOSITORY / "dp_spark" / "cli").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    references = sorted(text for text in texts if re.fullmatch(r"dp_spark\.[\w.]+:\w+", text))
    assert "dp_spark.cli.actions:run_all" in references
    assert "dp_spark.commands.diff:diff" in references
    assert all(callable(resolve_reference(reference)) for reference in references)


def test_help_loads_nothing_but_click():
    """Which is why it answers in a tenth of a second."""
    code = "import sys; from dp_spark.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert loaded & {"click", "dp_spark"} == {"click", "dp_spark"}
    assert (
        loaded & {"numpy", "pydantic", "pyarrow", "pandas", "pyspark", "tensorflow", "matplotlib", "tqdm"}
        == set()
    )


def test_the_tutorials_options_have_the_defaults_of_its_task():
    given = {option.name: option.default for option in dp_spark.commands["tutorial"].params}
    task = asdict(SyntheticTask())
    names = ("n", "m", "d", "coverage", "accuracies", "feature_accuracies", "positive_share", "seed")
    assert {f.name: given[n] for f, n in zip(fields(SyntheticTask), names, strict=True)} == task
    assert given["workers"] == TRAINING.num_workers
    assert given["max_training_rows"] == Tutorial.max_training_rows


def test_the_version_is_that_of_the_package(capsys):
    main(["--version"])
    assert capsys.readouterr().out.startswith("dp-spark, version 0.")


def test_without_a_verb_the_help_is_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "dp-spark init my_project" in capsys.readouterr().err
