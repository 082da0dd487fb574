//! One HTTP/2 connection: the requests under way on it, and who of them has the word.
//!
//! All frames that one read brought are looked at before anything is sent, so that the answers to
//! all of them leave in one write. A request that is answered at once never becomes a [`Job`];
//! one that waits for its scripts, its body, a file or its client is kept as one. [`Engine`] knows
//! the protocol, [`Inquiry`] what a request means; here is only the waiting.

mod job;
mod outgoing;
mod passing;

use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use zeroserve_http::h2::{Bounds, Code, Engine, Event, FieldList, RequestHead};
use zeroserve_http::request::HeadLimits;
use zeroserve_http::{Method, Reject, Request, body::Framing};
use zeroserve_vm::limits::SLICE_FUEL;

use crate::access_log::Line;

use crate::inquiry::{Inquiry, NO_RESPONSE, Turn};
use crate::limits::Limits;
use crate::live;
use crate::notice::Notice;
use crate::peer::Peer;
use crate::pipeline::{self, Answer, Body};
use crate::scripted::Progress;
use crate::stream::Stream;
use crate::transfer::{Closed, Plan, Transfer};
use crate::view::View;
use crate::worker::Worker;
use job::{Job, State, Upload};
use outgoing::{Outgoing, append};
use passing::Passing;

/// Bytes of buffered answers after which they are sent before more frames are looked at.
const FLUSH_BYTES: usize = 64 * 1024;

/// Bodies up to this size follow their head at once, if the windows allow.
const MAX_COPIED_BYTES: u64 = 16 * 1024;

/// Bytes of request bodies that scripts of one connection may have kept together, unless one body
/// alone may be longer; beyond it 503.
const MAX_KEPT_BYTES: u64 = 4 * 1024 * 1024;

/// Seconds that a client has to hear of the connection's end, after which it takes no more
/// requests.
const DRAIN_S: u64 = 2;

static CUT_SHORT: Notice = Notice::new();

/// Serve a client that speaks HTTP/2, whose preface is in the input or still to come, until either
/// side closes; returns the stream.
pub async fn serve<S: Stream>(worker: Rc<Worker>, mut io: Transfer<S>, peer: Peer) -> S {
    let engine = Engine::new(bounds(&worker.limits), io.out());
    let now = worker.tick.get();
    let mut connection = Connection {
        worker,
        io,
        peer,
        engine,
        jobs: Vec::new(),
        kept_bytes: 0,
        fuel: 0,
        head_since: None,
        idle_since: now,
        write_since: now,
        drain_since: None,
        ended: false,
        began_ns: 0,
        answered: 0,
    };
    // Every failure has ended the connection already; who cares has been told.
    let _ = connection.serve().await;
    connection.give_up();
    connection.io.into_stream()
}

fn bounds(limits: &Limits) -> Bounds {
    let short = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
    Bounds {
        head: HeadLimits {
            request_line_bytes: limits.max_request_line_bytes as usize,
            header_bytes: limits.max_header_bytes as usize,
            header_fields: limits.max_header_fields as usize,
        },
        streams: short(limits.max_http2_streams),
        stream_window: short(limits.http2_window_bytes),
        connection_window: short(limits.http2_connection_window_bytes),
        continuations: short(limits.max_http2_continuations),
        resets: short(limits.max_http2_resets),
        faults: short(limits.max_http2_faults),
        settings: short(limits.max_http2_settings),
        pings: short(limits.max_http2_pings),
        empty_frames: short(limits.max_http2_empty_frames),
        other_frames: short(limits.max_http2_other_frames),
        small_frames: short(limits.max_http2_small_frames),
    }
}

struct Connection<S> {
    worker: Rc<Worker>,
    io: Transfer<S>,
    peer: Peer,
    engine: Engine,
    /// Requests that wait, in the order in which they began to.
    jobs: Vec<Job>,
    /// Bytes of request bodies that are kept.
    kept_bytes: usize,
    /// Fuel used since other connections had their turn.
    fuel: u64,
    /// Tick at which the frame or head that is not complete began.
    head_since: Option<u64>,
    /// Tick at which the last request was over.
    idle_since: u64,
    /// Tick at which the client took something last.
    write_since: u64,
    /// Tick at which the client was told that the server drains.
    drain_since: Option<u64>,
    /// Whether the client will send no more.
    ended: bool,
    /// Since when the worker was free for the first request answered since the last send; 0 before.
    began_ns: u64,
    /// Requests answered since the last send.
    answered: u32,
}

