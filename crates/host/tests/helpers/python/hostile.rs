//! Arguments that no compiler would pass: nothing panics, and nothing is read or written outside
//! of the script's memory.

use std::sync::Arc;

use proptest::prelude::*;
use zeroserve_host::{Body, Outcome, Patterns, rows};

use crate::rig::Rig;

/// Where the rig's copies lie, which the strategy below guesses.
const PLACE: u64 = 0x1000;

/// A small number, a word of something that is there, or of something that is not, or anything.
fn word() -> impl Strategy<Value = u64> {
    let place = (0..600_u64, 0..64_u64, any::<bool>());
    prop_oneof![
        4 => 0..16_u64,
        6 => place.prop_map(|(at, len, wide)| (PLACE + at) | len << 32 | u64::from(wide) << 63),
        2 => (0..75_u64).prop_map(|at| PLACE + 8 * at),
        1 => (0..64_u64).prop_map(|back| 0_u64.wrapping_sub(back)),
        1 => (0..0x200_000_u64, 0..1_u64 << 31).prop_map(|(at, len)| at | len << 32),
        1 => any::<u64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn anything_goes(
        calls in prop::collection::vec((any::<prop::sample::Index>(), prop::array::uniform5(word())), 60),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in "[a-z0-9{}\\[\\]:\",%=&/. \\\\éu😀-]{0,200}",
        in_hook: bool,
    ) {
        let mut rig = Rig::new();
        let patterns = [&2_u32.to_le_bytes()[..], &2_u32.to_le_bytes(), b"x*", &[0; 4],
            &4_u32.to_le_bytes(), b"(a)|", &[0; 4]].concat();
        rig.world.patterns = Arc::new(Patterns::load(&patterns).unwrap());
        rig.exchange.set_body(Body::Whole(b"[1, {\"a\": \"b\", \"c\": [\"\\ud800\"]}]".to_vec()));
        if in_hook {
            rig.exchange.begin_response(200, [("A", &b"b"[..])]);
        }
        assert!(rig.put(b"") >= 0x1000);
        rig.put(&bytes);
        rig.put(text.as_bytes());
        let all: Vec<_> = rows().filter(|row| row.number > 1000).collect();
        rig.raw("zs_py_req_json", [rig.mark(); 5]);
        for (index, args) in calls {
            let row = index.get(&all);
            match rig.raw(row.name, args) {
                Outcome::Value(_) | Outcome::Trap(_) | Outcome::Stop { .. } => {}
                // Of a body that zs_py_req_limit_body has bounded.
                Outcome::BodyTooLarge => {}
                // Only of what is a hash.
                Outcome::Password { hash, .. } => {
                    prop_assert!(zeroserve_host::passwords::check(&hash).is_ok());
                }
                other => prop_assert!(false, "{}: {other:?}", row.name),
            }
        }
    }
}
