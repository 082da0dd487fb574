"""A server of an nginx.conf as a site: what its locations do, in the order in which nginx looks.

nginx takes one location for a request: an exact one, else the longest prefix, unless an expression
matches. Rules are tried from the first to the last, so they are written in that order; headers add
up, so the blocks of narrower locations take away what those of wider ones set.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from zeroserve.importing import nginx_proxy, patterns
from zeroserve.importing.nginx_guards import GUARDS, guard
from zeroserve.importing.patterns import Pattern, Unknown
from zeroserve.importing.result import Imported, Place, Redirect


class Statement(NamedTuple):
    """One directive."""

    name: str
    args: tuple[str, ...]
    place: Place
    block: "list[Statement] | None" = None

    @property
    def text(self) -> str:
        """As it stands in the file, about."""
        return " ".join((self.name, *self.args))


@dataclass(frozen=True)
class Scope:
    """A block, and what it inherits: the directives of the nearest block that has them."""

    effective: Mapping[str, tuple[Statement, ...]]
    own: tuple[Statement, ...] = ()
    place: Place | None = None

    def inside(self, statements: Iterable[Statement], head: Statement | None = None) -> "Scope":
        """The scope of a block in this one."""
        own = tuple(statements)
        names: dict[str, tuple[Statement, ...]] = {}
        for one in own:
            names[one.name] = (*names.get(one.name, ()), one)
        return Scope({**self.effective, **names}, own, head.place if head else None)

    @property
    def statements(self) -> Iterator[Statement]:
        """All that are in force."""
        return (one for group in self.effective.values() for one in group)

    def get(self, name: str) -> tuple[Statement, ...]:
        """The directives of a name that are in force."""
        return self.effective.get(name, ())

    def mine(self, *names: str) -> list[Statement]:
        """The directives of some names in the block itself, in their order."""
        return [one for one in self.own if one.name in names]

    @property
    def names(self) -> list[str]:
        """Those of the server."""
        return [name for one in self.mine("server_name") for name in one.args]


@dataclass(frozen=True)
class Location:
    """One location, or the server itself where it has none for ``/``."""

    kind: str
    """``=``, ``^~``, ``~``, ``~*``, or empty."""
    path: str
    scope: Scope
    patterns: tuple[Pattern, ...]
    place: Place

    @property
    def prefix(self) -> bool:
        """Whether it is for all that begins with its path."""
        return self.kind in ("", "^~")

    def covers(self, other: "Location") -> bool:
        """Whether requests of the other one are also described by this one's patterns."""
        if self.kind == "=":
            return False
        if self.prefix and other.kind in ("", "^~", "="):
            return other.path != self.path and other.path.startswith(self.path)
        if other.kind == "=":
            return any(pattern.matches(other.path) for pattern in self.patterns)
        return True


RANK = {"=": 0, "^~": 1, "~": 2, "~*": 2, "": 3}
"""The order in which rules have to be tried."""

FLAGS = {
    "listen": "listeners are given with --addr and --tls-addr",
    "ssl_certificate": "certificates are given with --cert, or --cert-dir",
    "ssl_certificate_key": "certificates are given with --key, or --cert-dir",
    "server_name": "sites are told apart with --site HOST=SITE",
    "root": "serve this directory",
    "ssl_protocols": "TLS 1.2 and 1.3, with what is safe of them",
    "ssl_ciphers": "TLS 1.2 and 1.3, with what is safe of them",
    "ssl_prefer_server_ciphers": "TLS 1.2 and 1.3, with what is safe of them",
    "ssl_session_cache": "sessions are resumed",
    "ssl_session_timeout": "sessions are resumed",
    "ssl_session_tickets": "sessions are resumed",
    "ssl": "listeners are given with --addr and --tls-addr",
}
"""What a flag says, or what is so in any case."""

PROGRAM = "zeroserve does not speak with it, and its source would be served"

RUN = {
    "internal": "no counterpart",
    "fastcgi_pass": PROGRAM,
    "uwsgi_pass": PROGRAM,
    "scgi_pass": PROGRAM,
    "grpc_pass": "say it with `proxy` and h2c://",
    "memcached_pass": PROGRAM,
    "alias": "one site is one directory",
}
"""What takes files out of reach that would be in reach without it."""

OUTSIDE = frozenset({"upstream", "map", "geo", "limit_req_zone", "limit_conn_zone", "types"})

