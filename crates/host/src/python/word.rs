//! Values of compiled Python as words of 64 bits.
//!
//! A str is a guest address (bits 0 to 31), a length in bytes (32 to 62) and whether there is a
//! character that is not ASCII (63). Its bytes are UTF-8 in which lone surrogates are encoded too.
//! bytes are the same without the last bit, a list an address and a number of elements, each of
//! one word or more. A word of 0 is None.

/// Bit 63 of the word of a str.
const WIDE: u64 = 1 << 63;

/// A str: where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PyStr {
    pub(crate) address: u32,
    /// In bytes.
    pub(crate) len: u32,
    /// Whether not all of it is ASCII, as its word says.
    pub(crate) wide: bool,
}

/// A bytes: where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PyBytes {
    pub(crate) address: u32,
    pub(crate) len: u32,
}

/// A list: where its words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) address: u32,
    /// Of elements.
    pub(crate) count: u32,
}

impl PyStr {
    pub(crate) fn unpack(word: u64) -> Self {
        let len = ((word & !WIDE) >> 32) as u32;
        Self { address: word as u32, len, wide: word & WIDE != 0 }
    }

    pub(crate) fn pack(self) -> u64 {
        u64::from(self.address) | u64::from(self.len) << 32 | if self.wide { WIDE } else { 0 }
    }
}

impl PyBytes {
    pub(crate) fn unpack(word: u64) -> Self {
        Self { address: word as u32, len: ((word & !WIDE) >> 32) as u32 }
    }

    pub(crate) fn pack(self) -> u64 {
        u64::from(self.address) | u64::from(self.len) << 32
    }
}

impl List {
    pub(crate) fn unpack(word: u64) -> Self {
        Self { address: word as u32, count: (word >> 32) as u32 }
    }

    pub(crate) fn pack(self) -> u64 {
        u64::from(self.address) | u64::from(self.count) << 32
    }
}
