"""The scripts of a site: where they lie, what they are compiled to, and whether they load.

    from zeroserve import scripts

    for name, object in scripts.objects("site.tar"):
        ...

Scripts are ``.zeroserve/scripts/NAME.c`` (compiled) and ``NAME.o`` (eBPF objects, taken as they
are); they run in the order of their names. An archive holds objects only. Whatever is in the
way is an error: a site without one of its scripts may be a site without its guard.
"""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from zeroserve import clang
from zeroserve._core import Archive, Error, Problem, Program
from zeroserve.words import quoted, reason

__all__ = [
    "DIRECTORY",
    "Place",
    "Script",
    "compiled",
    "files",
    "is_script",
    "later",
    "load",
    "objects",
    "places",
    "problems",
    "split",
]

DIRECTORY = ".zeroserve/scripts/"

ENTRY_SECTIONS = ("zeroserve.request", "zeroserve.response")

CALL_SECTION = "zeroserve.call."
"""What the section of a function that other scripts may call begins with."""

SUFFIXES = (".c", ".o")

LATER = (".py",)
"""Suffixes of scripts that do not run yet."""

MAX_SCRIPTS = 256
"""Scripts of one site: all of them run for every request."""


class Script(NamedTuple):
    """A script that loads."""

    name: str
    """Of its file, without directory and suffix: what ``zs_call`` knows it by."""
    object: bytes
    """ELF, for eBPF."""


class Place(NamedTuple):
    """Where a script is."""

    name: str
    """As ``Script.name``."""
    entry: str
    """Name inside the site: ``.zeroserve/scripts/guard.c``."""
    path: str | None
    """The file; None inside an archive."""


def objects(site: str | os.PathLike[str]) -> list[Script]:
    """The scripts of a site in the order in which they run; none when it has none.

    ``site``: an archive, a directory, whose ``.c`` files are compiled now, or a ``.c`` or ``.o``
    file. Raises ``Error`` with the name of the script for the first that is refused.
    """
    path = os.fspath(site)
    alone = split(path) is not None
    archive = None if alone or os.path.isdir(path) else Archive(path)  # noqa: PTH112
    found = []
    for place in places(files(path, archive)):
        object = _object(place, archive)
        load(object, place.path or place.entry)
        found.append(Script(place.name, object))
    return found


def problems(site: str | os.PathLike[str], archive: Archive | None) -> Iterator[Problem]:
    """Everything that is wrong with the scripts of a site; ``archive`` as for ``files``."""
    try:
        found = places(files(os.fspath(site), archive))
    except Error as error:
        yield Problem("error", DIRECTORY, 0, str(error.args[0]))
        return
    for place in found:
        try:
            if place.path is not None and place.path.endswith(".c"):
                compiled = clang.compile(place.path)
                for message in compiled.messages:
                    text = f"line {message.line}: {message.text}"
                    yield Problem("warning", place.entry, 0, text)
                object = compiled.object
            else:
                object = _object(place, archive)
            load(object, place.path or place.entry)
        except Error as error:
            yield Problem("error", place.entry, 0, _without_place(place, str(error.args[0])))


