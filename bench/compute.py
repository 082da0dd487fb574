"""`compute`: what programs compute, beside the same C compiled for this machine; and loading them.

The kernels of programs/kernels.c run natively (`gcc -O2`, in a small host program), compiled from
eBPF by the engine, and interpreted; those of programs/kernels.py as scripts in Python are, and in
CPython: CPU time of one call with many rounds in it, so that starting counts for nothing.
Executors take turns, and their results have to agree.
"""

from __future__ import annotations

import runpy
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import zeroserve
from zeroserve import clang, compiler

from bench.errors import BenchError
from bench.loading import Loading, loading
from bench.machine import Machine, describe
from bench.scripts import PROGRAMS
from bench.stats import Spread, spread

NATIVE, JIT, INTERPRETER, PYTHON, CPYTHON = "native", "jit", "interpreter", "python", "cpython"
EXECUTORS = (NATIVE, JIT, INTERPRETER, PYTHON, CPYTHON)
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


# What looks a name up asks the server's hash table, which nobody answers for here.
NOT_IN_PYTHON = ("match",)
M64 = (1 << 64) - 1

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

    def ratio(self, executor: str, other: str = NATIVE) -> Spread | None:
        """CPU time by that of another executor, of each sample and the other's before it."""
        pairs = zip(self.ns.get(executor, []), self.ns.get(other, []), strict=False)
        return spread(ours / theirs for ours, theirs in pairs)


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
    cc_bpf = next(clang.compilers(), None)
    if cc_bpf is None:
        raise BenchError("there is no C compiler for eBPF", clang.NO_COMPILER_HINT)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        build = [*NATIVE_FLAGS, "-o", "host", "bench/programs/host.c", "bench/programs/kernels.c"]
        host = build_host(cc, work)
        made = compile_ebpf(PROGRAMS / "kernels.c", cc_bpf)
        program = zeroserve.Program(made)
        python = PythonKernels.load(PROGRAMS / "kernels.py")
        kernels = [Measured(kernel.name, kernel.what) for kernel in KERNELS]
        for sample in range(1, samples + 1):
            for kernel, measured in zip(KERNELS, kernels, strict=True):
                tell(f"sample {sample}/{samples}: {kernel.what}")
                measure(kernel, measured, host, program, scale)
                if kernel.name not in NOT_IN_PYTHON:
                    python.measure(kernel, measured, host, scale)
        return Computed(
            machine=describe(work),
            version=zeroserve.__version__,
            native_compiler=_first_line([str(cc), "--version"]),
            ebpf_compiler=_first_line([*cc_bpf.command, "--version"]),
            commands=[
                " ".join(["gcc", *build]),
                " ".join([cc_bpf.name, *clang.FLAGS, "bench/programs/kernels.c"]),
            ],
            kernels=kernels,
            loading=loading(cc_bpf, loads, work, tell),
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


def compile_ebpf(source: Path, cc_bpf: clang.Compiler) -> bytes:
    """The object that the server would get of `source`."""
    try:
        return clang.compile(source, compiler=cc_bpf).object
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


@dataclass
class PythonKernels:
    """kernels.py: compiled like a script, and as CPython runs it."""

    program: zeroserve.Program
    functions: dict[str, Callable[[bytes | int, int], int]]

    @classmethod
    def load(cls, source: Path) -> PythonKernels:
        """Compile it, and import it."""
        names = [kernel.name for kernel in KERNELS]
        text = source.read_text()
        try:
            made = compiler.compile_text(text, source.name, functions=names)
        except zeroserve.Error as error:
            raise BenchError(str(error.args[0])) from error
        module = runpy.run_path(str(source))
        return cls(zeroserve.Program(made), {name: module[name] for name in names})

    def measure(self, kernel: Kernel, measured: Measured, host: Path, scale: float) -> None:
        """One sample of both; raise when their results differ from native code's."""
        rounds = max(1, round(kernel.rounds * scale))
        few = max(1, round(kernel.interpreted_rounds * scale / 4))
        data = kernel.data
        first = self.program.memory_address | len(data) << 32 if data else kernel.argument
        arguments = [first, rounds]
        run = self.program.run(data, function=kernel.name, args=[first, 1], fuel=FUEL)
        before = time.thread_time_ns()
        run = self.program.run(data, function=kernel.name, args=arguments, fuel=FUEL)
        spent = time.thread_time_ns() - before
        if run.trap is not None or run.result is None:
            raise BenchError(f"the script stopped in {kernel.name}: {run.trap}")
        before = time.thread_time_ns()
        result = self.functions[kernel.name](data or kernel.argument, few)
        slow = time.thread_time_ns() - before
        natively = native_run(host, kernel, rounds)[0], native_run(host, kernel, few)[0]
        if natively != (run.result, result & M64):
            raise BenchError(f"Python and C disagree on: {kernel.what}")
        measured.ns.setdefault(PYTHON, []).append(spent / rounds)
        measured.ns.setdefault(CPYTHON, []).append(slow / few)


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
