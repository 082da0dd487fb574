//! When and how what is stored is used (section 4).

use super::*;

const MINUTE: &str = "Cache-Control: max-age=60";

#[test]
fn methods() {
    let bench = Bench::new();
    bench.keep("/", "body");
    let head = bench.send("HEAD", "/", "", (500, "", ""));
    assert_eq!((head.how, head.body.as_str()), ("fresh", ""));
    assert_eq!(head.field("content-length"), Some("4"));
    for method in ["POST", "OPTIONS", "get", "PROPFIND"] {
        assert_eq!(bench.send(method, "/", "", (200, "", "")).how, "passed", "{method}");
    }
    // A HEAD is never stored.
    let bench = Bench::new();
    assert_eq!(bench.send("HEAD", "/", "", (200, MINUTE, "")).why, Some(Why::Method));
    assert_eq!(bench.get("", (200, MINUTE, "")).how, "upstream");
}

/// Section 4.3.5: a HEAD that shows another response makes what is stored useless.
#[test]
fn a_head_that_differs() {
    for (now, how) in [("ETag: \"b\"", false), ("ETag: \"a\"", true)] {
        let mut bench = Bench::new();
        bench.get("", (200, "ETag: \"a\"\nCache-Control: max-age=60", "body"));
        bench.now += 100;
        bench.send("HEAD", "/", "", (200, now, "body"));
        assert_eq!(bench.fetch("/", "").conditions().is_some(), how, "{now}");
    }
}

#[test]
fn keys_are_apart() {
    let mut bench = Bench::new();
    bench.keep("/", "body");
    assert_eq!(bench.send("GET", "/?", "", (500, "", "")).how, "upstream");
    bench.upstream = "http://b";
    assert_eq!(bench.get("", (500, "", "")).how, "upstream");
    bench.upstream = "http://a";
    assert_eq!(bench.get("", (500, "", "")).how, "fresh");
}

/// Section 4.1.
#[test]
fn variants() {
    let bench = Bench::new();
    let gzip = "Cache-Control: max-age=60\nVary: Accept-Encoding\nContent-Encoding: gzip";
    let plain = "Cache-Control: max-age=60\nVary: accept-encoding";
    assert_eq!(bench.get("Accept-Encoding: gzip", (200, gzip, "zipped")).how, "upstream");
    assert_eq!(bench.get("", (200, plain, "plain")).how, "upstream");
    assert_eq!(bench.get("accept-encoding:  GZIP ", (500, "", "")).body, "zipped");
    assert_eq!(bench.get("", (500, "", "")).body, "plain");
    let other = bench.look("GET", "/", "Accept-Encoding: br", Round::FIRST);
    let Lookup::Miss(Coalesce::Leader(fetch)) = other else { panic!() };
    assert_eq!(fetch.note().value(), "zeroserve; fwd=vary-miss");
}

#[test]
fn variants_are_bounded() {
    let bench = Bench::new();
    for n in 0..40 {
        let request = format!("Cookie: {n}");
        bench.get(&request, (200, "Cache-Control: max-age=60\nVary: Cookie", "x"));
    }
    let is_fresh = |n: usize| bench.get(&format!("Cookie: {n}"), (500, "", "")).how == "fresh";
    assert!(is_fresh(39) && is_fresh(24) && !is_fresh(23));
}

/// Section 3.5, and more careful than it: what was stored for anybody is not for those who say who
/// they are, unless the origin says so.
#[test]
fn authorized_requests() {
    for (control, how) in [("max-age=60", "upstream"), ("public, max-age=60", "fresh")] {
        let bench = Bench::new();
        bench.get("", (200, &format!("Cache-Control: {control}"), "x"));
        let seen = bench.get("Authorization: x", (200, "Cache-Control: private", "own"));
        assert_eq!(seen.how, how, "{control}");
        assert_eq!(bench.get("", (500, "", "")).how, "fresh", "{control}");
    }
}

#[test]
fn ages() {
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=60\nAge: 7", "x"));
    for (later, age) in [(0, "7"), (5, "12"), (-100, "0")] {
        bench.now = NOW + later;
        assert_eq!(bench.get("", (500, "", "")).field("age"), Some(age), "{later}");
    }
}

