//! Whether an ID token is good (OpenID Connect Core 1.0, section 3.1.3.7).
//!
//! Signatures are checked by aws-lc; here is what they are of, and with which key. Only public-key
//! algorithms are known: `none` and HMAC are none, whatever a token says.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

/// Longest token.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Keys of a provider that are looked at.
const MAX_KEYS: usize = 64;

/// Keys that a token without a name of its key is tried with.
const MAX_TRIED_KEYS: usize = 4;

/// Seconds by which the provider's clock may be wrong.
const LEEWAY_S: i64 = 60;

/// What a token has to be.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    /// That came with it; for `at_hash`.
    pub(crate) access_token: Option<&'a str>,
    /// Seconds since 1970.
    pub(crate) now_s: i64,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None of the keys is the one that it names: there may be others by now.
    UnknownKey,
    /// Anything else.
    Invalid(&'static str),
}

/// Algorithms of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "PS256" => Self::Ps256,
            "ES256" => Self::Es256,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether a key is for it: a key of another type is for another algorithm, always.
    fn fits(self, key: &Value) -> bool {
        let is = |name: &str, wanted: &str| key.get(name).and_then(Value::as_str) == Some(wanted);
        let not_other = |name: &str, wanted: &str| key.get(name).is_none() || is(name, wanted);
        let kind = match self {
            Self::Rs256 | Self::Ps256 => is("kty", "RSA"),
            Self::Es256 => is("kty", "EC") && is("crv", "P-256"),
            Self::EdDsa => is("kty", "OKP") && is("crv", "Ed25519"),
        };
        kind && not_other("use", "sig") && not_other("alg", self.name())
    }

    fn verifies(self, key: &Value, message: &[u8], signature: &[u8]) -> bool {
        let part = |name: &str| key.get(name).and_then(Value::as_str).and_then(decoded);
        let rsa = |parameters: &RsaParameters| {
            let (Some(n), Some(e)) = (part("n"), part("e")) else { return false };
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
        };
        match self {
            Self::Rs256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::Ps256 => rsa(&RSA_PSS_2048_8192_SHA256),
            Self::Es256 => match (part("x"), part("y")) {
                (Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => {
                    let point = [&[4], &x[..], &y[..]].concat();
                    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                    key.verify(message, signature).is_ok()
                }
                _ => false,
            },
            Self::EdDsa => part("x").is_some_and(|x| {
                UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok()
            }),
        }
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&decoded(part)?) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// The left half of a hash, as `at_hash` has it.
fn left_half(text: &str, is_eddsa: bool) -> String {
    let hash = digest(if is_eddsa { &SHA512 } else { &SHA256 }, text.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

/// The claims of a token, if it is good.
pub(crate) fn verify(
    token: &str,
    keys: &Value,
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, Fault> {
    let no_token = Fault::Invalid("it is no signed token");
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Fault::Invalid("it is too long"));
    }
    let (message, signature) = token.rsplit_once('.').ok_or(no_token)?;
    let (header, payload) = message.split_once('.').ok_or(no_token)?;
    let header = object(header).ok_or(no_token)?;
    let signature = decoded(signature).ok_or(no_token)?;
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::of);
    let algorithm = algorithm.ok_or(Fault::Invalid("its algorithm is not known here"))?;
    if header.contains_key("crit") {
        return Err(Fault::Invalid("it asks for extensions that are not known here"));
    }
    let name = header.get("kid").and_then(Value::as_str);
    let known = keys.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_named =
        |key: &&Value| name.is_none_or(|name| key.get("kid").and_then(Value::as_str) == Some(name));
    let mut fitting = known
        .iter()
        .take(MAX_KEYS)
        .filter(|key| algorithm.fits(key))
        .filter(is_named)
        .take(MAX_TRIED_KEYS)
        .peekable();
    if fitting.peek().is_none() {
        return Err(Fault::UnknownKey);
    }
    if !fitting.any(|key| algorithm.verifies(key, message.as_bytes(), &signature)) {
        return Err(Fault::Invalid("its signature is wrong"));
    }
    let claims = object(payload).ok_or(no_token)?;
    check(&claims, expected, algorithm)?;
    Ok(claims)
}

fn check(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    algorithm: Algorithm,
) -> Result<(), Fault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let require = |holds: bool, why| if holds { Ok(()) } else { Err(Fault::Invalid(why)) };
    // Seconds; some write a fraction.
    let time = |name: &str| claims.get(name).map(|value| value.as_f64().map(|at| at as i64));
    require(text("iss") == Some(expected.issuer), "it is of another issuer")?;
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    require(audience.contains(&expected.client_id), "it is for somebody else")?;
    let party = text("azp");
    require(audience.len() == 1 || party.is_some(), "it does not say for which of several it is")?;
    let is_ours = !claims.contains_key("azp") || party == Some(expected.client_id);
    require(is_ours, "it is for somebody else")?;
    require(text("sub").is_some_and(|sub| !sub.is_empty()), "it does not say who it is")?;
    let now_s = expected.now_s;
    let expires = time("exp").flatten();
    require(expires.is_some_and(|at| at > now_s - LEEWAY_S), "it has expired")?;
    let issued = time("iat").flatten();
    require(issued.is_some_and(|at| at <= now_s + LEEWAY_S), "it was issued in the future")?;
    let begins = time("nbf").unwrap_or(Some(i64::MIN));
    require(begins.is_some_and(|at| at <= now_s + LEEWAY_S), "it is not valid yet")?;
    let nonce = text("nonce").unwrap_or_default();
    let same: bool = nonce.as_bytes().ct_eq(expected.nonce.as_bytes()).into();
    require(same, "its nonce is another one")?;
    match (claims.get("at_hash"), expected.access_token) {
        (Some(hash), Some(access)) => {
            let own = left_half(access, algorithm == Algorithm::EdDsa);
            require(hash.as_str() == Some(&own), "it is of another access token")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    };
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;

    fn encoded(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn expected<'a>() -> Expected<'a> {
        Expected {
            issuer: "https://op.example",
            client_id: "app",
            nonce: "n",
            access_token: Some("at"),
            now_s: NOW,
        }
    }

    fn claims() -> Value {
        json!({
            "iss": "https://op.example", "aud": "app", "sub": "ada", "nonce": "n",
            "exp": NOW + 300, "iat": NOW,
        })
    }

    /// A token signed with Ed25519, and the keys of its issuer.
    fn signed(header: &Value, claims: &Value) -> (String, Value) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"}]});
        (format!("{message}.{signature}"), keys)
    }

    fn result(header: &Value, claims: &Value) -> Result<(), Fault> {
        let (token, keys) = signed(header, claims);
        verify(&token, &keys, &expected()).map(|_| ())
    }

    fn changed(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn good_ones() {
        let header = json!({"alg": "EdDSA", "kid": "a"});
        assert_eq!(result(&header, &claims()), Ok(()));
        assert_eq!(result(&json!({"alg": "EdDSA"}), &claims()), Ok(()));
        for (name, value) in [
            ("exp", json!(NOW - 59)),
            ("iat", json!(NOW + 60)),
            ("nbf", json!(NOW + 60)),
            ("aud", json!(["app"])),
            ("azp", json!("app")),
            ("at_hash", json!(left_half("at", true))),
        ] {
            assert_eq!(result(&header, &changed(name, value)), Ok(()), "{name}");
        }
        let mut both = changed("aud", json!(["app", "other"]));
        both["azp"] = json!("app");
        assert_eq!(result(&header, &both), Ok(()));
    }

    #[test]
    fn claims_that_are_wrong() {
        let header = json!({"alg": "EdDSA", "kid": "a"});
        for (name, value) in [
            ("iss", json!("https://op.example/")),
            ("iss", json!(null)),
            ("aud", json!("other")),
            ("aud", json!(["app", "other"])),
            ("aud", json!([])),
            ("azp", json!("other")),
            ("azp", json!(1)),
            ("sub", json!("")),
            ("sub", json!(1)),
            ("exp", json!(NOW - 60)),
            ("exp", json!("never")),
            ("exp", json!(null)),
            ("iat", json!(NOW + 61)),
            ("iat", json!(null)),
            ("nbf", json!(NOW + 61)),
            ("nbf", json!("now")),
            ("nonce", json!("m")),
            ("nonce", json!(null)),
            ("at_hash", json!("AAAA")),
        ] {
            let found = result(&header, &changed(name, value.clone()));
            assert!(matches!(found, Err(Fault::Invalid(_))), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_not_signed_by_a_key_of_the_issuer() {
        let header = json!({"alg": "EdDSA", "kid": "a"});
        let (token, keys) = signed(&header, &claims());
        let of = |token: &str, keys: &Value| verify(token, keys, &expected()).map(|_| ());
        assert_eq!(of(&token, &json!({"keys": []})), Err(Fault::UnknownKey));
        assert_eq!(of(&token, &json!([])), Err(Fault::UnknownKey));
        assert_eq!(result(&json!({"alg": "EdDSA", "kid": "b"}), &claims()), Err(Fault::UnknownKey));
        // A key that is for something else is no key.
        for (name, value) in [("use", "enc"), ("alg", "ES256"), ("kty", "RSA"), ("crv", "X25519")] {
            let mut other = keys.clone();
            other["keys"][0][name] = json!(value);
            assert_eq!(of(&token, &other), Err(Fault::UnknownKey), "{name}");
        }
        for alg in ["none", "HS256", "HS512", "RS1", "eddsa", ""] {
            let found = result(&json!({"alg": alg, "kid": "a"}), &claims());
            assert!(matches!(found, Err(Fault::Invalid(_))), "{alg}");
        }
        let critical = json!({"alg": "EdDSA", "kid": "a", "crit": ["b64"]});
        assert!(matches!(result(&critical, &claims()), Err(Fault::Invalid(_))));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{}.{}", encoded(&header), encoded(&changed("sub", json!("root"))));
        for text in [
            format!("{forged}.{signature}"),
            format!("{message}."),
            message.to_owned(),
            format!("{token}.a"),
            String::new(),
            "a.b.c".to_owned(),
            "a".repeat(MAX_TOKEN_BYTES + 1),
        ] {
            assert!(matches!(of(&text, &keys), Err(Fault::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn elliptic_curves() {
        let random = SystemRandom::new();
        let of = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(of, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(of, document.as_ref()).unwrap();
        let message = format!("{}.{}", encoded(&json!({"alg": "ES256"})), encoded(&claims()));
        let signature = pair.sign(&random, message.as_bytes()).unwrap();
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let mut keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]});
        assert!(verify(&token, &keys, &expected()).is_ok());
        keys["keys"][0]["y"] = json!(x);
        assert!(verify(&token, &keys, &expected()).is_err());
    }
}