impl<S: Stream> Connection<S> {
    async fn serve(&mut self) -> Result<(), Closed> {
        loop {
            self.receive();
            if !self.engine.has_failed() {
                self.run_jobs();
                self.pump();
            }
            if self.is_over() {
                return self.io.finish().await;
            }
            let plan = self.plan();
            let jobs = &mut self.jobs;
            let turned = self.io.turn(plan, |cx| poll_loads(jobs, cx)).await?;
            if turned.sent {
                self.write_since = self.worker.tick.get();
                self.measure();
            }
            self.ended |= turned.ended;
            if turned.draining && self.drain_since.is_none() {
                self.drain_since = Some(self.worker.tick.get());
                self.engine.begin_drain(self.io.out());
            }
            if turned.expired {
                self.expire()?;
            }
            if !plan.wait {
                self.fuel = 0;
                tokio::task::yield_now().await;
            }
        }
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

    /// What to wait for, and until when.
    fn plan(&mut self) -> Plan {
        let limits = &self.worker.limits;
        let now = self.worker.tick.get();
        let unsent = self.io.buffered_bytes();
        let mut deadline = u64::MAX;
        if unsent > 0 {
            deadline = self.write_since + limits.write_timeout_s;
        } else {
            self.write_since = now;
        }
        if let Some(since) = self.head_since {
            deadline = deadline.min(since + self.head_timeout());
        }
        if let Some(since) = self.drain_since.filter(|_| !self.engine.takes_no_more()) {
            deadline = deadline.min(since + DRAIN_S);
        }
        let mut runnable = self.fuel >= SLICE_FUEL;
        for job in &self.jobs {
            match &job.state {
                State::Runnable => runnable = true,
                State::Fetching(_)
                | State::Loading(_)
                | State::Waiting(_)
                | State::Verifying(_) => {}
                State::Passing(passing) => {
                    runnable |= passing.is_runnable;
                    deadline = deadline.min(passing.deadline(limits.write_timeout_s));
                }
                State::Receiving { deadline: until } => deadline = deadline.min(*until),
                State::Sending { since, .. } => {
                    deadline = deadline.min(since + limits.write_timeout_s);
                }
            }
        }
        if self.jobs.is_empty() {
            deadline = deadline.min(self.idle_since + limits.idle_timeout_s);
        } else {
            self.idle_since = now;
        }
        let full = unsent >= FLUSH_BYTES;
        Plan {
            read: !full && !self.ended,
            more: full || self.engine.next_sender().is_some(),
            wait: !runnable,
            idle: self.jobs.is_empty() && unsent == 0 && self.io.input().is_empty(),
            knows_drain: self.drain_since.is_some(),
            deadline,
        }
    }

    /// Seconds for what has begun to be read: a body may take longer than a head.
    fn head_timeout(&self) -> u64 {
        let limits = &self.worker.limits;
        let in_data = !self.engine.in_head() && self.io.input().get(3) == Some(&0);
        if in_data { limits.body_timeout_s } else { limits.header_timeout_s }
    }

    /// Some deadline has passed.
    fn expire(&mut self) -> Result<(), Closed> {
        let worker = Rc::clone(&self.worker);
        let limits = &worker.limits;
        let now = self.worker.tick.get();
        if self.io.buffered_bytes() > 0 && self.write_since + limits.write_timeout_s <= now {
            return Err(Closed::TimedOut);
        }
        if self.head_since.is_some_and(|since| since + self.head_timeout() <= now) {
            self.engine.fail(Code::EnhanceYourCalm, self.io.out());
            return Ok(());
        }
        let drained = self.drain_since.is_some_and(|since| since + DRAIN_S <= now);
        let idle = self.jobs.is_empty() && self.idle_since + limits.idle_timeout_s <= now;
        if drained || idle {
            self.engine.finish_drain(self.io.out());
        }
        let write_timeout_s = limits.write_timeout_s;
        for mut job in std::mem::take(&mut self.jobs) {
            match &mut job.state {
                State::Receiving { deadline } if *deadline <= now => {
                    self.kept_bytes -= job.upload.kept_bytes();
                    job.upload = Upload::default();
                    job.inquiry.finish(&worker);
                    if let Some(state) = self.refuse(job.stream, Reject::TimedOut) {
                        self.jobs.push(Job { state, ..job });
                    }
                }
                State::Sending { since, .. } if *since + write_timeout_s <= now => {
                    if self.engine.room(job.stream) > 0 {
                        // It waits for others, not for the client.
                        *since = now;
                        self.jobs.push(job);
                    } else {
                        self.engine.reset(job.stream, Code::Cancel, self.io.out());
                        self.end_job(job);
                    }
                }
                State::Passing(passing) => {
                    if passing.expire(now, write_timeout_s, self.engine.room(job.stream) > 0) {
                        self.engine.reset(job.stream, Code::Cancel, self.io.out());
                        self.end_job(job);
                    } else {
                        self.jobs.push(job);
                    }
                }
                _ => self.jobs.push(job),
            }
        }
        Ok(())
    }

    /// Whether nothing is left to be done.
    fn is_over(&self) -> bool {
        if self.engine.has_failed() {
            return true;
        }
        if self.jobs.is_empty() && self.engine.open_streams() == 0 {
            return self.ended || self.engine.takes_no_more();
        }
        let goes_on = |job: &Job| {
            matches!(
                job.state,
                State::Fetching(_)
                    | State::Loading(_)
                    | State::Verifying(_)
                    | State::Runnable
                    | State::Passing(_)
            )
        };
        self.ended && self.engine.next_sender().is_none() && !self.jobs.iter().any(goes_on)
    }

    /// Look at frames until there are no more, or what they ask for has to be sent first.
    fn receive(&mut self) {
        let now = self.worker.tick.get();
        let mut taken = false;
        while self.io.buffered_bytes() < FLUSH_BYTES && self.fuel < SLICE_FUEL {
            // A buffer for the answers.
            self.io.out();
            let (input, out) = self.io.buffers();
            if input.is_empty() {
                break;
            }
            let step = self.engine.step(input, now, out);
            match step.event {
                Event::Incomplete if step.used == 0 => break,
                Event::Incomplete | Event::Nothing | Event::Failed => {}
                Event::Request { stream, ended, verdict } => self.begin(stream, ended, verdict),
                Event::Data { stream, content, ended } => self.upload(stream, content, ended),
                Event::Gone { stream } => {
                    if let Some(job) = self.take_job(stream) {
                        self.end_job(job);
                    }
                }
            }
            self.io.consume_input(step.used);
            taken = true;
            if self.engine.has_failed() {
                break;
            }
        }
        let begun = self.engine.in_head() || !self.io.input().is_empty();
        if !begun {
            self.head_since = None;
        } else if self.head_since.is_none() || taken && !self.engine.in_head() {
            self.head_since = Some(now);
        }
    }

    fn take_job(&mut self, stream: u32) -> Option<Job> {
        let at = self.jobs.iter().position(|job| job.stream == stream)?;
        Some(self.jobs.remove(at))
    }

    /// A request whose stream is over.
    fn end_job(&mut self, mut job: Job) {
        self.kept_bytes -= job.upload.kept_bytes();
        match job.state {
            State::Sending { line, status, sent, .. } => self.finish_line(line, status, sent),
            State::Passing(passing) => {
                let (line, status, sent) = passing.into_line();
                self.finish_line(line, status, sent);
            }
            _ => {}
        }
        job.inquiry.finish(&self.worker);
    }

    /// The connection is over.
    fn give_up(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            self.end_job(job);
        }
    }

