"""Bodies under way: nothing is kept back, and nothing piles up."""

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from support.http2 import CANCEL, DATA, END_STREAM, RST_STREAM, WINDOW_UPDATE
from support.proxying import Front, by_field, named
from support.server import wait_until
from support.upstream import Answer, Call, Upstream, chunks, response
from support.wire import Connection

PIECE = bytes(range(256)) * 1024
MIB = 1 << 20
GROWTH_BYTES = 24 * MIB
"""What a transfer may add to the server's memory: far less than what is transferred."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server whose memory nobody else has used."""
    with by_field(tmp_path_factory.mktemp("streaming")) as front:
        yield front


# --- one piece at a time ----------------------------------------------------------------------


def test_events_arrive_one_by_one(front: Front) -> None:
    """Each is read by the client before the upstream sends the next one."""
    seen = threading.Semaphore(0)

    def events(call: Call) -> None:
        call.send(response(fields={"Content-Type": "text/event-stream",
                                   "Transfer-Encoding": "chunked"}))  # fmt: skip
        for number in range(10):
            call.send(chunks(b"data: %d\n\n" % number, end=b""))
            assert seen.acquire(timeout=10)
        call.send(b"0\r\n\r\n")

    with Upstream(events) as upstream, front.connect() as connection:
        connection.send(front.request(upstream, headers={"Accept": "text/event-stream"}))
        assert connection.head().status == 200
        for number, piece in enumerate(connection.chunks()):
            assert piece == b"data: %d\n\n" % number
            seen.release()
        connection.send(front.request(upstream))
        assert connection.head().status == 200
        for _ in range(10):
            seen.release()


