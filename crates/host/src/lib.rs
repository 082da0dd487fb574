//! What scripts may ask of their host: the table of helpers and what each of them does.
//!
//! The driver runs an instance; when that calls a helper, [`call`] does the work on the
//! [`Exchange`], which is the state of one request, and on the script's memory, and says how to go
//! on. Time, randomness, files and the log come through [`World`]: there is no I/O here, so that
//! nothing here has to wait.

#![forbid(unsafe_code)]

mod elsewhere;
mod exchange;
mod fetch;
mod fields;
mod guest;
mod handles;
mod helpers;
pub mod limits;
mod measure;
mod oidc;
pub mod passwords;
mod python;
mod rate_limit;
mod row;
mod sigv4;
mod table;
mod tables;
mod template;
mod words;
mod world;

pub use elsewhere::Rows;
pub use exchange::{Answer, Body, Exchange, Hook, Incoming, Response, Tls, Verification};
pub use fetch::{FetchError, FetchRequest, Fetched};
pub use fields::Fields;
pub use oidc::Documents;
pub use python::{FETCH, MODULES, Patterns, TEXT, check_pattern};
pub use rate_limit::{MAX_BUCKETS, MAX_KEY_BYTES, RateLimiter, Verdict};
pub use row::{Row, row, rows, table};
pub use table::HELPERS;
pub use tables::Tables;
pub use template::{has_meta, replace_meta};
pub use world::{FileMetadata, World};

use guest::{Call, Guest, Instead, NONE};
use zeroserve_vm::Instance;

/// What a call of a helper has come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its result.
    Value(u64),
    /// It needs the request body: read it, give it to [`Exchange::set_body`], and make the same
    /// call again.
    Body {
        /// Most bytes of it.
        limit: u64,
    },
    /// It asks another server: do that, say what came of it by [`Exchange::set_fetched`], and make
    /// the same call again.
    Fetch(Box<FetchRequest>),
    /// It runs the function `zeroserve.call.<function>` of another script: [`Exchange::enter`],
    /// run it, [`Exchange::leave`], and the call's result is that of [`Exchange::adopt`].
    Call {
        /// Whose.
        script: String,
        /// Which.
        function: String,
        /// With what.
        input: serde_json::Value,
    },
    /// The script has to stop, and why.
    Trap(String),
    /// The same, and at which line of its source.
    Stop {
        /// Why.
        reason: String,
        /// File and line.
        line: Option<(String, u32)>,
    },
    /// A password has to be verified against a hash, which takes long: do so away from others, give
    /// the result to [`Exchange::set_verdict`], and make the same call again.
    Password {
        /// What the client says.
        password: Vec<u8>,
        /// What it is to be; it was checked.
        hash: String,
    },
    /// There is too much to do: the client is told so, by 503, and no further script runs.
    Busy,
    /// The script needs a request body that is too large, or was not kept: the client is told so,
    /// by 413, and no further script runs.
    BodyTooLarge,
}

/// Do what a helper does, for the script that the exchange is at.
pub fn call(
    number: u32,
    args: [u64; 5],
    exchange: &mut Exchange,
    instance: &mut Instance,
    world: &dyn World,
) -> Outcome {
    let Some(row) = row(number) else {
        return Outcome::Trap(format!("call of helper {number}, which does not exist"));
    };
    let guest = Guest { helper: row.name, instance };
    let mut call = Call { args, exchange, guest, world, fuel: 0 };
    let reply = (row.body)(&mut call);
    let fuel = call.fuel;
    if fuel > 0 {
        call.guest.instance.charge(fuel);
    }
    match reply {
        Ok(value) => Outcome::Value(value),
        Err(Instead::Nothing) => Outcome::Value(NONE),
        Err(Instead::Other(outcome)) => outcome,
    }
}
