//! Requests whose answers may come from the cache of upstreams.
//!
//! [`look`] answers at once what is there. Everything else becomes an [`Answering`], which is to
//! both front ends what a passage to an upstream is: it asks, or waits for another request that
//! does, keeps what may be kept, and hands out what was kept when that is the better answer.

use std::borrow::Cow;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use zeroserve_host::Exchange;
use zeroserve_http::body::Framing;
use zeroserve_http::{Method, Request};
use zeroserve_proxy::cache::{
    Cache, Coalesce, Fetch, Fields, Hit, Lookup, MAX_WAIT_MS, Note, Query, Recorder, Round,
    Verdict, lines,
};
use zeroserve_proxy::{Failure, Head, Passage, line};

use crate::clock;
use crate::inquiry::origin_form;
use crate::passing::{self, Prepared, Upstreams};
use crate::peer::Peer;
use crate::pipeline::{Answer, Body};
use crate::pools::Pools;
use crate::worker::Worker;

/// Most stored responses that a worker renews at a time without a client; further ones stay stale
/// until the next request.
const MAX_RENEWALS: usize = 64;

/// Time for a renewal without a client. Nobody waits for it, so it may take as long as a slow
/// upstream.
const RENEWAL_TIME: Duration = Duration::from_secs(60);

/// Fields that a request to renew a stored response says otherwise.
const CONDITIONS: [&str; 4] = ["if-none-match", "if-modified-since", "if-range", "range"];

/// What a request that an upstream is to answer comes to.
pub(crate) enum Look {
    /// An answer whose head was appended.
    Answer(Answer),
    /// An upstream has to be asked.
    Pass(Box<Answering>),
    /// This status.
    Fail(u16),
}

/// A request that an upstream is to answer.
pub(crate) struct Asked<'a, 'h, 'b> {
    pub(crate) worker: &'a Worker,
    pub(crate) request: &'a Request<'h, 'b>,
    pub(crate) exchange: Option<&'a Exchange>,
    pub(crate) peer: &'a Peer,
    /// Those that the site has.
    pub(crate) pools: &'a Pools,
    /// Where the upstream is.
    pub(crate) url: &'a str,
}

impl Asked<'_, '_, '_> {
    fn prepare(&self) -> Result<Prepared, u16> {
        let Self { worker, request, exchange, peer, pools, url } = *self;
        passing::prepare(worker, request, exchange, peer, pools, url)
    }

    /// Scheme and host as the upstream hears them of the client. What a proxy in front or a script
    /// says of them is passed on, so answers may depend on it.
    fn public<'s>(&'s self, host: &'s [u8]) -> (&'static str, &'s [u8]) {
        let mut scheme = self.peer.scheme();
        let is_said =
            |exchange: &Exchange| self.worker.trusts(&self.peer.ip) || exchange.request_changed();
        let Some(exchange) = self.exchange.filter(|exchange| is_said(exchange)) else {
            return (scheme, host);
        };
        if let Some(said) = exchange.headers().get("x-forwarded-proto") {
            scheme = if said.eq_ignore_ascii_case(b"https") { "https" } else { "http" };
        }
        (scheme, exchange.headers().get("x-forwarded-host").unwrap_or(host))
    }

    /// Ask without having the answer kept.
    fn plain(&self, note: Option<Note>, changes: Option<Owned>) -> Look {
        match self.prepare() {
            Ok(prepared) => Look::Pass(Box::new(Answering {
                stage: Stage::Asking(prepared.start(&self.worker.upstreams)),
                cached: None,
                note,
                changes: changes.map(Box::new),
            })),
            Err(status) => Look::Fail(status),
        }
    }
}

/// Answer from the cache, when scripts let it, or begin to pass a request on.
pub(crate) fn look(
    asked: &Asked<'_, '_, '_>,
    site: u64,
    may_cache: bool,
    out: &mut Vec<u8>,
) -> Look {
    let Asked { worker, request, exchange, url, .. } = *asked;
    let Some(cache) = &worker.cache else { return asked.plain(None, None) };
    let method = exchange.map_or(request.method.as_str(), |exchange| exchange.method());
    let is_safe = matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
    let known = exchange.filter(|exchange| {
        let upgrades = exchange.headers().get("upgrade").is_some();
        // A client that wants content can't be answered with the head of it.
        let is_safe = method == "GET" || method == "HEAD" && request.method == Method::Head;
        is_safe && may_cache && request.framing == Framing::None && !upgrades
    });
    let host = exchange.and_then(|exchange| exchange.headers().get("host")).unwrap_or(request.host);
    let (scheme, public) = asked.public(host);
    let Some(known) = known else {
        let target = exchange.map_or(origin_form(request), |exchange| exchange.target()).as_bytes();
        let changes = (!is_safe).then(|| {
            let fields = lines(b"");
            let host = public;
            Owned::new(cache, &Query { site, scheme, host, upstream: url, method, target, fields })
        });
        let note = changes.as_ref().filter(|_| may_cache).map(|_| Note::of_method());
        return asked.plain(note, changes);
    };
    let upstream = match public == host {
        true => Cow::Borrowed(url),
        // Both names reach the upstream.
        false => format!("{url} {}", host.escape_ascii()).into(),
    };
    let (target, fields) = (known.target().as_bytes(), known.headers().iter());
    let query = Query { site, scheme, host: public, upstream: &upstream, method, target, fields };
    look_up(asked, cache, &query, out)
}

