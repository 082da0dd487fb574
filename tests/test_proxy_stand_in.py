"""Pages of the site that stand in for an upstream which gives no answer."""

from pathlib import Path

import pytest
from zeroserve.testing import Client

SCRIPT = """\
from zeroserve.script import Request, Response, on_request, on_response, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    if req.path.startswith("/api"):
        req.meta["zs.proxy.fallback"] = req.query_param("page") or "/offline.html"
        return proxy("http://127.0.0.1:1")
    return None


@on_response
def note(req: Request, res: Response) -> None:
    res.set_header("x-status", str(res.status))
"""

PAGE = b"<h1>Back in a minute</h1>"


@pytest.fixture(params=["native", "cpython"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    scripts = tmp_path / "site" / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "pass_on.py").write_text(SCRIPT)
    (tmp_path / "site" / "offline.html").write_bytes(PAGE)
    return Client(tmp_path / "site", engine=request.param)


def test_a_page_stands_in(client: Client) -> None:
    for _ in range(2):
        got = client.request("GET", "/api/x", headers={"if-none-match": "*", "range": "bytes=0-1"})
        assert (got.status, got.body) == (502, PAGE)
        assert got.headers["content-type"].startswith("text/html")
        assert got.headers["cache-control"] == "no-store"
        assert got.headers["x-status"] == "502"
        assert not {"etag", "last-modified", "accept-ranges"} & set(got.headers)
    assert client.get("/offline.html").status == 200


def test_methods(client: Client) -> None:
    got = client.request("HEAD", "/api/x")
    assert (got.status, got.body) == (502, b"")
    assert got.headers["content-length"] == str(len(PAGE))
    got = client.request("POST", "/api/x", body=b"some")
    assert (got.status, got.body) == (502, PAGE)


@pytest.mark.parametrize("page", ["/missing.html", "missing", "/.zeroserve/scripts/pass_on.py"])
def test_what_is_no_page_is_left_out(client: Client, page: str) -> None:
    got = client.get(f"/api/x?page={page}")
    assert (got.status, got.body) == (502, b"502 Bad Gateway\n")
