"""What the functions of a program can cost: a bound of their fuel, or the loops that have none.

from zeroserve.cost import costs

for cost in costs(Program(object)):
    print(cost.function.name, cost.fuel)
"""

import re
from collections import defaultdict
from typing import NamedTuple

from zeroserve._core import HELPERS, Function, Line, Program

__all__ = ["Cost", "costs"]

_HELPERS = {helper.name: helper for helper in HELPERS}
_GOTO = re.compile(r"(?P<condition>if .* )?goto (?P<distance>[+-]\d+)$")
_CALL = re.compile(r"call (?P<name>\S+)$")

CALL_TRAP = "__bpf_trap"


class Cost(NamedTuple):
    """What is known of one function before it runs."""

    function: Function
    instructions: int
    fuel: int | None
    """Most fuel of one call, with the functions that it calls, but without what helpers charge
    for the bytes they work on. None: it has loops, and how often they turn is not known."""
    loops: tuple[str, ...]
    """``guard.c:12`` for each loop of the function itself."""
    helpers: tuple[str, ...]
    """Names of the helpers that it calls itself, sorted."""


def costs(program: Program) -> list[Cost]:
    """One for each function, in the order of the object."""
    lines: defaultdict[str, list[Line]] = defaultdict(list)
    for line in program.disassemble():
        lines[line.function].append(line)
    known: dict[str, int | None] = {}
    return [
        Cost(
            function,
            len(lines[function.name]),
            _fuel(function.name, lines, known, ()),
            _loops(lines[function.name]),
            _called_helpers(lines[function.name]),
        )
        for function in program.functions()
    ]


def _fuel(
    name: str,
    lines: dict[str, list[Line]],
    known: dict[str, int | None],
    callers: tuple[str, ...],
) -> int | None:
    if name in callers:
        return None
    if name not in known:
        known[name] = _longest(name, lines, known, callers)
    return known[name]


def _longest(
    name: str,
    lines: dict[str, list[Line]],
    known: dict[str, int | None],
    callers: tuple[str, ...],
) -> int | None:
    """The dearest way through a function, or None when it may go round in circles."""
    most: dict[int, int] = {}
    following: int | None = None
    for line in reversed(lines[name]):
        own: int | None = 1
        called = _CALL.match(line.text)
        if called and called["name"] != CALL_TRAP:
            own = _called(called["name"], lines, known, (*callers, name))
        if own is None or line.text.startswith("callx "):
            return None
        jump = _GOTO.match(line.text)
        ways = set()
        if jump:
            ways.add(line.slot + 1 + int(jump["distance"]))
        ends = line.text == "exit" or (jump and not jump["condition"])
        if following is not None and not ends:
            ways.add(following)
        if not ways <= most.keys():
            return None  # backwards
        most[line.slot] = own + max((most[way] for way in ways), default=0)
        following = line.slot
    return most.get(0, 0)


def _called(
    name: str,
    lines: dict[str, list[Line]],
    known: dict[str, int | None],
    callers: tuple[str, ...],
) -> int | None:
    helper = _HELPERS.get(name)
    inner = helper.fuel if helper else _fuel(name, lines, known, callers)
    return None if inner is None else 1 + inner


def _loops(lines: list[Line]) -> tuple[str, ...]:
    found = {}
    for line in lines:
        jump = _GOTO.match(line.text)
        if jump and int(jump["distance"]) < 0:
            target = line.slot + 1 + int(jump["distance"])
            found[target] = _place(lines, target, line.slot)
    return tuple(dict.fromkeys(place for _, place in sorted(found.items())))


def _place(lines: list[Line], first: int, last: int) -> str:
    """Where a loop is in the source: the first line in it that is not the SDK's own, if any."""
    inside = [line for line in lines if first <= line.slot <= last and line.line]
    own = [line for line in inside if line.file != "zeroserve.h"]
    for line in own or inside:
        return f"{line.file}:{line.line}"
    return f"instruction {first}"


def _called_helpers(lines: list[Line]) -> tuple[str, ...]:
    names = (_CALL.match(line.text) for line in lines)
    return tuple(sorted({found["name"] for found in names if found} & set(_HELPERS)))