/// The same for what is known of a request that may be answered from the cache.
fn look_up<'a>(
    asked: &Asked<'_, '_, '_>,
    cache: &Cache,
    query: &Query<'a, '_, impl Fields<'a>>,
    out: &mut Vec<u8>,
) -> Look {
    let (worker, fields) = (asked.worker, &query.fields);
    let now = clock::now_s();
    let is_head = asked.request.method == Method::Head || query.method == "HEAD";
    let reply = |hit: &Hit, out: &mut Vec<u8>| {
        let reply = hit.reply(is_head, fields.clone(), now, out);
        let body = if reply.body.is_empty() { Body::Empty } else { Body::Shared(reply.body) };
        Look::Answer(Answer { status: reply.status, body })
    };
    let (first, owned) = match cache.lookup(query, now, Round::FIRST) {
        Lookup::Fresh(hit) => return reply(&hit, out),
        Lookup::Stale { hit, renew: None } => return reply(&hit, out),
        Lookup::Stale { hit, renew: Some(fetch) } => {
            let answer = reply(&hit, out);
            let owned = Owned::new(cache, query);
            if let Ok(prepared) = asked.prepare() {
                renew(worker, prepared, owned, fetch);
            }
            return answer;
        }
        Lookup::Bypass(note) => return asked.plain(Some(note), None),
        Lookup::Unavailable => return Look::Fail(504),
        Lookup::Miss(first) => (first, Owned::new(cache, query)),
    };
    match asked.prepare() {
        Ok(prepared) => {
            let upstreams = Rc::clone(&worker.upstreams);
            Look::Pass(Box::new(Answering::new(owned, prepared, upstreams, is_head, first)))
        }
        Err(status) => Look::Fail(status),
    }
}

/// A request that outlives the bytes it was read from.
struct Owned {
    cache: Cache,
    site: u64,
    scheme: Box<str>,
    host: Box<[u8]>,
    upstream: Box<str>,
    method: Box<str>,
    target: Box<[u8]>,
    fields: Vec<u8>,
}

impl Owned {
    fn new<'a>(cache: &Cache, query: &Query<'a, '_, impl Fields<'a>>) -> Self {
        let mut fields = Vec::new();
        for (name, value) in query.fields.clone() {
            line(&mut fields, name, value);
        }
        Self {
            cache: cache.clone(),
            site: query.site,
            scheme: query.scheme.into(),
            host: query.host.into(),
            upstream: query.upstream.into(),
            method: query.method.into(),
            target: query.target.into(),
            fields,
        }
    }

    fn look(&self, round: Round) -> Lookup {
        self.cache.lookup(&self.query(lines(&self.fields)), clock::now_s(), round)
    }

    fn invalidate(&self, head: &Head) {
        self.cache.invalidate(&self.query(()), head);
    }

    fn query<F>(&self, fields: F) -> Query<'_, '_, F> {
        Query {
            site: self.site,
            scheme: &self.scheme,
            host: &self.host,
            upstream: &self.upstream,
            method: &self.method,
            target: &self.target,
            fields,
        }
    }
}

enum Stage {
    /// The upstream is asked.
    Asking(Box<Passage>),
    /// Another request is; since that tick.
    Waiting(Pin<Box<dyn Future<Output = Round>>>, u64),
    /// This is the answer; so many bytes of it were taken.
    Kept(Option<Head>, Bytes, usize),
}

/// What a request needs of the cache.
struct Cached {
    owned: Owned,
    prepared: Prepared,
    upstreams: Upstreams,
    is_head: bool,
    fetch: Option<Fetch>,
    recorder: Option<Recorder>,
}

/// A request that an upstream answers, or the cache in its place.
pub struct Answering {
    stage: Stage,
    cached: Option<Box<Cached>>,
    /// What the cache has to say of it.
    note: Option<Note>,
    /// What it may change.
    changes: Option<Box<Owned>>,
}

