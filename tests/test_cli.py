"""The command line: usage, exit codes, signals, addresses, ``ls`` and ``check``."""

import io
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.server import Server, command, executable, no_traceback, running, wait_until
from support.wire import fetch
from zeroserve import __version__, address
from zeroserve._core import LIMITS, Error

HEAVY = ["rich", "tarfile", "asyncio", "watchfiles", "brotli", "zstandard", "concurrent.futures"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "a").mkdir(parents=True)
    (root / "index.html").write_text("<p>one</p>")
    (root / "a/x.txt").write_text("x" * 1000)
    (root / "big.bin").write_bytes(bytes(64 << 20))
    return root


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tar(tmp_path / "site.tar", {"index.html": b"<p>one</p>", "a/x.txt": b"x" * 1000})


def tar(path: Path, files: dict[str, bytes]) -> Path:
    """A tar as another tool makes it."""
    with tarfile.open(path, "w") as made:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            made.addfile(info, io.BytesIO(data))
    return path


# Usage


def test_version() -> None:
    done = command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"zeroserve {__version__}\n", "")


@pytest.mark.parametrize("name", ["", "pack", "ls", "check", "compile", "explain", "sdk"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(name: str, flag: str) -> None:
    done = command(*filter(None, [name]), flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: zeroserve " + name)
    if not name:
        assert "a directory of that name is ./pack" in done.stdout


def test_every_limit_has_a_flag_with_its_range(archive: Path) -> None:
    text = command("--help").stdout
    for limit in LIMITS:
        flag = "--" + limit.name.replace("_", "-")
        assert flag in text
        done = command(archive, flag, str(limit.maximum + 1))
        assert done.returncode == 2
        assert done.stderr.startswith(f"zeroserve: error: {flag}: outside of {limit.minimum} to ")
    flags = [f"--{limit.name.replace('_', '-')}={limit.minimum}" for limit in LIMITS]
    with running(archive, *flags):
        pass


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["--adr", "x"], "unknown flag: --adr", "did you mean --addr?"),
        (["--no-wach"], "unknown flag: --no-wach", "did you mean --no-watch?"),
        (["--thread=3"], "unknown flag: --thread", "did you mean --threads?"),
        (["--qqqqq"], "unknown flag: --qqqqq", "zeroserve --help"),
        (["pack", "x", "--qqqqq"], "unknown flag: --qqqqq", "zeroserve pack --help"),
        (["--addr"], "--addr: expected one argument", "zeroserve --help"),
        (["--addr", "foo"], "--addr: address without a port: 'foo'", "write foo:8080"),
        (["--threads", "0"], "--threads: outside of 1 to 1024: 0", None),
        (["--threads", "-1"], "--threads: outside of 1 to 1024: -1", None),
        (["--threads", "many"], "--threads: not a whole number: 'many'", None),
        (["--drain-timeout-s", "nan"], "--drain-timeout-s: outside of 0 to 86400 seconds", None),
        (["--drain-timeout-s", "x"], "--drain-timeout-s: not a number of seconds: 'x'", None),
        (["--index", "a/b"], "--index: not a file name: 'a/b'", None),
        (["--access-log", ""], "--access-log: the value is empty", None),
        (
            ["--access-log-format", "xml"],
            "--access-log-format: not one of json, combined: 'xml'",
            None,
        ),
        (["a.tar", "b.tar"], "more than one SITE: 'b.tar'", "start one zeroserve for each"),
        (["pack"], "DIR is missing", "usage: zeroserve pack [flags] DIR"),
        (["pack", "a", "b"], "unexpected argument: 'b'", "usage: zeroserve pack"),
        (["ls", "--", "-l", "x"], "unexpected argument: 'x'", "usage: zeroserve ls"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(arguments: list[str], error: str, hint: str | None) -> None:
    done = command(*arguments)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert lines[0].startswith(f"zeroserve: error: {error}")
    assert len(lines) == (2 if hint else 1)
    if hint:
        assert lines[1].startswith(f"hint: {hint}")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("guard.o", "not an ELF object: "),
    ],
)
def test_scripts_that_are_refused(tmp_path: Path, name: str, error: str) -> None:
    (tmp_path / name).write_text("no script")
    done = command(tmp_path / name, "--addr", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (1, "")
    line = done.stderr.splitlines()[0]
    assert line.startswith("zeroserve: error: ")
    assert error in line and name in line


@pytest.mark.parametrize("name", ["", "ls", "check", "pack"])
def test_a_site_that_is_not_there(name: str) -> None:
    done = command(*filter(None, [name]), "/nowhere/site.tar")
    assert done.returncode == 1
    no_traceback(done.stderr)
    assert "/nowhere/site.tar" in done.stdout + done.stderr


def test_a_mistyped_command() -> None:
    done = command("pakc")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "zeroserve: error: no such file or directory: 'pakc'",
        "hint: did you mean `zeroserve pack`?",
    ]


def test_what_is_no_site(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = command(tmp_path / "pipe", timeout_s=10)
    assert done.returncode == 1
    assert "not a file or directory" in done.stderr
    done = command(os.fsdecode(b"caf\xe9.tar"))
    assert done.returncode == 1
    assert "no such file or directory: 'caf\\xe9.tar'" in done.stderr


def test_python_m_zeroserve() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zeroserve", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"zeroserve {__version__}\n"


def test_serving_imports_little() -> None:
    script = (
        "import sys, zeroserve.cli, zeroserve.cli.commands, zeroserve.cli.flags, "
        f"zeroserve.cli.serve; print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


# Serving


def test_lines_on_stderr(archive: Path) -> None:
    with running(archive, "--addr", "127.0.0.1:0") as server:
        server.wait_line("^sandbox")
        for line in server.lines[:2]:
            assert re.fullmatch(r"listening on http://127\.0\.0\.1:[1-9]\d*", line)
        assert server.lines[2] == f"serving {archive}: 2 entries"
        if os.getuid() == 0:
            server.wait_line("as root")
        time.sleep(0.2)
        assert len(server.lines) == (5 if os.getuid() == 0 else 4)


def test_the_current_directory_is_the_default(site: Path) -> None:
    process = subprocess.Popen(
        [executable(), "--addr=127.0.0.1:0"], cwd=site, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    url = process.stderr.readline().split()[-1]
    host, _, port = url.removeprefix("http://").partition(":")
    assert fetch((host, int(port)), "/").body == b"<p>one</p>"
    process.terminate()
    assert process.wait(10) == 0
    process.stderr.close()


def test_nobody_reads_stderr(archive: Path, tmp_path: Path) -> None:
    sock = tmp_path / "sock"
    process = subprocess.Popen(
        [executable(), archive, "--addr", f"unix:{sock}"], stderr=subprocess.PIPE
    )
    assert process.stderr
    process.stderr.close()
    wait_until(sock.exists, 10)
    wait_until(lambda: fetch(str(sock), "/").status == 200, 10)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    process.terminate()
    assert process.wait(10) == 0


def test_unix_socket(archive: Path, tmp_path: Path) -> None:
    with running(archive, addr=f"unix:{tmp_path}/site.sock") as server:
        assert server.lines[0] == f"listening on http+unix:{tmp_path}/site.sock"
        assert fetch(server.address, "/").body == b"<p>one</p>"


def test_socket_activation(archive: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        script = f'exec 3<&{listener.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
        with running(
            archive,
            addr=None,
            argv=["bash", "-c", script, "bash"],
            pass_fds=[listener.fileno()],
        ) as server:
            assert server.lines[0] == f"listening on http://127.0.0.1:{port}"
            assert fetch(server.address, "/").body == b"<p>one</p>"


def test_descriptor_limit_is_raised(archive: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with running(
        archive, before_exec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    ) as server:
        limits = Path(f"/proc/{server.pid}/limits").read_text()
        soft, found = re.findall(r"Max open files\s+(\S+)\s+(\S+)", limits)[0]
        assert soft == found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(archive: Path, number: signal.Signals) -> None:
    with running(archive) as server:
        server.signal(number)
        assert server.wait() == 0
        assert "error" not in server.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_it_at_once(site: Path, number: signal.Signals) -> None:
    with running(site, "--drain-timeout-s", "60") as server:
        assert not isinstance(server.address, str)
        with socket.create_connection(server.address) as client:
            client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(100)
            server.signal(signal.SIGTERM)
            time.sleep(0.5)
            assert server.alive()
            began = time.monotonic()
            server.signal(number)
            assert server.wait() == 128 + number
            assert time.monotonic() - began < 5


def test_a_drain_ends_in_time(site: Path) -> None:
    with running(site, "--drain-timeout-s", "0.5") as server:
        assert not isinstance(server.address, str)
        with socket.create_connection(server.address) as client:
            client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(100)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            assert 0.4 < time.monotonic() - began < 5


def test_hangup_reloads_and_says_so(archive: Path) -> None:
    with running(archive, "--no-watch") as server:
        tar(archive, {"index.html": b"two", "b": b"", "c": b""})
        server.hang_up()
        server.wait_line(
            rf"^zeroserve: reloaded {re.escape(str(archive))}: generation 2, 3 entries, \d+ ms$"
        )
        assert fetch(server.address, "/").body == b"two"
        archive.write_bytes(b"this is no tar" * 100)
        server.hang_up()
        server.wait_line(r"^zeroserve: error: reload refused, still serving generation 2: .")


def test_hangup_opens_the_access_log_again(archive: Path, tmp_path: Path) -> None:
    log, rotated = tmp_path / "access.log", tmp_path / "access.log.1"
    with running(archive, "--access-log", log) as server:
        fetch(server.address, "/?one")
        wait_until(lambda: log.exists() and b"one" in log.read_bytes(), 5)
        log.rename(rotated)
        server.hang_up()
        server.wait_line("reloaded")
        fetch(server.address, "/?two")
        wait_until(lambda: log.exists() and b"two" in log.read_bytes(), 5)
        assert b"two" not in rotated.read_bytes()
    assert json.loads(log.read_text().splitlines()[0])


def test_a_refused_site_binds_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.tar"
    bad.write_bytes(b"this is no tar" * 100)
    server = Server([bad, "--addr", "127.0.0.1:0"])
    assert server.wait() == 1
    assert "listening" not in server.stderr
    assert server.lines[0].startswith("zeroserve: error: ")
    no_traceback(server.stderr)
    server.kill()


def test_an_address_in_use(archive: Path) -> None:
    with running(archive) as server:
        done = command(archive, "--addr", server.url.removeprefix("http://"))
        assert done.returncode == 1
        assert server.url.removeprefix("http://") in done.stderr
        no_traceback(done.stderr)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("8080", "127.0.0.1:8080"),
        (":8080", "0.0.0.0:8080"),
        ("0", "127.0.0.1:0"),
        ("localhost:80", "localhost:80"),
        ("[::1]:8080", "[::1]:8080"),
        ("[::]:0", "[::]:0"),
        ("unix:site.sock", "unix:site.sock"),
        ("unix:/run/a:b", "unix:/run/a:b"),
        ("fd:3", "fd:3"),
    ],
)
def test_addresses(text: str, full: str) -> None:
    assert address.normalise(text) == full


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "localhost", "a:b", "::1", "::1:80", "1.2.3.4:65536", "99999", "http://a:80"),
        *("a:-1", "a:\u0663", "[::1]", "unix:", "fd:", "fd:x", "fd:-1"),
    ],
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(Error):
        address.normalise(text)
    with pytest.raises(Error, match="socket path is longer than 107 bytes"):
        address.normalise("unix:" + "x" * 108)


def test_inherited_sockets() -> None:
    def find(**environ: str) -> list[str]:
        return address.inherited(environ, pid=7)

    assert find(LISTEN_PID="7", LISTEN_FDS="2") == ["fd:3", "fd:4"]
    assert find(LISTEN_PID="8", LISTEN_FDS="2") == find(LISTEN_FDS="2") == find() == []
    with pytest.raises(Error, match="LISTEN_FDS is not a number from 1 to 64: 'x'"):
        find(LISTEN_PID="7", LISTEN_FDS="x")


# ls and check


def test_ls(archive: Path) -> None:
    assert command("ls", archive).stdout == "a/x.txt\nindex.html\n"


def test_ls_long(archive: Path) -> None:
    lines = command("ls", "-l", archive).stdout.splitlines()
    assert re.fullmatch(r"1000  2023-11-14T22:13:20Z  -  +\S+ +a/x\.txt", lines[0])
    assert lines[1].startswith("  10  ")


def test_ls_of_a_packed_archive(site: Path, tmp_path: Path) -> None:
    (site / "big.bin").unlink()
    (site / ".zeroserve").mkdir()
    (site / ".zeroserve/guard.py").touch()
    command("pack", site, "-o", tmp_path / "packed.tar")
    shown = command("ls", tmp_path / "packed.tar").stdout.split()
    assert shown == ["a/x.txt", "a/x.txt.br", "a/x.txt.gz", "a/x.txt.zst", "index.html"]
    assert ".zeroserve/guard.py\n" in command("ls", "--all", tmp_path / "packed.tar").stdout
    long = command("ls", "--long", tmp_path / "packed.tar").stdout.splitlines()[0]
    assert re.search(r'  br,zstd,gzip  "[^"]{16,}"  a/x\.txt$', long)


def test_ls_json(archive: Path) -> None:
    lines = command("ls", "--json", archive).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["name"], row["size"], row["mtime"]) for row in rows] == [
        ("a/x.txt", 1000, 1_700_000_000),
        ("index.html", 10, 1_700_000_000),
    ]
    assert set(rows[0]) >= {"offset", "etag", "encodings", "target", "hidden"}


