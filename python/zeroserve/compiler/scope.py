"""The names of a module: what a script and the modules beside it define and import."""

import ast
import builtins
import difflib
import importlib.util
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from zeroserve.compiler import evaluated, tree
from zeroserve.compiler.bindings import (
    Binding,
    Constant,
    Failed,
    FunctionDecl,
    Library,
    ModuleDecl,
    RecordDecl,
)
from zeroserve.compiler.constants import Constants, Network, NotConstant, Pattern, TableValue
from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.operations import EXCEPTIONS, functions, methods
from zeroserve.compiler.subset import BUILTINS, REFUSED
from zeroserve.compiler.types import (
    BOOL,
    BYTES,
    DATETIME,
    FETCHED,
    INT,
    IP_ADDRESS,
    JSON,
    NEVER,
    NONE,
    REQUEST,
    RESPONSE,
    STR,
    U64,
    ListType,
    RecordType,
    TableType,
    Type,
    items_of,
    join,
    list_of,
    optional,
    tuple_of,
)

BIG = Type("int of more than 64 bits", 0)
"""Of constants that only take part in the computing of others."""
SET = Type("set", 0)
DICT = Type("dict", 0)
PATTERN = Type("re.Pattern", 0)
NETWORK = Type("IP network", 0)
FLAGS = Type("re.RegexFlag", 0)
META_TYPES = (SET, DICT, PATTERN, NETWORK, BIG, FLAGS)
"""Types of constants that have no words: what is done with them is known while compiling."""

SCRIPT = "zeroserve.script"
MAX_TABLE_ENTRIES = 1 << 20
_SCRIPT_NAMES = ("Request", "Response", "on_request", "on_response", "redirect", "proxy", "abort")
_SCRIPT_MORE = ("rate_limit", "log", "env", "Table", "Meta", "fetch", "Fetched")
_SCRIPT_OIDC = ("oidc_begin_login", "oidc_handle_callback", "oidc_session", "oidc_logout")
_TYPING = ("typing", "typing_extensions", "collections.abc", "__future__", "dataclasses", "types")
_NAMES = {
    *("json.JSONDecodeError", "binascii.Error", "datetime.timezone", "datetime.timezone.utc"),
    *("datetime.UTC", "datetime.datetime", "re.Match", "re.Pattern", "re.error"),
    *("re.I", "re.IGNORECASE", "re.M", "re.MULTILINE", "re.S", "re.DOTALL", "re.X", "re.VERBOSE"),
    *("re.A", "re.ASCII", "re.U", "re.UNICODE", "ipaddress.IPv4Address", "ipaddress.IPv6Address"),
}


