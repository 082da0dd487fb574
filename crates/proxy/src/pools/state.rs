//! What is known of a pool, for status, metrics and the admin page.

use crate::tally::Counts;

/// Whether an upstream is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Up,
    /// Its time out is over; one request finds out whether it is well.
    Probation,
    /// Not for a while: requests failed.
    Ejected,
    /// Not until checks say so.
    Down,
}

impl Standing {
    /// All of them, as metrics list them.
    pub const ALL: [Self; 4] = [Self::Up, Self::Probation, Self::Ejected, Self::Down];

    /// The word that status and metrics have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Probation => "probation",
            Self::Ejected => "ejected",
            Self::Down => "down",
        }
    }
}

/// An upstream of a pool.
#[derive(Clone, Debug)]
pub struct State {
    /// As it was written.
    pub url: String,
    /// Its share.
    pub weight: u32,
    /// Whether it is asked only when the others can't be.
    pub backup: bool,
    /// Most requests under way at a time.
    pub max_connections: Option<u32>,
    /// Whether it is asked.
    pub standing: Standing,
    /// For how long it has been down.
    pub down_ms: Option<u64>,
    /// How much longer it is out.
    pub ejected_ms: Option<u64>,
    /// Checks in a row that went well, and that did not.
    pub checks_in_row: (u32, u32),
    /// What went wrong last; empty if nothing ever did.
    pub last_error: String,
    /// How long ago that was.
    pub last_error_ms: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// What became of its requests.
    pub counts: Counts,
    /// Requests that came here after another upstream had failed.
    pub retries: u64,
    /// Times that it was taken out.
    pub ejections: u64,
    /// Checks that did not go well.
    pub checks_failed: u64,
}

/// A pool.
#[derive(Clone, Debug)]
pub struct PoolState {
    /// What scripts call it by.
    pub name: String,
    /// Whether the circuit breaker refuses requests.
    pub breaker_open: bool,
    /// Requests that wait for a place.
    pub waiting: usize,
    /// Its upstreams, in the order of the configuration.
    pub upstreams: Vec<State>,
}
