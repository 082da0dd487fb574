"""Statements and functions: from Python's syntax tree to the typed form."""

import ast
import difflib
from collections.abc import Callable, Sequence

from zeroserve.compiler import growing, tree, unroll
from zeroserve.compiler.base import _line
from zeroserve.compiler.bindings import FunctionDecl, ParamDecl
from zeroserve.compiler.calls import Calls
from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.flow import Flow, assigned, copy, merge
from zeroserve.compiler.operations import EXCEPTIONS
from zeroserve.compiler.scope import Scope, has_no_words, type_of
from zeroserve.compiler.subset import REFUSED
from zeroserve.compiler.tree import Const, Expr, Local, Slot, Stmt
from zeroserve.compiler.types import (
    BOOL,
    FLOAT,
    INT,
    META,
    NEVER,
    NONE,
    REQUEST,
    RESPONSE,
    RESPONSE_HEAD,
    STR,
    ListType,
    OptionalType,
    Type,
    has_int,
    items_of,
    join,
    list_of,
    optional,
    widened,
)

MAX_ROUNDS = 8
"""Rounds until the types of all variables are known, and four for each variable."""
MAX_PARAMETERS = 32


class Checker(Calls):
    """One function."""

    def run(self) -> tree.Function:
        """Check the function until the types of its variables stay as they are."""
        declared = self.declared
        function = declared.function
        assert function is not None
        node = declared.node
        self.result = declared.result if declared.result is not None else NONE
        names = {arg.arg for arg in _arguments(node)}
        self.hidden = frozenset(names | assigned(node.body))
        rounds = 0
        while True:
            found: list[Refusal] = []
            self.problems = found
            self.refused = False
            self.changed = False
            self.temporary = 0
            self.calls = set()
            self.poisoned = set()
            self.displays = {}
            self.breaks: list[list[Flow]] = []
            self.continues: list[list[Flow]] = []
            self.flow = {}
            self.inferred: Type | None = None
            function.params = []
            for param in declared.params:
                slot = self.locals.setdefault(param.name, Slot(param.name, param.type))
                function.params.append(slot)
                self.flow[slot] = param.type
            function.body = self.body(node.body)
            rounds += 1
            if not self.changed:
                break
            # Each variable changes its type a few times at most, and one a round at least.
            if rounds > MAX_ROUNDS + 4 * len(self.locals):
                found.append(Refusal(node, "the types of its variables are not found"))
                break
        if declared.result is None:
            if self.refused:  # what it returns may be what is wrong: callers have nothing to go by
                declared.state = "failed"
            declared.result = self.inferred or NONE
            function.result = declared.result
        # Where nothing gets to, too, it makes a generator of the function.
        yields = [part for part in ast.walk(node) if isinstance(part, ast.Yield | ast.YieldFrom)]
        if yields and not found:
            what, hint = REFUSED[type(yields[0]).__name__]
            found.append(Refusal(yields[0], f"{what} is not compiled", hint))
        for problem in found:
            self.report(self.scope, problem)
        if self.flow is not None and not found:
            if function.result == NONE or isinstance(function.result, OptionalType):
                end = self.convert(self.const(None, node), function.result, node)
                function.body.append(tree.Return(end, line=node.lineno))
            elif function.result != NONE:
                self.report(
                    self.scope,
                    Refusal(
                        node,
                        f"{node.name} can end without a return, and then it returns None, "
                        f"not {function.result}",
                        "return a value on every way, or annotate -> ... | None",
                    ),
                )
        function.calls = self.calls
        return function

    # ---- statements

    def body(self, body: list[ast.stmt]) -> list[Stmt]:
        """Statements one after another; what nothing gets to is left out."""
        out: list[Stmt] = []
        for stmt in body:
            if self.flow is None:
                break
            try:
                method = getattr(self, "stmt_" + type(stmt).__name__, None)
                if method is None:
                    what, hint = REFUSED.get(
                        type(stmt).__name__,
                        (f"this ({type(stmt).__name__})", "write it in another way"),
                    )
                    raise Refusal(stmt, f"{what} is not compiled", hint)
                out += method(stmt)
            except Refusal as refusal:
                self.refused = True
                if refusal.message:
                    self.problems.append(refusal)
                self._poison(stmt)
            except RecursionError:
                text = "this is nested too deep, or has too many branches one after another"
                if not any(problem.message == text for problem in self.problems):
                    hint = "write a part of it as a function of its own"
                    self.problems.append(Refusal(stmt, text, hint))
                self.refused = True
                self._poison(stmt)
        return out

    def _poison(self, stmt: ast.stmt) -> None:
        """Variables of a refused statement: what is said of them later would be noise."""
        self.poisoned |= assigned([stmt])

    def stmt_Pass(self, node: ast.Pass) -> list[Stmt]:
        return []

    def stmt_Expr(self, node: ast.Expr) -> list[Stmt]:
        if isinstance(node.value, ast.Constant):
            return []
        grown = self._append(node.value)
        if grown is not None:
            return [grown]
        value = self.expr(node.value)
        if value.type == NEVER:
            self.flow = None
        return [tree.Do(value, line=_line(node))]

    def _append(self, node: ast.expr) -> Stmt | None:
        """``name.append(item)``: the variable gets a longer list."""
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name) as owner, attr="append"),
                args=[item],
                keywords=[],
            ) if name in self.locals and isinstance(self.locals[name].type, ListType):
                pass
            case _:
                return None
        if any(param.name == name for param in self.declared.params):
            raise Refusal(node, f"{name} is of who calls", "make a list here, and return it")
        growing.require_one_name(self.declared.node, name, self._called)
        before = self.expr(owner)
        value = self.expr(item)
        assert isinstance(before.type, ListType)
        kind = before.type.item if before.type.item != NEVER else value.type
        if kind.words == 0 or kind in (NEVER, FLOAT):
            raise Refusal(item, f"a list can't hold {kind.a}")
        value = self.convert(value, kind, item, "what is appended")
        return self.assign(name, self.op("list_push", [before, value], list_of(kind), node), node)

    def _called(self, func: ast.expr) -> str | None:
        known = self._library(func)
        if known is None and isinstance(func, ast.Attribute) and func.attr == "join":
            return "join" if self._declared(func) is None else None
        return known

    def stmt_Import(self, node: ast.Import) -> list[Stmt]:
        raise Refusal(node, "an import in a function", "import at the top of the file")

    stmt_ImportFrom = stmt_Import

    def stmt_FunctionDef(self, node: ast.FunctionDef) -> list[Stmt]:
        raise Refusal(node, "a function in a function", "define it at module level")

    def stmt_ClassDef(self, node: ast.ClassDef) -> list[Stmt]:
        raise Refusal(node, "a class in a function", "define it at module level")

    def stmt_Assign(self, node: ast.Assign) -> list[Stmt]:
        target = node.targets[0] if len(node.targets) == 1 else None
        if isinstance(node.value, ast.Dict) and isinstance(target, ast.Name):
            return self.keep(target.id, node.value)
        value = self.expr(node.value)
        if len(node.targets) == 1:
            return self.unpack(node.targets[0], value, node)
        first, again = self.twice(value)
        out: list[Stmt] = [*first]
        for target in node.targets:
            out += self.unpack(target, again, node)
        return out

    def stmt_AnnAssign(self, node: ast.AnnAssign) -> list[Stmt]:
        if isinstance(node.value, ast.Dict) and isinstance(node.target, ast.Name):
            return self.keep(node.target.id, node.value)
        wanted = self.scope.annotation(node.annotation)
        if node.value is None:
            return []
        value = self.as_given(self.expr(node.value), wanted, node.value)
        if isinstance(node.target, ast.Name):
            slot = self.locals.get(node.target.id)
            if slot is None:
                self.locals[node.target.id] = Slot(node.target.id, wanted)
                self.changed = True
        return self.unpack(node.target, value, node)

    def stmt_AugAssign(self, node: ast.AugAssign) -> list[Stmt]:
        if not isinstance(node.target, ast.Name):
            if isinstance(node.target, ast.Subscript):
                base = self.expr(node.target.value)
                if base.type == META:
                    raise Refusal(node, "metadata is set with =", 'req.meta["k"] = ...')
            raise Refusal(node.target, "only variables are changed", "assign to a variable")
        name = node.target.id
        load = ast.copy_location(ast.Name(name, ast.Load()), node.target)
        if isinstance(node.op, ast.Add | ast.BitAnd):
            # As one expression: chains of texts and masks are looked at as a whole.
            whole = ast.copy_location(ast.BinOp(load, node.op, node.value), node)
            value = self.expr_BinOp(whole)
        else:
            value = self.binary(node.op, self.expr(load), self.expr(node.value), node)
        return [self.assign(name, value, node)]

    def unpack(self, target: ast.expr, value: Expr, node: ast.AST) -> list[Stmt]:
        """Assign to whatever stands left of ``=``."""
        match target:
            case ast.Name(id=name):
                return [self.assign(name, value, node)]
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return self._unpack_several(parts, value, node)
            case ast.Attribute(value=owner, attr=name):
                base = self.expr(owner)
                if base.type == RESPONSE_HEAD and name == "status":
                    number = self.convert(value, INT, node)
                    call = self.helper("zs_py_res_set_status", [number], NONE, node, True)
                    return [tree.Do(call, line=_line(node))]
                if base.type == REQUEST:
                    hints = {"path": "req.rewrite(path)", "method": "req.set_method(method)"}
                    raise Refusal(
                        target,
                        f"{ast.unparse(target)} is not assigned to",
                        f"write {hints[name]}" if name in hints else None,
                    )
                raise Refusal(target, f"{base.type.a} does not change", "make a new one")
            case ast.Subscript(value=owner, slice=key):
                base = self.expr(owner)
                if base.type == META:
                    first, text = self.before(self.convert(value, STR, node, "the value"))
                    args = [self.convert(self.expr(key), STR, key, "the key"), text]
                    call = self.helper("zs_py_meta_set", args, NONE, node, True)
                    return [*first, tree.Do(call, line=_line(node))]
                hint = "state goes into a Table: TABLE.set(key, value)"
                raise Refusal(target, f"{base.type.a} does not change", hint)
            case ast.Starred():
                raise Refusal(target, "unpacking with *", "write slices: head, tail = x[0], x[1:]")
        raise Refusal(target, "this can't be assigned to")

    def _unpack_several(self, parts: list[ast.expr], value: Expr, node: ast.AST) -> list[Stmt]:
        for part in parts:
            if isinstance(part, ast.Starred):
                raise Refusal(part, "unpacking with *", "write slices: head, tail = x[0], x[1:]")
        items = items_of(value.type)
        if items is not None:
            if len(items) != len(parts):
                raise Refusal(node, f"{len(items)} values for {len(parts)} names")
            first, again = self.twice(value)
            out: list[Stmt] = [*first]
            if not isinstance(again, Const) and not isinstance(again, Local):
                again = value
            for at, part in enumerate(parts):
                out += self.unpack(part, self.item(again, at, node), node)
            return out
        if isinstance(value.type, ListType):
            first, again = self.twice(value)
            size = self.temp(INT)
            count = Local(size, type=INT, line=_line(node))
            stores: list[Stmt] = [
                *first,
                tree.Store(size, self.op("count", [again], INT, node), line=_line(node)),
            ]
            wanted = self.const(len(parts), node)
            got = self.helper("zs_py_str_of_int", [count], STR, node)
            few: list[str | Expr] = [
                f"not enough values to unpack (expected {len(parts)}, got ",
                got,
                ")",
            ]
            many: list[str | Expr] = [f"too many values to unpack (expected {len(parts)})"]
            for how, texts in (("lt", few), ("gt", many)):
                test = self.op("compare", [count, wanted], BOOL, node, (how, False, False))
                words = [self.const(t, node) if isinstance(t, str) else t for t in texts]
                bad = tree.Raise("ValueError", self.concat(words, STR, node), line=_line(node))
                stores.append(tree.If(test, [tree.Do(bad)], [], line=_line(node)))
            for at, part in enumerate(parts):
                item = self.op("list_at", [again, self.const(at, node)], value.type.item, node)
                stores += self.unpack(part, item, node)
            return stores
        raise Refusal(node, f"{value.type.a} can't be unpacked")

    def stmt_Return(self, node: ast.Return) -> list[Stmt]:
        value = self.const(None, node) if node.value is None else self.expr(node.value)
        if has_no_words(value.type) or value.type in (REQUEST, META, RESPONSE_HEAD, FLOAT):
            raise Refusal(node, f"a function can't return {value.type.a}")
        if self.declared.result is None:
            found = value.type if self.inferred is None else join(self.inferred, value.type)
            if found is None:
                raise Refusal(
                    node,
                    f"one return is {self.inferred}, this one {value.type}",
                    "annotate what the function returns: def f(...) -> ...:",
                )
            if found != self.inferred:
                self.inferred = found
            if self.result != found:
                self.result = found
                self.changed = True
        result = self.result
        wider = result if isinstance(value, Const) else widened(result, value.type)
        if wider != result:
            if self.declared.asked:
                raise Refusal(
                    node,
                    "functions that call each other return an int from 2**63 on",
                    "mask it to fewer than 64 bits, or call in one direction only",
                )
            self.result = self.declared.result = result = wider
            self.changed = True
        if self.declared.function is not None:
            self.declared.function.result = result
        converted = self.as_given(value, result, node.value or node, "what is returned")
        self.flow = None
        return [tree.Return(converted, line=_line(node))]

    def stmt_If(self, node: ast.If) -> list[Stmt]:
        test, then, other = self._test(node.test)
        self.flow = then
        one = self.body(node.body)
        then = self.flow
        self.flow = other
        two = self.body(node.orelse)
        self.flow = merge(then, self.flow)
        return [tree.If(test, one, two, line=_line(node))]

    def _test(self, node: ast.expr) -> tuple[Expr, Flow, Flow]:
        """A condition; when it is refused, what depends on it is looked at all the same."""
        before = copy(self.flow)
        try:
            return self.cond(node)
        except Refusal as refusal:
            if refusal.message:
                self.problems.append(refusal)
            self.poisoned |= assigned([node])
            self.flow = before
            return self.const(False, node), before, copy(before)

    def _widen(self, nodes: Sequence[ast.stmt]) -> None:
        """At the head of a loop: what the loop sets may be of any of its types."""
        if self.flow is None:
            return
        for name in assigned(nodes):
            slot = self.locals.get(name)
            if slot is not None and slot in self.flow:
                self.flow[slot] = slot.type

    def stmt_While(self, node: ast.While) -> list[Stmt]:
        self._widen([node])
        test, then, other = self._test(node.test)
        self.flow = then
        self.breaks.append([])
        self.continues.append([])
        inner = self.body(node.body)
        self.continues.pop()
        leaving = self.breaks.pop()
        self.flow = other
        otherwise = self.body(node.orelse)
        for flow in leaving:
            self.flow = merge(self.flow, flow)
        return [tree.Loop(test, inner, [], otherwise, line=_line(node))]

    def stmt_For(self, node: ast.For) -> list[Stmt]:
        if not node.orelse and unroll.is_simple(node.body, unroll.names_of(node.target)):
            items = self.unrolled(node.target, node.iter)
            if items is not None:
                for name in sorted(unroll.names_of(node.target)):
                    if self.flow is not None and self.locals.get(name) in self.flow:
                        raise Refusal(
                            node.target,
                            f"{name} has a value before it goes through constants like patterns",
                            "use another name in this loop",
                        )
                found: list[Stmt] = []
                for values in items:
                    found += self.body([unroll.replaced(stmt, values) for stmt in node.body])
                return found
        try:
            each = self.iterate(node.iter)
        except Refusal:
            self.poisoned |= assigned([node.target])
            self.breaks.append([])
            self.body(node.body)
            self.breaks.pop()
            raise
        if each.item.type == NEVER:  # it is known to be empty
            return [*each.setup, *self.body(node.orelse)]
        self._widen([node])
        before = copy(self.flow)
        self.breaks.append([])
        self.continues.append([])
        inner = self.unpack(node.target, each.item, node)
        inner += self.body(node.body)
        self.continues.pop()
        leaving = self.breaks.pop()
        self.flow = before
        self._widen([node])
        otherwise = self.body(node.orelse)
        for flow in leaving:
            self.flow = merge(self.flow, flow)
        loop = tree.Loop(each.test, inner, each.step, otherwise, line=_line(node))
        return [*each.setup, loop]

    def stmt_Break(self, node: ast.Break) -> list[Stmt]:
        self.breaks[-1].append(copy(self.flow))
        self.flow = None
        return [tree.Break(line=_line(node))]

    def stmt_Continue(self, node: ast.Continue) -> list[Stmt]:
        self.flow = None
        return [tree.Continue(line=_line(node))]

    def stmt_Assert(self, node: ast.Assert) -> list[Stmt]:
        test, then, other = self.cond(node.test)
        self.flow = other
        message: Expr | None = None
        if node.msg is not None and other is not None:
            message = self.text_of(self.expr(node.msg), node)
        self.flow = then
        raised = tree.Raise("AssertionError", message, line=_line(node))
        return [tree.If(test, [], [tree.Do(raised, line=_line(node))], line=_line(node))]

    def exception(self, node: ast.expr) -> str:
        """The name of an exception's class."""
        name = self._library(node)
        short = (name or "").removeprefix("builtins.")
        short = {"json.JSONDecodeError": "JSONDecodeError"}.get(short, short)
        if short in EXCEPTIONS:
            return short
        text = ast.unparse(node)
        close = difflib.get_close_matches(text, EXCEPTIONS, 1)
        known = ", ".join(EXCEPTIONS)
        raise Refusal(
            node,
            f"not an exception that scripts know: {text}",
            f"did you mean {close[0]}?" if close else f"one of {known}",
        )

    def stmt_Raise(self, node: ast.Raise) -> list[Stmt]:
        if node.exc is None:
            raise Refusal(node, "raise without an exception", "name it: raise ValueError(...)")
        call = node.exc
        message: Expr | None = None
        if isinstance(call, ast.Call):
            kind = self.exception(call.func)
            if call.keywords or len(call.args) > 1:
                raise Refusal(call, "an exception has one message")
            if call.args:
                value = self.expr(call.args[0])
                message = (
                    self.repr_of(value, node) if kind == "KeyError" else self.text_of(value, node)
                )
        else:
            kind = self.exception(call)
        if kind in ("UnicodeDecodeError", "UnicodeEncodeError", "JSONDecodeError"):
            raise Refusal(node, f"{kind} takes more than a message", "raise ValueError")
        self.flow = None
        return [tree.Do(tree.Raise(kind, message, line=_line(node)), line=_line(node))]

    def stmt_Try(self, node: ast.Try) -> list[Stmt]:
        if node.finalbody:
            raise Refusal(
                node.finalbody[0],
                "finally is not compiled",
                "write it behind the try, and in except",
            )
        before = copy(self.flow)
        inner = self.body(node.body)
        after = self.flow
        names = assigned(node.body)
        otherwise = self.body(node.orelse)
        after = self.flow
        # An exception may come from anywhere in the body.
        entry = copy(before)
        if entry is not None:
            for name in names:
                slot = self.locals.get(name)
                if slot is not None and slot in entry:
                    entry[slot] = slot.type
        handlers: list[tree.Handler] = []
        end = after
        for handler in node.handlers:
            if handler.name is not None:
                raise Refusal(
                    handler, "the exception as a variable", "write except ValueError: without as"
                )
            if handler.type is None:
                kinds: tuple[str, ...] = ("Exception",)
            elif isinstance(handler.type, ast.Tuple):
                kinds = tuple(self.exception(item) for item in handler.type.elts)
            else:
                kinds = (self.exception(handler.type),)
            self.flow = copy(entry)
            body = self.body(handler.body)
            handlers.append(tree.Handler(kinds, body))
            end = merge(end, self.flow)
        self.flow = end
        return [tree.Try(inner, handlers, otherwise, line=_line(node))]

    # ---- match

    def stmt_Match(self, node: ast.Match) -> list[Stmt]:
        subject = self.expr(node.subject)
        first, again = self.twice(subject)
        if isinstance(again, Const):
            slot = self.temp(again.type)
            if again.type.words:
                first = [tree.Store(slot, again, line=_line(node))]
                again = Local(slot, type=again.type, line=_line(node))
        source = node.subject
        named = source.target if isinstance(source, ast.NamedExpr) else source
        for case in node.cases:
            # A case whose guard fails may have given the variable another value.
            if case.guard is not None and isinstance(named, ast.Name) and named.id in _set_by(case):
                source = ast.Constant(None)
        return [*first, *self._cases(node.cases, again, source)]

    def _cases(self, cases: list[ast.match_case], subject: Expr, source: ast.expr) -> list[Stmt]:
        if not cases or self.flow is None:
            return []
        case = cases[0]
        slot = self._slot_of(source)
        outside = copy(self.flow)
        try:
            test, binds, narrow = self._pattern_test(case.pattern, subject)
            if slot is not None and self.flow is not None and narrow is not None:
                self.flow[slot] = narrow
            stores: list[Stmt] = []
            for name, value in binds:
                stores.append(self.assign(name, value, case.pattern))
            always = isinstance(test, Const) and bool(test.value)
            if case.guard is None:
                body = [*stores, *self.body(case.body)]
                inside: Flow = self.flow
                self.flow = None if always else outside
                self._not_none(case.pattern, slot, subject)
                if isinstance(case.pattern, ast.MatchSingleton) and case.pattern.value is None:
                    subject = self.unwrap(subject, case.pattern)
                rest = self._cases(cases[1:], subject, source)
                self.flow = merge(inside, self.flow)
                return [tree.If(test, body, rest, line=case.pattern.lineno)]
            guard, self.flow, other = self.cond(case.guard)
            body = self.body(case.body)
            inside = self.flow
            self.flow = merge(outside, other)
            rest = self._cases(cases[1:], subject, source)
            self.flow = merge(inside, self.flow)
            taken = self.temp(BOOL)
            said = Local(taken, type=BOOL)
            yes: Stmt = tree.Store(taken, self.const(True, case.pattern))
            no: Stmt = tree.Store(taken, self.const(False, case.pattern))
            line = case.pattern.lineno
            return [
                no,
                tree.If(
                    test, [*stores, tree.If(guard, [yes, *body], [], line=line)], [], line=line
                ),
                tree.If(said, [], rest, line=line),
            ]
        except Refusal as refusal:
            self.refused = True
            if refusal.message:
                self.problems.append(refusal)
            self.flow = outside
            return self._cases(cases[1:], subject, source)

    def _not_none(self, pattern: ast.pattern, slot: Slot | None, subject: Expr) -> None:
        """Behind ``case None:`` the subject is something."""
        if (
            isinstance(pattern, ast.MatchSingleton)
            and pattern.value is None
            and slot is not None
            and self.flow is not None
            and isinstance(self.flow.get(slot), OptionalType)
        ):
            found = self.flow[slot]
            assert isinstance(found, OptionalType)
            self.flow[slot] = found.item

    def _pattern_test(
        self, pattern: ast.pattern, subject: Expr
    ) -> tuple[Expr, list[tuple[str, Expr]], Type | None]:
        """Whether a pattern matches, what it binds, and what the subject then is."""
        match pattern:
            case ast.MatchValue(value=value):
                wanted = self.expr(value)
                if not isinstance(wanted, Const):
                    raise Refusal(pattern, "a pattern that is not a constant", "use if and ==")
                test = self.equal(subject, wanted, pattern)
                narrow = subject.type.item if isinstance(subject.type, OptionalType) else None
                return test, [], narrow
            case ast.MatchSingleton(value=value):
                if value is None:
                    return self.is_none(subject, pattern), [], NONE
                constant = self.const(value, pattern)
                if subject.type != BOOL:
                    raise Refusal(pattern, f"case {value} of {subject.type.a}")
                return self.equal(subject, constant, pattern), [], None
            case ast.MatchAs(pattern=None, name=name):
                always = self.const(True, pattern)
                return always, [] if name is None else [(name, subject)], None
            case ast.MatchAs(pattern=inner, name=name) if inner is not None:
                test, binds, narrow = self._pattern_test(inner, subject)
                whole = subject
                if narrow is not None and narrow != NONE:
                    whole = self.unwrap(subject, pattern)
                return test, [*binds, (str(name), whole)], narrow
            case ast.MatchOr(patterns=patterns):
                result: Expr = self.const(False, pattern)
                narrow = None
                for part in reversed(patterns):
                    test, binds, narrow = self._pattern_test(part, subject)
                    if binds:
                        raise Refusal(part, "alternatives that bind names", "write two cases")
                    yes = self.const(True, pattern)
                    result = tree.Choose(test, yes, result, type=BOOL, line=pattern.lineno)
                return result, [], narrow if all(_is_value(p) for p in patterns) else None
            case ast.MatchSequence(patterns=patterns):
                return self._sequence_test(patterns, subject, pattern)
        what, hint = REFUSED.get(type(pattern).__name__, ("this pattern", "use if"))
        raise Refusal(pattern, f"{what} is not compiled", hint)

    def _sequence_test(
        self, patterns: list[ast.pattern], subject: Expr, pattern: ast.pattern
    ) -> tuple[Expr, list[tuple[str, Expr]], Type | None]:
        items = items_of(subject.type)
        binds: list[tuple[str, Expr]] = []
        if any(isinstance(part, ast.MatchStar) for part in patterns):
            raise Refusal(pattern, "a starred pattern is not compiled", "match a fixed length")
        if isinstance(subject.type, ListType):
            count = self.op("count", [subject], INT, pattern)
            wanted = self.const(len(patterns), pattern)
            result: Expr = self.op("compare", [count, wanted], BOOL, pattern, ("eq", False, False))
            parts: list[Expr] = [
                self.op("list_at", [subject, self.const(at, pattern)], subject.type.item, pattern)
                for at in range(len(patterns))
            ]
        elif items is not None:
            if len(items) != len(patterns):
                return self.const(False, pattern), [], None
            result = self.const(True, pattern)
            parts = [self.item(subject, at, pattern) for at in range(len(items))]
        else:
            raise Refusal(pattern, f"a sequence pattern on {subject.type.a}")
        tests: list[Expr] = [result]
        for part, value in zip(patterns, parts, strict=True):
            test, more, _ = self._pattern_test(part, value)
            tests.append(test)
            binds += more
        whole = tests[-1]
        for test in reversed(tests[:-1]):
            if isinstance(test, Const) and test.value:
                continue
            if isinstance(whole, Const) and whole.value:
                whole = test
                continue
            no = self.const(False, pattern)
            whole = tree.Choose(test, whole, no, type=BOOL, line=pattern.lineno)
        return whole, binds, None


