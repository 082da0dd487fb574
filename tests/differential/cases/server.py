"""What scripts ask of the server: the request, tables, limits, time, secrets, responses."""

import base64
import secrets
import time
from datetime import UTC, datetime

from zeroserve.script import (
    Request,
    Response,
    Table,
    abort,
    env,
    fetch,
    file_exists,
    log,
    oidc_begin_login,
    oidc_handle_callback,
    oidc_logout,
    oidc_session,
    on_response,
    proxy,
    rate_limit,
    redirect,
    send_file,
    send_listing,
    verify_password,
)

_HITS = Table(str, int, max_entries=1000)
_TEXTS = Table(int, str, max_entries=1000)
_DATA = Table(bytes, bytes, max_entries=1000)
_FLAGS = Table(str, bool, max_entries=1000)


def request_fields(req: Request) -> str:
    out = f"{req.method} {req.path!r} {req.raw_path} {req.query} {req.scheme} {req.host} "
    out += f"{req.http_version} {req.tls_sni} {req.tls_alpn} {req.ja4} "
    return out + f"{req.peer_ip} {req.peer_port >= 0}"


def request_header(req: Request, key: str) -> tuple[str | None, str | None, str | None]:
    return req.header(key), req.header("x-TWICE"), req.header("x-accept")


def request_header_named(req: Request, text: str) -> str | None:
    return req.header(text)


def request_query_param(req: Request, key: str) -> tuple[str | None, str | None]:
    return req.query_param(key), req.query_param("a")


def request_cookie(req: Request, key: str) -> tuple[str | None, str | None]:
    return req.cookie(key), req.cookie("b")


def request_body(req: Request) -> bool:
    return len(req.body()) > 0


def request_json(req: Request) -> bool:
    return req.json() is None


def request_set_header(req: Request, ascii: str) -> str | None:
    req.set_header("X-Case", ascii)
    found = req.header("x-case")
    req.delete_header("X-CASE")
    return found if req.header("x-case") is None else "still there"


def request_set_header_named(req: Request, ascii: str) -> bool:
    req.set_header(ascii, "1")
    req.delete_header(ascii)
    return req.header(ascii) is None


def request_rewrite(req: Request, ascii: str) -> str:
    before = req.raw_path + "?" + req.query
    req.rewrite("/" + ascii)
    out = f"{req.path!r} {req.raw_path!r} {req.query!r}"
    req.rewrite(before)
    return out


def request_rewrite_quoted(req: Request, quoted: str) -> str:
    before = req.raw_path + "?" + req.query
    req.rewrite("/x/" + quoted)
    out = f"{req.path!r} {req.raw_path!r} {req.query!r} {req.query_param('a')!r}"
    req.rewrite(before)
    return out


def request_query_rewritten(req: Request, query: str) -> tuple[str | None, str | None, str | None]:
    before = req.raw_path + "?" + req.query
    req.rewrite("/?" + query)
    found = req.query_param("a")
    b = req.query_param("b")
    last = req.query_param("ä")
    req.rewrite(before)
    return found, b, last


def request_set_method(req: Request, key: str) -> str:
    before = req.method
    req.set_method(key)
    found = req.method
    req.set_method(before)
    return found


def request_meta(req: Request, few: str, other_few: str) -> str:
    req.meta[few] = other_few
    return f"{req.meta[few]} {req.meta.get('none')} {req.meta.get('none', few)} {few in req.meta}"


def request_meta_missing(req: Request, text: str) -> str:
    return req.meta[text + "-not-there"]


def table_ints(few: str, small: int) -> str:
    before = _HITS.get(few)
    _HITS.set(few, small)
    after = _HITS.add(few, 3)
    _HITS.add(few + "!", -1)
    out = f"{before} {after} {_HITS.get(few, 0)} {_HITS.get(few + '!')}"
    _HITS.delete(few)
    return out + f" {_HITS.get(few)} {_HITS.get(few, -1)}"


def table_others(few: str, small: int, piece: bytes, flag: bool) -> str:
    _TEXTS.set(small, few)
    _DATA.set(piece, piece + b"!")
    _FLAGS.set(few, flag)
    out = f"{_TEXTS.get(small)!r} {_DATA.get(piece)!r} {_FLAGS.get(few)} {_TEXTS.get(small + 1000)}"
    _DATA.delete(piece)
    return out + f"{_DATA.get(piece)!r} {_DATA.get(piece, b'none')!r}"


