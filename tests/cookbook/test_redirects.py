"""examples/scripts/python/redirects.py"""

import pytest
from support.cookbook import Serve


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/about-us", "/about/"),
        ("/about-us?a=1&b", "/about/?a=1&b"),
        ("/%61bout-us", "/about/"),
        ("/x/../about-us", "/about/"),
        ("/docs/v1/intro.html", "/docs/archive/v1/intro.html"),
        ("/docs/v1/a%20b", "/docs/archive/v1/a%20b"),
        ("/wiki/Home?x", "https://wiki.example.org/Home?x"),
        ("/2019/03/hello-world.html", "/blog/2019-03-hello-world/"),
        ("/chat", "https://chat.example.org/"),
    ],
)
def test_what_has_moved(serve: Serve, path: str, location: str) -> None:
    answer = serve("redirects.py").get(path)
    assert (answer.status, answer.headers["location"]) == (308, location)


@pytest.mark.parametrize("path", ["/about-us/", "/docs/v1", "/19/03/x.html", "/2019/03/a/b.html"])
def test_what_has_not(serve: Serve, path: str) -> None:
    assert serve("redirects.py").get(path).status == 404


def test_the_rest_is_served(serve: Serve) -> None:
    assert serve("redirects.py").get("/page.html").text() == "<p>page</p>\n"


def test_one_host(serve: Serve) -> None:
    client = serve("redirects.py", CANONICAL_HOST="example.com", TEMPORARY=True)
    assert client.get("/page.html", {"host": "example.com"}).status == 200
    assert client.get("/page.html", {"host": "Example.Com:8080"}).status == 200
    moved = client.get("/a%20b?x=1", {"host": "www.example.com"})
    assert (moved.status, moved.headers["location"]) == (307, "http://example.com/a%20b?x=1")
    at_once = client.get("/about-us", {"host": "www.example.com"})
    assert at_once.headers["location"] == "http://example.com/about/"
    away = client.get("/chat", {"host": "www.example.com"})
    assert away.headers["location"] == "https://chat.example.org/"
