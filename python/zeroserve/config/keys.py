"""Keys of configuration files as data: what a value may be, its default, and what it is for.

A table is a dataclass whose fields are made with ``key``, ``table`` and ``tables``. Reading one
gathers all that is wrong with it before anything is said. The JSON Schema, the reference and the
example are made of the same rows.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from zeroserve.config.faults import Faults

T = TypeVar("T")

Schema = dict[str, Any]
"""A JSON Schema (draft 2020-12)."""

METADATA = "zeroserve"

MAX_TEXT_CHARS = 1024

MAX_TABLES = 1024
"""Of one kind: what has more is made by a program, which may as well write a script."""


class Kind(NamedTuple):
    """What a value may be."""

    parse: Callable[[object], Any]
    """Makes the value of what stands in the file; raises ValueError with the reason, and perhaps
    a hint as its second argument."""
    schema: Schema

    def __call__(self, value: object) -> Any:
        return self.parse(value)


class Several(ValueError):
    """What is wrong with members of a table or a list, each with its key."""

    def __init__(self, found: Sequence[tuple[str, ValueError]]) -> None:
        super().__init__(*found[0][1].args)
        self.found = found


def each(members: Mapping[str, object], parse: Callable[[str, object], T]) -> dict[str, T]:
    """All members of a table; raises ``Several`` with all that is wrong with them."""
    found: dict[str, T] = {}
    wrong: list[tuple[str, ValueError]] = []
    for name, value in members.items():
        try:
            found[name] = parse(name, value)
        except ValueError as error:
            wrong.append((name, error))
    if wrong:
        raise Several(wrong)
    return found


class Key(NamedTuple):
    """One row of the table of keys."""

    kind: Kind | None
    """None for what can only be a table."""
    values: str
    """What may be written, in words: ``1 to 1000``."""
    doc: str
    """What it does, lower-case, no full stop."""
    below: type | None = None
    """The dataclass of a table."""
    names: Kind | None = None
    """For tables with names of their own: what a name may be."""
    required: bool = False
    """Has to be there where its table is."""


def kind(schema: Schema) -> Callable[[Callable[[object], Any]], Kind]:
    """Makes a ``Kind`` of the function below it."""
    return lambda parse: Kind(parse, schema)


def key(default: Any, kind: Kind, values: str, doc: str, *, required: bool = False) -> Any:
    """A field of a dataclass that is one key."""
    row = Key(kind, values, doc, required=required)
    return dataclasses.field(default=default, metadata={METADATA: row})


def mapping(kind: Kind, values: str, doc: str, *, required: bool = False) -> Any:
    """A field of names with values, empty by default."""
    row = {METADATA: Key(kind, values, doc, required=required)}
    return dataclasses.field(default_factory=dict, metadata=row)


def table(
    below: type, doc: str, *, optional: bool = False, short: Kind | None = None, words: str = ""
) -> Any:
    """A field that is a table of its own; None without it when it is ``optional``.

    ``short``: what may stand in the place of the table, and ``words`` for that.
    """
    values = f"{words}, or a table" if words else "a table"
    row = {METADATA: Key(short, values, doc, below)}
    if optional:
        return dataclasses.field(default=None, metadata=row)
    return dataclasses.field(default_factory=below, metadata=row)


def tables(below: type, names: Kind, doc: str) -> Any:
    """A field that is any number of tables, each with a name of its own."""
    row = {METADATA: Key(None, "tables", doc, below, names)}
    return dataclasses.field(default_factory=dict, metadata=row)


def rows(of: type) -> Iterator[tuple[dataclasses.Field[Any], Key]]:
    """The fields of a dataclass and what is said of them."""
    for field in dataclasses.fields(of):
        yield field, field.metadata[METADATA]


def read(of: type[T], values: object, place: tuple[str, ...], faults: Faults) -> T:
    """Read a table. What is wrong goes to ``faults``, and the defaults stand in its place."""
    if not isinstance(values, Mapping):
        faults.add(place, f"not a table: {shown(values)}")
        return of()
    known = {field.name.rstrip("_"): (field.name, row) for field, row in rows(of)}
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            faults.add_unknown((*place, name), known)
            continue
        field, row = known[name]
        found = read_one(row, value, (*place, name), faults)
        if found is not None:
            given[field] = found
    for name, (_, row) in known.items():
        if row.required and name not in values:
            faults.add((*place, name), "there has to be one")
    return of(**given)


def read_one(row: Key, value: object, place: tuple[str, ...], faults: Faults) -> Any:
    """The value of one key; None when it is wrong."""
    if row.names is not None and row.below is not None:
        return _named(row.names, row.below, value, place, faults)
    if row.below is not None and (row.kind is None or isinstance(value, Mapping)):
        return read(row.below, value, place, faults)
    assert row.kind is not None
    return parsed(row.kind, value, place, faults)


def parsed(kind: Kind, value: object, place: tuple[str, ...], faults: Faults) -> Any:
    """A value by its kind; None when it is wrong."""
    try:
        return kind(value)
    except Several as several:
        for part, error in several.found:
            faults.add((*place, part), *error.args)
        return None
    except ValueError as error:
        faults.add(place, *error.args)
        return None


def _named(
    names: Kind, below: type[T], values: object, place: tuple[str, ...], faults: Faults
) -> dict[str, T] | None:
    if not isinstance(values, Mapping):
        faults.add(place, f"not a table: {shown(values)}")
        return None
    if len(values) > MAX_TABLES:
        faults.add(place, f"{len(values)} of them: {MAX_TABLES} are allowed")
        return None
    found = {}
    for name, value in values.items():
        own = (*place, name)
        if parsed(names, name, own, faults) is not None:
            found[name] = read(below, value, own, faults)
    return found


def shown(value: object) -> str:
    """A value as it would stand in the file, cut when it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 100 else text[:100] + "..."


