"""``zeroserve explain``: what becomes of a request, or what a script asks of the server."""

import os
import sys
from collections.abc import Iterator

from zeroserve import scripts
from zeroserve._core import HELPERS, Program
from zeroserve.cli.compile import made
from zeroserve.cli.flags import Options, UsageError
from zeroserve.cli.sources import Sources
from zeroserve.cost import costs
from zeroserve.words import printable


def run(options: Options) -> int:
    """Print; returns the exit code."""
    path, *request = options.operands
    if request:
        from zeroserve.cli import explain_request  # late: a listing needs none of it

        *method, target = request
        return explain_request.run(options, path, method[0] if method else "GET", target)
    if os.path.isdir(path) or scripts.split(path) is None:  # noqa: PTH112
        raise UsageError("METHOD and PATH are missing", f"zeroserve explain {path} GET /")
    program = scripts.load(made(path), path)
    for line in listing(program, path) if options.asm else _calls(program):
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


def listing(program: Program, path: str) -> Iterator[str]:
    """Instructions, each run of them below the source line that it was made of."""
    sources = Sources(os.path.dirname(path))  # noqa: PTH120
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
            text = sources.text(line.file, line.line)
            yield f"; {printable(line.file)}:{line.line}{': ' + text if text else ''}"
        yield f"{line.slot:>6}  {printable(line.text)}"
