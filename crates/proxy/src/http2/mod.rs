//! One request to an upstream over HTTP/2.
//!
//! A [`Call`] is polled by who serves the client. What it has not taken of a response is not
//! confirmed to the upstream, whose window for the stream closes then; of a request, the call
//! keeps up to [`MAX_OUTPUT`] bytes that the upstream has no window for.

mod connections;
mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use zeroserve_http::body::Framing;

pub(crate) use connections::{Connections, Lease, Opened};

use crate::failure::{Cause, Failure, Phase};
use crate::head::{Asked, Head};
use crate::http1::MAX_OUTPUT;

/// Bytes of a response that are taken from the library before the client takes them.
const MAX_CONTENT: usize = 64 * 1024;

/// The pieces that they may be in.
const MAX_PIECES: usize = 64;

/// Responses before the final one (RFC 9110, section 15.2); real ones are one or two.
const MAX_INTERIM: usize = 16;

/// A request on a connection that others share.
#[derive(Debug)]
pub(crate) struct Call {
    asked: Asked,
    /// The head that is waited for.
    response: Option<ResponseFuture>,
    body: Option<RecvStream>,
    upload: Option<SendStream<Bytes>>,
    output: BytesMut,
    /// What is still missing of a body whose length was said.
    left: Option<u64>,
    /// Trailer fields, once the client has said all.
    end: Option<http::HeaderMap>,
    interim: VecDeque<Head>,
    interims: usize,
    head: Option<Head>,
    content: VecDeque<Bytes>,
    held: usize,
    trailers: Vec<u8>,
    is_over: bool,
    heard: bool,
    untouched: bool,
    failure: Option<Failure>,
    /// Given back last, when the stream is closed.
    _lease: Lease,
}

impl Call {
    /// A request whose head is `head`, as HTTP/1.1 has it.
    pub(crate) fn new(
        lease: Lease,
        head: &[u8],
        framing: Framing,
        asked: Asked,
        is_tls: bool,
    ) -> Self {
        let mut sender = lease.sender();
        let mut call = Self {
            asked,
            response: None,
            body: None,
            upload: None,
            output: BytesMut::new(),
            left: match framing {
                Framing::Length(length) => Some(length),
                Framing::None | Framing::Chunked => None,
            },
            end: None,
            interim: VecDeque::new(),
            interims: 0,
            head: None,
            content: VecDeque::new(),
            held: 0,
            trailers: Vec::new(),
            is_over: false,
            heard: false,
            untouched: false,
            failure: None,
            _lease: lease,
        };
        let request = match message::request(head, is_tls) {
            Ok(request) => request,
            Err(why) => {
                call.failure = Some(Failure::new(Phase::Send, Cause::Invalid(why)));
                return call;
            }
        };
        let is_bare = matches!(framing, Framing::None | Framing::Length(0));
        match sender.send_request(request, is_bare) {
            Ok((response, upload)) => {
                call.response = Some(response);
                call.upload = Some(upload).filter(|_| !is_bare);
            }
            Err(error) => {
                call.fail(error);
                call.untouched = true;
            }
        }
        call
    }

