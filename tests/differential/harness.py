"""Runs the functions of ``cases`` by both engines and compares.

A file of cases becomes a script by a hook that reads cases from the body of a request, one on a
line, calls the function that each names, and answers the results. That script is compiled, and it
is imported; both get the same requests, many cases at a time.

A compiled script may stop at a limit that CPython does not have. Then the cases are sent anew in
halves, until it is known which one stopped, and the reason has to be one that the case explains.
"""

import ast
import base64
import json
import os
import re
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from zeroserve import compiler
from zeroserve.compiler.calls import Calls
from zeroserve.compiler.operations import Operation, functions, methods
from zeroserve.compiler.tree import Expr
from zeroserve.testing import Client

from .strategies import PARAMETERS

CASES = Path(__file__).parent / "cases"
BATCH_CASES = 120
BATCH_BYTES = 200_000
"""Below the limit of a request's body."""
HEADERS = {
    "Host": "Example.org:8080",
    "Cookie": 'a=1; b="two"; c; a=3; d=%20x',
    "X-Twice": "first",
    "x-Accept": " gzip ,br",
    "Content-Type": "text/plain",
}
TARGET = "/a%20dir/%C3%A4?a=1&b=&a=2&%C3%A4=%ff&c=x+y%41&&d"

EXCEPTIONS = (
    *("JSONDecodeError", "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeError"),
    *("binascii.Error", "ValueError", "KeyError", "IndexError", "LookupError"),
    *("ZeroDivisionError", "OverflowError", "ArithmeticError", "TypeError", "AssertionError"),
    *("AttributeError", "NotImplementedError", "RuntimeError", "PermissionError", "Exception"),
)
"""What a case may raise; those that are kinds of others come first."""

HEAD = """

def _text(field: str) -> str:
    data = _base64.b64decode(field[1:])
    if field[0] == "j":
        found = _json.loads(data)
        assert isinstance(found, str)
        return found
    return data.decode("utf-8", "surrogateescape")


def _data(field: str) -> bytes:
    return _base64.b64decode(field[1:])


def _number(field: str) -> int:
    return int(field)


def _flag(field: str) -> bool:
    return field == "1"


def _texts(field: str) -> list[str]:
    return _text(field).split("|")[1:]


def _maybe_text(field: str) -> str | None:
    return None if field == "-" else _text(field)


def _maybe_data(field: str) -> bytes | None:
    return None if field == "-" else _data(field)


def _maybe_number(field: str) -> int | None:
    return None if field == "-" else _number(field)


def _show_texts(found: list[str]) -> str:
    out = "["
    for item in found:
        out += repr(item) + ","
    return out + "]"


def _show_datas(found: list[bytes]) -> str:
    out = "["
    for item in found:
        out += repr(item) + ","
    return out + "]"


def _show_pairs(found: list[tuple[str, str]]) -> str:
    out = "["
    for name, value in found:
        out += repr(name) + ":" + repr(value) + ","
    return out + "]"


"""
TAIL = """

def _answer(req: Request, line: str) -> str:
    try:
        return _call(req, line.split(","))
{handlers}

@_on_request
def batch(req: Request) -> Response | None:
    whole = ""
    some = ""
    for at, line in enumerate(req.body().decode().split("\\n")):
        some += _answer(req, line) + "\\n"
        if at % 12 == 11:
            whole += some
            some = ""
    return Response(200, whole + some)
"""
READERS = {
    "str": "_text",
    "bytes": "_data",
    "int": "_number",
    "bool": "_flag",
    "list[str]": "_texts",
    "str | None": "_maybe_text",
    "bytes | None": "_maybe_data",
    "int | None": "_maybe_number",
}
SHOWN = {
    "list[str]": "_show_texts({})",
    "list[bytes]": "_show_datas({})",
    "list[tuple[str, str]]": "_show_pairs({})",
}
OTHERS = {
    **{n: f"builtins.{n}" for n in ("range", "enumerate", "zip", "reversed", "isinstance")},
    "set": "builtins.set",
    "frozenset": "builtins.frozenset",
    "re.compile": "re.compile",
    "Table": "zeroserve.script.Table",
}
"""What the compiler knows without going through the table of operations."""


