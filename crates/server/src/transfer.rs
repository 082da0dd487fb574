//! Bytes in and out of one connection: its buffers, its deadlines, its end.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::notice::Notice;
use crate::pipeline::Body;
use crate::stream::Stream;
use crate::view::Local;
use crate::worker::Worker;
use zeroserve_http::range::Part;

/// Bytes that a read asks for; also what a buffer begins with.
pub const READ_BYTES: usize = 16 * 1024;

/// Most bytes that one system call sends from a file, so that one client with a fat pipe does
/// not hold up the others of its worker.
const SEND_FILE_BYTES: u64 = 1024 * 1024;

/// Most bytes that one system call copies from memory. Measured: 100 KiB in two sends cost 24 us,
/// in one 28 us, since the kernel's buffers are still in the cache when they are used again.
const SEND_BYTES: usize = 64 * 1024;

/// Seconds that a connection on which nothing was sent yet is waited for while the server drains:
/// its client may have connected a moment ago, and closing would lose its request.
const FIRST_REQUEST_S: u64 = 1;

/// Seconds that a closing connection waits for the client to close too, and bytes that it reads
/// past meanwhile: closing on unread bytes makes the system reset the connection, which can
/// destroy the answer on its way.
pub(crate) const LINGER_S: u64 = 2;
pub(crate) const LINGER_BYTES: usize = 256 * 1024;

static CUT_SHORT: Notice = Notice::new();

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client closed, or the connection broke.
    ByPeer,
    /// A deadline passed.
    TimedOut,
    /// Idle while the server drains.
    Drained,
    /// The bytes to be sent are gone.
    Truncated,
}

impl From<io::Error> for Closed {
    fn from(_: io::Error) -> Self {
        Self::ByPeer
    }
}

/// What a read waits for: each has its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// The client's close.
    Linger,
}

/// What one [`Transfer::turn`] is to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whether more input is of use now.
    pub read: bool,
    /// Whether there is more to send once something was sent.
    pub more: bool,
    /// Whether to wait for something to happen.
    pub wait: bool,
    /// Whether nothing is under way, so that buffers can be lent to others.
    pub idle: bool,
    /// Whether it is known already that the server drains.
    pub knows_drain: bool,
    /// Tick until which to wait.
    pub deadline: u64,
}

/// What happened in a [`Transfer::turn`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Turned {
    /// Some bytes were sent.
    pub sent: bool,
    /// The client will send no more.
    pub ended: bool,
    /// The deadline passed.
    pub expired: bool,
    /// The server drains.
    pub draining: bool,
}

/// What a worker knows of a connection while it waits.
#[derive(Default)]
pub struct Life {
    /// Tick at which it is over; `u64::MAX` when there is no deadline.
    pub deadline: Cell<u64>,
    expired: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Life {
    /// The deadline passed, or the server drains: have the connection look.
    pub fn expire(&self) {
        self.expired.set(true);
        self.wake();
    }

    /// Have the connection look around.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether `expire` was called since this was asked last.
    pub fn take_expired(&self) -> bool {
        self.expired.take()
    }

    /// Have `wake` wake this task.
    pub fn watch(&self, cx: &Context<'_>) {
        let waker = self.waker.take().filter(|waker| waker.will_wake(cx.waker()));
        self.waker.set(Some(waker.unwrap_or_else(|| cx.waker().clone())));
    }
}

/// A connection's place among those of its worker, given back however the connection ends.
pub struct Registration {
    worker: Rc<Worker>,
    /// What the worker knows of it.
    pub life: Rc<Life>,
    slot: usize,
}

impl Registration {
    /// Take a place; there is no deadline yet.
    pub fn new(worker: Rc<Worker>) -> Self {
        let life = Rc::new(Life::default());
        life.deadline.set(u64::MAX);
        let slot = worker.lives.borrow_mut().insert(Rc::clone(&life));
        Self { worker, life, slot }
    }

