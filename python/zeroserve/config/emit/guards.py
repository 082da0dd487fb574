"""The phases of who may ask, how often, and with what: path tables of `zeroserve.toml`."""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence

from zeroserve.config.emit import text
from zeroserve.config.emit.draft import Draft, Phase, first_of
from zeroserve.config.emit.tables import (
    PLAIN,
    Entry,
    Tables,
    block,
    condition,
    guarded,
    guards_first,
    looked_at,
    spread,
    test,
    uses,
)
from zeroserve.config.emit.text import INDENT
from zeroserve.config.paths import BasicAuth, RateLimit
from zeroserve.config.values import VARIABLE

MOST_AT_ONCE = 64
"""Networks that one loop goes through: the compiler writes it out."""

FEWEST_TABLED = 32
"""Networks become a table from this number on; fewer are gone through."""

NUMBER = '''
def number(ip: str) -> int:
    """An address of IPv4 as a number; -1 for another."""
    return -1 if ":" in ip else int.from_bytes(ip_address(ip).packed, "big")
'''

MOST_MEANT = 8
"""Patterns that are looked at before addresses are read."""

TRIES_PER_MINUTE = 20
"""Wrong passwords of one client."""

NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
"""Verified for who does not exist, so that the time does not tell who does."""

CLIENT = '''
def client(req: Request) -> str:
    """The client's address; one of IPv4 that comes as IPv6 as what it is."""
    ip = req.client_ip
    return ip.removeprefix("::ffff:") if "." in ip else ip
'''

BUCKET = '''
def bucket(req: Request) -> str:
    """What a client is counted by: IPv6 addresses have 64 bits that it can choose."""
    ip = client(req)
    return ip_address(ip).packed[:8].hex() if ":" in ip else ip
'''

SAME = '''
def same(req: Request, value: str | None) -> str:
    """Who sends the same header is one client; without it, the address counts."""
    if value is None:
        return bucket(req)
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
'''

FORBIDDEN = """
def forbidden() -> Response:
    return Response(403, "forbidden\\n", headers={"Cache-Control": "no-store"})
"""

UNREADABLE = '''
def is_unreadable(req: Request) -> bool:
    """Whether a path could not be decoded, so that nobody can tell what it leads to."""
    path = req.path
    if path != req.raw_path:
        return False
    return "%" in path or ("/.." in path and "/../" in path + "/")
'''

CREDENTIALS = '''
def credentials(header: str) -> tuple[str, str]:
    """Name and password of an Authorization header; empty if it has none."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        data = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return "", ""
    name, _, password = data.partition(":")
    return name, password
'''

CHALLENGE = '''
def challenge(realm: str) -> Response:
    """What makes a browser ask for a password."""
    value = f'Basic realm="{realm}", charset="UTF-8"'
    headers = {"WWW-Authenticate": value, "Cache-Control": "no-store"}
    return Response(401, "sign in\\n", headers=headers)
'''

SIGN_IN = f'''
def sign_in(req: Request, realm: str, password: str, hash: str) -> Response | None:
    """Ask for a password, unless it is the right one."""
    who = f"{{bucket(req)}} {{int(time.time()) // 60}}"
    if wrong.get(who, 0) >= {TRIES_PER_MINUTE}:
        headers = {{"Retry-After": "60", "Cache-Control": "no-store"}}
        return Response(429, "too many tries\\n", headers=headers)
    # A name that nobody has takes as long as others.
    is_right = verify_password(password, hash or NOBODY)
    if is_right and hash:
        return None
    wrong.add(who, 1)
    return challenge(realm)
'''


def emit(found: Tables, draft: Draft) -> None:
    """Give the draft what the guards of these tables take."""
    asked = [
        _addresses(found.having(lambda path: path.deny or path.allow), found, draft),
        _rates(found.having(lambda path: path.rate_limit), found, draft),
        _auth(found.having(lambda path: path.basic_auth is not None), found, draft),
        _methods(found.having(lambda path: path.methods is not None), found, draft),
        _bodies(found.having(lambda path: path.max_body is not None), found, draft),
    ]
    calls = [call for call in asked if call is not None]
    if not calls:
        return
    draft.use("Request", "Response")
    draft.helper("is_unreadable", UNREADABLE)
    body = [
        f"{INDENT}if is_unreadable(req):",
        f'{INDENT * 2}return Response(400, "the path can\'t be decoded\\n")',
    ]
    if any("key" in call for call in calls):
        draft.helper("plain", PLAIN)
        body.append(f"{INDENT}key = plain(req.path)")
    doc = "Who may ask, how often, and with what; the first answer counts."
    draft.request(Phase.GUARDS, "guards", doc, [*body, *first_of(calls)])


