"""examples/scripts/python/security_headers.py"""

import re

from support.cookbook import Serve

PAGE = '<script nonce="<zs-meta>nonce</zs-meta>">run()</script>\n'


def test_the_nonce_of_page_and_policy_is_one(serve: Serve) -> None:
    client = serve("security_headers.py", files={"index.html": PAGE})
    seen = set()
    for _ in range(5):
        answer = client.get("/")
        policy = answer.headers["content-security-policy"]
        found = re.search(r"script-src 'self' 'nonce-([\w-]{22})'$", policy)
        assert found
        assert answer.text() == PAGE.replace("<zs-meta>nonce</zs-meta>", found[1])
        seen.add(found[1])
    assert len(seen) == 5


def test_every_response(serve: Serve) -> None:
    client = serve("security_headers.py")
    tag = client.get("/data/a.json").headers["etag"]
    for answer in (
        client.get("/data/a.json"),
        client.get("/missing"),
        client.get("/data/a.json", {"if-none-match": tag}),
        client.get("/data/a.json", {"range": "bytes=0-1"}),
    ):
        assert answer.headers["content-security-policy"].endswith("; script-src 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "strict-transport-security" not in answer.headers


def test_trying_a_policy(serve: Serve) -> None:
    answer = serve("security_headers.py", REPORT_ONLY=True).get("/")
    assert "content-security-policy-report-only" in answer.headers
    assert "content-security-policy" not in answer.headers
