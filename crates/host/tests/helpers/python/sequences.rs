//! Text as sequences, in source code and in encodings: expected values are those of CPython.

use super::V::{B, E, I, L, N, R, S, Trap};
use super::check;
use crate::cases;

/// No bound of a slice, no modulus.
const ABSENT: i64 = i64::MIN;

/// The end that methods have unless they are given another.
const END: i64 = i64::MAX;

cases! {
    fn comparing() {
        check("zs_py_str_eq", &[S("abc"), S("abc")], I(1));
        check("zs_py_str_cmp", &[S("abc"), S("abc")], I(0));
        check("zs_py_str_eq", &[S("abc"), S("abd")], I(0));
        check("zs_py_str_cmp", &[S("abc"), S("abd")], I(-1));
        check("zs_py_str_eq", &[S("é"), S("é")], I(1));
        check("zs_py_str_cmp", &[S("é"), S("é")], I(0));
        check("zs_py_str_eq", &[S("é"), S("e")], I(0));
        check("zs_py_str_cmp", &[S("é"), S("e")], I(1));
        check("zs_py_str_eq", &[S(""), S("a")], I(0));
        check("zs_py_str_cmp", &[S(""), S("a")], I(-1));
        check("zs_py_str_eq", &[R(b"a\xed\xa0\x80"), S("a\u{ffff}")], I(0));
        check("zs_py_str_cmp", &[R(b"a\xed\xa0\x80"), S("a\u{ffff}")], I(-1));
        check("zs_py_str_eq", &[B(b"a"), B(b"a\x00")], I(0));
        check("zs_py_str_cmp", &[B(b"a"), B(b"a\x00")], I(-1));
        check("zs_py_str_eq", &[R(b"\xed\xbf\xbf"), S("𐀀")], I(0));
        check("zs_py_str_cmp", &[R(b"\xed\xbf\xbf"), S("𐀀")], I(-1));
        check("zs_py_str_eq", &[N, S("")], I(0));
        check("zs_py_str_eq", &[N, N], I(1));
        check("zs_py_str_len", &[S("")], I(0));
        check("zs_py_str_iter", &[S("")], L(&[]));
        check("zs_py_str_len", &[S("abc")], I(3));
        check("zs_py_str_iter", &[S("abc")], L(&[S("a"), S("b"), S("c")]));
        check("zs_py_str_len", &[S("aé😀")], I(3));
        check("zs_py_str_iter", &[S("aé😀")], L(&[S("a"), S("é"), S("😀")]));
        check("zs_py_str_len", &[R(b"\xed\xa0\x80\xed\xb0\x80")], I(2));
        check(
            "zs_py_str_iter",
            &[R(b"\xed\xa0\x80\xed\xb0\x80")],
            L(&[R(b"\xed\xa0\x80"), R(b"\xed\xb0\x80")]),
        );
    }

    fn indexing() {
        check("zs_py_str_at", &[S("abc"), I(0)], S("a"));
        check("zs_py_str_at", &[S("abc"), I(2)], S("c"));
        check("zs_py_str_at", &[S("abc"), I(-1)], S("c"));
        check("zs_py_str_at", &[S("abc"), I(-3)], S("a"));
        check("zs_py_str_at", &[S("abc"), I(3)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S("abc"), I(-4)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S("abc"), I(END)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S("abc"), I(ABSENT)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S("aé😀"), I(0)], S("a"));
        check("zs_py_str_at", &[S("aé😀"), I(2)], S("😀"));
        check("zs_py_str_at", &[S("aé😀"), I(-1)], S("😀"));
        check("zs_py_str_at", &[S("aé😀"), I(-3)], S("a"));
        check("zs_py_str_at", &[S("aé😀"), I(3)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S("aé😀"), I(-4)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S("aé😀"), I(END)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S("aé😀"), I(ABSENT)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(0)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(2)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(-1)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(-3)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(3)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(-4)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(END)], E("IndexError: string index out of range"));
        check("zs_py_str_at", &[S(""), I(ABSENT)], E("IndexError: string index out of range"));
        check("zs_py_bytes_at", &[B(b"a\xff"), I(0)], I(97));
        check("zs_py_bytes_at", &[B(b"a\xff"), I(-1)], I(255));
        check("zs_py_bytes_at", &[B(b"a\xff"), I(2)], E("IndexError: index out of range"));
        check("zs_py_bytes_at", &[B(b"a\xff"), I(-3)], E("IndexError: index out of range"));
        check("zs_py_bytes_at", &[B(b"a\xff"), I(ABSENT)], E("IndexError: index out of range"));
        check("zs_py_str_slice", &[S("abcdef"), I(1), I(-1), I(1)], S("bcde"));
        check("zs_py_str_slice", &[S("abcdef"), I(ABSENT), I(ABSENT), I(-1)], S("fedcba"));
        check("zs_py_str_slice", &[S("abcdef"), I(-100), I(END), I(2)], S("ace"));
        check("zs_py_str_slice", &[S("abcdef"), I(END), I(ABSENT), I(-2)], S("fdb"));
        check("zs_py_str_slice", &[S("abcdef"), I(4), I(1), I(-1)], S("edc"));
        check("zs_py_str_slice", &[S("abcdef"), I(2), I(1), I(1)], S(""));
        check("zs_py_str_slice", &[S("abcdef"), I(0), I(ABSENT), I(END)], S("a"));
        check("zs_py_str_slice", &[S("abcdef"), I(ABSENT), I(2), I(1)], S("ab"));
        check(
            "zs_py_str_slice",
            &[S("abcdef"), I(0), I(1), I(0)],
            E("ValueError: slice step cannot be zero"),
        );
        check("zs_py_str_slice", &[S("abcdef"), I(-1), I(-3), I(ABSENT)], S("f"));
        check("zs_py_str_slice", &[S("aé😀üx"), I(1), I(-1), I(1)], S("é😀ü"));
        check("zs_py_str_slice", &[S("aé😀üx"), I(ABSENT), I(ABSENT), I(-1)], S("xü😀éa"));
        check("zs_py_str_slice", &[S("aé😀üx"), I(-100), I(END), I(2)], S("a😀x"));
        check("zs_py_str_slice", &[S("aé😀üx"), I(END), I(ABSENT), I(-2)], S("x😀a"));
        check("zs_py_str_slice", &[S("aé😀üx"), I(4), I(1), I(-1)], S("xü😀"));
        check("zs_py_str_slice", &[S("aé😀üx"), I(2), I(1), I(1)], S(""));
        check("zs_py_str_slice", &[S("aé😀üx"), I(0), I(ABSENT), I(END)], S("a"));
        check("zs_py_str_slice", &[S("aé😀üx"), I(ABSENT), I(2), I(1)], S("aé"));
        check(
            "zs_py_str_slice",
            &[S("aé😀üx"), I(0), I(1), I(0)],
            E("ValueError: slice step cannot be zero"),
        );
        check("zs_py_str_slice", &[S("aé😀üx"), I(-1), I(-3), I(ABSENT)], S("x"));
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(1), I(-1), I(1)], B(b"\xa9"));
        check(
            "zs_py_bytes_slice",
            &[B(b"\xc3\xa9a"), I(ABSENT), I(ABSENT), I(-1)],
            B(b"a\xa9\xc3"),
        );
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(-100), I(END), I(2)], B(b"\xc3a"));
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(END), I(ABSENT), I(-2)], B(b"a\xc3"));
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(4), I(1), I(-1)], B(b"a"));
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(2), I(1), I(1)], B(b""));
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(0), I(ABSENT), I(END)], B(b"\xc3"));
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(ABSENT), I(2), I(1)], B(b"\xc3\xa9"));
        check(
            "zs_py_bytes_slice",
            &[B(b"\xc3\xa9a"), I(0), I(1), I(0)],
            E("ValueError: slice step cannot be zero"),
        );
        check("zs_py_bytes_slice", &[B(b"\xc3\xa9a"), I(-1), I(-3), I(ABSENT)], B(b"a"));
        check("zs_py_str_slice", &[S(""), I(1), I(-1), I(1)], S(""));
        check("zs_py_str_slice", &[S(""), I(ABSENT), I(ABSENT), I(-1)], S(""));
        check("zs_py_str_slice", &[S(""), I(-100), I(END), I(2)], S(""));
        check("zs_py_str_slice", &[S(""), I(END), I(ABSENT), I(-2)], S(""));
        check("zs_py_str_slice", &[S(""), I(4), I(1), I(-1)], S(""));
        check("zs_py_str_slice", &[S(""), I(2), I(1), I(1)], S(""));
        check("zs_py_str_slice", &[S(""), I(0), I(ABSENT), I(END)], S(""));
        check("zs_py_str_slice", &[S(""), I(ABSENT), I(2), I(1)], S(""));
        check(
            "zs_py_str_slice",
            &[S(""), I(0), I(1), I(0)],
            E("ValueError: slice step cannot be zero"),
        );
        check("zs_py_str_slice", &[S(""), I(-1), I(-3), I(ABSENT)], S(""));
        check(
            "zs_py_list_slice",
            &[L(&[S("a"), S("b"), S("é")]), I(1), I(ABSENT), I(1), I(1)],
            L(&[S("b"), S("é")]),
        );
        check(
            "zs_py_list_slice",
            &[L(&[S("a"), S("b"), S("é")]), I(ABSENT), I(ABSENT), I(-1), I(1)],
            L(&[S("é"), S("b"), S("a")]),
        );
        check(
            "zs_py_list_slice",
            &[L(&[S("a"), S("b"), S("é")]), I(0), I(-1), I(2), I(1)],
            L(&[S("a")]),
        );
        check("zs_py_list_slice", &[L(&[S("a"), S("b"), S("é")]), I(5), I(1), I(1), I(1)], L(&[]));
        check(
            "zs_py_list_slice",
            &[L(&[S("a")]), I(0), I(1), I(0), I(1)],
            Trap("zs_py_list_slice: step or each: 0x0 is not valid"),
        );
    }

    fn containing() {
        check("zs_py_str_contains", &[S("abc"), S("bc")], I(1));
        check("zs_py_str_contains", &[S("abc"), S("")], I(1));
        check("zs_py_str_contains", &[S("é😀"), S("😀")], I(1));
        check("zs_py_str_contains", &[S("a"), S("b")], I(0));
        check("zs_py_bytes_contains", &[B(b"abc"), B(b"c")], I(1));
        check("zs_py_bytes_contains", &[B(b"a"), B(b"b")], I(0));
        check("zs_py_bytes_contains_int", &[B(b"a\xff"), I(97)], I(1));
        check("zs_py_bytes_contains_int", &[B(b"a\xff"), I(98)], I(0));
        check("zs_py_bytes_contains_int", &[B(b"a\xff"), I(255)], I(1));
        check(
            "zs_py_bytes_contains_int",
            &[B(b"a\xff"), I(256)],
            E("ValueError: byte must be in range(0, 256)"),
        );
        check(
            "zs_py_bytes_contains_int",
            &[B(b"a\xff"), I(-1)],
            E("ValueError: byte must be in range(0, 256)"),
        );
        check("zs_py_list_contains", &[L(&[S("a"), S("é"), S("ab")]), S("ab")], I(1));
        check("zs_py_list_contains", &[L(&[S("a")]), S("b")], I(0));
        check("zs_py_list_contains", &[L(&[]), S("")], I(0));
        check("zs_py_list_contains", &[L(&[B(b"x")]), B(b"x")], I(1));
        check("zs_py_str_repeat", &[S("aé"), I(3)], S("aéaéaé"));
        check("zs_py_str_repeat", &[S("ab"), I(1)], S("ab"));
        check("zs_py_str_repeat", &[S("ab"), I(0)], S(""));
        check("zs_py_str_repeat", &[S("ab"), I(-2)], S(""));
        check("zs_py_bytes_repeat", &[B(b"\xff"), I(2)], B(b"\xff\xff"));
        check("zs_py_str_repeat", &[S(""), I(5)], S(""));
        check("zs_py_str_repeat", &[S("ab"), I(4611686018427387904)], Trap("MemoryError"));
        check("zs_py_bytes_repeat", &[B(b"a"), I(1048577)], Trap("MemoryError"));
    }

    fn writing_as_source() {
        check("zs_py_str_repr", &[S("a'b")], S("\"a'b\""));
        check("zs_py_str_repr", &[S("a\"b")], S("'a\"b'"));
        check("zs_py_str_repr", &[S("'\"\\")], S("'\\'\"\\\\'"));
        check("zs_py_str_repr", &[S("\t\n\r\u{0}\u{7f}\u{85}")], S("'\\t\\n\\r\\x00\\x7f\\x85'"));
        check(
            "zs_py_str_repr",
            &[
                R(b"\xc3\xa9\xcc\x81\xf0\x9f\x98\x80\xc2\xad\xe2\x80\x8b\xe2\x80\xa8\
                    \xed\xa0\x80\xf3\xa0\x80\x81"),
            ],
            S("'é\u{301}😀\\xad\\u200b\\u2028\\ud800\\U000e0001'"),
        );
        check("zs_py_bytes_repr", &[B(b"a'\\\n\xff")], S("b\"a'\\\\\\n\\xff\""));
        check("zs_py_bytes_repr", &[B(b"'\"")], S("b'\\'\"'"));
        check("zs_py_str_repr", &[S("")], S("''"));
    }

    fn encoding() {
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(0), I(0)],
            B(b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(0), I(0)],
            E("UnicodeEncodeError: 'utf-8' codec can't encode characters in position 0-1: \
               surrogates not allowed"),
        );
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(0), I(1)],
            B(b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(0), I(1)],
            B(b"x"),
        );
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(0), I(2)],
            B(b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(0), I(2)],
            B(b"??x?"),
        );
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(0), I(3)],
            B(b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(0), I(3)],
            E("UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in \
               position 3: surrogates not allowed"),
        );
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(0), I(4)],
            B(b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(0), I(4)],
            B(b"\\udc80\\udcffx\\ud800"),
        );
        check("zs_py_str_encode", &[S("abc"), I(0), I(0)], B(b"abc"));
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(1), I(0)],
            E("UnicodeEncodeError: 'ascii' codec can't encode characters in position 1-3: \
               ordinal not in range(128)"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(1), I(0)],
            E("UnicodeEncodeError: 'ascii' codec can't encode characters in position 0-1: \
               ordinal not in range(128)"),
        );
        check("zs_py_str_encode", &[S("aé€😀"), I(1), I(1)], B(b"a"));
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(1), I(1)],
            B(b"x"),
        );
        check("zs_py_str_encode", &[S("aé€😀"), I(1), I(2)], B(b"a???"));
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(1), I(2)],
            B(b"??x?"),
        );
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(1), I(3)],
            E("UnicodeEncodeError: 'ascii' codec can't encode characters in position 1-3: \
               ordinal not in range(128)"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(1), I(3)],
            E("UnicodeEncodeError: 'ascii' codec can't encode character '\\ud800' in \
               position 3: ordinal not in range(128)"),
        );
        check("zs_py_str_encode", &[S("aé€😀"), I(1), I(4)], B(b"a\\xe9\\u20ac\\U0001f600"));
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(1), I(4)],
            B(b"\\udc80\\udcffx\\ud800"),
        );
        check("zs_py_str_encode", &[S("abc"), I(1), I(0)], B(b"abc"));
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(2), I(0)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode characters in position \
               2-3: ordinal not in range(256)"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(2), I(0)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode characters in position \
               0-1: ordinal not in range(256)"),
        );
        check("zs_py_str_encode", &[S("aé€😀"), I(2), I(1)], B(b"a\xe9"));
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(2), I(1)],
            B(b"x"),
        );
        check("zs_py_str_encode", &[S("aé€😀"), I(2), I(2)], B(b"a\xe9??"));
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(2), I(2)],
            B(b"??x?"),
        );
        check(
            "zs_py_str_encode",
            &[S("aé€😀"), I(2), I(3)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode characters in position \
               2-3: ordinal not in range(256)"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(2), I(3)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode character '\\ud800' in \
               position 3: ordinal not in range(256)"),
        );
        check("zs_py_str_encode", &[S("aé€😀"), I(2), I(4)], B(b"a\xe9\\u20ac\\U0001f600"));
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xb3\xbfx\xed\xa0\x80"), I(2), I(4)],
            B(b"\\udc80\\udcffx\\ud800"),
        );
        check("zs_py_str_encode", &[S("abc"), I(2), I(0)], B(b"abc"));
        check(
            "zs_py_str_encode",
            &[S("€"), I(2), I(0)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode character '\\u20ac' in \
               position 0: ordinal not in range(256)"),
        );
        check(
            "zs_py_str_encode",
            &[S("a€€b"), I(2), I(0)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode characters in position \
               1-2: ordinal not in range(256)"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb3\xa9\xc3\xa9"), I(2), I(0)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode character '\\udce9' in \
               position 0: ordinal not in range(256)"),
        );
        check(
            "zs_py_str_encode",
            &[S("ÿĀ"), I(2), I(0)],
            E("UnicodeEncodeError: 'latin-1' codec can't encode character '\\u0100' in \
               position 1: ordinal not in range(256)"),
        );
        check(
            "zs_py_str_encode",
            &[R(b"\xed\xb2\x80\xed\xa0\x80\xed\xbf\xbf"), I(0), I(3)],
            E("UnicodeEncodeError: 'utf-8' codec can't encode characters in position 1-2: \
               surrogates not allowed"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"a\xffb\xe2\x82"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 1: \
               invalid start byte"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xed\xa0\x80\xf0\x9f\x98\x80\xc3"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xed in position 0: \
               invalid continuation byte"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"a\xe9\xff"), I(1), I(0)],
            E("UnicodeDecodeError: 'ascii' codec can't decode byte 0xe9 in position 1: \
               ordinal not in range(128)"),
        );
        check("zs_py_bytes_decode", &[B(b"a\xffb\xe2\x82"), I(0), I(1)], S("ab"));
        check("zs_py_bytes_decode", &[B(b"\xed\xa0\x80\xf0\x9f\x98\x80\xc3"), I(0), I(1)], S("😀"));
        check("zs_py_bytes_decode", &[B(b"a\xe9\xff"), I(1), I(1)], S("a"));
        check("zs_py_bytes_decode", &[B(b"a\xffb\xe2\x82"), I(0), I(2)], S("a�b�"));
        check(
            "zs_py_bytes_decode",
            &[B(b"\xed\xa0\x80\xf0\x9f\x98\x80\xc3"), I(0), I(2)],
            S("���😀�"),
        );
        check("zs_py_bytes_decode", &[B(b"a\xe9\xff"), I(1), I(2)], S("a��"));
        check(
            "zs_py_bytes_decode",
            &[B(b"a\xffb\xe2\x82"), I(0), I(3)],
            R(b"a\xed\xb3\xbfb\xed\xb3\xa2\xed\xb2\x82"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xed\xa0\x80\xf0\x9f\x98\x80\xc3"), I(0), I(3)],
            R(b"\xed\xb3\xad\xed\xb2\xa0\xed\xb2\x80\xf0\x9f\x98\x80\xed\xb3\x83"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"a\xe9\xff"), I(1), I(3)],
            R(b"a\xed\xb3\xa9\xed\xb3\xbf"),
        );
        check("zs_py_bytes_decode", &[B(b"a\xffb\xe2\x82"), I(0), I(4)], S("a\\xffb\\xe2\\x82"));
        check(
            "zs_py_bytes_decode",
            &[B(b"\xed\xa0\x80\xf0\x9f\x98\x80\xc3"), I(0), I(4)],
            S("\\xed\\xa0\\x80😀\\xc3"),
        );
        check("zs_py_bytes_decode", &[B(b"a\xe9\xff"), I(1), I(4)], S("a\\xe9\\xff"));
        check(
            "zs_py_bytes_decode",
            &[B(b"\xc0\x80"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xc0 in position 0: \
               invalid start byte"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xe0\x80"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe0 in position 0: \
               invalid continuation byte"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xf4\x90\x80\x80"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xf4 in position 0: \
               invalid continuation byte"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xe2\x82"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode bytes in position 0-1: \
               unexpected end of data"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xf0\x9f\x98"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode bytes in position 0-2: \
               unexpected end of data"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xe2("), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe2 in position 0: \
               invalid continuation byte"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\x80"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0x80 in position 0: \
               invalid start byte"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"\xf5"), I(0), I(0)],
            E("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xf5 in position 0: \
               invalid start byte"),
        );
        check("zs_py_bytes_decode", &[B(b"a\xe9\xff"), I(2), I(0)], S("aéÿ"));
        check("zs_py_bytes_decode", &[B(b"\xc3\xa9"), I(0), I(0)], S("é"));
        check("zs_py_bytes_decode", &[B(b""), I(0), I(0)], S(""));
        check(
            "zs_py_str_encode",
            &[S("é"), I(3), I(0)],
            Trap("zs_py_str_encode: codec: 0x3 is not valid"),
        );
        check(
            "zs_py_bytes_decode",
            &[B(b"a"), I(0), I(5)],
            Trap("zs_py_bytes_decode: errors: 0x5 is not valid"),
        );
        check("zs_py_bytes_hex", &[B(b"\x00\xff\x1a")], S("00ff1a"));
        check("zs_py_bytes_hex", &[B(b"")], S(""));
        check("zs_py_bytes_fromhex", &[S("00 fF\t1a")], B(b"\x00\xff\x1a"));
        check("zs_py_bytes_fromhex", &[S("")], B(b""));
        check(
            "zs_py_bytes_fromhex",
            &[S("abc")],
            E("ValueError: non-hexadecimal number found in fromhex() arg at position 3"),
        );
        check(
            "zs_py_bytes_fromhex",
            &[S("a b")],
            E("ValueError: non-hexadecimal number found in fromhex() arg at position 1"),
        );
        check(
            "zs_py_bytes_fromhex",
            &[S("zz")],
            E("ValueError: non-hexadecimal number found in fromhex() arg at position 0"),
        );
        check(
            "zs_py_bytes_fromhex",
            &[S("az")],
            E("ValueError: non-hexadecimal number found in fromhex() arg at position 1"),
        );
        check(
            "zs_py_bytes_fromhex",
            &[S("aé")],
            E("ValueError: non-hexadecimal number found in fromhex() arg at position 1"),
        );
        check(
            "zs_py_bytes_fromhex",
            &[S("abgé")],
            E("ValueError: non-hexadecimal number found in fromhex() arg at position 3"),
        );
        check(
            "zs_py_bytes_fromhex",
            &[S("ab\u{1c}")],
            E("ValueError: non-hexadecimal number found in fromhex() arg at position 2"),
        );
    }

    fn characters() {
        check("zs_py_str_ord", &[S("a")], I(97));
        check("zs_py_str_ord", &[S("é")], I(233));
        check("zs_py_str_ord", &[S("😀")], I(128512));
        check("zs_py_str_ord", &[R(b"\xed\xa0\x80")], I(55296));
        check(
            "zs_py_str_ord",
            &[S("")],
            E("TypeError: ord() expected a character, but string of length 0 found"),
        );
        check(
            "zs_py_str_ord",
            &[S("ab")],
            E("TypeError: ord() expected a character, but string of length 2 found"),
        );
        check(
            "zs_py_str_ord",
            &[S("éa")],
            E("TypeError: ord() expected a character, but string of length 2 found"),
        );
        check("zs_py_bytes_ord", &[B(b"\xff")], I(255));
        check(
            "zs_py_bytes_ord",
            &[B(b"ab")],
            E("TypeError: ord() expected a character, but string of length 2 found"),
        );
        check("zs_py_chr", &[I(0)], S("\u{0}"));
        check("zs_py_chr", &[I(97)], S("a"));
        check("zs_py_chr", &[I(233)], S("é"));
        check("zs_py_chr", &[I(55296)], R(b"\xed\xa0\x80"));
        check("zs_py_chr", &[I(128512)], S("😀"));
        check("zs_py_chr", &[I(1114111)], S("\u{10ffff}"));
        check("zs_py_chr", &[I(1114112)], E("ValueError: chr() arg not in range(0x110000)"));
        check("zs_py_chr", &[I(-1)], E("ValueError: chr() arg not in range(0x110000)"));
        check("zs_py_chr", &[I(2147483648)], Trap("ValueError: chr() arg not in range(0x110000)"));
    }
}
