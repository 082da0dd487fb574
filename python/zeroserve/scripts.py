"""The scripts of a site: where they lie, what they are compiled to, and whether they load.

    from zeroserve import scripts

    for name, object in scripts.objects("site.tar"):
        ...

Scripts are ``.zeroserve/scripts/NAME.py`` and ``NAME.c`` (compiled) and ``NAME.o`` (eBPF objects,
taken as they are); they run in the order of their names. A module in Python without hooks is
there to be imported by scripts beside it, and is none itself. An archive holds objects only.
Whatever is in the way is an error: a site without one of its scripts may be a site without its
guard.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from zeroserve import clang, object_cache
from zeroserve._core import Archive, Error, Problem, Program
from zeroserve.words import quoted, reason

if TYPE_CHECKING:
    from zeroserve.compiler import Diagnostic

__all__ = [
    "DIRECTORY",
    "Place",
    "Script",
    "compiled",
    "diagnostics",
    "files",
    "is_helper",
    "is_script",
    "is_source",
    "load",
    "lost",
    "objects",
    "places",
    "problems",
    "split",
]

DIRECTORY = ".zeroserve/scripts/"

ENTRY_SECTIONS = ("zeroserve.request", "zeroserve.response")

CALL_SECTION = "zeroserve.call."
"""What the section of a function that other scripts may call begins with."""

SUFFIXES = (".py", ".c", ".o")

NO_ENTRY_HINTS = {
    ".py": "write @on_request above the function that looks at requests",
    ".c": "write ZS_ENTRY before the function that looks at requests",
}

NEVER_RUNS = "no function is a hook, and no script imports it: it never runs"

RULES = "50-rules"
"""The script that the files of rules of a site become."""

RULE_FILES = ("_redirects", "_headers")
"""At the root of a site; they are never served."""

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
    rules_of: str | None = None
    """The directory whose files of rules it is made of; it is no file then."""


def objects(
    site: str | os.PathLike[str], *, seen: Callable[[str], object] | None = None
) -> list[Script]:
    """The scripts of a site in the order in which they run; none when it has none.

    ``site``: an archive, a directory, whose sources are compiled now, or a ``.py``, ``.c`` or
    ``.o`` file. ``seen`` is called with each file that decides what the scripts are. Raises
    ``Error`` with the name of the script for the first that is refused.
    """
    path = os.fspath(site)
    alone = split(path) is not None
    archive = None if alone or os.path.isdir(path) else Archive(path)  # noqa: PTH112
    found = []
    for place in places(files(path, archive), rules_of=rules_of(path)):
        try:
            object = _object(place, archive, seen)
        except Error as error:
            for diagnostic in diagnostics(error):
                if seen is not None:
                    seen(diagnostic.path)
            raise
        if place.rules_of is not None and not object:
            continue  # files without rules
        load(object, place.path or place.entry)
        found.append(Script(place.name, object))
    return found


def problems(site: str | os.PathLike[str], archive: Archive | None) -> Iterator[Problem]:
    """Everything that is wrong with the scripts of a site; ``archive`` as for ``files``."""
    try:
        found = places(files(os.fspath(site), archive), rules_of=rules_of(os.fspath(site)))
    except Error as error:
        yield Problem("error", DIRECTORY, 0, str(error.args[0]))
        return
    imported: set[str] = set()
    refused = False
    for place in found:
        try:
            if place.path is not None and place.path.endswith(".c"):
                compiled = clang.compile(place.path)
                for message in compiled.messages:
                    text = f"line {message.line}: {message.text}"
                    yield Problem("warning", place.entry, 0, text)
                object = compiled.object
            else:
                object = _object(place, archive, imported.add)
            if object or place.rules_of is None:
                load(object, place.path or place.entry)
        except Error as error:
            refused = True
            several = diagnostics(error)
            for one in several if place.rules_of is None else ():
                file = "" if one.path == place.path else f"{os.path.basename(one.path)}, "  # noqa: PTH119
                text = f"{file}line {one.line}: {one.message}"
                yield Problem("error", place.entry, 0, text)
            for one in several if place.rules_of is not None else ():
                hint = f" ({one.hint})" if one.hint else ""
                text = f"line {one.line}, column {one.column}: {one.message}{hint}"
                yield Problem("error", os.path.basename(one.path), 0, text)  # noqa: PTH119
            if not several:
                yield Problem("error", place.entry, 0, _without_place(place, str(error.args[0])))
    # One that is refused may be the one that imports it.
    if archive is None and not refused:
        for entry in lost(_of_directory(os.fspath(site)), imported):
            yield Problem("warning", entry, 0, NEVER_RUNS)


def files(site: str, archive: Archive | None) -> list[tuple[str, str | None]]:
    """Names inside the site of what may be its scripts, and their files if they are files.

    ``archive`` is the site opened when it is an archive; otherwise None.
    """
    if archive is not None:
        return [(entry.name, None) for entry in archive.entries(under=DIRECTORY)]
    if not os.path.isdir(site):  # noqa: PTH112
        return [(DIRECTORY + os.path.basename(site), site)]  # noqa: PTH119
    return [file for file in _of_directory(site) if not is_helper(file[1])]


def rules_of(site: str) -> str | None:
    """The site, if it is a directory with files of rules, or a configuration that has some."""
    if not os.path.isdir(site):  # noqa: PTH112
        return None
    if any(os.path.lexists(os.path.join(site, name)) for name in RULE_FILES):  # noqa: PTH118
        return site
    if not os.path.lexists(os.path.join(site, ".zeroserve", "zeroserve.toml")):  # noqa: PTH118
        return None
    from zeroserve.config import file  # late: most sites have no such file

    return site if file.decides(site) else None


def lost(files: Iterable[tuple[str, str]], imported: Collection[str]) -> list[str]:
    """Names of modules without hooks that no script imports; ``imported``: paths that one does."""
    known = {os.path.abspath(path) for path in imported}  # noqa: PTH100
    return sorted(
        entry
        for entry, path in files
        if is_script(entry) and is_helper(path) and os.path.abspath(path) not in known  # noqa: PTH100
    )


def _of_directory(site: str) -> list[tuple[str, str]]:
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


def places(files: Iterable[tuple[str, str | None]], *, rules_of: str | None = None) -> list[Place]:
    """The scripts among these files of a site, in the order in which they run.

    ``rules_of``: the site, when it is a directory with files of rules. Raises ``Error`` when two
    have one name, or for one that can't be run.
    """
    found: dict[str, Place] = {}
    for entry, file in files:
        parts = _of_site(entry)
        if parts is None:
            continue
        name, suffix = parts
        if file is None and suffix != ".o":
            raise Error(
                f"an archive holds compiled scripts, not sources: {quoted(entry)}",
                "make the archive with `zeroserve pack`, which compiles them",
            )
        if name in found:
            pair = " and ".join(sorted([quoted(found[name].entry), quoted(entry)]))
            raise Error(f"two scripts with one name: {pair}", "rename or remove one of them")
        found[name] = Place(name, entry, file)
    if rules_of is not None:
        if RULES in found:
            raise Error(
                f"rules beside the script that such rules become: {quoted(found[RULES].entry)}",
                "remove the script, or the files of rules",
            )
        found[RULES] = Place(RULES, f"{DIRECTORY}{RULES}.py", None, rules_of)
    if len(found) > MAX_SCRIPTS:
        raise Error(f"more than {MAX_SCRIPTS} scripts: {len(found)}")
    return sorted(found.values(), key=lambda place: f"{place.name}.o".encode())


def compiled(path: str) -> bytes:
    """The object that a source becomes, or what a ``.o`` file holds; not loaded yet."""
    if path.endswith(".py"):
        return object_cache.compile(path).object
    return clang.compile(path).object if path.endswith(".c") else _read(path)


def diagnostics(error: Error) -> "Sequence[Diagnostic]":
    """What the compiler of scripts in Python said, if the error is one of its."""
    found: Sequence[Diagnostic] = getattr(error, "diagnostics", ())
    return found


def is_helper(path: str) -> bool:
    """Whether it is a module in Python for scripts to import: there is no hook in it.

    A file that is empty is none: it may be a script that is just being saved.
    """
    if not path.endswith(".py"):
        return False
    # What can't be read or parsed is a script that is refused, not one script less.
    try:
        if not _read(path).strip():
            return False
        from zeroserve import compiler  # late: most sites have no Python

        return compiler.is_helper(path)
    except (Error, OSError, SyntaxError, ValueError):
        return False


def load(object: bytes, place: str) -> Program:
    """Verify an object as the server will; raises ``Error`` that names ``place``."""
    suffix = os.path.splitext(place)[1]  # noqa: PTH122
    if not object and suffix == ".py":
        raise Error(
            f"{quoted(place)}: no function is a hook, so it would never run", NO_ENTRY_HINTS[suffix]
        )
    try:
        program = Program(object)
        program.code_bytes()  # compiled, too: what is refused only then is refused now
    except Error as error:
        raise Error(f"{quoted(place)}: {error.args[0]}", *error.args[1:]) from None
    sections = [function.section for function in program.functions()]
    if not any(s in ENTRY_SECTIONS or s.startswith(CALL_SECTION) for s in sections):
        raise Error(
            f"{quoted(place)}: no function is an entry, so it would never run",
            NO_ENTRY_HINTS.get(suffix, NO_ENTRY_HINTS[".c"]),
        )
    return program


def split(entry: str) -> tuple[str, str] | None:
    """Name and suffix of a script; None for any other file.

    >>> split(".zeroserve/scripts/guard.c")
    ('guard', '.c')
    """
    name, suffix = os.path.splitext(os.path.basename(entry))  # noqa: PTH119, PTH122
    hidden = name.startswith(".")
    return (name, suffix) if suffix in SUFFIXES and not hidden else None


def is_script(entry: str) -> bool:
    """Whether a file of that name inside a site is one of its scripts.

    >>> is_script(".zeroserve/scripts/guard.c"), is_script("download/guard.c")
    (True, False)
    """
    return _of_site(entry) is not None


def is_source(entry: str) -> bool:
    """Whether a file of that name inside a site belongs to its scripts in Python: never packed.

    >>> is_source(".zeroserve/scripts/lib/words.py"), is_source("download/words.py")
    (True, False)
    """
    return entry.startswith(DIRECTORY) and entry.endswith((".py", ".pyc"))


def _of_site(entry: str) -> tuple[str, str] | None:
    """Name and suffix, when the file lies where scripts do."""
    directory, slash, _ = entry.rpartition("/")
    return split(entry) if directory + slash == DIRECTORY else None


def _object(
    place: Place, archive: Archive | None, seen: Callable[[str], object] | None = None
) -> bytes:
    if place.rules_of is not None:
        from zeroserve.config import rules  # late: most sites have none

        if seen is not None:
            for path in rules.files_of(place.rules_of):
                seen(path)
        built = rules.made(place.rules_of)
        return built.object if built is not None else b""
    if place.path is not None:
        if seen is not None:
            seen(place.path)
            if place.path.endswith(".py"):
                made = object_cache.compile(place.path)
                for file in made.files:
                    seen(file)
                return made.object
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
