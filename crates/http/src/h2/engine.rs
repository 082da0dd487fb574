//! The server's side of an HTTP/2 connection: frames in, events and frames out. No I/O, no clock.
//!
//! The caller gives [`Engine::step`] what it has read and gets one event at a time. What is to be
//! sent is appended to a buffer of the caller's, so that the answers to all that one read brought
//! can leave in one write.

use std::ops::Range;

use super::bounds::{Bounds, Counters, SMALL_FRAME_BYTES};
use super::frame::{
    Code, HEADER_BYTES, Header, MAX_PAYLOAD_BYTES, PREFACE, flag, kind, set_header, setting, unpad,
    write_goaway, write_header, write_reset, write_settings, write_window,
};
use super::head::{Builder, RequestHead, Verdict};
use super::hpack::encode::{NO_TABLE, encode_fields, encode_head, encode_status};
use super::hpack::{BlockCache, Decoder};
use super::priority::Priority;
use super::streams::{End, Stream, Streams};
use crate::status::Reject;

/// The window that a peer assumes until it is told otherwise (RFC 9113, section 6.9.2).
const DEFAULT_WINDOW: i64 = 65_535;

/// The largest window.
const LARGEST_WINDOW: i64 = 0x7fff_ffff;

/// What the PING of a drain carries, to be told from others.
const DRAIN_PING: [u8; 8] = *b"drainin\n";

/// What one step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing can be done before there are more bytes.
    Incomplete,
    /// Something that concerns nobody else; there may be more.
    Nothing,
    /// A request, to be taken from [`Engine::head`], or what it is refused with.
    Request {
        /// Its stream.
        stream: u32,
        /// Whether it is all there, body included.
        ended: bool,
        /// Whether it gets another answer than a refusal.
        verdict: Result<(), Reject>,
    },
    /// A part of a request body.
    Data {
        /// Its stream.
        stream: u32,
        /// Where in the input it lies.
        content: Range<usize>,
        /// Whether it is the last.
        ended: bool,
    },
    /// A stream is over before its answer was sent.
    Gone {
        /// The stream.
        stream: u32,
    },
    /// The connection is over: what is left to say has been appended.
    Failed,
}

/// Bytes of input that were used up, and what they meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes to drop from the front of the input.
    pub used: usize,
    /// What happened.
    pub event: Event,
}

/// What the peer has to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Preface,
    Settings,
    Frame,
    /// The rest of a header block, so many frames of it so far.
    Continuation {
        block: Block,
        frames: u32,
    },
    Nothing,
}

/// A header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    stream: u32,
    ended: bool,
    purpose: Purpose,
}

/// What becomes of a header block; whatever it is, it has to be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Request,
    Trailers,
    /// Of a stream that is no longer of interest.
    Ignored,
    /// The stream ends with an error.
    Wrong(Code),
}

/// How far the end of the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    No,
    /// The client has been told to open no more streams, and will have heard when it answers.
    Announced,
    /// Streams above this one are not looked at.
    Final(u32),
}

/// The code of a connection error.
type Failure = Code;

/// One connection.
#[derive(Debug)]
pub struct Engine {
    /// The head of the latest request; it may be taken.
    pub head: RequestHead,
    bounds: Bounds,
    expected: Expected,
    decoder: Decoder,
    builder: Builder,
    /// Parts of a header block that has not ended.
    fragment: Vec<u8>,
    streams: Streams,
    last: u32,
    send_window: i64,
    recv_window: i64,
    stream_send_window: i64,
    counters: Counters,
    turn: u64,
    drain: Drain,
    has_responded: bool,
    peer_leaves: bool,
}

