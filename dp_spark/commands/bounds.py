"""How much a verb may bring to the driver."""


def refuse_bad_maximum(name: str, value: int, most: int, *, least: int = 0) -> None:
    """Refuse a number of rows to show that is too small, or too large to come to the driver.

    Args:
        name: of the argument.
        value: what was given.
        most: the largest number allowed.
        least: the smallest.

    Raises:
        ValueError: naming the argument and its range.
    """
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}: expected {least} to {most}, since so much comes to the driver.")
