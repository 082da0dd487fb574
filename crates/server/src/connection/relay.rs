//! A request of an HTTP/1 connection that an upstream answers: bytes both ways, neither side ahead
//! of the other by more than its buffer.

use zeroserve_http::Reject;
use zeroserve_http::body::Step as BodyStep;
use zeroserve_proxy::Head;

use super::{Connection, FLUSH_BYTES, finish_head};
use crate::access_log::Line;
use crate::cached::Answering;
use crate::inquiry::Passed;
use crate::passing::{self, Kind};
use crate::pipeline::{Answer, Body};
use crate::ruling::has_no_content;
use crate::stream::Stream;
use crate::transfer::{Closed, Plan};

/// A request that was passed on.
pub(super) struct Relay {
    pub(super) passage: Box<Answering>,
    pub(super) kind: Kind,
    pub(super) line: Option<Line>,
    /// Whether the body that the client has announced goes to the upstream.
    pub(super) is_uploading: bool,
    /// Whether the client will say no more.
    pub(super) client_ended: bool,
    /// Whether the client takes too long to send its body.
    pub(super) has_stalled: bool,
    /// Whether the client was told that the connection ends.
    pub(super) says_close: bool,
}

/// What becomes of the connection.
pub(super) enum Relayed {
    /// The upstream gave no answer, or none that is passed on: the request gets another one.
    Failed,
    /// The next request may come.
    Next,
    /// Everything goes out, then it ends.
    Close,
    /// The client's body is no HTTP.
    Refuse(Reject),
}

/// How the client sees where the response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With its head.
    Bare,
    /// By its length.
    Length,
    /// By the last chunk.
    Chunks,
    /// With the connection.
    Close,
    /// Not at all: a tunnel.
    Tunnel,
}

/// Status of a request whose client went away before its answer came, as nginx has it.
const CLIENT_GONE: u16 = 499;

impl<S: Stream> Connection<S> {
    /// Pass a request on, and the answer back.
    pub(super) async fn relay(&mut self, mut relay: Relay) -> Result<Relayed, Closed> {
        let head = match self.await_head(&mut relay).await {
            Ok(Ok(head)) => head,
            Ok(Err(relayed)) => return Ok(relayed),
            Err(closed) => {
                self.inquiry.finish(&self.worker.clone());
                self.finish_line(relay.line.take(), CLIENT_GONE, 0);
                return Err(closed);
            }
        };
        let (status, ending) = match self.begin_answer(&mut relay, &head).await {
            Ok(begun) => begun,
            Err(relayed) => {
                if matches!(relayed, Relayed::Failed) {
                    relay.passage.let_go(&self.worker);
                }
                return Ok(relayed);
            }
        };
        let before = self.io.sent_bytes() + self.io.buffered_bytes() as u64;
        let streamed = self.stream(&mut relay, ending).await;
        self.io.settle();
        let bytes = (self.io.sent_bytes() + self.io.buffered_bytes() as u64).saturating_sub(before);
        self.finish_line(relay.line.take(), status, bytes);
        let is_read =
            !relay.is_uploading || self.detached.as_ref().is_none_or(|d| d.decoder.is_done());
        self.detached = None;
        streamed?;
        let ends = relay.says_close || !is_read || self.closes(&relay, ending);
        Ok(if ends { Relayed::Close } else { Relayed::Next })
    }

    fn closes(&self, relay: &Relay, ending: Ending) -> bool {
        matches!(ending, Ending::Close | Ending::Tunnel)
            || !relay.kind.keep_alive
            || self.worker.draining.get()
    }

    /// Wait for the head of the answer; the inner error is what becomes of the connection without.
    async fn await_head(&mut self, relay: &mut Relay) -> Result<Result<Head, Relayed>, Closed> {
        loop {
            if let Err(reject) = self.upload(relay) {
                return Ok(Err(Relayed::Refuse(reject)));
            }
            while let Some(head) = relay.passage.interim() {
                if relay.kind.minor_version == 1 {
                    passing::write_interim(self.io.out(), &head);
                }
            }
            if let Some(head) = relay.passage.head() {
                passing::note_head(&mut relay.line, &self.worker, &relay.passage);
                return Ok(Ok(head));
            }
            if relay.passage.failure().is_some() {
                self.inquiry.fail(&self.worker, &relay.passage, relay.line.take());
                return Ok(Err(Relayed::Failed));
            }
            self.turn(relay, false).await?;
        }
    }

