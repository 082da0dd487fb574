//! The time as workers see it: whole seconds, read without a system call, formatted once each.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use zeroserve_http::date::{self, DATE_LEN};

/// A worker's clock.
pub struct Clock {
    /// Second that `date` says.
    at: Cell<i64>,
    date: Cell<[u8; DATE_LEN]>,
    /// The last reading for the time that something takes. Atomic only because the event loop's
    /// hooks have to be; no other thread has it.
    latest_ns: Arc<AtomicU64>,
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
        let latest_ns = Arc::new(AtomicU64::new(monotonic_ns()));
        Self { at: Cell::new(i64::MIN), date: Cell::new([b' '; DATE_LEN]), latest_ns }
    }
}

/// Seconds since 1970, a few milliseconds behind at most.
pub(crate) fn now_s() -> i64 {
    clock_gettime(ClockId::RealtimeCoarse).tv_sec
}

impl Clock {
    /// Seconds since 1970, a few milliseconds behind at most.
    pub fn now_s(&self) -> i64 {
        now_s()
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

    /// Nanoseconds since some moment before: when something ends.
    pub fn read_ns(&self) -> u64 {
        let now = monotonic_ns();
        self.latest_ns.store(now, Ordering::Relaxed);
        now
    }

    /// The last reading: when the worker became free for what it does now, be it that it had
    /// answered the last request or that it was woken. Costs nothing.
    pub fn free_since_ns(&self) -> u64 {
        self.latest_ns.load(Ordering::Relaxed)
    }

    /// What the event loop has to call when it was woken.
    pub fn on_wake(&self) -> impl Fn() + Send + Sync + 'static {
        let latest_ns = Arc::clone(&self.latest_ns);
        move || latest_ns.store(monotonic_ns(), Ordering::Relaxed)
    }

    /// Since 1970, to the microsecond: for the access log.
    pub fn precise(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, rest) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
}
