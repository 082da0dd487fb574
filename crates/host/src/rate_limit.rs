//! Counting requests by key, for all workers of a site.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Most keys that a site counts at a time, about 20 MB of them; further ones are refused until
/// some have expired.
pub const MAX_BUCKETS: usize = 65_536;

/// Longest key.
pub const MAX_KEY_BYTES: usize = 256;

/// Parts with a lock of their own, so that workers seldom wait for each other.
const SHARDS: usize = 16;

/// Most keys of one part. Keys spread evenly: their hash is keyed with random bytes.
const MAX_SHARD_BUCKETS: usize = MAX_BUCKETS / SHARDS;

/// From so many keys on a part is looked through for expired ones as it grows.
const FIRST_SWEEP_BUCKETS: usize = 64;

/// Time after which a part is looked through even when it does not grow.
const SWEEP_MS: u64 = 60_000;

/// Lengths of the windows.
const WINDOWS_MS: [u64; 3] = [1_000, 60_000, 3_600_000];

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Verdict {
    /// It is within the limits.
    Allowed = 0,
    /// There were too many in this second.
    Second = 1,
    /// There were too many in this minute.
    Minute = 2,
    /// There were too many in this hour.
    Hour = 3,
    /// There are too many keys.
    Buckets = 4,
}

/// The counts of a site.
#[derive(Debug)]
pub struct RateLimiter {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug)]
struct Shard {
    buckets: HashMap<Box<[u8]>, Bucket>,
    /// Look for expired buckets at this number of them ...
    sweep_at: usize,
    /// ... or at this time.
    sweep_ms: u64,
}

/// Windows of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    windows: [Window; 3],
}

/// A window that nothing was counted in has ended.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start_ms: u64,
    count: u64,
}

impl Window {
    /// Whether it is over at a time. A clock that was set back does not end it, unless it was by
    /// more than its length: then its end may be far away.
    fn is_over(&self, length_ms: u64, now_ms: u64) -> bool {
        self.count == 0
            || now_ms.saturating_sub(self.start_ms) >= length_ms
            || self.start_ms.saturating_sub(now_ms) >= length_ms
    }
}

impl Bucket {
    fn is_over(&self, now_ms: u64) -> bool {
        self.windows.iter().zip(WINDOWS_MS).all(|(window, length)| window.is_over(length, now_ms))
    }

    /// Count a request if no limit forbids it.
    fn take(&mut self, limits: [u64; 3], now_ms: u64) -> Verdict {
        const EXCEEDED: [Verdict; 3] = [Verdict::Second, Verdict::Minute, Verdict::Hour];
        for (index, window) in self.windows.iter_mut().enumerate() {
            if window.is_over(WINDOWS_MS[index], now_ms) {
                *window = Window { start_ms: now_ms, count: 0 };
            }
            if limits[index] > 0 && window.count >= limits[index] {
                return EXCEEDED[index];
            }
        }
        for (window, limit) in self.windows.iter_mut().zip(limits) {
            if limit > 0 {
                window.count = window.count.saturating_add(1);
            }
        }
        Verdict::Allowed
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        let shard =
            || Shard { buckets: HashMap::new(), sweep_at: FIRST_SWEEP_BUCKETS, sweep_ms: 0 };
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::new(shard())) }
    }
}

