"""LLVM has a process of its own, whose answers belong to one question each."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from zeroserve import compiler
from zeroserve._core import Error
from zeroserve.compiler import backend

SCRIPT = """
from zeroserve.script import Request, Response, on_request

@on_request
def answer(req: Request) -> Response | None:
    return Response(200, {text!r})
"""

FORKS = """
import os
from zeroserve.compiler import backend
backend.warm()
own = backend._start().pid
child = os.fork()
if child == 0:
    os._exit(1 if backend._start().pid == own else 0)
assert os.waitpid(child, 0)[1] == 0
assert backend._start().pid == own
"""


def of(text: str) -> bytes:
    return compiler.compile_text(SCRIPT.format(text=text))


def test_an_answer_that_nobody_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted while LLVM works: the next script gets its own object, not this one's."""
    wanted = of("second")
    real = backend._start()

    def interrupted() -> bytes:
        raise KeyboardInterrupt

    broken = SimpleNamespace(
        stdin=real.stdin, stdout=SimpleNamespace(readline=interrupted), kill=real.kill
    )
    with monkeypatch.context() as patch:
        patch.setattr(backend, "_start", lambda: broken)
        with pytest.raises(KeyboardInterrupt):
            of("first")
    assert of("second") == wanted


def test_what_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else comes out of the process ends it, and the script gets another one."""
    wanted = of("one")
    real = backend._start()
    odd = SimpleNamespace(
        stdin=real.stdin, stdout=SimpleNamespace(readline=lambda: b"oops\n"), kill=real.kill
    )
    start, times = backend._start, [odd]
    monkeypatch.setattr(backend, "_start", lambda: times.pop() if times else start())
    assert of("one") == wanted


def test_time_is_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What took too long is not tried again."""
    asked: list[None] = []

    def ask(*_: object) -> bytes:
        asked.append(None)
        raise EOFError

    monkeypatch.setattr(backend, "TIMEOUT_S", 0)
    monkeypatch.setattr(backend, "_ask", ask)
    with pytest.raises(Error, match="gave up"):
        of("one")
    assert len(asked) == 1


def test_a_fork_has_a_process_of_its_own() -> None:
    """Two that read from one pipe would get each other's objects."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], check=True)


def test_it_ends_with_its_parent() -> None:
    """It reads until the end of its input."""
    program = "from zeroserve.compiler import backend as b; b.warm(); print(b._start().pid)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        check=True,
        capture_output=True,
        text=True,
    )
    words = Path(f"/proc/{int(done.stdout)}/cmdline")
    pause = threading.Event()
    for _ in range(1000):
        # Empty: it has ended, and nobody has asked how.
        if not words.exists() or not words.read_bytes():
            return
        pause.wait(0.02)
    pytest.fail("still there")


def test_a_python_that_the_user_may_not_run(tmp_path: Path) -> None:
    """As with --user and a Python in the home of root: what is needed late was imported early."""
    (tmp_path / "app.py").write_text(SCRIPT.format(text="one"))
    program = """
import sys
from zeroserve import Error
from zeroserve.cli import confine
confine._import_late_ones()
sys.meta_path.clear()
sys.executable = "/nowhere/python"
from zeroserve import scripts
try:
    scripts.objects(sys.argv[1])
except Error as error:
    print(error.args[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "app.py")],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert done.stdout == (
        "the backend of the compiler can't be started: no such file or directory: "
        "'/nowhere/python'\n"
    )
