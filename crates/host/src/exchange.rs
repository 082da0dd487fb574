//! The state of one request, which its scripts share one after another.
//!
//! There is one for every request that a script sees, so it is made to be used again: its
//! buffers keep their memory, and beginning a request allocates nothing in the long run.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound;

use serde_json::Value;
use zeroserve_http::path::resolve;

use crate::fetch::{FetchError, Fetched, Fetches};
use crate::fields::Fields;
use crate::guest::NONE;
use crate::handles::Handles;
use crate::limits::{MAX_REQUEST_BODY_BYTES, MAX_URI_BYTES};
use crate::oidc::Login;
use crate::python::{State, pairs};

/// Where metadata for response headers is kept.
pub(crate) const RESPONSE_HEADER: &str = "zs.response.header.";

/// A request as it arrived; its header fields go beside it.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Its method.
    pub method: &'a str,
    /// Path and query as the client sent them.
    pub target: &'a str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Address and port of who connected; empty for a Unix socket.
    pub peer: &'a str,
    /// Major and minor version of HTTP.
    pub version: (u8, u8),
    /// What is known of an encrypted connection.
    pub tls: Option<Tls<'a>>,
}

/// What is known of an encrypted connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tls<'a> {
    /// Whether the request came after the handshake, not with it.
    pub handshake_complete: bool,
    /// Protocol that was agreed on.
    pub alpn: Option<&'a str>,
    /// Name that the client asked for, encrypted if it could be.
    pub sni_inner: Option<&'a str>,
    /// Name that anybody could read.
    pub sni_outer: Option<&'a str>,
    /// Whether an Encrypted Client Hello was accepted, if there was one.
    pub ech: Option<bool>,
    /// JA4 fingerprint of the client.
    pub ja4: Option<&'a str>,
}

/// What a script has decided to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With a status and a body.
    Respond {
        /// From 200 to 599.
        status: u16,
        /// Perhaps empty.
        body: Vec<u8>,
        /// Its type, unless `content-type` is among [`Exchange::answer_fields`] or
        /// [`Exchange::response_headers`]; empty for none.
        content_type: &'static str,
    },
    /// With what an upstream says.
    ReverseProxy {
        /// Its address, `http` or `https`, and a base path.
        url: String,
        /// Whether what it says may be kept for others, and what was kept may be used.
        cache: bool,
    },
    /// With a file of the site.
    File {
        /// Its path, decoded and normalised, without the leading slash.
        path: Vec<u8>,
        /// With 200 it is looked up as requests for it are; otherwise it is a page under that
        /// status.
        status: u16,
    },
    /// With what lies in a directory of the site.
    Listing {
        /// Its path, as that of a file, with its slash or without.
        path: Vec<u8>,
        /// Whether for programs.
        as_json: bool,
    },
    /// Not at all.
    Abort,
}

/// A function to run on the response.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// Whose.
    pub script: String,
    /// The function `zeroserve.call.<function>`.
    pub function: String,
    /// What it is given; see [`Exchange::adopt`].
    pub input: Value,
}

/// The request body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// It was not read.
    #[default]
    Unread,
    /// All of it.
    Whole(Vec<u8>),
    /// It is longer than the limit, or did not arrive.
    Missing,
}

/// What became of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is that of the hash.
    Right,
    /// It is another.
    Wrong,
    /// Nobody had the time to look.
    Busy,
}

/// The response, while hooks run on it.
#[derive(Debug, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: Fields,
    /// The file of the site that replaces its content: a path as that of [`Answer::File`].
    pub file: Option<Vec<u8>>,
    /// What went wrong with an upstream that gave no answer.
    pub upstream_error: Option<&'static str>,
}

