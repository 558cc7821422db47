"""What a verb found out, the same for people and for machines."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The answer of a verb.

    Attributes:
        text: for a terminal.
        content: the same facts, of types that JSON has; `--json` prints it.
        is_good: whether the process should end with 0; a check that found problems is not good.
    """

    text: str
    content: Mapping[str, object]
    is_good: bool = True
