"""Random scripts that mean something: typed expressions and statements, most of them accepted."""

from __future__ import annotations

import random
from collections.abc import Callable

HEAD = """import base64
import hashlib
import json
import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from zeroserve.script import Request, Response, Table, on_request, on_response, redirect

LIMIT = 7
MASK = 0xFFFF_FFFF_FFFF_FFFF
NAMES = ("one", "two", "three", "vier", "f\\u00fcnf")
CODES = {"a": 1, "b": 2, "c": 3, "/x": 4, "": 5}
WORDS = {"get", "GET", "post", ""}
NUMBER = re.compile(r"([0-9]+)(x)?")
HITS = Table(str, int, max_entries=100)


class Point(NamedTuple):
    x: int
    name: str = "p"


"""

TEXTS = (
    '""',
    '"a"',
    '"/x"',
    '"f\\u00fcnf"',
    '"a,b,,c"',
    '" x y "',
    '"12"',
    '"-7"',
    '"\\n"',
    '"AbC"',
)
NUMBERS = ("0", "1", "-1", "2", "7", "63", "64", "255", "1 << 40", "(1 << 63) - 1", "-(1 << 63)")
BYTES = ('b""', 'b"a"', 'b"\\xff\\x00"', 'b"hello"')
VARIABLES = {
    "int": ("i", "j", "k"),
    "str": ("s", "t", "u"),
    "bytes": ("d", "e"),
    "bool": ("p", "q"),
    "str?": ("o", "m"),
    "int?": ("x",),
    "list": ("w",),
    "Point": ("point",),
}
FIRST = {"int": "0", "str": '""', "bytes": 'b""', "bool": "False", "str?": "None", "int?": "None"}
FIRST |= {"list": '"a b".split()', "Point": "Point(1)"}
ANNOTATIONS = {"str?": "str | None", "int?": "int | None", "list": "list[str]"}


