"""The phases of answers: CORS, caches and headers of path tables, pages for errors."""

from collections.abc import Mapping

from zeroserve.config.emit import tables, text
from zeroserve.config.emit.draft import Draft, Phase
from zeroserve.config.emit.places import ASKED_AS
from zeroserve.config.emit.tables import Entry, Tables
from zeroserve.config.emit.text import INDENT
from zeroserve.config.paths import BasicAuth, Cors

YEAR_S = 31_536_000

SHORT = 100
"""Lines about headers that go into one function with the rest."""

IS_HASHED = '''
def is_hashed(path: str) -> bool:
    """Whether a name has a hash of its file's content, as bundlers write them."""
    found = HASH.search(path)
    if found is None:
        return False
    part = found.group(1)
    if HEX.fullmatch(part) is not None:
        return DIGIT_AND_LETTER.search(part) is not None
    return MIXED.search(part) is not None
'''

HASH = (
    r"[.-]([0-9a-f]{8,64}|[0-9A-Za-z_-]{8}|[0-9A-Za-z_]{20,64})(?:\.[a-z]{1,9})*\.[0-9a-z]{1,11}$"
)

HEX = "[0-9a-f]+"

DIGIT_AND_LETTER = "[0-9][a-f]|[a-f][0-9]"
"""Without both, it may be a date or a word."""

MIXED = "[0-9][A-Za-z]|[a-z][A-Z].*[a-z][A-Z]|[a-z][A-Z]+[0-9]"
"""No word is written so."""

WANTS_PAGE = '''
def wants_page(req: Request) -> bool:
    """Whether the client takes HTML."""
    accept = req.header("accept") or "*/*"
    return "text/html" in accept or "*/*" in accept
'''


def emit(found: Tables, draft: Draft) -> None:
    """Give the draft what these tables say of answers."""
    _preflight(found, draft)
    proxied = any(e.path.proxy is not None and e.path.rewrite is not None for e in found.entries)
    proxied = proxied or draft.asked_as is not None
    path = f'req.meta.get("{ASKED_AS}", req.path)' if proxied else "req.path"
    given = [("answers", [*_cors(found, draft), *_cache(found, draft)])]
    headers = _headers(found, draft)
    given += [("fields", part) for part in tables.parted(headers)]
    if len(given) == 2 and len(headers) < SHORT:
        given = [("answers", [*given[0][1], *headers])]
    for name, body in given:
        if body:
            head = [f"{INDENT}path = {path}"] if tables.uses("path", body) else []
            doc = "Wide patterns first: what a narrow one says counts more."
            draft.response(Phase.TABLES, name, doc, [*head, *body])


def error_pages(pages: Mapping[str, str], file: str, proxied: bool, draft: Draft) -> None:
    """Give the draft the pages for errors."""
    if not pages:
        return
    draft.use("Request", "Response")
    draft.helper("wants_page", WANTS_PAGE)
    body = [f"{INDENT}if res.status < 400 or not wants_page(req):", f"{INDENT * 2}return"]
    if proxied:
        body += [
            f'{INDENT}if "{ASKED_AS}" in req.meta and res.upstream_error is None:',
            f"{INDENT * 2}return  # an upstream's own answer",
        ]
    keyword = "if"
    # A status says more than its class.
    for status, page in sorted(pages.items(), key=lambda item: (item[0].endswith("xx"), item[0])):
        test = f"res.status == {status}"
        if status.endswith("xx"):
            test = f"{status[0]}00 <= res.status <= {status[0]}99"
        body += [
            f"{INDENT}{keyword} {test}:",
            *text.call(INDENT * 2, "res.send_file(", [text.string(page)]),
        ]
        keyword = "elif"
    doc = f"Pages of {file} for errors, for who takes HTML."
    draft.response(Phase.ERROR_PAGES, "error_pages", doc, body)


# --- CORS -----------------------------------------------------------------------------------------


