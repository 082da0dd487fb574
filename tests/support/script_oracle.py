"""What becomes of a script: refused or compiled; and what it answers, natively and in CPython.

A script has to end in an object or in messages for who wrote it, within seconds. What it then
answers has to be what CPython answers, unless a limit of compiled scripts stops it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from zeroserve import compiler
from zeroserve._core import Error, Program, Site
from zeroserve.compiler.diagnostics import CompileError, Diagnostic
from zeroserve.testing import Client, Response

COMPILE_S = 60
RUN_S = 10

LIMIT = re.compile(
    r"does not fit in 64 bits|bytes for what it makes|a limit of|too deep|stack|instructions"
    r"|ran out of fuel|fuel|MemoryError|RecursionError|longer than|more than"
)
"""What the line in the log says of a script that a limit stopped."""

HINTS = ("please report this",)
"""Words of errors that say that the compiler, not the script, is wrong."""


class Finding(Exception):
    """Something that must not happen."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class TooLong(BaseException):
    """Time is up; no Exception, so that nobody takes it for one of their own."""


class Answer(NamedTuple):
    """What a client sees, and what the log says."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    log: str


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Ends a block that takes longer."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def compiled(path: Path) -> bytes | list[Diagnostic]:
    """The object of a script, or why there is none. Raises ``Finding`` for anything else."""
    try:
        with at_most(COMPILE_S), warnings.catch_warnings():
            warnings.simplefilter("error")
            made = compiler.compile_file(str(path)).object
    except CompileError as error:
        for diagnostic in error.diagnostics:
            check_message(diagnostic)
        if not error.diagnostics:
            raise Finding("no message", "an empty CompileError") from None
        return error.diagnostics
    except Error as error:
        raise Finding("backend", " ".join(map(str, error.args))) from error
    except TooLong:
        compiler.close()
        raise Finding("hang", f"more than {COMPILE_S} s to compile") from None
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.name}"
        raise Finding(f"{type(error).__name__} in {place}", str(error)[:300]) from error
    if made:
        try:
            Program(made)
        except Error as error:
            if "instructions, at " in str(error.args[0]):
                return []  # more than a function may have
            raise Finding("refused by the loader", str(error.args[0])) from error
    return made


_SHOUTED = re.compile(r"[A-Z]?[a-z ]")


def check_message(diagnostic: Diagnostic) -> None:
    """The style of messages: one line, no full stop, nothing of the compiler's own classes."""
    for text in (diagnostic.message, diagnostic.hint or "x"):
        wrong = (
            "empty"
            if not text.strip()
            else "full stop"
            if text.endswith(".") and not text.endswith("...")
            else "several lines"
            if "\n" in text
            else "its own classes"
            if re.search(r"<ast|object at 0x|<class|Traceback", text)
            else None
        )
        if wrong:
            raise Finding(f"message with {wrong}", repr(text))
    source = diagnostic.source
    if diagnostic.line < 1 or diagnostic.column < 1:
        raise Finding("place", str(diagnostic))
    if source is not None and diagnostic.column > len(source) + 1:
        raise Finding("column behind the line", str(diagnostic))


Ask = Callable[[Client], Response]


def answers(client: Client, ask: Ask) -> Answer:
    """What a client gets to see, and what is written to standard error meanwhile."""
    with said() as log:
        try:
            response = ask(client)
        except Error as error:  # abort() gives no answer
            return Answer(0, (), str(error).encode(), log())
        for _ in range(20):  # the log is written by a thread of its own
            if response.status != 500 or log():
                break
            time.sleep(0.01)
        text = log()
    headers = tuple(sorted((n, v) for n, v in response.headers.items() if n != "date"))
    return Answer(response.status, headers, response.body, text)


@contextmanager
def said() -> Iterator[Callable[[], str]]:
    """What is written to standard error of this process, also by what is not Python."""

    def log() -> str:
        sys.stderr.flush()
        return os.pread(file.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    sys.stderr.flush()
    # Both are replaced: whoever captures output may have replaced one of them, too.
    with tempfile.TemporaryFile("w", encoding="utf-8", errors="replace") as file:
        before, stream = os.dup(2), sys.stderr
        os.dup2(file.fileno(), 2)
        sys.stderr = file
        try:
            yield log
        finally:
            sys.stderr.flush()
            sys.stderr = stream
            os.dup2(before, 2)
            os.close(before)


def native(path: Path, object: bytes) -> Client:
    """A client of a compiled script."""
    client = Client.__new__(Client)
    client._scripts = None
    client._site = Site(str(path.parent), scripts=[(path.stem, object)])
    return client


def compared(path: Path, object: bytes, asks: list[Ask]) -> str:
    """``same`` or ``limit``. Raises ``Finding`` when the engines answer differently."""
    result = "same"
    ours = native(path, object)
    try:
        with at_most(RUN_S), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as that of "a" is None
            theirs = Client(path, engine="cpython")
    except TooLong:
        return "limit"
    except Error as error:
        raise Finding("compiled, but CPython can't import it", str(error.args[0])) from error
    for ask in asks:
        with at_most(RUN_S):
            one = answers(ours, ask)
            # Each place is named once by a site; another has tables of its own, though.
            named = (
                one.log if one.status != 500 else one.log or answers(native(path, object), ask).log
            )
        if one.status == 500 and LIMIT.search(named):
            return "limit"  # and what tables hold may differ from here on
        try:
            with at_most(RUN_S):
                two = answers(theirs, ask)
        except TooLong:
            raise Finding("CPython does not end", one.log) from None
        if one[:3] != two[:3]:
            raise Finding("different answers", f"native {one}\n      cpython {two}")
        if one.log and raised(one.log) != raised(two.log):
            raise Finding("different exceptions", f"native {one.log}      cpython {two.log}")
    return result


def raised(log: str) -> list[str]:
    """Exceptions that the log names, without the places: functions may be inlined."""
    lines = [re.sub(r"^zeroserve: script [^:]*: ", "", line) for line in log.splitlines()]
    lines = [re.sub(r"^\w+\.(?=Error:)", "", line) for line in lines]  # binascii.Error
    return [re.sub(r" in \S+(?: at \S+)?; answered 500$", "", line) for line in lines]
