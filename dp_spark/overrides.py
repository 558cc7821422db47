"""Single settings instead of those of a configuration file: `section.key=value`, as the command line has them."""

import copy
import tomllib
from collections.abc import Mapping, Sequence

from dp_spark.errors import ConfigError


def overridden(content: Mapping[str, object], settings: Sequence[str]) -> dict[str, object]:
    """The content of a configuration with some settings replaced or added.

    Args:
        content: as tomllib reads it.
        settings: "key=value" or "section.key=value" each; the value as TOML has it, or a plain text.

    Raises:
        ConfigError: if a setting has another form, or names a part of what is no section.

    >>> overridden({"end_model": {"model": "mlp"}}, ["end_model.num_epochs=3", "output=out/today"])
    {'end_model': {'model': 'mlp', 'num_epochs': 3}, 'output': 'out/today'}
    """
    changed: dict[str, object] = copy.deepcopy(dict(content))
    for setting in settings:
        name, equals, text = setting.partition("=")
        keys = [key.strip() for key in name.split(".")]
        if not equals or not all(keys):
            raise ConfigError(
                f"--set {setting!r}: expected section.key=value, such as end_model.num_epochs=5."
            )
        place = changed
        for key in keys[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--set {setting!r}: {key} is {inner!r}, not a section.")
            place = inner
        place[keys[-1]] = _value(text.strip())
    return changed


def _value(text: str) -> object:
    """The value of a TOML text; a text that is no TOML value stands for itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
