"""examples/scripts/python/status_json.py"""

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

TOKEN = {"authorization": "Bearer sesame"}


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("STATUS_TOKEN", "sesame")
    return serve("status_json.py")


def test_a_tag_as_long_as_nothing_changes(client: Client) -> None:
    first = client.get("/status.json")
    services = [{"name": name, "state": "ok"} for name in ("api", "search", "mail")]
    assert first.json() == {"overall": "ok", "since": 0, "services": services}
    tag = first.headers["etag"]
    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = client.get("/status.json", {"if-none-match": header})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    for header in ('"x"', "", tag.strip('"')):
        assert client.get("/status.json", {"if-none-match": header}).status == 200
    assert client.request("PUT", "/status/search", TOKEN, "degraded\n").status == 204
    changed = client.get("/status.json", {"if-none-match": tag})
    assert changed.status == 200
    assert changed.json()["overall"] == "degraded"
    assert changed.json()["services"][1] == {"name": "search", "state": "degraded"}
    assert changed.json()["since"] > 1_700_000_000


def test_what_is_refused(client: Client) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer é"}):
        assert client.request("PUT", "/status/api", headers, "down").status == 401
    for path, state in (("/status/api", "fine"), ("/status/x", "ok"), ("/status/api", b"\xff")):
        assert client.request("PUT", path, TOKEN, state).status == 422
    assert client.post("/status.json").status == 405
    assert client.get("/status.json").json()["overall"] == "ok"
