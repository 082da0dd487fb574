"""examples/scripts/python/ip_allow.py"""

import pytest
from support.cookbook import Serve


@pytest.mark.parametrize(
    ("address", "admin", "internal"),
    [
        ("192.0.2.77", 404, 200),
        ("192.0.3.77", 404, 404),
        ("2001:db8:a::1", 200, 200),
        ("2001:db8:b::1", 404, 404),
        ("::ffff:192.0.2.77", 404, 200),
        ("203.0.113.1, 192.0.2.77", 404, 200),
        ("192.0.2.77, 203.0.113.1", 404, 404),
    ],
)
def test_networks(serve: Serve, address: str, admin: int, internal: int) -> None:
    client = serve("ip_allow.py", files={"admin/a.txt": "a", "internal/b.txt": "b"})
    headers = {"x-forwarded-for": address}
    assert client.get("/admin/a.txt", headers).status == admin
    assert client.get("/internal/b.txt", headers).status == internal
    assert client.get("//internal/./b.txt", headers).status == internal
    assert client.get("/page.html", headers).status == 200
