"""Scripts over HTTP/2: they see what they see over HTTP/1, and many run on one connection."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import http2
from support.http2 import DATA, END_STREAM, Http2
from support.server import Server, running
from support.wire import fetch
from zeroserve import clang

pytestmark = pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)

SOURCE = r"""
#include <zeroserve.h>

static char path[256];
static char text[1024];

static int at(const char *wanted)
{
    zs_req_path(path, sizeof path);
    return zs_strcmp(path, wanted) == 0;
}

ZS_ENTRY zs_u64 over_http2(void)
{
    if (at("/body") || at("/body-16")) {
        if (at("/body-16"))
            zs_req_body_limit(16);
        zs_s64 body = zs_req_body_json();
        if (body < 0)
            zs_respond(400, ZS_STR("none\n"));
        else
            zs_json_respond(200, body);
    }
    if (at("/slow-body")) {
        for (volatile zs_u64 i = 0; i < 400000; i++) {}
        zs_json_respond(200, zs_req_body_json());
    }
    if (at("/cookie")) {
        zs_s64 length = zs_req_header(ZS_STR("cookie"), text, sizeof text);
        zs_respond(200, text, length);
    }
    if (at("/host")) {
        zs_s64 length = zs_req_header(ZS_STR("host"), text, sizeof text);
        zs_respond(200, text, length);
    }
    if (at("/early")) zs_respond(401, ZS_STR("no\n"));
    if (at("/spin")) for (volatile zs_u64 i = 1; i; i++) {}
    if (at("/abort")) zs_abort();
    if (at("/rewrite")) zs_req_set_uri(ZS_STR("/page.txt"));
    if (at("/large")) zs_req_set_uri(ZS_STR("/large.bin"));
    zs_meta_set(ZS_STR("zs.response.header.X-Script"), ZS_STR("Was Here"));
    return 0;
}
"""

LARGE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the script."""
    root = tmp_path_factory.mktemp("site")
    (root / "page.txt").write_text("a page\n")
    (root / "large.bin").write_bytes(LARGE)
    scripts = root / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    source = tmp_path_factory.mktemp("source") / "script.c"
    source.write_text(SOURCE)
    (scripts / "script.o").write_bytes(clang.compile(source).object)
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with running(root, "--threads", "1", "--access-log", "off") as found:
        yield found


@pytest.fixture
def client(server: Server) -> Iterator[Http2]:
    with Http2(server.address) as client:
        yield client


def test_what_scripts_see_and_say(client: Http2) -> None:
    cookies = [("cookie", "a=b"), ("cookie", "c=d")]
    assert client.get("/cookie", cookies).body == b"a=b; c=d"
    assert client.get("/host").body == b"site.test"
    page = client.get("/rewrite")
    assert (page.body, page.headers["x-script"]) == (b"a page\n", "Was Here")
    assert client.get("/large").body == LARGE
    assert client.get("/missing").headers["x-script"] == "Was Here"


def test_bodies(client: Http2) -> None:
    value = {"list": list(range(20_000))}
    data = json.dumps(value).encode()
    assert json.loads(client.post("/body", b"[1]").body) == [1]
    stream = client.open(client.block("/body", "POST"), end=False)
    for start in range(0, len(data), 10_000):
        client.send_frame(DATA, 0, stream, data[start : start + 10_000])
        assert client.get("/host").status == 200
    client.send_frame(DATA, END_STREAM, stream)
    assert json.loads(client.response(stream).body) == value


def test_bodies_that_are_not_whole(client: Http2) -> None:
    assert client.post("/body-16", b"[" + b" " * 100 + b"1]").status == 400
    assert client.post("/body-16", b"[1]").body == b"[1]"
    assert client.get("/body").status == 400
    declared = [("content-length", "2000000")]
    stream = client.open(client.block("/body", "POST", declared), end=False)
    assert client.response(stream).status == 413


def test_a_body_that_does_not_come(root: Path) -> None:
    """What was kept of it is forgotten, and the connection goes on."""
    options = ("--threads", "1", "--body-timeout-s=1")
    with running(root, *options) as hasty, Http2(hasty.address) as client:
        stream = client.open(client.block("/body", "POST"), end=False)
        client.send_frame(DATA, 0, stream, b"[1,")
        assert client.response(stream).status == 408
        assert client.post("/body", b"[3]").body == b"[3]"


def test_a_body_that_comes_before_it_is_asked_for(client: Http2) -> None:
    streams = [client.ask("/slow-body", "POST", body=f"[{n}]".encode()) for n in range(8)]
    for n, stream in enumerate(streams):
        assert client.response(stream).body == f"[{n}]".encode()


def test_continue_is_said_once_and_only_when_it_is_waited_for(client: Http2) -> None:
    expect = [("expect", "100-continue"), ("content-length", "3")]
    stream = client.open(client.block("/body", "POST", expect), end=False)
    while not client.streams.setdefault(stream, http2.Response()).interim:
        client.step()
    client.send_frame(DATA, END_STREAM, stream, b"[2]")
    response = client.response(stream)
    assert (response.body, response.interim) == (b"[2]", [100])
    early = client.response(client.open(client.block("/early", "POST", expect), end=False))
    assert (early.status, early.interim) == (401, [])


def test_a_script_without_end_holds_up_nobody(client: Http2, server: Server) -> None:
    stuck = client.ask("/spin")
    assert client.get("/rewrite").body == b"a page\n"
    assert fetch(server.address, "/page.txt").body == b"a page\n"
    assert client.response(stuck).status == 500


def test_a_reset_ends_a_script_that_waits(client: Http2) -> None:
    for _ in range(5):
        stream = client.open(client.block("/body", "POST"), end=False)
        client.send_frame(DATA, 0, stream, b"[")
        client.send_frame(http2.RST_STREAM, 0, stream, (8).to_bytes(4))
        spinning = client.ask("/spin")
        client.send_frame(http2.RST_STREAM, 0, spinning, (8).to_bytes(4))
    assert client.post("/body", b"[3]").body == b"[3]"


def test_an_abort_ends_its_stream_only(client: Http2) -> None:
    aborted = client.ask("/abort")
    other = client.ask("/rewrite")
    assert client.response(aborted).reset == http2.CANCEL
    assert client.response(other).body == b"a page\n"
