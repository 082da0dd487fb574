"""Statements, conditions, records, constants, exceptions."""

from dataclasses import dataclass
from typing import NamedTuple

_COLORS = {"a": 1, "b": 2, "ä": 3}
_NAMES = {0: "zero", 1: "one", -1: "minus", 40: "forty"}
_MIXED = {"GET": ("get", 1), "POST": ("post", 2)}
_BYTES = {b"a": b"1", b"": b"2"}
_LARGE = {
    **{"a": 1, "b": 2, "c": 3, "ä": 4, "": 5, "GET": 6, "POST": 7, "PUT": 8, "gzip": 9, "aa": 10},
    **{"ab": 11, "ba": 12, "bb": 13, "é": 14, "\0": 15, "\U0001f600": 16, "aaa": 17, "bä": 18},
}
_NUMBERS = {n * n - 7: n for n in range(40)}
_NUMBER_LIST = [3, 1, 4, 1, 5, 9, 2, 6]
_WORDS = ("a", "ab", "", "ä", "b")
_PAIRS = (("a", 1), ("b", 2), ("ä", -3))
_WORD_SET = {"a", "b", "c", "ä", "", "GET", "POST", "PUT", "gzip", "aa", "ab", "ba"}
_SMALL_SET = frozenset(("a", "b"))
_LIMIT = 10


class _Point(NamedTuple):
    x: int
    y: int = 7
    name: str = "p"


@dataclass(frozen=True)
class _Entry:
    key: str
    value: int | None = None
    flag: bool = False


def record_named(small: int, other_small: int, few: str) -> str:
    point = _Point(small, name=few)
    x, y, name = point
    other = _Point(small, other_small, few)
    return f"{point.x} {point.y} {name} {x + y} {point == other} {point < other} {point[0]} {len(point)}"


