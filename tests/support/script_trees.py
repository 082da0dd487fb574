"""Random syntax trees for the compiler of scripts: by the grammar of ``ast``, and mutations.

The grammar is read from the docstrings of the node classes, so a node that a later Python adds
is made, too.
"""

from __future__ import annotations

import ast
import copy
import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

NAMES = (
    *("req", "res", "a", "b", "n", "text", "data", "f", "g", "hook", "Point", "Table", "HITS"),
    *(
        "int",
        "str",
        "bytes",
        "bool",
        "list",
        "dict",
        "tuple",
        "len",
        "range",
        "print",
        "isinstance",
    ),
    *("Request", "Response", "re", "json", "ValueError", "Exception", "min", "sum", "enumerate"),
    *("entry", "add", "ret", "i64", "define", "llvm", "zs_py_raise", "texts", "words", "raised"),
    *("self", "__name__", "__init__", "_", "é", "名", "\U0001d431", "x" * 300),
)
ATTRIBUTES = (
    *("path", "method", "meta", "header", "get", "set", "status", "split", "startswith", "items"),
    *("x", "y", "group", "join", "format", "append", "encode", "hex", "__class__", "é"),
)
CONSTANTS: tuple[Any, ...] = (
    *(None, True, False, ..., 0, 1, -1, 2, 255, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
    *(1 << 64, 10**300, 1.5, 1e999, 2j, "", "a", "/health", "é", "名", "\ud800", "\0", "\n", '"\\'),
    *("%s", "{}", "x" * 5000, b"", b"a", b"\xff\0", "utf-8", "([a", "(a)|b", "$", "^a(?P<n>b)?$"),
)
MODULES = (
    "re",
    "json",
    "os",
    "zeroserve.script",
    "helper",
    "typing",
    "hashlib",
    "",
    "a.b",
    "__future__",
)


class Field(NamedTuple):
    """A field of a node."""

    kind: str
    name: str
    many: str
    """``*`` any number, ``?`` none or one, or nothing."""


_SIGNATURE = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_PRODUCTS = ("arguments", "arg", "keyword", "alias", "withitem", "comprehension", "match_case")


def _fields(node: type[ast.AST]) -> list[Field]:
    found = _SIGNATURE.fullmatch((node.__doc__ or "").strip())
    rows = []
    for part in (found[2] or "").split(",") if found else ():
        kind, _, name = part.strip().partition(" ")
        if name:
            rows.append(Field(kind.rstrip("*?"), name, kind[-1] if kind[-1] in "*?" else ""))
    return rows


def _alternatives(name: str) -> list[type[ast.AST]]:
    if name in _PRODUCTS:
        return [getattr(ast, name)]
    base = getattr(ast, name)
    return [kind for kind in base.__subclasses__() if kind.__module__ == "ast" or kind.__doc__]


def _is_made(kind: type[ast.AST]) -> bool:
    return kind.__name__ not in ("Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index")


SUMS: tuple[str, ...] = (
    "stmt",
    "expr",
    "pattern",
    "operator",
    "unaryop",
    "boolop",
    "cmpop",
    "excepthandler",
)
SUMS += ("type_param",) if hasattr(ast, "type_param") else ()
KINDS = {name: [k for k in _alternatives(name) if _is_made(k)] for name in (*SUMS, *_PRODUCTS)}
FIELDS = {kind: _fields(kind) for kinds in KINDS.values() for kind in kinds}
LEAVES: dict[str, list[type[ast.AST]]] = {
    "stmt": [ast.Pass, ast.Break, ast.Continue],
    "expr": [ast.Name, ast.Constant],
    "pattern": [ast.MatchSingleton, ast.MatchAs],
}


class Trees:
    """Makes trees from random numbers."""

    def __init__(self, numbers: random.Random) -> None:
        self.numbers = numbers

    def module(self) -> ast.Module:
        """Any module: most are nothing that Python would take."""
        body = [self.node("stmt", self.numbers.randint(2, 6)) for _ in range(3)]
        return ast.fix_missing_locations(ast.Module(body, []))  # type: ignore[arg-type]

    def node(self, kind: str, depth: int) -> ast.AST:
        """A node of a kind: ``stmt``, ``expr``, ``operator`` ..."""
        choices = LEAVES.get(kind) if depth <= 0 else None
        made = self.numbers.choice(choices or KINDS[kind])
        return self.of(made, depth)

    def of(self, made: type[ast.AST], depth: int) -> ast.AST:
        """A node of a class."""
        values = {field.name: self.field(made, field, depth - 1) for field in FIELDS[made]}
        return made(**values)

    def field(self, made: type[ast.AST], field: Field, depth: int) -> Any:
        """What stands in a field."""
        if field.many == "*":
            few = 1 if field.name in ("body", "targets", "names", "items", "ops", "values") else 0
            return [self.one(made, field, depth) for _ in range(self._count(few, depth))]
        if field.many == "?" and self.numbers.random() < 0.6:
            return None
        return self.one(made, field, depth)

    def _count(self, least: int, depth: int) -> int:
        return least + (self.numbers.randint(0, 2) if depth > 0 else 0)

    def one(self, made: type[ast.AST], field: Field, depth: int) -> Any:
        """One value of a field."""
        choice = self.numbers.choice
        match field.kind:
            case "identifier":
                if made is ast.ImportFrom and field.name == "module":
                    return choice(MODULES)
                if made is ast.alias:
                    return choice((*MODULES, *NAMES, "*"))
                return choice(ATTRIBUTES if made is ast.Attribute else NAMES)
            case "constant":
                return choice(CONSTANTS)
            case "int":
                return choice((0, -1, 1, 114, 115, 97))
            case "string":
                return None
            case "expr_context":
                return ast.Load()
        return self.node(field.kind, depth)


def mutated(module: ast.Module, others: list[ast.AST], numbers: random.Random) -> ast.Module:
    """A copy of a module in which a few nodes are others of the same kind."""
    module = copy.deepcopy(module)
    trees = Trees(numbers)
    for _ in range(numbers.randint(1, 4)):
        places = _places(module)
        if not places:
            break
        kind, node, put, remove = numbers.choice(places)
        how = numbers.random()
        if how < 0.35:
            put(trees.node(kind, numbers.randint(0, 3)))
        elif how < 0.75:
            put(copy.deepcopy(numbers.choice([o for o in others if _kind(o) == kind] or [node])))
        elif how < 0.85:
            remove()
        else:
            _touch(node, trees)
    return ast.fix_missing_locations(module)


def _kind(node: ast.AST) -> str | None:
    return next((name for name in SUMS if isinstance(node, getattr(ast, name))), None)


Place = tuple[str, ast.AST, Callable[[ast.AST], None], Callable[[], None]]


def _places(module: ast.Module) -> list[Place]:
    found: list[Place] = []

    def add(owner: ast.AST, name: str, at: int | None, node: ast.AST) -> None:
        kind = _kind(node)
        if kind is None:
            return

        def put(new: ast.AST) -> None:
            if at is None:
                setattr(owner, name, new)
            else:
                getattr(owner, name)[at] = new

        def remove() -> None:
            if at is not None:
                del getattr(owner, name)[at]

        found.append((kind, node, put, remove))

    for owner in ast.walk(module):
        for name, value in ast.iter_fields(owner):
            if isinstance(value, ast.AST):
                add(owner, name, None, value)
            elif isinstance(value, list):
                for at, item in enumerate(value):
                    if isinstance(item, ast.AST):
                        add(owner, name, at, item)
    return found


def _touch(node: ast.AST, trees: Trees) -> None:
    """Another name, constant or operator in a node."""
    fields = [f for f in FIELDS.get(type(node), ()) if f.kind not in ("stmt", "expr_context")]
    if fields:
        field = trees.numbers.choice(fields)
        setattr(node, field.name, trees.field(type(node), field, 2))


def nodes(sources: list[str]) -> list[ast.AST]:
    """Statements, expressions and so on of some scripts, to be put into others."""
    return [node for text in sources for node in ast.walk(ast.parse(text)) if _kind(node)]


def written(module: ast.Module) -> str | None:
    """A module as text; None for a tree that can't be written."""
    try:
        return ast.unparse(module)
    except (AttributeError, TypeError, ValueError, IndexError, KeyError, RecursionError):
        return None


def garbled(text: str, numbers: random.Random) -> str:
    """A text with a few characters taken out, put in or doubled."""
    odd = ("\t", "\f", "\r\n", "\0", "\ufeff", "\u2028", "é", "(" * 60, ")", "\\\n", ";", ":", "#")
    for _ in range(numbers.randint(1, 3)):
        at = numbers.randrange(len(text) + 1)
        match numbers.randrange(4):
            case 0:
                text = text[:at] + numbers.choice(odd) + text[at:]
            case 1:
                text = text[:at] + text[at + numbers.randint(1, 4) :]
            case 2:
                text = text[:at] + text[max(at - numbers.randint(1, 20), 0) :]
            case _:
                lines = text.splitlines(keepends=True)
                numbers.shuffle(lines)
                text = "".join(lines) if numbers.random() < 0.2 else text
    return text
