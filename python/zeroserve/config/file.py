"""The configuration file itself: where it is, and what its tables are made of."""

import dataclasses
import json
import os
import tomllib
from typing import NamedTuple

from zeroserve._core import Archive, Error
from zeroserve.config.faults import Fault, Faults
from zeroserve.config.fetch import Fetch, read_fetch
from zeroserve.config.pools import Pool, read_pools
from zeroserve.words import quoted, reason

NAME = ".zeroserve/zeroserve.toml"
"""Inside of a site."""

MAX_BYTES = 1 << 20
"""Longer than any that a person has written."""

TABLES = ("pools", "fetch")


class Config(NamedTuple):
    """What a file says."""

    pools: dict[str, Pool]
    fetch: Fetch = Fetch()

    @property
    def json(self) -> str | None:
        """All of it for the engine; None when it says nothing."""
        if self == NOTHING:
            return None
        pools = {name: dataclasses.asdict(pool) for name, pool in self.pools.items()}
        return json.dumps({"pools": pools, "fetch": dataclasses.asdict(self.fetch)})


NOTHING = Config({})


def load(path: str) -> Config:
    """Read a file; raises ``Error`` with everything that is wrong with it."""
    return _or_error(*read(_bytes(path), path))


def site_json(data: bytes, site: str) -> str | None:
    """What a site's own file says as the engine takes it; ``site`` is for messages.

    None when that is nothing; raises ``Error`` as ``load``.
    """
    path = f"{site}: {NAME}" if site.endswith(".tar") else os.path.join(site, NAME)  # noqa: PTH118
    return _or_error(*read(data, path, of_site=True)).json


def of_directory(site: str) -> Config:
    """What a directory's own file says; nothing, if it has none. Raises ``Error`` as ``load``."""
    path = os.path.join(site, NAME)  # noqa: PTH118
    if not os.path.lexists(path):
        return NOTHING
    return _or_error(*read(_bytes(path), path, of_site=True))


def faults_of_site(site: str, archive: Archive | None) -> list[Fault]:
    """Everything that is wrong with a site's own file."""
    if archive is None:
        path = os.path.join(site, NAME)  # noqa: PTH118
        if not os.path.isdir(site) or not os.path.lexists(path):  # noqa: PTH112
            return []
        try:
            return read(_bytes(path), path, of_site=True)[1].found
        except Error as error:
            return [Fault(path, None, "", str(error.args[0]))]
    if not any(entry.name == NAME for entry in archive.entries(under=".zeroserve/")):
        return []
    return read(archive.read(NAME), NAME, of_site=True)[1].found


def read(data: bytes, path: str, *, of_site: bool = False) -> tuple[Config, Faults]:
    """What a file says as far as it can be understood, and what is wrong with the rest.

    ``of_site``: it is a site's own file, which may say less than that of the process.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        faults = Faults(path, "")
        faults.add((), "not UTF-8", line=data.count(b"\n", 0, error.start) + 1)
        return NOTHING, faults
    faults = Faults(path, text)
    if len(data) > MAX_BYTES:
        faults.add((), f"longer than {MAX_BYTES:,} bytes")
        return NOTHING, faults
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message, line = _syntax(str(error))
        faults.add((), f"not TOML: {message}", line=line)
        return NOTHING, faults
    for name in values:
        if name not in TABLES:
            faults.add_unknown((name,), TABLES)
    fetch = read_fetch(values.get("fetch", {}), faults, of_site=of_site)
    return Config(read_pools(values.get("pools", {}), faults), fetch), faults


def _syntax(message: str) -> tuple[str, int | None]:
    """The parser's message without its place, and the line of that."""
    what, _, place = message.rpartition(" (at ")
    number = place.removeprefix("line ").partition(",")[0]
    line = int(number) if number.isdigit() else None
    what = what or message
    return what[:1].lower() + what[1:], line


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Error(f"can't read {quoted(path)}: {reason(error)}") from None


def _or_error(config: Config, faults: Faults) -> Config:
    if faults.found:
        raise faults.error()
    return config
