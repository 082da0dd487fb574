//! What stands behind this server: connections to upstreams, and what they answer.
//!
//! A request belongs to one worker and is driven by polling: a [`Passage`] moves its bytes when it
//! is asked to, keeps a bounded number of them, and never waits by itself. What may be used again
//! is in a [`cache`] that all workers share.

#![forbid(unsafe_code)]

pub mod cache;
mod call;
mod dial;
mod failure;
mod gather;
mod head;
mod http1;
mod http2;
mod origin;
mod passage;
pub mod pools;
mod probe;
mod ride;
mod tally;
mod upstreams;

pub use dial::{Connected, Dialer, Shared, Socket, Tls, TlsOptions, is_public};
pub use failure::{Cause, Failure, Phase};
pub use gather::{Gathered, gather};
pub use head::{Asked, Head, is_hop_by_hop, line, tokens};
pub use origin::{Origin, Place, Protocol, Target, TargetError};
pub use passage::{Outgoing, Passage, Timeouts};
pub use probe::probe;
pub use ride::now_ms;
pub use tally::{Counts, LATENCY_BOUNDS_NS};
pub use upstreams::{Route, Upstream, Upstreams};
