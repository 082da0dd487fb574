//! Requests that scripts make to other servers: what they ask, and what they were told.
//!
//! The driver does the asking, as it does all waiting; whether a script may ask that server at all
//! is its decision, too.

use crate::fields::Fields;
use crate::limits::{MAX_FETCHES, MAX_URI_BYTES};
use crate::words::{is_field_name, is_framing, is_method, is_response_field};

/// A request of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// Its method.
    pub method: String,
    /// `http://HOST[:PORT][/PATH][?QUERY]`, the same with `https`, or `pool:NAME[/PATH][?QUERY]`.
    pub url: String,
    /// Header fields, all of them valid.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Its body, perhaps empty.
    pub body: Vec<u8>,
    /// How long all of it may take.
    pub timeout_ms: u64,
}

/// What a server answered.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// The header fields, without those of framing.
    pub fields: Fields,
    /// All of the body.
    pub body: Vec<u8>,
}

/// Why there is no answer, in words for the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// Scripts may not ask that server.
    Forbidden(String),
    /// It took too long.
    TimedOut(String),
    /// Anything else.
    Failed(String),
}

/// The requests that the scripts of one request make.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    is_used: bool,
    /// How many there were.
    count: usize,
    /// What became of the one that the driver was asked to make.
    result: Option<Box<Result<Fetched, FetchError>>>,
    /// Handle n is the one at n-1.
    held: Vec<Held>,
}

/// What a handle names.
#[derive(Debug)]
struct Held {
    /// How deep in calls the script is that may see it.
    depth: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Asking(FetchRequest),
    Told(Fetched),
    Gone,
}

impl Fetches {
    /// Whether a script has asked for anything: seldom, and the others are not to pay for it.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.is_used
    }

    /// A request begins.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Another script begins, which knows no handle of the last one.
    pub(crate) fn restart(&mut self) {
        self.held = Vec::new();
        self.result = None;
    }

    /// A script that was called has ended: what it had is gone.
    pub(crate) fn leave(&mut self, depth: usize) {
        self.held.retain(|held| held.depth <= depth);
    }

    /// Count another request, if there may be one.
    pub(crate) fn begin(&mut self) -> bool {
        self.is_used = true;
        self.count += 1;
        self.count <= MAX_FETCHES
    }

    fn hold(&mut self, depth: usize, what: What) -> u64 {
        self.is_used = true;
        self.held.push(Held { depth, what });
        self.held.len() as u64
    }

    fn held(&mut self, depth: usize, handle: u64) -> Option<&mut What> {
        let index = usize::try_from(handle).ok()?.checked_sub(1)?;
        let held = self.held.get_mut(index).filter(|held| held.depth == depth)?;
        Some(&mut held.what)
    }

    /// A handle of a request that is being made.
    pub(crate) fn ask(&mut self, depth: usize, request: FetchRequest) -> u64 {
        self.hold(depth, What::Asking(request))
    }

    /// A request that is being made.
    pub(crate) fn asking(&mut self, depth: usize, handle: u64) -> Option<&mut FetchRequest> {
        match self.held(depth, handle)? {
            What::Asking(request) => Some(request),
            What::Told(_) | What::Gone => None,
        }
    }

    /// The same to send it, which is done but once.
    pub(crate) fn take(&mut self, depth: usize, handle: u64) -> Option<FetchRequest> {
        let what = self.held(depth, handle).filter(|what| matches!(what, What::Asking(_)))?;
        match std::mem::replace(what, What::Gone) {
            What::Asking(request) => Some(request),
            What::Told(_) | What::Gone => None,
        }
    }

    /// Say what became of the request.
    pub(crate) fn set(&mut self, result: Result<Fetched, FetchError>) {
        self.is_used = true;
        self.result = Some(Box::new(result));
    }

    /// The same, once.
    pub(crate) fn take_result(&mut self) -> Option<Result<Fetched, FetchError>> {
        self.result.take().map(|result| *result)
    }

    /// The same as a handle of the answer.
    pub(crate) fn finish(&mut self, depth: usize) -> Option<Result<u64, FetchError>> {
        let result = *self.result.take()?;
        Some(result.map(|fetched| self.hold(depth, What::Told(fetched))))
    }

    /// An answer.
    pub(crate) fn told(&self, depth: usize, handle: u64) -> Option<&Fetched> {
        let index = usize::try_from(handle).ok()?.checked_sub(1)?;
        match &self.held.get(index).filter(|held| held.depth == depth)?.what {
            What::Told(fetched) => Some(fetched),
            What::Asking(_) | What::Gone => None,
        }
    }
}