def _preflight(found: Tables, draft: Draft) -> None:
    entries = [entry for entry in found.narrowest_first() if entry.path.cors is not None]
    if not entries:
        return
    draft.use("Request", "Response")
    body = [
        f'{INDENT}origin = req.header("origin")',
        f'{INDENT}asked = req.header("access-control-request-method")',
        f'{INDENT}if req.method != "OPTIONS" or origin is None or asked is None:',
        f"{INDENT * 2}return None",
    ]
    asked: list[str] = []
    for entry in entries:
        cors = entry.path.cors
        assert cors is not None
        expression = tables.test(entry.pattern, draft)
        indent = INDENT if expression is None else INDENT * 2
        head = [] if expression is None else tables.condition(INDENT, expression)
        asked += [found.note(INDENT, entry, "cors"), *head, *_answered(cors, draft, indent)]
        if expression is None:
            break
    signature = ("req: Request, origin: str", "req, origin", "Response | None")
    body += tables.spread(draft, "preflight", signature, tables.path_of, asked)
    doc = "What browsers ask before they send requests of pages of other sites."
    draft.request(Phase.PREFLIGHT, "preflight", doc, body)


def _answered(cors: Cors, draft: Draft, indent: str) -> list[str]:
    """The answer to a preflight; whose pages may see it is said for all answers, in `_cors`."""
    deeper = indent + INDENT
    lines: list[str] = []
    if "*" not in cors.origins:
        lines = [
            f"{indent}if origin.lower() not in {_origins(cors, draft)}:",
            f"{deeper}return Response(204)",
        ]
    fields = {
        "Access-Control-Allow-Methods": text.string(", ".join(cors.methods)),
        "Access-Control-Allow-Headers": text.string(", ".join(cors.headers)),
        "Access-Control-Max-Age": f'"{cors.max_age_s}"',
    }
    return [
        *lines,
        f"{indent}return Response(",
        f"{deeper}204,",
        f"{deeper}headers={{",
        *(f"{deeper}{INDENT}{text.string(name)}: {value}," for name, value in fields.items()),
        f"{deeper}}},",
        f"{indent})",
    ]


def _origins(cors: Cors, draft: Draft) -> str:
    rows = [f"{INDENT}{text.string(one)}," for one in cors.origins]
    return draft.constant_like("ORIGINS", [" = {", *rows, "}"])


def _cors(found: Tables, draft: Draft) -> list[str]:
    entries = [entry for entry in found.narrowest_first() if entry.path.cors is not None]
    if not entries:
        return []
    policies = list(dict.fromkeys(entry.path.cors for entry in entries))
    alone = tables.test(entries[0].pattern, draft) if len(entries) == 1 else None
    if len(entries) == 1:
        deeper = INDENT if alone is None else INDENT * 2
        head = [] if alone is None else tables.condition(INDENT, alone)
        return [found.note(INDENT, entries[0], "cors"), *head, *_shared(policies[0], draft, deeper)]
    body: list[str] = []
    for entry in entries:
        body += _returned(entry, found, draft, "cors", str(policies.index(entry.path.cors) + 1))
    _chooser(
        "policy_of", "Whose rules for pages of other sites are meant.", "int", body, "0", draft
    )
    lines = [f"{INDENT}policy = policy_of(path)"]
    for number, cors in enumerate(policies, 1):
        lines += [
            f"{INDENT}{'el' if number > 1 else ''}if policy == {number}:",
            *_shared(cors, draft, INDENT * 2),
        ]
    return lines


def _returned(entry: Entry, found: Tables, draft: Draft, key: str, value: str) -> list[str]:
    """A step of a function that returns what the narrowest entry says."""
    expression = tables.test(entry.pattern, draft)
    note = found.note(INDENT, entry, key)
    if expression is None:
        return [note, f"{INDENT}return {value}"]
    return [note, *tables.condition(INDENT, expression), f"{INDENT * 2}return {value}"]


