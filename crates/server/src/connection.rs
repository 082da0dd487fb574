//! One HTTP/1 connection, from accept to close.
//!
//! The work alternates between two halves. [`Connection::next`] is synchronous: it parses and
//! answers as many buffered requests as it can, and says what it needs before it can go on.
//! [`Connection::run`] does that waiting. Nothing of a request lives across a wait but owned
//! values, so an idle connection is small, and a batch of pipelined requests that one read
//! brought is answered with one write.

mod relay;

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;

use zeroserve_host::Body as ScriptBody;
use zeroserve_http::body::{Decoder, Framing, Step as BodyStep};
use zeroserve_http::h2::PREFACE;
use zeroserve_http::request::{Head, HeadLimits, field_slots, parse};
use zeroserve_http::{Method, Reject};
use zeroserve_vm::limits::SLICE_FUEL;

use crate::access_log::Line;
use crate::endpoints::{Made, Reply};
use crate::fetching::Fetching;
use crate::h2;
use crate::inquiry::{Inquiry, NO_RESPONSE, Turn, Verifying, Waiting};
use crate::live::{self, Watch};
use crate::passing::{self, Kind};
use crate::peer::Peer;
use crate::pipeline::{self, Answer, Body, Scratch};
use crate::scripted::Progress;
use crate::stream::Stream;
use crate::transfer::{Closed, Transfer, Wait};
use crate::view::{Missing, View};
use crate::worker::Worker;
use relay::{Relay, Relayed};

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
    peer: Peer,
    /// Head of the request whose body is being read, taken out of the input.
    detached: Option<Detached>,
    /// Bytes of an incomplete head that have been parsed in vain.
    parsed: usize,
    /// What the present request has come to.
    inquiry: Inquiry,
    /// Whether the first bytes have shown which protocol is spoken.
    is_http1: bool,
    /// What an endpoint has come to.
    made: Option<Box<Made>>,
    /// Since when the worker was free for the first request answered since the last send; 0 before.
    began_ns: u64,
    /// Requests answered since the last send.
    answered: u32,
}

struct Detached {
    head: Vec<u8>,
    decoder: Decoder,
    /// The body, when endpoints may want it.
    body: Vec<u8>,
}

impl Detached {
    fn new(head: Vec<u8>, decoder: Decoder) -> Self {
        Self { head, decoder, body: Vec::new() }
    }
}

/// What a connection turned out to speak.
enum Protocol {
    Http1,
    Http2,
}

/// What has to happen before the next request can be answered.
enum Step {
    /// More bytes of a head; idle when none has begun.
    Read(Wait),
    /// What has been answered so far goes out, then on.
    Flush,
    /// The rest of a request body, after saying 100 if the client waits for it; so much of it is
    /// kept for scripts or endpoints.
    ReadBody { say_continue: bool, keep: Option<(u64, Option<Waiting>)> },
    /// The other connections of the worker have their turn.
    Yield,
    /// Another server, which a script asks.
    Fetch(Fetching),
    /// A representation.
    Load(Missing),
    /// Another version of the site.
    Wait(Watch),
    /// A password.
    Verify(Verifying),
    /// An endpoint.
    Make(Pin<Box<dyn Future<Output = Made>>>),
    /// An upstream.
    Pass(Box<Relay>),
    /// Content too large to buffer; then on.
    Send { body: Body, line: Option<Line>, status: u16, close: bool },
    /// Everything goes out, then the connection ends.
    Close,
    /// The client speaks HTTP/2.
    Http2,
}

impl<S: Stream> Connection<S> {
    /// A connection that was just accepted.
    pub fn new(worker: Rc<Worker>, stream: S, peer: Peer) -> Self {
        let io = Transfer::new(Rc::clone(&worker), stream);
        Self {
            worker,
            io,
            peer,
            detached: None,
            parsed: 0,
            inquiry: Inquiry::default(),
            is_http1: false,
            made: None,
            began_ns: 0,
            answered: 0,
        }
    }

    /// Serve until either side closes; returns the stream.
    pub async fn run(mut self) -> S {
        // Every failure has ended the connection already; who cares has been told.
        let Ok(Protocol::Http2) = self.serve().await else { return self.io.into_stream() };
        let Self { worker, io, peer, .. } = self;
        // In a place of its own: connections that never need it stay small.
        Box::pin(h2::serve(worker, io, peer)).await
    }

