"""Texts that have to fit, on a terminal as on a page."""


def shortened(text: str, num_characters: int) -> str:
    """The text, or its beginning and an ellipsis.

    >>> shortened("labeling", 5)
    'labe…'
    """
    return text if len(text) <= num_characters else f"{text[: num_characters - 1]}…"