/// The state of one request.
#[derive(Debug)]
pub struct Exchange {
    pub(crate) request: Request,
    pub(crate) tls: TlsText,
    pub(crate) body: Body,
    pub(crate) body_limit: u64,
    /// The same for a body that goes to an upstream.
    upload_limit: u64,
    /// What became of the password that a helper waits for.
    verdict: Option<Verification>,
    /// The client's address where that is not the peer's.
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) meta: BTreeMap<String, String>,
    pub(crate) meta_bytes: usize,
    pub(crate) answer: Option<Answer>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) handles: Handles,
    pub(crate) log_lines: usize,
    pub(crate) raised: Raised,
    /// Values and responses of compiled Python.
    pub(crate) python: State,
    /// What scripts ask other servers.
    pub(crate) fetches: Fetches,
    /// A login while its script waits.
    pub(crate) login: Box<Login>,
    response: Response,
    in_hook: bool,
    /// Names of the scripts that are being called, the running one last.
    scripts: Vec<String>,
}

/// The exception that a helper for compiled Python reported last.
#[derive(Debug, Default)]
pub(crate) struct Raised {
    /// Its number, or 0.
    pub(crate) kind: u64,
    /// What CPython would say.
    pub(crate) message: String,
}

/// The request as scripts see it.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) scheme: &'static str,
    pub(crate) peer: String,
    pub(crate) version: (u8, u8),
    pub(crate) headers: Fields,
    pub(crate) method_changed: bool,
    pub(crate) target_changed: bool,
}

/// A copy of [`Tls`]; what is not known is empty.
#[derive(Debug, Default)]
pub(crate) struct TlsText {
    /// Whether the connection is encrypted; nothing else counts if it is not.
    pub(crate) is_there: bool,
    pub(crate) handshake_complete: bool,
    pub(crate) ech: Option<bool>,
    pub(crate) alpn: String,
    pub(crate) sni_inner: String,
    pub(crate) sni_outer: String,
    pub(crate) ja4: String,
}

impl Request {
    /// Path and query of the target.
    pub(crate) fn parts(&self) -> (&str, &str) {
        match memchr::memchr(b'?', self.target.as_bytes()) {
            Some(at) => (&self.target[..at], &self.target[at + 1..]),
            None => (&self.target, ""),
        }
    }

    /// Address of who connected, IPv4 as such.
    pub(crate) fn peer_ip(&self) -> Option<IpAddr> {
        let (address, _) = self.peer.rsplit_once(':')?;
        let address =
            address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
        address.parse().ok().map(|address: IpAddr| address.to_canonical())
    }
}

fn copy(to: &mut String, from: &str) {
    // What one long request took is not kept for all the short ones.
    if to.capacity() > MAX_URI_BYTES {
        *to = String::new();
    }
    to.clear();
    to.push_str(from);
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            request: Request::default(),
            tls: TlsText::default(),
            body: Body::Unread,
            body_limit: MAX_REQUEST_BODY_BYTES,
            upload_limit: u64::MAX,
            client_ip: None,
            verdict: None,
            meta: BTreeMap::new(),
            meta_bytes: 0,
            answer: None,
            hooks: Vec::new(),
            handles: Handles::default(),
            log_lines: 0,
            raised: Raised::default(),
            python: State::default(),
            fetches: Fetches::default(),
            login: Box::default(),
            response: Response::default(),
            in_hook: false,
            scripts: Vec::new(),
        }
    }
}

