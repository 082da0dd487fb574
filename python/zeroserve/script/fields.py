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

OF_RESPONSES = FRAMING | {"connection", "keep-alive", "proxy-connection", "te", "upgrade"}
"""What else in a response concerns the connection rather than the message."""

BLANKS = " \t"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FULL = f"more than {MAX_HEADER_FIELDS} headers, or {MAX_HEADER_BYTES} bytes of them"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_token(text: str) -> bool:
    """Whether it consists of what methods and names do."""
    return _TOKEN.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether it can be the name of a field."""
    return is_token(text) and len(text) <= MAX_NAME_BYTES


def row(name: str, value: str, forbidden: frozenset[str]) -> tuple[str, bytes]:
    """A field that a script sets, without blanks around the value; otherwise ValueError.

    What ends a line would begin a header of its own.
    """
    if not is_name(name):
        raise ValueError(f"not a name of a header: {name!r}")
    if name.lower() in forbidden:
        raise ValueError(f"header {name} is up to the server")
    data = value.encode("utf-8", "surrogateescape")
    if has_control(value):
        raise ValueError(f"value of header {name} has a control character")
    return name, data.strip(BLANKS.encode())


def has_control(value: str) -> bool:
    """Whether it has a control character other than a tab."""
    return _CONTROL.search(value) is not None


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
        new = row(name, value, self._forbidden)
        wanted = lower(name)
        at = next((i for i, (n, _) in enumerate(self._rows) if n.lower() == wanted), None)
        if at is None:
            self._add(new)
            return
        before, after = self._rows[:at], self._rows[at + 1 :]
        rest = [other for other in after if other[0].lower() != wanted]
        self._put([*before, new, *rest])

    def append(self, name: str, value: str) -> None:
        """Add a field behind those that are there."""
        self._add(row(name, value, self._forbidden))

    def remove(self, name: str) -> None:
        """Remove all fields of that name; those that the server sets itself stay."""
        wanted = lower(name)
        if wanted not in self._forbidden:
            kept = [other for other in self._rows if other[0].lower() != wanted]
            self.changed = self.changed or len(kept) != len(self._rows)
            self._rows = kept

    def _add(self, new: tuple[str, bytes]) -> None:
        if len(self._rows) >= MAX_HEADER_FIELDS:
            raise Stop(_FULL)
        self._put([*self._rows, new])

    def _put(self, rows: list[tuple[str, bytes]]) -> None:
        if sum(len(name) + len(value) for name, value in rows) > MAX_HEADER_BYTES:
            raise Stop(_FULL)
        self._rows = rows
        self.changed = True
