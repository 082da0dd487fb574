"""Constants: expressions that are computed while compiling, by CPython itself.

What stands at module level has to be one of these: numbers, texts, tuples, lists, sets and dicts
of such, and what is computed from them by operators, comprehensions and functions without side
effects. A script is not trusted, so only what is known to be harmless is evaluated, and sizes and
steps have bounds.
"""

import ast
import ipaddress
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from zeroserve.compiler.diagnostics import Refusal

MAX_STEPS = 2_000_000
"""Of one constant: expressions, and what operations and functions look at."""

MAX_ALL_STEPS = 20_000_000
"""Of all expressions of a module for which it was tried."""

MAX_BITS = 4096
MAX_ITEMS = 200_000

MAX_VALUES = 1_000_000
"""Values in a constant, with all that they consist of: an inner one counts wherever it stands."""

MAX_COLLISIONS = 1000
"""Keys of a set or dict that have the hash of another one."""

MAX_TEXT = 50 * MAX_ITEMS
"""Characters of a str, or bytes."""

CODECS = frozenset(("utf-8", "utf8", "ascii", "us-ascii", "latin-1", "latin1", "iso-8859-1"))
"""Those whose work grows with the text and not faster."""

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
        [
            "startswith",
            "endswith",
            "removeprefix",
            "removesuffix",
            "strip",
            "lstrip",
            "rstrip",
            "split",
            "rsplit",
            "splitlines",
            "partition",
            "rpartition",
            "replace",
            "find",
            "rfind",
            "index",
            "rindex",
            "count",
            "join",
            "lower",
            "upper",
            "title",
            "capitalize",
            "swapcase",
            "casefold",
            "isdigit",
            "isalpha",
            "isalnum",
            "isspace",
            "zfill",
            "encode",
        ]
    ),
    bytes: frozenset(
        [
            "startswith",
            "endswith",
            "removeprefix",
            "removesuffix",
            "strip",
            "lstrip",
            "rstrip",
            "split",
            "replace",
            "find",
            "index",
            "count",
            "join",
            "lower",
            "upper",
            "hex",
            "decode",
        ]
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
        self._counts: dict[int, tuple[Any, int]] = {}
        """Of containers by their id; they are kept, so that no other gets the same."""
        self._steps = 0
        self._all_steps = 0
        self._orderless: set[int] = set()

    def of(self, node: ast.expr, hidden: frozenset[str] = frozenset(), once: bool = False) -> Any:
        """The value. Raises ``NotConstant``, or ``Refusal`` for a mistake in a constant.

        ``hidden``: names that mean something else where the expression stands. ``once``: the
        value is gone through, so that it may be an iterator.
        """
        self._steps = 0
        self._counts = {}
        self._bound = [dict.fromkeys(hidden, NotConstant)]
        try:
            if self._all_steps > MAX_ALL_STEPS:
                raise Refusal(node, f"the constants take more than {MAX_ALL_STEPS} steps")
            return self._eval(node, once)
        except (NotConstant, Refusal):
            raise
        except RecursionError:
            raise Refusal(node, "a constant that is nested too deep") from None
        except Exception as error:
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise Refusal(node, f"this constant can't be computed: {message}") from None
        finally:
            self._all_steps += self._steps

    def _spend(self, steps: int, node: ast.expr) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise Refusal(node, f"a constant that takes more than {MAX_STEPS} steps")

    def _eval(self, node: ast.expr, once: bool = False) -> Any:
        self._spend(1, node)
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
        if isinstance(value, str | bytes) and len(value) > MAX_TEXT:
            raise Refusal(node, f"a text of more than {MAX_TEXT} characters in a constant")
        if isinstance(value, tuple | list | set | frozenset | dict) and len(value) > MAX_ITEMS:
            raise Refusal(node, f"a constant of more than {MAX_ITEMS} items")
        if self._count(value) > MAX_VALUES:
            raise Refusal(node, f"a constant of more than {MAX_VALUES} values within each other")
        return value

    def _count(self, value: Any) -> int:
        """How many values a value consists of."""
        if not isinstance(value, tuple | list | set | frozenset | dict):
            return 1
        known = self._counts.get(id(value))
        if known is None:
            items = [*value.keys(), *value.values()] if isinstance(value, dict) else value
            known = value, 1 + sum(map(self._count, items))
            self._counts[id(value)] = known
        return known[1]

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
            flag = getattr(re, name.removeprefix("re."), None)
            if isinstance(flag, re.RegexFlag):
                return flag
        raise NotConstant

    def _Tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._items(node.elts))

    def _List(self, node: ast.List) -> Any:
        return self._items(node.elts)

    def _Set(self, node: ast.Set) -> Any:
        items = self._items(node.elts)
        self._spend(_weight(items), node)
        _check_hashes(node, items)
        return set(items)

    def _items(self, nodes: list[ast.expr], once: bool = False) -> list[Any]:
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                more = self._eval(node.value, True)
                _check_order(node, more)
                self._spend(len(more), node)
                items += more
            else:
                items.append(self._eval(node, once))
        return items

    def _Dict(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                more = self._eval(value)
                self._spend(_weight(more), value)
                found.update(more)
            else:
                name = self._eval(key)
                self._spend(_weight(name), key)
                found[name] = self._eval(value)
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
        if isinstance(node.op, ast.Pow) and left.bit_length() * abs(right) > 2 * MAX_BITS:
            raise Refusal(node, "a constant that is too large")
        if isinstance(node.op, ast.Mult):
            for one, other in ((left, right), (right, left)):
                size = len(one) if isinstance(one, str | bytes | tuple | list) else 0
                most = MAX_TEXT if isinstance(one, str | bytes) else MAX_ITEMS
                if isinstance(other, int) and size * other > most:
                    raise Refusal(node, "a constant that is too large")
        self._spend(_weight(left) + _weight(right), node)
        value = function(left, right)
        self._spend(_weight(value), node)
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
            hashed = isinstance(op, ast.In | ast.NotIn) and isinstance(
                right, dict | set | frozenset | range
            )
            self._spend(_weight(left) + (0 if hashed else _weight(right)), right_node)
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
        value, index = self._eval(node.value), self._eval(node.slice)
        self._spend(_weight(index), node)
        found = value[index]
        if isinstance(index, slice):
            self._spend(len(found), node)
        return found

    def _Slice(self, node: ast.Slice) -> Any:
        parts = (node.lower, node.upper, node.step)
        return slice(*[None if part is None else self._eval(part) for part in parts])

    def _JoinedStr(self, node: ast.JoinedStr) -> Any:
        parts = []
        for part in node.values:
            parts.append(self._eval(part))
            self._spend(_weight(parts[-1]), node)
        if sum(map(len, parts)) > MAX_TEXT:
            raise Refusal(node, "a constant that is too large")
        return "".join(parts)

    def _FormattedValue(self, node: ast.FormattedValue) -> Any:
        value = self._eval(node.value)
        self._spend(_weight(value), node)
        _check_order(node, value, True)
        if node.conversion == ord("r"):
            value = repr(value)
        elif node.conversion not in (-1, ord("s")):
            raise NotConstant
        spec = "" if node.format_spec is None else self._eval(node.format_spec)
        if any(int(digits) > MAX_ITEMS for digits in _numbers(spec)):
            raise Refusal(node, "a constant that is too large")
        return format(value, spec)

    def _GeneratorExp(self, node: ast.GeneratorExp) -> Any:
        ordered = id(node) not in self._orderless
        return Iterator(self._comprehension(node.generators, lambda: self._eval(node.elt), ordered))

    def _ListComp(self, node: ast.ListComp) -> Any:
        return self._comprehension(node.generators, lambda: self._eval(node.elt))

    def _SetComp(self, node: ast.SetComp) -> Any:
        items = self._comprehension(node.generators, lambda: self._eval(node.elt), False)
        self._spend(_weight(items), node)
        _check_hashes(node, items)
        return set(items)

    def _DictComp(self, node: ast.DictComp) -> Any:
        def pair() -> tuple[Any, Any]:
            return self._eval(node.key), self._eval(node.value)

        items = self._comprehension(node.generators, pair)
        keys = [key for key, _ in items]
        self._spend(_weight(keys), node)
        _check_hashes(node, keys)
        return dict(items)

    def _comprehension(
        self, generators: list[ast.comprehension], make: Callable[[], Any], ordered: bool = True
    ) -> list[Any]:
        """``ordered``: whether it can be seen in which order the items come."""
        found: list[Any] = []

        def run(depth: int) -> None:
            if depth == len(generators):
                found.append(make())
                if len(found) > MAX_ITEMS:
                    raise Refusal(generators[0].iter, f"more than {MAX_ITEMS} items")
                return
            generator = generators[depth]
            items = self._eval(generator.iter, True)
            if ordered:
                _check_order(generator.iter, items)
            for item in items:
                self._spend(1, generator.iter)
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
            _check_order(target, value)
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
        if name in _ORDERLESS:
            self._orderless |= {id(arg) for arg in node.args if isinstance(arg, ast.GeneratorExp)}
        args, keywords = self._arguments(node, name in _GO_THROUGH)
        if name == "builtins.range":
            made = range(*args)
            if len(made) > MAX_ITEMS:
                raise Refusal(node, f"a range of more than {MAX_ITEMS} numbers in a constant")
            return made
        if name in _FUNCTIONS:
            self._check_function(node, name, args, keywords)
            if name not in _ORDERLESS:
                for arg in args:
                    _check_order(node, arg, name in ("builtins.str", "builtins.repr"))
            result = _FUNCTIONS[name](*args, **keywords)
            if name in ("builtins.enumerate", "builtins.zip", "builtins.reversed"):
                return Iterator(result)
            self._spend(_weight(result), node)
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
                self._check_method(node, func.attr, value, args, keywords)
                if func.attr == "join":
                    _check_order(node, args[0])
                result = getattr(value, func.attr)(*args, **keywords)
                if func.attr != "get":
                    self._spend(_weight(result), node)
                if isinstance(value, dict) and func.attr != "get":
                    return Iterator(result)
                return result
        raise NotConstant

    def _check_function(
        self, node: ast.Call, name: str, args: list[Any], keywords: dict[str, Any]
    ) -> None:
        """Before a function is called: what it takes is known from its arguments."""
        if name == "builtins.len":
            return
        self._spend(_weight(args) + _weight(keywords), node)
        if name in ("builtins.set", "builtins.frozenset") and args:
            _check_hashes(node, tuple(args[0]))
        if name == "builtins.dict" and args and not isinstance(args[0], dict):
            _check_hashes(node, [key for key, _ in args[0]])
        if name == "builtins.zip":
            self._spend(len(args) * min(map(len, args), default=0), node)
        if name == "builtins.sum" and not all(
            isinstance(item, int) for item in (*args[0], *args[1:], *keywords.values())
        ):
            raise NotConstant
        if name in ("builtins.bytes", "builtins.str"):
            _check_codec((*args, *keywords.values())[1:2], keywords)
        if name == "builtins.bytes":
            _check_size(node, (*args, *keywords.values())[:1], MAX_TEXT)

    def _check_method(
        self,
        node: ast.Call,
        name: str,
        value: Any,
        args: list[Any],
        keywords: dict[str, Any],
    ) -> None:
        """The same of a method."""
        found = 0 if name == "get" else _weight(value)
        self._spend(found + _weight(args) + _weight(keywords), node)
        if name in ("encode", "decode"):
            _check_codec(args[:1], keywords)
        elif name == "zfill":
            _check_size(node, args[:1], MAX_ITEMS)
        elif name == "to_bytes":
            _check_size(node, (*args[:1], *keywords.values()), MAX_ITEMS)
        elif name == "join":
            parts = [part for part in args[0] if isinstance(part, str | bytes)]
            _check_size(node, [sum(map(len, parts)) + len(value) * len(parts)], MAX_TEXT)
        elif name == "replace" and all(isinstance(arg, str | bytes) for arg in args[:2]):
            old, new = args[:2]
            _check_size(node, [len(value) + value.count(old) * len(new)], MAX_TEXT)
        elif name in _PRODUCTS:
            # These look at the second text once for each character of the first, at worst.
            for arg in (*args, *keywords.values()):
                if isinstance(arg, str | bytes):
                    self._spend(len(value) * len(arg) // 64, node)


_PRODUCTS = frozenset(("strip", "lstrip", "rstrip", "rfind", "rindex", "rsplit", "rpartition"))


def _weight(value: Any) -> int:
    """Steps of looking at all of a value; no more are counted than there may be."""
    if value.__class__ is int and -(1 << 63) < value < 1 << 63:
        return 1
    steps, rest = 0, [value]
    while rest and steps <= MAX_STEPS:
        one = rest.pop()
        if isinstance(one, str | bytes):
            steps += 1 + len(one) // 64
        elif isinstance(one, int):
            steps += 1 + one.bit_length() // 64
        elif isinstance(one, dict):
            steps += 1 + 2 * len(one)
            rest += one.keys()
            rest += one.values()
        elif isinstance(one, tuple | list | set | frozenset):
            steps += 1 + len(one)
            rest += one
        else:
            steps += 1 + (len(one) if isinstance(one, range) else 0)
    return steps


def _check_size(node: ast.expr, sizes: Iterable[Any], most: int) -> None:
    if any(isinstance(size, int) and size > most for size in sizes):
        raise Refusal(node, "a constant that is too large")


_ORDERLESS = {
    "builtins." + name
    for name in ("len", "any", "all", "sum", "min", "max", "sorted", "set", "frozenset", "bool")
}
"""Functions that give the same whatever the order of what they go through."""


def _check_order(node: ast.expr, value: Any, inside: bool = False) -> None:
    """A set of texts has another order in each process: nothing may depend on it.

    ``inside``: nor on that of sets in it.
    """
    if isinstance(value, set | frozenset) and len(value) > 1:
        raise Refusal(node, "the order of a set is not known", "write sorted(...), or a tuple")
    if inside and isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            _check_order(node, item, True)


def _check_hashes(node: ast.expr, keys: Collection[Any]) -> None:
    """Numbers can be chosen so that all of them have one hash: each is compared with all others."""
    if len(keys) > MAX_COLLISIONS:
        # Hashes of text are secret, so equal reprs are found without such a search.
        others = len({repr(key) for key in keys}) - len({hash(key) for key in keys})
        if others > MAX_COLLISIONS:
            raise Refusal(node, f"a constant with more than {MAX_COLLISIONS} equal hashes")


def _check_codec(names: Iterable[Any], keywords: Mapping[str, Any]) -> None:
    for name in (*names, *(value for key, value in keywords.items() if key == "encoding")):
        if isinstance(name, str) and name.lower().replace("_", "-") not in CODECS:
            raise NotConstant


def _numbers(spec: str) -> list[str]:
    return [part for part in "".join(c if c.isdigit() else " " for c in spec).split() if part]


def _pattern(pattern: Any, flags: int = 0) -> Pattern:
    if not isinstance(pattern, str):
        raise TypeError("patterns are str")
    parser.parse(pattern, int(flags))  # CPython looks at it, whether or not it is used
    return Pattern(pattern, int(flags))
