import pytest
from least_config import LEAST

from dp_spark.config import parse_config
from dp_spark.errors import ConfigError
from dp_spark.overrides import overridden


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("output=out/2026-11-26", {"output": "out/2026-11-26"}),  # no TOML value: a text
        ("end_model.num_epochs=3", {"end_model": {"num_epochs": 3}}),
        ('table.key=["a", "b"]', {"table": {"key": ["a", "b"]}}),
        ("training_set.standardize=true", {"training_set": {"standardize": True}}),
        ("table.path=a=b", {"table": {"path": "a=b"}}),
        ("output=", {"output": ""}),
    ],
)
def test_a_value_is_read_as_toml_has_it(setting, expected):
    assert overridden({}, [setting]) == expected


def test_the_last_of_two_settings_counts_and_the_content_is_left_as_it_was():
    content = {"table": {"path": "a"}}
    assert overridden(content, ["table.path=b", "table.path=c"]) == {"table": {"path": "c"}}
    assert content == {"table": {"path": "a"}}


@pytest.mark.parametrize("setting", ["output", "=3", "a..b=1", "output.x=1"])
def test_a_setting_of_another_form_is_refused(setting):
    with pytest.raises(ConfigError, match=r"--set .*(expected section.key=value|not a section)"):
        overridden({"output": "out"}, [setting])


def test_a_configuration_is_checked_with_its_overrides():
    assert parse_config(LEAST, "my.toml", ["table.test_share=0.5"]).table.test_share == 0.5
    with pytest.raises(ConfigError, match="table.test_shar: unknown key; known here: .*test_share"):
        parse_config(LEAST, "my.toml", ["table.test_shar=0.5"])