HANDLED = frozenset(
    {
        "add_header", "expires", "return", "rewrite", "try_files", "proxy_pass", "proxy_set_header",
        "error_page", "autoindex", "index", "client_max_body_size", "location", "if", "upstream",
        "autoindex_exact_size", "autoindex_localtime", "autoindex_format",
    }
)  # fmt: skip


NOT_WHO = (
    "$request_method",
    "$http_user_agent",
    "$http_referer",
    "$invalid_referer",
    "$args",
    "$query_string",
)
"""What conditions look at that say nothing of who may come: anybody can send them."""

TRIED = frozenset({"$uri", "$uri/"})
"""What is tried anyway."""


def known_outside(one: Statement) -> bool:
    """Whether it may stand outside of servers, for all of them."""
    return one.name in HANDLED or one.name in FLAGS or one.name in GUARDS or one.name in OUTSIDE


def only_to_https(scope: Scope) -> bool:
    """Whether a server does nothing but send clients to HTTPS."""
    returns = scope.mine("return")
    others = [one for one in scope.own if one.name not in ("listen", "server_name", "return")]
    return len(returns) == 1 and not others and _to_https(returns[0])


def _to_https(one: Statement) -> bool:
    return bool(one.args) and one.args[-1] in (
        "https://$host$request_uri",
        "https://$server_name$request_uri",
        "https://$http_host$request_uri",
    )


def translate(
    server: Scope, upstreams: Mapping[str, Statement], base: str, found: Imported
) -> None:
    """Everything that a server says."""
    from zeroserve.importing.nginx import PROCESS

    whole = _with_guards_from_outside(server)
    root = Location("", "/", whole, (Pattern("/*"),), server.place or Place(base, 0))
    locations = [root]
    for one in server.own:
        if one.name == "location":
            locations += _location(one, server, found)
    locations = _checked(locations, found)
    for location in locations:
        for one in location.scope.own:
            if one.name in FLAGS and location is root:
                found.note(one.place, one.text, FLAGS[one.name])
            elif one.name in HANDLED or one.name in GUARDS or one.name in PROCESS:
                continue
            elif one.name in RUN:
                for pattern in location.patterns:
                    found.close(pattern.text, one.place, one.text, RUN[one.name])
            else:
                found.leave(one.place, one.text, "no counterpart")
    _redirects(sorted(locations, key=_order), root, found)
    _headers(locations, root, found)
    for location in locations:
        guard(location, location is root, base, found)
        _settings(location, location is root, found)
    nginx_proxy.translate(locations, upstreams, found)


def _with_guards_from_outside(server: Scope) -> Scope:
    """The server with the guards that it inherits, as if they stood in it."""
    mine = {one.name for one in server.own}
    if mine & {"allow", "deny"}:
        mine |= {"allow", "deny"}
    outside = [one for one in server.statements if one.name in GUARDS and one.name not in mine]
    return replace(server, own=(*outside, *server.own))


def _order(location: Location) -> tuple[int, int]:
    return RANK[location.kind], -len(location.path) if location.kind not in ("~", "~*") else 0


def _location(one: Statement, server: Scope, found: Imported) -> list[Location]:
    """A location and those inside of it."""
    args = list(one.args)
    kind = args.pop(0) if len(args) > 1 and args[0] in RANK else ""
    if not kind and args and args[0][:1] in ("=", "~"):
        kind, args = args[0][:1], [args[0][1:]]
    text = args[0] if len(args) == 1 else ""
    scope = server.inside(one.block or [], one)
    if text.startswith("@"):
        return []  # looked up where it is named
    try:
        if kind in ("~", "~*"):
            if _hides_dots(text, scope):
                found.note(one.place, one.text, "files whose names begin with a dot are not served")
                return []
            made = [patterns.check(each) for each in patterns.of_regex(text)]
            _nearly(made, one, found)
            if kind == "~*":
                found.note(one.place, one.text, "upper and lower case are told apart")
        else:
            plain = patterns.path(text)
            made = [Pattern(plain if kind == "=" else f"{plain}*")]
    except Unknown as error:
        if any(each.name in GUARDS for each in scope.own):
            found.close("/*", one.place, one.text, f"{error.args[0]}, and it guards something")
        else:
            found.leave(one.place, one.text, str(error.args[0]))
        return []
    inner = [each for each in scope.own if each.name == "location"]
    made_inner = [each for nested in inner for each in _location(nested, scope, found)]
    return [Location(kind, text, scope, tuple(made), one.place), *made_inner]


