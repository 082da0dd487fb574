//! What is stored, and for how long it is fresh (sections 3, 4.2 and 5.2.2).

use super::*;

/// What is expected of a response.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// Fresh for so many seconds from now.
    Fresh(i64),
    /// Stored, but asked about each time.
    Stale,
    /// Not stored.
    No(Why),
}
use Expect::{Fresh, No, Stale};

fn check(section: &str, request: &str, status: u16, response: &str, expect: Expect) {
    let mut bench = Bench::new();
    let says = (status, response, if status == 204 { "" } else { "body" });
    let first = bench.get(request, says);
    let context = format!("section {section}: {request} -> {status} {response}");
    assert_eq!(first.how, "upstream", "{context}");
    if let No(why) = expect {
        assert_eq!(first.why, Some(why), "{context}");
        assert_eq!(bench.cache.stats().stored, 0, "{context}");
        return;
    }
    assert_eq!(first.why, None, "{context}");
    let is_fresh = |bench: &Bench| match bench.look("GET", "/", request, Round::FIRST) {
        Lookup::Fresh(_) => true,
        Lookup::Miss(Coalesce::Leader(fetch)) => {
            assert!(fetch.conditions().is_some(), "{context}: it is not stored");
            false
        }
        other => panic!("{context}: {other:?}"),
    };
    let Fresh(seconds) = expect else {
        assert!(!is_fresh(&bench), "{context}: it is fresh");
        return;
    };
    bench.now = NOW + seconds - 1;
    assert!(is_fresh(&bench), "{context}: it is stale before");
    bench.now = NOW + seconds;
    assert!(!is_fresh(&bench), "{context}: it is fresh still");
}

#[test]
fn freshness() {
    for (section, response, expect) in [
        ("4.2.1", "Cache-Control: max-age=60", Fresh(60)),
        ("4.2.1", "Cache-Control: s-maxage=5, max-age=60", Fresh(5)),
        ("4.2.1", "Cache-Control: s-maxage=60, max-age=0", Fresh(60)),
        ("4.2.1", "Cache-Control: max-age=60\nExpires: @10", Fresh(60)),
        ("4.2.1", "Expires: @60", Fresh(60)),
        ("4.2.1", "Expires: @60\nDate: @0", Fresh(60)),
        ("4.2.1", "Expires: @70\nDate: @-10", Fresh(70)),
        ("4.2.1", "Cache-Control: max-age=60, max-age=60", Fresh(60)),
        ("4.2.1", "Cache-Control: max-age=60, max-age=70\nETag: \"e\"", Stale),
        ("4.2.1", "Cache-Control: max-age=60\nCache-Control: max-age=70\nETag: \"e\"", Stale),
        ("4.2.1", "Expires: @60\nExpires: @60", Fresh(60)),
        ("4.2.1", "Expires: @60\nExpires: @70\nETag: \"e\"", Stale),
        ("4.2.1", "Cache-Control: max-age=x\nExpires: @60\nETag: \"e\"", Stale),
        ("5.2.2.10", "Cache-Control: s-maxage=x, max-age=60\nETag: \"e\"", Stale),
        ("5.3", "Expires: 0\nETag: \"e\"", Stale),
        ("5.3", "Expires: @-1\nETag: \"e\"", Stale),
        ("5.3", "Expires: tomorrow\nETag: \"e\"", Stale),
        ("5.3", "Expires: 0", No(Why::NotFresh)),
        ("5.2.2.4", "Cache-Control: max-age=60, no-cache\nETag: \"e\"", Stale),
        ("5.2.2.4", "Cache-Control: max-age=60, no-cache", No(Why::NotFresh)),
        ("4.2.2", "Last-Modified: @-1000", Fresh(100)),
        ("4.2.2", "Last-Modified: @-99999999", Fresh(86_400)),
        ("4.2.2", "Last-Modified: @-1000\nDate: @-50", Fresh(45)),
        ("4.2.2", "Last-Modified: @1000", Stale),
        ("4.2.2", "ETag: \"e\"", Stale),
        ("4.2.2", "Content-Type: text/plain", No(Why::NotFresh)),
        ("4.2.3", "Cache-Control: max-age=60\nDate: @-20", Fresh(40)),
        ("4.2.3", "Cache-Control: max-age=60\nAge: 20", Fresh(40)),
        ("4.2.3", "Cache-Control: max-age=60\nAge: 20\nDate: @-30", Fresh(30)),
        ("4.2.3", "Cache-Control: max-age=60\nAge: 61\nETag: \"e\"", Stale),
        ("4.2.3", "Cache-Control: max-age=60\nAge: 60", No(Why::NotFresh)),
        ("4.2.3", "Cache-Control: max-age=60\nDate: @5000", Fresh(60)),
        ("4.2.3", "Cache-Control: max-age=60\nDate: never", Fresh(60)),
        ("4.2.3", "Cache-Control: max-age=60\nDate: @-5\nDate: @-5", Fresh(60)),
        ("5.1", "Cache-Control: max-age=60\nAge: 20, 30", Fresh(40)),
        ("5.1", "Cache-Control: max-age=60\nAge: 20\nAge: 30", Fresh(40)),
        ("5.1", "Cache-Control: max-age=60\nAge: -5", Fresh(60)),
        ("5.1", "Cache-Control: max-age=60\nAge: old", Fresh(60)),
        ("5.1", "Cache-Control: max-age=60\nAge: 99999999999999999999", No(Why::NotFresh)),
        ("1.2.2", "Cache-Control: max-age=99999999999999999999", Fresh(1 << 31)),
        ("5.2", "CACHE-CONTROL: MAX-AGE=60", Fresh(60)),
        ("5.2", "Cache-Control: max-age=\"60\"", Fresh(60)),
        ("5.2", "Cache-Control: a=\"no-store\", max-age=60", Fresh(60)),
        ("5.4", "Pragma: no-cache\nCache-Control: max-age=60", Fresh(60)),
    ] {
        check(section, "", 200, response, expect);
    }
}