def limited(few: str, small: int) -> bool:
    return rate_limit("case-" + few, per_second=small, per_minute=small)


def limited_never(text: str) -> bool:
    return rate_limit(text, per_hour=100_000_000)


def logged(few: str) -> bool:
    log("case " + few)
    return env("ZEROSERVE_NO_SUCH_VARIABLE") is None


def secret_lengths(few_times: int) -> tuple[int, int, int, int]:
    return (
        len(secrets.token_hex(few_times)),
        len(secrets.token_bytes(few_times)),
        len(secrets.token_urlsafe(few_times)),
        len(secrets.token_hex()),
    )


def secret_negative(small: int) -> int:
    return len(secrets.token_bytes(small))


def secret_below(small: int) -> bool:
    return 0 <= secrets.randbelow(small) < small


def clocks(few_times: int) -> tuple[bool, bool, bool, bool]:
    now = int(time.time())
    return (
        time.time_ns() // 1_000_000_000 >= now,
        time.monotonic_ns() <= time.monotonic_ns(),
        datetime.now(UTC) >= datetime.fromtimestamp(now - few_times, UTC),
        datetime.now(UTC).isoformat()[:2] == "20",
    )


def _kind(answer: Response | None) -> str:
    return "none" if answer is None else "response"


def response_made(number: int, text: str, ascii: str) -> str:
    made = Response(number % 700, text[:3], headers={"X-Case": ascii})
    return _kind(made)


def response_bytes(small: int, data: bytes, ascii: str) -> str:
    return _kind(Response(small + 200, data, content_type=ascii))


def response_order(small: int, few: str, index: int) -> str:
    return _kind(Response(small, few, headers={"X": few[index]}))


def response_redirect(url: str) -> str:
    return _kind(redirect(url))


def response_redirect_status(ascii: str, small: int) -> str:
    return _kind(redirect("/" + ascii, small + 300))


def response_proxy(url: str) -> str:
    return _kind(proxy(url))


def response_proxy_cache(url: str, flag: bool) -> str:
    return _kind(proxy(url, cache=flag))


def fetch_forbidden(url: str, text: str, key: str, data: bytes) -> str:
    try:
        res = fetch(url, headers={"X-Text": text, "X-None": None}, body=data)
    except PermissionError:
        return "forbidden"
    return f"{res.status} {res.header(key)} {len(res.header_list(key))} {str(res.json())}"


def fetch_arguments(ascii: str, text: str, small: int) -> str:
    try:
        fetch("http://a/", method=ascii, headers={"X": text}, timeout_ms=small)
    except OSError:
        return "forbidden"
    return "asked"


def oidc_configuration(text: str, small: int) -> str:
    """None that is good: with one, there are answers in the server alone."""
    try:
        if small % 4 == 0:
            return _kind(oidc_begin_login(text, "/a"))
        if small % 4 == 1:
            return _kind(oidc_handle_callback(text))
        if small % 4 == 2:
            return _kind(oidc_logout('{"issuer": "x"}', text))
        return str(oidc_session(text))
    except ValueError:
        return "not valid"


def request_limit_body(req: Request, number: int) -> bool:
    req.limit_body(number if number < 0 else 10**6 + number % 10**9)
    return True


def files_there(ascii: str, text: str) -> tuple[bool, bool, bool]:
    return file_exists(ascii), file_exists("/" + text), file_exists("/none/" + ascii)


def response_file(text: str, small: int) -> str:
    return _kind(send_file("/" + text, small + 400))


def response_file_named(ascii: str) -> str:
    return _kind(send_file(ascii))


def response_listing(text: str, flag: bool) -> str:
    return _kind(send_listing("/" + text, as_json=flag))


def password(text: str, flag: bool) -> bool:
    if flag:
        return verify_password(text, "$2a$04$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU96")
    return verify_password("password", text)


def response_abort(flag: bool) -> str:
    return _kind(abort() if flag else None)


@on_response
def _mark(req: Request, res: Response) -> None:
    res.set_header("X-One", str(res.status))
    res.append_header("Vary", "X-Two")
    res.append_header("Vary", req.method)
    res.delete_header("X-None")
    if req.path.endswith("/no-such-directory/"):
        res.send_file("/none")
    found = res.header("vary")
    res.set_header("X-Two", base64.b64encode((found or "").encode()).decode())
