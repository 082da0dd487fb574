"""What scripts can do with values, beyond the operators: a row for each method and function.

A row is a signature as Python writes it, what it may raise, and the helper that does it:

    str.index(sub: str, start: int = 0, end: int = END) -> int !ValueError = zs_py_str_index

The helper is given ``self`` (of a method), then the arguments, one register each. Without ``!``
and with a result of one word, that is what it returns. Otherwise the last register is the address
of the words of the result, and it returns 0 or the number of an exception. ``T?`` is ``T | None``;
a name in capitals is a number of ``CONSTANTS``; ``const`` before a type means that the argument
has to be a constant. Behind the arrow stands what CPython would return, and the two have to agree.

What has no helper is done by the compiler itself.
"""

import re
from functools import cache
from typing import NamedTuple

CONSTANTS = {"END": (1 << 63) - 1, "ABSENT": -(1 << 63)}
"""Numbers of defaults. ABSENT: no bound of a slice."""

EXCEPTIONS = {
    "ValueError": 1,
    "KeyError": 2,
    "IndexError": 3,
    "ZeroDivisionError": 4,
    "TypeError": 5,
    "AssertionError": 6,
    "RuntimeError": 7,
    "UnicodeDecodeError": 8,
    "UnicodeEncodeError": 9,
    "JSONDecodeError": 10,
    "binascii.Error": 11,
    "AttributeError": 12,
    "OverflowError": 13,
    "Exception": 14,
    "LookupError": 15,
    "ArithmeticError": 16,
    "NotImplementedError": 17,
    "UnicodeError": 18,
    "PermissionError": 19,
    "OSError": 20,
    "ConnectionError": 21,
    "TimeoutError": 22,
}
"""Exceptions by the number that helpers return; fixed, objects in use hold them."""

PARENTS = {
    "KeyError": "LookupError",
    "IndexError": "LookupError",
    "ZeroDivisionError": "ArithmeticError",
    "OverflowError": "ArithmeticError",
    "UnicodeDecodeError": "UnicodeError",
    "UnicodeEncodeError": "UnicodeError",
    "UnicodeError": "ValueError",
    "JSONDecodeError": "ValueError",
    "binascii.Error": "ValueError",
    "NotImplementedError": "RuntimeError",
    "PermissionError": "OSError",
    "ConnectionError": "OSError",
    "TimeoutError": "OSError",
}
"""What an exception is a kind of; ``Exception`` where nothing else is said."""

LIMITS = {"overflow": 1, "recursion": 2}
"""What stops a script that CPython would not stop, by the number that ``zs_py_stop`` takes."""

_TEXT_METHODS = """
T.startswith(prefix: T, start: int = 0, end: int = END) -> bool = startswith
T.endswith(suffix: T, start: int = 0, end: int = END) -> bool = endswith
T.removeprefix(prefix: T) -> T = removeprefix
T.removesuffix(suffix: T) -> T = removesuffix
T.strip(chars: T? = None) -> T = strip
T.lstrip(chars: T? = None) -> T = lstrip
T.rstrip(chars: T? = None) -> T = rstrip
T.split(sep: T? = None, maxsplit: int = -1) -> list[T] !ValueError = split
T.rsplit(sep: T? = None, maxsplit: int = -1) -> list[T] !ValueError = rsplit
T.splitlines(keepends: bool = False) -> list[T] = splitlines
T.partition(sep: T) -> (T,T,T) !ValueError = partition
T.rpartition(sep: T) -> (T,T,T) !ValueError = rpartition
T.replace(old: T, new: T, count: int = -1) -> T = replace
T.find(sub: T, start: int = 0, end: int = END) -> int = find
T.rfind(sub: T, start: int = 0, end: int = END) -> int = rfind
T.index(sub: T, start: int = 0, end: int = END) -> int !ValueError = index
T.rindex(sub: T, start: int = 0, end: int = END) -> int !ValueError = rindex
T.count(sub: T, start: int = 0, end: int = END) -> int = count
T.join(iterable: list[T]) -> T = join
T.lower() -> T = lower
T.upper() -> T = upper
T.title() -> T = title
T.capitalize() -> T = capitalize
T.swapcase() -> T = swapcase
T.isdigit() -> bool = isdigit
T.isalpha() -> bool = isalpha
T.isalnum() -> bool = isalnum
T.isspace() -> bool = isspace
T.isupper() -> bool = isupper
T.islower() -> bool = islower
T.istitle() -> bool = istitle
T.isascii() -> bool = isascii
T.zfill(width: int) -> T = zfill
T.ljust(width: int, fillchar: T = SPACE) -> T !TypeError = ljust
T.rjust(width: int, fillchar: T = SPACE) -> T !TypeError = rjust
T.center(width: int, fillchar: T = SPACE) -> T !TypeError = center
T.expandtabs(tabsize: int = 8) -> T = expandtabs
"""

