//! Where a request body ends (RFC 9112, sections 6 and 7.1).

use crate::status::Reject;

/// How a request frames its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// Content-Length: exactly that many bytes.
    Length(u64),
    /// Transfer-Encoding: chunked; in HTTP/2, frames that end with the last one.
    Chunked,
}

/// Longest line of chunk size and extensions, in bytes; real ones are a few digits.
const MAX_CHUNK_LINE_BYTES: usize = 256;

/// Longest trailer section, in bytes.
const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// Most trailer fields.
const MAX_TRAILERS: usize = 64;

/// Follows a body through whatever pieces it arrives in.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// Bytes of content that are still allowed.
    allowed: u64,
    /// Lines of the trailer section, once it has come.
    trailers: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Length(u64),
    /// In a chunk-size line.
    Size {
        value: u64,
        digits: usize,
        line: usize,
        part: SizePart,
    },
    Data(u64),
    /// Behind chunk data: CR, then LF.
    DataEnd {
        seen_cr: bool,
    },
    /// In the trailer section, which is gathered to be checked as a whole.
    Trailer(Vec<u8>),
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum SizePart {
    Digits,
    /// White space, which may only stand before an extension.
    Space,
    Extension,
    Cr,
}

/// One step of decoding.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes at the front of the input that are used up, of which some are content.
    Consumed {
        /// How much of the input to drop.
        used: usize,
        /// Which part of the input is content.
        content: std::ops::Range<usize>,
    },
    /// The body is over; nothing was used.
    Done,
}

impl Decoder {
    /// For a body of at most `max_bytes` of content.
    pub fn new(framing: Framing, max_bytes: u64) -> Result<Self, Reject> {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(len) if len > max_bytes => return Err(Reject::BodyTooLarge),
            Framing::Length(len) => State::Length(len),
            Framing::Chunked => State::new_size(),
        };
        Ok(Self { state, allowed: max_bytes, trailers: Vec::new() })
    }

    /// Whether the whole body has been seen.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The trailer fields as lines that end in CRLF, once the body is over; mostly none.
    pub fn take_trailers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.trailers)
    }

    /// Take what can be taken from the front of `input`, which is not empty.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, Reject> {
        match &mut self.state {
            State::Done => Ok(Step::Done),
            State::Length(left) | State::Data(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= n as u64;
                if *left == 0 {
                    self.state = match self.state {
                        State::Length(_) => State::Done,
                        _ => State::DataEnd { seen_cr: false },
                    };
                }
                Ok(Step::Consumed { used: n, content: 0..n })
            }
            _ => self.framing_bytes(input),
        }
    }

    fn framing_bytes(&mut self, input: &[u8]) -> Result<Step, Reject> {
        let mut used = 0;
        for &byte in input {
            used += 1;
            self.framing_byte(byte)?;
            if matches!(self.state, State::Data(_) | State::Done) {
                break;
            }
        }
        Ok(Step::Consumed { used, content: 0..0 })
    }

    fn framing_byte(&mut self, byte: u8) -> Result<(), Reject> {
        let next = match &mut self.state {
            State::Size { value, digits, line, part } => {
                *line += 1;
                if *line > MAX_CHUNK_LINE_BYTES {
                    return Err(Reject::Malformed("a chunk-size line is too long"));
                }
                match (*part, byte) {
                    (SizePart::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                        let digit = u64::from((byte as char).to_digit(16).unwrap_or(0));
                        *digits += 1;
                        if *digits > 16 {
                            return Err(Reject::Malformed("a chunk size is too large"));
                        }
                        *value = *value << 4 | digit;
                        return Ok(());
                    }
                    (SizePart::Digits | SizePart::Space, b';') if *digits > 0 => {
                        *part = SizePart::Extension;
                        return Ok(());
                    }
                    (SizePart::Digits | SizePart::Space, b' ' | b'\t') if *digits > 0 => {
                        *part = SizePart::Space;
                        return Ok(());
                    }
                    (SizePart::Digits, b'\r') if *digits > 0 => {
                        *part = SizePart::Cr;
                        return Ok(());
                    }
                    (SizePart::Extension, b'\r') => {
                        *part = SizePart::Cr;
                        return Ok(());
                    }
                    (SizePart::Extension, 0x20..=0x7e | b'\t' | 0x80..) => return Ok(()),
                    (SizePart::Cr, b'\n') => Self::after_size(*value, &mut self.allowed)?,
                    _ => return Err(Reject::Malformed("a chunk size is not valid")),
                }
            }
            State::DataEnd { seen_cr } => match (*seen_cr, byte) {
                (false, b'\r') => State::DataEnd { seen_cr: true },
                (true, b'\n') => State::new_size(),
                _ => return Err(Reject::Malformed("a chunk is longer than its size")),
            },
            State::Trailer(section) => {
                section.push(byte);
                if section.len() > MAX_TRAILER_BYTES {
                    return Err(Reject::HeaderTooLarge);
                }
                if section.as_slice() != b"\r\n" && !section.ends_with(b"\r\n\r\n") {
                    return Ok(());
                }
                check_trailers(section)?;
                section.truncate(section.len() - 2);
                self.trailers = std::mem::take(section);
                State::Done
            }
            State::Length(_) | State::Data(_) | State::Done => return Ok(()),
        };
        self.state = next;
        Ok(())
    }

    fn after_size(size: u64, allowed: &mut u64) -> Result<State, Reject> {
        if size == 0 {
            return Ok(State::Trailer(Vec::new()));
        }
        *allowed = allowed.checked_sub(size).ok_or(Reject::BodyTooLarge)?;
        Ok(State::Data(size))
    }
}