@dataclass(frozen=True)
class Case:
    """A function of ``cases``."""

    name: str
    parameters: tuple[str, ...]
    sees_request: bool
    result: str
    stops: str
    """What may stop it besides numbers that do not fit: a pattern for the reason."""

    @property
    def strategy(self) -> st.SearchStrategy[tuple[Any, ...]]:
        """Arguments."""
        return st.tuples(*[PARAMETERS[name].strategy for name in self.parameters])


@dataclass
class Outcome:
    """What became of the cases of a function."""

    cases: int = 0
    equal: int = 0
    stopped: int = 0
    differences: list[tuple[tuple[Any, ...], str, str]] = field(default_factory=list)
    """Arguments, what CPython answered, what the compiled script did."""


class Group:
    """A file of cases, made a script."""

    def __init__(self, path: Path, directory: Path) -> None:
        """``directory``: where the script and its object go."""
        self.name = path.stem
        source = path.read_text()
        self.tree = ast.parse(source)
        self.cases = list(_cases(self.tree))
        self.script = script = directory / f"{self.name}.py"
        script.write_text(_script(source, self.cases))
        self.operations: dict[str, set[str]] = {}
        """Rows of ``operations.py`` by the names of the functions that use them."""
        with _noting(self.operations):
            built = compiler.compile_file(str(script)).object
        self._note_others()
        program = directory / f"{self.name}.o"
        program.write_bytes(built)
        self.reasons: dict[str, list[str]] = {}
        """Why functions have stopped so far."""
        self.program = program
        self.native = Client(program)
        self.python = Client(script, engine="cpython")

    def _note_others(self) -> None:
        for part in self.tree.body:
            owner = part.name if isinstance(part, ast.FunctionDef) else ""
            for node in ast.walk(part):
                if isinstance(node, ast.Call):
                    name = OTHERS.get(ast.unparse(node.func))
                    if name is not None:
                        self.operations.setdefault(owner, set()).add(name)

    def operations_of(self, case: Case) -> set[str]:
        """Rows that a function uses, by itself and by the functions of its file that it calls."""
        functions = {
            node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)
        }
        waiting, seen = [case.name], set()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            called = {n.id for n in ast.walk(functions[name]) if isinstance(n, ast.Name)}
            waiting += (called & set(functions)) - seen
        return {row for name in seen for row in self.operations.get(name, ())}

    def run(self, case: Case, arguments: Sequence[tuple[Any, ...]]) -> Outcome:
        """Compare the results of a function for many arguments."""
        with logged() as self.log:
            return self._run(case, arguments)

    def _run(self, case: Case, arguments: Sequence[tuple[Any, ...]]) -> Outcome:
        outcome = Outcome(len(arguments))
        number = self.cases.index(case)
        lines = [",".join([str(number), *map(_written, values)]) for values in arguments]
        at = 0
        while at < len(lines):
            end, size = at, 0
            while end < len(lines) and end - at < BATCH_CASES and (size < BATCH_BYTES or end == at):
                size += len(lines[end]) + 1
                end += 1
            end = max(end - (size > BATCH_BYTES), at + 1)
            self._batch(case, arguments[at:end], lines[at:end], outcome)
            at = end
        return outcome

    def _batch(
        self,
        case: Case,
        arguments: Sequence[tuple[Any, ...]],
        lines: Sequence[str],
        outcome: Outcome,
    ) -> None:
        expected = self._python(lines)
        alone = [at for at, shown in enumerate(expected) if _is_large(shown)]
        together = [at for at in range(len(lines)) if not _is_large(expected[at])]
        waiting = [[at] for at in alone] + ([together] if together else [])
        while waiting:
            places = waiting.pop()
            found = self._native([lines[at] for at in places])
            if found is None:
                if len(places) > 1:
                    half = len(places) // 2
                    waiting += [places[:half], places[half:]]
                    continue
                (at,) = places
                if self._is_explained(case, lines[at], expected[at]):
                    outcome.stopped += 1
                else:
                    why = self.reasons[case.name][-1]
                    outcome.differences.append((arguments[at], expected[at], f"stop: {why}"))
                continue
            for at, shown in zip(places, found, strict=True):
                if shown == expected[at] or _without_later(shown) == expected[at]:
                    outcome.equal += 1
                else:
                    outcome.differences.append((arguments[at], expected[at], shown))

    def _python(self, lines: Sequence[str]) -> list[str]:
        answer = self.python.request("POST", TARGET, HEADERS, "\n".join(lines))
        if answer.status != 200:
            raise self.python.errors[-1] if self.python.errors else AssertionError(answer)
        return answer.body.decode().split("\n")[:-1]

    def _native(self, lines: Sequence[str]) -> list[str] | None:
        """None when it has stopped."""
        answer = self.native.request("POST", TARGET, HEADERS, "\n".join(lines))
        return answer.body.decode().split("\n")[:-1] if answer.status == 200 else None

    def _is_explained(self, case: Case, line: str, expected: str) -> bool:
        """Whether a stop is for a limit that this result has reached.

        The log says each place once, and then for a while no more: unless what it has said so far
        is enough, a site of its own is asked."""
        known = self.reasons.setdefault(case.name, [])
        if any(_explains(case, reason, expected) for reason in known):
            return True
        before = len(self.log())
        Client(self.program).request("POST", TARGET, HEADERS, line)
        for _ in range(500):
            new = [text for text in self.log()[before:] if f": script {self.name}: " in text]
            if new:
                known.append(new[-1])
                return _explains(case, new[-1], expected)
            time.sleep(0.01)
        known.append("nothing in the log")
        return False