impl Answering {
    fn new(
        owned: Owned,
        prepared: Prepared,
        upstreams: Upstreams,
        is_head: bool,
        first: Coalesce,
    ) -> Self {
        let since = upstreams.now();
        let mut cached =
            Cached { owned, prepared, upstreams, is_head, fetch: None, recorder: None };
        let stage = match first {
            Coalesce::Leader(fetch) => cached.ask(Some(*fetch)),
            Coalesce::Follower(waiter) => Stage::Waiting(Box::pin(waiter.wait()), since),
        };
        Self { stage, cached: Some(Box::new(cached)), note: None, changes: None }
    }

    /// Move what can be moved; true when anything has changed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        loop {
            match &mut self.stage {
                Stage::Asking(passage) => {
                    any |= passage.poll(cx);
                    return any | self.settle();
                }
                Stage::Waiting(waiting, _) => match waiting.as_mut().poll(cx) {
                    Poll::Pending => return any,
                    Poll::Ready(round) => self.look_again(round),
                },
                Stage::Kept(..) => return any,
            }
            any = true;
        }
    }

    /// After the upstream has moved: keep what is complete, and have something else answer if it
    /// failed; whether something does.
    fn settle(&mut self) -> bool {
        let (Stage::Asking(passage), Some(cached)) = (&self.stage, &mut self.cached) else {
            return false;
        };
        if let Some(failure) = passage.failure() {
            cached.recorder = None;
            if let Some(fetch) = cached.fetch.take()
                && let Some(hit) = fetch.failed(clock::now_s())
            {
                passing::tell(passage.name(), failure);
                self.stage = cached.kept(&hit);
                return true;
            }
        } else if passage.is_done()
            && let Some(recorder) = cached.recorder.take()
        {
            recorder.finish();
        }
        false
    }

    fn look_again(&mut self, round: Round) {
        let Stage::Waiting(_, since) = self.stage else { return };
        let Some(cached) = &mut self.cached else { return };
        self.stage = match cached.owned.look(round) {
            // If it is to be renewed, the next request sees to that.
            Lookup::Fresh(hit) | Lookup::Stale { hit, .. } => cached.kept(&hit),
            Lookup::Miss(Coalesce::Follower(waiter)) => {
                Stage::Waiting(Box::pin(waiter.wait()), since)
            }
            Lookup::Miss(Coalesce::Leader(fetch)) => cached.ask(Some(*fetch)),
            Lookup::Bypass(_) | Lookup::Unavailable => cached.ask(None),
        };
    }

    /// The final head, once.
    pub(crate) fn head(&mut self) -> Option<Head> {
        let passage = match &mut self.stage {
            Stage::Asking(passage) => passage,
            Stage::Waiting(..) => return None,
            Stage::Kept(head, ..) => return head.take(),
        };
        let mut head = passage.head()?;
        if let Some(changes) = self.changes.take() {
            changes.invalidate(&head);
        }
        if let Some((cached, fetch)) =
            self.cached.as_mut().and_then(|cached| cached.fetch.take().map(|fetch| (cached, fetch)))
        {
            match fetch.answered(&head, clock::now_s()) {
                Verdict::Pass(note) => self.note = Some(note),
                Verdict::Record(recorder, note) => {
                    cached.recorder = Some(recorder);
                    self.note = Some(note);
                }
                Verdict::Use(hit) => {
                    self.stage = cached.kept(&hit);
                    return self.head();
                }
                Verdict::Again => {
                    let since = cached.upstreams.now();
                    self.stage = Stage::Waiting(Box::pin(async { Round::FIRST }), since);
                    return None;
                }
            }
        }
        if let Some(note) = &self.note {
            line(&mut head.fields, "Cache-Status", note.value().as_bytes());
        }
        // It may have no content, and be complete with its head.
        self.settle();
        Some(head)
    }

    /// A response before the final one.
    pub(crate) fn interim(&mut self) -> Option<Head> {
        match &mut self.stage {
            Stage::Asking(passage) => passage.interim(),
            Stage::Waiting(..) | Stage::Kept(..) => None,
        }
    }

    /// Why there is no answer.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.stage {
            Stage::Asking(passage) => passage.failure(),
            Stage::Waiting(..) | Stage::Kept(..) => None,
        }
    }

    /// Who is asked, or would be, for the log.
    pub(crate) fn asked(&self) -> String {
        match (&self.stage, &self.cached) {
            (Stage::Asking(passage), _) => passage.asked(),
            (_, Some(cached)) => cached.prepared.asked(),
            (Stage::Waiting(..) | Stage::Kept(..), None) => String::new(),
        }
    }

    /// Whether a pool decides who is asked.
    pub(crate) fn is_of_pool(&self) -> bool {
        matches!(&self.stage, Stage::Asking(passage) if passage.is_of_pool())
    }

    /// The same for messages.
    pub(crate) fn name(&self) -> String {
        match &self.stage {
            Stage::Asking(passage) => passage.name(),
            Stage::Waiting(..) | Stage::Kept(..) => self.asked(),
        }
    }

    /// Content at hand.
    pub(crate) fn content(&self) -> &[u8] {
        match &self.stage {
            Stage::Asking(passage) => passage.content(),
            Stage::Waiting(..) => &[],
            Stage::Kept(_, body, taken) => &body[*taken..],
        }
    }

    fn recorder(&mut self) -> Option<&mut Recorder> {
        self.cached.as_mut()?.recorder.as_mut()
    }

    /// Drop content at hand.
    pub(crate) fn consume(&mut self, n: usize) {
        match &mut self.stage {
            Stage::Asking(passage) => {
                let recorder = self.cached.as_mut().and_then(|cached| cached.recorder.as_mut());
                if let Some(recorder) = recorder {
                    recorder.push(&passage.content()[..n]);
                }
                passage.consume(n);
                self.settle();
            }
            Stage::Waiting(..) => {}
            Stage::Kept(_, body, taken) => *taken = (*taken + n).min(body.len()),
        }
    }

    /// Hand all content at hand over without copying it, when that is possible; see
    /// [`Passage::swap_content`].
    pub(crate) fn swap_content(&mut self, out: &mut Vec<u8>, sent: &mut usize) -> usize {
        let Stage::Asking(passage) = &mut self.stage else { return 0 };
        let n = passage.swap_content(out, sent);
        if n > 0 {
            if let Some(recorder) = self.recorder() {
                recorder.push(&out[out.len() - n..]);
            }
            self.settle();
        }
        n
    }

    /// Whether all of the response has come and was taken.
    pub(crate) fn is_done(&self) -> bool {
        match &self.stage {
            Stage::Asking(passage) => passage.is_done(),
            Stage::Waiting(..) => false,
            Stage::Kept(head, body, taken) => head.is_none() && *taken == body.len(),
        }
    }

    /// Trailer fields of the response, once it is over.
    pub(crate) fn trailers(&self) -> &[u8] {
        match &self.stage {
            Stage::Asking(passage) => passage.trailers(),
            Stage::Waiting(..) | Stage::Kept(..) => &[],
        }
    }

    /// Tick at which it takes too long.
    pub(crate) fn deadline(&self) -> u64 {
        match &self.stage {
            Stage::Asking(passage) => passage.deadline(),
            Stage::Waiting(_, since) => since.saturating_add(MAX_WAIT_MS / 1000 + 1),
            Stage::Kept(..) => u64::MAX,
        }
    }

    /// Give up if it takes too long; whether it did.
    pub(crate) fn expire(&mut self, now: u64) -> bool {
        let deadline = self.deadline();
        match &mut self.stage {
            Stage::Asking(passage) => {
                let expired = passage.expire(now);
                self.settle();
                expired
            }
            Stage::Waiting(..) if deadline <= now => {
                self.look_again(Round::ALONE);
                true
            }
            Stage::Waiting(..) | Stage::Kept(..) => false,
        }
    }

    /// The passage, for what concerns the request's body, which no request has that waits.
    fn passage(&mut self) -> Option<&mut Passage> {
        match &mut self.stage {
            Stage::Asking(passage) => Some(passage),
            Stage::Waiting(..) | Stage::Kept(..) => None,
        }
    }

    /// Whether the client has said all of the request, as far as this knows.
    pub(crate) fn is_uploaded(&self) -> bool {
        match &self.stage {
            Stage::Asking(passage) => passage.is_uploaded(),
            Stage::Waiting(..) | Stage::Kept(..) => true,
        }
    }

    /// Whether the upstream has all of the body that the client has sent, and waits for more.
    pub(crate) fn awaits_upload(&self) -> bool {
        match &self.stage {
            Stage::Asking(passage) => passage.awaits_upload(),
            Stage::Waiting(..) | Stage::Kept(..) => false,
        }
    }

    /// The answer was 101.
    pub(crate) fn become_tunnel(&mut self) {
        if let Some(passage) = self.passage() {
            passage.become_tunnel();
        }
    }

    /// Bytes of the request body that can be taken now.
    pub(crate) fn room(&self) -> usize {
        match &self.stage {
            Stage::Asking(passage) => passage.room(),
            Stage::Waiting(..) | Stage::Kept(..) => 0,
        }
    }

    /// Add to the request body.
    pub(crate) fn upload(&mut self, bytes: &[u8]) {
        if let Some(passage) = self.passage() {
            passage.upload(bytes);
        }
    }

    /// The request body is complete; `trailers` are lines.
    pub(crate) fn end_upload(&mut self, trailers: &[u8]) {
        if let Some(passage) = self.passage() {
            passage.end_upload(trailers);
        }
    }
}

