"""What a script in Python imports: the request, the response, and what it may ask of the server.

    from zeroserve.script import Request, Response, on_request

    @on_request
    def health(req: Request) -> Response | None:
        if req.path == "/health":
            return Response(200, "ok\\n")
        return None

In the server such a file is compiled. Here is the same in plain Python, so a script is also an
ordinary module: import it, call its functions with requests made by hand, and look at what they
return. Nothing of the server has to be installed for that, and importing this costs little.

    >>> from zeroserve.script import Request, Response, on_request
    >>> @on_request
    ... def health(req: Request) -> Response | None:
    ...     return Response(200, "ok") if req.path == "/health" else None
    >>> health(Request("GET", "/health"))
    <Response 200, 2 bytes>

What the server bounds and Python does not (bytes of a body, number of headers ...) raises
``Stop`` (``zeroserve.script.limits``), which is no ``Exception``: in the server, too, a script
can't catch it.
"""

from zeroserve.script.fetching import Fetched, fetch
from zeroserve.script.files import file_exists
from zeroserve.script.hooks import on_request, on_response
from zeroserve.script.limiter import rate_limit
from zeroserve.script.oidc import (
    oidc_begin_login,
    oidc_handle_callback,
    oidc_logout,
    oidc_session,
)
from zeroserve.script.passwords import verify_password
from zeroserve.script.request import Request
from zeroserve.script.response import Response, abort, proxy, redirect, send_file, send_listing
from zeroserve.script.surroundings import env, log
from zeroserve.script.table import Table

__all__ = [
    "Fetched",
    "Request",
    "Response",
    "Table",
    "abort",
    "env",
    "fetch",
    "file_exists",
    "log",
    "oidc_begin_login",
    "oidc_handle_callback",
    "oidc_logout",
    "oidc_session",
    "on_request",
    "on_response",
    "proxy",
    "rate_limit",
    "redirect",
    "send_file",
    "send_listing",
    "verify_password",
]