/// Section 5.2.1: what a client says of freshness is not ours to follow, as for an origin.
#[test]
fn requests_with_cache_control() {
    let bench = Bench::new();
    assert_eq!(bench.get("Cache-Control: only-if-cached", (500, "", "")).how, "unavailable");
    bench.keep("/", "body");
    for request in [
        "Cache-Control: no-cache",
        "Cache-Control: max-age=0",
        "Cache-Control: no-store",
        "Cache-Control: only-if-cached",
        "Pragma: no-cache",
    ] {
        assert_eq!(bench.get(request, (500, "", "")).how, "fresh", "{request}");
    }
}

/// A client that wants nothing stored takes nothing away from others either.
#[test]
fn no_store_of_one_client() {
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=60\nETag: \"e\"", "body"));
    bench.now += 60;
    let seen = bench.get("Cache-Control: no-store", (200, MINUTE, "other"));
    assert_eq!((seen.how, seen.why), ("upstream", Some(Why::NoStore)));
    assert!(bench.fetch("/", "").conditions().is_some());
}

/// Section 4.3.2.
#[test]
fn conditions_of_clients() {
    let stored = "Cache-Control: max-age=60\nETag: W/\"a\"\nLast-Modified: @-100\nDate: @0
        Content-Type: text/plain\nContent-Language: en\nContent-Location: /x\nVary: q\nX-Own: 1
        Content-Security-Policy: y\nSet-Cookie: z\nExpires: @60"
        .replace("max-age", "public, max-age");
    let bench = Bench::new();
    bench.get("", (200, &stored, "body"));
    for (request, status) in [
        ("If-None-Match: \"a\"", 304),
        ("If-None-Match: W/\"a\"", 304),
        ("If-None-Match: \"b\", W/\"a\"", 304),
        ("If-None-Match: \"b\"\nIf-None-Match: \"a\"", 304),
        ("If-None-Match: *", 304),
        ("If-None-Match: \"b\"", 200),
        ("If-None-Match: a", 200),
        ("If-None-Match: \"b\"\nIf-Modified-Since: @0", 200),
        ("If-Modified-Since: @-100", 304),
        ("If-Modified-Since: @0", 304),
        ("If-Modified-Since: @-101", 200),
        ("If-Modified-Since: then", 200),
        ("If-Modified-Since: @0\nIf-Modified-Since: @0", 200),
    ] {
        let seen = bench.get(request, (500, "", ""));
        assert_eq!((seen.how, seen.status), ("fresh", status), "{request}");
        assert_eq!(seen.body.is_empty(), status == 304, "{request}");
        if status == 304 {
            let names = ["etag", "date", "cache-control", "content-location", "expires", "vary"];
            for name in names.into_iter().chain(["x-own", "age", "content-security-policy"]) {
                assert!(seen.field(name).is_some(), "{name}");
            }
            for name in ["content-length", "content-type", "content-language", "set-cookie"] {
                assert_eq!(seen.field(name), None, "{name}");
            }
        }
    }
    for request in ["If-Match: \"a\"", "If-Unmodified-Since: @0"] {
        assert_eq!(bench.get(request, (412, "", "")).how, "passed", "{request}");
    }
    // Only what is a 200 is compared.
    let bench = Bench::new();
    bench.get("", (404, &stored, "body"));
    assert_eq!(bench.get("If-None-Match: \"a\"", (500, "", "")).status, 404);
}

/// Without Last-Modified, Date stands for it.
#[test]
fn conditions_by_date() {
    let bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=60\nDate: @-10", "body"));
    assert_eq!(bench.get("If-Modified-Since: @-10", (500, "", "")).status, 304);
    assert_eq!(bench.get("If-Modified-Since: @-11", (500, "", "")).status, 200);
}

/// Conditions and ranges of a client go upstream when nothing is stored, and what comes is stored
/// if it is whole.
#[test]
fn conditions_without_anything_stored() {
    let bench = Bench::new();
    for request in ["If-None-Match: \"a\"", "Range: bytes=0-1"] {
        let fetch = bench.fetch("/", request);
        assert!(fetch.flight.is_none() && fetch.conditions().is_none(), "{request}");
    }
    assert_eq!(bench.get("If-None-Match: \"a\"", (304, MINUTE, "")).why, Some(Why::Status));
    assert_eq!(bench.get("Range: bytes=0-1", (206, MINUTE, "bo")).why, Some(Why::Status));
    assert_eq!(bench.get("Range: bytes=0-1", (200, MINUTE, "body")).why, None);
    assert_eq!(bench.get("", (500, "", "")).body, "body");
}

