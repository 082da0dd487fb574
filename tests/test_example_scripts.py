"""The scripts of ``examples/scripts`` do what they say, seen from the other end of a socket.

Each is served from a directory, where it is compiled when the server starts, and from a packed
archive, where it is an object.
"""

import hashlib
import hmac
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.server import Server, running
from support.wire import Connection, Response, fetch, request
from zeroserve import clang
from zeroserve.pack import pack

pytestmark = [
    pytest.mark.skipif(
        next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
    ),
]

EXAMPLES = Path(__file__).parent.parent / "examples" / "scripts"
SECRET = "0123456789abcdef-secret"

FILES = {
    "index.html": "<p>A: <zs-meta>variant</zs-meta></p>\n",
    "index-b.html": "<p>B: <zs-meta>variant</zs-meta></p>\n",
    "page.html": "<p>page</p>\n",
    "private/report.txt": "secret\n",
    "catalog.json": json.dumps({"currency": "EUR", "prices": {"tea": 650, "cup": 1200}}),
}

Serve = Callable[[str], AbstractContextManager[Server]]


@pytest.fixture(params=["directory", "archive"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Serve:
    """Serves the files with one of the scripts."""

    @contextmanager
    def start(script: str) -> Iterator[Server]:
        root = tmp_path / "site"
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        place = root / ".zeroserve" / "scripts"
        place.mkdir(parents=True)
        shutil.copy(EXAMPLES / script, place)
        site = root
        if request.param == "archive":
            site = tmp_path / "site.tar"
            pack(root, site)
        options = ["--threads", "1", "--access-log", "off"]
        with running(site, *options, env={"URL_SECRET": SECRET}) as server:
            yield server

    return start


# health.c


def test_health(serve: Serve) -> None:
    with serve("health.c") as server:
        answer = fetch(server.address, "/health")
        assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
        assert answer.media_type == "application/json"
        assert answer.need("cache-control") == "no-store"
        assert fetch(server.address, "/health?probe=1").status == 200
        head = fetch(server.address, "/health", method="HEAD")
        assert (head.status, head.body) == (200, b"")
        refused = fetch(server.address, "/health", method="POST", body=b"x")
        assert (refused.status, refused.need("allow")) == (405, "GET, HEAD")
        assert fetch(server.address, "/healthy").status == 404
        assert fetch(server.address, "/page.html").body == b"<p>page</p>\n"


# security-headers.c


def test_security_headers_are_on_every_response(serve: Serve) -> None:
    with serve("security-headers.c") as server:
        tag = fetch(server.address, "/page.html").need("etag")
        answers = [
            fetch(server.address, "/page.html"),
            fetch(server.address, "/missing"),
            fetch(server.address, "/page.html", {"If-None-Match": tag}),
            fetch(server.address, "/page.html", {"Range": "bytes=0-1"}),
            fetch(server.address, "/page.html", method="HEAD"),
        ]
        assert [answer.status for answer in answers] == [200, 404, 304, 206, 200]
        for answer in answers:
            assert "default-src 'self'" in answer.need("content-security-policy")
            assert answer.need("x-content-type-options") == "nosniff"
            assert answer.need("referrer-policy") == "strict-origin-when-cross-origin"
            assert answer.header("strict-transport-security") is None


# rate-limit.c


def _burst(server: Server, count: int, forwarded: str | None = None) -> list[Response]:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with Connection(server.address) as connection:
        answers = []
        for _ in range(count):
            connection.send(request("/page.html", headers))
            answers.append(connection.response())
        return answers


def test_rate_limit(serve: Serve) -> None:
    with serve("rate-limit.c") as server:
        # More than a minute allows: some of these are refused however slow the machine is.
        answers = _burst(server, 400)
        assert answers[0].status == 200
        refused = [answer for answer in answers if answer.status == 429]
        assert {answer.status for answer in answers} == {200, 429}
        assert {answer.need("retry-after") for answer in refused} <= {"1", "60"}
        # Another client of the proxy has a limit of its own; what clients write is ignored.
        assert _burst(server, 1, "192.0.2.7")[0].status == 200
        forged = [_burst(server, 1, f"10.0.0.{n}, 192.0.2.9")[0] for n in range(250)]
        forged += [_burst(server, 1, f"10.0.1.{n}, 192.0.2.9")[0] for n in range(150)]
        assert 429 in {answer.status for answer in forged}


# signed-urls.c


def _signed(path: str, expires: int, secret: str = SECRET) -> str:
    text = f"{path}\n{expires}".encode()
    signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return f"{path}?expires={expires}&signature={signature}"


def test_signed_urls(serve: Serve) -> None:
    path = "/private/report.txt"
    soon = int(time.time()) + 3600
    good = _signed(path, soon)
    with serve("signed-urls.c") as server:
        answer = fetch(server.address, good)
        assert (answer.status, answer.body) == (200, b"secret\n")
        assert answer.need("cache-control") == "private"
        assert fetch(server.address, "/page.html").status == 200
        refused = {
            path: 403,
            "//private/report.txt": 403,
            "/%70rivate/report.txt": 403,
            "/x/../private/report.txt": 403,
            "/./private/report.txt": 403,
            path + "?expires=&signature=": 403,
            good[:-1]: 403,
            good + "0": 403,
            good[:-1] + ("0" if good[-1] != "0" else "1"): 403,
            good.replace(str(soon), str(soon + 1)): 403,
            _signed("/private/other.txt", soon).replace("other", "report"): 403,
            _signed(path, soon, "another secret, as long"): 403,
            _signed(path, 1_000_000_000): 410,
        }
        for target, status in refused.items():
            answer = fetch(server.address, target)
            assert answer.status == status, target
            assert b"secret" not in answer.body
            assert answer.need("cache-control") == "no-store"


# ab-split.c


def test_ab_split(serve: Serve) -> None:
    with serve("ab-split.c") as server:
        seen = set()
        for _ in range(64):
            answer = fetch(server.address, "/")
            assert answer.status == 200
            cookie = answer.need("set-cookie")
            found = re.match(r"variant=([ab]); Path=/; Max-Age=2592000; SameSite=Lax$", cookie)
            assert found, cookie
            variant = found[1]
            seen.add(variant)
            assert answer.body == f"<p>{variant.upper()}: {variant}</p>\n".encode()
            assert "private" in answer.need("cache-control")
            # The cookie is kept, wherever it stands among others.
            for cookies in (f"variant={variant}", f"x=1; variant={variant}; y=variant=z"):
                again = fetch(server.address, "/?utm=1", {"Cookie": cookies})
                assert again.body == answer.body
                assert again.header("set-cookie") is None
        assert seen == {"a", "b"}
        for cookies in ("variant=c", "variant=ab", "myvariant=a"):
            assert fetch(server.address, "/", {"Cookie": cookies}).header("set-cookie")
        assert fetch(server.address, "/page.html").header("set-cookie") is None


# json-api.c


def _quote(server: Server, body: Any, **fields: str) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = fetch(server.address, "/api/quote", fields, method="POST", body=data)
    assert answer.media_type == "application/json"
    assert answer.need("cache-control") == "no-store"
    return answer.status, json.loads(answer.body)


def test_json_api(serve: Serve) -> None:
    with serve("json-api.c") as server:
        items = [{"sku": "tea", "count": 2}, {"sku": "cup", "count": 1}]
        assert _quote(server, {"items": items}) == (200, {"currency": "EUR", "total_cents": 2500})
        assert _quote(server, {"items": []}) == (200, {"currency": "EUR", "total_cents": 0})
        most = [{"sku": "tea", "count": 1000}] * 100
        assert _quote(server, {"items": most})[1]["total_cents"] == 65_000_000
        refused: list[tuple[Any, int]] = [
            (b"{", 400),
            (b'{"items": [' + b" " * 20_000 + b"]}", 400),
            ({"items": {}}, 422),
            ({}, 422),
            ([], 422),
            ({"items": [{"sku": "tea", "count": 1}] * 101}, 422),
            ({"items": [{"sku": "gold", "count": 1}]}, 422),
            ({"items": [{"sku": "x" * 100, "count": 1}]}, 422),
            ({"items": [{"sku": "tea", "count": 0}]}, 422),
            ({"items": [{"sku": "tea", "count": 1001}]}, 422),
            ({"items": [{"sku": "tea", "count": 1.5}]}, 422),
            ({"items": [{"sku": "tea", "count": "1"}]}, 422),
            ({"items": [{"count": 1}]}, 422),
            ({"items": ["tea"]}, 422),
        ]
        for body, status in refused:
            code, answer = _quote(server, body)
            assert (code, list(answer)) == (status, ["error"]), body
        answer = fetch(server.address, "/api/quote")
        assert (answer.status, answer.need("allow")) == (405, "POST")
        assert fetch(server.address, "/api/other").status == 404
