"""Annotations and defaults that CPython evaluates while it imports a module.

It stops there when a name is not there yet, or a type does not do what is asked of it: so the
expression is evaluated here as well, with the types that it names and nothing else.
"""

import ast
import builtins
import importlib
import operator
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from zeroserve.compiler.bindings import (
    Binding,
    Constant,
    Failed,
    Library,
    ModuleDecl,
    RecordDecl,
)
from zeroserve.compiler.diagnostics import Refusal

if TYPE_CHECKING:
    from zeroserve.compiler.scope import Scope

LAZY = "from __future__ import annotations"
_HINT = f"write all of it as a text, or begin with: {LAZY}"


def is_lazy(module: ast.Module) -> bool:
    """Whether annotations of a module are kept as texts."""
    return any(
        isinstance(stmt, ast.ImportFrom)
        and stmt.module == "__future__"
        and any(alias.name == "annotations" for alias in stmt.names)
        for stmt in module.body
    )


def check_function(scope: "Scope", node: ast.FunctionDef) -> None:
    """What is evaluated when a function is defined: its defaults, then its annotations."""
    args = node.args
    for default in (*args.defaults, *args.kw_defaults):
        if default is not None:
            _check_names(scope, default)
    if not scope.is_lazy:
        for arg in (*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg):
            if arg is not None and arg.annotation is not None:
                check_annotation(scope, arg.annotation)
        if node.returns is not None:
            check_annotation(scope, node.returns)


def check_field(scope: "Scope", node: ast.AnnAssign, before: Collection[str]) -> None:
    """``before``: fields with a default, which are names of the class by now."""
    for part in (*ast.walk(node.annotation), *(ast.walk(node.value) if node.value else ())):
        if isinstance(part, ast.Name) and part.id in before:
            raise Refusal(
                part, f"the name of a field with a default: {part.id}", "use another name"
            )
    check_annotation(scope, node.annotation)


def check_annotation(scope: "Scope", node: ast.expr) -> None:
    """Refuses what CPython can't evaluate at this place of the module."""
    if scope.is_lazy:
        return
    try:
        _value(scope, node)
    except _NoSuchNameError:
        return  # which others say
    except (Refusal, RecursionError):
        raise
    except Exception as error:
        kind = type(error).__name__
        raise Refusal(node, f"an annotation for which CPython raises {kind}", _HINT) from None


def _check_names(scope: "Scope", default: ast.expr) -> None:
    """A default is computed when the function is checked; CPython does so where it stands."""
    for part in ast.walk(default):
        if isinstance(part, ast.Name):
            if scope.is_missing(part.id):
                raise Refusal(part, f"no value of {part.id} yet", "define it before the function")
            scope.in_defaults.add(part.id)


def _value(scope: "Scope", node: ast.expr) -> Any:
    match node:
        case ast.Name(id=name):
            if scope.is_missing(name):
                text = f"no {name} yet when CPython evaluates this annotation"
                raise Refusal(node, text, _HINT)
            found = scope.names.get(name)
            if found is None and not hasattr(builtins, name):
                raise _NoSuchNameError
            return getattr(builtins, name) if found is None else _bound(found)
        case ast.Attribute(value=value, attr=attr):
            found = scope.names.get(value.id) if isinstance(value, ast.Name) else None
            if isinstance(found, ModuleDecl):
                if attr not in found.scope.there:
                    raise AttributeError
                return _bound(found.scope.there[attr])
            return getattr(_value(scope, value), attr)
        case ast.Subscript(value=value, slice=index):
            return _value(scope, value)[_value(scope, index)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return operator.or_(_value(scope, left), _value(scope, right))
        case ast.Tuple(elts=parts):
            return tuple(_value(scope, part) for part in parts)
        case ast.List(elts=parts):
            return [_value(scope, part) for part in parts]
        case ast.Constant(value=constant):
            return constant
    raise Refusal(node, f"not a type that scripts know: {ast.unparse(node)}")


class _NoSuchNameError(Exception):
    """A name that is nowhere in the module."""


class _Other:
    """What stands for types of the script."""


_CLASSES = tuple(f"zeroserve.script.{name}" for name in ("Request", "Response", "Fetched", "Meta"))
"""Ours, which need not be imported for this."""


def _bound(found: Binding | Failed) -> Any:
    match found:
        case Failed():
            raise Refusal(None, "")
        case Library(name=name):
            return _Other if name in _CLASSES else of_library(name)
        case Constant(value=value):
            return value
        case RecordDecl():
            return _Other
    return _Other()


def of_library(name: str) -> Any:
    """What a dotted name of a library means; ImportError when there is no such thing."""
    module, _, attr = name.rpartition(".")
    if not module:
        return importlib.import_module(name)
    found = getattr(of_library(module), attr, None)
    return importlib.import_module(name) if found is None else found
