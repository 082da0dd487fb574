"""Random path tables and requests: both engines answer the same, and guards what they should."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.configured import Both, site
from zeroserve.config import paths
from zeroserve.script.target import resolve

SOME_PATTERNS = """\
/* / /admin /admin/* /admin/:id /*.html /a/:b/c /docs/* /assets* /data/sub/* /ä /about.html /:one
/docs/index.html"""

PATTERNS = st.sampled_from([*SOME_PATTERNS.split(), "/x y/*"])

EVERYBODY = '["0.0.0.0/0", "::/0"]'

KEYS = (
    f"deny = {EVERYBODY}",
    f"allow = {EVERYBODY}",
    'methods = ["GET", "PUT"]',
    "max_body = 3",
    'headers = { X-A = "a {b} \\\\ \\"", ETag = false }',
    'cache = "immutable"',
    "cache = 60",
    'cors = "data"',
    'cors = { origins = "https://a.example" }',
    'redirect = { to = "https://example.org/new", status = 307 }',
    'rewrite = "/about.html"',
    "listing = true",
    "listing = false",
    "rate_limit = { per_hour = 1000000 }",
)

SOME_PATHS = """\
/ /admin /Admin/ /admin/index.html /admin.html.br /about /about.html /a/x/c /docs/ /docs/guide
/assets/app.3f2a9c1b.js /x%20y/z /%C3%A4 // /data/sub/ /%zz /.. /a/../admin /%61dmin
/x/%2e%2e/%2e%2e/ /none/x"""

ODD = st.text("/.%2eadmin-ocs:*?&ä", max_size=12).map("/".__add__)

PATHS = st.sampled_from(SOME_PATHS.split()) | ODD

HEADERS = st.sampled_from(
    [
        {},
        {"accept": "text/html"},
        {"origin": "https://a.example", "access-control-request-method": "GET"},
        {"accept": "application/json", "range": "bytes=0-1"},
    ]
)

TABLES = st.dictionaries(PATTERNS, st.lists(st.sampled_from(KEYS), max_size=3), max_size=4)


def toml(tables: dict[str, list[str]], top: list[str]) -> str:
    text = "".join(f"{line}\n" for line in top)
    for pattern, keys in tables.items():
        own = {key.partition(" ")[0]: key for key in keys}
        if "redirect" in own:
            own.pop("rewrite", None)
        text += f'[paths."{pattern}"]\n' + "".join(f"{key}\n" for key in own.values())
    return text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tables=TABLES,
    top=st.lists(st.sampled_from(["clean_urls = true", "spa = true"]), unique=True),
    requests=st.lists(
        st.tuples(st.sampled_from(["GET", "HEAD", "PUT", "OPTIONS"]), PATHS, HEADERS), min_size=8
    ),
)
def test_engines_agree(
    tables: dict[str, list[str]], top: list[str], requests: list[tuple[str, str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ask = Both(site(Path(folder), toml(tables, top)))
        denied = [one for one, keys in tables.items() if any(key[:4] == "deny" for key in keys)]
        for method, path, headers in requests:
            body = b"1234" if method == "PUT" else None
            answer = ask(path, method, headers, body)
            assert answer.status != 500, (path, ask.errors)
            try:
                found = resolve(path.partition("?")[0])
            except ValueError:
                continue
            preflight = method == "OPTIONS" and "origin" in headers and answer.status == 204
            if any(paths.is_guarded(pattern, found) for pattern in denied) and not preflight:
                assert answer.status == 403, (path, answer.status)
            elif not denied:
                assert answer.status != 403, path
