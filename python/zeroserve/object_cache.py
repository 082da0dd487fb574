"""Objects of scripts in Python, kept so that the compiler is asked once for each state of a script.

    from zeroserve import object_cache

    made = object_cache.compile("guard.py")
    made.object         # for eBPF
    made.files          # guard.py and the modules beside it that it imports

What decides an object is the contents of these files and the version of the compiler. Objects
are kept in this process, for a server that compiles on save, and in the user's cache directory
(``$XDG_CACHE_HOME/zeroserve/objects``), for ``pack``; that one may be missing, unwritable or
damaged without harm. Where nothing has changed, the compiler is not even imported in full.
"""

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from zeroserve._core import Error
from zeroserve.words import quoted, reason

__all__ = ["Made", "compile", "directory"]

MAX_KEPT = 256
"""Objects in the cache directory; those that were used longest ago go first."""

MAX_KEPT_BYTES = 256 << 20
"""Of all of them."""

MAX_OBJECT_BYTES = 16 << 20
"""Nothing larger is kept, and no larger file is taken for an object."""

CLOCK_TICK_NS = 10_000_000
"""Times of files come from the kernel's coarse clock, which lags by up to a tick (100 Hz)."""

FORMAT = "zeroserve-object-1"


class Made(NamedTuple):
    """What a script was compiled to."""

    object: bytes
    """ELF; empty for a module without hooks."""
    files: tuple[str, ...]
    """All that decided it: the script, and what it imports from beside it."""
    hooks: int
    """Functions that the server calls."""


_kept: dict[str, tuple[tuple[str, ...], Made]] = {}
"""By path: digests of the files, and what became of them."""


def compile(path: str | os.PathLike[str]) -> Made:
    """The object of a script, from the cache if nothing that decides it has changed.

    Raises ``zeroserve.compiler.CompileError`` when the script is refused.
    """
    script = os.path.abspath(path)  # noqa: PTH100
    content = _read(os.fspath(path))
    version = _version()
    known = _kept.get(script)
    if known is not None and _digests(known[1].files, version) == known[0]:
        return known[1]
    place = _place(script, content, version)
    made = _load(place, script, version) if place else None
    if made is None:
        began_ns = time.time_ns() - CLOCK_TICK_NS
        made = _compile(os.fspath(path))
        digests = _digests(made.files, version)
        # What was saved while it was being compiled may be another text than the compiler read.
        if digests is None or any(_changed_ns(file) >= began_ns for file in made.files):
            return made
        if place:
            _save(place, script, digests, made)
    digests = _digests(made.files, version)
    if digests is not None:
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        _kept[script] = digests, made
    return made


def compile_made(name: str, files: tuple[str, ...], salt: str, make: Callable[[], str]) -> Made:
    """As ``compile``, of a script that is made of other files.

    ``name``: the path that it would have; ``salt``: changes when the way it is made does;
    ``make`` gives its text, and is only called when there is no object yet.
    """
    script = os.path.abspath(name)  # noqa: PTH100
    version = f"{_version()}:{salt}"
    own = tuple(os.path.abspath(file) for file in files)  # noqa: PTH100
    digests = _digests(own, version)
    known = _kept.get(script)
    if known is not None and known[1].files == own and digests == known[0]:
        return known[1]
    place = _place(script, "\0".join(digests or ()).encode(), version)
    made = _load(place, script, version) if place else None
    if made is None or made.files != own:
        began_ns = time.time_ns() - CLOCK_TICK_NS
        from zeroserve import compiler

        object = compiler.compile_text(make(), os.path.basename(name))  # noqa: PTH119
        made = Made(object, own, 1)
        after = _digests(own, version)
        if digests != after or any(_changed_ns(file) >= began_ns for file in own):
            return made
        if place and digests is not None:
            _save(place, script, digests, made)
    if digests is not None:
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        _kept[script] = digests, made
    return made


