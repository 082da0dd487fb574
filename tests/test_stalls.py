"""A reload or an opening takes for ever: signals, stopping and other threads work all the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zeroserve
from support import sites
from support.server import executable, running, wait_until
from support.sites import HELLO
from support.tars import END, many
from support.wire import Address, Connection, fetch, request, within

ENTRIES = 300_000
"""Enough for a scan that others can be seen to happen in."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return sites.python_tar(tmp_path / "site.tar", {"hello.txt": HELLO})


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    """A foreign tar of many entries, without the mark at its end."""
    path = tmp_path / "large.tar"
    path.write_bytes(many(ENTRIES))
    yield path
    path.unlink(missing_ok=True)


# --- a reload that takes for ever -----------------------------------------------------------------

HANGING = """
import sys, time
from zeroserve import cli, reload

def hang(self):
    with self._lock:
        print("hanging", file=sys.stderr, flush=True)
        time.sleep(1000)

reload.Reloader.reload = hang
sys.exit(cli.main())
"""


@contextmanager
def hanging(site: Path, by: str) -> Iterator[tuple[subprocess.Popen[str], Address]]:
    """A server inside of a reload that does not end, asked for by signal or by the watcher."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, site, "--addr", "127.0.0.1:0", "--threads", "1"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(":")[2])
        assert "serving" in process.stderr.readline()
        if by == "signal":
            process.send_signal(signal.SIGHUP)
        else:
            sites.replace(site, sites.python_tar(site.with_name("next"), {"hello.txt": b"2"}))
        # Until then there are lines about the process: sandbox, user.
        assert "hanging\n" in process.stderr
        yield process, ("127.0.0.1", port)
    finally:
        process.kill()
        process.communicate()


BY = pytest.mark.parametrize("by", ["signal", "watcher"])


@BY
def test_the_first_signal_drains_during_a_reload(site: Path, by: str) -> None:
    with hanging(site, by) as (process, address), Connection(address) as connection:
        assert fetch(address, "/hello.txt").body == HELLO
        whole = request("/hello.txt")
        connection.send(whole[:10])
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.send(whole[10:])
        assert connection.response().body == HELLO
        assert process.wait(5) == 0


@BY
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_at_once_during_a_reload(
    site: Path, by: str, number: signal.Signals
) -> None:
    with hanging(site, by) as (process, address), Connection(address) as connection:
        connection.send(b"GET /hel")
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None, "it drains"
        process.send_signal(number)
        with within(1):
            assert process.wait(5) == 128 + number


def test_stopping_does_not_wait_for_a_reload(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = zeroserve.Server(site, threads=1)
    began: list[bool] = []

    def hang() -> bool:
        began.append(True)
        time.sleep(4)
        return False

    monkeypatch.setattr(server._reloaders[0], "attempt", hang)
    server.start()
    sites.replace(site, sites.python_tar(site.with_name("next"), {"hello.txt": b"2"}))
    wait_until(lambda: began, 3)
    with within(2):
        server.stop()


def test_nothing_is_reloaded_or_said_after_the_end(site: Path) -> None:
    said: list[str] = []
    server = zeroserve.Server(site, threads=1, report=lambda _severity, line: said.append(line))
    server.start()
    server.stop()
    assert not server.try_reload()
    with pytest.raises(zeroserve.Error, match="stopped already"):
        server.reload()
    assert said == []


def test_signals_while_a_large_archive_is_reloaded(site: Path, large: Path) -> None:
    with large.open("ab") as file:
        file.write(END)
    with running(site, "--threads", "1", "--drain-timeout-s", "1") as server:
        sites.replace(site, large)
        server.hang_up()
        time.sleep(0.25)
        with Connection(server.address) as connection:
            connection.send(b"GET /hel")
            time.sleep(0.05)
            server.signal(signal.SIGTERM)
            with within(4):
                assert server.wait(8) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_large_archive_is_opened(large: Path, number: signal.Signals) -> None:
    """Nothing is served yet, so there is nothing to finish."""
    process = subprocess.Popen(
        [executable(), large, "--addr", "127.0.0.1:0"], stderr=subprocess.PIPE
    )
    try:
        wait_until(lambda: opened(process.pid, large) or process.poll() is not None, 5)
        process.send_signal(number)
        assert process.wait(3) in (0, 1), "either before the archive was refused or after"
    finally:
        process.kill()
        process.communicate()


def opened(pid: int, path: Path) -> bool:
    links = Path(f"/proc/{pid}/fd")
    return links.exists() and any(os.path.realpath(link) == str(path) for link in links.iterdir())


# --- threads of a program -------------------------------------------------------------------------

POLLING = """
import sys, threading, time
from zeroserve import Error, Server

server = Server(sys.argv[1], watch=False, threads=1)
refused, asked = threading.Event(), 0

def start():
    try:
        server.start()
    except Error:
        refused.set()

threading.Thread(target=start).start()
deadline = time.monotonic() + 20
while not refused.is_set() and time.monotonic() < deadline:
    try:
        server.stats()
    except Error:
        asked += 1
    time.sleep(0.001)
print("refused" if refused.is_set() else "late", asked)
"""


def test_asking_while_a_start_fails(large: Path) -> None:
    """Neither of two threads waits for a lock with what the other one waits for in hand."""
    done = subprocess.run(
        [sys.executable, "-c", POLLING, large],
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    word, asked = done.stdout.split()
    assert word == "refused"
    assert int(asked) >= 1