# --- kinds that many tables use -------------------------------------------------------------------


def whole(least: int, most: int) -> Kind:
    """A whole number in a range."""

    @kind({"type": "integer", "minimum": least, "maximum": most})
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"not a whole number from {least} to {most}: {shown(value)}")
        return value

    return parse


@kind({"type": "boolean"})
def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"not true or false: {shown(value)}")
    return value


@kind({"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS})
def text(value: object) -> str:
    """Any text that fits on a line."""
    fits = isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARS
    if not isinstance(value, str) or not fits or not value.isprintable():
        raise ValueError(f"not a text: {shown(value)}")
    return value


def choice(*words: str) -> Kind:
    """One of some words."""

    @kind({"enum": list(words)})
    def parse(value: object) -> str:
        if value not in words or not isinstance(value, str):
            raise ValueError(f"not {either(words)}: {shown(value)}")
        return value

    return parse


def several(*words: str) -> Kind:
    """A list of some words."""
    one = choice(*words)

    @kind({"type": "array", "items": one.schema})
    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"not a list of {', '.join(words)}: {shown(value)}")
        return tuple(one(word) for word in value)

    return parse


def some(one: Kind, what: str, *, most: int = 1024) -> Kind:
    """One value of a kind, or a list of them; ``what`` is its name, in the plural."""
    list_of = {"type": "array", "items": one.schema, "minItems": 1, "maxItems": most}

    @kind({"oneOf": [one.schema, list_of]})
    def parse(value: object) -> tuple[Any, ...]:
        members = value if isinstance(value, list) else [value]
        if not 0 < len(members) <= most:
            raise ValueError(f"not 1 to {most} {what}: {shown(value)}")
        if not isinstance(value, list):
            return (one(value),)
        found = each({f"[{at}]": member for at, member in enumerate(members)}, lambda _, v: one(v))
        return tuple(found.values())

    return parse


def either(words: tuple[str, ...]) -> str:
    """``a, b or c``."""
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else words[0]


_STATUS = {"type": "integer", "minimum": 100, "maximum": 599}
_RANGE = {"type": "string", "pattern": r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"}


@kind(
    {"oneOf": [_STATUS, _RANGE, {"type": "array", "items": {"oneOf": [_STATUS, _RANGE]}}]},
)
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


def matching(pattern: str, what: str, *, example: str = "") -> Kind:
    """A text that a pattern describes, of which RFC 8259's readers make the same as ours."""
    compiled = re.compile(pattern)

    @kind({**text.schema, "pattern": f"^(?:{pattern})$"})
    def parse(value: object) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            hint = (f"write it like {example}",) if example else ()
            raise ValueError(f"not {what}: {shown(value)}", *hint)
        return value

    return parse
