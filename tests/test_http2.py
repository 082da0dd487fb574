"""HTTP/2 on cleartext, by prior knowledge: the same site as over HTTP/1, and its own framing."""

import json
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import http2, sites
from support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    NO_ERROR,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Closed,
    Http2,
    frame,
)
from support.server import Server, running, wait_until
from support.sites import FILES, HELLO
from support.wire import Connection, fetch, request
from zeroserve import dev_cert

BIG = FILES["big.bin"]


@pytest.fixture
def client(site: Server) -> Iterator[Http2]:
    with Http2(site.address) as client:
        yield client


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose limits on abuse are low enough to be reached in a moment."""
    site = sites.make("tar", tmp_path_factory.mktemp("http2"))
    limits = {
        "streams": 8,
        "resets": 20,
        "faults": 10,
        "settings": 10,
        "pings": 20,
        "empty-frames": 10,
        "small-frames": 20,
        "other-frames": 30,
        "continuations": 4,
    }
    options = [f"--max-http2-{name}={value}" for name, value in limits.items()]
    with running(site, "--threads", "1", "--access-log", "off", *options) as server:
        yield server


def alive(server: Server) -> None:
    """Others are served as if nothing had happened."""
    with Http2(server.address) as client:
        assert client.get("/hello.txt").body == HELLO
    assert fetch(server.address, "/hello.txt").body == HELLO


# --- the same site --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/", "/hello.txt", "/data.bin", "/empty.txt", "/big.bin"])
def test_files_are_those_of_http1(client: Http2, site: Server, target: str) -> None:
    ours, other = client.get(target), fetch(site.address, target)
    assert (ours.status, ours.body) == (other.status, other.body)
    for name in ("content-type", "content-length", "etag", "last-modified", "vary"):
        assert ours.headers.get(name) == other.header(name)
    assert "connection" not in ours.headers


def test_head_has_no_body(client: Http2) -> None:
    response = client.get("/data.bin", method="HEAD")
    assert (response.status, response.headers["content-length"]) == (200, "100000")
    assert response.body == b""


def test_conditions_and_ranges(client: Http2) -> None:
    etag = client.get("/data.bin").headers["etag"]
    assert client.get("/data.bin", [("if-none-match", etag)]).status == 304
    part = client.get("/data.bin", [("range", "bytes=5-9")])
    assert (part.status, part.body) == (206, FILES["data.bin"][5:10])
    parts = client.get("/data.bin", [("range", "bytes=0-1,50000-90000")])
    assert parts.status == 206
    assert FILES["data.bin"][50000:90001] in parts.body
    assert len(parts.body) == int(parts.headers["content-length"])
    assert client.get("/data.bin", [("range", "bytes=900000-")]).status == 416


def test_codings(client: Http2) -> None:
    response = client.get("/app.js", [("accept-encoding", "br")])
    assert sites.decode(response.headers["content-encoding"], response.body) == FILES["app.js"]


def test_errors_and_redirects(client: Http2) -> None:
    assert client.get("/missing").status == 404
    assert client.get("/docs").headers["location"] == "/docs/"
    assert client.get("/hello.txt", method="DELETE").status == 405
    assert client.get("/%zz").status == 400
    assert client.get("*", method="OPTIONS").status == 204


def test_a_mistake_ends_its_stream_only(client: Http2) -> None:
    bad = client.open(client.encoder.encode([(":method", "GET"), (":path", "/hello.txt")]))
    upper = client.open(client.block("/hello.txt", headers=[("x", "a\r\nb")]))
    good = client.ask("/hello.txt")
    assert client.response(bad).reset == PROTOCOL_ERROR
    assert client.response(upper).reset == PROTOCOL_ERROR
    assert client.response(good).body == HELLO


def test_heads_that_are_too_long(client: Http2) -> None:
    assert client.get("/" + "a" * 16_400).status == 414
    fields = [(f"x-{number}", "y") for number in range(140)]
    assert client.get("/hello.txt", fields).status == 431
    # One field that the table holds, repeated: little to send, much to hold.
    value = "z" * 3000
    assert client.get("/hello.txt", [("x-large", value)]).status == 200
    assert client.get("/hello.txt", [("x-large", value)] * 100).status == 431
    assert client.get("/hello.txt").body == HELLO


def test_many_requests_in_one_write(client: Http2) -> None:
    names = ["hello.txt", "data.bin", "style.css", "big.bin", "app.js"] * 20
    first = client.next_stream
    data = b""
    for at, name in enumerate(names):
        block = client.block("/" + name)
        data += frame(HEADERS, END_HEADERS | END_STREAM, first + 2 * at, block)
    client.send(data)
    for at, name in enumerate(names):
        assert client.response(first + 2 * at).body == FILES[name]


def test_answers_of_one_read_leave_in_one_write(client: Http2) -> None:
    client.get("/hello.txt")
    blocks = [client.block("/hello.txt") for _ in range(10)]
    ends = END_HEADERS | END_STREAM
    client.send(b"".join(frame(HEADERS, ends, 3 + 2 * at, b) for at, b in enumerate(blocks)))
    client.step()
    # All ten came with the first.
    assert client.buffer.count(HELLO) == 10


def test_byte_by_byte(site: Server) -> None:
    with Http2(site.address, greet=False) as client:
        data = http2.PREFACE + http2.settings({INITIAL_WINDOW_SIZE: 100})
        data += frame(HEADERS, END_HEADERS | END_STREAM, 1, client.block("/hello.txt"))
        for at in range(len(data)):
            client.send(data[at : at + 1])
            time.sleep(0.001)
        assert client.response(1).body == HELLO


def test_http1_requests_that_begin_like_the_preface(site: Server) -> None:
    for method in ("P", "PR", "PRI", "PROPFIND", "POST"):
        with Connection(site.address) as connection:
            connection.send_in_pieces(request("/hello.txt", method=method), pause_s=0.001)
            assert connection.response().status in (405, 411)
    with Connection(site.address) as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n")
        assert connection.response().status in (400, 505)


def test_over_tls(tmp_path: Path) -> None:
    made = dev_cert.ensure(place=str(tmp_path / "certificates"))
    site = sites.python_tar(tmp_path / "site.tar", {"hello.txt": HELLO, "big.bin": BIG})
    files = ("--cert", made.certificate, "--key", made.key)
    with running(site, "--threads", "1", "--tls-addr", "127.0.0.1:0", *files) as server:
        port = int(server.wait_line(r"^listening on https://127\.0\.0\.1:(\d+)")[1])
        context = ssl.create_default_context(cafile=made.authority)
        with Http2(("127.0.0.1", port), window=1 << 20, context=context) as client:
            streams = [client.ask("/hello.txt") for _ in range(20)]
            big = client.ask("/big.bin")
            assert client.response(big).body == BIG
            for stream in streams:
                assert client.response(stream).body == HELLO
            server.process.terminate()
            assert client.until_closed() == NO_ERROR
            assert server.wait() == 0


# --- windows and priorities -----------------------------------------------------------------------


@pytest.mark.parametrize("window", [300, 1000, 16_384, 1_000_000])
def test_windows_are_kept(site: Server, window: int) -> None:
    with Http2(site.address, window=window, refill=False) as client:
        stream = client.ask("/data.bin")
        body = b""
        while len(body) < 100_000:
            got = client.step()
            if got.kind == DATA:
                assert len(got.payload) <= window
                body += got.payload
                more = struct.pack(">I", len(got.payload))
                client.send(frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, 1, more))
        assert client.response(stream).body == FILES["data.bin"]


def test_nothing_is_sent_into_a_closed_window(site: Server) -> None:
    with Http2(site.address, window=0, refill=False) as client:
        stream = client.ask("/data.bin")
        empty = client.ask("/empty.txt")
        assert client.response(empty).status == 200
        client.send_frame(PING, 0, 0, b"12345678")
        while not client.pongs:
            client.step()
        assert client.streams[stream].body == b""
        # A larger window for all streams, by a setting.
        client.send(http2.settings({INITIAL_WINDOW_SIZE: 7}))
        while len(client.streams[stream].body) < 7:
            client.step()
        client.send(http2.settings({INITIAL_WINDOW_SIZE: 3}))
        client.send_frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 10))
        while len(client.streams[stream].body) < 13:
            client.step()
        assert client.streams[stream].body == FILES["data.bin"][:13]


def test_a_stream_that_is_not_read_does_not_hold_up_others(site: Server) -> None:
    with Http2(site.address, window=1000, refill=False) as client:
        stuck = client.ask("/big.bin")
        for _ in range(5):
            assert client.response(client.ask("/hello.txt")).body == HELLO
        assert len(client.streams[stuck].body) == 1000


def test_the_most_urgent_comes_first(site: Server) -> None:
    with Http2(site.address, window=1 << 24, refill=False) as client:
        later = client.ask("/big.bin", headers=[("priority", "u=6")])
        sooner = client.ask("/big.bin", headers=[("priority", "u=1")])
        client.send_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24))
        client.response(later)
        order = client.order
        # What was under way before the second request came is not taken back.
        assert client.streams[sooner].ended
        last_sooner = len(order) - 1 - order[::-1].index(sooner)
        assert order[-1] == later
        between = order[order.index(sooner) : last_sooner]
        assert between.count(later) == 0


def test_a_priority_can_change(site: Server) -> None:
    with Http2(site.address, window=1 << 24, refill=False) as client:
        first = client.ask("/big.bin", headers=[("priority", "u=2")])
        second = client.ask("/big.bin", headers=[("priority", "u=2")])
        update = struct.pack(">I", first) + b"u=7"
        client.send_frame(PRIORITY_UPDATE, 0, 0, update)
        client.send_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24))
        client.response(first)
        assert client.streams[second].ended
        assert client.order[-1] == first


def test_incremental_responses_share(site: Server) -> None:
    with Http2(site.address, window=1 << 24, refill=False) as client:
        streams = [client.ask("/big.bin", headers=[("priority", "u=3, i")]) for _ in range(3)]
        client.send_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24))
        for stream in streams:
            assert client.response(stream).body == BIG
        middle = client.order[len(client.order) // 2 :][:30]
        assert {middle.count(stream) for stream in streams} == {10}


# --- bodies, resets -------------------------------------------------------------------------------


def test_bodies_are_read_past(client: Http2) -> None:
    assert client.post("/hello.txt", b"x" * 10_000).status == 405
    stream = client.open(client.block("/hello.txt", "GET"), end=False)
    for _ in range(60):
        client.send_frame(DATA, 0, stream, b"y" * 16_000)
    client.send_frame(DATA, END_STREAM, stream, b"")
    assert client.response(stream).body == HELLO


def test_bodies_that_are_too_long(client: Http2) -> None:
    stream = client.open(
        client.block("/hello.txt", "POST", [("content-length", "2000000")]), end=False
    )
    response = client.response(stream)
    assert response.status == 413
    while response.reset is None:
        client.step()
    assert response.reset == NO_ERROR
    unknown = client.open(client.block("/hello.txt", "POST"), end=False)
    for _ in range(70):
        client.send_frame(DATA, 0, unknown, b"y" * 16_000)
    assert client.response(unknown).status == 413
    assert client.get("/hello.txt").body == HELLO


def test_a_length_that_is_wrong(client: Http2) -> None:
    fields = [("content-length", "5")]
    for body in (b"four", b"sixsix"):
        stream = client.ask("/hello.txt", "POST", fields, body=body)
        assert client.response(stream).reset == PROTOCOL_ERROR
    assert client.post("/hello.txt", b"fives", fields).status == 405


def test_continue(client: Http2) -> None:
    fields = [("expect", "100-continue"), ("content-length", "3")]
    stream = client.open(client.block("/hello.txt", "GET", fields), end=False)
    while not client.streams.get(stream, http2.Response()).interim:
        client.step()
    client.send_frame(DATA, END_STREAM, stream, b"abc")
    assert client.response(stream).body == HELLO
    # Nobody would read this one.
    refused = client.response(client.open(client.block("/hello.txt", "POST", fields), end=False))
    assert (refused.status, refused.interim) == (405, [])


def test_trailers(client: Http2) -> None:
    stream = client.open(client.block("/hello.txt", "GET"), end=False)
    client.send_frame(DATA, 0, stream, b"abc")
    trailers = client.encoder.encode([("x-checksum", "1")])
    client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers)
    assert client.response(stream).body == HELLO


def test_padding_and_continuations(client: Http2) -> None:
    block = client.block("/hello.txt", headers=[("x", "y")])
    client.send_frame(HEADERS, END_STREAM | http2.PADDED, 1, b"\x03" + block[:2] + b"\0\0\0")
    client.send_frame(CONTINUATION, 0, 1, block[2:5])
    client.send_frame(CONTINUATION, END_HEADERS, 1, block[5:])
    client.next_stream = 3
    assert client.response(1).body == HELLO


def test_a_reset_in_the_middle(client: Http2) -> None:
    for _ in range(5):
        stream = client.ask("/big.bin")
        client.send_frame(RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL))
    assert client.get("/hello.txt").body == HELLO
    client.send_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24))
    assert client.get("/big.bin").body == BIG


def test_the_client_closes_its_half(site: Server) -> None:
    with Http2(site.address, window=1 << 24) as client:
        client.send_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24))
        stream = client.ask("/big.bin")
        client.refill = False
        client.socket.shutdown(1)
        # What the windows allow is still sent; acknowledging is not possible any more.
        got = b""
        try:
            while True:
                part = client.read_frame()
                got += part.payload if part.kind == DATA else b""
        except Closed:
            pass
        assert stream == 1
        assert got == BIG


# --- the log, reloading, draining -----------------------------------------------------------------


def test_the_log_names_the_protocol(tmp_path: Path) -> None:
    site = sites.python_tar(tmp_path / "site.tar", {"hello.txt": HELLO, "big.bin": BIG})
    log = tmp_path / "access.log"
    with running(site, "--threads", "1", "--access-log", log) as server:
        with Http2(server.address) as client:
            client.get("/hello.txt", [("user-agent", "mine"), ("cookie", "a=b")])
            client.get("/big.bin")
        wait_until(lambda: log.exists() and log.read_text().count("\n") == 2, 5)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["protocol"] for line in lines] == ["HTTP/2.0"] * 2
    assert lines[0]["host"] == "site.test"
    assert lines[0]["user_agent"] == "mine"
    assert [(line["status"], line["bytes"]) for line in lines] == [(200, 14), (200, len(BIG))]


def test_a_reload_does_not_mix_deploys(tmp_path: Path) -> None:
    old, new = b"a" * 2_000_000, b"b" * 2_000_000
    site = sites.python_tar(tmp_path / "site.tar", {"big.bin": old, "version": b"old"})
    with running(site, "--threads", "1") as server, Http2(server.address, refill=False) as client:
        stream = client.ask("/big.bin")
        while len(client.streams.setdefault(stream, http2.Response()).body) < 65_535:
            client.step()
        files = {"big.bin": new, "version": b"new"}
        sites.replace(site, sites.python_tar(tmp_path / "new.tar", files))
        wait_until(lambda: fetch(server.address, "/version").body == b"new", 10)
        client.refill = True
        more = struct.pack(">I", 65_535)
        client.send(frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, stream, more))
        assert client.response(stream).body == old
        assert client.get("/big.bin").body == new


def test_draining_finishes_what_runs(tmp_path: Path) -> None:
    site = sites.python_tar(tmp_path / "site.tar", {"big.bin": BIG, "hello.txt": HELLO})
    with running(site, "--threads", "1") as server, Http2(server.address, refill=False) as client:
        stream = client.ask("/big.bin")
        while len(client.streams.setdefault(stream, http2.Response()).body) < 65_535:
            client.step()
        server.process.terminate()
        while client.going is None:
            got = client.step()
        assert client.going == (0x7FFFFFFF, NO_ERROR)
        # The client had not heard when it sent this.
        late = client.ask("/hello.txt")
        got = client.read_frame()
        assert got.kind == PING
        more = struct.pack(">I", 1 << 24)
        client.send(frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, stream, more))
        assert client.response(late).body == HELLO
        client.send_frame(PING, http2.ACK, 0, got.payload)
        assert client.response(stream).body == BIG
        assert client.until_closed() == NO_ERROR
        assert client.going == (late, NO_ERROR)
        assert server.wait() == 0


def test_an_idle_connection_drains_at_once(tmp_path: Path) -> None:
    site = sites.python_tar(tmp_path / "site.tar", {"hello.txt": HELLO})
    with running(site, "--threads", "1") as server, Http2(server.address) as client:
        client.get("/hello.txt")
        server.process.terminate()
        assert client.until_closed() == NO_ERROR
        assert server.wait() == 0


# --- clients that are slow ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits one second for anything."""
    site = sites.python_tar(tmp_path_factory.mktemp("hasty") / "site.tar", {"big.bin": BIG})
    timeouts = (f"--{what}-timeout-s=1" for what in ("header", "body", "idle", "write"))
    with running(site, "--threads", "1", *timeouts) as server:
        yield server


