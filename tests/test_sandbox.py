"""What the serving process has given up, and that serving still works without it."""

import os
import pwd
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sites
from support.server import Server, command, executable, running, wait_until
from support.sites import HELLO
from support.wire import fetch
from zeroserve import clang

ROOT = os.getuid() == 0
NOBODY = "nobody"
SEEN_WITHIN_S = 5.0

needs_root = pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
needs_compiler = pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)

SCRIPT = """\
#include <zeroserve.h>

ZS_ENTRY zs_u64 answer(void)
{
    zs_respond(200, ZS_STR("%s"));
    return 0;
}
"""


def status(pid: int | str) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def tasks(server: Server) -> list[dict[str, str]]:
    """The status of each thread."""
    listed = Path(f"/proc/{server.pid}/task").iterdir()
    return [status(f"{server.pid}/task/{task.name}") for task in listed]


def landlocked() -> bool:
    """Whether this kernel has Landlock."""
    import ctypes

    libc = ctypes.CDLL(None)
    version: int = libc.syscall(444, None, 0, 1)
    return version > 0


needs_landlock = pytest.mark.skipif(not landlocked(), reason="this kernel has no Landlock")


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    """A directory that everybody may enter, so that another user can serve from it."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="zs-public-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def archive(public: Path) -> Path:
    return sites.python_tar(public / "site.tar", {"hello.txt": HELLO})


def answers(server: Server, path: str, body: bytes) -> None:
    wait_until(
        lambda: fetch(server.address, path).body == body, SEEN_WITHIN_S, f"{path} is not {body!r}"
    )


# --- what is in force -----------------------------------------------------------------------------


@needs_landlock
def test_all_threads_are_confined(archive: Path) -> None:
    with running(archive, "--threads", "3") as server:
        line = server.wait_line("^sandbox: ")
        assert re.search(r"landlock \(ABI \d+\), seccomp, no new privileges$", line.string)
        found = tasks(server)
        assert len(found) >= 5
        for task in found:
            assert (task["NoNewPrivs"], task["Seccomp"]) == ("1", "2"), task["Name"]
            # Root keeps its access to files, and nothing else.
            assert int(task["CapEff"], 16) & ~0b110 == 0, task["Name"]
            assert int(task["CapInh"], 16) == int(task["CapAmb"], 16) == 0


@pytest.mark.parametrize("flags", [("--no-sandbox",), ("--sandbox", "off")])
def test_without(archive: Path, flags: tuple[str, ...]) -> None:
    with running(archive, *flags) as server:
        assert fetch(server.address, "/hello.txt").body == HELLO
        assert {task["Seccomp"] for task in tasks(server)} == {status("self")["Seccomp"]}
        assert "sandbox" not in server.stderr


def test_the_library_confines_nobody(archive: Path) -> None:
    import zeroserve

    before = status("self")["Seccomp"], status("self")["NoNewPrivs"]
    with zeroserve.Server(archive, threads=1):
        assert (status("self")["Seccomp"], status("self")["NoNewPrivs"]) == before


@needs_landlock
def test_require(archive: Path) -> None:
    with running(archive, "--sandbox", "require") as server:
        assert fetch(server.address, "/hello.txt").body == HELLO


NO_LANDLOCK = """
import ctypes, os, struct, sys
# A filter that knows no Landlock, as in many containers.
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, 0x50026), (6, 0, 0, 0x7FFF0000)]
program = b"".join(struct.pack("=HBBI", *row) for row in code)
buffer = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(filter)) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_where_a_part_is_missing(archive: Path) -> None:
    """It goes on without, says so, and refuses when that was asked for."""
    with running(archive, argv=[sys.executable, "-c", NO_LANDLOCK]) as server:
        line = server.wait_line("^sandbox: ").string
        assert line == (
            "sandbox: seccomp, no new privileges (without landlock: not in this kernel)"
        )
        assert fetch(server.address, "/hello.txt").body == HELLO
    inner = [executable(), str(archive), "--sandbox", "require", "--addr", "127.0.0.1:0"]
    done = subprocess.run(
        [sys.executable, "-c", NO_LANDLOCK, *inner],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 1
    assert "no complete sandbox: landlock: not in this kernel" in done.stderr


# --- another user ---------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_another_user(archive: Path, sandbox: str) -> None:
    """All threads, all three ids, no group of before, no capability, no way back."""
    nobody = pwd.getpwnam(NOBODY)
    with running(archive, "--user", NOBODY, "--sandbox", sandbox, "--threads", "2") as server:
        assert fetch(server.address, "/hello.txt").body == HELLO
        for task in tasks(server):
            assert set(task["Uid"].split()) == {str(nobody.pw_uid)}
            assert set(task["Gid"].split()) == {str(nobody.pw_gid)}
            assert task["Groups"].split() == [str(nobody.pw_gid)]
            for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
                assert int(task[name], 16) == 0, (task["Name"], name)
            assert task["NoNewPrivs"] == "1"
        assert "as root" not in server.stderr


@needs_root
def test_a_low_port(archive: Path) -> None:
    """Bound before the user changes."""
    port = next(port for port in range(700, 1024) if _free(port))
    with running(archive, "--user", f"{NOBODY}:nogroup", addr=f"127.0.0.1:{port}") as server:
        assert fetch(server.address, "/hello.txt").body == HELLO
        assert set(status(server.pid)["Uid"].split()) == {str(pwd.getpwnam(NOBODY).pw_uid)}


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@needs_root
def test_numbers(archive: Path) -> None:
    with running(archive, "--user", "12345:23456") as server:
        found = status(server.pid)
        assert found["Uid"].split()[0] == "12345"
        assert found["Gid"].split()[0] == found["Groups"].split()[0] == "23456"


@needs_root
def test_what_the_user_may_not_read(archive: Path) -> None:
    """Refused at the start, not at the first reload."""
    archive.chmod(0o600)
    done = command(archive, "--user", NOBODY, "--addr", "127.0.0.1:0")
    assert done.returncode == 1
    assert "permission denied" in done.stderr


@needs_root
def test_reload_and_log_of_another_user(archive: Path, public: Path) -> None:
    logs = public / "logs"
    logs.mkdir()
    os.chown(logs, pwd.getpwnam(NOBODY).pw_uid, -1)
    log = logs / "access.log"
    with running(archive, "--user", NOBODY, "--access-log", log) as server:
        answers(server, "/hello.txt", HELLO)
        log.rename(logs / "access.log.1")
        server.hang_up()
        wait_until(log.exists, SEEN_WITHIN_S)
        assert log.stat().st_uid == pwd.getpwnam(NOBODY).pw_uid


@pytest.mark.parametrize(
    "user", ["root", "0", "0:0", "nobody-by-this-name", "nobody:no-such-group", "", ":", "-1"]
)
def test_users_that_are_none(archive: Path, user: str) -> None:
    done = command(archive, f"--user={user}", "--addr", "127.0.0.1:0")
    assert done.returncode == 2
    assert "--user" in done.stderr


def test_root_is_warned(archive: Path) -> None:
    with running(archive) as server:
        server.wait_line("^sandbox")
        if ROOT:
            server.wait_line("warning: serving as root")
        else:
            assert "as root" not in server.stderr


# --- serving still works --------------------------------------------------------------------------


def test_rename_over(archive: Path, public: Path) -> None:
    with running(archive) as server:
        for text in (b"two", b"three"):
            new = sites.python_tar(public / "new", {"hello.txt": text})
            new.rename(archive)
            answers(server, "/hello.txt", text)


def test_links_pointed_elsewhere(public: Path) -> None:
    """The archive, or the directory above it, as deployments have it."""
    for number in (1, 2):
        release = public / "releases" / str(number) / "dist"
        release.mkdir(parents=True)
        sites.python_tar(release / "site.tar", {"a.txt": str(number).encode()})
        sites.write_tree(release / "public", {"a.txt": str(number).encode()})
    for name in ("dist/site.tar", "dist/public"):
        link = public / "link" / "current"
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(public / "releases" / "1" / name)
        with running(link, "--allow-read", public / "releases") as server:
            answers(server, "/a.txt", b"1")
            other = public / "link" / "next"
            other.symlink_to(public / "releases" / "2" / name)
            other.rename(link)
            answers(server, "/a.txt", b"2")


def test_a_link_to_the_next_release(public: Path) -> None:
    """Without a flag, as far as the directory above the one that it leads to."""
    for number in (1, 2):
        sites.write_tree(public / "releases" / str(number) / "site", {"a.txt": b"%d" % number})
    (public / "www").mkdir()
    link = public / "www" / "current"
    link.symlink_to(public / "releases" / "1" / "site")
    with running(link) as server:
        answers(server, "/a.txt", b"1")
        (public / "www" / "next").symlink_to(public / "releases" / "2" / "site")
        (public / "www" / "next").rename(link)
        answers(server, "/a.txt", b"2")


@needs_landlock
def test_a_link_that_leads_too_far(public: Path) -> None:
    """Refused with a hint; the old site goes on."""
    for name in ("a/b/c", "d/e/f"):
        sites.python_tar(public / f"{name.replace('/', '')}.tmp", {"a.txt": name.encode()})
        (public / name).mkdir(parents=True)
        (public / f"{name.replace('/', '')}.tmp").rename(public / name / "site.tar")
    (public / "www").mkdir()
    link = public / "www" / "site.tar"
    link.symlink_to(public / "a/b/c/site.tar")
    with running(link) as server:
        answers(server, "/a.txt", b"a/b/c")
        (public / "www" / "next").symlink_to(public / "d/e/f/site.tar")
        (public / "www" / "next").rename(link)
        server.wait_line("reload refused, .*permission denied")
        server.wait_line("hint: .*--allow-read")
        answers(server, "/a.txt", b"a/b/c")
    with running(link, "--allow-read", public / "a") as server:
        answers(server, "/a.txt", b"d/e/f")
        (public / "www" / "next").symlink_to(public / "a/b/c/site.tar")
        (public / "www" / "next").rename(link)
        answers(server, "/a.txt", b"a/b/c")


def test_a_directory_that_changes(public: Path) -> None:
    root = sites.write_tree(public / "root", {"a.txt": b"one"})
    with running(root) as server:
        server.wait_line("^sandbox")
        answers(server, "/a.txt", b"one")
        sites.write_tree(root, {"a.txt": b"two", "deep/er/b.txt": b"new"})
        answers(server, "/a.txt", b"two")
        answers(server, "/deep/er/b.txt", b"new")
        root.rename(public / "old")
        sites.write_tree(public / "root", {"a.txt": b"three"})
        answers(server, "/a.txt", b"three")


def test_links_that_lead_out_of_a_directory(public: Path) -> None:
    """They are followed, also when what they lead to is replaced."""
    elsewhere = sites.write_tree(public / "else" / "where", {"data.json": b"1", "x/y.txt": b"y"})
    root = sites.write_tree(public / "sites" / "root", {"a.txt": b"one"})
    (root / "data.json").symlink_to(elsewhere / "data.json")
    (root / "x").symlink_to(elsewhere / "x")
    with running(root, "--no-watch") as server:
        answers(server, "/data.json", b"1")
        answers(server, "/x/y.txt", b"y")
        (elsewhere / "new").write_bytes(b"2")
        (elsewhere / "new").rename(elsewhere / "data.json")
        server.hang_up()
        answers(server, "/data.json", b"2")


@needs_landlock
def test_what_was_not_named_is_not_read(public: Path) -> None:
    """A link that appears later does not lead out of what the process may see."""
    root = sites.write_tree(public / "sites" / "root", {"a.txt": b"one"})
    secret = sites.write_tree(public / "secret", {"key.txt": b"secret"})
    with running(root) as server:
        answers(server, "/a.txt", b"one")
        (root / "key.txt").symlink_to(secret / "key.txt")
        server.wait_line("reloaded")
        response = fetch(server.address, "/key.txt")
        assert response.status != 200
        assert b"secret" not in response.body
    with running(root) as server:
        answers(server, "/key.txt", b"secret")


def test_log_rotation(archive: Path, public: Path) -> None:
    (public / "logs").mkdir()
    log = public / "logs" / "access.log"
    with running(archive, "--access-log", log) as server:
        for turn in range(3):
            answers(server, "/hello.txt", HELLO)
            wait_until(log.exists, SEEN_WITHIN_S)
            log.rename(f"{log}.{turn}")
            server.hang_up()
            wait_until(log.exists, SEEN_WITHIN_S)
        assert "can't be opened" not in server.stderr


@pytest.mark.parametrize("log", ["/dev/null", "/dev/stderr", "pipe"])
def test_logs_that_are_no_files(archive: Path, public: Path, log: str) -> None:
    if log == "pipe":
        log = str(public / "pipe")
        os.mkfifo(log)
        reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    with running(archive, "--access-log", log) as server:
        answers(server, "/hello.txt", HELLO)
        server.hang_up()
        server.wait_line("reloaded")
        assert "can't be opened" not in server.stderr
    if log.endswith("pipe"):
        os.close(reader)


def test_the_socket_is_removed(archive: Path, public: Path) -> None:
    path = public / "run" / "site.sock"
    path.parent.mkdir()
    with running(archive, addr=f"unix:{path}"):
        assert fetch(str(path), "/hello.txt").body == HELLO
    assert not path.exists()


@needs_compiler
@pytest.mark.parametrize("sandbox", ["auto", "require"] if landlocked() else ["auto"])
def test_scripts_are_compiled_again(public: Path, sandbox: str) -> None:
    root = sites.write_tree(public / "root", {"a.txt": b"one"})
    script = root / ".zeroserve" / "scripts" / "answer.c"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT % "one")
    temporary = public / "tmp"
    temporary.mkdir()
    env = {"TMPDIR": str(temporary)}
    with running(root, "--sandbox", sandbox, env=env) as server:
        answers(server, "/", b"one")
        for text in ("two", "three"):
            script.write_text(SCRIPT % text)
            answers(server, "/", text.encode())
        assert len(list(temporary.iterdir())) == 1
    assert not list(temporary.iterdir()), "the compiler's directory stays behind"


