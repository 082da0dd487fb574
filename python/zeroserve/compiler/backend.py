"""LLVM in a process of its own: text in, an eBPF object out.

LLVM ends its process for what its BPF backend can't do, so it gets one; importing it also takes
longer than most compilations, so the process stays for the next script. It reads requests from
its standard input and ends with it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

from zeroserve._core import Error
from zeroserve.words import quoted, reason

__all__ = ["close", "run"]

TIMEOUT_S = 60
_lock = threading.Lock()
_process: "subprocess.Popen[bytes] | None" = None


def run(module: str, what: str) -> bytes:
    """``what``: ``object``, ``asm`` or ``llvm`` (optimised). Raises ``Error`` when LLVM fails."""
    with _lock:
        for attempt in (1, 2):
            process = _start()
            began = time.monotonic()
            try:
                return _ask(process, module, what)
            except (OSError, EOFError, ValueError):
                # It may have been ended since the last script; a second time it is the script.
                _ended()
                if attempt == 2 or time.monotonic() - began >= TIMEOUT_S:
                    raise Error(
                        "the script could not be compiled: the compiler's backend gave up",
                        "make the functions of the script smaller",
                    ) from None
            except Error:
                raise
            except BaseException:
                # Its answer is still to come, and would be taken for that to the next script.
                process.kill()
                _ended()
                raise
    raise AssertionError


def close() -> None:
    """End the process; the next compilation starts another."""
    with _lock:
        _ended()


def warm() -> None:
    """Start the process without waiting for it."""
    with _lock:
        _start()


def _start() -> "subprocess.Popen[bytes]":
    global _process
    if _process is None or _process.poll() is not None:
        try:
            _process = subprocess.Popen(
                [sys.executable, "-P", os.path.join(os.path.dirname(__file__), "llvm_process.py")],  # noqa: PTH118, PTH120
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise Error(
                f"the backend of the compiler can't be started: {reason(error)}: "
                f"{quoted(sys.executable)}",
                "a server that began without scripts and rules has to be started again for the "
                "first; whom --user names has to be able to run Python",
            ) from None
    return _process


def _forked() -> None:
    """A process talks to its parent's backend no more: answers would go to the wrong one."""
    global _lock, _process
    _lock, _process = threading.Lock(), None


os.register_at_fork(after_in_child=_forked)


def _ended() -> None:
    global _process
    process, _process = _process, None
    if process is None:
        return
    for stream in (process.stdin, process.stdout):
        try:
            if stream is not None:
                stream.close()
        except OSError:
            pass
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ask(process: "subprocess.Popen[bytes]", module: str, what: str) -> bytes:
    assert process.stdin is not None and process.stdout is not None
    data = module.encode("utf-8", "surrogatepass")
    head = json.dumps({"bytes": len(data), "what": what}).encode()
    timer = threading.Timer(TIMEOUT_S, process.kill)
    timer.daemon = True
    timer.start()
    try:
        process.stdin.write(head + b"\n" + data)
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Error(
                "the script could not be compiled: the compiler made code that its backend refuses",
                "please report this with the script; meanwhile write the function another way",
            )
        result = process.stdout.read(answer["bytes"])
        if len(result) != answer["bytes"]:
            raise EOFError
        return result
    finally:
        timer.cancel()