    fn begin(&mut self, stream: u32, ended: bool, verdict: Result<(), Reject>) {
        self.idle_since = self.worker.tick.get();
        if let Err(reject) = verdict {
            if let Some(state) = self.refuse(stream, reject) {
                self.jobs.push(Job {
                    stream,
                    head: RequestHead::default(),
                    inquiry: Inquiry::default(),
                    upload: Upload::new(ended),
                    state,
                });
            }
            return;
        }
        let head = std::mem::take(&mut self.engine.head);
        let mut inquiry = Inquiry::default();
        let mut upload = Upload::new(ended);
        match self.advance(stream, &head, &mut inquiry, &mut upload) {
            None => self.engine.head = head,
            Some(state) => self.jobs.push(Job { stream, head, inquiry, upload, state }),
        }
    }

    /// A part of a request body, at that place of the input.
    fn upload(&mut self, stream: u32, content: std::ops::Range<usize>, ended: bool) {
        let trailers = if ended { self.engine.take_trailers() } else { Vec::new() };
        let limits = &self.worker.limits;
        let Some(job) = self.jobs.iter_mut().find(|job| job.stream == stream) else { return };
        // It has its answer already.
        if matches!(job.state, State::Sending { .. }) {
            return;
        }
        if let State::Passing(passing) = &mut job.state {
            let end = ended.then_some(trailers);
            let most = job.inquiry.upload_limit(limits);
            let fits = passing.upload(&self.io.input()[content], end, most);
            job.upload.ended = ended;
            if !fits {
                self.engine.reset(stream, Code::Cancel, self.io.out());
                if let Some(job) = self.take_job(stream) {
                    self.end_job(job);
                }
            }
            return;
        }
        let upload = &mut job.upload;
        upload.ended = ended;
        upload.trailers = trailers;
        self.kept_bytes += upload.add(&self.io.input()[content], limits.max_body_bytes);
        let reject = if upload.total > limits.max_body_bytes {
            Some(Reject::BodyTooLarge)
        } else if self.kept_bytes as u64 > MAX_KEPT_BYTES.max(limits.max_body_bytes) {
            Some(Reject::Busy)
        } else {
            None
        };
        if let State::Receiving { deadline } = &mut job.state {
            *deadline = self.worker.tick.get() + limits.body_timeout_s;
        }
        if let Some(reject) = reject {
            let Some(mut job) = self.take_job(stream) else { return };
            self.kept_bytes -= job.upload.kept_bytes();
            job.upload = Upload::default();
            job.inquiry.finish(&self.worker);
            if let Some(state) = self.refuse(stream, reject) {
                self.jobs.push(Job { state, ..job });
            }
        } else if ended && matches!(job.state, State::Receiving { .. }) {
            if let Some((keep, _)) = upload.wanted.take() {
                self.kept_bytes -= upload.kept_bytes();
                let body = upload.take(keep);
                job.inquiry.set_body(body);
            }
            upload.is_past = true;
            job.state = State::Runnable;
        }
    }

