//! Pools: several upstreams under one name, and which of them gets the next request.
//!
//! No I/O and no clock: who asks says what time it is, in milliseconds of any clock that does not
//! go back. A [`Pool`] is shared by all workers. [`Pool::choose`] gives a [`Ticket`], which counts
//! as a request under way until it is dropped and takes what became of it; [`Pool::wait`] is the
//! queue for when all upstreams have as much to do as they may. [`Checks`] says whose health is to
//! be asked for when.

mod breaker;
mod budget;
mod checks;
mod choice;
mod config;
mod pool;
mod queue;
mod read;
mod retry;
mod state;
mod status;
mod ticket;
mod vitals;

pub use checks::{Check, Checks};
pub use choice::hash_key;
pub use config::{
    BreakerConfig, EjectionConfig, HashBy, HealthConfig, Host, KeepaliveConfig, MAX_POOLS,
    MAX_UPSTREAMS, Policy, PoolConfig, QueueConfig, TimeoutConfig, UpstreamConfig,
};
pub use pool::{Choice, Pool, Upstream};
pub use queue::Wait;
pub use read::{ConfigError, read_pools};
pub use retry::{RetryConfig, is_idempotent};
pub use state::{PoolState, Standing, State};
pub use status::Statuses;
pub use ticket::Ticket;

#[cfg(test)]
mod tests;