def _nearly(made: list[Pattern], one: Statement, found: Imported) -> None:
    if any(pattern.nearly for pattern in made):
        found.note(one.place, one.text, "also where nothing stands for .+")


def _hides_dots(expression: str, scope: Scope) -> bool:
    dots = expression.startswith(("/\\.", "^/\\.", "\\.ht", "(^|/)\\.", "/\\.ht"))
    names = {one.text for one in scope.own if one.name not in ("access_log", "log_not_found")}
    return dots and bool(names) and names <= {"deny all", "return 403", "return 404", "internal"}


def _checked(locations: list[Location], found: Imported) -> list[Location]:
    """The locations without those whose order can't be said."""
    kept = []
    for one in locations:
        wider = [other for other in locations if other.kind == "^~" and other.covers(one)]
        if one.kind == "" and wider:
            found.leave(one.place, f"location {one.path}", "in one that is looked at before (^~)")
        else:
            kept.append(one)
    return kept


# --- redirects and rewrites -----------------------------------------------------------------------


def _redirects(ordered: list[Location], root: Location, found: Imported) -> None:
    for location in [root, *(one for one in ordered if one is not root)]:
        for one in location.scope.mine("if"):
            _condition(one, location, found)
        for one in location.scope.mine("rewrite"):
            _rewrite(one, location, root, found)
    first = root.scope.mine("return")
    falls_back = any(
        one.path == "/" and one.prefix and one.scope.mine("try_files") and not _ends(one)
        for one in ordered
    )
    for location in [root] if first else _without_root(ordered, root):
        returns = location.scope.mine("return")
        if returns:
            _return(returns[0], location, ordered, found)
        elif location.scope.mine("try_files") and not _ends(location):
            _try_files(location.scope.mine("try_files")[-1], location, found)
        elif falls_back and location.prefix and not location.scope.mine("proxy_pass"):
            # What is missing here is missing, and not the application's.
            patterns_here = location.patterns if location.path != "/" else ()
            for pattern in patterns_here:
                found.redirects.append(Redirect(pattern.text, "", 404, False, location.place))


def _ends(location: Location) -> bool:
    """Whether missing files are missing."""
    tried = location.scope.mine("try_files")
    return bool(tried) and tried[-1].args[-1:] == ("=404",) and set(tried[-1].args[:-1]) <= TRIED


def _without_root(locations: list[Location], root: Location) -> list[Location]:
    """The server itself answers only what has no location."""
    if any(one.path == "/" and one.prefix and one is not root for one in locations):
        return [one for one in locations if one is not root]
    return locations


def _condition(one: Statement, location: Location, found: Imported) -> None:
    inner = one.block or []
    condition = "".join(one.args).replace('"', "").replace("!=https", "=http")
    to_https = len(inner) == 1 and inner[0].name in ("return", "rewrite")
    if condition in ("$scheme=http", "$https=") and to_https and "https://" in inner[0].text:
        found.note(one.place, f"if {' '.join(one.args)}", "serve with --redirect-https")
        return
    shown, why = f"if {' '.join(one.args)}", "rules have no conditions: write a script"
    refuses = any(each.name == "return" and _answer(each)[0] >= 400 for each in inner)
    if refuses and not condition.startswith(NOT_WHO):
        for pattern in location.patterns:
            found.close(pattern.text, one.place, shown, why)
    else:
        found.leave(one.place, shown, why)


def _rewrite(one: Statement, location: Location, root: Location, found: Imported) -> None:
    if len(one.args) not in (2, 3):
        return found.leave(one.place, one.text, "not two or three arguments")
    expression, replacement = one.args[:2]
    flag = one.args[2] if len(one.args) == 3 else ""
    remote = replacement.startswith(("http://", "https://", "$scheme"))
    status = {"permanent": 301, "redirect": 302}.get(flag, 302 if remote else 200)
    if flag not in ("permanent", "redirect", "last", "break", ""):
        return found.leave(one.place, one.text, f"not a flag: {flag}")
    if not flag and not remote and one is not location.scope.mine("rewrite")[-1]:
        return found.leave(one.place, one.text, "rules do not go on with what others made")
    if location.scope.mine("proxy_pass") and status == 200:
        return found.leave(
            one.place, one.text, "before proxy_pass: say it with `rewrite` of a path"
        )
    try:
        made = [patterns.check(each) for each in patterns.of_regex(expression)]
        _nearly(made, one, found)
        for pattern in made:
            inside = (
                location is root
                or (location.prefix and pattern.text.startswith(location.path))
                or pattern.text == location.path
            )
            if not inside:
                raise Unknown("it is for this location alone, and matches elsewhere, too")
            target = _target(replacement.removesuffix("?"), pattern)
            found.redirects.append(Redirect(pattern.text, target, status, True, one.place))
    except Unknown as error:
        found.leave(one.place, one.text, str(error.args[0]))
    return None