class Scope:
    """One file: its names, and what is wrong with their definitions."""

    def __init__(
        self,
        path: str,
        source: str,
        report: Callable[["Scope", Refusal], None],
        load: Callable[["Scope", str, ast.stmt], "Scope | None"],
    ) -> None:
        self.path = path
        self.lines = re.split(r"\r\n|\r|\n", source)
        self.names: dict[str, Binding | Failed] = {}
        self.functions: list[FunctionDecl] = []
        self.table_prefix = ""
        """Of a module, whose tables are the same in all scripts that import it."""
        self._report = report
        self._load = load
        self._values: dict[str, Any] = {}
        self._values_read: dict[str, int] = {}
        """Names that are read other than in annotations, and a line where they are."""
        self.is_lazy = False
        """Whether CPython keeps annotations as texts."""
        self.in_defaults: set[str] = set()
        """Names in defaults of functions."""
        self._only_for_types: set[str] = set()
        self._defined: set[str] = set()
        """Names that the whole file defines."""
        self.constants = Constants(self._values, self._computed)

    # ---- definitions

    def define(self, module: ast.Module) -> None:
        """Take up all names of the module, in the order in which CPython would."""
        self._values_read = _read_as_values(module)
        self._defined = {name for stmt in module.body for name in _defined(stmt)}
        self.is_lazy = evaluated.is_lazy(module)
        self._take_up(module.body)

    @property
    def there(self) -> dict[str, "Binding | Failed"]:
        """The names that the module has in CPython."""
        return {n: found for n, found in self.names.items() if n not in self._only_for_types}

    def is_missing(self, name: str) -> bool:
        """Whether CPython has no such name at this place, though the file has one."""
        if name in self.names:
            return name in self._only_for_types
        return name in self._defined and not hasattr(builtins, name)

    def _take_up(self, stmts: list[ast.stmt]) -> None:
        for stmt in stmts:
            try:
                self._statement(stmt)
            except Refusal as refusal:
                self._report(self, refusal)
                for name in _defined(stmt):
                    self.names[name] = Failed()

    def _statement(self, stmt: ast.stmt) -> None:
        match stmt:
            case ast.Import() | ast.ImportFrom():
                self._import(stmt)
            case ast.FunctionDef():
                self._function(stmt)
            case ast.ClassDef():
                self._class(stmt)
            case ast.Assign():
                if len(stmt.targets) > 1 and self._is_table(stmt.value):
                    raise Refusal(stmt, "a Table needs a name of its own")
                for target in stmt.targets:
                    self._assign(target, stmt.value)
            case ast.AnnAssign(value=value) if value is not None:
                self._names_in(stmt.annotation)
                self._assign(stmt.target, value, stmt.annotation)
            case ast.AnnAssign(annotation=annotation):
                self._names_in(annotation)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.If() if _is_not_run(stmt.test):
                self._take_up(stmt.orelse)
            case ast.If() if self.library(stmt.test) == "typing.TYPE_CHECKING":
                self._for_types(stmt)
            case ast.AsyncFunctionDef():
                raise Refusal(
                    stmt, "an async function is not compiled", REFUSED["AsyncFunctionDef"][1]
                )
            case _:
                raise Refusal(
                    stmt,
                    "only definitions stand at module level: "
                    "imports, constants, functions, records",
                    "move it into a function with @on_request",
                )

    def _for_types(self, stmt: ast.If) -> None:
        """Imports that CPython does not run: their names stand in annotations only."""
        for part in stmt.body:
            if not isinstance(part, ast.Import | ast.ImportFrom | ast.Pass):
                raise Refusal(part, "only imports stand under TYPE_CHECKING")
            for name in _defined(part):
                line = self._values_read.get(name)
                if line is not None:
                    raise Refusal(
                        part,
                        f"{name} is used as a value in line {line}, where CPython has no such name",
                        "import it outside of TYPE_CHECKING",
                    )
        known = self.there
        self._take_up(stmt.body)
        for name, found in known.items():
            if self.names[name] != found:
                raise Refusal(stmt, f"another {name} for annotations", "use another name")
        self._only_for_types = set(self.names) - set(known)
        self._take_up(stmt.orelse)

    def _assign(
        self, target: ast.expr, value: ast.expr, annotation: ast.expr | None = None
    ) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, self._constant(value))
            return
        if isinstance(value, ast.Call) and self._is_table(value):
            if not isinstance(target, ast.Name):
                raise Refusal(target, "a Table needs a name of its own")
            self._bind(target, self._table(target.id, value))
            return
        found = self._constant(value)
        wanted = None
        if annotation is not None and isinstance(found, str | bytes | int | None):
            wanted = self.annotation(annotation)
            if join(type_of(found, value), wanted) != wanted:
                raise Refusal(value, f"the value is {type_of(found, value)}, not {wanted}")
        self._bind(target, found)

    def _names_in(self, annotation: ast.expr) -> None:
        """CPython evaluates what is annotated at module level: its names have to be there."""
        evaluated.check_annotation(self, annotation)
        parts = [part for part in ast.walk(annotation) if isinstance(part, ast.Name)]
        for part in parts:
            if part.id not in self.names and not hasattr(builtins, part.id):
                raise Refusal(part, f"no such name: {part.id}")

    def _is_table(self, value: ast.expr) -> bool:
        return isinstance(value, ast.Call) and self.library(value.func) == SCRIPT + ".Table"

    def _unpack(self, target: ast.Tuple | ast.List, value: Any) -> None:
        if not isinstance(value, tuple | list) or len(value) != len(target.elts):
            raise Refusal(target, "the numbers of names and values differ")
        for part, item in zip(target.elts, value, strict=True):
            if isinstance(part, ast.Tuple | ast.List):
                self._unpack(part, item)
            else:
                self._bind(part, item)

    def _bind(self, target: ast.expr, value: Any) -> None:
        if not isinstance(target, ast.Name):
            raise Refusal(target, "only names are assigned at module level")
        if target.id in self.names:
            raise Refusal(
                target,
                f"a second value for {target.id}",
                "variables of the module are constants; state goes into a Table",
            )
        self.names[target.id] = Constant(value, type_of(value, target))
        self._values[target.id] = value

    def _constant(self, node: ast.expr) -> Any:
        try:
            return self.constants.of(node)
        except NotConstant:
            names = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
            if any(isinstance(self.names.get(name), Failed) for name in names):
                raise Refusal(None, "") from None
            raise Refusal(
                node,
                "not a constant",
                "at module level stands what can be computed before any request; "
                "compute the rest in a function",
            ) from None

    def _table(self, name: str, call: ast.Call) -> TableValue:
        arguments = dict(zip(("key_type", "value_type"), call.args, strict=False))
        arguments |= {word.arg: word.value for word in call.keywords if word.arg}
        if set(arguments) != {"key_type", "value_type", "max_entries"} or len(call.args) > 2:
            raise Refusal(
                call,
                "a Table is made of two types and a bound",
                "Table(str, int, max_entries=1000)",
            )
        kinds = {"builtins.int": "int", "builtins.str": "str", "builtins.bytes": "bytes"}
        key = kinds.get(self.library(arguments["key_type"]) or "")
        value = (kinds | {"builtins.bool": "bool"}).get(self.library(arguments["value_type"]) or "")
        if key is None:
            raise Refusal(arguments["key_type"], "keys of a Table are int, str or bytes")
        if value is None:
            raise Refusal(arguments["value_type"], "values of a Table are int, str, bytes or bool")
        count = self._constant(arguments["max_entries"])
        if not isinstance(count, int) or not 1 <= count <= MAX_TABLE_ENTRIES:
            raise Refusal(
                arguments["max_entries"],
                f"max_entries is not from 1 to {MAX_TABLE_ENTRIES}: {count!r}",
            )
        return TableValue(self.table_prefix + name, key, value, count)

    # ---- imports

    def _import(self, stmt: ast.Import | ast.ImportFrom) -> None:
        if isinstance(stmt, ast.Import):
            for alias in stmt.names:
                self._import_module(stmt, alias)
            return
        name = stmt.module or ""
        if any(alias.name == "*" for alias in stmt.names):
            raise Refusal(stmt, "import * is not compiled", "import the names that are used")
        if stmt.level:
            raise Refusal(
                stmt, "relative imports are not compiled", "import the module beside by its name"
            )
        if _is_library(name):
            for alias in stmt.names:
                full = f"{name}.{alias.name}"
                if _is_known(full):
                    self._imported(alias, alias.asname or alias.name, Library(full))
                    continue
                text = f"{full} is not available in scripts"
                self._report(self, Refusal(alias, text, nearest(full)))
                self.names[alias.asname or alias.name] = Failed()
            return
        module = self._load(self, name, stmt)
        if module is None:
            raise _no_module(stmt, name)
        for alias in stmt.names:
            found = module.there.get(alias.name)
            if found is None:
                self._report(self, Refusal(alias, f"{name} has no {alias.name}"))
                found = Failed()
            self._imported(alias, alias.asname or alias.name, found)
            if alias.name in module._values:
                self._values[alias.asname or alias.name] = module._values[alias.name]

    def _import_module(self, stmt: ast.Import, alias: ast.alias) -> None:
        name = alias.name
        if _is_library(name):
            if not _is_module(name):
                raise _no_module(stmt, name)
            first = name.partition(".")[0]
            if alias.asname:
                self._imported(alias, alias.asname, Library(name))
            else:
                self._imported(alias, first, Library(first))
            return
        module = self._load(self, name, stmt) if "." not in name else None
        if module is None:
            raise _no_module(stmt, name)
        self._imported(alias, alias.asname or name, ModuleDecl(module))

    def _imported(self, alias: ast.alias, name: str, found: Binding | Failed) -> None:
        """A name may get another meaning, but for those that are looked up only later."""
        if name in self.in_defaults and self.names.get(name) != found:
            raise Refusal(alias, f"a second definition of {name}, which is a default above")
        self.names[name] = found
        self._only_for_types.discard(name)

    # ---- functions and classes

    def _function(self, node: ast.FunctionDef) -> None:
        hook = None
        for decorator in node.decorator_list:
            name = self.library(decorator)
            if isinstance(decorator, ast.Name) and isinstance(self.names.get(decorator.id), Failed):
                raise Refusal(None, "")
            if name not in (SCRIPT + ".on_request", SCRIPT + ".on_response"):
                raise Refusal(
                    decorator,
                    "only @on_request and @on_response decorate functions",
                    "call the function where it is needed",
                )
            hook = name.rpartition(".")[2]
        if node.name in self.names:
            raise Refusal(node, f"a second definition of {node.name}")
        evaluated.check_function(self, node)
        declared = FunctionDecl(node, self, hook)
        self.names[node.name] = declared
        self.functions.append(declared)

    def _class(self, node: ast.ClassDef) -> None:
        bases = [self.library(base) for base in node.bases]
        decorators = [
            self.library(item.func if isinstance(item, ast.Call) else item)
            for item in node.decorator_list
        ]
        is_tuple = bases == ["typing.NamedTuple"] and not decorators
        if not is_tuple and (bases or decorators != ["dataclasses.dataclass"]):
            raise Refusal(
                node,
                "classes are records only",
                "make it a typing.NamedTuple, or decorate it with @dataclass(frozen=True)",
            )
        if not is_tuple:
            call = node.decorator_list[0]
            words = {w.arg: w.value for w in call.keywords} if isinstance(call, ast.Call) else {}
            frozen = words.get("frozen")
            if not (isinstance(frozen, ast.Constant) and frozen.value is True):
                raise Refusal(call, "records do not change", "write @dataclass(frozen=True)")
            if set(words) - {"frozen", "slots", "kw_only"} or "kw_only" in words:
                raise Refusal(call, "only frozen and slots are known", "leave out the others")
        fields: list[tuple[str, Type]] = []
        defaults: dict[str, tree.Const] = {}
        for stmt in node.body:
            match stmt:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                    evaluated.check_field(self, stmt, defaults)
                    type = self.annotation(annotation)
                    if name in [field_ for field_, _ in fields]:
                        raise Refusal(stmt, f"a second field {name}")
                    private = "_" if is_tuple else "__"
                    if name.startswith(private):
                        raise Refusal(stmt, f"a field whose name begins with {private}: {name}")
                    if defaults and value is None:
                        raise Refusal(stmt, f"{name} has no default, but one before it has")
                    if type in (REQUEST, NONE, RESPONSE, FETCHED) or type.words == 0:
                        raise Refusal(annotation, f"a record can't hold {type.a}")
                    fields.append((name, type))
                    if value is not None:
                        defaults[name] = self.default(value, type)
                        if isinstance(defaults[name].value, list) and not is_tuple:
                            text = "a list as the default of a field of a dataclass"
                            raise Refusal(value, text, "write a tuple")
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    pass
                case _:
                    raise Refusal(
                        stmt, "a record has fields only", "write a function that takes the record"
                    )
        if not fields:
            raise Refusal(node, "a record without fields")
        words_ = sum(type.words for _, type in fields)
        if node.name in self.names:
            raise Refusal(node, f"a second definition of {node.name}")
        type_ = RecordType(node.name, words_, tuple(fields), is_tuple, self.path)
        self.names[node.name] = RecordDecl(type_, defaults)

    def default(self, node: ast.expr, type: Type) -> tree.Const:
        """The constant that a parameter or field has when nothing is given."""
        value = self._constant(node)
        found = type_of(value, node)
        if join(found, type) != type:
            raise Refusal(node, f"the default is {found}, not {type}")
        return tree.Const(value, type=type, line=node.lineno)

    # ---- looking names up

    def library(self, node: ast.expr) -> str | None:
        """The dotted name of something of Python's or ours that an expression names."""
        if isinstance(node, ast.Name):
            found = self.names.get(node.id)
            if isinstance(found, Library):
                return found.name
            if found is None and (
                f"builtins.{node.id}" in functions()
                or node.id in EXCEPTIONS
                or node.id in ("bool", "object")
            ):
                return f"builtins.{node.id}"
            return None
        if isinstance(node, ast.Attribute):
            base = self.library(node.value)
            if base is not None:
                return f"{base}.{node.attr}"
        return None

    def _computed(self, node: ast.expr) -> str | None:
        """As ``library``, with the functions that there are for constants only."""
        if isinstance(node, ast.Name) and node.id not in self.names and node.id in BUILTINS:
            return f"builtins.{node.id}"
        return self.library(node)

    def annotation(self, node: ast.expr) -> Type:
        """The type that an annotation means."""
        match node:
            case ast.Constant(value=None):
                return NONE
            case ast.Constant(value=str(text)):
                try:
                    parsed = ast.parse(text, mode="eval").body
                except (SyntaxError, ValueError):  # the latter for what is no Unicode
                    raise Refusal(node, f"not a type: {text!r}") from None
                for part in ast.walk(parsed):
                    ast.copy_location(part, node)
                return self.annotation(parsed)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                one, other = self.annotation(left), self.annotation(right)
                joined = join(one, other) if NONE in (one, other) else None
                if joined is None:
                    raise Refusal(
                        node,
                        f"a value of several types: {one} | {other}",
                        "a value has one type, or one and None",
                    )
                return joined
            case ast.Subscript(value=value, slice=inner):
                return self._generic(node, value, inner)
        found: Binding | Failed | None = None
        if isinstance(node, ast.Name):
            found = self.names.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = self.names.get(node.value.id)
            if isinstance(module, ModuleDecl):
                found = module.scope.names.get(node.attr)
        if isinstance(found, RecordDecl):
            return found.type
        if isinstance(found, Failed):
            raise Refusal(None, "")
        name = self.library(node)
        simple = {
            "builtins.int": INT,
            "builtins.bool": BOOL,
            "builtins.str": STR,
            "builtins.bytes": BYTES,
            "builtins.object": JSON,
            "typing.Any": JSON,
            SCRIPT + ".Request": REQUEST,
            SCRIPT + ".Response": RESPONSE,
            SCRIPT + ".Fetched": FETCHED,
            "datetime.datetime": DATETIME,
            "ipaddress.IPv4Address": IP_ADDRESS,
            "ipaddress.IPv6Address": IP_ADDRESS,
        }
        if name in simple:
            return simple[name]
        if isinstance(node, ast.Name) and node.id in ("dict", "list"):
            return JSON
        if isinstance(node, ast.Name) and node.id == "float":
            raise Refusal(node, "no values of type float", "scripts have whole numbers only")
        raise Refusal(
            node,
            f"not a type that scripts know: {ast.unparse(node)}",
            "int, str, bytes, bool, None, T | None, tuple[...], list[T], Request, Response, "
            "a record, or Any for what JSON holds",
        )

    def _generic(self, node: ast.expr, base: ast.expr, inner: ast.expr) -> Type:
        name = base.id if isinstance(base, ast.Name) else self.library(base)
        name = (self.library(base) or name or "").rpartition(".")[2] or str(name)
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name in ("tuple", "Tuple"):
            if len(parts) == 2 and isinstance(parts[1], ast.Constant) and parts[1].value is ...:
                return list_of(self.annotation(parts[0]))
            return tuple_of(*[self.annotation(part) for part in parts])
        if name in ("list", "List", "Sequence", "Iterable", "Collection") and len(parts) == 1:
            item = self.annotation(parts[0])
            return JSON if item == JSON else list_of(item)
        if name in ("dict", "Dict", "Mapping") and len(parts) == 2:
            if self.annotation(parts[1]) == JSON:
                return JSON
            raise Refusal(node, "dicts are constants of the module, or JSON: dict[str, Any]")
        if name == "Optional" and len(parts) == 1:
            return optional(self.annotation(parts[0]))
        if name == "Final" and len(parts) == 1:
            return self.annotation(parts[0])
        raise Refusal(node, f"not a type that scripts know: {ast.unparse(node)}")