def record_dataclass(few: str, maybe_number: int | None, flag: bool) -> str:
    one = _Entry(few, flag=flag)
    two = _Entry(key=few, value=maybe_number)
    out = f"{one.key} {one.value} {two.value} {two.flag} {one == two} {one != _Entry('a')}"
    value = two.value
    if value is not None:
        out += str(value // 3)
    return out


def _make(key: str, at: int) -> _Entry | None:
    if not key:
        return None
    return _Entry(key, at)


def record_optional(few: str, small: int) -> str:
    found = _make(few, small)
    if found is None:
        return "none"
    return found.key + str(found.value)


def _pair(small: int) -> tuple[int, str]:
    return small * 2, str(small)


def tuples(small: int, few: str, flag: bool) -> str:
    both = (small, few)
    twice, text = _pair(small)
    one, (two, three) = flag, both
    longer = both + (flag,)
    a = b = text + few
    return (
        f"{both[0]} {both[-1]} {twice} {text} {one} {two} {three} {longer[2]} {a} {b} {both[1:][0]}"
    )


def tuples_compare(
    small: int, few_times: int, few: str, part: str
) -> tuple[bool, bool, bool, bool, bool]:
    one = (small, few)
    two = (few_times, part)
    return one < two, one <= two, one == two, one > two, (small, few, 1) >= two


def tuple_contains(few: str, part: str, small: int, few_times: int) -> tuple[bool, bool]:
    return few in (part, "a", "ab"), small in (few_times, 3, small + 1)


def tuple_index(index: int) -> str:
    return _WORDS[index]


def list_index(index: int) -> int:
    return _NUMBER_LIST[index]


def list_slice(start: int, end: int) -> str:
    out = ""
    for n in _NUMBER_LIST[start:end]:
        out += str(n)
    for word in _WORDS[::2]:
        out += word + "."
    return out


def list_made(small: int, few_times: int, index: int) -> int:
    made = [small, few_times, 3]
    return made[index]


def dict_item(key: str) -> int:
    return _COLORS[key]


def dict_item_large(few: str) -> int:
    return _LARGE[few]


def dict_item_number(small: int) -> str:
    return _NAMES[small]


def dict_get(key: str, few: str, small: int) -> str:
    return f"{_COLORS.get(key)} {_LARGE.get(few, -1)} {_NAMES.get(small, 'none')} {_NUMBERS.get(small)}"


def dict_get_maybe(maybe: str | None, piece: bytes) -> str:
    return f"{_BYTES.get(piece)!r} {_LARGE.get(maybe, 0) if maybe is not None else -1}"


def dict_get_pair(key: str) -> tuple[str, int]:
    name, number = _MIXED[key]
    return name, number


def dict_contains(
    key: str, few: str, small: int, piece: bytes
) -> tuple[bool, bool, bool, bool, bool]:
    return key in _COLORS, few in _LARGE, small in _NAMES, small in _NUMBERS, piece not in _BYTES


def set_contains(key: str, few: str) -> tuple[bool, bool, bool, bool]:
    return key in _WORD_SET, few in _WORD_SET, few in _SMALL_SET, key not in _SMALL_SET


def set_contains_maybe(maybe: str | None) -> tuple[bool, bool]:
    return maybe in _WORD_SET, maybe in _SMALL_SET


def dict_loops(few: str, small: int) -> str:
    out = ""
    for key in _COLORS:
        out += key
    for number, name in _NAMES.items():
        if number > small:
            out += f"{number}={name};"
    for name in _COLORS.keys():
        out += name + few
    for number in _COLORS.values():
        out += str(number)
    return out


def loop_while(small: int, few_times: int) -> str:
    out = ""
    at = 0
    while at < few_times:
        at += 1
        if at == small:
            continue
        if at == 9:
            break
        out += str(at)
    else:
        out += "else"
    return out + str(at)


def loop_for_else(few: str, part: str) -> str:
    for at, letter in enumerate(few, 1):
        if letter == part:
            found = at
            break
    else:
        return "nowhere"
    return f"{letter}{found}"


def loop_nested(few_times: int, other_times: int) -> str:
    out = ""
    for x in range(few_times):
        for y in range(x, other_times, 2):
            if y % 3 == 2:
                continue
            if x * y > 20:
                break
            out += f"{x}{y},"
        else:
            out += ";"
    return out


def loop_zip(few: str, words: list[str]) -> str:
    out = ""
    for letter, word, n in zip(few, words, range(5)):
        out += f"{letter}{word}{n}"
    for at, (letter, word) in enumerate(zip(words, few), start=3):
        out += f"{at}{letter}{word}"
    return out


def loop_reversed(words: list[str]) -> str:
    out = ""
    for word in reversed(words):
        out += word
    for at, word in enumerate(reversed(_WORDS)):
        out += f"{at}{word}"
    for n in reversed(range(2, 11, 4)):
        out += str(n)
    return out


def loop_pairs(few: str) -> str:
    out = ""
    for name, number in _PAIRS:
        if few.startswith(name):
            out += f"{name}{number}"
    return out


def loop_changes(words: list[str], few_times: int) -> tuple[int, str]:
    last = ""
    longest = -1
    for word in words:
        if len(word) > longest:
            longest, last = len(word), word
        word = word + "!"
        if longest == few_times:
            last += word
            break
    return longest, last


def loop_quantified(
    words: list[str], part: str, few_times: int
) -> tuple[bool, bool, bool, int, int]:
    return (
        any(word == part for word in words),
        all(word for word in words),
        any(words),
        sum(len(word) for word in words if word != part),
        sum(1 for word in words if len(word) > few_times),
    )


def walrus(few: str, part: str) -> str:
    if (at := few.find(part)) >= 0:
        return f"at {at}"
    while (at := at + 1) < 4:
        pass
    return f"{at} {(n := len(few)) + n}"


def conditional(small: int, flag: bool, few: str) -> str:
    return ("a" if small > 3 else "b" if flag else few) + (few if few else "-")


def short_circuit(few: str, part: str, small: int, few_times: int) -> str:
    a = few and part
    b = few or part or "none"
    c = small and few_times or -1
    d = not few or (small > 3 and not part)
    return f"{a}|{b}|{c}|{d}|{few and part and 'x'}"


def _count(text: str) -> bool:
    return len(text) > 2


def short_circuit_calls(few: str, small: int) -> tuple[bool, bool, bool]:
    return (
        small != 0 and 10 // small > 2,
        _count(few) or few[0] == "a",
        not (_count(few) and small // small == 1),
    )


def optional_narrowing(maybe: str | None, other_maybe: str | None, maybe_number: int | None) -> str:
    out = ""
    if maybe is None:
        out += "none"
    else:
        out += maybe.upper()
    if other_maybe:
        out += other_maybe
    if maybe is not None and maybe == other_maybe:
        out += "same"
    if maybe_number is not None and maybe_number > 0:
        out += str(maybe_number)
    value = maybe or other_maybe or "?"
    return out + value + str(maybe == "a") + str(maybe != other_maybe)


def optional_return(maybe: str | None, maybe_number: int | None) -> int:
    if maybe is None or maybe_number is None:
        return -1
    if not maybe:
        return 0
    return len(maybe) if maybe_number else 7


def optional_equal(
    maybe: str | None, other_maybe: str | None, maybe_number: int | None, small: int
) -> tuple[bool, bool, bool, bool]:
    return maybe == other_maybe, maybe_number == small, maybe_number != 0, maybe in ("a", None)


def optional_truth(
    maybe: str | None, maybe_number: int | None, maybe_data: bytes | None
) -> tuple[bool, bool, bool]:
    return bool(maybe), not maybe_number, maybe_data is not None and not maybe_data


def match_number(small: int) -> str:
    match small:
        case 0:
            return "zero"
        case 1 | 2 | -3:
            return "few"
        case n if n > 10:
            return f"large {n}"
        case _:
            return "other"


def match_text(key: str, small: int) -> str:
    match key:
        case "GET" | "HEAD":
            out = "read"
        case "POST" if small > 3:
            out = "write"
        case "":
            out = "empty"
        case other:
            out = other + "?"
    return out


def match_tuple(small: int, key: str, flag: bool) -> str:
    match (small, key):
        case (0, "a"):
            return "zero a"
        case (n, "b" | "c"):
            return f"{n} b or c"
        case (1 | 2 as n, name) if flag:
            return f"{n}{name}"
    return "nothing"


def match_optional(maybe: str | None) -> str:
    match maybe:
        case None:
            return "none"
        case "a":
            return "a"
        case _:
            return maybe + "!"


def match_list(few: str) -> str:
    match few.split("a"):
        case [one]:
            return "one " + one
        case ["", two]:
            return "second " + two
        case [one, two]:
            return one + "," + two
        case _:
            return "more"


def match_constants(small: int, flag: bool) -> str:
    out = ""
    match flag:
        case True:
            out = "yes"
        case False:
            out = "no"
    match small:
        case 3 as three:
            out += str(three)
        case _:
            pass
    return out


def _careful(text: str, by: int) -> int:
    if not text:
        raise ValueError("empty")
    if by == 3:
        raise PermissionError
    assert by != 4, f"four {text}"
    return len(text) // by


def _deeper(text: str, by: int) -> int:
    try:
        return _careful(text, by)
    except ZeroDivisionError:
        raise LookupError("zero") from None


def try_called(few: str, few_times: int) -> str:
    try:
        found = _careful(few, few_times)
    except ValueError:
        return "value"
    except (ZeroDivisionError, PermissionError):
        return "zero or permission"
    else:
        few = few + "!"
    return f"{found} {few}"


def try_deeper(few: str, few_times: int) -> int:
    return _deeper(few, few_times)


def try_caught_by_parent(few: str, few_times: int, index: int) -> str:
    out = ""
    try:
        out += str(_deeper(few, few_times))
        out += few[index]
    except LookupError:
        out += "lookup"
    except ArithmeticError:
        out += "never"
    return out


def try_nested(few: str, numeral: str, index: int) -> str:
    out = "0"
    try:
        out += "1"
        try:
            out += str(int(numeral))
        except IndexError:
            out += "index"
        out += few[index]
    except ValueError:
        out += "value"
    except Exception:
        out += "other"
    return out


def try_in_loop(words: list[str], numeral: str) -> str:
    out = ""
    for word in words:
        try:
            if word == "a":
                continue
            if word == "b":
                break
            out += str(int(word or numeral))
        except ValueError:
            out += "?"
            continue
        out += ","
    return out


def try_assigned(numeral: str, few: str) -> str:
    value = -1
    state = "before"
    try:
        state = "during"
        value = int(numeral, 8)
        state = "after"
        few = few[3]
    except (ValueError, IndexError):
        state += "!"
    return f"{value} {state} {few}"


def try_bare(few_times: int, small: int) -> int:
    try:
        return small % few_times
    except:
        return -1


def raised(few_times: int) -> str:
    if few_times == 0:
        raise KeyError("a")
    if few_times == 1:
        raise IndexError
    if few_times == 2:
        raise NotImplementedError("not yet")
    if few_times == 3:
        raise RuntimeError("so")
    if few_times == 4:
        raise TypeError("type")
    if few_times == 5:
        raise Exception("any")
    if few_times == 6:
        raise OverflowError("much")
    if few_times == 7:
        raise AttributeError("none")
    if few_times == 8:
        raise ArithmeticError
    if few_times == 9:
        raise UnicodeError("text")
    return "none"


def asserted(small: int, few: str) -> str:
    assert small > 0
    assert few, "empty"
    return few * min(small, 3)


def unpacked(few: str, part: str) -> str:
    name, found, value = few.partition(part)
    first, second = few.split("a", 1)
    return f"{name} {found} {value} {first} {second}"


def _recursive(n: int) -> int:
    return n if n < 2 else _recursive(n - 1) + _recursive(n - 2)


def _even(n: int) -> bool:
    return n == 0 or _odd(n - 1)


def _odd(n: int) -> bool:
    return n != 0 and _even(n - 1)


def functions_recursive(few_times: int) -> tuple[int, bool]:
    return _recursive(few_times), _even(few_times)


def _defaults(a: int, /, b: int = 2, *, c: str = "c", d: int | None = None) -> str:
    return f"{a} {b} {c} {d}"


def functions_defaults(small: int, few: str, maybe_number: int | None) -> str:
    return (
        _defaults(small)
        + _defaults(small, c=few, b=small + 1)
        + _defaults(1, small, d=maybe_number)
    )


def _noted(text: str) -> str:
    if len(text) > 3:
        raise ValueError(text)
    return text


def order_of_evaluation(few: str, small: int) -> str:
    try:
        return f"{_noted(few)} {10 // small} {_noted('abcd')}"
    except ValueError:
        return "value"
    except ZeroDivisionError:
        return "zero"


def builtin_tuple(words: list[str], index: int) -> str:
    made = tuple(words)
    return made[index]


def module_constants(small: int) -> tuple[int, str, int, bool]:
    return _LIMIT + small, _WORDS[3], max(_NUMBER_LIST), "ab" in set(_WORDS)


def chain_texts(few: str, part: str, key: str) -> tuple[bool, bool]:
    return few < part <= key, "a" <= few != part


def _say(log: str, value: int) -> int:
    if value == 3:
        raise KeyError(log)
    if value == 5:
        raise IndexError(log)
    return value


def order_of_arguments(few_times: int, other_times: int, small: int) -> str:
    return _defaults(_say("a", few_times), c=str(10 // small), b=_say("b", other_times))


def order_of_operands(few_times: int, other_times: int, small: int) -> int:
    return _say("a", few_times) + 10 // small * _say("b", other_times)


def order_of_items(few_times: int, words: list[str], index: int) -> str:
    pair = (words[index], _say("a", few_times))
    made = [_say("b", few_times), 10 // few_times]
    return f"{pair[0]} {made[1]} {words[few_times]}"


def order_of_comparison(few_times: int, other_times: int, small: int) -> bool:
    return _say("a", few_times) < 10 // small < _say("b", other_times)


def order_of_assignment(few: str, small: int) -> str:
    a, b = few, few
    a, b = b + "1", a + "2"
    n = small
    n, m = n + 1, n
    n = m = n + m
    return f"{a} {b} {n} {m}"


def order_of_walrus(few_times: int) -> tuple[int, int, bool]:
    n = few_times
    total = n + (n := n + 1) + n
    return total, n, (n := n * 2) > few_times and (n := n + 1) > 0


def variables_of_loops(words: list[str], few_times: int) -> str:
    word = "before"
    n = -1
    for n, word in enumerate(words):  # noqa: B007
        if n == few_times:
            word = "changed"
            break
    for few_times in range(2):
        pass
    return f"{word} {n} {few_times}"


def variables_of_generators(words: list[str], few: str) -> tuple[bool, str]:
    word = "kept"
    found = any(word == few for word in words)
    return found, word


def strings_nested(few: str, small: int, maybe: str | None) -> str:
    return f"{f'{few}{small:>{small % 5}}':*^{small % 20}}{maybe or f'<{few!r}>'}{{{small}}}"


def conditions_mixed(maybe: str | None, small: int, flag: bool) -> str:
    if (maybe is None or len(maybe) > 2) and not (flag and small > 3):
        return "one"
    if maybe and (small if flag else 0):
        return "two" + maybe
    return "three" if maybe is not None and small in (1, 2, 3) else "four"


def loop_else_raise(words: list[str], part: str) -> str:
    out = ""
    for word in words:
        try:
            if not word:
                raise ValueError(word)
            if word == part:
                break
        except ValueError:
            out += "!"
        else:
            out += word
    else:
        out += "."
    return out


def while_with_walrus(few: str, part: str) -> int:
    at = -1
    count = 0
    while part and (at := few.find(part, at + 1)) != -1:
        count += 1
        if count > 20:
            break
    return count * 100 + at


def records_in_records(small: int, few: str, flag: bool) -> str:
    first = _Point(small, name=few) if flag else _Point(1, 2, "three")
    pair = (first, _Entry(few, small))
    x, y, name = pair[0]
    again = pair[1]
    return f"{x} {y} {name} {again.key} {again.value} {first == pair[0]} {first > _Point(0, 0)}"


def tuples_of_maybes(maybe: str | None, maybe_number: int | None) -> str:
    pair = (maybe, maybe_number)
    one, two = pair
    if one is None or two is None:
        return f"{one} {two}"
    return one * (two % 4) + str(pair == (maybe, maybe_number))


def _maybe(few: str, at: int) -> int | None:
    return None if at > len(few) else at


def returns_maybe(few: str, few_times: int) -> int:
    if (found := _maybe(few, few_times)) is not None and found:
        return found * 2
    return -1 if _maybe(few, few_times) is None else 0


def slices_of_slices(few: str, start: int, end: int) -> str:
    return few[start:][:end][::-1][1:] + few[1:-1][start:end]


def constants_sliced(start: int, end: int) -> str:
    return "".join(_WORDS[1:3]) + str(len(_NUMBER_LIST[start:end])) + "abcäöü"[start:end]


def lists_compared(words: list[str], few: str) -> tuple[bool, int, str]:
    parts = few.split("a")
    return parts[0] in words, len(parts) * len(words), "+".join(parts[1:])
