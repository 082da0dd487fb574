"""Connections of HTTP/1.0 and 1.1: keep-alive, pipelining, request bodies, 100-continue."""

import pytest
from support.server import Server
from support.sites import FILES, HELLO
from support.wire import Connection, fetch, request


def test_keep_alive_is_the_default_of_1_1(site: Server) -> None:
    with Connection(site.address) as connection:
        for name in ("hello.txt", "empty.txt", "data.bin", "docs/guide.html") * 5:
            connection.send(request(f"/{name}"))
            response = connection.response()
            assert response.body == FILES[name]
            assert "close" not in response.tokens("connection")


@pytest.mark.parametrize("value", ["close", "Close", "foo, close", "close, keep-alive"])
def test_close_is_honoured_and_announced(site: Server, value: str) -> None:
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt", {"Connection": value}))
        response = connection.response()
        assert response.body == HELLO
        assert "close" in response.tokens("connection")
        assert connection.at_end()


def test_nothing_after_a_close_is_answered(site: Server) -> None:
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt", {"Connection": "close"}) + request("/docs/"))
        assert connection.response().body == HELLO
        assert connection.at_end()


def test_1_0_closes(site: Server) -> None:
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt", version="1.0"))
        response = connection.response()
        assert response.body == HELLO
        assert response.header("content-length") == str(len(HELLO))
        assert connection.at_end()


def test_1_0_keep_alive_when_asked(site: Server) -> None:
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt", {"Connection": "keep-alive"}, version="1.0"))
        response = connection.response()
        assert response.body == HELLO
        if "keep-alive" in response.tokens("connection"):
            connection.send(request("/docs/guide.html", version="1.0"))
            assert connection.response().body == FILES["docs/guide.html"]
        assert connection.at_end()


def test_1_0_never_gets_chunks(site: Server) -> None:
    for target in ("/hello.txt", "/", "/missing", "/docs"):
        response = fetch(site.address, target, version="1.0")
        assert response.header("transfer-encoding") is None


@pytest.mark.parametrize("version", ["1.2", "1.9", "2.0", "0.9", "3.0", "1", "11", "1.10", "x.y"])
def test_other_versions(site: Server, version: str) -> None:
    """A higher minor version may be served as 1.1; another major version may not."""
    response = fetch(site.address, "/hello.txt", {"Host": "a"}, version=version)
    allowed = (200, 400, 505) if version in ("1.2", "1.9") else (400, 505)
    assert response.status in allowed


@pytest.mark.parametrize("line", [b"GET /hello.txt\r\n", b"GET /hello.txt\r\n\r\n", b"GET\r\n\r\n"])
def test_0_9_is_not_spoken(site: Server, line: bytes) -> None:
    with Connection(site.address) as connection:
        connection.send(line)
        connection.finish()
        if not connection.at_end():
            assert connection.response().status == 400


def test_pipelining_in_one_segment(site: Server) -> None:
    names = ["hello.txt", "empty.txt", "docs/guide.html", "one.bin"] * 50
    with Connection(site.address) as connection:
        connection.send(b"".join(request(f"/{name}") for name in names))
        for name in names:
            assert connection.response().body == FILES[name]


def test_pipelining_of_mixed_kinds_keeps_the_order(site: Server) -> None:
    with Connection(site.address) as connection:
        connection.send(
            request("/big.bin")
            + request("/hello.txt", method="HEAD")
            + request("/missing")
            + request("/docs?a")
            + request("/hello.txt", method="POST", body=b"ignored")
            + request("/data.bin", {"Range": "bytes=-5"})
            + request("/hello.txt", method="OPTIONS")
            + request("/hello.txt")
        )
        assert connection.response().body == FILES["big.bin"]
        assert connection.response("HEAD").need("content-length") == str(len(HELLO))
        assert connection.response().status == 404
        assert connection.response().status == 301
        assert connection.response().status == 405
        assert connection.response().body == FILES["data.bin"][-5:]
        assert connection.response().status in (200, 204)
        assert connection.response().body == HELLO


def test_pipelining_while_nobody_reads(site: Server) -> None:
    """More answers than socket buffers hold: the server waits instead of piling them up."""
    with Connection(site.address, receive_buffer_bytes=16 * 1024) as connection:
        before = site.resident_bytes()
        connection.send(request("/big.bin") * 60)
        for _ in range(60):
            assert connection.response().body == FILES["big.bin"]
        assert site.resident_bytes() - before < 100_000_000


