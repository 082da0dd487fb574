//! A request made into what an upstream gets, and the head of its answer into what the client
//! gets.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, OnceLock};

use zeroserve_host::{Body as ScriptBody, Exchange};
use zeroserve_http::body::Framing;
use zeroserve_http::{Method, Request, status};
use zeroserve_proxy::pools::{HashBy, Policy, Pool, hash_key};
use zeroserve_proxy::{
    Asked, Failure, Head, Outgoing, Passage, Protocol, Route, Timeouts, is_hop_by_hop, line, tokens,
};

use crate::access_log::{Asked as Noted, Line};
use crate::cached::Answering;
use crate::clock::Now;
use crate::inquiry::origin_form;
use crate::notice::Notices;
use crate::peer::Peer;
use crate::pools::Pools;
use crate::worker::Worker;

/// How often a request may come by the same server on its way.
const MAX_ROUNDS: usize = 3;

/// Fields that say who asked whom for what: ours to write.
const FORWARDING: [&str; 5] =
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via"];

/// Failures by upstream and phase, one line each in a while.
static FAILURES: LazyLock<Notices<(String, &'static str)>> = LazyLock::new(Notices::default);

/// A request that is ready to be sent.
pub(crate) struct Prepared {
    to: To,
    /// What a pool chooses by.
    key: Option<u64>,
    pub(crate) outgoing: Outgoing,
    timeouts: Timeouts,
    /// Its body, when somebody has read it.
    content: Option<Vec<u8>>,
}

impl Prepared {
    /// Send it.
    pub(crate) fn start(self, upstreams: &Upstreams) -> Box<Passage> {
        let Self { to, key, outgoing, timeouts, content } = self;
        let mut passage = match to {
            To::Route(route) => Passage::new(upstreams, route, outgoing, timeouts),
            To::Pool(pool) => Passage::in_pool(upstreams, pool, key, outgoing),
        };
        if let Some(content) = content {
            passage.upload(&content);
            passage.end_upload(b"");
        }
        Box::new(passage)
    }

    /// Who would be asked, for the log.
    pub(crate) fn asked(&self) -> String {
        self.to.name()
    }

    /// The same once more.
    pub(crate) fn again(&self) -> Self {
        let Outgoing { ref head, framing, asked, method_len, ref host } = self.outgoing;
        let (head, host) = (head.clone(), host.clone());
        Self {
            to: self.to.clone(),
            key: self.key,
            outgoing: Outgoing { head, framing, asked, method_len, host },
            timeouts: self.timeouts,
            content: self.content.clone(),
        }
    }
}

/// Make a request what the upstream at `url` gets; otherwise the status to answer.
pub(crate) fn prepare(
    worker: &Worker,
    request: &Request<'_, '_>,
    exchange: Option<&Exchange>,
    peer: &Peer,
    pools: &Pools,
    url: &str,
) -> Result<Prepared, u16> {
    let pool = url.strip_prefix("pool:").and_then(|name| worker.views.sites().pool(name, pools));
    let to = match pool {
        Some(pool) => To::Pool(pool),
        None => To::Route(worker.upstreams.route(url).map_err(|error| {
            let why = format!("can't pass requests on to {}: {}", url.escape_debug(), error.0);
            FAILURES.warn((url.to_owned(), "route"), &why);
            502_u16
        })?),
    };
    let body = exchange.as_ref().map(|exchange| exchange.body().clone());
    let (framing, content) = match body {
        None | Some(ScriptBody::Unread) => (request.framing, None),
        // Nobody has it any more.
        Some(ScriptBody::Missing) => return Err(413),
        Some(ScriptBody::Whole(bytes)) if bytes.is_empty() && request.framing == Framing::None => {
            (Framing::None, None)
        }
        Some(ScriptBody::Whole(bytes)) => (Framing::Length(bytes.len() as u64), Some(bytes)),
    };
    let mut writer = Writer {
        head: Vec::with_capacity(512),
        worker,
        request,
        peer,
        framing,
        is_read: content.is_some(),
        is_http2: to.is_http2(),
        host: 0..0,
    };
    let target = match &exchange {
        Some(exchange) => exchange.target(),
        None => origin_form(request),
    };
    let method = match &exchange {
        Some(exchange) => exchange.method(),
        None => request.method.as_str(),
    };
    // Whatever scripts made of it: one line, of three words.
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) || method.is_empty() {
        return Err(500);
    }
    match &to {
        To::Route(route) => writer.start(method, &route.base, target, &route.query),
        To::Pool(_) => writer.start(method, "", target, ""),
    }
    let asked = Asked {
        is_head: method == "HEAD",
        wants_upgrade: match &exchange {
            Some(exchange) => writer.fields(exchange.headers().iter(), true)?,
            None => writer.fields(request.headers(), false)?,
        },
    };
    let Writer { head, host, .. } = writer;
    let outgoing = Outgoing { head, framing, asked, method_len: method.len(), host };
    let key = match &to {
        To::Route(_) => None,
        To::Pool(pool) => match &pool.config().policy {
            Policy::Hash(by) => match &exchange {
                Some(exchange) => key(by, exchange.headers().iter(), peer),
                None => key(by, request.headers(), peer),
            },
            _ => None,
        },
    };
    let limits = &worker.limits;
    let timeouts = Timeouts {
        connect_s: limits.upstream_connect_timeout_s,
        first_byte_s: limits.upstream_first_byte_timeout_s,
        idle_s: limits.upstream_idle_timeout_s,
        tunnel_s: limits.tunnel_timeout_s,
    };
    Ok(Prepared { to, key, outgoing, timeouts, content })
}

