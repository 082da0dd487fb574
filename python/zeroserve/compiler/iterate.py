"""What ``for`` goes through: ranges, lists, tuples, texts, dicts, and views of them."""

import ast
from dataclasses import dataclass
from typing import Any

from zeroserve.compiler import tree, unroll
from zeroserve.compiler.base import _line
from zeroserve.compiler.constants import NotConstant
from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.expressions import Expressions
from zeroserve.compiler.scope import DICT, SET
from zeroserve.compiler.tree import Const, Expr, Local, Stmt
from zeroserve.compiler.types import (
    BOOL,
    BYTES,
    INT,
    JSON,
    META,
    NEVER,
    QS,
    STR,
    ListType,
    OptionalType,
    items_of,
    list_of,
    tuple_of,
)


@dataclass
class Iteration:
    """A loop: what comes first, whether there is another item, the item, the step to the next."""

    setup: list[Stmt]
    test: Expr
    item: Expr
    step: list[Stmt]


class Iterables(Expressions):
    """Loops over whatever can be gone through."""

    def iterate(self, node: ast.expr) -> Iteration:
        """How to go through an expression. Raises ``Refusal`` when that can't be done."""
        if isinstance(node, ast.Call):
            name = self._library(node.func)
            if name == "builtins.range":
                return self._range(node)
            if name == "builtins.enumerate":
                return self._enumerate(node)
            if name == "builtins.zip":
                return self._zip(node)
            if name == "builtins.reversed":
                return self._reversed(node)
            if isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
                view = self._view(node.func, node)
                if view is not None:
                    return view
        return self._through(self.listed(self.expr(node), node), node)

    def unrolled(self, target: ast.expr, node: ast.expr) -> list[dict[str, Any]] | None:
        """What the names of a loop mean for each item, where the loop has to be written out."""
        try:
            value = self.scope.constants.of(node, self.hidden, True)
        except (NotConstant, Refusal):
            return None
        if not unroll.is_needed(value):
            return None
        found = [unroll.bind(target, item) for item in value]
        return None if None in found else [values for values in found if values is not None]

    def listed(self, value: Expr, node: ast.expr) -> Expr:
        """Anything that can be gone through as a list."""
        if isinstance(value.type, OptionalType):
            self.present(value, node, ast.unparse(node))
        if value.type == NEVER:
            return self.block([tree.Do(value, line=_line(node))], self.const([], node))
        if value.type in (DICT, SET):
            assert isinstance(value, Const)
            if value.type == SET and len(value.value) > 1:
                raise Refusal(
                    node,
                    "the order of a set is not known",
                    "go through a tuple or a list",
                )
            return self.const(list(value.value), node)
        if value.type == STR:
            return self.helper("zs_py_str_iter", [value], list_of(STR), node)
        if value.type == JSON:
            return self.helper("zs_py_json_iter", [value], list_of(JSON), node, True)
        if value.type in (QS, META):
            raise Refusal(node, f"going through {value.type.a}", "use parse_qsl(), or .get()")
        as_list = self.as_list(value, node) if value.type != BYTES else value
        if as_list is None:
            if items_of(value.type) is not None:
                raise Refusal(
                    node,
                    "going through a tuple whose items have different types",
                    "unpack it: a, b = value",
                )
            raise Refusal(node, f"{value.type.a} can't be gone through")
        return as_list

    def _through(self, value: Expr, node: ast.expr, backwards: bool = False) -> Iteration:
        setup, whole = self.twice(value)
        is_bytes = value.type == BYTES
        assert is_bytes or isinstance(value.type, ListType)
        index, size = self.temp(INT), self.temp(INT)
        at = Local(index, type=INT, line=_line(node))
        count = self.op("count", [whole], INT, node)
        setup = [
            *setup,
            tree.Store(size, count, line=_line(node)),
            tree.Store(index, self.const(0, node), line=_line(node)),
        ]
        end = Local(size, type=INT, line=_line(node))
        test = self.op("compare", [at, end], BOOL, node, ("lt", False, False))
        place: Expr = at
        if backwards:
            last = self.op("wrap.sub", [end, self.const(1, node)], INT, node)
            place = self.op("wrap.sub", [last, at], INT, node)
        if is_bytes:
            item: Expr = self.op("bytes_at", [whole, place], INT, node)
        else:
            assert isinstance(value.type, ListType)
            item = self.op("list_at", [whole, place], value.type.item, node)
        more = self.op("wrap.add", [at, self.const(1, node)], INT, node)
        return Iteration(setup, test, item, [tree.Store(index, more, line=_line(node))])

    def _view(self, func: ast.Attribute, node: ast.Call) -> Iteration | None:
        """``.items()``, ``.keys()``, ``.values()`` of a constant dict."""
        if func.attr not in ("items", "keys", "values"):
            return None
        value = self.expr(func.value)
        if value.type != DICT:
            return self._through(self.listed(self.method(value, func, node), node), node)
        assert isinstance(value, Const)
        table: dict[Any, Any] = value.value
        if func.attr == "keys":
            return self._through(self.const(list(table), node), node)
        values = self.const(list(table.values()), node)
        if func.attr == "values":
            return self._through(values, node)
        keys = self._through(self.const(list(table), node), node)
        assert isinstance(values.type, ListType)
        index = keys.test.args[0] if isinstance(keys.test, tree.Op) else keys.test
        value_item = self.op("list_at", [values, index], values.type.item, node)
        pair = tuple_of(keys.item.type, value_item.type)
        item = tree.Tuple([keys.item, value_item], type=pair, line=_line(node))
        return Iteration(keys.setup, keys.test, item, keys.step)

    def method(self, value: Expr, func: ast.Attribute, node: ast.Call) -> Expr:
        raise NotImplementedError

    def _range(self, node: ast.Call) -> Iteration:
        if node.keywords or not 1 <= len(node.args) <= 3:
            raise Refusal(node, "range() takes 1 to 3 numbers")
        args = [self.convert(self.expr(arg), INT, arg) for arg in node.args]
        zero, one = self.const(0, node), self.const(1, node)
        start = args[0] if len(args) > 1 else zero
        stop = args[1] if len(args) > 1 else args[0]
        step = args[2] if len(args) > 2 else one
        if not isinstance(step, Const):
            raise Refusal(node, "a step that is not a constant", "write a while loop")
        if step.value == 0:
            return self._never(node, "range() arg 3 must not be zero")
        index, bound = self.temp(INT), self.temp(INT)
        at = Local(index, type=INT, line=_line(node))
        end = Local(bound, type=INT, line=_line(node))
        setup: list[Stmt] = [
            tree.Store(index, start, line=_line(node)),
            tree.Store(bound, stop, line=_line(node)),
        ]
        up = step.value > 0
        how = "lt" if up else "gt"
        test: Expr = self.op("compare", [at, end], BOOL, node, (how, False, False))
        if step.value in (1, -1):
            more = self.op("wrap.add", [at, step], INT, node)
            return Iteration(setup, test, at, [tree.Store(index, more, line=_line(node))])
        # Near the ends of 64 bits the last step would wrap around: count the rounds instead.
        rounds = self.temp(INT)
        span = self.op("int.sub", [end, at] if up else [at, end], INT, node)
        size = abs(step.value)
        total = self.op(
            "int.floordiv",
            [
                self.op("int.add", [span, self.const(size - 1, node)], INT, node),
                self.const(size, node),
            ],
            INT,
            node,
            "",
        )
        setup.append(tree.Store(rounds, total, line=_line(node)))
        left = Local(rounds, type=INT, line=_line(node))
        test = self.op("compare", [left, zero], BOOL, node, ("gt", False, False))
        fewer = self.op("wrap.sub", [left, one], INT, node)
        more = self.op("wrap.add", [at, step], INT, node)
        steps: list[Stmt] = [
            tree.Store(index, more, line=_line(node)),
            tree.Store(rounds, fewer, line=_line(node)),
        ]
        return Iteration(setup, test, at, steps)

    def _never(self, node: ast.expr, message: str) -> Iteration:
        raised = tree.Raise("ValueError", self.const(message, node), line=_line(node))
        return Iteration(
            [tree.Do(raised, line=_line(node))], self.const(False, node), self.const(0, node), []
        )

    def _enumerate(self, node: ast.Call) -> Iteration:
        words = {word.arg: word.value for word in node.keywords}
        starts = [*node.args[1:], *([words["start"]] if "start" in words else [])]
        if not node.args or len(starts) > 1 or set(words) - {"start"}:
            raise Refusal(node, "enumerate() takes what to go through, and a start")
        inner = self.iterate(node.args[0])
        start = self.convert(self.expr(starts[0]), INT, node) if starts else self.const(0, node)
        counter = self.temp(INT)
        at = Local(counter, type=INT, line=_line(node))
        more = self.op("int.add", [at, self.const(1, node)], INT, node)
        pair = tuple_of(INT, inner.item.type)
        return Iteration(
            [*inner.setup, tree.Store(counter, start, line=_line(node))],
            inner.test,
            tree.Tuple([at, inner.item], type=pair, line=_line(node)),
            [*inner.step, tree.Store(counter, more, line=_line(node))],
        )

    def _zip(self, node: ast.Call) -> Iteration:
        if node.keywords:
            raise Refusal(node, "zip() with options is not compiled", "leave out strict=")
        if not node.args:
            raise Refusal(node, "zip() of nothing")
        parts = [self.iterate(arg) for arg in node.args]
        test = parts[0].test
        for part in parts[1:]:
            test = tree.Choose(
                test, part.test, self.const(False, node), type=BOOL, line=_line(node)
            )
        items = [part.item for part in parts]
        return Iteration(
            [stmt for part in parts for stmt in part.setup],
            test,
            tree.Tuple(items, type=tuple_of(*[i.type for i in items]), line=_line(node)),
            [stmt for part in parts for stmt in part.step],
        )

    def _reversed(self, node: ast.Call) -> Iteration:
        if node.keywords or len(node.args) != 1:
            raise Refusal(node, "reversed() takes one thing to go through")
        inner = node.args[0]
        if isinstance(inner, ast.Call) and self._library(inner.func) == "builtins.range":
            args = [self.constant_value(arg) for arg in inner.args]
            numbers = range(*args)[::-1]
            turned = ast.Call(
                inner.func,
                [ast.Constant(n) for n in (numbers.start, numbers.stop, numbers.step)],
                [],
            )
            for part in ast.walk(turned):
                ast.copy_location(part, node)
            return self._range(turned)
        value = self.expr(inner)
        if value.type in (SET, JSON):
            raise Refusal(node, f"reversed() of {value.type.a}")
        return self._through(self.listed(value, inner), node, backwards=True)
