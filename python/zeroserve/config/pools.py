"""Pools of upstreams: ``[pools.NAME]`` tables of a configuration file.

    [pools.api]
    upstreams = ["http://10.0.0.1:9000", "http://10.0.0.2:9000"]

The defaults are those of ``crates/proxy``, which reads what ``written`` makes of all this.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from zeroserve.config.faults import Faults
from zeroserve.config.keys import (
    Kind,
    Schema,
    choice,
    flag,
    key,
    kind,
    parsed,
    read,
    rows,
    several,
    shown,
    statuses,
    table,
    text,
    whole,
)

MAX_TIME_MS = 86_400_000
"""A day."""

MAX_UPSTREAMS = 256
"""Each choice looks at all of them."""

MAX_POOLS = 256

SCHEMES = ("http://", "https://", "h2://", "h2c://", "unix:/")

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
NAME = frozenset("-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _time(default: int | None, doc: str, least: int = 1) -> Any:
    return key(default, whole(least, MAX_TIME_MS), f"{least} ms to a day", doc)


def _count(default: int | None, least: int, most: int, doc: str) -> Any:
    return key(default, whole(least, most), f"{least} to {most}", doc)


@kind({**text.schema, "pattern": "^(http|https|h2|h2c)://[^? ]+$|^unix:/[^? ]*$"})
def _url(value: object) -> str:
    url: str = text(value)
    if not url.startswith(SCHEMES):
        raise ValueError(f"an upstream begins with {', '.join(SCHEMES)}: {shown(url)}")
    if "?" in url or " " in url:
        raise ValueError(f"an upstream has no query and no spaces: {shown(url)}")
    return url


@kind({**text.schema, "pattern": "^/[^ #]*$"})
def _path(value: object) -> str:
    path: str = text(value)
    if not path.startswith("/") or not path.isascii() or set(path) & set(" #"):
        raise ValueError(f"not a path that begins with a slash: {shown(path)}")
    return path


@kind({**text.schema, "pattern": "^[^ ]+$"})
def _host(value: object) -> str:
    host: str = text(value)
    if not host.isascii() or " " in host:
        raise ValueError(f"not a host: {shown(host)}")
    return host


@kind({**text.schema, "pattern": "^(source|(header|cookie) [^ ]+)$"})
def _hash(value: object) -> str:
    kind, _, name = text(value).partition(" ")
    named = kind in ("header", "cookie") and _is_token(name)
    if not named and value != "source":
        raise ValueError(f"not `source`, `header NAME` or `cookie NAME`: {shown(value)}")
    found: str = text(value)
    return found


def _is_token(name: str) -> bool:
    return bool(name) and set(name) <= TOKEN


@dataclasses.dataclass(frozen=True, kw_only=True)
class Upstream:
    """One of a pool; as text, it is the URL."""

    url: str = key(
        "",
        _url,
        "a URL",
        "where it is: `http://HOST[:PORT][/BASE]`, `https://`, `h2://`, `h2c://`, `unix:/PATH`",
    )
    weight: int = _count(1, 1, 1_000, "its share of the requests")
    backup: bool = key(False, flag, "true, false", "asked only when none of the others can be")
    max_connections: int | None = _count(
        None, 1, 1_000_000, "requests under way at a time, from all workers; more wait in the queue"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Health:
    """Questions of our own, by which upstreams are up or down."""

    path: str = key("/", _path, "a path", "what is asked for, with GET")
    interval_ms: int = _time(5_000, "time between two questions to an upstream", 100)
    timeout_ms: int = _time(2_000, "time for an answer")
    healthy: int = _count(2, 1, 1_000, "good answers in a row that make it up again")
    unhealthy: int = _count(3, 1, 1_000, "bad ones in a row that make it down; the first decides")
    status: tuple[str, ...] = key(
        ("200-399",), statuses, "statuses", "good answers: a status, a range or a list"
    )
    host: str | None = key(None, _host, "a host", "Host of the question; by default the upstream's")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ejection:
    """When requests that fail take an upstream out for a while."""

    failures: int = _count(3, 0, 1_000, "so many in a row; 0 turns it off")
    window_ms: int = _time(10_000, "time in which they happen")
    base_ms: int = _time(5_000, "for how long the first time; doubled each further time")
    max_ms: int = _time(60_000, "for how long at most")
    max_percent: int = _count(100, 1, 100, "share of the upstreams that may be out at a time")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retries:
    """When a request that failed is made again, by another upstream."""

    count: int = _count(2, 0, 10, "further tries of a request")
    budget_percent: int = _count(20, 0, 100, "further tries for a hundred requests of late")
    on: tuple[str, ...] = key(
        ("connect", "closed"),
        several("connect", "closed", "timeout"),
        "a list",
        "after what: `connect` (nothing was sent), `closed` (no answer), `timeout` (of the head)",
    )
    status: tuple[str, ...] = key((), statuses, "statuses", "answers after which to try again")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long things may take."""

    connect_ms: int = _time(5_000, "to connect, encryption included")
    first_byte_ms: int = _time(60_000, "from the end of the request to the head of the response")
    idle_ms: int = _time(60_000, "between two parts of a body")
    total_ms: int | None = _time(None, "for all of a request, further tries included")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Breaker:
    """When the whole pool is left alone: 503 at once."""

    max_pending: int = _count(1_024, 0, 100_000, "requests that wait for a place")
    max_requests: int | None = _count(None, 1, 1_000_000, "requests under way")
    error_percent: int = _count(0, 0, 100, "share of failures that opens it; 0 turns that off")
    min_requests: int = _count(20, 1, 1_000_000, "requests below which the share says nothing")
    window_ms: int = _time(10_000, "time over which the share is taken", 10)
    open_ms: int = _time(5_000, "time after which one request finds out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Queue:
    """Who waits when all upstreams have as many requests as they may."""

    max: int = _count(128, 0, 100_000, "requests that wait, for each upstream")
    timeout_ms: int = _time(5_000, "longest wait; then 504")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keepalive:
    """Connections without a request."""

    idle: int = _count(32, 0, 10_000, "to one upstream, in each worker")
    idle_timeout_ms: int = _time(60_000, "time after which they are closed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
    """How TLS is spoken to upstreams; in the file of the process only, which may name files."""

    ca: str | None = key(
        None, text, "FILE", "authorities to trust, PEM; by default those of the system"
    )
    client_cert: str | None = key(
        None, text, "FILE", "this server's certificate chain, PEM, for upstreams that ask for one"
    )
    client_key: str | None = key(
        None, text, "FILE", "its key, PEM; by default in the file of the chain"
    )
    server_name: str | None = key(
        None, _host, "a name", "whose certificate it is; by default the name that it is reached by"
    )
    verify: bool = key(True, flag, "true, false", "whether its certificate has to be valid")

    @property
    def files(self) -> tuple[str, ...]:
        """All that it names."""
        return tuple(filter(None, (self.ca, self.client_cert, self.client_key)))


def _upstreams(value: object) -> tuple[Upstream, ...]:
    raise NotImplementedError  # read by hand, for the places inside


def _upstream_schema() -> Schema:
    keys = {field.name: row.kind.schema for field, row in rows(Upstream) if row.kind is not None}
    whole = {"type": "object", "properties": keys, "required": ["url"]}
    one = {"oneOf": [_url.schema, {**whole, "additionalProperties": False}]}
    return {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_UPSTREAMS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """Several upstreams under one name, which scripts call ``pool:NAME``."""

    upstreams: tuple[Upstream, ...] = key(
        (),
        Kind(_upstreams, _upstream_schema()),
        f"1 to {MAX_UPSTREAMS}",
        "URLs, or tables as below; there has to be one",
    )
    policy: str = key(
        "round_robin",
        choice("round_robin", "least_connections", "random_two", "hash"),
        "`round_robin`, `least_connections`, `random_two`, `hash`",
        "how one is chosen",
    )
    hash: str | None = key(
        None, _hash, "`source`, `header NAME`, `cookie NAME`", "what `hash` goes by; `source`"
    )
    host: str = key(
        "keep", choice("keep", "upstream"), "`keep`, `upstream`", "the Host that upstreams see"
    )
    failure_status: tuple[str, ...] = key(
        (), statuses, "statuses", "answers that count as failures for ejection and breaker"
    )
    slow_start_ms: int = _time(
        0, "time in which an upstream that came back gets to its full share; not for `hash`", 0
    )
    health: Health | None = table(Health, "questions of our own; none without it", optional=True)
    ejection: Ejection = table(Ejection, "when failures take an upstream out")
    retries: Retries = table(Retries, "when a request is made again")
    timeouts: Timeouts = table(Timeouts, "how long things may take")
    breaker: Breaker = table(Breaker, "when the whole pool is left alone")
    queue: Queue = table(Queue, "who waits")
    keepalive: Keepalive = table(Keepalive, "connections without a request")
    tls: Tls | None = table(
        Tls, "how TLS is spoken to upstreams; with `--config` only", optional=True
    )


@kind({"type": "string", "pattern": "^[-_.0-9A-Za-z]{1,200}$"})
def pool_name(value: object) -> str:
    """The name of a pool."""
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not set(value) <= NAME:
        raise ValueError("a name is letters, digits, `-`, `_` and `.`")
    return value


def read_pools(values: object, faults: Faults, *, folder: str | None = None) -> dict[str, Pool]:
    """All pools of a file; what is wrong with them goes to ``faults``.

    ``folder``: where that of a process lies, to which the files are relative that it names; that of
    a site names none.
    """
    place = ("pools",)
    if not isinstance(values, Mapping):
        faults.add(place, f"not a table: {shown(values)}")
        return {}
    if len(values) > MAX_POOLS:
        faults.add(place, f"{len(values)} of them: {MAX_POOLS} are allowed")
        return {}
    pools = {}
    for name, value in values.items():
        if parsed(pool_name, name, (*place, name), faults) is not None:
            pools[name] = _pool(value, (*place, name), faults, folder)
    return pools


def _pool(value: object, place: tuple[str, ...], faults: Faults, folder: str | None) -> Pool:
    if not isinstance(value, Mapping):
        faults.add(place, f"not a table: {shown(value)}")
        return Pool()
    rest = {name: given for name, given in value.items() if name != "upstreams"}
    pool = read(Pool, rest, place, faults)
    upstreams = _list(value.get("upstreams"), (*place, "upstreams"), faults)
    if pool.hash is not None and pool.policy != "hash":
        faults.add((*place, "hash"), 'it is for policy = "hash"')
    ejection = pool.ejection
    if ejection.max_ms < ejection.base_ms:
        message = f"less than base_ms, {ejection.base_ms}: {ejection.max_ms}"
        faults.add((*place, "ejection", "max_ms"), message)
    if pool.health is not None and not pool.health.status:
        faults.add((*place, "health", "status"), "no answer would be a good one")
    tls = pool.tls
    if tls is not None:
        tls = _tls(tls, upstreams, (*place, "tls"), faults, folder)
    return dataclasses.replace(pool, upstreams=tuple(upstreams), tls=tls)


def _tls(
    tls: Tls, upstreams: list[Upstream], place: tuple[str, ...], faults: Faults, folder: str | None
) -> Tls:
    if folder is None:
        faults.add(place, "only in --config FILE: a site names no files of the server")
        return tls
    if not any(one.url.startswith(("https://", "h2://")) for one in upstreams):
        faults.add(place, "no upstream is encrypted", "write https://... or h2://...")
    if tls.client_key is not None and tls.client_cert is None:
        faults.add((*place, "client_key"), "a key without a certificate", "add client_cert")

    def beside(file: str | None) -> str | None:
        return None if file is None else os.path.join(folder, file)  # noqa: PTH118

    return dataclasses.replace(
        tls,
        ca=beside(tls.ca),
        client_cert=beside(tls.client_cert),
        client_key=beside(tls.client_key),
    )


def _list(value: object, place: tuple[str, ...], faults: Faults) -> list[Upstream]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        what = "there have to be some" if value is None or value == [] else "not a list"
        faults.add(place, what, 'upstreams = ["http://127.0.0.1:9000"]')
        return []
    if len(value) > MAX_UPSTREAMS:
        faults.add(place, f"{len(value)} of them: {MAX_UPSTREAMS} are allowed")
        return []
    found: list[Upstream] = []
    for at, one in enumerate(value):
        own = (*place, f"[{at}]")
        given = {"url": one} if isinstance(one, str) else one
        if isinstance(given, Mapping) and "url" not in given:
            faults.add((*own, "url"), "there has to be one")
        upstream = read(Upstream, given, own, faults)
        if upstream.url and any(upstream.url == other.url for other in found):
            faults.add(own, f"named twice: {shown(upstream.url)}")
        found.append(upstream)
    return found


def written(pool: Pool) -> dict[str, Any]:
    """A pool for ``crates/proxy``."""
    found = dataclasses.asdict(pool)
    return found if pool.tls is not None else {k: v for k, v in found.items() if k != "tls"}
