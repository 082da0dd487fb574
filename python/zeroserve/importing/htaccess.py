"""``.htaccess``: what Apache reads in each directory; here it is that at the root of the site."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from zeroserve._core import Error
from zeroserve.importing import htaccess_auth, patterns
from zeroserve.importing.patterns import Pattern, Unknown
from zeroserve.importing.result import Imported, Place, Redirect
from zeroserve.words import quoted

MAX_LINES = 20_000

WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')

TRANSPARENT = frozenset({"ifmodule", "ifversion", "ifdefine"})
"""Blocks whose inside counts: what they ask for is taken to be there."""

NOT_WHO = ("HTTP_USER_AGENT", "HTTP_REFERER", "REQUEST_METHOD", "QUERY_STRING", "THE_REQUEST")

STATUSES = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}

UNITS = {
    "second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
    "year": 31_536_000,
}  # fmt: skip

EXTENSIONS = {
    "text/css": ("css",), "text/javascript": ("js", "mjs"), "application/javascript": ("js", "mjs"),
    "application/x-javascript": ("js",), "image/png": ("png",), "image/jpeg": ("jpg", "jpeg"),
    "image/jpg": ("jpg", "jpeg"), "image/gif": ("gif",), "image/svg+xml": ("svg",),
    "image/webp": ("webp",), "image/avif": ("avif",), "image/x-icon": ("ico",),
    "image/vnd.microsoft.icon": ("ico",), "font/woff": ("woff",), "font/woff2": ("woff2",),
    "application/font-woff": ("woff",), "application/font-woff2": ("woff2",),
    "font/ttf": ("ttf",), "font/otf": ("otf",), "text/html": ("html", "htm"),
    "application/json": ("json",), "application/pdf": ("pdf",), "text/xml": ("xml",),
    "application/xml": ("xml",), "application/rss+xml": ("rss",), "video/mp4": ("mp4",),
    "video/webm": ("webm",), "audio/mpeg": ("mp3",), "application/wasm": ("wasm",),
    "text/plain": ("txt",), "application/manifest+json": ("webmanifest",),
}  # fmt: skip
"""Names of files by media type, for rules that go by the type."""


class Line(NamedTuple):
    """One directive."""

    name: str
    """In lower case."""
    args: tuple[str, ...]
    text: str
    place: Place


@dataclass
class Reading:
    """What is known when a line is read."""

    found: Imported
    scopes: list[tuple[Pattern, ...]] = field(default_factory=lambda: [(Pattern("/*"),)])
    conditions: list[Line] = field(default_factory=list)
    auth: list[Line] = field(default_factory=list)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """What lines are about at the moment."""
        return self.scopes[-1]

    @property
    def everywhere(self) -> bool:
        """Whether that is the whole site."""
        return len(self.scopes) == 1


def read(path: str, text: str) -> Imported:
    """What an .htaccess says; raises ``Error`` when it has too many lines."""
    if text.count("\n") > MAX_LINES:
        raise Error(f"{quoted(path)} has more than {MAX_LINES:,} lines")
    reading = Reading(Imported())
    skipped: list[str] = []
    open_blocks: list[tuple[str, int]] = []
    for line in _lines(path, text):
        name = line.name
        if name.startswith("</"):
            kind = name[2:].rstrip(">")
            if skipped:
                skipped.pop()
            elif open_blocks and open_blocks[-1][0] == kind:
                del reading.scopes[open_blocks.pop()[1] :]
            else:
                reading.found.leave(line.place, line.text, "it closes nothing")
        elif name.startswith("<"):
            kind = name[1:].rstrip(">")
            if skipped or not _enter(kind, line, reading):
                skipped.append(kind)
            else:
                before = len(reading.scopes) - (kind not in TRANSPARENT)
                open_blocks.append((kind, before))
        elif not skipped:
            _directive(line, reading)
        else:
            htaccess_auth.unsaid(line, reading.found)
    htaccess_auth.translate(reading.auth, reading.found)
    return reading.found


def _lines(path: str, text: str) -> Iterator[Line]:
    """Directives, with lines that go on joined."""
    before, start = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        start = start or number
        joined = before + raw.rstrip("\r")
        if joined.endswith("\\") and len(joined) < 8192:
            before = joined[:-1]
            continue
        stripped = joined.strip()
        place = Place(path, start)
        before, start = "", 0
        if stripped and not stripped.startswith("#"):
            words = list(_words(stripped))
            yield Line(words[0].lower(), tuple(words[1:]), stripped, place)


def _words(text: str) -> Iterator[str]:
    for one in WORD.finditer(text):
        quoted_text = one[1] if one[1] is not None else one[2]
        if quoted_text is None:
            yield one[3]
        else:
            yield quoted_text.replace('\\"', '"').replace("\\'", "'")


def _enter(kind: str, line: Line, reading: Reading) -> bool:
    """Go into a block; whether its inside can be said."""
    text = line.text.removesuffix(">").rstrip()
    args = list(_words(text))[1:]
    if kind in TRANSPARENT:
        return True
    try:
        if kind == "filesmatch" and len(args) == 1:
            reading.scopes.append(_matching(args[0]))
            return True
        if kind == "files" and args[:1] == ["~"] and len(args) == 2:
            reading.scopes.append(_matching(args[1]))
            return True
        if kind == "files" and len(args) == 1 and args[0].count("*") <= 1 and "?" not in args[0]:
            name = args[0]
            if "*" in name:
                reading.scopes.append((Pattern("/*" + name.partition("*")[2]),))
                if not name.startswith("*"):
                    raise Unknown("a `*` that does not begin a name")
            else:
                plain = patterns.path(f"/{name}")
                reading.scopes.append((Pattern(plain), Pattern(f"/*{plain}")))
            return True
        raise Unknown("no counterpart")
    except Unknown as error:
        reading.found.leave(line.place, line.text, f"{error.args[0]}, nor has what is inside")
        return False


def _matching(expression: str) -> tuple[Pattern, ...]:
    """Patterns for names of files that match, in whatever directory."""
    plain = expression.removeprefix("(?i)")
    if plain.startswith("^"):
        raise Unknown("no pattern says how a name begins")
    return tuple(patterns.check(one) for one in patterns.of_regex(plain))


# --- directives -----------------------------------------------------------------------------------


def _directive(line: Line, reading: Reading) -> None:
    if line.name in htaccess_auth.DIRECTIVES:
        if reading.everywhere:
            reading.auth.append(line)
        else:
            htaccess_auth.of_files(line, reading.patterns, reading.found)
        return
    handler = HANDLERS.get(line.name)
    if handler is None:
        reading.found.leave(line.place, line.text, "no counterpart")
    else:
        handler(line, reading)


def _redirect(line: Line, reading: Reading) -> None:
    status, args = 302, list(line.args)
    if line.name in ("redirectpermanent", "redirecttemp"):
        status = 301 if line.name == "redirectpermanent" else 302
    elif args and (args[0].lower() in STATUSES or args[0].isdigit()):
        word = args.pop(0).lower()
        status = STATUSES.get(word) or int(word[:4])
    if status >= 400 and len(args) == 1:
        return _refuse(line, f"^{re.escape(args[0])}(/.*)?$", reading)
    if not reading.everywhere or len(args) != 2 or status not in (301, 302, 303, 307, 308):
        return reading.found.leave(line.place, line.text, "not a redirect of a path to a place")
    source, to = args
    try:
        plain = patterns.path(source)
        target = _place(to)
        below = plain if plain.endswith("/") else f"{plain}/"
        if below != plain:
            _rule(reading, Pattern(plain), target, status, line)
        _rule(reading, Pattern(f"{below}*"), target.rstrip("/") + "/:splat", status, line)
    except Unknown as error:
        reading.found.leave(line.place, line.text, str(error.args[0]))
    return None


def _place(to: str) -> str:
    if "$" in to or "%{" in to:
        raise Unknown("variables have no counterpart")
    return patterns.target(to, Pattern("/"), {})


def _redirect_match(line: Line, reading: Reading) -> None:
    args, status = list(line.args), 302
    if args and (args[0].lower() in STATUSES or args[0].isdigit()):
        word = args.pop(0).lower()
        status = STATUSES.get(word) or int(word[:4])
    if status >= 400 and len(args) == 1:
        return _refuse(line, args[0], reading)
    if not reading.everywhere or len(args) != 2 or status not in (301, 302, 303, 307, 308):
        return reading.found.leave(line.place, line.text, "not a redirect of a path to a place")
    try:
        for pattern in patterns.of_regex(args[0]):
            target = patterns.target(args[1], patterns.check(pattern), {})
            _rule(reading, pattern, target, status, line)
    except Unknown as error:
        reading.found.leave(line.place, line.text, str(error.args[0]))
    return None


def _rule(
    reading: Reading, pattern: Pattern, target: str, status: int, line: Line, *, force: bool = True
) -> None:
    if target == pattern.text:
        raise Unknown("it leads to itself")
    if pattern.nearly:
        reading.found.note(line.place, line.text, "also where nothing stands for .+")
    reading.found.redirects.append(Redirect(pattern.text, target, status, force, line.place))


def _condition(line: Line, reading: Reading) -> None:
    reading.conditions.append(line)


def _rewrite(line: Line, reading: Reading) -> None:
    conditions, reading.conditions = reading.conditions, []
    if len(line.args) not in (2, 3) or not reading.everywhere:
        return reading.found.leave(line.place, line.text, "not a pattern, a place and flags")
    expression, to = line.args[:2]
    flags = _flags(line.args[2] if len(line.args) == 3 else "")
    if _missing_files(conditions) and expression in (".", "^", ".*", "^(.*)$", "(.*)", "^.*$"):
        return _fallback(line, to, reading)
    if _sends_to_https(conditions, to):
        return reading.found.note(line.place, line.text, "serve with --redirect-https")
    if conditions:
        why = "rules have no conditions: write a script"
        refuses = {"f", "g"} & set(flags)
        if refuses and not all(one.args[:1] and _is_not_who(one.args[0]) for one in conditions):
            return _refuse(line, expression, reading, rooted=False)
        for one in (*conditions, line):
            reading.found.leave(one.place, one.text, why)
        return None
    remote = to.startswith(("http://", "https://"))
    known = {"l", "r", "nc", "qsa", "ne", "end", "f", "g", "p", "qsd", "last", "nosubreq"}
    strange = [flag for flag in flags if flag not in known]
    if strange:
        return reading.found.leave(line.place, line.text, f"no counterpart for [{strange[0]}]")
    if "f" in flags or "g" in flags:
        return _forbid(line, expression, reading)
    redirects = "r" in flags or (remote and "p" not in flags)
    word = flags.get("r", "") if redirects else "200"
    status = STATUSES.get(word) or (int(word[:4]) if word.isdigit() else 302)
    if status not in (200, 301, 302, 303, 307, 308) or to == "-":
        return reading.found.leave(line.place, line.text, "not a status of a rule")
    if "nc" in flags:
        reading.found.note(line.place, line.text, "upper and lower case are told apart")
    try:
        for pattern in patterns.of_regex(expression, rooted=False):
            plain = to.removesuffix("?")
            rooted = plain if remote or plain.startswith("/") else f"/{plain}"
            target = patterns.target(rooted, patterns.check(pattern), {})
            _rule(reading, pattern, target, status, line)
    except Unknown as error:
        reading.found.leave(line.place, line.text, str(error.args[0]))
    return None


def _flags(text: str) -> dict[str, str]:
    words = text.strip().removeprefix("[").removesuffix("]").split(",")
    pairs = (word.strip().lower().partition("=") for word in words)
    return {name: value for name, _, value in pairs if name}


def _missing_files(conditions: list[Line]) -> bool:
    tests = {one.args[1].lower() for one in conditions if len(one.args) == 2}
    subjects = {one.args[0].upper() for one in conditions if one.args}
    plain = all(len(one.args) == 2 for one in conditions)
    return plain and "!-f" in tests and tests <= {"!-f", "!-d", "!-l"} and subjects <= {
        "%{REQUEST_FILENAME}", "%{DOCUMENT_ROOT}%{REQUEST_URI}"
    }  # fmt: skip


def _sends_to_https(conditions: list[Line], to: str) -> bool:
    asked = {" ".join(one.args[:2]).lower() for one in conditions}
    plain = {"%{https} off", "%{https} !=on", "%{https} !on", "%{server_port} 80"}
    forwarded = "%{http:x-forwarded-proto} !https"
    return (
        bool(asked)
        and asked <= {*plain, forwarded}
        and to.lower().startswith(("https://%{http_host}", "https://%{server_name}"))
    )


def _fallback(line: Line, to: str, reading: Reading) -> None:
    try:
        page = patterns.path(to if to.startswith("/") else f"/{to}")
    except Unknown as error:
        return reading.found.leave(line.place, line.text, str(error.args[0]))
    if not page.endswith((".html", ".htm")):
        return reading.found.leave(line.place, line.text, "not a page: its program has to run")
    reading.found.settings["spa"] = page
    reading.found.note(line.place, line.text, "missing files that have an extension stay 404")
    return None


def _fallback_resource(line: Line, reading: Reading) -> None:
    to = line.args[0] if len(line.args) == 1 else ""
    if to != "disabled":
        _fallback(line, to, reading)


def _is_not_who(text: str) -> bool:
    """Whether a condition looks at what anybody can send: it keeps nobody in particular away."""
    return text.strip("%{}").upper() in NOT_WHO


def _refuse(line: Line, expression: str, reading: Reading, *, rooted: bool = True) -> None:
    """What is refused in a way that has no counterpart stays refused."""
    why = "an answer of its own, or under conditions: write a script"
    try:
        found = [patterns.check(one) for one in patterns.of_regex(expression, rooted=rooted)]
    except Unknown:
        found = [Pattern("/*")]
    for pattern in found:
        reading.found.close(pattern.text, line.place, line.text, why)


def _forbid(line: Line, expression: str, reading: Reading) -> None:
    try:
        for pattern in patterns.of_regex(expression, rooted=False):
            patterns.check(pattern)
            reading.found.path(pattern.text, line.place, {"deny": ["0.0.0.0/0", "::/0"]})
    except Unknown as error:
        reading.found.close("/*", line.place, line.text, str(error.args[0]))


def _header(line: Line, reading: Reading) -> None:
    args = [word for at, word in enumerate(line.args) if at or word.lower() not in CONDITIONS]
    action = args[0].lower() if args else ""
    name = args[1].removesuffix(":") if len(args) > 1 else ""
    value = args[2] if len(args) > 2 else ""
    if action == "unset" and len(args) == 2:
        fields: list[tuple[str, str | None]] = [(name, None)]
    elif action in ("set", "append", "merge", "add", "setifempty") and len(args) == 3:
        if "%{" in value or "%D" in value or "%t" in value:
            return reading.found.leave(line.place, line.text, "variables have no counterpart")
        fields = [(name, None), (name, value)] if action == "set" else [(name, value)]
    else:
        return reading.found.leave(line.place, line.text, "no counterpart")
    if action == "set" and reading.everywhere:
        fields = fields[1:]
    for pattern in reading.patterns:
        reading.found.header(pattern.text, line.place, fields)
    return None


CONDITIONS = ("always", "onsuccess")


def _error_document(line: Line, reading: Reading) -> None:
    code, page = line.args if len(line.args) == 2 else ("", "")
    good = code.isascii() and code.isdigit() and 400 <= int(code[:4]) <= 599
    if not good or not page.startswith("/") or not reading.everywhere:
        return reading.found.leave(line.place, line.text, "an error page is a file of the site")
    try:
        plain = patterns.path(page)
    except Unknown as error:
        return reading.found.leave(line.place, line.text, str(error.args[0]))
    reading.found.settings.setdefault("error_pages", {})[code] = plain
    return None


def _options(line: Line, reading: Reading) -> None:
    for word in line.args:
        if word.lower() in ("-indexes", "+indexes", "indexes"):
            if reading.everywhere:
                reading.found.settings["listing"] = not word.startswith("-")
        elif word.lower().lstrip("+-") not in (
            "followsymlinks",
            "symlinksifownermatch",
            "multiviews",
        ):
            reading.found.leave(line.place, f"Options {word}", "no counterpart")


def _index(line: Line, reading: Reading) -> None:
    if line.args[:1] != ("index.html",):
        first = line.args[0] if line.args else ""
        reading.found.note(line.place, line.text, f"serve with --index {first}")


def _type(line: Line, reading: Reading) -> None:
    kind, endings = line.args[:1], line.args[1:]
    try:
        for ending in endings:
            pattern = patterns.path("/x." + ending.lstrip(".")).removeprefix("/x")
            reading.found.header(
                f"/*{pattern}", line.place, [("Content-Type", None), ("Content-Type", kind[0])]
            )
    except Unknown as error:
        reading.found.leave(line.place, line.text, str(error.args[0]))
    if not endings:
        reading.found.leave(line.place, line.text, "not a type and endings")


def _expires(line: Line, reading: Reading) -> None:
    by_type = line.name == "expiresbytype"
    kind = line.args[0].lower() if by_type and line.args else ""
    time = " ".join(line.args[1:] if by_type else line.args)
    seconds = age(time)
    endings = EXTENSIONS.get(kind)
    if seconds is None or (by_type and endings is None):
        why = (
            "not a time that can be said" if seconds is None else "no ending is known of this type"
        )
        return reading.found.leave(line.place, line.text, why)
    value = f"max-age={seconds}" if seconds else "no-cache"
    where = [f"/*.{ending}" for ending in endings or ()]
    if by_type and "html" in (endings or ()):
        where.append("/*/")
    for pattern in where or [one.text for one in reading.patterns]:
        fields: list[tuple[str, str | None]] = [("Cache-Control", value)]
        if by_type:
            fields.insert(0, ("Cache-Control", None))
        reading.found.header(pattern, line.place, fields)
    return None


def age(text: str) -> int | None:
    """Seconds of ``access plus 1 month`` or ``A2592000``; None for what can't be said."""
    if re.fullmatch(r"[Aa]\d{1,10}", text):
        return int(text[1:])
    words = text.lower().replace("plus", "").split()
    if not words or words[0] not in ("access", "now"):
        return None
    total = 0
    rest = words[1:]
    if len(rest) % 2:
        return None
    for number, unit in zip(rest[::2], rest[1::2], strict=True):
        seconds = UNITS.get(unit.removesuffix("s"))
        if seconds is None or not re.fullmatch(r"\d{1,9}", number, re.ASCII):
            return None
        total += int(number) * seconds
    return total


def _nothing(line: Line, reading: Reading) -> None:
    """What zeroserve does in any case, or what turns on what is read here anyway."""


HANDLERS: dict[str, Callable[[Line, Reading], None]] = {
    "redirect": _redirect,
    "redirectpermanent": _redirect,
    "redirecttemp": _redirect,
    "redirectmatch": _redirect_match,
    "rewritecond": _condition,
    "rewriterule": _rewrite,
    "fallbackresource": _fallback_resource,
    "header": _header,
    "errordocument": _error_document,
    "options": _options,
    "directoryindex": _index,
    "addtype": _type,
    "expiresbytype": _expires,
    "expiresdefault": _expires,
    **dict.fromkeys(
        (
            "rewriteengine", "rewritebase", "expiresactive", "serversignature", "fileetag",
            "adddefaultcharset", "addcharset", "addencoding", "addoutputfilterbytype",
            "setoutputfilter", "browsermatch", "indexignore", "indexoptions", "acceptpathinfo",
        ),
        _nothing,
    ),
}  # fmt: skip