_METHODS = """
str.casefold() -> str = zs_py_str_casefold
str.isdecimal() -> bool = zs_py_str_isdecimal
str.isnumeric() -> bool = zs_py_str_isnumeric
str.isidentifier() -> bool = zs_py_str_isidentifier
str.isprintable() -> bool = zs_py_str_isprintable
str.encode(encoding: const str = 'utf-8', errors: const str = 'strict') -> bytes
bytes.decode(encoding: const str = 'utf-8', errors: const str = 'strict') -> str
bytes.hex() -> str = zs_py_bytes_hex
bytes.fromhex(string: str) -> bytes !ValueError = zs_py_bytes_fromhex
int.bit_length() -> int
int.bit_count() -> int
int.to_bytes(length: int = 1, byteorder: const str = 'big', *, signed: const bool = False) -> bytes
int.from_bytes(bytes: bytes, byteorder: const str = 'big', *, signed: const bool = False) -> int

Json.get(key: str, default: any = None) -> Json
Json.keys() -> list[str] !AttributeError = zs_py_json_keys
Json.values() -> list[Json] !AttributeError = zs_py_json_values
Json.items() -> list[(str,Json)] !AttributeError = zs_py_json_items

Match.group(group: const any = 0) -> str?
Match.groups() -> any
Match.start(group: const any = 0) -> int
Match.end(group: const any = 0) -> int
Match.span(group: const any = 0) -> (int,int)

Hash.digest() -> bytes
Hash.hexdigest() -> str

Qs.get(key: str) -> list[str]? = zs_py_qs_get

DateTime.strftime(format: const str) -> str = zs_py_datetime_strftime
DateTime.isoformat() -> str = zs_py_datetime_isoformat
DateTime.timestamp() -> float

Request.header(name: str) -> str? = zs_py_req_header
Request.query_param(name: str) -> str? = zs_py_req_query_param
Request.cookie(name: str) -> str? = zs_py_req_cookie
Request.body() -> bytes = zs_py_req_body
Request.json() -> Json !JSONDecodeError = zs_py_req_json
Request.set_header(name: str, value: str) -> None !ValueError = zs_py_req_set_header
Request.delete_header(name: str) -> None = zs_py_req_delete_header
Request.rewrite(path: str) -> None !ValueError = zs_py_req_rewrite
Request.set_method(method: str) -> None !ValueError = zs_py_req_set_method
Request.limit_body(max_bytes: int) -> None !ValueError = zs_py_req_limit_body

Fetched.header(name: str) -> str? = zs_py_fetched_header
Fetched.header_list(name: str) -> list[str] = zs_py_fetched_header_list
Fetched.json() -> Json !JSONDecodeError = zs_py_fetched_json

Meta.get(key: str, default: str? = None) -> str?

ResponseHead.header(name: str) -> str? = zs_py_res_header
ResponseHead.set_header(name: str, value: str) -> None !ValueError = zs_py_res_set_header
ResponseHead.append_header(name: str, value: str) -> None !ValueError = zs_py_res_append_header
ResponseHead.delete_header(name: str) -> None = zs_py_res_delete_header
ResponseHead.send_file(path: str) -> None !ValueError = zs_py_res_send_file

Table.get(key: any, default: any = None) -> any
Table.set(key: any, value: any) -> None
Table.add(key: any, n: int) -> int
Table.delete(key: any) -> None
"""

