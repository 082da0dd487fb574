//! Who is asked when some are out: ejection, probation, panic, backups, reload.

use std::sync::Arc;

use super::{eject, of, pool, refusal, refused, take, take_but};
use crate::pools::{Choice, Pool, Standing, read_pools};
use crate::{Cause, Failure, Phase};

fn standings(pool: &Pool, now_ms: u64) -> Vec<&'static str> {
    pool.states(now_ms).iter().map(|state| state.standing.name()).collect()
}

#[test]
fn one_upstream() {
    let pool = of(1, "");
    let mut ticket = take(&pool, 0);
    assert_eq!((ticket.index(), pool.upstreams()[0].in_flight()), (0, 1));
    ticket.succeeded(200, 700_000, 1);
    assert_eq!(pool.upstreams()[0].in_flight(), 1);
    drop(ticket);
    let state = pool.states(1).remove(0);
    assert_eq!((state.in_flight, state.counts.requests, state.counts.latency[1]), (0, 1, 1));
    assert_eq!(state.counts.latency_sum_ns, 700_000);
    // However often it fails, there is nobody else.
    for _ in 0..10 {
        take(&pool, 2).failed(&refused(), 2);
    }
    assert_eq!(standings(&pool, 2), ["up"]);
    assert!(matches!(pool.choose(None, &[0], 3), Choice::None("no other upstream is up")));
}

#[test]
fn failures_in_a_row_eject() {
    let pool = of(2, "\"ejection\": {\"failures\": 3, \"base_ms\": 100, \"max_ms\": 350}");
    let fail = |times: usize, now_ms| {
        for _ in 0..times {
            take_but(&pool, &[1], now_ms).failed(&refused(), now_ms);
        }
    };
    fail(2, 10);
    take_but(&pool, &[1], 10).succeeded(200, 1, 10);
    fail(2, 10);
    assert_eq!(standings(&pool, 10), ["up", "up"]);
    fail(1, 10);
    assert_eq!(standings(&pool, 10), ["ejected", "up"]);
    let state = pool.states(60).remove(0);
    assert_eq!((state.ejected_ms, state.ejections), (Some(50), 1));
    assert_eq!(state.counts.failures[2], ("connect", 5));
    assert_eq!(
        (state.last_error.as_str(), state.last_error_ms),
        ("connect: the connection was closed", 50)
    );
    assert!((0..10).all(|_| take(&pool, 60).index() == 1));
    // Not one of the answers that were under way while it was out takes it back.
    assert_eq!(standings(&pool, 110), ["probation", "up"]);
}

#[test]
fn failures_that_are_far_apart_do_not_eject() {
    let pool = of(2, "\"ejection\": {\"failures\": 2, \"window_ms\": 100}");
    for now_ms in [0, 101, 202, 303] {
        take_but(&pool, &[1], now_ms).failed(&refused(), now_ms);
    }
    assert_eq!(standings(&pool, 303), ["up", "up"]);
    take_but(&pool, &[1], 303).failed(&refused(), 303);
    assert_eq!(standings(&pool, 303), ["ejected", "up"]);
}

#[test]
fn one_request_finds_out_and_time_doubles() {
    let pool = of(2, "\"ejection\": {\"failures\": 1, \"base_ms\": 100, \"max_ms\": 350}");
    let mut now_ms = 1000;
    eject(&pool, 0, now_ms);
    for length_ms in [100, 200, 350, 350] {
        assert_eq!(pool.states(now_ms)[0].ejected_ms, Some(length_ms));
        now_ms += length_ms;
        let mut probe = take_but(&pool, &[1], now_ms);
        // Meanwhile nobody else goes there.
        assert!((0..10).all(|_| take(&pool, now_ms).index() == 1));
        probe.failed(&refused(), now_ms);
    }
    now_ms += 350;
    // A client that goes away proves nothing, and does not block the next.
    drop(take_but(&pool, &[1], now_ms));
    assert_eq!(standings(&pool, now_ms), ["probation", "up"]);
    take_but(&pool, &[1], now_ms).succeeded(200, 1, now_ms);
    assert_eq!(standings(&pool, now_ms), ["up", "up"]);
    // Soon after, it is out for long again; after a quiet time, for as long as the first time.
    eject(&pool, 0, now_ms);
    assert_eq!(pool.states(now_ms)[0].ejected_ms, Some(350));
    now_ms += 350;
    take_but(&pool, &[1], now_ms).succeeded(200, 1, now_ms);
    now_ms += 351;
    eject(&pool, 0, now_ms);
    assert_eq!(pool.states(now_ms)[0].ejected_ms, Some(100));
}

