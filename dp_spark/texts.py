"""Texts that have to fit, on a terminal as on a page."""

_LONG_SECONDS = 100.0  # from here on without tenths


def shortened(text: str, num_characters: int) -> str:
    """The text, or its beginning and an ellipsis.

    >>> shortened("labeling", 5)
    'labe…'
    """
    return text if len(text) <= num_characters else f"{text[: num_characters - 1]}…"


def counted(number: int, what: str) -> str:
    """A number of things, whose plural ends in s.

    >>> counted(1, "LF"), counted(2000, "LF")
    ('1 LF', '2,000 LFs')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def seconds_text(seconds: float) -> str:
    """A time that functions took.

    >>> seconds_text(0.234), seconds_text(1234.5)
    ('0.2 s', '1,234 s')
    """
    return f"{seconds:,.0f} s" if seconds >= _LONG_SECONDS else f"{seconds:.1f} s"
