//! Generated programs on both executors: a fixed number of them, or as many as one asks for.
//!
//! `ZEROSERVE_PROGRAMS=1000000 ZEROSERVE_SEED=7 cargo test --release --package zeroserve-fuzz
//! --test executors -- --nocapture` runs others, and says how they ended.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Programs in a test run: a few seconds.
const PROGRAMS: u32 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn executors_agree() {
    let programs = number("ZEROSERVE_PROGRAMS").map_or(PROGRAMS, |count| count as u32);
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("ZEROSERVE_SEED").unwrap_or(1).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config { cases: programs, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let ends = std::cell::RefCell::new(BTreeMap::<&str, (u64, u64, usize)>::new());
    let bytes = prop::collection::vec(any::<u8>(), 40..3000);
    let result = runner.run(&bytes, |data| {
        let summary = zeroserve_fuzz::compare(&data);
        let mut ends = ends.borrow_mut();
        let (count, fuel, calls) = ends.entry(summary.trap.unwrap_or("done")).or_default();
        (*count, *fuel, *calls) =
            (*count + 1, *fuel + summary.fuel.min(1 << 20), *calls + summary.calls);
        Ok(())
    });
    for (end, (count, fuel, calls)) in ends.borrow().iter() {
        eprintln!("{end}: {count} programs, {} fuel each, {calls} calls of helpers", fuel / count);
    }
    if let Err(error) = result {
        panic!("{error}");
    }
    // Programs that all end the same way would show nothing.
    assert!(ends.borrow().len() >= 6, "ends: {:?}", ends.borrow().keys());
}
