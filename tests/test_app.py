"""``zeroserve SITE --app module:app``: an application behind a site."""

import asyncio
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import zeroserve
from support import application, sites
from support.application import ASGI, WSGI, ask, fetch
from support.server import Server, command, executable, running, wait_until
from support.wire import Connection, request

pytest.importorskip("granian")

SEEN_WITHIN_S = 20.0

PAGE = b"<!doctype html><title>page</title>"
FILES = {
    "index.html": b"start",
    "page.html": PAGE,
    "404.html": b"not here",
    "sub/index.html": b"sub",
    ".well-known/token": b"token",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sockets of applications go: a directory that has to be empty in the end."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return place


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with the application ``main:app``."""
    return application.write(tmp_path / "source")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return sites.write_tree(tmp_path / "public", FILES)


def options(source: Path, *more: str) -> list[str]:
    return ["--app", "main:app", "--app-dir", str(source), "--threads", "2", *more]


def processes(home: Path) -> list[int]:
    """Of applications whose sockets are there."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_text(errors="replace")
            except OSError:
                continue
            if "zeroserve.app.runner" in words and str(home) in words:
                found.append(int(place.name))
    return found


def gone(home: Path) -> bool:
    return not processes(home) and not list(home.iterdir())


# --- who answers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["directory", "archive"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One application behind a directory, and behind an archive."""
    place = tmp_path_factory.mktemp("app")
    site = sites.write_tree(place / "public", FILES)
    if request.param == "archive":
        site = sites.python_tar(place / "site.tar", FILES)
    with running(site, *options(application.write(place / "source"))) as server:
        yield server


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/", b"start"),
        ("/page.html", PAGE),
        ("/page.html?x=1", PAGE),
        ("/sub/", b"sub"),
        ("/.well-known/token", b"token"),
    ],
)
def test_files_come_first(server: Server, target: str, body: bytes) -> None:
    assert fetch(server, target).body == body
    head = fetch(server, target, method="HEAD")
    assert (head.status, head.header("x-by")) == (200, None)


def test_a_directory_gets_its_slash(server: Server) -> None:
    response = fetch(server, "/sub")
    assert (response.status, response.header("location")) == (301, "/sub/")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api"),
        ("GET", "/api/a%20b?c=d&e"),
        ("GET", "/page.html/more"),
        ("GET", "/.hidden"),
        ("GET", "/sub/none/"),
        ("POST", "/api"),
        ("POST", "/page.html"),
        ("PUT", "/"),
        ("DELETE", "/page.html"),
        ("PROPFIND", "/page.html"),
        ("OPTIONS", "/api"),
    ],
)
def test_what_files_do_not_answer(server: Server, method: str, target: str) -> None:
    body = b"abc" if method in ("POST", "PUT") else b""
    seen = ask(server, target, method=method, body=body)
    assert (seen["method"], seen["body"]) == (method, body.decode())
    path, _, query = target.partition("?")
    assert (seen["path"], seen["query"]) == (path.replace("%20", " "), query)


def test_heads(server: Server) -> None:
    head = fetch(server, "/api", method="HEAD")
    assert (head.status, head.header("x-by"), head.body) == (200, "app", b"")


def test_its_own_not_found(server: Server) -> None:
    """The page of the site is for sites without an application."""
    response = fetch(server, "/missing")
    assert (response.status, response.header("x-by")) == (404, "app")


def test_a_path_that_leads_out_stays_here(server: Server) -> None:
    assert fetch(server, "/../x").header("x-by") is None


def test_options_of_a_file_are_ours(server: Server) -> None:
    response = fetch(server, "/page.html", method="OPTIONS")
    assert (response.status, response.header("x-by")) == (204, None)


def test_bodies(server: Server) -> None:
    large = sites.noise(3_000_000)
    assert ask(server, "/upload", method="POST", body=large)["length"] == len(large)
    chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    with Connection(server.address) as connection:
        fields = {"Transfer-Encoding": "chunked"}
        connection.send(request("/upload", fields, method="POST") + chunks)
        assert json.loads(connection.response().body)["body"] == "hello world"
        # The connection is as good as before.
        connection.send(request("/page.html"))
        assert connection.response().body == PAGE
        connection.send(request("/again"))
        assert json.loads(connection.response().body)["path"] == "/again"


