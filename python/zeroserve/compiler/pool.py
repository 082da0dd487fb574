"""The constants of a script, as LLVM writes them: texts in one array, lists of words in another.

A word of a constant is a number or an expression over the address of one of the arrays, which
is known when the object is loaded.
"""

import struct
from typing import Any

from zeroserve.compiler.types import (
    BYTES,
    STR,
    ListType,
    OptionalType,
    RecordType,
    TableType,
    TupleType,
    Type,
)

_MULTIPLIER = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
NON_ASCII = 1 << 63


def utf8(text: str) -> bytes:
    """UTF-8 in which lone surrogates are encoded like other characters."""
    return text.encode("utf-8", "surrogatepass")


def hash_key(key: bytes, seed: int) -> int:
    """What ``zs_py_dict_find`` looks keys up by: 64 bits."""
    state = seed ^ (len(key) * _MULTIPLIER & _MASK)
    for at in range(0, len(key), 8):
        chunk = int.from_bytes(key[at : at + 8], "little")
        state = (state ^ chunk) * _MULTIPLIER & _MASK
        state ^= state >> 32
    return state


def dict_table(keys: list[Any]) -> bytes:
    """A hash table that says at which place of a list a key is; keys are str, bytes or int."""
    integers = bool(keys) and isinstance(keys[0], int)
    encoded = [_key(key) for key in keys]
    size = 4
    while size < 2 * len(keys):
        size *= 2
    seed, slots = _placed(encoded, size)
    head = struct.pack("<IIQ", size - 1, len(keys), seed) + struct.pack(f"<{size}I", *slots)
    if integers:
        return head + b"".join(encoded)
    at = len(head) + 8 * len(keys)
    entries, texts = b"", b"".join(encoded)
    parts = []
    for key in encoded:
        parts.append(struct.pack("<II", at, len(key)))
        at += len(key)
    entries = b"".join(parts)
    return head + entries + texts


def _key(key: Any) -> bytes:
    if isinstance(key, int):
        return (key & _MASK).to_bytes(8, "little")
    return utf8(key) if isinstance(key, str) else bytes(key)


def _placed(keys: list[bytes], size: int) -> tuple[int, list[int]]:
    """A seed of some with which no key is far from where it should be, and the slots."""
    best: tuple[int, int, list[int]] | None = None
    for seed in range(1, 5):
        slots = [0] * size
        worst = 0
        for index, key in enumerate(keys, 1):
            at, steps = hash_key(key, seed) & (size - 1), 1
            while slots[at]:
                at, steps = (at + 1) & (size - 1), steps + 1
            slots[at] = index
            worst = max(worst, steps)
        if best is None or worst < best[0]:
            best = worst, seed, slots
        if worst <= 8:
            break
    assert best is not None
    return best[1], best[2]


class Pool:
    """All constants of one object."""

    def __init__(self) -> None:
        self._text = bytearray(b"\0" * 8)
        self._offsets: dict[bytes, int] = {}
        self._words: list[str] = ["0"]
        self._lists: dict[tuple[str, ...], int] = {}

    def blob(self, data: bytes, align: int = 1) -> str:
        """The address of bytes, as an operand."""
        found = self._offsets.get(data)
        if found is None or found % align:
            self._text += b"\0" * (-len(self._text) % align)
            found = len(self._text)
            self._offsets[data] = found
            self._text += data or b"\0"
        return f"add (i64 ptrtoint (ptr @.texts to i64), i64 {found})"

    def text(self, data: bytes, flag: int = 0) -> str:
        """The word of a str or bytes."""
        self.blob(data)
        high = len(data) << 32 | flag
        value = self._offsets[data] + high
        return f"add (i64 ptrtoint (ptr @.texts to i64), i64 {_signed(value)})"

    def string(self, text: str) -> str:
        """The word of a str."""
        return self.text(utf8(text), 0 if text.isascii() else NON_ASCII)

    def array(self, words: list[str]) -> str:
        """The address of words one after another."""
        key = tuple(words)
        at = self._lists.get(key)
        if at is None:
            at = len(self._words)
            self._lists[key] = at
            self._words += words
        return f"add (i64 ptrtoint (ptr @.words to i64), i64 {8 * at})"

    def words(self, value: Any, type: Type) -> list[str]:
        """The words of a constant of a type."""
        if isinstance(type, OptionalType):
            if value is None:
                return ["0"] * type.words
            inner = self.words(value, type.item)
            return ["1", *inner] if type.flagged else inner
        if type == STR:
            return [self.string(value)]
        if type == BYTES:
            return [self.text(bytes(value))]
        if isinstance(type, TableType):
            return [self.array(list(value))]
        if isinstance(type, TupleType):
            pairs = zip(value, type.items, strict=True)
            return [word for item, kind in pairs for word in self.words(item, kind)]
        if isinstance(type, RecordType):
            fields = zip(value, type.fields, strict=True)
            return [word for item, (_, kind) in fields for word in self.words(item, kind)]
        if isinstance(type, ListType):
            return [self.list(value, type.item)]
        if type.words == 0:
            return []
        return [str(_signed(int(value or 0)))]

    def list(self, values: Any, item: Type) -> str:
        """The word of a list."""
        values = list(values)
        words = [word for value in values for word in self.words(value, item)]
        address = self.array(words or ["0"])
        base = address.removesuffix(")")
        head, _, offset = base.rpartition(" ")
        return f"{head} {int(offset) + (len(values) << 32)})"

    def globals(self) -> str:
        """Both arrays."""
        text = "".join(_escaped(byte) for byte in self._text)
        words = ", ".join(f"i64 {word}" for word in self._words)
        return (
            f"@.texts = internal unnamed_addr constant [{len(self._text)} x i8] "
            f'c"{text}", align 8\n'
            f"@.words = internal unnamed_addr constant [{len(self._words)} x i64] "
            f"[{words}], align 8\n"
        )


_ESCAPED = [
    chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02X}" for byte in range(256)
]


def _escaped(byte: int) -> str:
    return _ESCAPED[byte]


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 64) if value >= 1 << 63 else value