@needs_compiler
def test_plugins_and_single_scripts(public: Path) -> None:
    (public / "plugins").mkdir()
    script = public / "plugins" / "answer.c"
    script.write_text(SCRIPT % "one")
    archive = sites.python_tar(public / "site.tar", {"hello.txt": HELLO})
    for arguments in ((script,), (archive, "--plugin", script)):
        script.write_text(SCRIPT % "one")
        with running(*arguments) as server:
            answers(server, "/", b"one")
            script.write_text(SCRIPT % "two")
            server.hang_up()
            answers(server, "/", b"two")


@needs_compiler
@needs_root
def test_scripts_of_another_user(public: Path) -> None:
    root = sites.write_tree(public / "root", {"a.txt": b"one"})
    script = root / ".zeroserve" / "scripts" / "answer.c"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT % "one")
    with running(root, "--user", NOBODY) as server:
        answers(server, "/", b"one")
        script.write_text(SCRIPT % "two")
        answers(server, "/", b"two")


@needs_root
def test_a_directory_of_another_user(public: Path) -> None:
    root = sites.write_tree(public / "root", {"a.txt": b"one"})
    with running(root, "--user", NOBODY) as server:
        server.wait_line("^sandbox")
        sites.write_tree(root, {"a.txt": b"two", "b.txt": b"new"})
        answers(server, "/a.txt", b"two")
        answers(server, "/b.txt", b"new")


