//! A request on its way to an upstream, over as many connections as it takes.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use zeroserve_http::body::Framing;

use crate::call::Call;
use crate::failure::{Cause, Failure, Phase};
use crate::head::{Asked, Head};
use crate::http1::{self, MAX_OUTPUT};
use crate::http2::{self, Opened};
use crate::pools::{self, Host, Pool};
use crate::ride::{Next, Ride};
use crate::upstreams::{Idleness, Route, Upstream, Upstreams};

/// A request as the upstream gets it.
#[derive(Debug)]
pub struct Outgoing {
    /// Request line and fields of HTTP/1.1, complete.
    pub head: Vec<u8>,
    /// How its body is framed there.
    pub framing: Framing,
    /// What the response depends on.
    pub asked: Asked,
    /// Bytes of the head that are the method, which says whether it may be sent again when nobody
    /// knows what became of it (RFC 9110, section 9.2.2).
    pub method_len: usize,
    /// Where in the head the value of Host is. For pools, which may have another one.
    pub host: Range<usize>,
}

impl Outgoing {
    fn method(&self) -> &[u8] {
        self.head.get(..self.method_len).unwrap_or_default()
    }

    fn is_idempotent(&self) -> bool {
        pools::is_idempotent(self.method())
    }

    /// The head as an upstream of a pool gets it: with its base before the path, and perhaps with
    /// its own Host.
    fn head_for(&self, base: &str, host: Option<&str>) -> Cow<'_, [u8]> {
        if base.is_empty() && host.is_none() {
            return Cow::Borrowed(&self.head);
        }
        // The target stands behind the method and a space; `*` is nothing below a base.
        let target = self.method_len + 1;
        let rest = self.head.get(target..self.host.start).unwrap_or_default();
        let rest = if base.is_empty() { rest } else { rest.strip_prefix(b"*").unwrap_or(rest) };
        let own = self.head.get(self.host.clone()).unwrap_or_default();
        let host = host.map_or(own, str::as_bytes);
        let (before, behind) = (&self.head[..target], &self.head[self.host.end..]);
        Cow::Owned([before, base.as_bytes(), rest, host, behind].concat())
    }
}

/// How long an upstream may take, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To connect.
    pub connect_s: u64,
    /// Between the last byte of the request and the first of the response.
    pub first_byte_s: u64,
    /// Between two parts of either.
    pub idle_s: u64,
    /// Between two parts of what goes through a tunnel.
    pub tunnel_s: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_s: 5, first_byte_s: 60, idle_s: 60, tunnel_s: 3600 }
    }
}

/// How often a request is made again that nobody seems to have looked at.
const MAX_REPEATS: u32 = 3;

type Connecting = Pin<Box<dyn Future<Output = Result<Opened, Failure>>>>;

enum Stage {
    Connecting(Connecting),
    Talking(Call),
    /// For a place at an upstream of the pool.
    Waiting,
    Failed,
}

/// A request on its way.
pub struct Passage {
    upstreams: Rc<Upstreams>,
    /// Who is asked; `None` while that is not decided.
    upstream: Option<Rc<Upstream>>,
    /// The pool that decides.
    ride: Option<Box<Ride>>,
    request: Outgoing,
    timeouts: Timeouts,
    stage: Stage,
    /// The request body so far; `None` when it is too long to be sent again.
    kept: Option<Vec<u8>>,
    /// Its trailer fields, once it has ended.
    upload_end: Option<Vec<u8>>,
    /// Whether the connection was used before.
    is_reused: bool,
    is_tunnel: bool,
    /// When it began.
    began: Instant,
    /// Whether the head of the response was counted.
    has_answer: bool,
    /// How often it was made again by the same upstream.
    repeats: u32,
    /// Tick at which something happened last.
    since: u64,
    failure: Option<Failure>,
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passage({})", self.name())
    }
}

impl Passage {
    /// Begin: the request is sent when it is polled first.
    pub fn new(
        upstreams: &Rc<Upstreams>,
        route: Rc<Route>,
        request: Outgoing,
        timeouts: Timeouts,
    ) -> Self {
        let mut passage = Self::idle(upstreams, request, timeouts);
        passage.upstream = Some(Rc::clone(&route.upstream));
        passage.ask();
        passage
    }

