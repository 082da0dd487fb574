"""Which lines of `_redirects` and `_headers` decided a request, for ``zeroserve explain``."""

import os
from collections.abc import Iterable, Iterator

from zeroserve._core import Archive, Site
from zeroserve.config import file, interpret, rules
from zeroserve.config.model import REDIRECTS, Rules
from zeroserve.script import Request
from zeroserve.script.files import file_exists, looking
from zeroserve.script.request import Arrived
from zeroserve.scripts import RULE_FILES


def lines(
    site: str, opened: Site, method: str, target: str, headers: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """The line that decided and what it came to, then a line for each header.

    Scripts that run before the rules are not considered: rules that are not reached say so by
    the functions that ran.
    """
    found, config = _rules(site)
    req = _request(method, target, list(headers))
    yield from tables(config, req.path)
    if not found:
        return
    with looking(opened.has):
        verdict = interpret.decide(found.redirects, req, file_exists)
    if verdict is not None:
        yield f"{verdict.rule.origin}: {verdict.rule.text}: {_came_to(verdict)}"
    for change in interpret.headers(found.blocks, req):
        origins = ", ".join(map(str, change.origins))
        value = "removed" if change.value is None else change.value
        yield f"{origins}: {change.name}: {value}"


def _came_to(verdict: interpret.Verdict) -> str:
    status = verdict.rule.status
    if status in REDIRECTS:
        return f"{status} to {verdict.url}"
    if verdict.rule.is_proxy:
        return f"passed on as {verdict.url}"
    if status == 200:
        return f"answered with {verdict.url}" if verdict.url else "as it is"
    return f"{status} with {verdict.url}" if verdict.url else str(status)


def tables(config: file.Config, path: str) -> Iterator[str]:
    """The path tables that speak of a path, the narrowest first, and of what they speak."""
    from zeroserve.config import paths

    said = config.settings.paths
    for pattern in sorted(said, key=paths.narrowness, reverse=True):
        keys = paths.spoken(pattern, said[pattern], path)
        if keys:
            line = config.lines.get(("paths", pattern))
            place = f"zeroserve.toml:{line}" if line is not None else "zeroserve.toml"
            yield f"{place}: {pattern}: {', '.join(keys)}"


def _rules(site: str) -> tuple[Rules, file.Config]:
    if os.path.isdir(site):  # noqa: PTH112
        config = file.of_directory(site)
        return rules.of_directory(site, config), config
    if not site.endswith(".tar"):
        return Rules(), file.NOTHING
    archive = Archive(site)
    config = rules.config_of_archive(archive, site)
    has = rules.content_of(archive)
    there = any(has(name) is not None for name in RULE_FILES)
    return rules.of_archive(archive, site) if there else Rules(), config


def _request(method: str, target: str, headers: list[tuple[str, str]]) -> Request:
    fields = [(name, value.encode("utf-8", "surrogateescape")) for name, value in headers]
    if not any(name.lower() == "host" for name, _ in fields):
        fields.append(("Host", b"localhost"))
    return Arrived(
        method,
        target,
        fields,
        b"",
        scheme="http",
        peer=("127.0.0.1", 0),
        http_version="1.1",
        tls=(None, None, None),
        client_ip="127.0.0.1",
    )
