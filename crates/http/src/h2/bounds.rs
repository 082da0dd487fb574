//! How much of what a client may do, and counters of what it did.

use crate::request::HeadLimits;

/// Seconds over which frames are counted.
pub const COUNTED_S: u64 = 30;

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of the head of each request.
    pub head: HeadLimits,
    /// Streams at a time.
    pub streams: u32,
    /// Bytes that a client may send on one stream before it hears from us.
    pub stream_window: u32,
    /// Bytes that a client may send on all streams before it hears from us.
    pub connection_window: u32,
    /// CONTINUATION frames of one header block.
    pub continuations: u32,
    /// Streams that a client may end early, in [`COUNTED_S`].
    pub resets: u32,
    /// Streams that we have to end because of what a client sends, in [`COUNTED_S`].
    pub faults: u32,
    /// SETTINGS frames, in [`COUNTED_S`].
    pub settings: u32,
    /// PING frames, in [`COUNTED_S`].
    pub pings: u32,
    /// DATA frames without data, in [`COUNTED_S`].
    pub empty_frames: u32,
    /// Frames that speak of priorities or of nothing we know, in [`COUNTED_S`].
    pub other_frames: u32,
    /// DATA frames that a window makes shorter than [`SMALL_FRAME_BYTES`], in [`COUNTED_S`].
    pub small_frames: u32,
}

/// Bytes of a DATA frame below which it costs more to make than it carries.
pub const SMALL_FRAME_BYTES: usize = 256;

/// Counts something over a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    used: u32,
    since_s: u64,
}

impl Counter {
    /// Count one more; false when that is more than `limit` since the time began.
    pub(crate) fn count(&mut self, limit: u32, now_s: u64) -> bool {
        if now_s.saturating_sub(self.since_s) >= COUNTED_S {
            *self = Self { used: 0, since_s: now_s };
        }
        self.used = self.used.saturating_add(1);
        self.used <= limit
    }
}

/// What a connection counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) resets: Counter,
    pub(crate) faults: Counter,
    pub(crate) settings: Counter,
    pub(crate) pings: Counter,
    pub(crate) empty_frames: Counter,
    pub(crate) other_frames: Counter,
    pub(crate) small_frames: Counter,
}
