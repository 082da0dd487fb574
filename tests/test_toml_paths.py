"""What the keys of a site's zeroserve.toml do, in both engines."""

import json
from pathlib import Path

import pytest
from support.configured import Both, script, site
from zeroserve.config.emit import decides

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def both(root: Path, toml: str, files: dict[str, str] | None = None) -> Both:
    return Both(site(root, toml, files))


# --- keys of the site -----------------------------------------------------------------------------


def test_nothing_said_is_no_script() -> None:
    assert not decides(script("[error_pages]\n[paths]\n"))


def test_clean_urls(tmp_path: Path) -> None:
    ask = both(tmp_path, "clean_urls = true\n")
    assert ask("/about").body == b"about"
    moved = ask("/about.html?a=b")
    assert (moved.status, moved.headers["location"]) == (308, "/about?a=b")
    assert ask("/docs/index.html").headers["location"] == "/docs/"
    assert ask("/index.html").headers["location"] == "/"
    assert ask("/docs/guide").body == b"guide"
    assert ask("/none").status == 404
    assert ask("/none.html").status == 404
    assert ask("/about.html", "POST").status == 405


def test_spa(tmp_path: Path) -> None:
    ask = both(tmp_path, "spa = true\n")
    for path in ("/deep/link", "/deep/", "/a%20b", "/a/0/1", "/_a"):
        assert (ask(path, headers=HTML).status, ask(path, headers=HTML).body) == (200, b"home")
        for headers in ({}, {"accept": "*/*"}):
            taken = path in ("/deep/link", "/a%20b")
            assert ask(path, headers=headers).status == (200 if taken else 404), path
        assert ask(path, headers={"accept": "*/*", "sec-fetch-mode": "cors"}).status == 404
        assert ask(path, headers={"accept": "image/png"}).status == 404
    # What a cache keeps of it is not for programs.
    assert "Accept, Sec-Fetch-Mode" in ask("/deep/link", headers=HTML).headers["vary"]
    assert ask("/deep/link", "HEAD", HTML).status == 200
    assert ask("/deep/link", "POST", HTML).status != 200
    for path in ("/assets/x.js", "/data/0.1", "/favicon.ico", "/.env"):
        assert ask(path, headers=HTML).status == 404, path
    assert ask("/docs/", headers=HTML).body == b"docs"
    assert ask("/data/sub/1", headers=HTML).body == b"one"


def test_spa_with_another_page(tmp_path: Path) -> None:
    ask = both(tmp_path, 'spa = "/about.html"\n')
    assert ask("/deep/link", headers=HTML).body == b"about"


def test_error_pages(tmp_path: Path) -> None:
    toml = '[error_pages]\n404 = "/errors/404.html"\n4xx = "/about.html"\n'
    ask = both(tmp_path, toml + '5xx = "/errors/5xx.html"\n[paths."/api/*"]\nmethods = ["POST"]\n')
    missing = ask("/none")
    assert (missing.status, missing.body) == (404, b"not found page")
    assert missing.headers["content-type"].startswith("text/html")
    refused = ask("/api/x")
    assert (refused.status, refused.body, refused.headers["allow"]) == (405, b"about", "POST")
    assert ask("/none", headers={"accept": "application/json"}).body != b"not found page"
    assert ask("/").body == b"home"


def test_an_error_page_that_is_not_there(tmp_path: Path) -> None:
    ask = both(tmp_path, '[error_pages]\n404 = "/nowhere.html"\n')
    assert ask("/none").status == 404


def test_maintenance(tmp_path: Path) -> None:
    closed = both(tmp_path, '[maintenance]\npage = "/about.html"\nretry_after_s = 60\n')("/docs/")
    assert (closed.status, closed.body) == (503, b"about")
    assert closed.headers["retry-after"] == "60"
    assert closed.headers["cache-control"] == "no-store"


def test_maintenance_without_a_page(tmp_path: Path) -> None:
    ask = both(tmp_path, "[maintenance]\nallow = ['192.0.2.0/24']\n")
    assert ask("/").body == b"closed for maintenance\n"
    assert ask("/", "POST").status == 503