    /// Give every request that can go on its turn.
    fn run_jobs(&mut self) {
        let can_go_on = |job: &Job| match &job.state {
            State::Runnable => true,
            State::Passing(passing) => passing.has_moved,
            _ => false,
        };
        if !self.jobs.iter().any(can_go_on) {
            return;
        }
        for mut job in std::mem::take(&mut self.jobs) {
            if !can_go_on(&job) {
                self.jobs.push(job);
                continue;
            }
            if matches!(job.state, State::Passing(_)) {
                self.relay(job);
                continue;
            }
            let Job { stream, head, inquiry, upload, .. } = &mut job;
            match self.advance(*stream, head, inquiry, upload) {
                Some(state) => self.jobs.push(Job { state, ..job }),
                None => self.kept_bytes -= job.upload.kept_bytes(),
            }
        }
    }

    /// Bring a request as far as it comes; `None` when its answer is complete.
    fn advance(
        &mut self,
        stream: u32,
        head: &RequestHead,
        inquiry: &mut Inquiry,
        upload: &mut Upload,
    ) -> Option<State> {
        let worker = Rc::clone(&self.worker);
        let limits = &worker.limits;
        let mut list = FieldList::new();
        let request = match head.request(&mut list) {
            Ok(request) => request,
            Err(reject) => return self.refuse(stream, reject),
        };
        let framed = request.framing != Framing::None;
        let too_long =
            matches!(request.framing, Framing::Length(len) if len > limits.max_body_bytes);
        let receiving = || State::Receiving { deadline: worker.tick.get() + limits.body_timeout_s };
        loop {
            match inquiry.run_scripts(&worker, &request, &self.peer) {
                Progress::Done => break,
                Progress::Slice => {
                    upload.is_kept |= framed && !upload.is_past;
                    return Some(State::Runnable);
                }
                Progress::Password => {
                    upload.is_kept |= framed && !upload.is_past;
                    return Some(State::Verifying(inquiry.verify_password()));
                }
                Progress::Fetch => {
                    upload.is_kept |= framed && !upload.is_past;
                    // Nobody knows yet who takes its body, or how much of it.
                    self.engine.hold(stream);
                    return Some(match inquiry.fetch(&worker) {
                        Some(fetching) => State::Fetching(fetching),
                        None => State::Runnable,
                    });
                }
                Progress::Body(_) if !framed => {
                    inquiry.set_body(zeroserve_host::Body::Whole(Vec::new()));
                }
                Progress::Body(_) if upload.is_past => {
                    inquiry.set_body(zeroserve_host::Body::Missing);
                }
                Progress::Body(keep) if upload.ended => {
                    self.kept_bytes -= upload.kept_bytes();
                    inquiry.set_body(upload.take(keep));
                }
                Progress::Body(_) if too_long => {
                    inquiry.finish(&worker);
                    return self.refuse(stream, Reject::BodyTooLarge);
                }
                Progress::Body(keep) => {
                    let waiting = match inquiry.wait_for_body() {
                        Ok(waiting) => waiting,
                        Err(reject) => {
                            inquiry.finish(&worker);
                            return self.refuse(stream, reject);
                        }
                    };
                    if request.expects_continue && upload.total == 0 {
                        self.engine.say_continue(stream, self.io.out());
                    }
                    upload.is_kept = true;
                    upload.wanted = Some((keep, waiting));
                    self.engine.release(stream, self.io.out());
                    return Some(receiving());
                }
            }
        }
        // Nobody will read this body: answering now spares the client from sending it.
        let unwanted = matches!(request.method, Method::Other(_)) && request.expects_continue;
        let passed_on = inquiry.is_passed_on();
        if framed && !upload.is_past && !upload.ended && !unwanted && !passed_on {
            if too_long {
                inquiry.finish(&worker);
                return self.refuse(stream, Reject::BodyTooLarge);
            }
            if request.expects_continue && upload.total == 0 {
                self.engine.say_continue(stream, self.io.out());
            }
            self.kept_bytes -= upload.kept_bytes();
            upload.take(0);
            upload.is_past = false;
            self.engine.release(stream, self.io.out());
            return Some(receiving());
        }
        let mut text = worker.head_text.take();
        text.clear();
        let turn = inquiry.answer(&worker, &request, &self.peer, &mut text);
        let state = match turn {
            Turn::Answered(answer) => {
                text.extend_from_slice(inquiry.header(&text, &self.peer).as_bytes());
                let mut line = match inquiry.is_silent() {
                    true => None,
                    false => self.begin_line(Some(&request), || inquiry.started(&worker)),
                };
                if let (Some(line), Some(asked)) = (&mut line, inquiry.take_asked()) {
                    line.upstream = Some(asked);
                }
                self.fuel += inquiry.finish(&worker);
                self.send(stream, &text, line, answer)
            }
            Turn::Slice => Some(State::Runnable),
            Turn::Pass(passage) => {
                let mut line = match inquiry.is_silent() {
                    true => None,
                    false => self.begin_line(Some(&request), || inquiry.started(&worker)),
                };
                crate::passing::note(&mut line, &worker, &passage);
                self.kept_bytes -= upload.kept_bytes();
                let is_head = request.method == Method::Head;
                self.engine.hold(stream);
                Some(State::Passing(Passing::new(passage, is_head, line, upload)))
            }
            Turn::Nothing => {
                let line = self.begin_line(Some(&request), || inquiry.started(&worker));
                inquiry.finish(&worker);
                self.finish_line(line, NO_RESPONSE, 0);
                self.engine.reset(stream, Code::Cancel, self.io.out());
                None
            }
            Turn::Wait(watch) => {
                Some(State::Waiting(Box::pin(live::wait(Rc::clone(&worker), watch))))
            }
            Turn::Load(missing) => {
                let now = worker.clock.now_s();
                inquiry.generation().map(|generation| {
                    State::Loading(Box::pin(View::load(generation, missing, now)))
                })
            }
        };
        worker.head_text.replace(text);
        state
    }

