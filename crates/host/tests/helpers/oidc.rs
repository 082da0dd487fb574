//! Logins, as far as they come without a provider; the whole way is in `tests/test_oidc.py`.

use zeroserve_host::{Answer, FetchError, Fetched, Fields, Incoming, Outcome};

use crate::rig::{Arg, HEADERS, Rig, call, incoming};

const CONFIG: &str = r#"{"issuer": "https://op.example", "client_id": "app",
    "client_secret": "s", "redirect_uri": "https://example.org/cb",
    "cookie_secret": "0123456789abcdef"}"#;

const DISCOVERY: &str = r#"{"issuer": "https://op.example",
    "authorization_endpoint": "https://op.example/auth",
    "token_endpoint": "https://op.example/token", "jwks_uri": "https://op.example/jwks"}"#;

fn begin(rig: &mut Rig, config: i64) -> Outcome {
    rig.outcome("zs_oidc_begin_login", vec![Arg::from(config), Arg::from("/app")])
}

fn told(body: &str) -> Fetched {
    Fetched { status: 200, fields: Fields::default(), body: body.as_bytes().to_vec() }
}

/// Location and cookies of the answer.
fn redirect(rig: &Rig) -> (String, Vec<String>) {
    let Some(Answer::Respond { status: 302, .. }) = rig.exchange.answer() else {
        panic!("no redirect")
    };
    let fields = rig.exchange.answer_fields();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let cookies = fields.iter().filter(|(name, _)| *name == "Set-Cookie");
    let location = text(fields.get("location").unwrap());
    (location, cookies.map(|(_, value)| text(value)).collect())
}

crate::cases! {
    fn to_the_provider_and_back() {
        let mut rig = Rig::new();
        let config = rig.json(CONFIG);
        let Outcome::Fetch(asked) = begin(&mut rig, config) else { panic!("nothing is asked") };
        assert_eq!(asked.url, "https://op.example/.well-known/openid-configuration");
        rig.exchange.set_fetched(Ok(told(DISCOVERY)));
        assert_eq!(begin(&mut rig, config), Outcome::Value(0));
        let (location, cookies) = redirect(&rig);
        assert!(location.starts_with("https://op.example/auth?response_type=code&client_id=app&"));
        let (pair, rest) = cookies[0].split_once(';').unwrap();
        assert_eq!(rest, " Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
        // The random bytes of the rig are all the same.
        let state = location.split_once("state=").unwrap().1.split('&').next().unwrap();
        let target = format!("/cb?code=c&state={state}");
        let cookie = [("Cookie", pair.as_bytes())];
        rig.exchange.begin(&Incoming { target: &target, ..incoming() }, cookie);
        rig.exchange.start("main");
        let config = rig.json(CONFIG);
        let callback = |rig: &mut Rig| {
            rig.outcome("zs_oidc_handle_callback", vec![Arg::from(config)])
        };
        let Outcome::Fetch(asked) = callback(&mut rig) else { panic!("no token is asked for") };
        assert_eq!((asked.method.as_str(), asked.url.as_str()), ("POST", "https://op.example/token"));
        let form = String::from_utf8(asked.body).unwrap();
        assert!(form.starts_with("grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2F"));
        rig.exchange.set_fetched(Ok(told("{\"id_token\": \"a.b.c\"}")));
        let Outcome::Fetch(asked) = callback(&mut rig) else { panic!("no keys are asked for") };
        assert_eq!(asked.url, "https://op.example/jwks");
        rig.exchange.set_fetched(Ok(told("{\"keys\": []}")));
        assert_eq!(callback(&mut rig), Outcome::Value(u64::MAX));
        let last = rig.world.log.borrow().last().cloned();
        assert_eq!(last.unwrap(), "main: oidc: the token is not good: it is no signed token");
        assert_eq!(call!(rig, "zs_oidc_session_verify", config), 0);
        assert_eq!(call!(rig, "zs_oidc_logout", config, "/bye"), 0);
        let (location, cookies) = redirect(&rig);
        assert_eq!((location.as_str(), cookies.len()), ("/bye", 2));
        assert!(cookies[0].starts_with("__Host-zs_oidc_session=; Path=/; Max-Age=0;"));
    }

    fn the_same_for_compiled_python() {
        let mut rig = Rig::new();
        let word = |rig: &mut Rig, text: &str| rig.put(text.as_bytes()) | (text.len() as u64) << 32;
        let (config, path) = (word(&mut rig, CONFIG), word(&mut rig, "/app"));
        let (bad, out) = (word(&mut rig, "{}"), rig.room(8));
        for (name, args) in [
            ("zs_py_oidc_begin_login", [path, out]),
            ("zs_py_oidc_handle_callback", [out, 0]),
            ("zs_py_oidc_session", [out, 0]),
            ("zs_py_oidc_logout", [path, out]),
        ] {
            for wrong in [bad, path] {
                let outcome = rig.raw(name, [wrong, args[0], args[1], 0, 0]);
                assert_eq!(outcome, Outcome::Value(1), "{name}: a ValueError");
            }
        }
        let login = [config, path, out, 0, 0];
        assert!(matches!(rig.raw("zs_py_oidc_begin_login", login), Outcome::Fetch(_)));
        rig.exchange.set_fetched(Ok(told(DISCOVERY)));
        assert_eq!(rig.raw("zs_py_oidc_begin_login", login), Outcome::Value(0));
        let handle = u64::from_le_bytes(rig.read(out, 8).try_into().unwrap());
        assert_eq!(rig.raw("zs_py_answer", [handle, 0, 0, 0, 0]), Outcome::Value(0));
        assert!(redirect(&rig).0.starts_with("https://op.example/auth?"));
        let back = rig.raw("zs_py_oidc_handle_callback", [config, out, 0, 0, 0]);
        assert_eq!(back, Outcome::Value(19), "a PermissionError");
        assert_eq!(rig.raw("zs_py_oidc_session", [config, out, 0, 0, 0]), Outcome::Value(0));
        assert_eq!(rig.raw("zs_py_oidc_logout", [config, path, out, 0, 0]), Outcome::Value(0));
    }

    fn what_is_not_begun() {
        let mut rig = Rig::new();
        let empty = rig.json("{}");
        for config in [empty, 99] {
            assert_eq!(begin(&mut rig, config), Outcome::Value(u64::MAX));
            assert_eq!(call!(rig, "zs_oidc_session_verify", config), 0);
        }
        let config = rig.json(CONFIG);
        assert_eq!(call!(rig, "zs_oidc_handle_callback", config), -1);
        assert!(matches!(begin(&mut rig, config), Outcome::Fetch(_)));
        rig.exchange.set_fetched(Err(FetchError::TimedOut("a".into())));
        assert_eq!(begin(&mut rig, config), Outcome::Value(u64::MAX));
        // Nobody is asked again at once.
        assert_eq!(begin(&mut rig, config), Outcome::Value(u64::MAX));
        rig.exchange.begin_response(200, HEADERS);
        assert_eq!(begin(&mut rig, config), Outcome::Value(u64::MAX));
        assert_eq!(call!(rig, "zs_oidc_logout", config, "/"), -1);
    }
}