_FUNCTIONS = """
builtins.len(obj: any) -> int
builtins.min(*args: int) -> int
builtins.max(*args: int) -> int
builtins.abs(x: int) -> int
builtins.ord(c: any) -> int !TypeError = zs_py_str_ord
builtins.chr(i: int) -> str !ValueError = zs_py_chr
builtins.int(x: any = 0, base: int = 10) -> int
builtins.str(object: any = '') -> str
builtins.bool(x: any = False) -> bool
builtins.bytes(source: any = b'') -> bytes
builtins.repr(object: any) -> str
builtins.hex(number: int) -> str
builtins.oct(number: int) -> str
builtins.bin(number: int) -> str
builtins.pow(base: int, exp: int, mod: int = ABSENT) -> int !ValueError,ZeroDivisionError = zs_py_int_pow
builtins.divmod(x: int, y: int) -> (int,int)
builtins.isinstance(object: any, classinfo: any) -> bool
builtins.any(iterable: any) -> bool
builtins.all(iterable: any) -> bool
builtins.sum(iterable: any) -> int
builtins.range(start: int, stop: int, step: int = 1) -> any
builtins.enumerate(iterable: any, start: int = 0) -> any
builtins.zip(*iterables: any) -> any
builtins.reversed(sequence: any) -> any
builtins.tuple(iterable: any = ()) -> any
builtins.frozenset(iterable: any = ()) -> any
builtins.set(iterable: any = ()) -> any

re.compile(pattern: const str, flags: const int = 0) -> Pattern
re.search(pattern: const any, string: str, flags: const int = 0) -> Match?
re.match(pattern: const any, string: str, flags: const int = 0) -> Match?
re.fullmatch(pattern: const any, string: str, flags: const int = 0) -> Match?
re.sub(pattern: const any, repl: const str, string: str, count: int = 0, flags: const int = 0) -> str
re.findall(pattern: const any, string: str, flags: const int = 0) -> list[str]
re.escape(pattern: str) -> str = zs_py_re_escape

hashlib.sha256(data: bytes = b'') -> Hash
hashlib.sha1(data: bytes = b'') -> Hash
hashlib.md5(data: bytes = b'') -> Hash
hashlib.sha512(data: bytes = b'') -> Hash
hashlib.sha384(data: bytes = b'') -> Hash
hashlib.sha224(data: bytes = b'') -> Hash
hashlib.pbkdf2_hmac(hash_name: const str, password: bytes, salt: bytes, iterations: int) -> bytes !ValueError
hmac.new(key: bytes, msg: bytes = b'', digestmod: const any = '') -> Hash
hmac.digest(key: bytes, msg: bytes, digest: const any) -> bytes
hmac.compare_digest(a: any, b: any) -> bool !TypeError

base64.b64encode(s: bytes) -> bytes = zs_py_b64encode
base64.b64decode(s: any, *, validate: bool = False) -> bytes !binascii.Error = zs_py_b64decode
base64.standard_b64encode(s: bytes) -> bytes = zs_py_b64encode
base64.urlsafe_b64encode(s: bytes) -> bytes = zs_py_urlsafe_b64encode
base64.urlsafe_b64decode(s: any) -> bytes !binascii.Error = zs_py_urlsafe_b64decode
base64.b16encode(s: bytes) -> bytes = zs_py_b16encode
base64.b32encode(s: bytes) -> bytes = zs_py_b32encode
binascii.hexlify(data: bytes) -> bytes = zs_py_hexlify
binascii.unhexlify(hexstr: any) -> bytes !binascii.Error = zs_py_unhexlify
binascii.crc32(data: bytes, crc: int = 0) -> int = zs_py_crc32
zlib.crc32(data: bytes, crc: int = 0) -> int = zs_py_crc32

json.loads(s: any) -> Json !JSONDecodeError
json.dumps(obj: any, *, ensure_ascii: const bool = True, separators: const any = None) -> str

time.time() -> float
time.time_ns() -> int = zs_py_time_ns
time.monotonic_ns() -> int = zs_py_monotonic_ns

datetime.datetime.now(tz: const any = None) -> DateTime
datetime.datetime.fromtimestamp(timestamp: int, tz: const any = None) -> DateTime
email.utils.formatdate(timeval: int, *, usegmt: const bool = False) -> str
email.utils.parsedate_to_datetime(date: str) -> DateTime !ValueError = zs_py_parse_date

secrets.token_hex(nbytes: int = 32) -> str !ValueError = zs_py_token_hex
secrets.token_bytes(nbytes: int = 32) -> bytes !ValueError = zs_py_token_bytes
secrets.token_urlsafe(nbytes: int = 32) -> str !ValueError = zs_py_token_urlsafe
secrets.compare_digest(a: any, b: any) -> bool !TypeError
secrets.randbelow(exclusive_upper_bound: int) -> int !ValueError = zs_py_randbelow

urllib.parse.quote(string: str, safe: str = '/') -> str !UnicodeEncodeError = zs_py_quote
urllib.parse.quote_plus(string: str, safe: str = '') -> str !UnicodeEncodeError = zs_py_quote_plus
urllib.parse.unquote(string: str) -> str = zs_py_unquote
urllib.parse.unquote_plus(string: str) -> str = zs_py_unquote_plus
urllib.parse.urlsplit(url: str) -> SplitResult !ValueError = zs_py_urlsplit
urllib.parse.parse_qs(qs: str, keep_blank_values: bool = False) -> Qs = zs_py_parse_qs
urllib.parse.parse_qsl(qs: str, keep_blank_values: bool = False) -> list[(str,str)] = zs_py_parse_qsl
urllib.parse.urlencode(query: any) -> str

ipaddress.ip_address(address: str) -> IPAddress !ValueError = zs_py_ip_address
ipaddress.ip_network(address: const str, strict: const bool = True) -> IPNetwork

math.gcd(*args: int) -> int
math.lcm(*args: int) -> int
math.isqrt(n: int) -> int !ValueError = zs_py_int_isqrt
math.factorial(n: int) -> int !ValueError = zs_py_int_factorial
math.comb(n: int, k: int) -> int !ValueError = zs_py_int_comb
math.perm(n: int, k: int) -> int !ValueError = zs_py_int_perm

zeroserve.script.Response(status: int, body: any = '', *, content_type: str? = None, headers: any = None) -> Response
zeroserve.script.redirect(url: str, status: int = 302) -> Response !ValueError = zs_py_redirect
zeroserve.script.proxy(url: str, *, cache: bool = False) -> Response !ValueError = zs_py_proxy_cached
zeroserve.script.send_file(path: str, status: int = 200) -> Response !ValueError = zs_py_send_file
zeroserve.script.send_listing(path: str, *, as_json: bool = False) -> Response !ValueError = zs_py_send_listing
zeroserve.script.file_exists(path: str) -> bool = zs_py_file_exists
zeroserve.script.verify_password(password: str, hash: str) -> bool !ValueError = zs_py_verify_password
zeroserve.script.abort() -> Response = zs_py_abort
zeroserve.script.rate_limit(key: str, *, per_second: int = 0, per_minute: int = 0, per_hour: int = 0) -> bool !ValueError = zs_py_rate_limit
zeroserve.script.fetch(url: str, *, method: str = 'GET', headers: any = None, body: bytes = b'', timeout_ms: int = 5000) -> Fetched !ValueError,PermissionError,TimeoutError,ConnectionError
zeroserve.script.oidc_begin_login(config: str, return_to: str = '/') -> Response !ValueError,ConnectionError = zs_py_oidc_begin_login
zeroserve.script.oidc_handle_callback(config: str) -> Response !ValueError,PermissionError = zs_py_oidc_handle_callback
zeroserve.script.oidc_session(config: str) -> Json !ValueError = zs_py_oidc_session
zeroserve.script.oidc_logout(config: str, end_session_url: str = '/') -> Response !ValueError = zs_py_oidc_logout
zeroserve.script.log(message: str) -> None = zs_py_log
zeroserve.script.env(name: str) -> str? = zs_py_env
zeroserve.script.Table(key_type: any, value_type: any, *, max_entries: const int) -> Table
"""  # noqa: E501

