"""Logins with a provider of OpenID Connect: the way of them, and whoever tries another one."""

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from support import c
from support.oidc import SECRET, Browser, Keys, Provider, encoded, provider, site
from support.server import Server, running, wait_until

pytestmark = c.needed

REDIRECT = "http://app.test/cb"
PROVIDER = Path(__file__).parent / "support" / "oidc_provider"


@pytest.fixture(params=["c", "python"])
def idp(request: pytest.FixtureRequest) -> Iterator[Provider]:
    """A provider, and the language of the script that asks it."""
    with provider() as own:
        own.language = request.param
        yield own


@contextmanager
def serving(tmp_path: Path, idp: Provider, **more: Any) -> Iterator[Server]:
    redirect = more.pop("redirect_uri", REDIRECT)
    folder = site(tmp_path, idp.issuer, redirect, idp.language, **more)
    with running(folder, "--threads", "1", "--config", tmp_path / "process.toml") as server:
        yield server


def logged_in(browser: Browser, idp: Provider, to: str = "/app?x=1") -> tuple[int, str, bytes]:
    """The whole way; what the callback answers."""
    status, location, _ = browser.get(f"/login?to={quote(to)}")
    assert status == 302, location
    code, query = idp.authorize(location)
    return browser.get(f"/cb?code={code}&state={query['state']}")


def said(server: Server, text: str) -> None:
    wait_until(lambda: any(text in line for line in server.lines), 10)


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_the_whole_way(tmp_path: Path, idp: Provider, alg: str) -> None:
    idp.alg = alg
    idp.claims = {"email": "ada@example.org"}
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        assert browser.get("/app")[0] == 401
        status, location, _ = browser.get("/login?to=/app%3Fx%3D1")
        assert status == 302 and location.startswith(f"{idp.issuer}/authorize?tenant=1&")
        code, query = idp.authorize(location)
        assert query["redirect_uri"] == REDIRECT and query["response_type"] == "code"
        assert query["scope"] == "openid email" and len(query["nonce"]) == 43
        assert browser.get(f"/cb?code={code}&state={query['state']}")[:2] == (302, "/app?x=1")
        assert list(browser.cookies) == ["zs_oidc_session"]
        asked = list(idp.asked)
        status, _, body = browser.get("/app")
        claims = json.loads(body)
        assert (status, claims["sub"], claims["email"]) == (200, "ada", "ada@example.org")
        assert idp.asked == asked, "a session costs the provider nothing"
        assert browser.get("/logout?to=https://op.example/end?x")[:2] == (
            302,
            "https://op.example/end?x",
        )
        assert not browser.cookies and browser.get("/app")[0] == 401
        # What the provider publishes is read but once.
        assert logged_in(browser, idp)[0] == 302
        assert idp.asked == [*asked, "/token"]


def test_cookies(tmp_path: Path, idp: Provider) -> None:
    with serving(tmp_path, idp, redirect_uri="https://app.test/cb", session_ttl_secs=60) as server:
        browser = Browser(server.address)
        assert logged_in(browser, idp)[0] == 302
        assert len(browser.set) == 2
        for text in browser.set:
            ((name, morsel),) = SimpleCookie(text).items()
            assert name.startswith("__Host-zs_oidc_") and len(text) < 4096
            assert morsel["httponly"] and morsel["secure"] and morsel["samesite"] == "Lax"
            assert (morsel["path"], morsel["domain"]) == ("/", "")
        assert browser.get("/app")[0] == 200


def test_client_secret_post(tmp_path: Path, idp: Provider) -> None:
    idp.methods = ["client_secret_post"]
    with serving(tmp_path, idp) as server:
        assert logged_in(Browser(server.address), idp)[0] == 302