def _set_by(case: ast.match_case) -> set[str]:
    """Names that a pattern and its guard set."""
    return assigned([case.pattern, case.guard] if case.guard else [case.pattern])


def _is_value(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchValue)


def _arguments(node: ast.FunctionDef) -> list[ast.arg]:
    args = node.args
    return [*args.posonlyargs, *args.args, *args.kwonlyargs]


class Checked:
    """All functions of a script that are needed, checked as they are met."""

    def __init__(self, report: Callable[[Scope, Refusal], None]) -> None:
        self.report = report
        self.functions: list[tree.Function] = []
        self.known: set[FunctionDecl] = set()
        self.stack: list[FunctionDecl] = []
        self.later: list[FunctionDecl] = []
        self.patterns: list[tuple[str, int]] = []

    def pattern_number(self, text: str, flags: int) -> int:
        """The number of a pattern, the same for the same one."""
        if (text, flags) not in self.patterns:
            self.patterns.append((text, flags))
        return self.patterns.index((text, flags))

    def function_of(self, declared: FunctionDecl, node: ast.AST | None) -> tree.Function:
        """The function of a declaration: its signature is known, its body perhaps later."""
        if declared.function is None:
            try:
                self._signature(declared)
            except Refusal as refusal:
                self.report(declared.scope, refusal)
                declared.state = "failed"
                declared.function = tree.Function(
                    declared.node.name, declared.scope.path, declared.node.lineno, []
                )
        function = declared.function
        assert function is not None
        if declared.state == "failed":
            raise Refusal(None, "")
        if declared not in self.known:
            self.known.add(declared)
            if declared.function not in self.functions:
                self.functions.append(function)
        if declared.result is None or has_int(declared.result):
            if declared.state == "checking" and declared.result is None:
                raise Refusal(
                    node,
                    f"what {declared.node.name}() returns is not known yet, since it calls itself",
                    f"annotate it: def {declared.node.name}(...) -> ...:",
                )
            if declared.state == "checking" and self.stack[-1] is not declared:
                declared.asked = True
            self.check(declared)
            if declared.state == "failed":
                raise Refusal(None, "")
        elif declared.state == "new" and declared.annotated is not None:
            self.later.append(declared)
        return function

    def _signature(self, declared: FunctionDecl) -> None:
        node, scope = declared.node, declared.scope
        args = node.args
        for extra in (args.vararg, args.kwarg):
            if extra is not None:
                raise Refusal(extra, "a parameter with *", "name the parameters one by one")
        if len(_arguments(node)) > MAX_PARAMETERS:
            raise Refusal(node, f"more than {MAX_PARAMETERS} parameters")
        defaults: dict[str, ast.expr | None] = dict.fromkeys([arg.arg for arg in _arguments(node)])
        positional = [*args.posonlyargs, *args.args]
        for arg, default in zip(reversed(positional), reversed(args.defaults), strict=False):
            defaults[arg.arg] = default
        for arg, kw_default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            defaults[arg.arg] = kw_default
        kinds = {arg.arg: "positional" for arg in args.posonlyargs}
        kinds |= {arg.arg: "either" for arg in args.args}
        kinds |= {arg.arg: "keyword" for arg in args.kwonlyargs}
        hook = declared.hook
        for at, arg in enumerate(_arguments(node)):
            given = defaults[arg.arg]
            type = self._parameter_type(declared, at, arg, given)
            value = None if given is None else scope.default(given, type)
            declared.params.append(ParamDecl(arg.arg, type, value, kinds[arg.arg]))
        if hook is not None:
            wanted = 1 if hook == "on_request" else 2
            if len(declared.params) != wanted:
                what = "the request" if wanted == 1 else "the request and the response"
                raise Refusal(node, f"@{hook} functions take {what}")
        if node.returns is not None:
            declared.result = scope.annotation(node.returns)
        if hook == "on_request":
            if declared.result not in (None, NONE, RESPONSE, optional(RESPONSE)):
                raise Refusal(node.returns, "an @on_request function returns Response | None")
            declared.result = optional(RESPONSE)
        elif hook == "on_response":
            if declared.result not in (None, NONE):
                raise Refusal(node.returns, "an @on_response function returns None")
            declared.result = NONE
        function = tree.Function(node.name, scope.path, node.lineno, [])
        if declared.result is not None:
            if declared.result in (REQUEST, META):
                raise Refusal(node.returns, f"a function can't return {declared.result.a}")
            function.result = declared.result
        declared.annotated = declared.result
        declared.function = function

    def _parameter_type(
        self, declared: FunctionDecl, at: int, arg: ast.arg, default: ast.expr | None
    ) -> Type:
        if declared.hook is not None and at < 2:
            wanted = REQUEST if at == 0 else RESPONSE
            found = wanted if arg.annotation is None else declared.scope.annotation(arg.annotation)
            if found != wanted:
                raise Refusal(arg.annotation, f"{arg.arg} is {wanted.a} here, not {found}")
            return REQUEST if at == 0 else RESPONSE_HEAD
        if arg.annotation is not None:
            type = declared.scope.annotation(arg.annotation)
            if type == NONE:
                raise Refusal(arg, "a parameter that is always None")
            return type
        if default is not None:
            return type_of(declared.scope._constant(default), default)
        raise Refusal(
            arg,
            f"the type of {arg.arg} is not known",
            f"annotate it: {arg.arg}: str (or int, bytes, Request ...)",
        )

    def check(self, declared: FunctionDecl) -> None:
        """The body of a function, once."""
        if declared.state != "new":
            return
        declared.state = "checking"
        self.stack.append(declared)
        checker = Checker(
            declared.scope, declared, self.report, self.function_of, self.pattern_number
        )
        checker.run()
        self.stack.pop()
        if declared.state == "checking":
            declared.state = "done"
        if not self.stack:
            while self.later:
                self.check(self.later.pop())
