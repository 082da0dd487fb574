"""The plan of an archive: every entry that it may get, in the order it will have."""

from collections.abc import Iterator
from typing import NamedTuple

from zeroserve import _core
from zeroserve.codings import CODINGS, Coding, split_sibling
from zeroserve.pack.walk import Source
from zeroserve.scripts import RULE_FILES

MIN_COMPRESS_BYTES = 256
"""Below this the head of a response outweighs what could be saved."""

MAX_COMPRESS_BYTES = 32 << 20
"""Above this a file costs too long to compress, and is one that is read by ranges."""


class Member(NamedTuple):
    """One entry to be: a file as it is, or a sibling of it that has yet to be made."""

    name: str
    source: Source
    """The file itself; for a sibling to be made, the file it is made of."""
    make: Coding | None = None
    """Compress ``source`` with this; the entry is dropped when that saves too little."""
    proves: tuple[Source, Coding] | None = None
    """``source`` is a sibling that was there already: it has to decode to this file."""


def plan(sources: list[Source], *, compress: bool) -> list[Member]:
    """The members for these files, in byte order of their names."""
    by_name = {source.name: source for source in sources}
    directories = {name[:i] for name in by_name for i in _slashes(name)}
    members = []
    for source in sources:
        sibling = split_sibling(source.name)
        original = by_name.get(sibling[0]) if sibling else None
        proves = (original, sibling[1]) if original and sibling else None
        members.append(Member(source.name, source, proves=proves))
        if not compress or not _worth_it(source):
            continue
        for coding in CODINGS:
            name = source.name + coding.suffix
            # A directory may have that name too: then there is no room for the sibling.
            if name not in by_name and name not in directories:
                members.append(Member(name, source, make=coding))
    members.sort(key=lambda member: member.name.encode())
    return members


def _worth_it(source: Source) -> bool:
    if not MIN_COMPRESS_BYTES <= source.size <= MAX_COMPRESS_BYTES:
        return False
    # What lies in .zeroserve is never sent to anybody, nor are files of rules.
    hidden = source.name.startswith(".zeroserve/") or source.name in RULE_FILES
    return _core.compressible(source.name) and not hidden


def _slashes(name: str) -> Iterator[int]:
    return (i for i, character in enumerate(name) if character == "/")
