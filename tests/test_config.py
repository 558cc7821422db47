import re
from pathlib import Path
from typing import get_args

import pytest
from least_config import LEAST

from dp_spark.cli import main
from dp_spark.config import EndModelConfig, parse_config, usable_config
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import ConfigError
from dp_spark.label_model.fit import MODELS
from dp_spark.label_model.names import ModelName
from dp_spark.references import import_module, resolve_reference

SPAM = (Path(__file__).parents[1] / "conf" / "spam.toml").read_text()


def problems(text):
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "my.toml")
    return str(caught.value)


def test_the_shipped_configuration_is_read():
    config = parse_config(SPAM, "conf/spam.toml")
    assert config.table.key == ["id"]
    assert config.labeling.module == "dp_spark.examples.spam"
    assert config.training_set.text == "text"
    assert config.end_model.settings().num_epochs == 150


def test_what_is_not_given_has_defaults():
    config = parse_config(LEAST, "my.toml")
    assert (config.labeling.lfs, config.labeling.num_classes, config.label_model.model) == ("LFS", 2, "auto")
    assert (config.table.gold, config.table.test_share, config.training_set.num_shards) == (None, 0.2, None)
    assert config.end_model.settings() == TrainingSettings()


def test_every_setting_of_training_except_the_internal_ones_can_be_configured():
    known = set(EndModelConfig.model_fields)
    assert known == set(TrainingSettings.__dataclass_fields__) - {"num_row_ranges"}


def test_every_label_model_can_be_configured():
    assert set(get_args(ModelName)) == set(MODELS)


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        parse_config(LEAST, "my.toml").output = "elsewhere"


