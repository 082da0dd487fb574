"""examples/scripts/python/maintenance.py"""

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

UNTIL = "Sun, 06 Nov 2094 08:49:37 GMT"


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("MAINTENANCE", UNTIL)
    monkeypatch.setenv("PREVIEW_TOKEN", "let me in")
    return serve("maintenance.py", files={"style.css": "p {}", "health": "ok"})


def test_on(client: Client) -> None:
    page = client.get("/page.html", {"accept": "text/html,*/*"})
    assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "Back soon" in page.text()
    assert page.headers["retry-after"] == UNTIL
    other = client.get("/data/a.json")
    assert (other.status, other.text()) == (503, "down for maintenance\n")
    assert other.headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get("/style.css").status == 200
    assert client.get("/health").status == 200


def test_staff(client: Client) -> None:
    for address, status in {
        "192.0.2.1": 200,
        "2001:db8:1::5": 200,
        "192.0.3.1": 503,
        "2001:db8:2::5": 503,
    }.items():
        assert client.get("/page.html", {"x-forwarded-for": address}).status == status


def test_preview(client: Client) -> None:
    assert client.get("/?preview=wrong").status == 503
    answer = client.get("/?preview=let+me+in")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie == "preview=let me in; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert client.get("/page.html", {"cookie": "preview=let me in"}).status == 200
    assert client.get("/page.html", {"cookie": "preview="}).status == 503


def test_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINTENANCE", "")
    assert serve("maintenance.py").get("/page.html").status == 200


def test_without_a_date(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINTENANCE", "1")
    monkeypatch.delenv("PREVIEW_TOKEN", raising=False)
    client = serve("maintenance.py")
    assert client.get("/").headers["retry-after"] == "600"
    assert client.get("/?preview=", {"cookie": "preview="}).status == 503