def test_an_idle_connection_is_closed(hasty: Server) -> None:
    with Http2(hasty.address) as client:
        client.get("/missing")
        assert client.until_closed() == NO_ERROR


def test_a_busy_connection_is_not_idle(hasty: Server) -> None:
    with Http2(hasty.address) as client:
        for _ in range(12):
            assert client.get("/missing").status == 404
            time.sleep(0.3)


def test_pings_do_not_keep_a_connection(hasty: Server) -> None:
    with Http2(hasty.address) as client:
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 8:
                client.send_frame(PING, 0, 0, b"12345678")
                client.step()
                time.sleep(0.1)
        except (Closed, BrokenPipeError):
            return
    raise AssertionError("still open after 8 seconds of pings")


@pytest.mark.parametrize("part", [b"\0\0\x08\x01", frame(HEADERS, END_STREAM, 3, b"\x82")])
def test_an_unfinished_head_ends_the_connection(hasty: Server, part: bytes) -> None:
    with Http2(hasty.address) as client:
        client.get("/missing")
        client.send(part)
        assert client.until_closed() == ENHANCE_YOUR_CALM


def test_an_unfinished_body_ends_its_stream(hasty: Server) -> None:
    with Http2(hasty.address) as client:
        stream = client.open(client.block("/missing", "POST"), end=False)
        client.send_frame(DATA, 0, stream, b"half")
        assert client.response(stream).status == 408