def files(site: str, archive: Archive | None) -> list[tuple[str, str | None]]:
    """Names inside the site of what may be its scripts, and their files if they are files.

    ``archive`` is the site opened when it is an archive; otherwise None.
    """
    if archive is not None:
        return [(entry.name, None) for entry in archive.entries(under=DIRECTORY)]
    if not os.path.isdir(site):  # noqa: PTH112
        return [(DIRECTORY + os.path.basename(site), site)]  # noqa: PTH119
    directory = os.path.join(site, DIRECTORY)  # noqa: PTH118
    try:
        with os.scandir(directory) as entries:
            return [(DIRECTORY + e.name, e.path) for e in entries if _is_looked_at(e)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Error(f"can't read {quoted(directory)}: {reason(error)}") from None


def _is_looked_at(entry: os.DirEntry[str]) -> bool:
    """Files, and links that lead nowhere: an error in their place, not one script less."""
    if entry.is_file() or entry.is_dir():
        return entry.is_file()
    if is_script(DIRECTORY + entry.name) and os.path.exists(entry.path):  # noqa: PTH110
        raise Error(f"not a regular file: {quoted(entry.path)}")  # one may never end
    return True


def places(files: Iterable[tuple[str, str | None]]) -> list[Place]:
    """The scripts among these files of a site, in the order in which they run.

    Raises ``Error`` when two have one name, or for one that can't be run.
    """
    found: dict[str, Place] = {}
    for entry, file in files:
        parts = _of_site(entry)
        if parts is None:
            continue
        name, suffix = parts
        if suffix in LATER:
            raise Error(f"scripts in Python do not run yet: {quoted(file or entry)}")
        if file is None and suffix == ".c":
            raise Error(
                f"an archive holds compiled scripts, not sources: {quoted(entry)}",
                "make the archive with `zeroserve pack`, which compiles them",
            )
        if name in found:
            pair = " and ".join(sorted([quoted(found[name].entry), quoted(entry)]))
            raise Error(f"two scripts with one name: {pair}", "rename or remove one of them")
        found[name] = Place(name, entry, file)
    if len(found) > MAX_SCRIPTS:
        raise Error(f"more than {MAX_SCRIPTS} scripts: {len(found)}")
    return sorted(found.values(), key=lambda place: f"{place.name}.o".encode())


def compiled(path: str) -> bytes:
    """The object that a ``.c`` file becomes, or what a ``.o`` file holds; not loaded yet."""
    return clang.compile(path).object if path.endswith(".c") else _read(path)


def load(object: bytes, place: str) -> Program:
    """Verify an object as the server will; raises ``Error`` that names ``place``."""
    try:
        program = Program(object)
        program.code_bytes()  # compiled, too: what is refused only then is refused now
    except Error as error:
        raise Error(f"{quoted(place)}: {error.args[0]}", *error.args[1:]) from None
    sections = [function.section for function in program.functions()]
    if not any(s in ENTRY_SECTIONS or s.startswith(CALL_SECTION) for s in sections):
        raise Error(
            f"{quoted(place)}: no function is an entry, so it would never run",
            "write ZS_ENTRY before the function that looks at requests",
        )
    return program


def split(entry: str) -> tuple[str, str] | None:
    """Name and suffix of a script; None for any other file.

    >>> split(".zeroserve/scripts/guard.c")
    ('guard', '.c')
    """
    name, suffix = os.path.splitext(os.path.basename(entry))  # noqa: PTH119, PTH122
    hidden = name.startswith(".")
    return (name, suffix) if suffix in (*SUFFIXES, *LATER) and not hidden else None


def is_script(entry: str) -> bool:
    """Whether a file of that name inside a site is one of its scripts.

    >>> is_script(".zeroserve/scripts/guard.c"), is_script("download/guard.c")
    (True, False)
    """
    return _of_site(entry) is not None


def later(files: Iterable[tuple[str, str | None]]) -> list[str]:
    """Names inside the site of scripts that do not run yet: packed, but refused when serving."""
    parts = ((entry, _of_site(entry)) for entry, _ in files)
    return [entry for entry, found in parts if found and found[1] in LATER]


def _of_site(entry: str) -> tuple[str, str] | None:
    """Name and suffix, when the file lies where scripts do."""
    directory, slash, _ = entry.rpartition("/")
    return split(entry) if directory + slash == DIRECTORY else None


def _object(place: Place, archive: Archive | None) -> bytes:
    if place.path is not None:
        return compiled(place.path)
    assert archive is not None
    return archive.read(place.entry)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        raise Error(f"can't read {quoted(path)}: {reason(error)}") from None


def _without_place(place: Place, message: str) -> str:
    """The message of a problem, which names the entry already."""
    for prefix in (quoted(place.path or place.entry) + ": ", f"{place.path}:"):
        if message.startswith(prefix):
            rest = message.removeprefix(prefix)
            return f"line {rest}" if prefix.endswith(":") else rest
    return message
