"""Names of Python objects in text: `package.module:name`, as configuration files write them.

It is also how Spark code reaches TensorFlow code that only its workers may load.
"""

import importlib
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dp_spark.errors import ConfigError, DpSparkError
from dp_spark.held_back import held_back_stderr

_NOT_OF_THE_USER = (
    "<",
    str(Path(__file__).parent),
    *map(sysconfig.get_path, ("stdlib", "purelib", "platlib")),
)
_MAX_CHARACTERS = 300

Argument = TypeVar("Argument")


def resolve_reference(reference: str) -> object:
    """The object that `package.module:name` names.

    Raises:
        ConfigError: if the text has another form, the module cannot be imported, or it has no such name.

    >>> resolve_reference("math:pi")
    3.141592653589793
    """
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise ConfigError(f"{reference!r} does not name an object: expected 'package.module:name'.")
    module = import_module(module_name)
    if not hasattr(module, name):
        known = sorted(n for n in vars(module) if not n.startswith("_"))
        raise ConfigError(f"module {module_name!r} has no {name!r}; it has: {', '.join(known)}.")
    found: object = getattr(module, name)
    return found


def import_module(module_name: str) -> object:
    """The imported module.

    Raises:
        ConfigError: if it, or something that it imports, is not there, or it raises.
    """
    try:
        with held_back_stderr(is_on=module_name.startswith("dp_spark.")):
            return importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name and not f"{module_name}.".startswith(f"{problem.name}."):
            raise ConfigError(
                f"module {module_name!r} cannot be imported, because it imports {problem.name!r}, which is "
                "not there. Install that."
            ) from problem
        raise ConfigError(
            f"module {module_name!r} cannot be imported: {problem}. Install it, run from the folder that "
            "holds it, or ship it with `spark-submit --py-files`."
        ) from problem
    except SyntaxError as problem:
        raise ConfigError(
            f"module {module_name!r} cannot be imported: {problem.msg} at "
            f"{problem.filename}:{problem.lineno}."
        ) from problem
    except DpSparkError:
        raise
    except Exception as problem:  # a module of the user raises what it likes
        raise ConfigError(
            f"module {module_name!r} cannot be imported: {described(problem)}. Correct it."
        ) from problem


def called(function: Callable[[Argument], object], argument: Argument, what: str) -> object:
    """What a function of the user returns.

    Args:
        function: of the user.
        argument: its only one.
        what: how errors call it, such as "labeling.lfs: my_lfs:make".

    Raises:
        ConfigError: if it raises anything but an error of dp_spark.
    """
    try:
        return function(argument)
    except DpSparkError:
        raise
    except Exception as problem:  # the user's function raises what it likes
        raise ConfigError(f"{what} failed: {described(problem)}. Correct it.") from problem


def described(problem: Exception) -> str:
    """What the user's code raised, and the last line of his own that ran: `NameError: ... at lfs.py:12: y = x`."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_OF_THE_USER)]
    first = (str(problem).splitlines() or [""])[0][:_MAX_CHARACTERS].rstrip(".")
    where = f", at {own[-1].filename}:{own[-1].lineno}: {own[-1].line}" if own else ""
    return f"{type(problem).__name__}: {first}{where}"
