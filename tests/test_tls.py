"""The bytes of a site over TLS, and clients that do not behave.

Certificates are in test_tls_certificates.py, what else belongs to HTTPS in test_tls_options.py.
"""

import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sites
from support.server import Server, wait_until
from support.sites import FILES, HELLO, HIDDEN
from support.tls import (
    NAME,
    VERSIONS,
    Authority,
    Pair,
    Secure,
    blind,
    fetch_secure,
    openssl_run,
    secure,
)
from support.wire import Closed, Connection, FramingError, Response, request, within

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

LARGE = sites.noise(6_000_000, seed=31)
SIZES = (0, 1, 2, 1000, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 262_144, 262_145, 700_000)
"""On both sides of every border: records, copied bodies, pieces, sendfile."""

TIMEOUT_S = 3
"""Of a handshake, for servers of tests about it."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue(NAME, "127.0.0.1")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {name: data for name, data in FILES.items() if name not in HIDDEN}
    files["large.bin"] = LARGE
    files.update({f"size-{size}.bin": sites.noise(size, seed=size) for size in SIZES})
    return sites.python_tar(tmp_path_factory.mktemp("tls") / "site.tar", files)


@pytest.fixture(scope="module")
def server(archive: Path, pair: Pair) -> Iterator[Server]:
    limits = ["--header-timeout-s", str(TIMEOUT_S), "--max-body-bytes", "10000000"]
    with secure(archive, *pair.options, *limits, threads=2) as running:
        yield running


@pytest.fixture(params=list(VERSIONS))
def context(request: pytest.FixtureRequest, authority: Authority) -> ssl.SSLContext:
    """A client of one version of TLS."""
    return authority.trust(version=request.param)


def body_of(server: Server, context: ssl.SSLContext, target: str) -> bytes:
    response = fetch_secure(server.address, context, target)
    assert response.status == 200
    return response.body


def descriptors(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


# --- content --------------------------------------------------------------------------------------


def test_every_file(server: Server, context: ssl.SSLContext) -> None:
    from urllib.parse import quote

    with Secure(server.address, context) as connection:
        for name, data in FILES.items():
            if name in HIDDEN or name == "lonely.html.gz":
                continue
            connection.send(request("/" + quote(name), {"Host": NAME}))
            response = connection.response()
            assert response.status in (200, 301, 404), name
            if response.status == 200:
                assert response.body == data, name


@pytest.mark.parametrize("size", SIZES)
def test_sizes(server: Server, context: ssl.SSLContext, size: int) -> None:
    assert body_of(server, context, f"/size-{size}.bin") == sites.noise(size, seed=size)


def test_large_file(server: Server, context: ssl.SSLContext) -> None:
    assert body_of(server, context, "/large.bin") == LARGE


@pytest.mark.parametrize("kind", sites.KINDS)
def test_kinds_of_sites(kind: sites.Kind, tmp_path: Path, authority: Authority, pair: Pair) -> None:
    site = sites.make(kind, tmp_path, {"hello.txt": HELLO, "large.bin": LARGE})
    with secure(site, *pair.options) as server:
        for _ in range(2):
            assert body_of(server, authority.trust(), "/hello.txt") == HELLO
            assert body_of(server, authority.trust(), "/large.bin") == LARGE


@pytest.mark.parametrize("name", ["hello.txt", "data.bin", "large.bin"])
def test_ranges(server: Server, context: ssl.SSLContext, name: str) -> None:
    data = {**FILES, "large.bin": LARGE}[name]
    middle = len(data) // 2
    with Secure(server.address, context) as connection:
        for start, end in ((0, 0), (0, middle), (middle, len(data) - 1), (1, len(data) - 2)):
            connection.send(request(f"/{name}", {"Range": f"bytes={start}-{end}"}))
            response = connection.response()
            assert response.status == 206
            assert response.body == data[start : end + 1]
        connection.send(request(f"/{name}", {"Range": f"bytes=0-1,{middle}-{middle + 1},-2"}))
        response = connection.response()
        assert response.status == 206
        for part in (data[:2], data[middle : middle + 2], data[-2:]):
            assert b"\r\n\r\n" + part + b"\r\n--" in response.body
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO


def test_head_and_not_modified(server: Server, context: ssl.SSLContext) -> None:
    with Secure(server.address, context) as connection:
        connection.send(request("/large.bin", method="HEAD"))
        head = connection.response("HEAD")
        assert head.need("content-length") == str(len(LARGE))
        connection.send(request("/large.bin", {"If-None-Match": head.need("etag")}))
        assert connection.response().status == 304
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO


@pytest.mark.parametrize("names", [["hello.txt"], ["hello.txt", "data.bin", "large.bin"]])
def test_pipelining(server: Server, context: ssl.SSLContext, names: list[str]) -> None:
    contents = {**FILES, "large.bin": LARGE}
    wanted = (names * 50)[: 50 if len(names) == 1 else 6]
    with Secure(server.address, context) as connection:
        connection.send(b"".join(request(f"/{name}") for name in wanted))
        for name in wanted:
            assert connection.response().body == contents[name]


@pytest.mark.parametrize("size", [1, 4096, 16_385, 5_000_000])
def test_request_bodies(server: Server, context: ssl.SSLContext, size: int) -> None:
    """They are read past, and the next request is found behind them."""
    body = sites.noise(size, seed=5)
    with Secure(server.address, context) as connection:
        connection.send(request("/hello.txt", method="POST", body=body))
        assert connection.response().status == 405
        chunk = f"{size:x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        connection.send(request("/hello.txt", {"Transfer-Encoding": "chunked"}) + chunk)
        assert connection.response().status == 200
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_requests_in_small_records(server: Server, context: ssl.SSLContext, piece: int) -> None:
    with Secure(server.address, context) as connection:
        for _ in range(3):
            connection.send_in_pieces(request("/hello.txt", {"X-A": "b" * 200}), piece)
            assert connection.response().body == HELLO


def test_records_in_small_segments(server: Server, authority: Authority) -> None:
    """TLS below a slow line: each byte of every record, of the handshake too, comes alone."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = authority.trust().wrap_bio(incoming, outgoing, server_hostname=NAME)
    with Connection(server.address) as connection:

        def pump() -> None:
            if outgoing.pending:
                connection.send_in_pieces(outgoing.read())
            else:
                incoming.write(connection.socket.recv(65_536))

        def wait(step: object) -> object:
            assert callable(step)
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    pump()

        wait(session.do_handshake)
        session.write(request("/hello.txt"))
        answer = b""
        while not answer.endswith(HELLO):
            answer += bytes(wait(lambda: session.read(65_536)))  # type: ignore[call-overload]
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_slow_reader(server: Server, context: ssl.SSLContext) -> None:
    """It gets all of it, and others are served meanwhile."""
    with Secure(server.address, context, receive_buffer_bytes=4096) as slow:
        slow.send(request("/large.bin") + request("/hello.txt"))
        time.sleep(0.5)
        for _ in range(5):
            assert body_of(server, context, "/hello.txt") == HELLO
        assert slow.response().body == LARGE
        assert slow.response().body == HELLO