impl Engine {
    /// A connection on which nothing was sent; appends our settings.
    pub fn new(bounds: Bounds, out: &mut Vec<u8>) -> Self {
        let window = bounds.stream_window.clamp(DEFAULT_WINDOW as u32, LARGEST_WINDOW as u32);
        let all = bounds.connection_window.clamp(DEFAULT_WINDOW as u32, LARGEST_WINDOW as u32);
        let header_list = u32::try_from(bounds.head.header_bytes).unwrap_or(u32::MAX);
        write_settings(
            out,
            &[
                (setting::MAX_CONCURRENT_STREAMS, bounds.streams),
                (setting::INITIAL_WINDOW_SIZE, window),
                (setting::MAX_HEADER_LIST_SIZE, header_list),
                (setting::NO_RFC7540_PRIORITIES, 1),
            ],
        );
        let more = all - DEFAULT_WINDOW as u32;
        if more > 0 {
            write_window(out, 0, more);
        }
        Self {
            head: RequestHead::default(),
            bounds: Bounds { stream_window: window, connection_window: all, ..bounds },
            expected: Expected::Preface,
            decoder: Decoder::default(),
            builder: Builder::default(),
            fragment: Vec::new(),
            streams: Streams::default(),
            last: 0,
            send_window: DEFAULT_WINDOW,
            recv_window: i64::from(all),
            stream_send_window: DEFAULT_WINDOW,
            counters: Counters::default(),
            turn: 0,
            drain: Drain::No,
            has_responded: false,
            peer_leaves: false,
        }
    }

    /// Streams that are open.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Whether a request is in the middle of its head.
    pub fn in_head(&self) -> bool {
        !matches!(self.expected, Expected::Frame | Expected::Nothing)
    }

    /// Whether no more requests will be looked at.
    pub fn takes_no_more(&self) -> bool {
        self.peer_leaves || matches!(self.drain, Drain::Final(_)) || self.has_failed()
    }

    /// Whether the connection ended with an error.
    pub fn has_failed(&self) -> bool {
        self.expected == Expected::Nothing
    }

    /// Take what can be taken from the front of the input. `now_s` only has to grow.
    pub fn step(&mut self, input: &[u8], now_s: u64, out: &mut Vec<u8>) -> Step {
        let incomplete = Step { used: 0, event: Event::Incomplete };
        match self.expected {
            Expected::Nothing => return Step { used: input.len(), event: Event::Incomplete },
            Expected::Preface => {
                let n = input.len().min(PREFACE.len());
                if input[..n] != PREFACE[..n] {
                    return Step { used: n, event: self.fail(Code::Protocol, out) };
                }
                if n < PREFACE.len() {
                    return incomplete;
                }
                self.expected = Expected::Settings;
                return Step { used: n, event: Event::Nothing };
            }
            _ => {}
        }
        let Some(header) = Header::read(input) else { return incomplete };
        if header.len > MAX_PAYLOAD_BYTES {
            return Step { used: 0, event: self.fail(Code::FrameSize, out) };
        }
        let used = HEADER_BYTES + header.len;
        let Some(payload) = input.get(HEADER_BYTES..used) else { return incomplete };
        let event = match self.frame(header, payload, now_s, out) {
            Ok(event) => event,
            Err(code) => self.fail(code, out),
        };
        Step { used, event }
    }

    /// End the connection with an error; what is open goes with it.
    pub fn fail(&mut self, code: Code, out: &mut Vec<u8>) -> Event {
        if self.expected != Expected::Nothing {
            self.expected = Expected::Nothing;
            write_goaway(out, self.last, code);
        }
        Event::Failed
    }

    fn frame(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        match self.expected {
            Expected::Settings => {
                if header.kind != kind::SETTINGS || header.has(flag::ACK) {
                    return Err(Code::Protocol);
                }
                self.expected = Expected::Frame;
            }
            Expected::Continuation { block, frames } => {
                if header.kind != kind::CONTINUATION || header.stream != block.stream {
                    return Err(Code::Protocol);
                }
                return self.continuation(header, payload, block, frames + 1, now_s, out);
            }
            _ => {}
        }
        match header.kind {
            kind::DATA => self.data(header, payload, now_s, out),
            kind::HEADERS => self.headers(header, payload, now_s, out),
            kind::PRIORITY => self.old_priority(header, payload, now_s, out),
            kind::RST_STREAM => self.reset_by_client(header, payload, now_s),
            kind::SETTINGS => self.settings(header, payload, now_s, out),
            kind::PING => self.ping(header, payload, now_s, out),
            kind::GOAWAY => self.goaway(header, payload, now_s),
            kind::WINDOW_UPDATE => self.window_update(header, payload, now_s, out),
            kind::PRIORITY_UPDATE => self.priority_update(header, payload, now_s),
            kind::PUSH_PROMISE | kind::CONTINUATION => Err(Code::Protocol),
            _ => self.other_frame(now_s),
        }
    }

