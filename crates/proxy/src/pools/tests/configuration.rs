//! What may be written, and what is said about the rest.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::pools::{HashBy, Host, Policy, PoolConfig, Statuses, is_idempotent, read_pools};
use crate::{Cause, Failure, Phase};

fn read(pool: &Value) -> Result<PoolConfig, String> {
    let text = json!({ "p": pool }).to_string();
    read_pools(&text).map(|mut pools| pools.remove(0)).map_err(|error| error.to_string())
}

#[test]
fn nothing_but_urls() {
    let pool = read(&json!({ "upstreams": ["http://a/base/", "unix:/run/app"] })).unwrap();
    assert_eq!(pool, PoolConfig::new("p", pool.upstreams.clone()));
    assert_eq!(pool.upstreams[0].base, "/base");
    assert_eq!(pool.upstreams[1].url, "unix:/run/app");
}

#[test]
fn defaults_written_out_are_the_defaults() {
    let upstreams =
        json!([{"url": "http://a", "weight": 1, "backup": false, "max_connections": null}]);
    let full = json!({
        "upstreams": upstreams, "policy": "round_robin", "hash": null, "host": "keep",
        "failure_status": [], "slow_start_ms": 0,
        "ejection": {"failures": 3, "window_ms": 10_000, "base_ms": 5_000, "max_ms": 60_000, "max_percent": 100},
        "retries": {"count": 2, "budget_percent": 20, "on": ["connect", "closed"], "status": []},
        "timeouts": {"connect_ms": 5_000, "first_byte_ms": 60_000, "idle_ms": 60_000, "total_ms": null},
        "breaker": {"max_pending": 1024, "max_requests": null, "error_percent": 0, "min_requests": 20,
            "window_ms": 10_000, "open_ms": 5_000},
        "queue": {"max": 128, "timeout_ms": 5_000},
        "keepalive": {"idle": 32, "idle_timeout_ms": 60_000},
    });
    assert_eq!(read(&full), read(&json!({ "upstreams": ["http://a"] })));
    let health = json!({"path": "/", "interval_ms": 5_000, "timeout_ms": 2_000, "healthy": 2,
        "unhealthy": 3, "status": "200-399", "host": null});
    let with = |health| read(&json!({ "upstreams": ["http://a"], "health": health })).unwrap();
    assert_eq!(with(health), with(json!({})));
}

#[test]
fn policies() {
    let policy = |policy: &str, hash: Value| {
        read(&json!({ "upstreams": ["http://a"], "policy": policy, "hash": hash }))
            .map(|p| p.policy)
    };
    let header = HashBy::Header("x-user".to_owned());
    assert_eq!(policy("hash", Value::Null), Ok(Policy::Hash(HashBy::Source)));
    assert_eq!(policy("hash", json!("header X-User")), Ok(Policy::Hash(header)));
    assert_eq!(policy("hash", json!("cookie Sid")), Ok(Policy::Hash(HashBy::Cookie("Sid".into()))));
    assert_eq!(policy("random_two", Value::Null), Ok(Policy::RandomTwo));
    assert_eq!(policy("least_connections", Value::Null), Ok(Policy::LeastConnections));
    let host = read(&json!({ "upstreams": ["http://a"], "host": "upstream" })).unwrap().host;
    assert_eq!(host, Host::Upstream);
}

