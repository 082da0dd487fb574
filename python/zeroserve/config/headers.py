"""`_headers`: blocks of headers for paths.

    /assets/*
      Cache-Control: public, max-age=31536000, immutable
      ! X-Robots-Tag

A line that begins with ``/`` or ``https://`` is a pattern; those below it are headers, or ``!``
and the name of one that is removed. In values, ``:splat`` and ``:name`` stand for what the pattern
found.
"""

import re

from zeroserve.config.lines import MAX_RULES, Lines
from zeroserve.config.model import Block, Dialect, Field, Origin
from zeroserve.config.pattern import BadPattern, Pattern, parse, template
from zeroserve.script.fields import is_name
from zeroserve.script.response import FORBIDDEN

NAME = "_headers"

MAX_FIELDS = 64
"""Of a block; a response has no more than 128."""

START = re.compile(r"/|https?://", re.IGNORECASE)
OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def read(data: bytes, dialect: Dialect) -> tuple[list[Block], Lines]:
    """The blocks as far as they can be understood, and what is wrong with the rest."""
    lines = Lines(data, NAME)
    return _Reader(lines, dialect).blocks(), lines


class _Reader:
    def __init__(self, lines: Lines, dialect: Dialect) -> None:
        self._lines = lines
        self._loose = dialect == "netlify"
        self._blocks: list[Block] = []
        self._pattern: Pattern | None = None
        self._is_open = False
        """A pattern was there, good or bad: headers belong to it."""
        self._fields: list[Field] = []
        self._start = Origin(NAME, 0)
        self._text = ""

    def blocks(self) -> list[Block]:
        for line in self._lines:
            text = line.strip(" \t")
            if not text or text.startswith("#"):
                continue
            at = len(line) - len(line.lstrip(" \t"))
            if START.match(text) or OTHER_SCHEME.match(text):
                if len(self._blocks) >= MAX_RULES:
                    self._lines.add(0, f"more than {MAX_RULES:,} blocks")
                    break
                self._close()
                self._open(text, at)
            else:
                self._field(text, at)
        self._close()
        return self._blocks

    def _open(self, text: str, at: int) -> None:
        self._is_open, self._pattern, self._fields = True, None, []
        self._start, self._text = Origin(NAME, self._lines.number), text
        blank = re.search(r"[ \t]", text)
        if blank:
            message = "a blank in a pattern"
            self._lines.add(at + blank.start(), message, "write %20 for one that belongs to it")
            return
        try:
            self._pattern = parse(text, loose=self._loose)
        except BadPattern as bad:
            self._lines.add(at + bad.at, bad.message, bad.hint)

    def _close(self) -> None:
        if self._pattern is not None:
            block = Block(self._pattern, tuple(self._fields), self._start, self._text)
            self._blocks.append(block)
        self._pattern = None

    def _field(self, text: str, at: int) -> None:
        if not self._is_open:
            message = "a header before the first pattern"
            self._lines.add(at, message, "begin with a line like /*")
            return
        origin = Origin(NAME, self._lines.number)
        if len(self._fields) >= MAX_FIELDS:
            self._lines.add(at, f"more than {MAX_FIELDS} headers in a block")
            return
        if text.startswith("!"):
            name = text[1:].strip(" \t")
            if not name:
                self._lines.add(at + 1, "no name after !", "! Name removes a header")
            elif self._name(name, at + len(text) - len(name)):
                self._fields.append(Field(name, None, origin))
            return
        name, colon, value = text.partition(":")
        if not colon:
            if self._loose:
                self._lines.note(at, f"a line without a colon, which is skipped: {text[:60]}")
            else:
                message = f"neither a pattern nor a header: {text[:60]}"
                self._lines.add(at, message, _meant(text))
            return
        stripped = name.rstrip(" \t")
        if not self._name(stripped, at):
            return
        value = value.strip(" \t")
        if not value:
            message = f"no value for {stripped}"
            self._lines.add(at + len(text), message, f"to remove a header: ! {stripped}")
            return
        names = self._pattern.names if self._pattern is not None else frozenset()
        self._fields.append(Field(stripped, template(value, names), origin))

    def _name(self, name: str, at: int) -> bool:
        if not is_name(name):
            hint = name.replace(" ", "-") if is_name(name.replace(" ", "-")) else None
            self._lines.add(at, f"not the name of a header: {name[:60]}", hint)
            return False
        if name.lower() in FORBIDDEN:
            self._lines.add(at, f"a header that is up to the server: {name}", "remove the line")
            return False
        return True


def _meant(text: str) -> str:
    name, _, value = text.partition(" ")
    if is_name(name) and value:
        return f"{name}: {value.strip()[:60]}"
    return "Name: value, or ! Name to remove one"