def type_of(value: Any, node: ast.AST | None = None) -> Type:
    """The type of a constant."""
    match value:
        case bool():
            return BOOL
        case re.RegexFlag():
            return FLAGS
        case int():
            if -(1 << 63) <= value < 1 << 63:
                return INT
            return U64 if 0 <= value < 1 << 64 else BIG
        case str():
            return STR
        case bytes():
            return BYTES
        case None:
            return NONE
        case tuple():
            return tuple_of(*[type_of(item, node) for item in value])
        case list() | range():
            item: Type | None = NEVER
            for element in value:
                item = join(item, type_of(element, node)) if item is not None else None
            if item is None:
                raise Refusal(node, "the items of this list have different types")
            return list_of(item)
        case set() | frozenset():
            return SET
        case dict():
            return DICT
        case Pattern():
            return PATTERN
        case Network():
            return NETWORK
        case TableValue():
            kinds = {"int": INT, "str": STR, "bytes": BYTES, "bool": BOOL}
            return TableType("Table", 1, kinds[value.key], kinds[value.value])
    raise Refusal(node, f"a constant of a type that scripts do not have: {type(value).__name__}")


def has_no_words(type: Type) -> bool:
    """Whether a value of the type, or something in it, is only known while compiling."""
    if type in META_TYPES:
        return True
    if isinstance(type, ListType):
        return has_no_words(type.item)
    return any(has_no_words(item) for item in items_of(type) or ())


