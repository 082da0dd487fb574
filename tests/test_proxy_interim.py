"""What comes before a response and behind it: 100 and 103, trailers."""

import threading

import pytest
from support.proxying import Front, named
from support.upstream import Call, Upstream, chunks, response, say


def test_100_continue_is_the_upstreams(front: Front) -> None:
    """The body is asked for when the upstream asks for it, and not before the request got there."""

    def answer(call: Call) -> None:
        assert (call.header("expect") or "").lower() == "100-continue"
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.send(response(call.body()))

    with Upstream(answer) as upstream, front.connect() as connection:
        headers = {"Expect": "100-continue", "Content-Length": "5"}
        for _ in range(2):
            connection.send(front.request(upstream, headers=headers, method="POST"))
            assert connection.response().status == 100
            connection.send(b"hello")
            assert connection.response().body == b"hello"


def test_an_upstream_may_refuse_before_the_body(front: Front) -> None:
    """417, 401 ...: the client need not send it, and nothing of it is taken for a request."""

    def refuse(call: Call) -> None:
        call.send(response(b"no", 401, {"Connection": "close"}))
        call.close()

    with Upstream(refuse) as upstream, front.connect() as connection:
        headers = {"Expect": "100-continue", "Content-Length": "1000000"}
        connection.send(front.request(upstream, headers=headers, method="POST"))
        got = connection.response()
        if got.status == 100:
            connection.send(bytes(1_000_000))
            got = connection.response()
        assert (got.status, got.body) == (401, b"no")


def test_a_client_that_does_not_wait(front: Front) -> None:
    """It sends the body at once: the 100 that comes late does no harm."""

    def answer(call: Call) -> None:
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.send(response(call.body()))

    with Upstream(answer) as upstream, front.connect() as connection:
        connection.send(front.request(upstream, method="POST", body=b"hello"))
        got = connection.response()
        if got.status == 100:
            got = connection.response()
        assert got.body == b"hello"
        connection.send(front.request(upstream, method="POST", body=b"again"))
        got = connection.response()
        if got.status == 100:
            got = connection.response()
        assert got.body == b"again"


def test_early_hints_are_passed_on(front: Front) -> None:
    go = threading.Event()

    def answer(call: Call) -> None:
        call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        assert go.wait(10)
        call.send(response(b"hello"))

    with Upstream(answer) as upstream, front.connect() as connection:
        connection.send(front.request(upstream))
        hints = connection.response()
        assert hints.status == 103
        assert hints.header("link") == "</a.css>; rel=preload"
        go.set()
        assert connection.response().body == b"hello"


def test_early_hints_over_http2(front: Front) -> None:
    data = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + response(b"hello")
    with Upstream(say(data)) as upstream, front.connect2() as client:
        got = client.get("/", named(upstream))
        assert got.interim == [103]
        assert got.body == b"hello"


def test_1_0_clients_get_no_interim_response(front: Front) -> None:
    """RFC 9110 section 15.2."""
    data = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + response(b"hello")
    with Upstream(say(data)) as upstream:
        got = front.fetch(upstream, version="1.0", headers={"Host": "a"})
        assert (got.status, got.body) == (200, b"hello")


# --- trailers -------------------------------------------------------------------------------


def test_trailers_of_a_response(front: Front) -> None:
    """They are passed on, or left out; never added to the body or to the next response."""
    data = response(fields={"Transfer-Encoding": "chunked"})
    data += chunks(b"hello", end=b"0\r\nX-Checksum: abc\r\n\r\n")
    with Upstream(say(data)) as upstream, front.connect() as connection:
        for _ in range(2):
            connection.send(front.request(upstream, headers={"TE": "trailers"}))
            head = connection.head()
            if head.header("transfer-encoding"):
                assert b"".join(connection.chunks()) == b"hello"
                assert connection.trailers in ([("X-Checksum", "abc")], [])
            else:
                assert connection.body(head) == b"hello"
        assert upstream.accepted == 1


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host", "Connection"])
def test_trailers_that_would_frame_are_not_passed_on(front: Front, name: str) -> None:
    data = response(fields={"Transfer-Encoding": "chunked"})
    data += chunks(b"hello", end=f"0\r\n{name}: 99\r\n\r\n".encode())
    with Upstream(say(data)) as upstream, front.connect() as connection:
        for _ in range(2):
            connection.send(front.request(upstream, headers={"TE": "trailers"}))
            head = connection.head()
            if head.status == 502:
                return
            assert b"".join(connection.chunks()) == b"hello"
            assert connection.trailers == []


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host", "Connection"])
def test_trailers_over_http2(front: Front, name: str) -> None:
    """They are passed on, or left out; those of one connection never."""
    data = response(fields={"Transfer-Encoding": "chunked"})
    data += chunks(b"hello", end=f"0\r\nX-Checksum: abc\r\n{name}: 99\r\n\r\n".encode())
    with Upstream(say(data)) as upstream, front.connect2() as client:
        for _ in range(2):
            got = client.get("/", named(upstream))
            assert got.status in (200, 502)
            assert got.trailers in ({"x-checksum": "abc"}, {})
            assert got.reset is None


def test_trailers_of_a_request(front: Front) -> None:
    with Upstream() as upstream, front.connect() as connection:
        headers = {"Transfer-Encoding": "chunked", "Trailer": "X-Checksum"}
        for _ in range(2):
            connection.send(front.request(upstream, headers=headers, method="POST"))
            connection.send(chunks(b"hello", end=b"0\r\nX-Checksum: abc\r\nHost: evil\r\n\r\n"))
            assert connection.response().status == 200
            assert upstream.last.body() == b"hello"
            assert upstream.last.trailers == [("x-checksum", "abc")]
