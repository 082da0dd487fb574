"""The phases of where a request goes: path tables, and clean URLs."""

from zeroserve.config import paths
from zeroserve.config.emit import tables, text
from zeroserve.config.emit.draft import Draft, Phase
from zeroserve.config.emit.redirects import AS_VALUE, ESCAPED, WITH_QUERY
from zeroserve.config.emit.tables import Entry, Tables, captured
from zeroserve.config.emit.text import INDENT
from zeroserve.config.paths import Path, Proxy
from zeroserve.config.pattern import Hole, Pieces, template
from zeroserve.config.values import VARIABLE

FEWEST_EXACT = 4
"""Exact redirects become a table from this number on; fewer read better as code."""

ASKED_AS = "zs.path"
"""Metadata with the path that a client asked for, where an upstream gets another one."""

SECRET = '''
def secret(name: str) -> str:
    """A variable of the environment; without it, nothing is done."""
    value = env(name)
    if value is None:
        raise ValueError(f"the variable {name} is not set")
    return value
'''

CLEAN = '''
def clean(req: Request) -> Response | None:
    """A page is found without its suffix, and sent there with it."""
    if req.method not in ("GET", "HEAD"):
        return None
    path = req.path
    if path.endswith(".html") and file_exists(path):
        shorter = path.removesuffix(".html")
        if shorter.endswith("/index"):
            shorter = shorter.removesuffix("index")
        return redirect(with_query(escaped(shorter), req.query), 308)
    if path.endswith("/") or file_exists(path) or not file_exists(path + ".html"):
        return None
    return send_file(path + ".html")
'''


def _place(path: Path) -> bool:
    return path.redirect is not None or path.rewrite is not None or path.proxy is not None


def emit(found: Tables, draft: Draft) -> None:
    """Give the draft what it takes to send requests where these tables say."""
    entries = [entry for entry in found.narrowest_first() if _place(entry.path)]
    if not entries:
        return
    first: list[str] = []
    moved = [entry for entry in entries if _is_tabled(entry)]
    if len(moved) >= FEWEST_EXACT:
        # They are the narrowest of all, and no two are for the same path.
        first = _table(moved, found, draft)
        entries = [entry for entry in entries if not _is_tabled(entry)]
    body: list[str] = []
    for entry in entries:
        expression = tables.test(entry.pattern, draft)
        indent = INDENT if expression is None else INDENT * 2
        head = [] if expression is None else tables.condition(INDENT, expression)
        body += [found.note(INDENT, entry), *head, *_action(entry, draft, indent)]
        if expression is None:
            break
    signature = ("req: Request", "req", "Response | None")
    body = body or [f"{INDENT}return None"]
    lines = tables.spread(draft, "places", signature, tables.path_of, body)
    if first:
        start = f"{INDENT}path = req.path"
        lines = [start, *first, *(line for line in lines if line != start)]
    doc = "The narrowest pattern says where a request goes."
    draft.request(Phase.PATHS, "places", doc, lines)


def clean_urls(draft: Draft) -> None:
    """Give the draft pages without their suffix."""
    draft.use("Request", "Response", "file_exists", "redirect", "send_file")
    _escaping(draft)
    _, _, *lines = CLEAN.strip("\n").split("\n")
    doc = "A page is found without its suffix, and who asks with it is sent there."
    draft.request(Phase.PATHS, "clean", doc, lines)


def _escaping(draft: Draft) -> None:
    draft.import_from("urllib.parse", "quote")
    draft.helper("with_query", WITH_QUERY)
    draft.helper("escaped", ESCAPED)


def _is_tabled(entry: Entry) -> bool:
    return entry.path.redirect is not None and paths.is_exact(entry.pattern)


def _table(moved: list[Entry], found: Tables, draft: Draft) -> list[str]:
    draft.use("redirect")
    draft.helper("with_query", WITH_QUERY)
    rows = []
    for entry in sorted(moved, key=lambda one: found.lines.get(("paths", one.pattern), 0)):
        place = entry.path.redirect
        assert place is not None
        line = found.lines.get(("paths", entry.pattern))
        note = found.file if line is None else f"{found.file}:{line}"
        value = f"({text.string(place.to)}, {place.status})"
        rows += text.entry(text.string(entry.pattern), value, note)
    constant = draft.constant("PLACES", [" = {", *rows, "}"])
    return [
        f"{INDENT}place = {constant}.get(path)",
        f"{INDENT}if place is not None:",
        f"{INDENT * 2}url, status = place",
        f"{INDENT * 2}return redirect(with_query(url, req.query), status)",
    ]


