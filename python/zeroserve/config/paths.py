"""What becomes of requests for some paths: ``[paths."/assets/*"]`` tables.

    [paths."/assets/*"]
    cache = "immutable"

A pattern is a path, in which one ``*`` stands for anything, slashes included, and ``:name`` for one
part between slashes. Of several that match a request, all count: ``deny``, ``allow`` and
``rate_limit`` of each, the headers of all, and of any other key that of the narrowest pattern.
"""

import dataclasses
import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import unquote

from zeroserve.config import values
from zeroserve.config.faults import Faults
from zeroserve.config.keys import Kind, choice, flag, key, mapping, table, text, whole
from zeroserve.config.values import VARIABLE

MAX_RATE = 1_000_000_000

MAX_POLICIES = 64
"""Different rules for pages of other sites: each response looks for its own."""

DATA_METHODS = ("GET", "HEAD", "OPTIONS")

DATA_ALLOWED = ("Range", "If-Match", "If-None-Match", "If-Range", "If-Modified-Since")

DATA_EXPOSED = ("Content-Range", "Content-Length", "Accept-Ranges", "ETag", "Last-Modified")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Redirect:
    """Another place for clients."""

    to: str = key(
        "",
        values.destination,
        "a path or a URL",
        "where; `:splat` is what `*` stood for, `:name` what it stood for",
        required=True,
    )
    status: int = key(
        302,
        values.redirect_status,
        "301, 302, 303, 307, 308",
        "301 and 308 are remembered by browsers, perhaps for years",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proxy:
    """Somebody else answers."""

    to: str = key(
        "",
        values.upstream,
        "a URL or `pool:NAME`",
        "who: `http://HOST[:PORT][/BASE]`, `https://`, `h2://`, `h2c://`, `unix:/PATH`",
        required=True,
    )
    cache: bool = key(
        False, flag, "true, false", "whether its answers may be kept for others, where they say so"
    )
    headers: dict[str, str | None] = mapping(
        values.upstream_headers,
        "headers",
        "set in its requests; `${NAME}` is a variable of the environment",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cors:
    """Which pages of other sites may read answers."""

    origins: tuple[str, ...] = key(
        ("*",), values.origins, '`"*"` or origins', "pages of which sites: `https://example.org`"
    )
    methods: tuple[str, ...] = key(DATA_METHODS, values.methods, "methods", "what they may do")
    headers: tuple[str, ...] = key(
        DATA_ALLOWED, values.field_names, "names of headers", "what they may send"
    )
    expose: tuple[str, ...] = key(
        DATA_EXPOSED, values.field_names, "names of headers", "what they may read"
    )
    credentials: bool = key(
        False, flag, "true, false", 'whether with cookies; not for origins = "*"'
    )
    max_age_s: int = key(
        7200, whole(0, 86_400), "0 to 86400", "how long browsers remember the answer, in seconds"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BasicAuth:
    """Name and password, as browsers ask for them."""

    realm: str = key(
        "restricted",
        Kind(lambda value: _realm(value), {**text.schema, "pattern": r'^[^"\\]+$'}),
        "a text",
        "shown by browsers beside the question",
    )
    users: dict[str, str] = mapping(
        values.users,
        "hashes by user",
        "hashes of passwords, argon2id or bcrypt, as `zeroserve hash-password` makes them; "
        "`${NAME}` takes one from the environment",
        required=True,
    )


def _realm(value: object) -> str:
    given: str = text(value)
    if not given.isascii() or set(given) & set('"\\') or VARIABLE.search(given):
        raise ValueError("not a text of ASCII without quotes and backslashes")
    return given


def _rate(unit: str) -> int:
    found: int = key(
        0, whole(0, MAX_RATE), f"0 to {MAX_RATE}", f"requests in {unit}; 0 is no limit"
    )
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class RateLimit:
    """How often somebody may ask: 429 beyond it."""

    per_second: int = _rate("a second")
    per_minute: int = _rate("a minute")
    per_hour: int = _rate("an hour")
    by: str = key(
        "address",
        values.by,
        "`address`, `header NAME`",
        "who is somebody: an address (the first 64 bits, if it has 128), or who sends the same "
        "header; without it, the address",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Path:
    """What becomes of requests for the paths that a pattern describes."""

    deny: tuple[str, ...] = key(
        (), values.networks, "networks", "who is refused, with 403; counts more than `allow`"
    )
    allow: tuple[str, ...] = key(
        (), values.networks, "networks", "who alone is not refused, with 403"
    )
    rate_limit: RateLimit | None = table(
        RateLimit, "how often somebody may ask; 429 beyond it", optional=True
    )
    basic_auth: BasicAuth | bool | None = table(
        BasicAuth,
        "name and password; 401 without. `false`: not here, whatever a wider pattern says",
        optional=True,
        short=values.no,
        words="`false`",
    )
    methods: tuple[str, ...] | None = key(
        None, values.methods, "methods", "405 for all others; HEAD comes with GET"
    )
    max_body: int | None = key(
        None,
        values.size,
        'bytes, or `"10 MiB"`',
        "longest request body; 413 beyond it",
    )
    cors: Cors | None = table(
        Cors,
        'for pages of other sites; `"data"` is all that readers of data in browsers need, '
        "from everywhere",
        optional=True,
        short=Kind(lambda value: _cors(value), {"const": "data"}),
        words='`"data"`',
    )
    redirect: Redirect | None = table(
        Redirect,
        "send clients elsewhere",
        optional=True,
        short=Kind(lambda value: Redirect(to=values.destination(value)), values.destination.schema),
        words="a path or a URL",
    )
    rewrite: str | None = key(
        None,
        values.inside,
        "a path",
        "answer with another path, without the client's knowledge; `:splat`, `:name` as above",
    )
    proxy: Proxy | None = table(
        Proxy,
        "let somebody else answer, with the path as `rewrite` left it",
        optional=True,
        short=Kind(lambda value: Proxy(to=values.upstream(value)), values.upstream.schema),
        words="a URL or `pool:NAME`",
    )
    listing: bool | None = key(
        None,
        flag,
        "true, false",
        "list directories without an index: HTML, or JSON for who accepts it",
    )
    cache: str | int | None = key(
        None,
        values.cache,
        "`immutable`, `no-cache`, `no-store`, seconds",
        "how long answers may be kept: `immutable` is a year for names with a hash and `no-cache` "
        "for others, `no-cache` is to ask each time, `no-store` never",
    )
    headers: dict[str, str | None] = mapping(
        values.response_headers,
        "headers",
        "set in responses, in place of what was there; `false` removes one",
    )


def _cors(value: object) -> Cors:
    choice("data")(value)
    return Cors()


def is_exact(pattern: str) -> bool:
    """Whether only one path is meant."""
    return "*" not in pattern and not names(pattern)


def names(pattern: str) -> list[str]:
    """What a target may refer to."""
    return [hole[1:] or "splat" for hole in values.WILD.findall(pattern)]


def decoded(target: str) -> str:
    """A path of the site as files are named."""
    return unquote(target)


def narrowness(pattern: str) -> tuple[int, int]:
    """Larger for the narrower of two patterns: first exact ones, then those with more text."""
    return int(is_exact(pattern)), len(values.WILD.sub("", pattern))


def check(paths: Mapping[str, Path], faults: Faults) -> None:
    """What can only be seen of a path as a whole."""
    places = Places(paths)
    policies = {path.cors for path in paths.values()}
    if len(policies) > MAX_POLICIES:
        message = f"{len(policies)} different rules in `cors`: {MAX_POLICIES} are allowed"
        faults.add(("paths",), message)
    for pattern, path in paths.items():
        place = ("paths", pattern)
        if path.redirect is not None and (path.rewrite or path.proxy):
            faults.add((*place, "redirect"), "beside `rewrite` or `proxy`, which it leaves nothing")
        if path.rate_limit is not None and path.rate_limit == RateLimit(by=path.rate_limit.by):
            message = "no rate: there has to be per_second, per_minute or per_hour"
            faults.add((*place, "rate_limit"), message)
        cors = path.cors
        if cors is not None and cors.credentials and "*" in cors.origins:
            faults.add((*place, "cors", "credentials"), 'not for origins = "*"', "name the origins")
        if cors is not None and "*" in cors.origins and len(cors.origins) > 1:
            faults.add((*place, "cors", "origins"), '"*" beside others, which it includes')
        both = [name for name in path.headers if name.lower() == "cache-control"]
        if both and path.cache is not None:
            faults.add((*place, "cache"), f"beside {both[0]} in `headers`", "one of them is enough")
        _check_targets(pattern, path, places, place, faults)


def _check_targets(
    pattern: str, path: Path, places: "Places", place: tuple[str, ...], faults: Faults
) -> None:
    known = names(pattern)
    targets = {"redirect": path.redirect.to if path.redirect else None, "rewrite": path.rewrite}
    for name, target in targets.items():
        for found in references(target or ""):
            if found not in known:
                hint = f"the pattern has {', '.join(known)}" if known else "the pattern has none"
                faults.add((*place, name), f"nothing stands for :{found}: {target}", hint)
    if path.redirect is not None and path.redirect.to.startswith("/"):
        goal = decoded(re.split("[?#]", path.redirect.to)[0])
        goal = re.sub(r":[A-Za-z][A-Za-z0-9_]*", "x", goal)
        if places.of(goal) == pattern:
            faults.add((*place, "redirect"), "leads to itself, again and again")


class Places:
    """Which pattern says where a path goes: the narrowest one that matches and says so."""

    def __init__(self, found: Mapping[str, Path]) -> None:
        going = [one for one, path in found.items() if path.redirect or path.rewrite or path.proxy]
        self._exact = {one for one in going if is_exact(one)}
        others = sorted((one for one in going if one not in self._exact), key=narrowness)
        self._others = [(one, re.compile(expression(one), re.DOTALL)) for one in others[::-1]]

    def of(self, path: str) -> str | None:
        """The pattern; None where no one says anything."""
        if path in self._exact:
            return path
        return next((one for one, match in self._others if match.fullmatch(path)), None)


def expression(pattern: str) -> str:
    """A pattern as a regular expression; `/docs/*` is `/docs`, too."""
    parts, end = "", 0
    for hole in values.WILD.finditer(pattern):
        literal = pattern[end : hole.start()]
        is_last = hole[0] == "*" and hole.end() == len(pattern) and literal.endswith("/")
        if is_last and len(parts + literal) > 1:
            return f"{parts}{re.escape(literal[:-1])}(?:/(.*))?"
        parts += re.escape(literal) + ("(.*)" if hole[0] == "*" else "([^/]+)")
        end = hole.end()
    return parts + re.escape(pattern[end:])


GUARDS = ("deny", "allow", "rate_limit", "basic_auth", "methods", "max_body")
"""Keys that hold for all that leads to the same file."""


def spoken(pattern: str, keys: Path, path: str) -> list[str]:
    """The keys of a pattern's table that concern a request for a path."""
    is_meant = re.fullmatch(expression(pattern), path, re.DOTALL) is not None
    is_behind = is_meant or is_guarded(pattern, path)
    found = []
    for field in dataclasses.fields(keys):
        value = getattr(keys, field.name)
        concerned = is_behind if field.name in GUARDS and value is not False else is_meant
        if concerned and value not in (None, (), {}):
            found.append(field.name)
    return found


def is_guarded(pattern: str, path: str) -> bool:
    """Whether guards of a pattern hold for a path."""
    key = plain(path)
    names = (path.lower(), key, key + "/", key + ".html", key + "/index.html")
    if not is_exact(pattern):
        return any(guard_expression(pattern).fullmatch(name) for name in names)
    own = plain(pattern)
    return key == own or key.startswith(own + "/")


@cache
def guard_expression(pattern: str) -> re.Pattern[str]:
    """A pattern as guards see it."""
    return re.compile(expression(pattern.lower()) + "(?:/.*)?", re.DOTALL)


CODINGS = (".br", ".zst", ".gz")


def plain(path: str) -> str:
    """A path as guards see it, and the script's function of that name does."""
    path = path.lower().removesuffix("/")
    for coding in CODINGS:
        path = path.removesuffix(coding)
    return path.removesuffix(".html").removesuffix("/index").removesuffix("/")


def references(target: str) -> list[str]:
    """Names that a target refers to: ``:splat``; a port is none."""
    rest = target.partition("://")[2].partition("/")[2] if "://" in target else target
    return [found[1] for found in re.finditer(r":([A-Za-z][A-Za-z0-9_]*)", rest)]
