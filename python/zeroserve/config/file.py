"""The configuration file itself: where it is, and what its tables are made of."""

import dataclasses
import json
import os
import tomllib
from typing import Any, NamedTuple

from zeroserve._core import Archive, Error
from zeroserve.config import keys, paths, process
from zeroserve.config.faults import HEADER, Fault, Faults, lines, parts
from zeroserve.config.fetch import Fetch, read_fetch
from zeroserve.config.pools import Pool, read_pools, written
from zeroserve.config.site import Settings, Shared
from zeroserve.words import quoted, reason

NAME = ".zeroserve/zeroserve.toml"
"""Inside of a site."""

COMPILED = ".zeroserve/scripts/50-rules.o"
"""What it says of requests, in an archive."""

MAX_BYTES = 1 << 20
"""Longer than any that a person has written."""

BOTH = ("pools", "fetch")
"""Tables of either file, which the engine takes: they are no rules."""


class Config(NamedTuple):
    """What a file says."""

    pools: dict[str, Pool] = {}  # noqa: RUF012
    fetch: Fetch = Fetch()
    settings: Settings = Settings()
    """Of a site's own file."""
    shared: Shared = Shared()
    """Of the file of a process: what decides requests for all of its sites."""
    server: dict[str, Any] = {}  # noqa: RUF012
    """Of the file of a process: options of serving by their keys, ``[limits]`` included."""
    sites: dict[str, str] = {}  # noqa: RUF012
    """Of the file of a process: sites by host; ``*`` is for all others."""
    lines: dict[tuple[str, ...], int] = {}  # noqa: RUF012
    """Where keys are in the file, as far as that can be told."""

    @property
    def decides(self) -> bool:
        """Whether a site's own file says anything of requests."""
        return dataclasses.replace(self.settings, rules=None) != Settings()

    @property
    def json(self) -> str | None:
        """What the engine takes of it; None when that is nothing."""
        if not self.pools and self.fetch == Fetch():
            return None
        pools = {name: written(pool) for name, pool in self.pools.items()}
        return json.dumps({"pools": pools, "fetch": dataclasses.asdict(self.fetch)})


NOTHING = Config()


def load(path: str) -> Config:
    """Read the file of a process; raises ``Error`` with everything that is wrong with it."""
    return _or_error(*read(_bytes(path), path, of_process=True))


def decides(site: str) -> bool:
    """Whether a directory's own file says anything of requests, besides its pools.

    False for one that is refused: who reads it says why.
    """
    path = os.path.join(site, NAME)  # noqa: PTH118
    if not os.path.lexists(path):
        return False
    try:
        config, faults = read(_bytes(path), path)
    except Error:
        return False
    return not faults.found and config.decides


def without_rules(text: str, config: Config) -> str:
    """A file with everything commented out that is rules; raises ``Error`` when that can't be told
    line by line."""
    kept, stays_so = [], False
    for line in text.splitlines(keepends=True):
        header = HEADER.match(line)
        if header:
            stays_so = parts(header[1])[0] in BOTH
        stays = stays_so or not line.strip() or line.lstrip().startswith("#")
        kept.append(line if stays else f"#{line}")
    made = "".join(kept)
    left, faults = read(made.encode(), NAME)
    if faults.found or left.decides or left.json != config.json:
        hint = "move [pools] and [fetch] to the end of the file, each in tables of its own"
        raise Error(f"its rules can't be told from the rest: {quoted(NAME)}", hint)
    return made


def shared_scripts(config: Config, path: str) -> list[tuple[str, bytes]]:
    """Names and objects of the scripts that the file of a process becomes; none if it says nothing
    of requests."""
    if config.shared == Shared():
        return []
    from zeroserve import compiler  # late: most files have pools and options alone
    from zeroserve.config import emit

    source = emit.shared(config.shared, config.lines, os.path.basename(path))  # noqa: PTH119
    if not emit.decides(source):
        return []
    return [(emit.PROCESS, compiler.compile_text(source, f"{emit.PROCESS}.py"))]