def test_names_can_not_steer_a_terminal(tmp_path: Path) -> None:
    evil = tar(tmp_path / "evil.tar", {"a\x1b[2J\nb\x07": b""})
    for flags in ([], ["-l"]):
        shown = command("ls", *flags, evil).stdout
        assert shown.endswith("a\\x1b[2J\\x0ab\\x07\n")
        assert shown.count("\n") == 1


def test_ls_into_a_closed_pipe(tmp_path: Path) -> None:
    many = tar(tmp_path / "many.tar", {f"{i:0200}": b"" for i in range(2000)})
    process = subprocess.Popen(
        [executable(), "ls", many], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("kind", ["packed", "tar", "directory"])
def test_check_of_a_good_site(kind: str, archive: Path, site: Path, tmp_path: Path) -> None:
    made: dict[str, Callable[[], Path]] = {
        "packed": lambda: tmp_path / "packed.tar",
        "tar": lambda: archive,
        "directory": lambda: site,
    }
    command("pack", site, "-o", tmp_path / "packed.tar")
    done = command("check", made[kind]())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0 errors, 0 warnings\n"


def test_check_finds_stale_siblings(tmp_path: Path) -> None:
    import gzip

    files = {
        "a.txt": b"new",
        "a.txt.gz": gzip.compress(b"old"),
        "b.txt": b"longer",
        "b.txt.gz": gzip.compress(b"long"),
        "c.txt": b"",
        "c.txt.br": b"\xff\xff",
        "good.txt": b"good",
        "good.txt.gz": gzip.compress(b"good"),
    }
    stale = tar(tmp_path / "stale.tar", files)
    done = command("check", stale)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{stale}: error: entry 'a.txt.gz' at offset 1024: is not 'a.txt' compressed: "
        "it decodes to other bytes",
        f"{stale}: error: entry 'b.txt.gz' at offset 3072: is not 'b.txt' compressed: "
        "it decodes to 4 bytes in place of 6",
        f"{stale}: error: entry 'c.txt.br' at offset 4608: is not 'c.txt' compressed: "
        "not a Brotli stream",
        "3 errors, 0 warnings",
    ]


def test_check_prints_every_problem(tmp_path: Path) -> None:
    bad = tar(tmp_path / "bad.tar", {"ok": b"", "/abs": b"", "a/../b": b""})
    done = command("check", bad)
    assert done.returncode == 1
    assert "entry '/abs' at offset 512:" in done.stdout
    assert "entry 'a/../b' at offset 1024:" in done.stdout
    assert re.fullmatch(r"\d+ errors, \d+ warnings?", done.stdout.splitlines()[-1])


def test_check_of_what_is_no_archive(tmp_path: Path) -> None:
    bad = tmp_path / "bad.tar"
    bad.write_bytes(b"this is no tar" * 100)
    done = command("check", bad)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{bad}: error: ")
    assert done.stdout.endswith("1 error, 0 warnings\n")
    no_traceback(done.stderr)
