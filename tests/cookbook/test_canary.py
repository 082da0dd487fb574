"""examples/scripts/python/canary.py

The server has no reverse proxy yet and answers 502 for it: what is tested is the decision.
"""

from support.cookbook import Serve
from zeroserve.testing import Client


def version(client: Client, address: str, **headers: str) -> str:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.get("/app/x", {"x-forwarded-for": address, **fields})
    assert answer.status == 502
    return answer.headers["x-version"]


def test_the_same_client_gets_the_same_version(serve: Serve) -> None:
    client = serve("canary.py", PERCENT=30)
    addresses = [f"192.0.2.{n}" for n in range(200)]
    first = [version(client, address) for address in addresses]
    assert [version(client, address) for address in addresses] == first
    assert 30 < first.count("new") < 90
    more = serve("canary.py", PERCENT=60)
    second = [version(more, address) for address in addresses]
    assert all(b == "new" for a, b in zip(first, second, strict=True) if a == "new")


def test_nobody_and_everybody(serve: Serve) -> None:
    addresses = [f"2001:db8::{n}" for n in range(20)]
    nobody = serve("canary.py", PERCENT=0)
    assert {version(nobody, address) for address in addresses} == {"old"}
    everybody = serve("canary.py", PERCENT=100)
    assert {version(everybody, address) for address in addresses} == {"new"}


def test_testers_choose(serve: Serve) -> None:
    client = serve("canary.py", PERCENT=0)
    assert version(client, "192.0.2.1", x_canary="new") == "new"
    assert version(client, "192.0.2.1", x_canary="both") == "old"
    closed = serve("canary.py", PERCENT=0, TESTERS=False)
    assert version(closed, "192.0.2.1", x_canary="new") == "old"


def test_the_rest_is_served(serve: Serve) -> None:
    answer = serve("canary.py").get("/page.html")
    assert (answer.status, answer.headers.get("x-version")) == (200, None)
