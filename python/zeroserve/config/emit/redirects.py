"""The phase of `_redirects`: redirects, rewrites, proxies and errors."""

import http
from collections.abc import Sequence

from zeroserve._core import Error
from zeroserve.config.emit import text
from zeroserve.config.emit.draft import Draft, Phase
from zeroserve.config.emit.match import MAX_LITERAL_CHARS, Match, literal, variable_name
from zeroserve.config.emit.stages import Stage, stages
from zeroserve.config.emit.text import INDENT
from zeroserve.config.interpret import may_begin_with_slash, names_pages
from zeroserve.config.model import REDIRECTS, REWRITE, Rule, local_path
from zeroserve.config.pattern import Hole, Pieces

MOST_IN_A_ROW = 16
"""Patterns compared one after another; more are told apart by the first part of the path."""

MAX_PATTERNS = 1000
"""All of them are code, and most have an expression of the 1,024 that a script may have."""

WITH_QUERY = '''
def with_query(url: str, query: str) -> str:
    """The URL with the query of the request, unless it has one of its own."""
    if not query or "?" in url:
        return url
    url, mark, fragment = url.partition("#")
    return f"{url}?{query}{mark}{fragment}"
'''

ESCAPED = '''
def escaped(text: str, safe: str = "/!$&'()*+,:;=@") -> str:
    """Part of a decoded path, as it stands in a URL."""
    try:
        return quote(text, safe)
    except UnicodeEncodeError:  # bytes that are not UTF-8
        data = text.encode("utf-8", "surrogateescape")
        return quote(data.decode("utf-8", "replace"), safe)
'''

AS_VALUE = '''
def as_value(text: str) -> str:
    """A value, as it stands in a query."""
    return escaped(text, "")
'''

LANGUAGE = '''
def language(req: Request) -> str:
    """What the client wants most, like ``de-at``; empty when it does not say."""
    best, weight = "", 0
    for choice in (req.header("accept-language") or "").split(","):
        name, _, q = choice.partition(";")
        found = WEIGHT.fullmatch(q.strip())
        number = 1000
        if found is not None:
            number = int(found.group(1) + (found.group(2) or "").ljust(3, "0"))
        if number > weight:
            best, weight = name.strip().lower(), number
    return best
'''

SPEAKS = '''
def speaks(req: Request, languages: tuple[str, ...]) -> bool:
    """Whether what the client wants most is one of these."""
    wanted = language(req)
    return wanted in languages or wanted.partition("-")[0] in languages
'''


HAS_COOKIE = '''
def has_cookie(req: Request, names: tuple[str, ...]) -> bool:
    """Whether one of these cookies is there."""
    return any(req.cookie(name) is not None for name in names)
'''


def emit(rules: Sequence[Rule], draft: Draft) -> None:
    """Give the draft what it takes to apply these rules."""
    if not rules:
        return
    _Emitter(draft).emit(rules)