def test_who_asks(server: Server) -> None:
    """Not what a client says of itself."""
    fields = {"Host": "shop.example:8080", "X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "ftp"}
    seen = ask(server, "/who", fields)
    assert seen["client"] == ["127.0.0.1", 0]
    assert seen["scheme"] == "http"
    assert seen["server"] == ["shop.example", 8080]
    headers = dict(seen["headers"])
    assert headers["host"] == "shop.example:8080"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-host"] == "shop.example:8080"
    assert headers["x-forwarded-proto"] == "http"


def test_who_asks_behind_a_proxy(tree: Path, source: Path) -> None:
    trust = ["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "10.0.0.0/8"]
    fields = {"X-Forwarded-For": "6.6.6.6, 9.9.9.9, 10.1.1.1", "X-Forwarded-Proto": "https"}
    with running(tree, *options(source, *trust)) as server:
        seen = ask(server, "/who", fields)
        assert (seen["client"], seen["scheme"]) == (["9.9.9.9", 0], "https")
        assert ask(server, "/who")["client"] == ["127.0.0.1", 0]


def test_web_sockets(server: Server) -> None:
    async def converse() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{server.url}/socket", max_msg_size=0) as talk:
                await talk.send_str("hello")
                assert await talk.receive_str() == "ws hello"
                large = sites.noise(1_000_000)
                await talk.send_bytes(large)
                assert await talk.receive_bytes() == large
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{server.url}/nobody")
            assert refused.value.status == 403

    asyncio.run(converse())


def test_what_it_prints(server: Server) -> None:
    ask(server, "/print")
    server.wait_line("^app: printed by the app$")
    server.wait_line("^app: {9}behind a tab$")
    server.wait_line("^app: long x+")
    server.wait_line("^app: end of lines$")
    server.wait_line("^app: imported version one$")


def test_what_is_served_is_said(server: Server) -> None:
    server.wait_line("^zeroserve: started the app main:app: [0-9]+ ms$")
    server.wait_line("^serving .*, behind it main:app$")


def test_scripts_come_first_and_last(tmp_path: Path, source: Path) -> None:
    script = b"""
from zeroserve.script import Request, Response, on_request, on_response

@on_request
def guard(req: Request) -> Response | None:
    if req.path == "/blocked":
        return Response(403, "no\\n")
    if req.path == "/old":
        req.rewrite("/page.html")
    if req.path == "/moved":
        req.rewrite("/new")
        req.set_header("x-script", "was here")
    return None

@on_response
def mark(req: Request, res: Response) -> None:
    res.set_header("x-script", "ran")
"""
    site = sites.write_tree(tmp_path / "public", {**FILES, ".zeroserve/scripts/guard.py": script})
    with running(site, *options(source)) as server:
        assert fetch(server, "/blocked").status == 403
        assert fetch(server, "/old").body == PAGE
        seen = ask(server, "/moved")
        assert (seen["path"], dict(seen["headers"])["x-script"]) == ("/new", "was here")
        response = fetch(server, "/api", method="POST", body=b"x" * 100_000)
        assert (response.header("x-by"), response.header("x-script")) == ("app", "ran")
        assert json.loads(response.body)["length"] == 100_000


@pytest.mark.parametrize("interface", ["auto", "wsgi"])
def test_wsgi(tmp_path: Path, tree: Path, interface: str) -> None:
    source = application.write(tmp_path / "source", WSGI)
    with running(tree, *options(source, "--app-interface", interface)) as server:
        fields = {"Host": "a.example"}
        seen = ask(server, "/a%20b?c", fields, method="POST", body=b"abc")
        assert seen == {
            "method": "POST",
            "path": "/a b",
            "query": "c",
            "scheme": "http",
            "client": ["127.0.0.1", 0],
            "server": ["a.example", 80],
            "body": "abc",
        }
        assert fetch(server, "/page.html").body == PAGE


def test_several_processes(tree: Path, source: Path, home: Path) -> None:
    with running(tree, *options(source, "--app-workers", "2")) as server:
        running_now = processes(home)
        # The one that granian is, and those that it has started.
        assert len(running_now) == 3
        assert {ask(server)["pid"] for _ in range(10)} < set(running_now)
    wait_until(lambda: gone(home), SEEN_WITHIN_S, "something is left")


DJANGO = """
from django.conf import settings
from django.core.{kind} import get_{kind}_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["shop.example"], SECRET_KEY="k")


def seen(request: HttpRequest) -> JsonResponse:
    found = {{"url": request.build_absolute_uri(), "client": request.META["REMOTE_ADDR"]}}
    return JsonResponse({{**found, "length": len(request.body)}}, headers={{"x-by": "app"}})


urlpatterns = [path("seen", seen)]
app = get_{kind}_application()
"""


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_django(tmp_path: Path, tree: Path, kind: str) -> None:
    pytest.importorskip("django")
    source = application.write(tmp_path / "source", DJANGO.format(kind=kind))
    with running(tree, *options(source)) as server:
        fields = {"Host": "shop.example"}
        assert ask(server, "/seen?a=b", fields) == {
            "url": "http://shop.example/seen?a=b",
            "client": "127.0.0.1",
            "length": 0,
        }
        assert fetch(server, "/none", fields).status == 404
        assert fetch(server, "/seen", {"Host": "other.example"}).status == 400


# --- mistakes -------------------------------------------------------------------------------------

MISTAKES = {
    "no module": (
        None,
        "no module 'main' in '{source}' or installed",
        "--app-dir names the directory",
    ),
    "no name": (
        "def create(): pass\nappl = print\n",
        "module 'main' has no 'app'",
        "did you mean 'appl'?",
    ),
    "syntax": ("x = 1\ndef f(:\n", "{source}/main.py:2: invalid syntax", None),
    "exception": (
        "def f():\n    raise ValueError('no such\\nplanet')\nf()\n",
        "{source}/main.py:2: ValueError: no such planet",
        None,
    ),
    "dependency": (
        "\nimport no_such_thing\n",
        "{source}/main.py:2: no module 'no_such_thing'",
        "it has to be installed for ",
    ),
    "end": (
        "import sys\nsys.exit(3)\n",
        "{source}/main.py:2: it ends the process when it is imported",
        "what is for the command line belongs below",
    ),
    "crash": ("import os\nos._exit(3)\n", "importing it ended the process: exit code 3", None),
    "number": ("app = 5\n", "'main:app' is no application: int", None),
    "factory": ("def app(): pass\n", "'main:app' takes no arguments", "if it makes the app"),
    "startup": (
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})\n",
        "main:app: its startup failed: no database",
        None,
    ),
}


