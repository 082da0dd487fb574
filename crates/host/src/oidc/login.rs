//! The way of a login: to the provider, back with a code, and from there to a session.
//!
//! What has to be fetched on the way is fetched by leaving with [`Halt::Fetch`] and being called
//! again: what was read is kept in the site's documents and in [`Login`].

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::fetch::{FetchError, FetchRequest, Fetched, is_fetchable};
use crate::guest::Call;
use crate::limits::DEFAULT_FETCH_TIMEOUT_MS;
use crate::oidc::config::{Config, local};
use crate::oidc::token::{Expected, Fault, verify};
use crate::oidc::{open, seal};
use crate::python::cookie_in;

/// How long a visitor may take to log in.
const LOGIN_TIME_S: u64 = 600;

/// Longest session, before it is sealed: browsers keep cookies of up to 4096 bytes.
const MAX_SESSION_BYTES: usize = 2800;

/// Claims that a session has when there is no room for all.
const KEPT_CLAIMS: [&str; 8] =
    ["iss", "sub", "aud", "exp", "iat", "name", "email", "preferred_username"];

/// What is known of a login while its script waits.
#[derive(Debug, Default)]
pub(crate) struct Login {
    /// What was asked for.
    pending: Option<String>,
    /// ID token and access token.
    tokens: Option<(String, Option<String>)>,
}

/// Why a step is not done.
pub(crate) enum Halt {
    /// It can't be, for this reason.
    Failed(String),
    /// Something has to be fetched first.
    Fetch(Box<FetchRequest>),
}

impl From<&str> for Halt {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

/// Where the client is sent, and which cookies it gets.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) location: String,
    pub(crate) cookies: Vec<String>,
}

fn random_text(call: &Call<'_>) -> String {
    let mut bytes = [0; 32];
    call.world.fill_random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now_s(call: &Call<'_>) -> u64 {
    call.world.now_ms() / 1000
}

fn sealed(call: &Call<'_>, config: &Config, kind: &str, value: &Value) -> Result<String, Halt> {
    let mut nonce = [0; 12];
    call.world.fill_random(&mut nonce);
    let text = value.to_string();
    let sealed = seal(&config.cookie_secret, &config.purpose(kind), nonce, text.as_bytes());
    sealed.ok_or_else(|| "a cookie can't be sealed".into())
}

/// What a cookie of the request holds, if it is ours and its time is not over.
fn opened(call: &Call<'_>, config: &Config, kind: &str) -> Option<Value> {
    let name = config.cookie_name(kind);
    let fields = call.exchange.headers().iter();
    let mut cookies = fields.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let value = cookies.find_map(|(_, field)| cookie_in(field, name.as_bytes()))?;
    let text = open(&config.cookie_secret, &config.purpose(kind), value)?;
    let value: Value = serde_json::from_slice(&text).ok()?;
    let until = value.get("until").and_then(Value::as_u64)?;
    (until > now_s(call)).then_some(value)
}

/// Fetch something: the answer when it is there.
fn fetched(
    call: &mut Call<'_>,
    what: &str,
    request: impl FnOnce() -> FetchRequest,
) -> Result<Result<Fetched, FetchError>, Halt> {
    if call.exchange.login.pending.as_deref() == Some(what) {
        call.exchange.login.pending = None;
        if let Some(result) = call.exchange.fetches.take_result() {
            return Ok(result);
        }
    }
    if !call.exchange.fetches.begin() {
        return Err("this request has made too many requests of its own".into());
    }
    call.exchange.login.pending = Some(what.to_owned());
    Err(Halt::Fetch(Box::new(request())))
}

/// A document of the provider, at hand or fetched.
fn document(call: &mut Call<'_>, url: &str, what: &str) -> Result<Arc<Value>, Halt> {
    let now_ms = call.world.now_ms();
    let missing = || Halt::Failed(format!("there is no {what} of the provider: {url}"));
    if let Some(known) = call.world.documents().get(url, now_ms) {
        return known.ok_or_else(missing);
    }
    if !is_fetchable(url) {
        return Err(missing());
    }
    let answer = fetched(call, url, || FetchRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        fields: vec![("Accept".to_owned(), b"application/json".to_vec())],
        body: Vec::new(),
        timeout_ms: DEFAULT_FETCH_TIMEOUT_MS,
    })?;
    let good = answer.ok().filter(|answer| answer.status == 200);
    let value = good.and_then(|answer| serde_json::from_slice(&answer.body).ok()).map(Arc::new);
    call.world.documents().put(url, value.clone(), now_ms);
    value.ok_or_else(missing)
}

