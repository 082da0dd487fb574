//! Counters: each worker writes its own, whoever asks adds them up.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only one thread changes.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Add; a plain load and store, since nobody else writes.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Take away.
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
    }

    /// Put another value in its place.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value, from any thread.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one worker.
#[derive(Default)]
pub struct WorkerStats {
    /// Requests answered, refused ones included.
    pub requests: Counter,
    /// Responses by the first digit of their status: 2xx to 5xx.
    pub responses: [Counter; 4],
    /// Bytes of responses handed to the system, heads included.
    pub bytes_sent: Counter,
    /// Connections open now.
    pub connections_open: Counter,
    /// Connections accepted since the start.
    pub connections_accepted: Counter,
    /// Connections closed for want of a PROXY header, or for a bad one.
    pub proxy_headers_refused: Counter,
    /// Number of the last sign of life that was asked for and given.
    pub pulse: Counter,
    /// Lines of the access log that were dropped because its writer fell behind.
    pub log_lines_dropped: Counter,
}

impl WorkerStats {
    /// Count one answer.
    pub fn answered(&self, status: u16) {
        self.requests.add(1);
        if let Some(class) =
            (status / 100).checked_sub(2).and_then(|at| self.responses.get(usize::from(at)))
        {
            class.add(1);
        }
    }
}
