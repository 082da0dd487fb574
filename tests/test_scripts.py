"""Scripts in the request pipeline, over real sockets: what they decide, and what they can't harm.

Every answer is read by a client that checks each byte, and most connections carry a request for a
file behind the one in question: an answer with a byte too many or too few shows there.
"""

import ctypes
import io
import json
import re
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import brotli
import pytest
from support.server import Server, command, no_traceback, running, wait_until
from support.wire import Address, Closed, Connection, FramingError, Response, fetch, request
from zeroserve import Error, clang
from zeroserve.pack import pack
from zeroserve.testing import Client

pytestmark = pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)

SCRIPTS = ".zeroserve/scripts"

PRELUDE = """\
#include <zeroserve.h>

static char path[256];
static char scratch[4096];

static ZS_MAYBE_UNUSED int at(const char *wanted)
{
    zs_req_path(path, sizeof path);
    return zs_strcmp(path, wanted) == 0;
}
"""

SPIN = "for (volatile zs_u64 i = 1; i; i++) {}"
TRAP = "*(volatile char *)scratch[1] = 1;"

MANY = """
static void count(zs_u64 number)
{
    zs_respond(200, scratch, zs_utoa10(number, scratch, sizeof scratch));
}

static zs_u64 refused;

static void attempt(zs_s64 result)
{
    if (result != -1)
        refused = 1000;
    refused++;
}

ZS_ENTRY zs_u64 many(void)
{
    /* First: a new target has a query of its own. */
    if (zs_req_query_param(ZS_STR("hook"), scratch, sizeof scratch) > 0)
        zs_res_hook(ZS_STR(""), ZS_STR(scratch), 0);
    if (at("/respond")) zs_respond(200, ZS_STR("from the script\\n"));
    if (at("/204")) zs_respond(204, ZS_STR("not sent"));
    if (at("/304")) zs_respond(304, ZS_STR("not sent"));
    if (at("/404")) zs_respond(404, ZS_STR("mine\\n"));
    if (at("/429")) zs_respond(429, ZS_STR("slowly\\n"));
    if (at("/trap")) TRAP
    if (at("/answered-trap")) {
        zs_respond(200, ZS_STR("let in"));
        zs_meta_set(ZS_STR("zs.response.header.x-secret"), ZS_STR("1"));
        TRAP
    }
    if (at("/spin")) SPIN
    if (at("/answered-spin")) {
        zs_respond(200, ZS_STR("let in"));
        SPIN
    }
    if (at("/static")) {
        static zs_u64 visits;
        count(++visits);
    }
    if (at("/handle")) count(zs_json_new_object());
    if (at("/stale-handle")) count(zs_json_len(1) == -1 ? 1 : 0);
    if (at("/body") || at("/body-16")) {
        if (at("/body-16"))
            zs_req_body_limit(16);
        zs_s64 body = zs_req_body_json();
        if (body < 0)
            zs_respond(400, ZS_STR("none\\n"));
        else
            zs_json_respond(200, body);
    }
    if (at("/body-twice")) {
        zs_req_body_json();
        zs_json_respond(200, zs_req_body_json());
    }
    if (at("/to-get")) { zs_req_set_method(ZS_STR("GET")); zs_req_set_uri(ZS_STR("/page.txt")); }
    if (at("/to-head")) { zs_req_set_method(ZS_STR("HEAD")); zs_req_set_uri(ZS_STR("/page.txt")); }
    if (at("/to-post")) { zs_req_set_method(ZS_STR("POST")); zs_req_set_uri(ZS_STR("/page.txt")); }
    if (at("/to-options")) zs_req_set_method(ZS_STR("OPTIONS"));
    if (at("/hidden")) zs_req_set_uri(ZS_STR("/.zeroserve/scripts/many.o"));
    if (at("/hidden-file")) count(zs_load_static_json(ZS_STR("/.zeroserve/secret.json")) == -1);
    if (at("/dots")) zs_req_set_uri(ZS_STR("/a/../../../page.txt"));
    if (at("/slashes")) zs_req_set_uri(ZS_STR("//other.example/folder"));
    if (at("/no-headers")) {
        zs_req_delete_header(ZS_STR("*"));
        zs_req_set_uri(ZS_STR("/page.txt"));
    }
    if (at("/two-hosts")) zs_req_append_header(ZS_STR("Host"), ZS_STR("other.example"));
    if (at("/part")) {
        zs_req_set_header(ZS_STR("Range"), ZS_STR("bytes=1-3"));
        zs_req_set_uri(ZS_STR("/page.txt"));
    }
    if (at("/whole")) {
        zs_req_delete_header(ZS_STR("Range"));
        zs_req_delete_header(ZS_STR("If-*"));
        zs_req_set_uri(ZS_STR("/page.txt"));
    }
    if (at("/inject")) {
        static const char evil[] = "a\\r\\nContent-Length: 0\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n";
        refused = 0;
        attempt(zs_meta_set(ZS_STR("zs.response.header.x-a"), ZS_STR(evil)));
        attempt(zs_meta_set(ZS_STR("zs.response.header.x-a: b\\r\\nx-b"), ZS_STR("1")));
        attempt(zs_meta_set(ZS_STR("zs.response.header.content-length"), ZS_STR("1")));
        attempt(zs_meta_set(ZS_STR("zs.response.header.Transfer-Encoding"), ZS_STR("chunked")));
        attempt(zs_meta_set(ZS_STR("zs.response.header.connection"), ZS_STR("x-a")));
        attempt(zs_meta_set(ZS_STR("zs.response.header.x-a"), "a\\0b", 3));
        attempt(zs_req_set_method(ZS_STR("GET / HTTP/1.1\\r\\n")));
        attempt(zs_req_set_method(ZS_STR("")));
        attempt(zs_req_set_uri(ZS_STR(evil)));
        attempt(zs_req_set_uri(ZS_STR("/a b")));
        attempt(zs_req_set_uri(ZS_STR("http://other.example/")));
        attempt(zs_req_set_header(ZS_STR("x"), ZS_STR(evil)));
        attempt(zs_req_append_header(ZS_STR("x y"), ZS_STR("1")));
        attempt(zs_req_set_header(ZS_STR("Content-Length"), ZS_STR("5")));
        attempt(zs_req_append_header(ZS_STR("transfer-encoding"), ZS_STR("chunked")));
        attempt(zs_respond(199, ZS_STR("")));
        attempt(zs_respond(600, ZS_STR("")));
        attempt(zs_respond(65736, ZS_STR("")));
        count(refused);
    }
    if (at("/proxy")) zs_reverse_proxy(ZS_STR("http://127.0.0.1:9"));
    if (at("/abort")) zs_abort();
    if (at("/cleared")) { zs_respond(200, ZS_STR("no")); zs_response_clear(); }
    if (at("/called-trap")) { zs_call(ZS_STR("other"), ZS_STR("trap"), 0); zs_respond(200, 0, 0); }
    if (at("/called-spin")) { zs_call(ZS_STR("other"), ZS_STR("spin"), 0); zs_respond(200, 0, 0); }
    if (at("/called-missing")) count(zs_call(ZS_STR("other"), ZS_STR("nothing"), 0) == -1);
    if (at("/depth")) zs_json_respond(200, zs_call(ZS_STR("other"), ZS_STR("deeper"), 0));
    if (at("/calls"))
        for (;;) zs_call(ZS_STR("other"), ZS_STR("busy"), 0);
    if (at("/called-body")) zs_json_respond(200, zs_call(ZS_STR("other"), ZS_STR("body"), 0));
    if (at("/template-post")) zs_req_set_method(ZS_STR("POST"));
    if (at("/template") || at("/template-post")) {
        zs_meta_set(ZS_STR("user"), ZS_STR("<Ada>"));
        zs_req_set_uri(ZS_STR("/template.html"));
    }
    zs_req_path(path, sizeof path);
    if (zs_strncmp(path, ZS_STR("/meta/")) == 0) {
        zs_meta_set(ZS_STR("user"), ZS_STR("Ada"));
        static char rest[256];
        zs_strcpy(rest, path + 5);
        zs_req_set_uri(ZS_STR(rest));
    }
    if (zs_req_query_param(ZS_STR("headers"), scratch, sizeof scratch) > 0) {
        zs_meta_set(ZS_STR("zs.response.header.X-Script"), ZS_STR("many"));
        zs_meta_set(ZS_STR("zs.response.header.Cache-Control"), ZS_STR("max-age=60"));
        zs_meta_set(ZS_STR("zs.response.header.etag"), ZS_STR(""));
        zs_meta_set(ZS_STR("zs.response.header.date"), ZS_STR("never"));
    }
    return 0;
}

ZS_CALL_ENTRY(to200, input) { zs_res_set_status(200); return 0; }
ZS_CALL_ENTRY(to204, input) { zs_res_set_status(204); return 0; }
ZS_CALL_ENTRY(to304, input) { zs_res_set_status(304); return 0; }
ZS_CALL_ENTRY(to503, input) { zs_res_set_status(503); return 0; }
ZS_CALL_ENTRY(trap, input) { TRAP return 0; }
ZS_CALL_ENTRY(spin, input) { SPIN return 0; }
ZS_CALL_ENTRY(slow, input)
{
    for (volatile zs_u64 i = 0; i < 200000; i++) {}
    zs_meta_set(ZS_STR("zs.response.header.x-slow"), ZS_STR("1"));
    return 0;
}
ZS_CALL_ENTRY(late, input)
{
    if (zs_respond(200, ZS_STR("late")) == -1 && zs_req_body_json() == -1)
        zs_meta_set(ZS_STR("zs.response.header.x-late"), ZS_STR("refused"));
    return 0;
}
""".replace("SPIN", SPIN).replace("TRAP", TRAP)

