"""The command line: `python -m bench` with one of its parts, or `all` (the default)."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import report
from bench.compare import Comparison, Settings, compare
from bench.errors import BenchError
from bench.load import Cores
from bench.loaders import program
from bench.progress import Progress
from bench.proxies import CASES as CASES_PROXY
from bench.proxies import PROXY_SERVERS, proxies
from bench.scripts import CASES, SCRIPT_SERVERS, scripts
from bench.servers import SERVERS, Server
from bench.site import SIZES, Size, size_of
from bench.startup import MILLION, startup
from bench.table import Table, show
from bench.targets import (
    ENTRIES,
    Target,
    compare_targets,
    compute_targets,
    failed,
    proxy_targets,
    scripts_targets,
    startup_targets,
    tls_targets,
)
from bench.tls import CASES as CASES_TLS
from bench.tls import TLS_SERVERS, tls

RESULTS = Path(__file__).parent / "results"


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 when measured, 1 when `--assert` found a target missed, 2 when it could not."""
    words = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(words or ["all"])
    progress = Progress()
    # Ended by a time limit: unwind, so that no server is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        ok = True
        for part in PARTS:
            if options.mode in (part.mode, "all"):
                ok = part.run(options, progress) and ok
    except BenchError as error:
        progress.clear()
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.clear()
        return 130
    except BrokenPipeError:
        # Whoever read the tables has seen enough; the files are written. Nothing is left to
        # be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if options.assert_ and not ok else 0


def _settings(
    options: argparse.Namespace, servers: tuple[Server, ...], sizes: tuple[Size, ...]
) -> Settings:
    for size in sizes:
        program(size)
    return Settings(
        servers=servers,
        sizes=sizes,
        rounds=options.rounds,
        seconds=options.seconds,
        warmup_seconds=options.warmup,
        connections=options.connections,
        cores=_cores(options.server_core, options.client_core),
        programs=dict(options.binary),
    )


def _compare(options: argparse.Namespace, progress: Progress) -> bool:
    result = compare(_settings(options, options.servers, options.sizes), progress.tell)
    progress.clear()
    targets = compare_targets(result)
    report.write_compare(result, targets, options.results, options.compare_name)
    return _show_rounds(
        result, report.compare_tables(result), targets, options.results / options.compare_name
    )


def _scripts(options: argparse.Namespace, progress: Progress) -> bool:
    settings = _settings(options, options.script_servers, CASES)
    result = scripts(settings, options.inside_rounds, progress.tell)
    progress.clear()
    targets = scripts_targets(result)
    report.write_scripts(result, targets, options.results, options.scripts_name)
    tables = report.scripts_tables(result)
    return _show_rounds(result.rounds, tables, targets, options.results / options.scripts_name)


def _tls(options: argparse.Namespace, progress: Progress) -> bool:
    result = tls(_settings(options, options.tls_servers, CASES_TLS), progress.tell)
    progress.clear()
    targets = tls_targets(result)
    report.write_tls(result, targets, options.results, options.tls_name)
    return _show_rounds(
        result, report.compare_tables(result), targets, options.results / options.tls_name
    )


def _proxy(options: argparse.Namespace, progress: Progress) -> bool:
    settings = _settings(options, options.proxy_servers, CASES_PROXY)
    result = proxies(settings, options.downloads, progress.tell)
    progress.clear()
    targets = proxy_targets(result)
    report.write_proxy(result, targets, options.results, options.proxy_name)
    return _show_rounds(
        result.rounds, report.proxy_tables(result), targets, options.results / options.proxy_name
    )


def _show_rounds(
    result: Comparison, tables: list[Table], targets: list[Target], written: Path
) -> bool:
    for table in tables:
        show(table)
    show(report.target_table(targets))
    if warning := report.noise(result):
        print(f"warning: {warning}\n", file=sys.stderr)
    if invalid := result.invalid():
        print(f"warning: invalid rounds, left out: {len(invalid)}\n", file=sys.stderr)
    _say_where(written.with_name(f"{written.name}.md"))
    return not failed(targets) and not invalid