impl RateLimiter {
    /// Count a request for a key against the limits of a second, a minute and an hour; 0 is none.
    ///
    /// A window begins with the first request that is counted in it. What is refused counts
    /// nowhere. `None` for a key that is empty or longer than [`MAX_KEY_BYTES`].
    pub fn check(&self, key: &[u8], limits: [u64; 3], now_ms: u64) -> Option<Verdict> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return None;
        }
        if limits == [0; 3] {
            return Some(Verdict::Allowed);
        }
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        let mut shard = self.shards[index].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = shard.buckets.get_mut(key) {
            return Some(bucket.take(limits, now_ms));
        }
        shard.sweep(now_ms);
        if shard.buckets.len() >= MAX_SHARD_BUCKETS {
            return Some(Verdict::Buckets);
        }
        let mut bucket = Bucket::default();
        let verdict = bucket.take(limits, now_ms);
        shard.buckets.insert(key.into(), bucket);
        Some(verdict)
    }

    /// Keys that are being counted.
    pub fn len(&self) -> usize {
        let len = |shard: &Mutex<Shard>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).buckets.len()
        };
        self.shards.iter().map(len).sum()
    }

    /// Whether no key is being counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    /// Drop what is over, if it is time to look. A full part is looked through at most once a
    /// second, the shortest time in which anything ends.
    fn sweep(&mut self, now_ms: u64) {
        let full = self.buckets.len() >= MAX_SHARD_BUCKETS;
        let grown = !full && self.buckets.len() >= self.sweep_at;
        // A clock that was set back must not put the next look off.
        let waited = now_ms >= self.sweep_ms || self.sweep_ms - now_ms > SWEEP_MS;
        if !grown && !waited {
            return;
        }
        self.buckets.retain(|_, bucket| !bucket.is_over(now_ms));
        self.buckets.shrink_to(2 * self.buckets.len());
        self.sweep_at = FIRST_SWEEP_BUCKETS.max(2 * self.buckets.len());
        let full = self.buckets.len() >= MAX_SHARD_BUCKETS / 2;
        let pause_ms = if full { WINDOWS_MS[0] } else { SWEEP_MS };
        self.sweep_ms = now_ms.saturating_add(pause_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn windows() {
        let limiter = RateLimiter::default();
        let check = |ms, limits| limiter.check(b"key", limits, NOW + ms);
        assert_eq!(check(0, [2, 3, 4]), Some(Verdict::Allowed));
        assert_eq!(check(999, [2, 3, 4]), Some(Verdict::Allowed));
        assert_eq!(check(999, [2, 3, 4]), Some(Verdict::Second));
        assert_eq!(check(1000, [2, 3, 4]), Some(Verdict::Allowed));
        assert_eq!(check(1000, [2, 3, 4]), Some(Verdict::Minute));
        assert_eq!(check(60_000, [2, 3, 4]), Some(Verdict::Allowed));
        assert_eq!(check(120_000, [2, 3, 4]), Some(Verdict::Hour));
        assert_eq!(check(3_600_000, [2, 3, 4]), Some(Verdict::Allowed));
        assert_eq!(check(3_600_000, [0, 0, 0]), Some(Verdict::Allowed));
        assert_eq!(limiter.check(b"other", [1, 0, 0], NOW), Some(Verdict::Allowed));
        assert_eq!(limiter.check(b"other", [1, 0, 0], NOW), Some(Verdict::Second));
    }

    #[test]
    fn keys_have_a_length() {
        let limiter = RateLimiter::default();
        assert_eq!(limiter.check(b"", [1, 0, 0], NOW), None);
        assert_eq!(limiter.check(&[b'a'; MAX_KEY_BYTES + 1], [1, 0, 0], NOW), None);
        assert!(limiter.check(&[b'a'; MAX_KEY_BYTES], [1, 0, 0], NOW).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back() {
        let limiter = RateLimiter::default();
        assert_eq!(limiter.check(b"a", [1, 0, 0], NOW), Some(Verdict::Allowed));
        assert_eq!(limiter.check(b"a", [1, 0, 0], NOW - 500), Some(Verdict::Second));
        assert_eq!(limiter.check(b"a", [1, 0, 0], NOW - 86_400_000), Some(Verdict::Allowed));
        assert_eq!(limiter.check(b"a", [1, 0, 0], 0), Some(Verdict::Allowed));
        assert!(limiter.check(b"a", [u64::MAX; 3], u64::MAX).is_some());
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let limiter = RateLimiter::default();
        let verdicts = |count: usize, now_ms| {
            let key = |n: usize| limiter.check(&n.to_le_bytes(), [1, 0, 0], now_ms);
            (0..count).filter(|&n| key(n) == Some(Verdict::Buckets)).count()
        };
        let refused = verdicts(2 * MAX_BUCKETS, NOW);
        assert!(refused > MAX_BUCKETS / 2 && limiter.len() <= MAX_BUCKETS);
        assert_eq!(limiter.check(b"new", [1, 0, 0], NOW + 999), Some(Verdict::Buckets));
        // All of them are over a second later, and give way to others.
        assert_eq!(limiter.check(b"new", [1, 0, 0], NOW + 2000), Some(Verdict::Allowed));
        assert_eq!(verdicts(1000, NOW + 4000), 0);
        assert!(limiter.len() < MAX_BUCKETS);
    }

    #[test]
    fn expired_keys_go_without_growth() {
        let limiter = RateLimiter::default();
        for n in 0..500_u32 {
            limiter.check(&n.to_le_bytes(), [1, 0, 0], NOW);
        }
        for n in 1000..1500_u32 {
            limiter.check(&n.to_le_bytes(), [1, 0, 0], NOW + SWEEP_MS);
        }
        assert_eq!(limiter.len(), 500);
    }
}
