"""Where features meet: hooks and framing, retries and uploads, reloads and what is under way."""

import resource
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.http2 import DATA, END_STREAM
from support.proxying import CONSTANT, Front, constant, named, scripted
from support.server import running, wait_until
from support.upstream import Call, Upstream, chunks, reply, response, say, say_and_close
from support.wire import Connection, fetch, request

HELLO = b"hello"


# --- scripts and framing ----------------------------------------------------------------------

STATUS = """\
from zeroserve.script import Request, Response, on_request, on_response, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    return proxy("URL")


@on_response
def change(req: Request, res: Response) -> None:
    res.status = NEW
"""


ANSWERS = {
    "length": response(HELLO),
    "chunked": response(fields={"Transfer-Encoding": "chunked"}) + chunks(HELLO),
    "close": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("new", [200, 204, 205, 304, 404])
def test_another_status_is_framed_anew(tmp_path: Path, name: str, new: int) -> None:
    """A hook makes 204 of 200, or 200 of 204: the next response is found where it begins."""
    answer = say_and_close(ANSWERS[name]) if name == "close" else say(ANSWERS[name])
    with Upstream(answer) as upstream:
        source = STATUS.replace("URL", upstream.url).replace("NEW", str(new))
        with scripted(source, tmp_path) as front:
            with front.connect(timeout_s=5) as connection:
                for _ in range(3):
                    connection.send(request("/"))
                    got = connection.response()
                    assert got.status == new
                    assert got.body in (HELLO, b"")
                    if "close" in got.tokens("connection"):
                        break
            with front.connect2() as client:
                for _ in range(3):
                    got2 = client.get("/")
                    assert got2.reset is None
                    assert got2.status == new
                    assert got2.body in (HELLO, b"")
                    assert got2.headers.get("content-length", "5") in ("0", "5")


METHOD = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    req.set_method("NEW")
    return proxy("URL")
"""


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize(("asked", "new"), [("GET", "HEAD"), ("HEAD", "GET"), ("POST", "HEAD")])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_another_method_is_framed_for_the_one_that_was_asked(
    tmp_path: Path, asked: str, new: str, framing: str, http2: bool
) -> None:
    def answer(call: Call) -> None:
        call.drain()
        fields, content = {"Content-Length": "5"}, HELLO
        if framing == "chunked":
            fields, content = {"Transfer-Encoding": "chunked"}, chunks(HELLO)
        call.send(response(b"", fields=fields) + (b"" if call.method == "HEAD" else content))

    with Upstream(answer) as upstream:
        source = METHOD.replace("URL", upstream.url).replace("NEW", new)
        with scripted(source, tmp_path) as front:
            if http2:
                with front.connect2() as client:
                    for _ in range(2):
                        got2 = client.get("/", method=asked)
                        assert got2.reset is None
                        assert len(got2.body) == (
                            0 if asked == "HEAD" else int(got2.headers.get("content-length", "0"))
                        )
            else:
                with front.connect(timeout_s=3) as connection:
                    for _ in range(2):
                        connection.send(request("/", method=asked))
                        got = connection.response(asked)
                        assert got.status == 200
                        assert got.body == b""
            assert upstream.last.method == new


@pytest.mark.parametrize(
    "line",
    [
        'req.rewrite("/a b")',
        'req.rewrite("/a\\r\\nX-Injected: b")',
        'req.rewrite("/a HTTP/1.1\\r\\nHost: b\\r\\n\\r\\nGET /smuggled")',
        'req.rewrite("a")',
        'req.set_header("x-a", "b\\r\\nX-Injected: c")',
        'req.set_header("x-a", "b\\nX-Injected: c")',
        'req.set_header("x-a: b\\r\\nx-injected", "c")',
        'req.set_header("x a", "b")',
        'req.set_method("GET /smuggled HTTP/1.1\\r\\n\\r\\nGET")',
        'req.set_method("")',
        'req.set_header("transfer-encoding", "chunked")',
        'req.set_header("content-length", "100")',
        'req.set_header("connection", "upgrade")',
        'req.set_header("host", "a\\r\\nX-Injected: b")',
    ],
)
def test_scripts_inject_nothing(tmp_path: Path, line: str) -> None:
    """What a script writes is checked like what a client says: refused, stopped, or harmless."""
    source = METHOD.replace('req.set_method("NEW")', line)
    script = tmp_path / "script.py"
    with Upstream() as upstream:
        script.write_text(source.replace("URL", upstream.url))
        try:
            with running(script, "--threads", "1", "--access-log", "off") as server:
                for _ in range(2):
                    got = fetch(server.address, "/", method="POST", body=HELLO)
                    assert got.status in (200, 400, 500, 502)
        except AssertionError as error:
            # Refused before it was served.
            assert "the server ended" in str(error)
        for call in upstream.calls:
            assert call.header("x-injected") is None
            assert call.target != "/smuggled"
            assert call.body() == HELLO


# --- retries and uploads ----------------------------------------------------------------------


def test_an_upload_that_begins_anew_is_whole(front: Front) -> None:
    """The connection is gone after the first piece; what the next one gets has every piece once."""
    gone = threading.Event()

    def answer(call: Call) -> None:
        if len(upstream.calls) == 2:
            next(call.pieces())
            call.close()
            gone.set()
            return
        call.send(response(call.body()))

    with Upstream(answer) as upstream:
        front.fetch(upstream)
        with front.connect() as connection:
            headers = {"Transfer-Encoding": "chunked"}
            connection.send(front.request(upstream, headers=headers, method="PUT"))
            connection.send(chunks(b"one", end=b""))
            assert gone.wait(10)
            with suppress(ConnectionError):
                connection.send(chunks(b"two", end=b""))
                connection.send(chunks(b"three"))
            got = connection.response()
            assert (got.status, got.body) in ((200, b"onetwothree"), (502, b"502 Bad Gateway\n"))


@pytest.mark.parametrize("size", [1000, 65_536, 65_537, 3_000_000])
def test_a_large_upload_on_a_connection_that_is_gone(front: Front, size: int) -> None:
    def answer(call: Call) -> None:
        if call.link.number == 1 and call is not upstream.calls[0]:
            call.close()
            return
        call.send(response(call.body()))

    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    with Upstream(answer) as upstream:
        front.fetch(upstream)
        with front.connect() as connection:
            with suppress(ConnectionError):
                connection.send(front.request(upstream, method="PUT", body=body))
            got = connection.response()
            assert got.status == 502 or got.body == body


# --- HTTP/2 -----------------------------------------------------------------------------------


def test_an_upload_that_is_stuck_holds_up_no_other(front: Front) -> None:
    """What nobody takes of one stream does not use up the connection's window."""
    go = threading.Event()

    def stuck(call: Call) -> None:
        assert go.wait(30)
        call.send(response(b"%d" % len(call.body())))

    with Upstream(stuck) as slow, Upstream() as fast, front.connect2() as client:
        client.get("/", named(fast))
        stream = client.open(client.block("/", "PUT", named(slow)), end=False)
        client.socket.settimeout(1.0)
        with suppress(TimeoutError):
            while True:
                client.push(stream, 32 << 20)
                client.step()
        client.socket.settimeout(10.0)
        other = client.open(client.block("/", "PUT", named(fast)), end=False)
        client.push(other, 100_000)
        while client.sent[other] < 100_000:
            client.step()
            client.push(other, 100_000)
        client.send_frame(DATA, END_STREAM, other)
        assert client.response(other).status == 200
        assert len(fast.last.body()) == 100_000
        go.set()
        client.send_frame(DATA, END_STREAM, stream)
        assert client.response(stream).body == b"%d" % client.sent[stream]


def test_fields_of_one_connection_stay_out_of_http2(front: Front) -> None:
    said = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Private: a\r\nX-SPACES:  \t b \t \r\n"
        b"TE: trailers\r\nX-Bytes: \xe9\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with Upstream(say(said + chunks(HELLO))) as upstream, front.connect2() as client:
        stream = client.ask("/", headers=named(upstream))
        block = b""
        while not block:
            frame = client.read_frame()
            block = frame.payload if frame.kind == 1 and frame.stream == stream else b""
        fields = dict(client.decoder.decode(block, raw=True))
        assert fields[b"x-spaces"] == b"b"
        assert fields[b"x-bytes"] == b"\xe9"
        for name in (b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"x-private"):
            assert name not in fields
        assert b"transfer-encoding" not in fields


def test_a_long_head_over_http2(front: Front) -> None:
    """More than fits into one frame."""
    fields = {f"X-Field-{number}": "v" * 1000 for number in range(50)}
    with Upstream(reply(HELLO, fields=fields)) as upstream, front.connect2() as client:
        for _ in range(2):
            got = client.get("/", named(upstream))
            assert got.body == HELLO
            assert got.headers["x-field-49"] == "v" * 1000


def test_an_expectation_over_http2(front: Front) -> None:
    def answer(call: Call) -> None:
        if call.header("expect"):
            call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.send(response(call.body()))

    with Upstream(answer) as upstream, front.connect2() as client:
        fields = [*named(upstream), ("expect", "100-continue"), ("content-length", "5")]
        stream = client.open(client.block("/", "POST", fields), end=False)
        while not (stream in client.streams and client.streams[stream].interim):
            client.step()
        assert client.streams[stream].interim == [100]
        client.send_frame(DATA, END_STREAM, stream, HELLO)
        assert client.response(stream).body == HELLO


# --- what is under way ------------------------------------------------------------------------


def test_a_response_goes_on_through_a_reload(tmp_path: Path) -> None:
    go = threading.Semaphore(0)

    def answer(call: Call) -> None:
        if len(upstream.calls) > 1:
            call.send(response(b"old"))
            return
        call.send(response(fields={"Transfer-Encoding": "chunked"}))
        for number in range(3):
            call.send(chunks(b"%d" % number, end=b""))
            assert go.acquire(timeout=20)
        call.send(b"0\r\n\r\n")

    with (
        Upstream(answer) as upstream,
        constant(upstream.url, tmp_path) as front,
        Connection(front.address) as connection,
    ):
        connection.send(request("/"))
        assert connection.head().status == 200
        pieces = connection.chunks()
        assert next(pieces) == b"0"
        with Upstream(reply(b"new")) as other:
            (tmp_path / "pass_on.py").write_text(CONSTANT.format(url=other.url))
            front.server.hang_up()
            wait_until(lambda: fetch(front.address, "/").body == b"new", 10)
            for number in (1, 2):
                go.release()
                assert next(pieces) == b"%d" % number
            go.release()
            assert list(pieces) == []
            connection.send(request("/"))
            assert connection.response().body == b"new"


def test_draining_finishes_what_is_passed_on(tmp_path: Path) -> None:
    go = threading.Event()

    def answer(call: Call) -> None:
        call.send(response(fields={"Content-Length": "5"}))
        assert go.wait(20)
        call.send(HELLO)

    with (
        Upstream(answer) as upstream,
        constant(upstream.url, tmp_path) as front,
        Connection(front.address) as connection,
    ):
        connection.send(request("/"))
        head = connection.head()
        stopper = threading.Thread(target=front.server.stop)
        stopper.start()
        front.server.wait_line("drain|stopping|finish|ending", timeout_s=2)
        go.set()
        assert connection.body(head) == HELLO
        stopper.join(20)
        assert front.server.wait() == 0


@pytest.mark.parametrize("limit", [64, 128])
def test_when_descriptors_run_out(tmp_path: Path, limit: int) -> None:
    """Requests that hang use them up; then there are errors, and when they end all is well."""
    go = threading.Event()

    def answer(call: Call) -> None:
        assert go.wait(60)
        call.send(response(HELLO))

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    with Upstream(answer) as upstream, ExitStack() as stack:
        script = tmp_path / "pass_on.py"
        script.write_text(CONSTANT.format(url=upstream.url))
        options = ["--threads", "1", "--access-log", "off"]
        server = stack.enter_context(running(script, *options, before_exec=few))
        connections = [
            stack.enter_context(Connection(server.address, timeout_s=20)) for _ in range(limit)
        ]
        for connection in connections:
            connection.send(request("/"))
        go.set()
        answered = 0
        for connection in connections:
            with suppress(Exception):
                answered += connection.response().body == HELLO
            connection.close()
        assert answered
        wait_until(lambda: fetch(server.address, "/").body == HELLO, 20)
