"""An OpenID provider whose answers can be made wrong in any way, and a site that uses it."""

import base64
import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SITE = """\
#include <zeroserve.h>

static char path[256];
static char target[1024];
static char text[256];

static zs_s64 config(void)
{
    static const char json[] = CONFIG;
    return zs_json_parse(json, sizeof json - 1);
}

ZS_ENTRY zs_u64 login(void)
{
    zs_req_path(path, sizeof path);
    if (zs_strcmp(path, "/login") == 0) {
        if (zs_req_query_param(ZS_STR("to"), target, sizeof target) < 0)
            target[0] = 0;
        if (zs_oidc_begin_login(config(), ZS_STR(target)) < 0)
            zs_respond(502, ZS_STR("no login"));
    } else if (zs_strcmp(path, "/cb") == 0) {
        if (zs_oidc_handle_callback(config()) < 0)
            zs_respond(403, ZS_STR("not logged in"));
    } else if (zs_strcmp(path, "/logout") == 0) {
        if (zs_req_query_param(ZS_STR("to"), target, sizeof target) < 0)
            target[0] = 0;
        zs_oidc_logout(config(), ZS_STR(target));
    } else {
        zs_s64 claims = zs_oidc_session_verify(config());
        if (claims > 0)
            zs_json_respond(200, claims);
        else
            zs_respond(401, ZS_STR("nobody"));
    }
    return 0;
}
"""

PYTHON = """\
import json

from zeroserve.script import (
    Request,
    Response,
    oidc_begin_login,
    oidc_handle_callback,
    oidc_logout,
    oidc_session,
    on_request,
)

def config() -> str:
    return json.dumps(VALUES)


@on_request
def login(req: Request) -> Response | None:
    try:
        if req.path == "/login":
            return oidc_begin_login(config(), req.query_param("to") or "")
        if req.path == "/cb":
            return oidc_handle_callback(config())
        if req.path == "/logout":
            return oidc_logout(config(), req.query_param("to") or "")
        claims = oidc_session(config())
    except ConnectionError:
        return Response(502, "no login")
    except PermissionError:
        return Response(403, "not logged in")
    except ValueError:
        return Response(401, "nobody can log in")
    if claims is None:
        return Response(401, "nobody")
    return Response(200, json.dumps(claims), content_type="application/json")
"""

