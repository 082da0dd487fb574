//! Requests that wait for a place at an upstream, first come, first served.
//!
//! Whoever gives a place back hands it to the first in line at once, so that no later request can
//! take it in between.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use super::pool::Pool;
use super::ticket::Ticket;

/// Most requests in line that are looked at when a place is free: those in front may have tried the
/// upstream which has it.
const MAX_LOOK: usize = 32;

/// The line in front of a pool.
#[derive(Default)]
pub(super) struct Queue {
    /// Its length, to be seen without the lock.
    count: AtomicUsize,
    line: Mutex<VecDeque<Arc<Waiter>>>,
}

struct Waiter {
    key: Option<u64>,
    tried: SmallVec<[usize; 4]>,
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    ticket: Option<Ticket>,
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The same for who has just given a place back: either this sees who waits, or who waits sees
    /// the place.
    pub(super) fn is_waited_in(&self) -> bool {
        fence(Ordering::SeqCst);
        self.len() > 0
    }

    /// Go to the end of the line, unless it is too long.
    pub(super) fn join(
        &self,
        pool: &Arc<Pool>,
        key: Option<u64>,
        tried: &[usize],
        deadline_ms: u64,
        most: usize,
    ) -> Option<Wait> {
        let mut line = lock(&self.line);
        if line.len() >= most {
            return None;
        }
        let tried = SmallVec::from_slice(tried);
        let waiter = Arc::new(Waiter { key, tried, turn: Mutex::default() });
        line.push_back(Arc::clone(&waiter));
        self.count.store(line.len(), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Some(Wait { pool: Arc::clone(pool), waiter, deadline_ms })
    }

    /// Give those in front what there is.
    pub(super) fn serve(&self, mut choose: impl FnMut(Option<u64>, &[usize]) -> Option<Ticket>) {
        let mut wakers: SmallVec<[Waker; 4]> = SmallVec::new();
        let mut line = lock(&self.line);
        let mut at = 0;
        while at < MAX_LOOK {
            let Some(waiter) = line.get(at) else { break };
            match choose(waiter.key, &waiter.tried) {
                Some(ticket) => {
                    let mut turn = lock(&waiter.turn);
                    turn.ticket = Some(ticket);
                    wakers.extend(turn.waker.take());
                    drop(turn);
                    line.remove(at);
                }
                // Who has tried nothing takes anything: there is nothing for those behind either.
                None if waiter.tried.is_empty() => break,
                None => at += 1,
            }
        }
        self.count.store(line.len(), Ordering::Relaxed);
        drop(line);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn leave(&self, waiter: &Arc<Waiter>) {
        let mut line = lock(&self.line);
        line.retain(|one| !Arc::ptr_eq(one, waiter));
        self.count.store(line.len(), Ordering::Relaxed);
    }
}

/// A place in the line. Dropping it leaves the line.
pub struct Wait {
    pool: Arc<Pool>,
    waiter: Arc<Waiter>,
    deadline_ms: u64,
}

impl Wait {
    /// When to give up: nobody is woken for that.
    pub fn deadline_ms(&self) -> u64 {
        self.deadline_ms
    }

    /// The place at an upstream, once it is this one's turn.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ticket> {
        let mut turn = lock(&self.waiter.turn);
        if let Some(ticket) = turn.ticket.take() {
            return Poll::Ready(ticket);
        }
        if !turn.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            turn.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.pool.queue.leave(&self.waiter);
        // Whoever is next gets what came too late; not while the turn is locked.
        let ticket = lock(&self.waiter.turn).ticket.take();
        drop(ticket);
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("deadline_ms", &self.deadline_ms).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