def _is_library(name: str) -> bool:
    first = name.partition(".")[0]
    return first in _first_names() or name in _TYPING or name == SCRIPT


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # what stands before the last dot has no modules
        return False


def _first_names() -> set[str]:
    found = {name.partition(".")[0] for name in functions()} - {"builtins"}
    return found | {"typing", "typing_extensions", "__future__", "dataclasses", "collections"}


def _is_known(name: str) -> bool:
    if name in functions() or name in _NAMES or name in _TYPING:
        return True
    if name.rpartition(".")[0] in _TYPING:
        try:
            return evaluated.of_library(name) is not None
        except ImportError:
            return False
    if name.startswith(SCRIPT + "."):
        return name.removeprefix(SCRIPT + ".") in (*(*_SCRIPT_NAMES, *_SCRIPT_MORE, *_SCRIPT_OIDC),)
    return any(known.startswith(name + ".") for known in functions())


def nearest(name: str) -> str | None:
    module = name.rpartition(".")[0]
    known = [known for known in functions() if known.startswith(module + ".")]
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"did you mean {close[0]}?"
    short = ", ".join(sorted(known_.removeprefix(module + ".") for known_ in known))
    return f"available of {module}: {short}" if short else None


def _no_module(stmt: ast.stmt, name: str) -> Refusal:
    known = sorted(_first_names() - {"__future__", "typing_extensions", "collections"})
    return Refusal(
        stmt,
        f"no module {name!r} beside the script, and not one of Python's that scripts can use",
        "available: " + ", ".join(known),
    )


