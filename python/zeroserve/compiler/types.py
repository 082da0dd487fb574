"""The types of scripts: what a value is, and how many words of 64 bits it takes.

How words hold values is what compiled code and the helpers of crates/host agree on; see
``docs/scripts-python.md`` for what each type means to those who write scripts.
"""

from dataclasses import dataclass

__all__ = [
    "BOOL",
    "BYTES",
    "DATETIME",
    "FETCHED",
    "FLOAT",
    "INT",
    "IP_ADDRESS",
    "JSON",
    "META",
    "NEVER",
    "NONE",
    "QS",
    "REQUEST",
    "RESPONSE",
    "RESPONSE_HEAD",
    "STR",
    "U64",
    "HashType",
    "ListType",
    "MatchType",
    "OptionalType",
    "RecordType",
    "TableType",
    "TupleType",
    "Type",
    "is_int",
    "join",
    "optional",
    "strip",
]


@dataclass(frozen=True)
class Type:
    """A type without parts."""

    name: str
    words: int = 1

    def __str__(self) -> str:
        return self.name

    @property
    def a(self) -> str:
        """With an article, for messages: ``a str``, ``an int``."""
        if self.name == "None":
            return "None"
        return f"{'an' if self.name[0] in 'aeiouAEIOU' else 'a'} {self.name}"


INT = Type("int")
U64 = Type("int in 0 .. 2**64-1")
"""An int of which is known that it is not negative and fits 64 bits: what
``& 0xFFFF_FFFF_FFFF_FFFF`` makes. To Python it is an int; here its word is unsigned."""
BOOL = Type("bool")
STR = Type("str")
BYTES = Type("bytes")
NONE = Type("None", 0)
NEVER = Type("Never", 0)
"""Of what does not come back."""
FLOAT = Type("float")
"""Only of clocks, and only to be given to int(): its word counts nanoseconds."""
JSON = Type("JSON value")
REQUEST = Type("Request")
"""The address of what is known of the request already: see ``op_field`` in lower.py."""
RESPONSE = Type("Response")
RESPONSE_HEAD = Type("Response of a hook", 0)
FETCHED = Type("Fetched")
"""What a server said to ``fetch``: its handle."""
META = Type("meta", 0)
DATETIME = Type("datetime")
IP_ADDRESS = Type("IP address")
QS = Type("parsed query")


@dataclass(frozen=True)
class OptionalType(Type):
    """``T | None``: one word where 0 can say None, otherwise a flag in front."""

    item: Type = NONE

    @property
    def flagged(self) -> bool:
        """Whether None is a flag of its own."""
        return not has_zero(self.item)


@dataclass(frozen=True)
class TupleType(Type):
    """A tuple of a known length: the words of its items."""

    items: tuple[Type, ...] = ()


@dataclass(frozen=True)
class ListType(Type):
    """What can be gone through and indexed, but not changed: address and count in one word."""

    item: Type = NONE


@dataclass(frozen=True)
class RecordType(Type):
    """A NamedTuple or a frozen dataclass: the words of its fields."""

    fields: tuple[tuple[str, Type], ...] = ()
    is_tuple: bool = False
    path: str = ""
    """Of its module: records of two modules are never the same."""

    def field(self, name: str) -> tuple[int, Type] | None:
        """Position and type of a field."""
        for index, (found, type) in enumerate(self.fields):
            if found == name:
                return index, type
        return None


@dataclass(frozen=True)
class MatchType(Type):
    """A match of a pattern: names and certainty of its groups, the whole match not counted."""

    groups: tuple[tuple[str | None, bool], ...] = ()


@dataclass(frozen=True)
class HashType(Type):
    """What hashlib and hmac return: the data, or key and data."""

    algorithm: int = 0
    keyed: bool = False


@dataclass(frozen=True)
class TableType(Type):
    """A ``Table``: the address of its description."""

    key: Type = NONE
    value: Type = NONE


def has_zero(type: Type) -> bool:
    """Whether the word 0 is no value of it, so that it can say None."""
    if type in (STR, BYTES, RESPONSE, FETCHED, JSON, QS, IP_ADDRESS):
        return True
    return isinstance(type, ListType | MatchType)


def optional(item: Type) -> Type:
    """``item | None``; of what can be None already, itself."""
    if item in (NONE, JSON, NEVER) or isinstance(item, OptionalType):
        return item
    words = item.words + (0 if has_zero(item) else 1)
    return OptionalType(f"{item} | None", words, item)


def strip(type: Type) -> Type:
    """The type without None."""
    return type.item if isinstance(type, OptionalType) else type


def tuple_of(*items: Type) -> TupleType:
    """``tuple[items]``."""
    name = f"tuple[{', '.join(map(str, items)) or '()'}]"
    return TupleType(name, sum(item.words for item in items), items)


def list_of(item: Type) -> ListType:
    """``list[item]``."""
    return ListType(f"list[{item}]", 1, item)


def is_int(type: Type) -> bool:
    """Whether it is a whole number to Python, bool included."""
    return type in (INT, U64, BOOL)


def items_of(type: Type) -> tuple[Type, ...] | None:
    """The types of what a tuple or NamedTuple consists of; a dataclass is no tuple."""
    return None if isinstance(type, RecordType) and not type.is_tuple else parts_of(type)


def parts_of(type: Type) -> tuple[Type, ...] | None:
    """The same, or the types of the fields of any record."""
    if isinstance(type, TupleType):
        return type.items
    if isinstance(type, RecordType):
        return tuple(item for _, item in type.fields)
    return None


def has_int(type: Type) -> bool:
    """Whether it is an int or a tuple with one, which may turn out to have no sign."""
    return type == INT or (isinstance(type, TupleType) and any(map(has_int, type.items)))


def widened(type: Type, found: Type) -> Type:
    """``type`` with ints without a sign where ``found`` has them."""
    if type == INT and found == U64:
        return U64
    if (
        isinstance(type, TupleType)
        and isinstance(found, TupleType)
        and len(type.items) == len(found.items)
    ):
        return tuple_of(*map(widened, type.items, found.items))
    return type


def join(one: Type, other: Type) -> Type | None:
    """The type of a variable that holds both; None when there is none."""
    if one == other or other == NEVER:
        return one
    if one == NEVER:
        return other
    if {one, other} == {INT, U64}:
        return U64
    if NONE in (one, other):
        item = other if one == NONE else one
        if item in (REQUEST, RESPONSE_HEAD, META, FLOAT):
            return None
        return optional(item if item != NONE else NONE)
    if JSON in (one, other):
        rest = other if one == JSON else one
        return JSON if strip(rest) in (STR, INT, BOOL) else None
    if isinstance(one, OptionalType) or isinstance(other, OptionalType):
        joined = join(strip(one), strip(other))
        return None if joined is None else optional(joined)
    if isinstance(one, ListType) and isinstance(other, ListType):
        if one.item == NEVER:
            return other
        return one if other.item == NEVER else None
    if isinstance(one, MatchType) and isinstance(other, MatchType):
        return None
    if isinstance(one, TupleType) and isinstance(other, TupleType):
        if len(one.items) != len(other.items):
            return None
        parts = [join(a, b) for a, b in zip(one.items, other.items, strict=True)]
        return None if None in parts else tuple_of(*[part for part in parts if part])
    return None
