"""Sites with a ``zeroserve.toml``, in both engines."""

from collections.abc import Mapping
from pathlib import Path

from zeroserve.config import emit, file
from zeroserve.config.model import Rules
from zeroserve.testing import Client

ENGINES = ("native", "cpython")

FILES = {
    "index.html": "home",
    "about.html": "about",
    "docs/index.html": "docs",
    "docs/guide.html": "guide",
    "assets/app.3f2a9c1b.js": "app",
    "assets/plain.js": "plain",
    "data/0.0": "chunk",
    "data/sub/1": "one",
    "errors/404.html": "not found page",
    "errors/5xx.html": "sorry page",
    "admin.html": "admin page",
    "admin/index.html": "admin index",
    "admin/secret.txt": "secret",
    "x.php": "code",
}


def script(toml: str) -> str:
    """The script that a file becomes; it has to be without faults."""
    config, faults = file.read(toml.encode(), "zeroserve.toml")
    assert [str(one) for one in faults.found] == []
    return emit.script(Rules(), config.settings, config.lines)


def site(root: Path, toml: str, files: Mapping[str, str] | None = None) -> Path:
    """A directory with these files and this configuration."""
    folder = root / "site"
    for name, text in {**FILES, **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    place = folder / ".zeroserve"
    place.mkdir(parents=True, exist_ok=True)
    (place / "zeroserve.toml").write_text(toml, encoding="utf-8")
    return folder


class Both:
    """Asks both engines, which have to agree but for the time."""

    def __init__(self, folder: Path) -> None:
        self._clients = [Client(folder, engine=engine) for engine in ENGINES]

    def __call__(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> "Answer":
        answers = []
        for client in self._clients:
            got = client.request(method, path, headers or {}, body)
            fields = {k: v for k, v in got.headers.items() if k != "date"}
            answers.append(Answer(got.status, fields, got.body))
        first, second = answers
        assert (first.status, first.headers, first.body) == (
            second.status,
            second.headers,
            second.body,
        )
        return first

    @property
    def errors(self) -> list[BaseException]:
        return self._clients[1].errors


class Answer:
    """What both answered."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
