"""Ambiguous or oversized requests: refused, and the connection ends with them.

What two parsers can read in two ways is how requests are smuggled past a proxy. So after a
400 nothing that follows on the connection is ever answered.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sites
from support.server import Server, command, running
from support.sites import HELLO
from support.wire import Closed, Connection, fetch, request

AFTER = request("/one.bin")
"""A well-formed request behind the bad one: it must not be answered."""


def refused(server: Server, data: bytes, *statuses: int) -> None:
    """The bytes get one error, then the end of the connection."""
    with Connection(server.address, timeout_s=5) as connection:
        connection.send(data + AFTER)
        response = connection.response()
        assert response.status in (statuses or (400,)), (response, data[:200])
        assert "close" in response.tokens("connection")
        assert connection.at_end(), (connection.buffer[:200], data[:200])


def lines(*parts: bytes, start: bytes = b"GET /hello.txt HTTP/1.1") -> bytes:
    """A request head from field lines, ``Host`` included."""
    return b"\r\n".join([start, b"Host: a", *parts]) + b"\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked"


# --- where a body ends ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        [b"Content-Length: 5", CHUNKED],
        [CHUNKED, b"Content-Length: 5"],
        [b"Content-Length: 0", CHUNKED],
        [b"content-length: 5", b"TRANSFER-ENCODING: CHUNKED"],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5, 6"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: -1"],
        [b"Content-Length: +5"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: 5 5"],
        [b"Content-Length: 5a"],
        [b"Content-Length: 1_0"],
        [b"Content-Length: "],
        [b"Content-Length: \xc2\xb2"],
        [b"Content-Length: 1.0"],
        [b"Content-Length: 1e1"],
        [b"Transfer-Encoding: gzip"],
        [b"Transfer-Encoding: chunked, gzip"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: chunked, chunked"],
        [CHUNKED, CHUNKED],
        [CHUNKED, b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: chunkedx"],
        [b'Transfer-Encoding: "chunked"'],
        [b"Transfer-Encoding: chunked;a=b"],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"Transfer-Encoding: "],
        [b"Transfer-Encoding: ,"],
        [b"Transfer-Encoding: chunked\xff"],
    ],
    ids=lambda fields: b" | ".join(fields).decode("latin-1"),
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_ambiguous_length(site: Server, fields: list[bytes], method: bytes) -> None:
    """Identical lengths twice may be folded into one (RFC 9112 6.3); here they are refused."""
    data = lines(*fields, start=method + b" /hello.txt HTTP/1.1") + b"0\r\n\r\n"
    coding = any(b"gzip" in field or b"identity" in field for field in fields)
    refused(site, data, *((400, 501) if coding else (400,)))


@pytest.mark.parametrize("digits", [b"9" * 19, b"9" * 20, b"18446744073709551616", b"9" * 400])
def test_a_huge_length(site: Server, digits: bytes) -> None:
    refused(site, lines(b"Content-Length: " + digits), 400, 413)


def test_transfer_encoding_in_1_0(site: Server) -> None:
    """RFC 9112 section 6.1: an HTTP/1.0 message with it has faulty framing."""
    refused(site, lines(CHUNKED, start=b"GET /hello.txt HTTP/1.0") + b"0\r\n\r\n")


@pytest.mark.parametrize(
    "body",
    [
        b"g\r\n",
        b"\r\n",
        b"-1\r\nx\r\n0\r\n\r\n",
        b"+1\r\nx\r\n0\r\n\r\n",
        b"0x1\r\nx\r\n0\r\n\r\n",
        b"1 \r\nx\r\n0\r\n\r\n",
        b" 1\r\nx\r\n0\r\n\r\n",
        b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        b"1\r\nxy\r\n0\r\n\r\n",
        b"1\r\nx0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n\r\n",
        b"1\nx\r\n0\r\n\r\n",
        b"1\r\nx\n0\r\n\r\n",
        b"1\rx\r\n0\r\n\r\n",
        b"1;a\nb\r\nx\r\n0\r\n\r\n",
        b"1;a=\0\r\nx\r\n0\r\n\r\n",
        b"1;a\rb\r\nx\r\n0\r\n\r\n",
        b"0\r\nX-Trailer: a\n\r\n",
        b"0\r\nX Trailer: a\r\n\r\n",
        b"0\r\n folded: a\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
        b"10000000000000000\r\n",
        b"0000000000000000000000000000000000000000000000000000000000000001x\r\n",
    ],
)
def test_bad_chunks(site: Server, body: bytes) -> None:
    """The answer to the request itself may already be under way; nothing follows it."""
    with Connection(site.address, timeout_s=5) as connection:
        connection.send(lines(CHUNKED) + body + AFTER)
        response = connection.response()
        assert response.status in (200, 400, 413)
        if response.status == 200:
            assert response.body == HELLO
            if not connection.at_end():
                response = connection.response()
                assert response.status == 400
        assert connection.at_end(), connection.buffer[:200]


def test_endless_chunk_extensions_and_trailers(site: Server) -> None:
    for filler in (b"1;" + b"a" * 200_000, b"0\r\n" + b"X-T: a\r\n" * 50_000):
        with Connection(site.address, timeout_s=5) as connection:
            try:
                connection.send(lines(CHUNKED) + filler + b"\r\n\r\n" + AFTER)
            except (BrokenPipeError, ConnectionResetError):
                continue  # closed while we were still sending
            try:
                answers = [connection.response()]
                while not connection.at_end():
                    answers.append(connection.response())
            except (Closed, ConnectionResetError):
                continue
            assert all(answer.body != b"x" for answer in answers)


# --- lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET /hello.txt HTTP/1.1\nHost: a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\n\n",
        b"GET /hello.txt HTTP/1.1\nHost: a\n\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\r\nHost: a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX\tY: b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX\xc3\xa4: b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\n\x00\r\n\r\n",
        b"GET /hello.txt\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hel lo.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET  /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hello.txt  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET\t/hello.txt\tHTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1 \r\nHost: a\r\n\r\n",
        b" GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1X\r\nHost: a\r\n\r\n",
        b"GET /hello.txt http/1.1\r\nHost: a\r\n\r\n",
        b"GET /hello.txt HTTPS/1.1\r\nHost: a\r\n\r\n",
        b"G@T /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET(/hello.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET\r\n\r\n",
        b"/hello.txt\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n",
    ],
)
def test_malformed_head(site: Server, data: bytes) -> None:
    refused(site, data, 400, 505)


@pytest.mark.parametrize("version", ["1.2", "1.9"])
def test_a_later_minor_version(site: Server, version: str) -> None:
    """Answered as by a server of 1.1, or refused for its version; nothing in it is malformed."""
    with Connection(site.address, timeout_s=5) as connection:
        connection.send(request("/hello.txt", {"Host": "a"}, version=version))
        response = connection.response()
        assert response.version == "1.1"
        assert response.status == 505 or (response.status, response.body) == (200, HELLO)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /hello.txt HTTP/1.1\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nX: a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a, b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: user@a\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: a:port\r\n\r\n",
        b"GET /hello.txt HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET /hello.txt HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_missing_or_faulty_host(site: Server, data: bytes) -> None:
    """RFC 9112 section 3.2."""
    refused(site, data)


@pytest.mark.parametrize(
    "host", ["a", "A.Test", "a:80", "a:", "[::1]", "[::1]:80", "127.0.0.1", ""]
)
def test_good_hosts(site: Server, host: str) -> None:
    """An empty Host is what a client sends that has no authority."""
    assert fetch(site.address, "/hello.txt", {"Host": host}).body == HELLO


# --- limits -------------------------------------------------------------------------------------


def test_default_limits(site: Server) -> None:
    """16 KiB of request line, 32 KiB of header, 128 fields."""
    long = b"GET /hello.txt?" + b"a" * 15_000 + b" HTTP/1.1"
    many = [b"X-%d: a" % n for n in range(120)]
    for data in (lines(start=long), lines(*many), lines(b"X: " + b"a" * 30_000)):
        with Connection(site.address) as connection:
            connection.send(data)
            assert connection.response().body == HELLO
    refused(site, lines(start=b"GET /" + b"a" * 17_000 + b" HTTP/1.1"), 414)
    refused(site, b"G" * 20_000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 414, 501)
    refused(site, lines(*[b"X-%d: a" % n for n in range(140)]), 431)
    refused(site, lines(b"X: " + b"a" * 40_000), 431)
    refused(site, lines(b"X" * 40_000 + b": a"), 431)
    refused(site, lines(*[b"X-%d: %s" % (n, b"a" * 900) for n in range(60)]), 431)


def test_a_line_without_end_is_cut_at_the_limit(site: Server) -> None:
    """The limit counts before the end of the line has been seen."""
    for start, status in ((b"GET /", 414), (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", 431)):
        with Connection(site.address, timeout_s=5) as connection:
            connection.send(start + b"a" * 60_000)
            assert connection.response().status == status
            assert connection.at_end()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose limits are set by flags."""
    tree = sites.write_tree(
        tmp_path_factory.mktemp("strict"), {"hello.txt": HELLO, "one.bin": b"x"}
    )
    limits = [
        "--max-request-line-bytes=300",
        "--max-header-bytes=1000",
        "--max-header-fields=5",
        "--max-body-bytes=100",
    ]
    with running(tree, "--threads", "1", *limits) as server:
        yield server


