"""Which parts of Python's syntax scripts may use, and what is said of the others.

One row for each node of the ``ast`` module: None when it is compiled, otherwise why not and what to
write instead. The coverage table of the documentation is made from this.
"""

REFUSED: dict[str, tuple[str, str]] = {
    "AsyncFor": ("async code", "scripts run from top to bottom; the server does the waiting"),
    "AsyncFunctionDef": ("an async function", "write a plain function; the server does the waiting"),
    "AsyncWith": ("async code", "scripts run from top to bottom; the server does the waiting"),
    "Await": ("await", "call the function; the server does the waiting"),
    "Delete": ("del", "leave the variable alone; what a request used is gone at its end"),
    "Dict": (
        "a dict made while running",
        "make it a constant of the module; or give it to Response, json.dumps or urlencode as a whole",
    ),
    "DictComp": ("a dict comprehension in a function", "make it a constant of the module"),
    "GeneratorExp": (
        "a generator expression here",
        "any(), all(), sum() and join() take one; elsewhere write a list: [... for ...]",
    ),
    "Global": ("global", "variables of the module are constants; state goes into a Table"),
    "ImportFrom *": ("import *", "import the names that are used"),
    "Interpolation": ("a template string", "write an f-string"),
    "Lambda": ("lambda", "write a function with def"),
    "MatMult": ("the operator @", "scripts have no matrices"),
    "MatchClass": ("a class pattern", "compare with isinstance() and attributes in an if"),
    "MatchMapping": ("a mapping pattern", "use .get() and if"),
    "MatchStar": ("a starred pattern", "match a tuple of a fixed length"),
    "Nonlocal": ("nonlocal", "pass values as arguments and results"),
    "Set": ("a set made while running", "make it a constant of the module"),
    "SetComp": ("a set comprehension in a function", "make it a constant of the module"),
    "Starred": ("unpacking with *", "write the items one by one"),
    "TemplateStr": ("a template string", "write an f-string"),
    "TryStar": ("except*", "write except"),
    "TypeAlias": ("a type alias", "write the type where it is used"),
    "With": ("with", "scripts have nothing to close"),
    "Yield": ("yield", "functions return one value"),
    "YieldFrom": ("yield from", "functions return one value"),
}
"""Nodes that are refused wherever they stand in a function: what, and what to write instead."""

BUILTINS: dict[str, str] = {
    "print": "write log(...), which goes to the server's log",
    "input": "a script has no terminal; look at the request",
    "open": "scripts have no files; the server sends those of the site",
    "eval": "code is known before it runs",
    "exec": "code is known before it runs",
    "compile": "code is known before it runs",
    "__import__": "write an import at the top of the file",
    "globals": "variables of the module are constants",
    "locals": "use the variables",
    "vars": "use the attributes",
    "dir": "attributes are known before the script runs",
    "getattr": "write value.name",
    "setattr": "records do not change; make a new one",
    "hasattr": "attributes are known before the script runs",
    "delattr": "records do not change; make a new one",
    "callable": "functions are known before the script runs",
    "float": "scripts have whole numbers only; count in the smaller unit",
    "complex": "scripts have whole numbers only",
    "round": "scripts have whole numbers only; use // with half of the divisor added",
    "sorted": "make a sorted constant of the module",
    "list": "write [... for ...], or begin with [] and append",
    "dict": "make it a constant of the module; state goes into a Table",
    "set": "make it a constant of the module",
    "map": "write [f(x) for x in ...]",
    "filter": "write [x for x in ... if ...]",
    "iter": "write a for loop",
    "next": "write a for loop with break",
    "slice": "write value[start:stop]",
    "bytearray": "bytes are put together with + or b''.join()",
    "memoryview": "slices of bytes copy nothing",
    "format": "write an f-string",
    "hash": "use hashlib",
    "id": "values have no identity that means something",
    "type": "use isinstance()",
    "object": "use a NamedTuple or a frozen dataclass",
    "property": "write a function",
    "staticmethod": "write a function",
    "classmethod": "write a function",
    "super": "records have no base classes",
    "issubclass": "types are known before the script runs",
    "ascii": "use repr()",
    "breakpoint": "import the script in CPython and debug it there",
    "exit": "return from the function",
    "quit": "return from the function",
    "help": "see the documentation",
    "aiter": "write a for loop",
    "anext": "write a for loop",
}
"""Functions of Python that scripts do without, and what to do instead."""

METHODS: dict[str, str] = {
    "str.format": "write an f-string",
    "str.format_map": "write an f-string",
    "str.translate": "use replace()",
    "str.maketrans": "use replace()",
    "bytes.translate": "use replace()",
    "bytes.maketrans": "use replace()",
    "list.append": "begin with names = [] in the same function, and write names.append(x)",
    "list.sort": "make a sorted constant of the module",
    "dict.update": "dicts do not change; state goes into a Table",
    "dict.setdefault": "dicts do not change; state goes into a Table",
    "dict.pop": "dicts do not change; state goes into a Table",
    "set.add": "sets do not change; state goes into a Table",
    "Hash.update": "give all of the data at once: hashlib.sha256(a + b)",
    "Match.expand": "put the groups together with an f-string",
    "Match.groupdict": "take the groups one by one",
}
"""Methods that scripts do without, and what to do instead."""

NODES: tuple[str, ...] = (
    *("Module", "FunctionDef", "AsyncFunctionDef", "ClassDef", "Return", "Delete", "Assign"),
    *("TypeAlias", "AugAssign", "AnnAssign", "For", "AsyncFor", "While", "If", "With"),
    *("AsyncWith", "Match", "Raise", "Try", "TryStar", "Assert", "Import", "ImportFrom"),
    *("Global", "Nonlocal", "Expr", "Pass", "Break", "Continue"),
    *("BoolOp", "NamedExpr", "BinOp", "UnaryOp", "Lambda", "IfExp", "Dict", "Set", "ListComp"),
    *("SetComp", "DictComp", "GeneratorExp", "Await", "Yield", "YieldFrom", "Compare", "Call"),
    *("FormattedValue", "Interpolation", "JoinedStr", "TemplateStr", "Constant", "Attribute"),
    *("Subscript", "Starred", "Name", "List", "Tuple", "Slice"),
    *("Add", "Sub", "Mult", "MatMult", "Div", "Mod", "Pow", "LShift", "RShift", "BitOr"),
    *("BitXor", "BitAnd", "FloorDiv", "Invert", "Not", "UAdd", "USub", "And", "Or"),
    *("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot", "In", "NotIn"),
    *("MatchValue", "MatchSingleton", "MatchSequence", "MatchMapping", "MatchClass"),
    *("MatchStar", "MatchAs", "MatchOr"),
)
"""All nodes, in the order in which the documentation lists them."""

DIVISION = (
    "scripts have whole numbers only, and / makes a fraction",
    "write // for the quotient without the rest",
)
