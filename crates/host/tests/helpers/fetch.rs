//! Asking other servers.

use zeroserve_host::{FetchError, FetchRequest, Fetched, Fields, Outcome};

use crate::rig::{Arg, Rig, call, text};

/// An answer, as a driver makes it.
fn fetched() -> Fetched {
    let mut fields = Fields::default();
    fields.push("X-Two", b"one");
    fields.push("x-two", b"two");
    Fetched { status: 201, fields, body: b"{\"a\":[1,2]}".to_vec() }
}

/// `zs_fetch_params` with such a method, URL, headers and time.
fn params(rig: &mut Rig, method: &str, url: &str, headers: i64, timeout_ms: u64) -> Vec<u8> {
    let mut fields = Vec::new();
    for text in [method, url] {
        fields.extend([rig.put(text.as_bytes()), text.len() as u64]);
    }
    fields.extend([headers as u64, rig.put(b"body"), 4, timeout_ms]);
    fields.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn ask(rig: &mut Rig, params: &[u8]) -> Outcome {
    rig.outcome("zs_fetch", vec![Arg::Bytes(params.to_vec())])
}

crate::cases! {
    fn a_request_and_its_answer() {
        let mut rig = Rig::new();
        let headers = rig.json("{\"X-Own\":\" a \",\"Cookie\":\"b=c\"}");
        let own = params(&mut rig, "", "http://a.example/x?y", headers, 0);
        let Outcome::Fetch(request) = ask(&mut rig, &own) else { panic!("nothing is asked") };
        let fields = vec![("X-Own".into(), b"a".to_vec()), ("Cookie".into(), b"b=c".to_vec())];
        let wanted = FetchRequest {
            method: "GET".into(),
            url: "http://a.example/x?y".into(),
            fields,
            body: b"body".to_vec(),
            timeout_ms: 5000,
        };
        assert_eq!(*request, wanted);
        rig.exchange.set_fetched(Ok(fetched()));
        let Outcome::Value(answer) = ask(&mut rig, &own) else { panic!("there is no answer") };
        assert_eq!(call!(rig, "zs_fetched_status", answer), 201);
        assert_eq!(text!(rig, "zs_fetched_header", answer, "X-TWO").as_deref(), Some("one"));
        assert_eq!(text!(rig, "zs_fetched_header", answer, "X-None"), None);
        assert_eq!(call!(rig, "zs_fetched_body", answer, 0, 0), 11);
        let out = rig.room(11);
        assert_eq!(call!(rig, "zs_fetched_body", answer, out, 10), -1);
        assert_eq!(call!(rig, "zs_fetched_body", answer, out, 11), 11);
        assert_eq!(rig.read(out, 11), b"{\"a\":[1,2]}");
        let json = call!(rig, "zs_fetched_json", answer);
        assert_eq!(rig.shown(json), "{\"a\":[1,2]}");
        for none in [0, answer + 1, u64::MAX] {
            assert_eq!(call!(rig, "zs_fetched_status", none), -1);
        }
        // Another script knows nothing of it.
        rig.exchange.start("other");
        assert_eq!(call!(rig, "zs_fetched_status", answer), -1);
    }

    fn requests_that_are_not_made() {
        let mut rig = Rig::new();
        let bad = rig.json("{\"Host\":\"b\"}");
        let list = rig.json("[]");
        for (method, url, headers, timeout_ms) in [
            ("CONNECT", "http://a", 0, 1),
            ("GET", "ftp://a", 0, 1),
            ("GET", "http://a", bad, 1),
            ("GET", "http://a", list, 1),
            ("GET", "http://a", 99, 1),
            ("GET", "http://a", 0, 30_001),
        ] {
            let params = params(&mut rig, method, url, headers, timeout_ms);
            assert_eq!(ask(&mut rig, &params), Outcome::Value(u64::MAX), "{method} {url}");
        }
        let good = params(&mut rig, "GET", "http://a", 0, 1);
        assert_eq!(ask(&mut rig, &good[..56]), Outcome::Value(u64::MAX));
        for _ in 0..16 {
            assert!(matches!(ask(&mut rig, &good), Outcome::Fetch(_)));
            let error = FetchError::Failed("no answer".into());
            rig.exchange.set_fetched(Err(error));
            assert_eq!(ask(&mut rig, &good), Outcome::Value(u64::MAX));
        }
        assert_eq!(ask(&mut rig, &good), Outcome::Value(u64::MAX));
        let mut rig = Rig::new();
        rig.exchange.begin_response(200, []);
        let good = params(&mut rig, "GET", "http://a", 0, 1);
        assert_eq!(ask(&mut rig, &good), Outcome::Value(u64::MAX));
    }

    fn compiled_python_asks() {
        let mut rig = Rig::new();
        let word = |rig: &mut Rig, text: &str| rig.put(text.as_bytes()) | (text.len() as u64) << 32;
        let out = rig.room(8);
        let (get, url) = (word(&mut rig, "GET"), word(&mut rig, "https://a.example/"));
        assert_eq!(rig.raw("zs_py_fetch_request", [get, url, out, 0, 0]), Outcome::Value(0));
        let request = u64::from_le_bytes(rig.read(out, 8).try_into().unwrap());
        let (name, value) = (word(&mut rig, "X-A"), word(&mut rig, "b"));
        let added = rig.raw("zs_py_fetch_header", [request, name, value, 0, 0]);
        assert_eq!(added, Outcome::Value(0));
        let args = [request, value, 1000, out, 0];
        let Outcome::Fetch(asked) = rig.raw("zs_py_fetch", args) else { panic!("not asked") };
        assert_eq!(asked.fields, [("X-A".to_owned(), b"b".to_vec())]);
        assert_eq!((asked.body.as_slice(), asked.timeout_ms), (&b"b"[..], 1000));
        rig.exchange.set_fetched(Ok(fetched()));
        assert_eq!(rig.raw("zs_py_fetch", args), Outcome::Value(0));
        let answer = u64::from_le_bytes(rig.read(out, 8).try_into().unwrap());
        assert_eq!(rig.raw("zs_py_fetched_status", [answer, 0, 0, 0, 0]), Outcome::Value(201));
        let name = word(&mut rig, "x-two");
        let Outcome::Value(both) = rig.raw("zs_py_fetched_header", [answer, name, 0, 0, 0]) else {
            panic!("no header")
        };
        assert_eq!(rig.read(both & 0xffff_ffff, both >> 32), b"one, two");
        let Outcome::Value(list) = rig.raw("zs_py_fetched_header_list", [answer, name, 0, 0, 0])
        else {
            panic!("no list")
        };
        assert_eq!(list >> 32, 2);
        assert_eq!(rig.raw("zs_py_fetch_header", [request, name, 0, 0, 0]), Outcome::Value(0));
        let Outcome::Value(body) = rig.raw("zs_py_fetched_body", [answer, 0, 0, 0, 0]) else {
            panic!("no body")
        };
        assert_eq!(body >> 32, 11);
        assert_eq!(rig.raw("zs_py_fetched_json", [answer, out, 0, 0, 0]), Outcome::Value(0));
        // A request is sent but once, and an answer is no request.
        for handle in [request, answer, 99] {
            let sent = rig.raw("zs_py_fetch", [handle, value, 1000, out, 0]);
            assert!(matches!(sent, Outcome::Trap(_)), "{handle}");
        }
        for (error, kind) in [
            (FetchError::Forbidden("a".into()), 19),
            (FetchError::Failed("a".into()), 21),
            (FetchError::TimedOut("a".into()), 22),
        ] {
            rig.exchange.set_fetched(Err(error));
            assert_eq!(rig.raw("zs_py_fetch", args), Outcome::Value(kind));
        }
    }
}
