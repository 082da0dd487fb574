"""Scripts in Python from a file to a response: served, packed, watched, explained."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import Server, command, no_traceback, running, wait_until
from support.wire import Response, fetch
from zeroserve.pack import pack
from zeroserve.testing import Client

HEAD = "from zeroserve.script import Request, Response, on_request\n"

GUARD = f"""\
{HEAD}

@on_request
def guard(req: Request) -> Response | None:
    if req.path == "/health":
        return Response(200, "fine\\n")
    return None
"""

GREETER = f"""\
{HEAD}from words import WORD


@on_request
def greet(req: Request) -> Response | None:
    if req.path == "/word":
        return Response(200, WORD)
    return None
"""

BROKEN = f"""\
{HEAD}

@on_request
def guard(req: Request) -> Response | None:
    first = BAD_NAME_ONE
    second = BAD_NAME_TWO
    return None
"""

BROWSER = {"Accept": "text/html", "Host": "localhost"}


def get(server: Server, path: str, headers: dict[str, str] | None = None) -> Response:
    return fetch(server.address, path, headers)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    folder = root / ".zeroserve" / "scripts"
    folder.mkdir(parents=True)
    (folder / "10-guard.py").write_text(GUARD)
    (folder / "20-greet.py").write_text(GREETER)
    (folder / "words.py").write_text('WORD = "hello"\n')
    (root / "index.html").write_text("<body>start</body>")
    return root


@pytest.fixture
def script(site: Path) -> Path:
    return site / ".zeroserve" / "scripts" / "10-guard.py"


# Forms of a site


def check(server: Server, *, page: int = 200) -> None:
    assert get(server, "/health").body == b"fine\n"
    assert get(server, "/").status == page
    for name in ("10-guard.py", "10-guard.o", "words.py"):
        assert get(server, f"/.zeroserve/scripts/{name}").status == 404


def test_a_directory(site: Path) -> None:
    with running(site, "--threads", "2") as server:
        check(server)
        assert get(server, "/word").body == b"hello"


def test_an_archive(site: Path, tmp_path: Path) -> None:
    done = command("pack", site, "-o", tmp_path / "site.tar")
    assert done.returncode == 0, done.stderr
    with running(tmp_path / "site.tar") as server:
        check(server)
        assert get(server, "/word").body == b"hello"
    assert command("check", tmp_path / "site.tar").stdout == "0 errors, 0 warnings\n"
    assert command("check", site).stdout == "0 errors, 0 warnings\n"


def test_packing_twice_gives_the_same_bytes(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        # Compiled anew by another process.
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache{number}"))
        assert command("pack", site, "-o", tmp_path / f"{number}.tar").returncode == 0
    assert (tmp_path / "0.tar").read_bytes() == (tmp_path / "1.tar").read_bytes()


def test_the_same_bytes_wherever_it_lies(
    site: Path, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(site, tmp_path / "elsewhere" / "other")
    for number, root in enumerate((site, tmp_path / "elsewhere" / "other")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache{number}"))
        # Where the sources lie is where a compiler would look for them.
        monkeypatch.chdir(root / ".zeroserve" / "scripts" if number else tmp_path)
        assert command("pack", root, "-o", tmp_path / f"{number}.tar").returncode == 0
    packed = (tmp_path / "0.tar").read_bytes()
    assert packed == (tmp_path / "1.tar").read_bytes()
    assert str(tmp_path).encode() not in packed
    for line in script.read_bytes().splitlines():
        assert len(line) < 12 or line not in packed


def test_a_lone_script(script: Path) -> None:
    with running(script) as server:
        check(server, page=404)


def test_a_plugin(site: Path, script: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "index.html").write_text("plain")
    with running(tmp_path / "plain", "--plugin", script) as server:
        check(server)
    pack(tmp_path / "plain", tmp_path / "plain.tar")
    with running(tmp_path / "plain.tar", "--plugin", script) as server:
        check(server)


def test_client(site: Path, script: Path) -> None:
    assert Client(site).get("/health").text() == "fine\n"
    assert Client(script).get("/health").text() == "fine\n"


def test_an_archive_with_sources_is_refused(site: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-C", site, "-cf", tmp_path / "site.tar", "."], check=True)
    done = command(tmp_path / "site.tar", "--addr", "127.0.0.1:0")
    no_traceback(done.stderr)
    assert done.returncode == 1
    assert "a script that was not compiled" in done.stderr


def imported(site: Path) -> str:
    """Modules that a serving process imports until it has answered."""
    server = Server([site, "--addr", "127.0.0.1:0"], argv=[sys.executable, "-X", "importtime"])
    try:
        server.wait_listening()
        assert get(server, "/health").body == b"fine\n"
        assert server.stop() == 0
        return server.stderr
    finally:
        server.kill()


def test_serving_an_archive_needs_no_compiler(site: Path, tmp_path: Path) -> None:
    pack(site, tmp_path / "site.tar")
    told = imported(tmp_path / "site.tar")
    assert "zeroserve.server" in told
    assert "llvmlite" not in told
    assert "zeroserve.compiler" not in told


# On save


@pytest.fixture
def server(site: Path) -> Iterator[Server]:
    with running(site, "--threads", "1") as server:
        yield server


def serves(server: Server, path: str, body: bytes) -> None:
    wait_until(lambda: get(server, path).body == body, 10, f"{path} is {body!r}")


def test_a_script_that_is_saved(server: Server, script: Path) -> None:
    script.write_text(GUARD.replace("fine", "better"))
    serves(server, "/health", b"better\n")


def test_a_module_that_is_saved(server: Server, script: Path) -> None:
    script.with_name("words.py").write_text('WORD = "goodbye"\n')
    serves(server, "/word", b"goodbye")


def test_scripts_that_come_and_go(server: Server, script: Path) -> None:
    script.unlink()
    wait_until(lambda: get(server, "/health").status == 404, 10)
    script.write_text(GUARD)
    serves(server, "/health", b"fine\n")


def test_a_lone_script_and_its_module(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(GREETER)
    (tmp_path / "words.py").write_text('WORD = "one"\n')
    with running(app) as server:
        serves(server, "/word", b"one")
        (tmp_path / "words.py").write_text('WORD = "two"\n')
        serves(server, "/word", b"two")
        app.write_text(GREETER.replace("/word", "/other"))
        serves(server, "/other", b"two")


def test_a_plugin_of_an_archive(script: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "index.html").write_text("plain")
    pack(tmp_path / "plain", tmp_path / "plain.tar")
    with running(tmp_path / "plain.tar", "--plugin", script) as server:
        serves(server, "/health", b"fine\n")
        script.write_text(GUARD.replace("fine", "better"))
        serves(server, "/health", b"better\n")


def test_an_error_keeps_what_was_there(server: Server, script: Path) -> None:
    script.write_text(BROKEN)
    server.wait_line("^zeroserve: error: reload refused, still serving generation 1: ")
    server.wait_line(r"^ +.*\^")
    assert len(re.findall(r"10-guard\.py:\d+:\d+: error: ", server.stderr)) >= 1
    assert get(server, "/health").body == b"fine\n"
    page = wait_until(lambda: _failed(server), 5)
    assert page is not None
    text = page.body.decode()
    assert "10-guard.py" in text and "first = BAD_NAME_ONE" in text
    script.write_text(GUARD.replace("fine", "repaired"))
    serves(server, "/health", b"repaired\n")
    assert get(server, "/", BROWSER).status == 200


def _failed(server: Server) -> Response | None:
    page = get(server, "/", BROWSER)
    return page if page.status == 500 else None


def test_an_error_in_a_module_is_noticed_and_repaired(server: Server, script: Path) -> None:
    words = script.with_name("words.py")
    words.write_text("WORD = (\n")
    server.wait_line("reload refused")
    assert "words.py" in server.stderr
    words.write_text('WORD = "again"\n')
    serves(server, "/word", b"again")


def test_a_server_does_not_start_with_an_error(site: Path, script: Path, tmp_path: Path) -> None:
    script.write_text(BROKEN)
    for arguments in ([site], [script], [site / "none.tar", "--plugin", script]):
        if arguments[0] == site / "none.tar":
            pack_into = tmp_path / "plain"
            pack_into.mkdir()
            arguments[0] = pack_into
        done = command(*arguments, "--addr", "127.0.0.1:0")
        no_traceback(done.stderr)
        assert done.returncode == 1
        assert re.search(r"10-guard\.py:6:\d+: error: ", done.stderr), done.stderr


# Commands


def test_pack_check_and_compile_say_what_is_wrong(site: Path, script: Path, tmp_path: Path) -> None:
    script.write_text(BROKEN)
    commands: list[list[str | Path]] = [
        ["pack", site, "-o", tmp_path / "site.tar"],
        ["compile", script, "-o", tmp_path / "guard.o"],
        ["explain", script],
        ["explain", site, "GET", "/"],
    ]
    for arguments in commands:
        done = command(*arguments)
        no_traceback(done.stderr)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.search(r"10-guard\.py:6:\d+: error: ", done.stderr), done.stderr
        assert "    first = BAD_NAME_ONE" in done.stderr
    assert not (tmp_path / "site.tar").exists()
    assert not (tmp_path / "guard.o").exists()
    done = command("check", site)
    assert done.returncode == 1
    assert "entry '.zeroserve/scripts/10-guard.py': line 6: " in done.stdout


def test_compile(site: Path, script: Path, tmp_path: Path) -> None:
    done = command("compile", script, "-o", tmp_path / "guard.o")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("verified: ")
    with running(tmp_path / "guard.o") as server:
        assert get(server, "/health").body == b"fine\n"
    for form in ("ir", "llvm", "asm"):
        done = command("compile", script, "--emit", form)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.strip()
        assert command("compile", script, "--emit", form, "-o", tmp_path / form).stdout == ""
        assert (tmp_path / form).read_text() == done.stdout
    helper = script.with_name("words.py")
    done = command("compile", helper)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no hooks" in done.stdout
    assert command("compile", helper, "-o", tmp_path / "words.o").returncode == 1


def test_explain(site: Path) -> None:
    found = json.loads(command("explain", site, "GET", "/health", "--json").stdout)
    (first,) = found["functions"]
    assert (first["script"], first["section"]) == ("10-guard", "zeroserve.request")
    assert found["decision"]["status"] == 200
    found = json.loads(command("explain", site, "GET", "/word", "--json").stdout)
    assert [one["script"] for one in found["functions"]] == ["10-guard", "20-greet"]


def test_explain_with_lines(site: Path) -> None:
    text = command("explain", site, "GET", "/health", "--trace").stdout
    assert '10-guard.py:6: if req.path == "/health":' in text
    assert '10-guard.py:7: return Response(200, "fine\\n")' in text
    text = command("explain", site, "GET", "/", "--trace").stdout
    assert "10-guard.py:7" not in text