OTHER = """
ZS_CALL_ENTRY(trap, input) { TRAP return 0; }
ZS_CALL_ENTRY(spin, input) { SPIN return 0; }
ZS_CALL_ENTRY(busy, input) { for (volatile zs_u64 i = 0; i < 1000; i++) {} return 0; }
ZS_CALL_ENTRY(body, input) { return zs_req_body_json(); }
ZS_CALL_ENTRY(deeper, input)
{
    zs_s64 result = zs_call(ZS_STR("other"), ZS_STR("deeper"), 0);
    zs_s64 depth = zs_json_new_object();
    zs_s64 below = 0;
    if (result > 0)
        zs_json_read_i64(result, &below, sizeof below);
    zs_json_set_i64(depth, below + 1);
    return depth;
}
""".replace("SPIN", SPIN).replace("TRAP", TRAP)

LATER = """
ZS_ENTRY zs_u64 later(void)
{
    zs_meta_set(ZS_STR("zs.response.header.x-later"), ZS_STR("1"));
    return 0;
}
"""

FILES: dict[str, str | bytes] = {
    "page.txt": "a page\n",
    "large.bin": bytes(range(256)) * 8192,
    "template.html": "<p><zs-meta>user</zs-meta><zs-meta>nobody</zs-meta></p>\n",
    "folder/index.html": "<p>folder</p>\n",
    "404.html": "<p>nothing here, <zs-meta>user</zs-meta></p>\n",
    "only.html.br": brotli.compress(b"<p>compressed</p>\n"),
    ".zeroserve/secret.json": "1",
}


