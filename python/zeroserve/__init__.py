"""zeroserve: one tar archive in, a web server out.

Importing this package costs next to nothing: each public name is loaded on first use.

    import zeroserve

    with zeroserve.Server("site.tar", addr="127.0.0.1:0") as server:
        print(server.url)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeroserve._core import Error, Program, __version__
    from zeroserve.server import Server

__all__ = ["Error", "Program", "Server", "__version__"]

_HOMES = {
    "Error": "zeroserve._core",
    "Program": "zeroserve._core",
    "Server": "zeroserve.server",
    "__version__": "zeroserve._core",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'zeroserve' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
