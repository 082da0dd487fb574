"""Python as a formatter leaves it: literals, and statements that may not fit on a line."""

from collections.abc import Sequence

from zeroserve.config.pattern import Hole, Pieces

WIDTH = 88
"""Columns of a line, as formatters have it where nobody has said anything else."""

INDENT = "    "

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def string(text: str) -> str:
    r"""A text as a literal.

    >>> string('say "hi"')
    '\'say "hi"\''
    """
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    quote = _quote(text)
    return quote + _escaped(text, quote) + quote


def raw(expression: str) -> str:
    """A regular expression as a literal."""
    quote = _quote(expression)
    if not expression.isprintable() or quote in expression or expression.endswith("\\"):
        return string(expression)
    return f"r{quote}{expression}{quote}" if "\\" in expression else string(expression)


def formatted(pieces: Pieces, values: dict[str, str]) -> str:
    """Text with expressions in it: ``values`` are those of what is open.

    >>> formatted(("/new/", Hole("splat")), {"splat": "rest"})
    'f"/new/{rest}"'
    """
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return string("".join(texts))
    if len(pieces) == 1 and isinstance(pieces[0], Hole):
        return values[pieces[0].name]
    quote = _quote("".join(texts))
    parts = [
        f"{{{values[piece.name]}}}"
        if isinstance(piece, Hole)
        else _escaped(piece, quote).replace("{", "{{").replace("}", "}}")
        for piece in pieces
    ]
    return f"f{quote}{''.join(parts)}{quote}"


def call(indent: str, start: str, arguments: Sequence[str], end: str = ")") -> list[str]:
    """A statement that ends in a call, or in another list between brackets.

    ``start``: up to the opening bracket.
    """
    inside = ", ".join(arguments)
    line = f"{indent}{start}{inside}{end}"
    if len(line) <= WIDTH or not arguments:
        return [line]
    deeper = indent + INDENT
    if len(deeper + inside) <= WIDTH and end.startswith(")"):
        return [indent + start, deeper + inside, indent + end]
    comma = "," if len(arguments) > 1 or end[0] in "]}" or "(" in start else ""
    return [indent + start, *(f"{deeper}{one}{comma}" for one in arguments), indent + end]


def assign(indent: str, name: str, value: str) -> list[str]:
    """An assignment of something that can't be divided, like a text."""
    line = f"{indent}{name} = {value}"
    if len(line) <= WIDTH or len(indent + INDENT + value) > WIDTH:
        return [line]
    return [f"{indent}{name} = (", f"{indent}{INDENT}{value}", f"{indent})"]


def condition(indent: str, parts: Sequence[str], keyword: str = "if") -> list[str]:
    """An ``if`` with all of these."""
    line = f"{indent}{keyword} {' and '.join(parts)}:"
    if len(line) <= WIDTH or len(parts) == 1:
        return [line]
    first, *rest = parts
    deeper = indent + INDENT
    lines = [f"{indent}{keyword} (", deeper + first, *(f"{deeper}and {one}" for one in rest)]
    return [*lines, f"{indent}):"]


def comment(indent: str, text: str) -> str:
    """A line of comment, cut where it does not fit."""
    line = f"{indent}# {text}".rstrip()
    printable = "".join(c if c.isprintable() else "?" for c in line)
    return printable if len(printable) <= WIDTH else printable[: WIDTH - 3].rstrip() + "..."


def entry(key: str, value: str, note: str, parts: Sequence[str] = ()) -> list[str]:
    """A row of a dict at module level. ``parts``: what ``value`` consists of, if it is a tuple."""
    line = f"{INDENT}{key}: {value},"
    noted = f"{line}  # {note}" if note else line
    if len(noted) <= WIDTH:
        return [noted]
    lines = [comment(INDENT, note)] if note else []
    if len(line) <= WIDTH or not parts:
        return [*lines, line]
    deeper = INDENT * 2
    opening, closing = value[0], value[-1]
    inner = [f"{deeper}{part}," for part in parts]
    return [*lines, f"{INDENT}{key}: {opening}", *inner, f"{INDENT}{closing},"]


def _quote(text: str) -> str:
    return "'" if text.count('"') > text.count("'") else '"'


def _escaped(text: str, quote: str) -> str:
    return "".join(_character(character, quote) for character in text)


def _character(character: str, quote: str) -> str:
    if character == quote:
        return "\\" + character
    known = _ESCAPES.get(character)
    if known is not None or character.isprintable():
        return known or character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