def groups() -> list[Path]:
    """The files of cases."""
    return sorted(path for path in CASES.glob("*.py") if path.name != "__init__.py")


def rows() -> set[str]:
    """The names of all operations."""
    return {*methods(), *functions()}


def arguments_of(case: Case, count: int, start: int) -> list[tuple[Any, ...]]:
    """Up to ``count`` lists of arguments; the same ones for the same ``start``."""
    if not case.parameters:
        return [()]
    found: list[tuple[Any, ...]] = []

    @seed(start)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case.strategy)
    def gather(values: tuple[Any, ...]) -> None:
        found.append(values)

    gather()
    return found


def _cases(module: ast.Module) -> Iterator[Case]:
    for node in module.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        given_names = [arg.arg for arg in node.args.args]
        sees_request = given_names[:1] == ["req"]
        names = given_names[sees_request:]
        for arg in node.args.args[sees_request:]:
            written = ast.unparse(arg.annotation) if arg.annotation else ""
            assert PARAMETERS[arg.arg].type == written, f"{node.name}: {arg.arg}: {written}"
        assert node.returns is not None, node.name
        stops = re.match(r"Stops: (.+)", ast.get_docstring(node) or "")
        yield Case(
            node.name,
            tuple(names),
            sees_request,
            ast.unparse(node.returns),
            stops[1] if stops else "",
        )


def _script(source: str, cases: Sequence[Case]) -> str:
    imports = (
        "import base64 as _base64\nimport json as _json\n"
        "from zeroserve.script import on_request as _on_request\n"
        "from zeroserve.script import Request, Response\n"
        "import binascii\n"
    )
    calls = ["def _call(req: Request, fields: list[str]) -> str:", "    number = int(fields[0])"]
    # Halves, so that the last function is as near as the first.
    tree = ["", *_decide(list(range(len(cases))), cases, "    ")]
    handlers = "".join(
        f"    except {'_json.' if name.startswith('JSON') else ''}{name}:\n"
        f'        return "{name}"\n'
        for name in EXCEPTIONS
    )
    return (
        source + "\n\n" + imports + HEAD + "\n".join(calls + tree) + TAIL.format(handlers=handlers)
    )


