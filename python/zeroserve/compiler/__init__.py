"""Scripts in Python, compiled to eBPF: a typed subset, faithful to CPython or stopped.

    from zeroserve.compiler import compile_file

    object = compile_file("guard.py").object

A script goes through ``scope`` (names), ``check`` (types, to the form of ``tree``), ``lower`` (LLVM
text) and ``backend`` (LLVM in a process of its own).
"""

import ast
import hashlib
import io
import os
import sys
import threading
import tokenize
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from zeroserve._core import Error
from zeroserve.compiler import backend, check, lower, tree
from zeroserve.compiler.bindings import FunctionDecl
from zeroserve.compiler.diagnostics import CompileError, Diagnostic, Refusal
from zeroserve.compiler.scope import Scope, module_path
from zeroserve.compiler.tree import Local
from zeroserve.compiler.types import BOOL, INT, NONE, REQUEST
from zeroserve.words import quoted, reason

__all__ = [
    "CompileError",
    "Compiled",
    "Diagnostic",
    "close",
    "compile_file",
    "compile_text",
    "emit",
    "is_helper",
    "version",
]

MAX_SOURCE_BYTES = 16 << 20
"""As much as the rules of a site can become."""

MAX_MODULES = 64
MAX_DIAGNOSTICS = 50
_warnings = threading.Lock()
"""Who may change what becomes of warnings, which is the same for all threads."""
SECTIONS = {"on_request": "zeroserve.request", "on_response": "zeroserve.response"}


@dataclass(frozen=True)
class Compiled:
    """What a script becomes."""

    object: bytes
    """ELF, for eBPF; empty of a module without hooks."""
    files: tuple[str, ...]
    """The script, then the modules that it imports: what the result depends on."""
    hooks: int
    """Functions that the server calls."""


@cache
def version() -> str:
    """Changes when the compiler does: of its own sources and the versions of LLVM and of Python,
    which parses scripts and computes their constants."""
    from importlib import metadata

    digest = hashlib.sha256(f"{metadata.version('llvmlite')}\0{sys.version}\0".encode())
    directory = os.path.dirname(__file__)  # noqa: PTH120
    for name in sorted(os.listdir(directory)):  # noqa: PTH208
        if name.endswith(".py"):
            with open(os.path.join(directory, name), "rb") as file:  # noqa: PTH118, PTH123
                digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()[:16]


def compile_file(path: str, *, search: Sequence[str] | None = None) -> Compiled:
    """Compile a script. ``search``: directories of modules, after the script's own.

    Raises ``CompileError`` with everything that is wrong, ``Error`` for a file that can't be read.
    """
    program, files, hooks = _checked(path, search or ())
    if not hooks:
        return Compiled(b"", files, 0)
    text = lower.module(program, os.path.basename(path))  # noqa: PTH119
    return Compiled(backend.run(text, "object"), files, hooks)


def compile_text(source: str, path: str = "script.py", *, functions: Sequence[str] = ()) -> bytes:
    """The object of a script that is no file; it imports no modules of its own.

    ``functions``: names of some that ``Program.run`` can start by themselves. Their arguments are
    words as compiled scripts have them: an int, or address and length << 32 of bytes.
    """
    front = _Front(())
    program, hooks = front.program(path, source, functions)
    if not hooks and not functions:
        raise Error(f"{quoted(path)}: no function is a hook", "decorate one with @on_request")
    return backend.run(lower.module(program, path), "object")


def emit(path: str, what: str, *, search: Sequence[str] | None = None) -> str:
    """A stage of the compilation as text: ``ir``, ``llvm`` or ``asm``."""
    program, _, _ = _checked(path, search or ())
    if what == "ir":
        return tree.show(program)
    text = lower.module(program, os.path.basename(path))  # noqa: PTH119
    return backend.run(text, what).decode("utf-8", "replace")


def close() -> None:
    """End the process that LLVM runs in; the next compilation starts another."""
    backend.close()


def is_helper(path: str) -> bool:
    """Whether a file has no hooks: then it is a module of scripts, and none itself.

    A file that is no Python counts as a script, so that its error is not overlooked.
    """
    try:
        module = _parsed(_read(path), path)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                name = decorator.attr if isinstance(decorator, ast.Attribute) else None
                name = decorator.id if isinstance(decorator, ast.Name) else name
                if name is not None:
                    return False
    return True


