"""The admin listener: metrics, health, status, and who may ask for what."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeroserve
from prometheus_client.parser import text_string_to_metric_families
from support import c, sites
from support.admin import ORDER, administered, answer, get, place, post
from support.server import Server, command, executable, running, wait_until
from support.wire import Address, Connection, fetch, request

ROOT = Path(__file__).resolve().parent.parent
FILES = {"index.html": b"start", "large.bin": sites.noise(20_000_000, seed=5)}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.python_tar(tmp_path_factory.mktemp("admin") / "site.tar", FILES)


@pytest.fixture
def pair(archive: Path) -> Iterator[tuple[Server, Address]]:
    with administered(archive) as pair:
        yield pair


def samples(address: Address) -> Samples:
    """Every sample of /metrics; the parser of Prometheus's own client has read them."""
    response = get(address, "/metrics")
    assert response.need("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    found: Samples = {}
    for family in text_string_to_metric_families(response.body.decode()):
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def soon(address: Address, name: str, value: float) -> Samples:
    """The samples, once that one has the value: answers are counted after they were sent."""

    def look() -> Samples | None:
        found = samples(address)
        return found if total(found, name) == value else None

    settled = wait_until(look, 5, f"{name} is not {value}")
    assert settled
    return settled


def total(found: Samples, name: str, **labels: str) -> float:
    """The sum of the samples of that name with those labels."""
    wanted = set(labels.items())
    hits = [value for (n, own), value in found.items() if n == name and wanted <= set(own)]
    assert hits, f"no sample {name} {labels}"
    return sum(hits)


# --- what it answers -----------------------------------------------------------------------


def test_metrics_count_what_happened(pair: tuple[Server, Address]) -> None:
    server, admin = pair
    before = samples(admin)
    assert total(before, "zeroserve_requests_total") == 0
    for path, status, times in (("/", 200, 5), ("/none", 404, 3), ("/large.bin", 200, 1)):
        for _ in range(times):
            assert fetch(server.address, path).status == status
    with Connection(server.address) as open_one:
        open_one.send(request("/") * 4)
        assert [open_one.response().status for _ in range(4)] == [200] * 4
        after = soon(admin, "zeroserve_connections", 1)
    assert total(after, "zeroserve_requests_total", status="2xx", site="site.tar") == 10
    assert total(after, "zeroserve_requests_total", status="4xx") == 3
    assert total(after, "zeroserve_requests_total", status="5xx") == 0
    assert total(after, "zeroserve_protocol_requests_total", protocol="h1") == 13
    assert total(after, "zeroserve_protocol_requests_total", protocol="h2") == 0
    assert total(after, "zeroserve_worker_requests_total") == 13
    assert total(after, "zeroserve_connections_accepted_total") == 10
    assert total(after, "zeroserve_worker_connections_accepted_total") == 10
    assert total(after, "zeroserve_sent_bytes_total") > 20_000_000
    assert total(after, "zeroserve_generation") == 1
    assert total(after, "zeroserve_entries") == len(FILES)
    assert total(after, "zeroserve_draining") == 0
    assert total(after, "process_resident_memory_bytes") > 1_000_000
    assert total(after, "process_cpu_seconds_total") > 0


def test_the_histogram_is_cumulative_and_complete(pair: tuple[Server, Address]) -> None:
    server, admin = pair
    for _ in range(20):
        fetch(server.address, "/")
    name = "zeroserve_request_duration_seconds"
    found = soon(admin, f"{name}_count", 20)
    buckets = sorted(
        (float(dict(labels)["le"]), value)
        for (n, labels), value in found.items()
        if n == f"{name}_bucket"
    )
    counts = [value for _, value in buckets]
    assert counts == sorted(counts)
    assert (buckets[0][0], buckets[-2][0], buckets[-1]) == (0.00005, 10.0, (float("inf"), 20.0))
    assert 0 < total(found, f"{name}_sum") < 20 * 10


def test_a_request_that_waits_counts_its_time(archive: Path) -> None:
    """A client that takes what it asked for slowly is in the upper buckets."""
    with administered(archive) as (server, admin):
        with Connection(server.address, receive_buffer_bytes=16 * 1024) as connection:
            connection.send(request("/large.bin"))
            connection.head()
            threading.Event().wait(0.3)
            got = len(connection.buffer)
            while got < len(FILES["large.bin"]):
                got += len(connection.socket.recv(1 << 20))
        name = "zeroserve_request_duration_seconds"
        found = soon(admin, f"{name}_count", 1)
        assert total(found, f"{name}_bucket", le="0.2") == 0
        assert total(found, f"{name}_sum") >= 0.25


@c.needed
def test_scripts_are_counted(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"index.html": b"start"})
    c.write(tree, "guard", f'if (at("/trap")) {c.TRAP}')
    with administered(tree) as (server, admin):
        assert [fetch(server.address, p).status for p in ("/", "/", "/trap")] == [200, 200, 500]
        found = samples(admin)
        assert total(found, "zeroserve_script_runs_total") == 3
        assert total(found, "zeroserve_script_traps_total") == 1
        assert answer(admin, "/status")["sites"][0]["generations"][0]["scripts"] == ["guard"]


