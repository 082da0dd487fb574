"""Operators and functions of int and bool."""

import math
from typing import NamedTuple

_M64 = 0xFFFFFFFFFFFFFFFF
_M32 = 0xFFFFFFFF


def int_add(number: int, other: int) -> int:
    return number + other


def int_subtract(number: int, other: int) -> int:
    return number - other


def int_multiply(factor: int, other_factor: int) -> int:
    return factor * other_factor


def int_multiply_any(number: int, small: int) -> int:
    return number * small


def int_floor(number: int, other: int) -> int:
    return number // other


def int_floor_small(number: int, small: int) -> int:
    return number // small


def int_modulo(number: int, other: int) -> int:
    return number % other


def int_modulo_small(number: int, small: int) -> tuple[int, int]:
    return number % small, small % number


def int_by_constants(number: int) -> tuple[int, int, int, int, int, int]:
    return number // 7, number % 7, number // -7, number % -7, number // 1024, number % 1024


def int_by_minus_one(number: int) -> int:
    return number % -1


def int_floor_minus_one(number: int) -> int:
    return number // -1


def int_divmod(number: int, other: int) -> tuple[int, int]:
    return divmod(number, other)


def int_divmod_small(number: int, small: int) -> tuple[int, int]:
    quotient, rest = divmod(number, small)
    return quotient, rest


def int_negate(number: int) -> int:
    return -number


def int_plus_invert(number: int) -> tuple[int, int]:
    return +number, ~number


def int_shift_left(number: int, shift: int) -> int:
    return number << shift


def int_shift_left_small(small: int, shift: int) -> int:
    return small << shift


def int_shift_right(number: int, shift: int) -> int:
    return number >> shift


def int_shift_constants(factor: int) -> tuple[int, int, int]:
    return factor << 3, factor >> 3, factor >> 63


def int_bitwise(number: int, other: int) -> tuple[int, int, int]:
    return number & other, number | other, number ^ other


def int_power(small: int) -> tuple[int, int, int]:
    return small**0, small**2, small**3


def int_pow(small: int, few_times: int) -> int:
    found: int = pow(small, few_times)
    return found


def int_pow_modulo(number: int, other: int, small: int) -> int:
    return pow(number, other, small)


def int_pow_modulo_large(number: int, up_to_70: int, other: int) -> int:
    """Stops: 64 bits"""
    return pow(number, up_to_70, other)


def int_mask_64(number: int, other: int) -> str:
    return f"{number + other & _M64} {number * other & _M64} {number - other & _M64}"


def int_mask_32(number: int, other: int) -> tuple[int, int, int]:
    return (number * other + 12345) & _M32, (number ^ other) & _M32, (number - other) & 0xFFFF


def int_mask_shift(number: int, up_to_70: int) -> str:
    return f"{number << up_to_70 & _M64} {number << up_to_70 & _M32}"


def int_mask_invert(number: int, other: int) -> str:
    return f"{~number & _M64} {~(number | other) + 1 & _M64}"


def int_masked_twice(number: int, other: int) -> int:
    return ((number & _M64) * (other & _M32)) & _M64


def int_unsigned_compare(number: int, other: int) -> tuple[bool, bool, bool, bool, bool, bool]:
    one = number & _M64
    two = other & _M64
    return one < two, one <= two, one == two, one != other, one > other, other >= one


def int_unsigned_shift(number: int, up_to_70: int) -> int:
    return (number & _M64) >> up_to_70


def int_unsigned_divide(number: int, third: int) -> str:
    one = number & _M64
    by = third & _M64
    return f"{one // by} {one % by}"


def int_unsigned_divide_small(number: int) -> str:
    one = number & _M64
    return f"{one // 10} {one % 10}"


def int_unsigned_divide_signed(number: int, small: int) -> int:
    """Stops: 64 bits"""
    return (number & _M64) // small


def int_unsigned_bitwise(number: int, other: int) -> str:
    one = number & _M64
    two = other & _M64
    return f"{one & two} {one | two} {one ^ two}"


