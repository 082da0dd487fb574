"""Writing a tar archive whose bytes depend on nothing but names, times and contents."""

import tarfile
from collections.abc import Iterable
from typing import BinaryIO

from zeroserve import _core
from zeroserve.pack.walk import INDEX_NAME

BLOCK_BYTES = 512

PAGE_BYTES = 4096
"""Data of large files begins at a multiple of this: sendfile then hands whole pages of the
system's cache to the socket, which halves the cost of a response of 1 MiB."""

ALIGN_FROM_BYTES = 256 * 1024
"""Files above this size are sent with sendfile; smaller ones are kept in memory."""


class ArchiveWriter:
    """Appends entries to a stream; ``finish`` adds the index and the end of the archive.

    It never seeks, so the stream may be a pipe.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._entries: list[tuple[str, int, int, int, bytes]] = []
        self.position = 0
        """Bytes written so far."""

    def add(self, name: str, size: int, mtime: int, chunks: Iterable[bytes]) -> bytes:
        """Append one file, whose chunks have ``size`` bytes together; returns its digest."""
        self._write(header(name, size, mtime, self.position))
        offset = self.position
        hasher = _core.ContentHasher()
        for chunk in chunks:
            hasher.update(chunk)
            self._write(chunk)
        if self.position - offset != size:
            raise AssertionError(f"{name!r}: {self.position - offset} bytes in place of {size}")
        self._pad()
        digest = hasher.digest()
        self._entries.append((name, offset, size, mtime, digest))
        return digest

    def finish(self) -> None:
        """Append the index and the two zero blocks that end a tar: no padding follows them."""
        # The index names its own place, so its header must have a length known beforehand:
        # one block, as its name is short and its size far below the 8 GiB of ustar.
        data = _core.encode_index(self._entries, self.position + BLOCK_BYTES)
        head = header(INDEX_NAME, len(data), 0, 0, align=False)
        if len(head) != BLOCK_BYTES:
            raise _core.Error(f"the index is too large: {len(data):,} bytes")
        self._write(head)
        self._write(data)
        self._pad()
        self._write(bytes(2 * BLOCK_BYTES))

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.position += len(data)

    def _pad(self) -> None:
        self._write(bytes(-self.position % BLOCK_BYTES))


def header(name: str, size: int, mtime: int, position: int, *, align: bool = True) -> bytes:
    """The header of a regular file to be written at ``position``: one ustar block, or PAX
    records before it where needed.

    Plain ustar holds ASCII names of up to 255 bytes (with a ``/`` in a suitable place) and
    sizes below 8 GiB. What exceeds that gets PAX records, and so do large files whose data
    would not begin on a page: a ``comment``, which readers ignore (POSIX.1-2001), of the length
    that is missing.
    """
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = mtime  # an int: a float would get a PAX record
    info.mode = 0o644
    plain = _shortest(info)
    if not align or size <= ALIGN_FROM_BYTES or (position + len(plain)) % PAGE_BYTES == 0:
        return plain
    info.pax_headers = {"comment": "."}
    missing = -(position + len(info.tobuf(tarfile.PAX_FORMAT))) % PAGE_BYTES
    # A longer record may need one more digit for its own length, and with it one block.
    for length in range(missing + 1, missing - 3, -1):
        info.pax_headers = {"comment": "." * max(length, 1)}
        padded = info.tobuf(tarfile.PAX_FORMAT)
        if (position + len(padded)) % PAGE_BYTES == 0:
            return padded
    return plain


def _shortest(info: tarfile.TarInfo) -> bytes:
    if info.name.isascii():
        try:
            return info.tobuf(tarfile.USTAR_FORMAT)
        except ValueError:
            pass
    return info.tobuf(tarfile.PAX_FORMAT)
