"""examples/scripts/python/hotlinks.py"""

import pytest
from support.cookbook import Serve


@pytest.mark.parametrize(
    ("referer", "is_shown"),
    [
        (None, True),
        ("", True),
        ("https://example.com/page", True),
        ("https://blog.example.com/", True),
        ("https://images.google.com/search?q=cat", True),
        ("https://evil.example/", False),
        ("https://notexample.com/", False),
        ("https://evil.example/example.com/", False),
        ("https://example.com.evil.example/", False),
        ("https://example.com@evil.example/", False),
        ("https://[::1/", False),
        ("about:blank", False),
    ],
)
def test_pictures(serve: Serve, referer: str | None, is_shown: bool) -> None:
    client = serve("hotlinks.py")
    headers = {"host": "example.com:8080"} | ({} if referer is None else {"referer": referer})
    answer = client.get("/img/cat.png", headers)
    assert answer.status == 200
    assert (answer.headers["content-type"] == "image/png") is is_shown
    assert answer.headers.getlist("vary") == ["Referer"]


def test_other_files(serve: Serve) -> None:
    client = serve("hotlinks.py", files={"cat.MP4": ""})
    foreign = {"referer": "https://evil.example/"}
    assert client.get("/page.html", foreign).text() == "<p>page</p>\n"
    assert client.get("/cat.MP4", foreign).status == 403
