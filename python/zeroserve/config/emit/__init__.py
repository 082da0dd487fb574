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

from zeroserve.config.emit import headers, redirects
from zeroserve.config.emit.draft import Draft
from zeroserve.config.model import Rules

NAME = "50-rules"
"""The place of the script among those of a site."""


def script(rules: Rules) -> str:
    """The whole script."""
    draft = Draft(["What the files of rules of this site say."])
    redirects.emit(rules.redirects, draft)
    headers.emit(rules.blocks, draft)
    return draft.source()