    fn other_frame(&mut self, now_s: u64) -> Result<Event, Failure> {
        let fits = self.counters.other_frames.count(self.bounds.other_frames, now_s);
        if fits { Ok(Event::Nothing) } else { Err(Code::EnhanceYourCalm) }
    }

    /// End a stream because of what the client did.
    fn stream_error(
        &mut self,
        id: u32,
        code: Code,
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        if !self.counters.faults.count(self.bounds.faults, now_s) {
            return Err(Code::EnhanceYourCalm);
        }
        let open = self.streams.get(id).is_some();
        self.reset(id, code, out);
        Ok(if open { Event::Gone { stream: id } } else { Event::Nothing })
    }

    fn data(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        let id = header.stream;
        if id == 0 || id > self.last {
            return Err(Code::Protocol);
        }
        let content = unpad(header, payload).ok_or(Code::Protocol)?;
        let (len, ended) = (header.len as i64, header.has(flag::END_STREAM));
        if content.is_empty()
            && !ended
            && !self.counters.empty_frames.count(self.bounds.empty_frames, now_s)
        {
            return Err(Code::EnhanceYourCalm);
        }
        self.recv_window -= len;
        if self.recv_window < 0 {
            return Err(Code::FlowControl);
        }
        // What is read is used up at once, be it kept or dropped.
        let target = i64::from(self.bounds.connection_window);
        if self.recv_window <= target / 2 {
            write_window(out, 0, (target - self.recv_window) as u32);
            self.recv_window = target;
        }
        let target = i64::from(self.bounds.stream_window);
        let Some(stream) = self.streams.get_mut(id) else {
            if self.streams.end(id) == Some(End::ByUs) {
                return Ok(Event::Nothing);
            }
            return self.stream_error(id, Code::StreamClosed, now_s, out);
        };
        if stream.received {
            return self.stream_error(id, Code::StreamClosed, now_s, out);
        }
        stream.recv_window -= len;
        if stream.recv_window < 0 {
            return self.stream_error(id, Code::FlowControl, now_s, out);
        }
        if let Some(announced) = &mut stream.announced {
            match announced.checked_sub(content.len() as u64) {
                Some(rest) if rest == 0 || !ended => *announced = rest,
                _ => return self.stream_error(id, Code::Protocol, now_s, out),
            }
        }
        stream.received = ended;
        if !ended && !stream.held && stream.recv_window <= target / 2 {
            write_window(out, id, (target - stream.recv_window) as u32);
            stream.recv_window = target;
        }
        let content = content.start + HEADER_BYTES..content.end + HEADER_BYTES;
        Ok(Event::Data { stream: id, content, ended })
    }

    fn headers(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        let id = header.stream;
        let mut content = unpad(header, payload).ok_or(Code::Protocol)?;
        if id.is_multiple_of(2) {
            return Err(Code::Protocol);
        }
        let mut purpose = self.purpose(id, header.has(flag::END_STREAM))?;
        if header.has(flag::PRIORITY) {
            if content.len() < 5 {
                return Err(Code::FrameSize);
            }
            if dependency(&payload[content.start..]) == id && purpose == Purpose::Request {
                purpose = Purpose::Wrong(Code::Protocol);
            }
            content.start += 5;
        }
        let block = Block { stream: id, ended: header.has(flag::END_STREAM), purpose };
        if header.has(flag::END_HEADERS) {
            return self.block(block, &payload[content], now_s, out);
        }
        self.fragment.clear();
        self.fragment.extend_from_slice(&payload[content]);
        self.expected = Expected::Continuation { block, frames: 0 };
        Ok(Event::Nothing)
    }

