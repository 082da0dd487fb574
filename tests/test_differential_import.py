"""Configurations of nginx, imported: zeroserve answers as the real nginx does.

Each case is the inside of a server. nginx serves it; zeroserve serves the same files with what
``zeroserve import`` makes of that nginx.conf. Status, place and headers of every URL agree.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support import nginx
from support.server import command, running
from support.wire import Address, Response, fetch

FILES = {
    "index.html": "<h1>index</h1>",
    "404.html": "<h1>missing</h1>",
    "about.html": "<h1>about</h1>",
    "docs/index.html": "<h1>docs</h1>",
    "docs/guide.html": "<h1>guide</h1>",
    "app/index.html": "<h1>app</h1>",
    "app/x.js": "x",
    "assets/app.css": "a {}",
    "assets/app.js": "1",
    "assets/deep/more.css": "b {}",
    "img/a.png": "png",
    "img/b.jpeg": "jpeg",
    "office/plan.txt": "plan",
    "new/a": "new a",
    "new/b/c": "new b c",
}

HTML = {"Accept": "text/html"}

COMPARED = ("cache-control", "x-frame-options", "x-one", "x-two", "content-security-policy")


@dataclass(frozen=True)
class Case:
    """The inside of a server and what to ask it."""

    inside: str
    paths: str
    """Divided by blanks."""
    outside: str = ""
    left: int = 0
    """Statements that have no counterpart."""


CASES = {
    "exact redirects": Case(
        "location = /old { return 301 /new/a; } location = /tmp { return 302 /new/b/c; }"
        " location = /kept { return 308 /new/a; } location = /see { return 303 /about.html; }",
        "/old /tmp /kept /see /old/ /old/x /OLD / /about.html /none",
    ),
    "prefix redirects": Case(
        "location /blog/ { return 301 https://blog.example$request_uri; }"
        " location /moved/ { return 302 /new/; } location = /blog/keep { return 307 /about.html; }",
        "/blog/?q=1 /blog/a?q=1&b /blog/ /blog/a /blog/a/b /blog/keep /moved/ /moved/x/y /blogs /"
        " /none",
    ),
    "rewrites to elsewhere": Case(
        "rewrite ^/o/(.*)$ /new/$1 permanent; rewrite ^/u/([^/]+)/edit$ /edit/$1 redirect;"
        " rewrite ^/feed/?$ /about.html permanent; rewrite ^/(de|en)/docs/ /docs/ redirect;",
        "/o/a /o/b/c /o/ /o /u/ada/edit /u/a/b/edit /u//edit /feed /feed/ /feed/x /de/docs/x"
        " /o/a?x=1 /u/a/edit?y /en/docs/ /fr/docs/",
    ),
    "rewrites inside": Case(
        "rewrite ^/alias$ /about.html last; rewrite ^/files/(.*)$ /new/$1 last;"
        " location /old/ { rewrite ^/old/(.*)$ /new/$1 break; }",
        "/alias /files/a /files/b/c /files/none /old/a /old/none /about.html",
    ),
    "expressions": Case(
        "location ~ ^/p/([^/]+)$ { return 301 /page/$1; } "
        "location ~ ^/q/(.*)\\.php$ { return 301 /r/$1; }",
        "/p/a /p/a/b /p/ /q/x.php /q/x/y.php /q/x.html",
    ),
    "headers": Case(
        "add_header X-One 1 always; add_header X-Frame-Options DENY always;"
        " location /docs/ { add_header X-Two 2 always; } location = /about.html { expires 1h;"
        " add_header X-One one always; } location /assets/ { }",
        "/ /about.html /docs/ /docs/guide.html /assets/app.css /none /docs/none",
    ),
    "caching": Case(
        "location ~* \\.(?:css|js|png|jpe?g)$ { expires 30d; } location /docs/ { expires -1; }"
        " location /img/ { expires 1d; } location = /assets/app.js { expires epoch; }",
        "/assets/app.css /assets/app.js /assets/deep/more.css /img/a.png /img/b.jpeg /docs/"
        " /docs/guide.html / /about.html",
    ),
    "error pages": Case(
        "error_page 404 /404.html; location /office/ { deny all; }",
        "/none /docs/none /office/plan.txt /office/none /",
    ),
    "addresses": Case(
        "location /office/ { allow 10.0.0.0/8; deny all; } location /app/ { allow 127.0.0.0/8;"
        " deny all; } location /docs/ { deny 192.0.2.0/24; }",
        "/office/plan.txt /app/x.js /docs/ /docs/guide.html /",
    ),
    "single-page application": Case(
        "location / { try_files $uri $uri/ /index.html; }"
        " location /assets/ { try_files $uri =404; } location /docs/ { autoindex off; }",
        "/ /deep/link /about.html /docs/ /docs/none /assets/none /assets/app.css",
    ),
    "application below": Case(
        "location /app/ { try_files $uri /app/index.html; }",
        "/app/ /app/x.js /app/deep/link /none /about.html",
    ),
    "security headers": Case(
        "add_header Content-Security-Policy \"default-src 'self'; img-src *\" always;"
        ' add_header X-Frame-Options "SAMEORIGIN" always; location /app/ { }',
        "/ /app/x.js /about.html /none",
    ),
    "return for all": Case(
        "return 301 https://elsewhere.example$request_uri;",
        "/ /a /a/b /about.html",
    ),
    "what is longest counts": Case(
        "location /a/ { return 301 /one; } location /a/b/ { return 302 /two; }"
        " location = /a/b/c { return 303 /three; } location ^~ /assets/ { return 307 /four; }",
        "/a/ /a/x /a/b/ /a/b/x /a/b/c /assets/app.css /assets/",
    ),
}


@contextmanager
def upstream() -> Iterator[int]:
    """An application that says what it was asked; its port."""

    class Application(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            said = f"{self.path} {self.headers.get('X-Key')} {self.headers['Host']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to read."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Application) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def place(answer: Response, address: Address) -> str | None:
    """Where a redirect leads, without the server's own name."""
    assert not isinstance(address, str)
    location = answer.header("location")
    if location is None:
        return None
    parts = urlsplit(location)
    own = parts.netloc in (f"{address[0]}:{address[1]}", "site.test")
    return location.removeprefix(f"{parts.scheme}://{parts.netloc}") if own else location


