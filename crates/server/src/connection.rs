//! One HTTP/1 connection, from accept to close.
//!
//! The work alternates between two halves. [`Connection::next`] is synchronous: it parses and
//! answers as many buffered requests as it can, and says what it needs before it can go on.
//! [`Connection::run`] does that waiting. Nothing of a request lives across a wait but owned
//! values, so an idle connection is small, and a batch of pipelined requests that one read
//! brought is answered with one write.

use std::io;
use std::rc::Rc;

use zeroserve_http::body::{Decoder, Framing, Step as BodyStep};
use zeroserve_http::request::{Head, HeadLimits, field_slots, parse};
use zeroserve_http::{Method, Reject};

use crate::access_log::Line;
use crate::pipeline::{self, Answer, Body, Scratch};
use crate::stream::Stream;
use crate::transfer::{Closed, Transfer, Wait};
use crate::view::{Loaded, Missing};
use crate::worker::Worker;

/// Bytes of buffered responses after which they are sent before more requests are looked at.
const FLUSH_BYTES: usize = 64 * 1024;

/// Bodies up to this size are copied behind their head and leave in the same write.
const MAX_COPIED_BYTES: u64 = 16 * 1024;

/// Bytes of an unfinished line after which it is looked at all the same, for the limits.
const REPARSE_BYTES: usize = 4 * 1024;

/// A client's connection and what has been read of it.
pub struct Connection<S> {
    worker: Rc<Worker>,
    io: Transfer<S>,
    /// Who is at the other end, for the access log.
    peer: Box<str>,
    /// Head of the request whose body is being read, taken out of the input.
    detached: Option<Detached>,
    /// What the present request had to wait for: few, since each answer needs few.
    loaded: Vec<Loaded>,
    /// Bytes of an incomplete head that have been parsed in vain.
    parsed: usize,
}

struct Detached {
    head: Vec<u8>,
    decoder: Decoder,
}

/// What has to happen before the next request can be answered.
enum Step {
    /// More bytes of a head; idle when none has begun.
    Read(Wait),
    /// What has been answered so far goes out, then on.
    Flush,
    /// The rest of a request body, after saying 100 if the client waits for it.
    ReadBody { say_continue: bool },
    /// A representation.
    Load(Missing),
    /// Content too large to buffer; then on.
    Send { body: Body, line: Option<Line>, status: u16, close: bool },
    /// Everything goes out, then the connection ends.
    Close,
}

impl<S: Stream> Connection<S> {
    /// A connection that was just accepted.
    pub fn new(worker: Rc<Worker>, stream: S, peer: Box<str>) -> Self {
        let io = Transfer::new(Rc::clone(&worker), stream);
        Self { worker, io, peer, detached: None, loaded: Vec::new(), parsed: 0 }
    }

    /// Serve until either side closes; returns the stream.
    pub async fn run(mut self) -> S {
        // Every failure has ended the connection already; who cares has been told.
        let _ = self.serve().await;
        self.io.into_stream()
    }

    async fn serve(&mut self) -> Result<(), Closed> {
        loop {
            match self.next() {
                Step::Read(wait) => {
                    self.io.flush(false).await?;
                    match self.io.read(wait).await {
                        Err(Closed::TimedOut) if wait == Wait::Head => {
                            self.refuse(Reject::TimedOut);
                            return self.close().await;
                        }
                        read => read?,
                    }
                }
                Step::Flush => self.io.flush(false).await?,
                Step::ReadBody { say_continue } => {
                    if let Err(reject) = self.read_body(say_continue).await? {
                        self.refuse(reject);
                        return self.close().await;
                    }
                }
                Step::Load(missing) => {
                    // What has been answered does not wait for it, nor do other connections.
                    self.io.flush(false).await?;
                    let now = self.worker.clock.now_s();
                    self.loaded.push(self.worker.view.load(missing, now).await);
                    tokio::task::yield_now().await;
                }
                Step::Send { body, line, status, close } => {
                    let before = self.io.sent_bytes();
                    let head = self.io.buffered_bytes() as u64;
                    let sent = self.io.send_body(body).await;
                    let bytes = (self.io.sent_bytes() - before).saturating_sub(head);
                    self.finish_line(line, status, bytes);
                    sent?;
                    if close {
                        return self.close().await;
                    }
                }
                Step::Close => return self.close().await,
            }
        }
    }

