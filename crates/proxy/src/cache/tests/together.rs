//! Requests for the same thing at the same time.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

const MINUTE: &str = "Cache-Control: max-age=60";

struct Waiting(Pin<Box<dyn Future<Output = Round>>>);

impl Waiting {
    fn is_over(&mut self) -> Option<Round> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(round) => Some(round),
            Poll::Pending => None,
        }
    }
}

fn follow(bench: &Bench, request: &str) -> Waiting {
    match bench.look("GET", "/", request, Round::FIRST) {
        Lookup::Miss(Coalesce::Follower(waiter)) => {
            let mut waiting = Waiting(Box::pin(waiter.wait()));
            assert_eq!(waiting.is_over(), None);
            waiting
        }
        other => panic!("{other:?}"),
    }
}

fn is_leader(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Miss(Coalesce::Leader(_)))
}

#[test]
fn one_asks_and_all_get_it() {
    let bench = Bench::new();
    let fetch = bench.fetch("/", "");
    let mut others: Vec<_> = (0..5).map(|_| follow(&bench, "")).collect();
    bench.answer(fetch, (200, MINUTE, "body"), false, "");
    for other in &mut others {
        let round = other.is_over().unwrap();
        assert!(matches!(bench.look("GET", "/", "", round), Lookup::Fresh(_)));
    }
    let stats = bench.cache.stats();
    assert_eq!((stats.misses, stats.waited, stats.hits, stats.stored), (1, 5, 5, 1));
}

/// The response is theirs when it is whole, not before.
#[test]
fn they_wait_for_the_end() {
    let bench = Bench::new();
    let fetch = bench.fetch("/", "");
    let mut other = follow(&bench, "");
    let head = head(200, MINUTE, Some(4));
    let Verdict::Record(mut recorder, _) = fetch.answered(&head, NOW) else { panic!() };
    recorder.push(b"body");
    assert_eq!(other.is_over(), None);
    recorder.finish();
    assert!(other.is_over().is_some());
}

/// All of them are let go at once, and for a while nobody waits.
#[test]
fn what_is_not_stored_holds_up_nobody() {
    let mut bench = Bench::new();
    let fetch = bench.fetch("/", "");
    let mut others: Vec<_> = (0..5).map(|_| follow(&bench, "")).collect();
    let seen = bench.answer(fetch, (200, "Cache-Control: private", "own"), false, "");
    assert_eq!(seen.why, Some(Why::Private));
    let rounds: Vec<_> = others.iter_mut().map(|other| other.is_over().unwrap()).collect();
    let asked: Vec<_> = rounds.into_iter().map(|round| bench.look("GET", "/", "", round)).collect();
    assert!(asked.iter().all(is_leader));
    let more: Vec<_> = (0..3).map(|_| bench.look("GET", "/", "", Round::FIRST)).collect();
    assert!(more.iter().all(is_leader));
    // When it can be stored after all, it is.
    bench.get("", (200, MINUTE, "body"));
    assert_eq!(bench.get("", (500, "", "")).how, "fresh");
    bench.now += 60;
    let _leader = bench.fetch("/", "");
    follow(&bench, "");
}

/// What has to be asked about each time is asked about by all, and by none after the other.
#[test]
fn what_is_never_fresh_holds_up_nobody() {
    let bench = Bench::new();
    let fetch = bench.fetch("/", "");
    let mut others: Vec<_> = (0..5).map(|_| follow(&bench, "")).collect();
    let head = head(200, "Cache-Control: no-cache\nETag: \"a\"", Some(4));
    let Verdict::Record(mut recorder, _) = fetch.answered(&head, NOW) else { panic!() };
    for other in &mut others {
        assert!(is_leader(&bench.look("GET", "/", "", other.is_over().unwrap())));
    }
    recorder.push(b"body");
    assert!(recorder.finish());
    let asked: Vec<_> = (0..3).map(|_| bench.look("GET", "/", "", Round::FIRST)).collect();
    for look in asked {
        let Lookup::Miss(Coalesce::Leader(fetch)) = look else { panic!() };
        assert!(fetch.conditions().is_some());
        assert_eq!(bench.answer(*fetch, (304, "", ""), false, "").how, "renewed");
    }
}

#[test]
fn too_long_a_response_lets_them_go() {
    let bench = Bench::sized(1 << 20);
    let fetch = bench.fetch("/", "");
    let mut other = follow(&bench, "");
    let head = head(200, MINUTE, None);
    let Verdict::Record(mut recorder, _) = fetch.answered(&head, NOW) else { panic!() };
    while recorder.is_recording() {
        assert_eq!(other.is_over(), None);
        recorder.push(&[b'x'; 1000]);
    }
    assert!(other.is_over().is_some());
    assert!(!recorder.finish());
    assert_eq!(bench.cache.stats().recording_bytes, 0);
}

