"""The same answer as json.c, as a script in Python."""

from zeroserve.script import Request, Response, on_request


@on_request
def answer(req: Request) -> Response | None:
    """Every request's path, as JSON."""
    return Response(200, f'{{"path":"{req.raw_path}"}}', content_type="application/json")
