"""Tar archives from raw header bytes, so that every field can be wrong on purpose.

    archive(entry(b"a.txt", b"hello"), entry(b"../b.txt", b"out"))

Field layout: POSIX.1-2017, pax, "ustar Interchange Format".
"""

BLOCK = 512
END = bytes(2 * BLOCK)
"""The two zero blocks that close an archive."""

MTIME = 1704164645
"""2024-01-02 03:04:05 UTC: what every file of the tests carries unless said otherwise."""


def octal(value: int, width: int) -> bytes:
    """A number field as ustar has it: octal digits and a NUL."""
    return b"%0*o\0" % (width - 1, value)


def base256(value: int, width: int = 12) -> bytes:
    """A number field as GNU tar writes what octal can't hold; negative numbers too."""
    raw = value.to_bytes(width, "big", signed=True)
    return bytes([raw[0] | 0x80]) + raw[1:]


def header(
    name: bytes,
    size: int | bytes = 0,
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    mtime: int | bytes = MTIME,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: int | None = None,
) -> bytes:
    """One header block. Fields longer than their place are cut, like a careless writer does."""
    size_field = size if isinstance(size, bytes) else octal(size, 12)
    mtime_field = mtime if isinstance(mtime, bytes) else octal(mtime, 12)
    parts = [
        name[:100].ljust(100, b"\0"),
        octal(0o644, 8),
        octal(0, 8),
        octal(0, 8),
        size_field.ljust(12, b"\0"),
        mtime_field.ljust(12, b"\0"),
        b" " * 8,
        kind,
        link[:100].ljust(100, b"\0"),
        magic,
        bytes(32 + 32),
        octal(0, 8),
        octal(0, 8),
        prefix[:155].ljust(155, b"\0"),
        bytes(12),
    ]
    block = b"".join(parts)
    assert len(block) == BLOCK
    total = sum(block) if checksum is None else checksum
    return block[:148] + b"%06o\0 " % total + block[156:]


def padded(data: bytes) -> bytes:
    """Data up to the next block boundary."""
    return data + bytes(-len(data) % BLOCK)


def entry(name: bytes, data: bytes = b"", *, kind: bytes = b"0", link: bytes = b"") -> bytes:
    """Header and data of one entry."""
    return header(name, len(data), kind=kind, link=link) + padded(data)


def symlink(name: bytes, target: bytes) -> bytes:
    return entry(name, kind=b"2", link=target)


def hardlink(name: bytes, target: bytes) -> bytes:
    return entry(name, kind=b"1", link=target)


def pax_record(key: bytes, value: bytes) -> bytes:
    """``LENGTH key=value\\n`` where LENGTH counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def pax_raw(records: bytes, *, kind: bytes = b"x") -> bytes:
    """An extended header (``x`` for the next entry, ``g`` for all) with these very bytes."""
    return header(b"PaxHeaders/x", len(records), kind=kind) + padded(records)


def pax(**records: str | bytes) -> bytes:
    """An extended header for the next entry; ``_`` in a key stands for a dot."""
    pairs = (
        (key.replace("_", ".").encode(), value.encode() if isinstance(value, str) else value)
        for key, value in records.items()
    )
    return pax_raw(b"".join(pax_record(key, value) for key, value in pairs))


def gnu_long(text: bytes, *, kind: bytes = b"L") -> bytes:
    """GNU long name (``L``) or long link target (``K``) for the next entry."""
    data = text + b"\0"
    return header(b"././@LongLink", len(data), kind=kind, magic=b"ustar  \0", mtime=0) + padded(
        data
    )


def archive(*parts: bytes) -> bytes:
    """Entries one after the other, closed as they should be."""
    return b"".join(parts) + END


def many(count: int) -> bytes:
    """Headers of that many empty files, ``00000001`` and so on, made fast; not closed."""
    template = header(b"0" * 8)
    base = int(template[148:154], 8)
    tail = template[156:]
    parts: list[bytes] = []
    for number in range(count):
        name = b"%08d" % number
        parts += name, template[8:148], b"%06o\0 " % (base + sum(name) - 8 * 48), tail
    return b"".join(parts)