def _is_not_run(test: ast.expr) -> bool:
    match test:
        case ast.Compare(
            left=ast.Name(id="__name__"),
            ops=[ast.Eq()],
            comparators=[ast.Constant(value="__main__")],
        ):
            return True
    return False


def _read_as_values(module: ast.Module) -> dict[str, int]:
    found: dict[str, int] = {}
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found[node.id] = min(node.lineno, found.get(node.id, node.lineno))
        for field_, value in ast.iter_fields(node):
            if field_ not in ("annotation", "returns"):
                parts = value if isinstance(value, list) else [value]
                waiting += [part for part in parts if isinstance(part, ast.AST)]
    return found


def _defined(stmt: ast.stmt) -> list[str]:
    match stmt:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            names = [part for target in targets for part in ast.walk(target)]
            return [part.id for part in names if isinstance(part, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [(a.asname or a.name).partition(".")[0] for a in names]
        case ast.If(body=body):
            return [name for part in body for name in _defined(part)]
    return []


def refused_builtin(name: str) -> str | None:
    """What to do instead of a function of Python's."""
    return BUILTINS.get(name)


def known_method(name: str) -> bool:
    """Whether a method is in the table."""
    return name in methods()


def module_path(scope_path: str, name: str, search: list[str]) -> str | None:
    """The file of a module beside the script. Python's own come first, as in CPython."""
    if name in sys.stdlib_module_names:
        return None
    for directory in (os.path.dirname(scope_path), *search):  # noqa: PTH120
        path = os.path.join(directory, f"{name}.py")  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            return path
    return None