def test_maintenance_for_others_only(tmp_path: Path) -> None:
    ask = both(tmp_path, "[maintenance]\nallow = ['127.0.0.0/8', '::1']\n")
    assert ask("/").status == 200


def test_maintenance_that_is_over(tmp_path: Path) -> None:
    assert both(tmp_path, "[maintenance]\nenabled = false\n")("/").status == 200


# --- where requests go ----------------------------------------------------------------------------


PLACES = """
[paths."/old/*"]
redirect = { to = "/new/:splat", status = 301 }
[paths."/old/keep/*"]
redirect = "/kept/:splat?from=:splat"
[paths."/users/:id/posts/:post"]
redirect = { to = "https://example.org/u/:id?p=:post", status = 308 }
[paths."/from"]
redirect = "/to#part"
[paths."/re/*"]
rewrite = "/docs/:splat.html"
[paths."/re/exact"]
rewrite = "/about.html"
[paths."/gone/*.html"]
redirect = "/:splat"
"""


def test_redirects(tmp_path: Path) -> None:
    ask = both(tmp_path, PLACES)

    def location(path: str) -> tuple[int, str]:
        answer = ask(path)
        return answer.status, answer.headers["location"]

    assert location("/old/a/b%20c") == (301, "/new/a/b%20c")
    assert location("/old/?x=1") == (301, "/new/?x=1")
    assert location("/old") == (301, "/new/")
    assert location("/old/keep/a&b") == (302, "/kept/a&b?from=a%26b")
    assert location("/users/7/posts/%C3%A4") == (308, "https://example.org/u/7?p=%C3%A4")
    assert location("/from?a") == (302, "/to?a#part")
    assert location("/gone/a/b.html") == (302, "/a/b")
    assert ask("/users/7/posts/8/9").status == 404
    assert ask("/older").status == 404


def test_a_redirect_stays_on_the_site(tmp_path: Path) -> None:
    ask = both(tmp_path, '[paths."/go/*"]\nredirect = "/:splat"\n')
    for path in ("/go//evil.example", "/go/%2fevil.example", "/go/%5cevil.example", "/go/\\evil"):
        where = ask(path).headers["location"]
        assert where.startswith("/") and where[1:2] not in ("/", "\\"), where


def test_rewrites(tmp_path: Path) -> None:
    ask = both(tmp_path, PLACES)
    assert ask("/re/guide").body == b"guide"
    assert ask("/re/exact").body == b"about"
    assert ask("/re/none").status == 404
    part = ask("/re/guide", headers={"range": "bytes=1-2"})
    assert (part.status, part.body) == (206, b"ui")


def test_many_exact_redirects_are_one_table(tmp_path: Path) -> None:
    toml = "".join(f'[paths."/a{n}"]\nredirect = "/b{n}"\n' for n in range(50))
    text = script(toml)
    assert text.count("redirect(") == 1
    ask = both(tmp_path, toml)
    assert ask("/a49?x").headers["location"] == "/b49?x"
    assert ask("/a50").status == 404


def test_the_narrowest_place_counts(tmp_path: Path) -> None:
    toml = '[paths."/*"]\nredirect = "https://example.org/:splat"\n[paths."/docs/*"]\n'
    ask = both(tmp_path, toml + 'rewrite = "/about.html"\n')
    assert ask("/docs/x").body == b"about"
    assert ask("/x/y").headers["location"] == "https://example.org/x/y"
    assert ask("/").headers["location"] == "https://example.org/"


# --- answers --------------------------------------------------------------------------------------


def test_headers_accumulate_and_the_narrowest_counts(tmp_path: Path) -> None:
    toml = """
[paths."/docs/guide.html"]
headers = { X-C = "exact" }
[paths."/docs/*"]
headers = { x-a = "docs", X-C = "docs", ETag = false }
[paths."/*"]
headers = { X-A = "all", X-B = "all", X-Quote = 'a "quoted" {brace} \\ ä' }
"""
    ask = both(tmp_path, toml)
    top, docs, exact = ask("/"), ask("/docs/"), ask("/docs/guide.html")
    assert (top.headers["x-a"], top.headers["x-b"]) == ("all", "all")
    assert "x-c" not in top.headers and "etag" in top.headers
    assert (docs.headers["x-a"], docs.headers["x-b"], docs.headers["x-c"]) == (
        "docs",
        "all",
        "docs",
    )
    assert "etag" not in docs.headers
    assert (exact.headers["x-a"], exact.headers["x-c"]) == ("docs", "exact")
    assert ask("/none").headers["x-a"] == "all"
    assert "quoted" in top.headers["x-quote"]


