"""From the typed form to LLVM's: one module as text.

What LLVM's BPF backend can't do is never written: at most five arguments, results of more than
one word through a pointer, no calls of its runtime library. Whatever can fail branches to code
that raises; an exception that nobody in the script handles ends in ``zs_py_raise``, which names
file and line.
"""

import os
from dataclasses import dataclass

from zeroserve.compiler import tree
from zeroserve.compiler.diagnostics import CompileError, Diagnostic
from zeroserve.compiler.operations import EXCEPTIONS, LIMITS, PARENTS
from zeroserve.compiler.pool import NON_ASCII, Pool, utf8
from zeroserve.compiler.tree import (
    Block,
    Break,
    Call,
    Choose,
    Const,
    Continue,
    Do,
    Expr,
    Function,
    Helper,
    If,
    IsNone,
    Item,
    Local,
    Loop,
    Op,
    Program,
    Raise,
    Return,
    Slot,
    Stmt,
    Store,
    Try,
    Tuple,
    Unwrap,
    Wrap,
)
from zeroserve.compiler.types import STR, ListType, OptionalType, Type, parts_of

MAX_ARGUMENTS = 5
MAX_NAME = 200
"""Characters of a function's name; the loader of objects has a bound, too."""
INLINE_BYTES = 32
"""Constants up to this length are compared in place, others by a helper."""

CACHED_FIELDS = 8
"""Attributes of a request that are asked for once: the first of REQUEST_FIELDS."""
MIN = -(1 << 63)
MAX = (1 << 63) - 1


@dataclass
class _Handling:
    """The innermost ``try``: where its exceptions go."""

    label: str
    kind: str
    message: str
    where: str
    used: bool = False


@dataclass
class _Around:
    """The innermost loop."""

    leave: str
    again: str


class Module:
    """Writes one program."""

    def __init__(self, program: Program, basename: str) -> None:
        self.program = program
        self.basename = basename
        self.pool = Pool()
        self.helpers: dict[str, int] = {}
        self.debug = _Debug()

    def text(self) -> str:
        """The LLVM module."""
        _spread_raising(self.program)
        names = _names(self.program.functions)
        bodies = [self.function(function, names) for function in self.program.functions]
        declared = "".join(
            f"declare i64 @{name}({', '.join(['i64'] * count)}) #1\n"
            for name, count in sorted(self.helpers.items())
        )
        patterns = _patterns(self.program.patterns)
        return (
            'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\n'
            'target triple = "bpfel"\n\n'
            "@.raised = internal unnamed_addr global [3 x i64] zeroinitializer, align 8\n"
            f"{self.pool.globals()}{patterns}\n{declared}\n"
            "declare i64 @llvm.ctlz.i64(i64, i1)\n"
            "declare i64 @llvm.ctpop.i64(i64)\n\n"
            + "\n".join(bodies)
            + '\nattributes #0 = { nounwind "no-builtins" "no-jump-tables"="true" }\n'
            "attributes #1 = { nounwind }\n\n" + self.debug.text()
        )


    def function(self, function: Function, names: dict[Function, str]) -> str:
        """One function. Raises ``CompileError`` for one that is nested too deep."""
        try:
            return _Writer(self, function, names).text()
        except RecursionError:
            raise _too_deep(function) from None


def _too_deep(function: Function) -> CompileError:
    message = f"{function.name}() is nested too deep, or has too many branches one after another"
    hint = "write a part of it as a function of its own, or look values up in a constant dict"
    return CompileError([Diagnostic(function.path, function.line, 1, message, hint)])


def _patterns(patterns: list[tuple[str, int]]) -> str:
    if not patterns:
        return ""
    data = len(patterns).to_bytes(4, "little")
    for pattern, flags in patterns:
        text = pattern.encode()
        data += len(text).to_bytes(4, "little") + text + flags.to_bytes(4, "little")
    escaped = "".join(f"\\{byte:02X}" for byte in data)
    return (
        f'@.patterns = constant [{len(data)} x i8] c"{escaped}", section "zeroserve.patterns", '
        "align 1\n@llvm.used = appending global [1 x ptr] [ptr @.patterns], "
        'section "llvm.metadata"\n'
    )


def _names(functions: list[Function]) -> dict[Function, str]:
    """A symbol for each function, none twice and none a helper's."""
    names: dict[Function, str] = {}
    taken = {"patterns", "raised", "request", "texts", "words"}  # of data
    for function in functions:
        name = function.name[:MAX_NAME] if function.name.isascii() else "function"
        if name.startswith("zs_"):
            name = f"script.{name}"
        while name in taken:
            name += "."
        taken.add(name)
        names[function] = name
    return names


def _spread_raising(program: Program) -> None:
    """Mark the functions whose exceptions a caller may want: all that a ``try`` leads to."""
    waiting: list[Function] = []

    def look(body: list[Stmt], inside: bool) -> None:
        for stmt in body:
            for expr in _expressions(stmt):
                if inside and isinstance(expr, Call):
                    waiting.append(expr.function)
                if isinstance(expr, Block):
                    look(expr.body, inside)
            match stmt:
                case If(_, then, other):
                    look(then, inside)
                    look(other, inside)
                case Loop(_, inner, step, otherwise):
                    for part in (inner, step, otherwise):
                        look(part, inside)
                case Try(inner, handlers, otherwise):
                    look(inner, True)
                    look(otherwise, inside)
                    for handler in handlers:
                        look(handler.body, inside)

    for function in program.functions:
        try:
            look(function.body, False)
        except RecursionError:
            raise _too_deep(function) from None
    while waiting:
        function = waiting.pop()
        if not function.raises_to_caller:
            function.raises_to_caller = True
            waiting += function.calls


def _expressions(stmt: Stmt) -> list[Expr]:
    """All expressions of a statement, without those of statements in it."""
    match stmt:
        case Store(_, value) | Do(value) | Return(value):
            found = [value]
        case If(test, _, _) | Loop(test, _, _, _):
            found = [test]
        case _:
            found = []
    for expr in found:  # grows while it is gone through
        match expr:
            case Op(_, args) | Helper(_, args) | Call(_, args):
                found += args
            case Tuple(items):
                found += items
            case Item(value) | Wrap(value) | Unwrap(value) | IsNone(value) | Block(_, value):
                found.append(value)
            case Choose(test, then, other):
                found += [test, then, other]
            case Raise(_, message) if message is not None:
                found.append(message)
    return found


