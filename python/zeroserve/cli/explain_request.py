"""``zeroserve explain SITE METHOD PATH``: what became of a request, and why."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from zeroserve import sdk
from zeroserve._core import Site
from zeroserve.cli import explain_rules
from zeroserve.cli.flags import Options, UsageError
from zeroserve.cli.sources import Sources
from zeroserve.scripts import DIRECTORY
from zeroserve.server import configuration, loaded
from zeroserve.testing import encode
from zeroserve.words import plural, printable, quoted

MAX_VALUE_CHARS = 200
"""Of a header field or other value that changed."""


def run(options: Options, site: str, method: str, path: str) -> int:
    """Send the request and print what there is to say; returns the exit code."""
    try:
        request = encode(method, path, options.header or (), options.data)
    except ValueError as error:
        raise UsageError(str(error)) from None
    plugins: list[str] = options.plugin or []
    opened = Site(
        site,
        index=options.index,
        try_html=options.try_html,
        scripts=loaded(site, plugins),
        # Machine code keeps no record of lines; it uses the same fuel.
        interpreted=True,
        configure=configuration(site),
    )
    answer, record = _explained(opened, request, lines=options.trace)
    decided = list(explain_rules.lines(site, opened, method, path, options.header or ()))
    head, _, body = answer.partition(b"\r\n\r\n")
    response = head.decode("latin-1").splitlines()
    if options.json:
        import json

        whole = {"request": {"method": method, "path": path}, **record}
        whole["response"] = _response(response, body)
        whole["rules"] = decided
        lines: Iterable[str] = [json.dumps(whole, ensure_ascii=False)]
    else:
        folders = [os.path.dirname(plugin) for plugin in plugins]  # noqa: PTH120
        report = _report(record, response, body, Sources(_folder(site), *folders))
        lines = [*(f"rule {line}" for line in decided), *report]
    for line in lines:
        sys.stdout.write(line + "\n")
    return 0


def _explained(site: Site, request: bytes, *, lines: bool) -> tuple[bytes, dict[str, Any]]:
    import json

    answer, text = site.explain(request, lines=lines)
    record: dict[str, Any] = json.loads(text)
    return answer, record


def _folder(site: str) -> str:
    """Where the sources of a site's own scripts lie, if they do."""
    if os.path.isdir(site):  # noqa: PTH112
        return os.path.join(site, DIRECTORY)  # noqa: PTH118
    return os.path.dirname(site)  # noqa: PTH120


def _response(head: list[str], body: bytes) -> dict[str, Any] | None:
    if not head:
        return None
    fields = [line.partition(": ") for line in head[1:]]
    return {
        "status": int(head[0].split()[1]),
        "headers": [[name, value] for name, _, value in fields],
        "body_bytes": len(body),
    }


def _report(
    record: dict[str, Any], response: list[str], body: bytes, sources: Sources
) -> Iterator[str]:
    lines: dict[int, list[tuple[str, int]]] = {}
    for number, file, line in record["trace"] or ():
        own = lines.setdefault(number, [])
        # What the SDK's own functions do by the way is no line of the script.
        if file != sdk.HEADER_NAME and own[-1:] != [(file, line)]:
            own.append((file, line))
    for number, function in enumerate(record["functions"]):
        yield from _function(function, lines.get(number, []), sources)
    if record["functions_left_out"]:
        yield f"and {plural(record['functions_left_out'], 'more call')}"
    if record["trace_left_out"]:
        yield f"and {plural(record['trace_left_out'], 'more line')}"
    if not record["functions"]:
        yield "no script ran"
    elif len(record["functions"]) > 1:
        yield f"fuel of all: {record['fuel']:,}"
    yield f"decision: {_decision(record)}"
    yield ""
    if not response:
        yield "no response: the connection is closed"
        return
    yield from map(printable, response)
    yield ""
    yield f"{plural(len(body), 'byte')} of body"


def _function(
    function: dict[str, Any], lines: list[tuple[str, int]], sources: Sources
) -> Iterator[str]:
    indent = "  " * function["depth"]
    name, place = printable(function["function"]), printable(function["section"])
    yield (
        f"{indent}{printable(function['script'])}: {name} in {place}: "
        f"{_result(function['result'])}, fuel {function['fuel']:,}"
    )
    for change in function["changes"]:
        yield f"{indent}  {_change(change)}"
    for file, line in lines:
        text = sources.text(file, line)
        yield f"{indent}    {printable(file)}:{line}{': ' + text if text else ''}"


def _change(change: dict[str, str | None]) -> str:
    what, before, after = printable(change["what"] or ""), change["from"], change["to"]
    if before is None:
        return f"{what}: {_short(after)}"
    if after is None:
        return f"{what} removed, was {_short(before)}"
    return f"{what}: {_short(before)} -> {_short(after)}"


def _short(value: str | None) -> str:
    text = value or ""
    return printable(text if len(text) <= MAX_VALUE_CHARS else text[:MAX_VALUE_CHARS] + "...")


def _result(result: dict[str, Any]) -> str:
    match result["kind"]:
        case "responded":
            return f"responded {result['status']}, {plural(result['bytes'], 'byte')}"
        case "proxied":
            return f"passed on to {_short(result['url'])}"
        case "file":
            return f"sent the file {_short(result['path'])} with {result['status']}"
        case "listing":
            return f"listed {_short(result['path'])}"
        case "aborted":
            return "closed the connection"
        case "trapped":
            place = f" at {printable(result['file'])}:{result['line']}" if result["file"] else ""
            return f"stopped{place}: {printable(result['reason'])}"
        case other:
            return str(other)


def _decision(record: dict[str, Any]) -> str:
    decision, entry = record["decision"], record["entry"]
    if decision["kind"] == "trapped":
        # Where is said above, unless it could not even begin.
        return f"500, script {quoted(decision['script'])} {_result(decision)}"
    if entry is None:
        return _result(decision)
    coded = f", {entry['coding']} variant" if entry["coding"] else ""
    return f"file {quoted(entry['name'])}{coded}"