def _action(entry: Entry, draft: Draft, indent: str) -> list[str]:
    pattern, path = entry
    names = frozenset(paths.names(pattern))
    if path.redirect is not None:
        draft.use("redirect")
        pieces = template(path.redirect.to, names)
        lines, values = captured(pattern, _open(pieces), draft, indent)
        url = _filled(pieces, values, draft)
        draft.helper("with_query", WITH_QUERY)
        status = path.redirect.status
        line = f"{indent}return redirect(with_query({url}, req.query), {status})"
        if len(line) <= text.WIDTH:
            return [*lines, line]
        ending = f"{indent}return redirect(with_query(target, req.query), {status})"
        return [*lines, *text.assign(indent, "target", url), ending]
    if path.proxy is not None:
        return _proxy(entry, path.proxy, names, draft, indent)
    assert path.rewrite is not None
    draft.use("send_file")
    target = path.rewrite.partition("?")[0]
    pieces = template(paths.decoded(target), names)
    lines, values = captured(pattern, _open(pieces), draft, indent)
    return [*lines, *text.call(indent, "return send_file(", [text.formatted(pieces, values)])]


def _proxy(
    entry: Entry, proxy: Proxy, names: frozenset[str], draft: Draft, indent: str
) -> list[str]:
    draft.use("proxy")
    lines = [f"{indent}req.meta[{text.string(ASKED_AS)}] = path"]
    if entry.path.rewrite is not None:
        pieces = template(entry.path.rewrite, names)
        more, values = captured(entry.pattern, _open(pieces), draft, indent)
        draft.helper("with_query", WITH_QUERY)
        url = _filled(pieces, values, draft)
        line = f"{indent}req.rewrite(with_query({url}, req.query))"
        if len(line) > text.WIDTH:
            more += text.assign(indent, "target", url)
            line = f"{indent}req.rewrite(with_query(target, req.query))"
        lines += [*more, line]
    for name, value in proxy.headers.items():
        lines += _header(name, value or "", draft, indent)
    more_arguments = ["cache=True"] if proxy.cache else []
    return [
        *lines,
        *text.call(indent, "return proxy(", [text.string(proxy.to), *more_arguments]),
    ]


def _header(name: str, value: str, draft: Draft, indent: str) -> list[str]:
    pieces: list[str | Hole] = []
    lines: list[str] = []
    values: dict[str, str] = {}
    end = 0
    for found in VARIABLE.finditer(value):
        draft.use("env")
        draft.helper("secret", SECRET)
        if value[end : found.start()]:
            pieces.append(value[end : found.start()])
        pieces.append(Hole(found[1]))
        if found[1] not in values:
            values[found[1]] = f"secret_{len(values) + 1}"
            call = f"secret({text.string(found[1])})"
            lines.append(f"{indent}{values[found[1]]} = {call}")
        end = found.end()
    if value[end:] or not pieces:
        pieces.append(value[end:])
    arguments = [text.string(name), text.formatted(tuple(pieces), values)]
    return [*lines, *text.call(indent, "req.set_header(", arguments)]


def _open(pieces: Pieces) -> set[str]:
    return {piece.name for piece in pieces if isinstance(piece, Hole)}


def _filled(pieces: Pieces, values: dict[str, str], draft: Draft) -> str:
    """A URL with what was found in the path, as an expression."""
    if not _open(pieces):
        return text.formatted(pieces, {})
    draft.import_from("urllib.parse", "quote")
    draft.helper("escaped", ESCAPED)
    numbered: list[str | Hole] = []
    given = {}
    in_query = False
    for piece in pieces:
        if isinstance(piece, str):
            in_query = in_query or "?" in piece
            numbered.append(piece)
            continue
        hole = Hole(f"{len(numbered)}")
        how = "as_value" if in_query else "escaped"
        if in_query:
            draft.helper("as_value", AS_VALUE)
        value = values[piece.name]
        if numbered == ["/"]:
            value += ".lstrip('/')"  # two slashes would lead to another site
        given[hole.name] = f"{how}({value})"
        numbered.append(hole)
    return text.formatted(tuple(numbered), given)
