//! Checks: who is asked when, and what comes of it.

use std::sync::Arc;

use super::{eject, of, refusal, take, take_but};
use crate::pools::{Checks, Pool, Standing, read_pools};

/// Ask until a time; upstreams in `bad` do not answer. What changed, in order.
fn run(checks: &mut Checks, until_ms: u64, bad: &[usize]) -> Vec<(u64, String, bool)> {
    let mut changes = Vec::new();
    while let Some(now_ms) = checks.next_due_ms().filter(|due_ms| *due_ms <= until_ms) {
        let check = checks.take_due(now_ms).unwrap();
        let url = check.upstream().config.url.clone();
        let is_bad = bad.iter().any(|index| url.contains(&format!("10.0.0.{index}")));
        let outcome = if is_bad { Err("connect: connection refused".to_owned()) } else { Ok(204) };
        if let Some(up) = checks.done(&check, outcome, now_ms) {
            changes.push((now_ms, url, up));
        }
    }
    changes
}

#[test]
fn thresholds() {
    let health =
        "\"health\": {\"interval_ms\": 1000, \"healthy\": 2, \"unhealthy\": 3, \"status\": [204]}";
    let pool = of(2, health);
    let mut checks = Checks::new(vec![Arc::clone(&pool)], 0, 1);
    assert!(run(&mut checks, 10_000, &[]).is_empty());
    let down = run(&mut checks, 20_000, &[0]);
    assert_eq!(down.len(), 1);
    let (at_ms, _, up) = &down[0];
    // The third after 10 s, each after 0.9 to 1.1 s.
    assert!(!up && (11_800..=13_300).contains(at_ms), "{at_ms}");
    let state = pool.states(20_000).remove(0);
    assert_eq!((state.standing, state.down_ms), (Standing::Down, Some(20_000 - at_ms)));
    assert_eq!(state.last_error, "connect: connection refused");
    assert!(state.checks_failed >= 8 && state.checks_in_row.0 == 0);
    assert!((0..4).all(|_| take(&pool, 20_000).index() == 1));
    let up = run(&mut checks, 30_000, &[]);
    assert!(up.len() == 1 && up[0].2 && (20_900..=22_300).contains(&up[0].0), "{up:?}");
    assert_eq!(pool.states(30_000)[0].standing, Standing::Up);
}

#[test]
fn the_first_answer_decides_and_all_may_be_down() {
    let pool = of(3, "\"health\": {\"interval_ms\": 1000}");
    assert_eq!(take(&pool, 0).index(), 0);
    let mut checks = Checks::new(vec![Arc::clone(&pool)], 0, 1);
    assert_eq!(run(&mut checks, 1000, &[0, 1, 2]).len(), 3);
    assert_eq!(refusal(&pool, 1000), "all upstreams are down");
    // Being ejected besides makes no difference: down is down.
    let ejected = of(2, "\"health\": {}, \"ejection\": {\"failures\": 1}");
    eject(&ejected, 0, 0);
    let mut checks = Checks::new(vec![Arc::clone(&ejected)], 0, 1);
    run(&mut checks, 1000, &[0, 1]);
    assert_eq!(refusal(&ejected, 1000), "all upstreams are down");
}

#[test]
fn a_wrong_status_is_no_good() {
    let pool = of(2, "\"health\": {\"status\": \"200-203\"}");
    let mut checks = Checks::new(vec![Arc::clone(&pool)], 0, 1);
    assert_eq!(run(&mut checks, 1000, &[]).len(), 2);
    assert_eq!(pool.states(1000)[0].last_error, "status 204");
}

#[test]
fn who_is_up_again_is_not_ejected() {
    let pool = of(
        2,
        "\"health\": {\"interval_ms\": 1000, \"healthy\": 1}, \"ejection\": {\"failures\": 1}",
    );
    let mut checks = Checks::new(vec![Arc::clone(&pool)], 0, 1);
    eject(&pool, 0, 0);
    run(&mut checks, 1000, &[0]);
    run(&mut checks, 3000, &[]);
    assert_eq!(pool.states(3000)[0].standing, Standing::Up);
}

#[test]
fn questions_are_spread() {
    let pools: Vec<_> = (0..8).map(|_| of(8, "\"health\": {\"interval_ms\": 4000}")).collect();
    let mut checks = Checks::new(pools, 100, 3);
    let mut first = Vec::new();
    while let Some(check) = checks.take_due(1_100) {
        first.push(check);
    }
    assert_eq!(first.len(), 64);
    assert_eq!(checks.next_due_ms(), None);
    for check in &first {
        checks.done(check, Ok(200), 1_100);
    }
    let mut times = Vec::new();
    while let Some(at_ms) = checks.next_due_ms() {
        assert!((4_700..=5_500).contains(&at_ms));
        assert!(checks.take_due(at_ms - 1).is_none());
        checks.take_due(at_ms).unwrap();
        times.push(at_ms / 100);
    }
    times.dedup();
    assert_eq!((times.len(), checks.is_empty()), (8, false));
    assert!(Checks::new(vec![of(2, "")], 0, 1).is_empty());
}

#[test]
fn without_checks_nobody_stays_down() {
    let old = of(2, "\"health\": {}");
    run(&mut Checks::new(vec![Arc::clone(&old)], 0, 1), 1000, &[0]);
    let kept = Pool::new(old.config().clone(), Some(&old), 1);
    assert_eq!(kept.states(1000)[0].standing, Standing::Down);
    let json = r#"{"p": {"upstreams": ["http://10.0.0.0:80", "http://10.0.0.1:80"]}}"#;
    let new = Pool::new(read_pools(json).unwrap().remove(0), Some(&old), 1);
    assert_eq!(new.states(1000)[0].standing, Standing::Up);
}

#[test]
fn a_slow_start() {
    let pool =
        of(2, "\"health\": {\"interval_ms\": 1000, \"healthy\": 1}, \"slow_start_ms\": 10000");
    let share = |now_ms| (0..1000).filter(|_| take(&pool, now_ms).index() == 0).count();
    assert_eq!(share(0), 500);
    let mut checks = Checks::new(vec![Arc::clone(&pool)], 1_000, 1);
    run(&mut checks, 2_000, &[0]);
    assert_eq!(share(2_000), 0);
    let back_ms = run(&mut checks, 4_000, &[])[0].0;
    let shares: Vec<_> = [0, 2_500, 5_000, 10_000].map(|ms| share(back_ms + ms)).into();
    assert!(shares[0] <= 5 && (190..=210).contains(&shares[1]), "{shares:?}");
    assert!((320..=345).contains(&shares[2]) && (495..=505).contains(&shares[3]), "{shares:?}");
    assert_eq!(take_but(&pool, &[1], back_ms).index(), 0);
}
