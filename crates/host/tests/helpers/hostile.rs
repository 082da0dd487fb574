//! Arguments that nobody would pass in good faith.

use proptest::prelude::*;
use zeroserve_host::{Body, HELPERS, Outcome};

use crate::rig::{Arg, Rig};

/// An argument: a small number, a place in memory or near its borders, or anything.
fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..70_u64,
        2 => prop::sample::select(vec![144, 200, 404, 4096, 65_536, 262_144, 1 << 20]),
        3 => 4096..0x150000_u64,
        1 => (0..64_u64).prop_map(|back| 0_u64.wrapping_sub(back)),
        1 => any::<u64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn anything_goes(
        calls in prop::collection::vec((0..HELPERS.len(), prop::array::uniform5(argument())), 60),
        text in "[a-z*{}\\[\\]:\"0-9/. \\r\\n]{0,64}",
        in_hook: bool,
    ) {
        let mut rig = Rig::new();
        rig.exchange.set_body(Body::Whole(b"[1, {\"a\": \"b\"}]".to_vec()));
        if in_hook {
            rig.exchange.begin_response(200, [("A", &b"b"[..])]);
        }
        let layout = rig.instance.memory().layout();
        let (heap, end) = (u64::from(layout.heap), u64::from(layout.end));
        rig.put(text.repeat(20).as_bytes());
        for (index, args) in calls {
            let row = &HELPERS[index];
            match rig.raw(row.name, args) {
                Outcome::Value(_) | Outcome::Body { .. } => {}
                Outcome::Trap(reason) => prop_assert!(reason.starts_with(row.name)),
                Outcome::Call { script, input, .. } => {
                    rig.exchange.enter(&script, input);
                }
            }
        }
        while rig.exchange.call_depth() > 0 {
            rig.exchange.leave(1);
        }
        // What a script may not write is what it was: nothing here but zeros.
        let read_only = u64::from(layout.writable) - 4096;
        prop_assert!(rig.read(4096, read_only).iter().all(|&byte| byte == 0));
        prop_assert!(heap < end);
    }
}

/// For every helper with pointers: each of them outside of memory, where it counts.
#[test]
fn pointers_outside_of_memory_stop_the_script() {
    for row in HELPERS {
        let parameters: Vec<_> = row.parameters.split(", ").collect();
        for (at, parameter) in parameters.iter().enumerate() {
            if !parameter.contains('*') {
                continue;
            }
            let mut rig = Rig::new();
            rig.exchange.begin_response(200, [("abcdefgh", &b"1"[..])]);
            let json = rig.json("{\"abcdefgh\": \"x\", \"host\": \"a\"}");
            let good = rig.put(&b"abcdefgh".repeat(32));
            let end = u64::from(rig.instance.memory().layout().end);
            for bad in [0, 8, end - 4, end, u64::MAX - 3, 1 << 63] {
                // 8 is a length for texts, and 144 and 32 are what some insist on.
                let fixed = match row.name {
                    "zs_aws_v4_authorization_header" | "zs_aws_v4_presigned_url" => 144,
                    "zs_sha256" => 32,
                    _ => 8,
                };
                let mut args = [fixed; 5];
                for (other, parameter) in parameters.iter().enumerate() {
                    if parameter.contains('*') {
                        args[other] = good;
                    } else if parameter.ends_with("json") {
                        args[other] = json as u64;
                    } else if parameter.ends_with("encoding") || parameter.ends_with("letters") {
                        args[other] = 0;
                    }
                }
                args[at] = bad;
                let outcome = rig.raw(row.name, args);
                let needed = !["out"].contains(&parameter.trim_start_matches("char *"))
                    || !matches!(outcome, Outcome::Value(u64::MAX));
                if let Outcome::Trap(reason) = &outcome {
                    let name = parameter.rsplit(['*', ' ']).next().unwrap();
                    let told = format!("{}: {name}: ", row.name);
                    assert!(reason.starts_with(&told), "{reason}");
                    assert!(reason.ends_with("outside of the script's memory"), "{reason}");
                } else if needed {
                    let insisted = ["zs_json_read_bool", "zs_base64_encode", "zs_hex_encode"];
                    assert!(insisted.contains(&row.name), "{}: {parameter}: {outcome:?}", row.name);
                }
            }
        }
    }
}

/// The parameters of a signature name memory as well.
#[test]
fn pointers_inside_of_parameters() {
    for at in [0, 2, 4, 6, 8, 10, 13] {
        let mut rig = Rig::new();
        let good = rig.put(b"/aaaaaaa");
        let headers = rig.json("{\"host\": \"a\"}") as u64;
        let mut fields = [good, 8, good, 8, good, 8, good, 8, good, 8, good, 8, headers, good, 8];
        fields[8] = rig.put(b"GETGETGE");
        fields[at] = 1 << 40;
        let fields = fields.into_iter().chain([0, 0, 0]).flat_map(u64::to_le_bytes).collect();
        let outcome = rig.outcome("zs_aws_v4_authorization_header", vec![Arg::Bytes(fields)]);
        assert!(matches!(outcome, Outcome::Trap(_)), "{at}: {outcome:?}");
    }
}
