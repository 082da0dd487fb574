//! Integers and formatting: expected values are those of CPython.

use super::V::{B, E, I, R, S, Trap};
use super::check;
use crate::cases;

/// No bound of a slice, no modulus.
const ABSENT: i64 = i64::MIN;

/// The end that methods have unless they are given another.
const END: i64 = i64::MAX;

cases! {
    fn writing_integers() {
        check("zs_py_str_of_int", &[I(0)], S("0"));
        check("zs_py_int_base", &[I(0), I(2)], S("0b0"));
        check("zs_py_int_base", &[I(0), I(8)], S("0o0"));
        check("zs_py_int_base", &[I(0), I(16)], S("0x0"));
        check("zs_py_str_of_int", &[I(-1)], S("-1"));
        check("zs_py_int_base", &[I(-1), I(2)], S("-0b1"));
        check("zs_py_int_base", &[I(-1), I(8)], S("-0o1"));
        check("zs_py_int_base", &[I(-1), I(16)], S("-0x1"));
        check("zs_py_str_of_int", &[I(END)], S("9223372036854775807"));
        check(
            "zs_py_int_base",
            &[I(END), I(2)],
            S("0b111111111111111111111111111111111111111111111111111111111111111"),
        );
        check("zs_py_int_base", &[I(END), I(8)], S("0o777777777777777777777"));
        check("zs_py_int_base", &[I(END), I(16)], S("0x7fffffffffffffff"));
        check("zs_py_str_of_int", &[I(ABSENT)], S("-9223372036854775808"));
        check(
            "zs_py_int_base",
            &[I(ABSENT), I(2)],
            S("-0b1000000000000000000000000000000000000000000000000000000000000000"),
        );
        check("zs_py_int_base", &[I(ABSENT), I(8)], S("-0o1000000000000000000000"));
        check("zs_py_int_base", &[I(ABSENT), I(16)], S("-0x8000000000000000"));
        check("zs_py_int_base", &[I(1), I(10)], Trap("zs_py_int_base: base: 0xa is not valid"));
    }

    fn reading_integers() {
        check("zs_py_int_parse", &[S("42"), I(10)], I(42));
        check("zs_py_int_parse", &[S(" -0042\n"), I(10)], I(-42));
        check("zs_py_int_parse", &[S("+1_000"), I(10)], I(1000));
        check(
            "zs_py_int_parse",
            &[S("1__0"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '1__0'"),
        );
        check(
            "zs_py_int_parse",
            &[S("_1"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '_1'"),
        );
        check(
            "zs_py_int_parse",
            &[S("1_"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '1_'"),
        );
        check(
            "zs_py_int_parse",
            &[S(""), I(10)],
            E("ValueError: invalid literal for int() with base 10: ''"),
        );
        check(
            "zs_py_int_parse",
            &[S("-"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '-'"),
        );
        check(
            "zs_py_int_parse",
            &[S("- 1"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '- 1'"),
        );
        check("zs_py_int_parse", &[S("0x1F"), I(16)], I(31));
        check("zs_py_int_parse", &[S("0X_f"), I(0)], I(15));
        check("zs_py_int_parse", &[S("0b11"), I(0)], I(3));
        check("zs_py_int_parse", &[S("0o17"), I(8)], I(15));
        check("zs_py_int_parse", &[S("0b1"), I(16)], I(177));
        check(
            "zs_py_int_parse",
            &[S("0x"), I(16)],
            E("ValueError: invalid literal for int() with base 16: '0x'"),
        );
        check(
            "zs_py_int_parse",
            &[S("010"), I(0)],
            E("ValueError: invalid literal for int() with base 0: '010'"),
        );
        check("zs_py_int_parse", &[S("00_0"), I(0)], I(0));
        check("zs_py_int_parse", &[S("zZ"), I(36)], I(1295));
        check(
            "zs_py_int_parse",
            &[S("12"), I(2)],
            E("ValueError: invalid literal for int() with base 2: '12'"),
        );
        check(
            "zs_py_int_parse",
            &[S("1"), I(37)],
            E("ValueError: int() base must be >= 2 and <= 36, or 0"),
        );
        check(
            "zs_py_int_parse",
            &[S("1"), I(1)],
            E("ValueError: int() base must be >= 2 and <= 36, or 0"),
        );
        check(
            "zs_py_int_parse",
            &[S("1"), I(-1)],
            E("ValueError: int() base must be >= 2 and <= 36, or 0"),
        );
        check("zs_py_int_parse", &[S("٣٤"), I(10)], I(34));
        check("zs_py_int_parse", &[S("\u{2003}\u{85}𝟗 "), I(10)], I(9));
        check(
            "zs_py_int_parse",
            &[S("\u{1c}5"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '\\x1c5'"),
        );
        check(
            "zs_py_int_parse",
            &[S("\u{1c}5\u{a0}"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '\\x1c5\\xa0'"),
        );
        check(
            "zs_py_int_parse",
            &[S("1\u{0}"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '1\\x00'"),
        );
        check(
            "zs_py_int_parse",
            &[S("é"), I(10)],
            E("ValueError: invalid literal for int() with base 10: 'é'"),
        );
        check(
            "zs_py_int_parse",
            &[S("a'b"), I(10)],
            E("ValueError: invalid literal for int() with base 10: \"a'b\""),
        );
        check(
            "zs_py_int_parse",
            &[R(b"\xed\xa0\x80"), I(10)],
            E("ValueError: invalid literal for int() with base 10: '\\ud800'"),
        );
        check("zs_py_int_parse", &[S("9223372036854775807"), I(10)], I(END));
        check("zs_py_int_parse", &[S("-9223372036854775808"), I(10)], I(ABSENT));
        check("zs_py_int_parse", &[S("-8000000000000000"), I(16)], I(ABSENT));
        check(
            "zs_py_int_parse",
            &[S(&"0".repeat(4301)), I(10)],
            E("ValueError: Exceeds the limit (4300 digits) for integer string conversion: \
               value has 4301 digits; use sys.set_int_max_str_digits() to increase the limit"),
        );
        check("zs_py_int_parse", &[S(&"0".repeat(4301)), I(16)], I(0));
        check(
            "zs_py_int_parse",
            &[S("9223372036854775808"), I(10)],
            Trap("OverflowError: an integer does not fit in 64 bits"),
        );
        check(
            "zs_py_int_parse",
            &[S("-9223372036854775809"), I(10)],
            Trap("OverflowError: an integer does not fit in 64 bits"),
        );
        check(
            "zs_py_int_parse",
            &[S(&"1".repeat(4300)), I(10)],
            Trap("OverflowError: an integer does not fit in 64 bits"),
        );
        check("zs_py_int_parse_bytes", &[B(b" 12\t"), I(10)], I(12));
        check(
            "zs_py_int_parse_bytes",
            &[B(b"\xff"), I(10)],
            E("ValueError: invalid literal for int() with base 10: b'\\xff'"),
        );
        check("zs_py_int_parse_bytes", &[B(b"7f"), I(16)], I(127));
        check(
            "zs_py_int_parse_bytes",
            &[B(b"\xd9\xa3"), I(10)],
            E("ValueError: invalid literal for int() with base 10: b'\\xd9\\xa3'"),
        );
    }

    fn bytes_of_integers() {
        check("zs_py_int_to_bytes", &[I(258), I(2), I(0), I(0)], B(b"\x01\x02"));
        check("zs_py_int_to_bytes", &[I(258), I(4), I(1), I(0)], B(b"\x02\x01\x00\x00"));
        check("zs_py_int_to_bytes", &[I(-2), I(2), I(0), I(1)], B(b"\xff\xfe"));
        check(
            "zs_py_int_to_bytes",
            &[I(-2), I(9), I(1), I(1)],
            B(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"),
        );
        check(
            "zs_py_int_to_bytes",
            &[I(256), I(1), I(0), I(0)],
            E("OverflowError: int too big to convert"),
        );
        check(
            "zs_py_int_to_bytes",
            &[I(-1), I(1), I(0), I(0)],
            E("OverflowError: can't convert negative int to unsigned"),
        );
        check(
            "zs_py_int_to_bytes",
            &[I(128), I(1), I(0), I(1)],
            E("OverflowError: int too big to convert"),
        );
        check("zs_py_int_to_bytes", &[I(-128), I(1), I(0), I(1)], B(b"\x80"));
        check(
            "zs_py_int_to_bytes",
            &[I(-129), I(1), I(0), I(1)],
            E("OverflowError: int too big to convert"),
        );
        check("zs_py_int_to_bytes", &[I(0), I(0), I(0), I(0)], B(b""));
        check(
            "zs_py_int_to_bytes",
            &[I(1), I(0), I(0), I(0)],
            E("OverflowError: int too big to convert"),
        );
        check(
            "zs_py_int_to_bytes",
            &[I(5), I(-1), I(0), I(0)],
            E("ValueError: length argument must be non-negative"),
        );
        check(
            "zs_py_int_to_bytes",
            &[I(END), I(8), I(0), I(1)],
            B(b"\x7f\xff\xff\xff\xff\xff\xff\xff"),
        );
        check(
            "zs_py_int_to_bytes",
            &[I(ABSENT), I(8), I(1), I(1)],
            B(b"\x00\x00\x00\x00\x00\x00\x00\x80"),
        );
        check(
            "zs_py_int_to_bytes",
            &[I(ABSENT), I(7), I(0), I(1)],
            E("OverflowError: int too big to convert"),
        );
        check("zs_py_int_to_bytes", &[I(1), I(1099511627776), I(0), I(0)], Trap("MemoryError"));
        check("zs_py_int_from_bytes", &[B(b""), I(0), I(0)], I(0));
        check("zs_py_int_from_bytes", &[B(b"\x01\x02"), I(0), I(0)], I(258));
        check("zs_py_int_from_bytes", &[B(b"\x01\x02"), I(1), I(0)], I(513));
        check("zs_py_int_from_bytes", &[B(b"\xff\xfe"), I(0), I(1)], I(-2));
        check("zs_py_int_from_bytes", &[B(b"\xff\xfe"), I(0), I(0)], I(65534));
        check(
            "zs_py_int_from_bytes",
            &[B(b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"), I(0), I(0)],
            I(128),
        );
        check(
            "zs_py_int_from_bytes",
            &[B(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80"), I(0), I(1)],
            I(-128),
        );
        check(
            "zs_py_int_from_bytes",
            &[B(b"\x80\x00\x00\x00\x00\x00\x00\x00"), I(0), I(1)],
            I(ABSENT),
        );
        check(
            "zs_py_int_from_bytes",
            &[B(b"\x7f\xff\xff\xff\xff\xff\xff\xff"), I(0), I(0)],
            I(END),
        );
        check(
            "zs_py_int_from_bytes",
            &[B(b"\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), I(1), I(1)],
            I(5),
        );
        check(
            "zs_py_int_from_bytes",
            &[B(b"\x80\x00\x00\x00\x00\x00\x00\x00"), I(0), I(0)],
            Trap("OverflowError: an integer does not fit"),
        );
        check(
            "zs_py_int_from_bytes",
            &[B(b"\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), I(0), I(1)],
            Trap("OverflowError: an integer does not fit"),
        );
        check(
            "zs_py_int_from_bytes",
            &[B(b"\x01\x00\x00\x00\x00\x00\x00\x00\x00"), I(0), I(0)],
            Trap("OverflowError: an integer does not fit"),
        );
    }

    fn arithmetic() {
        check("zs_py_int_pow", &[I(2), I(10), I(ABSENT)], I(1024));
        check("zs_py_int_pow", &[I(-3), I(3), I(ABSENT)], I(-27));
        check("zs_py_int_pow", &[I(0), I(0), I(ABSENT)], I(1));
        check("zs_py_int_pow", &[I(-1), I(END), I(ABSENT)], I(-1));
        check("zs_py_int_pow", &[I(2), I(62), I(ABSENT)], I(4611686018427387904));
        check("zs_py_int_pow", &[I(-2), I(63), I(ABSENT)], I(ABSENT));
        check("zs_py_int_pow", &[I(3), I(200), I(7)], I(2));
        check("zs_py_int_pow", &[I(3), I(200), I(-7)], I(-5));
        check("zs_py_int_pow", &[I(END), I(END), I(9223372036854775806)], I(1));
        check("zs_py_int_pow", &[I(3), I(-1), I(7)], I(5));
        check(
            "zs_py_int_pow",
            &[I(2), I(-1), I(4)],
            E("ValueError: base is not invertible for the given modulus"),
        );
        check(
            "zs_py_int_pow",
            &[I(2), I(3), I(0)],
            E("ValueError: pow() 3rd argument cannot be 0"),
        );
        check("zs_py_int_pow", &[I(5), I(0), I(1)], I(0));
        check("zs_py_int_pow", &[I(-5), I(3), I(13)], I(5));
        check(
            "zs_py_int_pow",
            &[I(0), I(-1), I(ABSENT)],
            E("ZeroDivisionError: 0.0 cannot be raised to a negative power"),
        );
        check("zs_py_int_pow", &[I(1), I(END), I(ABSENT)], I(1));
        check("zs_py_int_pow", &[I(2), I(63), I(ABSENT)], Trap("OverflowError"));
        check(
            "zs_py_int_pow",
            &[I(2), I(-1), I(ABSENT)],
            Trap("a negative exponent makes a float"),
        );
        check("zs_py_int_isqrt", &[I(0)], I(0));
        check("zs_py_int_isqrt", &[I(15)], I(3));
        check("zs_py_int_isqrt", &[I(16)], I(4));
        check("zs_py_int_isqrt", &[I(END)], I(3037000499));
        check("zs_py_int_isqrt", &[I(-1)], E("ValueError: isqrt() argument must be nonnegative"));
        check("zs_py_int_factorial", &[I(0)], I(1));
        check("zs_py_int_factorial", &[I(5)], I(120));
        check("zs_py_int_factorial", &[I(20)], I(2432902008176640000));
        check(
            "zs_py_int_factorial",
            &[I(-1)],
            E("ValueError: factorial() not defined for negative values"),
        );
        check("zs_py_int_factorial", &[I(21)], Trap("OverflowError"));
        check("zs_py_int_factorial", &[I(END)], Trap("OverflowError"));
        check("zs_py_int_comb", &[I(5), I(2)], I(10));
        check("zs_py_int_comb", &[I(2), I(5)], I(0));
        check("zs_py_int_comb", &[I(0), I(0)], I(1));
        check("zs_py_int_comb", &[I(66), I(33)], I(7219428434016265740));
        check("zs_py_int_comb", &[I(END), I(1)], I(END));
        check("zs_py_int_comb", &[I(END), I(9223372036854775806)], I(END));
        check("zs_py_int_comb", &[I(-1), I(2)], E("ValueError: n must be a non-negative integer"));
        check("zs_py_int_comb", &[I(2), I(-1)], E("ValueError: k must be a non-negative integer"));
        check("zs_py_int_perm", &[I(5), I(2)], I(20));
        check("zs_py_int_perm", &[I(2), I(5)], I(0));
        check("zs_py_int_perm", &[I(20), I(20)], I(2432902008176640000));
        check("zs_py_int_perm", &[I(END), I(1)], I(END));
        check("zs_py_int_perm", &[I(-1), I(2)], E("ValueError: n must be a non-negative integer"));
        check("zs_py_int_perm", &[I(2), I(-1)], E("ValueError: k must be a non-negative integer"));
        check("zs_py_int_comb", &[I(END), I(4611686018427387903)], Trap("OverflowError"));
        check("zs_py_int_perm", &[I(END), I(END)], Trap("OverflowError"));
    }

    fn formatting_integers() {
        check("zs_py_int_format", &[I(5), S("")], S("5"));
        check("zs_py_int_format", &[I(42), S("5")], S("   42"));
        check("zs_py_int_format", &[I(-42), S("<6d")], S("-42   "));
        check("zs_py_int_format", &[I(42), S("^7")], S("  42   "));
        check("zs_py_int_format", &[I(-42), S("=6")], S("-   42"));
        check("zs_py_int_format", &[I(42), S("+")], S("+42"));
        check("zs_py_int_format", &[I(42), S(" ")], S(" 42"));
        check("zs_py_int_format", &[I(-42), S("06")], S("-00042"));
        check("zs_py_int_format", &[I(42), S("*=+6")], S("+***42"));
        check("zs_py_int_format", &[I(255), S("x")], S("ff"));
        check("zs_py_int_format", &[I(255), S("#X")], S("0XFF"));
        check("zs_py_int_format", &[I(-255), S("#010x")], S("-0x00000ff"));
        check("zs_py_int_format", &[I(5), S("08b")], S("00000101"));
        check("zs_py_int_format", &[I(8), S("#o")], S("0o10"));
        check("zs_py_int_format", &[I(1234567), S(",")], S("1,234,567"));
        check("zs_py_int_format", &[I(1234567), S("_")], S("1_234_567"));
        check("zs_py_int_format", &[I(305419896), S("_x")], S("1234_5678"));
        check("zs_py_int_format", &[I(305419896), S("#020_x")], S("0x000_0000_1234_5678"));
        check("zs_py_int_format", &[I(1234), S("010,")], S("00,001,234"));
        check("zs_py_int_format", &[I(-1234), S("010,")], S("-0,001,234"));
        check("zs_py_int_format", &[I(1), S("04,")], S("0,001"));
        check("zs_py_int_format", &[I(65), S("c")], S("A"));
        check("zs_py_int_format", &[I(233), S("^5c")], S("  é  "));
        check("zs_py_int_format", &[I(65), S("05c")], S("0000A"));
        check("zs_py_int_format", &[I(1114111), S("c")], S("\u{10ffff}"));
        check("zs_py_int_format", &[I(5), S("é^5")], S("éé5éé"));
        check("zs_py_int_format", &[I(5), S("<05")], S("50000"));
        check("zs_py_int_format", &[I(5), S("٣")], S("  5"));
        check("zs_py_int_format", &[I(5), S("n")], S("5"));
        check(
            "zs_py_int_format",
            &[I(ABSENT), S("b")],
            S("-1000000000000000000000000000000000000000000000000000000000000000"),
        );
        check("zs_py_int_format", &[I(0), S("#x")], S("0x0"));
        check(
            "zs_py_int_format",
            &[I(-1), S("c")],
            E("OverflowError: %c arg not in range(0x110000)"),
        );
        check(
            "zs_py_int_format",
            &[I(1114112), S("c")],
            E("OverflowError: %c arg not in range(0x110000)"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("+c")],
            E("ValueError: Sign not allowed with integer format specifier 'c'"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("#c")],
            E("ValueError: Alternate form (#) not allowed with integer format specifier 'c'"),
        );
        check("zs_py_int_format", &[I(5), S(",c")], E("ValueError: Cannot specify ',' with 'c'."));
        check(
            "zs_py_int_format",
            &[I(5), S(".3")],
            E("ValueError: Precision not allowed in integer format specifier"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("z")],
            E("ValueError: Negative zero coercion (z) not allowed in integer format specifier"),
        );
        check("zs_py_int_format", &[I(5), S(",x")], E("ValueError: Cannot specify ',' with 'x'."));
        check(
            "zs_py_int_format",
            &[I(5), S(",_")],
            E("ValueError: Cannot specify both ',' and '_'."),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("_,")],
            E("ValueError: Cannot specify both ',' and '_'."),
        );
        check("zs_py_int_format", &[I(5), S(",,")], E("ValueError: Cannot specify ',' with ','."));
        check(
            "zs_py_int_format",
            &[I(5), S("s")],
            E("ValueError: Unknown format code 's' for object of type 'int'"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("é")],
            E("ValueError: Unknown format code '\\xe9' for object of type 'int'"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("\u{1}")],
            E("ValueError: Unknown format code '\\x1' for object of type 'int'"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("xx")],
            E("ValueError: Invalid format specifier 'xx' for object of type 'int'"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S(".")],
            E("ValueError: Format specifier missing precision"),
        );
        check(
            "zs_py_int_format",
            &[I(5), S("99999999999999999999")],
            E("ValueError: Too many decimal digits in format string"),
        );
        check("zs_py_int_format", &[I(5), S("_n")], E("ValueError: Cannot specify '_' with 'n'."));
        check("zs_py_int_format", &[I(5), S(".2f")], Trap("an int is to be formatted as a float"));
        check("zs_py_int_format", &[I(5), S("010000000")], Trap("MemoryError"));
        check("zs_py_int_format", &[I(5), S("9999999999")], Trap("MemoryError"));
    }

    fn formatting_text() {
        check("zs_py_str_format", &[S("é"), S("")], S("é"));
        check("zs_py_str_format", &[S("é"), S("5")], S("é    "));
        check("zs_py_str_format", &[S("é"), S(">5s")], S("    é"));
        check("zs_py_str_format", &[S("abc"), S("*^8")], S("**abc***"));
        check("zs_py_str_format", &[S("aéb"), S(".2")], S("aé"));
        check("zs_py_str_format", &[S("aéb"), S("x<4.1")], S("axxx"));
        check("zs_py_str_format", &[S("abc"), S("2")], S("abc"));
        check("zs_py_str_format", &[S("abc"), S("05")], S("abc00"));
        check(
            "zs_py_str_format",
            &[S("abc"), S("+")],
            E("ValueError: Sign not allowed in string format specifier"),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S(" ")],
            E("ValueError: Space not allowed in string format specifier"),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S("#")],
            E("ValueError: Alternate form (#) not allowed in string format specifier"),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S("=")],
            E("ValueError: '=' alignment not allowed in string format specifier"),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S("z")],
            E("ValueError: Negative zero coercion (z) not allowed in string format specifier"),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S(",")],
            E("ValueError: Cannot specify ',' with 's'."),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S("d")],
            E("ValueError: Unknown format code 'd' for object of type 'str'"),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S("dd")],
            E("ValueError: Invalid format specifier 'dd' for object of type 'str'"),
        );
        check(
            "zs_py_str_format",
            &[S("abc"), S(".")],
            E("ValueError: Format specifier missing precision"),
        );
        check(
            "zs_py_str_format",
            &[R(b"\xed\xa0\x80"), R(b"\xed\xbf\xbf>3")],
            R(b"\xed\xbf\xbf\xed\xbf\xbf\xed\xa0\x80"),
        );
        check("zs_py_str_format", &[S("a"), S("9999999999")], Trap("MemoryError"));
    }

    fn common_divisors_and_multiples() {
        for (a, b, divisor, multiple) in [
            (12, 18, 6, 36),
            (-12, 18, 6, 36),
            (0, 0, 0, 0),
            (0, -5, 5, 0),
            (END, 1, 1, END),
            (1 << 62, 1 << 61, 1 << 61, 1 << 62),
        ] {
            check("zs_py_int_gcd", &[I(a), I(b)], I(divisor));
            check("zs_py_int_lcm", &[I(a), I(b)], I(multiple));
        }
        check("zs_py_int_gcd", &[I(ABSENT), I(6)], I(2));
        check("zs_py_int_gcd", &[I(ABSENT), I(0)], Trap("OverflowError: "));
        check("zs_py_int_lcm", &[I(ABSENT), I(1)], Trap("OverflowError: "));
        check("zs_py_int_lcm", &[I(END), I(END - 1)], Trap("OverflowError: "));
    }

    fn formatting_integers_without_a_sign() {
        check("zs_py_uint_format", &[I(-1), S("")], S("18446744073709551615"));
        check("zs_py_uint_format", &[I(-1), S("+_x")], S("+ffff_ffff_ffff_ffff"));
        check("zs_py_uint_format", &[I(5), S("#010b")], S("0b00000101"));
        check(
            "zs_py_uint_format",
            &[I(-1), S("c")],
            E("OverflowError: %c arg not in range(0x110000)"),
        );
    }
}