#[test]
fn old_requests_change_nothing() {
    let pool = of(2, "\"ejection\": {\"failures\": 1, \"base_ms\": 100}");
    let (mut good, mut bad) = (take_but(&pool, &[1], 0), take_but(&pool, &[1], 0));
    eject(&pool, 0, 0);
    good.succeeded(200, 1, 50);
    bad.failed(&refused(), 60);
    assert_eq!(pool.states(60)[0].ejected_ms, Some(40));
    // A body that breaks off counts, also after a good head.
    let mut broken = take_but(&pool, &[0], 60);
    broken.succeeded(200, 1, 60);
    broken.failed(&Failure::new(Phase::Body, Cause::Closed), 61);
    assert_eq!(standings(&pool, 61)[1], "ejected");
}

#[test]
fn not_more_than_a_share_is_ejected() {
    for (percent, out) in [(1, 1), (40, 1), (50, 2), (99, 3), (100, 4)] {
        let json = format!("\"ejection\": {{\"failures\": 1, \"max_percent\": {percent}}}");
        let pool = of(4, &json);
        (0..4).for_each(|index| {
            let others: Vec<_> = (0..4).filter(|other| *other != index).collect();
            take_but(&pool, &others, 0).failed(&refused(), 0);
        });
        let ejected = standings(&pool, 0).iter().filter(|one| **one == "ejected").count();
        assert_eq!(ejected, out, "{percent}");
    }
}

#[test]
fn when_all_are_out_all_are_asked() {
    let pool = of(3, "\"ejection\": {\"failures\": 1}");
    (0..3).for_each(|index| eject(&pool, index, 0));
    let mut asked: Vec<_> = (0..3).map(|_| take(&pool, 1).index()).collect();
    asked.sort_unstable();
    assert_eq!(asked, [0, 1, 2]);
    // Failures do not prolong it; one that answers is back at once.
    take_but(&pool, &[0, 1], 1).failed(&refused(), 1);
    assert_eq!(pool.states(1)[2].ejections, 1);
    take_but(&pool, &[0, 2], 1).succeeded(200, 1, 1);
    assert_eq!(standings(&pool, 1), ["ejected", "up", "ejected"]);
    assert!((0..10).all(|_| take(&pool, 1).index() == 1));
}

#[test]
fn backups_are_for_when_nobody_else_is_there() {
    let pool = pool(
        r#"{"p": {"upstreams": ["http://a", {"url": "http://b", "backup": true}, "http://c"],
            "ejection": {"failures": 1}}}"#,
    );
    let mut asked: Vec<_> = (0..4).map(|_| take(&pool, 0).index()).collect();
    asked.sort_unstable();
    assert_eq!(asked, [0, 0, 2, 2]);
    assert_eq!(take_but(&pool, &[0, 2], 0).index(), 1);
    eject(&pool, 0, 0);
    assert!((0..4).all(|_| take(&pool, 0).index() == 2));
    eject(&pool, 2, 0);
    assert!((0..4).all(|_| take(&pool, 0).index() == 1));
}

#[test]
fn statuses_count_as_failures_if_told() {
    for (more, out) in [("", "up"), (", \"failure_status\": [\"502-504\"]", "ejected")] {
        let pool = of(2, &format!("\"ejection\": {{\"failures\": 2}}{more}"));
        for _ in 0..2 {
            take_but(&pool, &[1], 0).succeeded(503, 1, 0);
        }
        assert_eq!(standings(&pool, 0)[0], out);
    }
}

