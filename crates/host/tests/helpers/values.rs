//! JSON by handles.

use zeroserve_host::limits::{MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_JSON_HANDLES};

use crate::cases;
use crate::rig::{Rig, call, text};

/// A member's handle.
fn member(rig: &mut Rig, handle: i64, key: &str) -> i64 {
    call!(rig, "zs_json_get", handle, key)
}

cases! {
    fn parsing() {
        let mut rig = Rig::new();
        let handle = rig.json(" {\"b\": 1, \"a\": [null, \"\\u00fc\"]} ");
        assert_eq!(rig.shown(handle), "{\"b\":1,\"a\":[null,\"ü\"]}");
        for text in ["", "{", "1 1", "\"\u{1}\"", "{\"a\":1,}", "01", "NaN"] {
            assert_eq!(call!(rig, "zs_json_parse", text), -1, "{text}");
        }
        assert_eq!(call!(rig, "zs_json_parse", &b"\"\xff\""[..]), -1);
        assert_eq!(call!(rig, "zs_json_parse", &*"[".repeat(100_000)), -1);
    }

    fn files() {
        let mut rig = Rig::new();
        for path in ["data/x.json", "/data/x.json"] {
            let handle = call!(rig, "zs_load_static_json", path);
            assert_eq!(rig.shown(handle), "{\"a\":[1]}");
        }
        for path in ["bad.json", "none.json", "", "//data/x.json"] {
            assert_eq!(call!(rig, "zs_load_static_json", path), -1);
        }
        let handle = call!(rig, "zs_load_file_metadata", "data/x.json");
        let shown = "{\"size\":9,\"etag\":\"\\\"abc\\\"\",\"mtime\":1700000000}";
        assert_eq!(rig.shown(handle), shown);
        assert_eq!(call!(rig, "zs_load_file_metadata", "none"), -1);
    }

    fn reading() {
        let mut rig = Rig::new();
        let root = rig.json(
            "{\"s\": \"a\\u0000b\", \"i\": -9223372036854775808, \"u\": 9223372036854775808, \
             \"f\": 1.5, \"t\": true, \"n\": null, \"a\": [1, [2]], \"o\": {\"k\": 1}}",
        );
        assert_eq!(call!(rig, "zs_json_len", root), 8);
        for (key, kind, len) in [
            ("s", 3, 3), ("i", 2, -1), ("u", 2, -1), ("f", 2, -1), ("t", 1, -1), ("n", 0, -1),
            ("a", 4, 2), ("o", 5, 1),
        ] {
            let handle = member(&mut rig, root, key);
            assert_eq!(call!(rig, "zs_json_type", handle), kind, "{key}");
            assert_eq!(call!(rig, "zs_json_len", handle), len, "{key}");
            let number = rig.room(8);
            let read = call!(rig, "zs_json_read_i64", handle, number, 8);
            assert_eq!(read, if key == "i" { 8 } else { -1 }, "{key}");
            if key == "i" {
                assert_eq!(rig.read(number, 8), i64::MIN.to_le_bytes());
                assert_eq!(call!(rig, "zs_json_read_i64", handle, number, 4), -1);
            }
            let read = call!(rig, "zs_json_read_bool", handle, number, 1);
            assert_eq!(read, if key == "t" { 1 } else { -1 }, "{key}");
            if key == "t" {
                assert_eq!(rig.read(number, 1), [1]);
                assert_eq!(call!(rig, "zs_json_read_bool", handle, number, 8), -1);
            }
            let text = text!(rig, "zs_json_read_string", handle);
            assert_eq!(text.as_deref(), (key == "s").then_some("a\0b"), "{key}");
        }
        assert_eq!(member(&mut rig, root, "z"), -1);
        let array = member(&mut rig, root, "a");
        assert_eq!(member(&mut rig, array, "0"), -1);
        let inner = call!(rig, "zs_json_array_get", array, 1);
        assert_eq!(rig.shown(inner), "[2]");
        for index in [2, u64::MAX] {
            assert_eq!(call!(rig, "zs_json_array_get", array, index), -1);
        }
        assert_eq!(call!(rig, "zs_json_array_get", root, 0), -1);
        assert_eq!(call!(rig, "zs_json_reset", inner), 0);
        assert_eq!(call!(rig, "zs_json_len", inner), 8);
        assert_eq!(call!(rig, "zs_json_get", root, &b"\xff"[..]), -1);
    }

    fn building() {
        let mut rig = Rig::new();
        let root = call!(rig, "zs_json_new_object");
        let list = call!(rig, "zs_json_new_array");
        let value = rig.json("0");
        assert_eq!(call!(rig, "zs_json_set_string", value, "x"), 0);
        assert_eq!(call!(rig, "zs_json_array_push", list, value), 1);
        assert_eq!(call!(rig, "zs_json_set_i64", value, -5), 0);
        assert_eq!(call!(rig, "zs_json_array_push", list, value), 2);
        assert_eq!(call!(rig, "zs_json_set_bool", value, 7), 0);
        assert_eq!(call!(rig, "zs_json_array_push", list, value), 3);
        assert_eq!(call!(rig, "zs_json_set_null", value), 0);
        assert_eq!(call!(rig, "zs_json_array_push", list, value), 4);
        assert_eq!(call!(rig, "zs_json_set", root, "list", list), 0);
        assert_eq!(call!(rig, "zs_json_array_set", list, 0, value), 0);
        for index in [4, u64::MAX] {
            assert_eq!(call!(rig, "zs_json_array_set", list, index, value), -1);
        }
        assert_eq!(rig.shown(list), "[null,-5,true,null]");
        assert_eq!(rig.shown(root), "{\"list\":[\"x\",-5,true,null]}", "it has a copy");
        let place = member(&mut rig, root, "list");
        assert_eq!(call!(rig, "zs_json_array_push", place, place), 5);
        assert_eq!(rig.shown(root), "{\"list\":[\"x\",-5,true,null,[\"x\",-5,true,null]]}");
        let copy = call!(rig, "zs_json_clone", place);
        assert_eq!(call!(rig, "zs_json_set", root, "b", value), 0);
        assert_eq!(call!(rig, "zs_json_set", root, "list", value), 0);
        assert_eq!(call!(rig, "zs_json_set", root, "a", root), 0);
        assert_eq!(rig.shown(root), "{\"list\":null,\"b\":null,\"a\":{\"list\":null,\"b\":null}}");
        assert_eq!(call!(rig, "zs_json_remove", root, "list"), 0);
        assert_eq!(call!(rig, "zs_json_remove", root, "list"), -1);
        assert_eq!(rig.shown(root), "{\"b\":null,\"a\":{\"list\":null,\"b\":null}}");
        assert_eq!(call!(rig, "zs_json_len", copy), 5);
        assert_eq!(call!(rig, "zs_json_len", place), -1, "the place is gone");
        for (wrong, other) in [(list, "set"), (root, "push")] {
            let done = match other {
                "set" => call!(rig, "zs_json_set", wrong, "k", value),
                _ => call!(rig, "zs_json_array_push", wrong, value),
            };
            assert_eq!(done, -1);
        }
        assert_eq!(call!(rig, "zs_json_set_string", value, &b"\xff"[..]), -1);
    }

    fn handles_are_freed() {
        let mut rig = Rig::new();
        for _ in 0..3 {
            let handles: Vec<_> = (0..MAX_JSON_HANDLES).map(|_| rig.json("[1]")).collect();
            assert_eq!(call!(rig, "zs_json_new_array"), -1);
            assert_eq!(call!(rig, "zs_json_array_get", handles[0], 0), -1);
            for handle in handles {
                assert_eq!(call!(rig, "zs_object_free", handle), 0);
                assert_eq!(call!(rig, "zs_object_free", handle), -1);
                assert_eq!(call!(rig, "zs_json_type", handle), -1);
            }
        }
        rig.json("1");
        rig.exchange.start("other");
        assert_eq!(call!(rig, "zs_json_type", 1), -1, "another script's");
    }

    fn memory_is_bounded() {
        let mut rig = Rig::new();
        let half = "x".repeat(600_000);
        let list = call!(rig, "zs_json_new_array");
        let text = rig.json(&format!("\"{half}\""));
        let pushed = (0..100).take_while(|_| call!(rig, "zs_json_array_push", list, text) > 0);
        let pushed = pushed.count();
        assert!(pushed >= 10 && (pushed + 2) * 600_000 <= MAX_JSON_BYTES + 600_000, "{pushed}");
        assert_eq!(call!(rig, "zs_json_clone", list), -1);
        assert_eq!(call!(rig, "zs_json_parse", &*format!("[{}1]", "1,".repeat(40_000))), -1);
        // Set and given up again and again, it is never more.
        assert_eq!(call!(rig, "zs_json_set_null", list), 0);
        for _ in 0..100 {
            let copy = call!(rig, "zs_json_clone", text);
            assert_eq!(call!(rig, "zs_json_set_string", copy, &*half), 0);
            assert_eq!(call!(rig, "zs_object_free", copy), 0);
        }
    }

    fn nesting_is_bounded() {
        let mut rig = Rig::new();
        let mut list = call!(rig, "zs_json_new_array");
        let deeper = (0..1000).take_while(|_| {
            let outer = call!(rig, "zs_json_new_array");
            let pushed = call!(rig, "zs_json_array_push", outer, list) > 0;
            call!(rig, "zs_object_free", list);
            list = outer;
            pushed
        });
        assert_eq!(deeper.count(), MAX_JSON_DEPTH - 1);
        // From within as from without.
        let mut place = call!(rig, "zs_json_new_array");
        let empty = call!(rig, "zs_json_new_array");
        let deeper = (0..1000).take_while(|_| {
            let pushed = call!(rig, "zs_json_array_push", place, empty) > 0;
            place = call!(rig, "zs_json_array_get", place, 0);
            pushed
        });
        assert_eq!(deeper.count(), MAX_JSON_DEPTH - 1);
    }
}