    /// Answer what is buffered until something has to be waited for.
    fn next(&mut self) -> Step {
        let worker = Rc::clone(&self.worker);
        let limits = &worker.limits;
        let head_limits = HeadLimits {
            request_line_bytes: limits.max_request_line_bytes as usize,
            header_bytes: limits.max_header_bytes as usize,
            header_fields: limits.max_header_fields as usize,
        };
        loop {
            if self.io.buffered_bytes() >= FLUSH_BYTES {
                return Step::Flush;
            }
            if self.detached.is_none() && !self.io.skip_empty_lines() {
                return Step::Read(Wait::Idle);
            }
            let detached = self.detached.as_ref().map(|detached| detached.head.as_slice());
            let (input, out) = self.io.buffers();
            let buf = detached.unwrap_or(input);
            // Only the end of a line can complete a head: what arrives byte by byte is not
            // parsed each time.
            let news = &buf[self.parsed.min(buf.len())..];
            if self.parsed > 0 && news.len() < REPARSE_BYTES && !news.contains(&b'\n') {
                return Step::Read(Wait::Head);
            }
            let mut slots = field_slots();
            let (request, len) = match parse(buf, &mut slots, &head_limits) {
                Ok(Head::Complete { request, len }) => (request, len),
                Ok(Head::Partial) => {
                    self.parsed = buf.len();
                    return Step::Read(Wait::Head);
                }
                Err(reject) => {
                    self.refuse(reject);
                    return Step::Close;
                }
            };
            self.parsed = 0;
            if detached.is_none() && request.framing != Framing::None {
                let say_continue = request.expects_continue;
                // Nobody will read this body: refusing it now spares the client from sending it.
                let wanted = !matches!(request.method, Method::Other(_));
                if wanted || !say_continue {
                    match Decoder::new(request.framing, limits.max_body_bytes) {
                        Ok(decoder) => {
                            let head = self.io.take_input(len);
                            self.detached = Some(Detached { head, decoder });
                            return Step::ReadBody { say_continue };
                        }
                        Err(reject) => {
                            self.refuse(reject);
                            return Step::Close;
                        }
                    }
                }
            }
            // A body that was not asked for may come all the same: only closing is safe.
            let unread = detached.is_none() && request.framing != Framing::None;
            if out.capacity() == 0 {
                *out = worker.take_buffer();
            }
            worker.view.refresh();
            let now = worker.clock.now();
            let mut scratch = worker.scratch.take();
            let answered =
                pipeline::respond(&worker.view, &request, now, &self.loaded, &mut scratch, out);
            worker.scratch.replace(scratch);
            let Answer { status, body } = match answered {
                Ok(answer) => answer,
                Err(missing) => return Step::Load(missing),
            };
            worker.stats.answered(status);
            let close = unread || !request.keep_alive || worker.draining.get();
            finish_head(out, close, request.minor_version);
            let line = worker
                .log
                .as_ref()
                .map(|log| log.begin(&self.peer, Some(&request), worker.clock.precise()));
            self.loaded.clear();
            if self.detached.take().is_none() {
                self.io.consume_input(len);
            }
            match body {
                Body::Empty => self.finish_line(line, status, 0),
                Body::Text(text) => {
                    self.io.append(text.0.as_bytes());
                    self.finish_line(line, status, text.0.len() as u64);
                }
                Body::Part(ref local, part) if part.len <= MAX_COPIED_BYTES => {
                    if !self.io.append_part(local, part) {
                        return Step::Send { body, line, status, close };
                    }
                    self.finish_line(line, status, part.len);
                }
                body => return Step::Send { body, line, status, close },
            }
            if close {
                return Step::Close;
            }
        }
    }

    /// Append the answer to a request that is refused by its form.
    fn refuse(&mut self, reject: Reject) {
        let now = self.worker.clock.now();
        let worker = Rc::clone(&self.worker);
        let log = worker.log.as_ref();
        let line = log.map(|log| log.begin(&self.peer, None, worker.clock.precise()));
        let (_, out) = self.io.buffers();
        let Answer { status, body } = pipeline::refuse(reject, now, out);
        finish_head(out, true, 1);
        if let Body::Text(text) = &body {
            self.io.append(text.0.as_bytes());
        }
        worker.stats.answered(status);
        self.finish_line(line, status, body.size());
    }

    fn finish_line(&self, line: Option<Line>, status: u16, bytes: u64) {
        if let (Some(log), Some(line)) = (self.worker.log.as_ref(), line) {
            let now = self.worker.clock.precise();
            log.end(&line, status, bytes, now, &self.worker.stats.log_lines_dropped);
        }
    }

    /// Read past a request body. The inner error is the client's fault and gets an answer.
    async fn read_body(&mut self, say_continue: bool) -> Result<Result<(), Reject>, Closed> {
        let Some(Detached { head, mut decoder }) = self.detached.take() else {
            return Ok(Ok(()));
        };
        if say_continue && self.io.input().is_empty() {
            self.io.append(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.io.flush(false).await?;
        }
        while !decoder.is_done() {
            if self.io.input().is_empty() {
                self.io.flush(false).await?;
                match self.io.read(Wait::Body).await {
                    Err(Closed::TimedOut) => return Ok(Err(Reject::TimedOut)),
                    read => read?,
                }
                continue;
            }
            match decoder.step(self.io.input()) {
                Ok(BodyStep::Consumed { used, .. }) => self.io.consume_input(used),
                Ok(BodyStep::Done) => break,
                Err(reject) => return Ok(Err(reject)),
            }
        }
        self.detached = Some(Detached { head, decoder });
        Ok(Ok(()))
    }

    async fn close(&mut self) -> Result<(), Closed> {
        self.io.flush(false).await?;
        self.io.linger().await
    }
}

/// Say what becomes of the connection, and end the head.
fn finish_head(out: &mut Vec<u8>, close: bool, minor_version: u8) {
    if close {
        out.extend_from_slice(b"Connection: close\r\n\r\n");
    } else if minor_version == 0 {
        out.extend_from_slice(b"Connection: keep-alive\r\n\r\n");
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

/// Buffers that a worker lends to one request at a time.
pub type SharedScratch = std::cell::Cell<Scratch>;

/// Serve a client in memory from start to end; returns what it receives.
pub async fn exchange(worker: Rc<Worker>, input: Vec<u8>) -> io::Result<Vec<u8>> {
    let stream = crate::stream::Memory::new(input);
    let connection = Connection::new(worker, stream, "127.0.0.1".into());
    Ok(connection.run().await.output)
}