def test_a_response_that_is_not_taken_is_dropped(hasty: Server) -> None:
    with Http2(hasty.address, window=1000, refill=False) as client:
        stream = client.ask("/big.bin")
        assert client.response(stream).reset == http2.CANCEL
        assert len(client.streams[stream].body) == 1000


# --- abuse: the connection closes, others are not harmed ------------------------------------------


def ends(server: Server, client: Http2, code: int) -> None:
    """The connection ends with that code, and the server goes on."""
    assert client.until_closed() == code
    alive(server)


def flood(client: Http2, data: bytes, count: int) -> None:
    """Send something many times, until the server closes."""
    try:
        for _ in range(count):
            client.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def test_rapid_reset(plain: Server) -> None:
    with Http2(plain.address) as client:
        data = b""
        for stream in range(1, 101, 2):
            data += frame(HEADERS, END_HEADERS | END_STREAM, stream, client.block("/big.bin"))
            data += frame(RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL))
        client.send(data)
        ends(plain, client, ENHANCE_YOUR_CALM)


def test_resets_that_the_server_is_made_to_send(plain: Server) -> None:
    with Http2(plain.address, window=0) as client:
        for _ in range(30):
            stream = client.ask("/big.bin")
            flood(client, frame(WINDOW_UPDATE, 0, stream, bytes(4)), 1)
        ends(plain, client, ENHANCE_YOUR_CALM)


