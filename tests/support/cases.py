"""Requests for the comparison with another server, generated the same way every time."""

import itertools
import random
from dataclasses import dataclass
from email.utils import formatdate

from support.tars import MTIME

SAME = formatdate(MTIME, usegmt=True)
OLDER = formatdate(MTIME - 86400, usegmt=True)
NEWER = formatdate(MTIME + 86400, usegmt=True)


@dataclass(frozen=True)
class Case:
    """One request; ``{etag}`` in a value is the asked server's own tag for that target."""

    target: str
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    version: str = "1.1"

    def sent(self, etag: str) -> dict[str, str]:
        """Header fields with the tag filled in."""
        return {name: value.replace("{etag}", etag) for name, value in self.headers}

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.headers)

    def value(self, name: str) -> str:
        return dict(self.headers).get(name, "")

    def __str__(self) -> str:
        fields = "; ".join(f"{name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.target} HTTP/{self.version} [{fields}]"


PATHS = [
    "/",
    "/hello.txt",
    "/empty.txt",
    "/data.bin",
    "/app.js",
    "/docs",
    "/docs/",
    "/docs?",
    "/docs?a=1&b=%20",
    "/docs/?a=1",
    "/docs/index.html",
    "/docs/guide.html",
    "/docs/missing",
    "/docs/deep",
    "/docs/deep/er/page.html",
    "/bare/",
    "/bare",
    "/hello.txt/",
    "/hello.txt?query",
    "/hello.txt?a=/../b",
    "/%68%65llo.txt",
    "/./hello.txt",
    "/docs/./guide.html",
    "/docs/../hello.txt",
    "/docs/%2e%2e/hello.txt",
    "/docs/..%2fhello.txt",
    "/docs%2fguide.html",
    "/docs/deep/../../hello.txt",
    "/docs/../docs",
    "/../hello.txt",
    "/../../etc/passwd",
    "/docs/../../hello.txt",
    "//hello.txt",
    "//docs//guide.html",
    "/docs//",
    "//docs",
    "/docs/.",
    "/docs/..",
    "/docs/deep/er/..",
    "/sp%20ace/na%20me.txt",
    "/sp+ace/na+me.txt",
    "/%C3%BCn%C3%AF/gr%C3%BC%C3%9Fe.txt",
    "/%C3%BCn%C3%AF",
    "/sp%20ace",
    "/odd/100%25.txt",
    "/odd/a+b.txt",
    "/odd/a%2Bb.txt",
    "/odd/q%3Fm.txt",
    "/odd/q?m.txt",
    "/odd/semi;colon.txt",
    "/odd/h%23sh.txt",
    "/odd/back%5Cslash.txt",
    "/odd/dot.",
    "/odd/dot",
    "/HELLO.TXT",
    "/missing",
    "/missing/",
    "/missing/index.html",
    "/.hidden",
    "/docs/.env",
    "/.git/config",
    "/.well-known/security.txt",
    "/%",
    "/%4",
    "/%zz",
    "/%00",
    "/hello.txt%00",
    "/hello.txt%20",
    "/404.html",
    "/index.html",
    "/style.css",
    "/types/a.html",
    "/types/a.json",
    "/types/a.svg",
    "/types/a.png",
    "/types/a.pdf",
    "/types/a.webp",
    "/types/a.avif",
    "/types/a.wasm",
    "/types/a.woff2",
    "/types/noextension",
    "http://other.test/hello.txt",
    "http://other.test:8080/docs?x",
    "http://other.test",
    "*",
    "hello.txt",
]

TAGS = ["{etag}", "W/{etag}", '"x"', '"x", {etag}, "y"', "*", "nonsense", ""]
DATES = [SAME, OLDER, NEWER, "yesterday", ""]
RANGES = [
    "bytes=0-0",
    "bytes=0-99",
    "bytes=5-",
    "bytes=-7",
    "bytes=0-",
    "bytes=-0",
    "bytes=-200000",
    "bytes=99999-",
    "bytes=100000-",
    "bytes=100000-100005",
    "bytes=99990-200000",
    "bytes=5-2",
    "bytes=a-b",
    "bytes=",
    "bytes=-",
    "bytes=5",
    "bytes=1-2-3",
    "bytes=99999999999999999999-",
    "bytes=0-99999999999999999999",
    "items=0-5",
    "octets",
    "bytes=0-4,10-14",
    "bytes=0-4, 10-14 ,-3",
    "bytes=0-4,100000-",
    "bytes=100000-,200000-",
    "bytes=0-9,5-14",
    "bytes=0-99,10-19",
    "bytes=10-14,0-4",
    "bytes=0-4,5-2",
    "bytes=0-,0-,0-",
    "bytes=" + ",".join(f"{100 * n}-{100 * n + 1}" for n in range(16)),
    "bytes=" + ",".join(f"{100 * n}-{100 * n + 1}" for n in range(17)),
]
IF_RANGES = ["{etag}", "W/{etag}", '"x"', SAME, OLDER, NEWER, "nonsense"]
CODINGS = [
    "gzip",
    "gzip, deflate, br",
    "br",
    "deflate",
    "identity",
    "",
    "*",
    "*;q=0",
    "gzip;q=0",
    "gzip;q=0.0",
    "gzip;q=0.001",
    "gzip;q=0.5, identity",
    "gzip;q=0.5, identity;q=0.2",
    "deflate, gzip;q=1.0",
    "identity;q=0",
    "identity;q=0, gzip",
    "GZIP",
    "x-gzip",
    "notgzip",
    "gzip;q=0, *",
]
METHODS = ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "get"]


