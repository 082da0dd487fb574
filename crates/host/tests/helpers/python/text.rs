//! str, bytes and int: expected values are those of CPython.

use zeroserve_host::Outcome;
use zeroserve_vm::limits::HEAP_BYTES;

use super::{V, check, expect, word};
use crate::cases;
use crate::rig::Rig;

/// A table of a dictionary, as the compiler makes it.
fn table(entries: &[&[u8]], of_text: bool, slots: usize) -> Vec<u8> {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (mask, seed) = (slots as u64 - 1, 12345_u64);
    let mut order = vec![0_u32; slots];
    for (number, key) in (1..).zip(entries) {
        let mut hash = seed ^ (key.len() as u64).wrapping_mul(FACTOR);
        for chunk in key.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
            hash ^= hash >> 32;
        }
        let mut slot = (hash & mask) as usize;
        while order[slot] != 0 {
            slot = (slot + 1) % slots;
        }
        order[slot] = number;
    }
    let mut made = [mask as u32, entries.len() as u32].map(u32::to_le_bytes).concat();
    made.extend(seed.to_le_bytes());
    made.extend(order.iter().flat_map(|slot| slot.to_le_bytes()));
    let mut place = made.len() + 8 * entries.len();
    for key in entries {
        if of_text {
            made.extend([place as u32, key.len() as u32].map(u32::to_le_bytes).concat());
            place += key.len();
        } else {
            made.extend(*key);
        }
    }
    made.extend(entries.iter().filter(|_| of_text).copied().flatten());
    made
}

