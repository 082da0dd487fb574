"""Lists that grow: variables that begin as ``[]`` and have things appended.

To the server a list is an address and a number of items, and a variable that grows gets another
such word. In CPython all names of a list see it grow, so here it may have one name only.
"""

import ast
from collections.abc import Callable

from zeroserve.compiler.diagnostics import Refusal

DUMPS = "json.dumps"
READERS = frozenset(
    f"builtins.{name}"
    for name in ("len", "enumerate", "zip", "reversed", "any", "all", "sum", "min", "max")
) | {"join", DUMPS}
"""Functions and methods that look at a list and keep nothing of it."""


def names(body: list[ast.stmt]) -> set[str]:
    """Variables to which something is appended."""
    return {
        node.value.func.value.id
        for stmt in body
        for node in ast.walk(stmt)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr == "append"
        and isinstance(node.value.func.value, ast.Name)
    }


def require_one_name(
    function: ast.FunctionDef, name: str, called: Callable[[ast.expr], str | None]
) -> None:
    """Raises ``Refusal`` where a list that grows may get a second name.

    ``called`` says which function of Python's is called, or ``join``.
    """
    parents = {
        child: parent for parent in ast.walk(function) for child in ast.iter_child_nodes(parent)
    }
    for node in ast.walk(function):
        if not isinstance(node, ast.Name) or node.id != name:
            continue
        if isinstance(node.ctx, ast.Store):
            if not _begins(parents[node]):
                raise Refusal(
                    node, f"{name} grows, and is more than []", "begin with [] and append to it"
                )
        elif not _reads(node, parents, called):
            raise Refusal(
                node,
                f"{name} grows, and may get a second name here",
                "go through it, index it, give it to len(), join() or json.dumps(), or return it",
            )
    for loop in ast.walk(function):
        if (
            isinstance(loop, ast.For)
            and any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(loop.iter))
            and name in names(loop.body)
        ):
            raise Refusal(loop, f"{name} grows while it is gone through", "append to another list")


def _begins(parent: ast.AST) -> bool:
    if isinstance(parent, ast.Assign):
        alone = len(parent.targets) == 1
        return alone and isinstance(parent.value, ast.List) and not parent.value.elts
    if isinstance(parent, ast.AnnAssign):
        value = parent.value
        return value is None or (isinstance(value, ast.List) and not value.elts)
    return False


def _reads(
    node: ast.expr, parents: dict[ast.AST, ast.AST], called: Callable[[ast.expr], str | None]
) -> bool:
    child: ast.AST = node
    parent = parents[node]
    while isinstance(parent, ast.Dict | ast.List | ast.Tuple):
        child, parent = parent, parents[parent]
    if isinstance(parent, ast.Call):
        known = called(parent.func) if child in parent.args else None
        return known == DUMPS or (known in READERS and child is node)
    if child is not node:
        return False
    while isinstance(parent, ast.BoolOp):
        child, parent = parent, parents[parent]
    if child is not node:
        return isinstance(parent, ast.UnaryOp) or (
            isinstance(parent, ast.If | ast.While | ast.IfExp) and parent.test is child
        )
    match parent:
        case ast.Attribute(attr="append"):
            call = parents[parent]
            return isinstance(call, ast.Call) and isinstance(parents[call], ast.Expr)
        case ast.For(iter=found) | ast.comprehension(iter=found):
            return found is node
        case ast.Subscript(value=found):
            return found is node
        case ast.If(test=found) | ast.While(test=found) | ast.IfExp(test=found):
            return found is node
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[found]):
            return found is node
        case ast.UnaryOp(op=ast.Not()) | ast.Return():
            return True
    return False
