//! What is known of one upstream. It outlives the pool it was made for: a pool that takes the
//! place of another after a reload goes on with the vitals of the upstreams that stayed.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::config::{EjectionConfig, HealthConfig};
use crate::Phase;
use crate::tally::Tally;

/// Longest text of an error that is kept.
const MAX_ERROR_BYTES: usize = 256;

/// Checks say that it is down.
pub(super) const DOWN: u8 = 1;
/// It was taken out because requests failed. Once the time is over, one request finds out.
pub(super) const EJECTED: u8 = 2;
/// That request is under way.
pub(super) const PROBING: u8 = 4;

/// An upstream's state, shared by all workers. What each request touches is in one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Vitals {
    /// Requests under way.
    pub(super) in_flight: AtomicU32,
    /// Requests that failed since the last that did not.
    failed_in_row: AtomicU32,
    /// Nothing while all is well.
    pub(super) trouble: AtomicU8,
    /// Since when it is out by itself again.
    pub(super) ejected_until_ms: AtomicU64,
    /// Since when it is back, or 0.
    pub(super) returned_ms: AtomicU64,
    pub(super) tally: Tally,
    /// Requests that were another upstream's first.
    pub(super) retries: AtomicU64,
    pub(super) ejections: AtomicU64,
    pub(super) checks_failed: AtomicU64,
    rare: Mutex<Rare>,
}

/// What changes only when something is wrong, or was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    /// When the first of the failures in a row was.
    first_failure_ms: u64,
    /// Ejections one after the other.
    ejected_times: u32,
    /// When the last one ended.
    ejection_end_ms: u64,
    pub(super) down_since_ms: Option<u64>,
    pub(super) was_checked: bool,
    /// Checks in a row that came out alike.
    pub(super) good_checks: u32,
    pub(super) bad_checks: u32,
    pub(super) last_error: String,
    pub(super) last_error_ms: u64,
}

impl Rare {
    fn say(&mut self, error: &str, now_ms: u64) {
        let mut end = error.len().min(MAX_ERROR_BYTES);
        while !error.is_char_boundary(end) {
            end -= 1;
        }
        error[..end].clone_into(&mut self.last_error);
        self.last_error_ms = now_ms;
    }

    /// For how long it is taken out this time.
    fn ejection_ms(&mut self, config: &EjectionConfig, now_ms: u64) -> u64 {
        if now_ms.saturating_sub(self.ejection_end_ms) > config.max_ms {
            self.ejected_times = 0;
        }
        let doubled = 1_u64.checked_shl(self.ejected_times).unwrap_or(u64::MAX);
        self.ejected_times = self.ejected_times.saturating_add(1);
        let length_ms = config.base_ms.saturating_mul(doubled).min(config.max_ms);
        self.ejection_end_ms = now_ms.saturating_add(length_ms);
        length_ms
    }
}