class _Emitter:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._body: list[str] = []
        self._mixed = False
        """Whether files go before some rows of tables, and not before others."""

    def emit(self, rules: Sequence[Rule]) -> None:
        plan = stages(rules)
        tabled = [rule for stage in plan if stage.kind != "code" for rule in stage.rules]
        self._mixed = len({rule.yields for rule in tabled}) > 1
        for stage in plan:
            if stage.kind == "exact":
                self._exact(stage)
            elif stage.kind == "prefix":
                self._prefixes(stage)
            else:
                self._code(stage)
        body = self._body
        if not body[-1].startswith(f"{INDENT}return "):
            body.append(f"{INDENT}return None")
        guarded = any(map(names_pages, rules))
        start = [f"{INDENT}path = req.path"] if guarded or any("path" in li for li in body) else []
        if guarded:
            start.append(f'{INDENT}if "/../" in path + "/":  # leads out of the site')
            start.append(f"{INDENT * 2}return None")
        body[:0] = start
        doc = "The first rule that applies decides."
        self._draft.request(Phase.REDIRECTS, "redirects", doc, body)

    def _exact(self, stage: Stage) -> None:
        """A table of paths."""
        rules = stage.rules
        table = self._table("REDIRECTS", {rule.pattern.exact or "": rule for rule in rules})
        self._body.append(f"{INDENT}row = {table}.get(path)")
        self._found(rules)

    def _prefixes(self, stage: Stage) -> None:
        """A table of directories: the one nearest to the path."""
        rules = stage.rules
        table = self._table("DIRECTORIES", {rule.pattern.prefix or "": rule for rule in rules})
        nearest = directory_lookup(
            self._draft, table, [rule.pattern.prefix or "" for rule in rules]
        )
        self._body.append(f"{INDENT}directory = {nearest}")
        self._body.append(f"{INDENT}row = {table}.get(directory)")
        holes = any(_holes(rule.target) for rule in rules)
        self._found(rules, holes=holes)

    def _table(self, name: str, rules: dict[str, Rule]) -> str:
        lines = []
        for key, rule in rules.items():
            parts = [text.string(_target(rule)), str(rule.status)]
            if self._mixed:
                parts.append(str(rule.yields))
            value = f"({', '.join(parts)})"
            lines += text.entry(text.string(key), value, str(rule.origin), parts)
        kind = "tuple[str, int, bool]" if self._mixed else "tuple[str, int]"
        return self._draft.constant(name, [f": dict[str, {kind}] = {{", *lines, "}"])

    def _found(self, rules: Sequence[Rule], *, holes: bool = False) -> None:
        """What becomes of a row of a table; ``holes``: there is a ``:splat`` in some."""
        yields = {rule.yields for rule in rules}
        test = "row is not None"
        names = "target, status"
        body = []
        if yields == {True} and not self._mixed:
            self._draft.use("file_exists")
            test += " and not file_exists(path)"
        self._body.append(f"{INDENT}if {test}:")
        indent = INDENT * 2
        if self._mixed:
            self._draft.use("file_exists")
            names += ", yields"
        body.append(f"{indent}{names} = row")
        if self._mixed:
            body.append(f"{indent}if not yields or not file_exists(path):")
            indent += INDENT
        if holes:
            self._draft.import_from("urllib.parse", "quote")
            self._draft.helper("escaped", ESCAPED)
            body.append(f"{indent}splat = path.removeprefix(directory)")
            if any(rule.status not in REDIRECTS for rule in rules):
                body.append(f"{indent}if status in (301, 302, 303, 307, 308):")
                body.append(f"{indent}{INDENT}splat = escaped(splat)")
            else:
                body.append(f"{indent}splat = escaped(splat)")
            body.append(f'{indent}target = target.replace(":splat", splat)')
        body += self._decide({rule.status for rule in rules}, rules, indent)
        self._body += body

    def _decide(self, statuses: set[int], rules: Sequence[Rule], indent: str) -> list[str]:
        """Return what ``target`` and ``status`` stand for."""
        body = []
        own = [status for status in statuses if status not in REDIRECTS]
        if any(not rule.target for rule in rules):
            self._draft.use("Response")
            reasons = {s: reason(s) for s in sorted(own) if s != REWRITE}
            rows = [f"{INDENT}{s}: {text.string(words)}," for s, words in reasons.items()]
            table = self._draft.constant("REASONS", [" = {", *rows, "}"])
            body.append(f"{indent}if not target:")
            body.append(
                f'{indent}{INDENT}return Response(status, f"{{status}} {{{table}[status]}}\\n")'
            )
        if own:
            self._draft.use("send_file")
            if statuses <= REDIRECTS | set(own) and statuses & REDIRECTS:
                body.append(f"{indent}if status == 200 or status >= 400:")
                body.append(f"{indent}{INDENT}return send_file(target, status)")
            else:
                body.append(f"{indent}return send_file(target, status)")
        if statuses & REDIRECTS:
            self._redirects()
            body.append(f"{indent}return redirect(with_query(target, req.query), status)")
        return body

    def _redirects(self) -> None:
        self._draft.use("redirect")
        self._draft.helper("with_query", WITH_QUERY)

    def _code(self, stage: Stage) -> None:
        if len(stage.rules) > MAX_PATTERNS:
            raise Error(
                f"_redirects: more than {MAX_PATTERNS:,} rules that are neither for one path nor "
                "for one directory",
                "patterns are compared one after another: write /old/* in place of many of them",
            )
        run: list[Rule] = []
        for rule in stage.rules:
            ends = rule.pattern.segment is None or (rule.status == REWRITE and not rule.target)
            if not ends:
                run.append(rule)
                continue
            self._run(run)
            self._body += self._rule(rule, INDENT)
            run = []
        self._run(run)

    def _run(self, rules: list[Rule]) -> None:
        """Rules each of which is for paths with one first part: those of others do not matter."""
        if len(rules) <= MOST_IN_A_ROW:
            for rule in rules:
                self._body += self._rule(rule, INDENT)
            return
        sections: dict[str, list[Rule]] = {}
        for rule in rules:
            sections.setdefault(rule.pattern.segment or "", []).append(rule)
        numbers: dict[str, int] = {}
        calls: list[list[str]] = []
        together: list[Rule] = []
        for name, own in sections.items():
            if together and len(together) + len(own) > MOST_IN_A_ROW:
                calls.append(self._functions(together))
                together = []
            numbers[name] = len(calls) + 1
            together += own
        calls.append(self._functions(together))
        rows = [
            line
            for name, number in numbers.items()
            for line in text.entry(text.string(name), str(number), "")
        ]
        table = self._draft.constant("SECTIONS", [" = {", *rows, "}"])
        function = self._draft.free("by_section")
        lines = [
            f"def {function}(req: Request, path: str) -> Response | None:",
            f'{INDENT}"""The rules for paths with this first part."""',
            f'{INDENT}match {table}.get(path[1:].partition("/")[0], 0):',
        ]
        for number, some in enumerate(calls, 1):
            lines.append(f"{INDENT * 2}case {number}:")
            lines += _first_of(INDENT * 3, some)
        lines.append(f"{INDENT}return None")
        self._draft.helper(function, "\n".join(lines))
        self._body += [
            f"{INDENT}answer = {function}(req, path)",
            f"{INDENT}if answer is not None:",
            f"{INDENT * 2}return answer",
        ]

    def _functions(self, rules: list[Rule]) -> list[str]:
        """Calls of functions with some of these rules in each."""
        calls = []
        for start in range(0, len(rules), MOST_IN_A_ROW):
            name = self._draft.free("section")
            body = [
                line
                for rule in rules[start : start + MOST_IN_A_ROW]
                for line in self._rule(rule, INDENT)
            ]
            head = f"def {name}(req: Request, path: str) -> Response | None:"
            self._draft.helper(name, "\n".join([head, *body, f"{INDENT}return None"]))
            calls.append(f"{name}(req, path)")
        return calls

    def _rule(self, rule: Rule, indent: str) -> list[str]:
        wanted = _holes(rule.target)
        match = Match(rule.pattern, wanted, self._draft, indent)
        tests, values = match.tests, match.values
        self._conditions(rule, tests, values, wanted)
        if rule.yields:
            self._draft.use("file_exists")
            tests.append("not file_exists(path)")
        lines = [text.comment(indent, f"{rule.origin}: {rule.text}"), *match.before]
        inner = indent + INDENT if tests else indent
        if tests:
            lines += text.condition(indent, tests)
        setup = [f"{inner}{line}" for line in match.setup]
        return [*lines, *setup, *self._action(rule, values, inner)]

    def _conditions(
        self, rule: Rule, tests: list[str], values: dict[str, str], wanted: set[str]
    ) -> None:
        for parameter in rule.query:
            given = f"req.query_param({literal(parameter.name, self._draft)})"
            if parameter.value is not None:
                tests.append(f"{given} == {literal(parameter.value, self._draft)}")
            elif parameter.hole in wanted:
                variable = f"query_{variable_name(parameter.hole or '')}"
                values[parameter.hole or ""] = variable
                tests.append(f"({variable} := {given}) is not None")
            else:
                tests.append(f"{given} is not None")
        if rule.languages:
            self._draft.import_from("re")
            self._draft.constant_once(
                "WEIGHT", [r' = re.compile(r"q=([01])(?:\.([0-9]{0,3}))?", re.IGNORECASE)']
            )
            self._draft.helper("language", LANGUAGE)
            self._draft.helper("speaks", SPEAKS)
            tests.append(f"speaks(req, {self._tuple('LANGUAGES', rule.languages)})")
        if rule.cookies:
            self._draft.helper("has_cookie", HAS_COOKIE)
            tests.append(f"has_cookie(req, {self._tuple('COOKIES', rule.cookies)})")

    def _tuple(self, name: str, items: Sequence[str]) -> str:
        """A tuple of words: as it is, or a constant when it is long."""
        words = [text.string(item) for item in items]
        inside = ", ".join(words) + ("," if len(words) == 1 else "")
        if len(inside) <= MAX_LITERAL_CHARS:
            return f"({inside})"
        constant = self._draft.free(name)
        lines = [f" = ({inside})"]
        if len(constant + lines[0]) > text.WIDTH:
            lines = [" = (", *(f"{INDENT}{word}," for word in words), ")"]
        return self._draft.constant_like(constant, lines)

    def _action(self, rule: Rule, values: dict[str, str], indent: str) -> list[str]:
        if rule.is_proxy:
            return self._proxy(rule, values, indent)
        if rule.status in REDIRECTS:
            self._redirects()
            url = self._url(rule, rule.target, values)
            status = str(rule.status)
            if rule.query:
                self._draft.use("redirect")
                return text.call(indent, "return redirect(", [url, status])
            line = f"{indent}return redirect(with_query({url}, req.query), {status})"
            if len(line) <= text.WIDTH:
                return [line]
            ending = f"{indent}return redirect(with_query(target, req.query), {status})"
            return [*text.assign(indent, "target", url), ending]
        if not rule.target:
            if rule.status == REWRITE:
                return [f"{indent}return None"]
            self._draft.use("Response")
            words = text.string(f"{rule.status} {reason(rule.status)}\n")
            return text.call(indent, "return Response(", [str(rule.status), words])
        self._draft.use("send_file")
        page = text.formatted(local_path(rule.target), values)
        more = [] if rule.status == REWRITE else [str(rule.status)]
        return text.call(indent, "return send_file(", [page, *more])

    def _proxy(self, rule: Rule, values: dict[str, str], indent: str) -> list[str]:
        self._draft.use("proxy")
        origin, rest = split_url(rule.target)
        url = self._url(rule, rest, values)
        asked = "{}"
        if not rule.query:
            self._draft.helper("with_query", WITH_QUERY)
            asked = "with_query({}, req.query)"
        lines = [f"{indent}req.rewrite({asked.format(url)})"]
        if len(lines[0]) > text.WIDTH:
            ending = f"{indent}req.rewrite({asked.format('target')})"
            lines = [*text.assign(indent, "target", url), ending]
        if self._draft.asked_as is not None:
            lines.insert(0, f"{indent}req.meta[{text.string(self._draft.asked_as)}] = req.path")
        return [*lines, *text.call(indent, "return proxy(", [text.formatted(origin, values)])]

    def _url(self, rule: Rule, target: Pieces, values: dict[str, str]) -> str:
        """A target with what was found in the request, as an expression."""
        given: dict[str, str] = {}
        pieces: list[str | Hole] = []
        behind_query = False
        for index, piece in enumerate(target):
            if isinstance(piece, str):
                behind_query = behind_query or "?" in piece
                pieces.append(piece)
                continue
            self._draft.import_from("urllib.parse", "quote")
            self._draft.helper("escaped", ESCAPED)
            if behind_query:
                self._draft.helper("as_value", AS_VALUE)
            how = "as_value" if behind_query else "escaped"
            value = values[piece.name]
            if target[:index] == ("/",) and may_begin_with_slash(rule, piece.name):
                value += '.lstrip("/")'  # two slashes would lead to another site
            if '"' in value:
                value = value.replace('"', "'")
            place = Hole(f"{index}")  # one name can stand in a path and in a query
            pieces.append(place)
            given[place.name] = f"{how}({value})"
        return text.formatted(tuple(pieces), given)


