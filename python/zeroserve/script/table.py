"""State that outlives a request."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar, overload

from zeroserve.script.limits import (
    MAX_TABLE_ENTRIES,
    MAX_TABLE_KEY_BYTES,
    MAX_TABLE_VALUE_BYTES,
    Stop,
    int64,
)

K = TypeVar("K", bound=str | bytes | int)
V = TypeVar("V", bound=str | bytes | int)

KEYS: tuple[type, ...] = (str, bytes, int)
VALUES: tuple[type, ...] = (str, bytes, int, bool)


class Table(Generic[K, V]):
    """A bounded mapping at module level: shared by the workers, kept over reloads.

    When it is full, the entry that was not used for the longest time goes: ``get``, ``set`` and
    ``add`` are uses. Keys are ``str``, ``bytes`` or ``int`` of 64 bits, values also ``bool``. A key
    of more than 1024 bytes and a value of more than 64 KiB stop the script.

    >>> hits = Table(str, int, max_entries=2)
    >>> hits.add("a", 1), hits.add("a", 1), hits.add("b", 5)
    (1, 2, 5)
    >>> hits.set("c", 1)
    >>> hits.get("a"), hits.get("b"), hits.get("a", 0)
    (None, 5, 0)
    """

    def __init__(self, key_type: type[K], value_type: type[V], *, max_entries: int) -> None:
        """Raises TypeError for other types; ``max_entries`` from 1 to 1,048,576, else ValueError.

        A table is a constant of its module and has a name of its own there.
        """
        if key_type not in KEYS:
            raise TypeError(f"keys of a Table are int, str or bytes: {key_type!r}")
        if value_type not in VALUES:
            raise TypeError(f"values of a Table are int, str, bytes or bool: {value_type!r}")
        if not 1 <= max_entries <= MAX_TABLE_ENTRIES:
            raise ValueError(f"max_entries is not from 1 to {MAX_TABLE_ENTRIES}: {max_entries}")
        self._key_type = key_type
        self._value_type = value_type
        self._max_entries = max_entries
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    @overload
    def get(self, key: K, default: None = None) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    def get(self, key: K, default: V | None = None) -> V | None:
        """The value of a key, or ``default`` when there is none."""
        _check(key, self._key_type)
        with self._lock:
            if key not in self._entries:
                return default
            self._entries.move_to_end(key)
            return self._entries[key]

    def set(self, key: K, value: V) -> None:
        """Keep a value. Raises OverflowError for an ``int`` that does not fit in 64 bits."""
        _check(key, self._key_type)
        _check(value, self._value_type, "value", MAX_TABLE_VALUE_BYTES)
        with self._lock:
            self._put(key, value)

    def add(self: "Table[K, int]", key: K, n: int) -> int:
        """Add to the value of a key, which is 0 when there is none; returns the new value.

        No other worker comes between reading and writing. Raises OverflowError when the sum does
        not fit in 64 bits: then the value stays.
        """
        _check(key, self._key_type)
        if self._value_type is not int:
            raise TypeError(f"add on a Table of {self._value_type.__name__}")
        _check(n, int)
        with self._lock:
            value = int64(self._entries.get(key, 0) + n)
            self._put(key, value)
            return value

    def delete(self, key: K) -> None:
        """Forget a key, if it is there."""
        _check(key, self._key_type)
        with self._lock:
            self._entries.pop(key, None)

    def _put(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def __repr__(self) -> str:
        names = f"{self._key_type.__name__}, {self._value_type.__name__}"
        return f"Table({names}, max_entries={self._max_entries})"


def _check(
    value: object, kind: type, what: str = "key", max_bytes: int = MAX_TABLE_KEY_BYTES
) -> None:
    """Exactly the type: a ``bool`` in a table of ``int`` would come back as another thing."""
    if type(value) is not kind:
        raise TypeError(f"{value!r} in a Table of {kind.__name__}")
    if isinstance(value, int):
        int64(value)
        return
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    if isinstance(data, bytes) and len(data) > max_bytes:
        raise Stop(f"a {what} of a table is longer than {max_bytes} bytes")
