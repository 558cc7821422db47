"""Which columns a function of the user reads, told from its source: the others need not be read from storage."""

import ast
from types import FunctionType

from dp_spark.labeling.content_hash import cell_content, function_tree

_Columns = set[str] | None  # None: that can't be told


def columns_read(function: object, *, attributes: bool = True) -> tuple[str, ...] | None:
    """The columns that a function reads of its first argument, sorted, or None if that can't be told.

    It can be told if the source is at hand and the argument is used only as `x.column`,
    `x["column"]` or `getattr(x, "column")`, or is handed to functions of which it can be told.

    Args:
        function: of the user.
        attributes: whether an attribute of the argument is a column; not so for a pandas DataFrame.
    """
    tree = function_tree(function) if isinstance(function, FunctionType) else None
    if tree is None or not isinstance(function, FunctionType) or not _positional(tree):
        return None
    columns = _Reader(attributes).columns_of(function, tree, _positional(tree)[0])
    return None if columns is None else tuple(sorted(columns))


class _Reader:
    """Follows an argument through functions that call each other."""

    def __init__(self, attributes: bool) -> None:
        self._attributes = attributes
        self._seen: set[tuple[FunctionType, str]] = set()

    def columns_of(self, function: FunctionType, tree: ast.FunctionDef, argument: str) -> _Columns:
        """The columns that `function` reads of the argument of that name."""
        if (function, argument) in self._seen:  # a recursion: what it reads is counted already
            return set()
        self._seen.add((function, argument))
        if sum(isinstance(n, ast.arg) and n.arg == argument for n in ast.walk(tree)) > 1:
            return None  # an inner function calls something else by the same name
        columns: set[str] = set()
        understood: set[int] = set()
        for node in ast.walk(tree):
            column = _column_of(node, argument)
            if column is not None and (self._attributes or isinstance(node, ast.Subscript)):
                columns.add(column[0])
                understood.add(id(column[1]))
            elif isinstance(node, ast.Call):
                for mention, found in self._handed_on(function, node, argument):
                    columns |= found
                    understood.add(id(mention))
        mentions = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == argument)
        return columns if all(id(n) in understood for n in mentions) else None

    def _handed_on(
        self, function: FunctionType, call: ast.Call, argument: str
    ) -> list[tuple[ast.Name, set[str]]]:
        """Where a call is given the argument itself, and the columns that the called function reads of it."""
        called = _named(function, call.func)
        tree = function_tree(called) if called is not None else None
        if called is None or tree is None:
            return []
        names = _positional(tree)
        starred = next((i for i, a in enumerate(call.args) if isinstance(a, ast.Starred)), len(call.args))
        given = list(zip(names, call.args[:starred], strict=False))
        by_name = {*names, *(a.arg for a in tree.args.kwonlyargs)}
        given += [(k.arg, k.value) for k in call.keywords if k.arg in by_name]
        handed = []
        for name, value in given:
            if isinstance(value, ast.Name) and value.id == argument:
                found = self.columns_of(called, tree, name)
                if found is not None:
                    handed.append((value, found))
        return handed


def _named(function: FunctionType, node: ast.expr) -> FunctionType | None:
    """The function of the user that a name stands for in the code of another one."""
    code = function.__code__
    if not isinstance(node, ast.Name) or node.id in (*code.co_varnames, *code.co_cellvars):
        return None
    if node.id in code.co_freevars:
        value = cell_content((function.__closure__ or ())[code.co_freevars.index(node.id)])
    else:
        value = function.__globals__.get(node.id)
    return value if isinstance(value, FunctionType) else None


def _positional(tree: ast.FunctionDef) -> list[str]:
    return [a.arg for a in tree.args.posonlyargs + tree.args.args]


def _column_of(node: ast.AST, argument: str) -> tuple[str, ast.expr] | None:
    """The column that this node reads of the argument, and the node that mentions it."""
    match node:
        case ast.Attribute(value=ast.Name(id=name) as mention, attr=column, ctx=ast.Load()):
            pass
        case ast.Subscript(
            value=ast.Name(id=name) as mention, slice=ast.Constant(value=str() as column), ctx=ast.Load()
        ):
            pass
        case ast.Call(
            func=ast.Name(id="getattr"),
            args=[ast.Name(id=name) as mention, ast.Constant(value=str() as column), *_],
        ):
            pass
        case _:
            return None
    return (column, mention) if name == argument else None