/// For the driver: a request begins.
impl Exchange {
    /// Begin a request; nothing of the last one remains.
    pub fn begin<'a>(
        &mut self,
        incoming: &Incoming<'a>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        self.clear();
        let request = &mut self.request;
        copy(&mut request.method, incoming.method);
        copy(&mut request.target, incoming.target);
        request.scheme = incoming.scheme;
        copy(&mut request.peer, incoming.peer);
        request.version = incoming.version;
        for (name, value) in headers {
            request.headers.push(name, value);
        }
        if let Some(tls) = &incoming.tls {
            self.tls.is_there = true;
            self.tls.handshake_complete = tls.handshake_complete;
            self.tls.ech = tls.ech;
            copy(&mut self.tls.alpn, tls.alpn.unwrap_or_default());
            copy(&mut self.tls.sni_inner, tls.sni_inner.unwrap_or_default());
            copy(&mut self.tls.sni_outer, tls.sni_outer.unwrap_or_default());
            copy(&mut self.tls.ja4, tls.ja4.unwrap_or_default());
        }
    }

    /// Forget the request; small buffers stay.
    pub fn clear(&mut self) {
        let request = &mut self.request;
        request.headers.clear();
        request.method_changed = false;
        request.target_changed = false;
        self.tls.is_there = false;
        self.body = Body::Unread;
        self.body_limit = MAX_REQUEST_BODY_BYTES;
        self.upload_limit = u64::MAX;
        self.client_ip = None;
        self.verdict = None;
        self.meta.clear();
        self.meta_bytes = 0;
        self.answer = None;
        self.hooks.clear();
        self.handles.clear();
        self.log_lines = 0;
        self.raised.kind = 0;
        self.python.clear();
        if self.fetches.is_used() {
            self.fetches.clear();
            *self.login = Login::default();
        }
        self.response.headers.clear();
        self.response.file = None;
        self.response.upstream_error = None;
        self.in_hook = false;
        self.scripts.truncate(1);
    }

    /// Say whose request it is, if that is not who connected.
    pub fn set_client_ip(&mut self, ip: IpAddr) {
        self.client_ip = Some(ip);
    }

    /// Say what became of the password of [`crate::Outcome::Password`].
    pub fn set_verdict(&mut self, verdict: Verification) {
        self.verdict = Some(verdict);
    }

    /// The same, once.
    pub(crate) fn take_verdict(&mut self) -> Option<Verification> {
        self.verdict.take()
    }

    /// Bound the body, whoever reads it.
    pub fn limit_body(&mut self, max_bytes: u64) {
        self.body_limit = self.body_limit.min(max_bytes);
        self.upload_limit = self.upload_limit.min(max_bytes);
    }

    /// Most bytes of a body that goes to an upstream.
    pub fn upload_limit(&self) -> u64 {
        self.upload_limit
    }

    /// Say what became of the body that [`crate::Outcome::Body`] asked for.
    pub fn set_body(&mut self, body: Body) {
        self.body = body;
    }

    /// Say what became of the request that [`crate::Outcome::Fetch`] asked for.
    pub fn set_fetched(&mut self, result: Result<Fetched, FetchError>) {
        self.fetches.set(result);
    }
}

/// For the driver: which script runs.
impl Exchange {
    /// Begin an entry function, or a hook: handles of the script before are gone.
    pub fn start(&mut self, script: &str) {
        self.handles.restart();
        self.python.restart();
        if self.fetches.is_used() {
            self.fetches.restart();
            *self.login = Login::default();
        }
        match self.scripts.first_mut() {
            Some(name) => copy(name, script),
            None => self.scripts.push(script.to_owned()),
        }
        self.scripts.truncate(1);
    }

    /// Begin a function that another script calls. The handle of its input, which is its
    /// argument; handles of the caller stay out of sight until [`Exchange::leave`].
    pub fn enter(&mut self, script: &str, input: Value) -> u64 {
        self.handles.enter();
        self.scripts.push(script.to_owned());
        self.adopt(input)
    }

    /// End what [`Exchange::enter`] began. The value that it returned a handle of, if it did.
    pub fn leave(&mut self, returned: u64) -> Option<Value> {
        let value = self.handles.get(returned).cloned();
        self.handles.leave();
        self.fetches.leave(self.handles.depth());
        if self.scripts.len() > 1 {
            self.scripts.pop();
        }
        value
    }

    /// A handle of a value for the script that runs, or -1 if there is no room.
    pub fn adopt(&mut self, value: Value) -> u64 {
        self.handles.insert(value).unwrap_or(NONE)
    }

    /// Name of the script that runs.
    pub fn script(&self) -> &str {
        self.scripts.last().map_or("", String::as_str)
    }

    /// How many scripts wait for one that they called.
    pub fn call_depth(&self) -> usize {
        self.handles.depth()
    }
}

/// For the driver: what the scripts have come to.
impl Exchange {
    /// The answer, if there is one: no further script runs.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// The same, to keep.
    pub fn take_answer(&mut self) -> Option<Answer> {
        self.answer.take()
    }