def test_more_streams_than_allowed(plain: Server) -> None:
    with Http2(plain.address, window=0, refill=False) as client:
        streams = [client.ask("/hello.txt") for _ in range(9)]
        assert client.response(streams[8]).reset == REFUSED_STREAM
        assert client.settings[3] == 8
        client.send(http2.settings({INITIAL_WINDOW_SIZE: 100}))
        for stream in streams[:8]:
            assert client.response(stream).body == HELLO
        for _ in range(40):
            client.ask("/big.bin")
        ends(plain, client, ENHANCE_YOUR_CALM)


def test_continuations_without_end(plain: Server) -> None:
    with Http2(plain.address) as client:
        client.send_frame(HEADERS, END_STREAM, 1, b"\x82")
        flood(client, frame(CONTINUATION, 0, 1, b""), 50)
        ends(plain, client, ENHANCE_YOUR_CALM)


def test_header_blocks_that_are_too_long(plain: Server) -> None:
    with Http2(plain.address) as client:
        client.send_frame(HEADERS, END_STREAM, 1, b"\0" * 16_384)
        flood(client, frame(CONTINUATION, 0, 1, b"\0" * 16_384), 4)
        ends(plain, client, ENHANCE_YOUR_CALM)


@pytest.mark.parametrize(
    "data",
    [
        frame(SETTINGS, 0, 0),
        frame(PING, 0, 0, bytes(8)),
        frame(PRIORITY, 0, 1, bytes(5)),
        frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\x09u=1"),
        frame(0x77, 0, 0, b"what?"),
    ],
    ids=["settings", "ping", "priority", "priority-update", "unknown"],
)
def test_floods(plain: Server, data: bytes) -> None:
    with Http2(plain.address) as client:
        client.get("/hello.txt")
        flood(client, data, 200)
        ends(plain, client, ENHANCE_YOUR_CALM)