#[test]
fn what_may_be_stored() {
    let hour = "Cache-Control: max-age=3600";
    for (section, request, status, response, expect) in [
        ("3", "", 200, "Cache-Control: no-store, max-age=60", No(Why::NoStore)),
        ("3", "", 200, "Cache-Control: max-age=60\nCache-Control: No-Store", No(Why::NoStore)),
        ("3", "Cache-Control: no-store", 200, hour, No(Why::NoStore)),
        ("3", "", 200, "Cache-Control: private, max-age=60", No(Why::Private)),
        ("3", "", 200, "Cache-Control: public, private, max-age=60", No(Why::Private)),
        ("3", "", 206, hour, No(Why::Status)),
        ("3", "", 304, hour, No(Why::Status)),
        ("3", "", 404, hour, Fresh(3600)),
        ("3", "", 302, hour, Fresh(3600)),
        ("3", "", 500, hour, Fresh(3600)),
        ("3", "", 299, hour, Fresh(3600)),
        ("3", "", 204, hour, Fresh(3600)),
        ("3", "", 302, "Last-Modified: @-1000", No(Why::Status)),
        ("3", "", 302, "Cache-Control: public\nLast-Modified: @-1000", Fresh(100)),
        ("3", "", 403, "ETag: \"e\"", No(Why::Status)),
        ("3", "", 410, "Last-Modified: @-1000", Fresh(100)),
        ("5.2.2.3", "", 299, "Cache-Control: must-understand, max-age=60", No(Why::Status)),
        ("5.2.2.3", "", 200, "Cache-Control: must-understand, no-store, max-age=60", Fresh(60)),
        ("3.5", "Authorization: x", 200, hour, No(Why::Authorized)),
        ("3.5", "Authorization: x", 200, "Cache-Control: public, max-age=60", Fresh(60)),
        ("3.5", "Authorization: x", 200, "Cache-Control: s-maxage=60", Fresh(60)),
        ("3.5", "Authorization: x", 200, "Cache-Control: must-revalidate, max-age=60", Fresh(60)),
        (
            "3.5",
            "Authorization: x",
            200,
            "Cache-Control: proxy-revalidate, max-age=60",
            No(Why::Authorized),
        ),
        ("4.1", "", 200, "Vary: *\nCache-Control: max-age=60", No(Why::Vary)),
        ("4.1", "", 200, "Vary: a, *\nCache-Control: max-age=60", No(Why::Vary)),
        ("4.1", "", 200, "Vary: a b\nCache-Control: max-age=60", No(Why::Vary)),
        ("7.3", "", 200, "Set-Cookie: a=b\nCache-Control: max-age=60", No(Why::SetsCookie)),
        ("7.3", "", 200, "Set-Cookie: a=b\nCache-Control: public, max-age=60", Fresh(60)),
        ("7.3", "", 200, "Set-Cookie: a=b\nCache-Control: s-maxage=60", Fresh(60)),
        (
            "5.2.2.7",
            "",
            200,
            "Set-Cookie: a=b\nCache-Control: max-age=60, private=\"set-cookie\"",
            Fresh(60),
        ),
    ] {
        check(section, request, status, response, expect);
    }
}

