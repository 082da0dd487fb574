"""Expressions: operators, comparisons, subscripts, f-strings, names."""

import ast
import difflib
from typing import Any

from zeroserve.compiler import tree
from zeroserve.compiler.base import _line
from zeroserve.compiler.bindings import (
    Constant,
    Failed,
    FunctionDecl,
    Library,
    ModuleDecl,
    RecordDecl,
)
from zeroserve.compiler.constants import Network, NotConstant
from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.displays import HINT, Displays
from zeroserve.compiler.flow import Flow, copy, merge
from zeroserve.compiler.formats import check_format
from zeroserve.compiler.operations import ATTRIBUTES, CONSTANTS
from zeroserve.compiler.pool import dict_table
from zeroserve.compiler.scope import (
    BIG,
    DICT,
    FLAGS,
    META_TYPES,
    NETWORK,
    SET,
    has_no_words,
    type_of,
)
from zeroserve.compiler.subset import BUILTINS, REFUSED
from zeroserve.compiler.tree import Const, Expr, Local
from zeroserve.compiler.types import (
    BOOL,
    BYTES,
    DATETIME,
    FETCHED,
    FLOAT,
    INT,
    IP_ADDRESS,
    JSON,
    META,
    NEVER,
    NONE,
    QS,
    REQUEST,
    RESPONSE_HEAD,
    STR,
    U64,
    ListType,
    MatchType,
    OptionalType,
    RecordType,
    Type,
    is_int,
    items_of,
    join,
    list_of,
    optional,
    parts_of,
    strip,
    tuple_of,
)

M64 = (1 << 64) - 1
MAX_CHAIN = 8
"""Items up to this number are compared one after another, more are looked up in a table."""

_FOLDED = (ast.BinOp, ast.UnaryOp, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Subscript)
_ARITHMETIC = {
    ast.Add: "int.add",
    ast.Sub: "int.sub",
    ast.Mult: "int.mul",
    ast.FloorDiv: "int.floordiv",
    ast.Mod: "int.mod",
    ast.LShift: "int.shl",
    ast.RShift: "int.shr",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
}
_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.Div: "/",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
_ORDERS = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_DIVIDED = {ast.FloorDiv: "integer division or modulo by zero", ast.Mod: "integer modulo by zero"}


