//! A request of an HTTP/2 connection that an upstream answers.

use std::task::Context;

use zeroserve_http::h2::Code;
use zeroserve_proxy::Head;

use super::Connection;
use super::job::{Job, State, Upload};
use crate::access_log::Line;
use crate::cached::Answering;
use crate::inquiry::Passed;
use crate::passing;
use crate::pipeline::Answer;
use crate::ruling::has_no_content;
use crate::stream::Stream;

/// A request that was passed on.
pub(crate) struct Passing {
    passage: Box<Answering>,
    is_head: bool,
    line: Option<Line>,
    status: u16,
    /// Bytes of the answer's body.
    sent: u64,
    /// Bytes of the request's body.
    uploaded: u64,
    /// Whether the final head was sent.
    has_begun: bool,
    /// Seen by scripts that have not ended.
    head: Option<Head>,
    /// Whether it only waits for its turn.
    pub(crate) is_runnable: bool,
    /// Whether there may be something to do.
    pub(crate) has_moved: bool,
    /// Tick at which the client took something last, while something waits for it.
    since: u64,
    /// Content waits for the client.
    waits: bool,
}

impl Passing {
    /// A request whose body has come as far as `upload` says.
    pub(crate) fn new(
        passage: Box<Answering>,
        is_head: bool,
        line: Option<Line>,
        upload: &mut Upload,
    ) -> Box<Self> {
        let mut passing = Self {
            passage,
            is_head,
            line,
            status: 0,
            sent: 0,
            uploaded: 0,
            has_begun: false,
            head: None,
            is_runnable: false,
            has_moved: true,
            since: 0,
            waits: false,
        };
        if !upload.is_past {
            let kept = upload.take_kept();
            let end = upload.ended.then(|| std::mem::take(&mut upload.trailers));
            passing.upload(&kept, end, u64::MAX);
        }
        Box::new(passing)
    }

    /// A part of the request's body, with the trailers if it is the last; false when that is too
    /// long.
    pub(crate) fn upload(&mut self, content: &[u8], end: Option<Vec<u8>>, most: u64) -> bool {
        self.uploaded = self.uploaded.saturating_add(content.len() as u64);
        if self.passage.is_uploaded() {
            return true;
        }
        if !content.is_empty() {
            self.passage.upload(content);
        }
        if let Some(trailers) = end {
            self.passage.end_upload(&passing::trailers(&trailers));
        }
        self.has_moved = true;
        self.uploaded <= most
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let moved = self.passage.poll(cx);
        self.has_moved |= moved;
        moved
    }

    pub(crate) fn deadline(&self, write_timeout_s: u64) -> u64 {
        match self.waits {
            true => self.since.saturating_add(write_timeout_s).saturating_add(1),
            false => self.passage.deadline(),
        }
    }

    /// Some deadline has passed; whether the client is to hear no more.
    pub(crate) fn expire(&mut self, now: u64, write_timeout_s: u64, has_room: bool) -> bool {
        if self.waits {
            if has_room {
                // It waits for others, not for the client.
                self.since = now;
            }
            return self.since + write_timeout_s < now;
        }
        self.has_moved |= self.passage.expire(now);
        false
    }

    /// For the access log.
    pub(crate) fn into_line(self) -> (Option<Line>, u16, u64) {
        (self.line, if self.status == 0 { CLIENT_GONE } else { self.status }, self.sent)
    }
}

/// Status of a request whose client went away before its answer came, as nginx has it.
const CLIENT_GONE: u16 = 499;

impl<S: Stream> Connection<S> {
    /// Go on with a request that was passed on.
    pub(super) fn relay(&mut self, mut job: Job) {
        let State::Passing(passing) = &mut job.state else { return };
        let stream = job.stream;
        passing.has_moved = false;
        passing.is_runnable = false;
        if passing.passage.awaits_upload() {
            self.engine.refill(stream, self.io.out());
        }
        while let Some(head) = passing.passage.interim() {
            // The client hears it from us when scripts want the body.
            let mut text = Vec::new();
            passing::write_interim(&mut text, &head);
            self.engine.inform(stream, &text, self.io.out());
        }
        if !passing.has_begun {
            if let Some(head) = passing.head.take().or_else(|| passing.passage.head()) {
                return self.begin_passed(job, head);
            }
            if passing.passage.failure().is_some() {
                let line = passing.line.take();
                job.inquiry.fail(&self.worker, &passing.passage, line);
                // Whoever answers instead has no use for the body.
                job.upload.is_past = true;
                job.state = State::Runnable;
                return self.resume(job);
            }
            return self.jobs.push(job);
        }
        self.go_on(job);
    }

    /// Have a request that has become one of ours advance.
    fn resume(&mut self, mut job: Job) {
        let Job { stream, head, inquiry, upload, .. } = &mut job;
        if let Some(state) = self.advance(*stream, head, inquiry, upload) {
            self.jobs.push(Job { state, ..job });
        }
    }

