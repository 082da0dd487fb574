"""Reading files that must not change meanwhile."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from zeroserve._core import ContentHasher, Error
from zeroserve.codings import CHUNK_BYTES
from zeroserve.pack.walk import FileId, Source
from zeroserve.words import quoted, reason


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """Open a file; raises ``Error`` when it is another one now, or becomes another meanwhile."""
    try:
        with open(source.path, "rb") as file:  # noqa: PTH123
            _require_same(source, file)
            yield file
            _require_same(source, file)
    except OSError as error:
        raise Error(f"can't read {quoted(source.path)}: {reason(error)}") from None


def chunks(source: Source, file: BinaryIO) -> Iterator[bytes]:
    """Exactly the bytes that the file had when it was found; raises ``Error`` otherwise."""
    left = source.size
    while left:
        chunk = file.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise _changed(source, f"now {source.size - left:,}")
        left -= len(chunk)
        yield chunk


def digest(source: Source) -> bytes:
    """Content hash of a whole file."""
    hasher = ContentHasher()
    with opened(source) as file:
        for chunk in chunks(source, file):
            hasher.update(chunk)
    return hasher.digest()


def _require_same(source: Source, file: BinaryIO) -> None:
    now = FileId.of(os.fstat(file.fileno()))
    if now.size != source.size:
        raise _changed(source, f"now {now.size:,}")
    if now != source.id:
        raise _changed(source, "and still has, but not the same ones")


def _changed(source: Source, how: str) -> Error:
    return Error(
        f"file changed while it was being packed: {quoted(source.path)}: "
        f"it had {source.size:,} bytes, {how}",
        "pack again when nothing writes to the directory",
    )
