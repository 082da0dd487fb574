"""A contact form without a backend: what is sent becomes a line in the server's log, or goes to a
chat or mail service behind UPSTREAM.

The form posts to /contact; its fields are name, email, message, and a field "website" that people
do not see and programs fill in. Who sent it is redirected to /thanks.html; errors go back to the
form's page as ?error=FIELD. Forms of other sites are refused by Origin.
"""

import json
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from zeroserve.script import Request, Response, log, on_request, proxy, rate_limit, redirect

PATH = "/contact"
FORM = "/contact.html"
THANKS = "/thanks.html"
UPSTREAM = ""
"""Such as "http://127.0.0.1:9000": gets the fields as they were sent."""
PER_HOUR = 5
MAX_CHARACTERS = 4000
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def field(pairs: list[tuple[str, str]], name: str) -> str:
    """The first value of a field, without blanks around it."""
    for key, value in pairs:
        if key == name:
            return value.strip()
    return ""


def wrong(name: str, email: str, message: str) -> str | None:
    """The field that has to be corrected."""
    if not name or len(name) > 100:
        return "name"
    if len(email) > 200 or EMAIL.fullmatch(email) is None:
        return "email"
    if not message or len(message) > MAX_CHARACTERS:
        return "message"
    return None


def is_own(req: Request) -> bool:
    origin = req.header("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).hostname == req.host
    except ValueError:
        return False


@on_request
def contact(req: Request) -> Response | None:
    if req.path != PATH:
        return None
    if req.method != "POST":
        return redirect(FORM, 303)
    if not is_own(req):
        return Response(403, "not from there\n")
    try:
        pairs = parse_qsl(req.body().decode(), keep_blank_values=True)
    except ValueError:
        return Response(400, "not a form\n")
    if field(pairs, "website"):
        return redirect(THANKS, 303)  # let it believe so
    name, email, message = field(pairs, "name"), field(pairs, "email"), field(pairs, "message")
    error = wrong(name, email, message)
    if error is not None:
        return redirect(f"{FORM}?{urlencode({'error': error})}", 303)
    if not rate_limit(f"contact {req.peer_ip}", per_hour=PER_HOUR):
        return Response(429, "later, please\n", headers={"Retry-After": "3600"})
    if UPSTREAM:
        return proxy(UPSTREAM)
    log("contact " + json.dumps({"name": name, "email": email, "message": message}))
    return redirect(THANKS, 303)
