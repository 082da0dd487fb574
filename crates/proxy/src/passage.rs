//! A request on its way to an upstream, over as many connections as it takes.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use zeroserve_http::body::Framing;

use crate::call::Call;
use crate::failure::{Cause, Failure, Phase};
use crate::head::{Asked, Head};
use crate::http1::{self, MAX_OUTPUT};
use crate::http2::{self, Opened};
use crate::upstreams::{Route, Upstreams};

/// A request as the upstream gets it.
#[derive(Debug)]
pub struct Outgoing {
    /// Request line and fields of HTTP/1.1, complete.
    pub head: Vec<u8>,
    /// How its body is framed there.
    pub framing: Framing,
    /// What the response depends on.
    pub asked: Asked,
    /// Whether it may be sent again when nobody knows what became of it (RFC 9110, section 9.2.2).
    pub is_idempotent: bool,
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
    Failed,
}

/// A request on its way.
pub struct Passage {
    upstreams: Rc<Upstreams>,
    route: Rc<Route>,
    request: Outgoing,
    timeouts: Timeouts,
    stage: Stage,
    /// The request body so far; `None` when it is too long to be sent again.
    kept: Option<Vec<u8>>,
    /// Its trailer fields, once it has ended.
    upload_end: Option<Vec<u8>>,
    /// Whether the connection was used before.
    is_reused: bool,
    /// How often it was made again.
    repeats: u32,
    /// Tick at which something happened last.
    since: u64,
    failure: Option<Failure>,
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passage({})", self.route.upstream.origin)
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
        let mut passage = Self {
            upstreams: Rc::clone(upstreams),
            route,
            request,
            timeouts,
            stage: Stage::Failed,
            kept: Some(Vec::new()),
            upload_end: None,
            is_reused: false,
            repeats: 0,
            since: upstreams.now(),
            failure: None,
        };
        let upstream = &passage.route.upstream;
        let idle = upstreams.take(upstream, !passage.request.is_idempotent).map(Opened::Http1);
        match idle.or_else(|| upstream.http2.take().map(Opened::Http2)) {
            Some(opened) => passage.talk(opened, true),
            None => passage.connect(),
        }
        passage
    }

    fn connect(&mut self) {
        let (route, dialer) = (Rc::clone(&self.route), self.upstreams.dialer());
        self.stage = Stage::Connecting(Box::pin(async move {
            let upstream = &route.upstream;
            upstream.http2.open(&dialer, &upstream.origin).await
        }));
    }

    fn talk(&mut self, opened: Opened, was_idle: bool) {
        let Outgoing { head, framing, asked, .. } = &self.request;
        let mut call = match opened {
            Opened::Http1(socket) => {
                self.is_reused = was_idle;
                let buffers = [self.upstreams.take_buffer(), self.upstreams.take_buffer()];
                let call = http1::Call::new(socket, head, *framing, *asked, buffers);
                Call::Http1(Box::new(call))
            }
            Opened::Http2(lease) => {
                self.is_reused = lease.is_reused;
                let is_tls = self.route.upstream.origin.is_tls;
                let call = http2::Call::new(lease, head, *framing, *asked, is_tls);
                Call::Http2(Box::new(call))
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

    /// Who is asked.
    pub fn origin(&self) -> &crate::Origin {
        &self.route.upstream.origin
    }

    /// Move what can be moved; true when anything has changed.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        loop {
            match &mut self.stage {
                Stage::Connecting(connecting) => match connecting.as_mut().poll(cx) {
                    Poll::Pending => return any,
                    Poll::Ready(Ok(opened)) => self.talk(opened, false),
                    Poll::Ready(Err(failure)) => self.fail(failure),
                },
                Stage::Talking(call) => {
                    let moved = call.poll(cx);
                    if let Some(failure) = call.take_failure() {
                        self.fail(failure);
                    } else if !moved {
                        return any;
                    } else {
                        self.since = self.upstreams.now();
                        return true;
                    }
                }
                Stage::Failed => return any,
            }
            self.since = self.upstreams.now();
            any = true;
        }
    }

    /// Ask again, if that is safe, or give up.
    fn fail(&mut self, failure: Failure) {
        let may_repeat = match &self.stage {
            // An upstream that closes idle connections may do so just when one is used again. It
            // has not seen the request then, but who knows.
            Stage::Talking(call) => {
                let is_stale = self.is_reused && !call.has_heard() && failure.is_of_connection();
                is_stale && self.request.is_idempotent || call.was_untouched()
            }
            _ => false,
        };
        if may_repeat && self.kept.is_some() && self.repeats < MAX_REPEATS {
            self.repeats += 1;
            return self.connect();
        }
        self.stage = Stage::Failed;
        self.failure = Some(failure);
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
        let seconds = match &self.stage {
            Stage::Connecting(_) => self.timeouts.connect_s,
            // It waits for the client.
            Stage::Talking(call) if !call.content().is_empty() => return u64::MAX,
            Stage::Talking(_) if !self.is_uploaded() => self.timeouts.idle_s,
            Stage::Talking(call) => match call.phase() {
                Phase::Head => self.timeouts.first_byte_s,
                _ => self.timeouts.idle_s,
            },
            Stage::Failed => return u64::MAX,
        };
        self.since.saturating_add(seconds).saturating_add(1)
    }

    /// Give up if it takes too long; whether it did.
    pub fn expire(&mut self, now: u64) -> bool {
        if self.deadline() > now {
            return false;
        }
        let phase = self.call().map_or(Phase::Connect, Call::phase);
        self.stage = Stage::Failed;
        self.failure = Some(Failure::new(phase, Cause::TimedOut));
        true
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
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
        self.kept = None;
        self.upload_end = None;
    }

    /// Bytes of the request body that can be taken now.
    pub fn room(&self) -> usize {
        match &self.stage {
            Stage::Connecting(_) => {
                MAX_OUTPUT.saturating_sub(self.kept.as_ref().map_or(MAX_OUTPUT, Vec::len))
            }
            Stage::Talking(call) => call.room(),
            Stage::Failed => MAX_OUTPUT,
        }
    }

    /// Add to the request body.
    pub fn upload(&mut self, bytes: &[u8]) {
        self.since = self.upstreams.now();
        let connecting = matches!(self.stage, Stage::Connecting(_));
        let is_http2 = matches!(self.stage, Stage::Talking(Call::Http2(_)));
        let may_repeat = connecting || is_http2 || self.is_reused && self.request.is_idempotent;
        self.kept = self
            .kept
            .take()
            .filter(|kept| may_repeat && (connecting || kept.len() + bytes.len() <= MAX_OUTPUT));
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
        self.since = self.upstreams.now();
        if let Some(call) = self.call_mut() {
            call.consume(n);
        }
    }

    /// Hand all content at hand over without copying it, when that is possible: `out` has nothing
    /// left to be sent behind `sent`. How many bytes it was; 0 when it was not possible.
    pub fn swap_content(&mut self, out: &mut Vec<u8>, sent: &mut usize) -> usize {
        self.since = self.upstreams.now();
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

impl Drop for Passage {
    fn drop(&mut self) {
        if let Stage::Talking(Call::Http1(call)) = std::mem::replace(&mut self.stage, Stage::Failed)
        {
            let (socket, buffers) = call.into_parts();
            if let Some(socket) = socket {
                self.upstreams.give(&self.route.upstream, socket);
            }
            for buffer in buffers {
                self.upstreams.give_buffer(buffer);
            }
        }
    }
}
