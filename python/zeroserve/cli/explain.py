"""``zeroserve explain FILE``: what a script asks of the server, or all of its instructions."""

import os
import sys
from collections.abc import Iterator

from zeroserve import scripts, sdk
from zeroserve._core import HELPERS, Line, Program
from zeroserve.cli.compile import made
from zeroserve.cli.flags import Options
from zeroserve.cost import costs
from zeroserve.words import printable


def run(options: Options) -> int:
    """Print; returns the exit code."""
    path = options.operands[0]
    program = scripts.load(made(path), path)
    for line in _listing(program, path) if options.asm else _calls(program):
        sys.stdout.write(line + "\n")
    return 0


def _calls(program: Program) -> Iterator[str]:
    """Each function with the helpers it calls, and what these do, up to the first full stop."""
    docs = {helper.name: helper.doc for helper in HELPERS}
    for cost in costs(program):
        yield f"{printable(cost.function.name)} in {printable(cost.function.section or '-')}"
        for name in cost.helpers:
            brief = " ".join(docs[name].split()).split(". ")[0].removesuffix(".")
            yield f"  {name}: {brief}"
        if not cost.helpers:
            yield "  calls no helper"


def _listing(program: Program, path: str) -> Iterator[str]:
    """Instructions, each run of them below the source line that it was made of."""
    sources = _Sources(os.path.dirname(path))  # noqa: PTH120
    sections = {function.name: function.section for function in program.functions()}
    function, place = "", ("", 0)
    for line in program.disassemble():
        if line.function != function:
            if function:
                yield ""
            function, place = line.function, ("", 0)
            yield f"{printable(function)} in {printable(sections.get(function) or '-')}"
        if line.line and (line.file, line.line) != place:
            place = line.file, line.line
            text = sources.text(line)
            yield f"; {printable(line.file)}:{line.line}{': ' + text if text else ''}"
        yield f"{line.slot:>6}  {printable(line.text)}"


class _Sources:
    """Lines of the source files that lie beside a script."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._files: dict[str, list[str]] = {}

    def text(self, line: Line) -> str:
        """The source line without its indentation; empty when it can't be had."""
        if line.file not in self._files:
            self._files[line.file] = self._read(line.file)
        lines = self._files[line.file]
        return printable(lines[line.line - 1].strip()) if line.line <= len(lines) else ""

    def _read(self, name: str) -> list[str]:
        if name == sdk.HEADER_NAME:
            return sdk.header().splitlines()
        # A name out of an object leads nowhere but to the files beside it.
        path = os.path.join(self._directory, os.path.basename(name))  # noqa: PTH118, PTH119
        if not path.endswith((".c", ".h")) or not os.path.isfile(path):  # noqa: PTH113
            return []
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().splitlines()
