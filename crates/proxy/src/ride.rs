//! What a request needs to know of its pool while it is on its way: whom it asks, whom it has
//! asked, and how much time is left. In milliseconds: pools are configured that way.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::time::Sleep;

use crate::failure::{Cause, Failure, Phase};
use crate::pools::{Choice, Pool, Ticket, Upstream, Wait};

/// The beginning of the time that pools are told.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time, for pools: the same for all threads of this process.
pub fn now_ms() -> u64 {
    START.elapsed().as_millis() as u64
}

/// A request that a pool answers.
pub(crate) struct Ride {
    pool: Arc<Pool>,
    key: Option<u64>,
    tried: SmallVec<[usize; 4]>,
    seat: Seat,
    /// When the upstream of now was asked.
    asked: Instant,
    /// When the request came, and when something happened last.
    began_ms: u64,
    active_ms: u64,
    timer: Option<(u64, Pin<Box<Sleep>>)>,
}

enum Seat {
    Taken(Ticket),
    Waiting(Wait),
    None,
}

/// What to do now.
pub(crate) enum Next {
    /// Ask the upstream that [`Ride::upstream`] has.
    Ask,
    /// Poll until it is this one's turn.
    Wait,
    /// Give up.
    Fail(Failure),
}

impl Ride {
    /// Choose the first upstream.
    pub(crate) fn begin(pool: Arc<Pool>, key: Option<u64>) -> (Self, Next) {
        let began_ms = now_ms();
        let mut ride = Self {
            pool,
            key,
            tried: SmallVec::new(),
            seat: Seat::None,
            asked: Instant::now(),
            began_ms,
            active_ms: began_ms,
            timer: None,
        };
        let next = ride.choose(began_ms);
        (ride, next)
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Who is asked.
    pub(crate) fn upstream(&self) -> Option<&Upstream> {
        match &self.seat {
            Seat::Taken(ticket) => Some(ticket.upstream()),
            Seat::Waiting(_) | Seat::None => None,
        }
    }

    fn choose(&mut self, now_ms: u64) -> Next {
        let unavailable = |why| Next::Fail(Failure::new(Phase::Queue, Cause::Unavailable(why)));
        match self.pool.choose(self.key, &self.tried, now_ms) {
            Choice::Upstream(ticket) => {
                self.take(ticket);
                Next::Ask
            }
            Choice::Busy => match self.pool.wait(self.key, &self.tried, now_ms) {
                Ok(wait) => {
                    self.seat = Seat::Waiting(wait);
                    Next::Wait
                }
                Err(why) => unavailable(why),
            },
            Choice::None(why) => unavailable(why),
        }
    }

    fn take(&mut self, ticket: Ticket) {
        self.seat = Seat::Taken(ticket);
        self.asked = Instant::now();
        self.active_ms = now_ms();
    }

    /// Wait for a place.
    pub(crate) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Seat::Waiting(wait) = &mut self.seat else { return Poll::Ready(Next::Ask) };
        if let Poll::Ready(ticket) = wait.poll(cx) {
            self.take(ticket);
            return Poll::Ready(Next::Ask);
        }
        let deadline_ms = wait.deadline_ms();
        if self.poll_timer(deadline_ms, cx) {
            self.seat = Seat::None;
            let failure = Failure::new(Phase::Queue, Cause::TimedOut);
            return Poll::Ready(Next::Fail(failure));
        }
        Poll::Pending
    }

    /// Something has happened.
    pub(crate) fn touch(&mut self) {
        self.active_ms = now_ms();
    }

    /// Whether nothing has happened for so long, or all of it takes too long; `None` when there is
    /// nothing to wait for but the client.
    pub(crate) fn is_late(&mut self, patience_ms: Option<u64>, cx: &mut Context<'_>) -> bool {
        let total_ms = self.pool.config().timeouts.total_ms;
        let end_ms = total_ms.map(|total_ms| self.began_ms.saturating_add(total_ms));
        let quiet_ms = patience_ms.map(|patience_ms| self.active_ms.saturating_add(patience_ms));
        match (quiet_ms, end_ms) {
            (None, None) => false,
            (Some(at_ms), None) | (None, Some(at_ms)) => self.poll_timer(at_ms, cx),
            (Some(quiet_ms), Some(end_ms)) => self.poll_timer(quiet_ms.min(end_ms), cx),
        }
    }

    /// Whether a time has come; otherwise this is polled then, or somewhat before.
    fn poll_timer(&mut self, at_ms: u64, cx: &mut Context<'_>) -> bool {
        loop {
            let now_ms = now_ms();
            if now_ms >= at_ms {
                return true;
            }
            // A timer that ends too early is set anew then: that is seldom, and setting is not.
            let is_set = self.timer.as_ref().is_some_and(|(until_ms, _)| *until_ms <= at_ms);
            if !is_set {
                let length = Duration::from_millis(at_ms - now_ms);
                self.timer = Some((at_ms, Box::pin(tokio::time::sleep(length))));
            }
            let Some((_, sleep)) = &mut self.timer else { return false };
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.timer = None;
        }
    }

    /// The head of the response has come. Whether another upstream is to be asked instead, which
    /// is chosen then; `may_repeat` says that the request is still at hand.
    pub(crate) fn answered(&mut self, status: u16, method: &[u8], may_repeat: bool) -> bool {
        let Seat::Taken(ticket) = &mut self.seat else { return false };
        let now_ms = now_ms();
        ticket.succeeded(status, self.asked.elapsed().as_nanos() as u64, now_ms);
        let index = ticket.index();
        let retries = &self.pool.config().retries;
        if !(may_repeat && retries.after_status(status, method) && self.may_try(now_ms)) {
            return false;
        }
        self.tried.push(index);
        match self.pool.choose(self.key, &self.tried, now_ms) {
            Choice::Upstream(ticket) => {
                self.take(ticket);
                true
            }
            // An answer is better than none.
            Choice::Busy | Choice::None(_) => false,
        }
    }

    /// The upstream has failed: what to do now. `may_repeat` as above.
    pub(crate) fn failed(&mut self, failure: Failure, method: &[u8], may_repeat: bool) -> Next {
        let Seat::Taken(mut ticket) = std::mem::replace(&mut self.seat, Seat::None) else {
            return Next::Fail(failure);
        };
        let now_ms = now_ms();
        ticket.failed(&failure, now_ms);
        self.tried.push(ticket.index());
        drop(ticket);
        let retries = &self.pool.config().retries;
        if !(may_repeat && retries.after_failure(&failure, method) && self.may_try(now_ms)) {
            return Next::Fail(failure);
        }
        match self.choose(now_ms) {
            // The first reason says more than that there is nobody left.
            Next::Fail(_) => Next::Fail(failure),
            next => next,
        }
    }

    fn may_try(&self, now_ms: u64) -> bool {
        let tries = self.tried.len() as u64;
        let is_in_time = self.pool.config().timeouts.total_ms;
        let is_in_time = is_in_time.is_none_or(|ms| now_ms < self.began_ms.saturating_add(ms));
        is_in_time
            && tries <= u64::from(self.pool.config().retries.count)
            && self.pool.may_retry(now_ms)
    }
}
