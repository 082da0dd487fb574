"""Asks a server of yours who may see what, request by request (forward authentication).

It gets method, address, cookies and Authorization of each request in X-Forwarded-* headers, as
Authelia, oauth2-proxy and their like expect it. If it says 2xx, the request goes on with the
headers that it names; any other answer is the client's: a redirect to its login page, or a 401.

The server has to be in the list of the operator's file, which `--config` names:

    [fetch]
    allow = ["127.0.0.1:9091"]

Caveat: each request costs one to that server. Where it does not answer, nobody gets in.
"""

from zeroserve.script import Request, Response, fetch, log, on_request

AUTH_URL = "http://127.0.0.1:9091/api/verify"
PREFIXES = ("/private/",)
COPIED = ("Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups")
TIMEOUT_MS = 3000


@on_request
def authenticate(req: Request) -> Response | None:
    # Nobody but the server says who it is.
    for name in COPIED:
        req.delete_header(name)
    if not req.path.startswith(PREFIXES):
        return None
    query = f"?{req.query}" if req.query else ""
    try:
        res = fetch(
            AUTH_URL,
            headers={
                "X-Forwarded-Method": req.method,
                "X-Forwarded-Proto": req.scheme,
                "X-Forwarded-Host": req.header("host"),
                "X-Forwarded-Uri": req.raw_path + query,
                "X-Forwarded-For": req.peer_ip,
                "Cookie": req.header("cookie"),
                "Authorization": req.header("authorization"),
                "Accept": req.header("accept"),
            },
            timeout_ms=TIMEOUT_MS,
        )
    except OSError:
        return Response(503, "try again\n", headers={"Retry-After": "5"})
    if 200 <= res.status <= 299:
        for name in COPIED:
            value = res.header(name)
            if value is not None:
                req.set_header(name, value)
        return None
    if not 300 <= res.status <= 499:
        log(f"the authentication server says {res.status}")
        return Response(502, "try again\n")
    kind = res.header("content-type") or "text/plain; charset=utf-8"
    answer = Response(res.status, res.body, content_type=kind)
    location = res.header("location")
    if location is not None:
        answer.append_header("Location", location)
    challenge = res.header("www-authenticate")
    if challenge is not None:
        answer.append_header("WWW-Authenticate", challenge)
    for cookie in res.header_list("set-cookie"):
        answer.append_header("Set-Cookie", cookie)
    answer.append_header("Cache-Control", "no-store")
    return answer
