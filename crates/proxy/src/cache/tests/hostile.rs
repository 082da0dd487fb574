//! Upstreams and clients that mean ill, and the budget.

use proptest::prelude::*;

use super::*;

/// One upstream can't take more than the budget, whatever it sends.
#[test]
fn the_budget_holds() {
    let budget = 1 << 20;
    let bench = Bench::sized(budget);
    let body = "x".repeat(20_000);
    for n in 0..500 {
        bench.keep(&format!("/{n}"), &body);
        let stats = bench.cache.stats();
        assert!(stats.bytes + stats.recording_bytes <= budget, "{stats:?}");
    }
    let stats = bench.cache.stats();
    assert!(stats.evicted > 400, "{stats:?}");
    assert!(stats.bytes > budget / 2, "{stats:?}");
    assert_eq!(stats.stored, 500);
}

/// What takes the place of an older answer for the same target has nobody make room.
#[test]
fn renewals_evict_nothing() {
    let mut bench = Bench::sized(1 << 20);
    for _ in 0..20 {
        bench.keep("/", "body");
        bench.send("GET", "/p", "", (200, "Cache-Control: private", ""));
        bench.now += 60;
    }
    let stats = bench.cache.stats();
    assert_eq!((stats.stored, stats.evicted, stats.keys), (20, 0, 2));
}

#[test]
fn small_things_count_as_well() {
    let budget = 1 << 20;
    let bench = Bench::sized(budget);
    for n in 0..5_000 {
        bench.keep(&format!("/{n}/{}", "y".repeat(100)), "");
        bench.send("GET", &format!("/p{n}"), "", (200, "Cache-Control: private", ""));
    }
    let stats = bench.cache.stats();
    assert!(stats.bytes <= budget, "{stats:?}");
    // Each of them takes some hundred bytes at least.
    assert!(stats.keys < 4_000, "{stats:?}");
}

#[test]
fn variants_do_not_outgrow_the_rest() {
    let budget = 4 << 20;
    let bench = Bench::sized(budget);
    let body = "x".repeat(200_000);
    for n in 0..16 {
        let vary = "Cache-Control: max-age=60\nVary: a";
        bench.get(&format!("a: {n}"), (200, vary, &body));
    }
    assert!(bench.cache.stats().bytes <= budget * 3 / 4);
    assert_eq!(bench.get("a: 15", (500, "", "")).how, "fresh");
}

#[test]
fn too_large() {
    let bench = Bench::sized(1 << 20);
    let limit = bench.cache.max_object_bytes();
    assert_eq!(limit, 64 * 1024);
    let control = "Cache-Control: max-age=60";
    let fits = "x".repeat(limit - fields(control).len());
    let more = format!("{fits}x");
    assert_eq!(bench.get("", (200, control, &more)).why, Some(Why::TooLarge));
    assert_eq!(bench.get("", (200, control, &fits)).why, None);
    assert_eq!(bench.get("", (500, "", "")).body.len(), fits.len());
    let long = format!("{control}\nX: {}", "x".repeat(limit));
    assert_eq!(bench.send("GET", "/b", "", (200, &long, "")).why, Some(Why::TooLarge));
}

/// A length is no promise of memory.
#[test]
fn lengths_that_are_not_true() {
    let bench = Bench::sized(1 << 30);
    let fetch = bench.fetch("/", "");
    let head = head(200, "Cache-Control: max-age=60", Some(60 << 20));
    let Verdict::Record(mut recorder, _) = fetch.answered(&head, NOW) else { panic!() };
    recorder.push(b"x");
    assert!(bench.cache.stats().recording_bytes < 1000);
    assert!(!recorder.finish());
}

/// What is on its way has a budget of its own.
#[test]
fn many_on_their_way() {
    let bench = Bench::sized(1 << 20);
    let piece = [b'x'; 60_000];
    let mut recorders = Vec::new();
    for n in 0..100 {
        let fetch = bench.fetch(&format!("/{n}"), "");
        let head = head(200, "Cache-Control: max-age=60", None);
        let Verdict::Record(mut recorder, _) = fetch.answered(&head, NOW) else { continue };
        recorder.push(&piece);
        recorders.push(recorder);
    }
    let kept = recorders.iter().filter(|recorder| recorder.is_recording()).count();
    assert_eq!(kept, 4);
    assert!(bench.cache.stats().recording_bytes <= 1 << 18);
    drop(recorders);
    assert_eq!(bench.cache.stats().recording_bytes, 0);
}

#[test]
fn long_lists_in_vary() {
    for (vary, why) in [
        ((0..16).map(|n| format!("x{n}")).collect::<Vec<_>>().join(", "), None),
        ((0..17).map(|n| format!("x{n}")).collect::<Vec<_>>().join(", "), Some(Why::Vary)),
        (vec!["x"; 50].join(","), None),
        (vec!["x"; 10_000].join(","), Some(Why::Vary)),
    ] {
        let bench = Bench::new();
        let response = format!("Cache-Control: max-age=60\nVary: {vary}");
        assert_eq!(bench.get("", (200, &response, "")).why, why);
    }
    let bench = Bench::new();
    let request = format!("Cookie: {}", "x".repeat(5_000));
    let seen = bench.get(&request, (200, "Cache-Control: max-age=60\nVary: Cookie", ""));
    assert_eq!(seen.why, Some(Why::Request));
}

