"""The model as a script in Python: what a person would have written who knew the SDK.

    from zeroserve.config import emit

    source = emit.script(rules)

A script is made in phases, ``draft.Phase``: those of a request in their order, the first answer
counts; then those of a response. An emitter is a function that takes its part of the model and a
``Draft``, and gives it, for its phase, the body of one function:

    draft.use("Response", "rate_limit")            # what it imports
    draft.request(Phase.RATE_LIMITS, "limited", "Who asks too often waits.", [
        "    if not rate_limit(req.peer_ip, per_minute=60):",
        "        return Response(429, \"slow down\\n\")",
        "    return None",
    ])

and constants and helpers that it needs. To add a phase: a row of ``Phase``, a module beside
``redirects``, and a call in ``script``. What comes out has to be what ``ruff format`` leaves and
``mypy --strict`` accepts; ``text`` has what it takes.
"""

from collections.abc import Mapping

from zeroserve.config.emit import answers, fallbacks, guards, headers, places, redirects
from zeroserve.config.emit.draft import Draft
from zeroserve.config.emit.tables import path_tables
from zeroserve.config.model import Rules
from zeroserve.config.site import Settings, Shared

NAME = "50-rules"
"""The place of the script among those of a site."""

PROCESS = "config"
"""The script of `--config`, which runs on all sites before their own."""

Lines = Mapping[tuple[str, ...], int]
"""Where the keys of a file are in it."""

FILE = "zeroserve.toml"


def script(rules: Rules, settings: Settings | None = None, lines: Lines | None = None) -> str:
    """The whole script of a site; without a hook when nothing is said."""
    draft = Draft(["What the files of rules of this site say."])
    said = settings or Settings()
    found = path_tables(said.paths, lines or {}, FILE, NAME)
    passes_on = any(rule.is_proxy for rule in rules.redirects)
    if passes_on and (said.error_pages or said.paths):
        draft.asked_as = places.ASKED_AS
    fallbacks.maintenance(said.maintenance, FILE, draft)
    guards.emit(found, draft)
    redirects.emit(rules.redirects, draft)
    places.emit(found, draft)
    if said.clean_urls:
        places.clean_urls(draft)
    fallbacks.listing(said.listing, found, draft)
    fallbacks.spa(said.spa, draft)
    proxied = passes_on or any(path.proxy is not None for path in said.paths.values())
    answers.error_pages(said.error_pages, FILE, proxied, draft)
    answers.emit(found, draft)
    headers.emit(rules.blocks, draft)
    return draft.source()


def shared(said: Shared, lines: Lines, file: str) -> str:
    """The script of a process; ``file``: its name, for comments."""
    draft = Draft([f"What {file} says of all sites."])
    found = path_tables(said.paths, lines, file, PROCESS)
    fallbacks.maintenance(said.maintenance, file, draft)
    guards.emit(found, draft)
    places.emit(found, draft)
    fallbacks.listing(False, found, draft)
    answers.emit(found, draft)
    return draft.source()


def decides(source: str) -> bool:
    """Whether a script has a hook."""
    return "\n@on_re" in source