def _return(one: Statement, location: Location, all_of: list[Location], found: Imported) -> None:
    if _to_https(one) and location.path == "/" and location.prefix:
        return found.note(one.place, one.text, "serve with --redirect-https")
    status, target = _answer(one)
    if status in (301, 302, 303, 307, 308) and target:
        inner = [other for other in all_of if location.covers(other)]
        for other in inner if location.prefix else []:
            if other.scope.mine("return") or other.path == "/":
                continue
            within = f"location {other.path} lies within it, and rules have no exceptions"
            if other.prefix or other.kind == "=":
                return found.leave(one.place, one.text, within)
            found.note(one.place, one.text, within)
        try:
            for pattern in location.patterns:
                made = _target(target, pattern)
                if made == pattern.text:
                    raise Unknown("it leads to itself")
                found.redirects.append(Redirect(pattern.text, made, status, True, one.place))
            if not target.endswith(("$request_uri", "$args")) and "?" not in target:
                found.note(one.place, one.text, "the query goes along, unless the target has one")
        except Unknown as error:
            found.leave(one.place, one.text, str(error.args[0]))
    elif status >= 400 and (target or status not in (401, 403, 444)):
        for pattern in location.patterns:
            found.close(pattern.text, one.place, one.text, "an answer of its own: write a script")
    elif status in (401, 403, 444):
        for pattern in location.patterns:
            found.path(pattern.text, one.place, {"deny": ["0.0.0.0/0", "::/0"]})
    else:
        found.leave(one.place, one.text, "an answer of its own: write a script")
    return None


def _answer(one: Statement) -> tuple[int, str]:
    """Status and target of a ``return``."""
    if len(one.args) == 1 and not one.args[0].isdigit():
        return 302, one.args[0]
    status = one.args[0] if one.args else ""
    number = int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 0
    return number, one.args[1] if len(one.args) == 2 else ""


def _target(text: str, pattern: Pattern) -> str:
    """Where something leads; raises ``Unknown``."""
    for same in ("$scheme://$host", "$scheme://$http_host", "$scheme://$server_name"):
        if text.startswith((f"{same}/", f"{same}$")):
            text = text.removeprefix(same)
    # The query goes along by itself.
    for query in ("$is_args$args", "?$args", "?$query_string", "$is_args$query_string"):
        text = text.removesuffix(query)
    whole = pattern.text.replace("*", ":splat", 1)
    names = {"request_uri": whole, "uri": whole, "document_uri": whole}
    return patterns.target(text, pattern, names)


def _try_files(one: Statement, location: Location, found: Imported) -> None:
    tried, last = list(one.args[:-1]), one.args[-1] if one.args else ""
    if not location.prefix or not set(tried) <= {*TRIED, "$uri.html", "${uri}.html"}:
        return found.leave(one.place, one.text, "only $uri, $uri/ and $uri.html are tried here")
    if any(name.endswith(".html") for name in tried):
        found.note(one.place, one.text, "/about.html is sent to /about besides")
        found.settings["clean_urls"] = True
    if last in ("=404", "$uri/", "$uri"):
        return None
    if last.startswith(("@", "=")) or "$" in last.partition("?")[0]:
        why = "what is missing can't be passed on: proxy the path, or write a script"
        return found.leave(one.place, one.text, why if last.startswith("@") else "no counterpart")
    page = last.partition("?")[0]
    try:
        if location.path == "/":
            found.settings["spa"] = patterns.path(page)
            found.note(one.place, one.text, "missing files that have an extension stay 404")
        else:
            for pattern in location.patterns:
                rule = Redirect(pattern.text, patterns.path(page), 200, False, one.place)
                found.redirects.append(rule)
    except Unknown as error:
        found.leave(one.place, one.text, str(error.args[0]))
    return None


# --- headers --------------------------------------------------------------------------------------

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}

MAX_AGE_S = 315_360_000
"""What ``expires max`` says."""


