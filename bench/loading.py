"""Loading programs: how long one takes, and what many of them leave in memory.

Objects are made of a generated source in four sizes, up to 2,000 instructions; each load has
another constant in it. Memory is that of a process which does nothing else: this module, run
with the objects as arguments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zeroserve
from zeroserve import clang

from bench import proc
from bench.errors import BenchError
from bench.stats import Spread, spread

INSTRUCTIONS = 2000
# The sizes that take turns in memory, as shares of it.
SHARES = (0.25, 0.5, 0.75, 1.0)
# Loads that are timed.
TIMED = 25
# Loads before memory is first looked at: what the allocator keeps is there by then.
SETTLED = 50

# Constant of the source that is another in each load: its bytes are found in the object.
MARK = 0x2B5EED17
BLOCKS = 10


@dataclass(frozen=True)
class Loading:
    """What was loaded, and what it took."""

    instructions: int
    object_bytes: int
    code_bytes: int
    # Milliseconds to verify and compile, of each load.
    wall_ms: list[float]
    cpu_ms: list[float]
    loads: int
    # Resident memory after `SETTLED` loads, after a tenth more of them, and so on to the end.
    rss_bytes: list[int]

    def wall(self) -> Spread | None:
        """Milliseconds from object to machine code."""
        return spread(self.wall_ms)

    def cpu(self) -> Spread | None:
        """Milliseconds of CPU time from object to machine code."""
        return spread(self.cpu_ms)

    def growth(self) -> float | None:
        """Memory after all loads by that after the first of them."""
        return self.rss_bytes[-1] / self.rss_bytes[0] if self.rss_bytes else None


def loading(
    compiler: clang.Compiler, loads: int, work: Path, tell: Callable[[str], None]
) -> Loading:
    """Time loads of the largest, then watch the memory of `loads` loads of all sizes."""
    tell("loading: making objects")
    objects: list[Path] = []
    for share in SHARES:
        made = make_object(compiler, round(INSTRUCTIONS * share), work)
        path = work / f"load-{len(objects)}.o"
        path.write_bytes(made)
        objects.append(path)
    wall_ms, cpu_ms, code_bytes = [], [], 0
    for number in range(TIMED):
        tell(f"loading: {number + 1}/{TIMED}")
        # Verified here without being counted, since compiling verifies once more.
        program = zeroserve.Program(variant(made, number))
        wall, cpu = time.perf_counter(), time.process_time()
        code_bytes = program.code_bytes()
        wall_ms.append((time.perf_counter() - wall) * 1e3)
        cpu_ms.append((time.process_time() - cpu) * 1e3)
    tell(f"loading: memory of {loads:,} loads")
    command = [sys.executable, "-m", "bench.loading", str(loads), *map(str, objects)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"loading failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return Loading(
        instructions=count_instructions(made),
        object_bytes=len(made),
        code_bytes=code_bytes,
        wall_ms=wall_ms,
        cpu_ms=cpu_ms,
        loads=loads,
        rss_bytes=json.loads(done.stdout),
    )


def make_object(compiler: clang.Compiler, instructions: int, work: Path) -> bytes:
    """An object of about so many instructions: how many a function takes is tried first."""
    few, more = (_compile(compiler, source(count), work) for count in (2, 4))
    each = (count_instructions(more) - count_instructions(few)) / 2
    return _compile(compiler, source(max(1, round(instructions / each))), work)


def source(functions: int) -> str:
    """C with so many functions of the same length: arithmetic, branches, loads and stores."""
    parts = ["typedef unsigned char u8;\ntypedef unsigned long long u64;\nstatic u8 data[256];\n"]
    for name in range(functions):
        lines = [
            f"    x = x * {1009 + 2 * (name * BLOCKS + i)}u + data[x & 255];\n"
            f"    if (x & {1 << (i + 3)}u) x ^= x >> {i + 1}; else data[x >> 8 & 255] = (u8)x;\n"
            for i in range(BLOCKS)
        ]
        head = f"static __attribute__((noinline)) u64 step_{name}(u64 x)\n{{\n"
        parts.append(f"{head}{''.join(lines)}    return x;\n}}\n")
    calls = "".join(f"    x = step_{name}(x);\n" for name in range(functions))
    entry = '__attribute__((section("zeroserve.request"), used)) u64 entry(u64 x)\n{\n'
    return f"{''.join(parts)}{entry}    x ^= {MARK:#x}u;\n{calls}    return x;\n}}\n"


def variant(made: bytes, number: int) -> bytes:
    """The same object with another constant."""
    mark = MARK.to_bytes(4, "little")
    if mark not in made:
        raise BenchError("the object does not hold the constant that is to be changed")
    return made.replace(mark, (MARK + number + 1 & 0x7FFFFFFF).to_bytes(4, "little"))


def count_instructions(made: bytes) -> int:
    """How many there are in an object."""
    return len(zeroserve.Program(made).disassemble())


def _compile(compiler: clang.Compiler, text: str, work: Path) -> bytes:
    path = work / "load.c"
    path.write_text(text)
    return clang.compile(path, compiler=compiler).object


def watch(loads: int, objects: list[bytes]) -> list[int]:
    """Load that many programs, one after the other; resident memory on the way, in bytes."""
    seen = []
    for number in range(SETTLED + loads + 1):
        if number >= SETTLED and (number - SETTLED) % max(1, loads // 10) == 0:
            seen.append(proc.memory(os.getpid()).rss)
        zeroserve.Program(variant(objects[number % len(objects)], number)).code_bytes()
    return seen


if __name__ == "__main__":
    print(watch(int(sys.argv[1]), [Path(name).read_bytes() for name in sys.argv[2:]]))
