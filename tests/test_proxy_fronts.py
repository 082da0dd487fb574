"""Clients that speak HTTP/2, and encrypted ones: upstreams are asked over HTTP/1.1 all the same."""

import json
import random

import pytest
from support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS
from support.proxying import Front, named
from support.tls import Secure, blind
from support.upstream import Call, Upstream, chunks, echo, reply, response, say, say_and_close

LARGE = random.Random(1).randbytes(3 << 20)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_requests_over_http2(front: Front, tls: bool) -> None:
    with Upstream() as upstream, front.connect2(tls=tls) as client:
        for _ in range(3):
            got = client.get("/a?b", [*named(upstream), ("x-a", "b"), ("accept", "c/d")])
            said = json.loads(got.body)
            assert (said["method"], said["target"]) == ("GET", "/a?b")
            assert ["x-a", "b"] in said["fields"]
            assert ["accept", "c/d"] in said["fields"]
            assert ["host", "site.test"] in said["fields"]
        got = client.post("/", b"hello", named(upstream))
        assert json.loads(got.body)["body"] == "hello"
        assert upstream.accepted == 1
        assert upstream.last.version == "1.1"


def test_a_length_is_passed_on(front: Front) -> None:
    with Upstream() as upstream, front.connect2() as client:
        client.post("/", b"hello", [*named(upstream), ("content-length", "5")])
        assert upstream.last.header("content-length") == "5"
        client.post("/", b"hello", named(upstream))
        assert upstream.last.body() == b"hello"


def test_cookies_are_one_field_again(front: Front) -> None:
    """RFC 9113 section 8.2.3."""
    with Upstream() as upstream, front.connect2() as client:
        client.get("/", [*named(upstream), ("cookie", "a=b"), ("x-a", "b"), ("cookie", "c=d")])
        assert upstream.last.all("cookie") == ["a=b; c=d"]


def test_host_in_place_of_authority(front: Front) -> None:
    with Upstream() as upstream, front.connect2() as client:
        pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/")]
        block = client.encoder.encode([*pseudo, ("host", "b.test"), *named(upstream)])
        assert client.response(client.open(block)).status == 200
        assert upstream.last.header("host") == "b.test"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (response(LARGE), LARGE),
        (response(b""), b""),
        (response(fields={"Transfer-Encoding": "chunked"}) + chunks(LARGE, b"end"), LARGE + b"end"),
        (response(fields={"Transfer-Encoding": "chunked"}) + chunks(), b""),
        (b"HTTP/1.1 200 OK\r\n\r\n" + LARGE, LARGE),
        (b"HTTP/1.0 200 OK\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
    ],
    ids=["length", "empty", "chunks", "no chunks", "until close", "nothing", "204", "304"],
)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_bodies_over_http2(front: Front, data: bytes, body: bytes, tls: bool) -> None:
    with Upstream(say_and_close(data)) as upstream, front.connect2(tls=tls) as client:
        for _ in range(2):
            got = client.get("/", named(upstream))
            assert got.status == int(data[9:12])
            assert got.body == body
            assert got.reset is None
            for name in ("connection", "transfer-encoding", "keep-alive", "upgrade"):
                assert name not in got.headers


def test_head_over_http2(front: Front) -> None:
    with Upstream(say(b"HTTP/1.1 200 OK\r\nContent-Length: 174\r\n\r\n")) as upstream:
        with front.connect2() as client:
            for _ in range(2):
                got = client.get("/", named(upstream), method="HEAD")
                assert (got.status, got.body) == (200, b"")
                assert got.headers["content-length"] == "174"
        assert upstream.accepted == 1


def test_many_streams_at_once(front: Front) -> None:
    """Each has a connection upstream to itself while it lasts, and they are used again."""

    def answer(call: Call) -> None:
        call.send(response(call.target.encode() * 1000))

    with Upstream(answer) as upstream, front.connect2() as client:
        for _ in range(3):
            streams = {client.ask(f"/{n}", headers=named(upstream)): n for n in range(60)}
            for stream, number in streams.items():
                assert client.response(stream).body == f"/{number}".encode() * 1000
        assert upstream.accepted <= 60


