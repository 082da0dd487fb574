//! What stands behind this server: connections to upstreams, and what they answer.
//!
//! All of it belongs to one worker and is driven by polling: a [`Call`] moves its bytes when it is
//! asked to, keeps a bounded number of them, and never waits by itself.

#![forbid(unsafe_code)]

mod failure;
mod origin;
pub mod pools;

pub use failure::{Cause, Failure, Phase};
pub use origin::{Origin, Place, Protocol, Target, TargetError};