/// Who answers.
#[derive(Clone)]
enum To {
    Route(Rc<Route>),
    Pool(Arc<Pool>),
}

impl To {
    /// What it is called in the log.
    fn name(&self) -> String {
        match self {
            Self::Route(route) => route.upstream.origin.to_string(),
            Self::Pool(pool) => format!("pool:{}", pool.config().name),
        }
    }

    fn is_http2(&self) -> bool {
        match self {
            Self::Route(route) => route.upstream.origin.protocol == Protocol::Http2,
            Self::Pool(pool) => {
                let upstreams = &pool.config().upstreams;
                upstreams.iter().any(|one| one.origin.protocol == Protocol::Http2)
            }
        }
    }
}

/// What a pool chooses by; `None` when the request does not have it.
fn key<'f>(
    by: &HashBy,
    mut fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    peer: &Peer,
) -> Option<u64> {
    let value = match by {
        HashBy::Source => Some(peer.ip.as_bytes()),
        HashBy::Header(name) => {
            fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        }
        HashBy::Cookie(name) => fields
            .filter(|(other, _)| other.eq_ignore_ascii_case("cookie"))
            .flat_map(|(_, value)| value.split(|byte| *byte == b';'))
            .find_map(|pair| {
                let at = pair.iter().position(|byte| *byte == b'=')?;
                (pair[..at].trim_ascii() == name.as_bytes()).then_some(&pair[at + 1..])
            }),
    };
    value.map(hash_key)
}

struct Writer<'a, 'h, 'b> {
    head: Vec<u8>,
    worker: &'a Worker,
    request: &'a Request<'h, 'b>,
    peer: &'a Peer,
    framing: Framing,
    /// Whether the client has sent its body already.
    is_read: bool,
    is_http2: bool,
    /// Where the value of Host is.
    host: Range<usize>,
}

