"""Literate tests of the compiler of scripts: Markdown with scripts, their errors and their answers.

A section is a case. Its blocks:

    py              a script; errors of a line stand behind it: # error: [9] "message" hint "text"
    py body         statements of a hook of a script that imports what there is; ``req`` is there
    py head         definitions in front of a ``py body``
    py name.py      a module beside the script
    console         requests (``>``) and answers (``<``); both engines have to give these
    console limit   the same where a limit stops the compiled script: CPython is not asked
    ir              the typed form of the functions

Whoever blesses a page has CPython's answers written into it, and the compiler's errors.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.script_oracle import LIMIT, Answer, Ask, answers, native, raised
from zeroserve import compiler
from zeroserve.compiler.diagnostics import CompileError, Diagnostic
from zeroserve.testing import Client

PAGES = Path(__file__).resolve().parent.parent / "golden" / "script"

HEAD = """\
import base64, binascii, hashlib, hmac, ipaddress, json, math, re, secrets, time, urllib.parse, zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, NamedTuple
from zeroserve.script import Request, Response, Table, abort, env, log, on_request, on_response
from zeroserve.script import proxy, rate_limit, redirect
"""
HOOK = "@on_request\ndef hook(req: Request) -> Response | None:\n"
INDENT = "    "

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ERROR = re.compile(r'  # error: \[(\d+)\] ("(?:[^"\\]|\\.)*")(?: hint ("(?:[^"\\]|\\.)*"))?')


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is, and where in the page its text stands."""

    kind: str
    info: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass
class Case:
    """A section of a page."""

    page: Path
    title: str
    blocks: list[Block]

    def of(self, kind: str) -> list[Block]:
        """Blocks of a kind."""
        return [block for block in self.blocks if block.kind == kind]


class Wrong(AssertionError):
    """A page says something else than the compiler or the engines."""


def cases(page: Path) -> Iterator[Case]:
    """The sections of a page that have a script."""
    text = page.read_text("utf-8")
    # Comments of scripts look like titles.
    plain = _FENCE.sub(lambda found: " " * len(found[0]), text)
    titles = [(found.start(), found[1]) for found in _TITLE.finditer(plain)]
    ends = [at for at, _ in titles[1:]] + [len(text)]
    for (start, title), end in zip(titles, ends, strict=True):
        blocks = [
            Block(found[1], found[2].strip(), found[3], found.start(3))
            for found in _FENCE.finditer(text, start, end)
        ]
        if any(block.kind == "py" for block in blocks):
            yield Case(page, title, blocks)


def check(case: Case, directory: Path, bless: bool = False) -> list[tuple[Block, str]]:
    """Compare a case with what happens. Returns blocks with the text that they should have.

    Raises ``Wrong`` when that is not what they have, unless ``bless``. What can't be blessed is
    wrong in any case: that the engines differ.
    """
    path, places = written(case, directory)
    found = diagnostics(path)
    right: list[tuple[Block, str]] = []
    for block, (file, line, column) in places.items():
        mine = [d for d in found if d.path == file]
        right.append((block, annotated(block.text, mine, line, column)))
    if not found:
        made = compiler.compile_file(str(path)).object
        right += [(block, typed(path)) for block in case.of("ir")]
        right += [(block, talked(block, path, made)) for block in case.of("console")]
    elif len(case.blocks) > len(places):
        raise Wrong("refused, so there are no answers:\n" + "\n".join(map(str, found)))
    outside = [d for d in found if d.path == str(path) and not _is_inside(d, places)]
    if outside:
        raise Wrong("errors outside of the blocks:\n" + "\n".join(map(str, outside)))
    right = [(block, text) for block, text in right if block.text != text]
    if right and not bless:
        raise Wrong("\n".join(f"says:\n{b.text}\nis:\n{text}" for b, text in right))
    return right


Place = tuple[str, int, int]
"""File, line before the first, column before the first."""


