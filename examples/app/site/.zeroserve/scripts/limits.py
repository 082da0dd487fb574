"""What runs before files and application: nobody writes too much, and every response is hardened.

A request that is refused here never reaches the application.
"""

from zeroserve.script import Request, Response, on_request, on_response, rate_limit

WRITES_PER_MINUTE = 20


@on_request
def limit(req: Request) -> Response | None:
    if req.method == "POST" and not rate_limit(
        f"write {req.peer_ip}", per_minute=WRITES_PER_MINUTE
    ):
        return Response(
            429,
            '{"detail":"too many entries, try again in a minute"}\n',
            content_type="application/json",
            headers={"Retry-After": "60"},
        )
    return None


@on_response
def harden(req: Request, res: Response) -> None:
    res.set_header("X-Content-Type-Options", "nosniff")
    res.set_header("X-Frame-Options", "DENY")
