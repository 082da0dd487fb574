"""Pages of ``golden/rules``: files of rules, and what comes of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from zeroserve._core import Error
from zeroserve.config import emit, file, interpret, rules
from zeroserve.config.lines import Mistake
from zeroserve.config.model import Rules
from zeroserve.config.review import review
from zeroserve.script.files import file_exists, looking
from zeroserve.script.request import Arrived
from zeroserve.testing import Client

PAGES = Path(__file__).resolve().parent.parent / "golden" / "rules"

BLOCK = re.compile(r"^```(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MADE = ("errors", "check", "answers", "script")
"""Blocks that are results, in their order behind those that are given."""

FIXED = {"date", "connection", "etag", "last-modified", "accept-ranges", "x-content-type-options"}
"""Headers that say nothing here, unless rules set them."""

HOST = "localhost"


def blocks(page: Path) -> dict[str, str]:
    """The blocks of a page by their names."""
    return {found[1]: found[2] for found in BLOCK.finditer(page.read_text("utf-8"))}


def build(page: Path, site: Path) -> None:
    """The site of a page: each file holds its own name."""
    given = blocks(page)
    for name in given["files"].split():
        page = site / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"{name}\n")
    for name in rules.FILES:
        if name in given:
            (site / name).write_text(given[name])
    if "dialect" in given:
        (site / ".zeroserve").mkdir()
        (site / ".zeroserve/zeroserve.toml").write_text(f'rules = "{given["dialect"].strip()}"\n')


def made(page: Path, site: Path) -> dict[str, str]:
    """The blocks that are results."""
    given = blocks(page)
    build(page, site)
    dialect = rules.dialect_of(file.of_directory(str(site)))
    reading = rules.read(lambda name: rules.bytes_of(str(site / name)), dialect)
    has = _has(given["files"].split())
    with looking(has):
        remarks = review(reading.rules, file_exists)
    notes = [f"{name}:{one.line}: note: {one.message}" for name, one in reading.notes]
    notes += [f"{one.origin}: {one.severity}: {one.text}" for one in remarks]
    result = {"check": _lines(notes)}
    if reading.mistakes:
        result["errors"] = _lines([_mistake(name, one) for name, one in reading.mistakes])
        return _present(result)
    source = rules.source(str(site))
    if source is None:
        return _present({**result, "script": ""})
    assert source == emit.script(reading.rules)
    result["script"] = source
    wanted = given.get("requests", "").splitlines()
    clients = [Client(site, engine=engine) for engine in ("native", "cpython")]
    answers = [[_answer(client, line, reading.rules, has) for line in wanted] for client in clients]
    assert answers[0] == answers[1], "compiled and in CPython"
    return _present({**result, "answers": "\n".join(answers[0])})


def written(page: Path, results: dict[str, str]) -> str:
    """The page with these results."""
    text = page.read_text("utf-8")
    for name in MADE:
        text = re.sub(rf"^```{name}\n.*?^```\n\n?", "", text, flags=re.MULTILINE | re.DOTALL)
    parts = [text.rstrip("\n") + "\n"]
    parts += [f"```{name}\n{results[name]}```\n" for name in MADE if name in results]
    return "\n".join(parts)


def _present(results: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in results.items() if text}


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _mistake(name: str, one: Mistake) -> str:
    hint = f"\n  hint: {one.hint}" if one.hint else ""
    return f"{name}:{one.line}:{one.column}: {one.message}{hint}"


def _has(names: list[str]) -> Callable[[str], bool]:
    def has(name: str) -> bool:
        index = f"{name.removesuffix('/')}/index.html".removeprefix("/")
        return name in names or index in names

    return has


def _answer(client: Client, line: str, found: Rules, has: Callable[[str], bool]) -> str:
    """What a request gets, in lines."""
    target, _, rest = line.partition(" ")
    pairs = [field.partition(": ") for field in rest.split("|") if field]
    fields = {name.lower(): value for name, _, value in pairs}
    sent = {"host": HOST, **fields}
    req = Arrived(
        "GET",
        target,
        [(name, value.encode()) for name, value in sent.items()],
        b"",
        scheme="http",
        peer=("127.0.0.1", 1),
        http_version="1.1",
        tls=(None, None, None),
        client_ip="127.0.0.1",
    )
    with looking(has):
        verdict = interpret.decide(found.redirects, req, file_exists)
    origin = f" ({verdict.rule.origin})" if verdict else ""
    if verdict is not None and verdict.rule.is_proxy:
        return f"{line}\n  passed on as {verdict.url}{origin}\n"  # nobody is there to answer
    try:
        answer = client.request("GET", target, sent)
    except Error as error:
        return f"{line}\n  {error}\n"
    own = {change.name.lower() for change in interpret.headers(found.blocks, req)}
    shown = [f"{line}", f"  {answer.status}{origin}"]
    for name in answer.headers:
        is_own = name in own
        if name in FIXED | {"content-length", "content-type"} and not is_own:
            continue
        shown += [f"  {name}: {value}" for value in answer.headers.getlist(name)]
    shown += [f"  no {name}" for name in sorted(own - set(answer.headers))]
    body = answer.text().strip()
    if body:
        shown.append(f"  > {body}")
    return "\n".join(shown) + "\n"