def _startup(options: argparse.Namespace, progress: Progress) -> bool:
    counts = [*options.entries, *([MILLION] if options.million else [])]
    result = startup(counts, options.repeats, dict(options.binary), progress.tell)
    progress.clear()
    targets = startup_targets(result)
    report.write_startup(result, targets, options.results, options.startup_name)
    show(report.startup_table(result))
    show(report.target_table(targets))
    _say_where(options.results / f"{options.startup_name}.md")
    return not failed(targets)


def _compute(options: argparse.Namespace, progress: Progress) -> bool:
    # Here, so that the other parts need no zeroserve that this Python can import.
    try:
        from bench.compute import compute
    except ImportError as error:
        hint = "run .venv/bin/python after `make build`"
        raise BenchError("zeroserve is not installed for this Python", hint) from error
    result = compute(
        options.samples, options.scale, options.loads, dict(options.binary), progress.tell
    )
    progress.clear()
    targets = compute_targets(result)
    report.write_compute(result, targets, options.results, options.compute_name)
    for table in report.compute_tables(result):
        show(table)
    show(report.target_table(targets))
    _say_where(options.results / f"{options.compute_name}.md")
    return not failed(targets)


def _say_where(path: Path) -> None:
    print(f"written: {os.path.relpath(path)}, and beside it what it is made of\n")


