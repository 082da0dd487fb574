"""Which files of a directory go into an archive, in which order, and what is left out."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from zeroserve._core import Error
from zeroserve.scripts import is_script
from zeroserve.words import quoted, reason

INDEX_NAME = ".zeroserve/index"
"""Made anew by every pack; one that lies in the directory would be a stale copy."""

MAX_MTIME_S = 0o77777777777
"""The last second that a ustar header can hold (in the year 2242)."""


class FileId(NamedTuple):
    """Tells whether a file that is read later is still the one that was found."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "FileId":
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class Source(NamedTuple):
    """One file that will become one entry."""

    name: str
    """Inside the archive: relative, ``/`` between its parts."""
    path: str
    """Where to read it."""
    id: FileId
    mtime: int
    """For the archive, in whole seconds."""

    @property
    def size(self) -> int:
        return self.id.size


@dataclass
class Tree:
    """What a walk found."""

    sources: list[Source] = field(default_factory=list)
    """In byte order of their names."""
    left_out: list[str] = field(default_factory=list)
    """Dot-files and dot-directories (these end in ``/``)."""
    outside_links: list[str] = field(default_factory=list)
    """Symbolic links that lead outside of the directory and were followed."""
    warnings: list[str] = field(default_factory=list)
    """What can't be packed and is not there in the archive."""


class _Directory(NamedTuple):
    path: str
    prefix: str
    parents: tuple[tuple[int, int], ...]
    """Device and inode of every directory above, to find loops."""


def walk(root: str, *, skip: str | None = None, latest: int | None = None) -> Tree:
    """Find the files below ``root``.

    Symbolic links are followed. ``skip`` is a file to pass over: the output, when it lies in
    the directory itself. ``latest`` is the time (in seconds since 1970) that no entry's may
    exceed, as in SOURCE_DATE_EPOCH. Raises ``Error`` for a loop of links, a name that is not
    UTF-8, or what can't be read.
    """
    tree = Tree()
    real_root = os.path.realpath(root)
    skipped = None if skip is None else _existing(skip)
    pending = [_Directory(root, "", ())]
    while pending:
        directory = pending.pop()
        own = _identity(directory)
        parents = (*directory.parents, own)
        for entry in _list(directory.path):
            name = directory.prefix + entry.name
            if not _packed(name):
                tree.left_out.append(name + "/" * entry.is_dir(follow_symlinks=False))
                continue
            _require_utf8(name, entry.path)
            try:
                found = os.stat(entry.path)  # noqa: PTH116
            except FileNotFoundError:
                _leave_out(tree, name, "link leads nowhere")
                continue
            except OSError as error:
                raise Error(f"can't read {quoted(entry.path)}: {reason(error)}") from None
            if entry.is_symlink() and not _inside(real_root, entry.path):
                tree.outside_links.append(name)
            if stat.S_ISDIR(found.st_mode):
                pending.append(_Directory(entry.path, name + "/", parents))
            elif not stat.S_ISREG(found.st_mode):
                _leave_out(tree, name, "not a regular file")
            elif name != INDEX_NAME and (found.st_dev, found.st_ino) != skipped:
                mtime = _mtime(found, latest)
                tree.sources.append(Source(name, entry.path, FileId.of(found), mtime))
    tree.sources.sort(key=lambda source: source.name.encode())
    for names in (tree.left_out, tree.outside_links, tree.warnings):
        names.sort()
    return tree


def _leave_out(tree: Tree, name: str, why: str) -> None:
    if is_script(name):
        # A site without one of its scripts may be a site without its guard.
        raise Error(f"{why}: {quoted(name)}", "scripts are not left out: repair or remove it")
    tree.warnings.append(f"{why}, left out: {quoted(name)}")


def _identity(directory: _Directory) -> tuple[int, int]:
    try:
        found = os.stat(directory.path)  # noqa: PTH116
    except OSError as error:
        raise Error(f"can't read {quoted(directory.path)}: {reason(error)}") from None
    own = found.st_dev, found.st_ino
    if own in directory.parents:
        raise Error(
            f"loop of links: {quoted(directory.path)} leads back to a directory that contains it",
            "remove the link, or begin its name with a dot to leave it out",
        )
    return own


def _existing(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _list(path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except OSError as error:
        raise Error(f"can't read {quoted(path)}: {reason(error)}") from None


def _packed(name: str) -> bool:
    """Dot-files often hold what is nobody's business (.git, .env): only two are packed."""
    first, _, rest = name.partition("/")
    below = rest if first in (".well-known", ".zeroserve") else name
    return not (below.startswith(".") or "/." in below)


def _inside(real_root: str, path: str) -> bool:
    real = os.path.realpath(path)
    return real == real_root or real.startswith(real_root.rstrip("/") + "/")


def _require_utf8(name: str, path: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = repr(os.fsencode(path))[1:]
        raise Error(
            f"file name is not UTF-8: {shown}",
            "rename it: a URL could not name it in a way that all clients agree on",
        ) from None


def _mtime(found: os.stat_result, latest: int | None) -> int:
    mtime = min(max(0, found.st_mtime_ns // 1_000_000_000), MAX_MTIME_S)
    return mtime if latest is None else min(mtime, latest)
