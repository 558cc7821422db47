"""The parameters that the functions of a user must have."""

import inspect
from collections.abc import Callable, Mapping


def refuse_other_parameters(
    who: str, function: Callable[..., object], resources: Mapping[str, object], shown: str = "data point"
) -> None:
    """Refuse a function that does not take one thing to look at and every resource by its name.

    Args:
        who: what the error calls the function.
        function: of the user.
        resources: declared for it, by name.
        shown: what it looks at.

    Raises:
        ValueError: naming the parameters and the resources.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(object(), **resources)
    except TypeError as problem:
        raise ValueError(
            f"{who} has the parameters {signature} and the resources {sorted(resources)}: {problem}. "
            f"Expected one parameter for the {shown} and one keyword parameter for each resource."
        ) from problem
