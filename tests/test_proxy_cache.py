"""The cache of upstreams, as clients and upstreams meet it."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support import c
from support.admin import administered, get, post
from support.http2 import Http2
from support.server import Server, command, running, wait_until
from support.wire import Address, Closed, Connection, FramingError, Response, fetch, request
from zeroserve.testing import Client

MINUTE = {"Cache-Control": "max-age=60"}


@dataclass
class Says:
    """What the upstream answers."""

    body: bytes = b"body"
    headers: dict[str, str] = field(default_factory=lambda: dict(MINUTE))
    status: int = 200
    gate: threading.Event | None = None
    length: bool = True
    """Otherwise in chunks."""
    cut: bool = False
    """It stops in the middle."""


class Upstream:
    """A small HTTP server whose answers the test chooses, and what it was asked."""

    def __init__(self) -> None:
        self.says: Callable[[BaseHTTPRequestHandler], Says] = lambda _: Says()
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.stopped = False
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                if upstream.stopped:
                    self.close_connection = True
                    return
                length = int(self.headers.get("content-length", 0))
                self.rfile.read(length)
                fields = {name.lower(): value for name, value in self.headers.items()}
                upstream.asked.append((self.command, self.path, fields))
                said = upstream.says(self)
                if said.gate is not None:
                    assert said.gate.wait(20)
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                bare = said.status in (204, 304)
                if not bare and said.length:
                    self.send_header("Content-Length", str(len(said.body)))
                elif not bare:
                    self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                if bare or self.command == "HEAD":
                    return
                body = said.body[: len(said.body) // 2] if said.cut else said.body
                if not said.length:
                    chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)]
                    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
                    body += b"" if said.cut else b"0\r\n\r\n"
                self.wfile.write(body)
                self.close_connection = said.cut

            do_GET = do_HEAD = do_POST = do_DELETE = answer

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def will(self, says: Says) -> None:
        self.says = lambda _: says

    @property
    def count(self) -> int:
        return len(self.asked)

    def stop(self) -> None:
        # Also on connections that are open.
        self.stopped = True
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.stop()


SCRIPT = """
from zeroserve.script import Request, Response, on_request, on_response, proxy

@on_request
def pass_on(req: Request) -> Response | None:
    return proxy("http://127.0.0.1:{port}", cache=req.path != "/never")
"""

HOOK = """
@on_response
def seen(req: Request, res: Response) -> None:
    res.set_header("X-Seen", req.query)
