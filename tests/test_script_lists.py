"""Lists that scripts in Python make: comprehensions, and variables that grow."""

import textwrap
from pathlib import Path

import pytest
from support.cookbook import ENGINES
from zeroserve.compiler import CompileError, compile_text
from zeroserve.testing import Client

HEAD = """\
import json
from typing import Any, NamedTuple

from zeroserve.script import Request, Response, on_request


class Pair(NamedTuple):
    left: str
    right: int


def same(items: list[str]) -> list[str]:
    return items


"""

AS_TEXT = {
    "comprehension": 'return ",".join([part.upper() for part in words])',
    "generator": 'return "-".join(part * 2 for part in words if part and part != "b")',
    "none_fits": 'return f"{len([part for part in words if part == chr(0)])}"',
    "of_numbers": "return str(sum([n * n for n in range(len(words))]))",
    "of_tuples": """
        pairs = [(at, part) for at, part in enumerate(words)]
        at, part = pairs[-1]
        return f"{at}{part}{len(pairs)}"
    """,
    "of_records": """
        found = [Pair(part, len(part)) for part in words]
        return " ".join(pair.left + str(pair.right) for pair in found)
    """,
    "of_optionals": """
        found = [part if part else None for part in words]
        return " ".join("none" if part is None else part for part in found)
    """,
    "nested": 'return "|".join("".join(c + c for c in part) for part in words)',
    "in_any": 'return str(any(len([c for c in part if c == "a"]) > 1 for part in words))',
    "hides_a_variable": """
        part = 7
        texts = [part for part in words]
        return f"{part} {len(texts)}"
    """,
    "bytes": 'return b"".join(part.encode() for part in words).hex()',
    "json": """
        rows = json.dumps([{"part": part, "size": len(part)} for part in words])
        return rows + json.dumps({"all": words, "big": [part.upper() for part in words]})
    """,
    "append": """
        found: list[str] = []
        for part in words:
            if part:
                found.append(part)
        return f"{len(found)} " + ",".join(found)
    """,
    "append_many": """
        found = []
        for n in range(len(words) * 37):
            found.append((n, n % 7 == 0, words[n % len(words)]))
        total = 0
        for n, seventh, part in found:
            total += n * (3 if seventh else 1) + len(part)
        return str(total)
    """,
    "append_anew": """
        text = ""
        for n in range(5):
            inner: list[int] = []
            for m in range(n):
                inner.append(m)
            text += f"{len(inner)}{sum(inner)};"
        return text
    """,
    "append_in_turn": """
        even: list[str] = []
        odd: list[str] = []
        for at, part in enumerate(words):
            if at % 2:
                odd.append(part)
            else:
                even.append(part)
        return ",".join(even) + "/" + ",".join(odd)
    """,
    "append_and_look": """
        seen: list[str] = []
        for part in words:
            if part not in seen:
                seen.append(part)
        if not seen or (seen and len(seen) > 99):
            return "none"
        return seen[0] + seen[-1] + "".join(seen[1:])
    """,
}
"""Bodies of a function of ``words: list[str]`` that returns a text."""

TARGETS = ("/a/b/c", "/", "/aa//aa/b", "/" + "/".join("abcdefghij"), "/%C3%A9/%FF/x")


@pytest.mark.parametrize("name", AS_TEXT)
def test_as_in_cpython(name: str, tmp_path: Path) -> None:
    body = textwrap.indent(textwrap.dedent(AS_TEXT[name]).strip(), "    ")
    app = tmp_path / "app.py"
    app.write_text(
        f"{HEAD}def text(words: list[str]) -> str:\n{body}\n\n\n"
        "@on_request\ndef app(req: Request) -> Response | None:\n"
        '    answer = text(req.path.split("/"))\n'
        '    return Response(200, answer.encode("utf-8", "surrogateescape"))\n',
        encoding="utf-8",
    )
    native, cpython = (Client(app, engine=engine) for engine in ENGINES)
    for target in TARGETS:
        expected = cpython.get(target)
        answer = native.get(target)
        assert (answer.status, answer.body) == (expected.status, expected.body), target


REFUSED = {
    "second_name": ("x = []\nx.append(1)\ny = x\nx.append(len(y))", "may get a second name"),
    "to_a_function": ("x = []\nx.append('a')\ny = same(x)", "may get a second name"),
    "in_a_tuple": ("x = []\nx.append('a')\ny = (x, 1)", "may get a second name"),
    "in_a_dict": ("x = []\nx.append('a')\ny = {'a': x}\nx.append('b')", "may get a second name"),
    "by_or": ("x = []\nx.append('a')\ny = x or ['b']", "may get a second name"),
    "not_empty": ("x = ['a']\nx.append('b')", r"is more than \[\]"),
    "of_another": ("x = req.path.split('/')\nx.append('b')", r"is more than \[\]"),
    "meanwhile": ("x = []\nx.append(1)\nfor i in x:\n    x.append(i)", "while it is gone through"),
    "other_types": ("x = []\nx.append(1)\nx.append('a')", "is str, not int"),
    "sets": ("x = {c for c in req.path}", "a set comprehension"),
    "dicts": ("x = {c: 1 for c in req.path}", "a dict comprehension"),
    "several_loops": ("x = [a + b for a in 'ab' for b in req.path]", "several loops"),
    "of_nothing": ("x = [None for a in req.path]", "can't hold a None"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    body, message = REFUSED[name]
    text = textwrap.indent(body, "    ")
    source = (
        f"{HEAD}@on_request\ndef app(req: Request) -> Response | None:\n{text}\n    return None\n"
    )
    with pytest.raises(CompileError, match=message):
        compile_text(source)


def test_a_parameter_does_not_grow() -> None:
    source = (
        f"{HEAD}def add(items: list[str]) -> int:\n    items.append('a')\n    return 1\n\n\n"
        "@on_request\ndef app(req: Request) -> Response | None:\n"
        "    return Response(200, str(add(['a'])))\n"
    )
    with pytest.raises(CompileError, match="items is of who calls"):
        compile_text(source)
