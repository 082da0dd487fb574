"""Kinds of values of configuration files: patterns, headers, networks, sizes, hashes.

Each is a ``Kind``: what it takes, as a function and as JSON Schema.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from zeroserve.config.keys import each, kind, matching, shown, some, text, whole

MAX_SECONDS = 31_536_000
"""A year: longer is forever, and a mistake."""

MAX_BODY_BYTES = 1 << 40

MAX_HEADERS = 64
"""Of one path."""

MAX_USERS = 256
"""Of one path: more belong into an application."""

MAX_NETWORKS = 1024
"""Of one list."""

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A variable of the environment: ``${NAME}``."""

UPSTREAM_SCHEMES = ("http://", "https://", "h2://", "h2c://", "unix:/", "pool:")

SERVERS_OWN = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are about the connection or the message: the server's word alone."""

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
WILD = re.compile(r"\*|(?<=/):[A-Za-z][A-Za-z0-9_]*")
"""What is open in a pattern."""

_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")


# --- paths ----------------------------------------------------------------------------------------


@kind({"type": "string", "pattern": "^/[^?#]*$", "maxLength": 1024})
def pattern(value: object) -> str:
    """A pattern of paths, decoded: ``/assets/*``, ``/users/:id``."""
    given = _path(value, "a pattern of paths")
    if given.count("*") > 1:
        raise ValueError(f"more than one `*`: {shown(given)}", "`:name` is one part of a path")
    names = [found[0] for found in WILD.finditer(given) if found[0] != "*"]
    if len(names) != len(set(names)) or ":splat" in names:
        raise ValueError(f"a name stands twice, or is `splat`: {shown(given)}")
    for part in given.split("/"):
        if part.startswith(":") and not WILD.match("/" + part, 1):
            raise ValueError(f"not a name of letters, digits and `_`: {shown(part)}")
    return given


@kind({"type": "string", "pattern": "^/[^?#*]*$", "maxLength": 1024})
def page(value: object) -> str:
    """A file of the site, as the path that leads to it."""
    given = _path(value, "a path of a page")
    if given.endswith("/"):
        raise ValueError(f"not the path of a file: {shown(given)}", f"write {given}index.html")
    return given


def _path(value: object, what: str) -> str:
    given: str = _literal(value)
    if not given.startswith("/"):
        raise ValueError(f"not {what}, which begins with a slash: {shown(value)}")
    if "?" in given or "#" in given:
        raise ValueError(f"a path has neither `?` nor `#`: {shown(value)}")
    if _STRAY.search(given):
        raise ValueError(
            f"a `%` without two hexadecimal digits: {shown(value)}", "a `%` itself is `%25`"
        )
    try:
        decoded = unquote_to_bytes(given).decode()
    except UnicodeDecodeError:
        raise ValueError(f"not UTF-8 when it is decoded: {shown(value)}") from None
    if not decoded.isprintable() or {".", "..", ""} & set(decoded.split("/")[1:-1]):
        raise ValueError(f"no request has such a path: {shown(value)}", "write it as it is served")
    if decoded.split("/")[-1] in (".", ".."):
        raise ValueError(f"no request has such a path: {shown(value)}", "write it as it is served")
    return decoded


def _literal(value: object) -> str:
    """A text in which ``${NAME}`` would stand for itself, which nobody means."""
    given: str = text(value)
    if VARIABLE.search(given):
        raise ValueError(
            f"variables of the environment do not stand here: {shown(given)}",
            "they may stand in hashes of passwords and in headers for upstreams",
        )
    return given


@kind({"type": "string", "pattern": "^(/|https?://)", "maxLength": 1024})
def destination(value: object) -> str:
    """Where a client is sent: a path or a URL; ``:splat`` and ``:name`` come from the pattern."""
    given = _literal(value)
    if not given.startswith(("/", "http://", "https://")) or given.startswith("//"):
        raise ValueError(
            f"not a path or a URL: {shown(value)}", "write /new or https://example.org/"
        )
    if "://" in given and not given.partition("://")[2].strip("/"):
        raise ValueError(f"a URL without a host: {shown(value)}")
    return quote(given, safe="!#$%&'()*+,/:;=?@[]~")


@kind({"type": "string", "pattern": "^/[^#]*$", "maxLength": 1024})
def inside(value: object) -> str:
    """A path of the site, perhaps with a query; ``:splat`` and ``:name`` come from the pattern."""
    given = _literal(value)
    if not given.startswith("/") or given.startswith("//") or "#" in given:
        raise ValueError(f"not a path of the site: {shown(value)}")
    return quote(given, safe="!$%&'()*+,/:;=?@[]~")


