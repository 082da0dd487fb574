//! What a script says of its identity provider and of itself.

use serde_json::Value;

use crate::limits::{MAX_NAME_BYTES, MAX_URI_BYTES};

/// Shortest secret that cookies are sealed with.
const MIN_SECRET_BYTES: usize = 16;

/// Longest time of a session.
const MAX_SESSION_S: u64 = 30 * 24 * 3600;

/// Shortest one.
const MIN_SESSION_S: u64 = 60;

/// The time of a session where nothing is said: a working day.
const DEFAULT_SESSION_S: u64 = 8 * 3600;

/// A client of an identity provider.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// Empty for a public client.
    pub(crate) client_secret: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) cookie_secret: Vec<u8>,
    pub(crate) session_s: u64,
}

fn is_url(text: &str) -> bool {
    crate::fetch::is_fetchable(text) && text.starts_with("http")
}

impl Config {
    /// Read an object; the error says what is wrong.
    pub(crate) fn read(value: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| match value.get(name) {
            None | Some(Value::Null) => Some(""),
            Some(Value::String(text)) => Some(text.as_str()),
            Some(_) => None,
        };
        let plain =
            |text: &&str| text.len() <= MAX_URI_BYTES && !text.chars().any(char::is_control);
        let own = |name: &str, why| text(name).filter(plain).ok_or(why);
        let issuer = own("issuer", "the issuer is no text")?;
        if !is_url(issuer) || issuer.contains('?') {
            return Err("the issuer is no URL");
        }
        let client_id = own("client_id", "the client_id is no text")?;
        if client_id.is_empty() || client_id.len() > MAX_NAME_BYTES {
            return Err("there is no client_id");
        }
        let client_secret = own("client_secret", "the client_secret is no text")?;
        let redirect_uri = own("redirect_uri", "the redirect_uri is no text")?;
        if !is_url(redirect_uri) {
            return Err("the redirect_uri is no URL");
        }
        let scope = own("scope", "the scope is no text")?;
        let cookie_secret = text("cookie_secret").unwrap_or_default().as_bytes();
        if cookie_secret.len() < MIN_SECRET_BYTES {
            return Err("the cookie_secret has less than 16 bytes");
        }
        let session_s = match value.get("session_ttl_secs") {
            None | Some(Value::Null) => DEFAULT_SESSION_S,
            Some(seconds) => seconds.as_u64().ok_or("session_ttl_secs is no number")?,
        };
        if !(MIN_SESSION_S..=MAX_SESSION_S).contains(&session_s) {
            return Err("session_ttl_secs is not from 60 to 2592000");
        }
        // Without it there is no ID token.
        let scope = match scope {
            "" => "openid".to_owned(),
            scope if scope.split(' ').any(|one| one == "openid") => scope.to_owned(),
            scope => format!("openid {scope}"),
        };
        Ok(Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            scope,
            cookie_secret: cookie_secret.to_vec(),
            session_s,
        })
    }

    /// Whether browsers come over HTTPS.
    pub(crate) fn is_secure(&self) -> bool {
        self.redirect_uri.starts_with("https://")
    }

    /// What a cookie is sealed for: one of another client does not open.
    pub(crate) fn purpose(&self, kind: &str) -> String {
        format!("{kind}\n{}\n{}", self.issuer, self.client_id)
    }

    /// The name of a cookie; with `__Host-`, no other host and no plain connection can set it.
    pub(crate) fn cookie_name(&self, kind: &str) -> String {
        let prefix = if self.is_secure() { "__Host-" } else { "" };
        format!("{prefix}zs_oidc_{kind}")
    }

    /// The value of a field Set-Cookie.
    pub(crate) fn cookie(&self, kind: &str, value: &str, max_age_s: u64) -> String {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let name = self.cookie_name(kind);
        format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}")
    }
}

/// A path of this site to go back to; `/` in place of what leads elsewhere.
pub(crate) fn local(path: &str) -> &str {
    const MAX_PATH_BYTES: usize = 1024;
    let here = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    if here && plain && path.len() <= MAX_PATH_BYTES { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_paths_of_this_site() {
        for path in ["/", "/a?b=c#d", "/a//b", "/a:b@c"] {
            assert_eq!(local(path), path);
        }
        for path in [
            "",
            "a",
            "//evil",
            "/\\evil",
            "\\/evil",
            "http://evil",
            "/a\nb",
            "/\t/evil",
            "/ä",
            "/ b",
        ] {
            assert_eq!(local(path), "/", "{path}");
        }
        assert_eq!(local(&format!("/{}", "a".repeat(2000))), "/");
    }

    #[test]
    fn what_is_missing() {
        let good = json!({
            "issuer": "https://op.example", "client_id": "app", "client_secret": "s",
            "redirect_uri": "https://a.example/cb", "cookie_secret": "0123456789abcdef",
        });
        let config = Config::read(&good).unwrap();
        assert_eq!((config.scope.as_str(), config.session_s), ("openid", 28_800));
        assert_eq!(config.cookie_name("session"), "__Host-zs_oidc_session");
        for (name, value) in [
            ("issuer", json!("op.example")),
            ("issuer", json!(1)),
            ("client_id", json!("")),
            ("client_secret", json!(["s"])),
            ("redirect_uri", json!("/cb")),
            ("redirect_uri", json!("https://a.example/c b")),
            ("cookie_secret", json!("short")),
            ("session_ttl_secs", json!(59)),
            ("session_ttl_secs", json!("long")),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            assert!(Config::read(&bad).is_err(), "{name}");
        }
        let mut other = good;
        other["scope"] = json!("email openidx");
        assert_eq!(Config::read(&other).unwrap().scope, "openid email openidx");
    }
}