@cache
def compiled(source: str) -> bytes:
    with TemporaryDirectory() as directory:
        file = Path(directory, "script.c")
        file.write_text(PRELUDE + source)
        return clang.compile(file).object


def tree(root: Path, scripts: dict[str, str], files: dict[str, str | bytes] | None = None) -> Path:
    """A directory with these scripts, compiled."""
    for name, content in (FILES if files is None else files).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (root / SCRIPTS).mkdir(parents=True, exist_ok=True)
    for name, source in scripts.items():
        (root / SCRIPTS / f"{name}.o").write_bytes(compiled(source))
    return root


@contextmanager
def serving(root: Path, *options: str | Path) -> Iterator[Server]:
    with running(root, "--threads", "1", "--access-log", "off", *options) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tree(tmp_path_factory.mktemp("site"), {"many": MANY, "other": OTHER, "z": LATER})
    with serving(root) as found:
        yield found


@pytest.fixture
def address(server: Server) -> Address:
    return server.address


def ask(address: Address, target: str, method: str = "GET", **more: object) -> Response:
    """One request with another behind it, on one connection: the second is answered, too."""
    headers = more.get("headers")
    body = more.get("body", b"")
    assert headers is None or isinstance(headers, dict)
    assert isinstance(body, bytes)
    with Connection(address) as connection:
        sent = request(target, headers, method=method, body=body)
        connection.send(sent + request("/page.txt", {"Connection": "close"}))
        first = connection.response(method)
        second = connection.response()
        assert (second.status, second.body) == (200, b"a page\n")
        assert connection.at_end(), connection.buffer[:80]
    return first


# Answers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "BREW"])
def test_an_answer_reaches_the_client(address: Address, method: str) -> None:
    answer = ask(address, "/respond", method)
    assert answer.status == 200
    assert answer.need("content-length") == "16"
    assert answer.body == (b"" if method == "HEAD" else b"from the script\n")
    assert answer.header("x-later") is None


@pytest.mark.parametrize(
    ("status", "reason", "body"),
    [
        (204, "No Content", b""),
        (304, "Not Modified", b""),
        (404, "Not Found", b"mine\n"),
        (429, "Too Many Requests", b"slowly\n"),
    ],
)
def test_statuses(address: Address, status: int, reason: str, body: bytes) -> None:
    answer = ask(address, f"/{status}")
    assert (answer.status, answer.reason, answer.body) == (status, reason, body)


def test_without_an_answer_the_file_comes_and_later_scripts_run(address: Address) -> None:
    for target in ("/page.txt", "/cleared"):
        answer = ask(address, target)
        assert (answer.status, answer.need("x-later")) == (404 if "c" in target else 200, "1")


def test_no_connection_survives_an_abort(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(request("/page.txt") + request("/abort") + request("/page.txt"))
        assert connection.response().body == b"a page\n"
        with pytest.raises(Closed):
            connection.response()


def test_no_proxy_is_bad_gateway(address: Address) -> None:
    assert ask(address, "/proxy").status == 502


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_close_is_kept_to(address: Address, version: str) -> None:
    headers = {"Connection": "close"} if version == "1.1" else {}
    for target in ("/respond", "/trap", "/page.txt", "/page.txt?hook=to503"):
        with Connection(address) as connection:
            connection.send(request(target, headers, version=version) + request("/page.txt"))
            answer = connection.response()
            assert "close" in answer.tokens("connection")
            assert connection.at_end()


# Traps: 500, and nothing else of what was decided


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "target",
    [
        "/trap",
        "/answered-trap",
        "/spin",
        "/answered-spin",
        "/called-trap",
        "/called-spin",
        "/calls",
        "/page.txt?hook=trap",
        "/page.txt?hook=spin",
        "/page.txt?hook=nothing",
        "/large.bin?hook=trap&headers=1",
        "/respond?hook=trap",
        "/204?hook=trap",
        "/304?hook=trap",
        "/nothing?hook=trap",
    ],
)
def test_a_trap_fails_closed(address: Address, target: str, method: str) -> None:
    answer = ask(address, target, method)
    assert answer.status == 500
    assert answer.body == (b"" if method == "HEAD" else b"500 Internal Server Error\n")
    for name in ("x-later", "x-secret", "x-script", "etag", "cache-control"):
        assert answer.header(name) is None


def test_a_trap_is_told_with_its_place(server: Server) -> None:
    before = len(server.lines)
    assert fetch(server.address, "/called-trap").status == 500
    # Said already by a test before, or now.
    line = next((line for line in server.lines if "script other: " in line), None)
    line = line or server.wait_line("script other: .*", after=before)[0]
    assert re.search(r"script other: .* at script\.c:\d+.*answered 500", line), line