def _listed() -> list[Case]:
    cases = [Case(path) for path in PATHS]
    cases += [Case(path, method="HEAD") for path in PATHS[:20]]
    cases += [Case(path, version="1.0") for path in PATHS[:12]]
    hello = "/hello.txt"
    for tag, date in itertools.product([None, *TAGS], [None, *DATES]):
        for by_tag, by_date in (
            ("If-None-Match", "If-Modified-Since"),
            ("If-Match", "If-Unmodified-Since"),
        ):
            fields = [(by_tag, tag), (by_date, date)]
            given = tuple((name, value) for name, value in fields if value is not None)
            cases.append(Case(hello, given))
    for target in ("/data.bin", "/app.js"):
        cases += [Case(target, (("Range", text),)) for text in RANGES]
        cases += [Case(target, (("Accept-Encoding", text),)) for text in CODINGS]
    cases += [Case("/style.css", (("Accept-Encoding", text),)) for text in CODINGS]
    for value, text in itertools.product(IF_RANGES, ("bytes=0-9", "bytes=100000-", "bytes=0-,1-")):
        cases.append(Case("/data.bin", (("Range", text), ("If-Range", value))))
    for text in ("bytes=0-9", "bytes=-5", "bytes=900000-"):
        fields_ = (("Range", text), ("Accept-Encoding", "gzip"))
        cases += [Case("/app.js", fields_), Case("/app.js", fields_, "HEAD")]
        cases += [Case(path, (("Range", text),)) for path in ("/empty.txt", "/missing", "/docs")]
    cases += [Case(hello, method=method) for method in METHODS]
    cases += [Case("/docs/", method=method) for method in METHODS[:4]]
    cases += [Case("/missing", method=method) for method in METHODS[:4]]
    return cases


def _mixed(count: int, seed: int) -> list[Case]:
    """Anything together with anything."""
    dice = random.Random(seed)
    targets = ["/hello.txt", "/data.bin", "/app.js", "/style.css", "/docs/", "/empty.txt"]
    choices = {
        "If-None-Match": TAGS,
        "If-Modified-Since": DATES,
        "If-Match": TAGS,
        "If-Unmodified-Since": DATES,
        "Range": RANGES,
        "If-Range": IF_RANGES,
        "Accept-Encoding": CODINGS,
    }
    cases = []
    for _ in range(count):
        names = dice.sample(sorted(choices), dice.randrange(1, 4))
        fields = tuple((name, dice.choice(choices[name])) for name in names)
        method = dice.choice(["GET", "GET", "GET", "HEAD"])
        cases.append(Case(dice.choice(targets), fields, method, dice.choice(["1.1", "1.0"])))
    return cases


def generate(mixed: int = 400, seed: int = 20240102) -> list[Case]:
    """Every listed case, then random mixtures; no two alike."""
    return list(dict.fromkeys(_listed() + _mixed(mixed, seed)))
