"""What only the file of the process may say: ``[server]``, ``[limits]``, ``[sites]``.

The keys of ``[server]`` and ``[limits]`` are the options of the command line by their names, and
are read by what reads these: a row of that table is a key here. Paths are relative to the file.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from zeroserve.cli.values import Choice, Number
from zeroserve.config.faults import Faults
from zeroserve.config.keys import Schema, shown

TABLES = ("server", "limits", "sites")

DEFAULT_SITE = "*"
"""In the place of a host: for requests of all others."""

MAX_SITES = 4096

NOT_HERE = ("--config", "--site", "--no-sandbox", "--https")
"""The file itself, what has a table of its own, what is said otherwise, what is for a moment."""

PATHS = ("FILE", "DIR", "PATH")
"""How the table of options calls values that are paths."""

WORDS = {"access_log": ("-", "off")}
"""What is no path in the place of one."""


PORT: Schema = {"type": "integer", "minimum": 0, "maximum": 65535}
"""An address of this machine: ``8080``."""


class Setting(NamedTuple):
    """One key of ``[server]`` or ``[limits]``, as the table of options has it."""

    name: str
    metavar: str
    default: Any
    doc: str
    parse: Callable[[str], Any]
    repeat: bool

    @property
    def schema(self) -> Schema:
        """What a value may be."""
        if not self.metavar:
            return {"type": "boolean"}
        if isinstance(self.parse, Choice):
            return {"enum": list(self.parse.words)}
        if isinstance(self.parse, Number):
            kind = "integer" if isinstance(self.parse.minimum, int) else "number"
            return {"type": kind, "minimum": self.parse.minimum, "maximum": self.parse.maximum}
        text: Schema = {"type": "string", "minLength": 1}
        one: Schema = {"oneOf": [text, PORT]} if self.metavar == "ADDR" else text
        several = {"type": "array", "items": one, "minItems": 1}
        return {"anyOf": [one, several]} if self.repeat else one

    @property
    def values(self) -> str:
        """What may be written, in words."""
        if not self.metavar:
            return "true, false"
        if isinstance(self.parse, Choice):
            return ", ".join(f"`{word}`" for word in self.parse.words)
        if isinstance(self.parse, Number):
            return f"{_shown(self.parse.minimum)} to {_shown(self.parse.maximum)}"
        return f"{self.metavar}, or a list" if self.repeat else self.metavar


def _shown(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def server_settings() -> Iterator[Setting]:
    """Keys of ``[server]``."""
    from zeroserve.cli.serve_flags import SERVE_FLAGS  # late: a site's own file has none of it

    for flag in SERVE_FLAGS:
        if flag.name not in NOT_HERE:
            yield Setting(flag.key, flag.metavar, flag.default, flag.help, flag.parse, flag.repeat)


def limit_settings() -> Iterator[Setting]:
    """Keys of ``[limits]``."""
    from zeroserve.cli.serve_flags import limit_flags

    for flag in limit_flags():
        yield Setting(flag.key, "N", flag.default, flag.help, flag.parse, flag.repeat)


def read_server(values: object, path: str, faults: Faults) -> dict[str, Any]:
    """``[server]``: what was said, by the keys of the options."""
    return _settings("server", server_settings(), values, path, faults)


def read_limits(values: object, path: str, faults: Faults) -> dict[str, Any]:
    """``[limits]``: as ``read_server``."""
    return _settings("limits", limit_settings(), values, path, faults)


def read_sites(values: object, path: str, faults: Faults) -> dict[str, str]:
    """``[sites]``: paths of sites by host, or by ``*``."""
    from zeroserve import _core, hosts

    if not isinstance(values, Mapping):
        faults.add(("sites",), f"not a table: {shown(values)}", '"example.org" = "site.tar"')
        return {}
    if len(values) > MAX_SITES:
        faults.add(("sites",), f"{len(values)} of them: {MAX_SITES} are allowed")
        return {}
    found: dict[str, str] = {}
    for name, site in values.items():
        place = ("sites", name)
        try:
            host = name if name == DEFAULT_SITE else hosts.host(name)
        except _core.Error as error:
            faults.add(place, *error.args)
            continue
        if not _is_text(site):
            faults.add(place, f"not the path of a site: {shown(site)}")
        elif host in found:
            faults.add(place, "named twice")
        else:
            found[host] = _beside(path, site)
    return found


def _settings(
    table: str, known: Iterator[Setting], values: object, path: str, faults: Faults
) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        faults.add((table,), f"not a table: {shown(values)}")
        return {}
    settings = {setting.name: setting for setting in known}
    found = {}
    for name, value in values.items():
        setting = settings.get(name)
        if setting is None:
            faults.add_unknown((table, name), settings)
            continue
        try:
            found[name] = _value(setting, value, path)
        except ValueError as error:
            faults.add((table, name), *error.args)
    return found


def _value(setting: Setting, value: object, path: str) -> Any:
    if not setting.metavar:
        if not isinstance(value, bool):
            raise ValueError(f"not true or false: {shown(value)}")
        return value
    if not setting.repeat:
        return _one(setting, value, path)
    members = value if isinstance(value, list) else [value]
    if not members:
        raise ValueError("an empty list", "leave it out")
    return [_one(setting, member, path) for member in members]


def _one(setting: Setting, value: object, path: str) -> Any:
    number = isinstance(setting.parse, Number)
    port = setting.metavar == "ADDR" and isinstance(value, int) and not isinstance(value, bool)
    if number and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"not a number: {shown(value)}")
    if not number and not port and not _is_text(value):
        raise ValueError(f"not a text: {shown(value)}")
    found = setting.parse(str(value))
    if setting.metavar in PATHS and found not in WORDS.get(setting.name, ()):
        return _beside(path, found)
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _beside(path: str, value: str) -> str:
    """A path of the file, which is relative to where the file lies."""
    return os.path.join(os.path.dirname(path), value)  # noqa: PTH118, PTH120
