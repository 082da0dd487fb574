"""Which functions of a script the server calls."""

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, TypeVar, cast

from zeroserve.script.request import Request
from zeroserve.script.response import Response

OnRequest = Callable[[Request], Response | None]
OnResponse = Callable[[Request, Response], None]

Q = TypeVar("Q", bound=OnRequest)
A = TypeVar("A", bound=OnResponse)

_NAME = "__zeroserve_hooks__"
"""Where a module keeps its hooks, in the order in which they were defined."""


class Hooks(NamedTuple):
    """The hooks of a module, in its order."""

    on_request: tuple[OnRequest, ...]
    on_response: tuple[OnResponse, ...]


def on_request(function: Q) -> Q:
    """Have each request seen by a function before the site answers it.

    It returns a ``Response``, which is the answer, or None: then the next one is asked, and at
    last the site looks for the file. The order is that of the functions in the file, and of the
    files by their names. The function stays an ordinary one.

    >>> @on_request
    ... def closed(req: Request) -> Response | None:
    ...     return Response(403, "closed\\n") if req.path.startswith("/private/") else None
    >>> closed(Request(path="/private/x"))
    <Response 403, 7 bytes>
    """
    _note(function, "on_request", 1)
    return function


def on_response(function: A) -> A:
    """Have each response seen by a function before it is sent, whoever made it.

    It may change status and headers of ``res``, and returns nothing.

    >>> @on_response
    ... def mark(req: Request, res: Response) -> None:
    ...     res.append_header("Vary", "Cookie")
    """
    _note(function, "on_response", 2)
    return function


def hooks_of(module: ModuleType) -> Hooks:
    """The hooks that a module defines itself; none of those that it imports."""
    found: list[tuple[str, Any]] = vars(module).get(_NAME, [])
    requests = tuple(function for kind, function in found if kind == "on_request")
    responses = tuple(function for kind, function in found if kind == "on_response")
    return Hooks(requests, responses)


def _note(function: Callable[..., object], kind: str, parameters: int) -> None:
    if not isinstance(function, FunctionType):
        raise TypeError(f"@{kind} is for functions: {function!r}")
    count = function.__code__.co_argcount
    if count != parameters:
        few = "(req)" if parameters == 1 else "(req, res)"
        raise TypeError(f"@{kind} is for functions of {few}: {function.__name__} takes {count}")
    places = cast(list[tuple[str, object]], function.__globals__.setdefault(_NAME, []))
    places.append((kind, function))
