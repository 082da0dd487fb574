"""Both engines give the same answers to requests that nobody thought of: status, headers, body.

No request may stop a script, either: everything that a client sends is an ordinary case, but for
JSON in UTF-16 and UTF-32, where both engines have to stop. What is made by chance or by the clock
is masked.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zeroserve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cookbook import ENGINES, SCRIPTS, site
from support.script_oracle import said
from zeroserve.testing import Client

ENVIRONMENT = {
    "URL_SECRET": "0123456789abcdef-secret",
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
    "PREVIEW_TOKEN": "let-me-in",
    "LINKS_TOKEN": "sesame",
    "STATUS_TOKEN": "sesame",
    "WEBHOOK_SECRET": "a secret",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "MAINTENANCE": "1",
}


class Case(NamedTuple):
    """What is likely to matter to a script."""

    targets: tuple[str, ...] = ()
    headers: dict[str, tuple[str, ...]] = {}  # noqa: RUF012
    bodies: tuple[bytes, ...] = ()
    methods: tuple[str, ...] = ("GET", "HEAD")
    masks: tuple[tuple[str, str], ...] = ()
    """Patterns, and what to put in place of what they find."""
    constants: dict[str, object] = {}  # noqa: RUF012
    files: dict[str, str] = {}  # noqa: RUF012


def _signed(path: str, expires: int) -> str:
    text = f"{path}\n{expires}".encode()
    secret = ENVIRONMENT["URL_SECRET"].encode()
    return f"{path}?expires={expires}&signature={hmac.new(secret, text, 'sha256').hexdigest()}"


def _token(header: Any, claims: Any) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims)]
    signed = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    mac = hmac.new(ENVIRONMENT["JWT_SECRET"].encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def _webhook(body: bytes) -> str:
    return "sha256=" + hmac.new(b"a secret", body, hashlib.sha256).hexdigest()


CLAIMS = {"iss": "https://login.example.com/", "aud": "api", "sub": "ada", "exp": 4_000_000_000}
HS256 = {"alg": "HS256"}
ADDRESSES = ("192.0.2.1", "2001:db8:1::1", "::ffff:10.0.0.1", "x, 192.0.2.7", "10.1.2.3", "::", "")
BEARER = {"authorization": ("Bearer sesame", "Bearer x", "Bearer ", "Basic x", "é")}
AGENTS = ("Mozilla/5.0", "GPTBot", "Googlebot gptbot", "curl", "é")
TEA = {"items": [{"sku": "tea"}], "country": "DE"}
ORDERS = (
    TEA,
    {**TEA, "country": "\ud800"},
    {**TEA, "items": [{"sku": "tea", "count": 1 << 62}]},
    {**TEA, "items": [{"sku": "tea", "count": -1.5}, None]},
    {**TEA, "items": {"sku": 1}},
    [TEA],
)

CASES = {
    "redirects": Case(
        ("/about-us?x=1", "/docs/v1/%FF%2F", "/wiki/é?a", "/2019/03/a-b_c.html", "/chat#x"),
        {"host": ("example.com", "www.example.com", "[::1]:80", "é.example")},
        constants={"CANONICAL_HOST": "example.com"},
    ),
    "basic_auth": Case(
        ("/private/report.txt",),
        {
            "authorization": (
                "Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU=",
                "basic YWRhOng=",
                "Basic YWRh",
                "Basic =",
                "Basic /////w==",
                "Basic YWRhOng",
            )
        },
    ),
    "jwt_auth": Case(
        ("/api/a", "/api/"),
        {
            "authorization": tuple(
                "Bearer " + token
                for token in (
                    _token(HS256, CLAIMS),
                    _token(HS256, {**CLAIMS, "aud": ["web", "api", 1]}),
                    _token(HS256, {**CLAIMS, "exp": 1.5}),
                    _token(HS256, {**CLAIMS, "exp": True, "nbf": None}),
                    _token(HS256, {**CLAIMS, "exp": 1 << 60, "sub": "\ud800"}),
                    _token(HS256, []),
                    _token([], CLAIMS),
                    "a.b",
                    "..",
                    "YQ.YQ.YQ",
                    "AHsAfQ.AHsAfQ.YQ",  # in UTF-16
                )
            ),
            "x-user": ("root",),
        },
    ),
    "signed_urls": Case(
        (
            _signed("/private/report.txt", 4_000_000_000),
            _signed("/private/report.txt", 1_000_000_000),
            "/private/%FF?expires=4000000000&signature=%FF",
            "/private/x?expires=%D9%A1&signature=1",
        )
    ),
    "rate_limits": Case(
        ("/page.html", "/api/x"),
        {"x-forwarded-for": ADDRESSES, "x-api-key": ("key", "x", "é")},
        constants={"PER_SECOND": 10_000, "PER_MINUTE": 3, "API_PER_MINUTE": 2},
    ),
    "maintenance": Case(
        ("/", "/?preview=let-me-in", "/?preview=%FF", "/health"),
        {"x-forwarded-for": ADDRESSES, "cookie": ("preview=let-me-in",), "accept": ("text/html",)},
    ),
    "ab_split": Case(
        ("/", "/?x", "/pricing.html"),
        {"cookie": ("group=a", "group=b; x", 'a="; group="b"', "group=c")},
        constants={"SHARE_B": 100},
        files={"index-b.html": "<p>B <zs-meta>group</zs-meta></p>", "pricing-b.html": "b"},
    ),
    "language": Case(
        ("/", "/?a=%FF"),
        {
            "accept-language": (
                "de-AT, fr;q=0.5",
                "*;q=0.1",
                "FR ; q=1.000",
                "de;q=0,\u017f",
                "pt,,",
            ),
            "cookie": ("language=fr", "language=xx"),
        },
    ),
    "cors": Case(
        ("/api/x", "/data/a.json", "/index.html"),
        {
            "origin": ("https://app.example.com", "https://pr-7.preview.example.com", "null"),
            "access-control-request-method": ("PUT", "put", ""),
            "access-control-request-headers": ("Content-Type, RANGE", "x-other", ","),
        },
        methods=("GET", "OPTIONS", "HEAD"),
    ),
    "security_headers": Case(
        ("/", "/data/a.json"),
        masks=((r"nonce-[\w-]{22}", "nonce-"), (r'nonce="[\w-]{22}"', "")),
        files={"index.html": '<script nonce="<zs-meta>nonce</zs-meta>"></script>'},
    ),
    "bots": Case(
        ("/page.html", "/.git/x", "/wp-admin/", "/x.PHP", "/robots.txt"), {"user-agent": AGENTS}
    ),
    "canary": Case(
        ("/app/", "/app/x?y"),
        {"x-forwarded-for": ADDRESSES, "x-canary": ("new", "old", "")},
        constants={"PERCENT": 50},
    ),
    "orders_api": Case(
        ("/api/quote",),
        {"content-type": ("application/json", "text/xml", "Application/JSON;x")},
        (
            *(json.dumps(body).encode() for body in ORDERS),
            b"\xef\xbb\xbf{}",
            b"[" * 200,
            json.dumps(TEA).encode("utf-16-le"),
        ),
        methods=("POST", "GET"),
    ),
    "short_links": Case(
        ("/go/", "/go/docs", "/go/a", "/go/a+", "/go/docs+", "/go/%FF"),
        {"host": ("example.com:80",), **BEARER},
        (b"https://example.com/", b"https://u@h/", b"http://[", b"HTTPS://Example.com\n", b"x:y"),
        methods=("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"),
        masks=((r"/go/[2-9a-hjkmnp-z]{6}\b", "/go/"),),
    ),
    "github_webhook": Case(
        ("/hooks/github",),
        {
            "x-hub-signature-256": tuple(map(_webhook, (b"{}", b"[", b'{"ref":"v1"}'))),
            "x-github-event": ("push", "ping", "star"),
            "x-github-delivery": ("1", "2", "é" * 80),
        },
        (b"{}", b"[", b'{"ref":"v1"}'),
        methods=("POST", "GET"),
    ),
    # No server may be asked, so what is private stays closed.
    "forward_auth": Case(
        ("/private/report.txt", "/private/%FF", "/page.html"),
        {"cookie": ("sid=1", "é"), "authorization": ("Bearer x",), "remote-user": ("root",)},
    ),
    "hotlinks": Case(
        ("/img/cat.png", "/x.MP4"),
        {"referer": ("https://localhost/", "http://a.bing.com:80/", "http://[", "//x", "a:b@c")},
    ),
    "s3_proxy": Case(("/files/a%20b", "/files/%FF", "/files/", "/files/a?b"), {"cookie": ("a",)}),
    "ip_allow": Case(("/admin/x", "/internal/x", "/x"), {"x-forwarded-for": ADDRESSES}),
    "status_json": Case(
        ("/status.json", "/status/api", "/status/mail", "/status/x"),
        {"if-none-match": ("*", 'W/"x", "y"', '"'), **BEARER},
        (b"ok", b"down\n", b"\xff"),
        methods=("GET", "PUT", "POST", "HEAD"),
        masks=((r'"since": \d+', ""), (r"^[0-9a-f]{32}$", ""), (r'"[0-9a-f]{32}"', "")),
    ),
    "single_page": Case(("/", "/a/b", "/a.b", "/x.abcdef01.js", "/api/x", "/%FF", "/a?b")),
    "contact_form": Case(
        ("/contact",),
        {"origin": ("http://localhost", "null", "http://[", "https://x")},
        (
            b"name=a&email=a@b.c&message=%FF",
            b"name=%C3%A9&email=a%40b.c&message=m",
            b"name=a&email=a@b&message=m&website=",
            b"website=x",
            b"name=\xff",
        ),
        methods=("POST", "GET"),
    ),
    "counter": Case(
        ("/badge/a.svg", "/badge/A.svg"),
        {"user-agent": AGENTS},
        constants={"WINDOW_S": 1_000_000_000},
    ),
}

MODULES = {"client_address", "sigv4"}


def test_every_script_is_here() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.py")} - MODULES == set(CASES)


_PIECES = st.sampled_from(["/", "a", ".", "..", "%2e", "%2F", "%FF", "%", "é", "?", "&", "=", "+"])
_TARGETS = st.lists(_PIECES, max_size=8).map(lambda pieces: "/" + "".join(pieces))
_VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)

Sent = tuple[str, str, dict[str, str], bytes | None]


def _requests(case: Case) -> st.SearchStrategy[list[Sent]]:
    known = st.sampled_from(case.targets) if case.targets else _TARGETS
    headers = st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(st.sampled_from(values), st.sampled_from(values), _VALUES)
            for name, values in case.headers.items()
        },
    )
    body = st.one_of(st.sampled_from(case.bodies), st.binary(max_size=8)) if case.bodies else None
    one = st.tuples(
        st.sampled_from(case.methods),
        st.one_of(known, known, known, _TARGETS),
        headers,
        st.none() if body is None else body,
    )
    return st.lists(one, min_size=1, max_size=6)


@contextmanager
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


STOPS = re.compile(r"JSON in (\S+); (?:compiled )?scripts read UTF-8 alone")
"""The only reason for which a request may stop a script."""


def _reason(folder: Path, engine: str, sent: Sent) -> str:
    """Why a request stops a script: asked of a new client, since a server that said so a moment
    ago does not say it again."""
    client = Client(folder, engine=engine)
    with said() as log:
        answer = client.request(*sent)
        if answer.status != 500:
            return f"nothing stops it in a new client: {answer.status}"
        if client.errors:
            return str(client.errors[-1])
        for _ in range(1000):  # lines are written by a thread of their own
            if log():
                break
            time.sleep(0.01)
        return log()


def _answer(client: Client, engine: str, folder: Path, case: Case, sent: Sent) -> object:
    try:
        answer = client.request(*sent)
    except zeroserve.Error as error:
        return str(error)
    if answer.status == 500:
        why = _reason(folder, engine, sent)
        known = STOPS.search(why)
        assert known, f"{sent} stops a script in {engine}: {why}"
        return 500, known[1]
    fields = {name: answer.headers.getlist(name) for name in answer.headers if name != "date"}
    text = answer.body.decode("latin-1")
    for pattern, replacement in case.masks:
        text = re.sub(pattern, replacement, text)
        fields = {
            name: [re.sub(pattern, replacement, value) for value in values]
            for name, values in fields.items()
        }
    if case.masks:
        fields.pop("content-length", None)
    return answer.status, fields, text


@pytest.mark.parametrize("name", CASES)
def test_engines_agree(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folder = site(tmp_path, f"{name}.py", files=case.files, **case.constants)

    @settings(
        max_examples=int(os.environ.get("COOKBOOK_EXAMPLES", "20")),
        derandomize="COOKBOOK_EXAMPLES" not in os.environ,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(_requests(case))
    def run(requests: list[Sent]) -> None:
        # Anew each time: what scripts keep is part of what has to agree.
        clients = [(Client(folder, engine=engine), engine) for engine in ENGINES]
        for sent in requests:
            native, cpython = (_answer(*client, folder, case, sent) for client in clients)
            assert native == cpython, sent

    with _environment():
        run()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stop_is_told_however_often_it_comes(engine: str, tmp_path: Path) -> None:
    folder = site(tmp_path, "orders_api.py")
    client = Client(folder, engine=engine)
    sent: Sent = ("POST", "/api/quote", {}, "{}".encode("utf-32-be"))
    for _ in range(3):
        assert _answer(client, engine, folder, CASES["orders_api"], sent) == (500, "utf-32-be")


def test_other_stops_are_failures(tmp_path: Path) -> None:
    folder = site(tmp_path, "orders_api.py", PRICES={"tea": 1 << 62})
    client = Client(folder)
    body = json.dumps({**TEA, "items": [{"sku": "tea", "count": 4}]}).encode()
    with pytest.raises(AssertionError, match="64 bits"):
        _answer(client, "native", folder, CASES["orders_api"], ("POST", "/api/quote", {}, body))