SECRET = "a secret: with %+ signs"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Keys:
    """One key of each algorithm."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()

    def jwks(self, suffix: str = "") -> list[dict[str, str]]:
        plain = self.rsa.public_key().public_numbers()
        point = self.ec.public_key().public_numbers()
        x = self.ed.public_key().public_bytes_raw()
        return [
            {"kty": "RSA", "kid": f"rsa{suffix}", "n": number(plain.n), "e": number(plain.e)},
            {
                "kty": "EC",
                "crv": "P-256",
                "kid": f"ec{suffix}",
                "x": encoded(point.x.to_bytes(32, "big")),
                "y": encoded(point.y.to_bytes(32, "big")),
            },
            {"kty": "OKP", "crv": "Ed25519", "kid": f"ed{suffix}", "x": encoded(x)},
        ]

    def sign(self, alg: str, data: bytes) -> bytes:
        if alg == "RS256":
            return self.rsa.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if alg == "PS256":
            salt = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return self.rsa.sign(data, salt, hashes.SHA256())
        if alg == "ES256":
            r, s = decode_dss_signature(self.ec.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if alg == "EdDSA":
            return self.ed.sign(data)
        if alg == "HS256":
            # The classic: the public key as the secret.
            mac = hmac.HMAC(json.dumps(self.jwks()[0]).encode(), hashes.SHA256())
            mac.update(data)
            return mac.finalize()
        return b""


KID = {"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed", "HS256": "rsa", "none": "rsa"}


@dataclass
class Provider:
    """What it does; tests change it."""

    port: int = 0
    language: str = "c"
    keys: Keys = field(default_factory=Keys)
    alg: str = "RS256"
    kid: str | None = None
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    token: str | None = None
    discovery: dict[str, Any] = field(default_factory=dict)
    jwks: Any = None
    status: int = 200
    methods: list[str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def authorize(self, url: str) -> tuple[str, dict[str, str]]:
        """What a browser does at the provider: log in, and come back with a code."""
        query = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return code, query

    def id_token(self, query: dict[str, str], access: str) -> str:
        now = int(time.time())
        half = hashlib.sha256(access.encode()).digest()[:16]
        if self.alg == "EdDSA":
            half = hashlib.sha512(access.encode()).digest()[:32]
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": query["client_id"],
            "exp": now + 300,
            "iat": now,
            "nonce": query["nonce"],
            "at_hash": encoded(half),
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not ...}
        header = {"alg": self.alg, "kid": self.kid or KID[self.alg], **self.header}
        parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
        message = ".".join(parts)
        return f"{message}.{encoded(self.keys.sign(self.alg, message.encode()))}"

    def answer(self, path: str, form: dict[str, str], basic: str) -> tuple[int, Any]:
        self.asked.append(path)
        if self.status != 200:
            return self.status, {}
        if path == "/.well-known/openid-configuration":
            own = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                **(
                    {}
                    if self.methods is None
                    else {"token_endpoint_auth_methods_supported": self.methods}
                ),
            }
            return 200, {**own, **self.discovery}
        if path == "/jwks":
            return 200, {"keys": self.keys.jwks()} if self.jwks is None else self.jwks
        query = self.codes.pop(form.get("code", ""), None)
        if query is None:
            return 400, {"error": "invalid_grant"}
        challenge = encoded(hashlib.sha256(form["code_verifier"].encode()).digest())
        assert (query["code_challenge"], query["code_challenge_method"]) == (challenge, "S256")
        assert form["redirect_uri"] == query["redirect_uri"]
        assert form["grant_type"] == "authorization_code"
        if self.methods == ["client_secret_post"]:
            assert (form["client_id"], form["client_secret"]) == ("app", SECRET)
        else:
            name, _, secret = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
            ((_, secret),) = parse_qsl(f"s={secret}")
            assert (name, secret) == ("app", SECRET)
        token = self.token or self.id_token(query, "access")
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}


@contextmanager
def provider() -> Iterator[Provider]:
    """The provider, listening."""
    own = Provider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            form = {name: values[0] for name, values in parse_qs(data).items()}
            try:
                status, value = own.answer(self.path, form, self.headers.get("authorization", ""))
            except (AssertionError, KeyError, ValueError) as error:
                status, value = 400, {"error": repr(error)}
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        own.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield own
        server.shutdown()


def site(
    tmp_path: Path, issuer: str, redirect_uri: str, language: str = "c", **more: object
) -> Path:
    """A site that logs in there, and the file of its process."""
    config = {
        "issuer": issuer,
        "client_id": "app",
        "client_secret": SECRET,
        "redirect_uri": redirect_uri,
        "scope": "openid email",
        "cookie_secret": "0123456789abcdef",
        **more,
    }
    folder = tmp_path / "site"
    scripts = folder / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    if language == "c":
        text = json.dumps(json.dumps(config))
        (scripts / "login.c").write_text(SITE.replace("CONFIG", text))
    else:
        (scripts / "login.py").write_text(PYTHON.replace("VALUES", repr(config)))
    place = urlsplit(issuer).netloc
    (tmp_path / "process.toml").write_text(f'[fetch]\nallow = ["{place}"]\n')
    return folder


class Browser:
    """A client that keeps cookies, by name, and follows nothing by itself."""

    def __init__(self, address: object) -> None:
        assert isinstance(address, tuple)
        self.address: tuple[str, int] = (str(address[0]), int(address[1]))
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []

    def get(self, target: str) -> tuple[int, str, bytes]:
        """Status, Location, body."""
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request("GET", target, headers={"Cookie": pairs} if pairs else {})
        response = connection.getresponse()
        self.set = response.headers.get_all("set-cookie") or []
        for text in self.set:
            for name, morsel in SimpleCookie(text).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        body = response.read()
        connection.close()
        return response.status, response.headers.get("location") or "", body
