"""What /proc says about a process and all its descendants: CPU time, memory, core use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# CPU time by (pid, tid), in nanoseconds.
CpuTimes = dict[tuple[int, int], int]


def tree(pid: int) -> list[int]:
    """`pid` and its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue  # it ended while we were looking
        # The name in parentheses may hold spaces: count fields after the last one.
        parent = int(stat[stat.rindex(")") + 2 :].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for member in found:
        found.extend(children.get(member, []))
    return found


def cpu_times(pid: int) -> CpuTimes:
    """Nanoseconds on a CPU of every thread of `pid` and its descendants.

    schedstat's first field counts user and kernel time to the nanosecond; utime and stime
    of /proc/PID/stat are sampled by ticks on most kernels, too coarse for short rounds.
    """
    times: CpuTimes = {}
    for member in tree(pid):
        try:
            threads = list((PROC / str(member) / "task").iterdir())
        except OSError:
            continue
        for thread in threads:
            try:
                first = (thread / "schedstat").read_text().split()[0]
            except OSError:
                continue
            times[member, int(thread.name)] = int(first)
    return times


def cpu_spent(before: CpuTimes, after: CpuTimes) -> tuple[int, int]:
    """Nanoseconds spent between two readings, and how many threads ended in between.

    What an ended thread spent is lost, so a reading with any is not to be trusted.
    """
    spent = sum(time - before.get(thread, 0) for thread, time in after.items())
    return spent, len(before.keys() - after.keys())


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process tree, in bytes.

    `pss` shares a page among the processes that map it; `rss` counts it in each of them.
    `anonymous` is the part of `rss` that no file backs.
    """

    rss: int
    pss: int
    anonymous: int


def memory(pid: int) -> Memory:
    """Resident memory of `pid` and its descendants, from smaps_rollup."""
    kib = {"Rss": 0, "Pss": 0, "Anonymous": 0}
    for member in tree(pid):
        try:
            lines = (PROC / str(member) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition(":")
            if key in kib:
                kib[key] += int(value.split()[0])
    return Memory(kib["Rss"] * 1024, kib["Pss"] * 1024, kib["Anonymous"] * 1024)


@dataclass(frozen=True)
class CoreTime:
    """Seconds since boot that one core was at work, and that the hypervisor took from it."""

    busy: float
    stolen: float


def core_time(core: int) -> CoreTime:
    """How `core` has spent its time so far (resolution: one tick, usually 10 ms)."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            busy = user + nice + system + irq + softirq
            return CoreTime(busy / TICKS_PER_SECOND, steal / TICKS_PER_SECOND)
    raise ValueError(f"no such core: {core}")