    fn purpose(&mut self, id: u32, ended: bool) -> Result<Purpose, Failure> {
        if let Some(stream) = self.streams.get(id) {
            return Ok(match (stream.received, ended) {
                (true, _) => Purpose::Wrong(Code::StreamClosed),
                (false, true) => Purpose::Trailers,
                // Only the last word of a request can be trailers.
                (false, false) => Purpose::Wrong(Code::Protocol),
            });
        }
        if id <= self.last {
            return match self.streams.end(id) {
                Some(End::ByUs) => Ok(Purpose::Ignored),
                Some(_) => Err(Code::StreamClosed),
                None => Err(Code::Protocol),
            };
        }
        if matches!(self.drain, Drain::Final(_)) {
            return Ok(Purpose::Ignored);
        }
        self.last = id;
        let full = self.streams.len() >= self.bounds.streams as usize;
        Ok(if full { Purpose::Wrong(Code::RefusedStream) } else { Purpose::Request })
    }

    fn continuation(
        &mut self,
        header: Header,
        payload: &[u8],
        block: Block,
        frames: u32,
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        // Compressed, a head that we take is not longer than its text.
        let head = &self.bounds.head;
        let most = head.request_line_bytes.saturating_add(head.header_bytes);
        if frames > self.bounds.continuations || self.fragment.len() + payload.len() > most {
            return Err(Code::EnhanceYourCalm);
        }
        self.fragment.extend_from_slice(payload);
        if !header.has(flag::END_HEADERS) {
            self.expected = Expected::Continuation { block, frames };
            return Ok(Event::Nothing);
        }
        self.expected = Expected::Frame;
        let fragment = std::mem::take(&mut self.fragment);
        self.block(block, &fragment, now_s, out)
    }

    /// A header block is complete.
    fn block(
        &mut self,
        Block { stream: id, ended, purpose }: Block,
        bytes: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        let builder = &mut self.builder;
        builder.begin(self.bounds.head, purpose != Purpose::Request);
        let decoded = self.decoder.decode(bytes, |name, value| builder.field(name, value));
        decoded.map_err(|_| Code::Compression)?;
        match purpose {
            Purpose::Ignored => Ok(Event::Nothing),
            Purpose::Wrong(Code::RefusedStream) => {
                if !self.counters.resets.count(self.bounds.resets, now_s) {
                    return Err(Code::EnhanceYourCalm);
                }
                self.reset(id, Code::RefusedStream, out);
                Ok(Event::Nothing)
            }
            Purpose::Wrong(code) => self.stream_error(id, code, now_s, out),
            Purpose::Trailers => {
                let fits = self.builder.finish(true) == Verdict::Fine;
                let whole = |stream: &mut Stream| {
                    stream.received = true;
                    stream.announced.unwrap_or(0) == 0
                };
                if !fits || !self.streams.get_mut(id).is_some_and(whole) {
                    return self.stream_error(id, Code::Protocol, now_s, out);
                }
                Ok(Event::Data { stream: id, content: 0..0, ended: true })
            }
            Purpose::Request => {
                let verdict = match self.builder.finish(ended) {
                    Verdict::Malformed => {
                        return self.stream_error(id, Code::Protocol, now_s, out);
                    }
                    Verdict::Refuse(reject) => Err(reject),
                    Verdict::Fine => Ok(()),
                };
                self.streams.open(Stream {
                    id,
                    send_window: self.stream_send_window,
                    recv_window: i64::from(self.bounds.stream_window),
                    announced: self.builder.content_length,
                    received: ended,
                    queued: false,
                    held: false,
                    priority: self.builder.priority.unwrap_or(Priority::UNSAID),
                    turn: self.turn,
                });
                std::mem::swap(&mut self.head, &mut self.builder.head);
                Ok(Event::Request { stream: id, ended, verdict })
            }
        }
    }

    fn old_priority(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        let id = header.stream;
        if id == 0 {
            return Err(Code::Protocol);
        }
        // What it says is of the past; that it is well-formed is not.
        let wrong = match payload.len() {
            5 if dependency(payload) != id => return self.other_frame(now_s),
            5 => Code::Protocol,
            _ => Code::FrameSize,
        };
        // An error of a stream that was never opened has no stream to be told on.
        if id > self.last { Err(wrong) } else { self.stream_error(id, wrong, now_s, out) }
    }