@pytest.mark.parametrize(
    "to", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "evil", ""]
)
def test_the_way_back_is_a_path_of_this_site(tmp_path: Path, idp: Provider, to: str) -> None:
    with serving(tmp_path, idp) as server:
        assert logged_in(Browser(server.address), idp, to)[:2] == (302, "/")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"alg": "none"}, "algorithm"),
        ({"alg": "HS256"}, "algorithm"),
        ({"header": {"alg": "RS256 "}}, "algorithm"),
        ({"header": {"crit": ["exp"]}}, "extensions"),
        ({"header": {"kid": "ec"}}, "a key that the provider has not"),
        ({"keys": None}, "signature"),
        ({"claims": {"iss": "https://evil.example"}}, "another issuer"),
        ({"claims": {"aud": "other"}}, "somebody else"),
        ({"claims": {"aud": ["app", "other"]}}, "for which of several"),
        ({"claims": {"azp": "other"}}, "somebody else"),
        ({"claims": {"nonce": "wrong"}}, "nonce"),
        ({"claims": {"nonce": ...}}, "nonce"),
        ({"claims": {"exp": 1}}, "expired"),
        ({"claims": {"exp": ...}}, "expired"),
        ({"claims": {"iat": 10**11}}, "future"),
        ({"claims": {"nbf": 10**11}}, "not valid yet"),
        ({"claims": {"sub": ...}}, "who it is"),
        ({"claims": {"at_hash": "AAAA"}}, "another access token"),
        ({"token": "a.b.c"}, "no signed token"),
        ({"token": "x" * 20_000}, "too long"),
        ({"claims": {"sub": "x" * 4000}}, "too long for a cookie"),
    ],
)
def test_tokens_that_are_not_good(
    tmp_path: Path, idp: Provider, wrong: dict[str, Any], why: str
) -> None:
    for name, value in wrong.items():
        if name == "keys":
            # It publishes others than it signs with.
            idp.jwks = {"keys": Keys().jwks()}
        else:
            setattr(idp, name, value)
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        assert logged_in(browser, idp)[0] == 403
        assert "zs_oidc_session" not in browser.cookies
        said(server, why)


def test_claims_that_have_no_room_are_left_out(tmp_path: Path, idp: Provider) -> None:
    idp.claims = {"picture": "x" * 4000, "email": "ada@example.org"}
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        assert logged_in(browser, idp)[0] == 302
        claims = json.loads(browser.get("/app")[2])
        assert claims["email"] == "ada@example.org" and "picture" not in claims


def test_callbacks_that_nobody_began(tmp_path: Path, idp: Provider) -> None:
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        assert browser.get("/cb?code=a&state=b")[0] == 403
        _, location, _ = browser.get("/login")
        code, query = idp.authorize(location)
        state = query["state"]
        for target in (
            f"/cb?code={code}&state=other",
            f"/cb?code={code}",
            f"/cb?code={code}&state=",
            f"/cb?code={code}&state={state}&state={state}",
            f"/cb?code={code}&state={state}&iss=https://evil.example",
            f"/cb?error=access_denied&state={state}",
            f"/cb?state={state}",
        ):
            assert browser.get(target)[0] == 403, target
        assert "/token" not in idp.asked
        # Another browser has not begun it.
        assert Browser(server.address).get(f"/cb?code={code}&state={state}")[0] == 403
        kept = dict(browser.cookies)
        assert browser.get(f"/cb?code={code}&state={state}")[0] == 302
        assert browser.get(f"/cb?code={code}&state={state}")[0] == 403
        browser.cookies = kept
        assert browser.get(f"/cb?code={code}&state={state}")[0] == 403, "the code was used"


def test_cookies_that_are_not_ours(tmp_path: Path, idp: Provider) -> None:
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        assert logged_in(browser, idp)[0] == 302
        good = browser.cookies["zs_oidc_session"]
        for at in (0, 15, len(good) // 2, len(good) - 1):
            changed = "B" if good[at] == "A" else "A"
            browser.cookies["zs_oidc_session"] = good[:at] + changed + good[at + 1 :]
            assert browser.get("/app")[0] == 401, at
        for bad in ("", "a", good[:-4], good + "AAAA", encoded(b"x" * 40), "A" * 7000):
            browser.cookies["zs_oidc_session"] = bad
            assert browser.get("/app")[0] == 401
        # One cookie is not the other.
        browser.cookies = {}
        browser.get("/login")
        browser.cookies["zs_oidc_session"] = browser.cookies["zs_oidc_state"]
        assert browser.get("/app")[0] == 401
        browser.cookies["zs_oidc_session"] = good
        assert browser.get("/app")[0] == 200


def test_a_session_of_another_secret_or_client(tmp_path: Path, idp: Provider) -> None:
    with serving(tmp_path / "a", idp) as server:
        browser = Browser(server.address)
        assert logged_in(browser, idp)[0] == 302
    for more in ({"cookie_secret": "fedcba9876543210"}, {"client_id": "other"}):
        with serving(tmp_path / str(len(more)) / next(iter(more)), idp, **more) as server:
            other = Browser(server.address)
            other.cookies = dict(browser.cookies)
            assert other.get("/app")[0] == 401


def test_unknown_keys_do_not_storm_the_provider(tmp_path: Path, idp: Provider) -> None:
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        assert logged_in(browser, idp)[0] == 302
        idp.kid = "nobody has that"
        for _ in range(10):
            assert logged_in(browser, idp)[0] == 403
        assert idp.asked.count("/jwks") == 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"status": 500}, "no configuration"),
        ({"discovery": {"issuer": "https://evil.example"}}, "another issuer"),
        ({"discovery": {"issuer": ...}}, "another issuer"),
        (
            {"discovery": {"authorization_endpoint": "javascript:alert(1)"}},
            "authorization_endpoint",
        ),
        ({"discovery": {"x": "y" * 300_000}}, "no configuration"),
    ],
)
def test_providers_that_are_down_or_wrong(
    tmp_path: Path, idp: Provider, wrong: dict[str, Any], why: str
) -> None:
    for name, value in wrong.items():
        if isinstance(value, dict):
            value = {key: None if one is ... else one for key, one in value.items()}
        setattr(idp, name, value)
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        assert browser.get("/login")[0] == 502
        said(server, why)
        for _ in range(5):
            assert browser.get("/login")[0] == 502
        assert len(idp.asked) == 1, "it is not asked for every visitor"


