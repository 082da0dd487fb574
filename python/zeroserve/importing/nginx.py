"""``nginx.conf``: the server that it describes, as a site.

crossplane reads the file. What it includes is read when it lies in the file's own directory or
below; elsewhere only when the person in charge says so, since a configuration that came from
somewhere else may name any file. Of several servers one becomes the site.
"""

import glob
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from zeroserve._core import Error
from zeroserve.importing import nginx_site
from zeroserve.importing.nginx_site import Scope, Statement
from zeroserve.importing.result import Imported, Place
from zeroserve.words import quoted

MAX_DEPTH = 64
"""Blocks inside of each other: nginx itself has a use for five or so."""

MAX_FILES = 64
"""That one configuration includes."""

PROCESS = frozenset(
    {
        "accept_mutex", "access_log", "aio", "client_body_buffer_size", "client_body_temp_path",
        "client_body_timeout", "client_header_buffer_size", "client_header_timeout", "daemon",
        "default_type", "directio", "env", "error_log", "etag", "events", "fastcgi_temp_path",
        "gzip", "gzip_buffers", "gzip_comp_level", "gzip_disable", "gzip_http_version",
        "gzip_min_length", "gzip_proxied", "gzip_static", "gzip_types", "gzip_vary", "http2",
        "keepalive_requests", "keepalive_timeout", "large_client_header_buffers", "load_module",
        "lock_file", "log_format", "log_not_found", "master_process", "multi_accept",
        "open_file_cache", "open_file_cache_errors", "open_file_cache_min_uses",
        "open_file_cache_valid", "output_buffers", "pcre_jit", "pid", "proxy_buffer_size",
        "proxy_buffering", "proxy_buffers", "proxy_busy_buffers_size", "proxy_http_version",
        "proxy_redirect", "proxy_temp_path", "reset_timedout_connection", "resolver",
        "resolver_timeout", "scgi_temp_path", "send_timeout", "sendfile", "sendfile_max_chunk",
        "server_names_hash_bucket_size", "server_names_hash_max_size", "server_tokens",
        "tcp_nodelay", "tcp_nopush", "thread_pool", "types_hash_bucket_size",
        "types_hash_max_size", "use", "user", "uwsgi_temp_path", "variables_hash_bucket_size",
        "variables_hash_max_size", "worker_connections", "worker_cpu_affinity", "worker_priority",
        "worker_processes", "worker_rlimit_nofile", "worker_shutdown_timeout",
        "absolute_redirect", "charset", "override_charset", "port_in_redirect",
        "server_name_in_redirect", "if_modified_since", "max_ranges",
    }
)  # fmt: skip
"""How the process works, not what it answers."""


class _Reading(NamedTuple):
    """One run over a file and what it includes."""

    base: str
    outside: bool
    found: Imported
    read: list[str]
    """Names of all files, so that there is an end."""


def read(path: str, text: str, *, server: str | None = None, outside: bool = False) -> Imported:
    """What an nginx.conf says; raises ``Error`` when it can't be read."""
    del text  # crossplane opens the file itself; that there is text, is known
    found = Imported()
    base = os.path.realpath(os.path.dirname(path) or ".")  # noqa: PTH120
    try:
        statements = _file(path, path, _Reading(base, outside, found, []))
        scopes = list(_servers(statements, Scope({}), found))
        chosen = _choose(scopes, path, server, found)
        if chosen is not None:
            nginx_site.translate(chosen, _upstreams(statements), base, found)
    except RecursionError:
        raise Error(f"{quoted(path)} is nested too deeply") from None
    return found


# --- files ----------------------------------------------------------------------------------------


def _file(path: str, shown: str, reading: _Reading) -> list[Statement]:
    """The statements of a file, with those of the files that it includes in their place."""
    import crossplane  # late: only this format pays for it

    reading.read.append(path)
    _check_depth(path, shown)
    payload = crossplane.parse(path, single=True, check_ctx=False, check_args=False)
    for error in payload["errors"]:
        raise _refusal(shown, error)
    return list(_statements(payload["config"][0]["parsed"], shown, reading))


