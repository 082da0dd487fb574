//! str, bytes and int: expected values are those of CPython.

use zeroserve_host::Outcome;
use zeroserve_vm::limits::HEAP_BYTES;

use crate::cases;
use crate::rig::Rig;

/// The word of a str in the script's memory.
fn word(rig: &mut Rig, text: &str) -> u64 {
    let address = rig.put(text.as_bytes());
    address | (text.len() as u64) << 32 | u64::from(!text.is_ascii()) << 63
}

cases! {
    fn raise() {
        let mut rig = Rig::new();
        let message = word(&mut rig, "no such \n thing");
        let place = word(&mut rig, "app.py:12");
        let stop = |reason: &str, line: Option<(&str, u32)>| Outcome::Stop {
            reason: reason.into(),
            line: line.map(|(file, line)| (file.into(), line)),
        };
        let outcome = rig.raw("zs_py_raise", [1, message, place, 0, 0]);
        assert_eq!(outcome, stop("ValueError: no such \\n thing", Some(("app.py", 12))));
        assert_eq!(rig.raw("zs_py_raise", [11, 0, 0, 0, 0]), stop("binascii.Error", None));
        let nowhere = word(&mut rig, "app.py");
        assert_eq!(rig.raw("zs_py_raise", [19, 0, nowhere, 0, 0]), stop("PermissionError", None));
        for (name, bad) in [("zs_py_raise", 0), ("zs_py_raise", 20), ("zs_py_stop", 3)] {
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
}
