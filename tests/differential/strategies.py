"""What the functions of ``cases`` are given: values by the name of the parameter.

They are biased to what goes wrong: text that changes its length with its case, digits of other
scripts, lone surrogates, numbers around the ends of 32 and 64 bits, and input of parsers that is
nearly right.

Characters are those that this CPython's version of Unicode has assigned: what a later version adds
may rightly have other properties elsewhere.
"""

import base64
import json
import unicodedata
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

SPACES = (
    " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2003\u200b\u2028\u2029\u202f\u205f\u3000"
)
CASES = "ßẞäÄéÿŸµμΣσςΑάΐΰİıſ\u212a\u212bŉǰևẖẞᾳᾼᾈǆǅǄﬁﬃﬀꭰᎠᏸⅧⅷⓐⒶ𐐀𐐨ꞌჀⴠᲐაªʰⱯ"
MARKS = "\u0300\u0301\u0307\u0345\u0903\u20dd\ufe0f\u200d\u00ad\u0387\u2019'.:·"
DIGITS = "0179٣२५０²³½¼Ⅷ①௰〇一𝟘𝟗𐒠৴"
ODD = "\0\x01\x7f\x80\x9f\ufeff\ufffe\uffff\ufffd\ue000\U0010ffff\U0001f600\U0001f1e9漢ひ한ກ"
SURROGATES = "\udc80\udcff\udce4\ud800\udbff\udfff"
PLAIN = "abzABZ019_-+*/.,:;=&%#?!@$'\"\\<>()[]{}|~^`"
TRICKY = "".join(
    character
    for character in dict.fromkeys(SPACES + CASES + MARKS + DIGITS + ODD + SURROGATES + PLAIN)
    if unicodedata.category(character) != "Cn" or character in ODD
)


