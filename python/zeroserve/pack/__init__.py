"""Directory in, archive out: the library behind ``zeroserve pack``.

    from zeroserve.pack import pack

    summary = pack("public", "site.tar")
    print(summary.files, summary.archive_bytes)

The same tree gives the same bytes: names are sorted, owners and modes fixed, times are whole
seconds and no later than ``SOURCE_DATE_EPOCH`` when that is set.
"""

import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from zeroserve._core import Error
from zeroserve.config import file as configuration
from zeroserve.pack import scripts, siblings
from zeroserve.pack.archive import ArchiveWriter
from zeroserve.pack.members import Member, plan
from zeroserve.pack.output import output as open_output
from zeroserve.pack.output import require_replaceable
from zeroserve.pack.reading import chunks, opened
from zeroserve.pack.walk import walk
from zeroserve.words import quoted

__all__ = ["Progress", "Summary", "pack"]

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)`` in bytes of work, from the thread that packs."""

MAX_AHEAD_BYTES = 64 << 20
"""Files being compressed ahead of the one being written: bounds the memory."""

MAX_AHEAD_TASKS = 1024


@dataclass(frozen=True)
class Summary:
    """What a pack did."""

    output: str
    files: int
    """Files of the directory; siblings and the index are not counted."""
    bytes: int
    """Their bytes."""
    archive_bytes: int
    siblings: int
    """Precompressed siblings in the archive, found or made."""
    compressed_files: int
    """Files that have a Brotli sibling."""
    compressed_from: int
    """The bytes of these files as they are ..."""
    compressed_to: int
    """... and on the wire, to a client that accepts ``br``."""
    seconds: float
    left_out: tuple[str, ...]
    """Dot-files and dot-directories (these end in ``/``)."""
    outside_links: tuple[str, ...]
    """Symbolic links that lead outside of the directory and were followed."""
    warnings: tuple[str, ...]
    """What could not be packed, and the compiler's warnings about scripts."""


class _Task(NamedTuple):
    member: Member
    made: Future[tuple[bytes | None, bytes]] | None
    proved: Future[bytes] | None


def pack(
    directory: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    compress: bool = True,
    progress: Progress | None = None,
) -> Summary:
    """Pack a directory into an archive and return what was done.

    ``output`` is replaced atomically, when everything else has succeeded; ``-`` is standard
    output. ``compress``: add ``.br``, ``.zst`` and ``.gz`` siblings of text files where they
    save a tenth. Raises ``Error`` for what is refused, and then leaves nothing behind.
    """
    began = time.monotonic()
    root, target = os.fspath(directory), os.fspath(output)
    if not os.path.isdir(root):  # noqa: PTH112
        what = "not a directory" if os.path.exists(root) else "no such directory"  # noqa: PTH110
        raise Error(f"{what}: {quoted(root)}")
    require_replaceable(target)
    configuration.of_directory(root)  # refused now rather than by whoever serves it
    tree = walk(root, skip=target, latest=_source_date_epoch())
    with tempfile.TemporaryDirectory(prefix="zeroserve-") as workshop:
        sources, warnings = scripts.compiled(tree.sources, Path(workshop), root)
        members = plan(sources, compress=compress)
        with open_output(target) as stream:
            writer = ArchiveWriter(stream)
            written = _Packer(writer, members, progress).run()
            writer.finish()
    sizes = {source.name: source.size for source in tree.sources}
    brotli = {name[:-3]: size for name, size in written.items() if name.endswith(".br")}
    brotli = {name: size for name, size in brotli.items() if name in sizes}
    return Summary(
        output=target,
        files=len(tree.sources),
        bytes=sum(sizes.values()),
        archive_bytes=writer.position,
        siblings=sum(1 for m in members if (m.make or m.proves) and m.name in written),
        compressed_files=len(brotli),
        compressed_from=sum(sizes[name] for name in brotli),
        compressed_to=sum(brotli.values()),
        seconds=time.monotonic() - began,
        left_out=tuple(tree.left_out),
        outside_links=tuple(tree.outside_links),
        warnings=(*tree.warnings, *warnings),
    )


class _Packer:
    """Writes members in order while threads compress those that come next."""

    def __init__(
        self, writer: ArchiveWriter, members: list[Member], progress: Progress | None
    ) -> None:
        self._writer = writer
        self._members = members
        self._progress = progress
        self._cancel = threading.Event()
        self._digests: dict[str, bytes] = {}
        self._written: dict[str, int] = {}

    def run(self) -> dict[str, int]:
        """Returns the size of every entry by its name."""
        total = sum(member.source.size for member in self._members)
        done = 0
        ahead: deque[_Task] = deque()
        ahead_bytes = 0
        upcoming = iter(self._members)
        pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "zeroserve-pack")
        try:
            member = next(upcoming, None)
            while member or ahead:
                while member and len(ahead) < MAX_AHEAD_TASKS and ahead_bytes < MAX_AHEAD_BYTES:
                    ahead.append(self._submit(pool, member))
                    ahead_bytes += _weight(member)
                    member = next(upcoming, None)
                task = ahead.popleft()
                self._write(task)
                ahead_bytes -= _weight(task.member)
                done += task.member.source.size
                if self._progress:
                    self._progress(done, total)
        except BaseException:
            self._cancel.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return self._written

    def _submit(self, pool: ThreadPoolExecutor, member: Member) -> _Task:
        made = proved = None
        if member.make:
            made = pool.submit(siblings.make, member.source, member.make, self._cancel)
        elif member.proves:
            original, coding = member.proves
            proved = pool.submit(siblings.prove, member.source, original, coding, self._cancel)
        return _Task(member, made, proved)

    def _write(self, task: _Task) -> None:
        name, source = task.member.name, task.member.source
        if task.made:
            data, origin = task.made.result()
            # The original comes first in byte order, so its digest is known by now.
            if origin != self._digests[source.name]:
                raise Error(f"file changed while it was being packed: {quoted(source.path)}")
            if data is not None:
                self._written[name] = len(data)
                self._writer.add(name, len(data), source.mtime, (data,))
            return
        if task.proved and task.member.proves:
            original = task.member.proves[0]
            if task.proved.result() != self._digests[original.name]:
                raise siblings.stale(name, original.name, "it decodes to other bytes")
        with opened(source) as file:
            self._digests[name] = self._writer.add(
                name, source.size, source.mtime, chunks(source, file)
            )
        self._written[name] = source.size


def _weight(member: Member) -> int:
    return member.source.size if member.make else 0


def _source_date_epoch() -> int | None:
    value = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit()):
        raise Error(f"SOURCE_DATE_EPOCH is not a number of seconds: {value!r}")
    return int(value)