def int_unsigned_mixed(number: int, other: int) -> str:
    one = number & _M64
    return f"{one & other} {one & 255}"


def int_unsigned_or_signed(number: int, other: int) -> int:
    """Stops: 64 bits"""
    return (number & _M64) | other


def int_unsigned_arithmetic(number: int, other: int) -> int:
    """Stops: 64 bits"""
    return (number & _M64) + other


def int_unsigned_text(number: int) -> tuple[str, str, str, str, str]:
    one = number & _M64
    return str(one), hex(one), bin(one), oct(one), f"{one:016x} {one:,} {one:>22} {one:#b}"


def int_unsigned_methods(number: int) -> str:
    one = number & _M64
    return f"{one.bit_length()} {one.bit_count()} {one.to_bytes(8, 'big')!r} {one.to_bytes(8, 'little')!r} {abs(one)}"


def int_unsigned_truth(number: int, other: int) -> str:
    one = number & _M64
    two = other & _M64
    return f"{bool(one)} {one or two} {max(one, two)} {min(one, 5)}"


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _M64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _M64
    return value ^ (value >> 31)


def int_splitmix(number: int) -> int:
    return _mix((number + 0x9E3779B97F4A7C15) & _M64)


def int_fnv(data: bytes) -> str:
    wide = 0xCBF29CE484222325
    narrow = 0x811C9DC5
    for byte in data:
        wide = ((wide ^ byte) * 0x100000001B3) & _M64
        narrow = ((narrow ^ byte) * 0x01000193) & _M32
    return f"{wide} {narrow}"


def int_rotate(number: int, few_times: int) -> int:
    one = number & _M64
    return ((one << few_times) | (one >> (64 - few_times))) & _M64


def int_compare(number: int, other: int) -> tuple[bool, bool, bool, bool, bool, bool]:
    return (
        number == other,
        number != other,
        number < other,
        number <= other,
        number > other,
        number >= other,
    )


def int_chain(small: int, other_small: int, few_times: int) -> tuple[bool, bool, bool]:
    return (
        small < few_times < other_small,
        small <= few_times == other_small,
        0 <= small < 10 != few_times,
    )


def int_chosen(small: int, few_times: int) -> tuple[int, int, int]:
    return small or few_times, small and few_times, small if few_times else -1


def int_bools(flag: bool, other_flag: bool, number: int) -> tuple[bool, bool, bool, bool, int, int]:
    return (
        flag & other_flag,
        flag | other_flag,
        flag ^ other_flag,
        not flag,
        flag + other_flag,
        (number >> 1) + flag,
    )


def int_bool_compare(flag: bool, other_flag: bool, small: int) -> tuple[bool, bool, bool, bool]:
    return flag < other_flag, flag == other_flag, flag == small, flag is True


def int_bool_operators(flag: bool, small: int) -> tuple[int, int, int, int, int]:
    return -flag, ~flag, flag << 2, flag * small, flag & small


def int_augmented(number: int, small: int, few_times: int) -> int:
    value = number & 0xFFFFFF
    value += small
    value -= 3
    value *= few_times
    value //= 2
    value %= 1000
    value <<= 2
    value >>= 1
    value |= 8
    value ^= 3
    value &= 0xFFF
    value **= 2
    return value


def int_methods(number: int) -> tuple[int, int]:
    return number.bit_length(), number.bit_count()


def int_to_bytes(number: int, length: int) -> bytes:
    return number.to_bytes(length, "big")


def int_to_bytes_little(number: int, length: int) -> bytes:
    return number.to_bytes(length, byteorder="little", signed=False)


def int_to_bytes_signed(number: int, length: int) -> bytes:
    return number.to_bytes(length, "big", signed=True)


def int_to_bytes_little_signed(number: int, length: int) -> bytes:
    return number.to_bytes(length, "little", signed=True)


def int_to_bytes_default(small: int) -> bytes:
    return small.to_bytes()


