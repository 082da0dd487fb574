//! Requests, responses, tables and what else compiled Python asks of the server.

use zeroserve_host::limits::{MAX_LOG_LINES, MAX_RESPONSE_BODY_BYTES};
use zeroserve_host::{Answer, Body, Incoming, Outcome, Verification};

use crate::cases;
use crate::python::py::{bytes_word, call, check, content, one, shown, str_word, trap};
use crate::rig::{HEADERS, Rig, incoming};

fn s(rig: &mut Rig, text: &str) -> u64 {
    str_word(rig, text.as_bytes())
}

/// A helper that takes strs.
fn of(rig: &mut Rig, name: &str, texts: &[&str]) -> String {
    let words: Vec<_> = texts.iter().map(|text| s(rig, text)).collect();
    let word = call(rig, name, &words);
    shown(rig, word)
}

fn raises(rig: &mut Rig, name: &str, texts: &[&str]) -> Result<(), String> {
    let words: Vec<_> = texts.iter().map(|text| s(rig, text)).collect();
    check(rig, name, &words)
}

fn fields(rig: &mut Rig) -> Vec<String> {
    (0..12)
        .map(|field| {
            let word = call(rig, "zs_py_req_field", &[field]);
            shown(rig, word)
        })
        .collect()
}

fn headers(rig: &Rig) -> String {
    let fields = rig.exchange.headers().iter();
    let fields = fields.map(|(name, value)| format!("{name}={}", value.escape_ascii()));
    fields.collect::<Vec<_>>().join(" ")
}