def test_a_reader_that_stops(archive: Path, authority: Authority, pair: Pair) -> None:
    with secure(archive, *pair.options, "--write-timeout-s", "1") as server:
        context = authority.trust()
        before = descriptors(server)
        with Secure(server.address, context, receive_buffer_bytes=4096) as stuck:
            stuck.send(request("/large.bin"))
            wait_until(lambda: descriptors(server) <= before, 15, "the connection is closed")
            with pytest.raises((FramingError, ssl.SSLError, ConnectionError)):
                stuck.response()
        assert body_of(server, context, "/hello.txt") == HELLO


def test_many_connections_at_a_time(server: Server, context: ssl.SSLContext) -> None:
    crowd = [Secure(server.address, context) for _ in range(100)]
    for connection in crowd:
        connection.send(request("/data.bin"))
    for connection in crowd:
        assert connection.response().body == FILES["data.bin"]
        connection.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("version", ["--tlsv1.3", "--tls-max=1.2"])
def test_curl(server: Server, authority: Authority, version: str) -> None:
    assert not isinstance(server.address, str)
    port = server.address[1]
    arguments = ["--silent", "--show-error", "--fail", "--cacert", str(authority.certificate)]
    arguments += [*version.split("="), "--resolve", f"{NAME}:{port}:127.0.0.1"]
    urls = [f"https://{NAME}:{port}/{name}" for name in ("hello.txt", "large.bin", "hello.txt")]
    done = subprocess.run(["curl", *arguments, *urls], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == HELLO + LARGE + HELLO


# --- the end of a connection ----------------------------------------------------------------------


def test_close_notify_is_answered(server: Server, context: ssl.SSLContext) -> None:
    with Secure(server.address, context) as connection:
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO
        connection.close_properly().close()


def test_close_notify_after_the_last_response(server: Server, context: ssl.SSLContext) -> None:
    """Ragged ends are errors of this client: a cut connection would be seen."""
    for target in ("/hello.txt", "/large.bin", "/nothing"):
        fetch_secure(server.address, context, target)
    with Secure(server.address, context) as connection:
        connection.send(b"nonsense\r\n\r\n")
        assert connection.response().status == 400
        assert connection.at_end()


def test_close_notify_when_idle_for_long(
    archive: Path, authority: Authority, pair: Pair, context: ssl.SSLContext
) -> None:
    with (
        secure(archive, *pair.options, "--idle-timeout-s", "1") as server,
        Secure(server.address, context) as connection,
    ):
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO
        assert connection.at_end()


def test_close_notify_when_the_server_ends(
    archive: Path, authority: Authority, pair: Pair, context: ssl.SSLContext
) -> None:
    with secure(archive, *pair.options) as server:
        idle, busy = (Secure(server.address, context, receive_buffer_bytes=4096) for _ in range(2))
        busy.send(request("/large.bin"))
        busy.head()
        time.sleep(0.2)
        server.process.terminate()
        assert idle.at_end()
        assert busy.take(len(LARGE)) == LARGE
        assert busy.at_end()
        assert server.wait() == 0
        idle.close()
        busy.close()


def test_clients_that_have_said_nothing_do_not_hold_up_the_end(archive: Path, pair: Pair) -> None:
    options = ["--header-timeout-s", "60", "--drain-timeout-s", "60"]
    with secure(archive, *pair.options, *options) as server:
        crowd = [Connection(server.address) for _ in range(20)]
        with Secure(server.address, blind()) as connection:
            connection.send(request("/hello.txt"))
            assert connection.response().body == HELLO
        with within(15):
            assert server.stop() == 0
        for silent in crowd:
            assert silent.at_end()
            silent.close()


def test_request_and_close_notify_at_once(server: Server, authority: Authority) -> None:
    """Who half-closes still gets the answer: of TLS 1.3, by RFC 8446, section 6.1."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = authority.trust(version="1.3").wrap_bio(incoming, outgoing, server_hostname=NAME)
    with Connection(server.address) as connection:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.send(outgoing.read())
                incoming.write(connection.socket.recv(65_536))
        session.write(request("/data.bin"))
        with pytest.raises(ssl.SSLWantReadError):
            session.unwrap()
        connection.send(outgoing.read())
        connection.finish()
        received = 0
        while data := connection.socket.recv(65_536):
            received += len(data)
    assert received > len(FILES["data.bin"])


@pytest.mark.parametrize("where", ["handshake", "record", "response", "body", "reset"])
def test_clients_that_leave(server: Server, authority: Authority, where: str) -> None:
    context = authority.trust()
    before = descriptors(server)
    for _ in range(20):
        if where == "handshake":
            with Connection(server.address) as connection:
                connection.send(hello_of(context)[:100])
            continue
        with Secure(server.address, context) as connection:
            if where == "record":
                connection.send(request("/hello.txt"))
                os.write(connection.socket.fileno(), b"\x17\x03\x03\x40\x00" + b"x" * 50)
            elif where == "response":
                connection.send(request("/large.bin"))
                connection.head()
            elif where == "body":
                connection.send(request("/", {"Content-Length": "9000"}, method="POST") + b"x")
            else:
                connection.send(request("/large.bin"))
                linger = struct.pack("ii", 1, 0)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    wait_until(lambda: descriptors(server) <= before, 15, "all connections are closed")
    assert body_of(server, context, "/hello.txt") == HELLO


# --- what is no TLS -------------------------------------------------------------------------------


def hello_of(context: ssl.SSLContext, name: str = NAME) -> bytes:
    """The first message of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_plain_http(server: Server, method: str) -> None:
    with Connection(server.address) as connection:
        body = b"x" * 100_000 if method == "POST" else b""
        connection.send(request("/hello.txt", method=method, body=body))
        response = connection.response()
        assert response.status == 400
        assert b"https" in response.body
        assert response.header("strict-transport-security") is None
        connection.finish()
        assert connection.at_end()


GARBAGE = {
    "zeros": bytes(1000),
    "noise": b"\x80" + sites.noise(20_000, seed=3),
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n".lower(),
    "sslv2": bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0"),
    "alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "data": b"\x17\x03\x03\x00\x05hello",
    "no message": b"\x16\x03\x01\x00\x00" * 50,
    "too long": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "not a hello": b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
    "huge hello": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(20_000),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage(server: Server, what: str) -> None:
    """Closed at once, with an alert or without; nobody else is harmed, nothing is logged."""
    said = len(server.lines)
    with Connection(server.address) as connection:
        try:
            connection.send(GARBAGE[what])
            connection.finish()
            answer = b""
            while data := connection.socket.recv(4096):
                answer += data
        except ConnectionError:
            answer = b""
    assert answer == b"" or (answer[0] == 0x15 and len(answer) == 7), answer[:50]
    assert body_of(server, blind(), "/hello.txt") == HELLO
    assert server.lines[said:] == []


def test_hellos_that_were_changed(server: Server, authority: Authority) -> None:
    """Each byte in turn: an alert, a handshake that goes on, or silence, never worse."""
    hello = hello_of(authority.trust())
    for at in range(0, len(hello), 3):
        changed = bytearray(hello)
        changed[at] ^= 0xFF
        with Connection(server.address) as connection:
            connection.send(bytes(changed))
            connection.finish()
            try:
                answer = connection.socket.recv(65_536)
            except ConnectionError:
                continue
            assert answer[:1] in (b"", b"\x15", b"\x16"), at
    assert body_of(server, blind(), "/hello.txt") == HELLO


def test_records_that_were_changed(server: Server, authority: Authority) -> None:
    """After the handshake: an alert and the end, nothing of an answer."""
    for record in (b"\x17\x03\x03\x00\x20" + bytes(32), b"\x17\x03\x03\xff\xff" + bytes(100), b"G"):
        with Secure(server.address, authority.trust()) as connection:
            os.write(connection.socket.fileno(), record * 3)
            with pytest.raises((Closed, ssl.SSLError, ConnectionError)):
                connection.send(request("/hello.txt"))
                connection.response()
    assert body_of(server, blind(), "/hello.txt") == HELLO


def typed(server: Server, version: str, *lines: str) -> str:
    """What s_client shows when these lines are typed, each of them a moment after the other."""
    assert not isinstance(server.address, str)
    place = f"127.0.0.1:{server.address[1]}"
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", place, version],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdin is not None
        for line in lines:
            time.sleep(0.3)
            process.stdin.write(line)
            process.stdin.flush()
        time.sleep(0.3)
        out, _ = process.communicate("Q\n", timeout=20)
    finally:
        process.kill()
        process.wait()
    return out


@pytest.mark.parametrize("letter", ["k", "K"])
def test_new_keys(server: Server, letter: str) -> None:
    """The client changes its keys, and with a large letter asks for the same."""
    asked = "GET /hello.txt HTTP/1.1\r\nHost: a.test\r\n\r\n"
    out = typed(server, "-tls1_3", *[f"{letter}\n"] * 3, asked, f"{letter}\n", asked)
    assert out.count("KEYUPDATE") == 4
    assert out.count("hello, world!") == 2


def test_renegotiation(server: Server) -> None:
    """TLS 1.2 only had it; it is refused, whether or not the connection survives that."""
    out = typed(server, "-tls1_2", "R\n")
    assert "RENEGOTIATING" in out
    assert re.search("no renegotiation|no_renegotiation|unexpected|alert", out), out[-800:]
    assert body_of(server, blind(), "/hello.txt") == HELLO


def test_a_handshake_that_never_ends(server: Server, authority: Authority) -> None:
    hello = hello_of(authority.trust())
    with Connection(server.address, timeout_s=4 * TIMEOUT_S) as connection:
        try:
            for at in range(len(hello)):
                connection.send(hello[at : at + 1])
                time.sleep(TIMEOUT_S / 20)
        except ConnectionError:
            return
        assert connection.at_end()


def test_idle_clients(archive: Path, authority: Authority, pair: Pair) -> None:
    """They are closed in time, others are served meanwhile, and all is as before."""
    with secure(archive, *pair.options, "--header-timeout-s", str(TIMEOUT_S)) as server:
        context = authority.trust()
        for _ in range(50):
            assert body_of(server, context, "/hello.txt") == HELLO
        before, memory, said = descriptors(server), server.resident_bytes(), len(server.lines)
        for _ in range(2):
            crowd = [Connection(server.address, timeout_s=30) for _ in range(500)]
            for connection in crowd[:250]:
                connection.send(hello_of(context)[:200])
            assert body_of(server, context, "/data.bin") == FILES["data.bin"]
            used = server.cpu_s()
            for connection in crowd:
                assert connection.at_end()
                connection.close()
            assert server.cpu_s() - used < 2, "who waits sleeps"
        wait_until(lambda: descriptors(server) <= before, 15, "all connections are closed")
        assert server.resident_bytes() < memory + 20_000_000
        assert body_of(server, context, "/hello.txt") == HELLO
        assert server.lines[said:] == []


def test_descriptors_come_back(server: Server, context: ssl.SSLContext) -> None:
    before = descriptors(server)
    for _ in range(100):
        assert body_of(server, context, "/hello.txt") == HELLO
    wait_until(lambda: descriptors(server) <= before, 15, "all connections are closed")


# --- versions and algorithms ----------------------------------------------------------------------


def handshake(server: Server, *options: str) -> str:
    """What s_client says of a handshake; empty when there was none."""
    assert not isinstance(server.address, str)
    place = f"127.0.0.1:{server.address[1]}"
    done = openssl_run("s_client", "-connect", place, "-servername", NAME, *options)
    found = re.search(r"^New, (TLSv\S+), Cipher is (\S+)|Protocol *: *(\S+)", done.stdout, re.M)
    none = "Cipher is (NONE)" in done.stdout
    return done.stdout if found and not none else ""


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(server: Server, version: str) -> None:
    assert handshake(server, version, "-cipher", "DEFAULT@SECLEVEL=0") == ""


def test_current_versions(server: Server) -> None:
    assert "TLSv1.2" in handshake(server, "-tls1_2")
    assert "TLSv1.3" in handshake(server, "-tls1_3")
    assert "TLSv1.3" in handshake(server)


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA",
                                    "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
                                    "ALL:!ECDHE", "aNULL:eNULL"])  # fmt: skip