def test_events_arrive_one_by_one_over_http2(front: Front) -> None:
    seen = threading.Semaphore(0)

    def events(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(10):
            call.send(b"data: %d\n\n" % number)
            assert seen.acquire(timeout=10)
        call.close()

    with Upstream(events) as upstream, front.connect2() as client:
        stream = client.ask("/", headers=named(upstream))
        for number in range(10):
            while client.step().kind != DATA:
                pass
            assert client.streams[stream].body.endswith(b"data: %d\n\n" % number)
            seen.release()
        assert client.response(stream).reset is None


def test_the_head_does_not_wait_for_the_body(front: Front) -> None:
    go = threading.Event()

    def slow(call: Call) -> None:
        call.send(response(fields={"Content-Length": "5"}))
        assert go.wait(10)
        call.send(b"hello")

    with Upstream(slow) as upstream, front.connect() as connection:
        connection.send(front.request(upstream))
        assert connection.head().need("content-length") == "5"
        go.set()
        wait_until(lambda: connection.fill() and connection.buffer == b"hello", 10)


def test_a_request_flows_while_it_is_read(front: Front) -> None:
    """The upstream sees each piece before the client sends the next one."""
    got: list[bytes] = []
    seen = threading.Semaphore(0)

    def listen(call: Call) -> None:
        for piece in call.pieces():
            got.append(piece)
            seen.release()
        call.send(response(b"".join(got)))

    for framing in ("length", "chunked"):
        got.clear()
        with Upstream(listen) as upstream, front.connect() as connection:
            headers = {"Content-Length": "50"}
            if framing == "chunked":
                headers = {"Transfer-Encoding": "chunked"}
            connection.send(front.request(upstream, headers=headers, method="POST"))
            for number in range(10):
                piece = b"piece"
                connection.send(chunks(piece, end=b"") if framing == "chunked" else piece)
                assert seen.acquire(timeout=10), (framing, number)
            if framing == "chunked":
                connection.send(b"0\r\n\r\n")
            assert connection.response().body == b"piece" * 10


def test_both_directions_at_once(front: Front) -> None:
    """An upstream that answers while it reads: every piece comes back before the next one."""

    def mirror(call: Call) -> None:
        call.send(response(fields={"Transfer-Encoding": "chunked"}))
        for piece in call.pieces():
            call.send(chunks(piece, end=b""))
        call.send(b"0\r\n\r\n")

    with Upstream(mirror) as upstream, front.connect() as connection:
        headers = {"Transfer-Encoding": "chunked"}
        connection.send(front.request(upstream, headers=headers, method="POST"))
        connection.send(chunks(b"start", end=b""))
        head = connection.head()
        # When the head is sent, nobody knows whether the rest of the request ever comes.
        assert (head.status, head.header("connection")) == (200, "close")
        pieces = connection.chunks()
        assert next(pieces) == b"start"
        for number in range(10):
            connection.send(chunks(b"%d" % number, end=b""))
            assert next(pieces) == b"%d" % number
        connection.send(b"0\r\n\r\n")
        assert list(pieces) == []
        assert connection.at_end()


def test_both_directions_at_once_over_http2(front: Front) -> None:
    def mirror(call: Call) -> None:
        call.send(response(fields={"Transfer-Encoding": "chunked"}))
        for piece in call.pieces():
            call.send(chunks(piece, end=b""))
        call.send(b"0\r\n\r\n")

    with Upstream(mirror) as upstream, front.connect2() as client:
        stream = client.open(client.block("/", "POST", named(upstream)), end=False)
        expected = b""
        for number in range(10):
            client.send_frame(DATA, 0, stream, b"%d" % number)
            expected += b"%d" % number
            while stream not in client.streams or client.streams[stream].body != expected:
                client.step()
        client.send_frame(DATA, END_STREAM, stream)
        assert client.response(stream).body == expected


# --- large bodies and slow readers ------------------------------------------------------------


def flood(total: int) -> Answer:
    """Answer with so many bytes, as fast as they are taken."""

    def answer(call: Call) -> None:
        call.send(response(fields={"Content-Length": str(total)}))
        for _ in range(total // len(PIECE)):
            call.send(PIECE)

    return answer


def test_a_large_download_is_whole(own: Front) -> None:
    total = 64 * MIB
    with Upstream(flood(total)) as upstream, own.connect() as connection:
        before = own.server.peak_bytes()
        connection.send(own.request(upstream))
        assert connection.head().need("content-length") == str(total)
        for _ in range(total // len(PIECE)):
            assert connection.take(len(PIECE)) == PIECE
        assert own.server.peak_bytes() - before < GROWTH_BYTES


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_upstream_that_has_said_all_may_leave(front: Front, framing: str) -> None:
    """It closes behind the last byte, long before the client has read that."""
    pieces = [PIECE] * 12

    def answer(call: Call) -> None:
        if framing == "length":
            call.send(response(b"".join(pieces)))
        elif framing == "chunked":
            call.send(response(fields={"Transfer-Encoding": "chunked"}) + chunks(*pieces))
        else:
            call.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(pieces))
        call.close()
        left.set()

    left = threading.Event()
    with Upstream(answer) as upstream:
        with front.connect(receive_buffer_bytes=16_384) as connection:
            connection.send(front.request(upstream))
            head = connection.head()
            left.wait(2)
            assert connection.body(head) == b"".join(pieces)
        for stop_at in (0, 1000, 60_000):
            with front.connect2(refill=False) as client:
                stream = client.ask("/", headers=named(upstream))
                while stream not in client.streams or len(client.streams[stream].body) < stop_at:
                    client.step()
                left.wait(2)
                client.refill = True
                client.send_frame(WINDOW_UPDATE, 0, 0, MIB.to_bytes(4))
                client.send_frame(WINDOW_UPDATE, 0, stream, MIB.to_bytes(4))
                assert client.response(stream).body == b"".join(pieces)


def test_a_download_that_nobody_reads_waits_upstream(own: Front) -> None:
    """The upstream is held up long before the whole body is in memory."""
    total, sent = 256 * MIB, 0
    blocked = threading.Event()

    def answer(call: Call) -> None:
        nonlocal sent
        call.send(response(fields={"Content-Length": str(total)}))
        call.link.socket.settimeout(1.0)
        try:
            while sent < total:
                call.send(PIECE)
                sent += len(PIECE)
        except TimeoutError:
            blocked.set()
        call.close()

    with Upstream(answer) as upstream:
        before = own.server.peak_bytes()
        with own.connect(receive_buffer_bytes=65_536) as connection:
            connection.send(own.request(upstream))
            assert connection.head().status == 200
            assert blocked.wait(30)
        assert sent < 64 * MIB
        assert own.server.peak_bytes() - before < GROWTH_BYTES


def test_a_stream_that_nobody_reads_holds_up_no_other(own: Front) -> None:
    """HTTP/2: the window of one stream is used up, the others go on."""

    def answer(call: Call) -> None:
        if call.target == "/large":
            flood(64 * MIB)(call)
        else:
            call.send(response(b"small"))

    with Upstream(answer) as upstream, own.connect2(refill=False) as client:
        before = own.server.peak_bytes()
        large = client.ask("/large", headers=named(upstream))
        # More for the connection, none for the stream.
        client.send_frame(WINDOW_UPDATE, 0, 0, MIB.to_bytes(4))
        while large not in client.streams or len(client.streams[large].body) < 65_535:
            client.step()
        for _ in range(20):
            assert client.get("/small", named(upstream)).body == b"small"
        assert own.server.peak_bytes() - before < GROWTH_BYTES
        client.send_frame(RST_STREAM, 0, large, CANCEL.to_bytes(4))
        assert client.get("/small", named(upstream)).body == b"small"


def test_a_large_upload_is_whole(own: Front) -> None:
    total = 64 * MIB
    for framing in ("length", "chunked"):
        count = 0

        def take(call: Call) -> None:
            nonlocal count
            for piece in call.pieces():
                count += len(piece)
            call.send(response(b"%d" % count))

        with Upstream(take) as upstream, own.connect() as connection:
            before = own.server.peak_bytes()
            headers = {"Content-Length": str(total)}
            if framing == "chunked":
                headers = {"Transfer-Encoding": "chunked"}
            connection.send(own.request(upstream, headers=headers, method="PUT"))
            for _ in range(total // len(PIECE)):
                connection.send(chunks(PIECE, end=b"") if framing == "chunked" else PIECE)
            if framing == "chunked":
                connection.send(b"0\r\n\r\n")
            assert connection.response().body == b"%d" % total
            assert own.server.peak_bytes() - before < GROWTH_BYTES


def test_an_upload_that_nobody_reads_waits_at_the_client(own: Front) -> None:
    total, go = 256 * MIB, threading.Event()

    def idle(call: Call) -> None:
        assert go.wait(60)
        call.close()

    with Upstream(idle) as upstream:
        before = own.server.peak_bytes()
        with own.connect(timeout_s=1.0) as connection:
            headers = {"Content-Length": str(total)}
            connection.send(own.request(upstream, headers=headers, method="PUT"))
            sent = 0
            try:
                while sent < total:
                    connection.send(PIECE)
                    sent += len(PIECE)
            except TimeoutError:
                pass
            assert sent < 64 * MIB
        go.set()
        assert own.server.peak_bytes() - before < GROWTH_BYTES


def test_an_upload_over_http2_waits_for_windows(own: Front) -> None:
    """The server takes what it can pass on: the windows it gives are not endless."""
    go, taken = threading.Event(), 0

    def idle(call: Call) -> None:
        nonlocal taken
        assert go.wait(60)
        for piece in call.pieces():
            taken += len(piece)
        call.send(response(b"%d" % taken))

    total = 32 * MIB
    with Upstream(idle) as upstream, own.connect2() as client:
        before = own.server.peak_bytes()
        stream = client.open(client.block("/", "PUT", named(upstream)), end=False)
        client.socket.settimeout(1.0)
        # Until a second has gone by without a larger window.
        with suppress(TimeoutError):
            while client.sent[0] < total:
                client.push(stream, total)
                client.step()
        client.socket.settimeout(10.0)
        assert client.sent[stream] < 16 * MIB
        go.set()
        while client.sent[stream] < total:
            client.step()
            client.push(stream, total)
        client.send_frame(DATA, END_STREAM, stream)
        assert client.response(stream).body == b"%d" % total
        assert own.server.peak_bytes() - before < GROWTH_BYTES


def test_many_downloads_at_once(own: Front) -> None:
    """Slow readers: each costs a few buffers."""
    total = 4 * MIB
    with Upstream(flood(total)) as upstream:
        connections: list[Connection] = []
        before = own.server.peak_bytes()
        try:
            for _ in range(100):
                connections.append(own.connect(receive_buffer_bytes=16_384))
                connections[-1].send(own.request(upstream))
            for connection in connections:
                assert connection.head().status == 200
            assert own.server.peak_bytes() - before < 64 * MIB
            for connection in connections[::10]:
                assert len(connection.take(total)) == total
        finally:
            for connection in connections:
                connection.close()
