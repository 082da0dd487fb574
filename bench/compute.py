"""`compute`: what programs compute, beside the same C compiled for this machine; and loading them.

The kernels of programs/kernels.c run natively (`gcc -O2`, in a small host program), compiled from
eBPF by the engine, and interpreted: CPU time of one call with many rounds in it, so that starting
counts for nothing. Executors take turns, and their results have to agree.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import zeroserve
from zeroserve import clang

from bench.errors import BenchError
from bench.loading import Loading, loading
from bench.machine import Machine, describe
from bench.scripts import PROGRAMS
from bench.stats import Spread, spread

NATIVE, JIT, INTERPRETER = "native", "jit", "interpreter"
EXECUTORS = (NATIVE, JIT, INTERPRETER)
NATIVE_FLAGS = ("-O2",)

# Above what any kernel uses; a slice is what the server gives a request at a time.
FUEL = 1 << 60


@dataclass(frozen=True)
class Kernel:
    """A function of kernels.c: its input, and how often it runs in one call."""

    name: str
    what: str
    data: bytes
    # What it is told of the length; for `fibonacci`, the number.
    argument: int
    rounds: int
    interpreted_rounds: int


_DATA = bytes(i * 7 & 0xFF for i in range(4096))
_NAME = b"x-request-id"
KERNELS = (
    Kernel("crc32", "CRC-32 of 4 KiB", _DATA, 4096, 10_000, 200),
    Kernel("siphash", "SipHash-2-4 of 1 KiB", _DATA[:1024], 1024, 100_000, 1_000),
    # The last of them.
    Kernel("match", "a name among 64", _NAME, len(_NAME), 500_000, 5_000),
    Kernel("fibonacci", "Fibonacci number 20, by calls", b"", 20, 3_000, 20),
)


@dataclass
class Measured:
    """One kernel: nanoseconds of CPU time per round, by executor, a list of samples."""

    kernel: str
    what: str
    ns: dict[str, list[float]] = field(default_factory=dict)
    # Fuel of one round: about the instructions that eBPF takes.
    fuel: float = 0.0

    def spread(self, executor: str) -> Spread | None:
        """Nanoseconds per round."""
        return spread(self.ns.get(executor, []))

    def ratio(self, executor: str) -> Spread | None:
        """CPU time by that of native code, of each sample and the native one before it."""
        pairs = zip(self.ns.get(executor, []), self.ns.get(NATIVE, []), strict=False)
        return spread(ours / native for ours, native in pairs)


@dataclass
class Computed:
    """All that `compute` measured."""

    machine: Machine
    version: str
    native_compiler: str
    ebpf_compiler: str
    commands: list[str]
    kernels: list[Measured]
    loading: Loading

    def kernel(self, name: str) -> Measured | None:
        """The kernel of that name."""
        return next((one for one in self.kernels if one.kernel == name), None)


def compute(
    samples: int, scale: float, loads: int, programs: dict[str, Path], tell: Callable[[str], None]
) -> Computed:
    """Measure; `scale` is multiplied to the rounds of a call, `loads` programs are loaded."""
    cc = programs.get("gcc") or _program("gcc")
    compiler = next(clang.compilers(), None)
    if compiler is None:
        raise BenchError("there is no C compiler for eBPF", clang.NO_COMPILER_HINT)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        build = [*NATIVE_FLAGS, "-o", "host", "bench/programs/host.c", "bench/programs/kernels.c"]
        host = build_host(cc, work)
        made = compile_ebpf(PROGRAMS / "kernels.c", compiler)
        program = zeroserve.Program(made)
        kernels = [Measured(kernel.name, kernel.what) for kernel in KERNELS]
        for sample in range(1, samples + 1):
            for kernel, measured in zip(KERNELS, kernels, strict=True):
                tell(f"sample {sample}/{samples}: {kernel.what}")
                measure(kernel, measured, host, program, scale)
        return Computed(
            machine=describe(work),
            version=zeroserve.__version__,
            native_compiler=_first_line([str(cc), "--version"]),
            ebpf_compiler=_first_line([*compiler.command, "--version"]),
            commands=[
                " ".join(["gcc", *build]),
                " ".join([compiler.name, *clang.FLAGS, "bench/programs/kernels.c"]),
            ],
            kernels=kernels,
            loading=loading(compiler, loads, work, tell),
        )


def build_host(cc: Path, work: Path) -> Path:
    """Build the program that runs the kernels natively."""
    host = work / "host"
    sources = [str(PROGRAMS / "host.c"), str(PROGRAMS / "kernels.c")]
    command = [str(cc), *NATIVE_FLAGS, "-o", str(host), *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"gcc failed: {done.stderr.strip().splitlines()[0]}")
    return host


def compile_ebpf(source: Path, compiler: clang.Compiler) -> bytes:
    """The object that the server would get of `source`."""
    try:
        return clang.compile(source, compiler=compiler).object
    except zeroserve.Error as error:
        raise BenchError(str(error.args[0])) from error


def measure(
    kernel: Kernel, measured: Measured, host: Path, program: zeroserve.Program, scale: float
) -> None:
    """One sample of each executor; raise when their results differ."""
    rounds = max(1, round(kernel.rounds * scale))
    few = max(1, round(kernel.interpreted_rounds * scale))
    native, spent = native_run(host, kernel, rounds)
    jit, jit_spent, fuel = ebpf_run(program, kernel, rounds, JIT)
    interpreted, interpreted_spent, _ = ebpf_run(program, kernel, few, INTERPRETER)
    # Results depend on the rounds.
    if native != jit or native_run(host, kernel, few)[0] != interpreted:
        raise BenchError(f"the executors disagree on: {kernel.what}")
    measured.fuel = fuel / rounds
    for executor, total, count in (
        (NATIVE, spent, rounds),
        (JIT, jit_spent, rounds),
        (INTERPRETER, interpreted_spent, few),
    ):
        measured.ns.setdefault(executor, []).append(total / count)


def native_run(host: Path, kernel: Kernel, rounds: int) -> tuple[int, int]:
    """Result, and nanoseconds of CPU time."""
    command = [str(host), kernel.name, str(kernel.argument), str(rounds)]
    done = subprocess.run(command, input=kernel.data, capture_output=True, check=True)
    result, spent = done.stdout.split()
    return int(result), int(spent)


def ebpf_run(
    program: zeroserve.Program, kernel: Kernel, rounds: int, engine: str
) -> tuple[int, int, int]:
    """Result, nanoseconds of CPU time and fuel."""
    arguments = [program.memory_address, kernel.argument, rounds]
    program.run(kernel.data, engine=engine, function=kernel.name, args=[*arguments[:2], 1])
    before = time.thread_time_ns()
    run = program.run(kernel.data, engine=engine, function=kernel.name, args=arguments, fuel=FUEL)
    spent = time.thread_time_ns() - before
    if run.trap is not None or run.result is None:
        raise BenchError(f"{engine} stopped in {kernel.name}: {run.trap}")
    return run.result, spent, run.fuel


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise BenchError(f"{name} is not installed", f"apt-get install {name}")
    return Path(found)


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout.strip().splitlines() or ["unknown"])[0]
