"""A content security policy with nonces, and its companions, on every response.

Inline scripts run only with the nonce of their response, which a page has from the server:

    <script nonce="<zs-meta>nonce</zs-meta>"> ... </script>

Pages with that are made anew for each request and have no entity tag. Set UPGRADE once everything
works over HTTPS: browsers remember Strict-Transport-Security for HSTS_S seconds, and there is no
way back before.
"""

import secrets

from zeroserve.script import Request, Response, on_request, on_response

UPGRADE = False
HSTS_S = 31_536_000
REPORT_ONLY = False
"""Try a policy: violations are reported in the browser's console, nothing is blocked."""

POLICY = (
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
COMPANIONS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
NAME = "Content-Security-Policy" + ("-Report-Only" if REPORT_ONLY else "")


@on_request
def make_nonce(req: Request) -> Response | None:
    """Only for pages: everything else keeps its entity tag."""
    if req.path.endswith(("/", ".html")):
        req.meta["nonce"] = secrets.token_urlsafe(16)
    return None


@on_response
def harden(req: Request, res: Response) -> None:
    nonce = req.meta.get("nonce")
    scripts = "script-src 'self'" if nonce is None else f"script-src 'self' 'nonce-{nonce}'"
    res.set_header(NAME, "; ".join(POLICY) + "; " + scripts)
    for name, value in COMPANIONS:
        res.set_header(name, value)
    if UPGRADE and req.scheme == "https":
        res.set_header("Strict-Transport-Security", f"max-age={HSTS_S}; includeSubDomains")
