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

/// Upper bounds of the classes that times are counted in, in nanoseconds: 50 us to 10 s.
pub const LATENCY_BOUNDS_NS: [u64; 17] = [
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// How long something took, by classes.
#[derive(Default)]
pub struct Histogram {
    /// One for each bound, and one for what is beyond the last.
    pub classes: [Counter; LATENCY_BOUNDS_NS.len() + 1],
    /// All of it together, in nanoseconds.
    pub sum_ns: Counter,
}

impl Histogram {
    /// Count `times` things that took that long each.
    pub fn record(&self, took_ns: u64, times: u64) {
        // Most are in the first or second class, so that searching from the front is fastest.
        let class = LATENCY_BOUNDS_NS.iter().position(|bound| took_ns <= *bound);
        self.classes[class.unwrap_or(LATENCY_BOUNDS_NS.len())].add(times);
        self.sum_ns.add(took_ns.saturating_mul(times));
    }
}

/// Handshakes of one version of TLS.
#[derive(Default)]
pub struct Handshakes {
    /// With keys agreed on anew.
    pub full: Counter,
    /// That went on with a session of before.
    pub resumed: Counter,
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
    /// Requests that came over HTTP/2; they are among `requests` too.
    pub requests_h2: Counter,
    /// From when the worker was free for a request to the send that took the end of its answer.
    pub latency: Histogram,
    /// Functions of scripts that were run.
    pub script_runs: Counter,
    /// Requests whose scripts were stopped.
    pub script_traps: Counter,
    /// Handshakes of TLS 1.2 that were finished.
    pub tls12: Handshakes,
    /// Handshakes of TLS 1.3 that were finished.
    pub tls13: Handshakes,
    /// Handshakes that came to nothing.
    pub tls_failures: Counter,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_their_classes() {
        let histogram = Histogram::default();
        for (took, times) in [(0, 1), (50_000, 2), (50_001, 4), (10_000_000_001, 8), (u64::MAX, 1)]
        {
            histogram.record(took, times);
        }
        let counts: Vec<u64> = histogram.classes.iter().map(Counter::get).collect();
        assert_eq!((counts[0], counts[1], counts[17]), (3, 4, 9));
        assert_eq!(counts.iter().sum::<u64>(), 16);
    }
}
