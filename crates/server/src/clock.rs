//! The time as workers see it: whole seconds, read without a system call, formatted once each.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use zeroserve_http::date::{self, DATE_LEN};

/// A worker's clock.
pub struct Clock {
    /// Second that `date` says.
    at: Cell<i64>,
    date: Cell<[u8; DATE_LEN]>,
}

/// The moment of answering.
#[derive(Clone, Copy)]
pub struct Now {
    /// Seconds since 1970.
    pub seconds: i64,
    /// The same as the value of a Date field.
    pub date: [u8; DATE_LEN],
}

impl Default for Clock {
    fn default() -> Self {
        Self { at: Cell::new(i64::MIN), date: Cell::new([b' '; DATE_LEN]) }
    }
}

impl Clock {
    /// Seconds since 1970, a few milliseconds behind at most.
    pub fn now_s(&self) -> i64 {
        clock_gettime(ClockId::RealtimeCoarse).tv_sec
    }

    /// The moment, for an answer.
    pub fn now(&self) -> Now {
        let seconds = self.now_s();
        if self.at.replace(seconds) != seconds
            && let Ok(date) = <[u8; DATE_LEN]>::try_from(date::format(seconds).as_bytes())
        {
            self.date.set(date);
        }
        Now { seconds, date: self.date.get() }
    }

    /// Nanoseconds since some moment before: for the time that something takes.
    pub fn monotonic_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        let (seconds, rest) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
        seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
    }

    /// Since 1970, to the microsecond: for the access log.
    pub fn precise(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