def directory_lookup(draft: Draft, table: str, directories: Sequence[str]) -> str:
    """An expression for the directory of a table that is nearest to ``path``."""
    depth = max(directory.count("/") for directory in directories) - 1
    root = "/" in directories
    if depth == 1 and not root:
        return 'path[: path.find("/", 1) + 1]'
    name = draft.free(f"nearest_of_{table.lower()}")
    source = f'''
def {name}(path: str) -> str:
    """The directory of the table that is nearest to a path; empty without one."""
    found, end = {'"/"' if root else '""'}, 0
    for _ in range({depth}):  # none in the table is deeper
        end = path.find("/", end + 1)
        if end < 0:
            break
        if path[: end + 1] in {table}:
            found = path[: end + 1]
    return found
'''
    draft.helper(name, source)
    return f"{name}(path)"


def _first_of(indent: str, calls: list[str]) -> list[str]:
    line = f"{indent}return {' or '.join(calls)}"
    if len(line) <= text.WIDTH:
        return [line]
    first, *rest = calls
    deeper = indent + INDENT
    lines = [f"{indent}return (", deeper + first, *(f"{deeper}or {one}" for one in rest)]
    return [*lines, f"{indent})"]


def reason(status: int) -> str:
    """The phrase of a status; a plain word for one that has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def split_url(target: Pieces) -> tuple[Pieces, Pieces]:
    """Scheme and host of a URL, and what follows."""
    first = target[0]
    assert isinstance(first, str)
    before: list[str | Hole] = []
    for index, piece in enumerate(target):
        if isinstance(piece, str):
            start = piece.index("://") + 3 if index == 0 else 0
            slash = min(
                (at for at in (piece.find("/", start), piece.find("?", start)) if at >= 0),
                default=-1,
            )
            if slash >= 0:
                path = piece[slash:]
                start_of_path = "/" + path if path.startswith("?") else path
                return (*before, piece[:slash]), (start_of_path, *target[index + 1 :])
        before.append(piece)
    return tuple(before), ("/",)


def _target(rule: Rule) -> str:
    """For a row of a table: as it is written in the file."""
    local = rule.target if rule.status in REDIRECTS else local_path(rule.target)
    return "".join(p if isinstance(p, str) else f":{p.name}" for p in local)


def _holes(target: Pieces) -> set[str]:
    return {piece.name for piece in target if isinstance(piece, Hole)}