    async fn serve(&mut self) -> Result<Protocol, Closed> {
        loop {
            match self.next() {
                Step::Read(wait) => {
                    self.flush().await?;
                    match self.io.read(wait).await {
                        Err(Closed::TimedOut) if wait == Wait::Head => {
                            self.refuse(Reject::TimedOut);
                            return self.close().await;
                        }
                        Err(closed) if wait == Wait::Idle => {
                            self.io.say_end();
                            return Err(closed);
                        }
                        read => read?,
                    }
                }
                Step::Flush => self.flush().await?,
                Step::Yield => {
                    self.flush().await?;
                    tokio::task::yield_now().await;
                }
                Step::ReadBody { say_continue, keep } => {
                    if let Err(reject) = self.read_body(say_continue, keep).await? {
                        self.refuse(reject);
                        return self.close().await;
                    }
                }
                Step::Fetch(fetching) => {
                    self.flush().await?;
                    let outcome = fetching.await;
                    self.inquiry.set_fetched(outcome);
                    if self.answered == 0 {
                        // What the other server took is not ours.
                        self.began_ns = 0;
                    }
                }
                Step::Load(missing) => {
                    // What has been answered does not wait for it, nor do other connections.
                    let generation = self.inquiry.generation();
                    self.flush().await?;
                    let now = self.worker.clock.now_s();
                    if let Some(generation) = generation {
                        if let Some(record) = &self.worker.record {
                            record.borrow_mut().load(&generation.archive, missing.0);
                        }
                        self.inquiry.add(View::load(generation, missing, now).await);
                    }
                    tokio::task::yield_now().await;
                }
                Step::Wait(watch) => {
                    self.flush().await?;
                    live::wait(Rc::clone(&self.worker), watch).await;
                    self.inquiry.waited();
                }
                Step::Verify(verifying) => {
                    self.flush().await?;
                    let verdict = verifying.await;
                    self.inquiry.set_verdict(verdict);
                }
                Step::Make(answer) => {
                    self.flush().await?;
                    self.made = Some(Box::new(answer.await));
                }
                Step::Send { body, line, status, close } => {
                    let before = self.io.sent_bytes();
                    let head = self.io.buffered_bytes() as u64;
                    let sent = self.io.send_body(body).await;
                    self.measure();
                    let bytes = (self.io.sent_bytes() - before).saturating_sub(head);
                    self.finish_line(line, status, bytes);
                    sent?;
                    if close {
                        return self.close().await;
                    }
                }
                Step::Pass(relay) => match self.relay(*relay).await? {
                    // It is answered as if nobody had been asked.
                    Relayed::Failed => {}
                    Relayed::Next => self.measure(),
                    Relayed::Close => return self.close().await,
                    Relayed::Refuse(reject) => {
                        self.refuse(reject);
                        return self.close().await;
                    }
                },
                Step::Close => return self.close().await,
                Step::Http2 => return Ok(Protocol::Http2),
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
        let mut fuel = 0;
        loop {
            if self.io.buffered_bytes() >= FLUSH_BYTES {
                return Step::Flush;
            }
            // Scripts of many requests that one read brought.
            if fuel >= SLICE_FUEL {
                return Step::Yield;
            }
            if !self.is_http1 {
                let input = self.io.input();
                if input.is_empty() {
                    return Step::Read(Wait::Idle);
                }
                // Endpoints know HTTP/1 only.
                if worker.endpoints.is_none() && input.starts_with(PREFACE) {
                    return Step::Http2;
                }
                if PREFACE.starts_with(input) && input != PREFACE {
                    return Step::Read(Wait::Head);
                }
                self.is_http1 = true;
            }
            if self.detached.is_none() && !self.io.skip_empty_lines() {
                return Step::Read(Wait::Idle);
            }
            let detached = self.detached.as_ref().map(|detached| detached.head.as_slice());
            let free_since_ns = self.io.free_since_ns();
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
            if self.began_ns == 0 {
                self.began_ns = free_since_ns;
            }
            let framed = request.framing != Framing::None;
            match self.inquiry.run_scripts(&worker, &request, &self.peer) {
                Progress::Done => {}
                Progress::Slice => return Step::Yield,
                Progress::Password => return Step::Verify(self.inquiry.verify_password()),
                Progress::Fetch => match self.inquiry.fetch(&worker) {
                    Some(fetching) => return Step::Fetch(fetching),
                    None => continue,
                },
                Progress::Body(_) if !framed => {
                    self.inquiry.set_body(ScriptBody::Whole(Vec::new()));
                    continue;
                }
                // It came before there were scripts.
                Progress::Body(_) if detached.is_some() => {
                    self.inquiry.set_body(ScriptBody::Missing);
                    continue;
                }
                Progress::Body(keep) => {
                    let say_continue = request.expects_continue;
                    let decoder = Decoder::new(request.framing, limits.max_body_bytes);
                    let waiting = self.inquiry.wait_for_body();
                    match decoder.and_then(|decoder| Ok((decoder, waiting?))) {
                        Ok((decoder, waiting)) => {
                            let head = self.io.take_input(len);
                            self.detached = Some(Detached::new(head, decoder));
                            let keep = Some((keep, Some(waiting)));
                            return Step::ReadBody { say_continue, keep };
                        }
                        Err(reject) => {
                            self.refuse(reject);
                            return Step::Close;
                        }
                    }
                }
            }
            if detached.is_none() && framed && !self.inquiry.is_passed_on() {
                let say_continue = request.expects_continue;
                // Nobody will read this body: refusing it now spares the client from sending it.
                let made = worker.endpoints.is_some();
                let wanted = made || !matches!(request.method, Method::Other(_));
                if wanted || !say_continue {
                    match Decoder::new(request.framing, limits.max_body_bytes) {
                        Ok(decoder) => {
                            let head = self.io.take_input(len);
                            self.detached = Some(Detached::new(head, decoder));
                            let keep = made.then_some((limits.max_body_bytes, None));
                            return Step::ReadBody { say_continue, keep };
                        }
                        Err(reject) => {
                            self.refuse(reject);
                            return Step::Close;
                        }
                    }
                }
            }
            // A body that was not asked for may come all the same: only closing is safe.
            let is_read = |detached: &Detached| detached.decoder.is_done();
            let unread = framed && !self.detached.as_ref().is_some_and(is_read);
            if out.capacity() == 0 {
                *out = worker.take_buffer();
            }
            let now = worker.clock.now();
            let made = match (&worker.endpoints, self.made.take()) {
                (None, _) => None,
                (Some(_), Some(made)) => Some(*made),
                (Some(endpoints), None) => {
                    let body = self.detached.as_ref().map_or(&[][..], |detached| &detached.body);
                    match endpoints.answer(&request, body) {
                        Reply::Site => None,
                        Reply::Made(made) => Some(made),
                        Reply::Later(answer) => return Step::Make(answer),
                    }
                }
            };
            let start = out.len();
            let turn = match made {
                Some(made) => Turn::Answered(made.write(request.method, now, out)),
                None => self.inquiry.answer(&worker, &request, &self.peer, out),
            };
            let Answer { status, body } = match turn {
                Turn::Answered(answer) => answer,
                Turn::Slice => return Step::Yield,
                Turn::Nothing => {
                    let log = worker.log.as_ref();
                    let line = log.map(|log| {
                        log.begin(&self.peer, Some(&request), self.inquiry.started(&worker))
                    });
                    self.inquiry.finish(&worker);
                    self.finish_line(line, NO_RESPONSE, 0);
                    return Step::Close;
                }
                Turn::Load(missing) => return Step::Load(missing),
                Turn::Wait(watch) => return Step::Wait(watch),
                Turn::Pass(passage) => {
                    let log = worker.log.as_ref().filter(|_| !self.inquiry.is_silent());
                    let started = log.map(|log| (log, self.inquiry.started(&worker)));
                    let mut line =
                        started.map(|(log, at)| log.begin(&self.peer, Some(&request), at));
                    passing::note(&mut line, &worker, &passage);
                    let kind = Kind::of(&request);
                    let is_uploading = self.detached.is_none() && framed;
                    let decoder = match is_uploading {
                        true => Decoder::new(request.framing, self.inquiry.upload_limit(limits)),
                        false => Decoder::new(Framing::None, 0),
                    };
                    let decoder = match decoder {
                        Ok(decoder) => decoder,
                        Err(reject) => {
                            self.refuse(reject);
                            return Step::Close;
                        }
                    };
                    if self.detached.is_none() {
                        // Kept for the case that there is another answer.
                        let head = self.io.take_input(len);
                        self.detached = Some(Detached::new(head, decoder));
                    }
                    return Step::Pass(Box::new(Relay {
                        passage,
                        kind,
                        line,
                        is_uploading,
                        client_ended: false,
                        has_stalled: false,
                        says_close: false,
                    }));
                }
            };
            let header = self.inquiry.header(&out[start..], &self.peer);
            let log = worker.log.as_ref().filter(|_| !self.inquiry.is_silent());
            let started = log.map(|log| (log, self.inquiry.started(&worker)));
            let asked = self.inquiry.take_asked();
            fuel += self.inquiry.finish(&worker);
            worker.stats.answered(status);
            self.answered += 1;
            if let Some(endpoints) = &worker.endpoints {
                out.extend_from_slice(endpoints.fields().as_bytes());
            }
            let close = unread || !request.keep_alive || worker.draining.get();
            finish_head(out, header, close, request.minor_version);
            let line = started.map(|(log, at)| {
                let mut line = log.begin(&self.peer, Some(&request), at);
                line.upstream = asked;
                line
            });
            if self.detached.take().is_none() {
                self.io.consume_input(len);
            }
            match body {
                Body::Empty => self.finish_line(line, status, 0),
                Body::Bytes(bytes) => {
                    self.io.append(&bytes);
                    self.finish_line(line, status, bytes.len() as u64);
                }
                Body::Shared(ref bytes) if bytes.len() as u64 <= MAX_COPIED_BYTES => {
                    self.io.append(bytes);
                    self.finish_line(line, status, bytes.len() as u64);
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
        finish_head(out, &self.peer.front.header, true, 1);
        if let Body::Bytes(bytes) = &body {
            self.io.append(bytes);
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

    /// Read past a request body, and keep up to `keep` bytes of it for the scripts. The inner error
    /// is the client's fault and gets an answer.
    async fn read_body(
        &mut self,
        say_continue: bool,
        keep: Option<(u64, Option<Waiting>)>,
    ) -> Result<Result<(), Reject>, Closed> {
        let mut kept = ScriptBody::Whole(Vec::new());
        let Some(Detached { head, mut decoder, .. }) = self.detached.take() else {
            return Ok(Ok(()));
        };
        if say_continue && self.io.input().is_empty() {
            self.io.append(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.flush().await?;
        }
        while !decoder.is_done() {
            if self.io.input().is_empty() {
                self.flush().await?;
                match self.io.read(Wait::Body).await {
                    Err(Closed::TimedOut) => return Ok(Err(Reject::TimedOut)),
                    read => read?,
                }
                continue;
            }
            match decoder.step(self.io.input()) {
                Ok(BodyStep::Consumed { used, content: data }) => {
                    if let (Some((keep, _)), ScriptBody::Whole(bytes)) = (&keep, &mut kept) {
                        if (bytes.len() + data.len()) as u64 > *keep {
                            kept = ScriptBody::Missing;
                        } else {
                            bytes.extend_from_slice(&self.io.input()[data]);
                        }
                    }
                    self.io.consume_input(used);
                }
                Ok(BodyStep::Done) => break,
                Err(reject) => return Ok(Err(reject)),
            }
        }
        if self.answered == 0 {
            // What the client took to send it is not ours.
            self.began_ns = 0;
        }
        let mut detached = Detached::new(head, decoder);
        match kept {
            _ if keep.is_none() => {}
            kept if self.inquiry.has_scripts() => self.inquiry.set_body(kept),
            ScriptBody::Whole(body) => detached.body = body,
            ScriptBody::Unread | ScriptBody::Missing => {}
        }
        self.detached = Some(detached);
        Ok(Ok(()))
    }

    /// Send what has been answered.
    async fn flush(&mut self) -> Result<(), Closed> {
        let flushed = self.io.flush(false).await;
        self.measure();
        flushed
    }

    /// Count how long what was just sent took: one look at the clock for all that one read brought.
    fn measure(&mut self) {
        let answered = std::mem::take(&mut self.answered);
        if answered > 0 {
            let took_ns = self.worker.clock.read_ns().saturating_sub(self.began_ns);
            self.worker.stats.latency.record(took_ns, u64::from(answered));
            self.began_ns = 0;
        }
    }

    async fn close(&mut self) -> Result<Protocol, Closed> {
        self.flush().await?;
        self.io.linger().await?;
        Ok(Protocol::Http1)
    }
}

/// Say what becomes of the connection, and end the head.
fn finish_head(out: &mut Vec<u8>, header: &str, close: bool, minor_version: u8) {
    out.extend_from_slice(header.as_bytes());
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
    let connection = Connection::new(worker, stream, Peer::new(Ipv4Addr::LOCALHOST.into(), 0));
    Ok(connection.run().await.output)
}
