//! Arguments that nobody would pass in good faith.

use proptest::prelude::*;
use zeroserve_host::{Body, Fetched, Fields, HELPERS, Incoming, Outcome, Row, TEXT};

use crate::rig::{Arg, Rig, call, incoming};

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
        rig.put(text.repeat(20).as_bytes());
        for (index, args) in calls {
            let row = &HELPERS[index];
            match rig.raw(row.name, args) {
                Outcome::Value(_) | Outcome::Body { .. } | Outcome::Fetch(_) => {}
                Outcome::Trap(reason) => prop_assert!(reason.starts_with(row.name)),
                Outcome::Stop { reason, .. } => prop_assert!(false, "{reason}"),
                Outcome::BodyTooLarge | Outcome::Busy | Outcome::Password { .. } => {
                    prop_assert!(false, "{}", row.name);
                }
                Outcome::Call { script, input, .. } => {
                    rig.exchange.enter(&script, input);
                }
            }
        }
        while rig.exchange.call_depth() > 0 {
            rig.exchange.leave(1);
        }
    }
}

/// A word: of a text or a list somewhere, short or long, wide or not, or anything.
fn word() -> impl Strategy<Value = u64> {
    let len =
        prop_oneof![8 => 0..40_u64, 1 => 0..70_000_u64, 1 => any::<u32>().prop_map(u64::from)];
    let place = (4096..0x60000_u64, len, any::<bool>());
    prop_oneof![
        6 => place.prop_map(|(address, len, wide)| address | len << 32 | u64::from(wide) << 63),
        2 => argument(),
        2 => (-20..100_i64).prop_map(|number| number as u64),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn anything_goes_for_python(
        calls in prop::collection::vec((0..TEXT.len(), prop::array::uniform5(word())), 60),
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        text in "[a-cA-C \\t\\n.,_+0-9é€😀Σ]{0,200}",
    ) {
        let mut rig = Rig::new();
        let memory = [bytes, text.into_bytes()].concat().repeat(60);
        let memory = &memory[..memory.len().min(200_000)];
        rig.put(memory);
        for (index, args) in calls {
            let row = &TEXT[index];
            if let Outcome::Trap(reason) = rig.raw(row.name, args) {
                // The helper says what is wrong, or which limit was met.
                let limits = ["MemoryError: ", "OverflowError: ", "ValueError: ", "used up its ",
                    "a negative exponent", "an int is to be formatted"];
                let known = limits.iter().any(|limit| reason.starts_with(limit));
                prop_assert!(known || reason.starts_with(row.name), "{}: {}", row.name, reason);
            }
            if index % 16 == 0 {
                rig.instance.reset();
                let stack = rig.instance.memory().layout().stack.into();
                let place = rig.instance.memory().write(stack, memory.len() as u64);
                place.unwrap().copy_from_slice(memory);
            }
        }
    }
}

/// Arguments for a helper that let it come to all of its pointers: each names the text
/// "abcdefgh", again and again, and what goes by that name is there.
fn good(rig: &mut Rig, row: &Row) -> [u64; 5] {
    rig.exchange
        .begin(&Incoming { target: "/?abcdefgh=1", ..incoming() }, [("abcdefgh", &b"1"[..])]);
    rig.exchange.start("main");
    rig.exchange.begin_response(200, [("abcdefgh", &b"1"[..])]);
    assert_eq!(call!(rig, "zs_meta_set", "abcdefgh", "1"), 0);
    let json = rig.json(match row.name {
        "zs_json_read_string" => "\"x\"",
        "zs_json_read_i64" => "1",
        "zs_json_read_bool" => "true",
        _ => "{}",
    });
    let mut fields = Fields::default();
    fields.push("abcdefgh", b"1");
    let body = b"abcdefgh".to_vec();
    if row.name != "zs_fetch" {
        rig.exchange.set_fetched(Ok(Fetched { status: 200, fields, body }));
        assert_eq!(rig.raw("zs_fetch", [0; 5]), Outcome::Value(json as u64), "the same handle");
    }
    let len = match row.name {
        "zs_fetch" => 64,
        "zs_aws_v4_authorization_header" | "zs_aws_v4_presigned_url" => 144,
        "zs_sha256" => 32,
        "zs_json_read_bool" => 1,
        _ => 8,
    };
    let place = rig.put(&b"abcdefgh".repeat(32));
    let mut args = [0; 5];
    for (arg, parameter) in args.iter_mut().zip(row.parameters.split(", ")) {
        *arg = if parameter.contains('*') {
            place
        } else if parameter.contains("len") || parameter.ends_with(" n") {
            len
        } else {
            let is_handle = parameter.ends_with("json") || parameter.ends_with("answer");
            u64::from(is_handle) * json as u64
        };
    }
    args
}

/// For every pointer of every helper.
#[test]
fn pointers_outside_of_memory_stop_the_script() {
    for row in HELPERS {
        for (at, parameter) in row.parameters.split(", ").enumerate() {
            if !parameter.contains('*') {
                continue;
            }
            let mut rig = Rig::new();
            let end = u64::from(rig.instance.memory().layout().end);
            let near = if row.name == "zs_json_read_bool" { end } else { end - 4 };
            for bad in [0, 8, near, end, u64::MAX - 3, 1 << 63] {
                let mut args = good(&mut rig, row);
                args[at] = bad;
                let Outcome::Trap(reason) = rig.raw(row.name, args) else {
                    panic!("{}: {parameter} = {bad:#x}", row.name);
                };
                let name = parameter.rsplit(['*', ' ']).next().unwrap();
                assert!(reason.starts_with(&format!("{}: {name}: ", row.name)), "{reason}");
                assert!(reason.contains(&format!("{bad:#x}")), "{reason}");
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