impl Writer<'_, '_, '_> {
    fn start(&mut self, method: &str, base: &str, target: &str, query: &str) {
        let head = &mut self.head;
        head.extend_from_slice(method.as_bytes());
        head.push(b' ');
        let (path, own_query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        head.extend_from_slice(base.as_bytes());
        if path != "*" || base.is_empty() {
            head.extend_from_slice(path.as_bytes());
        }
        let own_query = own_query.filter(|own| query.is_empty() || !own.is_empty());
        let parts = [Some(query).filter(|query| !query.is_empty()), own_query];
        let mut separator = b'?';
        for part in parts.into_iter().flatten() {
            head.push(separator);
            head.extend_from_slice(part.as_bytes());
            separator = b'&';
        }
        head.extend_from_slice(b" HTTP/1.1\r\n");
    }

    /// All fields; whether another protocol may follow. `by_script` when scripts had them in hand.
    fn fields<'f>(
        &mut self,
        fields: impl Iterator<Item = (&'f str, &'f [u8])> + Clone,
        by_script: bool,
    ) -> Result<bool, u16> {
        let mut named: Vec<&str> = Vec::new();
        let mut upgrade = None;
        let mut via: Vec<&[u8]> = Vec::new();
        let mut host = None;
        for (name, value) in fields.clone() {
            match name.len() {
                10 if name.eq_ignore_ascii_case("connection") => named.extend(tokens(value)),
                7 if name.eq_ignore_ascii_case("upgrade") => upgrade = Some(value),
                3 if name.eq_ignore_ascii_case("via") => via.push(value),
                4 if name.eq_ignore_ascii_case("host") => host = Some(value),
                _ => {}
            }
        }
        let host = host.unwrap_or(self.request.host);
        let start = self.head.len() + "Host: ".len();
        self.host = start..start + host.len();
        line(&mut self.head, "Host", host);
        for (name, value) in fields.clone() {
            let left_out = is_hop_by_hop(name)
                || is_one_of(&["host", "content-length", "expect"], name)
                || is_one_of(&FORWARDING, name)
                || named.iter().any(|other| name.eq_ignore_ascii_case(other));
            if !left_out {
                line(&mut self.head, name, value);
            }
        }
        self.forwarding(fields, by_script);
        self.via(&via.join(&b", "[..]))?;
        match self.framing {
            // Methods that mean to send something say how much it is (RFC 9110, section 8.6).
            Framing::None
                if matches!(self.request.method, Method::Other(method)
                if matches!(method, "POST" | "PUT" | "PATCH")) =>
            {
                line(&mut self.head, "Content-Length", b"0");
            }
            Framing::None => {}
            Framing::Length(length) => write_length(&mut self.head, length),
            Framing::Chunked => line(&mut self.head, "Transfer-Encoding", b"chunked"),
        }
        if self.request.expects_continue && !self.is_read {
            line(&mut self.head, "Expect", b"100-continue");
        }
        let wants = |name: &str| named.iter().any(|other| other.eq_ignore_ascii_case(name));
        let upgrade = upgrade.filter(|protocol| {
            wants("upgrade")
                && self.request.version() == (1, 1)
                && self.framing == Framing::None
                && !self.is_http2
                && may_follow(protocol)
        });
        if let Some(protocol) = upgrade {
            self.head.extend_from_slice(b"Connection: upgrade\r\n");
            line(&mut self.head, "Upgrade", protocol);
        }
        if self.is_http2 {
            self.head.extend_from_slice(b"TE: trailers\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
        Ok(upgrade.is_some())
    }

    /// For whom the request is. What the client says of that is kept when it is a proxy that is
    /// trusted, or when a script wrote it.
    fn forwarding<'f>(
        &mut self,
        fields: impl Iterator<Item = (&'f str, &'f [u8])> + Clone,
        by_script: bool,
    ) {
        let trusted = self.worker.trusts(&self.peer.ip);
        let sent = |name: &str, value: &[u8]| {
            let mut sent = self.request.headers();
            sent.any(|(other, v)| other.eq_ignore_ascii_case(name) && v == value)
        };
        // A script's word, or that of a proxy.
        let kept = |name: &str| {
            let own = fields.clone().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            let own: Vec<&[u8]> = own.map(|(_, value)| value).collect();
            let is_sent = !by_script || own.iter().all(|value| sent(name, value));
            (!own.is_empty() && (trusted || !is_sent)).then(|| (own.join(&b", "[..]), is_sent))
        };
        let ip = &self.peer.ip;
        let client: &str = if self.peer.address.is_empty() { "" } else { ip };
        let head = &mut self.head;
        match kept("x-forwarded-for") {
            Some((value, true)) if !client.is_empty() => {
                line(head, "X-Forwarded-For", &[&value[..], b", ", client.as_bytes()].concat());
            }
            Some((value, _)) => line(head, "X-Forwarded-For", &value),
            None if !client.is_empty() => line(head, "X-Forwarded-For", client.as_bytes()),
            None => {}
        }
        let proto = kept("x-forwarded-proto").map(|(value, _)| value);
        line(head, "X-Forwarded-Proto", proto.as_deref().unwrap_or(self.peer.scheme().as_bytes()));
        let host = kept("x-forwarded-host").map(|(value, _)| value);
        line(head, "X-Forwarded-Host", host.as_deref().unwrap_or(self.request.host));
        let mut element = Vec::with_capacity(64);
        match kept("forwarded") {
            Some((value, false)) => element.extend_from_slice(&value),
            before => {
                if let Some((value, _)) = before {
                    element.extend_from_slice(&value);
                    element.extend_from_slice(b", ");
                }
                element.extend_from_slice(b"for=");
                node(&mut element, client);
                element.extend_from_slice(b";host=\"");
                let host = self.request.host;
                element.extend(host.iter().filter(|byte| !matches!(byte, b'"' | b'\\')));
                element.extend_from_slice(b"\";proto=");
                element.extend_from_slice(self.peer.scheme().as_bytes());
            }
        }
        line(head, "Forwarded", &element);
    }

    /// By whom it came (RFC 9110, section 7.6.3), which shows when it comes round and round.
    fn via(&mut self, via: &[u8]) -> Result<(), u16> {
        write_via(&mut self.head, via, self.request.version())
    }
}

/// Write by whom a request came, and that it came by this server; the error is the status for one
/// that came by it too often.
pub(crate) fn write_via(head: &mut Vec<u8>, via: &[u8], version: (u8, u8)) -> Result<(), u16> {
    let name = own_name();
    let (major, minor) = version;
    head.extend_from_slice(b"Via: ");
    if !via.is_empty() {
        let rounds = tokens(via).filter(|member| member.ends_with(name)).count();
        if rounds >= MAX_ROUNDS {
            return Err(508);
        }
        head.extend_from_slice(via);
        head.extend_from_slice(b", ");
    }
    let version = if major == 1 { format!("1.{minor}") } else { major.to_string() };
    head.extend_from_slice(version.as_bytes());
    head.push(b' ');
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b"\r\n");
    Ok(())
}

