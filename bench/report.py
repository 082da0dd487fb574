"""Results as tables, and as files: JSON with all rounds, Markdown, and a chart."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.chart import chart
from bench.compare import NOISY, Comparison
from bench.load import Round
from bench.machine import Machine
from bench.proxies import DIRECT, Proxied
from bench.scripts import INSIDE, Inside, Scripted
from bench.startup import Startup
from bench.stats import Spread, spread
from bench.table import Table
from bench.targets import Target

if TYPE_CHECKING:
    from bench.compute import Computed


def _figure(value: Spread | None, digits: int, scale: float = 1.0) -> str:
    """Median and, when there was more than one round, minimum and maximum."""
    if value is None:
        return "-"
    if value.min == value.max:
        return f"{value.median / scale:,.{digits}f}"
    low, high = value.min / scale, value.max / scale
    return f"{value.median / scale:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def _cpu_us(one: Round) -> float:
    return one.cpu_us_per_request


# Column, digits after the point, factor, value of a round.
FIGURES: tuple[tuple[str, int, float, Callable[[Round], float]], ...] = (
    ("CPU µs/request", 2, 1, _cpu_us),
    ("requests/s", 0, 1, lambda one: one.requests_per_second),
    ("p50 µs", 0, 1, lambda one: one.p50_us),
    ("p99 µs", 0, 1, lambda one: one.p99_us),
    ("server busy %", 0, 0.01, lambda one: one.server_busy),
    ("client busy %", 0, 0.01, lambda one: one.client_busy),
)
# Only these are worth a range; the others would make the table too wide to read.
WITH_RANGE = {"CPU µs/request", "requests/s"}


def compare_tables(result: Comparison) -> list[Table]:
    """One table per size, then memory, then the rounds that do not count."""
    tables = []
    for size in result.sizes:
        table = Table(size, ("server", *(name for name, *_ in FIGURES)))
        for server in result.servers:
            if not any((one.server, one.size) == (server, size) for one in result.rounds):
                continue
            row = [server]
            for name, digits, scale, value in FIGURES:
                figure = result.over_rounds(server, size, value)
                if figure and name not in WITH_RANGE:
                    figure = Spread(figure.median, figure.median, figure.median)
                row.append(_figure(figure, digits, scale))
            table.rows.append(tuple(row))
        if table.rows:
            tables.append(table)
    tables.append(_memory_table(result))
    if invalid := result.invalid():
        table = Table("Invalid rounds", ("server", "size", "round", "why"), left=4)
        table.rows = [(i.server, i.size, str(i.round), "; ".join(i.problems)) for i in invalid]
        tables.append(table)
    return tables


def noise(result: Comparison) -> str | None:
    """What to say of rounds that other programs disturbed, if there were any."""
    if not (noisy := result.noisy()):
        return None
    return (
        f"in {len(noisy)} of {len(result.rounds)} loads other programs or the hypervisor took "
        f"more than {NOISY:.0%} of the server's core"
    )


def _memory_table(result: Comparison) -> Table:
    columns = ("server", "version", "PSS MB", "RSS MB")
    table = Table("Resident memory after the load of a round, all processes", columns, left=2)
    for name, facts in result.servers.items():
        pss = _figure(spread(memory.pss for memory in facts.memory), 1, 1e6)
        rss = _figure(spread(memory.rss for memory in facts.memory), 1, 1e6)
        table.rows.append((name, facts.version, pss, rss))
    return table


def startup_table(result: Startup) -> Table:
    """One row per archive."""
    columns = ("entries", "made by", "archive MB", "made in s", "listening s", "first byte s")
    memory = ("RSS MB", "of it anonymous MB", "RSS bytes/entry")
    table = Table("From process start to the first byte served", columns + memory, left=2)
    for case in result.cases:
        each = result.bytes_per_entry(case)
        table.rows.append(
            (
                f"{case.entries:,}",
                "zeroserve pack" if case.maker == "pack" else "GNU tar",
                f"{case.archive_bytes / 1e6:,.1f}",
                f"{case.make_s:.1f}",
                _figure(spread(start.listening_s for start in case.starts), 3),
                _figure(case.first_byte_s(), 3),
                _figure(case.rss(), 1, 1e6),
                _figure(spread(start.memory.anonymous for start in case.starts), 1, 1e6),
                "" if each is None else f"{each:,.0f}",
            )
        )
    return table


def target_table(targets: list[Target]) -> Table:
    """Measured against promised."""
    table = Table("Targets", ("what", "measured", "target", "status", "of"), left=1)
    for one in targets:
        unit = f" {one.unit}" if one.unit else ""
        measured = "-" if one.measured is None else f"{_three_digits(one.measured)}{unit}"
        limit = f"{'≤' if one.at_most else '≥'} {one.limit:g}{unit}"
        table.rows.append((one.what, measured, limit, one.status, one.note))
    return table


def _three_digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_compare(result: Comparison, targets: list[Target], directory: Path, name: str) -> None:
    """Write `name`.json, `name`.md and `name`.svg into `directory`."""
    _write_json(directory / f"{name}.json", dataclasses.asdict(result), targets)
    _write_rounds("Comparison", result, compare_tables(result), targets, directory / name)


def write_tls(result: Comparison, targets: list[Target], directory: Path, name: str) -> None:
    """Write `name`.json, `name`.md and `name`.svg into `directory`."""
    _write_json(directory / f"{name}.json", dataclasses.asdict(result), targets)
    _write_rounds("Encrypted", result, compare_tables(result), targets, directory / name)


def proxy_tables(result: Proxied) -> list[Table]:
    """Those of the rounds, then what proxies add to a request and keep for downloads."""
    tables = compare_tables(result.rounds)
    table = Table(f"Added to the median request, 1 connection, beside {DIRECT}", ("server", "µs"))
    for server in result.rounds.servers:
        added = result.added_us(server)
        if server != DIRECT and added is not None:
            table.rows.append((server, f"{added:,.0f}"))
    tables.append(table)
    if result.held:
        columns = ("server", "clients", "PSS MB before", "PSS MB", "kB each")
        table = Table("Memory while slow clients download 100 MiB each", columns)
        for server, held in result.held.items():
            sizes = (f"{one.pss / 1e6:,.1f}" for one in (held.before, held.during))
            each = f"{held.bytes_each / 1e3:,.1f}"
            table.rows.append((server, f"{held.clients:,}", *sizes, each))
        tables.append(table)
    return tables


def write_proxy(result: Proxied, targets: list[Target], directory: Path, name: str) -> None:
    """Write `name`.json, `name`.md and `name`.svg into `directory`."""
    _write_json(directory / f"{name}.json", dataclasses.asdict(result), targets)
    _write_rounds("Proxy", result.rounds, proxy_tables(result), targets, directory / name)


def scripts_tables(result: Scripted) -> list[Table]:
    """Those of the rounds over HTTP, then the rounds in memory."""
    tables = compare_tables(result.rounds)
    if result.inside:
        tables.append(_inside_table(result.inside))
    return tables


def _inside_table(inside: Inside) -> Table:
    title = f"Inside of the server, in memory, {inside.requests:,} requests a round"
    table = Table(title, ("script", "CPU µs/request", "added µs"))
    for name in ("none", *INSIDE):
        added = "" if name == "none" else _figure(inside.added_us(name), 3)
        table.rows.append((name, _figure(inside.us(name), 3), added))
    return table


def write_scripts(result: Scripted, targets: list[Target], directory: Path, name: str) -> None:
    """Write `name`.json, `name`.md and `name`.svg into `directory`."""
    _write_json(directory / f"{name}.json", dataclasses.asdict(result), targets)
    tables = scripts_tables(result)
    _write_rounds("Scripts", result.rounds, tables, targets, directory / name)


def _write_rounds(
    title: str, result: Comparison, tables: list[Table], targets: list[Target], path: Path
) -> None:
    name = path.name
    path.with_name(f"{name}.svg").write_text(chart(result))
    parts = [
        f"## {title}",
        "",
        f"{_machine(result.machine)} Medians over rounds of {result.seconds} s each with "
        f"{result.connections} kept-alive connections, minimum and maximum in parentheses. "
        f"Server on core {result.cores.server}, the client on core {result.cores.client}. "
        f"Commands, configurations and all rounds are in [{name}.json]({name}.json).",
        "",
        f"![Server CPU time per request by server and size]({name}.svg)",
        "",
        *(table.markdown() for table in tables),
        *(f"Not measured: {server} (not installed).\n" for server in result.skipped),
        *([f"Not a quiet machine: {warning}.\n"] if (warning := noise(result)) else []),
        target_table(targets).markdown(),
    ]
    path.with_name(f"{name}.md").write_text("\n".join(parts).rstrip() + "\n")


def compute_tables(result: Computed) -> list[Table]:
    """The kernels, then loading."""
    ebpf = ("compiled / native", "interpreted / native", "fuel")
    python = ("Python compiled / native", "CPython / Python compiled")
    kernels = Table("Computing, CPU time of one round", ("kernel", "native ns", *ebpf, *python))
    for one in result.kernels:
        row = (one.what, _figure(one.spread("native"), 1), _figure(one.ratio("jit"), 2))
        fuel = f"{one.fuel:,.0f}"
        slow = _figure(one.ratio("interpreter"), 1)
        script = _figure(one.ratio("python"), 2), _figure(one.ratio("cpython", "python"), 1)
        kernels.rows.append((*row, slow, fuel, *script))
    loads = result.loading
    columns = ("instructions", "object kB", "machine code kB", "ms", "CPU ms")
    loading = Table("Loading a program: verified and compiled", columns, left=0)
    sizes = (f"{loads.object_bytes / 1e3:.1f}", f"{loads.code_bytes / 1e3:.1f}")
    times = (_figure(loads.wall(), 1), _figure(loads.cpu(), 1))
    loading.rows.append((f"{loads.instructions:,}", *sizes, *times))
    title = "Memory after loading one program after the other"
    memory = Table(title, ("loads", "RSS MB before", "RSS MB after"), left=0)
    ends = (loads.rss_bytes[0], loads.rss_bytes[-1])
    memory.rows.append((f"{loads.loads:,}", *(f"{rss / 1e6:.1f}" for rss in ends)))
    return [kernels, loading, memory]


def write_compute(result: Computed, targets: list[Target], directory: Path, name: str) -> None:
    """Write `name`.json and `name`.md into `directory`."""
    _write_json(directory / f"{name}.json", dataclasses.asdict(result), targets)
    parts = [
        "## Computing",
        "",
        f"{_machine(result.machine)} zeroserve {result.version}; {result.native_compiler} for "
        f"this machine, {result.ebpf_compiler} for eBPF. Medians, minimum and maximum in "
        f"parentheses. Commands and all samples are in [{name}.json]({name}.json).",
        "",
        *(table.markdown() for table in compute_tables(result)),
        target_table(targets).markdown(),
    ]
    (directory / f"{name}.md").write_text("\n".join(parts).rstrip() + "\n")


def write_startup(result: Startup, targets: list[Target], directory: Path, name: str) -> None:
    """Write `name`.json and `name`.md into `directory`."""
    _write_json(directory / f"{name}.json", dataclasses.asdict(result), targets)
    parts = [
        "## Startup",
        "",
        f"{_machine(result.machine)} {result.version}. Medians, minimum and maximum in "
        "parentheses; archives are in the page cache; Python's own start is included. RSS "
        "counts the pages of the archive that are mapped in.",
        "",
        startup_table(result).markdown(),
        target_table(targets).markdown(),
    ]
    (directory / f"{name}.md").write_text("\n".join(parts).rstrip() + "\n")


def _write_json(path: Path, result: dict[str, Any], targets: list[Target]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {**result, "targets": [dataclasses.asdict(target) for target in targets]}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def _machine(machine: Machine) -> str:
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB, "
        f"{machine.system}, {machine.kernel}, files on {machine.work_filesystem}."
    )
