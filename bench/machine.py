"""The machine a result was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Enough to judge whether two results may be compared."""

    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    system: str
    python: str
    work_filesystem: str


def describe(work: Path) -> Machine:
    """This machine; `work` is the directory the measured files are in."""
    return Machine(
        cpu=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) * 1024,
        kernel=f"{platform.system()} {platform.release()}",
        system=_system(),
        python=platform.python_version(),
        work_filesystem=_filesystem(work),
    )


def _field(path: str, name: str) -> str | None:
    """The value of the first `name: value` line of a /proc file."""
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"


def _filesystem(path: Path) -> str:
    """The type of the file system `path` is on: the longest mount point that holds it."""
    best = (0, "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _device, mount, kind = line.split()[:3]
        if path.resolve().is_relative_to(mount):
            best = max(best, (len(mount), kind))
    return best[1]
