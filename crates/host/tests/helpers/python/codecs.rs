//! Hashes, encodings, random numbers and dates: expected values are those of CPython.

use crate::cases;
use crate::python::py::{bytes_word, call, content, one, shown, str_word, trap};
use crate::rig::Rig;

fn s(rig: &mut Rig, text: &str) -> u64 {
    str_word(rig, text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

cases! {
    fn hashes() {
        let mut rig = Rig::new();
        let (abc, key) = (s(&mut rig, "abc"), s(&mut rig, "key"));
        for (algorithm, start, len) in [
            (0, "900150983cd24fb0d6963f7d28e17f72", 16),
            (1, "a9993e364706816aba3e25717850c26c", 20),
            (2, "23097d223405d8228642a477bda255b3", 28),
            (3, "ba7816bf8f01cfea414140de5dae2223", 32),
            (4, "cb00753f45a35e8bb5a03d699ac65007", 48),
            (5, "ddaf35a193617abacc417349ae204131", 64),
        ] {
            let word = call(&mut rig, "zs_py_hash", &[algorithm, abc]);
            let digest = content(&mut rig, word);
            assert!(hex(&digest).starts_with(start) && digest.len() == len, "{algorithm}");
        }
        assert!(trap(&mut rig, "zs_py_hash", &[6, abc]).contains("algorithm"));
        for (algorithm, start) in [
            (0, "d2fe98063f876b03193afb49b4979591"),
            (1, "4fd0b215276ef12f2b3e4c8ecac28114"),
            (2, "f524670b7e34f31467de0aa96593861c"),
            (3, "9c196e32dc0175f86f4b1cb89289d661"),
            (4, "30ddb9c8f347cffbfb44e519d814f074"),
            (5, "3926a207c8c42b0c41792cbd3e1a1aaa"),
        ] {
            let word = call(&mut rig, "zs_py_hmac", &[algorithm, key, abc]);
            assert!(hex(&content(&mut rig, word)).starts_with(start), "{algorithm}");
        }
        assert!(trap(&mut rig, "zs_py_hmac", &[6, abc, abc]).contains("algorithm"));
        for (algorithm, iterations, start) in [
            (0, 2, "25168a7fabf46f56"), (1, 1, "ecb2226776872c9a"), (2, 3, "ea9bc02c4a2c509b"),
            (3, 100, "ed38ba63eda33fe6"), (4, 2, "6b660b56dfcb33fa"), (5, 2, "1dd3fca6226bd6e0"),
        ] {
            let word = one(&mut rig, "zs_py_pbkdf2", &[algorithm, key, abc, iterations]).unwrap();
            assert_eq!(&hex(&content(&mut rig, word))[..16], start, "{algorithm}");
        }
        assert_eq!(one(&mut rig, "zs_py_pbkdf2", &[3, key, abc, 0]).unwrap_err(),
            "ValueError: iteration value must be greater than 0.");
        assert!(trap(&mut rig, "zs_py_pbkdf2", &[3, key, abc, 20_001, 0]).contains("20000"));
        assert!(trap(&mut rig, "zs_py_pbkdf2", &[9, key, abc, 1, 0]).contains("algorithm"));
    }

    fn comparisons_and_checksums() {
        let mut rig = Rig::new();
        let (a, b, c, wide) =
            (s(&mut rig, "same"), s(&mut rig, "same"), s(&mut rig, "sam"), s(&mut rig, "é"));
        assert_eq!(one(&mut rig, "zs_py_compare_digest", &[a, b]), Ok(1));
        assert_eq!(one(&mut rig, "zs_py_compare_digest", &[a, c]), Ok(0));
        assert_eq!(one(&mut rig, "zs_py_compare_digest", &[a, wide]).unwrap_err(),
            "TypeError: comparing strings with non-ASCII characters is not supported");
        let raw = wide & !(1 << 63);
        assert_eq!(one(&mut rig, "zs_py_compare_digest", &[raw, raw]), Ok(1));
        assert_eq!(call(&mut rig, "zs_py_crc32", &[a, 0]), 0xfc50_f144);
        assert_eq!(call(&mut rig, "zs_py_crc32", &[a, -1_i64 as u64]), 0x22eb_d1a7);
    }

    fn encodings() {
        let mut rig = Rig::new();
        let raw = bytes_word(&mut rig, b"\xfb\xff?a");
        for (name, expected) in [
            ("zs_py_b64encode", "+/8/YQ=="), ("zs_py_urlsafe_b64encode", "-_8_YQ=="),
            ("zs_py_b16encode", "FBFF3F61"), ("zs_py_b32encode", "7P7T6YI="),
            ("zs_py_hexlify", "fbff3f61"),
        ] {
            let word = call(&mut rig, name, &[raw]);
            assert_eq!(shown(&mut rig, word), expected, "{name}");
        }
        let text = s(&mut rig, "-_8_Y\nQ==");
        let word = one(&mut rig, "zs_py_urlsafe_b64decode", &[text]).unwrap();
        assert_eq!(content(&mut rig, word), b"\xfb\xff?a");
        assert_eq!(one(&mut rig, "zs_py_b64decode", &[text, 1]).unwrap_err(),
            "binascii.Error: Only base64 data is allowed");
        let short = s(&mut rig, "Y!Q=");
        assert_eq!(one(&mut rig, "zs_py_b64decode", &[short, 0]).unwrap_err(),
            "binascii.Error: Incorrect padding");
        let text = s(&mut rig, "YWJj");
        let word = one(&mut rig, "zs_py_b64decode", &[text, 1]).unwrap();
        assert_eq!(shown(&mut rig, word), "abc");
        let wide = s(&mut rig, "é");
        for (name, args) in [
            ("zs_py_b64decode", &[wide, 0][..]), ("zs_py_urlsafe_b64decode", &[wide]),
            ("zs_py_unhexlify", &[wide]),
        ] {
            assert_eq!(one(&mut rig, name, args).unwrap_err(),
                "ValueError: string argument should contain only ASCII characters");
        }
        for (text, expected) in [
            ("00fF", Ok("00ff")), ("", Ok("")), ("a", Err("Odd-length string")),
            ("ag", Err("Non-hexadecimal digit found")),
        ] {
            let word = s(&mut rig, text);
            let result = one(&mut rig, "zs_py_unhexlify", &[word]);
            let result = result.map(|word| hex(&content(&mut rig, word)));
            let expected = expected.map(str::to_owned).map_err(|why| format!("binascii.Error: {why}"));
            assert_eq!(result, expected);
        }
    }

    fn secrets() {
        let mut rig = Rig::new();
        for (name, expected) in [
            ("zs_py_token_hex", "a5a5"), ("zs_py_token_bytes", "\u{fffd}\u{fffd}"),
            ("zs_py_token_urlsafe", "paU"),
        ] {
            let word = one(&mut rig, name, &[2]).unwrap();
            assert_eq!(shown(&mut rig, word), expected);
            assert_eq!(one(&mut rig, name, &[u64::MAX]).unwrap_err(),
                "ValueError: negative argument not allowed");
            assert!(trap(&mut rig, name, &[1 << 40, 0]).contains("65536"));
        }
        assert_eq!(one(&mut rig, "zs_py_randbelow", &[2]), Ok(1));
        assert_eq!(one(&mut rig, "zs_py_randbelow", &[200]), Ok(0xa5));
        for bound in [0, -5_i64 as u64] {
            assert_eq!(one(&mut rig, "zs_py_randbelow", &[bound]).unwrap_err(),
                "ValueError: Upper bound must be positive.");
        }
        assert!(trap(&mut rig, "zs_py_randbelow", &[1, 0]).contains("randbelow"));
    }

    fn moments() {
        let mut rig = Rig::new();
        let from = |rig: &mut Rig, seconds: i64| one(rig, "zs_py_datetime_from", &[seconds as u64]);
        let early = from(&mut rig, -61_977_732_955).unwrap();
        let format = s(&mut rig, "é %Y %y %a %A %b %B %d %H %I %j %m %M %p %S %Z %z %% %");
        let word = call(&mut rig, "zs_py_datetime_strftime", &[early, format]);
        assert_eq!(
            shown(&mut rig, word),
            "é 6 06 Mon Monday Jan January 02 03 03 002 01 04 AM 05 UTC +0000 % %"
        );
        let bad = s(&mut rig, "%q");
        assert!(trap(&mut rig, "zs_py_datetime_strftime", &[early, bad]).starts_with("strftime: %q"));
        for (micros, expected) in [
            (0_i64, "1970-01-01T00:00:00+00:00"), (-1, "1969-12-31T23:59:59.999999+00:00"),
            (1_767_323_045_000_000, "2026-01-02T03:04:05+00:00"),
            (1_767_323_045_000_100, "2026-01-02T03:04:05.000100+00:00"),
        ] {
            let word = call(&mut rig, "zs_py_datetime_isoformat", &[micros as u64]);
            assert_eq!(shown(&mut rig, word), expected);
        }
        assert!(trap(&mut rig, "zs_py_datetime_isoformat", &[u64::MAX >> 1]).contains("datetime"));
        assert_eq!(from(&mut rig, 253_402_300_799), Ok(253_402_300_799_000_000));
        assert_eq!(from(&mut rig, 253_402_300_800).unwrap_err(), "ValueError: year 10000 is out of range");
        assert_eq!(from(&mut rig, -62_135_596_801).unwrap_err(), "ValueError: year 0 is out of range");
        assert_eq!(from(&mut rig, 1_000_000_000_000).unwrap_err(), "ValueError: year 33658 is out of range");
        assert!(trap(&mut rig, "zs_py_datetime_from", &[1 << 62, 0]).starts_with("OSError"));
        for (gmt, expected) in [
            (0, "Fri, 02 Jan 2026 03:04:05 -0000"), (1, "Fri, 02 Jan 2026 03:04:05 GMT"),
        ] {
            let word = call(&mut rig, "zs_py_format_date", &[1_767_323_045, gmt]);
            assert_eq!(shown(&mut rig, word), expected);
        }
        assert!(trap(&mut rig, "zs_py_format_date", &[1 << 40, 0]).contains("out of range"));
        let date = s(&mut rig, "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(one(&mut rig, "zs_py_parse_date", &[date]), Ok(1_767_323_045_000_000));
        let bad = s(&mut rig, "x");
        assert_eq!(one(&mut rig, "zs_py_parse_date", &[bad]).unwrap_err(),
            "ValueError: Invalid date value or format \"x\"");
        let local = s(&mut rig, "Fri, 02 Jan 2026 03:04:05");
        assert!(trap(&mut rig, "zs_py_parse_date", &[local, 0]).contains("time zone"));
    }
}
