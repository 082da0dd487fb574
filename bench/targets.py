"""What zeroserve is to reach, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.compare import Comparison
from bench.proxies import CACHED, CACHED_100K, FILES_ONLY, HTTP2, HTTPS, MIB10, UPLOAD, Proxied
from bench.scripts import JSON, Scripted
from bench.site import SIZES
from bench.startup import SMALL_ENTRIES, Startup
from bench.tls import CASES as TLS_CASES
from bench.tls import H2_LARGE, H2_SMALL, HANDSHAKE, HTTPS_LARGE, HTTPS_SMALL

if TYPE_CHECKING:
    from bench.compute import Computed

PASS, MISSED, TIE, UNKNOWN = "pass", "MISSED", "tie", "not measured"

SMALL, KIB, KIB10, KIB100, MIB = (size.label for size in SIZES)
# (size, peer, server CPU time per request at most this many times the peer's).
CPU_AGAINST = (
    (SMALL, "nginx", 0.62),
    (SMALL, "nginx-nopush", 0.62),
    (SMALL, "h2o", 1.0),
    (SMALL, "lighttpd", 1.0),
    (SMALL, "caddy", 0.15),
    (KIB10, "nginx", 0.75),
    (KIB10, "nginx-nopush", 0.75),
)
CPU_AGAINST_BEST = ((KIB100, 1.0), (MIB, 1.0))
RPS_AGAINST = ("nginx", "h2o", "lighttpd", "caddy")
LOG_RATIO = 1.15

# The same for encrypted connections: (size, peer, at most so many times the peer's).
TLS_AGAINST = (
    (HTTPS_SMALL, "nginx", 0.77),
    (HTTPS_SMALL, "h2o", 1.0),
    (HTTPS_LARGE, "nginx", 0.67),
    (HTTPS_LARGE, "h2o", 1.0),
    (H2_SMALL, "nginx", 0.35),
    (H2_SMALL, "h2o", 1.2),
    (H2_LARGE, "h2o", 1.0),
    (HANDSHAKE, "nginx", 1.0),
    *((size, "caddy", 0.2) for size in TLS_CASES),
)

# The same for requests that are passed on.
PROXY_AGAINST = (
    (SMALL, "nginx", 0.85),
    (SMALL, "haproxy", 0.85),
    (SMALL, "caddy", 0.2),
    (HTTPS.label, "nginx", 0.85),
    (HTTPS.label, "haproxy", 0.85),
    (HTTP2.label, "nginx", 0.5),
    (HTTP2.label, "haproxy", 0.95),
    (KIB100, "nginx", 1.1),
    (MIB10.label, "nginx", 1.1),
    (UPLOAD.label, "nginx", 1.1),
    (CACHED.label, FILES_ONLY, 1.2),
    (CACHED_100K.label, FILES_ONLY, 1.2),
)

# The same for a script that answers with JSON.
JSON_AGAINST = (("nginx+lua", 0.67), ("granian", 0.4))
EMPTY_SCRIPT_US = 0.15
# Of scripts in Python: the same JSON beside the script in C, and 1,000 exact routes.
PYTHON_JSON_RATIO = 1.15
ROUTER_US = 0.5

JIT_RATIO = 2.0
PYTHON_RATIO = 3.0
CPYTHON_RATIO = 30.0
LOAD_MS = 25.0
LOADS_GROWTH = 1.05

# From this share of its core on, wrk is what is measured: both servers wait for it, and which
# of the two rates is higher by a few per cent is luck. That is called a tie.
CLIENT_BOUND = 0.95
TIE_FROM = 0.95

ENTRIES = 100_000
FIRST_BYTE_S = {"pack": 0.4, "tar": 1.5}
SMALL_SITE_MB = 45.0
BYTES_PER_ENTRY = 150.0


@dataclass(frozen=True)
class Target:
    """One promise: `measured` is to be at most (or at least) `limit`, in `unit`."""

    what: str
    measured: float | None
    limit: float
    at_most: bool
    unit: str
    status: str
    note: str = ""


def _at_most(what: str, measured: float | None, limit: float, unit: str, note: str = "") -> Target:
    if measured is None:
        return Target(what, None, limit, True, unit, UNKNOWN, note)
    status = PASS if measured <= limit else MISSED
    return Target(what, measured, limit, True, unit, status, note)


def compare_targets(result: Comparison) -> list[Target]:
    """The targets of `compare`; a ratio is of medians over the rounds."""
    targets = [_cpu(result, "zeroserve", size, peer, limit) for size, peer, limit in CPU_AGAINST]
    targets += [_rps(result, peer) for peer in RPS_AGAINST]
    for size, limit in CPU_AGAINST_BEST:
        ours = ("zeroserve", "zeroserve+log", "floor")
        peers = [server for server in result.servers if server not in ours]
        known = [(cpu.median, peer) for peer in peers if (cpu := result.cpu_us(peer, size))]
        best = min(known)[1] if known else "the best of the others"
        targets.append(_cpu(result, "zeroserve", size, best, limit))
    targets.append(_cpu(result, "zeroserve+log", SMALL, "zeroserve", LOG_RATIO))
    return targets


def _cpu(result: Comparison, server: str, size: str, other: str, limit: float) -> Target:
    ours, theirs = result.cpu_us(server, size), result.cpu_us(other, size)
    what = f"CPU per request, {size}: {server} / {other}"
    if ours is None or theirs is None:
        return _at_most(what, None, limit, "")
    note = f"{ours.median:.2f} / {theirs.median:.2f} µs"
    return _at_most(what, ours.median / theirs.median, limit, "", note)


def _rps(result: Comparison, peer: str) -> Target:
    def median(server: str, client: bool = False) -> float | None:
        found = result.over_rounds(
            server, SMALL, lambda one: one.client_busy if client else one.requests_per_second
        )
        return found.median if found else None

    what = f"requests per second, {SMALL}: zeroserve / {peer}"
    ours, theirs = median("zeroserve"), median(peer)
    if ours is None or theirs is None:
        return Target(what, None, 1.0, False, "", UNKNOWN)
    ratio = ours / theirs
    note = f"{ours:,.0f} / {theirs:,.0f} a second"
    wrk_busy = (median("zeroserve", True) or 0.0, median(peer, True) or 0.0)
    status = PASS if ratio >= 1.0 else MISSED
    if min(wrk_busy) >= CLIENT_BOUND:
        note += f"; wrk was the limit of both ({wrk_busy[0]:.0%} and {wrk_busy[1]:.0%} busy)"
        if TIE_FROM <= ratio < 1.0:
            status = TIE
    return Target(what, ratio, 1.0, False, "", status, note)


def tls_targets(result: Comparison) -> list[Target]:
    """The targets of `tls`."""
    return [_cpu(result, "zeroserve", size.label, peer, limit) for size, peer, limit in TLS_AGAINST]


def proxy_targets(result: Proxied) -> list[Target]:
    """The targets of `proxy`."""
    rounds = result.rounds
    return [_cpu(rounds, "zeroserve", size, peer, limit) for size, peer, limit in PROXY_AGAINST]


def scripts_targets(result: Scripted) -> list[Target]:
    """The targets of `scripts`: what an empty script adds is of the rounds in memory."""
    added = result.inside.added_us("empty") if result.inside else None
    without = result.inside.us("none") if result.inside else None
    note = f"{without.median:.2f} µs without" if without else result.inside_skipped
    what = "CPU per request that an empty script adds, inside of the server"
    targets = [_at_most(what, added.median if added else None, EMPTY_SCRIPT_US, "µs", note)]
    for peer, limit in JSON_AGAINST:
        targets.append(_cpu(result.rounds, "zeroserve+json", JSON.label, peer, limit))
    ours, limit = "zeroserve+python", PYTHON_JSON_RATIO
    targets.append(_cpu(result.rounds, ours, JSON.label, "zeroserve+json", limit))
    routed = result.inside.added_us("1,000 routes in Python") if result.inside else None
    what = "CPU per request that 1,000 exact routes in Python add, inside of the server"
    targets.append(_at_most(what, routed.median if routed else None, ROUTER_US, "µs", note))
    return targets


def compute_targets(result: Computed) -> list[Target]:
    """The targets of `compute`."""
    targets = []
    for kernel in result.kernels:
        ratio = kernel.ratio("jit")
        what = f"CPU time, {kernel.what}: compiled eBPF / native"
        targets.append(_at_most(what, ratio.median if ratio else None, JIT_RATIO, ""))
    for kernel in result.kernels:
        ours, theirs = kernel.ratio("python"), kernel.ratio("cpython", "python")
        if ours is None or theirs is None:
            continue
        what = f"CPU time, {kernel.what}: script in Python / native"
        targets.append(_at_most(what, ours.median, PYTHON_RATIO, ""))
        what = f"CPU time, {kernel.what}: CPython / script in Python"
        status = PASS if theirs.median >= CPYTHON_RATIO else MISSED
        targets.append(Target(what, theirs.median, CPYTHON_RATIO, False, "", status))
    loading = result.loading
    wall = loading.wall()
    what = f"loading an object of {loading.instructions:,} instructions"
    targets.append(_at_most(what, wall.median if wall else None, LOAD_MS, "ms"))
    what = f"resident memory after {loading.loads:,} loads / before"
    targets.append(_at_most(what, loading.growth(), LOADS_GROWTH, ""))
    return targets


def startup_targets(result: Startup) -> list[Target]:
    """The targets of `startup`: medians of its starts."""
    targets = []
    for maker, limit in FIRST_BYTE_S.items():
        case = result.case(maker, ENTRIES)
        seconds = case.first_byte_s() if case else None
        what = f"start to first byte, {ENTRIES:,} entries, made by {maker}"
        targets.append(_at_most(what, seconds.median if seconds else None, limit, "s"))
    small = result.case("pack", SMALL_ENTRIES)
    rss = small.rss() if small else None
    megabytes = rss.median / 1e6 if rss else None
    targets.append(_at_most("resident memory, small site", megabytes, SMALL_SITE_MB, "MB"))
    for maker in FIRST_BYTE_S:
        case = result.case(maker, ENTRIES)
        what = f"resident memory per entry, {ENTRIES:,} entries, made by {maker}"
        each = result.bytes_per_entry(case) if case else None
        targets.append(_at_most(what, each, BYTES_PER_ENTRY, "bytes"))
    return targets


def failed(targets: list[Target]) -> bool:
    """Is there anything `--assert` should fail for: a missed target, or nothing measured?"""
    statuses = {target.status for target in targets}
    return MISSED in statuses or statuses <= {UNKNOWN}
