"""Upstreams behind TLS and those that speak HTTP/2: servers that others have written.

gRPC goes through from end to end, with the client and the server that everybody has.
"""

import os
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from support.server import Server, running, wait_until
from support.tls import OPENSSL, Authority, Pair
from support.wire import Connection, fetch, request

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


def site_to(tmp_path: Path, url: str) -> Path:
    """A site whose requests all go to the upstream."""
    scripts = tmp_path / "site" / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    script = f"""\
        from zeroserve.script import Request, Response, on_request, proxy


        @on_request
        def pass_on(req: Request) -> Response | None:
            return proxy("{url}")
        """
    (scripts / "pass_on.py").write_text(textwrap.dedent(script))
    return tmp_path / "site"


@contextmanager
def passing(
    tmp_path: Path, url: str, *options: str | Path, trust: Path | None = None
) -> Iterator[Server]:
    """A server that passes everything on."""
    env = {} if trust is None else {"SSL_CERT_FILE": str(trust)}
    arguments = ("--threads", "1", "--access-log", "off", *options)
    with running(site_to(tmp_path, url), *arguments, env=env) as server:
        yield server


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Path", self.path)
        self.send_header("X-Port", str(self.client_address[1]))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def https(pair: Pair) -> Iterator[int]:
    """An upstream behind TLS; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.chain, pair.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@needs_openssl
def test_an_upstream_behind_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with (
        https(authority.issue("localhost")) as port,
        passing(tmp_path, f"https://localhost:{port}", trust=authority.certificate) as server,
        Connection(server.address) as connection,
    ):
        ports = set()
        for body in (b"", b"some", b"more" * 500_000):
            connection.send(request("/a?b", method="POST", body=body))
            answer = connection.response()
            assert (answer.status, answer.body) == (200, body)
            assert answer.need("x-path") == "/a?b"
            ports.add(answer.need("x-port"))
        assert len(ports) == 1, "the connection is used again"


@needs_openssl
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("name", "its certificate is not valid for localhost, but for other.test"),
        ("issuer", "its certificate comes from an unknown issuer"),
        ("expired", "its certificate has expired"),
        ("plain", "it does not speak TLS"),
    ],
)
def test_certificates_that_are_not_valid(tmp_path: Path, kind: str, why: str) -> None:
    authority = Authority(tmp_path / "ca")
    other = Authority(tmp_path / "other", name="another authority")
    pair = {
        "name": lambda: authority.issue("other.test"),
        "issuer": lambda: other.issue("localhost"),
        "expired": lambda: authority.issue("localhost", days=-1),
        "plain": lambda: authority.issue("localhost"),
    }[kind]()
    if kind == "plain":
        plain = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        plain.daemon_threads = True
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        url = f"https://localhost:{plain.server_port}"
        with passing(tmp_path, url, trust=authority.certificate) as server:
            assert fetch(server.address, "/").status == 502
            server.wait_line(f"handshake: {why}")
        plain.shutdown()
        plain.server_close()
        return
    with (
        https(pair) as port,
        passing(tmp_path, f"https://localhost:{port}", trust=authority.certificate) as server,
    ):
        assert fetch(server.address, "/").status == 502
        server.wait_line(f"no answer of https://localhost:{port}: handshake: {why}")


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    """By RFC 6761, no name server answers for it."""
    with passing(tmp_path, "http://nobody.invalid:80") as server:
        assert fetch(server.address, "/").status in (502, 504)
        server.wait_line(r"no answer of http://nobody\.invalid:80: resolve: ")


APPLICATION = '''\
"""Says what it was asked, over whatever version."""


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    headers = [
        (b"x-version", scope["http_version"].encode()),
        (b"x-scheme", scope["scheme"].encode()),
        (b"x-path", scope["path"].encode()),
        (b"x-host", dict(scope["headers"]).get(b"host", b"")),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for at in range(0, len(body), 10_000):
        part = body[at : at + 10_000]
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
'''


@contextmanager
def hypercorn(tmp_path: Path, *options: str | Path) -> Iterator[int]:
    """An upstream that speaks both versions; its port."""
    (tmp_path / "application.py").write_text(APPLICATION)
    log = tmp_path / "hypercorn.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hypercorn", "--bind", "127.0.0.1:0", *map(str, options),
             "--log-level", "info", "application:app"],
            cwd=tmp_path, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        marker = "Running on "
        line = wait_until(
            lambda: next((li for li in log.read_text().splitlines() if marker in li), ""), 20
        )
        yield int(line.partition(marker)[2].split()[0].rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(20)


def check_http2(server: Server, scheme: str) -> None:
    def ask(number: int) -> None:
        body = bytes([number]) * (number * 20_000)
        answer = fetch(server.address, f"/a/{number}", method="POST", body=body)
        assert (answer.status, answer.need("x-version")) == (200, "2")
        assert (answer.need("x-path"), answer.need("x-scheme")) == (f"/a/{number}", scheme)
        assert answer.need("x-host") == "site.test"
        assert answer.body == body

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(40)))
    head = fetch(server.address, "/", method="HEAD")
    assert (head.status, head.body) == (200, b"")


def test_http2_without_tls(tmp_path: Path) -> None:
    with (
        hypercorn(tmp_path) as port,
        passing(tmp_path, f"h2c://127.0.0.1:{port}") as server,
    ):
        check_http2(server, "http")


@needs_openssl
def test_http2_behind_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("localhost")
    files = ("--certfile", pair.chain, "--keyfile", pair.key)
    with (
        hypercorn(tmp_path, *files) as port,
        passing(tmp_path, f"h2://localhost:{port}", trust=authority.certificate) as server,
    ):
        check_http2(server, "https")


@needs_openssl
def test_behind_tls_http1_is_asked_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("localhost")
    files = ("--certfile", pair.chain, "--keyfile", pair.key)
    with (
        hypercorn(tmp_path, *files) as port,
        passing(tmp_path, f"https://localhost:{port}", trust=authority.certificate) as server,
    ):
        assert fetch(server.address, "/").need("x-version") == "1.1"


def raw(message: bytes) -> bytes:
    """No protocol buffers: messages are bytes."""
    return message


class Service(grpc.GenericRpcHandler):
    """All four kinds of calls, on bytes."""

    def service(
        self, details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        return {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/test.Echo/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/test.Echo/Count": grpc.unary_stream_rpc_method_handler(self.count),
            "/test.Echo/Join": grpc.stream_unary_rpc_method_handler(self.join),
            "/test.Echo/Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            "/test.Echo/Half": grpc.unary_stream_rpc_method_handler(self.half),
        }.get(details.method)

    def unary(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        sent = dict(context.invocation_metadata())
        context.send_initial_metadata((("early", str(sent.get("kind", ""))),))
        context.set_trailing_metadata((("late", "yes"), ("late-bin", b"\x00\xff")))
        return message

    def fail(self, message: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: ä")

    def count(self, message: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(message)):
            yield str(number).encode()

    def join(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return b",".join(messages)

    def talk(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for message in messages:
            yield message.upper()

    def half(self, message: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield message
        context.abort(grpc.StatusCode.DATA_LOSS, "gone")


@contextmanager
def grpc_server(pair: Pair | None = None) -> Iterator[int]:
    """An upstream that speaks gRPC; its port."""
    server = grpc.server(
        ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", 64 << 20)]
    )
    server.add_generic_rpc_handlers((Service(),))
    if pair is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        credentials = grpc.ssl_server_credentials(
            [(pair.key.read_bytes(), pair.chain.read_bytes())]
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait(10)


def check_grpc(channel: grpc.Channel) -> None:
    """All kinds of calls, with what belongs to them."""
    timeout_s = 20.0
    unary = channel.unary_unary("/test.Echo/Unary", raw, raw)
    answer, call = unary.with_call(b"hello", timeout_s, metadata=(("kind", "one"),))
    assert answer == b"hello"
    assert dict(call.initial_metadata())["early"] == "one"
    trailing = dict(call.trailing_metadata())
    assert (trailing["late"], trailing["late-bin"]) == ("yes", b"\x00\xff")
    assert call.code() == grpc.StatusCode.OK
    assert unary(b"", timeout=timeout_s) == b""
    large = os.urandom(3_000_000)
    assert unary(large, timeout=timeout_s) == large

    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/test.Echo/Fail", raw, raw)(b"", timeout=timeout_s)
    assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert failed.value.details() == "not now: ä"
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/test.Echo/Nothing", raw, raw)(b"", timeout=timeout_s)
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED

    counted = channel.unary_stream("/test.Echo/Count", raw, raw)(b"2000", timeout=timeout_s)
    assert list(counted) == [str(number).encode() for number in range(2000)]
    joined = channel.stream_unary("/test.Echo/Join", raw, raw)
    assert joined(iter([b"a", b"b"] * 500), timeout=timeout_s) == b",".join([b"a", b"b"] * 500)
    half = channel.unary_stream("/test.Echo/Half", raw, raw)(b"part", timeout=timeout_s)
    assert next(half) == b"part"
    with pytest.raises(grpc.RpcError) as failed:
        next(half)
    assert failed.value.code() == grpc.StatusCode.DATA_LOSS

    # Each message is answered before the next one is sent.
    heard = threading.Semaphore(1)

    def said() -> Iterator[bytes]:
        for number in range(50):
            assert heard.acquire(timeout=timeout_s)
            yield f"m{number}".encode()

    answers = []
    for message in channel.stream_stream("/test.Echo/Talk", raw, raw)(said(), timeout=timeout_s):
        answers.append(message)
        heard.release()
    assert answers == [f"M{number}".encode() for number in range(50)]

    futures = [unary.future(bytes([number]), timeout=timeout_s) for number in range(200)]
    assert [future.result() for future in futures] == [bytes([number]) for number in range(200)]

    # A call that is given up leaves the connection to the others.
    cancelled = channel.unary_stream("/test.Echo/Count", raw, raw)(b"100000000", timeout=timeout_s)
    assert next(cancelled) == b"0"
    cancelled.cancel()
    assert unary(b"after", timeout=timeout_s) == b"after"


def test_grpc(tmp_path: Path) -> None:
    with (
        grpc_server() as port,
        passing(tmp_path, f"h2c://127.0.0.1:{port}") as server,
        grpc.insecure_channel("{}:{}".format(*server.address)) as channel,
    ):
        check_grpc(channel)


def test_grpc_through_a_pool(tmp_path: Path) -> None:
    config = tmp_path / "pools.toml"
    with grpc_server() as stays:
        with grpc_server() as goes:
            urls = [f"h2c://127.0.0.1:{port}" for port in (stays, goes)]
            config.write_text(f"[pools.echo]\nupstreams = {urls}\n")
            with (
                passing(tmp_path, "pool:echo", "--config", config) as server,
                grpc.insecure_channel("{}:{}".format(*server.address)) as channel,
            ):
                check_grpc(channel)
        with (
            passing(tmp_path / "again", "pool:echo", "--config", config) as server,
            grpc.insecure_channel("{}:{}".format(*server.address)) as channel,
        ):
            # One of two has gone: nothing was sent there, so another one may be asked.
            unary = channel.unary_unary("/test.Echo/Unary", raw, raw)
            for number in range(20):
                assert unary(bytes([number]), timeout=20) == bytes([number])


@needs_openssl
def test_grpc_behind_tls_on_both_sides(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    inner, outer = authority.issue("localhost"), authority.issue("localhost")
    options = ("--tls-addr", "127.0.0.1:0", *outer.options)
    with (
        grpc_server(inner) as port,
        passing(
            tmp_path, f"h2://localhost:{port}", *options, trust=authority.certificate
        ) as server,
    ):
        place = server.wait_line(r"^listening on https://\S+:(\d+)$")[1]
        credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
        with grpc.secure_channel(f"localhost:{place}", credentials) as channel:
            check_grpc(channel)


def test_grpc_without_its_server(tmp_path: Path) -> None:
    with grpc_server() as port:
        pass
    with (
        passing(tmp_path, f"h2c://127.0.0.1:{port}") as server,
        grpc.insecure_channel("{}:{}".format(*server.address)) as channel,
    ):
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/test.Echo/Unary", raw, raw)(b"", timeout=20)
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
        server.wait_line(f"no answer of h2c://127.0.0.1:{port}: connect: connection refused")