def test_limits_by_flag(strict: Server) -> None:
    start = b"GET /hello.txt?%s HTTP/1.1"
    for data in (
        lines(start=start % (b"a" * 250)),
        lines(b"A: a", b"B: b", b"C: c", b"D: d"),
        lines(b"A: " + b"a" * 900),
        lines(b"Content-Length: 100") + bytes(100),
    ):
        with Connection(strict.address) as connection:
            connection.send(data)
            assert connection.response().body == HELLO
    refused(strict, lines(start=start % (b"a" * 300)), 414)
    refused(strict, lines(b"A: a", b"B: b", b"C: c", b"D: d", b"E: e"), 431)
    refused(strict, lines(b"A: " + b"a" * 1000), 431)
    refused(strict, lines(b"Content-Length: 101") + bytes(101), 413)


def test_a_chunked_body_is_bounded(strict: Server) -> None:
    """Its length is only known while it is read."""
    with Connection(strict.address, timeout_s=5) as connection:
        connection.send(lines(CHUNKED) + b"32\r\n" + b"a" * 50 + b"\r\n0\r\n\r\n")
        assert connection.response().body == HELLO
    with Connection(strict.address, timeout_s=5) as connection:
        connection.send(lines(CHUNKED) + b"32\r\n%b\r\n32\r\n%b\r\n32\r\n" % (bytes(50), bytes(50)))
        connection.send(bytes(50) + b"\r\n0\r\n\r\n" + AFTER)
        response = connection.response()
        if response.status == 200 and not connection.at_end():
            response = connection.response()
        assert response.status in (200, 413)
        assert connection.at_end()


@pytest.mark.parametrize(
    "flag",
    ["--max-header-bytes=-1", "--max-body-bytes=lots", "--idle-timeout-s=", "--max-connections=x"],
)
def test_a_senseless_limit_is_wrong_usage(flag: str, tmp_path: Path) -> None:
    done = command(tmp_path, flag, "--addr", "127.0.0.1:0", timeout_s=10)
    assert done.returncode == 2
    assert flag.partition("=")[0] in done.stderr
