"""examples/scripts/python/counter.py"""

import importlib
import re

import pytest
from support.cookbook import SCRIPTS, Serve
from zeroserve.testing import Client


def count(client: Client, agent: str, path: str = "/badge/home.svg") -> str:
    answer = client.get(path, {"user-agent": agent})
    assert answer.headers["content-type"] == "image/svg+xml"
    found = re.search(r"<title>([\d,]+) visits</title>", answer.text())
    assert found
    return found[1]


def test_visitors_count_once(serve: Serve) -> None:
    client = serve("counter.py", WINDOW_S=1_000_000_000)
    assert [count(client, agent) for agent in ("a", "a", "b", "a", "c")] == list("11223")
    assert count(client, "a", "/badge/other.svg") == "1"
    assert client.head("/badge/home.svg", {"user-agent": "d"}).status == 200
    assert count(client, "a") == "3"
    assert client.get("/badge/Home.svg").status == 404


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (999, "999"),
        (1000, "1k"),
        (1234, "1.2k"),
        (9999, "9.9k"),
        (25_000, "25k"),
        (1_250_000, "1.2M"),
        (123_456_789, "123M"),
    ],
)
def test_short_numbers(monkeypatch: pytest.MonkeyPatch, number: int, text: str) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    assert importlib.import_module("counter").short(number) == text
