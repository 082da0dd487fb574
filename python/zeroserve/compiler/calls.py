"""Calls: of the script's functions, of records, of what ``operations.py`` lists."""

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from zeroserve import _core
from zeroserve.compiler import regex, tree, unroll
from zeroserve.compiler.base import _line
from zeroserve.compiler.bindings import Failed, FunctionDecl, ParamDecl, RecordDecl
from zeroserve.compiler.constants import NotConstant, Pattern, TableValue
from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.flow import Flow, assigned, copy
from zeroserve.compiler.iterate import Iterables
from zeroserve.compiler.operations import CONSTANTS, EXCEPTIONS, Operation, functions, methods
from zeroserve.compiler.scope import DICT, NETWORK, PATTERN, SET, nearest
from zeroserve.compiler.subset import BUILTINS, METHODS
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
    RESPONSE,
    RESPONSE_HEAD,
    STR,
    U64,
    HashType,
    ListType,
    MatchType,
    OptionalType,
    RecordType,
    TableType,
    TupleType,
    Type,
    is_int,
    items_of,
    join,
    list_of,
    optional,
    tuple_of,
)

SPLIT_RESULT = RecordType(
    "SplitResult",
    5,
    tuple((name, STR) for name in ("scheme", "netloc", "path", "query", "fragment")),
    True,
)
ALGORITHMS = {"md5": 0, "sha1": 1, "sha224": 2, "sha256": 3, "sha384": 4, "sha512": 5}
CODECS = {"utf-8": 0, "utf8": 0, "ascii": 1, "us-ascii": 1, "latin-1": 2, "latin1": 2}
CODECS |= {"iso-8859-1": 2, "iso8859-1": 2}
ERRORS = {"strict": 0, "ignore": 1, "replace": 2, "surrogateescape": 3, "backslashreplace": 4}
_NAMES: dict[str, Type] = {
    "int": INT,
    "bool": BOOL,
    "str": STR,
    "bytes": BYTES,
    "None": NONE,
    "Json": JSON,
    "Response": RESPONSE,
    "Fetched": FETCHED,
    "DateTime": DATETIME,
    "IPAddress": IP_ADDRESS,
    "Qs": QS,
    "SplitResult": SPLIT_RESULT,
    "float": FLOAT,
}
CHANGES = {f"Request.{name}" for name in ("set_header", "delete_header", "rewrite", "set_method")}
"""Methods after which attributes of the request may be others."""
DIRECTIVES = "aAbBdHIjmMpSyYzZ%"
"""Of strftime; the others depend on the platform or are not known to the server."""
NANOSECONDS = 1_000_000_000


def named(text: str) -> Type:
    """The type that a row of ``operations.py`` names."""
    if text.endswith("?"):
        return optional(named(text[:-1]))
    if text.startswith("list["):
        return list_of(named(text[5:-1]))
    if text.startswith("("):
        return tuple_of(*map(named, text[1:-1].split(",")))
    return _NAMES[text]


def _is_plain(node: ast.expr) -> bool:
    """Whether it does not matter when an expression is evaluated: it neither fails nor does
    anything."""
    plain = (ast.Constant, ast.Name, ast.Dict, ast.List, ast.Tuple, ast.expr_context)
    return all(isinstance(part, plain) for part in ast.walk(node))


def _sets(node: ast.expr) -> bool:
    """Whether an expression gives variables values, which others beside it may read."""
    return any(isinstance(part, ast.NamedExpr) for part in ast.walk(node))


