"""Values of flags: each function turns text into a value or raises ValueError with the reason."""

from collections.abc import Callable
from typing import Any

from zeroserve import address
from zeroserve._core import Error


def address_value(text: str) -> str:
    """An address to listen on, in its full form."""
    try:
        return address.normalise(text)
    except Error as error:
        raise ValueError(*error.args) from None


def connect_value(text: str) -> str:
    """An address to connect to, in its full form."""
    found = address_value(text)
    if found.startswith("fd:"):
        raise ValueError(f"not an address to connect to: {text!r}", "write HOST:PORT or unix:PATH")
    if found.endswith(":0"):
        raise ValueError(f"not a port to connect to: {text!r}")
    return found


def network(text: str) -> str:
    """An address or a network of addresses, like ``192.0.2.0/24``."""
    import ipaddress  # late: it takes milliseconds

    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"not an address or a network: {text!r}") from None


def account_value(text: str) -> Any:
    """A user, and perhaps a group."""
    from zeroserve.cli.confine import account

    return account(text)


class Number:
    """A parser for numbers in a range."""

    def __init__(self, parse: Callable[[str], Any], minimum: float, maximum: float) -> None:
        self._parse = parse
        self.minimum = minimum
        self.maximum = maximum

    def __call__(self, text: str) -> Any:
        return self._parse(text)


def whole(minimum: int, maximum: int, unit: str = "") -> Number:
    """A parser for whole numbers in a range."""

    def parse(text: str) -> int:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(f"not a whole number: {text!r}")
        value = int(digits[:20]) * (-1 if text.startswith("-") else 1)
        if not minimum <= value <= maximum:
            raise ValueError(f"outside of {minimum} to {maximum} {unit}".rstrip() + f": {text}")
        return value

    return Number(parse, minimum, maximum)


def seconds(minimum: float, maximum: float) -> Number:
    """A parser for seconds, which may have decimals."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"not a number of seconds: {text!r}") from None
        if not minimum <= value <= maximum:
            raise ValueError(f"outside of {minimum:g} to {maximum:g} seconds: {text}")
        return value

    return Number(parse, float(minimum), float(maximum))


def host_site(text: str) -> tuple[str, str]:
    """A host and its site: ``www.example.org=site.tar``."""
    from zeroserve import hosts  # late: most servers have one site

    name, equals, path = text.partition("=")
    if not equals or not path:
        raise ValueError(f"not HOST=SITE: {text!r}", "write it like www.example.org=site.tar")
    try:
        return hosts.host(name), path
    except Error as error:
        raise ValueError(*error.args) from None


def app_name(text: str) -> str:
    """The name of an application: ``main:app``."""
    from zeroserve.app import check  # late: most sites have none

    try:
        check(text)
    except Error as error:
        raise ValueError(*error.args) from None
    return text


class Choice:
    """A parser for one of a few words, which shells complete."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(f"not one of {', '.join(self.words)}: {text!r}")
        return text


def file_name(text: str) -> str:
    """The name of a file without a directory, like ``index.html``."""
    if not text or "/" in text or text in (".", ".."):
        raise ValueError(f"not a file name: {text!r}")
    return text


def non_empty(text: str) -> str:
    """Any text but none."""
    if not text:
        raise ValueError("the value is empty")
    return text


def header_field(text: str) -> tuple[str, str]:
    """A field of a request: ``Accept: text/html``."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"not NAME: VALUE: {text!r}", "write it like 'Accept: text/html'")
    return name.strip(), value.strip()
