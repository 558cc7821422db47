"""Whether executors have the same version of the user's modules as the driver.

A labeling function travels with its own code, but a helper function that it imports from a module is
imported again on the executors, from whatever version of the module is there.
"""

import hashlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from types import FunctionType, ModuleType

from dp_spark.errors import EnvironmentProblem
from dp_spark.labeling.content_hash import cell_content, globals_used, is_of_the_user
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.rules import BatchRule, RowRule


def module_digests(lfs: Sequence[LabelingFunction]) -> dict[str, str]:
    """The sha256 of the source of each module of the user that labeling functions of Python use, by name."""
    functions: list[object] = []
    for lf in lfs:
        if isinstance(lf.rule, (RowRule, BatchRule)):
            functions.append(lf.rule.function)
        functions += [p.function for p in lf.preprocessors]
    names = {name for function in functions for name in _modules_of(function)}
    digests = {name: _digest(sys.modules.get(name)) for name in sorted(names)}
    return {name: digest for name, digest in digests.items() if digest is not None}


def refuse_other_modules(digests: Mapping[str, str]) -> None:
    """Refuse modules that this process has imported and whose source is another one than on the driver.

    Args:
        digests: from `module_digests`, on the driver.

    Raises:
        EnvironmentProblem: naming them.
    """
    here = {name: _digest(sys.modules.get(name)) for name in digests}
    other = [name for name, digest in digests.items() if here[name] not in (None, digest)]
    if other:
        files = ", ".join(f"{name} ({sys.modules[name].__file__})" for name in other)
        raise EnvironmentProblem(
            f"modules on an executor are not of the driver's version: {files}. Expected the same files everywhere. "
            "Install the driver's version there, or ship it with `spark-submit --py-files`."
        )


def _modules_of(function: object) -> set[str]:
    if not isinstance(function, FunctionType):
        return set()
    cells = [cell_content(cell) for cell in function.__closure__ or ()]
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    used = [*globals_used(function).values(), *cells, *defaults]
    modules = [value for value in used if isinstance(value, ModuleType)]
    homes = [sys.modules.get(getattr(value, "__module__", None) or "") for value in (function, *used)]
    return {
        m.__name__
        for m in (*modules, *homes)
        if m is not None and is_of_the_user(m) and m.__name__ != "__main__"
    }


def _digest(module: ModuleType | None) -> str | None:
    """The digest of a module's source, or None: not imported here, or without source."""
    if module is None:
        return None
    try:
        return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()
    except (OSError, TypeError):
        return None