    /// Begin with an upstream of a pool, by `key` if the pool goes by one. The head of the request
    /// has no base before its path, and the client's Host.
    pub fn in_pool(
        upstreams: &Rc<Upstreams>,
        pool: Arc<Pool>,
        key: Option<u64>,
        request: Outgoing,
    ) -> Self {
        let idle_s = pool.config().timeouts.idle_ms.div_ceil(1000);
        let timeouts = Timeouts { idle_s, ..Timeouts::default() };
        let mut passage = Self::idle(upstreams, request, timeouts);
        let (ride, next) = Ride::begin(pool, key);
        passage.ride = Some(Box::new(ride));
        passage.follow(next);
        passage
    }

    fn idle(upstreams: &Rc<Upstreams>, request: Outgoing, timeouts: Timeouts) -> Self {
        Self {
            upstreams: Rc::clone(upstreams),
            upstream: None,
            ride: None,
            request,
            timeouts,
            stage: Stage::Failed,
            kept: Some(Vec::new()),
            upload_end: None,
            is_reused: false,
            is_tunnel: false,
            has_answer: false,
            repeats: 0,
            since: upstreams.now(),
            began: Instant::now(),
            failure: None,
        }
    }

    /// Do what the pool says.
    fn follow(&mut self, next: Next) {
        match next {
            Next::Ask => {
                let chosen = self.ride.as_ref().and_then(|ride| ride.upstream());
                self.upstream = chosen.map(|one| self.upstreams.of(&one.config.origin));
                self.ask();
            }
            Next::Wait => self.stage = Stage::Waiting,
            Next::Fail(failure) => {
                self.stage = Stage::Failed;
                self.failure = Some(failure);
            }
        }
    }

    fn ask(&mut self) {
        let Some(upstream) = &self.upstream else { return };
        let idle = self.upstreams.take(upstream).map(Opened::Http1);
        match idle.or_else(|| upstream.http2.take().map(Opened::Http2)) {
            Some(opened) => self.talk(opened, true),
            None => self.connect(),
        }
    }

    fn connect(&mut self) {
        let Some(upstream) = self.upstream.clone() else { return };
        let dialer = self.upstreams.dialer();
        let limit = match &self.ride {
            Some(ride) => Duration::from_millis(ride.pool().config().timeouts.connect_ms),
            None => Duration::from_secs(self.timeouts.connect_s),
        };
        self.stage = Stage::Connecting(Box::pin(async move {
            upstream.http2.open(&dialer, &upstream.origin, limit).await
        }));
    }

    fn talk(&mut self, opened: Opened, was_idle: bool) {
        let Outgoing { framing, asked, .. } = self.request;
        let head = match self.ride.as_ref().and_then(|ride| Some((ride.pool(), ride.upstream()?))) {
            None => Cow::Borrowed(&self.request.head[..]),
            Some((pool, chosen)) => {
                let own = pool.config().host == Host::Upstream;
                let host = own.then(|| chosen.config.origin.authority());
                self.request.head_for(&chosen.config.base, host.as_deref())
            }
        };
        let mut call = match opened {
            Opened::Http1(socket) => {
                self.is_reused = was_idle;
                let buffers = [self.upstreams.take_buffer(), self.upstreams.take_buffer()];
                Call::Http1(Box::new(http1::Call::new(socket, &head, framing, asked, buffers)))
            }
            Opened::Http2(lease) => {
                self.is_reused = lease.is_reused;
                let is_tls = self.upstream.as_ref().is_some_and(|one| one.origin.is_tls);
                Call::Http2(Box::new(http2::Call::new(lease, &head, framing, asked, is_tls)))
            }
        };
        if let Some(kept) = &self.kept {
            call.upload(kept);
        }
        if let Some(trailers) = &self.upload_end {
            call.end_upload(trailers);
        }
        self.stage = Stage::Talking(call);
    }

