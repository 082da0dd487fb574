//! How requests are spread: by weight, by load, by key.

use std::sync::Arc;

use proptest::prelude::*;

use super::{of, pool, take};
use crate::pools::{Choice, Pool, hash_key};

fn weighted(policy: &str, weights: &[u32]) -> Arc<Pool> {
    let url = |(n, weight)| format!("{{\"url\": \"http://h{n}\", \"weight\": {weight}}}");
    let urls: Vec<_> = weights.iter().enumerate().map(url).collect();
    pool(&format!("{{\"p\": {{\"upstreams\": [{}], \"policy\": \"{policy}\"}}}}", urls.join(", ")))
}

fn of_key(pool: &Arc<Pool>, key: u64) -> usize {
    match pool.choose(Some(key), &[], 0) {
        Choice::Upstream(ticket) => ticket.index(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn smooth_round_robin() {
    let pool = weighted("round_robin", &[5, 1, 1]);
    let order: Vec<_> = (0..14).map(|_| take(&pool, 0).index()).collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn fewest_requests_by_weight() {
    let pool = weighted("least_connections", &[3, 1]);
    let tickets: Vec<_> = (0..40).map(|_| take(&pool, 0)).collect();
    assert_eq!(pool.upstreams()[0].in_flight(), 30);
    drop(tickets);
    // Among equals, all get their turn.
    let pool = weighted("least_connections", &[1, 1, 1]);
    let mut counts = [0; 3];
    (0..3000).for_each(|_| counts[take(&pool, 0).index()] += 1);
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
}

#[test]
fn the_better_of_two() {
    let pool = weighted("random_two", &[1, 1, 1]);
    let slow: Vec<_> = (0..300).map(|_| take(&pool, 0)).collect();
    let counts: Vec<_> = pool.upstreams().iter().map(|upstream| upstream.in_flight()).collect();
    assert!(counts.iter().all(|count| (95..=105).contains(count)), "{counts:?}");
    drop(slow);
    let pool = weighted("random_two", &[8, 1, 1]);
    let most = (0..1000).filter(|_| take(&pool, 0).index() == 0).count();
    assert!(most > 600, "{most}");
}

#[test]
fn without_a_key_in_turn() {
    let pool = of(2, "\"policy\": \"hash\"");
    assert_eq!([0; 4].map(|_| take(&pool, 0).index()), [0, 1, 0, 1]);
}

#[test]
fn keys_are_the_same_in_every_version() {
    // Other servers, and later versions of this one, have to come to the same upstream.
    assert_eq!(hash_key(b""), 17_665_956_581_633_026_203);
    assert_eq!(hash_key(b"192.0.2.1"), 5_552_405_930_031_864_309);
    let pool = of(5, "\"policy\": \"hash\"");
    let chosen: Vec<_> = (0..8_u8).map(|n| of_key(&pool, hash_key(&[n]))).collect();
    assert_eq!(chosen, [4, 2, 1, 1, 1, 1, 4, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Over one round of all weights, each upstream gets exactly its weight.
    #[test]
    fn round_robin_is_exact(weights in prop::collection::vec(1_u32..20, 1..8)) {
        let pool = weighted("round_robin", &weights);
        let total: u32 = weights.iter().sum();
        let mut counts = vec![0; weights.len()];
        (0..total).for_each(|_| counts[take(&pool, 0).index()] += 1);
        prop_assert_eq!(counts, weights);
    }

    /// Without one upstream, only its own keys move; with one more, keys move only to that.
    #[test]
    fn few_keys_move(count in 2_usize..12, gone in 0_usize..12, salt: u64) {
        let gone = gone % count;
        let url = |n: usize| format!("\"http://10.0.0.{n}:80\"");
        let with = |skip: Option<usize>| {
            let urls: Vec<_> = (0..count).filter(|n| Some(*n) != skip).map(url).collect();
            pool(&format!(
                "{{\"p\": {{\"upstreams\": [{}], \"policy\": \"hash\"}}}}", urls.join(", ")
            ))
        };
        let (all, fewer) = (with(None), with(Some(gone)));
        let mut moved = 0;
        for n in 0..2_000_u64 {
            let key = hash_key(&(n ^ salt).to_le_bytes());
            let before = &all.upstreams()[of_key(&all, key)].config.url;
            let after = &fewer.upstreams()[of_key(&fewer, key)].config.url;
            if before == &all.upstreams()[gone].config.url {
                moved += 1;
            } else {
                prop_assert_eq!(before, after);
            }
        }
        let share = 2_000 / count;
        prop_assert!((share * 7 / 10..share * 13 / 10 + 30).contains(&moved), "{} {}", moved, count);
    }

    /// Keys go by weight.
    #[test]
    fn keys_by_weight(weights in prop::collection::vec(1_u32..10, 2..6), salt: u64) {
        let pool = weighted("hash", &weights);
        let total: u32 = weights.iter().sum();
        let mut counts = vec![0_u32; weights.len()];
        for n in 0..4_000_u64 {
            counts[of_key(&pool, hash_key(&(n ^ salt).to_le_bytes()))] += 1;
        }
        for (count, weight) in counts.iter().zip(&weights) {
            let share = 4_000 * weight / total;
            prop_assert!(count.abs_diff(share) < 40 + share / 5, "{:?} {:?}", counts, weights);
        }
    }

    /// Whatever happens, an upstream that is asked was not tried, and there is always one unless all
    /// have been.
    #[test]
    fn always_somebody(
        policy in prop::sample::select(vec!["round_robin", "least_connections", "random_two", "hash"]),
        steps in prop::collection::vec((any::<Option<u64>>(), 0_u8..16, any::<bool>(), 0_u64..3_000), 1..200),
    ) {
        let pool = of(4, &format!("\"policy\": \"{policy}\", \"slow_start_ms\": 1000"));
        let mut now_ms = 0;
        let mut open = Vec::new();
        for (key, mask, good, passed_ms) in steps {
            now_ms += passed_ms;
            let tried: Vec<_> = (0..4).filter(|n| mask & 1 << n != 0).collect();
            match pool.choose(key, &tried, now_ms) {
                Choice::Upstream(mut ticket) => {
                    prop_assert!(!tried.contains(&ticket.index()));
                    match good {
                        true => ticket.succeeded(200, 1, now_ms),
                        false => ticket.failed(&super::refused(), now_ms),
                    }
                    if passed_ms.is_multiple_of(3) {
                        open.push(ticket);
                    }
                }
                Choice::None(_) => prop_assert_eq!(tried.len(), 4),
                Choice::Busy => prop_assert!(false, "nothing is limited"),
            }
            let in_flight: u32 = pool.upstreams().iter().map(|one| one.in_flight()).sum();
            prop_assert_eq!(in_flight as usize, open.len());
        }
    }
}
