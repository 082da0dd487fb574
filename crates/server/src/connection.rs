//! One HTTP/1 connection, from accept to close.
//!
//! The work alternates between two halves. [`Connection::next`] is synchronous: it parses and
//! answers as many buffered requests as it can, and says what it needs before it can go on.
//! [`Connection::run`] does that waiting. Nothing of a request lives across a wait but owned
//! values, so an idle connection is small, and a batch of pipelined requests that one read
//! brought is answered with one write.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zeroserve_host::{Body as ScriptBody, Incoming};
use zeroserve_http::body::{Decoder, Framing, Step as BodyStep};
use zeroserve_http::request::{Head, HeadLimits, Target, field_slots, parse};
use zeroserve_http::{Method, Reject, Request};
use zeroserve_vm::limits::SLICE_FUEL;

use crate::access_log::Line;
use crate::clock::Now;
use crate::endpoints::{Made, Reply};
use crate::peer::Peer;
use crate::pipeline::{self, Answer, Body, Scratch};
use crate::ruling;
use crate::scripted::{Progress, Scripted};
use crate::stream::Stream;
use crate::transfer::{Closed, Transfer, Wait};
use crate::view::{Loaded, Missing, View};
use crate::worker::Worker;

/// Bytes of buffered responses after which they are sent before more requests are looked at.
const FLUSH_BYTES: usize = 64 * 1024;

/// Bodies up to this size are copied behind their head and leave in the same write.
const MAX_COPIED_BYTES: u64 = 16 * 1024;

/// Script functions that may wait for a request body at a time, in all workers. Each holds two
/// mappings of the about 65,000 that the system allows a process; a slow client may take minutes.
const MAX_WAITING_FUNCTIONS: usize = 4096;

static WAITING_FUNCTIONS: AtomicUsize = AtomicUsize::new(0);

/// What the access log says of a request that a script left without answer.
const NO_RESPONSE: u16 = 444;

/// Bytes of an unfinished line after which it is looked at all the same, for the limits.
const REPARSE_BYTES: usize = 4 * 1024;

/// A client's connection and what has been read of it.
pub struct Connection<S> {
    worker: Rc<Worker>,
    io: Transfer<S>,
    peer: Peer,
    /// Head of the request whose body is being read, taken out of the input.
    detached: Option<Detached>,
    /// What the present request had to wait for: few, since each answer needs few.
    loaded: Vec<Loaded>,
    /// Bytes of an incomplete head that have been parsed in vain.
    parsed: usize,
    /// The scripts of the present request.
    scripted: Option<Scripted>,
    /// The answer, while scripts see its head.
    held: Option<Held>,
    /// For a request whose generation is no longer in force.
    old_view: Option<Box<View>>,
    /// What an endpoint has come to.
    made: Option<Box<Made>>,
    /// Since when the worker was free for the first request answered since the last send; 0 before.
    began_ns: u64,
    /// Requests answered since the last send.
    answered: u32,
}

/// An answer without its head, which is with the scripts.
struct Held {
    head: Vec<u8>,
    answer: Answer,
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
    /// A representation.
    Load(Missing),
    /// An endpoint.
    Make(Pin<Box<dyn Future<Output = Made>>>),
    /// Content too large to buffer; then on.
    Send { body: Body, line: Option<Line>, status: u16, close: bool },
    /// Everything goes out, then the connection ends.
    Close,
}

/// The place of the functions of a request among those that wait for a body.
struct Waiting(usize);