def directory() -> str:
    """Where objects are kept between two runs."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117
        base = os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
    return os.path.join(base, "zeroserve", "objects")  # noqa: PTH118


def _compile(path: str) -> Made:
    from zeroserve import compiler

    made = compiler.compile_file(path)
    return Made(made.object, tuple(os.path.abspath(file) for file in made.files), made.hooks)  # noqa: PTH100


def _version() -> str:
    """Of the compiler and of LLVM, whose code comes out."""
    from importlib import metadata

    from zeroserve import compiler

    try:
        return compiler.version()
    except metadata.PackageNotFoundError:
        raise Error(
            "scripts in Python are compiled by llvmlite, which is not installed",
            "python -m pip install llvmlite",
        ) from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        raise Error(f"{reason(error)}: {quoted(path)}") from None


def _digests(files: tuple[str, ...], version: str) -> tuple[str, ...] | None:
    """Of the version and the contents; None when a file can't be read."""
    found = [version]
    for file in files:
        try:
            found.append(hashlib.sha256(_read(file)).hexdigest())
        except Error:
            return None
    return tuple(found)


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_ctime_ns  # noqa: PTH116
    except OSError:
        return time.time_ns()


def _place(script: str, content: bytes, version: str) -> str | None:
    """The file that keeps the object, in a directory that nobody else writes to."""
    where = directory()
    if not os.path.isabs(where):  # noqa: PTH117 - nobody's home
        return None
    try:
        os.makedirs(where, mode=0o700, exist_ok=True)  # noqa: PTH103
        found = os.stat(where)  # noqa: PTH116
    except OSError:
        return None
    if not _is_own(found):
        return None
    # The name of the script is in its object, for messages.
    parts = (FORMAT, version, os.path.basename(script), hashlib.sha256(content).hexdigest())  # noqa: PTH119
    key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return os.path.join(where, key)  # noqa: PTH118


def _is_own(found: os.stat_result) -> bool:
    """Whether nobody else can write to it."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _load(place: str, script: str, version: str) -> Made | None:
    """What is kept there, if it was made of what the files hold now."""
    import json

    try:
        with open(place, "rb") as file:  # noqa: PTH123
            # Whoever may rename what lies above has had time for it since the directory was seen.
            if not _is_own(os.fstat(file.fileno())):
                return None
            head = json.loads(file.readline(1 << 16))
            object = file.read(MAX_OBJECT_BYTES + 1)
        base = os.path.dirname(script)  # noqa: PTH120
        files = tuple(os.path.normpath(os.path.join(base, str(name))) for name in head["files"])  # noqa: PTH118
        sound = (
            hashlib.sha256(object).hexdigest() == head["object"]
            and list(_digests(files, version) or ()) == head["digests"]
            and bool(files)
        )
        made = Made(object, files, int(head["hooks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not sound:
        return None
    with suppress(OSError):
        os.utime(place)  # what is used stays
    return made


def _save(place: str, script: str, digests: tuple[str, ...], made: Made) -> None:
    import json
    import tempfile

    if len(made.object) > MAX_OBJECT_BYTES:
        return
    base = os.path.dirname(script)  # noqa: PTH120
    head = {
        "object": hashlib.sha256(made.object).hexdigest(),
        "files": [os.path.relpath(file, base) for file in made.files],
        "digests": list(digests),
        "hooks": made.hooks,
    }
    where = os.path.dirname(place)  # noqa: PTH120
    try:
        with tempfile.NamedTemporaryFile(dir=where, prefix=".", delete=False) as file:
            temporary = file.name
            try:
                file.write(json.dumps(head).encode() + b"\n" + made.object)
                file.close()
                os.replace(temporary, place)  # noqa: PTH105
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)  # noqa: PTH108
                raise
        _prune(where)
    except (OSError, ValueError):
        return  # a cache that can't be written is none


def _prune(where: str) -> None:
    """Keep the ones that were used last."""
    with os.scandir(where) as entries:
        states = [(entry.stat(), entry.path) for entry in entries]
    found = sorted((state.st_mtime_ns, path, state.st_size) for state, path in states)
    kept = bytes = 0
    for _, path, size in reversed(found):
        kept, bytes = kept + 1, bytes + size
        if kept > MAX_KEPT or bytes > MAX_KEPT_BYTES:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108
