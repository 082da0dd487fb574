//! What scripts may ask of their host: the table of helpers and what each of them does.

#![forbid(unsafe_code)]

mod helpers;
mod row;
mod table;

pub use row::{Row, table};
pub use table::HELPERS;

use zeroserve_vm::Instance;

/// What a call of a helper has come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its result.
    Value(u64),
    /// It needs the request body, up to a limit.
    Body {
        /// Most bytes of it.
        limit: u64,
    },
    /// It runs a function of another script.
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
}

/// What the host takes from outside.
pub trait World {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
}

/// The state of a request.
#[derive(Debug, Default)]
pub struct Exchange {}

/// Do what a helper does.
pub fn call(
    number: u32,
    args: [u64; 5],
    exchange: &mut Exchange,
    instance: &mut Instance,
    world: &dyn World,
) -> Outcome {
    let row = (number as usize).checked_sub(1).and_then(|index| HELPERS.get(index));
    match row {
        Some(row) => (row.body)(&mut helpers::Call { args, exchange, instance, world }),
        None => Outcome::Trap(format!("call of helper {number}, which does not exist")),
    }
}