    /// Move what can be moved; true when anything has changed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let sent = self.poll_send(cx);
        self.poll_receive(cx) || sent
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        let Some(upload) = &mut self.upload else { return false };
        let mut is_closed = false;
        while !self.output.is_empty() {
            upload.reserve_capacity(self.output.len());
            let room = upload.capacity().min(self.output.len());
            if room == 0 {
                match upload.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(1..))) => continue,
                    Poll::Ready(Some(Ok(_))) => cx.waker().wake_by_ref(),
                    // It may have answered all the same, and not want the rest.
                    Poll::Ready(_) => is_closed = true,
                    Poll::Pending => {}
                }
                break;
            }
            let piece = self.output.split_to(room).freeze();
            let is_last =
                self.output.is_empty() && self.end.as_ref().is_some_and(|end| end.is_empty());
            any = true;
            is_closed = upload.send_data(piece, is_last).is_err() || is_last;
            if is_closed {
                break;
            }
        }
        if let (false, true, Some(end)) = (is_closed, self.output.is_empty(), &mut self.end) {
            let end = std::mem::take(end);
            // Where that fails, the response says why.
            let _ = match end.is_empty() {
                true => upload.send_data(Bytes::new(), true),
                false => upload.send_trailers(end),
            };
            (any, is_closed) = (true, true);
        }
        if is_closed {
            self.upload = None;
            self.output = BytesMut::new();
        }
        any
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while self.response.is_some() && self.failure.is_none() {
            if !self.poll_head(cx) {
                return any;
            }
            any = true;
        }
        while !self.is_over && self.failure.is_none() && self.poll_body(cx) {
            any = true;
        }
        any
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(response) = &mut self.response else { return false };
        match response.poll_informational(cx) {
            Poll::Ready(Some(Ok(interim))) => {
                self.heard = true;
                self.take_interim(&interim);
                return true;
            }
            Poll::Ready(Some(Err(error))) => {
                self.fail(error);
                return true;
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        match Pin::new(response).poll(cx) {
            Poll::Pending => return false,
            Poll::Ready(Err(error)) => self.fail(error),
            Poll::Ready(Ok(response)) => {
                self.heard = true;
                match message::head(&response, self.asked, response.body().is_end_stream()) {
                    Ok(head) => {
                        self.head = Some(head);
                        self.response = None;
                        self.body = Some(response.into_body());
                    }
                    Err(why) => self.refuse(why),
                }
            }
        }
        true
    }

    fn take_interim(&mut self, interim: &http::Response<()>) {
        self.interims += 1;
        if interim.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            return self.refuse("it changes to a protocol that nobody asked for");
        }
        if self.interims > MAX_INTERIM {
            return self.refuse("it sends interim responses without end");
        }
        match message::head(interim, self.asked, false) {
            Ok(head) => self.interim.push_back(head),
            Err(why) => self.refuse(why),
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(body) = &mut self.body else { return false };
        if self.held >= MAX_CONTENT || self.content.len() >= MAX_PIECES {
            return false;
        }
        match body.poll_data(cx) {
            Poll::Pending => return false,
            Poll::Ready(Some(Ok(piece))) => {
                if !piece.is_empty() {
                    self.held += piece.len();
                    self.content.push_back(piece);
                }
                return true;
            }
            Poll::Ready(Some(Err(error))) => {
                self.fail(error);
                return true;
            }
            Poll::Ready(None) => {}
        }
        match body.poll_trailers(cx) {
            Poll::Pending => return false,
            Poll::Ready(Err(error)) => self.fail(error),
            Poll::Ready(Ok(trailers)) => {
                self.trailers = trailers.map_or(Vec::new(), |map| message::lines(&map, None));
                self.is_over = true;
            }
        }
        true
    }

    /// The upstream makes no sense.
    fn refuse(&mut self, why: &'static str) {
        self.response = None;
        self.failure = Some(Failure::new(self.phase(), Cause::Invalid(why)));
    }

    fn fail(&mut self, error: h2::Error) {
        let phase = self.phase();
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // Only streams that came after those that it looks at are told of a GOAWAY.
        self.untouched = error.is_remote() && (is_refused || error.is_go_away());
        let why = error.reason().map(|reason| reason.description().to_owned());
        let cause = match why {
            Some(why) if error.is_remote() && error.is_reset() => {
                Cause::Other(format!("it ended the stream: {why}"))
            }
            Some(why) if error.is_remote() => {
                Cause::Other(format!("it closes the connection: {why}"))
            }
            Some(why) => Cause::Other(format!("its HTTP/2 is not valid: {why}")),
            None => match error.into_io() {
                // So the library calls the end of the connection.
                Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Cause::Closed,
                Some(error) => Cause::Io(error),
                None => Cause::Invalid("the connection takes no more requests"),
            },
        };
        self.failure = Some(Failure::new(phase, cause));
    }

    /// Bytes of the request body that can be taken now.
    pub(crate) fn room(&self) -> usize {
        MAX_OUTPUT.saturating_sub(self.output.len())
    }

    /// Whether nothing is to be sent.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.output.is_empty()
    }

    /// Add to the request body.
    pub(crate) fn upload(&mut self, mut bytes: &[u8]) {
        if self.upload.is_none() || self.end.is_some() {
            return;
        }
        if let Some(left) = &mut self.left {
            bytes = &bytes[..bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX))];
            *left -= bytes.len() as u64;
        }
        self.output.extend_from_slice(bytes);
    }

    /// The request body is complete; `trailers` are lines.
    pub(crate) fn end_upload(&mut self, trailers: &[u8]) {
        if self.left.is_some_and(|left| left > 0) {
            // Less than was announced: the upstream is not told that it is complete.
            if let Some(mut upload) = self.upload.take() {
                upload.send_reset(Reason::CANCEL);
            }
        } else if self.upload.is_some() && self.end.is_none() {
            self.end = Some(message::trailers(trailers));
        }
    }

    /// A response before the final one.
    pub(crate) fn interim(&mut self) -> Option<Head> {
        self.interim.pop_front()
    }

    /// Status of the final head, while nobody has taken it.
    pub(crate) fn status(&self) -> Option<u16> {
        self.head.as_ref().map(|head| head.status)
    }

    /// The final head, once.
    pub(crate) fn head(&mut self) -> Option<Head> {
        self.head.take()
    }

    /// Content at hand; there may be more behind it once this was consumed.
    pub(crate) fn content(&self) -> &[u8] {
        self.content.front().map_or(&[], |piece| piece)
    }

    /// Drop content at hand, for which the upstream may send more.
    pub(crate) fn consume(&mut self, n: usize) {
        let Some(piece) = self.content.front_mut() else { return };
        let n = n.min(piece.len());
        if n == piece.len() {
            self.content.pop_front();
        } else {
            *piece = piece.slice(n..);
        }
        self.held -= n;
        if let Some(body) = &mut self.body {
            // It fails only for more than there was.
            let _ = body.flow_control().release_capacity(n);
        }
    }

    /// Trailer fields, once the response is over.
    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Whether all of the response has come and was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.is_over && self.content.is_empty() && self.head.is_none()
    }

    /// Whether anything was heard: then it can't be asked again as if nothing had been.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    /// Whether the upstream, or the lack of a connection, says that nobody has looked at the
    /// request: it may be made again, whatever it is.
    pub(crate) fn was_untouched(&self) -> bool {
        self.untouched && !self.heard
    }

    /// Why it failed, to keep.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        // What has come before is not lost.
        if !self.content.is_empty() || self.head.is_some() {
            return None;
        }
        self.failure.take()
    }

    /// What it waits for, if it fails by taking too long.
    pub(crate) fn phase(&self) -> Phase {
        match self.body {
            Some(_) => Phase::Body,
            None if !self.has_sent_all() => Phase::Send,
            None => Phase::Head,
        }
    }
}