def test_uploads_at_once(front: Front) -> None:
    with Upstream() as upstream, front.connect2() as client:
        streams = [
            client.open(client.block(f"/{n}", "POST", named(upstream)), end=False)
            for n in range(20)
        ]
        for piece in (b"one", b"two"):
            for stream in streams:
                client.send_frame(DATA, 0, stream, piece)
        for stream in reversed(streams):
            client.send_frame(DATA, END_STREAM, stream, b"end")
        for number, stream in enumerate(streams):
            said = json.loads(client.response(stream).body)
            assert (said["target"], said["body"]) == (f"/{number}", "onetwoend")


def test_trailers_of_a_request_over_http2(front: Front) -> None:
    with Upstream() as upstream, front.connect2() as client:
        for _ in range(2):
            stream = client.open(client.block("/", "POST", named(upstream)), end=False)
            client.send_frame(DATA, 0, stream, b"hello")
            trailers = client.encoder.encode([("x-checksum", "abc")])
            client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers)
            assert json.loads(client.response(stream).body)["body"] == "hello"
            assert upstream.last.trailers == [("x-checksum", "abc")]


def test_trailers_stay_with_their_request(front: Front) -> None:
    """Those of a stream that is refused are nobody's."""
    with Upstream() as upstream, front.connect2() as client:
        streams = [
            client.open(client.block("/", "POST", named(upstream)), end=False) for _ in range(2)
        ]
        trailers = client.encoder.encode([("x-checksum", "abc"), (":path", "/")])
        client.send_frame(HEADERS, END_HEADERS | END_STREAM, streams[0], trailers)
        client.send_frame(DATA, END_STREAM, streams[1], b"hello")
        assert json.loads(client.response(streams[1]).body)["body"] == "hello"
        assert upstream.last.trailers == []
        assert client.response(streams[0]).reset is not None


@pytest.mark.parametrize("name", ["content-length", "host", "transfer-encoding", "x-forwarded-for"])
def test_trailers_over_http2_that_would_frame_are_not_passed_on(front: Front, name: str) -> None:
    with Upstream() as upstream, front.connect2() as client:
        stream = client.open(client.block("/", "POST", named(upstream)), end=False)
        client.send_frame(DATA, 0, stream, b"hello")
        trailers = client.encoder.encode([(name, "1"), ("x-checksum", "abc")])
        client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers)
        assert json.loads(client.response(stream).body)["body"] == "hello"
        assert upstream.last.trailers == [("x-checksum", "abc")]


def test_an_early_answer_over_http2(front: Front) -> None:
    """RFC 9113 section 8.1: the stream may be reset with NO_ERROR behind a whole response."""

    def early(call: Call) -> None:
        if call.method == "POST":
            call.send(response(b"no", 403, {"Connection": "close"}))
            call.close()
        else:
            call.send(response(b"hello"))

    with Upstream(early) as upstream, front.connect2() as client:
        stream = client.open(client.block("/", "POST", named(upstream)), end=False)
        client.send_frame(DATA, 0, stream, b"x" * 1000)
        got = client.response(stream)
        assert (got.status, got.body) == (403, b"no")
        assert got.reset in (None, 0)
        assert client.get("/", named(upstream)).body == b"hello"


def test_http1_over_tls(front: Front) -> None:
    with Upstream(echo) as upstream, Secure(front.tls_address, blind()) as connection:
        for _ in range(3):
            connection.send(front.request(upstream, method="POST", body=b"hello"))
            assert json.loads(connection.response().body)["body"] == "hello"
        upstream.answer = reply(LARGE)
        connection.send(front.request(upstream))
        assert connection.response().body == LARGE
        connection.send(front.request(upstream, method="PUT", body=LARGE))
        assert connection.response().body == LARGE
        assert upstream.last.body() == LARGE


def test_a_broken_body_over_tls_is_no_proper_end(front: Front) -> None:
    """No close_notify that would say that it was all."""
    data = b"HTTP/1.1 200 OK\r\n\r\nhello"

    def answer(call: Call) -> None:
        call.send(data)
        call.reset()

    with Upstream(answer) as upstream, Secure(front.tls_address, blind()) as connection:
        connection.send(front.request(upstream, version="1.0", headers={"Host": "a"}))
        try:
            got = connection.response()
        except (OSError, AssertionError, EOFError):
            return
        assert got.status == 502
