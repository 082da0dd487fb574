"""Loops over constants that are no values while a script runs: patterns, networks, rows of
different shapes. Their body is compiled once for each item, with the item in place of the name."""

import ast
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.flow import assigned
from zeroserve.compiler.scope import has_no_words, type_of

MAX_ITEMS = 64
"""Copies of a body: each is code of its own."""


def is_needed(value: Any) -> bool:
    """Whether a constant can only be gone through in this way."""
    if not isinstance(value, tuple | list) or not 1 <= len(value) <= MAX_ITEMS:
        return False
    try:
        return has_no_words(type_of(list(value)))
    except Refusal:  # items of different types
        return True


def is_simple(body: Sequence[ast.stmt], names: set[str]) -> bool:
    """Whether a body can be written several times: it neither ends the loop nor sets its names."""
    if assigned(list(body)) & names:
        return False
    return not any(_leaves(node) for node in body)


def _leaves(node: ast.stmt) -> bool:
    """Whether ``break`` or ``continue`` in a statement means the loop around it."""
    if isinstance(node, ast.Break | ast.Continue):
        return True
    if isinstance(node, ast.For | ast.While):
        return any(_leaves(part) for part in node.orelse)
    return (
        any(_leaves(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt))
        or (
            isinstance(node, ast.Match)
            and any(_leaves(part) for case in node.cases for part in case.body)
        )
        or (
            isinstance(node, ast.Try)
            and any(_leaves(part) for handler in node.handlers for part in handler.body)
        )
    )


def names_of(target: ast.expr) -> set[str]:
    """The names that a target sets."""
    return {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}


def bind(target: ast.expr, value: Any) -> dict[str, Any] | None:
    """What the names of a target mean for one item; None when it does not fit."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple) or not isinstance(value, tuple | list):
        return None
    if len(target.elts) != len(value):
        return None
    found: dict[str, Any] = {}
    for part, item in zip(target.elts, value, strict=True):
        bound = bind(part, item)
        if bound is None:
            return None
        found |= bound
    return found


class _Replace(ast.NodeTransformer):
    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.values:
            return node
        return ast.copy_location(ast.Constant(self.values[node.id]), node)


def replaced(node: Any, values: dict[str, Any]) -> Any:
    """A copy of a statement or expression with values in place of names."""
    return _Replace(values).visit(deepcopy(node))


def quantified(node: ast.Call, name: str, each: Sequence[dict[str, Any]]) -> ast.expr:
    """``any(...)`` and ``all(...)`` of a generator expression, written out."""
    generator = node.args[0]
    assert isinstance(generator, ast.GeneratorExp)
    tests = generator.generators[0].ifs
    parts: list[ast.expr] = []
    for values in each:
        element = replaced(generator.elt, values)
        conditions = [replaced(test, values) for test in tests]
        if name == "any":
            parts.append(_chain(ast.And(), [*conditions, element]))
        elif conditions:
            other = ast.UnaryOp(ast.Not(), _chain(ast.And(), conditions))
            parts.append(_chain(ast.Or(), [other, element]))
        else:
            parts.append(element)
    test = _chain(ast.Or() if name == "any" else ast.And(), parts)
    made = ast.IfExp(test, ast.Constant(True), ast.Constant(False))
    for part in ast.walk(made):
        if not hasattr(part, "lineno"):
            ast.copy_location(part, node)
    return made


def _chain(op: ast.boolop, parts: list[ast.expr]) -> ast.expr:
    return parts[0] if len(parts) == 1 else ast.BoolOp(op, parts)
