"""The C compiler: which one is used, and what it makes of a script.

    from zeroserve import clang

    compiled = clang.compile("guard.c")
    compiled.object         # an eBPF object, as Program and the server take it
    compiled.messages       # warnings

The same source gives the same bytes with the same compiler, wherever it lies: objects hold file
names without their directory.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from shutil import which
from typing import Literal, NamedTuple

from zeroserve import sdk
from zeroserve._core import Error
from zeroserve.words import plural, quoted, reason

__all__ = ["Compiled", "Compiler", "Message", "compile", "compilers"]

MAX_COMPILE_S = 120
"""A compiler that takes longer for one script is ended: it would hold up a reload."""

FLAGS = (
    # v3 has 32-bit operations and is what every clang since 10 knows.
    *("-mcpu=v3", "-O2", "-g", "-c"),
    # There is no C library: a missing function is an error with a line, not one when loading.
    *("-ffreestanding", "-Werror=implicit-function-declaration"),
    *("-Wall", "-Wdate-time", "-fno-color-diagnostics", "-fno-crash-diagnostics"),
    *("-fno-common", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    # No path of this machine gets into the object.
    "-fdebug-compilation-dir=.",
)

NO_COMPILER_HINT = "install clang, or a compiler from PyPI: pip install 'zeroserve[c]'"

HINTS = (
    ("stack limit", "a function has 512 bytes of stack: make large variables static"),
    ("built-in function 'mem", "copy and fill with zs_memcpy and zs_memset"),
    ("signed division", "divide unsigned numbers: this instruction set has no signed division"),
    ("No available targets", "this clang can't make eBPF; pip install 'zeroserve[c]' and take it "
     "off the PATH"),
    ("too many arguments", "a function takes five arguments: pass a pointer to a structure"),
    ("implicit declaration", "`zeroserve sdk` prints the functions there are"),
    ("call to undeclared", "`zeroserve sdk` prints the functions there are"),
)  # fmt: skip
"""Part of a compiler's message, and what to do about it."""

# What follows is for those who maintain the compiler.
_CRASH_NOISE = re.compile(r"^(PLEASE submit|Stack dump:|clang.*: error: clang frontend command)")

# clang up to 17 says so before it dumps its data structures.
_BACKEND = re.compile(r"^Error at line (?P<line>\d+): (?P<text>Unsupport.*?)(?: for DAG.*)?$")
_DUMP = re.compile(r"^fatal error: error in backend: Cannot select")
# Advice that holds in the kernel.
_ADVICE = re.compile(r"\. Please .*")

_LOCATED = re.compile(
    r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:(?P<column>\d+):)? "
    r"(?P<severity>warning|error|fatal error|note): (?P<text>.*)$"
)
_UNLOCATED = re.compile(r"^(?:[\w+./-]+: )?(?P<severity>warning|error|fatal error): (?P<text>.*)$")
_PLACE = re.compile(
    r"^(?P<before>(?:In file included from |\s+from )?)(?P<file>[^\s:][^:]*):\d+[:,]"
)


class Compiler(NamedTuple):
    """A program that makes eBPF objects of C."""

    name: str
    """``clang``, ``clang-19`` or ``ziglang``."""
    command: tuple[str, ...]
    """What to run, up to the flags."""


class Message(NamedTuple):
    """One message of the compiler."""

    severity: Literal["warning", "error"]
    file: str
    """As given to ``compile``, or a header beside it."""
    line: int
    """0 when the compiler does not say."""
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.text}"


class Compiled(NamedTuple):
    """What became of a source file."""

    object: bytes
    messages: tuple[Message, ...]
    """Warnings."""
    text: str
    """All that the compiler said, in lines."""


def compilers() -> Iterator[Compiler]:
    """Those there are, the preferred one first: ``clang``, the newest ``clang-N``, ``ziglang``."""
    names = ["clang", *(f"clang-{version}" for version in _versions())]
    for name in names:
        path = which(name)
        if path:
            # Absolute: it is run from another directory.
            yield Compiler(name, (str(Path(path).absolute()), "-target", "bpf", "-nostdlibinc"))
    if _has_ziglang():
        command = (sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding-none")
        yield Compiler("ziglang", command)


def compile(path: str | os.PathLike[str], *, compiler: Compiler | None = None) -> Compiled:
    """Compile one source file into an eBPF object.

    ``#include <zeroserve.h>`` finds the header of this version. Raises ``Error`` when there is
    no compiler, or when the source does not compile: its message has the first error with file
    and line, and its note all that the compiler said.
    """
    source = os.fspath(path)
    compiler = compiler or next(compilers(), None)
    if compiler is None:
        raise Error(f"no C compiler for {quoted(source)}", NO_COMPILER_HINT)
    _require_readable(source)
    with _temporary_directory(source) as temporary:
        done = _run(compiler, source, Path(temporary))
        text = _shown(done.stderr, os.path.dirname(source), temporary)  # noqa: PTH120
        messages = tuple(_messages(text, source))
        made = Path(temporary, "script.o")
        if done.returncode != 0 or not made.exists():
            raise _failure(source, compiler, messages, text)
        return Compiled(made.read_bytes(), messages, text)


def _temporary_directory(source: str) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="zeroserve-")
    except OSError:
        raise Error(
            f"no directory for the compiler's files: {quoted(source)} (a server that was started "
            "without scripts in C may make none: start it again)",
        ) from None


