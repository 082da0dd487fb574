"""Scripts in Python run by CPython: what the compiled ones have to agree with.

``zeroserve.testing.Client`` with ``engine="cpython"`` uses it. The scripts decide here; what
becomes of their decision is the business of the same code as in the server.
"""

import builtins
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, NamedTuple

from zeroserve._core import Archive, Error
from zeroserve.config.fetch import Fetch
from zeroserve.fetching import Fetcher
from zeroserve.script import fetching
from zeroserve.script.files import Has, looking
from zeroserve.script.hooks import Hooks, OnRequest, OnResponse, hooks_of
from zeroserve.script.limiter import RateLimiter, counting
from zeroserve.script.limits import BodyTooLarge, Stop
from zeroserve.script.passwords import answered
from zeroserve.script.request import Arrived
from zeroserve.script.response import Decision, Response, Shown, decision
from zeroserve.script.surroundings import one_line, running, say
from zeroserve.words import quoted, reason

DIRECTORY = ".zeroserve/scripts/"

COMPILED = (".c", ".o")

Rows = list[tuple[str, bytes]]

Change = tuple[str, str, Rows | None]
"""Method, target, and header fields if they were changed."""

MetaRows = list[tuple[str, str]]


class Script(NamedTuple):
    """A file with hooks."""

    name: str
    """Of the file, without its suffix."""
    hooks: Hooks


class Scripts:
    """The scripts of a site, loaded anew, and what they share between requests."""

    def __init__(self, site: str | os.PathLike[str], rules: Sequence[Fetch] = ()) -> None:
        """``site``: a directory, a ``.py`` file, or an archive without scripts. ``rules``: which
        servers they may ask.

        Raises ``Error`` for a script that can't be imported, and for one that is not Python.
        """
        path = Path(site)
        modules = _Modules(_sources(path))
        alone = path.suffix == ".py" and path.is_file()
        # The order of their objects in an archive.
        names = [path.stem] if alone else list(modules.sources)
        if not alone and path.is_dir():
            names += modules.add_rules(path)
        names.sort(key=lambda name: os.fsencode(f"{name}.o"))
        found = [Script(name, hooks_of(modules.load(name))) for name in names]
        self.list = [script for script in found if any(script.hooks)]
        """Those with hooks; other files are there to be imported."""
        if alone and not self.list:
            raise Error(
                f"{quoted(str(path))}: no function is an entry, so it would never run",
                "write @on_request before the function that looks at requests",
            )
        self.limiter = RateLimiter()
        self.fetcher = Fetcher(rules)
        self.has: Has | None = None
        """Knows the files of the site."""
        self.errors: list[BaseException] = []
        """What stopped a script, the latest last."""

    def conversation(self) -> "Conversation | None":
        """For the requests of one connection; None when there is nothing to run."""
        return Conversation(self) if self.list else None


