"""Requests that scripts make to other servers: the same in both engines, and within bounds."""

import json
import socket
import ssl
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.http2 import Http2
from support.server import Server, running, wait_until
from support.tls import OPENSSL, Authority, Pair
from support.wire import Connection, fetch, request
from zeroserve import Error
from zeroserve.config import file
from zeroserve.config.fetch import Fetch, canonical, is_public
from zeroserve.script import Fetched, fetching
from zeroserve.script.limits import MAX_FETCH_BODY_BYTES, Stop
from zeroserve.testing import Client, Response

ENGINES = ["native", "cpython"]

SHOW = """\
import json

from zeroserve.script import Request, Response, fetch, on_request


@on_request
def ask(req: Request) -> Response | None:
    url = "http://127.0.0.1:PORT" + (req.query_param("path") or "/")
    try:
        res = fetch(
            req.query_param("url") or url,
            method=req.query_param("method") or "GET",
            headers={"X-Own": req.header("x-own") or "none", "Cookie": req.header("cookie") or ""},
            body=req.body(),
            timeout_ms=int(req.query_param("ms") or "5000"),
        )
    except PermissionError:
        return Response(403)
    except TimeoutError:
        return Response(504)
    except OSError:
        return Response(502)
    except ValueError:
        return Response(400)
    shown = json.dumps([res.status, res.header("X-Two"), res.header("x-none"), len(res.body)])
    return Response(200, res.body, headers={"X-Shown": shown})
"""


GATE = threading.Event()
"""Until it is set, requests for /wait get no answer."""


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked, or does what the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length", "0")))
        name, _, number = self.path.strip("/").partition("-")
        if name == "wait":
            assert GATE.wait(10)
        if name == "hang":
            time.sleep(3)
            return
        if name == "closed":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        seen = {
            "method": self.command,
            "path": self.path,
            "body": data.decode() if len(data) < 100_000 else len(data),
            "fields": {k.lower(): v for k, v in self.headers.items() if k.lower() != "via"},
        }
        body = json.dumps(seen).encode()
        if name == "bytes":
            body = b"x" * int(number)
        self.send_response(int(number) if name == "status" else 200)
        self.send_header("X-Two", "one")
        self.send_header("X-Two", "two")
        self.send_header("Location", "/elsewhere")
        if name == "endless":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        if self.path != "/status-204":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and self.path != "/status-204":
            self.wfile.write(body)

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients leave


@contextmanager
def upstream(pair: Pair | None = None) -> Iterator[int]:
    with Quiet(("127.0.0.1", 0), Echo) as server:
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.chain, pair.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def port() -> Iterator[int]:
    GATE.clear()
    with upstream() as port:
        yield port
        GATE.set()