def test_empty_data(plain: Server) -> None:
    with Http2(plain.address) as client:
        stream = client.open(client.block("/hello.txt", "POST"), end=False)
        flood(client, frame(DATA, 0, stream), 100)
        ends(plain, client, ENHANCE_YOUR_CALM)


def test_windows_opened_byte_by_byte(plain: Server) -> None:
    with Http2(plain.address, window=0, refill=False) as client:
        stream = client.ask("/data.bin")
        try:
            for _ in range(100):
                client.send_frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1))
                time.sleep(0.002)
        except (BrokenPipeError, ConnectionResetError):
            pass
        ends(plain, client, ENHANCE_YOUR_CALM)


def test_more_data_than_the_window(plain: Server) -> None:
    with Http2(plain.address) as client:
        client.get("/hello.txt")
        stream = client.open(client.block("/hello.txt", "POST"), end=False)
        size = 16_385
        client.send_frame(DATA, 0, stream, b"x" * size)
        ends(plain, client, http2.FRAME_SIZE_ERROR)


def test_a_window_that_is_too_large(plain: Server) -> None:
    with Http2(plain.address) as client:
        client.send_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF))
        ends(plain, client, http2.FLOW_CONTROL_ERROR)


def test_a_block_that_can_not_be_decoded(plain: Server) -> None:
    with Http2(plain.address) as client:
        client.open(b"\xff\xff\xff\xff\xff\xff")
        ends(plain, client, http2.COMPRESSION_ERROR)


def test_a_client_that_never_reads(plain: Server) -> None:
    """What the server holds for it stays small, and others are served meanwhile."""
    with Http2(plain.address, window=1 << 30, refill=False) as client:
        client.send_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
        before = plain.resident_bytes()
        for _ in range(8):
            client.ask("/big.bin")
        for _ in range(5):
            alive(plain)
        assert plain.resident_bytes() - before < 4 << 20
