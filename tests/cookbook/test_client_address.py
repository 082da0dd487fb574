"""examples/scripts/python/client_address.py, as an ordinary module."""

import sys

import pytest
from support.cookbook import SCRIPTS
from zeroserve.script import Request


@pytest.fixture
def address_of(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    sys.modules.pop("client_address", None)
    import client_address

    return client_address.client_address


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # not a proxy of ours
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # the first is forged
        ("127.0.0.1", "198.51.100.1, 10.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("::1", "2001:DB8:0::1", "2001:db8::1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1, garbage, 10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "::FFFF:198.51.100.1", "198.51.100.1"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_client_address(
    address_of: object, peer: str, forwarded: str | None, expected: str
) -> None:
    assert callable(address_of)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert address_of(Request(peer_ip=peer, headers=headers)) == expected