@pytest.mark.parametrize("jwks", [{"keys": [{"kty": "RSA"}] * 10_000}, {"keys": 3}, [], "x"])
def test_keys_that_are_none(tmp_path: Path, idp: Provider, jwks: Any) -> None:
    idp.jwks = jwks
    with serving(tmp_path, idp) as server:
        assert logged_in(Browser(server.address), idp)[0] == 403


def test_a_provider_that_is_not_in_the_list(tmp_path: Path, idp: Provider) -> None:
    folder = site(tmp_path, idp.issuer, REDIRECT, idp.language)
    with running(folder, "--threads", "1") as server:
        assert Browser(server.address).get("/login")[0] == 502
        said(server, "not in the list")
    assert not idp.asked


def test_wrong_configuration_is_named(tmp_path: Path, idp: Provider) -> None:
    with serving(tmp_path, idp, cookie_secret="short") as server:
        assert Browser(server.address).get("/app")[0] == 401
        if idp.language == "c":
            said(server, "the cookie_secret has less than 16 bytes")


def test_the_provider_goes_away_half_way(tmp_path: Path, idp: Provider) -> None:
    with serving(tmp_path, idp) as server:
        browser = Browser(server.address)
        _, location, _ = browser.get("/login")
        code, query = idp.authorize(location)
        idp.status = 503
        assert browser.get(f"/cb?code={code}&state={query['state']}")[0] == 403
        said(server, "the provider gives no token: 503")


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows redirects of the provider, and stops at the one that leads back."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: Any, headers: Any, url: str
    ) -> Any:
        if not url.startswith("http://127.0.0.1:"):
            return None
        return super().redirect_request(req, fp, code, msg, headers, url)


def through(url: str) -> str:
    """Log in and agree at the provider, form by form; where that leads."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(), Stay())
    for data in (None, b"prompt=login&login=ada&password=x", b"prompt=consent"):
        try:
            with opener.open(url, data, timeout=20) as response:
                page = response.read().decode()
                url = response.url
        except urllib.error.HTTPError as error:
            assert error.code in (302, 303), error.read()
            return str(error.headers["location"])
        action = re.search(r'action="([^"]+)"', page)
        assert action is not None, page
        url = urljoin(url, action[1])
    raise AssertionError(page)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider of npm, in a directory of its own."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm or node is missing: apt-get install npm")
    folder = tmp_path_factory.mktemp("provider") / "own"
    shutil.copytree(PROVIDER, folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        pytest.skip(f"npm can't install oidc-provider: {done.stderr[-300:]}")
    return folder


@pytest.mark.parametrize("language", ["c", "python"])
def test_a_certified_provider(tmp_path: Path, installed: Path, language: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["node", "provider.js", str(port), REDIRECT, SECRET]
    process = subprocess.Popen(
        command, cwd=installed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None and "ready" in process.stdout.readline()
        folder = site(tmp_path, f"http://127.0.0.1:{port}", REDIRECT, language)
        with running(folder, "--threads", "1", "--config", tmp_path / "process.toml") as server:
            browser = Browser(server.address)
            status, location, _ = browser.get("/login?to=/app")
            assert status == 302
            back = through(location)
            assert back.startswith(f"{REDIRECT}?")
            assert browser.get(back.removeprefix("http://app.test"))[:2] == (302, "/app")
            status, _, body = browser.get("/app")
            claims = json.loads(body)
            assert (status, claims["sub"], claims["email"]) == (200, "ada", "ada@example.org")
            assert browser.get(back.removeprefix("http://app.test"))[0] == 403
            browser.get("/logout")
            assert browser.get("/app")[0] == 401
    finally:
        process.kill()
        process.communicate()
