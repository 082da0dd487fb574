//! Places at upstreams, and the queue for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::{pool, refusal, take, take_but};
use crate::pools::{Checks, Choice, Pool, Wait};

fn limited(upstreams: usize, most: u32, more: &str) -> Arc<Pool> {
    let url = |n| format!("{{\"url\": \"http://10.0.0.{n}\", \"max_connections\": {most}}}");
    let urls: Vec<_> = (0..upstreams).map(url).collect();
    pool(&format!("{{\"p\": {{\"upstreams\": [{}]{more}}}}}", urls.join(", ")))
}

fn is_busy(pool: &Arc<Pool>) -> bool {
    matches!(pool.choose(None, &[], 0), Choice::Busy)
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(wait: &mut Wait) -> Option<usize> {
    match wait.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ticket) => Some(ticket.index()),
        Poll::Pending => None,
    }
}

#[test]
fn first_come_first_served() {
    let pool = limited(1, 1, "");
    let ticket = take(&pool, 0);
    assert!(is_busy(&pool));
    let mut waits: Vec<_> = (0..3).map(|_| pool.wait(None, &[], 0).unwrap()).collect();
    assert_eq!((waits[0].deadline_ms(), pool.state(0).waiting), (5_000, 3));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(waits[0].poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(poll(&mut waits[1]), None);
    drop(ticket);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    // It is the first one's although nobody has taken it yet.
    assert!(is_busy(&pool));
    assert_eq!((poll(&mut waits[1]), poll(&mut waits[2])), (None, None));
    // Gone before it was fetched: the next one has it.
    drop(waits.remove(0));
    assert_eq!((poll(&mut waits[1]), poll(&mut waits[0])), (None, Some(0)));
    // That ticket was dropped at once.
    assert_eq!(poll(&mut waits[1]), Some(0));
    assert_eq!((pool.state(0).waiting, pool.upstreams()[0].in_flight()), (0, 0));
}

#[test]
fn who_gives_up_leaves_the_line() {
    let pool = limited(1, 1, "");
    let ticket = take(&pool, 0);
    let first = pool.wait(None, &[], 0).unwrap();
    let mut second = pool.wait(None, &[], 0).unwrap();
    drop(first);
    drop(ticket);
    assert_eq!(poll(&mut second), Some(0));
}

#[test]
fn the_line_has_an_end() {
    let why = "all upstreams are busy, and as many requests wait as may";
    for (upstreams, more, places) in [
        (2, ", \"queue\": {\"max\": 3}", 6),
        (2, ", \"queue\": {\"max\": 3}, \"breaker\": {\"max_pending\": 4}", 4),
    ] {
        let pool = limited(upstreams, 1, more);
        let _tickets: Vec<_> = (0..upstreams).map(|_| take(&pool, 0)).collect();
        let waits: Vec<_> = (0..places).map(|_| pool.wait(None, &[], 0).unwrap()).collect();
        assert_eq!(pool.wait(None, &[], 0).unwrap_err(), why);
        drop(waits);
        assert!(pool.wait(None, &[], 0).is_ok());
    }
    let none = limited(1, 1, ", \"queue\": {\"max\": 0}");
    assert_eq!(none.wait(None, &[], 0).unwrap_err(), "all upstreams are busy");
}

#[test]
fn who_has_tried_an_upstream_lets_others_have_it() {
    let pool = limited(2, 1, "");
    let (first, second) = (take_but(&pool, &[1], 0), take_but(&pool, &[0], 0));
    let mut picky = pool.wait(None, &[0], 0).unwrap();
    let mut plain = pool.wait(None, &[], 0).unwrap();
    drop(first);
    assert_eq!((poll(&mut picky), poll(&mut plain)), (None, Some(0)));
    drop(second);
    assert_eq!(poll(&mut picky), Some(1));
}

#[test]
fn a_busy_upstream_is_passed_over() {
    let pool = limited(3, 2, ", \"policy\": \"hash\"");
    let mut tickets = Vec::new();
    for _ in 0..6 {
        let Choice::Upstream(ticket) = pool.choose(Some(1), &[], 0) else { panic!() };
        tickets.push(ticket);
    }
    let indices: Vec<_> = tickets.iter().map(|ticket| ticket.index()).collect();
    assert!(indices[0] == indices[1] && indices[2] == indices[3] && indices[4] == indices[5]);
    assert!(matches!(pool.choose(Some(1), &[], 0), Choice::Busy));
}

#[test]
fn backups_are_not_for_busy_times() {
    let pool = pool(
        r#"{"p": {"upstreams": [{"url": "http://a", "max_connections": 1},
            {"url": "http://b", "backup": true}]}}"#,
    );
    let _ticket = take(&pool, 0);
    assert!(is_busy(&pool));
}

#[test]
fn an_upstream_that_comes_up_serves_the_line() {
    let pool = limited(2, 1, ", \"health\": {\"interval_ms\": 1000, \"healthy\": 1}");
    let mut checks = Checks::new(vec![Arc::clone(&pool)], 0, 1);
    let first = [checks.take_due(1_000).unwrap(), checks.take_due(1_000).unwrap()];
    for check in &first {
        let outcome =
            if check.upstream().config.url.ends_with('1') { Ok(200) } else { Err(String::new()) };
        checks.done(check, outcome, 1_000);
    }
    let _ticket = take(&pool, 1_000);
    let mut wait = pool.wait(None, &[], 1_000).unwrap();
    assert_eq!(poll(&mut wait), None);
    while let Some(check) = checks.take_due(2_200) {
        checks.done(&check, Ok(200), 2_200);
    }
    assert_eq!(poll(&mut wait), Some(0));
}

#[test]
fn the_whole_pool_may_have_a_limit() {
    let pool = limited(2, 10, ", \"breaker\": {\"max_requests\": 3}");
    let tickets: Vec<_> = (0..3).map(|_| take(&pool, 0)).collect();
    assert_eq!(refusal(&pool, 0), "as many requests are under way as the pool may have");
    drop(tickets);
    take(&pool, 0);
}

/// Threads that take places, wait for them, give up and go on: never more than allowed at a time,
/// and nobody is forgotten.
#[test]
fn many_threads() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 2_000;
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let pool = limited(2, 2, "");
    let inside = AtomicUsize::new(0);
    let work = |number: usize| {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        for round in 0..ROUNDS {
            let ticket = match pool.choose(None, &[], 0) {
                Choice::Upstream(ticket) => ticket,
                Choice::None(why) => panic!("{why}"),
                Choice::Busy => {
                    let mut wait = pool.wait(None, &[], 0).unwrap();
                    if (round + number).is_multiple_of(7) {
                        continue; // impatient
                    }
                    loop {
                        match wait.poll(&mut context) {
                            Poll::Ready(ticket) => break ticket,
                            Poll::Pending => thread::park(),
                        }
                    }
                }
            };
            assert!(inside.fetch_add(1, Ordering::SeqCst) < 4);
            if round.is_multiple_of(3) {
                thread::yield_now();
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            drop(ticket);
        }
    };
    thread::scope(|scope| {
        (0..THREADS).for_each(|number| {
            scope.spawn(move || work(number));
        });
    });
    assert_eq!(pool.state(0).waiting, 0);
    assert!(pool.upstreams().iter().all(|upstream| upstream.in_flight() == 0));
}