#[test]
fn long_targets_pass() {
    let bench = Bench::new();
    let target = format!("/{}", "x".repeat(10_000));
    assert_eq!(bench.send("GET", &target, "", (200, "", "")).how, "passed");
}

/// An entity tag that is none is not sent to anybody as one.
#[test]
fn bad_entity_tags() {
    for tag in ["a", "\"a", "\"", "\"a\"b\"", "\"a b\"", "w/\"a\"", "\"a\"\nETag: \"b\""] {
        let mut bench = Bench::new();
        bench.get("", (200, &format!("Cache-Control: max-age=9\nETag: {tag}"), ""));
        bench.now += 10;
        assert_eq!(bench.fetch("/", "").conditions(), Some(Vec::new()), "{tag}");
    }
}

/// An upstream that says 304 to who did not ask.
#[test]
fn a_304_out_of_nowhere() {
    let bench = Bench::new();
    assert_eq!(bench.get("", (304, "Cache-Control: max-age=60", "")).why, Some(Why::Status));
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=9", "body"));
    bench.now += 10;
    assert_eq!(bench.get("", (304, "Cache-Control: max-age=9", "")).how, "upstream");
}

#[test]
fn no_budget_at_all() {
    for budget in [0, 1, 1000, 100_000] {
        let bench = Bench::sized(budget);
        bench.get("", (200, "Cache-Control: max-age=60", "body"));
        bench.get("", (200, "Cache-Control: max-age=60", "body"));
        assert!(bench.cache.stats().bytes <= budget);
    }
}

/// Times far away wrap nowhere.
#[test]
fn clocks() {
    for now in [i64::MIN, -1, 0, i64::MAX] {
        let mut bench = Bench::new();
        bench.get("", (200, "Cache-Control: max-age=99999999999, stale-if-error=99999999999", "x"));
        bench.now = now;
        bench.get("", (200, "Cache-Control: max-age=60\nExpires: @0\nDate: @-5\nAge: 3", "x"));
        bench.get("", (304, "Cache-Control: max-age=60", "x"));
    }
}

fn any_line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("Cache-Control"),
        Just("CDN-Cache-Control"),
        Just("Vary"),
        Just("Age"),
        Just("Date"),
        Just("Expires"),
        Just("Last-Modified"),
        Just("ETag"),
        Just("Set-Cookie"),
        Just("Accept"),
        Just("Authorization"),
        Just("If-None-Match"),
        Just("If-Modified-Since"),
        Just("Range"),
        Just("If-Range"),
    ];
    let value = prop_oneof![
        "(public|private|no-store|no-cache|max-age=[0-9]{1,3}|s-maxage=[0-9]{1,2}|stale-if-error=9|stale-while-revalidate=9|must-revalidate)(, (max-age=[0-9]{1,2}|private=\"a\"|no-cache=Date))?",
        "[a-c\"*/W, =;-]{0,12}",
        "@-?[0-9]{1,3}",
        "[0-9]{0,22}",
        "bytes=[0-9]{0,2}-[0-9]{0,2}",
        "(W/)?\"[ab]\"",
        "Accept|Cookie|\\*",
    ];
    (name, value).prop_map(|(name, value)| format!("{name}: {value}"))
}

fn any_lines() -> impl Strategy<Value = String> {
    prop::collection::vec(any_line(), 0..5).prop_map(|lines| lines.join("\n"))
}

proptest! {
    /// Whatever both sides say: what is answered from the store was said before by the upstream,
    /// is what was stored last, and was never marked as for nobody else.
    #[test]
    fn any_conversation(
        turns in prop::collection::vec(
            (any_lines(), prop::sample::select(vec![200u16, 200, 200, 304, 404, 503]), any_lines(), 0i64..30),
            1..8,
        )
    ) {
        let mut bench = Bench::sized(1 << 20);
        let mut said = Vec::new();
        for (n, (request, status, response, passes)) in turns.into_iter().enumerate() {
            let body = if status == 304 { String::new() } else { format!("body {n}") };
            let seen = bench.get(&request, (status, &response, &body));
            if matches!(seen.how, "fresh" | "stale" | "renewed" | "instead") && seen.status == 200 {
                let known = said.iter().any(|(body, is_open)| *body == seen.body && *is_open);
                prop_assert!(known, "{seen:?}");
            }
            let control = response.to_ascii_lowercase();
            let is_closed = control.contains("cache-control: no-store")
                || control.contains("cache-control: private")
                || control.contains("vary: *");
            // What is said to this cache alone may open it again.
            said.push((body, !is_closed || control.contains("cdn-cache-control")));
            bench.now += passes;
            let stats = bench.cache.stats();
            prop_assert!(stats.bytes <= 1 << 20 && stats.recording_bytes == 0);
        }
    }
}
