"""The rules of a site: its files read, and the script that they become."""

import hashlib
import os
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import NamedTuple

from zeroserve import object_cache
from zeroserve._core import Archive, Error
from zeroserve.config import file, headers, redirects, waiting
from zeroserve.config.lines import Lines, Mistake, refusal
from zeroserve.config.model import Block, Dialect, Rule, Rules
from zeroserve.words import quoted, reason

FILES = (redirects.NAME, headers.NAME)


class Reading(NamedTuple):
    """What the files of a site say, and what is wrong with them."""

    rules: Rules
    lines: tuple[Lines, ...]

    @property
    def mistakes(self) -> list[tuple[str, Mistake]]:
        """With the name of the file."""
        return [(lines.name, one) for lines in self.lines for one in lines.mistakes]

    @property
    def notes(self) -> list[tuple[str, Mistake]]:
        """As ``mistakes``, of what is none, but perhaps not meant."""
        return [(lines.name, one) for lines in self.lines for one in lines.notes]


def read(content: Callable[[str], bytes | None], dialect: Dialect = "cloudflare") -> Reading:
    """Read the files; ``content`` gives that of one, None where there is none."""
    files: list[str] = []
    lines: list[Lines] = []
    rules: list[Rule] = []
    blocks: list[Block] = []
    data = content(redirects.NAME)
    if data is not None:
        rules, found = redirects.read(data, dialect)
        lines.append(found)
        files.append(redirects.NAME)
    data = content(headers.NAME)
    if data is not None:
        blocks, found = headers.read(data, dialect)
        lines.append(found)
        files.append(headers.NAME)
    return Reading(Rules(dialect, tuple(rules), tuple(blocks), tuple(files)), tuple(lines))


ENTRY = ".zeroserve/scripts/50-rules.py"
"""Where the script that they become would lie."""

SHOWN_BYTES = 64 << 10
"""Rules from which on people are told what takes so long."""


def sources_of(site: str) -> list[str]:
    """Where the files of rules of a directory would be."""
    return [os.path.join(site, name) for name in FILES]  # noqa: PTH118


def files_of(site: str) -> tuple[str, ...]:
    """Paths of the files of rules of a directory, and of what else decides what they mean."""
    found = (*sources_of(site), os.path.join(site, file.NAME))  # noqa: PTH118
    return tuple(path for path in found if os.path.lexists(path))


def source(site: str) -> str | None:
    """The script of a directory; None when no rule needs one. Raises ``Error`` as below."""
    from zeroserve.config import emit  # late: most sites have no rules

    config = file.of_directory(site)
    text = emit.script(of_directory(site, config), config.settings, config.lines)
    return text if emit.decides(text) else None


def made(site: str) -> object_cache.Made | None:
    """The compiled script of a directory; None when no rule needs one.

    Raises ``Error`` with everything that is wrong with the files.
    """
    files = files_of(site)
    if not files:
        return None

    def make() -> str:
        text = source(site)
        if text is None:
            raise _Empty
        return text

    size = sum(os.path.getsize(path) for path in files if os.path.isfile(path))  # noqa: PTH113, PTH202
    what = f"compiling {size / 1e6:.1f} MB of rules"
    around = waiting.around(what) if size >= SHOWN_BYTES else nullcontext()
    try:
        with around:
            return object_cache.compile_made(os.path.join(site, ENTRY), files, _version(), make)  # noqa: PTH118
    except _Empty:
        return None


class _Empty(Exception):
    """There are files, but no rules in them."""


@cache
def _version() -> str:
    """Changes when what is made of rules does."""
    here = os.path.dirname(__file__)  # noqa: PTH120
    digest = hashlib.sha256()
    for folder in (here, os.path.join(here, "emit")):  # noqa: PTH118
        for name in sorted(os.listdir(folder)):  # noqa: PTH208
            if name.endswith(".py"):
                digest.update(name.encode() + b"\0" + (bytes_of(os.path.join(folder, name)) or b""))  # noqa: PTH118
    return digest.hexdigest()[:16]


def dialect_of(config: file.Config) -> Dialect:
    """What a configuration says about dialects."""
    return "netlify" if config.settings.rules == "netlify" else "cloudflare"


def source_of_archive(archive: Archive, shown: str) -> str | None:
    """As ``source``, of an archive; ``shown`` is its name in messages."""
    from zeroserve.config import emit

    config = config_of_archive(archive, shown)
    text = emit.script(of_archive(archive, shown), config.settings, config.lines)
    return text if emit.decides(text) else None


def config_of_archive(archive: Archive, shown: str) -> file.Config:
    """What the configuration file of an archive says; raises ``Error``."""
    data = content_of(archive)(file.NAME)
    if data is None:
        return file.NOTHING
    config, faults = file.read(data, f"{shown}: {file.NAME}")
    if faults.found:
        raise faults.error()
    return config


def of_directory(site: str, config: file.Config | None = None) -> Rules:
    """What the files of a directory say; raises ``Error`` with all that is wrong with them.

    ``config``: what its configuration file says, if that was read already.
    """
    said = config or file.of_directory(site)
    reading = read(lambda name: bytes_of(os.path.join(site, name)), dialect_of(said))  # noqa: PTH118
    if reading.mistakes:
        raise refusal((os.path.join(site, name), one) for name, one in reading.mistakes)  # noqa: PTH118
    return reading.rules


def of_archive(archive: Archive, shown: str) -> Rules:
    """As ``of_directory``, of an archive; ``shown`` is its name in messages."""
    content = content_of(archive)
    reading = read(content, dialect_of(config_of_archive(archive, shown)))
    if reading.mistakes:
        raise refusal((f"{shown}: {name}", one) for name, one in reading.mistakes)
    return reading.rules


def content_of(archive: Archive) -> Callable[[str], bytes | None]:
    """The contents of entries by their names, hidden ones included."""

    def content(name: str) -> bytes | None:
        found = any(entry.name == name for entry in archive.entries(under=name))
        return archive.read(name) if found else None

    return content


def bytes_of(path: str) -> bytes | None:
    """The content of a file; None without one. Raises ``Error`` for one that can't be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Error(f"can't read {quoted(path)}: {reason(error)}") from None
