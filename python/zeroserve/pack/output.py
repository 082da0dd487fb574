"""An output file that is either complete or not there."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from zeroserve._core import Error
from zeroserve.words import quoted, reason

STDOUT = "-"

BUFFER_BYTES = 1 << 20


@contextmanager
def output(path: str) -> Iterator[BinaryIO]:
    """A stream that becomes the file ``path`` at the end, by an atomic rename.

    A server that watches ``path`` sees the old file or the new one, nothing in between. When
    the block fails, for whatever reason, the old one is untouched. ``-`` is standard output,
    where none of this holds.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    require_replaceable(path)
    # A link to a file is written through, as open() would do it.
    path = os.path.realpath(path)
    directory, name = os.path.split(path)
    # The dot keeps it out of a pack or a server of that directory; the same file system as
    # the output's is what makes the rename atomic.
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.tmp")  # noqa: PTH118
    try:
        file = open(temporary, "xb", buffering=BUFFER_BYTES)  # noqa: PTH123, SIM115
    except OSError as error:
        raise Error(f"can't write {quoted(path)}: {reason(error)}") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105
        _sync_directory(directory)
    except OSError as error:
        raise Error(f"can't write {quoted(path)}: {reason(error)}") from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


def require_replaceable(path: str) -> None:
    """Raise ``Error`` when an archive must not be written there."""
    if path == STDOUT:
        if sys.stdout.isatty():
            raise Error("an archive is not for a terminal", "write it to a file: -o site.tar")
        return
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return
    except OSError as error:
        raise Error(f"can't write {quoted(path)}: {reason(error)}") from None
    if not stat.S_ISREG(found.st_mode):
        raise Error(f"not a regular file, not overwritten: {quoted(path)}")


def _sync_directory(directory: str) -> None:
    # So that the rename outlives a power cut; some file systems do not offer it.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
