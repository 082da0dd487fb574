"""What is wrong with a configuration file: everything at once, each with its place."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zeroserve._core import Error
from zeroserve.words import printable

MAX_FAULTS = 50
"""More are not told: who has made so many reads the file again."""

HEADER = re.compile(r"\s*\[\[?\s*([^\[\]#]+?)\s*\]\]?\s*(?:#.*)?$")
ASSIGNMENT = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[^=\s.]+)*)\s*=""")
PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^.\s]+))\s*\.?""")


class Fault(NamedTuple):
    """One thing that is wrong."""

    path: str
    """Of the file, as it was named."""
    line: int | None
    """Counted from 1; None where it can't be told."""
    place: str
    """The keys that lead to it: ``pools.api.health.path``."""
    message: str
    hint: str | None = None

    @property
    def said(self) -> str:
        """Place and message, without the file: for where that is known."""
        return ": ".join(filter(None, [self.place, self.message]))

    def __str__(self) -> str:
        line = "" if self.line is None else f":{self.line}"
        return printable(f"{self.path}{line}: {self.said}")


class Faults:
    """Gathers what is wrong with one file."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._lines: dict[tuple[str, ...], int] | None = None
        self._text = text
        self.found: list[Fault] = []

    def add(
        self,
        place: Sequence[str],
        message: str,
        hint: str | None = None,
        *,
        line: int | None = None,
    ) -> None:
        """One more; ``place`` is the path of keys."""
        if len(self.found) >= MAX_FAULTS:
            return
        at = line if line is not None else self._line(tuple(place))
        self.found.append(Fault(self._path, at, _joined(place), message, hint))

    def add_unknown(self, place: Sequence[str], known: Iterable[str]) -> None:
        """A key that nothing is known of, with the one that was probably meant."""
        import difflib  # late: only mistakes pay for it

        names = list(known)
        close = difflib.get_close_matches(place[-1], names, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else "known keys: " + ", ".join(names)
        self.add(place, "unknown key", hint)

    def error(self) -> Error:
        """All of them as one error."""
        first, more = self.found[0], len(self.found) - 1
        message = str(first) + (f" (and {more} more)" if more else "")
        error = Error(message, first.hint) if first.hint else Error(message)
        for fault in self.found if more else ():
            hint = f" ({fault.hint})" if fault.hint else ""
            error.add_note(f"{fault}{hint}")
        return error

    def _line(self, place: tuple[str, ...]) -> int | None:
        if self._lines is None:
            self._lines = lines(self._text)
        # The place itself, or the nearest table around it.
        while place:
            if place in self._lines:
                return self._lines[place]
            place = place[:-1]
        return None


def lines(text: str) -> dict[tuple[str, ...], int]:
    """Lines on which tables and keys of a TOML file begin, as far as plain looking tells.

    The parser of the standard library keeps no positions. Keys inside of inline tables, and of
    tables in lists, are not found; those around them are.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = HEADER.match(line)
        if header:
            table = parts(header[1])
            for end in range(1, len(table) + 1):
                found.setdefault(table[:end], number)
            continue
        assignment = ASSIGNMENT.match(line)
        if assignment:
            names = parts(assignment[1])
            for end in range(1, len(names) + 1):
                found.setdefault(table + names[:end], number)
    return found


def parts(dotted: str) -> tuple[str, ...]:
    """The names of a dotted key."""
    return tuple(next(filter(None, match.groups()), "") for match in PART.finditer(dotted))


def _joined(place: Sequence[str]) -> str:
    text = ""
    for part in place:
        text += part if part.startswith("[") or not text else f".{part}"
    return text
