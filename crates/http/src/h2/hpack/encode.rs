//! Response heads to header blocks.
//!
//! Nothing is put into the peer's dynamic table: so a block depends on its head alone, and one
//! that was made before serves every connection. [`BlockCache`] keeps the latest.

use super::huffman;
use super::table::STATIC;

/// Fields that speak of an HTTP/1 connection (RFC 9113, section 8.2.2).
const CONNECTION: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// Slots of the cache of header blocks.
const MAX_BLOCKS: usize = 128;

/// Longest head that the cache keeps, in bytes.
const MAX_CACHED_HEAD_BYTES: usize = 2048;

/// What a peer is told first: that its table stays empty, so that it may make it as small as it
/// likes without a word from us (RFC 7541, section 4.2).
pub const NO_TABLE: u8 = 0x20;

/// Append the block of a head: a status line and fields, each line ended by CRLF.
pub fn encode_head(head: &[u8], out: &mut Vec<u8>) {
    let mut rest = head;
    let line = next_line(&mut rest);
    let status = line.get(9..12).unwrap_or(b"500");
    encode_status(status, out);
    encode_fields(rest, out);
}

/// Append fields that are lines of HTTP/1.
pub fn encode_fields(mut rest: &[u8], out: &mut Vec<u8>) {
    while !rest.is_empty() {
        let line = next_line(&mut rest);
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if !CONNECTION.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            encode_field(name, value, out);
        }
    }
}

fn next_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = rest.get(end + 1..).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Append the status of a response.
pub fn encode_status(status: &[u8], out: &mut Vec<u8>) {
    // Indexes 8 to 14 are the statuses that the fixed table has.
    match (8..=14).find(|&index| STATIC[index - 1].1.as_bytes() == status) {
        Some(index) => out.push(0x80 | index as u8),
        None => {
            out.push(8);
            string(status, out);
        }
    }
}

/// Append a field, its name in lower case.
pub fn encode_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    // A cookie is not for the tables of whoever passes it on (section 7.1.3).
    let flags = if name.eq_ignore_ascii_case(b"set-cookie") { 0x10 } else { 0 };
    match STATIC.iter().skip(14).position(|(other, _)| name.eq_ignore_ascii_case(other.as_bytes()))
    {
        Some(at) => integer(at + 15, 4, flags, out),
        None => {
            out.push(flags);
            let start = out.len();
            out.extend(name.iter().map(u8::to_ascii_lowercase));
            let name = out.split_off(start);
            string(&name, out);
        }
    }
    string(value, out);
}

fn integer(value: usize, prefix: u32, flags: u8, out: &mut Vec<u8>) {
    let mask = (1usize << prefix) - 1;
    if value < mask {
        return out.push(flags | value as u8);
    }
    out.push(flags | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    let coded = huffman::encoded_len(text);
    if coded < text.len() {
        integer(coded, 7, 0x80, out);
        huffman::encode(text, out);
    } else {
        integer(text.len(), 7, 0, out);
        out.extend_from_slice(text);
    }
}

/// Header blocks of the heads that were sent last: most responses of a second repeat one.
#[derive(Debug, Default)]
pub struct BlockCache {
    slots: Vec<(Vec<u8>, Vec<u8>)>,
}

impl BlockCache {
    /// Append the block of a head, from the cache if it is there.
    pub fn encode(&mut self, head: &[u8], out: &mut Vec<u8>) {
        if head.len() > MAX_CACHED_HEAD_BYTES {
            return encode_head(head, out);
        }
        if self.slots.is_empty() {
            self.slots.resize_with(MAX_BLOCKS, Default::default);
        }
        let (held, block) = &mut self.slots[slot_of(head)];
        if held.as_slice() != head {
            held.clear();
            held.extend_from_slice(head);
            block.clear();
            encode_head(head, block);
        }
        out.extend_from_slice(block);
    }
}

/// Some bytes of a head tell most of them apart: validators and lengths stand in the middle.
fn slot_of(head: &[u8]) -> usize {
    let mut hash = head.len() as u64;
    for chunk in head.get(64..).unwrap_or_default().chunks_exact(8).take(16) {
        let word = chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
    (hash >> 32) as usize % MAX_BLOCKS
}
