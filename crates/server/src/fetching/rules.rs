//! Which servers scripts may ask: what `[fetch]` of a configuration file says.

use std::net::IpAddr;

use serde_json::Value;
use zeroserve_proxy::is_public;

/// Most entries of a list.
const MAX_ENTRIES: usize = 256;

/// The list of a file, and how far it reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchRules {
    entries: Vec<Entry>,
    /// Whether a name may stand for an address that is not public.
    private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Host {
        host: Host,
        /// Without one, the usual port of the scheme.
        port: Option<u16>,
    },
    Pool(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    /// All names that end so, with the dot.
    Below(String),
    Address(IpAddr),
}

/// What may be connected to for a host that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public Internet.
    Public,
    /// Whatever it stands for.
    Any,
}

impl FetchRules {
    /// Read `{"allow": [...], "private": BOOL}`; the error says what is wrong.
    pub fn read(value: &Value) -> Result<Self, String> {
        let allow = value.get("allow").and_then(Value::as_array);
        let allow = allow.ok_or("fetch: there is no list")?;
        if allow.len() > MAX_ENTRIES {
            return Err(format!("fetch: {} entries: {MAX_ENTRIES} are allowed", allow.len()));
        }
        let entry = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            Entry::parse(text).ok_or_else(|| format!("fetch: not a host: {}", text.escape_debug()))
        };
        let entries = allow.iter().map(entry).collect::<Result<_, _>>()?;
        let private = value.get("private").and_then(Value::as_bool).unwrap_or(false);
        Ok(Self { entries, private })
    }

    /// What of it a site may say for itself: nothing that lies in the operator's network.
    pub fn of_site(mut self) -> Self {
        self.private = false;
        self.entries.retain(|entry| match entry {
            Entry::Host { host: Host::Address(ip), .. } => is_public(*ip),
            Entry::Host { .. } => true,
            Entry::Pool(_) => false,
        });
        self
    }

    /// How far a request to a host reaches; `None` when it may not be made.
    pub fn reach(&self, host: &str, port: u16, is_tls: bool) -> Option<Reach> {
        let address = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let usual = if is_tls { 443 } else { 80 };
        let found = self.entries.iter().any(|entry| match entry {
            Entry::Pool(_) => false,
            Entry::Host { host: of, port: at } => {
                at.unwrap_or(usual) == port
                    && match (of, address) {
                        (Host::Address(ip), Some(address)) => *ip == address,
                        (Host::Name(name), None) => name == host,
                        (Host::Below(end), None) => {
                            host.len() > end.len() && host.ends_with(end.as_str())
                        }
                        _ => false,
                    }
            }
        });
        // Who writes an address means that address.
        let any = address.is_some() || self.private;
        found.then_some(if any { Reach::Any } else { Reach::Public })
    }

    /// Whether a pool of the process may be asked.
    pub fn has_pool(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Pool(pool) if pool == name))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("pool:") {
            return (!name.is_empty()).then(|| Self::Pool(name.to_owned()));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            None => None,
            Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0)?),
        };
        let host = host.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(plain);
        let host = match (host.parse::<IpAddr>(), host.strip_prefix('*')) {
            (Ok(ip), _) => Host::Address(ip.to_canonical()),
            (Err(_), Some(end)) if end.len() > 1 && end.starts_with('.') && is_name(end) => {
                Host::Below(end.to_owned())
            }
            (Err(_), None) if is_name(&host) => Host::Name(host),
            _ => return None,
        };
        Some(Self::Host { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(allow: &[&str], private: bool) -> FetchRules {
        FetchRules::read(&json!({"allow": allow, "private": private})).unwrap()
    }

    #[test]
    fn who_may_be_asked() {
        let own = rules(
            &[
                "api.example.com",
                "*.example.org",
                "127.0.0.1:9000",
                "[::1]:81",
                "8.8.8.8",
                "a:8080",
            ],
            false,
        );
        for (host, port, is_tls, reach) in [
            ("api.example.com", 443, true, Some(Reach::Public)),
            ("api.example.com", 80, false, Some(Reach::Public)),
            ("api.example.com", 443, false, None),
            ("api.example.com", 8443, true, None),
            ("api.example.com.", 443, true, None),
            ("x.api.example.com", 443, true, None),
            ("example.org", 443, true, None),
            (".example.org", 443, true, None),
            ("a.b.example.org", 443, true, Some(Reach::Public)),
            ("badexample.org", 443, true, None),
            ("127.0.0.1", 9000, false, Some(Reach::Any)),
            ("::ffff:127.0.0.1", 9000, false, Some(Reach::Any)),
            ("127.0.0.1", 80, false, None),
            ("127.1", 9000, false, None),
            ("::1", 81, false, Some(Reach::Any)),
            ("8.8.8.8", 80, false, Some(Reach::Any)),
            ("a", 8080, false, Some(Reach::Public)),
            ("a", 8080, true, Some(Reach::Public)),
            ("a", 80, false, None),
        ] {
            assert_eq!(own.reach(host, port, is_tls), reach, "{host}:{port}");
        }
        let site = own.of_site();
        assert_eq!(site.reach("127.0.0.1", 9000, false), None);
        assert_eq!(site.reach("8.8.8.8", 80, false), Some(Reach::Any));
        assert_eq!(FetchRules::default().reach("a", 80, false), None);
    }

    #[test]
    fn private_names_and_pools_are_the_operators() {
        let own = rules(&["db.internal", "pool:auth"], true);
        assert_eq!(own.reach("db.internal", 80, false), Some(Reach::Any));
        assert!(own.has_pool("auth") && !own.has_pool("other"));
        let site = own.of_site();
        assert_eq!(site.reach("db.internal", 80, false), Some(Reach::Public));
        assert!(!site.has_pool("auth"));
    }

    #[test]
    fn what_is_no_host() {
        for text in [
            "",
            "*",
            "*.",
            "*a.example",
            "a b",
            "a:0",
            "a:b",
            "a:",
            "[::1",
            "[::1]x",
            "pool:",
            "a/b",
        ] {
            assert!(FetchRules::read(&json!({"allow": [text]})).is_err(), "{text}");
        }
        assert!(FetchRules::read(&json!({})).is_err());
        let many = vec!["a"; MAX_ENTRIES + 1];
        assert!(FetchRules::read(&json!({"allow": many})).is_err());
    }
}
