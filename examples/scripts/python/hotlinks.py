"""Images for our own pages only: other sites that embed them get a small notice instead.

Visitors without Referer are let through: some browsers never send it, and neither do links in
e-mails. Search engines that show images are welcome. A Referer is easily forged by programs,
never by a page, and pages are what this is about.
"""

from urllib.parse import urlsplit

from zeroserve.script import Request, Response, on_request, on_response

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".mp4")
FRIENDS = ("google.com", "bing.com", "duckduckgo.com")
"""And their subdomains."""
NOTICE = """<svg xmlns="http://www.w3.org/2000/svg" width="320" height="60">
<rect width="320" height="60" fill="#eee"/>
<text x="16" y="36" font-family="sans-serif">This picture lives elsewhere</text>
</svg>
"""
VIDEO = ".mp4"


def is_friend(host: str, own: str) -> bool:
    if host == own or host.endswith("." + own):
        return True
    return any(host == friend or host.endswith(f".{friend}") for friend in FRIENDS)


@on_request
def hotlinks(req: Request) -> Response | None:
    if not req.path.lower().endswith(SUFFIXES):
        return None
    referer = req.header("referer")
    if not referer:
        return None
    try:
        host = urlsplit(referer).hostname
    except ValueError:
        host = None
    if host is not None and is_friend(host, req.host):
        return None
    headers = {"Cache-Control": "no-store", "Vary": "Referer"}
    if req.path.lower().endswith(VIDEO):
        return Response(403, "not embedded elsewhere, please\n", headers=headers)
    return Response(200, NOTICE, content_type="image/svg+xml", headers=headers)


@on_response
def vary(req: Request, res: Response) -> None:
    """Caches must not give the picture of one site to another."""
    if req.path.lower().endswith(SUFFIXES) and res.header("vary") != "Referer":
        res.append_header("Vary", "Referer")