def test_the_documentation_names_every_metric(pair: tuple[Server, Address]) -> None:
    text = get(pair[1], "/metrics").body.decode()
    stated = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`((?:zeroserve|process)_\w+)", page)) == stated


def test_asking_counts_nothing_for_the_site(pair: tuple[Server, Address]) -> None:
    for path in ("/metrics", "/status", "/live", "/healthz", "/", "/nothing"):
        get(pair[1], path)
    found = samples(pair[1])
    assert total(found, "zeroserve_requests_total") == 0
    assert total(found, "zeroserve_connections_accepted_total") == 0


def test_status(pair: tuple[Server, Address], archive: Path) -> None:
    server, admin = pair
    fetch(server.address, "/")
    status = answer(admin, "/status")
    assert status["version"] == zeroserve.__version__
    assert status["pid"] == server.pid
    assert status["draining"] is False
    assert status["listeners"] == [{"url": server.url}]
    assert [worker["number"] for worker in status["workers"]] == [0, 1]
    assert sum(worker["requests"] for worker in status["workers"]) == 1
    assert (status["certificates"], status["warnings"]) == ([], [])
    (site,) = status["sites"]
    assert (site["name"], site["path"], site["generation"]) == ("site.tar", str(archive), 1)
    (generation,) = site["generations"]
    assert generation["in_force"] is True
    assert generation["entries"] == len(FILES)
    assert generation["bytes"] == archive.stat().st_size
    assert abs(generation["loaded_at"] - status["started_at"]) < 60


def test_status_tells_what_was_left_out(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"index.html": b"start"})
    (tree / "gone.html").symlink_to("nowhere")
    with administered(tree) as (_, admin):
        (warning,) = answer(admin, "/status")["warnings"]
        assert warning["entry"] == "gone.html"
        told = command("status", "--admin", at(admin)).stdout
        assert "warning: gone.html: " in told


def test_live(pair: tuple[Server, Address]) -> None:
    server, admin = pair
    for path in ("/", "/", "/none"):
        fetch(server.address, path)
    live = wait_until(
        lambda: (a := answer(admin, "/live")) and sum(a["latency"]["counts"]) == 3 and a, 5
    )
    assert (live["requests"], live["responses"]) == (3, [2, 0, 1, 0])
    assert len(live["latency"]["counts"]) == len(live["latency"]["bounds_s"]) + 1


def test_health(pair: tuple[Server, Address]) -> None:
    assert [get(pair[1], path).status for path in ("/healthz", "/readyz")] == [200, 200]


def test_draining(archive: Path) -> None:
    """Not ready, but alive, until the last download has ended; then gone."""
    with administered(archive) as (server, admin):
        with Connection(server.address, receive_buffer_bytes=16 * 1024) as connection:
            connection.send(request("/large.bin"))
            connection.head()
            server.signal(signal.SIGTERM)
            wait_until(lambda: get(admin, "/readyz").status == 503, 5)
            assert get(admin, "/healthz").status == 200
            assert answer(admin, "/status")["draining"] is True
            assert total(samples(admin), "zeroserve_draining") == 1
            got = len(connection.buffer)
            while got < len(FILES["large.bin"]):
                got += len(connection.socket.recv(1 << 20))
        assert server.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            Connection(admin)


@c.needed
def test_it_answers_while_a_worker_is_busy(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"index.html": b"start"})
    spin = "for (volatile zs_u64 i = 1; i; i++) {}"
    c.write(tree, "spin", spin)
    with running(tree, "--threads", "1", "--admin", "127.0.0.1:0") as server:
        admin = place(server)
        with Connection(server.address) as connection:
            connection.send(request("/"))
            assert get(admin, "/healthz").status == 200


# --- who may ask for what ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/metrics", "/status", "/app.js", "/nothing"])
def test_a_name_that_was_made_to_lead_here_is_refused(
    pair: tuple[Server, Address], path: str
) -> None:
    """A page may have its own name resolve to this machine, and read from there."""
    for host in ("evil.test", "evil.test:80", "127.0.0.1.evil.test", "localhost.evil.test"):
        assert get(pair[1], path, host).status == 403
    port = pair[1][1]
    for host in ("localhost", f"127.0.0.1:{port}", f"[::1]:{port}", "app.localhost"):
        assert get(pair[1], path, host).status == (404 if path == "/nothing" else 200)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {**ORDER, "Origin": "http://evil.test"},
        {**ORDER, "Origin": "null"},
        {**ORDER, "Origin": "http://localhost:8080"},
        {**ORDER, "Sec-Fetch-Site": "cross-site"},
        {**ORDER, "Host": "evil.test"},
    ],
)
@pytest.mark.parametrize("path", ["/rollback", "/reload"])
def test_orders_that_a_foreign_page_could_send(
    pair: tuple[Server, Address], path: str, headers: dict[str, str]
) -> None:
    assert post(pair[1], path, {}, headers).status == 403
    (site,) = answer(pair[1], "/status")["sites"]
    assert (site["generation"], site["reloads_ok"]) == (1, 0)


def test_no_foreign_page_is_let_in_by_asking_first(pair: tuple[Server, Address]) -> None:
    asked = {"Host": "localhost", "Origin": "http://evil.test"}
    asked["Access-Control-Request-Method"] = "POST"
    response = fetch(pair[1], "/rollback", asked, method="OPTIONS")
    assert not [name for name, _ in response.fields if name.lower().startswith("access-control")]


def test_own_orders_are_taken(pair: tuple[Server, Address]) -> None:
    origin = {**ORDER, "Host": "localhost:1", "Origin": "http://localhost:1"}
    response = post(pair[1], "/reload", {"site": "site.tar"}, origin)
    assert (response.status, json.loads(response.body)) == (
        200,
        {"site": "site.tar", "generation": 2},
    )


def test_methods(pair: tuple[Server, Address]) -> None:
    for path, method, allow in (
        ("/rollback", "GET", "POST"),
        ("/reload", "HEAD", "POST"),
        ("/metrics", "POST", "GET, HEAD, OPTIONS"),
        ("/status", "DELETE", "GET, HEAD, OPTIONS"),
    ):
        fields = {"Host": "localhost", **ORDER}
        response = fetch(pair[1], path, fields, method=method)
        assert (response.status, response.header("allow")) == (405, allow), (path, method)
    head = fetch(pair[1], "/metrics", {"Host": "localhost"}, method="HEAD")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"site": 1}', 400),
        (b'{"from": -1}', 400),
        (b'{"from": "1"}', 400),
        (b'{"other": 1}', 400),
        (b'{"site": "none"}', 404),
        (b"\xff", 400),
        (b'{"site": ' + b"[" * 60_000, 400),
        (b" " * 70_000, 413),
    ],
)
def test_bodies_that_are_no_order(pair: tuple[Server, Address], body: bytes, status: int) -> None:
    fields = {"Host": "localhost", **ORDER}
    for path in ("/rollback", "/reload"):
        assert fetch(pair[1], path, fields, method="POST", body=body).status == status
    assert answer(pair[1], "/status")["sites"][0]["generation"] == 1


def test_an_order_in_chunks_after_asking_to_go_on(pair: tuple[Server, Address]) -> None:
    with Connection(pair[1]) as connection:
        fields = {"Host": "localhost", **ORDER, "Transfer-Encoding": "chunked"}
        connection.send(request("/reload", {**fields, "Expect": "100-continue"}, method="POST"))
        assert connection.head().status == 100
        connection.send(b'9\r\n{"site": \r\nb\r\n"site.tar"}\r\n0\r\n\r\n')
        assert connection.response("POST").status == 200
        connection.send(request("/healthz", {"Host": "localhost"}))
        assert connection.response().body == b"ok\n"


def test_every_answer_forbids_what_the_page_does_not_need(pair: tuple[Server, Address]) -> None:
    for path in ("/", "/app.js", "/metrics", "/nothing"):
        response = get(pair[1], path)
        policy = response.need("content-security-policy")
        assert "default-src 'none'" in policy and "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy
        assert response.need("cross-origin-resource-policy") == "same-origin"
        assert response.need("x-content-type-options") == "nosniff"


# --- where it listens ----------------------------------------------------------------------


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0"])
def test_addresses_that_others_reach_are_refused(archive: Path, address: str) -> None:
    done = command(archive, "--addr", "127.0.0.1:0", "--admin", address)
    assert done.returncode == 1
    assert "can be reached from other machines" in done.stderr
    assert "--admin-anywhere" in done.stderr
    assert "listening" not in done.stderr


def test_anywhere_is_allowed_when_it_was_asked_for(archive: Path) -> None:
    with running(archive, "--admin", "0.0.0.0:0", "--admin-anywhere") as server:
        port = place(server)[1]
        assert get(("127.0.0.1", int(port)), "/healthz").status == 200
        assert get(("127.0.0.1", int(port)), "/healthz", "evil.test").status == 403


def test_a_unix_socket(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with running(archive, "--admin", f"unix:{path}") as server:
        assert place(server) == str(path)
        assert get(str(path), "/healthz", "anything").status == 200
        done = command("status", "--admin", f"unix:{path}")
        assert (done.returncode, done.stderr) == (0, "")
    assert not path.exists()


def test_there_is_none_unless_asked_for(archive: Path) -> None:
    with running(archive) as server:
        server.wait_line("^serving ")
        assert "admin on" not in server.stderr
        assert fetch(server.address, "/metrics").status == 404


def test_an_address_in_use(archive: Path, pair: tuple[Server, Address]) -> None:
    done = command(archive, "--addr", "127.0.0.1:0", "--admin", f"127.0.0.1:{pair[1][1]}")
    assert done.returncode == 1
    assert "address already in use" in done.stderr.lower()


# --- commands ------------------------------------------------------------------------------


def at(admin: Address) -> str:
    return f"{admin[0]}:{admin[1]}"


def test_status_command(pair: tuple[Server, Address], archive: Path) -> None:
    server, admin = pair
    done = command("status", "--admin", at(admin))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"zeroserve {zeroserve.__version__}, pid {server.pid}, serving for")
    assert lines[1] == f"listening on {server.url}"
    assert lines[2] == f"site site.tar: {archive}"
    assert re.fullmatch(
        r"  generation 1, in force, [-0-9: ]+, 2 entries, 20\.0 MB, no scripts", lines[3]
    )
    told: dict[str, Any] = json.loads(command("status", "--admin", at(admin), "--json").stdout)
    assert told["pid"] == server.pid


def test_status_on_a_terminal(pair: tuple[Server, Address]) -> None:
    """A table there, and no line of it is wider than the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    argv = [executable(), "status", "--admin", at(pair[1])]
    env = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        # Linux says EIO when the last one has closed the other end.
        with contextlib.suppress(OSError):
            while data := os.read(ours, 65536):
                shown += data
        os.close(ours)
    assert process.returncode == 0, shown
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert any("in force" in line and "20.0 MB" in line and "│" in line for line in lines), lines
    assert max(map(len, lines)) <= 100


def test_commands_without_a_server() -> None:
    for name in ("status", "rollback"):
        done = command(name, "--admin", "127.0.0.1:1")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            "zeroserve: error: no answer from 127.0.0.1:1: connection refused",
            "hint: a server answers only when it was started with --admin ADDR",
        ]


def test_commands_to_another_server(pair: tuple[Server, Address]) -> None:
    for name in ("status", "rollback"):
        done = command(name, "--admin", at(pair[0].address))
        assert done.returncode == 1
        assert "no admin listener" in done.stderr
        assert len(done.stderr.splitlines()) <= 2


def test_wrong_usage() -> None:
    for words in (("status", "more"), ("status", "--admin", "x"), ("rollback", "--admin", "fd:3")):
        assert command(*words).returncode == 2


# --- from Python ---------------------------------------------------------------------------


def test_the_library(archive: Path) -> None:
    with zeroserve.Server(archive, admin="127.0.0.1:0", threads=1) as server:
        assert server.admin_url is not None
        host, _, port = server.admin_url.removeprefix("http://").rpartition(":")
        assert answer((host, int(port)), "/status")["sites"] == server.status()["sites"]
    helpers = [t for t in threading.enumerate() if t.name == "zeroserve-admin"]
    wait_until(lambda: not any(t.is_alive() for t in helpers), 5, "its thread goes on")
    with zeroserve.Server(archive, threads=1) as server:
        assert server.admin_url is None
        assert server.status()["sites"][0]["generation"] == 1
    with pytest.raises(zeroserve.Error, match="other machines"):
        zeroserve.Server(archive, admin="0.0.0.0:0").start()
