"""Content codings of precompressed siblings: how each is made, and how one is proved right.

The levels are chosen so that a documentation tree of 67 MB takes some 20 seconds on two cores:
one step more costs twice the time for 1 to 3 % (see docs/decisions.md). The bytes depend on
nothing but the data and the versions of the libraries.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

import brotli
import zstandard

LARGE_BYTES = 4 << 20
"""From here on a faster level is used: the best one takes seconds per MiB."""

CHUNK_BYTES = 256 << 10
"""How much is given to a compressor at once: it can be stopped in between."""

MAX_ZSTD_WINDOW_BYTES = 8 << 20
"""Browsers refuse a Zstandard frame that needs a larger window (RFC 9659)."""

_ZSTD_INPUT_BYTES = 1 << 10
"""A block of 4 bytes can stand for 128 KiB, so this much input is at most 32 MiB of output."""


class Compressor(Protocol):
    """What the three libraries have in common, after a little persuasion."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Coding(NamedTuple):
    """One row of the table of codings."""

    name: str
    """As in Content-Encoding."""
    suffix: str
    """What the name of a sibling ends in."""
    compressor: Callable[[int], Compressor]
    """Makes a compressor for that many bytes."""
    decode: Callable[[BinaryIO], Iterator[bytes]]
    """Decodes a file in pieces of bounded size; raises ValueError when it is not sound."""


class _Brotli:
    def __init__(self, size: int) -> None:
        # A window that just covers the data: the same ratio, far less set-up for small files.
        window = max(16, min(22, (size - 1).bit_length()))
        quality = 10 if size <= LARGE_BYTES else 9
        self._inner = brotli.Compressor(quality=quality, lgwin=window)

    def compress(self, data: bytes, /) -> bytes:
        made: bytes = self._inner.process(data)
        return made

    def flush(self) -> bytes:
        made: bytes = self._inner.finish()
        return made


def _zstd(size: int) -> Compressor:
    level = 15 if size <= LARGE_BYTES else 12
    return zstandard.ZstdCompressor(level=level).compressobj(size=size)


def _gzip(_size: int) -> Compressor:
    # 31: gzip framing by zlib itself, which writes neither a name nor a time.
    return zlib.compressobj(9, zlib.DEFLATED, 31)


def _decode_brotli(file: BinaryIO) -> Iterator[bytes]:
    inner = brotli.Decompressor()
    try:
        while data := file.read(CHUNK_BYTES):
            if inner.is_finished():
                raise ValueError("data after the end of the stream")
            # can_accept_more_data() says yes while output is still pending: ask until it is not.
            while piece := inner.process(data, output_buffer_limit=CHUNK_BYTES):
                yield piece
                data = b""
    except brotli.error:
        raise ValueError("not a Brotli stream") from None
    if not inner.is_finished():
        raise ValueError("the stream ends early")


def _decode_zstd(file: BinaryIO) -> Iterator[bytes]:
    inner = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES).decompressobj()
    try:
        while data := file.read(_ZSTD_INPUT_BYTES):
            if inner.eof:
                raise ValueError("data after the end of the frame")
            yield inner.decompress(data)
    except zstandard.ZstdError as error:
        if "memory" in str(error):
            raise ValueError("its window is larger than the 8 MiB that browsers take") from None
        raise ValueError("not a Zstandard frame") from None
    if not inner.eof:
        raise ValueError("the frame ends early")
    if inner.unused_data:
        raise ValueError("data after the end of the frame")


def _decode_gzip(file: BinaryIO) -> Iterator[bytes]:
    inner = zlib.decompressobj(31)
    try:
        while data := file.read(CHUNK_BYTES):
            # Browsers read the first member only.
            if inner.eof:
                raise ValueError("data after the end of the first member")
            yield inner.decompress(data, CHUNK_BYTES)
            while inner.unconsumed_tail and not inner.eof:
                yield inner.decompress(inner.unconsumed_tail, CHUNK_BYTES)
    except zlib.error:
        raise ValueError("not a gzip stream") from None
    if not inner.eof:
        raise ValueError("the stream ends early")
    if inner.unused_data:
        raise ValueError("data after the end of the first member")


CODINGS = (
    Coding("br", ".br", _Brotli, _decode_brotli),
    Coding("zstd", ".zst", _zstd, _decode_zstd),
    Coding("gzip", ".gz", _gzip, _decode_gzip),
)

SUFFIXES = {coding.suffix: coding for coding in CODINGS}


def split_sibling(name: str) -> tuple[str, Coding] | None:
    """The name that a sibling's name is made of, and its coding; None for other names.

    >>> split_sibling("css/a.css.br")[0]
    'css/a.css'
    """
    stem, dot, last = name.rpartition(".")
    coding = SUFFIXES.get(dot + last)
    if coding is None or not stem or stem.endswith("/"):
        return None
    return stem, coding