    /// Write the head of the answer; the error is what becomes of the connection if there is
    /// another answer.
    async fn begin_answer(
        &mut self,
        relay: &mut Relay,
        head: &Head,
    ) -> Result<(u16, Ending), Relayed> {
        let worker = self.worker.clone();
        let kind = relay.kind;
        let start = self.io.out().len();
        let passed = loop {
            let out = self.io.out();
            match self.inquiry.pass_head(&worker, head, kind.is_head, out) {
                Passed::Slice => tokio::task::yield_now().await,
                passed => break passed,
            }
        };
        if matches!(passed, Passed::Replaced) {
            self.inquiry.replaced(relay.line.take());
            return Err(Relayed::Failed);
        }
        let out = self.io.out();
        let header = self.inquiry.header(&out[start..], &self.peer).to_owned();
        let (status, ending, instead) = match passed {
            Passed::Stream(status) if head.is_upgrade && status == 101 => {
                out.extend_from_slice(b"Connection: upgrade\r\n\r\n");
                (status, Ending::Tunnel, None)
            }
            // A script made it an ordinary answer: what the upstream says from here on is none.
            Passed::Stream(status) if head.is_upgrade => {
                if !has_no_content(status) {
                    passing::write_length(out, 0);
                }
                (status, Ending::Length, Some(Body::Empty))
            }
            Passed::Stream(status) => {
                let ending = if kind.is_head || has_no_content(status) || status < 200 {
                    Ending::Bare
                } else if head.length.is_some() || !head.has_content {
                    Ending::Length
                } else if kind.minor_version == 1 {
                    Ending::Chunks
                } else {
                    Ending::Close
                };
                let length = match ending {
                    // Of what is not sent, as in the answer to HEAD, the length is no promise.
                    Ending::Length if !head.has_content => Some(0),
                    Ending::Length => head.length,
                    Ending::Bare if status != 204 && status >= 200 => head.length,
                    _ => None,
                };
                if let Some(length) = length {
                    passing::write_length(out, length);
                } else if ending == Ending::Chunks {
                    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
                }
                (status, ending, None)
            }
            Passed::Instead(Answer { status, body }) => (status, Ending::Length, Some(body)),
            Passed::Slice | Passed::Replaced => (500, Ending::Close, None),
        };
        self.inquiry.finish(&worker);
        worker.stats.answered(status);
        self.answered += 1;
        if ending != Ending::Tunnel {
            let mut close = self.closes(relay, ending);
            close |= instead.is_some();
            // An answer before its request is over: whether the rest ever comes is not known.
            close |= relay.is_uploading
                && self.detached.as_ref().is_some_and(|detached| !detached.decoder.is_done());
            relay.says_close = close;
            finish_head(self.io.out(), &header, close, kind.minor_version);
        }
        if let Some(body) = instead {
            if let Body::Bytes(bytes) = &body {
                self.io.append(bytes);
            }
            self.finish_line(relay.line.take(), status, body.size());
            return Err(Relayed::Close);
        }
        Ok((status, ending))
    }

    /// Pass the body on as it comes.
    async fn stream(&mut self, relay: &mut Relay, ending: Ending) -> Result<(), Closed> {
        if ending == Ending::Tunnel {
            relay.passage.become_tunnel();
            self.detached = None;
        }
        loop {
            if ending == Ending::Tunnel {
                self.feed_tunnel(relay);
            } else if self.upload(relay).is_err() {
                return Err(Closed::Truncated);
            }
            self.download(relay, ending);
            let passage = &mut relay.passage;
            if passage.is_done() {
                if ending == Ending::Chunks {
                    self.io.append(b"0\r\n");
                    self.io.append(&passing::trailers(passage.trailers()));
                    self.io.append(b"\r\n");
                }
                return Ok(());
            }
            if let Some(failure) = passage.failure() {
                passing::note_failure(&mut relay.line, passage, failure);
                if ending == Ending::Bare || ending == Ending::Tunnel {
                    return Ok(());
                }
                // The head has promised more: only a broken connection tells the client.
                self.io.settle();
                let _ = self.io.flush(false).await;
                if ending == Ending::Close {
                    self.io.break_off();
                }
                return Err(Closed::Truncated);
            }
            self.turn(relay, ending == Ending::Tunnel).await?;
        }
    }

