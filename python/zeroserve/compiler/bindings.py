"""What the names of a module stand for."""

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zeroserve.compiler import tree
from zeroserve.compiler.types import RecordType, Type

if TYPE_CHECKING:
    from zeroserve.compiler.scope import Scope


@dataclass(frozen=True)
class Library:
    """Something of Python's or ours, by its dotted name."""

    name: str


@dataclass(eq=False)
class Constant:
    """A constant of the module."""

    value: Any
    type: Type


@dataclass(eq=False)
class FunctionDecl:
    """A function of a script before and after it is compiled."""

    node: ast.FunctionDef
    scope: "Scope"
    hook: str | None
    function: tree.Function | None = None
    params: list["ParamDecl"] = field(default_factory=list)
    result: Type | None = None
    state: str = "new"
    variants: dict[tuple[Type, ...], "FunctionDecl"] = field(default_factory=dict)
    """The same function for ints from 0 to 2**64-1, by the types of its parameters."""
    annotated: Type | None = None
    """What it says that it returns."""
    asked: bool = False
    """Whether another function took its result for known while it was being checked."""


@dataclass(eq=False)
class ParamDecl:
    """A parameter."""

    name: str
    type: Type
    default: tree.Const | None
    kind: str
    """``positional``, ``either`` or ``keyword``."""


@dataclass(eq=False)
class RecordDecl:
    """A NamedTuple or frozen dataclass."""

    type: RecordType
    defaults: dict[str, tree.Const]


@dataclass(frozen=True)
class ModuleDecl:
    """A module beside the script."""

    scope: "Scope"


Binding = Library | Constant | FunctionDecl | RecordDecl | ModuleDecl


@dataclass(eq=False)
class Failed:
    """A name whose definition was refused: it causes no further messages."""