def _decide(numbers: list[int], cases: Sequence[Case], indent: str) -> list[str]:
    if len(numbers) == 1:
        return [indent + line for line in _shown(numbers[0], cases[numbers[0]])]
    half = len(numbers) // 2
    return [
        f"{indent}if number < {numbers[half]}:",
        *_decide(numbers[:half], cases, indent + "    "),
        f"{indent}else:",
        *_decide(numbers[half:], cases, indent + "    "),
    ]


def _shown(number: int, case: Case) -> list[str]:
    """Statements that return the text of a result."""
    arguments = [
        f"{READERS[PARAMETERS[name].type]}(fields[{at}])"
        for at, name in enumerate(case.parameters, 1)
    ]
    call = f"{case.name}({', '.join([*['req'] * case.sees_request, *arguments])})"
    if not case.result.startswith("tuple["):
        return ["return " + SHOWN.get(case.result, "repr({})").format(call)]
    annotation = ast.parse(case.result, mode="eval").body
    assert isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple)
    name = f"found_{number}"
    items = [
        SHOWN.get(ast.unparse(item), "repr({})").format(f"{name}[{at}]")
        for at, item in enumerate(annotation.slice.elts)
    ]
    return [f"{name} = {call}", "return " + ' + ", " + '.join(items)]


def _written(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(int(value))
        case int():
            return str(value)
        case bytes():
            return "b" + base64.b64encode(value).decode()
        case list():
            return _written("".join(f"|{item}" for item in value))
        case str():
            try:
                data = value.encode("utf-8", "surrogateescape")
                if data.decode("utf-8", "surrogateescape") == value:
                    return "u" + base64.b64encode(data).decode()
            except UnicodeEncodeError:
                pass
            return "j" + base64.b64encode(json.dumps(value).encode()).decode()
    raise TypeError(value)


_NUMBER = re.compile(r"\d{19,}")


def _is_large(shown: str) -> bool:
    """Whether a result of CPython's has a number that does not fit in 64 bits."""
    return any(int(found[:40]) >= 1 << 63 for found in _NUMBER.findall(shown))


def _without_later(shown: str) -> str:
    """A repr with the characters escaped that this CPython does not know yet: random bytes may
    be any."""
    return "".join(c if unicodedata.category(c) != "Cn" else ascii(c)[1:-1] for c in shown)


def _explains(case: Case, reason: str, expected: str) -> bool:
    """Whether a stop is for a limit, and for one that this result has reached."""
    if case.stops and re.search(case.stops, reason):
        return True
    if expected in ("OverflowError", "Exception"):  # CPython has a limit there, too
        return "OverflowError" in reason or "MemoryError" in reason
    if "OverflowError" in reason and "64 bits" in reason:
        return _is_large(expected)
    return "MemoryError" in reason and len(expected) > 20_000


@contextmanager
def _noting(found: dict[str, set[str]]) -> Iterator[None]:
    """Note what functions use which operations while they are compiled."""
    original = Calls.operation

    def noted(self: Calls, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        found.setdefault(self.declared.node.name, set()).add(operation.name)
        return original(self, operation, value, node)

    Calls.operation = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Calls.operation = original  # type: ignore[method-assign]


@contextmanager
def logged() -> Iterator[Callable[[], list[str]]]:
    """Keep what is written to the standard error, by Rust too; gives its lines so far."""
    with tempfile.TemporaryFile() as file:

        def lines() -> list[str]:
            data = os.pread(file.fileno(), 1 << 24, 0)
            return data.decode("utf-8", "replace").split("\n")[:-1]

        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
