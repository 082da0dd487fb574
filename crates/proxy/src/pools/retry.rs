//! Which requests are made again.
//!
//! A request of which no byte left can be made elsewhere, whatever it is. Once bytes left, the
//! upstream may have acted on them, so that only a method which may be repeated without harm is
//! sent again (RFC 9110, section 9.2.2).

use super::status::Statuses;
use crate::{Cause, Failure, Phase};

/// When a request is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Further tries, besides the first; 0 turns them off.
    pub count: u32,
    /// Further tries for each hundred requests, so that they can't double the load when all fails.
    pub budget_percent: u32,
    /// Whether after a request that never left.
    pub on_connect: bool,
    /// Whether after a connection that broke before the head of the response.
    pub on_closed: bool,
    /// Whether after a head that did not come in time.
    pub on_timeout: bool,
    /// After which answers.
    pub status: Statuses,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            count: 2,
            budget_percent: 20,
            on_connect: true,
            on_closed: true,
            on_timeout: false,
            status: Statuses::default(),
        }
    }
}

impl RetryConfig {
    /// Whether another try may help after a failure. The number of tries, the budget, and whether
    /// the request body is still at hand are the caller's to look at.
    pub fn after_failure(&self, failure: &Failure, method: &[u8]) -> bool {
        match failure.phase {
            // Whoever waited has waited long enough.
            Phase::Queue => false,
            Phase::Resolve | Phase::Connect | Phase::Handshake => self.on_connect,
            Phase::Send | Phase::Head => {
                let wanted = match failure.cause {
                    Cause::TimedOut => self.on_timeout,
                    _ => self.on_closed,
                };
                wanted && is_idempotent(method)
            }
            // The client has seen the head.
            Phase::Body => false,
        }
    }

    /// Whether another try may help after an answer, of which nothing was passed on.
    pub fn after_status(&self, status: u16, method: &[u8]) -> bool {
        self.status.contains(status) && is_idempotent(method)
    }
}

/// Whether asking twice is the same as asking once.
pub fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}