class Calls(Iterables):
    """Calls as typed expressions."""

    def call(self, node: ast.Call) -> Expr:
        """Any call."""
        for word in node.keywords:
            if word.arg is None:
                raise Refusal(
                    node, "** in a call is not compiled", "write the arguments one by one"
                )
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                raise Refusal(arg, "* in a call is not compiled", "write the arguments one by one")
        func = node.func
        declared = self._declared(func)
        if isinstance(declared, FunctionDecl):
            return self._user_function(declared, node)
        if isinstance(declared, RecordDecl):
            return self._record(declared, node)
        name = self._library(func)
        if name is not None:
            return self.library_call(name, node)
        if isinstance(func, ast.Attribute):
            value = self.present(self.expr(func.value), func, ast.unparse(func.value))
            return self.method(value, func, node)
        if isinstance(func, ast.Name):
            if func.id in self.hidden or func.id in self.scope.names:
                raise Refusal(func, f"{func.id} is no function")
            if func.id in BUILTINS:
                raise Refusal(func, f"{func.id}() is not available in scripts", BUILTINS[func.id])
            self.expr(func)  # which says that there is no such name
        raise Refusal(func, "only functions and methods are called by name")

    def _declared(self, func: ast.expr) -> FunctionDecl | RecordDecl | None:
        found: Any = None
        if isinstance(func, ast.Name) and func.id not in self.hidden:
            found = self.scope.names.get(func.id)
        elif isinstance(func, ast.Attribute):
            module = self._module(func.value)
            if module is not None:
                names = module.scope.there
                found = names.get(func.attr)
                if found is None:
                    name = f"module {ast.unparse(func.value)}"
                    raise self.no_attribute(func, name, func.attr, names)
        if isinstance(found, Failed):
            raise Refusal(None, "")
        return found if isinstance(found, FunctionDecl | RecordDecl) else None

    # ---- functions and records of the script

    def _user_function(self, declared: FunctionDecl, node: ast.Call) -> Expr:
        function = self.function_of(declared, node)
        name = declared.node.name
        args = self._bound(name, declared.params, node, True)
        types = tuple(
            U64 if param.type == INT and arg.type == U64 else param.type
            for param, arg in zip(declared.params, args, strict=True)
        )
        if any(param.type != type for param, type in zip(declared.params, types, strict=True)):
            variant = declared.variants.get(types)
            if variant is None:
                params = [
                    ParamDecl(param.name, type, param.default, param.kind)
                    for param, type in zip(declared.params, types, strict=True)
                ]
                made = tree.Function(name, declared.scope.path, declared.node.lineno, [])
                made.result = declared.annotated or NONE
                variant = FunctionDecl(
                    declared.node, declared.scope, None, made, params, declared.annotated
                )
                variant.annotated = declared.annotated
                declared.variants[types] = variant
            function = self.function_of(variant, node)
        self.calls.add(function)
        if declared.hook:
            raise Refusal(
                node,
                f"{name} is a hook, which only the server calls",
                "put what both need into a function of its own",
            )
        return tree.Call(function, args, type=function.result, line=_line(node))

    def _bound(
        self, name: str, params: list[ParamDecl], node: ast.Call, wide: bool = False
    ) -> list[Expr]:
        """Arguments in the order of the parameters, evaluated in the order of the call.

        ``wide``: ints that may be from 2**63 on are left as they are.
        """
        given: dict[str, ast.expr] = {}
        positional = [param for param in params if param.kind != "keyword"]
        if len(node.args) > len(positional):
            raise Refusal(
                node, f"{name}() takes {len(positional)} arguments, {len(node.args)} are given"
            )
        for param, arg in zip(positional, node.args, strict=False):
            given[param.name] = arg
        by_name = {param.name: param for param in params if param.kind != "positional"}
        for word in node.keywords:
            assert word.arg is not None
            if word.arg not in by_name:
                raise self.no_attribute(node, f"{name}()", f"argument {word.arg}", by_name)
            if word.arg in given:
                raise Refusal(node, f"two values for the argument {word.arg} of {name}()")
            given[word.arg] = word.value
        types = {param.name: param.type for param in params}
        values: dict[str, Expr] = {}
        for arg_name, arg in given.items():
            what = f"the argument {arg_name} of {name}()"
            value_ = self.expr(arg)
            large = isinstance(value_, Const) and value_.type == U64 and value_.value < 1 << 63
            if not (wide and value_.type == U64 and types[arg_name] == INT and not large):
                value_ = self.as_given(value_, types[arg_name], arg, what)
            values[arg_name] = value_
        missing = [p.name for p in params if p.name not in values and p.default is None]
        if missing:
            raise Refusal(node, f"{name}() is called without {', '.join(missing)}")
        order = list(values)
        wanted = [param.name for param in params if param.name in values]
        first: list[tree.Stmt] = []
        if order != wanted:
            for arg_name in order:
                stores, values[arg_name] = self.twice(values[arg_name])
                first += stores
        found: list[Expr] = []
        for param in params:
            value = values.get(param.name)
            if value is None:
                assert param.default is not None
                value = self.const(param.default.value, node, param.type)
                if param.type == JSON:
                    value = self.to_json(self.const(param.default.value, node), node)
            found.append(value)
        if first and found:
            found[0] = self.block(first, found[0])
        return found

    def _record(self, declared: RecordDecl, node: ast.Call) -> Expr:
        type = declared.type
        params = [
            ParamDecl(name, kind, declared.defaults.get(name), "either")
            for name, kind in type.fields
        ]
        items = self._bound(type.name, params, node)
        return tree.Tuple(items, type=type, line=_line(node))

    # ---- operations

    def library_call(self, name: str, node: ast.Call) -> Expr:
        """A call of something of Python's or ours."""
        short = name.removeprefix("builtins.")
        if name in functions():
            return self.operation(functions()[name], None, node)
        if short in methods() and short.partition(".")[0] in ("int", "bytes", "str"):
            if short in ("int.from_bytes", "bytes.fromhex"):
                return self.operation(methods()[short], None, node)
            raise Refusal(node, f"{short}() is called on a value", "write value.method()")
        if short in EXCEPTIONS:
            raise Refusal(node, "an exception is no value", "write raise in front of it")
        hint = METHODS.get(short) or BUILTINS.get(short)
        if hint is not None:
            raise Refusal(node, f"{short}() is not available in scripts", hint)
        raise Refusal(node, f"{short}() is not available in scripts", nearest(name))

    def method(self, value: Expr, func: ast.Attribute, node: ast.Call) -> Expr:
        """``value.name(...)``."""
        type, name = value.type, func.attr
        if type == NEVER:
            return value
        if type == PATTERN and name in ("search", "match", "fullmatch", "sub", "findall"):
            return self.operation(functions()[f"re.{name}"], value, node)
        if type == DICT:
            if name == "get":
                return self._dict_get(value, node)
            hint = METHODS.get(f"dict.{name}") or "dicts have get, and items in a for loop"
            raise Refusal(node, f"dict.{name}() is not available here", hint)
        owner = self._owner(type)
        key = f"{owner}.{name}"
        if type == RESPONSE and name == "append_header":
            return self._append_header(value, node)
        if key not in methods():
            if key in METHODS:
                raise Refusal(node, f"{key}() is not available in scripts", METHODS[key])
            known = [
                other.partition(".")[2] for other in methods() if other.partition(".")[0] == owner
            ]
            raise self.no_attribute(func, type, f"method {name}", known)
        return self.operation(methods()[key], value, node)

    def _owner(self, type: Type) -> str:
        simple = {
            STR: "str",
            BYTES: "bytes",
            INT: "int",
            U64: "int",
            BOOL: "int",
            JSON: "Json",
            QS: "Qs",
            DATETIME: "DateTime",
            REQUEST: "Request",
            META: "Meta",
            RESPONSE_HEAD: "ResponseHead",
            SET: "set",
            NETWORK: "IPNetwork",
        }
        if type in simple:
            return simple[type]
        kinds = {MatchType: "Match", HashType: "Hash", TableType: "Table", ListType: "list"}
        for kind, name in kinds.items():
            if isinstance(type, kind):
                return name
        return str(type)

    def arguments(
        self, operation: Operation, node: ast.Call, skip: int = 0
    ) -> dict[str, ast.expr | None]:
        """What is given for each parameter; None for what is not."""
        short = operation.name.removeprefix("builtins.")
        params = operation.parameters[skip:]
        found: dict[str, ast.expr | None] = {param.name: None for param in params}
        positional = [param for param in params if not param.keyword_only]
        if len(node.args) > len(positional):
            raise Refusal(
                node,
                f"{short}() takes at most {len(positional)} arguments here, "
                f"{len(node.args)} are given",
            )
        for param, arg in zip(positional, node.args, strict=False):
            found[param.name] = arg
        for word in node.keywords:
            assert word.arg is not None
            if word.arg not in found:
                raise self.no_attribute(node, f"{short}()", f"argument {word.arg}", found)
            if found[word.arg] is not None:
                raise Refusal(node, f"two values for the argument {word.arg} of {short}()")
            found[word.arg] = word.value
        for param in params:
            if found[param.name] is None and param.default is None and not param.variadic:
                raise Refusal(node, f"{short}() is called without {param.name}")
        order = [word.arg for word in node.keywords]
        if order != [name for name in found if name in order] and (
            sum(arg is not None and not _is_plain(arg) for arg in found.values()) > 1
            or any(arg is not None and _sets(arg) for arg in found.values())
        ):
            raise Refusal(
                node,
                f"the arguments of {short}() by name are in another order than its parameters",
                f"write them in this order: {', '.join(name for name in found if name in order)}",
            )
        return found

    def operation(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        """A row of the tables; ``value`` is what a method is called on."""
        special = getattr(self, "call_" + operation.name.replace(".", "_"), None)
        if special is not None:
            found: Expr = special(operation, value, node)
            return found
        if operation.helper is None:
            raise Refusal(node, f"{operation.name}() is not available here")
        args: list[Expr] = [] if value is None or value.type == REQUEST else [value]
        given = self.arguments(operation, node)
        for param in operation.parameters:
            arg = given[param.name]
            if arg is None:
                args.append(self.default_of(param.default or "None", param.type, node))
                continue
            if param.type == "any":
                args.append(self.present(self.expr(arg), arg, f"the argument {param.name}"))
                continue
            what = f"the argument {param.name} of {operation.name.removeprefix('builtins.')}()"
            wanted = named(param.type)
            if param.name in ("start", "end") and wanted == INT:
                expr = self.expr(arg)
                if expr.type == NONE and isinstance(expr, Const):
                    args.append(self.default_of(param.default or "0", "int", node))
                    continue
                args.append(self.convert(expr, wanted, arg, what))
                continue
            args.append(self.convert(self.expr(arg), wanted, arg, what))
        result = named(operation.result)
        call = self.helper(operation.helper, args, result, node, bool(operation.raises))
        if value is not None and operation.name in CHANGES:
            return self.op("changed", [value, call], result, node)
        return call

    def default_of(self, text: str, kind: str, node: ast.AST) -> Expr:
        """The default of a row."""
        value = CONSTANTS[text] if text in CONSTANTS else ast.literal_eval(text)
        return self.const(value, node, named(kind))

    def given(self, operation: Operation, node: ast.Call, skip: int = 0) -> dict[str, Expr | None]:
        """The arguments as expressions, of any type."""
        found = self.arguments(operation, node, skip)
        return {name: None if arg is None else self.expr(arg) for name, arg in found.items()}

    # ---- str and bytes

    def _begins(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        """startswith and endswith, of one text or a tuple of several."""
        assert value is not None
        args = self.arguments(operation, node)
        name = operation.name.rpartition(".")[2]
        first, text = self.twice(value)
        affix_node = next(iter(args.values()))
        assert affix_node is not None
        affix = self.expr(affix_node)
        bounds = [
            self.default_of("0" if key == "start" else "END", "int", node)
            if args[key] is None
            else self.convert(self.expr(args[key]), INT, node)  # type: ignore[arg-type]
            for key in ("start", "end")
        ]
        whole = args["start"] is None and args["end"] is None
        items = items_of(affix.type)
        if items is not None:
            second, again = self.twice(affix)
            parts = [self.item(again, at, node) for at in range(len(items))]
        else:
            second, parts = [], [affix]
        later: list[tree.Stmt] = []
        if len(parts) > 1 and not whole:
            kept = []
            for bound in bounds:
                stores, again_ = self.twice(bound)
                later += stores
                kept.append(again_)
            bounds = kept
        result: Expr = self.const(False, node)
        for part in reversed(parts):
            if part.type != value.type:
                raise Refusal(
                    affix_node,
                    f"{name}() of {value.type.a} is given {part.type}",
                    "give it a text, or a tuple of texts",
                )
            if whole and isinstance(part, Const) and len(part.value) <= 32:
                test: Expr = self.op("begins", [text], BOOL, node, (name, part.value))
            else:
                assert operation.helper is not None
                test = self.helper(operation.helper, [text, part, *bounds], BOOL, node)
            result = (
                test
                if isinstance(result, Const)
                else tree.Choose(test, self.const(True, node), result, type=BOOL, line=_line(node))
            )
        return self.block([*first, *second, *later], result)

    call_str_startswith = _begins
    call_str_endswith = _begins
    call_bytes_startswith = _begins
    call_bytes_endswith = _begins

    def _join(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None and operation.helper is not None
        (arg,) = self.arguments(operation, node).values()
        assert arg is not None
        if isinstance(arg, ast.GeneratorExp):
            elt = arg.elt
            items = self.gathered(arg, lambda: self.expr(elt))
        else:
            items = self._gone_through(arg)
        if not isinstance(items.type, ListType) or items.type.item not in (value.type, NEVER):
            raise Refusal(arg, f"join() of {value.type.a} is given {items.type}")
        return self.helper(operation.helper, [value, items], value.type, node)

    call_str_join = _join
    call_bytes_join = _join

    def _codec(self, operation: Operation, node: ast.Call) -> list[Expr]:
        args = self.arguments(operation, node)
        found: list[Expr] = []
        for key, known in (("encoding", CODECS), ("errors", ERRORS)):
            arg = args[key]
            name = next(iter(known)) if arg is None else self.constant_value(arg)
            wanted = str(name).lower().replace("_", "-")
            if wanted not in known:
                shown = ", ".join(dict.fromkeys(known))
                raise Refusal(arg, f"{key} {name!r} is not available", f"available: {shown}")
            found.append(self.const(known[wanted], node))
        return found

    def call_str_encode(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None
        args = [value, *self._codec(operation, node)]
        return self.helper("zs_py_str_encode", args, BYTES, node, True)

    def call_bytes_decode(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None
        args = [value, *self._codec(operation, node)]
        return self.helper("zs_py_bytes_decode", args, STR, node, True)

    # ---- int

    def call_int_bit_length(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None
        self.arguments(operation, node)
        return self.op("bit_length", [value], INT, node, value.type == U64)

    def call_int_bit_count(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None
        self.arguments(operation, node)
        return self.op("bit_count", [value], INT, node, value.type == U64)

    def _order(self, args: dict[str, ast.expr | None]) -> tuple[int, bool]:
        order = "big" if args["byteorder"] is None else self.constant_value(args["byteorder"])
        if order not in ("big", "little"):
            raise Refusal(args["byteorder"], "byteorder is 'big' or 'little'")
        signed = args["signed"]
        return int(order == "little"), signed is not None and bool(self.constant_value(signed))

    def call_int_to_bytes(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None
        args = self.arguments(operation, node)
        length = (
            self.const(1, node)
            if args["length"] is None
            else self.convert(self.expr(args["length"]), INT, node)
        )
        little, signed = self._order(args)
        if value.type == U64:
            # Two's complement of eight bytes; a longer or shorter form goes by the int.
            if isinstance(length, Const) and length.value == 8 and not signed:
                whole = self.op("same", [value], INT, node)
                flags: list[Expr] = [self.const(little, node), self.const(1, node)]
                return self.helper("zs_py_int_to_bytes", [whole, length, *flags], BYTES, node, True)
            value = self.convert(value, INT, node)
        flags = [self.const(little, node), self.const(int(signed), node)]
        return self.helper("zs_py_int_to_bytes", [value, length, *flags], BYTES, node, True)

    def call_int_from_bytes(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        assert args["bytes"] is not None
        data = self.convert(self.expr(args["bytes"]), BYTES, node)
        little, signed = self._order(args)
        return self.op("number_of", [data], INT if signed else U64, node, (little, signed))

    # ---- builtins

    def call_builtins_len(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        assert arg is not None
        found = self.present(self.expr(arg), arg, ast.unparse(arg))
        if isinstance(found, Const) and isinstance(
            found.value, str | bytes | tuple | list | dict | set | frozenset
        ):
            return self.const(len(found.value), node)
        if found.type == STR:
            return self.op("str_len", [found], INT, node)
        if found.type == BYTES or isinstance(found.type, ListType):
            return self.op("count", [found], INT, node)
        if found.type == JSON:
            return self.helper("zs_py_json_len", [found], INT, node, True)
        items = items_of(found.type)
        if items is not None and (isinstance(found.type, TupleType) or found.type.is_tuple):  # type: ignore[attr-defined]
            done: list[tree.Stmt] = [tree.Do(found, line=_line(node))]
            return self.block(done, self.const(len(items), node))
        raise Refusal(node, f"the length of {found.type.a}")

    def _extreme(self, node: ast.Call, how: str) -> Expr:
        if node.keywords:
            raise Refusal(
                node, f"{how}() with key= or default= is not compiled", "write a for loop"
            )
        if len(node.args) == 1:
            return self._extreme_of(node, how)
        values = [self.expr(arg) for arg in node.args]
        if not values:
            raise Refusal(node, f"{how}() of nothing")
        for at, found in enumerate(values):
            if not is_int(found.type) and found.type not in (STR, BYTES):
                raise Refusal(node.args[at], f"{how}() of {found.type.a}")
        result = values[0]
        for found in values[1:]:
            result = self._better(result, found, how, node)
        return result

    def _better(self, one: Expr, other: Expr, how: str, node: ast.AST) -> Expr:
        first, a = self.twice(one)
        second, b = self.twice(other)
        op = ast.Lt() if how == "min" else ast.Gt()
        type = join(one.type, other.type)
        if type is None:
            raise Refusal(node, f"{how}() of {one.type} and {other.type}")
        test = self.compare_values(op, b, a, node)
        a, b = self.convert(a, type, node), self.convert(b, type, node)
        chosen = tree.Choose(test, b, a, type=type, line=_line(node))
        return self.block([*first, *second], chosen)

    def _extreme_of(self, node: ast.Call, how: str) -> Expr:
        try:
            found = self.scope.constants.of(node, self.hidden)
            return self.const(found, node)
        except NotConstant:
            pass
        each = self.iterate(node.args[0])
        item = each.item
        best, some = self.temp(item.type), self.temp(BOOL)
        seen = Local(some, type=BOOL, line=_line(node))
        now = Local(best, type=item.type, line=_line(node))
        first, again = self.twice(item)
        op = ast.Lt() if how == "min" else ast.Gt()
        better = tree.Choose(
            seen,
            self.compare_values(op, again, now, node),
            self.const(True, node),
            type=BOOL,
            line=_line(node),
        )
        take = tree.If(better, [tree.Store(best, again)], [], line=_line(node))
        body = [*first, take, tree.Store(some, self.const(True, node))]
        loop = tree.Loop(each.test, body, each.step, [], line=_line(node))
        empty = self.const(f"{how}() arg is an empty sequence", node)
        raised = tree.Raise("ValueError", empty, line=_line(node))
        no = tree.If(self.op("not", [seen], BOOL, node), [tree.Do(raised)], [], line=_line(node))
        start: list[tree.Stmt] = [tree.Store(some, self.const(False, node))]
        if item.type.words == 1:
            start.append(tree.Store(best, tree.Const(0, type=INT)))
        return self.block([*each.setup, *start, loop, no], now)

    def call_builtins_min(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._extreme(node, "min")

    def call_builtins_max(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._extreme(node, "max")

    def call_builtins_abs(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        assert arg is not None
        found = self.expr(arg)
        if found.type == U64:
            return found
        return self.op("int.abs", [self.convert(found, INT, arg)], INT, node)

    def call_builtins_ord(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        assert arg is not None
        found = self.expr(arg)
        if found.type == BYTES:
            raise Refusal(arg, "ord() of bytes", "an index into bytes is an int already: data[0]")
        text = self.convert(found, STR, arg)
        return self.helper("zs_py_str_ord", [text], INT, node, True)

    def call_builtins_int(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        if args["x"] is None:
            return self.const(0, node)
        base = args["base"]
        found = self.present(self.expr(args["x"]), args["x"], ast.unparse(args["x"]))
        number = self.const(10, node) if base is None else self.convert(self.expr(base), INT, base)
        if found.type == FLOAT:
            # Of a clock, which does not run before 1970.
            return self.op("int.floordiv", [found, self.const(NANOSECONDS, node)], INT, node, "")
        if found.type in (STR, BYTES):
            name = "zs_py_int_parse" + ("_bytes" if found.type == BYTES else "")
            return self.helper(name, [found, number], INT, node, True)
        if base is not None:
            raise Refusal(node, "int() with a base is for texts")
        if found.type == U64:
            return found
        return self.convert(found, INT, node)

    def call_builtins_str(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        if args["object"] is None:
            return self.const("", node)
        return self.text_of(self.expr(args["object"]), node)

    def call_builtins_repr(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        assert arg is not None
        return self.repr_of(self.expr(arg), node)

    def call_builtins_bool(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        if args["x"] is None:
            return self.const(False, node)
        return self.truth(self.expr(args["x"]), node)

    def call_builtins_bytes(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        if args["source"] is None:
            return self.const(b"", node)
        found = self.expr(args["source"])
        if found.type == BYTES:
            return found
        if isinstance(found, Const):
            return self.const(self.constant_value(node), node)
        raise Refusal(
            node, f"bytes() of {found.type.a}", "write text.encode(), or number.to_bytes(...)"
        )

    def _based(self, node: ast.Call, operation: Operation, base: int) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        assert arg is not None
        found = self.expr(arg)
        if found.type == U64:
            spec = self.const({2: "#b", 8: "#o", 16: "#x"}[base], node)
            return self.helper("zs_py_uint_format", [found, spec], STR, node, True)
        number = self.convert(found, INT, arg)
        return self.helper("zs_py_int_base", [number, self.const(base, node)], STR, node)

    def call_builtins_hex(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._based(node, operation, 16)

    def call_builtins_oct(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._based(node, operation, 8)

    def call_builtins_bin(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._based(node, operation, 2)

    def call_builtins_pow(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        words: list[Expr] = []
        for name in ("base", "exp", "mod"):
            arg = args[name]
            if arg is None:
                words.append(self.default_of("ABSENT", "int", node))
            else:
                number = self.convert(self.expr(arg), INT, arg, f"the argument {name} of pow()")
                words.append(self.op("modulus", [number], INT, node) if name == "mod" else number)
        return self.helper("zs_py_int_pow", words, INT, node, True)

    def call_builtins_divmod(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        args = self.given(operation, node)
        x, y = args["x"], args["y"]
        assert x is not None and y is not None
        first, a = self.twice(self.convert(x, INT, node))
        second, b = self.twice(self.convert(y, INT, node))
        text = "integer division or modulo by zero"
        parts: list[Expr] = [
            self.op("int.floordiv", [a, b], INT, node, text),
            self.op("int.mod", [a, b], INT, node, text),
        ]
        made = tree.Tuple(parts, type=tuple_of(INT, INT), line=_line(node))
        return self.block([*first, *second], made)

    def call_builtins_isinstance(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        found, _, _ = self.cond(node)
        return found

    def _quantified(self, node: ast.Call, name: str) -> Expr:
        """any, all and sum, of something to go through or of a generator expression."""
        if len(node.args) != 1 or node.keywords:
            raise Refusal(node, f"{name}() takes one thing to go through")
        arg = node.args[0]
        if isinstance(arg, ast.GeneratorExp) and name != "sum" and len(arg.generators) == 1:
            generator = arg.generators[0]
            each_values = self.unrolled(generator.target, generator.iter)
            again = assigned([arg.elt, *generator.ifs]) & unroll.names_of(generator.target)
            if each_values is not None and not again:
                return self.expr(unroll.quantified(node, name, each_values))
        hidden, poisoned = self.hidden, self.poisoned
        saved = dict(self.locals)
        body: list[tree.Stmt]
        tests: list[ast.expr] = []
        if isinstance(arg, ast.GeneratorExp):
            if len(arg.generators) != 1 or arg.generators[0].is_async:
                raise Refusal(arg, "a generator expression with several loops", "write a for loop")
            generator = arg.generators[0]
            each = self.iterate(generator.iter)
            if each.item.type == NEVER:
                nothing = self.const(name == "all" if name != "sum" else 0, node)
                return self.block(each.setup, nothing)
            tests = generator.ifs
            target: ast.expr | None = generator.target
            element: ast.expr | None = arg.elt
        else:
            each = self.iterate(arg)
            target = element = None
        self._loosen(arg)
        before = copy(self.flow)
        result = self.temp(BOOL if name != "sum" else INT)
        start = self.const(name == "all" if name != "sum" else 0, node)
        body = []
        own = unroll.names_of(target) if target is not None else set()
        if target is not None and element is not None:
            body += self._own_targets(target, own, each.item, node)
            flows: list[Flow] = []
            inner: list[tree.Stmt] = []
            conditions = []
            for test in tests:
                condition, then, _ = self.cond(test)
                conditions.append(condition)
                flows.append(then)
                self.flow = then
            item = self.expr(element)
            inner = self._accumulate(name, item, result, node)
            for condition in reversed(conditions):
                inner = [tree.If(condition, inner, [], line=_line(node))]
            body += inner
        else:
            body += self._accumulate(name, each.item, result, node)
        self.flow = before
        self.hidden, self.poisoned = hidden, poisoned
        for name_ in own:
            self.locals.pop(name_, None)
        self.locals |= {key: slot for key, slot in saved.items() if key not in self.locals}
        loop = tree.Loop(each.test, body, each.step, [], line=_line(node))
        first: list[tree.Stmt] = [tree.Store(result, start, line=_line(node))]
        return self.block(
            [*each.setup, *first, loop], Local(result, type=result.type, line=_line(node))
        )

    def gathered(self, node: ast.ListComp | ast.GeneratorExp, make: Callable[[], Expr]) -> Expr:
        """The list of a comprehension; ``make`` says what becomes of an item."""
        if len(node.generators) != 1 or node.generators[0].is_async:
            raise Refusal(node, "a comprehension with several loops", "write for loops")
        generator = node.generators[0]
        hidden, poisoned, saved = self.hidden, self.poisoned, dict(self.locals)
        each = self.iterate(generator.iter)
        if each.item.type == NEVER:
            return self.block(each.setup, self.op("pack_list", [], list_of(NEVER), node))
        self._loosen(node)
        before = copy(self.flow)
        own = unroll.names_of(generator.target)
        body = self._own_targets(generator.target, own, each.item, node)
        conditions = []
        for test in generator.ifs:
            condition, then, _ = self.cond(test)
            conditions.append(condition)
            self.flow = then
        item = make()
        if item.type.words == 0 or item.type in (NEVER, FLOAT):
            raise Refusal(node.elt, f"a list can't hold {item.type.a}")
        result = self.temp(list_of(item.type))
        whole = Local(result, type=result.type, line=_line(node))
        push = self.op("list_push", [whole, item], result.type, node)
        inner: list[tree.Stmt] = [tree.Store(result, push, line=_line(node))]
        for condition in reversed(conditions):
            inner = [tree.If(condition, inner, [], line=_line(node))]
        self.flow = before
        self.hidden, self.poisoned = hidden, poisoned
        for name in own:
            self.locals.pop(name, None)
        self.locals |= {key: slot for key, slot in saved.items() if key not in self.locals}
        empty = self.op("pack_list", [], result.type, node)
        first: list[tree.Stmt] = [tree.Store(result, empty, line=_line(node))]
        loop = tree.Loop(each.test, [*body, *inner], each.step, [], line=_line(node))
        return self.block([*each.setup, *first, loop], whole)

    def expr_ListComp(self, node: ast.ListComp) -> Expr:
        return self.gathered(node, lambda: self.expr(node.elt))

    def _loosen(self, node: ast.AST) -> None:
        """What := sets in a loop may be something else in the next round, and behind it."""
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr) and isinstance(part.target, ast.Name):
                slot = self.locals.get(part.target.id)
                if slot is not None and self.flow is not None and slot in self.flow:
                    self.flow[slot] = slot.type

    def _own_targets(
        self, target: ast.expr, names: set[str], item: Expr, node: ast.AST
    ) -> list[tree.Stmt]:
        """Variables of a generator expression, which nobody else sees."""
        for name in names:
            self.locals.pop(name, None)
            self.hidden = self.hidden | {name}
        changed = self.changed
        stores = self.unpack(target, item, node)
        self.changed = changed
        return stores

    def unpack(self, target: ast.expr, value: Expr, node: ast.AST) -> list[tree.Stmt]:
        raise NotImplementedError

    def _accumulate(
        self, name: str, item: Expr, result: tree.Slot, node: ast.AST
    ) -> list[tree.Stmt]:
        if name == "sum":
            total = Local(result, type=INT, line=_line(node))
            more = self.op("int.add", [total, self.convert(item, INT, node)], INT, node)
            return [tree.Store(result, more, line=_line(node))]
        test = self.truth(item, node)
        found: list[tree.Stmt] = [
            tree.Store(result, self.const(name == "any", node), line=_line(node)),
            tree.Break(line=_line(node)),
        ]
        if name == "any":
            return [tree.If(test, found, [], line=_line(node))]
        return [tree.If(self.op("not", [test], BOOL, node), found, [], line=_line(node))]

    def call_builtins_any(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._quantified(node, "any")

    def call_builtins_all(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._quantified(node, "all")

    def call_builtins_sum(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self._quantified(node, "sum")

    def _only_in_for(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        name = operation.name.removeprefix("builtins.")
        try:
            return self.const(self.scope.constants.of(node, self.hidden), node)
        except (NotConstant, Refusal):
            raise Refusal(
                node, f"{name}() stands in a for loop only", f"write for ... in {name}(...)"
            ) from None

    def _gone_through(self, arg: ast.expr) -> Expr:
        """What a function goes through once, as a list."""
        if isinstance(arg, ast.Call):
            try:
                return self.const(list(self.scope.constants.of(arg, self.hidden, True)), arg)
            except (NotConstant, Refusal, TypeError):
                pass
        return self.listed(self.expr(arg), arg)

    call_builtins_range = _only_in_for
    call_builtins_enumerate = _only_in_for
    call_builtins_zip = _only_in_for
    call_builtins_reversed = _only_in_for

    def _made_set(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        name = operation.name.removeprefix("builtins.")
        try:
            return self.const(self.scope.constants.of(node, self.hidden), node)
        except NotConstant:
            hint = BUILTINS["set"]
            raise Refusal(node, f"{name}() is not available in scripts", hint) from None

    call_builtins_frozenset = _made_set
    call_builtins_set = _made_set

    def call_builtins_tuple(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        if args["iterable"] is None:
            return self.const((), node)
        return self._gone_through(args["iterable"])

    # ---- dicts

    def _dict_get(self, value: Expr, node: ast.Call) -> Expr:
        assert isinstance(value, Const)
        if node.keywords or not 1 <= len(node.args) <= 2:
            raise Refusal(node, "get() takes a key and a default")
        key = self.expr(node.args[0])
        default = self.expr(node.args[1]) if len(node.args) == 2 else self.const(None, node)
        return self.lookup(value.value, key, default, node)

    # ---- re

    def _pattern(
        self, pattern: Expr, flags: ast.expr | None, how: str, node: ast.AST
    ) -> tuple[int, MatchType]:
        if not isinstance(pattern, Const) or not isinstance(pattern.value, str | Pattern):
            raise Refusal(node, "a pattern that is not a constant", "patterns are constants")
        found = pattern.value
        number = 0 if flags is None else self.constant_value(flags)
        if isinstance(found, Pattern):
            text, number = found.pattern, found.flags
        else:
            text = found
        try:
            made = regex.translate(text, number, how)
            check = getattr(_core, "check_pattern", None)
            if check is not None:
                check(made.text)
        except Refusal as refusal:
            raise Refusal(node, refusal.message, refusal.hint) from None
        except Exception as error:
            raise Refusal(node, f"the pattern can't be matched in linear time: {error}") from None
        type = MatchType("re.Match", 1, made.groups)
        return self.pattern_number(made.text, made.flags), type

    def _search(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        how = operation.name.rpartition(".")[2]
        args = self.arguments(operation, node, 1 if value is not None else 0)
        flags = args.get("flags")
        pattern = value
        if pattern is None:
            assert args["pattern"] is not None
            pattern = self.expr(args["pattern"])
        number, type = self._pattern(pattern, flags, how, node)
        assert args["string"] is not None
        text = self.convert(self.expr(args["string"]), STR, node, "the text to search")
        call = [self.const(number, node), text]
        return self.helper("zs_py_re_search", call, optional(type), node)

    call_re_search = _search
    call_re_match = _search
    call_re_fullmatch = _search

    def call_re_findall(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node, 1 if value is not None else 0)
        pattern = value
        if pattern is None:
            assert args["pattern"] is not None
            pattern = self.expr(args["pattern"])
        number, type = self._pattern(pattern, args.get("flags"), "search", node)
        if len(type.groups) > 1:
            raise Refusal(
                node, "findall() of a pattern with several groups", "write (?:...) for all but one"
            )
        assert args["string"] is not None
        text = self.convert(self.expr(args["string"]), STR, node)
        return self.helper("zs_py_re_findall", [self.const(number, node), text], list_of(STR), node)

    def call_re_sub(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node, 1 if value is not None else 0)
        pattern = value
        if pattern is None:
            assert args["pattern"] is not None
            pattern = self.expr(args["pattern"])
        number, type = self._pattern(pattern, args.get("flags"), "search", node)
        assert args["repl"] is not None and args["string"] is not None
        repl = self.constant_value(args["repl"])
        if not isinstance(repl, str):
            raise Refusal(args["repl"], "the replacement is no text", "a constant str")
        names = {name: at for at, (name, _) in enumerate(type.groups, 1) if name}
        try:
            data = regex.template(repl, len(type.groups), names)
        except Refusal as refusal:
            raise Refusal(args["repl"], refusal.message, refusal.hint) from None
        text = self.convert(self.expr(args["string"]), STR, node)
        count = (
            self.const(0, node)
            if args["count"] is None
            else self.convert(self.expr(args["count"]), INT, node)
        )
        template = self.const(data.decode("utf-8", "surrogatepass"), node)
        call = [self.const(number, node), template, text, count]
        return self.helper("zs_py_re_sub", call, STR, node)

    def call_re_compile(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        return self.const(self.constant_value(node), node)

    def call_Match_group(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None
        if len(node.args) > 1:
            first, again = self.twice(value)
            items = [self.group(again, arg, node) for arg in node.args]
            found = tree.Tuple(items, type=tuple_of(*[i.type for i in items]), line=_line(node))
            return self.block(first, found)
        args = self.arguments(operation, node)
        number = args["group"] or ast.copy_location(ast.Constant(0), node)
        return self.group(value, number, node)

    def call_Match_groups(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None and isinstance(value.type, MatchType)
        self.arguments(operation, node)
        first, again = self.twice(value)
        items: list[Expr] = []
        for at in range(1, len(value.type.groups) + 1):
            number = ast.copy_location(ast.Constant(at), node)
            items.append(self.group(again, number, node))
        made = tree.Tuple(items, type=tuple_of(*[i.type for i in items]), line=_line(node))
        return self.block(first, made)

    def _span(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None and isinstance(value.type, MatchType)
        args = self.arguments(operation, node)
        number = args["group"] or ast.copy_location(ast.Constant(0), node)
        index, _ = self.group_number(value.type, number)
        both = tuple_of(INT, INT)
        found = self.helper("zs_py_re_span", [value, self.const(index, node)], both, node)
        which = {"start": 0, "end": 1}.get(operation.name.rpartition(".")[2])
        return found if which is None else self.item(found, which, node)

    call_Match_start = _span
    call_Match_end = _span
    call_Match_span = _span

    # ---- hashlib, hmac

    def _hash(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        data = self.const(b"", node) if arg is None else self.convert(self.expr(arg), BYTES, node)
        algorithm = ALGORITHMS[operation.name.rpartition(".")[2]]
        type = HashType("hash", 1, algorithm)
        return self.op("same", [data], type, node)

    call_hashlib_sha256 = _hash
    call_hashlib_sha1 = _hash
    call_hashlib_md5 = _hash
    call_hashlib_sha512 = _hash
    call_hashlib_sha384 = _hash
    call_hashlib_sha224 = _hash

    def _algorithm(self, arg: ast.expr | None, node: ast.AST) -> int:
        if arg is not None:
            name = self._library(arg)
            if name is not None and name.startswith("hashlib."):
                found = ALGORITHMS.get(name.removeprefix("hashlib."))
            else:
                text = self.constant_value(arg)
                found = ALGORITHMS.get(text.lower() if isinstance(text, str) else "")
            if found is not None:
                return found
        known = ", ".join(ALGORITHMS)
        raise Refusal(arg or node, "no such algorithm", f"one of {known}, as a text")

    def call_hashlib_pbkdf2_hmac(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        args = self.arguments(operation, node)
        algorithm = self.const(self._algorithm(args["hash_name"], node), node)
        password, salt = (
            self.convert(self.expr(args[name]), BYTES, node)  # type: ignore[arg-type]
            for name in ("password", "salt")
        )
        count = self.convert(self.expr(args["iterations"]), INT, node)  # type: ignore[arg-type]
        call = [algorithm, password, salt, count]
        return self.helper("zs_py_pbkdf2", call, BYTES, node, True)

    def call_hmac_new(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        assert args["key"] is not None
        key = self.convert(self.expr(args["key"]), BYTES, node, "the key")
        message: Expr = self.const(b"", node)
        if args["msg"] is not None:
            message = self.convert(self.expr(args["msg"]), BYTES, node, "the message")
        type = HashType("hmac", 2, self._algorithm(args["digestmod"], node), True)
        pair = tree.Tuple([key, message], type=tuple_of(BYTES, BYTES), line=_line(node))
        return self.op("same", [pair], type, node)

    def call_hmac_digest(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        key = self.convert(self.expr(args["key"]), BYTES, node, "the key")  # type: ignore[arg-type]
        message = self.convert(self.expr(args["msg"]), BYTES, node, "msg")  # type: ignore[arg-type]
        algorithm = self.const(self._algorithm(args["digest"], node), node)
        return self.helper("zs_py_hmac", [algorithm, key, message], BYTES, node)

    def call_Hash_digest(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None and isinstance(value.type, HashType)
        self.arguments(operation, node)
        algorithm = self.const(value.type.algorithm, node)
        name = "zs_py_hmac" if value.type.keyed else "zs_py_hash"
        parts = tuple_of(BYTES, BYTES) if value.type.keyed else BYTES
        return self.helper(name, [algorithm, self.op("same", [value], parts, node)], BYTES, node)

    def call_Hash_hexdigest(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        digest = self.call_Hash_digest(operation, value, node)
        return self.helper("zs_py_bytes_hex", [digest], STR, node)

    def _compare_digest(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.given(operation, node)
        a, b = args["a"], args["b"]
        assert a is not None and b is not None
        if a.type != b.type or a.type not in (STR, BYTES):
            raise Refusal(
                node, f"compare_digest() of {a.type} and {b.type}", "two str or two bytes"
            )
        return self.helper("zs_py_compare_digest", [a, b], BOOL, node, True)

    call_hmac_compare_digest = _compare_digest
    call_secrets_compare_digest = _compare_digest

    def _text_or_bytes(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        """Base64 and the like, of str or bytes: a str is ASCII or a ValueError."""
        args = self.arguments(operation, node)
        first = next(iter(args))
        arg = args[first]
        assert arg is not None and operation.helper is not None
        found = self.present(self.expr(arg), arg, f"the argument {first}")
        if found.type not in (STR, BYTES):
            found = self.convert(found, STR, arg)
        call: list[Expr] = [found]
        if "validate" in args:
            given = args["validate"]
            flag = self.const(False, node) if given is None else self.truth(self.expr(given), node)
            call.append(flag)
        return self.helper(operation.helper, call, BYTES, node, True)

    call_base64_b64decode = _text_or_bytes
    call_base64_urlsafe_b64decode = _text_or_bytes
    call_binascii_unhexlify = _text_or_bytes

    # ---- json

    def call_json_loads(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        assert arg is not None
        found = self.expr(arg)
        if found.type not in (STR, BYTES):
            found = self.convert(found, STR, arg, "what json.loads() is given")
        flag = self.const(int(found.type == BYTES), node)
        return self.helper("zs_py_json_loads", [found, flag], JSON, node, True)

    def call_Json_get(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        assert value is not None
        args = self.arguments(operation, node)
        assert args["key"] is not None
        key = self.convert(self.expr(args["key"]), STR, node, "the key")
        default: Expr = self.const(None, node)
        if args["default"] is not None:
            default = self.expr(args["default"])
        pair = tuple_of(BOOL, JSON)
        before, value = self.before(value)
        more, key = self.before(key)
        second, other = self.before(self.convert(default, JSON, node))
        first, found = self.twice(self.helper("zs_py_json_get", [value, key], pair, node, True))
        first, second = [*before, *more, *second], first
        chosen = tree.Choose(
            self.item(found, 0, node), self.item(found, 1, node), other, type=JSON, line=_line(node)
        )
        return self.block([*first, *second], chosen)

    def call_json_dumps(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        assert args["obj"] is not None
        ascii_arg, separators = args["ensure_ascii"], args["separators"]
        ensure = True if ascii_arg is None else bool(self.constant_value(ascii_arg))
        between = None if separators is None else self.constant_value(separators)
        if between is None:
            between = (", ", ": ")
        if not (isinstance(between, tuple) and len(between) == 2):
            raise Refusal(separators, "separators are two texts", "separators=(',', ':')")
        parts: list[Expr] = []
        self._dump(args["obj"], ensure, (str(between[0]), str(between[1])), parts)
        return self.concat(parts, STR, node)

    def _dump(
        self, node: ast.expr, ensure: bool, between: tuple[str, str], out: list[Expr]
    ) -> None:
        """The parts of a JSON text; displays are written as they stand."""
        node = self.display(node)
        if isinstance(node, ast.Dict):
            out.append(self.const("{", node))
            names: set[Any] = set()
            for at, (key, item) in enumerate(zip(node.keys, node.values, strict=True)):
                if key is None:
                    raise Refusal(node, "** in a dict", "write the members one by one")
                name = self.expr(key)
                if name.type != STR:
                    raise Refusal(key, f"a member named by {name.type.a}", "names are str")
                self._distinct(name, key, node, names)
                if at:
                    out.append(self.const(between[0], node))
                out.append(self._quoted(name, ensure, node))
                out.append(self.const(between[1], node))
                self._dump(item, ensure, between, out)
            out.append(self.const("}", node))
        elif isinstance(node, ast.ListComp):
            elt = node.elt

            def text() -> Expr:
                parts: list[Expr] = []
                self._dump(elt, ensure, between, parts)
                return self.concat(parts, STR, node)

            texts = self.gathered(node, text)
            comma = self.const(between[0], node)
            inside = self.helper("zs_py_str_join", [comma, texts], STR, node)
            out += [self.const("[", node), inside, self.const("]", node)]
        elif isinstance(node, ast.List | ast.Tuple):
            out.append(self.const("[", node))
            for at, item in enumerate(node.elts):
                if at:
                    out.append(self.const(between[0], node))
                self._dump(item, ensure, between, out)
            out.append(self.const("]", node))
        else:
            self._dump_value(self.expr(node), ensure, between, out, node)

    @staticmethod
    def _distinct(name: Expr, key: ast.expr, display: ast.Dict, names: set[Any]) -> None:
        """Refuse a dict that could have a key twice: the last value would count."""
        if isinstance(name, Const):
            if name.value in names:
                raise Refusal(key, f"a second member {name.value!r}")
            names.add(name.value)
        elif len(display.keys) > 1:
            raise Refusal(
                key, "a name that is not a constant", "two could be the same: use constants"
            )

    def _quoted(self, text: Expr, ensure: bool, node: ast.AST) -> Expr:
        if isinstance(text, Const):
            return self.const(json.dumps(text.value, ensure_ascii=ensure), node)
        return self.helper("zs_py_json_quote", [text, self.const(int(ensure), node)], STR, node)

    def _dump_value(
        self, value: Expr, ensure: bool, between: tuple[str, str], out: list[Expr], node: ast.expr
    ) -> None:
        type = value.type
        if isinstance(value, Const) and type not in (PATTERN, NETWORK, SET):
            try:
                text = json.dumps(value.value, ensure_ascii=ensure, separators=between)
            except (TypeError, ValueError) as error:
                raise Refusal(node, f"json.dumps(): {error}") from None
            out.append(self.const(text, node))
        elif type == STR:
            out.append(self._quoted(value, ensure, node))
        elif type in (INT, U64):
            out.append(self.text_of(value, node))
        elif type == BOOL:
            yes, no = self.const("true", node), self.const("false", node)
            out.append(tree.Choose(value, yes, no, type=STR, line=_line(node)))
        elif type == JSON:
            if between not in ((", ", ": "), (",", ":")):
                raise Refusal(node, "these separators with a JSON value", "(',', ':') or none")
            flags = int(ensure) | (2 if between == (",", ":") else 0)
            out.append(self.helper("zs_py_json_dumps", [value, self.const(flags, node)], STR, node))
        elif isinstance(type, OptionalType):
            first, again = self.twice(value)
            inner: list[Expr] = []
            self._dump_value(self.unwrap(again, node), ensure, between, inner, node)
            some = self.concat(inner, STR, node)
            none = self.is_none(again, node)
            null = self.const("null", node)
            chosen = tree.Choose(none, null, some, type=STR, line=_line(node))
            out.append(self.block(first, chosen))
        elif isinstance(type, ListType) and type.item == STR:
            out.append(self._dump_list(value, ensure, between, node))
        elif items_of(type) is not None and (isinstance(type, TupleType) or type.is_tuple):  # type: ignore[attr-defined]
            first, again = self.twice(value)
            parts: list[Expr] = []
            for at in range(len(items_of(type) or ())):
                if at:
                    parts.append(self.const(between[0], node))
                self._dump_value(self.item(again, at, node), ensure, between, parts, node)
            whole = [self.const("[", node), *parts, self.const("]", node)]
            out.append(self.block(first, self.concat(whole, STR, node)))
        else:
            raise Refusal(node, f"json.dumps() of {type.a}", "write a dict of its parts")

    def _dump_list(
        self, value: Expr, ensure: bool, between: tuple[str, str], node: ast.expr
    ) -> Expr:
        """A list of texts; quoted one by one."""
        flags = int(ensure)
        first, again = self.twice(value)
        text, index = self.temp(STR), self.temp(INT)
        sofar, at = Local(text, type=STR), Local(index, type=INT)
        item = self.op("list_at", [again, at], STR, node)
        quoted = self.helper("zs_py_json_quote", [item, self.const(flags, node)], STR, node)
        comma = tree.Choose(
            self.op("nonzero", [at], BOOL, node),
            self.const(between[0], node),
            self.const("", node),
            type=STR,
            line=_line(node),
        )
        more = self.op("concat", [sofar, comma, quoted], STR, node, "str")
        count = self.op("count", [again], INT, node)
        test = self.op("compare", [at, count], BOOL, node, ("lt", False, False))
        step = self.op("wrap.add", [at, self.const(1, node)], INT, node)
        loop = tree.Loop(
            test, [tree.Store(text, more)], [tree.Store(index, step)], [], line=_line(node)
        )
        begin: list[tree.Stmt] = [
            tree.Store(text, self.const("[", node)),
            tree.Store(index, self.const(0, node)),
        ]
        whole = self.concat([sofar, self.const("]", node)], STR, node)
        return self.block([*first, *begin, loop], whole)

    # ---- time

    def call_time_time(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        self.arguments(operation, node)
        return self.helper("zs_py_time_ns", [], FLOAT, node)

    def call_DateTime_strftime(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        (arg,) = self.arguments(operation, node).values()
        assert value is not None and arg is not None and operation.helper is not None
        text = self.expr(arg)
        if not isinstance(text, Const) or not isinstance(text.value, str):
            raise Refusal(arg, "a format that is not a constant", "formats are constants")
        for kind in re.findall("%(.?)", text.value, re.S):
            if kind not in DIRECTIVES:
                known = " ".join(f"%{letter}" for letter in DIRECTIVES)
                raise Refusal(arg, f"the directive %{kind} is not available", f"known: {known}")
        return self.helper(operation.helper, [value, text], STR, node, bool(operation.raises))

    def call_DateTime_timestamp(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        assert value is not None
        self.arguments(operation, node)
        return self.op("int.mul", [value, self.const(1000, node)], FLOAT, node)

    def _utc(self, arg: ast.expr | None, node: ast.AST) -> None:
        name = None if arg is None else self._library(arg)
        if name not in ("datetime.UTC", "datetime.timezone.utc"):
            raise Refusal(
                arg or node, "a time without a zone, or in another than UTC", "write tz=UTC"
            )

    def call_datetime_datetime_now(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        self._utc(self.arguments(operation, node)["tz"], node)
        now = self.helper("zs_py_time_ns", [], INT, node)
        return self.op("int.floordiv", [now, self.const(1000, node)], DATETIME, node, "")

    def call_datetime_datetime_fromtimestamp(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        args = self.arguments(operation, node)
        self._utc(args["tz"], node)
        assert args["timestamp"] is not None
        seconds = self.convert(self.expr(args["timestamp"]), INT, node)
        return self.helper("zs_py_datetime_from", [seconds], DATETIME, node, True)

    def call_email_utils_formatdate(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        args = self.arguments(operation, node)
        assert args["timeval"] is not None
        seconds = self.convert(self.expr(args["timeval"]), INT, node)
        flag = args["usegmt"]
        gmt = flag is not None and bool(self.constant_value(flag))
        return self.helper("zs_py_format_date", [seconds, self.const(int(gmt), node)], STR, node)

    # ---- urllib, ipaddress, math

    def call_urllib_parse_urlencode(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        (given,) = self.arguments(operation, node).values()
        assert given is not None
        arg = self.display(given)
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(arg, ast.Dict) and all(arg.keys):
            pairs = [(k, v) for k, v in zip(arg.keys, arg.values, strict=True) if k]
        elif isinstance(arg, ast.List | ast.Tuple) and all(
            isinstance(item, ast.Tuple) and len(item.elts) == 2 for item in arg.elts
        ):
            pairs = [(i.elts[0], i.elts[1]) for i in arg.elts if isinstance(i, ast.Tuple)]
        else:
            raise Refusal(arg, "urlencode() takes a dict or a list of pairs written here")
        parts: list[Expr] = []
        first: list[tree.Stmt] = []
        names: set[Any] = set()
        for key, item in pairs:
            if parts:
                parts.append(self.const("&", node))
            for at, part in enumerate((key, item)):
                if at:
                    parts.append(self.const("=", node))
                found = self.expr(part)
                if found.type == BYTES:
                    raise Refusal(part, "bytes in urlencode()", "decode them first")
                if not at and isinstance(arg, ast.Dict):
                    self._distinct(found, part, arg, names)
                stores, text = self.before(self.text_of(found, part))
                first += stores
                call = [text, self.const("", node)]
                parts.append(self.helper("zs_py_quote_plus", call, STR, node, True))
        return self.block(first, self.concat(parts, STR, node))

    def call_ipaddress_ip_network(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        return self.const(self.constant_value(node), node)

    def _folded(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        """gcd and lcm, of any number of ints."""
        if node.keywords or not node.args:
            raise Refusal(node, f"{operation.name}() takes numbers")
        values = [self.convert(self.expr(arg), INT, arg) for arg in node.args]
        name = "zs_py_int_" + operation.name.rpartition(".")[2]
        result = values[0]
        if len(values) == 1:
            values.append(self.const(0 if name.endswith("gcd") else 1, node))
        for found in values[1:]:
            result = self.helper(name, [result, found], INT, node)
        return result

    call_math_gcd = _folded
    call_math_lcm = _folded

    # ---- the SDK

    def call_zeroserve_script_Response(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        args = self.arguments(operation, node)
        assert args["status"] is not None
        status = self.convert(self.expr(args["status"]), INT, node, "the status")
        body: Expr = self.const("", node)
        if args["body"] is not None:
            body = self.expr(args["body"])
            if body.type not in (STR, BYTES):
                body = self.convert(body, STR, args["body"], "the body")
        kind: Expr = self.const(None, node, optional(STR))
        if args["content_type"] is not None:
            kind = self.convert(self.expr(args["content_type"]), optional(STR), node)
        flag = self.const(int(body.type == BYTES), node)
        headers = args["headers"]
        if headers is None or (isinstance(headers, ast.Constant) and headers.value is None):
            return self.helper("zs_py_response", [status, body, kind, flag], RESPONSE, node, True)
        stores: list[tree.Stmt] = []

        def kept(expr: Expr) -> Expr:
            """All arguments are evaluated before there is a response."""
            first, again = self.twice(expr)
            stores.extend(first)
            return again

        status, body, kind = kept(status), kept(body), kept(kind)
        pairs = [(kept(name), kept(item)) for name, item in self._header_pairs(headers)]
        made = self.helper("zs_py_response", [status, body, kind, flag], RESPONSE, node, True)
        response = kept(made)
        for name, item in pairs:
            call = [response, name, item]
            set_one = self.helper("zs_py_response_header", call, NONE, node, True)
            stores.append(tree.Do(set_one, line=_line(node)))
        return self.block(stores, response)

    def call_zeroserve_script_fetch(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        args = self.arguments(operation, node)
        stores: list[tree.Stmt] = []
        kept: dict[str, Expr] = {}
        pairs: list[tuple[Expr, Expr]] = []
        # All arguments are evaluated before anything is done with one.
        for param in operation.parameters:
            arg = args[param.name]
            if param.name == "headers":
                is_none = arg is None or (isinstance(arg, ast.Constant) and arg.value is None)
                for pair in (
                    [] if arg is None or is_none else self._header_pairs(arg, optional(STR))
                ):
                    (first, name), (second, item) = map(self.twice, pair)
                    stores += [*first, *second]
                    pairs.append((name, item))
                continue
            if arg is None:
                kept[param.name] = self.default_of(param.default or "", param.type, node)
                continue
            what = f"the argument {param.name} of fetch()"
            first, again = self.twice(self.convert(self.expr(arg), named(param.type), arg, what))
            stores += first
            kept[param.name] = again
        asked = [kept["method"], kept["url"]]
        first, request = self.twice(self.helper("zs_py_fetch_request", asked, INT, node, True))
        stores += first
        for name, item in pairs:
            set_one = self.helper("zs_py_fetch_header", [request, name, item], NONE, node, True)
            stores.append(tree.Do(set_one, line=_line(node)))
        sent = [request, kept["body"], kept["timeout_ms"]]
        return self.block(stores, self.helper("zs_py_fetch", sent, FETCHED, node, True))

    def _append_header(self, value: Expr, node: ast.Call) -> Expr:
        """Of a response that the script has made."""
        operation = methods()["ResponseHead.append_header"]
        name, text = self.arguments(operation, node).values()
        assert name is not None and text is not None
        field = self.convert(self.expr(name), STR, name, "the name of a header")
        if not isinstance(field, Const) or str(field.value).lower() == "content-type":
            raise Refusal(
                name,
                "a header that is not known to be another than Content-Type",
                "write its name here; the type is content_type= of Response",
            )
        item = self.convert(self.expr(text), STR, text, "the value of a header")
        return self.helper("zs_py_response_header", [value, field, item], NONE, node, True)

    def _header_pairs(self, node: ast.expr, kind: Type = STR) -> list[tuple[Expr, Expr]]:
        """Names and values, which are of a kind."""
        node = self.display(node)
        if isinstance(node, ast.Dict):
            pairs = []
            names: set[Any] = set()
            for key, item in zip(node.keys, node.values, strict=True):
                if key is None:
                    raise Refusal(node, "** in headers", "write the fields one by one")
                name = self.convert(self.expr(key), STR, key, "the name of a header")
                self._distinct(name, key, node, names)
                value = self.convert(self.expr(item), kind, item, "the value of a header")
                pairs.append((name, value))
            return pairs
        found = self.expr(node)
        if found.type == DICT and isinstance(found, Const):
            return [
                (
                    self.convert(self.const(key, node), STR, node, "the name of a header"),
                    self.convert(self.const(item, node), kind, node, "the value of a header"),
                )
                for key, item in found.value.items()
            ]
        raise Refusal(node, f"headers are {found.type}", "write a dict here, or a constant one")

    def call_Meta_get(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        args = self.arguments(operation, node)
        assert args["key"] is not None
        key = self.convert(self.expr(args["key"]), STR, args["key"], "the key")
        first, again = self.before(key)
        found = self.helper("zs_py_meta_get", [again], optional(STR), node)
        return self.block(first, self._or_default(found, args["default"], node))

    def _or_default(self, found: Expr, default: ast.expr | None, node: ast.AST) -> Expr:
        """What was found, or a default, which is evaluated first."""
        if default is None:
            return found
        first, other = self.before(self.expr(default))
        second, again = self.twice(found)
        inner = self.unwrap(again, node)
        type = join(inner.type, other.type)
        if type is None:
            raise Refusal(node, f"the default is {other.type}, the values are {inner.type}")
        chosen = tree.Choose(
            self.is_none(again, node),
            self.convert(other, type, node),
            self.convert(inner, type, node),
            type=type,
            line=_line(node),
        )
        return self.block([*first, *second], chosen)

    # ---- Table

    def _table(self, value: Expr | None, node: ast.AST) -> tuple[Expr, TableType]:
        assert value is not None and isinstance(value.type, TableType)
        if not isinstance(value, Const) or not isinstance(value.value, TableValue):
            raise Refusal(node, "a Table is used by its name")
        table = value.value
        kinds = {"int": 0, "str": 1, "bytes": 2, "bool": 3}
        return (
            self.op(
                "table",
                [],
                INT,
                node,
                (kinds[table.key], kinds[table.value], table.max_entries, table.name),
            ),
            value.type,
        )

    def _key(self, operation: Operation, type: TableType, arg: ast.expr | None) -> Expr:
        assert arg is not None
        found = self.expr(arg)
        if found.type == BOOL:
            raise Refusal(arg, f"the key is bool, not {type.key}")
        return self.convert(found, type.key, arg, "the key")

    def call_Table_get(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        table, type = self._table(value, node)
        args = self.arguments(operation, node)
        key = self._key(operation, type, args["key"])
        first, again = self.before(key)
        found = self.op("found", [table, again], optional(type.value), node, "zs_py_table_get")
        return self.block(first, self._or_default(found, args["default"], node))

    def call_Table_set(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        table, type = self._table(value, node)
        args = self.arguments(operation, node)
        key = self._key(operation, type, args["key"])
        assert args["value"] is not None
        item = self.expr(args["value"])
        if item.type != type.value and not {item.type, type.value} <= {INT, U64, JSON}:
            raise Refusal(args["value"], f"the value is {item.type}, not {type.value}")
        item = self.convert(item, type.value, node)
        return self.helper("zs_py_table_set", [table, key, item], NONE, node)

    def call_Table_add(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        table, type = self._table(value, node)
        args = self.arguments(operation, node)
        if type.value != INT:
            raise Refusal(node, "add() is for a Table whose values are int")
        key = self._key(operation, type, args["key"])
        assert args["n"] is not None
        number = self.convert(self.expr(args["n"]), INT, node)
        return self.helper("zs_py_table_add", [table, key, number], INT, node)

    def call_Table_delete(self, operation: Operation, value: Expr | None, node: ast.Call) -> Expr:
        table, type = self._table(value, node)
        args = self.arguments(operation, node)
        key = self._key(operation, type, args["key"])
        return self.helper("zs_py_table_delete", [table, key], NONE, node)

    # ---- what is refused with a word of its own

    def call_zeroserve_script_Table(
        self, operation: Operation, value: Expr | None, node: ast.Call
    ) -> Expr:
        raise Refusal(
            node,
            "a Table made while running",
            "make it at module level: HITS = Table(str, int, ...)",
        )
