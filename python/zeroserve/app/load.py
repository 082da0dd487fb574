"""Finding an application by its name, and what kind it is.

    application = load("main:app", "/srv/project")
    interface_of(application)       # "asgi" or "wsgi"

What can go wrong here is somebody's own code: ``Refused`` says it in a line, with file and line.
"""

import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any, Literal

from zeroserve.words import printable, quoted

Interface = Literal["asgi", "wsgi"]

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
"""``module:app``, both of them perhaps with dots."""

MAX_REASON_CHARS = 300
"""Of what an exception says; the rest is mostly data."""

ASGI_ARGUMENTS, WSGI_ARGUMENTS = 3, 2
"""(scope, receive, send) and (environ, start_response)."""


class Refused(Exception):
    """The application can't be run: ``args`` is ``(message,)`` or ``(message, hint)``."""


def load(name: str, directory: str) -> Callable[..., Any]:
    """The application ``MODULE:NAME``; raises ``Refused``."""
    module_name, _, attribute = name.partition(":")
    # In front: what lies beside the application is meant, not a package of the same name.
    sys.path.insert(0, directory)
    module = _module(module_name, directory)
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Refused(
                f"module {quoted(module_name)} has no {quoted(attribute)}",
                _others(vars(module), attribute),
            ) from None
    if not callable(found):
        raise Refused(f"{quoted(name)} is no application: {type(found).__name__}")
    if inspect.isfunction(found) and not inspect.signature(found).parameters:
        raise Refused(
            f"{quoted(name)} takes no arguments",
            f"if it makes the application, add `app = {attribute}()` and name that",
        )
    application: Callable[..., Any] = found
    return application


def interface_of(application: Callable[..., Any]) -> Interface:
    """Which of the two an application speaks: by being a coroutine, then by its arguments."""
    # Of an object, what is called is a method of its class.
    call = getattr(type(application), "__call__", None)  # noqa: B004
    if inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(call):
        return "asgi"
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return "asgi"
    needed = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    return "wsgi" if len(needed) == WSGI_ARGUMENTS else "asgi"


def _module(name: str, directory: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and (name == missing or name.startswith(missing + ".")):
            raise Refused(
                f"no module {quoted(missing)} in {quoted(directory)} or installed",
                "--app-dir names the directory that it lies in",
            ) from None
        raise Refused(
            f"{_place(error, directory)}: no module {quoted(missing)}",
            f"it has to be installed for {sys.executable}",
        ) from None
    except SyntaxError as error:
        place = f"{_shown(error.filename or name)}:{error.lineno or 1}"
        raise Refused(f"{place}: {_reason(error.msg)}") from None
    except SystemExit as error:
        raise Refused(
            f"{_place(error, directory)}: it ends the process when it is imported",
            'what is for the command line belongs below `if __name__ == "__main__":`',
        ) from None
    except Exception as error:
        said = _reason(str(error))
        kind = type(error).__name__
        raise Refused(
            f"{_place(error, directory)}: {kind}" + (f": {said}" if said else "")
        ) from None


def _reason(text: str) -> str:
    line = " ".join(text.split())
    cut = line if len(line) <= MAX_REASON_CHARS else line[:MAX_REASON_CHARS] + "..."
    return printable(cut)


def _place(error: BaseException, directory: str) -> str:
    """File and line where it was raised: the innermost one that is the application's own."""
    trace = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in trace if not frame.filename.startswith("<")]
    root = os.path.realpath(directory) + "/"
    own = [
        frame
        for frame in frames
        if os.path.realpath(frame.filename).startswith(root)
        and "site-packages" not in frame.filename
    ]
    last = (own or frames)[-1]
    return f"{_shown(last.filename)}:{last.lineno}"


def _shown(path: str) -> str:
    """Relative to where the server was started, if it lies below."""
    relative = os.path.relpath(path)
    return printable(path if relative.startswith("..") else relative)


def _others(names: dict[str, Any], wanted: str) -> str | None:
    """Names in the module that may have been meant."""
    from difflib import get_close_matches

    near = get_close_matches(wanted, [name for name in names if not name.startswith("_")], n=1)
    if near:
        return f"did you mean {quoted(near[0])}?"
    likely = [name for name, value in names.items() if _is_instance_of_framework(name, value)]
    return f"it has {', '.join(map(quoted, likely))}" if likely else None


def _is_instance_of_framework(name: str, value: Any) -> bool:
    if name.startswith("_") or inspect.isclass(value) or inspect.isroutine(value):
        return False
    return callable(value) and not inspect.ismodule(value)
