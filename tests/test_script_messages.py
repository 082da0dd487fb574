"""What the compiler says: each of its messages has a test, and all keep to one style."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from support.script_oracle import check_message
from support.script_pages import HEAD, HOOK, PAGES, cases, diagnostics, written
from zeroserve import compiler
from zeroserve._core import Error
from zeroserve.compiler import subset
from zeroserve.compiler.diagnostics import CompileError, Diagnostic
from zeroserve.compiler.operations import functions

SOURCES = sorted(Path(compiler.__file__).parent.glob("*.py"))

MESSAGES = {"Refusal": 1, "_Unable": 0, "Diagnostic": 3}
"""Calls that make messages, and which argument has the text."""

INTERNAL = {
    "this can't be assigned to": "all targets that Python has are named before",
    "the types of its variables are not found": "each round finds one, unless there is a mistake",
    "the position {}": "for positions that a later Python's patterns have",
    "something that scripts can't match ({})": "for items that a later Python's patterns have",
    "a class with {}": "for items that a later Python's patterns have",
    "a constant of a type that scripts do not have: {}": "what makes others is no constant",
    "a pattern that is nested too deep": "CPython's parser of patterns says so before",
    "this ({})": "for nodes that a later Python has",
}
"""Messages that no script provokes, and why they are there."""


class Message(NamedTuple):
    """A message as it stands in the source."""

    file: str
    line: int
    text: str
    """With ``{}`` where something is put in."""

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(".+".join(map(re.escape, self.text.split("{}"))), re.DOTALL)


def messages() -> Iterator[Message]:
    """All messages of the compiler."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                at = MESSAGES.get(node.func.id)
                if at is not None and len(node.args) > at:
                    yield from _texts(node.args[at], path, node)


def _texts(node: ast.expr, path: Path, call: ast.Call) -> Iterator[Message]:
    match node:
        case ast.Constant(value=str(text)) if text:
            yield Message(path.name, call.lineno, text)
        case ast.JoinedStr(values=parts):
            text = "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)
            yield Message(path.name, call.lineno, text)


FOUND = list(messages())


@cache
def provoked() -> tuple[Diagnostic, ...]:
    """What the compiler says of the scripts in ``golden/script``, and of those below."""
    import tempfile

    found: list[Diagnostic] = []
    with tempfile.TemporaryDirectory() as name:
        for at, page in enumerate(sorted(PAGES.glob("*.md"))):
            for number, case in enumerate(cases(page)):
                directory = Path(name) / f"{at}-{number}"
                directory.mkdir()
                found += diagnostics(written(case, directory)[0])
        for number in range(70):
            (Path(name) / f"m{number}.py").write_text("A = 1\n")
        for number, text in enumerate(made()):
            path = Path(name) / f"made{number}.py"
            path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
            try:
                compiler.compile_file(str(path))
            except CompileError as error:
                found += error.diagnostics
    return tuple(found)


def made() -> Iterator[str | bytes]:
    """Scripts that are too large for a page."""
    start = HEAD + HOOK + "    n = len(req.path)\n"
    yield b"A = 1\nB = 2\nC = '\xff'\n"
    yield b"A = '\xff'\n"
    yield b"# coding: latin-1\n"
    yield "A = 1\0"
    yield HEAD + "A = " + "[" * 150 + "]" * 150 + "\n"
    yield HEAD + "A = " + "-" * 900 + "1\n"
    yield start + "    m = " + "n + " * 600 + "1\n"
    yield start + "    m = " + "n if n else " * 300 + "n.x\n"
    yield start + "    m = " + " and ".join(["n > 1"] * 900) + "\n"
    cases = "".join(f"        case {i}:\n            n = {i}\n" for i in range(900))
    yield start + "    match n:\n" + cases
    yield HEAD + HOOK + "    found = re.search('" + "(" * 600 + ")" * 600 + "', req.path)\n"
    yield HEAD + HOOK + "    found = re.search('" + "(" * 200 + ")" * 200 + "', req.path)\n"
    yield HEAD + f"def f(a: {'B.' * 900}c) -> int:\n    return a\n"
    yield HEAD + f"class A(NamedTuple):\n    a: {'B.' * 900}c\n"
    yield f"from __future__ import annotations\n{HEAD}class A(NamedTuple):\n    a: {'B.' * 900}c\n"
    yield "".join(f"import m{i}\n" for i in range(70))


