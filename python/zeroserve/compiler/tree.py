"""The typed form of a script, between Python's syntax and LLVM's: what ``--emit ir`` prints.

Everything that Python leaves to run time is decided here: each expression has a type, conversions
are explicit, and what loops, unpacks or matches has become stores, branches and primitive
operations. Expressions are evaluated from left to right.
"""

from dataclasses import dataclass, field
from typing import Any

from zeroserve.compiler.types import NEVER, NONE, Type

NOTHING: Any = object()
"""Of an expression whose value is not known before it runs."""


@dataclass(slots=True, eq=False)
class Slot:
    """A variable, or a place for what is needed twice."""

    name: str
    type: Type


@dataclass(slots=True, kw_only=True)
class Expr:
    """Has a type and a line in its file."""

    type: Type
    line: int = 0


@dataclass(slots=True)
class Const(Expr):
    """A value known now: of Python's own types, tuples and lists of such."""

    value: Any


@dataclass(slots=True)
class Local(Expr):
    """What a variable holds, as a type that may be narrower than the variable's."""

    slot: Slot


@dataclass(slots=True)
class Op(Expr):
    """A primitive operation; ``lower.py`` has one method for each name."""

    name: str
    args: list[Expr]
    extra: Any = None


@dataclass(slots=True)
class Helper(Expr):
    """A call of a function of the server; see ``operations.py`` for what it is given."""

    name: str
    args: list[Expr]
    raises: bool = False


@dataclass(slots=True)
class Call(Expr):
    """A call of a function of the script."""

    function: "Function"
    args: list[Expr]


@dataclass(slots=True)
class Tuple(Expr):
    """Several values as one: of a tuple, or of the fields of a record."""

    items: list[Expr]


@dataclass(slots=True)
class Item(Expr):
    """One of the values that a tuple or record consists of."""

    value: Expr
    index: int


@dataclass(slots=True)
class Wrap(Expr):
    """A value, as one that might be None."""

    value: Expr


@dataclass(slots=True)
class Unwrap(Expr):
    """A value that might be None but is not."""

    value: Expr


@dataclass(slots=True)
class IsNone(Expr):
    """Whether a value is None."""

    value: Expr


@dataclass(slots=True)
class Choose(Expr):
    """One of two values."""

    test: Expr
    then: Expr
    other: Expr


@dataclass(slots=True)
class Block(Expr):
    """Statements, then a value."""

    body: "list[Stmt]"
    value: Expr


@dataclass(slots=True)
class Raise(Expr):
    """An exception by its name; ``message`` is a str."""

    kind: str
    message: Expr | None
    type: Type = field(default=NEVER, kw_only=True)


@dataclass(slots=True, kw_only=True)
class Stmt:
    """Does something."""

    line: int = 0


@dataclass(slots=True)
class Store(Stmt):
    """Give a variable a value of its type."""

    slot: Slot
    value: Expr


@dataclass(slots=True)
class Do(Stmt):
    """Evaluate and forget."""

    value: Expr


@dataclass(slots=True)
class If(Stmt):
    """A branch."""

    test: Expr
    then: list[Stmt]
    other: list[Stmt]


@dataclass(slots=True)
class Loop(Stmt):
    """While ``test`` holds: ``body``, then ``step``, which ``continue`` also leads to."""

    test: Expr
    body: list[Stmt]
    step: list[Stmt]
    otherwise: list[Stmt]


@dataclass(slots=True)
class Break(Stmt):
    """Leave the innermost loop."""


@dataclass(slots=True)
class Continue(Stmt):
    """Begin the innermost loop's next round."""


@dataclass(slots=True)
class Return(Stmt):
    """Leave the function with a value of its result's type."""

    value: Expr


@dataclass(slots=True)
class Handler:
    """What to do about exceptions of these names."""

    kinds: tuple[str, ...]
    body: list[Stmt]


@dataclass(slots=True)
class Try(Stmt):
    """``body``; exceptions in it go to the first handler that takes them."""

    body: list[Stmt]
    handlers: list[Handler]
    otherwise: list[Stmt]