ATTRIBUTES = {
    "Request": {
        "method": "str",
        "path": "str",
        "raw_path": "str",
        "query": "str",
        "scheme": "str",
        "host": "str",
        "peer_ip": "str",
        "http_version": "str",
        "tls_sni": "str?",
        "tls_alpn": "str?",
        "ja4": "str?",
        "client_ip": "str",
        "peer_port": "int",
        "meta": "Meta",
    },
    "ResponseHead": {"status": "int", "upstream_error": "str?"},
    "Fetched": {"status": "int", "body": "bytes"},
    "SplitResult": {"hostname": "str?", "port": "int?", "username": "str?", "password": "str?"},
    "IPAddress": {"version": "int", "packed": "bytes", "is_loopback": "bool"},
    "Match": {"string": "str"},
}
"""Attributes of the types that the compiler knows, and their types."""

REQUEST_FIELDS = (
    "method",
    "path",
    "raw_path",
    "query",
    "scheme",
    "host",
    "peer_ip",
    "http_version",
    "tls_sni",
    "tls_alpn",
    "ja4",
    "client_ip",
)
"""Attributes of a request in the order of the numbers that ``zs_py_req_field`` takes."""


class Parameter(NamedTuple):
    """A parameter of an operation."""

    name: str
    type: str
    default: str | None
    """As it is written; None when it has to be given."""
    constant: bool
    keyword_only: bool
    variadic: bool