    /// The upstream's head has come.
    fn begin_passed(&mut self, mut job: Job, head: Head) {
        let worker = self.worker.clone();
        let State::Passing(passing) = &mut job.state else { return };
        passing::note_head(&mut passing.line, &worker, &passing.passage);
        let mut text = worker.head_text.take();
        text.clear();
        let passed = job.inquiry.pass_head(&worker, &head, passing.is_head, &mut text);
        let (status, instead) = match passed {
            Passed::Slice => {
                worker.head_text.replace(text);
                (passing.head, passing.is_runnable, passing.has_moved) = (Some(head), true, true);
                return self.jobs.push(job);
            }
            Passed::Replaced => {
                worker.head_text.replace(text);
                let line = passing.line.take();
                job.inquiry.replaced(line);
                job.upload.is_past = true;
                let state = std::mem::replace(&mut job.state, State::Runnable);
                if let State::Passing(passing) = state {
                    passing.passage.let_go(&worker);
                }
                return self.resume(job);
            }
            Passed::Instead(Answer { status, body }) => (status, Some(body)),
            Passed::Stream(status) => (status, None),
        };
        text.extend_from_slice(job.inquiry.header(&text, &self.peer).as_bytes());
        self.fuel += job.inquiry.finish(&worker);
        if let Some(body) = instead {
            let line = passing.line.take();
            let state = self.send(job.stream, &text, line, Answer { status, body });
            worker.head_text.replace(text);
            if let Some(state) = state {
                self.jobs.push(Job { state, ..job });
            }
            return;
        }
        let bare = passing.is_head || has_no_content(status);
        let length = match head.length {
            // Of what is not sent, as in the answer to HEAD, the length is no promise.
            Some(_) if !bare && !head.has_content => Some(0),
            length => length,
        };
        if let Some(length) = length.filter(|_| status != 204) {
            passing::write_length(&mut text, length);
        }
        worker.stats.answered(status);
        self.answered += 1;
        if self.began_ns == 0 {
            self.began_ns = self.io.free_since_ns();
        }
        (passing.status, passing.has_begun) = (status, true);
        passing.since = worker.tick.get();
        let ends = bare || !head.has_content && passing.passage.trailers().is_empty();
        let out = self.io.out();
        self.engine.respond(job.stream, &text, ends, &mut worker.blocks.borrow_mut(), out);
        worker.head_text.replace(text);
        if ends {
            return self.end_job(job);
        }
        self.go_on(job);
    }

    /// More of the body may have come.
    fn go_on(&mut self, mut job: Job) {
        let State::Passing(passing) = &mut job.state else { return };
        let stream = job.stream;
        let passage = &passing.passage;
        if !passage.content().is_empty() {
            if !std::mem::replace(&mut passing.waits, true) {
                passing.since = self.worker.tick.get();
            }
            self.engine.queue(stream);
            return self.jobs.push(job);
        }
        self.engine.unqueue(stream);
        passing.waits = false;
        if passage.is_done() {
            let out = self.io.out();
            let trailers = passing::trailers(passage.trailers());
            if trailers.is_empty() {
                let now = self.worker.tick.get();
                self.engine.data_header(stream, 0, true, now, out);
                self.engine.end_sending(stream, out);
            } else {
                self.engine.trailers(stream, &trailers, out);
            }
            return self.end_job(job);
        }
        if let Some(failure) = passage.failure() {
            passing::note_failure(&mut passing.line, passage, failure);
            self.engine.reset(stream, Code::Internal, self.io.out());
            return self.end_job(job);
        }
        self.jobs.push(job);
    }

    /// Send a frame of what is at hand of a body; false when the connection has to end.
    pub(super) fn pump_passing(&mut self, at: usize) -> bool {
        let job = &mut self.jobs[at];
        let State::Passing(passing) = &mut job.state else { return false };
        let stream = job.stream;
        let now = self.worker.tick.get();
        let out = self.io.out();
        let content = passing.passage.content();
        let len = content.len().min(self.engine.room(stream));
        if len > 0 {
            let start = out.len();
            if len == content.len() {
                self.engine.whole_data_header(stream, len, false, out);
            } else if !self.engine.data_header(stream, len, false, now, out) {
                out.truncate(start);
                self.engine.fail(Code::EnhanceYourCalm, out);
                return false;
            }
            out.extend_from_slice(&content[..len]);
            passing.passage.consume(len);
            passing.sent += len as u64;
            passing.since = now;
            if passing.passage.is_done() && passing.passage.trailers().is_empty() {
                self.engine.mark_last(start, out);
                self.engine.end_sending(stream, out);
                let job = self.jobs.remove(at);
                self.end_job(job);
                return true;
            }
        }
        if passing.passage.content().is_empty() {
            let job = self.jobs.remove(at);
            self.go_on(job);
        }
        true
    }
}