    /// Who is asked, for the log: the upstream, or the pool while that has not chosen one.
    pub fn asked(&self) -> String {
        match (&self.upstream, &self.ride) {
            (Some(upstream), _) => upstream.origin.to_string(),
            (None, Some(ride)) => format!("pool:{}", ride.pool().config().name),
            (None, None) => String::new(),
        }
    }

    /// Whether a pool decides who is asked.
    pub fn is_of_pool(&self) -> bool {
        self.ride.is_some()
    }

    /// The same for messages.
    pub fn name(&self) -> String {
        let origin = self.upstream.as_ref().map(|upstream| &upstream.origin);
        match (&self.ride, origin) {
            (Some(ride), Some(origin)) => format!("{origin} (pool {})", ride.pool().config().name),
            (Some(ride), None) => format!("pool {}", ride.pool().config().name),
            (None, Some(origin)) => origin.to_string(),
            (None, None) => String::new(),
        }
    }

    /// Move what can be moved; true when anything has changed.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        loop {
            match &mut self.stage {
                Stage::Waiting => {
                    let Some(ride) = &mut self.ride else { return any };
                    match ride.poll_wait(cx) {
                        Poll::Pending => return any,
                        Poll::Ready(next) => self.follow(next),
                    }
                }
                Stage::Connecting(connecting) => match connecting.as_mut().poll(cx) {
                    Poll::Pending if self.is_late(cx) => self.time_out(),
                    Poll::Pending => return any,
                    Poll::Ready(Ok(opened)) => self.talk(opened, false),
                    Poll::Ready(Err(failure)) => self.fail(failure),
                },
                Stage::Talking(call) => {
                    let moved = call.poll(cx);
                    if let Some(failure) = call.take_failure() {
                        self.fail(failure);
                    } else if moved {
                        self.touch();
                        if !self.is_answered_elsewhere() {
                            return true;
                        }
                    } else if self.is_late(cx) {
                        self.time_out();
                    } else {
                        return any;
                    }
                }
                Stage::Failed => return any,
            }
            self.touch();
            any = true;
        }
    }

    fn touch(&mut self) {
        self.since = self.upstreams.now();
        if let Some(ride) = &mut self.ride {
            ride.touch();
        }
    }

    /// Whether an upstream of a pool takes too long, in the pool's milliseconds; otherwise this is
    /// polled when it does.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(ride) = &mut self.ride else { return false };
        let timeouts = &ride.pool().config().timeouts;
        let uploaded = self.upload_end.is_some() || matches!(self.request.framing, Framing::None);
        let patience_ms = match &self.stage {
            Stage::Connecting(_) => Some(timeouts.connect_ms),
            // It waits for the client.
            Stage::Talking(call) if !call.content().is_empty() => None,
            Stage::Talking(call) if !uploaded && call.has_sent_all() => None,
            Stage::Talking(_) if self.is_tunnel => Some(self.timeouts.tunnel_s * 1000),
            Stage::Talking(call) if call.phase() == Phase::Head => Some(timeouts.first_byte_ms),
            Stage::Talking(_) => Some(timeouts.idle_ms),
            Stage::Waiting | Stage::Failed => None,
        };
        ride.is_late(patience_ms, cx)
    }

    fn time_out(&mut self) {
        let phase = self.call().map_or(Phase::Connect, Call::phase);
        self.fail(Failure::new(phase, Cause::TimedOut));
    }

    /// The head of the response is counted, and the pool hears of it; true when it has another upstream asked.
    fn is_answered_elsewhere(&mut self) -> bool {
        let Stage::Talking(call) = &self.stage else { return false };
        let Some(status) = call.status().filter(|_| !self.has_answer) else { return false };
        self.has_answer = true;
        let Some(ride) = &mut self.ride else {
            if let Some(upstream) = &self.upstream {
                let took_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.upstreams.tally(upstream).answered(took_ns);
            }
            return false;
        };
        let may_repeat = self.kept.is_some();
        if !ride.answered(status, self.request.method(), may_repeat) {
            return false;
        }
        self.has_answer = false;
        self.hang_up();
        self.follow(Next::Ask);
        true
    }

    /// Ask again, if that is safe, or give up.
    fn fail(&mut self, failure: Failure) {
        let (may_repeat, heard) = match &self.stage {
            // An upstream that closes idle connections may do so just when one is used again. It
            // has not seen the request then, but who knows.
            Stage::Talking(call) => {
                let is_stale = self.is_reused && !call.has_heard() && failure.is_of_connection();
                let untouched = call.was_untouched();
                (is_stale && self.request.is_idempotent() || untouched, call.has_heard())
            }
            _ => (false, false),
        };
        if may_repeat && self.kept.is_some() && self.repeats < MAX_REPEATS {
            self.repeats += 1;
            return self.connect();
        }
        self.stage = Stage::Failed;
        let next = match &mut self.ride {
            None => {
                self.count_failure(failure.phase);
                Next::Fail(failure)
            }
            Some(ride) => {
                let may_repeat = self.kept.is_some() && !heard;
                ride.failed(failure, self.request.method(), may_repeat)
            }
        };
        self.follow(next);
    }

    /// Of an upstream that no pool has.
    fn count_failure(&self, phase: Phase) {
        // Every tunnel ends like this.
        if let Some(upstream) = self.upstream.as_ref().filter(|_| !self.is_tunnel) {
            self.upstreams.tally(upstream).failed(phase);
        }
    }

    fn call(&self) -> Option<&Call> {
        match &self.stage {
            Stage::Talking(call) => Some(call),
            _ => None,
        }
    }

    fn call_mut(&mut self) -> Option<&mut Call> {
        match &mut self.stage {
            Stage::Talking(call) => Some(call),
            _ => None,
        }
    }

    /// Tick at which it takes too long.
    pub fn deadline(&self) -> u64 {
        if self.ride.is_some() && !self.awaits_upload() {
            return u64::MAX;
        }
        let seconds = match &self.stage {
            Stage::Connecting(_) => self.timeouts.connect_s,
            // It waits for the client.
            Stage::Talking(call) if !call.content().is_empty() => return u64::MAX,
            Stage::Talking(_) if !self.is_uploaded() => self.timeouts.idle_s,
            Stage::Talking(call) => match call.phase() {
                Phase::Head => self.timeouts.first_byte_s,
                _ => self.timeouts.idle_s,
            },
            Stage::Waiting | Stage::Failed => return u64::MAX,
        };
        self.since.saturating_add(seconds).saturating_add(1)
    }

    /// Give up if it takes too long; whether it did.
    pub fn expire(&mut self, now: u64) -> bool {
        if self.deadline() > now {
            return false;
        }
        let phase = self.call().map_or(Phase::Connect, Call::phase);
        if self.ride.is_none() {
            self.count_failure(phase);
        }
        self.stage = Stage::Failed;
        self.failure = Some(Failure::new(phase, Cause::TimedOut));
        true
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The same, to keep.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Whether the client has said all of the request, as far as this knows.
    pub fn is_uploaded(&self) -> bool {
        self.upload_end.is_some() || matches!(self.request.framing, Framing::None)
    }

    /// Whether the upstream has all of the body that the client has sent, and waits for more.
    pub fn awaits_upload(&self) -> bool {
        !self.is_uploaded() && self.call().is_some_and(Call::has_sent_all)
    }

    /// The answer was 101: from here on both sides say what they like, and may be silent for long.
    pub fn become_tunnel(&mut self) {
        self.timeouts.idle_s = self.timeouts.tunnel_s;
        self.is_tunnel = true;
        self.kept = None;
        self.upload_end = None;
    }

    /// Bytes of the request body that can be taken now.
    pub fn room(&self) -> usize {
        match &self.stage {
            Stage::Connecting(_) | Stage::Waiting => {
                MAX_OUTPUT.saturating_sub(self.kept.as_ref().map_or(MAX_OUTPUT, Vec::len))
            }
            Stage::Talking(call) => call.room(),
            Stage::Failed => MAX_OUTPUT,
        }
    }

    /// Add to the request body.
    pub fn upload(&mut self, bytes: &[u8]) {
        self.touch();
        let unsent = matches!(self.stage, Stage::Connecting(_) | Stage::Waiting);
        let is_http2 = matches!(self.stage, Stage::Talking(Call::Http2(_)));
        let may_follow = (self.is_reused || self.ride.is_some()) && self.request.is_idempotent();
        let may_repeat = is_http2 || may_follow && !self.has_answer;
        self.kept = self
            .kept
            .take()
            .filter(|kept| unsent || may_repeat && kept.len() + bytes.len() <= MAX_OUTPUT);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        if let Some(call) = self.call_mut() {
            call.upload(bytes);
        }
    }

    /// The request body is complete; `trailers` are lines.
    pub fn end_upload(&mut self, trailers: &[u8]) {
        self.upload_end = Some(trailers.to_vec());
        if let Some(call) = self.call_mut() {
            call.end_upload(trailers);
        }
    }

    /// A response before the final one.
    pub fn interim(&mut self) -> Option<Head> {
        self.call_mut().and_then(Call::interim)
    }

    /// The final head, once.
    pub fn head(&mut self) -> Option<Head> {
        self.call_mut().and_then(Call::head)
    }

    /// Content at hand.
    pub fn content(&self) -> &[u8] {
        self.call().map_or(&[], Call::content)
    }

    /// Drop content at hand.
    pub fn consume(&mut self, n: usize) {
        self.touch();
        if let Some(call) = self.call_mut() {
            call.consume(n);
        }
    }

    /// Hand all content at hand over without copying it, when that is possible: `out` has nothing
    /// left to be sent behind `sent`. How many bytes it was; 0 when it was not possible.
    pub fn swap_content(&mut self, out: &mut Vec<u8>, sent: &mut usize) -> usize {
        self.touch();
        self.call_mut().map_or(0, |call| call.swap_content(out, sent))
    }

    /// Whether all of the response has come and was taken.
    pub fn is_done(&self) -> bool {
        self.call().is_some_and(Call::is_done)
    }

    /// Trailer fields of the response, once it is over.
    pub fn trailers(&self) -> &[u8] {
        self.call().map_or(&[], Call::trailers)
    }
}