@kind(
    {
        "type": "string",
        "pattern": "^((http|https|h2|h2c)://|unix:/|pool:)[^ ?]+$",
        "maxLength": 1024,
    }
)
def upstream(value: object) -> str:
    """Who answers: a URL or a pool."""
    given = _literal(value)
    if not given.startswith(UPSTREAM_SCHEMES) or given in UPSTREAM_SCHEMES:
        known = ", ".join(UPSTREAM_SCHEMES)
        raise ValueError(f"an upstream begins with {known}: {shown(given)}", "pool:NAME is a pool")
    if "?" in given or " " in given or not given.isascii():
        raise ValueError(f"an upstream has no query and no spaces: {shown(given)}")
    if "@" in given.partition("://")[2].partition("/")[0]:
        raise ValueError("an upstream has no user and password", "set Authorization in `headers`")
    return given


# --- headers --------------------------------------------------------------------------------------


def is_field_name(name: str) -> bool:
    """Whether a header can be called so."""
    return len(name) <= 256 and re.fullmatch(_TOKEN, name) is not None


def _fields(value: object, *, removable: bool, variables: bool) -> dict[str, str | None]:
    if not isinstance(value, Mapping):
        raise ValueError(f"not a table of headers: {shown(value)}")
    if len(value) > MAX_HEADERS:
        raise ValueError(f"{len(value)} headers: {MAX_HEADERS} are allowed")
    lower = [name.lower() for name in value]

    def field(name: str, one: object) -> str | None:
        if not is_field_name(name):
            raise ValueError(f"not a name of a header: {shown(name)}")
        if name.lower() in SERVERS_OWN:
            raise ValueError(f"header {name} is up to the server")
        if lower.count(name.lower()) > 1:
            raise ValueError(f"header {name} twice, in upper and lower case")
        return None if one is False and removable else _field_value(one, variables=variables)

    return each(value, field)


def _field_value(value: object, *, variables: bool) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError(f"not a text: {shown(value)}")
    if any(not (character.isprintable() or character == "\t") for character in value):
        raise ValueError(f"a control character: {shown(value)}")
    if not variables:
        _literal(value or "-")
    return value.strip()


_FIELD = {"type": "string", "maxLength": 4096}
_NAMES = {"pattern": f"^{_TOKEN}$"}


def _fields_schema(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": _NAMES,
        "additionalProperties": value,
        "maxProperties": MAX_HEADERS,
    }


@kind(_fields_schema({"oneOf": [_FIELD, {"const": False}]}))
def response_headers(value: object) -> dict[str, str | None]:
    """Headers of responses by name; None removes one."""
    return _fields(value, removable=True, variables=False)


@kind(_fields_schema(_FIELD))
def upstream_headers(value: object) -> dict[str, str | None]:
    """Headers of requests to upstreams; ``${NAME}`` in values stays for later."""
    return _fields(value, removable=False, variables=True)


field_name = matching(_TOKEN, "a name of a header", example="X-Api-Key")

field_names = some(field_name, "names of headers", most=MAX_HEADERS)

methods = some(matching(r"[A-Z]{1,32}", "a method", example="GET"), "methods", most=32)


@kind({"oneOf": [{"const": "*"}, {"type": "string", "pattern": r"^(https?)://[^/]+$|^null$"}]})
def origin(value: object) -> str:
    """Where a page comes from, as browsers name it: ``https://example.org``."""
    given: str = _literal(value)
    host = given.partition("://")[2]
    whole_origin = given.startswith(("https://", "http://")) and host and "/" not in host
    if given != "*" and not whole_origin:
        raise ValueError(
            f"not an origin: {shown(value)}", 'write "*" or https://example.org, without a path'
        )
    return given.lower()


origins = some(origin, "origins", most=256)


# --- who comes ------------------------------------------------------------------------------------


