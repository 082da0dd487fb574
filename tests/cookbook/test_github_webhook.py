"""examples/scripts/python/github_webhook.py

The server has no reverse proxy yet and answers 502 for it: that a delivery is passed on is the 502.
"""

import hashlib
import hmac
import json

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

SECRET = "It's a Secret to Everybody"
PATH = "/hooks/github"


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(client: Client, body: bytes, event: str = "push", **headers: str) -> int:
    fields = {"x-github-event": event, "x-hub-signature-256": signature(body)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(PATH, fields, body).status


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    return serve("github_webhook.py")


def test_the_published_example(client: Client) -> None:
    """From GitHub's page on validating deliveries."""
    published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    answer = client.post(
        PATH,
        {"x-github-event": "ping", "x-hub-signature-256": published},
        b"Hello, World!",
    )
    assert (answer.status, answer.text()) == (200, "pong\n")


def test_deliveries(client: Client) -> None:
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    assert deliver(client, body, x_github_delivery="1") == 502
    assert deliver(client, body, x_github_delivery="1") == 200
    assert deliver(client, body, x_github_delivery="2") == 502
    assert deliver(client, body) == 502
    assert deliver(client, body, "star") == 202
    assert deliver(client, b'["no object"]') == 502
    assert deliver(client, b"{") == 400


@pytest.mark.parametrize(
    "given", ["", "sha256=", "sha1=" + "0" * 40, signature(b"{}", "other"), "é"]
)
def test_wrong_signatures(client: Client, given: str) -> None:
    assert deliver(client, b"{}", x_hub_signature_256=given) == 401


def test_other_requests(client: Client) -> None:
    assert client.get(PATH).status == 405
    assert client.post(PATH, {}, b"{}").status == 401
    assert client.post(PATH, {}, b"x" * 262_145).status == 413
    assert client.get("/page.html").status == 200


def test_without_a_secret(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "")
    assert deliver(serve("github_webhook.py"), b"{}") == 503
