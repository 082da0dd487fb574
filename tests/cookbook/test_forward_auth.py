"""A server that is asked about each request: what it gets, and what becomes of its answers."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.cookbook import checked, site
from zeroserve.testing import Client

AFTER = """\
from zeroserve.script import Request, Response, on_request


@on_request
def show(req: Request) -> Response | None:
    user = req.header("remote-user") or "nobody"
    groups = req.header("remote-groups") or "none"
    return Response(200, f"{user} {groups}")
"""


class Auth(BaseHTTPRequestHandler):
    """Lets those in who have the cookie."""

    seen: list[dict[str, str]]
    status = 302

    def do_GET(self) -> None:
        fields = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append(fields)
        known = fields.get("cookie") == "sid=1"
        self.send_response(204 if known else self.status)
        if known:
            self.send_header("Remote-User", "ada")
        else:
            self.send_header("Location", "https://login.example/?rd=1")
            self.send_header("Set-Cookie", "a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT")
            self.send_header("Set-Cookie", "b=2")
            self.send_header("Content-Length", "5")
        self.end_headers()
        if not known:
            self.wfile.write(b"login")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def auth() -> Iterator[tuple[int, type[Auth]]]:
    kind = type("Own", (Auth,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, kind
        server.shutdown()


def client(tmp_path: Path, engine: str, port: int, allowed: int | None = None) -> Client:
    folder = site(tmp_path, "forward_auth.py", AUTH_URL=f"http://127.0.0.1:{port}/verify")
    (folder / ".zeroserve" / "scripts" / "z.py").write_text(AFTER)
    config = tmp_path / "process.toml"
    config.write_text(f'[fetch]\nallow = ["127.0.0.1:{allowed or port}"]\n')
    return checked(Client(folder, engine=engine, config=config))


def test_who_is_known_goes_on(tmp_path: Path, engine: str, auth: tuple[int, type[Auth]]) -> None:
    port, kind = auth
    own = client(tmp_path, engine, port)
    headers = {"cookie": "sid=1", "remote-user": "root", "remote-groups": "admin", "host": "a.test"}
    assert own.get("/private/a%20b?c=d", headers).text() == "ada none"
    (seen,) = kind.seen
    assert seen["x-forwarded-uri"] == "/private/a%20b?c=d"
    assert (seen["x-forwarded-method"], seen["x-forwarded-proto"]) == ("GET", "http")
    assert (seen["x-forwarded-host"], seen["x-forwarded-for"]) == ("a.test", "127.0.0.1")
    assert "authorization" not in seen, json.dumps(seen)
    # Elsewhere nobody is asked, and nobody is believed either.
    assert own.get("/page.html", headers).text() == "nobody none"
    assert len(kind.seen) == 1


def test_others_get_its_answer(tmp_path: Path, engine: str, auth: tuple[int, type[Auth]]) -> None:
    port, kind = auth
    own = client(tmp_path, engine, port)
    answer = own.get("/private/")
    assert (answer.status, answer.body) == (302, b"login")
    assert answer.headers["location"] == "https://login.example/?rd=1"
    assert len(answer.headers.getlist("set-cookie")) == 2
    for status, given in ((401, 401), (403, 403), (500, 502), (599, 502)):
        kind.status = status
        assert own.get("/private/").status == given


def test_without_it_nobody_gets_in(
    tmp_path: Path, engine: str, auth: tuple[int, type[Auth]]
) -> None:
    port, _ = auth
    own = client(tmp_path, engine, port, allowed=1)
    answer = own.get("/private/", {"cookie": "sid=1"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
