"""Upstreams that fail: the client learns of it, and nobody else is harmed.

Before a response has begun, that is a status of its own; after that, an end that no client takes
for the end of the body. Never a response that looks whole and is not.
"""

import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.http2 import INTERNAL_ERROR, NO_ERROR
from support.proxying import Front, by_field, certificate, constant, named
from support.upstream import (
    Answer,
    Call,
    Upstream,
    chunks,
    reply,
    response,
    say,
    say_and_close,
)
from support.wire import Closed, FramingError, request

HELLO = b"hello"
AFTER = reply(b"after")


def failed(front: Front, upstream: Upstream | str, *statuses: int) -> None:
    """One request, which is answered with an error; the client's connection goes on."""
    with front.connect() as connection:
        connection.send(front.request(upstream))
        got = connection.response()
        assert got.status in (statuses or (502,)), got
        if "close" not in got.tokens("connection"):
            with Upstream(AFTER) as other:
                connection.send(front.request(other))
                assert connection.response().body == b"after"


def recovers(front: Front, upstream: Upstream) -> None:
    """The same upstream is asked again as soon as it answers."""
    upstream.answer = AFTER
    for _ in range(3):
        assert front.fetch(upstream).body == b"after"


# --- no connection ----------------------------------------------------------------------------


def test_nobody_listens(front: Front) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        failed(front, url)


def test_no_such_socket(front: Front) -> None:
    failed(front, "unix:/nowhere/at/all")


def test_no_such_name(front: Front) -> None:
    failed(front, "http://nowhere.invalid:80", 502, 503, 504)


def test_an_upstream_that_comes_back(front: Front) -> None:
    with Upstream(AFTER) as first:
        assert front.fetch(first).body == b"after"
        port = first.port
    failed(front, f"http://127.0.0.1:{port}")
    with Upstream(AFTER, port=port) as second:
        assert front.fetch(second).body == b"after"


def test_a_queue_of_connections_that_is_full(tmp_path: Path) -> None:
    """Nobody accepts, and the system does not answer either."""
    with (
        socket.socket() as full,
        by_field(tmp_path, "--upstream-connect-timeout-s", "1") as front,
        ExitStack() as stack,
    ):
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        with front.connect(timeout_s=30) as connection:
            connection.send(front.request(url))
            assert connection.response().status == 504


def test_a_certificate_that_nobody_vouches_for(front: Front, tmp_path: Path) -> None:
    """The upstream may be anybody: it gets no request."""
    certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "cert.key")
    with Upstream(AFTER, context=context) as upstream:
        for url in (upstream.url, f"https://localhost:{upstream.port}"):
            failed(front, url)
        assert not upstream.calls


def test_tls_with_somebody_who_speaks_none(front: Front) -> None:
    def answer(call: Call) -> None:
        raise AssertionError("no request can be read from a handshake")

    with Upstream(answer) as upstream:
        failed(front, f"https://127.0.0.1:{upstream.port}", 502, 504)
        upstream.unclear.clear()


# --- no head ----------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", [Call.close, Call.reset], ids=["closes", "resets"])
def test_an_upstream_that_hangs_up(front: Front, leave: Callable[[Call], None]) -> None:
    def answer(call: Call) -> None:
        call.drain()
        leave(call)

    with Upstream(answer) as upstream:
        failed(front, upstream)
        recovers(front, upstream)


@pytest.mark.parametrize("leave", [Call.close, Call.reset], ids=["closes", "resets"])
@pytest.mark.parametrize(
    "data",
    [
        b"H",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200",
    ],
)
def test_half_a_head(front: Front, data: bytes, leave: Callable[[Call], None]) -> None:
    def answer(call: Call) -> None:
        call.drain()
        call.send(data)
        leave(call)

    with Upstream(answer) as upstream:
        with front.connect() as connection:
            connection.send(front.request(upstream))
            got = connection.response()
            if got.status == 103:
                got = connection.response()
            assert got.status == 502
        recovers(front, upstream)