    fn reset_by_client(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
    ) -> Result<Event, Failure> {
        let id = header.stream;
        if id == 0 || id > self.last {
            return Err(Code::Protocol);
        }
        if payload.len() != 4 {
            return Err(Code::FrameSize);
        }
        if !self.counters.resets.count(self.bounds.resets, now_s) {
            return Err(Code::EnhanceYourCalm);
        }
        if self.streams.get(id).is_none() {
            return Ok(Event::Nothing);
        }
        self.streams.close(id, End::ByClient);
        Ok(Event::Gone { stream: id })
    }

    fn settings(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        if header.stream != 0 {
            return Err(Code::Protocol);
        }
        if !self.counters.settings.count(self.bounds.settings, now_s) {
            return Err(Code::EnhanceYourCalm);
        }
        if header.has(flag::ACK) {
            return if payload.is_empty() { Ok(Event::Nothing) } else { Err(Code::FrameSize) };
        }
        if !payload.len().is_multiple_of(6) {
            return Err(Code::FrameSize);
        }
        for entry in payload.chunks_exact(6) {
            let name = u16::from_be_bytes([entry[0], entry[1]]);
            let value = u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]);
            self.setting(name, value)?;
        }
        write_header(out, 0, kind::SETTINGS, flag::ACK, 0);
        Ok(Event::Nothing)
    }

    fn setting(&mut self, name: u16, value: u32) -> Result<(), Failure> {
        match name {
            setting::ENABLE_PUSH | setting::NO_RFC7540_PRIORITIES if value > 1 => {
                Err(Code::Protocol)
            }
            // Our frames are never longer than the smallest limit.
            setting::MAX_FRAME_SIZE if !(1 << 14..1 << 24).contains(&value) => Err(Code::Protocol),
            setting::INITIAL_WINDOW_SIZE => {
                let window = i64::from(value);
                if window > LARGEST_WINDOW {
                    return Err(Code::FlowControl);
                }
                let change = window - self.stream_send_window;
                self.stream_send_window = window;
                for stream in self.streams.iter_mut() {
                    stream.send_window += change;
                    if stream.send_window > LARGEST_WINDOW {
                        return Err(Code::FlowControl);
                    }
                }
                Ok(())
            }
            // The size of the table is of no interest: nothing is put into it.
            _ => Ok(()),
        }
    }

    fn ping(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        if header.stream != 0 {
            return Err(Code::Protocol);
        }
        if payload.len() != 8 {
            return Err(Code::FrameSize);
        }
        if !self.counters.pings.count(self.bounds.pings, now_s) {
            return Err(Code::EnhanceYourCalm);
        }
        if header.has(flag::ACK) {
            if payload == DRAIN_PING && self.drain == Drain::Announced {
                self.finish_drain(out);
            }
            return Ok(Event::Nothing);
        }
        write_header(out, 8, kind::PING, flag::ACK, 0);
        out.extend_from_slice(payload);
        Ok(Event::Nothing)
    }

    fn goaway(&mut self, header: Header, payload: &[u8], now_s: u64) -> Result<Event, Failure> {
        if header.stream != 0 {
            return Err(Code::Protocol);
        }
        if payload.len() < 8 {
            return Err(Code::FrameSize);
        }
        self.peer_leaves = true;
        self.other_frame(now_s)
    }

    fn window_update(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event, Failure> {
        let Ok(bytes) = <[u8; 4]>::try_from(payload) else { return Err(Code::FrameSize) };
        let more = i64::from(u32::from_be_bytes(bytes) & 0x7fff_ffff);
        let id = header.stream;
        if id == 0 {
            self.send_window += more;
            return match more {
                0 => Err(Code::Protocol),
                _ if self.send_window > LARGEST_WINDOW => Err(Code::FlowControl),
                _ => Ok(Event::Nothing),
            };
        }
        if id > self.last {
            return Err(Code::Protocol);
        }
        let Some(stream) = self.streams.get_mut(id) else {
            return if more == 0 {
                self.stream_error(id, Code::Protocol, now_s, out)
            } else {
                Ok(Event::Nothing)
            };
        };
        stream.send_window += more;
        match more {
            0 => self.stream_error(id, Code::Protocol, now_s, out),
            _ if stream.send_window > LARGEST_WINDOW => {
                self.stream_error(id, Code::FlowControl, now_s, out)
            }
            _ => Ok(Event::Nothing),
        }
    }

    fn priority_update(
        &mut self,
        header: Header,
        payload: &[u8],
        now_s: u64,
    ) -> Result<Event, Failure> {
        if header.stream != 0 {
            return Err(Code::Protocol);
        }
        let Some((id, value)) = payload.split_first_chunk::<4>() else {
            return Err(Code::FrameSize);
        };
        let id = u32::from_be_bytes(*id) & 0x7fff_ffff;
        // Streams of even numbers are ours, and we open none.
        if id.is_multiple_of(2) {
            return Err(Code::Protocol);
        }
        self.streams.set_priority(id, Priority::parse(value), self.last);
        self.other_frame(now_s)
    }

    /// Append a response's head, as HTTP/1 would have it without its blank line; `end` when no
    /// body follows.
    pub fn respond(
        &mut self,
        stream: u32,
        head: &[u8],
        end: bool,
        cache: &mut BlockCache,
        out: &mut Vec<u8>,
    ) {
        let start = self.begin_block(out);
        cache.encode(head, out);
        self.end_block(start, stream, end, out);
    }

    /// Append the answer to a client that waits for permission to send a body.
    pub fn say_continue(&mut self, stream: u32, out: &mut Vec<u8>) {
        let start = self.begin_block(out);
        encode_status(b"100", out);
        self.end_block(start, stream, false, out);
    }

    /// Append a response before the final one (RFC 9110, section 15.2), its head as HTTP/1 has it.
    pub fn inform(&mut self, stream: u32, head: &[u8], out: &mut Vec<u8>) {
        let start = self.begin_block(out);
        encode_head(head, out);
        self.end_block(start, stream, false, out);
    }

    /// Append trailer fields, as lines of HTTP/1; the response is complete.
    pub fn trailers(&mut self, stream: u32, lines: &[u8], out: &mut Vec<u8>) {
        let start = self.begin_block(out);
        encode_fields(lines, out);
        self.end_block(start, stream, true, out);
    }

    /// From here on the client sends more of a body only after [`Engine::refill`].
    pub fn hold(&mut self, stream: u32) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.held = true;
        }
    }

    /// What [`Engine::hold`] began is over: the client may send as before.
    pub fn release(&mut self, stream: u32, out: &mut Vec<u8>) {
        let target = i64::from(self.bounds.stream_window);
        let Some(open) = self.streams.get_mut(stream).filter(|open| open.held) else { return };
        open.held = false;
        if !open.received && open.recv_window < target {
            write_window(out, stream, (target - open.recv_window) as u32);
            open.recv_window = target;
        }
    }

    /// All that came of a body is used up: the client may send as much again.
    pub fn refill(&mut self, stream: u32, out: &mut Vec<u8>) {
        let target = i64::from(self.bounds.stream_window);
        let Some(open) = self.streams.get_mut(stream) else { return };
        if !open.received && open.recv_window <= target / 2 {
            write_window(out, stream, (target - open.recv_window) as u32);
            open.recv_window = target;
        }
    }

    fn begin_block(&mut self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        write_header(out, 0, kind::HEADERS, 0, 0);
        if !std::mem::replace(&mut self.has_responded, true) {
            out.push(NO_TABLE);
        }
        start
    }

    fn end_block(&mut self, start: usize, stream: u32, end: bool, out: &mut Vec<u8>) {
        let flags = if end { flag::END_STREAM } else { 0 };
        let len = out.len() - start - HEADER_BYTES;
        if len <= MAX_PAYLOAD_BYTES {
            set_header(&mut out[start..], len, kind::HEADERS, flags | flag::END_HEADERS, stream);
        } else {
            // Scripts can make a head that long.
            let block = out.split_off(start + HEADER_BYTES);
            out.truncate(start);
            let mut kind = kind::HEADERS;
            for (at, piece) in block.chunks(MAX_PAYLOAD_BYTES).enumerate() {
                let first = if at == 0 { flags } else { 0 };
                let last = (at + 1) * MAX_PAYLOAD_BYTES >= block.len();
                let last = if last { flag::END_HEADERS } else { 0 };
                write_header(out, piece.len(), kind, first | last, stream);
                out.extend_from_slice(piece);
                kind = kind::CONTINUATION;
            }
        }
        if end {
            self.end_sending(stream, out);
        }
    }

    /// Bytes of body that may be sent on a stream now, in one frame.
    pub fn room(&self, stream: u32) -> usize {
        let window = self.streams.get(stream).map_or(0, |stream| stream.send_window);
        usize::try_from(window.min(self.send_window)).unwrap_or(0).min(MAX_PAYLOAD_BYTES)
    }

    /// Append the header of a frame of body, for which there has to be [`Engine::room`]; the caller
    /// appends the content. False when the client makes us send too many that are too small: then
    /// the connection should fail.
    pub fn data_header(
        &mut self,
        stream: u32,
        len: usize,
        end: bool,
        now_s: u64,
        out: &mut Vec<u8>,
    ) -> bool {
        self.whole_data_header(stream, len, end, out);
        end || len >= SMALL_FRAME_BYTES
            || self.counters.small_frames.count(self.bounds.small_frames, now_s)
    }

    /// The same for all content that is at hand: that it is little is not the client's doing.
    pub fn whole_data_header(&mut self, stream: u32, len: usize, end: bool, out: &mut Vec<u8>) {
        write_header(out, len, kind::DATA, if end { flag::END_STREAM } else { 0 }, stream);
        self.turn += 1;
        self.send_window -= len as i64;
        let turn = self.turn;
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.send_window -= len as i64;
            stream.turn = turn;
        }
    }

    /// A response is complete: after its last frame.
    pub fn end_sending(&mut self, stream: u32, out: &mut Vec<u8>) {
        let Some(open) = self.streams.get(stream) else { return };
        if open.received {
            self.streams.close(stream, End::Whole);
        } else {
            // Nobody will read the rest of the request (RFC 9113, section 8.1).
            self.reset(stream, Code::NoError, out);
        }
    }

    /// Have a stream be among those that wait to send more of a body.
    pub fn queue(&mut self, stream: u32) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.queued = true;
        }
    }

    /// Have a stream be no longer among those: it has nothing at hand.
    pub fn unqueue(&mut self, stream: u32) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.queued = false;
        }
    }

    /// Have a frame that was appended at `start` be the last of its stream; see
    /// [`Engine::end_sending`].
    pub fn mark_last(&self, start: usize, out: &mut [u8]) {
        out[start + 4] |= flag::END_STREAM;
    }

    /// The stream that should send next, of those that wait and have room.
    pub fn next_sender(&self) -> Option<u32> {
        if self.send_window <= 0 { None } else { self.streams.next().map(|stream| stream.id) }
    }

    /// End a stream.
    pub fn reset(&mut self, stream: u32, code: Code, out: &mut Vec<u8>) {
        write_reset(out, stream, code);
        self.streams.close(stream, End::ByUs);
    }

    /// Begin to end the connection: new streams are still answered until the client has heard.
    pub fn begin_drain(&mut self, out: &mut Vec<u8>) {
        if self.drain == Drain::No && !self.has_failed() {
            self.drain = Drain::Announced;
            write_goaway(out, LARGEST_WINDOW as u32, Code::NoError);
            write_header(out, 8, kind::PING, 0, 0);
            out.extend_from_slice(&DRAIN_PING);
        }
    }

    /// Take no more streams.
    pub fn finish_drain(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.drain, Drain::Final(_)) && !self.has_failed() {
            self.drain = Drain::Final(self.last);
            write_goaway(out, self.last, Code::NoError);
        }
    }
}

/// The stream that another depends on, as HTTP/2 once had it.
fn dependency(payload: &[u8]) -> u32 {
    let first = payload.first_chunk::<4>().copied().unwrap_or_default();
    u32::from_be_bytes(first) & 0x7fff_ffff
}
