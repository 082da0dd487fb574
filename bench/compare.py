"""`compare`: rounds of load, interleaved over sizes and servers, and what they add up to.

`scripts` is made of the same rounds, with other servers and other things to ask for.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import proc
from bench.archives import pack
from bench.load import Cores, Round, measure
from bench.loaders import load, program
from bench.machine import Machine, describe
from bench.running import Running, serving
from bench.servers import REPOSITORY, Server, find_program, version_of
from bench.site import Size, write_site
from bench.stats import Spread, spread
from bench.verify import verify

# Share of the server's core. Above it caches are cold and rates too low: not to be kept.
NOISY = 0.05


@dataclass(frozen=True)
class Settings:
    """What to measure, as asked for on the command line."""

    servers: tuple[Server, ...]
    sizes: tuple[Size, ...]
    rounds: int
    seconds: int
    warmup_seconds: int
    connections: int
    cores: Cores
    programs: dict[str, Path]


@dataclass
class ServerFacts:
    """One server of a comparison: how it was run, and its memory after each round's load."""

    version: str
    command: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    memory: list[proc.Memory] = field(default_factory=list)


@dataclass
class Comparison:
    """All that was measured."""

    machine: Machine
    servers: dict[str, ServerFacts]
    skipped: dict[str, str]
    sizes: tuple[str, ...]
    connections: int
    seconds: int
    cores: Cores
    loads: dict[str, list[str]]
    rounds: list[Round] = field(default_factory=list)

    def over_rounds(self, server: str, size: str, value: Callable[[Round], float]) -> Spread | None:
        """Median, minimum and maximum of `value` over the valid rounds."""
        return spread(
            value(one)
            for one in self.rounds
            if one.server == server and one.size == size and not one.problems
        )

    def cpu_us(self, server: str, size: str) -> Spread | None:
        """Server CPU time per request, in microseconds."""
        return self.over_rounds(server, size, lambda one: one.cpu_us_per_request)

    def noisy(self) -> list[Round]:
        """The rounds in which the server's core was busy with other things as well."""
        return [one for one in self.rounds if one.foreign + one.stolen > NOISY]

    def invalid(self) -> list[Round]:
        """The rounds that had errors, and count for nothing."""
        return [one for one in self.rounds if one.problems]


Tell = Callable[[str], None]


@dataclass(frozen=True)
class Served:
    """What the servers are given: files, and an archive for each that serves one."""

    root: Path
    archive: Callable[[Server], Path]


# Makes what is served, in a directory and with the programs that there are.
Prepare = Callable[[Path, dict[str, Path]], Served]


def compare(settings: Settings, tell: Tell) -> Comparison:
    """Run all rounds. `tell` is called with a line before each load."""

    def prepare(work: Path, programs: dict[str, Path]) -> Served:
        root, archive = work / "site", work / "site.tar"
        write_site(root, settings.sizes)
        if zeroserve := programs.get("zeroserve") or programs.get("zeroserve+log"):
            pack(zeroserve, root, archive)
        return Served(root, lambda _: archive)

    return run_rounds(settings, tell, prepare)


def run_rounds(settings: Settings, tell: Tell, prepare: Prepare) -> Comparison:
    """Run all rounds on what `prepare` makes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        # Servers that drop root have to get through.
        work.chmod(0o755)
        return _run_rounds(settings, tell, prepare, work)


def _run_rounds(settings: Settings, tell: Tell, prepare: Prepare, work: Path) -> Comparison:
    programs, skipped = _programs(settings)
    for name, hint in skipped.items():
        tell(f"skipped {name}: not installed; hint: {hint}")
    present = [
        server
        for server in settings.servers
        if server.name in programs and set(server.sizes) & set(settings.sizes)
    ]
    served = prepare(work, programs)
    result = Comparison(
        machine=describe(work),
        servers={s.name: ServerFacts(version_of(s, programs[s.name])) for s in present},
        skipped=skipped,
        sizes=tuple(size.label for size in settings.sizes),
        connections=settings.connections,
        seconds=settings.seconds,
        cores=settings.cores,
        loads={size.label: _command(settings, size) for size in settings.sizes},
    )
    for number in range(1, settings.rounds + 1):
        # Fresh processes every round: where a process lies in memory is luck, and shifts
        # its CPU time by some per cent for as long as it lives.
        with contextlib.ExitStack() as stack:
            running = []
            for server in present:
                program, place = programs[server.name], work / f"{server.name}-{number}"
                archive, core = served.archive(server), settings.cores.server
                started = serving(server, program, served.root, archive, place, core)
                running.append(stack.enter_context(started))
            _round(settings, tell, number, running, result)
        if number == 1:
            for one in running:
                _note_launch(result.servers[one.server.name], one, programs, work)
    return result


def _programs(settings: Settings) -> tuple[dict[str, Path], dict[str, str]]:
    """Where each server is, and how to get the ones that are nowhere."""
    programs: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for server in settings.servers:
        found = find_program(server.program, settings.programs)
        if found is None or not all(path.exists() for path in server.needs):
            skipped[server.name] = server.install
        else:
            programs[server.name] = found
    return programs, skipped


def _round(
    settings: Settings, tell: Tell, number: int, running: list[Running], result: Comparison
) -> None:
    """One load of every size on every server, servers taking turns."""
    for one in running:
        sizes = tuple(size for size in settings.sizes if size in one.server.sizes)
        verify(one, sizes)
        if settings.warmup_seconds:
            tell(f"round {number}/{settings.rounds}: warming up {one.server.name}")
            seconds = settings.warmup_seconds
            measure(one, sizes[0], number, settings.connections, seconds, settings.cores)
    # Nobody always follows the same neighbour.
    turn = number % len(running)
    for size in settings.sizes:
        for one in running[turn:] + running[:turn]:
            if size in one.server.sizes:
                tell(f"round {number}/{settings.rounds}: {size.label} from {one.server.name}")
                result.rounds.append(
                    measure(
                        one, size, number, settings.connections, settings.seconds, settings.cores
                    )
                )
    for one in running:
        result.servers[one.server.name].memory.append(proc.memory(one.pid))


def _command(settings: Settings, size: Size) -> list[str]:
    """The client's command, to be read by people: the port differs from server to server."""
    work = Path("WORK")
    client = load(0, size, settings.connections, settings.seconds, work)
    words = [word.replace(f"{REPOSITORY}/", "") for word in client.command]
    words = [word.replace(str(program(size)), client.program) for word in words]
    words = [word.replace("127.0.0.1:0", "127.0.0.1:PORT") for word in words]
    return ["taskset", "-c", str(settings.cores.client), *words]


def _note_launch(
    facts: ServerFacts, running: Running, programs: dict[str, Path], work: Path
) -> None:
    """Keep the exact command and configuration, without the paths of this machine."""

    def readable(text: str) -> str:
        text = text.replace(str(programs[running.server.name]), running.server.program)
        return text.replace(str(work), "WORK").replace(f"{REPOSITORY}/", "")

    facts.command = [readable(word) for word in running.command]
    facts.env = {name: readable(value) for name, value in running.launch.env.items()}
    facts.files = {readable(str(path)): readable(t) for path, t in running.launch.files.items()}