class Programs:
    """Makes scripts from random numbers."""

    def __init__(self, numbers: random.Random) -> None:
        self.numbers = numbers
        self.helpers: list[tuple[str, list[str], str]] = []

    def script(self) -> str:
        """A whole script."""
        out = [HEAD]
        self.helpers = []
        for at in range(self.numbers.randint(0, 3)):
            out.append(self.helper(at))
        out.append("@on_request\ndef hook(req: Request) -> Response | None:\n")
        out += self.body("    ", "Response")
        shown = " ".join(
            f"{{{name}!r}}"
            for kind in VARIABLES
            for name in VARIABLES[kind][:2]
            if kind not in ("list", "Point")
        )
        out.append(
            f'    return Response(200, f"{shown} {{len(w)}} {{point.x}} {{point.name!r}}")\n'
        )
        return "".join(out)

    def helper(self, at: int) -> str:
        """A function with typed parameters."""
        kinds = [self.numbers.choice(list(VARIABLES)) for _ in range(self.numbers.randint(0, 4))]
        result = self.numbers.choice(["int", "str", "bytes", "bool", "str?", "int?"])
        name = f"helper{at}"
        params = ", ".join(f"a{i}: {ANNOTATIONS.get(kind, kind)}" for i, kind in enumerate(kinds))
        text = f"def {name}({params}) -> {ANNOTATIONS.get(result, result)}:\n"
        inner = "".join(self.body("    ", result, request=False))
        inner += f"    return {self.expr(result, 2)}\n\n\n"
        self.helpers.append((name, kinds, result))
        return text + inner

    def body(self, pad: str, result: str, request: bool = True) -> list[str]:
        """First all variables, then statements."""
        self.request = request
        out = [f"{pad}{v} = {FIRST[kind]}\n" for kind, names in VARIABLES.items() for v in names]
        for kind in ("str?", "int?"):
            for name in VARIABLES[kind]:
                out += [f"{pad}if {self.expr('bool', 1)}:\n"]
                out += [f"{pad}    {name} = {self.expr(kind[:-1], 1)}\n"]
        self.loops = 0
        for _ in range(self.numbers.randint(1, 6)):
            out += self.statement(pad, 3, result)
        return out

    def statement(self, pad: str, depth: int, result: str) -> list[str]:
        """One statement, on lines of its own."""
        choice, more = self.numbers.choice, pad + "    "

        def block() -> list[str]:
            return [
                line
                for _ in range(self.numbers.randint(1, 3))
                for line in self.statement(more, depth - 1, result)
            ]

        kind = self.numbers.randrange(14 if depth > 0 else 6)
        match kind:
            case 0 | 1 | 2 | 3:
                type = choice(list(VARIABLES))
                return [f"{pad}{choice(VARIABLES[type])} = {self.expr(type, 3)}\n"]
            case 4:
                op = choice(("+=", "-=", "*=", "^=", "|=", "&=", "//=", "%=", ">>="))
                return [f"{pad}{choice(VARIABLES['int'])} {op} {self.expr('int', 2)}\n"]
            case 5:
                return [f"{pad}{choice(VARIABLES['str'])} += {self.expr('str', 2)}\n"]
            case 6 | 7:
                out = [f"{pad}if {self.expr('bool', 3)}:\n", *block()]
                return [*out, f"{pad}else:\n", *block()] if choice((0, 1)) else out
            case 8:
                name, over = choice(
                    (
                        ("i", f"range({choice('123')}, {choice('4567')})"),
                        ("s", "w"),
                        ("s", "NAMES"),
                        ("s", self.expr("str", 1)),
                        ("s, i", "CODES.items()"),
                        ("j, t", "enumerate(w)"),
                        ("i", self.expr("bytes", 1)),
                    )
                )
                out = [f"{pad}for {name} in {over}:\n", *block()]
                if choice((0, 1)):
                    out.append(f"{more}if {self.expr('bool', 1)}:\n")
                    out.append(f"{more}    {choice(('break', 'continue'))}\n")
                return [*out, f"{pad}else:\n", *block()] if choice((0, 0, 1)) else out
            case 9:
                self.loops += 1
                count = f"z{self.loops}"
                return [
                    f"{pad}{count} = 0\n",
                    f"{pad}while {count} < {choice('123')}:\n",
                    f"{more}{count} += 1\n",
                    *block(),
                ]
            case 10:
                error = choice(
                    ("ValueError", "Exception", "(KeyError, IndexError)", "ZeroDivisionError")
                )
                out = [f"{pad}try:\n", *block(), f"{pad}except {error}:\n", *block()]
                return [*out, f"{pad}else:\n", *block()] if choice((0, 1)) else out
            case 11:
                subject, cases = choice(
                    (
                        (self.expr("str", 2), ('"a"', '"one" | "two"', '"x" | "/x"')),
                        (self.expr("int", 2), ("0", "1 | 2", "-1")),
                        (
                            "(" + self.expr("int", 1) + ", " + self.expr("str", 1) + ")",
                            ("(0, t)", "(i, 'a')", "(1, _)"),
                        ),
                    )
                )
                out = [f"{pad}match {subject}:\n"]
                for case in cases:
                    guard = f" if {self.expr('bool', 1)}" if choice((0, 0, 1)) else ""
                    inner = [
                        line.replace(more, more + "    ", 1)
                        for line in self.statement(more, 0, result)
                    ]
                    out += [f"{more}case {case}{guard}:\n", *inner]
                return [*out, f"{more}case _:\n{more}    pass\n"]
            case 12:
                name = choice(VARIABLES["str?"])
                return [
                    f"{pad}if {name} is not None:\n",
                    f"{more}s = {name} + {self.expr('str', 1)}\n",
                ]
        if result == "Response":
            value = choice(
                (
                    f"Response({choice(('200', '404', '299'))}, {self.expr('str', 2)})",
                    "None",
                    f"Response(200, {self.expr('bytes', 1)})",
                )
            )
        else:
            value = self.expr(result, 2)
        return [f"{pad}if {self.expr('bool', 2)}:\n", f"{more}return {value}\n"]

    def expr(self, type: str, depth: int) -> str:
        """An expression of a type."""
        choice = self.numbers.choice
        if depth <= 0:
            return self.leaf(type)
        calls = [h for h in self.helpers if h[2] == type]
        if calls and self.numbers.random() < 0.15:
            name, kinds, _ = choice(calls)
            return f"{name}({', '.join(self.expr(kind, depth - 1) for kind in kinds)})"

        def e(kind: str) -> str:
            return self.expr(kind, depth - 1)

        if self.numbers.random() < 0.1:
            return f"({e(type)} if {e('bool')} else {e(type)})"
        makers = MAKERS.get(type)
        return choice(makers)(e, choice) if makers else self.leaf(type)

    def leaf(self, type: str) -> str:
        """A variable or a constant."""
        choice = self.numbers.choice
        if type in ("str?", "int?"):
            return choice((*VARIABLES[type], "None", *VARIABLES[type[:-1]]))
        variables = VARIABLES[type]
        constants: tuple[str, ...] = {
            "int": NUMBERS,
            "str": TEXTS,
            "bytes": BYTES,
            "bool": ("True", "False"),
            "list": ("w",),
            "Point": ("point", "Point(3)", 'Point(x=2, name="q")'),
        }[type]
        if self.request and type == "str" and choice((0, 1)):
            return choice(("req.path", "req.method", "req.query"))
        return choice((*variables, choice(constants)))


