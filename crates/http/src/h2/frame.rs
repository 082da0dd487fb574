//! Frames as they lie on the wire (RFC 9113, sections 4 and 6), and the codes of errors.

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 9;

/// Largest payload that either side sends: what every peer has to take.
pub const MAX_PAYLOAD_BYTES: usize = 16 * 1024;

/// What a client sends first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames.
pub mod kind {
    #![allow(missing_docs)] // the names are those of the RFC
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
    pub const PRIORITY_UPDATE: u8 = 16;
}

/// Flags of frames.
pub mod flag {
    #![allow(missing_docs)] // the names are those of the RFC
    pub const END_STREAM: u8 = 0x1;
    pub const ACK: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// Settings by their numbers.
pub mod setting {
    #![allow(missing_docs)] // the names are those of the RFC
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
    pub const NO_RFC7540_PRIORITIES: u16 = 9;
}

/// Why a stream or a connection ends (section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// Nothing is wrong.
    NoError = 0,
    /// Against the protocol in a way that no other code names.
    Protocol = 1,
    /// Our fault.
    Internal = 2,
    /// More data than the window allows, or too large a window.
    FlowControl = 3,
    /// A frame on a stream that is over.
    StreamClosed = 5,
    /// A frame of the wrong size.
    FrameSize = 6,
    /// Not looked at: the client may try again.
    RefusedStream = 7,
    /// Nobody waits for it any more.
    Cancel = 8,
    /// A header block that can't be decoded.
    Compression = 9,
    /// More of something than there is any use for.
    EnhanceYourCalm = 11,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of payload.
    pub len: usize,
    /// What it is.
    pub kind: u8,
    /// What it says besides its payload.
    pub flags: u8,
    /// The stream, 0 for the connection.
    pub stream: u32,
}

impl Header {
    /// Read one; `None` when it is not complete.
    pub fn read(input: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, d, e, f, g] = input.first_chunk::<HEADER_BYTES>()?;
        Some(Self {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([d, e, f, g]) & 0x7fff_ffff,
        })
    }

    /// Whether a flag is set.
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

fn header(len: usize, kind: u8, flags: u8, stream: u32) -> [u8; HEADER_BYTES] {
    let [_, a, b, c] = (len as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    [a, b, c, kind, flags, d, e, f, g]
}

/// Append the header of a frame.
pub fn write_header(out: &mut Vec<u8>, len: usize, kind: u8, flags: u8, stream: u32) {
    out.extend_from_slice(&header(len, kind, flags, stream));
}

/// Write the header of a frame over what holds its place.
pub fn set_header(place: &mut [u8], len: usize, kind: u8, flags: u8, stream: u32) {
    if let Some(place) = place.first_chunk_mut::<HEADER_BYTES>() {
        *place = header(len, kind, flags, stream);
    }
}

/// Append the end of a stream.
pub fn write_reset(out: &mut Vec<u8>, stream: u32, code: Code) {
    write_header(out, 4, kind::RST_STREAM, 0, stream);
    out.extend_from_slice(&(code as u32).to_be_bytes());
}

/// Append room for a stream or, with 0, the connection.
pub fn write_window(out: &mut Vec<u8>, stream: u32, more: u32) {
    write_header(out, 4, kind::WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&more.to_be_bytes());
}

/// Append the end of the connection: streams above `last` were not looked at.
pub fn write_goaway(out: &mut Vec<u8>, last: u32, code: Code) {
    write_header(out, 8, kind::GOAWAY, 0, 0);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&(code as u32).to_be_bytes());
}

/// Append our settings.
pub fn write_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    write_header(out, settings.len() * 6, kind::SETTINGS, 0, 0);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The payload without its padding; `None` when there is more padding than payload.
pub fn unpad(header: Header, payload: &[u8]) -> Option<std::ops::Range<usize>> {
    if !header.has(flag::PADDED) {
        return Some(0..payload.len());
    }
    let padding = usize::from(*payload.first()?);
    let end = payload.len().checked_sub(padding)?;
    (end >= 1).then_some(1..end)
}
