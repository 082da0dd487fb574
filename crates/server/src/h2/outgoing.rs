//! A response body on its way into frames.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use zeroserve_http::range::Part;

use crate::pipeline::Body;
use crate::view::Local;

/// What is left of a body.
pub(crate) struct Outgoing {
    local: Option<Local>,
    pieces: VecDeque<Piece>,
    left: u64,
}

enum Piece {
    Bytes { bytes: Bytes, at: usize },
    Part(Part),
}

impl Outgoing {
    /// All of a body.
    pub(crate) fn new(body: Body) -> Self {
        let left = body.size();
        let mut pieces = VecDeque::new();
        let bytes = |bytes: Vec<u8>| Piece::Bytes { bytes: bytes.into(), at: 0 };
        let local = match body {
            Body::Empty => None,
            Body::Bytes(content) => {
                pieces.push_back(bytes(content));
                None
            }
            Body::Shared(bytes) => {
                pieces.push_back(Piece::Bytes { bytes, at: 0 });
                None
            }
            Body::Part(local, part) => {
                pieces.push_back(Piece::Part(part));
                Some(local)
            }
            Body::Parts(local, parts) => {
                for (head, part) in parts {
                    pieces.push_back(bytes(head.into_bytes()));
                    pieces.push_back(Piece::Part(part));
                }
                Some(local)
            }
        };
        Self { local, pieces, left }
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Append the next `len` bytes, of which there are that many.
    pub(crate) fn fill(&mut self, mut len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.left = self.left.saturating_sub(len as u64);
        while len > 0 {
            let piece = self.pieces.front_mut().ok_or(io::ErrorKind::UnexpectedEof)?;
            let (taken, done) = match piece {
                Piece::Bytes { bytes, at } => {
                    let taken = len.min(bytes.len() - *at);
                    out.extend_from_slice(&bytes[*at..*at + taken]);
                    *at += taken;
                    (taken, *at == bytes.len())
                }
                Piece::Part(part) => {
                    let taken = usize::try_from(part.len).unwrap_or(usize::MAX).min(len);
                    let local = self.local.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?;
                    append(local, part.start, taken, out)?;
                    part.start += taken as u64;
                    part.len -= taken as u64;
                    (taken, part.len == 0)
                }
            };
            len -= taken;
            if done {
                self.pieces.pop_front();
            }
        }
        Ok(())
    }
}

/// Append bytes of a representation, from memory or from its file.
pub(crate) fn append(local: &Local, start: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
    if let Some(body) = &local.body {
        let start = start as usize;
        out.extend_from_slice(&body[start..start + len]);
        return Ok(());
    }
    let file = local.file.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?;
    let at = out.len();
    out.resize(at + len, 0);
    file.read_exact_at(&mut out[at..], start)
}
