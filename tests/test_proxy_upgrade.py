"""Connections that become another protocol: WebSocket, with a real client and a real server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.proxying import Front, constant, named, scripted
from support.server import wait_until
from support.tls import blind
from support.upstream import Call, Gone, Upstream, reply
from support.wire import fetch, request
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

SWITCHING = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: example/1\r\n\r\n"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "example/1"}


OTHER = """\
from zeroserve.script import Request, Response, on_request


@on_request
def answer(req: Request) -> Response | None:
    return Response(STATUS, "new\\n")
"""


class Echo:
    """A server that says everything twice; ``open`` are its connections."""

    def __init__(self) -> None:
        self.open = 0
        self.paths: list[str] = []
        self.server = serve(self._talk, "127.0.0.1", 0, max_size=None)
        self.port = int(self.server.socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.open += 1
        try:
            for message in connection:
                connection.send(message)
                connection.send(message)
        finally:
            self.open -= 1

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(10)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def open_to(front: Front, target: str = "/chat") -> ClientConnection:
    assert not isinstance(front.address, str)
    host, port = front.address
    return connect(f"ws://{host}:{port}{target}", max_size=None, proxy=None)


def say(client: ClientConnection, message: str | bytes) -> None:
    """Both echoes come back."""
    client.send(message)
    assert client.recv(timeout=10) == message
    assert client.recv(timeout=10) == message


def test_an_echo(echo: Echo, tmp_path: Path) -> None:
    with constant(f"{echo.url}/base", tmp_path) as front, open_to(front, "/chat?a=b") as client:
        say(client, "start")
        assert echo.paths == ["/base/chat?a=b"]
        for message in ("hello", "", b"\0\xff", "x" * 200_000, b"y" * 5_000_000):
            say(client, message)
        client.ping().wait(10)


def test_it_survives_a_reload(echo: Echo, tmp_path: Path) -> None:
    """Connections go on, through any number of generations; new requests get the new script."""
    with constant(echo.url, tmp_path) as front, open_to(front) as client:
        say(client, "before")
        for count in range(3):
            status = 410 + count

            def is_new(wanted: int = status) -> bool:
                return fetch(front.address, "/").status == wanted

            (tmp_path / "pass_on.py").write_text(OTHER.replace("STATUS", str(status)))
            front.server.hang_up()
            wait_until(is_new, 10)
            say(client, f"after {count}")
        assert echo.open == 1
    wait_until(lambda: echo.open == 0, 10)


def test_over_tls(echo: Echo, tmp_path: Path) -> None:
    with constant(echo.url, tmp_path) as front:
        assert not isinstance(front.tls_address, str)
        host, port = front.tls_address
        url = f"wss://{host}:{port}/"
        with connect(url, ssl=blind(), proxy=None, max_size=None) as client:
            say(client, b"z" * 1_000_000)


def test_many_at_once(echo: Echo, tmp_path: Path) -> None:
    with constant(echo.url, tmp_path) as front, ExitStack() as stack:
        clients = [stack.enter_context(open_to(front)) for _ in range(30)]
        for number, client in enumerate(clients):
            client.send(str(number))
        for number, client in enumerate(clients):
            assert client.recv(timeout=10) == str(number)
        assert fetch(front.address, "/").status == 426
        for client in clients:
            client.close()
        wait_until(lambda: echo.open == 0, 10)


def test_the_end_of_one_side_is_that_of_the_other(echo: Echo, tmp_path: Path) -> None:
    with constant(echo.url, tmp_path) as front:
        with open_to(front) as client:
            say(client, "hello")
            client.socket.shutdown(socket.SHUT_RDWR)
            wait_until(lambda: echo.open == 0, 10)
        with open_to(front) as client:
            say(client, "hello")
            echo.close()
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=10)


def test_a_server_that_refuses(front: Front) -> None:
    """An upgrade that is answered with something else is a request like any other."""
    with Upstream(reply(b"no", 403)) as upstream:
        assert not isinstance(front.address, str)
        url = f"ws://{front.address[0]}:{front.address[1]}/"
        with pytest.raises(InvalidStatus) as raised:
            connect(url, additional_headers={"X-Upstream": upstream.url}, proxy=None)
        assert raised.value.response.status_code == 403
        assert upstream.last.header("upgrade") == "websocket"
        assert "upgrade" in [token.lower() for token in upstream.last.tokens("connection")]


# --- byte by byte -----------------------------------------------------------------------------


def switch(call: Call) -> None:
    """Speak a protocol in which everything is said again, until nothing more comes."""
    call.send(SWITCHING + b"first")
    with suppress(Gone):
        while True:
            call.send(call.link.some(1 << 16))
    call.send(b"last")
    call.close()


def test_bytes_both_ways(front: Front) -> None:
    """Also those that come with the head, and those behind the end of the client's side."""
    with Upstream(switch) as upstream, front.connect() as connection:
        connection.send(front.request(upstream, headers=UPGRADE))
        head = connection.head()
        assert head.status == 101
        assert head.header("upgrade") == "example/1"
        assert head.tokens("connection") == {"upgrade"}
        assert head.header("content-length") is None
        assert head.header("transfer-encoding") is None
        assert connection.take(5) == b"first"
        for number in range(20):
            connection.send(b"%d." % number)
            assert connection.take(len(b"%d." % number)) == b"%d." % number
        connection.finish()
        assert connection.take(4) == b"last"
        assert connection.at_end()


