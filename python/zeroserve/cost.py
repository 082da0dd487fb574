"""What the functions of a program can cost: a bound of their fuel, or the loops that have none.

from zeroserve.cost import costs

for cost in costs(Program(object)):
    print(cost.function.name, cost.fuel)
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
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
    bounds = _bounds(lines)
    return [
        Cost(
            function,
            len(lines[function.name]),
            bounds.get(function.name),
            _loops(lines[function.name]),
            _called_helpers(lines[function.name]),
        )
        for function in program.functions()
    ]


def _bounds(lines: Mapping[str, list[Line]]) -> dict[str, int | None]:
    """The most fuel of each function. Calls may be nested as deep as an object likes, so this
    keeps a list of what is under way rather than call itself."""
    known: dict[str, int | None] = {}
    begun: set[str] = set()
    for first in lines:
        stack = [first]
        while stack:
            name = stack[-1]
            if name in known:
                stack.pop()
            elif name in begun:
                # What it calls is known by now, unless that leads back here.
                known[name] = _longest(lines[name], known)
            else:
                begun.add(name)
                called = dict.fromkeys(_callees(lines[name]))
                stack += [callee for callee in called if callee in lines and callee not in begun]
    return known


def _callees(lines: list[Line]) -> Iterator[str]:
    """Names of what a function calls, helpers and functions."""
    for line in lines:
        called = _CALL.match(line.text)
        if called and called["name"] != CALL_TRAP:
            yield called["name"]


def _longest(lines: list[Line], known: Mapping[str, int | None]) -> int | None:
    """The dearest way through a function, or None when it may go round in circles."""
    most: dict[int, int] = {}
    following: int | None = None
    for line in reversed(lines):
        own: int | None = 1
        called = _CALL.match(line.text)
        if called and called["name"] != CALL_TRAP:
            own = _called(called["name"], known)
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


def _called(name: str, known: Mapping[str, int | None]) -> int | None:
    helper = _HELPERS.get(name)
    inner = helper.fuel if helper else known.get(name)
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
    return tuple(sorted(set(_callees(lines)) & set(_HELPERS)))