    /// Content at hand goes into the client's buffer.
    fn download(&mut self, relay: &mut Relay, ending: Ending) {
        let passage = &mut relay.passage;
        while self.io.buffered_bytes() < FLUSH_BYTES {
            if matches!(ending, Ending::Length | Ending::Close | Ending::Tunnel) {
                let (out, sent) = self.io.unsent();
                if passage.swap_content(out, sent) > 0 {
                    continue;
                }
            }
            let content = passage.content();
            let len = content.len();
            if len == 0 {
                return;
            }
            match ending {
                // Not asked for.
                Ending::Bare => {}
                Ending::Chunks => {
                    let out = self.io.out();
                    out.extend_from_slice(format!("{len:x}\r\n").as_bytes());
                    out.extend_from_slice(content);
                    out.extend_from_slice(b"\r\n");
                }
                Ending::Length | Ending::Close | Ending::Tunnel => {
                    self.io.out().extend_from_slice(content);
                }
            }
            passage.consume(len);
        }
    }

    /// The client's body goes to the upstream, as far as that takes it.
    fn upload(&mut self, relay: &mut Relay) -> Result<(), Reject> {
        let passage = &mut relay.passage;
        let Some(detached) = self.detached.as_mut().filter(|_| relay.is_uploading) else {
            return Ok(());
        };
        if passage.is_uploaded() {
            return Ok(());
        }
        if relay.has_stalled {
            return Err(Reject::TimedOut);
        }
        let decoder = &mut detached.decoder;
        while !decoder.is_done() {
            let room = passage.room();
            let input = self.io.input();
            if room == 0 || input.is_empty() {
                return Ok(());
            }
            match decoder.step(&input[..input.len().min(room)])? {
                BodyStep::Consumed { used, content } => {
                    if !content.is_empty() {
                        passage.upload(&input[content]);
                    }
                    self.io.consume_input(used);
                }
                BodyStep::Done => break,
            }
        }
        passage.end_upload(&passing::trailers(&decoder.take_trailers()));
        Ok(())
    }

    fn feed_tunnel(&mut self, relay: &mut Relay) {
        let len = self.io.input().len().min(relay.passage.room());
        if len > 0 {
            relay.passage.upload(&self.io.input()[..len]);
            self.io.consume_input(len);
        }
    }

    /// Wait until either side has moved.
    async fn turn(&mut self, relay: &mut Relay, is_tunnel: bool) -> Result<(), Closed> {
        let limits = &self.worker.limits;
        let now = self.worker.tick.get();
        let passage = &mut relay.passage;
        let unsent = self.io.buffered_bytes();
        let uploading = relay.is_uploading && !passage.is_uploaded();
        let mut deadline = passage.deadline();
        if unsent > 0 {
            deadline = deadline.min(now + limits.write_timeout_s);
        }
        let plan = Plan {
            // Also to hear that the client has gone.
            read: self.io.input().is_empty() && !relay.client_ended,
            more: !passage.content().is_empty() || uploading && !self.io.input().is_empty(),
            wait: true,
            idle: false,
            knows_drain: true,
            deadline,
        };
        let turned = self.io.turn(plan, |cx| passage.poll(cx)).await?;
        if turned.sent {
            self.measure();
        }
        if turned.ended {
            relay.client_ended = true;
            if is_tunnel {
                relay.passage.end_upload(b"");
            } else if uploading || !self.io.is_half_open() {
                return Err(Closed::ByPeer);
            }
        }
        if turned.expired {
            let now = self.worker.tick.get();
            if uploading && self.io.input().is_empty() && relay.passage.awaits_upload() {
                relay.has_stalled = true;
            } else if !relay.passage.expire(now) && self.io.buffered_bytes() > 0 && !turned.sent {
                return Err(Closed::TimedOut);
            }
        }
        Ok(())
    }
}
