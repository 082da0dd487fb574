"""examples/scripts/python/jwt_auth.py"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

SECRET = "0123456789abcdef0123456789abcdef"


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(claims: Any, header: Any = None, secret: str = SECRET) -> str:
    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": "https://login.example.com/",
        "aud": "api",
        "sub": "ada",
        "exp": now + 600,
        "nbf": now - 600,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    show = """\
from zeroserve.script import Request, Response, on_request


@on_request
def show(req: Request) -> Response | None:
    return Response(200, req.header("x-user") or "nobody")
"""
    return serve("jwt_auth.py", files={".zeroserve/scripts/show.py": show})


def ask(client: Client, given: str, **headers: str) -> tuple[int, str]:
    answer = client.get("/api/me", {"authorization": f"Bearer {given}", **headers})
    return answer.status, answer.text()


def test_good_tokens(client: Client) -> None:
    assert ask(client, token(claims())) == (200, "ada")
    assert ask(client, token(claims(aud=["web", "api"]))) == (200, "ada")
    assert ask(client, token(claims(nbf=None))) == (200, "ada")
    assert ask(client, token(claims(exp=int(time.time()) - 10))) == (200, "ada")  # clocks differ
    assert ask(client, token(claims(sub="Zoë"))) == (200, "Zoë")
    assert ask(client, token(claims(sub="a\r\nX-Admin: 1"))) == (200, "nobody")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": 1_000_000_000}, "expired"),
        ({"exp": None}, "times"),
        ({"exp": "never"}, "times"),
        ({"exp": 1e10}, "times"),
        ({"nbf": 4_000_000_000}, "not valid yet"),
        ({"iss": "https://evil.example/"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "web"}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": None}, "audience"),
    ],
)
def test_claims(client: Client, changes: dict[str, Any], why: str) -> None:
    assert ask(client, token(claims(**changes))) == (401, f"{why}\n")


def test_forged_tokens(client: Client) -> None:
    good = token(claims())
    head, body, signature = good.split(".")
    none = part({"alg": "none"})
    other = token(claims(), secret="another secret of at least 32 bytes")
    refused = {
        f"{none}.{body}.": "malformed",
        f"{none}.{body}.{signature}": "algorithm",
        token(claims(), {"alg": "HS512"}): "algorithm",
        token(claims(), {"alg": ["HS256"]}): "algorithm",
        token(claims(), {"alg": "HS256", "crit": ["b64"]}): "algorithm",
        token(claims(), [1]): "algorithm",
        other: "signature",
        f"{head}.{part(claims(sub='root'))}.{signature}": "signature",
        f"{head}.{body}": "malformed",
        f"{good}.x": "malformed",
        "": "malformed",
        "a.b.c": "malformed",
        "é.é.é": "malformed",
        f"{head}.{body}.{signature}=": "malformed",
        token(b"{"): "malformed",
        token(b"\xff"): "malformed",
        token([1]): "malformed",
        "." * 5000: "malformed",
    }
    for given, why in refused.items():
        assert ask(client, given) == (401, f"{why}\n"), given


def test_without_a_token(client: Client) -> None:
    answer = client.get("/api/me")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="api"')
    assert client.get("/api/me", {"authorization": "Basic eDp5"}).status == 401


def test_nobody_names_himself(client: Client) -> None:
    assert ask(client, token(claims(sub=None)), **{"x-user": "root"}) == (200, "nobody")
    assert client.get("/other", {"x-user": "root"}).text() == "nobody"


def test_without_a_secret(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "short")
    assert serve("jwt_auth.py").get("/api/me").status == 503
