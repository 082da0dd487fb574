"""examples/scripts/python/language.py"""

import pytest
from support.cookbook import Serve


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at", "de"),
        ("den", "en"),
        ("pt", "pt-br"),
        ("pt-PT, fr;q=0.5", "fr"),
        ("fr;q=0.3, de;q=0.8", "de"),
        ("fr ; q=0.8 ,de;q=0.800", "fr"),
        ("de;q=0, fr;q=0.001", "fr"),
        ("de;q=0", "en"),
        ("xx, *;q=0.5", "en"),
        ("de;q=0.4, *;q=0.5", "en"),
        ("de;q=1.000, fr", "de"),
        ("de;q=2, fr;q=0.1", "fr"),
        ("de;q=0.1234, fr;q=0.1", "fr"),
        ("de;q=, fr;q=0.1", "fr"),
        (",,,", "en"),
        (", ".join(["xx"] * 20 + ["de"]), "en"),
    ],
)
def test_by_header(serve: Serve, header: str | None, language: str) -> None:
    headers = {} if header is None else {"accept-language": header}
    answer = serve("language.py").get("/?x=1", headers)
    assert (answer.status, answer.headers["location"]) == (302, f"/{language}/?x=1")
    assert answer.headers["vary"] == "Accept-Language, Cookie"


def test_by_cookie(serve: Serve) -> None:
    client = serve("language.py")
    german = {"accept-language": "de"}
    assert client.get("/", {"cookie": "language=fr", **german}).headers["location"] == "/fr/"
    assert client.get("/", {"cookie": "language=//evil", **german}).headers["location"] == "/de/"


def test_other_pages_stay(serve: Serve) -> None:
    assert serve("language.py").get("/page.html", {"accept-language": "de"}).status == 200
