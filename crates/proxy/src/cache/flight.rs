//! Requests that are under way to an upstream, so that others for the same wait for what becomes
//! of them instead of asking as well.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tokio::sync::Semaphore;

/// Parts of the table, each with a lock of its own.
pub(super) const SHARDS: usize = 16;

/// Most requests that wait for one; further ones ask by themselves.
const MAX_WAITING: u32 = 1024;

/// How long a request waits for another one's answer before it asks by itself, in milliseconds.
/// Whoever awaits a [`Waiter`] sees to that.
pub const MAX_WAIT_MS: u64 = 5_000;

/// How often a request begins to wait; each time, the one that it waited for had been given up by
/// its client, or was answered for others.
const MAX_WAITS: u8 = 3;

/// How often and why a request is looked up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Waited(u8),
    Alone,
    Failed,
}

impl Round {
    /// The first look.
    pub const FIRST: Self = Self(Kind::Waited(0));

    /// After waiting was too long.
    pub const ALONE: Self = Self(Kind::Alone);

    /// Whether it asks by itself, whoever else does.
    pub(super) fn is_alone(self) -> bool {
        !matches!(self.0, Kind::Waited(0..MAX_WAITS))
    }

    /// Whether the upstream has just failed another one.
    pub(super) fn has_failed(self) -> bool {
        self.0 == Kind::Failed
    }

    fn count(self) -> u8 {
        if let Kind::Waited(count) = self.0 { count } else { MAX_WAITS }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its client left.
    Abandoned = 1,
    /// Its answer can be found.
    Stored = 2,
    /// Its answer is for it alone.
    Alone = 3,
    /// The upstream failed.
    Failed = 4,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Flight {
    /// Has no permits; closing it wakes all who wait, at once.
    gate: Semaphore,
    outcome: AtomicU8,
    waiting: AtomicU32,
}

/// All that are under way.
#[derive(Debug)]
pub(super) struct Flights {
    shards: [Mutex<Shard>; SHARDS],
}

pub(super) type Shard = HashMap<Box<[u8]>, Arc<Flight>, RandomState>;

/// How a request takes part in a flight.
pub(super) enum Part {
    Leader(Arc<Flight>),
    Follower(Waiter),
    /// Too many wait.
    Full,
}

impl Default for Flights {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Flights {
    /// The part for a hash, locked. What stored responses of that hash come to is changed under
    /// this lock too.
    pub(super) fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // What a panic leaves behind is whole: each change is one call.
        self.shards[hash as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take a flight off the table, and tell those who wait.
    pub(super) fn land(&self, hash: u64, key: &[u8], flight: &Arc<Flight>, outcome: Outcome) {
        let mut shard = self.shard(hash);
        if shard.get(key).is_some_and(|other| Arc::ptr_eq(other, flight)) {
            shard.remove(key);
        }
        drop(shard);
        flight.outcome.store(outcome as u8, Ordering::Release);
        flight.gate.close();
    }
}

/// Take part in the flight of that key, or begin it.
pub(super) fn join(shard: &mut Shard, key: &[u8], round: Round) -> Part {
    if let Some(flight) = shard.get(key) {
        return Waiter::new(flight, round).map_or(Part::Full, Part::Follower);
    }
    let flight = Arc::new(Flight {
        gate: Semaphore::new(0),
        outcome: AtomicU8::new(0),
        waiting: AtomicU32::new(0),
    });
    shard.insert(key.into(), Arc::clone(&flight));
    Part::Leader(flight)
}

/// A request that waits for another one's answer.
#[derive(Debug)]
pub struct Waiter {
    flight: Arc<Flight>,
    round: Round,
}

impl Waiter {
    fn new(flight: &Arc<Flight>, round: Round) -> Option<Self> {
        if flight.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            flight.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { flight: Arc::clone(flight), round })
    }

    /// Wait until the other one is answered; then the request is looked up once more, in the round
    /// that this says. It may be dropped at any time: after [`MAX_WAIT_MS`], the round is
    /// [`Round::ALONE`].
    pub async fn wait(self) -> Round {
        // There are no permits: this ends when the gate is closed.
        let _ = self.flight.gate.acquire().await;
        let outcome = self.flight.outcome.load(Ordering::Acquire);
        if outcome == Outcome::Alone as u8 {
            return Round::ALONE;
        }
        if outcome == Outcome::Failed as u8 {
            return Round(Kind::Failed);
        }
        Round(Kind::Waited(self.round.count() + 1))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.flight.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
