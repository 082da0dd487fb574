"""Keys of configuration files as data: what a value may be, its default, and what it is for.

A table is a dataclass whose fields are made with ``key`` and ``table``. Reading one gathers all
that is wrong with it before anything is said.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from zeroserve.config.faults import Faults

T = TypeVar("T")

Parse = Callable[[object], Any]
"""Makes the value of what stands in the file; raises ValueError with the reason."""

METADATA = "zeroserve"


class Key(NamedTuple):
    """One row of the table of keys."""

    parse: Parse | None
    """None for a table below."""
    values: str
    """What may be written, in words: ``1 to 1000``."""
    doc: str
    """What it does, lower-case, no full stop."""
    below: type | None = None
    """The dataclass of a table."""


def key(default: Any, parse: Parse, values: str, doc: str) -> Any:
    """A field of a dataclass that is one key."""
    return dataclasses.field(default=default, metadata={METADATA: Key(parse, values, doc)})


def table(below: type, doc: str, *, optional: bool = False) -> Any:
    """A field that is a table of its own; None without it when it is ``optional``."""
    row = {METADATA: Key(None, "a table", doc, below)}
    if optional:
        return dataclasses.field(default=None, metadata=row)
    return dataclasses.field(default_factory=below, metadata=row)


def rows(of: type) -> Iterator[tuple[dataclasses.Field[Any], Key]]:
    """The fields of a dataclass and what is said of them."""
    for field in dataclasses.fields(of):
        yield field, field.metadata[METADATA]


def read(of: type[T], values: object, place: tuple[str, ...], faults: Faults) -> T:
    """Read a table. What is wrong goes to ``faults``, and the defaults stand in its place."""
    if not isinstance(values, Mapping):
        faults.add(place, f"not a table: {shown(values)}")
        return of()
    known = {field.name: row for field, row in rows(of)}
    given: dict[str, Any] = {}
    for name, value in values.items():
        row = known.get(name)
        if row is None:
            faults.add_unknown((*place, name), known)
        elif row.below is not None:
            given[name] = read(row.below, value, (*place, name), faults)
        elif row.parse is not None:
            try:
                given[name] = row.parse(value)
            except ValueError as error:
                faults.add((*place, name), str(error))
    return of(**given)


def shown(value: object) -> str:
    """A value as it would stand in the file, cut when it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 100 else text[:100] + "..."


def whole(least: int, most: int) -> Parse:
    """A whole number in a range."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"not a whole number from {least} to {most}: {shown(value)}")
        return value

    return parse


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"not true or false: {shown(value)}")
    return value


def text(value: object) -> str:
    """Any text that fits on a line."""
    if not isinstance(value, str) or not value or len(value) > 1024 or not value.isprintable():
        raise ValueError(f"not a text: {shown(value)}")
    return value


def choice(*words: str) -> Parse:
    """One of some words."""

    def parse(value: object) -> str:
        if value not in words or not isinstance(value, str):
            known = ", ".join(words[:-1]) + " or " + words[-1]
            raise ValueError(f"not {known}: {shown(value)}")
        return value

    return parse


def several(*words: str) -> Parse:
    """A list of some words."""

    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"not a list of {', '.join(words)}: {shown(value)}")
        one = choice(*words)
        return tuple(one(word) for word in value)

    return parse


def statuses(value: object) -> tuple[str, ...]:
    """Statuses and ranges of them: ``204``, ``"200-299"``, or a list of both."""
    members = value if isinstance(value, list) else [value]
    found = []
    for member in members:
        ends = str(member).split("-")
        plain = isinstance(member, str | int) and not isinstance(member, bool)
        good = [len(end) == 3 and end.isascii() and end.isdigit() for end in ends]
        numbers = [int(end) if ok else 0 for end, ok in zip(ends, good, strict=True)]
        in_range = all(100 <= number <= 599 for number in numbers)
        if not plain or len(ends) > 2 or not in_range or numbers != sorted(numbers):
            raise ValueError(f'not a status or a range like "200-299": {shown(member)}')
        found.append("-".join(ends))
    return tuple(found)