@kind({"type": "string", "pattern": r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"})
def network(value: object) -> str:
    """An address or a network: ``192.0.2.0/24``."""
    import ipaddress  # late: it takes milliseconds

    try:
        if isinstance(value, bool) or not isinstance(value, str) or "%" in value:
            raise ValueError
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError(
            f"not an address or a network: {shown(value)}", "write it like 192.0.2.0/24"
        ) from None


networks = some(network, "networks", most=MAX_NETWORKS)

_ARGON2 = (
    r"\$argon2(?:id|i)(?:\$v=1[69])?\$m=[1-9][0-9]{0,4},t=[1-9][0-9]?,p=[1-9][0-9]?"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)
_BCRYPT = r"\$2[aby]\$(?:0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}"
_HASH = rf"{_ARGON2}|{_BCRYPT}|\$\{{[A-Za-z_][A-Za-z0-9_]*\}}"

MAX_ARGON2 = {"m": 65_536, "t": 16, "p": 16}
"""What `verify_password` computes: KiB of memory, passes, lanes."""


def _is_hash(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(_HASH, value):
        return False
    found = re.search(r"\$m=([0-9]+),t=([0-9]+),p=([0-9]+)\$", value)
    if found is None:
        return True
    most = MAX_ARGON2.values()
    return all(int(number) <= bound for number, bound in zip(found.groups(), most, strict=True))


def _users_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"pattern": "^[^:]+$", "maxLength": 128},
        "additionalProperties": {"type": "string", "pattern": f"^(?:{_HASH})$"},
        "minProperties": 1,
        "maxProperties": MAX_USERS,
    }


@kind(_users_schema())
def users(value: object) -> dict[str, str]:
    """Hashes of passwords by user; never shown, not even in an error."""
    if not isinstance(value, Mapping):
        raise ValueError("not a table of users", 'users = { ada = "$argon2id$..." }')
    if not 0 < len(value) <= MAX_USERS:
        raise ValueError(f"{len(value)} users: there may be 1 to {MAX_USERS}")
    return each(value, _user)


def _user(name: str, hash: object) -> str:
    if not name or len(name) > 128 or ":" in name or not name.isprintable():
        raise ValueError(f"not a name of a user: {shown(name)}")
    if not _is_hash(hash):
        raise ValueError(
            "not a hash of a password, of argon2id or bcrypt",
            "`zeroserve hash-password` makes one; ${NAME} takes it from the environment",
        )
    return str(hash)


by = matching(rf"address|header {_TOKEN}", "`address` or `header NAME`")


# --- numbers --------------------------------------------------------------------------------------


@kind({"enum": [301, 302, 303, 307, 308]})
def redirect_status(value: object) -> int:
    """A status that sends clients elsewhere."""
    if isinstance(value, bool) or value not in (301, 302, 303, 307, 308):
        raise ValueError(f"not 301, 302, 303, 307 or 308: {shown(value)}")
    assert isinstance(value, int)
    return value


seconds = whole(0, MAX_SECONDS)

_UNITS = {
    "": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "kB": 1000,
    "MB": 10**6,
    "GB": 10**9,
}
_SIZE = r"([0-9]{1,15}) ?(KiB|MiB|GiB|kB|MB|GB)?"


@kind(
    {
        "oneOf": [
            {"type": "integer", "minimum": 0, "maximum": MAX_BODY_BYTES},
            {"type": "string", "pattern": f"^{_SIZE}$"},
        ]
    }
)
def size(value: object) -> int:
    """Bytes: ``1000000``, ``"10 MiB"``."""
    found = re.fullmatch(_SIZE, value) if isinstance(value, str) else None
    number = int(found[1]) * _UNITS[found[2] or ""] if found else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_BODY_BYTES:
        raise ValueError(f'not a number of bytes, or a text like "10 MiB": {shown(value)}')
    return number


CACHE_PRESETS = ("immutable", "no-cache", "no-store")


@kind(
    {
        "oneOf": [
            {"enum": list(CACHE_PRESETS)},
            {"type": "integer", "minimum": 0, "maximum": MAX_SECONDS},
        ]
    }
)
def cache(value: object) -> str | int:
    """A preset, or seconds."""
    if isinstance(value, str) and value in CACHE_PRESETS:
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(
            f"not immutable, no-cache, no-store or seconds: {shown(value)}",
            "whatever else it should be stands in headers: Cache-Control",
        )
    return value


@kind({"oneOf": [{"type": "boolean"}, page.schema]})
def fallback(value: object) -> str | None:
    """True is ``/index.html``, false is none, and a path is that page."""
    if isinstance(value, bool):
        return "/index.html" if value else None
    found: str = page(value)
    return found


@kind({"const": False})
def no(value: object) -> bool:
    """``false`` alone."""
    if value is not False:
        raise ValueError(f"not false or a table: {shown(value)}")
    return False


_ERROR = r"[45](?:[0-9]{2}|xx)"


@kind(
    {
        "type": "object",
        "propertyNames": {"pattern": f"^{_ERROR}$"},
        "additionalProperties": page.schema,
    }
)
def error_pages(value: object) -> dict[str, str]:
    """Pages by status or class of statuses."""
    if not isinstance(value, Mapping):
        raise ValueError(f"not a table: {shown(value)}", '404 = "/404.html"')
    return each(value, _error_page)


def _error_page(status: str, path: object) -> str:
    if not re.fullmatch(_ERROR, status):
        raise ValueError(
            f"not a status of an error: {shown(status)}", "404, 4xx, 503 and 5xx are some"
        )
    found: str = page(path)
    return found
