"""Sites with scripts of ``examples/scripts/python``, in both engines."""

import ast
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from zeroserve.testing import Client, Response

SCRIPTS = Path(__file__).parent.parent.parent / "examples" / "scripts" / "python"

ENGINES = ("native", "cpython")

PAGES = {
    "index.html": "<h1>home</h1>\n",
    "page.html": "<p>page</p>\n",
    "data/a.json": '{"a": 1}\n',
    "private/report.txt": "secret\n",
    "img/cat.png": "not really a picture\n",
}

Serve = Callable[..., Client]


def site(root: Path, *names: str, files: dict[str, str] | None = None, **constants: object) -> Path:
    """A directory with these scripts, and the modules that they may import.

    ``constants`` get other values: what a user does at the top of a script.
    """
    folder = root / "site"
    for name, text in {**PAGES, **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    place = folder / ".zeroserve" / "scripts"
    place.mkdir(parents=True, exist_ok=True)
    left = set(constants)
    for name in (*names, "client_address.py", "sigv4.py"):
        text = (SCRIPTS / name).read_text(encoding="utf-8")
        (place / name).write_text(_configured(text, constants, left), encoding="utf-8")
    assert not left, f"no script has a constant {left}"
    return folder


def _configured(text: str, constants: dict[str, object], left: set[str]) -> str:
    lines = text.splitlines(keepends=True)
    for node in reversed(ast.parse(text).body):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        if name in constants and node.end_lineno is not None:
            left.discard(name)
            lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {constants[name]!r}\n"]
    return "".join(lines)


def checked(client: Client) -> Client:
    """The client, whose scripts answer without being stopped: a 500 shows why."""
    send = client.request

    def request(*args: object, **words: object) -> Response:
        answer = send(*args, **words)  # type: ignore[arg-type]
        if client.errors:
            raise client.errors[-1]
        assert answer.status != 500, "a script was stopped: see stderr"
        return answer

    client.request = request  # type: ignore[method-assign]
    return client


def logged(capfd: pytest.CaptureFixture[str], wanted: str) -> str:
    """What stderr got until there was this text; lines are written by a thread of their own."""
    text = ""
    for _ in range(1000):
        text += capfd.readouterr().err
        if wanted in text:
            break
        time.sleep(0.01)
    return text


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """What runs the scripts of this test: it runs once for each."""
    found: str = request.param
    return found


@pytest.fixture
def serve(engine: str, tmp_path: Path) -> Serve:
    """``serve("redirects.py", TEMPORARY=True)``: a client of a site with that script."""

    def start(*names: str, files: dict[str, str] | None = None, **constants: object) -> Client:
        return checked(Client(site(tmp_path, *names, files=files, **constants), engine=engine))

    return start
