//! What a process gives up before it serves strangers: files that it does not need, system calls
//! that it never makes, capabilities.
//!
//! Landlock and capabilities hold for the calling thread and those that it starts from then on, so
//! this is to be called before there are others. seccomp holds for all threads at once.

#![forbid(unsafe_code)]

mod capabilities;
mod filter;
mod landlock;

pub use capabilities::{drop_bounding_set, give_up_privileges};
pub use filter::{Commands, forbid_calls};
pub use landlock::{Grant, forbid_files};