impl Cached {
    /// Ask the upstream, for others too when there is a fetch.
    fn ask(&mut self, fetch: Option<Fetch>) -> Stage {
        let mut prepared = self.prepared.again();
        if let Some(conditions) = fetch.as_ref().and_then(Fetch::conditions) {
            prepared.outgoing.head = with_conditions(&prepared.outgoing.head, &conditions);
        }
        self.fetch = fetch;
        Stage::Asking(prepared.start(&self.upstreams))
    }

    /// Answer with what was kept.
    fn kept(&self, hit: &Hit) -> Stage {
        let mut text = Vec::new();
        let reply = hit.reply(self.is_head, lines(&self.owned.fields), clock::now_s(), &mut text);
        let mut fields = Vec::with_capacity(text.len());
        let mut length = None;
        let mut has_date = false;
        for (name, value) in lines(&text) {
            if name.eq_ignore_ascii_case("content-length") {
                length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                continue;
            }
            has_date |= name.eq_ignore_ascii_case("date");
            line(&mut fields, name, value);
        }
        let has_content = !reply.body.is_empty();
        let status = reply.status;
        let head = Head { status, fields, length, has_content, has_date, is_upgrade: false };
        Stage::Kept(Some(head), reply.body, 0)
    }
}

/// A request's head with other conditions than the client's.
fn with_conditions(head: &[u8], conditions: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let start = head.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let mut out = Vec::with_capacity(head.len() + 128);
    out.extend_from_slice(&head[..start]);
    for (name, value) in lines(&head[start..]) {
        if !CONDITIONS.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            line(&mut out, name, value);
        }
    }
    for (name, value) in conditions {
        line(&mut out, name, value);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Renew what is stored, while nobody waits for it.
fn renew(worker: &Worker, prepared: Prepared, owned: Owned, fetch: Box<Fetch>) {
    let running = Rc::clone(&worker.renewals);
    if running.get() >= MAX_RENEWALS {
        return;
    }
    running.set(running.get() + 1);
    let running = Running(running);
    let upstreams = Rc::clone(&worker.upstreams);
    let mut answering = Answering::new(owned, prepared, upstreams, false, Coalesce::Leader(fetch));
    tokio::task::spawn_local(async move {
        let _running = running;
        let drive = poll_fn(|cx| answering.drain(cx));
        let _ = tokio::time::timeout(RENEWAL_TIME, drive).await;
        if let Some(failure) = answering.failure() {
            passing::tell(answering.name(), failure);
        }
    });
}

impl Answering {
    /// Let go of an answer that scripts have replaced. What is being kept of it is kept to its end:
    /// others wait for that, or would ask again.
    pub(crate) fn let_go(mut self: Box<Self>, worker: &Worker) {
        let running = Rc::clone(&worker.renewals);
        let is_recording = self.recorder().is_some_and(|recorder| recorder.is_recording());
        if !is_recording || running.get() >= MAX_RENEWALS {
            return;
        }
        running.set(running.get() + 1);
        let running = Running(running);
        tokio::task::spawn_local(async move {
            let _running = running;
            let drive = poll_fn(|cx| self.drain(cx));
            let _ = tokio::time::timeout(RENEWAL_TIME, drive).await;
        });
    }

    /// Take all of the answer, for nobody.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let moved = self.poll(cx);
            let headed = self.head().is_some();
            let n = self.content().len();
            self.consume(n);
            let is_over = matches!(self.stage, Stage::Kept(..)) || self.failure().is_some();
            if is_over || self.is_done() {
                return Poll::Ready(());
            }
            if !moved && !headed && n == 0 {
                return Poll::Pending;
            }
        }
    }
}

/// Counts a renewal for as long as it lives.
struct Running(Rc<Cell<usize>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_take_the_place_of_others() {
        let head = b"GET /a HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\nif-none-match: \"x\"\r\n\
                     If-Range: \"x\"\r\nA: b\r\nIf-Modified-Since: then\r\n\r\n";
        let with = with_conditions(head, &[("If-None-Match", b"\"y\"".to_vec())]);
        let expected = "GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\nIf-None-Match: \"y\"\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&with), expected);
    }
}