def site_json(data: bytes, site: str, path: str) -> str | None:
    """What the engine takes of a site's own file; ``site`` is for messages.

    None when that is nothing; raises ``Error`` as ``load``, and when the file of an archive, which
    lies at ``path``, says something of requests that is not compiled.
    """
    name = f"{site}: {NAME}" if site.endswith(".tar") else os.path.join(site, NAME)  # noqa: PTH118
    config = _or_error(*read(data, name))
    if config.decides and not os.path.isdir(path) and not _is_compiled(path):  # noqa: PTH112
        raise Error(
            f"{name}: rules that were not compiled", "make the archive with `zeroserve pack`"
        )
    return config.json


def _is_compiled(path: str) -> bool:
    return any(entry.name == COMPILED for entry in Archive(path).entries(under=".zeroserve/"))


def of_directory(site: str) -> Config:
    """What a directory's own file says; nothing, if it has none. Raises ``Error`` as ``load``."""
    path = os.path.join(site, NAME)  # noqa: PTH118
    return _or_error(*read(_bytes(path), path)) if os.path.lexists(path) else NOTHING


def faults_of_site(site: str, archive: Archive | None) -> list[Fault]:
    """Everything that is wrong with a site's own file."""
    try:
        found = _read_site(site, archive)
    except Error as error:
        return [Fault(os.path.join(site, NAME), None, "", str(error.args[0]))]  # noqa: PTH118
    return [] if found is None else found[1].found


def of_site(site: str, archive: Archive | None) -> Config | None:
    """What a site's own file says; None without one, or when it is refused."""
    try:
        found = _read_site(site, archive)
    except Error:
        return None
    return found[0] if found is not None and not found[1].found else None


def _read_site(site: str, archive: Archive | None) -> tuple[Config, Faults] | None:
    if archive is not None:
        there = any(entry.name == NAME for entry in archive.entries(under=".zeroserve/"))
        return read(archive.read(NAME), NAME) if there else None
    path = os.path.join(site, NAME)  # noqa: PTH118
    if not os.path.isdir(site) or not os.path.lexists(path):  # noqa: PTH112
        return None
    return read(_bytes(path), path)


def read(data: bytes, path: str, *, of_process: bool = False) -> tuple[Config, Faults]:
    """What a file says as far as it can be understood, and what is wrong with the rest."""
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
    known = _known(Shared if of_process else Settings, *(process.TABLES if of_process else ()))
    others = _known(Settings, *process.TABLES)
    for name in values:
        if name in known:
            continue
        if name in others:
            where = "a site's own .zeroserve/zeroserve.toml" if of_process else "--config FILE"
            faults.add((name,), f"only in {where}")
        else:
            faults.add_unknown((name,), known)
    folder = os.path.dirname(os.path.abspath(path)) if of_process else None  # noqa: PTH100, PTH120
    pools = read_pools(values.get("pools", {}), faults, folder=folder)
    found = _process(values, path, faults) if of_process else _site(values, faults)
    fetch = read_fetch(values.get("fetch", {}), faults, of_site=not of_process)
    return found._replace(pools=pools, fetch=fetch, lines=lines(text)), faults


def _known(of: type, *tables: str) -> list[str]:
    return [field.name for field, _ in keys.rows(of)] + [*BOTH, *tables]


def _site(values: dict[str, Any], faults: Faults) -> Config:
    own = {name: values[name] for name in _known(Settings) if name in values and name not in BOTH}
    found = keys.read(Settings, own, (), faults)
    if found.listing and found.spa is not None:
        message = "for all paths, it leaves nothing to `spa`"
        faults.add(("listing",), message, "have it for some of them: [paths] has it, too")
    paths.check(found.paths, faults)
    return Config(settings=found)


def _process(values: dict[str, Any], path: str, faults: Faults) -> Config:
    own = {name: values[name] for name in _known(Shared) if name in values and name not in BOTH}
    shared = keys.read(Shared, own, (), faults)
    paths.check(shared.paths, faults)
    server = process.read_server(values.get("server", {}), path, faults)
    limits = process.read_limits(values.get("limits", {}), path, faults)
    sites = process.read_sites(values.get("sites", {}), path, faults)
    return Config(shared=shared, server={**server, **limits}, sites=sites)


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
