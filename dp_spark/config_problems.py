"""What is wrong with a configuration, one problem at a time, and what is left of it without that."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

_UNKNOWN, _MISSING = "extra_forbidden", "missing"
_IS_MISSING = "missing; it has to be given"


@dataclass(frozen=True)
class ConfigProblem:
    """One problem.

    Attributes:
        where: the setting, such as "end_model.num_epochs".
        what: is wrong with it, and what to do.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def config_problems(found: ValidationError, model: type[BaseModel]) -> list[ConfigProblem]:
    """The problems that pydantic found, in words that help.

    Args:
        found: what it raised.
        model: of the whole configuration.
    """
    return [_explained(e["loc"], e["type"], e["msg"], e["input"], model) for e in found.errors()]


def new_problems(
    found: ValidationError, model: type[BaseModel], known: Sequence[ConfigProblem]
) -> list[ConfigProblem]:
    """Those of `config_problems` that are not known; a setting left out for its own problem is not missing.

    Args:
        found: as of `config_problems`, of a content that `without_problems` left.
        model: as of `config_problems`.
        known: the problems that were found before.
    """
    left_out = [problem.where for problem in known]
    return [
        problem
        for problem in config_problems(found, model)
        if problem not in known and not (problem.what == _IS_MISSING and _is_above(problem.where, left_out))
    ]


def _is_above(where: str, others: Sequence[str]) -> bool:
    """Whether a setting is, or holds, one of the others."""
    return any(f"{other}.".startswith(f"{where}.") for other in others)


def without_problems(content: Mapping[str, object], found: ValidationError) -> dict[str, object] | None:
    """The content without the settings that have problems, so that the rest can be checked; None if one is missing.

    Args:
        content: of the configuration file.
        found: what pydantic raised about it.
    """
    kept: dict[str, object] = dict(content)
    for error in found.errors():
        if error["type"] == _MISSING:
            return None
        location = [part for part in error["loc"] if isinstance(part, str)]
        for place in _named_in(error["msg"], error["input"], location):
            kept = _without(kept, place)
    return kept


def _named_in(message: str, value: object, location: Sequence[str]) -> list[list[str]]:
    """The settings of a part that a message about the whole part names, as in "seed is -1"; or the whole part."""
    settings = value if isinstance(value, Mapping) else {}
    named = [name for name in settings if re.search(rf"\b{re.escape(name)} (?:is|are|has) ", message)]
    return [[*location, name] for name in named] or [list(location)]


def _without(content: Mapping[str, object], location: Sequence[str]) -> dict[str, object]:
    """The content without the setting there; of a location inside a value (one of several types), without that."""
    name, *inner = location
    value = content.get(name)
    rest = {key: other for key, other in content.items() if key != name}
    if inner and isinstance(value, Mapping) and inner[0] in value:
        return {**rest, name: _without(value, inner)}
    return rest


def _explained(
    location: Sequence[int | str], kind: str, message: str, value: object, model: type[BaseModel]
) -> ConfigProblem:
    name = ".".join(map(str, location))
    if kind == _UNKNOWN:
        known = _known_keys(location[:-1], model)
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return ConfigProblem(name, f"unknown key; known here: {', '.join(known)}{hint}")
    if kind == _MISSING:
        return ConfigProblem(name, _IS_MISSING)
    said = message.removeprefix("Value error, ")
    return ConfigProblem(name, said if isinstance(value, Mapping) else f"{said} (it is {value!r})")


def _known_keys(location: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    for name in location:
        annotation = model.model_fields[str(name)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return sorted(field.alias or name for name, field in model.model_fields.items())