def configured(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "process.toml"
    path.write_text(text)
    return path


def site_of(tmp_path: Path, source: str, config: str = "") -> Path:
    site = tmp_path / "site"
    scripts = site / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    (scripts / "own.py").write_text(textwrap.dedent(source))
    (site / ".zeroserve" / "zeroserve.toml").write_text(config)
    (site / "index.html").write_text("page\n")
    return site


Ask = Callable[..., Response]


@pytest.fixture(params=ENGINES)
def ask(request: pytest.FixtureRequest, tmp_path: Path, port: int) -> Ask:
    """Asks the script of one engine, which may ask the upstream."""
    config = configured(tmp_path, f'[fetch]\nallow = ["127.0.0.1:{port}", "[::1]:{port}"]\n')
    site = site_of(tmp_path, SHOW.replace("PORT", str(port)))
    client = Client(site, engine=request.param, config=config)

    def ask(query: str = "", method: str = "GET", **options: Any) -> Response:
        return client.request(method, f"/?{query}", **options)

    return ask


def test_what_is_asked_and_answered(ask: Ask, port: int) -> None:
    headers = {"x-own": "grün", "cookie": "a=1; b=2"}
    answer = ask("path=/a%3Fb=c&method=PUT", "POST", headers=headers, body="hello")
    assert answer.status == 200
    assert json.loads(answer.headers["x-shown"]) == [200, "one, two", None, len(answer.body)]
    seen = answer.json()
    fields = seen.pop("fields")
    assert seen == {"method": "PUT", "path": "/a?b=c", "body": "hello"}
    assert fields.pop("user-agent").startswith("zeroserve/")
    assert fields == {
        "host": f"127.0.0.1:{port}",
        "accept": "*/*",
        "x-own": "grün".encode().decode("latin-1"),
        "cookie": "a=1; b=2",
        "content-length": "5",
    }


def test_any_status_is_an_answer(ask: Ask) -> None:
    for status in (204, 301, 404, 500):
        answer = ask(f"path=/status-{status}")
        assert (answer.status, json.loads(answer.headers["x-shown"])[0]) == (200, status)


def test_methods(ask: Ask) -> None:
    assert ask("method=HEAD").body == b""
    for method in ("CONNECT", "a b", "x" * 33):
        assert ask(f"method={method.replace(' ', '%20')}").status == 400
    assert ask("method=POST").json()["fields"]["content-length"] == "0"


@pytest.mark.parametrize(
    "url",
    ["ftp://a/", "h2c://127.0.0.1/", "unix:/run/x", "http://u@a/", "http:///x", "/x", "pool:"],
)
def test_what_is_no_url(ask: Ask, url: str) -> None:
    assert ask(f"url={url}").status == 400


def test_failures(ask: Ask) -> None:
    for path in ("/closed", f"/bytes-{MAX_FETCH_BODY_BYTES + 1}", "/endless"):
        assert ask(f"path={path}").status == 502, path
    assert len(ask(f"path=/bytes-{MAX_FETCH_BODY_BYTES}").body) == MAX_FETCH_BODY_BYTES
    assert ask("path=/hang&ms=100").status == 504
    for ms in (0, -1, 30_001):
        assert ask(f"ms={ms}").status == 400


def test_a_port_where_nobody_listens(ask: Ask, port: int) -> None:
    assert ask(f"url=http://[::1]:{port}/").status == 502


@pytest.mark.parametrize(
    "host", ["localhost:PORT", "127.0.0.2:PORT", "127.1:PORT", "127.0.0.1:1", "example.com"]
)
def test_who_is_not_in_the_list(ask: Ask, port: int, host: str) -> None:
    assert ask(f"url=http://{host.replace('PORT', str(port))}/").status == 403


@pytest.mark.parametrize("engine", ENGINES)
def test_a_name_does_not_lead_into_the_private_network(
    tmp_path: Path, port: int, engine: str
) -> None:
    site = site_of(tmp_path, SHOW, f'[fetch]\nallow = ["localhost:{port}"]\n')
    answer = Client(site, engine=engine).get(f"/?url=http://localhost:{port}/")
    assert answer.status == 403
    config = configured(tmp_path, f'[fetch]\nallow = ["localhost:{port}"]\nprivate = true\n')
    answer = Client(site, engine=engine, config=config).get(f"/?url=http://localhost:{port}/")
    assert answer.status == 200


@pytest.mark.parametrize("line", ['allow = ["10.0.0.1"]', "private = true", 'allow = ["pool:a"]'])
def test_a_site_can_not_open_what_is_the_operators(tmp_path: Path, line: str) -> None:
    site = site_of(tmp_path, SHOW, f"[fetch]\n{line}\n")
    for engine in ENGINES:
        with pytest.raises(Error, match="site"):
            Client(site, engine=engine)
    assert not file.read(f"[fetch]\n{line}\n".encode(), "p.toml", of_process=True)[1].found


@pytest.mark.parametrize(
    "value", ['["*"]', '["a b"]', '["http://a"]', '["a:0"]', '["a:99999"]', '["[a]"]', "3", "[3]"]
)
def test_what_is_no_host(value: str) -> None:
    (fault,) = file.read(f"[fetch]\nallow = {value}\n".encode(), "f.toml")[1].found
    assert fault.place == "fetch.allow" and fault.line == 2


def test_addresses() -> None:
    for text in (
        *("0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.1"),
        *("192.168.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1"),
        *("::ffff:10.0.0.1", "64:ff9b::7f00:1", "fc00::1", "fe80::1", "ff02::1", "2002::1"),
    ):
        address = canonical(text)
        assert address is not None and not is_public(address), text
    for text in ("1.1.1.1", "172.32.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2600::1"):
        address = canonical(text)
        assert address is not None and is_public(address), text
    rules = Fetch(allow=("*.example.org", "a.example:8080", "[::1]:81"))
    assert rules.reach("x.example.org", 443, True) == "public"
    assert rules.reach("example.org", 443, True) is None
    assert rules.reach("a.example", 80, False) is None
    assert rules.reach("::1", 81, False) == "any"


BOUNDS = """\
from zeroserve.script import Request, Response, fetch, on_request, on_response


@on_request
def ask(req: Request) -> Response | None:
    if req.path == "/hook":
        return None
    body = b"x" * int(req.query_param("bytes") or "0")
    for _ in range(int(req.query_param("times") or "1")):
        fetch("http://127.0.0.1:PORT/status-204", body=body)
    return Response(200, "fine")


@on_response
def too_late(req: Request, res: Response) -> None:
    if req.path == "/hook":
        fetch("http://127.0.0.1:PORT/")
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_bounds(tmp_path: Path, port: int, engine: str) -> None:
    config = configured(tmp_path, f'[fetch]\nallow = ["127.0.0.1:{port}"]\n')
    client = Client(
        site_of(tmp_path, BOUNDS.replace("PORT", str(port))), engine=engine, config=config
    )
    assert client.get("/?times=16").status == 200
    assert client.get("/?times=17").status == 500
    assert client.get("/?times=16").status == 200, "each request has its own count"
    assert client.get("/?bytes=262144").status == 200
    assert client.get("/?bytes=262145").status == 500
    assert client.get("/hook").status == 500


def test_json_and_what_stops(tmp_path: Path, port: int) -> None:
    source = """\
        from zeroserve.script import Fetched, Request, Response, fetch, on_request

        def ask(path: str) -> Fetched | None:
            return fetch("http://127.0.0.1:PORT" + path)

        @on_request
        def show(req: Request) -> Response | None:
            res = ask(req.query_param("path") or "/")
            if res is None:
                return None
            try:
                return Response(res.status, str(res.json()["method"]))
            except ValueError:
                return Response(502, "not JSON")
        """
    site = site_of(tmp_path, source.replace("PORT", str(port)))
    config = configured(tmp_path, f'[fetch]\nallow = ["127.0.0.1:{port}"]\n')
    for engine in ENGINES:
        client = Client(site, engine=engine, config=config)
        assert client.get("/").text() == "GET"
        assert client.get("/?path=/bytes-10").text() == "not JSON"
        # Nobody catches that: it stops the script.
        assert client.get("/?path=/closed").status == 500


@contextmanager
def serving(tmp_path: Path, source: str, port: int, *options: str) -> Iterator[Server]:
    config = configured(tmp_path, f'[fetch]\nallow = ["127.0.0.1:{port}"]\n')
    site = site_of(tmp_path, source.replace("PORT", str(port)))
    with running(site, "--threads", "1", "--config", config, *options) as server:
        yield server


def test_other_requests_go_on_meanwhile(tmp_path: Path, port: int) -> None:
    with serving(tmp_path, SHOW, port) as server:
        with Connection(server.address) as slow, Connection(server.address) as fast:
            slow.send(request("/?path=/wait"))
            for _ in range(20):
                fast.send(request("/?path=/"))
                assert fast.response().status == 200
            GATE.set()
            assert slow.response().status == 200
        # The connection to the upstream was used again, and the log says who gave no answer.
        assert fetch(server.address, "/?path=/closed").status == 502
        wait_until(lambda: any("script own: no answer of" in line for line in server.lines), 10)
        assert fetch(server.address, "/?url=http://127.0.0.1:1/").status == 403
        wait_until(lambda: any("was not asked" in line for line in server.lines), 10)


def test_http2(tmp_path: Path, port: int) -> None:
    with serving(tmp_path, SHOW, port) as server, Http2(server.address) as client:
        slow = client.ask("/?path=/wait")
        first = client.post("/?method=POST", b"abc" * 1000)
        GATE.set()
        assert first.status == 200 and json.loads(first.body)["body"] == "abc" * 1000
        assert client.response(slow).status == 200


def test_a_client_that_leaves_does_no_harm(tmp_path: Path, port: int) -> None:
    with serving(tmp_path, SHOW, port) as server:
        for _ in range(20):
            with Connection(server.address) as client:
                client.send(request("/?path=/wait"))
        assert fetch(server.address, "/?path=/").status == 200


def test_a_request_that_comes_round_is_noticed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    source = """\
        from zeroserve.script import Request, Response, fetch, on_request

        @on_request
        def again(req: Request) -> Response | None:
            try:
                res = fetch("http://127.0.0.1:PORT/", headers={"X-Round": "1"})
            except OSError:
                return Response(508)
            return Response(res.status, res.body)
        """
    with serving(tmp_path, source, own, "--addr", f"127.0.0.1:{own}") as server:
        assert fetch(server.address, "/").status == 508
        wait_until(lambda: any("round and round" in line for line in server.lines), 10)


def test_pools_of_the_process(tmp_path: Path, port: int) -> None:
    site = site_of(tmp_path, SHOW)
    pool = f'[pools.auth]\nupstreams = ["http://127.0.0.1:{port}/base"]\n'
    config = configured(tmp_path, f'{pool}[fetch]\nallow = ["pool:auth", "pool:gone"]\n')
    client = Client(site, config=config)
    assert client.get("/?url=pool:auth/x").json()["path"] == "/base/x"
    assert client.get("/?url=pool:auth").json()["path"] == "/base/"
    assert client.get("/?url=pool:gone").status == 502
    assert client.get("/?url=pool:other").status == 403


def test_by_hand() -> None:
    with pytest.raises(PermissionError):
        fetching.fetch("http://127.0.0.1:9000/")
    asked = []

    def answer(request: fetching.Asked) -> Fetched:
        asked.append(request)
        return Fetched(204, headers={"X-User": "ada"})

    with fetching.answering(answer):
        res = fetching.fetch("https://auth.example/", headers={"Cookie": "a=1"}, body=b"x")
    assert (res.status, res.header("x-user"), res.body) == (204, "ada", b"")
    assert asked[0].header("cookie") == "a=1" and asked[0].body == b"x"
    with fetching.answering(answer):
        for name in ("Host", "Content-Length", "Connection", "Via", "a b"):
            with pytest.raises(ValueError, match="header"):
                fetching.fetch("http://a/", headers={name: "x"})
        with pytest.raises(Stop):
            fetching.fetch("http://a/", body=b"x" * 262_145)


BODY = """\
from zeroserve.script import Request, Response, fetch, on_request, proxy


@on_request
def ask_first(req: Request) -> Response | None:
    fetch("http://127.0.0.1:PORT/wait")
    if req.path == "/proxy":
        return proxy("http://127.0.0.1:PORT")
    return Response(200, req.body())
"""


def test_a_body_that_comes_meanwhile_is_not_lost(tmp_path: Path, port: int) -> None:
    body = b"0123456789" * 1000
    with serving(tmp_path, BODY, port) as server, Http2(server.address) as client:
        # The upstream does not know chunks.
        fields = [("content-length", str(len(body)))]
        paths = ("/", "/proxy")
        streams = [client.ask(path, "POST", fields, body=body) for path in paths]
        with Connection(server.address) as one, Connection(server.address) as two:
            one.send(request("/", method="POST", body=body))
            two.send(request("/proxy", method="POST", body=body))
            GATE.set()
            assert one.response().body == body
            assert json.loads(two.response().body)["body"] == body.decode()
        first, second = map(client.response, streams)
        assert (first.status, first.body) == (200, body)
        assert json.loads(second.body)["body"] == body.decode()


def test_a_worker_has_a_bound(tmp_path: Path, port: int) -> None:
    with (
        serving(tmp_path, SHOW, port) as server,
        Http2(server.address) as one,
        Http2(server.address) as two,
        Http2(server.address) as three,
    ):
        clients = (one, two, three)
        streams = [(client, client.ask("/?path=/wait")) for client in clients for _ in range(90)]
        refused = "too many requests of scripts are under way"
        wait_until(lambda: any(refused in line for line in server.lines), 20)
        GATE.set()
        statuses = [client.response(stream).status for client, stream in streams]
        assert (statuses.count(200), statuses.count(502)) == (256, 14)
        assert one.get("/?path=/").status == 200, "all of them are free again"


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize("name", ["localhost", "other.test"])
def test_https(tmp_path: Path, name: str) -> None:
    authority = Authority(tmp_path / "ca")
    config = configured(tmp_path, '[fetch]\nallow = ["localhost:PORT"]\nprivate = true\n')
    with upstream(authority.issue(name)) as port:
        config.write_text(config.read_text().replace("PORT", str(port)))
        site = site_of(tmp_path, SHOW)
        env = {"SSL_CERT_FILE": str(authority.certificate)}
        with running(site, "--threads", "1", "--config", config, env=env) as server:
            answer = fetch(server.address, f"/?url=https://localhost:{port}/x&method=POST")
            assert answer.status == (200 if name == "localhost" else 502)


LARGE = """\
from zeroserve.script import Request, Response, fetch, on_request, proxy


@on_request
def ask_first(req: Request) -> Response | None:
    fetch("http://127.0.0.1:PORT/wait")
    return proxy("http://127.0.0.1:PORT") if req.path == "/proxy" else None
"""


@pytest.mark.parametrize("path", ["/proxy", "/"])
def test_a_large_body_waits_for_the_script(tmp_path: Path, port: int, path: str) -> None:
    """More than is ever kept: the client has to be told to wait."""
    total = (3 << 20) if path == "/proxy" else (700 << 10)
    fields = [("content-length", str(total))]
    with serving(tmp_path, LARGE, port) as server, Http2(server.address) as client:
        stream = client.open(client.block(path, "POST", fields), end=False)
        opener = threading.Timer(0.3, GATE.set)
        opener.start()
        while client.sent.get(stream, 0) < total:
            client.push(stream, total)
            if client.sent[stream] < total:
                client.step()
        client.send_frame(0, 1, stream)
        answer = client.response(stream)
        opener.join()
        if path == "/proxy":
            assert json.loads(answer.body)["body"] == total
        else:
            assert answer.status == 405