impl Vitals {
    pub(super) fn rare(&self) -> MutexGuard<'_, Rare> {
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take a place, unless there are as many requests as there may be.
    pub(super) fn enter(&self, most: Option<u32>) -> bool {
        let Some(most) = most else {
            self.in_flight.fetch_add(1, Ordering::Relaxed);
            return true;
        };
        let more = |count| (count < most).then_some(count + 1);
        self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Give a place back.
    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Be the one who finds out whether it is well again; `false` if another one does.
    pub(super) fn begin_probe(&self) -> bool {
        let begin = |trouble| (trouble == EJECTED).then_some(EJECTED | PROBING);
        self.trouble.fetch_update(Ordering::Relaxed, Ordering::Relaxed, begin).is_ok()
    }

    /// Nothing came of finding out.
    pub(super) fn end_probe(&self) {
        self.trouble.fetch_and(!PROBING, Ordering::Relaxed);
    }

    /// Count a request that was not answered.
    pub(super) fn count_failure(&self, phase: Phase, error: &str, now_ms: u64) {
        self.tally.failed(phase);
        self.rare().say(error, now_ms);
    }

    /// Keep what was wrong with an answer.
    pub(super) fn say(&self, error: &str, now_ms: u64) {
        self.rare().say(error, now_ms);
    }

    /// It does what it should. `proves`: the request was made to find that out.
    pub(super) fn went_well(&self, proves: bool, now_ms: u64) {
        if self.failed_in_row.load(Ordering::Relaxed) != 0 {
            self.failed_in_row.store(0, Ordering::Relaxed);
        }
        if proves && self.trouble.load(Ordering::Relaxed) & EJECTED != 0 {
            self.take_back(now_ms);
        }
    }

    /// It does not. Whether that makes one failure too many.
    pub(super) fn went_wrong(&self, config: &EjectionConfig, now_ms: u64) -> bool {
        if config.failures == 0 {
            return false;
        }
        let mut rare = self.rare();
        let before = self.failed_in_row.load(Ordering::Relaxed);
        let is_late = now_ms.saturating_sub(rare.first_failure_ms) > config.window_ms;
        let count = if before == 0 || is_late {
            rare.first_failure_ms = now_ms;
            1
        } else {
            before.saturating_add(1)
        };
        self.failed_in_row.store(count, Ordering::Relaxed);
        count >= config.failures
    }

    /// Take it out, for the first time or for longer.
    pub(super) fn eject(&self, config: &EjectionConfig, now_ms: u64) {
        let length_ms = self.rare().ejection_ms(config, now_ms);
        self.ejected_until_ms.store(now_ms.saturating_add(length_ms), Ordering::Relaxed);
        self.failed_in_row.store(0, Ordering::Relaxed);
        self.ejections.fetch_add(1, Ordering::Relaxed);
        self.trouble.fetch_or(EJECTED, Ordering::Relaxed);
        self.end_probe();
    }

    fn take_back(&self, now_ms: u64) {
        self.trouble.fetch_and(!(EJECTED | PROBING), Ordering::Relaxed);
        self.failed_in_row.store(0, Ordering::Relaxed);
        self.returned_ms.store(now_ms, Ordering::Relaxed);
    }

    /// What a check found, an error or none. Whether it is up or down since now.
    pub(super) fn checked(&self, config: &HealthConfig, error: Option<&str>, now_ms: u64) -> bool {
        let mut rare = self.rare();
        // The first one decides alone: nothing better is known.
        let is_first = !std::mem::replace(&mut rare.was_checked, true);
        let is_down = rare.down_since_ms.is_some();
        match error {
            None => {
                rare.bad_checks = 0;
                rare.good_checks = rare.good_checks.saturating_add(1);
                if !is_down || rare.good_checks < config.healthy {
                    return false;
                }
                rare.down_since_ms = None;
                rare.ejected_times = 0;
                drop(rare);
                // It was away altogether: what happened before that is of no interest any more.
                self.trouble.store(0, Ordering::Relaxed);
                self.take_back(now_ms);
            }
            Some(error) => {
                self.checks_failed.fetch_add(1, Ordering::Relaxed);
                rare.say(error, now_ms);
                rare.good_checks = 0;
                rare.bad_checks = rare.bad_checks.saturating_add(1);
                if is_down || (rare.bad_checks < config.unhealthy && !is_first) {
                    return false;
                }
                rare.down_since_ms = Some(now_ms);
                drop(rare);
                self.trouble.fetch_or(DOWN, Ordering::Relaxed);
            }
        }
        true
    }

    /// Nobody asks any more: what was found counts no longer.
    pub(super) fn forget_checks(&self) {
        let mut rare = self.rare();
        rare.down_since_ms = None;
        rare.was_checked = false;
        (rare.good_checks, rare.bad_checks) = (0, 0);
        self.trouble.fetch_and(!DOWN, Ordering::Relaxed);
    }

    /// Failures do not take it out any more.
    pub(super) fn forget_ejection(&self) {
        self.trouble.fetch_and(!(EJECTED | PROBING), Ordering::Relaxed);
    }
}