def test_ciphers_without_authentication_or_forward_secrecy(server: Server, cipher: str) -> None:
    assert handshake(server, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0") == ""


@pytest.mark.parametrize(
    "cipher", [f"ECDHE-ECDSA-{end}" for end in ("AES128-GCM-SHA256", "AES256-GCM-SHA384",
                                                "CHACHA20-POLY1305")]
)  # fmt: skip
def test_ciphers(server: Server, cipher: str) -> None:
    assert cipher in handshake(server, "-tls1_2", "-cipher", cipher)


@pytest.mark.parametrize("group", ["X25519", "P-256", "P-384"])
def test_groups(server: Server, group: str) -> None:
    assert handshake(server, "-groups", group)


def test_the_post_quantum_group(server: Server) -> None:
    """A hybrid with ML-KEM, where the OpenSSL here has it (3.5)."""
    probe = openssl_run("s_client", "-groups", "X25519MLKEM768", "-connect", "127.0.0.1:1")
    if "connect:" not in probe.stderr:
        pytest.skip("this OpenSSL does not know X25519MLKEM768")
    assert "X25519MLKEM768" in handshake(server, "-groups", "X25519MLKEM768")


def test_compression_is_off(server: Server) -> None:
    assert "Compression: NONE" in handshake(server, "-tls1_2", "-comp")


# --- resumption -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_resumed_with_every_worker(
    archive: Path, tmp_path: Path, pair: Pair, version: str
) -> None:
    """Tickets of one worker are good for the other, and after the certificates were read anew."""
    with secure(archive, *pair.options, threads=2) as server:
        assert not isinstance(server.address, str)
        connect = ["s_client", version, "-servername", NAME, "-ign_eof", "-connect",
                   f"127.0.0.1:{server.address[1]}"]  # fmt: skip
        ask = f"GET /hello.txt HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n"
        state = tmp_path / "session"

        def visit(*options: str | Path) -> str:
            out = openssl_run(*connect, *options, stdin=ask).stdout
            assert HELLO.decode() in out
            return out

        assert "New, " in visit("-sess_out", state)
        # More than both workers would take by turns.
        for _ in range(8):
            assert "Reused, " in visit("-sess_in", state)
        said = len(server.lines)
        server.hang_up()
        server.wait_line("reloaded 1 certificate", after=said)
        for _ in range(4):
            assert "Reused, " in visit("-sess_in", state)


def test_responses_have_no_traces(server: Server, context: ssl.SSLContext) -> None:
    response: Response = fetch_secure(server.address, context)
    assert response.header("strict-transport-security") is None
    assert response.body == HELLO