"""


def site(directory: Path, upstream: Upstream, more: str = "") -> Path:
    scripts = directory / "site" / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "app.py").write_text(SCRIPT.format(port=upstream.port) + more)
    return directory / "site"


@contextmanager
def proxied(directory: Path, upstream: Upstream, *options: str, more: str = "") -> Iterator[Server]:
    with running(site(directory, upstream, more), "--threads", "2", *options) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[Server]:
    with proxied(tmp_path, upstream) as server:
        yield server


def status_of(response: Response) -> str:
    """What our cache says; it comes last."""
    return response.all("cache-status")[-1].removeprefix("zeroserve; ")


def test_the_second_request_asks_nobody(server: Server, upstream: Upstream) -> None:
    upstream.will(Says(headers={"Cache-Control": "max-age=60", "X-Own": "1", "Connection": "x"}))
    first = fetch(server.address, "/a?b")
    second = fetch(server.address, "/a?b")
    assert (first.status, first.body) == (second.status, second.body) == (200, b"body")
    assert status_of(first) == "fwd=uri-miss; stored"
    assert status_of(second).startswith("hit; ttl=")
    assert first.header("age") is None
    assert 0 <= int(second.need("age")) < 60
    assert second.header("x-own") == "1" and second.header("date") == first.header("date")
    assert second.need("content-length") == "4"
    assert upstream.count == 1
    assert fetch(server.address, "/a?c").body == b"body"
    assert upstream.count == 2


def test_only_where_scripts_let_it(server: Server, upstream: Upstream) -> None:
    for _ in range(2):
        assert fetch(server.address, "/never").header("cache-status") is None
    assert upstream.count == 2


@pytest.mark.parametrize("control", ["private", "no-store", "max-age=0", ""])
def test_what_is_not_kept(server: Server, upstream: Upstream, control: str) -> None:
    upstream.will(Says(headers={"Cache-Control": control} if control else {}))
    for _ in range(2):
        assert "stored" not in status_of(fetch(server.address, "/"))
    assert upstream.count == 2


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("size", [0, 5_000, 40_000, 1_000_000])
def test_bodies(server: Server, upstream: Upstream, size: int, length: bool) -> None:
    body = bytes(n * 7 % 251 for n in range(size))
    upstream.will(Says(body, length=length))
    assert isinstance(server.address, tuple)
    with Http2(server.address) as http2:
        for _ in range(2):
            assert fetch(server.address, "/").body == body
            assert http2.get("/").body == body
    assert upstream.count == 1


def test_over_http2(server: Server, upstream: Upstream) -> None:
    assert isinstance(server.address, tuple)
    with Http2(server.address) as http2:
        first, second = http2.get("/"), http2.get("/")
    assert (first.body, second.body) == (b"body", b"body")
    assert dict(second.headers)["cache-status"].startswith("zeroserve; hit")
    assert upstream.count == 1


def test_pipelined(server: Server, upstream: Upstream) -> None:
    with Connection(server.address) as connection:
        connection.send(request("/") * 5)
        assert [connection.response().body for _ in range(5)] == [b"body"] * 5
    assert upstream.count == 1


def test_heads(server: Server, upstream: Upstream) -> None:
    assert fetch(server.address, "/", method="HEAD").need("content-length") == "4"
    fetch(server.address, "/")
    head = fetch(server.address, "/", method="HEAD")
    assert (head.need("content-length"), head.body) == ("4", b"")
    assert status_of(head).startswith("hit")
    assert [method for method, _, _ in upstream.asked] == ["HEAD", "GET"]


def test_one_asks_for_all(server: Server, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.will(Says(gate=gate))
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(fetch, server.address, "/") for _ in range(12)]
        wait_until(lambda: upstream.count > 0, 10, "nobody asked")
        # Those that come later wait as well, whichever worker they meet.
        gate.wait(0.3)
        gate.set()
        assert {answer.result().body for answer in answers} == {b"body"}
    assert upstream.count == 1


def test_over_http2_one_asks_for_all(server: Server, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.will(Says(b"x" * 100_000, gate=gate))
    assert isinstance(server.address, tuple)
    with Http2(server.address) as http2:
        streams = [http2.open(http2.block("/")) for _ in range(10)]
        wait_until(lambda: upstream.count > 0, 10, "nobody asked")
        gate.set()
        assert {http2.response(stream).body for stream in streams} == {b"x" * 100_000}
    assert upstream.count == 1


def test_nobody_waits_for_ever(server: Server, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.will(Says(gate=gate))
    assert isinstance(server.address, tuple)
    with ThreadPoolExecutor(2) as pool, Http2(server.address) as http2:
        first = pool.submit(fetch, server.address, "/")
        wait_until(lambda: upstream.count == 1, 10, "nobody asked")
        second = pool.submit(fetch, server.address, "/")
        third = http2.open(http2.block("/"))
        wait_until(lambda: upstream.count == 3, 30, "they wait for the first")
        gate.set()
        assert first.result().body == second.result().body == b"body"
        assert http2.response(third).body == b"body"


def test_what_is_for_one_holds_up_nobody(server: Server, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.will(Says(headers={"Cache-Control": "private"}, gate=gate))
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(fetch, server.address, "/") for _ in range(6)]
        wait_until(lambda: upstream.count > 0, 10, "nobody asked")
        gate.wait(0.3)
        gate.set()
        assert {answer.result().body for answer in answers} == {b"body"}
    assert upstream.count == 6


def test_who_asks_may_leave(server: Server, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.will(Says(gate=gate))
    leaves = Connection(server.address)
    leaves.send(request("/"))
    wait_until(lambda: upstream.count == 1, 10, "nobody asked")
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(fetch, server.address, "/") for _ in range(3)]
        gate.wait(0.3)
        leaves.close()
        wait_until(lambda: upstream.count == 2, 10, "nobody took its place")
        gate.set()
        assert {answer.result().body for answer in answers} == {b"body"}
    assert upstream.count == 2


def test_validation(server: Server, upstream: Upstream) -> None:
    etag = {"Cache-Control": "max-age=0", "ETag": '"e"', "X-N": "1"}

    def says(handler: BaseHTTPRequestHandler) -> Says:
        fresh = handler.headers.get("if-none-match") == '"e"'
        return Says(status=304, headers={**etag, "X-N": "2"}) if fresh else Says(headers=etag)

    upstream.says = says
    assert fetch(server.address, "/").body == b"body"
    second = fetch(server.address, "/", {"If-None-Match": '"other"', "Range": "bytes=0-0"})
    assert (second.status, second.body, second.header("x-n")) == (206, b"b", "2")
    assert status_of(second) == "fwd=stale; fwd-status=304"
    third = fetch(server.address, "/", {"If-None-Match": '"e"'})
    assert (third.status, third.body, third.header("etag")) == (304, b"", '"e"')
    assert [fields.get("if-none-match") for _, _, fields in upstream.asked] == [None, '"e"', '"e"']
    assert all("range" not in fields for _, _, fields in upstream.asked)
    assert isinstance(server.address, tuple)
    with Http2(server.address) as http2:
        assert http2.get("/").body == b"body"


def test_conditions_and_ranges_of_what_is_there(server: Server, upstream: Upstream) -> None:
    upstream.will(Says(b"0123456789", {**MINUTE, "ETag": '"e"'}))
    fetch(server.address, "/")
    part = fetch(server.address, "/", {"Range": "bytes=2-4"})
    assert (part.status, part.body, part.need("content-range")) == (206, b"234", "bytes 2-4/10")
    assert fetch(server.address, "/", {"Range": "bytes=10-"}).status == 416
    assert fetch(server.address, "/", {"If-None-Match": 'W/"e"'}).status == 304
    assert upstream.count == 1


def test_variants(server: Server, upstream: Upstream) -> None:
    def says(handler: BaseHTTPRequestHandler) -> Says:
        language = handler.headers.get("accept-language", "none")
        return Says(language.encode(), {**MINUTE, "Vary": "Accept-Language"})

    upstream.says = says
    for _ in range(2):
        for language in ("de", "en"):
            answer = fetch(server.address, "/", {"Accept-Language": language})
            assert answer.body == language.encode()
    assert upstream.count == 2


@pytest.mark.parametrize("trusted", [True, False])
def test_what_a_proxy_in_front_says(tmp_path: Path, upstream: Upstream, trusted: bool) -> None:
    """What the upstream is told of the client tells answers apart, and what a client makes up
    does not."""

    def says(handler: BaseHTTPRequestHandler) -> Says:
        told = [handler.headers[f"x-forwarded-{name}"] for name in ("proto", "host")]
        return Says(" ".join(told).encode())

    upstream.says = says
    options = ("--trusted-proxy", "127.0.0.0/8") if trusted else ()
    told = [("http", "a.example"), ("https", "a.example"), ("https", "b.example")]
    with proxied(tmp_path, upstream, *options) as server:
        for proto, host in told * 2:
            front = {"X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "Host": "h"}
            answer = fetch(server.address, "/", front)
            assert answer.body.decode() == (f"{proto} {host}" if trusted else "http h")
    assert upstream.count == (3 if trusted else 1)


def test_what_is_asked_about_each_time(server: Server, upstream: Upstream) -> None:
    """Nobody waits for an answer that would be of no use."""
    gate = threading.Event()
    upstream.will(Says(headers={"Cache-Control": "no-cache", "ETag": '"e"'}))
    fetch(server.address, "/")
    upstream.will(Says(status=304, headers={"Cache-Control": "no-cache"}, gate=gate))
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(fetch, server.address, "/") for _ in range(6)]
        wait_until(lambda: upstream.count == 7, 10, "they wait for each other")
        gate.set()
        assert {answer.result().body for answer in answers} == {b"body"}


def test_changes_are_seen(server: Server, upstream: Upstream) -> None:
    fetch(server.address, "/a")
    upstream.will(Says(b"new"))
    assert fetch(server.address, "/a").body == b"body"
    changed = fetch(server.address, "/a", method="POST", body=b"x")
    assert (changed.body, status_of(changed)) == (b"new", "fwd=method")
    assert fetch(server.address, "/a").body == b"new"
    assert [method for method, _, _ in upstream.asked] == ["GET", "POST", "GET"]


def test_stale_while_another_is_fetched(server: Server, upstream: Upstream) -> None:
    control = {"Cache-Control": "max-age=0, stale-while-revalidate=600"}
    upstream.will(Says(b"old", control))
    fetch(server.address, "/")
    gate = threading.Event()
    upstream.will(Says(b"new", control, gate=gate))
    # Nobody waits, and one of them has it fetched.
    for _ in range(3):
        answer = fetch(server.address, "/")
        assert (answer.body, status_of(answer)) == (b"old", "hit; ttl=0")
    gate.set()
    wait_until(lambda: fetch(server.address, "/").body == b"new", 10, "it was not renewed")
    assert "x-forwarded-for" in upstream.asked[1][2]


def test_stale_when_there_is_nothing_better(tmp_path: Path) -> None:
    upstream = Upstream()
    try:
        control = {"Cache-Control": "max-age=0, stale-if-error=600", "ETag": '"e"'}
        upstream.will(Says(b"old", control))
        with proxied(tmp_path, upstream) as server:
            fetch(server.address, "/")
            upstream.will(Says(b"sorry", {}, 503))
            answer = fetch(server.address, "/")
            assert (answer.status, answer.body) == (200, b"old")
            assert status_of(answer) == "fwd=stale; fwd-status=503; detail=stale-if-error"
            assert fetch(server.address, "/other").status == 503
            upstream.stop()
            answer = fetch(server.address, "/")
            assert (answer.status, answer.body) == (200, b"old")
            assert status_of(answer) == "fwd=stale; detail=stale-if-error"
            assert fetch(server.address, "/other").status == 502
            server.wait_line("no answer of http://127.0.0.1")
    finally:
        if upstream.thread.is_alive():
            upstream.stop()


@pytest.mark.parametrize("length", [True, False])
def test_half_a_response_is_none(server: Server, upstream: Upstream, length: bool) -> None:
    upstream.will(Says(b"x" * 10_000, cut=True, length=length))
    with pytest.raises((Closed, FramingError, ConnectionError)):
        fetch(server.address, "/")
    upstream.will(Says(b"whole"))
    assert fetch(server.address, "/").body == b"whole"


def test_only_if_cached(server: Server, upstream: Upstream) -> None:
    only = {"Cache-Control": "only-if-cached"}
    assert fetch(server.address, "/", only).status == 504
    fetch(server.address, "/")
    assert fetch(server.address, "/", only).body == b"body"
    assert upstream.count == 1


def test_hooks_see_each_response(tmp_path: Path, upstream: Upstream) -> None:
    upstream.will(Says(headers={**MINUTE, "ETag": '"e"'}))
    with proxied(tmp_path, upstream, more=HOOK.replace("req.query", "req.http_version")) as server:
        for headers in ({}, {}, {"If-None-Match": '"e"'}):
            answer = fetch(server.address, "/", headers)
            assert answer.status == (304 if headers else 200)
            assert answer.need("x-seen")
        assert answer.need("age")
    assert upstream.count == 1


def test_no_memory_for_it(tmp_path: Path, upstream: Upstream) -> None:
    with proxied(tmp_path, upstream, "--cache-bytes", "0") as server:
        for _ in range(2):
            assert fetch(server.address, "/").header("cache-status") is None
    assert upstream.count == 2


def test_what_is_too_large_is_passed_on(tmp_path: Path, upstream: Upstream) -> None:
    upstream.will(Says(b"x" * 500_000, length=False))
    with proxied(tmp_path, upstream, "--cache-bytes", "1000000") as server:
        for _ in range(2):
            assert len(fetch(server.address, "/").body) == 500_000
    assert upstream.count == 2


def metrics(admin: Address) -> dict[str, float]:
    lines = get(admin, "/metrics").body.decode().splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith("zeroserve_cache_"))
    return {name.removeprefix("zeroserve_cache_"): float(value) for name, _, value in found}


def test_purge_and_metrics(tmp_path: Path, upstream: Upstream) -> None:
    with administered(site(tmp_path, upstream)) as (server, admin):
        for target in ("/a", "/a?b", "/c/d", "/c/e", "/a"):
            fetch(server.address, target)
        found = metrics(admin)
        assert found['requests_total{outcome="hit"}'] == 1
        assert found['requests_total{outcome="miss"}'] == 4
        assert found['responses_total{outcome="stored"}'] == 4
        assert found["targets"] == 4
        assert 4 * 4 < found["bytes"] < found["budget_bytes"] == 64 * 1024 * 1024

        def purge(order: dict[str, object]) -> object:
            response = post(admin, "/purge", order)
            assert response.status == 200, response.body
            return json.loads(response.body)["purged"]

        host = fetch(server.address, "/a") and f"127.0.0.1:{server.url.rpartition(':')[2]}"
        assert purge({"host": "elsewhere.example"}) == 0
        assert purge({"path": "/a", "host": host}) in (0, 2)
        purge({"path": "/a"})
        assert purge({"prefix": "/c/", "site": "site"}) == 2
        assert purge({}) == 0
        before = upstream.count
        fetch(server.address, "/a")
        assert upstream.count == before + 1
        for bad in ({"site": "other"}, {"path": 1}, {"paths": "/"}, {"path": "/", "prefix": "/"}):
            assert post(admin, "/purge", bad).status in (400, 404)
        assert get(admin, "/purge").status == 405
        assert post(admin, "/purge", {}, {}).status == 403


def test_the_command_that_purges(tmp_path: Path, upstream: Upstream) -> None:
    with administered(site(tmp_path, upstream)) as (server, admin):
        for target in ("/a", "/a?b", "/c/d", "/c/e"):
            fetch(server.address, target)

        def purge(*words: str) -> str:
            done = command("purge", "--admin", f"127.0.0.1:{admin[1]}", *words)
            assert (done.returncode, done.stdout) == (0, "")
            return done.stderr

        assert purge("--host", "elsewhere.example") == "0 targets forgotten\n"
        assert purge("/c/d") == "1 target forgotten\n"
        assert purge("/c/*", "--site", "site") == "1 target forgotten\n"
        assert purge() == "2 targets forgotten\n"
        assert command("purge", "a").returncode == 2
        unknown = command("purge", "--admin", f"127.0.0.1:{admin[1]}", "--site", "other")
        assert unknown.returncode == 1 and "other" in unknown.stderr


@c.needed
@pytest.mark.parametrize("value", ["1", "0"])
def test_scripts_in_c(tmp_path: Path, upstream: Upstream, value: str) -> None:
    passed = f'zs_reverse_proxy(ZS_STR("http://127.0.0.1:{upstream.port}"));'
    c.write(tmp_path, "app", f'zs_meta_set(ZS_STR("zs.proxy.cache"), ZS_STR("{value}")); {passed}')
    with running(tmp_path, "--threads", "1") as server:
        for _ in range(2):
            assert fetch(server.address, "/").body == b"body"
    assert upstream.count == (1 if value == "1" else 2)


@pytest.mark.parametrize("engine", ["native", "cpython"])
def test_without_a_server(tmp_path: Path, upstream: Upstream, engine: str) -> None:
    """The client in memory passes on as well, and keeps nothing from request to request."""
    client = Client(site(tmp_path, upstream), engine=engine)
    for _ in range(2):
        assert client.get("/").body == b"body"
    assert upstream.count == 2