@pytest.mark.parametrize("interface", ["auto", "asgi"])
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(tmp_path: Path, tree: Path, home: Path, name: str, interface: str) -> None:
    """One line and a hint, exit code 1, and nobody could ever connect."""
    text, message, hint = MISTAKES[name]
    if interface == "asgi" and name == "crash":
        pytest.skip("granian tries that once more, and says so")
    source = tmp_path / "source"
    source.mkdir()
    if text is not None:
        application.write(source, text)
    listening = tmp_path / "listening"
    done = command(
        tree, *options(source, "--app-interface", interface), "--addr", f"unix:{listening}"
    )
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("app: ")]
    assert message.format(source=source) in lines[0].replace("../", "/"), done.stderr
    assert lines[0].startswith("zeroserve: error: ")
    if hint is None:
        assert len(lines) == 1
    else:
        assert lines[1].startswith("hint: " + hint)
    assert not listening.exists()
    wait_until(lambda: gone(home), SEEN_WITHIN_S, "something is left")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--app", "main"], "--app: not MODULE:NAME: 'main'"),
        (["--app", "main.py:app"], None),
        (["--app", "a b:app"], "--app: not MODULE:NAME: 'a b:app'"),
        (["--app", "main:app()"], "--app: not MODULE:NAME: 'main:app()'"),
        (["--app-dir", "."], "--app-dir without --app"),
        (["--app-interface", "wsgi"], "--app-interface without --app"),
        (["--app", "main:app", "--app-workers", "0"], "--app-workers: outside of 1 to 256"),
        (["--app", "main:app", "--app-interface", "rsgi"], "--app-interface: not one of"),
    ],
)
def test_wrong_usage(tree: Path, words: list[str], message: str | None) -> None:
    done = command(tree, *words, "--addr", "127.0.0.1:0")
    if message is None:
        assert done.returncode == 1, done.stderr
    else:
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"zeroserve: error: {message}")


