"""Constants: expressions that are computed while compiling, by CPython itself.

What stands at module level has to be one of these: numbers, texts, tuples, lists, sets and dicts
of such, and what is computed from them by operators, comprehensions and functions without side
effects. A script is not trusted, so only what is known to be harmless is evaluated, and sizes and
steps have bounds.
"""

import ast
import ipaddress
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zeroserve.compiler.diagnostics import Refusal

MAX_STEPS = 2_000_000
MAX_BITS = 4096
MAX_ITEMS = 200_000
MAX_WEIGHT = 400_000
"""Values in a constant, with all that they consist of: an inner one counts wherever it stands."""
MAX_SEARCH = 100_000_000
"""Characters times characters where CPython's search may compare each with each."""

__all__ = ["Constants", "Network", "NotConstant", "Pattern", "TableValue"]


class NotConstant(Exception):
    """It depends on something that is not known before the script runs."""


@dataclass(frozen=True)
class Pattern:
    """What ``re.compile`` returns."""

    pattern: str
    flags: int


@dataclass(frozen=True)
class Network:
    """What ``ipaddress.ip_network`` returns."""

    packed: bytes
    prefix: int


@dataclass(frozen=True)
class TableValue:
    """A ``Table`` of the module: its name and description."""

    name: str
    key: str
    value: str
    max_entries: int


class Iterator(tuple[Any, ...]):
    """What zip() and the like return: it can be gone through once, and nothing else."""


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builtins." + function.__name__: function
    for function in (
        *(len, min, max, abs, ord, chr, int, str, bool, bytes, repr, hex, oct, bin, divmod),
        *(any, all, sum, enumerate, zip, reversed, tuple, list, set, frozenset, dict, sorted),
    )
}
_GO_THROUGH = frozenset(
    "builtins." + name
    for name in (
        *("min", "max", "any", "all", "sum", "enumerate", "zip"),
        *("tuple", "list", "set", "frozenset", "dict", "sorted"),
    )
)
"""Functions that go through what they are given."""
_METHODS = {
    str: frozenset(
        "startswith endswith removeprefix removesuffix strip lstrip rstrip split rsplit splitlines "
        "partition rpartition replace find rfind index rindex count join lower upper title "
        "capitalize swapcase casefold isdigit isalpha isalnum isspace zfill encode".split()
    ),
    bytes: frozenset(
        "startswith endswith removeprefix removesuffix strip lstrip rstrip split replace find index "
        "count join lower upper hex decode".split()
    ),
    dict: frozenset(("keys", "values", "items", "get")),
    int: frozenset(("bit_length", "bit_count", "to_bytes")),
}