def _checked(path: str, search: Sequence[str]) -> tuple[tree.Program, tuple[str, ...], int]:
    front = _Front(search)
    program, hooks = front.program(path, _read(path))
    return program, tuple(front.scopes), hooks


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise Error(f"can't read {quoted(path)}: {reason(error)}") from None
    if len(data) > MAX_SOURCE_BYTES:
        raise Error(f"{quoted(path)}: a script of more than {MAX_SOURCE_BYTES} bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        encoding = "another"
    if encoding not in ("utf-8", "utf-8-sig"):
        line = next((n for n, text in enumerate(data.splitlines()[:2], 1) if b"coding" in text), 1)
        message, hint = "an encoding other than UTF-8", "save the file as UTF-8, without a cookie"
        raise CompileError([Diagnostic(path, line, 1, message, hint)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CompileError([Diagnostic(path, line, 1, "not UTF-8")]) from None


class _Front:
    """Reads a script and its modules, and gathers what is wrong with them."""

    def __init__(self, search: Sequence[str]) -> None:
        self.search = list(search)
        self.scopes: dict[str, Scope] = {}
        self.loading: list[str] = []
        self.found: list[Diagnostic] = []

    def program(
        self, path: str, source: str, exported: Sequence[str] = ()
    ) -> tuple[tree.Program, int]:
        scope = self.scope(path, source)
        checked = check.Checked(self.report)
        hooks = []
        functions = [declared for scope in self.scopes.values() for declared in scope.functions]
        for declared in functions:
            try:
                checked.function_of(declared, declared.node)
                checked.check(declared)
            except Refusal as refusal:
                self.report(declared.scope, refusal)
            except RecursionError:
                text = f"the types of {declared.node.name}() are nested too deep"
                self.report(declared.scope, Refusal(declared.node, text))
            if declared.hook is not None and declared.scope is scope:
                hooks.append(declared)
            elif declared.hook is not None:
                self.report(
                    declared.scope,
                    Refusal(
                        declared.node,
                        "a hook in a module that another script imports",
                        "move what both need into a module without hooks",
                    ),
                )
        if self.found:
            self.found.sort(key=lambda d: (d.path != path, d.path, d.line, d.column))
            raise CompileError(list(dict.fromkeys(self.found))[:MAX_DIAGNOSTICS])
        entries = [_entry(declared) for declared in hooks]
        for declared in functions:
            if declared.node.name in exported and declared.function is not None:
                declared.function.section = SECTIONS["on_request"]
                entries.append(declared.function)
        used = _reachable(entries) - set(entries)
        listed = [function for function in checked.functions if function in used]
        return tree.Program(path, [*entries, *listed], checked.patterns), len(hooks)

    def scope(self, path: str, source: str) -> Scope:
        scope = Scope(path, source, self.report, self.load)
        if self.scopes:
            scope.table_prefix = os.path.basename(path).removesuffix(".py") + ":"  # noqa: PTH119
        self.scopes[path] = scope
        try:
            module = _parsed(source, path)
        except SyntaxError as error:
            line, column = max(error.lineno or 1, 1), max(error.offset or 1, 1)
            text = _line_of(scope, line)
            if text is not None:
                column = min(column, len(text) + 1)
            message = (error.msg or "invalid syntax").removesuffix(".")
            message = f"{message[:1].lower()}{message[1:]}"
            self.found.append(Diagnostic(path, line, column, message, None, text))
            raise CompileError(self.found) from None
        except (ValueError, RecursionError, MemoryError) as error:
            message = str(error) or "nested too deep"
            self.found.append(Diagnostic(path, 1, 1, message))
            raise CompileError(self.found) from None
        self.loading.append(path)
        try:
            scope.define(module)
        except RecursionError:
            self.found.append(Diagnostic(path, 1, 1, "an expression that is nested too deep"))
        self.loading.pop()
        return scope

    def load(self, importer: Scope, name: str, stmt: ast.stmt) -> Scope | None:
        path = module_path(importer.path, name, self.search)
        if path is None:
            return None
        if path in self.loading:
            raise Refusal(stmt, f"{name} imports the module that imports it")
        if path in self.scopes:
            return self.scopes[path]
        if len(self.scopes) >= MAX_MODULES:
            raise Refusal(stmt, f"more than {MAX_MODULES} modules")
        return self.scope(path, _read(path))

    def report(self, scope: Scope, refusal: Refusal) -> None:
        if not refusal.message:
            return
        node = refusal.node
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        text = _line_of(scope, line)
        if text is not None:  # the offset counts bytes
            column = len(text.encode("utf-8", "replace")[:column].decode("utf-8", "replace"))
        self.found.append(
            Diagnostic(scope.path, line, column + 1, refusal.message, refusal.hint, text)
        )


def _parsed(source: str, path: str) -> ast.Module:
    """The syntax tree. Raises SyntaxError, and what else CPython does about a text like this."""
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = ast.parse(source, path)
        # CPython finds some mistakes later only: break without a loop, a parameter twice.
        compile(module, path, "exec", dont_inherit=True)
    return module


def _line_of(scope: Scope, line: int) -> str | None:
    return scope.lines[line - 1].rstrip() if 0 < line <= len(scope.lines) else None


def _entry(declared: FunctionDecl) -> tree.Function:
    """What the server calls: the hook, and for a request what it decided."""
    function = declared.function
    assert function is not None and declared.hook is not None
    section = SECTIONS[declared.hook]
    entry = tree.Function(function.name, function.path, function.line, [], INT, section=section)
    entry.calls = {function}
    line = function.line
    request = tree.Op("request", [], None, type=REQUEST, line=line)
    hidden = [tree.constant(None, slot.type) for slot in function.params[1:]]
    call = tree.Call(function, [request, *hidden], type=function.result, line=line)
    if function.result == NONE:
        entry.body = [tree.Do(call, line=line)]
    else:
        slot = tree.Slot("answer", function.result)
        answer = Local(slot, type=function.result, line=line)
        none = tree.IsNone(answer, type=BOOL, line=line)
        give = tree.Do(tree.Helper("zs_py_answer", [answer], type=NONE, line=line), line=line)
        entry.body = [tree.Store(slot, call, line=line), tree.If(none, [], [give], line=line)]
    entry.body.append(tree.Return(tree.constant(0, INT, line), line=line))
    return entry


def _reachable(entries: list[tree.Function]) -> set[tree.Function]:
    found: set[tree.Function] = set()
    waiting = list(entries)
    while waiting:
        function = waiting.pop()
        if function not in found:
            found.add(function)
            waiting += function.calls
    return found
