"""What is no fault in zeroserve.toml, but perhaps not meant: for ``zeroserve check``."""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator

from zeroserve.config.faults import Fault
from zeroserve.config.file import NAME, Config
from zeroserve.config.model import REDIRECTS, Rule, Rules
from zeroserve.config.paths import BasicAuth, Path, Places, decoded, is_guarded, references
from zeroserve.config.values import WILD

Has = Callable[[str], bool]


def notes(config: Config, entries: Collection[str]) -> Iterator[Fault]:
    """What to look at again. ``entries``: names of the site's files."""
    has = _finder(config, entries)
    places = Places(config.settings.paths)
    yield from _pages(config, entries)
    for pattern, path in config.settings.paths.items():
        for key, message in (
            *_targets(path, config, has, places),
            *_addresses(path),
            *_around(pattern, path, config),
        ):
            yield _note(config, ("paths", pattern, key), message)


def _note(config: Config, place: tuple[str, ...], message: str) -> Fault:
    line = next((config.lines[p] for p in (place, place[:-1]) if p in config.lines), None)
    return Fault(NAME, line, ".".join(place), message)


def _finder(config: Config, entries: Collection[str]) -> Has:
    names = set(entries)

    def has(path: str) -> bool:
        name = path.strip("/")
        found = {name, f"{name}/index.html".lstrip("/")}
        if config.settings.clean_urls:
            found.add(f"{name}.html")
        return not found.isdisjoint(names)

    return has


def _pages(config: Config, entries: Collection[str]) -> Iterator[Fault]:
    said = config.settings
    pages: list[tuple[tuple[str, ...], str]] = [
        (("error_pages", status), page) for status, page in said.error_pages.items()
    ]
    if said.spa is not None:
        pages.append((("spa",), said.spa))
    if said.maintenance is not None and said.maintenance.page is not None:
        pages.append((("maintenance", "page"), said.maintenance.page))
    for place, page in pages:
        if page.removeprefix("/") not in entries:
            yield _note(config, place, f"no such file in the site: {page}")


def _targets(path: Path, config: Config, has: Has, places: Places) -> Iterator[tuple[str, str]]:
    said = config.settings
    if path.proxy is not None and path.proxy.to.startswith("pool:"):
        name = path.proxy.to.removeprefix("pool:")
        if name not in config.pools:
            yield "proxy", f"no [pools.{name}] here: the process has to have it"
    targets: list[tuple[str, str | None]] = [("rewrite", path.rewrite)]
    if path.redirect is not None:
        targets.append(("redirect", path.redirect.to))
    for key, target in targets:
        if target is None or "://" in target or references(target) or path.proxy is not None:
            continue
        found = decoded(re.split("[?#]", target)[0])
        other = None if key == "rewrite" else places.of(found)
        if other is not None and said.paths[other].redirect is not None:
            yield key, f"sends clients on to {found}, from where {other} sends them on again"
        elif other is None and not has(found) and not (said.spa or said.listing):
            yield key, f"nothing is there: {found}"


def _addresses(path: Path) -> Iterator[tuple[str, str]]:
    denied = [ipaddress.ip_network(one) for one in path.deny]
    useless = [one for one in path.allow if any(_is_in(one, wide) for wide in denied)]
    for one in useless:
        yield "allow", f"denied all the same: {one}"


def _is_in(narrow: str, wide: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    found = ipaddress.ip_network(narrow)
    if isinstance(found, ipaddress.IPv4Network):
        return isinstance(wide, ipaddress.IPv4Network) and found.subnet_of(wide)
    return isinstance(wide, ipaddress.IPv6Network) and found.subnet_of(wide)


def _around(pattern: str, path: Path, config: Config) -> Iterator[tuple[str, str]]:
    """A rewrite leads to where a guard stands, and does not come by it."""
    if path.rewrite is None or path.proxy is not None:
        return
    target = _sample(path.rewrite.partition("?")[0])
    for other, guard in config.settings.paths.items():
        guards = guard.deny or guard.allow or isinstance(guard.basic_auth, BasicAuth)
        if guards and is_guarded(other, target) and not is_guarded(other, _sample(pattern)):
            yield "rewrite", f"leads behind the guard of {other}, which is not asked"


def rules_around(rules: Rules, config: Config) -> Iterator[tuple[Rule, str]]:
    """Rewrites of `_redirects` that lead to where a guard stands, and the pattern of that."""
    for rule in rules.redirects:
        if rule.is_remote or rule.status in REDIRECTS or not rule.target:
            continue
        source, target = (
            "".join(one if isinstance(one, str) else "x" for one in pieces)
            for pieces in (rule.pattern.path, rule.target)
        )
        for other, guard in config.settings.paths.items():
            guards = guard.deny or guard.allow or isinstance(guard.basic_auth, BasicAuth)
            if guards and is_guarded(other, target) and not is_guarded(other, source):
                yield rule, other


def _sample(text: str) -> str:
    """A path that a pattern matches, or a target leads to."""
    return re.sub(r":[A-Za-z][A-Za-z0-9_]*", "x", WILD.sub("x", text))
