"""Precompressed siblings: making them, and proving those that were there already."""

import threading

from zeroserve._core import ContentHasher, Error
from zeroserve.codings import Coding
from zeroserve.pack.reading import chunks, opened
from zeroserve.pack.walk import Source
from zeroserve.words import quoted

KEEP_PERCENT = 90
"""A sibling is kept when it has at most this share of the file's bytes."""


class Cancelled(Exception):
    """The pack has failed elsewhere, so this work is of no use any more."""


def make(source: Source, coding: Coding, cancel: threading.Event) -> tuple[bytes | None, bytes]:
    """Compress a file; returns the data and the content hash of what was read.

    The data is None when too little is saved. Gives up as soon as that is certain.
    """
    compressor = coding.compressor(source.size)
    hasher = ContentHasher()
    pieces: list[bytes] | None = []
    room = source.size * KEEP_PERCENT // 100
    with opened(source) as file:
        for chunk in chunks(source, file):
            if cancel.is_set():
                raise Cancelled
            hasher.update(chunk)
            if pieces is not None:
                pieces.append(compressor.compress(chunk))
                room -= len(pieces[-1])
                if room < 0:
                    pieces = None
    if pieces is not None:
        pieces.append(compressor.flush())
        room -= len(pieces[-1])
    if pieces is None or room < 0:
        return None, hasher.digest()
    return b"".join(pieces), hasher.digest()


def prove(sibling: Source, original: Source, coding: Coding, cancel: threading.Event) -> bytes:
    """Decode a sibling that was found; returns the content hash of what it decodes to.

    Raises ``Error`` when it can't be that of ``original``: a stale sibling would be served in
    its place to every client that accepts the coding.
    """
    hasher = ContentHasher()
    size = 0
    with opened(sibling) as file:
        try:
            for piece in coding.decode(file):
                if cancel.is_set():
                    raise Cancelled
                hasher.update(piece)
                size += len(piece)
                if size > original.size:
                    raise ValueError(f"it decodes to more than {original.size:,} bytes")
        except ValueError as error:
            raise stale(sibling.name, original.name, str(error)) from None
    return hasher.digest()


def stale(sibling: str, original: str, reason: str) -> Error:
    """The error for a sibling that is not what its name says."""
    return Error(
        f"{quoted(sibling)} is not {quoted(original)} compressed: {reason}",
        f"delete {quoted(sibling)}: pack makes a new one",
    )