/// RFC 9213: what is said to this cache alone replaces Cache-Control and Expires.
#[test]
fn targeted() {
    for (response, expect) in [
        ("CDN-Cache-Control: max-age=60\nCache-Control: no-store", Fresh(60)),
        ("CDN-Cache-Control: max-age=60\nExpires: 0", Fresh(60)),
        ("CDN-Cache-Control: no-store\nCache-Control: max-age=60", No(Why::NoStore)),
        (
            "CDN-Cache-Control: max-age=5\nCDN-Cache-Control: private\nCache-Control: max-age=60",
            No(Why::Private),
        ),
        ("CDN-Cache-Control: max-age=\nCache-Control: max-age=60", Fresh(60)),
        ("CDN-Cache-Control:\nCache-Control: max-age=60", Fresh(60)),
        ("CDN-Cache-Control: MAX-AGE=5\nCache-Control: max-age=60", Fresh(60)),
        ("CDN-Cache-Control: max-age=60\nSet-Cookie: a=b", Fresh(60)),
    ] {
        check("2.2", "", 200, response, expect);
    }
}

/// A response that took long to come is older than it says (section 4.2.3).
#[test]
fn delay_counts_as_age() {
    let mut bench = Bench::new();
    let fetch = bench.fetch("/", "");
    bench.now += 10;
    bench.answer(fetch, (200, "Cache-Control: max-age=60\nAge: 5", "x"), false, "");
    assert_eq!(bench.get("", (500, "", "")).field("age"), Some("15"));
    bench.now = NOW + 54;
    assert_eq!(bench.get("", (500, "", "")).how, "fresh");
    bench.now = NOW + 55;
    assert_eq!(bench.get("", (500, "", "")).how, "upstream");
}

/// Fields about one connection, or for one client, stay out (sections 3.1 and 5.2.2.4).
#[test]
fn fields_that_are_not_stored() {
    let bench = Bench::new();
    let response = "Cache-Control: max-age=60, no-cache=\"X-One\", private=X-Two
        X-One: 1\nx-two: 2\nX-Three: 3\nX-Three: 4\nProxy-Authenticate: x\nKeep-Alive: x\nAge: 1";
    bench.get("", (200, response, "body"));
    let seen = bench.get("", (500, "", ""));
    for name in ["x-one", "x-two", "proxy-authenticate", "keep-alive"] {
        assert_eq!(seen.field(name), None, "{name}");
    }
    assert_eq!(seen.head.matches("X-Three: ").count(), 2);
    assert_eq!(seen.field("age"), Some("1"));
    assert_eq!(seen.head.matches("Age: ").count(), 1);
    assert_eq!(seen.field("content-length"), Some("4"));
    assert_eq!(seen.field("date"), Some(date::format(NOW).as_str()));
    assert_eq!(seen.field("cache-status"), Some("zeroserve; hit; ttl=59"));
    assert_eq!(seen.body, "body");
}

/// Section 3.3: what did not end as it should is not stored.
#[test]
fn incomplete_responses() {
    let bench = Bench::new();
    for finish in [false, true] {
        let fetch = bench.fetch("/", "");
        let head = head(200, "Cache-Control: max-age=60", Some(10));
        let Verdict::Record(mut recorder, _) = fetch.answered(&head, NOW) else { panic!() };
        recorder.push(b"only");
        if finish {
            assert!(!recorder.finish());
        }
    }
    assert_eq!(bench.get("", (200, "", "")).how, "upstream");
    assert_eq!(bench.cache.stats().stored, 0);
    assert_eq!(bench.cache.stats().recording_bytes, 0);
}

/// Without a length, the end is where the upstream says.
#[test]
fn without_a_length() {
    let bench = Bench::new();
    let fetch = bench.fetch("/", "");
    let head = head(200, "Cache-Control: max-age=60", None);
    let Verdict::Record(mut recorder, note) = fetch.answered(&head, NOW) else { panic!() };
    assert_eq!(note.value(), "zeroserve; fwd=uri-miss; stored");
    recorder.push(b"some");
    recorder.push(b"thing");
    assert!(recorder.finish());
    let seen = bench.get("", (500, "", ""));
    assert_eq!((seen.body.as_str(), seen.field("content-length")), ("something", Some("9")));
}