class Constants:
    """Evaluates expressions; ``names`` are those of the module."""

    def __init__(self, names: Mapping[str, Any], resolve: Callable[[ast.expr], str | None]) -> None:
        """``resolve`` says which function of a library an expression names."""
        self._names = names
        self._resolve = resolve
        self._bound: list[dict[str, Any]] = []
        self._weights: dict[int, tuple[Any, int]] = {}
        """Of containers by their id; they are kept, so that no other gets the same."""
        self._steps = 0

    def of(
        self, node: ast.expr, hidden: frozenset[str] = frozenset(), once: bool = False
    ) -> Any:
        """The value. Raises ``NotConstant``, or ``Refusal`` for a mistake in a constant.

        ``hidden``: names that mean something else where the expression stands. ``once``: the
        value is gone through, so that it may be an iterator.
        """
        self._steps = 0
        self._weights = {}
        self._bound = [dict.fromkeys(hidden, NotConstant)]
        try:
            return self._eval(node, once)
        except (NotConstant, Refusal):
            raise
        except RecursionError:
            raise Refusal(node, "a constant that is nested too deep") from None
        except Exception as error:
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise Refusal(node, f"this constant can't be computed: {message}") from None

    def _eval(self, node: ast.expr, once: bool = False) -> Any:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise Refusal(node, f"a constant that takes more than {MAX_STEPS} steps")
        method = getattr(self, "_" + type(node).__name__, None)
        if method is None:
            raise NotConstant
        value = method(node)
        if isinstance(value, Iterator) and not once:
            raise Refusal(
                node, "an iterator, which is used up when it was gone through", "write tuple(...)"
            )
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise Refusal(node, f"a constant of more than {MAX_BITS} bits")
        if isinstance(value, str | bytes | tuple | list | set | frozenset | dict) and (
            len(value) > MAX_ITEMS * (50 if isinstance(value, str | bytes) else 1)
        ):
            raise Refusal(node, f"a constant of more than {MAX_ITEMS} items")
        if self._weight(value) > MAX_WEIGHT:
            raise Refusal(node, f"a constant of more than {MAX_WEIGHT} values within each other")
        return value

    def _weight(self, value: Any) -> int:
        """How many values a value consists of."""
        if not isinstance(value, tuple | list | set | frozenset | dict):
            return 1
        known = self._weights.get(id(value))
        if known is None:
            items = [*value.keys(), *value.values()] if isinstance(value, dict) else value
            known = value, 1 + sum(map(self._weight, items))
            self._weights[id(value)] = known
        return known[1]

    def _spend(self, node: ast.expr, *values: Any) -> None:
        """Count the work that an operation on these may be."""
        for value in values:
            size = len(value) >> 8 if isinstance(value, str | bytes) else self._weight(value) >> 3
            self._steps += size
        if self._steps > MAX_STEPS:
            raise Refusal(node, f"a constant that takes more than {MAX_STEPS} steps")

    def _Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, float | complex) or node.value is ...:
            raise NotConstant
        return node.value

    def _Name(self, node: ast.Name) -> Any:
        for names in reversed(self._bound):
            if node.id in names:
                value = names[node.id]
                if value is NotConstant:
                    raise NotConstant
                return value
        try:
            return self._names[node.id]
        except KeyError:
            raise NotConstant from None

    def _Attribute(self, node: ast.Attribute) -> Any:
        name = self._library(node)
        if name is not None and name.startswith("re."):
            import re

            flag = getattr(re, name.removeprefix("re."), None)
            if isinstance(flag, re.RegexFlag):
                return int(flag)
        raise NotConstant

    def _Tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._items(node.elts))

    def _List(self, node: ast.List) -> Any:
        return self._items(node.elts)

    def _Set(self, node: ast.Set) -> Any:
        return set(self._items(node.elts))

    def _items(self, nodes: list[ast.expr], once: bool = False) -> list[Any]:
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                items += self._eval(node.value, True)
            else:
                items.append(self._eval(node, once))
        return items

    def _Dict(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found.update(self._eval(value))
            else:
                found[self._eval(key)] = self._eval(value)
        return found

    def _BinOp(self, node: ast.BinOp) -> Any:
        function = _BINARY.get(type(node.op))
        if function is None:
            raise NotConstant
        left, right = self._eval(node.left), self._eval(node.right)
        if isinstance(node.op, ast.Mod) and not isinstance(left, int):
            raise NotConstant
        if isinstance(node.op, ast.Pow | ast.LShift) and (
            not isinstance(left, int) or not isinstance(right, int) or abs(right) > MAX_BITS
        ):
            raise Refusal(node, "a constant that is too large", None)
        if isinstance(node.op, ast.Mult):
            for one, other in ((left, right), (right, left)):
                size = len(one) if isinstance(one, str | bytes | tuple | list) else 0
                if isinstance(other, int) and size * other > 50 * MAX_ITEMS:
                    raise Refusal(node, "a constant that is too large")
        self._spend(node, left, right)
        value = function(left, right)
        if isinstance(value, float | complex):
            raise NotConstant
        return value

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op)](self._eval(node.operand))

    def _BoolOp(self, node: ast.BoolOp) -> Any:
        value = None
        for part in node.values:
            value = self._eval(part)
            if bool(value) != isinstance(node.op, ast.And):
                break
        return value

    def _Compare(self, node: ast.Compare) -> Any:
        left = self._eval(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self._eval(right_node)
            self._spend(node, left, right)
            if isinstance(op, ast.Is | ast.IsNot) and not (
                isinstance(left, bool | None) or isinstance(right, bool | None)
            ):
                raise NotConstant  # equal constants may be one object or two
            if not _COMPARE[type(op)](left, right):
                return False
            left = right
        return True

    def _IfExp(self, node: ast.IfExp) -> Any:
        return self._eval(node.body if self._eval(node.test) else node.orelse)

    def _Subscript(self, node: ast.Subscript) -> Any:
        return self._eval(node.value)[self._eval(node.slice)]

    def _Slice(self, node: ast.Slice) -> Any:
        parts = (node.lower, node.upper, node.step)
        return slice(*[None if part is None else self._eval(part) for part in parts])

    def _JoinedStr(self, node: ast.JoinedStr) -> Any:
        return "".join(map(self._eval, node.values))

    def _FormattedValue(self, node: ast.FormattedValue) -> Any:
        value = self._eval(node.value)
        if node.conversion == ord("r"):
            value = repr(value)
        elif node.conversion not in (-1, ord("s")):
            raise NotConstant
        spec = "" if node.format_spec is None else self._eval(node.format_spec)
        if any(int(digits) > MAX_ITEMS for digits in _numbers(spec)):
            raise Refusal(node, "a constant that is too large")
        return format(value, spec)

    def _GeneratorExp(self, node: ast.GeneratorExp) -> Any:
        return Iterator(self._comprehension(node.generators, lambda: self._eval(node.elt)))

    def _ListComp(self, node: ast.ListComp) -> Any:
        return self._comprehension(node.generators, lambda: self._eval(node.elt))

    def _SetComp(self, node: ast.SetComp) -> Any:
        return set(self._comprehension(node.generators, lambda: self._eval(node.elt)))

    def _DictComp(self, node: ast.DictComp) -> Any:
        def pair() -> tuple[Any, Any]:
            return self._eval(node.key), self._eval(node.value)

        return dict(self._comprehension(node.generators, pair))

    def _comprehension(
        self, generators: list[ast.comprehension], make: Callable[[], Any]
    ) -> list[Any]:
        found: list[Any] = []

        def run(depth: int) -> None:
            if depth == len(generators):
                found.append(make())
                if len(found) > MAX_ITEMS:
                    raise Refusal(generators[0].iter, f"more than {MAX_ITEMS} items")
                return
            generator = generators[depth]
            for item in self._eval(generator.iter, True):
                self._steps += 1
                self._bind(generator.target, item)
                if all(self._eval(test) for test in generator.ifs):
                    run(depth + 1)

        self._bound.append({})
        try:
            run(0)
        finally:
            self._bound.pop()
        return found

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self._bound[-1][target.id] = value
        elif isinstance(target, ast.Tuple):
            for part, item in zip(target.elts, value, strict=True):
                self._bind(part, item)
        else:
            raise NotConstant

    def _Call(self, node: ast.Call) -> Any:
        name = self._library(node.func)
        if name is None:
            if isinstance(node.func, ast.Attribute):
                return self._method(node, node.func)
            raise NotConstant
        args, keywords = self._arguments(node, name in _GO_THROUGH)
        self._spend(node, *args)
        if name == "builtins.range":
            made = range(*args)
            if len(made) > MAX_ITEMS:
                raise Refusal(node, f"a range of more than {MAX_ITEMS} numbers in a constant")
            return made
        if name in _FUNCTIONS:
            if name == "builtins.bytes" and args and isinstance(args[0], int):
                if args[0] > 50 * MAX_ITEMS:
                    raise Refusal(node, "a constant that is too large")
            result = _FUNCTIONS[name](*args, **keywords)
            if name in ("builtins.enumerate", "builtins.zip", "builtins.reversed"):
                return Iterator(result)
            return result
        if name == "re.compile":
            return _pattern(*args, **keywords)
        if name == "ipaddress.ip_network":
            network = ipaddress.ip_network(*args, **keywords)
            return Network(network.network_address.packed, network.prefixlen)
        raise NotConstant

    def _library(self, node: ast.expr) -> str | None:
        """Which function of a library an expression names, if its name is not a variable's."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and any(root.id in names for names in self._bound):
            return None
        return self._resolve(node)

    def _arguments(self, node: ast.Call, once: bool) -> tuple[list[Any], dict[str, Any]]:
        keywords = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise NotConstant
            keywords[keyword.arg] = self._eval(keyword.value)
        return self._items(node.args, once), keywords

    def _method(self, node: ast.Call, func: ast.Attribute) -> Any:
        value = self._eval(func.value)
        for kind, names in _METHODS.items():
            if isinstance(value, kind) and func.attr in names:
                args, keywords = self._arguments(node, func.attr == "join")
                self._spend(node, value, *args)
                if _is_too_large(value, func.attr, args):
                    raise Refusal(node, "a constant that is too large")
                result = getattr(value, func.attr)(*args, **keywords)
                if isinstance(value, dict) and func.attr != "get":
                    return Iterator(result)
                return result
        raise NotConstant


def _is_too_large(value: Any, name: str, args: list[Any]) -> bool:
    """Whether a method would make something that does not fit, or take too long."""
    limit = 50 * MAX_ITEMS
    texts = [len(arg) for arg in args if isinstance(arg, str | bytes)]
    match name:
        case "zfill" | "to_bytes":
            return any(isinstance(arg, int) and arg > MAX_ITEMS for arg in args)
        case "replace" if len(texts) == 2:
            return (len(value) // max(texts[0], 1) + 1) * texts[1] + len(value) > limit
        case "join" if args and isinstance(args[0], tuple | list):
            parts = sum(len(item) for item in args[0] if isinstance(item, str | bytes))
            return len(value) * len(args[0]) + parts > limit
        case "rfind" | "rindex" | "rsplit" | "rpartition" if texts:
            return len(value) * texts[0] > MAX_SEARCH
    return False


def _numbers(spec: str) -> list[str]:
    return [part for part in "".join(c if c.isdigit() else " " for c in spec).split() if part]


def _pattern(pattern: Any, flags: int = 0) -> Pattern:
    if not isinstance(pattern, str):
        raise TypeError("patterns are str")
    return Pattern(pattern, int(flags))
