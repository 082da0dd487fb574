"""Header fields: what may stand in them, and how they are looked up."""

import re
from collections.abc import Iterable, Iterator

from zeroserve.script.limits import (
    MAX_HEADER_BYTES,
    MAX_HEADER_FIELDS,
    MAX_NAME_BYTES,
    Stop,
)

FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Say where a message ends: the server's word alone."""

CONNECTION = frozenset({"connection", "keep-alive", "proxy-connection", "te", "upgrade"})
"""Concern a connection rather than a message."""

BLANKS = " \t\n\f\r"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_token(text: str) -> bool:
    """Whether it can be a method or the name of a field."""
    return _TOKEN.fullmatch(text) is not None


def field_name(name: str, forbidden: frozenset[str]) -> str:
    """The name, if a script may set a field of it; otherwise ValueError."""
    if not is_token(name) or len(name) > MAX_NAME_BYTES:
        raise ValueError(f"not a header name: {name!r}")
    if name.lower() in forbidden:
        raise ValueError(f"the server sets this header itself: {name!r}")
    return name


def field_value(value: str) -> bytes:
    """The value without blanks around it; ValueError when it has a control character.

    What ends a line would begin a header of its own.
    """
    value = value.strip(BLANKS)
    if _CONTROL.search(value):
        raise ValueError(f"a header value with a control character: {value!r}")
    return value.encode("utf-8", "surrogateescape")


def lower(name: str) -> str:
    """The name in lower case, of ASCII alone: the Kelvin sign is no ``k``."""
    return name.lower() if name.isascii() else name


def text(value: bytes) -> str:
    """A value as scripts see it: bytes that are not UTF-8 are lone surrogates."""
    return value.decode("utf-8", "surrogateescape")


class Fields:
    """Header fields in order, as bytes; names are looked up in any case."""

    def __init__(
        self, rows: Iterable[tuple[str, bytes]] = (), *, forbidden: frozenset[str] = FRAMING
    ) -> None:
        """``rows`` are taken as they are; ``forbidden``: names that scripts may not set."""
        self._rows = list(rows)
        self._forbidden = forbidden
        self.changed = False
        """Whether a script has changed any."""

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._rows)

    def values(self, name: str) -> list[str]:
        """Values of all fields of that name."""
        wanted = lower(name)
        return [text(value) for other, value in self._rows if other.lower() == wanted]

    def get(self, name: str) -> str | None:
        """The value of a field, several joined with ``, ``."""
        values = self.values(name)
        return ", ".join(values) if values else None

    def set(self, name: str, value: str) -> None:
        """Replace all fields of that name by one, where the first of them was."""
        row = (field_name(name, self._forbidden), field_value(value))
        wanted = lower(name)
        at = next((i for i, (n, _) in enumerate(self._rows) if n.lower() == wanted), None)
        if at is None:
            self._add(row)
            return
        before, after = self._rows[:at], self._rows[at + 1 :]
        rest = [other for other in after if other[0].lower() != wanted]
        self._put([*before, row, *rest])

    def append(self, name: str, value: str) -> None:
        """Add a field behind those that are there."""
        self._add((field_name(name, self._forbidden), field_value(value)))

    def remove(self, name: str) -> None:
        """Remove all fields of that name; those that the server sets itself stay."""
        wanted = lower(name)
        if wanted not in FRAMING:
            kept = [row for row in self._rows if row[0].lower() != wanted]
            self.changed = self.changed or len(kept) != len(self._rows)
            self._rows = kept

    def _add(self, row: tuple[str, bytes]) -> None:
        if len(self._rows) >= MAX_HEADER_FIELDS:
            raise Stop(f"more than {MAX_HEADER_FIELDS} headers")
        self._put([*self._rows, row])

    def _put(self, rows: list[tuple[str, bytes]]) -> None:
        if sum(len(name) + len(value) for name, value in rows) > MAX_HEADER_BYTES:
            raise Stop(f"headers of more than {MAX_HEADER_BYTES} bytes")
        self._rows = rows
        self.changed = True
