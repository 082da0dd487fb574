"""examples/scripts/python/short_links.py"""

import re

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

TOKEN = {"authorization": "Bearer sesame"}
URL = "https://example.com/a?b=c#d"


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("LINKS_TOKEN", "sesame")
    return serve("short_links.py")


def test_make_follow_count(client: Client) -> None:
    made = client.post("/go/", TOKEN, URL + "\n")
    assert made.status == 201
    path = made.headers["location"]
    assert re.fullmatch(r"/go/[2-9a-hjkmnp-z]{6}", path)
    assert made.text() == f"http://localhost{path}\n"
    assert client.get(path + "+", TOKEN).json() == {"url": URL, "hits": 0}
    answers = [client.get(path), client.get(path), client.head(path)]
    assert [(a.status, a.headers["location"]) for a in answers] == [(302, URL)] * 3
    assert client.get(path + "+", TOKEN).json() == {"url": URL, "hits": 2}
    assert client.request("DELETE", path, TOKEN).status == 204
    assert client.get(path).status == 404


def test_names(client: Client) -> None:
    assert client.request("PUT", "/go/home", TOKEN, URL).status == 201
    assert client.request("PUT", "/go/home", TOKEN, "https://example.org/").status == 201
    assert client.get("/go/home").headers["location"] == "https://example.org/"
    assert client.get("/go/docs").headers["location"] == "https://docs.example.com/"
    for name in ("docs", "a.b", "a/b", "", "x" * 65):
        assert client.request("PUT", f"/go/{name}", TOKEN, URL).status == 422
    assert client.post("/go/x", TOKEN, URL).status == 422
    assert client.request("PATCH", "/go/x").status == 405


@pytest.mark.parametrize(
    "url",
    [
        b"",
        b"example.com",
        b"javascript:alert(1)",
        b"https://user@example.com/",
        b"https:///path",
        b"https://exa mple.com/",
        b"https://example.com/\r\nX: y",
        b"https://[::1/",
        b"\xff\xfe",
        b"https://example.com/" + b"x" * 2000,
    ],
)
def test_what_is_no_link(client: Client, url: bytes) -> None:
    assert client.post("/go/", TOKEN, url).status == 422


def test_who_may_not(client: Client) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "sesame"}):
        assert client.post("/go/", headers, URL).status == 401
        assert client.request("DELETE", "/go/docs", headers).status == 401
        assert client.get("/go/docs+", headers).status == 401


def test_without_a_token_links_are_followed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINKS_TOKEN", raising=False)
    client = serve("short_links.py")
    assert client.post("/go/", {"authorization": "Bearer "}, URL).status == 401
    assert client.get("/go/status").status == 302