def test_without_granian(tree: Path, source: Path) -> None:
    program = (
        "import sys; sys.modules['granian'] = None; from zeroserve.cli import main; "
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tree, *options(source), "--addr", "127.0.0.1:0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "zeroserve: error: granian is not installed, which runs applications",
        "hint: pip install 'zeroserve[app]'",
    ]


def test_source_is_not_published(tmp_path: Path, tree: Path) -> None:
    for place in (tree, tree / "sub"):
        application.write(place)
        done = command(tree, *options(place), "--addr", "127.0.0.1:0")
        assert done.returncode == 1
        assert "the app lies in the site, which publishes it" in done.stderr
    with running(tree, *options(application.write(tree / ".app"))) as server:
        assert ask(server, "/.app/main.py")["path"] == "/.app/main.py"


def test_an_address_that_is_taken(tree: Path, source: Path, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = command(tree, *options(source), "--addr", address)
    assert done.returncode == 1
    assert "address" in done.stderr
    wait_until(lambda: gone(home), SEEN_WITHIN_S, "something is left")


def test_a_signal_while_it_starts(tmp_path: Path, tree: Path, home: Path) -> None:
    source = application.write(
        tmp_path / "source", "import time\nprint('begins')\ntime.sleep(60)\n"
    )
    server = Server([tree, *options(source), "--addr", "127.0.0.1:0"])
    try:
        server.wait_line("^app: begins")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        wait_until(lambda: gone(home), SEEN_WITHIN_S, "something is left")
    finally:
        server.kill()


def test_the_end_while_it_starts(tmp_path: Path, tree: Path, home: Path) -> None:
    source = application.write(
        tmp_path / "source", "import time\nprint('begins')\ntime.sleep(60)\n"
    )
    server = Server([tree, *options(source), "--addr", "127.0.0.1:0"])
    try:
        server.wait_line("^app: begins")
        (keeper,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        os.kill(int(keeper), signal.SIGKILL)
        assert server.wait() == 1
        assert "the app main:app was not started: its keeper ended" in server.stderr
        wait_until(lambda: not processes(home), SEEN_WITHIN_S, "something is left")
    finally:
        server.kill()


# --- what goes wrong later ------------------------------------------------------------------------


def answers(server: Server, key: str, value: object) -> bool:
    response = fetch(server, "/seen")
    return response.status == 200 and json.loads(response.body)[key] == value


def another_pid(server: Server, before: int) -> bool:
    response = fetch(server, "/seen")
    return response.status == 200 and json.loads(response.body)["pid"] != before


@pytest.mark.parametrize("way", ["/die", "/die-all"])
def test_it_is_started_again(tree: Path, source: Path, home: Path, way: str) -> None:
    """One of its processes ends, or all of them do; files are served meanwhile."""
    with running(tree, *options(source)) as server:
        before = ask(server)["pid"]
        fetch(server, way)
        assert fetch(server, "/page.html").body == PAGE
        wait_until(lambda: another_pid(server, before), SEEN_WITHIN_S, "not started again")
        if way == "/die-all":
            server.wait_line(r"error: the app has ended: signal 9.*; started again in 0.5 s$")
            server.wait_line("^zeroserve: started again the app main:app: ")
        wait_until(
            lambda: not Path(f"/proc/{before}").exists(), SEEN_WITHIN_S, "the old one goes on"
        )
    wait_until(lambda: gone(home), SEEN_WITHIN_S, "something is left")


SHORT_LIVED = """
import os, threading, time

def end():
    time.sleep(0.3)
    print("out of luck", flush=True)
    os.kill(os.getppid(), 9)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        threading.Thread(target=end).start()
        raise NotImplementedError
"""


def test_without_its_keeper(tree: Path, source: Path, home: Path) -> None:
    """Nobody starts it again: it ends, and the server says so and serves files."""
    with running(tree, *options(source)) as server:
        ask(server)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        assert len(children) == 1
        os.kill(int(children[0]), signal.SIGKILL)
        server.wait_line("error: the app is no longer looked after: its keeper has ended")
        wait_until(lambda: not processes(home), SEEN_WITHIN_S, "it goes on")
        assert fetch(server, "/page.html").body == PAGE
        assert fetch(server, "/seen").status == 502
        server.hang_up()
        server.wait_line("reloaded ")


def test_who_ends_again_and_again_has_to_wait(tmp_path: Path, tree: Path) -> None:
    source = application.write(tmp_path / "source", SHORT_LIVED)
    with running(tree, *options(source)) as server:
        server.wait_line("the app has ended: signal 9, 'out of luck'; started again in 0.5 s$")
        server.wait_line("the app has ended: signal 9, 'out of luck'; started again in 1 s$")
        server.wait_line("started again in 2 s$")
        assert fetch(server, "/page.html").body == PAGE
        # A new version need not wait.
        application.write(source)
        wait_until(lambda: fetch(server, "/seen").status == 200, SEEN_WITHIN_S)


def change(source: Path, text: str) -> None:
    """As editors save: another file in its place."""
    fresh = source / "main.py.new"
    fresh.write_text(text)
    fresh.replace(source / "main.py")


def test_changes_are_taken_over(tree: Path, source: Path) -> None:
    with running(tree, *options(source)) as server:
        assert answers(server, "version", "one")
        change(source, ASGI.replace('"one"', '"two"'))
        wait_until(lambda: answers(server, "version", "two"), SEEN_WITHIN_S, "still the old one")
        count = len(server.lines)
        change(source, "import nothing_of_that_name\n")
        server.wait_line("error: reload refused, the app goes on as it was: .*main.py:1: no module")
        assert answers(server, "version", "two")
        change(source, ASGI.replace('"one"', '"three"'))
        wait_until(lambda: answers(server, "version", "three"), SEEN_WITHIN_S, "still the old one")
        server.wait_line("started again the app", after=count)


def test_changes_are_not_looked_for(tmp_path: Path, tree: Path, source: Path) -> None:
    archive = sites.python_tar(tmp_path / "site.tar", FILES)
    for site, more in ((tree, ["--no-watch"]), (archive, [])):
        change(source, ASGI)
        with running(site, *options(source, *more)) as server:
            change(source, ASGI.replace('"one"', '"two"'))
            time.sleep(1.5)
            assert answers(server, "version", "one")
            server.hang_up()
            wait_until(lambda: answers(server, "version", "two"), SEEN_WITHIN_S)


class Load:
    """Clients that ask the application, on connections that stay and on new ones."""

    def __init__(self, server: Server, count: int = 6) -> None:
        self.faults: list[str] = []
        self.pids: set[int] = set()
        self.requests = 0
        self._server = server
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(count)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        method, body = ("POST", b"x" * 1000) if number % 2 else ("GET", b"")
        connection = Connection(self._server.address, timeout_s=20)
        while not self._stop.is_set():
            try:
                connection.send(request("/seen", method=method, body=body))
                response = connection.response()
                if response.status == 200:
                    self.pids.add(json.loads(response.body)["pid"])
                else:
                    self.faults.append(f"{method}: {response.status} {response.body!r}")
            except Exception as error:
                self.faults.append(f"{method}: {error!r}")
                return
            self.requests += 1
            if number % 3 == 0:
                connection.close()
                connection = Connection(self._server.address, timeout_s=20)
        connection.close()


def test_no_request_is_lost_over_reloads(tree: Path, source: Path) -> None:
    with running(tree, *options(source, "--no-watch")) as server, Load(server) as load:
        for number in range(3):
            before = len(server.lines)
            version = f'"{number}"'
            change(source, ASGI.replace('"one"', version))
            server.hang_up()
            server.wait_line("^zeroserve: started again the app", after=before, timeout_s=20)
            wait_until(lambda n=number: answers(server, "version", str(n)), SEEN_WITHIN_S)  # type: ignore[misc]
            # Until after the old one has ended.
            time.sleep(1.5)
    assert load.faults == []
    assert len(load.pids) == 4
    assert load.requests > 100


def test_what_runs_is_finished_over_a_reload(tree: Path, source: Path) -> None:
    with running(tree, *options(source, "--no-watch")) as server:
        before = ask(server)["pid"]
        with Connection(server.address) as connection:
            connection.send(request("/slow"))
            server.wait_line("^app: slow begins")
            server.hang_up()
            assert json.loads(connection.response().body)["pid"] == before
        wait_until(lambda: another_pid(server, before), SEEN_WITHIN_S, "not started again")


def test_what_runs_is_finished_at_the_end(tree: Path, source: Path, home: Path) -> None:
    with running(tree, *options(source)) as server, Connection(server.address) as connection:
        connection.send(request("/slow"))
        server.wait_line("^app: slow begins")
        server.signal(signal.SIGTERM)
        assert json.loads(connection.response().body)["path"] == "/slow"
        assert server.wait() == 0
    assert gone(home)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_server(
    tree: Path, source: Path, home: Path, number: signal.Signals
) -> None:
    with running(tree, *options(source)) as server:
        ask(server)
        if number == signal.SIGTERM:
            # A second one ends it at once.
            server.signal(number)
        server.signal(number)
        server.wait()
        wait_until(lambda: gone(home), SEEN_WITHIN_S, "something is left")


def test_nobody_reads_what_it_prints(tmp_path: Path, tree: Path, source: Path) -> None:
    """Neither requests nor a new version wait for that."""
    place = tmp_path / "listening"
    process = subprocess.Popen(
        [executable(), tree, *options(source), "--addr", f"unix:{place}"],
        stderr=subprocess.PIPE,
    )

    def version() -> str | None:
        try:
            with Connection(str(place)) as connection:
                connection.send(request("/seen"))
                response = connection.response()
        except OSError:
            return None
        return str(json.loads(response.body)["version"]) if response.status == 200 else None

    try:
        wait_until(lambda: version() == "one", SEEN_WITHIN_S)
        with Connection(str(place)) as connection:
            connection.send(request("/flood"))
            assert connection.response().status == 200
        change(source, ASGI.replace('"one"', '"two"'))
        wait_until(lambda: version() == "two", SEEN_WITHIN_S, "still the old one")
        process.terminate()
        assert process.wait(SEEN_WITHIN_S) == 0
        assert process.stderr is not None
        said = process.stderr.read()
        assert b"app: line 0 x" in said
        assert b"app: line 19999 x" not in said
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


# --- rights ---------------------------------------------------------------------------------------


def seccomp(pid: int) -> str:
    found = re.search(r"^Seccomp:\s*(\d)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_it_is_not_in_the_sandbox(tmp_path: Path, tree: Path, source: Path) -> None:
    with running(tree, *options(source)) as server:
        server.wait_line("^sandbox: ")
        assert seccomp(server.pid) == "2"
        assert seccomp(ask(server)["pid"]) == seccomp(os.getpid())
        ask(server, f"/write?{tmp_path}/written")
        assert (tmp_path / "written").read_text() == "written"


def test_its_socket_is_private(tree: Path, source: Path, home: Path) -> None:
    with running(tree, *options(source)):
        (directory,) = home.iterdir()
        assert directory.stat().st_mode & 0o777 == 0o700


def _nobody_has_python() -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import zeroserve.app, granian"],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user(tree: Path, source: Path) -> None:
    import tempfile

    if not _nobody_has_python():
        pytest.skip("this Python can't be read by others")
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="zs-public-") as directory:
        Path(directory).chmod(0o755)
        site = sites.python_tar(Path(directory) / "site.tar", FILES)
        place = application.write(Path(directory) / "source")
        with running(site, *options(place), "--user", "nobody") as server:
            seen = ask(server)
            assert (seen["uid"], seen["home"]) == (nobody.pw_uid, nobody.pw_dir)
            assert fetch(server, "/page.html").body == PAGE
            server.hang_up()
            wait_until(lambda: another_pid(server, seen["pid"]), SEEN_WITHIN_S)


# --- the library ----------------------------------------------------------------------------------


def test_the_library(tree: Path, source: Path, home: Path) -> None:
    reports: list[tuple[str, str]] = []
    server = zeroserve.Server(
        tree,
        app="main:app",
        app_dir=source,
        threads=1,
        report=lambda severity, line: reports.append((severity, line)),
    )
    with server:
        port = int(server.url.rpartition(":")[2])
        with Connection(("127.0.0.1", port)) as connection:
            connection.send(request("/seen"))
            assert json.loads(connection.response().body)["version"] == "one"
            connection.send(request("/page.html"))
            assert connection.response().body == PAGE
        assert server.try_reload()
    wait_until(lambda: gone(home), SEEN_WITHIN_S, "something is left")
    assert any("started again the app" in line for _, line in reports)
    with pytest.raises(zeroserve.Error, match="no module 'other'"):
        zeroserve.Server(tree, app="other:app", app_dir=source).start()


def test_the_command_is_found() -> None:
    assert "--app MODULE:NAME" in command("--help").stdout
    assert executable()