class Conversation:
    """What the pipeline asks, request by request. A number is a status in place of all that
    scripts decided."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._request: Arrived | None = None
        self._fetches = [0]
        self.sees_responses = any(script.hooks.on_response for script in scripts.list)

    def request(
        self,
        method: str,
        target: str,
        fields: Rows,
        body: bytes | None,
        scheme: str,
        peer: tuple[str, int],
        version: tuple[int, int],
        tls: tuple[str | None, str | None, str | None] | None,
        client_ip: str,
    ) -> int | tuple[Change | None, MetaRows, Decision | None, str, int | None]:
        """Run the scripts that see requests, until one answers. ``body``: None if too large.

        Returns what they made of the request, metadata, the answer, whose it is, and most bytes
        of the body.
        """
        major, minor = version
        self._fetches = [0]
        self._request = req = Arrived(
            method,
            target,
            fields,
            body,
            scheme=scheme,
            peer=peer,
            http_version=f"{major}.{minor}" if major == 1 else str(major),
            tls=tls or (None, None, None),
            client_ip=client_ip,
        )
        for name, hooks in self._scripts.list:
            for hook in hooks.on_request:
                with _Run(self._scripts, name, hook, self._fetches) as run:
                    answer = hook(req)
                    _require(answer, Response)
                if run.status is not None:
                    return run.status
                if answer is not None:
                    made = decision(answer)
                    return req.changes(), req.meta.items(), made, name, req.most_bytes
        return req.changes(), req.meta.items(), None, "", req.most_bytes

    def response(
        self, status: int, fields: Rows, upstream_error: str | None
    ) -> int | tuple[int, Rows | None, MetaRows, bytes | None]:
        """Run those that see responses; returns status, header fields, metadata, and the path of
        the file that replaces the content.

        None are fields that were not changed.
        """
        req = self._request
        if req is None:
            return 500
        req.answered()
        res = Shown(status, fields, upstream_error)
        for name, hooks in self._scripts.list:
            for hook in hooks.on_response:
                with answered(), _Run(self._scripts, name, hook, None) as run:
                    result: object = hook(req, res)
                    _require(result, None)
                if run.status is not None:
                    return run.status
        return res.status, res.changes(), req.meta.items(), res.replacement()


class _Run:
    """A hook runs; an exception in it is the status to answer."""

    def __init__(
        self,
        scripts: Scripts,
        name: str,
        hook: OnRequest | OnResponse,
        fetches: list[int] | None,
    ) -> None:
        """``fetches``: how many there were; None in a response hook."""
        self.status: int | None = None
        self._scripts = scripts
        self._name = name
        self._hook = hook
        self._around = (
            running(name),
            counting(scripts.limiter),
            looking(scripts.has),
            fetching.answering(scripts.fetcher),
            fetching.counting(fetches, in_hook=fetches is None),
        )

    def __enter__(self) -> "_Run":
        for manager in self._around:
            manager.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        for manager in self._around:
            manager.__exit__(None, None, None)
        if not isinstance(error, Exception | Stop):
            return False  # such as KeyboardInterrupt
        self.status = 413 if isinstance(error, BodyTooLarge) else 500
        if self.status == 500:
            self._scripts.errors.append(error)
            said = one_line(f"{type(error).__name__}: {error}".removesuffix(": "))
            code = self._hook.__code__
            place = _place(error) or _of(code, code.co_firstlineno)
            say(self._name, f"{said} in {place}; answered 500")
        return True


def _place(error: BaseException) -> str:
    """Function and line of the script where it was raised, not of what the script called."""
    found, traceback = "", error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_builtins.get(_MARK):
            found = _of(traceback.tb_frame.f_code, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def _of(code: CodeType, line: int) -> str:
    return f"{code.co_name} at {Path(code.co_filename).name}:{line}"


def _require(result: object, kind: type | None) -> None:
    if result is not None and (kind is None or not isinstance(result, kind)):
        wanted = f"a {kind.__name__} or None" if kind else "None"
        raise TypeError(f"a hook returned {type(result).__name__}, not {wanted}")


def _sources(site: Path) -> dict[str, Path]:
    """The Python files that are scripts or may be imported by them, by their names."""
    if site.is_file() and site.suffix != ".py":
        names = [site.name]
        if site.suffix not in COMPILED:
            names = [entry.name for entry in Archive(str(site)).entries(under=DIRECTORY)]
        _require_python(names)
        return {}
    folder = site.parent if site.is_file() else site / DIRECTORY
    try:
        files = [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Error(f"can't read {quoted(str(folder))}: {reason(error)}") from None
    if not site.is_file():
        _require_python([path.name for path in files])
    return {path.stem: path for path in files if path.suffix == ".py"}


def _require_python(names: list[str]) -> None:
    for name in names:
        if name.endswith(COMPILED):
            raise Error(
                f"engine 'cpython' runs scripts in Python alone: {quoted(name)}",
                "an archive holds compiled scripts: take the directory that it was packed from",
            )


_MARK = "__zeroserve_script__"
"""Among the builtins of a module: it belongs to a site."""


class _Modules:
    """The Python files of a site as modules that only they import: neither ``sys.path`` nor
    ``sys.modules`` keeps anything of them."""

    def __init__(self, sources: dict[str, Path]) -> None:
        self.sources = sources
        self._texts: dict[str, bytes] = {}
        """Of those that are no files."""
        self._loaded: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import, _MARK: True}

    def add_rules(self, site: Path) -> list[str]:
        """The script that the files of rules of a site become; returns its name."""
        from zeroserve import scripts

        entries = [(DIRECTORY + path.name, str(path)) for path in self.sources.values()]
        found = scripts.places(entries, rules_of=scripts.rules_of(str(site)))
        if not any(place.rules_of for place in found):
            return []
        from zeroserve.config import rules

        source = rules.source(str(site))
        if source is None:
            return []
        self.sources[scripts.RULES] = site / rules.ENTRY
        self._texts[scripts.RULES] = source.encode()
        return [scripts.RULES]

    def load(self, name: str) -> ModuleType:
        """The module of a file, run when it is asked for first."""
        if name in self._loaded:
            return self._loaded[name]
        path = self.sources[name]
        module = ModuleType(name)
        vars(module).update(__file__=str(path), __builtins__=self._builtins)
        self._loaded[name] = module
        before = sys.modules.get(name)
        sys.modules[name] = module  # some decorators look for the module of what they decorate
        try:
            code = self._texts[name] if name in self._texts else path.read_bytes()
            exec(compile(code, path, "exec", dont_inherit=True), vars(module))
        except OSError as error:
            raise Error(f"can't read {quoted(str(path))}: {reason(error)}") from error
        except Error:
            raise
        except (Exception, Stop) as error:
            line = error.lineno if isinstance(error, SyntaxError) else None
            place = f"line {line}" if line else _place(error)
            said = error.msg if isinstance(error, SyntaxError) else error
            text = one_line(f"{type(error).__name__}: {said}")
            raise Error(f"{quoted(str(path))}: {text} in {place}") from error
        finally:
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before
        return module

    def _import(
        self,
        name: str,
        globals: dict[str, Any] | None = None,
        locals: dict[str, Any] | None = None,
        fromlist: tuple[str, ...] = (),
        level: int = 0,
    ) -> ModuleType:
        """What ``import`` does in these modules: the standard library comes first."""
        own = name in self.sources and name not in sys.stdlib_module_names and level == 0
        if own and name != "zeroserve":
            return self.load(name)
        return builtins.__import__(name, globals, locals, fromlist, level)
