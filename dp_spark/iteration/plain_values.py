"""Values of rows as JSON has them, and as a terminal shows them."""

from collections.abc import Mapping
from datetime import date, datetime

from dp_spark.texts import shortened

MAX_CHARACTERS = 200  # of a value, on a terminal


def plain(value: object) -> object:
    """The value of a column in types that JSON has; of bytes their hexadecimal digits, of other things their text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if abs(value) < float("inf") else str(value)  # JSON has no NaN
        case date() | datetime():
            return value.isoformat()
        case bytes() | bytearray():
            return value.hex()
        case Mapping():
            return {str(name): plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return str(value)


def on_one_line(value: object) -> str:
    """The value on one line, cut off after MAX_CHARACTERS."""
    return shortened(" ".join(str(value).split()), MAX_CHARACTERS)


def key_text(key: Mapping[str, object]) -> str:
    """A key as texts name it, and as it can be typed: "id=7, day=2024-01-01"."""
    return ", ".join(f"{name}={plain(value)}" for name, value in key.items())