/// RFC 9110, section 14.
#[test]
fn ranges() {
    let bench = Bench::new();
    let stored = "Cache-Control: max-age=60\nETag: \"a\"\nLast-Modified: @-100";
    bench.get("", (200, stored, "0123456789"));
    for (request, status, body, range) in [
        ("Range: bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("Range: bytes=10-", 416, "", Some("bytes */10")),
        ("Range: bytes=0-0,5-5", 200, "0123456789", None),
        ("Range: lines=0-0", 200, "0123456789", None),
        ("Range: bytes=2-4\nRange: bytes=2-4", 200, "0123456789", None),
        ("Range: bytes=2-4\nIf-Range: \"a\"", 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=2-4\nIf-Range: @-100", 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=2-4\nIf-Range: \"b\"", 200, "0123456789", None),
        ("Range: bytes=2-4\nIf-Range: W/\"a\"", 200, "0123456789", None),
        ("Range: bytes=2-4\nIf-Range: @-99", 200, "0123456789", None),
        ("Range: bytes=2-4\nIf-None-Match: \"a\"", 304, "", None),
    ] {
        let seen = bench.get(request, (500, "", ""));
        assert_eq!((seen.status, seen.body.as_str()), (status, body), "{request}");
        assert_eq!(seen.field("content-range"), range, "{request}");
        let length = body.len().to_string();
        let expected = (status != 304).then_some(length.as_str());
        assert_eq!(seen.field("content-length"), expected, "{request}");
    }
    assert_eq!(bench.send("HEAD", "/", "Range: bytes=2-4", (500, "", "")).status, 200);
}

/// Section 4.3.1, and 4.3.4 with 3.2.
#[test]
fn validation() {
    let mut bench = Bench::new();
    let stored = "Cache-Control: max-age=60\nETag: \"a\"\nLast-Modified: @-100\nX-Old: 1
        X-Both: 1\nX-Both: 2\nContent-Type: a/b\nDate: @0";
    bench.get("", (200, stored, "body"));
    bench.now += 60;
    let fetch = bench.fetch("/", "If-None-Match: \"own\"\nRange: bytes=0-1");
    let modified = date::format(NOW - 100).into_bytes();
    let expected = vec![("If-None-Match", b"\"a\"".to_vec()), ("If-Modified-Since", modified)];
    assert_eq!(fetch.conditions(), Some(expected));
    drop(fetch);
    let says = "ETag: \"a\"\nDate: @60\nX-Both: 3\nX-New: 4\nCache-Control: max-age=10
        Content-Length: 99\nContent-Type: c/d\nContent-Encoding: gzip\nConnection: x";
    let seen = bench.get("", (304, says, ""));
    assert_eq!((seen.how, seen.status, seen.body.as_str()), ("renewed", 200, "body"));
    assert_eq!(seen.field("cache-status"), Some("zeroserve; fwd=stale; fwd-status=304"));
    for (name, value) in [
        ("x-old", Some("1")),
        ("x-both", Some("3")),
        ("x-new", Some("4")),
        ("content-type", Some("a/b")),
        ("content-length", Some("4")),
        ("content-encoding", None),
        ("connection", None),
        ("age", Some("0")),
    ] {
        assert_eq!(seen.field(name), value, "{name}");
    }
    assert_eq!(seen.head.matches("X-Both").count(), 1);
    bench.now += 9;
    assert_eq!(bench.get("", (500, "", "")).how, "fresh");
    bench.now += 1;
    assert_eq!(bench.get("", (200, MINUTE, "new")).body, "new");
    assert_eq!(bench.get("", (500, "", "")).body, "new");
    assert_eq!(bench.cache.stats().revalidated, 1);
}

/// A 304 without a date was made when it came.
#[test]
fn a_304_without_a_date() {
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=60\nETag: \"a\"\nDate: @0", "body"));
    bench.now += 1000;
    assert_eq!(bench.get("", (304, "", "")).how, "renewed");
    assert_eq!(bench.get("", (500, "", "")).how, "fresh");
}

