//! One request to an upstream over HTTP/1.1.
//!
//! A [`Call`] is polled by who serves the client. It keeps up to [`MAX_INPUT`] bytes of the
//! response that the client has not taken and as many of the request that the upstream has not, so
//! each side is as fast as the other.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio_util::io::poll_read_buf;
use zeroserve_http::body::{Decoder, Framing, Step};

use crate::dial::Socket;
use crate::failure::{Cause, Failure, Phase};
use crate::head::{Asked, End, Head, parse};

/// Bytes of a response that are kept at most.
const MAX_INPUT: usize = 64 * 1024;

/// Bytes that the first read asks for; more when the response turns out to be long.
const FIRST_READ: usize = 16 * 1024;

/// Bytes of a request that are kept at most.
pub(crate) const MAX_OUTPUT: usize = 64 * 1024;

/// Responses before the final one (RFC 9110, section 15.2); real ones are one or two.
const MAX_INTERIM: usize = 16;

/// A request on a connection.
#[derive(Debug)]
pub(crate) struct Call {
    socket: Socket,
    asked: Asked,
    /// Read from `start` on.
    input: Vec<u8>,
    start: usize,
    /// To be sent from `sent` on.
    output: Vec<u8>,
    sent: usize,
    upload: Upload,
    state: State,
    interim: VecDeque<Head>,
    interims: usize,
    head: Option<Head>,
    trailers: Vec<u8>,
    /// Whether the upstream has said anything.
    heard: bool,
    /// Whether it will say no more.
    ended: bool,
    /// Whether a read has filled what it was given.
    is_long: bool,
    keep_alive: bool,
    /// Why nothing can be sent any more.
    unsent: Option<io::Error>,
    failure: Option<Failure>,
}

/// What of the request is still to be given.
#[derive(Debug)]
enum Upload {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Whatever the client says, to the end.
    Raw,
    /// Nothing, but the end of a tunnel has to be said.
    Closing,
    Over,
}

/// What of the response is still to come.
#[derive(Debug)]
enum State {
    Head,
    Length(u64),
    /// Chunks; so many bytes of content are at the front of the input.
    Chunked {
        decoder: Decoder,
        ready: usize,
    },
    UntilClose,
    Tunnel,
    Done,
}

