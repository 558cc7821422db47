import json

import pytest

from dp_spark.cli.options import Speech
from dp_spark.cli.speak import speak
from dp_spark.commands.outcome import Outcome
from dp_spark.errors import SchemaError
from dp_spark.interruption import Interrupted

JSON = Speech(as_json=True)


def failing():
    raise SchemaError("no column 'id'")


def test_people_get_the_text_and_machines_the_content(capsys):
    outcome = Outcome("3 rows", {"num_rows": 3})
    speak(lambda: outcome, Speech())
    assert capsys.readouterr().out == "3 rows\n"
    speak(lambda: outcome, JSON)
    assert json.loads(capsys.readouterr().out) == {"num_rows": 3}


def test_numbers_that_json_has_no_word_for_become_null(capsys):
    speak(lambda: Outcome("", {"a": [float("nan"), 1.5], "b": {"c": float("inf")}}), JSON)
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": {"c": None}}


def test_what_the_users_code_prints_is_not_among_the_json(capsys):
    def chatty():
        print("hello from a module")
        return Outcome("", {"a": 1})

    speak(chatty, JSON)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"a": 1}
    assert "hello from a module" in said.err


@pytest.mark.parametrize("problem", [OSError("disk full"), Interrupted(2), RuntimeError("a bug")])
def test_whatever_ends_a_verb_is_an_object_for_machines(problem, capsys):
    def ending():
        raise problem

    with pytest.raises((SystemExit, type(problem))):
        speak(ending, JSON)
    assert json.loads(capsys.readouterr().out)["error"]["type"] == type(problem).__name__


def test_an_outcome_that_is_not_good_ends_with_2_after_it_is_said(capsys):
    with pytest.raises(SystemExit) as ended:
        speak(lambda: Outcome("1 problem", {}, is_good=False), Speech())
    assert ended.value.code == 2
    assert capsys.readouterr().out == "1 problem\n"


def test_an_error_is_a_sentence_on_stderr_and_an_object_for_machines(capsys):
    with pytest.raises(SystemExit) as ended:
        speak(failing, JSON)
    assert ended.value.code == SchemaError.exit_code
    said = capsys.readouterr()
    assert json.loads(said.out) == {"error": {"type": "SchemaError", "message": "no column 'id'"}}
    assert said.err.endswith("SchemaError: no column 'id'\n")
