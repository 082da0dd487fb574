//! Helpers that are functions of their arguments and the world.

use zeroserve_host::Outcome;
use zeroserve_host::limits::{MAX_LOG_BYTES, MAX_LOG_LINES};

use crate::cases;
use crate::rig::{Arg, Rig, call, text};

/// Call an encoder: length asked for, then all of it, then a buffer that is too small.
fn encoded(rig: &mut Rig, name: &str, data: &[u8], kind: u64) -> Option<String> {
    let mut with = |out: u64, len: u64| {
        rig.value(name, vec![data.into(), Arg::N(out), Arg::N(len), Arg::N(kind)])
    };
    let len = with(0, 0);
    let len = u64::try_from(len).ok()?;
    let out = rig.room(1000);
    let mut with =
        |len: u64| rig.value(name, vec![data.into(), Arg::N(out), Arg::N(len), Arg::N(kind)]);
    if len > 1 {
        assert_eq!(with(len - 1), -1);
    }
    assert_eq!(with(len), len as i64);
    assert_eq!(with(1000), len as i64);
    Some(String::from_utf8(rig.read(out, len)).unwrap())
}

/// Call a decoder.
fn decoded(rig: &mut Rig, name: &str, text: &str, kind: Option<u64>) -> Option<Vec<u8>> {
    let address = rig.put(text.as_bytes());
    let mut args = vec![Arg::N(address), Arg::N(text.len() as u64)];
    args.extend(kind.map(Arg::N));
    match rig.value(name, args) {
        -1 => {
            assert_eq!(rig.read(address, text.len() as u64), text.as_bytes());
            None
        }
        len => Some(rig.read(address, len as u64)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

cases! {
    fn log() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_log", "hello"), 0);
        assert_eq!(call!(rig, "zs_log", &b"a\nb\x1b[31m\xff\xc2\x85"[..]), 0);
        let long = "x".repeat(MAX_LOG_BYTES + 1);
        assert_eq!(call!(rig, "zs_log", &*long), 0);
        let lines = rig.world.log.take();
        assert_eq!(lines[0], "main: hello");
        assert_eq!(lines[1], "main: a\\nb\\u{1b}[31m\u{fffd}\\u{85}");
        assert_eq!(lines[2].len(), "main: ".len() + MAX_LOG_BYTES);
        for _ in 3..MAX_LOG_LINES {
            assert_eq!(call!(rig, "zs_log", ""), 0);
        }
        assert_eq!(call!(rig, "zs_log", "one too many"), -1);
    }

    fn time_version_environment() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_now_ms"), 1_700_000_000_123);
        assert_eq!(text!(rig, "zs_version").as_deref(), Some("1.2.3"));
        assert_eq!(text!(rig, "zs_env_get", "COLOUR").as_deref(), Some("mauve"));
        for name in ["", "OTHER", "COLOUR=", "COLOUR\0"] {
            assert_eq!(text!(rig, "zs_env_get", name), None);
        }
        assert_eq!(call!(rig, "zs_env_get", &b"\xff"[..], 0, 0), -1);
    }

    fn randomness() {
        let mut rig = Rig::new();
        let out = rig.room(65536);
        assert_eq!(call!(rig, "zs_getrandom", out, 3), 3);
        assert_eq!(rig.read(out, 4), [0xa5, 0xa5, 0xa5, 0]);
        assert_eq!(call!(rig, "zs_getrandom", out, 65536), 65536);
        assert_eq!(call!(rig, "zs_getrandom", out, 65537), -1);
        assert_eq!(call!(rig, "zs_getrandom", 0, 0), 0);
    }

    fn memory() {
        let mut rig = Rig::new();
        let at = rig.put(b"abcdef");
        assert_eq!(call!(rig, "zs_memcpy", at + 2, at, 4), at as i64 + 2);
        assert_eq!(rig.read(at, 6), b"ababcd");
        assert_eq!(call!(rig, "zs_memset", at, 0x178, 2), at as i64);
        assert_eq!(rig.read(at, 6), b"xxabcd");
        let mut compared = |left: &str, right: &str, len: u64| {
            let args = [left, right].map(|text| Arg::Pointer(text.into()));
            rig.value("zs_memcmp", args.into_iter().chain([Arg::N(len)]).collect())
        };
        assert!(compared("abc", "abd", 3) < 0 && compared("abc", "abd", 2) == 0);
        assert!(compared("b", "a\0", 1) > 0 && compared("\u{ff}", "a", 1) > 0);
        assert_eq!(call!(rig, "zs_memcmp", 0, 1, 0), 0);
    }

    /// FIPS 180-4's "abc" and RFC 4231's first, second and sixth case.
    fn digests() {
        let mut rig = Rig::new();
        let out = rig.room(32);
        assert_eq!(call!(rig, "zs_sha256", "abc", out, 32), 32);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&rig.read(out, 32)), abc);
        assert_eq!(call!(rig, "zs_sha256", "abc", out, 31), -1);
        for (key, message, digest) in [
            (
                &[0x0b; 20][..],
                "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(call!(rig, "zs_hmac_sha256", key, message, out), 32);
            assert_eq!(hex(&rig.read(out, 32)), digest);
        }
        assert_eq!(call!(rig, "zs_hmac_sha256", "", "", out), 32);
    }

    /// RFC 4648, section 10, and what the encodings differ in.
    fn base64() {
        let mut rig = Rig::new();
        for (bytes, text) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ] {
            let bytes = bytes.as_bytes();
            assert_eq!(encoded(&mut rig, "zs_base64_encode", bytes, 0).as_deref(), Some(text));
            let back = decoded(&mut rig, "zs_base64_decode_in_place", text, Some(0));
            assert_eq!(back.as_deref(), Some(bytes));
        }
        for (kind, text) in [(0, "+/8="), (1, "+/8"), (2, "-_8="), (3, "-_8")] {
            let bytes = [0xfb, 0xff];
            assert_eq!(encoded(&mut rig, "zs_base64_encode", &bytes, kind).as_deref(), Some(text));
            for (other, wrong) in [(0, "+/8="), (1, "+/8"), (2, "-_8="), (3, "-_8")] {
                let back = decoded(&mut rig, "zs_base64_decode_in_place", wrong, Some(kind));
                assert_eq!(back.as_deref(), (other == kind).then_some(&bytes[..]));
            }
        }
        assert_eq!(encoded(&mut rig, "zs_base64_encode", b"a", 4), None);
        for (text, kind) in [("Zg==", 4), ("Zg==", u64::MAX), ("Zh==", 0), ("Zg=\n", 0)] {
            assert_eq!(decoded(&mut rig, "zs_base64_decode_in_place", text, Some(kind)), None);
        }
    }

    fn hexadecimal() {
        let mut rig = Rig::new();
        let bytes = [0x00, 0x1f, 0xab];
        assert_eq!(encoded(&mut rig, "zs_hex_encode", &bytes, 0).as_deref(), Some("001fab"));
        assert_eq!(encoded(&mut rig, "zs_hex_encode", &bytes, 1).as_deref(), Some("001FAB"));
        assert_eq!(encoded(&mut rig, "zs_hex_encode", &bytes, 2), None);
        assert_eq!(decoded(&mut rig, "zs_hex_decode_in_place", "001fAB", None), Some(bytes.into()));
        assert_eq!(decoded(&mut rig, "zs_hex_decode_in_place", "", None), Some(vec![]));
        for wrong in ["0", "0g", "0x", "  "] {
            assert_eq!(decoded(&mut rig, "zs_hex_decode_in_place", wrong, None), None);
        }
    }

    fn rate_limit() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_rate_limit", "a", 1, 2, 2), 0);
        assert_eq!(call!(rig, "zs_rate_limit", "a", 1, 2, 2), 1);
        assert_eq!(call!(rig, "zs_rate_limit", "b", 1, 2, 2), 0);
        rig.world.now_ms.set(1_700_000_001_123);
        assert_eq!(call!(rig, "zs_rate_limit", "a", 1, 2, 2), 0);
        assert_eq!(call!(rig, "zs_rate_limit", "a", 0, 2, 2), 2);
        assert_eq!(call!(rig, "zs_rate_limit", "a", 0, 0, 2), 3);
        assert_eq!(call!(rig, "zs_rate_limit", "a", 0, 0, 0), 0);
        assert_eq!(call!(rig, "zs_rate_limit", "", 1, 1, 1), -1);
        assert_eq!(call!(rig, "zs_rate_limit", &[b'k'; 257][..], 1, 1, 1), -1);
    }

    fn work_costs_fuel() {
        let mut rig = Rig::new();
        let before = rig.instance.fuel_used();
        assert_eq!(call!(rig, "zs_now_ms"), 1_700_000_000_123);
        assert_eq!(rig.instance.fuel_used(), before);
        let out = rig.room(32);
        assert_eq!(call!(rig, "zs_sha256", &[0; 10_000][..], out, 32), 32);
        assert!(rig.instance.fuel_used() >= before + 10_000);
    }

    fn a_helper_that_does_not_exist() {
        let mut rig = Rig::new();
        for number in [0, 1_000_000, u32::MAX] {
            let Rig { exchange, instance, world, .. } = &mut rig;
            let outcome = zeroserve_host::call(number, [0; 5], exchange, instance, world);
            assert!(matches!(outcome, Outcome::Trap(_)));
        }
    }
}