/// One of those who wait takes the place of a client that leaves.
#[test]
fn a_leader_that_leaves() {
    let bench = Bench::new();
    let fetch = bench.fetch("/", "");
    let mut others: Vec<_> = (0..3).map(|_| follow(&bench, "")).collect();
    drop(fetch);
    let rounds: Vec<_> = others.iter_mut().map(|other| other.is_over().unwrap()).collect();
    let looks: Vec<_> = rounds.iter().map(|round| bench.look("GET", "/", "", *round)).collect();
    assert_eq!(looks.iter().filter(|look| is_leader(look)).count(), 1);
}

/// Nobody waits for ever for clients that leave one after the other.
#[test]
fn waits_are_bounded() {
    let bench = Bench::new();
    let mut round = Round::FIRST;
    let mut waits = 0;
    loop {
        let leader = bench.look("GET", "/", "", Round::FIRST);
        assert!(is_leader(&leader));
        let Lookup::Miss(Coalesce::Follower(waiter)) = bench.look("GET", "/", "", round) else {
            break;
        };
        let mut waiting = Waiting(Box::pin(waiter.wait()));
        drop(leader);
        round = waiting.is_over().unwrap();
        waits += 1;
    }
    assert_eq!(waits, 3);
}

#[test]
fn those_who_wait_are_counted() {
    let bench = Bench::new();
    let _fetch = bench.fetch("/", "");
    let mut waiters = Vec::new();
    while let Lookup::Miss(Coalesce::Follower(waiter)) = bench.look("GET", "/", "", Round::FIRST) {
        waiters.push(waiter);
    }
    assert_eq!(waiters.len(), 1024);
    waiters.pop();
    assert!(!is_leader(&bench.look("GET", "/", "", Round::FIRST)));
}

/// When the upstream fails, those who wait get what is stale instead, if they may.
#[test]
fn failures() {
    for (control, instead) in [("max-age=9, stale-if-error=99", true), ("max-age=9", false)] {
        let mut bench = Bench::new();
        bench.get("", (200, &format!("Cache-Control: {control}\nETag: \"a\""), "old"));
        bench.now += 10;
        let fetch = bench.fetch("/", "");
        let mut others: Vec<_> = (0..3).map(|_| follow(&bench, "")).collect();
        assert_eq!(fetch.failed(bench.now).is_some(), instead);
        for other in &mut others {
            let look = bench.look("GET", "/", "", other.is_over().unwrap());
            assert_eq!(matches!(look, Lookup::Stale { renew: None, .. }), instead, "{look:?}");
        }
    }
}

/// A stale response is renewed by one, for all.
#[test]
fn renewal_for_all() {
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=9\nETag: \"a\"", "body"));
    bench.now += 10;
    let fetch = bench.fetch("/", "");
    let mut other = follow(&bench, "");
    assert_eq!(bench.answer(fetch, (304, "", ""), false, "").how, "renewed");
    let look = bench.look("GET", "/", "", other.is_over().unwrap());
    assert!(matches!(look, Lookup::Fresh(_)));
}

/// Once it is known what makes a difference, those who differ do not wait for each other.
#[test]
fn variants_do_not_wait_for_each_other() {
    let mut bench = Bench::new();
    bench.get("Accept: a", (200, "Cache-Control: max-age=9\nVary: Accept", "a"));
    bench.now += 10;
    let _a = bench.fetch("/", "Accept: a");
    let _b = bench.fetch("/", "Accept: b");
    follow(&bench, "Accept: a");
    follow(&bench, "Accept: b");
}

/// What is one client's own keeps nobody waiting.
#[test]
fn who_asks_alone() {
    let bench = Bench::new();
    let _fetch = bench.fetch("/", "");
    for request in
        ["Authorization: x", "Cache-Control: no-store", "Range: bytes=0-1", "If-None-Match: \"a\""]
    {
        assert!(is_leader(&bench.look("GET", "/", request, Round::FIRST)), "{request}");
    }
    assert!(is_leader(&bench.look("HEAD", "/", "", Round::FIRST)));
    assert!(is_leader(&bench.look("GET", "/", "", Round::ALONE)));
}

/// Many threads, few targets: nothing is lost, and each target is asked for once at a time.
#[test]
fn threads() {
    use std::sync::atomic::AtomicUsize;
    let bench = Bench::new();
    let asked: [AtomicUsize; 4] = Default::default();
    std::thread::scope(|scope| {
        for thread in 0..4usize {
            let (cache, asked) = (bench.cache.clone(), &asked);
            scope.spawn(move || {
                let bench = Bench { cache, now: NOW, upstream: "http://a" };
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for n in 0..400 {
                    let at = (n + thread) % 4;
                    let target = format!("/{at}");
                    let mut round = Round::FIRST;
                    loop {
                        match bench.look("GET", &target, "", round) {
                            Lookup::Fresh(_) => break,
                            Lookup::Miss(Coalesce::Follower(waiter)) => {
                                round = runtime.block_on(waiter.wait());
                            }
                            Lookup::Miss(Coalesce::Leader(fetch)) => {
                                assert_eq!(asked[at].fetch_add(1, Ordering::SeqCst), 0);
                                std::thread::yield_now();
                                bench.answer(*fetch, (200, MINUTE, "body"), false, "");
                                break;
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(bench.cache.stats().stored, 4);
}