def int_from_bytes(packed: bytes) -> tuple[int, int]:
    return int.from_bytes(packed, "big"), int.from_bytes(packed, "little")


def int_from_bytes_signed(packed: bytes) -> tuple[int, int]:
    return int.from_bytes(packed, "big", signed=True), int.from_bytes(packed, "little", signed=True)


def int_from_bytes_default(packed: bytes) -> int:
    return int.from_bytes(packed)


def int_abs(number: int) -> int:
    return abs(number)


def int_min_max(number: int, other: int, third: int) -> tuple[int, int, int]:
    return min(number, other), max(number, other, third), min(7, third)


def int_min_bool(flag: bool, small: int) -> tuple[int, int]:
    return min(int(flag), small), max(small, int(flag))


def int_bases(number: int) -> tuple[str, str, str]:
    return hex(number), oct(number), bin(number)


def int_texts(number: int, flag: bool) -> tuple[str, str, str, str]:
    return str(number), repr(number), str(flag), f"{flag}{number}"


def int_of_text(numeral: str) -> int:
    return int(numeral)


def int_of_text_base(numeral: str, base: int) -> int:
    return int(numeral, base)


def int_of_text_constants(numeral: str) -> int:
    return int(numeral, base=16)


def int_of_text_any_base(numeral: str) -> int:
    return int(numeral, 0)


def int_of_bytes(numeral_data: bytes) -> int:
    return int(numeral_data)


def int_of_bytes_base(numeral_data: bytes, base: int) -> int:
    return int(numeral_data, base)


def int_of_any(text: str) -> int:
    return int(text)


def int_of_bool(flag: bool, number: int) -> tuple[int, int, int]:
    return int(flag), int(number), int()


def int_truth(number: int, flag: bool) -> tuple[bool, bool, bool]:
    return bool(number), bool(flag), bool()


def int_format(number: int) -> str:
    return (
        f"{number:d}|{number:x}|{number:X}|{number:o}|{number:b}|{number:+}|{number: }|{number:-}"
    )


def int_format_width(number: int) -> str:
    return f"{number:5}|{number:<12}|{number:^12}|{number:*>12}|{number:=+12}|{number:012}|{number:é=8}"


def int_format_groups(number: int) -> str:
    return (
        f"{number:,}|{number:_}|{number:_x}|{number:#x}|{number:#010b}|{number:#_X}|{number:025,}"
    )


def int_format_more(number: int) -> str:
    return f"{number:+,}|{number:<+#8o}|{number:020_b}|{number:0=#18x}|{number: 09d}|{number:>+9}"


def int_format_char(code: int) -> str:
    return f"{code:c}"


def int_format_nested(number: int, width: int, few_times: int) -> str:
    return f"{number:{width}}|{number:0{few_times}d}|{number:>{few_times}x}"


def int_format_bool(flag: bool) -> str:
    return f"{flag:d}|{flag:5}|{flag:>3}|{flag:#x}|{flag:<4}|{flag!r:>6}"


def int_gcd(number: int, other: int, third: int) -> tuple[int, int, int]:
    return math.gcd(number, other), math.gcd(number, other, third), math.gcd(number)


def int_lcm(small: int, other_small: int, few_times: int) -> tuple[int, int, int]:
    return math.lcm(small, other_small), math.lcm(small, few_times, other_small), math.lcm(small)


def int_lcm_any(number: int, other: int) -> int:
    return math.lcm(number, other)


def int_isqrt(number: int) -> int:
    return math.isqrt(number)


def int_factorial(counted: int) -> int:
    return math.factorial(counted)


def int_comb(counted: int, chosen: int) -> int:
    return math.comb(counted, chosen)


def int_comb_any(number: int, few_times: int) -> int:
    return math.comb(number, few_times)


def int_perm(counted: int, chosen: int) -> int:
    return math.perm(counted, chosen)


def int_in_constants(small: int) -> tuple[bool, bool, bool]:
    return small in (1, 2, 3), small in _MANY, small not in _SET