class Operation(NamedTuple):
    """A method or a function."""

    name: str
    """``str.find``, ``base64.b64encode``."""
    parameters: tuple[Parameter, ...]
    result: str
    raises: tuple[str, ...]
    helper: str | None
    """None when the compiler does it itself."""


_ROW = re.compile(r"([\w.]+)\((.*)\) -> (\S+)(?: !(\S+))?(?: = (\w+))?")
_PARAMETER = re.compile(r"(\*?)(\w+): (const )?([^=]+?)(?: = (.+))?")


def _parse(line: str) -> Operation:
    match = _ROW.fullmatch(line)
    assert match is not None, line
    name, parameters, result, raises, helper = match.groups()
    found = []
    keyword_only = False
    for text in re.split(r", (?=\w+:|\*)", parameters) if parameters else ():
        if text == "*":
            keyword_only = True
            continue
        part = _PARAMETER.fullmatch(text)
        assert part is not None, text
        star, word, constant, kind, default = part.groups()
        found.append(
            Parameter(word, kind, default, constant is not None, keyword_only, star == "*")
        )
    return Operation(name, tuple(found), result, tuple(raises.split(",")) if raises else (), helper)


def _text_methods(kind: str, space: str) -> list[str]:
    rows = _TEXT_METHODS.strip().splitlines()
    rows = [re.sub(r"\bT\b", kind, row).replace("SPACE", space) for row in rows]
    return [re.sub(r" = (\w+)$", rf" = zs_py_{kind}_\1", row) for row in rows]


@cache
def methods() -> dict[str, Operation]:
    """Methods by ``type.name``."""
    rows = [*_text_methods("str", "' '"), *_text_methods("bytes", "b' '")]
    rows += [row for row in _METHODS.splitlines() if row]
    return {operation.name: operation for operation in map(_parse, rows)}


@cache
def functions() -> dict[str, Operation]:
    """Functions by ``module.name``."""
    return {op.name: op for op in map(_parse, filter(None, _FUNCTIONS.splitlines()))}