/// Whether a script may ask with this method: a tunnel is no request.
pub(crate) fn may_ask_with(method: &str) -> bool {
    is_method(method) && method != "CONNECT"
}

/// Whether a script may give a request that it makes a field of this name.
pub(crate) fn may_be_asked(name: &str) -> bool {
    const OWN: [&str; 4] = ["host", "via", "expect", "trailer"];
    is_field_name(name)
        && is_response_field(name)
        && !is_framing(name)
        && !OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Whether it can be the URL of a request that a script makes.
pub(crate) fn is_fetchable(url: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let (rest, is_pool) = match url.strip_prefix("http://").or(url.strip_prefix("https://")) {
        Some(rest) => (rest, false),
        None => match url.strip_prefix("pool:") {
            Some(rest) => (rest, true),
            None => return false,
        },
    };
    let host = rest.split(['/', '?']).next().unwrap_or("");
    url.len() <= MAX_URI_BYTES
        && !host.is_empty()
        && !host.contains('@')
        && (!is_pool || host.bytes().all(plain))
        && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_asked() {
        for (url, valid) in [
            ("http://a.example", true),
            ("https://a.example:8443/b?c=d", true),
            ("http://[::1]:80/", true),
            ("pool:auth", true),
            ("pool:auth/verify?x", true),
            ("pool:", false),
            ("pool:/x", false),
            ("pool:a b", false),
            ("h2://a.example", false),
            ("unix:/run/x", false),
            ("http://", false),
            ("http:///x", false),
            ("http://u@a.example/", false),
            ("http://a.example/#x", false),
            ("http://a.example/\r\nX: y", false),
            ("ftp://a.example", false),
        ] {
            assert_eq!(is_fetchable(url), valid, "{url}");
        }
        assert!(!is_fetchable(&format!("http://a/{}", "b".repeat(MAX_URI_BYTES))));
        assert!(may_ask_with("GET") && !may_ask_with("CONNECT") && !may_ask_with("A B"));
        for name in ["Host", "Content-Length", "connection", "VIA", "te", "a b", "Expect"] {
            assert!(!may_be_asked(name), "{name}");
        }
        assert!(may_be_asked("Authorization") && may_be_asked("X-Forwarded-For"));
    }

    #[test]
    fn handles_are_of_who_made_them() {
        let mut fetches = Fetches::default();
        let outer = fetches.ask(0, FetchRequest::default());
        let inner = fetches.ask(1, FetchRequest::default());
        assert!(fetches.asking(1, outer).is_none() && fetches.asking(0, inner).is_none());
        fetches.leave(0);
        assert!(fetches.asking(1, inner).is_none());
        assert!(fetches.take(0, outer).is_some() && fetches.take(0, outer).is_none());
        assert!(fetches.finish(0).is_none());
        fetches.set(Ok(Fetched { status: 204, ..Fetched::default() }));
        let told = fetches.finish(0).unwrap().unwrap();
        assert_eq!(fetches.told(0, told).unwrap().status, 204);
        assert!(fetches.told(1, told).is_none() && fetches.told(0, outer).is_none());
        assert!((0..MAX_FETCHES).all(|_| fetches.begin()) && !fetches.begin());
        fetches.clear();
        assert!(fetches.begin() && fetches.told(0, told).is_none());
    }
}
