"""What is known of the variables of a function at one place: which are set, and to what type.

A flow is a dict from variables to types, or None where nothing gets to. A variable that is not in
it may not be set.
"""

import ast
from collections.abc import Sequence

from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.tree import Slot
from zeroserve.compiler.types import Type, join

Flow = dict[Slot, Type] | None


def merge(one: Flow, other: Flow) -> Flow:
    """What is known where two ways meet."""
    if one is None:
        return other
    if other is None:
        return one
    merged = {}
    for slot, type in one.items():
        if slot in other:
            merged[slot] = join(type, other[slot]) or slot.type
    return merged


def copy(flow: Flow) -> Flow:
    """To be changed apart from the other."""
    return None if flow is None else dict(flow)


def assigned(nodes: Sequence[ast.AST]) -> set[str]:
    """Names that these statements may set."""
    found = set()
    for node in nodes:
        for part in ast.walk(node):
            match part:
                case ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                    found.add(name)
                case ast.ExceptHandler(name=str(name)):
                    found.add(name)
    return found


def wrong_type(node: ast.AST, name: str, one: Type, other: Type) -> Refusal:
    """A variable that would have two types."""
    return Refusal(
        node,
        f"{name} is {one} in one place and {other} in another",
        "a variable has one type, or one and None: use another name",
    )