impl Waiting {
    fn new(functions: usize) -> Result<Self, Reject> {
        let waiting = Self(functions);
        let others = WAITING_FUNCTIONS.fetch_add(functions, Ordering::Relaxed);
        if others + functions > MAX_WAITING_FUNCTIONS { Err(Reject::Busy) } else { Ok(waiting) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING_FUNCTIONS.fetch_sub(self.0, Ordering::Relaxed);
    }
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
            loaded: Vec::new(),
            parsed: 0,
            scripted: None,
            held: None,
            old_view: None,
            made: None,
            began_ns: 0,
            answered: 0,
        }
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
                Step::Load(missing) => {
                    // What has been answered does not wait for it, nor do other connections.
                    let view = self.old_view.as_deref().unwrap_or(&self.worker.view);
                    // Taken before waiting: the key means nothing in another generation.
                    let generation = Arc::clone(&**view.generation());
                    self.flush().await?;
                    let now = self.worker.clock.now_s();
                    self.loaded.push(View::load(generation, missing, now).await);
                    tokio::task::yield_now().await;
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
        let mut fuel = 0;
        loop {
            if self.io.buffered_bytes() >= FLUSH_BYTES {
                return Step::Flush;
            }
            // Scripts of many requests that one read brought.
            if fuel >= SLICE_FUEL {
                return Step::Yield;
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
            let https_port = self.peer.front.https_port.filter(|_| !is_for_acme(&request));
            if self.held.is_none() && https_port.is_none() {
                if self.scripted.is_none() {
                    worker.view.refresh();
                    self.scripted = begin(&worker, &request, &self.peer);
                }
                if let Some(scripted) = &mut self.scripted {
                    match scripted.advance(&worker.view) {
                        Progress::Done => {}
                        Progress::Slice => return Step::Yield,
                        Progress::Body(_) if !framed => {
                            scripted.exchange.set_body(ScriptBody::Whole(Vec::new()));
                            continue;
                        }
                        // It came before there were scripts.
                        Progress::Body(_) if detached.is_some() => {
                            scripted.exchange.set_body(ScriptBody::Missing);
                            continue;
                        }
                        Progress::Body(keep) => {
                            let say_continue = request.expects_continue;
                            let decoder = Decoder::new(request.framing, limits.max_body_bytes);
                            let waiting = Waiting::new(scripted.depth());
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
                }
            }
            if detached.is_none() && framed {
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
            let unread = detached.is_none() && framed;
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
            let mut header = self.peer.front.header.as_str();
            let mut scratch = worker.scratch.take();
            let answered = match (made, &mut self.scripted, self.held.take()) {
                (Some(made), ..) => Ok(Ruled::Now(made.write(request.method, now, out))),
                (None, None, _) if https_port.is_some() => {
                    Ok(Ruled::Now(to_https(&request, https_port.unwrap_or(443), now, out)))
                }
                (None, None, _) => {
                    let (view, loaded) = (&worker.view, &self.loaded);
                    pipeline::respond(view, &request, now, loaded, &mut scratch, out)
                        .map(Ruled::Now)
                }
                (None, Some(scripted), held) => {
                    let view = match &mut self.old_view {
                        None if scripted.generation.number != worker.view.number() => {
                            let site = Arc::clone(worker.view.site());
                            let view = View::of(site, Rc::clone(&scripted.generation));
                            &**self.old_view.insert(Box::new(view))
                        }
                        None => &worker.view,
                        Some(view) => view,
                    };
                    rule(scripted, held, view, &request, now, &self.loaded, &mut scratch, out)
                }
            };
            worker.scratch.replace(scratch);
            let Answer { status, body } = match answered {
                Ok(Ruled::Now(answer)) => answer,
                Ok(Ruled::Held(held)) => {
                    self.held = Some(held);
                    return Step::Yield;
                }
                Ok(Ruled::Nothing) => {
                    let log = worker.log.as_ref();
                    if let Some(scripted) = &self.scripted {
                        scripted.count(&worker.stats);
                    }
                    let line = log
                        .map(|log| log.begin(&self.peer, Some(&request), worker.clock.precise()));
                    self.finish_line(line, NO_RESPONSE, 0);
                    return Step::Close;
                }
                Err(missing) => return Step::Load(missing),
            };
            if let Some(mut scripted) = self.scripted.take() {
                // A script's word counts, and a second one of that name would be none at all.
                if has_field_of(&out[start..], header) {
                    header = "";
                }
                fuel += scripted.fuel_since_slice();
                scripted.count(&worker.stats);
                worker.give_exchange(scripted.exchange);
                self.old_view = None;
            }
            worker.stats.answered(status);
            self.answered += 1;
            if let Some(endpoints) = &worker.endpoints {
                out.extend_from_slice(endpoints.fields().as_bytes());
            }
            let close = unread || !request.keep_alive || worker.draining.get();
            finish_head(out, header, close, request.minor_version);
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
                Body::Bytes(bytes) => {
                    self.io.append(&bytes);
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
        match (&mut self.scripted, kept) {
            _ if keep.is_none() => {}
            (Some(scripted), kept) => scripted.exchange.set_body(kept),
            (None, ScriptBody::Whole(body)) => detached.body = body,
            (None, ScriptBody::Unread | ScriptBody::Missing) => {}
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

    async fn close(&mut self) -> Result<(), Closed> {
        self.flush().await?;
        self.io.linger().await
    }
}

/// What the scripts of a request have come to.
enum Ruled {
    Now(Answer),
    /// Those that see the response are not done.
    Held(Held),
    /// The client gets no answer.
    Nothing,
}

/// Begin with the scripts, when there are any.
fn begin(worker: &Worker, request: &Request<'_, '_>, peer: &Peer) -> Option<Scripted> {
    let generation = worker.view.scripted()?;
    let mut exchange = worker.take_exchange();
    let incoming = Incoming {
        method: request.method.as_str(),
        target: origin_form(request),
        scheme: peer.scheme(),
        peer: &peer.address,
        version: (1, request.minor_version),
        tls: peer.tls(),
    };
    // The host in the target overrides that of the field (RFC 9112, section 3.2.2).
    let is_host = |name: &str| name.eq_ignore_ascii_case("host");
    let fields = request.headers();
    let fields = fields.map(|(name, v)| (name, if is_host(name) { request.host } else { v }));
    let named = request.host.is_empty() || request.headers().any(|(name, _)| is_host(name));
    exchange.begin(&incoming, fields.chain((!named).then_some(("Host", request.host))));
    Some(Scripted::new(generation, exchange))
}

/// Path and query of the target: what a script compares with `/private` has to begin there, also
/// when a client sends a whole URL.
fn origin_form<'b>(request: &Request<'_, 'b>) -> &'b str {
    let raw = request.raw_target;
    if request.target == Target::Asterisk {
        return "*";
    }
    if raw.starts_with('/') {
        return raw;
    }
    let rest = raw.split_once("://").map_or(raw, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// Answer as the scripts have it, and show the head to those that see responses.
#[allow(clippy::too_many_arguments)]
fn rule(
    scripted: &mut Scripted,
    held: Option<Held>,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Ruled, Missing> {
    let start = out.len();
    let mut answer = match held {
        Some(Held { head, answer }) => {
            out.extend_from_slice(&head);
            answer
        }
        None => {
            let answer = ruling::answer(scripted, view, request, now, loaded, scratch, out)?;
            let Some(answer) = answer else { return Ok(Ruled::Nothing) };
            if scripted.sees_response() {
                ruling::show(scripted, &out[start..], &answer);
            } else if !ruling::changes_head(scripted) {
                return Ok(Ruled::Now(answer));
            }
            answer
        }
    };
    loop {
        match scripted.advance(view) {
            Progress::Done => break,
            // The request's body is of the past.
            Progress::Body(_) => scripted.exchange.set_body(ScriptBody::Missing),
            Progress::Slice => {
                let head = out.split_off(start);
                return Ok(Ruled::Held(Held { head, answer }));
            }
        }
    }
    ruling::finish(scripted, request, now, &mut answer, start, out);
    Ok(Ruled::Now(answer))
}

/// Whether a certificate authority asks for its challenge, which it does without encryption
/// (RFC 8555, section 8.3).
fn is_for_acme(request: &Request<'_, '_>) -> bool {
    let Target::Path { path, .. } = request.target else { return false };
    // Nothing but the token: no way on to other files.
    let token = path.strip_prefix("/.well-known/acme-challenge/");
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    token.is_some_and(|token| token.bytes().all(fits))
}

/// Send the client to the same place over HTTPS.
fn to_https(request: &Request<'_, '_>, port: u16, now: Now, out: &mut Vec<u8>) -> Answer {
    let host = String::from_utf8_lossy(request.host);
    let end = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    if end == 0 {
        return pipeline::nowhere(request, now, out);
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let target = match origin_form(request) {
        "*" => "/",
        target => target,
    };
    pipeline::moved(&format!("https://{}{port}{target}", &host[..end]), request, now, out)
}

/// Whether a head has a field of the name that a header line begins with.
fn has_field_of(head: &[u8], line: &str) -> bool {
    let Some(name) = line.find(':').map(|colon| &line.as_bytes()[..=colon]) else { return false };
    let begins = |line: &[u8]| line.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
    head.split(|byte| *byte == b'\n').any(begins)
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