#[test]
fn which_304_is_meant() {
    for (stored, says, how) in [
        ("ETag: \"a\"", "ETag: \"a\"", "renewed"),
        ("ETag: \"a\"", "ETag: W/\"a\"", "renewed"),
        ("ETag: \"a\"", "", "renewed"),
        ("ETag: W/\"a\"", "ETag: W/\"a\"", "renewed"),
        ("ETag: W/\"a\"", "ETag: \"a\"", "again"),
        ("ETag: \"a\"", "ETag: \"b\"", "again"),
        ("Last-Modified: @-5", "Last-Modified: @-5", "renewed"),
        ("Last-Modified: @-5", "Last-Modified: @-4", "again"),
        ("Last-Modified: @-5", "ETag: \"a\"", "again"),
    ] {
        let mut bench = Bench::new();
        bench.get("", (200, &format!("Cache-Control: max-age=9\n{stored}"), "body"));
        bench.now += 60;
        assert_eq!(bench.get("", (304, says, "")).how, how, "{stored}, {says}");
        if how == "again" {
            assert!(bench.fetch("/", "").conditions().is_none(), "{stored}, {says}");
        }
    }
}

/// The conditions of the client are ours to judge once it is known what is there.
#[test]
fn conditions_after_validation() {
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=9\nETag: \"a\"", "body"));
    bench.now += 60;
    let seen = bench.get("If-None-Match: \"a\"", (304, "ETag: \"a\"", ""));
    assert_eq!((seen.how, seen.status), ("renewed", 304));
    bench.now += 60;
    let seen = bench.get("Range: bytes=1-2", (304, "ETag: \"a\"", ""));
    assert_eq!((seen.how, seen.status, seen.body.as_str()), ("renewed", 206, "od"));
}

/// What a validation says is not to be kept answers the one who asked, as it is.
#[test]
fn a_304_that_forbids_storing() {
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=9\nETag: \"a\"", "body"));
    bench.now += 60;
    let seen = bench.get("", (304, "ETag: \"a\"\nCache-Control: private", ""));
    assert_eq!((seen.how, seen.status, seen.body.as_str()), ("renewed", 200, "body"));
    assert_eq!(seen.field("cache-control"), Some("private"));
    assert!(bench.fetch("/", "").conditions().is_none());
}

#[test]
fn a_response_that_forbids_storing_takes_the_old_one_along() {
    let mut bench = Bench::new();
    bench.get("", (200, "Cache-Control: max-age=9\nETag: \"a\"", "body"));
    bench.now += 60;
    bench.get("", (200, "Cache-Control: no-store", "other"));
    assert!(bench.fetch("/", "").conditions().is_none());
}

/// RFC 5861, section 3.
#[test]
fn stale_while_revalidate() {
    let mut bench = Bench::new();
    let control = "Cache-Control: max-age=10, stale-while-revalidate=20\nETag: \"a\"";
    bench.get("", (200, control, "old"));
    bench.now += 29;
    let seen = bench.get("", (200, control, "new"));
    assert_eq!((seen.how, seen.body.as_str()), ("stale", "old"));
    assert_eq!(seen.field("cache-status"), Some("zeroserve; hit; ttl=-19"));
    assert_eq!(seen.field("age"), Some("29"));
    assert_eq!(bench.get("", (500, "", "")).body, "new");
    bench.now += 30;
    assert_eq!(bench.get("", (200, control, "newer")).how, "upstream");
    // What a renewal can't do changes nothing.
    bench.now += 15;
    assert_eq!(bench.get("", (500, "", "")).how, "stale");
    assert_eq!(bench.get("", (500, "", "")).how, "stale");
}

/// Exactly one of those who see it renews it.
#[test]
fn one_renewal() {
    let mut bench = Bench::new();
    let control = "Cache-Control: max-age=10, stale-while-revalidate=20";
    bench.get("", (200, control, "old"));
    bench.now += 15;
    let look = |method| match bench.look(method, "/", "", Round::FIRST) {
        Lookup::Stale { renew, .. } => renew,
        other => panic!("{other:?}"),
    };
    assert!(look("HEAD").is_none());
    let renewal = look("GET");
    assert!(renewal.is_some() && look("GET").is_none() && look("GET").is_none());
    drop(renewal);
    assert!(look("GET").is_some());
}

