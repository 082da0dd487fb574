"""examples/scripts/python/ab_split.py"""

import re

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

FILES = {
    "index.html": "<p>A: <zs-meta>group</zs-meta></p>\n",
    "index-b.html": "<p>B: <zs-meta>group</zs-meta></p>\n",
    "pricing.html": "<p>old</p>\n",
    "pricing-b.html": "<p>new</p>\n",
}


@pytest.fixture
def client(serve: Serve) -> Client:
    return serve("ab_split.py", files=FILES)


def test_a_group_by_chance_that_stays(client: Client) -> None:
    seen = set()
    for _ in range(64):
        answer = client.get("/")
        found = re.fullmatch(
            r"group=([ab]); Path=/; Max-Age=2592000; SameSite=Lax", answer.headers["set-cookie"]
        )
        assert found
        group = found[1]
        seen.add(group)
        assert answer.text() == f"<p>{group.upper()}: {group}</p>\n"
        assert answer.headers["cache-control"] == "private"
        assert "Cookie" in answer.headers["vary"]
        again = client.get("/?utm=1", {"cookie": f"x=1; group={group}"})
        assert again.body == answer.body
        assert "set-cookie" not in again.headers
    assert seen == {"a", "b"}


def test_other_cookies_are_none(client: Client) -> None:
    for cookie in ("group=c", "group=", "mygroup=a"):
        assert "set-cookie" in client.get("/", {"cookie": cookie}).headers
    assert "set-cookie" not in client.get("/page.html").headers


def test_shares(serve: Serve) -> None:
    everybody = serve("ab_split.py", files=FILES, SHARE_B=100)
    assert {everybody.get("/pricing.html").text() for _ in range(20)} == {"<p>new</p>\n"}
    nobody = serve("ab_split.py", files=FILES, SHARE_B=0)
    assert {nobody.get("/pricing.html").text() for _ in range(20)} == {"<p>old</p>\n"}
