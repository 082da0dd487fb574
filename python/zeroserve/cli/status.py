"""``zeroserve status``: what a running server serves, and how much."""

import sys
import time
from collections.abc import Iterator
from typing import Any

from zeroserve._core import Error
from zeroserve.admin import ask
from zeroserve.cli.flags import Options
from zeroserve.words import plural, printable, size

Status = dict[str, Any]


def run(options: Options) -> int:
    """Print the state of the server; returns the exit code."""
    status = ask(options.admin, "/status")
    if "sites" not in status:
        raise Error(f"no admin listener of zeroserve: {options.admin}")
    if options.json:
        import json

        sys.stdout.write(json.dumps(status, ensure_ascii=False) + "\n")
    elif sys.stdout.isatty():
        _show(status)
    else:
        for line in _plain(status):
            sys.stdout.write(printable(line) + "\n")
    return 0


def _plain(status: Status) -> Iterator[str]:
    """Lines without decoration, the same wherever they go."""
    yield _summary(status)
    for listener in status["listeners"]:
        yield f"listening on {listener['url']}"
    for site in status["sites"]:
        yield f"site {site['name']}: {site['path']}"
        for row in _rows(site):
            yield "  generation " + ", ".join(row)
    for pool in status["pools"]:
        yield f"pool {_pool(pool)}"
        for row in _upstreams(pool):
            yield "  upstream " + ", ".join(row)
    yield from _notes(status)


def _show(status: Status) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(printable(_summary(status))))
    for listener in status["listeners"]:
        console.print(Text(f"listening on {printable(listener['url'])}"))
    for site in status["sites"]:
        table = Table(title=Text(printable(site["name"])), title_justify="left")
        for heading in ("generation", "state", "opened", "entries", "size", "scripts"):
            table.add_column(heading)
        for row, generation in zip(_rows(site), site["generations"], strict=True):
            style = "bold" if generation["in_force"] else ""
            table.add_row(*(Text(printable(cell)) for cell in row), style=style)
        console.print(table)
    for pool in status["pools"]:
        table = Table(title=Text(printable(f"pool {_pool(pool)}")), title_justify="left")
        for heading in ("upstream", "state", "under way", "requests", "failed"):
            table.add_column(heading)
        for row in _upstreams(pool):
            table.add_row(*(Text(printable(cell)) for cell in row))
        console.print(table)
    for note in _notes(status):
        console.print(Text(printable(note)))


def _summary(status: Status) -> str:
    workers = status["workers"]
    requests = sum(worker["requests"] for worker in workers)
    connections = sum(worker["connections"] for worker in workers)
    state = "draining" if status["draining"] else "serving"
    return (
        f"zeroserve {status['version']}, pid {status['pid']}, {state} for "
        f"{_span(status['uptime_s'])}: {plural(len(workers), 'worker')}, "
        f"{plural(requests, 'request')}, {plural(connections, 'open connection')}"
    )


def _rows(site: Status) -> Iterator[tuple[str, ...]]:
    for generation in site["generations"]:
        held = generation["bytes"]
        yield (
            str(generation["number"]),
            "in force" if generation["in_force"] else "kept",
            _time(generation["loaded_at"]),
            plural(generation["entries"], "entry", "entries"),
            generation["kind"] if held is None else size(held),
            " ".join(generation["scripts"]) or "no scripts",
        )


def _pool(pool: Status) -> str:
    notes = [pool["name"], f"of {pool['site']}" if pool["site"] else ""]
    notes.append(f"({plural(pool['waiting'], 'request')} waiting)" if pool["waiting"] else "")
    notes.append("(circuit breaker open)" if pool["breaker_open"] else "")
    return " ".join(filter(None, notes))


def _upstreams(pool: Status) -> Iterator[tuple[str, ...]]:
    for one in pool["upstreams"]:
        error = one["last_error"]
        why = f": {error['message']}" if error and one["state"] != "up" else ""
        yield (
            one["url"] + (" (backup)" if one["backup"] else ""),
            one["state"] + why,
            f"{one['in_flight']:,} under way",
            plural(one["requests"], "request"),
            f"{sum(one['failures'].values()):,} failed",
        )


def _notes(status: Status) -> Iterator[str]:
    for one in status["certificates"]:
        yield f"certificate {', '.join(one['names'])}, expires {_time(one['expires_at'])}"
    for warning in status["warnings"]:
        entry = f"{warning['entry']}: " if warning["entry"] else ""
        yield f"warning: {entry}{warning['message']}"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _span(seconds: float) -> str:
    whole = int(seconds)
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if whole >= unit:
            return plural(whole // unit, name)
    return plural(whole, "second")
