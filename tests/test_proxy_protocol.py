"""Behind a balancer: the PROXY protocol says whose connection it is."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import nginx, sites
from support.server import Server, command, running, wait_until
from support.sites import HELLO
from support.wire import Closed, Connection, FramingError, fetch, request

V2 = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 51234 443\r\n"
REFUSED = "proxy_headers_refused"

PEER = """\
#include <zeroserve.h>

ZS_ENTRY zs_u64 peer(void)
{
    static char address[80];
    zs_s64 len = zs_req_peer(address, sizeof address);
    zs_respond(200, address, len);
    return 0;
}
"""


def block(command: int, kind: int, body: bytes) -> bytes:
    return V2 + bytes([0x20 | command, kind]) + len(body).to_bytes(2, "big") + body


def ipv4(source: str, port: int, tail: bytes = b"") -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1")
    return block(1, 0x11, addresses + port.to_bytes(2, "big") + b"\x01\xbb" + tail)


def ipv6(source: str, port: int) -> bytes:
    addresses = socket.inet_pton(socket.AF_INET6, source) + bytes(16)
    return block(1, 0x21, addresses + port.to_bytes(2, "big") + b"\x01\xbb")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return sites.python_tar(tmp_path / "site.tar", {"hello.txt": HELLO})


@contextmanager
def proxied(site: Path, log: Path, *options: str | Path) -> Iterator[Server]:
    arguments = ("--threads", "1", "--access-log", log, *options)
    with running(site, *arguments, addr="127.0.0.1:0,proxy") as server:
        yield server


def remotes(log: Path, count: int) -> list[str]:
    """Who the log says has asked, once there are so many lines."""

    def lines() -> list[str]:
        return log.read_text().splitlines() if log.exists() else []

    wait_until(lambda: len(lines()) >= count, 5, f"fewer than {count} lines")
    return [json.loads(line)["remote"] for line in lines()]


def is_closed(connection: Connection) -> bool:
    """Without an answer."""
    try:
        connection.response()
    except (Closed, FramingError, ConnectionResetError):
        return True
    return False


HEADERS = {
    "v1": (LINE, "203.0.113.9"),
    "v1 IPv6": (b"PROXY TCP6 2001:db8::9 2001:db8::1 51234 443\r\n", "2001:db8::9"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 unknown, longest": (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", "127.0.0.1"),
    "v2": (ipv4("203.0.113.9", 51234), "203.0.113.9"),
    "v2 with more": (ipv4("203.0.113.9", 51234, b"\x02\x00\x07a.test!" * 40), "203.0.113.9"),
    "v2 IPv6": (ipv6("2001:db8::9", 51234), "2001:db8::9"),
    "v2 mapped": (ipv6("::ffff:203.0.113.9", 51234), "203.0.113.9"),
    "v2 unix": (block(1, 0x31, b"/run/a".ljust(216, b"\0")), "unix"),
    "v2 unspecified": (block(1, 0, b""), "127.0.0.1"),
    "v2 local": (block(0, 0, b""), "127.0.0.1"),
    "v2 local with addresses": (ipv4("203.0.113.9", 1).replace(b"\x21", b"\x20", 1), "127.0.0.1"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(archive: Path, tmp_path: Path, name: str) -> None:
    """In one piece with the request, alone, and byte by byte."""
    header, remote = HEADERS[name]
    log = tmp_path / "access.log"
    with proxied(archive, log) as server:
        with Connection(server.address) as connection:
            connection.send(header + request("/hello.txt") + request("/hello.txt"))
            assert [connection.response().body for _ in range(2)] == [HELLO, HELLO]
        with Connection(server.address) as connection:
            connection.send(header)
            time.sleep(0.05)
            connection.send(request("/hello.txt"))
            assert connection.response().body == HELLO
        with Connection(server.address) as connection:
            connection.send_in_pieces(header + request("/hello.txt"), pause_s=0.001)
            assert connection.response().body == HELLO
        assert remotes(log, 4) == [remote] * 4


BAD = {
    "a request": request("/hello.txt"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "no end": b"PROXY TCP4 " + b"1" * 200,
    "a name": b"PROXY TCP4 localhost 192.0.2.1 1 2\r\n",
    "another family": b"PROXY UDP4 203.0.113.9 192.0.2.1 1 2\r\n",
    "a port too large": b"PROXY TCP4 203.0.113.9 192.0.2.1 65536 2\r\n",
    "datagrams": block(1, 0x12, bytes(12)),
    "too short": block(1, 0x11, bytes(8)),
    "too long": block(1, 0x11, bytes(5000)),
    "version 3": V2 + b"\x31\x11\x00\x0c" + bytes(12),
    "cut": None,
}


@pytest.mark.parametrize("name", BAD)
def test_no_header(archive: Path, tmp_path: Path, name: str) -> None:
    """Closed without an answer, said on standard error, and nothing in the log of requests."""
    log = tmp_path / "access.log"
    with proxied(archive, log) as server:
        with Connection(server.address) as connection:
            bad = BAD[name]
            connection.send(LINE[:20] if bad is None else bad + request("/hello.txt"))
            if bad is None:
                connection.finish()
            assert is_closed(connection)
        server.wait_line("connection from 127.0.0.1 closed: .*PROXY")
        with Connection(server.address) as connection:
            connection.send(LINE + request("/hello.txt"))
            assert connection.response().body == HELLO
        assert remotes(log, 1) == ["203.0.113.9"]


@pytest.mark.parametrize("begun", [b"", LINE[:7], V2[:5]])
def test_a_header_that_does_not_come(archive: Path, tmp_path: Path, begun: bytes) -> None:
    with (
        proxied(archive, tmp_path / "log", "--header-timeout-s", "1") as server,
        Connection(server.address) as connection,
    ):
        connection.send(begun)
        assert is_closed(connection)
        server.wait_line("no PROXY header in time")


def test_a_look_whether_anybody_listens(archive: Path, tmp_path: Path) -> None:
    """Balancers and monitors connect and close again: no reason for a line."""
    with proxied(archive, tmp_path / "log") as server:
        for _ in range(3):
            with Connection(server.address) as connection:
                connection.finish()
                assert is_closed(connection)
        assert "closed:" not in server.stderr


def test_many_bad_ones_are_a_few_lines(archive: Path, tmp_path: Path) -> None:
    with proxied(archive, tmp_path / "log") as server:
        for _ in range(50):
            with Connection(server.address) as connection:
                connection.send(b"nonsense")
                assert is_closed(connection)
        server.wait_line("closed: no PROXY header")
        assert server.stderr.count("closed: no PROXY header") == 1


def test_counters(archive: Path) -> None:
    import zeroserve

    with zeroserve.Server(archive, addr="127.0.0.1:0,proxy", threads=1) as server:
        host, port = server.url.removeprefix("http://").split(":")
        for bad in (True, True, False):
            with Connection((host, int(port))) as connection:
                connection.send((b"" if bad else LINE) + request("/hello.txt"))
                assert is_closed(connection) == bad
        assert server.stats()[REFUSED] == 2


def test_who_may_send_it(archive: Path, tmp_path: Path) -> None:
    with (
        proxied(archive, tmp_path / "a", "--proxy-from", "192.0.2.0/24") as server,
        Connection(server.address) as connection,
    ):
        connection.send(LINE + request("/hello.txt"))
        assert is_closed(connection)
        server.wait_line("it may not send PROXY headers")
    allowed = ("--proxy-from", "192.0.2.0/24", "--proxy-from", "127.0.0.1")
    with (
        proxied(archive, tmp_path / "b", *allowed) as server,
        Connection(server.address) as connection,
    ):
        connection.send(LINE + request("/hello.txt"))
        assert connection.response().body == HELLO


@pytest.mark.parametrize("network", ["nonsense", "192.0.2.1/24", "192.0.2.0/33"])
def test_networks_that_are_none(archive: Path, network: str) -> None:
    done = command(archive, "--proxy-from", network)
    assert done.returncode == 2
    assert network in done.stderr


def test_listeners_beside_each_other(archive: Path, tmp_path: Path) -> None:
    """A header is expected where it was said, and a bad request elsewhere."""
    path = tmp_path / "site.sock"
    log = tmp_path / "log"
    addresses = ("--addr", f"unix:{path},proxy")
    with running(archive, *addresses, "--access-log", log, "--threads", "1", addr=None) as server:
        with Connection(str(path)) as connection:
            connection.send(LINE + request("/hello.txt"))
            assert connection.response().body == HELLO
        assert remotes(log, 1) == ["203.0.113.9"]
        assert server.lines[0] == f"listening on http+unix:{path}"
    assert not path.exists()
    another = ("--addr", "127.0.0.1:0,proxy", "--threads", "1")
    with running(archive, *another, "--access-log", "off", addr="127.0.0.1:0") as server:
        server.wait_line("^serving")
        places = [line.removeprefix("listening on http://") for line in server.lines[:2]]
        (behind, plain) = [("127.0.0.1", int(place.rpartition(":")[2])) for place in places]
        assert fetch(plain, "/hello.txt").body == HELLO
        with Connection(behind) as connection:
            connection.send(request("/hello.txt"))
            assert is_closed(connection)
        with Connection(plain) as connection:
            connection.send(LINE)
            assert connection.response().status == 400


def test_scripts_see_the_client(tmp_path: Path) -> None:
    from zeroserve import clang

    if next(clang.compilers(), None) is None:
        pytest.skip("neither clang nor ziglang is installed")
    script = tmp_path / "peer.c"
    script.write_text(PEER)
    with proxied(script, tmp_path / "log") as server:
        for header in (LINE, ipv4("203.0.113.9", 51234)):
            with Connection(server.address) as connection:
                connection.send(header + request("/"))
                assert connection.response().body.rstrip(b"\0") == b"203.0.113.9:51234"


def test_draining_does_not_wait_for_a_header(archive: Path, tmp_path: Path) -> None:
    options = ("--drain-timeout-s", "60", "--header-timeout-s", "60")
    with (
        proxied(archive, tmp_path / "log", *options) as server,
        Connection(server.address) as silent,
        Connection(server.address) as served,
    ):
        silent.send(LINE[:9])
        served.send(LINE + request("/hello.txt"))
        assert served.response().body == HELLO
        assert server.stop() == 0


def test_open_connections_are_bounded(archive: Path, tmp_path: Path) -> None:
    """Those whose header is awaited count."""
    with (
        proxied(archive, tmp_path / "log", "--max-connections", "1") as server,
        Connection(server.address) as silent,
    ):
        silent.send(LINE[:9])
        time.sleep(0.1)
        with Connection(server.address, timeout_s=0.5) as second:
            second.send(LINE + request("/hello.txt"))
            with pytest.raises(TimeoutError):
                second.response()
            silent.close()
            second.socket.settimeout(10)
            assert second.response().body == HELLO


def test_curl(archive: Path, tmp_path: Path) -> None:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    log = tmp_path / "log"
    with proxied(archive, log) as server:
        url = f"{server.url}/hello.txt"
        done = subprocess.run(
            [program, "-s", "--haproxy-protocol", url], capture_output=True, check=True
        )
        assert done.stdout == HELLO
        assert remotes(log, 1) == ["127.0.0.1"]


HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen site
  bind 127.0.0.1:{port}
  server one 127.0.0.1:{to} {send} check inter 100ms
"""


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"])
def test_haproxy(archive: Path, tmp_path: Path, send: str) -> None:
    """The real one, its own checks included: they are connections without a client."""
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("haproxy is not installed (Debian package haproxy)")
    log = tmp_path / "log"
    with proxied(archive, log) as server:
        assert not isinstance(server.address, str)
        port = nginx.free_port()
        config = tmp_path / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, to=server.address[1], send=send))
        balancer = subprocess.Popen([program, "-f", str(config)])
        try:

            def answers() -> bool:
                try:
                    return fetch(("127.0.0.1", port), "/hello.txt").body == HELLO
                except (OSError, Closed, FramingError):
                    return False

            wait_until(answers, 10, "haproxy does not pass on")
            assert set(remotes(log, 1)) == {"127.0.0.1"}
            time.sleep(0.5)
            assert "closed:" not in server.stderr, "a check was taken for a bad client"
        finally:
            balancer.terminate()
            balancer.wait()