    fn begin_line(
        &self,
        request: Option<&Request<'_, '_>>,
        started: impl FnOnce() -> Duration,
    ) -> Option<Line> {
        let log = self.worker.log.as_ref()?;
        Some(log.begin(&self.peer, request, started()))
    }

    fn finish_line(&self, line: Option<Line>, status: u16, bytes: u64) {
        if let (Some(log), Some(line)) = (self.worker.log.as_ref(), line) {
            let now = self.worker.clock.precise();
            log.end(&line, status, bytes, now, &self.worker.stats.log_lines_dropped);
        }
    }

    /// Answer a request that is refused by its form; only its stream ends.
    fn refuse(&mut self, stream: u32, reject: Reject) -> Option<State> {
        let mut text = self.worker.head_text.take();
        text.clear();
        let answer = pipeline::refuse(reject, self.worker.clock.now(), &mut text);
        text.extend_from_slice(self.peer.front.header.as_bytes());
        let line = self.begin_line(None, || self.worker.clock.precise());
        let state = self.send(stream, &text, line, answer);
        self.worker.head_text.replace(text);
        state
    }

    /// Append an answer, or begin to.
    fn send(
        &mut self,
        stream: u32,
        head: &[u8],
        line: Option<Line>,
        answer: Answer,
    ) -> Option<State> {
        let Answer { status, body } = answer;
        self.worker.stats.answered(status);
        self.answered += 1;
        if self.began_ns == 0 {
            self.began_ns = self.io.free_since_ns();
        }
        let size = body.size();
        let worker = &*self.worker;
        let out = self.io.out();
        self.engine.respond(stream, head, size == 0, &mut worker.blocks.borrow_mut(), out);
        if size == 0 {
            self.finish_line(line, status, 0);
            return None;
        }
        let now = worker.tick.get();
        if size <= MAX_COPIED_BYTES && self.engine.room(stream) as u64 >= size {
            let start = out.len();
            self.engine.data_header(stream, size as usize, true, now, out);
            let appended = match &body {
                Body::Part(local, part) => append(local, part.start, size as usize, out),
                Body::Bytes(bytes) => {
                    out.extend_from_slice(bytes);
                    Ok(())
                }
                Body::Shared(bytes) => {
                    out.extend_from_slice(bytes);
                    Ok(())
                }
                _ => Outgoing::new(body).fill(size as usize, out),
            };
            if appended.is_ok() {
                self.engine.end_sending(stream, out);
                self.finish_line(line, status, size);
            } else {
                self.cut_short(stream, start);
                self.finish_line(line, status, 0);
            }
            return None;
        }
        self.engine.queue(stream);
        Some(State::Sending { body: Outgoing::new(body), line, status, sent: 0, since: now })
    }