/// The provider's configuration (OpenID Connect Discovery 1.0).
fn provider(call: &mut Call<'_>, config: &Config) -> Result<Arc<Value>, Halt> {
    let base = config.issuer.strip_suffix('/').unwrap_or(&config.issuer);
    let url = format!("{base}/.well-known/openid-configuration");
    let found = document(call, &url, "configuration")?;
    if found.get("issuer").and_then(Value::as_str) != Some(&config.issuer) {
        return Err("the configuration of the provider is of another issuer".into());
    }
    Ok(found)
}

/// A URL of the provider's configuration.
fn endpoint(provider: &Value, name: &str) -> Result<String, Halt> {
    let url = provider.get(name).and_then(Value::as_str).filter(|url| is_fetchable(url));
    url.map(str::to_owned).ok_or_else(|| Halt::Failed(format!("the provider has no {name}")))
}

/// Send a visitor to the provider (RFC 6749, section 4.1.1; RFC 7636).
pub(crate) fn begin(
    call: &mut Call<'_>,
    config: &Config,
    return_to: &str,
) -> Result<Redirect, Halt> {
    let provider = provider(call, config)?;
    let mut location = endpoint(&provider, "authorization_endpoint")?;
    let (state, nonce, verifier) = (random_text(call), random_text(call), random_text(call));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    location.push(if location.contains('?') { '&' } else { '?' });
    let start = location.len();
    let location = Serializer::for_suffix(location, start)
        .append_pair("response_type", "code")
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", &config.redirect_uri)
        .append_pair("scope", &config.scope)
        .append_pair("state", &state)
        .append_pair("nonce", &nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let until = now_s(call) + LOGIN_TIME_S;
    let value = json!({
        "state": state, "nonce": nonce, "verifier": verifier, "to": local(return_to), "until": until,
    });
    let cookie = config.cookie("state", &sealed(call, config, "state", &value)?, LOGIN_TIME_S);
    Ok(Redirect { location, cookies: vec![cookie] })
}

/// The one parameter of that name in the query.
fn parameter(call: &Call<'_>, name: &str) -> Option<String> {
    let query = call.exchange.request.parts().1;
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let value = found.next()?.1.into_owned();
    found.next().is_none().then_some(value)
}

/// A visitor came back: ask for the token, look at it, and make a session of it.
pub(crate) fn finish(call: &mut Call<'_>, config: &Config) -> Result<Redirect, Halt> {
    let login = opened(call, config, "state").ok_or("there is no login under way here")?;
    let text = |name: &str| login.get(name).and_then(Value::as_str).unwrap_or_default();
    let state = parameter(call, "state").unwrap_or_default();
    let same: bool = state.as_bytes().ct_eq(text("state").as_bytes()).into();
    if !same || state.is_empty() {
        return Err("the state is that of another login".into());
    }
    if let Some(error) = parameter(call, "error") {
        let shown: String = error.chars().take(100).filter(|c| !c.is_control()).collect();
        return Err(Halt::Failed(format!("the provider says: {shown}")));
    }
    // RFC 9207: the answer of another provider is for another login.
    if parameter(call, "iss").is_some_and(|issuer| issuer != config.issuer) {
        return Err("the answer is of another issuer".into());
    }
    let code = parameter(call, "code").ok_or("there is no code")?;
    let provider = provider(call, config)?;
    let keys_url = endpoint(&provider, "jwks_uri")?;
    if call.exchange.login.tokens.is_none() {
        let tokens = exchange_code(call, config, &provider, &code, text("verifier"))?;
        call.exchange.login.tokens = Some(tokens);
    }
    let claims = loop {
        let keys = document(call, &keys_url, "keys")?;
        let Some((token, access)) = &call.exchange.login.tokens else {
            return Err("there is no token".into());
        };
        let expected = Expected {
            issuer: &config.issuer,
            client_id: &config.client_id,
            nonce: text("nonce"),
            access_token: access.as_deref(),
            now_s: i64::try_from(now_s(call)).unwrap_or(i64::MAX),
        };
        match verify(token, &keys, &expected) {
            Ok(claims) => break claims,
            Err(Fault::Invalid(why)) => {
                return Err(Halt::Failed(format!("the token is not good: {why}")));
            }
            Err(Fault::UnknownKey) => {
                if !call.world.documents().refresh(&keys_url, call.world.now_ms()) {
                    return Err("the token is signed with a key that the provider has not".into());
                }
            }
        }
    };
    call.exchange.login.tokens = None;
    let until = now_s(call) + config.session_s;
    let session = fitting(claims, until).ok_or("the claims are too long for a cookie")?;
    let session = sealed(call, config, "session", &session)?;
    Ok(Redirect {
        location: local(text("to")).to_owned(),
        cookies: vec![
            config.cookie("session", &session, config.session_s),
            config.cookie("state", "", 0),
        ],
    })
}

/// A session with as many of the claims as fit.
fn fitting(claims: Map<String, Value>, until: u64) -> Option<Value> {
    let fits = |session: &Value| session.to_string().len() <= MAX_SESSION_BYTES;
    let kept = |claims: &Map<String, Value>| {
        let own = claims.iter().filter(|(name, _)| KEPT_CLAIMS.contains(&name.as_str()));
        own.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
    };
    let few = kept(&claims);
    let whole = json!({"claims": claims, "until": until});
    if fits(&whole) {
        return Some(whole);
    }
    Some(json!({"claims": few, "until": until})).filter(fits)
}

/// Have the code exchanged for tokens (RFC 6749, section 4.1.3).
fn exchange_code(
    call: &mut Call<'_>,
    config: &Config,
    provider: &Value,
    code: &str,
    verifier: &str,
) -> Result<(String, Option<String>), Halt> {
    let url = endpoint(provider, "token_endpoint")?;
    let methods = provider.get("token_endpoint_auth_methods_supported");
    let knows = |method: &str| match methods.and_then(Value::as_array) {
        // That is the one where nothing is said.
        None => method == "client_secret_basic",
        Some(all) => all.iter().any(|one| one.as_str() == Some(method)),
    };
    let has_secret = !config.client_secret.is_empty();
    let basic = has_secret && knows("client_secret_basic");
    if has_secret && !basic && !knows("client_secret_post") {
        return Err("the provider takes neither client_secret_basic nor client_secret_post".into());
    }
    let answer = fetched(call, "tokens", || {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &config.redirect_uri)
            .append_pair("code_verifier", verifier);
        let mut fields = vec![
            ("Content-Type".to_owned(), b"application/x-www-form-urlencoded".to_vec()),
            ("Accept".to_owned(), b"application/json".to_vec()),
        ];
        if basic {
            let coded = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let pair = format!("{}:{}", coded(&config.client_id), coded(&config.client_secret));
            let value = format!("Basic {}", STANDARD.encode(pair));
            fields.push(("Authorization".to_owned(), value.into_bytes()));
        } else {
            form.append_pair("client_id", &config.client_id);
            if has_secret {
                form.append_pair("client_secret", &config.client_secret);
            }
        }
        let body = form.finish().into_bytes();
        let (method, timeout_ms) = ("POST".to_owned(), DEFAULT_FETCH_TIMEOUT_MS);
        FetchRequest { method, url, fields, body, timeout_ms }
    })?;
    let answer = answer.map_err(|_| "the provider does not answer")?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match text("id_token").filter(|_| answer.status == 200) {
        Some(token) => Ok((token, text("access_token"))),
        None => Err(Halt::Failed(format!("the provider gives no token: {}", answer.status))),
    }
}

/// The claims of a session that is in force.
pub(crate) fn session(call: &Call<'_>, config: &Config) -> Option<Value> {
    opened(call, config, "session")?.get("claims").cloned()
}

/// End a session here, and send the visitor to where it ends at the provider, too.
pub(crate) fn logout(config: &Config, url: &str) -> Redirect {
    let location = if url.starts_with("http") && is_fetchable(url) { url } else { local(url) };
    Redirect {
        location: location.to_owned(),
        cookies: vec![config.cookie("session", "", 0), config.cookie("state", "", 0)],
    }
}
