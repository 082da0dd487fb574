//! What a pool is made of, as its operator wrote it. The defaults are those of docs/proxy-pools.md.

use super::retry::RetryConfig;
use super::status::Statuses;
use crate::{Origin, Protocol};

/// Most upstreams of a pool: each choice looks at all of them.
pub const MAX_UPSTREAMS: usize = 256;

/// Most pools of a site or a process.
pub const MAX_POOLS: usize = 256;

/// A pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolConfig {
    /// What scripts call it by: `pool:NAME`.
    pub name: String,
    /// Who may be asked; at least one, none twice.
    pub upstreams: Vec<UpstreamConfig>,
    /// How one of them is chosen.
    pub policy: Policy,
    /// Questions of our own, if any are asked.
    pub health: Option<HealthConfig>,
    /// When requests that fail take an upstream out.
    pub ejection: EjectionConfig,
    /// Answers that count as failures for ejection and breaker.
    pub failure_status: Statuses,
    /// When a request is made again.
    pub retries: RetryConfig,
    /// How long things may take.
    pub timeouts: TimeoutConfig,
    /// When the whole pool is left alone.
    pub breaker: BreakerConfig,
    /// Who may wait for a place.
    pub queue: QueueConfig,
    /// Time in which an upstream that came back gets to its full share.
    pub slow_start_ms: u64,
    /// Connections without a request.
    pub keepalive: KeepaliveConfig,
    /// The Host that upstreams see.
    pub host: Host,
}

impl PoolConfig {
    /// A pool with nothing but defaults.
    pub fn new(name: &str, upstreams: Vec<UpstreamConfig>) -> Self {
        Self {
            name: name.to_owned(),
            upstreams,
            policy: Policy::RoundRobin,
            health: None,
            ejection: EjectionConfig::default(),
            failure_status: Statuses::default(),
            retries: RetryConfig::default(),
            timeouts: TimeoutConfig::default(),
            breaker: BreakerConfig::default(),
            queue: QueueConfig::default(),
            slow_start_ms: 0,
            keepalive: KeepaliveConfig::default(),
            host: Host::Keep,
        }
    }

    /// What stands behind the URL of an upstream that belongs to no pool: one upstream, which is
    /// asked again only when a request never left.
    pub fn single(origin: Origin) -> Self {
        let name = origin.to_string();
        let upstream = UpstreamConfig::new(&name, origin, String::new());
        Self::new(&name, vec![upstream])
    }
}

/// One upstream of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamConfig {
    /// As it was written; upstreams with the same one are the same.
    pub url: String,
    /// Where it is.
    pub origin: Origin,
    /// What is put before the path, without a slash at the end.
    pub base: String,
    /// Its share, 1 and more.
    pub weight: u32,
    /// Whether it is asked only when none of the others can be.
    pub backup: bool,
    /// Most requests under way at a time, from all workers.
    pub max_connections: Option<u32>,
}

impl UpstreamConfig {
    /// An upstream with nothing but defaults.
    pub fn new(url: &str, origin: Origin, base: String) -> Self {
        let url = url.to_owned();
        Self { url, origin, base, weight: 1, backup: false, max_connections: None }
    }

    /// Whether one connection carries many requests.
    pub fn is_multiplexed(&self) -> bool {
        self.origin.protocol == Protocol::Http2
    }
}

/// How an upstream is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One after the other, by weight, smoothly.
    RoundRobin,
    /// The one with the fewest requests under way for its weight.
    LeastConnections,
    /// The better of two that were drawn.
    RandomTwo,
    /// The same one for the same key, as long as it can be.
    Hash(HashBy),
}

/// What the key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashBy {
    /// The client's address.
    Source,
    /// A header, by its name.
    Header(String),
    /// A cookie, by its name.
    Cookie(String),
}

/// Questions that are asked to know who is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// What is asked for; it begins with a slash.
    pub path: String,
    /// Time between two questions to an upstream.
    pub interval_ms: u64,
    /// Time for an answer.
    pub timeout_ms: u64,
    /// Good answers in a row that make it up again.
    pub healthy: u32,
    /// Bad ones in a row that make it down.
    pub unhealthy: u32,
    /// Which answers are good.
    pub status: Statuses,
    /// The Host of the question; without one, the upstream's own.
    pub host: Option<String>,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            interval_ms: 5_000,
            timeout_ms: 2_000,
            healthy: 2,
            unhealthy: 3,
            status: Statuses::range(200, 399),
            host: None,
        }
    }
}

/// When requests that fail take an upstream out, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EjectionConfig {
    /// So many failures in a row; 0 turns it off.
    pub failures: u32,
    /// Time in which they have to happen.
    pub window_ms: u64,
    /// For how long the first time; twice as long each further time.
    pub base_ms: u64,
    /// For how long at most. After as long without trouble, counting begins anew.
    pub max_ms: u64,
    /// Share of the upstreams that may be out at a time; one always may, if there are others.
    pub max_percent: u32,
}

impl Default for EjectionConfig {
    fn default() -> Self {
        Self { failures: 3, window_ms: 10_000, base_ms: 5_000, max_ms: 60_000, max_percent: 100 }
    }
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeoutConfig {
    /// Looking up the name, connecting, agreeing on encryption.
    pub connect_ms: u64,
    /// From the end of the request to the head of the response.
    pub first_byte_ms: u64,
    /// Between two parts of a body, in either direction.
    pub idle_ms: u64,
    /// From the beginning to the end, further tries included.
    pub total_ms: Option<u64>,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        Self { connect_ms: 5_000, first_byte_ms: 60_000, idle_ms: 60_000, total_ms: None }
    }
}

/// When the whole pool is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Most requests that wait for a place.
    pub max_pending: u32,
    /// Most requests under way.
    pub max_requests: Option<u32>,
    /// Share of failures from which on it opens; 0 turns that off.
    pub error_percent: u32,
    /// Requests in the window below which the share says nothing.
    pub min_requests: u32,
    /// Time over which the share is taken.
    pub window_ms: u64,
    /// Time after which one request is let through, to see.
    pub open_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            max_pending: 1_024,
            max_requests: None,
            error_percent: 0,
            min_requests: 20,
            window_ms: 10_000,
            open_ms: 5_000,
        }
    }
}

/// Who may wait when all upstreams have as many requests as they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Most that wait, for each upstream; 0 lets nobody wait.
    pub max: u32,
    /// Longest wait.
    pub timeout_ms: u64,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { max: 128, timeout_ms: 5_000 }
    }
}

/// Connections without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepaliveConfig {
    /// Most of them to one upstream, in each worker.
    pub idle: u32,
    /// Time after which they are closed.
    pub idle_timeout_ms: u64,
}

impl Default for KeepaliveConfig {
    fn default() -> Self {
        Self { idle: 32, idle_timeout_ms: 60_000 }
    }
}

/// The Host that upstreams see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The client's.
    Keep,
    /// The upstream's own.
    Upstream,
}
