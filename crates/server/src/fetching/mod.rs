//! Requests that scripts make: who may be asked, and how they are sent.
//!
//! A name of the public Internet is asked over connections of its own, whose addresses were looked
//! at: one that a proxied request made to the operator's network is never used for it.

mod rules;

use std::cell::{Cell, OnceCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use zeroserve_host::limits::MAX_FETCH_BODY_BYTES;
use zeroserve_host::{Exchange, FetchError, FetchRequest, Fetched, Fields};
use zeroserve_http::body::Framing;
use zeroserve_proxy::{
    Asked, Cause, Failure, Gathered, Outgoing, Passage, Phase, Place, Target, Timeouts, gather,
    line,
};

use crate::inquiry::Waiting;
use crate::notice::Notices;
use crate::passing::{self, Upstreams};
use crate::site::Generation;
use crate::worker::Worker;
pub use rules::{FetchRules, Reach};

/// Requests that the scripts of one worker may have under way at a time.
const MAX_RUNNING: usize = 256;

/// Fields that say nothing of the connection and are ours.
const USER_AGENT: &str = concat!("zeroserve/", env!("CARGO_PKG_VERSION"));

/// Failures by script, server and phase, one line each in a while.
static FAILURES: LazyLock<Notices<(String, String, &'static str)>> =
    LazyLock::new(Notices::default);

/// What came of a request.
pub(crate) type Outcome = Result<Fetched, FetchError>;

/// A request under way.
pub(crate) type Fetching = Pin<Box<dyn Future<Output = Outcome>>>;

/// What a worker keeps for them.
#[derive(Debug, Default)]
pub struct Fetches {
    /// For the public Internet; made for the first of them.
    guarded: OnceCell<Upstreams>,
    running: Rc<Cell<usize>>,
}

impl Fetches {
    fn guarded(&self, upstreams: &Upstreams) -> Upstreams {
        Rc::clone(self.guarded.get_or_init(|| Rc::new(upstreams.guarded())))
    }

    /// Whether there are idle connections.
    pub fn has_idle(&self) -> bool {
        self.guarded.get().is_some_and(|upstreams| upstreams.has_idle())
    }

    /// A second has passed.
    pub fn sweep(&self, now: u64) {
        if let Some(upstreams) = self.guarded.get() {
            upstreams.sweep(now);
        }
    }
}

/// One of those that are under way.
struct Slot(Rc<Cell<usize>>);

impl Slot {
    fn take(running: &Rc<Cell<usize>>) -> Option<Self> {
        let free = running.get() < MAX_RUNNING;
        free.then(|| {
            running.set(running.get() + 1);
            Self(Rc::clone(running))
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Begin a request of the script that the exchange is at; it holds `waiting` meanwhile.
pub(crate) fn start(
    worker: &Worker,
    generation: &Generation,
    exchange: &Exchange,
    request: FetchRequest,
    waiting: Option<Waiting>,
) -> Fetching {
    let script = exchange.script().to_owned();
    match prepare(worker, generation, exchange, &request, waiting.is_some()) {
        Err(refusal) => {
            let (name, why) = (refusal.name, refusal.why);
            let message = format!("script {script}: {name} was not asked: {why}");
            FAILURES.warn((script, name.clone(), "refused"), &message);
            let error = match refusal.is_forbidden {
                true => FetchError::Forbidden(format!("{name}: {why}")),
                false => FetchError::Failed(format!("no answer of {name}")),
            };
            Box::pin(std::future::ready(Err(error)))
        }
        Ok((passage, name, place)) => Box::pin(async move {
            let time = Duration::from_millis(request.timeout_ms);
            let asked = gather(passage, MAX_FETCH_BODY_BYTES);
            let gathered = tokio::time::timeout(time, asked).await;
            drop((waiting, place));
            let late = || Err(Failure::new(Phase::Head, Cause::TimedOut));
            match gathered.unwrap_or_else(|_| late()) {
                Ok(gathered) => Ok(fetched(gathered)),
                Err(failure) => Err(tell(script, name, &failure)),
            }
        }),
    }
}

/// What a script is told of an answer.
fn fetched(gathered: Gathered) -> Fetched {
    let Gathered { head, body } = gathered;
    let mut fields = Fields::default();
    for field in head.fields.split(|byte| *byte == b'\n') {
        let Some(at) = field.iter().position(|byte| *byte == b':') else { continue };
        if let Ok(name) = std::str::from_utf8(&field[..at]) {
            fields.push(name, field[at + 1..].trim_ascii());
        }
    }
    Fetched { status: head.status, fields, body }
}

/// Tell the operator why there is no answer; the script hears less.
fn tell(script: String, name: String, failure: &Failure) -> FetchError {
    let message = format!("script {script}: no answer of {name}: {failure}");
    FAILURES.warn((script, name.clone(), failure.phase.name()), &message);
    match failure.cause {
        Cause::TimedOut => FetchError::TimedOut(format!("no answer of {name} in time")),
        Cause::Private(_) => FetchError::Forbidden(format!("{name}: not a public address")),
        _ => FetchError::Failed(format!("no answer of {name}")),
    }
}

/// Why a request is not sent.
struct Refusal {
    name: String,
    why: &'static str,
    is_forbidden: bool,
}

/// Decide whether the request may be made, and make it.
fn prepare(
    worker: &Worker,
    generation: &Generation,
    exchange: &Exchange,
    request: &FetchRequest,
    may_wait: bool,
) -> Result<(Passage, String, Slot), Refusal> {
    let refused =
        |name: &str, why, is_forbidden| Refusal { name: name.to_owned(), why, is_forbidden };
    let (url, sites) = (request.url.as_str(), worker.views.sites());
    let rules = sites.fetch();
    let unlisted = "it is not in the list of [fetch]";
    let place = Slot::take(&worker.fetches.running).filter(|_| may_wait);
    let busy = |name: &str| refused(name, "too many requests of scripts are under way", false);
    if let Some(rest) = url.strip_prefix("pool:") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (name, target) = rest.split_at(end);
        let asked = format!("pool:{name}");
        if !rules.has_pool(name) {
            return Err(refused(&asked, unlisted, true));
        }
        let pool = sites.pools().get(name).cloned();
        let pool = pool.ok_or_else(|| refused(&asked, "there is no such pool", false))?;
        let outgoing = write(exchange, request, &rooted(target), name);
        let outgoing = outgoing.map_err(|why| refused(&asked, why, false))?;
        let place = place.ok_or_else(|| busy(&asked))?;
        let mut passage = Passage::in_pool(&worker.upstreams, pool, None, outgoing);
        upload(&mut passage, request);
        return Ok((passage, asked, place));
    }
    let invalid = |why| refused(&url.escape_debug().to_string(), why, false);
    // A query without a path is one of the root.
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let (base, target) = url.split_at(end);
    let Ok(Target::Origin { origin, .. }) = Target::parse(base) else {
        return Err(invalid("it is not a URL"));
    };
    let name = origin.to_string();
    let Place::Tcp { host, port } = &origin.place else { return Err(invalid("it is not a URL")) };
    let reach = rules.reach(host, *port, origin.is_tls);
    let reach = reach.or_else(|| generation.fetch.reach(host, *port, origin.is_tls));
    let reach = reach.ok_or_else(|| refused(&name, unlisted, true))?;
    let upstreams = match reach {
        Reach::Any => Rc::clone(&worker.upstreams),
        Reach::Public => worker.fetches.guarded(&worker.upstreams),
    };
    let outgoing = write(exchange, request, &rooted(target), &origin.authority());
    let outgoing = outgoing.map_err(|why| refused(&name, why, false))?;
    let place = place.ok_or_else(|| busy(&name))?;
    let route = upstreams.route(base).map_err(|error| refused(&name, error.0, false))?;
    let seconds = request.timeout_ms.div_ceil(1000);
    let timeouts =
        Timeouts { connect_s: seconds, first_byte_s: seconds, idle_s: seconds, tunnel_s: seconds };
    let mut passage = Passage::new(&upstreams, route, outgoing, timeouts);
    upload(&mut passage, request);
    Ok((passage, name, place))
}

fn rooted(target: &str) -> String {
    if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
}

fn upload(passage: &mut Passage, request: &FetchRequest) {
    if !request.body.is_empty() {
        passage.upload(&request.body);
        passage.end_upload(b"");
    }
}

/// The request as a server gets it; the error says why it is not sent.
fn write(
    exchange: &Exchange,
    request: &FetchRequest,
    target: &str,
    authority: &str,
) -> Result<Outgoing, &'static str> {
    let FetchRequest { method, fields, body, .. } = request;
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: ").into_bytes();
    let start = head.len();
    head.extend_from_slice(authority.as_bytes());
    let host = start..head.len();
    head.extend_from_slice(b"\r\n");
    let has = |name: &str| fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    if !has("user-agent") {
        line(&mut head, "User-Agent", USER_AGENT.as_bytes());
    }
    if !has("accept") {
        line(&mut head, "Accept", b"*/*");
    }
    for (name, value) in fields {
        line(&mut head, name, value);
    }
    // What comes back to this server by it shows that it does.
    let via: Vec<&[u8]> = exchange
        .headers()
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("via"))
        .map(|(_, value)| value)
        .collect();
    passing::write_via(&mut head, &via.join(&b", "[..]), exchange.incoming().version)
        .map_err(|_| "the request comes round and round")?;
    let framing = match body.len() as u64 {
        0 => Framing::None,
        length => Framing::Length(length),
    };
    if !body.is_empty() || matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
        passing::write_length(&mut head, body.len() as u64);
    }
    head.extend_from_slice(b"\r\n");
    let asked = Asked { is_head: method == "HEAD", wants_upgrade: false };
    Ok(Outgoing { head, framing, asked, method_len: method.len(), host })
}