RAISES = """
zs_u64 zs_py_raise(zs_u64 kind, zs_u64 message, zs_u64 place);
zs_u64 zs_py_str_index(zs_u64, zs_u64, zs_u64, zs_u64, zs_u64);
static zs_u64 word(const char *text, zs_u64 len) { return (zs_u64)text | len << 32; }
ZS_ENTRY zs_u64 guard(void)
{
    zs_u64 found[1];
    zs_u64 text = word("abc", 3);
    zs_u64 kind = zs_py_str_index(text, word("x", 1), 0, 9, (zs_u64)found);
    zs_py_raise(kind, 0, word("page.py:12", 10));
    return 0;
}
"""


def test_an_exception_is_told_with_its_line_of_python(tmp_path: Path) -> None:
    root = tree(tmp_path, {"guard": RAISES}, {"page.txt": "x"})
    with serving(root) as server:
        assert fetch(server.address, "/page.txt").status == 500
        server.wait_line(
            r"script guard: ValueError: substring not found in guard at page\.py:12; answered 500"
        )


def test_calls_are_bounded(address: Address) -> None:
    assert ask(address, "/depth").body == b"8"
    assert ask(address, "/called-missing").body == b"1"


# Nothing is left over


def test_memory_is_new_for_each_request(address: Address) -> None:
    with Connection(address) as connection:
        for _ in range(3):
            for target in ("/static", "/handle", "/stale-handle"):
                connection.send(request(target))
                assert connection.response().body == b"1", target
            # What is trapped leaves nothing behind either.
            connection.send(request("/trap"))
            assert connection.response().status == 500


def test_metadata_is_new_for_each_request(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(request("/page.txt?headers=1&hook=to503") + request("/page.txt"))
        assert connection.response().header("x-script") == "many"
        second = connection.response()
        assert (second.status, second.header("x-script")) == (200, None)


# Bodies


def test_a_body_is_read(address: Address) -> None:
    text = json.dumps({"a": [1, 2]}, separators=(",", ":")).encode()
    for target in ("/body", "/body-twice", "/called-body"):
        assert ask(address, target, "POST", body=text).body == text
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in text) + b"0\r\n\r\n"
    framing = {"Transfer-Encoding": "chunked"}
    assert ask(address, "/body", "POST", headers=framing, body=chunked).body == text


@pytest.mark.parametrize("target", ["/body", "/body-16", "/respond", "/page.txt", "/trap"])
@pytest.mark.parametrize("size", [0, 1, 17, 300_000])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_body_is_read_past(address: Address, target: str, size: int, method: str) -> None:
    body = b"[" + b" " * size
    answer = ask(address, target, method, body=body)
    found = {"/respond": 200, "/trap": 500, "/page.txt": 200 if method == "GET" else 405}
    assert answer.status == found.get(target, 400)


