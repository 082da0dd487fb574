"""Random and mutated bytes: whatever is sent, the server lives, answers in form, and in time."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import sites
from support.server import Server, running
from support.sites import HELLO
from support.wire import Closed, Connection, fetch, request

EXAMPLES = 300
"""How many inputs each test tries; by hand, many more."""

SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = {"hello.txt": HELLO, "index.html": b"start", "data.bin": sites.noise(5000)}
    tar = sites.python_tar(tmp_path_factory.mktemp("fuzz") / "site.tar", files)
    with running(tar, "--threads", "1", "--header-timeout-s", "2") as server:
        yield server


def swallow(server: Server, *segments: bytes) -> None:
    """Send, close our half, read every answer; each has to be a valid response."""
    head = any(b"HEAD" in segment for segment in segments)
    with Connection(server.address, timeout_s=8) as connection:
        try:
            for segment in segments:
                connection.send(segment)
            connection.finish()
            while not head and not connection.at_end():
                connection.response()
            while head and connection.socket.recv(1 << 16):
                pass
        except (BrokenPipeError, ConnectionResetError, Closed, OSError) as gone:
            assert not isinstance(gone, TimeoutError), f"hung on {segments!r}"
    assert fetch(server.address, "/hello.txt").body == HELLO
    assert server.alive()


@SETTINGS
@given(data=st.binary(max_size=400))
def test_random_bytes(target: Server, data: bytes) -> None:
    swallow(target, data)


SEEDS = [
    request("/hello.txt"),
    request("/data.bin", {"Range": "bytes=0-9,20-29", "If-Range": '"abc"'}),
    request("/", {"Accept-Encoding": "gzip;q=0.5, br", "If-None-Match": 'W/"a", "b"'}),
    request("/hello.txt", {"Content-Length": "5"}, method="POST") + b"hello",
    request("/hello.txt", {"Transfer-Encoding": "chunked"})
    + b"5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n",
    request("/%68ello.txt?a=b", {"If-Modified-Since": "Tue, 02 Jan 2024 03:04:05 GMT"}),
    request("/hello.txt", {"Expect": "100-continue", "Connection": "keep-alive"}, version="1.0"),
    request("http://a.test/../hello.txt", {"Host": "[::1]:80"}),
]
TOKENS = [b"\r\n", b"\n", b"\0", b" ", b":", b"\r\n ", b"\xff", b"%", b"..", b"/", b";", b","]
TOKENS += [b"HTTP/1.1", b"chunked", b"Content-Length: 3\r\n", b"-1", b"bytes=", b"9" * 30, b'"']


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """One to three valid requests with some bytes cut, doubled or replaced."""
    stream = bytearray(b"".join(draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(stream)))
        length = draw(st.integers(0, 12))
        new = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)))
        stream[at : at + length] = new
    return bytes(stream)


@SETTINGS
@given(stream=mutated(), cut=st.integers(0, 200))
def test_mutated_requests(target: Server, stream: bytes, cut: int) -> None:
    swallow(target, stream[:cut], stream[cut:])


FIELDS = ["Range", "If-Range", "If-None-Match", "If-Match", "Accept-Encoding", "If-Modified-Since"]
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))


@SETTINGS
@given(name=st.sampled_from(FIELDS), value=VALUES | st.from_regex(r"bytes=[0-9,-]{0,40}"))
def test_any_value_of_a_field(target: Server, name: str, value: str) -> None:
    """Senseless values are ignored or refused in form, and the connection stays usable."""
    clean = "".join(c for c in value if " " <= c <= "\xff" and not "\x7f" <= c <= "\x9f")
    with Connection(target.address) as connection:
        connection.send(request("/data.bin", {name: clean}))
        assert connection.response().status in (200, 206, 304, 400, 406, 412, 416)


@SETTINGS
@given(path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=60))
def test_any_path(target: Server, path: str) -> None:
    clean = "".join(c for c in path if not "\x7f" <= c <= "\x9f")
    response = fetch(target.address, "/" + clean)
    assert response.status in (200, 301, 400, 404)