def test_bytes_behind_the_request(front: Front) -> None:
    """A client that does not wait for the 101: what it says first is not a request."""
    inner = b"GET /smuggled HTTP/1.1\r\n\r\n"
    with Upstream(switch) as upstream, front.connect() as connection:
        connection.send(front.request(upstream, headers=UPGRADE) + inner)
        head = connection.head()
        assert head.status == 101
        assert connection.take(5) == b"first"
        assert connection.take(len(inner)) == inner
        assert [call.target for call in upstream.calls] == ["/"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "example/1"},
        {"Connection": "close", "Upgrade": "example/1"},
        {"Connection": "upgrade, close"},
        {"Connection": "upgrade, close", "Upgrade": "h2c"},
        {"Connection": "upgrade, close", "Upgrade": "HTTP/2.0"},
    ],
)
def test_what_is_no_upgrade(front: Front, headers: dict[str, str]) -> None:
    """It needs both fields, and HTTP/2 would bring requests that nobody looked at."""
    given = {"Connection": "close", **headers}
    with Upstream() as upstream:
        assert front.fetch(upstream, headers=given).status == 200
        assert upstream.last.header("upgrade") is None
        assert set(upstream.last.tokens("connection")) <= {"close", "keep-alive"}


def test_a_switch_that_nobody_asked_for(front: Front) -> None:
    with Upstream(switch) as upstream, front.connect() as connection:
        connection.send(front.request(upstream))
        assert connection.response().status == 502


def test_a_1_0_client_can_not_switch(front: Front) -> None:
    with Upstream(switch) as upstream, front.connect() as connection:
        connection.send(front.request(upstream, version="1.0", headers={"Host": "a", **UPGRADE}))
        assert connection.response().status == 502
        assert upstream.last.header("upgrade") is None


def test_there_is_no_upgrade_over_http2(front: Front) -> None:
    """Upgrade is a mistake there (RFC 9113 section 8.2.2); an extended CONNECT is refused."""
    with Upstream() as upstream:
        with front.connect2() as client:
            fields = [*named(upstream), ("connection", "upgrade"), ("upgrade", "websocket")]
            got = client.get("/", fields)
            assert got.reset is not None or got.status == 400
        with front.connect2() as client:
            pseudo = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http")]
            pseudo += [(":path", "/chat"), (":authority", "a")]
            stream = client.open(client.encoder.encode([*pseudo, *named(upstream)]))
            got = client.response(stream)
            assert got.reset is not None or got.status in (400, 405, 501)
        assert not upstream.calls


def test_a_tunnel_is_never_used_again(front: Front) -> None:
    with Upstream(switch) as upstream:
        with front.connect() as connection:
            connection.send(front.request(upstream, headers=UPGRADE))
            assert connection.head().status == 101
            assert connection.take(5) == b"first"
        upstream.answer = reply(b"hello")
        assert front.fetch(upstream).body == b"hello"
        assert upstream.accepted == 2


def test_a_reset_upstream_ends_the_tunnel(front: Front) -> None:
    def answer(call: Call) -> None:
        call.send(SWITCHING + b"hello")
        call.link.some(1)
        call.reset()

    with Upstream(answer) as upstream, front.connect() as connection:
        connection.send(front.request(upstream, headers=UPGRADE))
        assert connection.head().status == 101
        assert connection.take(5) == b"hello"
        connection.send(b"x")
        assert connection.at_end()


REFUSING = """\
from zeroserve.script import Request, Response, on_request, on_response, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    return proxy("URL")


@on_response
def refuse(req: Request, res: Response) -> None:
    if res.status == 101:
        res.status = STATUS
"""


@pytest.mark.parametrize("status", [200, 204, 403])
def test_a_script_makes_it_no_tunnel(tmp_path: Path, status: int) -> None:
    """What the upstream says behind its 101 would be a response that nobody sent."""

    def answer(call: Call) -> None:
        call.send(SWITCHING + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        call.wait_closed()
        call.close()

    with Upstream(answer) as upstream:
        source = REFUSING.replace("URL", upstream.url).replace("STATUS", str(status))
        with scripted(source, tmp_path) as front, front.connect() as connection:
            connection.send(request("/", UPGRADE))
            got = connection.response()
            assert (got.status, got.body) == (status, b"")
            assert got.header("connection") == "close"
            assert connection.at_end()


def test_a_tunnel_with_back_pressure(front: Front) -> None:
    """Neither side is read faster than the other one reads."""
    total = 64 << 20

    def answer(call: Call) -> None:
        call.send(SWITCHING)
        for _ in range(total >> 16):
            call.send(bytes(1 << 16))
        call.close()

    with Upstream(answer) as upstream, front.connect() as connection:
        before = front.server.peak_bytes()
        connection.send(front.request(upstream, headers=UPGRADE))
        assert connection.head().status == 101
        for _ in range(total >> 16):
            assert connection.take(1 << 16) == bytes(1 << 16)
        assert front.server.peak_bytes() - before < 16 << 20


def test_an_upgrade_with_a_body_is_a_request(front: Front) -> None:
    """What follows would be both: the body, and the other protocol."""
    with Upstream() as upstream, front.connect() as connection:
        connection.send(front.request(upstream, headers=UPGRADE, method="POST", body=b"hello"))
        assert connection.response().status == 200
        assert upstream.last.body() == b"hello"
        assert upstream.last.header("upgrade") is None


def test_draining_does_not_wait_for_tunnels_forever(echo: Echo, tmp_path: Path) -> None:
    """SIGTERM while a WebSocket is open: the process ends."""
    limits = ["--drain-timeout-s", "1"]
    with constant(echo.url, tmp_path, *limits) as front, open_to(front) as client:
        say(client, "hello")
        assert front.server.stop() == 0
        with pytest.raises((ConnectionClosed, OSError)):
            client.recv(timeout=10)