def test_cache(tmp_path: Path) -> None:
    toml = """
[paths."/assets/*"]
cache = "immutable"
[paths."/data/*"]
cache = 60
[paths."/data/sub/*"]
cache = "no-store"
[paths."/*.html"]
cache = "no-cache"
"""
    ask = both(tmp_path, toml)
    year = "public, max-age=31536000, immutable"
    assert ask("/assets/app.3f2a9c1b.js").headers["cache-control"] == year
    assert ask("/assets/plain.js").headers["cache-control"] == "no-cache"
    assert "cache-control" not in ask("/assets/none.3f2a9c1b.js").headers
    assert ask("/data/0.0").headers["cache-control"] == "public, max-age=60"
    assert ask("/data/sub/1").headers["cache-control"] == "no-store"
    assert ask("/data/sub/none").headers["cache-control"] == "no-store"
    assert ask("/about.html").headers["cache-control"] == "no-cache"
    assert "cache-control" not in ask("/").headers
    etag = ask("/data/0.0").headers["etag"]
    fresh = ask("/data/0.0", headers={"if-none-match": etag})
    assert (fresh.status, fresh.headers["cache-control"]) == (304, "public, max-age=60")


HASHED = (
    "app.3f2a9c1b.js",
    "main.abcdef0123456789.chunk.css",
    "index-BfW2x9Qa.js",
    "index-D_kq3-8Z.css",
    "app-3QZRYWVP.js",
    "font.55e7cbb9ba48.woff2",
    "style.min." + "0a" * 32 + ".css",
    "app.3f2a9c1b.js.map",
    "a-b-c.0123456a.png",
)

NOT_HASHED = (
    "app.js",
    "report-20240101.pdf",
    "jquery-migrate-documentation.js",
    "annual-report2024.pdf",
    "photo-DSC00017.jpg.html.",
    "my-Document.pdf",
    "iPhone15.png",
    "app.deadbeef.js",
    "v1.2.3.js",
    "JavaScri.js",
    "3f2a9c1b",
    "x.3f2a9c1b/y.js",
)


@pytest.mark.parametrize(("names", "year"), [(HASHED, True), (NOT_HASHED, False)])
def test_names_with_a_hash(tmp_path: Path, names: tuple[str, ...], year: bool) -> None:
    files = {f"assets/{name}": "x" for name in names if not name.endswith("/")}
    ask = both(tmp_path, '[paths."/assets/*"]\ncache = "immutable"\n', files)
    for name in names:
        found = ask(f"/assets/{name}").headers["cache-control"]
        assert ("immutable" in found) is year, name


def test_cors_for_data(tmp_path: Path) -> None:
    ask = both(tmp_path, '[paths."/data/*"]\ncors = "data"\nmethods = "GET"\n')
    preflight = {
        "origin": "https://viewer.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "range",
    }
    answer = ask("/data/0.0", "OPTIONS", preflight)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Range" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    part = ask("/data/0.0", headers={"origin": "https://v.example", "range": "bytes=-2"})
    assert (part.status, part.headers["access-control-allow-origin"]) == (206, "*")
    assert "Content-Range" in part.headers["access-control-expose-headers"]
    assert "ETag" in part.headers["access-control-expose-headers"]
    missing = ask("/data/none", headers={"origin": "https://v.example"})
    assert (missing.status, missing.headers["access-control-allow-origin"]) == (404, "*")
    assert "access-control-allow-origin" not in ask("/").headers


