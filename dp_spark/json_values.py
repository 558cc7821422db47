"""Values as JSON has them."""

import math
from collections.abc import Mapping


def finite(value: object) -> object:
    """The value without NaN and infinities, which JSON has no word for: they become None.

    >>> finite({"a": [float("nan"), 1.5]})
    {'a': [None, 1.5]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return value
