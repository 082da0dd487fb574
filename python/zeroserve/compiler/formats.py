"""Format specifications of f-strings, looked at while compiling."""

import ast

from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.types import STR, Type

MAX_WIDTH = 1_000_000


def check_format(spec: str, type: Type, node: ast.AST) -> None:
    """Refuse what CPython would refuse for each value, and what makes a fraction."""
    if type != STR and spec[-1:] in "eEfFgG%" and spec:
        raise Refusal(node, f"the format {spec!r} is one of fractions", "scripts have ints only")
    if type != STR and spec[-1:] == "n":
        raise Refusal(node, "the format 'n' depends on a locale", "write ',' for groups of three")
    digits = "".join(c if c.isdigit() else " " for c in spec).split()
    if any(len(part) > 7 or int(part) > MAX_WIDTH for part in digits):
        raise Refusal(node, f"the format {spec!r} is wider than {MAX_WIDTH}")
    sample: object = "" if type == STR else 0
    try:
        format(sample, spec)
    except ValueError as error:
        text = str(error).removesuffix(".")
        raise Refusal(node, f"the format {spec!r}: {text[:1].lower()}{text[1:]}") from None
