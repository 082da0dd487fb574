"""The first phase and the last ones: a closed site, listings, a single-page application."""

from zeroserve.config.emit import tables, text
from zeroserve.config.emit.draft import Draft, Phase
from zeroserve.config.emit.guards import CLIENT, networks
from zeroserve.config.emit.tables import Tables
from zeroserve.config.emit.text import INDENT
from zeroserve.config.site import Maintenance

WANTS_JSON = '''
def wants_json(req: Request) -> bool:
    """Whether the client names JSON, and no HTML."""
    accept = req.header("accept") or ""
    return "application/json" in accept and "text/html" not in accept
'''


def maintenance(closed: Maintenance | None, file: str, draft: Draft) -> None:
    """Give the draft what a closed site answers."""
    if closed is None or not closed.enabled:
        return
    draft.use("Request", "Response")
    body: list[str] = []
    if closed.allow:
        draft.import_from("ipaddress", "ip_address")
        draft.helper("client", CLIENT)
        tests = networks(draft, "ALLOWED", closed.allow)
        body += [
            f"{INDENT}ip = client(req)",
            f'{INDENT}if ip != "":',
            *([f"{INDENT * 2}address = ip_address(ip)"] if any("any(" in t for t in tests) else []),
        ]
        for test in tests:
            body += [f"{INDENT * 2}if {test}:", f"{INDENT * 3}return None"]
    if closed.page is None:
        words = '"closed for maintenance\\n"'
        body += text.call(INDENT, "answer = Response(", ["503", words])
    else:
        draft.use("send_file")
        body += text.call(INDENT, "answer = send_file(", [text.string(closed.page), "503"])
    body += [
        f'{INDENT}answer.append_header("Retry-After", "{closed.retry_after_s}")',
        f'{INDENT}answer.append_header("Cache-Control", "no-store")',
        f"{INDENT}return answer",
    ]
    doc = f"The site is closed: [maintenance] of {file}."
    draft.request(Phase.MAINTENANCE, "closed", doc, body)


def listing(everywhere: bool, found: Tables, draft: Draft) -> None:
    """Give the draft listings of directories."""
    entries = [entry for entry in found.narrowest_first() if entry.path.listing is not None]
    if not everywhere and not any(entry.path.listing for entry in entries):
        return
    draft.use("Request", "Response", "file_exists", "send_listing")
    draft.helper("wants_json", WANTS_JSON)
    draft.helper("listed", LISTING)
    body: list[str] = []
    for entry in entries:
        expression = tables.test(entry.pattern, draft)
        result = LISTED if entry.path.listing else "None"
        note = found.note(INDENT, entry, "listing")
        if expression is None:
            body += [note, f"{INDENT}return {result}"]
            break
        body += [note, *tables.condition(INDENT, expression), f"{INDENT * 2}return {result}"]
    ending = LISTED if everywhere else "None"
    body = body or [f"{INDENT}return {ending}"]
    signature = ("req: Request", "req", "Response | None")
    lines = tables.spread(draft, "listing", signature, tables.path_of, body, ending)
    start = f"{INDENT}path = req.path"
    body = [
        start,
        f'{INDENT}if req.method not in ("GET", "HEAD") or file_exists(path):',
        f"{INDENT * 2}return None",
        *(line for line in lines if line != start),
    ]
    doc = "Directories without an index are listed."
    draft.request(Phase.FALLBACKS, "listing", doc, body)


LISTED = "listed(req)"

LISTING = '''
def listed(req: Request) -> Response:
    """What lies in a directory, in the form that the client names."""
    answer = send_listing(req.path, as_json=wants_json(req))
    answer.append_header("Vary", "Accept")
    return answer
'''


IS_NAVIGATION = '''
def is_navigation(req: Request, path: str) -> bool:
    """Whether a browser goes there, or somebody who takes anything."""
    name = path.rpartition("/")[2]
    if "." in name:
        return False
    accept = req.header("accept") or "*/*"
    if "text/html" in accept:
        return True
    if accept != "*/*" or req.header("sec-fetch-mode") is not None:
        return False
    # Readers of data ask so, too: for parts with numbers as names, below a name with a dot, and for
    # directories. And _headers is no page.
    return "." not in path and name != "" and not name.isdigit() and name[0] != "_"
'''


def spa(page: str | None, draft: Draft) -> None:
    """Give the draft the page of a single-page application."""
    if page is None:
        return
    draft.use("Request", "Response", "file_exists", "send_file")
    draft.helper("is_navigation", IS_NAVIGATION)
    body = [
        f"{INDENT}path = req.path",
        f'{INDENT}if req.method not in ("GET", "HEAD") or not is_navigation(req, path):',
        f"{INDENT * 2}return None",
        f"{INDENT}if file_exists(path):",
        f"{INDENT * 2}return None",
        *text.call(INDENT, "answer = send_file(", [text.string(page)]),
        f'{INDENT}answer.append_header("Vary", "Accept, Sec-Fetch-Mode")',
        f"{INDENT}return answer",
    ]
    doc = "Navigations to what is no file get the page of the application."
    draft.request(Phase.FALLBACKS, "application", doc, body)