    /// Take an answer back that could not be made yet.
    pub fn put_answer(&mut self, answer: Answer) {
        self.answer = Some(answer);
    }

    /// Header fields of the answer itself, in order; a name may be there more than once.
    pub fn answer_fields(&self) -> &Fields {
        &self.python.answer
    }

    /// Whether a script changed method, target or headers.
    pub fn request_changed(&self) -> bool {
        self.method_changed() || self.target_changed() || self.request.headers.changed()
    }

    /// Whether a script changed the method.
    pub fn method_changed(&self) -> bool {
        self.request.method_changed
    }

    /// Whether a script changed path or query.
    pub fn target_changed(&self) -> bool {
        self.request.target_changed
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.request.method
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.request.target
    }

    /// The first value of a parameter of the query, decoded; `None` if it is not UTF-8.
    pub fn query_param(&self, name: &str) -> Option<String> {
        let mut pairs = pairs(self.request.parts().1.as_bytes(), true);
        let (_, value) = pairs.find(|(key, _)| key == name.as_bytes())?;
        String::from_utf8(value).ok()
    }

    /// The path that the client sent, decoded and normalised, unless scripts have changed it since.
    pub fn sent_path(&self) -> Option<String> {
        self.normal_path().filter(|_| !self.target_changed())
    }

    /// The path decoded, as it is looked up, with a leading slash; `None` if it is not UTF-8.
    pub fn normal_path(&self) -> Option<String> {
        let path = Some(self.request.parts().0).filter(|path| path.starts_with('/'))?;
        Some(format!("/{}", resolve(path, &mut Vec::new()).ok()??))
    }

    /// The request's header fields.
    pub fn headers(&self) -> &Fields {
        &self.request.headers
    }

    /// Metadata of one key.
    pub fn meta(&self, key: &str) -> Option<&str> {
        self.meta.get(key).map(String::as_str)
    }

    /// Metadata, by key, for [`crate::replace_meta`]: `|key| exchange.meta(key)`. Empty if no
    /// script set any.
    pub fn template_values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.meta.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether a script set metadata that templates may use.
    pub fn has_template_values(&self) -> bool {
        // A map without entries knows that faster than its iterator does.
        !self.meta.is_empty() && self.meta.keys().any(|key| !key.starts_with(RESPONSE_HEADER))
    }

    /// Header fields that scripts gave the response, by name, which is in lower case.
    pub fn response_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let from = (Bound::Included(RESPONSE_HEADER), Bound::Unbounded);
        let from = self.meta.range::<str, _>(from);
        let own = from.map_while(|(key, value)| Some((key.strip_prefix(RESPONSE_HEADER)?, value)));
        own.map(|(name, value)| (name, value.as_str()))
    }

    /// Whether scripts gave the response any header fields.
    pub fn has_response_headers(&self) -> bool {
        !self.meta.is_empty() && self.response_headers().next().is_some()
    }

    /// Whether there are response hooks.
    pub fn has_hooks(&self) -> bool {
        !self.hooks.is_empty()
    }

    /// The response hooks in order; there are none afterwards.
    pub fn take_hooks(&mut self) -> Vec<Hook> {
        std::mem::take(&mut self.hooks)
    }
}

/// For the driver: around response hooks.
impl Exchange {
    /// Say that the response to come stands in for an upstream, and why.
    pub fn set_upstream_error(&mut self, phase: Option<&'static str>) {
        self.response.upstream_error = phase;
    }

    /// Show a response to hooks.
    pub fn begin_response<'a>(
        &mut self,
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        self.in_hook = true;
        self.response.status = status;
        self.response.headers.clear();
        for (name, value) in headers {
            self.response.headers.push(name, value);
        }
    }

    /// The response that hooks see, while they run.
    pub fn response(&self) -> Option<&Response> {
        self.in_hook.then_some(&self.response)
    }

    /// The same, to change.
    pub fn response_mut(&mut self) -> Option<&mut Response> {
        self.in_hook.then_some(&mut self.response)
    }
}
