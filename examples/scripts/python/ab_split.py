"""An A/B test: a share of the visitors of a page gets another page, and keeps it.

Who comes without the cookie is put into a group by chance and gets the cookie. Pages may show the
group as <zs-meta>group</zs-meta>, for example in an attribute of <body> that the analytics read.
The answer says Vary: Cookie and Cache-Control: private, so that no shared cache mixes the groups.
"""

import secrets

from zeroserve.script import Request, Response, on_request, on_response

PAGES = {"/": "/index-b.html", "/pricing.html": "/pricing-b.html"}
"""Path of the page: path of what group b gets."""
SHARE_B = 50
"""In percent."""
COOKIE = "group"
MAX_AGE_S = 30 * 24 * 3600


@on_request
def split(req: Request) -> Response | None:
    page_b = PAGES.get(req.path)
    if page_b is None:
        return None
    group = req.cookie(COOKIE)
    if group != "a" and group != "b":
        group = "b" if secrets.randbelow(100) < SHARE_B else "a"
        req.meta["new group"] = group
    req.meta["group"] = group
    if group == "b":
        req.rewrite(f"{page_b}?{req.query}" if req.query else page_b)
    return None


@on_response
def remember(req: Request, res: Response) -> None:
    if "group" not in req.meta:
        return
    res.append_header("Vary", "Cookie")
    res.set_header("Cache-Control", "private")
    group = req.meta.get("new group")
    if group is not None:
        cookie = f"{COOKIE}={group}; Path=/; Max-Age={MAX_AGE_S}; SameSite=Lax"
        res.append_header("Set-Cookie", cookie)
