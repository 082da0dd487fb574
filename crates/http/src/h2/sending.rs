//! What a connection sends: heads, parts of bodies, the room for more, and the ends of streams.

use super::bounds::SMALL_FRAME_BYTES;
use super::engine::Engine;
use super::frame::{
    Code, HEADER_BYTES, MAX_PAYLOAD_BYTES, flag, kind, set_header, write_header, write_reset,
    write_window,
};
use super::hpack::BlockCache;
use super::hpack::encode::{NO_TABLE, encode_fields, encode_head, encode_status};
use super::streams::End;

impl Engine {
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
}
