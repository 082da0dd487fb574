"""examples/scripts/python/single_page.py"""

import pytest
from support.cookbook import Serve

FILES = {"index.html": "<p>app</p>\n", "app.3f9a1c2e.js": "run()\n", "assets/logo.svg": "<svg/>"}


@pytest.mark.parametrize("path", ["/", "/settings", "/users/7/edit", "/users/7/?tab=1"])
def test_pages(serve: Serve, path: str) -> None:
    answer = serve("single_page.py", files=FILES).get(path)
    assert (answer.status, answer.text()) == (200, "<p>app</p>\n")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/missing.png", "/api/x", "/assets/x", "/.well-known/x"])
def test_what_is_none(serve: Serve, path: str) -> None:
    answer = serve("single_page.py", files=FILES).get(path)
    assert (answer.status, answer.headers.get("cache-control")) == (404, None)


def test_lifetimes(serve: Serve) -> None:
    client = serve("single_page.py", files=FILES)
    fixed = client.get("/app.3f9a1c2e.js")
    assert fixed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get("/assets/logo.svg").headers["cache-control"] == "no-cache"
    tag = client.get("/").headers["etag"]
    assert client.get("/settings", {"if-none-match": tag}).status == 304
