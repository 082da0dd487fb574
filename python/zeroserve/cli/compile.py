"""``zeroserve compile FILE``: make an object of a script, verify it, say what it is."""

import sys
from collections.abc import Iterator

from zeroserve import clang, scripts
from zeroserve._core import Error, Program
from zeroserve.cli.flags import Options, UsageError
from zeroserve.cli.terminal import say_lines
from zeroserve.cost import Cost, costs
from zeroserve.words import plural, printable, quoted


def run(options: Options) -> int:
    """Compile and verify; returns the exit code."""
    path = options.operands[0]
    if options.emit:
        text = _emitted(path, options.emit)
        _write(options.output or "-", text.encode())
        return 0
    object = made(path)
    if not object and path.endswith(".py"):
        if options.output:
            raise Error(f"no hooks, so there is no object to write: {quoted(path)}")
        sys.stdout.write("a module for scripts to import: no hooks in it\n")
        return 0
    program = scripts.load(object, path)
    if options.output:
        _write(options.output, object)
    if options.output != "-":
        facts = _json(program) if options.json else _table(program)
        for line in facts:
            sys.stdout.write(line + "\n")
    return 0


def made(path: str) -> bytes:
    """The object of a script; the compiler's warnings are printed."""
    parts = scripts.split(path)
    if parts is None:
        raise Error(f"not a script: {quoted(path)}", "give a .py, .c or .o file")
    if parts[1] != ".c":
        return scripts.compiled(path)
    compiled = clang.compile(path)
    say_lines(compiled.text)
    return compiled.object


def _emitted(path: str, form: str) -> str:
    """A form of a script that is not an object."""
    if path.endswith(".py"):
        from zeroserve import compiler  # late: only Python needs it

        text: str = compiler.emit(path, form)
        return text if text.endswith("\n") else text + "\n"
    if form != "asm":
        raise UsageError(f"--emit {form}: {quoted(path)} is not a script in Python", "--emit asm")
    from zeroserve.cli.explain import listing

    return "".join(f"{line}\n" for line in listing(scripts.load(made(path), path), path))


def _write(output: str, object: bytes) -> None:
    from zeroserve.pack.output import output as opened

    with opened(output) as file:
        file.write(object)


def _table(program: Program) -> Iterator[str]:
    found = costs(program)
    width = max(len(cost.function.name) for cost in found)
    for cost in found:
        place = cost.function.section or "-"
        yield (
            f"{printable(cost.function.name):<{width}}  {printable(place)}: "
            f"{plural(cost.instructions, 'instruction')}, "
            f"frame {cost.function.frame_bytes} B, {_fuel(cost)}"
        )
    slots = sum(cost.instructions for cost in found)
    yield (
        f"verified: {plural(len(found), 'function')}, {plural(slots, 'instruction')}, "
        f"{program.code_bytes():,} bytes of machine code"
    )


def _fuel(cost: Cost) -> str:
    if cost.fuel is not None:
        return f"fuel up to {cost.fuel:,}"
    loops = ", ".join(cost.loops) or "in what it calls"
    return f"fuel depends on loops: {loops}"


def _json(program: Program) -> Iterator[str]:
    import json

    for cost in costs(program):
        row = {
            **cost.function._asdict(),
            "instructions": cost.instructions,
            "fuel": cost.fuel,
            "loops": cost.loops,
            "helpers": cost.helpers,
        }
        yield json.dumps(row, ensure_ascii=False)