class Expressions(Displays):
    """Python's expressions as typed ones."""

    def call(self, node: ast.Call) -> Expr:
        raise NotImplementedError

    def expr(self, node: ast.expr) -> Expr:
        """Any expression. Raises ``Refusal``."""
        if isinstance(node, _FOLDED):
            try:
                value = self.scope.constants.of(node, self.hidden)
                return self.const(value, node)
            except NotConstant:
                pass
            except Refusal as refusal:
                # What fails each time fails when it runs, as in CPython.
                if not refusal.message.startswith("this constant can't be computed"):
                    raise
        method = getattr(self, "expr_" + type(node).__name__, None)
        if method is None:
            what, hint = REFUSED.get(
                type(node).__name__, (f"this ({type(node).__name__})", "write it in another way")
            )
            raise Refusal(node, f"{what} is not compiled", hint)
        found: Expr = method(node)
        return found

    # ---- names and constants

    def expr_Constant(self, node: ast.Constant) -> Expr:
        if isinstance(node.value, float | complex):
            raise Refusal(node, "scripts have whole numbers only", "count in a smaller unit")
        if node.value is ...:
            raise Refusal(node, "... is not compiled", "write None, or pass")
        return self.const(node.value, node)

    def expr_Name(self, node: ast.Name) -> Expr:
        slot = self.locals.get(node.id)
        if node.id in self.hidden or slot is not None:
            if node.id in self.poisoned:
                raise Refusal(None, "")
            if self.flow is None:
                return self.const(None, node, NEVER)
            if slot is None and node.id in self.displays:
                raise Refusal(node, "a dict made while running", HINT)
            if slot is None or slot not in self.flow:
                raise Refusal(
                    node,
                    f"{node.id} may not have a value here",
                    "give it one before, or on every way that leads here",
                )
            return self._read(node, slot)
        found = self.scope.names.get(node.id)
        if isinstance(found, Constant):
            return self.const(found.value, node, found.type)
        if isinstance(found, Failed):
            raise Refusal(None, "")
        if isinstance(found, FunctionDecl | RecordDecl | ModuleDecl | Library):
            raise Refusal(node, f"{node.id} is no value", "call it, or use what is in it")
        if node.id in BUILTINS:
            raise Refusal(node, f"{node.id} is not available in scripts", BUILTINS[node.id])
        if self.scope.library(node) is not None:
            raise Refusal(node, f"{node.id} is no value", "call it")
        known = [*self.locals, *self.hidden, *self.scope.names]
        close = difflib.get_close_matches(node.id, known, 1)
        raise Refusal(
            node, f"no such name: {node.id}", f"did you mean {close[0]}?" if close else None
        )

    def _read(self, node: ast.AST, slot: tree.Slot) -> Expr:
        """A variable, as what is known of it here."""
        assert self.flow is not None
        type = self.flow[slot]
        if type == NONE and slot.type != NONE:
            return self.const(None, node)
        if slot.type == JSON and type != JSON:
            return self.convert(Local(slot, type=JSON, line=_line(node)), type, node)
        return Local(slot, type=type, line=_line(node))

    def expr_NamedExpr(self, node: ast.NamedExpr) -> Expr:
        assert isinstance(node.target, ast.Name)
        value = self.expr(node.value)
        store = self.assign(node.target.id, value, node)
        return self.block([store], self.expr_Name(ast.copy_location(node.target, node)))

    def expr_Tuple(self, node: ast.Tuple) -> Expr:
        items = [self.expr(item) for item in node.elts]
        for item, part in zip(items, node.elts, strict=True):
            if item.type.words == 0 and item.type not in (NONE, NEVER):
                raise Refusal(part, f"a tuple can't hold {item.type.a}")
        return tree.Tuple(items, type=tuple_of(*[i.type for i in items]), line=_line(node))

    def expr_List(self, node: ast.List) -> Expr:
        items = [self.expr(item) for item in node.elts]
        type: Type | None = NEVER
        for item in items:
            type = join(item.type, type) if type is not None else None
        if type is None or type.words == 0:
            raise Refusal(node, "a list of values of different types", "write a tuple")
        parts = [self.convert(item, type, node) for item in items]
        return self.op("pack_list", parts, list_of(type), node)

    def expr_Attribute(self, node: ast.Attribute) -> Expr:
        module = self._module(node.value)
        if module is not None:
            found = module.scope.there.get(node.attr)
            if isinstance(found, Constant):
                return self.const(found.value, node, found.type)
            if isinstance(found, Failed):
                raise Refusal(None, "")
            if found is None:
                name = f"module {ast.unparse(node.value)}"
                raise self.no_attribute(node, name, node.attr, module.scope.there)
            raise Refusal(node, f"{node.attr} is no value", "call it")
        library = self._library(node)
        if library is not None:
            if library.startswith("re."):
                return self.const(self.constant_value(node), node)
            raise Refusal(node, f"{library} is no value in scripts")
        value = self.present(self.expr(node.value), node, ast.unparse(node.value))
        return self.attribute(value, node.attr, node)

    def _module(self, node: ast.expr) -> ModuleDecl | None:
        """The module beside the script that an expression names."""
        if not isinstance(node, ast.Name) or node.id in self.hidden:
            return None
        found = self.scope.names.get(node.id)
        return found if isinstance(found, ModuleDecl) else None

    def _library(self, node: ast.expr) -> str | None:
        """As ``Scope.library``, where local names hide those of the module."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and (root.id in self.hidden or root.id in self.locals):
            return None
        return self.scope.library(node)

    def attribute(self, value: Expr, name: str, node: ast.AST) -> Expr:
        """``value.name``."""
        type = value.type
        if type == REQUEST:
            return self.field(value, name, node)
        if type == RESPONSE_HEAD and name == "status":
            return self.helper("zs_py_res_status", [], INT, node)
        if type == RESPONSE_HEAD and name == "upstream_error":
            return self.helper("zs_py_res_upstream_error", [], optional(STR), node)
        if isinstance(type, RecordType):
            found = type.field(name)
            if found is not None:
                return self.item(value, found[0], node)
            if type.name == "SplitResult":
                return self._url_part(value, name, node)
            raise self.no_attribute(node, type, name, [field for field, _ in type.fields])
        if type == IP_ADDRESS:
            if name == "version":
                size = self.op("count", [value], INT, node)
                four = self.op("compare", [size, self.const(4, node)], BOOL, node, ("eq", 0, 0))
                return tree.Choose(
                    four, self.const(4, node), self.const(6, node), type=INT, line=_line(node)
                )
            if name == "packed":
                return self.op("same", [value], BYTES, node)
            if name == "is_loopback":
                return self.helper("zs_py_ip_is_loopback", [value], BOOL, node)
        if type == FETCHED and name in ATTRIBUTES["Fetched"]:
            result = INT if name == "status" else BYTES
            return self.helper(f"zs_py_fetched_{name}", [value], result, node)
        if isinstance(type, MatchType) and name == "string":
            return self.helper("zs_py_re_subject", [value], STR, node)
        known = [*ATTRIBUTES.get(str(type), {})]
        raise self.no_attribute(node, type, name, known)

    def _url_part(self, value: Expr, name: str, node: ast.AST) -> Expr:
        netloc = self.item(value, 1, node)
        parts = {"hostname": 0, "username": 1, "password": 2}
        if name in parts:
            args = [netloc, self.const(parts[name], node)]
            return self.helper("zs_py_url_part", args, optional(STR), node)
        if name == "port":
            return self.helper("zs_py_url_port", [netloc], optional(INT), node, True)
        if name == "geturl":
            raise Refusal(node, "geturl() is not available", "put the parts together")
        raise self.no_attribute(node, "SplitResult", name, ["scheme", "netloc", "path", *parts])

    # ---- conditions

    def cond(self, node: ast.expr) -> tuple[Expr, Flow, Flow]:
        """A condition, and what is known where it holds and where it does not."""
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                value, then, other = self.cond(operand)
                if isinstance(value, Const):
                    return self.const(not value.value, node), other, then
                return self.op("not", [value], BOOL, node), other, then
            case ast.BoolOp(op=op, values=values):
                return self._cond_chain(isinstance(op, ast.And), values, node)
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot()], comparators=[right]):
                if isinstance(right, ast.Constant) and right.value is None:
                    return self._cond_none(node, left, isinstance(node.ops[0], ast.Is))
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                if isinstance(right, ast.Constant) and isinstance(right.value, str | int | bytes):
                    return self._cond_equal(node, left, isinstance(node.ops[0], ast.Eq))
            case ast.Call(func=ast.Name(id="isinstance")):
                if self._library(node.func) == "builtins.isinstance" and len(node.args) == 2:
                    return self._cond_isinstance(node)
        raw = self.expr(node)
        value = self.truth(raw, node)
        then, other = copy(self.flow), copy(self.flow)
        slot = self._slot_of(node)
        if slot is not None and then is not None and isinstance(raw.type, OptionalType):
            then[slot] = raw.type.item
        if isinstance(value, Const) and value.type == BOOL:
            then, other = (then, None) if value.value else (None, other)
        return value, then, other

    def _slot_of(self, node: ast.expr) -> tree.Slot | None:
        """The variable that an expression is, if it is one."""
        if isinstance(node, ast.NamedExpr):
            node = node.target
        return self.locals.get(node.id) if isinstance(node, ast.Name) else None

    def _cond_chain(
        self, is_and: bool, values: list[ast.expr], node: ast.AST
    ) -> tuple[Expr, Flow, Flow]:
        result, then, other = self.cond(values[0])
        for part in values[1:]:
            self.flow = then if is_and else other
            if self.flow is None:
                self.flow = then if then is not None else other
                return result, then, other
            value, more_then, more_other = self.cond(part)
            fixed = self.const(not is_and, node)
            if is_and:
                result = tree.Choose(result, value, fixed, type=BOOL, line=_line(node))
                then, other = more_then, merge(other, more_other)
            else:
                result = tree.Choose(result, fixed, value, type=BOOL, line=_line(node))
                then, other = merge(then, more_then), more_other
        self.flow = merge(then, other)
        return result, then, other

    def _cond_none(self, node: ast.AST, left: ast.expr, positive: bool) -> tuple[Expr, Flow, Flow]:
        raw = self.expr(left)
        is_none = self.is_none(raw, node)
        then, other = copy(self.flow), copy(self.flow)
        slot = self._slot_of(left)
        if slot is not None and then is not None and other is not None:
            then[slot] = NONE if raw.type != JSON else JSON
            if isinstance(raw.type, OptionalType):
                other[slot] = raw.type.item
        known = is_none.value if isinstance(is_none, tree.Block) else is_none
        if isinstance(known, Const):
            then, other = (then, None) if known.value else (None, other)
            self.flow = then if then is not None else other
        if positive:
            return is_none, then, other
        if isinstance(is_none, Const):
            return self.const(not is_none.value, node), other, then
        return self.op("not", [is_none], BOOL, node), other, then

    def is_none(self, value: Expr, node: ast.AST) -> Expr:
        """``value is None``."""
        if isinstance(value.type, OptionalType) or value.type == JSON:
            return tree.IsNone(value, type=BOOL, line=_line(node))
        return self.valued(value, self.const(value.type == NONE, node))

    def _cond_equal(
        self, node: ast.Compare, left: ast.expr, positive: bool
    ) -> tuple[Expr, Flow, Flow]:
        """Whoever is equal to something is not None."""
        value = self.truth(self.expr_Compare(node), node)
        then, other = copy(self.flow), copy(self.flow)
        slot = self._slot_of(left)
        equal = then if positive else other
        if slot is not None and equal is not None and isinstance(equal.get(slot), OptionalType):
            equal[slot] = strip(equal[slot])
        return value, then, other

    def _cond_isinstance(self, node: ast.Call) -> tuple[Expr, Flow, Flow]:
        value = self.expr(node.args[0])
        wanted = node.args[1]
        names = wanted.elts if isinstance(wanted, ast.Tuple) else [wanted]
        if isinstance(wanted, ast.BinOp):
            names = [wanted.left, wanted.right]
        kinds = {"bool": 1, "int": 2, "float": 3, "str": 4, "list": 5, "dict": 6}
        found: set[int] = set()
        for name in names:
            kind = kinds.get(name.id) if isinstance(name, ast.Name) else None
            if isinstance(name, ast.Name) and (
                name.id in self.hidden or name.id in self.scope.names
            ):
                kind = None
            if kind is None:
                raise Refusal(
                    name, "isinstance() knows " + ", ".join(kinds), "look at attributes instead"
                )
            found |= {1, 2} if kind == 2 else {kind}
        then, other = copy(self.flow), copy(self.flow)
        slot = self._slot_of(node.args[0])
        if value.type != JSON:
            types: dict[Type, int] = {BOOL: 1, FLOAT: 3, STR: 4, DICT: 6}
            types |= dict.fromkeys((INT, U64, BIG, FLAGS), 2)
            inner = types.get(strip(value.type), 0)
            if 5 in found and isinstance(strip(value.type), ListType):
                raise Refusal(
                    node, "lists and long tuples are one type here", "look at a JSON value instead"
                )
            if isinstance(value.type, OptionalType):
                if slot is not None and then is not None and inner in found:
                    then[slot] = value.type.item
                none = self.is_none(value, node)
                if inner in found:
                    return self.op("not", [none], BOOL, node), then, other
            fixed = self.const(inner in found and not isinstance(value.type, OptionalType), node)
            done: list[tree.Stmt] = [tree.Do(value, line=_line(node))]
            then, other = (then, None) if fixed.value else (None, other)
            self.flow = merge(then, other)
            return self.block(done, fixed), then, other
        kind_now = self.helper("zs_py_json_kind", [value], INT, node)
        first, again = self.twice(kind_now)
        test: Expr = self.const(False, node)
        for number in sorted(found):
            same = self.op(
                "compare", [again, self.const(number, node)], BOOL, node, ("eq", False, False)
            )
            test = same if isinstance(test, Const) else self.op("or", [test, same], BOOL, node)
        narrow: dict[frozenset[int], Type] = {
            frozenset({1}): BOOL,
            frozenset({1, 2}): INT,
            frozenset({4}): STR,
        }
        if slot is not None and then is not None:
            then[slot] = narrow.get(frozenset(found), JSON)
        return self.block(first, test), then, other

    def expr_BoolOp(self, node: ast.BoolOp) -> Expr:
        """The value of one of them, as in Python."""
        is_and = isinstance(node.op, ast.And)
        value = self.expr(node.values[0])
        slot = self._slot_of(node.values[0])
        for part in node.values[1:]:
            first, again = self.twice(value)
            test = self.truth(again, node)
            before = copy(self.flow)
            if (
                is_and
                and slot is not None
                and self.flow is not None
                and isinstance(again.type, OptionalType)
            ):
                self.flow[slot] = strip(self.flow.get(slot, slot.type))
            if isinstance(test, Const) and test.type == BOOL and bool(test.value) != is_and:
                value = self.block(first, again)
                continue
            if isinstance(test, Const) and test.type == BOOL:
                value, slot = self.block(first, self.expr(part)), self._slot_of(part)
                continue
            next_value = self.expr(part)
            self.flow = merge(before, self.flow)
            kept = again if is_and else self._when_true(again, node)
            type = self._joined(kept, next_value, node)
            kept, next_value = (self.convert(e, type, node) for e in (kept, next_value))
            one, other = (next_value, kept) if is_and else (kept, next_value)
            chosen = tree.Choose(test, one, other, type=type, line=_line(node))
            value = self.block(first, chosen)
            slot = self._slot_of(part)
        return value

    def _when_true(self, value: Expr, node: ast.AST) -> Expr:
        return self.unwrap(value, node)

    def _joined(self, one: Expr, other: Expr, node: ast.AST) -> Type:
        """The type of one of two values."""
        found = join(one.type, other.type)
        if found is None:
            for a, b in ((one, other), (other, one)):
                as_list = self.as_list(a, node) if isinstance(b.type, ListType) else None
                if as_list is not None and join(as_list.type, b.type) is not None:
                    return b.type
            raise Refusal(node, f"one value is {one.type}, the other {other.type}")
        if has_no_words(found) or (found.words == 0 and found not in (NONE, NEVER)):
            raise Refusal(node, f"{found.a} can't be chosen while running")
        return found

    def expr_IfExp(self, node: ast.IfExp) -> Expr:
        test, then, other = self.cond(node.test)
        if then is None or other is None:
            self.flow = then if other is None else other
            done: list[tree.Stmt] = [tree.Do(test, line=_line(node))]
            return self.block(done, self.expr(node.body if other is None else node.orelse))
        self.flow = then
        one = self.expr(node.body)
        then = self.flow
        self.flow = other
        two = self.expr(node.orelse)
        self.flow = merge(then, self.flow)
        type = self._joined(one, two, node)
        one, two = self.convert(one, type, node), self.convert(two, type, node)
        return tree.Choose(test, one, two, type=type, line=_line(node))

    # ---- operators

    def expr_UnaryOp(self, node: ast.UnaryOp) -> Expr:
        if isinstance(node.op, ast.Not):
            value, _, _ = self.cond(node)
            return value
        value = self.expr(node.operand)
        if not is_int(value.type):
            raise Refusal(node, f"this operator on {value.type.a}")
        value = self.convert(value, INT, node)
        if isinstance(node.op, ast.USub):
            return self.op("int.neg", [value], INT, node)
        if isinstance(node.op, ast.Invert):
            return self.op("invert", [value], INT, node)
        return value

    def expr_BinOp(self, node: ast.BinOp) -> Expr:
        if isinstance(node.op, ast.BitAnd):
            masked = self._masked(node)
            if masked is not None:
                return masked
        if isinstance(node.op, ast.Add):
            joined = self._sum(node)
            if joined is not None:
                return joined
        left, right = self.expr(node.left), self.expr(node.right)
        return self.binary(node.op, left, right, node)

    def binary(self, op: ast.operator, left: Expr, right: Expr, node: ast.expr | ast.stmt) -> Expr:
        """``left op right``."""
        symbol = _SYMBOLS[type(op)]
        if NEVER in (left.type, right.type):
            return self.never(left, right, node)
        if isinstance(op, ast.Div):
            raise Refusal(node, *REFUSED["Div"])
        for side, part in ((left, "left"), (right, "right")):
            self.present(side, node, f"the {part} side of {symbol}")
            if side.type == JSON:
                raise Refusal(
                    node,
                    f"the {part} side of {symbol} is a JSON value, whose type is not known",
                    "give it a variable with a type: n: int = data['n']",
                )
            if side.type == BIG:
                raise Refusal(node, f"a number that does not fit in 64 bits: {self._shown(side)}")
        if is_int(left.type) and is_int(right.type):
            return self._integers(op, left, right, node)
        one, other = left.type, right.type
        if isinstance(op, ast.Add) and one == other and one in (STR, BYTES):
            return self.concat([left, right], one, node)
        if isinstance(op, ast.Add) and items_of(one) is not None and items_of(other) is not None:
            return self._tuples(left, right, node)
        if isinstance(op, ast.Mult):
            for text, count in ((left, right), (right, left)):
                if text.type in (STR, BYTES) and is_int(count.type):
                    name = f"zs_py_{text.type}_repeat"
                    if text is right and not isinstance(text, Const):
                        first, count = self.twice(count)
                        times = self.convert(count, INT, node)
                        made = self.helper(name, [text, times], text.type, node)
                        return self.block(first, made)
                    return self.helper(
                        name, [text, self.convert(count, INT, node)], text.type, node
                    )
        if isinstance(op, ast.Mod) and one in (STR, BYTES):
            raise Refusal(node, "% with a text is not compiled", "write an f-string")
        hint = None
        if isinstance(op, ast.Add) and STR in (one, other):
            hint = "write an f-string, or str(...)"
        raise Refusal(node, f"{one} {symbol} {other}", hint)

    def never(self, left: Expr, right: Expr, node: ast.AST) -> Expr:
        """Two values of which one is an exception."""
        if left.type == NEVER:
            return left
        return self.block([tree.Do(left, line=_line(node))], right)

    @staticmethod
    def _shown(expr: Expr) -> str:
        text = str(expr.value) if isinstance(expr, Const) else "?"
        return text if len(text) < 40 else text[:30] + "..."

    def _tuples(self, left: Expr, right: Expr, node: ast.AST) -> Expr:
        first, one = self.twice(left)
        second, other = self.twice(right)
        items = [self.item(one, at, node) for at in range(len(items_of(left.type) or ()))]
        items += [self.item(other, at, node) for at in range(len(items_of(right.type) or ()))]
        made = tree.Tuple(items, type=tuple_of(*[i.type for i in items]), line=_line(node))
        return self.block([*first, *second], made)

    def _integers(self, op: ast.operator, left: Expr, right: Expr, node: ast.AST) -> Expr:
        both_bool = left.type == BOOL and right.type == BOOL
        bitwise = isinstance(op, ast.BitAnd | ast.BitOr | ast.BitXor)
        if bitwise and both_bool:
            return self.op(_ARITHMETIC[type(op)], [left, right], BOOL, node)
        if isinstance(op, ast.Pow):
            args = [self.convert(left, INT, node), self.convert(right, INT, node)]
            args.append(self.const(CONSTANTS["ABSENT"], node))
            if not isinstance(right, Const) or right.value < 0:
                raise Refusal(
                    node,
                    "a power whose exponent is not a constant from 0 on",
                    "a negative exponent would make a fraction; use pow() with a modulus or a loop",
                )
            return self.helper("zs_py_int_pow", args, INT, node, True)
        if U64 in (left.type, right.type):
            special = self._unsigned(op, left, right, node)
            if special is not None:
                return special
        args = [self.convert(left, INT, node), self.convert(right, INT, node)]
        name = _ARITHMETIC.get(type(op))
        if name is None:
            raise Refusal(node, f"the operator {_SYMBOLS[type(op)]}", "scripts have no matrices")
        return self.op(name, args, INT, node, _DIVIDED.get(type(op)))

    def _unsigned(self, op: ast.operator, left: Expr, right: Expr, node: ast.AST) -> Expr | None:
        """Operators that stay within 0 .. 2**64-1; None for those that need a sign."""
        if isinstance(op, ast.RShift) and left.type == U64:
            return self.op("u64.shr", [left, self.convert(right, INT, node)], U64, node)
        if isinstance(op, ast.BitAnd):
            # The other side may be negative: it has as many ones in front as it takes.
            sides = [self.op("same", [side], U64, node) for side in (left, right)]
            positive = any(
                side.type == INT and isinstance(side, Const) and side.value >= 0
                for side in (left, right)
            )
            return self.op("and", list(sides), INT if positive else U64, node)
        if isinstance(op, ast.BitOr | ast.BitXor):
            both = [self.convert(side, U64, node) for side in (left, right)]
            return self.op(_ARITHMETIC[type(op)], both, U64, node)
        if isinstance(op, ast.FloorDiv | ast.Mod) and left.type == U64:
            by = self.convert(right, U64, node)
            name = "u64.div" if isinstance(op, ast.FloorDiv) else "u64.mod"
            small = isinstance(op, ast.Mod) and right.type == INT
            return self.op(name, [left, by], INT if small else U64, node, _DIVIDED[type(op)])
        return None

    def _masked(self, node: ast.BinOp) -> Expr | None:
        """``x & MASK``: what is above the mask need not be computed, so nothing overflows."""
        for value_node, mask_node in ((node.left, node.right), (node.right, node.left)):
            try:
                mask = self.scope.constants.of(mask_node, self.hidden)
            except (NotConstant, Refusal):
                continue
            if not isinstance(mask, int) or isinstance(mask, bool) or not 0 <= mask <= M64:
                continue
            value = self._wrapped(value_node)
            if value is None:
                return None
            type = INT if mask < 1 << 63 else U64
            if mask == M64:
                return self.op("same", [value], U64, node)
            return self.op("and", [value, self.const(mask, node)], type, node)
        return None

    def _wrapped(self, node: ast.expr) -> Expr | None:
        """An int modulo 2**64; None when it is no int."""
        names = {ast.Add: "wrap.add", ast.Sub: "wrap.sub", ast.Mult: "wrap.mul"}
        names |= {ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor"}
        if isinstance(node, ast.BinOp) and type(node.op) in names:
            left, right = self._wrapped(node.left), self._wrapped(node.right)
            if left is None or right is None:
                return None
            return self.op(names[type(node.op)], [left, right], U64, node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift):
            left, by = self._wrapped(node.left), self.expr(node.right)
            if left is None or not is_int(by.type):
                return None
            return self.op("wrap.shl", [left, self.convert(by, INT, node)], U64, node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            inner = self._wrapped(node.operand)
            return None if inner is None else self.op("invert", [inner], U64, node)
        value = self.expr(node)
        if isinstance(value, Const) and isinstance(value.value, int):
            return self.const(value.value & M64, node, U64)
        return self.op("same", [value], U64, node) if is_int(value.type) else None

    def _sum(self, node: ast.BinOp) -> Expr | None:
        """A chain of + over texts as one; None for another."""
        parts: list[ast.expr] = []
        at: ast.expr = node
        while isinstance(at, ast.BinOp) and isinstance(at.op, ast.Add):
            parts.append(at.right)
            at = at.left
        if not parts or len(parts) < 2:
            return None
        first = self.expr(at)
        if first.type not in (STR, BYTES):
            left = first
            for part in reversed(parts):
                left = self.binary(ast.Add(), left, self.expr(part), node)
            return left
        values = [first]
        for part in reversed(parts):
            value = self.present(self.expr(part), part, "the right side of +")
            if value.type != first.type:
                return self.binary(ast.Add(), first, value, node)  # which says why not
            values.append(value)
        return self.concat(values, first.type, node)

    def concat(self, parts: list[Expr], type: Type, node: ast.AST) -> Expr:
        """Texts as one."""
        flat: list[Expr] = []
        for part in parts:
            empty = isinstance(part, Const) and not part.value
            if empty:
                continue
            if isinstance(part, Const) and flat and isinstance(flat[-1], Const):
                flat[-1] = self.const(flat[-1].value + part.value, node)
            else:
                flat.append(part)
        if not flat:
            return self.const("" if type == STR else b"", node)
        if len(flat) == 1:
            return flat[0]
        result: Expr | None = None
        for begin in range(0, len(flat), 32):
            group = flat[begin : begin + 32]
            group = [result, *group] if result is not None else group
            result = self.op("concat", group, type, node, str(type))
        assert result is not None
        return result

    # ---- comparisons

    def expr_Compare(self, node: ast.Compare) -> Expr:
        left = self.expr(node.left)
        if len(node.ops) > 1:
            begin, left = self.before(left)
            return self.block(begin, self._chain(left, node))
        return self.compare(node.ops[0], left, node.comparators[0], node)

    def _chain(self, left: Expr, node: ast.Compare) -> Expr:
        """``a < b < c``: what comes later is evaluated if what came before holds."""
        steps: list[tuple[list[tree.Stmt], Expr]] = []
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn | ast.Is | ast.IsNot):
                raise Refusal(node, "a chain with in or is", "write two comparisons with and")
            first, again = self.twice(self.expr(right_node))
            steps.append((first, self.compare_values(op, left, again, node)))
            left = again
        result: Expr | None = None
        for first, test in reversed(steps):
            whole = (
                test
                if result is None
                else tree.Choose(test, result, self.const(False, node), type=BOOL, line=_line(node))
            )
            result = self.block(first, whole)
        assert result is not None
        return result

    def compare(self, op: ast.cmpop, left: Expr, right: ast.expr, node: ast.AST) -> Expr:
        """``left op right``."""
        if isinstance(op, ast.In | ast.NotIn):
            first, left = self.before(left)
            found = self.contains(left, right, node)
            if isinstance(op, ast.NotIn):
                if isinstance(found, Const):
                    found = self.const(not found.value, node)
                else:
                    found = self.op("not", [found], BOOL, node)
            return self.block(first, found)
        value = self.expr(right)
        if isinstance(op, ast.Is | ast.IsNot):
            return self._identity(op, left, value, node)
        return self.compare_values(op, left, value, node)

    def _identity(self, op: ast.cmpop, left: Expr, right: Expr, node: ast.AST) -> Expr:
        positive = isinstance(op, ast.Is)
        for one, other in ((left, right), (right, left)):
            if isinstance(other, Const) and other.type == NONE:
                found = self.is_none(one, node)
                if positive:
                    return found
                if isinstance(found, Const):
                    return self.const(not found.value, node)
                return self.op("not", [found], BOOL, node)
            if isinstance(other, Const) and other.type == BOOL and one.type == BOOL:
                how = "eq" if positive else "ne"
                return self.op("compare", [one, other], BOOL, node, (how, False, False))
        raise Refusal(node, "is compares with None, True and False only", "write ==")

    def compare_values(self, op: ast.cmpop, left: Expr, right: Expr, node: ast.AST) -> Expr:
        """``left op right`` for == and orders."""
        if isinstance(op, ast.Eq | ast.NotEq):
            found = self.equal(left, right, node)
            if isinstance(op, ast.Eq):
                return found
            if isinstance(found, Const):
                return self.const(not found.value, node)
            return self.op("not", [found], BOOL, node)
        if NEVER in (left.type, right.type):
            return self.never(left, right, node)
        how = _ORDERS[type(op)]
        for side in (left, right):
            self.present(side, node, f"one side of {_SYMBOLS[type(op)]}")
        if is_int(left.type) and is_int(right.type):
            extra = (how, left.type == U64, right.type == U64)
            return self.op("compare", [left, right], BOOL, node, extra)
        if left.type == right.type and left.type in (STR, BYTES):
            order = self.helper("zs_py_str_cmp", [left, right], INT, node)
            return self.op("order", [order], BOOL, node, how)
        if left.type == right.type == DATETIME:
            return self.op("compare", [left, right], BOOL, node, (how, False, False))
        if FLOAT in (left.type, right.type) and (is_int(left.type) or is_int(right.type)):
            up = isinstance(op, ast.Gt | ast.LtE) == (left.type == FLOAT)
            left, right = self._seconds(left, up, node), self._seconds(right, up, node)
            extra = (how, left.type == U64, right.type == U64)
            return self.op("compare", [left, right], BOOL, node, extra)
        if items_of(left.type) is not None and items_of(right.type) is not None:
            return self._order_tuples(op, left, right, node)
        raise Refusal(
            node,
            f"{left.type} {_SYMBOLS[type(op)]} {right.type}",
            "give a JSON value a variable with a type first"
            if JSON in (left.type, right.type)
            else None,
        )

    def _seconds(self, value: Expr, up: bool, node: ast.AST) -> Expr:
        """What a clock says in whole seconds, rounded so that an int compares as with all of it."""
        if value.type != FLOAT:
            return value
        number = self.op("same", [value], INT, node)
        if up:
            number = self.op("int.add", [number, self.const(999_999_999, node)], INT, node)
        return self.op("int.floordiv", [number, self.const(1_000_000_000, node)], INT, node, "")

    def _order_tuples(self, op: ast.cmpop, left: Expr, right: Expr, node: ast.AST) -> Expr:
        first, one = self.twice(left)
        second, other = self.twice(right)
        sizes = len(items_of(left.type) or ()), len(items_of(right.type) or ())
        how = {ast.Lt: sizes[0] < sizes[1], ast.LtE: sizes[0] <= sizes[1]}
        how |= {ast.Gt: sizes[0] > sizes[1], ast.GtE: sizes[0] >= sizes[1]}
        result: Expr = self.const(how[type(op)], node)
        strict: ast.cmpop = ast.Lt() if isinstance(op, ast.Lt | ast.LtE) else ast.Gt()
        for at in reversed(range(min(sizes))):
            a, b = self.item(one, at, node), self.item(other, at, node)
            result = tree.Choose(
                self.equal(a, b, node),
                result,
                self.compare_values(strict, a, b, node),
                type=BOOL,
                line=_line(node),
            )
        return self.block([*first, *second], result)

    def equal(self, left: Expr, right: Expr, node: ast.AST) -> Expr:
        """``left == right``."""
        if isinstance(left, Const) and isinstance(right, Const):
            return self.const(left.value == right.value, node)
        one, other = left.type, right.type
        if is_int(one) and is_int(other):
            extra = ("eq", one == U64, other == U64)
            return self.op("compare", [left, right], BOOL, node, extra)
        if NEVER in (one, other):
            return self.never(left, right, node)
        if NONE in (one, other):
            first, left = self.twice(left)
            second, right = self.twice(right)
            which = left if other == NONE else right
            return self.block([*first, *second], self.is_none(which, node))
        texts = (STR, BYTES)
        if strip(one) == strip(other) and strip(one) in texts:
            return self.op("text_eq", [left, right], BOOL, node)
        if JSON in (one, other):
            if one != JSON:
                first, left = self.twice(left)
                return self.block(first, self.equal(right, left, node))
            value, plain = left, right
            if plain.type == JSON:
                return self.helper("zs_py_json_eq", [value, plain], BOOL, node)
            if plain.type == STR:
                return self.helper("zs_py_json_eq_str", [value, plain], BOOL, node)
            if is_int(plain.type):
                number = self.convert(plain, INT, node)
                return self.helper("zs_py_json_eq_int", [value, number], BOOL, node)
            return self.helper("zs_py_json_eq", [value, self.to_json(plain, node)], BOOL, node)
        if isinstance(one, OptionalType) or isinstance(other, OptionalType):
            return self._equal_optional(left, right, node)
        a, b = items_of(one), items_of(other)
        if one == other and isinstance(one, RecordType):
            a = b = parts_of(one)
        if a is not None and b is not None:
            first, x = self.twice(left)
            second, y = self.twice(right)
            if len(a) != len(b):
                return self.block([*first, *second], self.const(False, node))
            result: Expr = self.const(True, node)
            for at in reversed(range(len(a))):
                same = self.equal(self.item(x, at, node), self.item(y, at, node), node)
                result = tree.Choose(
                    same, result, self.const(False, node), type=BOOL, line=_line(node)
                )
            return self.block([*first, *second], result)
        if one == other == IP_ADDRESS:
            return self.op("text_eq", [left, right], BOOL, node)
        if one == other == DATETIME:
            return self.op("compare", [left, right], BOOL, node, ("eq", False, False))
        raise Refusal(
            node,
            f"{one} == {other}",
            "values of different types are never equal" if one != other else None,
        )

    def _equal_optional(self, left: Expr, right: Expr, node: ast.AST) -> Expr:
        first, one = self.twice(left)
        second, other = self.twice(right)
        plain = self.equal(self.unwrap(one, node), self.unwrap(other, node), node)
        no: Expr = self.const(False, node)
        one_none, other_none = self.is_none(one, node), self.is_none(other, node)
        when_none = other_none
        result = tree.Choose(
            one_none,
            when_none,
            tree.Choose(other_none, no, plain, type=BOOL, line=_line(node)),
            type=BOOL,
            line=_line(node),
        )
        return self.block([*first, *second], result)

    # ---- in

    def contains(self, left: Expr, right: ast.expr, node: ast.AST) -> Expr:
        """``left in right``."""
        value = self.expr(right)
        self.present(value, node, "the right side of in")
        if isinstance(value, Const):
            return self._contains(left, value, node)
        first, again = self.twice(left)
        return self.block(first, self._contains(again, value, node))

    def _contains(self, left: Expr, value: Expr, node: ast.AST) -> Expr:
        if NEVER in (left.type, value.type):
            return self.never(left, value, node)
        if value.type in (SET, DICT):
            assert isinstance(value, Const)
            keys = list(value.value)
            if value.type == SET:  # in an order that is the same in each process
                keys.sort(key=repr)
            return self._in_keys(left, keys, node)
        if value.type == META:
            return self.helper("zs_py_meta_has", [self.convert(left, STR, node)], BOOL, node)
        if value.type in (STR, BYTES):
            if value.type == BYTES and is_int(left.type):
                number = self.convert(left, INT, node)
                return self.helper("zs_py_bytes_contains_int", [value, number], BOOL, node, True)
            text = self.convert(left, value.type, node, "the left side of in")
            return self.helper(f"zs_py_{value.type}_contains", [value, text], BOOL, node)
        if value.type == JSON:
            return self.helper(
                "zs_py_json_has", [value, self.convert(left, STR, node)], BOOL, node, True
            )
        if value.type == QS:
            return self.helper("zs_py_qs_has", [value, self.convert(left, STR, node)], BOOL, node)
        if value.type == NETWORK:
            assert isinstance(value, Const) and isinstance(value.value, Network)
            net = self.const(value.value.packed + bytes([value.value.prefix]), node)
            address = self.convert(left, IP_ADDRESS, node, "the left side of in")
            return self.helper("zs_py_ip_in", [address, net], BOOL, node)
        if isinstance(value, Const) and isinstance(value.value, tuple | list):
            return self._in_keys(left, list(value.value), node)
        items = items_of(value.type)
        if items is not None:
            first, again = self.twice(left)
            second, whole = self.twice(value)
            result: Expr = self.const(False, node)
            for at in reversed(range(len(items))):
                same = self.equal(again, self.item(whole, at, node), node)
                result = tree.Choose(
                    same, self.const(True, node), result, type=BOOL, line=_line(node)
                )
            return self.block([*first, *second], result)
        if isinstance(value.type, ListType) and value.type.item in (STR, BYTES):
            item = self.convert(left, value.type.item, node, "the left side of in")
            return self.helper("zs_py_list_contains", [value, item], BOOL, node)
        raise Refusal(node, f"{left.type} in {value.type}")

    def _in_keys(self, left: Expr, keys: list[Any], node: ast.AST) -> Expr:
        """Whether a value is one of constants."""
        if len(keys) <= MAX_CHAIN or not _one_kind(keys):
            if len(keys) > 64:
                raise Refusal(node, "too many constants of different types")
            first, again = self.twice(left)
            result: Expr = self.const(False, node)
            for key in reversed(keys):
                constant = self.const(key, node)
                if not _comparable(again.type, constant.type):
                    raise Refusal(node, f"{left.type} in values of type {constant.type}")
                same = self.equal(again, constant, node)
                result = tree.Choose(
                    same, self.const(True, node), result, type=BOOL, line=_line(node)
                )
            return self.block(first, result)
        index = self.find(left, keys, node)
        return self.op("compare", [index, self.const(0, node)], BOOL, node, ("ge", False, False))

    def find(self, key: Expr, keys: list[Any], node: ast.AST) -> Expr:
        """At which place of constants a value is; -1 for none."""
        type = type_of(keys[0], node)
        if not _one_kind(keys):
            raise Refusal(node, "the keys are not all str, all bytes or all int")
        first: list[tree.Stmt] = []
        none: Expr | None = None
        if isinstance(key.type, OptionalType):
            first, key = self.twice(key)
            none = self.is_none(key, node)
            key = self.unwrap(key, node)
        if key.type not in (type, JSON) and not (is_int(key.type) and is_int(type)):
            raise Refusal(node, f"the key is {key.type}, not {type}")
        key = self.convert(key, INT if is_int(type) else type, node, "the key")
        table = self.op("blob", [], INT, node, dict_table(keys))
        kind = self.const(1 if is_int(type) else 0, node)
        found: Expr = self.helper("zs_py_dict_find", [table, key, kind], INT, node)
        if none is not None:
            found = tree.Choose(none, self.const(-1, node), found, type=INT, line=_line(node))
        return self.block(first, found)

    # ---- subscripts

    def expr_Subscript(self, node: ast.Subscript) -> Expr:
        value = self.present(self.expr(node.value), node, ast.unparse(node.value))
        if isinstance(node.slice, ast.Slice):
            return self._slice(value, node.slice, node)
        type = value.type
        if type == DICT:
            assert isinstance(value, Const)
            return self.lookup(value.value, self.expr(node.slice), None, node)
        if type == META:
            key = self.convert(self.expr(node.slice), STR, node, "the key")
            first, again = self.twice(key)
            found = self.helper("zs_py_meta_get", [again], optional(STR), node)
            return self.block(
                first, self._or_raise(found, "KeyError", self.key_text(again, node), node)
            )
        if isinstance(type, MatchType):
            return self.group(value, node.slice, node)
        if type == JSON:
            key = self.expr(node.slice)
            if key.type == STR:
                return self.helper("zs_py_json_item", [value, key], JSON, node, True)
            number = self.convert(key, INT, node, "the index")
            return self.helper("zs_py_json_index", [value, number], JSON, node, True)
        if type == QS:
            key = self.convert(self.expr(node.slice), STR, node, "the key")
            first, again = self.twice(key)
            found = self.helper("zs_py_qs_get", [value, again], optional(list_of(STR)), node)
            return self.block(
                first, self._or_raise(found, "KeyError", self.key_text(again, node), node)
            )
        index = self.expr(node.slice)
        items = items_of(type)
        if items is not None and isinstance(index, Const) and isinstance(index.value, int):
            if not -len(items) <= index.value < len(items):
                message = self.const("tuple index out of range", node)
                return self.valued(value, tree.Raise("IndexError", message, line=_line(node)))
            return self.item(value, index.value % len(items), node)
        is_tuple = items is not None
        as_list = self.as_list(value, node)
        if as_list is not None:
            number = self.convert(index, INT, node, "the index")
            what = "tuple" if is_tuple or _is_tuple_const(value) else "list"
            assert isinstance(as_list.type, ListType)
            text = f"{what} index out of range"
            return self.op("list_at", [as_list, number], as_list.type.item, node, text)
        if items is not None:
            raise Refusal(
                node,
                "an index that is not a constant into a tuple of different types",
                "write the index as a number",
            )
        if type == STR:
            return self.op("str_at", [value, self.convert(index, INT, node)], STR, node)
        if type == BYTES:
            return self.op("bytes_at", [value, self.convert(index, INT, node)], INT, node)
        raise Refusal(node, f"{type.a} has no items")

    def key_text(self, key: Expr, node: ast.AST) -> Expr | None:
        """What a KeyError says: the repr of the key."""
        try:
            return self.repr_of(key, node)
        except Refusal:
            return None

    def _or_raise(self, found: Expr, kind: str, message: Expr | None, node: ast.AST) -> Expr:
        """What is there, or an exception."""
        first, again = self.twice(found)
        raised = tree.Raise(kind, message, line=_line(node))
        inner = self.unwrap(again, node)
        chosen = tree.Choose(
            self.is_none(again, node), raised, inner, type=inner.type, line=_line(node)
        )
        return self.block(first, chosen)

    def group(self, match: Expr, number: ast.expr, node: ast.AST) -> Expr:
        """``match[n]``."""
        assert isinstance(match.type, MatchType)
        index, certain = self.group_number(match.type, number)
        args = [match, self.const(index, node)]
        found = self.helper("zs_py_re_group", args, optional(STR), node)
        return self.unwrap(found, node) if certain else found

    def group_number(self, match: MatchType, number: ast.expr) -> tuple[int, bool]:
        """The number of a group, and whether it is always there."""
        wanted = self.constant_value(number)
        if isinstance(wanted, str):
            for at, (name, certain) in enumerate(match.groups, 1):
                if name == wanted:
                    return at, certain
        elif isinstance(wanted, int) and 0 <= wanted <= len(match.groups):
            return wanted, wanted == 0 or match.groups[wanted - 1][1]
        names = ", ".join(name for name, _ in match.groups if name)
        raise Refusal(
            number,
            f"the pattern has no group {wanted!r}",
            f"its groups are 0 to {len(match.groups)}" + (f", {names}" if names else ""),
        )

    def lookup(self, table: dict[Any, Any], key: Expr, default: Expr | None, node: ast.AST) -> Expr:
        """``table[key]``, or with ``default`` ``table.get(key, default)``; a constant dict."""
        # The default is made before anything is looked up.
        early, default = self.twice(default) if default is not None else ([], None)
        if isinstance(key, Const):
            if isinstance(key.value, list | dict | set):
                raise Refusal(node, f"{key.type.a} is no key of a dict")
            if key.value in table:
                return self.block(early, self.const(table[key.value], node))
            text = self.const(repr(key.value), node)
            return self.block(early, default or tree.Raise("KeyError", text, line=_line(node)))
        if not table:
            first, again = self.twice(key)
            nothing = default or tree.Raise(
                "KeyError", self.key_text(again, node), line=_line(node)
            )
            return self.block([*first, *early], nothing)
        values = list(table.values())
        type: Type | None = NEVER
        for value in values:
            type = join(type_of(value, node), type) if type is not None else None
        if type is None or (type.words == 0 and type != NONE):
            raise Refusal(node, "the values of this dict are of different types, or dicts")
        first, again = self.twice(key)
        index = self.find(again, list(table), node)
        second, at = self.twice(index)
        whole = self.const(values, node, list_of(type))
        found: Expr = self.op("list_at", [whole, at], type, node)
        missing = self.op("compare", [at, self.const(0, node)], BOOL, node, ("lt", False, False))
        if default is None:
            other: Expr = tree.Raise("KeyError", self.key_text(again, node), line=_line(node))
            result_type = type
        else:
            joined = join(type, default.type)
            if joined is None:
                raise Refusal(node, f"the default is {default.type}, the values are {type}")
            result_type = joined
            found, other = self.convert(found, joined, node), self.convert(default, joined, node)
        chosen = tree.Choose(missing, other, found, type=result_type, line=_line(node))
        return self.block([*first, *early, *second], chosen)

    def _slice(self, value: Expr, slice: ast.Slice, node: ast.AST) -> Expr:
        def bound(part: ast.expr | None) -> Expr:
            if part is None:
                return self.const(CONSTANTS["ABSENT"], node)
            found = self.expr(part)
            if found.type == NONE and isinstance(found, Const):
                return self.const(CONSTANTS["ABSENT"], node)
            number = self.convert(found, INT, part, "the bound")
            # The least int says that there is none; the one above it means the same slice.
            return number if isinstance(number, Const) else self.op("bound", [number], INT, node)

        items = items_of(value.type)
        if items is not None:
            return self._slice_tuple(value, slice, node)
        low, high = bound(slice.lower), bound(slice.upper)
        step = bound(slice.step)
        plain = isinstance(step, Const) and step.value in (1, CONSTANTS["ABSENT"])
        if isinstance(step, Const) and step.value == CONSTANTS["ABSENT"]:
            step = self.const(1, node)
        if value.type in (STR, BYTES):
            if plain:
                return self.op("slice", [value, low, high], value.type, node)
            name = f"zs_py_{value.type}_slice"
            return self.helper(name, [value, low, high, step], value.type, node, True)
        if isinstance(value.type, ListType):
            if isinstance(step, Const) and step.value == 0:
                raise Refusal(node, "a step of 0")
            if not isinstance(step, Const):
                raise Refusal(node, "a step that is not a constant")
            return self.op("list_slice", [value, low, high, step], value.type, node)
        raise Refusal(node, f"{value.type.a} can't be sliced")

    def _slice_tuple(self, value: Expr, slice: ast.Slice, node: ast.AST) -> Expr:
        parts = [
            None if part is None else self.constant_value(part)
            for part in (slice.lower, slice.upper, slice.step)
        ]
        count = len(items_of(value.type) or ())
        try:
            chosen = range(count)[parts[0] : parts[1] : parts[2]]
        except (ValueError, TypeError):
            raise Refusal(node, "the bounds of this slice are no numbers") from None
        first, again = self.twice(value)
        items = [self.item(again, at, node) for at in chosen]
        made = tree.Tuple(items, type=tuple_of(*[i.type for i in items]), line=_line(node))
        return self.block(first, made)

    # ---- f-strings

    def expr_JoinedStr(self, node: ast.JoinedStr) -> Expr:
        parts: list[Expr] = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(self.const(part.value, node))
            else:
                assert isinstance(part, ast.FormattedValue)
                parts.append(self._formatted(part))
        return self.concat(parts, STR, node)

    def _formatted(self, node: ast.FormattedValue) -> Expr:
        value = self.expr(node.value)
        if node.conversion == ord("r"):
            value = self.repr_of(value, node)
        elif node.conversion == ord("s"):
            value = self.text_of(value, node)
        elif node.conversion == ord("a"):
            raise Refusal(node, "!a is not compiled", "write !r")
        if node.format_spec is None:
            return self.text_of(value, node)
        spec = self.expr(node.format_spec)
        if isinstance(spec, Const) and not spec.value:
            return self.text_of(value, node)
        if value.type == JSON:
            raise Refusal(
                node,
                "a format of a JSON value, whose type is not known",
                "give it a variable with a type first: n: int = data['n']",
            )
        self.present(value, node, "a value with a format")
        if value.type == BOOL and not isinstance(spec, Const):
            return self._formatted_bool(value, spec, node)
        if isinstance(spec, Const):
            check_format(spec.value, value.type, node)
        if value.type == BOOL and not isinstance(spec, Const):
            # Without a format it is True or False, with one a number.
            first, again = self.twice(value)
            second, other = self.twice(spec)
            chosen = tree.Choose(
                self.op("nonempty", [other], BOOL, node),
                self.helper("zs_py_int_format", [again, other], STR, node, True),
                self.text_of(again, node),
                type=STR,
                line=_line(node),
            )
            return self.block([*first, *second], chosen)
        if value.type in (INT, BOOL, U64):
            if value.type == U64:
                return self.helper("zs_py_uint_format", [value, spec], STR, node, True)
            return self.helper("zs_py_int_format", [value, spec], STR, node, True)
        if value.type == STR:
            return self.helper("zs_py_str_format", [value, spec], STR, node, True)
        raise Refusal(node, f"a format of {value.type.a}", "format an int or a str")

    def _formatted_bool(self, value: Expr, spec: Expr, node: ast.AST) -> Expr:
        """A bool is formatted as the int that it is, but without a format it is True or False."""
        first, flag = self.twice(value)
        second, how = self.twice(spec)
        number = self.helper("zs_py_int_format", [flag, how], STR, node, True)
        some = self.op("nonempty", [how], BOOL, node)
        plain = self.text_of(flag, node)
        chosen = tree.Choose(some, number, plain, type=STR, line=_line(node))
        return self.block([*first, *second], chosen)

    def text_of(self, value: Expr, node: ast.AST, as_key: bool = False) -> Expr:
        """``str(value)``."""
        type = value.type
        special = (*META_TYPES, IP_ADDRESS, DATETIME, REQUEST, META, RESPONSE_HEAD)
        if isinstance(value, Const) and type not in special:
            if isinstance(value.value, str | int | bytes | tuple | list | None):
                return self.const(str(value.value), node)
        elif type in (STR, NEVER):
            return value
        if type == INT:
            return self.helper("zs_py_str_of_int", [value], STR, node)
        if type == U64:
            args = [value, self.const("", node)]
            return self.helper("zs_py_uint_format", args, STR, node, True)
        if type == BOOL:
            return tree.Choose(
                value,
                self.const("True", node),
                self.const("False", node),
                type=STR,
                line=_line(node),
            )
        if type == BYTES:
            return self.helper("zs_py_bytes_repr", [value], STR, node)
        if type == NONE:
            done: list[tree.Stmt] = [tree.Do(value, line=_line(node))]
            return self.block(done, self.const("None", node))
        if isinstance(type, OptionalType):
            first, again = self.twice(value)
            chosen = tree.Choose(
                self.is_none(again, node),
                self.const("None", node),
                self.text_of(self.unwrap(again, node), node),
                type=STR,
                line=_line(node),
            )
            return self.block(first, chosen)
        if type == JSON:
            return self.helper("zs_py_json_str", [value], STR, node)
        if type == IP_ADDRESS:
            return self.helper("zs_py_ip_str", [value], STR, node)
        if type == DATETIME:
            raise Refusal(node, "the text of a datetime", "write .isoformat() or .strftime()")
        raise Refusal(node, f"the text of {type.a}", "put the text together from its parts")

    def repr_of(self, value: Expr, node: ast.AST) -> Expr:
        """``repr(value)``."""
        if value.type == STR:
            if isinstance(value, Const):
                return self.const(repr(value.value), node)
            return self.helper("zs_py_str_repr", [value], STR, node)
        if value.type in (INT, U64, BOOL, NONE, BYTES, NEVER):
            return self.text_of(value, node)
        if isinstance(value.type, OptionalType):
            first, again = self.twice(value)
            chosen = tree.Choose(
                self.is_none(again, node),
                self.const("None", node),
                self.repr_of(self.unwrap(again, node), node),
                type=STR,
                line=_line(node),
            )
            return self.block(first, chosen)
        raise Refusal(node, f"the repr of {value.type.a}", "put the text together from its parts")

    def expr_Call(self, node: ast.Call) -> Expr:
        return self.call(node)


def _one_kind(keys: list[Any]) -> bool:
    """Whether constants are all str, all bytes, or all int of 64 bits."""
    first = type(keys[0])
    if first not in (str, bytes, int):
        return False
    if first is int and not all(type(key) is int and -(1 << 63) <= key < 1 << 63 for key in keys):
        return False
    return all(type(key) is first for key in keys)


def _comparable(one: Type, other: Type) -> bool:
    if is_int(strip(one)) and is_int(strip(other)):
        return True
    if strip(one) == JSON:
        return True
    if items_of(strip(one)) is not None and items_of(strip(other)) is not None:
        return True
    return strip(one) == strip(other) or other == NONE


def _is_tuple_const(value: Expr) -> bool:
    return isinstance(value, Const) and isinstance(value.value, tuple)