cases! {
    fn raise() {
        let mut rig = Rig::new();
        let message = word(&mut rig, V::S("no such \n thing"));
        let place = word(&mut rig, V::S("app.py:12"));
        let stop = |reason: &str, line: Option<(&str, u32)>| Outcome::Stop {
            reason: reason.into(),
            line: line.map(|(file, line)| (file.into(), line)),
        };
        let outcome = rig.raw("zs_py_raise", [1, message, place, 0, 0]);
        assert_eq!(outcome, stop("ValueError: no such \\n thing", Some(("app.py", 12))));
        assert_eq!(rig.raw("zs_py_raise", [11, 0, 0, 0, 0]), stop("binascii.Error", None));
        let lone = word(&mut rig, V::R(b"a\xed\xb2\x80"));
        let outcome = rig.raw("zs_py_raise", [14, lone, 0, 0, 0]);
        assert_eq!(outcome, stop("Exception: a\\udc80", None));
        let nowhere = word(&mut rig, V::S("app.py"));
        assert_eq!(rig.raw("zs_py_raise", [19, 0, nowhere, 0, 0]), stop("PermissionError", None));
        for (name, bad) in [("zs_py_raise", 0), ("zs_py_raise", 23), ("zs_py_stop", 3)] {
            assert!(matches!(rig.raw(name, [bad, 0, 0, 0, 0]), Outcome::Trap(_)), "{bad}");
        }
        let limit = "OverflowError: an integer does not fit in 64 bits, a limit of compiled scripts";
        assert_eq!(rig.raw("zs_py_stop", [1, place, 0, 0, 0]), stop(limit, Some(("app.py", 12))));
    }

    fn heap() {
        let mut rig = Rig::new();
        let base = rig.instance.memory().layout().heap.into();
        assert_eq!(rig.raw("zs_py_alloc", [1, 0, 0, 0, 0]), Outcome::Value(base));
        assert_eq!(rig.raw("zs_py_alloc", [9, 0, 0, 0, 0]), Outcome::Value(base + 8));
        assert_eq!(rig.raw("zs_py_alloc", [0, 0, 0, 0, 0]), Outcome::Value(base + 24));
        for bytes in [u64::from(HEAP_BYTES) - 23, u64::MAX, u64::MAX - 7, 1 << 63] {
            let Outcome::Trap(reason) = rig.raw("zs_py_alloc", [bytes, 0, 0, 0, 0]) else {
                panic!("{bytes}");
            };
            assert!(reason.starts_with("MemoryError: a script has 1048576 bytes"), "{reason}");
        }
        let rest = u64::from(HEAP_BYTES) - 24;
        assert_eq!(rig.raw("zs_py_alloc", [rest, 0, 0, 0, 0]), Outcome::Value(base + 24));
        assert!(matches!(rig.raw("zs_py_alloc", [1, 0, 0, 0, 0]), Outcome::Trap(_)));
        rig.instance.reset();
        assert_eq!(rig.raw("zs_py_alloc", [1, 0, 0, 0, 0]), Outcome::Value(base));
    }

    fn memory_is_bounded() {
        let mut rig = Rig::new();
        let text = word(&mut rig, V::S(&"é".repeat(1000)));
        let new = word(&mut rig, V::S(&"b".repeat(2000)));
        let empty = word(&mut rig, V::S(""));
        let many: Vec<u8> = text.to_le_bytes().repeat(1000);
        let many = rig.put(&many);
        for (name, args) in [
            ("zs_py_str_replace", [text, empty, new, u64::MAX, 0]),
            ("zs_py_str_concat", [many, 1000, 0, 0, 0]),
            ("zs_py_str_join", [new, many | 1000 << 32, 0, 0, 0]),
            ("zs_py_str_concat", [many, u64::MAX / 8 + 2, 0, 0, 0]),
            ("zs_py_str_repeat", [text, 1 << 60, 0, 0, 0]),
            ("zs_py_str_zfill", [text, i64::MAX as u64, 0, 0, 0]),
        ] {
            let Outcome::Trap(reason) = rig.raw(name, args) else { panic!("{name}") };
            assert!(reason.starts_with("MemoryError: "), "{name}: {reason}");
        }
        // Parts of a text stay where they are: they take words only.
        let room = rig.instance.room();
        let out = rig.room(8);
        for _ in 0..100 {
            rig.raw("zs_py_str_strip", [text, 0, 0, 0, 0]);
            rig.raw("zs_py_str_slice", [text, 1, 900, 1, out]);
            rig.raw("zs_py_str_at", [text, 5, out, 0, 0]);
        }
        assert_eq!(rig.instance.room(), room);
    }

    fn messages_show_the_beginning() {
        let message = "ValueError: invalid literal for int() with base 10: ";
        let shown = format!("{message}'{}", "é".repeat(199));
        check("zs_py_int_parse", &[V::S(&"é".repeat(250)), V::I(10)], V::E(&shown));
        let shown = format!("{message}'{}\\x8", "\\x80".repeat(49));
        check("zs_py_int_parse", &[V::S(&"\u{80}".repeat(250)), V::I(10)], V::E(&shown));
    }

    fn concat() {
        let mut rig = Rig::new();
        let parts = [V::S("a"), V::S(""), V::S("é"), V::R(b"\xed\xa0\x80"), V::S("b")];
        let words: Vec<u8> = parts.iter().flat_map(|v| word(&mut rig, *v).to_le_bytes()).collect();
        let address = rig.put(&words);
        for (name, count, expected) in [
            ("zs_py_str_concat", 5, V::R(b"a\xc3\xa9\xed\xa0\x80b")),
            ("zs_py_str_concat", 2, V::S("a")),
            ("zs_py_str_concat", 0, V::S("")),
            ("zs_py_bytes_concat", 3, V::B(b"a\xc3\xa9")),
        ] {
            let Outcome::Value(made) = rig.raw(name, [address, count, 0, 0, 0]) else { panic!() };
            expect(&mut rig, made, expected);
        }
    }

    fn dict_find() {
        let mut rig = Rig::new();
        let keys: Vec<&[u8]> =
            vec![b"", b"a", b"b", b"eight by", b"nine byte", "sixteen and \u{e9}\u{e9}!".as_bytes()];
        for slots in [8, 16, 64] {
            let place = rig.put(&table(&keys, true, slots));
            for (index, key) in (0..).zip(&keys) {
                let key = word(&mut rig, V::B(key));
                let found = rig.raw("zs_py_dict_find", [place, key, 0, 0, 0]);
                assert_eq!(found, Outcome::Value(index));
            }
            for none in ["c", "aa", "nine bytes", "\0", "A"] {
                let key = word(&mut rig, V::S(none));
                let found = rig.raw("zs_py_dict_find", [place, key, 0, 0, 0]);
                assert_eq!(found, Outcome::Value(u64::MAX), "{none}");
            }
        }
        let numbers = [0, 1, -1, i64::MIN, i64::MAX, 256].map(i64::to_le_bytes);
        let keys: Vec<&[u8]> = numbers.iter().map(|number| &number[..]).collect();
        let place = rig.put(&table(&keys, false, 8));
        for (key, index) in [(0, 0), (1, 1), (-1, 2), (i64::MIN, 3), (256, 5), (2, -1), (255, -1)] {
            let found = rig.raw("zs_py_dict_find", [place, key as u64, 1, 0, 0]);
            assert_eq!(found, Outcome::Value(i64::from(index) as u64), "{key}");
        }
    }

    /// A table that is full, or whose entries are all the same long text, ends all the same.
    fn hostile_tables() {
        let mut rig = Rig::new();
        let key = word(&mut rig, V::S(&"x".repeat(40_000)));
        let mut table = [16_383_u32, 16_384].map(u32::to_le_bytes).concat();
        table.extend([0; 8]);
        table.extend((1..=16_384_u32).flat_map(u32::to_le_bytes));
        let other = "x".repeat(39_999) + "y";
        let offset = table.len() as u32 + 16_384 * 8;
        for _ in 0..16_384 {
            table.extend([offset, 40_000].map(u32::to_le_bytes).concat());
        }
        table.extend(other.bytes());
        let place = rig.put(&table);
        let outcome = rig.raw("zs_py_dict_find", [place, key, 0, 0, 0]);
        assert!(matches!(outcome, Outcome::Trap(_)), "{outcome:?}");
        let missing = rig.raw("zs_py_dict_find", [place, 0x7_0000_0001, 1, 0, 0]);
        assert_eq!(missing, Outcome::Value(u64::MAX));
        for bad in [1 << 32, 0, u64::MAX] {
            let outcome = rig.raw("zs_py_dict_find", [bad, key, 0, 0, 0]);
            assert!(matches!(outcome, Outcome::Trap(_)), "{bad}: {outcome:?}");
        }
    }

    fn fuel_is_charged() {
        let mut rig = Rig::new();
        rig.instance.start(0, [0; 5], zeroserve_vm::Fuel::default()).unwrap();
        let short = word(&mut rig, V::S("é"));
        let long = word(&mut rig, V::S(&"é".repeat(8000)));
        for name in ["zs_py_str_len", "zs_py_str_strip", "zs_py_str_isalpha", "zs_py_str_iter"] {
            let mut cost = |text: u64| {
                let before = rig.instance.fuel_used();
                rig.raw(name, [text, 0, 0, 0, 0]);
                rig.instance.fuel_used() - before
            };
            let (little, much) = (cost(short), cost(long));
            assert!(much >= little + 1000, "{name}: {little}, {much}");
        }
    }
}
