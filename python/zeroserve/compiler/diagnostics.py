"""What is wrong with a script, in words for its author: where, what, and what to write instead."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from zeroserve._core import Error

__all__ = ["CompileError", "Diagnostic", "Refusal"]


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong. Lines and columns count from 1."""

    path: str
    line: int
    column: int
    message: str
    hint: str | None = None
    source: str | None = None
    """The line, without its end."""

    def __str__(self) -> str:
        lines = [f"{self.path}:{self.line}:{self.column}: error: {self.message}"]
        if self.source is not None:
            text = self.source.expandtabs(1)
            lines.append(f"    {text}")
            lines.append("    " + " " * min(self.column - 1, len(text)) + "^")
        if self.hint is not None:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class CompileError(Error):
    """A script is refused. ``diagnostics`` are in the order of the text."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)))


class Refusal(Exception):
    """Something at a place in the source can't be compiled."""

    def __init__(self, node: ast.AST | None, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.node = node
        self.message = message
        self.hint = hint