def _headers(locations: list[Location], root: Location, found: Imported) -> None:
    """Headers of all locations, those of the narrower behind those of the wider."""
    said: list[tuple[Location, list[tuple[str, str | None]]]] = []
    ordered = sorted(_without_root(locations, root), key=_order)
    for location in ordered[::-1]:
        fields = _fields(location, found)
        wider = [(other, names) for other, names in said if other.covers(location)]
        nested = location.prefix and all(other.prefix for other, _ in wider)
        same = [names == fields for _, names in (wider[-1:] if nested else wider)]
        if same and all(same):
            continue
        gone = sorted({name for _, names in wider for name, _ in names})
        removed: list[tuple[str, str | None]] = [(name, None) for name in gone]
        if not removed and not fields:
            continue
        mine = location.scope.mine("add_header", "expires")
        place = mine[0].place if mine else location.place
        for pattern in location.patterns:
            found.header(pattern.text, place, [*removed, *fields])
        said.append((location, fields))


def _fields(location: Location, found: Imported) -> list[tuple[str, str | None]]:
    """Headers that a location sets, own and inherited."""
    fields: list[tuple[str, str | None]] = []
    mine = location.scope.own
    for one in location.scope.get("add_header"):
        name, value = (one.args[0], one.args[1]) if len(one.args) in (2, 3) else ("", "")
        if not name or "$" in value:
            if one in mine:
                why = "variables have no counterpart" if name else "not a name and a value"
                found.leave(one.place, one.text, why)
        elif value:
            fields.append((name, value))
            if one in mine and one.args[2:] != ("always",):
                found.note(one.place, one.text, "errors have it, too")
    for one in location.scope.get("expires"):
        age = _age(one.args)
        if age is not None:
            fields.insert(0, ("Cache-Control", age))
        elif one in mine and one.args != ("off",):
            found.leave(one.place, one.text, "not a time that can be said")
    return fields


def _age(args: tuple[str, ...]) -> str | None:
    """The Cache-Control of ``expires``."""
    if len(args) != 1:
        return None
    if args[0] == "max":
        return f"max-age={MAX_AGE_S}"
    if args[0] == "epoch" or args[0].startswith("-"):
        return "no-cache"
    total, digits = 0, ""
    for letter in args[0]:
        if letter.isascii() and letter.isdigit() and len(digits) < 10:
            digits += letter
        elif letter in SECONDS and digits:
            total, digits = total + int(digits) * SECONDS[letter], ""
        else:
            return None
    return f"max-age={total + int(digits or 0)}"


# --- everything else ------------------------------------------------------------------------------


def _settings(location: Location, whole: bool, found: Imported) -> None:
    pattern = location.patterns[0].text
    for one in location.scope.mine("error_page"):
        _error_page(one, whole or location.path == "/", found)
    for one in location.scope.mine("autoindex"):
        if one.args == ("on",) and location.path == "/":
            found.settings["listing"] = True
        elif one.args in (("on",), ("off",)):
            found.path(pattern, one.place, {"listing": one.args == ("on",)})
    for one in location.scope.mine("index"):
        if one.args[:1] != ("index.html",):
            first = one.args[0] if one.args else ""
            found.note(one.place, one.text, f"serve with --index {first}")
    for one in location.scope.mine("client_max_body_size"):
        size = _size(one.args)
        if size is None:
            found.leave(one.place, one.text, "not a size")
        elif size:
            for each in location.patterns:
                found.path(each.text, one.place, {"max_body": size})


def _error_page(one: Statement, whole: bool, found: Imported) -> None:
    codes, page = one.args[:-1], one.args[-1] if one.args else ""
    if codes == ("404", "=200") or codes == ("404", "="):
        try:
            found.settings["spa"] = patterns.path(page)
        except Unknown as error:
            found.leave(one.place, one.text, str(error.args[0]))
        return
    good = codes and all(code.isdigit() and 400 <= int(code[:4]) <= 599 for code in codes)
    if not whole or not good or not page.startswith("/") or "$" in page or "?" in page:
        found.leave(one.place, one.text, "error pages are for the whole site, and files of it")
        return
    found.settings.setdefault("error_pages", {}).update(dict.fromkeys(codes, page))


def _size(args: tuple[str, ...]) -> int | None:
    text = args[0] if len(args) == 1 else ""
    unit = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:].lower(), 1)
    digits = text[:-1] if unit > 1 else text
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        return None
    return int(digits) * unit
