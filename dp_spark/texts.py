"""Texts that have to fit, on a terminal as on a page."""


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
