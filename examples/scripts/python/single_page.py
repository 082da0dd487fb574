"""A single-page application: paths that are no files are answered by its index page, with 200.

Files have a suffix, pages of the application have none; so a picture that is missing is still a
404, and not an HTML page. Put it last (99-single-page.py): scripts that answer come before. Cache
lifetimes: files with a hash in the name (app.3f9a1c2e.js) for a year, everything else is asked
for again each time, which costs a 304.
"""

import re

from zeroserve.script import Request, Response, on_request, on_response

INDEX = "/index.html"
NOT_PAGES = ("/api/", "/assets/", "/.well-known/")
HASHED = re.compile(r"[.-][0-9a-f]{8,}\.(?:js|css|woff2|png|jpg|svg|webp|wasm)$")


def is_page(path: str) -> bool:
    last = path.rsplit("/", 1)[1]
    return "." not in last and not path.startswith(NOT_PAGES)


@on_request
def page(req: Request) -> Response | None:
    if req.method in ("GET", "HEAD") and is_page(req.path):
        req.rewrite(f"{INDEX}?{req.query}" if req.query else INDEX)
    return None


@on_response
def cache(req: Request, res: Response) -> None:
    if res.status in (200, 206, 304):
        is_fixed = HASHED.search(req.path) is not None
        res.set_header(
            "Cache-Control", "public, max-age=31536000, immutable" if is_fixed else "no-cache"
        )