@needs_compiler
def test_a_first_script(public: Path) -> None:
    """There is no compiler in a sandbox that was made for a site without scripts."""
    root = sites.write_tree(public / "root", {"a.txt": b"one"})
    with running(root) as server:
        server.wait_line("^sandbox")
        script = root / ".zeroserve" / "scripts" / "answer.c"
        script.parent.mkdir(parents=True)
        script.write_text(SCRIPT % "one")
        server.hang_up()
        server.wait_line("reload refused")
        answers(server, "/a.txt", b"one")


def test_signals_end_it(archive: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with running(archive) as server:
            server.signal(number)
            assert server.wait() == 0


# --- each part by itself --------------------------------------------------------------------------

PRELUDE = """
import ctypes, os, socket, subprocess, sys, threading
from zeroserve import _core
libc = ctypes.CDLL(None, use_errno=True)
call = lambda *arguments: (libc.syscall(*arguments), ctypes.get_errno())
"""


def confined(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that gives something up."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def holds(program: str) -> None:
    done = confined(program)
    assert done.returncode == 0, done.stderr


CALLS = {"x86_64": {"ptrace": 101, "unshare": 272, "mount": 165, "bpf": 321, "chroot": 161}}
"""Numbers of calls that end the process."""


@pytest.mark.skipif(os.uname().machine not in CALLS, reason="the numbers are of another processor")
@pytest.mark.parametrize("name", CALLS["x86_64"])
def test_calls_that_end_the_process(name: str) -> None:
    number = CALLS["x86_64"][name]
    done = confined(f"_core.forbid_calls(commands=True); call({number}, 0, 0, 0, 0)")
    assert done.returncode == -signal.SIGSYS


def test_calls_that_fail() -> None:
    """And those that go on working, in threads that are older than the filter, too."""
    holds("""
told, done = threading.Event(), []
def work():
    told.wait()
    done.append(call(425, 1, 0))
old = threading.Thread(target=work)
old.start()
_core.forbid_calls(commands=False)
told.set()
old.join()
assert done == [(-1, 1)], done
new = threading.Thread(target=lambda: done.append(1))
new.start()
new.join()
assert len(done) == 2
try:
    subprocess.run(["/bin/true"])
except PermissionError:
    pass
else:
    raise SystemExit("a program was executed")
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
    socket.socket(family).close()
for family in (17, 38, 40):
    try:
        socket.socket(family, socket.SOCK_RAW)
    except OSError as error:
        assert error.errno == 97, error
    else:
        raise SystemExit(f"a socket of family {family}")
assert call(100_000) == (-1, 38)
""")


def test_programs_where_they_are_allowed() -> None:
    holds('_core.forbid_calls(commands=True); subprocess.run(["/bin/true"], check=True)')


@needs_landlock
def test_files_that_were_not_granted(tmp_path: Path) -> None:
    sites.write_tree(tmp_path, {"in/a": b"a", "out/b": b"b", "log/l": b"", "sock/s": b""})
    holds(f"""
os.chdir({str(tmp_path)!r})
_core.forbid_files([("in", "read"), ("log", "log"), ("sock", "unlink"), ("none", "read")])
def refused(what):
    try:
        what()
    except PermissionError:
        return
    raise SystemExit("allowed")
assert open("in/a").read() == "a"
assert os.listdir("in") == ["a"]
refused(lambda: open("in/a", "w"))
refused(lambda: open("in/new", "x"))
refused(lambda: open("out/b"))
refused(lambda: os.listdir("out"))
refused(lambda: open("/etc/passwd"))
refused(lambda: subprocess.run(["/bin/true"]))
open("log/l", "a").write("line")
open("log/new", "a").write("line")
refused(lambda: open("log/l").read())
refused(lambda: os.unlink("log/l"))
refused(lambda: os.mkdir("log/d"))
os.unlink("sock/s")
refused(lambda: os.symlink("a", "in/link"))
refused(lambda: os.rename("in/a", "in/b"))
""")


def test_names_and_authorities_are_found(archive: Path) -> None:
    """What a request to another server takes, which a site may make later."""
    holds(f"""
from zeroserve.cli import confine
from zeroserve.cli.commands import SERVE
from zeroserve.cli.flags import parse
site = {str(archive)!r}
confine.confine(parse(SERVE, [site]), [site], ["127.0.0.1:0"], None)
assert "127.0.0.1" in {{found[4][0] for found in socket.getaddrinfo("localhost", 80)}}
import ssl, zoneinfo
ssl.create_default_context()
try:
    open("/etc/shadow")
except PermissionError:
    pass
else:
    assert not {landlocked()}
""")


@needs_landlock
def test_no_further_port_is_bound(archive: Path) -> None:
    holds("""
version = _core.forbid_files([("/", "read")])
listener = socket.socket()
try:
    listener.bind(("127.0.0.1", 0))
except PermissionError:
    assert version >= 4
else:
    assert version < 4
""")


def test_grants_that_are_none() -> None:
    holds("""
try:
    _core.forbid_files([("/", "everything")])
except _core.Error as error:
    assert "everything" in str(error)
else:
    raise SystemExit("taken")
""")


def test_privileges() -> None:
    holds("""
_core.drop_bounding_set()
_core.give_up_privileges(keep_file_access=False)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
assert status["NoNewPrivs"].strip() == "1"
assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
if os.getuid() == 0:
    assert int(status["CapBnd"], 16) == 0
_core.give_up_privileges(keep_file_access=True)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
assert int(status["CapPrm"], 16) == 0, "what is gone stays gone"
""")
