//! A request's place at an upstream.

use std::fmt;
use std::sync::Arc;

use super::pool::{Pool, Upstream};
use crate::{Failure, Phase};

/// Why an upstream was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// It is well, as far as is known.
    Plain,
    /// To find out whether it is well again.
    Probe,
    /// There is nobody else: it was tried although it is out.
    Panic,
}

/// A request's place at an upstream: it counts as under way until this is dropped.
pub struct Ticket {
    pub(super) pool: Arc<Pool>,
    pub(super) index: usize,
    pub(super) errand: Errand,
    /// Whether the circuit breaker waits for what becomes of it.
    pub(super) for_breaker: bool,
    pub(super) is_settled: bool,
}

impl Ticket {
    /// Which upstream it is, for `tried`.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The upstream.
    pub fn upstream(&self) -> &Upstream {
        &self.pool.upstreams()[self.index]
    }

    /// The pool that chose it.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The head of the response has come.
    pub fn succeeded(&mut self, status: u16, first_byte_ns: u64, now_ms: u64) {
        self.upstream().vitals.tally.answered(first_byte_ns);
        let good = !self.pool.config().failure_status.contains(status);
        if !good {
            self.upstream().vitals.say(&format!("status {status}"), now_ms);
        }
        self.settle(good, now_ms);
    }

    /// It did not, or the body broke off.
    pub fn failed(&mut self, failure: &Failure, now_ms: u64) {
        self.upstream().vitals.count_failure(failure.phase, &failure.to_string(), now_ms);
        // In a queue, the upstream has not been asked.
        if failure.phase != Phase::Queue {
            self.settle(false, now_ms);
        }
    }

    fn settle(&mut self, good: bool, now_ms: u64) {
        self.pool.settle(self, good, now_ms);
        self.is_settled = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pool.release(self);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("index", &self.index).field("errand", &self.errand).finish()
    }
}