def _run(compiler: Compiler, source: str, temporary: Path) -> subprocess.CompletedProcess[bytes]:
    directory, name = os.path.split(source)
    include = temporary / "include"
    include.mkdir()
    (include / sdk.HEADER_NAME).write_text(sdk.header(), encoding="utf-8")
    command = [
        *compiler.command,
        *FLAGS,
        f"-ffile-prefix-map={include}=.",
        f"-I{include}",
        *("-o", str(temporary / "script.o")),
        # Relative, so that neither messages nor debug data depend on where it lies.
        f"./{name}" if name.startswith("-") else name,
    ]
    try:
        return subprocess.run(
            command,
            cwd=directory or None,
            env=_environment(os.environ, temporary),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=MAX_COMPILE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Error(
            f"{compiler.name} did not end within {MAX_COMPILE_S} seconds: {quoted(source)}"
        ) from None
    except OSError as error:
        raise Error(f"can't run {quoted(command[0])}: {reason(error)}") from None


def _environment(own: Mapping[str, str], temporary: Path) -> dict[str, str]:
    # Neither include paths of this machine nor its language may change what comes out.
    left_out = ("CPATH", "C_INCLUDE_PATH", "CCC_OVERRIDE_OPTIONS", "LANGUAGE")
    cleaned = {name: value for name, value in own.items() if name not in left_out}
    cache = str(temporary / "cache")
    return {
        **cleaned,
        "LC_ALL": "C.UTF-8",
        "ZIG_GLOBAL_CACHE_DIR": cache,
        "ZIG_LOCAL_CACHE_DIR": cache,
    }


def _require_readable(source: str) -> None:
    try:
        with open(source, "rb"):  # noqa: PTH123
            pass
    except OSError as error:
        raise Error(f"{reason(error)}: {quoted(source)}") from None


def _shown(stderr: bytes, directory: str, temporary: str) -> str:
    """What the compiler said, with file names as the user knows them."""
    lines: list[str] = []
    for line in stderr.decode(errors="backslashreplace").splitlines():
        if _CRASH_NOISE.match(line) or (lines and _DUMP.match(line)):
            break
        place = _PLACE.match(line)
        if place:
            name = place["file"].replace(f"{temporary}/include/", "")
            if name == place["file"] and not os.path.isabs(name):  # noqa: PTH117
                name = os.path.join(directory, name.removeprefix("./"))  # noqa: PTH118
            line = place["before"] + name + line[place.end("file") :]
        lines.append(line)
    return "\n".join(lines)


def _messages(text: str, source: str) -> Iterator[Message]:
    for line in text.splitlines():
        found = _LOCATED.match(line) or _BACKEND.match(line) or _UNLOCATED.match(line)
        if not found:
            continue
        fields = found.groupdict()
        severity = fields.get("severity")
        if severity != "note":
            yield Message(
                "warning" if severity == "warning" else "error",
                fields.get("file") or source,
                int(fields.get("line") or 0),
                _ADVICE.sub("", fields["text"]),
            )


def _failure(source: str, compiler: Compiler, messages: tuple[Message, ...], text: str) -> Error:
    errors = [message for message in messages if message.severity == "error"]
    if not errors:
        return Error(f"{compiler.name} failed: {quoted(source)}: {text[-200:].strip()}")
    message = str(errors[0])
    if len(errors) > 1:
        message += f" (and {plural(len(errors) - 1, 'more error')})"
    hint = next((hint for part, hint in HINTS if part in errors[0].text), None)
    error = Error(message, hint) if hint else Error(message)
    error.add_note(text)
    return error


def _versions() -> list[int]:
    """Versions N of the commands clang-N on the PATH, newest first."""
    found: set[int] = set()
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        try:
            names = os.listdir(directory or ".")  # noqa: PTH208
        except OSError:
            continue
        matches = (re.fullmatch(r"clang-(\d{1,3})", name) for name in names)
        found.update(int(match[1]) for match in matches if match)
    return sorted(found, reverse=True)


@cache
def _has_ziglang() -> bool:
    from importlib.util import find_spec

    return find_spec("ziglang") is not None