def _guard(draft: Draft, name: str, doc: str, body: list[str], first: Sequence[str] = ()) -> str:
    """A function of one kind of guards; returns how it is called. ``first``: its first lines."""
    has_key = uses("key", [*first, *body])
    parameters = "req: Request, key: str" if has_key else "req: Request"
    arguments = "req, key" if has_key else "req"

    def before(lines: list[str]) -> list[str]:
        return [*looked_at([*first, *lines], draft), *first]

    signature = (parameters, arguments, "Response | None")
    lines = spread(draft, name, signature, before, body)
    head = f"def {name}({parameters}) -> Response | None:"
    draft.helper(name, "\n".join([head, f'{INDENT}"""{doc}"""', *lines]))
    return f"{name}({arguments})"


def _behind(entry: Entry, draft: Draft, inside: list[str]) -> list[str]:
    expression = guarded(entry.pattern, draft)
    if expression is None:
        return [line.removeprefix(INDENT) for line in inside]
    return [*condition(INDENT, expression), *inside]


# --- addresses ------------------------------------------------------------------------------------


def networks(draft: Draft, name: str, given: Sequence[str]) -> list[str]:
    """Expressions, one of which is true when `address` is in one of these networks."""
    versions = [ipaddress.ip_network(one) for one in given]
    fours = [one for one in versions if isinstance(one, ipaddress.IPv4Network)]
    sixes = [one for one in versions if isinstance(one, ipaddress.IPv6Network)]
    merged = [
        *map(str, ipaddress.collapse_addresses(fours)),
        *map(str, ipaddress.collapse_addresses(sixes)),
    ]
    found = []
    if len(merged) > FEWEST_TABLED:
        tabled = list(ipaddress.collapse_addresses(fours))
        merged = [one for one in merged if ":" in one]
        found += _tabled(draft, name, tabled)
    for at in range(0, len(merged), MOST_AT_ONCE):
        rows = [f'{INDENT}ip_network("{one}"),' for one in merged[at : at + MOST_AT_ONCE]]
        alone = f" = ({rows[0].strip()})"
        constant = draft.constant_like(name, [alone] if len(rows) == 1 else [" = (", *rows, ")"])
        found.append(f"any(address in network for network in {constant})")
    if any("any(" in one for one in found):
        draft.import_from("ipaddress", "ip_network")
    return found


def _tabled(draft: Draft, name: str, given: list[ipaddress.IPv4Network]) -> list[str]:
    """Networks of IPv4 by the bits that they have: one look for each length of these."""
    draft.helper("number", NUMBER)
    found = []
    for length in sorted({one.prefixlen for one in given}):
        shift = 32 - length
        rows = [
            f'{INDENT}{int(one.network_address) >> shift}: "{one}",'
            for one in given
            if one.prefixlen == length
        ]
        constant = draft.constant_like(f"{name}_{length}", [" = {", *rows, "}"])
        found.append(f"number(ip) >> {shift} in {constant}")
    return found


def _addresses(entries: list[Entry], found: Tables, draft: Draft) -> str | None:
    if not entries:
        return None
    draft.import_from("ipaddress", "ip_address")
    draft.helper("client", CLIENT)
    draft.helper("forbidden", FORBIDDEN)
    body: list[str] = []
    for entry in entries:
        inside: list[str] = []
        deeper = INDENT * 2
        for name, given, word in (
            ("DENIED", entry.path.deny, ""),
            ("ALLOWED", entry.path.allow, "not "),
        ):
            if given:
                tests = networks(draft, name, given)
                if word:
                    inside += _if(deeper, [f"not {one}" for one in tests], "and")
                else:
                    inside += _if(deeper, tests, "or")
                inside.append(f"{deeper}{INDENT}return forbidden()")
        body += [found.note(INDENT, entry), *_behind(entry, draft, inside)]
    meant = [guarded(entry.pattern, draft) for entry in entries]
    first: list[str] = []
    if None not in meant and len(meant) <= MOST_MEANT:
        # Most requests are for other paths, and addresses take some reading.
        listed = _listed([one for one in meant if one is not None], draft)
        first = [f"{INDENT}if not {listed}:", f"{INDENT * 2}return None"]
    first += [
        f"{INDENT}ip = client(req)",
        f'{INDENT}if ip == "":',
        f"{INDENT * 2}return forbidden()  # a Unix socket: nobody knows who that is",
    ]
    if any("address in" in line for line in body):
        first.append(f"{INDENT}address = ip_address(ip)")
    return _guard(draft, "addresses", "Who may not come.", body, first)


