"""A router that finds nothing to do: 1,000 exact routes, then 50 patterns."""

import re

from zeroserve.script import Request, Response, on_request, redirect

ROUTES = {f"/old/page-{n}": f"/new/page-{n}" for n in range(1000)} | {"/174.txt": ""}
PREFIXES = tuple(f"/section-{n}/" for n in range(50))
NUMBERED = re.compile(r"/(?:item|order|user)-(\d+)\Z")


@on_request
def route(req: Request) -> Response | None:
    """Exact routes first: what is found there costs one look."""
    to = ROUTES.get(req.path)
    if to is not None:
        return redirect(to) if to else None
    if req.path.startswith(PREFIXES):
        return redirect("/sections" + req.path)
    number = NUMBERED.match(req.path)
    if number:
        return redirect("/items/" + number[1])
    return None
