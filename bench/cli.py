"""The command line: `python -m bench` with `compare`, `startup`, or `all` (the default)."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.compare import Settings, compare
from bench.errors import BenchError
from bench.load import Cores, wrk_program
from bench.progress import Progress
from bench.servers import SERVERS, Server
from bench.site import SIZES, Size, size_of
from bench.startup import MILLION, startup
from bench.table import show
from bench.targets import ENTRIES, compare_targets, failed, startup_targets

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
        if options.mode in ("compare", "all"):
            ok = _compare(options, progress)
        if options.mode in ("startup", "all"):
            ok = _startup(options, progress) and ok
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


def _compare(options: argparse.Namespace, progress: Progress) -> bool:
    cores = _cores(options.server_core, options.client_core)
    settings = Settings(
        servers=options.servers,
        sizes=options.sizes,
        rounds=options.rounds,
        seconds=options.seconds,
        warmup_seconds=options.warmup,
        connections=options.connections,
        cores=cores,
        programs=dict(options.binary),
    )
    wrk_program()
    result = compare(settings, progress.tell)
    progress.clear()
    targets = compare_targets(result)
    report.write_compare(result, targets, options.results, options.compare_name)
    for table in report.compare_tables(result):
        show(table)
    show(report.target_table(targets))
    if warning := report.noise(result):
        print(f"warning: {warning}\n", file=sys.stderr)
    if invalid := result.invalid():
        print(f"warning: invalid rounds, left out: {len(invalid)}\n", file=sys.stderr)
    _say_where(options.results / f"{options.compare_name}.md")
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


def _say_where(path: Path) -> None:
    print(f"written: {os.path.relpath(path)}, and beside it what it is made of\n")


def _cores(server: int | None, client: int | None) -> Cores:
    """The cores asked for, or the last one for the server and the first one for wrk."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError("one core is not enough: server and wrk need one each")
    cores = Cores(usable[-1] if server is None else server, usable[0] if client is None else client)
    if cores.server == cores.client:
        raise BenchError(f"server and wrk would share a core: {cores.server}")
    for core in (cores.server, cores.client):
        if core not in usable:
            raise BenchError(f"no such core: {core}", f"usable cores: {usable}")
    return cores


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode, text in (
        ("compare", "zeroserve beside nginx, h2o, lighttpd and Caddy"),
        ("startup", "time to the first byte, and memory, by number of entries"),
        ("all", "both, one after the other"),
    ):
        sub = modes.add_parser(mode, help=text, description=text)
        _common_options(sub)
        if mode != "startup":
            _compare_options(sub)
        if mode != "compare":
            _startup_options(sub)
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
    add("--client-core", metavar="N", type=int, help="core of wrk (default: the first)")
    add("--compare-name", metavar="NAME", default="compare", help="of the result files")


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


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return number


def _servers(text: str) -> tuple[Server, ...]:
    known = {server.name: server for server in SERVERS}
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