impl Passage {
    /// Be done with the connection of now, which is kept if it can be.
    fn hang_up(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Failed);
        let Stage::Talking(Call::Http1(call)) = stage else { return };
        let (socket, buffers) = call.into_parts();
        if let (Some(socket), Some(upstream)) = (socket, &self.upstream) {
            let keepalive = self.ride.as_ref().map(|ride| &ride.pool().config().keepalive);
            let idleness = keepalive.map(|keepalive| Idleness {
                most: keepalive.idle as usize,
                seconds: keepalive.idle_timeout_ms.div_ceil(1000),
            });
            self.upstreams.give(upstream, socket, idleness.unwrap_or_default());
        }
        for buffer in buffers {
            self.upstreams.give_buffer(buffer);
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.hang_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(text: &str, host: &str) -> Outgoing {
        let start = text.find(host).unwrap();
        Outgoing {
            head: text.as_bytes().to_vec(),
            framing: Framing::None,
            asked: Asked::default(),
            method_len: text.find(' ').unwrap(),
            host: start..start + host.len(),
        }
    }

    #[test]
    fn heads_for_upstreams_of_a_pool() {
        let request = outgoing("GET /a?b HTTP/1.1\r\nHost: own\r\nX: y\r\n\r\n", "own");
        let head = |base, host| String::from_utf8(request.head_for(base, host).to_vec()).unwrap();
        assert_eq!(head("", None).as_bytes(), request.head);
        let with_base = "GET /base/a?b HTTP/1.1\r\nHost: own\r\nX: y\r\n\r\n";
        assert_eq!(head("/base", None), with_base);
        let with_host = "GET /a?b HTTP/1.1\r\nHost: [::1]:9000\r\nX: y\r\n\r\n";
        assert_eq!(head("", Some("[::1]:9000")), with_host);
        assert_eq!(head("/base", Some("")), with_base.replace("own", ""));
        let all = outgoing("OPTIONS * HTTP/1.1\r\nHost: own\r\n\r\n", "own");
        assert!(all.head_for("/base", None).starts_with(b"OPTIONS /base HTTP/1.1\r\n"));
        assert!(all.head_for("", Some("x")).starts_with(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n"));
    }
}
