//! What the cache has done.

use std::sync::atomic::{AtomicU64, Ordering};

use super::flight::SHARDS;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    Hit,
    Stale,
    Miss,
    Waited,
    Revalidated,
    Stored,
    Bypass,
    Refused,
}

const COUNTS: usize = Count::Refused as usize + 1;

/// Counters of one part, on lines of the processor's cache of their own: workers that ask for
/// different things do not share them.
#[derive(Default)]
#[repr(align(128))]
struct Line([AtomicU64; COUNTS]);

/// The counters.
#[derive(Default)]
pub(super) struct Counters {
    lines: [Line; SHARDS],
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counters")
    }
}

impl Counters {
    pub(super) fn add(&self, hash: u64, count: Count) {
        self.lines[hash as usize % SHARDS].0[count as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sum(&self, count: Count) -> u64 {
        self.lines.iter().map(|line| line.0[count as usize].load(Ordering::Relaxed)).sum()
    }
}

/// What the cache has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests answered from it, with a fresh response.
    pub hits: u64,
    /// Requests answered from it with a stale response, while another was fetched or because none
    /// could be had.
    pub stale: u64,
    /// Requests for which the upstream was asked.
    pub misses: u64,
    /// Times that a request waited for another one's answer.
    pub waited: u64,
    /// Stored responses of which the upstream said that they are still good.
    pub revalidated: u64,
    /// Responses stored.
    pub stored: u64,
    /// Requests that caches have nothing to do with.
    pub bypassed: u64,
    /// Responses that were not stored.
    pub refused: u64,
    /// Keys whose responses made room for others.
    pub evicted: u64,
    /// Keys with stored responses.
    pub keys: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// What those take that are on their way, in bytes.
    pub recording_bytes: u64,
    /// The budget of all of them, in bytes.
    pub budget_bytes: u64,
}