    /// Whether the server drains; when it begins to, the task is woken.
    pub fn is_draining(&self, cx: &Context<'_>) -> bool {
        self.life.watch(cx);
        self.worker.draining.get()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.worker.lives.borrow_mut().try_remove(self.slot);
    }
}

/// A stream with its buffers.
pub struct Transfer<S> {
    worker: Rc<Worker>,
    stream: S,
    life: Rc<Life>,
    _registration: Registration,
    /// Bytes read; those before `start` are used up, those from `end` on are free.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether nothing was read yet.
    is_fresh: bool,
    out: Vec<u8>,
    /// Bytes of `out` that were sent already, by [`Transfer::turn`].
    out_sent: usize,
    sent: u64,
    /// Since when the worker was free for what was read last.
    free_since_ns: u64,
    /// Tick at which what is being read in several parts has to be complete: a head, or the
    /// client's last bytes.
    whole_deadline: Option<u64>,
}

impl<S: Stream> Transfer<S> {
    /// Register with the worker.
    pub fn new(worker: Rc<Worker>, stream: S) -> Self {
        let registration = Registration::new(Rc::clone(&worker));
        Self {
            worker,
            stream,
            life: Rc::clone(&registration.life),
            _registration: registration,
            input: Vec::new(),
            start: 0,
            end: 0,
            is_fresh: true,
            out: Vec::new(),
            out_sent: 0,
            sent: 0,
            free_since_ns: 0,
            whole_deadline: None,
        }
    }

    /// The stream, when all is done.
    pub fn into_stream(mut self) -> S {
        self.release_buffers();
        self.stream
    }

    /// Bytes read and not used up.
    pub fn input(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    /// Use up empty lines, which may stand before a request (RFC 9112, section 2.2); true when
    /// something else follows.
    pub fn skip_empty_lines(&mut self) -> bool {
        let input = self.input();
        let mut empty = 0;
        while input[empty..].starts_with(b"\r\n") {
            empty += 2;
        }
        let more = !matches!(&input[empty..], b"" | b"\r");
        if empty > 0 {
            self.consume_input(empty);
        }
        more
    }

    /// The buffer for what will be sent.
    pub fn out(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = self.worker.take_buffer();
        }
        &mut self.out
    }

    /// Bytes read and not used up, and the buffer for what will be sent.
    pub fn buffers(&mut self) -> (&[u8], &mut Vec<u8>) {
        (&self.input[self.start..self.end], &mut self.out)
    }

