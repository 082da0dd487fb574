//! Methods of str and bytes: expected values are those of CPython.

use super::V::{B, E, I, L, N, R, S, T, Trap};
use super::check;
use crate::cases;

/// No bound of a slice, no modulus.
const ABSENT: i64 = i64::MIN;

/// The end that methods have unless they are given another.
const END: i64 = i64::MAX;

cases! {
    fn starts_and_ends() {
        check("zs_py_str_startswith", &[S("abc"), S("ab"), I(0), I(END)], I(1));
        check("zs_py_str_endswith", &[S("abc"), S("ab"), I(0), I(END)], I(0));
        check("zs_py_str_startswith", &[S("héé"), S("hé"), I(0), I(END)], I(1));
        check("zs_py_str_endswith", &[S("héé"), S("hé"), I(0), I(END)], I(0));
        check("zs_py_bytes_startswith", &[B(b"abc"), B(b"c"), I(0), I(END)], I(0));
        check("zs_py_bytes_endswith", &[B(b"abc"), B(b"c"), I(0), I(END)], I(1));
        check("zs_py_str_startswith", &[S("abc"), S(""), I(3), I(END)], I(1));
        check("zs_py_str_startswith", &[S("abc"), S(""), I(4), I(END)], I(0));
        check("zs_py_bytes_endswith", &[B(b"abc"), B(b""), I(4), I(END)], I(0));
        check("zs_py_str_startswith", &[S("éab"), S("a"), I(1), I(2)], I(1));
        check("zs_py_str_endswith", &[S("abé"), S("b"), I(-3), I(-1)], I(1));
        check("zs_py_str_startswith", &[S("abc"), S("abcd"), I(ABSENT), I(END)], I(0));
        check(
            "zs_py_str_endswith",
            &[R(b"\xc3\xa9\xed\xa0\x80"), R(b"\xed\xa0\x80"), I(0), I(END)],
            I(1),
        );
        check("zs_py_str_removeprefix", &[S("abab"), S("ab")], S("ab"));
        check("zs_py_str_removesuffix", &[S("abab"), S("ab")], S("ab"));
        check("zs_py_str_removeprefix", &[S("ab"), S("abc")], S("ab"));
        check("zs_py_str_removesuffix", &[S("ab"), S("abc")], S("ab"));
        check("zs_py_str_removeprefix", &[S("é"), S("é")], S(""));
        check("zs_py_str_removesuffix", &[S("é"), S("é")], S(""));
        check("zs_py_bytes_removeprefix", &[B(b"ab"), B(b"b")], B(b"ab"));
        check("zs_py_bytes_removesuffix", &[B(b"ab"), B(b"b")], B(b"a"));
    }

    fn finding() {
        check("zs_py_str_find", &[S("abcabc"), S("bc"), I(0), I(END)], I(1));
        check("zs_py_str_find", &[S("aébéa"), S("é"), I(2), I(END)], I(3));
        check("zs_py_bytes_find", &[B(b"a\xffa\xff"), B(b"\xff"), I(0), I(-1)], I(1));
        check("zs_py_str_find", &[S("abc"), S("x"), I(0), I(END)], I(-1));
        check("zs_py_bytes_find", &[B(b"abc"), B(b"x"), I(0), I(END)], I(-1));
        check("zs_py_str_find", &[S("éé"), S(""), I(0), I(END)], I(0));
        check("zs_py_str_find", &[S("ab"), S(""), I(3), I(END)], I(-1));
        check("zs_py_bytes_find", &[B(b"ab"), B(b""), I(-1), I(END)], I(1));
        check("zs_py_str_find", &[S("abc"), S("c"), I(-1), I(END)], I(2));
        check("zs_py_str_find", &[S("abc"), S("a"), I(END), I(ABSENT)], I(-1));
        check("zs_py_str_rfind", &[S("abcabc"), S("bc"), I(0), I(END)], I(4));
        check("zs_py_str_rfind", &[S("aébéa"), S("é"), I(2), I(END)], I(3));
        check("zs_py_bytes_rfind", &[B(b"a\xffa\xff"), B(b"\xff"), I(0), I(-1)], I(1));
        check("zs_py_str_rfind", &[S("abc"), S("x"), I(0), I(END)], I(-1));
        check("zs_py_bytes_rfind", &[B(b"abc"), B(b"x"), I(0), I(END)], I(-1));
        check("zs_py_str_rfind", &[S("éé"), S(""), I(0), I(END)], I(2));
        check("zs_py_str_rfind", &[S("ab"), S(""), I(3), I(END)], I(-1));
        check("zs_py_bytes_rfind", &[B(b"ab"), B(b""), I(-1), I(END)], I(2));
        check("zs_py_str_rfind", &[S("abc"), S("c"), I(-1), I(END)], I(2));
        check("zs_py_str_rfind", &[S("abc"), S("a"), I(END), I(ABSENT)], I(-1));
        check("zs_py_str_index", &[S("abcabc"), S("bc"), I(0), I(END)], I(1));
        check("zs_py_str_index", &[S("aébéa"), S("é"), I(2), I(END)], I(3));
        check("zs_py_bytes_index", &[B(b"a\xffa\xff"), B(b"\xff"), I(0), I(-1)], I(1));
        check(
            "zs_py_str_index",
            &[S("abc"), S("x"), I(0), I(END)],
            E("ValueError: substring not found"),
        );
        check(
            "zs_py_bytes_index",
            &[B(b"abc"), B(b"x"), I(0), I(END)],
            E("ValueError: subsection not found"),
        );
        check("zs_py_str_index", &[S("éé"), S(""), I(0), I(END)], I(0));
        check(
            "zs_py_str_index",
            &[S("ab"), S(""), I(3), I(END)],
            E("ValueError: substring not found"),
        );
        check("zs_py_bytes_index", &[B(b"ab"), B(b""), I(-1), I(END)], I(1));
        check("zs_py_str_index", &[S("abc"), S("c"), I(-1), I(END)], I(2));
        check(
            "zs_py_str_index",
            &[S("abc"), S("a"), I(END), I(ABSENT)],
            E("ValueError: substring not found"),
        );
        check("zs_py_str_rindex", &[S("abcabc"), S("bc"), I(0), I(END)], I(4));
        check("zs_py_str_rindex", &[S("aébéa"), S("é"), I(2), I(END)], I(3));
        check("zs_py_bytes_rindex", &[B(b"a\xffa\xff"), B(b"\xff"), I(0), I(-1)], I(1));
        check(
            "zs_py_str_rindex",
            &[S("abc"), S("x"), I(0), I(END)],
            E("ValueError: substring not found"),
        );
        check(
            "zs_py_bytes_rindex",
            &[B(b"abc"), B(b"x"), I(0), I(END)],
            E("ValueError: subsection not found"),
        );
        check("zs_py_str_rindex", &[S("éé"), S(""), I(0), I(END)], I(2));
        check(
            "zs_py_str_rindex",
            &[S("ab"), S(""), I(3), I(END)],
            E("ValueError: substring not found"),
        );
        check("zs_py_bytes_rindex", &[B(b"ab"), B(b""), I(-1), I(END)], I(2));
        check("zs_py_str_rindex", &[S("abc"), S("c"), I(-1), I(END)], I(2));
        check(
            "zs_py_str_rindex",
            &[S("abc"), S("a"), I(END), I(ABSENT)],
            E("ValueError: substring not found"),
        );
        check("zs_py_str_count", &[S("abcabc"), S("bc"), I(0), I(END)], I(2));
        check("zs_py_str_count", &[S("aébéa"), S("é"), I(2), I(END)], I(1));
        check("zs_py_bytes_count", &[B(b"a\xffa\xff"), B(b"\xff"), I(0), I(-1)], I(1));
        check("zs_py_str_count", &[S("abc"), S("x"), I(0), I(END)], I(0));
        check("zs_py_bytes_count", &[B(b"abc"), B(b"x"), I(0), I(END)], I(0));
        check("zs_py_str_count", &[S("éé"), S(""), I(0), I(END)], I(3));
        check("zs_py_str_count", &[S("ab"), S(""), I(3), I(END)], I(0));
        check("zs_py_bytes_count", &[B(b"ab"), B(b""), I(-1), I(END)], I(2));
        check("zs_py_str_count", &[S("abc"), S("c"), I(-1), I(END)], I(1));
        check("zs_py_str_count", &[S("abc"), S("a"), I(END), I(ABSENT)], I(0));
        check("zs_py_str_count", &[S("aaaa"), S("aa"), I(0), I(END)], I(2));
        check(
            "zs_py_str_rfind",
            &[R(b"a\xed\xa0\x80\xed\xb0\x80b"), R(b"\xed\xb0\x80"), I(0), I(END)],
            I(2),
        );
        check("zs_py_str_find", &[S("𐀀"), R(b"\xed\xa0\x80"), I(0), I(END)], I(-1));
    }

    fn splitting() {
        check("zs_py_str_split", &[S("  a b\t\nc "), N, I(-1)], L(&[S("a"), S("b"), S("c")]));
        check("zs_py_str_split", &[S("  a b  c "), N, I(1)], L(&[S("a"), S("b  c ")]));
        check("zs_py_str_split", &[S("a b"), N, I(0)], L(&[S("a b")]));
        check("zs_py_str_split", &[S("   "), N, I(-1)], L(&[]));
        check(
            "zs_py_str_split",
            &[S("\u{1c}a\u{1f}b\u{85}c\u{3000}d"), N, I(-1)],
            L(&[S("a"), S("b"), S("c"), S("d")]),
        );
        check("zs_py_bytes_split", &[B(b"\x1ca b\x85"), N, I(-1)], L(&[B(b"\x1ca"), B(b"b\x85")]));
        check(
            "zs_py_str_split",
            &[S("a,b,,c"), S(","), I(-1)],
            L(&[S("a"), S("b"), S(""), S("c")]),
        );
        check("zs_py_str_split", &[S("a,b,c"), S(","), I(1)], L(&[S("a"), S("b,c")]));
        check("zs_py_str_split", &[S("aaa"), S("aa"), I(-1)], L(&[S(""), S("a")]));
        check("zs_py_str_split", &[S(""), S(","), I(-1)], L(&[S("")]));
        check("zs_py_str_split", &[S(""), N, I(-1)], L(&[]));
        check("zs_py_bytes_split", &[B(b"a--b--c"), B(b"--"), I(1)], L(&[B(b"a"), B(b"b--c")]));
        check("zs_py_str_split", &[S("é·ü"), S("·"), I(-1)], L(&[S("é"), S("ü")]));
        check("zs_py_str_split", &[S("a"), S(""), I(-1)], E("ValueError: empty separator"));
        check("zs_py_bytes_split", &[B(b"a"), B(b""), I(-1)], E("ValueError: empty separator"));
        check("zs_py_str_rsplit", &[S("  a b\t\nc "), N, I(-1)], L(&[S("a"), S("b"), S("c")]));
        check("zs_py_str_rsplit", &[S("  a b  c "), N, I(1)], L(&[S("  a b"), S("c")]));
        check("zs_py_str_rsplit", &[S("a b"), N, I(0)], L(&[S("a b")]));
        check("zs_py_str_rsplit", &[S("   "), N, I(-1)], L(&[]));
        check(
            "zs_py_str_rsplit",
            &[S("\u{1c}a\u{1f}b\u{85}c\u{3000}d"), N, I(-1)],
            L(&[S("a"), S("b"), S("c"), S("d")]),
        );
        check("zs_py_bytes_rsplit", &[B(b"\x1ca b\x85"), N, I(-1)], L(&[B(b"\x1ca"), B(b"b\x85")]));
        check(
            "zs_py_str_rsplit",
            &[S("a,b,,c"), S(","), I(-1)],
            L(&[S("a"), S("b"), S(""), S("c")]),
        );
        check("zs_py_str_rsplit", &[S("a,b,c"), S(","), I(1)], L(&[S("a,b"), S("c")]));
        check("zs_py_str_rsplit", &[S("aaa"), S("aa"), I(-1)], L(&[S("a"), S("")]));
        check("zs_py_str_rsplit", &[S(""), S(","), I(-1)], L(&[S("")]));
        check("zs_py_str_rsplit", &[S(""), N, I(-1)], L(&[]));
        check("zs_py_bytes_rsplit", &[B(b"a--b--c"), B(b"--"), I(1)], L(&[B(b"a--b"), B(b"c")]));
        check("zs_py_str_rsplit", &[S("é·ü"), S("·"), I(-1)], L(&[S("é"), S("ü")]));
        check("zs_py_str_rsplit", &[S("a"), S(""), I(-1)], E("ValueError: empty separator"));
        check("zs_py_bytes_rsplit", &[B(b"a"), B(b""), I(-1)], E("ValueError: empty separator"));
        check(
            "zs_py_str_splitlines",
            &[S("a\nb\r\nc\rd"), I(0)],
            L(&[S("a"), S("b"), S("c"), S("d")]),
        );
        check(
            "zs_py_str_splitlines",
            &[S("a\nb\r\nc\rd"), I(1)],
            L(&[S("a\n"), S("b\r\n"), S("c\r"), S("d")]),
        );
        check("zs_py_str_splitlines", &[S("\n\n"), I(0)], L(&[S(""), S("")]));
        check("zs_py_str_splitlines", &[S("\n\n"), I(1)], L(&[S("\n"), S("\n")]));
        check(
            "zs_py_str_splitlines",
            &[S("a\u{b}b\u{c}c\u{1c}d\u{1d}e\u{1e}f\u{85}g\u{2028}h\u{2029}i"), I(0)],
            L(&[S("a"), S("b"), S("c"), S("d"), S("e"), S("f"), S("g"), S("h"), S("i")]),
        );
        check(
            "zs_py_str_splitlines",
            &[S("a\u{b}b\u{c}c\u{1c}d\u{1d}e\u{1e}f\u{85}g\u{2028}h\u{2029}i"), I(1)],
            L(&[
                S("a\u{b}"),
                S("b\u{c}"),
                S("c\u{1c}"),
                S("d\u{1d}"),
                S("e\u{1e}"),
                S("f\u{85}"),
                S("g\u{2028}"),
                S("h\u{2029}"),
                S("i"),
            ]),
        );
        check(
            "zs_py_bytes_splitlines",
            &[B(b"a\x0bb\x0c\x1c\r\n\x85"), I(0)],
            L(&[B(b"a\x0bb\x0c\x1c"), B(b"\x85")]),
        );
        check(
            "zs_py_bytes_splitlines",
            &[B(b"a\x0bb\x0c\x1c\r\n\x85"), I(1)],
            L(&[B(b"a\x0bb\x0c\x1c\r\n"), B(b"\x85")]),
        );
        check("zs_py_str_splitlines", &[S(""), I(0)], L(&[]));
        check("zs_py_str_splitlines", &[S(""), I(1)], L(&[]));
        check("zs_py_str_partition", &[S("a.b.c"), S(".")], T(&[S("a"), S("."), S("b.c")]));
        check("zs_py_str_rpartition", &[S("a.b.c"), S(".")], T(&[S("a.b"), S("."), S("c")]));
        check("zs_py_str_partition", &[S("abc"), S(".")], T(&[S("abc"), S(""), S("")]));
        check("zs_py_str_rpartition", &[S("abc"), S(".")], T(&[S(""), S(""), S("abc")]));
        check("zs_py_str_partition", &[S("é·ü"), S("·")], T(&[S("é"), S("·"), S("ü")]));
        check("zs_py_str_rpartition", &[S("é·ü"), S("·")], T(&[S("é"), S("·"), S("ü")]));
        check("zs_py_bytes_partition", &[B(b"a.b.c"), B(b".")], T(&[B(b"a"), B(b"."), B(b"b.c")]));
        check("zs_py_bytes_rpartition", &[B(b"a.b.c"), B(b".")], T(&[B(b"a.b"), B(b"."), B(b"c")]));
        check("zs_py_bytes_partition", &[B(b"x"), B(b".")], T(&[B(b"x"), B(b""), B(b"")]));
        check("zs_py_bytes_rpartition", &[B(b"x"), B(b".")], T(&[B(b""), B(b""), B(b"x")]));
        check("zs_py_str_partition", &[S("a"), S("")], E("ValueError: empty separator"));
        check("zs_py_str_rpartition", &[S("a"), S("")], E("ValueError: empty separator"));
        check("zs_py_bytes_partition", &[B(b"a"), B(b"")], E("ValueError: empty separator"));
        check("zs_py_bytes_rpartition", &[B(b"a"), B(b"")], E("ValueError: empty separator"));
    }

    fn stripping() {
        check("zs_py_str_strip", &[S(" \t\u{1c}\u{85}a b\u{a0}\u{2003} "), N], S("a b"));
        check("zs_py_bytes_strip", &[B(b" \x1c a\x0b "), N], B(b"\x1c a"));
        check("zs_py_str_strip", &[S("abcba"), S("ab")], S("c"));
        check("zs_py_str_strip", &[S("éaé"), S("é")], S("a"));
        check("zs_py_str_strip", &[S("é"), S("aé")], S(""));
        check("zs_py_bytes_strip", &[B(b"aba"), B(b"a")], B(b"b"));
        check("zs_py_str_strip", &[S("abc"), S("")], S("abc"));
        check(
            "zs_py_str_strip",
            &[R(b"\xed\xa0\x80a\xed\xbf\xbf"), R(b"\xed\xbf\xbf\xed\xa0\x80")],
            S("a"),
        );
        check("zs_py_str_strip", &[S(""), N], S(""));
        check(
            "zs_py_str_lstrip",
            &[S(" \t\u{1c}\u{85}a b\u{a0}\u{2003} "), N],
            S("a b\u{a0}\u{2003} "),
        );
        check("zs_py_bytes_lstrip", &[B(b" \x1c a\x0b "), N], B(b"\x1c a\x0b "));
        check("zs_py_str_lstrip", &[S("abcba"), S("ab")], S("cba"));
        check("zs_py_str_lstrip", &[S("éaé"), S("é")], S("aé"));
        check("zs_py_str_lstrip", &[S("é"), S("aé")], S(""));
        check("zs_py_bytes_lstrip", &[B(b"aba"), B(b"a")], B(b"ba"));
        check("zs_py_str_lstrip", &[S("abc"), S("")], S("abc"));
        check(
            "zs_py_str_lstrip",
            &[R(b"\xed\xa0\x80a\xed\xbf\xbf"), R(b"\xed\xbf\xbf\xed\xa0\x80")],
            R(b"a\xed\xbf\xbf"),
        );
        check("zs_py_str_lstrip", &[S(""), N], S(""));
        check(
            "zs_py_str_rstrip",
            &[S(" \t\u{1c}\u{85}a b\u{a0}\u{2003} "), N],
            S(" \t\u{1c}\u{85}a b"),
        );
        check("zs_py_bytes_rstrip", &[B(b" \x1c a\x0b "), N], B(b" \x1c a"));
        check("zs_py_str_rstrip", &[S("abcba"), S("ab")], S("abc"));
        check("zs_py_str_rstrip", &[S("éaé"), S("é")], S("éa"));
        check("zs_py_str_rstrip", &[S("é"), S("aé")], S(""));
        check("zs_py_bytes_rstrip", &[B(b"aba"), B(b"a")], B(b"ab"));
        check("zs_py_str_rstrip", &[S("abc"), S("")], S("abc"));
        check(
            "zs_py_str_rstrip",
            &[R(b"\xed\xa0\x80a\xed\xbf\xbf"), R(b"\xed\xbf\xbf\xed\xa0\x80")],
            R(b"\xed\xa0\x80a"),
        );
        check("zs_py_str_rstrip", &[S(""), N], S(""));
    }

    fn replacing_and_joining() {
        check("zs_py_str_replace", &[S("aXbXc"), S("X"), S("--"), I(-1)], S("a--b--c"));
        check("zs_py_str_replace", &[S("aXbXc"), S("X"), S(""), I(1)], S("abXc"));
        check("zs_py_str_replace", &[S("aXb"), S("X"), S("-"), I(0)], S("aXb"));
        check("zs_py_str_replace", &[S("abc"), S(""), S("-"), I(-1)], S("-a-b-c-"));
        check("zs_py_str_replace", &[S("aé"), S(""), S("·"), I(-1)], S("·a·é·"));
        check("zs_py_str_replace", &[S("aéb"), S(""), S("-"), I(2)], S("-a-éb"));
        check("zs_py_str_replace", &[S(""), S(""), S("x"), I(-1)], S("x"));
        check("zs_py_str_replace", &[S(""), S(""), S("x"), I(1)], S("x"));
        check("zs_py_str_replace", &[S(""), S(""), S("x"), I(0)], S(""));
        check("zs_py_str_replace", &[S(""), S("a"), S("x"), I(-1)], S(""));
        check("zs_py_str_replace", &[S("aaa"), S("aa"), S("b"), I(-1)], S("ba"));
        check("zs_py_bytes_replace", &[B(b"abc"), B(b""), B(b"-"), I(-1)], B(b"-a-b-c-"));
        check("zs_py_bytes_replace", &[B(b"a\xffb"), B(b"\xff"), B(b""), I(5)], B(b"ab"));
        check("zs_py_str_replace", &[S("abc"), S("x"), S("y"), I(-1)], S("abc"));
        check("zs_py_str_join", &[S(", "), L(&[S("a"), S("b"), S("é")])], S("a, b, é"));
        check("zs_py_str_join", &[S("é"), L(&[S("a")])], S("a"));
        check("zs_py_str_join", &[S("é"), L(&[S("a"), S("b")])], S("aéb"));
        check("zs_py_str_join", &[S("-"), L(&[])], S(""));
        check("zs_py_bytes_join", &[B(b"-"), L(&[B(b"a"), B(b""), B(b"b")])], B(b"a--b"));
    }

    fn padding() {
        check("zs_py_str_zfill", &[S("-7"), I(5)], S("-0007"));
        check("zs_py_str_zfill", &[S("+é"), I(4)], S("+00é"));
        check("zs_py_str_zfill", &[S(""), I(2)], S("00"));
        check("zs_py_str_zfill", &[S("abc"), I(2)], S("abc"));
        check("zs_py_str_zfill", &[S("--"), I(4)], S("-00-"));
        check("zs_py_bytes_zfill", &[B(b"-1"), I(4)], B(b"-001"));
        check("zs_py_str_zfill", &[S("x"), I(-5)], S("x"));
        check("zs_py_str_ljust", &[S("ab"), I(5), S("*")], S("ab***"));
        check("zs_py_str_ljust", &[S("abc"), I(6), S("é")], S("abcééé"));
        check("zs_py_str_ljust", &[S("é"), I(4), S(" ")], S("é   "));
        check("zs_py_str_ljust", &[S("ab"), I(1), S("*")], S("ab"));
        check(
            "zs_py_str_ljust",
            &[S("a"), I(3), S("")],
            E("TypeError: The fill character must be exactly one character long"),
        );
        check(
            "zs_py_str_ljust",
            &[S("a"), I(3), S("ab")],
            E("TypeError: The fill character must be exactly one character long"),
        );
        check("zs_py_bytes_ljust", &[B(b"ab"), I(7), B(b".")], B(b"ab....."));
        check(
            "zs_py_bytes_ljust",
            &[B(b"a"), I(3), B(b"")],
            E("TypeError: ljust() argument 2 must be a byte string of length 1, not bytes"),
        );
        check("zs_py_str_rjust", &[S("ab"), I(5), S("*")], S("***ab"));
        check("zs_py_str_rjust", &[S("abc"), I(6), S("é")], S("éééabc"));
        check("zs_py_str_rjust", &[S("é"), I(4), S(" ")], S("   é"));
        check("zs_py_str_rjust", &[S("ab"), I(1), S("*")], S("ab"));
        check(
            "zs_py_str_rjust",
            &[S("a"), I(3), S("")],
            E("TypeError: The fill character must be exactly one character long"),
        );
        check(
            "zs_py_str_rjust",
            &[S("a"), I(3), S("ab")],
            E("TypeError: The fill character must be exactly one character long"),
        );
        check("zs_py_bytes_rjust", &[B(b"ab"), I(7), B(b".")], B(b".....ab"));
        check(
            "zs_py_bytes_rjust",
            &[B(b"a"), I(3), B(b"")],
            E("TypeError: rjust() argument 2 must be a byte string of length 1, not bytes"),
        );
        check("zs_py_str_center", &[S("ab"), I(5), S("*")], S("**ab*"));
        check("zs_py_str_center", &[S("abc"), I(6), S("é")], S("éabcéé"));
        check("zs_py_str_center", &[S("é"), I(4), S(" ")], S(" é  "));
        check("zs_py_str_center", &[S("ab"), I(1), S("*")], S("ab"));
        check(
            "zs_py_str_center",
            &[S("a"), I(3), S("")],
            E("TypeError: The fill character must be exactly one character long"),
        );
        check(
            "zs_py_str_center",
            &[S("a"), I(3), S("ab")],
            E("TypeError: The fill character must be exactly one character long"),
        );
        check("zs_py_bytes_center", &[B(b"ab"), I(7), B(b".")], B(b"...ab.."));
        check(
            "zs_py_bytes_center",
            &[B(b"a"), I(3), B(b"")],
            E("TypeError: center() argument 2 must be a byte string of length 1, not bytes"),
        );
        check("zs_py_str_expandtabs", &[S("a\tbc\td"), I(8)], S("a       bc      d"));
        check("zs_py_str_expandtabs", &[S("é\tb"), I(4)], S("é   b"));
        check("zs_py_str_expandtabs", &[S("\t\ta\n\tb\r\t"), I(3)], S("      a\n   b\r   "));
        check("zs_py_str_expandtabs", &[S("a\tb"), I(0)], S("ab"));
        check("zs_py_str_expandtabs", &[S("a\tb"), I(-3)], S("ab"));
        check("zs_py_bytes_expandtabs", &[B(b"\xc3\xa9\tb"), I(4)], B(b"\xc3\xa9  b"));
        check("zs_py_str_expandtabs", &[S("ab"), I(8)], S("ab"));
        check("zs_py_str_expandtabs", &[S("a\t"), I(2147483648)], Trap("OverflowError"));
        check("zs_py_str_zfill", &[S("a"), I(END)], Trap("MemoryError"));
        check("zs_py_str_center", &[S("a"), I(1099511627776), S("é")], Trap("MemoryError"));
        check("zs_py_str_expandtabs", &[S("\t\t"), I(1073741824)], Trap("MemoryError"));
    }
}