def test_cors_for_some(tmp_path: Path) -> None:
    toml = """
[paths."/*".cors]
origins = ["https://a.example", "https://B.example:8443"]
credentials = true
methods = ["GET", "PUT"]
headers = "X-Key"
expose = "X-Total"
max_age_s = 5
"""
    ask = both(tmp_path, toml)
    good = ask("/", headers={"origin": "https://b.example:8443"})
    assert good.headers["access-control-allow-origin"] == "https://b.example:8443"
    assert good.headers["access-control-allow-credentials"] == "true"
    assert good.headers["access-control-expose-headers"] == "X-Total"
    assert "Origin" in good.headers["vary"]
    for origin in ("https://evil.example", "https://a.example.evil", "null", ""):
        other = ask("/", headers={"origin": origin})
        assert "access-control-allow-origin" not in other.headers
        assert "Origin" in other.headers["vary"]
    asked = {"origin": "https://a.example", "access-control-request-method": "PUT"}
    preflight = ask("/", "OPTIONS", asked)
    assert preflight.headers["access-control-allow-methods"] == "GET, PUT"
    assert preflight.headers["access-control-allow-headers"] == "X-Key"
    assert preflight.headers["access-control-max-age"] == "5"
    refused = ask("/", "OPTIONS", {**asked, "origin": "https://evil.example"})
    assert refused.status == 204
    assert not [name for name in refused.headers if name.startswith("access-control")]


# --- listings -------------------------------------------------------------------------------------


def test_listings_of_some(tmp_path: Path) -> None:
    toml = 'spa = true\n[paths."/data/*"]\nlisting = true\n[paths."/data/sub/*"]\nlisting = false\n'
    ask = both(tmp_path, toml)
    page = ask("/data/")
    assert (page.status, page.headers["vary"]) == (200, "Accept")
    assert b'href="0.0"' in page.body
    assert b'href="sub/"' in page.body
    listed = json.loads(ask("/data/", headers={"accept": "application/json"}).body)
    assert [entry["name"] for entry in listed["entries"]] == ["0.0", "sub"]
    assert ask("/data/", headers={"accept": "application/json, text/html"}).body == page.body
    assert ask("/data/", "HEAD").status == 200
    assert ask("/data/sub/").status == 404
    assert ask("/data/none/", headers=HTML).status == 404
    assert ask("/assets/").status == 404
    assert ask("/docs/").body == b"docs"


def test_listings_everywhere_but(tmp_path: Path) -> None:
    ask = both(tmp_path, 'listing = true\n[paths."/admin/*"]\nlisting = false\n')
    assert b"Index of /assets/" in ask("/assets/").body
    assert ask("/").body == b"home"
    assert ask("/.zeroserve/").status == 404
    assert ask("/none/").status == 404
    assert ask("/assets/", "POST").status == 405


def test_many_tables(tmp_path: Path) -> None:
    """More than fit into one function."""
    toml = "".join(
        f'[paths."/d{number}/*"]\nheaders = {{ X-N = "{number}" }}\ncache = {number + 1}\n'
        f'methods = ["GET", "M{"ABCDEFGHIJ"[number % 10]}"]\nrewrite = "/about.html"\n'
        f'cors = {{ origins = "https://a{number % 3}.example" }}\n'
        for number in range(120)
    )
    ask = both(tmp_path, toml)
    for number in (0, 47, 48, 49, 95, 96, 119):
        answer = ask(f"/d{number}/x", headers={"origin": f"https://a{number % 3}.example"})
        assert (answer.status, answer.body) == (200, b"about")
        assert answer.headers["x-n"] == str(number)
        assert answer.headers["cache-control"] == f"public, max-age={number + 1}"
        assert answer.headers["access-control-allow-origin"].startswith(f"https://a{number % 3}.")
        refused = ask(f"/D{number}", "DELETE").headers["allow"]
        assert refused == f"GET, HEAD, M{'ABCDEFGHIJ'[number % 10]}"
        asked = {"origin": "https://a0.example", "access-control-request-method": "GET"}
        allowed = "access-control-allow-methods" in ask(f"/d{number}/x", "OPTIONS", asked).headers
        assert allowed is (number % 3 == 0)
    other = ask("/about.html")
    assert not {"x-n", "cache-control", "access-control-allow-origin"} & set(other.headers)
    assert ask("/about.html", "DELETE").status == 405