Make = Callable[[str], str]
Choice = Callable[..., str]
MAKERS: dict[str, tuple[Callable[[Make, Choice], str], ...]] = {
    "int": (
        lambda e, c: f"({e('int')} {c(('+', '-', '*', '//', '%', '&', '|', '^'))} {e('int')})",
        lambda e, c: f"({e('int')} {c(('<<', '>>'))} {c(('1', '3', '63', '64', 'i & 7'))})",
        lambda e, c: f"(({e('int')} * {e('int')} + {e('int')}) & MASK)",
        lambda e, c: f"({e('int')} & {c(('0xFF', '0x7FFF_FFFF', 'MASK', '-2'))})",
        lambda e, c: f"{c(('-', '~', '+', 'abs'))}({e('int')})",
        lambda e, c: f"len({e(c(('str', 'bytes', 'list')))})",
        lambda e, c: f"{e('str')}.{c(('find', 'count', 'rfind'))}({e('str')})",
        lambda e, c: f"{c(('min', 'max'))}({e('int')}, {e('int')})",
        lambda e, c: f"int({e('str')})",
        lambda e, c: f"int({e('bool')})",
        lambda e, c: f"ord({e('str')})",
        lambda e, c: f"CODES.get({e('str')}, {e('int')})",
        lambda e, c: f"CODES[{e('str')}]",
        lambda e, c: f"{e('bytes')}[{e('int')}]",
        lambda e, c: f"{e('Point')}.x",
        lambda e, c: f"({e('int?')} or {e('int')})",
        lambda e, c: f"divmod({e('int')}, {e('int')})[{c('01')}]",
        lambda e, c: f"sum(len(n) for n in {e('list')})",
        lambda e, c: f"HITS.add({e('str')}, {c('123')})",
        lambda e, c: f"int.from_bytes({e('bytes')}, 'little')",
        lambda e, c: f"({e('int')}).bit_length()",
        lambda e, c: f"({e('int')} ** {c('0123')})",
    ),
    "str": (
        lambda e, c: f"({e('str')} + {e('str')})",
        lambda e, c: f"str({e('int')})",
        lambda e, c: "f'{i}:{s!r}{j:04d}{t:>5}{o}'",
        lambda e, c: (
            f"{e('str')}.{c(('lower', 'upper', 'strip', 'title', 'swapcase', 'casefold'))}()"
        ),
        lambda e, c: f"{e('str')}.replace({e('str')}, {e('str')})",
        lambda e, c: f"{e('str')}[{c(('1:', ':-1', '::2', '::-1', '-3:', 'i:j', 'i:'))}]",
        lambda e, c: f"{e('str')}[{e('int')}]",
        lambda e, c: f"{e('str')}.partition({e('str')})[{c('012')}]",
        lambda e, c: (
            f"{e('str')}.{c(('removeprefix', 'removesuffix', 'strip', 'lstrip'))}({e('str')})"
        ),
        lambda e, c: f"({e('str')} * {c(('0', '2', '-1', 'len(w)'))})",
        lambda e, c: f"{e('str')}.join({e('list')})",
        lambda e, c: f"({e('str?')} or {e('str')})",
        lambda e, c: f"{e('Point')}.name",
        lambda e, c: f"{e('bytes')}.decode('latin-1')",
        lambda e, c: f"{e('bytes')}.hex()",
        lambda e, c: f"repr({e(c(('str', 'int', 'bytes', 'bool')))})",
        lambda e, c: f"{c(('hex', 'oct', 'bin', 'str'))}({e('int')})",
        lambda e, c: f"json.dumps({e(c(('str', 'int', 'bool', 'str?')))})",
        lambda e, c: f"{c(('quote', 'unquote'))}({e('str')})",
        lambda e, c: f"re.sub(r'[a-f]+', '-', {e('str')})",
        lambda e, c: f"hashlib.sha256({e('bytes')}).hexdigest()",
        lambda e, c: f"NAMES[{e('int')}]",
        lambda e, c: f"{e('str')}.{c(('zfill', 'center', 'ljust'))}({c(('3', '9', 'len(t)'))})",
        lambda e, c: f"chr(ord({e('str')}) & 127)",
    ),
    "bytes": (
        lambda e, c: f"({e('bytes')} + {e('bytes')})",
        lambda e, c: f"{e('str')}.encode()",
        lambda e, c: f"{e('bytes')}[{c(('1:', ':2', '::-1'))}]",
        lambda e, c: f"base64.b64encode({e('bytes')})",
        lambda e, c: f"base64.b64decode({e('str')})",
        lambda e, c: (
            f"({e('int')} & 0xFFFF).to_bytes({c('248')}, {c(('`big`', '`little`'))})".replace(
                "`", "'"
            )
        ),
        lambda e, c: f"{e('bytes')}.replace({e('bytes')}, {e('bytes')})",
    ),
    "bool": (
        lambda e, c: f"({e('int')} {c(('<', '<=', '==', '!=', '>', '>='))} {e('int')})",
        lambda e, c: f"({e('str')} {c(('<', '==', '!=', '>=', 'in', 'not in'))} {e('str')})",
        lambda e, c: f"({e('bytes')} {c(('<', '==', 'in'))} {e('bytes')})",
        lambda e, c: f"(not {e('bool')})",
        lambda e, c: f"({e('bool')} {c(('and', 'or', '==', '^', '&'))} {e('bool')})",
        lambda e, c: f"({e(c(('str?', 'int?')))} is {c(('', 'not '))}None)",
        lambda e, c: f"{e('str')}.{c(('startswith', 'endswith'))}({e('str')})",
        lambda e, c: f"{e('str')}.{c(('isdigit', 'isalpha', 'isspace', 'isupper', 'isascii'))}()",
        lambda e, c: f"({e('str')} in {c(('WORDS', 'NAMES', 'CODES', 'w'))})",
        lambda e, c: f"bool({e(c(('str', 'int', 'str?', 'bytes', 'list')))})",
        lambda e, c: f"({e('int')} < {e('int')} <= {e('int')})",
        lambda e, c: f"(NUMBER.{c(('search', 'match', 'fullmatch'))}({e('str')}) is None)",
        lambda e, c: f"{c(('any', 'all'))}(n != {e('str')} for n in {e('list')})",
        lambda e, c: f"({e('Point')} == {e('Point')})",
        lambda e, c: f"({e('str?')} == {e('str?')})",
    ),
    "list": (
        lambda e, c: f"{e('str')}.split({c((',', ' ', ''))!r})".replace("''", ""),
        lambda e, c: f"{e('str')}.splitlines()",
        lambda e, c: f"{e('list')}[{c(('1:', ':2', '::-1'))}]",
        lambda e, c: f"re.findall(r'[a-z]+', {e('str')})",
    ),
    "Point": (lambda e, c: f"Point({e('int')}, {e('str')})",),
    "str?": (
        lambda e, c: e("str"),
        lambda e, c: f"({e('str')} if {e('bool')} else None)",
        lambda e, c: f"({e('str?')} or {e('str?')})",
    ),
    "int?": (lambda e, c: e("int"), lambda e, c: f"HITS.get({e('str')})"),
}
