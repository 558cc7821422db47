"""The reference pages say what the code does: settings, options, names, results, exit codes, messages."""

import json
import re
from types import UnionType
from typing import get_args

import click
import pytest
from doc_pages import DOCS, ROOT, as_pattern, messages, raised, rows, section
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import dp_spark
from dp_spark import errors
from dp_spark.cli.verbs import dp_spark as dp_spark_command
from dp_spark.config import PipelineConfig
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.label_model.fit import MODELS
from dp_spark.stage_names import OWN_NAMES

VERBS = dp_spark_command.commands
SECTIONS = {
    name: model
    for name, field in PipelineConfig.model_fields.items()
    if isinstance(model := field.annotation, type) and issubclass(model, BaseModel)
}
EXIT_CODES = {
    name: error.exit_code
    for name, error in vars(errors).items()
    if isinstance(error, type) and issubclass(error, errors.DpSparkError) and error is not errors.DpSparkError
}
OTHER_PROGRAMS = {"JAVA_HOME is not set", "No space left on device"}  # say this, not dp_spark
FEWEST_WORDS = 4  # a message with fewer of its own cannot be searched for


def default_of(field: FieldInfo) -> str:
    """As the page writes it."""
    if field.is_required():
        return "required"
    if field.default is None:
        return "none"
    return f"`{json.dumps(field.default)}`"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_is_on_the_page_with_its_default(name):
    keys = {
        cells[0].strip("`"): cells[2] for cells in rows(section(DOCS / "configuration.md", f"[{name}]"))
        if len(cells) == 4 and cells[0] != "key"
    }  # fmt: skip
    assert keys == {
        field.alias or key: default_of(field) for key, field in SECTIONS[name].model_fields.items()
    }


def test_types_of_settings_are_those_of_the_page():
    found = rows((DOCS / "configuration.md").read_text())
    kinds = {cells[0].strip("`"): cells[1] for cells in found if len(cells) == 4}
    for model in SECTIONS.values():
        for name, field in model.model_fields.items():
            key = field.alias or name
            if field.annotation is bool:
                assert kinds[key] == "boolean", key
            elif str in (field.annotation, *(get_args(field.annotation) if is_optional(field) else ())):
                assert kinds[key] == "text", key


def is_optional(field: FieldInfo) -> bool:
    return isinstance(field.annotation, UnionType)


def test_every_label_model_is_on_the_page():
    text = section(DOCS / "configuration.md", "[label_model]")
    assert {cells[0].strip('`"') for cells in rows(text) if cells[0].startswith('`"')} == set(MODELS)


def test_every_setting_of_training_is_in_the_configuration_or_fixed():
    settings = set(TrainingSettings.__dataclass_fields__)
    assert settings - set(SECTIONS["end_model"].model_fields) == {"num_row_ranges"}


def test_every_public_name_is_in_the_reference():
    text = (DOCS / "api.md").read_text()
    assert [
        n
        for n in dp_spark.__all__
        if not re.search(rf"^\.\. (?:auto\w+|py:data):: dp_spark\.{n}$", text, re.M)
    ] == []


def test_every_result_is_on_the_page_of_output_files():
    named = set(re.findall(r"`([\w.]+)/?`", (DOCS / "output_files.md").read_text()))
    assert OWN_NAMES - named == set()


def test_exit_codes_are_those_of_the_errors():
    found = {
        name: int(cells[0])
        for cells in rows((DOCS / "exit_codes.md").read_text())
        for name in re.findall(r"`(\w+)`", cells[1])
        if name in EXIT_CODES
    }
    assert found == EXIT_CODES


QUOTED = [
    fragment
    for cells in rows((DOCS / "troubleshooting.md").read_text())
    for fragment in re.findall(r"`([^`]+)`", cells[0])
    if fragment not in OTHER_PROGRAMS
]


def test_messages_that_are_explained_exist():
    known = messages(ROOT / "dp_spark")
    source = "".join(path.read_text() for path in (ROOT / "dp_spark").rglob("*.py"))
    stale = [f for f in QUOTED if f not in source and not any(map(as_pattern(f).search, known))]
    assert stale == []


def test_every_error_is_explained():
    """If this fails, add a row to docs/troubleshooting.md that quotes words of the message."""
    patterns = [as_pattern(fragment) for fragment in QUOTED]
    unexplained = {
        place: text
        for text, place in raised(ROOT / "dp_spark", set(EXIT_CODES)).items()
        if len(re.findall(r"[a-z]{3,}", text)) >= FEWEST_WORDS and not any(p.search(text) for p in patterns)
    }
    assert unexplained == {}


def test_an_error_that_is_not_explained_would_be_found():
    assert as_pattern("failed on ... data points").search(
        "labeling function \0 failed on \0 of \0 data points"
    )
    assert not as_pattern("failed on all of ... data points").search("failed on \0 data points")


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_on_the_page_of_the_command_line(verb):
    """If this fails, run `python docs/command_line.py`."""
    text = " ".join(section(DOCS / "command_line.md", f"dp-spark {verb}").split())
    command = VERBS[verb]
    assert " ".join(command.get_short_help_str(limit=1000).split()) in text
    for option in command.params:
        names = (
            option.opts if isinstance(option, click.Option) else [option.make_metavar(click.Context(command))]
        )
        assert all(name in text for name in names)
        assert without_spaces(getattr(option, "help", "") or "") in without_spaces(text)


def without_spaces(text: str) -> str:
    """How a help is wrapped depends on click's version."""
    return "".join(text.split())


def test_the_page_of_the_command_line_has_no_verb_that_is_not_there():
    titles = re.findall(r"^## dp-spark (\S+)$", (DOCS / "command_line.md").read_text(), re.MULTILINE)
    assert titles == [name for names in dp_spark_command.sections.values() for name in names]
    assert set(titles) == set(VERBS)
