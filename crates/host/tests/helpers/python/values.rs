//! JSON, patterns, URLs and addresses: expected values are those of CPython.

use std::sync::Arc;

use zeroserve_host::Patterns;

use crate::cases;
use crate::python::py::{
    bytes_word, call, content, give, joined, list, one, shown, str_word, trap,
};
use crate::rig::Rig;

fn s(rig: &mut Rig, text: &str) -> u64 {
    str_word(rig, text.as_bytes())
}

fn loads(rig: &mut Rig, text: &[u8]) -> Result<u64, String> {
    let word = str_word(rig, text);
    one(rig, "zs_py_json_loads", &[word, 0])
}

fn dumps(rig: &mut Rig, json: u64, flags: u64) -> String {
    let word = call(rig, "zs_py_json_dumps", &[json, flags]);
    String::from_utf8_lossy(&content(rig, word)).into()
}

fn again(rig: &mut Rig, text: &str) -> String {
    let mark = rig.mark();
    let json = loads(rig, text.as_bytes()).unwrap();
    rig.rewind(mark);
    dumps(rig, json, 1)
}

cases! {
    fn json_texts() {
        let mut rig = Rig::new();
        for (text, expected) in [
            ("null", "null"),
            (" [true,false , null] ", "[true, false, null]"),
            ("{\"b\":1,\"a\":{\"c\":[]},\"b\":[2,{}]}", "{\"b\": [2, {}], \"a\": {\"c\": []}}"),
            ("[0,-0,9223372036854775807,-9223372036854775808,9223372036854775808]",
             "[0, 0, 9223372036854775807, -9223372036854775808, 9223372036854775808]"),
            ("[1.0,1e5,1E400,-1e-7,0.1,1e16,123456789012345680.0,5e-324,-0.0,1e22,0.0001,0.00001]",
             "[1.0, 100000.0, Infinity, -1e-07, 0.1, 1e+16, 1.2345678901234568e+17, 5e-324, -0.0, \
              1e+22, 0.0001, 1e-05]"),
            ("\"\\u00e9\\ud83d\\ude00\\ud800\\/\\b\\f\\n\\r\\t\\\"\\\\\x7f\"",
             "\"\\u00e9\\ud83d\\ude00\\ud800/\\b\\f\\n\\r\\t\\\"\\\\\\u007f\""),
            ("\"\\ud800\\u0041\"", "\"\\ud800A\""),
            ("\"\\udc00\\ud800\"", "\"\\udc00\\ud800\""),
        ] {
            assert_eq!(again(&mut rig, text), expected, "{text}");
        }
        let json = loads(&mut rig, "{\"é😀\": [1, 2]}".as_bytes()).unwrap();
        assert_eq!(dumps(&mut rig, json, 0), "{\"é😀\": [1, 2]}");
        assert_eq!(dumps(&mut rig, json, 2), "{\"é😀\":[1,2]}");
        assert_eq!(dumps(&mut rig, json, 3), "{\"\\u00e9\\ud83d\\ude00\":[1,2]}");
        let text = s(&mut rig, "a\"é\u{1f}");
        let quoted = call(&mut rig, "zs_py_json_quote", &[text, 1]);
        assert_eq!(shown(&mut rig, quoted), "\"a\\\"\\u00e9\\u001f\"");
        let quoted = call(&mut rig, "zs_py_json_quote", &[text, 0]);
        assert_eq!(shown(&mut rig, quoted), "\"a\\\"é\\u001f\"");
    }

    fn json_errors() {
        let mut rig = Rig::new();
        for (text, expected) in [
            ("\"\\x\"", "Invalid \\escape: line 1 column 2 (char 1)"),
            ("\"\\u12\"", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
            ("\"\\ud800\\u12\"", "Invalid \\uXXXX escape: line 1 column 9 (char 8)"),
            ("[1,]", "Expecting value: line 1 column 4 (char 3)"),
            ("{\"a\":1,}",
             "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)"),
            ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("[", "Expecting value: line 1 column 2 (char 1)"),
            ("\"a\nb\"", "Invalid control character at: line 1 column 3 (char 2)"),
            ("\"abc", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
            ("{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            ("nul", "Expecting value: line 1 column 1 (char 0)"),
            ("-", "Expecting value: line 1 column 1 (char 0)"),
            ("1 2", "Extra data: line 1 column 3 (char 2)"),
            ("01", "Extra data: line 1 column 2 (char 1)"),
            ("1.", "Extra data: line 1 column 2 (char 1)"),
            ("1e", "Extra data: line 1 column 2 (char 1)"),
            ("-Infinit", "Expecting value: line 1 column 1 (char 0)"),
            ("\u{feff}1",
             "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
            ("\"\\", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("\"\\u00zz\"", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
            ("{1:2}",
             "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("[1,\n 2 3]", "Expecting ',' delimiter: line 2 column 4 (char 7)"),
            ("é\"", "Expecting value: line 1 column 1 (char 0)"),
            ("\"éé\" é", "Extra data: line 1 column 6 (char 5)"),
        ] {
            let raised = loads(&mut rig, text.as_bytes()).unwrap_err();
            assert_eq!(raised, format!("JSONDecodeError: {expected}"), "{text}");
        }
        for (text, reason) in [
            ("[NaN]", "NaN in JSON"),
            ("-Infinity", "-Infinity in JSON"),
            (&*"[".repeat(501), "deeper than 500"),
            (&*"1".repeat(4301), "4300 digits"),
        ] {
            let word = s(&mut rig, text);
            let out = rig.put(&[0; 8]);
            let stopped = trap(&mut rig, "zs_py_json_loads", &[word, 0, out]);
            assert!(stopped.contains(reason), "{stopped}");
        }
        again(&mut rig, &("[".repeat(500) + &"]".repeat(500)));
        for (bytes, expected) in [
            (&b"\xef\xbb\xbf[1]"[..], Ok("[1]")),
            (b"\"\xed\xa0\x80\"", Ok("\"\\ud800\"")),
            (b"\"\xc3(\"", Err("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xc3 in \
                position 1: invalid continuation byte")),
        ] {
            let word = bytes_word(&mut rig, bytes);
            let result = one(&mut rig, "zs_py_json_loads", &[word, 1]);
            let result = result.map(|json| dumps(&mut rig, json, 1));
            assert_eq!(result, expected.map(str::to_owned).map_err(str::to_owned));
        }
        let wide = bytes_word(&mut rig, b"1\0");
        assert!(trap(&mut rig, "zs_py_json_loads", &[wide, 1, 0]).contains("utf-16-le"));
    }

    fn json_memory() {
        let mut rig = Rig::new();
        let text = format!("[{}1]", "1,".repeat(120_000));
        let address = rig.instance.alloc(text.len() as u64).unwrap();
        let place = rig.instance.memory().write(address.into(), text.len() as u64).unwrap();
        place.copy_from_slice(text.as_bytes());
        let word = u64::from(address) | (text.len() as u64) << 32;
        for _ in 0..4 {
            one(&mut rig, "zs_py_json_loads", &[word, 0]).unwrap();
        }
        let out = rig.put(&[0; 8]);
        let stopped = trap(&mut rig, "zs_py_json_loads", &[word, 0, out]);
        assert!(stopped.starts_with("MemoryError") && stopped.contains("8388608"), "{stopped}");
        rig.exchange.start("next");
        assert!(trap(&mut rig, "zs_py_json_kind", &[1]).contains("not valid"));
        one(&mut rig, "zs_py_json_loads", &[word, 0]).unwrap();
    }

    fn json_values() {
        let mut rig = Rig::new();
        let json = loads(&mut rig, b"[null, true, 1, 1.5, \"aXb\", [], {\"x\": 5}, 9223372036854775808, 1.0]").unwrap();
        let out = one(&mut rig, "zs_py_json_iter", &[json]).unwrap();
        let all = list(&mut rig, out, 1);
        let kinds: Vec<_> = all.iter().map(|j| call(&mut rig, "zs_py_json_kind", &[*j])).collect();
        assert_eq!(kinds, [0, 1, 2, 3, 4, 5, 6, 2, 3]);
        let truth: Vec<_> = all.iter().map(|j| call(&mut rig, "zs_py_json_bool", &[*j])).collect();
        assert_eq!(truth, [0, 1, 1, 1, 1, 0, 1, 1, 1]);
        let texts = all.iter().map(|j| match rig.raw("zs_py_json_str", [*j, 0, 0, 0, 0]) {
            zeroserve_host::Outcome::Value(word) => shown(&mut rig, word),
            _ => "trap".into(),
        });
        assert_eq!(texts.collect::<Vec<_>>().join(" "),
            "None True 1 1.5 aXb trap trap 9223372036854775808 1.0");
        let lens: Vec<_> = all.iter().map(|j| one(&mut rig, "zs_py_json_len", &[*j])).collect();
        assert_eq!(lens[4..7], [Ok(3), Ok(0), Ok(1)]);
        assert_eq!(lens[2], Err("TypeError: object of type 'int' has no len()".into()));
        assert_eq!(lens[0], Err("TypeError: object of type 'NoneType' has no len()".into()));
        let (x, i) = (s(&mut rig, "x"), s(&mut rig, "X"));
        assert_eq!(one(&mut rig, "zs_py_json_has", &[all[6], x]), Ok(1));
        assert_eq!(one(&mut rig, "zs_py_json_has", &[all[4], i]), Ok(1));
        assert_eq!(one(&mut rig, "zs_py_json_has", &[all[4], x]), Ok(0));
        assert_eq!(one(&mut rig, "zs_py_json_has", &[json, x]), Ok(0));
        assert_eq!(one(&mut rig, "zs_py_json_has", &[all[3], x]).unwrap_err(),
            "TypeError: argument of type 'float' is not iterable");
        let item = one(&mut rig, "zs_py_json_item", &[all[6], x]).unwrap();
        assert_eq!(call(&mut rig, "zs_py_json_as_int", &[item]), 5);
        for (place, why) in [
            (6, "KeyError: 'X'"),
            (5, "TypeError: list indices must be integers or slices, not str"),
            (4, "TypeError: string indices must be integers, not 'str'"),
            (2, "TypeError: 'int' object is not subscriptable"),
            (0, "TypeError: 'NoneType' object is not subscriptable"),
        ] {
            assert_eq!(one(&mut rig, "zs_py_json_item", &[all[place], i]).unwrap_err(), why);
        }
        let index = |rig: &mut Rig, j: u64, i: i64| one(rig, "zs_py_json_index", &[j, i as u64]);
        assert_eq!(index(&mut rig, json, -1), Ok(all[8]));
        assert_eq!(index(&mut rig, json, 0), Ok(0));
        assert_eq!(index(&mut rig, json, 9).unwrap_err(), "IndexError: list index out of range");
        assert!(index(&mut rig, json, i64::MIN).is_err());
        let letter = index(&mut rig, all[4], -2).unwrap();
        assert_eq!(call(&mut rig, "zs_py_json_eq_str", &[letter, i]), 1);
        assert_eq!(index(&mut rig, all[4], 3).unwrap_err(), "IndexError: string index out of range");
        assert_eq!(index(&mut rig, all[6], -4).unwrap_err(), "KeyError: -4");
        assert_eq!(index(&mut rig, all[1], 0).unwrap_err(),
            "TypeError: 'bool' object is not subscriptable");
        assert_eq!(give(&mut rig, "zs_py_json_get", &[all[6], x], 2), Ok(vec![1, item]));
        assert_eq!(give(&mut rig, "zs_py_json_get", &[all[6], i], 2), Ok(vec![0, 0]));
        assert_eq!(give(&mut rig, "zs_py_json_get", &[json, x], 2).unwrap_err(),
            "AttributeError: 'list' object has no attribute 'get'");
        for (name, place, why) in [
            ("zs_py_json_as_str", 5, "a list where the script needs a str"),
            ("zs_py_json_as_int", 1, "a bool where the script needs an int"),
            ("zs_py_json_as_int", 7, "does not fit in 64 bits"),
            ("zs_py_json_as_bool", 0, "None where the script needs a bool"),
        ] {
            assert!(trap(&mut rig, name, &[all[place]]).contains(why), "{why}");
        }
        assert_eq!(call(&mut rig, "zs_py_json_as_bool", &[all[1]]), 1);
        let text = call(&mut rig, "zs_py_json_as_str", &[all[4]]);
        assert_eq!(shown(&mut rig, text), "aXb");
        for (one_, other, equal) in [(1, 2, 1), (2, 8, 1), (2, 3, 0), (0, 5, 0), (5, 5, 1), (7, 7, 1)] {
            assert_eq!(call(&mut rig, "zs_py_json_eq", &[all[one_], all[other]]), equal);
        }
        assert_eq!(call(&mut rig, "zs_py_json_eq_int", &[all[1], 1]), 1);
        assert_eq!(call(&mut rig, "zs_py_json_eq_int", &[all[3], 1]), 0);
        let made = call(&mut rig, "zs_py_json_of_int", &[-3_i64 as u64]);
        assert_eq!(call(&mut rig, "zs_py_json_as_int", &[made]) as i64, -3);
        let made = call(&mut rig, "zs_py_json_of_bool", &[1]);
        assert_eq!(call(&mut rig, "zs_py_json_eq", &[made, all[8]]), 1);
        let made = call(&mut rig, "zs_py_json_of_str", &[x]);
        assert_eq!(call(&mut rig, "zs_py_json_eq_str", &[made, x]), 1);
    }

    fn json_equality() {
        let mut rig = Rig::new();
        for (one_, other, equal) in [
            ("{\"a\": 1, \"b\": [2]}", "{\"b\": [2.0], \"a\": true}", 1),
            ("{\"a\": 1}", "{\"a\": 1, \"b\": 1}", 0),
            ("{\"a\": null}", "{\"b\": null}", 0),
            ("[1, 2]", "[2, 1]", 0),
            ("1e19", "10000000000000000000", 1),
            ("9223372036854775807", "9223372036854775808.0", 0),
            ("9007199254740993", "9007199254740992.0", 0),
            ("1e999", "1e999", 1),
        ] {
            let words = [loads(&mut rig, one_.as_bytes()).unwrap(), loads(&mut rig, other.as_bytes()).unwrap()];
            assert_eq!(call(&mut rig, "zs_py_json_eq", &words), equal, "{one_} == {other}");
        }
    }

    fn json_dicts() {
        let mut rig = Rig::new();
        let pairs: Vec<_> = (0..40).map(|n| format!("\"k{}\": {n}", n * 7 % 31)).collect();
        let json = loads(&mut rig, format!("{{{}}}", pairs.join(",")).as_bytes()).unwrap();
        assert_eq!(one(&mut rig, "zs_py_json_len", &[json]), Ok(31));
        for n in 0..31_u64 {
            let key = s(&mut rig, &format!("k{}", n * 7 % 31));
            let value = one(&mut rig, "zs_py_json_item", &[json, key]).unwrap();
            let last = if n < 9 { n + 31 } else { n };
            assert_eq!(call(&mut rig, "zs_py_json_as_int", &[value]), last);
        }
        let keys = one(&mut rig, "zs_py_json_keys", &[json]).unwrap();
        assert!(joined(&mut rig, keys, 1).starts_with("k0|k7|k14|k21|k28|k4|"));
        let small = loads(&mut rig, "{\"b\": null, \"é\": 2, \"b\": 3}".as_bytes()).unwrap();
        let values = one(&mut rig, "zs_py_json_values", &[small]).unwrap();
        let values = list(&mut rig, values, 1);
        let items = one(&mut rig, "zs_py_json_items", &[small]).unwrap();
        let items = list(&mut rig, items, 2);
        assert_eq!((items[1], items[3]), (values[0], values[1]));
        assert_eq!((shown(&mut rig, items[0]), shown(&mut rig, items[2])), ("b".into(), "é".into()));
        assert_eq!(call(&mut rig, "zs_py_json_as_int", &[values[0]]), 3);
        let names = one(&mut rig, "zs_py_json_iter", &[small]).unwrap();
        let names = list(&mut rig, names, 1);
        let name = call(&mut rig, "zs_py_json_as_str", &[names[1]]);
        assert_eq!(shown(&mut rig, name), "é");
        let letters = one(&mut rig, "zs_py_json_iter", &[names[1]]).unwrap();
        assert_eq!(letters >> 32, 1);
        for name in ["zs_py_json_keys", "zs_py_json_values", "zs_py_json_items"] {
            let method = name.trim_start_matches("zs_py_json_");
            assert_eq!(one(&mut rig, name, &[0]).unwrap_err(),
                format!("AttributeError: 'NoneType' object has no attribute '{method}'"));
        }
        assert_eq!(one(&mut rig, "zs_py_json_iter", &[0]).unwrap_err(),
            "TypeError: 'NoneType' object is not iterable");
    }

    fn patterns() {
        let mut rig = with_patterns(&[
            (r"(\w+)@(\w+)?", 0), (r"x*", 0), (r"b(?:(?P<zs_eol>\n)\z|\z)", 1), ("(a)|b", 0), ("|a", 0),
            (r"(?:(?P<zs_eol>\n)\z|\z)", 1), (r"[^/\w]+", 4),
        ]);
        let subject = s(&mut rig, "é ab@ x@y");
        let found = call(&mut rig, "zs_py_re_search", &[0, subject]);
        for (group, text, span) in [(0, "ab@", [2, 5]), (1, "ab", [2, 4]), (2, "-", [u64::MAX; 2])] {
            let word = call(&mut rig, "zs_py_re_group", &[found, group]);
            assert_eq!(shown(&mut rig, word), text);
            assert_eq!(give(&mut rig, "zs_py_re_span", &[found, group], 2), Ok(span.to_vec()));
        }
        assert!(trap(&mut rig, "zs_py_re_group", &[found, 3]).contains("group"));
        let line = s(&mut rig, "ab\n");
        let found = call(&mut rig, "zs_py_re_search", &[2, line]);
        assert_eq!(give(&mut rig, "zs_py_re_span", &[found, 0], 2), Ok(vec![1, 2]));
        assert_eq!(call(&mut rig, "zs_py_re_search", &[0, line]), 0);
        assert!(trap(&mut rig, "zs_py_re_search", &[9, line]).contains("pattern"));
        let lone = str_word(&mut rig, b"\xed\xa0\x80");
        assert!(trap(&mut rig, "zs_py_re_search", &[0, lone]).contains("surrogates"));
        let lone = str_word(&mut rig, b"/a\xed\xb3\xbf\xed\xa0\x80b\xed\x9f\xbf");
        let found = call(&mut rig, "zs_py_re_search", &[6, lone]);
        let word = call(&mut rig, "zs_py_re_group", &[found, 0]);
        assert_eq!(content(&mut rig, word), b"\xed\xb3\xbf\xed\xa0\x80");
        assert_eq!(give(&mut rig, "zs_py_re_span", &[found, 0], 2), Ok(vec![2, 4]));
        let dot = s(&mut rig, ".\0\u{1}");
        let changed = call(&mut rig, "zs_py_re_sub", &[6, dot, lone, 0]);
        assert_eq!(content(&mut rig, changed), b"/a.\xed\xb3\xbf\xed\xa0\x80b.\xed\x9f\xbf");
        let broken = str_word(&mut rig, b"\xed\xa0\x80\xff");
        assert!(trap(&mut rig, "zs_py_re_search", &[6, broken]).contains("surrogates"));
        let all = |rig: &mut Rig, pattern: u64, text: &str| {
            let word = s(rig, text);
            let word = call(rig, "zs_py_re_findall", &[pattern, word]);
            joined(rig, word, 1)
        };
        assert_eq!(all(&mut rig, 1, "axxbx"), "|xx||x|");
        assert_eq!(all(&mut rig, 1, ""), "");
        assert_eq!(all(&mut rig, 1, "éx"), "|x|");
        assert_eq!(all(&mut rig, 3, "abba"), "a|||a");
        assert_eq!(all(&mut rig, 5, "a\n"), "|");
        let word = s(&mut rig, "ab");
        assert!(trap(&mut rig, "zs_py_re_findall", &[4, word]).contains("rather match nothing"));
        let mut sub = |pattern: u64, template: &str, text: &str, count: i64| {
            let (template, text) = (s(&mut rig, template), s(&mut rig, text));
            let word = call(&mut rig, "zs_py_re_sub", &[pattern, template, text, count as u64]);
            shown(&mut rig, word)
        };
        assert_eq!(sub(1, "-", "abxd", 0), "-a-b--d-");
        assert_eq!(sub(1, "-", "abxd", 2), "-a-bxd");
        assert_eq!(sub(1, "-", "abxd", -1), "abxd");
        assert_eq!(sub(0, "[\0\u{3}|\0\u{2}|\0\u{1}\0\0]", "é ab@ x@y", 0), "é [|ab|ab@\0] [y|x|x@y\0]");
        assert_eq!(sub(3, "<\0\u{2}>", "abé", 0), "<a><>é");
        assert_eq!(sub(2, "", "ab\n", 0), "a\n");
        let text = s(&mut rig, "a.b\n[é]-~/");
        let escaped = call(&mut rig, "zs_py_re_escape", &[text]);
        assert_eq!(shown(&mut rig, escaped), "a\\.b\\\n\\[é\\]\\-\\~/");
    }

    fn patterns_have_a_budget() {
        let mut rig = with_patterns(&[("a.*z|a", 0), (r"(?:\w|[a-d]{9}|x?y?z?){1,20}!", 0)]);
        let long = "a".repeat(200_000);
        let address = rig.instance.alloc(long.len() as u64).unwrap();
        rig.instance.memory().write(address.into(), long.len() as u64).unwrap().fill(b'a');
        let word = u64::from(address) | (long.len() as u64) << 32;
        assert!(trap(&mut rig, "zs_py_re_findall", &[0, word]).contains("10000000 fuel"));
    }

    fn templates_have_a_budget() {
        let mut rig = with_patterns(&[("a()", 0), ("a+", 0)]);
        let text = s(&mut rig, &"a".repeat(20_000));
        // Many times nothing, for each of many matches.
        let empty = str_word(&mut rig, &b"\0\x02".repeat(100_000));
        let stopped = trap(&mut rig, "zs_py_re_sub", &[0, empty, text, 0]);
        assert!(stopped.contains("10000000 fuel"), "{stopped}");
        // Many times all, for one match: more than any machine has.
        let whole = str_word(&mut rig, &b"\0\x01".repeat(100_000));
        let stopped = trap(&mut rig, "zs_py_re_sub", &[1, whole, text, 0]);
        assert!(stopped.starts_with("MemoryError"), "{stopped}");
    }

    fn pairs_have_a_budget() {
        let mut rig = Rig::new();
        let short = s(&mut rig, &"a&".repeat(100_000));
        let stopped = trap(&mut rig, "zs_py_parse_qsl", &[short, 1]);
        assert!(stopped.starts_with("MemoryError"), "{stopped}");
        let mut rig = Rig::new();
        let key = s(&mut rig, &"k".repeat(400_000));
        let words: Vec<u8> = [key, key].iter().flat_map(|word| word.to_le_bytes()).collect();
        let words = words.repeat(10_000);
        let address = rig.put(&words);
        let query = address | 10_000 << 32;
        let stopped = trap(&mut rig, "zs_py_qs_has", &[query, key]);
        assert!(stopped.contains("10000000 fuel"), "{stopped}");
    }

    fn names_of_tables_are_short() {
        let mut rig = Rig::new();
        // As many tables as there may be: a long name is refused before it is looked for.
        for n in 0..=256_u32 {
            let name = if n == 256 { vec![b':'; 2000] } else { n.to_le_bytes().to_vec() };
            let address = rig.put(&name);
            let description = [0, 0, 10, 0, address as u32, name.len() as u32];
            let bytes: Vec<u8> = description.iter().flat_map(|half| half.to_le_bytes()).collect();
            let table = rig.put(&bytes);
            if n < 256 {
                assert_eq!(call(&mut rig, "zs_py_table_add", &[table, 1, 1]), 1);
            } else {
                let stopped = trap(&mut rig, "zs_py_table_add", &[table, 1, 1]);
                assert_eq!(stopped, "the name of a table is longer than 1024 bytes");
            }
        }
    }

    fn urls() {
        let mut rig = Rig::new();
        let of = |rig: &mut Rig, name: &str, text: &str| {
            let word = s(rig, text);
            let word = call(rig, name, &[word]);
            shown(rig, word)
        };
        assert_eq!(of(&mut rig, "zs_py_unquote", "a%20b+%ff"), "a b+\u{fffd}");
        assert_eq!(of(&mut rig, "zs_py_unquote_plus", "a%20b+%2B"), "a b +");
        let quote = |rig: &mut Rig, name: &str, text: &str, safe: &str| {
            let (text, safe) = (s(rig, text), s(rig, safe));
            one(rig, name, &[text, safe]).map(|word| shown(rig, word))
        };
        assert_eq!(quote(&mut rig, "zs_py_quote", "a b/é~?", "/").unwrap(), "a%20b/%C3%A9~%3F");
        assert_eq!(quote(&mut rig, "zs_py_quote", "a/b", "é").unwrap(), "a%2Fb");
        assert_eq!(quote(&mut rig, "zs_py_quote_plus", "a b+c", "").unwrap(), "a+b%2Bc");
        assert_eq!(quote(&mut rig, "zs_py_quote_plus", "a b+c", "+").unwrap(), "a+b+c");
        let (lone, empty) = (str_word(&mut rig, b"\xed\xa0\x80"), s(&mut rig, ""));
        assert!(one(&mut rig, "zs_py_quote", &[lone, empty]).unwrap_err().starts_with("UnicodeEncodeError"));
        let url = s(&mut rig, "https://me:pw@Ex%2EÄ.org:8443/p?q#f");
        let words = give(&mut rig, "zs_py_urlsplit", &[url], 5).unwrap();
        let parts: Vec<_> = words.iter().map(|word| shown(&mut rig, *word)).collect();
        assert_eq!(parts, ["https", "me:pw@Ex%2EÄ.org:8443", "/p", "q", "f"]);
        for (part, expected) in [(0, "ex%2EÄ.org"), (1, "me"), (2, "pw")] {
            let word = call(&mut rig, "zs_py_url_part", &[words[1], part]);
            assert_eq!(shown(&mut rig, word), expected);
        }
        assert_eq!(give(&mut rig, "zs_py_url_port", &[words[1]], 2), Ok(vec![1, 8443]));
        for (netloc, expected) in [
            ("h", Ok(vec![0, 0])),
            ("h:", Ok(vec![0, 0])),
            ("h:0080", Ok(vec![1, 80])),
            ("h:65536", Err("ValueError: Port out of range 0-65535")),
            ("h:-1", Err("ValueError: Port could not be cast to integer value as '-1'")),
        ] {
            let word = s(&mut rig, netloc);
            let port = give(&mut rig, "zs_py_url_port", &[word], 2);
            assert_eq!(port, expected.map_err(str::to_owned));
            assert_eq!(call(&mut rig, "zs_py_url_part", &[word, 1]), 0);
        }
        let bad = s(&mut rig, "http://[");
        assert_eq!(give(&mut rig, "zs_py_urlsplit", &[bad], 5).unwrap_err(), "ValueError: Invalid IPv6 URL");
        let query = s(&mut rig, "a=1&b=%20+&a=2&c=");
        for (name, keep, expected) in [
            ("zs_py_parse_qsl", 0, "a|1|b|  |a|2"), ("zs_py_parse_qs", 1, "a|1|b|  |a|2|c|"),
        ] {
            let word = call(&mut rig, name, &[query, keep]);
            assert_eq!(joined(&mut rig, word, 2), expected);
        }
        let pairs = call(&mut rig, "zs_py_parse_qs", &[query, 0]);
        let (a, c) = (s(&mut rig, "a"), s(&mut rig, "c"));
        let found = call(&mut rig, "zs_py_qs_get", &[pairs, a]);
        assert_eq!(joined(&mut rig, found, 1), "1|2");
        assert_eq!(call(&mut rig, "zs_py_qs_get", &[pairs, c]), 0);
        assert_eq!(call(&mut rig, "zs_py_qs_has", &[pairs, a]), 1);
        assert_eq!(call(&mut rig, "zs_py_qs_has", &[pairs, c]), 0);
    }

    fn addresses() {
        let mut rig = Rig::new();
        let ip = |rig: &mut Rig, text: &str| {
            let word = s(rig, text);
            one(rig, "zs_py_ip_address", &[word])
        };
        for (text, is_loopback, nets) in [
            ("192.0.2.7", 0, [1, 0, 0]), ("127.9.9.9", 1, [0, 0, 0]), ("::1", 1, [0, 0, 1]),
            ("2001:db8:8000::5", 0, [0, 1, 1]), ("2001:db8::5", 0, [0, 0, 1]),
        ] {
            let word = ip(&mut rig, text).unwrap();
            let again = call(&mut rig, "zs_py_ip_str", &[word]);
            assert_eq!(shown(&mut rig, again), text);
            assert_eq!(call(&mut rig, "zs_py_ip_is_loopback", &[word]), is_loopback);
            let v6 = [0x20, 1, 0xd, 0xb8, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 33];
            let all: [&[u8]; 3] = [&[192, 0, 2, 0, 24], &v6, &[0; 17]];
            for (net, expected) in all.iter().zip(nets) {
                let net = bytes_word(&mut rig, net);
                assert_eq!(call(&mut rig, "zs_py_ip_in", &[word, net]), expected, "{text}");
            }
        }
        assert_eq!(ip(&mut rig, "1.2.3").unwrap_err(),
            "ValueError: '1.2.3' does not appear to be an IPv4 or IPv6 address");
        let scoped = s(&mut rig, "fe80::1%eth0");
        assert!(trap(&mut rig, "zs_py_ip_address", &[scoped, 0]).contains("zone"));
        let bad = bytes_word(&mut rig, b"12345");
        assert!(trap(&mut rig, "zs_py_ip_str", &[bad]).contains("not valid"));
        assert!(trap(&mut rig, "zs_py_ip_in", &[bad, bad]).contains("not valid"));
    }
}

/// A rig whose script has patterns.
fn with_patterns(patterns: &[(&str, u32)]) -> Rig {
    let mut bytes = (patterns.len() as u32).to_le_bytes().to_vec();
    for (text, flags) in patterns {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(flags.to_le_bytes());
    }
    let mut rig = Rig::new();
    rig.world.patterns = Arc::new(Patterns::load(&bytes).unwrap());
    rig
}
