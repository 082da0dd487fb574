//! The streams of a connection: those that are open, and what became of the latest others.

use super::priority::Priority;

/// Streams whose end is remembered: frames that were on their way when it came are told from
/// those that make no sense.
const MAX_REMEMBERED: usize = 64;

/// Streams not yet opened whose priority is remembered.
const MAX_EARLY_PRIORITIES: usize = 16;

/// A stream on which something is still to be sent or received.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    /// Bytes that the client takes; negative after it changed its mind.
    pub(crate) send_window: i64,
    /// Bytes that the client may still send.
    pub(crate) recv_window: i64,
    /// Bytes of body that the client has announced and not sent.
    pub(crate) announced: Option<u64>,
    /// Whether the client has sent all.
    pub(crate) received: bool,
    /// Whether more of a body waits to be sent.
    pub(crate) queued: bool,
    /// Whether the client gets room for more of its body only when that is said.
    pub(crate) held: bool,
    pub(crate) priority: Priority,
    /// When it was served last, in frames.
    pub(crate) turn: u64,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides have sent all.
    Whole,
    /// The client sent RST_STREAM.
    ByClient,
    /// We did: what the client sent before it knew is ignored.
    ByUs,
}

/// All streams of a connection.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// In the order of their numbers, which is that of their coming.
    open: Vec<Stream>,
    /// The latest ends, the oldest overwritten first.
    ended: Vec<(u32, End)>,
    oldest: usize,
    early: Vec<(u32, Priority)>,
}

impl Streams {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.open.iter_mut()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Stream> {
        match self.open.last() {
            Some(last) if last.id == id => Some(last),
            _ => self.open.binary_search_by_key(&id, |s| s.id).ok().map(|at| &self.open[at]),
        }
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        let at = self.open.binary_search_by_key(&id, |s| s.id).ok()?;
        Some(&mut self.open[at])
    }

    /// Add a stream, whose number is above all others.
    pub(crate) fn open(&mut self, mut stream: Stream) {
        if let Some(at) = self.early.iter().position(|(id, _)| *id == stream.id) {
            stream.priority = self.early.swap_remove(at).1;
        }
        self.open.push(stream);
    }

    /// Forget a stream but for its end.
    pub(crate) fn close(&mut self, id: u32, end: End) {
        if let Ok(at) = self.open.binary_search_by_key(&id, |s| s.id) {
            self.open.remove(at);
        }
        self.remember(id, end);
    }

    /// Remember the end of a stream that was never opened.
    pub(crate) fn remember(&mut self, id: u32, end: End) {
        if self.ended.len() < MAX_REMEMBERED {
            return self.ended.push((id, end));
        }
        self.ended[self.oldest] = (id, end);
        self.oldest = (self.oldest + 1) % MAX_REMEMBERED;
    }

    /// How a stream ended, if that is remembered.
    pub(crate) fn end(&self, id: u32) -> Option<End> {
        self.ended.iter().find(|(ended, _)| *ended == id).map(|(_, end)| *end)
    }

    /// Note the priority of a stream, which may be yet to come.
    pub(crate) fn set_priority(&mut self, id: u32, priority: Priority, last: u32) {
        if let Some(stream) = self.get_mut(id) {
            stream.priority = priority;
        } else if id > last {
            if self.early.len() == MAX_EARLY_PRIORITIES {
                self.early.remove(0);
            }
            self.early.retain(|(other, _)| *other != id);
            self.early.push((id, priority));
        }
    }

    /// The stream that sends next: the most urgent first; of those, whole ones in their order and
    /// then, in turns, those of which parts are of use.
    pub(crate) fn next(&self) -> Option<&Stream> {
        self.open.iter().filter(|stream| stream.queued && stream.send_window > 0).min_by_key(
            |stream| {
                let shared = stream.priority.incremental;
                let turn = if shared { stream.turn } else { 0 };
                (stream.priority.urgency, shared, turn, stream.id)
            },
        )
    }
}