impl Call {
    /// A request whose head is `head`, complete; two buffers, empty.
    pub(crate) fn new(
        socket: Socket,
        head: &[u8],
        framing: Framing,
        asked: Asked,
        [input, mut output]: [Vec<u8>; 2],
    ) -> Self {
        output.extend_from_slice(head);
        Self {
            socket,
            asked,
            input,
            start: 0,
            output,
            sent: 0,
            upload: match framing {
                Framing::None | Framing::Length(0) => Upload::Over,
                Framing::Length(length) => Upload::Length(length),
                Framing::Chunked => Upload::Chunked,
            },
            state: State::Head,
            interim: VecDeque::new(),
            interims: 0,
            head: None,
            trailers: Vec::new(),
            heard: false,
            ended: false,
            is_long: false,
            keep_alive: false,
            unsent: None,
            failure: None,
        }
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
        while self.sent < self.output.len() {
            let written = Pin::new(&mut self.socket).poll_write(cx, &self.output[self.sent..]);
            any |= written.is_ready();
            match written {
                Poll::Pending => return any,
                Poll::Ready(Ok(n)) => self.sent += n,
                // It may have answered all the same, and not want the rest.
                Poll::Ready(Err(error)) => {
                    self.unsent = Some(error);
                    self.sent = self.output.len();
                }
            }
        }
        if self.sent > 0 {
            self.output.clear();
            self.sent = 0;
        }
        if matches!(self.upload, Upload::Closing) {
            match Pin::new(&mut self.socket).poll_shutdown(cx) {
                Poll::Pending => return any,
                Poll::Ready(_) => self.upload = Upload::Over,
            }
        }
        any
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> bool {
        if self.ended || matches!(self.state, State::Done) {
            return false;
        }
        if self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
        }
        let kept = self.input.len() - self.start;
        if kept >= MAX_INPUT {
            return false;
        }
        if self.is_long && self.input.is_empty() {
            self.input.reserve_exact(MAX_INPUT);
        } else if self.input.capacity() - self.input.len() < FIRST_READ / 2 {
            self.input.drain(..self.start);
            self.start = 0;
            self.input.reserve_exact(FIRST_READ);
        }
        match poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.input) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => self.end(Cause::Closed),
            Poll::Ready(Ok(_)) => {
                self.heard = true;
                self.is_long |= self.input.len() == self.input.capacity();
                self.receive();
            }
            Poll::Ready(Err(error)) => self.end(Cause::Io(error)),
        }
        true
    }

    /// The upstream says no more. What it has said may be all the same whole.
    fn end(&mut self, cause: Cause) {
        self.ended = true;
        self.keep_alive = false;
        let kept = (self.input.len() - self.start) as u64;
        match &self.state {
            State::Done => {}
            // A broken connection is no end of a body.
            State::UntilClose if matches!(cause, Cause::Io(_)) => self.fail(cause),
            State::UntilClose | State::Tunnel => self.finish_at_end(),
            State::Length(left) if *left <= kept => {}
            // Perhaps the rest of the chunks is at hand.
            State::Chunked { ready, .. } if *ready > 0 => {}
            State::Head | State::Length(_) | State::Chunked { .. } => self.fail(cause),
        }
    }

    /// A body that ends with the connection is whole once all of it was taken.
    fn finish_at_end(&mut self) {
        if self.ended && self.start == self.input.len() {
            self.state = State::Done;
        }
    }

    fn fail(&mut self, cause: Cause) {
        self.keep_alive = false;
        if self.failure.is_some() || matches!(self.state, State::Done) {
            return;
        }
        let phase = match self.state {
            State::Head if self.unsent.is_some() => Phase::Send,
            State::Head => Phase::Head,
            _ => Phase::Body,
        };
        let cause = match (phase, self.unsent.take()) {
            (Phase::Send, Some(error)) => Cause::Io(error),
            _ => cause,
        };
        self.failure = Some(Failure::new(phase, cause));
    }

    /// Look at what was read.
    fn receive(&mut self) {
        while let State::Head = self.state {
            let parsed = match parse(&self.input[self.start..], self.asked) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return,
                Err(why) => return self.fail(Cause::Invalid(why)),
            };
            self.start += parsed.len;
            if parsed.head.status < 200 && !parsed.head.is_upgrade {
                self.interims += 1;
                if self.interims > MAX_INTERIM {
                    return self.fail(Cause::Invalid("it sends interim responses without end"));
                }
                self.interim.push_back(parsed.head);
                continue;
            }
            self.keep_alive = parsed.keep_alive;
            let is_upgrade = parsed.head.is_upgrade;
            self.head = Some(parsed.head);
            self.state = match parsed.end {
                _ if is_upgrade => {
                    self.upload = Upload::Raw;
                    State::Tunnel
                }
                End::Close => State::UntilClose,
                End::Framed(Framing::None | Framing::Length(0)) => State::Done,
                End::Framed(Framing::Length(length)) => State::Length(length),
                End::Framed(framing @ Framing::Chunked) => match Decoder::new(framing, u64::MAX) {
                    Ok(decoder) => State::Chunked { decoder, ready: 0 },
                    Err(_) => State::Done,
                },
            };
        }
        self.decode();
    }

    /// Find the next content among chunks.
    fn decode(&mut self) {
        let State::Chunked { decoder, ready } = &mut self.state else { return };
        while *ready == 0 && !decoder.is_done() {
            let input = &self.input[self.start..];
            if input.is_empty() {
                if self.ended {
                    self.fail(Cause::Closed);
                }
                return;
            }
            match decoder.step(input) {
                Ok(Step::Consumed { used, content }) if content.is_empty() => self.start += used,
                Ok(Step::Consumed { used, content }) => {
                    // Content is what a step begins with and all that it uses.
                    self.start += content.start;
                    *ready = used - content.start;
                }
                Ok(Step::Done) => break,
                Err(_) => return self.fail(Cause::Invalid("its chunks are not valid")),
            }
        }
        if *ready == 0 && decoder.is_done() {
            self.trailers = decoder.take_trailers();
            self.state = State::Done;
        }
    }

    /// Content at hand.
    pub(crate) fn content(&self) -> &[u8] {
        let input = &self.input[self.start..];
        let len = match &self.state {
            State::Head | State::Done => 0,
            State::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX).min(input.len()),
            State::Chunked { ready, .. } => *ready,
            State::UntilClose | State::Tunnel => input.len(),
        };
        &input[..len]
    }

    /// Drop content at hand.
    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        match &mut self.state {
            State::Head | State::Done => {}
            State::Length(left) => {
                *left -= n as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
            }
            State::Chunked { ready, .. } => {
                *ready -= n;
                self.decode();
            }
            State::UntilClose | State::Tunnel => self.finish_at_end(),
        }
    }

    /// Hand all content at hand over without copying it, when that is possible: `out`, whose bytes
    /// from `sent` on are to be sent, is empty. How many bytes it was; 0 when it was not possible.
    pub(crate) fn swap_content(&mut self, out: &mut Vec<u8>, sent: &mut usize) -> usize {
        let len = self.content().len();
        let whole = !matches!(self.state, State::Chunked { .. });
        if !whole
            || len < FIRST_READ / 2
            || self.start + len != self.input.len()
            || *sent < out.len()
        {
            return 0;
        }
        out.clear();
        std::mem::swap(out, &mut self.input);
        *sent = std::mem::replace(&mut self.start, 0);
        self.consume(0);
        if let State::Length(left) = &mut self.state {
            *left -= len as u64;
            if *left == 0 {
                self.state = State::Done;
            }
        }
        len
    }

    /// Bytes of the request body that can be taken now.
    pub(crate) fn room(&self) -> usize {
        MAX_OUTPUT.saturating_sub(self.output.len() - self.sent)
    }

    /// Whether nothing is to be sent.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.sent == self.output.len()
    }

    /// Add to the request body.
    pub(crate) fn upload(&mut self, bytes: &[u8]) {
        if self.unsent.is_some() || bytes.is_empty() {
            return;
        }
        match &mut self.upload {
            Upload::Length(left) => {
                let bytes = &bytes[..bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX))];
                *left -= bytes.len() as u64;
                self.output.extend_from_slice(bytes);
                if *left == 0 {
                    self.upload = Upload::Over;
                }
            }
            Upload::Chunked => {
                self.output.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
                self.output.extend_from_slice(bytes);
                self.output.extend_from_slice(b"\r\n");
            }
            Upload::Raw => self.output.extend_from_slice(bytes),
            Upload::Closing | Upload::Over => {}
        }
    }

    /// The request body is complete; `trailers` are lines.
    pub(crate) fn end_upload(&mut self, trailers: &[u8]) {
        match self.upload {
            Upload::Chunked => {
                self.output.extend_from_slice(b"0\r\n");
                self.output.extend_from_slice(trailers);
                self.output.extend_from_slice(b"\r\n");
                self.upload = Upload::Over;
            }
            Upload::Raw => self.upload = Upload::Closing,
            // Less than was announced: the upstream is not told that it is complete.
            Upload::Length(_) | Upload::Closing | Upload::Over => {}
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

    /// Trailer fields, once the response is over.
    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Whether all of the response has come and was taken.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done) && self.head.is_none()
    }

    /// Whether anything was heard: then it can't be asked again as if nothing had been.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    /// Why it failed, to keep.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// What it waits for, if it fails by taking too long.
    pub(crate) fn phase(&self) -> Phase {
        match self.state {
            State::Head if !self.has_sent_all() => Phase::Send,
            State::Head => Phase::Head,
            _ => Phase::Body,
        }
    }

    /// The buffers, and the connection if another request can use it.
    pub(crate) fn into_parts(self) -> (Option<Socket>, [Vec<u8>; 2]) {
        let whole = matches!(self.state, State::Done)
            && matches!(self.upload, Upload::Over)
            && self.start == self.input.len()
            && self.sent == self.output.len();
        let open = self.keep_alive && !self.ended && self.unsent.is_none();
        ((whole && open).then_some(self.socket), [self.input, self.output])
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    /// What came of a response that arrives in pieces.
    #[derive(Debug, PartialEq)]
    struct Seen {
        status: Option<u16>,
        interim: Vec<u16>,
        content: Vec<u8>,
        trailers: Vec<u8>,
        failure: Option<String>,
        is_reusable: bool,
    }

    fn talk(response: &[u8], cuts: &[usize], asked: Asked, swap: bool) -> Seen {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let mut call = Call::new(
                Socket::Unix(ours),
                b"GET / HTTP/1.1\r\n\r\n",
                Framing::None,
                asked,
                [Vec::new(), Vec::new()],
            );
            let mut seen = Seen {
                status: None,
                interim: Vec::new(),
                content: Vec::new(),
                trailers: Vec::new(),
                failure: None,
                is_reusable: false,
            };
            let mut pieces = Vec::new();
            let mut at = 0;
            for cut in cuts {
                let end = (at + cut).min(response.len());
                pieces.push(&response[at..end]);
                at = end;
            }
            pieces.push(&response[at..]);
            let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
            let mut request = [0; 18];
            let mut piece = pieces.next();
            let mut greeted = false;
            loop {
                let moved = poll_fn(|cx| Poll::Ready(call.poll(cx))).await;
                if !greeted {
                    theirs.read_exact(&mut request).await.unwrap();
                    greeted = true;
                }
                while let Some(head) = call.interim() {
                    seen.interim.push(head.status);
                }
                if let Some(head) = call.head() {
                    seen.status = Some(head.status);
                }
                let (mut out, mut sent) = (Vec::new(), 0);
                if swap && call.swap_content(&mut out, &mut sent) > 0 {
                    seen.content.extend_from_slice(&out[sent..]);
                }
                let len = call.content().len();
                seen.content.extend_from_slice(call.content());
                call.consume(len);
                if call.is_done() {
                    break;
                }
                if let Some(failure) = call.take_failure() {
                    seen.failure = Some(failure.to_string());
                    break;
                }
                if moved || len > 0 {
                    continue;
                }
                match piece.take() {
                    Some(bytes) => {
                        theirs.write_all(bytes).await.unwrap();
                        piece = pieces.next();
                    }
                    None => theirs.shutdown().await.unwrap(),
                }
                tokio::task::yield_now().await;
            }
            seen.trailers = call.trailers().to_vec();
            seen.is_reusable = call.into_parts().0.is_some();
            seen
        })
    }

    fn whole(response: &[u8]) -> Seen {
        talk(response, &[], Asked::default(), false)
    }

    #[test]
    fn a_response_ends_where_it_says() {
        let seen = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!((seen.status, &seen.content[..]), (Some(200), &b"abc"[..]));
        assert!(seen.is_reusable);
        let seen = whole(b"HTTP/1.1 200 OK\r\n\r\nabc");
        assert_eq!((&seen.content[..], seen.is_reusable), (&b"abc"[..], false));
        let seen = whole(
            b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              2\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n",
        );
        assert_eq!((&seen.interim[..], &seen.content[..]), (&[103][..], &b"abc"[..]));
        assert_eq!((&seen.trailers[..], seen.is_reusable), (&b"X: y\r\n"[..], true));
    }

    #[test]
    fn what_comes_behind_a_response_is_nobodys() {
        let seen = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((&seen.content[..], seen.is_reusable), (&b"abc"[..], false));
        let asked = Asked { is_head: true, ..Asked::default() };
        let seen = talk(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", &[], asked, false);
        assert_eq!((&seen.content[..], seen.is_reusable), (&b""[..], false));
    }

    #[test]
    fn a_response_that_is_cut_short_is_none() {
        for (response, why) in [
            (&b""[..], "head: the connection was closed"),
            (b"HTTP/1.1 200 OK\r\nContent", "head: the connection was closed"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "body: the connection was closed"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                "body: the connection was closed",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
                "body: its chunks are not valid",
            ),
            (b"garbage\r\n\r\n", "head: its response is no HTTP/1"),
        ] {
            let seen = whole(response);
            assert_eq!(seen.failure.as_deref(), Some(why), "{response:?}");
            assert!(!seen.is_reusable);
        }
        let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM + 1);
        let why = "head: it sends interim responses without end";
        assert_eq!(whole(&endless).failure.as_deref(), Some(why));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pieces_make_no_difference(
            chunks in prop::collection::vec(0usize..20_000, 0..6),
            cuts in prop::collection::vec(1usize..30_000, 0..12),
            kind in 0..3,
            swap in any::<bool>(),
        ) {
            let content: Vec<Vec<u8>> =
                chunks.iter().enumerate().map(|(n, len)| vec![b'a' + n as u8; *len]).collect();
            let all = content.concat();
            let mut response = b"HTTP/1.1 200 OK\r\n".to_vec();
            match kind {
                0 => {
                    response.extend_from_slice(format!("Content-Length: {}\r\n\r\n", all.len()).as_bytes());
                    response.extend_from_slice(&all);
                }
                1 => {
                    response.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                    for chunk in content.iter().filter(|chunk| !chunk.is_empty()) {
                        response.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                        response.extend_from_slice(chunk);
                        response.extend_from_slice(b"\r\n");
                    }
                    response.extend_from_slice(b"0\r\n\r\n");
                }
                _ => {
                    response.extend_from_slice(b"\r\n");
                    response.extend_from_slice(&all);
                }
            }
            let seen = talk(&response, &cuts, Asked::default(), swap);
            prop_assert_eq!(seen.status, Some(200));
            prop_assert!(seen.content == all, "{} of {}", seen.content.len(), all.len());
            prop_assert_eq!(seen.failure, None);
            prop_assert_eq!(seen.is_reusable, kind != 2);
        }
    }
}
