"""Making archives: with `zeroserve pack`, and with GNU tar."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.errors import BenchError


def pack(zeroserve: Path, root: Path, archive: Path) -> None:
    """Make `archive` of the files in `root`, indexed as `zeroserve pack` does."""
    _run([str(zeroserve), "pack", str(root), "-o", str(archive)])


def gnu_tar(root: Path, archive: Path) -> None:
    """Make `archive` of the files in `root` the way anyone would: no index in it."""
    _run(["tar", "cf", str(archive), "-C", str(root), "."])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        said = last[0] if last else f"exit status {done.returncode}"
        raise BenchError(f"cannot make {Path(command[-1]).name}: {said}")
