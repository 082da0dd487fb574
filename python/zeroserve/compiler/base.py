"""What all parts of the checker share: variables, conversions, temporary places."""

import ast
import difflib
from collections.abc import Callable, Iterable
from typing import Any

from zeroserve.compiler import tree
from zeroserve.compiler.bindings import FunctionDecl
from zeroserve.compiler.constants import NotConstant
from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.flow import Flow, wrong_type
from zeroserve.compiler.operations import ATTRIBUTES, REQUEST_FIELDS
from zeroserve.compiler.scope import META_TYPES, Scope, has_no_words, type_of
from zeroserve.compiler.tree import Const, Expr, Helper, Local, Op, Slot
from zeroserve.compiler.types import (
    BOOL,
    BYTES,
    FETCHED,
    FLOAT,
    INT,
    JSON,
    META,
    NEVER,
    NONE,
    REQUEST,
    RESPONSE,
    STR,
    U64,
    HashType,
    ListType,
    MatchType,
    OptionalType,
    RecordType,
    TupleType,
    Type,
    items_of,
    join,
    list_of,
    optional,
    parts_of,
)

TRUE = {"value": True}


class Base:
    """The state while one function is checked."""

    def __init__(
        self,
        scope: Scope,
        declared: FunctionDecl,
        report: Callable[[Scope, Refusal], None],
        function_of: Callable[[FunctionDecl, ast.AST], tree.Function],
        pattern_number: Callable[[str, int], int],
    ) -> None:
        self.scope = scope
        self.declared = declared
        self.report = report
        self.function_of = function_of
        self.pattern_number = pattern_number
        self.locals: dict[str, Slot] = {}
        self.poisoned: set[str] = set()
        self.flow: Flow = {}
        self.changed = False
        self.temporary = 0
        self.calls: set[tree.Function] = set()
        self.pending: list[tree.Stmt] = []
        self.result: Type = NONE
        self.hidden: frozenset[str] = frozenset()
        self.displays: dict[str, ast.expr] = {}

    # ---- making nodes

    def const(self, value: Any, node: ast.AST, type: Type | None = None) -> Const:
        """A constant."""
        return Const(value, type=type or type_of(value, node), line=_line(node))

    def helper(
        self, name: str, args: list[Expr], type: Type, node: ast.AST, raises: bool = False
    ) -> Helper:
        """A call of a helper."""
        return Helper(name, args, raises, type=type, line=_line(node))

    def op(self, name: str, args: list[Expr], type: Type, node: ast.AST, extra: Any = None) -> Op:
        """A primitive operation."""
        return Op(name, args, extra, type=type, line=_line(node))

    def temp(self, type: Type) -> Slot:
        """A place without a name."""
        self.temporary += 1
        return Slot(f".{self.temporary}", type)

    def twice(self, expr: Expr) -> tuple[list[tree.Stmt], Expr]:
        """What to do first, and an expression that may then be evaluated several times."""
        if isinstance(expr, Const) or (isinstance(expr, Local) and expr.slot.name[0] == "."):
            return [], expr
        slot = self.temp(expr.type)
        store = tree.Store(slot, expr, line=expr.line)
        return [store], Local(slot, type=expr.type, line=expr.line)

    def before(self, expr: Expr) -> tuple[list[tree.Stmt], Expr]:
        """As ``twice``, for what CPython evaluates before something that stands in front of it
        here: a variable may be another then, and so may an attribute of the request."""
        return self.twice(expr)

    def valued(self, expr: Expr, value: Expr) -> Expr:
        """A value that is known without the expression, which is evaluated all the same."""
        if isinstance(expr, Const | Local):
            return value
        return self.block([tree.Do(expr, line=expr.line)], value)

    def block(self, body: list[tree.Stmt], value: Expr) -> Expr:
        """Statements in front of a value."""
        return tree.Block(body, value, type=value.type, line=value.line) if body else value

    # ---- variables

    def local(self, name: str) -> Slot | None:
        return self.locals.get(name)

    def assign(self, name: str, value: Expr, node: ast.AST) -> tree.Stmt:
        """Give a variable a value."""
        type = value.type
        if has_no_words(type) or (type.words == 0 and type not in (NONE, NEVER)):
            raise Refusal(
                node,
                f"a variable can't hold {type.a}",
                "make it a constant of the module, or use it where it is made",
            )
        if type == FLOAT:
            raise Refusal(node, "no values of type float", "write int(time.time())")
        if isinstance(value, Const) and isinstance(type, TupleType) and type.words > 64:
            value = self.as_list(value, node) or value
            type = value.type
        slot = self.locals.get(name)
        if slot is None:
            slot = Slot(name, type)
            self.locals[name] = slot
            self.changed = True
        joined = join(slot.type, type)
        if type == JSON and slot.type in (STR, INT, BOOL):
            value = self.convert(
                value, slot.type, node
            )  # the variable has a type: it is held to it
            type = joined = slot.type
        if joined is None:
            raise wrong_type(node, name, slot.type, type)
        if joined != slot.type:
            slot.type = joined
            self.changed = True
        converted = self.convert(value, slot.type, node)
        if self.flow is not None:
            narrow = type if type != U64 and type != INT else slot.type
            if isinstance(type, TupleType | ListType):
                narrow = slot.type
            self.flow[slot] = narrow
        return tree.Store(slot, converted, line=_line(node))

    # ---- conversions

    def fits(self, one: Type, wanted: Type) -> bool:
        """Whether a value of one type can be given where another is wanted."""
        return join(one, wanted) == wanted or {one, wanted} == {INT, U64} or one == NEVER

    def convert(self, expr: Expr, wanted: Type, node: ast.AST, what: str = "the value") -> Expr:
        """The expression as another type. Raises ``Refusal`` when there is no way."""
        found = expr.type
        if found in (wanted, NEVER):
            return expr
        if isinstance(expr, Const) and not isinstance(wanted, OptionalType):
            fits = wanted == U64 or (wanted == INT and found == U64 and expr.value < 1 << 63)
            if {found, wanted} <= {INT, U64} and expr.value >= 0 and fits:
                return self.const(expr.value, node, wanted)
            if (
                isinstance(wanted, ListType)
                and isinstance(expr.value, tuple | list)
                and all(self.fits(type_of(item, node), wanted.item) for item in expr.value)
            ):
                return self.const(list(expr.value), node, wanted)
        if {found, wanted} == {INT, U64}:
            return self.op("checked_sign", [expr], wanted, node)
        if found == BOOL and wanted in (INT, U64):
            return self.op("same", [expr], wanted, node)
        if wanted == JSON:
            return self.to_json(expr, node)
        if isinstance(wanted, OptionalType):
            return self._to_optional(expr, wanted, node, what)
        if found == JSON and wanted in (STR, INT, BOOL):
            return self.helper(f"zs_py_json_as_{wanted}", [expr], wanted, node)
        if (
            isinstance(wanted, TupleType)
            and isinstance(found, TupleType)
            and len(wanted.items) == len(found.items)
        ):
            first, again = self.twice(expr)
            items = [
                self.convert(self.item(again, at, node), type, node, what)
                for at, type in enumerate(wanted.items)
            ]
            made = tree.Tuple(items, type=wanted, line=_line(node))
            return self.block(first, made)
        if isinstance(wanted, ListType):
            if isinstance(found, ListType) and found.item == NEVER:
                return self.op("same", [expr], wanted, node)
            items_ = items_of(found)
            if items_ is not None and all(item == wanted.item for item in items_):
                first, again = self.twice(expr)
                parts = [self.item(again, at, node) for at in range(len(items_))]
                return self.block(first, self.op("pack_list", parts, wanted, node))
        hint = None
        if isinstance(found, OptionalType) and self.fits(found.item, wanted):
            hint = "look at None first: if x is None: ..."
        if found == INT and wanted == STR:
            hint = "write str(...) or an f-string"
        if found == STR and wanted == BYTES:
            hint = "write .encode()"
        if found == BYTES and wanted == STR:
            hint = "write .decode()"
        raise Refusal(node, f"{what} is {found}, not {wanted}", hint)

    def as_given(self, expr: Expr, wanted: Type, node: ast.AST, what: str = "the value") -> Expr:
        """As ``convert``, where the value keeps its type in CPython: a bool is no int there."""
        if expr.type == BOOL and wanted in (INT, U64):
            raise Refusal(node, f"{what} is bool, not int", "write int(...)")
        return self.convert(expr, wanted, node, what)

    def _to_optional(self, expr: Expr, wanted: OptionalType, node: ast.AST, what: str) -> Expr:
        if expr.type == NONE:
            if isinstance(expr, Const):
                return self.const(None, node, wanted)
            return self.block([tree.Do(expr, line=_line(node))], self.const(None, node, wanted))
        if expr.type == JSON:
            first, again = self.twice(expr)
            none = tree.IsNone(again, type=BOOL, line=_line(node))
            some = tree.Wrap(
                self.convert(again, wanted.item, node, what), type=wanted, line=_line(node)
            )
            chosen = tree.Choose(
                none, self.const(None, node, wanted), some, type=wanted, line=_line(node)
            )
            return self.block(first, chosen)
        if isinstance(expr.type, OptionalType):
            first, again = self.twice(expr)
            none = tree.IsNone(again, type=BOOL, line=_line(node))
            inner = self.unwrap(again, node)
            if expr.type.item != wanted.item and not self.fits(expr.type.item, wanted.item):
                raise Refusal(node, f"{what} is {expr.type}, not {wanted}")
            some = tree.Wrap(
                self.convert(inner, wanted.item, node, what), type=wanted, line=_line(node)
            )
            chosen = tree.Choose(
                none, self.const(None, node, wanted), some, type=wanted, line=_line(node)
            )
            return self.block(first, chosen)
        if not self.fits(expr.type, wanted.item):
            raise Refusal(node, f"{what} is {expr.type}, not {wanted}")
        inner = self.convert(expr, wanted.item, node, what)
        if isinstance(inner, Const):
            return self.const(inner.value, node, wanted)
        return tree.Wrap(inner, type=wanted, line=_line(node))

    def to_json(self, expr: Expr, node: ast.AST) -> Expr:
        """A value as JSON."""
        if expr.type == NONE:
            return self.valued(expr, self.const(None, node, JSON))
        if expr.type in (STR, INT, BOOL, U64):
            name = "int" if expr.type == U64 else str(expr.type)
            inner = self.convert(expr, INT, node) if expr.type == U64 else expr
            return self.helper(f"zs_py_json_of_{name}", [inner], JSON, node)
        if isinstance(expr.type, OptionalType) and expr.type.item in (STR, INT, BOOL):
            first, again = self.twice(expr)
            none = tree.IsNone(again, type=BOOL, line=_line(node))
            some = self.to_json(self.unwrap(again, node), node)
            chosen = tree.Choose(
                none, self.const(None, node, JSON), some, type=JSON, line=_line(node)
            )
            return self.block(first, chosen)
        raise Refusal(node, f"the value is {expr.type}, not a JSON value")

    def unwrap(self, expr: Expr, node: ast.AST) -> Expr:
        """A value of which is known that it is not None."""
        if not isinstance(expr.type, OptionalType):
            return expr
        return tree.Unwrap(expr, type=expr.type.item, line=_line(node))

    def present(self, expr: Expr, node: ast.AST, what: str = "this value") -> Expr:
        """A value that must not be None: refused when it could be."""
        if isinstance(expr.type, OptionalType):
            raise Refusal(
                node,
                f"{what} can be None",
                "look first: if x is None: ... (or x or '')",
            )
        if expr.type == NONE:
            raise Refusal(node, f"{what} is None")
        return expr

    def item(self, expr: Expr, index: int, node: ast.AST) -> Expr:
        """One of the values that a tuple or record consists of."""
        items = parts_of(expr.type) or ()
        if isinstance(expr, tree.Tuple):
            others = [*expr.items[:index], *expr.items[index + 1 :]]
            if all(isinstance(other, Const | Local) for other in others):
                return expr.items[index]  # the others do nothing that would be missed
        if isinstance(expr, Const):
            return self.const(expr.value[index], node, items[index])
        return tree.Item(expr, index, type=items[index], line=_line(node))

    def as_list(self, expr: Expr, node: ast.AST) -> Expr | None:
        """A tuple whose items are of one type, as a list; None for another."""
        if isinstance(expr.type, ListType):
            return expr
        items = items_of(expr.type)
        if items is None:
            return None
        if isinstance(expr, Const):
            try:
                type = type_of(list(expr.value), node)
            except Refusal:
                return None
            return self.const(list(expr.value), node, type)
        if not items or any(item != items[0] for item in items):
            return None
        return self.convert(expr, list_of(items[0]), node)

    # ---- truth

    def truth(self, expr: Expr, node: ast.AST) -> Expr:
        """``bool(expr)``."""
        type = expr.type
        if type in (BOOL, NEVER):
            return expr
        if isinstance(expr, Const) and (type.words or type in META_TYPES or type == NONE):
            return self.const(bool(expr.value), node)
        if type == NONE:
            done: list[tree.Stmt] = [tree.Do(expr, line=_line(node))]
            return self.block(done, self.const(False, node))
        if type in (INT, U64):
            return self.op("nonzero", [expr], BOOL, node)
        if type in (STR, BYTES) or isinstance(type, ListType):
            return self.op("nonempty", [expr], BOOL, node)
        if type == JSON:
            return self.helper("zs_py_json_bool", [expr], BOOL, node)
        if isinstance(type, OptionalType):
            if type.item in (STR, BYTES) or isinstance(type.item, ListType):
                return self.op("nonempty", [expr], BOOL, node)
            first, again = self.twice(expr)
            none = tree.IsNone(again, type=BOOL, line=_line(node))
            some = self.truth(self.unwrap(again, node), node)
            chosen = tree.Choose(none, self.const(False, node), some, type=BOOL, line=_line(node))
            return self.block(first, chosen)
        items = items_of(type)
        if items is not None and (not isinstance(type, RecordType) or type.is_tuple):
            done = [tree.Do(expr, line=_line(node))]
            return self.block(done, self.const(bool(items), node))
        if isinstance(type, RecordType | MatchType | HashType) or type in (
            *(RESPONSE, FETCHED, REQUEST),
        ):
            done = [tree.Do(expr, line=_line(node))]
            return self.block(done, self.const(True, node))
        raise Refusal(node, f"the truth of {type.a}", "compare it with something")

    # ---- names

    def constant_value(self, node: ast.expr) -> Any:
        """The value of a constant expression; raises ``Refusal`` for another."""
        try:
            return self.scope.constants.of(node, self.hidden)
        except NotConstant:
            raise Refusal(
                node, "this has to be a constant", "write the value, or a name of the module"
            ) from None

    def field(self, request: Expr, name: str, node: ast.AST) -> Expr:
        """An attribute of the request."""
        kind = ATTRIBUTES["Request"].get(name)
        if kind == "Meta":
            return self.const(None, node, META)
        if name == "peer_port":
            return self.helper("zs_py_req_peer_port", [], INT, node)
        if kind is None:
            raise self.no_attribute(node, "Request", name, ATTRIBUTES["Request"])
        index = REQUEST_FIELDS.index(name)
        if kind == "str?" or name == "client_ip":
            number: list[Expr] = [self.const(index, node)]
            type = optional(STR) if kind == "str?" else STR
            return self.helper("zs_py_req_field", number, type, node)
        return self.op("field", [request], STR, node, index)

    def no_attribute(
        self, node: ast.AST, owner: object, name: str, known: Iterable[str]
    ) -> Refusal:
        """For an attribute that is not there."""
        close = difflib.get_close_matches(name, list(known), 1)
        hint = f"did you mean {close[0]}?" if close else None
        return Refusal(node, f"{owner} has no {name} in scripts", hint)


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)