def _listed(meant: list[str], draft: Draft) -> str:
    """A function that says whether a list is for a path; returns how it is called."""
    body: list[str] = []
    for expression in meant:
        body += [*condition(INDENT, expression), f"{INDENT * 2}return True"]
    parameters = "req: Request, key: str" if uses("key", body) else "req: Request"
    head = [
        f"def is_listed({parameters}) -> bool:",
        f'{INDENT}"""Whether a list of addresses is for this path."""',
    ]
    lines = [*head, *looked_at(body, draft), *body, f"{INDENT}return False"]
    draft.helper("is_listed", "\n".join(lines))
    return f"is_listed({', '.join(one.split(':')[0] for one in parameters.split(', '))})"


def _if(indent: str, tests: list[str], word: str) -> list[str]:
    line = f"{indent}if {f' {word} '.join(tests)}:"
    if len(line) <= text.WIDTH:
        return [line]
    first, *rest = tests
    deeper = indent + INDENT
    return [
        f"{indent}if (",
        deeper + first,
        *(f"{deeper}{word} {one}" for one in rest),
        f"{indent}):",
    ]


# --- rates ----------------------------------------------------------------------------------------


def use_bucket(draft: Draft) -> None:
    """Have the function that says what a client is counted by."""
    draft.import_from("ipaddress", "ip_address")
    draft.helper("client", CLIENT)
    draft.helper("bucket", BUCKET)


def _rates(entries: list[Entry], found: Tables, draft: Draft) -> str | None:
    if not entries:
        return None
    use_bucket(draft)
    draft.use("rate_limit")
    body: list[str] = []
    for entry in guards_first(entries):
        rate = entry.path.rate_limit
        assert rate is not None
        who = "bucket(req)"
        if rate.by != "address":
            draft.import_from("hashlib")
            draft.helper("same", SAME)
            who = f"same(req, req.header({text.string(rate.by.partition(' ')[2])}))"
        inside = _counted(f"{found.script} {_short(entry.pattern)}", who, rate)
        body += [found.note(INDENT, entry, "rate_limit"), *_behind(entry, draft, inside)]
    return _guard(draft, "limited", "Who asks too often has to wait.", body)


def _short(pattern: str) -> str:
    """A pattern, or its hash when it is long: keys of counts are short."""
    fits = len(pattern.encode()) <= 100 and pattern.isascii() and not set(pattern) & set('"\\{}')
    return pattern if fits else hashlib.sha256(pattern.encode()).hexdigest()[:16]


def _counted(name: str, who: str, rate: RateLimit) -> list[str]:
    given = {unit: getattr(rate, unit) for unit in ("per_second", "per_minute", "per_hour")}
    limits = [f"{unit}={count}" for unit, count in given.items() if count]
    wait = {"per_second": 1, "per_minute": 60, "per_hour": 3600}
    after = min(wait[unit] for unit, count in given.items() if count)
    deeper = INDENT * 2
    return [
        f"{deeper}who = {who}",
        *text.call(deeper, "if not rate_limit(", [f'f"{name} {{who}}"', *limits], "):"),
        *text.call(
            deeper + INDENT,
            "return Response(",
            ["429", '"too many requests\\n"', f'headers={{"Retry-After": "{after}"}}'],
        ),
    ]


# --- passwords ------------------------------------------------------------------------------------