def written(case: Case, directory: Path) -> tuple[Path, dict[Block, Place]]:
    """Write the scripts of a case to files."""
    path = directory / "script.py"
    places: dict[Block, Place] = {}
    text = ""
    for block in sorted(case.of("py"), key=lambda block: block.info == "body"):  # behind its head
        plain = _ERROR.sub("", block.text)
        if block.info.endswith(".py"):
            (directory / block.info).write_text(plain, "utf-8", "surrogatepass", "")
            places[block] = (str(directory / block.info), 0, 0)
            continue
        if block.info in ("body", "head") and not text:
            text = HEAD
        if block.info == "body":
            text += HOOK
            plain = "".join(INDENT + line if line.strip() else line for line in plain.splitlines(True))
        places[block] = (str(path), text.count("\n"), len(INDENT) * (block.info == "body"))
        text += plain
    path.write_text(text, "utf-8", "surrogatepass", "")
    return path, places


def _is_inside(found: Diagnostic, places: dict[Block, Place]) -> bool:
    return any(
        file == found.path and line < found.line <= line + block.text.count("\n")
        for block, (file, line, _) in places.items()
    )


def diagnostics(path: Path) -> list[Diagnostic]:
    """What is wrong with a script, without asking LLVM."""
    try:
        compiler.emit(str(path), "ir")
    except CompileError as error:
        return error.diagnostics
    return []


def annotated(text: str, found: list[Diagnostic], line: int, column: int) -> str:
    """The text of a block with comments that say what is wrong."""
    lines = _ERROR.sub("", text).split("\n")
    for diagnostic in found:
        at = diagnostic.line - line - 1
        if 0 <= at < len(lines) - 1:
            hint = f" hint {_quoted(diagnostic.hint)}" if diagnostic.hint else ""
            place = f"[{diagnostic.column - column}]"
            lines[at] += f"  # error: {place} {_quoted(diagnostic.message)}{hint}"
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def typed(path: Path) -> str:
    """The typed form of a script, without the entries."""
    parts = compiler.emit(str(path), "ir").split("\n\n")
    return "\n\n".join(part.strip("\n") for part in parts if "# zeroserve." not in part).rstrip() + "\n"


def talked(block: Block, path: Path, made: bytes) -> str:
    """The requests of a block with the answers that they get."""
    ours = native(path, made)
    limit = block.info == "limit"
    theirs = None if limit else Client(path, engine="cpython")
    out = []
    for lines, wanted in requests(block.text):
        ask = asked(lines)
        one = answers(ours, ask)
        if one.status == 500 and not one.log:
            one = one._replace(log=answers(native(path, made), ask).log)
        if theirs is not None:
            two = answers(theirs, ask)
            if (one[:3], raised(one.log)) != (two[:3], raised(two.log)):
                raise Wrong(f"{lines[0]}\nnative  {one}\ncpython {two}")
        elif not LIMIT.search(one.log):
            raise Wrong(f"{lines[0]}\nno limit stops it: {one}")
        out += [*lines, *told(one, [row.strip("< ").partition(":")[0] for row in wanted[1:]])]
    return "\n".join(out) + "\n"


def requests(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Lines of requests with those of their answers."""
    for part in re.split(r"^(?=> \S)", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        yield [line for line in lines if line[0] == ">"], [line for line in lines if line[0] == "<"]


def asked(lines: list[str]) -> Ask:
    """What lines like ``> GET /path``, ``>   name: value`` and ``>   'body'`` ask for."""
    method, path = lines[0].removeprefix("> ").split(" ")
    headers, body = [], None
    for line in lines[1:]:
        text = line.removeprefix(">").strip()
        if text[0] in "'\"b" and text[-1] in "'\"":
            body = ast.literal_eval(text)
        else:
            name, _, value = text.partition(": ")
            headers.append((name, value))
    return lambda client: client.request(method, path, headers, body)


def told(answer: Answer, names: list[str]) -> list[str]:
    """An answer as lines."""
    if answer.status == 500:
        return [f"< 500 {' '.join(raised(answer.log))}".rstrip()]
    text = answer.body.decode("utf-8", "backslashreplace")
    if not text.isprintable() or text.strip() != text or text[:1] in ("'", '"') or len(text) > 200:
        text = repr(text)
    fields = dict(answer.headers)
    return [f"< {answer.status} {text}".rstrip(), *(f"<   {n}: {fields.get(n)}" for n in names)]