@pytest.mark.parametrize("size", [1, 2, 7])
def test_one_request_in_small_segments(site: Server, size: int) -> None:
    headers = {"X-Long": "a" * 60, "Accept": "*/*"}
    with Connection(site.address) as connection:
        for _ in range(2):
            connection.send_in_pieces(request("/hello.txt", headers), size, 0.0005)
            assert connection.response().body == HELLO


def test_segments_that_cut_a_pipeline_anywhere(site: Server) -> None:
    stream = request("/hello.txt") + request("/one.bin", method="POST", body=b"12345")
    stream += request("/docs/guide.html")
    for cut in range(1, len(stream), 3):
        with Connection(site.address) as connection:
            connection.send(stream[:cut])
            connection.send(stream[cut:])
            assert connection.response().body == HELLO
            assert connection.response().status == 405
            assert connection.response().body == FILES["docs/guide.html"]


def test_an_empty_line_before_a_request(site: Server) -> None:
    """RFC 9112 section 2.2: at least one CRLF before the request line is ignored."""
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO
        connection.send(b"\r\n" + request("/hello.txt"))
        assert connection.response().body == HELLO


def test_half_closed_client_still_gets_its_answer(site: Server) -> None:
    with Connection(site.address) as connection:
        connection.send(request("/big.bin") + request("/hello.txt"))
        connection.finish()
        assert connection.response().body == FILES["big.bin"]
        assert connection.response().body == HELLO
        assert connection.at_end()


def test_a_get_with_a_body_is_read_past_it(site: Server) -> None:
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt", body=b"GET /missing HTTP/1.1\r\n\r\n"))
        assert connection.response().body == HELLO
        connection.send(request("/one.bin"))
        assert connection.response().body == b"x"


CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.mark.parametrize(
    "body",
    [
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0A\r\n0123456789\r\n000\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX-Trailer: a\r\nX-Other: b\r\n\r\n",
        b"5;name=value\r\nhello\r\n0\r\n\r\n",
        b'5;name="a;b"\r\nhello\r\n0;x\r\n\r\n',
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_chunked_bodies_are_read_to_their_end(site: Server, body: bytes, size: int) -> None:
    with Connection(site.address) as connection:
        connection.send_in_pieces(request("/hello.txt", CHUNKED) + body, size)
        assert connection.response().body == HELLO
        connection.send(request("/one.bin"))
        assert connection.response().body == b"x"


def test_chunked_is_not_case_sensitive(site: Server) -> None:
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt", {"transfer-encoding": "Chunked"}) + b"0\r\n\r\n")
        connection.send(request("/one.bin"))
        assert connection.response().body == HELLO
        assert connection.response().body == b"x"


@pytest.mark.parametrize("expect", ["100-continue", "100-Continue"])
def test_100_continue(site: Server, expect: str) -> None:
    """The interim response comes before the body is sent; or the final one does."""
    headers = {"Expect": expect, "Content-Length": "5"}
    with Connection(site.address, timeout_s=5) as connection:
        connection.send(request("/hello.txt", headers, method="GET"))
        response = connection.response()
        if response.status == 100:
            connection.send(b"12345")
            response = connection.response()
            assert response.body == HELLO
            connection.send(request("/one.bin"))
            assert connection.response().body == b"x"
        else:
            assert "close" in response.tokens("connection")
            assert connection.at_end()


def test_a_refused_expectation_needs_no_body(site: Server) -> None:
    headers = {"Expect": "100-continue", "Content-Length": "1000000"}
    with Connection(site.address, timeout_s=5) as connection:
        connection.send(request("/hello.txt", headers, method="POST"))
        response = connection.response()
        if response.status == 100:
            connection.send(bytes(1_000_000))
            response = connection.response()
        assert response.status == 405


def test_an_unknown_expectation(site: Server) -> None:
    """RFC 9110 section 10.1.1: 417, or ignored."""
    assert fetch(site.address, "/hello.txt", {"Expect": "200-maybe"}).status in (200, 417)


def test_a_body_beyond_the_limit_is_413(site: Server) -> None:
    headers = {"Content-Length": str(1 << 50)}
    with Connection(site.address) as connection:
        connection.send(request("/hello.txt", headers, method="POST"))
        response = connection.response()
        assert response.status in (405, 413)
        assert "close" in response.tokens("connection")
        assert connection.at_end()


def test_many_connections_take_turns(site: Server) -> None:
    connections = [Connection(site.address) for _ in range(100)]
    try:
        for connection in connections:
            connection.send(request("/data.bin"))
        for connection in reversed(connections):
            assert connection.response().body == FILES["data.bin"]
    finally:
        for connection in connections:
            connection.close()
