//! Listeners, workers, the request pipeline, reload and logs: where policy meets mechanism.
//!
//! A [`Server`] runs one thread per worker, each with its own event loop and its own listening
//! socket. A [`Site`] holds the generation in force; workers notice a new one at their next
//! request. [`connection`] turns bytes into answers with the help of [`pipeline`], which does no
//! I/O, and [`transfer`], which does nothing else.

#![deny(unsafe_code)]

pub mod access_log;
pub mod admin;
pub mod cached;
mod client_ip;
mod clock;
pub mod connection;
pub mod crew;
pub mod endpoints;
pub mod fetching;
pub mod h2;
pub mod inquiry;
pub mod limits;
pub mod listen;
mod listing;
pub mod live;
pub mod metrics;
pub mod notice;
pub mod offline;
pub mod oracle;
mod passing;
pub mod passwords;
pub mod peer;
pub mod pipeline;
pub mod pools;
pub mod proxied;
pub mod record;
pub mod representation;
pub mod ruling;
pub mod scripted;
pub mod scripts;
mod sending;
pub mod server;
pub mod site;
pub mod sites;
pub mod state;
pub mod stats;
pub mod status;
pub mod stream;
pub mod surroundings;
pub mod tls;
pub mod transfer;
pub mod view;
pub mod views;
pub mod worker;

pub use limits::{LIMITS, Limits};
pub use scripts::Object;
pub use server::{Config, Server};
pub use site::{Site, SiteOptions};
pub use sites::Sites;

/// Whether a text names an upstream; otherwise why not.
pub fn upstream_target(text: &str) -> Result<(), &'static str> {
    zeroserve_proxy::Target::parse(text).map(drop).map_err(|error| error.0)
}
