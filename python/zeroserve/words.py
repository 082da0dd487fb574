"""How names, numbers and problems read, wherever a person meets them."""

from zeroserve._core import Problem

MAX_NAME_CHARS = 200
"""No name may flood a terminal or a log."""


def printable(text: str) -> str:
    r"""The text with its control characters escaped, so that a name can't steer a terminal.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def quoted(name: str) -> str:
    """A name in quotes, escaped, cut when it is very long.

    >>> quoted("a b")
    "'a b'"
    """
    cut = name if len(name) <= MAX_NAME_CHARS else name[:MAX_NAME_CHARS] + "..."
    return f"'{printable(cut)}'"


def size(count: int) -> str:
    """A number of bytes: ``174 B``, ``66.0 MB`` (powers of 1000).

    >>> size(65_950_091)
    '66.0 MB'
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.95:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def plural(count: int, noun: str, many: str = "") -> str:
    """A number of things: ``1 file``, ``1,076 files``; ``many`` is for nouns that need it."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def reason(error: OSError) -> str:
    """Why the system refused something, in lower case: ``no such file or directory``."""
    return (error.strerror or str(error)).lower()


def problem(found: Problem) -> str:
    """A problem with its place: ``entry 'a/b' at offset 1024: the name is absolute``."""
    if not found.entry and not found.offset:
        return printable(found.message)
    entry = f"entry {quoted(found.entry)}" if found.entry else ""
    # Entries of a directory have no offset: their header would begin at 0 in every case.
    offset = f"at offset {found.offset}" if found.offset or not entry else ""
    return f"{' '.join(filter(None, [entry, offset]))}: {printable(found.message)}"


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"