def _check_depth(path: str, shown: str) -> None:
    """Refuse blocks in blocks in blocks, which parsers go down into by recursion.

    Braces inside of quotes count, too: they come in pairs, or are few.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read()
    except OSError:
        return  # the parser says why
    depth = 0
    for brace in re.finditer(rb"[{}]", data):
        depth += 1 if brace[0] == b"{" else -1
        if depth > MAX_DEPTH:
            raise Error(f"{quoted(shown)} is nested too deeply")


def _refusal(shown: str, error: dict[str, Any]) -> Error:
    message = str(error["error"]).partition(" in ")[0] or "a directive does not end"
    if "recursion" in message:
        return Error(f"{quoted(shown)} is nested too deeply")
    line = f":{error['line']}" if error["line"] else ""
    return Error(f"not an nginx configuration: {shown}{line}: {message}")


def _statements(parsed: list[Any], shown: str, reading: _Reading) -> Iterator[Statement]:
    for one in parsed:
        place = Place(shown, one["line"])
        name, args, block = one["directive"], one["args"], one.get("block")
        if name == "include":
            yield from _included(args, place, reading)
            continue
        inner = None if block is None else list(_statements(block, shown, reading))
        yield Statement(name, tuple(args), place, inner)


def _included(args: list[str], place: Place, reading: _Reading) -> Iterator[Statement]:
    pattern = args[0] if args else ""
    what = f"include {pattern}"
    if pattern.endswith("mime.types"):
        return  # media types, of which zeroserve has its own
    whole = os.path.normpath(os.path.join(reading.base, pattern))  # noqa: PTH118
    why = "outside of the directory of the file: --outside reads it, too"
    if "\0" in pattern or not pattern:
        reading.found.leave(place, what, "not a name of a file")
        return
    if not reading.outside and not _below(whole, reading.base):
        reading.found.leave(place, what, why)
        return
    names = sorted(itertools.islice(glob.iglob(whole), MAX_FILES + 1))  # noqa: PTH207
    if not names and not glob.has_magic(whole):
        reading.found.leave(place, what, "no such file")
    for name in names:
        if len(reading.read) >= MAX_FILES:
            reading.found.leave(place, what, f"more than {MAX_FILES} files")
            return
        if not reading.outside and not _below(os.path.realpath(name), reading.base):
            reading.found.leave(place, what, why)
        elif not os.path.isfile(name):  # noqa: PTH113
            reading.found.leave(place, what, "not a file")
        else:
            from zeroserve.importing import text_of

            text_of(name)  # says so when it is too long or no text
            yield from _file(name, os.path.relpath(name, reading.base), reading)


def _below(path: str, base: str) -> bool:
    return os.path.commonpath([path, base]) == base


# --- servers --------------------------------------------------------------------------------------


def _servers(statements: list[Statement], outer: Scope, found: Imported) -> Iterator[Scope]:
    """Every server, with what it inherits. A file without one is the inside of a server."""
    shared = [one for one in statements if one.name not in ("http", "server")]
    scope = outer.inside(shared)
    if len(shared) == len(statements):
        if any(one.name not in nginx_site.OUTSIDE for one in shared):
            yield scope
        return
    for one in statements:
        if one.name == "http":
            yield from _servers(one.block or [], scope, found)
        elif one.name == "server":
            yield scope.inside(one.block or [], one)
        elif one.name in ("stream", "mail"):
            found.leave(one.place, one.name, "zeroserve speaks HTTP only")
        elif one.name == "types":
            found.leave(one.place, one.name, "media types are zeroserve's own")
        elif not nginx_site.known_outside(one) and one.name not in PROCESS:
            found.leave(one.place, one.text, "nothing is known of it outside of a server")


def _choose(scopes: list[Scope], path: str, wanted: str | None, found: Imported) -> Scope | None:
    """The server that becomes the site; others are left, by their names."""
    rest = []
    for scope in scopes:
        if nginx_site.only_to_https(scope):
            found.note(
                scope.place or Place(path, 0),
                "the server that sends to HTTPS",
                "serve with --redirect-https",
            )
        elif scope.own:
            rest.append(scope)
    if wanted is not None:
        named = [scope for scope in rest if wanted in scope.names]
        if not named:
            known = sorted({name for scope in rest for name in scope.names})[:20]
            raise Error(f"no server of that name: {quoted(wanted)}", "there is " + ", ".join(known))
        rest = named[:1] + [scope for scope in rest if scope is not named[0]]
    for scope in rest[1:]:
        name = next(iter(scope.names), "")
        hint = f": --server {name}" if name else ""
        found.leave(
            scope.place or Place(path, 0), f"server {name}".strip(), f"one server is one site{hint}"
        )
    return rest[0] if rest else None


def _upstreams(statements: list[Statement]) -> dict[str, Statement]:
    found: dict[str, Statement] = {}
    for one in statements:
        if one.name == "upstream" and one.args:
            found[one.args[0]] = one
        elif one.name == "http":
            found.update(_upstreams(one.block or []))
    return found
