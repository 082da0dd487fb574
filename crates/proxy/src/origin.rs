//! Where an upstream is, and how it is spoken to.

use std::fmt;

use crate::dial::Tls;

/// What is spoken to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1, and over TLS what both sides prefer.
    Any,
    /// HTTP/2, on cleartext by prior knowledge, over TLS whatever else is offered.
    Http2,
}

/// Where an upstream listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A name or an address (without brackets), and a port.
    Tcp {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// An upstream: requests to the same one may share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub is_tls: bool,
    /// How, when not in the way that all upstreams have.
    pub tls: Option<Tls>,
    /// What is spoken inside.
    pub protocol: Protocol,
    /// Where it listens.
    pub place: Place,
}

impl Origin {
    /// What Host is for it: without the port, where that is the usual one.
    pub fn authority(&self) -> String {
        let usual = if self.is_tls { 443 } else { 80 };
        match &self.place {
            Place::Unix(_) => "localhost".to_owned(),
            Place::Tcp { host, port } if *port == usual && host.contains(':') => {
                format!("[{host}]")
            }
            Place::Tcp { host, port } if *port == usual => host.clone(),
            place @ Place::Tcp { .. } => place.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.is_tls, self.protocol) {
            (true, Protocol::Any) => "https://",
            (true, Protocol::Http2) => "h2://",
            (false, Protocol::Http2) => "h2c://",
            (false, Protocol::Any) if matches!(self.place, Place::Unix(_)) => "",
            (false, Protocol::Any) => "http://",
        };
        write!(f, "{scheme}{}", self.place)
    }
}

/// What a script names as the place to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One upstream, and what is put before path and query.
    Origin {
        /// The upstream.
        origin: Origin,
        /// Its path, without a slash at the end; mostly empty.
        base: String,
        /// Its query; mostly empty.
        query: String,
    },
    /// A pool of that name.
    Pool(String),
}

/// Why a text names no upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetError(pub &'static str);

const SCHEMES: &str = "it begins with http://, https://, h2://, h2c://, unix: or pool:";

impl Target {
    /// Read `http://HOST[:PORT][/BASE][?QUERY]`, the same with `https`, `h2` (HTTP/2 over TLS) and
    /// `h2c` (HTTP/2 without), `unix:/PATH` or `pool:NAME`.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if let Some(name) = text.strip_prefix("pool:") {
            return match name {
                "" => Err(TargetError("a pool has a name")),
                _ => Ok(Self::Pool(name.to_owned())),
            };
        }
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') || path.len() < 2 {
                return Err(TargetError("the path of a Unix socket begins with a slash"));
            }
            let place = Place::Unix(path.to_owned());
            let origin = Origin { is_tls: false, tls: None, protocol: Protocol::Any, place };
            return Ok(Self::Origin { origin, base: String::new(), query: String::new() });
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(TargetError(SCHEMES));
        };
        let (is_tls, protocol, default_port) = match scheme {
            "http" => (false, Protocol::Any, 80),
            "https" => (true, Protocol::Any, 443),
            "h2" => (true, Protocol::Http2, 443),
            "h2c" => (false, Protocol::Http2, 80),
            _ => return Err(TargetError(SCHEMES)),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, rest) = inner
                    .split_once(']')
                    .ok_or(TargetError("an address has no closing bracket"))?;
                (host, rest.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            None | Some("") => default_port,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(TargetError("the port is no number from 1 to 65535")),
                Ok(port) => port,
            },
        };
        if host.is_empty() || host.contains(['@', '[', ']', ' ']) {
            return Err(TargetError("it has no host"));
        }
        let place = Place::Tcp { host: host.to_ascii_lowercase(), port };
        let origin = Origin { is_tls, tls: None, protocol, place };
        let base = path.trim_end_matches('/').to_owned();
        Ok(Self::Origin { origin, base, query: query.to_owned() })
    }
}