OK = b"HTTP/1.1 200 OK\r\n"
BAD_HEADS = {
    "text": b"hello\r\n\r\n",
    "zeros": bytes(64),
    "tls alert": b"\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "http/2": b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff",
    "version 2": b"HTTP/2 200 OK\r\n\r\n",
    "version 0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "version 3.7": b"HTTP/3.7 200 OK\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "status 20": b"HTTP/1.1 20 OK\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\n\r\n",
    "status -20": b"HTTP/1.1 -20 OK\r\n\r\n",
    "status x": b"HTTP/1.1 abc OK\r\n\r\n",
    "null in a value": OK + b"X: a\0b\r\nContent-Length: 5\r\n\r\nhello",
    "cr in a value": OK + b"X: a\rb\r\nContent-Length: 5\r\n\r\nhello",
    "no name": OK + b": a\r\nContent-Length: 5\r\n\r\nhello",
    "a name with a space": OK + b"A B: a\r\nContent-Length: 5\r\n\r\nhello",
    "a space before the colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "no colon": OK + b"hello\r\nContent-Length: 5\r\n\r\nhello",
    "folded": OK + b"X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
    "folded first": OK + b" X: a\r\nContent-Length: 5\r\n\r\nhello",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "two lengths in one": OK + b"Content-Length: 5, 6\r\n\r\nhello!",
    "a negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "a length with a sign": OK + b"Content-Length: +5\r\n\r\nhello",
    "a length in hex": OK + b"Content-Length: 0x5\r\n\r\nhello",
    "an empty length": OK + b"Content-Length:\r\n\r\nhello",
    "a length beyond 64 bits": OK + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "a length of 400 digits": OK + b"Content-Length: " + b"5" * 400 + b"\r\n\r\nhello",
    "length and chunks": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, gzip": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\nhello",
    "xchunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n"
    b"Connection: upgrade\r\n\r\n",
    "too many fields": OK + b"" + b"X: a\r\n" * 5000 + b"\r\n",
    "a field without an end": OK + b"X: " + b"a" * 300_000,
    "a line without an end": b"HTTP/1.1 200 " + b"a" * 300_000,
    "fields without an end": OK + b"" + b"X: abcdef\r\n" * 30_000,
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_heads_that_are_refused(front: Front, name: str) -> None:
    """502, one line that says why, and the connection is not used again."""
    with Upstream(say_and_close(BAD_HEADS[name])) as upstream:
        failed(front, upstream)
        recovers(front, upstream)


@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_bad_head_ends_the_connection_upstream(front: Front, name: str) -> None:
    """What follows it is the answer to nobody."""

    def answer(call: Call) -> None:
        call.send(BAD_HEADS[name] + response(b"not for you") * 3)

    with Upstream(answer) as upstream, front.connect() as connection:
        connection.send(front.request(upstream))
        assert connection.response().status == 502
        upstream.answer = AFTER
        assert front.fetch(upstream).body == b"after"
        assert upstream.accepted == 2


def test_line_ends_without_a_cr(front: Front) -> None:
    """Refused, or read as every reader would: what is passed on has them right."""
    data = b"HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\nhello"
    with Upstream(say(data)) as upstream:
        got = front.fetch(upstream)
        assert got.status == 502 or (got.body, got.header("x-a")) == (b"hello", "b")


def test_the_same_length_twice(front: Front) -> None:
    """RFC 9112 section 6.3: refused, or folded into one."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
    with Upstream(say(data)) as upstream:
        got = front.fetch(upstream)
        assert got.status == 502 or (got.body, got.header("content-length")) == (b"hello", "5")


def test_interim_responses_without_end(front: Front) -> None:
    def answer(call: Call) -> None:
        for _ in range(100_000):
            call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")

    with Upstream(answer) as upstream, front.connect() as connection:
        before = front.server.peak_bytes()
        connection.send(front.request(upstream))
        got, interim = connection.response(), 0
        while got.status == 103:
            got, interim = connection.response(), interim + 1
        assert got.status == 502
        assert interim < 1000
        assert front.server.peak_bytes() - before < 16 << 20
        recovers(front, upstream)


# --- bodies -----------------------------------------------------------------------------------

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN_BODIES = {
    "short": b"Content-Length: 100\r\n\r\nhello",
    "nothing of it": b"Content-Length: 100\r\n\r\n",
    "a length that is huge": b"Content-Length: 9223372036854775807\r\n\r\nhello",
    "inside of a chunk": CHUNKED + b"64\r\nhello",
    "behind a chunk": CHUNKED + b"5\r\nhello\r\n",
    "no chunk": CHUNKED,
    "inside of the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "inside of the trailers": CHUNKED + b"5\r\nhello\r\n0\r\nX: a\r\n",
    "a chunk that is too long": CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "no size": CHUNKED + b"5\r\nhello\r\n\r\n0\r\n\r\n",
    "a size that is none": CHUNKED + b"5\r\nhello\r\nxyz\r\n",
    "a negative size": CHUNKED + b"5\r\nhello\r\n-1\r\n\r\n",
    "a size beyond 64 bits": CHUNKED + b"5\r\nhello\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a huge size": CHUNKED + b"5\r\nhello\r\n7fffffffffffffff\r\nhello",
    "endless extensions": CHUNKED
    + b"5\r\nhello\r\n5;"
    + b"a" * 300_000
    + b"\r\nhello\r\n0\r\n\r\n",
    "endless trailers": CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X: a\r\n" * 60_000 + b"\r\n",
}


def truncated(front: Front, upstream: Upstream) -> None:
    """The client gets 502, or an end that is none."""
    with front.connect() as connection:
        connection.send(front.request(upstream))
        try:
            got = connection.response()
        except (FramingError, Closed, ConnectionResetError):
            assert connection.at_end() or not connection.buffer.startswith(b"HTTP/")
            return
        assert got.status == 502, got


@pytest.mark.parametrize("leave", [Call.close, Call.reset], ids=["closes", "resets"])
@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_bodies_that_break_off(front: Front, name: str, leave: Callable[[Call], None]) -> None:
    def answer(call: Call) -> None:
        call.drain()
        call.send(OK + BROKEN_BODIES[name])
        leave(call)

    with Upstream(answer) as upstream:
        truncated(front, upstream)
        recovers(front, upstream)


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_bodies_that_break_off_over_http2(front: Front, name: str) -> None:
    """The stream is reset, not ended; the others go on."""
    data = OK + BROKEN_BODIES[name]
    with Upstream(say_and_close(data)) as upstream, front.connect2() as client:
        got = client.get("/", named(upstream))
        assert got.status == 502 or got.reset is not None
        assert got.reset != NO_ERROR
        upstream.answer = AFTER
        assert client.get("/", named(upstream)).body == b"after"


def test_a_body_without_a_length_that_is_reset(front: Front) -> None:
    """It ends with the connection; a reset is no such end."""
    go = threading.Event()

    def answer(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        assert go.wait(10)
        call.reset()

    with Upstream(answer) as upstream, front.connect() as connection:
        connection.send(front.request(upstream))
        head = connection.head()
        assert head.status == 200
        assert next(connection.chunks()) == b"hello"
        go.set()
        with pytest.raises((FramingError, Closed, ConnectionResetError)):
            list(connection.chunks())


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\n", CHUNKED + b"64\r\n"])
def test_1_0_clients_can_tell_as_well(front: Front, framing: bytes) -> None:
    """A body that ends with the connection can only be told from a broken one by a reset."""
    data = b"HTTP/1.1 200 OK\r\n" + framing + b"hello"
    with Upstream(say_and_close(data)) as upstream, front.connect() as connection:
        connection.send(front.request(upstream, version="1.0", headers={"Host": "a"}))
        try:
            got = connection.response()
        except (FramingError, Closed, ConnectionResetError):
            return
        assert got.status == 502


@pytest.mark.parametrize(
    "data",
    [
        response(HELLO) + b"!",
        response(HELLO) + b"\r\n",
        response(HELLO) + response(b"not for you"),
        b"HTTP/1.1 204 No Content\r\n\r\n" + response(b"not for you"),
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
        response(fields={"Transfer-Encoding": "chunked"}) + chunks(HELLO) + b"0\r\n\r\n",
        response(fields={"Transfer-Encoding": "chunked"}) + chunks(HELLO) + response(b"not you"),
    ],
)
def test_more_than_was_announced(front: Front, data: bytes) -> None:
    """What is too much is nobody's: it is never the answer to the next request."""
    with Upstream(say(data)) as upstream, front.connect() as connection:
        for _ in range(3):
            connection.send(front.request(upstream))
            got = connection.response()
            assert got.body in (HELLO, b"")
            assert got.status in (200, 204, 304)


def test_the_content_of_a_head_response(front: Front) -> None:
    with Upstream(say(response(b"not for you"))) as upstream, front.connect() as connection:
        for _ in range(3):
            connection.send(front.request(upstream, method="HEAD"))
            assert connection.response("HEAD").status == 200
        upstream.answer = AFTER
        connection.send(front.request(upstream))
        assert connection.response().body == b"after"


# --- idle connections -------------------------------------------------------------------------


def test_a_response_to_nobody(front: Front) -> None:
    """What comes on an idle connection is never the answer to the request that comes next."""
    stray = response(b"not for you")
    with Upstream(AFTER) as upstream:
        for _ in range(10):
            assert front.fetch(upstream).body == b"after"
            upstream.last.send(stray)
            assert front.fetch(upstream).body == b"after"
        assert upstream.accepted > 1


@pytest.mark.parametrize("leave", [Call.close, Call.reset], ids=["closes", "resets"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_idle_connection_that_was_closed(
    front: Front, leave: Callable[[Call], None], method: str
) -> None:
    with Upstream(AFTER) as upstream:
        for count in range(1, 6):
            body = b"" if method == "GET" else HELLO
            assert front.fetch(upstream, method=method, body=body).body == b"after"
            assert upstream.accepted == count
            leave(upstream.last)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_connection_that_is_closed_as_it_is_used_again(front: Front, method: str) -> None:
    """The upstream gave up on it while the request was on its way: it is asked once more."""

    def answer(call: Call) -> None:
        call.drain()
        if call.link.number == 1 and call is not upstream.calls[0]:
            call.close()
            return
        call.send(response(call.body() or b"after"))

    with Upstream(answer) as upstream:
        body = b"" if method == "GET" else HELLO
        for _ in range(3):
            got = front.fetch(upstream, method=method, body=body)
            assert (got.status, got.body) == (200, body or b"after")
        assert upstream.accepted == 2


def test_a_post_is_not_sent_twice(front: Front) -> None:
    """Nobody knows what became of it, so the client has to decide (RFC 9110 section 9.2.2)."""

    def answer(call: Call) -> None:
        call.drain()
        if call.method == "POST":
            call.close()
        else:
            call.send(response(b"after"))

    with Upstream(answer) as upstream:
        assert front.fetch(upstream).status == 200
        assert front.fetch(upstream, method="POST", body=HELLO).status == 502
        assert [call.method for call in upstream.calls] == ["GET", "POST"]


def test_a_fresh_connection_that_closes_is_no_reason_to_try_again(front: Front) -> None:
    def answer(call: Call) -> None:
        call.drain()
        call.close()

    with Upstream(answer) as upstream:
        failed(front, upstream)
        assert len(upstream.calls) == 1


def test_a_response_that_had_begun_is_not_asked_for_again(front: Front) -> None:
    def answer(call: Call) -> None:
        call.drain()
        if len(upstream.calls) > 1:
            call.send(b"HTTP/1.1 200 OK\r\nContent-")
            call.close()
        else:
            call.send(response(b"after"))

    with Upstream(answer) as upstream:
        assert front.fetch(upstream).status == 200
        assert front.fetch(upstream).status == 502
        assert len(upstream.calls) == 2


# --- answers while the request is still on its way --------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("leave", [None, Call.close, Call.reset], ids=["stays", "closes", "resets"])
def test_an_answer_before_the_end_of_the_body(
    front: Front, framing: str, leave: Callable[[Call], None] | None
) -> None:
    """413 in the middle: the client gets it, and the rest of its body reaches nobody else."""

    def answer(call: Call) -> None:
        next(call.pieces())
        call.send(response(b"too large", 413))
        if leave is not None:
            leave(call)
        else:
            call.wait_closed()

    with Upstream(answer) as upstream, front.connect() as connection:
        headers = {"Content-Length": str(8 << 20)}
        if framing == "chunked":
            headers = {"Transfer-Encoding": "chunked"}
        connection.send(front.request(upstream, headers=headers, method="PUT"))
        piece = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" * 2000
        try:
            for _ in range((8 << 20) // len(piece)):
                connection.send(chunks(piece, end=b"") if framing == "chunked" else piece)
        except OSError:
            pass
        try:
            got = connection.response()
        except (Closed, ConnectionResetError):
            # Closed while the client was sending: the system has thrown the answer away.
            pass
        else:
            assert got.status in (413, 502)
            assert got.status == 413 or leave is Call.reset
        upstream.answer = AFTER
        assert front.fetch(upstream).body == b"after"
        assert all(call.target != "/smuggled" for call in upstream.calls)


def test_an_upload_that_the_upstream_does_not_want(front: Front) -> None:
    """It closes at once: 502, or whatever it said."""

    def answer(call: Call) -> None:
        call.reset()

    with Upstream(answer) as upstream:
        got = front.fetch(upstream, method="POST", body=b"x" * 100_000)
        assert got.status == 502
        recovers(front, upstream)


# --- others -----------------------------------------------------------------------------------


def test_other_connections_are_unharmed(front: Front) -> None:
    """While one upstream does everything wrong, requests to another are answered."""

    def answer(call: Call) -> None:
        bad = [*BAD_HEADS.values()]
        call.send(bad[len(broken.calls) % len(bad)])
        call.close()

    with Upstream(answer) as broken, Upstream(AFTER) as good, front.connect() as connection:
        for _ in range(60):
            with front.connect() as other:
                other.send(front.request(broken))
                connection.send(front.request(good))
                assert connection.response().body == b"after"
                assert other.response().status == 502
        assert good.accepted == 1


def test_a_stream_that_fails_harms_no_other(front: Front) -> None:
    """The same over HTTP/2, on one connection."""

    def answer(call: Call) -> None:
        bad = [*BAD_HEADS.values()]
        call.send(bad[len(broken.calls) % len(bad)])
        call.close()

    with Upstream(answer) as broken, Upstream(AFTER) as good, front.connect2() as client:
        for _ in range(40):
            first = client.ask("/", headers=named(broken))
            second = client.ask("/", headers=named(good))
            assert client.response(second).body == b"after"
            got = client.response(first)
            assert got.status == 502 or got.reset == INTERNAL_ERROR


def test_a_connection_each_for_those_that_wait(front: Front) -> None:
    """Fifty requests to an upstream that answers none of them, and then all."""
    go = threading.Event()

    def answer(call: Call) -> None:
        assert go.wait(20)
        call.send(response(call.target.encode()))

    with Upstream(answer) as upstream, ExitStack() as stack:
        connections = [stack.enter_context(front.connect()) for _ in range(50)]
        for number, connection in enumerate(connections):
            connection.send(front.request(upstream, f"/{number}"))
        upstream.wait_calls(50)
        go.set()
        for number, connection in enumerate(connections):
            assert connection.response().body == b"/%d" % number


def test_responses_never_change_places(front: Front) -> None:
    """Connections upstream go through many hands; each answer finds its own question."""
    wrong: list[str] = []

    def answer(call: Call) -> None:
        call.send(response(call.target.encode()))
        if zlib.crc32(call.target.encode()) % 7 == 0:
            call.close()

    def ask(name: str) -> None:
        with front.connect() as connection:
            for number in range(100):
                target = f"/{name}/{number}"
                connection.send(front.request(upstream, target))
                got = connection.response()
                if (got.status, got.body) != (200, target.encode()):
                    wrong.append(f"{target}: {got}")

    with Upstream(answer) as upstream:
        threads = [threading.Thread(target=ask, args=(f"t{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert not wrong


# --- what the operator is told ----------------------------------------------------------------


def hang_up(call: Call) -> None:
    call.drain()
    call.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, "connect.*refused"),
        (hang_up, "head.*closed"),
        (say_and_close(b"hello\r\n\r\n"), "head.*no HTTP"),
        (say_and_close(BAD_HEADS["two lengths"]), "head.*two lengths"),
        (say_and_close(OK + BROKEN_BODIES["short"]), "body.*closed"),
        (
            say_and_close(OK + BROKEN_BODIES["a size that is none"]),
            "body.*chunk",
        ),
    ],
    ids=["refused", "closed", "garbage", "lengths", "short", "chunks"],
)
def test_a_line_names_upstream_phase_and_error(
    answer: Answer | None, expected: str, tmp_path: Path
) -> None:
    with Upstream(answer or AFTER) as upstream:
        if answer is None:
            upstream.close()
        with constant(upstream.url, tmp_path) as front, front.connect() as connection:
            connection.send(request("/"))
            with suppress(FramingError, Closed, ConnectionResetError):
                connection.response()
            line = front.server.wait_line(re.escape(f"127.0.0.1:{upstream.port}")).string
            assert re.search(expected, line), line