cases! {
    fn request_fields() {
        let mut rig = Rig::new();
        assert_eq!(fields(&mut rig), [
            "GET", "/c", "/a%20b/../c", "x=1&y=a+b%21&x=2&flag", "https", "example.org",
            "192.0.2.7", "1.1", "inner.example", "h2", "t13d1516h2_8daaf6152771_02713d6af862",
            "192.0.2.7",
        ]);
        rig.exchange.set_client_ip("2001:DB8::7".parse().unwrap());
        assert_eq!(fields(&mut rig)[11], "2001:db8::7");
        assert_eq!(call(&mut rig, "zs_py_req_peer_port", &[]), 5000);
        let plain = Incoming {
            target: "/%ff%c3%a9?", peer: "", version: (2, 0), scheme: "http", tls: None,
            ..incoming()
        };
        rig.exchange.begin(&plain, [("host", &b"[::1]:80"[..])]);
        assert_eq!(fields(&mut rig)[2..], [
            "/%ff%c3%a9", "", "http", "[::1]", "", "2", "-", "-", "-", "",
        ]);
        let path = call(&mut rig, "zs_py_req_field", &[1]);
        assert_eq!(content(&mut rig, path), b"/\xed\xb3\xbf\xc3\xa9");
        assert_eq!(call(&mut rig, "zs_py_req_peer_port", &[]), 0);
        rig.exchange.begin(&Incoming { version: (1, 0), target: "/%zz", ..incoming() }, []);
        assert_eq!(fields(&mut rig)[..8], [
            "GET", "/%zz", "/%zz", "", "https", "", "192.0.2.7", "1.0",
        ]);
        assert!(trap(&mut rig, "zs_py_req_field", &[12]).contains("no field 12"));
    }

    fn request_values() {
        let mut rig = Rig::new();
        let more: [(&str, &[u8]); 3] = [
            ("Cookie", b"a=1; b=\"x y\"; a=2"), ("cookie", b"c=\xff; d"), ("X-Raw", b"\xe9"),
        ];
        rig.exchange.begin(&incoming(), HEADERS.into_iter().chain(more));
        assert_eq!(of(&mut rig, "zs_py_req_header", &["X-TWICE"]), "one, two");
        assert_eq!(of(&mut rig, "zs_py_req_header", &["none"]), "-");
        let name = s(&mut rig, "x-raw");
        let raw = call(&mut rig, "zs_py_req_header", &[name]);
        assert_eq!(content(&mut rig, raw), b"\xed\xb3\xa9");
        for (name, value) in [("x", "1"), ("y", "a b!"), ("flag", ""), ("z", "-")] {
            assert_eq!(of(&mut rig, "zs_py_req_query_param", &[name]), value);
        }
        for (name, value) in [("a", "1"), ("b", "x y"), ("d", "-"), ("e", "-")] {
            assert_eq!(of(&mut rig, "zs_py_req_cookie", &[name]), value);
        }
        let name = s(&mut rig, "c");
        let cookie = call(&mut rig, "zs_py_req_cookie", &[name]);
        assert_eq!(content(&mut rig, cookie), b"\xed\xb3\xbf");
    }

    fn request_body() {
        let mut rig = Rig::new();
        let limit = 256 * 1024;
        for name in ["zs_py_req_body", "zs_py_req_json"] {
            assert_eq!(rig.raw(name, [0; 5]), Outcome::Body { limit });
        }
        rig.exchange.set_body(Body::Whole(b" {\"a\": [1]} ".to_vec()));
        let body = call(&mut rig, "zs_py_req_body", &[]);
        assert_eq!(content(&mut rig, body), b" {\"a\": [1]} ");
        let json = one(&mut rig, "zs_py_req_json", &[]).unwrap();
        let text = call(&mut rig, "zs_py_json_dumps", &[json, 1]);
        assert_eq!(shown(&mut rig, text), "{\"a\": [1]}");
        rig.exchange.set_body(Body::Whole(Vec::new()));
        assert_eq!(
            one(&mut rig, "zs_py_req_json", &[]).unwrap_err(),
            "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
        );
        rig.exchange.set_body(Body::Whole(b"\"\xff\"".to_vec()));
        assert_eq!(
            one(&mut rig, "zs_py_req_json", &[]).unwrap_err(),
            "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 1: \
             invalid start byte"
        );
        rig.exchange.set_body(Body::Missing);
        assert_eq!(rig.raw("zs_py_req_body", [0; 5]), Outcome::BodyTooLarge);
        rig.exchange.begin_response(200, []);
        assert!(trap(&mut rig, "zs_py_req_json", &[0]).contains("not kept"));
    }

    fn changing_the_request() {
        let mut rig = Rig::new();
        assert_eq!(raises(&mut rig, "zs_py_req_set_header", &["x-twice", " a "]), Ok(()));
        let (name, value) = (s(&mut rig, "X-Raw"), str_word(&mut rig, b"\xed\xb3\xbf\xc3\xa9"));
        assert_eq!(check(&mut rig, "zs_py_req_set_header", &[name, value]), Ok(()));
        assert_eq!(
            headers(&rig),
            "Host=example.org Accept=text/html x-twice=a X-Raw=\\xff\\xc3\\xa9"
        );
        raises(&mut rig, "zs_py_req_delete_header", &["X-RAW"]).unwrap();
        raises(&mut rig, "zs_py_req_delete_header", &["x-*"]).unwrap();
        raises(&mut rig, "zs_py_req_delete_header", &["content-length"]).unwrap();
        assert_eq!(headers(&rig), "Host=example.org Accept=text/html x-twice=a");
        for (name, value, why) in [
            ("", "a", "not a name of a header: ''"),
            ("a b", "a", "not a name of a header: 'a b'"),
            ("Content-Length", "1", "header Content-Length is up to the server"),
            ("a", "b\r\nc: d", "value of header a has a control character"),
            ("a", "\0", "value of header a has a control character"),
        ] {
            let raised = raises(&mut rig, "zs_py_req_set_header", &[name, value]);
            assert_eq!(raised.unwrap_err(), format!("ValueError: {why}"));
        }
        let lone = str_word(&mut rig, b"\xed\xa0\x80");
        let name = s(&mut rig, "a");
        assert!(check(&mut rig, "zs_py_req_set_header", &[name, lone])
            .unwrap_err().starts_with("UnicodeEncodeError: 'utf-8' codec can't encode"));
        raises(&mut rig, "zs_py_req_rewrite", &["/ü b?q=ä#%41%"]).unwrap();
        assert_eq!(rig.exchange.target(), "/%C3%BC%20b?q=%C3%A4%23%41%25");
        for (path, why) in [
            ("x", "a path has to begin with a slash: 'x'"),
            ("", "a path has to begin with a slash: ''"),
            ("/../x", "the path leads out of the site: '/../x'"),
            ("/\0", "the path contains a NUL byte: '/\\x00'"),
        ] {
            let raised = raises(&mut rig, "zs_py_req_rewrite", &[path]);
            assert_eq!(raised.unwrap_err(), format!("ValueError: {why}").replace("\\", "\\"));
        }
        let long = s(&mut rig, &format!("/{}", "ü".repeat(4000)));
        assert!(trap(&mut rig, "zs_py_req_rewrite", &[long]).contains("8192 bytes"));
        raises(&mut rig, "zs_py_req_set_method", &["PURGE"]).unwrap();
        assert!(raises(&mut rig, "zs_py_req_set_method", &["A B"]).is_err());
        assert_eq!(rig.exchange.method(), "PURGE");
    }

    fn metadata() {
        let mut rig = Rig::new();
        raises(&mut rig, "zs_py_meta_set", &["k", "v"]).unwrap();
        raises(&mut rig, "zs_py_meta_set", &["zs.response.header.X-A", " 1 "]).unwrap();
        assert_eq!(of(&mut rig, "zs_py_meta_get", &["k"]), "v");
        assert_eq!(of(&mut rig, "zs_py_meta_get", &["zs.response.header.x-a"]), "1");
        assert_eq!(of(&mut rig, "zs_py_meta_get", &["none"]), "-");
        for (key, there) in [("k", 1), ("zs.response.header.X-a", 1), ("none", 0), ("", 0)] {
            let key = s(&mut rig, key);
            assert_eq!(call(&mut rig, "zs_py_meta_has", &[key]), there);
        }
        for (key, value) in
            [("", "a"), ("zs.response.header.date:", "a"), ("zs.response.header.a", "\n\0")]
        {
            assert!(raises(&mut rig, "zs_py_meta_set", &[key, value]).is_err(), "{key}");
        }
        for n in 0..300 {
            let (key, value) = (s(&mut rig, &format!("k{n}")), s(&mut rig, ""));
            let outcome = rig.raw("zs_py_meta_set", [key, value, 0, 0, 0]);
            assert_eq!(outcome == Outcome::Value(0), n < 254, "{outcome:?}");
        }
    }

    fn responses() {
        let mut rig = Rig::new();
        let body = s(&mut rig, "hé");
        let first = one(&mut rig, "zs_py_response", &[404, body, 0, 0]).unwrap();
        let kind = s(&mut rig, "text/html");
        let second = one(&mut rig, "zs_py_response", &[200, body, kind, 0]).unwrap();
        assert!(first > 0 && second > first);
        for (name, value) in [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("X", "é")] {
            let (name, value) = (s(&mut rig, name), s(&mut rig, value));
            check(&mut rig, "zs_py_response_header", &[second, name, value]).unwrap();
        }
        for (name, value) in
            [("Content-Length", "1"), ("date", "x"), ("connection", "close"), ("a", "\n\t\r.")]
        {
            let (name, value) = (s(&mut rig, name), s(&mut rig, value));
            assert!(check(&mut rig, "zs_py_response_header", &[second, name, value]).is_err());
        }
        call(&mut rig, "zs_py_answer", &[first]);
        let content_type = "text/plain; charset=utf-8";
        let answer = Answer::Respond { status: 404, body: "hé".into(), content_type };
        assert_eq!(rig.exchange.take_answer(), Some(answer));
        assert!(rig.exchange.answer_fields().is_empty());
        call(&mut rig, "zs_py_answer", &[second]);
        let answer = Answer::Respond { status: 200, body: "hé".into(), content_type: "" };
        assert_eq!(rig.exchange.take_answer(), Some(answer));
        let own = rig.exchange.answer_fields().iter();
        let own: Vec<_> = own.map(|(name, value)| format!("{name}={}", value.escape_ascii())).collect();
        assert_eq!(own, ["Content-Type=text/html", "Set-Cookie=a=1", "set-cookie=b=2", "X=\\xc3\\xa9"]);
        assert!(trap(&mut rig, "zs_py_answer", &[second]).contains("not valid"));
        assert!(trap(&mut rig, "zs_py_answer", &[0]).contains("not valid"));
        // A helper for C decides anew, without those fields.
        rig.raw("zs_respond", [200, 0, 0, 0, 0]);
        assert!(rig.exchange.answer_fields().is_empty());
        rig.exchange.begin(&incoming(), []);
        assert!(trap(&mut rig, "zs_py_answer", &[1]).contains("not valid"));
        let raw = bytes_word(&mut rig, b"\xff\xed\xa0\x80");
        let third = one(&mut rig, "zs_py_response", &[200, raw, 0, 1]).unwrap();
        call(&mut rig, "zs_py_answer", &[third]);
        assert!(matches!(rig.exchange.take_answer(),
            Some(Answer::Respond { content_type: "application/octet-stream", .. })));
    }

    fn responses_that_are_none() {
        let mut rig = Rig::new();
        let (empty, lone) = (s(&mut rig, ""), str_word(&mut rig, b"a\xed\xa0\x80"));
        assert_eq!(
            one(&mut rig, "zs_py_response", &[600, empty, 0, 0]).unwrap_err(),
            "ValueError: status 600 is not from 200 to 599"
        );
        assert_eq!(
            one(&mut rig, "zs_py_response", &[200, lone, 0, 0]).unwrap_err(),
            "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 1: \
             surrogates not allowed"
        );
        assert!(one(&mut rig, "zs_py_response", &[200, empty, empty, 0]).is_err());
        let half = vec![b'a'; 600 * 1024];
        let large = rig.instance.alloc(half.len() as u64).unwrap();
        rig.instance.memory().write(large.into(), half.len() as u64).unwrap().fill(b'a');
        let large = u64::from(large) | (half.len() as u64) << 32;
        let most = MAX_RESPONSE_BODY_BYTES / half.len();
        for _ in 0..most {
            one(&mut rig, "zs_py_response", &[200, large, 0, 0]).unwrap();
        }
        assert!(trap(&mut rig, "zs_py_response", &[200, large, 0, 0, empty]).contains("8388608"));
        rig.exchange.start("next");
        for _ in 0..256 {
            call(&mut rig, "zs_py_abort", &[]);
        }
        assert!(trap(&mut rig, "zs_py_abort", &[]).contains("256 responses"));
    }

    fn redirects_and_others() {
        let mut rig = Rig::new();
        let url = s(&mut rig, "/ä b#c");
        let handle = one(&mut rig, "zs_py_redirect", &[url, 308]).unwrap();
        call(&mut rig, "zs_py_answer", &[handle]);
        let answer = Answer::Respond { status: 308, body: Vec::new(), content_type: "" };
        assert_eq!(rig.exchange.take_answer(), Some(answer));
        assert_eq!(rig.exchange.answer_fields().get("location"), Some(&b"/%C3%A4%20b#c"[..]));
        assert!(one(&mut rig, "zs_py_redirect", &[url, 304]).unwrap_err().contains("status 304"));
        let bad = s(&mut rig, "/a\r\nb: c");
        assert!(one(&mut rig, "zs_py_redirect", &[bad, 302]).unwrap_err().starts_with("ValueError"));
        let url = s(&mut rig, "http://127.0.0.1:9000");
        let handle = one(&mut rig, "zs_py_proxy", &[url]).unwrap();
        call(&mut rig, "zs_py_answer", &[handle]);
        let upstream = |cache| Answer::ReverseProxy { url: "http://127.0.0.1:9000".into(), cache };
        assert_eq!(rig.exchange.take_answer(), Some(upstream(false)));
        for cache in [0, 1] {
            let handle = one(&mut rig, "zs_py_proxy_cached", &[url, cache]).unwrap();
            call(&mut rig, "zs_py_answer", &[handle]);
            assert_eq!(rig.exchange.take_answer(), Some(upstream(cache == 1)));
        }
        assert!(one(&mut rig, "zs_py_proxy_cached", &[bad, 1]).is_err());
        assert!(one(&mut rig, "zs_py_proxy", &[bad]).unwrap_err().starts_with("ValueError"));
        let handle = call(&mut rig, "zs_py_abort", &[]);
        call(&mut rig, "zs_py_answer", &[handle]);
        assert_eq!(rig.exchange.take_answer(), Some(Answer::Abort));
    }

    fn files() {
        let mut rig = Rig::new();
        let name = *rig.world.files.keys().next().unwrap();
        for (path, found) in [
            (format!("/{name}"), 1), (format!("//./{name}"), 1), (name.to_owned(), 0),
            ("/none".to_owned(), 0), ("/..".to_owned(), 0), (format!("/{name}\0"), 0),
        ] {
            let word = s(&mut rig, &path);
            assert_eq!(call(&mut rig, "zs_py_file_exists", &[word]), found, "{path}");
        }
        let path = s(&mut rig, "/a//./b%");
        let handle = one(&mut rig, "zs_py_send_file", &[path, 404]).unwrap();
        let type_ = s(&mut rig, "Age");
        check(&mut rig, "zs_py_response_header", &[handle, type_, type_]).unwrap();
        call(&mut rig, "zs_py_answer", &[handle]);
        let file = Answer::File { path: b"a/b%".to_vec(), status: 404 };
        assert_eq!(rig.exchange.take_answer(), Some(file));
        assert_eq!(rig.exchange.answer_fields().get("age"), Some(&b"Age"[..]));
        for status in [204, 205, 206, 304, 199, 600] {
            let raised = one(&mut rig, "zs_py_send_file", &[path, status]).unwrap_err();
            assert!(raised.starts_with("ValueError: status "), "{raised}");
        }
        for bad in ["", "a", "/a/../..", "/\0"] {
            let word = s(&mut rig, bad);
            let raised = one(&mut rig, "zs_py_send_file", &[word, 200]).unwrap_err();
            assert!(raised.starts_with("ValueError: "), "{raised}");
        }
        for as_json in [0, 1] {
            let handle = one(&mut rig, "zs_py_send_listing", &[path, as_json]).unwrap();
            call(&mut rig, "zs_py_answer", &[handle]);
            let listing = Answer::Listing { path: b"a/b%".to_vec(), as_json: as_json == 1 };
            assert_eq!(rig.exchange.take_answer(), Some(listing));
        }
        let bad = s(&mut rig, "a");
        assert!(one(&mut rig, "zs_py_send_listing", &[bad, 0]).is_err());
        let long = s(&mut rig, &"/a".repeat(5000));
        assert_eq!(call(&mut rig, "zs_py_file_exists", &[long]), 0);
        assert!(trap(&mut rig, "zs_py_send_file", &[long, 200]).contains("longer than 8192"));
    }

    fn hooks_that_replace_content() {
        let mut rig = Rig::new();
        let path = s(&mut rig, "/a/../b");
        assert!(trap(&mut rig, "zs_py_res_send_file", &[path]).contains("no response yet"));
        assert!(trap(&mut rig, "zs_py_res_upstream_error", &[]).contains("no response yet"));
        let fields = [("A", &b"1"[..]), ("ETag", b"x"), ("content-type", b"y")];
        rig.exchange.begin_response(304, fields);
        check(&mut rig, "zs_py_res_send_file", &[path]).unwrap();
        assert_eq!(rig.exchange.response().unwrap().file, None);
        assert_eq!(call(&mut rig, "zs_py_res_upstream_error", &[]), 0);
        rig.exchange.set_upstream_error(Some("connect"));
        rig.exchange.begin_response(502, fields);
        check(&mut rig, "zs_py_res_send_file", &[path]).unwrap();
        let response = rig.exchange.response().unwrap();
        assert_eq!(response.file.as_deref(), Some(&b"b"[..]));
        assert_eq!(response.headers.iter().collect::<Vec<_>>(), [("A", &b"1"[..])]);
        let phase = call(&mut rig, "zs_py_res_upstream_error", &[]);
        assert_eq!(shown(&mut rig, phase), "connect");
        let bad = s(&mut rig, "b");
        assert!(check(&mut rig, "zs_py_res_send_file", &[bad]).is_err());
        rig.exchange.begin(&incoming(), []);
        rig.exchange.begin_response(502, []);
        let response = rig.exchange.response().unwrap();
        assert_eq!((&response.file, response.upstream_error), (&None, None));
    }

    fn limits_of_bodies() {
        let mut rig = Rig::new();
        assert!(check(&mut rig, "zs_py_req_limit_body", &[u64::MAX]).is_err());
        check(&mut rig, "zs_py_req_limit_body", &[100]).unwrap();
        check(&mut rig, "zs_py_req_limit_body", &[200]).unwrap();
        assert_eq!(rig.exchange.upload_limit(), 100);
        assert_eq!(rig.raw("zs_py_req_body", [0; 5]), Outcome::Body { limit: 100 });
        rig.exchange.begin(&incoming(), [("content-length", &b"11"[..])]);
        assert_eq!(rig.exchange.upload_limit(), u64::MAX);
        check(&mut rig, "zs_py_req_limit_body", &[11]).unwrap();
        assert_eq!(rig.raw("zs_py_req_limit_body", [10, 0, 0, 0, 0]), Outcome::BodyTooLarge);
    }

    fn passwords() {
        let mut rig = Rig::new();
        let hash = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";
        let (word, right) = (s(&mut rig, hash), s(&mut rig, "remembered"));
        let long = s(&mut rig, &"x".repeat(1025));
        assert_eq!(one(&mut rig, "zs_py_verify_password", &[right, word]), Ok(1));
        assert_eq!(one(&mut rig, "zs_py_verify_password", &[long, word]), Ok(0));
        let other = s(&mut rig, "other");
        let out = rig.put(&[0; 8]);
        let asked = Outcome::Password { password: b"other".to_vec(), hash: hash.to_owned() };
        assert_eq!(rig.raw("zs_py_verify_password", [other, word, out, 0, 0]), asked);
        for (verdict, value) in [(Verification::Right, 1), (Verification::Wrong, 0)] {
            rig.exchange.set_verdict(verdict);
            assert_eq!(one(&mut rig, "zs_py_verify_password", &[other, word]), Ok(value));
            // It counts once.
            assert_eq!(rig.raw("zs_py_verify_password", [other, word, out, 0, 0]), asked);
        }
        rig.exchange.set_verdict(Verification::Busy);
        let busy = rig.raw("zs_py_verify_password", [other, word, out, 0, 0]);
        assert_eq!(busy, Outcome::Busy);
        for bad in ["", "x", "$2b$15$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"] {
            let bad = s(&mut rig, bad);
            let raised = one(&mut rig, "zs_py_verify_password", &[right, bad]).unwrap_err();
            assert!(raised.starts_with("ValueError: "), "{raised}");
        }
        rig.exchange.begin_response(200, []);
        let stopped = trap(&mut rig, "zs_py_verify_password", &[right, word, out]);
        assert!(stopped.contains("takes too long"), "{stopped}");
    }

    fn hooks() {
        let mut rig = Rig::new();
        assert!(trap(&mut rig, "zs_py_res_status", &[]).contains("no response yet"));
        rig.exchange.begin_response(200, [("A", &b"1"[..]), ("a", b"\xff"), ("ETag", b"x")]);
        assert_eq!(call(&mut rig, "zs_py_res_status", &[]), 200);
        check(&mut rig, "zs_py_res_set_status", &[418]).unwrap();
        assert!(check(&mut rig, "zs_py_res_set_status", &[0]).is_err());
        let name = s(&mut rig, "A");
        let value = call(&mut rig, "zs_py_res_header", &[name]);
        assert_eq!(content(&mut rig, value), b"1, \xed\xb3\xbf");
        assert!(!rig.exchange.response().unwrap().headers.changed());
        raises(&mut rig, "zs_py_res_set_header", &["a", "2"]).unwrap();
        raises(&mut rig, "zs_py_res_append_header", &["B", "3"]).unwrap();
        raises(&mut rig, "zs_py_res_append_header", &["b", "4"]).unwrap();
        raises(&mut rig, "zs_py_res_delete_header", &["etag"]).unwrap();
        assert!(raises(&mut rig, "zs_py_res_set_header", &["content-length", "2"]).is_err());
        let response = rig.exchange.response().unwrap();
        let fields = response.headers.iter().map(|(name, value)| {
            format!("{name}={}", value.escape_ascii())
        });
        assert_eq!(fields.collect::<Vec<_>>(), ["a=2", "B=3", "b=4"]);
        assert!(response.status == 418 && response.headers.changed());
        let handle = call(&mut rig, "zs_py_abort", &[]);
        assert!(trap(&mut rig, "zs_py_answer", &[handle]).contains("response hook"));
    }

    fn server() {
        let mut rig = Rig::new();
        raises(&mut rig, "zs_py_log", &["a\nb"]).unwrap();
        assert_eq!(rig.world.log.borrow()[..], ["main: a\\nb"]);
        let line = s(&mut rig, "x");
        for _ in 0..MAX_LOG_LINES {
            assert_eq!(call(&mut rig, "zs_py_log", &[line]), 0);
        }
        assert_eq!(rig.world.log.borrow().len(), MAX_LOG_LINES);
        for (name, value) in [("COLOUR", "mauve"), ("NONE", "-"), ("", "-"), ("a=b", "-")] {
            assert_eq!(of(&mut rig, "zs_py_env", &[name]), value);
        }
        let (key, none) = (s(&mut rig, "key"), s(&mut rig, ""));
        assert_eq!(one(&mut rig, "zs_py_rate_limit", &[key, 1, 0, 0]), Ok(1));
        assert_eq!(one(&mut rig, "zs_py_rate_limit", &[key, 1, 0, 0]), Ok(0));
        for args in [[key, 0, 0, 0], [key, 1, u64::MAX, 0], [none, 1, 0, 0]] {
            let raised = one(&mut rig, "zs_py_rate_limit", &args).unwrap_err();
            assert!(raised.starts_with("ValueError: "), "{raised}");
        }
        assert_eq!(call(&mut rig, "zs_py_time_ns", &[]), 1_700_000_000_123_456_789);
        assert_eq!(call(&mut rig, "zs_py_monotonic_ns", &[]), 12_345);
    }

    fn tables() {
        let mut rig = Rig::new();
        let describe = |rig: &mut Rig, kinds: (u32, u32), max: u64| {
            let name = rig.put(b"seen");
            let mut bytes = [kinds.0.to_le_bytes(), kinds.1.to_le_bytes()].concat();
            bytes.extend(max.to_le_bytes());
            bytes.extend((name as u32).to_le_bytes());
            bytes.extend(4_u32.to_le_bytes());
            rig.put(&bytes)
        };
        let counts = describe(&mut rig, (1, 0), 2);
        let (a, b, c) = (s(&mut rig, "a"), s(&mut rig, "b"), s(&mut rig, "c"));
        let out = rig.put(&[0; 8]);
        assert_eq!(call(&mut rig, "zs_py_table_get", &[counts, a, out]), 0);
        assert_eq!(call(&mut rig, "zs_py_table_add", &[counts, a, 5]), 5);
        assert_eq!(call(&mut rig, "zs_py_table_add", &[counts, a, -7_i64 as u64]), -2_i64 as u64);
        assert_eq!(call(&mut rig, "zs_py_table_get", &[counts, a, out]), 1);
        assert_eq!(rig.read(out, 8), (-2_i64).to_le_bytes());
        call(&mut rig, "zs_py_table_set", &[counts, b, i64::MAX as u64]);
        assert!(trap(&mut rig, "zs_py_table_add", &[counts, b, 1]).starts_with("OverflowError"));
        call(&mut rig, "zs_py_table_set", &[counts, c, 1]);
        assert_eq!(call(&mut rig, "zs_py_table_get", &[counts, a, out]), 0, "least recently used");
        call(&mut rig, "zs_py_table_delete", &[counts, c]);
        assert_eq!(call(&mut rig, "zs_py_table_get", &[counts, c, out]), 0);
        rig.exchange.start("other");
        assert_eq!(call(&mut rig, "zs_py_table_get", &[counts, b, out]), 0, "of another script");
        let texts = describe(&mut rig, (0, 1), 9);
        let text = s(&mut rig, "é");
        call(&mut rig, "zs_py_table_set", &[texts, 7, text]);
        assert_eq!(call(&mut rig, "zs_py_table_get", &[texts, 7, out]), 1);
        let word = u64::from_le_bytes(rig.read(out, 8).try_into().unwrap());
        assert_eq!(content(&mut rig, word), "é".as_bytes());
        assert!(trap(&mut rig, "zs_py_table_add", &[texts, 7, 1]).contains("table: 0x"));
        for (kinds, max) in [((4, 0), 1), ((0, 4), 1), ((0, 0), 0), ((0, 0), u64::MAX)] {
            let bad = describe(&mut rig, kinds, max);
            trap(&mut rig, "zs_py_table_get", &[bad, 0, out]);
        }
        let long = rig.put(&[b'a'; 2000]) | 2000 << 32;
        assert!(trap(&mut rig, "zs_py_table_set", &[counts, long, 1]).contains("1024 bytes"));
        assert!(trap(&mut rig, "zs_py_table_set", &[0, a, 1]).contains("outside of"));
    }
}