_MANY = (0, 1, 2, 3, 5, 8, 13, 21, 34, -1, -2, -3, 9223372036854775807)
_SET = frozenset({1, 4, 9, 16, 25, 36, -1, -4, -9, 0})


def int_isinstance(
    number: int, flag: bool, maybe_number: int | None
) -> tuple[bool, bool, bool, bool]:
    return (
        isinstance(number, int),
        isinstance(flag, int),
        isinstance(number, bool),
        isinstance(maybe_number, int),
    )


def int_range(number: int, few_times: int) -> int:
    total = 0
    for n in range(few_times):
        total += n * (number & 0xFF)
    return total


def int_range_bounds(small: int, other_small: int) -> tuple[int, int, int]:
    up = down = last = 0
    for n in range(small, other_small, 7):
        up += n
        last = n
    for n in range(other_small, small, -3):
        down -= n
    return up, down, last


def int_range_far(number: int) -> str:
    out = ""
    for n in range(number, number | 0xFF, 100):
        out += f"{n},"
    return out


def int_range_backwards(few_times: int) -> str:
    out = ""
    for n in reversed(range(5)):
        out += str(n + few_times)
    return out


def int_sums(small: int, few_times: int) -> tuple[int, int, bool, bool]:
    return (
        sum(n * small for n in range(few_times)),
        sum(n for n in range(few_times) if n % 3 == small % 3),
        any(n * n == small for n in range(few_times)),
        all(n != small for n in range(few_times)),
    )


class _Wide(NamedTuple):
    value: int
    text: str


def _hash(text: str, seed: int = 5381) -> int:
    value = seed
    for letter in text:
        value = (value * 31 + ord(letter)) & _M64
    return value


def int_unsigned_called(text: str, number: int) -> str:
    one = _hash(text)
    two = _hash(text, number & _M64)
    return f"{one} {two} {one ^ two} {one % 1000} {one >> 60} {_hash(text, 1) & 0xFF}"


def int_unsigned_kept(text: str, number: int) -> str:
    """Stops: 64 bits"""
    made = _Wide(_hash(text), text)
    pair = (number & _M64, 1)
    return f"{made.value} {pair[0]}"


def int_unsigned_loop(number: int, few_times: int) -> str:
    state = number & _M64
    out = ""
    for _ in range(few_times):
        state ^= (state << 13) & _M64
        state ^= state >> 7
        state ^= (state << 17) & _M64
        out += f"{state % 10}"
    return out + hex(state)


def int_unsigned_chosen(number: int, other: int, flag: bool) -> str:
    one = number & _M64 if flag else other & _M32
    if other > 0:
        one = one >> 1
    else:
        one = ~other & 0xFF
    return f"{one} {one == number} {one < other} {one in (0, 1, 255)}"


def int_unsigned_bytes(data: bytes) -> str:
    value = int.from_bytes(data[:8], "big")
    return f"{value} {value >> 8} {value & 0xFF} {value == 0} {value.to_bytes(8, 'little')!r}"


def int_varint(number: int) -> bytes:
    value = number & _M64
    out = b""
    while value >= 128:
        out += ((value & 127) | 128).to_bytes(1, "big")
        value >>= 7
    return out + value.to_bytes(1, "big")


def int_sum_any(number: int, other: int, third: int) -> tuple[int, int]:
    return sum((number, other, third)), sum(n for n in (number >> 2, other >> 2, third >> 2))


def int_compare_chain_calls(number: int, other: int) -> tuple[bool, bool]:
    return abs(number >> 1) < abs(other >> 1) <= 1 << 62, -1 < number % 7 < 7


def int_format_any(small: int, spec: str) -> str:
    return f"{small:{spec}}"


def int_format_any_large(number: int, spec: str) -> str:
    return f"{number:{spec}}"


def int_format_any_unsigned(number: int, spec: str) -> str:
    return f"{number & _M64:{spec}}"


def int_format_any_bool(flag: bool, spec: str) -> str:
    return f"{flag:{spec}}"