#[test]
fn refusals_name_the_place_and_the_value() {
    let with = |key: &str, value: Value| {
        let mut pool = json!({ "upstreams": ["http://a"] });
        pool[key] = value;
        read(&pool).unwrap_err()
    };
    for (key, value, expected) in [
        ("upstreams", json!([]), "pools.p.upstreams: 0 of them: there may be 1 to 256"),
        ("upstreams", json!("http://a"), "pools.p.upstreams: there has to be a list of upstreams"),
        (
            "upstreams",
            json!(["a"]),
            "pools.p.upstreams[0]: no URL of an upstream: \"a\": it begins with http://, https://, h2://, h2c://, unix: or pool:",
        ),
        (
            "upstreams",
            json!(["pool:b"]),
            "pools.p.upstreams[0]: a pool can't be part of another: \"pool:b\"",
        ),
        (
            "upstreams",
            json!(["http://a/?b"]),
            "pools.p.upstreams[0]: an upstream has no query: \"http://a/?b\"",
        ),
        (
            "upstreams",
            json!(["http://a", "http://a"]),
            "pools.p.upstreams[1]: \"http://a\" is named twice",
        ),
        ("upstreams", json!([{"weight": 2}]), "pools.p.upstreams[0].url: there has to be one"),
        (
            "upstreams",
            json!([{"url": "http://a", "weight": 0}]),
            "pools.p.upstreams[0].weight: 0 is no number from 1 to 1000",
        ),
        (
            "upstreams",
            json!([{"url": "http://a", "backup": 1}]),
            "pools.p.upstreams[0].backup: 1 is not true or false",
        ),
        (
            "policy",
            json!("fastest"),
            "pools.p.policy: \"fastest\" is not round_robin, least_connections, random_two or hash",
        ),
        ("policy", json!(7), "pools.p.policy: 7 is no text"),
        ("hash", json!("source"), "pools.p.hash: it is for the policy \"hash\""),
        ("health", json!(true), "pools.p.health: not a table"),
        ("health", json!({"pth": "/"}), "pools.p.health.pth: unknown key"),
        (
            "health",
            json!({"path": "a"}),
            "pools.p.health.path: \"a\" is no path that begins with a slash",
        ),
        (
            "health",
            json!({"path": "/ HTTP/1.1"}),
            "pools.p.health.path: \"/ HTTP/1.1\" is no path that begins with a slash",
        ),
        ("health", json!({"host": "a\r\nb"}), "pools.p.health.host: \"a\\r\\nb\" is no host"),
        (
            "health",
            json!({"status": [200, "2xx"]}),
            "pools.p.health.status: \"2xx\" is no status or range like \"200-299\"",
        ),
        (
            "health",
            json!({"status": "299-200"}),
            "pools.p.health.status: \"299-200\" is no status or range like \"200-299\"",
        ),
        ("health", json!({"status": []}), "pools.p.health.status: no status would be a good one"),
        (
            "ejection",
            json!({"base_ms": 10, "max_ms": 5}),
            "pools.p.ejection.max_ms: 5 is less than base_ms: 10",
        ),
        (
            "retries",
            json!({"on": ["always"]}),
            "pools.p.retries.on: \"always\" is not one of connect, closed and timeout",
        ),
        (
            "timeouts",
            json!({"idle_ms": 1.5}),
            "pools.p.timeouts.idle_ms: 1.5 is no number from 1 to 86400000",
        ),
        ("host", json!("other"), "pools.p.host: \"other\" is not keep or upstream"),
        ("weigth", json!(1), "pools.p.weigth: unknown key"),
    ] {
        assert_eq!(with(key, value), expected);
    }
    let bad_hash =
        read(&json!({"upstreams": ["http://a"], "policy": "hash", "hash": "header a b"}));
    assert_eq!(
        bad_hash.unwrap_err(),
        "pools.p.hash: \"header a b\" is not `source`, `header NAME` or `cookie NAME`"
    );
    assert!(read_pools("[]").unwrap_err().to_string().starts_with("pools: not a table"));
    assert!(read_pools("{").unwrap_err().to_string().starts_with("pools: not JSON"));
    let name = read_pools("{\"a b\": {}}").unwrap_err();
    assert_eq!(name.place, "pools.a b");
    let many: Vec<_> = (0..257).map(|n| format!("http://a:{}", n + 1)).collect();
    assert!(read(&json!({ "upstreams": many })).is_err());
}

#[test]
fn sets_of_statuses() {
    let mut statuses = Statuses::default();
    assert!(statuses.is_empty() && statuses.add("200") && statuses.add("300-399"));
    let contained = [200, 201, 299, 300, 399, 400].map(|status| statuses.contains(status));
    assert_eq!(contained, [true, false, false, true, true, false]);
    assert_eq!(statuses.to_string(), "200, 300-399");
    for bad in ["", "20", "2000", "099", "600", "+20", "200-", "-200", "300-200", "200-300-400"] {
        assert!(!statuses.add(bad), "{bad}");
    }
}

#[test]
fn what_is_made_again() {
    let retries = read(&json!({
        "upstreams": ["http://a"], "retries": {"on": ["connect", "closed", "timeout"], "status": 503},
    }));
    let retries = retries.unwrap().retries;
    let after =
        |phase, cause, method: &[u8]| retries.after_failure(&Failure::new(phase, cause), method);
    for phase in [Phase::Resolve, Phase::Connect, Phase::Handshake] {
        assert!(after(phase, Cause::TimedOut, b"POST"));
    }
    for phase in [Phase::Send, Phase::Head] {
        assert!(after(phase, Cause::Closed, b"GET") && after(phase, Cause::TimedOut, b"PUT"));
        assert!(!after(phase, Cause::Closed, b"POST") && !after(phase, Cause::TimedOut, b"PATCH"));
    }
    for phase in [Phase::Queue, Phase::Body] {
        assert!(!after(phase, Cause::Closed, b"GET"));
    }
    assert!(retries.after_status(503, b"GET") && !retries.after_status(503, b"POST"));
    assert!(!retries.after_status(502, b"GET"));
    let default = PoolConfig::new("p", Vec::new()).retries;
    let timeout = Failure::new(Phase::Head, Cause::TimedOut);
    assert!(!default.after_failure(&timeout, b"GET") && !default.after_status(503, b"GET"));
    assert!(!is_idempotent(b"get") && !is_idempotent(b"CONNECT") && is_idempotent(b"HEAD"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "upstreams",
        "url",
        "http://a",
        "policy",
        "hash",
        "source",
        "health",
        "path",
        "/",
        "status",
        "200-299",
        "ejection",
        "retries",
        "on",
        "breaker",
        "queue",
        "max",
        "host",
        "keep",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        let key = prop_oneof![words.clone().prop_map(str::to_owned), ".*"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(value in any_json()) {
        if let Err(error) = read_pools(&json!({ "p": value }).to_string()) {
            prop_assert!(error.place.starts_with("pools"));
        }
    }
}