/// Trailers are fields like those of a head: another reader may take a bad line for more.
fn check_trailers(section: &[u8]) -> Result<(), Reject> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    let parsed = httparse::parse_headers(section, &mut slots);
    let whole = matches!(parsed, Ok(httparse::Status::Complete((len, _))) if len == section.len());
    let bare = memchr::memchr_iter(b'\n', section).any(|at| at == 0 || section[at - 1] != b'\r');
    if whole && !bare { Ok(()) } else { Err(Reject::Malformed("a trailer line is not valid")) }
}

impl State {
    fn new_size() -> Self {
        Self::Size { value: 0, digits: 0, line: 0, part: SizePart::Digits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Content and bytes left over, with the input cut into pieces of `piece` bytes.
    fn decode(input: &[u8], piece: usize) -> Result<(Vec<u8>, usize), Reject> {
        let mut decoder = Decoder::new(Framing::Chunked, 100)?;
        let mut content = Vec::new();
        let mut at = 0;
        while at < input.len() && !decoder.is_done() {
            let end = (at + piece).min(input.len());
            let Step::Consumed { used, content: range } = decoder.step(&input[at..end])? else {
                break;
            };
            content.extend_from_slice(&input[at..end][range]);
            at += used;
        }
        assert!(decoder.is_done(), "not complete");
        Ok((content, input.len() - at))
    }

    #[test]
    fn chunked_bodies() {
        for piece in [1, 2, 3, 100] {
            let body = b"3\r\nabc\r\n4 ;name=value\r\ndefg\r\n000\r\nX: y\r\n\r\nGET";
            assert_eq!(decode(body, piece), Ok((b"abcdefg".to_vec(), 3)));
            assert_eq!(decode(b"0\r\n\r\n", piece), Ok((vec![], 0)));
        }
    }

    #[test]
    fn trailers() {
        let mut decoder = Decoder::new(Framing::Chunked, 100).unwrap();
        let mut input = &b"0\r\nX: y\r\nZ: 1\r\n\r\n"[..];
        while let Ok(Step::Consumed { used, .. }) = decoder.step(input) {
            input = &input[used..];
        }
        assert_eq!(decoder.take_trailers(), b"X: y\r\nZ: 1\r\n");
        assert_eq!(decoder.take_trailers(), b"");
    }

    #[test]
    fn bad_chunks_are_refused() {
        for bad in [
            &b"3\nabc\r\n0\r\n\r\n"[..],
            b"g\r\n",
            b"\r\n",
            b"-1\r\n",
            b"0x3\r\nabc\r\n",
            b"+3\r\nabc\r\n",
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"3\r\nabc0\r\n\r\n",
            b"3\rabc\r\n",
            b"11111111111111111\r\n",
            b"3;a\nb\r\nabc\r\n",
            b"0\r\nX: y\n\r\n\r\n",
            b"0\r\nX y: a\r\n\r\n",
            b"0\r\nX : a\r\n\r\n",
            b"0\r\nX: a\r\n b\r\n\r\n",
            b"0\r\n a\r\n\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"3 \r\nabc\r\n0\r\n\r\n",
            b" 3\r\nabc\r\n0\r\n\r\n",
            b"0\r\n\rX\r\n\r\n",
        ] {
            assert!(matches!(decode(bad, 100), Err(Reject::Malformed(_))), "{bad:?}");
        }
        assert_eq!(decode(b"65\r\n", 100), Err(Reject::BodyTooLarge));
        assert_eq!(decode(b"ffffffffffffffff\r\n", 100), Err(Reject::BodyTooLarge));
        assert!(Decoder::new(Framing::Length(101), 100).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(input in prop::collection::vec(any::<u8>(), 1..60), piece in 1usize..9) {
            let mut decoder = Decoder::new(Framing::Chunked, 1000).unwrap();
            for part in input.chunks(piece) {
                match decoder.step(part) {
                    Ok(Step::Consumed { used, content }) => {
                        prop_assert!(used > 0 && used <= part.len() && content.end <= used);
                    }
                    _ => break,
                }
            }
        }
    }
}
