//! Looking at the request, and changing it.

use zeroserve_host::limits::MAX_URI_BYTES;
use zeroserve_host::{Body, Incoming, Outcome};

use crate::cases;
use crate::rig::{HEADERS, Rig, call, incoming, text};

/// A rig with another request.
fn with(incoming: &Incoming<'_>) -> Rig {
    let mut rig = Rig::new();
    rig.exchange.begin(incoming, HEADERS);
    rig.exchange.start("main");
    rig
}

fn headers(rig: &Rig) -> String {
    let fields = rig.exchange.headers().iter();
    let fields = fields.map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)));
    fields.collect::<Vec<_>>().join(" ")
}

cases! {
    fn texts() {
        let mut rig = Rig::new();
        assert_eq!(text!(rig, "zs_req_method").as_deref(), Some("GET"));
        assert_eq!(text!(rig, "zs_req_path").as_deref(), Some("/a%20b/../c"));
        assert_eq!(text!(rig, "zs_req_normalized_path").as_deref(), Some("/c"));
        let uri = "/a%20b/../c?x=1&y=a+b%21&x=2&flag";
        assert_eq!(text!(rig, "zs_req_uri").as_deref(), Some(uri));
        assert_eq!(text!(rig, "zs_req_query").as_deref(), Some("x=1&y=a+b%21&x=2&flag"));
        assert_eq!(text!(rig, "zs_req_scheme").as_deref(), Some("https"));
        assert_eq!(text!(rig, "zs_req_peer").as_deref(), Some("192.0.2.7:5000"));
        assert_eq!(call!(rig, "zs_req_proto_major"), 1);
        assert_eq!(call!(rig, "zs_req_proto_minor"), 1);
        assert_eq!(call!(rig, "zs_req_is_tls"), 1);
        assert_eq!(text!(rig, "zs_req_header", "x-TWICE").as_deref(), Some("one"));
        assert_eq!(text!(rig, "zs_req_header", "X-None"), None);
    }

    fn texts_that_are_not_there() {
        let mut rig =
            with(&Incoming { target: "/%ff", peer: "", tls: None, ..incoming() });
        assert_eq!(text!(rig, "zs_req_query").as_deref(), Some(""));
        assert_eq!(text!(rig, "zs_req_normalized_path"), None);
        assert_eq!(text!(rig, "zs_req_peer"), None);
        assert_eq!(call!(rig, "zs_req_is_tls"), 0);
        assert_eq!(call!(rig, "zs_req_remote_ip_matches", "[\"0.0.0.0/0\", \"::/0\"]"), 0);
    }

    fn parameters() {
        let mut rig = Rig::new();
        for (name, value) in
            [("x", Some("1")), ("y", Some("a b!")), ("flag", Some("")), ("z", None), ("", None)]
        {
            assert_eq!(text!(rig, "zs_req_query_param", name).as_deref(), value);
        }
        for (name, value, matches) in [
            ("x", "2", 1), ("x", "3", 0), ("y", "a b!", 1), ("x", "*", 1), ("z", "*", 0),
            ("flag", "", 1),
        ] {
            assert_eq!(call!(rig, "zs_req_query_param_matches", name, value), matches);
        }
    }

    fn addresses() {
        for (peer, list, matches) in [
            ("192.0.2.7:1", "[\"192.0.2.7\"]", 1),
            ("192.0.2.7:1", "[\"192.0.2.8\", \"192.0.2.0/24\"]", 1),
            ("192.0.2.7:1", "[\"192.0.3.0/24\", \"::/0\"]", 0),
            ("192.0.2.7:1", "[]", 0),
            ("[2001:db8::5]:1", "[\"2001:db8::/32\"]", 1),
            ("[2001:db8::5]:1", "[\"2001:db8:0::5\"]", 1),
            ("[::ffff:192.0.2.7]:1", "[\"192.0.2.0/24\"]", 1),
            ("192.0.2.7:1", "[\"192.0.2.7\", \"nonsense\"]", -1),
            ("192.0.2.7:1", "[\"192.0.2.7/33\"]", -1),
            ("192.0.2.7:1", "\"192.0.2.7\"", -1),
            ("192.0.2.7:1", "[1]", -1),
            ("192.0.2.7:1", "", -1),
        ] {
            let mut rig = with(&Incoming { peer, ..incoming() });
            assert_eq!(call!(rig, "zs_req_remote_ip_matches", list), matches, "{peer} {list}");
        }
    }

    fn body() {
        let mut rig = Rig::new();
        let limit = 256 * 1024;
        assert_eq!(rig.outcome("zs_req_body_json", vec![]), Outcome::Body { limit });
        rig.exchange.set_body(Body::Whole(b"{\"a\": 1}".to_vec()));
        let handle = call!(rig, "zs_req_body_json");
        assert_eq!(rig.shown(handle), "{\"a\":1}");
        assert_eq!(call!(rig, "zs_req_body_json"), handle);
        assert_eq!(call!(rig, "zs_object_free", handle), 0);
        let other = rig.json("1");
        let again = call!(rig, "zs_req_body_json");
        assert!(again != other && rig.shown(again) == "{\"a\":1}");
        rig.exchange.start("next");
        assert_eq!(call!(rig, "zs_req_body_json"), 1, "each script has its own");
        for body in [Body::Missing, Body::Whole(vec![]), Body::Whole(b"{".to_vec())] {
            rig.exchange.start("next");
            rig.exchange.set_body(body);
            assert_eq!(call!(rig, "zs_req_body_json"), -1);
        }
    }

    fn body_limit() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_req_body_limit", u64::MAX), 0);
        assert_eq!(call!(rig, "zs_req_body_limit", 10), 0);
        assert_eq!(call!(rig, "zs_req_body_limit", 20), 0);
        assert_eq!(rig.outcome("zs_req_body_json", vec![]), Outcome::Body { limit: 10 });
        rig.exchange.set_body(Body::Whole(b"[1,2,3,4,5]".to_vec()));
        assert_eq!(call!(rig, "zs_req_body_json"), -1);
        rig.exchange.begin(&incoming(), [("Content-Length", &b"11"[..])]);
        assert_eq!(call!(rig, "zs_req_body_limit", 11), 0);
        assert_eq!(call!(rig, "zs_req_body_limit", 10), 1);
    }

    fn connection() {
        let mut rig = Rig::new();
        let handle = call!(rig, "zs_connection_info");
        assert_eq!(
            rig.shown(handle),
            "{\"tls\":true,\"tls_handshake_complete\":true,\"alpn\":\"h2\",\
             \"sni\":{\"inner\":\"inner.example\",\"outer\":\"outer.example\"},\
             \"ech\":{\"accepted\":true},\
             \"fingerprint\":{\"ja4\":\"t13d1516h2_8daaf6152771_02713d6af862\"}}"
        );
        let mut rig = with(&Incoming { tls: None, ..incoming() });
        let handle = call!(rig, "zs_connection_info");
        assert_eq!(
            rig.shown(handle),
            "{\"tls\":false,\"tls_handshake_complete\":false,\"alpn\":null,\
             \"sni\":{\"inner\":null,\"outer\":null},\"ech\":null,\"fingerprint\":{\"ja4\":null}}"
        );
    }

    fn changing_method_and_target() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_req_set_method", "GET"), 0);
        assert!(!rig.exchange.request_changed());
        assert_eq!(call!(rig, "zs_req_set_method", "PURGE"), 0);
        assert!(rig.exchange.method_changed() && !rig.exchange.target_changed());
        assert_eq!(rig.exchange.method(), "PURGE");
        for wrong in ["", "A B", "A\r\nB", &"A".repeat(33)] {
            assert_eq!(call!(rig, "zs_req_set_method", wrong), -1);
        }
        assert_eq!(call!(rig, "zs_req_set_uri", "/d//%65/../f?q"), 0);
        assert!(rig.exchange.target_changed());
        assert_eq!(text!(rig, "zs_req_path").as_deref(), Some("/d//%65/../f"));
        assert_eq!(text!(rig, "zs_req_normalized_path").as_deref(), Some("/d/f"));
        assert_eq!(text!(rig, "zs_req_query").as_deref(), Some("q"));
        assert_eq!(text!(rig, "zs_req_method").as_deref(), Some("PURGE"));
        let long = format!("/{}", "a".repeat(MAX_URI_BYTES));
        for wrong in ["", "a", "/a b", "/\r\n", "/ü", "/../a", "/%00", "/%zz", "http://a/", &long] {
            assert_eq!(call!(rig, "zs_req_set_uri", wrong), -1, "{wrong}");
        }
        assert_eq!(rig.exchange.target(), "/d//%65/../f?q");
        assert_eq!(call!(rig, "zs_req_set_uri", "/%ff"), 0);
        assert_eq!(rig.exchange.normal_path(), None);
    }

    fn changing_headers() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_req_set_header", "x-twice", " three "), 0);
        assert!(rig.exchange.request_changed());
        assert_eq!(call!(rig, "zs_req_append_header", "X-New", "a"), 0);
        assert_eq!(call!(rig, "zs_req_append_header", "x-new", "b"), 0);
        assert_eq!(call!(rig, "zs_req_set_header", "accept", ""), 0);
        assert_eq!(headers(&rig), "Host=example.org x-twice=three X-New=a x-new=b");
        for (name, value) in [
            ("", "a"), ("a b", "a"), ("a:", "a"), ("a", "b\r\nc: d"), ("a", "b\0"), ("a\n", "b"),
            ("Content-Length", "5"), ("transfer-encoding", "chunked"), ("content-length", ""),
        ] {
            assert_eq!(call!(rig, "zs_req_set_header", name, value), -1, "{name}: {value}");
            assert_eq!(call!(rig, "zs_req_append_header", name, value), -1, "{name}: {value}");
        }
        assert_eq!(call!(rig, "zs_req_delete_header", "X-N*"), 0);
        assert_eq!(headers(&rig), "Host=example.org x-twice=three");
        for wrong in ["", "a*b", "**", "a b"] {
            assert_eq!(call!(rig, "zs_req_delete_header", wrong), -1);
        }
    }

    fn what_frames_the_body_stays() {
        let mut rig = Rig::new();
        rig.exchange.begin(&incoming(), [("A", &b"1"[..]), ("Content-Length", b"5")]);
        for pattern in ["*", "content-*", "*length", "*ent*", "Content-Length"] {
            assert_eq!(call!(rig, "zs_req_delete_header", pattern), 0);
            assert_eq!(rig.exchange.headers().get("content-length"), Some(&b"5"[..]));
        }
        assert_eq!(rig.exchange.headers().len(), 1);
    }

    fn a_request_leaves_nothing_behind() {
        let mut rig = Rig::new();
        call!(rig, "zs_req_set_header", "X-Secret", "1");
        call!(rig, "zs_req_set_method", "PUT");
        call!(rig, "zs_meta_set", "k", "v");
        call!(rig, "zs_respond", 200, "body");
        call!(rig, "zs_res_hook", "", "f", 0);
        call!(rig, "zs_req_body_limit", 1);
        rig.json("1");
        rig.exchange.set_body(Body::Whole(b"1".to_vec()));
        rig.exchange.begin(&Incoming { tls: None, ..incoming() }, []);
        assert!(!rig.exchange.request_changed() && rig.exchange.headers().is_empty());
        assert!(rig.exchange.answer().is_none() && !rig.exchange.has_hooks());
        assert_eq!(rig.exchange.template_values().count(), 0);
        assert_eq!(call!(rig, "zs_json_type", 1), -1);
        assert_eq!(call!(rig, "zs_req_is_tls"), 0);
        let limit = 256 * 1024;
        assert_eq!(rig.outcome("zs_req_body_json", vec![]), Outcome::Body { limit });
    }
}