def _chooser(name: str, doc: str, result: str, body: list[str], ending: str, draft: Draft) -> None:
    """A function of the path that returns what the narrowest entry says."""
    signature = ("path: str", "path", result)
    lines = tables.spread(draft, name, signature, lambda _: [], body, ending)
    head = [f"def {name}(path: str) -> {result}:", f'{INDENT}"""{doc}"""']
    draft.helper(name, "\n".join([*head, *lines]))


def _shared(cors: Cors | None, draft: Draft, indent: str) -> list[str]:
    """What an answer says of pages of other sites."""
    assert cors is not None
    exposed = text.string(", ".join(cors.expose))
    expose = ['"Access-Control-Expose-Headers"', exposed]
    if "*" in cors.origins:
        return [
            f'{indent}res.set_header("Access-Control-Allow-Origin", "*")',
            *text.call(indent, "res.set_header(", expose),
        ]
    deeper = indent + INDENT
    lines = [
        f'{indent}res.append_header("Vary", "Origin")',
        f'{indent}origin = req.header("origin")',
        f"{indent}if origin is not None and origin.lower() in {_origins(cors, draft)}:",
        f'{deeper}res.set_header("Access-Control-Allow-Origin", origin)',
    ]
    if cors.credentials:
        lines.append(f'{deeper}res.set_header("Access-Control-Allow-Credentials", "true")')
    return [*lines, *text.call(deeper, "res.set_header(", expose)]


# --- caches and headers ---------------------------------------------------------------------------


def _cache(found: Tables, draft: Draft) -> list[str]:
    entries = [entry for entry in found.narrowest_first() if entry.path.cache is not None]
    if not entries:
        return []
    body: list[str] = []
    for entry in entries:
        cache = entry.path.cache
        value = text.string(str(cache))
        if isinstance(cache, int):
            value = text.string(f"public, max-age={cache}")
        if cache == "immutable":
            _hashed(draft)
            value = 'YEAR if is_hashed(path) else "no-cache"'
        body += _returned(entry, found, draft, "cache", value)
    doc = "How long an answer may be kept; empty where nothing is said."
    _chooser("cache_of", doc, "str", body, '""', draft)
    private: list[str] = []
    if found.having(lambda path: isinstance(path.basic_auth, BasicAuth)):
        private = [
            f'{INDENT}if cache.startswith("public") and req.header("authorization") is not None:',
            f'{INDENT * 2}cache = cache.replace("public", "private")',
        ]
    return [
        f"{INDENT}cache = cache_of(path)",
        *private,
        # What an upstream or a script says itself is not widened.
        f'{INDENT}if cache == "no-store" or (',
        f"{INDENT * 2}cache and res.status in (200, 206, 304)"
        ' and res.header("cache-control") is None',
        f"{INDENT}):",
        f'{INDENT * 2}res.set_header("Cache-Control", cache)',
    ]


def _hashed(draft: Draft) -> None:
    draft.import_from("re")
    year = text.string(f"public, max-age={YEAR_S}, immutable")
    draft.constant_once("YEAR", [f" = {year}"])
    for name, expression in (
        ("HASH", HASH),
        ("HEX", HEX),
        ("DIGIT_AND_LETTER", DIGIT_AND_LETTER),
        ("MIXED", MIXED),
    ):
        draft.constant_once(name, text.call("", " = re.compile(", [text.raw(expression)]))
    draft.helper("is_hashed", IS_HASHED)


def _headers(found: Tables, draft: Draft) -> list[str]:
    body: list[str] = []
    for entry in found.having(lambda path: path.headers):
        inside = []
        expression = tables.test(entry.pattern, draft)
        indent = INDENT if expression is None else INDENT * 2
        for name, value in entry.path.headers.items():
            if value is None:
                inside += text.call(indent, "res.delete_header(", [text.string(name)])
            else:
                arguments = [text.string(name), text.string(value)]
                inside += text.call(indent, "res.set_header(", arguments)
        head = [] if expression is None else tables.condition(INDENT, expression)
        body += [found.note(INDENT, entry, "headers"), *head, *inside]
    return body
