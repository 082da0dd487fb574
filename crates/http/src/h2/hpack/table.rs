//! The tables of HPACK (RFC 7541, section 2.3): the fixed one, and the one that a peer fills.

use std::collections::VecDeque;

/// The fixed table, whose first entry has index 1.
#[rustfmt::skip]
pub const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// What an entry counts besides its bytes.
const ENTRY_BYTES: usize = 32;

/// Where an entry's bytes lie.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    name: usize,
    value: usize,
}

impl Entry {
    fn size(self) -> usize {
        self.name + self.value + ENTRY_BYTES
    }
}

/// The table that a peer fills, newest first.
///
/// The bytes of all entries lie in one buffer in the order in which they came; room at its front
/// is given back when half of it is empty, so that adding an entry costs a copy of its bytes.
#[derive(Debug)]
pub struct Table {
    entries: VecDeque<Entry>,
    bytes: Vec<u8>,
    size: usize,
    max: usize,
}

impl Table {
    /// An empty table for `max` bytes, counted as the RFC counts.
    pub fn new(max: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: Vec::new(), size: 0, max }
    }

    /// Change how much it may hold.
    pub fn resize(&mut self, max: usize) {
        self.max = max;
        self.evict(0);
    }

    /// Name and value of an entry by its index in both tables together.
    pub fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        if let Some((name, value)) = STATIC.get(index.wrapping_sub(1)) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(index.checked_sub(STATIC.len() + 1)?)?;
        let (start, value) = (entry.start, entry.start + entry.name);
        Some((&self.bytes[start..value], &self.bytes[value..value + entry.value]))
    }

    /// Begin a field: its bytes are appended to what this returns.
    pub fn draft(&mut self) -> (usize, &mut Vec<u8>) {
        (self.bytes.len(), &mut self.bytes)
    }

    /// Begin a field with the name of an entry.
    pub fn draft_name(&mut self, index: usize) -> Option<usize> {
        let start = self.bytes.len();
        match STATIC.get(index.wrapping_sub(1)) {
            Some((name, _)) => self.bytes.extend_from_slice(name.as_bytes()),
            None => {
                let entry = *self.entries.get(index.checked_sub(STATIC.len() + 1)?)?;
                self.bytes.extend_from_within(entry.start..entry.start + entry.name);
            }
        }
        Some(start)
    }

    /// The field that was drafted.
    pub fn drafted(&self, start: usize, name: usize) -> (&[u8], &[u8]) {
        self.bytes[start..].split_at(name)
    }

    /// Forget the field that was drafted.
    pub fn discard(&mut self, start: usize) {
        self.bytes.truncate(start);
        if self.bytes.capacity() > 8 * self.max.max(512) {
            self.bytes.shrink_to(4 * self.max);
        }
    }

    /// Keep the field that was drafted; one that is larger than the table only empties it.
    pub fn keep(&mut self, start: usize, name: usize) {
        let entry = Entry { start, name, value: self.bytes.len() - start - name };
        self.evict(entry.size());
        if entry.size() > self.max {
            return self.discard(if self.entries.is_empty() { 0 } else { start });
        }
        self.size += entry.size();
        self.entries.push_front(entry);
        let empty = self.entries.back().map_or(0, |oldest| oldest.start);
        if empty > self.bytes.len() / 2 && empty > self.max {
            self.bytes.drain(..empty);
            for entry in &mut self.entries {
                entry.start -= empty;
            }
        }
    }

    /// Drop the oldest entries until `more` bytes fit.
    fn evict(&mut self, more: usize) {
        while self.size + more > self.max {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.size -= oldest.size();
        }
    }
}
