"""What the processes around an application tell each other, as JSON.

    server --(Settings, Wish)--> keeper --(Run)--> runner, which is granian, and its workers
    server <------(Event)------- keeper <---------(Word)-------- runner and workers

The keeper is started before the server gives up its rights, and starts everything else.
"""

import json
from typing import Any, Literal, NamedTuple

MAX_MESSAGE_BYTES = 64 * 1024
"""Of one message; lines are far shorter."""

MAX_LINE_CHARS = 950
"""Of a line that an application prints; what is longer goes on in the next one."""

InterfaceOption = Literal["auto", "asgi", "wsgi"]

Message = dict[str, Any]


class Settings(NamedTuple):
    """What the keeper has to know."""

    name: str
    """``module:app``."""
    directory: str
    interface: InterfaceOption
    workers: int
    watch: bool
    """Start it again when files in ``directory`` change."""
    drain_s: float
    trusted: list[str]
    """Networks of proxies in front of the server."""
    ids: tuple[int, int, tuple[int, ...]] | None
    """User, group and groups to become; None stays who it is."""


class Run(NamedTuple):
    """What one start of the application has to know."""

    name: str
    directory: str
    interface: InterfaceOption
    workers: int
    drain_s: float
    trusted: list[str]
    number: int
    """Counted from 1."""
    socket: str
    """Where it listens."""
    words: str
    """The keeper's socket: who is ready says so there."""


def encode(message: Message) -> bytes:
    """One message."""
    return json.dumps(message).encode()


def decode(data: bytes) -> Message:
    """One message; whoever sends it is one of ours."""
    message: Message = json.loads(data)
    return message