def _cores(server: int | None, client: int | None) -> Cores:
    """The cores asked for, or the last one for the server and the first one for the client."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError("one core is not enough: server and client need one each")
    cores = Cores(usable[-1] if server is None else server, usable[0] if client is None else client)
    if cores.server == cores.client:
        raise BenchError(f"server and client would share a core: {cores.server}")
    for core in (cores.server, cores.client):
        if core not in usable:
            raise BenchError(f"no such core: {core}", f"usable cores: {usable}")
    return cores


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    everything = modes.add_parser("all", help="all of them, one after the other")
    _common_options(everything)
    groups = []
    for part in PARTS:
        sub = modes.add_parser(part.mode, help=part.text, description=part.text)
        _common_options(sub)
        for group in part.options:
            group(sub)
            if group not in groups:
                groups.append(group)
                group(everything)
    return parser


def _common_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--binary",
        metavar="NAME=PATH",
        type=_binary,
        action="append",
        default=[],
        help="where a server's program is; may be repeated",
    )
    add("--results", metavar="DIR", type=Path, default=RESULTS, help="where results are written")
    add("--assert", dest="assert_", action="store_true", help="exit with 1 if a target is missed")


def _compare_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    names = ",".join(server.name for server in SERVERS)
    add("--servers", metavar="LIST", type=_servers, default=SERVERS, help=f"of: {names}")
    add("--sizes", metavar="LIST", type=_sizes, default=SIZES, help="of: 174,1k,10k,100k,1m")
    add("--compare-name", metavar="NAME", default="compare", help="of the result files")


def _scripts_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    names = ",".join(server.name for server in SCRIPT_SERVERS)
    add(
        "--script-servers",
        metavar="LIST",
        type=_script_servers,
        default=SCRIPT_SERVERS,
        help=f"of: {names}",
    )
    add(
        "--inside-rounds",
        metavar="N",
        type=int,
        default=25,
        help="rounds in memory, 0 for none (default: 25)",
    )
    add("--scripts-name", metavar="NAME", default="scripts", help="of the result files")


def _tls_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    names = ",".join(server.name for server in TLS_SERVERS)
    add(
        "--tls-servers",
        metavar="LIST",
        type=_tls_servers,
        default=TLS_SERVERS,
        help=f"of: {names}",
    )
    add("--tls-name", metavar="NAME", default="tls", help="of the result files")


def _proxy_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    names = ",".join(server.name for server in PROXY_SERVERS)
    add(
        "--proxy-servers",
        metavar="LIST",
        type=_proxy_servers,
        default=PROXY_SERVERS,
        help=f"of: {names}",
    )
    add(
        "--downloads",
        metavar="N",
        type=int,
        default=1000,
        help="held by slow clients while memory is measured, 0 for none (default: 1000)",
    )
    add("--proxy-name", metavar="NAME", default="proxy", help="of the result files")


def _load_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--rounds", metavar="N", type=_positive, default=5, help="rounds (default: 5)")
    add("--seconds", metavar="N", type=_positive, default=2, help="of each load (default: 2)")
    add(
        "--warmup",
        metavar="N",
        type=int,
        default=1,
        help="seconds of load on each server before a round, 0 for none (default: 1)",
    )
    add("--connections", metavar="N", type=_positive, default=64, help="kept open (default: 64)")
    add("--server-core", metavar="N", type=int, help="core of the servers (default: the last)")
    add("--client-core", metavar="N", type=int, help="core of the client (default: the first)")


def _startup_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--entries",
        metavar="N",
        type=_positive,
        nargs="+",
        default=[ENTRIES],
        help=f"sizes of the large archives (default: {ENTRIES})",
    )
    add("--million", action="store_true", help=f"also {MILLION:,} entries (minutes, 6 GB)")
    add("--repeats", metavar="N", type=_positive, default=5, help="starts of each (default: 5)")
    add("--startup-name", metavar="NAME", default="startup", help="of the result files")


def _compute_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--samples", metavar="N", type=_positive, default=7, help="of each kernel (default: 7)")
    add(
        "--scale",
        metavar="F",
        type=float,
        default=1.0,
        help="times the rounds in a sample, 0.1 for a quick look (default: 1)",
    )
    add("--loads", metavar="N", type=_positive, default=1000, help="programs (default: 1000)")
    add("--compute-name", metavar="NAME", default="compute", help="of the result files")


@dataclass(frozen=True)
class Part:
    """One part of the benchmark, and its options."""

    mode: str
    text: str
    run: Callable[[argparse.Namespace, Progress], bool]
    options: tuple[Callable[[argparse.ArgumentParser], None], ...]


PARTS = (
    Part(
        "compare",
        "zeroserve beside nginx, h2o, lighttpd and Caddy",
        _compare,
        (_load_options, _compare_options),
    ),
    Part(
        "tls",
        "encrypted: HTTPS, HTTP/2 and handshakes beside nginx, h2o and Caddy",
        _tls,
        (_load_options, _tls_options),
    ),
    Part(
        "proxy",
        "requests passed on, beside nginx, HAProxy, h2o and Caddy",
        _proxy,
        (_load_options, _proxy_options),
    ),
    Part(
        "scripts",
        "what a script costs, beside servers that run Lua, JavaScript and Python",
        _scripts,
        (_load_options, _scripts_options),
    ),
    Part(
        "compute",
        "what programs compute, beside native code; loading them",
        _compute,
        (_compute_options,),
    ),
    Part(
        "startup",
        "time to the first byte, and memory, by number of entries",
        _startup,
        (_startup_options,),
    ),
)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return number


def _servers(text: str) -> tuple[Server, ...]:
    return _among(SERVERS, text)


def _script_servers(text: str) -> tuple[Server, ...]:
    return _among(SCRIPT_SERVERS, text)


def _tls_servers(text: str) -> tuple[Server, ...]:
    return _among(TLS_SERVERS, text)


def _proxy_servers(text: str) -> tuple[Server, ...]:
    return _among(PROXY_SERVERS, text)


def _among(servers: tuple[Server, ...], text: str) -> tuple[Server, ...]:
    known = {server.name: server for server in servers}
    for name in text.split(","):
        if name not in known:
            raise argparse.ArgumentTypeError(f"no such server: {name} (of: {','.join(known)})")
    return tuple(known[name] for name in text.split(","))


def _sizes(text: str) -> tuple[Size, ...]:
    sizes = []
    for word in text.split(","):
        size = size_of(word)
        if size is None:
            raise argparse.ArgumentTypeError(f"no such size: {word}")
        sizes.append(size)
    return tuple(sizes)


def _binary(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not path or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"not NAME=PATH of a program: {text}")
    return name, Path(path).resolve()
