//! Metadata, answers, hooks, calls, signatures.

use zeroserve_host::limits::{MAX_HOOKS, MAX_META_BYTES, MAX_META_ENTRIES};
use zeroserve_host::{Answer, Hook, Outcome};

use crate::cases;
use crate::rig::{Arg, Rig, call, text};

/// The parameters of a signature in guest memory, with a handle of headers.
fn sign_params(rig: &mut Rig, texts: [&str; 7], headers: i64, out: (u64, u64)) -> Vec<u8> {
    let mut fields = Vec::new();
    for text in &texts[..6] {
        fields.extend([rig.put(text.as_bytes()), text.len() as u64]);
    }
    fields.push(headers as u64);
    fields.extend([rig.put(texts[6].as_bytes()), texts[6].len() as u64]);
    fields.extend([1_369_353_600_000, out.0, out.1]);
    fields.into_iter().flat_map(u64::to_le_bytes).collect()
}

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const S3: [&str; 7] = [KEY, SECRET, "us-east-1", "s3", "GET", "/test.txt", EMPTY];
const HOST: &str = "{\"Host\": \"examplebucket.s3.amazonaws.com\"}";

cases! {
    fn metadata() {
        let mut rig = Rig::new();
        assert!(!rig.exchange.has_template_values());
        assert_eq!(call!(rig, "zs_meta_set", "user", "Ada"), 0);
        assert_eq!(call!(rig, "zs_meta_set", "empty", ""), 0);
        assert_eq!(text!(rig, "zs_meta_get", "user").as_deref(), Some("Ada"));
        assert_eq!(text!(rig, "zs_meta_get", "empty").as_deref(), Some(""));
        assert_eq!(text!(rig, "zs_meta_get", "User"), None);
        assert_eq!(call!(rig, "zs_meta_set", "user", "Grace\nHopper"), 0);
        let values: Vec<_> = rig.exchange.template_values().collect();
        assert_eq!(values, [("empty", ""), ("user", "Grace\nHopper")]);
        assert!(rig.exchange.has_template_values());
        assert_eq!(rig.exchange.meta("user"), Some("Grace\nHopper"));
        assert_eq!(call!(rig, "zs_meta_set", "", "a"), -1);
        assert_eq!(call!(rig, "zs_meta_set", &*"k".repeat(257), "a"), -1);
        assert_eq!(call!(rig, "zs_meta_set", "a", &b"\xff"[..]), -1);
        assert_eq!(call!(rig, "zs_meta_set", &b"\xff"[..], "a"), -1);
    }

    fn metadata_for_headers() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_meta_set", "zs.response.header.X-Frame-Options", " DENY "), 0);
        assert_eq!(call!(rig, "zs_meta_set", "zs.response.header.Location", "/a"), 0);
        assert_eq!(call!(rig, "zs_meta_set", "zs.response.headers", "no header"), 0);
        assert_eq!(call!(rig, "zs_meta_set", "zs.response.header.x-frame-options", "NONE"), 0);
        let headers: Vec<_> = rig.exchange.response_headers().collect();
        assert_eq!(headers, [("location", "/a"), ("x-frame-options", "NONE")]);
        let key = "zs.response.header.LOCATION";
        assert_eq!(text!(rig, "zs_meta_get", key).as_deref(), Some("/a"));
        for (name, value) in [
            ("", "a"), ("a b", "a"), ("a", "b\r\nSet-Cookie: c"), ("a", "b\nc"), ("a", "\0"),
            ("Content-Length", "5"), ("transfer-encoding", "chunked"), ("Connection", "close"),
        ] {
            let key = format!("zs.response.header.{name}");
            assert_eq!(call!(rig, "zs_meta_set", &*key, value), -1, "{name}: {value}");
        }
        assert_eq!(rig.exchange.response_headers().count(), 2);
    }

    fn metadata_is_bounded() {
        let mut rig = Rig::new();
        let mut set = |n: usize, value: &str| call!(rig, "zs_meta_set", &*format!("{n:03}"), value);
        assert!((0..MAX_META_ENTRIES).all(|n| set(n, "") == 0));
        assert_eq!(set(MAX_META_ENTRIES, ""), -1);
        let large = "x".repeat(MAX_META_BYTES / 2);
        assert_eq!((set(0, &large), set(1, &large), set(0, &large)), (0, -1, 0));
        assert_eq!((set(0, ""), set(1, &large)), (0, 0));
    }

    fn answers() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_response_pending"), 0);
        assert_eq!(call!(rig, "zs_respond", 403, "no"), 0);
        assert_eq!(call!(rig, "zs_response_pending"), 1);
        let content_type = "text/plain; charset=utf-8";
        let answer = Answer::Respond { status: 403, body: b"no".to_vec(), content_type };
        assert_eq!(rig.exchange.answer(), Some(&answer));
        for status in [0, 101, 199, 600, 65_736, u64::MAX] {
            assert_eq!(call!(rig, "zs_respond", status, ""), -1);
        }
        assert_eq!(rig.exchange.answer(), Some(&answer));
        assert_eq!(call!(rig, "zs_response_clear"), 0);
        assert_eq!(call!(rig, "zs_response_pending"), 0);
        let handle = rig.json("{\"a\": \"\\u0001\"}");
        assert_eq!(call!(rig, "zs_json_respond", 201, handle), 0);
        let body = b"{\"a\":\"\\u0001\"}".to_vec();
        let content_type = "application/json";
        let answer = Answer::Respond { status: 201, body, content_type };
        assert_eq!(rig.exchange.take_answer(), Some(answer));
        assert_eq!(call!(rig, "zs_json_respond", 200, 99), -1);
        assert_eq!(call!(rig, "zs_json_respond", 100, handle), -1);
        assert_eq!(call!(rig, "zs_reverse_proxy", "http://127.0.0.1:9000/base?x=1"), 0);
        let url = "http://127.0.0.1:9000/base?x=1".to_owned();
        assert_eq!(rig.exchange.take_answer(), Some(Answer::ReverseProxy { url, cache: false }));
        for url in ["", "/a", "http://", "http://a b", "http://a\r\nb", "file:///etc/passwd"] {
            assert_eq!(call!(rig, "zs_reverse_proxy", url), -1);
        }
        assert_eq!(call!(rig, "zs_abort"), 0);
        assert_eq!(rig.exchange.take_answer(), Some(Answer::Abort));
    }

    fn json_answers_are_bounded() {
        let mut rig = Rig::new();
        let list = call!(rig, "zs_json_new_array");
        let text = rig.json(&format!("\"{}\"", "\\u0001".repeat(100_000)));
        for _ in 0..20 {
            assert!(call!(rig, "zs_json_array_push", list, text) > 0);
        }
        assert_eq!(call!(rig, "zs_json_respond", 200, list), -1);
        assert!(rig.exchange.answer().is_none());
    }

    fn hooks() {
        let mut rig = Rig::new();
        let handle = rig.json("[1]");
        assert_eq!(call!(rig, "zs_res_hook", "", "first", handle), 0);
        assert_eq!(call!(rig, "zs_res_hook", "other", "second", 0), 0);
        assert_eq!(call!(rig, "zs_res_hook", "", "", 0), -1);
        assert_eq!(call!(rig, "zs_res_hook", "", "f", 99), -1);
        let hook = |script: &str, function: &str, input| Hook {
            script: script.into(),
            function: function.into(),
            input,
        };
        let first = hook("main", "first", serde_json::json!([1]));
        let second = hook("other", "second", serde_json::Value::Null);
        assert_eq!(rig.exchange.take_hooks(), [first, second]);
        assert!((0..MAX_HOOKS).all(|_| call!(rig, "zs_res_hook", "", "f", 0) == 0));
        assert_eq!(call!(rig, "zs_res_hook", "", "f", 0), -1);
        assert_eq!(call!(rig, "zs_res_hooks_clear"), 0);
        assert!(!rig.exchange.has_hooks());
    }

    fn inside_of_a_hook() {
        let mut rig = Rig::new();
        assert_eq!(call!(rig, "zs_res_status"), -1);
        assert_eq!(call!(rig, "zs_res_set_status", 200), -1);
        assert_eq!(text!(rig, "zs_res_header", "Server"), None);
        rig.exchange.begin_response(404, [("Server", &b"zeroserve"[..])]);
        assert_eq!(call!(rig, "zs_res_status"), 404);
        assert_eq!(text!(rig, "zs_res_header", "server").as_deref(), Some("zeroserve"));
        assert_eq!(text!(rig, "zs_res_header", "Host"), None);
        assert_eq!(call!(rig, "zs_res_set_status", 410), 0);
        assert_eq!(call!(rig, "zs_res_set_status", 100), -1);
        assert_eq!(rig.exchange.response().unwrap().status, 410);
        let handle = rig.json("1");
        assert_eq!(call!(rig, "zs_respond", 200, ""), -1);
        assert_eq!(call!(rig, "zs_json_respond", 200, handle), -1);
        assert_eq!(call!(rig, "zs_reverse_proxy", "http://a"), -1);
        assert_eq!(call!(rig, "zs_abort"), -1);
        assert_eq!(call!(rig, "zs_res_hook", "", "f", 0), -1);
    }

    fn calls() {
        let mut rig = Rig::new();
        let input = rig.json("{\"n\": 1}");
        let args = || vec!["greeter".into(), "greet".into(), Arg::N(input as u64)];
        let outcome = rig.outcome("zs_call", args());
        let Outcome::Call { script, function, input: value } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((&*script, &*function), ("greeter", "greet"));
        let inner = rig.exchange.enter(&script, value);
        assert_eq!((rig.exchange.script(), rig.exchange.call_depth()), ("greeter", 1));
        assert_eq!(rig.shown(inner as i64), "{\"n\":1}");
        let result = rig.json("[\"hello\"]");
        call!(rig, "zs_log", "inside");
        let value = rig.exchange.leave(result as u64);
        assert_eq!(value, Some(serde_json::json!(["hello"])));
        let handle = rig.exchange.adopt(value.unwrap());
        assert_eq!(rig.shown(handle as i64), "[\"hello\"]");
        assert_eq!(rig.shown(input), "{\"n\":1}");
        assert_eq!(rig.world.log.take(), ["greeter: inside"]);
        for (script, function, handle) in [("", "f", 0), ("s", "", 0), ("s", "f", 99)] {
            assert_eq!(call!(rig, "zs_call", script, function, handle), -1);
        }
    }

    fn calls_are_eight_deep() {
        let mut rig = Rig::new();
        for depth in 0..8 {
            let outcome = rig.outcome("zs_call", vec!["s".into(), "f".into(), Arg::N(0)]);
            let Outcome::Call { input, .. } = outcome else { panic!("{outcome:?}") };
            rig.exchange.enter("s", input);
            assert_eq!(rig.exchange.call_depth(), depth + 1);
        }
        assert_eq!(call!(rig, "zs_call", "s", "f", 0), -1);
        for _ in 0..8 {
            assert_eq!(rig.exchange.leave(u64::MAX), None);
        }
        assert_eq!((rig.exchange.call_depth(), rig.exchange.script()), (0, "main"));
    }

    /// The examples in the documentation of S3.
    fn signatures() {
        let mut rig = Rig::new();
        let headers = rig.json(&format!(
            "{{\"host\": \"examplebucket.s3.amazonaws.com\", \"Range\": \" bytes=0-9\", \
             \"x-amz-content-sha256\": \"{EMPTY}\", \"x-amz-date\": \"20130524T000000Z\"}}"
        ));
        let out = rig.room(1000);
        let params = sign_params(&mut rig, S3, headers, (out, 1000));
        let len = call!(rig, "zs_aws_v4_authorization_header", &params[..]);
        let text = rig.read(out, len as u64);
        let signature = b"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(text.ends_with(signature) && rig.read(out + len as u64, 1) == [0]);
        let headers = rig.json(HOST);
        let params = sign_params(&mut rig, S3, headers, (0, 0));
        let len = call!(rig, "zs_aws_v4_presigned_url", &params[..], 86_400);
        let params = sign_params(&mut rig, S3, headers, (out, len as u64 + 1));
        assert_eq!(call!(rig, "zs_aws_v4_presigned_url", &params[..], 86_400), len);
        let text = rig.read(out, len as u64);
        let signature = b"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(text.ends_with(signature), "{}", String::from_utf8_lossy(&text));
    }

    fn signatures_that_cannot_be() {
        let mut rig = Rig::new();
        let good = rig.json(HOST);
        let params = sign_params(&mut rig, S3, good, (0, 0));
        assert_eq!(call!(rig, "zs_aws_v4_authorization_header", &params[..136]), -1);
        for expires in [0, 604_801, u64::MAX] {
            assert_eq!(call!(rig, "zs_aws_v4_presigned_url", &params[..], expires), -1);
        }
        for (at, wrong) in
            [(0, "a/b"), (2, ""), (3, "a b"), (4, "GET "), (5, "x"), (5, "/ "), (6, "a b")]
        {
            let mut texts = S3;
            texts[at] = wrong;
            let params = sign_params(&mut rig, texts, good, (0, 0));
            assert_eq!(call!(rig, "zs_aws_v4_authorization_header", &params[..]), -1, "{wrong}");
            assert_eq!(call!(rig, "zs_aws_v4_presigned_url", &params[..], 60), -1, "{wrong}");
        }
        for headers in [
            "{}", "[]", "{\"host\": 1}", "{\"host\": \"a\", \"HOST\": \"a\"}",
            "{\"host\": \"a\", \"x\": \"a\\nb\"}", "{\"host\": \"a\", \"a b\": \"c\"}",
        ] {
            let headers = rig.json(headers);
            let params = sign_params(&mut rig, S3, headers, (0, 0));
            assert_eq!(call!(rig, "zs_aws_v4_authorization_header", &params[..]), -1);
        }
    }
}
