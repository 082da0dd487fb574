//! The time as workers see it: whole seconds, read without a system call, formatted once each.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use zeroserve_http::date::{self, DATE_LEN};

/// A worker's clock.
pub struct Clock {
    /// Second that `text` says.
    at: Cell<i64>,
    text: RefCell<[u8; DATE_LEN]>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { at: Cell::new(i64::MIN), text: RefCell::new([b' '; DATE_LEN]) }
    }
}

impl Clock {
    /// Seconds since 1970, a few milliseconds behind at most.
    pub fn now_s(&self) -> i64 {
        clock_gettime(ClockId::RealtimeCoarse).tv_sec
    }

    /// Seconds of a clock that is never set: for deadlines.
    pub fn steady_s(&self) -> i64 {
        clock_gettime(ClockId::MonotonicCoarse).tv_sec
    }

    /// The value of the Date field now.
    pub fn date(&self) -> [u8; DATE_LEN] {
        let now = self.now_s();
        if self.at.replace(now) != now
            && let Ok(text) = <[u8; DATE_LEN]>::try_from(date::format(now).as_bytes())
        {
            self.text.replace(text);
        }
        *self.text.borrow()
    }

    /// Since 1970, to the microsecond: for the access log.
    pub fn precise(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
