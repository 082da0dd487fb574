//! HTTP/2 (RFC 9113), the server's side, without I/O.
//!
//! [`Engine`] turns frames into requests that look as if they had come over HTTP/1, and answers
//! that were written for HTTP/1 into frames: what a request means is decided in one place for
//! both.

pub mod bounds;
pub mod engine;
pub mod frame;
pub mod head;
pub mod hpack;
pub mod priority;
mod sending;
mod streams;
#[cfg(test)]
mod tests;

pub use bounds::Bounds;
pub use engine::{Engine, Event, Step};
pub use frame::{Code, PREFACE};
pub use head::{FieldList, RequestHead};
pub use hpack::BlockCache;
pub use priority::Priority;
