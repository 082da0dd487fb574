//! How many further tries there may be: a share of the requests of late, so that trouble with the
//! upstreams does not turn into a multiple of the load.

/// Time over which requests are counted.
const WINDOW_MS: u64 = 10_000;

/// Further tries in that time that are always allowed: with few requests, a share is none.
const RESERVE: u64 = 10;

/// What is left, in hundredths of a try.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    /// Requests that were counted when this was looked at last, and when that was.
    requests: u64,
    at_ms: u64,
}

impl Budget {
    /// Full, so to say: the reserve.
    pub(super) fn new(requests: u64, now_ms: u64) -> Self {
        Self { left: RESERVE * 100, requests, at_ms: now_ms }
    }

    /// Take one, if there is one. `requests`: all that there ever were.
    pub(super) fn take(&mut self, requests: u64, percent: u32, now_ms: u64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        let new = requests.saturating_sub(self.requests);
        // Of a long time, as much as fell into one window on the average.
        let new = new.saturating_mul(WINDOW_MS) / passed_ms.max(WINDOW_MS);
        let passed_ms = passed_ms.min(WINDOW_MS);
        let kept = u128::from(self.left) * u128::from(WINDOW_MS - passed_ms);
        let kept = (kept / u128::from(WINDOW_MS)) as u64;
        let reserve = RESERVE * 100 * passed_ms / WINDOW_MS;
        self.left =
            kept.saturating_add(new.saturating_mul(u64::from(percent))).saturating_add(reserve);
        self.requests = requests;
        self.at_ms = self.at_ms.max(now_ms);
        let is_left = self.left >= 100;
        if is_left {
            self.left -= 100;
        }
        is_left
    }
}