    /// Use up bytes of the input.
    pub fn consume_input(&mut self, n: usize) {
        self.start += n;
        self.whole_deadline = None;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Use up bytes of the input and keep a copy.
    pub fn take_input(&mut self, n: usize) -> Vec<u8> {
        let taken = self.input()[..n].to_vec();
        self.consume_input(n);
        taken
    }

    /// Bytes waiting to be sent.
    pub fn buffered_bytes(&self) -> usize {
        self.out.len() - self.out_sent
    }

    /// The buffer for what will be sent, and how many bytes at its front were sent already.
    pub fn unsent(&mut self) -> (&mut Vec<u8>, &mut usize) {
        (&mut self.out, &mut self.out_sent)
    }

    /// After the last [`Transfer::turn`], before anything else is sent.
    pub fn settle(&mut self) {
        self.out.drain(..self.out_sent);
        self.out_sent = 0;
    }

    /// Whether a client that says no more still listens, as far as that can be known.
    pub fn is_half_open(&self) -> bool {
        self.stream.is_half_open()
    }

    /// Bytes sent so far.
    pub fn sent_bytes(&self) -> u64 {
        self.sent
    }

    /// Since when the worker was free for what was read last, in nanoseconds of its clock.
    pub fn free_since_ns(&self) -> u64 {
        self.free_since_ns
    }

    /// Add to what will be sent.
    pub fn append(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Add bytes of a representation that is in memory; false when it is not.
    pub fn append_part(&mut self, local: &Local, part: Part) -> bool {
        let Some(body) = &local.body else { return false };
        let start = part.start as usize;
        self.out.extend_from_slice(&body[start..start + part.len as usize]);
        true
    }

    /// Wait for bytes and read them behind what there is.
    pub async fn read(&mut self, wait: Wait) -> Result<(), Closed> {
        let worker = Rc::clone(&self.worker);
        let limits = &worker.limits;
        let now = worker.tick.get();
        self.life.deadline.set(
            match wait {
                Wait::Idle => now + limits.idle_timeout_s,
                // From the first byte on, not from the last.
                Wait::Head => *self.whole_deadline.get_or_insert(now + limits.header_timeout_s),
                Wait::Body => now + limits.body_timeout_s,
                Wait::Linger => *self.whole_deadline.get_or_insert(now + LINGER_S),
            } + 1,
        );
        if wait == Wait::Idle {
            self.release_buffers();
        }
        let n = poll_fn(|cx| self.poll_read(cx, wait)).await?;
        self.life.deadline.set(u64::MAX);
        self.free_since_ns = worker.clock.free_since_ns();
        if n == 0 { Err(Closed::ByPeer) } else { Ok(()) }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<Result<usize, Closed>> {
        if self.life.take_expired() {
            return Poll::Ready(Err(Closed::TimedOut));
        }
        self.life.watch(cx);
        match self.stream.poll_read_ready(cx) {
            Poll::Pending if wait == Wait::Idle && self.worker.draining.get() => {
                if self.is_fresh {
                    // Its first request is on the way; who only meant to be early is not waited
                    // for any longer.
                    let end = self.worker.tick.get() + FIRST_REQUEST_S + 1;
                    self.life.deadline.set(self.life.deadline.get().min(end));
                    return Poll::Pending;
                }
                return Poll::Ready(self.read_last());
            }
            ready => ready!(ready)?,
        }
        self.make_room();
        let read = self.stream.poll_read(cx, &mut self.input[self.end..]);
        if read.is_pending() {
            // Readiness was a guess, as it is for a connection just accepted.
            self.release_buffers();
        }
        let n = ready!(read)?;
        self.end += n;
        self.is_fresh = false;
        Poll::Ready(Ok(n))
    }

    /// The server drains: a request that has arrived is still answered, even if the event loop
    /// has not heard of it yet; closing over it would lose it.
    fn read_last(&mut self) -> Result<usize, Closed> {
        self.make_room();
        match self.stream.read_now(&mut self.input[self.end..]) {
            Ok(n) => {
                self.end += n;
                Ok(n)
            }
            Err(_) => Err(Closed::Drained),
        }
    }

    /// Free space behind the input, at least half of what a read asks for.
    fn make_room(&mut self) {
        if self.input.is_empty() {
            self.input = self.worker.take_input();
        }
        if self.input.len() - self.end >= READ_BYTES / 2 {
            return;
        }
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.input.len() - self.end < READ_BYTES / 2 {
            // Bounded by the limits on the head: beyond them the request is refused.
            self.input.resize(self.input.len() * 2, 0);
        }
    }

    fn release_buffers(&mut self) {
        if self.start == self.end && self.input.capacity() > 0 {
            self.worker.give_input(std::mem::take(&mut self.input));
            (self.start, self.end) = (0, 0);
        }
        if self.out.is_empty() && self.out.capacity() > 0 {
            self.worker.give_buffer(std::mem::take(&mut self.out));
        }
    }

    fn write_deadline(&self) {
        let limit = self.worker.limits.write_timeout_s;
        self.life.deadline.set(self.worker.tick.get() + limit + 1);
    }

    fn check(&self, cx: &Context<'_>) -> Result<(), Closed> {
        if self.life.take_expired() {
            return Err(Closed::TimedOut);
        }
        self.life.watch(cx);
        Ok(())
    }

    fn count(&mut self, n: usize) {
        self.sent += n as u64;
        self.worker.stats.bytes_sent.add(n as u64);
    }

    /// Send what is buffered and read what comes, both at a time, for protocols in which neither
    /// may wait for the other.
    ///
    /// Comes back when something was read, when all was sent and `plan` says that there is more to
    /// send, or when `other` did something; if it is not to wait, after one try.
    pub async fn turn(
        &mut self,
        plan: Plan,
        mut other: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Result<Turned, Closed> {
        self.life.deadline.set(plan.deadline.saturating_add(1));
        if plan.idle {
            self.release_buffers();
        }
        let turned = poll_fn(|cx| self.poll_turn(cx, plan, &mut other)).await;
        self.life.deadline.set(u64::MAX);
        turned
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        plan: Plan,
        other: &mut impl FnMut(&mut Context<'_>) -> bool,
    ) -> Poll<Result<Turned, Closed>> {
        let mut turned = Turned { expired: self.life.expired.take(), ..Turned::default() };
        self.life.watch(cx);
        while self.out_sent < self.out.len() {
            let rest = &self.out[self.out_sent..];
            let front = IoSlice::new(&rest[..rest.len().min(SEND_BYTES)]);
            match self.stream.poll_send(cx, &[front], false) {
                Poll::Ready(n) => {
                    let n = n?;
                    self.out_sent += n;
                    self.count(n);
                    turned.sent = true;
                }
                Poll::Pending => break,
            }
        }
        if self.out_sent > 0 && self.out_sent == self.out.len() {
            self.out.clear();
            self.out_sent = 0;
        }
        let mut done = other(cx) || turned.expired || turned.sent && plan.more;
        if plan.read && self.stream.poll_read_ready(cx)?.is_ready() {
            self.make_room();
            match self.stream.poll_read(cx, &mut self.input[self.end..]) {
                Poll::Ready(n) => {
                    let n = n?;
                    self.end += n;
                    self.free_since_ns = self.worker.clock.free_since_ns();
                    turned.ended = n == 0;
                    done = true;
                }
                // Readiness was a guess.
                Poll::Pending if plan.idle => self.release_buffers(),
                Poll::Pending => {}
            }
        }
        turned.draining = self.worker.draining.get();
        done |= turned.draining && !plan.knows_drain;
        if done || !plan.wait { Poll::Ready(Ok(turned)) } else { Poll::Pending }
    }

    /// Send what is left, and wait for the client to have read it.
    pub async fn finish(&mut self) -> Result<(), Closed> {
        self.settle();
        self.flush(false).await?;
        self.linger().await
    }

    /// Send what is buffered; `more` when other bytes follow at once.
    pub async fn flush(&mut self, more: bool) -> Result<(), Closed> {
        self.send_with(&[], more).await
    }

    /// Send what is buffered and then `tail`, gathered into as few packets as they need.
    async fn send_with(&mut self, tail: &[u8], more: bool) -> Result<(), Closed> {
        let total = self.out.len() + tail.len();
        let mut done = 0;
        while done < total {
            self.write_deadline();
            let n = poll_fn(|cx| {
                self.check(cx)?;
                let front = &self.out[done.min(self.out.len())..];
                let back = &tail[done.saturating_sub(self.out.len())..];
                let back = &back[..back.len().min(SEND_BYTES)];
                let (front, back) = (IoSlice::new(front), IoSlice::new(back));
                let sent = match (front.is_empty(), back.is_empty()) {
                    (false, true) => self.stream.poll_send(cx, &[front], more),
                    (true, _) => self.stream.poll_send(cx, &[back], more),
                    (false, false) => self.stream.poll_send(cx, &[front, back], more),
                };
                sent.map_err(Closed::from)
            })
            .await?;
            done += n;
            self.count(n);
        }
        self.life.deadline.set(u64::MAX);
        self.out.clear();
        Ok(())
    }

    /// Send what is buffered and then a body.
    pub async fn send_body(&mut self, body: Body) -> Result<(), Closed> {
        match body {
            Body::Empty => self.flush(false).await,
            Body::Bytes(bytes) => {
                self.append(&bytes);
                self.flush(false).await
            }
            Body::Shared(bytes) => self.send_with(&bytes, false).await,
            Body::Part(local, part) => self.send_part(&local, part, false).await,
            Body::Parts(local, parts) => {
                for (head, part) in parts {
                    self.append(head.as_bytes());
                    if part.len > 0 {
                        self.send_part(&local, part, true).await?;
                    }
                }
                self.flush(false).await
            }
        }
    }

    async fn send_part(&mut self, local: &Local, part: Part, more: bool) -> Result<(), Closed> {
        if let Some(body) = &local.body {
            let start = part.start as usize;
            return self.send_with(&body[start..start + part.len as usize], more).await;
        }
        self.flush(true).await?;
        let Some(file) = &local.file else { return Err(Closed::Truncated) };
        let mut at = file.offset + part.start;
        let mut left = part.len;
        while left > 0 {
            self.write_deadline();
            let len = left.min(SEND_FILE_BYTES) as usize;
            let n = poll_fn(|cx| {
                self.check(cx)?;
                self.stream.poll_send_file(cx, &file.file, at, len).map_err(Closed::from)
            })
            .await?;
            if n == 0 {
                // The head has promised more: only a broken connection tells the client.
                CUT_SHORT.say("a file was cut short while it was being sent: connection closed");
                return Err(Closed::Truncated);
            }
            at += n as u64;
            left -= n as u64;
            self.count(n);
        }
        self.life.deadline.set(u64::MAX);
        Ok(())
    }

    /// Between two requests: the connection is about to be closed.
    pub fn say_end(&mut self) {
        self.stream.say_end();
    }

    /// What was sent is not all, and nothing else tells the client.
    pub fn break_off(&mut self) {
        self.stream.break_off();
    }

    /// Say that nothing more comes, and wait for the client to have read it.
    pub async fn linger(&mut self) -> Result<(), Closed> {
        self.stream.shut_down_sending();
        self.whole_deadline = None;
        let mut read = 0;
        while read < LINGER_BYTES {
            (self.start, self.end) = (0, 0);
            self.read(Wait::Linger).await?;
            read += self.end;
        }
        Ok(())
    }
}
