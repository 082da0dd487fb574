"""``examples/app``, as somebody with a browser sees it: files, a script, an application."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import chromium
from support.application import fetch
from support.server import Server, running
from support.tls import key_hash
from zeroserve._core import dev_authority, dev_certificate
from zeroserve.pack import pack

pytest.importorskip("granian")
pytest.importorskip("fastapi")

EXAMPLE = Path(__file__).parent.parent / "examples" / "app"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, so that it can be changed."""
    monkeypatch.setenv("GUESTBOOK", str(tmp_path / "guestbook.db"))
    copy = tmp_path / "app"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(params=["directory", "archive"])
def server(request: pytest.FixtureRequest, place: Path) -> Iterator[Server]:
    site = place / "site"
    if request.param == "archive":
        site = place.parent / "site.tar"
        pack(place / "site", site)
    with running(site, *options(place), "--app-workers", "2") as server:
        yield server


def options(place: Path) -> list[str]:
    return ["--app", "guestbook:app", "--app-dir", str(place), "--threads", "1"]


def write(server: Server, name: str, text: str) -> int:
    body = json.dumps({"name": name, "text": text}).encode()
    return fetch(server, "/api/entries", JSON, method="POST", body=body).status


def test_what_each_part_answers(server: Server) -> None:
    page = fetch(server, "/")
    assert (page.status, page.media_type) == (200, "text/html")
    assert write(server, "Ada", "hello") == 201
    entries = fetch(server, "/api/entries")
    assert json.loads(entries.body) == [{"id": 1, "name": "Ada", "text": "hello"}]
    assert json.loads(fetch(server, "/api/me", {"Host": "guests.example"}).body) == {
        "address": "127.0.0.1",
        "url": "http://guests.example/api/me",
    }
    assert write(server, "", "nobody") == 422
    assert fetch(server, "/nothing").status == 404
    for response in (page, entries):
        assert response.header("x-frame-options") == "DENY"
    # The script, before the application.
    statuses = [write(server, "Ada", "again") for _ in range(25)]
    assert 429 in statuses
    assert len(json.loads(fetch(server, "/api/entries").body)) == 1 + statuses.count(201)


@pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_in_a_browser(place: Path, tmp_path: Path, scheme: str) -> None:
    """Entries come through the WebSocket, also those of others, and after a new version.

    Over HTTPS requests come by HTTP/2, and the WebSocket by a connection of its own.
    """
    profile = tmp_path / "profile"
    profile.mkdir()
    shown = "[...document.querySelectorAll('#entries li')].map((e) => e.innerText).join('|')"
    state = "document.getElementById('state').textContent"
    chain, key = dev_certificate(dev_authority("here"), ["localhost", "127.0.0.1"])
    pair = tmp_path / "pair.pem"
    pair.write_text(chain + key)
    trusted = f"--ignore-certificate-errors-spki-list={key_hash(chain)}"
    tls = ["--tls-addr", "127.0.0.1:0", "--cert", str(pair)]
    with (
        running(place / "site", *options(place), *tls, "--no-live-reload") as server,
        chromium.browser(profile, trusted) as page,
    ):
        secure = server.wait_line(r"^listening on (https://\S+)$")[1]
        page.open(f"{secure if scheme == 'https' else server.url}/")
        page.wait_for(f"{state} == 'Connected.'")
        page.wait_for("document.getElementById('me').textContent == '127.0.0.1'")
        page.evaluate(
            "document.querySelector('[name=name]').value = 'Ada';"
            "document.querySelector('[name=text]').value = '<b>hello</b>';"
            "document.querySelector('button').click()"
        )
        page.wait_for(f"{shown} == 'Ada\\n<b>hello</b>'")
        assert write(server, "Grace", "from elsewhere") == 201
        page.wait_for(f"{shown} == 'Grace\\nfrom elsewhere|Ada\\n<b>hello</b>'")
        assert page.complaints == []
        page.evaluate("fetch('/api/me').then((r) => r.json()).then((m) => { window.me = m; })")
        page.wait_for("window.me")
        assert page.evaluate("window.me.url").startswith(f"{scheme}://127.0.0.1:")
        spoken = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
        assert spoken == ("h2" if scheme == "https" else "http/1.1")
        # A new version of the application: the page finds it by itself.
        source = place / "guestbook.py"
        source.write_text(source.read_text().replace('"address": client', '"address": "new"'))
        server.wait_line("started again the app")
        page.wait_for(f"{state} == 'Not connected.'")
        page.wait_for(f"{state} == 'Connected.'")
        assert write(server, "Ada", "still here") == 201
        page.wait_for(f"{shown}.startsWith('Ada\\nstill here|')")
        assert json.loads(fetch(server, "/api/me").body)["address"] == "new"
