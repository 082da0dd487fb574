"""The model done directly, its script in CPython and the compiled script agree."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import rules_cases
from zeroserve._core import Error
from zeroserve.config import emit, headers, interpret, redirects
from zeroserve.config.model import REDIRECTS, Dialect, Rules
from zeroserve.script import Request
from zeroserve.script.files import file_exists, looking, site_path
from zeroserve.script.request import Arrived
from zeroserve.script.response import Response
from zeroserve.testing import Client

EXAMPLES = int(os.environ.get("ZEROSERVE_EXAMPLES", "40"))

CASES = st.tuples(
    rules_cases.redirects,
    rules_cases.headers,
    st.lists(rules_cases.requests(), min_size=6, max_size=6),
    st.sampled_from(["cloudflare", "netlify"]),
)


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as where:
        for name, text in rules_cases.FILES.items():
            file = Path(where, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (Path(where) / ".zeroserve" / "scripts").mkdir(parents=True)
        yield Path(where)


def request(target: str, sent: dict[str, str]) -> Request:
    """A request as the server gives it to scripts: nothing of it is checked."""
    return Arrived(
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


def has(name: str) -> bool:
    """What the site has, as the server looks it up."""
    index = f"{name.removesuffix('/')}/index.html".removeprefix("/")
    return name in rules_cases.FILES or index in rules_cases.FILES


def model(redirect_lines: str, header_lines: str, dialect: Dialect) -> Rules:
    """What can be understood of files of which some lines are bad."""
    rules, _ = redirects.read(redirect_lines.encode(), dialect)
    blocks, _ = headers.read(header_lines.encode(), dialect)
    return Rules(dialect, tuple(rules), tuple(blocks), ())


def said(rules: Rules, req: Request) -> tuple[Any, ...]:
    """What the model makes of a request."""
    verdict = interpret.decide(rules.redirects, req, file_exists)
    if verdict is None or (verdict.rule.status == 200 and not verdict.url):
        return ()
    status = verdict.rule.status
    if status in REDIRECTS:
        return "redirect", status, verdict.url
    if verdict.rule.is_proxy:
        return "proxy", verdict.url
    return ("page", status, site_path(verdict.url)) if verdict.url else ("words", status)


def done(answer: Response | None, req: Request) -> tuple[Any, ...]:
    """The same of what a script has answered."""
    if answer is None:
        return ()
    if answer.upstream is not None:
        return "proxy", answer.upstream + req.raw_path + ("?" + req.query if req.query else "")
    if answer.file is not None:
        return "page", answer.status, site_path(answer.file)
    if answer.header("location") is not None:
        return "redirect", answer.status, answer.header("location")
    return "words", answer.status


def changed(rules: Rules, req: Request) -> dict[str, list[str]]:
    """Headers of a response that had two, after the blocks."""
    found = {"x-b": ["own"], "cache-control": ["own"]}
    for change in interpret.headers(rules.blocks, req):
        before = found.pop(change.name.lower(), []) if change.beside else []
        found.pop(change.name.lower(), None)
        if change.value is not None:
            found[change.name.lower()] = [*before, change.value]
    return found


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=CASES)
def test_three_engines_agree(site: Path, case: Any) -> None:
    redirect_lines, header_lines, requests, dialect = case
    rules = model(redirect_lines, header_lines, dialect)
    if not rules:
        return
    source = emit.script(rules)
    shown = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", "-"],
        input=source.encode(),
        capture_output=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout.decode()
    script: dict[str, Any] = {}
    exec(compile(source, "50-rules.py", "exec"), script)
    proxied = set()
    with looking(has):
        for target, sent in requests:
            req = request(target, sent)
            wanted = said(rules, req)
            proxied |= {target} if wanted[:1] == ("proxy",) else set()
            headers_wanted = changed(rules, req)
            if rules.redirects:
                assert done(script["redirects"](req), req) == wanted, (target, source)
            res = Response(200, headers={"X-B": "own", "Cache-Control": "own"})
            if any(block.fields for block in rules.blocks):
                script["headers"](request(target, sent), res)
                rows = [(n.lower(), v.decode()) for n, v in res._fields]
                got: dict[str, list[str]] = {}
                for name, value in rows:
                    got.setdefault(name, []).append(value)
                got.pop("content-type")
                assert got == headers_wanted, (target, source)
    # Nobody is there to answer for another server.
    compiled(site, source, rules, [case for case in requests if case[0] not in proxied])


def compiled(site: Path, source: str, rules: Rules, requests: list[Any]) -> None:
    """The same script compiled, and in CPython, behind the same pipeline."""
    (site / ".zeroserve/scripts/50-rules.py").write_text(source)
    try:
        clients = [Client(site, engine=engine) for engine in ("native", "cpython")]
    except Error as error:
        raise AssertionError(f"{error}\n{source}") from None
    for target, sent in requests:
        native, cpython = (client.request("GET", target, sent) for client in clients)
        seen = [(r.status, dict(r.headers), r.body) for r in (native, cpython)]
        for _, fields, _ in seen:
            fields.pop("date")
        assert seen[0] == seen[1], (target, source)
        with looking(has):
            wanted = said(rules, request(target, sent))
        if wanted[:1] == ("redirect",):
            assert (native.status, native.headers["location"]) == wanted[1:], (target, source)
