"""URLs, addresses, dates."""

from datetime import UTC, datetime, timezone
from email.utils import formatdate, parsedate_to_datetime
from ipaddress import ip_address, ip_network
from urllib.parse import (
    parse_qs,
    parse_qsl,
    quote,
    quote_plus,
    unquote,
    unquote_plus,
    urlencode,
    urlsplit,
)

_LOCAL = ip_network("192.168.0.0/16")
_HOST = ip_network("127.0.0.1")
_LOOSE = ip_network("172.16.1.1/12", strict=False)


def url_quote(text: str) -> tuple[str, str]:
    return quote(text), quote_plus(text)


def url_quote_safe(quoted: str, part: str) -> str:
    return quote(quoted, part)


def url_quote_plus_safe(quoted: str, part: str) -> tuple[str, str]:
    return quote_plus(quoted, safe=part), quote(quoted, safe="")


def url_unquote(quoted: str) -> tuple[str, str]:
    return unquote(quoted), unquote_plus(quoted)


def url_split(url: str) -> str:
    found = urlsplit(url)
    return f"{found.scheme!r} {found.netloc!r} {found.path!r} {found.query!r} {found.fragment!r}"


def url_split_unpacked(url: str) -> str:
    scheme, netloc, path, query, fragment = urlsplit(url)
    return f"{scheme!r} {netloc!r} {path!r} {query!r} {fragment!r}"


def url_host(url: str) -> tuple[str | None, str | None, str | None]:
    found = urlsplit(url)
    return found.hostname, found.username, found.password


def url_port(url: str) -> int | None:
    return urlsplit(url).port


def url_split_any(text: str) -> str:
    found = urlsplit(text)
    return f"{found.scheme!r} {found.netloc!r} {found.path!r} {found.query!r} {found.fragment!r}"


def query_list(query: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return parse_qsl(query), parse_qsl(query, keep_blank_values=True)


def query_list_blank(query: str, flag: bool) -> list[tuple[str, str]]:
    return parse_qsl(query, flag)


def query_dict(query: str, key: str) -> str:
    found = parse_qs(query)
    values = found.get(key)
    return f"{key in found} {'none' if values is None else '|'.join(values)} {'a' in found}"


def query_dict_item(query: str) -> str:
    found = parse_qs(query, keep_blank_values=True)
    return "|".join(found["a"]) + found["a"][0]


def query_encode(text: str, number: int, flag: bool) -> str:
    return urlencode({"a": text, "b c": number, "d": flag}) + urlencode([("ä", text), ("x", "/")])


def query_encode_maybe(maybe: str | None, few: str) -> str:
    return urlencode({"a": maybe}) + urlencode([(few, few), (few, maybe)])


def query_encode_order(text: str, small: int) -> str:
    return urlencode({"a": text, "b": 10 // small})


def address_of(address: str) -> tuple[str, int, bool]:
    """Stops: zone"""
    found = ip_address(address)
    return str(found), found.version, found.is_loopback


def address_in(address: str) -> tuple[bool, bool, bool, bool]:
    """Stops: zone"""
    found = ip_address(address)
    return found in _LOCAL, found in _HOST, found in _LOOSE, found not in ip_network("::/0")


def address_equal(address: str, other_address: str) -> tuple[bool, bool]:
    """Stops: zone"""
    one = ip_address(address)
    return one == ip_address(other_address), one != ip_address("127.0.0.1")


def address_shown(address: str) -> str:
    """Stops: zone"""
    return f"{ip_address(address)}"


def address_any(text: str) -> str:
    """Stops: zone"""
    return str(ip_address(text))


def date_format(seconds: int) -> str:
    """Stops: OSError|year"""
    return formatdate(seconds)


def date_format_gmt(seconds: int) -> str:
    """Stops: OSError|year"""
    return formatdate(seconds, usegmt=True)


def date_parse(date: str) -> str:
    """Stops: time zone|ASCII"""
    return parsedate_to_datetime(date).isoformat()


def date_parse_seconds(date: str) -> int:
    """Stops: time zone|ASCII|64 bits"""
    return int(parsedate_to_datetime(date).timestamp())


def date_parse_any(text: str) -> str:
    """Stops: time zone|ASCII"""
    return parsedate_to_datetime(text).isoformat()


def date_iso(seconds: int) -> str:
    """Stops: OSError"""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def date_strftime(seconds: int) -> str:
    """Stops: OSError"""
    found = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return found.strftime("%Y-%m-%d %H:%M:%S %a %A %b %B %j %y %p %I %% %z %Z")


def date_strftime_more(seconds: int) -> str:
    """Stops: OSError"""
    return datetime.fromtimestamp(seconds, UTC).strftime("[%d/%b/%Y:%H:%M:%S] ä %%d")


def date_seconds(seconds: int) -> int:
    """Stops: OSError|64 bits"""
    return int(datetime.fromtimestamp(seconds, UTC).timestamp())


def date_compare(seconds: int, number: int) -> tuple[bool, bool, bool]:
    """Stops: OSError"""
    one = datetime.fromtimestamp(seconds, UTC)
    two = datetime.fromtimestamp(number & 0xFFFFFFFF, UTC)
    return one < two, one == two, one >= two
