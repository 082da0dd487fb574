"""Nobody reads standard error, and its pipe is full: serving and the end do not depend on it."""

import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import sites
from support.server import executable
from support.sites import HELLO
from support.wire import Address, Connection, fetch, request, within

F_SETPIPE_SZ = 1031
PIPE_BYTES = 4096


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return sites.python_tar(tmp_path / "site.tar", {"hello.txt": HELLO})


@contextmanager
def unread(site: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Address]]:
    """A server whose standard error is read up to the line that says where, and then no more."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, PIPE_BYTES)
    process = subprocess.Popen(
        [executable(), site, "--addr", "127.0.0.1:0", "--threads", "1", *options], stderr=writing
    )
    os.close(writing)
    try:
        said = b""
        while (place := re.search(rb"http://127\.0\.0\.1:(\d+)\n", said)) is None:
            more = os.read(reading, 1000)
            assert more, said
            said += more
        yield process, ("127.0.0.1", int(place[1]))
    finally:
        process.kill()
        process.wait()
        os.close(reading)


@pytest.mark.parametrize("form", ["json", "combined"])
@pytest.mark.parametrize("hang_up", [False, True])
def test_a_log_that_nobody_reads(site: Path, form: str, hang_up: bool) -> None:
    """Lines are dropped and counted; requests are not held up by them, nor is the end."""
    one = request("/hello.txt", {"User-Agent": "u" * 1500})
    options = ("--access-log", "-", "--access-log-format", form, "--drain-timeout-s", "2")
    with unread(site, *options) as (process, address):
        with Connection(address, timeout_s=5) as connection:
            for _ in range(1000):
                connection.send(one * 5)
                for _ in range(5):
                    assert connection.response().body == HELLO
            if hang_up:
                process.send_signal(signal.SIGHUP)
                time.sleep(0.3)
            with within(3):
                assert fetch(address, "/hello.txt").body == HELLO
        process.send_signal(signal.SIGTERM)
        with within(8):
            assert process.wait(10) == 0


def test_reports_that_nobody_reads(site: Path) -> None:
    """Reloads report until the pipe is full: serving and the end do not depend on it."""
    with unread(site) as (process, address):
        for _ in range(120):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
            assert fetch(address, "/hello.txt").body == HELLO
        process.send_signal(signal.SIGTERM)
        with within(5):
            assert process.wait(10) == 0
