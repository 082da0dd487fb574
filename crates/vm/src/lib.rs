//! eBPF programs as a userspace sandbox: loaded from ELF objects, verified, compiled to machine
//! code or interpreted, metered, and stopped where they stand when they misbehave.
//!
//! A [`Program`] is what an object becomes; an [`Instance`] is memory to run it in. A run goes
//! forward in steps: [`Instance::resume`] comes back with an [`Event`] when the program has ended,
//! calls a helper, or used up its slice. What a helper does is the caller's business, so this
//! crate knows neither HTTP nor files nor the clock.

mod code;
mod compile;
pub mod disasm;
mod error;
mod flow;
pub mod insn;
mod instance;
mod interpret;
pub mod limits;
mod lines;
mod machine;
mod memory;
mod object_file;
mod program;
mod trace;
mod translate;
mod trap;
mod verify;

pub use error::LoadError;
pub use instance::{Event, Fuel, Instance};
pub use memory::{Fault, Memory};
pub use program::{Engine, Helper, HelperTable, Layout, Program};
pub use trace::Traced;
pub use trap::{Trap, TrapKind};
pub use verify::Function;