class _Debug:
    """Metadata that says which line an instruction is of."""

    def __init__(self) -> None:
        self._nodes: list[str] = []
        self._known: dict[str, int] = {}

    def node(self, text: str) -> int:
        """The number of a node."""
        number = self._known.get(text)
        if number is None:
            number = len(self._nodes) + 10
            self._known[text] = number
            self._nodes.append(text)
        return number

    def function(self, path: str, name: str, line: int) -> int:
        """The scope of a function: no two have one."""
        # No path of this machine gets into the object.
        short = os.path.basename(path)  # noqa: PTH119
        file = self.node(f'!DIFile(filename: "{_quoted(short)}", directory: "")')
        self._nodes.append(
            f'distinct !DISubprogram(name: "{_quoted(name)}", scope: !{file}, file: !{file}, '
            f"line: {line}, type: !3, scopeLine: {line}, spFlags: DISPFlagDefinition, unit: !0)"
        )
        return len(self._nodes) + 9

    def text(self) -> str:
        """All of it."""
        nodes = "".join(f"!{at} = {text}\n" for at, text in enumerate(self._nodes, 10))
        return (
            "!llvm.dbg.cu = !{!0}\n!llvm.module.flags = !{!1, !2}\n"
            '!0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !5, producer: "zeroserve", '
            "isOptimized: true, runtimeVersion: 0, emissionKind: LineTablesOnly)\n"
            '!1 = !{i32 2, !"Debug Info Version", i32 3}\n'
            '!2 = !{i32 7, !"Dwarf Version", i32 4}\n'
            "!3 = !DISubroutineType(types: !4)\n!4 = !{}\n"
            '!5 = !DIFile(filename: "script", directory: "")\n' + nodes
        )


def _quoted(text: str) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )


class _Writer:
    """Writes one function."""

    def __init__(self, module: Module, function: Function, names: dict[Function, str]) -> None:
        self.module = module
        self.pool = module.pool
        self.function = function
        self.names = names
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.slots: dict[Slot, list[str]] = {}
        self.count = 0
        self.label = "start"
        self.ended = False
        self.line = function.line
        self.loops: list[_Around] = []
        self.tries: list[_Handling] = []
        debug = module.debug
        self.scope = debug.function(function.path, function.name, function.line)
        self.places: dict[int, str] = {}

    # ---- text

    def text(self) -> str:
        """The function's definition."""
        function = self.function
        words = sum(slot.type.words for slot in function.params)
        framed, out = _frame(words, function.result.words)
        params = ["%frame"] if framed else [f"%a{i}" for i in range(words)]
        if out:
            params.append("%out")
        at = 0
        for slot in function.params:
            for place in self._place(slot):
                if framed:
                    self.store(self.load(self.address("%frame", at)), place)
                else:
                    self.store(f"%a{at}", place)
                at += 1
        self.body(function.body)
        if not self.ended:
            self.leave([] if out else None, out)
        kind = "define" if function.section else "define internal"
        where = f' section "{function.section}"' if function.section else ""
        head = (
            f"{kind} i64 @{_symbol(self.names[function])}({', '.join('i64 ' + p for p in params)})"
            f" #0{where} !dbg !{self.scope} {{\nentry:\n"
        )
        first = "".join(self.allocas) + self._begin()
        return f"{head}{first}start:\n{''.join(self.lines)}}}\n"

    def _begin(self) -> str:
        """How the first block leads to the next. A function that has no way out is given one, which
        is never taken: see ``stopped``."""
        if self.function.section or any("  ret " in line for line in self.lines):
            return "  br label %start\n"
        return (
            "  %never = load volatile i64, ptr @words, align 8\n"
            "  %taken = icmp ne i64 %never, 0\n"
            "  br i1 %taken, label %out, label %start\nout:\n  ret i64 0\n"
        )

    def emit(self, text: str) -> None:
        """An instruction, at the line that is being compiled."""
        if self.ended:
            self.start(self.new("dead"))
        place = self.places.get(self.line)
        if place is None:
            node = f"!DILocation(line: {self.line}, column: 1, scope: !{self.scope})"
            place = f", !dbg !{self.module.debug.node(node)}\n"
            self.places[self.line] = place
        self.lines.append("  " + text + place)

    def value(self, text: str) -> str:
        """An instruction with a result."""
        name = self.new("%t")
        self.emit(f"{name} = {text}")
        return name

    def new(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def start(self, label: str) -> None:
        """Begin a block."""
        if not self.ended:
            self.emit(f"br label %{label}")
        self.lines.append(f"{label}:\n")
        self.label = label
        self.ended = False

    def jump(self, label: str) -> None:
        if not self.ended:
            self.emit(f"br label %{label}")
            self.ended = True

    def branch(self, condition: str, then: str, other: str) -> None:
        """On an i1."""
        if not self.ended:
            self.emit(f"br i1 {condition}, label %{then}, label %{other}")
            self.ended = True

    def room(self, words: int) -> str:
        """Words of the stack frame; the address as a ptr."""
        name = self.new("%s")
        self.allocas.append(f"  {name} = alloca [{max(words, 1)} x i64], align 8\n")
        return name

    def address(self, base: str, index: int) -> str:
        """The ptr of a word behind an address that is an i64."""
        at = self.value(f"add i64 {base}, {8 * index}") if index else base
        return self.value(f"inttoptr i64 {at} to ptr")

    def at(self, room: str, index: int) -> str:
        """The ptr of a word of a room."""
        if index == 0:
            return room
        return self.value(f"getelementptr i64, ptr {room}, i64 {index}")

    def number(self, pointer: str) -> str:
        return self.value(f"ptrtoint ptr {pointer} to i64")

    def load(self, pointer: str) -> str:
        return self.value(f"load i64, ptr {pointer}, align 8")

    def store(self, word: str, pointer: str) -> None:
        self.emit(f"store i64 {word}, ptr {pointer}, align 8")

    def helper(self, name: str, args: list[str]) -> str:
        """Call a helper; its result."""
        self.module.helpers.setdefault(name, len(args))
        return self.value(f"call i64 @{name}({', '.join('i64 ' + arg for arg in args)})")

    def truth(self, condition: str) -> str:
        """An i1 as a word."""
        return self.value(f"zext i1 {condition} to i64")

    def compare(self, how: str, one: str, other: str) -> str:
        """An i1."""
        return self.value(f"icmp {how} i64 {one}, {other}")

    def _place(self, slot: Slot) -> list[str]:
        places = self.slots.get(slot)
        if places is None:
            places = [self.room(1) for _ in range(slot.type.words)]
            self.slots[slot] = places
        return places

    # ---- exceptions

    def where(self) -> str:
        """The word that names the line."""
        file = self.function.path.rpartition("/")[2]
        return self.pool.string(f"{file}:{self.line}")

    def throw(self, kind: str, message: str = "0", where: str | None = None) -> None:
        """Raise an exception of a number; nothing behind it runs."""
        where = where or self.where()
        if self.tries:
            handling = self.tries[-1]
            handling.used = True
            self.store(kind, handling.kind)
            self.store(message, handling.message)
            self.store(where, handling.where)
            self.jump(handling.label)
        elif self.function.raises_to_caller:
            for index, word in enumerate((kind, message, where)):
                self.store(word, self.at("@.raised", index))
            self.leave(None, False)
        else:
            self.helper("zs_py_raise", [kind, message, where])
            self.stopped()

    def throw_if(self, condition: str, kind: str, message: str = "0") -> None:
        """Raise when an i1 is true; go on otherwise."""
        bad, good = self.new("bad"), self.new("ok")
        self.branch(condition, bad, good)
        self.start(bad)
        self.throw(kind, message)
        self.start(good)

    def raise_if(self, condition: str, name: str, text: str) -> None:
        """The same with a name and a constant message."""
        bad, good = self.new("bad"), self.new("ok")
        self.branch(condition, bad, good)
        self.start(bad)
        self.throw(str(EXCEPTIONS[name]), self.pool.string(text))
        self.start(good)

    def stop_if(self, condition: str, limit: str) -> None:
        """Stop the script when an i1 is true: no handler sees it."""
        bad, good = self.new("stop"), self.new("ok")
        self.branch(condition, bad, good)
        self.start(bad)
        self.helper("zs_py_stop", [str(LIMITS[limit]), self.where()])
        self.stopped()
        self.start(good)

    def stopped(self) -> None:
        """Behind what does not come back. LLVM is not told so of functions that others call: it
        would leave out what follows the call, and the caller would end in the middle."""
        self.emit("unreachable" if self.function.section else "ret i64 0")
        self.ended = True

    def leave(self, words: list[str] | None, out: bool) -> None:
        """Return; ``None`` for an exception on its way."""
        if out:
            for index, word in enumerate(words or ()):
                self.store(word, self.address("%out", index))
            self.emit("ret i64 0")
        else:
            self.emit(f"ret i64 {words[0] if words else 0}")
        self.ended = True

    # ---- statements

    def body(self, body: list[Stmt]) -> None:
        for stmt in body:
            if self.ended:
                return
            self.line = stmt.line or self.line
            getattr(self, "stmt_" + type(stmt).__name__)(stmt)

    def stmt_Store(self, stmt: Store) -> None:
        words = self.words(stmt.value)
        for word, place in zip(words, self._place(stmt.slot), strict=False):
            self.store(word, place)

    def stmt_Do(self, stmt: Do) -> None:
        self.words(stmt.value)

    def stmt_If(self, stmt: If) -> None:
        then, other, end = self.new("then"), self.new("else"), self.new("end")
        self.branch(self.condition(stmt.test), then, other if stmt.other else end)
        self.start(then)
        self.body(stmt.then)
        self.jump(end)
        if stmt.other:
            self.start(other)
            self.body(stmt.other)
            self.jump(end)
        self.start(end)

    def stmt_Loop(self, stmt: Loop) -> None:
        test, inner, step = self.new("test"), self.new("loop"), self.new("step")
        otherwise, end = self.new("otherwise"), self.new("end")
        self.start(test)
        self.line = stmt.line or self.line
        self.branch(self.condition(stmt.test), inner, otherwise if stmt.otherwise else end)
        self.start(inner)
        self.loops.append(_Around(end, step))
        self.body(stmt.body)
        self.loops.pop()
        self.start_if_open(step)
        self.body(stmt.step)
        self.jump(test)
        if stmt.otherwise:
            self.start(otherwise)
            self.body(stmt.otherwise)
            self.jump(end)
        self.start(end)

    def start_if_open(self, label: str) -> None:
        """Begin a block that others jump to."""
        self.start(label)

    def stmt_Break(self, stmt: Break) -> None:
        self.jump(self.loops[-1].leave)

    def stmt_Continue(self, stmt: Continue) -> None:
        self.jump(self.loops[-1].again)

    def stmt_Return(self, stmt: Return) -> None:
        words = self.words(stmt.value)
        if not self.ended:
            self.leave(words, self.function.result.words > 1)

    def stmt_Try(self, stmt: Try) -> None:
        handling = _Handling(self.new("handle"), self.room(1), self.room(1), self.room(1))
        end = self.new("end")
        self.tries.append(handling)
        self.body(stmt.body)
        self.tries.pop()
        self.body(stmt.otherwise)
        self.jump(end)
        self.start(handling.label)
        if not handling.used:
            self.emit("unreachable")
            self.ended = True
        else:
            kind = self.load(handling.kind)
            for handler in stmt.handlers:
                numbers = sorted(EXCEPTIONS[name] for name in _kinds_of(handler.kinds))
                then, other = self.new("except"), self.new("next")
                matches = self.compare("eq", kind, str(numbers[0]))
                for number in numbers[1:]:
                    also = self.compare("eq", kind, str(number))
                    matches = self.value(f"or i1 {matches}, {also}")
                self.branch(matches, then, other)
                self.start(then)
                self.body(handler.body)
                self.jump(end)
                self.start(other)
            message, where = self.load(handling.message), self.load(handling.where)
            self.throw(kind, message, where)
        self.start(end)

    # ---- expressions

    def condition(self, expr: Expr) -> str:
        """A bool as an i1."""
        return self.compare("ne", self.word(expr), "0")

    def word(self, expr: Expr) -> str:
        """The one word of an expression."""
        words = self.words(expr)
        return words[0] if words else "0"

    def words(self, expr: Expr) -> list[str]:
        """All words of an expression."""
        line = self.line
        self.line = expr.line or line
        words: list[str] = getattr(self, "expr_" + type(expr).__name__)(expr)
        if len(words) < expr.type.words:  # of what never comes back
            words = ["0"] * expr.type.words
        self.line = line
        return words

    def expr_Const(self, expr: Const) -> list[str]:
        return self.pool.words(expr.value, expr.type)

    def expr_Local(self, expr: Local) -> list[str]:
        words = [self.load(place) for place in self._place(expr.slot)]
        return self.narrowed(words, expr.slot.type, expr.type)

    def narrowed(self, words: list[str], wide: Type, narrow: Type) -> list[str]:
        """Words of a type, of which is known that they are of a narrower one."""
        if wide == narrow or narrow.words == 0:
            return words if wide == narrow else []
        if isinstance(wide, OptionalType) and not isinstance(narrow, OptionalType):
            return words[1:] if wide.flagged else words
        return words

    def expr_Tuple(self, expr: Tuple) -> list[str]:
        return [word for item in expr.items for word in self.words(item)]

    def expr_Item(self, expr: Item) -> list[str]:
        items = parts_of(expr.value.type) or ()
        begin = sum(item.words for item in items[: expr.index])
        return self.words(expr.value)[begin : begin + items[expr.index].words]

    def expr_Wrap(self, expr: Wrap) -> list[str]:
        words = self.words(expr.value)
        wide = expr.type
        if isinstance(wide, OptionalType) and wide.flagged:
            return ["1", *words]
        return words

    def expr_Unwrap(self, expr: Unwrap) -> list[str]:
        return self.narrowed(self.words(expr.value), expr.value.type, expr.type)

    def expr_IsNone(self, expr: IsNone) -> list[str]:
        words = self.words(expr.value)
        return [self.truth(self.compare("eq", words[0], "0"))] if words else ["1"]

    def expr_Choose(self, expr: Choose) -> list[str]:
        then, other, end = self.new("then"), self.new("else"), self.new("end")
        self.branch(self.condition(expr.test), then, other)
        self.start(then)
        one = self.words(expr.then) or ["0"] * expr.type.words  # of what raised before
        one_label, one_ended = self.label, self.ended
        self.jump(end)
        self.start(other)
        two = self.words(expr.other) or ["0"] * expr.type.words
        two_label, two_ended = self.label, self.ended
        self.jump(end)
        self.start(end)
        if one_ended and two_ended:
            return ["0"] * expr.type.words
        if one_ended or two_ended:
            return two if one_ended else one
        return [
            self.value(f"phi i64 [ {a}, %{one_label} ], [ {b}, %{two_label} ]")
            for a, b in zip(one, two, strict=True)
        ]

    def expr_Block(self, expr: Block) -> list[str]:
        self.body(expr.body)
        return self.words(expr.value)

    def expr_Raise(self, expr: Raise) -> list[str]:
        message = self.word(expr.message) if expr.message is not None else self.pool.string("")
        self.throw(str(EXCEPTIONS[expr.kind]), message)
        return []

    def expr_Call(self, expr: Call) -> list[str]:
        function = expr.function
        words = [word for arg in expr.args for word in self.words(arg)]
        framed, out = _frame(len(words), function.result.words)
        args = words
        if framed:
            room = self.room(len(words))
            for index, word in enumerate(words):
                self.store(word, self.at(room, index))
            args = [self.number(room)]
        result = self.room(function.result.words) if out else ""
        if out:
            args = [*args, self.number(result)]
        name = _symbol(self.names[function])
        one = self.value(f"call i64 @{name}({', '.join('i64 ' + arg for arg in args)})")
        if function.raises_to_caller:
            self.forward()
        if out:
            return [self.load(self.at(result, i)) for i in range(function.result.words)]
        return [one] if function.result.words else []

    def forward(self) -> None:
        """Behind a call: an exception goes on to who handles it."""
        kind = self.load("@.raised")
        bad, good = self.new("bad"), self.new("ok")
        self.branch(self.compare("ne", kind, "0"), bad, good)
        self.start(bad)
        message, where = (self.load(self.at("@.raised", index)) for index in (1, 2))
        self.store("0", "@.raised")
        self.throw(kind, message, where)
        self.start(good)

    def expr_Helper(self, expr: Helper) -> list[str]:
        args = [word for arg in expr.args for word in self.words(arg)]
        count = expr.type.words
        if not expr.raises and count <= 1:
            result = self.helper(expr.name, args)
            return [result] if count else []
        room = self.room(count)
        kind = self.helper(expr.name, [*args, self.number(room)])
        if expr.raises:
            self.throw_if(self.compare("ne", kind, "0"), kind)
        return [self.load(self.at(room, index)) for index in range(count)]

    # ---- primitive operations

    def expr_Op(self, expr: Op) -> list[str]:
        method = getattr(self, "op_" + expr.name.replace(".", "_"))
        result = method(expr)
        return result if isinstance(result, list) else [result]

    def _two(self, expr: Op) -> tuple[str, str]:
        one = self.word(expr.args[0])
        return one, self.word(expr.args[1])

    def op_int_add(self, expr: Op) -> str:
        a, b = self._two(expr)
        result = self.value(f"add i64 {a}, {b}")
        one, other = self.value(f"xor i64 {a}, {result}"), self.value(f"xor i64 {b}, {result}")
        self.stop_if(self.compare("slt", self.value(f"and i64 {one}, {other}"), "0"), "overflow")
        return result

    def op_int_sub(self, expr: Op) -> str:
        a, b = self._two(expr)
        result = self.value(f"sub i64 {a}, {b}")
        one, other = self.value(f"xor i64 {a}, {b}"), self.value(f"xor i64 {a}, {result}")
        self.stop_if(self.compare("slt", self.value(f"and i64 {one}, {other}"), "0"), "overflow")
        return result

    def op_int_mul(self, expr: Op) -> str:
        a, b = self._two(expr)
        result = self.value(f"mul i64 {a}, {b}")
        # Two numbers of 32 bits can't overflow; others are checked by dividing.
        one = self.value(f"add i64 {a}, 2147483648")
        other = self.value(f"add i64 {b}, 2147483648")
        both = self.value(f"or i64 {one}, {other}")
        slow, fine = self.new("slow"), self.new("ok")
        self.branch(self.compare("ult", both, "4294967296"), fine, slow)
        self.start(slow)
        # Of the amounts, and not by dividing the product: LLVM knows that for a multiplication of
        # 128 bits, which needs a function that is not there.
        size, by = self._amount(a), self._amount(b)
        apart = self.truth(self.compare("slt", self.value(f"xor i64 {a}, {b}"), "0"))
        most = self.value(f"add i64 {apart}, {MAX}")
        none = self.truth(self.compare("eq", by, "0"))
        rounds = self.value(f"udiv i64 {most}, {self.value(f'or i64 {by}, {none}')}")
        self.stop_if(self.compare("ult", rounds, size), "overflow")
        self.start(fine)
        return result

    def _amount(self, a: str) -> str:
        """Without its sign, as a number that has none."""
        negative = self.compare("slt", a, "0")
        return self.value(f"select i1 {negative}, i64 {self.value(f'sub i64 0, {a}')}, i64 {a}")

    def op_int_neg(self, expr: Op) -> str:
        a = self.word(expr.args[0])
        self.stop_if(self.compare("eq", a, str(MIN)), "overflow")
        return self.value(f"sub i64 0, {a}")

    def op_int_abs(self, expr: Op) -> str:
        a = self.word(expr.args[0])
        self.stop_if(self.compare("eq", a, str(MIN)), "overflow")
        return self._amount(a)

    def _divided(self, expr: Op) -> tuple[str, str, str, str]:
        """Operands, quotient and remainder, both towards zero."""
        a, b = self._two(expr)
        self.raise_if(self.compare("eq", b, "0"), "ZeroDivisionError", expr.extra)
        least = self.compare("eq", a, str(MIN))
        negated = self.compare("eq", b, "-1")
        self.stop_if(self.value(f"and i1 {least}, {negated}"), "overflow")
        quotient = self.value(f"sdiv i64 {a}, {b}")
        product = self.value(f"mul i64 {quotient}, {b}")
        return a, b, quotient, self.value(f"sub i64 {a}, {product}")

    def _needs_floor(self, rest: str, by: str) -> str:
        """Whether a remainder is not zero and has another sign than the divisor."""
        apart = self.compare("slt", self.value(f"xor i64 {rest}, {by}"), "0")
        some = self.compare("ne", rest, "0")
        return self.value(f"and i1 {apart}, {some}")

    def op_int_floordiv(self, expr: Op) -> str:
        _, b, quotient, rest = self._divided(expr)
        down = self.truth(self._needs_floor(rest, b))
        return self.value(f"sub i64 {quotient}, {down}")

    def op_int_mod(self, expr: Op) -> str:
        a, b = self._two(expr)
        self.raise_if(self.compare("eq", b, "0"), "ZeroDivisionError", expr.extra)
        # Nothing is left by -1, as by 1, whose quotient always fits.
        by = self.value(f"select i1 {self.compare('eq', b, '-1')}, i64 1, i64 {b}")
        rest = self.value(f"srem i64 {a}, {by}")
        more = self.value(f"add i64 {rest}, {b}")
        return self.value(f"select i1 {self._needs_floor(rest, b)}, i64 {more}, i64 {rest}")

    def op_int_shl(self, expr: Op) -> str:
        a, b = self._two(expr)
        self.raise_if(self.compare("slt", b, "0"), "ValueError", "negative shift count")
        far = self.compare("ugt", b, "63")
        some = self.compare("ne", a, "0")
        self.stop_if(self.value(f"and i1 {far}, {some}"), "overflow")
        by = self.value(f"and i64 {b}, 63")
        result = self.value(f"shl i64 {a}, {by}")
        back = self.value(f"ashr i64 {result}, {by}")
        self.stop_if(self.compare("ne", back, a), "overflow")
        return result

    def op_int_shr(self, expr: Op) -> str:
        a, b = self._two(expr)
        self.raise_if(self.compare("slt", b, "0"), "ValueError", "negative shift count")
        far = self.compare("ugt", b, "63")
        by = self.value(f"select i1 {far}, i64 63, i64 {b}")
        return self.value(f"ashr i64 {a}, {by}")

    def op_u64_shr(self, expr: Op) -> str:
        a, b = self._two(expr)
        self.raise_if(self.compare("slt", b, "0"), "ValueError", "negative shift count")
        far = self.compare("ugt", b, "63")
        by = self.value(f"and i64 {b}, 63")
        result = self.value(f"lshr i64 {a}, {by}")
        return self.value(f"select i1 {far}, i64 0, i64 {result}")

    def op_u64_div(self, expr: Op) -> str:
        a, b = self._two(expr)
        self.raise_if(self.compare("eq", b, "0"), "ZeroDivisionError", expr.extra)
        return self.value(f"udiv i64 {a}, {b}")

    def op_u64_mod(self, expr: Op) -> str:
        a, b = self._two(expr)
        self.raise_if(self.compare("eq", b, "0"), "ZeroDivisionError", expr.extra)
        return self.value(f"urem i64 {a}, {b}")

    def op_wrap_add(self, expr: Op) -> str:
        a, b = self._two(expr)
        return self.value(f"add i64 {a}, {b}")

    def op_wrap_sub(self, expr: Op) -> str:
        a, b = self._two(expr)
        return self.value(f"sub i64 {a}, {b}")

    def op_wrap_mul(self, expr: Op) -> str:
        a, b = self._two(expr)
        return self.value(f"mul i64 {a}, {b}")

    def op_wrap_shl(self, expr: Op) -> str:
        a, b = self._two(expr)
        self.raise_if(self.compare("slt", b, "0"), "ValueError", "negative shift count")
        far = self.compare("ugt", b, "63")
        by = self.value(f"and i64 {b}, 63")
        result = self.value(f"shl i64 {a}, {by}")
        return self.value(f"select i1 {far}, i64 0, i64 {result}")

    def op_and(self, expr: Op) -> str:
        a, b = self._two(expr)
        return self.value(f"and i64 {a}, {b}")

    def op_or(self, expr: Op) -> str:
        a, b = self._two(expr)
        return self.value(f"or i64 {a}, {b}")

    def op_xor(self, expr: Op) -> str:
        a, b = self._two(expr)
        return self.value(f"xor i64 {a}, {b}")

    def op_invert(self, expr: Op) -> str:
        return self.value(f"xor i64 {self.word(expr.args[0])}, -1")

    def op_same(self, expr: Op) -> list[str]:
        """Another type for the same words."""
        return self.words(expr.args[0])

    def op_checked_sign(self, expr: Op) -> str:
        """Between an int and one without a sign: what the other can't hold stops the script."""
        a = self.word(expr.args[0])
        self.stop_if(self.compare("slt", a, "0"), "overflow")
        return a

    def op_bound(self, expr: Op) -> str:
        """A bound of a slice that is not the one that says that there is none."""
        a = self.word(expr.args[0])
        least = self.compare("eq", a, str(MIN))
        return self.value(f"select i1 {least}, i64 {MIN + 1}, i64 {a}")

    def op_modulus(self, expr: Op) -> str:
        """The same for the modulus of a power, which would mean something else."""
        a = self.word(expr.args[0])
        self.stop_if(self.compare("eq", a, str(MIN)), "overflow")
        return a

    def op_not(self, expr: Op) -> str:
        return self.truth(self.compare("eq", self.word(expr.args[0]), "0"))

    def op_nonzero(self, expr: Op) -> str:
        return self.truth(self.compare("ne", self.word(expr.args[0]), "0"))

    def op_nonempty(self, expr: Op) -> str:
        """Of str, bytes and lists; None is 0 and so is its length."""
        high = self.value(f"lshr i64 {self.word(expr.args[0])}, 32")
        return self.truth(self.compare("ne", high, "0"))

    def op_compare(self, expr: Op) -> str:
        """Of ints; ``extra``: how, and which are without a sign."""
        how, one_unsigned, other_unsigned = expr.extra
        a, b = self._two(expr)
        if how in ("eq", "ne"):
            result = self.compare(how, a, b)
            if one_unsigned == other_unsigned:
                return self.truth(result)
            signed = b if one_unsigned else a
            negative = self.compare("slt", signed, "0")
            if how == "ne":
                return self.truth(self.value(f"or i1 {result}, {negative}"))
            positive = self.value(f"xor i1 {negative}, true")
            return self.truth(self.value(f"and i1 {result}, {positive}"))
        if one_unsigned == other_unsigned:
            return self.truth(self.compare(("u" if one_unsigned else "s") + how, a, b))
        result = self.compare("u" + how, a, b)
        negative = self.compare("slt", b if one_unsigned else a, "0")
        # A negative number is below whatever has no sign.
        sure = "true" if (how in ("lt", "le")) != one_unsigned else "false"
        return self.truth(self.value(f"select i1 {negative}, i1 {sure}, i1 {result}"))

    def op_order(self, expr: Op) -> str:
        """Of what ``zs_py_str_cmp`` returned and 0."""
        return self.truth(self.compare("s" + expr.extra, self.word(expr.args[0]), "0"))

    def op_text_eq(self, expr: Op) -> str:
        """Of two str or two bytes, either of which may be None."""
        one, other = expr.args
        if isinstance(one, Const) and not isinstance(other, Const):
            one, other = other, one
        a = self.word(one)
        if isinstance(other, Const) and other.value is not None:
            data = utf8(other.value) if isinstance(other.value, str) else bytes(other.value)
            if len(data) <= INLINE_BYTES:
                return self._equals(a, data, other.value)
        b = self.word(other)
        slow, fast, end = self.new("slow"), self.new("fast"), self.new("end")
        self.branch(self.compare("eq", a, b), end, fast)
        first = self.label
        self.start(fast)
        high, low = self.value(f"lshr i64 {a}, 32"), self.value(f"lshr i64 {b}, 32")
        unequal = self.compare("ne", high, low)
        nobody = self.value(f"or i1 {self.compare('eq', a, '0')}, {self.compare('eq', b, '0')}")
        self.branch(self.value(f"or i1 {unequal}, {nobody}"), end, slow)
        second = self.label
        self.start(slow)
        same = self.helper("zs_py_str_eq", [a, b])
        third = self.label
        self.start(end)
        return self.value(f"phi i64 [ 1, %{first} ], [ 0, %{second} ], [ {same}, %{third} ]")

    def _equals(self, a: str, data: bytes, value: str | bytes) -> str:
        """Whether a text is a short constant."""
        flag = NON_ASCII >> 32 if isinstance(value, str) and not value.isascii() else 0
        high = self.value(f"lshr i64 {a}, 32")
        same = self.compare("eq", high, str(len(data) | flag))
        none = self.compare("ne", a, "0")
        start, end = self.new("bytes"), self.new("end")
        self.branch(self.value(f"and i1 {same}, {none}"), start, end)
        first = self.label
        self.start(start)
        address = self.value(f"and i64 {a}, 4294967295")
        result = self.truth(self._bytes_are(address, data))
        second = self.label
        self.start(end)
        return self.value(f"phi i64 [ 0, %{first} ], [ {result}, %{second} ]")

    def _bytes_are(self, address: str, data: bytes) -> str:
        """Whether these bytes stand at an address: an i1."""
        different = "0"
        at = 0
        while at < len(data):
            size = next(size for size in (8, 4, 2, 1) if size <= len(data) - at)
            found = self.peek(address, at, size)
            wanted = int.from_bytes(data[at : at + size], "little")
            bits = self.value(f"xor i64 {found}, {wanted}")
            different = self.value(f"or i64 {different}, {bits}")
            at += size
        return self.compare("eq", different, "0")

    def peek(self, address: str, at: int, size: int) -> str:
        """A little-endian number of memory, as a word."""
        place = self.value(f"add i64 {address}, {at}") if at else address
        pointer = self.value(f"inttoptr i64 {place} to ptr")
        if size == 8:
            return self.value(f"load i64, ptr {pointer}, align 1")
        short = self.value(f"load i{8 * size}, ptr {pointer}, align 1")
        return self.value(f"zext i{8 * size} {short} to i64")

    def op_begins(self, expr: Op) -> str:
        """Whether a text begins with a short constant; ``extra``: or ends."""
        a = self.word(expr.args[0])
        value = expr.extra[1]
        data = utf8(value) if isinstance(value, str) else bytes(value)
        size = self.bytes_of(a)
        start, end = self.new("bytes"), self.new("end")
        self.branch(self.compare("uge", size, str(len(data))), start, end)
        first = self.label
        self.start(start)
        address = self.value(f"and i64 {a}, 4294967295")
        if expr.extra[0] == "endswith":
            behind = self.value(f"add i64 {address}, {size}")
            address = self.value(f"sub i64 {behind}, {len(data)}")
        result = self.truth(self._bytes_are(address, data))
        second = self.label
        self.start(end)
        return self.value(f"phi i64 [ 0, %{first} ], [ {result}, %{second} ]")

    def bytes_of(self, a: str) -> str:
        """The length of a text in bytes."""
        high = self.value(f"lshr i64 {a}, 32")
        return self.value(f"and i64 {high}, 2147483647")

    def op_count(self, expr: Op) -> str:
        """The length of bytes or a list."""
        return self.value(f"lshr i64 {self.word(expr.args[0])}, 32")

    def op_str_len(self, expr: Op) -> str:
        a = self.word(expr.args[0])
        slow, end = self.new("slow"), self.new("end")
        size = self.value(f"lshr i64 {a}, 32")
        self.branch(self.compare("slt", a, "0"), slow, end)
        first = self.label
        self.start(slow)
        count = self.helper("zs_py_str_len", [a])
        second = self.label
        self.start(end)
        return self.value(f"phi i64 [ {size}, %{first} ], [ {count}, %{second} ]")

    def _index(self, index: str, size: str, message: str) -> str:
        """An index from the front; one outside is an IndexError."""
        negative = self.compare("slt", index, "0")
        more = self.value(f"add i64 {index}, {size}")
        at = self.value(f"select i1 {negative}, i64 {more}, i64 {index}")
        self.raise_if(self.compare("uge", at, size), "IndexError", message)
        return at

    def op_str_at(self, expr: Op) -> str:
        a, index = self._two(expr)
        slow, fast, end = self.new("slow"), self.new("fast"), self.new("end")
        self.branch(self.compare("slt", a, "0"), slow, fast)
        self.start(slow)
        room = self.room(1)
        kind = self.helper("zs_py_str_at", [a, index, self.number(room)])
        self.throw_if(self.compare("ne", kind, "0"), kind)
        one = self.load(room)
        first = self.label
        self.jump(end)
        self.start(fast)
        at = self._index(index, self.value(f"lshr i64 {a}, 32"), "string index out of range")
        address = self.value(f"and i64 {a}, 4294967295")
        there = self.value(f"add i64 {address}, {at}")
        other = self.value(f"or i64 {there}, {1 << 32}")
        second = self.label
        self.start(end)
        return self.value(f"phi i64 [ {one}, %{first} ], [ {other}, %{second} ]")

    def op_bytes_at(self, expr: Op) -> str:
        a, index = self._two(expr)
        at = self._index(index, self.value(f"lshr i64 {a}, 32"), "index out of range")
        address = self.value(f"and i64 {a}, 4294967295")
        return self.peek(self.value(f"add i64 {address}, {at}"), 0, 1)

    def op_list_at(self, expr: Op) -> list[str]:
        """``extra``: the message of an IndexError; None when the index is known to be good."""
        a, index = self._two(expr)
        if expr.extra is not None:
            index = self._index(index, self.value(f"lshr i64 {a}, 32"), expr.extra)
        item = expr.type.words
        address = self.value(f"and i64 {a}, 4294967295")
        offset = self.value(f"mul i64 {index}, {8 * item}")
        there = self.value(f"add i64 {address}, {offset}")
        return [self.load(self.address(there, word)) for word in range(item)]

    def op_slice(self, expr: Op) -> str:
        """Of str or bytes, with bounds that are ints or missing, and no step."""
        a = self.word(expr.args[0])
        start, stop = expr.args[1:]
        low, high = self.word(start), self.word(stop)
        text = expr.args[0].type == STR
        end = self.new("end")
        slow_word = slow_label = ""
        if text:
            slow, fast = self.new("slow"), self.new("fast")
            self.branch(self.compare("slt", a, "0"), slow, fast)
            self.start(slow)
            room = self.room(1)
            self.helper("zs_py_str_slice", [a, low, high, "1", self.number(room)])
            slow_word, slow_label = self.load(room), self.label
            self.jump(end)
            self.start(fast)
        size = self.value(f"lshr i64 {a}, 32")
        begin = self._bound(low, size, start, "0")
        finish = self._bound(high, size, stop, size)
        none = self.compare("sgt", begin, finish)
        count = self.value(f"sub i64 {finish}, {begin}")
        count = self.value(f"select i1 {none}, i64 0, i64 {count}")
        address = self.value(f"and i64 {a}, 4294967295")
        there = self.value(f"add i64 {address}, {begin}")
        result = self.value(f"or i64 {there}, {self.value(f'shl i64 {count}, 32')}")
        if not text:
            return result
        fast_label = self.label
        self.start(end)
        return self.value(f"phi i64 [ {slow_word}, %{slow_label} ], [ {result}, %{fast_label} ]")

    def _bound(self, bound: str, size: str, expr: Expr, missing: str) -> str:
        """A bound of a slice, brought into it."""
        if isinstance(expr, Const) and expr.value == MIN:
            return missing
        negative = self.compare("slt", bound, "0")
        more = self.value(f"add i64 {bound}, {size}")
        at = self.value(f"select i1 {negative}, i64 {more}, i64 {bound}")
        below = self.compare("slt", at, "0")
        at = self.value(f"select i1 {below}, i64 0, i64 {at}")
        above = self.compare("sgt", at, size)
        return self.value(f"select i1 {above}, i64 {size}, i64 {at}")

    def op_concat(self, expr: Op) -> str:
        """Of str or bytes; ``extra`` says which."""
        room = self.room(len(expr.args))
        words = [self.word(arg) for arg in expr.args]
        for index, word in enumerate(words):
            self.store(word, self.at(room, index))
        name = f"zs_py_{expr.extra}_concat"
        return self.helper(name, [self.number(room), str(len(words))])

    def op_pack_list(self, expr: Op) -> str:
        """A list made of values, in the heap."""
        words = [word for arg in expr.args for word in self.words(arg)]
        address = self.helper("zs_py_alloc", [str(8 * max(len(words), 1))])
        for index, word in enumerate(words):
            self.store(word, self.address(address, index))
        return self.value(f"or i64 {address}, {len(expr.args) << 32}")

    def op_list_push(self, expr: Op) -> str:
        """A list with one more item. There is room for four of them, then for twice as many."""
        a = self.word(expr.args[0])
        words = self.words(expr.args[1])
        count, old = self.value(f"lshr i64 {a}, 32"), self.value(f"and i64 {a}, 4294967295")
        less = self.value(f"sub i64 {count}, 1")
        power = self.compare("eq", self.value(f"and i64 {count}, {less}"), "0")
        full = self.value(f"and i1 {power}, {self.compare('ugt', less, '1')}")
        grow, test, copy, put = (self.new(name) for name in ("grow", "test", "copy", "put"))
        before = self.label
        self.branch(full, grow, put)
        self.start(grow)
        none = self.compare("eq", count, "0")
        twice = self.value(f"shl i64 {count}, 1")
        room = self.value(f"select i1 {none}, i64 4, i64 {twice}")
        size = self.value(f"mul i64 {room}, {8 * len(words)}")
        new = self.helper("zs_py_alloc", [size])
        end = self.value(f"mul i64 {count}, {len(words)}")
        first = self.label
        self.jump(test)
        self.start(test)
        index = self.value(f"phi i64 [ 0, %{first} ], [ %{copy}.next, %{copy} ]")
        self.branch(self.compare("ult", index, end), copy, put)
        self.start(copy)
        offset = self.value(f"shl i64 {index}, 3")
        word = self.load(self.address(self.value(f"add i64 {old}, {offset}"), 0))
        self.store(word, self.address(self.value(f"add i64 {new}, {offset}"), 0))
        self.lines.append(f"  %{copy}.next = add i64 {index}, 1\n")
        self.jump(test)
        self.start(put)
        there = self.value(f"phi i64 [ {old}, %{before} ], [ {new}, %{test} ]")
        place = self.value(f"add i64 {there}, {self.value(f'mul i64 {count}, {8 * len(words)}')}")
        for at, word in enumerate(words):
            self.store(word, self.address(place, at))
        more = self.value(f"shl i64 {self.value(f'add i64 {count}, 1')}, 32")
        return self.value(f"or i64 {there}, {more}")

    def op_bit_length(self, expr: Op) -> str:
        a = self.word(expr.args[0])
        if not expr.extra:
            a = self._amount(a)
        zeros = self.value(f"call i64 @llvm.ctlz.i64(i64 {a}, i1 false)")
        return self.value(f"sub i64 64, {zeros}")

    def op_bit_count(self, expr: Op) -> str:
        a = self.word(expr.args[0])
        if not expr.extra:
            a = self._amount(a)
        return self.value(f"call i64 @llvm.ctpop.i64(i64 {a})")

    def op_number_of(self, expr: Op) -> str:
        """int.from_bytes; eight bytes in order are read in place."""
        a = self.word(expr.args[0])
        little, signed = expr.extra
        order = "1" if little else "0"
        if not little or signed:
            return self.helper("zs_py_int_from_bytes", [a, order, "1" if signed else "0"])
        fast, slow, end = self.new("fast"), self.new("slow"), self.new("end")
        self.branch(self.compare("eq", self.value(f"lshr i64 {a}, 32"), "8"), fast, slow)
        self.start(slow)
        one = self.helper("zs_py_int_from_bytes", [a, order, "0"])
        first = self.label
        self.jump(end)
        self.start(fast)
        other = self.peek(self.value(f"and i64 {a}, 4294967295"), 0, 8)
        second = self.label
        self.start(end)
        return self.value(f"phi i64 [ {one}, %{first} ], [ {other}, %{second} ]")

    def op_blob(self, expr: Op) -> str:
        """The address of constant bytes."""
        return self.pool.blob(expr.extra, 8)

    def op_request(self, expr: Op) -> str:
        """The request, of which nothing is known yet. Where all functions that use it become one,
        what is known of it lies in registers."""
        room = self.room(CACHED_FIELDS)
        for index in range(CACHED_FIELDS):
            self.store("0", self.at(room, index))
        return self.number(room)

    def op_field(self, expr: Op) -> str:
        """An attribute of the request, which is asked for once."""
        index = expr.extra
        place = self.address(self.word(expr.args[0]), index)
        known = self.load(place)
        ask, end = self.new("ask"), self.new("end")
        self.branch(self.compare("eq", known, "0"), ask, end)
        first = self.label
        self.start(ask)
        found = self.helper("zs_py_req_field", [str(index)])
        self.store(found, place)
        second = self.label
        self.start(end)
        return self.value(f"phi i64 [ {known}, %{first} ], [ {found}, %{second} ]")

    def op_changed(self, expr: Op) -> list[str]:
        """A call that changes the request: what is known of it is asked for again."""
        request = self.word(expr.args[0])
        words = self.words(expr.args[1])
        for index in range(CACHED_FIELDS):
            self.store("0", self.address(request, index))
        return words

    def op_found(self, expr: Op) -> list[str]:
        """A helper that says in its result whether there is something: ``T | None``."""
        args = [word for arg in expr.args for word in self.words(arg)]
        room = self.room(1)
        flag = self.helper(expr.extra, [*args, self.number(room)])
        item = self.load(room)
        kind = expr.type
        assert isinstance(kind, OptionalType)
        if kind.flagged:
            return [flag, item]
        there = self.compare("ne", flag, "0")
        return [self.value(f"select i1 {there}, i64 {item}, i64 0")]

    def op_table(self, expr: Op) -> str:
        """The address of what describes a ``Table``."""
        key, value, count, name = expr.extra
        return self.pool.array([str(key | value << 32), str(count), self.pool.string(name)])

    def op_list_slice(self, expr: Op) -> str:
        """``zs_py_list_slice``: the step's upper half says how many words an element has."""
        words = [self.word(arg) for arg in expr.args]
        kind = expr.type
        assert isinstance(kind, ListType)
        return self.helper("zs_py_list_slice", [*words, str(kind.item.words)])


def _frame(words: int, result: int) -> tuple[bool, bool]:
    """Whether arguments go through memory, and whether the result does."""
    out = result > 1
    return words + out > MAX_ARGUMENTS, out


def _kinds_of(names: tuple[str, ...]) -> set[str]:
    """Exceptions that a handler of these takes."""
    found = set()
    for kind in EXCEPTIONS:
        at: str | None = kind
        while at is not None:
            if at in names:
                found.add(kind)
                break
            at = PARENTS.get(at, "Exception" if at != "Exception" else None)
    return found


def _symbol(name: str) -> str:
    return f'"{name}"'


def module(program: tree.Program, basename: str) -> str:
    """The LLVM module of a program."""
    return Module(program, basename).text()