    /// The head has promised more than there is: the frame that begins at `start` is taken back.
    fn cut_short(&mut self, stream: u32, start: usize) {
        CUT_SHORT.say("a file was cut short while it was being sent: stream ended");
        let out = self.io.out();
        out.truncate(start);
        self.engine.reset(stream, Code::Internal, out);
    }

    /// Append parts of the bodies that wait, the most urgent first.
    fn pump(&mut self) {
        let now = self.worker.tick.get();
        while self.io.buffered_bytes() < FLUSH_BYTES {
            let Some(stream) = self.engine.next_sender() else { return };
            let room = self.engine.room(stream);
            let at = self.jobs.iter().position(|job| job.stream == stream);
            let Some((at, job)) = at.map(|at| (at, &mut self.jobs[at])) else { return };
            if matches!(job.state, State::Passing(_)) {
                if !self.pump_passing(at) {
                    return;
                }
                continue;
            }
            let State::Sending { body, sent, since, .. } = &mut job.state else { return };
            let len = usize::try_from(body.left()).unwrap_or(usize::MAX).min(room);
            let last = len as u64 == body.left();
            let out = self.io.out();
            let start = out.len();
            let fits = self.engine.data_header(stream, len, last, now, out);
            if !fits {
                out.truncate(start);
                self.engine.fail(Code::EnhanceYourCalm, out);
                return;
            }
            let filled = body.fill(len, out);
            (*sent, *since) = (*sent + len as u64, now);
            if filled.is_err() {
                self.cut_short(stream, start);
            } else if last {
                self.engine.end_sending(stream, out);
            } else {
                continue;
            }
            let job = self.jobs.remove(at);
            self.end_job(job);
        }
    }
}

/// Go on with what is being loaded; true when something was.
fn poll_loads(jobs: &mut [Job], cx: &mut Context<'_>) -> bool {
    let mut any = false;
    for job in jobs {
        if let State::Loading(load) = &mut job.state
            && let std::task::Poll::Ready(loaded) = load.as_mut().poll(cx)
        {
            job.inquiry.add(loaded);
            job.state = State::Runnable;
            any = true;
        }
        if let State::Fetching(fetching) = &mut job.state
            && let std::task::Poll::Ready(outcome) = fetching.as_mut().poll(cx)
        {
            job.inquiry.set_fetched(outcome);
            job.state = State::Runnable;
            any = true;
        }
        if let State::Waiting(wait) = &mut job.state
            && wait.as_mut().poll(cx).is_ready()
        {
            job.inquiry.waited();
            job.state = State::Runnable;
            any = true;
        }
        if let State::Verifying(verifying) = &mut job.state
            && let std::task::Poll::Ready(verdict) = verifying.as_mut().poll(cx)
        {
            job.inquiry.set_verdict(verdict);
            job.state = State::Runnable;
            any = true;
        }
        if let State::Passing(passing) = &mut job.state {
            any |= passing.poll(cx);
        }
    }
    any
}
