"""examples/scripts/python/cors.py"""

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client, Response

APP = "https://app.example.com"


def preflight(client: Client, origin: str, method: str = "PUT", names: str = "") -> Response:
    headers = {"origin": origin, "access-control-request-method": method}
    if names:
        headers["access-control-request-headers"] = names
    return client.request("OPTIONS", "/api/x", headers)


def test_preflight(serve: Serve) -> None:
    client = serve("cors.py")
    answer = preflight(client, APP, names="Content-Type, authorization")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "7200"
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("origin", "method", "names"),
    [
        ("https://evil.example", "PUT", ""),
        (APP, "PATCH", ""),
        (APP, "PUT", "content-type, x-secret"),
        ("https://app.example.com.evil.example", "PUT", ""),
        ("https://pr-1.previewXexample.com", "PUT", ""),
        ("null", "PUT", ""),
    ],
)
def test_refused_preflights(serve: Serve, origin: str, method: str, names: str) -> None:
    answer = preflight(serve("cors.py"), origin, method, names)
    assert answer.status == 204
    assert "access-control-allow-methods" not in answer.headers


def test_responses(serve: Serve) -> None:
    client = serve("cors.py")
    for origin in (APP, "https://pr-123.preview.example.com"):
        answer = client.get("/data/a.json", {"origin": origin})
        assert answer.json() == {"a": 1}
        assert answer.headers["access-control-allow-origin"] == origin
    for origin in ("https://evil.example", "https://pr-x.preview.example.com"):
        answer = client.get("/data/a.json", {"origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        assert "Origin" in answer.headers["vary"]
    assert "vary" not in client.get("/img/cat.png", {"origin": APP}).headers
    missing = client.get("/data/none", {"origin": APP})
    assert (missing.status, missing.headers["access-control-allow-origin"]) == (404, APP)


def test_public_data(serve: Serve) -> None:
    client = serve("cors.py", ANY=True)
    answer = client.get("/data/a.json", {"origin": "https://anybody.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_options_without_origin_is_the_sites(serve: Serve) -> None:
    client = serve("cors.py")
    assert "allow" in client.request("OPTIONS", "/data/a.json").headers