@pytest.mark.parametrize(
    ("section", "key", "known"),
    [
        (
            "[table]",
            "table.kye",
            "cluster, format, generator, gold, key, path, schema, split, test_share (did you mean key?)",
        ),
        (
            "[labeling]",
            "labeling.kye",
            "class_names, lf_timeout_seconds, lfs, max_lf_errors, module, num_classes",
        ),
        (
            "[training_set]",
            "training_set.kye",
            "categories, drop_uncovered, features, min_confidence, num_shards, seed, standardize, text, weight",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_known_ones(section, key, known):
    told = problems(LEAST.replace(section, f"{section}\nkye = 1"))
    assert told == f"my.toml has 1 problem(s):\n  {key}: unknown key; known here: {known}"


def test_an_unknown_section_is_refused_with_the_known_ones():
    told = problems(LEAST + "[label_modle]\nmodel = 'auto'\n")
    known = "end_model, evaluation, label_model, labeling, output, table, tracking, training_set"
    assert f"label_modle: unknown key; known here: {known}" in told


def test_missing_keys_are_named():
    told = problems('[table]\npath = "table"\n[labeling]\n')
    for key in ("output", "table.key", "labeling.module", "training_set"):
        assert f"\n  {key}: missing; it has to be given" in told
    assert told.startswith("my.toml has 4 problem(s):")


LABELING, TRAINING, TEXT = "[labeling]", "[training_set]", 'text = "text"'  # what an edit begins at


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('output = "out"', "output = 3", "output: Input should be a valid string (it is 3)"),
        ('key = ["id"]', 'key = "id"', "table.key: Input should be a valid list (it is 'id')"),
        ('key = ["id"]', "key = []", "table.key: List should have at least 1 item"),
        ('key = ["id"]', "key = [1]", "table.key.0: Input should be a valid string (it is 1)"),
        (
            LABELING,
            f"test_share = 1.5\n{LABELING}",
            "table.test_share: Input should be less than 1 (it is 1.5)",
        ),
        (TRAINING, f"num_classes = 1\n{TRAINING}", "labeling.num_classes: Input should be greater than or"),
        (TRAINING, f"num_classes = true\n{TRAINING}", "num_classes: Input should be a valid integer"),
        (TRAINING, f"[label_model]\nmodel = 'best'\n{TRAINING}", "or 'specific_vote' (it is 'best')"),
        (TEXT, "", "training_set: give features = [columns], text = column or categories = [columns]"),
        (TEXT, f"{TEXT}\nmin_confidence = 2.0", "training_set.min_confidence: Input should be less than or"),
        (TEXT, f'{TEXT}\n[end_model]\nl2 = "0"', "end_model.l2: Input should be a valid number (it is '0')"),
        (TEXT, f"{TEXT}\n[end_model]\nnum_epochs = 0", "end_model: num_epochs is 0"),
    ],
)
def test_wrong_types_and_values_are_named_with_what_was_expected(old, new, told):
    assert LEAST.count(old) == 1
    assert told in problems(LEAST.replace(old, new))


def test_all_problems_are_reported_at_once():
    told = problems(
        LEAST.replace('"out"', "1").replace('module = "my_lfs"', "num_classes = 999").replace("path", "paht")
    )
    assert told.startswith("my.toml has 5 problem(s):")
    for key in ("output", "table.path", "table.paht", "labeling.module", "labeling.num_classes"):
        assert f"\n  {key}: " in told


def test_bad_toml_is_refused_with_its_line():
    told = problems('output = "out"\n[table]\npath = table\n')
    assert told.startswith("my.toml is not valid TOML: ")
    assert "(at line 3, column 8)" in told


def test_a_configuration_file_that_is_not_there_is_named_before_spark_starts(tmp_path, capsys):
    path = tmp_path / "nothing.toml"
    with pytest.raises(SystemExit) as ended:
        main(["run", "--config", str(path)])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert f"ConfigError: --config: {path} is not there. Tried: {path}." in told
    assert f"`spark-submit --files {path}`" in told
    assert "Traceback" not in told


def test_a_bad_configuration_file_ends_a_job_with_exit_code_2(tmp_path, capsys):
    path = tmp_path / "my.toml"
    path.write_text(LEAST + "[end_model]\nepochs = 3\n")
    with pytest.raises(SystemExit) as ended:
        main(["label", "--config", str(path)])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert (
        f"ConfigError: {path} has 1 problem(s):\n  end_model.epochs: unknown key; known here: batch" in told
    )


def test_a_reference_gives_the_object_that_it_names():
    assert resolve_reference("dp_spark.config:parse_config") is parse_config


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("dp_spark.config", "'dp_spark.config' does not name an object: expected 'package.module:name'"),
        (":name", "':name' does not name an object"),
        ("dp_spark.config:", "'dp_spark.config:' does not name an object"),
        (
            "dp_spark.nothing:x",
            "module 'dp_spark.nothing' cannot be imported: No module named .*ship it with",
        ),
        (
            "dp_spark.labeling.votes:spam",
            "'dp_spark.labeling.votes' has no 'spam'; it has: ABSTAIN, .*classes_of",
        ),
    ],
)
def test_a_reference_that_names_nothing_is_refused(reference, message):
    with pytest.raises(ConfigError, match=message):
        resolve_reference(reference)


def test_a_module_that_needs_a_missing_package_names_both(tmp_path, monkeypatch):
    (tmp_path / "needs_a_package.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = "'needs_a_package' cannot be imported, because it imports 'no_such_package'"
    with pytest.raises(ConfigError, match=re.escape(message)):
        import_module("needs_a_package")


def test_a_module_with_a_syntax_error_names_file_and_line(tmp_path, monkeypatch):
    (tmp_path / "does_not_parse.py").write_text("x = 1\ndef f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"'does_not_parse' cannot be .* at .*does_not_parse.py:2"):
        resolve_reference("does_not_parse:f")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('output = "out"', "output = 3", ["output"]),
        ('key = ["id"]', "key = []", ["table.key"]),
        (
            'module = "my_lfs"',
            'module = "my_lfs"\nnum_classes = 1\nclass_names = ["a"]',
            ["labeling.num_classes", "labeling"],
        ),
    ],
)
def test_a_setting_with_a_problem_is_not_missing_too(old, new, where):
    found = usable_config(LEAST.replace(old, new), "my.toml")[1]
    assert sorted(problem.where for problem in found) == sorted(where)
