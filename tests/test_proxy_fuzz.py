"""Requests and responses that were damaged at random: nobody gets what is somebody else's.

The same ones in every run. Where nothing comes for a moment there is no judgement: the rest of a
damaged body is waited for.
"""

import random
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from support.desync import ATTACKS, WHOLE
from support.proxying import Front, constant
from support.upstream import Call, Upstream, chunks, response
from support.wire import Closed, Connection, FramingError, fetch, request

CASES = 250
QUIET_S = 0.5

REQUESTS = (
    b"GET /a HTTP/1.1\r\nHost: a\r\nX-A: b\r\nConnection: keep-alive\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\nX-A: b\r\n\r\n" + WHOLE,
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n23\r\n"
    + WHOLE
    + b"\r\n5;a=b\r\nhello\r\n0\r\nX-T: a\r\n\r\n",
    b"GET http://b/a?x HTTP/1.1\r\nHost: b\r\nTE: trailers\r\nUpgrade: x\r\n"
    b"Connection: upgrade, te\r\n\r\n",
)
BODY = b"hello world, this is a body"
RESPONSES = (
    response(BODY),
    response(fields={"Transfer-Encoding": "chunked"})
    + chunks(BODY[:5], BODY[5:], end=b"0\r\nX-T: a\r\n\r\n"),
    b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n" + BODY,
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + response(BODY),
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: a\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 27\r\nConnection: keep-alive\r\n\r\n" + BODY,
    b"HTTP/1.1 204 No Content\r\n\r\n",
)
PIECES = (
    *(b"\r", b"\n", b"\r\n", b":", b" ", b"\t", b"\0", b";", b",", b"0", b"5", b"f", b"\xff"),
    *(b"\x0b", b"_", b"-", b"+", b"chunked", b"\r\n\r\n", b"HTTP/1.1", b"Content-Length: 3\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: x-a\r\n"),
    *(b"Host: b\r\n", b"HTTP/1.1 200 OK\r\n", b"GET /smuggled HTTP/1.1\r\n"),
)


def damaged(rng: random.Random, whole: Sequence[bytes]) -> bytes:
    """One of them with some bytes more, less, other or again."""
    data = bytearray(rng.choice(whole))
    for _ in range(rng.choice([1, 1, 1, 2, 3, 5])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at:at] = rng.choice(PIECES)
            case 1:
                del data[at : at + rng.choice([1, 1, 2, 4, 10])]
            case 2:
                data[at : at + 1] = rng.choice(PIECES)
            case _:
                other = rng.randrange(len(data) + 1)
                data[at:at] = data[min(at, other) : max(at, other)][:80]
    return bytes(data) or b"x"


def note(call: Call) -> None:
    call.drain()
    content = b"" if call.method == "HEAD" else call.body()
    call.send(response(content, fields={"X-Target": call.target}))


def test_damaged_requests(tmp_path: Path) -> None:
    """The upstream sees what was answered by it, and each of them clearly."""
    rng = random.Random(7)
    sources = [*REQUESTS * 30, *(data for data in ATTACKS.values() if not data.startswith(b"PRI"))]
    with Upstream(note) as upstream, constant(upstream.url, tmp_path) as front:
        for _ in range(CASES):
            data = damaged(rng, sources)
            upstream.calls.clear()
            targets: list[str] = []
            judged = not data.startswith((b"HEAD", b"PRI"))
            with Connection(front.address, timeout_s=QUIET_S) as connection:
                connection.send(data + request("/next", {"Connection": "close"}))
                try:
                    while True:
                        if target := connection.response().header("x-target"):
                            targets.append(target)
                except (Closed, ConnectionResetError):
                    pass
                except TimeoutError:
                    judged = False
                except FramingError as error:
                    assert not judged, (data, error)
            # Values of trailers are passed on with the spaces that they came with.
            upstream.unclear = [why for why in upstream.unclear if not why.startswith("trailer")]
            assert not upstream.unclear, data
            if judged:
                assert [call.target for call in upstream.calls if call.is_read] == targets, data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_damaged_responses(tmp_path: Path, method: str) -> None:
    """Whoever asks for something else, on the same connection or another, gets that."""
    rng = random.Random(zlib.crc32(method.encode()))
    said = b""

    def answer(call: Call) -> None:
        call.drain()
        if call.target == "/victim":
            call.send(response(b"victim"))
            return
        call.send(said)
        if len(said) % 5:
            call.close()

    with Upstream(answer) as upstream, constant(upstream.url, tmp_path) as front:
        for _ in range(CASES):
            said = damaged(rng, RESPONSES)
            one_on_http1(front, method, said)
            if rng.random() < 0.3:
                one_on_http2(front, method, said)
            assert fetch(front.address, "/victim").body == b"victim", said


def one_on_http1(front: Front, method: str, said: bytes) -> None:
    with Connection(front.address, timeout_s=QUIET_S) as connection:
        connection.send(request("/", method=method) + request("/victim"))
        with suppress(Closed, TimeoutError, ConnectionResetError):
            try:
                got = connection.response(method)
                while got.status < 200:
                    got = connection.response(method)
            except FramingError as error:
                assert broken_off(str(error)), (said, error)
                return
            if "close" not in got.tokens("connection"):
                after = connection.response()
                # What was said too much may have met the next request on its way.
                assert after.body == b"victim" or after.status == 502, (said, got, after)


def broken_off(error: str) -> bool:
    """Whether it is the connection that ended."""
    return "before the end" in error or "inside a line" in error or "trailers" in error


def one_on_http2(front: Front, method: str, said: bytes) -> None:
    with front.connect2() as client, suppress(TimeoutError):
        client.socket.settimeout(QUIET_S)
        got = client.get("/", method=method)
        length = got.headers.get("content-length")
        if got.reset is None and method == "GET" and got.status not in (204, 304) and length:
            assert len(got.body) == int(length), said
        after = client.get("/victim")
        assert after.body == b"victim" or after.status == 502, said