def _passes(text: str) -> bool:
    """Whether it gets into a script: two surrogates that make a pair would arrive as one."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == text
    except UnicodeEncodeError:
        loaded: object = json.loads(json.dumps(text))
        return loaded == text


def text_of(alphabet: str, longest: int, least: int = 0) -> SearchStrategy[str]:
    """Text of some characters."""
    return st.text(st.sampled_from(alphabet), min_size=least, max_size=longest).filter(_passes)


ASSIGNED = st.characters(exclude_categories=("Cn", "Cs"))
ANY_TEXT = st.one_of(
    text_of(TRICKY, 10),
    text_of(TRICKY, 3),
    text_of("ab", 8),
    text_of("aB c\u0301Σσ.'\u00ad1ΑǅßI", 7),
    text_of(SPACES + "ab", 8),
    st.text(ASSIGNED, max_size=6),
    st.text(st.characters(max_codepoint=127), max_size=12),
    st.builds(lambda part, count: part * count, text_of(TRICKY, 3), st.integers(0, 60)).filter(
        _passes
    ),
    st.sampled_from(["", "ab", "Hello, World", "İstanbul", "ΌΣΟΣ", "ﬁne", "ŉ", "a\u0345Σ"]),
)
FEW = text_of("abä\U0001f600", 12)
PART = st.one_of(text_of("abä\U0001f600", 2), text_of("ab", 1, 1), text_of(TRICKY, 2))
BYTES = st.one_of(
    st.binary(max_size=16),
    st.binary(max_size=3),
    ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    text_of("ab", 8).map(str.encode),
    st.binary(min_size=50, max_size=150),
)

EDGES = sorted(
    {
        sign * (1 << bits) + by
        for bits in (0, 1, 7, 8, 15, 16, 31, 32, 33, 52, 53, 62, 63)
        for sign in (-1, 1)
        for by in (-2, -1, 0, 1, 2)
        if -(1 << 63) <= sign * (1 << bits) + by < 1 << 63
    }
)
NUMBER = st.one_of(
    st.sampled_from(EDGES),
    st.integers(-12, 12),
    st.integers(-1000, 1000),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-(1 << 62), 1 << 62),
)
FACTOR = st.one_of(
    st.integers(-12, 12),
    st.integers(-(1 << 31), 1 << 31),
    st.sampled_from([1 << 31, (1 << 31) - 1, -(1 << 31), 3037000499, -3037000500]),
)
SMALL = st.one_of(st.integers(-3, 40), st.integers(-300, 300))
HUGE = [
    (1 << 63) - 1,
    -(1 << 63),
    1 << 32,
    -(1 << 32),
    1 << 31,
    -(1 << 31),
    1 << 62,
    -(1 << 62) - 1,
]
INDEX = st.one_of(st.integers(-14, 14), st.integers(-14, 14), st.sampled_from(HUGE))
COUNT = st.one_of(st.integers(-2, 6), st.sampled_from([-(1 << 63), (1 << 63) - 1, -5]))
CODE = st.one_of(
    st.integers(0, 300),
    st.integers(0xD7F0, 0xE010),
    st.integers(-3, 0x110003),
    st.sampled_from([0x10FFFF, 0x110000, -1, 1 << 31, (1 << 63) - 1, -(1 << 63)]),
).filter(lambda n: not 0 <= n < 0x110000 or unicodedata.category(chr(n)) != "Cn" or n >= 0x10FFF0)
SECONDS = st.one_of(
    st.integers(-(1 << 31), 1 << 33),
    st.integers(-100_000, 100_000),
    st.integers(1_600_000_000, 1_900_000_000),
    st.sampled_from(
        [-62135596800, -62135596801, 253402300799, 253402300800, 951782400, 4107542399, 1 << 62]
    ),
)


def _mutated(whole: SearchStrategy[str], extra: str) -> SearchStrategy[str]:
    """Mostly right, sometimes with a character more, less, or another one."""

    def change(text: str, kind: int, at: int, other: str) -> str:
        at %= len(text) + 1
        match kind:
            case 0:
                return text[:at] + other + text[at:]
            case 1:
                return text[:at] + text[at + 1 :]
            case 2:
                return text[:at] + other + text[at + 1 :]
            case 3:
                return other + text
            case 4:
                return text + other
        return text

    changed = st.builds(
        change, whole, st.integers(0, 9), st.integers(0, 200), st.sampled_from(extra)
    )
    return changed.filter(_passes)


def _numeral() -> SearchStrategy[str]:
    bare = st.one_of(
        NUMBER.map(str),
        NUMBER.map(hex),
        NUMBER.map(bin),
        NUMBER.map(oct),
        st.integers(-(1 << 66), 1 << 66).map(str),
        text_of("0123456789", 5, 1),
        text_of("0123456789abcxozZ_+- ", 6),
        text_of(DIGITS, 4),
        NUMBER.map(lambda n: f"{n:_}"),
        NUMBER.map(lambda n: f" {n}\n"),
        st.sampled_from(["0x", "0b1", "0B1", "0o7", "00", "0_0", "01", "+ 1", "--1", "_1", "1_"]),
        st.sampled_from(["", " ", "-", "+", "-0", "+0", "0xg", "z", "Zz", "\u06f1", "1\0", "1__0"]),
    )
    return st.one_of(bare, _mutated(bare, "_+- 0x\u3000\x1f\x85\0٣é\udc80\n."))


def _base64() -> SearchStrategy[str]:
    right = st.builds(
        lambda data, code: code(data).decode(),
        st.binary(max_size=12),
        st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
    )
    return st.one_of(
        right,
        right.map(lambda text: text.rstrip("=")),
        _mutated(right, "=\n -_+/!Aé\0"),
        _mutated(_mutated(right, "=A\n"), "==A- "),
        text_of("AB=+/-_\n", 9),
    )


def _hexadecimal() -> SearchStrategy[str]:
    right = st.one_of(
        st.binary(max_size=8).map(bytes.hex),
        st.binary(max_size=6).map(lambda data: data.hex(" ")),
        st.binary(max_size=6).map(lambda data: data.hex().upper()),
    )
    return st.one_of(right, _mutated(right, " g0\t\né\0\x1f\xa0"))


_JSON_VALUES: SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        NUMBER,
        st.integers(-5, 5),
        ANY_TEXT,
        st.sampled_from(["", "a", "b", "ä"]),
        st.integers(-(1 << 66), 1 << 66),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, 1e16, 1e22, 123456.789, 1e-7, 5e-324]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(["a", "b", "c", ""]), FEW), inner, max_size=4),
    ),
    max_leaves=8,
)


def _json_text(values: SearchStrategy[Any]) -> SearchStrategy[str]:
    right = st.builds(
        lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent),
        values,
        st.booleans(),
        st.sampled_from([None, None, 1]),
    ).filter(_passes)
    odd = st.sampled_from(
        [
            *("", " ", "nul", "[1,]", '{"a":1,}', '{"a" 1}', "{a:1}", "01", "-", "1.", "+1", "-01"),
            *('"\\u12"', '"\\x"', '"\t"', '"a', "[", "{", '{"a":', "]", "1 2", "NaN", "Infinity"),
            *('"\\ud800"', '"\\ud83d\\ude00"', '"\\udc00\\ud800"', '{"a":1,"a":2}', "\ufeff1"),
            *("-Infinity", "[1 2]", '"\\', '{"a":1 "b":2}', "{,}", "[,]", "tru", "'a'", "\x0b1"),
            *(
                "9223372036854775807",
                "9223372036854775808",
                "-9223372036854775809",
                "-0",
                "1e",
                "/",
            ),
        ]
    )
    return st.one_of(right, right, _mutated(right, ',:[]{}"\\ 0e.-\n\x01a\xa0'), odd)


def _address() -> SearchStrategy[str]:
    four = st.ip_addresses(v=4).map(str)
    six = st.ip_addresses(v=6)
    forms = st.one_of(
        four,
        st.sampled_from(["127.0.0.1", "10.1.2.3", "192.168.255.255", "172.16.0.1", "::1", "::"]),
        six.map(str),
        six.map(lambda address: address.exploded),
        six.map(lambda address: str(address).upper()),
        st.builds(lambda four: f"::ffff:{four}", four),
        st.builds(
            "{}:{}::{:x}".format,
            st.sampled_from(["fe80", "2001:db8", "1:2:3:4:5", "0"]),
            st.sampled_from(["1", "0", "abcd"]),
            st.integers(0, 65536),
        ),
        st.sampled_from(
            [
                "fe80::1%eth0",
                "::1%",
                "1.2.3",
                "01.2.3.4",
                "1.2.3.256",
                "::1::",
                ":::",
                "1:2:3:4:5:6:7:8:9",
                "1::2:3:4:5:6:7:8",
                "::1.2.3.4",
                "1.2.3.4.5",
                "",
            ]
        ),
    )
    return st.one_of(forms, _mutated(forms, ".:0 f%/g٣-"))


def _date() -> SearchStrategy[str]:
    right = st.one_of(
        SECONDS.filter(lambda n: -(1 << 33) < n < 1 << 35).map(
            lambda n: formatdate(n, usegmt=True)
        ),
        SECONDS.filter(lambda n: -(1 << 33) < n < 1 << 35).map(formatdate),
        st.integers(0, 1 << 31).map(lambda n: format_datetime(datetime.fromtimestamp(n, UTC))),
        st.integers(0, 1 << 31).map(
            lambda n: datetime.fromtimestamp(n, UTC).strftime("%A, %d-%b-%y %H:%M:%S GMT")
        ),
        st.integers(0, 1 << 31).map(
            lambda n: datetime.fromtimestamp(n, UTC).strftime("%a %b %d %H:%M:%S %Y")
        ),
        st.builds(
            "{}, {} {} {} {:02}:{:02}:{:02} {}".format,
            st.sampled_from(["Mon", "Sun", "mon", "Xyz", ""]),
            st.integers(0, 32),
            st.sampled_from(["Jan", "feb", "DEC", "June", "september", "Foo"]),
            st.sampled_from([1970, 2000, 2024, 1900, 99, 68, 69, 0, 9999, 10000]),
            st.integers(0, 24),
            st.integers(0, 60),
            st.integers(0, 61),
            st.sampled_from(
                ["GMT", "+0000", "-0000", "UTC", "+0130", "EST", "PDT", "Z", "", "+9999"]
            ),
        ),
        st.sampled_from(
            ["", "0", "Thu, 01 Jan 1970", "1 Jan 2000 00:00 GMT", "now", " ", ",", "GMT"]
        ),
    )
    return st.one_of(right, right, _mutated(right, " ,:-+0aé\n(.;"))


def _url() -> SearchStrategy[str]:
    part = st.sampled_from(["", "a", "b", "a%20b", "%zz", "ä", "..", "a=1", "x;y", "[", "]", "@"])
    right = st.builds(
        "{}{}{}{}{}{}".format,
        st.sampled_from(
            ["http:", "https:", "HTTP:", "mailto:", "", "x-y+z.1:", "1a:", ":", "ftp:"]
        ),
        st.sampled_from(["//", "//", "/", "", "///"]),
        st.sampled_from(
            [
                *("example.org", "Example.ORG:8080", "user:pa@ss@h:80", "[::1]:443", "[::1", "h:"),
                *("h:65535", "h:65536", "h:-1", "h:0x1", "u@", "user@h", ":80", "", "h:٣", "ä.de"),
                *(
                    "[v1.a]",
                    "[1.2.3.4]",
                    "[::1]x",
                    "a]b",
                    "\u2100.com",
                    "h:80:81",
                    "u:@h",
                    "[fe80::1%e]",
                ),
            ]
        ),
        st.builds("/{}/{}".format, part, part),
        st.sampled_from(["", "?", "?a=1&b=2", "?q=a#b", "?a/b:c"]),
        st.sampled_from(["", "#", "#frag", "#a?b"]),
    )
    return st.one_of(right, right, _mutated(right, "/:?#@[]%\t\n \0\udc80\u2100A"))


def _query() -> SearchStrategy[str]:
    field = st.builds(
        "{}{}{}".format,
        st.sampled_from(["a", "b", "", "a%20", "+", "%C3%A4", "ä", "%ff", "c[]"]),
        st.sampled_from(["=", "=", "", "==", "%3D"]),
        st.sampled_from(["", "1", "x+y", "%41", "%zz", "%", "%e4%b8", "=", "a;b", "\udc80", "é"]),
    )
    right = st.lists(field, max_size=5).map("&".join)
    return st.one_of(right, _mutated(right, "&=;%+ #\0"))


def _spec() -> SearchStrategy[str]:
    """Of a format; floats are left out, which scripts do not have."""
    right = st.builds(
        "{}{}{}{}{}{}{}".format,
        st.sampled_from(["", "", "<", ">", "^", "=", "*<", "é^", "0=", "x>", "\U0001f600>", "{<"]),
        st.sampled_from(["", "", "+", "-", " "]),
        st.sampled_from(["", "", "#", "z"]),
        st.sampled_from(["", "0", "1", "5", "12", "024", "00"]),
        st.sampled_from(["", "", ",", "_", ",,", "_,"]),
        st.sampled_from(["", "", "", ".0", ".3", "."]),
        st.sampled_from(["", "d", "x", "X", "b", "o", "c", "s", "q", "dd"]),
    )
    return st.one_of(right, right, _mutated(right, "<>^=+-#0,_.dxs٣\0é"))


QUOTED = st.one_of(
    ANY_TEXT,
    _query(),
    _mutated(st.binary(max_size=6).map(lambda data: "".join(f"%{b:02x}" for b in data)), "%a+Zé /"),
    text_of("a%20C3+~/-_.é&", 9),
)


class Values(NamedTuple):
    """What a parameter is given."""

    type: str
    """As the annotation is written."""
    strategy: SearchStrategy[Any]


def _texts(strategy: SearchStrategy[str], *names: str) -> dict[str, Values]:
    return {name: Values("str", strategy) for name in names}


def _numbers(strategy: SearchStrategy[int], *names: str) -> dict[str, Values]:
    return {name: Values("int", strategy) for name in names}


def _data(strategy: SearchStrategy[bytes], *names: str) -> dict[str, Values]:
    return {name: Values("bytes", strategy) for name in names}


PARAMETERS: dict[str, Values] = {
    **_texts(ANY_TEXT, "text", "other_text"),
    **_texts(FEW, "few", "other_few"),
    **_texts(PART, "part", "other_part", "third_part"),
    **_texts(st.one_of(text_of("ab -0ä", 1, 1), text_of(TRICKY, 2)), "char"),
    **_texts(text_of(SPACES + "ab\0", 12), "spaced"),
    **_texts(_numeral(), "numeral"),
    **_texts(_base64(), "base64_text"),
    **_texts(_hexadecimal(), "hex_text"),
    **_texts(_json_text(_JSON_VALUES), "json_text"),
    **_texts(
        _json_text(st.dictionaries(st.sampled_from(["a", "b", "c"]), _JSON_VALUES, max_size=3)),
        "json_object",
    ),
    **_texts(_address(), "address", "other_address"),
    **_texts(_date(), "date"),
    **_texts(_url(), "url"),
    **_texts(_query(), "query"),
    **_texts(_spec(), "spec"),
    **_texts(QUOTED, "quoted"),
    **_texts(
        st.sampled_from(["a", "b", "c", "ä", "", "GET", "POST", "PUT", "gzip", "zz", "é", "\0"]),
        "key",
    ),
    **_texts(
        st.one_of(
            text_of("abAB01_-. /:@\n", 14),
            st.sampled_from(
                ["2024-02-30", "user@example.org", "/a/b/12", "key = value\n", "10.0.0.1", "a b"]
            ),
            st.text(st.characters(max_codepoint=127), max_size=10),
        ),
        "ascii",
    ),
    **_texts(
        st.one_of(
            text_of("aA1_ -ä\n.İſK\u017fßéΣς\x1c\u2028٣", 10),
            text_of(TRICKY.translate({ord(c): None for c in SURROGATES}), 8),
            text_of("ab1/- \n", 10),
            text_of(TRICKY, 4),
        ),
        "subject",
    ),
    **_numbers(NUMBER, "number", "other", "third"),
    **_numbers(FACTOR, "factor", "other_factor"),
    **_numbers(SMALL, "small", "other_small"),
    **_numbers(st.integers(0, 12), "few_times", "other_times"),
    **_numbers(st.integers(0, 70), "up_to_70"),
    **_numbers(INDEX, "start", "end", "index"),
    **_numbers(COUNT, "count"),
    **_numbers(st.one_of(st.integers(-4, 4), st.sampled_from(HUGE)), "step"),
    **_numbers(st.one_of(st.integers(-3, 24), st.sampled_from([-(1 << 63)])), "width"),
    **_numbers(st.one_of(st.integers(-2, 66), st.sampled_from([1 << 40, -(1 << 63)])), "shift"),
    **_numbers(st.one_of(st.integers(-2, 38), st.sampled_from([10, 16, 2, 0, 8, 36])), "base"),
    **_numbers(CODE, "code"),
    **_numbers(SECONDS, "seconds"),
    **_numbers(st.one_of(st.integers(-2, 12), st.integers(0, 22)), "length"),
    **_numbers(st.one_of(st.integers(-2, 30), st.integers(0, 70)), "counted", "chosen"),
    **_data(BYTES, "data", "other_data"),
    **_data(text_of("ab\xff", 12).map(lambda text: text.encode("latin-1")), "few_data"),
    **_data(
        st.one_of(st.binary(max_size=2), text_of("ab", 2).map(str.encode)), "piece", "other_piece"
    ),
    **_data(
        text_of(" \t\n\r\x0b\x0c\x1c\x85ab", 12).map(lambda text: text.encode("latin-1")),
        "spaced_data",
    ),
    **_data(
        st.one_of(st.binary(min_size=1, max_size=1), st.sampled_from([b" ", b"0", b"", b"ab"])),
        "byte",
    ),
    **_data(_base64().map(lambda text: text.encode("utf-8", "surrogatepass")), "base64_data"),
    **_data(_hexadecimal().map(str.encode), "hex_data"),
    **_data(_numeral().map(lambda text: text.encode("utf-8", "surrogatepass")), "numeral_data"),
    **_data(
        _json_text(_JSON_VALUES).map(lambda text: text.encode("utf-8", "surrogatepass")),
        "json_data",
    ),
    **_data(st.one_of(st.binary(max_size=9), st.binary(min_size=8, max_size=8)), "packed"),
    "flag": Values("bool", st.booleans()),
    "other_flag": Values("bool", st.booleans()),
    "third_flag": Values("bool", st.booleans()),
    "maybe": Values("str | None", st.none() | st.sampled_from(["", "a", "b"]) | FEW),
    "other_maybe": Values("str | None", st.none() | st.sampled_from(["", "a", "b"]) | FEW),
    "maybe_data": Values("bytes | None", st.none() | st.binary(max_size=2)),
    "maybe_number": Values("int | None", st.none() | st.integers(-2, 2) | NUMBER),
    "maybe_start": Values("int | None", st.none() | INDEX),
    "maybe_end": Values("int | None", st.none() | INDEX),
    "words": Values(
        "list[str]",
        st.lists(st.one_of(FEW, text_of(TRICKY.replace("|", ""), 4)), max_size=6),
    ),
}
"""By name; each has one type."""