def test_a_body_over_the_server_limit_is_refused(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(request("/body", {"Content-Length": "2000000"}, method="POST"))
        answer = connection.response()
        assert (answer.status, "close" in answer.tokens("connection")) == (413, True)


def test_a_body_that_is_read_is_asked_for(address: Address) -> None:
    expecting = {"Expect": "100-continue", "Content-Length": "2"}
    with Connection(address) as connection:
        connection.send(request("/body", expecting, method="POST"))
        assert connection.head().status == 100
        connection.send(b"[]" + request("/page.txt"))
        assert connection.response().body == b"[]"
        assert connection.response().body == b"a page\n"


def test_a_body_that_nobody_reads_is_not_asked_for(address: Address) -> None:
    expecting = {"Expect": "100-continue", "Content-Length": "2"}
    with Connection(address) as connection:
        connection.send(request("/respond", expecting, method="POST"))
        answer = connection.response()
        assert (answer.status, "close" in answer.tokens("connection")) == (200, True)
        assert connection.at_end()


def test_clients_that_leave_in_the_middle(server: Server) -> None:
    for _ in range(50):
        with Connection(server.address) as connection:
            connection.send(request("/body", {"Content-Length": "9"}, method="POST", body=b"[1,"))
        with Connection(server.address) as connection:
            connection.send(request("/spin"))
    body = fetch(server.address, "/body", method="POST", body=b"[1,2]").body
    assert body == b"[1,2]"


# Changed requests


@pytest.mark.parametrize("target", ["/to-get", "/to-head", "/to-post", "/to-options"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "BREW"])
def test_a_changed_method_does_not_change_the_framing(
    address: Address, target: str, method: str
) -> None:
    answer = ask(address, target, method)
    if target in ("/to-get", "/to-head"):
        assert answer.need("content-length") == "7"
        assert answer.body == (b"" if method == "HEAD" else b"a page\n")
    else:
        assert answer.status == (405 if target == "/to-post" else 204)


def test_no_hidden_path_is_reached(address: Address) -> None:
    assert ask(address, "/hidden").status == 404
    assert ask(address, "/hidden-file").body == b"1"
    assert ask(address, "/dots").status in (400, 404, 200)
    redirect = ask(address, "/slashes")
    assert not (redirect.header("location") or "/a").startswith("//")


def test_a_changed_host(address: Address) -> None:
    assert ask(address, "/no-headers").body == b"a page\n"
    assert ask(address, "/two-hosts").status == 400


def test_changed_conditions_and_ranges(address: Address) -> None:
    part = ask(address, "/part")
    assert (part.status, part.body, part.need("content-range")) == (206, b" pa", "bytes 1-3/7")
    etag = ask(address, "/page.txt").need("etag")
    for headers in ({"Range": "bytes=1-3"}, {"If-None-Match": etag}, {"If-Match": '"x"'}):
        whole = ask(address, "/whole", headers=headers)
        assert (whole.status, whole.body) == (200, b"a page\n")


def test_nothing_is_injected(address: Address) -> None:
    answer = ask(address, "/inject")
    assert (answer.status, answer.body) == (200, b"18")
    assert answer.header("x-a") is None


ECHO = """
ZS_ENTRY zs_u64 echo(void)
{
    char *end = scratch + zs_req_path(scratch, 1000);
    *end++ = ' ';
    end += zs_req_query(end, 1000);
    *end++ = ' ';
    end += ZS_MAX(zs_req_header(ZS_STR("host"), end, 1000), 0);
    zs_respond(200, scratch, end - scratch);
    return 0;
}
"""


def test_a_whole_url_shows_as_path_and_host(tmp_path: Path) -> None:
    """Or it would get past every script that looks at paths."""
    with serving(tree(tmp_path, {"echo": ECHO})) as server:
        for target, seen in [
            ("/private/a?b=http://c/", b"/private/a b=http://c/ site.test"),
            ("http://other.test/private/a?b=c", b"/private/a b=c other.test"),
            ("HTTPS://other.test:8443", b"/  other.test:8443"),
            ("//private", b"//private  site.test"),
        ]:
            assert fetch(server.address, target).body == seen
        for target, seen in [("*", b"*  site.test"), ("http://other.test", b"*  other.test")]:
            assert fetch(server.address, target, method="OPTIONS").body == seen
        with Connection(server.address) as connection:
            connection.send(b"GET http://other.test/a HTTP/1.0\r\n\r\n")
            assert connection.response().body == b"/a  other.test"


# Response headers and hooks


def test_response_headers(address: Address) -> None:
    etag = ask(address, "/page.txt").need("etag")
    for target, headers, status in [
        ("/page.txt", {}, 200),
        ("/page.txt", {"If-None-Match": etag}, 304),
        ("/page.txt", {"Range": "bytes=0-1"}, 206),
        ("/page.txt", {"Range": "bytes=9-"}, 416),
        ("/nothing", {}, 404),
        ("/folder", {}, 301),
        ("/respond", {}, 200),
        ("/large.bin", {}, 200),
    ]:
        for method in ("GET", "HEAD"):
            answer = ask(address, f"{target}?headers=1", method, headers=headers)
            assert answer.status == (200 if method == "HEAD" and "Range" in headers else status)
            assert answer.need("x-script") == "many"
            assert answer.need("cache-control") == "max-age=60"
            assert answer.header("etag") is None
            assert answer.need("date") != "never"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("hook", ["to200", "to204", "to304", "to503", "slow", "late"])
def test_hooks_on_every_kind_of_answer(address: Address, hook: str, method: str) -> None:
    """The status may become anything: what follows stays in step."""
    etag = ask(address, "/page.txt").need("etag")
    cases: list[tuple[str, dict[str, str]]] = [
        ("/page.txt", {}),
        ("/page.txt", {"If-None-Match": etag}),
        ("/page.txt", {"Range": "bytes=1-2"}),
        ("/large.bin", {}),
        ("/large.bin", {"Range": "bytes=1-2,4-5,1000-2000"}),
        ("/nothing", {}),
        ("/respond", {}),
        ("/204", {}),
        ("/304", {}),
        ("/proxy", {}),
        ("/to-options", {}),
        ("/template", {}),
    ]
    for target, headers in cases:
        plain = ask(address, target, method, headers=headers)
        answer = ask(address, f"{target}?hook={hook}", method, headers=headers)
        if hook.startswith("to"):
            assert answer.status == int(hook[2:])
        else:
            assert (answer.status, answer.body) == (plain.status, plain.body)
            assert answer.header(f"x-{hook}") is not None
        if hook == "to503":
            assert answer.body == plain.body


# Templates


def test_templates(address: Address) -> None:
    filled = b"<p>&lt;Ada&gt;</p>\n"
    for headers in ({}, {"Accept-Encoding": "br, gzip"}, {"Range": "bytes=0-1"}):
        answer = ask(address, "/template", headers=headers)
        assert (answer.status, answer.body) == (200, filled)
        assert answer.header("etag") is None and answer.header("last-modified") is None
        assert answer.header("accept-ranges") is None
        head = ask(address, "/template", "HEAD", headers=headers)
        assert head.need("content-length") == str(len(filled))
    assert ask(address, "/template-post").status == 405


def test_templates_of_pages_that_are_not_there(address: Address) -> None:
    missing = ask(address, "/meta/nothing")
    assert (missing.status, missing.body) == (404, b"<p>nothing here, Ada</p>\n")
    # It is there for those who take it compressed.
    assert ask(address, "/meta/only.html").status == 404
    found = ask(address, "/meta/only.html", headers={"Accept-Encoding": "br"})
    assert (found.status, found.header("content-encoding")) == (200, "br")


def test_a_large_template(tmp_path: Path) -> None:
    page = b"<p><zs-meta>user</zs-meta></p>\n" + b"x" * 1_000_000
    files: dict[str, str | bytes] = {"large.html": page, "page.txt": "a page\n"}
    root = tree(tmp_path / "site", {"many": MANY}, files)
    archive = tmp_path / "site.tar"
    pack(root, archive)
    for site in (root, archive):
        with serving(site) as server:
            for coding in ("identity", "br", "gzip"):
                headers = {"Accept-Encoding": coding}
                answer = ask(server.address, "/meta/large.html", headers=headers)
                assert answer.body == page.replace(b"<zs-meta>user</zs-meta>", b"Ada")
                plain = ask(server.address, "/large.html", headers={"Range": "bytes=0-9"})
                assert plain.body == page[:10]


# Other connections


def test_an_endless_script_does_not_hold_up_the_others(server: Server) -> None:
    """One worker: files go out while eight clients keep it busy with scripts that never end."""
    stop = threading.Event()
    answered: list[int] = []

    def spin() -> None:
        with Connection(server.address, timeout_s=60) as connection:
            while not stop.is_set():
                connection.send(request("/spin"))
                answered.append(connection.response().status)

    spinning = [threading.Thread(target=spin) for _ in range(8)]
    for thread in spinning:
        thread.start()
    try:
        wait_until(lambda: len(answered) > 8, 30)
        before, files = len(answered), 0
        with Connection(server.address, timeout_s=60) as connection:
            while len(answered) < before + 80:
                connection.send(request("/page.txt"))
                assert connection.response().body == b"a page\n"
                files += 1
        # Each takes 200 slices. Were a script run to its end at once, a file would have to wait
        # for eight of them.
        assert files > 80
    finally:
        stop.set()
        for thread in spinning:
            thread.join()
    assert set(answered) == {500}


def test_pipelined_requests_keep_their_order(address: Address) -> None:
    targets = ["/page.txt?hook=slow", "/respond", "/spin", "/body", "/page.txt", "/depth"] * 5
    with Connection(address) as connection:
        connection.send(b"".join(map(request, targets)))
        statuses = [connection.response().status for _ in targets]
    assert statuses == [200, 200, 500, 400, 200, 200] * 5


def test_many_waiting_for_bodies_do_not_hurt_the_others(server: Server) -> None:
    waiting = []
    try:
        for _ in range(300):
            connection = Connection(server.address)
            waiting.append(connection)
            connection.send(request("/body", {"Content-Length": "9"}, method="POST", body=b"[1,"))
        assert ask(server.address, "/depth").body == b"8"
        for connection in waiting:
            connection.send(b"2,3,4]")
            assert connection.response().body == b"[1,2,3,4]"
    finally:
        for connection in waiting:
            connection.close()


# Reload


def version(number: int) -> str:
    return f"""
static void say(const char *text)
{{
    zs_meta_set(ZS_STR("zs.response.header.x-script"), ZS_STR(text));
}}

ZS_ENTRY zs_u64 version(void)
{{
    say("{number}");
    if (at("/body")) zs_json_respond(200, zs_req_body_json());
    if (at("/script")) zs_respond(200, ZS_STR("{number}"));
    if (at("/slow")) {{
        for (volatile zs_u64 i = 0; i < 300000; i++) {{}}
        zs_req_set_uri(ZS_STR("/version.txt"));
    }}
    zs_res_hook(ZS_STR(""), ZS_STR("hook"), 0);
    return 0;
}}

ZS_CALL_ENTRY(hook, input)
{{
    for (volatile zs_u64 i = 0; i < 30000; i++) {{}}
    zs_meta_set(ZS_STR("zs.response.header.x-hook"), ZS_STR("{number}"));
    return 0;
}}
"""


def deploy(live: Path, number: int) -> None:
    """An archive in which everything says which one it is of, in another order each time."""
    fresh = live.with_name("fresh.tar")
    # The generations differ in how many entries they have, too.
    fillers = {f"{'a' if number % 2 else 'z'}{i}.txt": b"%d" % number for i in range(number % 7)}
    files = {
        **fillers,
        "version.txt": b"%d" % number,
        "big.txt": b"%d\n" % number * 200_000,
        f"{SCRIPTS}/version.o": compiled(version(number)),
    }
    with tarfile.open(fresh, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    fresh.replace(live)


class Load:
    """Clients whose every answer has to be of one generation."""

    def __init__(self, address: Address, threads: int) -> None:
        self.faults: list[str] = []
        self.seen: set[int] = set()
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, number: int) -> None:
        """Wait until a generation answers, or something is wrong."""
        wait_until(lambda: number in self.seen or bool(self.faults), 20, "reload")

    def _run(self, number: int) -> None:
        targets = ["/version.txt", "/slow", "/script", "/big.txt", "/nothing"]
        try:
            with Connection(self._address, timeout_s=60) as connection:
                while not self._stop.is_set():
                    number += 1
                    target = targets[number % len(targets)]
                    connection.send(request(target))
                    self._check(target, connection.response())
        except (OSError, FramingError, Closed, AssertionError) as error:
            self.faults.append(f"lost: {error!r}")

    def _check(self, target: str, answer: Response) -> None:
        found = {answer.need("x-script"), answer.need("x-hook")}
        if target != "/nothing":
            found |= set(answer.body.decode().split())
        if len(found) != 1 or answer.status != (404 if target == "/nothing" else 200):
            self.faults.append(f"{target}: {answer.status} {found}")
        self.seen |= {int(number) for number in found}


def test_twenty_reloads_under_load(tmp_path: Path) -> None:
    live = tmp_path / "site.tar"
    for number in range(21):
        compiled(version(number))
    deploy(live, 0)
    with running(live, "--threads", "2", "--access-log", "off") as server:
        with Load(server.address, 8) as load:
            for number in range(1, 21):
                deploy(live, number)
                load.wait_for(number)
        assert load.faults == []
        assert load.seen >= set(range(1, 21))


def test_a_request_keeps_its_generation_while_it_waits(tmp_path: Path) -> None:
    live = tmp_path / "site.tar"
    deploy(live, 1)
    with serving(live) as server, Connection(server.address) as old:
        old.send(request("/body", {"Content-Length": "6"}, method="POST", body=b"[1,"))
        # Answered behind it on the one worker: the first has begun.
        assert fetch(server.address, "/script").body == b"1"
        deploy(live, 2)
        wait_until(lambda: fetch(server.address, "/script").body == b"2", 10)
        old.send(b"22]" + request("/version.txt"))
        first, second = old.response(), old.response()
        assert (first.body, first.header("x-script"), first.header("x-hook")) == (
            b"[1,22]",
            "1",
            "1",
        )
        assert (second.body, second.header("x-script")) == (b"2", "2")


def test_a_script_is_edited_in_a_watched_directory(tmp_path: Path) -> None:
    root = tree(tmp_path / "site", {})
    script = root / SCRIPTS / "a.c"
    script.write_text(PRELUDE + version(1))
    with serving(root) as server:
        assert fetch(server.address, "/script").body == b"1"
        script.write_text(PRELUDE + version(2))
        wait_until(lambda: fetch(server.address, "/script").body == b"2", 10)
        said = len(server.lines)
        script.write_text(PRELUDE + "ZS_ENTRY zs_u64 f(void) { return undeclared; }")
        line = server.wait_line("reload refused", after=said)
        assert re.search(r"a\.c:\d+: .*undeclared", line.string), line.string
        assert fetch(server.address, "/script").body == b"2"
        script.write_text(PRELUDE + version(3))
        wait_until(lambda: fetch(server.address, "/script").body == b"3", 10)
        script.unlink()
        wait_until(lambda: fetch(server.address, "/script").status == 404, 10)


def test_a_bad_archive_changes_nothing(tmp_path: Path) -> None:
    live = tmp_path / "site.tar"
    deploy(live, 1)
    with serving(live) as server:
        for name, content in [
            ("a.c", b"int x;"),
            ("a.py", b"pass"),
            ("a.o", b"\x7fELF"),
            ("a.o", compiled("int f(void) { return 0; }")),
        ]:
            said = len(server.lines)
            fresh = live.with_name("fresh.tar")
            with tarfile.open(fresh, "w") as tar:
                info = tarfile.TarInfo(f"{SCRIPTS}/{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            fresh.replace(live)
            assert f"{SCRIPTS}/{name}" in server.wait_line("reload refused", after=said).string
            assert fetch(server.address, "/script").body == b"1"


# The end


def test_the_end_while_scripts_run(tmp_path: Path) -> None:
    with serving(tree(tmp_path, {"many": MANY})) as server:
        connections = [Connection(server.address) for _ in range(8)]
        for connection in connections:
            connection.send(request("/spin") + request("/page.txt"))
        waiting = Connection(server.address)
        waiting.send(request("/body", {"Content-Length": "3"}, method="POST", body=b"[1"))
        # Behind all of them on the one worker.
        assert fetch(server.address, "/respond").status == 200
        server.signal(__import__("signal").SIGTERM)
        for connection in connections:
            assert connection.response().status == 500
            connection.close()
        waiting.send(b"]")
        assert waiting.response().body == b"[1]"
        waiting.close()
        assert server.wait() == 0


# Where scripts come from


def say(text: str) -> str:
    return f"""
ZS_ENTRY zs_u64 f(void)
{{
    char *end = scratch + ZS_MAX(zs_meta_get(ZS_STR("said"), scratch, 1000), 0);
    end = zs_stpcpy(end, "{text} ");
    zs_meta_set(ZS_STR("said"), scratch, end - scratch);
    zs_meta_set(ZS_STR("zs.response.header.x-said"), scratch, end - scratch);
    return 0;
}}
"""


def test_plugins_run_first_and_in_their_order(tmp_path: Path) -> None:
    root = tree(tmp_path / "site", {"b": say("b"), "a": say("a"), "c.d": say("c")})
    plugins: list[str | Path] = []
    for name in ("z", "y"):
        script = tmp_path / f"{name}.c"
        script.write_text(PRELUDE + say(name))
        plugins += ["--plugin", script]
    archive = tmp_path / "site.tar"
    pack(root, archive)
    for site in (root, archive):
        with serving(site, *plugins) as server:
            assert fetch(server.address, "/page.txt").need("x-said") == "z y a b c"


def test_one_name_is_one_script(tmp_path: Path) -> None:
    root = tree(tmp_path / "site", {"a": say("a")})
    (tmp_path / "a.o").write_bytes(compiled(say("b")))
    archive = tmp_path / "site.tar"
    pack(root, archive)
    for site in (root, archive):
        refused = command(site, "--addr", "127.0.0.1:0", "--plugin", tmp_path / "a.o")
        assert refused.returncode == 1 and "'a'" in refused.stderr, refused.stderr
        no_traceback(refused.stderr)


def test_no_script_is_passed_over(tmp_path: Path) -> None:
    """A guard that can't be read is no reason to serve without one."""
    root = tree(tmp_path, {})
    (root / SCRIPTS / "guard.c").symlink_to("nowhere.c")
    refused = command(root, "--addr", "127.0.0.1:0")
    assert refused.returncode == 1 and "guard.c" in refused.stderr, refused.stderr
    (root / SCRIPTS / "guard.c").unlink()
    (root / SCRIPTS / "guard.py").write_text("")
    refused = command(root, "--addr", "127.0.0.1:0")
    assert refused.returncode == 1 and "guard.py" in refused.stderr, refused.stderr


def test_a_script_alone(tmp_path: Path) -> None:
    source = tmp_path / "site.c"
    source.write_text(PRELUDE + version(1))
    binary = tmp_path / "other.o"
    binary.write_bytes(compiled(version(1)))
    for site in (source, binary):
        with serving(site) as server:
            assert fetch(server.address, "/script").body == b"1"
            assert fetch(server.address, "/").status == 404
    with serving(source) as server:
        source.write_text(PRELUDE + version(2))
        wait_until(lambda: fetch(server.address, "/script").body == b"2", 10)


def test_client_runs_scripts(tmp_path: Path) -> None:
    client = Client(tree(tmp_path, {"many": MANY, "other": OTHER}))
    assert client.get("/respond").text() == "from the script\n"
    assert client.post("/body", body="[1]").json() == [1]
    assert client.get("/trap").status == 500
    assert client.get("/spin").status == 500
    assert client.head("/to-get").headers["content-length"] == "7"
    assert client.get("/page.txt?hook=slow").headers["x-slow"] == "1"
    assert client.get("/template").text() == "<p>&lt;Ada&gt;</p>\n"
    with pytest.raises(Error):
        client.get("/abort")


# What is said


def test_a_flood_of_traps_is_told_briefly(tmp_path: Path) -> None:
    with serving(tree(tmp_path, {"many": MANY})) as server, Connection(server.address) as client:
        for _ in range(20):
            client.send(request("/trap") * 50)
            assert [client.response().status for _ in range(50)] == [500] * 50
        client.send(request("/page.txt?hook=trap"))
        assert client.response().status == 500
        # Another place is told all the same.
        server.wait_line("script many: .* in zs_call_entry_trap")
        lines = [line for line in server.lines if "script many: " in line]
        assert len(lines) <= 1 + 1 + 20


LOGS = """
ZS_ENTRY zs_u64 logs(void)
{
    for (int i = 0; i < 2000; i++)
        zs_log(ZS_STR("line\\nzeroserve: forged \\033[31m"));
    return 0;
}
"""


def test_a_flood_of_lines_is_bounded(tmp_path: Path) -> None:
    with serving(tree(tmp_path, {"logs": LOGS})) as server:
        began = time.monotonic()
        with Connection(server.address) as connection:
            for _ in range(20):
                connection.send(request("/page.txt"))
                assert connection.response().status == 200
        server.wait_line("script logs: line")
        seconds = int(time.monotonic() - began) + 2
        assert sum("script logs" in line for line in server.lines) <= 1000 * seconds
        assert not any(
            "\033" in line or line.startswith("zeroserve: forged") for line in server.lines
        )


# What is counted


def test_access_log_and_counters(tmp_path: Path) -> None:
    log = tmp_path / "log"
    root = tree(tmp_path / "site", {"many": MANY})
    with running(root, "--threads", "1", "--access-log", log) as server:
        for target in ("/respond", "/trap", "/to-get", "/template", "/page.txt?hook=to204"):
            ask(server.address, target)
        with Connection(server.address) as connection:
            connection.send(request("/abort"))
            with pytest.raises(Closed):
                connection.response()
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    seen = [(row["target"], row["status"], row["bytes"]) for row in rows]
    assert [row for row in seen if row[0] != "/page.txt"] == [
        ("/respond", 200, 16),
        ("/trap", 500, 26),
        ("/to-get", 200, 7),
        ("/template", 200, 19),
        ("/page.txt?hook=to204", 204, 0),
        ("/abort", 444, 0),
    ]


def test_half_closed_clients_get_their_answer(address: Address) -> None:
    for target in ("/page.txt?hook=slow", "/spin"):
        with Connection(address) as connection:
            connection.send(request(target))
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.response().status == (500 if target == "/spin" else 200)


# Without executable memory

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


def refuse_executable_memory() -> None:
    """No memory that was writable may become executable, as hardened systems have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_MDWE)")


def test_scripts_are_interpreted_where_memory_cannot_be_executable(tmp_path: Path) -> None:
    root = tree(tmp_path, {"many": MANY, "other": OTHER, "z": LATER})
    archive = tmp_path / "site.tar"
    pack(root, archive)
    try:
        subprocess.run(["true"], preexec_fn=refuse_executable_memory, check=True)
    except subprocess.SubprocessError:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3)")
    options = ("--threads", "1", "--access-log", "off")
    with running(archive, *options, before_exec=refuse_executable_memory) as server:
        assert fetch(server.address, "/respond").body == b"from the script\n"
        assert fetch(server.address, "/page.txt").need("x-later") == "1"
        assert fetch(server.address, "/spin").status == 500
        server.wait_line("scripts are interpreted")
