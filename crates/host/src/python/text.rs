//! A str or a bytes as helpers look at it, and what they make from it.

use std::ops::Range;

use crate::guest::{Input, Instead, copying};
use crate::limits::HASH_FUEL;
use crate::python::chars;
use crate::python::place::used_up;
use crate::python::word::PyStr;

/// For bodies that exist for both: this one is for str.
pub(crate) const STR: bool = true;

/// This one is for bytes.
pub(crate) const BYTES: bool = false;

/// A str or a bytes in the script's memory.
#[derive(Clone, Copy)]
pub(crate) struct Text<'m> {
    pub(crate) bytes: &'m [u8],
    address: u32,
    /// Whether characters and bytes are not the same.
    pub(crate) wide: bool,
    pub(crate) is_str: bool,
}

impl<'m> Text<'m> {
    /// What a word names.
    pub(crate) fn new<const KIND: bool>(
        input: Input<'m>,
        argument: &str,
        word: u64,
    ) -> Result<Self, Instead> {
        let PyStr { address, wide, .. } = PyStr::unpack(word);
        let bytes = input.content(argument, word)?;
        Ok(Self { bytes, address, wide: KIND == STR && wide, is_str: KIND == STR })
    }

    /// Fuel for looking at all of it once.
    pub(crate) fn fuel(self) -> u64 {
        let len = self.bytes.len();
        if self.wide { len as u64 * HASH_FUEL } else { copying(len) }
    }

    /// A part of it.
    pub(crate) fn part(self, range: Range<usize>) -> Self {
        let address = self.address.wrapping_add(range.start as u32);
        Self { bytes: &self.bytes[range], address, ..self }
    }

    /// Characters, or bytes.
    pub(crate) fn len(self) -> usize {
        if self.wide { chars::count(self.bytes) } else { self.bytes.len() }
    }

    /// Where the nth character begins.
    pub(crate) fn offset(self, n: usize) -> usize {
        if self.wide { chars::offset(self.bytes, n) } else { n.min(self.bytes.len()) }
    }

    /// Which character begins there.
    pub(crate) fn index(self, offset: usize) -> usize {
        if self.wide { chars::count(&self.bytes[..offset]) } else { offset }
    }

    /// The word of a part of it, which stays where it is.
    pub(crate) fn piece(self, range: Range<usize>) -> u64 {
        // What could be read lies below 4 GiB; what is empty may claim to be anywhere.
        let Self { bytes, address, wide, .. } = self.part(range);
        PyStr { address, len: bytes.len() as u32, wide: wide && !bytes.is_ascii() }.pack()
    }

    /// The bytes between two indices as methods like `find` take them; `None` if the first is
    /// behind the other.
    pub(crate) fn span(self, start: i64, end: i64) -> Option<Range<usize>> {
        let len = self.len() as i64;
        let at = |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
        let (start, end) = (at(start), at(end.min(len)));
        if start > end {
            return None;
        }
        let from = self.offset(start as usize);
        let count = (end - start) as usize;
        let to = if end == len {
            self.bytes.len()
        } else if self.wide {
            from + chars::offset(&self.bytes[from..], count)
        } else {
            from + count
        };
        Some(from..to)
    }

    /// The index of an element as `[]` takes it.
    pub(crate) fn element(self, index: i64) -> Option<Range<usize>> {
        let len = self.len() as i64;
        let index = if index < 0 { index.saturating_add(len) } else { index };
        if !(0..len).contains(&index) {
            return None;
        }
        let from = self.offset(index as usize);
        let len = if self.wide { chars::first(&self.bytes[from..]).map_or(0, |c| c.1) } else { 1 };
        Some(from..from + len)
    }

    /// Length of the white space character at the start of some bytes of it, or 0.
    pub(crate) fn space_at(self, bytes: &[u8]) -> usize {
        match bytes {
            [0x09..=0x0d | 0x20, ..] => 1,
            [0x1c..=0x1f, ..] if self.is_str => 1,
            [0xc2, 0x85 | 0xa0, ..] if self.wide => 2,
            [a, b, c, ..] if self.wide && is_wide_space([*a, *b, *c]) => 3,
            _ => 0,
        }
    }

    /// Length of the white space character at the end of some bytes of it, or 0.
    pub(crate) fn space_before(self, bytes: &[u8]) -> usize {
        match bytes {
            [.., 0x09..=0x0d | 0x20] => 1,
            [.., 0x1c..=0x1f] if self.is_str => 1,
            [.., 0xc2, 0x85 | 0xa0] if self.wide => 2,
            [.., a, b, c] if self.wide && is_wide_space([*a, *b, *c]) => 3,
            _ => 0,
        }
    }
}

/// U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
fn is_wide_space(bytes: [u8; 3]) -> bool {
    matches!(
        bytes,
        [0xe1, 0x9a, 0x80]
            | [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf]
            | [0xe2, 0x81, 0x9f]
            | [0xe3, 0x80, 0x80]
    )
}

/// Bytes that are being made, at most as many as the heap still has.
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    room: usize,
}

impl Output {
    pub(crate) fn new(room: usize) -> Self {
        Self { bytes: Vec::new(), room }
    }

    /// Add bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Instead> {
        if bytes.len() > self.room - self.bytes.len() {
            return Err(used_up());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Add the same bytes so many times.
    pub(crate) fn repeat(&mut self, bytes: &[u8], times: usize) -> Result<(), Instead> {
        let more = bytes.len().checked_mul(times).ok_or_else(used_up)?;
        if more > self.room - self.bytes.len() {
            return Err(used_up());
        }
        match bytes {
            [] => {}
            [byte] => self.bytes.resize(self.bytes.len() + times, *byte),
            _ => (0..times).for_each(|_| self.bytes.extend_from_slice(bytes)),
        }
        Ok(())
    }

    /// Add a character.
    pub(crate) fn point(&mut self, point: u32) -> Result<(), Instead> {
        self.push(chars::encoded(point, &mut [0; 4]))
    }
}

/// Words that are being gathered, at most as many as the heap still has room for.
pub(crate) struct Words {
    pub(crate) list: Vec<u64>,
    room: usize,
}

impl Words {
    pub(crate) fn new(room: usize) -> Self {
        Self { list: Vec::new(), room: room / 8 }
    }

    pub(crate) fn push(&mut self, word: u64) -> Result<(), Instead> {
        if self.list.len() >= self.room {
            return Err(used_up());
        }
        self.list.push(word);
        Ok(())
    }
}
