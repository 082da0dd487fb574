"""Programs that would behave otherwise compiled than in CPython if the compiler took Python's rules
lightly: what is evaluated, in which order and how often, and which variable a name means.

Each is the body of a function that sees requests; in front of ``---`` stands what comes before the
function, behind ``## name.py`` a module. Those of ``same.txt`` give the same answers in both
engines; those of ``refused.txt`` are not compiled, for the reason behind ``=>``: only CPython
would do what they say.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import zeroserve
from zeroserve.testing import Client

PROGRAMS = Path(__file__).parent / "faithful"
PATHS = (
    "/?q=a&n=5",
    "/?q=&n=-3&z=1",
    "/x/y?n=0",
    "/?q=abc&n=9223372036854775807&z=2",
    "/?q=a&n=5",
)
BEFORE = """import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import urlencode
from zeroserve.script import Request, Response, Table, on_request, on_response

T = Table(str, int, max_entries=100)

def hit(k: str) -> str:
    return k + str(T.add(k, 1))

def nothing(k: str) -> None:
    T.add(k, 1)

def opt(req: Request, k: str) -> str | None:
    return req.query_param(k)

def num(req: Request, k: str) -> int | None:
    v = req.query_param(k)
    return None if v is None else int(v)

"""


class Program:
    """A script, and the modules beside it."""

    def __init__(self, text: str) -> None:
        script, *more = re.split(r"^## (\S+)\n", text.strip("\n"), flags=re.M)
        self.files = dict(zip(more[::2], more[1::2], strict=True))
        if "@on_" not in script:
            head, _, body = script.rpartition("---\n")
            body = textwrap.indent(body.strip("\n"), "    ")
            script = f"{head}@on_request\ndef main(req: Request) -> Response | None:\n{body}\n"
        self.files["s.py"] = BEFORE + script

    def site(self, path: Path) -> Path:
        """A site with the script."""
        directory = path / ".zeroserve/scripts"
        directory.mkdir(parents=True)
        (path / "index.html").write_text("home")
        for name, text in self.files.items():
            (directory / name).write_text(text, encoding="utf-8")
        return path


def answers(site: Path, engine: str) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    client = Client(site, engine=engine)
    found = []
    for path in PATHS:
        made = client.request("GET", path)
        fields = [(name, value) for name, value in made.headers.items() if name != "date"]
        found.append((made.status, fields, made.body))
    return found


def programs(name: str) -> dict[str, str]:
    """Of a file in which ``### title`` stands before each."""
    text = (PROGRAMS / name).read_text(encoding="utf-8")
    parts = re.split(r"^### (.+)\n", text, flags=re.M)[1:]
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    assert len(found) * 2 == len(parts), "two programs of one name"
    return found


SAME = programs("same.txt")
REFUSED = programs("refused.txt")


@pytest.mark.parametrize("name", SAME)
def test_same_answers(name: str, tmp_path: Path) -> None:
    site = Program(SAME[name]).site(tmp_path)
    native, cpython = answers(site, "native"), answers(site, "cpython")
    assert native == cpython
    assert any(status != 500 for status, _, _ in cpython), "it fails in CPython, too"


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    text, _, words = REFUSED[name].rpartition("=> ")
    with pytest.raises(zeroserve.Error, match=re.escape(words.strip())):
        answers(Program(text).site(tmp_path), "native")