#[test]
fn waiting_in_a_queue_says_nothing_about_an_upstream() {
    let pool = of(2, "\"ejection\": {\"failures\": 1}");
    take_but(&pool, &[1], 0).failed(&Failure::new(Phase::Queue, Cause::TimedOut), 0);
    assert_eq!(standings(&pool, 0), ["up", "up"]);
}

#[test]
fn upstreams_that_stay_keep_their_state() {
    let old = of(3, "\"ejection\": {\"failures\": 1}");
    eject(&old, 1, 0);
    let under_way = take_but(&old, &[1, 2], 0);
    let json = r#"{"p": {"upstreams": ["http://10.0.0.1:80", "http://10.0.0.9:80", "http://10.0.0.0:80"]}}"#;
    let new = Arc::new(Pool::new(read_pools(json).unwrap().remove(0), Some(&old), 7));
    assert_eq!(standings(&new, 1), ["ejected", "up", "up"]);
    assert_eq!((new.states(1)[0].counts.requests, new.upstreams()[2].in_flight()), (1, 1));
    drop(under_way);
    assert_eq!(new.upstreams()[2].in_flight(), 0);
    // With nobody left to do it, and with nobody beside it, it is not kept out.
    for json in [
        r#"{"p": {"upstreams": ["http://10.0.0.1:80"]}}"#,
        r#"{"p": {"upstreams": ["http://10.0.0.1:80", "http://x"], "ejection": {"failures": 0}}}"#,
    ] {
        eject(&old, 1, 100_000);
        let new = Pool::new(read_pools(json).unwrap().remove(0), Some(&old), 7);
        assert_eq!(new.states(100_001)[0].standing, Standing::Up);
        old.upstreams()[1].vitals.forget_ejection();
    }
}

#[test]
fn the_breaker_opens_and_one_request_closes_it() {
    let breaker = "\"breaker\": {\"error_percent\": 50, \"min_requests\": 4, \"window_ms\": 1000, \"open_ms\": 500}";
    let pool = of(1, breaker);
    let bad = |now_ms| take(&pool, now_ms).failed(&refused(), now_ms);
    let good = |now_ms| take(&pool, now_ms).succeeded(200, 1, now_ms);
    (0..3).for_each(|_| bad(0));
    // Those are no longer in the window.
    bad(2000);
    (0..4).for_each(|_| good(2000));
    bad(2000);
    assert!(!pool.state(2000).breaker_open);
    bad(2000);
    bad(2000);
    assert_eq!(refusal(&pool, 2499), "the circuit breaker is open");
    let probe = take(&pool, 2500);
    assert_eq!(refusal(&pool, 2500), "the circuit breaker is open");
    drop(probe);
    bad(2501);
    assert_eq!(refusal(&pool, 3000), "the circuit breaker is open");
    assert!(pool.state(3000).breaker_open);
    good(3001);
    assert!(!pool.state(3001).breaker_open);
    // What was before is forgotten.
    bad(3001);
    good(3002);
}

#[test]
fn retries_have_a_budget() {
    let pool = of(2, "\"retries\": {\"budget_percent\": 10}");
    let tries = |now_ms| (0..1000).take_while(|_| pool.may_retry(now_ms)).count();
    assert_eq!(tries(0), 10);
    (0..1000).for_each(|_| take(&pool, 1).succeeded(200, 1, 1));
    assert_eq!(tries(1), 100);
    assert_eq!(tries(5_001), 5);
    assert_eq!(tries(15_001), 10);
    // Over a long time, what fell into ten seconds.
    (0..1000).for_each(|_| take(&pool, 16_000).succeeded(200, 1, 16_000));
    assert_eq!(tries(115_001), 20);
    let off = of(2, "\"retries\": {\"budget_percent\": 0}");
    assert_eq!((0..1000).take_while(|_| off.may_retry(0)).count(), 10);
}