/// Who asked, as RFC 7239 writes it (section 6).
fn node(out: &mut Vec<u8>, ip: &str) {
    match ip.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => out.extend_from_slice(ip.as_bytes()),
        Ok(IpAddr::V6(_)) => out.extend_from_slice(format!("\"[{ip}]\"").as_bytes()),
        Err(_) => out.extend_from_slice(b"unknown"),
    }
}

/// What this process calls itself towards upstreams: others of its kind have other names.
fn own_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let number = getrandom::u32().unwrap_or_default();
        format!("zeroserve-{number:08x}")
    })
}

/// Whether a protocol may be spoken through a tunnel. HTTP/2 would bring requests that nobody has
/// looked at.
fn may_follow(protocol: &[u8]) -> bool {
    let is_http = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("h2") || name.starts_with("http") || name.starts_with("tls")
    };
    let mut names = tokens(protocol).peekable();
    names.peek().is_some() && !names.any(is_http)
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// Tell the operator why an upstream gave no answer.
pub(crate) fn tell(name: String, failure: &Failure) {
    let message = format!("no answer of {name}: {failure}");
    FAILURES.warn((name, failure.phase.name()), &message);
}

/// Note in a line of the access log who is asked.
pub(crate) fn note(line: &mut Option<Line>, worker: &Worker, passage: &Answering) {
    if let Some(line) = line {
        line.upstream = Some(Box::new(Noted {
            upstream: passage.asked(),
            since: worker.clock.precise(),
            until: None,
            error: None,
        }));
    }
}

/// Note that the head of the answer is there.
pub(crate) fn note_head(line: &mut Option<Line>, worker: &Worker, passage: &Answering) {
    if let Some(asked) = line.as_mut().and_then(|line| line.upstream.as_mut()) {
        asked.until = Some(worker.clock.precise());
        // A pool may have asked others before.
        if passage.is_of_pool() {
            asked.upstream = passage.asked();
        }
    }
}

/// Note that an answer is not all there, and tell the operator.
pub(crate) fn note_failure(line: &mut Option<Line>, passage: &Answering, failure: &Failure) {
    tell(passage.name(), failure);
    if let Some(asked) = line.as_mut().and_then(|line| line.upstream.as_mut()) {
        asked.error = Some(failure.to_string());
        asked.upstream = passage.asked();
    }
}

/// Write an upstream's head as this server does: the start line, Date, fields, no framing.
pub(crate) fn write_head(out: &mut Vec<u8>, head: &Head, now: Now) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(head.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(status::reason(head.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    if !head.has_date {
        out.extend_from_slice(b"Date: ");
        out.extend_from_slice(&now.date);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(&head.fields);
}

/// The head of an interim response, complete.
pub(crate) fn write_interim(out: &mut Vec<u8>, head: &Head) {
    let mut text = String::new();
    let _ = write!(text, "HTTP/1.1 {} {}\r\n", head.status, status::reason(head.status));
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&head.fields);
    out.extend_from_slice(b"\r\n");
}

/// Append the field that says how long a body is.
pub(crate) fn write_length(out: &mut Vec<u8>, length: u64) {
    line(out, "Content-Length", itoa::Buffer::new().format(length).as_bytes());
}

/// Trailer fields that may be passed on: none that say anything about framing, routing or who
/// asks (RFC 9110, section 6.5.1).
pub(crate) fn trailers(lines: &[u8]) -> Vec<u8> {
    const FORBIDDEN: [&str; 8] = [
        "content-length",
        "host",
        "trailer",
        "authorization",
        "cookie",
        "set-cookie",
        "expect",
        "content-encoding",
    ];
    let mut kept = Vec::new();
    for field in lines.split_inclusive(|byte| *byte == b'\n') {
        let name = field.split(|byte| *byte == b':').next().unwrap_or_default();
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if !is_hop_by_hop(name) && !is_one_of(&FORBIDDEN, name) && !is_one_of(&FORWARDING, name) {
            kept.extend_from_slice(field);
        }
    }
    kept
}

/// What the rest of a request needs to know of its head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Whether the client's method is HEAD.
    pub(crate) is_head: bool,
    pub(crate) minor_version: u8,
    pub(crate) keep_alive: bool,
}

impl Kind {
    pub(crate) fn of(request: &Request<'_, '_>) -> Self {
        Self {
            is_head: request.method == Method::Head,
            minor_version: request.minor_version,
            keep_alive: request.keep_alive,
        }
    }
}

/// A worker's upstreams.
pub(crate) type Upstreams = Rc<zeroserve_proxy::Upstreams>;
