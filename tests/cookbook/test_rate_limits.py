"""examples/scripts/python/rate_limits.py"""

from support.cookbook import Serve
from zeroserve.testing import Client


def burst(client: Client, count: int, path: str = "/page.html", **headers: str) -> list[int]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return [client.get(path, fields).status for _ in range(count)]


def test_by_address(serve: Serve) -> None:
    client = serve("rate_limits.py", PER_SECOND=1000, PER_MINUTE=3)
    assert burst(client, 5, x_forwarded_for="192.0.2.1") == [200, 200, 200, 429, 429]
    assert burst(client, 1, x_forwarded_for="192.0.2.2") == [200]
    refused = client.get("/page.html", {"x-forwarded-for": "192.0.2.1"})
    assert refused.headers["retry-after"] == "60"


def test_ipv6_by_network(serve: Serve) -> None:
    client = serve("rate_limits.py", PER_SECOND=1000, PER_MINUTE=2)
    answers = [burst(client, 1, x_forwarded_for=f"2001:db8::{n}")[0] for n in range(3)]
    assert answers == [200, 200, 429]
    assert burst(client, 1, x_forwarded_for="2001:db8:0:1::1") == [200]


def test_by_key(serve: Serve) -> None:
    client = serve("rate_limits.py", API_PER_MINUTE=2)
    path = "/api/x"
    assert burst(client, 3, path) == [404, 404, 429]
    assert burst(client, 3, path, x_api_key="wrong") == [429, 429, 429]
    assert burst(client, 70, path, x_api_key="key") == [404] * 70
    assert burst(client, 1, "/page.html") == [200]