def _auth(entries: list[Entry], found: Tables, draft: Draft) -> str | None:
    if not any(isinstance(entry.path.basic_auth, BasicAuth) for entry in entries):
        return None
    use_bucket(draft)
    draft.use("Table", "verify_password")
    for module in ("base64", "time"):
        draft.import_from(module)
    draft.constant_once("wrong", [" = Table(str, int, max_entries=65536)"])
    draft.constant_once("NOBODY", text.assign("", "", text.string(NOBODY)))
    draft.helper("credentials", CREDENTIALS)
    draft.helper("challenge", CHALLENGE)
    draft.helper("sign_in", SIGN_IN)
    body: list[str] = []
    for entry in guards_first(entries):
        auth = entry.path.basic_auth
        if isinstance(auth, BasicAuth):
            inside = _asked(auth, draft)
            body += [found.note(INDENT, entry, "basic_auth"), *_behind(entry, draft, inside)]
            if guarded(entry.pattern, draft) is None:
                break
        else:
            inside = [f"{INDENT * 2}return None"]
            body += [found.note(INDENT, entry, "basic_auth"), *block(entry.pattern, draft, inside)]
            if test(entry.pattern, draft) is None:
                break
    return _guard(draft, "authenticated", "The narrowest pattern says who may come.", body)


def _asked(auth: BasicAuth, draft: Draft) -> list[str]:
    deeper = INDENT * 2
    realm = text.string(auth.realm)
    plain = {name: one for name, one in auth.users.items() if not VARIABLE.fullmatch(one)}
    variables = {name: one[2:-1] for name, one in auth.users.items() if name not in plain}
    lines = [
        f'{deeper}header = req.header("authorization")',
        f"{deeper}if header is None:",
        f"{deeper}{INDENT}return challenge({realm})",
        f"{deeper}name, password = credentials(header)",
    ]
    if plain:
        constant = draft.constant_like("HASHES", [" = {", *_rows(plain), "}"])
        lines.append(f'{deeper}hash = {constant}.get(name, "")')
    else:
        lines.append(f'{deeper}hash = ""')
    if variables:
        draft.use("env")
        constant = draft.constant_like("HASHES_IN", [" = {", *_rows(variables), "}"])
        lines += [
            f"{deeper}if name in {constant}:",
            f'{deeper}{INDENT}hash = env({constant}[name]) or ""',
        ]
    call = text.call(deeper, "return sign_in(", ["req", realm, "password", "hash"])
    return [*lines, *call]


def _rows(values: dict[str, str]) -> Iterable[str]:
    for name, value in values.items():
        yield f"{INDENT}{text.string(name)}: {text.string(value)},"


# --- what comes -----------------------------------------------------------------------------------


def _methods(entries: list[Entry], found: Tables, draft: Draft) -> str | None:
    if not entries:
        return None
    body: list[str] = []
    for entry in guards_first(entries):
        allowed = list(dict.fromkeys(entry.path.methods or ()))
        if "GET" in allowed and "HEAD" not in allowed:
            allowed.insert(allowed.index("GET") + 1, "HEAD")
        listed = ", ".join(text.string(one) for one in allowed)
        inside = [
            f"{INDENT * 2}if req.method in ({listed}{',' if len(allowed) == 1 else ''}):",
            f"{INDENT * 3}return None",
            *text.call(
                INDENT * 2,
                "return Response(",
                [
                    "405",
                    '"method not allowed\\n"',
                    f'headers={{"Allow": {text.string(", ".join(allowed))}}}',
                ],
            ),
        ]
        body += [found.note(INDENT, entry, "methods"), *_behind(entry, draft, inside)]
        if guarded(entry.pattern, draft) is None:
            break
    return _guard(draft, "methods", "The narrowest pattern says what may be done.", body)


def _bodies(entries: list[Entry], found: Tables, draft: Draft) -> str | None:
    if not entries:
        return None
    body: list[str] = []
    ordered = guards_first(entries)
    for entry in ordered:
        inside = [f"{INDENT * 2}req.limit_body({entry.path.max_body})"]
        if entry is not ordered[-1]:
            inside.append(f"{INDENT * 2}return None")
        body += [found.note(INDENT, entry, "max_body"), *_behind(entry, draft, inside)]
        if guarded(entry.pattern, draft) is None:
            break
    return _guard(draft, "bodies", "The narrowest pattern says how much may come.", body)