def seen(answer: Response, address: Address) -> dict[str, object]:
    """What has to be the same."""
    found: dict[str, object] = {"status": answer.status, "location": place(answer, address)}
    for name in COMPARED:
        values = ", ".join(answer.all(name))
        found[name] = values or None
    if answer.status >= 400 and found["cache-control"] == "no-store":
        found["cache-control"] = None  # of errors that go away, which nginx says nothing about
    if answer.status == 200:
        found["body"] = answer.body
    return found


def compare(case: Case, tmp_path: Path) -> list[str]:
    """Lines about URLs with different answers."""
    tree = tmp_path / "tree"
    for name, text in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    different = []
    with nginx.running(tree, work, case.inside, case.outside) as peer:
        shutil.copytree(tree, tmp_path / "site")
        done = command("import", work / "nginx.conf", "-o", tmp_path / "site")
        assert done.returncode == (3 if case.left else 0), done.stderr
        assert done.stderr.count(": left out: ") == case.left, done.stderr
        checked = command("check", tmp_path / "site")
        assert checked.returncode == 0, checked.stdout
        with running(tmp_path / "site", "--threads", "1", "--no-live-reload") as server:
            for url in case.paths.split():
                ours = seen(fetch(server.address, url, HTML), server.address)
                theirs = seen(fetch(peer, url, HTML), peer)
                for name in ours:
                    if ours[name] != theirs.get(name):
                        said = f"{ours[name]!r}, nginx {theirs.get(name)!r}"
                        different.append(f"{url}: {name}: {said}")
    return different


@pytest.mark.skipif(nginx.find() is None, reason="nginx is not installed")
@pytest.mark.parametrize("name", CASES)
def test_imported_answers_are_those_of_nginx(name: str, tmp_path: Path) -> None:
    assert compare(CASES[name], tmp_path) == []


@pytest.mark.skipif(nginx.find() is None, reason="nginx is not installed")
def test_the_query_goes_along_where_nginx_drops_it(tmp_path: Path) -> None:
    """A difference on purpose: rules keep the query of a request unless they have one."""
    case = Case("location = /old { return 301 /new/a; }", "/old?x=1")
    assert compare(case, tmp_path) == ["/old?x=1: location: '/new/a?x=1', nginx '/new/a'"]
    again = command("import", tmp_path / "work/nginx.conf", "--stdout")
    assert "return 301 /new/a: the query goes along, unless the target has one" in again.stderr


@pytest.mark.skipif(nginx.find() is None, reason="nginx is not installed")
def test_imported_proxies_pass_on_what_nginx_does(tmp_path: Path) -> None:
    with upstream() as port:
        case = Case(
            f"location /raw/ {{ proxy_pass http://127.0.0.1:{port}; }}"
            f" location /cut/ {{ proxy_pass http://127.0.0.1:{port}/v1/; proxy_set_header X-Key k;"
            " proxy_set_header Host app.internal; }"
            " location /pool/ { proxy_pass http://several; proxy_set_header Host x; }",
            "/raw/ /raw/a/b /raw/a?x=1 /cut/ /cut/a /cut/a/b?y=2 /pool/z / /about.html",
            outside=f"upstream several {{ server 127.0.0.1:{port}; keepalive 4; }}",
        )
        assert compare(case, tmp_path) == []