@pytest.mark.parametrize("message", FOUND, ids=lambda m: f"{m.file}:{m.line}")
def test_each_message_is_provoked(message: Message) -> None:
    if message.text in INTERNAL:
        return
    said = provoked()
    assert any(message.pattern.fullmatch(d.message) for d in said) or any(
        message.pattern.fullmatch(d.message.removeprefix("the pattern has ")) for d in said
    ), f"no test provokes: {message.text}"


NAMED = {
    *(
        "N",
        "Request",
        "Response",
        "SplitResult",
        "Point",
        "Match",
        "Table",
        "Hash",
        "Never",
        "Unicode",
    ),
    *("UnicodeDecodeError", "Meta", "HITS"),
}


def test_style() -> None:
    assert len(provoked()) > 300
    for diagnostic in provoked():
        check_message(diagnostic)
        # What begins with a capital is a name.
        begin = re.match(r"\w+", diagnostic.message)
        assert begin is None or not begin[0].istitle() or begin[0] in NAMED, diagnostic


def test_places_are_in_the_line() -> None:
    for diagnostic in provoked():
        if diagnostic.source is not None:
            shown = str(diagnostic).splitlines()
            caret = next(line for line in shown if line.strip() == "^")
            assert caret.index("^") == 4 + min(diagnostic.column - 1, len(diagnostic.source))


INSIDE = {
    "AsyncFor": "in async functions only, which are refused",
    "AsyncWith": "in async functions only, which are refused",
    "Await": "in async functions only, which are refused",
    "Nonlocal": "in functions in functions only, which are refused",
}
"""Nodes that the compiler never comes to."""

NODES_LATER = {"TypeAlias": (3, 12), "TemplateStr": (3, 14), "Interpolation": (3, 14)}


@pytest.mark.parametrize("name", sorted(subset.REFUSED))
def test_each_refused_node_is_provoked(name: str) -> None:
    what, hint = subset.REFUSED[name]
    if name in NODES_LATER and not hasattr(ast, name):
        pytest.skip(f"Python has no {name} yet")
    assert hint
    assert name in INSIDE or any(what in d.message for d in provoked()), what


@pytest.mark.parametrize("name", sorted(subset.BUILTINS))
def test_each_refused_builtin_is_provoked(name: str) -> None:
    hint = subset.BUILTINS[name]
    assert any(
        d.message == f"{name}() is not available in scripts" and d.hint == hint for d in provoked()
    )


@pytest.mark.parametrize("name", sorted(subset.METHODS))
def test_each_refused_method_is_provoked(name: str) -> None:
    hint = subset.METHODS[name]
    assert any(d.message.startswith(name) and d.hint == hint for d in provoked())


CLASSES = (ast.stmt, ast.expr, ast.pattern, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
OLD = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis"}


def test_the_table_has_all_nodes() -> None:
    kinds = [kind for base in CLASSES for kind in base.__subclasses__()]
    assert {kind.__name__ for kind in kinds} - OLD <= set(subset.NODES)
    assert set(subset.REFUSED) - {"ImportFrom *"} <= set(subset.NODES)
    assert set(subset.PARTLY) <= set(subset.NODES)


def test_the_tables_have_all_builtins() -> None:
    known = {name.removeprefix("builtins.") for name in functions()} | set(subset.BUILTINS)
    named = {name for name in dir(builtins) if name[0].islower()}
    assert named - known == {"copyright", "credits", "license"}
    assert set(subset.PARTLY_BUILTINS) <= known


def test_each_node_that_is_not_refused_is_compiled(tmp_path: Path) -> None:
    found: set[str] = set()
    for page in sorted(PAGES.glob("*.md")):
        for number, case in enumerate(cases(page)):
            directory = tmp_path / f"{page.stem}{number}"
            directory.mkdir()
            path, _ = written(case, directory)
            if not diagnostics(path):
                found |= {type(node).__name__ for node in ast.walk(ast.parse(path.read_text()))}
    assert set(subset.NODES) - set(subset.REFUSED) - found == set()


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(Error, match="can't read"):
        compiler.compile_file(str(tmp_path / "none.py"))
    large = tmp_path / "large.py"
    large.write_text("#" * (compiler.MAX_SOURCE_BYTES + 1))
    with pytest.raises(Error, match=f"more than {compiler.MAX_SOURCE_BYTES} bytes"):
        compiler.compile_file(str(large))