@dataclass(slots=True, eq=False)
class Function:
    """A function of the script."""

    name: str
    path: str
    line: int
    params: list[Slot]
    result: Type = NONE
    body: list[Stmt] = field(default_factory=list)
    section: str | None = None
    """Of an entry; None of a function that only the script calls."""
    calls: "set[Function]" = field(default_factory=set)
    raises_to_caller: bool = False
    """Whether a caller may want to handle its exceptions."""


@dataclass(slots=True)
class Program:
    """A script with all that it imports."""

    path: str
    functions: list[Function]
    patterns: list[tuple[str, int]]
    """Regular expressions and their flags, for the section ``zeroserve.patterns``."""


def constant(value: Any, type: Type, line: int = 0) -> Const:
    """A value known now."""
    return Const(value, type=type, line=line)


def show(program: Program) -> str:
    """The whole program as text, for people."""
    out: list[str] = []
    for function in program.functions:
        params = ", ".join(f"{slot.name}: {slot.type}" for slot in function.params)
        section = f"  # {function.section}" if function.section else ""
        out.append(f"def {function.name}({params}) -> {function.result}:{section}")
        _show_body(function.body, 1, out)
        out.append("")
    return "\n".join(out)


def _show_body(body: list[Stmt], depth: int, out: list[str]) -> None:
    pad = "    " * depth
    for stmt in body:
        match stmt:
            case Store(slot, value):
                out.append(f"{pad}{slot.name} = {_text(value, depth, out)}")
            case Do(value):
                out.append(pad + _text(value, depth, out))
            case If(test, then, other):
                out.append(f"{pad}if {_text(test, depth, out)}:")
                _show_body(then, depth + 1, out)
                if other:
                    out.append(f"{pad}else:")
                    _show_body(other, depth + 1, out)
            case Loop(test, inner, step, otherwise):
                out.append(f"{pad}while {_text(test, depth, out)}:")
                _show_body(inner, depth + 1, out)
                if step:
                    out.append(f"{pad}step:")
                    _show_body(step, depth + 1, out)
                if otherwise:
                    out.append(f"{pad}else:")
                    _show_body(otherwise, depth + 1, out)
            case Return(value):
                out.append(f"{pad}return {_text(value, depth, out)}")
            case Try(inner, handlers, otherwise):
                out.append(f"{pad}try:")
                _show_body(inner, depth + 1, out)
                for handler in handlers:
                    out.append(f"{pad}except {', '.join(handler.kinds)}:")
                    _show_body(handler.body, depth + 1, out)
                if otherwise:
                    out.append(f"{pad}else:")
                    _show_body(otherwise, depth + 1, out)
            case _:
                out.append(pad + type(stmt).__name__.lower())
    if not body:
        out.append(f"{pad}pass")


def _text(expr: Expr, depth: int, out: list[str]) -> str:
    def of(*args: Expr) -> str:
        return ", ".join(_text(arg, depth, out) for arg in args)

    match expr:
        case Const(value):
            return repr(value)
        case Local(slot):
            return slot.name if slot.type == expr.type else f"({slot.name} as {expr.type})"
        case Op(name, args) | Helper(name, args):
            return f"{name}({of(*args)})"
        case Call(function, args):
            return f"{function.name}({of(*args)})"
        case Tuple(items):
            return f"({of(*items)})"
        case Item(value, index):
            return f"{of(value)}.{index}"
        case Wrap(value):
            return f"wrap({of(value)})"
        case Unwrap(value):
            return f"unwrap({of(value)})"
        case IsNone(value):
            return f"is_none({of(value)})"
        case Choose(test, then, other):
            return f"({of(then)} if {of(test)} else {of(other)})"
        case Block(body, value):
            _show_body(body, depth, out)
            return of(value)
        case Raise(kind, message):
            return f"raise {kind}({of(message) if message else ''})"
    return type(expr).__name__
