"""What a labeling function is made of, as a digest of its code and constants.

The digest covers the syntax tree of the function (so neither comments nor formatting nor the
docstring), its defaults and closure, the resources, and every global that it uses, also through a
module: constants by value, functions and classes of the user by their own code, those of installed
packages by name.
"""

import ast
import dataclasses
import functools
import hashlib
import inspect
import pickle
import re
import sysconfig
import textwrap
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

import numpy as np

_INSTALLED = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def digest(*values: object) -> str:
    """The sha256, in hex, of values: functions by code, containers by content, sets in sorted order."""
    return hashlib.sha256(_canonical(list(values), frozenset()).encode()).hexdigest()


def function_tree(function: FunctionType) -> ast.FunctionDef | None:
    """The syntax tree of a `def`, or None: a lambda, a function whose source is not at hand, or a wrapped one."""
    if hasattr(function, "__wrapped__"):  # its source would be that of what it wraps
        return None
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    tree = module.body[0] if module.body else None
    return tree if isinstance(tree, ast.FunctionDef) and tree.name == function.__name__ else None


def _canonical(value: object, seen: frozenset[int]) -> str:
    """A text that is equal for equal values, in every process."""
    if id(value) in seen:
        return "recursion"
    seen |= {id(value)}
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes():
            return f"{type(value).__name__}:{value!r}"
        case list() | tuple():
            return f"{type(value).__name__}[{','.join(_canonical(v, seen) for v in value)}]"
        case set() | frozenset():
            return f"set[{','.join(sorted(_canonical(v, seen) for v in value))}]"
        case dict():
            items = sorted(f"{_canonical(k, seen)}={_canonical(v, seen)}" for k, v in value.items())
            return f"dict[{','.join(items)}]"
        case re.Pattern():
            return f"pattern:{value.pattern!r}:{value.flags}"
        case np.ndarray() if value.dtype != object:
            return f"array:{value.dtype}:{value.shape}:{hashlib.sha256(value.tobytes()).hexdigest()}"
        case functools.partial():
            return f"partial:{_canonical((value.func, value.args, value.keywords), seen)}"
        case _:
            return _canonical_code_or_object(value, seen)


def _canonical_code_or_object(value: object, seen: frozenset[int]) -> str:
    match value:
        case ModuleType():
            return f"module:{value.__name__}"
        case MethodType():
            return f"method:{_canonical((value.__func__, value.__self__), seen)}"
        case FunctionType():
            return _canonical_function(value, seen)
        case type():
            return _canonical_class(value)
        case BuiltinFunctionType():
            return f"builtin:{value.__module__}.{value.__qualname__}"
    attributes = getattr(value, "__dict__", {})
    if "__wrapped__" in attributes:  # functools.cache and its like, which pickle by name only
        return f"wrapped:{_canonical(attributes['__wrapped__'], seen)}"
    cls = _canonical_class(type(value))
    if dataclasses.is_dataclass(value):
        content = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return f"{cls}:{_canonical(content, seen)}"
    if attributes and not _is_installed(_source_file(type(value))):
        return f"{cls}:{_canonical(attributes, seen)}"
    try:
        return f"{cls}:{hashlib.sha256(pickle.dumps(value, protocol=4)).hexdigest()}"
    except Exception:  # objects raise what they like when they are pickled; shipping.py then names them
        return f"{cls}:unpicklable"


def _canonical_function(function: FunctionType, seen: frozenset[int]) -> str:
    name = f"{function.__module__}.{function.__qualname__}"
    if _is_installed(function.__code__.co_filename) and not name.startswith("dp_spark."):
        return f"function:{name}"
    tree = function_tree(function)
    code = _canonical_code(function.__code__) if tree is None else _canonical_tree(tree)
    cells = [cell_content(cell) for cell in function.__closure__ or ()]
    parts = (function.__defaults__, function.__kwdefaults__, cells, globals_used(function))
    return f"def:{code}:{_canonical(parts, seen)}"


def _canonical_tree(tree: ast.FunctionDef) -> str:
    body = tree.body
    if ast.get_docstring(tree) is not None:
        body = body[1:]
    return f"{ast.dump(tree.args)}:{[ast.dump(statement) for statement in body]}"


def _canonical_class(cls: type) -> str:
    """A class and its bases: those of the user by their code, others by name."""
    return f"class:{[_class_code(c) for c in cls.__mro__]}"


def _class_code(cls: type) -> str:
    name = f"{cls.__module__}.{cls.__qualname__}"
    ours, is_example = cls.__module__.startswith("dp_spark."), cls.__module__.startswith("dp_spark.examples.")
    if (ours and not is_example) or (not ours and _is_installed(_source_file(cls))):
        return name
    try:
        return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(cls))))
    except (OSError, TypeError, SyntaxError):
        return name


def _source_file(value: type | ModuleType) -> str | None:
    """Where the source is, or None: built in, or typed in."""
    try:
        return inspect.getsourcefile(value)
    except TypeError:
        return None


def _is_installed(source_file: str | None) -> bool:
    return source_file is None or source_file.startswith(_INSTALLED)


def _canonical_code(code: CodeType) -> str:
    constants = [
        _canonical_code(c) if isinstance(c, CodeType) else _canonical(c, frozenset()) for c in code.co_consts
    ]
    return f"{code.co_code.hex()}:{constants}:{code.co_names}:{code.co_varnames}"


def globals_used(function: FunctionType) -> dict[str, object]:
    """The globals that a function names, and what it names of the user's modules among them."""
    names = sorted(set(_names_used(function.__code__)))
    used: dict[str, object] = {}
    waiting: list[tuple[str, dict[str, object]]] = [("", function.__globals__)]
    while waiting:
        place, namespace = waiting.pop()
        for name in names:
            qualified = f"{place}.{name}"
            if name not in namespace or qualified in used:
                continue
            value = used[qualified] = namespace[name]
            if isinstance(value, ModuleType) and is_of_the_user(value):
                waiting.append((value.__name__, vars(value)))
    return used


def is_of_the_user(module: ModuleType) -> bool:
    """Whether a module is neither installed nor built in, so that its code is part of a digest."""
    # dp_spark loads its public names when they are first used: what it holds depends on the moment.
    return module.__name__ != "dp_spark" and not _is_installed(_source_file(module))


def _names_used(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_used(constant)


def cell_content(cell: object) -> object:
    """What a variable of an enclosing function holds; None if nothing yet."""
    try:
        return cell.cell_contents  # type: ignore[attr-defined]
    except ValueError:  # a cell that is not filled yet
        return None