/// RFC 5861, section 4.
#[test]
fn stale_if_error() {
    let control = "Cache-Control: max-age=10, stale-if-error=20\nETag: \"a\"";
    for status in [500, 502, 503, 504, 404, 501] {
        let mut bench = Bench::new();
        bench.get("", (200, control, "old"));
        bench.now += 29;
        let seen = bench.get("", (status, "", "error"));
        let how = if matches!(status, 404 | 501) { "upstream" } else { "instead" };
        assert_eq!(seen.how, how, "{status}");
        if how == "instead" {
            let expected =
                format!("zeroserve; fwd=stale; fwd-status={status}; detail=stale-if-error");
            assert_eq!(seen.field("cache-status"), Some(expected.as_str()));
            assert_eq!((seen.status, seen.body.as_str()), (200, "old"));
            bench.now += 1;
            assert_eq!(bench.get("", (status, "", "error")).how, "upstream");
        }
    }
    let mut bench = Bench::new();
    bench.get("", (200, control, "old"));
    bench.now += 29;
    let hit = bench.fetch("/", "").failed(bench.now).unwrap();
    let seen = bench.reply("instead", &hit, false, "");
    assert_eq!(seen.field("cache-status"), Some("zeroserve; fwd=stale; detail=stale-if-error"));
    bench.now += 1;
    assert!(bench.fetch("/", "").failed(bench.now).is_none());
}

/// Section 4.2.4: directives that forbid what is stale win.
#[test]
fn what_is_never_stale() {
    for more in ["must-revalidate", "proxy-revalidate", "no-cache"] {
        let mut bench = Bench::new();
        let control = format!(
            "Cache-Control: max-age=10, stale-if-error=20, stale-while-revalidate=20, {more}\nETag: \"a\""
        );
        bench.get("", (200, &control, "old"));
        bench.now += 15;
        assert_eq!(bench.get("", (503, "", "")).how, "upstream", "{more}");
    }
}

/// Section 4.4.
#[test]
fn invalidation() {
    for (method, status, location, gone) in [
        ("POST", 200, "", &["/"][..]),
        ("DELETE", 204, "", &["/"]),
        ("PURGE", 303, "Location: /b", &["/", "/b"]),
        ("PUT", 201, "Location: http://example.org/b#x\nContent-Location: /c", &["/", "/b", "/c"]),
        ("POST", 201, "Location: http://other.example/b", &["/"]),
        ("POST", 201, "Location: https://example.org/b\nContent-Location: //x/c", &["/"]),
        ("POST", 404, "Location: /b", &[]),
        ("POST", 500, "", &[]),
        ("OPTIONS", 200, "Location: /b", &[]),
        ("GET", 200, "Location: /b", &[]),
    ] {
        let bench = Bench::new();
        for target in ["/", "/b", "/c"] {
            bench.keep(target, "body");
        }
        let query = Query {
            site: 1,
            scheme: "http",
            host: b"EXAMPLE.org",
            upstream: "http://somewhere.else",
            method,
            target: b"/",
            fields: (),
        };
        bench.cache.invalidate(&query, &head(status, location, Some(0)));
        for target in ["/", "/b", "/c"] {
            let how = if gone.contains(&target) { "upstream" } else { "fresh" };
            let seen = bench.send("GET", target, "", (500, "", ""));
            assert_eq!(seen.how, how, "{method} {status} {location}: {target}");
        }
    }
}

/// What was asked for before an invalidation or a purge is not stored after it.
#[test]
fn what_is_on_its_way_is_not_stored() {
    for purge in [false, true] {
        let bench = Bench::new();
        let fetch = bench.fetch("/", "");
        if purge {
            bench.cache.purge(Purge { site: None, host: None, what: What::Everything });
        } else {
            let query = Query {
                site: 1,
                scheme: "http",
                host: b"example.org",
                upstream: "http://a",
                method: "POST",
                target: b"/",
                fields: (),
            };
            bench.cache.invalidate(&query, &head(200, "", None));
        }
        bench.answer(fetch, (200, MINUTE, "old"), false, "");
        assert_eq!(bench.get("", (200, MINUTE, "new")).body, "new");
        assert_eq!(bench.get("", (200, MINUTE, "newer")).body, "new");
    }
}

#[test]
fn purging() {
    let bench = Bench::new();
    for target in ["/a", "/a?b", "/b/c", "/b/d"] {
        bench.keep(target, "x");
    }
    let purge = |what| bench.cache.purge(Purge { site: Some(1), host: Some("example.org"), what });
    assert_eq!(purge(What::Path("/b")), 0);
    assert_eq!(purge(What::Path("/a")), 2);
    assert_eq!(purge(What::Prefix("/b/")), 2);
    assert_eq!(bench.cache.stats().keys, 0);
    assert_eq!(purge(What::Everything), 0);
}
